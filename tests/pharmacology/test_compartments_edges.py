"""Compartment models at their edges: one-compartment closed forms, sizes of input, and what errors say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from her2.pharmacology import compartments as module
from her2.pharmacology.compartments import EffectCompartment, LinearModel, MichaelisMentenModel
from her2.pharmacology.regimen import DoseTable, parse_regimen

ONE = LinearModel(2.0, 10.0)
K = 0.2
BOLUS = DoseTable([0.0], [100.0], [0.0])
INFUSION = DoseTable([1.0], [100.0], [0.5])


def test_a_bolus_falls_by_its_rate_and_counts_from_its_own_moment() -> None:
    found = ONE.concentration(BOLUS, [-1.0, 0.0, 3.0, 1.0])
    np.testing.assert_allclose(found, [[0.0, 10.0, 10.0 * math.exp(-0.6), 10.0 * math.exp(-0.2)]], rtol=1e-15)


def test_an_infusion_rises_to_its_end_and_falls_after_it() -> None:
    end = 200.0 / 2.0 * (1.0 - math.exp(-K * 0.5))
    expected = [0.0, 200.0 / 2.0 * (1.0 - math.exp(-K * 0.25)), end, end * math.exp(-K)]
    np.testing.assert_allclose(ONE.concentration(INFUSION, [1.0, 1.25, 1.5, 2.5])[0], expected, rtol=1e-14)


def test_an_absorbed_dose_waits_for_its_lag_and_arrives_in_part() -> None:
    """Bateman: f dose ka / (V (ka - k)) (exp(-k t) - exp(-ka t)), t from the lag on."""
    oral = LinearModel(2.0, 10.0, ka=1.5, lag=0.25, f=0.5)
    t = np.array([0.25, 0.75, 2.25])
    since = t - 0.25
    expected = 0.5 * 100.0 * 1.5 / (10.0 * (1.5 - K)) * (np.exp(-K * since) - np.exp(-1.5 * since))
    np.testing.assert_allclose(oral.concentration(BOLUS, t)[0], expected, rtol=1e-13, atol=1e-15)
    # intravenously the same model has neither depot nor lag
    given = DoseTable([0.0], [100.0], [0.0], "iv")
    np.testing.assert_allclose(oral.concentration(given, [1.0]), ONE.concentration(BOLUS, [1.0]), rtol=1e-15)
    # the area does not depend on how fast: f dose / CL
    assert oral.auc(BOLUS, 0.0, np.inf)[0] == pytest.approx(25.0, rel=1e-13)
    assert oral.auc(given, 0.0, np.inf)[0] == pytest.approx(50.0, rel=1e-13)


def test_an_effect_site_lags_behind_plasma() -> None:
    """Ce = C0 ke0 / (ke0 - k) (exp(-k t) - exp(-ke0 t)); its area is that of plasma."""
    site = ONE.with_effect_compartment(0.7)
    t = np.array([0.0, 1.0, 5.0])
    expected = 10.0 * 0.7 / (0.7 - K) * (np.exp(-K * t) - np.exp(-0.7 * t))
    np.testing.assert_allclose(site.concentration(BOLUS, t)[0], expected, rtol=1e-13, atol=1e-15)
    assert site.auc(BOLUS, 0.0, np.inf)[0] == pytest.approx(50.0, rel=1e-12)
    part = site.auc(BOLUS, 1.0, 5.0)[0]
    area = (
        10.0 * 0.7 / 0.5 * ((math.exp(-K) - math.exp(-5 * K)) / K - (math.exp(-0.7) - math.exp(-3.5)) / 0.7)
    )
    assert part == pytest.approx(area, rel=1e-12)


def test_steady_state_of_one_compartment_is_a_geometric_series() -> None:
    state = ONE.steady_state(parse_regimen("100 mg q10d"), 70.0, 1.8)
    top = 10.0 / (1.0 - math.exp(-2.0))
    assert state.cmax[0] == pytest.approx(top, rel=1e-10)
    assert state.cmin[0] == pytest.approx(top * math.exp(-2.0), rel=1e-10)
    assert state.cavg[0] == pytest.approx(100.0 / (2.0 * 10.0), rel=1e-15)
    assert state.interval_days == 10.0
    half = ONE.steady_state(parse_regimen("100 mg q10d"), 70.0, 1.8, 0.5)
    assert half.cmax[0] == pytest.approx(top / 2, rel=1e-10)
    # loading dose and number of cycles are left aside
    other = ONE.steady_state(parse_regimen("900 mg then 100 mg q10d x3"), 70.0, 1.8)
    assert (other.cmax[0], other.cmin[0]) == (state.cmax[0], state.cmin[0])


def test_steady_state_of_absorbed_doses_counts_what_arrives() -> None:
    oral = LinearModel(2.0, 10.0, ka=1.5, f=0.5)
    state = oral.steady_state(parse_regimen("100 mg bid"), 70.0, 1.8)
    assert state.cavg[0] == pytest.approx(0.5 * 200.0 / 2.0, rel=1e-15)
    # the oral peak: where ka exp(-ka t) / (1 - exp(-ka T)) = k exp(-k t) / (1 - exp(-k T))
    tau = 0.5
    peak = math.log((1.5 * (1 - math.exp(-K * tau))) / (K * (1 - math.exp(-1.5 * tau)))) / (1.5 - K)
    scale = 50.0 * 1.5 / (10.0 * (1.5 - K))

    def at(t: float) -> float:
        return scale * (
            math.exp(-K * t) / (1 - math.exp(-K * tau)) - math.exp(-1.5 * t) / (1 - math.exp(-1.5 * tau))
        )

    assert state.cmax[0] == pytest.approx(at(peak), rel=1e-9)
    assert state.cmin[0] == pytest.approx(at(0.0), rel=1e-9)


def test_steady_state_of_an_infusion_peaks_at_its_end() -> None:
    state = ONE.steady_state(parse_regimen("100 mg q10d iv 720 min"), 70.0, 1.8)
    rise = 200.0 / 2.0 * (1.0 - math.exp(-K * 0.5))
    top = rise / (1.0 - math.exp(-K * 10.0))
    assert state.cmax[0] == pytest.approx(top, rel=1e-9)
    assert state.cmin[0] == pytest.approx(top * math.exp(-K * 9.5), rel=1e-9)


def test_windows_of_no_length_and_tables_without_doses_have_no_area() -> None:
    assert ONE.auc(BOLUS, 3.0, 3.0).tolist() == [0.0]
    assert ONE.auc(BOLUS, 3.0, 1.0).tolist() == [0.0]
    nothing = DoseTable([], [], [])
    assert ONE.auc(nothing, 0.0, [1.0, 2.0]).tolist() == [0.0, 0.0]
    assert ONE.concentration(nothing, [1.0, 2.0]).tolist() == [[0.0, 0.0]]
    saturable = MichaelisMentenModel(1.0, 3.0, 0.5, 2.0, 5.0, 1.0)
    assert saturable.concentration(nothing, [1.0]).tolist() == [[0.0]]


def test_patients_of_model_doses_and_days_are_joined() -> None:
    two = LinearModel([2.0, 4.0], 10.0)
    assert two.n_patients == 2
    assert two.concentration(BOLUS, [1.0, 2.0]).shape == (2, 2)
    many = DoseTable([0.0], np.full((3, 1), 100.0), [0.0])
    assert ONE.concentration(many, 1.0).shape == (3, 1)
    assert ONE.auc(BOLUS, [0.0, 1.0, 2.0], 5.0).shape == (3,)
    assert ONE.with_effect_compartment([1.0, 2.0]).concentration(BOLUS, [1.0]).shape == (2, 1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: LinearModel(-1.0, 1.0), "cl: expected finite values above zero, got -1.0 at position 0"),
        (lambda: LinearModel([1.0, 0.0], 1.0), "cl: expected finite values above zero, got 0.0 at position 1"),
        (lambda: LinearModel(1.0, math.inf), "vc: expected finite values above zero, got inf at position 0"),
        (lambda: LinearModel([], 1.0), r"cl: expected a scalar or \(patients,\), got shape \(0,\)"),
        (lambda: LinearModel(1.0, 1.0, (1.0,), ()), "q, vp: expected one of each .* got 1 and 0"),
        (lambda: LinearModel(1.0, 1.0, (1.0,), (0.0,)), r"vp\[0\]: expected finite values above zero, got 0.0"),
        (lambda: LinearModel(1.0, 1.0, (1.0, -1.0), (1.0, 1.0)), r"q\[1\]: expected finite values above zero"),
        (lambda: LinearModel(1.0, 1.0, ka=1.0, f=0.0), "f: expected finite values above zero"),
        (lambda: LinearModel(1.0, 1.0, ka=1.0, lag=-0.5), "lag: expected finite values zero or more, got -0.5"),
        (lambda: LinearModel(1.0, 1.0, lag=0.5), "lag, f: they describe absorption"),
        (lambda: LinearModel([1.0, 2.0], [1.0, 2.0, 3.0]), "cl: expected 1 or 3 patients .* got 2"),
        (lambda: MichaelisMentenModel(1.0, 1.0, 1.0, 1.0, -1.0, 1.0), "vmax: expected finite values zero or more"),
        (lambda: MichaelisMentenModel(1.0, 1.0, 0.0, 1.0, 1.0, 1.0), "q: expected finite values above zero"),
        (lambda: ONE.concentration(BOLUS, [[1.0]]), r"times: expected finite days, \(times,\), got shape \(1, 1\)"),
        (lambda: ONE.concentration(BOLUS, [math.inf]), "times: expected finite days"),
        (lambda: ONE.auc(BOLUS, 0.0, math.nan), "only the end may be infinite"),
        (lambda: ONE.auc(BOLUS, [[0.0]], 1.0), "only the end may be infinite"),
        (lambda: ONE.auc(BOLUS, [0.0, 0.0], [1.0] * 3), "patients: expected the same number .* got 2 and 3"),
        (lambda: LinearModel([1.0, 2.0], 1.0).with_effect_compartment([1.0] * 3), "ke0: expected 2 patients .* got 3"),
        (lambda: ONE.with_effect_compartment(0.0), "ke0: expected finite values above zero"),
    ],
)  # fmt: skip
def test_wrong_input_is_told_with_name_and_place(call: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize("step", [0.0, -1.0, math.inf, math.nan])
def test_steps_of_a_saturable_model_are_positive(step: float) -> None:
    saturable = MichaelisMentenModel(1.0, 3.0, 0.5, 2.0, 5.0, 1.0)
    with pytest.raises(ValueError, match=f"max_step_day: expected a positive number of days, got {step}"):
        saturable.concentration(BOLUS, [1.0], step)
    assert saturable.n_patients == 1


def test_a_saturable_model_counts_boluses_from_their_moment_and_gives_times_in_any_order() -> None:
    linear = LinearModel(1.0, 3.0, (0.5,), (2.0,))
    same = MichaelisMentenModel(1.0, 3.0, 0.5, 2.0, 0.0, 1.0)
    doses = DoseTable([0.5, 2.0, 2.0], [10.0, 5.0, 5.0], [0.0, 0.0, 0.25])
    times = [3.0, 0.0, 0.5, 2.0, 2.1, 2.25, 0.25]
    np.testing.assert_allclose(
        same.concentration(doses, times), linear.concentration(doses, times), rtol=1e-12, atol=1e-15
    )


def test_models_are_frozen_and_compare_by_identity() -> None:
    saturable = MichaelisMentenModel(1.0, 3.0, 0.5, 2.0, 5.0, 1.0)
    site = EffectCompartment(ONE, 1.0)
    state = ONE.steady_state(parse_regimen("1 mg qw"), 70.0, 1.8)
    for thing, field in ((ONE, "cl"), (saturable, "km"), (site, "ke0"), (state, "cmax")):
        with pytest.raises(AttributeError):
            setattr(thing, field, None)
    assert LinearModel(2.0, 10.0) != ONE
    with pytest.raises(ValueError, match="read-only"):
        ONE.cl[0] = 1.0


def test_many_patients_are_taken_in_blocks_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    model = LinearModel(np.linspace(1.0, 3.0, 7), 10.0, (1.0,), (5.0,), ka=2.0)
    doses = parse_regimen("10 mg bid").expand(70.0, 1.8, 0.0, 3.0)
    whole = model.concentration(doses, [0.3, 2.0])
    area = model.auc(doses, 0.0, 4.0)
    for size in (1, 40, 10**9):
        monkeypatch.setattr(module, "_LARGEST_BLOCK", size)
        np.testing.assert_array_equal(model.concentration(doses, [0.3, 2.0]), whole)
        np.testing.assert_array_equal(model.auc(doses, 0.0, 4.0), area)


@pytest.mark.parametrize("gap", [0.0, 1e-9, 1e-4, 0.3, 0.999, 1.001, 5.0, 60.0])
def test_convolutions_of_exponentials_equal_their_definitions(gap: float) -> None:
    """By mpmath-free quadrature: Gauss-Legendre of 60 nodes is exact to rounding for these smooth integrands."""
    node, weight = np.polynomial.legendre.leggauss(60)
    node, weight = 0.5 * (node + 1.0), 0.5 * weight
    a, b, c, h = 0.4, 0.4 + gap, 0.4 + 0.5 * gap, 1.0
    one = float(np.sum(weight * np.exp(-a * node) * np.exp(-b * (h - node))))
    assert float(module._conv2(*(np.array(x) for x in (a, b, h)))) == pytest.approx(one, rel=1e-12)
    # c * (a * b): the inner convolution by its own closed form where the rates differ, or t exp(-a t)
    if gap:
        inner = (np.exp(-a * node) - np.exp(-b * node)) / gap if gap > 1e-3 else None
    else:
        inner = node * np.exp(-a * node)
    if inner is not None:
        two = float(np.sum(weight * inner * np.exp(-c * (h - node))))
        for order in ((a, b, c), (c, a, b), (b, c, a)):
            found = float(module._conv3(*(np.array([x]) for x in (*order, h)))[0])
            assert found == pytest.approx(two, rel=1e-11)
    short = module._conv3(*(np.array([x]) for x in (a, b, c, 0.5)))[0]
    assert 0.0 < short < module._conv3(*(np.array([x]) for x in (a, b, c, 1.0)))[0] * 1.0 + 0.125
