"""`her2 design`: power, probability of success, sample size, interim looks and enrichment of a trial."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def design(
    name: Annotated[
        str, typer.Argument(help="A design file (see --template), or a built-in trial with every default.")
    ] = "",
    members: Annotated[
        int,
        typer.Option(help="Posterior members that carry the uncertainty of the effect.", min=2, max=10_000),
    ] = 12,
    patients: Annotated[
        int,
        typer.Option(help="Virtual patients per member, each followed on both arms.", min=100, max=200_000),
    ] = 1000,
    trials: Annotated[
        int,
        typer.Option(help="Simulated trials of each size, shared among the members.", min=100, max=1_000_000),
    ] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.", min=0, max=2**62)] = 1,
    jobs: Annotated[
        int, typer.Option(help="Threads; 0 for one per core. The digits do not depend on it.", min=0, max=512)
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    plot: Annotated[Path | None, typer.Option(help="File ending in .svg or .png for the picture.")] = None,
    template: Annotated[
        bool, typer.Option("--template", help="Print a commented design file and stop.")
    ] = False,
) -> None:
    """Power, probability of success, sample size, interim looks and enrichment of a trial."""
    import os
    import sys

    from her2.errors import OutputError, RecordError

    if template:
        from her2.design_study.template import template_text

        typer.echo(template_text(), nl=False)
        return
    ending = plot.suffix.lower() if plot is not None else ""
    if plot is not None and ending not in (".svg", ".png"):
        raise OutputError(f"{plot}: expected a name ending in .svg or .png")
    if not name:
        raise RecordError(
            "which design? Give a design file or a built-in trial; --template prints a design file"
        )

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from her2.design_study.report import as_json, print_report
    from her2.design_study.run import run_design
    from her2.design_study.schema import load_design

    task = load_design(name)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True),
        transient=True, disable=json or not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        shown = bar.add_task("compiling", total=1.0)
        result = run_design(
            task, members=members, patients=patients, trials=trials, seed=seed, jobs=jobs or os.cpu_count() or
            1, on_progress=lambda stage, share: bar.update(shown, description=stage, completed=share),
        )  # fmt: skip
    if json:
        import json as json_module

        typer.echo(json_module.dumps(as_json(result), indent=2, allow_nan=False))
    else:
        print_report(result, Console(width=None if sys.stdout.isatty() else 190))
    if plot is not None:
        from her2.design_study.picture import draw_design
        from her2.trials.pictures.style import render_figure

        try:
            plot.write_bytes(render_figure(draw_design(result))[ending.removeprefix(".")])
        except OSError as error:
            raise OutputError(
                f"{plot}: cannot be written ({error.strerror or error}); give a folder that exists and "
                "can be written"
            ) from error
        typer.echo(f"picture: {plot}", err=json)
