"""Units: checked when a record is read and when a result is shown; inside, plain float64 in canonical units.

Canonical: day, mg, L, mg/L, kg, m2, mm, 1e6 receptors/cell, fraction. A month is 30.4375 days (a twelfth of 365.25).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from her2.errors import RecordError, nearest

DAYS_PER_MONTH = 30.4375
DAYS_PER_WEEK = 7.0
DAYS_PER_YEAR = 365.25
NM_TO_MG_PER_L = 1e-3  # times the molecular weight in kg/mol

_OWN = {
    # units of this field that a general library does not know, with their dimension
    "1e6 receptors/cell": "receptor density",
    "1/(1e6 receptors/cell)": "association constant",
    "1/(1e6 dimers/cell)": "recruitment",
    "fraction": "fraction",
    "%": "fraction",
    "ratio": "ratio",
    "count": "count",
    "probability": "probability",
    "1": "dimensionless",
}
_ACCEPTED = (
    "day", "hour", "week", "month", "year", "1/day", "1/year", "1/month", "1/week", "1/hour", "mg", "g", "mg/day",
    "mg/L", "ug/mL", "ng/mL", "nmol/L", "L", "mL", "L/day", "L/hour", "kg", "kg/mol", "m2", "cm", "mm", "g/dL",
    "mg/kg", "mg/m2",
)  # fmt: skip


@lru_cache(maxsize=1)
def registry() -> Any:
    """The unit registry of `pint`, with a month of 30.4375 days under the name mean_month."""
    import pint

    units: Any = pint.UnitRegistry()
    units.define("mean_month = 30.4375 * day")
    return units


def check_unit(unit: str, where: str) -> str:
    """Return the unit, or raise `RecordError` naming the place and the nearest accepted unit."""
    if unit in _OWN or unit in _ACCEPTED:
        return unit
    valid = [*_OWN, *_ACCEPTED]
    raise RecordError(f"{where}: unknown unit '{unit}'{nearest(unit, valid)} (accepted: {', '.join(valid)})")


def convert(value: float, unit: str, to: str, where: str = "") -> float:
    """Value in another unit of the same dimension.

    Raises
    ------
    her2.errors.RecordError
        If the unit is unknown or has another dimension; the text names both.
    """
    check_unit(unit, where)
    check_unit(to, where)
    if unit == to:
        return float(value)
    if unit in _OWN or to in _OWN:
        if {unit, to} == {"%", "fraction"}:
            return value / 100.0 if unit == "%" else value * 100.0
        raise RecordError(f"{where}: unit '{unit}' cannot be expressed in '{to}'")
    import pint

    spell = {"m2": "m**2", "mg/m2": "mg/m**2", "month": "mean_month", "1/month": "1/mean_month"}
    try:
        return float(registry().Quantity(value, spell.get(unit, unit)).to(spell.get(to, to)).magnitude)
    except pint.DimensionalityError as error:
        raise RecordError(f"{where}: unit '{unit}' cannot be expressed in '{to}': {error}") from error
