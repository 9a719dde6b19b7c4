"""What every check shares: the finding it returns, the context it sees, and when a finding is explained.

A check never stops at the first slip: it returns all findings, each with file, field, what is wrong and how
to mend it. A finding on a print that the record itself calls a misprint (`likely_correct`), or on figures
that a settled conflict on the same lines names, is a note: the record knows, and says why. A conflict
explains the numbers it names only, so that a slip beside it is still seen.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from her2.errors import RecordError, nearest
from her2.evidence.load import DATA
from her2.evidence.printed import numbers_in
from her2.evidence.record import (
    FOLDERS,
    PLAIN,
    Kept,
    Record,
    RecordFile,
    is_replaceable,
    plain_model,
    raw_entries,
    without_replaced,
)
from her2.evidence.schema import Conflict, PublishedValue, Study

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing to look at."""

    severity: Severity
    check: str
    file: str
    field: str
    what: str
    mend: str
    user: bool = False

    def __str__(self) -> str:
        return f"{self.severity}: {self.file}, {self.field}: {self.what}. {self.mend}"


@dataclass(frozen=True)
class Broken:
    """An entry that cannot be read as its kind: where, the text or the validation error, its model and data."""

    file: RecordFile
    where: str
    error: Any
    model: Any = None
    data: Any = None


@dataclass(frozen=True, eq=False)
class Context:
    """The record as a check sees it: entries that could be read, those that could not, printed numbers."""

    files: tuple[RecordFile, ...]
    record: Record
    broken: tuple[Broken, ...] = ()
    twice: tuple[tuple[str, str, str, str, bool], ...] = ()
    numbers: dict[str, dict[int, frozenset[str]]] = field(default_factory=dict)

    @cached_property
    def _conflicts(self) -> dict[str, list[tuple[int, int, Conflict, frozenset[str]]]]:
        """Places of the settled conflicts by source, each with the numbers the conflict names."""
        result: dict[str, list[tuple[int, int, Conflict, frozenset[str]]]] = defaultdict(list)
        for kept in self.record.conflicts.values():
            conflict = kept.entry
            if not conflict.likely_resolution.strip():
                continue
            text = " ".join(
                (
                    conflict.statement_1,
                    conflict.statement_2,
                    conflict.likely_resolution,
                    conflict.reason,
                    conflict.note,
                )
            )
            named = frozenset(plain(t) for t in numbers_in(text))
            for place in (conflict.place_1, conflict.place_2):
                if place is not None:
                    result[place.source].append((place.line_start, place.line_end, conflict, named))
        return result

    def conflict_on(self, study: str, values: Iterable[PublishedValue]) -> str | None:
        """Id of a settled conflict on the lines of one of these figures that names the numbers of all.

        A conflict about another study explains nothing, nor does any where the figures have no numbers.
        """
        every = list(values)
        wanted = {plain(t) for v in every for t in numbers_in(v.printed)}
        wanted |= {
            f"{x:.10g}" for v in every if v.unit == "ratio" for x in (v.ci_low, v.ci_high) if x is not None
        }
        for value in every:
            for start, end, conflict, named in self._conflicts.get(value.source, ()):
                if conflict.about != study and conflict.about in self.record.studies:
                    continue
                if start <= value.line_end and value.line_start <= end and wanted and wanted <= named:
                    return conflict.id
        return None

    def explained(self, finding: Finding, study: str, values: Iterable[PublishedValue]) -> Finding:
        """The finding, as a note with the explanation if the record gives one for any of the figures."""
        every = list(values)
        for value in every:
            if value.likely_correct is not None:
                return replace(
                    finding, severity="note", mend=f"Explained at {value.id}: {value.likely_correct.reason}"
                )
        name = self.conflict_on(study, every)
        if name is None:
            return finding
        return replace(finding, severity="note", mend=f"Explained by the conflict '{name}'")


class AbstractCheck(ABC):
    """One kind of slip."""

    name: str

    @abstractmethod
    def findings(self, context: Context) -> Iterator[Finding]:
        """All findings of this kind."""

    def unknown(
        self, kept: Kept[Any], name: str, what: str, wanted: Iterable[str], valid: Collection[str]
    ) -> Iterator[Finding]:
        """An error for each wanted name that is not among the valid ones, with the nearest."""
        for item in wanted:
            if item not in valid:
                text = f"{what} '{item}' does not exist{nearest(item, valid)}"
                mend = f"Correct the name or add the {what}."
                yield Finding("error", self.name, kept.file, name, text, mend, kept.user)


