"""Units: every conversion of the table against `pint`, and errors that name place and unit."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from her2.errors import RecordError
from her2.units import DAYS_PER_MONTH, DAYS_PER_WEEK, DAYS_PER_YEAR, accepted_units, check_unit, convert

OWN = {
    "1e6 receptors/cell", "1/(1e6 receptors/cell)", "1/(1e6 dimers/cell)", "fraction", "%", "ratio", "count",
    "probability", "1",
}  # fmt: skip
"""Units of this field, which a general library does not know."""
PINT_NAMES = {"m2": "m**2", "mg/m2": "mg/m**2", "month": "mean_month", "1/month": "1/mean_month"}
PHYSICAL = [u for u in accepted_units() if u not in OWN]


@pytest.fixture(scope="module")
def registry() -> Any:
    pint = pytest.importorskip("pint")
    units = pint.UnitRegistry()
    units.define("mean_month = 30.4375 * day")
    return units


def test_every_conversion_and_every_refusal_is_that_of_pint(registry) -> None:
    import pint

    converted = 0
    for unit, to in product(PHYSICAL, PHYSICAL):
        quantity = registry.Quantity(3.7, PINT_NAMES.get(unit, unit))
        try:
            expected = float(quantity.to(PINT_NAMES.get(to, to)).magnitude)
        except pint.DimensionalityError:
            with pytest.raises(RecordError, match="cannot be expressed in"):
                convert(3.7, unit, to)
            continue
        # pint multiplies several rounded factors, the table one: a few units in the last place apart
        assert convert(3.7, unit, to) == pytest.approx(expected, rel=1e-15), (unit, to)
        converted += 1
    assert converted > len(PHYSICAL)


def test_times_of_the_constants_are_those_of_the_table() -> None:
    assert convert(1, "month", "day") == DAYS_PER_MONTH
    assert convert(1, "week", "day") == DAYS_PER_WEEK
    assert convert(1, "year", "day") == DAYS_PER_YEAR
    assert convert(1, "year", "month") == 12.0


@pytest.mark.parametrize("unit", sorted(OWN))
def test_units_of_the_field_stay_what_they_are(unit: str) -> None:
    assert convert(0.3, unit, unit) == 0.3
    with pytest.raises(RecordError, match="cannot be expressed in 'day'"):
        convert(0.3, unit, "day", "file.yaml, x")


def test_per_cent_is_a_hundredth() -> None:
    assert convert(30, "%", "fraction") == 0.3
    assert convert(0.3, "fraction", "%") == 30.0


def test_an_unknown_unit_names_place_and_nearest() -> None:
    with pytest.raises(RecordError, match=r"x\.yaml: unknown unit 'mgL'; nearest: 'mg/L'"):
        check_unit("mgL", "x.yaml")
    with pytest.raises(RecordError, match=r"x\.yaml: unit 'week' cannot be expressed in 'mg/L': time is not"):
        convert(2, "week", "mg/L", "x.yaml")
