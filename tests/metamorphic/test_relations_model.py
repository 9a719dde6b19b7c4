"""Parameters that are a choice of unit, switches, and the tolerance of the engine."""

from __future__ import annotations

import numpy as np
import pytest
from relations import N, cohort_of, edited, no_events, on_arm, same

from her2.engine.layout import Attribute, Outcome
from her2.model import LN10, build_model
from her2.trials.follow import prepare_trial

pytestmark = pytest.mark.metamorphic


def test_counting_cells_in_thousands_changes_nothing():
    """Burdens enter as ratios to references; in thousands every log10 of a number of cells is 3 less."""
    logs = ("tumour.burden_log10", "death.reference_log10")
    without_brain = {"cns.seeded_share": 0.0, "cns.seed_hazard": 0.0}
    values = build_model().values
    cells = build_model(without_brain)
    floor = {"tumour.log_floor": values["tumour.log_floor"] - 3.0 * LN10}
    thousands = build_model(without_brain | floor | {k: values[k] - 3.0 for k in logs})
    trial = edited("cleopatra", arms=no_events)
    one, other = (
        on_arm(plan, cohort_of(plan)) for plan in (prepare_trial(m, trial) for m in (cells, thousands))
    )
    # logs near 24 are kept to 4e-15; a thousand steps of a week and their exponentials leave 1e-10
    np.testing.assert_allclose(one.sums, other.sums, rtol=1e-9)
    for row in (Outcome.PROGRESSION, Outcome.CONFIRMED_RESPONSE):
        assert np.array_equal(one[row], other[row])
    np.testing.assert_allclose(one[Outcome.DEATH], other[Outcome.DEATH], rtol=1e-9)
    assert np.isfinite(one[Outcome.DEATH]).sum() > N / 4


def test_an_edge_of_weight_zero_is_a_switch_turned_off():
    """Bypass receptors reach the network by two edges; without their weight the level of the receptors is nothing."""
    trial = edited("cleopatra", arms=no_events)
    found = {}
    for name, weights in (
        ("on", {}),
        ("off", {"signalling.w_bypass_pi3k": 0.0, "signalling.w_bypass_ras": 0.0}),
    ):
        plan = prepare_trial(build_model(weights), trial)
        cohort = cohort_of(plan)
        first = on_arm(plan, cohort)
        cohort.attributes[Attribute.BYPASS] *= 20.0
        found[name] = same(first, on_arm(plan, cohort))
    assert found == {"on": False, "off": True}


def test_a_finer_refresh_of_the_signals_changes_results_by_no_more_than_its_tolerance(model):
    """Signals are solved anew where an occupancy moved by 0.4 %; solving them always moves sums by less than 2 %."""
    plan = prepare_trial(model, edited("cleopatra", arms=no_events))
    cohort = cohort_of(plan)
    usual = on_arm(plan, cohort)
    from dataclasses import replace

    constants = model.constants._replace(refresh=0.0, refresh_slow=0.0)
    always = on_arm(replace(plan, model=replace(plan.model, constants=constants)), cohort)
    both = np.isfinite(usual.sums) & np.isfinite(always.sums)
    assert both.sum() > 3 * N
    assert np.max(np.abs(np.log(usual.sums[both] / always.sums[both]))) < 0.02
    assert np.mean(usual[Outcome.PROGRESSION] == always[Outcome.PROGRESSION]) > 0.95
