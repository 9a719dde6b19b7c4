"""Scores of predictions against published figures, each beside the baselines.

Absolute levels: mean absolute error of log medians, and of rates in points. Contrasts: CRPS of log hazard ratios, share
inside the published interval, direction. Calibration: coverage of the predictive intervals with its exact binomial
interval, and their width. A baseline is compared on the figures it answers, the model on the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from her2.survival import clopper_pearson
from her2.trials.intervals import Predictive
from her2.validation.pairs import Figure
from her2.validation.predict import LEVELS

Array = NDArray[np.float64]
Better = Literal["low", "high", "nominal", "none"]
GROUPS = ("fit", "held_out", "context", "leave_one_out")
"""What a figure's agreement can mean: reproduction, prediction, not used in either, prediction without the trial."""


@dataclass(frozen=True, eq=False)
class Compared:
    """A published figure beside its prediction.

    Attributes
    ----------
    predicted : by the model
    null : by the null model, where it was run
    points : value of each other baseline, None where it has no answer
    follow_up : month; stands in for a median that is not reached
    """

    figure: Figure
    predicted: Predictive
    null: Predictive | None
    points: Mapping[str, float | None]
    follow_up: float

    def inside(self, level: float) -> bool:
        """Whether the figure lies in the central predictive interval."""
        low, high = self.predicted.limits(level)
        return low <= self.figure.value <= high


@dataclass(frozen=True)
class Versus:
    """Model and baseline on the figures that both answer."""

    model: float
    baseline: float
    n: int
    beats: bool | None
    """None where the two are equal or there is nothing to compare."""


@dataclass(frozen=True)
class Score:
    """One score of one group of figures.

    Attributes
    ----------
    value : NaN without any figure
    n : figures behind it
    low, high : exact binomial 95 % limits of a share; NaN otherwise
    better : whether low or high values are good, or those near the nominal level
    """

    group: str
    name: str
    says: str
    unit: str
    value: float
    n: int
    better: Better
    low: float = math.nan
    high: float = math.nan
    nominal: float = math.nan
    versus: Mapping[str, Versus] = field(default_factory=dict)


def crps_normal(mean: float, sd: float, x: float) -> float:
    """Continuous ranked probability score of a normal forecast; |x - mean| for an SD of zero.

    Sources
    -------
    Gneiting and Raftery 2007, equation 21 and the text before it.
    """
    if sd <= 0.0:
        return abs(x - mean)
    z = (x - mean) / sd
    cdf = 0.5 * math.erfc(-z / math.sqrt(2.0))
    pdf = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return sd * (z * (2.0 * cdf - 1.0) + 2.0 * pdf - 1.0 / math.sqrt(math.pi))


def crps_sample(values: Array, x: float) -> float:
    """Continuous ranked probability score of the empirical distribution of a sample: E|Y - x| - E|Y - Y'| / 2.

    Parameters
    ----------
    values : (sample,); those that are not finite are left out
    """
    y = np.sort(values[np.isfinite(values)])
    n = y.size
    if n == 0:
        return math.nan
    # sum over pairs of |y_i - y_j| from the ranks
    spread = 2.0 * float(np.sum((2.0 * np.arange(1, n + 1) - n - 1.0) * y)) / n**2
    return float(np.mean(np.abs(y - x))) - 0.5 * spread


