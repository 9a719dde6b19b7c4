"""Predictive intervals: where would the statistic of one real trial of this size lie?

Replicates are trials of the real size, drawn in turn from pools of several posterior members. On the scale on which a
statistic is roughly normal (logit of a rate, log of a median or hazard ratio) the spread that comes from the finite
size of the pools is taken out, and a between-trial effect is added.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from her2.engine.rng import Purpose, normals
from her2.survival import two_arm_cox
from her2.survival.two_arm import TwoArmCox
from her2.trials.cut import TimeToEvent
from her2.trials.design import RateEndpoint

Array = NDArray[np.float64]
Kind = Literal["rate", "median", "hr"]
BATCHES = 10


def kind_of(endpoint: str) -> Kind:
    """The statistic an arm reports of an endpoint: a rate, or the median of a time."""
    return "rate" if endpoint in get_args(RateEndpoint) else "median"


def to_scale(x: Array, kind: str, edge: float) -> Array:
    """Statistics on their working scale: logit of a rate, log of a median (month) or hazard ratio.

    A median not reached is plus infinity, a hazard ratio of zero minus infinity, an undefined one NaN.

    Parameters
    ----------
    x : (trials,)
    edge : rates are kept this far from 0 and 1, such as half a patient
    """
    clean = np.clip(x, edge, 1 - edge) if kind == "rate" else x
    inside = np.isfinite(clean) & (clean > 0)
    safe = np.where(inside, clean, 0.5)
    y = np.log(safe / (1.0 - safe)) if kind == "rate" else np.log(safe)
    beyond = np.where(np.isnan(clean) & (kind == "hr"), np.nan, np.where(clean == 0, -np.inf, np.inf))
    return np.where(inside, y, beyond)


def from_scale(y: float, kind: str) -> float:
    """A statistic back from its working scale; minus infinity is 0, plus infinity stays (not reached)."""
    if not np.isfinite(y):
        return 0.0 if y < 0 else float(y)
    return float(1.0 / (1.0 + np.exp(-np.array(y)))) if kind == "rate" else float(np.exp(np.array(y)))


def twin_cox(a: TimeToEvent, b: TimeToEvent, which: slice | NDArray[np.bool_] = slice(None)) -> TwoArmCox:
    """Cox model of the same patients on one arm against the other.

    Parameters
    ----------
    a, b : the patients on the one arm and on the other
    which : patients that count, default all
    """
    time, event = a.time[which], a.event[which]
    return two_arm_cox(
        np.concatenate([time, b.time[which]]),
        np.concatenate([event, b.event[which]]),
        np.repeat([True, False], [time.size, b.time[which].size]),
    )


def twin_error(a: TimeToEvent, b: TimeToEvent) -> float:
    """Monte-Carlo standard error of a log hazard ratio between twins, from ten disjoint batches of patients.

    Parameters
    ----------
    a, b : the same patients on the one arm and on the other
    """
    logs = []
    for batch in range(BATCHES):
        logs.append(twin_cox(a, b, slice(batch, None, BATCHES)).coef)
    x = np.array(logs)
    x = x[np.isfinite(x)]
    return float(x.std(ddof=1) / np.sqrt(x.size)) if x.size > 1 else float("nan")


@dataclass(frozen=True, eq=False)
class Predictive:
    """The statistic of many trials of the real size, and what its spread is made of.

    Attributes
    ----------
    kind : rate, median or hr
    values : (trials,) on the working scale, between-trial effect included; infinite or NaN as in `to_scale`
    member : (trials,) position of the posterior member each trial comes from
    means : (members,) mean of each member on the working scale, finite pools still in it; NaN without any value
    v_parameters, v_within, v_between : variance on the working scale between members, within a member's trials
        (patients, events and scans), and between trials of one regimen
    effect : (trials,) the between-trial effect in units of its SD; empty where there is none
    """

    kind: str
    values: Array
    member: NDArray[np.int64]
    means: Array
    v_parameters: float
    v_within: float
    v_between: float
    effect: Array = field(default_factory=lambda: np.empty(0))

    def with_between(self, sd: float) -> Predictive:
        """The same trials with another SD of the between-trial effect."""
        if not self.effect.size:
            return self
        change = (sd - float(np.sqrt(self.v_between))) * self.effect
        return replace(self, values=self.values + change, v_between=sd**2)

    def quantile(self, q: float) -> float:
        """Quantile of the statistic itself (fraction, month, ratio); NaN if it is never defined."""
        inside = self.values[~np.isnan(self.values)]
        if not inside.size:
            return float("nan")
        return from_scale(float(np.quantile(inside, q, method="inverted_cdf")), self.kind)

    @property
    def median(self) -> float:
        """Median over the trials."""
        return self.quantile(0.5)

    def limits(self, level: float) -> tuple[float, float]:
        """Central interval of the statistic, such as its 90 % limits for a level of 0.9."""
        tail = (1.0 - level) / 2
        return self.quantile(tail), self.quantile(1.0 - tail)


def predictive_sample(
    samples: Array,
    kind: str,
    members: int,
    *,
    size: int,
    n_arm: float,
    pool: int,
    between: float,
    seed: int,
    pairing: float = 1.0,
) -> Predictive:
    """Replicates of a statistic as a predictive sample.

    Parameters
    ----------
    samples : (trials,) statistic of each simulated trial; trial t comes from member t modulo `members`
    kind : rate, median or hr
    size : patients of the real trial
    n_arm : patients of an arm of the real trial
    pool : patients of a member's pool
    between : SD of the between-trial effect on the working scale
    seed : of the between-trial effect
    pairing : share of the variance that pairing of twins leaves in a contrast of a finite pool
    """
    y = to_scale(samples, kind, 0.5 / size)
    n = y.size
    group = np.arange(n) % members
    ok = np.isfinite(y)
    filled = [g for g in range(members) if np.sum(ok & (group == g)) > 1]
    means = np.array([y[ok & (group == g)].mean() for g in filled])
    within = [y[ok & (group == g)].var(ddof=1) for g in filled]
    v_within = float(np.mean(within)) if within else 0.0
    v_means = float(means.var(ddof=1)) if means.size > 1 else 0.0
    # a pool is finite, and a member's mean is over few trials: both add to the spread of the means
    finite_pool = v_within * n_arm / pool * pairing
    v_parameters = max(v_means - finite_pool - v_within / max(n / members, 1.0), 0.0)
    if v_means > 0:
        # what the pools' finite size adds is taken out of the interval as well
        shrink = np.sqrt(v_parameters / v_means)
        for g, mean in zip(filled, means, strict=True):
            inside = ok & (group == g)
            y[inside] += (shrink - 1.0) * (mean - means.mean())
    index = {"rate": 0, "median": 1, "hr": 2}[kind]
    effect = np.asarray(normals(seed, 0, n, int(Purpose.ENSEMBLE), index))
    every = np.full(members, np.nan)
    every[filled] = means
    return Predictive(kind, y + between * effect, group, every, v_parameters, v_within, between**2, effect)


def noise_variance(a: Array, b: Array, kind: str, *, size: int, n_arm: float, pool: int) -> float:
    """Variance of events and scans alone on the working scale, from pairs of the same trials.

    Parameters
    ----------
    a, b : (trials,) the same patients, arms and enrolment with other events and scans
    size, n_arm, pool : as in `predictive_sample`
    """
    x, y = to_scale(a, kind, 0.5 / size), to_scale(b, kind, 0.5 / size)
    both = np.isfinite(x) & np.isfinite(y)
    # patients drawn twice carry the same noise twice
    return 0.5 * float(np.mean((x[both] - y[both]) ** 2)) / (1.0 + n_arm / pool) if both.any() else 0.0
