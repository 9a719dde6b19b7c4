"""Figures that must add up: percentages and counts, differences, orders, totals, repeats of one print."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from her2.evidence.lint.base import AbstractCheck, AbstractStudyCheck, Context, Finding, short
from her2.evidence.lint.intervals import _near, same_question
from her2.evidence.printed import half_step, to_canonical
from her2.evidence.record import Kept
from her2.evidence.schema import PublishedValue, Study

LARGEST_N = 60
"""Above this size almost every percentage is some count; below it a wrong one can be seen."""


class PercentAgainstCount(AbstractStudyCheck):
    """A percentage is a count out of the patients of its arm, and the printed count where there is one."""

    name = "percent"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        study = kept.entry
        sizes = _sizes(study)
        for rate in study.values:
            if rate.statistic != "rate" or rate.value is None or rate.unit != "fraction" or rate.comparator:
                continue
            counts = [
                c
                for c in study.values
                if c.statistic == "count" and c.value is not None and c.arm == rate.arm
                and same_question(rate, c)
                and c.source == rate.source and abs(c.line_start - rate.line_start) <= 1
            ]  # fmt: skip
            step = (to_canonical(half_step(rate.printed), rate.printed_unit, "fraction") or 0.0) + 1e-9
            totals = sizes.get(rate.arm or "", set())
            for count in counts:
                assert count.value is not None
                if totals and not any(abs(count.value / n - rate.value) <= step for n in totals if n):
                    what = f"{short(rate)}, but the count is {count.printed} of {_list(totals)}"
                    yield self.on_values(
                        context, kept, (rate, count), "warning", what, "Compare percentage, count and N."
                    )
            small = {n for n in totals if 0 < n <= LARGEST_N}
            if (
                counts
                or not small
                or small != totals
                or rate.population != "all"
                or "%" not in rate.printed_unit
            ):
                continue
            if not any(_is_some_count(rate.value, n, step) for n in small):
                what = f"{short(rate)}: no whole number of {_list(small)} patients gives this percentage"
                mend = "Check percentage and N, or name the evaluable patients."
                yield self.on_values(context, kept, (rate,), "warning", what, mend)


def _is_some_count(rate: float, n: float, step: float) -> bool:
    return abs(round(rate * n) / n - rate) <= step


def _list(numbers: set[float]) -> str:
    return " or ".join(f"{n:g}" for n in sorted(numbers))


def _sizes(study: Study) -> dict[str, set[float]]:
    """Sizes that are printed for each arm; the study's own for figures without an arm and for single arms."""
    result: dict[str, set[float]] = defaultdict(set)
    for arm in study.arms:
        if arm.n:
            result[arm.id].add(float(arm.n))
    for value in study.values:
        if value.statistic == "n" and value.endpoint == "n" and value.value:
            result[value.arm or ""].add(value.value)
            if len(study.arms) == 1:
                result[study.arms[0].id].add(value.value)
    if study.n:
        result[""].add(float(study.n))
        if len(study.arms) == 1:
            result[study.arms[0].id].add(float(study.n))
    return result


class Totals(AbstractStudyCheck):
    """N of the study is one of the printed N; the arms add up to it."""

    name = "totals"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        study = kept.entry
        printed = [
            v for v in study.values if v.endpoint == "n" and v.statistic == "n" and v.value is not None
        ]
        whole = [v for v in printed if v.arm is None]
        if study.n is not None and whole and not any(v.value == study.n for v in whole):
            # never explained away: `n` repeats a print, and what is likely correct stands at the print
            what = f"n is {study.n}, printed are {', '.join(sorted({v.printed for v in whole}))}"
            mend = "Use the printed number of patients."
            yield Finding("error", self.name, kept.file, f"{study.id} n", what, mend, kept.user)
        of_arm = {a.id: a.n for a in study.arms}
        if study.n and len(of_arm) > 1 and all(of_arm.values()):
            total = sum(n or 0 for n in of_arm.values())
            if total != study.n:
                what = f"the arms add up to {total}, the study has {study.n}"
                explained = [v for v in printed if v.arm] or whole
                mend = "Compare the N of every arm."
                if explained:
                    yield self.on_values(context, kept, tuple(explained), "warning", what, mend)
                else:
                    yield Finding("warning", self.name, kept.file, f"{study.id} n", what, mend, kept.user)
        for value in printed:
            if (
                value.arm
                and of_arm.get(value.arm)
                and value.value != of_arm[value.arm]
                and value.population == "all"
            ):
                what = f"{short(value)}, but the arm has n {of_arm[value.arm]}"
                yield self.on_values(context, kept, (value,), "warning", what, "Compare with the source.")


class Differences(AbstractStudyCheck):
    """A printed difference is the difference of the two printed figures."""

    name = "difference"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        for difference in kept.entry.values:
            if (
                difference.statistic != "difference"
                or difference.contrast is None
                or difference.value is None
            ):
                continue
            pairs = list(_pairs(kept.entry, difference))
            if not pairs:
                continue
            if not any(_fits(difference, new, old) for new, old in pairs):
                new, old = pairs[0]
                what = f"{short(difference)}, but the two figures are {new.printed} and {old.printed}"
                yield self.on_values(
                    context, kept, (difference, new, old), "warning", what, "Compare the three figures."
                )


