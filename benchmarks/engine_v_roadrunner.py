"""The population kernel against libRoadRunner (CVODE) on the same model, patients and regimen, in one run.

CLEOPATRA-like: trastuzumab 8 then 6 mg/kg, pertuzumab 840 then 420 mg, six cycles of docetaxel 75 mg/m2, all
every three weeks, five years. Both sides follow every patient for five years (no death, no scans, one line);
the kernel is also timed with scans and death, as a trial runs it; that is slower although patients die, as
changes of line and new CNS seeds call for new signals, where a steady cycle reuses those of the cycle before.
The two differ in what they solve: libRoadRunner integrates the full differential equations at a relative
tolerance of 1e-6, the kernel the quasi-steady model in weekly steps, so the difference of the log burdens at
the end is printed beside the ratio of the times. Throughput is per second of processor time on one thread, so
that other work on the machine counts little; latency is on the wall clock.

    python benchmarks/engine_v_roadrunner.py [--patients 1024] [--roadrunner-patients 12]

Prints a table and writes benchmarks/results.json, key `engine_v_roadrunner`.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import her2
from her2.engine.layout import Attribute, CourseArrays, Outcome, RegimenArrays
from her2.engine.run import DoseChanges, Followed, follow
from her2.export import antimony_text, planned_doses, to_sbml
from her2.model import Model, build_model
from her2.patients.sample import Cohort, population_values, sample_cohort
from her2.units import DAYS_PER_WEEK

RESULTS = Path(__file__).with_name("results.json")
AGENTS = ("docetaxel", "pertuzumab", "trastuzumab")
WEEKS = 261
SCAN_WEEKS = 9
SEED = 1
REPEATS = 3
ROADRUNNER_TOLERANCE = 1e-6
UNREACHED = 1e9


def cleopatra_like(model: Model, scan_weeks: int) -> RegimenArrays:
    """The regimen as the engine takes it; one row, docetaxel for six cycles."""
    loading = {"trastuzumab": 8.0, "pertuzumab": 840.0, "docetaxel": 0.0}
    amount = {"trastuzumab": 6.0, "pertuzumab": 420.0, "docetaxel": 75.0}
    unit = {"trastuzumab": 1, "pertuzumab": 0, "docetaxel": 2}
    names = [a.id for a in model.agents]
    return RegimenArrays(
        loading=np.array([[loading[n] for n in names]]),
        amount=np.array([[amount[n] for n in names]]),
        unit=np.array([[unit[n] for n in names]], dtype=np.int64),
        cycle_weeks=np.full((1, len(names)), 3, dtype=np.int64),
        doses_in_week=np.tile(np.array([1.0, 0.0, 0.0]), (1, len(names), 1)),
        max_cycles=np.array([[6.0 if n == "docetaxel" else UNREACHED for n in names]]),
        start_week=np.zeros((1, len(names)), dtype=np.int64),
        scan_weeks=np.array([scan_weeks], dtype=np.int64),
    )


def without_events(model: Model, cohort: Cohort) -> tuple[Model, Cohort]:
    """The same model and patients with no death, no new CNS seeds, no change of line and no tolerance to therapy.

    The full model has none of these.
    """
    attributes = cohort.attributes.copy()
    attributes[Attribute.BACKGROUND_DEATH] = 0.0
    constants = model.constants._replace(
        death_hazard=0.0,
        cns_seed_hazard=0.0,
        cns_detectable=UNREACHED,
        line_tolerance=0.0,
        immune_tolerance=0.0,
    )
    return dataclasses.replace(model, constants=constants), dataclasses.replace(cohort, attributes=attributes)


def run_kernel(model: Model, cohort: Cohort, scan_weeks: int) -> Followed:
    """One arm for five years on one thread."""
    course = CourseArrays(
        entry_line=np.zeros(1, dtype=np.int64),
        prior_regimen=np.full((1, 1), -1),
        trial_regimen=np.zeros(1, dtype=np.int64),
        later_probability=np.zeros((1, 0, 1)),
        later_regimen=np.zeros((1, 0, 1), dtype=np.int64),
        horizon_weeks=WEEKS,
        prior_limit_weeks=520,
    )
    doses = DoseChanges.none(len(model.agents), cohort.n)
    return follow(model, cohort, np.arange(cohort.n), cleopatra_like(model, scan_weeks), course, doses, SEED)


def first_call() -> None:
    """Run in a fresh process: seconds from the start of the imports to the first block, and peak memory."""
    begin = time.perf_counter()
    model = build_model(agents=AGENTS)
    cohort = sample_cohort(model, population_values(model, None), SEED, 0, 64)
    built = time.perf_counter()
    run_kernel(model, cohort, SCAN_WEEKS)
    print(
        json.dumps(
            {"model_s": built - begin, "first_block_s": time.perf_counter() - built, "peak_mb": peak_mb()}
        )
    )


def peak_mb() -> float:
    """Largest resident memory of this process, MB.

    Linux counts what the parent held at the start of a child in the child's `ru_maxrss`; VmHWM does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return float(line.split()[1]) / 1024.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024.0 if sys.platform != "darwin" else peak / 1024.0**2


