"""Fast analyses of two-arm trials, one or thousands at once: hazard ratio, log-rank test, medians.

The same estimates as `fit_cox`, `log_rank` and `kaplan_meier`, in compiled loops that release the interpreter
lock, so that threads can share the trials (`jobs`; the digits do not depend on it). `two_arm_statistics_batch`
sorts each trial once for all of them. The first call in a process loads numba; its compiled code is cached on disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from her2.survival._arguments import Flags, Floats, Integers, check_groups, check_level, check_time, freeze
from her2.survival._batches import Results, analyse, lay_out
from her2.survival._distributions import normal_quantile
from her2.survival.cox import CoxStatus, Ties

# In the order of the codes in `_kernels`.
STATUSES: tuple[CoxStatus, ...] = (
    "converged",
    "monotone_likelihood",
    "no_events",
    "no_information",
    "not_converged",
)


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


@dataclass(frozen=True, eq=False)
class TwoArmStatisticsBatch:
    """What a trial reports of a time to event, for many trials."""

    cox: TwoArmCoxBatch
    """Hazard ratios with standard errors and score tests."""
    log_rank: TwoArmLogRankBatch
    """Log-rank tests."""
    median: Floats
    """(trials, 2), the unit of time: Kaplan-Meier medians, arm False then arm True; NaN where not reached."""
    median_lower: Floats
    """(trials, 2), the unit of time: lower limits from the log-log band; NaN where it does not get that far."""
    median_upper: Floats
    """(trials, 2), the unit of time: upper limits, likewise."""
    level: float | None
    """Coverage of the limits of the medians; None if they were left out."""


def two_arm_cox(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike,
    stratum: ArrayLike | None = None,
    level: float = 0.95,
    ties: Ties = "efron",
) -> TwoArmCox:
    """Hazard ratio between two arms by the Cox model.

    Identical arms give a hazard ratio of exactly 1. A monotone likelihood is recognised by counting, not by
    failing to converge. For other covariates or late entry use `fit_cox`.

    Parameters
    ----------
    time : (patients,), any unit of time, zero or more
    event : (patients,), True or 1 if the event happened, False or 0 if censored
    arm : (patients,), True or 1 for the experimental arm, False or 0 for control
    stratum : (patients,), labels of strata with their own baseline hazard; None for one stratum
    level : coverage of the Wald limits, between 0 and 1
    ties : "efron" or "breslow", as in `fit_cox`

    Returns
    -------
    TwoArmCox

    Raises
    ------
    ValueError
        If shapes differ, codes are wrong, `ties` is unknown, or times are negative, missing or empty.

    Sources
    -------
    Cox 1972; Efron 1977; Breslow 1974.
    """
    observed = check_time(time)
    check_level(level)
    strata = None if stratum is None else check_groups(stratum, observed.size, "stratum")[1]
    fit = two_arm_cox_batch(observed, event, arm, strata, offsets=[0, observed.size], ties=ties)
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
    *,
    ties: Ties = "efron",
    jobs: int = 1,
) -> TwoArmCoxBatch:
    """Hazard ratios of many two-arm trials, each as by `two_arm_cox`.

    Parameters
    ----------
    time : (trials, patients), or (patients of all trials,) with `offsets`; any unit of time, zero or more
    event : as `time`, True or 1 if the event happened, False or 0 if censored
    arm : as `time`, or (patients,) if all trials share it; True or 1 for the experimental arm
    stratum : as `arm`, whole numbers from 0; None for one stratum
    offsets : (trials + 1,), start of each trial in the flat arrays, then their length; None if 2-D
    ties : "efron" or "breslow", as in `fit_cox`
    jobs : threads; the digits do not depend on their number

    Returns
    -------
    TwoArmCoxBatch

    Raises
    ------
    ValueError
        If shapes differ, codes are wrong, `ties` is unknown, times are negative or missing, or a trial is empty.
    """
    trials = lay_out(time, event, arm, stratum, offsets)
    return _as_cox(analyse(trials, cox=True, is_efron=_is_efron(ties), jobs=jobs))


def two_arm_log_rank_batch(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike,
    stratum: ArrayLike | None = None,
    offsets: ArrayLike | None = None,
    *,
    jobs: int = 1,
) -> TwoArmLogRankBatch:
    """Log-rank score tests of many two-arm trials, each as by `log_rank`.

    Arguments as for `two_arm_cox_batch`.

    Raises
    ------
    ValueError
        As for `two_arm_cox_batch`.
    """
    return _as_log_rank(analyse(lay_out(time, event, arm, stratum, offsets), log_rank=True, jobs=jobs))


def two_arm_median_batch(
    time: ArrayLike, event: ArrayLike, arm: ArrayLike, offsets: ArrayLike | None = None, *, jobs: int = 1
) -> Floats:
    """Kaplan-Meier medians of many two-arm trials: (trials, 2), arm False then arm True.

    In the unit of `time`, by the rule of `KaplanMeier.quantile`; NaN where the median is not reached.
    Arguments as for `two_arm_cox_batch`.

    Raises
    ------
    ValueError
        As for `two_arm_cox_batch`.
    """
    results = analyse(lay_out(time, event, arm, None, offsets), medians=True, jobs=jobs)
    return np.ascontiguousarray(results.medians[:, :, 0])


def two_arm_statistics_batch(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike,
    stratum: ArrayLike | None = None,
    offsets: ArrayLike | None = None,
    *,
    ties: Ties = "efron",
    level: float | None = 0.95,
    jobs: int = 1,
) -> TwoArmStatisticsBatch:
    """Hazard ratios, log-rank tests and medians with limits of many two-arm trials, each trial sorted once.

    Each as by `two_arm_cox`, `log_rank` and `kaplan_meier`. Strata count for the hazard ratio and the log-rank test;
    the medians are those of each arm as a whole, their limits by inverting the log-log band.

    Parameters
    ----------
    time : (trials, patients), or (patients of all trials,) with `offsets`; any unit of time, zero or more
    event : as `time`, True or 1 if the event happened, False or 0 if censored
    arm : as `time`, or (patients,) if all trials share it; True or 1 for the experimental arm
    stratum : as `arm`, whole numbers from 0; None for one stratum
    offsets : (trials + 1,), start of each trial in the flat arrays, then their length; None if 2-D
    ties : of the hazard ratio, "efron" or "breslow", as in `fit_cox`
    level : coverage of the limits of the medians, between 0 and 1; None leaves them out (NaN), which is faster
    jobs : threads; the digits do not depend on their number

    Returns
    -------
    TwoArmStatisticsBatch

    Raises
    ------
    ValueError
        If shapes differ, codes are wrong, `ties` is unknown, `level` is not between 0 and 1, times are negative or
        missing, or a trial is empty.

    Sources
    -------
    Cox 1972; Efron 1977; Breslow 1974; Mantel 1966; Brookmeyer and Crowley 1982.
    """
    z = float("nan") if level is None else normal_quantile(check_level(level))
    trials = lay_out(time, event, arm, stratum, offsets)
    results = analyse(trials, cox=True, log_rank=True, medians=True, is_efron=_is_efron(ties), z=z, jobs=jobs)
    median, lower, upper = (np.ascontiguousarray(results.medians[:, :, k]) for k in range(3))
    freeze(median, lower, upper)
    return TwoArmStatisticsBatch(_as_cox(results), _as_log_rank(results), median, lower, upper, level)


def _is_efron(ties: str) -> bool:
    """Which of the two ways with ties."""
    if ties not in get_args(Ties):
        raise ValueError(f"ties: expected one of {get_args(Ties)}, got {ties!r}.")
    return ties == "efron"


def _as_cox(results: Results) -> TwoArmCoxBatch:
    """The Cox fits among the results."""
    coef, std_err, null, value, score = (np.ascontiguousarray(column) for column in results.numbers.T)
    events = results.n_events
    n_events = np.column_stack((events[:, 0] - events[:, 1], events[:, 1]))
    freeze(coef, std_err, null, value, score, n_events, results.status)
    return TwoArmCoxBatch(coef, std_err, null, value, score, n_events, results.status)


def _as_log_rank(results: Results) -> TwoArmLogRankBatch:
    """The log-rank tests among the results."""
    observed, expected, variance = (np.ascontiguousarray(column) for column in results.sums.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, (observed - expected) / np.sqrt(variance), 0.0)
    freeze(observed, expected, variance, z)
    return TwoArmLogRankBatch(observed, expected, variance, z)
