"""Draw virtual patients: biology, burden, frailty, body, pharmacokinetics; each number keyed by patient and purpose.

A patient is the same in every trial and every arm of one seed. The order of the random indices below is part of the
model: a new attribute takes a new index, an old one is never reused.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from her2.drugs import (
    CLASS_OF,
    CYTOTOXIC_CLASSES,
    actions_of,
    fc_affinity_factor,
    is_in_plasma,
    label_dose_rate,
    site_rate,
    trastuzumab_fc,
)
from her2.engine.layout import N_ATTRIBUTES, Attribute
from her2.engine.rng import Purpose, exp_of, normals, uniforms
from her2.errors import RecordError
from her2.evidence.schema import Agent, Population
from her2.model import LN10, Model
from her2.units import check_unit

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cohort:
    """Virtual patients as arrays, the patient axis last.

    Attributes
    ----------
    first_id : id of the first patient; ids are consecutive
    attributes : (attributes, patients), rows of `engine.layout.Attribute`
    pk : (drugs, 6, patients) clearance, Vc, Q, Vp, Vmax, Km in L/day, L, mg/day, mg/L of drugs followed in plasma
    site_scale : (drugs, patients) effect-site rise per mg of the others, relative to the label exposure
    sensitivity : (drugs, patients) to each drug's kill or payload, 1 for those without
    fc_factor : (drugs, patients) antibody-dependent kill by an Fc part relative to that of trastuzumab
    cycles_normal : (patients,) standard normal behind the number of chemotherapy cycles
    """

    first_id: int
    attributes: Array
    pk: Array
    site_scale: Array
    sensitivity: Array
    fc_factor: Array
    cycles_normal: Array

    @property
    def n(self) -> int:
        """Number of patients."""
        return int(self.attributes.shape[1])

    def take(self, index: NDArray[np.int64]) -> Cohort:
        """The patients at these positions (ids are then no longer consecutive: keep them yourself)."""
        return Cohort(
            first_id=-1,
            attributes=np.ascontiguousarray(self.attributes[:, index]),
            pk=np.ascontiguousarray(self.pk[:, :, index]),
            site_scale=np.ascontiguousarray(self.site_scale[:, index]),
            sensitivity=np.ascontiguousarray(self.sensitivity[:, index]),
            fc_factor=np.ascontiguousarray(self.fc_factor[:, index]),
            cycles_normal=self.cycles_normal[index],
        )


_PK_ROWS = ("clearance", "central_volume", "intercompartmental_clearance", "peripheral_volume", "vmax", "km")


def population_values(model: Model, recipe: Population | None) -> dict[str, float]:
    """Parameter values with those of a population recipe in place of the defaults.

    Raises
    ------
    her2.errors.RecordError, her2.errors.UnknownNameError
        If the recipe names a parameter that does not exist or gives another unit.
    """
    values = dict(model.values)
    if recipe is None:
        return values
    from her2.errors import RecordError, unknown
    from her2.evidence.load import load_parameters

    parameters = load_parameters()
    for name, item in recipe.values.items():
        full = name if name.startswith("population.") else f"population.{name}"
        if full not in values:
            options = [k.removeprefix("population.") for k in values if k.startswith("population.")]
            raise unknown("population value", name, options, f"populations/{recipe.id}.yaml")
        unit = parameters[full].unit
        check_unit(item.unit, f"populations/{recipe.id}.yaml, {name}")
        if item.unit != unit:
            raise RecordError(f"populations/{recipe.id}.yaml, {name}: unit '{item.unit}', expected '{unit}'")
        values[full] = item.value
    return values


def sample_cohort(model: Model, values: Mapping[str, float], seed: int, first: int, n: int) -> Cohort:
    """Draw patients `first` to `first + n - 1`.

    Parameters
    ----------
    values : every parameter, with a recipe's replacements (`population_values`).
    seed : of the patients; another seed gives other patients.
    """
    p = {k.removeprefix("population."): v for k, v in values.items() if k.startswith("population.")}

    def z(index: int) -> Array:
        return np.asarray(normals(seed, first, n, int(Purpose.ATTRIBUTE), index))

    def u(index: int) -> Array:
        return np.asarray(uniforms(seed, first, n, int(Purpose.ATTRIBUTE), index))

    def lognormal(median: float, log_sd: float, index: int) -> Array:
        return median * np.asarray(exp_of(log_sd * z(index)))

    a = np.zeros((N_ATTRIBUTES, n))
    sd = p["receptor_log_sd"]
    er_positive = u(8) < p["er_positive"]
    a[Attribute.EGFR] = lognormal(values["receptors.reference_egfr"], p["egfr_sd_factor"] * sd, 0)
    a[Attribute.HER2] = lognormal(values["receptors.reference_her2"], p["her2_sd_factor"] * sd, 1)
    a[Attribute.HER3] = lognormal(values["receptors.reference_her3"], sd, 2)
    p95 = p["p95_share_low"] + (p["p95_share_high"] - p["p95_share_low"]) * u(4)
    a[Attribute.P95_SHARE] = np.where(u(3) < p["p95_positive"], p95, values["receptors.reference_p95_share"])
    a[Attribute.EGF] = lognormal(values["receptors.reference_egf"], sd, 5)
    a[Attribute.HEREGULIN] = lognormal(
        values["receptors.reference_heregulin"], p["heregulin_sd_factor"] * sd, 6
    )
    a[Attribute.BYPASS] = lognormal(p["bypass_median"], p["bypass_sd_factor"] * sd, 7)
    a[Attribute.PIK3CA] = u(9) < p["pik3ca_mutant"]
    a[Attribute.PTEN] = np.where(u(10) < p["pten_low"], p["pten_low_activity"], 1.0)
    a[Attribute.ER] = np.where(er_positive, lognormal(1.0, p["er_log_sd"], 11), 0.0)
    a[Attribute.ER_POSITIVE] = er_positive
    a[Attribute.CYCLIN_E] = u(12) < p["cyclin_e_amplified"]
    a[Attribute.BIM] = lognormal(1.0, p["bim_log_sd"], 13)
    addicted, independent = p["addicted_share"], p["independent_share"]
    # both shares are free; their sum may not exceed one
    total = max(1.0, addicted + independent)
    dependence = dependence_rank(values, u(14), z(1))
    a[Attribute.INDEPENDENT] = np.where(
        dependence < addicted / total,
        p["addicted_level"],
        np.where(dependence < (addicted + independent) / total, p["independent_level"], p["partly_level"]),
    )
    genotype = u(15)
    fcgr = np.where(
        genotype < p["fcgr3a_vv"],
        p["effector_vv"],
        np.where(genotype < p["fcgr3a_vv"] + p["fcgr3a_vf"], 1.0, p["effector_ff"]),
    )
    alleles = np.where(
        genotype < p["fcgr3a_vv"], 2.0, np.where(genotype < p["fcgr3a_vv"] + p["fcgr3a_vf"], 1.0, 0.0)
    )
    a[Attribute.PDL1] = u(PDL1_INDEX) < p["pdl1_positive"]
    a[Attribute.EFFECTOR] = fcgr * lymphocytes(values, z(16), z(17))
    a[Attribute.GROWTH] = lognormal(values["tumour.growth"], values["tumour.growth_log_sd"], 17) * np.where(
        er_positive, values["tumour.growth_er_factor"], 1.0
    )
    a[Attribute.LOG_BURDEN] = values["tumour.burden_log10"] * LN10 + values["tumour.burden_log_sd"] * z(18)
    ecog = u(19) < p["ecog_1"]
    a[Attribute.ECOG] = ecog
    a[Attribute.FRAILTY] = lognormal(1.0, values["death.frailty_log_sd"], 20) * np.where(
        ecog, math.exp(values["death.ecog_log"]), 1.0
    )
    third = (a[Attribute.LOG_BURDEN] - values["tumour.burden_log10"] * LN10) / 3.0
    a[Attribute.BASELINE_SUM] = np.clip(
        values["observation.baseline_sum"]
        * np.asarray(exp_of(0.5 * third + values["observation.baseline_sum_log_sd"] * z(21))),
        10.0,
        500.0,
    )
    seeded = u(22) < values["cns.seeded_share"]
    a[Attribute.CNS_SEED] = np.where(seeded, u(23) * values["cns.seed_log10_max"] * LN10 + 1e-9, -99.0)
    height = p["height_mean"] + p["height_sd"] * z(24)
    weight = lognormal(p["weight_median"], p["weight_log_sd"], 25)
    a[Attribute.WEIGHT] = weight
    a[Attribute.BSA] = np.sqrt(height * weight / 3600.0)
    age = np.clip(p["age_mean"] + p["age_sd"] * z(26), 22.0, 89.0)
    a[Attribute.AGE] = age
    a[Attribute.BACKGROUND_DEATH] = values["death.background"] * np.asarray(
        exp_of(values["death.background_per_decade"] * (age - 54.0) / 10.0)
    )
    a[Attribute.VISCERAL] = u(27) < p["visceral"]
    liver = (u(28) < p["liver"] / max(p["visceral"], 1e-9)) & (a[Attribute.VISCERAL] > 0)
    a[Attribute.LIVER] = liver
    adjuvant_t = u(29) < p["adjuvant_trastuzumab"]
    a[Attribute.ADJUVANT_TRASTUZUMAB] = adjuvant_t
    # adjuvant trastuzumab was given with or after chemotherapy
    share = (p["adjuvant_chemotherapy"] - p["adjuvant_trastuzumab"]) / max(
        1.0 - p["adjuvant_trastuzumab"], 1e-9
    )
    adjuvant_c = adjuvant_t | (u(30) < share)
    a[Attribute.ADJUVANT_CHEMOTHERAPY] = adjuvant_c
    _clone_fractions(model, values, a, adjuvant_t, seed, first, n)

    albumin = np.clip(p["albumin_mean"] + p["albumin_sd"] * z(31), 2.0, 6.0)
    # lean body weight of women, Janmahasatian 2005; height in cm
    bmi = weight / (height / 100.0) ** 2
    covariates = {
        "weight": weight,
        "lean_body_weight": 9270.0 * weight / (8780.0 + 244.0 * bmi),
        "albumin": albumin,
        "liver": liver,
        "age": age,
    }
    pk, scale = _pharmacokinetics(model, values, covariates, z)
    tolerance = values["tumour.line_tolerance"] * p["adjuvant_chemo_tolerance"] * adjuvant_c
    by_class = class_sensitivity(values, np.asarray(tolerance, dtype=np.float64), a[Attribute.GROWTH], z)
    sensitivity, fc_factor = np.ones((len(model.agents), n)), np.ones((len(model.agents), n))
    for k, agent in enumerate(model.agents):
        kind = killing_class(agent)
        if kind is not None:
            sensitivity[k] = by_class[kind]
        for action in actions_of(agent):
            if action.on == "effector":
                assert action.fc_v is not None and action.fc_f is not None
                fc_factor[k] = fc_relative(values, alleles, action.fc_v, action.fc_f)
    spread = (a[Attribute.LOG_BURDEN] - values["tumour.burden_log10"] * LN10) / values["tumour.burden_log_sd"]
    a[Attribute.START_BURDEN] = (
        values["cohort.primary_log10"] * LN10 + values["cohort.primary_log_sd"] * spread
    )
    return Cohort(
        first_id=first,
        attributes=a,
        pk=pk,
        site_scale=scale,
        sensitivity=sensitivity,
        fc_factor=fc_factor,
        cycles_normal=np.asarray(normals(seed, first, n, int(Purpose.ARM_ATTRIBUTE), 0)),
    )


SENSITIVITY_INDEX = 40
PDL1_INDEX = 50
RESIDUAL_INDEX = 19_999
"""Random index of the cells left after surgery."""


def killing_class(agent: Agent) -> str | None:
    """Class of cytotoxics with which a patient's sensitivity to this drug goes, None for drugs that do not kill."""
    for action in actions_of(agent):
        if action.on in ("cytotoxic", "payload"):
            kind = action.sensitivity or CLASS_OF.get(action.parameter or "")
            if kind is None:
                raise RecordError(
                    f"agents/{agent.id}.yaml, pharmacodynamics: no class of cytotoxics is known for "
                    f"'{action.parameter}'; give the action 'sensitivity: ' and one of {', '.join(CYTOTOXIC_CLASSES)}"
                )
            return kind
    return None


