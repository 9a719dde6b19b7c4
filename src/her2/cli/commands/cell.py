"""`her2 cell`: one cell line, or a cell of your own, under drugs, ligands and switches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from her2.cell.report import CellReport


def cell(
    line: Annotated[str, typer.Argument(help="A cell line (see --list), or the path of a cell file.")] = "",
    drug: Annotated[
        str,
        typer.Option(
            help="Drugs, as trastuzumab+pertuzumab; each without a dose gets a dose-response curve."
        ),
    ] = "",
    dose: Annotated[
        str,
        typer.Option(help="Doses, nmol/L nominal or 'clinical', as lapatinib=100,trastuzumab=clinical."),
    ] = "",
    with_: Annotated[
        str,
        typer.Option("--with", help="Switches with their grade, 0 to 1, as pten-loss=0.8 (see --switches)."),
    ] = "",
    ligand: Annotated[str, typer.Option(help="Levels of ligands, as heregulin=5,egf=1.")] = "",
    where: Annotated[str, typer.Option(help="culture, tumour or cns (a brain metastasis).")] = "culture",
    days: Annotated[
        float | None,
        typer.Option(
            help="Days of treatment and length of the assay; default 3 in culture, else 28; 0: acute."
        ),
    ] = None,
    surface: Annotated[
        bool, typer.Option("--surface", help="Dose grid of two drugs with Bliss and HSA excess.")
    ] = False,
    time_course: Annotated[
        float | None, typer.Option(help="Hours of a time course from the full equations.")
    ] = None,
    members: Annotated[
        int, typer.Option(help="Members of the ensemble behind the intervals; 0 for none.", min=0)
    ] = 32,
    csv: Annotated[
        Path | None,
        typer.Option(help="File for the table: time course, else surface, else curves, else state."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="File for the picture of the same, ending in .svg, .png or .pdf.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the cell lines and stop.")] = False,
    switches: Annotated[bool, typer.Option("--switches", help="List the switches and stop.")] = False,
) -> None:
    """Signals, growth and dose-response of a cell."""
    from her2.cell.attributes import COMPARTMENTS
    from her2.cell.report import as_json, make_report, print_report
    from her2.errors import RecordError, unknown

    if list_ or switches:
        _print_list(switches, json)
        return
    if not line:
        from her2.cell.cell import cell_names

        raise RecordError(f"which cell? Give one of {', '.join(cell_names())}, or the path of a cell file")
    if where not in COMPARTMENTS:
        raise unknown("compartment", where, COMPARTMENTS)
    for path in (plot, csv):
        _check_path(path)
    if plot is not None:
        from her2.cell.pictures import check_ending

        check_ending(plot)

    from her2.cell.cell import load_cell
    from her2.cell.switches import apply_switches

    chosen = load_cell(line)
    if with_:
        chosen = apply_switches(chosen, _pairs(with_, "--with", missing=1.0), where)
    report = make_report(
        chosen, _names(drug), _doses(dose), ligands=_ligands(ligand), compartment=where, days=days,
        with_surface=surface, course_hours=time_course, members=members,
    )  # fmt: skip
    _write_files(report, csv, plot)
    if json:
        _print_json(as_json(report))
        return
    print_report(report, _console())
    for label, written in (("table", csv), ("picture", plot)):
        if written is not None:
            typer.echo(f"{label}: {written}")


def _print_list(switches: bool, json: bool) -> None:
    from her2.cell.report import list_cells, list_switches, print_cells, print_switches

    if json:
        _print_json(list_switches() if switches else list_cells())
    elif switches:
        print_switches(_console())
    else:
        print_cells(_console())


def _console() -> Console:
    import sys

    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 150)


def _print_json(data: Any) -> None:
    import json

    typer.echo(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))


def _names(text: str) -> list[str]:
    """Drugs of --drug."""
    from her2.errors import RecordError

    names = [x.strip() for x in text.replace(",", "+").split("+")] if text.strip() else []
    if "" in names:
        raise RecordError(f"--drug: expected names joined by '+', got '{text}'")
    return names


def _items(text: str, option: str) -> list[tuple[str, str]]:
    """Name and value of each entry of `a=1,b=2`; the value is empty where there is no '='."""
    from her2.errors import RecordError

    result: list[tuple[str, str]] = []
    for part in text.split(",") if text.strip() else []:
        name, _, value = (x.strip() for x in part.partition("="))
        if not name:
            raise RecordError(f"{option}: expected name=value,..., got '{text}'")
        if name in {n for n, _ in result}:
            raise RecordError(f"{option}: '{name}' is given twice")
        result.append((name, value))
    return result


def _pairs(text: str, option: str, missing: float | None = None) -> dict[str, float]:
    """Numbers by name; `missing` where only the name is given."""
    return {n: _number(v, n, option) if v or missing is None else missing for n, v in _items(text, option)}


def _number(text: str, name: str, option: str) -> float:
    from her2.errors import RecordError

    try:
        return float(text)
    except ValueError:
        raise RecordError(f"{option}, {name}: expected a number, got '{text}'") from None


def _doses(text: str) -> dict[str, float | str]:
    return {n: v if v == "clinical" else _number(v, n, "--dose") for n, v in _items(text, "--dose")}


def _ligands(text: str) -> dict[str, float]:
    from her2.cell.attributes import catalogue
    from her2.errors import unknown

    valid = [k for k, a in catalogue().items() if a.kind == "ligand"]
    given = _pairs(text, "--ligand")
    for name in given:
        if name not in valid:
            raise unknown("ligand", name, valid, "--ligand")
    return given


def _check_path(path: Path | None) -> None:
    """Refuse, before the work, a file in a folder that is not there."""
    from her2.errors import OutputError

    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise OutputError(f"{path}: cannot be written; give a file in a folder that exists")


def _write_files(report: CellReport, csv: Path | None, plot: Path | None) -> None:
    from her2.errors import OutputError

    if csv is not None:
        from her2.cell.report import main_table

        try:
            csv.write_text(main_table(report).write_csv(), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{csv}: the table cannot be written ({error.strerror or error})") from error
    if plot is not None:
        from her2.cell.pictures import draw_report, write_picture

        write_picture(draw_report(report), plot)
