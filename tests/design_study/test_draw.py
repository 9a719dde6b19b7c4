"""Drawing of trials: allocation, nesting of sizes, expected events."""

from __future__ import annotations

import numpy as np
import pytest

from her2.design_study.draw import allocate_in_blocks, draw_trials, expected_event_share


def draw(source, trials=200, size=100, largest=200, accrual=365.0, ratio=(1, 1), block=4, stream=0):
    return draw_trials(source, np.arange(trials), size, largest, accrual, ratio, block, 7, stream)


@pytest.mark.parametrize(("ratio", "block"), [((1, 1), 4), ((2, 1), 6), ((1, 3), 4)])
def test_every_full_block_of_a_stratum_holds_the_ratio(generator, ratio, block):
    stratum = generator.integers(0, 3, (50, 97))
    keys = generator.random((50, block * (97 // block + 3)))
    arm = allocate_in_blocks(stratum, ratio, block, keys, 3)
    for t in range(50):
        for code in range(3):
            mine = arm[t, stratum[t] == code]
            full = mine[: mine.size // block * block].reshape(-1, block)
            assert np.all((full == 0).sum(axis=1) == block * ratio[0] // sum(ratio))


def test_the_first_patient_of_a_block_is_in_either_arm_alike(generator):
    keys = generator.random((4000, 4 * 2))
    arm = allocate_in_blocks(np.zeros((4000, 3), dtype=np.int64), (1, 1), 4, keys, 1)
    # 4,000 trials: standard error 0.008
    assert arm.mean(axis=0) == pytest.approx([0.5, 0.5, 0.5], abs=0.03)


def test_a_smaller_trial_is_the_beginning_of_the_larger_one(exponential_source):
    source = exponential_source(0.7)
    small, large = draw(source, size=40), draw(source, size=200)
    assert np.array_equal(small.patient, large.patient[:, :40])
    assert np.array_equal(small.normal, large.normal)


def test_trials_do_not_depend_on_how_they_are_batched(exponential_source):
    source = exponential_source(0.7, loss_rate=1e-3, codes=3)
    whole = draw(source, trials=50)
    part = draw_trials(source, np.arange(20, 50), 100, 200, 365.0, (1, 1), 4, 7, 0)
    for name in ("patient", "arm", "enrol", "lost", "normal"):
        assert np.array_equal(getattr(whole, name)[20:], getattr(part, name)), name


def test_streams_are_independent(exponential_source):
    source = exponential_source(0.7)
    a, b = draw(source, stream=0), draw(source, stream=1)
    assert np.mean(a.patient == b.patient) < 0.01


def test_patients_come_in_order_and_from_the_candidates(exponential_source):
    source = exponential_source(0.7)
    few = source.only(np.arange(20_000) < 50)
    trials = draw(few)
    assert trials.patient.max() < 50
    assert np.all(np.diff(trials.enrol, axis=1) >= 0.0)
    assert trials.enrol.max() < 365.0


def test_expected_events_are_those_of_the_drawn_trials(exponential_source):
    source = exponential_source(0.6, loss_rate=5e-4)
    trials = draw(source, trials=2000)
    day = source.event_day[trials.arm, trials.patient]
    seen = (day <= trials.lost) & (trials.enrol + day <= 365.0 + 180.0)
    # 200,000 patients: standard error 0.001
    assert expected_event_share(source, (1, 1), 365.0, 180.0) == pytest.approx(seen.mean(), abs=0.005)
