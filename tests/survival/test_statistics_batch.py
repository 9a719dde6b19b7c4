"""All statistics of many trials at once: against the general functions, and the same digits however they are run."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2.survival import (
    fit_cox,
    kaplan_meier,
    log_rank,
    two_arm_cox,
    two_arm_cox_batch,
    two_arm_log_rank_batch,
    two_arm_median_batch,
    two_arm_statistics_batch,
)
from her2.survival.two_arm import STATUSES, TwoArmStatisticsBatch

REFERENCE = Path(__file__).parents[1] / "reference" / "survival"
PARTS = ("cox.coef", "cox.std_err", "cox.log_likelihood", "cox.score_chi2", "cox.status", "cox.n_events")
PARTS += ("log_rank.observed", "log_rank.expected", "log_rank.variance", "log_rank.z")
PARTS += ("median", "median_lower", "median_upper")


def simulate(seed: int, n_trials: int, n: int, days: float = 1.0) -> tuple[np.ndarray, ...]:
    """Trials of hazard ratio 0.7 followed for whole days (times are multiples of `days`), with censoring and strata."""
    rng = np.random.default_rng(seed)
    arm = np.arange(n) % 2 == 0
    time = rng.exponential(365 / np.where(arm, 0.7, 1.0), (n_trials, n))
    follow = rng.uniform(100, 900, (n_trials, n))
    event = time <= follow
    return np.ceil(np.minimum(time, follow) / days) * days, event, arm, rng.integers(0, 3, (n_trials, n))


def pick(batch: TwoArmStatisticsBatch, part: str) -> np.ndarray:
    """One array of the results, by its path."""
    value: object = batch
    for name in part.split("."):
        value = getattr(value, name)
    return np.asarray(value)


def assert_same(a: TwoArmStatisticsBatch, b: TwoArmStatisticsBatch, trials: object = slice(None)) -> None:
    """Equal to the last bit, the trials of `b` chosen or reordered."""
    for part in PARTS:
        np.testing.assert_array_equal(pick(a, part), pick(b, part)[trials], err_msg=part)


@pytest.mark.parametrize("days", [1.0, 63.0, 400.0])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_every_part_equals_the_general_functions(days, ties):
    time, event, arm, stratum = simulate(1, 12, 90, days)
    batch = two_arm_statistics_batch(time, event, arm, stratum, ties=ties, level=0.9)
    for i in range(time.shape[0]):
        fit = fit_cox(time[i], event[i], arm, stratum[i], ties=ties)
        assert STATUSES[batch.cox.status[i]] == fit.status == "converged"
        np.testing.assert_allclose(batch.cox.coef[i], fit.coef[0], rtol=1e-9)
        np.testing.assert_allclose(batch.cox.std_err[i], fit.std_err[0], rtol=1e-9)
        np.testing.assert_allclose(batch.cox.score_chi2[i], fit.score_chi2, rtol=1e-9)
        np.testing.assert_allclose(batch.cox.log_likelihood[i], fit.log_likelihood, rtol=1e-11)
        test = log_rank(time[i], event[i], arm, stratum[i])
        np.testing.assert_allclose(batch.log_rank.chi2[i], test.chi2, rtol=1e-10)
        np.testing.assert_allclose(batch.log_rank.p[i], test.p, rtol=1e-9)
        for k in (0, 1):
            own = arm == k
            q = kaplan_meier(time[i][own], event[i][own], level=0.9).quantile(0.5)
            expected = [q.time[0], q.lower[0], q.upper[0]]
            got = [batch.median[i, k], batch.median_lower[i, k], batch.median_upper[i, k]]
            np.testing.assert_array_equal(got, expected)


def test_together_and_apart_give_the_same_digits():
    time, event, arm, stratum = simulate(2, 40, 120)
    batch = two_arm_statistics_batch(time, event, arm, stratum)
    cox = two_arm_cox_batch(time, event, arm, stratum)
    for name in ("coef", "std_err", "log_likelihood_null", "log_likelihood", "score_chi2", "n_events"):
        np.testing.assert_array_equal(getattr(batch.cox, name), getattr(cox, name))
    np.testing.assert_array_equal(batch.log_rank.z, two_arm_log_rank_batch(time, event, arm, stratum).z)
    np.testing.assert_array_equal(batch.median, two_arm_median_batch(time, event, arm))
    bare = two_arm_statistics_batch(time, event, arm, stratum, level=None)
    np.testing.assert_array_equal(bare.median, batch.median)
    assert np.isnan(bare.median_lower).all()
    assert np.isnan(bare.median_upper).all()
    assert bare.level is None


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=24),
    st.sampled_from([0.5, 0.8, 0.95, 0.99]),
)
def test_limits_of_the_median_equal_the_curve_s(patients, level):
    time, event = (np.array(values) for values in zip(*patients, strict=True))
    batch = two_arm_statistics_batch(time, event, np.ones(time.size), offsets=[0, time.size], level=level)
    q = kaplan_meier(time, event, level=level).quantile(0.5)
    got = (batch.median[0, 1], batch.median_lower[0, 1], batch.median_upper[0, 1])
    np.testing.assert_array_equal(got, (q.time[0], q.lower[0], q.upper[0]))
    assert np.isnan(batch.median[0, 0])


def test_limits_of_the_median_equal_r():
    with (REFERENCE / "data.tsv").open(newline="") as file:
        data: dict[str, list[dict[str, str]]] = {}
        for row in csv.DictReader(file, delimiter="\t"):
            data.setdefault(row["dataset"], []).append(row)
    compared = 0
    with (REFERENCE / "quantiles.tsv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            patients = data[row["dataset"]]
            plain = all(float(p["weight"]) == 1 and float(p["entry"]) == 0 for p in patients)
            if row["conf_type"] != "log-log" or row["p"] != "0.5" or not plain:
                continue
            time, event = ([float(p[name]) for p in patients] for name in ("time", "event"))
            batch = two_arm_statistics_batch(time, event, np.zeros(len(time)), offsets=[0, len(time)])
            expected = [
                np.nan if row[name] == "NA" else float(row[name]) for name in ("time", "lower", "upper")
            ]
            got = [batch.median[0, 0], batch.median_lower[0, 0], batch.median_upper[0, 0]]
            # times are picked, not computed; halves of sums may be rounded
            np.testing.assert_allclose(got, expected, rtol=1e-15, err_msg=row["dataset"])
            compared += 1
    assert compared >= 50


@settings(deadline=None)
@given(st.integers(0, 100_000), st.integers(2, 12), st.integers(1, 6))
def test_breslow_agrees_with_the_general_fit_in_every_status(seed, n, n_times):
    rng = np.random.default_rng(seed)
    time, event, arm = rng.integers(1, n_times + 1, n), rng.random(n) < 0.6, rng.integers(0, 2, n)
    fast, general = two_arm_cox(time, event, arm, ties="breslow"), fit_cox(time, event, arm, ties="breslow")
    assert fast.status == general.status
    # the general fit stops at a step of 1e-9 standard deviations, and of a monotone likelihood 1e-10 short
    np.testing.assert_allclose(fast.coef, general.coef[0], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(fast.log_likelihood, general.log_likelihood, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("jobs", [2, 3, 7])
def test_threads_change_no_digit(jobs):
    # above the size below which threads are not started
    time, event, arm, stratum = simulate(3, 150, 200)
    one = two_arm_statistics_batch(time, event, arm, stratum)
    assert_same(two_arm_statistics_batch(time, event, arm, stratum, jobs=jobs), one)


def test_trials_of_all_sizes_shared_out_over_threads_equal_single_ones():
    rng = np.random.default_rng(4)
    sizes = np.concatenate([[1, 15_000, 1, 2], rng.integers(1, 400, 60), [9000, 1]])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    n = int(offsets[-1])
    time, event, arm = np.ceil(rng.exponential(300, n)), rng.random(n) < 0.7, rng.random(n) < 0.5
    whole = two_arm_statistics_batch(time, event, arm, offsets=offsets, jobs=5)
    for i in range(sizes.size):
        part = slice(offsets[i], offsets[i + 1])
        alone = two_arm_statistics_batch(time[part], event[part], arm[part], offsets=[0, sizes[i]])
        assert_same(alone, whole, [i])


def test_order_of_trials_and_of_patients_does_not_matter():
    time, event, arm, stratum = simulate(5, 60, 100)
    whole = two_arm_statistics_batch(time, event, arm, stratum)
    order = np.random.default_rng(6).permutation(60)
    assert_same(two_arm_statistics_batch(time[order], event[order], arm, stratum[order]), whole, order)
    mixed = np.random.default_rng(7).permutation(100)
    other = two_arm_statistics_batch(time[:, mixed], event[:, mixed], arm[mixed], stratum[:, mixed])
    assert_same(other, whole)


@pytest.mark.parametrize(
    "time",
    [
        pytest.param(np.r_[np.linspace(0, 1, 3000)[::-1], 1e12], id="one far beyond the others"),
        pytest.param(np.linspace(5e-324, 4e-323, 3001), id="the smallest numbers there are"),
        pytest.param(np.linspace(0, 8e307, 3001)[::-1], id="nearly the largest"),
        pytest.param(np.zeros(3001), id="all at zero"),
        pytest.param(np.r_[np.tile([63.0, 64.0, 62.0], 1000), 1e9], id="few times, all in one bucket"),
        pytest.param(np.geomspace(1e-200, 1e200, 3001)[::-1], id="over 400 orders of magnitude"),
    ],
)
def test_times_however_spread_are_sorted(time):
    rng = np.random.default_rng(8)
    event, arm = rng.random(time.size) < 0.8, rng.random(time.size) < 0.5
    batch = two_arm_statistics_batch(time, event, arm, offsets=[0, time.size])
    # ranks have the same order and ties, but are spread evenly
    rank = np.unique(time, return_inverse=True)[1].astype(float)
    even = two_arm_statistics_batch(rank, event, arm, offsets=[0, time.size])
    for part in PARTS[:-3]:
        np.testing.assert_array_equal(pick(batch, part), pick(even, part), err_msg=part)
    assert batch.median[0, 1] == kaplan_meier(time[arm], event[arm]).median()
    np.testing.assert_allclose(batch.log_rank.chi2[0], log_rank(time, event, arm).chi2, rtol=1e-9)


def test_nothing_is_allocated_inside_the_loops():
    # numba counts allocations only if told before it starts; five trials and five hundred must need as many
    code = """
