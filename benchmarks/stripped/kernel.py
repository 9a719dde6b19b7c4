"""The stripped benchmark model in patients-in-lanes form: closed-form drugs, few nodes a cycle, then the periodic tail.

- A cycle is covered by nodes in the middles of equal parts: 21 days / 8 (or / 16) puts them on evenly spread hours of
  the day. Rates are taken as a smooth course over the cycle, waves over the day and waves that swell or shrink, each of
  its usual size; the integral of the likeliest such course is a fixed weighted sum over the nodes (`node_weights`).
- What acts of the cytotoxic is its mean over the part, in closed form; rates are linear in it.
- Adaptation is too slow to follow the day: its drivers' smooth course is integrated exactly, in one to three sweeps
  over the cycle with the first clone alone, which drives it.
- All that one evaluation needs lies in one flat table of lanes, so that the compiler sees that nothing overlaps.
- Powers are good to 1e-7, as far as the wanted accuracy needs and ten thousand times better.
- Once what a cycle adds to each clone changes little from cycle to cycle, the rest follows as a geometric series.
- Patients whose tumour grows gently about progression, where a small error moves the day far, are gathered and done
  again with more nodes.

A patient's digits do not depend on the others in its block.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from equations import (
    CHEMO_CYCLES,
    CLONES,
    CYCLE_DAYS,
    LN_FRACTION,
    MEASURED,
    N_ADAPT,
    N_CLONES,
    RISE,
    TAU,
    cell,
)  # fmt: skip
from numba import njit
from numpy.typing import NDArray

from her2.engine.vecmath import _bits_of, _float_of, exp, fma, log
from patients import CYCLES, DOSE, LOADING, Patients

Array = NDArray[np.float64]
LANES = 64
DAYS = round(CYCLE_DAYS)
NODES, FINE_NODES = (8, 8), (26, 47)
"""In cycles with the cytotoxic and the one after, and in the others; where the day of progression needs more."""
GENTLE = 0.002
"""Rise of ln cells per day about progression, below which a small error of the burden would move the day far."""
NARROW = 0.05
"""ln cells by which a patient may miss progression at the end without a closer look."""
STEADY = 1e-4
"""Largest change of what a cycle adds to ln cells at which the rest is taken as a geometric series."""
FINE_STEADY = 1e-5
"""The same where the day of progression needs more."""
FASTEST = 12.0
"""1/day, bound of the rates that the scaling of the matrix exponential covers."""
NEVER = np.inf
SMOOTH = (1e3, 1.0, 0.5, 0.2, 0.1, 0.03)
"""Usual size of Legendre's polynomials in a rate over a cycle; the first, its mean, is free."""
WAVES = (0.5, 0.2, 0.1, 0.05)
"""Of the waves over a day, by number per day."""
SWELL = 0.5
"""Of the waves' change over the cycle, as a share of them."""
NOISE = 0.05
"""Variance of what is none of these; the larger, the nearer to equal are the weights of the nodes."""
JUMPS = 2.0
"""The same for the sum over a cycle with the cytotoxic, whose sharp rise is no smooth course."""
REACH, REACH_TAIL = 0.4, 0.15
"""ln cells that the burden swings within a cycle at most, early and in the tail; further off, days do not matter."""
V_ACT, V_ADAPT, V_RATE, V_DRIVER = 9, 13, 19, 20
"""Rows of the table of one evaluation after the patient's parameters: effects, adaptation, rate, drivers."""
ROWS = V_DRIVER + N_ADAPT
_MAGIC = 6755399441055744.0
_TWO52 = 4503599627370496.0


def _courses(t: Array, smooth_only: bool = False) -> tuple[Array, Array]:
    """The courses a rate is made of at some times, (times, courses), and their usual sizes, (courses,)."""
    legendre = [np.polynomial.Legendre.basis(k, domain=(0.0, CYCLE_DAYS))(t) for k in range(len(SMOOTH))]
    sizes = list(SMOOTH)
    columns = list(legendre)
    for m, size in enumerate(WAVES, start=1):
        for wave in (np.cos(2.0 * np.pi * m * t), np.sin(2.0 * np.pi * m * t)):
            columns += [wave, wave * legendre[1]]
            sizes += [size, size * SWELL]
    if smooth_only:
        columns = columns[: len(SMOOTH)] + [np.zeros_like(t)] * (len(columns) - len(SMOOTH))
    return np.stack(columns, axis=1), np.array(sizes)


