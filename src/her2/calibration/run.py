"""Calibrate: free parameters, targets and claims; the mode of their posterior and members around it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.calibration.claims import SOFT_CLAIMS, claim_values
from her2.calibration.free import FreeParameters, load_free, speaks_of
from her2.calibration.laplace import Mode, birge_ratio, covariance, draw_members, find_mode
from her2.calibration.smoother import smooth_ensemble
from her2.calibration.targets import FIT_TRIALS, Target, collect_targets, fitted_arms, predict_targets
from her2.model import build_model
from her2.scale import active
from her2.trials.design import Trial, load_trial
from her2.trials.follow import prepare_trial, simulate_pool
from her2.trials.tasks import PoolTask, simulate_pools

Array = NDArray[np.float64]
STEP = 0.5
"""Prior standard deviations between the two points of a derivative."""
SMOOTHED_MEMBERS, SMOOTHED_STEPS, SMOOTHED_PATIENTS = 96, 3, 64
"""Size of the smoothed ensemble from whose mean a search from the prior begins."""
FRESH = 7919
"""Added to the seed for the fresh patients on whom the fit is checked."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Outcome of a calibration.

    Attributes
    ----------
    free, targets : what was fitted, and to what
    start : (parameters,) coordinates where the search began
    from_prior : whether that is the mean of an ensemble smoothed from the prior
    agents : given in an arm with a fitted figure
    mode : the mode of the posterior
    birge : factor on the errors of the figures in the spread of the members
    members : (members, parameters) standard normal coordinates; their mean is the mode
    predictions : (members, targets + claims) to first order about the mode
    fresh : (targets + claims,) at the mode, on patients who took no part in the fit
    nonlinearity : root mean square difference between what simulated members give and `predictions`, in errors
    """

    free: FreeParameters
    targets: tuple[Target, ...]
    start: Array
    from_prior: bool
    agents: tuple[str, ...]
    mode: Mode
    birge: float
    members: Array
    predictions: Array
    fresh: Array
    nonlinearity: float

    @property
    def misfit(self) -> tuple[float, ...]:
        """Sum of squares over the number of figures and claims: at the prior's centre and after each step."""
        return tuple(s / self.predictions.shape[1] for s in self.mode.sums)


