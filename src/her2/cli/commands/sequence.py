"""`her2 sequence`: sequences of lines compared in the same virtual patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sequence(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="YAML file of a case (see her2 patient --template), or an mCODE bundle."
        ),
    ],
    depth: Annotated[int, typer.Option(help="Lines of a sequence.", min=1, max=4)] = 2,
    regimens: Annotated[
        str,
        typer.Option(help="Regimens to permute, by commas; default the first three options of the rules."),
    ] = "",
    uptake: Annotated[
        str, typer.Option(help="Shares of twins who receive each line after the first, by commas.")
    ] = "",
    members: Annotated[int, typer.Option(help="Members of the posterior.", min=1, max=5000)] = 6,
    draws: Annotated[
        int,
        typer.Option(help="Virtual patients drawn first; more follow where few fit.", min=60, max=1_000_000),
    ] = 1152,
    twins: Annotated[int, typer.Option(help="Twins followed on the sequences.", min=20, max=100_000)] = 256,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Read an mCODE bundle although something is wrong in it.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with rules and other entries of your own; default the one in HER2_RECORD.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.", min=0, max=2**62)] = 1,
    jobs: Annotated[
        int, typer.Option(help="Threads; 0 for one per core. The digits do not depend on it.", min=0, max=512)
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare sequences. Research use only, not medical advice; nothing entered is stored."""
    import sys

    from her2.errors import RecordError
    from her2.prognosis.case import read_case
    from her2.prognosis.predict import Effort
    from her2.prognosis.sequences import compare_sequences

    try:
        shares = tuple(float(x) for x in uptake.split(",") if x.strip())
    except ValueError as error:
        raise RecordError(f"--uptake {uptake}: expected shares such as 0.7,0.6") from error
    from her2.sequencing.own_record import own_record

    with own_record(record):
        case = read_case(file, lenient=lenient)
        result = compare_sequences(
            case.state, depth=depth, regimens=[r for r in regimens.split(",") if r.strip()], uptake=shares,
            effort=Effort(members=members, draws=draws, twins=twins, seed=seed, jobs=jobs), findings=case.findings,
        )  # fmt: skip
    if json:
        import json as json_module

        typer.echo(json_module.dumps(result.as_json(), indent=1, ensure_ascii=False, allow_nan=False))
        return

    from rich.console import Console

    from her2.prognosis.report_sequences import print_sequences

    print_sequences(result, Console(width=None if sys.stdout.isatty() else 150))