def _node_times(nodes: int) -> Array:
    return (np.arange(nodes) + 0.5) * CYCLE_DAYS / nodes


def _likeliest(nodes: int, noise: float) -> Array:
    """Values at the nodes to the likeliest amount of each course, (courses, nodes)."""
    at_nodes, sizes = _courses(_node_times(nodes))
    weighted = at_nodes * sizes**2
    return np.asarray(weighted.T @ np.linalg.inv(weighted @ at_nodes.T + noise * np.eye(nodes)))


@lru_cache(maxsize=8)
def node_weights(nodes: int, jumps: bool) -> Array:
    """Weights of the rates at the nodes in their integral from the cycle's start to each day, (days + 1, nodes).

    jumps : whether the rate has sharp turns, as with the cytotoxic
    """
    at, weights = np.polynomial.legendre.leggauss(24)
    daily = [0.5 * weights @ _courses(day + 0.5 * (at + 1.0))[0] for day in range(DAYS)]
    integrals = np.concatenate([np.zeros((1, daily[0].size)), np.cumsum(daily, axis=0)])
    found = integrals @ _likeliest(nodes, NOISE)
    if jumps:
        whole = integrals[-1] @ _likeliest(nodes, JUMPS)
        found += np.arange(DAYS + 1.0)[:, None] / DAYS * (whole - found[-1])
    return np.asarray(found)


@lru_cache(maxsize=8)
def adaptation_weights(nodes: int) -> tuple[Array, Array]:
    """How adaptation at each node, and last at the cycle's end, follows from its start and from drivers at the nodes.

    Returns
    -------
    (adaptation, nodes + 1) and (adaptation, nodes + 1, nodes) : shares of the start, and weights of the drivers
    """
    at, weights = np.polynomial.legendre.leggauss(40)
    times = np.append(_node_times(nodes), CYCLE_DAYS)
    keep = np.exp(-times[None, :] / np.array(TAU)[:, None])
    follow = np.empty((N_ADAPT, nodes + 1, nodes))
    for k, t in enumerate(times):
        inner = 0.5 * t * (at + 1.0)
        courses, _ = _courses(inner, smooth_only=True)
        for m, tau in enumerate(TAU):
            kernel = np.exp(-(t - inner) / tau) / tau
            follow[m, k] = (0.5 * t * weights * kernel) @ courses @ _likeliest(nodes, NOISE)
    return keep, follow


