"""Sources exist and are not retracted; places lie inside the file; a second person has checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from her2.errors import nearest
from her2.evidence.lint.base import AbstractCheck, Context, Finding
from her2.evidence.record import Kept
from her2.evidence.schema import Curated, Lines


class Sources(AbstractCheck):
    """References to sources that are missing or retracted, and lines that the source does not have."""

    name = "sources"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of every reference to a source."""
        for file, name, place, source, user in _references(context):
            known = context.record.sources.get(source)
            if known is None:
                yield Finding(
                    "error", self.name, file, name,
                    f"source '{source}' is not in the record{nearest(source, context.record.sources)}",
                    "Add it to data/sources or correct the name.", user,
                )  # fmt: skip
                continue
            if known.entry.retracted:
                yield Finding(
                    "error", self.name, file, name, f"source '{source}' is retracted",
                    "Remove what rests on it or find another source.", user,
                )  # fmt: skip
            lines = context.numbers.get(source)
            if place is not None and lines and place.line_end > max(lines):
                yield Finding(
                    "error", self.name, file, name, f"{place} lies after the last line, {max(lines)}",
                    "Correct the line numbers.", user,
                )  # fmt: skip


def _references(context: Context) -> Iterator[tuple[str, str, Lines | None, str, bool]]:
    """Every (file, entry, place, source, is the user's) of the record."""
    record = context.record
    with_places: tuple[Iterable[Kept[Any]], ...] = (
        record.agents.values(), record.mechanisms.values(), record.claims.values(), record.studies.values(),
        record.rules.values(),
    )  # fmt: skip
    for group in with_places:
        for kept in group:
            for place in kept.entry.places:
                yield kept.file, kept.entry.id, place, place.source, kept.user
    for study, value in record.values():
        place = Lines(
            source=value.source, line_start=value.line_start, line_end=value.line_end, place=value.place
        )
        yield study.file, value.id, place, value.source, study.user
    for conflict in record.conflicts.values():
        for found in (conflict.entry.place_1, conflict.entry.place_2):
            if found is not None:
                yield conflict.file, conflict.entry.id, found, found.source, conflict.user
    for parameter in record.parameters.values():
        yield parameter.file, parameter.entry.id, None, parameter.entry.source, parameter.user
    for population in record.populations.values():
        for name, own in population.entry.values.items():
            yield population.file, name, None, own.source, population.user
    for agent in record.agents.values():
        entry = agent.entry
        parts: list[Any] = [*entry.regimens, *entry.binding]
        parts += [p for p in (entry.pharmacokinetics, entry.molecular_weight) if p is not None]
        pd = entry.pharmacodynamics
        if pd is not None:
            parts += [*pd.actions, *(p for p in (pd.unbound, pd.exposure, pd.cns_ratio) if p is not None)]
        for part in parts:
            yield agent.file, entry.id, None, part.source, agent.user
    for attribute in record.attributes.values():
        yield attribute.file, attribute.entry.id, None, attribute.entry.source, attribute.user
    for cell in record.cells.values():
        for section in (cell.entry.receptors, cell.entry.genotype, cell.entry.ligands):
            for name, item in section.items():
                yield cell.file, f"{cell.entry.id} {name}", None, item.source, cell.user
    for kind in (record.trials, record.regimens, record.network):
        for name, plain in kind.items():
            for source in _named_sources(plain.entry):
                yield plain.file, name, None, source, plain.user


def _named_sources(data: Any) -> Iterator[str]:
    """Every `source: name` inside plain data."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key == "source" and isinstance(value, str):
                yield value
            else:
                yield from _named_sources(value)
    elif isinstance(data, list):
        for item in data:
            yield from _named_sources(item)


class Curation(AbstractCheck):
    """Nobody accepts their own entry."""

    name = "curation"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Entries with places in a source that nobody, or only their author, has checked."""
        record = context.record
        groups: tuple[Iterable[Kept[Any]], ...] = (
            record.mechanisms.values(), record.claims.values(), record.studies.values(),
            record.conflicts.values(),
            record.rules.values(), record.cells.values(),
        )  # fmt: skip
        for group in groups:
            for kept in group:
                yield from self._of_entry(kept, kept.entry.id, kept.entry.curated)
        for study, value in record.values():
            if value.curated is not None or study.entry.curated is None:
                yield from self._of_entry(study, value.id, value.curated)

    def _of_entry(self, kept: Kept[Any], name: str, curated: Curated | None) -> Iterator[Finding]:
        mend = "Have a second person compare it with the source and enter `checked_by`."
        if curated is None or curated.checked_by is None:
            yield Finding(
                "note", self.name, kept.file, name, "not checked by a second person", mend, kept.user
            )
        elif curated.by.strip().lower() == curated.checked_by.strip().lower():
            yield Finding(
                "error",
                self.name,
                kept.file,
                name,
                f"'{curated.by}' checked their own entry",
                mend,
                kept.user,
            )
