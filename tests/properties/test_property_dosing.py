"""Doses and concentrations: what follows from linearity, mass balance and the calendar; units; random numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from attempts import attempt
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import ndtr

from her2.engine import rng
from her2.errors import RecordError
from her2.pharmacology.compartments import LinearModel, MichaelisMentenModel
from her2.pharmacology.regimen import (
    DoseTable,
    Regimen,
    RegimenError,
    format_regimen,
    from_nonmem,
    merge_doses,
    parse_regimen,
    to_nonmem,
)
from her2.trials.design import _to_days
from her2.units import accepted_units, check_unit, convert

AMOUNT = st.integers(1, 2000).map(lambda k: k / 4.0)
POSITIVE = st.floats(0.05, 50.0)


@st.composite
def phrases(draw: st.DrawFn) -> str:
    """Dosing texts as labels and protocols print them."""
    unit = draw(st.sampled_from(["mg", "mg/kg", "mg/m2"]))
    amount = draw(AMOUNT)
    text = f"{amount:g} {unit}"
    if draw(st.booleans()):
        text = f"{draw(AMOUNT):g} {unit} then {text}"
    if draw(st.booleans()):
        text += " " + draw(st.sampled_from(["qw", "q2w", "q3w", "q28d"]))
        if draw(st.booleans()):
            text += f" x{draw(st.integers(2, 12))}"
        if draw(st.booleans()):
            text += f" iv {draw(st.integers(10, 180))} min"
    else:
        text += " " + draw(st.sampled_from(["qd", "bid", "tid"]))
    return text


@given(phrases())
def test_property_a_dosing_text_is_written_and_read_as_the_same_regimen(text):
    regimen = parse_regimen(text)
    again = parse_regimen(format_regimen(regimen))
    assert again == regimen
    assert format_regimen(again) == format_regimen(regimen)


@given(st.text(max_size=60))
def test_property_any_text_is_a_regimen_or_a_regimen_error(text):
    regimen, error = attempt(RegimenError, parse_regimen, text)
    if error is None:
        assert isinstance(regimen, Regimen) and regimen.amount > 0.0
    else:
        assert "expected" in str(error)


@given(phrases(), st.integers(1, 100), st.integers(1, 100), st.sampled_from([0.5, 2.0, 0.0]))
def test_property_doses_of_two_windows_are_those_of_both_together(text, first, second, factor):
    regimen = parse_regimen(text)
    whole = regimen.expand(70.0, 1.8, 0.0, float(first + second))
    head = regimen.expand(70.0, 1.8, 0.0, float(first))
    assert np.array_equal(whole.time_day[: head.n_doses], head.time_day)
    assert np.array_equal(whole.amount_mg[: head.n_doses], head.amount_mg)
    assert np.all(head.time_day < first)
    changed = regimen.expand(70.0, 1.8, 0.0, float(first + second), dose_factor=factor)
    assert np.allclose(changed.amount_mg, factor * whole.amount_mg, rtol=1e-15, atol=0.0)


@given(phrases(), st.floats(30.0, 150.0), st.floats(1.0, 2.6))
def test_property_the_mean_daily_dose_is_dose_times_rate(text, weight, area):
    regimen = parse_regimen(text)
    scale = {"mg": 1.0, "mg/kg": weight, "mg/m2": area}[regimen.unit]
    expected = regimen.amount * scale * regimen.doses_per_week() / 7.0
    assert regimen.mean_daily_dose(weight, area) == pytest.approx(expected, rel=1e-12)


@given(phrases(), st.integers(1, 60))
def test_property_nonmem_records_give_the_same_doses_back(text, days):
    doses = parse_regimen(text).expand(70.0, 1.8, 0.0, float(days))
    assume(doses.n_doses > 0)
    again = from_nonmem(to_nonmem(doses), doses.route)[1]
    assert np.allclose(again.time_day, doses.time_day, rtol=0.0, atol=1e-9)
    assert np.allclose(again.amount_mg, doses.amount_mg, rtol=1e-12)
    assert np.allclose(again.duration_day, doses.duration_day, rtol=1e-9, atol=1e-12)


@st.composite
def models(draw: st.DrawFn) -> LinearModel:
    n = draw(st.integers(0, 2))
    return LinearModel(
        draw(POSITIVE),
        draw(POSITIVE),
        tuple(draw(POSITIVE) for _ in range(n)),
        tuple(draw(POSITIVE) for _ in range(n)),
    )


@st.composite
def doses(draw: st.DrawFn) -> DoseTable:
    n = draw(st.integers(1, 5))
    times = np.sort(np.array(draw(st.lists(st.integers(0, 40), min_size=n, max_size=n)), dtype=float))
    amounts = np.array(draw(st.lists(st.floats(0.0, 500.0), min_size=n, max_size=n)))
    return DoseTable(times, amounts, np.full(n, draw(st.sampled_from([0.0, 0.0625, 0.5]))))


TIMES = np.linspace(0.0, 60.0, 61)


@given(models(), doses(), doses())
def test_property_doses_superpose(model, one, other):
    both = model.concentration(merge_doses(one, other), TIMES)
    apart = model.concentration(one, TIMES) + model.concentration(other, TIMES)
    assert np.allclose(both, apart, rtol=1e-10, atol=1e-10)


@given(models(), doses(), st.floats(0.0, 20.0))
def test_property_concentrations_are_proportional_to_the_dose_and_not_negative(model, table, factor):
    scaled = DoseTable(table.time_day, factor * table.amount_mg, table.duration_day)
    c = model.concentration(table, TIMES)
    assert np.all(c >= -1e-12 * max(1.0, float(c.max())))
    assert np.allclose(model.concentration(scaled, TIMES), factor * c, rtol=1e-10, atol=1e-12)


@given(models(), doses(), st.integers(1, 30))
def test_property_later_doses_give_the_same_course_later(model, table, shift):
    later = DoseTable(table.time_day + shift, table.amount_mg, table.duration_day)
    # a dose at the very time of a reading counts on one side of it: read in between
    t = TIMES + 0.25
    assert np.allclose(
        model.concentration(later, t + shift), model.concentration(table, t), rtol=1e-9, atol=1e-10
    )


@given(models(), st.floats(1.0, 1000.0))
def test_property_all_of_a_dose_is_cleared(model, amount):
    table = DoseTable(np.array([0.0]), np.array([amount]), np.array([0.0]))
    auc = float(np.ravel(model.auc(table, 0.0, np.inf))[0])
    assert auc == pytest.approx(amount / float(model.cl[0]), rel=1e-9)


@given(models(), st.floats(10.0, 800.0), st.sampled_from(["q3w", "qw", "q1d"]))
def test_property_at_steady_state_a_cycle_clears_what_it_gets(model, amount, interval):
    steady = model.steady_state(parse_regimen(f"{amount:.6g} mg {interval}"), 70.0, 1.8)
    expected = float(f"{amount:.6g}") / float(model.cl[0]) / steady.interval_days
    assert float(steady.cavg[0]) == pytest.approx(expected, rel=1e-8)
    assert float(steady.cmin[0]) <= float(steady.cavg[0]) * (1 + 1e-9)
    assert float(steady.cavg[0]) <= float(steady.cmax[0]) * (1 + 1e-9)


@given(st.lists(POSITIVE, min_size=2, max_size=6), doses())
def test_property_a_patient_among_others_is_as_alone(clearances, table):
    cl = np.array(clearances)
    together = LinearModel(cl, 3.0, (0.5,), (2.9,)).concentration(table, TIMES)
    for k, value in enumerate(cl):
        alone = LinearModel(float(value), 3.0, (0.5,), (2.9,)).concentration(table, TIMES)
        assert np.array_equal(np.atleast_2d(together)[k], np.atleast_2d(alone)[0])


@given(st.floats(0.05, 5.0), st.floats(0.5, 20.0), st.floats(0.05, 5.0), st.floats(0.5, 20.0), doses())
def test_property_without_a_saturable_path_the_two_solvers_agree(cl, vc, q, vp, table):
    assume(float(table.duration_day[0]) == 0.0)
    linear = LinearModel(cl, vc, (q,), (vp,)).concentration(table, TIMES)
    stepped = MichaelisMentenModel(cl, vc, q, vp, 0.0, 1.0).concentration(table, TIMES, max_step_day=0.125)
    assert np.allclose(
        np.ravel(stepped), np.ravel(linear), rtol=1e-6, atol=1e-6 * max(1.0, float(np.max(linear)))
    )


UNITS = sorted(accepted_units())


@given(st.sampled_from(UNITS), st.sampled_from(UNITS), st.floats(-1e12, 1e12))
def test_property_a_conversion_and_its_way_back_change_nothing(one, other, value):
    there, error = attempt(RecordError, convert, value, one, other)
    if error is not None:
        assert one in str(error) and other in str(error)
        with pytest.raises(RecordError):
            convert(value, other, one)
        return
    assert convert(there, other, one) == pytest.approx(value, rel=1e-14, abs=1e-300)


@given(st.sampled_from(UNITS), st.sampled_from(UNITS), st.sampled_from(UNITS))
def test_property_conversions_by_way_of_a_third_unit_agree(a, b, c):
    try:
        direct, by_way = convert(1.0, a, c), convert(convert(1.0, a, b), b, c)
    except RecordError:
        return
    assert direct == pytest.approx(by_way, rel=1e-14)


@given(st.text(max_size=20))
def test_property_a_unit_is_one_of_the_list_or_refused(text):
    if text in accepted_units():
        assert check_unit(text, "x") == text
    else:
        with pytest.raises(RecordError, match="unknown unit"):
            check_unit(text, "x")


@given(
    st.integers(1, 10_000),
    st.sampled_from([("day", 1.0), ("week", 7.0), ("month", 30.4375), ("year", 365.25)]),
    st.booleans(),
)
def test_property_a_time_in_a_file_is_its_number_of_days(n, unit, plural):
    name, size = unit
    assert _to_days(f"{n} {name}{'s' if plural else ''}") == pytest.approx(n * size, rel=1e-15)


PURPOSES = [int(p) for p in rng.Purpose]
KEYS = st.tuples(
    st.integers(0, 2**62), st.integers(0, 2**40), st.sampled_from(PURPOSES), st.integers(0, 2**20)
)


@given(KEYS)
def test_property_a_random_number_is_its_key_and_nothing_else(key):
    seed, patient, purpose, index = key
    alone = rng.uniform(seed, patient, purpose, index)
    among = rng.uniforms(seed, max(patient - 3, 0), 8, purpose, index)
    assert 0.0 < alone < 1.0
    assert among[patient - max(patient - 3, 0)] == alone


@given(KEYS, st.integers(1, 50), st.integers(1, 50))
def test_property_patients_drawn_in_parts_are_those_drawn_at_once(key, n, m):
    seed, first, purpose, index = key
    for draw in (rng.uniforms, rng.normals, rng.exponentials):
        whole = draw(seed, first, n + m, purpose, index)
        parts = [draw(seed, first, n, purpose, index), draw(seed, first + n, m, purpose, index)]
        assert np.array_equal(whole, np.concatenate(parts))


@given(KEYS, st.integers(0, 3))
def test_property_another_key_gives_another_number(key, part):
    changed = list(key)
    if part == 2:
        others = [p for p in PURPOSES if p != key[2]]
        changed[2] = others[key[3] % len(others)]
    else:
        changed[part] = key[part] + 1
    assert rng.uniform(*key) != rng.uniform(*changed)


@given(st.floats(1e-12, 1.0 - 1e-12))
def test_property_a_normal_quantile_is_the_inverse_of_the_distribution(p):
    z = rng.normal_quantile(p)
    assert ndtr(z) == pytest.approx(p, rel=1e-12)
    # 1 - p loses digits of a small p, which the slope of the quantile there magnifies
    if 1e-3 < p < 0.999:
        assert rng.normal_quantile(1.0 - p) == pytest.approx(-z, rel=1e-11, abs=1e-13)


@given(st.floats(-700.0, 700.0))
def test_property_the_engines_exponential_is_the_exponential(x):
    found = float(np.ravel(rng.exp_of(np.array([x])))[0])
    assert found == pytest.approx(math.exp(x), rel=4e-15)
