"""One print entered twice, one row copied from another, one statement under two ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from her2.evidence.lint.base import AbstractCheck, AbstractStudyCheck, Context, Finding, short
from her2.evidence.printed import printed_number
from her2.evidence.record import Kept
from her2.evidence.schema import PublishedValue, Study


class SamePrint(AbstractStudyCheck):
    """The same print of the same figure in the same place, entered twice."""

    name = "duplicate"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        seen: dict[tuple[object, ...], PublishedValue] = {}
        for v in kept.entry.values:
            key = (
                v.source, v.line_start, v.line_end, v.place, v.arm, v.contrast, v.endpoint, v.statistic,
                v.analysis,
                v.population, v.ae_term, v.ae_grade, v.printed, v.printed_unit, v.note,
            )  # fmt: skip
            if key in seen:
                yield Finding(
                    "error", self.name, kept.file, v.id, f"{short(v)} is already entered as {seen[key].id}",
                    "Remove one; a repeat elsewhere has other lines.", kept.user,
                )  # fmt: skip
            seen[key] = v


class CopiedRow(AbstractStudyCheck):
    """The figures of two or more arms are those of another endpoint: one row may be copied."""

    name = "copied_row"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        rows: dict[tuple[str, ...], dict[str, PublishedValue]] = defaultdict(dict)
        for v in kept.entry.values:
            if v.arm and v.statistic in ("median", "rate") and v.value is not None:
                part = str(v.line_start // 20) if v.place == "text" else ""
                name: tuple[str, ...] = (
                    v.source, str(v.place), v.endpoint, v.statistic, v.analysis, v.population,
                    v.ae_term or "", v.ae_grade or "", part,
                )  # fmt: skip
                rows[name].setdefault(v.arm, v)
        by_figures: dict[tuple[object, ...], list[dict[str, PublishedValue]]] = defaultdict(list)
        for key, row in rows.items():
            if len(row) >= 2:
                figures = tuple(sorted((arm, printed_number(v.printed), v.unit) for arm, v in row.items()))
                by_figures[(key[0], key[1], key[3], figures)].append(row)
        for found in by_figures.values():
            endpoints = {(v.endpoint, v.ae_term) for row in found for v in list(row.values())[:1]}
            if len(endpoints) < 2 or all(e == "ae" for e, _ in endpoints):
                continue
            first, second = (list(row.values()) for row in found[:2])
            what = f"the row of {second[0].endpoint} repeats that of {first[0].endpoint}: {short(second[0])}"
            yield self.on_values(
                context, kept, (second[0], second[1]), "warning", what, "Compare both rows with the source."
            )


class SameStatement(AbstractCheck):
    """Two claims that say the same in the same place."""

    name = "duplicate"

    def findings(self, context: Context) -> Iterator[Finding]:
        """One finding for each repeat."""
        seen: dict[str, str] = {}
        for kept in context.record.claims.values():
            words = " ".join(kept.entry.statement.lower().split()).rstrip(".")
            if words in seen:
                yield Finding(
                    "warning", self.name, kept.file, kept.entry.id, f"says the same as '{seen[words]}'",
                    "Keep one claim and give it both places.", kept.user,
                )  # fmt: skip
            seen.setdefault(words, kept.entry.id)


CHECKS: tuple[AbstractCheck, ...] = (SamePrint(), CopiedRow(), SameStatement())
