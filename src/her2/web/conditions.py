"""A cell under drugs, ligands and switches as a request gives it, and the columns that the model is asked for."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from her2.cell.attributes import Compartment
from her2.cell.cell import Cell, load_cell, make_cell
from her2.cell.condition import Columns, Dose, Treatment, make_columns
from her2.cell.evaluate import check_span, default_days, model_of, named_drugs, with_added
from her2.cell.model import CellModel
from her2.cell.report import shown_dose
from her2.cell.state import MOST_DAYS
from her2.cell.switches import apply_switches
from her2.errors import RecordError, unknown
from her2.web.reply import dump

Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
"""As all numbers of a body: neither a truth value nor digits in quotes."""
DoseIn = Literal["clinical", ""] | Annotated[float, Field(ge=0.0, le=1e9, allow_inf_nan=False, strict=True)]
Name = Annotated[str, Field(min_length=1, max_length=80)]
WHERE_WORDS = {"culture": "in culture", "tumour": "in a tumour", "cns": "in a brain metastasis"}


class OwnCell(BaseModel):
    """A cell of one's own: what is not given is as in the reference cell."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=60)] = "own cell"
    receptors: Annotated[dict[Name, Number], Field(max_length=40)] = Field(
        default_factory=dict, description="1e6/cell"
    )
    genotype: Annotated[dict[Name, Number], Field(max_length=60)] = Field(default_factory=dict)
    ligands: Annotated[dict[Name, Number], Field(max_length=40)] = Field(
        default_factory=dict, description="relative level"
    )


class ConditionIn(BaseModel):
    """A cell in a condition."""

    model_config = ConfigDict(extra="forbid")

    cell: Name = Field(
        default="reference", description="a cell line; `reference` is the reference HER2 3+ cell"
    )
    own: OwnCell | None = Field(default=None, description="a cell of one's own in place of `cell`")
    drugs: Annotated[dict[Name, DoseIn], Field(max_length=12)] = Field(
        default_factory=dict,
        description="nmol/L nominal, or `clinical` (the average exposure at the label dose)",
    )
    switches: Annotated[dict[Name, Annotated[Number, Field(ge=0.0, le=1.0)]], Field(max_length=40)] = Field(
        default_factory=dict, description="grade, 0 to 1"
    )
    ligands: Annotated[dict[Name, Annotated[Number, Field(ge=0.0, le=1e6)]], Field(max_length=40)] = Field(
        default_factory=dict, description="relative level"
    )
    where: Literal["culture", "tumour", "cns"] = "culture"
    days: Annotated[Number, Field(ge=0.0, le=MOST_DAYS)] | None = Field(
        default=None, description="of treatment; default 3 in culture, else 28; 0: before any adaptation"
    )


class Condition:
    """A condition made ready for the model.

    Attributes
    ----------
    cell, model : with the switches set
    drugs, ligands, where : of the treatment, drugs by id
    days : of treatment
    title : in words
    """

    def __init__(self, asked: ConditionIn) -> None:
        self.where: Compartment = asked.where
        cell = _own(asked.own) if asked.own is not None else named_cell(asked.cell)
        if asked.switches:
            cell = apply_switches(cell, asked.switches, asked.where)
        self.cell: Cell = cell
        _check_ligands(asked.ligands)
        self.ligands = dict(asked.ligands)
        given: dict[str, Dose] = {k: v for k, v in asked.drugs.items() if v != ""}
        plain = [k for k, v in asked.drugs.items() if v == ""]
        self.drugs: dict[str, Dose] = named_drugs(given)
        for name in named_drugs(dict.fromkeys(plain, 0.0)):
            self.drugs.setdefault(name, shown_dose(name, asked.where))
        length = default_days(asked.where) if asked.days is None else asked.days
        self.days = check_span("days", length, MOST_DAYS, "days")
        self.model: CellModel = model_of(cell)
        treatment = with_added(cell, Treatment(self.drugs, self.ligands, self.where, self.days))
        self.all_drugs: dict[str, Dose] = dict(treatment.drugs)
        for name in self.all_drugs:
            self.model.agent(name)
        self._treatment = treatment

    def columns(self, copies: int = 1) -> Columns:
        """The same condition in one or several columns."""
        m = self.model
        return make_columns(
            [self.cell.attributes] * copies,
            [self._treatment] * copies,
            m.agents,
            m.values,
            self.cell.disabled,
        )

    @property
    def title(self) -> str:
        """As `her2 network` says it."""
        doses = [
            f"{self.model.agent(k).name} {v if isinstance(v, str) else f'{v:g} nmol/L'}"
            for k, v in self.all_drugs.items()
        ]
        switches = "".join(f", {name} {grade:g}" for name, grade in self.cell.switches.items())
        return f"{self.cell.name} {WHERE_WORDS[self.where]}{switches}: {' + '.join(doses) or 'no drug'}"


def condition_of(asked: ConditionIn) -> Condition:
    """The condition that a request describes.

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        An unknown cell, drug, switch or ligand; a value that cannot be.
    """
    return Condition(asked)


@lru_cache(maxsize=256)
def named_cell(name: str) -> Cell:
    """A cell of the record by name; paths of files are refused, the server reads none for a stranger."""
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        raise RecordError(
            f"cell '{name[:60]}': expected the name of a cell line, or a cell of your own under 'own'"
        )
    return load_cell(name)


def _own(asked: OwnCell) -> Cell:
    return make_cell(asked.receptors, asked.genotype, asked.ligands, asked.name)


def _check_ligands(given: dict[str, float]) -> None:
    from her2.cell.attributes import catalogue

    valid = [k for k, a in catalogue().items() if a.kind == "ligand"]
    for name in given:
        if name not in valid:
            raise unknown("ligand", name, valid, "ligands")


def key_of(*parts: object) -> str:
    """Digest that names a result by what was asked and what came out."""
    return hashlib.blake2b(dump(parts), digest_size=16).hexdigest()
