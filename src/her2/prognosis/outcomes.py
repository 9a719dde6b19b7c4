"""What happened to the twins on one option, over all members, and what is reported of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import Outcome
from her2.engine.run import Followed
from her2.evidence.toxicity import TERMS
from her2.prognosis.courses import OptionPlan
from her2.prognosis.result import Course, Event, LimitOf
from her2.prognosis.settings import setting
from her2.prognosis.weights import rate_of, times_of
from her2.trials.endpoints import brain_progressed, responded
from her2.trials.toxicity import SEVERE, ArmToxicity, ToxicityCourse
from her2.units import DAYS_PER_MONTH, DAYS_PER_WEEK

Array = NDArray[np.float64]
Index = NDArray[np.int64]
SHOWN_EVENTS = 6


@dataclass(frozen=True)
class Outcomes:
    """Twins on one option, all members side by side.

    Attributes
    ----------
    seen, events : of each member
    weights, member : (twins,)
    horizon_days : time for which the twins are followed
    """

    seen: tuple[Followed, ...]
    events: tuple[ToxicityCourse, ...]
    weights: Array
    member: Index
    horizon_days: float

    def row(self, outcome: Outcome) -> Array:
        """An outcome of all twins: (twins,)."""
        return np.concatenate([s[outcome] for s in self.seen])

    @property
    def live_weights(self) -> Array:
        """Weights of the twins that reached the line, 0 for the others: (twins,)."""
        return np.where(np.concatenate([s.enrolled for s in self.seen]), self.weights, 0.0)

    @property
    def pfs_months(self) -> Array:
        """Progression-free survival, month; infinite where not reached: (twins,)."""
        return np.minimum(self.row(Outcome.PROGRESSION), self.row(Outcome.DEATH)) / DAYS_PER_MONTH

    @property
    def os_months(self) -> Array:
        """Survival, month; infinite where not reached: (twins,)."""
        return self.row(Outcome.DEATH) / DAYS_PER_MONTH

    def next_months(self) -> Array:
        """Time to the start of the next therapy, or death, month: (twins,)."""
        first = []
        for seen in self.seen:
            # the line in question starts on day 0, and supportive care is no therapy
            therapy = (seen.line_starts > 0.0) & (seen.line_regimens >= 0)
            start = np.where(therapy, seen.line_starts, np.inf).min(axis=0)
            first.append(np.minimum(start, seen[Outcome.DEATH]))
        return np.concatenate(first) / DAYS_PER_MONTH

    def grades(self) -> NDArray[np.int8]:
        """Worst grade of each term while on the option: (terms, twins)."""
        parts = []
        for events, seen in zip(self.events, self.seen, strict=True):
            end = np.minimum(seen[Outcome.PROGRESSION], seen[Outcome.DEATH]) / DAYS_PER_WEEK
            parts.append(events.grade(end))
        return np.concatenate(parts, axis=1)

    def course(
        self,
        plan: OptionPlan,
        toxicity: ArmToxicity,
        *,
        position: int | None,
        rules: tuple[str, ...],
        verdict: str,
        limits: Sequence[LimitOf],
    ) -> Course:
        """What is reported of the option."""
        w, m, planned = self.live_weights, self.member, plan.planned
        grades, until = self.grades(), setting("restriction")
        events = []
        for k, term in enumerate(toxicity.terms):
            sources = dict.fromkeys(f"{c.agent}: {c.given_from}" for c in toxicity.causes if c.term == term)
            rate = rate_of(grades[k] >= SEVERE, w, m)
            if rate.value > 0.0:
                events.append(Event(term, TERMS.get(term, term), rate, "; ".join(sources)))
        events.sort(key=lambda e: -e.rate.value)
        return Course(
            regimen=planned.name,
            position=position,
            rules=rules,
            verdict=verdict,
            doses=planned.doses,
            orr=rate_of(np.concatenate([responded(s, self.horizon_days) for s in self.seen]), w, m),
            pfs=times_of(self.pfs_months, w, m),
            os=times_of(self.os_months, w, m),
            next_therapy=times_of(self.next_months(), w, m),
            brain=rate_of(self.row(Outcome.CNS_PROGRESSION) <= until * DAYS_PER_MONTH, w, m),
            brain_months=until,
            brain_first=rate_of(
                np.concatenate([brain_progressed(s, self.horizon_days) for s in self.seen]), w, m
            ),
            severe=rate_of(grades.max(axis=0, initial=0) >= SEVERE, w, m),
            events=tuple(events[:SHOWN_EVENTS]),
            unlisted=toxicity.without,
            later=tuple((x.regimen, x.rule) for x in plan.later),
            limits=tuple(limits),
            ids=(*planned.ids, *(a for a in planned.agents if a not in planned.ids)),
        )
