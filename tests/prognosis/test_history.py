"""What a history says of each line."""

import numpy as np
import pytest

from her2.prognosis.history import RESPONSES, observed_lines, response_log_likelihood
from her2.sequencing.state import state_of
from her2.units import DAYS_PER_MONTH


def lines_of(*lines):
    return state_of({"lines": list(lines)}, "case").lines


def test_progression_dates_the_line():
    (seen,) = observed_lines(
        lines_of({"agents": ["trastuzumab"], "months": 10, "stopped_for": "progression"})
    )
    assert seen.days == pytest.approx(10 * DAYS_PER_MONTH)
    assert not seen.at_least and seen.on_drug_days is None


def test_a_line_stopped_for_toxicity_says_that_progression_came_later():
    (seen,) = observed_lines(lines_of({"agents": ["trastuzumab"], "months": 4, "stopped_for": "toxicity"}))
    assert seen.at_least and seen.on_drug_days == pytest.approx(4 * DAYS_PER_MONTH)


def test_a_pause_dates_the_progression_after_a_planned_end():
    first, _ = observed_lines(
        lines_of(
            {"agents": ["docetaxel"], "months": 6, "stopped_for": "planned_end", "months_since": 9},
            {"agents": ["trastuzumab"], "months": 5, "stopped_for": "progression", "months_since": 1},
        )
    )
    # nine months since its end, of which five on the next line and one since: three of pause
    assert first.days == pytest.approx(9 * DAYS_PER_MONTH)
    assert not first.at_least


def test_an_unknown_reason_leaves_progression_open():
    (seen,) = observed_lines(lines_of({"agents": ["trastuzumab"], "months": 4}))
    assert seen.at_least and seen.on_drug_days is None


def test_a_line_of_unknown_length_weighs_by_its_response_only():
    (seen,) = observed_lines(
        lines_of({"agents": ["trastuzumab"], "best_response": "stable", "stopped_for": "progression"})
    )
    assert seen.items == ("lines.0.best_response",)


@pytest.mark.parametrize("recorded", RESPONSES)
def test_the_own_response_is_likeliest_and_the_furthest_least(recorded):
    log = response_log_likelihood(np.arange(4), recorded)
    k = RESPONSES.index(recorded)
    assert log[k] == 0.0
    order = np.argsort(np.abs(np.arange(4) - k), kind="stable")
    assert np.all(np.diff(log[order]) <= 0.0)
