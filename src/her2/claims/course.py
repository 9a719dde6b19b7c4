"""The course of a cohort: burden of every clone through lines of therapy, scans, brain metastases, death.

The equations are those of the population kernel on a grid of three weeks. Within a line the burden of a clone is the
integral of its rate, held above the floor from which it is re-seeded, so that a whole line of all patients is one
array.

    hazard of death  = h frailty (N / N_ref)^g exp(b line), with the brain weighted on its own, and other causes
    new lesion       = hazard rising with burden; seeding of the brain likewise
    progression      = sum of diameters 20 % and 5 mm above its nadir, or a new lesion, at the patient's next scan;
                       brain metastases that become detectable show at once
    response         = sum of diameters 30 % below the start at two scans in a row
    scans            = read with the error of one reader, as in the kernel

Simplifications against the kernel: exposure is the mean, and a patient's scans are shifted by a random part of the
interval, so that medians do not sit on a grid of nine weeks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.claims.patients import Patients
from her2.claims.tumour_rates import NODES, ArmRates, node_weights
from her2.engine.rng import Purpose
from her2.model import LN10
from her2.patients.sample import RESIDUAL_INDEX

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
STEP = 21
"""Days between two points of the grid: a cycle of chemotherapy."""
UNSEEDED = -50.0
LARGEST = 30.0
"""ln cells: no brain metastasis; largest burden, as in the kernel."""
PROGRESSION, ABSOLUTE_MM, RESPONSE = 1.2, 5.0, 0.7
"""RECIST 1.1: growth over the nadir, its least size in mm, shrinkage of the sum of diameters."""
FOREVER = np.inf


@dataclass(frozen=True)
class State:
    """Patients between two lines, the patient axis last.

    Attributes
    ----------
    burden, brain : (clones, patients) ln cells outside and inside the brain
    is_seeded : (patients,) whether the brain holds tumour
    start : (clones, patients) ln cells before the first line, from which the floor of a clone follows
    first_burden : (patients,) ln cells at the start of the course, which the hazard of new lesions is relative to
    death_sum, seed_sum : (patients,) cumulative hazards
    alive : (patients,) alive, and followed so far
    chemotherapies, antibodies : courses of six cycles of chemotherapy, and of an antibody, so far
    line : number of the line that follows
    """

    burden: Array
    brain: Array
    is_seeded: Flags
    start: Array
    first_burden: Array
    death_sum: Array
    seed_sum: Array
    alive: Flags
    chemotherapies: float
    antibodies: float
    line: int


@dataclass(frozen=True)
class Plan:
    """What is given in a line and how long it is followed.

    Attributes
    ----------
    systemic, brain : rates outside and inside the brain
    chemo_steps, other_steps : steps of `STEP` days after which cytotoxics and all other drugs stop
    steps : steps followed
    scanned : whether progression ends the line; without it patients are followed to death
    measures_brain : patients have measurable brain metastases, whose growth counts as progression
    """

    systemic: ArmRates
    brain: ArmRates
    chemo_steps: int
    other_steps: int
    steps: int
    scanned: bool = True
    measures_brain: bool = False


@dataclass(frozen=True)
class Line:
    """What happened in a line, each (patients,) unless said; times in days from its start, infinite if never.

    Attributes
    ----------
    progression : found by a scan, or by symptoms from the brain
    death : if it comes within the line
    brain : brain metastases become detectable
    responded, brain_responded : objective response outside and inside the brain
    log_burden : (times, patients) ln cells outside the brain on the grid
    end : patients when they progress, with two weeks until the next line
    """

    progression: Array
    death: Array
    brain: Array
    responded: Flags
    brain_responded: Flags
    log_burden: Array
    end: State


def start_course(patients: Patients) -> State:
    """Patients before their first line for metastatic disease."""
    start = patients.log_burden + patients.fractions
    seeded = patients.cns_seed > 0.0
    zero = np.zeros(patients.n)
    return State(
        burden=start,
        brain=np.where(seeded, patients.cns_seed + patients.fractions, UNSEEDED),
        is_seeded=seeded,
        start=start,
        first_burden=patients.log_burden,
        death_sum=zero,
        seed_sum=zero,
        alive=np.ones(patients.n, dtype=np.bool_),
        chemotherapies=0.0,
        antibodies=0.0,
        line=0,
    )


COURSE = 6
"""Steps of `STEP` days in a course of chemotherapy, the unit of tolerance."""


def chemo_tolerance(values: Mapping[str, float], plan: Plan, courses: float) -> Array:
    """Factor on the kill by cytotoxics in each step of a line, (steps,): it falls with the time on chemotherapy."""
    so_far = courses + (np.minimum(np.arange(plan.steps), plan.chemo_steps) + 0.5) / COURSE
    return np.asarray((1.0 + so_far) ** -values["tumour.line_tolerance"])


def immune_tolerance(values: Mapping[str, float], plan: Plan, courses: float) -> Array:
    """Factor on antibody-dependent kill in each step of a line, (steps,): it falls with the time on an antibody."""
    own = np.minimum(np.arange(plan.steps), plan.other_steps) + 0.5 if plan.systemic.has_antibody else 0.0
    return np.asarray(np.exp(-values["tumour.immune_tolerance"] * (courses + own / COURSE))) * np.ones(
        plan.steps
    )


def _courses(plan: Plan, progression: Array, most: int, given: bool) -> float:
    """Courses of a kind of drug that a line has added for the median patient who progresses, `most` steps at most."""
    if not given:
        return 0.0
    seen = progression[np.isfinite(progression)]
    steps = float(np.median(seen)) / STEP if seen.size else float(plan.steps)
    return min(steps, float(most)) / COURSE


def growth_of(rates: ArmRates, plan: Plan, tolerance: Array, fatigue: Array) -> Array:
    """Growth of each clone up to each time, without floor: (times, clones, patients).

    Parameters
    ----------
    tolerance : (steps,) factor on the kill by cytotoxics
    fatigue : (steps,) factor on antibody-dependent kill
    """
    weights = np.diff(node_weights([STEP * k for k in range(plan.steps + 1)]), axis=0)
    early = min(math.ceil(NODES[-1] / STEP), plan.steps)
    _, clones, n = rates.lasting.shape
    grown = np.empty((plan.steps + 1, clones, n))
    grown[0] = 0.0
    step = grown[1:]
    step[:early] = np.tensordot(weights[:early], rates.lasting, axes=1)
    step[early:] = STEP * rates.lasting[-1]
    brought = fatigue[:, None, None]
    step[:early] -= brought[:early] * np.tensordot(weights[:early], rates.effector, axes=1)
    step[early:] -= brought[early:] * STEP * rates.effector[-1]
    chemo = min(plan.chemo_steps, plan.steps) if rates.has_cytotoxic else 0
    first = min(early, chemo)
    left = tolerance[:, None, None]
    step[:first] -= left[:first] * np.tensordot(weights[:first], rates.cytotoxic, axes=1)
    step[first:chemo] -= left[first:chemo] * STEP * rates.cytotoxic[-1]
    step[min(plan.other_steps, plan.steps) :] = STEP * rates.untreated
    np.cumsum(grown, axis=0, out=grown)
    return grown


def log_total(burden: Array) -> Array:
    """ln cells of all clones; the clone axis is the last but one."""
    top = burden.max(axis=-2)
    return np.asarray(top + np.log(np.exp(burden - top[..., None, :]).sum(axis=-2)))


def follow_line(patients: Patients, state: State, plan: Plan, values: Mapping[str, float]) -> Line:
    """Follow all patients through one line of therapy.

    Parameters
    ----------
    values : every parameter
    """
    v, n = values, patients.n
    tolerance = chemo_tolerance(v, plan, state.chemotherapies)
    fatigue = immune_tolerance(v, plan, state.antibodies)
    free = state.burden + growth_of(plan.systemic, plan, tolerance, fatigue)
    floor = np.maximum(v["tumour.log_floor"], state.start + v["tumour.replenish_log10"] * LN10)
    burden = np.minimum(free + np.maximum.accumulate(np.maximum(floor - free, 0.0), axis=0), LARGEST)
    total = log_total(burden)
    middle = 0.5 * (total[1:] + total[:-1])
    seeding = v["cns.seed_hazard"] * np.exp(v["cns.seed_exponent"] * (middle - 10.0 * LN10))
    seed_sum = _accumulated(state.seed_sum, seeding)
    brain = _brain_burden(patients, state, plan, v, tolerance, fatigue, burden, total, seed_sum)
    brain_total = log_total(brain)
    frailty = patients.frailty * np.exp(v["death.line_rise"] * state.line)
    hazard = patients.background + v["death.hazard"] * frailty * (
        np.exp(v["death.exponent"] * (middle - v["death.reference_log10"] * LN10))
        + v["cns.death_weight"]
        * np.exp(v["death.exponent"] * (brain_total[1:] - v["cns.death_reference_log10"] * LN10))
    )
    death_sum = _accumulated(state.death_sum, hazard)
    threshold = -np.log(patients.uniform(Purpose.EVENT, 0))
    death = _crossing(death_sum, np.broadcast_to(threshold, death_sum.shape))
    scans = read_scans(patients, state.line, total, brain_total, plan.measures_brain, v)
    progression = np.full(n, FOREVER)
    became_detectable = np.full(n, FOREVER)
    if plan.scanned:
        lesion = v["observation.new_lesion_hazard"] * np.exp(
            v["observation.new_lesion_exponent"] * (middle - state.first_burden)
        )
        at = -np.log(patients.uniform(Purpose.EVENT, 10 + state.line))
        lesion_found = _crossing(_accumulated(np.zeros(n), lesion), np.broadcast_to(at, total.shape))
        progressive = scans.progressive | (scans.day >= lesion_found)
        if not plan.measures_brain:
            limit = np.full_like(brain_total, v["cns.detectable_log10"] * LN10)
            became_detectable = _crossing(brain_total, limit)
        first = np.where(progressive.any(axis=0), progressive.argmax(axis=0), -1)
        seen = np.where(first >= 0, scans.day[first, np.arange(n)], FOREVER)
        progression = np.minimum(seen, became_detectable)
    last = np.minimum(progression, death)
    end = _end_state(patients, state, plan, v, burden, brain, death_sum, seed_sum, progression, death)
    return Line(
        progression=progression,
        death=death,
        brain=became_detectable,
        responded=_responded(scans.shrunk, scans.day, last, confirmed=True),
        brain_responded=_responded(scans.brain_shrunk, scans.day, last, confirmed=False),
        log_burden=total,
        end=end,
    )


def _accumulated(before: Array, hazard: Array) -> Array:
    """Cumulative hazard at every time, (times, patients), from hazards of the steps between them."""
    return np.concatenate((before[None, :], before + STEP * np.cumsum(hazard, axis=0)))


def _brain_burden(
    patients: Patients, state: State, plan: Plan, v: Mapping[str, float], tolerance: Array,
    fatigue: Array, burden: Array, total: Array, seed_sum: Array,
) -> Array:  # fmt: skip
    """ln cells of each clone in the brain, (times, clones, patients); `UNSEEDED` before the first settles."""
    grown = growth_of(plan.brain, plan, tolerance, fatigue)
    n = patients.n
    at = -np.log(patients.uniform(Purpose.EVENT, 1))
    sown = seed_sum >= at
    sown[0] = False
    step = np.where(state.is_seeded, 0, np.where(sown.any(axis=0), sown.argmax(axis=0), plan.steps + 1))
    k = np.minimum(step, plan.steps)
    which = np.arange(n)
    composition = burden[k, :, which].T - total[k, which] + v["cns.seed_cells_log10"] * LN10
    first = np.where(state.is_seeded, state.brain, composition)
    brain = np.maximum(first + grown - grown[k, :, which].T, v["tumour.log_floor"])
    brain = np.minimum(brain, LARGEST)
    before = np.arange(plan.steps + 1)[:, None] < step
    return np.where(before[:, None, :], UNSEEDED, brain)


def _crossing(x: Array, limit: Array) -> Array:
    """Day on which x first reaches its limit, both (times, patients); infinite if never. Straight between times."""
    reached = x >= limit
    reached[0] = False
    k = np.maximum(reached.argmax(axis=0), 1)
    which = np.arange(x.shape[1])
    before, after = x[k - 1, which], x[k, which]
    share = (limit[k, which] - before) / np.maximum(after - before, 1e-12)
    return np.where(reached.any(axis=0), STEP * (k - 1 + np.clip(share, 0.0, 1.0)), FOREVER)


@dataclass(frozen=True)
class Scans:
    """What a patient's scans of a line show, each (scans, patients).

    Attributes
    ----------
    day : of the scan, from the start of the line
    progressive : the sum of diameters, or measured brain metastases, have grown over the smallest read so far
    shrunk, brain_shrunk : response of the sum of diameters, and of the volume of measured brain metastases
    """

    day: Array
    progressive: Flags
    shrunk: Flags
    brain_shrunk: Flags


def read_scans(
    patients: Patients, line: int, total: Array, brain: Array, measures_brain: bool, v: Mapping[str, float]
) -> Scans:
    """Read the scans of a line, with the reading error of the kernel.

    Parameters
    ----------
    line : number of the line
    total, brain : (times, patients) ln cells outside and inside the brain on the grid
    measures_brain : whether growth of brain metastases counts
    """
    every, error = v["cohort.scan_interval"], v["observation.scan_error"]
    # the first scan comes within the interval, at random, so that medians do not sit on a grid
    phase = every * patients.uniform(Purpose.SCAN, 1024 * line)
    length = STEP * (total.shape[0] - 1)
    count = max(int(length // every), 1)
    day = phase + every * np.arange(count)[:, None]
    sizes = _at(total, day)
    first = np.clip(patients.baseline_sum * np.exp((total[0] - patients.log_burden) / 3.0), 10.0, 1000.0)

    def noise(index: int) -> Array:
        return error * patients.normal(Purpose.SCAN, 1024 * line + index)

    base = first * np.exp(noise(1))
    floor = v["observation.measurable_floor"]
    nadir, brain_nadir = base, 3.0 * noise(511)
    progressive, shrunk, brain_shrunk = [], [], []
    inside = _at(brain, day) - brain[0]
    brain_base = brain_nadir
    for k in range(count):
        read = np.maximum(first * np.exp((sizes[k] - total[0]) / 3.0 + noise(k + 2)), floor)
        grown = (read >= PROGRESSION * nadir) & (read - nadir >= ABSOLUTE_MM)
        shrunk.append(~grown & (read <= RESPONSE * base))
        nadir = np.minimum(nadir, read)
        if measures_brain:
            volume = inside[k] + 3.0 * noise(512 + k)
            brain_grown = volume >= brain_nadir + 3.0 * math.log(PROGRESSION)
            brain_shrunk.append(
                ~brain_grown & (volume - brain_base <= math.log(v["cohort.cns_response_volume"]))
            )
            brain_nadir = np.minimum(brain_nadir, volume)
            grown |= brain_grown
        else:
            brain_shrunk.append(np.zeros(patients.n, dtype=np.bool_))
        progressive.append(grown & (day[k] <= length))
    return Scans(day, np.array(progressive), np.array(shrunk), np.array(brain_shrunk))


def _at(x: Array, day: Array) -> Array:
    """x, (times, patients), at days (scans, patients); straight between times."""
    place = np.clip(day / STEP, 0.0, x.shape[0] - 1.000001)
    k = place.astype(np.int64)
    which = np.arange(x.shape[1])
    return np.asarray(x[k, which] + (place - k) * (x[k + 1, which] - x[k, which]))


def _responded(small: Flags, day: Array, last: Array, confirmed: bool) -> Flags:
    """Whether the tumour is small at a scan (at two in a row if confirmed) before the line's last day."""
    seen = small & (day <= last)
    if confirmed:
        seen = seen[1:] & seen[:-1]
    return np.asarray(seen.any(axis=0))


