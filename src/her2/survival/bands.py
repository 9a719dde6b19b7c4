"""Pointwise confidence bands for a probability that changes with time."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from her2.survival._arguments import Floats, check_level
from her2.survival._distributions import normal_quantile

ConfidenceType = Literal["log-log", "log", "plain"]


def confidence_band(
    estimate: Floats,
    log_std_err: Floats,
    conf_type: ConfidenceType = "log-log",
    level: float = 0.95,
) -> tuple[Floats, Floats]:
    """Lower and upper pointwise limits of a probability P(t).

    With s the standard error of log P: plain P ± z s P cut to [0, 1]; log P exp(± z s) cut at 1; log-log
    exp(-exp(log(-log P) ± z s / log P)). Pointwise: the band does not cover the whole curve at this level.

    Parameters
    ----------
    estimate : (times,), dimensionless, in [0, 1]
    log_std_err : (times,), dimensionless
        Standard error of log P; may be infinite where P is 0.
    conf_type : scale on which the interval is symmetric
    level : pointwise coverage, between 0 and 1

    Returns
    -------
    two arrays (times,), dimensionless; NaN where the scale does not exist (P = 0, and P = 1 for log-log), as
    in R

    Raises
    ------
    ValueError
        If `conf_type` is not one of the three or `level` is not between 0 and 1.

    Sources
    -------
    Kalbfleisch and Prentice 1980, section 1.3 (log-log); Borgan and Liestøl 1990.
    """
    if conf_type not in get_args(ConfidenceType):
        raise ValueError(f"conf_type: expected one of {get_args(ConfidenceType)}, got {conf_type!r}.")
    z = normal_quantile(check_level(level))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if conf_type == "plain":
            half = z * log_std_err * estimate
            return np.maximum(estimate - half, 0.0), np.minimum(estimate + half, 1.0)
        if conf_type == "log":
            # log 0 is NaN here and not minus infinity: an interval around an estimate of 0 is not known.
            log_p = np.log(np.where(estimate == 0.0, np.nan, estimate))
            half = z * log_std_err
            return np.exp(log_p - half), np.minimum(np.exp(log_p + half), 1.0)
        inside = np.where((estimate == 0.0) | (estimate == 1.0), np.nan, estimate)
        log_p = np.log(inside)
        half = z * log_std_err / log_p
        centre = np.log(-log_p)
        return np.exp(-np.exp(centre - half)), np.exp(-np.exp(centre + half))