def class_sensitivity(
    values: Mapping[str, float], tolerance: Array, growth: Array, z: Callable[[int], Array]
) -> dict[str, Array]:
    """Sensitivity of each patient to each class of cytotoxics, correlated between classes; it rises with growth.

    Parameters
    ----------
    tolerance : (patients,) loss of sensitivity to taxanes by adjuvant chemotherapy, on the log scale
    growth : (patients,) 1/day
    z : function from a random index to standard normal numbers (patients,)
    """
    rho, sd = values["population.chemo_correlation"], values["population.chemo_log_sd"]
    shared = z(SENSITIVITY_INDEX)
    faster = values["tumour.growth_sensitivity"] * np.log(growth / values["tumour.growth"])
    result = {}
    for k, name in enumerate(CYTOTOXIC_CLASSES):
        log = sd * (math.sqrt(rho) * shared + math.sqrt(1.0 - rho) * z(SENSITIVITY_INDEX + 1 + k))
        result[name] = np.asarray(exp_of(log + faster - (tolerance if name == "taxane" else 0.0)))
    return result


LARGEST_CORRELATION = 0.95
"""A correlation drawn from its prior, or fitted, beyond this counts as this."""


def _correlation(values: Mapping[str, float], name: str) -> float:
    return min(max(values[name], -LARGEST_CORRELATION), LARGEST_CORRELATION)


