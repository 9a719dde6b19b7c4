"""The first hours after drugs are added, from the full differential equations instead of their steady state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from her2.cell.attributes import Compartment
from her2.cell.cell import Cell
from her2.cell.condition import Dose, Treatment, make_columns
from her2.cell.evaluate import check_span, model_of, named_drugs, with_added
from her2.errors import Her2Error, RecordError, unknown

if TYPE_CHECKING:
    import polars as pl

Array = NDArray[np.float64]

HOME = "her2.export.cell_course"
MOST_HOURS = 8760.0
MOST_POINTS = 10_001
FEWEST_POINTS = 2


@dataclass(frozen=True)
class TimeCourse:
    """Quantities over time.

    Attributes
    ----------
    times : (times,), h after the drugs were added
    values : (times,) by quantity
    """

    times: Array
    values: Mapping[str, Array]

    def __getitem__(self, name: str) -> Array:
        if name not in self.values:
            raise unknown("quantity", name, self.values)
        return self.values[name]

    def table(self) -> pl.DataFrame:
        """One row per time, `time` (h) first."""
        import polars as pl

        return pl.DataFrame({"time": self.times, **self.values})


def time_course(
    cell: Cell,
    drugs: Mapping[str, Dose],
    hours: float = 24.0,
    *,
    ligands: Mapping[str, float] | None = None,
    compartment: Compartment = "culture",
    points: int = 97,
) -> TimeCourse:
    """Signals of the central model over time; see `Cell.time_course` for arguments and errors.

    The cell starts in its untreated steady state.
    """
    length = check_span("hours of the time course", hours, MOST_HOURS, "h", lowest=1e-3)
    if isinstance(points, bool) or not isinstance(points, int) or not FEWEST_POINTS <= points <= MOST_POINTS:
        raise RecordError(
            f"points: expected a whole number from {FEWEST_POINTS} to {MOST_POINTS}, got {points!r}"
        )
    treatment = with_added(cell, Treatment(named_drugs(drugs), dict(ligands or {}), compartment))
    model = model_of(cell)
    columns = make_columns([cell.attributes], [treatment], model.agents, model.values, cell.disabled)
    times = np.linspace(0.0, length, points)
    course = _solver()(model, columns, length, times)
    return TimeCourse(times, {name: _one_column(name, course[name], points) for name in course.names})


def _solver() -> Any:
    """The function that solves the full equations."""
    try:
        return import_module(HOME).cell_course
    except ModuleNotFoundError as error:
        if error.name != HOME:
            raise
        raise Her2Error(
            f"time courses need the full equations ({HOME}), which this installation lacks; "
            "the state and the dose-response curves do not need them"
        ) from error


def _one_column(name: str, values: Any, points: int) -> Array:
    """A quantity of the only column, (times,)."""
    flat = np.asarray(values, dtype=np.float64).reshape(-1)
    if flat.size != points:
        raise Her2Error(f"time course of {name}: expected {points} values, got {flat.size}")
    return flat
