"""Follow twins on several ways at once: the lanes of one run are twins times ways, each with its own doses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import CourseArrays, RegimenArrays
from her2.engine.run import DoseChanges, Followed, follow
from her2.model import Model
from her2.patients.sample import Cohort, sample_cohort
from her2.prognosis.courses import OptionPlan
from her2.prognosis.twins import IDS_PER_MEMBER, Member, Twins, join_cohorts
from her2.prognosis.weights import resample
from her2.trials.follow import arm_doses, arm_events
from her2.trials.toxicity import ArmToxicity, ToxicityCourse

Array = NDArray[np.float64]
Index = NDArray[np.int64]
NEGLIGIBLE = 1e-4
"""Twins whose weight is below this share of the largest are left out."""


@dataclass(frozen=True)
class Chosen:
    """Twins of one member that are followed on.

    Attributes
    ----------
    member : the member with a model of all agents
    ids : (twins,)
    cohort : the same patients, with all agents
    weights : (twins,)
    resistant : (twins,) share of resistant cells at the end of the last earlier line
    """

    member: Member
    ids: Index
    cohort: Cohort
    weights: Array
    resistant: Array

    @property
    def n(self) -> int:
        """Number of twins."""
        return int(self.ids.size)

    def take(self, index: Index) -> Chosen:
        """Some of the twins, by position."""
        return Chosen(
            self.member, self.ids[index], self.cohort.take(index), self.weights[index], self.resistant[index]
        )


def choose_twins(twins: Twins, most: int, agents: Sequence[str], seed: int) -> tuple[Chosen, ...]:
    """Twins to follow on, with their pharmacokinetics for all agents.

    Where more twins fit than `most`, they are resampled by weight over all members; a twin drawn twice is followed
    once and counts twice.

    Parameters
    ----------
    most : twins to follow, all members together
    agents : of all regimens
    seed : of the virtual patients
    """
    weights = twins.weights
    keep = weights > NEGLIGIBLE * float(weights.max(initial=0.0))
    if int(keep.sum()) > most:
        counts = np.bincount(resample(weights, most, 0.5), minlength=weights.size)
        weights, keep = counts.astype(np.float64), counts > 0
    chosen, begin = [], 0
    for member, weighed in zip(twins.members, twins.weighed, strict=True):
        own_weights = weights[begin : begin + weighed.ids.size]
        here = np.nonzero(keep[begin : begin + weighed.ids.size])[0]
        begin += weighed.ids.size
        if not here.size:
            continue
        model = member.model.giving(agents)
        own = Member(member.number, model, member.values)
        ids = weighed.ids[here]
        cohort = _with_agents(own, ids, seed)
        chosen.append(Chosen(own, ids, cohort, own_weights[here], weighed.resistant[here]))
    return tuple(chosen)


def _with_agents(member: Member, ids: Index, seed: int) -> Cohort:
    """The twins drawn again with the pharmacokinetics of all agents; all else is the same number by number."""
    first = int(ids.min())
    drawn = sample_cohort(member.model, member.values, seed, first, int(ids.max()) - first + 1)
    return drawn.take(ids - first)


@dataclass(frozen=True)
class Lane:
    """Some twins of a member on one way, possibly changed.

    Attributes
    ----------
    way : position of the way in the course
    index : (twins,) positions among the chosen
    cohort : the patients as they go this way
    doses : what happens to the doses of the line in question
    """

    way: int
    index: Index
    cohort: Cohort
    doses: DoseChanges


def follow_lanes(
    chosen: Chosen, lanes: Sequence[Lane], arrays: RegimenArrays, course: CourseArrays, seed: int
) -> list[Followed]:
    """Follow all lanes in one run; results by lane."""
    cohort = join_cohorts([lane.cohort for lane in lanes])
    ids = np.concatenate([chosen.ids[lane.index] for lane in lanes])
    way = np.concatenate([np.full(lane.index.size, lane.way, dtype=np.int64) for lane in lanes])
    doses = DoseChanges(
        *(
            np.concatenate([getattr(lane.doses, name) for lane in lanes], axis=1)
            for name in ("max_cycles", "factor", "from_week", "stop_week")
        )
    )
    seen = follow(chosen.member.model, cohort, ids, arrays, course, doses, seed, way=way)
    result, begin = [], 0
    for lane in lanes:
        result.append(seen.take(np.arange(begin, begin + lane.index.size)))
        begin += lane.index.size
    return result


def option_doses(
    chosen: Chosen, option: OptionPlan, toxicity: ArmToxicity, seed: int
) -> tuple[DoseChanges, ToxicityCourse]:
    """Doses and adverse events of the twins on an option; the same event strikes the same twin on every option."""
    model: Model = chosen.member.model
    first = int(chosen.ids.min())
    n = int(chosen.ids.max()) - first + 1
    events = arm_events((toxicity,), seed, first, n, chosen.ids - first)
    which = np.zeros(chosen.n, dtype=np.int64)
    doses = arm_doses(model, option.arm, which, chosen.cohort, events, chosen.member.values)
    return doses, events[0]


def member_of(ids: Index) -> Index:
    """Member of the posterior that each twin comes from: (twins,)."""
    return np.asarray(ids // IDS_PER_MEMBER)
