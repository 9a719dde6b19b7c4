"""Cox's log partial likelihood with its gradient and information, for Efron's or Breslow's ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.survival._arguments import Flags, Floats, Integers

Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _Stratum:
    """One stratum, sorted by time once so that risk sets are tails of cumulative sums."""

    x: Floats  # (patients, covariates), ascending time
    deaths: Positions  # (events,), rows of x
    group_start: Positions  # (event times,), first of `deaths` at each event time
    group: Positions  # (events,), which event time
    fraction: Floats  # (events,), Efron's share of the tied deaths already taken out of the risk set
    first_at_risk: Positions  # (event times,), first row of x still at risk
    by_entry: Positions  # (patients,), rows of x by ascending entry; empty without late entry
    first_not_entered: Positions  # (event times,), first of `by_entry` not yet at risk


@dataclass(frozen=True, eq=False)
class PartialLikelihood:
    """Log partial likelihood of a stratified Cox model."""

    strata: tuple[_Stratum, ...]
    n_covariates: int

    def evaluate(self, beta: Floats) -> tuple[float, Floats, Floats]:
        """Log likelihood, gradient (covariates,) and information (covariates, covariates) at `beta`."""
        value = 0.0
        gradient = np.zeros(self.n_covariates)
        information = np.zeros((self.n_covariates, self.n_covariates))
        for stratum in self.strata:
            v, g, i = _evaluate_stratum(stratum, beta)
            value, gradient, information = value + v, gradient + g, information + i
        return value, gradient, information


def build_likelihood(
    time: Floats, event: Flags, x: Floats, stratum: Integers | None, entry: Floats | None, is_efron: bool
) -> PartialLikelihood:
    """Sort the data once; strata without events say nothing and are left out."""
    codes = np.zeros(time.size, np.int64) if stratum is None else stratum
    parts = []
    for code in range(int(codes.max()) + 1):
        mine = np.flatnonzero(codes == code)
        if event[mine].any():
            own_entry = None if entry is None else entry[mine]
            parts.append(_sort_stratum(time[mine], event[mine], x[mine], own_entry, is_efron))
    return PartialLikelihood(tuple(parts), x.shape[1])


def _sort_stratum(time: Floats, event: Flags, x: Floats, entry: Floats | None, is_efron: bool) -> _Stratum:
    """Positions of deaths, ties and risk sets in one stratum."""
    order = np.argsort(time, kind="stable")
    time, event, x = time[order], event[order], x[order]
    deaths = np.flatnonzero(event)
    event_times, group_start, group, counts = np.unique(
        time[deaths], return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.arange(deaths.size) - group_start[group]
    fraction = rank / counts[group] if is_efron else np.zeros(deaths.size)
    empty = np.empty(0, np.intp)
    by_entry, not_entered = empty, empty
    if entry is not None:
        own = entry[order]
        by_entry = np.argsort(own, kind="stable")
        not_entered = np.searchsorted(own[by_entry], event_times, side="left")
    first_at_risk = np.searchsorted(time, event_times, side="left")
    return _Stratum(x, deaths, group_start, group, fraction, first_at_risk, by_entry, not_entered)


def _evaluate_stratum(s: _Stratum, beta: Floats) -> tuple[float, Floats, Floats]:
    """Contribution of one stratum: sums over deaths of log risk, mean covariate and covariance at risk."""
    n_covariates = s.x.shape[1]
    eta = s.x @ beta
    # Only ratios of risks matter; taking out the largest keeps exp in range for any trial step.
    shift = float(eta.max())
    risk = np.exp(eta - shift)
    first, second = np.triu_indices(n_covariates)
    columns = np.column_stack((risk, risk[:, None] * s.x, risk[:, None] * s.x[:, first] * s.x[:, second]))
    at_risk = _sum_tails(columns)[s.first_at_risk]
    if s.by_entry.size:
        at_risk = at_risk - _sum_tails(columns[s.by_entry])[s.first_not_entered]
    dying = np.add.reduceat(columns[s.deaths], s.group_start, axis=0)
    sums = at_risk[s.group] - s.fraction[:, None] * dying[s.group]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        total = sums[:, 0]
        mean = sums[:, 1 : n_covariates + 1] / total[:, None]
        value = float(np.sum(eta[s.deaths] - shift - np.log(total)))
        moments = sums[:, n_covariates + 1 :] / total[:, None] - mean[:, first] * mean[:, second]
    gradient = np.sum(s.x[s.deaths] - mean, axis=0)
    information = np.zeros((n_covariates, n_covariates))
    information[first, second] = moments.sum(axis=0)
    information[second, first] = information[first, second]
    return value, gradient, information


def _sum_tails(columns: Floats) -> Floats:
    """Sum of each row and all later rows, with a final row of zeros."""
    tails = np.cumsum(columns[::-1], axis=0)[::-1]
    return np.concatenate((tails, np.zeros((1, columns.shape[1]))))
