"""Which mechanisms carry an arm's result and a contrast: the same patients with one mechanism switched off.

Each mechanism is a set of parameter values that take it away. The patients, their thresholds and scans stay the same
(twins), so that a difference is the mechanism and not chance; where earlier lines select who enters, those change too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from her2.model import build_model
from her2.posterior import central_model
from her2.trials.analyse import TIMES, arm_statistics, observe_arms
from her2.trials.design import Trial
from her2.trials.follow import Pool, simulate_pool
from her2.trials.intervals import twin_cox


@dataclass(frozen=True)
class Mechanism:
    """A mechanism, the parameter values without it, and the kinds of drug action it needs (none: always there)."""

    id: str
    label: str
    without: dict[str, float]
    needs: tuple[str, ...] = ()


MECHANISMS = (
    Mechanism("effector_kill", "antibody-dependent kill", {"tumour.effector_kill": 0.0}, ("effector",)),
    Mechanism("apoptosis", "death by loss of survival signals", {"tumour.apoptosis_kill": 0.0}),
    Mechanism(
        "trastuzumab_blockade", "block of HER2 signalling by trastuzumab",
        {
            "receptors.block_trastuzumab_her2_her2": 0.0, "receptors.block_trastuzumab_her2_her3": 0.0,
            "receptors.block_trastuzumab_ligand_driven": 0.0, "receptors.trastuzumab_downregulation": 0.0,
        },
        ("epitope",),
    ),
    Mechanism(
        "pertuzumab_blockade", "block of heterodimers by pertuzumab",
        {"receptors.block_pertuzumab_ligand_driven": 0.0, "receptors.block_pertuzumab_ligand_free": 0.0},
        ("epitope",),
    ),
    Mechanism("payload", "payload of a conjugate", {"payload.t_dm1": 0.0, "payload.mm_302": 0.0}, ("payload",)),
    Mechanism(
        "chemo_synergy", "chemotherapy made more active by loss of survival signals", {"tumour.chemo_synergy": 0.0},
        ("cytotoxic",),
    ),
    Mechanism(
        "chemo_arrest", "chemotherapy made less active by arrest", {"tumour.chemo_cycle_exponent": 0.0},
        ("cytotoxic",),
    ),
    Mechanism("her3_adaptation", "HER3 re-expression", {"signalling.gain_her3": 0.0}),
    Mechanism("er_adaptation", "re-activation of ER", {"signalling.gain_er": 0.0}),
    Mechanism(
        "er_withdrawal", "death and arrest by loss of ER",
        {"tumour.er_withdrawal_kill": 0.0, "tumour.er_drive": 0.0}, ("input",),
    ),
    Mechanism("angiogenesis", "growth that hangs on VEGF", {"angiogenesis.share": 0.0}, ("vegf",)),
    Mechanism(
        "resistant_clones", "resistant clones present from the start",
        {"tumour.clone_fraction_log10": -15.0, "tumour.mdr_fraction_log10": -15.0},
    ),
    Mechanism(
        "chemo_tolerance", "tolerance to chemotherapy", {"tumour.line_tolerance": 0.0}, ("cytotoxic",)
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Explained:
    """Results with everything on (`mechanism` None) or without one mechanism.

    Attributes
    ----------
    arms : endpoint values of each arm: rates as fractions, medians in months
    hazard_ratios : by (experimental, control) arm positions and endpoint
    """

    mechanism: Mechanism | None
    arms: tuple[dict[str, float], ...]
    hazard_ratios: dict[tuple[int, int], dict[str, float]]


def explain_trial(
    trial: Trial,
    *,
    patients: int = 1000,
    seed: int = 1,
    jobs: int = 1,
    on_mechanism: Callable[[int, int], None] | None = None,
) -> tuple[Explained, ...]:
    """Results of a trial as it is, then without each mechanism that its drugs use.

    Parameters
    ----------
    patients : virtual patients, each followed on every arm
    on_mechanism : called with the number of simulations done and their total
    """
    model = central_model()
    whole = simulate_pool(model, trial, patients, seed, jobs=jobs)
    used = {
        x.on
        for arm in trial.arms
        for option in arm.choices
        for part in option.regimen
        for agent in whole.plan.model.agents
        if agent.id == part.agent and agent.pharmacodynamics is not None
        for x in agent.pharmacodynamics.actions
    }
    wanted = [m for m in MECHANISMS if not m.needs or used & set(m.needs)]
    results = [_read(None, whole, seed)]
    for k, mechanism in enumerate(wanted):
        if on_mechanism is not None:
            on_mechanism(k + 1, len(wanted) + 1)
        pool = simulate_pool(
            build_model({**model.values, **mechanism.without}), trial, patients, seed, jobs=jobs
        )
        results.append(_read(mechanism, pool, seed))
    return tuple(results)


def _read(mechanism: Mechanism | None, pool: Pool, seed: int) -> Explained:
    trial = pool.plan.trial
    n_arms = len(trial.arms)
    reported: tuple[str, ...] = trial.endpoints.reported
    on_arm = [observe_arms(pool, np.full(pool.n, k), seed) for k in range(n_arms)]
    arms = tuple(
        {e: x.value for e, x in arm_statistics(on_arm[k], k).items() if e in reported} for k in range(n_arms)
    )
    control = [a.id for a in trial.arms].index(trial.control)
    ratios: dict[tuple[int, int], dict[str, float]] = {}
    for k in range(n_arms):
        if k == control:
            continue
        ratios[k, control] = {}
        for e in (e for e in reported if e in TIMES and e in on_arm[k].times):
            fit = twin_cox(on_arm[k].times[e], on_arm[control].times[e])
            ratios[k, control][e] = fit.hazard_ratio if fit.status == "converged" else float("nan")
    return Explained(mechanism, arms, ratios)
