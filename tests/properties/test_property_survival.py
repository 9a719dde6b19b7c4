"""Survival statistics: what cannot depend on the order of patients, the unit of time or the names of arms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from her2.survival import (
    clopper_pearson,
    compare_rmst,
    cumulative_incidence,
    fit_cox,
    kaplan_meier,
    log_rank,
    merge_near_ties,
    newcombe_difference,
    reconstruct_patients,
    restricted_mean,
    two_arm_cox,
    two_arm_cox_batch,
    two_arm_log_rank_batch,
    two_arm_median_batch,
    wilson,
)

# whole numbers make ties, and their products with powers of two are exact
TIME = st.integers(1, 40).map(float)


@st.composite
def one_arm(draw: st.DrawFn, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(least, 30))
    return np.array(draw(st.lists(TIME, min_size=n, max_size=n))), np.array(
        draw(st.lists(st.booleans(), min_size=n, max_size=n))
    )


@st.composite
def two_arms(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both arms with an event, so that there is something to compare."""
    time, event = draw(one_arm(6))
    arm = np.array(draw(st.lists(st.booleans(), min_size=time.size, max_size=time.size)))
    assume(event[arm].any() and event[~arm].any())
    return time, event, arm


@given(one_arm(), st.randoms())
def test_property_a_curve_does_not_depend_on_the_order_of_patients(arm, random):
    time, event = arm
    order = list(range(time.size))
    random.shuffle(order)
    a, b = kaplan_meier(time, event), kaplan_meier(time[order], event[order])
    for name in ("times", "survival", "n_at_risk", "std_err", "lower", "upper"):
        assert np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True), name


@given(one_arm(), st.sampled_from([0.25, 2.0, 1024.0]))
def test_property_a_curve_in_another_unit_of_time_has_the_same_height(arm, factor):
    time, event = arm
    a, b = kaplan_meier(time, event), kaplan_meier(factor * time, event)
    assert np.array_equal(factor * a.times, b.times)
    assert np.array_equal(a.survival, b.survival)
    assert np.array_equal([factor * a.median()], [b.median()], equal_nan=True)


@given(one_arm())
def test_property_a_curve_falls_from_one_and_stays_within_its_band(arm):
    curve = kaplan_meier(*arm)
    s = np.concatenate([[1.0], curve.survival])
    assert np.all(np.diff(s) <= 0.0) and np.all((s >= 0.0) & (s <= 1.0))
    inside = np.isfinite(curve.lower) & np.isfinite(curve.upper)
    assert np.all(curve.lower[inside] <= curve.survival[inside])
    assert np.all(curve.survival[inside] <= curve.upper[inside])


@given(one_arm(), st.integers(2, 4))
def test_property_a_weight_of_k_is_a_patient_k_times(arm, k):
    time, event = arm
    many = kaplan_meier(np.repeat(time, k), np.repeat(event, k))
    weighed = kaplan_meier(time, event, weights=np.full(time.size, float(k)))
    assert np.allclose(many.survival, weighed.survival, rtol=1e-13, atol=0.0)
    assert np.allclose(many.std_err, weighed.std_err, rtol=1e-12, atol=0.0, equal_nan=True)


@given(st.lists(TIME, min_size=1, max_size=40))
def test_property_without_censoring_a_curve_is_the_share_still_without_event(times):
    time = np.array(times)
    curve = kaplan_meier(time, np.ones(time.size, dtype=bool))
    expected = [(time > t).mean() for t in curve.times]
    assert np.allclose(curve.survival, expected, rtol=0.0, atol=1e-14)


@given(one_arm())
def test_property_entry_at_zero_is_no_delayed_entry(arm):
    time, event = arm
    assert np.array_equal(
        kaplan_meier(time, event).survival, kaplan_meier(time, event, entry=np.zeros(time.size)).survival
    )


@given(one_arm())
def test_property_the_curve_is_read_where_it_steps(arm):
    curve = kaplan_meier(*arm)
    assert np.array_equal(curve.survival_at(curve.times), curve.survival)
    assert float(curve.survival_at(np.array([0.5]))[0]) == 1.0
    assert np.array_equal(curve.n_at_risk_at(curve.times), curve.n_at_risk)


@given(one_arm(), st.lists(st.floats(0.01, 0.99), min_size=2, max_size=6))
def test_property_quantiles_rise_with_the_share(arm, shares):
    found = kaplan_meier(*arm).quantile(np.sort(np.array(shares))).time
    reached = found[np.isfinite(found)]
    assert np.all(np.diff(reached) >= 0.0)
    # once a share is not reached, no larger one is
    assert np.array_equal(np.isfinite(found), np.arange(found.size) < reached.size)


