"""`her2 trial`: simulate a published trial or a file of your own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from her2.cli.cluster_options import Dask, spread_over

if TYPE_CHECKING:
    from her2.store import ChunkStore
    from her2.trials.design import Trial

WITH_TABLES = 20_000
"""Patients up to which a run is held in memory for pictures and tables."""
IN_MEMORY = 2_000_000
"""Patients up to which a run without a folder is simulated, in memory."""


def trial(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="A built-in trial (see --list) or the path of a trial file.")
    ] = "",
    patients: Annotated[
        int, typer.Option(help="Virtual patients, each followed on every arm.", min=50, max=2_000_000_000)
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
        Path | None,
        typer.Option(
            help="Folder for pictures, ADaM-shaped tables and the run record; with more than 20,000 patients, --chunk "
            "or --resume also for every patient, chunk by chunk (Parquet)."
        ),
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(
            help="Patients per chunk, default 16,384; the digits do not depend on it.", min=1, max=10_000_000
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a run that was stopped: check what its folder holds and simulate what is missing.",
        ),
    ] = False,
    tables: Annotated[
        bool | None,
        typer.Option(
            "--tables/--no-tables",
            help="Pictures and tables of a run kept in chunks, which takes memory; default up to 20,000 patients.",
        ),
    ] = None,
    dask: Dask = None,
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
    from contextlib import ExitStack

    from her2.cli.answers import Question
    from her2.errors import OutputError, RecordError

    if list_ or show or not name:
        from her2.trials.design import load_trial, trial_names, trial_path
    if list_:
        for built_in in trial_names():
            typer.echo(f"{built_in:24s} {load_trial(built_in).title}")
        return
    if not name:
        raise RecordError(f"which trial? Give one of {', '.join(trial_names())}, or the path of a trial file")
    if show:
        typer.echo(trial_path(name).read_text(encoding="utf-8"), nl=False)
        return
    if out is None and (resume or chunk is not None or tables is not None):
        raise OutputError("--resume, --chunk and --tables are about a folder of results; name it with --out")
    if out is None and patients > IN_MEMORY:
        raise OutputError(
            f"{patients} patients without --out: expected at most {IN_MEMORY} in memory; give a folder with --out, "
            "where they are kept chunk by chunk"
        )
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 170)
    question: Question | None = None
    if out is None and dask is None and not held_out and not console.legacy_windows:
        look = (console.width, console.color_system, console.is_terminal, console.encoding)
        asked = {"trial": name, "patients": patients, "trials": trials, "seed": seed, "json": json}
        question = Question.of("trial", {**asked, "explain": explain, "look": look}, [Path(name)])
        known = question.recall()
        if known is not None:
            sys.stdout.write(known.text)
            sys.stdout.flush()
            typer.echo(f"her2: computed on {known.when}; with HER2_CACHE= it is computed again", err=True)
            return

    def show_text(write: Callable[[Console], None]) -> None:
        """Print a report, and keep what was printed."""
        with console.capture() as caught:
            write(console)
        sys.stdout.write(caught.get())
        sys.stdout.flush()
        if question is not None:
            question.keep(caught.get())

    def show_object(content: object) -> None:
        """Print one JSON object, and keep it."""
        import json as json_module

        text = json_module.dumps(content, indent=2, allow_nan=False) + "\n"
        typer.echo(text, nl=False)
        if question is not None:
            question.keep(text)

    from her2.trials.design import load_trial

    design = load_trial(name)
    chunked = out is not None and not explain and (resume or chunk is not None or patients > WITH_TABLES)
    if out is not None:
        from her2.trials.write import check_folder

        check_folder(out, beside_store=chunked)
    n_jobs = jobs or os.cpu_count() or 1

    from her2.cli.progress import show_progress
    from her2.trials.report import as_json, print_report
    from her2.trials.run import CHUNK, simulate_trial

    spread_over(context, dask)
    with ExitStack() as held:
        if explain:
            from her2.trials.explain import explain_trial
            from her2.trials.explain_report import explained_json, print_explained

            explained = explain_trial(design, patients=patients, seed=seed, jobs=n_jobs)
            if json:
                show_object(explained_json(design, explained))
            else:
                show_text(lambda console: print_explained(design, explained, console))
            return
        progress = held.enter_context(show_progress(quiet=json and not chunked, log=chunked))
        store = None
        if out is not None and chunked:
            store = held.enter_context(open_store(out, design, seed, resume, progress))
        with_tables = patients <= WITH_TABLES if tables is None else tables
        try:
            result = simulate_trial(
                design, patients=patients, trials=trials, seed=seed, jobs=n_jobs, show_held_out=held_out, store=store,
                chunk=chunk or CHUNK, in_memory=with_tables, on_progress=progress,
            )  # fmt: skip
        except KeyboardInterrupt:
            if store is not None:
                n = len(store.records())
                typer.echo(
                    f"her2: {n} chunks of patients are kept in {out}; continue with --resume", err=True
                )
            raise
        if out is not None:
            from her2.trials.outputs import write_trial

            write_trial(result, out, source=str(name), store=store)
    if json:
        show_object(as_json(result))
    else:
        show_text(lambda console: print_report(result, console))
        if out is not None:
            what = "pictures, tables and run record" if result.whole is not None else "run record"
            typer.echo(f"{what}{' and every patient' if store is not None else ''}: {out}")


def open_store(
    out: Path, design: Trial, seed: int, resume: bool, progress: Callable[[str, float], None]
) -> ChunkStore:
    """The store of a run's patients; tells on stderr what of it was damaged and will be made again."""
    from her2.store import ChunkStore
    from her2.trials.run import store_identity
    from her2.trials.write import PATIENTS

    folder, what, shown = out / PATIENTS, store_identity(design, seed), str(out / PATIENTS)
    if not resume:
        return ChunkStore.create(folder, what, shown)
    store = ChunkStore.resume(folder, what, shown, on_read=lambda share: progress("checking", share))
    for damage in store.damage:
        typer.echo(f"her2: {shown}: {damage}; its patients are simulated again", err=True)
    return store
