"""The compiled two-arm paths against the general ones, single against batch, and their failures."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

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
)
from her2.survival.two_arm import STATUSES


def simulate(
    seed: int, n_trials: int = 30, n: int = 60, scan: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trials with hazard ratio 0.7, heavily tied if `scan` is positive."""
    rng = np.random.default_rng(seed)
    arm = np.arange(n) % 2 == 0
    time = rng.exponential(12 / np.where(arm, 0.7, 1.0), (n_trials, n))
    follow = rng.uniform(6, 30, (n_trials, n))
    event, time = time <= follow, np.minimum(time, follow)
    return (np.ceil(time / scan) * scan if scan else time), event, np.broadcast_to(arm, time.shape)


@pytest.mark.parametrize("scan", [0.0, 1.5, 9.0])
def test_batch_equals_single_and_the_general_fit(scan: float) -> None:
    time, event, arm = simulate(1, scan=scan)
    batch = two_arm_cox_batch(time, event, arm[0])
    lower, upper = batch.limits()
    for i in range(time.shape[0]):
        one, general = two_arm_cox(time[i], event[i], arm[i]), fit_cox(time[i], event[i], arm[i])
        assert (one.coef, one.std_err, one.lower, one.upper) == (
            batch.coef[i],
            batch.std_err[i],
            lower[i],
            upper[i],
        )
        assert one.status == STATUSES[batch.status[i]] == general.status
        np.testing.assert_allclose(one.coef, general.coef[0], rtol=1e-9)
        np.testing.assert_allclose(one.std_err, general.std_err[0], rtol=1e-9)
        np.testing.assert_allclose(one.log_likelihood, general.log_likelihood, rtol=1e-11)
        np.testing.assert_allclose(one.score_chi2, general.score_chi2, rtol=1e-9)
        assert one.n_events == general.n_events == batch.n_events[i].sum()
        assert batch.n_events[i, 1] == event[i][arm[i]].sum()


@settings(deadline=None)
@given(st.integers(0, 100_000), st.integers(2, 12), st.integers(1, 6))
def test_small_trials_agree_with_the_general_fit_in_every_status(seed: int, n: int, n_times: int) -> None:
    rng = np.random.default_rng(seed)
    time, event, arm = rng.integers(1, n_times + 1, n), rng.random(n) < 0.6, rng.integers(0, 2, n)
    stratum = rng.integers(0, 2, n)
    fast, general = two_arm_cox(time, event, arm, stratum), fit_cox(time, event, arm, stratum)
    assert fast.status == general.status
    np.testing.assert_allclose(fast.coef, general.coef[0], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(fast.std_err, general.std_err[0], rtol=1e-8)
    # The general fit of a monotone likelihood stops 1e-10 short of the supremum.
    np.testing.assert_allclose(fast.log_likelihood, general.log_likelihood, rtol=1e-9, atol=1e-9)


def test_ragged_trials_by_offsets_equal_single_ones() -> None:
    rng = np.random.default_rng(2)
    sizes = rng.integers(5, 80, 25)
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    n = int(offsets[-1])
    time, event = rng.integers(1, 30, n).astype(float), rng.random(n) < 0.7
    arm, stratum = rng.integers(0, 2, n), rng.integers(0, 4, n)
    cox = two_arm_cox_batch(time, event, arm, stratum, offsets)
    rank = two_arm_log_rank_batch(time, event, arm, stratum, offsets)
    medians = two_arm_median_batch(time, event, arm, offsets)
    for i in range(sizes.size):
        part = slice(offsets[i], offsets[i + 1])
        t, e, a, s = time[part], event[part], arm[part], stratum[part]
        assert cox.coef[i] == pytest.approx(two_arm_cox(t, e, a, s).coef, rel=0, nan_ok=True)
        if 0 < a.sum() < a.size:
            test = log_rank(t, e, a, s)
            assert rank.chi2[i] == pytest.approx(test.chi2, rel=1e-10)
            assert rank.p[i] == pytest.approx(test.p, rel=1e-9, nan_ok=True)
            for k in (0, 1):
                median = kaplan_meier(t[a == k], e[a == k]).median()
                assert medians[i, k] == pytest.approx(median, rel=1e-15, nan_ok=True)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=24))
def test_median_equals_the_curve_also_where_it_is_flat(patients: list[tuple[int, bool]]) -> None:
    time, event = (np.array(values) for values in zip(*patients, strict=True))
    medians = two_arm_median_batch(time, event, np.zeros(time.size), [0, time.size])
    np.testing.assert_array_equal(medians[0], [kaplan_meier(time, event).median(), np.nan])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=30))
