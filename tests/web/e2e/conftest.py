"""A real server and a real browser for the tests of the page; skipped where either is missing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import PATIENCE_S, Watched

CHROMIUM = next(
    (
        p
        for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
        if Path(p).exists()
    ),
    None,
)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server with an empty store of jobs; HER2_PAGE_URL names one that runs already."""
    given = os.environ.get("HER2_PAGE_URL")
    if given:
        yield given.rstrip("/")
        return
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    folder = tmp_path_factory.mktemp("page")
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with (folder / "server.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "her2.cli.main", "serve", "--no-open", "--port", str(port),
             "--database", f"sqlite:///{folder / 'jobs.sqlite'}"],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            _wait(base, process, folder / "server.log")
            yield base
        finally:
            process.terminate()
            process.wait(30)


def _wait(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server answers."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"the server ended: {log.read_text(encoding='utf-8')[-2000:]}")
        try:
            with urllib.request.urlopen(f"{base}/api/network/layout", timeout=PATIENCE_S):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail("the server did not answer")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium of the distribution, without a window.

    Of the module, not of the session: while it runs, its event loop forbids the other tests theirs.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def watched(browser: Any, server: str) -> Iterator[Watched]:
    """A page that is watched."""
    page = Watched(browser, server)
    yield page
    page.context.close()


@pytest.fixture
def scripted(browser: Any, server: str) -> Iterator[Watched]:
    """A page into which tests may put scripts of their own."""
    page = Watched(browser, server, bypass_csp=True)
    yield page
    page.context.close()
