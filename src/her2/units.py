"""Units: checked when a record is read and when a result is shown; inside, plain float64 in canonical units.

Canonical: day, mg, L, mg/L, kg, m2, mm, 1e6 receptors/cell, fraction. A month is 30.4375 days (a twelfth of 365.25).

The units of the record are few, so their sizes stand here as ratios of whole numbers; a test compares every conversion
with `pint`, whose registry takes longer to start than all records take to convert.
"""

from __future__ import annotations

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
_SIZES: dict[str, tuple[str, int, int]] = {
    # unit: dimension, and its size in the canonical unit as numerator and denominator
    "day": ("time", 1, 1),
    "hour": ("time", 1, 24),
    "week": ("time", 7, 1),
    "month": ("time", 487, 16),
    "year": ("time", 1461, 4),
    "1/day": ("rate", 1, 1),
    "1/year": ("rate", 4, 1461),
    "1/month": ("rate", 16, 487),
    "1/week": ("rate", 1, 7),
    "1/hour": ("rate", 24, 1),
    "mg": ("mass", 1, 1),
    "g": ("mass", 1_000, 1),
    "kg": ("mass", 1_000_000, 1),
    "mg/day": ("mass a time", 1, 1),
    "mg/L": ("mass a volume", 1, 1),
    "ug/mL": ("mass a volume", 1, 1),
    "ng/mL": ("mass a volume", 1, 1_000),
    "g/dL": ("mass a volume", 10_000, 1),
    "nmol/L": ("amount a volume", 1, 1),
    "L": ("volume", 1, 1),
    "mL": ("volume", 1, 1_000),
    "L/day": ("flow", 1, 1),
    "L/hour": ("flow", 24, 1),
    "kg/mol": ("mass an amount", 1, 1),
    "m2": ("area", 1, 1),
    "mm": ("length", 1, 1),
    "cm": ("length", 10, 1),
    "mg/kg": ("dose a weight", 1, 1),
    "mg/m2": ("dose an area", 1, 1),
}


def accepted_units() -> tuple[str, ...]:
    """Every unit a record may use."""
    return (*_OWN, *_SIZES)


def check_unit(unit: str, where: str) -> str:
    """Return the unit, or raise `RecordError` naming the place and the nearest accepted unit."""
    if unit in _OWN or unit in _SIZES:
        return unit
    valid = accepted_units()
    raise RecordError(f"{where}: unknown unit '{unit}'{nearest(unit, valid)} (accepted: {', '.join(valid)})")


def convert(value: float, unit: str, to: str, where: str = "") -> float:
    """Value in another unit of the same dimension; one multiplication by the correctly rounded ratio of their sizes.

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
    kind, numerator, denominator = _SIZES[unit]
    wanted, wanted_numerator, wanted_denominator = _SIZES[to]
    if kind != wanted:
        raise RecordError(f"{where}: unit '{unit}' cannot be expressed in '{to}': {kind} is not {wanted}")
    return value * ((numerator * wanted_denominator) / (denominator * wanted_numerator))
