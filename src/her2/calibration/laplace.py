"""Mode and spread of the posterior: least squares with the prior as data, and its curvature at the mode.

Parameters are standard normal coordinates z of their priors, so that minus twice the log posterior is a sum of squares,

    |(g(z) - d) / s|^2 + |z|^2 ,

which `scipy.optimize.least_squares` makes small. Predictions g of a simulation are noisy; here the same virtual
patients are followed at every z (common random numbers), so that g is one smooth function of z. At the mode the
posterior is approximated by a normal distribution with the curvature of that sum (Laplace). Where the figures scatter
more about the mode than their errors allow, their errors count as larger by that factor (Birge ratio), so that a model
that cannot reach its figures is not sure of its parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Array = NDArray[np.float64]
ENOUGH = 1e-3
"""A step that lowers the sum of squares by less than this part of it ends the search."""


@dataclass(frozen=True, eq=False)
class Mode:
    """The mode and what the model gives there.

    Attributes
    ----------
    z : (parameters,) standard normal coordinates
    predictions : (data,) at the mode
    slopes : (data, parameters) derivatives there
    sums : sum of squares at the start and after each step that was taken
    converged : whether the search ended by itself, not by the limit on steps
    """

    z: Array
    predictions: Array
    slopes: Array
    sums: tuple[float, ...]
    converged: bool


def find_mode(
    predict: Callable[[Array], Array],
    slopes: Callable[[Array], Array],
    data: Array,
    error: Array,
    start: Array,
    steps: int,
    on_step: Callable[[int, float], None] | None = None,
) -> Mode:
    """Minimise the sum of squares.

    Parameters
    ----------
    predict : (parameters,) -> (data,)
    slopes : (parameters,) -> (data, parameters), the derivatives of `predict`, which may be rough
    data, error : (data,) values and standard deviations
    start : (parameters,)
    steps : evaluations of `predict` at most
    on_step : called with the number of the evaluation and its sum of squares

    Raises
    ------
    ValueError
        If data, error or predictions differ in shape, or an error is not positive.
    """
    if data.shape != error.shape or not np.all(error > 0.0):
        raise ValueError(
            f"data {data.shape} and error {error.shape}: expected the same shape, errors positive"
        )
    seen: list[tuple[float, Array, Array]] = []
    at_slopes: list[tuple[Array, Array]] = []

    def residuals(z: Array) -> Array:
        g = predict(z)
        if g.shape != data.shape:
            raise ValueError(f"predictions {g.shape}, data {data.shape}: expected the same shape")
        r = np.concatenate([(g - data) / error, z])
        seen.append((float(r @ r), z.copy(), g))
        if on_step is not None:
            on_step(len(seen) - 1, seen[-1][0])
        return r

    def jacobian(z: Array) -> Array:
        j = slopes(z)
        at_slopes.append((z.copy(), j))
        return np.concatenate([j / error[:, None], np.eye(z.size)])

    found = least_squares(
        residuals, start, jac=jacobian, method="trf", ftol=ENOUGH, xtol=ENOUGH, gtol=ENOUGH, max_nfev=steps
    )  # fmt: skip
    best = min(seen, key=lambda s: s[0])
    lowest = np.minimum.accumulate([s[0] for s in seen])
    taken = [s[0] for k, s in enumerate(seen) if k == 0 or s[0] < lowest[k - 1]]
    nearest = min(at_slopes, key=lambda s: float(np.sum((s[0] - best[1]) ** 2)))
    j = nearest[1] if np.array_equal(nearest[0], best[1]) else slopes(best[1])
    return Mode(best[1], best[2], j, tuple(taken), bool(found.status > 0))


def birge_ratio(mode: Mode, data: Array, error: Array) -> float:
    """Factor by which the errors are too small for the scatter of the data about the mode, at least 1.

    The data have as many degrees of freedom as there are figures, less the number of parameters they determine.
    """
    scaled = mode.slopes / error[:, None]
    information = scaled.T @ scaled
    determined = float(np.trace(np.linalg.solve(np.eye(mode.z.size) + information, information)))
    squares = float(np.sum(((mode.predictions - data) / error) ** 2))
    return float(np.sqrt(max(1.0, squares / max(data.size - determined, 1.0))))


def covariance(mode: Mode, error: Array) -> Array:
    """Covariance of the posterior about the mode, (parameters, parameters), in prior standard deviations squared."""
    scaled = mode.slopes / error[:, None]
    return np.asarray(np.linalg.inv(np.eye(mode.z.size) + scaled.T @ scaled))


def draw_members(mode: Mode, spread: Array, members: int, rng: np.random.Generator) -> Array:
    """Members of the ensemble: (members, parameters), in pairs on both sides of the mode, which is their mean.

    Raises
    ------
    ValueError
        If their number is not even.
    """
    if members < 2 or members % 2:
        raise ValueError(f"members: expected an even number, got {members}")
    root = np.linalg.cholesky(spread)
    half = rng.standard_normal((members // 2, mode.z.size)) @ root.T
    return np.concatenate([mode.z + half, mode.z - half])
