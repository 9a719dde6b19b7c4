"""Twins of a patient: virtual patients with what is known, weighted by how well they fit the history.

Virtual patients are drawn from several members of the posterior, followed through the patient's own earlier lines, and
weighted by the likelihood of what was recorded. A twin that stops fitting is not followed further. Where the effective
number of twins stays too small, more are drawn; where that does not help, the history is refused, with the item that
does not fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import BrainEntry, CourseArrays, Outcome, RegimenArrays, Status
from her2.engine.run import DoseChanges, Followed, follow
from her2.errors import Her2Error
from her2.evidence.load import load_population
from her2.model import Model
from her2.patients.sample import Cohort, population_values, sample_cohort
from her2.prognosis.courses import Line, Shelf, Way, course_arrays, history_numbers
from her2.prognosis.history import IMPOSSIBLE, best_response, response_log_likelihood, time_log_likelihood
from her2.prognosis.known import Known
from her2.prognosis.progress import Share, unheard
from her2.prognosis.settings import setting
from her2.prognosis.weights import effective_number, weighted_mean
from her2.units import DAYS_PER_WEEK

Array = NDArray[np.float64]
Index = NDArray[np.int64]
HOPELESS = 6.0
"""Log-likelihood below the best fit at which a twin is not followed further: a four-hundredth of its weight."""
IDS_PER_MEMBER = 1 << 22
"""Every member has patients of its own."""
REACHED = "history"
"""Name of the item that all earlier lines are lived through."""
BRAIN_ITEM = "cns.metastases"


class IncompatibleHistory(Her2Error):
    """No virtual patients fit the case well enough; `item` is the place in the case file that fits least."""

    def __init__(self, text: str, item: str, numbers: Mapping[str, float]) -> None:
        super().__init__(text)
        self.item = item
        self.numbers = dict(numbers)


@dataclass(frozen=True)
class Member:
    """One member of the posterior, ready for a case.

    Attributes
    ----------
    model : with the agents of the earlier lines
    values : every parameter, with those of the population and of the patient
    """

    number: int
    model: Model
    values: Mapping[str, float]

    @property
    def first_id(self) -> int:
        """Id of its first virtual patient."""
        return self.number * IDS_PER_MEMBER


@dataclass(frozen=True)
class Weighed:
    """Virtual patients of one member with their fit to the history.

    Attributes
    ----------
    ids : (twins,)
    cohort : the same patients
    log : (items, twins) log-likelihood of each item
    resistant : (twins,) share of resistant cells at the end of the last earlier line; NaN without one
    """

    ids: Index
    cohort: Cohort
    log: Array
    resistant: Array

    @property
    def weights(self) -> Array:
        """(twins,), 1 for a perfect fit."""
        return np.asarray(
            np.exp(np.maximum(self.log.sum(axis=0), -700.0))
            * (self.log.min(axis=0, initial=0.0) > IMPOSSIBLE)
        )


@dataclass(frozen=True)
class Twins:
    """Twins of a patient over all members.

    Attributes
    ----------
    members : the members
    weighed : the virtual patients of each
    items : places in the case file that weigh the twins, in the order of their use
    drawn : virtual patients drawn
    """

    members: tuple[Member, ...]
    weighed: tuple[Weighed, ...]
    items: tuple[str, ...]
    drawn: int

    @property
    def weights(self) -> Array:
        """(twins,) over all members."""
        return np.concatenate([w.weights for w in self.weighed])

    @property
    def effective(self) -> float:
        """Effective number of twins."""
        return effective_number(self.weights)

    def numbers(self) -> dict[str, float]:
        """Effective number of twins after each item, in order."""
        log = np.concatenate([w.log for w in self.weighed], axis=1)
        total = np.cumsum(log, axis=0)
        return {
            item: effective_number(np.where(row > IMPOSSIBLE, np.exp(np.maximum(row, -700.0)), 0.0))
            for item, row in zip(self.items, total, strict=True)
        }


def make_members(models: Sequence[Model], known: Known, agents: Sequence[str]) -> tuple[Member, ...]:
    """Members with the agents of the earlier lines and the population of the patient.

    Raises
    ------
    her2.errors.Her2Error
        If the population recipe does not fit the model.
    """
    recipe = load_population(known.recipe)
    made = []
    for k, model in enumerate(models):
        own = model.giving(agents) if agents else model
        made.append(Member(k, own, {**population_values(own, recipe), **known.values}))
    return tuple(made)


def find_twins(
    members: Sequence[Member],
    known: Known,
    lines: Sequence[Line],
    *,
    draws: int,
    seed: int,
    pool: Executor,
    on_progress: Share = unheard,
) -> Twins:
    """Draw virtual patients until enough of them fit.

    Parameters
    ----------
    draws : virtual patients in the first round, all members together
    seed : of patients, events and scans
    pool : threads
    on_progress : called after each member with a share that rises towards 1; how many rounds there are is not known

    Raises
    ------
    IncompatibleHistory
        If the effective number of twins stays below `least_effective` although `most_drawn` were drawn.
    """
    shelf = Shelf()
    numbers = history_numbers(shelf, lines)
    arrays = shelf.arrays(members[0].model) if lines else None
    items = item_names(known, lines)
    found: list[list[Weighed]] = [[] for _ in members]
    per_member, done, rounds = -(-draws // len(members)), 0, 0
    while True:

        def search(k: int, first: int = done, n: int = per_member) -> Weighed:
            return _search(members[k], known, lines, numbers, arrays, first, n, seed, items)

        for k, weighed in enumerate(pool.map(search, range(len(members)))):
            found[k].append(weighed)
            on_progress(1.0 - 0.5 ** (rounds + (k + 1) / len(members)))
        done += per_member
        rounds += 1
        twins = Twins(tuple(members), tuple(_join(f) for f in found), items, done * len(members))
        if twins.effective >= setting("least_effective"):
            _check_records(twins)
            return twins
        if twins.drawn >= setting("most_drawn"):
            raise _incompatible(twins, known)
        # as many more as the yield so far asks for, at least as many as before
        wanted = setting("least_effective") / max(twins.effective, 1.0) - 1.0
        left = int(setting("most_drawn")) // len(members) - done
        per_member = max(min(int(done * min(max(1.2 * wanted, 1.0), 8.0)), left), 1)


def _check_records(twins: Twins) -> None:
    """Refuse a history that twins fit only if a best response was recorded wrongly by two categories or more."""
    log = np.concatenate([w.log for w in twins.weighed], axis=1)
    wrong = math.log(setting("response_off_by_more")) + 1e-9
    for item, row in zip(twins.items, log, strict=True):
        if item.endswith("best_response"):
            share = weighted_mean((row <= wrong).astype(np.float64), twins.weights)
            if share > setting("most_misrecorded"):
                raise IncompatibleHistory(
                    f"{item}: does not go with the rest of the case. {100 * share:.0f} of 100 virtual patients that "
                    "fit had a best response two categories away or more; no course is predicted. Check this item, "
                    "or write `unknown` for it",
                    item, twins.numbers(),
                )  # fmt: skip


def item_names(known: Known, lines: Sequence[Line]) -> tuple[str, ...]:
    """Places in the case file that weigh twins, in the order in which they are used."""
    names = [name for line in lines for name in line.observed.items]
    if lines:
        names.append(REACHED)
    if lines and known.brain_entry == BrainEntry.NONE:
        names.append(BRAIN_ITEM)
    return tuple(names)


def _search(
    member: Member,
    known: Known,
    lines: Sequence[Line],
    numbers: Sequence[int],
    arrays: RegimenArrays | None,
    first: int,
    n: int,
    seed: int,
    items: Sequence[str],
) -> Weighed:
    """Draw n virtual patients of one member and weigh those that agree with what is known."""
    start = member.first_id + first
    cohort = sample_cohort(member.model, member.values, seed, start, n)
    kept = np.nonzero(known.select(cohort, member.values, seed))[0]
    ids, cohort = kept + start, cohort.take(kept)
    log, resistant = np.zeros((len(items), ids.size)), np.full(ids.size, np.nan)
    if arrays is None or not ids.size:
        return Weighed(ids, cohort, log, resistant)
    model = member.model
    every = setting("scan_interval") * DAYS_PER_WEEK
    limit = max(line.observed.weeks_needed() for line in lines)
    left = np.arange(ids.size)
    row = 0
    time_rows: list[int | None] = []
    for j, line in enumerate(lines):
        course = course_arrays(
            numbers[:j],
            [Way(numbers[j])],
            horizon_weeks=line.observed.weeks_needed(),
            prior_limit_weeks=limit,
        )
        seen = _follow(model, cohort.take(left), ids[left], arrays, course, seed)
        progression = np.where(seen.enrolled, seen[Outcome.PROGRESSION], np.inf)
        progression = np.where(progression <= seen[Outcome.DEATH], progression, np.inf)
        resistant[left] = seen[Outcome.RESISTANT_AT_PROGRESSION]
        time_rows.append(None)
        if line.observed.days is not None:
            log[row, left] = time_log_likelihood(progression, line.observed)
            time_rows[-1] = row
            row += 1
        else:
            log[items.index(REACHED), left] += np.where(np.isfinite(progression), 0.0, IMPOSSIBLE)
        if line.observed.response is not None:
            floor = model.constants.measurable_floor
            best = best_response(seen, progression, floor, every)
            log[row, left] = response_log_likelihood(best, line.observed.response)
            row += 1
        if len(lines) == 1 and known.brain_entry == BrainEntry.NONE:
            brain = np.isfinite(progression) & (seen[Outcome.CNS_PROGRESSION] <= progression)
            log[items.index(BRAIN_ITEM), left] = np.where(brain, IMPOSSIBLE, 0.0)
        fit = log[:, left].sum(axis=0)
        follows = fit > max(float(fit.max(initial=IMPOSSIBLE)) - HOPELESS, 0.5 * IMPOSSIBLE)
        log[items.index(REACHED), left[~follows]] = IMPOSSIBLE
        left = left[follows]
    # times as earlier lines of one course, as the twins live them before an option; for one line they are the same
    if left.size and len(lines) > 1:
        without_brain = known.brain_entry == BrainEntry.NONE
        course = course_arrays(
            numbers, [Way(numbers[-1])], horizon_weeks=1, prior_limit_weeks=limit,
            brain_entry=BrainEntry.NONE if without_brain else BrainEntry.ANY,
        )  # fmt: skip
        seen = _follow(model, cohort.take(left), ids[left], arrays, course, seed)
        durations = line_durations(seen, len(lines), model.constants.line_gap_weeks * DAYS_PER_WEEK)
        for j, line in enumerate(lines):
            place = time_rows[j]
            if place is not None and j > 0:
                log[place, left] = np.where(
                    seen.enrolled, time_log_likelihood(durations[j], line.observed), log[place, left]
                )
        brain = seen.status == Status.NOT_ENROLLED_BRAIN
        log[items.index(REACHED), left] += np.where(seen.enrolled | brain, 0.0, IMPOSSIBLE)
        if without_brain:
            log[items.index(BRAIN_ITEM), left] += np.where(brain, IMPOSSIBLE, 0.0)
    return Weighed(ids, cohort, log, resistant)


def line_durations(seen: Followed, n_lines: int, gap_days: float) -> Array:
    """Days from the start of each earlier line to its progression: (lines, twins); NaN where not reached."""
    starts = seen.line_starts[: n_lines + 1]
    result = starts[1:] - starts[:-1]
    if n_lines > 1:
        # between earlier lines lies a gap; the line in question starts at progression
        result[:-1] -= gap_days
    return np.asarray(result)


def _follow(
    model: Model, cohort: Cohort, ids: Index, arrays: RegimenArrays, course: CourseArrays, seed: int
) -> Followed:
    doses = DoseChanges.none(len(model.agents), cohort.n)
    return follow(model, cohort, ids, arrays, course, doses, seed)


def _join(parts: Sequence[Weighed]) -> Weighed:
    if len(parts) == 1:
        return parts[0]
    return Weighed(
        np.concatenate([p.ids for p in parts]),
        join_cohorts([p.cohort for p in parts]),
        np.concatenate([p.log for p in parts], axis=1),
        np.concatenate([p.resistant for p in parts]),
    )


def join_cohorts(parts: Sequence[Cohort]) -> Cohort:
    """Cohorts side by side."""
    return Cohort(
        first_id=-1,
        attributes=np.concatenate([p.attributes for p in parts], axis=1),
        pk=np.concatenate([p.pk for p in parts], axis=2),
        site_scale=np.concatenate([p.site_scale for p in parts], axis=1),
        sensitivity=np.concatenate([p.sensitivity for p in parts], axis=1),
        fc_factor=np.concatenate([p.fc_factor for p in parts], axis=1),
        cycles_normal=np.concatenate([p.cycles_normal for p in parts]),
    )


def _incompatible(twins: Twins, known: Known) -> IncompatibleHistory:
    """The refusal, with the item after which the effective number falls most."""
    least = setting("least_effective")
    drawn = int(sum(w.ids.size for w in twins.weighed))
    if drawn < least:
        items = ", ".join(limit.item for limit in known.limits) or "biomarkers"
        return IncompatibleHistory(
            f"{items}: of {twins.drawn:,} virtual patients only {drawn} agree with what is known; no course is "
            "predicted",
            items, {},
        )  # fmt: skip
    numbers = twins.numbers()
    before, worst, fall = float(drawn), "", -1.0
    for item, number in numbers.items():
        lost = before / max(number, 1e-3)
        if lost > fall:
            worst, fall = item, lost
        before = max(number, 1e-3)
    listed = ", ".join(f"{item} {number:.0f}" for item, number in numbers.items())
    return IncompatibleHistory(
        f"{worst}: does not fit the model. Of {twins.drawn:,} virtual patients an effective number of "
        f"{twins.effective:.1f} fits the case, fewer than the {least:.0f} needed (after each item: {listed}); "
        "no course is predicted. Check this item, or write `unknown` for it",
        worst, numbers,
    )  # fmt: skip
