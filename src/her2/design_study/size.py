"""Smallest size that reaches a probability of success, and the ceiling no size can pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NeededSize:
    """Smallest size that reaches an assurance.

    Attributes
    ----------
    size : patients; None if no size looked at reaches it
    low, high : the same with the assurance one Monte-Carlo error higher and lower; None where not reached
    at_most : whether the smallest size looked at is enough already
    """

    size: int | None
    low: int | None
    high: int | None
    at_most: bool


def find_needed_size(
    sizes: Sequence[int], assurance: Sequence[float], errors: Sequence[float], target: float, multiple: int
) -> NeededSize:
    """Smallest size that reaches an assurance, between the sizes looked at.

    The assurance is made to rise with size and is interpolated on the probit scale over the root of the size,
    on which the power of a test of one effect is nearly a straight line.

    Parameters
    ----------
    sizes : rising
    assurance, errors : estimate and Monte-Carlo standard error at each
    target : wanted assurance
    multiple : patients to which the size is rounded up
    """
    y, e = np.asarray(assurance, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    size = _cross(sizes, y, target, multiple)
    return NeededSize(
        size=size,
        low=_cross(sizes, y + e, target, multiple),
        high=_cross(sizes, y - e, target, multiple),
        at_most=size is not None and bool(y[0] >= target),
    )


def _cross(sizes: Sequence[int], assurance: Array, target: float, multiple: int) -> int | None:
    """Where a curve made monotone first reaches the target; None if it does not."""
    from scipy.special import ndtri

    y = np.maximum.accumulate(np.clip(assurance, 1e-4, 1.0 - 1e-4))
    reached = np.nonzero(y >= target)[0]
    if not reached.size:
        return None
    k = int(reached[0])
    if k == 0:
        return int(sizes[0])
    a, b, wanted = (float(ndtri(p)) for p in (y[k - 1], y[k], target))
    root = np.sqrt(np.asarray(sizes[k - 1 : k + 1], dtype=np.float64))
    exact = float(root[0] + (root[1] - root[0]) * (wanted - a) / (b - a)) ** 2
    return min(multiple * int(np.ceil(exact / multiple - 1e-9)), int(sizes[k]))


def find_ceiling(log_hr: Array, between_trial_sd: float, hr_below: float | None) -> float:
    """Assurance of a trial without end: the probability that its true hazard ratio is low enough.

    Parameters
    ----------
    log_hr : (members,), true effect under each posterior member
    between_trial_sd : SD of the log hazard ratio between trials
    hr_below : estimated hazard ratio that success asks for; None for any benefit

    Returns
    -------
    Probability; NaN if no member's effect is known
    """
    from scipy.special import ndtr

    known = log_hr[np.isfinite(log_hr)]
    if not known.size:
        return float("nan")
    margin = np.log(1.0 if hr_below is None else hr_below) - known
    if between_trial_sd <= 0.0:
        return float(np.mean(margin > 0.0))
    return float(np.mean(ndtr(margin / between_trial_sd)))


def interpolate(sizes: Sequence[int], values: Sequence[float], at: float) -> float:
    """A quantity at a size between those looked at; that of the nearest beyond them."""
    return float(np.interp(at, np.asarray(sizes, dtype=np.float64), np.asarray(values, dtype=np.float64)))
