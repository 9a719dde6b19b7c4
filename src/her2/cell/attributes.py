"""The catalogue of a cell's attributes: their defaults (the reference HER2 3+ cell), units and limits."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from her2.errors import RecordError, unknown
from her2.evidence.biology import AttributeEntry, AttributeFile
from her2.evidence.load import find_file, parse, read_yaml, show_path

Compartment = Literal["culture", "tumour", "cns"]
COMPARTMENTS: tuple[Compartment, ...] = ("culture", "tumour", "cns")


@lru_cache(maxsize=4)
def _catalogue(_user: str | None) -> dict[str, AttributeEntry]:
    path = find_file("network", "attributes")
    return {a.id: a for a in parse(AttributeFile, read_yaml(path), show_path(path)).attributes}


def catalogue() -> Mapping[str, AttributeEntry]:
    """All attributes by id."""
    return _catalogue(os.environ.get("HER2_RECORD"))


def defaults(compartment: Compartment) -> dict[str, float]:
    """Value of every attribute of the reference cell in a compartment."""
    result = {}
    for name, entry in catalogue().items():
        value = entry.culture if compartment == "culture" else entry.tumour
        result[name] = entry.default if value is None else value
    return result


def check(name: str, value: float, where: str) -> float:
    """The value, if it is possible for this attribute.

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        An attribute that does not exist; a value outside the limits or not a number.
    """
    entries = catalogue()
    if name not in entries:
        raise unknown("attribute", name, entries, where)
    entry = entries[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise RecordError(f"{where}, {name}: expected a number, got {value!r}")
    if not entry.low <= value <= entry.high:
        raise RecordError(
            f"{where}, {name}: {value:g} is impossible; {entry.label} lies between {entry.low:g} and {entry.high:g} "
            f"({entry.unit})"
        )
    return float(value)
