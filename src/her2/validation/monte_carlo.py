"""Monte-Carlo error of what is printed: how far would the figures move with other random numbers and members?

On the working scale (logit of a rate, log of a median or hazard ratio). The middle of an interval carries the error of
the mean over members, which holds parameters drawn, patients and trials simulated; an end carries that, the error of an
empirical quantile, and that of the spread between members. Normal approximations, for sizing runs and reading digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from her2.trials.intervals import Predictive


@dataclass(frozen=True)
class MonteCarloError:
    """Standard errors on the working scale; NaN without two members.

    Attributes
    ----------
    median : of the predicted median
    end : of either end of the central 90 % interval
    """

    median: float
    end: float


def monte_carlo_error(p: Predictive, level: float = 0.9) -> MonteCarloError:
    """Standard errors of the median and of the ends of a central interval.

    The variance of the mean over M members is that of their means over M; the empirical quantile q of n trials adds
    q (1 - q) / (n f^2) with f the normal density there; the variance between members, known with M - 1 degrees of
    freedom, adds the error it causes in the standard deviation.
    """
    means = p.means[np.isfinite(p.means)]
    n = int(np.sum(np.isfinite(p.values)))
    if means.size < 2 or n < 2:
        return MonteCarloError(math.nan, math.nan)
    between = float(means.var(ddof=1))
    level_error = between / means.size
    sd = math.sqrt(p.v_parameters + p.v_within + p.v_between)

    def of_quantile(q: float) -> float:
        normal = NormalDist()
        return q * (1.0 - q) / n * (sd / normal.pdf(normal.inv_cdf(q))) ** 2

    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    spread = z * between * math.sqrt(2.0 / (means.size - 1)) / (2.0 * sd) if sd > 0 else 0.0
    return MonteCarloError(
        median=math.sqrt(level_error + of_quantile(0.5)),
        end=math.sqrt(level_error + of_quantile(0.5 + level / 2.0) + spread**2),
    )


def on_own_scale(error: float, value: float, kind: str) -> float:
    """A small error on the working scale as one of the statistic: fraction, month or ratio; NaN if not reached."""
    if not math.isfinite(value):
        return math.nan
    return error * value * (1.0 - value) if kind == "rate" else error * value
