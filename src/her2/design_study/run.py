"""Run a design study: pools of twins under posterior members, many trials of each size, and subgroups."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.design_study.boundaries import Boundaries, set_boundaries
from her2.design_study.classical import classical_power, events_needed
from her2.design_study.draw import Source, draw_trials, expected_event_share, make_source
from her2.design_study.effects import Effect, find_effect
from her2.design_study.looks import Outcomes, Protocol, follow_looks
from her2.design_study.schema import DesignTask
from her2.design_study.size import NeededSize, find_ceiling, find_needed_size, interpolate
from her2.design_study.spending import spend_error
from her2.errors import RecordError
from her2.posterior import load_posterior, member_model
from her2.survival import wilson
from her2.trials.between import between_trial_sd
from her2.trials.endpoints import member as in_subgroup
from her2.trials.follow import Pool, simulate_pool

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Report = Callable[[str, float], None]
_CHUNK = 250_000
"""Patients drawn at once."""
FEWEST_CANDIDATES = 40
"""Patients of a subgroup in a pool below which no trials are drawn from it."""
PATIENCE = 2.0
"""Longest wait for the final events after the last patient is in, in units of the trial file's own (assumed)."""


@dataclass(frozen=True)
class Rate:
    """A share of simulated trials with its 95 % Monte-Carlo interval (Wilson)."""

    value: float
    low: float
    high: float
    trials: int


@dataclass(frozen=True)
class SizeResult:
    """What trials of one size do.

    Attributes
    ----------
    size : patients randomised
    events : (looks,), events that trigger each look
    accrual_days : time to enrol
    assurance : probability of success, mean over members
    mc_error : its standard error from the number of trials, the members being given
    member_error : its standard error from the number of members and of trials
    power : (members,), probability of success given each member
    classical : power of the test at the mean log hazard ratio, proportional hazards, no uncertainty of the
        effect
    stop_efficacy, stop_futility : (looks,), probability to end at each look with significance, or for
        futility
    stop_final : probability to end at the last look without significance
    short : probability that the final events never come and the latest day decides
    expected_events, expected_days, expected_patients : means at the end of the trial
    days : 5 % and 95 % quantile of the duration
    type_one : share of significant trials with the control in both arms, futility not heeded; None if not
        computed
    """

    size: int
    events: tuple[int, ...]
    accrual_days: float
    assurance: float
    mc_error: float
    member_error: float
    power: Array
    classical: float
    stop_efficacy: Array
    stop_futility: Array
    stop_final: float
    short: float
    expected_events: float
    expected_days: float
    expected_patients: float
    days: tuple[float, float]
    type_one: Rate | None


@dataclass(frozen=True)
class GroupResult:
    """All patients, or a subgroup to which the trial could be restricted.

    Attributes
    ----------
    name : `all`, or the subgroup
    prevalence : among those screened
    prevalence_measured : whether that is its share in the simulated population
    inside, outside : true effect in the group and among the rest; None for all patients
    better : share of members under which the effect is larger inside than outside; NaN for all patients
    sizes : by size; empty where a pool holds too few patients
    ceiling : assurance that no size can pass
    needed : size for the wanted assurance
    compared : size for the assurance at which groups are compared
    screened : patients screened for it
    days : expected duration of a trial of that size
    """

    name: str
    prevalence: float
    prevalence_measured: bool
    inside: Effect
    outside: Effect | None
    better: float
    sizes: tuple[SizeResult, ...]
    ceiling: float
    needed: NeededSize
    compared: NeededSize
    screened: float | None
    days: float | None


@dataclass(frozen=True)
class DesignResult:
    """Everything `her2 design` shows.

    Attributes
    ----------
    groups : all patients first
    bounds : stopping rule
    target : assurance at which groups are compared: the wanted one, or the largest that all patients reach
        beyond its Monte-Carlo error
    type_one : over all sizes
    events_classical : events for the wanted power at the mean log HR by Schoenfeld's formula; NaN without
        benefit
    """

    task: DesignTask
    seed: int
    members: tuple[int, ...]
    member_patients: int
    trials: int
    between_trial_sd: float
    bounds: Boundaries
    groups: tuple[GroupResult, ...]
    target: float
    type_one: Rate
    events_classical: float
    failed: tuple[int, ...]
    digest: str
    elapsed_s: float

    @property
    def overall(self) -> GroupResult:
        """All patients."""
        return self.groups[0]


