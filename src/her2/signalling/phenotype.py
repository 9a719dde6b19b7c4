"""Phenotype: what a cell does with its signals (proliferation, apoptosis, antibody-dependent kill).

    proliferation = b + (1 - b) cell_cycle / cell_cycle_ref
    apoptosis     = (1 - b) (bim / bim_ref)
    fc_load       = HER2_full_length (w_T occ_T + w_P occ_P)
    kill by effector cells = rate * effector * fc_load / (fc_load + fc_half)

b is the share of a cell's drive that does not come through the modelled network (oncogene-independent drive: 0 for a
fully HER2-addicted cell). Everything is relative to the untreated reference cell, so that mutants sit on one absolute
scale: a PIK3CA-mutant cell proliferates faster than a wild-type one also without treatment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def proliferation(cell_cycle: Array, reference: float, independent: Array) -> Array:
    """Proliferation relative to the untreated reference cell: (cells,), dimensionless."""
    return independent + (1.0 - independent) * cell_cycle / reference


def apoptosis(bim: Array, reference: float, independent: Array) -> Array:
    """Apoptotic drive relative to the untreated reference cell: (cells,), dimensionless."""
    return (1.0 - independent) * bim / reference


def effector_kill(fc_load: Array, effector: Array, rate: float, fc_half: float) -> Array:
    """Kill by effector cells that bind the antibodies' Fc part: (cells,), 1/day.

    Parameters
    ----------
    fc_load : (cells,), 1e6 Fc/cell weighted by antibody
    effector : (cells,) Fc-gamma-receptor factor times effector-cell level, 1 for the typical patient
    rate : 1/day at saturating load and typical effector
    fc_half : 1e6 Fc/cell at half-maximal kill
    """
    return rate * effector * fc_load / (fc_load + fc_half)


def net_rate(
    growth: Array,
    turnover: float,
    proliferation_: Array,
    cost: Array,
    apoptosis_kill: float,
    apoptosis_: Array,
    apoptosis_untreated: Array,
    immune: Array,
    chemo: Array,
) -> Array:
    """Net growth rate of a clone: (cells,), 1/day.

    growth [(1 + turnover) cost proliferation - turnover] - apoptosis_kill max(0, apoptosis - untreated)
    - immune - chemo.
    `growth` is the patient's net rate for a reference clone without treatment; `turnover` the loss rate in units of it.
    """
    drive = growth * ((1.0 + turnover) * cost * proliferation_ - turnover)
    return np.asarray(
        drive - apoptosis_kill * np.maximum(0.0, apoptosis_ - apoptosis_untreated) - immune - chemo
    )
