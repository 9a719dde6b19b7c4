"""Ensemble smoother with multiple data assimilation (Emerick and Reynolds 2013): where a search from the prior begins.

An ensemble drawn from the prior is moved towards the data in a few steps, each with inflated errors; in the
linear-Gaussian case the result is a sample of the posterior (tests/calibration/test_smoother.py compares with the
closed form). The forward model may be noisy: each member is simulated on patients of its own. Slopes taken over the
whole ensemble lead past the hollows in which a search by local slopes from the prior's centre ends.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Smoothed:
    """Result of the smoother.

    Attributes
    ----------
    prior, posterior : (members, parameters) standard normal coordinates
    predictions : (members, data) at the posterior
    misfit : mean squared standardised error of each step, prior first
    """

    prior: Array
    posterior: Array
    predictions: Array
    misfit: tuple[float, ...]


def smooth_ensemble(
    forward: Callable[[int, int, Array], Array],
    data: Array,
    error: Array,
    n_parameters: int,
    n_members: int,
    n_steps: int,
    rng: np.random.Generator,
    on_step: Callable[[int, float], None] | None = None,
    jobs: int = 1,
    predict_last: bool = True,
) -> Smoothed:
    """Move a prior ensemble to the data.

    Parameters
    ----------
    forward : (step, member, coordinates (parameters,)) -> predictions (data,)
    data, error : (data,) values and standard deviations
    n_steps : data assimilations, each with errors inflated by the square root of n_steps
    predict_last : whether the last ensemble is predicted, too; else its predictions are empty
    jobs : members predicted at the same time, in threads; the digits do not depend on it

    Raises
    ------
    ValueError
        If there are fewer members than three, or data and error differ in shape.
    """
    if n_members < 3:
        raise ValueError(f"n_members: expected at least 3, got {n_members}")
    if data.shape != error.shape:
        raise ValueError(f"data {data.shape} and error {error.shape} differ in shape")
    prior = rng.standard_normal((n_members, n_parameters))
    z = prior.copy()
    misfit: list[float] = []

    def predict(step: int) -> Array:
        with ThreadPoolExecutor(max_workers=max(jobs, 1)) as pool:
            g = np.array(list(pool.map(lambda m: forward(step, m, z[m]), range(n_members))))
        misfit.append(float(np.mean(((g - data) / error) ** 2)))
        if on_step is not None:
            on_step(step, misfit[-1])
        return g

    for step in range(n_steps):
        g = predict(step)
        dz, dg = z - z.mean(axis=0), g - g.mean(axis=0)
        c_zg = dz.T @ dg / (n_members - 1)
        c_gg = dg.T @ dg / (n_members - 1)
        noise = np.sqrt(n_steps) * error
        gain = np.linalg.solve(c_gg + np.diag(noise**2), c_zg.T).T
        perturbed = data + noise * rng.standard_normal(g.shape)
        z = z + (perturbed - g) @ gain.T
    last = predict(n_steps) if predict_last else np.empty((n_members, 0))
    return Smoothed(prior, z, last, tuple(misfit))
