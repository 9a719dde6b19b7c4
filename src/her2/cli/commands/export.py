"""`her2 export`: models for other software."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from her2.cli.cell_options import CELL_HELP, DOSE_HELP, DRUG_HELP, LIGAND_HELP, WHERE_HELP, WITH_HELP

export = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Models for other software: `her2 export sbml --cell BT474`.",
)


@export.callback()
def _root() -> None:
    """Common options."""


@export.command(name="sbml", help="The full equations of a cell in one condition, as SBML Level 3 Version 2.")
def sbml(
    cell: Annotated[str, typer.Option(help=CELL_HELP)] = "",
    drug: Annotated[str, typer.Option(help=DRUG_HELP)] = "",
    dose: Annotated[str, typer.Option(help=DOSE_HELP)] = "",
    with_: Annotated[str, typer.Option("--with", help=WITH_HELP)] = "",
    ligand: Annotated[str, typer.Option(help=LIGAND_HELP)] = "",
    where: Annotated[str, typer.Option(help=WHERE_HELP)] = "culture",
    antimony: Annotated[
        bool, typer.Option("--antimony", help="Antimony text instead, for which no package is needed.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="File; default: print.")] = None,
) -> None:
    """Write the full model of a cell; needs `pip install "her2[sbml]"` unless --antimony is given."""
    from her2.errors import OutputError, RecordError

    if not cell:
        raise RecordError(
            "export of which cell? Give --cell, such as --cell BT474; the model of a virtual patient is written from "
            "Python by her2.export.antimony_text and her2.export.to_sbml"
        )
    if out is not None and not out.parent.is_dir():
        raise OutputError(f"{out}: cannot be written; give a file in a folder that exists")
    from her2.cli.cell_options import read_condition
    from her2.export.cell_antimony import cell_antimony

    chosen = read_condition(cell, drug, dose, with_, ligand, where, None)
    text = cell_antimony(chosen.model, chosen.columns, title=chosen.title).text
    if not antimony:
        from her2.export.sbml import to_sbml

        try:
            text = to_sbml(text, plain_numbers=True)
        except ImportError as missing:
            raise RecordError(f"{missing}, or use --antimony") from missing
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror or error})") from error
    typer.echo(f"model: {out}")
