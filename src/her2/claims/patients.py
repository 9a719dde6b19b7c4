"""Patients of a cohort experiment: those of the virtual trials, seen as cells of the cell model.

Attributes, clones, burden, growth, frailty and sensitivity to chemotherapy are drawn by `her2.patients.sample`, number
by number as in a trial. What the trials do not follow keeps the value of the reference cell, unless an experiment
compares patients by it: then half of the patients have it (an attribute that is absent in the reference cell, or
complete), or it is spread as receptors are (an attribute with a level), or alleles are drawn with equal frequencies.

Subgroups are twins. The recipe draws attributes independently of each other, so patients with and without an attribute
differ in nothing else on average; a subgroup is therefore the whole cohort, in which those outside it take over the
attribute, and what is drawn together with it, from one inside. That has the expectation of a comparison of subgroups
without the luck of small ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from her2.cell.attributes import catalogue, defaults
from her2.cell.model import CellModel
from her2.cell.respond import REFERENCE_IGF1R
from her2.engine.layout import Attribute
from her2.engine.rng import Purpose, normals, uniforms
from her2.errors import RecordError
from her2.evidence.load import load_population
from her2.model import build_model
from her2.patients.sample import class_sensitivity, lymphocytes, population_values, sample_cohort

Array = NDArray[np.float64]
SEED = 1
RECIPE = "first_line_metastatic"
EXTRA = 20_000
"""Random indices from here on are this module's own; see `her2.patients.sample` for the others."""
DRAWN = (
    "egfr", "her2", "her3", "p95_share", "egf", "heregulin", "igf1r", "pik3ca", "pten", "er", "cyclin_e", "bim",
    "independent", "effector", "til", "fcgr3a_v",
)  # fmt: skip
"""Attributes that differ between the patients of the trials."""
LINKED = {"til": ("effector",), "effector": ("til",), "her2": ("independent",), "independent": ("her2",)}
"""Attributes that are drawn together."""
ALLELES = ("fcgr3a_v", "fcgr2a_h", "fcgr2b_t")


@dataclass(frozen=True)
class Patients:
    """Virtual patients as arrays, the patient axis last.

    Attributes
    ----------
    first : id of the first patient; ids are consecutive and key all random numbers
    values : every parameter, with those of the population recipe
    attributes : every attribute of the catalogue, each (patients,)
    growth : (patients,) 1/day, of an untreated clone without drive in excess of the reference
    log_burden : (patients,) ln cells at the start
    fractions : (clones, patients) ln share of each clone at the start
    frailty, background : (patients,) factor on the hazard of death; hazard of other death, 1/day
    baseline_sum : (patients,) mm
    cns_seed : (patients,) ln cells, -99 for none
    sensitivity : by cytotoxic class, each (patients,)
    """

    first: int
    values: Mapping[str, float]
    attributes: Mapping[str, Array]
    growth: Array
    log_burden: Array
    fractions: Array
    frailty: Array
    background: Array
    baseline_sum: Array
    cns_seed: Array
    sensitivity: Mapping[str, Array]

    @property
    def n(self) -> int:
        """Number of patients."""
        return int(self.growth.size)

    def normal(self, purpose: Purpose, index: int) -> Array:
        """Standard normal numbers of these patients for a purpose: the same in every arm."""
        return np.asarray(normals(SEED, self.first, self.n, int(purpose), index))

    def uniform(self, purpose: Purpose, index: int) -> Array:
        """Uniform numbers of these patients for a purpose: the same in every arm."""
        return np.asarray(uniforms(SEED, self.first, self.n, int(purpose), index))