def _pairs(study: Study, difference: PublishedValue) -> Iterator[tuple[PublishedValue, PublishedValue]]:
    """Figures of the two arms that a difference may be the difference of."""
    assert difference.contrast is not None
    loose = [
        v
        for v in study.values
        if v.endpoint == difference.endpoint and v.statistic in ("median", "rate") and v.value is not None
        and v.unit == difference.unit and v.population == difference.population
        and v.source == difference.source
    ]  # fmt: skip
    for new in loose:
        for old in loose:
            if new.arm == difference.contrast.experimental and old.arm == difference.contrast.control:
                yield new, old


def _fits(difference: PublishedValue, new: PublishedValue, old: PublishedValue) -> bool:
    assert new.value is not None
    assert old.value is not None
    assert difference.value is not None
    steps = [
        to_canonical(half_step(v.printed), v.printed_unit, v.unit) or 0.0 for v in (difference, new, old)
    ]
    return abs(abs(new.value - old.value) - abs(difference.value)) <= sum(steps) + 1e-9


class Orders(AbstractStudyCheck):
    """Progression comes before death, responses are among the benefits, severe events among all."""

    name = "order"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        values = [v for v in kept.entry.values if v.value is not None and v.statistic in ("median", "rate")]
        for small in values:
            for large in values:
                if small.arm is None or small.arm != large.arm or small.population != large.population:
                    continue
                assert small.value is not None
                assert large.value is not None
                if (
                    small.statistic != large.statistic
                    or small.unit != large.unit
                    or small.value < large.value
                ):
                    continue
                kind = _order(small, large)
                if not kind or (small.value == large.value and kind != "time"):
                    continue
                alike = "equals" if small.value == large.value else "exceeds"
                same = small.analysis == large.analysis
                yield self.on_values(
                    context, kept, (small, large), "error" if same and _near(small, large) else "warning",
                    f"{short(small)} {alike} {short(large)}",
                    "Compare both rows with the source; one may be copied.",
                )  # fmt: skip
        yield from self._ranges(kept, context)

    def _ranges(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        groups: dict[tuple[object, ...], dict[str, PublishedValue]] = defaultdict(dict)
        for v in kept.entry.values:
            if v.value is not None and v.statistic in ("range_low", "median", "mean", "range_high"):
                key = (v.arm, v.contrast, v.endpoint, v.ae_term, v.analysis, v.population, v.source, v.place)
                groups[key].setdefault(v.statistic, v)
        for group in groups.values():
            ordered = [group[s] for s in ("range_low", "median", "range_high") if s in group]
            for one, two in pairwise(ordered):
                assert one.value is not None
                assert two.value is not None
                if one.value > two.value and one.unit == two.unit:
                    what = f"{short(one)} exceeds {short(two)}"
                    yield self.on_values(
                        context, kept, (one, two), "warning", what, "Compare with the source."
                    )


def _order(small: PublishedValue, large: PublishedValue) -> str:
    """Whether the first figure must not exceed the second, and what about."""
    if small.statistic == "median" and small.endpoint in ("pfs", "ttp") and large.endpoint == "os":
        return "time"
    if small.statistic == "rate" and (small.endpoint, large.endpoint) == ("orr", "cbr"):
        return "rate"
    severe = ("3", "3-4", ">=3", "3-5", "4")
    if small.endpoint == large.endpoint == "ae" and small.ae_term == large.ae_term:
        return "grade" if small.ae_grade in severe and large.ae_grade == "any" else ""
    return ""


class Repeats(AbstractStudyCheck):
    """One figure printed in two places is the same in both."""

    name = "repeats"

    def of_study(self, kept: Kept[Study], context: Context) -> Iterator[Finding]:
        """Findings of one study."""
        groups: dict[tuple[object, ...], list[PublishedValue]] = defaultdict(list)
        for v in kept.entry.values:
            if v.value is not None and v.endpoint not in ("n", "other", "dose", "duration"):
                key = (
                    v.arm,
                    v.contrast,
                    v.endpoint,
                    v.statistic,
                    v.analysis,
                    v.population,
                    v.ae_term,
                    v.ae_grade,
                )
                groups[key].append(v)
        for group in groups.values():
            first = group[0]
            for other in group[1:]:
                assert first.value is not None
                assert other.value is not None
                step = sum(
                    to_canonical(half_step(v.printed), v.printed_unit, v.unit) or 0.0 for v in (first, other)
                )
                agree = math.isclose(first.value, other.value, rel_tol=1e-6, abs_tol=step + 1e-9)
                ordered = first.comparator != other.comparator
                if (agree and first.unit == other.unit) or ordered:
                    continue
                what = f"{short(first)} ({first.where}), but {short(other)} ({other.where})"
                mend = "Enter a conflict, or name the analysis or population in which they differ."
                yield self.on_values(context, kept, (first, other), "warning", what, mend)


CHECKS: tuple[AbstractCheck, ...] = (PercentAgainstCount(), Totals(), Differences(), Orders(), Repeats())