def test_identical_arms_give_exactly_one(patients: list[tuple[int, bool]]) -> None:
    time, event = (np.array(values) for values in zip(*patients, strict=True))
    arm = np.repeat([0, 1], time.size)
    time, event = np.tile(time, 2), np.tile(event, 2)
    fit = two_arm_cox(time, event, arm)
    if fit.status == "converged":
        assert fit.hazard_ratio == 1.0
        assert fit.score_chi2 == 0.0
    else:
        assert fit.status == "no_events"
    assert two_arm_log_rank_batch(time, event, arm, offsets=[0, time.size]).chi2[0] == 0.0


def test_swapping_the_arms_inverts_the_hazard_ratio_and_the_score() -> None:
    time, event, arm = simulate(3, scan=2.0)
    a, b = two_arm_cox_batch(time, event, arm), two_arm_cox_batch(time, event, ~arm)
    np.testing.assert_allclose(a.coef, -b.coef, rtol=1e-10)
    np.testing.assert_allclose(
        two_arm_log_rank_batch(time, event, arm).z, -two_arm_log_rank_batch(time, event, ~arm).z, rtol=1e-10
    )


def test_order_and_unit_do_not_matter() -> None:
    time, event, arm = simulate(4, scan=2.0)
    a = two_arm_cox_batch(time, event, arm)
    b = two_arm_cox_batch(time[:, ::-1] * 7.0, event[:, ::-1], arm[:, ::-1])
    np.testing.assert_array_equal(a.coef, b.coef)


def test_threads_share_the_trials_without_changing_them() -> None:
    time, event, arm = simulate(5, n_trials=64)
    whole = two_arm_cox_batch(time, event, arm)
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda k: two_arm_cox_batch(time[k::4], event[k::4], arm[k::4]).coef, range(4))
    for k, part in enumerate(parts):
        np.testing.assert_array_equal(whole.coef[k::4], part)


def test_what_cannot_be_estimated_is_said() -> None:
    time = np.arange(1.0, 11.0)
    arm = np.tile([1, 0], 5)
    assert two_arm_cox(time, np.zeros(10), arm).status == "no_events"
    assert two_arm_cox(time, np.ones(10), np.ones(10)).status == "no_information"
    up, down = two_arm_cox(time, arm, arm), two_arm_cox(time, 1 - arm, arm)
    assert up.status == down.status == "monotone_likelihood"
    assert (up.coef, down.coef) == (np.inf, -np.inf)
    assert (up.hazard_ratio, down.hazard_ratio) == (np.inf, 0.0)
    assert np.isnan([up.std_err, up.lower, up.upper]).all()
    batch = two_arm_cox_batch([time, time], [arm, np.ones(10)], arm)
    np.testing.assert_array_equal(batch.is_converged, [False, True])


def test_extreme_hazard_ratios_converge() -> None:
    rng = np.random.default_rng(6)
    arm = np.arange(2000) % 2
    for log_hr in (-7.0, 7.0):
        fit = two_arm_cox(rng.exponential(np.exp(-log_hr * arm)), np.ones(2000), arm)
        general_status = fit.status
        assert general_status == "converged"
        # Five standard errors: two fits, seed 6.
        assert abs(fit.coef - log_hr) < 5 * fit.std_err


def test_import_of_the_package_starts_neither_numba_nor_scipy() -> None:
    code = (
        "import sys, her2.survival as s; s.two_arm_cox; s.fit_cox; s.kaplan_meier([1], [1]).median();"
        "sys.exit(any(m in sys.modules for m in ('numba', 'scipy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"time": [1.0, 2.0]}, r"time: expected \(trials, patients\)"),
        ({"time": [[1.0, np.nan]]}, "time: expected finite numbers"),
        ({"time": [[1.0, -1.0]]}, "time: expected values of zero or more"),
        ({"event": [[1, 0, 1]]}, "event: expected the shape of time"),
        ({"arm": [[1, 2]]}, "arm: expected True/False or 0/1"),
        ({"stratum": [[0.5, 1.0]]}, "stratum: expected whole numbers"),
        ({"offsets": [0, 1]}, "one-dimensional"),
    ],
)
def test_wrong_arguments_are_refused_in_words(change: dict[str, object], words: str) -> None:
    good: dict[str, object] = {"time": [[1.0, 2.0]], "event": [[1, 0]], "arm": [[1, 0]]}
    with pytest.raises(ValueError, match=words):
        two_arm_cox_batch(**{**good, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize("offsets", [[0, 1], [1, 2], [0, 0, 2], [0.0, 2.0], [0], [0, 2, 1, 2]])
def test_wrong_offsets_are_refused(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offsets: expected whole numbers rising from 0"):
        two_arm_cox_batch([1.0, 2.0], [1, 0], [1, 0], offsets=offsets)


def test_single_path_refuses_what_the_general_one_does() -> None:
    with pytest.raises(ValueError, match="empty"):
        two_arm_cox([], [], [])
    with pytest.raises(ValueError, match="event: expected the shape of time"):
        two_arm_cox([1.0, 2.0], [1], [1, 0])
