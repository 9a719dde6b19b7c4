"""A cell under several treatments, in the central model and in every member of the ensemble."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from her2.cell.attributes import Compartment
from her2.cell.cell import Cell, normal_name
from her2.cell.condition import Dose, Treatment, make_columns
from her2.cell.ensemble import central, chosen, member
from her2.cell.model import CellModel, acting_agents, build_cell_model
from her2.cell.respond import respond
from her2.errors import RecordError, unknown
from her2.evidence.load import load_agents

Array = NDArray[np.float64]

MEMBERS = 32
"""Members of the ensemble behind an interval, unless told otherwise."""
STANDSTILL = 1e-9
"""Untreated net growth (1/day) below which GR values and growth inhibition have no meaning: they are relative to it."""
LOW, HIGH = 0.05, 0.95
"""Quantiles that a 90 % interval runs between."""


@dataclass(frozen=True)
class Band:
    """A number of the central model with the 90 % interval of the ensemble; NaN where there are no members."""

    value: float
    low: float
    high: float


def band_of(values: Array) -> Band:
    """Central value (first) and 5 % and 95 % quantiles of the rest.

    Parameters
    ----------
    values : (models,), the central model first; infinity stands for "not reached"
    """
    low, high = quantiles(values)
    return Band(float(values[0]), float(low), float(high))


def quantiles(values: Array) -> tuple[Array, Array]:
    """5 % and 95 % quantiles over the members (all models but the first), each of the other shape; NaN below two.

    Parameters
    ----------
    values : (models, ...)
    """
    members = values[1:]
    if len(members) < 2:
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing
    # observed values, not means of two: one of them may be infinite
    low, high = np.quantile(members, [LOW, HIGH], axis=0, method="inverted_cdf")
    return low, high


@dataclass(frozen=True)
class Evaluated:
    """Readouts of a cell under treatments.

    Attributes
    ----------
    values : by readout, each (models, treatments); the central model first, then the members
    """

    values: Mapping[str, Array]

    def __getitem__(self, name: str) -> Array:
        if name not in self.values:
            raise unknown("readout", name, self.values)
        return self.values[name]

    def band(self, name: str, treatment: int) -> Band:
        """A readout under one treatment, with its interval."""
        return band_of(self[name][:, treatment])


def evaluate(cell: Cell, treatments: Sequence[Treatment], members: int = MEMBERS) -> Evaluated:
    """Run a cell under treatments; drugs that the cell's switches add are given in addition.

    Parameters
    ----------
    members : members of the ensemble behind the intervals, 0 for none

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        An unknown drug, ligand or compartment; an impossible dose or number of members.
    """
    given = [with_added(cell, t) for t in treatments]
    days = np.array([t.days for t in given])
    per_model: list[Mapping[str, Array]] = []
    for model in models_of(cell, members):
        for treatment in given:
            for drug in treatment.drugs:
                model.agent(drug)
        columns = make_columns(
            [cell.attributes] * len(given), given, model.agents, model.values, cell.disabled
        )
        per_model.append(respond(model, columns, days).values)
    return Evaluated({k: np.stack([values[k] for values in per_model]) for k in per_model[0]})


def drug_id(name: str) -> str:
    """An agent's id from its id, name or alias, without regard to case and punctuation: Herceptin is trastuzumab.

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        No such agent; one whose record does not say how it acts on a cell.
    """
    agents = acting_agents()
    if name in agents:
        return name
    wanted = normal_name(name)
    everyone = load_agents()
    for group in (agents, everyone):
        for key, agent in group.items():
            if wanted in {normal_name(x) for x in (key, agent.name, *agent.aliases)}:
                if group is agents:
                    return key
                raise RecordError(
                    f"agents/{key}.yaml: has no 'pharmacodynamics', so the model does not know how it acts on a cell"
                )
    raise unknown("drug", name, agents)


def named_drugs(drugs: Mapping[str, Dose]) -> dict[str, Dose]:
    """The same doses by the agents' ids; see `drug_id`."""
    return {drug_id(name): dose for name, dose in drugs.items()}


def default_days(compartment: Compartment) -> float:
    """Days of treatment where none are said: 3 in a culture, 28 elsewhere."""
    return 3.0 if compartment == "culture" else 28.0


def check_span(what: str, value: float, highest: float, unit: str, lowest: float = 0.0) -> float:
    """A length of time within its limits.

    Raises
    ------
    her2.errors.RecordError
        No number, or outside the limits.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not lowest <= value <= highest:
        raise RecordError(f"{what}: expected {lowest:g} to {highest:g} {unit}, got {value!r}")
    return float(value)


def with_added(cell: Cell, treatment: Treatment) -> Treatment:
    """The treatment with the drugs that the cell's switches add; a dose that is given keeps its place."""
    return replace(treatment, drugs={**(cell.adds or {}), **treatment.drugs}) if cell.adds else treatment


def models_of(cell: Cell, members: int = MEMBERS) -> list[CellModel]:
    """The central model, then the members, each with the cell's parameters."""
    most = len(chosen()) if members else 0
    if isinstance(members, bool) or not isinstance(members, int) or not 0 <= members <= most:
        raise RecordError(
            f"members: expected a whole number from 0 to the {most} that ship (below 2 gives no interval), "
            f"got {members!r}"
        )
    return [model_of(cell, number) for number in (-1, *range(members))]


def model_of(cell: Cell, number: int = -1) -> CellModel:
    """The model of a cell with its parameters: a member of the ensemble by number, or the central model (-1)."""
    factors = tuple(sorted((cell.parameters or {}).items()))
    return _altered(number, factors) if factors else _plain(number)


def _plain(number: int) -> CellModel:
    return central() if number < 0 else member(number)


@lru_cache(maxsize=128)
def _altered(number: int, factors: tuple[tuple[str, float], ...]) -> CellModel:
    return with_factors(_plain(number), dict(factors))


def with_factors(model: CellModel, factors: Mapping[str, float]) -> CellModel:
    """The model with some parameters multiplied.

    Proliferation and apoptosis stay relative to the reference cell of the unaltered model: a change of parameters
    changes the cell, not the unit it is measured in.
    """
    values = {name: model.values[name] * factor for name, factor in factors.items()}
    changed = build_cell_model({**model.values, **values}, model.half, model.largest)
    return replace(
        changed,
        proliferation_reference=model.proliferation_reference,
        apoptosis_reference=model.apoptosis_reference,
    )
