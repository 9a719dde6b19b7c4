"""`her2 validate`: every trial of the record, predicted beside published, misses first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from her2.cli.cluster_options import Dask, spread_over
from her2.cli.ensemble_options import Jobs, Members, Patients, Seed, TrialsSimulated, threads


def validate(
    context: typer.Context,
    trials: Annotated[
        list[str] | None,
        typer.Argument(help="Built-in trials or paths of trial files; all built-in ones if none."),
    ] = None,
    held_out: Annotated[
        bool,
        typer.Option("--held-out", help="Read the held-out figures, too; the run is logged (see --log)."),
    ] = False,
    members: Members = 32,
    patients: Patients = 128,
    trials_simulated: TrialsSimulated = 1000,
    seed: Seed = 1,
    jobs: Jobs = 0,
    dask: Dask = None,
    page: Annotated[
        Path | None,
        typer.Option(help="Write everything as a Markdown page to this file, too, with pictures beside it."),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Folder for forests, calibration plot and curves, SVG and PNG; with --page named like the page."
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            help="Log of runs with --held-out; default docs/validation_runs.tsv of the source checkout."
        ),
    ] = None,
    between_trials: Annotated[
        bool,
        typer.Option(
            "--between-trials",
            help="Estimate the between-trial effect from the fitted figures, write it to the record and stop.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Predict trials and show them beside the published figures, with scores and baselines."""
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from her2.errors import RecordError
    from her2.validation.between import estimate_between, none_between, trials_with_fit, write_between
    from her2.validation.log import check_log, default_log, log_run, read_log
    from her2.validation.report import as_json, between_lines, print_validation, validation_page
    from her2.validation.run import validate as run
    from her2.validation.write import write_page, write_pictures

    where = log or default_log()
    if between_trials and held_out:
        raise RecordError("--between-trials: is made from fitted figures alone; leave --held-out away")
    if held_out:
        check_log(where)
    spread_over(context, dask)
    names = trials or (trials_with_fit() if between_trials else ())
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True),
        transient=True, disable=json or not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        task = bar.add_task("compiling", total=1.0)
        result = run(
            names, held_out=held_out, members=members, patients=patients, trials=trials_simulated, seed=seed,
            jobs=threads(jobs), null=not between_trials, between=none_between() if between_trials else None,
            on_progress=lambda name, share: bar.update(task, description=name, completed=share),
        )  # fmt: skip
    if between_trials:
        content = estimate_between(result, jobs=threads(jobs))
        write_between(content)
        for line in between_lines(content):
            typer.echo(line)
        return
    if held_out:
        # before anything is shown: what is seen is logged
        log_run(result, where)
    folder = pictures or (page.with_suffix("") if page is not None else None)
    drawn = write_pictures(result, folder) if folder is not None else {}
    if page is not None:
        write_page(validation_page(result, read_log(where), drawn, page.parent), page)
    if json:
        import json as json_module

        typer.echo(json_module.dumps(as_json(result), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        print_validation(result, Console(width=None if sys.stdout.isatty() else 190))
