"""Compiled loops for two-arm trials; import from `two_arm` only, since importing this starts numba.

Every kernel takes all trials as flat arrays with offsets, as `two_arm` lays them out: trial i is the slice
offsets[i]:offsets[i + 1].
"""

# numba's decorator carries no types.
# mypy: disable-error-code="untyped-decorator,import-untyped,misc"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from her2.survival._arguments import Flags, Floats, Integers

CONVERGED = 0
MONOTONE = 1
NO_EVENTS = 2
NO_INFORMATION = 3
NOT_CONVERGED = 4


@njit(cache=True, nogil=True)
def sort_by_stratum_and_time(time: Floats, stratum: Integers) -> Integers:
    """Positions of the patients by stratum, and by time within it."""
    order = np.argsort(time, kind="mergesort").astype(np.int64)
    highest = 0
    for i in range(stratum.size):
        highest = max(highest, stratum[i])
    if highest == 0:
        return order
    start = np.zeros(highest + 2, np.int64)
    for i in range(stratum.size):
        start[stratum[i] + 1] += 1
    for s in range(highest + 1):
        start[s + 1] += start[s]
    placed = np.empty(order.size, np.int64)
    for i in range(order.size):
        s = stratum[order[i]]
        placed[start[s]] = order[i]
        start[s] += 1
    return placed


@njit(cache=True, nogil=True)
def tabulate_events(time: Floats, event: Flags, arm: Flags, stratum: Integers) -> Integers:
    """One row per stratum and event time: at risk in both arms and in True, events in both and in True."""
    order = sort_by_stratum_and_time(time, stratum)
    table = np.empty((order.size, 4), np.int64)
    row = order.size
    at_risk, at_risk_true = 0, 0
    last = order.size
    # Backwards in time, so that the risk set only grows within a stratum.
    while last > 0:
        here = order[last - 1]
        if last < order.size and stratum[order[last]] != stratum[here]:
            at_risk, at_risk_true = 0, 0
        events, events_true = 0, 0
        first = last
        while (
            first > 0 and time[order[first - 1]] == time[here] and stratum[order[first - 1]] == stratum[here]
        ):
            first -= 1
            i = order[first]
            at_risk += 1
            at_risk_true += arm[i]
            events += event[i]
            events_true += event[i] and arm[i]
        if events > 0:
            row -= 1
            table[row, 0], table[row, 1], table[row, 2], table[row, 3] = (
                at_risk,
                at_risk_true,
                events,
                events_true,
            )
        last = first
    return table[row:]


@njit(cache=True, nogil=True)
def evaluate_two_arm(table: Integers, beta: float) -> tuple[float, float, float]:
    """Efron's log partial likelihood of the log hazard ratio, its slope and its information."""
    # The larger of the two risks is scaled to 1, so that exp stays in range for any trial step.
    shift = max(beta, 0.0)
    risk_true, risk_false = math.exp(beta - shift), math.exp(-shift)
    value, slope, information = 0.0, 0.0, 0.0
    for row in range(table.shape[0]):
        n, n_true, d, d_true = table[row, 0], table[row, 1], table[row, 2], table[row, 3]
        value += beta * d_true - d * shift
        slope += d_true
        for tied in range(d):
            f = tied / d
            left, left_true = n - f * d, n_true - f * d_true
            part_true, part_false = risk_true * left_true, risk_false * (left - left_true)
            if beta == 0.0:
                # Plain counts keep the share exactly one half when the arms are identical.
                total, share = left, left_true / left
            else:
                total = part_true + part_false
                share = part_true / total
            value -= math.log(total)
            slope -= share
            information += share * (part_false / total)
    return value, slope, information


@njit(cache=True, nogil=True)
def find_supremum(table: Integers) -> tuple[int, float]:
    """Direction in which the likelihood rises for ever (-1, 0 none, +1; 2 flat) and its supremum there.

    As log HR goes to +inf its slope tends to events in arm True less ties with arm True at risk; to -inf, to
    events in arm True less ties with nobody else at risk. The slope falls throughout, so a limit of 0 means
    no finite maximum.
    """
    up, down = 0, 0
    value_up, value_down = 0.0, 0.0
    for row in range(table.shape[0]):
        n, n_true, d, d_true = table[row, 0], table[row, 1], table[row, 2], table[row, 3]
        n_false, d_false = n - n_true, d - d_true
        up += d_true - (d if n_true > 0 else 0)
        down += d_true - (d if n_false == 0 else 0)
        for tied in range(d):
            f = tied / d
            left_true, left_false = n_true - f * d_true, n_false - f * d_false
            value_up -= math.log(left_true if n_true > 0 else left_false)
            value_down -= math.log(left_false if n_false > 0 else left_true)
    if up == 0 and down == 0:
        return 2, value_up
    if up == 0:
        return 1, value_up
    if down == 0:
        return -1, value_down
    return 0, 0.0


