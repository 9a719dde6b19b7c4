"""Calibrate: free parameters, targets and claims, by the ensemble smoother; and the shipped posterior."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.calibration.claims import SOFT_CLAIMS, claim_values
from her2.calibration.free import FreeParameters, load_free, localisation
from her2.calibration.smoother import Smoothed, smooth_ensemble
from her2.calibration.targets import FIT_TRIALS, Target, collect_targets, predict_targets
from her2.model import build_model
from her2.trials.design import load_trial
from her2.trials.follow import prepare_trial, simulate_pool

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Outcome of a calibration."""

    free: FreeParameters
    targets: tuple[Target, ...]
    smoothed: Smoothed


def calibrate(
    *,
    members: int = 96,
    steps: int = 4,
    patients: int = 500,
    seed: int = 1,
    jobs: int = 2,
    trials: tuple[str, ...] = FIT_TRIALS,
    on_member: Callable[[int, int], None] | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> Calibration:
    """Fit the free parameters to the figures marked `role: fit` and to the soft claims.

    Parameters
    ----------
    members : size of the ensemble
    steps : data assimilations
    patients : per trial and member; each member and step draws patients of its own, so that nothing is polished on
        one small cohort
    jobs : members simulated at the same time
    """
    free = load_free()
    designs = {name: load_trial(name) for name in trials}
    targets = collect_targets(list(designs.values()))
    data = np.concatenate([[t.value for t in targets], [c.margin for c in SOFT_CLAIMS]])
    error = np.concatenate([[t.error for t in targets], [c.error for c in SOFT_CLAIMS]])

    def forward(step: int, member: int, z: Array) -> Array:
        model = build_model(free.values(np.clip(z, -4.0, 4.0)))
        own = seed + 1_000_003 * (step + 1) + 7919 * (member + 1)
        pools = {n: simulate_pool(model, d, patients, own) for n, d in designs.items()}
        if on_member is not None:
            on_member(step, member)
        return np.concatenate([predict_targets(targets, pools, own), claim_values(model)])

    plans = {n: prepare_trial(build_model({}), d) for n, d in designs.items()}
    agents = [frozenset(a.id for a in plans[t.trial].model.agents) for t in targets]
    in_brain = [designs[t.trial].population.brain_metastases in ("untreated", "treated") for t in targets]
    # the claims are about receptors and signals: they speak of every parameter
    mask = np.concatenate(
        [localisation(free.names, agents, in_brain), np.ones((len(free.names), len(SOFT_CLAIMS)))], axis=1
    )
    rng = np.random.default_rng(np.random.Philox(seed))
    result = smooth_ensemble(forward, data, error, len(free.names), members, steps, rng, on_step, jobs, mask)
    return Calibration(free, tuple(targets), result)
