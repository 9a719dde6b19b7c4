"""Follow the patients of a trial: trial file to kernel arrays, patients to courses, arm by arm.

Patients are virtual twins: the same patients (attributes, thresholds, scan noise) can be followed on every arm, so
that true effects of a patient or subgroup are known beside what a randomised trial would estimate.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import (
    FIRST_FAILURE,
    LANES,
    Attribute,
    BrainEntry,
    CourseArrays,
    RegimenArrays,
    Setting,
    Status,
)
from her2.engine.rng import Purpose, normals, uniforms
from her2.engine.run import DoseChanges, Followed, follow
from her2.errors import RecordError
from her2.evidence.load import USER_VARIABLE, files_of, load_population
from her2.model import LN10, Model, trial_agents
from her2.patients.sample import RESIDUAL_INDEX, Cohort, population_values, sample_cohort
from her2.pharmacology.regimen import parse_regimen
from her2.scale import active
from her2.sequencing.later_lines import LaterLine, plan_later_lines
from her2.sequencing.state import ClinicalState
from her2.trials.design import Arm, Component, Regimen, Trial, load_regimen, merge_population
from her2.trials.toxicity import ArmToxicity, ToxicityCourse, arm_toxicities, draw_toxicity, toxicity_uniforms

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
    model : the model with the drugs of the trial
    regimens : all regimens of the trial, by index
    names : their names, by index
    courses : one per arm; its ways are the histories of prior lines by the options of the arm, the options innermost
    later : the planned later lines of each arm, with their rules, after the first history and option
    toxicity : adverse events of each option of each arm
    """

    trial: Trial
    model: Model
    regimens: RegimenArrays
    names: tuple[str, ...]
    courses: tuple[CourseArrays, ...]
    later: tuple[tuple[LaterLine, ...], ...]
    toxicity: tuple[tuple[ArmToxicity, ...], ...]

    def carrying(self, model: Model) -> Plan:
        """The same plan with another model; doses and adverse events do not depend on parameters."""
        return replace(self, model=model.giving(a.id for a in self.model.agents))


