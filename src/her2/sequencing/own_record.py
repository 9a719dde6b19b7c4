"""The folder of a user's own record for one command: later guidelines and other rules beside the shipped ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from her2.errors import RecordError
from her2.evidence.load import USER_VARIABLE


@contextmanager
def own_record(folder: Path | None) -> Iterator[None]:
    """Read this folder as the user's own record while the context lasts; `HER2_RECORD` where it is None.

    Raises
    ------
    her2.errors.RecordError
        If it is no folder, or holds nothing that a record has.
    """
    if folder is None:
        yield
        return
    if not folder.is_dir():
        raise RecordError(
            f"--record {folder}: no such folder; expected one with rules/, sources/ or agents/ in it"
        )
    if not any(folder.rglob("*.yaml")):
        raise RecordError(
            f"--record {folder}: no YAML file in it; a rule is one file under {folder / 'rules'}"
        )
    before = os.environ.get(USER_VARIABLE)
    os.environ[USER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[USER_VARIABLE]
        else:
            os.environ[USER_VARIABLE] = before
