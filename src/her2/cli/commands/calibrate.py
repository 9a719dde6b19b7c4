"""`her2 calibrate`: fit the free parameters and write the posterior ensemble."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from her2.cli.cluster_options import Dask, spread_over


def calibrate(
    context: typer.Context,
    members: Annotated[int, typer.Option(help="Members of the ensemble, even.", min=8, max=5000)] = 96,
    steps: Annotated[int, typer.Option(help="Evaluations of the fit set at most.", min=1, max=100)] = 4,
    patients: Annotated[int, typer.Option(help="Virtual patients per arm and evaluation.", min=50)] = 2000,
    slope_patients: Annotated[
        int, typer.Option(help="Virtual patients per arm for the derivatives.", min=50)
    ] = 192,
    seed: Annotated[int, typer.Option(help="Seed.", min=0)] = 1,
    jobs: Annotated[int, typer.Option(help="Threads; 0 for one per core.", min=0)] = 0,
    dask: Dask = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for ensemble.tsv and provenance.yaml; default: print only.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Refit from the prior at reduced size and compare with the shipped posterior.",
        ),
    ] = False,
    from_prior: Annotated[
        bool,
        typer.Option("--from-prior", help="Begin the search at the prior, not at posterior/start.tsv."),
    ] = False,
    cells: Annotated[
        bool, typer.Option(help="Only choose the draws of the cell ensemble anew (cell_members.tsv).")
    ] = False,
) -> None:
    """Fit the free parameters to the reviews' figures marked for fitting."""
    import os
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from her2.errors import Her2Error

    if cells:
        from her2.calibration.cells import write_members

        rows = write_members((out or Path()) / "cell_members.tsv")
        typer.echo(f"written: {(out or Path()) / 'cell_members.tsv'} ({len(rows)} members)")
        return
    if check:
        members, steps, patients, slope_patients = 96, 8, 400, 96
    from her2.calibration.free import load_free, stored_start
    from her2.calibration.report import print_calibration, write_posterior
    from her2.calibration.run import calibrate as run

    if members % 2:
        raise Her2Error(f"--members: expected an even number, got {members}")
    spread_over(context, dask)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), console=Console(stderr=True),
        transient=True, disable=not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        task = bar.add_task("calibrating", total=1.0)
        step = "start"

        def taken(number: int, total: float) -> None:
            nonlocal step
            step = f"evaluation {number + 1}, sum of squares {total:.0f}"
            if not sys.stderr.isatty():
                typer.echo(step, err=True)

        result = run(
            members=members, steps=steps, patients=patients, slope_patients=slope_patients, seed=seed,
            jobs=jobs or os.cpu_count() or 1,
            start=None if from_prior or check else stored_start(load_free()),
            on_progress=lambda what, share: bar.update(task, completed=share, description=f"{step}; {what}"),
            on_step=taken,
        )  # fmt: skip
    if check:
        from her2.calibration.check import FAR, agrees, compare_with_shipped

        compared = compare_with_shipped(result)
        for r in compared:
            typer.echo(
                f"{r.parameter:45s} refit {r.refit:+.2f} +- {r.refit_sd:.2f}  shipped {r.shipped:+.2f} +- "
                f"{r.shipped_sd:.2f}  distance {r.distance:.1f}{'  elsewhere' if r.distance > FAR else ''}"
            )
        within = agrees(compared)
        typer.echo("the refit lands within the shipped posterior" if within else "the refit lands elsewhere")
        if not within:
            raise typer.Exit(1)
        return
    print_calibration(result, Console(width=None if sys.stdout.isatty() else 150))
    if out is not None:
        write_posterior(
            result,
            out,
            members=members,
            steps=steps,
            patients=patients,
            slope_patients=slope_patients,
            seed=seed,
        )
        typer.echo(f"written: {out}")
