"""A server without workers for reads, databases of both kinds, and a real server in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'web'")
pytest.importorskip("sqlalchemy", reason="needs the extra 'web'")
pytest.importorskip("httpx")

from asking import Client, Server, free_port

from her2.web.app import build, create_app
from her2.web.settings import Limits, Settings


@pytest.fixture(scope="session")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built front end in small."""
    folder = tmp_path_factory.mktemp("static")
    (folder / "assets").mkdir()
    (folder / "index.html").write_text(
        "<!doctype html><title>her2</title>" + "<p>page</p>" * 100, encoding="utf-8"
    )
    (folder / "assets" / "main-abc123.js").write_text("export const x = 1;\n" * 100, encoding="utf-8")
    (folder / ".secret").write_text("hidden", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def settings(static: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Loopback, no workers: jobs stay in the queue."""
    database = tmp_path_factory.mktemp("jobs") / "jobs.sqlite"
    return Settings(database=f"sqlite:///{database}", workers=0, static=static, limits=Limits(active_jobs=50))


@pytest.fixture(scope="session")
def inner(settings: Settings) -> Any:
    """The application behind the guard."""
    return build(settings)


@pytest.fixture(scope="session")
def client(settings: Settings) -> Client:
    """Asks the whole application."""
    return Client(create_app(settings))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of our own, or the one that HER2_TEST_POSTGRES names."""
    pytest.importorskip("psycopg", reason="needs the extra 'postgres'")
    given = os.environ.get("HER2_TEST_POSTGRES")
    if given:
        yield given
        return
    programs = [shutil.which(n) for n in ("initdb", "postgres")]
    if None in programs:
        pytest.skip("no PostgreSQL server on this machine")
    folder = Path(tempfile.mkdtemp(prefix="her2-postgres-"))
    # the server refuses to run for the superuser
    options: dict[str, Any] = {}
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        import pwd

        try:
            user = pwd.getpwnam("nobody")
        except KeyError:
            pytest.skip("PostgreSQL does not run for the superuser, and there is no user 'nobody'")
        os.chown(folder, user.pw_uid, user.pw_gid)
        options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}
    data = folder / "data"
    made = subprocess.run(
        [str(programs[0]), "-D", str(data), "-U", "her2", "-A", "trust", "--no-sync"],
        capture_output=True, text=True, **options,
    )  # fmt: skip
    if made.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"initdb does not work here: {made.stderr.strip()[-200:]}")
    port = free_port()
    server = subprocess.Popen(
        [str(programs[1]), "-D", str(data), "-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1",
         "-c", "fsync=off"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options,
    )  # fmt: skip
    try:
        import psycopg

        url = f"postgresql://her2@127.0.0.1:{port}/postgres"
        deadline = time.monotonic() + 60.0
        while True:
            try:
                psycopg.connect(url, connect_timeout=5).close()
                break
            except psycopg.OperationalError:
                if time.monotonic() > deadline or server.poll() is not None:
                    pytest.skip("the PostgreSQL server does not start here")
                time.sleep(0.2)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without jobs, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'jobs.sqlite'}"
        return
    url = request.getfixturevalue("postgres_url")
    drop_tables(url)
    yield url
    drop_tables(url)


def drop_tables(url: str) -> None:
    """Take the tables of jobs out of a database."""
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS her2_jobs, her2_results, her2_files, her2_schema")


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """Servers that a test starts; none outlives it."""
    started: list[Server] = []
    yield started
    for server in started:
        if server.process.poll() is None:
            server.kill()
