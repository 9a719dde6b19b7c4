"""Responses, randomisation, looks and sizes of a trial."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from her2.design_study.boundaries import find_crossing_probabilities, set_boundaries
from her2.design_study.classical import classical_power, events_needed
from her2.design_study.draw import allocate_in_blocks
from her2.design_study.schema import StudyDesign
from her2.design_study.spending import spend_error
from her2.evidence.meta_analysis import pool_effects
from her2.trials.enrol import enrol_times, loss_times
from her2.trials.intervals import from_scale, to_scale
from her2.trials.randomise import randomise, stratum_codes
from her2.tumour.recist import (
    Response,
    Visit,
    best_overall_response,
    clinical_benefit,
    progression_free_survival,
    progression_time,
    responses_of_cohort,
    time_to_response,
    visit_responses,
    visits_until,
)

RANK = {
    Response.CR: 0,
    Response.PR: 1,
    Response.SD: 2,
    Response.NON_CR_NON_PD: 2,
    Response.PD: 3,
    Response.NE: 4,
}
CODES = st.sampled_from(list(Response))


@st.composite
def courses(draw: st.DrawFn) -> list[Visit]:
    gaps = draw(st.lists(st.integers(1, 14).map(lambda week: 7.0 * week), max_size=8))
    return [Visit(float(day), draw(CODES)) for day in np.cumsum(gaps)]


@given(courses())
def test_property_confirmation_never_makes_a_response_better(visits):
    best = best_overall_response(visits)
    if RANK[best.confirmed] < 2 or RANK[best.unconfirmed] < 2:
        assert RANK[best.confirmed] >= RANK[best.unconfirmed]
    assert time_to_response(visits, confirm=True) >= time_to_response(visits, confirm=False)


@given(courses(), st.lists(CODES, max_size=4))
def test_property_nothing_after_progression_counts(visits, later):
    day = progression_time(visits)
    assume(math.isfinite(day))
    known = visits_until(visits, day)
    longer = [*known, *(Visit(day + 42.0 * (k + 1), code) for k, code in enumerate(later))]
    assert best_overall_response(longer) == best_overall_response(known)
    assert progression_time(longer) == day
    assert clinical_benefit(longer) == clinical_benefit(known)


@given(courses(), st.integers(1, 100), st.integers(1, 100))
def test_property_an_earlier_death_never_lengthens_time_without_progression(visits, one, other):
    early, late = sorted((7.0 * one, 7.0 * other))

    def pfs(death: float):
        return progression_free_survival(
            visits_until(visits, death), death_day=death, scan_interval_days=42.0
        )

    a, b = pfs(early), pfs(late)
    assert a.day <= early and b.day <= late
    # where both are events, the earlier death cannot come later
    if a.is_event and b.is_event:
        assert a.day <= b.day


@given(
    st.floats(20.0, 200.0),
    st.lists(st.floats(0.0, 300.0), min_size=1, max_size=8),
    st.sampled_from([2.0, 4.0]),
)
def test_property_larger_tumours_of_the_same_shape_respond_alike(baseline, sums, factor):
    days = [42.0 * (k + 1) for k in range(len(sums))]
    # an increase has to be 5 mm at least: kept away from that limit, the percentages decide
    assume(all(s == 0.0 or s > 30.0 for s in sums))
    a = visit_responses(sums, days, baseline)
    b = visit_responses([factor * s for s in sums], days, factor * baseline)
    assert [v.response for v in a] == [v.response for v in b]


@given(st.integers(1, 8), st.integers(0, 2**31))
def test_property_a_cohort_does_not_know_the_order_of_its_patients(n, seed):
    draw = np.random.default_rng(seed)
    sums, baseline = draw.uniform(5.0, 150.0, (n, 6)), draw.uniform(20.0, 120.0, n)
    days = 42.0 * np.arange(1, 7)
    order = draw.permutation(n)
    a = responses_of_cohort(sums, days, baseline, scan_interval_days=42.0)
    b = responses_of_cohort(sums[order], days, baseline[order], scan_interval_days=42.0)
    for name in (
        "best_confirmed",
        "best_unconfirmed",
        "response_day",
        "progression_day",
        "pfs_day",
        "pfs_event",
    ):
        assert np.array_equal(getattr(a, name)[order], getattr(b, name)), name


RATIOS = st.sampled_from([(1, 1), (2, 1), (1, 1, 1), (3, 1), (1, 2, 2)])


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=120), RATIOS, st.integers(1, 4), st.integers(0, 2**40)
)
def test_property_whole_blocks_of_each_stratum_have_the_ratio(strata, ratio, blocks, seed):
    stratum, size = np.array(strata), blocks * sum(ratio)
    arm = randomise(seed, 0, stratum, ratio, size)
    for code in np.unique(stratum):
        members = arm[stratum == code]
        whole = members[: members.size // size * size]
        for k, share in enumerate(ratio):
            assert np.sum(whole == k) == whole.size * share // sum(ratio)
            # a part-filled block cannot hold more of an arm than a full one
            assert np.sum(members[whole.size :] == k) <= blocks * share
    assert np.array_equal(arm, randomise(seed, 0, stratum, ratio, size))


@given(st.integers(1, 4), st.integers(1, 60), RATIOS, st.integers(1, 3), st.integers(0, 2**31))
def test_property_many_trials_at_once_are_balanced_in_blocks_too(trials, n, ratio, blocks, seed):
    draw, size, codes = np.random.default_rng(seed), blocks * sum(ratio), 3
    stratum = draw.integers(0, codes, (trials, n))
    arm = allocate_in_blocks(stratum, ratio, size, draw.random((trials, size * (n // size + codes))), codes)
    for t in range(trials):
        for code in range(codes):
            members = arm[t, stratum[t] == code]
            whole = members[: members.size // size * size]
            assert [np.sum(whole == k) * sum(ratio) for k in range(len(ratio))] == [
                whole.size * r for r in ratio
            ]


@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 2**31))
def test_property_patients_share_a_stratum_where_they_share_every_factor(n_factors, n, seed):
    columns = list(np.random.default_rng(seed).random((n_factors, n)) < 0.5)
    code = stratum_codes(columns)
    same = np.all([c[:, None] == c[None, :] for c in columns], axis=0)
    assert np.array_equal(code[:, None] == code[None, :], same)


@given(
    st.integers(0, 2**40),
    st.integers(0, 10**6),
    st.integers(1, 50),
    st.floats(1.0, 3000.0),
    st.floats(1e-6, 1.0),
)
def test_property_enrolment_and_loss_keep_to_their_scale(seed, first, n, accrual, rate):
    day, lost = enrol_times(seed, first, n, accrual), loss_times(seed, first, n, rate)
    assert np.all((day > 0.0) & (day < accrual))
    assert np.all(lost > 0.0)
    assert np.allclose(loss_times(seed, first, n, 2.0 * rate), lost / 2.0, rtol=1e-15)
    assert np.array_equal(enrol_times(seed, first, n + 5, accrual)[:n], day)
    assert np.all(np.isinf(loss_times(seed, first, n, 0.0)))


@given(st.floats(1e-3, 1.0 - 1e-3), st.floats(1e-3, 1e4))
def test_property_a_statistic_comes_back_from_its_scale(share, time):
    assert from_scale(float(to_scale(np.array([share]), "rate", 1e-6)[0]), "rate") == pytest.approx(
        share, rel=1e-12
    )
    for kind in ("median", "hr"):
        assert from_scale(float(to_scale(np.array([time]), kind, 1e-6)[0]), kind) == pytest.approx(
            time, rel=1e-14
        )


@st.composite
def looks(draw: st.DrawFn) -> np.ndarray:
    return np.array([*sorted(draw(st.sets(st.integers(2, 9), max_size=3))), 10]) / 10.0


SPENDING = st.sampled_from(["obrien_fleming", "pocock", "hwang_shih_decani"])


@given(looks(), SPENDING, st.floats(0.001, 0.4), st.floats(-20.0, 20.0))
def test_property_error_spent_rises_to_all_of_it(information, spending, error, gamma):
    spent = spend_error(spending, information, error, gamma)
    assert np.all(np.diff(spent) >= 0.0) and np.all(spent >= 0.0)
    assert spent[-1] == error


@given(looks(), SPENDING, st.floats(0.005, 0.1))
def test_property_boundaries_spend_what_they_are_told(information, spending, error):
    spent = spend_error(spending, information, error)
    bounds = set_boundaries(information, spent)
    reject, _ = find_crossing_probabilities(information, bounds.efficacy)
    # the recursive integral is good to about 1e-7
    assert np.allclose(np.cumsum(reject), spent, rtol=0.0, atol=1e-6)


@given(looks(), st.floats(0.4, 0.95), st.floats(20.0, 500.0), st.floats(1.05, 2.0))
def test_property_power_grows_with_events_and_effect(information, ratio, events, more):
    bounds = set_boundaries(information, spend_error("obrien_fleming", information, 0.025))
    base = classical_power(bounds, ratio, events, 0.5)
    assert classical_power(bounds, ratio, more * events, 0.5) >= base - 1e-9
    assert classical_power(bounds, ratio / more, events, 0.5) >= base - 1e-9
    assert 0.0 <= base <= 1.0 + 1e-9


@given(st.floats(0.3, 0.95), st.floats(0.005, 0.1), st.floats(0.5, 0.95), st.floats(0.2, 0.8))
def test_property_events_needed_mirror_and_deliver_their_power(ratio, alpha, power, share):
    n = events_needed(ratio, alpha, power, share)
    assert events_needed(1.0 / ratio, alpha, power, share) == pytest.approx(n, rel=1e-12)
    assert events_needed(ratio, alpha, power, 1.0 - share) == pytest.approx(n, rel=1e-12)
    one_look = set_boundaries([1.0], [alpha])
    # the other tail, which the formula leaves out, does not count as success either
    assert classical_power(one_look, ratio, n, share) == pytest.approx(power, abs=1e-6)


@given(st.floats(0.002, 0.9))
def test_property_a_two_sided_alpha_is_half_of_it_on_one_side(alpha):
    text = f"{alpha:.6g}"
    assume(0.0 < float(text) < 0.99)
    assert StudyDesign.model_validate({"alpha": f"{text} two-sided"}).alpha == float(text) / 2.0


EFFECTS = st.lists(st.tuples(st.floats(-2.0, 2.0), st.floats(0.05, 1.0)), min_size=2, max_size=8)


@given(EFFECTS, st.sampled_from(["fixed", "dl", "pm", "reml"]), st.randoms())
def test_property_a_pooled_effect_lies_among_the_studies_in_any_order(studies, method, random):
    effects, errors = zip(*studies, strict=True)
    pooled = pool_effects(effects, errors, method=method)
    assert min(effects) - 1e-9 <= pooled.estimate <= max(effects) + 1e-9
    assert pooled.tau2 >= 0.0 and pooled.ci_low <= pooled.estimate <= pooled.ci_high
    shuffled = list(studies)
    random.shuffle(shuffled)
    again = pool_effects(*zip(*shuffled, strict=True), method=method)
    # REML stops where its score is small: tau2 to about 1e-6
    assert again.estimate == pytest.approx(pooled.estimate, abs=1e-6)


@given(EFFECTS, st.sampled_from(["fixed", "dl", "pm"]), st.floats(-3.0, 3.0))
def test_property_a_pooled_effect_moves_with_its_studies(studies, method, shift):
    effects, errors = (np.array(x) for x in zip(*studies, strict=True))
    a, b = pool_effects(effects, errors, method=method), pool_effects(effects + shift, errors, method=method)
    assert b.estimate == pytest.approx(a.estimate + shift, abs=1e-6)
    assert b.tau2 == pytest.approx(a.tau2, abs=1e-6)
    mirrored = pool_effects(-effects, errors, method=method)
    assert mirrored.estimate == pytest.approx(-a.estimate, abs=1e-6)