import numpy as np
from numba.core.runtime import rtsys
from her2.survival import _batches as b

def allocations(n):
    rng = np.random.default_rng(1)
    time, event = np.ceil(rng.exponential(100, (n, 300))), rng.random((n, 300)) < 0.7
    trials = b.lay_out(time, event, np.arange(300) % 2, np.arange(300) % 3, None)
    b.analyse(trials, cox=True)  # the counter starts with the first compiled call
    before = rtsys.get_allocation_stats().alloc
    b.analyse(trials, cox=True, log_rank=True, medians=True, z=1.96)
    return rtsys.get_allocation_stats().alloc - before

few, many = allocations(5), allocations(500)
assert few == many, (few, many)
probe = rtsys.get_allocation_stats().alloc
from numba import njit
njit(lambda: np.empty(10).sum())()
assert rtsys.get_allocation_stats().alloc > probe, "the counter does not count"
"""
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_DISABLE_JIT"} | {"NUMBA_NRT_STATS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ties": "exact"}, "ties: expected one of .*'efron', 'breslow'.*got 'exact'"),
        ({"level": 1.0}, "level: expected a number between 0 and 1"),
        ({"jobs": 0}, "jobs: expected a whole number of one or more, got 0"),
        ({"jobs": 1.5}, "jobs: expected a whole number"),
        ({"time": [[np.nan, 1.0]]}, "time: expected finite numbers"),
        ({"stratum": [[0, -1]]}, "stratum: expected whole numbers from 0"),
    ],
)
def test_wrong_arguments_are_refused_in_words(change, words):
    good = {"time": [[1.0, 2.0]], "event": [[1, 0]], "arm": [[1, 0]]}
    with pytest.raises(ValueError, match=words):
        two_arm_statistics_batch(**{**good, **change})


def test_results_cannot_be_written_to():
    batch = two_arm_statistics_batch([[1.0, 2.0]], [[1, 0]], [[1, 0]])
    for part in PARTS:
        with pytest.raises(ValueError, match="read-only"):
            pick(batch, part)[...] = 0
