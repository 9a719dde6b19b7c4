"""The condition of a cell as the options of several commands give it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from her2.cell.cell import Cell
    from her2.cell.condition import Columns
    from her2.cell.model import CellModel

WHERE_WORDS = {"culture": "in culture", "tumour": "in a tumour", "cns": "in a brain metastasis"}
CELL_HELP = "A cell line (see `her2 cell --list`), or the path of a cell file."
DRUG_HELP = "Drugs, as trastuzumab+lapatinib; each without a dose is at its average clinical exposure."
DOSE_HELP = "Doses, nmol/L nominal or 'clinical', as lapatinib=100,trastuzumab=clinical."
WITH_HELP = "Switches with their grade, 0 to 1, as pten-loss=0.8."
LIGAND_HELP = "Levels of ligands, as heregulin=5,egf=1."
WHERE_HELP = "culture, tumour or cns (a brain metastasis)."


@dataclass(frozen=True)
class ChosenCondition:
    """One cell in one condition, with the model to run it on.

    Attributes
    ----------
    days : length of the treatment
    title : the condition in words
    """

    cell: Cell
    model: CellModel
    columns: Columns
    days: float
    title: str


def read_condition(
    line: str, drug: str, dose: str, with_: str, ligand: str, where: str, days: float | None
) -> ChosenCondition:
    """The condition that the options describe, on the central model.

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        An unknown cell, drug, switch, ligand or compartment; a value that cannot be.
    """
    from her2.cell.attributes import COMPARTMENTS
    from her2.cell.cell import load_cell
    from her2.cell.condition import Treatment, make_columns
    from her2.cell.evaluate import check_span, default_days, drug_id, model_of, named_drugs, with_added
    from her2.cell.report import shown_dose
    from her2.cell.state import MOST_DAYS
    from her2.cell.switches import apply_switches
    from her2.cli.commands.cell import _doses, _ligands, _names, _pairs
    from her2.errors import unknown

    if where not in COMPARTMENTS:
        raise unknown("compartment", where, COMPARTMENTS)
    cell = load_cell(line)
    if with_:
        cell = apply_switches(cell, _pairs(with_, "--with", missing=1.0), where)
    given = named_drugs(_doses(dose))
    drugs = {name: shown_dose(name, where) for name in (drug_id(d) for d in _names(drug))} | given
    length = check_span("days", default_days(where) if days is None else days, MOST_DAYS, "days")
    treatment = with_added(cell, Treatment(drugs, _ligands(ligand), where, length))
    model = model_of(cell)
    columns = make_columns([cell.attributes], [treatment], model.agents, model.values, cell.disabled)
    doses = [
        f"{model.agent(name).name} {value if isinstance(value, str) else f'{value:g} nmol/L'}"
        for name, value in treatment.drugs.items()
    ]
    switches = "".join(f", {name} {grade:g}" for name, grade in cell.switches.items())
    title = f"{cell.name} {WHERE_WORDS[where]}{switches}: {' + '.join(doses) or 'no drug'}"
    return ChosenCondition(cell, model, columns, length, title)
