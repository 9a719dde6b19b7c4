"""The log of runs that looked at held-out figures: one line each, never rewritten."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from her2.errors import OutputError
from her2.evidence.load import DATA

if TYPE_CHECKING:
    from her2.validation.run import Validation

HEAD = (
    "date",
    "version",
    "digest",
    "posterior",
    "trials",
    "figures",
    "members",
    "patients",
    "trials_simulated",
    "seed",
)


def default_log() -> Path:
    """`docs/validation_runs.tsv` of the source checkout the package runs from; in the current folder otherwise."""
    docs = DATA.parent.parent.parent / "docs"
    return (docs if docs.is_dir() else Path()) / "validation_runs.tsv"


def read_log(path: Path) -> tuple[dict[str, str], ...]:
    """Runs logged so far, oldest first; none where there is no log.

    Raises
    ------
    her2.errors.OutputError
        If the file cannot be read, or is no such log.
    """
    if not path.exists():
        return ()
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise OutputError(f"{path}: cannot be read ({reason}); give another file to --log") from error
    if rows and rows[0][:3] != list(HEAD[:3]):
        raise OutputError(f"{path}: is no log of validation runs; give another file to --log")
    return tuple(dict(zip(rows[0], row, strict=False)) for row in rows[1:])


def check_log(path: Path) -> None:
    """Refuse a held-out run that could not be logged, before it is made.

    Raises
    ------
    her2.errors.OutputError
        If the file cannot be opened, or is no such log.
    """
    try:
        with path.open("a+", encoding="utf-8") as stream:
            stream.seek(0)
            first = stream.readline().rstrip("\n")
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); a run with --held-out must be logged: give another --log"
        ) from error
    if first and first.split("\t")[:3] != list(HEAD[:3]):
        raise OutputError(f"{path}: is no log of validation runs; give another file to --log")


def log_run(validation: Validation, path: Path) -> None:
    """Add a line for this run, synced to the disk.

    Raises
    ------
    her2.errors.OutputError
        If the file cannot be written.
    """
    check_log(path)
    shown = sum(c.figure.role == "held_out" for c in validation.compared)
    cells = (
        datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), validation.version, validation.digest,
        validation.posterior_digest, len(validation.trials), shown, *validation.settings.values(),
    )  # fmt: skip
    text = "\t".join(str(c) for c in cells) + "\n"
    try:
        with path.open("a", encoding="utf-8") as stream:
            if stream.tell() == 0:
                stream.write("\t".join(HEAD) + "\n")
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise OutputError(f"{path}: the run cannot be logged ({error.strerror})") from error
