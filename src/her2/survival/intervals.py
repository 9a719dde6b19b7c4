"""Confidence intervals for response rates and for their difference between arms."""

from __future__ import annotations

import math
from dataclasses import dataclass

from her2.survival._arguments import check_level
from her2.survival._distributions import normal_quantile


@dataclass(frozen=True)
class ProportionInterval:
    """A proportion, or a difference of two, with its limits; dimensionless."""

    estimate: float
    """Observed proportion in [0, 1], or difference in [-1, 1]."""
    lower: float
    """Lower limit."""
    upper: float
    """Upper limit."""
    level: float
    """Nominal coverage."""


def clopper_pearson(n_responders: int, n_patients: int, level: float = 0.95) -> ProportionInterval:
    """Exact binomial interval for a response rate, as most trial reports give.

    Inverts two one-sided binomial tests; coverage is never below `level` and usually above it.

    Parameters
    ----------
    n_responders : patients with a response, between 0 and `n_patients`
    n_patients : patients assessed, one or more
    level : nominal coverage, between 0 and 1

    Returns
    -------
    ProportionInterval

    Raises
    ------
    ValueError
        If the counts are not whole numbers in their ranges, or `level` is not between 0 and 1.

    Sources
    -------
    Clopper and Pearson 1934.
    """
    x, n = _check_counts(n_responders, n_patients)
    tail = (1.0 - check_level(level)) / 2.0
    from scipy.special import betaincinv

    lower = float(betaincinv(x, n - x + 1, tail)) if x > 0 else 0.0
    # The mirrored form keeps full precision near 1.
    upper = 1.0 - float(betaincinv(n - x, x + 1, tail)) if x < n else 1.0
    return ProportionInterval(x / n, lower, upper, float(level))


def wilson(n_responders: int, n_patients: int, level: float = 0.95) -> ProportionInterval:
    """Score interval for a response rate, without continuity correction.

    Inverts the normal test with the variance of the hypothesis; mean coverage is close to `level`.

    Parameters
    ----------
    n_responders : patients with a response, between 0 and `n_patients`
    n_patients : patients assessed, one or more
    level : nominal coverage, between 0 and 1

    Returns
    -------
    ProportionInterval

    Raises
    ------
    ValueError
        If the counts are not whole numbers in their ranges, or `level` is not between 0 and 1.

    Sources
    -------
    Wilson 1927.
    """
    x, n = _check_counts(n_responders, n_patients)
    z = normal_quantile(check_level(level))
    p = x / n
    centre = x + z * z / 2.0
    half = z * math.sqrt(n * p * (1.0 - p) + z * z / 4.0)
    # At 0 and n the limit is exactly the bound; the formula would leave rounding there.
    lower = (centre - half) / (n + z * z) if x > 0 else 0.0
    upper = (centre + half) / (n + z * z) if x < n else 1.0
    return ProportionInterval(p, lower, upper, float(level))


def newcombe_difference(
    n_responders: int,
    n_patients: int,
    n_responders_control: int,
    n_patients_control: int,
    level: float = 0.95,
) -> ProportionInterval:
    """Difference of two independent response rates with Newcombe's hybrid score interval.

    Joins the two Wilson intervals; without continuity correction (Newcombe's method 10).

    Parameters
    ----------
    n_responders, n_patients : responders and patients of the first arm
    n_responders_control, n_patients_control : the same of the arm that is subtracted
    level : nominal coverage, between 0 and 1

    Returns
    -------
    ProportionInterval
        `estimate` is first less control.

    Raises
    ------
    ValueError
        If counts are not whole numbers in their ranges, or `level` is not between 0 and 1.

    Sources
    -------
    Newcombe 1998, Statistics in Medicine 17:873-890, method 10.
    """
    a = wilson(n_responders, n_patients, level)
    b = wilson(n_responders_control, n_patients_control, level)
    difference = a.estimate - b.estimate
    below = math.hypot(a.estimate - a.lower, b.upper - b.estimate)
    above = math.hypot(a.upper - a.estimate, b.estimate - b.lower)
    return ProportionInterval(difference, difference - below, difference + above, float(level))


def _check_counts(n_responders: int, n_patients: int) -> tuple[int, int]:
    """Whole numbers with 0 <= responders <= patients and at least one patient."""
    for name, value in (("n_responders", n_responders), ("n_patients", n_patients)):
        if value != value or math.isinf(value) or value != int(value):
            raise ValueError(f"{name}: expected a whole number, got {value!r}.")
    x, n = int(n_responders), int(n_patients)
    if n < 1:
        raise ValueError(f"n_patients: expected one or more, got {n}.")
    if not 0 <= x <= n:
        raise ValueError(f"n_responders: expected between 0 and n_patients = {n}, got {x}.")
    return x, n