def in_fresh_process(cache: str) -> dict[str, float]:
    """Latency of the first call in a new interpreter whose compiled code is kept in this folder."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--first-call"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return {"process_s": time.perf_counter() - begin, **found}


def source_digest() -> str:
    """Digest of the engine, signalling and model sources, to tell which kernel was measured."""
    package = Path(her2.__file__).parent
    files = [
        *package.glob("engine/*.py"),
        *package.glob("signalling/*.py"),
        package / "model.py",
        package / "drugs.py",
    ]
    return hashlib.blake2b(b"".join(p.read_bytes() for p in sorted(files)), digest_size=8).hexdigest()


def time_kernel(model: Model, cohort: Cohort, scan_weeks: int) -> tuple[float, Followed]:
    """Best of a few warm runs, s of processor time on one thread, and the result."""
    run_kernel(model, cohort, scan_weeks)
    seconds = []
    for _ in range(REPEATS):
        begin = time.process_time()
        followed = run_kernel(model, cohort, scan_weeks)
        seconds.append(time.process_time() - begin)
    return min(seconds), followed


def time_roadrunner(model: Model, cohort: Cohort, index: int) -> dict[str, float]:
    """One patient in libRoadRunner: processor seconds of each step and the systemic ln burden at the end."""
    import roadrunner

    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_ERROR)
    patient = cohort.take(np.array([index]))
    days = WEEKS * DAYS_PER_WEEK
    begin = time.process_time()
    doses = planned_doses(model, patient, cleopatra_like(model, 0), 0, WEEKS)
    sbml = to_sbml(antimony_text(model, patient, doses, days))
    written = time.process_time()
    runner = roadrunner.RoadRunner(sbml)
    runner.selections = ["ln_burden_systemic"]
    runner.integrator.relative_tolerance = ROADRUNNER_TOLERANCE
    runner.integrator.absolute_tolerance = ROADRUNNER_TOLERANCE * 1e-3
    runner.integrator.maximum_num_steps = 10**7
    loaded = time.process_time()
    end = float(np.asarray(runner.simulate(times=[0.0, days]))[-1, 0])
    finished = time.process_time()
    states = runner.model.getNumFloatingSpecies() + runner.model.getNumRateRules()
    return {
        "write_s": written - begin,
        "load_s": loaded - written,
        "simulate_s": finished - loaded,
        "log_burden": end,
        "states": states,
    }


def measure(n_patients: int, n_roadrunner: int) -> dict[str, Any]:
    """Every figure of the table."""
    digest = source_digest()
    model = build_model(agents=AGENTS)
    cohort = sample_cohort(model, population_values(model, None), SEED, 0, n_patients)
    trial_s, _ = time_kernel(model, cohort, SCAN_WEEKS)
    quiet_model, quiet_cohort = without_events(model, cohort)
    course_s, followed = time_kernel(quiet_model, quiet_cohort, 0)
    memory = peak_mb()
    others = [time_roadrunner(model, cohort, k) for k in range(n_roadrunner)]
    simulate = statistics.fmean(o["simulate_s"] for o in others)
    whole = statistics.fmean(o["write_s"] + o["load_s"] + o["simulate_s"] for o in others)
    gaps = [abs(o["log_burden"] - followed[Outcome.LOG_BURDEN_END][k]) for k, o in enumerate(others)]
    with tempfile.TemporaryDirectory() as cache:
        cold = in_fresh_process(cache)
        warm = in_fresh_process(cache)
    if source_digest() != digest:
        raise SystemExit("the sources changed while they were being measured; run again")
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {cpu_name()}",
        "versions": {n: version(n) for n in ("numba", "numpy", "libroadrunner", "antimony")}
        | {"python": platform.python_version()},
        "source_digest": digest,
        "patients_kernel": n_patients,
        "patients_roadrunner": n_roadrunner,
        "years": WEEKS * DAYS_PER_WEEK / 365.25,
        "kernel_patients_per_s_core_trial": n_patients / trial_s,
        "kernel_patients_per_s_core_full_course": n_patients / course_s,
        "kernel_first_call_cold_s": cold["first_block_s"],
        "kernel_first_call_cached_s": warm["first_block_s"],
        "kernel_process_cold_s": cold["process_s"],
        "kernel_process_cached_s": warm["process_s"],
        "kernel_peak_mb": memory,
        "kernel_peak_compiling_mb": cold["peak_mb"],
        "kernel_peak_fresh_mb": warm["peak_mb"],
        "roadrunner_states": sorted({int(o["states"]) for o in others}),
        "roadrunner_simulate_s": simulate,
        "roadrunner_load_s": statistics.fmean(o["load_s"] for o in others),
        "roadrunner_write_s": statistics.fmean(o["write_s"] for o in others),
        "roadrunner_patients_per_s_core": 1.0 / simulate,
        "ratio_simulation": n_patients / course_s * simulate,
        "ratio_simulation_trial": n_patients / trial_s * simulate,
        "ratio_with_model_loading": n_patients / course_s * whole,
        "log_burden_difference_median": statistics.median(gaps),
        "log_burden_difference_max": max(gaps),
    }


def cpu_name() -> str:
    """Name of the processor where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def print_table(r: dict[str, Any]) -> None:
    rows = [
        (
            "kernel, as in a trial (scans, death)",
            f"{r['kernel_patients_per_s_core_trial']:,.0f} patients/s/core",
        ),
        (
            "kernel, five years for everyone",
            f"{r['kernel_patients_per_s_core_full_course']:,.0f} patients/s/core",
        ),
        ("kernel, first block, nothing compiled", f"{r['kernel_first_call_cold_s']:.1f} s"),
        ("kernel, first block, compiled before", f"{r['kernel_first_call_cached_s']:.2f} s"),
        (
            "kernel, whole fresh process",
            f"{r['kernel_process_cold_s']:.1f} s, cached {r['kernel_process_cached_s']:.2f} s",
        ),
        ("kernel, peak memory, all patients", f"{r['kernel_peak_mb']:.0f} MB"),
        (
            "kernel, peak memory, one block",
            f"{r['kernel_peak_fresh_mb']:.0f} MB, {r['kernel_peak_compiling_mb']:.0f} MB while compiling",
        ),
        ("libRoadRunner, simulation", f"{r['roadrunner_simulate_s']:.2f} s/patient"),
        ("libRoadRunner, states", " or ".join(map(str, r["roadrunner_states"]))),
        (
            "libRoadRunner, write and load the model",
            f"{r['roadrunner_write_s'] + r['roadrunner_load_s']:.2f} s/patient",
        ),
        ("ratio, simulation alone", f"{r['ratio_simulation']:,.0f}"),
        ("ratio, kernel as in a trial", f"{r['ratio_simulation_trial']:,.0f}"),
        ("ratio, with writing and loading", f"{r['ratio_with_model_loading']:,.0f}"),
        (
            "difference of ln burden at five years",
            f"median {r['log_burden_difference_median']:.4f}, largest {r['log_burden_difference_max']:.4f}",
        ),
    ]
    width = max(len(label) for label, _ in rows)
    print(f"{r['machine']}; {r['patients_kernel']} patients, {r['patients_roadrunner']} in libRoadRunner")
    for label, value in rows:
        print(f"{label:<{width}}  {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=1024)
    parser.add_argument("--roadrunner-patients", type=int, default=12)
    parser.add_argument("--first-call", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.first_call:
        first_call()
        return
    result = measure(chosen.patients, chosen.roadrunner_patients)
    print_table(result)
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known["engine_v_roadrunner"] = result
    RESULTS.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
