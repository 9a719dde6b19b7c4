"""Event-driven looks on patients with exponential survival, against closed forms.

Strength of evidence: closed form (Schoenfeld, canonical joint distribution). 4,000 trials have a standard error of
at most 0.008; the tolerance of 0.03 is three of them and 0.006 for the normal approximation.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from her2.design_study.boundaries import find_crossing_probabilities, set_boundaries
from her2.design_study.classical import classical_power, expected_drift
from her2.design_study.draw import draw_trials
from her2.design_study.looks import Protocol, find_cuts, follow_looks
from her2.design_study.spending import spend_error
from her2.survival import log_rank, wilson

TRIALS, TOLERANCE = 4000, 0.03


def make_protocol(size, events, information=(1.0,), futility=None, latest=1e5, hr_below=None):
    spent = spend_error("obrien_fleming", information, 0.025)
    lost = None if futility is None else spend_error("obrien_fleming", information, futility)
    bounds = set_boundaries(information, spent, lost)
    looks = tuple(int(np.ceil(t * events)) for t in information)
    return Protocol(size, looks, 365.0, latest, bounds, hr_below)


def draw(source, size, trials=TRIALS, ratio=(1, 1), block=4, seed=3):
    return draw_trials(source, np.arange(trials), size, size, 365.0, ratio, block, seed, 0)


@pytest.mark.parametrize(
    ("hazard_ratio", "events", "ratio"),
    [(0.7, 150, (1, 1)), (0.7, 250, (1, 1)), (0.8, 250, (1, 1)), (0.7, 200, (2, 1))],
)
def test_power_is_schoenfelds(exponential_source, hazard_ratio, events, ratio):
    protocol = make_protocol(300, events)
    source = exponential_source(hazard_ratio)
    found = follow_looks(source, draw(source, 300, ratio=ratio, block=6 if ratio == (2, 1) else 4), protocol)
    exact = classical_power(protocol.bounds, hazard_ratio, events, ratio[0] / sum(ratio))
    assert found.success.mean() == pytest.approx(exact, abs=TOLERANCE)
    assert np.all(found.events == events)


def test_stops_at_each_look_are_those_of_the_canonical_distribution(exponential_source):
    protocol = make_protocol(400, 240, (0.5, 0.75, 1.0), futility=0.2)
    source = exponential_source(0.75)
    found = follow_looks(source, draw(source, 400), protocol)
    b = protocol.bounds
    reject, give_up = find_crossing_probabilities(
        b.information, b.efficacy, b.futility, expected_drift(0.75, 240, 0.5)
    )
    for k in range(3):
        assert np.mean(found.significant & (found.look == k)) == pytest.approx(reject[k], abs=TOLERANCE)
    for k in range(2):
        assert np.mean(found.futile & (found.look == k)) == pytest.approx(give_up[k], abs=TOLERANCE)
    assert np.all(found.events == np.array(protocol.events)[found.look])


@pytest.mark.parametrize("information", [(1.0,), (0.5, 1.0), (0.3, 0.6, 1.0)])
def test_type_one_error_is_alpha_within_its_monte_carlo_interval(exponential_source, information):
    source = exponential_source(0.6, codes=2).without_effect()
    protocol = make_protocol(300, 200, information, futility=0.1 if len(information) > 1 else None)
    found = follow_looks(source, draw(source, 300, trials=8000), protocol, heed_futility=False)
    interval = wilson(int(found.significant.sum()), 8000, level=0.99)
    assert interval.lower <= 0.025 <= interval.upper
    assert not found.futile.any()


def test_power_rises_with_size_and_events(exponential_source):
    source = exponential_source(0.75, loss_rate=3e-4)
    rates = []
    for size in (100, 200, 400, 800):
        draws = draw_trials(source, np.arange(2000), size, 800, 365.0, (1, 1), 4, 3, 0)
        rates.append(follow_looks(source, draws, make_protocol(size, size // 2, (0.5, 1.0))).success.mean())
    assert np.all(np.diff(rates) > 0.02)


def test_a_random_effect_of_the_trial_spreads_the_statistic(exponential_source):
    protocol = make_protocol(400, 300)
    source = exponential_source(0.7)
    found = follow_looks(source, draw(source, 400), protocol, between_trial_sd=0.15)
    drift = expected_drift(0.7, 300, 0.5)
    exact = ndtr((drift - 1.959964) / np.sqrt(1.0 + 0.15**2 * 300 * 0.25))
    assert found.success.mean() == pytest.approx(exact, abs=TOLERANCE)


def test_success_can_ask_for_an_estimate_beyond_significance(exponential_source):
    source = exponential_source(0.7)
    draws = draw(source, 400)
    found = follow_looks(source, draws, make_protocol(400, 300, hr_below=0.75))
    exact = ndtr((np.log(0.75) - np.log(0.7)) / np.sqrt(4.0 / 300))
    assert found.success.mean() == pytest.approx(exact, abs=TOLERANCE)
    assert np.all(found.significant[found.success])


def test_a_trial_short_of_events_ends_on_its_latest_day(exponential_source):
    source = exponential_source(0.7, median=5000.0)
    found = follow_looks(
        source, draw(source, 100, trials=50), make_protocol(100, 90, (0.5, 1.0), latest=900.0)
    )
    assert found.short.all()
    assert np.all(found.look == 1)
    assert np.all(found.day == 900.0)
    assert np.all(found.events < 45)


def test_looks_during_accrual_hold_the_patients_enrolled_so_far(exponential_source):
    source = exponential_source(0.3, median=30.0)
    protocol = make_protocol(300, 250, (0.4, 1.0))
    draws = draw(source, 300, trials=200)
    found = follow_looks(source, draws, protocol)
    early = found.look == 0
    assert early.mean() > 0.5
    assert np.all(found.enrolled[early] < 300)
    by_hand = (draws.enrol < found.day[:, None]).sum(axis=1)
    assert np.array_equal(found.enrolled, by_hand)


def test_each_look_agrees_with_a_plain_log_rank_test(exponential_source):
    """The second programming: one trial at a time, with the plain test."""
    source = exponential_source(0.7, loss_rate=3e-4, codes=3)
    protocol = make_protocol(200, 100, (0.5, 1.0))
    draws = draw(source, 200, trials=40)
    found = follow_looks(source, draws, protocol)
    cuts, _ = find_cuts(source, draws, protocol)
    for t in range(40):
        day = source.event_day[draws.arm[t], draws.patient[t]]
        for look in range(2):
            known = np.minimum(cuts[t, look] - draws.enrol[t], draws.lost[t])
            seen = draws.enrol[t] < cuts[t, look]
            event = (day <= known)[seen]
            assert event.sum() == protocol.events[look]
            test = log_rank(
                np.minimum(day, known)[seen],
                event,
                draws.arm[t][seen],
                source.stratum[draws.patient[t]][seen],
            )
            z = np.sign(test.expected[0] - test.observed[0]) * np.sqrt(test.chi2)
            passed = z >= protocol.bounds.efficacy[look]
            if passed or look == 1:
                assert found.look[t] == look
                assert found.significant[t] == passed
                break
