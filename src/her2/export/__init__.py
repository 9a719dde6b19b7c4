"""Interchange: the full model of one patient or one cell as Antimony, SBML and a Python time course.

The names below are those of a patient; a cell's are in `cell_antimony` and `cell_course`. They are imported when first
asked for, since the patient's model brings the compiled kernel with it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from her2.export.antimony import antimony_text
    from her2.export.dosing import Dose, planned_doses
    from her2.export.reference import Course, reference_course
    from her2.export.sbml import to_sbml

__all__ = ["Course", "Dose", "antimony_text", "planned_doses", "reference_course", "to_sbml"]

_HOMES = {
    "Course": "reference", "Dose": "dosing", "antimony_text": "antimony", "planned_doses": "dosing",
    "reference_course": "reference", "to_sbml": "sbml",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
