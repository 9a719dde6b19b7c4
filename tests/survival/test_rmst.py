"""Closed forms and properties of the restricted mean; R's numbers are in test_against_r.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from her2.survival import compare_rmst, restricted_mean


def test_without_censoring_it_is_the_mean_of_truncated_times() -> None:
    time = np.random.default_rng(1).exponential(10, 50)
    fit = restricted_mean(time, np.ones(50), 12.0)
    cut = np.minimum(time, 12.0)
    assert fit.mean == pytest.approx(cut.mean(), rel=1e-12)
    # Greenwood's variance without censoring is the plain variance with divisor n.
    assert fit.std_err == pytest.approx(cut.std() / math.sqrt(50), rel=1e-12)


def test_a_horizon_before_any_event_is_the_horizon() -> None:
    fit = restricted_mean([5, 6, 7], [1, 1, 0], 3.0)
    assert (fit.mean, fit.std_err) == (3.0, 0.0)


def test_horizon_beyond_a_curve_at_zero_is_allowed_and_adds_nothing() -> None:
    assert restricted_mean([1, 2, 3], [1, 1, 1], 10.0).mean == restricted_mean([1, 2, 3], [1, 1, 1], 3.0).mean


def test_comparison_joins_the_two_arms() -> None:
    rng = np.random.default_rng(2)
    time, event, arm = rng.exponential(10, 80), rng.random(80) < 0.7, rng.integers(0, 2, 80).astype(bool)
    both = compare_rmst(time, event, arm, 8.0)
    a, b = restricted_mean(time[arm], event[arm], 8.0), restricted_mean(time[~arm], event[~arm], 8.0)
    assert both.difference == a.mean - b.mean
    assert both.difference_std_err == pytest.approx(math.sqrt(a.std_err**2 + b.std_err**2))
    assert both.ratio == pytest.approx(a.mean / b.mean)
    assert both.difference_lower < both.difference < both.difference_upper
    z = math.log(both.ratio_upper / both.ratio) / 1.959963984540054
    assert z == pytest.approx(math.sqrt((a.std_err / a.mean) ** 2 + (b.std_err / b.mean) ** 2))
    swapped = compare_rmst(time, event, ~arm, 8.0)
    assert swapped.difference == -both.difference
    assert swapped.ratio_lower == pytest.approx(1 / both.ratio_upper)
    assert swapped.difference_p == pytest.approx(both.difference_p)


def test_another_unit_of_time_scales_the_mean() -> None:
    time, event = [1, 3, 4, 6, 9], [1, 0, 1, 1, 0]
    months, days = restricted_mean(time, event, 8.0), restricted_mean(np.array(time) * 32.0, event, 256.0)
    assert days.mean == months.mean * 32.0
    assert days.std_err == pytest.approx(months.std_err * 32.0, rel=1e-15)


def test_identical_arms_do_not_differ() -> None:
    both = compare_rmst([1, 2, 3, 1, 2, 3], [1, 1, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1], 3.0)
    assert (both.difference, both.ratio, both.difference_p) == (0.0, 1.0, 1.0)


def test_wrong_arguments_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="tau: expected a positive time"):
        restricted_mean([1, 2], [1, 1], 0.0)
    with pytest.raises(ValueError, match="tau: expected at most the last observed time, 2"):
        restricted_mean([1, 2], [1, 0], 3.0)
    with pytest.raises(ValueError, match="arm: expected patients in both arms"):
        compare_rmst([1, 2], [1, 0], [1, 1], 1.0)
    with pytest.raises(ValueError, match="event: expected the shape of time"):
        compare_rmst([1, 2], [1], [1, 0], 1.0)
