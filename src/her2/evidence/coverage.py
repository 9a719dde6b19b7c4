"""Is every number of the two reviews in the record, or excluded with a reason?

The reviews are not redistributed. `data/numbers_index/*.tsv` keeps, for every line of a review, a digest and
the words of the line that contain digits. A number is covered where an entry whose place includes the line
prints it; otherwise it must be on the list of excluded numbers. Only printed figures of studies, and the
names of studies and agents, count as printing it: a claim or the page range of a study does not.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from her2.errors import RecordError
from her2.evidence.load import DATA, load_agents, load_excluded, load_studies
from her2.evidence.schema import ExcludedNumber, Lines, PublishedValue
from her2.units import DAYS_PER_MONTH, DAYS_PER_WEEK

INDEX = DATA / "numbers_index"
_NUMBER = re.compile(r"\d+(?:[.,·]\d+)*")
_WORD = re.compile(r"\S*\d\S*")


@dataclass(frozen=True)
class IndexedLine:
    """One line of a review: its number, digest and the words with digits."""

    source: str
    line: int
    digest: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """A number that is neither in the record nor excluded."""

    source: str
    line: int
    word: str
    number: str

    def __str__(self) -> str:
        return (
            f"{self.source} line {self.line}: '{self.number}' in '{self.word}' is in no entry of this line; "
            "add the figure to its study or the number to excluded/numbers.yaml"
        )


def digest_of(line: str) -> str:
    """BLAKE2 digest of a line without trailing white space, 16 hexadecimal digits."""
    return hashlib.blake2b(line.rstrip().encode("utf-8"), digest_size=8).hexdigest()


def index_text(source: str, text: str) -> list[IndexedLine]:
    """Index of a review's text, one entry per line."""
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return [
        IndexedLine(source, n, digest_of(line), tuple(_WORD.findall(line)))
        for n, line in enumerate(lines, start=1)
    ]


def write_index(lines: Iterable[IndexedLine], path: Path) -> None:
    """Write an index as tab-separated text."""
    rows = ["line\tdigest\twords"]
    rows += [f"{x.line}\t{x.digest}\t{' '.join(x.words)}" for x in lines]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def read_index(path: Path) -> list[IndexedLine]:
    """Index of a review as shipped.

    Raises
    ------
    her2.errors.RecordError
        A row without its three columns.
    """
    result = []
    for number, row in enumerate(path.read_text(encoding="utf-8").split("\n")[1:], start=2):
        if not row:
            continue
        parts = row.split("\t")
        if len(parts) != 3:
            raise RecordError(f"{path.name}, line {number}: expected 3 columns, got {len(parts)}")
        result.append(IndexedLine(path.stem, int(parts[0]), parts[1], tuple(parts[2].split())))
    return result


def indices() -> dict[str, list[IndexedLine]]:
    """The shipped indices by source."""
    return {p.stem: read_index(p) for p in sorted(INDEX.glob("*.tsv"))}


def numbers_in(text: str) -> set[str]:
    """Numbers of a text in one form: decimal point, no thousands comma, no closing zeros."""
    return {plain(n) for n in _NUMBER.findall(text)}


def plain(number: str) -> str:
    """A number in one form, so that 6,8 and 6.8, or 27 and 27.0, are equal."""
    text = re.sub(r",(?=\d{3}(?:\D|$))", "", number).replace(",", ".").replace("·", ".")
    if text.count(".") == 1:
        text = text.rstrip("0").rstrip(".")
    return text


def _bounds(value: PublishedValue) -> set[str]:
    """Interval bounds in the units they may be printed in."""
    per_week = DAYS_PER_WEEK / DAYS_PER_MONTH
    bounds = [b for b in (value.ci_low, value.ci_high) if b is not None]
    return {
        plain(f"{b * factor:.{places}f}")
        for b in bounds
        for factor in (1.0, 100.0, 1.0 / per_week, DAYS_PER_MONTH)
        for places in (0, 1, 2)
    }


def _printed() -> Iterator[tuple[Lines, set[str]]]:
    """Places of figures, study names and agent names, with the numbers printed there."""
    for study in load_studies().values():
        named = numbers_in(" ".join([study.name, study.nct or "", *study.aliases]))
        for place in study.places:
            yield place, named
        for v in study.values:
            place = Lines(source=v.source, line_start=v.line_start, line_end=v.line_end)
            yield place, numbers_in(v.printed) | _bounds(v)
    for agent in load_agents().values():
        found = numbers_in(" ".join([agent.name, *agent.aliases]))
        for place in agent.places:
            yield place, found


def covered_numbers() -> dict[tuple[str, int], set[str]]:
    """Numbers the record prints, by source and line."""
    result: dict[tuple[str, int], set[str]] = defaultdict(set)
    for place, numbers in _printed():
        for line in range(place.line_start, place.line_end + 1):
            result[place.source, line] |= numbers
    return result


def is_excluded(line: IndexedLine, word: str, number: str, excluded: Iterable[ExcludedNumber]) -> bool:
    """Whether a number of a line is excluded: by itself, by its word or by a pattern on the word."""
    for item in excluded:
        if item.source != line.source:
            continue
        if item.pattern is None:
            if item.line == line.line and item.token in (word, number):
                return True
            continue
        inside = (item.line_start or 1) <= line.line <= (item.line_end or 0)
        if inside and re.fullmatch(item.pattern, word):
            return True
    return False


def uncovered(lines: Iterable[IndexedLine]) -> list[Finding]:
    """Numbers that are neither in the record nor excluded."""
    covered = covered_numbers()
    excluded = load_excluded()
    findings = []
    for line in lines:
        here = covered.get((line.source, line.line), set())
        for word in line.words:
            for number in _NUMBER.findall(word):
                if plain(number) not in here and not is_excluded(line, word, number, excluded):
                    findings.append(Finding(line.source, line.line, word, number))
    return findings
