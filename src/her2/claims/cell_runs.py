"""Experiments on cells: the conditions of all of them side by side, one evaluation per member of the ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from her2.cell.attributes import Compartment
from her2.cell.cell import Cell, load_cell
from her2.cell.condition import Columns, Treatment, make_columns
from her2.cell.evaluate import with_factors
from her2.cell.model import CellModel, build_cell_model
from her2.cell.respond import respond
from her2.claims.conditions import merged
from her2.evidence.biology import Condition, Experiment

Array = NDArray[np.float64]
DAYS = {"culture": 3.0, "tumour": 28.0, "cns": 28.0}
"""Length of treatment where an experiment gives none: an assay in culture, a month in a patient."""
GROWTH_READOUTS = ("net_growth", "mean_growth", "growth_inhibition")
Key = tuple[str, str]
"""Claim and condition."""


@dataclass(frozen=True)
class Kind:
    """What conditions must share to be evaluated together, so that no experiment depends on its neighbours."""

    days: float
    disabled: frozenset[tuple[str, str, str]]
    factors: tuple[tuple[str, float], ...]
    replaced: tuple[tuple[str, float], ...]
    has_reference: bool


@dataclass(frozen=True)
class Prepared:
    """A condition ready to be evaluated: the cell, what is done to it, and the cell adaptation starts from."""

    cell: Cell
    treatment: Treatment
    rest: tuple[Mapping[str, float], Treatment] | None


def prepare(experiments: Mapping[str, Experiment]) -> dict[Kind, dict[Key, Prepared]]:
    """All conditions of all experiments on cells, grouped by what must be the same in one evaluation.

    Raises
    ------
    her2.errors.Her2Error
        An unknown cell, attribute or switch, or an impossible value.
    """
    groups: dict[Kind, dict[Key, Prepared]] = {}
    for claim, experiment in experiments.items():
        for name in experiment.conditions:
            condition = merged(experiment.base, experiment.conditions[name])
            cell, treatment = cell_and_treatment(condition)
            rest = None
            if condition.untreated_reference is not None:
                other = merged(experiment.base, experiment.conditions[condition.untreated_reference])
                start, started = cell_and_treatment(other)
                rest = (start.attributes, replace(started, drugs={}))
            kind = Kind(
                treatment.days,
                cell.disabled,
                tuple(sorted((cell.parameters or {}).items())),
                tuple(sorted(condition.parameters.items())),
                rest is not None,
            )
            groups.setdefault(kind, {})[claim, name] = Prepared(cell, treatment, rest)
    return groups


def cell_and_treatment(condition: Condition) -> tuple[Cell, Treatment]:
    """The cell of a condition, with its values and then its switches set, and its treatment."""
    compartment: Compartment = condition.compartment or "culture"
    known = condition.cell in (None, "reference")
    cell = Cell("reference", "reference", {}) if known else load_cell(str(condition.cell))
    cell = cell.with_attributes(condition.set)
    if condition.switches:
        from her2.cell.switches import apply_switches

        cell = apply_switches(cell, condition.switches, compartment)
    days = condition.days if condition.days is not None else DAYS[compartment]
    drugs = {**(cell.adds or {}), **condition.drugs}
    return cell, Treatment(drugs, condition.ligands, compartment, days)


def run_cells(
    experiments: Mapping[str, Experiment], groups: Mapping[Kind, Mapping[Key, Prepared]], model: CellModel
) -> dict[Key, float]:
    """Readout of every condition of every experiment in one model.

    For synergy statistics the readout is the share left (`share_left`).
    """
    values: dict[Key, float] = {}
    for kind, conditions in groups.items():
        own = altered(model, dict(kind.factors), dict(kind.replaced))
        prepared = list(conditions.values())
        columns = make_columns(
            [p.cell.attributes for p in prepared], [p.treatment for p in prepared], own.agents, own.values,
            kind.disabled,
        )  # fmt: skip
        untreated: Columns | None = None
        if kind.has_reference:
            rests = [p.rest for p in prepared if p.rest is not None]
            untreated = make_columns(
                [attributes for attributes, _ in rests], [treatment for _, treatment in rests], own.agents,
                own.values, kind.disabled,
            )  # fmt: skip
        response = respond(own, columns, kind.days, untreated)
        for j, (claim, name) in enumerate(conditions):
            experiment = experiments[claim]
            assert experiment.statistic is not None
            readout = experiment.readout
            if experiment.statistic.kind in ("bliss", "hsa") and readout in GROWTH_READOUTS:
                readout = "mean_growth"
            values[claim, name] = float(response[readout][j])
    for claim, experiment in experiments.items():
        assert experiment.statistic is not None
        if experiment.statistic.kind in ("bliss", "hsa"):
            of = experiment.statistic.of
            left = share_left(experiment, {name: values[claim, name] for name in of})
            values.update({(claim, name): x for name, x in left.items()})
    return values


def share_left(experiment: Experiment, values: Mapping[str, float]) -> dict[str, float]:
    """What each treatment leaves relative to the first condition, for statistics of synergy.

    Of growth readouts the cells alive at the end relative to untreated ones, exp((growth - untreated growth) days), as
    a viability assay counts them; of any other readout its ratio to the untreated. Two drugs that act independently
    leave the product of what each leaves.
    """
    assert experiment.statistic is not None
    none = values[experiment.statistic.of[0]]
    if experiment.readout not in GROWTH_READOUTS:
        return {k: v / none if none > 0.0 else float("nan") for k, v in values.items()}
    result = {}
    for name, growth in values.items():
        condition = merged(experiment.base, experiment.conditions[name])
        compartment = condition.compartment or "culture"
        days = condition.days or DAYS[compartment]
        result[name] = float(np.exp((growth - none) * days))
    return result


def altered(model: CellModel, factors: Mapping[str, float], replaced: Mapping[str, float]) -> CellModel:
    """The model with some parameters multiplied and some replaced; its unit, the reference cell, stays."""
    if factors:
        model = with_factors(model, factors)
    if not replaced:
        return model
    changed = build_cell_model({**model.values, **replaced}, model.half, model.largest)
    return replace(
        changed,
        proliferation_reference=model.proliferation_reference,
        apoptosis_reference=model.apoptosis_reference,
    )


def untreated_growth(experiment: Experiment, model: CellModel) -> float:
    """Growth of the untreated reference cell in the compartment of the experiment's first condition, 1/day."""
    first = merged(experiment.base, next(iter(experiment.conditions.values())))
    in_culture = (first.compartment or "culture") == "culture"
    return model.values["culture.growth" if in_culture else "tumour.growth"]
