"""Conflicts are settled, misprints are reasoned, and a correction differs from the print."""

from __future__ import annotations

from collections.abc import Iterator

from her2.evidence.lint.base import AbstractCheck, Context, Finding, short


class Unresolved(AbstractCheck):
    """A conflict without a likely resolution, or with one side only."""

    name = "conflicts"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of conflicts and of `likely_correct`."""
        for kept in context.record.conflicts.values():
            conflict = kept.entry
            if not conflict.likely_resolution.strip():
                yield Finding(
                    "error", self.name, kept.file, conflict.id, "no likely resolution",
                    "Say which side is probably right and why, or 'cannot be settled' with the reason.",
                    kept.user,
                )  # fmt: skip
            if not conflict.statement_2.strip() and not conflict.reason.strip():
                yield Finding(
                    "warning", self.name, kept.file, conflict.id, "one side only, and no reason",
                    "Give the other statement, or say why the print cannot be right.", kept.user,
                )  # fmt: skip
        for study, value in context.record.values():
            likely = value.likely_correct
            if likely is None:
                continue
            if not likely.reason.strip():
                yield Finding(
                    "error", self.name, study.file, value.id, "a correction without a reason",
                    "Say why the print cannot be right.", study.user,
                )  # fmt: skip
            if likely.value is not None and likely.value == value.value and likely.unit in ("", value.unit):
                yield Finding(
                    "note", self.name, study.file, value.id,
                    f"the correction of {short(value)} repeats the print", "Put the explanation into `note`.",
                    study.user,
                )  # fmt: skip


CHECKS: tuple[AbstractCheck, ...] = (Unresolved(),)