@given(two_arms(), st.randoms())
def test_property_a_log_rank_test_knows_neither_order_nor_names(data, random):
    time, event, arm = data
    a = log_rank(time, event, arm)
    order = list(range(time.size))
    random.shuffle(order)
    b = log_rank(time[order], event[order], ~arm[order])
    assert a.chi2 == pytest.approx(b.chi2, rel=1e-12, abs=1e-14)
    assert np.allclose(a.observed, b.observed[::-1]) and np.allclose(a.expected, b.expected[::-1], rtol=1e-12)


@given(two_arms())
def test_property_expected_events_sum_to_the_observed(data):
    test = log_rank(*data)
    assert test.expected.sum() == pytest.approx(data[1].sum(), rel=1e-13)
    assert test.observed.sum() == data[1].sum()
    assert test.chi2 >= 0.0 and 0.0 <= test.p <= 1.0


@given(two_arms())
def test_property_only_the_ranks_of_times_count(data):
    time, event, arm = data
    bent = np.sqrt(time) + 3.0
    assert log_rank(bent, event, arm).chi2 == pytest.approx(log_rank(time, event, arm).chi2, rel=1e-13)
    a, b = two_arm_cox(time, event, arm), two_arm_cox(bent, event, arm)
    assert a.status == b.status and np.array_equal([a.coef], [b.coef], equal_nan=True)


@given(two_arms())
def test_property_swapping_the_arms_turns_the_hazard_ratio_over(data):
    time, event, arm = data
    a, b = two_arm_cox(time, event, arm), two_arm_cox(time, event, ~arm)
    assert a.status == b.status
    if a.status == "converged":
        assert a.coef == pytest.approx(-b.coef, abs=1e-9)
        assert a.hazard_ratio * b.hazard_ratio == pytest.approx(1.0, rel=1e-9)
        assert a.lower == pytest.approx(1.0 / b.upper, rel=1e-8)


@given(two_arms())
def test_property_two_programs_for_one_hazard_ratio_agree(data):
    time, event, arm = data
    quick, general = two_arm_cox(time, event, arm), fit_cox(time, event, arm.astype(float)[:, None])
    assert quick.status == general.status
    if quick.status == "converged":
        assert quick.coef == pytest.approx(general.coef[0], abs=1e-7)
        assert quick.std_err == pytest.approx(general.std_err[0], rel=1e-6)
        assert quick.score_chi2 == pytest.approx(general.score_chi2, rel=1e-9, abs=1e-12)


@given(two_arms(), st.sampled_from([0.5, 4.0]))
def test_property_a_covariate_in_another_unit_has_the_inverse_coefficient(data, factor):
    time, event, arm = data
    x = arm.astype(float)[:, None]
    a, b = fit_cox(time, event, x), fit_cox(time, event, factor * x)
    assert a.status == b.status
    if a.status == "converged":
        assert b.coef[0] * factor == pytest.approx(a.coef[0], abs=1e-8)
        assert a.wald_chi2 == pytest.approx(b.wald_chi2, rel=1e-6, abs=1e-9)


@given(st.lists(st.booleans(), min_size=6, max_size=25), st.data())
def test_property_without_ties_the_score_test_is_the_log_rank_test(events, data):
    n = len(events)
    event = np.array(events)
    arm = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    time = np.array(data.draw(st.permutations(range(1, n + 1))), dtype=float)
    assume(event[arm].any() and event[~arm].any())
    # a variance of zero, where one arm has left before the first event, is no test
    assume(log_rank(time, event, arm).variance[0, 0] > 0.0)
    assert two_arm_cox(time, event, arm).score_chi2 == pytest.approx(
        log_rank(time, event, arm).chi2, rel=1e-10, abs=1e-12
    )


@given(st.lists(two_arms(), min_size=1, max_size=4))
def test_property_many_trials_at_once_are_each_as_alone(trials):
    time, event, arm = (np.concatenate([t[k] for t in trials]) for k in range(3))
    offsets = np.cumsum([0, *(t[0].size for t in trials)])
    cox = two_arm_cox_batch(time, event, arm, offsets=offsets)
    rank = two_arm_log_rank_batch(time, event, arm, offsets=offsets)
    median = two_arm_median_batch(time, event, arm, offsets=offsets)
    for k, (t, e, a) in enumerate(trials):
        alone = two_arm_cox(t, e, a)
        assert np.array_equal([cox.coef[k]], [alone.coef], equal_nan=True)
        assert rank.observed[k] == e[a].sum()
        for side, inside in enumerate((~a, a)):
            assert np.array_equal(
                [median[k, side]], [kaplan_meier(t[inside], e[inside]).median()], equal_nan=True
            )


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.99))
def test_property_limits_of_a_rate_hold_it_and_mirror(counts, level):
    k, n = counts
    for interval in (clopper_pearson, wilson):
        a, b = interval(k, n, level), interval(n - k, n, level)
        assert 0.0 <= a.lower <= a.estimate <= a.upper <= 1.0
        assert a.lower == pytest.approx(1.0 - b.upper, abs=1e-10)
        assert interval(k, n, 0.4).upper <= a.upper + 1e-12


