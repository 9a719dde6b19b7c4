"""Escape routes: mechanisms of the record as virtual patients have them, who has one, and how a twin is without it.

Not every mechanism of the record is one: what the virtual patients do not differ in (epigenetic loops, other receptors)
is left to the rules and to the cell model.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import N_CLONE_ROWS, Attribute
from her2.evidence.load import USER_VARIABLE, load_mechanisms
from her2.evidence.schema import Mechanism
from her2.patients.sample import Cohort
from her2.prognosis.settings import setting

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Values = Mapping[str, float]
NO_CLONE = -60.0
"""ln fraction of a resistant clone that is not there."""
NO_SEED = -99.0


@dataclass(frozen=True)
class Route:
    """One escape route.

    Attributes
    ----------
    item : place in the case file that would say whether the patient has it; empty where none does
    absent : value of that item which says that the patient does not
    mechanisms, parameters : entries of the record behind it
    has : (cohort, values, resistant share) -> who has it
    without : (cohort, values) -> the same patients without it
    """

    id: str
    label: str
    item: str
    absent: str
    mechanisms: tuple[str, ...]
    parameters: tuple[str, ...]
    has: Callable[[Cohort, Values, Array], Flags]
    without: Callable[[Cohort, Values], Cohort]

    @property
    def ids(self) -> tuple[str, ...]:
        """Entries of the record, mechanisms first."""
        return (*self.mechanisms, *self.parameters)


def _set(row: Attribute, change: Callable[[Array, Values], Array]) -> Callable[[Cohort, Values], Cohort]:
    def apply(cohort: Cohort, values: Values) -> Cohort:
        attributes = cohort.attributes.copy()
        attributes[row] = change(attributes[row], values)
        return replace(cohort, attributes=attributes)

    return apply


def _above(
    row: Attribute, limit: float | str, factor: float | str = 1.0
) -> Callable[[Cohort, Values, Array], Flags]:
    def test(cohort: Cohort, values: Values, _resistant: Array) -> Flags:
        x = values[limit] if isinstance(limit, str) else limit
        times = setting(factor) if isinstance(factor, str) else factor
        return np.asarray(cohort.attributes[row] >= times * x)

    return test


def _below(
    row: Attribute, limit: float | str, factor: float = 1.0
) -> Callable[[Cohort, Values, Array], Flags]:
    above = _above(row, limit, factor)
    return lambda cohort, values, resistant: ~above(cohort, values, resistant)


def _at_most(reference: str) -> Callable[[Array, Values], Array]:
    return lambda x, values: np.minimum(x, values[reference])


def _at_least(reference: float | str) -> Callable[[Array, Values], Array]:
    return lambda x, v: np.maximum(x, v[reference] if isinstance(reference, str) else reference)


def _to(value: float | str) -> Callable[[Array, Values], Array]:
    return lambda x, v: np.full_like(x, v[value] if isinstance(value, str) else value)


def _mostly_resistant(_cohort: Cohort, _values: Values, resistant: Array) -> Flags:
    return np.asarray(np.nan_to_num(resistant) > 0.5)


def _without_clones(cohort: Cohort, _values: Values) -> Cohort:
    attributes = cohort.attributes.copy()
    first = int(Attribute.CLONE_FRACTION)
    attributes[first : first + N_CLONE_ROWS] = NO_CLONE
    return replace(cohort, attributes=attributes)


def _insensitive(cohort: Cohort, _values: Values, _resistant: Array) -> Flags:
    return np.asarray(cohort.sensitivity.min(axis=0, initial=np.inf) < 0.5)


def _sensitive(cohort: Cohort, _values: Values) -> Cohort:
    return replace(cohort, sensitivity=np.maximum(cohort.sensitivity, 1.0))


FACTOR = "overexpressed_factor"
ROUTES: tuple[Route, ...] = (
    Route(
        "resistant_clones", "resistant subclones make up most of the tumour at the last progression", "", "",
        ("acquired_resistance", "tumour_evolution", "coexisting_mechanisms"), ("tumour.clone_fraction_log10",),
        _mostly_resistant, _without_clones,
    ),
    Route(
        "pik3ca", "PIK3CA mutation", "biomarkers.pik3ca", "wild_type", ("pik3ca_mutation",),
        ("population.pik3ca_mutant", "signalling.w_pik3ca"),
        _above(Attribute.PIK3CA, 0.5), _set(Attribute.PIK3CA, _to(0.0)),
    ),
    Route(
        "pten", "low PTEN", "biomarkers.pten", "present", ("pten_loss",), ("population.pten_low", "signalling.w_pten"),
        _below(Attribute.PTEN, 0.99), _set(Attribute.PTEN, _to(1.0)),
    ),
    Route(
        "p95", "p95HER2", "biomarkers.p95her2", "absent", ("p95her2",), ("population.p95_positive",),
        _above(Attribute.P95_SHARE, "population.p95_share_low"),
        _set(Attribute.P95_SHARE, _to("receptors.reference_p95_share")),
    ),
    Route(
        "bypass", "IGF1R or MET at twice the reference or more", "biomarkers.igf1r", "normal", ("igf1r", "met_hgf"),
        ("population.bypass_median", "signalling.w_bypass_pi3k"),
        _above(Attribute.BYPASS, "population.bypass_median", FACTOR),
        _set(Attribute.BYPASS, _at_most("population.bypass_median")),
    ),
    Route(
        "heregulin", "heregulin at twice the reference or more", "", "", ("heregulin_loop", "her2_her3_dimer"),
        ("receptors.reference_heregulin",),
        _above(Attribute.HEREGULIN, "receptors.reference_heregulin", FACTOR),
        _set(Attribute.HEREGULIN, _at_most("receptors.reference_heregulin")),
    ),
    Route(
        "egfr", "EGFR at twice the reference or more", "biomarkers.egfr", "normal",
        ("egfr_coexpression", "redundant_her_signalling"), ("receptors.reference_egfr",),
        _above(Attribute.EGFR, "receptors.reference_egfr", FACTOR),
        _set(Attribute.EGFR, _at_most("receptors.reference_egfr")),
    ),
    Route(
        "her2_low", "HER2 below half the reference of amplified tumours", "biomarkers.her2_level", "high",
        ("her2_level",), ("receptors.reference_her2",),
        _below(Attribute.HER2, "receptors.reference_her2", 0.5),
        _set(Attribute.HER2, _at_least("receptors.reference_her2")),
    ),
    Route(
        "er", "oestrogen receptor", "hormone_receptor", "negative", ("er_escape", "er_genomic"),
        ("signalling.w_er_cyclin_d1",),
        _above(Attribute.ER_POSITIVE, 0.5), _set(Attribute.ER, _to(0.0)),
    ),
    Route(
        "cyclin_e", "cyclin E amplification", "biomarkers.cyclin_e", "normal", ("cyclin_e",),
        ("signalling.w_cyclin_e",),
        _above(Attribute.CYCLIN_E, 0.5), _set(Attribute.CYCLIN_E, _to(0.0)),
    ),
    Route(
        "bim_low", "BIM below half the reference", "", "", ("bim",), ("population.bim_log_sd",),
        _below(Attribute.BIM, 0.5), _set(Attribute.BIM, _at_least(1.0)),
    ),
    Route(
        "effector_low", "antibody-dependent kill below half the usual (few effector cells, low-affinity receptor)",
        "biomarkers.til", "", ("adcc_modulators", "tils", "fcgr3a_158vf"),
        ("population.til_log_sd", "population.effector_ff"),
        _below(Attribute.EFFECTOR, 0.5), _set(Attribute.EFFECTOR, _at_least(1.0)),
    ),
    Route(
        "independent", "a tumour that hardly depends on HER2", "", "", ("intrinsic_resistance",),
        ("population.independent_share", "population.addicted_share"),
        _above(Attribute.INDEPENDENT, "population.independent_level"),
        _set(Attribute.INDEPENDENT, _to("population.addicted_level")),
    ),
    Route(
        "chemo_insensitive", "less than half the usual sensitivity to a cytotoxic that was or would be given", "", "",
        (), ("population.chemo_log_sd", "tumour.mdr_factor"), _insensitive, _sensitive,
    ),
    Route(
        "brain_seeds", "microscopic brain metastases at the first metastatic therapy", "", "", (),
        ("cns.seeded_share", "cns.seed_hazard"),
        _above(Attribute.CNS_SEED, 0.0), _set(Attribute.CNS_SEED, _to(NO_SEED)),
    ),
)  # fmt: skip
"""Routes in the order in which ties are shown."""


def record_mechanisms() -> Mapping[str, Mechanism]:
    """Mechanisms of the record, the user's included, by id; read once."""
    return _mechanisms(os.environ.get(USER_VARIABLE))


@lru_cache(maxsize=4)
def _mechanisms(_user: str | None) -> Mapping[str, Mechanism]:
    return MappingProxyType(load_mechanisms())


def route(name: str) -> Route:
    """A route by id."""
    return next(r for r in ROUTES if r.id == name)


def clone_label(name: str) -> str:
    """A clone's name, readable."""
    return name.replace("_", " ")
