"""Closed forms and properties of the Kaplan-Meier estimate; R's numbers are in test_against_r.py."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2.survival import kaplan_meier, merge_near_ties

# Quarters are exact in binary, so scaled times tie exactly where the originals did.
PATIENTS = st.lists(
    st.tuples(st.integers(0, 40).map(lambda k: k / 4), st.booleans()), min_size=1, max_size=40
)
Patients = list[tuple[float, bool]]


def split(patients: Patients) -> tuple[np.ndarray, np.ndarray]:
    """Times and events."""
    return np.array([t for t, _ in patients]), np.array([e for _, e in patients])


def test_curve_of_a_worked_example() -> None:
    curve = kaplan_meier([1, 2, 2, 3, 4], [1, 1, 0, 0, 1])
    np.testing.assert_allclose(curve.survival, [0.8, 0.6, 0.6, 0.0], rtol=1e-15)
    np.testing.assert_allclose(curve.n_at_risk, [5, 4, 2, 1])
    np.testing.assert_allclose(
        curve.std_err[:2], [np.sqrt(0.8 * 0.2 / 5), 0.6 * np.sqrt(1 / 20 + 1 / 12)], rtol=1e-15
    )
    assert np.isnan(curve.std_err[-1])


def test_without_censoring_survival_is_the_fraction_left_with_binomial_error() -> None:
    curve = kaplan_meier(np.arange(1, 11), np.ones(10))
    left = 1 - np.arange(1, 11) / 10
    np.testing.assert_allclose(curve.survival, left, atol=1e-15)
    np.testing.assert_allclose(curve.std_err[:-1], np.sqrt(left * (1 - left) / 10)[:-1], rtol=1e-12)


def test_median_is_the_middle_of_the_part_flat_at_one_half() -> None:
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]).median() == 2.5
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 0, 0]).median() == 3.0
    assert np.isnan(kaplan_meier([1, 2, 3], [0, 0, 0]).median())


def test_numbers_at_risk_count_those_present_at_the_start_of_the_tick() -> None:
    curve = kaplan_meier([1, 2, 2, 3], [1, 0, 1, 1])
    np.testing.assert_array_equal(curve.n_at_risk_at([0, 1, 1.5, 2, 2.5, 3, 9]), [4, 4, 3, 3, 1, 1, 0])


def test_late_entry_counts_from_after_its_own_time() -> None:
    curve = kaplan_meier([3, 4, 5], [1, 1, 1], entry=[0, 2, 4])
    np.testing.assert_array_equal(curve.n_at_risk_at([0, 1, 2, 2.5, 4, 4.5, 6]), [1, 1, 1, 2, 1, 1, 0])
    np.testing.assert_array_equal(curve.n_at_risk, [2, 1, 1])
    assert curve.survival[1] == 0.0


def test_survival_is_unknown_beyond_the_last_censored_time() -> None:
    np.testing.assert_array_equal(
        kaplan_meier([1, 2], [1, 0]).survival_at([0, 1, 2, 3]), [1, 0.5, 0.5, np.nan]
    )
    np.testing.assert_array_equal(kaplan_meier([1, 2], [0, 1]).survival_at([2, 3]), [0, 0])


def test_results_cannot_be_changed() -> None:
    curve = kaplan_meier([1, 2], [1, 0])
    with pytest.raises(ValueError, match="read-only"):
        curve.survival[0] = 0.0


@settings(deadline=None)
@given(PATIENTS)
def test_survival_never_rises_and_its_limits_enclose_it(patients: Patients) -> None:
    time, event = split(patients)
    for conf_type in ("log-log", "log", "plain"):
        curve = kaplan_meier(time, event, conf_type=conf_type)
        assert (np.diff(np.concatenate(([1.0], curve.survival))) <= 0).all()
        assert ((curve.survival >= 0) & (curve.survival <= 1)).all()
        known = ~np.isnan(curve.lower) & ~np.isnan(curve.upper)
        slack = 1e-12
        assert (curve.lower[known] <= curve.survival[known] + slack).all()
        assert (curve.survival[known] <= curve.upper[known] + slack).all()
        assert (curve.cumulative_hazard <= -np.log(np.maximum(curve.survival, 1e-300)) + slack).all()


@settings(deadline=None)
@given(PATIENTS, st.randoms(use_true_random=False))
def test_order_of_patients_does_not_matter(patients: Patients, random: Random) -> None:
    shuffled = list(patients)
    random.shuffle(shuffled)
    a, b = kaplan_meier(*split(patients)), kaplan_meier(*split(shuffled))
    np.testing.assert_array_equal(a.survival, b.survival)
    np.testing.assert_array_equal(a.lower, b.lower)


@settings(deadline=None)
@given(PATIENTS, st.sampled_from([0.25, 2.0, 1024.0]))
def test_another_unit_of_time_changes_times_only(patients: Patients, scale: float) -> None:
    time, event = split(patients)
    a, b = kaplan_meier(time, event), kaplan_meier(time * scale, event)
    np.testing.assert_array_equal(a.survival, b.survival)
    p = [0.1, 0.25, 0.5, 0.9]
    np.testing.assert_array_equal(a.quantile(p).time * scale, b.quantile(p).time)
    np.testing.assert_array_equal(a.quantile(p).upper * scale, b.quantile(p).upper)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20), st.booleans(), st.integers(0, 4)), min_size=1, max_size=20))
def test_whole_weights_are_replication(patients: list[tuple[int, bool, int]]) -> None:
    time, event, weight = (np.array(values) for values in zip(*patients, strict=True))
    if weight.sum() == 0:
        return
    a = kaplan_meier(time, event, weights=weight)
    b = kaplan_meier(np.repeat(time, weight), np.repeat(event, weight))
    for name in ("times", "n_at_risk", "n_events", "n_censored", "survival", "std_err", "cumulative_hazard"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-12, equal_nan=True)


@settings(deadline=None)
@given(PATIENTS)
def test_entry_at_zero_changes_nothing_for_those_seen_after_zero(patients: Patients) -> None:
    time, event = split(patients)
    time = time + 0.25
    a, b = kaplan_meier(time, event), kaplan_meier(time, event, entry=np.zeros(time.size))
    np.testing.assert_array_equal(a.survival, b.survival)
    asked = np.arange(0, 12, 0.25)
    np.testing.assert_array_equal(a.n_at_risk_at(asked), b.n_at_risk_at(asked))


@settings(deadline=None)
@given(PATIENTS)
def test_one_more_censored_at_time_zero_changes_no_survival(patients: Patients) -> None:
    time, event = split(patients)
    time = time + 0.25
    a = kaplan_meier(time, event)
    b = kaplan_meier(np.append(time, 0.0), np.append(event, False))
    np.testing.assert_array_equal(a.survival, b.survival[1:])


def test_near_ties_are_merged_only_when_asked() -> None:
    time = [0.1 + 0.2, 0.3, 0.4]
    assert kaplan_meier(time, [1, 1, 0]).times.size == 3
    assert kaplan_meier(merge_near_ties(time), [1, 1, 0]).times.size == 2
    np.testing.assert_array_equal(merge_near_ties([5.0]), [5.0])
    np.testing.assert_array_equal(merge_near_ties([3.0, 1.0, 2.0]), [3.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("time", "event", "options", "words"),
    [
        ([-1.0, 2.0], [1, 0], {}, "time: expected values of zero or more, got -1.0 at position 0"),
        ([np.nan, 2.0], [1, 0], {}, "time: expected finite numbers, got nan"),
        ([1.0, np.inf], [1, 0], {}, "time: expected finite numbers, got inf at position 1"),
        ([], [], {}, "time: expected at least one patient"),
        ([[1.0, 2.0]], [[1, 0]], {}, "time: expected a one-dimensional array"),
        (["a"], [1], {}, "time: expected numbers"),
        ([1.0, 2.0], [1], {}, r"event: expected the shape of time, \(2,\), got \(1,\)"),
        ([1.0, 2.0], [1, 2], {}, "event: expected True/False or 0/1 only, got 1, 2"),
        ([1.0, 2.0], [1.0, np.nan], {}, "event: expected True/False or 0/1"),
        ([1.0, 2.0], [1, 0], {"weights": [1.0]}, "weights: expected the shape of time"),
        ([1.0, 2.0], [1, 0], {"weights": [1.0, -1.0]}, "weights: expected values of zero or more"),
        ([1.0, 2.0], [1, 0], {"weights": [0.0, 0.0]}, "weights: expected a positive total"),
        ([1.0, 2.0], [1, 0], {"entry": [0.0, 2.0]}, "entry: expected entry before time"),
        ([1.0, 2.0], [1, 0], {"level": 95}, "level: expected a number between 0 and 1"),
        ([1.0, 2.0], [1, 0], {"conf_type": "logit"}, "conf_type: expected one of"),
    ],
)
def test_wrong_arguments_are_refused_in_words(
    time: object, event: object, options: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        kaplan_meier(time, event, **options)  # type: ignore[arg-type]


def test_wrong_questions_are_refused() -> None:
    curve = kaplan_meier([1, 2], [1, 0])
    with pytest.raises(ValueError, match="fractions in"):
        curve.quantile(50)
    with pytest.raises(ValueError, match="zero or more"):
        curve.survival_at([-1.0])
    with pytest.raises(ValueError, match="zero or more"):
        curve.n_at_risk_at(np.nan)
