"""Hand-made patients, drugs and courses for the kernel: everything that a test does not ask for stands still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from her2.cell.attributes import defaults
from her2.cell.respond import REFERENCE_IGF1R
from her2.engine.layout import (
    N_ATTRIBUTES,
    N_CLONE_ROWS,
    Attribute,
    CourseArrays,
    RegimenArrays,
    Setting,
)
from her2.engine.run import DoseChanges, Followed, follow
from her2.model import Model
from her2.patients.sample import Cohort, population_values, sample_cohort

NO_END = 1e9
NEVER = -99.0
"""ln of a fraction that is nothing."""
DAYS = 7.0
ELIMINATION = 1e-12
"""L/day."""
FROM_CELL = {
    "egfr": Attribute.EGFR, "her2": Attribute.HER2, "her3": Attribute.HER3, "p95_share": Attribute.P95_SHARE,
    "egf": Attribute.EGF, "heregulin": Attribute.HEREGULIN, "pik3ca": Attribute.PIK3CA, "pten": Attribute.PTEN,
    "er": Attribute.ER, "cyclin_e": Attribute.CYCLIN_E, "bim": Attribute.BIM, "independent": Attribute.INDEPENDENT,
    "effector": Attribute.EFFECTOR, "pdl1": Attribute.PDL1,
}  # fmt: skip
"""Attributes that a cell and a virtual patient share."""


def quiet(model: Model, **constants: float) -> Model:
    """The same model without death, brain seeds, measurement error, floors and tolerance, every change evaluated.

    Parameters
    ----------
    constants : constants of the kernel with other values
    """
    still: dict[str, float] = {
        "death_hazard": 0.0, "cns_seed_hazard": 0.0, "new_lesion_hazard": 0.0, "scan_error": 0.0, "line_gap_weeks": 0.0,
        "log_floor": NEVER, "replenish": NEVER, "refresh": 0.0, "refresh_slow": 0.0, "line_tolerance": 0.0,
        "immune_tolerance": 0.0,
    }  # fmt: skip
    return replace(model, constants=model.constants._replace(**(still | constants)))


def patients(
    model: Model,
    cells: Sequence[Mapping[str, float]],
    burden: float = 20.0,
    fractions: Mapping[str, float] | None = None,
) -> Cohort:
    """One patient per cell, whose tumour is that cell: the reference cell of a tumour but for the attributes given.

    Parameters
    ----------
    burden : ln cells at the start
    fractions : ln of the share of resistant clones, by name; all others are absent
    """
    n = len(cells)
    a = np.zeros((N_ATTRIBUTES, n))
    for j, changed in enumerate(cells):
        cell = defaults("tumour") | dict(changed)
        for name, row in FROM_CELL.items():
            a[row, j] = cell[name]
        a[Attribute.BYPASS, j] = model.values["population.bypass_median"] * cell["igf1r"] / REFERENCE_IGF1R
    a[Attribute.ER_POSITIVE] = a[Attribute.ER] > 0.0
    a[Attribute.GROWTH] = model.values["tumour.growth"]
    a[Attribute.LOG_BURDEN] = a[Attribute.START_BURDEN] = burden
    a[Attribute.FRAILTY] = 1.0
    a[Attribute.BASELINE_SUM] = 80.0
    a[Attribute.CNS_SEED] = NEVER
    a[Attribute.WEIGHT], a[Attribute.BSA] = 70.0, 1.72
    a[Attribute.CLONE_FRACTION : Attribute.CLONE_FRACTION + N_CLONE_ROWS] = NEVER
    for name, fraction in (fractions or {}).items():
        a[Attribute.CLONE_FRACTION + model.clone_names.index(name) - 1] = fraction
    each = (len(model.agents), n)
    return Cohort(
        first_id=0,
        attributes=a,
        pk=_kept_in_plasma(model, n),
        site_scale=np.ones(each),
        sensitivity=np.ones(each),
        fc_factor=np.ones(each),
        cycles_normal=np.zeros(n),
    )


def drawn(model: Model, n: int, seed: int = 3) -> Cohort:
    """Patients as trials draw them, but for their exposures: those are hand-made."""
    cohort = sample_cohort(model, population_values(model, None), seed, 0, n)
    return replace(cohort, pk=_kept_in_plasma(model, n), site_scale=np.ones_like(cohort.site_scale))


def _kept_in_plasma(model: Model, n: int) -> np.ndarray:
    """Whatever is given into plasma stays there: one litre, next to no elimination."""
    return np.tile(np.array([ELIMINATION, 1.0, 0.0, 1.0, 0.0, 1.0])[None, :, None], (len(model.agents), 1, n))


def held(model: Model, levels: Sequence[Mapping[str, float]], scan_weeks: int = 0) -> RegimenArrays:
    """One regimen per entry that holds the drugs at these levels from the first day on.

    Parameters
    ----------
    levels : mg/L in plasma, or exposure relative to that of the label, by drug
    scan_weeks : weeks between scans, 0 for none
    """
    shape = (len(levels), len(model.agents))
    loading, amount = np.zeros(shape), np.zeros(shape)
    cycle = np.zeros(shape, dtype=np.int64)
    for r, given in enumerate(levels):
        for name, level in given.items():
            d = model.drug_index(name)
            cycle[r, d] = 1
            if model.drugs.in_plasma[d]:
                loading[r, d] = level
            else:
                # the weekly dose replaces what decays, the first one brings it to the steady state
                decayed = -np.expm1(-model.drugs.ke0[d] * DAYS)
                mean = decayed / (model.drugs.ke0[d] * DAYS)
                loading[r, d], amount[r, d] = level / mean, level / mean * decayed
    return RegimenArrays(
        loading=loading,
        amount=amount,
        unit=np.zeros(shape, dtype=np.int64),
        cycle_weeks=cycle,
        doses_in_week=np.ones((*shape, 1)),
        max_cycles=np.full(shape, NO_END),
        start_week=np.zeros(shape, dtype=np.int64),
        scan_weeks=np.full(len(levels), scan_weeks, dtype=np.int64),
    )


def one_line(
    weeks: int,
    ways: int = 1,
    *,
    setting: int = Setting.METASTATIC,
    brain_entry: int = 0,
    surgery_week: int = 0,
) -> CourseArrays:
    """A single line; patients of way k are on regimen k. No line follows."""
    return CourseArrays(
        entry_line=np.zeros(ways, dtype=np.int64),
        prior_regimen=np.full((ways, 1), -1, dtype=np.int64),
        trial_regimen=np.arange(ways, dtype=np.int64),
        later_probability=np.zeros((ways, 0, 1)),
        later_regimen=np.zeros((ways, 0, 1), dtype=np.int64),
        horizon_weeks=weeks,
        prior_limit_weeks=520,
        setting=int(setting),
        brain_entry=int(brain_entry),
        surgery_week=surgery_week,
    )


def run(
    model: Model,
    cohort: Cohort,
    regimens: RegimenArrays,
    course: CourseArrays,
    *,
    way: Sequence[int] | None = None,
    doses: DoseChanges | None = None,
    seed: int = 1,
    **options: bool,
) -> Followed:
    """Follow the patients, whose ids are their positions."""
    ids = np.arange(cohort.n, dtype=np.int64)
    changes = DoseChanges.none(len(model.agents), cohort.n) if doses is None else doses
    ways = None if way is None else np.asarray(way, dtype=np.int64)
    return follow(model, cohort, ids, regimens, course, changes, seed, way=ways, **options)
