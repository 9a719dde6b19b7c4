"""A regimen by the names of its agents as the engine gives it: doses from the record, never guessed.

A regimen of the record with the same agents stands first. Otherwise each agent is given at the dose that its record
names for one of the partners (`with_capecitabine`), or at its first dose; a cytotoxic with a usual number of cycles in
some regimen of the record keeps that number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from her2.errors import RecordError, nearest
from her2.evidence.load import load_agent
from her2.evidence.schema import Agent
from her2.model import trial_agents
from her2.pharmacology.regimen import parse_regimen
from her2.sequencing.agents import agent_id, agents_of, is_a, is_class, nearest_agent, regimen_of
from her2.sequencing.match import has_chemotherapy
from her2.trials.design import Component, Cycles
from her2.trials.follow import record_regimens
from her2.units import DAYS_PER_MONTH, DAYS_PER_WEEK

PARTNERS = {"antibody": "monoclonal_antibody", "her2_inhibitor": "tyrosine_kinase_inhibitor"}
"""Words in the names of doses (`with_antibody`) that stand for a class."""


@dataclass(frozen=True)
class Planned:
    """A regimen ready to be given.

    Attributes
    ----------
    name : agents in order of their names, joined by `+`
    components : agents with doses
    ids : entries of the record behind the doses: the regimen, or the agents
    """

    name: str
    components: tuple[Component, ...]
    ids: tuple[str, ...]

    @property
    def agents(self) -> tuple[str, ...]:
        """Agents, sorted."""
        return agents_of(self.name)

    @property
    def doses(self) -> str:
        """Agents with their doses, readable."""
        return ", ".join(f"{c.agent} {c.dose}" for c in self.components)

    @property
    def is_chemotherapy(self) -> bool:
        """Whether it contains chemotherapy; conjugates do not count, as in the rules."""
        return has_chemotherapy(self.name)

    def chemotherapy_weeks(self) -> float:
        """Longest planned course of its chemotherapy, week: typical cycles; inf until progression."""
        longest = 0.0
        for part in self.components:
            if is_a(part.agent, "chemotherapy"):
                dose = parse_regimen(part.dose)
                weeks = float(dose.interval_days) / DAYS_PER_WEEK
                cycles = part.cycles.median if part.cycles is not None else float("inf")
                cycles = min(cycles, dose.cycles if dose.cycles is not None else float("inf"))
                longest = max(longest, part.start / DAYS_PER_WEEK + cycles * weeks)
        return longest

    def stopped_after(self, months: float) -> tuple[Component, ...]:
        """Components of which no more cycles are given than start within a time; for a line stopped early.

        Parameters
        ----------
        months : time on the line, month
        """
        result = []
        for part in self.components:
            dose = parse_regimen(part.dose)
            interval = max(float(dose.interval_days), DAYS_PER_WEEK)
            n = max(1.0, float(round((months * DAYS_PER_MONTH - part.start) / interval)))
            usual = part.cycles.median if part.cycles is not None else n
            n = min(n, usual)
            result.append(part.model_copy(update={"cycles": Cycles(median=n, low=n, high=n)}))
        return tuple(result)


def named_regimen(text: str) -> str:
    """Name of a regimen from what a user writes: `Herceptin + T-DM1`.

    Raises
    ------
    her2.errors.RecordError
        An agent that the record does not have; the nearest is given.
    """
    found = []
    for word in text.split("+"):
        agent = agent_id(word)
        if agent is None:
            raise RecordError(f"regimen '{text}': unknown agent '{word.strip()}'{nearest_agent(word)}")
        found.append(agent)
    return regimen_of(found)


def why_not(agents: Sequence[str]) -> str:
    """Why the engine cannot give these agents; empty where it can."""
    known = trial_agents()
    for agent in agents:
        if is_class(agent):
            return f"'{agent}' is a class of agents: name the one given"
        if agent not in known:
            return (
                f"the record does not say what '{agent}' does to a cell and at which dose"
                f"{nearest(agent, known)}, so the engine cannot give it"
            )
    return ""


def plan_regimen(name: str, where: str = "regimen") -> Planned:
    """A regimen of these agents with doses from the record.

    Parameters
    ----------
    name : ids of agents joined by `+`
    where : place named in errors

    Raises
    ------
    her2.errors.RecordError
        A class of agents, or an agent that the engine cannot give.
    """
    agents = agents_of(name)
    reason = why_not(agents)
    if reason:
        raise RecordError(f"{where}: {reason}")
    regimens = record_regimens()
    for known in regimens.values():
        if tuple(sorted(c.agent for c in known.components)) == agents:
            return Planned(regimen_of(agents), known.components, (known.id,))
    usual = {c.agent: c.cycles for r in regimens.values() for c in r.components if c.cycles is not None}
    parts = tuple(Component(agent=a, dose=_dose(load_agent(a), agents), cycles=usual.get(a)) for a in agents)
    return Planned(regimen_of(agents), parts, agents)


def _dose(agent: Agent, beside: Sequence[str]) -> str:
    """Dose of an agent beside others: that named for a partner, else the first for no partner, else the first."""
    others = [a for a in beside if a != agent.id]
    plain = []
    best: tuple[int, str] = (0, "")
    for regimen in agent.regimens:
        if not regimen.id.startswith("with_"):
            plain.append(regimen.dose)
            continue
        matched = _partners(regimen.id.removeprefix("with_"), others)
        if matched > best[0]:
            best = (matched, regimen.dose)
    return best[1] or (plain[0] if plain else agent.regimens[0].dose)


def _partners(words: str, others: Sequence[str]) -> int:
    """How many of the others a dose is named for; 0 unless all it names are there."""
    if words in PARTNERS:
        # a dose named for an agent itself goes before one named for its class
        return int(any(is_a(a, PARTNERS[words]) for a in others))
    named = [a for a in others if a in words]
    left = words
    for a in named:
        left = left.replace(a, "")
    return 2 * len(named) if named and not left.strip("_") else 0
