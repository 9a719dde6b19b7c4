"""Collects an Antimony text with the values of its constants: quantities with units, notes and identifiers of SBO."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from her2.evidence.load import load_network, load_parameters
from her2.evidence.schema import Parameter
from her2.export.cell_course import CellEquations, Start, readout_name

SBO = {
    "framework": 293, "compartment": 290, "polypeptide": 252, "complex": 297, "process": 375, "binding": 177,
    "degradation": 179, "concentration": 196, "dissociation_constant": 282, "inhibitory_constant": 261, "ic50": 288,
    "association_constant": 337, "dissociation_rate": 338, "decay_constant": 356, "time_constant": 348,
    "hill_coefficient": 190, "relative_activity": 498, "bound_share": 540, "amount": 361,
}  # fmt: skip
"""Terms of the Systems Biology Ontology."""


@lru_cache(maxsize=4)
def network_record(name: str) -> Any:
    """A network file of the record; its order is that of the compiled model."""
    return load_network(name)


def number(x: float) -> str:
    """Shortest text that reads back as the same float64."""
    return repr(float(x))


def plain(text: str) -> str:
    """Text that survives as a note: one line, no quotes, nothing that Antimony's notes would read as markup."""
    return re.sub(r"([\\`*_#<>\[\]])", r"\\\1", " ".join(text.split())).replace('"', "'")


def identifier(name: str) -> str:
    """An id of the record as part of an SBML identifier."""
    return re.sub(r"\W", "_", name)


def times(*factors: str) -> str:
    """A product without factors that are 1."""
    return "*".join(f for f in factors if f and f != "1") or "1"


class ModelText:
    """Lines of the text, and the numbers in it.

    Attributes
    ----------
    lines : of the text
    constants : value of every constant, by name
    started : value of every state at time 0, by name
    """

    def __init__(self, equations: CellEquations, start: Start) -> None:
        self.equations = equations
        self.model, self.columns = equations.model, equations.columns
        self.lines: list[str] = []
        self.constants: dict[str, float] = {}
        values = equations.start(start)
        self.started = dict(zip(equations.names, (float(x) for x in values), strict=True))
        self.record: dict[str, Parameter] = load_parameters()
        self.level = {k: float(v[0]) for k, v in self.columns.attributes.items()}
        self.compartment = self.columns.compartments[0]
        self.written: set[str] = set()

    def section(self, title: str) -> None:
        self.lines.append(f"\n// ---- {title}")

    def value(
        self, name: str, value: float, unit: str, comment: str = "", note: str = "", sbo: str = ""
    ) -> str:
        """A constant with its unit; returns its name."""
        if name in self.written:
            return name
        self.written.add(name)
        self.constants[name] = float(value)
        tail = f"  // {comment}" if comment else ""
        self.lines.append(f"{name} = {number(value)}; {name} has {unit};{tail}")
        if sbo:
            self.lines.append(f"{name}.sboTerm = {SBO[sbo]};")
        if note:
            self.lines.append(f'{name} notes "{plain(note)}";')
        return name

    def parameter(self, key: str, unit: str = "dimensionless") -> str:
        """A parameter of the record under its id with dots as underscores; returns that name."""
        return self.value(identifier(key), self.model.values[key], unit, note=self.note(key))

    def note(self, key: str) -> str:
        """What a parameter is and where its value in the record comes from."""
        entry = self.record[key]
        return f"{entry.label}. {entry.quality.capitalize()}, {entry.source}: {entry.locator}."

    def attribute(self, name: str) -> str:
        """Name of the constant that holds an attribute of the cell."""
        return f"cell_{name}"

    def rule(self, name: str, expression: str, unit: str = "dimensionless", sbo: str = "") -> str:
        """A quantity that follows from others at any time; returns its name."""
        self.lines.append(f"{name} := {expression}; {name} has {unit};")
        if sbo:
            self.lines.append(f"{name}.sboTerm = {SBO[sbo]};")
        return name

    def state(self, name: str, unit: str, derivative: str, sbo: str = "") -> None:
        """A state with its start and rate of change."""
        self.lines.append(f"{name} = {number(self.started[name])}; {name} has {unit};")
        self.lines.append(f"{name}' = {derivative};")
        if sbo:
            self.lines.append(f"{name}.sboTerm = {SBO[sbo]};")

    def signal(self, k: int) -> str:
        """Name of an input or node in the text."""
        network = self.model.network
        name = network.names[k]
        return f"input_{name}" if k < network.n_inputs else readout_name(name)

    def untreated(self, node: str) -> str:
        """Name of the constant that holds a node's value in the untreated cell."""
        return self.value(f"untreated_{node}", float(self.equations.rest[node][0]), "dimensionless")
