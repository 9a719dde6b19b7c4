"""Run the server: bind, say where it is, open the page, stop cleanly."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace

from her2.errors import Her2Error
from her2.web.settings import Settings

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
        The settings are unsafe, the address is taken or unknown, or the database cannot be opened.
    """
    import uvicorn

    from her2.web.app import create_app

    settings.check()
    listening = _bind(settings)
    port = int(listening.getsockname()[1])
    settings = replace(settings, port=port)
    app = create_app(settings)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{shown}:{port}/"
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, date_header=False,
        timeout_graceful_shutdown=GRACE_S, timeout_keep_alive=30, proxy_headers=False, lifespan="on", ws="none",
    )  # fmt: skip

    class Server(uvicorn.Server):
        """Says where it is when it is."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                announce(f"her2 page: {address}  (Ctrl-C stops it)")
                if settings.token:
                    announce("open it once with ?token=..., the text given with --token")
                if open_page:
                    full = address + (f"?token={settings.token}" if settings.token else "")
                    threading.Thread(target=webbrowser.open, args=(full,), daemon=True).start()

    server = Server(config)
    try:
        server.run(sockets=[listening])
    finally:
        listening.close()


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
