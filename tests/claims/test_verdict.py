"""The verdict rule, on numbers made up for it: one rule for every claim, and nothing in it knows the claim."""

import numpy as np
import pytest

from her2.claims.readouts import COHORT_READOUTS, Readout, find_readout
from her2.claims.verdict import agrees, compute_statistic, judge, missed_effect, smallest_effect
from her2.evidence.biology import Expectation, Statistic

NODE = Readout("akt", "1", "linear", 0.02)
GROWTH = Readout("net_growth", "1/day", "growth", 0.02)
AMOUNT = Readout("her2_her3", "1e6 receptors/cell", "relative", 0.05)


def _statistic(kind, n):
    return Statistic(kind=kind, of=tuple("abcd"[:n]))


def _models(*columns):
    return [np.asarray(c, dtype=float) for c in columns]


def test_what_each_statistic_computes():
    a, b, c, d = _models([8.0], [2.0], [3.0], [1.0])
    assert compute_statistic(_statistic("value", 1), NODE, [a])[0] == 8.0
    assert compute_statistic(_statistic("difference", 2), NODE, [a, b])[0] == 6.0
    assert compute_statistic(_statistic("log_ratio", 2), NODE, [a, b])[0] == pytest.approx(np.log(4.0))
    assert compute_statistic(_statistic("interaction", 4), NODE, [a, b, c, d])[0] == 4.0
    left = _models([1.0], [0.5], [0.6], [0.2])
    assert compute_statistic(_statistic("bliss", 4), NODE, left)[0] == pytest.approx(0.1)
    assert compute_statistic(_statistic("hsa", 4), NODE, left)[0] == pytest.approx(0.3)


def test_medians_are_compared_by_the_log_of_their_ratio():
    median = COHORT_READOUTS["pfs_median"]
    a, b = _models([12.0], [6.0])
    assert compute_statistic(_statistic("difference", 2), median, [a, b])[0] == pytest.approx(np.log(2.0))
    assert compute_statistic(_statistic("value", 1), median, [a])[0] == 12.0


def test_log_hazard_ratios_are_logs_already():
    hazard = COHORT_READOUTS["pfs_hr"]
    for kind in ("difference", "log_ratio"):
        value = compute_statistic(_statistic(kind, 2), hazard, _models([-0.4], [0.0]))
        assert value[0] == -0.4


def test_the_log_of_a_ratio_with_zero_is_unknown_and_agrees_with_nothing():
    value = compute_statistic(_statistic("log_ratio", 2), NODE, _models([1.0], [0.0]))
    assert np.isnan(value[0])
    for relation in ("greater", "less", "none"):
        assert not agrees(value, Expectation(relation=relation), np.array([0.05]))[0]


def test_smallest_effects_follow_the_scale():
    growth = np.array([0.5])
    difference = _statistic("difference", 2)
    pair = _models([0.01], [0.10])
    assert smallest_effect(difference, NODE, pair, growth)[0] == 0.02
    assert smallest_effect(difference, GROWTH, pair, growth)[0] == pytest.approx(0.01)
    assert smallest_effect(difference, AMOUNT, pair, growth)[0] == pytest.approx(0.005)
    assert smallest_effect(_statistic("log_ratio", 2), AMOUNT, pair, growth)[0] == 0.05
    assert smallest_effect(_statistic("bliss", 4), NODE, pair, growth)[0] == 0.01
    assert smallest_effect(difference, COHORT_READOUTS["orr"], pair, growth)[0] == 0.03
    assert smallest_effect(difference, COHORT_READOUTS["os_median"], pair, growth)[0] == 0.05


@pytest.mark.parametrize(
    ("relation", "limits", "yes", "no"),
    [
        ("greater", {}, [0.021, 1.0], [0.02, 0.0, -1.0]),
        ("less", {}, [-0.021, -1.0], [-0.02, 0.0, 1.0]),
        ("none", {}, [0.02, -0.02, 0.0], [0.021, -0.5]),
        ("between", {"low": 0.1, "high": 0.3}, [0.1, 0.2, 0.3], [0.09, 0.31, -0.2]),
    ],
)
def test_a_member_agrees_beyond_the_smallest_relevant_effect(relation, limits, yes, no):
    expect = Expectation(relation=relation, **limits)
    for values, answer in ((yes, True), (no, False)):
        given = agrees(np.array(values), expect, np.full(len(values), 0.02))
        assert list(given) == [answer] * len(values)


def test_two_thirds_of_the_members_must_agree():
    expect = Expectation(relation="greater")
    smallest = np.full(5, 0.02)
    half = judge(np.array([1.0, 1.0, 1.0, -1.0, -1.0]), smallest, expect)
    assert (half.share, half.verdict, half.members) == (0.5, "divided", 4)
    most = judge(np.array([-1.0, 1.0, 1.0, 1.0, -1.0]), smallest, expect)
    assert (most.share, most.verdict, most.value) == (0.75, "reproduced", -1.0)


def test_the_interval_runs_over_the_members_only():
    values = np.concatenate(([99.0], np.linspace(0.0, 1.0, 101)))
    judged = judge(values, np.full(102, 0.02), Expectation(relation="greater"))
    assert judged.low90 == pytest.approx(0.05) and judged.high90 == pytest.approx(0.95)


def test_a_null_result_allows_for_what_its_study_would_have_missed():
    """Rates in 100 patients a group: standard error sqrt(2 * 0.25 / 100); hazard ratios: 2 / sqrt(events)."""
    rate, hazard = find_readout("orr", "cohort", "test"), find_readout("os_hr", "cohort", "test")
    difference = Statistic(kind="difference", of=("a", "b"))
    assert missed_effect(difference, rate, 200) == pytest.approx(1.96 * np.sqrt(2.0 * 0.25 / 100.0))
    assert missed_effect(Statistic(kind="value", of=("a",)), hazard, 500) == pytest.approx(
        1.96 * 2.0 / np.sqrt(300.0)
    )
    assert missed_effect(
        Statistic(kind="interaction", of=("a", "b", "c", "d")), hazard, 500
    ) == pytest.approx(1.96 * 4.0 / np.sqrt(300.0))