def calibrate(
    *,
    members: int = 96,
    steps: int = 4,
    patients: int = 2000,
    slope_patients: int = 384,
    seed: int = 1,
    jobs: int = 2,
    start: Array | None = None,
    trials: tuple[str, ...] = FIT_TRIALS,
    on_progress: Callable[[str, float], None] | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> Calibration:
    """Fit the free parameters to the figures marked `role: fit` and to the soft claims.

    Parameters
    ----------
    members : size of the ensemble, even
    steps : evaluations of the whole fit set at most; from the prior as many before them with a quarter of the patients
    patients : per arm of each trial, the same at every step
    slope_patients : per arm for the derivatives, in which the patients' scatter cancels
    jobs : threads; the digits do not depend on it
    start : (parameters,) coordinates where the search begins; default the mean of a small smoothed ensemble
    on_progress : called with what is being done and the share of the present step that is done
    on_step : called with the number of the evaluation and its sum of squares
    """
    free = load_free()
    designs = {name: load_trial(name) for name in trials}
    targets = collect_targets(list(designs.values()))
    data = np.concatenate([[t.value for t in targets], [c.margin for c in SOFT_CLAIMS]])
    error = np.concatenate([[t.error for t in targets], [c.error for c in SOFT_CLAIMS]])
    weighted = np.concatenate([[t.search_error for t in targets], [c.error for c in SOFT_CLAIMS]])
    hears = _hearing(free, designs)
    arms = fitted_arms(targets)
    report = on_progress or (lambda what, share: None)

    def simulate(z: Array, which: tuple[str, ...], n: int, own: int, threads: int) -> Array:
        """Predictions of these trials, NaN for the others, and of the claims."""
        model = build_model(free.values(z))
        mine = [t for t in targets if t.trial in which]
        pools = {}
        executor = active()
        if executor is None:
            for k, name in enumerate(which):
                pools[name] = simulate_pool(model, designs[name], n, own, jobs=threads, arms=arms[name])
                if threads > 1:
                    report("fit set", (k + 1) / len(which))
        else:
            # all trials at once, or a cluster would wait for each
            tasks = [PoolTask.of(model, designs[name], n, own, arms=arms[name]) for name in which]
            pools = dict(zip(which, simulate_pools(tasks, executor), strict=True))
        g = np.full(len(targets), np.nan)
        g[[t.trial in which for t in targets]] = predict_targets(mine, pools, own)
        return np.concatenate([g, claim_values(model)])

    def predict(z: Array) -> Array:
        return simulate(z, trials, patients, seed, jobs)

    def roughly(z: Array) -> Array:
        return simulate(z, trials, max(patients // 4, 50), seed, jobs)

    def slopes(z: Array) -> Array:
        done = 0

        def one(k: int) -> Array:
            nonlocal done
            which = trials if k < 0 else tuple(t for t in trials if hears[free.names[k]][t])
            shifted = z.copy()
            if k >= 0:
                shifted[k] += _direction(z[k]) * STEP
            g = simulate(shifted, which, slope_patients, seed, 1)
            done += 1
            report("derivatives", done / (z.size + 1))
            return g

        with ThreadPoolExecutor(max_workers=max(jobs, 1)) as pool:
            centre, *moved = list(pool.map(one, range(-1, z.size)))
        columns = [
            np.where(np.isnan(g), 0.0, (g - centre) / (_direction(z[k]) * STEP)) for k, g in enumerate(moved)
        ]
        return np.stack(columns, axis=1)

    def smoothed(step: int, member: int, z: Array) -> Array:
        own = seed + 1_000_003 * (step + 1) + 7919 * (member + 1)
        g = simulate(np.clip(z, -4.0, 4.0), trials, SMOOTHED_PATIENTS, own, 1)
        report(f"smoothing, assimilation {step}", (member + 1) / SMOOTHED_MEMBERS)
        return g

    rng = np.random.default_rng(np.random.Philox(seed))
    from_prior = start is None
    if start is None:
        n = len(free.names)
        ensemble = smooth_ensemble(
            smoothed, data, error, n, SMOOTHED_MEMBERS, SMOOTHED_STEPS, rng, jobs=jobs, predict_last=False
        )
        start = ensemble.posterior.mean(axis=0)
        start = find_mode(roughly, slopes, data, weighted, start, steps, on_step).z
    mode = find_mode(predict, slopes, data, weighted, start, steps, on_step)
    birge = birge_ratio(mode, data, error)
    drawn = draw_members(mode, covariance(mode, birge * error), members, rng)
    linear = mode.predictions + (drawn - mode.z) @ mode.slopes.T
    fresh = simulate(mode.z, trials, patients, seed + FRESH, jobs)
    few = range(min(8, members // 2))
    centre = simulate(mode.z, trials, slope_patients, seed, jobs)
    differences = [
        (simulate(drawn[m], trials, slope_patients, seed, jobs) - centre - (linear[m] - mode.predictions))
        / error
        for m in few
    ]
    nonlinearity = float(np.sqrt(np.mean(np.square(differences))))
    given = given_agents(designs, arms)
    return Calibration(
        free, tuple(targets), start, from_prior, given, mode, birge, drawn, linear, fresh, nonlinearity
    )


def given_agents(designs: dict[str, Trial], arms: dict[str, list[int]]) -> tuple[str, ...]:
    """Agents given in the trial line of these arms, sorted."""
    return tuple(
        sorted(
            {
                component.agent
                for name, own in arms.items()
                for k in own
                for option in designs[name].arms[k].choices
                for component in option.regimen
            }
        )
    )


def _direction(z: float) -> float:
    """Side to which a derivative steps: towards the prior's centre where a coordinate is far out."""
    return -1.0 if z > 1.5 else 1.0


def _hearing(free: FreeParameters, designs: dict[str, Trial]) -> dict[str, dict[str, bool]]:
    """Which trials a parameter can change: free parameter -> trial -> whether it can."""
    model = build_model({})
    agents = {
        name: frozenset(a.id for a in prepare_trial(model, d).model.agents) for name, d in designs.items()
    }
    in_brain = {
        name: d.population.brain_metastases in ("untreated", "treated") for name, d in designs.items()
    }
    return {p: {t: speaks_of(p, agents[t], in_brain[t]) for t in designs} for p in free.names}