def score_group(group: str, items: Sequence[Compared], everything: Sequence[Compared] = ()) -> list[Score]:
    """All scores of a group; those without any figure are left out.

    Parameters
    ----------
    everything : figures of all groups; a subgroup's contrast is set beside that of all patients among them
    """
    found: list[Score] = []
    by_kind = {k: [c for c in items if c.figure.key.kind == k] for k in ("median", "rate", "hr")}
    for kind, label, unit, score in (
        ("median", "median_{}", "mean absolute error of the log", median_error),
        ("rate", "{}", "mean absolute error in points", rate_error),
    ):
        for e in sorted({c.figure.key.endpoint for c in by_kind[kind]}):
            mine = [c for c in by_kind[kind] if c.figure.key.endpoint == e]
            says = f"{'median ' if kind == 'median' else ''}{e.upper()}: {unit}"
            name = label.format(e) + ("_log_error" if kind == "median" else "_error_points")
            found.append(
                _mean(group, name, says, "log" if kind == "median" else "points", "low", mine, score)
            )
    ratios = by_kind["hr"]
    if ratios:
        found += [
            _mean(group, "crps_log_hr", "CRPS of the log hazard ratio, mean", "log", "low", ratios, crps),
            _share(
                group, "hr_inside_published_interval", "hazard ratios inside the published 95 % interval",
                [c for c in ratios if c.figure.ci_low is not None and c.figure.ci_high is not None], in_published,
            ),
            _share(
                group, "direction", "hazard ratios on the published side of 1",
                [c for c in ratios if c.figure.value != 1.0], same_side,
            ),
        ]  # fmt: skip
        found += _subgroup_direction(group, items, everything or items)
    for level in LEVELS:
        found.append(_coverage(group, level, items))
    for level in LEVELS:
        for kind, unit in (("median", "log"), ("rate", "points"), ("hr", "log")):
            if by_kind[kind]:
                found.append(_width(group, level, kind, unit, by_kind[kind]))
    return [s for s in found if s.n]


def median_error(c: Compared, by: str | None) -> float | None:
    """|log predicted - log published| of a median by the model, or by a baseline; None without an answer."""
    x = _point(c, by)
    if x is None or math.isnan(x) or x <= 0:
        return None
    return abs(math.log(min(x, c.follow_up) if math.isinf(x) else x) - math.log(c.figure.value))


def rate_error(c: Compared, by: str | None) -> float | None:
    """|predicted - published| of a rate, percentage points."""
    x = _point(c, by)
    return None if x is None or math.isnan(x) else 100.0 * abs(x - c.figure.value)


def crps(c: Compared, by: str | None) -> float | None:
    """CRPS of the log hazard ratio.

    A point baseline gets the spread that a trial of this size has anyway: the model's own sampling and between-trial
    variance, without that of its parameters.
    """
    truth = math.log(c.figure.value)
    sample = c.predicted if by is None else c.null if by == "null_model" else None
    if sample is not None:
        found = crps_sample(sample.values, truth)
        return None if math.isnan(found) else found
    x = _point(c, by)
    if x is None or x <= 0:
        return None
    return crps_normal(math.log(x), math.sqrt(c.predicted.v_within + c.predicted.v_between), truth)


def in_published(c: Compared, by: str | None) -> bool | None:
    """Whether the predicted hazard ratio lies in the published interval."""
    x = _point(c, by)
    if x is None or c.figure.ci_low is None or c.figure.ci_high is None:
        return None
    return c.figure.ci_low <= x <= c.figure.ci_high


def same_side(c: Compared, by: str | None) -> bool | None:
    """Whether predicted and published hazard ratio lie on the same side of 1."""
    x = _point(c, by)
    return None if x is None else (x < 1.0) == (c.figure.value < 1.0)


def _point(c: Compared, by: str | None) -> float | None:
    """The point prediction of the model (None) or of a baseline."""
    if by is None:
        return c.predicted.median
    if by == "null_model":
        return None if c.null is None else c.null.median
    return c.points.get(by)


def _names(items: Sequence[Compared]) -> list[str]:
    return ["null_model", *dict.fromkeys(k for c in items for k in c.points)]


def _mean(
    group: str,
    name: str,
    says: str,
    unit: str,
    better: Better,
    items: Sequence[Compared],
    score: Callable[[Compared, str | None], float | None],
) -> Score:
    own = [score(c, None) for c in items]
    usable = [x for x in own if x is not None]
    versus = {}
    for by in _names(items):
        pairs = [
            (x, y)
            for x, y in ((a, score(c, by)) for a, c in zip(own, items, strict=True))
            if None not in (x, y)
        ]
        if pairs:
            model, base = (float(np.mean([p[k] for p in pairs])) for k in (0, 1))
            versus[by] = Versus(model, base, len(pairs), _beats(model, base, better))
    value = float(np.mean(usable)) if usable else math.nan
    return Score(group, name, says, unit, value, len(usable), better, versus=versus)