@njit(cache=True, nogil=True)
def fit_two_arm(table: Integers, max_iterations: int) -> tuple[int, float, float, float, float, float]:
    """Status, log hazard ratio, standard error, log likelihood at 0 and at the fit, score chi-squared."""
    nan = math.nan
    if table.shape[0] == 0:
        return NO_EVENTS, nan, nan, 0.0, 0.0, nan
    null, slope, information = evaluate_two_arm(table, 0.0)
    direction, supremum = find_supremum(table)
    if direction == 2:
        return NO_INFORMATION, nan, nan, null, nan, nan
    score = slope * slope / information
    if direction != 0:
        return MONOTONE, math.inf * direction, nan, null, supremum, score
    beta, current = 0.0, null
    for _ in range(max_iterations):
        step = slope / information
        is_last = abs(step) < 1e-8
        trial, slope_new, information_new = evaluate_two_arm(table, beta + step)
        halvings = 0
        while not trial >= current - 1e-10 * (abs(current) + 1.0) and halvings < 60:
            step /= 2.0
            halvings += 1
            trial, slope_new, information_new = evaluate_two_arm(table, beta + step)
        beta, current, slope, information = beta + step, trial, slope_new, information_new
        if not information > 0.0:
            break
        # One step after a short one: Newton squares the error, so this one is at rounding.
        if is_last:
            return CONVERGED, beta, 1.0 / math.sqrt(information), null, current, score
    return NOT_CONVERGED, nan, nan, null, nan, score


@njit(cache=True, nogil=True)
def fit_two_arm_trials(
    time: Floats, event: Flags, arm: Flags, stratum: Integers, offsets: Integers, max_iterations: int
) -> tuple[Integers, Floats, Integers]:
    """Status, the five numbers of `fit_two_arm`, and events in both arms and in arm True, per trial."""
    n_trials = offsets.size - 1
    status = np.empty(n_trials, np.int64)
    numbers = np.empty((n_trials, 5), np.float64)
    n_events = np.zeros((n_trials, 2), np.int64)
    for trial in range(n_trials):
        part = slice(offsets[trial], offsets[trial + 1])
        table = tabulate_events(time[part], event[part], arm[part], stratum[part])
        code, beta, std_err, null, value, score = fit_two_arm(table, max_iterations)
        status[trial] = code
        numbers[trial, 0], numbers[trial, 1], numbers[trial, 2] = beta, std_err, null
        numbers[trial, 3], numbers[trial, 4] = value, score
        for row in range(table.shape[0]):
            n_events[trial, 0] += table[row, 2]
            n_events[trial, 1] += table[row, 3]
    return status, numbers, n_events


@njit(cache=True, nogil=True)
def sum_log_rank_trials(
    time: Floats, event: Flags, arm: Flags, stratum: Integers, offsets: Integers
) -> Floats:
    """Observed and expected events in arm True, and the hypergeometric variance, per trial: (trials, 3)."""
    sums = np.zeros((offsets.size - 1, 3), np.float64)
    for trial in range(offsets.size - 1):
        part = slice(offsets[trial], offsets[trial + 1])
        table = tabulate_events(time[part], event[part], arm[part], stratum[part])
        for row in range(table.shape[0]):
            n, n_true, d, d_true = table[row, 0], table[row, 1], table[row, 2], table[row, 3]
            share = n_true / n
            sums[trial, 0] += d_true
            sums[trial, 1] += d * share
            if n > 1:
                sums[trial, 2] += d * (n - d) / (n - 1) * share * (1.0 - share)
    return sums


@njit(cache=True, nogil=True)
def find_median(time: Floats, event: Flags) -> float:
    """Kaplan-Meier median of one arm by the rule of `KaplanMeier.quantile`; NaN if not reached."""
    tolerance = math.sqrt(2.220446049250313e-16)
    order = np.argsort(time, kind="mergesort")
    n = order.size
    survival, reached = 1.0, math.nan
    first = 0
    while first < n:
        now = time[order[first]]
        events, last = 0, first
        while last < n and time[order[last]] == now:
            events += event[order[last]]
            last += 1
        if events > 0:
            if not math.isnan(reached):
                return float((reached + now) / 2.0)
            survival *= (n - first - events) / (n - first)
            if survival <= 0.5 - tolerance:
                return float(now)
            if survival < 0.5 + tolerance:
                reached = now
        first = last
    return math.nan if math.isnan(reached) else (reached + time[order[n - 1]]) / 2.0


@njit(cache=True, nogil=True)
def find_median_trials(time: Floats, event: Flags, arm: Flags, offsets: Integers) -> Floats:
    """Medians of arm False and arm True per trial: (trials, 2)."""
    medians = np.empty((offsets.size - 1, 2), np.float64)
    for trial in range(offsets.size - 1):
        part = slice(offsets[trial], offsets[trial + 1])
        t, e, a = time[part], event[part], arm[part]
        medians[trial, 0] = find_median(t[~a], e[~a])
        medians[trial, 1] = find_median(t[a], e[a])
    return medians
