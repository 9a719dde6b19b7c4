"""What limits an option: the same twins, with one escape route taken away from the start of their disease.

A twin without the route lives through the same earlier lines; one that then would not have progressed on them does not
enter the option, and is counted as such. The rest of the gain is on the option itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import Outcome
from her2.engine.run import DoseChanges, Followed
from her2.evidence.schema import Mechanism
from her2.prognosis.known import Fact
from her2.prognosis.lanes import Chosen, Lane
from her2.prognosis.result import LimitOf, Overcome
from her2.prognosis.routes import ROUTES, Route
from her2.prognosis.weights import difference_of, weighted_quantile
from her2.units import DAYS_PER_MONTH

Array = NDArray[np.float64]
Index = NDArray[np.int64]
FEWEST = 3
"""Carriers among the twins of all members below which a route is not tried."""
MOST_CLAIMS = 4
EVIDENCE = ("meta_analysis", "prospective", "rct_subgroup", "retrospective", "xenograft", "in_vitro")
"""Kinds of evidence of the record, the strongest first; others come last."""


def progression_free(seen: Followed, horizon_days: float) -> Array:
    """Progression-free survival, day: (twins,); infinite where neither came, NaN where the line was not reached."""
    time = np.minimum(seen[Outcome.PROGRESSION], seen[Outcome.DEATH])
    time = np.where(time <= horizon_days, time, np.inf)
    return np.where(seen.enrolled, time, np.nan)


@dataclass(frozen=True)
class Trial:
    """A route tried on one option in one member: who carries it, and the lane without it."""

    route: Route
    carriers: Index
    lane: Lane


def trials_of(
    chosen: Chosen, doses: DoseChanges, way: int, routes: Sequence[Route], subset: Index
) -> list[Trial]:
    """Lanes of the carriers of each route without it, on one option.

    Parameters
    ----------
    doses : of all chosen twins on the option
    way : of the option
    subset : (some twins,) positions of the twins that are tried
    """
    result = []
    part = chosen.take(subset)
    for route in routes:
        has = route.has(part.cohort, part.member.values, part.resistant)
        carriers = subset[np.nonzero(has)[0]]
        if carriers.size:
            cohort = route.without(chosen.cohort.take(carriers), chosen.member.values)
            result.append(Trial(route, carriers, Lane(way, carriers, cohort, doses.take(carriers))))
    return result


@dataclass(frozen=True)
class Tried:
    """Outcome of one option with and without a route over the twins tried.

    Attributes
    ----------
    weights, member : (twins,)
    carrier : (twins,)
    with_it, without : (twins,) day; the same for twins that do not carry the route
    """

    weights: Array
    member: Index
    carrier: NDArray[np.bool_]
    with_it: Array
    without: Array


def limit_of(
    route: Route, tried: Tried, mechanisms: Mapping[str, Mechanism], restriction_months: float
) -> LimitOf | None:
    """What a route costs on an option; None where too few twins carry it.

    Parameters
    ----------
    mechanisms : of the record
    """
    if int(tried.carrier.sum()) < FEWEST:
        return None
    entered = np.isfinite(tried.with_it) | np.isposinf(tried.with_it)
    both = entered & ~np.isnan(tried.without)
    limit = restriction_months * DAYS_PER_MONTH
    capped = np.minimum(np.where(both, tried.without, 0.0), limit) - np.minimum(
        np.where(both, tried.with_it, 0.0), limit
    )
    w = np.where(both, tried.weights, 0.0)
    if not w.sum() > 0.0:
        return None
    months = capped / DAYS_PER_MONTH
    carriers = both & tried.carrier
    cw = np.where(carriers, tried.weights, 0.0)
    total = np.where(entered, tried.weights, 0.0)
    carried = float(np.where(tried.carrier, total, 0.0).sum())
    medians = [
        _month(weighted_quantile(np.where(carriers, x, 0.0), cw, 0.5)) for x in (tried.with_it, tried.without)
    ]
    return LimitOf(
        route=route.id,
        label=route.label,
        carriers=carried / float(total.sum()),
        median_with=medians[0],
        median_without=medians[1],
        gain=difference_of(months, w, tried.member),
        carriers_gain=float(np.dot(cw, months) / cw.sum()) if cw.sum() > 0.0 else 0.0,
        not_entering=1.0 - float(cw.sum()) / carried if carried > 0.0 else 0.0,
        restriction_months=restriction_months,
        overcome=overcome_by(route, mechanisms),
        ids=route.ids,
    )


def overcome_by(route: Route, mechanisms: Mapping[str, Mechanism]) -> tuple[Overcome, ...]:
    """What the record names against the mechanisms of a route, with the claims."""
    found = []
    for name in route.mechanisms:
        mechanism = mechanisms.get(name)
        for what in mechanism.overcome_by if mechanism is not None else ():
            assert mechanism is not None
            found.append(Overcome(what, name, claims_about(mechanism, what), evidence_of(mechanism)))
    return tuple(found)


def evidence_of(mechanism: Mechanism) -> tuple[str, ...]:
    """Kinds of evidence on a mechanism, the strongest first."""
    return tuple(
        sorted(
            mechanism.evidence_settings, key=lambda e: EVIDENCE.index(e) if e in EVIDENCE else len(EVIDENCE)
        )
    )


def claims_about(mechanism: Mechanism, what: str) -> tuple[str, ...]:
    """Claims of a mechanism, those whose id names an agent of `what` first, at most four."""
    agents = what.replace(" ", "_").split("+")
    named = [c for c in mechanism.claims if any(a in c for a in agents)]
    return tuple(dict.fromkeys((*named, *mechanism.claims)))[:MOST_CLAIMS]


def _month(days: float) -> float | None:
    return days / DAYS_PER_MONTH if np.isfinite(days) else None


def tried_routes(facts: Sequence[Fact]) -> tuple[Route, ...]:
    """Routes worth trying: all but those the case says the patient does not have."""
    said = {f.item: f.value for f in facts}
    return tuple(r for r in ROUTES if not r.absent or said.get(r.item) != r.absent)
