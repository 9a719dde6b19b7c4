"""Cox proportional hazards regression, fitted by Newton's method on the partial likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from her2.survival._arguments import (
    Flags,
    Floats,
    check_entry,
    check_flags,
    check_groups,
    check_level,
    check_time,
    freeze,
)
from her2.survival._distributions import chi2_tail, normal_quantile, normal_two_sided_p
from her2.survival._partial_likelihood import PartialLikelihood, build_likelihood

Ties = Literal["efron", "breslow"]
CoxStatus = Literal["converged", "monotone_likelihood", "no_events", "no_information", "not_converged"]

# In units of a covariate's standard deviation: one more Newton step from here squares the error, to rounding.
_STEP_TOLERANCE = 1e-9
# Steps this long that no longer raise the likelihood run towards infinity; see `_is_running_away`.
_RUNAWAY_STEP = 0.1
_RUNAWAY_DECREMENT = 1e-10


@dataclass(frozen=True, eq=False)
class CoxFit:
    """A fitted Cox model. Read `status` first: what does not exist is NaN or infinite, never a guess."""

    coef: Floats
    """(covariates,), log hazard ratio per unit; ±inf where the likelihood keeps rising that way."""
    std_err: Floats
    """(covariates,), standard error of `coef`; NaN where `coef` is not finite."""
    covariance: Floats
    """(covariates, covariates), inverse of the observed information; NaN where `coef` is not finite."""
    hazard_ratio: Floats
    """(covariates,), exp(coef)."""
    lower: Floats
    """(covariates,), lower Wald limit of the hazard ratio."""
    upper: Floats
    """(covariates,), upper Wald limit of the hazard ratio."""
    p: Floats
    """(covariates,), two-sided Wald p value of each coefficient."""
    log_likelihood_null: float
    """Log partial likelihood with all coefficients 0."""
    log_likelihood: float
    """Log partial likelihood at the fit; its supremum if the likelihood is monotone."""
    wald_chi2: float
    """Wald test of all coefficients together; NaN unless converged."""
    score_chi2: float
    """Score test at 0; without ties and strata, for one binary covariate, the log-rank test."""
    likelihood_ratio_chi2: float
    """Twice the rise in log likelihood; valid also when the likelihood is monotone."""
    wald_p: float
    """Upper tail of `wald_chi2`."""
    score_p: float
    """Upper tail of `score_chi2`."""
    likelihood_ratio_p: float
    """Upper tail of `likelihood_ratio_chi2`."""
    df: int
    """Degrees of freedom of the three tests: the number of covariates."""
    n_patients: int
    """Patients in the fit."""
    n_events: int
    """Events in the fit."""
    level: float
    """Coverage of `lower` and `upper`."""
    status: CoxStatus
    """converged; monotone_likelihood (some coefficient has no finite estimate); no_events; no_information
    (covariates constant or collinear among those at risk); not_converged (numbers withheld; in a tiny sample
    usually a monotone likelihood in a combination of covariates)."""
    n_iterations: int
    """Newton steps taken."""


def fit_cox(
    time: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    stratum: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    ties: Ties = "efron",
    level: float = 0.95,
    max_iterations: int = 60,
) -> CoxFit:
    """Fit h(t | x) = h_stratum(t) exp(coef · x) by maximising the partial likelihood.

    Newton's method from 0 with step halving; covariates are standardised inside, which changes no result. Use
    `two_arm_cox` for one binary covariate in many simulated trials. Tied times are those that are equal: see
    `merge_near_ties`.

    Parameters
    ----------
    time : (patients,), any unit of time, zero or more
    event : (patients,), True or 1 if the event happened at `time`, False or 0 if censored
    covariates : (patients,) or (patients, covariates), any units
        One column per covariate; code a factor as columns of 0 and 1 without its reference level.
    stratum : (patients,), labels of strata with their own baseline hazard; None for one stratum
    entry : (patients,), the unit of `time`, start of observation before `time`; None from zero
    ties : "efron" or "breslow"
        Breslow's approximation pulls coefficients towards 0 when many events share a time.
    level : coverage of the Wald limits, between 0 and 1
    max_iterations : Newton steps before the fit is given up as not_converged

    Returns
    -------
    CoxFit

    Raises
    ------
    ValueError
        If shapes differ, anything is missing or not finite, times are negative, or `ties` is unknown.

    Sources
    -------
    Cox 1972; Efron 1977; Breslow 1974; Therneau and Grambsch 2000, chapter 3.
    """
    observed = check_time(time)
    happened = check_flags(event, observed.shape)
    start = check_entry(entry, observed)
    x = _check_covariates(covariates, observed.size)
    strata = None if stratum is None else check_groups(stratum, observed.size, "stratum")[1]
    if ties not in get_args(Ties):
        raise ValueError(f"ties: expected one of {get_args(Ties)}, got {ties!r}.")
    if max_iterations < 1:
        raise ValueError(f"max_iterations: expected one or more, got {max_iterations}.")
    check_level(level)

    scale = x.std(axis=0)
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(x).max(axis=0), 1e-300), scale, 0.0)
    usable = np.where(scale > 0.0, scale, 1.0)
    standard = np.where(scale > 0.0, (x - x.mean(axis=0)) / usable, 0.0)
    likelihood = build_likelihood(observed, happened, standard, strata, start, ties == "efron")
    fit = _maximise(likelihood, int(happened.sum()), max_iterations)
    return _report(fit, usable, happened, level)


@dataclass(frozen=True, eq=False)
class _Maximum:
    """Where Newton's method ended, in standardised units."""

    status: CoxStatus
    beta: Floats
    covariance: Floats
    log_likelihood_null: float
    log_likelihood: float
    score_chi2: float
    n_iterations: int


