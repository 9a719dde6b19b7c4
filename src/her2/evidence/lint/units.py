"""No number without a unit, units that fit the endpoint, possible figures, print and value agree."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from her2.errors import RecordError
from her2.evidence.lint.base import (
    AbstractCheck,
    AbstractStudyCheck,
    Context,
    Finding,
    Severity,
    plain,
    short,
)
from her2.evidence.printed import half_step, numbers_in, time_unit, to_canonical
from her2.evidence.record import Kept
from her2.evidence.schema import PublishedValue, Study
from her2.units import check_unit

TIMES = ("pfs", "ttp", "os", "dor", "dfs", "rfs", "time_to_cns", "idfs")
RATES = ("orr", "cbr", "pcr", "cns_orr", "cns_incidence", "ae", "discontinuation", "prevalence")
_OF_STATISTIC = {
    "hr": ("ratio",), "rr": ("ratio",), "or": ("ratio",), "p": ("probability",),
    "p_interaction": ("probability",),
    "n": ("count",),
}  # fmt: skip
_POSSIBLE: dict[str, tuple[float, float]] = {
    "fraction": (0.0, 1.0), "probability": (0.0, 1.0), "count": (0.0, math.inf), "month": (0.0, 360.0),
    "ratio": (0.0, math.inf),
}  # fmt: skip
_ORDINAL = re.compile(r"[0-3]\+")  # a score such as 2+ of immunohistochemistry has no unit
_LONGEST_MEDIAN = {"pfs": 48.0, "ttp": 48.0, "os": 120.0, "dor": 60.0, "time_to_cns": 60.0}


class Units(AbstractStudyCheck):
    """Unit of a figure: given, known, and one that its endpoint and statistic can have."""

    name = "units"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of every study, and of parameters."""
        yield from super().findings(context)
        with_unit: list[Kept[Any]] = [
            *context.record.parameters.values(),
            *context.record.attributes.values(),
        ]
        for kept in with_unit:
            try:
                check_unit(kept.entry.unit, kept.entry.id)
            except RecordError as error:
                mend = "Use an accepted unit."
                yield Finding("error", self.name, kept.file, kept.entry.id, str(error), mend, kept.user)

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study; a wrong unit is never explained away, an odd figure may be."""
        for value in kept.entry.values:
            place = f"{value.id} ({value.where})"
            for what, mend in self._of_unit(value):
                yield Finding("error", self.name, kept.file, place, what, mend, kept.user)
            for severity, what, mend in self._of_size(value):
                yield self.on_values(context, kept, (value,), severity, what, mend)

    def _of_unit(self, value: PublishedValue) -> Iterator[tuple[str, str]]:
        if value.value is None or (not value.unit and _ORDINAL.fullmatch(value.printed)):
            return
        if not value.unit:
            yield f"{short(value)} has a value but no unit", "Give the unit, such as month or fraction."
            return
        try:
            check_unit(value.unit, value.id)
        except RecordError:
            yield (
                f"unknown canonical unit '{value.unit}'",
                "Use month, fraction, ratio, count, probability ...",
            )
            return
        wanted = _wanted_units(value)
        if wanted and value.unit not in wanted:
            mend = f"Expected {' or '.join(wanted)}; check unit, endpoint and statistic."
            yield f"{short(value)}: canonical unit '{value.unit}' does not fit", mend
        if time_unit(value.printed_unit) and not time_unit(value.unit):
            yield f"printed in {value.printed_unit}, but canonical in {value.unit}", "Check the two units."
        if "%" in value.printed_unit and value.unit not in ("fraction", "%"):
            yield f"printed in %, but canonical in {value.unit}", "Check the two units."

    def _of_size(self, value: PublishedValue) -> Iterator[tuple[Severity, str, str]]:
        if value.value is None:
            return
        low, high = _POSSIBLE.get(value.unit, (-math.inf, math.inf))
        if value.statistic != "difference" and not low <= value.value <= high:
            yield "error", f"{value.value:g} {value.unit} is not possible", f"Expected {low:g} to {high:g}."
        elif value.unit == "count" and value.statistic == "n" and value.value != int(value.value):
            yield "error", f"{value.value:g} patients is not a whole number", "Check the print."
        elif value.statistic == "median" and value.unit == "month":
            longest = _LONGEST_MEDIAN.get(value.endpoint, math.inf)
            if value.value > longest:
                mend = f"Medians above {longest:g} months are not known in this field; check for weeks."
                yield "warning", f"{short(value)} is very long", mend
        elif value.statistic == "hr" and not 0.1 <= value.value <= 5.0:
            yield "warning", f"a hazard ratio of {value.value:g} is unusual", "Check the print."


def _wanted_units(value: PublishedValue) -> tuple[str, ...]:
    if value.statistic in _OF_STATISTIC:
        return _OF_STATISTIC[value.statistic]
    if value.endpoint in TIMES and value.statistic == "median":
        return ("month",)
    if value.endpoint in RATES and value.statistic == "rate":
        return ("fraction",)
    return ()


class PrintAgrees(AbstractStudyCheck):
    """The canonical value follows from the print and its unit; the print stands on the lines named."""

    name = "print"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        for value in kept.entry.values:
            yield from self._conversion(kept, value)
            yield from self._on_the_lines(kept, value, context)

    def _conversion(self, kept: Kept[Study], value: PublishedValue) -> Iterator[Finding]:
        found = numbers_in(value.printed)
        if value.value is None or not found or not value.unit:
            return
        step = half_step(value.printed)
        for token in found:
            canonical = to_canonical(float(token), value.printed_unit, value.unit)
            if canonical is None:
                continue
            if math.isclose(canonical, value.value, rel_tol=0.004, abs_tol=1e-9):
                return
        # a print such as `p < 0.001` or a rounded month keeps its digits; anything else is a slip
        first = to_canonical(float(found[0]), value.printed_unit, value.unit)
        expected = "no conversion" if first is None else f"{first:.4g} {value.unit}"
        reasoned = value.likely_correct.reason if value.likely_correct else ""
        yield Finding(
            "note" if reasoned else "error", self.name, kept.file, f"{value.id} ({value.where})",
            f"'{value.printed}' {value.printed_unit or '(no unit)'} gives {expected}, the entry says "
            f"{value.value:g} {value.unit}",
            reasoned or f"Compare with the source; rounding explains {step:g} at most.", kept.user,
        )  # fmt: skip

    def _on_the_lines(self, kept: Kept[Study], value: PublishedValue, context: Context) -> Iterator[Finding]:
        lines = context.numbers.get(value.source)
        if not lines:
            return
        there: set[str] = set()
        for number in range(value.line_start, value.line_end + 1):
            there |= lines.get(number, frozenset())
        wanted = [plain(t) for t in numbers_in(value.printed)]
        wanted += [
            plain(repr(x)) for x in (value.ci_low, value.ci_high) if x is not None and value.unit == "ratio"
        ]
        missing = [t for t in wanted if t not in there]
        if missing:
            near = [
                str(n)
                for n in range(max(1, value.line_start - 30), value.line_end + 31)
                if missing[0] in lines.get(n, frozenset())
            ]
            mend = f"It stands on line {', '.join(near[:3])}." if near else "Compare with the source."
            yield Finding(
                "error", self.name, kept.file, f"{value.id} ({value.where})",
                f"'{missing[0]}' is not printed on these lines", mend, kept.user,
            )  # fmt: skip


class ArmNames(AbstractStudyCheck):
    """Arms named by a figure exist; a contrast compares two; an arm is named after its agents."""

    name = "arms"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        arms = {a.id for a in kept.entry.arms}
        for value in kept.entry.values:
            named = [value.arm] if value.arm else []
            if value.contrast:
                named += [value.contrast.experimental, value.contrast.control]
                if value.contrast.experimental == value.contrast.control:
                    yield self._finding(
                        kept, value.id, f"compares '{named[-1]}' with itself", "Name the two arms."
                    )
            if value.arm and value.contrast:
                yield self._finding(
                    kept, value.id, "has both an arm and a contrast", "Keep the one it belongs to."
                )
            for name in named:
                if not arms and set(name.split("+")) <= set(context.record.agents):
                    continue  # figures of no study in particular have no arms, but an agent
                if name not in arms:
                    yield self._finding(
                        kept,
                        value.id,
                        f"arm '{name}' is not an arm of the study",
                        f"Arms: {', '.join(sorted(arms))}.",
                    )
            if value.statistic in ("hr", "difference") and value.arm:
                yield self._finding(
                    kept, value.id, f"a {value.statistic} belongs to a contrast", "Name both arms."
                )
        seen: set[str] = set()
        for arm in kept.entry.arms:
            if arm.id in seen:
                yield self._finding(kept, arm.id, "the arm is given twice", "Keep one.")
            seen.add(arm.id)
            parts = sorted(arm.id.partition("@")[0].split("+"))
            if arm.agents and sorted(arm.agents) != parts and set(parts) <= set(context.record.agents):
                yield self._finding(
                    kept, arm.id, f"the arm is named after {', '.join(parts)} but has the agents "
                    f"{', '.join(sorted(arm.agents))}", "Make name and agents agree.",
                )  # fmt: skip

    def _finding(self, kept: Kept[Study], name: str, what: str, mend: str) -> Finding:
        return Finding("error", self.name, kept.file, name, what, mend, kept.user)


CHECKS: tuple[AbstractCheck, ...] = (Units(), PrintAgrees(), ArmNames())
