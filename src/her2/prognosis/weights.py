"""Weighted twins: effective number, quantiles, shares out of 100, and intervals of paired differences.

Twins come from several members of the posterior. What differs between the members' estimates by more than chance is
uncertainty of the parameters; what a finite number of twins leaves is Monte-Carlo error. Both are in every interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]
OUT_OF = 100
HALF, NINETY = 0.5, 0.9
_NORMAL = {HALF: 0.6744897501960817, NINETY: 1.6448536269514722}


def effective_number(weights: Array) -> float:
    """Effective number of equally weighted twins, (sum w)^2 / sum w^2; 0 where all weights are 0.

    Parameters
    ----------
    weights : (twins,), not negative
    """
    total = float(np.sum(weights))
    return total * total / float(np.sum(weights * weights)) if total > 0.0 else 0.0


def weighted_mean(values: Array, weights: Array) -> float:
    """Weighted mean of finite numbers; NaN without weight."""
    total = float(weights.sum())
    return float(np.dot(values, weights)) / total if total > 0.0 else math.nan


def weighted_quantile(values: Array, weights: Array, q: float) -> float:
    """Smallest value at which the weight of all values up to it reaches the share q; infinite values may occur.

    Parameters
    ----------
    values, weights : (twins,)
    q : in (0, 1)
    """
    inside = weights > 0.0
    if not inside.any():
        return math.nan
    order = np.argsort(values[inside], kind="stable")
    x, w = values[inside][order], weights[inside][order]
    cumulative = np.cumsum(w)
    place = int(np.searchsorted(cumulative, q * cumulative[-1] * (1.0 - 1e-12)))
    return float(x[min(place, x.size - 1)])


def resample(weights: Array, n: int, start: float) -> Index:
    """Systematic resampling: positions of n twins, each as often as its weight asks, to the next whole number.

    Parameters
    ----------
    start : in (0, 1), the one random number behind it
    """
    steps = (np.arange(n) + start) / n
    cumulative = np.cumsum(weights) / float(weights.sum())
    return np.minimum(np.searchsorted(cumulative, steps), weights.size - 1).astype(np.int64)


@dataclass(frozen=True)
class Rate:
    """Share of such patients with something.

    Attributes
    ----------
    value : share, fraction
    mc_error : Monte-Carlo standard error of `value`
    of_100 : expected number out of 100 such patients
    interval_50, interval_90 : numbers out of 100 such patients: chance among the 100, parameters, Monte-Carlo error
    """

    value: float
    mc_error: float
    of_100: int
    interval_50: tuple[int, int]
    interval_90: tuple[int, int]


@dataclass(frozen=True)
class Times:
    """A time among such patients, month; None where it is not reached within the time followed.

    Attributes
    ----------
    interval_50, interval_90 : limits between which half and nine tenths of such patients lie, parameters included
    median_low, median_high : 90 % limits of the median itself: parameters and Monte-Carlo error
    """

    median: float | None
    interval_50: tuple[float | None, float | None]
    interval_90: tuple[float | None, float | None]
    median_low: float | None
    median_high: float | None


@dataclass(frozen=True)
class Difference:
    """Mean of a paired difference between twins.

    Attributes
    ----------
    value : in the unit of the values compared
    interval_50, interval_90 : of the mean: parameters and Monte-Carlo error
    mc_error : Monte-Carlo standard error
    """

    value: float
    interval_50: tuple[float, float]
    interval_90: tuple[float, float]
    mc_error: float


def between_members(values: Array, weights: Array, member: Index) -> float:
    """Variance between members of a weighted mean beyond what their finite numbers of twins explain; 0 or more.

    Parameters
    ----------
    values, weights : (twins,)
    member : (twins,) member of the posterior of each
    """
    means, shares, errors = [], [], []
    for m in np.unique(member[weights > 0.0]):
        here = member == m
        w, x = weights[here], values[here]
        mean = weighted_mean(x, w)
        n = effective_number(w)
        if n < 2.0:
            continue
        spread = weighted_mean((x - mean) ** 2, w) * n / (n - 1.0)
        means.append(mean)
        shares.append(float(w.sum()))
        errors.append(spread / n)
    if len(means) < 2:
        return 0.0
    share = np.array(shares) / sum(shares)
    centre = float(np.dot(share, means))
    # a weighted sample of k means loses sum(share^2) of its variance to the centre
    lost = 1.0 - float(np.sum(share**2))
    variance = float(np.dot(share, (np.array(means) - centre) ** 2)) / lost
    return max(variance - float(np.dot(share, errors)), 0.0)


def rate_of(events: NDArray[np.bool_], weights: Array, member: Index) -> Rate:
    """A share with its Monte-Carlo error and its intervals out of 100 such patients.

    Parameters
    ----------
    events : (twins,) yes or no
    weights, member : as in `between_members`
    """
    y = events.astype(np.float64)
    p = weighted_mean(y, weights)
    # one more twin with and one without keeps the error of 0 and 1 above nothing
    n = effective_number(weights)
    careful = (p * n + 1.0) / (n + 2.0)
    error = math.sqrt(careful * (1.0 - careful) / max(n, 1.0))
    variance = between_members(y, weights, member) + error**2
    low_50, high_50 = count_limits(p, variance, HALF)
    low_90, high_90 = count_limits(p, variance, NINETY)
    return Rate(p, error, round(OUT_OF * p), (low_50, high_50), (low_90, high_90))


def count_limits(p: float, variance: float, level: float) -> tuple[int, int]:
    """Central interval of a number out of 100 where the share itself is uncertain: beta-binomial.

    Parameters
    ----------
    p : expected share
    variance : of the share
    level : such as 0.9
    """
    mean = min(max(p, 1e-4), 1.0 - 1e-4)
    total = mean * (1.0 - mean) / max(variance, 1e-9) - 1.0
    size = max(total, 1e-2)
    a, b = mean * size, (1.0 - mean) * size
    lg = math.lgamma
    log = [
        lg(OUT_OF + 1) - lg(x + 1) - lg(OUT_OF - x + 1) + lg(x + a) + lg(OUT_OF - x + b) - lg(OUT_OF + a + b)
        - lg(a) - lg(b) + lg(a + b)
        for x in range(OUT_OF + 1)
    ]  # fmt: skip
    cumulative = np.cumsum(np.exp(np.array(log)))
    tail = (1.0 - level) / 2.0
    low, high = (int(np.searchsorted(cumulative, q)) for q in (tail, 1.0 - tail))
    return min(low, OUT_OF), min(high, OUT_OF)


def times_of(months: Array, weights: Array, member: Index) -> Times:
    """A time with intervals over such patients and of its median.

    Parameters
    ----------
    months : (twins,), month; infinite where not reached
    weights, member : as in `between_members`
    """

    def q(share: float) -> float | None:
        x = weighted_quantile(months, weights, min(max(share, 0.0), 1.0))
        return x if math.isfinite(x) else None

    # the median's error as that of the share of patients below it
    median = weighted_quantile(months, weights, 0.5)
    below = (months <= median).astype(np.float64)
    n = effective_number(weights)
    width = _NORMAL[NINETY] * math.sqrt(0.25 / max(n, 1.0) + between_members(below, weights, member))
    return Times(q(0.5), (q(0.25), q(0.75)), (q(0.05), q(0.95)), q(0.5 - width), q(0.5 + width))


def difference_of(values: Array, weights: Array, member: Index) -> Difference:
    """Mean of paired differences with its intervals.

    Parameters
    ----------
    values : (twins,) difference in each twin
    weights, member : as in `between_members`
    """
    mean = weighted_mean(values, weights)
    n = effective_number(weights)
    error = math.sqrt(weighted_mean((values - mean) ** 2, weights) / max(n - 1.0, 1.0))
    sd = math.sqrt(error**2 + between_members(values, weights, member))
    half, ninety = ((mean - _NORMAL[x] * sd, mean + _NORMAL[x] * sd) for x in (HALF, NINETY))
    return Difference(mean, half, ninety, error)
