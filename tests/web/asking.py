"""Requests to a server, in this process or in one of its own."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import httpx

HOST = "http://127.0.0.1"


class Client:
    """Requests to an application in this process, one after the other."""

    def __init__(self, app: Any, **headers: str) -> None:
        self.app, self.headers = app, headers

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request."""

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url=HOST, headers=self.headers) as client:
                return await client.request(method, path, **options)

        return asyncio.run(go())

    def ask_quietly(self, method: str, path: str) -> httpx.Response:
        """One request, and the answer even where the application raises after it."""

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
                return await client.request(method, path)

        return asyncio.run(go())

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.ask("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """POST of JSON."""
        return self.ask("POST", path, json=body, **options)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Server:
    """`her2 serve` in a process of its own."""

    def __init__(self, database: str, *options: str, scheme: str = "http", host: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "her2.cli.main", "serve", "--no-open", "--port", str(self.port), "--threads", "1",
             "--database", database, *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        assert f"{scheme}://{host}:{self.port}/" in first, first + self.process.stdout.read()

    def kill(self) -> None:
        """Without a chance to tidy up."""
        self.process.kill()
        self._end()

    def stop(self) -> str:
        """As Ctrl-C does; what it said."""
        self.process.send_signal(signal.SIGINT)
        return self._end()

    def _end(self) -> str:
        try:
            said, _ = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            said, _ = self.process.communicate()
        return said


def wait_for(question: Any, what: str, seconds: float = 400.0) -> Any:
    """Ask until the answer is true; a first compilation alone takes a minute or more on a busy machine."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds:g} s")
