"""Shared by the relations: trial files with some fields changed, and what it means for two cohorts to be the same."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import yaml

from her2.engine.layout import Outcome
from her2.engine.run import DoseChanges, Followed, follow
from her2.patients.sample import sample_cohort
from her2.trials.design import Trial, trial_path
from her2.trials.follow import recipe_values

SEED = 11
N = 96
"""More than one block of lanes and no multiple of it, so that blocks and their filling are under test as well."""


def edited(name: str, *, arms: Any = None, **fields: Any) -> Trial:
    """A built-in trial with some fields of its file replaced.

    Parameters
    ----------
    arms : function from the list of arms, as the file has it, to another
    """
    data = yaml.safe_load(trial_path(name).read_text(encoding="utf-8"))
    if arms is not None:
        data["arms"] = arms(copy.deepcopy(data["arms"]))
    return Trial.model_validate(data | fields)


def no_events(arms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Arms without adverse events and without planned numbers of cycles: every dose as written."""
    for arm in arms:
        arm.pop("adverse_events", None)
        for component in arm["regimen"]:
            component.pop("cycles", None)
    return arms


def one_arm(*components: tuple[str, str]) -> Any:
    """For `edited`: both arms get these agents and doses, with no adverse events."""

    def change(arms: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for arm in arms:
            arm["regimen"] = [{"agent": agent, "dose": dose} for agent, dose in components]
        return no_events(arms)

    return change


def cohort_of(plan: Any, n: int = N, seed: int = SEED) -> Any:
    """Patients 0 to n - 1 of a plan, drawn for its population."""
    return sample_cohort(plan.model, recipe_values(plan), seed, 0, n)


def on_arm(plan: Any, cohort: Any, arm: int = 0, doses: Any = None, ids: Any = None) -> Followed:
    """A cohort followed on one arm, every dose as planned unless told otherwise."""
    planned = DoseChanges.none(len(plan.model.agents), cohort.n) if doses is None else doses
    patients = np.arange(cohort.n) if ids is None else ids
    return follow(plan.model, cohort, patients, plan.regimens, plan.courses[arm], planned, SEED)


def same(one: Followed, other: Followed) -> bool:
    """Whether two cohorts had the same course to the last digit; numbers of regimens may differ."""
    return all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in (
            (one.outcomes, other.outcomes),
            (one.sums, other.sums),
            (one.line_starts, other.line_starts),
        )
    )


def progression(followed: Followed) -> Any:
    """Day of progression in the trial line; infinite for never."""
    return followed[Outcome.PROGRESSION]