def dependence_rank(values: Mapping[str, float], rank: Array, her2: Array) -> Array:
    """Rank of each patient's dependence on HER2, 0 (most) to 1: uniform, and correlated with the HER2 level.

    Parameters
    ----------
    rank : (patients,) uniform numbers
    her2 : (patients,) standard normal numbers behind the HER2 level
    """
    rho = _correlation(values, "population.her2_dependence")
    return np.asarray(ndtr(math.sqrt(1.0 - rho * rho) * ndtri(rank) - rho * her2))


def lymphocytes(values: Mapping[str, float], own: Array, growth: Array) -> Array:
    """Level of tumour-infiltrating lymphocytes of each patient relative to the typical one, (patients,).

    Parameters
    ----------
    own, growth : (patients,) standard normal numbers of this level and of growth, with which it is correlated
    """
    rho = _correlation(values, "population.til_growth")
    return np.asarray(
        exp_of(values["population.til_log_sd"] * (rho * growth + math.sqrt(1.0 - rho * rho) * own))
    )


def fc_relative(values: Mapping[str, float], v_alleles: Array, fc_v: float, fc_f: float) -> Array:
    """Antibody-dependent kill by an Fc part relative to that of trastuzumab in the same patient, (patients,)."""
    reference = fc_affinity_factor(values, v_alleles, *trastuzumab_fc())
    return np.asarray(fc_affinity_factor(values, v_alleles, fc_v, fc_f) / reference)


