"""Fast analyses of two-arm trials, one or thousands at once: hazard ratio, log-rank test, medians.

The same estimates as `fit_cox`, `log_rank` and `kaplan_meier`, in compiled loops that release the interpreter
lock, so that threads can share the trials. The first call in a process loads numba; its compiled code is
cached on disk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from her2.survival._arguments import (
    Flags,
    Floats,
    Integers,
    check_finite_non_negative,
    check_flags,
    check_groups,
    check_level,
    check_time,
    freeze,
)
from her2.survival._distributions import normal_quantile
from her2.survival.cox import CoxStatus

# In the order of the codes in `_kernels`.
STATUSES: tuple[CoxStatus, ...] = (
    "converged",
    "monotone_likelihood",
    "no_events",
    "no_information",
    "not_converged",
)
_MAX_ITERATIONS = 60


@dataclass(frozen=True)
class TwoArmCox:
    """Hazard ratio of arm True against False. Read `status` first; what does not exist is NaN or infinite."""

    coef: float
    """Log hazard ratio; ±inf if the likelihood is monotone, for instance with all events in one arm."""
    std_err: float
    """Standard error of `coef`; NaN unless converged."""
    hazard_ratio: float
    """exp(coef)."""
    lower: float
    """Lower Wald limit of the hazard ratio; NaN unless converged."""
    upper: float
    """Upper Wald limit of the hazard ratio; NaN unless converged."""
    log_likelihood_null: float
    """Log partial likelihood at a hazard ratio of 1."""
    log_likelihood: float
    """Log partial likelihood at the fit; its supremum if monotone."""
    score_chi2: float
    """Score test at a hazard ratio of 1, one degree of freedom."""
    n_events: int
    """Events in both arms."""
    status: CoxStatus
    """As in `CoxFit`."""


@dataclass(frozen=True, eq=False)
class TwoArmCoxBatch:
    """`TwoArmCox` for many trials. Look at `is_converged` before averaging anything."""

    coef: Floats
    """(trials,), log hazard ratio; ±inf where the likelihood is monotone, NaN where there is none."""
    std_err: Floats
    """(trials,), standard error of `coef`; NaN unless converged."""
    log_likelihood_null: Floats
    """(trials,), log partial likelihood at a hazard ratio of 1."""
    log_likelihood: Floats
    """(trials,), at the fit; the supremum if monotone."""
    score_chi2: Floats
    """(trials,), score test at a hazard ratio of 1."""
    n_events: Integers
    """(trials, 2), events in arm False and arm True."""
    status: Integers
    """(trials,), position in `STATUSES`."""

    @property
    def is_converged(self) -> Flags:
        """(trials,), whether coefficient and standard error are finite estimates."""
        return np.asarray(self.status == STATUSES.index("converged"))

    @property
    def hazard_ratio(self) -> Floats:
        """(trials,), exp(coef)."""
        return np.asarray(np.exp(self.coef), dtype=np.float64)

    def limits(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Lower and upper Wald limits of the hazard ratio, each (trials,); NaN unless converged.

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1.
        """
        half = normal_quantile(check_level(level)) * self.std_err
        return np.exp(self.coef - half), np.exp(self.coef + half)


@dataclass(frozen=True, eq=False)
class TwoArmLogRankBatch:
    """Log-rank score of arm True for many trials."""

    observed: Floats
    """(trials,), events in arm True."""
    expected: Floats
    """(trials,), events expected there if both arms shared one hazard."""
    variance: Floats
    """(trials,), hypergeometric variance of observed - expected."""
    z: Floats
    """(trials,), standardised score, negative when arm True does better; 0 if nothing can differ."""

    @property
    def chi2(self) -> Floats:
        """(trials,), log-rank statistic with one degree of freedom."""
        return self.z**2

    @property
    def p(self) -> Floats:
        """(trials,), two-sided p value; NaN if nothing can differ."""
        from scipy.special import erfc

        return np.where(self.variance > 0, np.asarray(erfc(np.abs(self.z) / np.sqrt(2.0))), np.nan)


def two_arm_cox(
    time: ArrayLike, event: ArrayLike, arm: ArrayLike, stratum: ArrayLike | None = None, level: float = 0.95
) -> TwoArmCox:
    """Hazard ratio between two arms by the Cox model with Efron's ties.

    Identical arms give a hazard ratio of exactly 1. A monotone likelihood is recognised by counting, not by
    failing to converge. For other covariates, late entry or Breslow's ties use `fit_cox`.

    Parameters
    ----------
    time : (patients,), any unit of time, zero or more
    event : (patients,), True or 1 if the event happened, False or 0 if censored
    arm : (patients,), True or 1 for the experimental arm, False or 0 for control
    stratum : (patients,), labels of strata with their own baseline hazard; None for one stratum
    level : coverage of the Wald limits, between 0 and 1

    Returns
    -------
    TwoArmCox

    Raises
    ------
    ValueError
        If shapes differ, codes are wrong, or times are negative, missing or empty.

    Sources
    -------
    Cox 1972; Efron 1977.
    """
    observed = check_time(time)
    check_level(level)
    strata = None if stratum is None else check_groups(stratum, observed.size, "stratum")[1]
    fit = two_arm_cox_batch(observed, event, arm, strata, offsets=[0, observed.size])
    lower, upper = fit.limits(level)
    return TwoArmCox(
        coef=float(fit.coef[0]),
        std_err=float(fit.std_err[0]),
        hazard_ratio=float(fit.hazard_ratio[0]),
        lower=float(lower[0]),
        upper=float(upper[0]),
        log_likelihood_null=float(fit.log_likelihood_null[0]),
        log_likelihood=float(fit.log_likelihood[0]),
        score_chi2=float(fit.score_chi2[0]),
        n_events=int(fit.n_events[0].sum()),
        status=STATUSES[int(fit.status[0])],
    )


