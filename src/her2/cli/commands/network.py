"""`her2 network`: the signalling network of a cell under drugs, as a picture or as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from her2.cli.cell_options import CELL_HELP, DOSE_HELP, DRUG_HELP, LIGAND_HELP, WHERE_HELP, WITH_HELP


def network(
    cell: Annotated[str, typer.Option(help=CELL_HELP)] = "reference",
    drug: Annotated[str, typer.Option(help=DRUG_HELP)] = "",
    dose: Annotated[str, typer.Option(help=DOSE_HELP)] = "",
    with_: Annotated[str, typer.Option("--with", help=WITH_HELP)] = "",
    ligand: Annotated[str, typer.Option(help=LIGAND_HELP)] = "",
    where: Annotated[str, typer.Option(help=WHERE_HELP)] = "culture",
    days: Annotated[
        float | None, typer.Option(help="Days of treatment; default 3 in culture, else 28; 0: acute.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="File for the picture, ending in .svg.")] = None,
) -> None:
    """The state of every receptor, dimer and node, and what drives it."""
    import sys

    from her2.cli.cell_options import read_condition
    from her2.errors import OutputError

    if svg is not None and (svg.suffix != ".svg" or not svg.parent.is_dir()):
        raise OutputError(f"{svg}: cannot be written; give a file that ends in .svg, in a folder that exists")
    chosen = read_condition(cell, drug, dose, with_, ligand, where, days)
    from her2.export.network_graph import network_graph
    from her2.export.network_picture import svg_text, table

    title = f"{chosen.title}; day {chosen.days:g}"
    graph = network_graph(chosen.model, chosen.columns, chosen.days, title)
    if svg is None:
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else 150).print(table(graph))
        return
    try:
        svg.write_text(svg_text(graph), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{svg}: the picture cannot be written ({error.strerror or error})") from error
    typer.echo(f"picture: {svg}")