@dataclass(frozen=True)
class _Study:
    """What all simulated trials of a study share."""

    task: DesignTask
    sources: tuple[Source, ...]
    bounds: Boundaries
    ratio: tuple[int, int]
    block: int
    rate_per_day: float
    planned_follow_up: float
    max_follow_up: float
    between_trial_sd: float
    trials: int
    seed: int
    jobs: int


def run_design(
    task: DesignTask,
    *,
    members: int = 12,
    patients: int = 1000,
    trials: int = 2000,
    seed: int = 1,
    jobs: int = 1,
    on_progress: Report | None = None,
) -> DesignResult:
    """Power, probability of success, size and enrichment of a trial over the posterior ensemble.

    Parameters
    ----------
    members : posterior members, evenly spaced over the ensemble
    patients : virtual patients per member, each followed on both arms
    trials : simulated trials of each size, shared among the members
    jobs : threads; the digits do not depend on it
    on_progress : called with the name of the stage and the share done, 0 to 1

    Raises
    ------
    her2.errors.RecordError
        If looks or population leave nothing to simulate; the text says what to change.
    """
    began = time.perf_counter()
    report = on_progress or (lambda stage, share: None)
    study_bounds = _set_bounds(task)
    posterior = load_posterior()
    chosen = np.unique(np.linspace(0, posterior.n - 1, min(members, posterior.n)).astype(int))
    pools = _simulate_pools(task, chosen, patients, seed, jobs, report)
    sources = tuple(make_source(p, task.endpoint, task.design.stratified) for p in pools)
    study = _lay_out(task, sources, study_bounds, max(trials, chosen.size), seed, jobs)
    groups = [("all", [np.ones(p.n, dtype=bool) for p in pools])]
    for name in task.design.enrichment.subgroups:
        groups.append((name, [_inside(p, name) for p in pools]))
    done, total = 0, (len(groups) + 1) * len(task.sizes)

    def step() -> None:
        nonlocal done
        done += 1
        report("trials", done / total)

    results: list[GroupResult] = []
    for name, inside in groups:
        results.append(_study_group(study, name, inside, results[0] if results else None, step))
    digest = hashlib.blake2b(digest_size=16)
    for pool in pools:
        for followed in pool.arms:
            digest.update(followed.digest().encode())
    inputs = (task.trial.model_dump_json(), task.design.model_dump_json(), str((task.arms, trials, seed)))
    for text in inputs:
        digest.update(text.encode())
    overall = results[0]
    mean_hr = overall.inside.hazard_ratio
    share = study.ratio[0] / sum(study.ratio)
    design = task.design
    rates = [s.type_one for s in overall.sizes if s.type_one is not None]
    return DesignResult(
        task=task,
        seed=seed,
        members=tuple(int(k) for k in chosen),
        member_patients=patients,
        trials=study.trials,
        between_trial_sd=study.between_trial_sd,
        bounds=study_bounds,
        groups=tuple(results),
        target=_comparison_target(overall.sizes, design.power),
        type_one=_rate(sum(round(r.value * r.trials) for r in rates), sum(r.trials for r in rates)),
        events_classical=(
            events_needed(mean_hr, design.alpha, design.power, share) if mean_hr < 1.0 else float("nan")
        ),
        failed=tuple(sorted({int(i) for p in pools for i in p.failed})),
        digest=digest.hexdigest(),
        elapsed_s=time.perf_counter() - began,
    )


def _set_bounds(task: DesignTask) -> Boundaries:
    """The stopping rule a design file asks for."""
    looks, design = task.design.looks, task.design
    spent = spend_error(looks.spending, looks.information, design.alpha, looks.gamma, looks.alpha_spent)
    lost = None
    if looks.futility == "non_binding" and len(looks.information) > 1:
        beta = 1.0 - design.power
        if beta >= 0.5:
            raise RecordError("design, power: futility spends 1 - power; expected a power above 0.5")
        name = "obrien_fleming" if looks.spending == "custom" else looks.spending
        lost = spend_error(name, looks.information, beta, looks.gamma)
    return set_boundaries(looks.information, spent, lost)


def _simulate_pools(
    task: DesignTask, chosen: NDArray[np.int64], patients: int, seed: int, jobs: int, report: Report
) -> list[Pool]:
    """One pool of twins for each posterior member."""
    pools: list[Pool] = []
    done, total = 0, 2 * patients * chosen.size

    def count(k: int) -> None:
        nonlocal done
        done += k
        report("patients", min(done / total, 1.0))

    for k, number in enumerate(chosen):
        pools.append(
            simulate_pool(
                member_model(int(number)), task.trial, patients, seed + 104_729 * (k + 1), jobs=jobs,
                arms=task.arms, on_patients=count,
            )
        )  # fmt: skip
    return pools