@given(st.integers(1, 80), st.integers(1, 80), st.data())
def test_property_a_difference_of_rates_changes_sign_with_the_arms(n, m, data):
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    one, other = newcombe_difference(a, n, b, m), newcombe_difference(b, m, a, n)
    assert one.estimate == pytest.approx(-other.estimate, abs=1e-14)
    assert one.lower == pytest.approx(-other.upper, abs=1e-12)
    assert -1.0 <= one.lower <= one.estimate <= one.upper <= 1.0


@given(st.lists(TIME, min_size=2, max_size=30), st.floats(0.5, 1.0))
def test_property_without_censoring_a_restricted_mean_is_a_mean(times, share):
    time = np.array(times)
    tau = share * float(time.max())
    found = restricted_mean(time, np.ones(time.size, dtype=bool), tau)
    assert found.mean == pytest.approx(np.minimum(time, tau).mean(), rel=1e-12)


@given(one_arm(3), st.floats(0.2, 0.9))
def test_property_a_restricted_mean_grows_with_its_limit_and_stays_below(arm, share):
    time, event = arm
    longest = float(time.max())
    short, whole = restricted_mean(time, event, share * longest), restricted_mean(time, event, longest)
    assert 0.0 < short.mean <= share * longest + 1e-12
    assert short.mean <= whole.mean + 1e-12
    assert whole.mean - short.mean <= (1.0 - share) * longest + 1e-9


@given(two_arms(), st.floats(0.2, 0.9))
def test_property_comparing_restricted_means_changes_sign_with_the_arms(data, share):
    time, event, arm = data
    tau = share * float(min(time[arm].max(), time[~arm].max()))
    a, b = compare_rmst(time, event, arm, tau), compare_rmst(time, event, ~arm, tau)
    assert a.difference == pytest.approx(-b.difference, abs=1e-12)
    assert a.difference == pytest.approx(a.experimental.mean - a.control.mean, abs=1e-12)
    if math.isfinite(a.ratio) and math.isfinite(b.ratio):
        assert a.ratio * b.ratio == pytest.approx(1.0, rel=1e-12)


@given(st.lists(st.tuples(TIME, st.integers(0, 3)), min_size=1, max_size=30))
def test_property_incidences_and_freedom_from_events_sum_to_one(patients):
    time, cause = np.array([p[0] for p in patients]), np.array([p[1] for p in patients])
    assume((cause > 0).any())
    found = cumulative_incidence(time, cause)
    assert np.allclose(found.incidence.sum(axis=1) + found.event_free, 1.0, rtol=0.0, atol=1e-12)
    assert np.all(np.diff(found.incidence, axis=0) >= -1e-15)


@given(one_arm())
def test_property_one_cause_alone_is_one_minus_kaplan_meier(arm):
    time, event = arm
    assume(event.any())
    found = cumulative_incidence(time, event.astype(int))
    curve = kaplan_meier(time, event)
    assert np.allclose(found.incidence[:, 0], 1.0 - curve.survival_at(found.times), rtol=0.0, atol=1e-12)


@given(st.lists(st.floats(0.1, 1e4), min_size=1, max_size=30))
def test_property_merging_near_ties_is_done_once_and_moves_nothing_far(times):
    time = np.array(times)
    once = merge_near_ties(time)
    assert np.array_equal(merge_near_ties(once), once)
    assert np.allclose(once, time, rtol=1e-6, atol=1e-6 * float(np.abs(time).max()))
    assert np.all((time[:, None] < time[None, :]) <= (once[:, None] <= once[None, :]))


@given(st.integers(20, 120), st.integers(2, 6), st.data())
def test_property_a_reconstruction_has_the_printed_number_of_patients(n, steps, data):
    falls = data.draw(st.lists(st.floats(0.02, 0.15), min_size=steps, max_size=steps))
    time = np.arange(steps + 1, dtype=float)
    survival = np.cumprod([1.0, *(1.0 - f for f in falls)])
    arm = reconstruct_patients(time, survival, np.array([0.0]), np.array([n]))
    assert arm.time.size == n == arm.event.size
    assert np.all(arm.time >= 0.0)
    assert kaplan_meier(arm.time, arm.event).survival_at(np.array([float(steps)]))[0] == pytest.approx(
        survival[-1], abs=1.0 / n + 1e-9
    )
