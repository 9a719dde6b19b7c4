"""Conditions: which cell, under which drugs at which concentrations, where and for how long."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from her2.cell.attributes import COMPARTMENTS, Compartment, catalogue, check, defaults
from her2.drugs import cns_factor, translation, unbound_fraction
from her2.errors import RecordError, unknown
from her2.evidence.schema import Agent

Array = NDArray[np.float64]
Dose = float | str
"""nmol/L, or `clinical` for the average exposure at the label dose."""


@dataclass(frozen=True)
class Columns:
    """Many cells in their conditions, one per column.

    Attributes
    ----------
    attributes : every attribute of the catalogue, each (columns,)
    concentrations : nmol/L of active drug at the cell by agent, each (columns,)
    compartments : one per column
    disabled : actions taken away, as (agent, action, target); an empty target means all
    """

    attributes: Mapping[str, Array]
    concentrations: Mapping[str, Array]
    compartments: tuple[Compartment, ...]
    disabled: frozenset[tuple[str, str, str]] = field(default_factory=frozenset)

    @property
    def size(self) -> int:
        """Number of columns."""
        return len(self.compartments)

    @staticmethod
    def reference(compartment: Compartment) -> Columns:
        """The untreated reference cell."""
        return Columns({k: np.array([v]) for k, v in defaults(compartment).items()}, {}, (compartment,))

    def without_drugs(self) -> Columns:
        """The same cells untreated."""
        return Columns(self.attributes, {}, self.compartments, self.disabled)


@dataclass(frozen=True)
class Treatment:
    """What is done to a cell.

    Attributes
    ----------
    drugs : nmol/L (nominal, as given to the culture or measured in plasma) or `clinical`, by agent
    ligands : level of added ligands, by attribute
    compartment : where the cell is
    days : how long
    """

    drugs: Mapping[str, Dose] = field(default_factory=dict)
    ligands: Mapping[str, float] = field(default_factory=dict)
    compartment: Compartment = "culture"
    days: float = 0.0


def active_concentration(
    agent: Agent, dose: Dose, compartment: Compartment, values: Mapping[str, float]
) -> float:
    """Concentration that acts on the cell, nmol/L.

    In culture, the nominal concentration times the fraction that the medium's serum leaves unbound. In a tumour, the
    plasma concentration times the unbound fraction times the class's translation factor; in the brain, times the
    agent's ratio.

    Raises
    ------
    her2.errors.RecordError
        A dose that is negative or no number; `clinical` for an agent without an exposure.
    """
    if isinstance(dose, str):
        if dose != "clinical":
            raise RecordError(f"dose of {agent.id}: expected nmol/L or 'clinical', got '{dose}'")
        pd = agent.pharmacodynamics
        if pd is None or pd.exposure is None:
            raise RecordError(
                f"agents/{agent.id}.yaml, pharmacodynamics: has no 'exposure', so 'clinical' has no value; give nmol/L"
            )
        total = pd.exposure.value
        if compartment == "culture":  # a clinical concentration in a dish: what is unbound in plasma
            return total * unbound_fraction(agent)
    else:
        if isinstance(dose, bool) or not math.isfinite(dose) or dose < 0.0:
            raise RecordError(f"dose of {agent.id}: expected nmol/L of 0 or more, got {dose!r}")
        total = float(dose)
    free = unbound_fraction(agent)
    if compartment == "culture":
        return total / (1.0 + values["culture.serum"] * (1.0 - free) / free)
    local = total * free * translation(agent, values)
    if compartment == "cns":
        local *= cns_factor(agent, values)
    return local


def make_columns(
    cells: Sequence[Mapping[str, float]],
    treatments: Sequence[Treatment],
    agents: Mapping[str, Agent],
    values: Mapping[str, float],
    disabled: frozenset[tuple[str, str, str]] = frozenset(),
) -> Columns:
    """Columns of cells (attributes that differ from the reference cell) under treatments, pair by pair.

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        An unknown attribute, agent or compartment; an impossible value.
    """
    if len(cells) != len(treatments):
        raise ValueError(f"expected as many cells as treatments, got {len(cells)} and {len(treatments)}")
    n = len(cells)
    attributes = {k: np.empty(n) for k in catalogue()}
    names = sorted({drug for t in treatments for drug in t.drugs})
    for name in names:
        if name not in agents:
            raise unknown("agent", name, agents)
    concentrations = {k: np.zeros(n) for k in names}
    for j, (cell, treatment) in enumerate(zip(cells, treatments, strict=True)):
        if treatment.compartment not in COMPARTMENTS:
            raise unknown("compartment", treatment.compartment, COMPARTMENTS)
        whole = defaults(treatment.compartment)
        for name, value in {**cell, **treatment.ligands}.items():
            whole[name] = check(name, value, "cell")
        for name, value in whole.items():
            attributes[name][j] = value
        for name, dose in treatment.drugs.items():
            concentrations[name][j] = active_concentration(agents[name], dose, treatment.compartment, values)
    return Columns(attributes, concentrations, tuple(t.compartment for t in treatments), disabled)