def prepare_trial(model: Model, trial: Trial) -> Plan:
    """Compile arms, prior and later lines of a trial into kernel arrays.

    Raises
    ------
    her2.errors.Her2Error
        A dose that does not fit the engine's weekly grid; the text names trial, arm and agent.
    """
    available = record_regimens()
    agents_of = {k: frozenset(c.agent for c in r.components) for k, r in available.items()}
    known = frozenset(trial_agents())
    can_give = sorted(k for k, agents in agents_of.items() if agents <= known)
    scan_weeks = round(trial.scans.every / 7.0)
    setting = {
        "metastatic": Setting.METASTATIC,
        "neoadjuvant": Setting.NEOADJUVANT,
        "adjuvant": Setting.ADJUVANT,
    }
    brain = {
        "any": BrainEntry.ANY,
        "none": BrainEntry.NONE,
        "untreated": BrainEntry.UNTREATED,
        "treated": BrainEntry.TREATED,
    }  # fmt: skip

    names: list[str] = []
    components: list[Sequence[Component]] = []
    scans: list[int] = []

    def add(name: str, parts: Sequence[Component], every: int) -> int:
        if name not in names:
            names.append(name)
            components.append(parts)
            scans.append(every)
        return names.index(name)

    courses: list[CourseArrays] = []
    later_plans: list[tuple[LaterLine, ...]] = []
    n_later = len(trial.later_lines.uptake)
    longest = max(len(h.lines) for h in trial.entry_histories)
    for arm in trial.arms:
        shape = (len(trial.entry_histories) * len(arm.choices),)
        entry, trial_regimen = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        prior = np.full((*shape, max(longest, 1)), -1, dtype=np.int64)
        chance = np.zeros((*shape, n_later, 1))
        following = np.full((*shape, n_later, 1), -1, dtype=np.int64)
        for h, history in enumerate(trial.entry_histories):
            had: frozenset[str] = frozenset().union(*(agents_of[n] for n in history.lines))
            for o, option in enumerate(arm.choices):
                way = h * len(arm.choices) + o
                name = f"{trial.id}:{arm.id}" + (f":{o}" if arm.options else "")
                trial_regimen[way] = add(name, option.regimen, scan_weeks)
                entry[way] = len(history.lines)
                prior[way, : entry[way]] = [add(n, available[n].components, 9) for n in history.lines]
                state = ClinicalState(
                    # a course of therapy after surgery counts as a line
                    lines_completed=len(history.lines) + 1,
                    had=had | {c.agent for c in option.regimen},
                    year=trial.population.year,
                )
                plan = tuple(plan_later_lines(state, agents_of, can_give, n_later))
                if way == 0:
                    later_plans.append(plan)
                for k, line in enumerate(plan):
                    chance[way, k] = trial.later_lines.uptake[k]
                    following[way, k] = add(line.regimen, available[line.regimen].components, 9)
        courses.append(
            CourseArrays(
                entry_line=entry,
                prior_regimen=prior,
                trial_regimen=trial_regimen,
                later_probability=chance,
                later_regimen=following,
                horizon_weeks=math.ceil(trial.horizon_days / 7.0),
                prior_limit_weeks=PRIOR_LIMIT_WEEKS,
                setting=int(setting[trial.setting]),
                brain_entry=int(brain[trial.population.brain_metastases]),
                surgery_week=round(trial.surgery.after / 7.0) if trial.surgery is not None else 0,
            )
        )
    own = model.giving(c.agent for parts in components for c in parts)
    arrays = regimen_arrays(own, names, components, scans)
    toxicity = tuple(arm_toxicities(arm, f"trial {trial.id}, arms.{arm.id}") for arm in trial.arms)
    return Plan(trial, own, arrays, tuple(names), tuple(courses), tuple(later_plans), toxicity)


def record_regimens() -> Mapping[str, Regimen]:
    """Regimens of the record by id, the user's included."""
    return _record_regimens(os.environ.get(USER_VARIABLE))


@lru_cache(maxsize=2)
def _record_regimens(_user: str | None) -> Mapping[str, Regimen]:
    return {p.stem: load_regimen(p.stem) for p in files_of("regimens")}


def regimen_arrays(
    model: Model, names: Sequence[str], components: Sequence[Sequence[Component]], scans: Sequence[int]
) -> RegimenArrays:
    shape = (len(names), len(model.agents))
    loading, amount = np.zeros(shape), np.zeros(shape)
    unit = np.zeros(shape, dtype=np.int64)
    cycle = np.zeros(shape, dtype=np.int64)
    doses = np.zeros((*shape, MAX_CYCLE_WEEKS))
    limit = np.full(shape, NO_LIMIT)
    start = np.zeros(shape, dtype=np.int64)
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
            start[r, d] = round(part.start / 7.0)
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
    return RegimenArrays(loading, amount, unit, cycle, doses, limit, start, np.array(scans, dtype=np.int64))


