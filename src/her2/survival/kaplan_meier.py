"""Kaplan-Meier estimate of the survival function, with its median, limits and numbers at risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from her2.survival._arguments import (
    Floats,
    check_entry,
    check_flags,
    check_time,
    check_weights,
    freeze,
)
from her2.survival.bands import ConfidenceType, confidence_band

# R's tolerance for "the curve is at p": products of fractions do not hit 0.5 exactly.
_FLAT_TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))


@dataclass(frozen=True, eq=False)
class Quantiles:
    """Times by which a fraction p has had the event; NaN where curve or band does not get that far."""

    p: Floats
    """(quantiles,), dimensionless: the fractions asked for."""
    time: Floats
    """(quantiles,), the unit of time."""
    lower: Floats
    """(quantiles,), the unit of time: where the lower limit of survival crosses 1 - p."""
    upper: Floats
    """(quantiles,), the unit of time: where the upper limit of survival crosses 1 - p."""


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """A Kaplan-Meier curve at every distinct time in the data, of events and of censorings alike."""

    times: Floats
    """(times,), the unit given: distinct observed times, ascending."""
    n_at_risk: Floats
    """(times,), patients (or their weight) at risk just before each time."""
    n_events: Floats
    """(times,), events at each time."""
    n_censored: Floats
    """(times,), censored at each time; they were still at risk for the events there."""
    survival: Floats
    """(times,), dimensionless: just after each time."""
    std_err: Floats
    """(times,), dimensionless: Greenwood standard error of `survival`; NaN once survival is 0."""
    lower: Floats
    """(times,), dimensionless: lower pointwise limit; NaN where the scale does not exist."""
    upper: Floats
    """(times,), dimensionless: upper pointwise limit; NaN where the scale does not exist."""
    cumulative_hazard: Floats
    """(times,), dimensionless: Nelson-Aalen estimate, not minus log survival."""
    cumulative_hazard_std_err: Floats
    """(times,), dimensionless: square root of the sum of events / at risk squared."""
    conf_type: ConfidenceType
    """Scale on which the limits are symmetric."""
    level: float
    """Pointwise coverage of the limits."""
    entry_times: Floats | None = None
    """(patients,), the unit of time, ascending; None if everyone was followed from time zero."""
    entry_weights: Floats | None = None
    """(patients,), weights in the order of `entry_times`; None without late entry."""

    def median(self) -> float:
        """Median time to event, in the unit of time; NaN if not reached. See `quantile`."""
        return float(self.quantile(0.5).time[0])

    def quantile(self, p: ArrayLike) -> Quantiles:
        """Times by which fractions `p` have had the event, with limits from inverting the confidence band.

        The first time at which survival is at or below 1 - p. Where the curve runs flat at exactly 1 - p, the
        middle of the flat part; if it is flat there to the end, the middle between its start and the last
        observed time. This is R's `quantile(survfit)`; R's `print(survfit)` gives the start of a part that is
        flat to the end.

        Parameters
        ----------
        p : number or (quantiles,), dimensionless, in [0, 1]
            Fraction that has had the event; 0.5 is the median.

        Raises
        ------
        ValueError
            If any `p` is outside [0, 1].

        Sources
        -------
        Brookmeyer and Crowley 1982 : limits from the band.
        """
        fractions = np.atleast_1d(np.asarray(p, dtype=np.float64))
        if fractions.ndim != 1 or not bool(np.all((fractions >= 0.0) & (fractions <= 1.0))):
            raise ValueError(f"p: expected fractions in [0, 1], got {p!r}.")
        return Quantiles(
            p=fractions,
            time=_invert_curve(self.times, self.survival, fractions),
            lower=_invert_curve(self.times, self.lower, fractions),
            upper=_invert_curve(self.times, self.upper, fractions),
        )

    def survival_at(self, t: ArrayLike) -> Floats:
        """Survival just after each time `t`; NaN beyond the last time, unless it has reached 0.

        Raises
        ------
        ValueError
            If any `t` is negative or not a number.
        """
        asked = _check_asked_times(t)
        position = np.searchsorted(self.times, asked, side="right")
        value = np.concatenate(([1.0], self.survival))[position]
        is_unknown = (asked > self.times[-1]) & (self.survival[-1] > 0.0)
        return np.asarray(np.where(is_unknown, np.nan, value), dtype=np.float64)

    def n_at_risk_at(self, t: ArrayLike) -> Floats:
        """Number at risk just before each time `t`: the row of numbers under a published curve.

        A patient counts until and including its own time, and after (not at) its entry time.

        Raises
        ------
        ValueError
            If any `t` is negative or not a number.
        """
        asked = _check_asked_times(t)
        leaving = self.n_events + self.n_censored
        still_in = _total_from(leaving)[np.searchsorted(self.times, asked, side="left")]
        if self.entry_times is not None and self.entry_weights is not None:
            not_yet = np.searchsorted(self.entry_times, asked, side="left")
            # Nobody entered before zero, yet those who start there are at risk from the first instant.
            from_zero = np.searchsorted(self.entry_times, 0.0, side="right")
            not_yet = np.where(asked == 0.0, from_zero, not_yet)
            still_in = still_in - _total_from(self.entry_weights)[not_yet]
        return np.asarray(still_in, dtype=np.float64)


def kaplan_meier(
    time: ArrayLike,
    event: ArrayLike,
    weights: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    conf_type: ConfidenceType = "log-log",
    level: float = 0.95,
) -> KaplanMeier:
    """Kaplan-Meier estimate of the probability of being free of the event.

    The product over event times of (1 - events / at risk), with Greenwood's variance and the Nelson-Aalen
    cumulative hazard. Assumes that censoring tells nothing about the event; where a competing event prevents
    it, use `cumulative_incidence`. Only equal times are tied: see `merge_near_ties`.

    Parameters
    ----------
    time : (patients,), any unit of time, zero or more
        Time of the event or of the end of follow-up.
    event : (patients,), True or 1 if the event happened at `time`, False or 0 if censored
    weights : (patients,), dimensionless, zero or more
        Replication weights: a patient of weight 2 stands for two. Fractions are allowed, but the standard
        error then is Greenwood's with weighted counts (R with `robust=FALSE`), not a survey or propensity
        variance.
    entry : (patients,), the unit of `time`
        Start of observation, strictly before `time`; a patient is at risk in (entry, time]. With late entry
        the risk set can be empty early on and the curve then falls to 0 for good.
    conf_type : scale of the pointwise limits: "log-log" (usual in oncology), "log" (R's own) or "plain"
    level : pointwise coverage of the limits, between 0 and 1

    Returns
    -------
    KaplanMeier

    Raises
    ------
    ValueError
        If times are negative, missing or empty, shapes differ, or any code is not as above.

    Sources
    -------
    Kaplan and Meier 1958; Greenwood 1926; Nelson 1972; Aalen 1978.
    """
    observed = check_time(time)
    happened = check_flags(event, observed.shape)
    weight = check_weights(weights, observed.shape)
    start = check_entry(entry, observed)
    is_weighted = weight is not None
    if weight is None:
        weight = np.ones_like(observed)
    keep = weight > 0
    observed, happened, weight = observed[keep], happened[keep], weight[keep]

    times, position = np.unique(observed, return_inverse=True)
    n_events = np.bincount(position, weight * happened, times.size).astype(np.float64)
    n_censored = np.bincount(position, weight * ~happened, times.size).astype(np.float64)
    n_at_risk = _total_from(n_events + n_censored)[:-1]
    entry_times = entry_weights = None
    if start is not None:
        order = np.argsort(start[keep], kind="stable")
        entry_times, entry_weights = start[keep][order], weight[order]
        n_at_risk = n_at_risk - _total_from(entry_weights)[np.searchsorted(entry_times, times, side="left")]
        freeze(entry_times, entry_weights)

    n_left = n_at_risk - n_events
    if is_weighted:
        # Sums of fractions: a remainder of rounding must not pass for a patient still at risk.
        n_left = np.where(n_left <= 1e-12 * n_at_risk, 0.0, n_left)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(np.where(n_events > 0, n_left / n_at_risk, 1.0)).astype(np.float64)
        log_variance = np.cumsum(np.where(n_events > 0, n_events / (n_at_risk * n_left), 0.0))
        log_std_err = np.sqrt(log_variance)
        hazard = np.where(n_events > 0, n_events / n_at_risk, 0.0)
        hazard_variance = np.cumsum(np.where(n_events > 0, n_events / n_at_risk**2, 0.0))
        lower, upper = confidence_band(survival, log_std_err, conf_type, level)
        std_err = log_std_err * survival
    curve = KaplanMeier(
        times=times,
        n_at_risk=n_at_risk,
        n_events=n_events,
        n_censored=n_censored,
        survival=survival,
        std_err=std_err,
        lower=lower,
        upper=upper,
        cumulative_hazard=np.cumsum(hazard),
        cumulative_hazard_std_err=np.sqrt(hazard_variance),
        conf_type=conf_type,
        level=float(level),
        entry_times=entry_times,
        entry_weights=entry_weights,
    )
    freeze(times, n_at_risk, n_events, n_censored, survival, std_err, lower, upper)
    freeze(curve.cumulative_hazard, curve.cumulative_hazard_std_err)
    return curve


def _total_from(values: Floats) -> Floats:
    """Sum of each value and all later ones, with a final 0."""
    return np.concatenate((np.cumsum(values[::-1])[::-1], [0.0]))


def _check_asked_times(t: ArrayLike) -> Floats:
    """Times of interest as float64, one or many."""
    asked = np.asarray(t, dtype=np.float64)
    if not bool(np.all(asked >= 0.0)):
        raise ValueError(f"t: expected times of zero or more, got {t!r}.")
    return asked


def _invert_curve(times: Floats, curve: Floats, p: Floats) -> Floats:
    """First time at which 1 - curve reaches p, the middle of a flat part: R's `quantile.survfit`."""
    fallen, first = np.unique(np.concatenate(([0.0], 1.0 - curve)), return_index=True)
    known = ~np.isnan(fallen)
    fallen, at = fallen[known], np.concatenate(([0.0], times))[first[known]]
    padded = np.concatenate((at, [np.nan]))
    reached = padded[np.searchsorted(fallen + _FLAT_TOLERANCE, p, side="left")]
    passed = padded[np.searchsorted(fallen - _FLAT_TOLERANCE, p, side="left")]
    quantile = (reached + passed) / 2.0
    last = 1.0 - curve[-1]
    if not np.isnan(last):
        quantile = np.where(np.abs(p - last) < _FLAT_TOLERANCE, (reached + times[-1]) / 2.0, quantile)
    return np.asarray(np.where(p == 0.0, 0.0, quantile), dtype=np.float64)
