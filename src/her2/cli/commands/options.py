"""`her2 options`: what the rules of the reviews give for one patient, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def options(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="YAML file with the patient's state (see --template)."),
    ] = None,
    template: Annotated[bool, typer.Option("--template", help="Print a commented file and stop.")] = False,
    trials: Annotated[
        bool, typer.Option("--trials/--no-trials", help="Also what only a trial or a hypothesis names.")
    ] = True,
    reasons: Annotated[int, typer.Option(help="Rules named per option.", min=1, max=50)] = 3,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with rules and other entries of your own; default the one in HER2_RECORD.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Options of one patient by the rules of the reviews, with reasons, conflicts and gaps."""
    from her2.errors import RecordError
    from her2.sequencing.case_file import read_state
    from her2.sequencing.case_file import template as template_text

    if template:
        typer.echo(template_text(), nl=False)
        return
    if file is None:
        raise RecordError("which patient? Give a file; --template prints one to copy")

    from her2.sequencing.own_record import own_record
    from her2.sequencing.recommend import advise

    with own_record(record):
        advice = advise(read_state(file))
    if json:
        import json as json_module

        typer.echo(json_module.dumps(advice.as_json(), indent=1, ensure_ascii=False, allow_nan=False))
        return

    import sys

    from rich.console import Console

    from her2.sequencing.report import print_advice

    print_advice(advice, Console(width=None if sys.stdout.isatty() else 150), trials, reasons)
