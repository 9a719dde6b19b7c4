"""`her2 validate`: every trial of the record, predicted beside published, misses first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def validate(
    trials: Annotated[
        list[str] | None,
        typer.Argument(help="Built-in trials or paths of trial files; all built-in ones if none."),
    ] = None,
    held_out: Annotated[
        bool,
        typer.Option("--held-out", help="Read the held-out figures, too; the run is logged (see --log)."),
    ] = False,
    members: Annotated[
        int,
        typer.Option(
            help="Members of the posterior that carry the uncertainty of parameters.", min=2, max=5000
        ),
    ] = 24,
    patients: Annotated[
        int, typer.Option(help="Virtual patients per member, each on every arm.", min=50, max=1_000_000)
    ] = 300,
    trials_simulated: Annotated[
        int, typer.Option(help="Trials of the real size drawn for the intervals.", min=4, max=100_000)
    ] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.", min=0, max=2**62)] = 1,
    jobs: Annotated[
        int, typer.Option(help="Threads; 0 for one per core. The digits do not depend on it.", min=0, max=512)
    ] = 0,
    page: Annotated[
        Path | None, typer.Option(help="Write everything as a Markdown page to this file, too.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for forests, calibration plot and curves, SVG and PNG.")
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            help="Log of runs with --held-out; default docs/validation_runs.tsv of the source checkout."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Predict trials and show them beside the published figures, with scores and baselines."""
    import os
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from her2.errors import OutputError
    from her2.validation.log import check_log, default_log, log_run
    from her2.validation.report import as_json, print_validation, validation_page
    from her2.validation.run import validate as run

    where = log or default_log()
    if held_out:
        check_log(where)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True),
        transient=True, disable=json or not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        task = bar.add_task("compiling", total=1.0)
        result = run(
            trials or (), held_out=held_out, members=members, patients=patients, trials=trials_simulated, seed=seed,
            jobs=jobs or os.cpu_count() or 1,
            on_progress=lambda name, share: bar.update(task, description=name, completed=share),
        )  # fmt: skip
    if held_out:
        # before anything is shown: what is seen is logged
        log_run(result, where)
    if page is not None:
        try:
            page.write_text(validation_page(result), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{page}: cannot be written ({error.strerror})") from error
    if pictures is not None:
        from her2.trials.pictures.style import save_figure
        from her2.validation.pictures import draw_all

        try:
            pictures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{pictures}: cannot be made ({error.strerror}); give another folder"
            ) from error
        for name, figure in draw_all(result).items():
            save_figure(figure, pictures / name)
    if json:
        import json as json_module

        typer.echo(json_module.dumps(as_json(result), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        print_validation(result, Console(width=None if sys.stdout.isatty() else 190))
