"""`her2 claims`: run the executable claims of the record on the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def claims(
    members: Annotated[
        int, typer.Option(help="Members of the ensemble for experiments on cells.", min=1, max=512)
    ] = 32,
    cohort_members: Annotated[
        int,
        typer.Option(
            help="Members for cohorts of virtual patients; 0 for 24, or fewer if --members is.",
            min=0,
            max=512,
        ),
    ] = 0,
    claim: Annotated[str | None, typer.Option(metavar="ID", help="Only this claim.")] = None,
    topic: Annotated[
        str | None, typer.Option(metavar="FILE", help="Only the claims of this file of the record.")
    ] = None,
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out", help="Run claims about trials whose figures are held out from calibration, too."
        ),
    ] = False,
    jobs: Annotated[
        int,
        typer.Option(help="Processes; 0 for one per core. The digits do not depend on it.", min=0, max=512),
    ] = 0,
    page: Annotated[
        Path | None, typer.Option(help="Write all verdicts as a Markdown page to this file, too.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run the executable claims of the record and say which the model reproduces."""
    import os
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from her2.claims.report import as_json, claims_page, print_results
    from her2.claims.run import run_claims
    from her2.errors import OutputError

    with Progress(
        TextColumn("claims"), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True,
        disable=json or not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        task = bar.add_task("claims", total=1.0)
        results = run_claims(
            members=members, cohort_members=cohort_members or None, claim=claim, topic=topic, held_out=held_out,
            jobs=jobs or os.cpu_count() or 1, on_progress=lambda share: bar.update(task, completed=share),
        )  # fmt: skip
    if page is not None:
        try:
            page.write_text(claims_page(results), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{page}: cannot be written ({error.strerror})") from error
    if json:
        import json as json_module

        typer.echo(json_module.dumps(as_json(results), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        print_results(results, Console(width=None if sys.stdout.isatty() else 170))
