"""Scores against closed forms, and baselines compared on the same figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from her2.survival import clopper_pearson
from her2.validation.pairs import Figure
from her2.validation.predict import StatKey
from her2.validation.scores import Compared, crps_normal, crps_sample, score_group

CONTRAST = {"experimental": "a", "control": "b"}


def _figure(key: StatKey, value: float, low: float | None = None, high: float | None = None) -> Figure:
    return Figure("trial", key, value, low, high, "fit", "id", "place")


def _compared(key, value, predicted, *, null=None, points=None, ci=(None, None)):
    return Compared(_figure(key, value, *ci), predicted, null, points or {}, 60.0)


def _by_name(scores):
    return {s.name: s for s in scores}


@pytest.mark.parametrize(("mean", "sd", "x"), [(0.0, 1.0, 0.0), (0.3, 0.2, -0.4), (-1.0, 2.0, 5.0)])
def test_crps_of_a_normal_is_the_integral_of_the_squared_difference(mean, sd, x):
    """Definition: integral of (F(y) - 1{y >= x})^2 over y."""
    below = quad(lambda y: norm.cdf(y, mean, sd) ** 2, mean - 12 * sd, x)[0]
    above = quad(lambda y: (1 - norm.cdf(y, mean, sd)) ** 2, x, mean + 12 * sd + abs(x))[0]
    assert crps_normal(mean, sd, x) == pytest.approx(below + above, abs=1e-7)


def test_crps_of_a_standard_normal_at_its_mean():
    """(sqrt 2 - 1) / sqrt pi."""
    assert crps_normal(0.0, 1.0, 0.0) == pytest.approx((math.sqrt(2) - 1) / math.sqrt(math.pi), rel=1e-12)


def test_crps_without_spread_is_the_distance():
    assert crps_normal(0.5, 0.0, 0.2) == pytest.approx(0.3)
    assert crps_sample(np.array([0.5]), 0.2) == pytest.approx(0.3)


def test_crps_of_a_sample_tends_to_that_of_its_law(sample):
    values = sample("hr", 0.2, 0.3, n=20_001).values
    for x in (-0.5, 0.2, 0.9):
        assert crps_sample(values, x) == pytest.approx(crps_normal(0.2, 0.3, x), abs=2e-4)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(-5, 5))
def test_crps_of_a_sample_agrees_with_the_double_sum(values, x):
    y = np.array(values)
    double = np.mean(np.abs(y - x)) - 0.5 * np.mean(np.abs(y[:, None] - y[None, :]))
    assert crps_sample(y, x) == pytest.approx(float(double), abs=1e-9)


def test_crps_leaves_out_what_is_not_finite():
    assert crps_sample(np.array([0.1, np.nan, np.inf, 0.3]), 0.2) == pytest.approx(
        crps_sample(np.array([0.1, 0.3]), 0.2)
    )
    assert math.isnan(crps_sample(np.array([np.nan]), 0.2))


def test_errors_of_medians_and_rates(sample):
    items = [
        _compared(StatKey("pfs", arm="a"), 10.0, sample("median", math.log(12.0), 0.1)),
        _compared(StatKey("pfs", arm="b"), 8.0, sample("median", math.log(6.0), 0.1)),
        _compared(StatKey("orr", arm="a"), 0.5, sample("rate", 0.0, 0.1)),
        _compared(StatKey("orr", arm="b"), 0.6, sample("rate", 0.0, 0.1)),
    ]
    scores = _by_name(score_group("fit", items))
    assert scores["median_pfs_log_error"].value == pytest.approx(
        (math.log(1.2) + math.log(8 / 6)) / 2, abs=1e-3
    )
    assert scores["orr_error_points"].value == pytest.approx(5.0, abs=0.05)
    assert scores["median_pfs_log_error"].n == 2


def test_a_median_not_reached_counts_as_the_end_of_follow_up(sample):
    late = sample("median", 0.0, 0.1)
    late.values[:] = np.inf
    scores = _by_name(score_group("fit", [_compared(StatKey("os", arm="a"), 30.0, late)]))
    assert scores["median_os_log_error"].value == pytest.approx(math.log(2.0))


def test_coverage_is_counted_and_has_its_exact_interval(sample):
    """Seven figures at the median, three far away: 7 of 10 at every level."""
    p = sample("median", math.log(10.0), 0.1)
    items = [_compared(StatKey("pfs", arm=str(k)), 10.0 if k < 7 else 20.0, p) for k in range(10)]
    scores = _by_name(score_group("fit", items))
    for level in (50, 80, 90):
        s = scores[f"coverage_{level}"]
        exact = clopper_pearson(7, 10)
        assert (s.value, s.n, s.low, s.high) == (0.7, 10, exact.lower, exact.upper)
        assert s.nominal == level / 100


def test_coverage_of_a_right_forecast_is_nominal(sample):
    """Figures at the quantiles of the prediction itself: the share inside each interval is its level."""
    p = sample("hr", math.log(0.7), 0.15)
    q = (np.arange(1000) + 0.5) / 1000
    items = [
        _compared(StatKey("pfs", **CONTRAST), math.exp(math.log(0.7) + 0.15 * norm.ppf(x)), p) for x in q
    ]
    scores = _by_name(score_group("fit", items))
    for level in (0.5, 0.8, 0.9):
        assert scores[f"coverage_{round(100 * level)}"].value == pytest.approx(level, abs=0.003)
    assert scores["width_90_hr"].value == pytest.approx(2 * 1.644854 * 0.15, rel=5e-3)


def test_contrasts_direction_and_published_interval(sample):
    p = sample("hr", math.log(0.7), 0.1)
    items = [
        _compared(StatKey("pfs", **CONTRAST), 0.6, p, ci=(0.5, 0.72)),
        _compared(StatKey("pfs", **CONTRAST), 1.2, p, ci=(0.9, 1.6)),
        _compared(StatKey("os", **CONTRAST), 0.9, p),
    ]
    scores = _by_name(score_group("fit", items))
    assert (scores["hr_inside_published_interval"].value, scores["hr_inside_published_interval"].n) == (
        0.5,
        2,
    )
    assert scores["direction"].value == pytest.approx(2 / 3)
    expected = np.mean([crps_normal(math.log(0.7), 0.1, math.log(c.figure.value)) for c in items])
    assert scores["crps_log_hr"].value == pytest.approx(expected, abs=1e-4)


def test_baselines_are_compared_on_the_figures_they_answer(sample):
    p = sample("median", math.log(10.0), 0.1)
    far = sample("median", math.log(20.0), 0.1)
    items = [
        _compared(StatKey("pfs", arm="a"), 10.0, p, null=far, points={"nearest_arm": 10.0}),
        _compared(StatKey("pfs", arm="b"), 20.0, p, null=far, points={"nearest_arm": None}),
    ]
    versus = _by_name(score_group("fit", items))["median_pfs_log_error"].versus
    assert versus["null_model"].n == 2 and versus["null_model"].beats is None
    assert versus["null_model"].model == pytest.approx(versus["null_model"].baseline, abs=1e-9)
    assert versus["nearest_arm"].n == 1
    assert versus["nearest_arm"].model == pytest.approx(0.0, abs=1e-9)
    assert "class_mean" not in versus


def test_a_point_baseline_gets_the_sampling_spread_of_the_model(sample):
    p = sample("hr", math.log(0.7), 0.2)
    item = _compared(StatKey("pfs", **CONTRAST), 0.7, p, points={"constant_hr": 0.8})
    versus = _by_name(score_group("fit", [item]))["crps_log_hr"].versus["constant_hr"]
    assert versus.baseline == pytest.approx(crps_normal(math.log(0.8), 0.2, math.log(0.7)), rel=1e-6)
    assert versus.beats


def test_beating_a_coverage_means_being_nearer_to_the_level(sample):
    narrow, right = sample("hr", math.log(0.7), 0.01), sample("hr", math.log(0.7), 0.2)
    q = (np.arange(20) + 0.5) / 20
    items = [
        _compared(StatKey("pfs", **CONTRAST), math.exp(math.log(0.7) + 0.2 * norm.ppf(x)), right, null=narrow)
        for x in q
    ]
    assert _by_name(score_group("fit", items))["coverage_90"].versus["null_model"].beats is True
    swapped = [Compared(c.figure, narrow, right, {}, 60.0) for c in items]
    assert _by_name(score_group("fit", swapped))["coverage_90"].versus["null_model"].beats is False


def test_direction_of_a_subgroup_is_judged_against_all_patients(sample):
    everyone = _compared(StatKey("pfs", **CONTRAST), 0.8, sample("hr", math.log(0.75), 0.1))
    better = _compared(StatKey("pfs", **CONTRAST, subgroup="pten_low"), 0.6, sample("hr", math.log(0.5), 0.1))
    worse = _compared(
        StatKey("pfs", **CONTRAST, subgroup="er_positive"), 0.7, sample("hr", math.log(0.9), 0.1)
    )
    scores = _by_name(score_group("fit", [better, worse], [everyone, better, worse]))
    assert (scores["subgroup_direction"].value, scores["subgroup_direction"].n) == (0.5, 2)


def test_an_empty_group_has_no_scores():
    assert score_group("held_out", []) == []
