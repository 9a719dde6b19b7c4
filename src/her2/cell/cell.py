"""A cell: what distinguishes it from the reference cell, read from the record or a file of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from her2.cell.attributes import Compartment, catalogue, check
from her2.errors import RecordError, unknown
from her2.evidence.biology import CellFile
from her2.evidence.load import files_of, is_there, parse, read_yaml, show_path

if TYPE_CHECKING:
    import polars as pl

    from her2.cell.combination import Combination
    from her2.cell.condition import Dose
    from her2.cell.dose_response import DoseResponse, GRMetrics


@dataclass(frozen=True)
class Origin:
    """Where a value of a cell comes from: a source of the record with its place, or the user, or a switch."""

    source: str
    locator: str = ""
    quality: str = ""


GIVEN = Origin("given")
"""A value from the caller."""


@dataclass(frozen=True)
class Cell:
    """A cell line or a cell of the user's own.

    Attributes
    ----------
    id, name : as in the record, or as the user calls it
    attributes : what differs from the reference cell, by attribute, in the unit of the catalogue
    her2_amplified : whether HER2 is amplified, None where nothing is said
    disabled : drug actions that switches take away
    parameters : factors on parameters from switches
    adds : drugs that switches give, by agent; they are given beside any treatment
    origins : where each attribute comes from
    switches : grades of the switches set so far
    describes : one line on the cell
    """

    id: str
    name: str
    attributes: Mapping[str, float]
    her2_amplified: bool | None = None
    disabled: frozenset[tuple[str, str, str]] = frozenset()
    parameters: Mapping[str, float] | None = None
    adds: Mapping[str, Dose] | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)
    switches: Mapping[str, float] = field(default_factory=dict)
    describes: str = ""

    def with_attributes(self, values: Mapping[str, float]) -> Cell:
        """The same cell with other values of some attributes."""
        checked = {k: check(k, v, f"cell {self.id}") for k, v in values.items()}
        return replace(
            self,
            attributes={**self.attributes, **checked},
            origins={**self.origins, **dict.fromkeys(checked, GIVEN)},
        )

    def with_switches(self, grades: Mapping[str, float], compartment: Compartment | None = None) -> Cell:
        """The same cell with switches set; see `her2.cell.switches.apply_switches`.

        Parameters
        ----------
        grades : from 0 (as in the cell) to 1 (in full), by switch
        """
        from her2.cell.switches import apply_switches

        return apply_switches(self, grades, compartment)

    def respond(
        self,
        drugs: Mapping[str, Dose] | None = None,
        *,
        ligands: Mapping[str, float] | None = None,
        compartment: Compartment = "culture",
        days: float | None = None,
        members: int = 32,
    ) -> pl.DataFrame:
        """Every readout of the cell untreated and treated.

        Parameters
        ----------
        drugs : nmol/L or `clinical` (the average exposure at the label dose), by agent
        ligands : relative level, by ligand
        days : of treatment; default 3 in a culture, 28 in a tumour or brain metastasis; 0 is before any adaptation
        members : members of the ensemble behind the 90 % intervals; 0 for none

        Returns
        -------
        One row per readout: `readout`, `unit`, `untreated`, `treated`, and with two members or more the 5 % and 95 %
        quantiles of both (`untreated_5`, `untreated_95`, `treated_5`, `treated_95`).

        Raises
        ------
        her2.errors.UnknownNameError, her2.errors.RecordError
            An unknown drug, ligand or compartment; an impossible dose.
        """
        from her2.cell.state import cell_state

        return cell_state(
            self, drugs or {}, ligands=ligands, compartment=compartment, days=days, members=members
        ).table()

    def dose_response(
        self,
        drug: str,
        doses: Sequence[float] | None = None,
        hours: float = 72.0,
        *,
        background: Mapping[str, Dose] | None = None,
        ligands: Mapping[str, float] | None = None,
        compartment: Compartment = "culture",
        members: int = 32,
    ) -> pl.DataFrame:
        """Growth over an assay at rising doses of one drug.

        Parameters
        ----------
        doses : (doses,), nmol/L nominal; default three decades below to two above half effect
        hours : length of the assay, h
        background : other drugs, the same at every dose and in the control
        members : members of the ensemble behind the 90 % intervals; 0 for none

        Returns
        -------
        One row per dose: `dose` (nmol/L), `net_growth` (mean over the assay, 1/day), `gr` (growth-rate inhibition
        value, 1 untreated, 0 no growth, down to -1), `fraction_affected` (share of cells missing at the end), each
        with `_5` and `_95` where there are two members or more.

        Raises
        ------
        her2.errors.UnknownNameError, her2.errors.RecordError
            An unknown drug; a dose or length that cannot be.
        """
        return self._curve(drug, doses, hours, background, ligands, compartment, members).table()

    def gr_metrics(
        self,
        drug: str,
        doses: Sequence[float] | None = None,
        hours: float = 72.0,
        *,
        background: Mapping[str, Dose] | None = None,
        ligands: Mapping[str, float] | None = None,
        compartment: Compartment = "culture",
        members: int = 32,
    ) -> GRMetrics:
        """GR50, GRmax, GRinf, h_GR, GR_AOC and IC50 of the dose-response curve; see `dose_response`."""
        return self._curve(drug, doses, hours, background, ligands, compartment, members).metrics()

    def _curve(
        self,
        drug: str,
        doses: Sequence[float] | None,
        hours: float,
        background: Mapping[str, Dose] | None,
        ligands: Mapping[str, float] | None,
        compartment: Compartment,
        members: int,
    ) -> DoseResponse:
        from her2.cell.dose_response import dose_response

        return dose_response(
            self, drug, doses, hours, background=background, ligands=ligands, compartment=compartment,
            members=members,
        )  # fmt: skip

    def combination(
        self,
        drug_a: str,
        drug_b: str,
        doses_a: Sequence[float] | None = None,
        doses_b: Sequence[float] | None = None,
        hours: float = 72.0,
        *,
        background: Mapping[str, Dose] | None = None,
        ligands: Mapping[str, float] | None = None,
        compartment: Compartment = "culture",
        members: int = 32,
    ) -> pl.DataFrame:
        """Growth on a grid of doses of two drugs, with the excess over Bliss independence and the better drug alone.

        Returns
        -------
        One row per pair of doses, both 0 included: `dose_a`, `dose_b` (nmol/L), `net_growth` (1/day), `gr`,
        `fraction_affected`, `bliss_excess`, `hsa_excess` (shares of cells), each with `_5` and `_95` where there are
        two members or more. Formulas: `her2.cell.combination`; `her2.cell.combination.combine` gives the object
        behind the table.
        """
        from her2.cell.combination import combine

        surface: Combination = combine(
            self, drug_a, drug_b, doses_a, doses_b, hours, background=background, ligands=ligands,
            compartment=compartment, members=members,
        )  # fmt: skip
        return surface.table()

    def time_course(
        self,
        drugs: Mapping[str, Dose] | None = None,
        hours: float = 24.0,
        *,
        ligands: Mapping[str, float] | None = None,
        compartment: Compartment = "culture",
        points: int = 97,
    ) -> pl.DataFrame:
        """Signals over the first hours after the drugs are added, from the full differential equations.

        Returns
        -------
        One row per time: `time` (h) and every quantity of the equations by name.

        Raises
        ------
        her2.errors.Her2Error
            If this installation has no full equations, or they cannot be solved.
        """
        from her2.cell.time_course import time_course

        return time_course(
            self, drugs or {}, hours, ligands=ligands, compartment=compartment, points=points
        ).table()


def make_cell(
    receptors: Mapping[str, float] | None = None,
    genotype: Mapping[str, float] | None = None,
    ligands: Mapping[str, float] | None = None,
    name: str = "cell",
) -> Cell:
    """A cell from numbers.

    Parameters
    ----------
    receptors : 1e6 receptors/cell
    genotype : attributes of pathway, phenotype and hormone
    ligands : relative levels

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        An unknown attribute, one in the wrong group, or an impossible value.
    """
    groups = {"receptors": receptors or {}, "genotype": genotype or {}, "ligands": ligands or {}}
    attributes: dict[str, float] = {}
    for group, values in groups.items():
        for key, value in values.items():
            attributes[key] = _checked(group, key, value, f"cell {name}, {group}")
    return Cell(name, name, attributes, origins=dict.fromkeys(attributes, GIVEN))


KINDS = {
    "receptors": ("receptor",),
    "ligands": ("ligand",),
    "genotype": ("her2_form", "pathway", "phenotype", "hormone", "surroundings"),
}
"""Kinds of attribute that each section of a cell file takes."""


def _checked(group: str, key: str, value: float, where: str) -> float:
    entries = catalogue()
    valid = [k for k, e in entries.items() if e.kind in KINDS[group]]
    if key not in valid:
        raise unknown("attribute", key, valid, where)
    return check(key, value, where)


def cell_names() -> tuple[str, ...]:
    """Cells of the record and of the user's folder."""
    return tuple(p.stem for p in files_of("cells"))


