"""Estimate the between-trial effect from the figures used for fitting, as in a random-effects meta-analysis.

A published figure differs from its prediction by sampling, by the parameters' uncertainty, and by what is left: how
trials of one regimen and line differ, and what the model lacks. Two spreads are estimated, tau of each kind of
statistic on its working scale (logit, log).

*Fitted figures.* The parameters have followed them in part; with e the difference at the fit, s^2 the sampling variance
at the trial's size, n figures and p degrees of freedom that the fit took from them,

    e sqrt(n / (n - p)) ~ N(0, s^2 + tau^2) .

*Everything else.* Each trial is left out of the fit: the mode moves to that of the other trials (to first order), the
trial is simulated there, and with v the variance from the parameters without the trial,

    e ~ N(0, s^2 + v + tau_outside^2) .

A model that lacks something misses a new trial by more than one whose parameters could follow it; tau_outside holds
that, and belongs to every prediction of something that was not fitted. It is never taken smaller than tau.

tau is the most probable one under a half-normal prior with the scale `PRIOR_SCALE`, which says little where figures
are many (twice that for tau_outside). The standard error is the jackknife's over studies, since figures of one trial
hang together; the estimates without one study are kept, so that no study sets the width of its own intervals.
Held-out figures play no part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar

from her2.calibration.free import load_free
from her2.calibration.targets import (
    FIT_TRIALS,
    collect_targets,
    discrepancy_of,
    fitted_arms,
    predict_targets,
)
from her2.errors import OutputError, RecordError
from her2.evidence.fit_view import fit_values
from her2.model import build_model
from her2.posterior import load_posterior
from her2.trials.between import BETWEEN, BetweenFile, Spread
from her2.trials.design import load_trial, trial_names
from her2.trials.follow import simulate_pool
from her2.trials.intervals import Kind, to_scale
from her2.validation.leave_out import LinearPosterior, coordinates, load_linear_posterior
from her2.validation.run import Validation

PRIOR_SCALE: dict[Kind, float] = {"rate": 0.40, "median": 0.20, "hr": 0.10}
"""Scale of the half-normal prior of tau (assumed): twice what the prototype's residuals suggested."""
_LARGEST = 3.0
_METHOD = (
    "most probable tau of e ~ N(0, sampling + tau^2), e being published less fitted, enlarged for the degrees of "
    "freedom the fit took; outside: e being published less simulated with the trial left out of the fit, and the "
    "parameters' variance added; half-normal priors; standard error by jackknife over studies; fitted figures only"
)
LEFT_OUT_PATIENTS = 2000
"""Virtual patients per arm of a trial that is left out: their sampling error is a quarter of that of a typical arm."""
FARTHEST = 4.0
"""Prior standard deviations beyond which a coordinate of the mode without a trial is not moved."""
_SOURCE = "fitted figures of the record (role fit) beside the predictions of the shipped posterior"


@dataclass(frozen=True)
class Residual:
    """One fitted figure less its prediction, on the working scale.

    Attributes
    ----------
    error : published less predicted, enlarged for the degrees of freedom that the fit took
    variance : of sampling at the trial's size, without a between-trial effect
    """

    study: str
    figure: str
    kind: Kind
    error: float
    variance: float


def residuals_of(validation: Validation, fit: LinearPosterior | None = None) -> tuple[Residual, ...]:
    """Residuals of all fitted figures of whole trials; those of arms whose median is never reached are left out.

    Parameters
    ----------
    fit : the posterior to first order, which tells the degrees of freedom that the fit took; None: it took none
    """
    taken = 0.0 if fit is None else fit.determined / fit.centre.size
    enlarged = 1.0 / math.sqrt(1.0 - taken)
    found = []
    for v in validation.trials:
        for c in v.compared:
            f, p = c.figure, c.predicted
            means = p.means[np.isfinite(p.means)]
            if f.role != "fit" or f.key.subgroup or not means.size:
                continue
            published = float(to_scale(np.array([f.value]), p.kind, 0.5 / v.trial.population.size)[0])
            error = enlarged * (published - float(means.mean()))
            found.append(Residual(v.trial.study or v.trial.id, f.id, f.key.kind, error, p.v_within))
    return tuple(found)


def left_out_residuals(
    fit: LinearPosterior,
    *,
    trials: Sequence[str] = FIT_TRIALS,
    patients: int = LEFT_OUT_PATIENTS,
    seed: int = 1,
    jobs: int = 1,
    on_progress: Callable[[str, float], None] | None = None,
) -> tuple[Residual, ...]:
    """Every fitted figure less what the model gives with its trial left out of the fit.

    Parameters
    ----------
    fit : the posterior to first order, from which the mode without a trial follows
    trials : left out, each alone
    patients : virtual patients per arm
    jobs : threads; the digits do not depend on it
    on_progress : called with the trial done and the share of all
    """
    free = load_free()
    mode = coordinates(range(load_posterior().n)).mean(axis=0)
    designs = [load_trial(name) for name in trials]
    found: list[Residual] = []
    for number, trial in enumerate(designs):
        study = trial.study or trial.id
        targets = collect_targets([trial])
        mine = fit.stored.of(trial.id, study)
        if not targets or not mine:
            continue
        left = fit.leave(mine)
        z = np.clip(mode + left.move, -FARTHEST, FARTHEST)
        arms = fitted_arms(targets)[trial.id]
        pool = simulate_pool(build_model(free.values(z)), trial, patients, seed, jobs=jobs, arms=arms)
        predicted = predict_targets(targets, {trial.id: pool}, seed)
        variance = dict(zip((fit.stored.figures[k] for k in mine), np.diag(left.after), strict=True))
        for t, g in zip(targets, predicted, strict=True):
            kind: Kind = "hr" if t.statistic == "hr" else "rate" if t.statistic == "rate" else "median"
            sampling = t.error**2 - discrepancy_of(t.endpoint, t.statistic) ** 2
            v = sampling + float(variance[t.published])
            found.append(Residual(study, t.published, kind, t.value - float(g), v))
        if on_progress is not None:
            on_progress(trial.id, (number + 1) / len(designs))
    return tuple(found)


