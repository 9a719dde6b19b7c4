"""The few quantiles and tail probabilities that the tests and intervals need."""

from __future__ import annotations

import math
from statistics import NormalDist


def normal_quantile(level: float) -> float:
    """Two-sided standard normal quantile: 1.96 for a level of 0.95."""
    return NormalDist().inv_cdf(1.0 - (1.0 - level) / 2.0)


def normal_two_sided_p(z: float) -> float:
    """Probability that a standard normal is further from zero than `z`."""
    return math.erfc(abs(z) / math.sqrt(2.0)) if math.isfinite(z) else math.nan


def chi2_tail(chi2: float, df: int) -> float:
    """Upper tail of the chi-squared distribution; NaN where there are no degrees of freedom."""
    if df < 1 or not math.isfinite(chi2):
        return math.nan
    if df == 1:
        return math.erfc(math.sqrt(max(chi2, 0.0) / 2.0))
    from scipy.special import chdtrc

    return float(chdtrc(df, max(chi2, 0.0)))
