"""Compiled loops for two-arm trials; import from `_batches` only, since importing this starts numba.

Every kernel takes all trials as flat arrays with offsets, as `_batches` lays them out: trial i is the slice
offsets[i]:offsets[i + 1]. `analyse_trials` does some of the trials in working arrays that its caller made, so that
nothing is allocated within its loops, and writes rows of its own trials only: threads may share the trials out in
any way and the digits stay the same.

A patient's code is stratum * 4 + event * 2 + arm. A row of a table is a stratum and event time: at risk in both
arms and in arm True, events in both and in arm True.
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

MOST_MOVES = 12
"""Moves per patient after which sorting by insertion is given up: many times in few buckets."""
FLAT = math.sqrt(2.220446049250313e-16)
"""The tolerance of `KaplanMeier.quantile` for a curve at one half."""
HALF_LOW, HALF_HIGH = math.log(-math.log(0.5 + FLAT)), math.log(-math.log(0.5 - FLAT))
"""The same on the scale of log(-log S): at or above these S is at most one half, or less."""
DROP = 1e-10
"""Fall of the log likelihood, absolute and relative, that is still called rounding."""


@njit(cache=True, nogil=True)
def sort_by_time(keys: Floats, codes: Integers, spare_keys: Floats, spare_codes: Integers, n: int) -> None:
    """Sort the first `n` times with their codes: by insertion if that is nearly done, else by merging runs."""
    moves = 0
    for i in range(1, n):
        key, code = keys[i], codes[i]
        j = i
        while j > 0 and keys[j - 1] > key:
            keys[j], codes[j] = keys[j - 1], codes[j - 1]
            j -= 1
        keys[j], codes[j] = key, code
        moves += i - j
        if moves > MOST_MOVES * n:
            merge_runs(keys, codes, spare_keys, spare_codes, n)
            return


@njit(cache=True, nogil=True)
def merge_runs(keys: Floats, codes: Integers, spare_keys: Floats, spare_codes: Integers, n: int) -> None:
    """Sort the first `n` times with their codes by merging runs of growing length."""
    width = 1
    while width < n:
        for start in range(0, n, 2 * width):
            middle, end = min(start + width, n), min(start + 2 * width, n)
            a, b = start, middle
            for k in range(start, end):
                if a < middle and (b >= end or keys[a] <= keys[b]):
                    spare_keys[k], spare_codes[k] = keys[a], codes[a]
                    a += 1
                else:
                    spare_keys[k], spare_codes[k] = keys[b], codes[b]
                    b += 1
        for k in range(n):
            keys[k], codes[k] = spare_keys[k], spare_codes[k]
        width *= 2


@njit(cache=True, nogil=True)
def place_by_time(
    time: Floats,
    event: Flags,
    arm: Flags,
    stratum: Integers,
    first: int,
    last: int,
    keys: Floats,
    codes: Integers,
    spare_keys: Floats,
    spare_codes: Integers,
    counts: Integers,
) -> None:
    """Times and codes of the patients first:last in ascending time; equal times in any order.

    As many buckets as patients, of equal width up to the longest time: most are then nearly in place.
    """
    n = last - first
    longest = 0.0
    for i in range(first, last):
        longest = max(longest, time[i])
    # Shorter times would take the scale out of range; in one bucket they are merged.
    scale = (n - 1) / longest if longest > 1e-290 else 0.0
    for b in range(n + 1):
        counts[b] = 0
    for i in range(first, last):
        counts[min(int(time[i] * scale), n - 1) + 1] += 1
    for b in range(n):
        counts[b + 1] += counts[b]
    for i in range(first, last):
        b = min(int(time[i] * scale), n - 1)
        at = counts[b]
        counts[b] += 1
        keys[at] = time[i]
        code = np.int64(event[i]) * 2 + np.int64(arm[i])
        codes[at] = code + 4 * stratum[i] if stratum.size else code
    sort_by_time(keys, codes, spare_keys, spare_codes, n)


@njit(cache=True, nogil=True)
def place_by_stratum(
    keys: Floats, codes: Integers, to_keys: Floats, to_codes: Integers, counts: Integers, n: int
) -> None:
    """Times and codes by stratum, in the order given within it."""
    highest = 0
    for i in range(n):
        highest = max(highest, codes[i] >> 2)
    for s in range(highest + 2):
        counts[s] = 0
    for i in range(n):
        counts[(codes[i] >> 2) + 1] += 1
    for s in range(highest + 1):
        counts[s + 1] += counts[s]
    for i in range(n):
        s = codes[i] >> 2
        at = counts[s]
        counts[s] += 1
        to_keys[at], to_codes[at] = keys[i], codes[i]


@njit(cache=True, nogil=True)
def tabulate_events(keys: Floats, codes: Integers, n: int, table: Integers) -> int:
    """Fill the last rows of `table`, by stratum and by time within it; the first of them."""
    row = n
    at_risk, at_risk_true = 0, 0
    last = n
    # Backwards in time, so that the risk set only grows within a stratum.
    while last > 0:
        now, stratum = keys[last - 1], codes[last - 1] >> 2
        if last < n and codes[last] >> 2 != stratum:
            at_risk, at_risk_true = 0, 0
        events, events_true = 0, 0
        i = last
        while i > 0 and keys[i - 1] == now and codes[i - 1] >> 2 == stratum:
            i -= 1
            is_true, happened = codes[i] & 1, (codes[i] >> 1) & 1
            at_risk += 1
            at_risk_true += is_true
            events += happened
            events_true += happened & is_true
        if events > 0:
            row -= 1
            table[row, 0], table[row, 1] = at_risk, at_risk_true
            table[row, 2], table[row, 3] = events, events_true
        last = i
    return row


@njit(cache=True, nogil=True)
def find_slope(table: Integers, top: int, end: int, beta: float, is_efron: bool) -> tuple[float, float]:
    """Slope of the log partial likelihood in the log hazard ratio, and its information."""
    # The larger of the two risks is scaled to 1, so that exp stays in range for any trial step.
    shift = max(beta, 0.0)
    risk_true, risk_false = math.exp(beta - shift), math.exp(-shift)
    slope, information = 0.0, 0.0
    for row in range(top, end):
        n, n_true, d, d_true = table[row, 0], table[row, 1], table[row, 2], table[row, 3]
        slope += d_true
        for tied in range(d):
            f = tied / d if is_efron else 0.0
            left, left_true = n - f * d, n_true - f * d_true
            part_true, part_false = risk_true * left_true, risk_false * (left - left_true)
            if beta == 0.0:
                # Plain counts keep the share exactly one half when the arms are identical.
                total, share = left, left_true / left
            else:
                total = part_true + part_false
                share = part_true / total
            slope -= share
            information += share * (part_false / total)
    return slope, information


@njit(cache=True, nogil=True)
def find_value(table: Integers, top: int, end: int, beta: float, is_efron: bool) -> float:
    """Log partial likelihood of the log hazard ratio."""
    shift = max(beta, 0.0)
    risk_true, risk_false = math.exp(beta - shift), math.exp(-shift)
    value = 0.0
    for row in range(top, end):
        n, n_true, d, d_true = table[row, 0], table[row, 1], table[row, 2], table[row, 3]
        value += beta * d_true - d * shift
        for tied in range(d):
            f = tied / d if is_efron else 0.0
            left, left_true = n - f * d, n_true - f * d_true
            total = left if beta == 0.0 else risk_true * left_true + risk_false * (left - left_true)
            value -= math.log(total)
    return value


@njit(cache=True, nogil=True)
def find_direction(table: Integers, top: int, end: int) -> int:
    """Direction in which the likelihood rises for ever: -1, +1, 0 for none, 2 if it is flat.

    As log HR goes to +inf its slope tends to events in arm True less ties with arm True at risk; to -inf, to
    events in arm True less ties with nobody else at risk. The slope falls throughout, so a limit of 0 means
    no finite maximum.
    """
    up, down = 0, 0
    for row in range(top, end):
        n, n_true, d, d_true = table[row, 0], table[row, 1], table[row, 2], table[row, 3]
        up += d_true - (d if n_true > 0 else 0)
        down += d_true - (d if n == n_true else 0)
    if up == 0 and down == 0:
        return 2
    if up == 0:
        return 1
    return -1 if down == 0 else 0


@njit(cache=True, nogil=True)
def find_supremum(table: Integers, top: int, end: int, direction: int, is_efron: bool) -> float:
    """Supremum of the log likelihood as log HR goes to infinity in a direction in which it rises for ever."""
    value = 0.0
    for row in range(top, end):
        n, n_true, d, d_true = table[row, 0], table[row, 1], table[row, 2], table[row, 3]
        n_false, d_false = n - n_true, d - d_true
        uses_true = n_true > 0 if direction > 0 else n_false == 0
        for tied in range(d):
            f = tied / d if is_efron else 0.0
            value -= math.log(n_true - f * d_true if uses_true else n_false - f * d_false)
    return value


@njit(cache=True, nogil=True)
def fit_two_arm(
    table: Integers, top: int, end: int, is_efron: bool, max_iterations: int
) -> tuple[int, float, float, float, float, float]:
    """Status, log hazard ratio, standard error, log likelihood at 0 and at the fit, score chi-squared."""
    nan = math.nan
    if top == end:
        return NO_EVENTS, nan, nan, 0.0, 0.0, nan
    null = find_value(table, top, end, 0.0, is_efron)
    direction = find_direction(table, top, end)
    if direction == 2:
        return NO_INFORMATION, nan, nan, null, nan, nan
    slope, information = find_slope(table, top, end, 0.0, is_efron)
    score = slope * slope / information
    if direction != 0:
        supremum = find_supremum(table, top, end, direction, is_efron)
        return MONOTONE, math.inf * direction, nan, null, supremum, score
    beta, current, is_known = 0.0, null, True
    for _ in range(max_iterations):
        step = slope / information
        is_last = abs(step) < 1e-8
        slope_new, information_new = find_slope(table, top, end, beta + step, is_efron)
        # The likelihood is concave: over a step it rises by slope at its end times step, or more. Only where that
        # allows a fall are the logarithms of the likelihood itself needed.
        if not slope_new * step >= -DROP:
            if not is_known:
                current, is_known = find_value(table, top, end, beta, is_efron), True
            trial = find_value(table, top, end, beta + step, is_efron)
            halvings = 0
            while not trial >= current - DROP * (abs(current) + 1.0) and halvings < 60:
                step /= 2.0
                halvings += 1
                trial = find_value(table, top, end, beta + step, is_efron)
            if halvings > 0:
                slope_new, information_new = find_slope(table, top, end, beta + step, is_efron)
            current = trial
        else:
            is_known = False
        beta, slope, information = beta + step, slope_new, information_new
        if not information > 0.0:
            break
        # One step after a short one: Newton squares the error, so this one is at rounding.
        if is_last:
            value = find_value(table, top, end, beta, is_efron)
            return CONVERGED, beta, 1.0 / math.sqrt(information), null, value, score
    return NOT_CONVERGED, nan, nan, null, nan, score


@njit(cache=True, nogil=True)
def sum_log_rank(table: Integers, top: int, end: int) -> tuple[float, float, float]:
    """Observed and expected events in arm True, and the hypergeometric variance."""
    observed, expected, variance = 0.0, 0.0, 0.0
    for row in range(top, end):
        n, n_true, d, d_true = table[row, 0], table[row, 1], table[row, 2], table[row, 3]
        share = n_true / n
        observed += d_true
        expected += d * share
        if n > 1:
            variance += d * (n - d) / (n - 1) * share * (1.0 - share)
    return observed, expected, variance


@njit(cache=True, nogil=True)
def find_median(keys: Floats, codes: Integers, n: int, arm: int, z: float) -> tuple[float, float, float]:
    """Kaplan-Meier median of one arm and its limits from the log-log band; NaN where not reached.

    By the rule of `KaplanMeier.quantile`. The limits' curves are compared with one half on the scale of
    log(-log S), where no exponential is needed.

    Parameters
    ----------
    z : normal quantile of the limits; NaN leaves them out
    """
    nan = math.nan
    at_risk = 0
    for i in range(n):
        at_risk += 1 if codes[i] & 1 == arm else 0
    survival, variance = 1.0, 0.0
    median, at_half, last_time = nan, nan, nan
    # Of the lower and the upper limit: least value at or below one half with its time, least one below with its
    # time, and the last value.
    low_reached, low_reached_at, low_passed, low_passed_at, low = math.inf, nan, math.inf, nan, nan
    high_reached, high_reached_at, high_passed, high_passed_at, high = math.inf, nan, math.inf, nan, nan
    has_limits = not math.isnan(z)
    i = 0
    while i < n:
        now = keys[i]
        leaving, events = 0, 0
        while i < n and keys[i] == now:
            if codes[i] & 1 == arm:
                leaving += 1
                events += (codes[i] >> 1) & 1
            i += 1
        if leaving > 0:
            last_time = now
        if events > 0:
            left = at_risk - events
            survival *= left / at_risk
            if math.isnan(median):
                if not math.isnan(at_half):
                    median = (at_half + now) / 2.0
                elif survival <= 0.5 - FLAT:
                    median = now
                elif survival < 0.5 + FLAT:
                    at_half = now
            if not has_limits:
                if not math.isnan(median):
                    break
            elif left > 0:
                variance += events / (np.float64(at_risk) * left)
                log_survival = math.log(survival)
                centre, half = math.log(-log_survival), z * math.sqrt(variance) / -log_survival
                low, high = centre + half, centre - half
                if HALF_LOW <= low < low_reached:
                    low_reached, low_reached_at = low, now
                if HALF_HIGH <= low < low_passed:
                    low_passed, low_passed_at = low, now
                if HALF_LOW <= high < high_reached:
                    high_reached, high_reached_at = high, now
                if HALF_HIGH <= high < high_passed:
                    high_passed, high_passed_at = high, now
            else:
                # All had the event: the band does not exist at the end.
                low, high = nan, nan
        at_risk -= leaving
    if math.isnan(median) and not math.isnan(at_half):
        median = (at_half + last_time) / 2.0
    lower, upper = (low_reached_at + low_passed_at) / 2.0, (high_reached_at + high_passed_at) / 2.0
    # A limit that runs flat at one half to the end: the middle between there and the last observed time.
    if HALF_LOW < low < HALF_HIGH:
        lower = (low_reached_at + last_time) / 2.0
    if HALF_LOW < high < HALF_HIGH:
        upper = (high_reached_at + last_time) / 2.0
    return median, lower, upper


@njit(cache=True, nogil=True)
def analyse_trials(
    time: Floats,
    event: Flags,
    arm: Flags,
    stratum: Integers,
    offsets: Integers,
    first: int,
    last: int,
    keys: Floats,
    codes: Integers,
    spare_keys: Floats,
    spare_codes: Integers,
    counts: Integers,
    table: Integers,
    is_efron: bool,
    max_iterations: int,
    z: float,
    status: Integers,
    numbers: Floats,
    n_events: Integers,
    sums: Floats,
    medians: Floats,
) -> None:
    """Analyse the trials first:last; results of no rows are not wanted and cost nothing.

    Parameters
    ----------
    stratum : codes from 0, or empty for a single stratum
    keys, codes, spare_keys, spare_codes, counts, table : working arrays: (most patients of a trial,), counts with
        room for one more and for two more than the highest stratum, table with four columns
    z : normal quantile of the limits of the medians; NaN leaves them out
    status, numbers, n_events : (trials,), (trials, 5), (trials, 2): `fit_two_arm`, and events in both arms and in True
    sums : (trials, 3), `sum_log_rank`
    medians : (trials, 2, 3), arm False and True: `find_median`
    """
    for trial in range(first, last):
        begin, n = offsets[trial], offsets[trial + 1] - offsets[trial]
        place_by_time(
            time, event, arm, stratum, begin, begin + n, keys, codes, spare_keys, spare_codes, counts
        )
        if medians.size:
            for k in range(2):
                median, lower, upper = find_median(keys, codes, n, k, z)
                medians[trial, k, 0], medians[trial, k, 1], medians[trial, k, 2] = median, lower, upper
        if not (status.size or sums.size):
            continue
        if stratum.size:
            place_by_stratum(keys, codes, spare_keys, spare_codes, counts, n)
            top = tabulate_events(spare_keys, spare_codes, n, table)
        else:
            top = tabulate_events(keys, codes, n, table)
        if sums.size:
            sums[trial, 0], sums[trial, 1], sums[trial, 2] = sum_log_rank(table, top, n)
        if status.size:
            code, beta, std_err, null, value, score = fit_two_arm(table, top, n, is_efron, max_iterations)
            status[trial] = code
            numbers[trial, 0], numbers[trial, 1], numbers[trial, 2] = beta, std_err, null
            numbers[trial, 3], numbers[trial, 4] = value, score
            for row in range(top, n):
                n_events[trial, 0] += table[row, 2]
                n_events[trial, 1] += table[row, 3]