class AbstractStudyCheck(AbstractCheck):
    """A check that looks at one study at a time."""

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of every study."""
        for kept in context.record.studies.values():
            yield from self.of_study(kept, context)

    @abstractmethod
    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""

    def on_values(
        self, context: Context, kept: Kept[Study], values: tuple[PublishedValue, ...], severity: Severity,
        what: str, mend: str,
    ) -> Finding:  # fmt: skip
        """A finding on figures of a study, as a note where the record explains it."""
        first = values[0]
        found = Finding(severity, self.name, kept.file, f"{first.id} ({first.where})", what, mend, kept.user)
        return context.explained(found, kept.entry.id, values)


def gather(files: Iterable[RecordFile], numbers: Path | None = DATA / "numbers_index") -> Context:
    """The context of a set of files: what can be read is read, the rest is kept with its error."""
    from pydantic import ValidationError

    kept: dict[str, dict[str, Kept[Any]]] = {name: {} for name in (*FOLDERS, *PLAIN)}
    every, broken, twice = tuple(without_replaced(files)), [], []
    for file in every:
        try:
            entries = raw_entries(file)
        except RecordError as error:
            broken.append(Broken(file, file.shown, str(error)))
            continue
        if file.folder not in kept:
            broken.append(Broken(file, file.shown, _unplaced(file)))
            continue
        spec = FOLDERS.get(file.folder)
        for where, item in entries:
            if not isinstance(item, dict):
                broken.append(
                    Broken(file, where, f"expected a mapping of keys to values, got {type(item).__name__}")
                )
                continue
            entry: Any = item
            model = spec.model if spec is not None else plain_model(file)
            if model is not None:
                try:
                    parsed = model.model_validate(item)
                except ValidationError as error:
                    broken.append(Broken(file, where, error, model, item))
                    continue
                entry = parsed if spec is not None else item
            name = spec.name(entry) if spec else str(item.get("id", file.path.stem))
            before = kept[file.folder].get(name)
            if before is not None:
                replaces = file.user and not before.user and is_replaceable(file.folder)
                twice.append((file.folder, name, before.file, file.shown, replaces))
            kept[file.folder][name] = Kept(entry, file.shown, file.user)
    return Context(
        every, Record(**kept), tuple(broken), tuple(twice), read_numbers(numbers) if numbers else {}
    )


def _unplaced(file: RecordFile) -> str:
    return f"the folder says no kind of entry; put the file into a folder named {', '.join(FOLDERS)}"


_FOOTNOTE = re.compile(r"(?<=[A-Za-z])\.(?=\d)")  # `blockade.41`
_SPACED = re.compile(r"(\d+), (\d)\s*%")  # `29, 8%`


def read_numbers(folder: Path) -> dict[str, dict[int, frozenset[str]]]:
    """Numeric tokens of every line of the seed files, by source and line; empty where there is no index."""
    result: dict[str, dict[int, frozenset[str]]] = {}
    for path in sorted(folder.glob("*.tsv")) if folder.is_dir() else ():
        lines: dict[int, frozenset[str]] = {}
        for row in path.read_text(encoding="utf-8").splitlines():
            parts = row.split("\t")
            if parts and parts[0].isdigit():
                found: set[str] = set()
                for part in parts[2:]:
                    text = _FOOTNOTE.sub(" ", part)
                    found.update(plain(t) for t in numbers_in(text))
                    found.update(f"{whole}.{rest}" for whole, rest in _SPACED.findall(text))
                lines[int(parts[0])] = frozenset(found)
        result[path.stem] = lines
    return result


def plain(token: str) -> str:
    """A numeric token without zeros that carry nothing: `0.620` and `.62` are `0.62`."""
    return f"{float(token):.10g}"


def short(value: PublishedValue) -> str:
    """A figure in a few words: endpoint, statistic, group, print."""
    group = value.arm or (
        f"{value.contrast.experimental} v {value.contrast.control}" if value.contrast else "all"
    )
    unit = "" if not value.printed_unit or value.printed_unit in value.printed else f" {value.printed_unit}"
    return f"{value.ae_term or value.endpoint} {value.statistic} of {group}: {value.printed}{unit}"
