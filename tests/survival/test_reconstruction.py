"""Reconstruction from simulated published curves: how near the hazard ratio and the curve come back."""

from __future__ import annotations

import numpy as np
import pytest

from her2.survival import ReconstructedArm, kaplan_meier, reconstruct_patients, two_arm_cox

RISK_TIMES = np.arange(0.0, 36.0, 3.0)


def simulate_arm(rng: np.random.Generator, n: int, median: float) -> tuple[np.ndarray, np.ndarray]:
    """Exponential times with staggered follow-up of 12 to 40 months."""
    time, follow = rng.exponential(median / np.log(2), n), rng.uniform(12, 40, n)
    return np.minimum(time, follow), time <= follow


def publish_and_recover(time: np.ndarray, event: np.ndarray, with_events: bool = True) -> ReconstructedArm:
    """What a reader would digitise: three decimals, one point per step, at risk every three months."""
    curve = kaplan_meier(time, event)
    step = curve.n_events > 0
    points = np.append(curve.times[step], curve.times[-1]).round(2)
    survival = np.append(curve.survival[step], curve.survival[-1]).round(3)
    at = RISK_TIMES[: int(np.searchsorted(RISK_TIMES, points[-1], side="right"))]
    total = int(event.sum()) if with_events else None
    return reconstruct_patients(points, survival, at, curve.n_at_risk_at(at), total)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("with_events", [True, False])
def test_hazard_ratio_comes_back(seed: int, with_events: bool) -> None:
    # 300 patients per arm, true HR 0.67; the error of reading is a small part of the standard error, about
    # 0.10.
    rng = np.random.default_rng(seed)
    arms = [simulate_arm(rng, 300, 12.0), simulate_arm(rng, 300, 18.0)]
    back = [publish_and_recover(*arm, with_events) for arm in arms]
    arm = np.repeat([0, 1], 300)
    true = two_arm_cox(np.concatenate([t for t, _ in arms]), np.concatenate([e for _, e in arms]), arm)
    found = two_arm_cox(np.concatenate([b.time for b in back]), np.concatenate([b.event for b in back]), arm)
    assert abs(found.coef - true.coef) < 0.03
    assert found.std_err == pytest.approx(true.std_err, rel=0.05)
    for recovered, (time, event) in zip(back, arms, strict=True):
        assert recovered.time.size == 300
        # A few patients are left in the tail, where one too many or too few at risk moves a step this far.
        assert recovered.largest_gap < 0.02
        assert abs(int(recovered.event.sum()) - int(event.sum())) <= 0.03 * event.sum()
        curve = kaplan_meier(time, event)
        at = RISK_TIMES[: recovered.n_at_risk.size]
        np.testing.assert_allclose(recovered.n_at_risk, curve.n_at_risk_at(at), atol=2)
        # Three decimals of survival may move the crossing of one half by a step of the curve, up to 2 % here.
        median = kaplan_meier(recovered.time, recovered.event).median()
        assert median == pytest.approx(curve.median(), rel=0.05)


def test_uncensored_curve_comes_back_exactly() -> None:
    time = np.arange(1.0, 21.0)
    curve = kaplan_meier(time, np.ones(20))
    back = reconstruct_patients(curve.times, curve.survival, [0.0], [20], 20)
    np.testing.assert_array_equal(back.time, time)
    assert back.event.all()
    assert back.largest_gap < 1e-12


def test_curve_without_numbers_at_risk_later_needs_only_the_first() -> None:
    rng = np.random.default_rng(3)
    time, event = simulate_arm(rng, 200, 10.0)
    curve = kaplan_meier(time, event)
    back = reconstruct_patients(curve.times, curve.survival, [0.0], [200], int(event.sum()))
    # Only the total says how many were censored: even spreading is the whole model, so the curve is looser.
    assert back.largest_gap < 0.05
    assert abs(int(back.event.sum()) - int(event.sum())) <= 3


def test_reading_error_that_rises_is_removed() -> None:
    back = reconstruct_patients([1.0, 2.0, 3.0], [0.9, 0.905, 0.8], [0.0], [100])
    assert back.time.size == 100
    assert int(back.event.sum()) == 20


def test_flat_curve_gives_no_events() -> None:
    back = reconstruct_patients([0.0, 10.0], [1.0, 1.0], [0.0, 5.0], [30, 20])
    assert not back.event.any()
    np.testing.assert_array_equal(back.n_at_risk, [30, 20])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"survival": [90.0, 80.0]}, "divide percentages by 100"),
        ({"survival": [0.9]}, "survival: expected the shape of time"),
        ({"time": [2.0, 1.0]}, "ascending times"),
        ({"risk_time": [1.0, 2.0]}, "start at 0"),
        ({"risk_time": [0.0, 0.0]}, "ascending"),
        ({"n_at_risk": [10, 11]}, "do not rise"),
        ({"n_at_risk": [10.5, 8]}, "whole numbers"),
        ({"n_at_risk": [10]}, "n_at_risk: expected the shape"),
        ({"n_events": 11}, "n_events: expected between 0"),
    ],
)
def test_wrong_arguments_are_refused_in_words(change: dict[str, object], words: str) -> None:
    good: dict[str, object] = {
        "time": [1.0, 2.0],
        "survival": [0.9, 0.8],
        "risk_time": [0.0, 1.5],
        "n_at_risk": [10, 8],
    }
    with pytest.raises(ValueError, match=words):
        reconstruct_patients(**{**good, **change})  # type: ignore[arg-type]