def draw_patients(model: CellModel, setting: str, first: int, n: int) -> Patients:
    """Patients `first` to `first + n - 1` before their first therapy.

    Parameters
    ----------
    setting : `metastatic`; in `neoadjuvant` and `adjuvant` nobody has had adjuvant therapy
    """
    engine = build_model(model.values)
    values = population_values(engine, load_population(RECIPE))
    if setting != "metastatic":
        values["population.adjuvant_trastuzumab"] = 0.0
        values["population.adjuvant_chemotherapy"] = 0.0
    cohort = sample_cohort(engine, values, SEED, first, n)
    a = cohort.attributes
    cells = {k: np.full(n, v) for k, v in defaults("tumour").items()}
    for name in (
        "egfr", "her2", "her3", "p95_share", "egf", "heregulin", "pik3ca", "pten", "er", "cyclin_e", "bim",
        "independent",
    ):  # fmt: skip
        cells[name] = a[Attribute[name.upper()]].copy()
    cells["igf1r"] = REFERENCE_IGF1R * a[Attribute.BYPASS] / values["population.bypass_median"]
    genotype = uniforms(SEED, first, n, int(Purpose.ATTRIBUTE), 15)
    vv, vf = values["population.fcgr3a_vv"], values["population.fcgr3a_vf"]
    cells["fcgr3a_v"] = np.where(genotype < vv, 2.0, np.where(genotype < vv + vf, 1.0, 0.0))
    level = lymphocytes(
        values, *(np.asarray(normals(SEED, first, n, int(Purpose.ATTRIBUTE), index)) for index in (16, 17))
    )
    # lymphocytes and effector cells rise together; their joint kill is proportional to the level of the sample
    share = values["immune.tcell_share"]
    cells["til"] = np.asarray(level)
    cells["effector"] = np.asarray(level / ((1.0 - share) + share * level))
    resistant = a[int(Attribute.CLONE_FRACTION) :]
    sensitive = np.log(np.maximum(1.0 - np.exp(resistant).sum(axis=0), 1e-6))
    return Patients(
        first=first,
        values=values,
        attributes={k: np.clip(v, catalogue()[k].low, catalogue()[k].high) for k, v in cells.items()},
        growth=a[Attribute.GROWTH].copy(),
        log_burden=a[Attribute.LOG_BURDEN].copy(),
        fractions=np.concatenate((sensitive[None, :], resistant)),
        frailty=a[Attribute.FRAILTY].copy(),
        background=a[Attribute.BACKGROUND_DEATH].copy(),
        baseline_sum=a[Attribute.BASELINE_SUM].copy(),
        cns_seed=a[Attribute.CNS_SEED].copy(),
        sensitivity=class_sensitivity(
            values,
            values["tumour.line_tolerance"]
            * values["population.adjuvant_chemo_tolerance"]
            * a[Attribute.ADJUVANT_CHEMOTHERAPY],
            a[Attribute.GROWTH],
            lambda index: np.asarray(normals(SEED, first, n, int(Purpose.ATTRIBUTE), index)),
        ),
    )


def with_spread(patients: Patients, name: str) -> Patients:
    """The patients with an attribute that the trials do not follow drawn; unchanged if it varies already.

    Attributes that are absent or complete in the reference cell: half of the patients have none of it and half one unit
    (complete or lost, where 1 is the limit). Alleles: drawn with equal frequencies. Levels: log-normal around the
    reference cell, with the common log SD of receptors.
    """
    x = patients.attributes[name]
    if name in DRAWN or np.ptp(x) > 0.0:
        return patients
    entry = catalogue()[name]
    index = EXTRA + zlib.crc32(name.encode()) % 1_000_000
    u = patients.uniform(Purpose.ATTRIBUTE, index)
    if name in ALLELES:
        drawn = np.where(u < 0.25, 0.0, np.where(u < 0.75, 1.0, 2.0))
    elif x[0] in (0.0, 1.0) and entry.kind != "ligand":
        drawn = np.where(u < 0.5, 0.0, 1.0)
    else:
        z = patients.normal(Purpose.ATTRIBUTE, index)
        middle = x[0] if x[0] > 0.0 else 1.0
        drawn = middle * np.exp(patients.values["population.receptor_log_sd"] * z)
    return _replaced(patients, {name: drawn})


