"""The stripped benchmark model at tight tolerance: ln cells on every day, by collocation, patients in lanes.

Between two tablets all is smooth. Drugs are exact at the nodes (matrix exponentials); adaptation solves its integral
equation at twelve Gauss points of the day, by Picard sweeps that shrink the error by the day's share of `TAU` over the
number of the sweep each; rates of the clones are then summed with the Gauss weights. Shares equations and patients
with the benchmark's kernel, and nothing else of its method. `run.py` compares it with SciPy's DOP853 at 1e-10.
"""

from __future__ import annotations

import numpy as np
from equations import CHEMO_CYCLES, CLONES, LN_FRACTION, MEASURED, N_ADAPT, N_CLONES, TAU
from kernel import (
    DAYS,
    LANES,
    ROWS,
    V_ACT,
    V_ADAPT,
    V_DRIVER,
    V_RATE,
    _advance,
    _cell,
    _put,
    _take,
    lane_hill,
    matrix_exponential,
)  # fmt: skip
from numba import njit
from numpy.typing import NDArray

from her2.engine.vecmath import exp, log
from patients import CYCLES, DOSE, LOADING, Patients

Array = NDArray[np.float64]
POINTS = 12
SWEEPS = 8


def collocation(points: int) -> tuple[Array, Array, Array]:
    """Gauss points on a day, (points,), their weights, and integrals to each of them of Lagrange's polynomials."""
    at, weights = np.polynomial.legendre.leggauss(points)
    at, weights = 0.5 * (at + 1.0), 0.5 * weights
    integrals = np.empty((points, points))
    for m in range(points):
        # a polynomial of degree points - 1 up to each node: Gauss points of the part are exact
        inner = at[m] * at
        lagrange = np.ones((points, points))
        for j in range(points):
            for k in range(points):
                if k != j:
                    lagrange[j] *= (inner - at[k]) / (at[j] - at[k])
        integrals[m] = at[m] * (lagrange @ weights)
    return at, weights, integrals


@njit(cache=True, nogil=True, error_model="numpy")
def signals(w, clone):
    """Net rate of one clone at one point and the drivers it would give, all lanes; as in the kernel, exact powers."""
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
            lane_hill, p, q, w[9 * LANES + i], w[10 * LANES + i], w[11 * LANES + i], w[12 * LANES + i], a
        )
        w[19 * LANES + i], w[20 * LANES + i], w[21 * LANES + i] = found[0], found[1], found[2]
        w[22 * LANES + i], w[23 * LANES + i] = found[3], found[4]
        w[24 * LANES + i], w[25 * LANES + i] = found[5], found[6]


@njit(cache=True, nogil=True, error_model="numpy")
def simulate_days(
    values,
    rates,
    half,
    clones,
    tau,
    loading,
    dose,
    measured,
    fractions,
    at,
    weights,
    integrals,
    sweeps,
    daily,
):
    """ln cells at the end of each day, daily : (days + 1, LANES), for one block."""
    points = at.size
    day_map, term, product = np.zeros((4, 3, 3, LANES)), np.zeros((3, 3, LANES)), np.zeros((3, 3, LANES))
    whole = np.zeros((3, 3, LANES))
    rows = np.zeros((points, 4, 3, LANES))
    for d in range(4):
        matrix_exponential(rates[d], 1.0, day_map[d], term, product)
        for m in range(points):
            matrix_exponential(rates[d], at[m], whole, term, product)
            for c in range(3):
                for i in range(LANES):
                    rows[m, d, c, i] = whole[measured[d], c, i] / half[d, i]
    x, moved = np.zeros((4, 3, LANES)), np.zeros((3, LANES))
    act = np.zeros((points, 4, LANES))
    a = np.zeros((N_ADAPT, LANES))
    now, drivers = np.zeros((points, N_ADAPT, LANES)), np.zeros((points, N_ADAPT, LANES))
    w = np.zeros(ROWS * LANES)
    _put(w, 0, values[:V_ACT])
    ln_n = np.zeros((N_CLONES, LANES))
    for k in range(N_CLONES):
        for i in range(LANES):
            ln_n[k, i] = values[9, i] + fractions[k]
    for day in range(CYCLES * DAYS + 1):
        for i in range(LANES):
            total = 0.0
            for k in range(N_CLONES):
                total += exp(ln_n[k, i])
            daily[day, i] = log(total)
        if day == CYCLES * DAYS:
            break
        cycle = day // DAYS
        for d in range(4):
            if d == 3 or (day % DAYS == 0 and (d < 2 or cycle < CHEMO_CYCLES)):
                for i in range(LANES):
                    x[d, 0, i] += loading[d] if cycle == 0 else dose[d]
        for m in range(points):
            for d in range(4):
                for i in range(LANES):
                    r = rows[m, d]
                    level = max(r[0, i] * x[d, 0, i] + r[1, i] * x[d, 1, i] + r[2, i] * x[d, 2, i], 0.0)
                    act[m, d, i] = (
                        level / (1.0 + level) if d < 2 else (level if d == 2 else 1.0 / (1.0 + level))
                    )
            for j in range(N_ADAPT):
                for i in range(LANES):
                    now[m, j, i] = a[j, i]
        for _ in range(sweeps):
            for m in range(points):
                _put(w, V_ACT, act[m])
                _put(w, V_ADAPT, now[m])
                signals(w, clones[0])
                _take(w, V_DRIVER, drivers[m])
            for m in range(points):
                for j in range(N_ADAPT):
                    for i in range(LANES):
                        drivers[m, j, i] = (drivers[m, j, i] - now[m, j, i]) / tau[j]
            for m in range(points):
                for j in range(N_ADAPT):
                    for i in range(LANES):
                        now[m, j, i] = a[j, i]
                    for p in range(points):
                        share = integrals[m, p]
                        for i in range(LANES):
                            now[m, j, i] += share * drivers[p, j, i]
        for m in range(points):
            for j in range(N_ADAPT):
                for i in range(LANES):
                    a[j, i] += weights[m] * drivers[m, j, i]
            _put(w, V_ACT, act[m])
            _put(w, V_ADAPT, now[m])
            for k in range(N_CLONES):
                signals(w, clones[k])
                for i in range(LANES):
                    ln_n[k, i] += weights[m] * w[V_RATE * LANES + i]
        for d in range(4):
            _advance(x[d], day_map[d], moved)


def daily_burden(patients: Patients, points: int = POINTS, sweeps: int = SWEEPS) -> Array:
    """ln cells at the end of each day, (patients, days + 1)."""
    n = patients.n
    out = np.empty((n, CYCLES * DAYS + 1))
    fixed = tuple(np.array(v) for v in (CLONES, TAU, LOADING, DOSE, MEASURED, LN_FRACTION))
    rule = collocation(points)
    for first in range(0, n, LANES):
        index = np.minimum(np.arange(first, first + LANES), n - 1)
        daily = np.empty((CYCLES * DAYS + 1, LANES))
        own = (np.ascontiguousarray(v[..., index]) for v in (patients.values, patients.rates, patients.half))
        simulate_days(*own, *fixed, *rule, sweeps, daily)
        width = min(LANES, n - first)
        out[first : first + width] = daily[:, :width].T
    return out
