"""Randomisation: stratified permuted blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from her2.engine.rng import Purpose, uniforms


def randomise(
    seed: int, trial_number: int, stratum: NDArray[np.int64], ratio: Sequence[int], block: int
) -> NDArray[np.int64]:
    """Arm of each patient by permuted blocks within strata.

    Parameters
    ----------
    trial_number : replicate of the trial; another number gives another allocation
    stratum : (patients,) stratum codes, patients in the order of enrolment
    ratio : allocation ratio of the arms
    block : patients per block, a multiple of the ratio's sum

    Returns
    -------
    (patients,) position of the arm
    """
    letters = np.repeat(np.arange(len(ratio)), np.asarray(ratio) * (block // sum(ratio)))
    arm = np.empty(stratum.size, dtype=np.int64)
    keys = np.asarray(uniforms(seed, 0, stratum.size, int(Purpose.RANDOMISATION), trial_number))
    for code in np.unique(stratum):
        members = np.nonzero(stratum == code)[0]
        for start in range(0, members.size, block):
            part = members[start : start + block]
            order = np.argsort(keys[part], kind="stable")
            # a last block that is not full takes a random part of the letters
            fill = (
                letters
                if part.size == block
                else letters[np.argsort(_extend(keys, part, block), kind="stable")]
            )
            arm[part[order]] = fill[: part.size]
    return arm


def _extend(keys: NDArray[np.float64], part: NDArray[np.int64], block: int) -> NDArray[np.float64]:
    """As many sorting keys as the block has letters, made from the keys of a part-filled block."""
    base = keys[part[0]]
    return np.asarray(np.modf(base * 9973.0 + np.arange(block) * 0.6180339887498949)[0])


def stratum_codes(columns: Sequence[NDArray[np.bool_]]) -> NDArray[np.int64] | None:
    """One code per combination of yes/no factors; None without factors."""
    if not columns:
        return None
    code = np.zeros(columns[0].size, dtype=np.int64)
    for column in columns:
        code = 2 * code + column.astype(np.int64)
    return code
