"""Properties of the log-rank test; R's numbers are in test_against_r.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2.survival import fit_cox, log_rank

TRIALS = st.lists(
    st.tuples(st.integers(1, 15), st.booleans(), st.integers(0, 2)), min_size=3, max_size=40
).filter(lambda patients: len({g for _, _, g in patients}) > 1)
Trial = list[tuple[int, bool, int]]


def split(patients: Trial) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, events and groups."""
    time, event, group = (np.array(values) for values in zip(*patients, strict=True))
    return time, event, group


@settings(deadline=None)
@given(TRIALS)
def test_identical_arms_do_not_differ(patients: Trial) -> None:
    time, event, _ = split(patients)
    test = log_rank(np.tile(time, 2), np.tile(event, 2), np.repeat([0, 1], time.size))
    assert test.chi2 == 0.0
    np.testing.assert_array_equal(test.observed, test.expected)


@settings(deadline=None)
@given(TRIALS)
def test_expected_events_add_up_to_the_observed(patients: Trial) -> None:
    for rho in (0.0, 1.0):
        test = log_rank(*split(patients), rho=rho)
        np.testing.assert_allclose(test.observed.sum(), test.expected.sum(), rtol=1e-12)
        np.testing.assert_allclose(test.variance.sum(axis=0), 0.0, atol=1e-10)
        assert test.chi2 >= 0.0


@settings(deadline=None)
@given(TRIALS)
def test_names_of_groups_and_unit_and_order_do_not_matter(patients: Trial) -> None:
    time, event, group = split(patients)
    a = log_rank(time, event, group)
    b = log_rank(time[::-1] * 7.0, event[::-1], np.array(["c", "a", "b"])[group][::-1])
    np.testing.assert_allclose(a.chi2, b.chi2, rtol=1e-8, atol=1e-10)
    assert a.df == b.df


@settings(deadline=None)
@given(TRIALS)
def test_a_monotone_change_of_time_does_not_matter(patients: Trial) -> None:
    time, event, group = split(patients)
    assert log_rank(time, event, group).chi2 == log_rank(time.astype(float) ** 2, event, group).chi2


def test_one_stratum_per_copy_doubles_the_evidence() -> None:
    rng = np.random.default_rng(1)
    time, event, group = rng.exponential(size=60), rng.random(60) < 0.7, rng.integers(0, 2, 60)
    one = log_rank(time, event, group)
    two = log_rank(np.tile(time, 2), np.tile(event, 2), np.tile(group, 2), np.repeat([0, 1], 60))
    assert two.chi2 == pytest.approx(2 * one.chi2, rel=1e-12)


def test_without_ties_it_is_the_score_test_of_the_cox_model() -> None:
    rng = np.random.default_rng(2)
    time, event, group = rng.exponential(size=80), rng.random(80) < 0.7, rng.integers(0, 2, 80)
    assert log_rank(time, event, group).chi2 == pytest.approx(
        fit_cox(time, event, group).score_chi2, rel=1e-12
    )


def test_groups_compared_in_no_stratum_get_no_false_precision() -> None:
    # Groups 0, 1 meet only in one stratum and 2, 3 only in the other: two comparisons, not three.
    test = log_rank([1, 2, 3, 4, 1, 2, 3, 4], [1] * 8, [0, 1, 0, 1, 2, 3, 2, 3], [0] * 4 + [1] * 4)
    assert test.df == 2
    assert test.chi2 == pytest.approx(2 * log_rank([1, 2, 3, 4], [1] * 4, [0, 1, 0, 1]).chi2)


def test_no_events_give_no_verdict() -> None:
    test = log_rank([1, 2, 3], [0, 0, 0], [0, 1, 1])
    assert test.chi2 == 0.0
    assert test.df == 0
    assert np.isnan(test.p)


def test_wrong_arguments_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="group: expected two or more groups"):
        log_rank([1, 2], [1, 0], [1, 1])
    with pytest.raises(ValueError, match="group: expected the shape of time"):
        log_rank([1, 2], [1, 0], [1, 1, 0])
    with pytest.raises(ValueError, match="group: expected a label for every patient"):
        log_rank([1, 2], [1, 0], [1.0, np.nan])
    with pytest.raises(ValueError, match="stratum: expected the shape of time"):
        log_rank([1, 2], [1, 0], [0, 1], stratum=[0])
    with pytest.raises(ValueError, match="rho: expected a finite number"):
        log_rank([1, 2], [1, 0], [0, 1], rho=np.nan)
