"""Patient-level data recovered from a published Kaplan-Meier curve and its numbers at risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from her2.survival._arguments import Flags, Floats, Integers, check_time, freeze

# Distance from the digitised curve, in survival, below which one reconstruction is as good as another.
_READING_ERROR = 0.01


@dataclass(frozen=True, eq=False)
class ReconstructedArm:
    """Times and events that reproduce one published curve. Derived data: not the trial's own patients."""

    time: Floats
    """(patients,), the unit of the curve, ascending."""
    event: Flags
    """(patients,), True if an event, False if censored."""
    n_at_risk: Floats
    """(risk times,), at risk in the reconstruction where the publication gives `n_at_risk`."""
    largest_gap: float
    """Largest difference between the digitised and the reconstructed survival at the digitised points."""


def reconstruct_patients(
    time: ArrayLike,
    survival: ArrayLike,
    risk_time: ArrayLike,
    n_at_risk: ArrayLike,
    n_events: int | None = None,
) -> ReconstructedArm:
    """Times and events of individual patients from a digitised curve and the numbers at risk under it.

    Between two numbers at risk the censored patients are spread evenly, and their number is adjusted until
    the next number at risk comes out; events are the whole numbers that best follow the curve. After the last
    number at risk the censored are as many as give the total events, then the nearest curve, then the average
    rate of censoring (the paper uses the total and the rate). Hazard ratios of 300 patients per arm come back
    within 3 %; curves read less finely, and sparse tables of numbers at risk, do worse.

    Parameters
    ----------
    time : (points,), any unit of time, ascending; one point after each step of the curve
    survival : (points,), dimensionless, in [0, 1]
        Read-off error that makes the curve rise is removed by taking the running minimum.
    risk_time : (risk times,), the unit of `time`, starting at 0 and ascending
    n_at_risk : (risk times,), whole numbers, not rising
    n_events : total events of the arm if the paper gives them

    Returns
    -------
    ReconstructedArm

    Raises
    ------
    ValueError
        If shapes differ, times do not ascend, survival is outside [0, 1], or numbers at risk rise or do not
        start at 0.

    Sources
    -------
    Guyot et al. 2012, BMC Medical Research Methodology 12:9.
    """
    points, curve = _check_curve(time, survival)
    risk_times, published = _check_risk_table(risk_time, n_at_risk)
    if n_events is not None and not 0 <= n_events <= published[0]:
        raise ValueError(
            f"n_events: expected between 0 and the patients at time 0, {published[0]}, got {n_events}."
        )
    if points[0] > 0.0:
        points, curve = np.concatenate(([0.0], points)), np.concatenate(([1.0], curve))
    # A number at risk after the last digitised point carries no curve to follow.
    used = np.flatnonzero(risk_times <= points[-1])
    risk_times, published_used = risk_times[used], published[used]
    n_intervals = risk_times.size
    first = np.searchsorted(points, risk_times, side="left")
    bounds = np.append(first, points.size)

    events = np.zeros(points.size, np.int64)
    censored_at: list[Floats] = []
    state = _State(int(published_used[0]), 1.0)
    for interval in range(n_intervals - 1):
        rows = slice(int(bounds[interval]), int(bounds[interval + 1]))
        stop = float(risk_times[interval + 1])
        goal = int(published_used[interval + 1])
        piece = _match_next_number(points, curve, rows, float(risk_times[interval]), stop, state, goal)
        events[rows], state = piece.events, piece.state
        censored_at.append(piece.censored_at)
    rows = slice(int(bounds[n_intervals - 1]), points.size)
    n_censored_before = int(sum(part.size for part in censored_at))
    piece = _fit_tail(points, curve, rows, risk_times, state, n_censored_before, int(events.sum()), n_events)
    events[rows], state = piece.events, piece.state
    censored_at.append(piece.censored_at)

    at_end = np.full(state.n_at_risk, points[-1])
    all_times = np.concatenate([np.repeat(points, events), *censored_at, at_end])
    is_event = np.arange(all_times.size) < int(events.sum())
    order = np.lexsort((~is_event, all_times))
    result_time, result_event = all_times[order], is_event[order]
    recovered = np.array(
        [float(np.count_nonzero(result_time >= t)) for t in np.asarray(risk_time, dtype=np.float64)]
    )
    freeze(result_time, result_event, recovered)
    return ReconstructedArm(
        result_time, result_event, recovered, _find_largest_gap(points, curve, result_time, result_event)
    )


@dataclass(frozen=True)
class _State:
    """Patients at risk and reconstructed survival after the points dealt with so far."""

    n_at_risk: int
    survival: float


@dataclass(frozen=True, eq=False)
class _Piece:
    """One interval between numbers at risk, reconstructed."""

    events: Integers
    censored_at: Floats
    state: _State
    gap: float  # largest distance from the digitised curve


