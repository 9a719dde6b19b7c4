"""Cumulative incidence with competing events: the Aalen-Johansen estimate from one starting state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from her2.survival._arguments import Floats, Integers, check_time, freeze
from her2.survival.bands import ConfidenceType, confidence_band

# Rows of the times-by-times variance sum held in memory at once.
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class CumulativeIncidence:
    """Probability of having had each kind of event first, at every distinct time in the data."""

    times: Floats
    """(times,), the unit given: distinct observed times, ascending."""
    causes: Integers
    """(causes,), codes of the events, ascending."""
    n_at_risk: Floats
    """(times,), patients at risk just before each time."""
    n_events: Floats
    """(times, causes), events at each time."""
    n_censored: Floats
    """(times,), censored at each time."""
    event_free: Floats
    """(times,), dimensionless: free of every event just after each time, as by Kaplan-Meier."""
    incidence: Floats
    """(times, causes), dimensionless; with `event_free` each row sums to 1."""
    std_err: Floats
    """(times, causes), standard error of `incidence`."""
    lower: Floats
    """(times, causes), lower pointwise limit; NaN while the incidence is 0 on a log scale."""
    upper: Floats
    """(times, causes), upper pointwise limit; NaN while the incidence is 0 on a log scale."""
    conf_type: ConfidenceType
    """Scale of the incidence on which the limits are symmetric."""
    level: float
    """Pointwise coverage of the limits."""

    def incidence_at(self, t: ArrayLike) -> Floats:
        """Incidence of each cause just after each time `t`: (asked, causes).

        NaN beyond the last time, unless nobody is left event-free.

        Raises
        ------
        ValueError
            If any `t` is negative or not a number.
        """
        asked = np.atleast_1d(np.asarray(t, dtype=np.float64))
        if not bool(np.all(asked >= 0.0)):
            raise ValueError(f"t: expected times of zero or more, got {t!r}.")
        position = np.searchsorted(self.times, asked, side="right")
        value = np.vstack((np.zeros((1, self.causes.size)), self.incidence))[position]
        is_unknown = (asked > self.times[-1]) & (self.event_free[-1] > 0.0)
        return np.where(is_unknown[:, None], np.nan, value)


def cumulative_incidence(
    time: ArrayLike,
    cause: ArrayLike,
    conf_type: ConfidenceType = "log-log",
    level: float = 0.95,
) -> CumulativeIncidence:
    """Aalen-Johansen estimate of the cumulative incidence of each competing event.

    Sums S(t-) d_k / n over event times, S being free of any event. One minus Kaplan-Meier with the others
    censored would exceed this: it answers what would happen if the others could not. The variance is the
    multinomial delta-method one, which for right-censored data equals R's infinitesimal jackknife.

    Parameters
    ----------
    time : (patients,), any unit of time, zero or more
        Time of the first event or of the end of follow-up.
    cause : (patients,), whole numbers: 0 censored, 1, 2, ... kind of the first event
    conf_type : scale of the pointwise limits on the incidence itself: "log-log", "log" or "plain"
    level : pointwise coverage of the limits, between 0 and 1

    Returns
    -------
    CumulativeIncidence
        Causes are those seen in the data.

    Raises
    ------
    ValueError
        If causes are not whole numbers of zero or more, or times are negative, missing or empty.

    Sources
    -------
    Aalen and Johansen 1978; Marubini and Valsecchi 1995, section 10.2.
    """
    observed = check_time(time)
    codes = _check_cause(cause, observed.shape)
    times, position = np.unique(observed, return_inverse=True)
    causes = np.unique(codes[codes > 0])
    n_censored = np.bincount(position, codes == 0, times.size).astype(np.float64)
    n_events = np.zeros((times.size, causes.size))
    for column, code in enumerate(causes):
        n_events[:, column] = np.bincount(position, codes == code, times.size)
    any_event = n_events.sum(axis=1)
    n_at_risk = np.cumsum((any_event + n_censored)[::-1])[::-1]
    event_free = np.cumprod((n_at_risk - any_event) / n_at_risk)
    before = np.concatenate(([1.0], event_free))[:-1]
    incidence = np.cumsum(before[:, None] * n_events / n_at_risk[:, None], axis=0)
    std_err = np.zeros_like(incidence)
    for k in range(causes.size):
        std_err[:, k] = _compute_std_err(incidence[:, k], before, n_at_risk, any_event, n_events[:, k])
    with np.errstate(divide="ignore", invalid="ignore"):
        log_std_err = np.where(std_err == 0.0, 0.0, std_err / incidence)
    lower, upper = confidence_band(incidence, log_std_err, conf_type, level)
    freeze(times, causes, n_at_risk, n_events, n_censored, event_free, incidence, std_err, lower, upper)
    return CumulativeIncidence(
        times=times,
        causes=causes,
        n_at_risk=n_at_risk,
        n_events=n_events,
        n_censored=n_censored,
        event_free=event_free,
        incidence=incidence,
        std_err=std_err,
        lower=lower,
        upper=upper,
        conf_type=conf_type,
        level=float(level),
    )


def _compute_std_err(incidence: Floats, before: Floats, n: Floats, d: Floats, d_cause: Floats) -> Floats:
    """Delta-method standard error of one cause's incidence at every time.

    An event time u <= t adds the multinomial variance of (a - b) d_k - b (d - d_k), where a = S(u-) / n and
    b = (F(t) - F(u)) / (n - d). As 0 <= b <= a every term is non-negative, so nothing cancels.
    """
    at = np.flatnonzero(d > 0)
    f, n, d, own = incidence[at], n[at], d[at], d_cause[at]
    other = d - own
    a = before[at] / n
    variance = np.zeros(at.size)
    for start in range(0, at.size, _BLOCK):
        rows = slice(start, min(start + _BLOCK, at.size))
        gain = np.maximum(f[rows, None] - f[None, : rows.stop], 0.0)
        # Where all at risk had an event F no longer changes: the gain is 0 and the divisor does not matter.
        b = np.minimum(gain / np.maximum(n - d, 1.0)[: rows.stop], a[: rows.stop])
        rest = a[: rows.stop] - b
        o, e, m = own[: rows.stop], other[: rows.stop], n[: rows.stop]
        terms = rest**2 * (o * (m - o) / m) + b**2 * (e * (m - e) / m) + 2.0 * rest * b * (o * e / m)
        is_past = np.arange(rows.stop)[None, :] <= np.arange(rows.start, rows.stop)[:, None]
        variance[rows] = np.where(is_past, terms, 0.0).sum(axis=1)
    events_so_far = np.cumsum(np.isin(np.arange(incidence.size), at))
    return np.sqrt(np.concatenate(([0.0], variance)))[events_so_far]


def _check_cause(values: ArrayLike, shape: tuple[int, ...]) -> Integers:
    """Whole numbers of zero or more, one per patient."""
    array = np.asarray(values)
    if array.shape != shape:
        raise ValueError(f"cause: expected the shape of time, {shape}, got {array.shape}.")
    is_number = np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_
    if (
        not is_number
        or not bool(np.all(np.isfinite(array)))
        or bool(np.any((array < 0) | (array != np.floor(array))))
    ):
        raise ValueError(
            "cause: expected whole numbers, 0 for censored and 1, 2, ... for the kinds of event."
        )
    return array.astype(np.int64)
