"""The twins on every option, and on some options without each escape route: all lanes of a member in one run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from her2.engine.run import DoseChanges, Followed
from her2.prognosis.courses import Line, OptionPlan, Shelf, course_arrays, history_numbers, option_way
from her2.prognosis.known import Known
from her2.prognosis.lanes import Chosen, Lane, choose_twins, follow_lanes, member_of, option_doses
from her2.prognosis.limits import Tried, limit_of, progression_free, trials_of, tried_routes
from her2.prognosis.outcomes import Outcomes
from her2.prognosis.progress import Share, unheard
from her2.prognosis.result import LimitOf
from her2.prognosis.routes import Route, record_mechanisms
from her2.prognosis.settings import setting
from her2.prognosis.twins import Twins
from her2.prognosis.weights import resample
from her2.trials.toxicity import ArmToxicity, ToxicityCourse
from her2.units import DAYS_PER_MONTH, DAYS_PER_WEEK

Array = NDArray[np.float64]
Index = NDArray[np.int64]
TRIED_TWINS = 72
"""Twins for which is asked what limits an option."""


@dataclass(frozen=True)
class Part:
    """One member: outcomes, adverse events and doses by option."""

    seen: tuple[Followed, ...]
    events: tuple[ToxicityCourse, ...]
    doses: tuple[DoseChanges, ...]


class OptionsRun:
    """Twins on all options.

    Parameters
    ----------
    plans, toxicity : options and their adverse events
    explained : positions of the options for which is asked what limits them
    most : twins to follow
    on_progress : called with the share done
    """

    def __init__(
        self,
        twins: Twins,
        known: Known,
        lines: Sequence[Line],
        plans: Sequence[OptionPlan],
        toxicity: Sequence[ArmToxicity],
        *,
        explained: Sequence[int],
        most: int,
        seed: int,
        pool: Executor,
        on_progress: Share = unheard,
    ) -> None:
        self._plans, self.toxicity, self._seed = tuple(plans), tuple(toxicity), seed
        shelf = Shelf()
        prior = history_numbers(shelf, lines)
        ways = [option_way(shelf, p) for p in plans]
        self.chosen = choose_twins(twins, most, shelf.agents, seed)
        self._arrays = shelf.arrays(self.chosen[0].member.model)
        limit = max((line.observed.weeks_needed() for line in lines), default=0)
        self._course = course_arrays(
            prior, ways, horizon_weeks=int(setting("horizon")), prior_limit_weeks=limit,
            brain_entry=known.brain_entry,
        )  # fmt: skip
        self._restriction_weeks = _whole_scans(setting("restriction") * DAYS_PER_MONTH / DAYS_PER_WEEK)
        self._short = course_arrays(
            prior, [replace(w, later=(), chance=()) for w in ways], horizon_weeks=self._restriction_weeks,
            prior_limit_weeks=max(limit, int(setting("prior_limit"))), brain_entry=known.brain_entry,
        )  # fmt: skip
        # what limits an option takes about as long as the options themselves
        whole = len(self.chosen) * (2 if explained else 1)
        parts = []
        for part in pool.map(self._follow, self.chosen):
            parts.append(part)
            on_progress(len(parts) / whole)
        weights = np.concatenate([c.weights for c in self.chosen])
        member = member_of(np.concatenate([c.ids for c in self.chosen]))
        self.outcomes = tuple(
            Outcomes(
                tuple(p.seen[k] for p in parts), tuple(p.events[k] for p in parts), weights, member,
                setting("horizon") * DAYS_PER_WEEK,
            )
            for k in range(len(plans))
        )  # fmt: skip
        digest = hashlib.blake2b(digest_size=16)
        for part in parts:
            for seen in part.seen:
                digest.update(seen.digest().encode())
        self.digest = digest.hexdigest()
        routes = tried_routes(known.facts)
        self.limits = (
            self._limits(
                parts, list(explained), routes, weights, pool, lambda k: on_progress((len(parts) + k) / whole)
            )
            if explained
            else {}
        )

    def _follow(self, chosen: Chosen) -> Part:
        """All options of one member in one run."""
        every = np.arange(chosen.n)
        lanes, events, doses = [], [], []
        for k, (plan, toxicity) in enumerate(zip(self._plans, self.toxicity, strict=True)):
            own, course = option_doses(chosen, plan, toxicity, self._seed)
            lanes.append(Lane(k, every, chosen.cohort, own))
            doses.append(own)
            events.append(course)
        seen = follow_lanes(chosen, lanes, self._arrays, self._course, self._seed)
        return Part(tuple(seen), tuple(events), tuple(doses))

    def _limits(
        self,
        parts: Sequence[Part],
        explained: Sequence[int],
        routes: Sequence[Route],
        weights: Array,
        pool: Executor,
        on_member: Callable[[int], None],
    ) -> dict[int, tuple[LimitOf, ...]]:
        """What limits each option explained, the largest gain first."""
        counts = weights
        if weights.size > TRIED_TWINS:
            counts = np.bincount(resample(weights, TRIED_TWINS, 0.5), minlength=weights.size).astype(
                np.float64
            )
        parted = np.split(counts, np.cumsum([c.n for c in self.chosen])[:-1])
        subsets = [np.nonzero(own)[0] for own in parted]

        def try_member(k: int) -> list[_Trial]:
            return list(self._try(self.chosen[k], parts[k], explained, routes, subsets[k]))

        tried = []
        for own in pool.map(try_member, range(len(self.chosen))):
            tried.append(own)
            on_member(len(tried))
        mechanisms = record_mechanisms()
        result = {}
        for way in explained:
            found = []
            for route in routes:
                rows = [
                    self._paired(parts[k].seen[way], tried[k], way, route, subset)
                    for k, subset in enumerate(subsets)
                ]
                trial = Tried(
                    weights=counts[counts > 0.0],
                    member=member_of(
                        np.concatenate([c.ids[s] for c, s in zip(self.chosen, subsets, strict=True)])
                    ),
                    carrier=np.concatenate([r[0] for r in rows]),
                    with_it=np.concatenate([r[1] for r in rows]),
                    without=np.concatenate([r[2] for r in rows]),
                )
                limit = limit_of(route, trial, mechanisms, setting("restriction"))
                if limit is not None:
                    found.append(limit)
            result[way] = tuple(sorted(found, key=lambda x: -x.gain.value))
        return result

    def _try(
        self, chosen: Chosen, part: Part, explained: Sequence[int], routes: Sequence[Route], subset: Index
    ) -> Iterator[_Trial]:
        """Carriers of each route without it, on each option explained, in one run."""
        trials = [
            (way, trial)
            for way in explained
            for trial in trials_of(chosen, part.doses[way], way, routes, subset)
        ]
        if not trials:
            return
        seen = follow_lanes(chosen, [t.lane for _, t in trials], self._arrays, self._short, self._seed)
        horizon = self._restriction_weeks * DAYS_PER_WEEK
        for (way, trial), followed in zip(trials, seen, strict=True):
            yield _Trial(way, trial.route.id, trial.carriers, progression_free(followed, horizon))

    def _paired(
        self, seen: Followed, tried: Sequence[_Trial], way: int, route: Route, subset: Index
    ) -> tuple[NDArray[np.bool_], Array, Array]:
        """Carriers, and progression-free survival with and without the route, of the twins tried in one member."""
        with_it = progression_free(seen, self._restriction_weeks * DAYS_PER_WEEK)
        without, carrier = with_it.copy(), np.zeros(with_it.size, dtype=np.bool_)
        for trial in tried:
            if trial.way == way and trial.route == route.id:
                without[trial.carriers], carrier[trial.carriers] = trial.days, True
        return carrier[subset], with_it[subset], without[subset]


@dataclass(frozen=True)
class _Trial:
    """Days without progression of the carriers of a route without it."""

    way: int
    route: str
    carriers: Index
    days: Array


def _whole_scans(weeks: float) -> int:
    """Weeks up to and with the first scan at or after a time."""
    every = int(setting("scan_interval"))
    return int(-(-weeks // every)) * every
