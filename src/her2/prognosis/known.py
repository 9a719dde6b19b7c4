"""What is known of a patient as conditions on virtual patients: values that are fixed, levels that are selected.

A marker that the virtual patients have as yes or no, or as a number, is fixed by the population value behind it. A
marker known as high or low selects the virtual patients on that side of a limit. What the virtual patients do not have
(serum HER2, ejection fraction) is used by the rules only, and said so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import Attribute, BrainEntry
from her2.engine.rng import Purpose, normals
from her2.patients.sample import Cohort
from her2.prognosis.settings import setting
from her2.sequencing.agents import is_a
from her2.sequencing.state import Biomarkers, PatientState

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
TIL_INDEX = 16
"""Random index of the level of effector cells (`her2.patients.sample`)."""
TIL = "til"
RECIPES = ("first_line_metastatic", "second_line", "later_line")
"""Population recipes by the number of earlier lines, the last for all beyond."""
VISCERAL_SITES = ("liver", "lung", "pleura", "other_visceral")


@dataclass(frozen=True)
class Fact:
    """One thing known of the patient and what becomes of it.

    Attributes
    ----------
    item : place in the case file
    use : `fixed` (every twin has it), `selected` (twins on this side of a limit), `history` (weights of the twins),
        or `rules` (no part of the virtual patients)
    ids : entries of the record behind it
    """

    item: str
    value: str
    use: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limit:
    """Virtual patients on one side of a limit of one attribute.

    Attributes
    ----------
    row : row of the attributes, or `til` for the level of lymphocytes
    limit : of the attribute's scale; a string is a parameter whose value it is
    factor : of the limit
    above : at or above the limit, otherwise below it
    """

    item: str
    row: Attribute | str
    limit: str | float
    factor: float = 1.0
    above: bool = True

    def holds(self, cohort: Cohort, values: Mapping[str, float], til: Array) -> Flags:
        """Whether each patient is on this side: (patients,)."""
        limit = self.factor * (values[self.limit] if isinstance(self.limit, str) else self.limit)
        level = til if isinstance(self.row, str) else cohort.attributes[self.row]
        return np.asarray((level >= limit) == self.above)


@dataclass(frozen=True)
class Known:
    """Everything known, as conditions.

    Attributes
    ----------
    recipe : population recipe of the virtual patients
    values : population values that replace the recipe's
    limits : selections
    any_pathway : True or False where the PI3K pathway is known to be active or not, without saying how
    brain_entry : brain metastases at the start of the option (`engine.layout.BrainEntry`)
    """

    recipe: str
    values: Mapping[str, float]
    limits: tuple[Limit, ...]
    any_pathway: bool | None
    brain_entry: BrainEntry
    facts: tuple[Fact, ...]

    def select(self, cohort: Cohort, values: Mapping[str, float], seed: int) -> Flags:
        """Whether each drawn patient agrees with all selections: (patients,).

        Parameters
        ----------
        cohort : as drawn, with consecutive ids
        values : every parameter, with those of the recipe and of this patient
        """
        inside = np.ones(cohort.n, dtype=np.bool_)
        til = np.zeros(0)
        if any(limit.row == TIL for limit in self.limits):
            til = np.asarray(normals(seed, cohort.first_id, cohort.n, int(Purpose.ATTRIBUTE), TIL_INDEX))
        for limit in self.limits:
            inside &= limit.holds(cohort, values, til)
        if self.any_pathway is not None:
            active = (cohort.attributes[Attribute.PIK3CA] > 0.5) | (cohort.attributes[Attribute.PTEN] < 0.99)
            inside &= active == self.any_pathway
        return inside


_YES_NO: dict[str, tuple[str, str, str]] = {
    "pik3ca": ("population.pik3ca_mutant", "mutated", "pik3ca_mutation"),
    "pten": ("population.pten_low", "lost", "pten_loss"),
    "p95her2": ("population.p95_positive", "present", "p95her2"),
    "cyclin_e": ("population.cyclin_e_amplified", "amplified", "cyclin_e"),
    "pdl1": ("population.pdl1_positive", "positive", "pd1_pdl1"),
}
"""Markers that virtual patients have or not: population value, word for yes, mechanism."""
_LEVELS: dict[str, tuple[Attribute, str, str]] = {
    "her2_level": (Attribute.HER2, "receptors.reference_her2", "her2_level"),
    "her3_level": (Attribute.HER3, "receptors.reference_her3", "her3_mrna_level"),
    "egfr": (Attribute.EGFR, "receptors.reference_egfr", "egfr_coexpression"),
    "igf1r": (Attribute.BYPASS, "population.bypass_median", "igf1r"),
    "met": (Attribute.BYPASS, "population.bypass_median", "met_hgf"),
}
"""Markers that virtual patients have as a level: attribute, parameter of its reference, mechanism."""
_GENOTYPES = {"vv": (1.0, 0.0), "vf": (0.0, 1.0), "ff": (0.0, 0.0)}
_BRAIN = {
    None: BrainEntry.ANY, "none": BrainEntry.NONE, "untreated": BrainEntry.UNTREATED, "treated": BrainEntry.TREATED,
    "progressive": BrainEntry.TREATED,
}  # fmt: skip


def known_of(state: PatientState) -> Known:
    """What is known of a patient, as conditions on virtual patients."""
    values: dict[str, float] = {}
    limits: list[Limit] = []
    lines = state.completed or ()
    recipe = RECIPES[min(len(lines), len(RECIPES) - 1)]
    facts = [Fact("population", recipe, "fixed", (recipe,))]
    for found in _body(state, values):
        facts.append(found)
    for found in _markers(state.biomarkers, values, limits):
        facts.append(found)
    for found in _early(state, values):
        facts.append(found)
    for k, line in enumerate(lines):
        for field in ("agents", "best_response", "months", "stopped_for", "months_since"):
            value = getattr(line, field)
            if value is not None:
                shown = (
                    "+".join(value)
                    if isinstance(value, tuple)
                    else f"{value:g}"
                    if isinstance(value, float)
                    else value
                )
                use = "rules" if field == "months_since" and k == len(lines) - 1 else "history"
                facts.append(Fact(f"lines.{k}.{field}", str(shown), use))
    if state.cns.metastases is not None:
        facts.append(Fact("cns.metastases", state.cns.metastases, "fixed", ("cns.detectable_log10",)))
    pathway = state.biomarkers.pi3k_pathway
    return Known(
        recipe=recipe,
        values=values,
        limits=tuple(limits),
        any_pathway=None if pathway is None else pathway == "active",
        brain_entry=_BRAIN[state.cns.metastases],
        facts=tuple(facts),
    )


def _body(state: PatientState, values: dict[str, float]) -> Iterator[Fact]:
    if state.hormone_receptor is not None:
        values["population.er_positive"] = float(state.hormone_receptor == "positive")
        yield Fact(
            "hormone_receptor", state.hormone_receptor, "fixed", ("er_escape", "population.er_positive")
        )
    if state.age is not None:
        values |= {"population.age_mean": state.age, "population.age_sd": 0.0}
        yield Fact("age", f"{state.age:g}", "fixed", ("population.age_mean", "death.background_per_decade"))
    if state.weight is not None:
        values |= {"population.weight_median": state.weight, "population.weight_log_sd": 0.0}
        yield Fact("weight", f"{state.weight:g}", "fixed", ("population.weight_median",))
    if state.ecog is not None:
        values["population.ecog_1"] = float(state.ecog >= 1)
        yield Fact("ecog", f"{state.ecog}", "fixed", ("population.ecog_1", "death.ecog_log"))
    if state.sites is not None:
        visceral = any(s in VISCERAL_SITES for s in state.sites)
        values |= {"population.visceral": float(visceral), "population.liver": float("liver" in state.sites)}
        yield Fact(
            "sites", ", ".join(state.sites) or "none", "fixed", ("population.visceral", "population.liver")
        )
    for item in ("lvef", "sex", "visceral_crisis"):
        value = getattr(state, item)
        if value is not None:
            yield Fact(item, f"{value:g}" if isinstance(value, float) else str(value).lower(), "rules")


def _markers(markers: Biomarkers, values: dict[str, float], limits: list[Limit]) -> Iterator[Fact]:
    for name in Biomarkers.model_fields:
        value = getattr(markers, name)
        if value is None:
            continue
        item = f"biomarkers.{name}"
        if name in _YES_NO:
            parameter, yes, mechanism = _YES_NO[name]
            values[parameter] = float(value == yes)
            yield Fact(item, value, "fixed", (mechanism, parameter))
        elif name == "fcgr3a":
            vv, vf = _GENOTYPES[value]
            values |= {"population.fcgr3a_vv": vv, "population.fcgr3a_vf": vf}
            yield Fact(
                item, value, "fixed", ("fcgr3a_158vf", "population.effector_vv", "population.effector_ff")
            )
        elif name in _LEVELS:
            row, reference, mechanism = _LEVELS[name]
            over = value in ("overexpressed", "normal")
            limits.append(
                Limit(
                    item, row, reference, setting("overexpressed_factor") if over else 1.0,
                    value in ("overexpressed", "high"),
                )
            )  # fmt: skip
            yield Fact(item, value, "selected", (mechanism, reference))
        elif name == TIL:
            limits.append(Limit(item, TIL, 0.0, above=value == "high"))
            yield Fact(item, value, "selected", ("tils", "population.til_log_sd"))
        elif name == "pi3k_pathway":
            yield Fact(item, value, "selected", ("pi3k_pathway_activation",))
        else:
            yield Fact(item, value, "rules")


def _early(state: PatientState, values: dict[str, float]) -> Iterator[Fact]:
    """Adjuvant and neoadjuvant treatment: whether with trastuzumab, whether with chemotherapy."""
    early = state.early_treatment
    if early is None:
        return
    given = (early.neoadjuvant, early.adjuvant)
    agents = [a for part in given for a in part or ()]
    for name, wanted in (("trastuzumab", "trastuzumab"), ("chemotherapy", "chemotherapy")):
        has = any(is_a(a, wanted) for a in agents)
        if has or None not in given:
            values[f"population.adjuvant_{name}"] = float(has)
            ids = (
                ("tumour.adjuvant_selection",)
                if name == "trastuzumab"
                else ("population.adjuvant_chemo_tolerance",)
            )
            yield Fact("early", f"{name}: {'yes' if has else 'no'}", "fixed", ids)
    if (
        values.get("population.adjuvant_trastuzumab") == 1.0
        and "population.adjuvant_chemotherapy" not in values
    ):
        values["population.adjuvant_chemotherapy"] = 1.0
    for name in ("months_since_trastuzumab", "months_since_pertuzumab", "months_since_taxane"):
        months = getattr(early, name)
        if months is not None and math.isfinite(months):
            yield Fact(f"early.{name}", f"{months:g}", "rules")
