"""Restricted mean survival time, and its difference and ratio between two arms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from her2.survival._arguments import check_flags, check_level, check_time
from her2.survival._distributions import normal_quantile, normal_two_sided_p
from her2.survival.kaplan_meier import kaplan_meier


@dataclass(frozen=True)
class RestrictedMean:
    """Mean time free of the event within the first `tau`."""

    tau: float
    """Horizon, in the unit of time."""
    mean: float
    """Area under the Kaplan-Meier curve to `tau`, in the unit of time."""
    std_err: float
    """Standard error of `mean`, in the unit of time."""
    lower: float
    """Lower normal limit."""
    upper: float
    """Upper normal limit."""
    level: float
    """Coverage of the limits."""


@dataclass(frozen=True)
class RmstComparison:
    """Restricted means of two arms, experimental against control."""

    experimental: RestrictedMean
    """Arm coded True."""
    control: RestrictedMean
    """Arm coded False."""
    difference: float
    """Experimental less control, in the unit of time."""
    difference_std_err: float
    """Standard error of `difference`."""
    difference_lower: float
    """Lower normal limit of `difference`."""
    difference_upper: float
    """Upper normal limit of `difference`."""
    difference_p: float
    """Two-sided p value of no difference; NaN if neither arm varies."""
    ratio: float
    """Experimental over control, dimensionless."""
    ratio_lower: float
    """Lower limit, normal on the log scale."""
    ratio_upper: float
    """Upper limit, normal on the log scale."""
    ratio_p: float
    """Two-sided p value of a ratio of 1; NaN if neither arm varies."""


def restricted_mean(time: ArrayLike, event: ArrayLike, tau: float, level: float = 0.95) -> RestrictedMean:
    """Restricted mean survival time: the area under the Kaplan-Meier curve from 0 to `tau`.

    Variance: the sum over event times t <= tau of (area from t to tau)² d / (n (n - d)), as in R's
    `print(survfit, rmean = tau)` and survRM2. Choose `tau` before seeing the data.

    Parameters
    ----------
    time : (patients,), any unit of time, zero or more
    event : (patients,), True or 1 if the event happened, False or 0 if censored
    tau : horizon in the unit of `time`, positive
    level : coverage of the limits, between 0 and 1

    Returns
    -------
    RestrictedMean

    Raises
    ------
    ValueError
        If `tau` is not positive, or lies beyond the last observed time while survival is still above 0: the
        curve is not known there, and to hold it level would be a silent assumption. Also for wrong `time` or
        `event`.

    Sources
    -------
    Irwin 1949; Royston and Parmar 2013; Klein and Moeschberger 2003, equation 4.5.2.
    """
    if not (tau > 0 and math.isfinite(tau)):
        raise ValueError(f"tau: expected a positive time, got {tau}.")
    curve = kaplan_meier(time, event)
    last = float(curve.times[-1])
    if tau > last and curve.survival[-1] > 0:
        raise ValueError(
            f"tau: expected at most the last observed time, {last}, got {tau}; survival is unknown after it."
        )
    z = normal_quantile(check_level(level))
    within = curve.times <= tau
    knots = np.concatenate(([0.0], curve.times[within], [tau]))
    height = np.concatenate(([1.0], curve.survival[within]))
    area = np.diff(knots) * height
    mean = float(area.sum())
    area_after = np.cumsum(area[::-1])[::-1][1:]
    n, d = curve.n_at_risk[within], curve.n_events[within]
    # Where everyone at risk has the event no area is left to vary.
    growth = np.where(n > d, d / (n * np.maximum(n - d, 1.0)), 0.0)
    std_err = float(np.sqrt(np.sum(area_after**2 * growth)))
    return RestrictedMean(float(tau), mean, std_err, mean - z * std_err, mean + z * std_err, float(level))


def compare_rmst(
    time: ArrayLike, event: ArrayLike, arm: ArrayLike, tau: float, level: float = 0.95
) -> RmstComparison:
    """Difference and ratio of restricted mean survival time between two arms.

    Parameters
    ----------
    time : (patients,), any unit of time, zero or more
    event : (patients,), True or 1 if the event happened, False or 0 if censored
    arm : (patients,), True or 1 for the experimental arm, False or 0 for control
    tau : common horizon in the unit of `time`, within the follow-up of both arms
    level : coverage of the limits, between 0 and 1

    Returns
    -------
    RmstComparison

    Raises
    ------
    ValueError
        If an arm is empty, or as for `restricted_mean` in either arm.

    Sources
    -------
    Uno et al. 2014 : difference, and ratio on the log scale by the delta method.
    """
    observed = check_time(time)
    happened = check_flags(event, observed.shape)
    is_experimental = check_flags(arm, observed.shape, "arm")
    if is_experimental.all() or not is_experimental.any():
        raise ValueError("arm: expected patients in both arms, got a single arm.")
    z = normal_quantile(check_level(level))
    a = restricted_mean(observed[is_experimental], happened[is_experimental], tau, level)
    b = restricted_mean(observed[~is_experimental], happened[~is_experimental], tau, level)
    difference = a.mean - b.mean
    std_err = math.hypot(a.std_err, b.std_err)
    # A mean of 0 (every patient had the event at time 0) leaves no ratio.
    has_ratio = a.mean > 0 and b.mean > 0
    log_ratio = math.log(a.mean / b.mean) if has_ratio else math.nan
    log_std_err = math.hypot(a.std_err / a.mean, b.std_err / b.mean) if has_ratio else math.nan
    return RmstComparison(
        experimental=a,
        control=b,
        difference=difference,
        difference_std_err=std_err,
        difference_lower=difference - z * std_err,
        difference_upper=difference + z * std_err,
        difference_p=normal_two_sided_p(difference / std_err) if std_err > 0 else math.nan,
        ratio=math.exp(log_ratio),
        ratio_lower=math.exp(log_ratio - z * log_std_err),
        ratio_upper=math.exp(log_ratio + z * log_std_err),
        ratio_p=normal_two_sided_p(log_ratio / log_std_err) if log_std_err > 0 else math.nan,
    )
