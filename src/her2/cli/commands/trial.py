"""`her2 trial`: simulate a published trial or a file of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def trial(
    name: Annotated[
        str, typer.Argument(help="A built-in trial (see --list) or the path of a trial file.")
    ] = "",
    patients: Annotated[
        int, typer.Option(help="Virtual patients, each followed on every arm.", min=50, max=2_000_000)
    ] = 2000,
    trials: Annotated[
        int,
        typer.Option(help="Trials of the real size drawn for the intervals; 0 for none.", min=0, max=20_000),
    ] = 300,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.", min=0, max=2**62)] = 1,
    jobs: Annotated[
        int, typer.Option(help="Threads; 0 for one per core. The digits do not depend on it.", min=0, max=512)
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for pictures, ADaM-shaped tables and the run record.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the trial file and stop.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the built-in trials and stop.")] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Show what carries the result: the trial again without each mechanism."
        ),
    ] = False,
    held_out: Annotated[
        bool,
        typer.Option("--held-out", help="Show published figures that are held out from calibration, too."),
    ] = False,
) -> None:
    """Simulate a trial and print it beside the published result."""
    import os
    import sys

    from her2.errors import RecordError
    from her2.trials.design import load_trial, trial_names, trial_path

    if list_:
        for known in trial_names():
            typer.echo(f"{known:24s} {load_trial(known).title}")
        return
    if not name:
        raise RecordError(f"which trial? Give one of {', '.join(trial_names())}, or the path of a trial file")
    if show:
        typer.echo(trial_path(name).read_text(encoding="utf-8"), nl=False)
        return
    design = load_trial(name)
    if out is not None:
        from her2.trials.write import check_folder

        check_folder(out)
    n_jobs = jobs or os.cpu_count() or 1

    from rich.console import Console

    from her2.trials.report import as_json, print_report
    from her2.trials.run import simulate_trial

    if explain:
        from her2.trials.explain import explain_trial
        from her2.trials.explain_report import explained_json, print_explained

        explained = explain_trial(design, patients=patients, seed=seed, jobs=n_jobs)
        if json:
            import json as json_module

            typer.echo(json_module.dumps(explained_json(design, explained), indent=2, allow_nan=False))
        else:
            print_explained(design, explained, Console(width=None if sys.stdout.isatty() else 170))
        return
    if json:
        result = simulate_trial(
            design, patients=patients, trials=trials, seed=seed, jobs=n_jobs, show_held_out=held_out
        )
    else:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        error_console = Console(stderr=True)
        with Progress(
            TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=error_console,
            transient=True, disable=not sys.stderr.isatty(),
        ) as bar:  # fmt: skip
            task = bar.add_task("compiling", total=1.0)
            result = simulate_trial(
                design, patients=patients, trials=trials, seed=seed, jobs=n_jobs, show_held_out=held_out,
                on_progress=lambda stage, share: bar.update(task, description=stage, completed=share),
            )  # fmt: skip
    if out is not None:
        from her2.trials.outputs import write_trial

        write_trial(result, out, source=str(name))
    if json:
        import json as json_module

        typer.echo(json_module.dumps(as_json(result), indent=2, allow_nan=False))
    else:
        print_report(result, Console(width=None if sys.stdout.isatty() else 170))
        if out is not None:
            typer.echo(f"pictures, tables and run record: {out}")
