"""An append-only ledger: one record of JSON per line, each with its own checksum.

A record counts once its line is synced. A line cut off by a crash is the last one and is taken away; a line whose
checksum does not fit is damaged, is reported, and its record is not believed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from her2.store.files import NO_LINKS, write_all, write_whole

_CHECK = b',"check":"'
_CHECK_BYTES = 16
_TAIL = len(_CHECK) + 2 * _CHECK_BYTES + 2
"""Length of the checksum's end of a line: name, hexadecimal digits, quote and brace."""


@dataclass(frozen=True)
class Reading:
    """What a ledger says.

    Attributes
    ----------
    records : intact ones in the order in which they were written
    damaged : numbers of the damaged lines, from 1
    torn : whether the last line was cut off
    """

    records: tuple[dict[str, Any], ...]
    damaged: tuple[int, ...] = ()
    torn: bool = False


class Ledger:
    """A ledger file; `append` is the only way to add to it.

    Attributes
    ----------
    path : of the file, which need not exist
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Reading:
        """Every intact record; an absent file has none.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return Reading(())
        *lines, rest = content.split(b"\n")
        records: list[dict[str, Any]] = []
        damaged: list[int] = []
        for number, line in enumerate(lines, start=1):
            record = parse_line(line)
            if record is None:
                damaged.append(number)
            else:
                records.append(record)
        return Reading(tuple(records), tuple(damaged), bool(rest))

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record and sync it to the disk.

        Raises
        ------
        OSError
            If it cannot be written; the ledger is then as it was.
        """
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_LINKS, 0o644)
        try:
            before = os.fstat(handle).st_size
            try:
                write_all(handle, format_line(record))
                os.fsync(handle)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(handle, before)
                raise
        finally:
            os.close(handle)

    def rewrite(self, records: tuple[Mapping[str, Any], ...]) -> None:
        """Replace the ledger by these records, all or nothing.

        Raises
        ------
        OSError
            If it cannot be written; the ledger is then as it was.
        """
        write_whole(self.path, b"".join(format_line(r) for r in records))


def format_line(record: Mapping[str, Any]) -> bytes:
    """A record as a line: compact JSON on which the checksum at its end is computed."""
    text = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
    return text[:-1] + _CHECK + _checksum(text) + b'"}\n'


def parse_line(line: bytes) -> dict[str, Any] | None:
    """The record of a line, None if it is damaged."""
    body, tail = line[:-_TAIL] + b"}", line[-_TAIL:]
    if tail != _CHECK + _checksum(body) + b'"}':
        return None
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):  # never written, but with a checksum that fits
        return None
    return record if isinstance(record, dict) else None


def _checksum(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=_CHECK_BYTES).hexdigest().encode()
