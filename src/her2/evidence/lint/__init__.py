"""Check the record: every slip that can be found without the source in hand, each with how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from her2.errors import RecordError
from her2.evidence.lint import (
    actions,
    arithmetic,
    cells,
    conflicts,
    duplicates,
    experiments,
    identifiers,
    intervals,
    networks,
    orphans,
    schema,
    sources,
    units,
)
from her2.evidence.lint.base import SEVERITIES, AbstractCheck, Context, Finding, gather
from her2.evidence.load import show_path
from her2.evidence.record import DIRECTORIES, FOLDERS, RecordFile, folder_of, read_file, read_files
from her2.evidence.toxicity import check_toxicity

__all__ = ["CHECKS", "Context", "Finding", "gather", "lint", "lint_paths", "lint_record"]

CHECKS: tuple[AbstractCheck, ...] = (
    schema.Schema(),
    schema.Twice(),
    sources.Sources(),
    sources.Curation(),
    *units.CHECKS,
    identifiers.Identifiers(),
    *intervals.CHECKS,
    *arithmetic.CHECKS,
    *duplicates.CHECKS,
    *conflicts.CHECKS,
    *orphans.CHECKS,
    *networks.CHECKS,
    *actions.CHECKS,
    *cells.CHECKS,
    *experiments.CHECKS,
)


def lint(context: Context) -> list[Finding]:
    """All findings, errors first, each severity in the order of the checks."""
    found = [finding for check in CHECKS for finding in check.findings(context)]
    return sorted(dict.fromkeys(found), key=lambda f: SEVERITIES.index(f.severity))


def lint_record() -> list[Finding]:
    """Findings of the shipped record and the user's own."""
    found = [*lint(gather(read_files())), *check_toxicity()]
    return sorted(found, key=lambda f: SEVERITIES.index(f.severity))


def lint_paths(paths: Iterable[Path]) -> tuple[list[Finding], int]:
    """Findings of some files or folders, read beside the record; and how many files were looked at.

    Raises
    ------
    her2.errors.RecordError
        For a path that does not exist, or holds no file of the record.
    """
    chosen: list[RecordFile] = []
    for path in paths:
        chosen += _files_at(path)
    if not chosen:
        raise RecordError("no .yaml files there; give files or a folder with agents/, claims/, studies/ ...")
    taken = {f.path.resolve() for f in chosen}
    others = [f for f in read_files() if f.path.resolve() not in taken]
    shown = {f.shown for f in chosen}
    return [f for f in lint(gather([*others, *chosen])) if f.file in shown], len(chosen)


def _files_at(path: Path) -> list[RecordFile]:
    if path.is_dir():
        own = [p for p in sorted(path.rglob("*.yaml")) if folder_of(p) in DIRECTORIES]
        return [_read(p) for p in own]
    if not path.exists():
        raise RecordError(f"{path}: does not exist; give a file or folder")
    return [_read(path)]


def _read(path: Path) -> RecordFile:
    """A file of a user's; one of the shipped record stays the record's."""
    shipped = show_path(path) != str(path)
    file = read_file(path, user=not shipped)
    return file if file.folder else RecordFile(path, file.shown, _guess(file), True, file.data, file.error)


def _guess(file: RecordFile) -> str:
    """Kind of a file outside the known folders, from its keys."""
    keys = set(file.data) if isinstance(file.data, dict) else set()
    for folder, spec in FOLDERS.items():
        if spec.key and spec.key in keys:
            return folder
    if {"says", "when"} & keys and "strength" in keys:
        return "rules"
    if "setting" in keys or "values" in keys:
        return "studies"
    if "her2_amplified" in keys:
        return "cells"
    if "targets" in keys or ("kind" in keys and "name" in keys):
        return "agents"
    return "trials" if {"randomisation", "analyses"} & keys else ""
