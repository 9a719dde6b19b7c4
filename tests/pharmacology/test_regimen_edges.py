"""Dosing texts and schedules at their edges: limits, exact numbers of the grammar, what errors say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from her2.pharmacology import regimen as module
from her2.pharmacology.regimen import (
    DoseTable,
    NonmemRow,
    Regimen,
    RegimenError,
    format_regimen,
    from_nonmem,
    merge_doses,
    parse_regimen,
    to_nonmem,
)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("100 mg qd", {"interval_days": 1, "per_day": 1, "route": "oral"}),
        ("100 mg bid", {"interval_days": 1, "per_day": 2, "route": "oral"}),
        ("100 mg tid", {"interval_days": 1, "per_day": 3, "route": "oral"}),
        ("2 mg/kg qw", {"interval_days": 7, "route": "iv", "unit": "mg/kg"}),
        ("2 mg/kg q1w", {"interval_days": 7}),
        ("2 mg/kg q4w", {"interval_days": 28}),
        ("2 mg/kg q10d", {"interval_days": 10}),
        ("2 mg/kg q3w x6", {"cycles": 6, "cycles_min": None}),
        ("2 mg/kg q3w x6-8", {"cycles": 8, "cycles_min": 6}),
        ("2 mg/kg q3w iv 90 min", {"infusion_min": 90.0}),
        ("2 mg/kg q3w over 1.5 h", {"infusion_min": 90.0}),
        ("2 mg/kg q3w for 10 days", {"duration_days": 10.0}),
        ("2 mg/kg q3w for 1 day", {"duration_days": 1.0}),
        ("2 mg/kg q3w for 18 weeks", {"duration_days": 126.0}),
        ("2 mg/kg q3w for 1 week", {"duration_days": 7.0}),
        ("2 mg/kg q3w for 2 months", {"duration_days": 2 * 365.25 / 12}),
        ("2 mg/kg q3w for 1 year", {"duration_days": 365.25}),
        ("600 mg q3w sc", {"route": "sc"}),
        ("80 mg/m2 d1,8,15 q4w", {"days_of_cycle": (1, 8, 15), "interval_days": 28}),
        ("80 mg/m2 d1-3,5 q4w", {"days_of_cycle": (1, 2, 3, 5)}),
        ("80 mg/m2 d8,1 q4w", {"days_of_cycle": (1, 8)}),
        ("1000 mg/m2 bid d1-14 q3w", {"days_of_cycle": tuple(range(1, 15)), "per_day": 2, "route": "oral"}),
        ("8 then 6 mg/kg q3w", {"loading": 8.0, "amount": 6.0, "unit": "mg/kg"}),
        ("75mg/m2 q3w", {"amount": 75.0, "unit": "mg/m2"}),
        ("1250 mg qd until progression", {"duration_days": None, "cycles": None}),
    ],
)
def test_every_word_of_the_grammar_has_its_number(text: str, fields: dict[str, Any]) -> None:
    found = parse_regimen(text)
    assert {name: getattr(found, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("regimen", "text"),
    [
        (Regimen(6.0, "mg/kg", 21, loading=8.0), "8 mg/kg then 6 mg/kg q3w"),
        (Regimen(2.0, "mg/kg", 7), "2 mg/kg qw"),
        (Regimen(2.0, "mg/kg", 10), "2 mg/kg q10d"),
        (Regimen(2.5, "mg", 1, route="oral"), "2.5 mg qd"),
        (Regimen(2.0, "mg", 1), "2 mg qd iv"),
        (Regimen(2.0, "mg", 1, route="oral", per_day=2), "2 mg bid"),
        (Regimen(2.0, "mg", 21, route="oral", per_day=2, days_of_cycle=(1, 2, 3)), "2 mg bid d1-3 q3w"),
        (Regimen(2.0, "mg", 21, route="oral", per_day=3), "2 mg tid d1 q3w"),
        (Regimen(2.0, "mg", 28, days_of_cycle=(1, 8, 9, 15, 16, 17)), "2 mg d1,8,9,15-17 q4w"),
        (Regimen(2.0, "mg", 21, cycles=6), "2 mg q3w x6"),
        (Regimen(2.0, "mg", 21, cycles=8, cycles_min=6), "2 mg q3w x6-8"),
        (Regimen(2.0, "mg", 21, infusion_min=30.0), "2 mg q3w iv 30 min"),
        (Regimen(2.0, "mg", 21, route="sc"), "2 mg q3w sc"),
        (Regimen(2.0, "mg", 21, route="oral"), "2 mg q3w oral"),
        (Regimen(2.0, "mg", 21, duration_days=126.0), "2 mg q3w for 18 weeks"),
        (Regimen(2.0, "mg", 21, duration_days=10.0), "2 mg q3w for 10 days"),
    ],
)
def test_a_regimen_is_written_in_its_shortest_form(regimen: Regimen, text: str) -> None:
    assert format_regimen(regimen) == str(regimen) == text
    assert parse_regimen(text) == regimen


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"amount": 0.0}, "amount: amount of 0.0"),
        ({"amount": True}, "amount: amount of True"),
        ({"amount": math.inf}, "amount: amount of inf"),
        ({"amount": "75"}, "amount: amount of '75'"),
        ({"loading": 0.0}, "loading: loading of 0.0"),
        ({"unit": "mg/m3"}, "unit: unknown unit 'mg/m3'; nearest: 'mg/m2'"),
        ({"route": "im"}, "route: unknown route 'im'"),
        ({"interval_days": 0}, "interval_days: an interval of 0 days"),
        ({"interval_days": 21.0}, "interval_days: an interval of 21.0 days"),
        ({"interval_days": True}, "interval_days: an interval of True days"),
        ({"interval_days": module.LONGEST_INTERVAL_DAYS + 1}, "interval_days: an interval of"),
        ({"per_day": 0}, "per_day: 0 doses a day"),
        ({"per_day": 4}, "per_day: 4 doses a day"),
        ({"days_of_cycle": ()}, r"days_of_cycle: days \(\)"),
        ({"days_of_cycle": [1]}, r"days_of_cycle: days \[1\]"),
        ({"days_of_cycle": (1.0,)}, r"days_of_cycle: days \(1.0,\)"),
        ({"days_of_cycle": (0,)}, "day 0 is outside a cycle of 21 days"),
        ({"days_of_cycle": (8, 1)}, r"days \(8, 1\) do not ascend"),
        ({"days_of_cycle": (1, 1)}, r"days \(1, 1\) do not ascend"),
        ({"cycles": 0}, "cycles: 0 cycles"),
        ({"cycles": 2.0}, "cycles: 2.0 cycles"),
        ({"cycles": module.MOST_CYCLES + 1}, "cycles: .* cycles"),
        ({"cycles": 6, "cycles_min": 7}, "cycles_min: a range of 7 to 6 cycles"),
        ({"cycles": 6, "cycles_min": 0}, "cycles_min: a range of 0 to 6 cycles"),
        ({"cycles_min": 3}, "cycles_min: a range of 3 to None cycles"),
        ({"duration_days": 0.0}, "duration_days: duration of 0.0"),
        ({"infusion_min": -1.0}, "infusion_min: an infusion of -1.0 minutes"),
        ({"infusion_min": math.nan}, "infusion_min: an infusion of nan minutes"),
        ({"infusion_min": 1.0, "route": "oral"}, "infusion_min: an infusion by the route 'oral'"),
        ({"infusion_min": 30241.0}, "an infusion of 30241 min runs into the next dose; expected at most 30240 min"),
        ({"infusion_min": 721.0, "per_day": 2}, "expected at most 720 min"),
        ({"infusion_min": 1441.0, "days_of_cycle": (1, 2)}, "expected at most 1440 min"),
        ({"infusion_min": 1441.0, "days_of_cycle": (1, 21)}, "expected at most 1440 min"),
    ],
)  # fmt: skip
def test_a_field_that_breaks_a_rule_is_named(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(RegimenError, match=says) as caught:
        Regimen(**({"amount": 2.0, "unit": "mg", "interval_days": 21} | fields))
    assert caught.value.position is None
    assert caught.value.field in fields


@pytest.mark.parametrize(
    "fields",
    [
        {"interval_days": 1},
        {"interval_days": module.LONGEST_INTERVAL_DAYS},
        {"cycles": 1},
        {"cycles": module.MOST_CYCLES},
        {"cycles": 6, "cycles_min": 6},
        {"cycles": 6, "cycles_min": 1},
        {"days_of_cycle": (1, 21)},
        {"infusion_min": 0.0},
        {"infusion_min": 30240.0},
        {"infusion_min": 720.0, "per_day": 2},
        {"infusion_min": 1440.0, "days_of_cycle": (1, 2)},
        {"amount": np.float64(2.0), "interval_days": np.int64(21)},
    ],
)
def test_the_limits_themselves_are_allowed(fields: dict[str, Any]) -> None:
    assert Regimen(**({"amount": 2.0, "unit": "mg", "interval_days": 21} | fields))


def test_regimens_and_tables_do_not_change() -> None:
    one = Regimen(2.0, "mg", 21)
    table = one.expand(70.0, 1.8, 0.0, 50.0)
    for thing, field in ((one, "amount"), (table, "route")):
        with pytest.raises(AttributeError):
            setattr(thing, field, None)
    with pytest.raises(ValueError, match="read-only"):
        table.time_day[0] = 1.0


def test_doses_of_a_schedule_one_by_one() -> None:
    schedule = parse_regimen("10 mg/m2 then 5 mg/m2 bid d1,3 q3w x2 iv 60 min").expand(
        70.0, 2.0, 100.0, 130.0
    )
    assert schedule.time_day.tolist() == [100.0, 100.5, 102.0, 102.5, 121.0, 121.5, 123.0, 123.5]
    assert schedule.amount_mg.tolist() == [20.0] + [10.0] * 7
    assert schedule.duration_day.tolist() == [1.0 / 24.0] * 8
    assert (schedule.route, schedule.n_doses) == ("iv", 8)


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("6 mg q3w", 21.0, 1),
        ("6 mg q3w", 21.5, 2),
        ("6 mg q3w", 0.0, 0),
        ("6 mg q3w x2", 100.0, 2),
        ("6 mg q3w for 42 days", 100.0, 2),
        ("6 mg q3w for 43 days", 100.0, 3),
        ("6 mg d1,8 q3w for 7 days", 100.0, 1),
        ("6 mg d1,8 q3w for 8 days", 100.0, 2),
        ("6 mg bid", 1.0, 2),
        ("6 mg bid", 1.25, 3),
    ],
)
def test_doses_lie_before_the_end(text: str, end: float, expected: int) -> None:
    assert parse_regimen(text).expand(70.0, 1.8, 0.0, end).n_doses == expected
    # and wherever treatment starts
    assert parse_regimen(text).expand(70.0, 1.8, 64.0, 64.0 + end).n_doses == expected


def test_an_end_before_the_start_gives_no_dose() -> None:
    assert parse_regimen("6 mg q3w").expand(70.0, 1.8, 10.0, 5.0).n_doses == 0


def test_means_over_a_cycle() -> None:
    capecitabine = parse_regimen("1000 mg/m2 bid d1-14 q3w")
    assert capecitabine.doses_per_week() == pytest.approx(28 * 7 / 21, rel=1e-15)
    assert capecitabine.mean_daily_dose(70.0, 1.5) == pytest.approx(1500.0 * 28 / 21, rel=1e-15)
    assert parse_regimen("8 mg/kg then 6 mg/kg q3w").mean_daily_dose(70.0, 1.5) == 420.0 / 21
    assert parse_regimen("420 mg q3w").mean_daily_dose(70.0, 1.5) == 20.0


def test_factors_and_sizes_multiply_every_dose() -> None:
    table = parse_regimen("8 mg/kg then 6 mg/kg q3w").expand([50.0, 100.0], 1.8, 0.0, 42.0, [1.0, 0.5])
    assert table.amount_mg.tolist() == [[400.0, 300.0], [400.0, 300.0]]
    assert parse_regimen("6 mg q3w").expand(50.0, 1.8, 0.0, 1.0, 0.0).amount_mg.tolist() == [0.0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((0.0, 1.8, 0.0, 1.0), "weight_kg: expected finite positive values"),
        ((70.0, -1.0, 0.0, 1.0), "bsa_m2: expected finite positive values"),
        ((math.nan, 1.8, 0.0, 1.0), "weight_kg"),
        (([[70.0]], 1.8, 0.0, 1.0), "weight_kg"),
        ((70.0, 1.8, math.nan, 1.0), "start_day, end_day: expected finite days, got nan and 1.0"),
        ((70.0, 1.8, 0.0, math.inf), "start_day, end_day: expected finite days, got 0.0 and inf"),
        ((70.0, 1.8, 0.0, 1.0, -0.1), "dose_factor: expected finite values of zero or more"),
        ((70.0, 1.8, 0.0, 1.0, math.inf), "dose_factor"),
    ],
)
def test_sizes_days_and_factors_that_make_no_sense_are_named(given: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_regimen("6 mg/kg q3w").expand(*given)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        (([0.0, math.nan], [1.0, 1.0], [0.0, 0.0]), "time_day: expected finite numbers"),
        (([0.0, 1.0], [1.0, math.inf], [0.0, 0.0]), "amount_mg: expected finite numbers"),
        (([0.0, 1.0], [1.0], [0.0, 0.0]), r"expected \(doses,\)"),
        (([0.0, 1.0], [1.0, 1.0], [0.0]), r"expected \(doses,\)"),
        (([[0.0, 1.0]], [[1.0, 1.0]], [[0.0, 0.0]]), r"expected \(doses,\)"),
        (([0.0, 1.0], np.ones((1, 1, 2)), [0.0, 0.0]), r"expected \(doses,\)"),
        (([1.0, 0.0], [1.0, 1.0], [0.0, 0.0]), "ascending times"),
        (([0.0, 1.0], [1.0, -1.0], [0.0, 0.0]), "values of zero or more"),
        (([0.0, 1.0], [1.0, 1.0], [0.0, -1.0]), "values of zero or more"),
        (([0.0, 1.0], [1.0, 1.0], [0.0, 0.0], "im"), "route: expected one of"),
    ],
)
def test_tables_that_make_no_sense_are_refused(arrays: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DoseTable(*arrays)


def test_tables_may_share_times_begin_before_zero_and_hold_no_dose() -> None:
    table = DoseTable([-1.0, 0.0, 0.0], [0.0, 1.0, 2.0], [0.0, 0.0, 1.0])
    assert table.n_doses == 3
    assert DoseTable([], [], []).n_doses == 0


def test_merged_tables_keep_order_first_before_second_and_their_patients() -> None:
    one = DoseTable([0.0, 2.0], [1.0, 2.0], [0.0, 0.5])
    two = DoseTable([1.0, 2.0], [[3.0, 4.0], [5.0, 6.0]], [0.25, 0.75])
    both = merge_doses(one, two)
    assert both.time_day.tolist() == [0.0, 1.0, 2.0, 2.0]
    assert both.amount_mg.tolist() == [[1.0, 3.0, 2.0, 4.0], [1.0, 5.0, 2.0, 6.0]]
    assert both.duration_day.tolist() == [0.0, 0.25, 0.5, 0.75]
    assert merge_doses(one, one).amount_mg.tolist() == [1.0, 1.0, 2.0, 2.0]
    with pytest.raises(ValueError, match="route: expected the same in both tables, got None and 'oral'"):
        merge_doses(one, DoseTable([0.0], [1.0], [0.0], "oral"))


def test_nonmem_records_one_by_one() -> None:
    table = DoseTable([0.0, 21.0, 42.0, 50.0], [8.0, 6.0, 6.0, 6.0], [0.5, 0.5, 0.5, 0.0])
    assert to_nonmem(table, 7, 2) == [
        NonmemRow(7, 0.0, 8.0, 16.0, 0.0, 0, 2, 1),
        NonmemRow(7, 21.0, 6.0, 12.0, 21.0, 1, 2, 1),
        NonmemRow(7, 50.0, 6.0, 0.0, 0.0, 0, 2, 1),
    ]
    default = to_nonmem(DoseTable([0.0], [1.0], [0.0]))[0]
    assert (default.ID, default.CMT, default.EVID, default.RATE) == (1, 1, 1, 0.0)
    # a dose twice at one time is two records, and unequal gaps are not folded
    assert len(to_nonmem(DoseTable([0.0, 0.0], [1.0, 1.0], [0.0, 0.0]))) == 2
    assert [r.ADDL for r in to_nonmem(DoseTable([0.0, 1.0, 2.0, 4.0], [1.0] * 4, [0.0] * 4))] == [2, 0]
    with pytest.raises(ValueError, match=r"one patient, \(doses,\), got shape \(1, 1\)"):
        to_nonmem(DoseTable([0.0], [[1.0]], [0.0]))


def test_nonmem_records_are_read_back_with_repeats_rates_and_patients() -> None:
    rows = [
        (1, 0.0, 8.0, 16.0, 21.0, 2, 1, 1),
        (2, 5.0, 3.0, 0.0, 0.0, 0, 1, 1),
        (1, 1.0, 0.0, 0.0, 0.0, 0, 1, 0),
    ]
    tables = from_nonmem(rows, "iv")
    assert sorted(tables) == [1, 2]
    assert tables[1].time_day.tolist() == [0.0, 21.0, 42.0]
    assert tables[1].duration_day.tolist() == [0.5] * 3
    assert tables[2].duration_day.tolist() == [0.0]
    assert tables[1].route == "iv"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((1, 0, 1, 0, 0, 0, 1), "record 1: cannot read"),
        ((1, 0, math.nan, 0, 0, 0, 1, 1), "record 1: cannot read"),
        ((1, 0, "x", 0, 0, 0, 1, 1), "record 1: cannot read"),
        ((1, 0, 1, 0, 0, 0, 1, 3), "EVID 3 is not supported"),
        ((1, 0, -1, 0, 0, 0, 1, 1), "AMT -1 and RATE 0"),
        ((1, 0, 1, -2, 0, 0, 1, 1), "AMT 1 and RATE -2"),
        ((1, 0, 1, 0, 0, 1, 1, 1), "II 0 with ADDL 1"),
        ((1, 0, 1, 0, -1, 0, 1, 1), "II -1 with ADDL 0"),
        ((1, 0, 1, 0, 1, 1.5, 1, 1), "II 1 with ADDL 1.5"),
        ((1, 0, 1, 0, 1, -1, 1, 1), "II 1 with ADDL -1"),
    ],
)
def test_nonmem_records_that_make_no_sense_are_told(row: tuple[Any, ...], says: str) -> None:
    with pytest.raises(RegimenError, match=says):
        from_nonmem([row])
    assert from_nonmem([(1, 0, 0, 0, 0, 0, 1, 1)])[1].amount_mg.tolist() == [0.0]


def test_long_texts_are_shortened_in_errors_and_columns_counted_from_one() -> None:
    with pytest.raises(RegimenError) as caught:
        parse_regimen("75 mg " + "x" * 100)
    assert f"'75 mg {'x' * 71}...', at '{'x' * 77}...' (column 7)" in str(caught.value)
    with pytest.raises(RegimenError, match=r"at the end \(column 6\)"):
        parse_regimen("75 mg")
    assert module._shorten("y" * 80) == "y" * 80
    assert module._shorten("y" * 81) == "y" * 77 + "..."