def _clone_fractions(
    model: Model,
    values: Mapping[str, float],
    a: Array,
    adjuvant: NDArray[np.bool_],
    seed: int,
    first: int,
    n: int,
) -> None:
    """ln fraction of every resistant clone before the first line, with a shared part in each patient."""
    spread = values["tumour.clone_fraction_log10_sd"]
    shared = math.sqrt(values["tumour.clone_fraction_shared"])
    own = math.sqrt(1.0 - values["tumour.clone_fraction_shared"])
    z0 = np.asarray(normals(seed, first, n, int(Purpose.CLONE), 0))
    log10 = np.empty((len(model.clone_names), n))
    for k, kind in enumerate(model.clone_fraction_kinds):
        if k == 0:
            continue
        z = np.asarray(normals(seed, first, n, int(Purpose.CLONE), k))
        median = (
            values["tumour.mdr_fraction_log10"] if kind == "mdr" else values["tumour.clone_fraction_log10"]
        )
        log10[k] = median + spread * (shared * z0 + own * z)
        if kind in ("clone", "double"):
            log10[k] += np.where(adjuvant, values["tumour.adjuvant_selection"] / LN10, 0.0)
    names = model.clone_names
    for k, kind in enumerate(model.clone_fraction_kinds):
        if kind == "double":
            parent = names.index("bypass" if names[k].startswith("bypass") else "pi3k_hit")
            rarer = np.minimum(log10[parent], log10[names.index("mdr")])
            log10[k] = rarer + values["tumour.double_clone_log10"]
    for k in range(1, len(names)):
        # no resistant clone makes up more than a tenth of an untreated tumour
        a[int(Attribute.CLONE_FRACTION) + k - 1] = np.minimum(log10[k], -1.0) * LN10


