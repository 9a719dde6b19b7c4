"""Run the server: bind, say where it is, open the page, stop cleanly."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from her2.errors import Her2Error
from her2.web.settings import Settings

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol

SWITCH_S = 0.001
"""How long a thread that computes may keep the interpreter while the one that answers waits for it."""
GRACE_S = 3
"""Seconds for open answers to end when the server stops."""


def run_server(settings: Settings, announce: Callable[[str], None], open_page: bool = False) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    announce : called with the address once requests are taken

    Raises
    ------
    her2.errors.Her2Error
        The settings are unsafe, the address is taken or unknown, the certificate cannot be used, or the database
        cannot be opened.
    """
    import uvicorn

    from her2.web.app import create_app

    settings.check()
    sys.setswitchinterval(SWITCH_S)
    limits = settings.limits
    listening = _bind(settings)
    port = int(listening.getsockname()[1])
    settings = replace(settings, port=port)
    app = create_app(settings)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{'https' if settings.certificate else 'http'}://{shown}:{port}/"
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, date_header=False,
        timeout_graceful_shutdown=GRACE_S, timeout_keep_alive=30, proxy_headers=False, lifespan="on", ws="none",
        http=_protocol(limits.header_seconds), h11_max_incomplete_event_size=limits.header_bytes,
        limit_concurrency=limits.connections, ssl_certfile=settings.certificate, ssl_keyfile=settings.key,
    )  # fmt: skip
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        listening.close()
        raise Her2Error(
            f"--certificate {settings.certificate}: cannot be used with its --key ({error}); expected both in PEM"
        ) from error

    class Server(uvicorn.Server):
        """Says where it is when it is."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                announce(f"her2 page: {address}  (Ctrl-C stops it)")
                if settings.token:
                    announce(
                        "sign in with the text given with --token; scripts send it as Authorization: Bearer ..."
                    )
                if not (settings.is_loopback or settings.is_secure):
                    announce(
                        "plain HTTP: who can listen on the network reads token and cases; give --certificate "
                        "and --key, or --behind-tls where a proxy speaks TLS"
                    )
                if open_page:
                    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    server = Server(config)
    try:
        server.run(sockets=[listening])
    finally:
        listening.close()


def _protocol(seconds: float) -> type[H11Protocol]:
    """HTTP/1.1 that closes a connection whose request does not begin in full within some seconds."""
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Protocol(H11Protocol):
        _waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _watch(self) -> None:
            if self.conn.their_state is not h11.IDLE:
                self._stop()
            elif self._waiting is None:
                self._waiting = self.loop.call_later(seconds, self._give_up)

        def _stop(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

        def _give_up(self) -> None:
            self._waiting = None
            if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
                self.transport.close()

    return Protocol


def _bind(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen(256)
    except (OSError, UnicodeError) as error:
        listening.close()
        raise Her2Error(
            f"{settings.host}:{settings.port}: cannot be listened on ({getattr(error, 'strerror', None) or error}); "
            "give another --port (0: any), or stop what listens there"
        ) from error
    return listening
