"""True effects from twins: every patient of a group on both arms, under each posterior member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.design_study.draw import FOREVER, Source
from her2.engine.rng import Purpose, uniforms
from her2.survival import two_arm_cox_batch
from her2.trials.cut import cut_data

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
_STREAM = 1_900_000
BATCHES = 10
FEWEST = 40
"""Patients below which no effect is computed."""


@dataclass(frozen=True)
class Effect:
    """True hazard ratio of a group of patients.

    Attributes
    ----------
    log_hr : (members,), NaN where a member's pool holds too few patients
    mc_error : (members,), Monte-Carlo standard error from the finite pool, by disjoint batches
    n : (members,), patients of the group
    """

    log_hr: Array
    mc_error: Array
    n: NDArray[np.int64]

    @property
    def hazard_ratio(self) -> float:
        """Exp of the mean log hazard ratio over members; NaN without any."""
        known = self.log_hr[np.isfinite(self.log_hr)]
        return float(np.exp(known.mean())) if known.size else float("nan")

    @property
    def error(self) -> float:
        """Monte-Carlo standard error of the mean log hazard ratio from the finite pools."""
        known = self.mc_error[np.isfinite(self.mc_error)]
        return float(np.sqrt(np.sum(known**2)) / known.size) if known.size else float("nan")

    def quantiles(self, shares: Sequence[float] = (0.05, 0.95)) -> tuple[float, ...]:
        """Quantiles of the hazard ratio over members; NaN without any."""
        known = self.log_hr[np.isfinite(self.log_hr)]
        if not known.size:
            return tuple(float("nan") for _ in shares)
        return tuple(float(x) for x in np.exp(np.quantile(known, shares)))

    @property
    def pool_share(self) -> float:
        """Share of the members' variance that finite pools explain, at most 1; NaN below two members."""
        known = np.isfinite(self.log_hr)
        if known.sum() < 2:
            return float("nan")
        total = float(self.log_hr[known].var(ddof=1))
        return min(float(np.mean(self.mc_error[known] ** 2)) / total, 1.0) if total > 0.0 else 1.0


def find_effect(
    sources: Sequence[Source], inside: Sequence[Flags], accrual_days: float, cut_day: float, seed: int
) -> Effect:
    """True hazard ratio of a group under each member, at the trial file's accrual and data cut.

    Parameters
    ----------
    inside : one array of (patients,) for each source
    accrual_days, cut_day : enrolment is uniform over the accrual; the data are cut on that day
    """
    logs, errors, counts = [], [], []
    for source, chosen in zip(sources, inside, strict=True):
        log_hr, error = _member_effect(source, chosen, accrual_days, cut_day, seed)
        logs.append(log_hr)
        errors.append(error)
        counts.append(int(chosen.sum()))
    return Effect(np.array(logs), np.array(errors), np.array(counts))


def _member_effect(
    source: Source, chosen: Flags, accrual_days: float, cut_day: float, seed: int
) -> tuple[float, float]:
    """Log hazard ratio and its Monte-Carlo error in one pool."""
    at = np.nonzero(chosen)[0]
    if at.size < FEWEST:
        return float("nan"), float("nan")
    n = chosen.size
    purpose = int(Purpose.RESAMPLING)
    enrol = (accrual_days * np.asarray(uniforms(seed, 0, n, purpose, _STREAM)))[at]
    lost = np.full(at.size, min(source.horizon, FOREVER))
    if source.loss_rate > 0.0:
        u = np.asarray(uniforms(seed, 0, n, purpose, _STREAM + 1))[at]
        lost = np.minimum(lost, -np.log(u) / source.loss_rate)
    known = [
        cut_data(f.take(at), source.endpoint, enrol, lost, cut_day, source.scan_days) for f in source.arms
    ]
    time = np.stack([k.time for k in known])
    event = np.stack([k.event for k in known])
    batches = min(BATCHES, at.size // (FEWEST // 4))
    # all patients first, then each batch
    parts = [np.arange(at.size), *(np.arange(b, at.size, batches) for b in range(batches))]
    offsets = np.concatenate([[0], np.cumsum([2 * p.size for p in parts])])
    fit = two_arm_cox_batch(
        np.concatenate([time[:, p].ravel() for p in parts]),
        np.concatenate([event[:, p].ravel() for p in parts]),
        np.concatenate([np.repeat([True, False], p.size) for p in parts]),
        offsets=offsets,
    )
    few = fit.coef[1:][fit.is_converged[1:]]
    error = float(few.std(ddof=1) / np.sqrt(few.size)) if few.size > 1 else float("nan")
    return (float(fit.coef[0]) if fit.is_converged[0] else float("nan")), error
