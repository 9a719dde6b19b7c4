"""Two drugs on one cell: growth on a grid of doses, and what the pair does beyond each alone.

With k the net growth rate (mean over the assay of length T) and k0 that without either drug, the fraction affected is
the share of cells missing at the end, f = 1 - exp((k - k0) T). Then

    Bliss excess (a, b) = f(a, b) - [f(a, 0) + f(0, b) - f(a, 0) f(0, b)]        (Bliss, Ann Appl Biol 1939; 26:585)
    HSA excess   (a, b) = f(a, b) - max(f(a, 0), f(0, b))                        (Berenbaum, Pharmacol Rev 1989; 41:93)

Both are 0 where a pair does what its reference expects, positive where it does more. Two drugs that kill by rates which
add up are independent in Bliss' sense: exp(-(u + v) T) = exp(-u T) exp(-v T).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from her2.cell.attributes import Compartment
from her2.cell.cell import Cell
from her2.cell.condition import Dose, Treatment
from her2.cell.dose_response import (
    MOST_HOURS,
    check_doses,
    default_doses,
    fraction_affected,
    gr_value,
)
from her2.cell.evaluate import (
    MEMBERS,
    Band,
    band_of,
    check_span,
    drug_id,
    evaluate,
    named_drugs,
    quantiles,
    with_added,
)
from her2.errors import RecordError

if TYPE_CHECKING:
    import polars as pl

Array = NDArray[np.float64]

MOST_PAIRS = 2500
GRID_PER_DECADE = 2


def bliss_expected(a: Array, b: Array) -> Array:
    """Fraction affected by two independent actions: a + b - a b."""
    return np.asarray(a + b - a * b)


def hsa_expected(a: Array, b: Array) -> Array:
    """Fraction affected by the better of two drugs (highest single agent)."""
    return np.asarray(np.maximum(a, b))


@dataclass(frozen=True)
class Combination:
    """Growth on a grid of doses of two drugs.

    Attributes
    ----------
    drug_a, drug_b : agents; the same twice is a sham combination, whose doses add up
    doses_a, doses_b : (doses of a,), (doses of b,), nmol/L nominal, rising, the first 0
    growth : (models, doses of a, doses of b), 1/day, mean over the assay; the central model first
    hours : length of the assay
    background : other drugs, in the control too
    """

    drug_a: str
    drug_b: str
    doses_a: Array
    doses_b: Array
    growth: Array
    hours: float
    background: Mapping[str, Dose]

    @property
    def gr(self) -> Array:
        """GR values, (models, doses of a, doses of b)."""
        return gr_value(self.growth, self.growth[:, :1, :1])

    @property
    def affected(self) -> Array:
        """Share of cells missing at the end of the assay, (models, doses of a, doses of b)."""
        return fraction_affected(self.growth, self.growth[:, :1, :1], self.hours)

    @property
    def bliss_excess(self) -> Array:
        """Fraction affected beyond independent action, (models, doses of a, doses of b); 0 on the margins."""
        f = self.affected
        return np.asarray(f - bliss_expected(f[:, :, :1], f[:, :1, :]))

    @property
    def hsa_excess(self) -> Array:
        """Fraction affected beyond the better drug alone, (models, doses of a, doses of b)."""
        f = self.affected
        return np.asarray(f - hsa_expected(f[:, :, :1], f[:, :1, :]))

    def mean_bliss_excess(self) -> Band:
        """Mean over all pairs of positive doses, with its interval."""
        return band_of(self.bliss_excess[:, 1:, 1:].mean(axis=(1, 2)))

    def mean_hsa_excess(self) -> Band:
        """Mean over all pairs of positive doses, with its interval."""
        return band_of(self.hsa_excess[:, 1:, 1:].mean(axis=(1, 2)))

    def largest(self, excess: Array) -> tuple[float, float, float]:
        """Excess farthest from 0 in the central model, and its two doses (nmol/L)."""
        i, j = np.unravel_index(int(np.argmax(np.abs(excess[0]))), excess[0].shape)
        return float(excess[0, i, j]), float(self.doses_a[i]), float(self.doses_b[j])

    def table(self) -> pl.DataFrame:
        """One row per pair of doses; see `Cell.combination`."""
        import polars as pl

        models, rows, across = self.growth.shape
        columns: dict[str, Array] = {
            "dose_a": np.repeat(self.doses_a, across),
            "dose_b": np.tile(self.doses_b, rows),
        }
        for name, values in (
            ("net_growth", self.growth),
            ("gr", self.gr),
            ("fraction_affected", self.affected),
            ("bliss_excess", self.bliss_excess),
            ("hsa_excess", self.hsa_excess),
        ):
            flat = values.reshape(models, rows * across)
            columns[name] = flat[0]
            if models > 2:
                columns[f"{name}_5"], columns[f"{name}_95"] = quantiles(flat)
        return pl.DataFrame(columns)


def combine(
    cell: Cell,
    drug_a: str,
    drug_b: str,
    doses_a: Sequence[float] | None = None,
    doses_b: Sequence[float] | None = None,
    hours: float = 72.0,
    *,
    background: Mapping[str, Dose] | None = None,
    ligands: Mapping[str, float] | None = None,
    compartment: Compartment = "culture",
    members: int = MEMBERS,
) -> Combination:
    """Growth of a cell on a grid of doses of two drugs.

    Parameters
    ----------
    doses_a, doses_b : (doses,), nmol/L nominal; 0 is added. Default three decades below to two above half effect
    hours : length of the assay, h
    background : other drugs, the same at every dose and in the control
    members : members of the ensemble behind the 90 % intervals; 0 for none

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        An unknown drug; doses or a length that cannot be; a grid of more than 2500 pairs.
    """
    a, b = drug_id(drug_a), drug_id(drug_b)
    others = named_drugs(background or {})
    for name in (a, b):
        if name in others:
            raise RecordError(f"{name}: is varied, so that it cannot be part of the background")
    length = check_span("hours", hours, MOST_HOURS, "h", lowest=1.0)
    grid_a, grid_b = _grid(a, doses_a, compartment), _grid(b, doses_b, compartment)
    if grid_a.size * grid_b.size > MOST_PAIRS:
        raise RecordError(
            f"grid of {grid_a.size} x {grid_b.size} doses: expected {MOST_PAIRS} pairs at most; give fewer doses"
        )
    treatments = [
        Treatment(
            {**others, **_pair(a, float(x), b, float(y))}, dict(ligands or {}), compartment, length / 24.0
        )
        for x in grid_a
        for y in grid_b
    ]
    growth = evaluate(cell, treatments, members)["mean_growth"]
    given = with_added(cell, treatments[0]).drugs
    rest = {k: v for k, v in given.items() if k not in (a, b)}
    shape = (growth.shape[0], grid_a.size, grid_b.size)
    return Combination(a, b, grid_a, grid_b, growth.reshape(shape), length, rest)


def _pair(a: str, dose_a: float, b: str, dose_b: float) -> dict[str, Dose]:
    return {a: dose_a + dose_b} if a == b else {a: dose_a, b: dose_b}


def _grid(drug: str, doses: Sequence[float] | None, compartment: Compartment) -> Array:
    if doses is None:
        return np.concatenate([[0.0], default_doses(drug, compartment, GRID_PER_DECADE)])
    return np.unique(np.concatenate([[0.0], check_doses(drug, doses, compartment)]))
