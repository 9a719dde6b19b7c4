"""`her2 verify`: is a stored run as it was written, and what has changed here since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from her2.trials.stored import StoredRun


def verify(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs, their run.json, or frozen forecasts (.forecast.json)."),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
) -> None:
    """Is a stored run intact, and made with what is here? Exit code 1 if it is damaged or something differs."""
    found = [_look(path) for path in paths]
    if json:
        import json as json_module

        typer.echo(json_module.dumps([_data(run) for run in found], indent=1, ensure_ascii=False))
    else:
        for run in found:
            _tell(run)
    if not all(run.is_intact and run.is_current for run in found):
        raise typer.Exit(1)


def _look(path: Path) -> StoredRun:
    """A stored run, or a forecast as one."""
    if not path.name.endswith(".forecast.json"):
        from her2.trials.stored import read_stored

        return read_stored(path)
    from her2.trials.stored import StoredRun
    from her2.validation.forecast import check_forecast
    from her2.versions import compare, digests

    content = check_forecast(path)
    made_with = {"version": str(content["version"]), "posterior": str(content.get("posterior_digest", ""))}
    unknown = tuple(part for part in digests() if part not in made_with)
    kind = f"forecast frozen {content['date']}"
    return StoredRun(str(path), kind, made_with, 1, (), compare(made_with), unknown, "")


def _data(run: StoredRun) -> dict[str, Any]:
    return {
        "name": run.name, "kind": run.kind, "intact": run.is_intact, "current": run.is_current, "files": run.files,
        "damage": list(run.damage), "made_with": dict(run.made_with), "unknown": list(run.unknown), "again": run.again,
        "differences": [
            {"part": d.part, "then": d.then, "now": d.now, "way_out": d.way_out} for d in run.differences
        ],
    }  # fmt: skip


def _tell(run: StoredRun) -> None:
    """A run in a few lines."""
    typer.echo(f"{run.name}: {run.kind}, her2 {run.made_with.get('version', 'of an unknown version')}")
    intact = "intact" if run.is_intact else "DAMAGED"
    typer.echo(f"  {intact}: {run.files - len(run.damage)} of {run.files} files are as they were written")
    for damage in run.damage:
        typer.echo(f"    {damage}")
    if run.is_current:
        typer.echo(
            "  made with what is here"
            + (f", as far as it kept: {', '.join(run.made_with)}" if run.unknown else "")
        )
    for d in run.differences:
        typer.echo(f"  {d.part} differs: {_short(d.then)} then, {_short(d.now)} now; {d.way_out}")
    if run.unknown and not run.is_current:
        typer.echo(f"  not kept by this run: {', '.join(run.unknown)}")
    if run.again and not (run.is_current and run.is_intact):
        typer.echo(f"  simulate it again with: {run.again}")


def _short(text: str) -> str:
    """A digest by its beginning; anything else in full."""
    is_digest = len(text) >= 32 and all(c in "0123456789abcdef" for c in text)
    return text[:12] if is_digest else (text or "none")