def normal_name(name: str) -> str:
    """A cell line's name without case and punctuation: BT-474, bt474 and BT 474 are the same."""
    return "".join(c for c in name.lower() if c.isalnum())


def load_cell(name: str) -> Cell:
    """A cell by name or from a file.

    Raises
    ------
    her2.errors.UnknownNameError
        No such cell; the nearest names are given.
    her2.errors.RecordError
        The file cannot be read, or holds impossible values; file and field are named.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or "/" in name:
        if not is_there(path):
            raise RecordError(
                f"{name[:200]}: no such file; expected a cell file or one of {', '.join(cell_names())}"
            )
        return read_cell(path)
    for found in reversed(list(files_of("cells"))):  # the user's own before those of the record
        entry = _parse(found)
        if normal_name(name) in {normal_name(x) for x in (entry.id, entry.name, *entry.aliases)}:
            return _cell(entry, show_path(found))
    raise unknown("cell", name.lower(), cell_names())


def read_cell(path: Path) -> Cell:
    """A cell from its file; see `load_cell` for errors."""
    return _cell(_parse(path), show_path(path))


def _parse(path: Path) -> CellFile:
    return parse(CellFile, read_yaml(path), show_path(path))


def _cell(entry: CellFile, where: str) -> Cell:
    attributes: dict[str, float] = {}
    origins: dict[str, Origin] = {}
    groups = {"receptors": entry.receptors, "genotype": entry.genotype, "ligands": entry.ligands}
    for group, values in groups.items():
        for key, item in values.items():
            attributes[key] = _checked(group, key, item.value, f"{where}, {group}")
            origins[key] = Origin(item.source, item.locator, item.quality)
    return Cell(
        entry.id, entry.name, attributes, entry.her2_amplified, origins=origins, describes=entry.describes
    )