def _end_state(
    patients: Patients, state: State, plan: Plan, v: Mapping[str, float], burden: Array, brain: Array,
    death_sum: Array, seed_sum: Array, progression: Array, death: Array,
) -> State:  # fmt: skip
    """Patients at progression, two weeks later at the start of their next line."""
    alive = state.alive & np.isfinite(progression) & (progression < death)
    day = np.where(np.isfinite(progression), progression, STEP * plan.steps)
    k = np.minimum((day / STEP).astype(np.int64), plan.steps - 1)
    share = day / STEP - k
    which = np.arange(patients.n)

    def at(x: Array) -> Array:
        before, after = x[k, ..., which], x[k + 1, ..., which]
        return np.asarray(before.T + share * (after - before).T)

    gap = v["therapy.line_gap"]
    now = brain[k + 1, :, which].T
    seeded = now[0] > UNSEEDED
    inside = np.where(brain[k, 0, which] > UNSEEDED, at(brain), now)
    # brain metastases that showed are treated locally
    shown = log_total(inside) >= v["cns.detectable_log10"] * LN10
    inside = np.where(
        shown, np.maximum(inside - v["cns.local_log10_kill"] * LN10, v["tumour.log_floor"]), inside
    )
    return State(
        burden=np.minimum(at(burden) + gap * plan.systemic.untreated, LARGEST),
        brain=np.where(seeded, inside + gap * plan.systemic.untreated, UNSEEDED),
        is_seeded=seeded,
        start=state.start,
        first_burden=state.first_burden,
        death_sum=at(death_sum) + gap * (death_sum[k + 1, which] - death_sum[k, which]) / STEP,
        seed_sum=at(seed_sum),
        alive=alive,
        # those who progress are taken to have had the planned cycles, or all until the median patient's progression
        chemotherapies=state.chemotherapies
        + _courses(plan, progression, plan.chemo_steps, plan.systemic.has_cytotoxic),
        antibodies=state.antibodies
        + _courses(plan, progression, plan.other_steps, plan.systemic.has_antibody),
        line=state.line + 1,
    )