@njit(forceinline=True, error_model="numpy")
def fast_power(x, n):
    """x**n for x from 1e-30 to 1e30, to 1e-7: logarithm and power of two by short series."""
    x = max(x, 1e-30)
    bits = _bits_of(x) - 0x3FE6A09E667F3BCD
    k = _float_of(((bits >> 52) + 2048) | 0x4330000000000000) - (_TWO52 + 2048.0)
    m = _float_of((bits & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    # 2 atanh(s) / ln 2 up to s**7
    series = fma(
        fma(z, 0.41219858311113244, 0.5770780163555854), z * z, fma(z, 0.9617966939259756, 2.8853900817779268)
    )
    y = n * fma(s, series, k)
    shifted = y + _MAGIC
    r = y - (shifted - _MAGIC)
    # 2**r up to r**7
    r2 = r * r
    low = fma(fma(r, 0.05550410866482158, 0.24022650695910072), r2, fma(r, 0.6931471805599453, 1.0))
    high = fma(
        fma(r, 1.5252733804059841e-05, 0.0001540353039338161),
        r2,
        fma(r, 0.0013333558146428443, 0.009618129107628477),
    )
    return fma(high, r2 * r2, low) * _float_of((_bits_of(shifted) + 1023) << 52)


@njit(forceinline=True, error_model="numpy")
def fast_hill(x, n, k):
    power = fast_power(x, n)
    return power / (k**n + power)


@njit(forceinline=True, error_model="numpy")
def lane_hill(x, n, k):
    """To the last digits, for the reference."""
    power = exp(n * log(x))
    return power / (k**n + power)


_cell = njit(forceinline=True, error_model="numpy")(cell)


@njit(cache=True, nogil=True, error_model="numpy")
def matrix_exponential(rates, time, out, term, product):
    """out = exp(rates * time) for every lane: Taylor series of the scaled matrix, squared back; (3, 3, LANES)."""
    squarings = 0
    scale = time
    while FASTEST * scale > 0.3:
        scale *= 0.5
        squarings += 1
    for r in range(3):
        for c in range(3):
            for i in range(LANES):
                term[r, c, i] = out[r, c, i] = 1.0 if r == c else 0.0
    for k in range(1, 10):
        _multiply(term, rates, product)
        for r in range(3):
            for c in range(3):
                for i in range(LANES):
                    term[r, c, i] = product[r, c, i] * (scale / k)
                    out[r, c, i] += term[r, c, i]
    for _ in range(squarings):
        _multiply(out, out, product)
        for r in range(3):
            for c in range(3):
                for i in range(LANES):
                    out[r, c, i] = product[r, c, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _multiply(a, b, out):
    for r in range(3):
        for c in range(3):
            for i in range(LANES):
                out[r, c, i] = a[r, 0, i] * b[0, c, i] + a[r, 1, i] * b[1, c, i] + a[r, 2, i] * b[2, c, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _row_times(row, matrix, out):
    """out = row matrix, (3, LANES)."""
    for c in range(3):
        for i in range(LANES):
            out[c, i] = (
                row[0, i] * matrix[0, c, i] + row[1, i] * matrix[1, c, i] + row[2, i] * matrix[2, c, i]
            )


@njit(cache=True, nogil=True, error_model="numpy")
def effect_rows(rates, half, measured, rows):
    """What acts at each node per amount in each compartment at the start of its cycle or day, (nodes, 4, 3, LANES).

    Rows of the matrix exponential over the half effect; the cytotoxic's is the mean over the node's part.
    """
    nodes = rows.shape[0]
    h = CYCLE_DAYS / nodes
    step, begin = np.zeros((3, 3, LANES)), np.zeros((3, 3, LANES))
    term, product = np.zeros((3, 3, LANES)), np.zeros((3, 3, LANES))
    for d in range(4):
        if d == 3:
            # the hours of the day at the nodes are the odd multiples of half a node's share of a day
            matrix_exponential(rates[d], 1.0 / nodes, step, term, product)
            matrix_exponential(rates[d], 0.5 / nodes, begin, term, product)
        else:
            matrix_exponential(rates[d], h, step, term, product)
            matrix_exponential(rates[d], 0.5 * h, begin, term, product)
        for c in range(3):
            for i in range(LANES):
                term[0, c, i] = begin[measured[d], c, i] / half[d, i]
        if d == 2:
            # x0' = -f x0, x1' = s (x0 - x1): the mean of x1 over a part in closed form
            for i in range(LANES):
                f, s = -rates[d, 0, 0, i], rates[d, 1, 0, i]
                mean_s = (1.0 - exp(-s * h)) / (s * h)
                mean_f = (1.0 - exp(-f * h)) / (f * h)
                term[0, 0, i] = s / (f - s) * (mean_s - mean_f) / half[d, i]
                term[0, 1, i] = mean_s / half[d, i]
                term[0, 2, i] = 0.0
        for position in range(nodes):
            node = position
            if d == 3:
                for j in range(nodes):
                    t = (j + 0.5) * h
                    if abs((t - np.floor(t)) * nodes - position - 0.5) < 0.25:
                        node = j
            for c in range(3):
                for i in range(LANES):
                    rows[node, d, c, i] = term[0, c, i]
            _row_times(term[0], step, product[0])
            for c in range(3):
                for i in range(LANES):
                    term[0, c, i] = product[0, c, i]


@njit(cache=True, nogil=True, error_model="numpy")
def signals(w, clone):
    """Net rate of one clone at one node and the drivers it would give, all lanes; w : flat (ROWS * LANES,)."""
    q = (clone[0], clone[1], clone[2], clone[3], clone[4], clone[5], clone[6])
    for i in range(LANES):
        p = (
            w[i], w[LANES + i], w[2 * LANES + i], w[3 * LANES + i], w[4 * LANES + i], w[5 * LANES + i],
            w[6 * LANES + i], w[7 * LANES + i], w[8 * LANES + i],
        )  # fmt: skip
        a = (
            w[13 * LANES + i], w[14 * LANES + i], w[15 * LANES + i], w[16 * LANES + i], w[17 * LANES + i],
            w[18 * LANES + i],
        )  # fmt: skip
        found = _cell(
            fast_hill, p, q, w[9 * LANES + i], w[10 * LANES + i], w[11 * LANES + i], w[12 * LANES + i], a
        )
        w[19 * LANES + i] = found[0]
        w[20 * LANES + i] = found[1]
        w[21 * LANES + i] = found[2]
        w[22 * LANES + i] = found[3]
        w[23 * LANES + i] = found[4]
        w[24 * LANES + i] = found[5]
        w[25 * LANES + i] = found[6]


@njit(cache=True, nogil=True, error_model="numpy")
def _put(w, row, table):
    """Rows of a table, (rows, LANES), into the flat one."""
    for r in range(table.shape[0]):
        for i in range(LANES):
            w[(row + r) * LANES + i] = table[r, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _take(w, row, table):
    """Rows of the flat table into one of (rows, LANES)."""
    for r in range(table.shape[0]):
        for i in range(LANES):
            table[r, i] = w[(row + r) * LANES + i]


@njit(cache=True, nogil=True, error_model="numpy")
def _relax(a, drivers, keep, follow, adaptation):
    """Adaptation at the nodes and at the end, (nodes + 1, 6, LANES), from its start and the drivers at the nodes."""
    nodes = drivers.shape[0]
    for t in range(nodes + 1):
        for m in range(N_ADAPT):
            share = keep[m, t]
            for i in range(LANES):
                adaptation[t, m, i] = share * a[m, i]
            for j in range(nodes):
                weight = follow[m, t, j]
                for i in range(LANES):
                    adaptation[t, m, i] += weight * drivers[j, m, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _watch(i, ln_n, node_rate, weights, extra, cycle, before, lowest, event):
    """Look for progression of one patient on each day of a cycle; times by straight lines between days.

    ln_n : (clones, LANES) at the cycle's start, node_rate : (clones, nodes, LANES), weights : (days + 1, nodes),
    extra : (clones, LANES) further additions, even over the cycle; before, lowest : (LANES,) ln cells
    """
    nodes = weights.shape[1]
    for day in range(1, weights.shape[0]):
        share = day / CYCLE_DAYS
        cells = 0.0
        for k in range(N_CLONES):
            x = ln_n[k, i] + share * extra[k, i]
            for j in range(nodes):
                x += weights[day, j] * node_rate[k, j, i]
            cells += exp(x)
        now = log(cells)
        goal = lowest[i] + RISE
        if now >= goal and event[i] == NEVER:
            event[i] = cycle * CYCLE_DAYS + day - (now - goal) / (now - before[i])
        before[i] = now
        lowest[i] = min(lowest[i], now)


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_cells(ln_n, extra, total):
    """ln of the sum over clones of ln_n + extra, (LANES,)."""
    for i in range(LANES):
        total[i] = 0.0
    for k in range(N_CLONES):
        for i in range(LANES):
            total[i] += exp(ln_n[k, i] + extra[k, i])
    for i in range(LANES):
        total[i] = log(total[i])


@njit(cache=True, nogil=True, error_model="numpy")
def simulate(
    values, rates, half, clones, loading, dose, measured, fractions, weights_chemo, weights_later, keep_chemo,
    keep_later, follow_chemo, follow_later, steady, end, event, slope,
):  # fmt: skip
    """ln cells of all clones after the last cycle, day of progression and rise per day then; returns cycles evaluated.

    end, event, slope : (LANES,), the results; slope is infinite where the day cannot be far off

    values : (parameters, LANES), rates : (drugs, 3, 3, LANES), half : (drugs, LANES), weights : see `node_weights`,
    keep and follow : see `adaptation_weights`
    """
    cycle_map, term, product = np.zeros((4, 3, 3, LANES)), np.zeros((3, 3, LANES)), np.zeros((3, 3, LANES))
    for d in range(4):
        matrix_exponential(rates[d], CYCLE_DAYS if d < 3 else 1.0, cycle_map[d], term, product)
    n_chemo, n_later = weights_chemo.shape[1], weights_later.shape[1]
    most = max(n_chemo, n_later)
    rows_chemo, rows_later = np.zeros((n_chemo, 4, 3, LANES)), np.zeros((n_later, 4, 3, LANES))
    effect_rows(rates, half, measured, rows_chemo)
    effect_rows(rates, half, measured, rows_later)
    w = np.zeros(ROWS * LANES)
    _put(w, 0, values[:V_ACT])
    node_rate = np.zeros((N_CLONES, most, LANES))
    act = np.zeros((most, 4, LANES))
    drivers, adaptation = np.zeros((most, N_ADAPT, LANES)), np.zeros((most + 1, N_ADAPT, LANES))
    x, moved = np.zeros((4, 3, LANES)), np.zeros((3, LANES))
    a, a_before = np.zeros((N_ADAPT, LANES)), np.zeros((N_ADAPT, LANES))
    shift = np.zeros(LANES)
    ln_n, none = np.zeros((N_CLONES, LANES)), np.zeros((N_CLONES, LANES))
    now = np.zeros(LANES)
    added = np.zeros((3, N_CLONES, LANES))
    tail_n, tail_added = np.zeros((N_CLONES, LANES)), np.zeros((N_CLONES, LANES))
    tail_change, ratio = np.zeros((N_CLONES, LANES)), np.zeros((N_CLONES, LANES))
    tail_rate = np.zeros((N_CLONES, n_later, LANES))
    tail_cycle = np.zeros(LANES)
    unsettled = np.ones(LANES)
    before, lowest = np.zeros(LANES), np.zeros(LANES)
    for i in range(LANES):
        total = 0.0
        for k in range(N_CLONES):
            ln_n[k, i] = values[9, i] + fractions[k]
            total += exp(ln_n[k, i])
        before[i] = lowest[i] = log(total)
        event[i] = NEVER
        slope[i] = np.inf
    cycle = 0
    waiting = float(LANES)
    while cycle < CYCLES and waiting > 0.0:
        chemo = cycle <= CHEMO_CYCLES
        rows = rows_chemo if chemo else rows_later
        weights = weights_chemo if chemo else weights_later
        keep = keep_chemo if chemo else keep_later
        follow = follow_chemo if chemo else follow_later
        nodes = rows.shape[0]
        for d in range(3):
            if d < 2 or cycle < CHEMO_CYCLES:
                for i in range(LANES):
                    x[d, 0, i] += loading[d] if cycle == 0 else dose[d]
        _effects(x, rows, cycle_map, dose, moved, act)
        # adaptation at the nodes: as in the last cycle but for its start, where that had the same nodes
        fresh = cycle == 0 or cycle == CHEMO_CYCLES + 1
        for t in range(nodes + 1):
            for m in range(N_ADAPT):
                share = keep[m, t]
                for i in range(LANES):
                    if fresh:
                        adaptation[t, m, i] = a[m, i]
                    else:
                        adaptation[t, m, i] += share * (a[m, i] - a_before[m, i])
        for m in range(N_ADAPT):
            for i in range(LANES):
                a_before[m, i] = a[m, i]
        for _ in range(3 if fresh else 1):
            for j in range(nodes):
                _put(w, V_ACT, act[j])
                _put(w, V_ADAPT, adaptation[j])
                signals(w, clones[0])
                _take(w, V_DRIVER, drivers[j])
            _relax(a, drivers[:nodes], keep, follow, adaptation)
        for j in range(nodes):
            _put(w, V_ACT, act[j])
            _put(w, V_ADAPT, adaptation[j])
            for k in range(N_CLONES):
                signals(w, clones[k])
                for i in range(LANES):
                    node_rate[k, j, i] = w[V_RATE * LANES + i]
                if k == 0:
                    _take(w, V_DRIVER, drivers[j])
        _relax(a, drivers[:nodes], keep, follow, adaptation)
        for m in range(N_ADAPT):
            for i in range(LANES):
                a[m, i] = adaptation[nodes, m, i]
        for k in range(N_CLONES):
            for i in range(LANES):
                added[2, k, i] = added[1, k, i]
                added[1, k, i] = added[0, k, i]
                added[0, k, i] = 0.0
            for j in range(nodes):
                weight = weights[DAYS, j]
                for i in range(LANES):
                    added[0, k, i] += weight * node_rate[k, j, i]
        _sum_cells(ln_n, added[0], now)
        for i in range(LANES):
            if unsettled[i] > 0.0 and event[i] == NEVER:
                rise = (now[i] - before[i]) / CYCLE_DAYS
                # falling fast, or far below the goal: days do not matter
                if now[i] > before[i] - REACH or now[i] > lowest[i] + RISE - REACH:
                    _watch(i, ln_n, node_rate, weights, none, cycle, before, lowest, event)
                    if event[i] != NEVER:
                        slope[i] = rise
                before[i] = now[i]
                lowest[i] = min(lowest[i], now[i])
        cycle += 1
        left = CYCLES - cycle
        for i in range(LANES):
            shift[i] = 0.0
        for k in range(N_CLONES):
            for i in range(LANES):
                ln_n[k, i] += added[0, k, i]
                shift[i] = max(shift[i], abs(added[0, k, i] - added[1, k, i]))
        waiting = 0.0
        for i in range(LANES):
            if unsettled[i] > 0.0 and ((cycle > CHEMO_CYCLES + 4 and shift[i] < steady) or left == 0):
                unsettled[i] = 0.0
                tail_cycle[i] = cycle
                for k in range(N_CLONES):
                    change = added[0, k, i] - added[1, k, i]
                    earlier = added[1, k, i] - added[2, k, i]
                    ratio[k, i] = min(max(change / earlier, 0.0), 0.9) if earlier != 0.0 else 0.0
                    tail_n[k, i], tail_added[k, i], tail_change[k, i] = ln_n[k, i], added[0, k, i], change
                    for j in range(nodes):
                        tail_rate[k, j, i] = node_rate[k, j, i]
            waiting += unsettled[i]
    _follow_tail(
        tail_n, tail_added, tail_change, ratio, tail_rate, weights_later, tail_cycle, before, lowest, event, slope, end
    )  # fmt: skip
    return cycle


@njit(cache=True, nogil=True, error_model="numpy")
def _effects(x, rows, cycle_map, dose, moved, act):
    """What acts at each node of a cycle, (nodes, 4, LANES), its first doses but the tablet given; drugs a cycle on."""
    nodes = rows.shape[0]
    h = CYCLE_DAYS / nodes
    for i in range(LANES):
        x[3, 0, i] += dose[3]
    day = 0
    for j in range(nodes):
        while day < int((j + 0.5) * h):
            _advance(x[3], cycle_map[3], moved)
            for i in range(LANES):
                x[3, 0, i] += dose[3]
            day += 1
        for d in range(4):
            for i in range(LANES):
                level = max(
                    rows[j, d, 0, i] * x[d, 0, i]
                    + rows[j, d, 1, i] * x[d, 1, i]
                    + rows[j, d, 2, i] * x[d, 2, i],
                    0.0,
                )
                if d < 2:
                    act[j, d, i] = level / (1.0 + level)
                elif d == 2:
                    act[j, d, i] = level
                else:
                    act[j, d, i] = 1.0 / (1.0 + level)
    for d in range(3):
        _advance(x[d], cycle_map[d], moved)
    while day < DAYS:
        _advance(x[3], cycle_map[3], moved)
        day += 1
        if day < DAYS:
            for i in range(LANES):
                x[3, 0, i] += dose[3]


@njit(cache=True, nogil=True, error_model="numpy")
def _follow_tail(
    ln_n, added, change, ratio, node_rate, weights, from_cycle, before, lowest, event, slope, end
):
    """The remaining cycles: additions change by a geometric series; burden at the end and progression on the way.

    The burden of the tail, a sum of almost straight lines in the logarithm, falls first and then rises: days are looked
    at about its lowest cycle and where the goal comes within reach.
    """
    left = 0
    for i in range(LANES):
        left = max(left, int(CYCLES - from_cycle[i]))
    course = np.zeros((left + 1, LANES))
    n, extra = ln_n.copy(), np.zeros((N_CLONES, LANES))
    step = change.copy()
    for i in range(LANES):
        course[0, i] = before[i]
    _sum_cells_plain(ln_n, end)
    for t in range(1, left + 1):
        for k in range(N_CLONES):
            for i in range(LANES):
                step[k, i] *= ratio[k, i]
                extra[k, i] += step[k, i]
                n[k, i] += added[k, i] + extra[k, i]
        _sum_cells_plain(n, course[t])
        for i in range(LANES):
            if t <= CYCLES - from_cycle[i]:
                end[i] = course[t, i]
    own, own_extra = np.zeros((N_CLONES, LANES)), np.zeros((N_CLONES, LANES))
    for i in range(LANES):
        last = int(CYCLES - from_cycle[i])
        if event[i] != NEVER or last == 0:
            continue
        least = 0
        for t in range(1, last + 1):
            if course[t, i] < course[least, i]:
                least = t
        for k in range(N_CLONES):
            own[k, i], own_extra[k, i], step[k, i] = ln_n[k, i], 0.0, change[k, i]
        for t in range(1, last + 1):
            for k in range(N_CLONES):
                step[k, i] *= ratio[k, i]
                own_extra[k, i] += step[k, i]
            about = least - 1 <= t <= least + 2
            if about or course[t, i] > min(lowest[i], course[least, i]) + RISE - REACH_TAIL:
                before[i] = course[t - 1, i]
                _watch(i, own, node_rate, weights, own_extra, from_cycle[i] + t - 1.0, before, lowest, event)
                if event[i] != NEVER:
                    slope[i] = (course[t, i] - course[t - 1, i]) / CYCLE_DAYS
                    break
            lowest[i] = min(lowest[i], course[t, i])
            for k in range(N_CLONES):
                own[k, i] += added[k, i] + own_extra[k, i]
        if event[i] == NEVER and end[i] > lowest[i] + RISE - NARROW:
            slope[i] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_cells_plain(ln_n, total):
    """ln of the sum over clones, (LANES,)."""
    for i in range(LANES):
        total[i] = 0.0
    for k in range(N_CLONES):
        for i in range(LANES):
            total[i] += exp(ln_n[k, i])
    for i in range(LANES):
        total[i] = log(total[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(x, matrix, moved):
    """x = matrix x, (3, LANES)."""
    for r in range(3):
        for i in range(LANES):
            moved[r, i] = matrix[r, 0, i] * x[0, i] + matrix[r, 1, i] * x[1, i] + matrix[r, 2, i] * x[2, i]
    for r in range(3):
        for i in range(LANES):
            x[r, i] = moved[r, i]


def follow(
    patients: Patients,
    nodes: tuple[int, int] = NODES,
    steady: float = STEADY,
    fine: tuple[int, int] | None = FINE_NODES,
) -> tuple[Array, Array, float]:
    """ln cells after five years, day of progression (infinite for never), both (patients,), and share looked at again.

    nodes, fine : nodes with the cytotoxic and later, 8 or coprime with 21; fine for the patients whose tumour grows
    gently about progression, None for nobody. steady : 0 evaluates every cycle.
    """
    end, event, slope = _follow(patients, nodes, steady)
    again = np.nonzero(slope < GENTLE)[0] if fine is not None else np.empty(0, dtype=np.int64)
    if fine is not None and again.size:
        few = Patients(patients.values[:, again], patients.rates[..., again], patients.half[:, again])
        end[again], event[again], _ = _follow(few, fine, FINE_STEADY)
    return end, event, again.size / patients.n


def _follow(patients: Patients, nodes: tuple[int, int], steady: float) -> tuple[Array, Array, Array]:
    """Results of `simulate` for all patients, block by block."""
    n = patients.n
    out = np.empty((3, n))
    chemo, later = node_weights(nodes[0], True), node_weights(nodes[1], False)
    (keep_chemo, follow_chemo), (keep_later, follow_later) = (adaptation_weights(k) for k in nodes)
    rules = (chemo, later, keep_chemo, keep_later, follow_chemo, follow_later)
    fixed = tuple(np.array(v) for v in (CLONES, LOADING, DOSE, MEASURED, LN_FRACTION))
    for first in range(0, n, LANES):
        index = np.minimum(np.arange(first, first + LANES), n - 1)
        own = (np.ascontiguousarray(v[..., index]) for v in (patients.values, patients.rates, patients.half))
        results = np.empty((3, LANES))
        simulate(*own, *fixed, *rules, steady, *results)
        width = min(LANES, n - first)
        out[:, first : first + width] = results[:, :width]
    return out[0], out[1], out[2]
