"""What is varied and what is read: uncertain numbers as standard normal coordinates, cells under drugs as cases.

A factor is a parameter with a prior, or the concentration at half effect (or the largest effect) of a drug's action
with one. Factors that never act in the same case share a column of a design, as kill rates of different cytotoxics do:
each case sees only its own, and a design with fewer columns costs fewer model evaluations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from her2.cell.condition import Columns, Treatment, active_concentration, make_columns
from her2.cell.evaluate import drug_id
from her2.cell.model import ActionKey, CellModel, acting_agents, build_cell_model
from her2.cell.respond import respond
from her2.drugs import actions_of, drawn_effect
from her2.errors import Her2Error
from her2.evidence.load import canonical_values, load_parameters
from her2.evidence.priors import to_coordinate, to_value
from her2.evidence.schema import Agent, Parameter

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
DAYS = 28.0
"""Days of treatment after which growth inhibition is read; it is that of the mean growth over them."""


@dataclass(frozen=True)
class Case:
    """A cell in a tumour under drugs at their clinical exposure.

    Attributes
    ----------
    id : the drugs, joined by ` + `
    drugs : agents
    attributes : what distinguishes the cell from the reference HER2 3+ cell
    cell : the cell in words
    """

    id: str
    drugs: tuple[str, ...]
    attributes: Mapping[str, float] = field(default_factory=dict)
    cell: str = "reference"


_ER: tuple[Mapping[str, float], str] = ({"er": 1.0}, "ER-positive")
_DELTA16: tuple[Mapping[str, float], str] = ({"delta16_share": 0.9}, "HER2 delta16, share 0.9")
_OTHER_CELLS = {"letrozole": _ER, "tamoxifen": _ER, "dasatinib": _DELTA16}
"""Cells of drugs that do little to the reference cell; the delta16 share is that of the record's experiments."""

STANDARD = (
    "trastuzumab", "pertuzumab", "margetuximab", "trastuzumab+pertuzumab", "trastuzumab+docetaxel", "t_dm1", "mm_302",
    "lapatinib", "tucatinib", "neratinib", "afatinib", "trastuzumab+lapatinib", "alpelisib", "taselisib",
    "buparlisib", "mk_2206", "everolimus", "hsp90_inhibitor", "bms_754807", "dasatinib", "letrozole", "tamoxifen",
    "bevacizumab", "docetaxel", "capecitabine", "vinorelbine",
)  # fmt: skip
"""Cases of the shipped analysis, by target; classes and drugs that act as another of the list are left out."""


def find_case(name: str) -> Case:
    """A case by its drugs, as in `lapatinib` or `trastuzumab+lapatinib`.

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        An unknown drug; one whose record does not say how it acts on a cell, or at which exposure.
    """
    drugs = tuple(dict.fromkeys(drug_id(part.strip()) for part in name.split("+")))
    agents = acting_agents()
    for drug in drugs:
        active_concentration(agents[drug], "clinical", "tumour", canonical_values())
    attributes, cell = _OTHER_CELLS.get(drugs[0], ({}, "reference")) if len(drugs) == 1 else ({}, "reference")
    return Case(" + ".join(drugs), drugs, attributes, cell)


def standard_cases() -> tuple[Case, ...]:
    """Cases of the shipped analysis."""
    return tuple(find_case(name) for name in STANDARD)


@dataclass(frozen=True)
class Factor:
    """A number that is varied.

    Attributes
    ----------
    id : parameter, or `half.` or `largest.` with the action
    label : in words
    part : a parameter's value, or what of an action
    parameter : its entry in the record
    actions : agent and position of each action that shares the number
    owners : agents without which it cannot act; empty if it can act in every case
    """

    id: str
    label: str
    part: Literal["value", "half", "largest"]
    parameter: Parameter | None = None
    actions: tuple[ActionKey, ...] = ()
    owners: frozenset[str] = frozenset()

    def acts_in(self, case: Case) -> bool:
        """Whether the number can matter in a case."""
        return not self.owners or not self.owners.isdisjoint(case.drugs)


def load_factors(cases: Sequence[Case]) -> tuple[Factor, ...]:
    """Every number with a prior that can act in one of the cases, parameters first, each sorted by id."""
    agents = acting_agents()
    named: dict[str, set[str]] = {}
    for name, agent in agents.items():
        for action in actions_of(agent):
            if action.parameter is not None:
                named.setdefault(action.parameter, set()).add(name)
    found = [
        Factor(name, p.label, "value", p, owners=frozenset(named.get(name, ())))
        for name, p in sorted(load_parameters().items())
        if p.prior is not None
    ]
    halves: dict[str, list[ActionKey]] = {}
    largest: dict[str, list[ActionKey]] = {}
    for name in sorted({drug for case in cases for drug in case.drugs}):
        for k, action in enumerate(actions_of(agents[name])):
            target = f"{action.on}.{action.target}".rstrip(".")
            if action.half is not None and action.prior_log_sd is not None:
                # agents with the same binding part share the draw, as in the ensemble
                halves.setdefault(f"half.{target}.{action.half:g}", []).append((name, k))
            if action.spans_zero:
                largest.setdefault(f"largest.{target}.{name}", []).append((name, k))
    for key, actions in sorted(halves.items()):
        found.append(_of_actions(key, "half", "Concentration at half effect", actions))
    for key, actions in sorted(largest.items()):
        found.append(_of_actions(key, "largest", "Largest effect", actions))
    return tuple(f for f in found if any(f.acts_in(case) for case in cases))