def residual_relapse(patients: Patients, plan: Plan, values: Mapping[str, float]) -> tuple[Array, Array]:
    """Day of relapse after surgery, (patients,), infinite if it never comes, and ln cells of each clone on that day.

    The cells left in the body follow the same rates. A clone that is expected to have less than one cell is there with
    that probability; one that falls below a single cell is gone, so that adjuvant therapy can cure.
    """
    v = values
    z = patients.normal(Purpose.ATTRIBUTE, RESIDUAL_INDEX)
    left = (v["cohort.residual_log10"] + v["cohort.residual_log10_sd"] * z) * LN10
    left = np.minimum(left, (v["cohort.detection_log10"] - 1.0) * LN10)
    expected = left + patients.fractions
    u = np.stack([patients.uniform(Purpose.EVENT, 40 + k) for k in range(expected.shape[0])])
    there = u < np.exp(np.minimum(expected, 0.0))
    grown = np.maximum(expected, 0.0) + growth_of(
        plan.systemic, plan, chemo_tolerance(v, plan, 0.0), immune_tolerance(v, plan, 0.0)
    )
    lost = np.minimum.accumulate(grown, axis=0) < 0.0
    cells = np.where(there & ~lost, np.minimum(grown, LARGEST), UNSEEDED)
    limit = v["cohort.detection_log10"] * LN10
    total = log_total(cells)
    day = _crossing(total, np.full_like(total, limit))
    k = np.where(np.isfinite(day), np.ceil(np.where(np.isfinite(day), day, 0.0) / STEP), 0).astype(np.int64)
    return day, np.asarray(cells[k, :, np.arange(patients.n)].T)


def relapsed(patients: Patients, day: Array, burden: Array, death: Array) -> State:
    """Patients at their relapse after surgery; `day` and `death` (from other causes) count from surgery."""
    zero = np.zeros(patients.n)
    return State(
        burden=burden,
        brain=np.full_like(burden, UNSEEDED),
        is_seeded=np.zeros(patients.n, dtype=np.bool_),
        start=burden,
        first_burden=log_total(burden),
        death_sum=zero,
        seed_sum=zero,
        alive=np.isfinite(day) & (day < death),
        chemotherapies=0.0,
        antibodies=0.0,
        line=0,
    )


def primary_burden(patients: Patients, values: Mapping[str, float]) -> Array:
    """ln cells of a primary tumour by clone before neoadjuvant therapy, (clones, patients)."""
    spread = (patients.log_burden - values["tumour.burden_log10"] * LN10) / values["tumour.burden_log_sd"]
    size = values["cohort.primary_log10"] * LN10 + values["cohort.primary_log_sd"] * spread
    return np.asarray(size + patients.fractions)