def _pharmacokinetics(
    model: Model, values: Mapping[str, float], covariates: Mapping[str, Any], z: Any
) -> tuple[Array, Array]:
    """Individual antibody parameters and effect-site scales of the cytotoxics."""
    n = covariates["weight"].size
    plasma = np.zeros((len(model.agents), 6, n))
    plasma[:] = np.array([0.2, 3.0, 0.5, 3.0, 0.0, 1.0])[
        None, :, None
    ]  # a drug that is not followed in plasma
    scale = np.zeros((len(model.agents), n))
    # each agent's parameters have random indices of their own, by name, so that adding an agent changes no other
    for row, agent in enumerate(model.agents):
        if is_in_plasma(agent):
            individual = individual_pk(agent, covariates, z)
            for k, name in enumerate(_PK_ROWS):
                if name in individual:
                    plasma[row, k] = individual[name]
        else:
            # one dose raises the effect site by its share of the label exposure, times ke0 days
            scale[row] = (
                site_rate(agent, values) * relative_exposure(agent, covariates, z) / label_dose_rate(agent)
            )
    return plasma, scale


UNKNOWN_EXPOSURE_CV = 0.4
"""Spread of exposure between patients where the record has no pharmacokinetics; assumed."""


def relative_exposure(agent: Agent, covariates: Mapping[str, Any], z: Any) -> Array:
    """Exposure of each patient at the same dose relative to the typical one, (patients,)."""
    if agent.pharmacokinetics is None:
        return np.asarray(exp_of(math.sqrt(math.log1p(UNKNOWN_EXPOSURE_CV**2)) * z(_pk_index(agent.id))))
    typical = next(q.value for q in agent.pharmacokinetics.parameters if q.id == "clearance")
    return np.asarray(typical / individual_pk(agent, covariates, z)["clearance"])


_PK_INDEX = {
    "trastuzumab": 100,
    "pertuzumab": 110,
    "docetaxel": 120,
    "capecitabine": 130,
    "vinorelbine": 140,
}


def _pk_index(agent: str) -> int:
    """First of the random indices of an agent's pharmacokinetics: its own, by name."""
    return _PK_INDEX.get(agent, 1_000_000 + 16 * (zlib.crc32(agent.encode()) % 2**26))


def individual_pk(agent: Agent, covariates: Mapping[str, Any], z: Any) -> dict[str, Array]:
    """Pharmacokinetic parameters of each patient: typical value, covariates, log-normal spread.

    Parameters
    ----------
    covariates : weight (kg), lean_body_weight (kg), albumin (g/dL), liver (yes/no), age (year); each (patients,)
    z : function from a random index to standard normal numbers (patients,)
    """
    pk = agent.pharmacokinetics
    assert pk is not None
    n = covariates["weight"].size
    base = _pk_index(agent.id)
    omega: dict[str, float] = {
        q.id: math.sqrt(math.log1p(q.spread.cv**2)) if q.spread else 0.0 for q in pk.parameters
    }
    eta: dict[str, Array] = {
        q.id: z(base + k) if q.spread else np.zeros(n) for k, q in enumerate(pk.parameters)
    }
    for pair in pk.correlations:
        first, second = pair.between
        rho = pair.covariance / (omega[first] * omega[second])
        rho = min(max(rho, -0.95), 0.95)
        eta[second] = rho * eta[first] + math.sqrt(1.0 - rho * rho) * eta[second]
    result: dict[str, Array] = {
        q.id: q.value * np.asarray(exp_of(omega[q.id] * eta[q.id])) for q in pk.parameters
    }
    for effect in pk.covariates:
        x = covariates[effect.covariate]
        if effect.factor is not None:
            factor = np.where(x, effect.factor, 1.0)
        else:
            assert effect.reference is not None and effect.exponent is not None
            factor = (x / effect.reference) ** effect.exponent
        result[effect.parameter] = result[effect.parameter] * factor
    return result
