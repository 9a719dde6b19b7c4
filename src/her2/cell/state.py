"""The state of a cell untreated and treated: signals and growth, with the interval of the ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from her2.cell.attributes import Compartment
from her2.cell.cell import Cell
from her2.cell.condition import Dose, Treatment
from her2.cell.evaluate import (
    MEMBERS,
    STANDSTILL,
    Band,
    Evaluated,
    band_of,
    check_span,
    default_days,
    evaluate,
    named_drugs,
    quantiles,
)
from her2.cell.respond import TUMOUR_RATES

if TYPE_CHECKING:
    import polars as pl

Array = NDArray[np.float64]

RECEPTORS = ("egfr", "her2", "her3", "her4", "p95her2", "delta16")
DIMERS = (
    "her2_her2", "egfr_her2", "her2_her3", "her2_her4", "egfr_egfr", "p95_p95", "p95_her3", "delta16_delta16",
    "delta16_her3",
)  # fmt: skip
KEY_READOUTS: Mapping[str, tuple[str, ...]] = {
    "receptors at the surface": RECEPTORS,
    "dimers": DIMERS,
    "other receptor signals": ("igf1r", "met"),
    "signals": ("pi3k", "akt", "mtorc1", "erk", "foxo", "src", "er_activity"),
    "cell cycle and death": ("p27", "cyclin_d1", "cell_cycle", "bim", "apoptosis_signal"),
    "growth": ("proliferation", "apoptosis"),
    "kill": (
        "apoptotic_kill", "effector_kill", "tcell_kill", "payload_kill", "cytotoxic_kill", "angiogenic_loss",
    ),
}  # fmt: skip
"""What is printed, in groups; everything else is in the table and the JSON output."""
RATES = (*TUMOUR_RATES, "apoptotic_kill", "untreated_growth")
MOST_DAYS = 365.0


def unit_of(readout: str) -> str:
    """Unit of a readout: 1e6/cell, 1/day, or 1 (a share or a relative level)."""
    if readout in RECEPTORS or readout in DIMERS or readout in ("surface_her2", "serum_ecd"):
        return "1e6/cell"
    return "1/day" if readout in RATES else "1"


@dataclass(frozen=True)
class CellState:
    """A cell untreated (first) and treated (second).

    Attributes
    ----------
    cell : with its switches
    drugs : nmol/L or `clinical`, by agent
    ligands : levels that were set, by ligand
    compartment, days : where, and for how long
    evaluated : readouts, each (models, 2)
    """

    cell: Cell
    drugs: Mapping[str, Dose]
    ligands: Mapping[str, float]
    compartment: Compartment
    days: float
    evaluated: Evaluated

    def untreated(self, readout: str) -> Band:
        """A readout before treatment."""
        return self.evaluated.band(readout, 0)

    def treated(self, readout: str) -> Band:
        """A readout after `days` of treatment."""
        return self.evaluated.band(readout, 1)

    @property
    def members(self) -> int:
        """Members of the ensemble behind the intervals."""
        return int(next(iter(self.evaluated.values.values())).shape[0]) - 1

    def doubling_time(self, treatment: int) -> Band:
        """Doubling time, days: ln 2 over the net growth rate; infinite where there is no growth."""
        growth = self.evaluated["net_growth"][:, treatment]
        return band_of(np.where(growth > 1e-9, np.log(2.0) / np.maximum(growth, 1e-9), np.inf))

    def table(self) -> pl.DataFrame:
        """One row per readout; see `Cell.respond`."""
        import polars as pl

        names = [k for k in self.evaluated.values if k != "residual"]
        stacked = np.stack([self.evaluated[k] for k in names])  # (readouts, models, 2)
        columns: dict[str, object] = {"readout": names, "unit": [unit_of(k) for k in names]}
        for k, label in enumerate(("untreated", "treated")):
            columns[label] = stacked[:, 0, k]
            if self.members > 1:
                columns[f"{label}_5"], columns[f"{label}_95"] = quantiles(stacked[:, :, k].T)
        return pl.DataFrame(columns)


def cell_state(
    cell: Cell,
    drugs: Mapping[str, Dose],
    *,
    ligands: Mapping[str, float] | None = None,
    compartment: Compartment = "culture",
    days: float | None = None,
    members: int = MEMBERS,
) -> CellState:
    """Signals and growth of a cell untreated and treated; see `Cell.respond` for arguments and errors.

    Ligands act on both; drugs that switches add are part of the treatment. Growth inhibition, 1 - mean growth over
    untreated growth, is NaN where the untreated cell does not grow.
    """
    length = check_span("days", default_days(compartment) if days is None else days, MOST_DAYS, "days")
    named = named_drugs(drugs)
    added = dict(ligands or {})
    plain = Treatment({}, added, compartment, length)
    treated = Treatment({**(cell.adds or {}), **named}, added, compartment, length)
    # the untreated cell gets no drug at all, those of switches included
    values = dict(evaluate(replace(cell, adds=None), [plain, treated], members).values)
    grows = values["untreated_growth"] > STANDSTILL
    values["growth_inhibition"] = np.where(grows, values["growth_inhibition"], np.nan)
    return CellState(cell, treated.drugs, added, compartment, length, Evaluated(values))
