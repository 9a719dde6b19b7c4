"""What an experiment can read: unit, scale and smallest relevant effect of every readout, never set for one claim.

The smallest relevant effect follows from what a readout means. A network node runs from 0 to 1 and is read with 0.02;
a rate with 2 % of the growth of the untreated reference cell in the same compartment; an amount of receptor or dimer
with 5 % of the largest amount that is compared. In patients, 3 percentage points of a rate, and 5 % of a median or of a
hazard ratio (0.05 on the log scale), are less than any trial of the record could show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Scale = Literal["linear", "growth", "relative", "share", "median", "log_hazard_ratio"]

NODE_EFFECT = 0.02
GROWTH_EFFECT = 0.02
AMOUNT_EFFECT = 0.05
LOG_EFFECT = 0.05
SHARE_EFFECT = 0.03
SYNERGY_EFFECT = 0.01
"""Smallest relevant effects: of a node or of an inhibition (in [0, 1]); of a rate, as a share of untreated growth; of
an amount, as a share of the largest; of the log of a ratio; of a share of patients; of cells killed beyond expectation.
"""
MONTHS_EFFECT = 0.5
LOG10_BURDEN_EFFECT = 0.1


@dataclass(frozen=True)
class Readout:
    """A quantity that experiments read.

    Attributes
    ----------
    id, unit : name and unit
    scale : `linear`, differences in the unit; `growth`, differences over the growth of the untreated reference cell;
        `relative`, differences over the largest amount compared; `share`, of patients; `median`, a time in months
        compared by the log of ratios; `log_hazard_ratio`, of two conditions
    smallest : smallest relevant effect on that scale
    system : whether cells or cohorts have it
    """

    id: str
    unit: str
    scale: Scale
    smallest: float
    system: Literal["cell", "cohort"] = "cell"


RATES = (
    "net_growth", "mean_growth", "untreated_growth", "effector_kill", "tcell_kill", "payload_kill", "cytotoxic_kill",
    "angiogenic_loss", "apoptotic_kill",
)  # fmt: skip
PHENOTYPE = ("proliferation", "apoptosis", "growth_inhibition")
AMOUNTS = (
    "surface_her2",
    "serum_ecd",
    "recruitment_pi3k",
    "recruitment_ras",
    "her2_activity",
    "egfr_activity",
)


def _cohort(name: str, unit: str, scale: Scale, smallest: float) -> Readout:
    return Readout(name, unit, scale, smallest, "cohort")


COHORT_READOUTS: dict[str, Readout] = {
    r.id: r
    for r in (
        _cohort("orr", "share of patients", "share", SHARE_EFFECT),
        _cohort("cbr", "share of patients", "share", SHARE_EFFECT),
        _cohort("pcr", "share of patients", "share", SHARE_EFFECT),
        _cohort("cns_orr", "share of patients", "share", SHARE_EFFECT),
        _cohort("nonresponder_share", "share of patients", "share", SHARE_EFFECT),
        _cohort("progressed_share", "share of patients", "share", SHARE_EFFECT),
        _cohort("prevalence", "share of patients", "share", SHARE_EFFECT),
        _cohort("pfs_median", "month", "median", LOG_EFFECT),
        _cohort("os_median", "month", "median", LOG_EFFECT),
        _cohort("pfs_hr", "log hazard ratio", "log_hazard_ratio", LOG_EFFECT),
        _cohort("os_hr", "log hazard ratio", "log_hazard_ratio", LOG_EFFECT),
        _cohort("dfs_hr", "log hazard ratio", "log_hazard_ratio", LOG_EFFECT),
        _cohort("cns_hazard", "log hazard ratio", "log_hazard_ratio", LOG_EFFECT),
        _cohort("burden", "log10 of the change in 24 weeks", "linear", LOG10_BURDEN_EFFECT),
    )
}


@lru_cache(maxsize=1)
def cell_readouts() -> Mapping[str, Readout]:
    """Every readout of a cell by name, as `respond` gives them for the network of the record."""
    from her2.cell.condition import Columns
    from her2.cell.ensemble import central
    from her2.cell.respond import respond

    model = central()
    amounts = {*model.receptors.species, *model.receptors.dimers, *AMOUNTS, "igf1r", "met"}
    result = {}
    for name in respond(model, Columns.reference("tumour")).values:
        if name in RATES:
            result[name] = Readout(name, "1/day", "growth", GROWTH_EFFECT)
        elif name in amounts:
            unit = "relative" if name in (*AMOUNTS[1:], "igf1r", "met") else "1e6 receptors/cell"
            result[name] = Readout(name, unit, "relative", AMOUNT_EFFECT)
        elif name != "residual":
            result[name] = Readout(name, "1", "linear", NODE_EFFECT)
    return result


def find_readout(name: str, system: Literal["cell", "cohort"], where: str) -> Readout:
    """A readout by name.

    Raises
    ------
    her2.errors.UnknownNameError
        No such readout in this system; the nearest is given.
    """
    from her2.errors import unknown

    known = COHORT_READOUTS if system == "cohort" else cell_readouts()
    if name not in known:
        raise unknown(f"readout of a {system}", name, known, where)
    return known[name]
