"""What a patient's neighbours, and what the model does not look at, must not change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from relations import SEED, N, cohort_of, edited, no_events, on_arm, one_arm, same

from her2.engine.layout import Attribute, Outcome
from her2.engine.run import DoseChanges
from her2.model import build_model
from her2.trials.follow import prepare_trial, simulate_pool

pytestmark = pytest.mark.metamorphic


def _uneven_doses(plan, n):
    """Every patient with a reduction of her own, so that doses given to the wrong patient show."""
    doses = DoseChanges.none(len(plan.model.agents), n)
    doses.factor[:] = 0.3 + 0.7 * (np.arange(n) % 17) / 16.0
    doses.from_week[:] = np.arange(n) % 5
    return doses


def test_the_order_of_the_patients_permutes_the_results(model, cleopatra):
    plan = prepare_trial(model, cleopatra)
    cohort, doses = cohort_of(plan), _uneven_doses(plan, N)
    order = np.random.default_rng(1).permutation(N)
    forward = on_arm(plan, cohort, doses=doses)
    shuffled = on_arm(plan, cohort.take(order), doses=doses.take(order), ids=order)
    assert same(forward.take(order), shuffled)


def test_the_company_of_a_patient_changes_nothing(model, cleopatra):
    plan = prepare_trial(model, cleopatra)
    cohort, doses = cohort_of(plan), _uneven_doses(plan, N)
    some = np.array([3, 20, 21, 64, 70, 95])
    assert same(
        on_arm(plan, cohort, doses=doses).take(some),
        on_arm(plan, cohort.take(some), doses=doses.take(some), ids=some),
    )


def test_patients_drawn_in_two_parts_are_those_drawn_at_once(model, cleopatra, pool):
    first = simulate_pool(model, cleopatra, 40, SEED)
    rest = simulate_pool(model, cleopatra, N - 40, SEED, first=40)
    for arm in (0, 1):
        assert same(pool.arms[arm].take(np.arange(40)), first.arms[arm])
        assert same(pool.arms[arm].take(np.arange(40, N)), rest.arms[arm])


def test_threads_change_no_digit(model, cleopatra, pool):
    twice = simulate_pool(model, cleopatra, N, SEED, jobs=2)
    assert all(same(a, b) for a, b in zip(pool.arms, twice.arms, strict=True))


def test_a_commoner_mutation_changes_only_those_who_now_carry_it(cleopatra):
    pools = []
    for share in (0.2, 0.6):
        model = build_model({"population.pik3ca_mutant": share})
        pools.append(simulate_pool(model, cleopatra, N, SEED))
    carries = [p.cohort.attributes[Attribute.PIK3CA] > 0.5 for p in pools]
    kept = np.flatnonzero(carries[0] == carries[1])
    moved = np.flatnonzero(carries[0] != carries[1])
    assert moved.size > 20 and kept.size > 40
    assert same(pools[0].arms[0].take(kept), pools[1].arms[0].take(kept))
    assert not same(pools[0].arms[0].take(moved), pools[1].arms[0].take(moved))


def test_without_cells_in_the_brain_nothing_ever_happens_there(cleopatra):
    none = build_model({"cns.seeded_share": 0.0, "cns.seed_hazard": 0.0})
    twins = simulate_pool(none, cleopatra, N, SEED)
    for arm in twins.arms:
        assert np.all(np.isinf(arm[Outcome.CNS_PROGRESSION]))
        assert np.all(arm[Outcome.CNS_FIRST] == 0.0)
    # and with them something does, so that the relation is not empty
    some = simulate_pool(build_model({"cns.seeded_share": 1.0}), cleopatra, N, SEED, arms=[0])
    assert np.isfinite(some.arms[0][Outcome.CNS_PROGRESSION]).sum() > 5


def test_effector_cells_and_fc_parts_are_nothing_to_patients_on_chemotherapy_alone(model):
    plan = prepare_trial(
        model, edited("cleopatra", arms=one_arm(("docetaxel", "75 mg/m2 q3w")), later_lines={"uptake": []})
    )
    cohort = cohort_of(plan)
    attributes = cohort.attributes.copy()
    attributes[Attribute.EFFECTOR] *= 3.0
    other = replace(cohort, attributes=attributes, fc_factor=2.0 * cohort.fc_factor)
    assert same(on_arm(plan, cohort), on_arm(plan, other))
    # with an antibody in the regimen the same change shows
    both = prepare_trial(model, edited("cleopatra", arms=no_events))
    drawn = cohort_of(both)
    attributes = drawn.attributes.copy()
    attributes[Attribute.EFFECTOR] *= 3.0
    assert not same(on_arm(both, drawn), on_arm(both, replace(drawn, attributes=attributes)))
