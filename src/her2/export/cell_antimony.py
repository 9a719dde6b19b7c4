"""The full model of one cell in one condition as Antimony text, written from the record's numbers.

Every constant comes from the `CellModel`, the cell and its drugs; none is typed here. The equations are those listed in
`her2.export.cell_course`, which integrates them in Python, but written from the attributes and parameters up without
use of `her2.cell.respond` and `her2.cell.effects`, so that each form checks the other. The text depends on which drugs
there are and which of their actions are switched off; all else is numbers, so that a loaded model can be given
another cell, parameter set or dose by new values of its constants (`CellText.constants`, `CellText.start`).
Not in the text: mixed tumours (attribute `heterogeneity`), changes of drug level with time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from her2.cell.attributes import catalogue
from her2.cell.condition import Columns
from her2.cell.model import CellModel
from her2.export.cell_course import KINASE_RETURN_H, CellEquations, Start
from her2.export.cell_text.drugs import DrugText
from her2.export.cell_text.pathway import PathwayText
from her2.export.cell_text.phenotype import PhenotypeText
from her2.export.cell_text.receptors import ReceptorText
from her2.export.cell_text.text import SBO, ModelText, identifier, network_record, plain
from her2.export.reference import DISSOCIATION_PER_H, TURNOVER_PER_H

_PREAMBLE = """\
// {title}
// For research, not for treating patients.
// Time: hour. Receptors and dimers: 1e6 per cell. Drugs: nmol/L of active drug at the cell. Pathway: normalised
// activity, 0 to 1. Rates of the phenotype: 1/day. Cells: ln of their number relative to the start.
// The values 'untreated_...' and the start are those of this cell at rest: for another cell, run it without drugs to
// rest and enter what it comes to.

function positive(x)
  piecewise(x, x > 0, 0)
end

function between(x, low, high)
  piecewise(low, x < low, high, x > high, x)
end

function at_least(x, low)
  piecewise(x, x > low, low)
end

function hill(x, n, beta, kappa)  // normalised: 0 at 0, 1/2 at ec50, 1 at 1
  beta*positive(x)^n/(kappa + positive(x)^n)
end

function half_saturated(x)  // a level relative to its reference
  x/(1 + x)
end

function uptake(x, n, half)  // of a conjugate at an amount of bound receptor
  positive(x/half)^n/(positive(x/half)^n + 1)
end

model *her2_cell()

// ---- units
unit time_unit = 3600 second;
unit substance = 1e6 item;
unit extent = 1e6 item;
unit hour = 3600 second;
unit per_hour = 1/(3600 second);
unit per_day = 1/(86400 second);
unit day_per_hour = 86400 second/(3600 second);
unit million = 1e6 item;
unit per_million = 1/(1e6 item);
unit nanomolar = 1e-9 mole/litre;
"""

IDENTIFIERS: dict[str, Callable[[str], str]] = {
    "chebi": lambda x: x if x.startswith("CHEBI:") else f"CHEBI:{x}",
    "ncit": lambda x: f"ncit:{x}",
    "unii": lambda x: f"unii:{x}",
    "atc": lambda x: f"atc:{x}",
}
"""Compact identifiers of an agent at identifiers.org, the most exact first."""


@dataclass(frozen=True)
class CellText:
    """A model as Antimony text, and the numbers in it.

    Attributes
    ----------
    text : one model, `her2_cell`; the states are those of `her2.export.cell_course.state_names`
    constants : value of every constant by name; all are numbers in the text, none is an expression
    start : value of every state at time 0, by name
    """

    text: str
    constants: dict[str, float]
    start: dict[str, float]


def cell_antimony(
    model: CellModel,
    columns: Columns,
    start: Start = "untreated",
    *,
    title: str = "A cell with HER2 in one condition, full model.",
    untreated: Columns | None = None,
    dissociation_per_h: float = DISSOCIATION_PER_H,
    turnover_per_h: float = TURNOVER_PER_H,
    kinase_return_h: float = KINASE_RETURN_H,
) -> CellText:
    """The full model of one cell as Antimony; arguments and errors as `her2.export.cell_course.cell_course`.

    Parameters
    ----------
    columns : one cell; every drug named is in the text, also one whose concentration is 0
    title : first line of the text and note of the model

    Sources
    -------
    kraeutler_2010 : the form of the pathway layer.
    """
    equations = CellEquations(
        model,
        columns,
        untreated,
        dissociation_per_h=dissociation_per_h,
        turnover_per_h=turnover_per_h,
        kinase_return_h=kinase_return_h,
    )
    text = ModelText(equations, start)
    text.lines.append(_PREAMBLE.format(title=" ".join(title.split())))
    drugs = DrugText(text)
    _write_cell(text)
    drugs.write()
    ReceptorText(text, drugs).write()
    PathwayText(text, drugs).write()
    PhenotypeText(text, drugs).write()
    _write_identifiers(text, drugs, title)
    text.lines.append("end\n")
    return CellText("\n".join(text.lines), text.constants, text.started)


def _write_cell(text: ModelText) -> None:
    text.section("the cell and its surroundings")
    for name, entry in catalogue().items():
        if name == "heterogeneity":
            continue
        unit = "million" if entry.kind == "receptor" else "dimensionless"
        sbo = "amount" if entry.kind == "receptor" else ""
        text.value(text.attribute(name), text.level[name], unit, entry.label, sbo=sbo)


def _write_identifiers(text: ModelText, drugs: DrugText, title: str) -> None:
    """Model, receptors, dimers and drugs in the terms of public databases."""
    layer = text.model.receptors
    record = {entry["id"]: entry for entry in network_record("receptors")["species"]}
    text.section("identifiers and notes")
    text.lines.append(f'model notes "{plain(title)} For research, not for treating patients.";')
    text.lines.append(f"model.sboTerm = {SBO['framework']};")
    text.lines.append('model hasTaxon "https://identifiers.org/taxonomy:9606";')
    for species in layer.species:
        entry = record[species]
        # a truncated or spliced form is a version of the protein of that entry, not the protein
        relation = "identity" if "label" not in entry else "isVersionOf"
        gene = entry["hgnc"].removeprefix("HGNC:")
        text.lines.append(f'free_{species} {relation} "https://identifiers.org/uniprot:{entry["uniprot"]}";')
        text.lines.append(f'free_{species} isEncodedBy "https://identifiers.org/hgnc:{gene}";')
    for d, dimer in enumerate(layer.dimers):
        pair = {record[layer.species[k]]["uniprot"] for k in (layer.dimer_first[d], layer.dimer_second[d])}
        for protein in sorted(pair):
            text.lines.append(f'{dimer} hasPart "https://identifiers.org/uniprot:{protein}";')
    claims = {d["id"]: d.get("claims", []) for d in network_record("receptors")["dimers"]}
    for dimer in layer.dimers:
        if claims.get(dimer):
            text.lines.append(f'{dimer} notes "Claims: {plain(", ".join(claims[dimer]))}.";')
    for agent in drugs.agents:
        known = {str(k): v for k, v in text.model.agent(agent).identifiers.items()}
        for database, compact in IDENTIFIERS.items():
            if database in known:
                place = f"https://identifiers.org/{compact(known[database])}"
                text.lines.append(f'conc_{identifier(agent)} identity "{place}";')
        text.lines.append(f'conc_{identifier(agent)} notes "{plain(text.model.agent(agent).name)}";')