def _lay_out(
    task: DesignTask, sources: tuple[Source, ...], bounds: Boundaries, trials: int, seed: int, jobs: int
) -> _Study:
    """Allocation, recruitment and follow-up from the trial file and the design."""
    trial, design = task.trial, task.design
    x, c = task.arms
    ratio = (trial.randomisation.ratio[x], trial.randomisation.ratio[c])
    block = trial.randomisation.block
    if block % sum(ratio):
        block = sum(ratio) * max(block // sum(ratio), 1)
    share = sum(ratio) / sum(trial.randomisation.ratio)
    rate = design.accrual_rate or trial.population.size * share / trial.accrual.duration
    horizon = trial.horizon_days
    planned = min(max(trial.cut_of(task.endpoint) - trial.accrual.duration, 0.0), horizon)
    longest = min(design.max_follow_up or PATIENCE * planned, horizon)
    sd = design.between_trial_sd
    return _Study(
        task=task,
        sources=sources,
        bounds=bounds,
        ratio=ratio,
        block=block,
        rate_per_day=rate,
        planned_follow_up=min(planned, longest),
        max_follow_up=longest,
        between_trial_sd=between_trial_sd()["hr"] if sd is None else sd,
        trials=trials,
        seed=seed,
        jobs=jobs,
    )


def _inside(pool: Pool, name: str) -> Flags:
    """Who belongs to a subgroup, or to the rest of one (`not NAME`)."""
    flags = in_subgroup(pool.cohort.attributes, name.removeprefix("not "))
    return ~flags if name.startswith("not ") else flags


def _study_group(
    study: _Study, name: str, inside: list[Flags], overall: GroupResult | None, step: Callable[[], None]
) -> GroupResult:
    """Trials restricted to a group, at every size; all patients where `overall` is None."""
    task, design = study.task, study.task.design
    trial = task.trial
    measured = float(np.mean([flags.mean() for flags in inside]))
    given = None if overall is None else design.enrichment.prevalence_of(name)
    prevalence = measured if given is None else given
    accrual, cut = trial.accrual.duration, trial.cut_of(task.endpoint)
    effect = find_effect(study.sources, inside, accrual, cut, study.seed)
    outside, better = None, float("nan")
    if overall is not None:
        outside = find_effect(study.sources, [~flags for flags in inside], accrual, cut, study.seed)
        both = np.isfinite(effect.log_hr) & np.isfinite(outside.log_hr)
        better = float(np.mean(effect.log_hr[both] < outside.log_hr[both])) if both.any() else float("nan")
    sources = [s.only(flags) for s, flags in zip(study.sources, inside, strict=True)]
    sizes: list[SizeResult] = []
    can_draw = min(int(flags.sum()) for flags in inside) >= FEWEST_CANDIDATES
    for k, size in enumerate(task.sizes):
        if can_draw:
            sizes.append(
                _study_size(study, sources, k, size, prevalence, effect.hazard_ratio, overall is None)
            )
        step()
        if overall is None:
            step()
    ceiling = find_ceiling(effect.log_hr, study.between_trial_sd, design.success.hr_below)
    base = sizes if overall is None else overall.sizes
    target = _comparison_target(base, design.power) if base else design.power
    needed, compared = (_needed(study, sizes, wanted) for wanted in (design.power, target))
    at = compared.size
    return GroupResult(
        name=name,
        prevalence=prevalence,
        prevalence_measured=given is None,
        inside=effect,
        outside=outside,
        better=better,
        sizes=tuple(sizes),
        ceiling=ceiling,
        needed=needed,
        compared=compared,
        screened=None if at is None else at / prevalence,
        days=None if at is None else interpolate(task.sizes, [s.expected_days for s in sizes], at),
    )


def _comparison_target(sizes: Sequence[SizeResult], wanted: float) -> float:
    """The wanted assurance, or the largest that these trials reach beyond their Monte-Carlo error."""
    best = max(sizes, key=lambda s: s.assurance)
    return min(wanted, max(best.assurance - 2.0 * best.mc_error, 0.0))


def _needed(study: _Study, sizes: list[SizeResult], target: float) -> NeededSize:
    if not sizes:
        return NeededSize(None, None, None, False)
    return find_needed_size(
        study.task.sizes,
        [s.assurance for s in sizes],
        [s.mc_error for s in sizes],
        target,
        sum(study.ratio),
    )


def _study_size(
    study: _Study,
    sources: list[Source],
    number: int,
    size: int,
    prevalence: float,
    hazard_ratio: float,
    with_null: bool,
) -> SizeResult:
    """Trials of one size; with the control in both arms, too, where asked for."""
    design = study.task.design
    accrual = size / (study.rate_per_day * prevalence)
    final = _final_events(study, sources, number, size, accrual)
    events = tuple(min(max(int(np.ceil(t * final - 1e-9)), 2), size) for t in study.bounds.information)
    protocol = Protocol(
        size, events, accrual, accrual + study.max_follow_up, study.bounds, design.success.hr_below
    )
    # all groups and sizes share their random numbers, so that differences between them are sharper
    parts = _simulate(study, sources, protocol, stream=0)
    rates = np.array([float(p.success.mean()) for p in parts])
    weights = np.array([p.success.size for p in parts], dtype=np.float64)
    every = _join(parts)
    looks = len(events)
    n = every.look.size
    type_one = None
    if with_null:
        own = [s.without_effect() for s in sources]
        null = _join(_simulate(study, own, protocol, stream=1 + number, is_null=True))
        type_one = _rate(int(null.significant.sum()), null.significant.size)
    k = rates.size
    noise = float(np.sqrt(np.sum(rates * (1.0 - rates) / weights)) / k)
    return SizeResult(
        size=size,
        events=events,
        accrual_days=accrual,
        assurance=float(rates.mean()),
        mc_error=noise,
        member_error=float(rates.std(ddof=1) / np.sqrt(k)) if k > 1 else float("nan"),
        power=rates,
        classical=(
            classical_power(study.bounds, hazard_ratio, final, study.ratio[0] / sum(study.ratio))
            if np.isfinite(hazard_ratio)
            else float("nan")
        ),
        stop_efficacy=np.bincount(every.look[every.significant], minlength=looks) / n,
        stop_futility=np.bincount(every.look[every.futile], minlength=looks) / n,
        stop_final=float(np.mean(~every.significant & ~every.futile)),
        short=float(every.short.mean()),
        expected_events=float(every.events.mean()),
        expected_days=float(every.day.mean()),
        expected_patients=float(every.enrolled.mean()),
        days=(float(np.quantile(every.day, 0.05)), float(np.quantile(every.day, 0.95))),
        type_one=type_one,
    )


def _final_events(study: _Study, sources: list[Source], number: int, size: int, accrual: float) -> int:
    """Events of the final analysis: as the design says, or those expected at the planned follow-up.

    Numbers given for all patients hold for a trial of the same size in a subgroup.
    """
    given = study.task.design.events
    if not isinstance(given, str):
        return given[number]
    shares = [expected_event_share(s, study.ratio, accrual, study.planned_follow_up) for s in sources]
    return max(round(float(np.mean(shares)) * size), 4)


def _simulate(
    study: _Study, sources: list[Source], protocol: Protocol, *, stream: int, is_null: bool = False
) -> list[Outcomes]:
    """Trials under each member, in order."""
    largest = max(study.task.sizes)
    edges = np.linspace(0, study.trials, len(sources) + 1).astype(int)
    tasks: list[tuple[int, NDArray[np.int64]]] = []
    for k in range(len(sources)):
        numbers = np.arange(edges[k], edges[k + 1], dtype=np.int64)
        pieces = -(-numbers.size * protocol.size // _CHUNK)
        tasks += [(k, part) for part in np.array_split(numbers, max(pieces, 1)) if part.size]

    def one(item: tuple[int, NDArray[np.int64]]) -> Outcomes:
        k, numbers = item
        draws = draw_trials(
            sources[k], numbers, protocol.size, largest, protocol.accrual_days, study.ratio, study.block,
            study.seed, stream,
        )  # fmt: skip
        return follow_looks(
            sources[k],
            draws,
            protocol,
            between_trial_sd=0.0 if is_null else study.between_trial_sd,
            heed_futility=not is_null,
        )

    if study.jobs <= 1:
        done = [one(item) for item in tasks]
    else:
        with ThreadPoolExecutor(max_workers=study.jobs) as pool:
            done = list(pool.map(one, tasks))
    return [_join([o for (k, _), o in zip(tasks, done, strict=True) if k == m]) for m in range(len(sources))]


def _join(parts: Sequence[Outcomes]) -> Outcomes:
    """Outcomes of several batches as one."""
    return Outcomes(
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("look", "success", "significant", "futile", "events", "day", "enrolled", "short")
        )
    )


def _rate(count: int, trials: int) -> Rate:
    """A share with its 95 % interval."""
    if trials < 1:
        return Rate(float("nan"), float("nan"), float("nan"), 0)
    interval = wilson(count, trials)
    return Rate(count / trials, float(interval.lower), float(interval.upper), trials)
