"""Adverse events of a simulated trial, arm by arm, and the baseline of its patients beside the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import Attribute as A
from her2.engine.layout import Outcome
from her2.evidence.load import load_population, load_study
from her2.patients.sample import population_values
from her2.trials.design import merge_population
from her2.trials.follow import OPTION_INDEX, Plan, Pool, arm_events, chosen
from her2.trials.toxicity import EventRow, adverse_event_table
from her2.units import DAYS_PER_WEEK

Array = NDArray[np.float64]


def adverse_events(pool: Pool, seed: int, *, show_held_out: bool = False) -> tuple[tuple[EventRow, ...], ...]:
    """Adverse events of every arm's patients until progression or death, most frequent severe ones first.

    Parameters
    ----------
    seed : of the patients
    show_held_out : whether printed figures marked as held out may stand beside
    """
    trial = pool.plan.trial
    ids = pool.arms[0].patient
    first, n = int(ids.min()), int(ids.max() - ids.min()) + 1
    study = load_study(trial.study) if trial.study is not None else None
    tables = []
    for a, arm in enumerate(trial.arms):
        option = chosen([c.share for c in arm.choices], seed, first, n, OPTION_INDEX)[ids - first]
        courses = arm_events(pool.plan.toxicity[a], seed, first, n, ids - first)
        followed = pool.arms[a]
        ended = np.minimum(
            np.minimum(followed[Outcome.PROGRESSION], followed[Outcome.DEATH]), followed[Outcome.LAST_SEEN]
        )
        groups = [np.nonzero(option == o)[0] for o in range(len(arm.choices))]
        drawn = [
            (pool.plan.toxicity[a][o], courses[o].take(here)) for o, here in enumerate(groups) if here.size
        ]
        weeks = [ended[here] / DAYS_PER_WEEK for here in groups if here.size]
        tables.append(adverse_event_table(drawn, study, arm.id, weeks=weeks, show_held_out=show_held_out))
    return tuple(tables)


@dataclass(frozen=True)
class BaselineRow:
    """One baseline characteristic: what the recipe asks for, where from, and what the virtual patients have."""

    name: str
    wanted: float
    drawn: float
    source: str


_SHARES: Mapping[str, A] = {
    "er_positive": A.ER_POSITIVE,
    "visceral": A.VISCERAL,
    "liver": A.LIVER,
    "ecog_1": A.ECOG,
    "adjuvant_trastuzumab": A.ADJUVANT_TRASTUZUMAB,
    "adjuvant_chemotherapy": A.ADJUVANT_CHEMOTHERAPY,
    "pik3ca_mutant": A.PIK3CA,
}
_MEANS: Mapping[str, A] = {"age_mean": A.AGE, "weight_median": A.WEIGHT}
BASELINE_ATTRIBUTES = (*_SHARES.values(), *_MEANS.values())
"""Attributes that `baseline` needs."""


def baseline(pool: Pool) -> tuple[BaselineRow, ...]:
    """Baseline of the enrolled patients beside the recipe; earlier lines select, so the two may differ."""
    return baseline_rows(pool.plan, {a: pool.cohort.attributes[a] for a in BASELINE_ATTRIBUTES})


def baseline_rows(plan: Plan, attributes: Mapping[A, NDArray[np.generic]]) -> tuple[BaselineRow, ...]:
    """The rows of `baseline` from its attributes alone, each (patients,)."""
    trial = plan.trial
    recipe = merge_population(load_population(trial.population.recipe), trial)
    values = population_values(plan.model, recipe)
    rows = []
    for name, attribute in {**_SHARES, **_MEANS}.items():
        x = np.asarray(attributes[attribute])
        drawn = float(np.median(x)) if name.endswith("median") else float(x.mean())
        item = recipe.values.get(name) or recipe.values.get(f"population.{name}")
        source = f"{item.source}, {item.locator}" if item is not None else "default of the record"
        rows.append(BaselineRow(name, values[f"population.{name}"], drawn, source))
    return tuple(rows)
