"""Times that should be equal but differ by rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from her2.survival._arguments import Floats, check_time


def merge_near_ties(time: ArrayLike, tolerance: float | None = None) -> Floats:
    """Times in which values that differ only by rounding are made equal.

    A time computed as `cut - enrol_time` may come out as 0.30000000000000004 for one patient and 0.3 for
    another; the analyses here treat only equal numbers as tied, so such data should pass through this first.
    R's `survival` does the same silently (`timefix`). Each run of neighbours closer than the tolerance takes
    the run's smallest value.

    Parameters
    ----------
    time : (patients,), any unit of time
    tolerance : largest gap, absolute or relative to the mean time, still called rounding
        By default the square root of the float64 epsilon, 1.5e-8, as in R.

    Returns
    -------
    (patients,), the unit of `time`

    Raises
    ------
    ValueError
        If `time` is empty, negative, not finite or not one-dimensional, or `tolerance` is negative.
    """
    values = check_time(time)
    gap = float(np.sqrt(np.finfo(np.float64).eps)) if tolerance is None else float(tolerance)
    if not gap >= 0:
        raise ValueError(f"tolerance: expected zero or more, got {tolerance}.")
    distinct, position = np.unique(values, return_inverse=True)
    if distinct.size < 2:
        return values
    step = np.diff(distinct)
    is_new = np.concatenate(([True], (step > gap) & (step / np.mean(distinct) > gap)))
    return np.asarray(distinct[is_new][np.cumsum(is_new) - 1][position], dtype=np.float64)
