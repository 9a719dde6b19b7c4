"""Patients and doses of the stripped benchmark model, drawn once with a fixed seed.

A patient is `values` (parameters in the order of `equations.PARAMETERS`), `rates` (by drug, the matrix of linear
pharmacokinetics) and `half` (by drug, amount at half of the effect).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from equations import (
    CHEMO_CYCLES,
    CLONES,
    CYCLE_DAYS,
    LN_FRACTION,
    N_ADAPT,
    N_CLONES,
    PARAMETERS,
    RISE,
    TAU,
    cell,
)
from numpy.typing import NDArray

Array = NDArray[np.float64]
N_DRUGS, N_COMPARTMENTS = 4, 3
CYCLES = 87
YEARS_DAYS = CYCLES * CYCLE_DAYS
LOADING = (560.0, 840.0, 1.0, 1.0)
DOSE = (420.0, 420.0, 1.0, 1.0)
"""mg, mg, relative and relative; every three weeks, docetaxel for six cycles, lapatinib every day."""
MEDIAN = (2.0, 0.6, 0.4, 0.5, 0.5, 0.4, 0.010, 1.0, 1.0, 22.0)
N_NORMALS = 24
"""Random numbers of a patient, a few more than are used."""
LOG_SD = (0.5, 0.5, 0.6, 0.6, 0.6, 0.8, 0.35, 0.6, 0.4, 0.0)


@dataclass(frozen=True)
class Patients:
    """values : (parameters, patients); rates : (drugs, 3, 3, patients), 1/day; half : (drugs, patients), amounts"""

    values: Array
    rates: Array
    half: Array

    @property
    def n(self) -> int:
        return int(self.values.shape[1])


def draw(n: int, seed: int = 1) -> Patients:
    """n patients; log-normal parameters, the burden normal. The first ones are the same for any n."""
    normal = iter(np.random.default_rng(seed).normal(size=(n, N_NORMALS)).T)
    median, sd = np.array(MEDIAN), np.array(LOG_SD)
    values = median[:, None] * np.exp(sd[:, None] * np.stack([next(normal) for _ in PARAMETERS]))
    values[-1] += 1.5 * next(normal)
    rates = np.zeros((N_DRUGS, 3, 3, n))
    half = np.ones((N_DRUGS, n))

    def spread(cv: float) -> Array:
        return np.exp(cv * next(normal))

    for d, (clearance, central, exchange, outer, ec50) in enumerate(
        ((0.24, 3.0, 0.5, 2.5, 6.0), (0.235, 3.1, 0.53, 2.46, 8.0))
    ):
        cl, v, q = clearance * spread(0.35), central * spread(0.15), exchange * spread(0.2)
        rates[d, 0, 0], rates[d, 0, 1] = -(cl + q) / v, q / outer
        rates[d, 1, 0], rates[d, 1, 1] = q / v, -q / outer
        half[d] = ec50 * v
    fast, slow = 2.0 * spread(0.3), 0.1 * spread(0.2)
    rates[2, 0, 0], rates[2, 1, 0], rates[2, 1, 1] = -fast, slow, -slow
    half[2] = slow / fast
    ka, ke, k12, k21 = 4.0 * spread(0.3), 0.9 * spread(0.4), 0.5 * spread(0.2), 0.4 * spread(0.2)
    rates[3, 0, 0], rates[3, 1, 0] = -ka, ka
    rates[3, 1, 1], rates[3, 1, 2] = -(ke + k12), k21
    rates[3, 2, 1], rates[3, 2, 2] = k12, -k21
    half[3] = 0.6
    return Patients(values, rates, half)


def doses(days: float = YEARS_DAYS) -> list[tuple[float, int, float]]:
    """(day, drug, amount) in order of time."""
    given = []
    for day in range(round(days)):
        cycle, within = divmod(day, round(CYCLE_DAYS))
        if within == 0:
            for d in (0, 1, 2):
                if d < 2 or cycle < CHEMO_CYCLES:
                    given.append((float(day), d, LOADING[d] if cycle == 0 else DOSE[d]))
        given.append((float(day), 3, DOSE[3]))
    return given


def progression_day(daily: Array) -> Array:
    """Day of progression, (patients,), infinite for never; daily : (patients, days + 1) ln cells."""
    day = np.full(len(daily), np.inf)
    lowest = daily[:, 0].copy()
    for t in range(1, daily.shape[1]):
        now, before, goal = daily[:, t], daily[:, t - 1], lowest + RISE
        new = (now >= goal) & np.isinf(day)
        day[new] = t - (now - goal)[new] / (now - before)[new]
        lowest = np.minimum(lowest, now)
    return day


def hill(x: Array, n: float, k: float) -> Array:
    power = np.maximum(x, 0.0) ** n
    return np.asarray(power / (k**n + power))


def derivative(patients: Patients, y: Array) -> Array:
    """(23, patients): drugs (2, 2, 2 and 3 compartments), adaptation, ln cells; readable form in NumPy."""
    out = np.empty_like(y)
    first = 0
    act = []
    for d, size in enumerate((2, 2, 2, 3)):
        x = y[first : first + size]
        out[first : first + size] = np.einsum("ijn,jn->in", patients.rates[d, :size, :size], x)
        act.append(x[(0, 0, 1, 1)[d]] / patients.half[d])
        first += size
    a = y[first : first + N_ADAPT]
    o1, o2 = act[0] / (1.0 + act[0]), act[1] / (1.0 + act[1])
    kinase = 1.0 / (1.0 + act[3])
    for k in range(N_CLONES):
        rate, *drivers = cell(hill, patients.values, CLONES[k], o1, o2, act[2], kinase, a)
        out[first + N_ADAPT + k] = rate
        if k == 0:
            for j in range(N_ADAPT):
                out[first + j] = (drivers[j] - a[j]) / TAU[j]
    return out


def start(patients: Patients) -> Array:
    """States before the first dose; adaptation at zero."""
    y = np.zeros((9 + N_ADAPT + N_CLONES, patients.n))
    y[-N_CLONES:] = patients.values[-1] + np.array(LN_FRACTION)[:, None]
    return y
