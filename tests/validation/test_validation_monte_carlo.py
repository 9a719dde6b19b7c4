"""Printed Monte-Carlo errors against what other random numbers really do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from her2.trials.intervals import predictive_sample
from her2.validation.monte_carlo import monte_carlo_error, on_own_scale

MEMBERS, TRIALS, POOL, N_ARM = 32, 1000, 128, 200
PARAMETERS, PATIENT, BETWEEN = 0.12, 1.5, 0.1


def _run(generator, seed):
    """A median whose log has a member's value, the noise of a pool and of a trial drawn from it."""
    member = PARAMETERS * generator.standard_normal(MEMBERS) + PATIENT / math.sqrt(
        POOL
    ) * generator.standard_normal(MEMBERS)
    log = 2.5 + np.tile(member, TRIALS // MEMBERS + 1)[:TRIALS]
    log = log + PATIENT / math.sqrt(N_ARM) * generator.standard_normal(TRIALS)
    return predictive_sample(
        np.exp(log), "median", MEMBERS, size=2 * N_ARM, n_arm=N_ARM, pool=POOL, between=BETWEEN, seed=seed
    )


def test_errors_are_those_of_runs_with_other_random_numbers(generator):
    """400 runs: SD of the median and of both ends against the mean of what each run says of itself (+/- 25 %)."""
    runs = [_run(generator, seed) for seed in range(400)]
    said = [monte_carlo_error(p) for p in runs]
    medians = np.log([p.median for p in runs])
    assert np.mean([e.median for e in said]) == pytest.approx(medians.std(ddof=1), rel=0.25)
    for side in (0, 1):
        ends = np.log([p.limits(0.9)[side] for p in runs])
        assert np.mean([e.end for e in said]) == pytest.approx(ends.std(ddof=1), rel=0.25)


def test_more_of_everything_less_error(generator):
    small = monte_carlo_error(_run(generator, 1))
    assert small.median < small.end
    assert 0 < small.median < 0.1


def test_one_member_has_no_error(sample):
    p = sample("hr", 0.0, 1.0, members=1)
    assert math.isnan(monte_carlo_error(p).median)


def test_own_scale():
    assert on_own_scale(0.1, 0.5, "rate") == pytest.approx(0.025)
    assert on_own_scale(0.1, 12.0, "median") == pytest.approx(1.2)
    assert math.isnan(on_own_scale(0.1, math.inf, "median"))
