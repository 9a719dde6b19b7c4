"""The option `--dask` of the commands that simulate patients."""

from __future__ import annotations

from typing import Annotated

import typer

Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        help="Spread the patients over a Dask cluster: local:N for N processes on this machine, the address of a "
        "scheduler, or its scheduler file.",
    ),
]


def spread_over(context: typer.Context, dask: str | None) -> None:
    """Simulate on this cluster until the command ends.

    Raises
    ------
    her2.errors.ClusterError
        If there is no such cluster.
    """
    if dask is None:
        return
    from her2.scale import open_executor, use

    context.with_resource(use(context.with_resource(open_executor(dask))))