def within(patients: Patients, name: str, low: float, high: float, where: str) -> Patients:
    """The cohort in which everyone has an attribute from low to high; see the head of this module.

    Raises
    ------
    her2.errors.RecordError
        If no patient is inside the range.
    """
    x = patients.attributes[name]
    inside = (x >= low) & (x <= high)
    if not inside.any():
        raise RecordError(
            f"{where}: no patient has {name} between {low:g} and {high:g} "
            f"(they lie between {x.min():g} and {x.max():g})"
        )
    donors = np.flatnonzero(inside)
    index = EXTRA + zlib.crc32(f"donor of {name}".encode()) % 1_000_000
    u = patients.uniform(Purpose.ATTRIBUTE, index)
    source = np.where(inside, np.arange(patients.n), donors[(u * donors.size).astype(np.int64)])
    moved = {k: patients.attributes[k][source] for k in (name, *LINKED.get(name, ()))}
    result = _replaced(patients, moved)
    if name == "er":
        change = (moved["er"] > 0.0).astype(np.float64) - (x > 0.0)
        factor = patients.values["tumour.growth_er_factor"] ** change
        faster = factor ** patients.values["tumour.growth_sensitivity"]
        result = replace(
            result,
            growth=patients.growth * factor,
            sensitivity={k: x * faster for k, x in patients.sensitivity.items()},
        )
    return result


def half(patients: Patients, name: str, which: str, where: str) -> Patients:
    """The cohort in which everyone has an attribute above (`high`) or not above (`low`) the median."""
    x = patients.attributes[name]
    limits = np.unique(x)
    if limits.size < 2:
        raise RecordError(f"{where}: {name} is the same in all patients, so it cannot split them")
    below = limits[limits <= np.median(x)]
    cut = float(below[-1]) if below[-1] < limits[-1] else float(limits[-2])
    above = float(limits[limits > cut][0])
    low, high = (above, np.inf) if which == "high" else (-np.inf, cut)
    return within(patients, name, low, high, where)


def with_values(patients: Patients, values: Mapping[str, float]) -> Patients:
    """The patients with attributes set to one value each."""
    return _replaced(patients, {k: np.full(patients.n, v) for k, v in values.items()})


def with_switches(patients: Patients, grades: Mapping[str, float]) -> Patients:
    """The patients with switches set, each from what the patient has; as `her2.cell.switches.apply_switches`."""
    from her2.cell.switches import load_switches

    for name, switch in load_switches().items():
        grade = float(grades.get(name, 0.0))
        for setting in switch.sets if grade else ():
            own = patients.attributes[setting.attribute]
            if setting.to is not None:
                new = own + grade * (setting.to - own)
            else:
                assert setting.factor is not None
                new = own * setting.factor**grade
            patients = _replaced(patients, {setting.attribute: new})
    return patients


def with_mixture(patients: Patients, clone: int) -> Patients:
    """Turn the share of HER2-low cells (`heterogeneity`) into the size of that clone at the start."""
    share = np.clip(patients.attributes["heterogeneity"], 0.0, 0.95)
    if not share.any():
        return patients
    fractions = patients.fractions.copy()
    fractions[clone] = np.where(
        share > 0.0, np.log(np.maximum(share, np.exp(fractions[clone]))), fractions[clone]
    )
    fractions[0] = np.log(np.maximum(1.0 - np.exp(fractions[1:]).sum(axis=0), 1e-6))
    return _replaced(replace(patients, fractions=fractions), {"heterogeneity": np.zeros(patients.n)})


def _replaced(patients: Patients, values: Mapping[str, Array]) -> Patients:
    limits = catalogue()
    clipped = {k: np.clip(v, limits[k].low, limits[k].high) for k, v in values.items()}
    return replace(patients, attributes={**patients.attributes, **clipped})
