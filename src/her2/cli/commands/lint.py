"""`her2 lint`: check the record, or files of your own, and say how to mend each finding."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def lint(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or folders; default: the shipped record and the folder in HER2_RECORD."),
    ] = None,
    notes: Annotated[
        bool, typer.Option("--notes", help="Also print notes: slips that the record explains.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check the record. Exit code 1 if there are errors."""
    from her2.evidence.lint import lint_paths, lint_record
    from her2.evidence.lint.base import SEVERITIES

    if paths:
        found, n_files = lint_paths(paths)
    else:
        from her2.evidence.record import read_files

        found, n_files = lint_record(), len(read_files()) if json else 0
    counts = {f"{s}s": sum(f.severity == s for f in found) for s in SEVERITIES}
    if json:
        import json as json_module
        from dataclasses import asdict

        result = {"counts": counts, "files": n_files, "findings": [asdict(f) for f in found]}
        typer.echo(json_module.dumps(result, indent=1, ensure_ascii=False))
    else:
        for finding in found:
            if notes or finding.severity != "note":
                typer.echo(str(finding))
        hidden = "" if notes or not counts["notes"] else " (--notes shows them)"
        typer.echo(
            f"{counts['errors']} errors, {counts['warnings']} warnings, {counts['notes']} notes{hidden}"
        )
    if counts["errors"]:
        raise typer.Exit(1)