def two_arm_cox_batch(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike,
    stratum: ArrayLike | None = None,
    offsets: ArrayLike | None = None,
) -> TwoArmCoxBatch:
    """Hazard ratios of many two-arm trials, each as by `two_arm_cox`.

    Parameters
    ----------
    time : (trials, patients), or (patients of all trials,) with `offsets`; any unit of time, zero or more
    event : as `time`, True or 1 if the event happened, False or 0 if censored
    arm : as `time`, or (patients,) if all trials share it; True or 1 for the experimental arm
    stratum : as `arm`, whole numbers from 0; None for one stratum
    offsets : (trials + 1,), start of each trial in the flat arrays, then their length; None if 2-D

    Returns
    -------
    TwoArmCoxBatch

    Raises
    ------
    ValueError
        If shapes differ, codes are wrong, times are negative or missing, or a trial is empty.
    """
    from her2.survival import _kernels

    trials = _lay_out(time, event, arm, stratum, offsets)
    status, numbers, events = _kernels.fit_two_arm_trials(*trials, _MAX_ITERATIONS)
    coef, std_err, null, value, score = (np.ascontiguousarray(column) for column in numbers.T)
    n_events = np.column_stack((events[:, 0] - events[:, 1], events[:, 1]))
    freeze(coef, std_err, null, value, score, n_events, status)
    return TwoArmCoxBatch(coef, std_err, null, value, score, n_events, status)


def two_arm_log_rank_batch(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike,
    stratum: ArrayLike | None = None,
    offsets: ArrayLike | None = None,
) -> TwoArmLogRankBatch:
    """Log-rank score tests of many two-arm trials, each as by `log_rank`.

    Arguments as for `two_arm_cox_batch`.

    Raises
    ------
    ValueError
        As for `two_arm_cox_batch`.
    """
    from her2.survival import _kernels

    observed, expected, variance = _kernels.sum_log_rank_trials(
        *_lay_out(time, event, arm, stratum, offsets)
    ).T
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, (observed - expected) / np.sqrt(variance), 0.0)
    freeze(observed, expected, variance, z)
    return TwoArmLogRankBatch(observed, expected, variance, z)


def two_arm_median_batch(
    time: ArrayLike, event: ArrayLike, arm: ArrayLike, offsets: ArrayLike | None = None
) -> Floats:
    """Kaplan-Meier medians of many two-arm trials: (trials, 2), arm False then arm True.

    In the unit of `time`, by the rule of `KaplanMeier.quantile`; NaN where the median is not reached.
    Arguments as for `two_arm_cox_batch`.

    Raises
    ------
    ValueError
        As for `two_arm_cox_batch`.
    """
    from her2.survival import _kernels

    flat_time, flat_event, flat_arm, _, starts = _lay_out(time, event, arm, None, offsets)
    return np.asarray(_kernels.find_median_trials(flat_time, flat_event, flat_arm, starts))


def _lay_out(
    time: ArrayLike, event: ArrayLike, arm: ArrayLike, stratum: ArrayLike | None, offsets: ArrayLike | None
) -> tuple[Floats, Flags, Flags, Integers, Integers]:
    """Checked flat arrays and offsets, as the kernels want them."""
    if offsets is None:
        times = np.array(time, dtype=np.float64)
        if times.ndim != 2 or times.size == 0:
            raise ValueError(
                f"time: expected (trials, patients), got shape {times.shape}; "
                "for trials of different size give flat arrays and offsets."
            )
        check_finite_non_negative(times, "time")
        starts = np.arange(times.shape[0] + 1, dtype=np.int64) * times.shape[1]
        if np.shape(arm) == times.shape[1:]:
            arm = np.broadcast_to(np.asarray(arm), times.shape)
        if stratum is not None and np.shape(stratum) == times.shape[1:]:
            stratum = np.broadcast_to(np.asarray(stratum), times.shape)
    else:
        times = check_time(time)
        starts = _check_offsets(offsets, times.size)
    happened = check_flags(event, times.shape)
    is_experimental = check_flags(arm, times.shape, "arm")
    strata = np.zeros(times.shape, np.int64) if stratum is None else _check_strata(stratum, times.shape)
    return times.ravel(), happened.ravel(), is_experimental.ravel(), strata.ravel(), starts


def _check_offsets(values: ArrayLike, n_patients: int) -> Integers:
    """Ascending whole numbers from 0 to the number of patients, with no empty trial."""
    offsets = np.asarray(values)
    is_whole = offsets.ndim == 1 and offsets.size >= 2 and np.issubdtype(offsets.dtype, np.integer)
    if not is_whole or offsets[0] != 0 or offsets[-1] != n_patients or bool(np.any(np.diff(offsets) < 1)):
        raise ValueError(
            f"offsets: expected whole numbers rising from 0 to the number of patients, {n_patients}, "
            f"with no empty trial, got {offsets.tolist()!r:.80}."
        )
    return offsets.astype(np.int64)


def _check_strata(values: ArrayLike, shape: tuple[int, ...]) -> Integers:
    """Whole numbers from 0, small enough to count by."""
    strata = np.asarray(values)
    if strata.shape != shape:
        raise ValueError(f"stratum: expected the shape of time, {shape}, got {strata.shape}.")
    if not np.issubdtype(strata.dtype, np.integer) or strata.min() < 0 or strata.max() > 1_000_000:
        raise ValueError("stratum: expected whole numbers from 0 (at most 1000000) as codes.")
    return strata.astype(np.int64)