def weekly_pattern(text: str) -> tuple[int, list[float]]:
    """Cycle length in weeks and doses given in each of its weeks.

    The engine steps by weeks: a dose counts for the week in which it falls; daily doses are summed over the week.

    Raises
    ------
    her2.errors.RecordError
        If the interval is longer than a week and not a whole number of weeks; shorter ones are spread over the week.
    """
    dose = parse_regimen(text)
    interval = float(dose.interval_days)
    if interval < 7.0:
        return 1, [dose.per_day * 7.0 / interval]
    if interval % 7.0:
        raise RecordError(f"dose '{text}': an interval of {interval:g} days is no whole number of weeks")
    weeks = round(interval / 7.0)
    pattern = [0.0] * weeks
    for day in dose.days_of_cycle:
        pattern[(int(day) - 1) // 7] += float(dose.per_day)
    return weeks, pattern


def arm_doses(
    model: Model,
    arm: Arm,
    option: NDArray[np.int64],
    cohort: Cohort,
    events: Sequence[ToxicityCourse],
    values: Mapping[str, float] | None = None,
) -> DoseChanges:
    """What happens to the planned doses of each patient in the trial line: planned cycles and adverse events.

    Parameters
    ----------
    option : (patients,) which of the arm's options each patient gets
    events : adverse events of the patients on each option
    values : every parameter, with those of the population's recipe; default the model's
    """
    doses = DoseChanges.none(len(model.agents), cohort.n)
    names = [a.id for a in model.agents]
    log_sd = (model.values if values is None else values)["population.docetaxel_cycles_log_sd"]
    for o, choice in enumerate(arm.choices):
        here = option == o
        for part in choice.regimen:
            if part.cycles is not None:
                drawn = np.round(part.cycles.median * np.exp(log_sd * cohort.cycles_normal[here]))
                limit = np.clip(drawn, part.cycles.low, part.cycles.high)
                doses.max_cycles[model.drug_index(part.agent), here] = limit
        for row, of_option in zip(
            (doses.from_week, doses.factor, doses.stop_week), events[o].on(names), strict=True
        ):
            row[:, here] = of_option[:, here]
    return doses


def arm_events(
    toxicity: Sequence[ArmToxicity], seed: int, first: int, n: int, index: NDArray[np.int64] | None = None
) -> tuple[ToxicityCourse, ...]:
    """Adverse events of patients `first` to `first + n - 1`, or of some of them by position, on each option."""
    drawn = []
    for one in toxicity:
        uniform = toxicity_uniforms(one, seed, first, n)
        drawn.append(draw_toxicity(one, uniform if index is None else uniform[:, :, index]))
    return tuple(drawn)


HISTORY_INDEX, OPTION_INDEX = 200, 201
"""Random indices of a patient's prior lines and of the physician's choice."""


def chosen(shares: Sequence[float], seed: int, first: int, n: int, index: int) -> NDArray[np.int64]:
    """Which of some options each patient gets, (patients,)."""
    if len(shares) == 1:
        return np.zeros(n, dtype=np.int64)
    u = np.asarray(uniforms(seed, first, n, int(Purpose.ARM_ATTRIBUTE), index))
    return np.minimum(np.searchsorted(np.cumsum(shares), u, side="right"), len(shares) - 1)


@dataclass(frozen=True)
class Pool:
    """Patients followed on every arm: twins.

    Attributes
    ----------
    cohort : attributes of the enrolled patients, same order in every arm
    arms : one `Followed` per arm
    screened : patients simulated to find the enrolled ones, up to and with the last of these
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


@dataclass(frozen=True)
class Screened:
    """Patients of consecutive ids, screened for a trial: who entered, and what became of the others.

    Attributes
    ----------
    first : id of the first patient screened
    status : (screened,) status of every patient on the first arm
    cohort : attributes of those who entered
    arms : those who entered, followed on every arm
    """

    first: int
    status: NDArray[np.int64]
    cohort: Cohort
    arms: tuple[Followed, ...]

    @property
    def entered(self) -> int:
        """Number of patients who entered."""
        return self.cohort.n


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
    plan: Plan | None = None,
) -> Pool:
    """Draw patients until n are enrolled and follow each on every arm.

    Within `her2.scale.use` the patients are spread over that executor; the digits are the same.

    Parameters
    ----------
    n : patients to enrol
    seed : of the patients
    noise_seed : of events, scans and later lines; default the seed of the patients
    first : id of the first patient screened
    null_model : each drug acting alone in the signalling layer, effects added; no interplay, no adaptation
    arms : positions of the arms to follow, default all
    on_patients : called with the number of patient-courses done
    plan : of the same trial, made ready before, perhaps with another model's parameters

    Raises
    ------
    her2.errors.RecordError
        If the prior lines let so few patients through that the trial cannot be filled.
    """
    executor = active()
    if executor is not None:
        # the tasks rest on this module
        from her2.trials.tasks import PoolTask, simulate_pools

        task = PoolTask.of(
            model, trial, n, seed, noise_seed=noise_seed, first=first, null_model=null_model, arms=arms
        )
        made = None if plan is None else [plan.carrying(model)]
        return simulate_pools([task], executor, plans=made, on_patients=on_patients)[0]
    plan = prepare_trial(model, trial) if plan is None else plan.carrying(model)
    parts: list[Screened] = []
    enrolled = screened = 0
    batch = n if not selects(trial) else max(2 * LANES, int(1.4 * n))
    while enrolled < n:
        part = screen_patients(
            plan, seed, first + screened, batch, noise_seed=noise_seed, null_model=null_model, jobs=jobs, arms=arms,
            at_most=n - enrolled, on_patients=on_patients,
        )  # fmt: skip
        parts.append(part)
        enrolled += part.entered
        screened += batch
        # the next batch by the share that has entered so far
        share = max(enrolled / screened, 0.02)
        batch = max(64, int(1.1 * (n - enrolled) / share))
        check_entry(trial, n, screened, enrolled)
    return join_screened(plan, parts, n)


def screen_patients(
    plan: Plan,
    seed: int,
    first: int,
    count: int,
    *,
    noise_seed: int | None = None,
    null_model: bool = False,
    jobs: int = 1,
    arms: Sequence[int] | None = None,
    at_most: int | None = None,
    on_patients: Callable[[int], None] | None = None,
) -> Screened:
    """Screen patients `first` to `first + count - 1` and follow those who enter on every arm.

    Parameters
    ----------
    at_most : how many may enter, default all who can; those after them are not followed on further arms
    seed, noise_seed, null_model, jobs, arms, on_patients : as for `simulate_pool`
    """
    trial, own = plan.trial, plan.model
    values = recipe_values(plan)
    noise = seed if noise_seed is None else noise_seed
    wanted = list(range(len(trial.arms))) if arms is None else list(arms)
    cohort = draw_patients(plan, seed, first, count)
    ids = np.arange(first, first + count, dtype=np.int64)
    history = chosen([h.share for h in trial.entry_histories], seed, first, count, HISTORY_INDEX)
    entered: NDArray[np.int64] | None = None
    status = np.empty(0, dtype=np.int64)
    followed: list[Followed] = []
    for a in wanted:
        arm = trial.arms[a]
        option = chosen([c.share for c in arm.choices], seed, first, count, OPTION_INDEX)
        # whether a patient enters is decided before the trial line: the same in every arm
        among = np.arange(count) if entered is None else entered
        if not among.size:
            followed.append(followed[0])
            continue
        group = cohort if among.size == count else cohort.take(among)
        result = follow(
            own, group, ids[among], plan.regimens, plan.courses[a],
            arm_doses(
                own, arm, option[among], group, arm_events(plan.toxicity[a], seed, first, count, among), values
            ),
            noise,
            way=history[among] * len(arm.choices) + option[among],
            null_model=null_model, jobs=jobs, on_block=on_patients,
        )  # fmt: skip
        if entered is None:
            status = result.status
            entered = np.nonzero(result.enrolled | (status >= FIRST_FAILURE))[0][:at_most]
            result = result.take(entered)
        followed.append(result)
    assert entered is not None
    return Screened(first, status, cohort.take(entered), tuple(followed))


def join_screened(plan: Plan, parts: Sequence[Screened], n: int) -> Pool:
    """The first n patients who entered, from parts of consecutive ids; fewer where fewer entered."""
    missing = n
    cohorts: list[Cohort] = []
    followed: list[list[Followed]] = []
    statuses: list[NDArray[np.int64]] = []
    for part in parts:
        if missing <= 0:
            break
        arms, cohort, status = part.arms, part.cohort, part.status
        if part.entered >= missing:
            last = int(arms[0].patient[missing - 1])
            status = status[: last + 1 - part.first]
            if part.entered > missing:
                keep = np.arange(missing)
                cohort, arms = cohort.take(keep), tuple(a.take(keep) for a in arms)
        missing -= cohort.n
        cohorts.append(cohort)
        followed.append(list(arms))
        statuses.append(status)
    every = np.concatenate(statuses)
    return Pool(
        plan=plan,
        cohort=_join_cohorts(cohorts),
        arms=tuple(_join_followed(list(f)) for f in zip(*followed, strict=True)),
        screened=int(every.size),
        status_counts=count_status(every),
    )


def count_status(status: NDArray[np.int64]) -> dict[str, int]:
    """Patients by name of their status."""
    return {Status(s).name.lower(): int(np.sum(status == s)) for s in np.unique(status)}


def check_entry(trial: Trial, n: int, screened: int, enrolled: int) -> None:
    """Give up where hardly anybody reaches the trial line.

    Raises
    ------
    her2.errors.RecordError
        If far too many have been screened for those who entered.
    """
    if enrolled < n and screened > 60 * n + 10_000:
        lines = "; ".join(", ".join(h.lines) for h in trial.entry_histories)
        raise RecordError(
            f"trial {trial.id}: of {screened} patients only {enrolled} reach the trial line after "
            f"{lines}; ease prior lines or lower the size"
        )


def recipe_values(plan: Plan) -> dict[str, float]:
    """Every parameter, with those of the trial's population in place of the defaults."""
    recipe = merge_population(load_population(plan.trial.population.recipe), plan.trial)
    return population_values(plan.model, recipe)


def draw_patients(plan: Plan, seed: int, first: int, count: int) -> Cohort:
    """Attributes of patients `first` to `first + count - 1`, whether they will enter or not."""
    values = recipe_values(plan)
    cohort = sample_cohort(plan.model, values, seed, first, count)
    if plan.trial.setting == "adjuvant":
        _leave_residual(cohort, values, seed, first)
    return cohort


def selects(trial: Trial) -> bool:
    """True if not everyone drawn enters: patients live through earlier lines before the trial."""
    return any(h.lines for h in trial.entry_histories)


def _leave_residual(cohort: Cohort, values: Mapping[str, float], seed: int, first: int) -> None:
    """Cells left after surgery in place of the primary tumour: none to just below what would be seen."""
    z = np.asarray(normals(seed, first, cohort.n, int(Purpose.ATTRIBUTE), RESIDUAL_INDEX))
    left = (values["cohort.residual_log10"] + values["cohort.residual_log10_sd"] * z) * LN10
    cohort.attributes[Attribute.START_BURDEN] = np.minimum(
        left, (values["cohort.detection_log10"] - 1.0) * LN10
    )


def _join_cohorts(parts: list[Cohort]) -> Cohort:
    return Cohort(
        first_id=parts[0].first_id,
        attributes=np.concatenate([p.attributes for p in parts], axis=1),
        pk=np.concatenate([p.pk for p in parts], axis=2),
        site_scale=np.concatenate([p.site_scale for p in parts], axis=1),
        fc_factor=np.concatenate([p.fc_factor for p in parts], axis=1),
        sensitivity=np.concatenate([p.sensitivity for p in parts], axis=1),
        cycles_normal=np.concatenate([p.cycles_normal for p in parts]),
    )


def _join_followed(parts: list[Followed]) -> Followed:
    return Followed(
        np.concatenate([p.patient for p in parts]),
        np.concatenate([p.outcomes for p in parts], axis=1),
        np.concatenate([p.sums for p in parts], axis=1),
        np.concatenate([p.line_starts for p in parts], axis=1),
        np.concatenate([p.line_regimens for p in parts], axis=1),
    )
