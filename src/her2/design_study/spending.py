"""Error spending: how much of an error rate may be used up when a share of the information has come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Spending = Literal["obrien_fleming", "pocock", "hwang_shih_decani", "custom"]


def spend_error(
    spending: Spending,
    information: Sequence[float] | Array,
    error: float,
    gamma: float = -4.0,
    custom: Sequence[float] = (),
) -> Array:
    """Cumulative error spent at each look.

    With t the share of the information, a the error rate and z the standard normal quantile of 1 - a/2:
    O'Brien-Fleming type 2 - 2 Phi(z / sqrt(t)); Pocock type a ln(1 + (e - 1) t); Hwang-Shih-DeCani
    a (1 - exp(-gamma t)) / (1 - exp(-gamma)), linear for gamma = 0.

    Parameters
    ----------
    information : (looks,), share of the final information, rising to 1
    error : error rate of the whole trial, one-sided, above 0 and below 0.5
    gamma : of Hwang, Shih and DeCani; -4 spends late, 1 like Pocock
    custom : (looks,), cumulative error spent, for `custom` only

    Returns
    -------
    (looks,), in [0, error]; the last is `error`

    Raises
    ------
    ValueError
        If the error rate, the information or the custom spending are out of range, or a name is unknown.

    Sources
    -------
    Lan and DeMets 1983; Hwang, Shih and DeCani 1990.
    """
    from scipy.special import ndtr, ndtri

    t = np.asarray(information, dtype=np.float64)
    if not 0.0 < error < 0.5:
        raise ValueError(f"error: expected a one-sided rate above 0 and below 0.5, got {error:g}.")
    if t.ndim != 1 or not t.size or t[0] <= 0.0 or np.any(np.diff(t) <= 0.0) or abs(t[-1] - 1.0) > 1e-12:
        raise ValueError(f"information: expected shares rising from above 0 to 1, got {t.tolist()}.")
    if spending == "obrien_fleming":
        spent = 2.0 * ndtr(ndtri(error / 2.0) / np.sqrt(t))
    elif spending == "pocock":
        spent = error * np.log1p((np.e - 1.0) * t)
    elif spending == "hwang_shih_decani":
        spent = error * (t if gamma == 0.0 else np.expm1(-gamma * t) / np.expm1(-gamma))
    elif spending == "custom":
        spent = np.asarray(custom, dtype=np.float64)
        is_valid = spent.shape == t.shape and spent[0] >= 0.0 and not np.any(np.diff(spent) < 0.0)
        if not is_valid or abs(spent[-1] - error) > 1e-12:
            raise ValueError(
                f"custom: expected {t.size} cumulative rates rising to {error:g}, got {spent.tolist()}."
            )
    else:
        raise ValueError(f"spending: unknown name '{spending}'.")
    spent = np.array(spent, dtype=np.float64)
    spent[-1] = error
    return spent
