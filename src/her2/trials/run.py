"""Run a virtual trial: central prediction, intervals at the trial's real size, null model, split of uncertainty.

Every virtual patient is followed on every arm (twins). The headline is the statistic of all patients on each arm; the
intervals are those of trials of the real size drawn from pools of several posterior members, so that they hold
parameters, patients, the noise of events and scans, and a between-trial random effect.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from her2.errors import OutputError
from her2.evidence.load import load_study
from her2.evidence.schema import PublishedValue
from her2.model import Model
from her2.posterior import central_model, load_posterior, member_model
from her2.scale import LocalExecutor, active, fingerprint
from her2.store import ChunkStore
from her2.trials.adverse import BaselineRow
from her2.trials.analyse import (
    RATES,
    Estimate,
    Replicates,
    TrialData,
    allocate,
    arm_statistics,
    observe_arms,
    resample_trials,
)
from her2.trials.between import between_trial_sd
from her2.trials.design import Trial
from her2.trials.follow import Plan, Pool, simulate_pool
from her2.trials.intervals import Kind, noise_variance, predictive_sample, twin_cox, twin_error
from her2.trials.observed import Observed, observe_pool, observe_stage, read_pool, simulate_stage
from her2.trials.tasks import PoolTask, simulate_pools
from her2.trials.toxicity import EventRow

Array = NDArray[np.float64]
PREDICTIVE_LEVEL = 0.90
CHUNK = 16_384
"""Patients per chunk of a store, unless said otherwise."""
NULL_PATIENTS = 50_000
"""Patients of the null model at most: its figures stand beside the prediction without an interval."""


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
    """Everything `her2 trial` shows.

    Attributes
    ----------
    plan : the trial made ready
    screened, status_counts : patients simulated to find those of the trial, and how many by status
    whole : all patients, and the trial in which each is randomised; None where they stayed in the store
    """

    trial: Trial
    seed: int
    patients: int
    failed: tuple[int, ...]
    arms: tuple[dict[str, Prediction], ...]
    contrasts: dict[tuple[int, int], dict[str, Prediction]]
    plan: Plan
    screened: int
    status_counts: dict[str, int]
    whole: tuple[Pool, TrialData] | None
    replicates: Replicates | None
    adverse_events: tuple[tuple[EventRow, ...], ...]
    baseline: tuple[BaselineRow, ...]
    digest: str
    elapsed_s: float
    timing: dict[str, float] = field(default_factory=dict)

    @property
    def pool(self) -> Pool:
        """All patients.

        Raises
        ------
        her2.errors.OutputError
            If they stayed on the disk.
        """
        return self._in_memory[0]

    @property
    def data(self) -> TrialData:
        """The trial in which each patient is randomised.

        Raises
        ------
        her2.errors.OutputError
            If the patients stayed on the disk.
        """
        return self._in_memory[1]

    @property
    def _in_memory(self) -> tuple[Pool, TrialData]:
        if self.whole is None:
            raise OutputError(
                f"trial {self.trial.id}: its {self.patients} patients are in the store and not in memory; ask for them "
                "with --tables, or read the Parquet files of the store"
            )
        return self.whole


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
    store: ChunkStore | None = None,
    chunk: int = CHUNK,
    in_memory: bool = True,
    on_progress: Callable[[str, float], None] | None = None,
) -> TrialResult:
    """Simulate a trial and compare it with the record.

    Parameters
    ----------
    patients : virtual patients, each followed on every arm
    trials : trials of the real size drawn for the intervals; 0 for none
    members : posterior members that carry the parameter uncertainty
    member_patients : virtual patients per member; default twice an arm of the real trial, 200 to 2,000
    jobs : threads; within `her2.scale.use` patients are spread over that executor instead
    show_held_out : whether figures marked as held out may be shown
    store : where to keep the patients, chunk by chunk; what it holds already is not simulated again. Opened for
        `store_identity` of the same trial and seed
    chunk : patients per chunk
    in_memory : with a store, whether to read all patients back for pictures and tables
    on_progress : called with the name of the stage and the share done, 0 to 1

    Raises
    ------
    her2.errors.Her2Error
        If the trial cannot be simulated, or the store not be written or read; what the store has, it keeps.
    """
    began = time.perf_counter()
    report = on_progress or (lambda stage, share: None)
    n_arms = len(trial.arms)
    null_patients = min(max(200, patients // 2), NULL_PATIENTS)
    if member_patients is None:
        member_patients = min(max(2 * trial.population.size // n_arms, 200), 2000)
    total = (patients + null_patients) * n_arms
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

    def see(stage: str, n: int, name: str, *, null_model: bool) -> tuple[Observed, Pool | None]:
        """Patients of a stage on every arm, from memory or from the store."""
        nonlocal clock
        clock = time.perf_counter()
        tables, count = not null_model, progress(stage)
        try:
            if store is None:
                pool = simulate_pool(
                    model, trial, n, seed, null_model=null_model, jobs=jobs, on_patients=count
                )
                return observe_pool(pool, seed, tables=tables, show_held_out=show_held_out), pool
            task = PoolTask.of(model, trial, n, seed, null_model=null_model)
            simulate_stage(store, name, task, active() or LocalExecutor(jobs), chunk, count)
            timing[f"{stage}, simulated"] = time.perf_counter() - clock
            seen = observe_stage(store, name, task, tables=tables, show_held_out=show_held_out)
            return seen, read_pool(store, name, task) if in_memory and not null_model else None
        finally:
            timing[stage] = time.perf_counter() - clock

    seen, pool = see("patients", patients, "model", null_model=False)
    seen_null, _ = see("null model", null_patients, "null", null_model=True)
    whole = None if pool is None else (pool, observe_arms(pool, allocate(pool, seed), seed))
    on_arm, null_arm = seen.on_arm, seen_null.on_arm

    h = hashlib.blake2b(digest_size=16)
    for digest in (*seen.digests, *seen_null.digests):
        h.update(digest.encode())
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
        draws: list[tuple[Model, int, int | None]] = []
        for k, member in enumerate(chosen):
            own = seed + 104_729 * (k + 1)
            draws.append((member_model(int(member)), own, None))
        # with prior lines another noise seed would enrol other patients
        if not any(h.lines for h in trial.entry_histories):
            draws += [(m, own, own + 1) for m, own, _ in draws[: max(2, used // 4)]]
        every = _simulate_members(seen.plan, draws, member_patients, jobs, progress("parameters"))
        pools, noisy = every[:used], every[used:]
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
            kind: Kind = "rate" if e in RATES else "median"
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
    failed = sorted(
        {
            int(i)
            for ids in (seen.failed, seen_null.failed, *(p.failed for p in (*pools, *noisy)))
            for i in ids
        }
    )
    return TrialResult(
        trial=trial,
        seed=seed,
        patients=seen.n,
        failed=tuple(failed),
        arms=tuple(arm_results),
        contrasts=contrast_results,
        plan=seen.plan,
        screened=seen.screened,
        status_counts=seen.status_counts,
        whole=whole,
        replicates=replicates,
        adverse_events=seen.adverse_events,
        baseline=seen.baseline,
        digest=h.hexdigest(),
        elapsed_s=time.perf_counter() - began,
        timing=timing,
    )


def store_identity(trial: Trial, seed: int) -> dict[str, object]:
    """What the patients of a store rest on: those of another trial, seed, calibration or version are never joined."""
    from her2 import __version__

    values = sorted(central_model().values.items())
    return {
        "trial": trial.id,
        "seed": seed,
        "version": __version__,
        "trial_file": trial.model_dump(mode="json", by_alias=True),
        "parameters": hashlib.blake2b(repr(values).encode(), digest_size=16).hexdigest(),
        "code_and_record": fingerprint(),
    }


def _simulate_members(
    plan: Plan,
    draws: list[tuple[Model, int, int | None]],
    patients: int,
    jobs: int,
    on_patients: Callable[[int], None],
) -> list[Pool]:
    """Pools of several models, each with its seed and seed of the noise; all at once where an executor is in use."""
    executor = active()
    if executor is None:
        return [
            simulate_pool(
                m, plan.trial, patients, own, noise_seed=noise, jobs=jobs, on_patients=on_patients, plan=plan
            )
            for m, own, noise in draws
        ]
    tasks = [PoolTask.of(m, plan.trial, patients, own, noise_seed=noise) for m, own, noise in draws]
    plans = [plan.carrying(m) for m, _, _ in draws]
    return simulate_pools(tasks, executor, plans=plans, on_patients=on_patients)


def _twin_contrast(on_arm: Sequence[TrialData], experimental: int, control: int) -> dict[str, Estimate]:
    """Hazard ratio between all patients on one arm and the same patients on another."""
    fits = {e: twin_cox(tte, on_arm[control].times[e]) for e, tte in on_arm[experimental].times.items()}
    return {e: Estimate(fit.hazard_ratio, fit.lower, fit.upper) for e, fit in fits.items()}


def _twin_error(on_arm: Sequence[TrialData], experimental: int, control: int, endpoint: str) -> float:
    """Monte-Carlo standard error of a hazard ratio between twins, from ten disjoint batches of patients."""
    return twin_error(on_arm[experimental].times[endpoint], on_arm[control].times[endpoint])


def _predict(
    central: Estimate,
    null: float,
    kind: Kind,
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
        between=between_trial_sd(trial.study, fitted=published is not None and published.role == "fit")[kind],
        seed=seed, pairing=pairing,
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
