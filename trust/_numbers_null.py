"""Type I error: trials in which nothing differs between the arms, and how often the tests say that something does.

Three kinds of trial. *Generated*: exponential times in whole days with censoring, and times dated at scans with strata.
*Simulated*: trials drawn from large pools of the trial simulator. Every patient of a pool is followed twice on the
control arm of a published design, with the same biology and other streams for events and scans. A trial draws its
patients with replacement, enrols them, randomises them in blocks within the design's strata, and cuts the data on the
design's day. Which of a patient's two courses belongs to which arm is drawn for each patient and trial: the arms are
then alike exactly, though pools are finite, and the course of a patient on one arm is not that on the other.
*With looks*: the same pools under the group-sequential rule of the design study, three looks with O'Brien-Fleming
spending.

Trials are done in chunks, each with numbers of its own, and counted in a file after each, so that a run that was
stopped goes on. A rate is met if its 99 % Wilson interval holds the nominal one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import Figure
from numpy.typing import NDArray

from her2.design_study.boundaries import Boundaries, set_boundaries
from her2.design_study.draw import Source, draw_trials, make_source
from her2.design_study.looks import Protocol, follow_looks
from her2.design_study.spending import spend_error
from her2.engine.rng import Purpose, uniforms
from her2.engine.run import Followed
from her2.model import build_model
from her2.survival import log_rank, two_arm_statistics_batch, wilson
from her2.trials.cut import cut_data
from her2.trials.design import Trial, load_trial
from her2.trials.follow import Pool, prepare_trial, simulate_pool

ALPHA, ONE_SIDED = 0.05, 0.025
LEVEL = 0.99
Z = 1.959963984540054
"""Two-sided 5 % point of the standard normal distribution."""
DESIGNS = ("cleopatra", "emilia")
"""Of the simulated trials: their control arms, size, strata, enrolment, loss of contact, scans and cuts."""
ENDPOINTS = ("pfs", "os")
LOOKS = (0.5, 0.75, 1.0)
EVENTS_SHARE = 0.6
"""Events at the last look, as a share of the patients."""
COURSE_STREAM = 1_950_000
"""Stream of the numbers that give courses to arms; below those of the design study and above those of the trials."""
BLOCK = 4

Counts = dict[str, int]
Flags = NDArray[np.bool_]


def sizes(full: bool) -> dict[str, int]:
    """Trials of each kind, patients of a pool, trials of a chunk."""
    if full:
        return {"generated": 100_000, "simulated": 100_000, "looks": 100_000, "pool": 10_000, "chunk": 1000}
    return {"generated": 4_000, "simulated": 2_000, "looks": 1_000, "pool": 640, "chunk": 500}


def run_generated(full: bool, seed: int, work: Path | None) -> tuple[list[Figure], dict[str, Any]]:
    """Type I error of generated trials."""
    n = sizes(full)
    figures, details = [], {}
    for scenario, make in GENERATED.items():

        def chunk(number: int, size: int, make: Callable[..., Any] = make) -> Counts:
            times, events, arm, stratum = make(np.random.default_rng([seed, 5, number]), size)
            return count_rejections(
                two_arm_statistics_batch(times, events, arm, stratum, level=None, jobs=cores())
            )

        counts = in_chunks(n["generated"], n["chunk"], chunk, work and work / f"generated_{scenario}.json")
        details[scenario] = counts
        figures += rates(f"{scenario.replace('_', ' ')}, generated", counts, WHAT[scenario])
    return figures, details


def run_simulated(full: bool, seed: int, work: Path | None) -> tuple[list[Figure], dict[str, Any]]:
    """Type I error of trials drawn from the simulator's pools, at a fixed data cut and with interim looks."""
    n = sizes(full)
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    total: dict[str, Counts] = {}
    per_design = {k: n[k] // len(DESIGNS) for k in ("simulated", "looks")}
    for place, design in enumerate(DESIGNS):
        trial = load_trial(design)
        pools = simulate_courses(trial, n["pool"], seed + place)
        details[design] = {"patients": trial.population.size} | compare_streams(trial, pools)
        for endpoint in ENDPOINTS:
            source = join_courses(pools, endpoint)
            counts = in_chunks(
                per_design["simulated"], n["chunk"],
                lambda number, size, s=source, t=trial, p=place: simulate_chunk(s, t, seed, p, number, size),
                work and work / f"simulated_{design}_{endpoint}.json",
            )  # fmt: skip
            details[design][endpoint] = counts
            add(total.setdefault(f"{endpoint.upper()}, simulated trials", {}), counts)
        source = make_source(replace(pools[0], arms=(pools[0].arms[0],) * 2), ENDPOINTS[0])
        protocol = make_protocol(trial)
        counts = in_chunks(
            per_design["looks"], n["chunk"],
            lambda number, size, s=source, t=trial, p=place, q=protocol: look_chunk(s, t, q, seed, p, number, size),
            work and work / f"looks_{design}.json",
        )  # fmt: skip
        details[design]["with_looks"] = counts
        add(total.setdefault("looks", {}), counts)
    looks = total.pop("looks")
    note = (
        f"control arms of {' and '.join(DESIGNS)} in both arms, {n['pool']:,} patients a pool, each followed twice; "
        "stratified tests"
    )
    for name, counts in total.items():
        figures += rates(name, counts, note)
    bounds = make_protocol(load_trial(DESIGNS[0])).bounds
    figures.append(
        rate(
            f"type I error with looks at {', '.join(f'{t:.0%}' for t in LOOKS)} of the events, one-sided",
            looks["looks"], looks["trials"], ONE_SIDED,
            f"PFS of the same pools, O'Brien-Fleming bounds {', '.join(f'{z:.3f}' for z in bounds.efficacy)}; "
            "futility not heeded",
        )
    )  # fmt: skip
    return figures, details


def rates(name: str, counts: Mapping[str, int], note: str) -> list[Figure]:
    """Figures of the log-rank test and of Wald's test of the Cox fit."""
    return [
        rate(f"type I error of the log-rank test, {name}", counts["log_rank"], counts["trials"], ALPHA, note),
        rate(f"type I error of the Cox Wald test, {name}", counts["wald"], counts["trials"], ALPHA, note),
    ]


def rate(name: str, rejected: int, trials: int, nominal: float, note: str) -> Figure:
    """A rejection rate; met if its interval holds the nominal one."""
    interval = wilson(rejected, trials, LEVEL)
    inside = interval.lower <= nominal <= interval.upper
    return Figure(
        name, round(interval.estimate, 6), "", f"{nominal:g} inside its {LEVEL:.0%} interval", inside,
        f"{rejected:,} of {trials:,} trials, interval {interval.lower:.5f} to {interval.upper:.5f}; {note}",
    )  # fmt: skip


def count_rejections(batch: Any) -> Counts:
    """Trials whose tests reject at the two-sided level; a fit without an estimate rejects nothing."""
    with np.errstate(invalid="ignore"):
        wald = np.abs(batch.cox.coef / batch.cox.std_err) > Z
    wald &= batch.cox.is_converged
    return {
        "trials": int(wald.size),
        "log_rank": int(np.sum(np.abs(batch.log_rank.z) > Z)),
        "wald": int(wald.sum()),
        "not_converged": int(np.sum(~batch.cox.is_converged)),
        "events": int(batch.cox.n_events.sum()),
    }


def add(total: Counts, counts: Mapping[str, int]) -> None:
    """Add counts to a total."""
    for key, value in counts.items():
        total[key] = total.get(key, 0) + value


def in_chunks(n: int, size: int, chunk: Callable[[int, int], Counts], path: Path | None) -> Counts:
    """Counts over `n` trials, `size` at a time; what the file holds already is not done again."""
    state: dict[str, Any] = {"done": 0, "counts": {}}
    if path is not None and path.exists():
        state = json.loads(path.read_text(encoding="utf-8"))
    said = time.monotonic()
    while state["done"] < n:
        wanted = min(size, n - state["done"])
        add(state["counts"], chunk(state["done"] // size, wanted))
        state["done"] += wanted
        if path is not None:
            half = path.with_suffix(".part")
            half.write_text(json.dumps(state), encoding="utf-8")
            os.replace(half, path)
        if time.monotonic() - said > 60:
            said = time.monotonic()
            print(f"{path.stem if path else 'trials'}: {state['done']:,} of {n:,}", flush=True)
    return dict(state["counts"])


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# ---- generated trials


def make_days(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """800 patients 1:1, exponential with a median of a year, whole days, censored between 200 and 900."""
    size = 800
    time_to_event, follow_up = rng.exponential(365 / np.log(2), (n, size)), rng.uniform(200, 900, (n, size))
    days = np.ceil(np.minimum(time_to_event, follow_up))
    return days, time_to_event <= follow_up, np.arange(size) % 2 == 0, None


def make_scans(rng: np.random.Generator, n: int) -> tuple[Any, ...]:
    """600 patients 2:1 in three strata of other risk; events found at the next scan, every 63 days."""
    size, every = 600, 63.0
    stratum = np.broadcast_to(np.arange(size) % 3, (n, size))
    time_to_event = rng.exponential(500.0 / (1.0 + 0.5 * stratum))
    follow_up = np.ceil(rng.uniform(200, 900, (n, size)) / every) * every
    event = time_to_event <= follow_up
    found = np.where(event, np.ceil(time_to_event / every) * every, follow_up)
    arm = np.arange(size) // 3 % 3 != 0
    return found, event, arm, stratum


GENERATED = {"follow-up_in_days": make_days, "dated_at_scans": make_scans}
WHAT = {
    "follow-up_in_days": "800 patients 1:1, about 520 events, ties, censoring",
    "dated_at_scans": "600 patients 2:1 in three strata, scans every 63 days: about 15 times with events; stratified",
}


# ---- trials from the simulator's pools


def simulate_courses(trial: Trial, n: int, seed: int) -> tuple[Pool, Pool]:
    """The same patients on the control arm twice: other streams for events, scans and later lines."""
    plan = prepare_trial(build_model(), trial)
    control = [a.id for a in trial.arms].index(trial.control)
    pools = [
        simulate_pool(
            plan.model, trial, n, 1000 + seed, noise_seed=(seed + 1) * 1_000_003 + stream, arms=(control,),
            jobs=cores(), plan=plan,
        )
        for stream in range(2)
    ]  # fmt: skip
    # whether a patient lives to enter depends on the stream: those who did in both
    ids = [p.arms[0].patient for p in pools]
    both = np.intersect1d(*ids)
    places = [np.searchsorted(i, both) for i in ids]
    first, second = (
        replace(p, cohort=p.cohort.take(at), arms=(p.arms[0].take(at),))
        for p, at in zip(pools, places, strict=True)
    )
    return first, second


def compare_streams(trial: Trial, pools: tuple[Pool, Pool]) -> dict[str, Any]:
    """Size of the pools and how far their two streams differ, in standard errors of unrelated patients."""
    found: dict[str, Any] = {"pool": pools[0].n, "failed": int(sum(p.failed.size for p in pools))}
    n = pools[0].n
    start, never = np.zeros(n), np.full(n, np.inf)
    for endpoint in ENDPOINTS:
        parts = [
            cut_data(p.arms[0], endpoint, start, never, trial.horizon_days, trial.scans.every) for p in pools
        ]
        test = log_rank(
            np.concatenate([p.time for p in parts]),
            np.concatenate([p.event for p in parts]),
            np.repeat([0, 1], n),
        )
        found[f"{endpoint}_chi2_between_streams"] = round(test.chi2, 3)
    return found


def join_courses(pools: tuple[Pool, Pool], endpoint: str) -> Source:
    """Both courses of every patient as a source of trials."""
    return make_source(replace(pools[0], arms=(pools[0].arms[0], pools[1].arms[0])), endpoint)


def simulate_chunk(source: Source, trial: Trial, seed: int, place: int, number: int, size: int) -> Counts:
    """Rejections among trials at the design's data cut."""
    chunk = sizes(True)["chunk"]
    numbers = np.arange(number * chunk, number * chunk + size)
    patients = trial.population.size
    draws = draw_trials(
        source, numbers, patients, patients, trial.accrual.duration, (1, 1), BLOCK, seed,
        10 * place + ENDPOINTS.index(source.endpoint),
    )  # fmt: skip
    stream = COURSE_STREAM + 10 * place + ENDPOINTS.index(source.endpoint)
    first = int(numbers[0]) * patients
    drawn = uniforms(seed, first, draws.arm.size, int(Purpose.RESAMPLING), stream)
    course = draws.arm ^ (np.asarray(drawn).reshape(draws.arm.shape) < 0.5)
    cut = trial.cut_of(source.endpoint)
    found, event = np.empty(draws.arm.shape), np.empty(draws.arm.shape, dtype=bool)
    for k in range(2):
        mine = course == k
        followed: Followed = source.arms[k].take(draws.patient[mine])
        known = cut_data(
            followed, source.endpoint, draws.enrol[mine], draws.lost[mine], cut, source.scan_days
        )
        found[mine], event[mine] = known.time, known.event
    return count_rejections(
        two_arm_statistics_batch(
            found, event, draws.arm == 0, source.stratum[draws.patient], level=None, jobs=cores()
        )
    )


def make_protocol(trial: Trial) -> Protocol:
    """Three looks with O'Brien-Fleming spending."""
    bounds: Boundaries = set_boundaries(LOOKS, spend_error("obrien_fleming", LOOKS, ONE_SIDED))
    size = trial.population.size
    events = tuple(int(np.ceil(t * EVENTS_SHARE * size)) for t in LOOKS)
    return Protocol(size, events, trial.accrual.duration, trial.horizon_days, bounds)


def look_chunk(
    source: Source, trial: Trial, protocol: Protocol, seed: int, place: int, number: int, size: int
) -> Counts:
    """Trials that cross a bound at any look."""
    chunk = sizes(True)["chunk"]
    numbers = np.arange(number * chunk, number * chunk + size)
    draws = draw_trials(
        source, numbers, protocol.size, protocol.size, trial.accrual.duration, (1, 1), BLOCK, seed, 10 * place + 5
    )  # fmt: skip
    found = follow_looks(source, draws, protocol, heed_futility=False)
    return {
        "trials": size,
        "looks": int(found.significant.sum()),
        "early": int(np.sum(found.significant & (found.look < len(LOOKS) - 1))),
        "short": int(found.short.sum()),
    }