def _of_actions(key: str, part: Literal["half", "largest"], words: str, actions: list[ActionKey]) -> Factor:
    owners = [name for name, _ in actions]
    agents = acting_agents()
    action = actions_of(agents[owners[0]])[actions[0][1]]
    target = f"{action.on} {action.target}".strip()
    return Factor(
        key, f"{words} on {target}: {', '.join(owners)}", part, None, tuple(actions), frozenset(owners)
    )


@dataclass(frozen=True)
class Bench:
    """Cases and factors, and the column of a design that moves each factor.

    Attributes
    ----------
    columns : (factors,) column of each factor
    centre : (factors,) coordinate of each factor where its column has the coordinate 0, in prior standard deviations
    """

    cases: tuple[Case, ...]
    factors: tuple[Factor, ...]
    columns: NDArray[np.int64]
    centre: Array

    @property
    def n_columns(self) -> int:
        """Columns of a design."""
        return int(self.columns.max(initial=-1)) + 1

    def acting(self) -> Bools:
        """Whether each factor can act in each case: (factors, cases)."""
        return np.array([[f.acts_in(case) for case in self.cases] for f in self.factors], dtype=np.bool_)

    def at_cases(self, by_column: Array) -> Array:
        """What belongs to columns and cases, (columns, cases), by factors and cases: (factors, cases).

        NaN where the factor cannot act.
        """
        return np.where(self.acting(), by_column[self.columns], np.nan)


def make_bench(
    cases: Sequence[Case], factors: Sequence[Factor], values: Mapping[str, float] | None = None
) -> Bench:
    """A bench with as few columns as a greedy assignment finds; no case has two factors in one column.

    Parameters
    ----------
    values : of parameters at the centre, default the prior medians
    """
    taken: list[set[str]] = []
    columns = []
    for factor in factors:
        own = {case.id for case in cases if factor.acts_in(case)}
        place = next((k for k, ids in enumerate(taken) if ids.isdisjoint(own)), len(taken))
        if place == len(taken):
            taken.append(set())
        taken[place] |= own
        columns.append(place)
    centre = [
        to_coordinate(f.parameter, values[f.id])
        if values and f.parameter is not None and f.id in values
        else 0.0
        for f in factors
    ]
    return Bench(tuple(cases), tuple(factors), np.array(columns, dtype=np.int64), np.array(centre))


def model_at(bench: Bench, z: Array) -> CellModel:
    """The model at standard normal coordinates of the columns, (columns,); what is no factor stays at the centre."""
    values: dict[str, float] = {}
    half: dict[ActionKey, float] = {}
    largest: dict[ActionKey, float] = {}
    agents = _agents()
    for factor, x in zip(bench.factors, z[bench.columns] + bench.centre, strict=True):
        if factor.parameter is not None:
            values[factor.id] = to_value(factor.parameter, float(x))
        for name, k in factor.actions:
            action = actions_of(agents[name])[k]
            if factor.part == "half":
                assert action.half is not None and action.prior_log_sd is not None
                half[name, k] = action.half * math.exp(action.prior_log_sd * float(x))
            else:
                largest[name, k] = drawn_effect(action, x)
    return build_cell_model(values, half, largest)


@lru_cache(maxsize=1)
def _agents() -> Mapping[str, Agent]:
    return acting_agents()


def growth_inhibition(cases: Sequence[Case], model: CellModel, template: Columns | None = None) -> Array:
    """1 - growth / growth untreated of every case over `DAYS` days: (cases,); above 1 the tumour shrinks.

    Parameters
    ----------
    template : columns of the cases, whose concentrations are replaced by those of this model
    """
    columns = template if template is not None else case_columns(cases, model)
    concentrations = {
        name: np.where(
            given > 0.0, active_concentration(model.agent(name), "clinical", "tumour", model.values), 0.0
        )
        for name, given in columns.concentrations.items()
    }
    return respond(model, replace(columns, concentrations=concentrations), DAYS)["growth_inhibition"]


def case_columns(cases: Sequence[Case], model: CellModel) -> Columns:
    """The cases as columns."""
    treatments = [Treatment(dict.fromkeys(c.drugs, "clinical"), {}, "tumour", DAYS) for c in cases]
    return make_columns([c.attributes for c in cases], treatments, model.agents, model.values)


def evaluate(
    bench: Bench,
    design: Array,
    on_row: Callable[[], None] | None = None,
    more: Callable[[CellModel], Array] | None = None,
) -> Array:
    """Growth inhibition of every case at every row of a design.

    Parameters
    ----------
    design : (rows, columns), standard normal coordinates
    on_row : called after each row
    more : further readouts of the model, (readouts,), put behind the cases

    Returns
    -------
    (rows, cases [+ readouts]); a row in which the model cannot be solved is NaN
    """
    template = case_columns(bench.cases, model_at(bench, np.zeros(bench.n_columns)))
    result = []
    for z in design:
        try:
            model = model_at(bench, z)
            row = growth_inhibition(bench.cases, model, template)
            result.append(row if more is None else np.concatenate([row, more(model)]))
        except Her2Error:
            result.append(np.full(0, np.nan))
        if on_row is not None:
            on_row()
    width = max((r.size for r in result), default=0)
    return np.array([r if r.size else np.full(width, np.nan) for r in result])
