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
