"""Regimens and lines of one case as arrays of the engine: earlier lines, the line in question, later lines.

Earlier and later lines get their regimens as planned, with typical numbers of chemotherapy cycles. In the line in
question each twin has its own number of cycles and its own adverse events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from her2.engine.layout import BrainEntry, CourseArrays, RegimenArrays
from her2.model import Model
from her2.prognosis.history import Observed
from her2.prognosis.regimens import Planned, plan_regimen, why_not
from her2.prognosis.settings import setting
from her2.sequencing.later_lines import LaterLine, plan_later_lines
from her2.sequencing.state import ClinicalState, PatientState
from her2.trials.design import Arm, Component
from her2.trials.follow import record_regimens, regimen_arrays
from her2.units import DAYS_PER_MONTH

NOT_GIVEN = -1


@dataclass(frozen=True)
class Line:
    """An earlier line: what was given and what is known of it."""

    planned: Planned
    observed: Observed

    @property
    def components(self) -> tuple[Component, ...]:
        """Agents with doses; cut short where the drugs were stopped before progression."""
        stopped = self.observed.on_drug_days
        return (
            self.planned.components
            if stopped is None
            else self.planned.stopped_after(stopped / DAYS_PER_MONTH)
        )


class Shelf:
    """Regimens by name while the arrays are made; one number each."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.parts: list[Sequence[Component]] = []

    def add(self, name: str, parts: Sequence[Component]) -> int:
        """Number of a regimen."""
        if name not in self.names:
            self.names.append(name)
            self.parts.append(parts)
        return self.names.index(name)

    @property
    def agents(self) -> tuple[str, ...]:
        """All agents, sorted."""
        return tuple(sorted({c.agent for parts in self.parts for c in parts}))

    def arrays(self, model: Model) -> RegimenArrays:
        """The regimens for the engine; a name with a colon gets the longest course of its cytotoxics."""
        weeks = int(setting("scan_interval"))
        return regimen_arrays(model, self.names, self.parts, [weeks] * len(self.names))


@dataclass(frozen=True)
class Way:
    """One way on from the present: the regimen of the coming line, and the lines after it.

    Attributes
    ----------
    trial : number of the regimen of the coming line
    later : numbers of the regimens of further lines
    chance : share of twins who receive each further line after progression
    """

    trial: int
    later: tuple[int, ...] = ()
    chance: tuple[float, ...] = ()


def history_numbers(shelf: Shelf, lines: Sequence[Line]) -> tuple[int, ...]:
    """Numbers of the regimens of the earlier lines; a line cut short is a regimen of its own."""
    numbers = []
    for line in lines:
        stopped = line.observed.on_drug_days
        name = line.planned.name if stopped is None else f"{line.planned.name} until day {stopped:g}"
        numbers.append(shelf.add(name, line.components))
    return tuple(numbers)


def course_arrays(
    prior: Sequence[int],
    ways: Sequence[Way],
    *,
    horizon_weeks: int,
    prior_limit_weeks: int,
    brain_entry: BrainEntry = BrainEntry.ANY,
) -> CourseArrays:
    """Earlier lines and the ways on, for the engine.

    Parameters
    ----------
    prior : numbers of the regimens of the earlier lines
    horizon_weeks : from the start of the coming line
    prior_limit_weeks : longest earlier line
    """
    n, n_later = len(ways), max((len(w.later) for w in ways), default=0)
    prior_regimen = np.full((n, max(len(prior), 1)), NOT_GIVEN, dtype=np.int64)
    prior_regimen[:, : len(prior)] = np.array(prior, dtype=np.int64)
    chance = np.zeros((n, n_later, 1))
    later = np.full((n, n_later, 1), NOT_GIVEN, dtype=np.int64)
    for k, way in enumerate(ways):
        chance[k, : len(way.later), 0] = way.chance
        later[k, : len(way.later), 0] = way.later
    return CourseArrays(
        entry_line=np.full(n, len(prior), dtype=np.int64),
        prior_regimen=prior_regimen,
        trial_regimen=np.array([w.trial for w in ways], dtype=np.int64),
        later_probability=chance,
        later_regimen=later,
        horizon_weeks=horizon_weeks,
        prior_limit_weeks=prior_limit_weeks,
        brain_entry=int(brain_entry),
    )


@dataclass(frozen=True)
class OptionPlan:
    """A regimen for the coming line and what follows it by the rules.

    Attributes
    ----------
    arm : the regimen as an arm, for adverse events and cycles
    later : further lines, each with its rule
    """

    planned: Planned
    arm: Arm
    later: tuple[LaterLine, ...]


def plan_option(planned: Planned, state: PatientState) -> OptionPlan:
    """An option with the later lines that the rules of the trial engine give after it."""
    agents_of = {k: frozenset(c.agent for c in r.components) for k, r in record_regimens().items()}
    can_give = [k for k, agents in agents_of.items() if not why_not(sorted(agents))]
    lines = state.completed or ()
    had: frozenset[str] = frozenset().union(*(frozenset(line.agents or ()) for line in lines))
    after = ClinicalState(
        lines_completed=len(lines) + 1, had=had | frozenset(planned.agents), year=state.as_of
    )
    later = plan_later_lines(after, agents_of, can_give, 2)
    arm = Arm(id=planned.agents[0], label=planned.name, regimen=planned.components)
    return OptionPlan(planned, arm, tuple(later))


def option_way(shelf: Shelf, option: OptionPlan) -> Way:
    """The way of an option: its regimen with each twin's own cycles, then the later lines."""
    trial = shelf.add(f"option:{option.planned.name}", option.planned.components)
    later = tuple(shelf.add(x.regimen, plan_regimen(x.regimen).components) for x in option.later)
    return Way(trial, later, tuple(setting(f"uptake_{k + 1}") for k in range(len(later))))


def sequence_way(shelf: Shelf, regimens: Sequence[Planned], uptake: Sequence[float]) -> Way:
    """The way of a sequence of lines, all as planned.

    Parameters
    ----------
    uptake : share of twins who receive each line after the first
    """
    numbers = [shelf.add(r.name, r.components) for r in regimens]
    return Way(numbers[0], tuple(numbers[1:]), tuple(uptake[: len(numbers) - 1]))
