"""`her2 serve`: the web page and its operations, on this machine unless told otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but loopback needs --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.", min=0, max=65535)] = 8765,
    database: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where jobs are kept: sqlite:///FILE or postgresql://...; default a file in the cache folder.",
        ),
    ] = "",
    token: Annotated[
        str, typer.Option(envvar="HER2_TOKEN", help="What clients must know; better given as the variable.")
    ] = "",
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A name under which clients may ask; repeatable.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN", help="A site whose pages may read answers, as https://example.org; repeatable."
        ),
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM file for TLS; with --key.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's key.")] = None,
    behind_tls: Annotated[bool, typer.Option("--behind-tls", help="A proxy in front speaks TLS.")] = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="Set a limit, as patients=2000 or streams=20; repeatable."),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Processes that run jobs; 0 leaves them to other servers.", min=0, max=64)
    ] = 1,
    threads: Annotated[
        int, typer.Option(help="Threads of a worker; 0 for the cores shared out.", min=0, max=512)
    ] = 0,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
    precompute: Annotated[
        bool, typer.Option("--precompute", help="Make the first screen's trial anew, and stop.")
    ] = False,
) -> None:
    """Serve the page. Research and education only; not medical advice."""
    import os

    from her2.errors import Her2Error

    try:
        import fastapi  # noqa: F401
        import sqlalchemy  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise Her2Error(
            f"her2 serve needs the extra 'web' ({error.name} is missing): pip install 'her2[web]'"
        ) from error

    if precompute:
        from her2.web.precompute import precompute as make

        path = make(jobs=threads or os.cpu_count() or 1)
        typer.echo(f"{path.name}: {path.stat().st_size:,} bytes")
        return

    from her2.web.serve import run_server
    from her2.web.settings import Settings, limits_of

    settings = Settings(
        host=host, port=port, database=database, token=token, workers=workers, threads=threads,
        hosts=tuple(allow_host or ()), origins=tuple(allow_origin or ()), certificate=certificate, key=key,
        behind_tls=behind_tls, limits=limits_of(limit or ()),
    )  # fmt: skip
    run_server(settings, announce=typer.echo, open_page=open_)
