"""Properties of the cumulative incidence; R's numbers are in test_against_r.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2.survival import cumulative_incidence, kaplan_meier

PATIENTS = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 3)), min_size=1, max_size=40)
Patients = list[tuple[int, int]]


def split(patients: Patients) -> tuple[np.ndarray, np.ndarray]:
    """Times and causes."""
    time, cause = (np.array(values) for values in zip(*patients, strict=True))
    return time, cause


@settings(deadline=None)
@given(PATIENTS)
def test_states_share_all_patients(patients: Patients) -> None:
    fit = cumulative_incidence(*split(patients))
    np.testing.assert_allclose(fit.event_free + fit.incidence.sum(axis=1), 1.0, rtol=1e-12)
    assert (np.diff(fit.incidence, axis=0) >= 0).all()


@settings(deadline=None)
@given(PATIENTS)
def test_a_single_cause_is_one_minus_kaplan_meier_with_greenwood(patients: Patients) -> None:
    time, cause = split(patients)
    fit = cumulative_incidence(time, cause > 0)
    curve = kaplan_meier(time, cause > 0)
    np.testing.assert_allclose(fit.event_free, curve.survival, rtol=1e-12, atol=1e-14)
    if fit.causes.size:
        np.testing.assert_allclose(fit.std_err[:, 0], np.nan_to_num(curve.std_err), rtol=1e-9, atol=1e-12)


@settings(deadline=None)
@given(PATIENTS)
def test_a_cause_never_exceeds_one_minus_kaplan_meier_of_that_cause(patients: Patients) -> None:
    time, cause = split(patients)
    fit = cumulative_incidence(time, cause)
    for k, code in enumerate(fit.causes):
        assert (fit.incidence[:, k] <= 1 - kaplan_meier(time, cause == code).survival + 1e-12).all()


def test_without_censoring_it_is_the_fraction_with_binomial_error() -> None:
    time, cause = np.arange(1, 21), np.tile([1, 2], 10)
    fit = cumulative_incidence(time, cause)
    share = np.cumsum(cause == 1) / 20
    np.testing.assert_allclose(fit.incidence[:, 0], share, rtol=1e-12)
    np.testing.assert_allclose(fit.std_err[:, 0], np.sqrt(share * (1 - share) / 20), rtol=1e-12)


def test_standard_error_is_the_same_in_one_block_or_many(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    time, cause = rng.exponential(size=90), rng.integers(0, 3, 90)
    whole = cumulative_incidence(time, cause).std_err
    monkeypatch.setattr("her2.survival.competing_risks._BLOCK", 7)
    # Summed in another order.
    np.testing.assert_allclose(whole, cumulative_incidence(time, cause).std_err, rtol=1e-13)


def test_incidence_is_unknown_beyond_the_last_censored_time() -> None:
    np.testing.assert_array_equal(
        cumulative_incidence([1, 2], [1, 0]).incidence_at([0, 1, 3])[:, 0], [0, 0.5, np.nan]
    )


def test_no_events_leave_no_causes() -> None:
    assert cumulative_incidence([1, 2], [0, 0]).incidence.shape == (2, 0)


def test_wrong_arguments_are_refused_in_words() -> None:
    for cause in ([1, -1], [1, 0.5], [1, np.nan], ["a", "b"]):
        with pytest.raises(ValueError, match="cause: expected whole numbers"):
            cumulative_incidence([1, 2], cause)
    with pytest.raises(ValueError, match="cause: expected the shape of time"):
        cumulative_incidence([1, 2], [1])
    with pytest.raises(ValueError, match="zero or more"):
        cumulative_incidence([1, 2], [1, 0]).incidence_at([-1])