def _share(
    group: str,
    name: str,
    says: str,
    items: Sequence[Compared],
    test: Callable[[Compared, str | None], bool | None],
) -> Score:
    s = _mean(group, name, says, "share", "high", items, test)
    return _binomial(s)


def _binomial(s: Score) -> Score:
    if not s.n:
        return s
    limits = clopper_pearson(round(s.value * s.n), s.n)
    return Score(
        s.group,
        s.name,
        s.says,
        s.unit,
        s.value,
        s.n,
        s.better,
        limits.lower,
        limits.upper,
        s.nominal,
        s.versus,
    )


def _beats(model: float, base: float, better: Better, nominal: float = math.nan) -> bool | None:
    if better == "nominal":
        model, base = abs(model - nominal), abs(base - nominal)
    if better == "none" or model == base:
        return None
    return model > base if better == "high" else model < base


def _coverage(group: str, level: float, items: Sequence[Compared]) -> Score:
    """Share of the figures inside their interval; among the baselines only the null model has intervals."""
    hits = [c.inside(level) for c in items]
    versus = {}
    both = [c for c in items if c.null is not None]
    if both:
        own = float(np.mean([c.inside(level) for c in both]))
        base = float(np.mean([_null_inside(c, level) for c in both]))
        versus["null_model"] = Versus(own, base, len(both), _beats(own, base, "nominal", level))
    percent = round(100 * level)
    value = float(np.mean(hits)) if hits else math.nan
    return _binomial(
        Score(
            group, f"coverage_{percent}", f"figures inside their {percent} % interval", "share", value, len(hits),
            "nominal", nominal=level, versus=versus,
        )
    )  # fmt: skip


def _null_inside(c: Compared, level: float) -> bool:
    assert c.null is not None
    low, high = c.null.limits(level)
    return low <= c.figure.value <= high


def _width(group: str, level: float, kind: str, unit: str, items: Sequence[Compared]) -> Score:
    """Mean width of the intervals: points for rates, log units otherwise; limits not reached are left out."""

    def of(p: Predictive) -> float | None:
        low, high = p.limits(level)
        if kind == "rate":
            return 100.0 * (high - low)
        return math.log(high / low) if low > 0 and math.isfinite(high) else None

    def score(c: Compared, by: str | None) -> float | None:
        p = c.predicted if by is None else c.null if by == "null_model" else None
        return None if p is None else of(p)

    percent = round(100 * level)
    what = {"median": "medians", "rate": "rates", "hr": "hazard ratios"}[kind]
    says = f"mean width of the {percent} % intervals of {what}"
    return _mean(group, f"width_{percent}_{kind}", says, unit, "none", items, score)


def _subgroup_direction(group: str, items: Sequence[Compared], everything: Sequence[Compared]) -> list[Score]:
    """Whether a subgroup's hazard ratio lies on the published side of that of all patients of the trial."""
    whole = {
        (c.figure.trial, c.figure.key.endpoint, c.figure.key.experimental): c
        for c in everything
        if c.figure.key.kind == "hr" and not c.figure.key.subgroup
    }
    pairs = [
        (c, whole[(c.figure.trial, c.figure.key.endpoint, c.figure.key.experimental)])
        for c in items
        if c.figure.key.subgroup
        and (c.figure.trial, c.figure.key.endpoint, c.figure.key.experimental) in whole
    ]
    pairs = [(c, w) for c, w in pairs if c.figure.value != w.figure.value]
    if not pairs:
        return []

    def share(by: str | None) -> float:
        found = [
            _smaller(_point(c, by), _point(w, by)) == (c.figure.value < w.figure.value) for c, w in pairs
        ]
        return float(np.mean(found))

    own = share(None)
    versus = {}
    if all(c.null is not None and w.null is not None for c, w in pairs):
        base = share("null_model")
        versus["null_model"] = Versus(own, base, len(pairs), _beats(own, base, "high"))
    says = "subgroups whose hazard ratio lies on the published side of that of all patients"
    return [
        _binomial(Score(group, "subgroup_direction", says, "share", own, len(pairs), "high", versus=versus))
    ]


def _smaller(a: float | None, b: float | None) -> bool | None:
    return None if a is None or b is None else a < b
