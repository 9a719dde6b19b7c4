"""Follow the patients of a trial: trial file to kernel arrays, patients to courses, arm by arm.

Patients are virtual twins: the same patients (attributes, thresholds, scan noise) can be followed on every arm, so
that true effects of a patient or subgroup are known beside what a randomised trial would estimate.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import CourseArrays, RegimenArrays
from her2.engine.run import Followed, follow
from her2.errors import RecordError
from her2.evidence.load import files_of, load_population
from her2.model import Model
from her2.patients.sample import Cohort, population_values, sample_cohort
from her2.pharmacology.regimen import parse_regimen
from her2.sequencing.later_lines import LaterLine, plan_later_lines
from her2.sequencing.state import ClinicalState
from her2.trials.design import Arm, Component, Trial, load_regimen, merge_population

Array = NDArray[np.float64]
MAX_CYCLE_WEEKS = 12
NO_LIMIT = 1e9
PRIOR_LIMIT_WEEKS = 260
"""A prior line that lasts longer than five years ends the search: such a patient does not enter a later-line trial."""
_UNITS = ("mg", "mg/kg", "mg/m2")
FAR_FUTURE = 1e6


@dataclass(frozen=True)
class Plan:
    """A trial made ready for the kernel.

    Attributes
    ----------
    regimens : all regimens of the trial, by index
    names : their names, by index
    courses : one per arm
    later : the planned later lines of each arm, with their rules
    """

    trial: Trial
    regimens: RegimenArrays
    names: tuple[str, ...]
    courses: tuple[CourseArrays, ...]
    later: tuple[tuple[LaterLine, ...], ...]


def prepare_trial(model: Model, trial: Trial) -> Plan:
    """Compile arms, prior and later lines of a trial into kernel arrays.

    Raises
    ------
    her2.errors.Her2Error
        A dose that does not fit the engine's weekly grid; the text names trial, arm and agent.
    """
    available = {p.stem: load_regimen(p.stem) for p in files_of("regimens")}
    agents_of = {k: frozenset(c.agent for c in r.components) for k, r in available.items()}
    engine = {a.id for a in model.agents}
    can_give = sorted(k for k, agents in agents_of.items() if agents <= engine)
    scan_weeks = round(trial.scans.every / 7.0)

    names: list[str] = []
    components: list[Sequence[Component]] = []
    scans: list[int] = []

    def add(name: str, parts: Sequence[Component], every: int) -> int:
        names.append(name)
        components.append(parts)
        scans.append(every)
        return len(names) - 1

    prior = [add(n, available[n].components, 9) for n in trial.prior_lines]
    had_before: frozenset[str] = frozenset().union(*(agents_of[n] for n in trial.prior_lines))
    courses, later_plans = [], []
    horizon = math.ceil(trial.horizon_days / 7.0)
    later_index: dict[str, int] = {}
    for arm in trial.arms:
        arm_index = add(f"{trial.id}:{arm.id}", arm.regimen, scan_weeks)
        given = frozenset(c.agent for c in arm.regimen)
        state = ClinicalState(
            lines_completed=len(trial.prior_lines) + 1, had=had_before | given, year=trial.population.year
        )
        plan = plan_later_lines(state, agents_of, can_give, len(trial.later_lines.uptake))
        later_plans.append(tuple(plan))
        for line in plan:
            if line.regimen not in later_index:
                later_index[line.regimen] = add(line.regimen, available[line.regimen].components, 9)
        probability = np.array([[u] for u in trial.later_lines.uptake[: len(plan)]]).reshape(len(plan), 1)
        regimen = np.array([[later_index[line.regimen]] for line in plan], dtype=np.int64).reshape(
            len(plan), 1
        )
        courses.append(
            CourseArrays(
                entry_line=len(prior),
                prior_regimen=np.array(prior, dtype=np.int64),
                trial_regimen=arm_index,
                later_probability=probability,
                later_regimen=regimen,
                horizon_weeks=horizon,
                prior_limit_weeks=PRIOR_LIMIT_WEEKS,
            )
        )
    arrays = _regimen_arrays(model, names, components, scans)
    return Plan(trial, arrays, tuple(names), tuple(courses), tuple(later_plans))


def _regimen_arrays(
    model: Model, names: Sequence[str], components: Sequence[Sequence[Component]], scans: Sequence[int]
) -> RegimenArrays:
    shape = (len(names), len(model.agents))
    loading, amount = np.zeros(shape), np.zeros(shape)
    unit = np.zeros(shape, dtype=np.int64)
    cycle = np.zeros(shape, dtype=np.int64)
    doses = np.zeros((*shape, MAX_CYCLE_WEEKS))
    limit = np.full(shape, NO_LIMIT)
    chemo = np.zeros(len(names), dtype=np.int64)
    for r, parts in enumerate(components):
        for part in parts:
            where = f"regimen {names[r]}, {part.agent}"
            d = model.drug_index(part.agent)
            dose = parse_regimen(part.dose)
            weeks, pattern = weekly_pattern(part.dose)
            if weeks > MAX_CYCLE_WEEKS:
                raise RecordError(
                    f"{where}: a cycle of {weeks} weeks; the engine takes up to {MAX_CYCLE_WEEKS}"
                )
            loading[r, d] = dose.loading or 0.0
            amount[r, d] = dose.amount
            unit[r, d] = _UNITS.index(dose.unit)
            cycle[r, d] = weeks
            doses[r, d, :weeks] = pattern
            if dose.cycles is not None:
                limit[r, d] = dose.cycles
            if dose.duration_days is not None:
                # a time limit ends with the last cycle that starts within it
                limit[r, d] = min(limit[r, d], math.ceil(dose.duration_days / (7.0 * weeks)))
            if part.cycles is not None:
                # outside the trial line the median stands for everybody
                given = part.cycles.median if ":" not in names[r] else part.cycles.high
                limit[r, d] = min(limit[r, d], given)
            if model.drugs.cytotoxic[d] >= 0:
                chemo[r] = 1
    return RegimenArrays(loading, amount, unit, cycle, doses, limit, np.array(scans, dtype=np.int64), chemo)


def weekly_pattern(text: str) -> tuple[int, list[float]]:
    """Cycle length in weeks and doses given in each of its weeks.

    The engine steps by weeks: a dose counts for the week in which it falls; daily doses are summed over the week.

    Raises
    ------
    her2.errors.RecordError
        If the interval is not a whole number of weeks (daily dosing counts as a cycle of one week).
    """
    dose = parse_regimen(text)
    interval = float(dose.interval_days)
    if interval < 7.0:
        if 7.0 % interval:
            raise RecordError(f"dose '{text}': an interval of {interval:g} days does not fit into weeks")
        return 1, [dose.per_day * 7.0 / interval]
    if interval % 7.0:
        raise RecordError(f"dose '{text}': an interval of {interval:g} days is no whole number of weeks")
    weeks = round(interval / 7.0)
    pattern = [0.0] * weeks
    for day in dose.days_of_cycle:
        pattern[(int(day) - 1) // 7] += float(dose.per_day)
    return weeks, pattern


def arm_modifiers(
    model: Model, arm: Arm, cohort: Cohort, values: Mapping[str, float] | None = None
) -> tuple[Array, Array]:
    """Cycles allowed and dose factors of each patient in the trial line, from planned cycles and adverse events.

    Returns
    -------
    max_cycles, dose_factor : (drugs, patients)
    """
    n = cohort.n
    cycles = np.full((len(model.agents), n), NO_LIMIT)
    factor = np.ones((len(model.agents), n))
    log_sd = (model.values if values is None else values)["population.docetaxel_cycles_log_sd"]
    for part in arm.regimen:
        if part.cycles is not None:
            drawn = np.round(part.cycles.median * np.exp(log_sd * cohort.cycles_normal))
            cycles[model.drug_index(part.agent)] = np.clip(drawn, part.cycles.low, part.cycles.high)
    for event in arm.adverse_events:
        if event.action is not None:
            # keyed by the term, so that the same event strikes the same twins in every arm and order
            key = zlib.crc32(event.term.encode()) % cohort.event_uniform.shape[0]
            hit = cohort.event_uniform[key] < event.rate
            d = model.drug_index(event.action.agent)
            factor[d] = np.where(hit, factor[d] * event.action.dose_factor, factor[d])
    return cycles, factor


@dataclass(frozen=True)
class Pool:
    """Patients followed on every arm: twins.

    Attributes
    ----------
    cohort : attributes of the enrolled patients, same order in every arm
    arms : one `Followed` per arm
    screened : patients simulated to find the enrolled ones
    status_counts : patients by status, all screened, first arm
    """

    plan: Plan
    cohort: Cohort
    arms: tuple[Followed, ...]
    screened: int
    status_counts: dict[str, int]

    @property
    def n(self) -> int:
        """Enrolled patients."""
        return self.cohort.n

    @property
    def failed(self) -> NDArray[np.int64]:
        """Ids of patients whose simulation failed in any arm."""
        return np.unique(np.concatenate([a.failed for a in self.arms]))


def simulate_pool(
    model: Model,
    trial: Trial,
    n: int,
    seed: int,
    *,
    noise_seed: int | None = None,
    first: int = 0,
    null_model: bool = False,
    jobs: int = 1,
    arms: Sequence[int] | None = None,
    on_patients: Callable[[int], None] | None = None,
) -> Pool:
    """Draw patients until n are enrolled and follow each on every arm.

    Parameters
    ----------
    n : patients to enrol
    seed : of the patients
    noise_seed : of events, scans and later lines; default the seed of the patients
    first : id of the first patient screened
    null_model : each drug acting alone in the signalling layer, effects added; no interplay, no adaptation
    arms : positions of the arms to follow, default all
    on_patients : called with the number of patient-courses done

    Raises
    ------
    her2.errors.RecordError
        If the prior lines let so few patients through that the trial cannot be filled.
    """
    plan = prepare_trial(model, trial)
    recipe = merge_population(load_population(trial.population.recipe), trial)
    values = population_values(model, recipe)
    noise = seed if noise_seed is None else noise_seed
    wanted = list(range(len(trial.arms))) if arms is None else list(arms)
    cohorts: list[Cohort] = []
    followed: list[list[Followed]] = [[] for _ in wanted]
    enrolled = screened = 0
    counts: dict[str, int] = {}
    batch = n if not trial.prior_lines else max(256, int(1.6 * n))
    start = first
    while enrolled < n:
        cohort = sample_cohort(model, values, seed, start, batch)
        ids = np.arange(start, start + batch, dtype=np.int64)
        keep: NDArray[np.int64] | None = None
        for k, a in enumerate(wanted):
            cycles, factor = arm_modifiers(model, trial.arms[a], cohort, values)
            result = follow(
                model, cohort, ids, plan.regimens, plan.courses[a], cycles, factor, noise,
                null_model=null_model, jobs=jobs, on_block=on_patients,
            )  # fmt: skip
            if keep is None:
                # whether a patient enters is decided before the trial line: the same in every arm
                keep = np.nonzero(result.enrolled | (result.status >= 10))[0][: n - enrolled]
                for name, count in result.counts().items():
                    counts[name] = counts.get(name, 0) + count
            followed[k].append(result.take(keep))
        assert keep is not None
        cohorts.append(cohort.take(keep))
        enrolled += keep.size
        screened += batch
        start += batch
        if screened > 60 * n + 10_000:
            raise RecordError(
                f"trial {trial.id}: of {screened} patients only {enrolled} reach the trial line after "
                f"{', '.join(trial.prior_lines)}; ease prior_lines or lower the size"
            )
    return Pool(
        plan=plan,
        cohort=_join_cohorts(cohorts),
        arms=tuple(_join_followed(f) for f in followed),
        screened=screened,
        status_counts=counts,
    )


def _join_cohorts(parts: list[Cohort]) -> Cohort:
    return Cohort(
        first_id=parts[0].first_id,
        attributes=np.concatenate([p.attributes for p in parts], axis=1),
        antibody_pk=np.concatenate([p.antibody_pk for p in parts], axis=2),
        cytotoxic_scale=np.concatenate([p.cytotoxic_scale for p in parts], axis=1),
        sensitivity=np.concatenate([p.sensitivity for p in parts], axis=1),
        cycles_normal=np.concatenate([p.cycles_normal for p in parts]),
        event_uniform=np.concatenate([p.event_uniform for p in parts], axis=1),
    )


def _join_followed(parts: list[Followed]) -> Followed:
    return Followed(
        np.concatenate([p.patient for p in parts]),
        np.concatenate([p.outcomes for p in parts], axis=1),
        np.concatenate([p.sums for p in parts], axis=1),
        np.concatenate([p.line_starts for p in parts], axis=1),
        np.concatenate([p.line_regimens for p in parts], axis=1),
    )