def _maximise(likelihood: PartialLikelihood, n_events: int, max_iterations: int) -> _Maximum:
    """Newton's method with step halving, from 0."""
    n_covariates = likelihood.n_covariates
    beta = np.zeros(n_covariates)
    null, gradient, information = likelihood.evaluate(beta)
    blank = np.full((n_covariates, n_covariates), np.nan)
    unknown = np.full(n_covariates, np.nan)
    if n_events == 0:
        return _Maximum("no_events", unknown, blank, null, null, np.nan, 0)
    if np.linalg.eigvalsh(information)[0] <= 1e-11 * n_events:
        return _Maximum("no_information", unknown, blank, null, np.nan, np.nan, 0)
    score_chi2 = float(gradient @ np.linalg.solve(information, gradient))
    current = null
    for iteration in range(1, max_iterations + 1):
        step: Floats
        try:
            step = np.asarray(np.linalg.solve(information, gradient), dtype=np.float64)
        except np.linalg.LinAlgError:
            break
        decrement = float(gradient @ step)
        if not np.all(np.isfinite(step)):
            break
        if _is_running_away(step, decrement):
            beta, covariance = _split_runaway(beta, step, information)
            return _Maximum("monotone_likelihood", beta, covariance, null, current, score_chi2, iteration)
        is_last = bool(np.max(np.abs(step)) < _STEP_TOLERANCE)
        trial, gradient_new, information_new = likelihood.evaluate(beta + step)
        halvings = 0
        # Rounding of the log likelihood itself must not look like a fall.
        while not trial >= current - 1e-10 * (abs(current) + 1.0) and halvings < 40:
            step, halvings = 0.5 * step, halvings + 1
            trial, gradient_new, information_new = likelihood.evaluate(beta + step)
        if halvings == 40:
            break
        beta, current, gradient, information = beta + step, trial, gradient_new, information_new
        if is_last:
            covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
            return _Maximum("converged", beta, covariance, null, current, score_chi2, iteration)
    return _Maximum("not_converged", unknown, blank, null, np.nan, score_chi2, max_iterations)


def _is_running_away(step: Floats, decrement: float) -> bool:
    """Whether long steps have stopped raising the likelihood: it is monotone in that direction.

    Near a finite maximum both shrink together. A long step with no gain needs a standard error in the tens of
    thousands of standard deviations of the covariate, which data with a finite estimate do not give.
    """
    return bool(np.max(np.abs(step)) > _RUNAWAY_STEP and decrement < _RUNAWAY_DECREMENT)


def _split_runaway(beta: Floats, step: Floats, information: Floats) -> tuple[Floats, Floats]:
    """Infinite for the components that run away; the rest keep their limit and its covariance."""
    runs = np.abs(step) > 1e-3 * np.max(np.abs(step))
    covariance = np.full(information.shape, np.nan)
    stays = np.flatnonzero(~runs)
    block = np.ix_(stays, stays)
    # The others may be tied to each other in the limit; their covariance then does not exist.
    if stays.size and np.linalg.cond(information[block]) < 1e12:
        covariance[block] = np.linalg.inv(information[block])
    return np.where(runs, np.copysign(np.inf, step), beta), covariance


def _report(fit: _Maximum, scale: Floats, happened: Flags, level: float) -> CoxFit:
    """Back to the covariates' own units, with limits and tests."""
    coef = fit.beta / scale
    covariance = fit.covariance / np.outer(scale, scale)
    std_err = np.sqrt(np.diag(covariance))
    z = normal_quantile(level)
    is_fitted = fit.status == "converged"
    wald = float(coef @ np.linalg.solve(covariance, coef)) if is_fitted else np.nan
    ratio = 2.0 * (fit.log_likelihood - fit.log_likelihood_null) if fit.status != "no_events" else np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        hazard_ratio = np.exp(coef)
        lower, upper = np.exp(coef - z * std_err), np.exp(coef + z * std_err)
        p = np.array([normal_two_sided_p(value) for value in coef / std_err])
    df = coef.size
    freeze(coef, std_err, covariance, hazard_ratio, lower, upper, p)
    return CoxFit(
        coef=coef,
        std_err=std_err,
        covariance=covariance,
        hazard_ratio=hazard_ratio,
        lower=lower,
        upper=upper,
        p=p,
        log_likelihood_null=fit.log_likelihood_null,
        log_likelihood=fit.log_likelihood,
        wald_chi2=wald,
        score_chi2=fit.score_chi2,
        likelihood_ratio_chi2=ratio,
        wald_p=chi2_tail(wald, df),
        score_p=chi2_tail(fit.score_chi2, df),
        likelihood_ratio_p=chi2_tail(ratio, df),
        df=df,
        n_patients=happened.size,
        n_events=int(happened.sum()),
        level=float(level),
        status=fit.status,
        n_iterations=fit.n_iterations,
    )


def _check_covariates(values: ArrayLike, n_patients: int) -> Floats:
    """Finite covariates as (patients, covariates)."""
    x = np.asarray(values, dtype=np.float64)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or x.shape[0] != n_patients or x.shape[1] == 0:
        raise ValueError(
            f"covariates: expected one row per patient, ({n_patients},) or ({n_patients}, covariates), "
            f"got {np.shape(values)}."
        )
    wrong = np.argwhere(~np.isfinite(x))
    if wrong.size:
        row, column = wrong[0]
        raise ValueError(
            f"covariates: expected finite numbers, got {x[row, column]} for patient {row}, "
            f"covariate {column}."
        )
    return x
