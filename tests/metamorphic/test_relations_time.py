"""Follow-up, cuts, scans and units of time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from relations import SEED, N, cohort_of, edited, no_events, on_arm, progression, same

from her2.engine.layout import Outcome
from her2.model import build_model
from her2.survival import fit_cox, log_rank
from her2.trials.analyse import TIMES, observe_arms
from her2.trials.cut import cut_data
from her2.trials.enrol import enrol_times, loss_times
from her2.trials.follow import prepare_trial, simulate_pool

pytestmark = pytest.mark.metamorphic
ENDPOINTS = ("pfs", "ttp", "os", "dor", "time_to_cns")


def _cut(pool, endpoint, cut_day, *, arm=0, shift=0.0, lost=None, every=63.0):
    enrol = enrol_times(SEED, 0, pool.n, 880.0) + shift
    gone = loss_times(SEED, 0, pool.n, 0.0004) if lost is None else lost
    return cut_data(pool.arms[arm], endpoint, enrol, gone, cut_day, every)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_later_cut_keeps_every_event_and_only_lengthens_the_rest(pool, endpoint):
    early, late = _cut(pool, endpoint, 800.0), _cut(pool, endpoint, 2000.0)
    known = early.event
    assert known.sum() >= 2 and late.event.sum() > known.sum()
    assert np.all(late.event[known])
    assert np.array_equal(late.time[known], early.time[known])
    assert np.all(late.time[~known] >= early.time[~known])


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_trial_that_starts_later_and_ends_later_has_the_same_data(pool, endpoint):
    # whole days are exact, so that the same sums give the same digits
    one, other = _cut(pool, endpoint, 1200.0), _cut(pool, endpoint, 1200.0 + 512.0, shift=512.0)
    np.testing.assert_allclose(one.time, other.time, rtol=0, atol=1e-9)
    assert np.array_equal(one.event, other.event)
    assert np.array_equal(one.reason, other.reason)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_losing_patients_earlier_takes_events_away_and_moves_none(pool, endpoint):
    lost = loss_times(SEED, 0, pool.n, 0.0004)
    one, fewer = _cut(pool, endpoint, 1500.0, lost=lost), _cut(pool, endpoint, 1500.0, lost=0.3 * lost)
    assert np.all(one.event >= fewer.event)
    assert one.event.sum() > fewer.event.sum()
    assert np.array_equal(one.time[fewer.event], fewer.time[fewer.event])


def test_following_for_longer_changes_nothing_that_had_happened(model, second_line):
    plan = prepare_trial(model, second_line)
    short, long = (
        replace(
            plan,
            courses=tuple(c._replace(horizon_weeks=weeks) for c in plan.courses),
        )
        for weeks in (80, 240)
    )
    pools = [simulate_pool(model, second_line, 64, SEED, plan=p) for p in (short, long)]
    assert np.array_equal(pools[0].arms[0].patient, pools[1].arms[0].patient)
    for row in (Outcome.PROGRESSION, Outcome.DEATH, Outcome.CONFIRMED_RESPONSE, Outcome.CNS_PROGRESSION):
        early, late = (p.arms[0][row] for p in pools)
        known = late <= 80 * 7.0
        assert np.array_equal(early[known], late[known])
        assert np.all(np.isinf(early[~known]))
    assert (
        np.isfinite(pools[1].arms[0][Outcome.DEATH]).sum()
        > np.isfinite(pools[0].arms[0][Outcome.DEATH]).sum()
    )


def test_the_horizon_of_a_trial_does_not_decide_who_enters_it(model):
    """Patients live through an earlier line first, which takes as long as it takes."""
    trials = [
        edited(
            "cleopatra",
            id="after_one_line",
            prior_lines=["docetaxel+trastuzumab"],
            analyses=[{"endpoint": "pfs", "cut": cut}],
            endpoints={"primary": "pfs", "reported": ["pfs"]},
        )
        for cut in ("32 month", "90 month")
    ]
    pools = [simulate_pool(model, t, 64, SEED) for t in trials]
    assert np.array_equal(pools[0].arms[0].patient, pools[1].arms[0].patient)
    assert pools[0].screened > 64


def test_more_frequent_scans_never_find_progression_later():
    """Without measurement noise a scan more can only lower the nadir and show a rise sooner."""
    exact = build_model({"observation.scan_error": 0.0})
    days = []
    for every in ("12 week", "6 week"):
        trial = edited("cleopatra", arms=no_events, scans={"every": every})
        plan = prepare_trial(exact, trial)
        days.append(progression(on_arm(plan, cohort_of(plan))))
    assert np.all(days[1] <= days[0])
    assert np.mean(days[1] < days[0]) > 0.2


def test_units_of_time_in_a_trial_file_do_not_matter(model, pool):
    other = edited(
        "cleopatra",
        scans={"every": "63 day"},
        drop_out={"rate": "0.0025 1/month"},
        accrual={"duration": "882.6875 day"},
    )
    twins = simulate_pool(model, other, N, SEED)
    assert all(same(a, b) for a, b in zip(pool.arms, twins.arms, strict=True))
    arm = np.arange(N) % 2
    one, two = observe_arms(pool, arm, SEED), observe_arms(twins, arm, SEED)
    for name in [n for n in TIMES if n in one.times]:
        np.testing.assert_allclose(one.times[name].time, two.times[name].time, rtol=1e-12, atol=1e-9)
        assert np.array_equal(one.times[name].event, two.times[name].event)


def test_statistics_by_rank_do_not_see_how_time_is_measured(pool):
    times = [_cut(pool, "pfs", 1500.0, arm=k) for k in (0, 1)]
    time = np.concatenate([t.time for t in times])
    event = np.concatenate([t.event for t in times])
    arm = np.repeat([1, 0], N)
    warped = np.sqrt(time / 365.25)
    assert log_rank(warped, event, arm).p == log_rank(time, event, arm).p
    one, other = (fit_cox(t, event, arm) for t in (time, warped))
    assert one.coef[0] == other.coef[0]
    assert one.coef[0] != 0.0
