"""What calibration may see of the record: printed figures marked `role: fit`, and nothing else.

Calibration code reads studies through this module only (tests/calibration/test_hold_out.py checks the imports, and
that changing every other figure of the record changes no target).
"""

from __future__ import annotations

from her2.evidence.load import load_study
from her2.evidence.schema import PublishedValue


def fit_values(study: str) -> tuple[PublishedValue, ...]:
    """Printed figures of a study that calibration may use."""
    return tuple(v for v in load_study(study).values if v.role == "fit")


def fitted_keys(study: str | None) -> frozenset[tuple[str, ...]]:
    """Figures of all patients of a study that were fitted, as (endpoint, arm) or (endpoint, experimental, control)."""
    if study is None:
        return frozenset()
    found: set[tuple[str, ...]] = set()
    for v in fit_values(study):
        if v.population != "all":
            continue
        if v.arm is not None:
            found.add((v.endpoint, v.arm))
        elif v.contrast is not None:
            found.add((v.endpoint, v.contrast.experimental, v.contrast.control))
    return frozenset(found)
