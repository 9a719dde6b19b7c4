"""Interchange: the full model of one patient as Antimony, SBML and a Python time course."""

from her2.export.antimony import antimony_text
from her2.export.dosing import Dose, planned_doses
from her2.export.reference import Course, reference_course
from her2.export.sbml import to_sbml

__all__ = ["Course", "Dose", "antimony_text", "planned_doses", "reference_course", "to_sbml"]
