"""`her2 sensitivity`: which parameters matter for which drug, and which of them observations could tell apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from her2.sensitivity.factors import Case
    from her2.sensitivity.report import Report


def sensitivity(
    agent: Annotated[
        list[str] | None,
        typer.Option(
            help="Drug, or several given together as trastuzumab+lapatinib; can be repeated. Default: all."
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            help="Base samples, a power of 2: analyse anew. Without it the shipped results are shown."
        ),
    ] = None,
    trajectories: Annotated[int, typer.Option(help="Trajectories of the screening.", min=2)] = 20,
    seed: Annotated[int, typer.Option(help="Seed.", min=0)] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File ending in .tsv (indices), .svg or .png (picture), or a folder for all tables."
        ),
    ] = None,
) -> None:
    """Which parameters matter for which drug: Sobol indices of growth inhibition, and what could be identified."""
    import sys

    from her2.errors import Her2Error, OutputError
    from her2.sensitivity.factors import find_case, standard_cases
    from her2.sensitivity.report import print_report
    from her2.sensitivity.store import is_current, read_report

    ending = out.suffix.lower() if out is not None else ""
    if ending not in ("", ".tsv", ".svg", ".png"):
        raise OutputError(f"{out}: expected a name ending in .tsv, .svg or .png, or a folder")
    cases = [find_case(name) for name in dict.fromkeys(agent)] if agent else list(standard_cases())
    cases = list({case.id: case for case in cases}.values())
    if samples is None:
        report = read_report()
        known = [c.case for c in report.cases]
        missing = [c.id for c in cases if c.id not in known]
        if missing:
            raise Her2Error(
                f"sensitivity: {', '.join(missing)} is not among the results that ship with the package; "
                "give --samples 256 to analyse it"
            )
        report = report.only([c.id for c in cases])
        if not is_current(report):
            typer.echo(
                "her2: warning: the record has changed since these results were computed; --samples makes new ones",
                err=True,
            )
    else:
        report = _analyse(cases, samples, trajectories, seed)
    if json:
        import json as json_module

        from her2.trials.pictures.style import NOTICE

        data = {**report.as_dict(), "notice": NOTICE}
        typer.echo(json_module.dumps(_finite(data), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        from rich.console import Console

        print_report(report, Console(width=None if sys.stdout.isatty() else 150))
    if out is not None:
        _write(report, out, ending)
        typer.echo(f"written: {out}", err=json)


def _analyse(cases: list[Case], samples: int, trajectories: int, seed: int) -> Report:
    """A new analysis, with a bar on the error stream."""
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from her2.sensitivity.identifiability import identify
    from her2.sensitivity.report import make_report
    from her2.sensitivity.sobol import run_sensitivity

    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True),
        transient=True, disable=not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        task = bar.add_task("screening", total=None)
        found = run_sensitivity(
            cases, samples, trajectories, seed,
            on_step=lambda step, done, total: bar.update(task, description=step, completed=done, total=total),
        )  # fmt: skip
        bar.update(task, description="local analysis", total=None)
        local = identify(cases)
    return make_report(found, local)


def _write(report: Report, out: Path, ending: str) -> None:
    """The indices, the picture or everything, by the ending of the name."""
    from her2.errors import OutputError
    from her2.sensitivity.report import IndexRow
    from her2.sensitivity.store import table_text, write_report

    if ending == "":
        write_report(report, out)
        return
    if ending == ".tsv":
        content = table_text(report.indices, IndexRow).encode()
    else:
        from her2.sensitivity.heat_map import draw_heat_map
        from her2.trials.pictures.style import render_figure

        content = render_figure(draw_heat_map(report))[ending.removeprefix(".")]
    try:
        out.write_bytes(content)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written ({error.strerror or error}); give a folder that exists and can be written"
        ) from error


def _finite(x: object) -> object:
    """The same data with `null` for what is not a number."""
    import math

    if isinstance(x, dict):
        return {k: _finite(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [_finite(v) for v in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x
