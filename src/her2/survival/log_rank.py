"""Log-rank test for two or more groups, with strata and Fleming-Harrington weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from her2.survival._arguments import Floats, check_flags, check_groups, check_time, freeze
from her2.survival._distributions import chi2_tail


@dataclass(frozen=True, eq=False)
class LogRankTest:
    """Observed and expected events per group, and the test that all groups share one hazard."""

    groups: NDArray[Any]
    """(groups,), labels, sorted."""
    observed: Floats
    """(groups,), events, weighted by S(t-)**rho."""
    expected: Floats
    """(groups,), events expected if all groups shared one hazard, weighted alike."""
    variance: Floats
    """(groups, groups), covariance of observed - expected under that hypothesis."""
    chi2: float
    """Test statistic; 0 if nothing can differ, for instance without events."""
    df: int
    """Degrees of freedom: groups with any expected events, less one."""
    p: float
    """Two-sided p value; NaN where `df` is 0."""


def log_rank(
    time: ArrayLike,
    event: ArrayLike,
    group: ArrayLike,
    stratum: ArrayLike | None = None,
    rho: float = 0.0,
) -> LogRankTest:
    """Log-rank test that the groups share one hazard within each stratum.

    Observed less expected events, summed over event times and strata, against their hypergeometric
    covariance. With `rho` above 0 early events count more: each event time weighs S(t-)**rho, S being the
    Kaplan-Meier curve of all groups of the stratum together; rho = 1 is the Peto-Peto form of the Wilcoxon
    test.

    Parameters
    ----------
    time : (patients,), any unit of time, zero or more
    event : (patients,), True or 1 if the event happened, False or 0 if censored
    group : (patients,), labels of two or more groups
    stratum : (patients,), labels of strata; None for a single stratum
    rho : power of the survival weight, dimensionless; 0 is the log-rank test

    Returns
    -------
    LogRankTest

    Raises
    ------
    ValueError
        If there are fewer than two groups, shapes differ, or times are negative, missing or empty.

    Sources
    -------
    Mantel 1966; Peto and Peto 1972; Harrington and Fleming 1982.
    """
    observed_time = check_time(time)
    happened = check_flags(event, observed_time.shape)
    labels, codes = check_groups(group, observed_time.size, "group")
    if labels.size < 2:
        raise ValueError(f"group: expected two or more groups, got only {labels.tolist()!r}.")
    if not np.isfinite(rho):
        raise ValueError(f"rho: expected a finite number, got {rho}.")
    strata = (
        np.zeros(observed_time.size, np.int64)
        if stratum is None
        else check_groups(stratum, observed_time.size, "stratum")[1]
    )
    n_groups = labels.size
    observed, expected = np.zeros(n_groups), np.zeros(n_groups)
    variance = np.zeros((n_groups, n_groups))
    for code in range(int(strata.max()) + 1):
        mine = strata == code
        o, e, v = _sum_stratum(observed_time[mine], happened[mine], codes[mine], n_groups, rho)
        observed, expected, variance = observed + o, expected + e, variance + v
    freeze(observed, expected, variance)
    chi2, df = _compute_chi2(observed, expected, variance)
    return LogRankTest(labels, observed, expected, variance, chi2, df, chi2_tail(chi2, df))


def _sum_stratum(
    time: Floats, happened: NDArray[np.bool_], codes: NDArray[np.int64], n_groups: int, rho: float
) -> tuple[Floats, Floats, Floats]:
    """Observed, expected and covariance of one stratum."""
    times, position = np.unique(time, return_inverse=True)
    cell = position * n_groups + codes
    size = times.size * n_groups
    leaving = np.bincount(cell, minlength=size).reshape(times.size, n_groups).astype(np.float64)
    events = np.bincount(cell, happened, size).reshape(times.size, n_groups)
    at_risk = np.cumsum(leaving[::-1], axis=0)[::-1]
    has_event = events.sum(axis=1) > 0
    events, at_risk = events[has_event], at_risk[has_event]
    d, n = events.sum(axis=1), at_risk.sum(axis=1)
    survival_before = np.concatenate(([1.0], np.cumprod(1.0 - d / n)))[:-1]
    weight = survival_before**rho
    share = at_risk / n[:, None]
    # With one patient left the hypergeometric variance is zero, not 0/0.
    scale = np.where(n > 1, weight**2 * d * (n - d) / np.maximum(n - 1, 1), 0.0)
    covariance = np.diag(scale @ share) - (share * scale[:, None]).T @ share
    return weight @ events, (weight * d) @ share, covariance


def _compute_chi2(observed: Floats, expected: Floats, variance: Floats) -> tuple[float, int]:
    """Quadratic form without one redundant group; groups that were never at risk for an event drop out."""
    present = np.flatnonzero(expected > 0)
    if present.size < 2:
        return 0.0, max(int(present.size) - 1, 0)
    difference = (observed - expected)[present][1:]
    if not difference.any():
        return 0.0, int(present.size) - 1
    block = variance[np.ix_(present, present)][1:, 1:]
    # Strata may leave two sets of groups uncompared; the pseudo-inverse then gives the statistic of what was
    # compared.
    rank = int(np.linalg.matrix_rank(block, hermitian=True))
    if rank == block.shape[0]:
        return float(difference @ np.linalg.solve(block, difference)), rank
    return float(difference @ np.linalg.pinv(block, hermitian=True) @ difference), rank
