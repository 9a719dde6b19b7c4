"""Weighted twins against closed forms."""

import math

import numpy as np
import pytest

from her2.prognosis.history import Observed, time_log_likelihood, time_sd
from her2.prognosis.weights import (
    between_members,
    count_limits,
    difference_of,
    effective_number,
    rate_of,
    resample,
    times_of,
    weighted_mean,
    weighted_quantile,
)


def test_the_effective_number_is_the_square_of_the_sum_over_the_sum_of_squares():
    assert effective_number(np.ones(7)) == pytest.approx(7.0)
    assert effective_number(np.array([1.0, 0.0, 0.0])) == pytest.approx(1.0)
    w = np.array([0.5, 0.25, 0.25])
    assert effective_number(w) == pytest.approx(1.0 / np.sum(w**2))
    assert effective_number(3.0 * w) == pytest.approx(effective_number(w))
    assert effective_number(np.zeros(3)) == 0.0


def test_conditioning_on_a_time_recovers_the_normal_posterior(generator):
    """Log-normal times to progression and a log-normal error have a log-normal posterior in closed form."""
    n, centre, sd = 400_000, math.log(300.0), 0.8
    log_time = centre + sd * generator.standard_normal(n)
    seen = Observed(0, 450.0, at_least=False, on_drug_days=None, response=None)
    weights = np.exp(time_log_likelihood(np.exp(log_time), seen))
    error = time_sd(450.0)
    precision = 1.0 / sd**2 + 1.0 / error**2
    mean = (centre / sd**2 + math.log(450.0) / error**2) / precision
    got = weighted_mean(log_time, weights)
    spread = math.sqrt(weighted_mean((log_time - got) ** 2, weights))
    # five standard errors of a weighted mean of this effective number
    tolerance = 5.0 * precision**-0.5 / math.sqrt(effective_number(weights))
    assert got == pytest.approx(mean, abs=tolerance)
    assert spread == pytest.approx(precision**-0.5, rel=0.02)


def test_conditioning_on_a_time_without_progression_shifts_to_longer_times(generator):
    log_time = math.log(300.0) + 0.8 * generator.standard_normal(100_000)
    seen = Observed(0, 450.0, at_least=True, on_drug_days=None, response=None)
    weights = np.exp(time_log_likelihood(np.exp(log_time), seen))
    error = time_sd(450.0)
    # P(true log time above ln 450 up to the error) for a normal: the mean of the weights
    z = (math.log(300.0) - math.log(450.0)) / math.hypot(0.8, error)
    expected = 0.5 * math.erfc(-z / math.sqrt(2.0))
    assert weights.mean() == pytest.approx(expected, abs=0.005)


def test_a_twin_that_never_progressed_cannot_have_the_history():
    seen = Observed(0, 300.0, at_least=False, on_drug_days=None, response=None)
    assert np.all(np.exp(time_log_likelihood(np.array([np.inf, np.nan]), seen)) == 0.0)


def test_weighted_quantiles_are_those_of_repeated_values():
    values, weights = np.array([5.0, 1.0, np.inf, 3.0]), np.array([1.0, 2.0, 1.0, 2.0])
    repeated = np.sort([1.0, 1.0, 3.0, 3.0, 5.0, np.inf])
    for q in (0.05, 0.2, 0.4, 0.5, 0.7, 0.95):
        assert weighted_quantile(values, weights, q) == repeated[math.ceil(q * 6) - 1]


def test_resampling_keeps_expected_counts():
    weights = np.array([0.1, 0.4, 0.0, 0.5])
    counts = np.bincount(resample(weights, 1000, 0.5), minlength=4)
    assert counts.tolist() == [100, 400, 0, 500]


def test_count_limits_without_uncertainty_are_those_of_a_binomial():
    k = np.arange(101)
    log = [
        math.lgamma(101)
        - math.lgamma(x + 1)
        - math.lgamma(101 - x)
        + x * math.log(0.3)
        + (100 - x) * math.log(0.7)
        for x in k
    ]
    cumulative = np.cumsum(np.exp(log))
    assert count_limits(0.3, 0.0, 0.9) == (
        int(np.searchsorted(cumulative, 0.05)),
        int(np.searchsorted(cumulative, 0.95)),
    )


def test_uncertain_shares_have_wider_limits_and_stay_inside():
    narrow, wide = count_limits(0.3, 1e-4, 0.9), count_limits(0.3, 0.02, 0.9)
    assert wide[0] < narrow[0] <= 30 <= narrow[1] < wide[1]
    for p in (0.0, 1.0, 0.01):
        low, high = count_limits(p, 0.3, 0.9)
        assert 0 <= low <= high <= 100


def test_equal_members_add_no_variance_and_different_ones_do(generator):
    member = np.repeat(np.arange(6), 500)
    noise = generator.standard_normal(3000)
    weights = np.ones(3000)
    assert between_members(noise, weights, member) < 0.01
    shifted = noise + np.repeat(generator.standard_normal(6), 500)
    centres = np.array([shifted[member == m].mean() for m in range(6)])
    assert between_members(shifted, weights, member) == pytest.approx(centres.var(ddof=1), rel=0.05)


def test_a_difference_of_the_same_is_zero_with_no_width():
    d = difference_of(np.zeros(50), np.ones(50), np.repeat([0, 1], 25))
    assert (d.value, d.mc_error) == (0.0, 0.0)
    assert d.interval_90 == (0.0, 0.0)


def test_rates_and_times_carry_ordered_intervals(generator):
    member, weights = np.repeat(np.arange(4), 50), generator.random(200)
    rate = rate_of(generator.random(200) < 0.4, weights, member)
    assert (
        rate.interval_90[0]
        <= rate.interval_50[0]
        <= rate.of_100
        <= rate.interval_50[1]
        <= rate.interval_90[1]
    )
    times = times_of(
        np.where(generator.random(200) < 0.3, np.inf, 10.0 * generator.random(200)), weights, member
    )
    assert times.interval_90[0] <= times.interval_50[0] <= times.median
    assert times.interval_90[1] is None
    assert times.median_low <= times.median
