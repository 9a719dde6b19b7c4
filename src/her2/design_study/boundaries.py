"""Group-sequential boundaries by recursive numerical integration.

The statistics of the looks are those of a Brownian motion with drift, seen at the shares of the information
(canonical joint distribution). The density of the process among trials that still go on is carried from look
to look by Gauss-Legendre quadrature in panels no wider than twice the standard deviation of the next or the
last step, which leaves an error below 1e-10.

Sources: Armitage, McPherson and Rowe 1969; Jennison and Turnbull 2000, chapter 19.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_REACH = 9.5
"""Standard deviations beyond which the normal density counts as nothing (2e-21)."""
_NEVER = 1e-14
"""An error rate below this is not spent: the look cannot stop the trial."""


@dataclass(frozen=True)
class Boundaries:
    """Stopping rule on the z statistic, larger being better for the experimental arm.

    Attributes
    ----------
    information : (looks,), share of the final information
    spent : (looks,), cumulative one-sided alpha
    efficacy : (looks,), reject from this z on; inf where a look cannot
    futility : (looks,), give up at this z or below; -inf where there is no such rule; non-binding
    drift : mean of the final z for which futility was planned; NaN without a futility rule
    """

    information: Array
    spent: Array
    efficacy: Array
    futility: Array
    drift: float


@dataclass(frozen=True)
class _Density:
    """Density of trials that go on after a look, on quadrature nodes of the Brownian scale."""

    at: Array
    mass: Array  # density times weight

    def tail(self, above: float, step: float, drift: float) -> float:
        """Probability of going on now and being above a value after `step` more information."""
        from scipy.special import ndtr

        return float(self.mass @ ndtr((self.at + drift * step - above) / np.sqrt(step)))

    def head(self, below: float, step: float, drift: float) -> float:
        """Probability of going on now and being below a value after `step` more information."""
        from scipy.special import ndtr

        return float(self.mass @ ndtr((below - self.at - drift * step) / np.sqrt(step)))


def set_boundaries(
    information: Sequence[float] | Array,
    spent: Sequence[float] | Array,
    futility_spent: Sequence[float] | Array | None = None,
) -> Boundaries:
    """Boundaries that spend the given errors.

    Futility is non-binding: the efficacy bounds ignore it, so that alpha holds whether or not it is followed.
    Its bounds spend beta under the drift at which they meet the efficacy bound at the last look.

    Parameters
    ----------
    information : (looks,), rising to 1
    spent : (looks,), cumulative one-sided alpha
    futility_spent : (looks,), cumulative beta; None for no futility rule

    Raises
    ------
    ValueError
        If no drift gives the wanted beta.
    """
    t = np.asarray(information, dtype=np.float64)
    alpha = np.asarray(spent, dtype=np.float64)
    none = np.full(t.size, -np.inf)
    efficacy = find_efficacy_bounds(t, alpha)
    if futility_spent is None:
        return Boundaries(t, alpha, efficacy, none, float("nan"))
    futility, drift = find_futility_bounds(t, efficacy, np.asarray(futility_spent, dtype=np.float64))
    return Boundaries(t, alpha, efficacy, futility, drift)


def find_efficacy_bounds(information: Array, spent: Array) -> Array:
    """Critical values of z that spend alpha as given, without any futility rule: (looks,)."""
    rates = np.diff(spent, prepend=0.0)
    bounds = np.full(rates.size, np.inf)
    density: _Density | None = None
    for k, rate in enumerate(rates):
        if rate > _NEVER:
            bounds[k] = _solve(lambda z, d=density, k=k: _upper(d, z, k, information, 0.0), float(rate), -1)
        density = _carry(density, -np.inf, float(bounds[k]), k, information, 0.0)
    return bounds


def find_futility_bounds(information: Array, efficacy: Array, spent: Array) -> tuple[Array, float]:
    """Futility bounds that spend beta, and the drift at which the last one meets the efficacy bound.

    Returns
    -------
    bounds : (looks,); the last is the efficacy bound
    drift : mean of the final z under the alternative

    Raises
    ------
    ValueError
        If no drift between 0 and 20 does it.
    """
    from scipy.optimize import brentq

    beta = float(spent[-1])

    def miss(drift: float) -> float:
        """Trials lost at this drift, less beta."""
        bounds = _futility_at(information, efficacy, spent, drift)
        reject, _ = find_crossing_probabilities(information, efficacy, bounds, drift)
        return (1.0 - float(reject.sum())) - beta

    if miss(0.0) <= 0.0 or miss(20.0) >= 0.0:
        raise ValueError(f"futility: no effect gives a beta of {beta:g} with these looks.")
    drift = float(brentq(miss, 0.0, 20.0, xtol=1e-11))
    bounds = _futility_at(information, efficacy, spent, drift)
    bounds[-1] = efficacy[-1]
    return bounds, drift


def _futility_at(information: Array, efficacy: Array, spent: Array, drift: float) -> Array:
    """Bounds of the interim looks that spend beta at this drift; -inf at the last."""
    rates = np.diff(spent, prepend=0.0)
    bounds = np.full(rates.size, -np.inf)
    density: _Density | None = None
    for k, rate in enumerate(rates[:-1]):
        if rate > _NEVER:
            found = _solve(lambda z, d=density, k=k: _lower(d, z, k, information, drift), float(rate), 1)
            bounds[k] = min(found, float(efficacy[k]))
        density = _carry(density, float(bounds[k]), float(efficacy[k]), k, information, drift)
    return bounds


def find_crossing_probabilities(
    information: Sequence[float] | Array,
    efficacy: Sequence[float] | Array,
    futility: Sequence[float] | Array | None = None,
    drift: float = 0.0,
) -> tuple[Array, Array]:
    """Probability of stopping at each look, for efficacy and for futility.

    Parameters
    ----------
    information : (looks,), rising to 1
    efficacy, futility : (looks,), bounds of z; None for no futility rule
    drift : mean of the final z; under proportional hazards -log(HR) sqrt(events r (1 - r)), r the share of
        the experimental arm

    Returns
    -------
    (looks,), (looks,)
    """
    t = np.asarray(information, dtype=np.float64)
    upper = np.asarray(efficacy, dtype=np.float64)
    lower = np.full(t.size, -np.inf) if futility is None else np.asarray(futility, dtype=np.float64)
    reject, give_up = np.zeros(t.size), np.zeros(t.size)
    density: _Density | None = None
    for k in range(t.size):
        reject[k] = _upper(density, float(upper[k]), k, t, drift)
        give_up[k] = _lower(density, min(float(lower[k]), float(upper[k])), k, t, drift)
        if k + 1 < t.size:
            density = _carry(density, float(lower[k]), float(upper[k]), k, t, drift)
    return reject, give_up


def _upper(density: _Density | None, z: float, k: int, t: Array, drift: float) -> float:
    """Probability of reaching look k and being above z there."""
    from scipy.special import ndtr

    if np.isposinf(z):
        return 0.0
    if density is None:
        return float(ndtr(drift * np.sqrt(t[k]) - z))
    return density.tail(z * float(np.sqrt(t[k])), float(t[k] - t[k - 1]), drift)


def _lower(density: _Density | None, z: float, k: int, t: Array, drift: float) -> float:
    """Probability of reaching look k and being below z there."""
    from scipy.special import ndtr

    if np.isneginf(z):
        return 0.0
    if density is None:
        return float(ndtr(z - drift * np.sqrt(t[k])))
    return density.head(z * float(np.sqrt(t[k])), float(t[k] - t[k - 1]), drift)


def _carry(density: _Density | None, lower: float, upper: float, k: int, t: Array, drift: float) -> _Density:
    """Density of trials that go on after look k, its z lying between the bounds."""
    root = float(np.sqrt(t[k]))
    low = max(lower * root, drift * t[k] - _REACH * root)
    high = min(upper * root, drift * t[k] + _REACH * root)
    last = float(t[k] - (t[k - 1] if k else 0.0))
    following = float(t[k + 1] - t[k]) if k + 1 < t.size else last
    at, weight = _panels(low, max(high, low), 2.0 * np.sqrt(min(last, following)))
    scale = np.sqrt(2.0 * np.pi * last)
    if density is None:
        value = np.exp(-((at - drift * last) ** 2) / (2.0 * last)) / scale
    else:
        away = at[:, None] - density.at[None, :] - drift * last
        value = (np.exp(-(away**2) / (2.0 * last)) / scale) @ density.mass
    return _Density(at, value * weight)


def _panels(low: float, high: float, width: float) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights in equal panels of at most `width`."""
    n = max(1, int(np.ceil((high - low) / width)))
    edges = np.linspace(low, high, n + 1)
    half = 0.5 * np.diff(edges)
    middle = 0.5 * (edges[1:] + edges[:-1])
    at = (middle[:, None] + half[:, None] * _NODES[None, :]).ravel()
    return at, (half[:, None] * _WEIGHTS[None, :]).ravel()


def _solve(probability: Callable[..., float], rate: float, sign: int) -> float:
    """The z at which a monotone probability (sign: of its slope) equals a rate."""
    from scipy.optimize import brentq

    if sign * (probability(_REACH) - rate) <= 0.0:
        return _REACH
    return float(brentq(lambda z: probability(z) - rate, -_REACH, _REACH, xtol=1e-12, rtol=1e-14))
