"""The dosing grammar: what a text means, what is refused and how; text, regimen and records agree."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

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

MEANING = {
    "8 mg/kg then 6 mg/kg q3w": Regimen(6.0, "mg/kg", 21, loading=8.0),
    "840 mg then 420 mg q3w iv 60 min": Regimen(420.0, "mg", 21, loading=840.0, infusion_min=60.0),
    "75 mg/m2 q3w": Regimen(75.0, "mg/m2", 21),
    "75 mg/m2 q3w x6": Regimen(75.0, "mg/m2", 21, cycles=6),
    "75 mg/m2 q3w x6-8": Regimen(75.0, "mg/m2", 21, cycles=8, cycles_min=6),
    "4 mg/kg then 2 mg/kg qw": Regimen(2.0, "mg/kg", 7, loading=4.0),
    "80 mg/m2 d1,8,15 q4w": Regimen(80.0, "mg/m2", 28, days_of_cycle=(1, 8, 15)),
    "1000 mg/m2 bid d1-14 q3w": Regimen(
        1000.0, "mg/m2", 21, route="oral", days_of_cycle=tuple(range(1, 15)), per_day=2
    ),
    "1250 mg qd": Regimen(1250.0, "mg", 1, route="oral"),
    "25 mg/m2 d1,8 q3w": Regimen(25.0, "mg/m2", 21, days_of_cycle=(1, 8)),
    "15 mg/kg q3w": Regimen(15.0, "mg/kg", 21),
    "10 mg/kg q2w": Regimen(10.0, "mg/kg", 14),
    "600 mg q3w sc": Regimen(600.0, "mg", 21, route="sc"),
    "1 mg qd": Regimen(1.0, "mg", 1, route="oral"),
    "300 mg bid": Regimen(300.0, "mg", 1, route="oral", per_day=2),
    "8 mg/kg then 6 mg/kg q3w for 52 weeks": Regimen(6.0, "mg/kg", 21, loading=8.0, duration_days=364.0),
    "8 mg/kg then 6 mg/kg q3w until progression": Regimen(6.0, "mg/kg", 21, loading=8.0),
}


@pytest.mark.parametrize(("text", "regimen"), MEANING.items())
def test_a_text_means_its_regimen(text: str, regimen: Regimen) -> None:
    assert parse_regimen(text) == regimen
    assert parse_regimen(format_regimen(regimen)) == regimen


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("8 then 6 mg/kg q3w", "8 mg/kg then 6 mg/kg q3w"),
        ("8 MG/KG THEN 6 MG/KG Q3W", "8 mg/kg then 6 mg/kg q3w"),
        ("80 mg/m2 q4w d1, 8, 15", "80 mg/m2 d1,8,15 q4w"),
        ("75mg/m² ×6–8 q21d iv over 1 h until progression", "75 mg/m2 q3w x6-8 iv 60 min"),
        ("40 mg daily po", "40 mg qd"),
        ("25 mg/m2 weekly", "25 mg/m2 qw"),
        ("6 mg/kg q3w for 1 year", "6 mg/kg q3w for 365.25 days"),
        ("20 mg/m2 qd d1-3,5 q3w iv", "20 mg/m2 d1,2,3,5 q3w"),
    ],
)
def test_other_spellings_mean_the_same(text: str, same: str) -> None:
    assert parse_regimen(text) == parse_regimen(same)


@pytest.mark.parametrize(
    ("text", "word", "says"),
    [
        ("75 mg/lb q3w", "mg/lb", "nearest: 'mg/kg'"),
        ("75 mg/m3 q3w", "mg/m3", "nearest: 'mg/m2'"),
        ("75 q3w", "q3w", "unknown unit"),
        ("-75 mg q3w", "-75", "above zero"),
        ("0 mg q3w", "0", "above zero"),
        ("nan mg q3w", "nan", "finite"),
        ("1e999 mg q3w", "1e999", "finite"),
        ("8 mg/kg then 420 mg q3w", "mg/kg", "same unit"),
        ("8 mg/kg then", "", "no number"),
        ("75 mg q0w", "q0w", "interval of 0 days"),
        ("75 mg q-3w", "q-3w", "interval of -21 days"),
        ("75 mg/m2 d1,29 q3w", "d1,29", "day 29 is outside a cycle of 21 days"),
        ("75 mg/m2 d0 q3w", "d0", "day 0 is outside"),
        ("75 mg/m2 d14-1 q3w", "d14-1", "do not ascend"),
        ("75 mg/m2 d1,1 q3w", "d1,1", "twice"),
        ("75 mg/m2 d1,8", "d1,8", "length is not given"),
        ("100 mg bid q3w", "bid", "without its days"),
        ("75 mg", "", "how often is missing"),
        ("75 mg q3w q2w", "q2w", "given twice"),
        ("75 mg q3w x8-6", "x8-6", "range of 8 to 6"),
        ("75 mg q3w x0", "x0", "0 cycles"),
        ("600 mg q3w sc 60 min", "60", "infusion by the route 'sc'"),
        ("100 mg qd iv 25 h", "25", "runs into the next dose"),
        ("75 mg q3w iv 60", "", "without its unit"),
        ("75 mg q3w for 52 moons", "moons", "duration without its unit"),
        ("75 mg q3w until tomorrow", "tomorrow", "until progression"),
        ("75 mg q3 w", "q3", "nearest: 'q3w'"),
        ("", "", "no number for the dose"),
    ],
)
def test_an_error_points_to_the_word_and_gives_a_way_out(text: str, word: str, says: str) -> None:
    with pytest.raises(RegimenError) as caught:
        parse_regimen(text)
    error = caught.value
    assert error.word == word
    assert error.text == text
    assert error.position is not None
    assert text[error.position :].startswith(word)
    assert says in str(error)
    assert "expected" in str(error)
    parse_regimen(error.example)
    assert isinstance(error, ValueError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_regimen_built_by_hand_obeys_the_same_rules() -> None:
    with pytest.raises(RegimenError, match=r"days_of_cycle: day 22 is outside a cycle of 21 days"):
        Regimen(75.0, "mg/m2", 21, days_of_cycle=(1, 22))
    with pytest.raises(RegimenError, match=r"loading: loading of -1"):
        Regimen(75.0, "mg/m2", 21, loading=-1.0)
    with pytest.raises(RegimenError, match="cannot read NoneType"):
        parse_regimen(None)  # type: ignore[arg-type]


def test_loading_dose_and_weight_give_milligrams() -> None:
    doses = parse_regimen("8 mg/kg then 6 mg/kg q3w iv 90 min").expand(70.0, 1.8, 10.0, 10.0 + 63.0)
    assert doses.time_day.tolist() == [10.0, 31.0, 52.0]
    assert doses.amount_mg.tolist() == [560.0, 420.0, 420.0]
    assert doses.duration_day.tolist() == [0.0625] * 3
    assert doses.route == "iv"


def test_the_end_of_the_interval_is_outside() -> None:
    weekly = parse_regimen("2 mg/kg qw")
    assert weekly.expand(70.0, 1.8, 0.0, 21.0).n_doses == 3
    assert weekly.expand(70.0, 1.8, 0.0, np.nextafter(21.0, 22.0)).n_doses == 4
    assert weekly.expand(70.0, 1.8, 5.0, 5.0).n_doses == 0
    assert weekly.expand(70.0, 1.8, 5.0, -5.0).n_doses == 0


def test_twice_daily_on_fourteen_days_of_twenty_one() -> None:
    regimen = parse_regimen("1000 mg/m2 bid d1-14 q3w")
    doses = regimen.expand(70.0, 1.8, 0.0, 42.0)
    assert doses.n_doses == 56
    assert doses.time_day[:3].tolist() == [0.0, 0.5, 1.0]
    assert doses.time_day[27:29].tolist() == [13.5, 21.0]
    assert set(doses.amount_mg) == {1800.0}
    assert regimen.doses_per_week() == pytest.approx(28 / 3)
    assert regimen.mean_daily_dose(70.0, 1.8) == pytest.approx(2400.0)


def test_cycles_and_duration_limit_the_doses() -> None:
    assert parse_regimen("75 mg/m2 q3w x6").expand(70.0, 1.8, 0.0, 1000.0).n_doses == 6
    assert parse_regimen("80 mg/m2 d1,8,15 q4w x2").expand(70.0, 1.8, 0.0, 1000.0).n_doses == 6
    # 52 weeks hold 18 starts of three weeks: days 0, 21, ... 357
    assert parse_regimen("6 mg/kg q3w for 52 weeks").expand(70.0, 1.8, 0.0, 1000.0).time_day[-1] == 357.0


def test_patients_with_their_own_size_and_reduction_share_one_schedule() -> None:
    weight, factor = np.array([50.0, 70.0]), np.array([1.0, 0.75])
    doses = parse_regimen("8 mg/kg then 6 mg/kg q3w").expand(weight, 1.8, 0.0, 42.0, factor)
    np.testing.assert_allclose(doses.amount_mg, [[400.0, 300.0], [420.0, 315.0]], rtol=1e-15)


@pytest.mark.parametrize(
    "bad", [{"weight_kg": 0.0}, {"bsa_m2": math.nan}, {"end_day": math.inf}, {"dose_factor": -1}]
)
def test_sizes_and_days_that_make_no_sense_are_named(bad: dict[str, float]) -> None:
    good = {"weight_kg": 70.0, "bsa_m2": 1.8, "start_day": 0.0, "end_day": 21.0, "dose_factor": 1.0}
    with pytest.raises(ValueError, match=next(iter(bad))):
        parse_regimen("75 mg/m2 q3w").expand(**(good | bad))


def test_dose_tables_check_themselves_and_merge_in_order() -> None:
    with pytest.raises(ValueError, match="ascending"):
        DoseTable([1.0, 0.0], [1.0, 1.0], [0.0, 0.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="zero or more"):
        DoseTable([0.0], [-1.0], [0.0])  # type: ignore[arg-type]
    first = parse_regimen("8 mg/kg q3w").expand(70.0, 1.8, 0.0, 42.0)
    second = parse_regimen("2 mg/kg qw").expand(np.array([70.0, 80.0]), 1.8, 0.0, 15.0)
    merged = merge_doses(first, second)
    assert merged.time_day.tolist() == [0.0, 0.0, 7.0, 14.0, 21.0]
    assert merged.amount_mg.tolist() == [
        [560.0, 140.0, 140.0, 140.0, 560.0],
        [560.0, 160.0, 160.0, 160.0, 560.0],
    ]
    with pytest.raises(ValueError, match="route"):
        merge_doses(first, parse_regimen("1 mg qd").expand(70.0, 1.8, 0.0, 2.0))


def test_nonmem_folds_a_schedule_into_few_records() -> None:
    doses = parse_regimen("8 mg/kg then 6 mg/kg q3w iv 90 min").expand(70.0, 1.8, 0.0, 52 * 7.0)
    rows = to_nonmem(doses, patient_id=3, cmt=1)
    assert [tuple(r) for r in rows] == [
        (3, 0.0, 560.0, 560.0 / 0.0625, 0.0, 0, 1, 1),
        (3, 21.0, 420.0, 420.0 / 0.0625, 21.0, 16, 1, 1),
    ]


@pytest.mark.parametrize(
    "row",
    [
        (1, 0, 100, 0, 0, 2, 1, 1),
        (1, 0, 100, -2, 0, 0, 1, 1),
        (1, 0, 100, 0, 0, 0, 1, 4),
        (1, 0, -5, 0, 0, 0, 1, 1),
        (1, 0, 100, 0, 21, 0.5, 1, 1),
        (1, 0, "a", 0, 0, 0, 1, 1),
        (1, 0),
    ],
)
def test_nonmem_records_outside_the_subset_are_refused(row: tuple[float, ...]) -> None:
    with pytest.raises(RegimenError, match="record 1"):
        from_nonmem([row])


def test_nonmem_observations_are_passed_over_and_patients_kept_apart() -> None:
    tables = from_nonmem([(1, 5, 0, 0, 0, 0, 1, 0), (2, 7, 10, 0, 0, 0, 1, 1), (1, 0, 20, 40, 0, 0, 1, 1)])
    assert sorted(tables) == [1, 2]
    assert tables[1].duration_day.tolist() == [0.5]


# ---- properties ----


@st.composite
def regimens(draw: st.DrawFn) -> Regimen:
    """Any regimen the rules allow."""
    positive = st.floats(1e-6, 1e6, allow_nan=False)
    interval = draw(st.sampled_from([1, 2, 3, 7, 10, 14, 21, 28, 30, 3653]) | st.integers(1, 60))
    days = draw(st.sets(st.integers(1, min(interval, 60)), min_size=1, max_size=20))
    per_day = draw(st.sampled_from([1, 2, 3]))
    route = draw(st.sampled_from(["iv", "oral", "sc"]))
    cycles = draw(st.none() | st.integers(1, 500))
    return Regimen(
        draw(positive),
        draw(st.sampled_from(["mg", "mg/kg", "mg/m2"])),
        interval,
        loading=draw(st.none() | positive),
        route=route,
        infusion_min=draw(st.sampled_from([0.0, 30.0, 90.0]) | st.floats(0, 480)) if route == "iv" else 0.0,
        days_of_cycle=tuple(sorted(days)),
        per_day=per_day,
        cycles=cycles,
        cycles_min=None if cycles is None else draw(st.none() | st.integers(1, cycles)),
        duration_days=draw(st.none() | st.sampled_from([7.0, 364.0]) | st.floats(1e-3, 1e5)),
    )


@given(regimens())
@settings(max_examples=500, deadline=None)
def test_written_and_read_back_a_regimen_is_the_same(regimen: Regimen) -> None:
    assert parse_regimen(format_regimen(regimen)) == regimen
    assert str(regimen) == format_regimen(regimen)


@given(regimens(), st.floats(0, 400), st.sampled_from([1.0, 0.75]))
@settings(max_examples=200, deadline=None)
def test_doses_lie_in_the_window_and_survive_nonmem(regimen: Regimen, length: float, factor: float) -> None:
    doses = regimen.expand(70.0, 1.8, 3.0, 3.0 + length, factor)
    assert ((doses.time_day >= 3.0) & (doses.time_day < 3.0 + length)).all()
    assert (np.diff(doses.time_day) > 0.0).all()
    assert (np.diff(doses.time_day) >= doses.duration_day[:-1] * (1 - 1e-12)).all()
    assume(doses.n_doses > 0)
    rows = to_nonmem(doses)
    assert sum(r.ADDL + 1 for r in rows) == doses.n_doses
    back = from_nonmem(rows, doses.route)[1]
    np.testing.assert_allclose(back.time_day, doses.time_day, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(back.amount_mg, doses.amount_mg)
    # an infusion shorter than a tenth of a microsecond is written as a bolus
    np.testing.assert_allclose(back.duration_day, doses.duration_day, rtol=1e-14, atol=1e-12)


@given(regimens())
@settings(max_examples=200, deadline=None)
def test_mean_daily_dose_is_what_whole_cycles_give(regimen: Regimen) -> None:
    endless = Regimen(
        regimen.amount,
        regimen.unit,
        regimen.interval_days,
        days_of_cycle=regimen.days_of_cycle,
        per_day=regimen.per_day,
    )
    days = 2.0 * regimen.interval_days
    doses = endless.expand(64.0, 1.7, 0.0, days)
    assert doses.amount_mg.sum() / days == pytest.approx(regimen.mean_daily_dose(64.0, 1.7), rel=1e-12)
    assert doses.n_doses / days * 7.0 == pytest.approx(regimen.doses_per_week(), rel=1e-12)


WORDS = (
    "8 mg/kg mg then q3w qd bid d1-14 d1, x6-8 iv sc 60 min for 52 weeks until progression "
    "-1 1e400 nan q0w d99 x0 , q99999999w d1-999999"
)


@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join))
@settings(max_examples=2000, deadline=None)
def test_any_text_parses_or_raises_a_regimen_error(text: str) -> None:
    caught: RegimenError | None = None
    try:
        regimen = parse_regimen(text)
    except RegimenError as error:
        caught = error
    if caught is None:
        assert parse_regimen(format_regimen(regimen)) == regimen
    else:
        assert caught.position is not None
        assert 0 <= caught.position <= len(text)
        assert "expected" in str(caught)
