"""The two independent readings of the sources' figures, and what an entry says that a reading does not.

`data/curation/readings_1.tsv` and `readings_2.tsv` hold every figure as each reader noted it, made without
sight of the other. A figure of the record is looked up by source, lines and number; arm, endpoint,
statistic, unit and interval are then compared. What differs was settled against the text when the record
was made; what differs later is a slip.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from her2.errors import RecordError
from her2.evidence.load import DATA
from her2.evidence.printed import numbers_in
from her2.evidence.schema import PublishedValue

COLUMNS = (
    "source", "line_start", "line_end", "place", "trial", "endpoint", "statistic", "arm", "printed",
    "printed_unit",
    "value", "unit", "ci_low", "ci_high",
)  # fmt: skip
SLACK = 1
"""Lines by which two readers may place one figure differently."""


@dataclass(frozen=True)
class Reading:
    """One figure as one reader noted it; `arm` is the arm, or `experimental v control`."""

    source: str
    line_start: int
    line_end: int
    place: str
    endpoint: str
    statistic: str
    arm: str
    printed: str
    printed_unit: str
    value: float | None
    unit: str
    ci_low: float | None
    ci_high: float | None


@lru_cache(maxsize=2)
def load_reading(number: int) -> tuple[Reading, ...]:
    """All figures of one reading, in the order of the sources.

    Raises
    ------
    her2.errors.RecordError
        If there is no such reading.
    """
    path = DATA / "curation" / f"readings_{number}.tsv"
    if not path.is_file():
        raise RecordError(f"reading {number} is not in the record; expected 1 or 2")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    return tuple(
        Reading(
            row["source"], int(row["line_start"]), int(row["line_end"]), row["place"], row["endpoint"],
            row["statistic"], row["arm"], row["printed"], row["printed_unit"], _number(row["value"]),
            row["unit"],
            _number(row["ci_low"]), _number(row["ci_high"]),
        )
        for row in rows
    )  # fmt: skip


def _number(text: str) -> float | None:
    return float(text) if text else None


def departures(values: Iterable[PublishedValue], reading: Sequence[Reading]) -> list[str]:
    """What figures say that a reading does not, one line each.

    A repeat entered twice, or left out, is no departure; the linter finds what is entered twice.

    Parameters
    ----------
    values
        Figures of the record.
    reading
        Figures of one reader, as of `load_reading`.
    """
    by_line: dict[tuple[str, int], list[Reading]] = defaultdict(list)
    for row in reading:
        for line in range(row.line_start - SLACK, row.line_end + SLACK + 1):
            by_line[(row.source, line)].append(row)
    found = []
    for value in values:
        rows = {
            id(r): r for n in range(value.line_start, value.line_end + 1) for r in by_line[(value.source, n)]
        }
        same = [r for r in rows.values() if _same_number(value, r)]
        if not same:
            found.append(f"{value.id}: '{value.printed}' is not in the reading on these lines")
            continue
        found += [f"{value.id}: {text}" for text in min((_differences(value, r) for r in same), key=len)]
    return found


def _same_number(value: PublishedValue, row: Reading) -> bool:
    """Whether two prints share a number (or, without numbers, their words)."""
    one, two = ({float(t) for t in numbers_in(p)} for p in (value.printed, row.printed))
    if one or two:
        return bool(one & two)
    return value.printed.strip().lower() == row.printed.strip().lower() or value.value == row.value


def _differences(value: PublishedValue, row: Reading) -> list[str]:
    arm = value.arm or (f"{value.contrast.experimental} v {value.contrast.control}" if value.contrast else "")
    pairs = (
        ("arm", arm, row.arm), ("endpoint", value.endpoint, row.endpoint),
        ("statistic", value.statistic, row.statistic), ("printed unit", value.printed_unit, row.printed_unit),
    )  # fmt: skip
    found = [
        f"{name} is {one or 'none'}, the reading has {two or 'none'}"
        for name, one, two in pairs
        if one != two
    ]
    for name, one, two in (("value", value.value, row.value), ("lower limit", value.ci_low, row.ci_low),
                           ("upper limit", value.ci_high, row.ci_high)):  # fmt: skip
        if not _close(one, two):
            found.append(f"{name} is {one}, the reading has {two}")
    return found


def _close(one: float | None, two: float | None) -> bool:
    if one is None or two is None:
        return one is two
    return abs(one - two) <= 0.004 * max(abs(one), abs(two)) + 1e-12
