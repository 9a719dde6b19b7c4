"""`her2 credibility`: how far the model may be believed, for what, and on which evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def credibility(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the report (Markdown, or JSON with --json) into this file.")
    ] = None,
) -> None:
    """How far the model may be believed, and for what: context of use, risk, evidence, assumptions, limits."""
    from her2.credibility.facts import gather
    from her2.credibility.report import as_json, page
    from her2.errors import OutputError

    facts = gather()
    if json:
        import json as json_module

        text = json_module.dumps(as_json(facts), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = page(facts)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written ({error.strerror or error}); give a file in a folder that exists"
        ) from error
    typer.echo(f"written: {out}", err=True)
