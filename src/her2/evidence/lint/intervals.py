"""Estimates against their intervals, p values and medians: what one print says about another."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from her2.evidence.lint.base import AbstractCheck, AbstractStudyCheck, Context, Finding, short
from her2.evidence.lint.units import TIMES
from her2.evidence.printed import half_step
from her2.evidence.record import Kept
from her2.evidence.schema import PublishedValue, Study

_Z95 = 1.959963984540054
SKEW = 0.2
"""Distance of an estimate from the middle of its log interval, in half-widths, beyond rounding."""
P_FACTOR = 3.0
"""How far a printed p may lie from the one its interval gives; other tests differ by less."""


class Interval(AbstractStudyCheck):
    """An interval is ordered, contains its estimate and, for ratios, is even around it on the log scale."""

    name = "interval"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        for value in kept.entry.values:
            low, high, middle = value.ci_low, value.ci_high, value.value
            if low is None and high is None:
                continue
            mend = "Compare estimate and both limits with the source."
            if low is None or high is None:
                open_end = re.search(
                    r"not (evaluable|reached|estimable)|\bN[ER]\b", f"{value.note} {value.printed}"
                )
                what = f"{short(value)} has only one limit of its interval"
                yield self.on_values(context, kept, (value,), "note" if open_end else "error", what, mend)
                continue
            if low > high:
                what = f"the interval runs from {low:g} down to {high:g}"
                yield self.on_values(context, kept, (value,), "error", what, mend)
                continue
            if middle is None:
                continue
            if not low <= middle <= high:
                what = f"{short(value)} lies outside its interval {low:g} to {high:g}"
                yield self.on_values(context, kept, (value,), "error", what, mend)
            elif value.unit == "ratio" and low > 0:
                half = (math.log(high) - math.log(low)) / 2
                slack = half_step(value.printed) * (1 / middle + 0.5 / low + 0.5 / high)
                off = abs(math.log(middle) - (math.log(high) + math.log(low)) / 2) - slack
                if half > 0 and off > SKEW * half:
                    centre = math.sqrt(low * high)
                    what = f"{short(value)} is not in the middle of {low:g} to {high:g} ({centre:.3g} is)"
                    yield self.on_values(context, kept, (value,), "warning", what, mend)


class PAgainstInterval(AbstractStudyCheck):
    """A p value agrees with the interval of the hazard ratio of the same contrast."""

    name = "p_value"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        for ratio in kept.entry.values:
            if ratio.statistic != "hr" or not ratio.ci_low or not ratio.ci_high or not ratio.value:
                continue
            for p in kept.entry.values:
                if (
                    p.statistic != "p"
                    or p.value is None
                    or not same_question(ratio, p)
                    or not _near(ratio, p)
                ):
                    continue
                yield from self._compare(kept, context, ratio, p)

    def _compare(
        self, kept: Kept[Study], context: Context, ratio: PublishedValue, p: PublishedValue
    ) -> Iterator[Finding]:
        assert ratio.value
        assert ratio.ci_low
        assert ratio.ci_high
        assert p.value is not None
        error = (math.log(ratio.ci_high) - math.log(ratio.ci_low)) / (2 * _Z95)
        if error <= 0:
            return
        two_sided = math.erfc(abs(math.log(ratio.value)) / error / math.sqrt(2))
        allowed = [two_sided / 2, two_sided]
        what = ""
        if p.comparator in ("<", "<="):
            if two_sided / 2 > p.value * P_FACTOR:
                what = f"{short(p)}, but the interval of {short(ratio)} gives p = {two_sided:.2g}"
        elif p.comparator in (">", ">="):
            if two_sided < p.value / P_FACTOR:
                what = f"{short(p)}, but the interval of {short(ratio)} gives p = {two_sided:.2g}"
        elif p.value > max(allowed) * P_FACTOR + half_step(p.printed) or p.value < min(
            allowed
        ) / P_FACTOR - half_step(p.printed):
            what = f"{short(p)}, but the interval of {short(ratio)} gives p = {two_sided:.2g}"
        if what:
            mend = "Compare p, estimate and both limits with the source."
            yield self.on_values(context, kept, (ratio, p), "warning", what, mend)


class MediansAgainstRatio(AbstractStudyCheck):
    """The arm with the longer median has the lower hazard."""

    name = "direction"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        medians = [v for v in kept.entry.values if v.statistic == "median" and v.arm and v.value is not None]
        for ratio in kept.entry.values:
            if (
                ratio.statistic != "hr"
                or ratio.contrast is None
                or not ratio.value
                or ratio.endpoint not in TIMES
            ):
                continue
            of_arm = {
                side: [m for m in medians if m.arm == arm and same_question(ratio, m)]
                for side, arm in (("new", ratio.contrast.experimental), ("old", ratio.contrast.control))
            }
            for new in of_arm["new"]:
                for old in of_arm["old"]:
                    assert new.value is not None
                    assert old.value is not None
                    if not _near(new, old) or new.value == old.value:
                        continue
                    if (new.value > old.value) != (ratio.value < 1) and ratio.value != 1:
                        what = (
                            f"{short(ratio)} favours {'experimental' if ratio.value < 1 else 'control'}, "
                            f"but the medians are {new.printed} and {old.printed}"
                        )
                        sure = ratio.ci_low is not None and ratio.ci_high is not None
                        sure = sure and not (ratio.ci_low or 0) <= 1 <= (ratio.ci_high or 0)
                        yield self.on_values(
                            context, kept, (ratio, new, old), "error" if sure else "warning", what,
                            "Check which arm is which.",
                        )  # fmt: skip


def same_question(one: PublishedValue, two: PublishedValue) -> bool:
    """Whether two figures are about the same endpoint, analysis, population and, where named, contrast."""
    return (
        one.endpoint == two.endpoint
        and one.analysis == two.analysis
        and one.population == two.population
        and one.ae_term == two.ae_term
        and one.ae_grade == two.ae_grade
        and (one.contrast is None or two.contrast is None or one.contrast == two.contrast)
    )


def _near(one: PublishedValue, two: PublishedValue) -> bool:
    """Printed in the same place of the same source: same table, or within a few lines of text."""
    if one.source != two.source or one.place != two.place:
        return False
    return one.place != "text" or abs(one.line_start - two.line_start) <= 8


CHECKS: tuple[AbstractCheck, ...] = (Interval(), PAgainstInterval(), MediansAgainstRatio())
