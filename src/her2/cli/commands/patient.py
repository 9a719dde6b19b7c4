"""`her2 patient`: one patient, with escape routes, options, predicted courses and what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def patient(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="YAML file of a case (see --template), or an mCODE bundle in JSON."
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="REGIMEN", help="Also predict this regimen, as t_dm1 or lapatinib+letrozole."
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for pictures; nothing is stored without it.")
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask for the missing items that would change most.")
    ] = False,
    rules: Annotated[
        bool, typer.Option("--rules", help="Print the rules' full answer, as her2 options.")
    ] = False,
    template: Annotated[bool, typer.Option("--template", help="Print a commented file and stop.")] = False,
    as_case: Annotated[
        bool, typer.Option("--as-case", help="Print what was read as a case file, to change, and stop.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with rules and other entries of your own; default the one in HER2_RECORD.",
        ),
    ] = None,
    members: Annotated[int, typer.Option(help="Members of the posterior.", min=1, max=5000)] = 6,
    draws: Annotated[
        int,
        typer.Option(help="Virtual patients drawn first; more follow where few fit.", min=60, max=1_000_000),
    ] = 384,
    twins: Annotated[int, typer.Option(help="Twins followed on the options.", min=20, max=100_000)] = 108,
    explained: Annotated[
        int, typer.Option(help="Options of the rules for which is asked what limits them.", min=0, max=50)
    ] = 1,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Read an mCODE bundle although something is wrong in it.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.", min=0, max=2**62)] = 1,
    jobs: Annotated[
        int, typer.Option(help="Threads; 0 for one per core. The digits do not depend on it.", min=0, max=512)
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Predict one patient. Research use only, not medical advice; nothing entered is stored."""
    import sys

    from her2.errors import RecordError
    from her2.prognosis.case import case_yaml, read_case
    from her2.sequencing.case_file import template as template_text
    from her2.sequencing.own_record import own_record

    if template:
        typer.echo(template_text(), nl=False)
        return
    if file is None:
        raise RecordError("which patient? Give a file; --template prints one to copy")
    with own_record(record):
        case = read_case(file, lenient=lenient)
        state = case.state
        if as_case:
            typer.echo(case_yaml(state) + "".join(f"# {f.text}\n" for f in case.findings), nl=False)
            return
        if ask:
            from her2.prognosis.ask import ask_missing

            state = ask_missing(
                state, lambda text, default: str(typer.prompt(text, default=default, err=True))
            )
        if plot is not None:
            from her2.prognosis.pictures import check_pictures

            check_pictures(plot)

        from her2.prognosis.predict import Effort, predict_patient

        effort = Effort(members=members, draws=draws, twins=twins, explained=explained, seed=seed, jobs=jobs)
        result = predict_patient(state, options=option or (), effort=effort, findings=case.findings)
    if plot is not None:
        from her2.prognosis.pictures import write_pictures

        write_pictures(result, plot)
    if json:
        import json as json_module

        typer.echo(json_module.dumps(result.as_json(), indent=1, ensure_ascii=False, allow_nan=False))
        return

    from rich.console import Console

    from her2.prognosis.report import print_patient

    print_patient(result, Console(width=None if sys.stdout.isatty() else 150), rules=rules)
