"""What must hold between the arms of a trial, whatever the drugs do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from relations import SEED, N, cohort_of, edited, no_events, on_arm, same

from her2.engine.layout import Outcome
from her2.engine.run import DoseChanges
from her2.model import build_model
from her2.trials.analyse import allocate, contrast_statistics, observe_arms
from her2.trials.cut import cut_data
from her2.trials.follow import prepare_trial, simulate_pool
from her2.trials.intervals import twin_cox
from her2.trials.randomise import randomise

pytestmark = pytest.mark.metamorphic


def _adding(agent, dose):
    def change(arms):
        arms[1]["regimen"].append({"agent": agent, "dose": dose})
        return no_events(arms)

    return change


@pytest.mark.parametrize(("agent", "dose"), [("lapatinib", "1250 mg qd"), ("everolimus", "10 mg qd")])
def test_a_drug_added_at_no_dose_changes_nothing(model, agent, dose):
    """Equal but for rounding: with a kinase inhibitor the network keeps parts that are folded away without it."""
    without = prepare_trial(model, edited("cleopatra", arms=no_events))
    plan = prepare_trial(model, edited("cleopatra", arms=_adding(agent, dose)))
    doses = DoseChanges.none(len(plan.model.agents), N)
    doses.factor[plan.model.drug_index(agent)] = 0.0
    none = on_arm(plan, cohort_of(plan), 1, doses)
    expected = on_arm(without, cohort_of(without), 1)
    # a year of rates that differ by rounding moves log burdens by less than 1e-9
    np.testing.assert_allclose(none.sums, expected.sums, rtol=1e-9)
    assert np.array_equal(none[Outcome.PROGRESSION], expected[Outcome.PROGRESSION])
    given = on_arm(plan, cohort_of(plan), 1)
    assert not np.array_equal(given[Outcome.PROGRESSION], expected[Outcome.PROGRESSION])


def test_a_drug_that_does_nothing_leaves_twins_alike_and_the_hazard_ratio_one():
    """Every dose as planned, as toxicity is another matter; no later lines, as their rules ask for what was had; no
    fatigue of effector cells, which counts any antibody with an Fc part; and signals always solved anew, as occupancies
    decide when.
    """
    idle = build_model(
        {
            "receptors.block_pertuzumab_ligand_driven": 0.0,
            "receptors.block_pertuzumab_ligand_free": 0.0,
            "tumour.fc_weight_pertuzumab": 0.0,
            "tumour.immune_tolerance": 0.0,
        }
    )
    times = []
    for model in (idle, build_model()):
        always = replace(model, constants=model.constants._replace(refresh=0.0, refresh_slow=0.0))
        plan = prepare_trial(always, edited("cleopatra", arms=no_events, later_lines={"uptake": []}))
        arms = [on_arm(plan, cohort_of(plan), k) for k in (0, 1)]
        assert same(*arms) == (model is idle)
        never = np.full(N, np.inf)
        times.append([cut_data(arm, "pfs", np.zeros(N), never, 1500.0, 63.0) for arm in arms])
    assert twin_cox(*times[0]).hazard_ratio == 1.0
    assert twin_cox(*times[1]).hazard_ratio < 1.0


def test_the_order_of_the_arms_in_the_file_swaps_them(model, pool):
    turned = edited("cleopatra", arms=lambda arms: arms[::-1])
    other = simulate_pool(model, turned, N, SEED)
    assert same(pool.arms[0], other.arms[1])
    assert same(pool.arms[1], other.arms[0])


def test_swapping_the_arms_of_a_contrast_inverts_the_hazard_ratio(pool):
    data = observe_arms(pool, allocate(pool, SEED), SEED)
    one, other = contrast_statistics(data, 0, 1), contrast_statistics(data, 1, 0)
    for name in ("pfs", "os"):
        # two fits to rounding, each converged to 1e-8 of its log hazard ratio and one Newton step beyond
        assert one[name].value * other[name].value == pytest.approx(1.0, rel=1e-9)
        assert one[name].low * other[name].high == pytest.approx(1.0, rel=1e-9)
        assert one[name].value != 1.0


def test_names_of_trial_and_arms_change_no_digit(model, pool):
    def rename(arms):
        arms[0]["id"], arms[1]["id"] = "a", "b"
        return arms

    other = simulate_pool(model, edited("cleopatra", arms=rename, id="another", control="b"), N, SEED)
    assert all(same(x, y) for x, y in zip(pool.arms, other.arms, strict=True))


def test_labels_of_strata_do_not_decide_who_gets_what():
    strata = np.random.default_rng(4).integers(0, 3, 101)
    renamed = np.array([7, 2, 5])[strata]
    arms = [randomise(3, 0, codes, (2, 1), 6) for codes in (strata, renamed)]
    assert np.array_equal(*arms)
    assert not np.array_equal(arms[0], randomise(3, 1, strata, (2, 1), 6))


def test_later_lines_are_nothing_to_the_line_of_the_trial(model, pool):
    none = simulate_pool(model, edited("cleopatra", later_lines={"uptake": []}), N, SEED)
    half = simulate_pool(model, edited("cleopatra", later_lines={"uptake": [0.5, 0.0, 0.0]}), N, SEED)
    for arm in (0, 1):
        for row in (Outcome.PROGRESSION, Outcome.CONFIRMED_RESPONSE, Outcome.BEST_SUM):
            assert np.array_equal(none.arms[arm][row], pool.arms[arm][row])
            assert np.array_equal(none.arms[arm][row], half.arms[arm][row])
        # a share of 0 gives nobody a further line; a half gives some one, nobody two
        assert not np.any(none.arms[arm].line_regimens[1:] >= 0)
        assert not np.any(half.arms[arm].line_regimens[2:] >= 0)
        assert np.any(half.arms[arm].line_regimens[1] >= 0)
        # who gets a next line at a lower share gets it at a higher one too
        assert np.all((pool.arms[arm].line_regimens[1] >= 0) >= (half.arms[arm].line_regimens[1] >= 0))


def test_subgroups_and_endpoints_of_the_report_change_no_patient_and_no_other_figure(model, pool):
    fewer = edited("cleopatra", subgroups=[], endpoints={"primary": "pfs", "reported": ["pfs", "os"]})
    other = simulate_pool(model, fewer, N, SEED)
    arm = allocate(pool, SEED)
    assert np.array_equal(arm, allocate(other, SEED))
    one = contrast_statistics(observe_arms(pool, arm, SEED), 0, 1)
    two = contrast_statistics(observe_arms(other, arm, SEED), 0, 1)
    assert {k: one[k] for k in ("pfs", "os")} == {k: two[k] for k in ("pfs", "os")}
