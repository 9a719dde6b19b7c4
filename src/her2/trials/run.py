"""Run a virtual trial: central prediction, intervals at the trial's real size, null model, split of uncertainty.

Every virtual patient is followed on every arm (twins). The headline is the statistic of all patients on each arm; the
intervals are those of trials of the real size drawn from pools of several posterior members, so that they hold
parameters, patients, the noise of events and scans, and a between-trial random effect.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from her2.evidence.load import load_study
from her2.evidence.schema import PublishedValue
from her2.posterior import central_model, load_posterior, member_model
from her2.trials.adverse import BaselineRow, adverse_events, baseline
from her2.trials.analyse import (
    RATES,
    Estimate,
    Replicates,
    TrialData,
    allocate,
    arm_statistics,
    contrast_statistics,
    observe_arms,
    resample_trials,
)
from her2.trials.design import Trial
from her2.trials.follow import Pool, simulate_pool
from her2.trials.intervals import noise_variance, predictive_sample, twin_error
from her2.trials.toxicity import EventRow

Array = NDArray[np.float64]
BETWEEN_TRIAL_SD = {"rate": 0.20, "median": 0.10, "hr": 0.05}
"""Between-trial random effect: SD on the logit of a rate, the log of a median, the log of a hazard ratio (assumed: what
is left between trials of the same regimen and line, science notes)."""
PREDICTIVE_LEVEL = 0.90


@dataclass(frozen=True)
class Split:
    """Share of each source in the variance of a statistic at the trial's real size; the shares sum to one."""

    parameters: float
    patients: float
    noise: float
    between_trials: float


@dataclass(frozen=True)
class Prediction:
    """A predicted statistic beside the published one.

    Attributes
    ----------
    value : headline, from all virtual patients
    low, high : 90 % predictive interval of a trial of the real size
    mc_error : Monte-Carlo standard error of the headline
    null : the null model's value
    split : where the uncertainty comes from
    published : the figure of the record, if any, and whether it was used for fitting
    """

    value: float
    low: float
    high: float
    mc_error: float
    null: float
    split: Split | None
    published: PublishedValue | None


@dataclass(frozen=True)
class TrialResult:
    """Everything `her2 trial` shows."""

    trial: Trial
    seed: int
    patients: int
    failed: tuple[int, ...]
    arms: tuple[dict[str, Prediction], ...]
    contrasts: dict[tuple[int, int], dict[str, Prediction]]
    pool: Pool
    data: TrialData
    replicates: Replicates | None
    adverse_events: tuple[tuple[EventRow, ...], ...]
    baseline: tuple[BaselineRow, ...]
    digest: str
    elapsed_s: float
    timing: dict[str, float] = field(default_factory=dict)


