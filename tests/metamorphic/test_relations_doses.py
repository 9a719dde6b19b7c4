"""Regimens that are the same treatment in other words, and what a dose must not do."""

from __future__ import annotations

import pytest
from relations import N, cohort_of, edited, on_arm, one_arm, same

from her2.engine.layout import Attribute
from her2.engine.run import DoseChanges
from her2.trials.follow import prepare_trial

pytestmark = pytest.mark.metamorphic


def _given(model, *components, cohort=None, doses=None):
    plan = prepare_trial(model, edited("cleopatra", arms=one_arm(*components)))
    return plan, on_arm(plan, cohort_of(plan) if cohort is None else cohort, doses=doses)


@pytest.mark.parametrize(
    ("agent", "one", "other", "different"),
    [
        ("trastuzumab", "6 mg/kg q3w", "6 mg/kg q21d", "6 mg/kg q2w"),
        ("capecitabine", "1000 mg/m2 bid d1-14 q3w", "2000 mg/m2 qd d1-14 q3w", "1000 mg/m2 qd d1-14 q3w"),
        ("trastuzumab", "4 mg/kg then 2 mg/kg qw", "4 mg/kg then 2 mg/kg q7d", "2 mg/kg qw"),
        ("docetaxel", "75 mg/m2 q3w x6", "75 mg/m2 q3w for 18 weeks", "75 mg/m2 q3w x5"),
    ],
)
def test_the_same_regimen_in_other_words_gives_the_same_digits(model, agent, one, other, different):
    first, second, third = (_given(model, (agent, text))[1] for text in (one, other, different))
    assert same(first, second)
    assert not same(first, third)


def test_a_loading_dose_as_large_as_the_others_is_none(model):
    plain = _given(model, ("trastuzumab", "6 mg/kg q3w"), ("pertuzumab", "420 mg q3w"))[1]
    loaded = _given(model, ("trastuzumab", "6 mg/kg then 6 mg/kg q3w"), ("pertuzumab", "420 mg q3w"))[1]
    larger = _given(model, ("trastuzumab", "8 mg/kg then 6 mg/kg q3w"), ("pertuzumab", "420 mg q3w"))[1]
    assert same(plain, loaded)
    assert not same(plain, larger)


def test_a_dose_by_size_is_a_flat_dose_where_all_have_that_size(model):
    plan, _ = _given(model, ("trastuzumab", "6 mg/kg q3w"), ("docetaxel", "75 mg/m2 q3w"))
    cohort = cohort_of(plan)
    cohort.attributes[Attribute.WEIGHT] = 64.0
    cohort.attributes[Attribute.BSA] = 2.0
    texts = (("6 mg/kg q3w", "75 mg/m2 q3w"), ("384 mg q3w", "150 mg q3w"), ("384 mg q3w", "75 mg q3w"))
    by_size, flat, less = (
        _given(model, ("trastuzumab", a), ("docetaxel", b), cohort=cohort)[1] for a, b in texts
    )
    assert same(by_size, flat)
    assert not same(by_size, less)


def test_more_cycles_than_there_is_time_for_are_no_limit(model):
    plain = _given(model, ("docetaxel", "75 mg/m2 q3w"))[1]
    assert same(plain, _given(model, ("docetaxel", "75 mg/m2 q3w x400"))[1])
    assert not same(plain, _given(model, ("docetaxel", "75 mg/m2 q3w x6"))[1])


def test_half_the_dose_from_the_start_is_the_regimen_of_half_the_dose(model):
    """Halves are exact in binary, so that the digits must be the same."""
    full = (("trastuzumab", "8 mg/kg then 6 mg/kg q3w"), ("docetaxel", "100 mg/m2 q3w"))
    half = (("trastuzumab", "4 mg/kg then 3 mg/kg q3w"), ("docetaxel", "50 mg/m2 q3w"))
    plan, whole = _given(model, *full)
    doses = DoseChanges.none(len(plan.model.agents), N)
    doses.factor[:] = 0.5
    reduced = _given(model, *full, doses=doses)[1]
    assert same(reduced, _given(model, *half)[1])
    assert not same(reduced, whole)


def test_stopping_after_some_weeks_is_a_limit_of_as_many_cycles(model):
    plan, _ = _given(model, ("docetaxel", "75 mg/m2 q3w"))
    doses = DoseChanges.none(len(plan.model.agents), N)
    doses.stop_week[:] = 12.0
    stopped = _given(model, ("docetaxel", "75 mg/m2 q3w"), doses=doses)[1]
    assert same(stopped, _given(model, ("docetaxel", "75 mg/m2 q3w x4"))[1])
    assert not same(stopped, _given(model, ("docetaxel", "75 mg/m2 q3w x5"))[1])