def most_probable(errors: Sequence[float], variances: Sequence[float], scale: float) -> float:
    """The tau with the highest posterior density; the prior's mode, zero, without any figure.

    Parameters
    ----------
    errors, variances : (figures,) on the working scale
    scale : of the half-normal prior
    """
    e, v = np.asarray(errors, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if not e.size:
        return 0.0

    def loss(tau: float) -> float:
        total = v + tau**2
        return 0.5 * float(np.sum(np.log(total) + e**2 / total)) + 0.5 * (tau / scale) ** 2

    # the density can have its peak at zero, where a bounded search does not look
    found = float(minimize_scalar(loss, bounds=(0.0, _LARGEST), method="bounded", options={"xatol": 1e-6}).x)
    return found if loss(found) < loss(0.0) else 0.0


def jackknifed(residuals: Sequence[Residual], scale: float) -> tuple[float, float, dict[str, float]]:
    """Most probable tau, its standard error, and the tau without each study."""

    def tau(kept: Sequence[Residual]) -> float:
        return most_probable([r.error for r in kept], [r.variance for r in kept], scale)

    studies = sorted({r.study for r in residuals})
    without = {s: round(tau([r for r in residuals if r.study != s]), 4) for s in studies}
    n = len(studies)
    x = np.array(list(without.values()))
    error = math.sqrt((n - 1) / n * float(np.sum((x - x.mean()) ** 2))) if n > 1 else scale
    return round(tau(residuals), 4), round(error, 4), without


def estimate(residuals: Sequence[Residual], left_out: Sequence[Residual], kind: Kind) -> Spread:
    """The spreads of one kind of statistic with their jackknife.

    Parameters
    ----------
    residuals : of the fit
    left_out : of each figure with its trial left out of the fit
    """
    mine = [r for r in residuals if r.kind == kind]
    scale = PRIOR_SCALE[kind]
    value, error, without = jackknifed(mine, scale)
    outside, outside_error, outside_without = jackknifed([r for r in left_out if r.kind == kind], 2.0 * scale)
    # what trials of one regimen differ by is part of both
    outside_without = {s: max(x, without.get(s, value)) for s, x in outside_without.items()}
    return Spread(
        statistic=kind,
        scale="logit" if kind == "rate" else "log",
        value=value,
        standard_error=error,
        outside=max(outside, value),
        outside_error=outside_error,
        prior_scale=scale,
        figures=len(mine),
        trials=len(without),
        quality="derived",
        source=_SOURCE,
        without=without,
        outside_without=outside_without,
    )


def estimate_between(
    validation: Validation, *, jobs: int = 1, on_progress: Callable[[str, float], None] | None = None
) -> BetweenFile:
    """The content of the file that ships with the package.

    Parameters
    ----------
    validation : a run over the trials with fitted figures, without a between-trial effect
    jobs, on_progress : as for `left_out_residuals`

    Raises
    ------
    her2.errors.RecordError
        If the run shows no fitted figure of some kind, or the posterior does not tell how to leave a trial out.
    """
    fit = load_linear_posterior()
    if fit is None:
        raise RecordError(
            "posterior/predictions.tsv: does not hold the members' predictions to first order, so that the degrees of "
            "freedom of the fit are unknown; run `her2 calibrate` again"
        )
    residuals = residuals_of(validation, fit)
    for kind in PRIOR_SCALE:
        if not any(r.kind == kind for r in residuals):
            raise RecordError(
                f"between-trial effect: no fitted figure of the kind '{kind}' among the trials; name no trials to take "
                "all"
            )
    left_out = left_out_residuals(fit, jobs=jobs, on_progress=on_progress)
    return BetweenFile(
        posterior_digest=validation.posterior_digest,
        version=validation.version,
        method=_METHOD,
        settings=dict(validation.settings),
        spreads=tuple(estimate(residuals, left_out, kind) for kind in PRIOR_SCALE),
    )


def write_between(content: BetweenFile, path: Path = BETWEEN) -> None:
    """Write the file.

    Raises
    ------
    her2.errors.OutputError
        If it cannot be written.
    """
    import yaml

    head = (
        "# Between-trial effect, written by `her2 validate --between-trials`; see her2.validation.between.\n"
    )
    text = head + yaml.safe_dump(content.model_dump(), sort_keys=False, allow_unicode=True, width=110)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def trials_with_fit() -> tuple[str, ...]:
    """Built-in trials with a fitted figure of their own."""
    found = []
    for name in trial_names():
        study = load_trial(name).study
        if study is not None and fit_values(study):
            found.append(name)
    return tuple(found)


def none_between() -> Mapping[Kind, float]:
    """No between-trial effect: for the run that the estimate is made from."""
    return dict.fromkeys(PRIOR_SCALE, 0.0)
