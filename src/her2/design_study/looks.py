"""Event-driven looks: cut the data when enough events have come in, test, stop or go on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.design_study.boundaries import Boundaries
from her2.design_study.draw import Draws, Source
from her2.survival import two_arm_cox_batch, two_arm_log_rank_batch
from her2.trials.cut import cut_data

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
_ROUNDING = 1e-6
"""Days added to a cut so that the event that triggers it is inside it in floating point."""


@dataclass(frozen=True)
class Protocol:
    """What is fixed before a trial starts.

    Attributes
    ----------
    size : patients randomised
    events : (looks,), events that trigger each look
    accrual_days : time to enrol all patients
    latest : day of the latest final analysis, since the first patient could enter
    bounds : stopping rule
    hr_below : estimated hazard ratio that success asks for; None for significance alone
    """

    size: int
    events: tuple[int, ...]
    accrual_days: float
    latest: float
    bounds: Boundaries
    hr_below: float | None = None


@dataclass(frozen=True)
class Outcomes:
    """How trials ended.

    Attributes
    ----------
    look : (trials,), look at which the trial ended, from 0; the last if its events never came
    success, significant, futile : (trials,)
    events, day, enrolled : (trials,), events, calendar day and patients enrolled at the end
    short : (trials,), whether the final analysis came at the latest day with fewer events than planned
    """

    look: Integers
    success: Flags
    significant: Flags
    futile: Flags
    events: Integers
    day: Array
    enrolled: Integers
    short: Flags


@dataclass(frozen=True)
class _Data:
    """Trials at their cuts, flat, as the batch analyses want them."""

    time: Array
    event: Flags
    is_experimental: Flags
    stratum: Integers
    offsets: Integers

    def only(self, chosen: Flags) -> _Data:
        """These trials: (trials,)."""
        counts = np.diff(self.offsets)
        flat = np.repeat(chosen, counts)
        offsets = np.concatenate([[0], np.cumsum(counts[chosen])])
        return _Data(
            self.time[flat], self.event[flat], self.is_experimental[flat], self.stratum[flat], offsets
        )


def find_cuts(source: Source, draws: Draws, protocol: Protocol) -> tuple[Array, Flags]:
    """Calendar day of each look, and whether its events come by the latest day: (trials, looks) each."""
    day = source.event_day[draws.arm, draws.patient]
    calendar = np.where(day <= draws.lost, draws.enrol + day, np.inf)
    kth = [min(e, protocol.size) - 1 for e in protocol.events]
    at = np.partition(calendar, sorted(set(kth)), axis=1)[:, kth] + _ROUNDING
    is_reached = at <= protocol.latest
    return np.where(is_reached, at, protocol.latest), is_reached


def follow_looks(
    source: Source,
    draws: Draws,
    protocol: Protocol,
    *,
    between_trial_sd: float = 0.0,
    heed_futility: bool = True,
) -> Outcomes:
    """Look at each trial when its events have come, and stop by the boundaries.

    A trial whose events do not come by the latest day ends there, tested at the last critical value; with
    less information than planned this is conservative. A random effect of the trial moves the log hazard
    ratio by d: the z statistic by -d times the root of the log-rank variance, exact to first order in d.

    Parameters
    ----------
    between_trial_sd : SD of the log hazard ratio between trials
    heed_futility : whether trials at or below a futility bound stop
    """
    n = draws.patient.shape[0]
    cuts, is_reached = find_cuts(source, draws, protocol)
    n_looks = len(protocol.events)
    efficacy, futility = protocol.bounds.efficacy, protocol.bounds.futility
    shift = between_trial_sd * draws.normal
    look = np.full(n, n_looks - 1, dtype=np.int64)
    success, significant, futile, short = (np.zeros(n, dtype=bool) for _ in range(4))
    events, enrolled = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    day = np.zeros(n)
    going = np.arange(n)
    for j in range(n_looks):
        if not going.size:
            break
        data = _cut(source, draws, going, cuts[going, j])
        test = two_arm_log_rank_batch(
            data.time, data.event, data.is_experimental, data.stratum, offsets=data.offsets
        )
        z = -test.z - shift[going] * np.sqrt(test.variance)
        is_final = ~is_reached[going, j] | (j == n_looks - 1)
        passed = z >= np.where(is_final, efficacy[-1], efficacy[j])
        gives_up = ~passed & ~is_final & (z <= futility[j]) if heed_futility else np.zeros_like(passed)
        ended = passed | gives_up | is_final
        here = going[ended]
        look[here] = np.where(is_final[ended], n_looks - 1, j)
        significant[going[passed]] = True
        futile[going[gives_up]] = True
        short[here] = is_final[ended] & ~is_reached[here, -1]
        counts = np.add.reduceat(data.event.astype(np.int64), data.offsets[:-1])
        events[here] = counts[ended]
        enrolled[here] = np.diff(data.offsets)[ended]
        day[here] = cuts[here, j]
        if protocol.hr_below is None:
            success[going[passed]] = True
        elif passed.any():
            part = data.only(passed)
            fit = two_arm_cox_batch(
                part.time, part.event, part.is_experimental, part.stratum, offsets=part.offsets
            )
            estimate = np.exp(fit.coef + shift[going[passed]])
            success[going[passed]] = estimate < protocol.hr_below
        going = going[~ended]
    return Outcomes(look, success, significant, futile, events, day, enrolled, short)


def _cut(source: Source, draws: Draws, trials: Integers, cut: Array) -> _Data:
    """What is known of the patients enrolled before each trial's cut."""
    is_in = draws.enrol[trials] < cut[:, None]
    patient, arm = draws.patient[trials][is_in], draws.arm[trials][is_in]
    # days of enrolment counted from the trial's own cut, so that all trials share the cut at day 0
    enrol = (draws.enrol[trials] - cut[:, None])[is_in]
    lost = draws.lost[trials][is_in]
    time, event = np.empty(patient.size), np.empty(patient.size, dtype=bool)
    for k in range(2):
        mine = np.nonzero(arm == k)[0]
        known = cut_data(
            source.arms[k].take(patient[mine]),
            source.endpoint,
            enrol[mine],
            lost[mine],
            0.0,
            source.scan_days,
        )
        time[mine], event[mine] = known.time, known.event
    offsets = np.concatenate([[0], np.cumsum(is_in.sum(axis=1))])
    return _Data(time, event, arm == 0, source.stratum[patient], offsets)
