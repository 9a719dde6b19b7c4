"""Twins: the life they are weighted by is the life they live when an option follows."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from small_case import SECOND_LINE

from her2.prognosis.courses import plan_option
from her2.prognosis.history import time_log_likelihood
from her2.prognosis.known import known_of
from her2.prognosis.lanes import choose_twins, member_of
from her2.prognosis.options_run import OptionsRun
from her2.prognosis.predict import case_lines, history_agents
from her2.prognosis.regimens import plan_regimen
from her2.prognosis.twins import find_twins, line_durations, make_members
from her2.sequencing.state import state_of
from her2.trials.toxicity import arm_toxicity
from her2.units import DAYS_PER_WEEK

ONE = SECOND_LINE["lines"]
TWO = [*ONE, {"agents": ["t_dm1"], "best_response": "stable", "months": 8, "stopped_for": "progression"}]
STOPPED = [
    {
        "agents": ["docetaxel", "trastuzumab"],
        "best_response": "partial",
        "months": 6,
        "stopped_for": "toxicity",
    }
]


@pytest.mark.parametrize("lines", [ONE, TWO, STOPPED], ids=["one line", "two lines", "stopped early"])
def test_weights_are_those_of_the_lines_lived_before_the_option(models, lines):
    state = state_of({**SECOND_LINE, "lines": lines}, "case")
    known, own = known_of(state), case_lines(state)
    members = make_members(models, known, history_agents(own))
    with ThreadPoolExecutor(1) as pool:
        twins = find_twins(members, known, own, draws=600, seed=1, pool=pool)
        plan = plan_option(plan_regimen("capecitabine+trastuzumab"), state)
        run = OptionsRun(
            twins,
            known,
            own,
            [plan],
            [arm_toxicity(plan.arm.regimen)],
            explained=(),
            most=10_000,
            seed=1,
            pool=pool,
        )
    outcome = run.outcomes[0]
    assert outcome.live_weights.sum() > 0.999 * outcome.weights.sum()
    rows = [k for k, item in enumerate(twins.items) if item.endswith("months")]
    for chosen, weighed, seen in zip(run.chosen, twins.weighed, outcome.seen, strict=True):
        gap = chosen.member.model.constants.line_gap_weeks * DAYS_PER_WEEK
        durations = line_durations(seen, len(own), gap)
        place = np.searchsorted(weighed.ids, chosen.ids)
        for row, duration, line in zip(rows, durations, own, strict=True):
            lived = time_log_likelihood(duration, line.observed)
            np.testing.assert_allclose(lived, weighed.log[row, place], atol=1e-9)


def test_chosen_twins_keep_their_attributes_and_gain_the_other_drugs(models):
    state = state_of(SECOND_LINE, "case")
    known, own = known_of(state), case_lines(state)
    members = make_members(models, known, history_agents(own))
    with ThreadPoolExecutor(1) as pool:
        twins = find_twins(members, known, own, draws=240, seed=1, pool=pool)
    chosen = choose_twins(twins, 10_000, ["docetaxel", "lapatinib", "trastuzumab"], 1)
    for some, weighed in zip(chosen, twins.weighed, strict=True):
        place = np.searchsorted(weighed.ids, some.ids)
        assert np.array_equal(some.cohort.attributes, weighed.cohort.attributes[:, place])
        assert some.cohort.pk.shape[0] == 3
    assert set(np.concatenate([member_of(c.ids) for c in chosen])) == {0, 1}
    resampled = choose_twins(twins, 30, ["docetaxel", "trastuzumab"], 1)
    assert sum(float(c.weights.sum()) for c in resampled) == 30.0


def test_twins_with_brain_metastases_before_do_not_fit_a_case_without(models):
    state = state_of({**SECOND_LINE, "cns": "none"}, "case")
    known, own = known_of(state), case_lines(state)
    members = make_members(models, known, history_agents(own))
    with ThreadPoolExecutor(1) as pool:
        twins = find_twins(members, known, own, draws=600, seed=1, pool=pool)
    brain = np.concatenate([w.log[twins.items.index("cns.metastases")] for w in twins.weighed])
    assert np.any(brain < 0.0) and np.all(twins.weights[brain < 0.0] == 0.0)