def _follow_curve(
    points: Floats, curve: Floats, rows: slice, start: float, stop: float, state: _State, n_censored: int
) -> _Piece:
    """Events that follow the curve when `n_censored` patients leave evenly between `start` and `stop`."""
    spread = start + (stop - start) * (np.arange(n_censored) + 0.5) / max(n_censored, 1)
    n, survival = state.n_at_risk, state.survival
    events = np.zeros(rows.stop - rows.start, np.int64)
    gone, gap = 0, 0.0
    for i, row in enumerate(range(rows.start, rows.stop)):
        # Censored before this point; those tied with it are still at risk.
        leaving = min(int(np.searchsorted(spread, points[row], side="left")) - gone, n)
        gone, n = gone + leaving, n - leaving
        if n > 0 and survival > 0.0:
            d = min(max(int(np.rint(n * (1.0 - curve[row] / survival))), 0), n)
            events[i] = d
            survival *= 1.0 - d / n
            n -= d
        gap = max(gap, abs(survival - float(curve[row])))
    leaving = min(n_censored - gone, n)
    return _Piece(events, spread[: gone + leaving], _State(n - leaving, survival), gap)


def _match_next_number(
    points: Floats, curve: Floats, rows: slice, start: float, stop: float, state: _State, goal: int
) -> _Piece:
    """The interval with as many censored as bring the next number at risk nearest to the published one."""
    best = _follow_curve(points, curve, rows, start, stop, state, 0)
    n_censored, tried = 0, {0}
    current = best
    while current.state.n_at_risk != goal:
        n_censored = min(max(n_censored + current.state.n_at_risk - goal, 0), state.n_at_risk)
        # More censored can mean fewer events, so the search may cycle: the nearest seen then stands.
        if n_censored in tried:
            break
        tried.add(n_censored)
        current = _follow_curve(points, curve, rows, start, stop, state, n_censored)
        if abs(current.state.n_at_risk - goal) < abs(best.state.n_at_risk - goal):
            best = current
    return best


def _fit_tail(
    points: Floats,
    curve: Floats,
    rows: slice,
    risk_times: Floats,
    state: _State,
    n_censored_before: int,
    n_events_before: int,
    n_events: int | None,
) -> _Piece:
    """The part after the last number at risk: fits total events, then the curve, then the usual censoring.

    Guyot's rate alone can run out of patients before the last step; the size of the steps tells how many are
    left.
    """
    start, stop = float(risk_times[-1]), float(points[-1])
    usual = n_censored_before / start * (stop - start) if start > 0 else 0.0

    def rank(piece: _Piece) -> tuple[int, float, float]:
        missed = 0 if n_events is None else abs(n_events_before + int(piece.events.sum()) - n_events)
        return missed, max(piece.gap - _READING_ERROR, 0.0), abs(piece.censored_at.size - usual)

    pieces = (_follow_curve(points, curve, rows, start, stop, state, n) for n in range(state.n_at_risk + 1))
    return min(pieces, key=rank)


def _find_largest_gap(points: Floats, curve: Floats, time: Floats, event: Flags) -> float:
    """Largest difference between digitised and reconstructed survival."""
    from her2.survival.kaplan_meier import kaplan_meier

    return float(np.max(np.abs(kaplan_meier(time, event).survival_at(np.minimum(points, time[-1])) - curve)))


def _check_curve(time: ArrayLike, survival: ArrayLike) -> tuple[Floats, Floats]:
    """Ascending times and a survival curve in [0, 1] made non-rising."""
    points, curve = check_time(time), check_time(survival, "survival")
    if curve.shape != points.shape:
        raise ValueError(f"survival: expected the shape of time, {points.shape}, got {curve.shape}.")
    if bool(np.any(np.diff(points) < 0)):
        raise ValueError("time: expected ascending times of the digitised curve.")
    if bool(np.any(curve > 1.0)):
        raise ValueError(
            f"survival: expected fractions in [0, 1], got {curve.max()}; divide percentages by 100."
        )
    return points, np.minimum.accumulate(curve)


def _check_risk_table(risk_time: ArrayLike, n_at_risk: ArrayLike) -> tuple[Floats, Integers]:
    """Ascending times from 0, with whole numbers that do not rise."""
    times, numbers = check_time(risk_time, "risk_time"), check_time(n_at_risk, "n_at_risk")
    if numbers.shape != times.shape:
        raise ValueError(f"n_at_risk: expected the shape of risk_time, {times.shape}, got {numbers.shape}.")
    if times[0] != 0.0 or bool(np.any(np.diff(times) <= 0)):
        raise ValueError("risk_time: expected ascending times that start at 0.")
    if bool(np.any(numbers != np.floor(numbers))) or bool(np.any(np.diff(numbers) > 0)) or numbers[0] < 1:
        raise ValueError("n_at_risk: expected whole numbers that do not rise, with patients at time 0.")
    return times, numbers.astype(np.int64)