def simulate_trial(
    trial: Trial,
    *,
    patients: int = 2000,
    trials: int = 300,
    members: int = 12,
    member_patients: int | None = None,
    seed: int = 1,
    jobs: int = 1,
    show_held_out: bool = False,
    on_progress: Callable[[str, float], None] | None = None,
) -> TrialResult:
    """Simulate a trial and compare it with the record.

    Parameters
    ----------
    patients : virtual patients, each followed on every arm
    trials : trials of the real size drawn for the intervals; 0 for none
    members : posterior members that carry the parameter uncertainty
    member_patients : virtual patients per member; default twice an arm of the real trial, 200 to 2,000
    jobs : threads
    show_held_out : whether figures marked as held out may be shown
    on_progress : called with the name of the stage and the share done, 0 to 1
    """
    began = time.perf_counter()
    report = on_progress or (lambda stage, share: None)
    n_arms = len(trial.arms)
    if member_patients is None:
        member_patients = min(max(2 * trial.population.size // n_arms, 200), 2000)
    total = (patients + max(200, patients // 2)) * n_arms
    if trials:
        total += (members + max(2, members // 4)) * member_patients * n_arms
    done = 0

    def progress(stage: str) -> Callable[[int], None]:
        def count(k: int) -> None:
            nonlocal done
            done += k
            report(stage, min(done / total, 1.0))

        return count

    timing: dict[str, float] = {}
    clock = time.perf_counter()
    model = central_model()
    timing["build"] = time.perf_counter() - clock
    clock = time.perf_counter()
    pool = simulate_pool(model, trial, patients, seed, jobs=jobs, on_patients=progress("patients"))
    timing["patients"] = time.perf_counter() - clock
    data = observe_arms(pool, allocate(pool, seed), seed)
    on_arm = [observe_arms(pool, np.full(pool.n, k), seed) for k in range(n_arms)]
    clock = time.perf_counter()
    null_pool = simulate_pool(
        model,
        trial,
        max(200, patients // 2),
        seed,
        null_model=True,
        jobs=jobs,
        on_patients=progress("null model"),
    )
    null_arm = [observe_arms(null_pool, np.full(null_pool.n, k), seed) for k in range(n_arms)]
    timing["null"] = time.perf_counter() - clock

    h = hashlib.blake2b(digest_size=16)
    for followed in (*pool.arms, *null_pool.arms):
        h.update(followed.digest().encode())
    for used_for in (trial.model_dump_json(), str((trials, seed))):
        h.update(used_for.encode())
    replicates: Replicates | None = None
    pools: list[Pool] = []
    noisy: list[Pool] = []
    paired: tuple[Replicates, Replicates] | None = None
    used = 0
    if trials:
        clock = time.perf_counter()
        posterior = load_posterior()
        used = min(members, posterior.n)
        chosen = np.linspace(0, posterior.n - 1, used).astype(int)
        for k, member in enumerate(chosen):
            own = seed + 104_729 * (k + 1)
            m = member_model(int(member))
            pools.append(
                simulate_pool(m, trial, member_patients, own, jobs=jobs, on_patients=progress("parameters"))
            )
            if k < max(2, used // 4) and not any(h.lines for h in trial.entry_histories):
                # with prior lines another noise seed would enrol other patients
                noisy.append(
                    simulate_pool(
                        m, trial, member_patients, own, noise_seed=own + 1, jobs=jobs,
                        on_patients=progress("noise"),
                    )
                )  # fmt: skip
        for p in (*pools, *noisy):
            for followed in p.arms:
                h.update(followed.digest().encode())
        replicates = resample_trials(pools, trials, trial.population.size, seed)
        few = pools[: len(noisy)]
        count = max(20, trials // 4)
        if noisy:
            paired = (
                resample_trials(few, count, trial.population.size, seed + 1),
                resample_trials(few, count, trial.population.size, seed + 1, noise_pools=noisy),
            )
        timing["ensemble"] = time.perf_counter() - clock

    published = _published(trial, show_held_out)
    control = [a.id for a in trial.arms].index(trial.control)
    reported = trial.endpoints.reported
    arm_results = []
    for k, arm in enumerate(trial.arms):
        central = arm_statistics(on_arm[k], k)
        null = arm_statistics(null_arm[k], k)
        row: dict[str, Prediction] = {}
        for e in reported:
            kind = "rate" if e in RATES else "median"
            samples = replicates.arms[k][e] if replicates else None
            pair = (paired[0].arms[k][e], paired[1].arms[k][e]) if paired else None
            row[e] = _predict(
                central[e], null[e].value, kind, samples, pair, used, trial, member_patients, seed, e,
                published.get((arm.id, e)),
            )  # fmt: skip
        arm_results.append(row)
    contrast_results: dict[tuple[int, int], dict[str, Prediction]] = {}
    for k in range(n_arms):
        if k == control:
            continue
        central = _twin_contrast(on_arm, k, control)
        null = _twin_contrast(null_arm, k, control)
        row = {}
        for e in reported:
            if e not in central:
                continue
            samples = replicates.contrasts[(k, control)][e] if replicates else None
            pair = (
                (paired[0].contrasts[(k, control)][e], paired[1].contrasts[(k, control)][e])
                if paired
                else None
            )
            row[e] = _predict(
                central[e], null[e].value, "hr", samples, pair, used, trial, member_patients, seed, e,
                published.get((trial.arms[k].id, trial.control, e)),
                central[e].value * _twin_error(on_arm, k, control, e),
            )  # fmt: skip
        contrast_results[(k, control)] = row
    failed = sorted({int(i) for p in (pool, null_pool, *pools, *noisy) for i in p.failed})
    return TrialResult(
        trial=trial,
        seed=seed,
        patients=pool.n,
        failed=tuple(failed),
        arms=tuple(arm_results),
        contrasts=contrast_results,
        pool=pool,
        data=data,
        replicates=replicates,
        adverse_events=adverse_events(pool, seed, show_held_out=show_held_out),
        baseline=baseline(pool),
        digest=h.hexdigest(),
        elapsed_s=time.perf_counter() - began,
        timing=timing,
    )


def _twin_contrast(on_arm: list[TrialData], experimental: int, control: int) -> dict[str, Estimate]:
    """Hazard ratio between all patients on one arm and the same patients on another."""
    joined = TrialData(
        patient=np.concatenate([on_arm[experimental].patient, on_arm[control].patient]),
        arm=np.concatenate([on_arm[experimental].arm, on_arm[control].arm]),
        enrol_day=np.concatenate([on_arm[experimental].enrol_day, on_arm[control].enrol_day]),
        lost_day=np.concatenate([on_arm[experimental].lost_day, on_arm[control].lost_day]),
        times={
            e: type(t)(
                np.concatenate([t.time, on_arm[control].times[e].time]),
                np.concatenate([t.event, on_arm[control].times[e].event]),
                np.concatenate([t.reason, on_arm[control].times[e].reason]),
            )
            for e, t in on_arm[experimental].times.items()
        },
        rates={},
    )
    return contrast_statistics(joined, experimental, control)


def _twin_error(on_arm: list[TrialData], experimental: int, control: int, endpoint: str) -> float:
    """Monte-Carlo standard error of a hazard ratio between twins, from ten disjoint batches of patients."""
    return twin_error(on_arm[experimental].times[endpoint], on_arm[control].times[endpoint])


def _predict(
    central: Estimate,
    null: float,
    kind: str,
    samples: Array | None,
    pair: tuple[Array, Array] | None,
    members: int,
    trial: Trial,
    member_patients: int,
    seed: int,
    endpoint: str,
    published: PublishedValue | None,
    mc_error: float | None = None,
) -> Prediction:
    """One statistic with interval, Monte-Carlo error and split of uncertainty."""

    wald = (central.high - central.low) / (2 * 1.959964)
    mc = wald if mc_error is None else mc_error
    # twins: the share of the variance that pairing leaves in a contrast of a finite pool
    pairing = 1.0 if mc_error is None or not wald > 0 else min((mc / wald) ** 2, 1.0)
    if samples is None:
        return Prediction(central.value, central.low, central.high, mc, null, None, published)
    n_arm = trial.population.size / len(trial.arms)
    sample = predictive_sample(
        samples, kind, members, size=trial.population.size, n_arm=n_arm, pool=member_patients,
        between=BETWEEN_TRIAL_SD[kind], seed=seed, pairing=pairing,
    )  # fmt: skip
    low, high = sample.limits(PREDICTIVE_LEVEL)
    if pair is None:
        return Prediction(central.value, low, high, mc, null, None, published)
    v_noise = noise_variance(*pair, kind, size=trial.population.size, n_arm=n_arm, pool=member_patients)
    v_noise = min(v_noise, sample.v_within)
    v_total = sample.v_parameters + sample.v_within + sample.v_between
    split = Split(
        sample.v_parameters / v_total,
        (sample.v_within - v_noise) / v_total,
        v_noise / v_total,
        sample.v_between / v_total,
    )
    return Prediction(central.value, low, high, mc, null, split, published)


def _published(trial: Trial, show_held_out: bool) -> dict[tuple[str, ...], PublishedValue]:
    """Published figures by (arm, endpoint) or (experimental, control, endpoint); those used for fitting first."""
    if trial.study is None:
        return {}
    found: dict[tuple[str, ...], PublishedValue] = {}
    order = {"fit": 0, "context": 1, "held_out": 2}
    for v in sorted(load_study(trial.study).values, key=lambda v: order[v.role]):
        if v.role == "held_out" and not show_held_out:
            continue
        if v.population != "all" or v.value is None or v.likely_correct is not None:
            continue
        if v.arm is not None and v.statistic in ("median", "rate") and v.endpoint != "ae":
            found.setdefault((v.arm, v.endpoint), v)
        elif v.contrast is not None and v.statistic == "hr":
            found.setdefault((v.contrast.experimental, v.contrast.control, v.endpoint), v)
    return found
