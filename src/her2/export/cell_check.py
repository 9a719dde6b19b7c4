"""How far the quasi-steady growth rates of a cell lie from those of the full model, and why.

At the same slow states both are equal. They differ while something changes: a drug that is added acts on growth only
after the proteins of the cell cycle have followed (12 h each), and adaptation acts with the same delay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from her2.cell.condition import Columns
from her2.cell.model import CellModel
from her2.cell.respond import respond
from her2.export.cell_course import KINASE_RETURN_H, Start, cell_course
from her2.export.reference import DISSOCIATION_PER_H, HOURS_PER_DAY, TURNOVER_PER_H

Form = Literal["respond", "fast", "settled", "delayed"]
FORMS: Mapping[Form, str] = {
    "respond": "quasi-steady, her2.cell.respond",
    "fast": "full model, everything but slow states a thousand times faster",
    "settled": "full model, signals at their steady state under the drugs when they are added",
    "delayed": "full model, drugs added to the resting cell",
}
FASTER = 1e3


@dataclass(frozen=True)
class GrowthCheck:
    """Net growth by form of the model, 1/day.

    Attributes
    ----------
    days : length of the treatment
    untreated : net growth without drugs, which sets the scale
    mean, end : mean over the treatment and rate at its end, by form; see `FORMS`
    """

    days: float
    untreated: float
    mean: Mapping[Form, float]
    end: Mapping[Form, float]

    def error(self, form: Form, which: Literal["mean", "end"]) -> float:
        """Distance of a form from `respond`, relative to the larger of its rate and untreated growth."""
        rates = self.mean if which == "mean" else self.end
        return abs(rates[form] - rates["respond"]) / max(abs(rates["respond"]), abs(self.untreated))


def check_growth(model: CellModel, columns: Columns, days: float, tolerance: float = 1e-6) -> GrowthCheck:
    """Growth of one cell in one condition by all forms of the model.

    Parameters
    ----------
    columns : one cell
    days : above 0
    tolerance : relative, of the integration

    Raises
    ------
    her2.errors.Her2Error
        If a form cannot be solved.
    """
    quick = respond(model, columns, days)
    mean: dict[Form, float] = {"respond": float(quick["mean_growth"][0])}
    end: dict[Form, float] = {"respond": float(quick["net_growth"][0])}
    faster = replace(
        model, network=replace(model.network, time_constant_h=model.network.time_constant_h / FASTER)
    )
    forms: dict[Form, tuple[CellModel, Start, float]] = {
        "fast": (faster, "acute", FASTER), "settled": (model, "acute", 1.0), "delayed": (model, "untreated", 1.0),
    }  # fmt: skip
    hours = days * HOURS_PER_DAY
    for form, (form_model, start, factor) in forms.items():
        course = cell_course(
            form_model,
            columns,
            hours,
            np.array([0.0, hours]),
            start,
            relative_tolerance=tolerance,
            absolute_tolerance=tolerance * 1e-3,
            dissociation_per_h=DISSOCIATION_PER_H * factor,
            turnover_per_h=TURNOVER_PER_H * factor,
            kinase_return_h=KINASE_RETURN_H / factor,
        )
        mean[form] = course.mean_growth()
        end[form] = float(course["net_growth"][-1])
    return GrowthCheck(days, float(quick["untreated_growth"][0]), mean, end)
