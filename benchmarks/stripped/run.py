"""The stripped benchmark model in our kernel and in other simulators, at equal accuracy, in one run.

    python benchmarks/stripped/run.py [--patients 4096] [--peer-patients 8] [--only NAME ...]
                                      [--python diffrax=PATH] [--python amici=PATH]

Each engine runs in a fresh process, on one core. The reference is `reference.py`, for the first patients compared with
SciPy's DOP853 at a relative tolerance of 1e-10. Wanted: for 99.9 % of patients ln cells after five years within 1e-3
(relative; below a million cells to ln 1e6) and the day of progression within 1 day. Of each peer's methods the
loosest setting that keeps all of its patients within both counts, and of its methods the fastest. Times are processor
time, best of three (peers once: their runs are long), without loading models; the first call is on the wall clock
from the start of the process, compilation included. A peer that is not installed is listed with the reason;
`--python` names the Python that has it.
Prints a table and writes the entry `stripped` of benchmarks/results.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

BEGAN = time.perf_counter()

import numpy as np  # noqa: E402
from peers import PEERS  # noqa: E402

from patients import YEARS_DAYS, draw, progression_day  # noqa: E402

RESULTS = Path(__file__).parents[1] / "results.json"
ACCURACY, ACCURACY_DAYS, SHARE = 1e-3, 1.0, 0.999
SMALLEST = float(np.log(1e6))
"""ln cells of a tumour of a cubic millimetre: the error of a smaller one is relative to this."""
TIGHT = 1e-10
CHECKED = 4
"""Patients of the reference that SciPy integrates at the tight tolerance."""
TARGET, TARGET_RATIO = 10_000.0, 50.0
LONGEST_S = 1200.0
"""Seconds a peer's setting may take; slower ones are not tried."""
LIMIT_S = 2400.0
"""Seconds a peer may take altogether."""
REASONS = {
    "rxode2": "its R packages are on CRAN only, which the machine does not reach, and need five others that Debian has "
    "not",
}


def peak_mb() -> float:
    """Largest resident memory of this process, MB."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return float(line.split()[1]) / 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def errors(end: Any, day: Any, reference: Any) -> dict[str, float]:
    """Error of ln cells at the end, relative, and of the day of progression; a day on one side only is infinite."""
    exact = reference[:, -1]
    relative = np.abs(np.asarray(end) - exact) / np.maximum(np.abs(exact), SMALLEST)
    expected = progression_day(reference)
    day = np.asarray(day)
    none = np.isinf(day) & np.isinf(expected)
    apart = np.where(none, 0.0, np.abs(np.where(none, 0.0, day) - np.where(none, 0.0, expected)))
    return {
        "error_median": float(np.median(relative)), "error_p999": float(np.quantile(relative, SHARE, method="higher")),
        "error_max": float(relative.max()), "days_median": float(np.median(apart)),
        "days_p999": float(np.quantile(apart, SHARE, method="higher")), "days_max": float(apart.max()),
    }  # fmt: skip


def meets(found: dict[str, float]) -> bool:
    """Whether 99.9 % of patients are as near as wanted."""
    return found["error_p999"] <= ACCURACY and found["days_p999"] <= ACCURACY_DAYS


def run_kernel(n: int, reference: Any) -> dict[str, Any]:
    from kernel import follow

    follow(draw(64))
    first = time.perf_counter() - BEGAN
    patients = draw(n)
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        end, day, again = follow(patients)
        seconds.append(time.process_time() - begin)
    found = errors(end[: len(reference)], day[: len(reference)], reference)
    return {
        "patients_per_s_core": n / min(seconds), "first_call_s": first, "peak_mb": peak_mb(), "patients": n,
        "patients_compared": len(reference), "looked_at_again": again, "meets_accuracy": meets(found), **found,
    }  # fmt: skip


def run_reference(n: int, path: str) -> dict[str, Any]:
    """Write the daily reference of n patients; how far SciPy at the tight tolerance and a coarser rule are from it."""
    from peers import scipy_methods

    from reference import POINTS, SWEEPS, daily_burden

    daily = daily_burden(draw(n))
    np.save(path, daily)
    few = draw(n)
    few = type(few)(few.values[:, :CHECKED], few.rates[..., :CHECKED], few.half[:, :CHECKED])
    exact, _ = next(m for m in scipy_methods(few) if m.name == "DOP853").run(TIGHT)
    coarse = daily_burden(few, POINTS - 2, SWEEPS - 1)
    return {
        "method": f"collocation at {POINTS} Gauss points a day, {SWEEPS} sweeps", "patients": n,
        "difference_to_scipy_max": float(np.max(np.abs(exact / daily[:CHECKED] - 1.0))),
        "scipy_tolerance": TIGHT, "scipy_patients": CHECKED,
        "difference_to_coarser_rule_max": float(np.max(np.abs(coarse / daily[:CHECKED] - 1.0))),
    }  # fmt: skip


def run_peer(name: str, n: int, reference: Any) -> dict[str, Any]:
    patients = draw(n)
    distribution, make = PEERS[name]
    first: float | None = None
    tried: dict[str, str] = {}
    best: dict[str, Any] = {}
    for method in make(patients):
        for setting in method.settings:
            key = f"{method.name}, {setting:g}"
            try:
                daily, seconds = method.run(setting)
                if first is None:
                    # XLA compiles within the first run: what counts is the second
                    first = time.perf_counter() - BEGAN
                if name == "diffrax":
                    daily, seconds = method.run(setting)
            except RuntimeError as error:
                tried[key] = str(error)[:200]
                continue
            found = errors(daily[:, -1], progression_day(daily), reference[:n])
            speed = n / seconds
            tried[key] = (
                f"error {found['error_max']:.1e}, {found['days_max']:.2g} days, {speed:.3g} patients/s"
            )
            print(name, key, tried[key], file=sys.stderr, flush=True)
            if meets(found):
                if speed > best.get("patients_per_s_core", 0.0):
                    best = {"patients_per_s_core": speed, "method": method.name, "setting": setting, **found}
                break
            if seconds > LONGEST_S:
                break
    if not best:
        return {"missed": "no setting keeps every patient within the accuracy", "tried": tried}
    return {
        **best, "first_call_s": first, "peak_mb": peak_mb(), "patients": n, "tried": tried,
        "version": _version(distribution) if distribution else _r_version("mrgsolve"),
    }  # fmt: skip


def fresh(arguments: list[str], cache: str, python: str = sys.executable) -> Any:
    """What a new process prints as JSON on its last line, or the reason why there is none."""
    one_core = {
        "NUMBA_CACHE_DIR": cache, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1", "JAX_PLATFORMS": "cpu",
    }  # fmt: skip
    source = str(Path(__file__).resolve().parents[2] / "src")
    path = os.pathsep.join(p for p in (source, os.environ.get("PYTHONPATH", "")) if p)
    begun = subprocess.Popen(
        [python, __file__, *arguments],
        env={**os.environ, **one_core, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, told = begun.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        # the compilers it started go with it
        os.killpg(begun.pid, signal.SIGKILL)
        begun.communicate()
        return {"not_run": f"installed, and not done after {LIMIT_S / 60:.0f} minutes, its compiler included"}
    if begun.returncode:
        return {"not_run": (told.strip().splitlines() or [f"ended with {begun.returncode}"])[-1][:300]}
    return json.loads(out.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--patients", type=int, default=4096, help="for the speed of the kernel")
    parser.add_argument("--compared", type=int, default=1024, help="of these, for its accuracy")
    parser.add_argument("--peer-patients", type=int, default=8)
    parser.add_argument("--batch", type=int, default=64, help="patients of peers that run all at once")
    parser.add_argument("--only", nargs="*", choices=[*PEERS, "none"], default=None, help="peers to run")
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help="Python of a peer")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--reference", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    n, few = chosen.patients, chosen.peer_patients
    if chosen.engine == "reference":
        print(json.dumps(run_reference(chosen.compared, chosen.reference)))
        return
    if chosen.engine:
        reference = np.load(chosen.reference)
        done = (
            run_kernel(n, reference) if chosen.engine == "kernel" else run_peer(chosen.engine, few, reference)
        )
        print(json.dumps(done))
        return
    pythons = dict(x.split("=", 1) for x in chosen.python)
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as cache:
        path = str(Path(cache) / "reference.npy")
        count = ["--patients", str(n), "--peer-patients", str(few), "--reference", path]
        count += ["--compared", str(chosen.compared)]
        reference = fresh(["--engine", "reference", *count], cache)
        if "not_run" in reference:
            raise SystemExit(f"reference: {reference['not_run']}")
        print(f"reference: {reference}", flush=True)
        for stem in Path(cache).rglob("*.nb?"):
            stem.unlink()
        rows["kernel"] = fresh(["--engine", "kernel", *count], cache)
        if "not_run" in rows["kernel"]:
            raise SystemExit(f"kernel: {rows['kernel']['not_run']}")
        rows["kernel"]["first_call_compiled_before_s"] = fresh(["--engine", "kernel", *count], cache)[
            "first_call_s"
        ]
        for name in PEERS if chosen.only is None else [p for p in chosen.only if p != "none"]:
            own = list(count)
            if name in ("diffrax", "mrgsolve"):
                own[3] = str(min(chosen.batch, chosen.compared))
            rows[name] = fresh(["--engine", name, *own], cache, pythons.get(name, sys.executable))
            print(f"{name}: {rows[name]}", flush=True)
    speeds = {
        k: r["patients_per_s_core"] for k, r in rows.items() if k != "kernel" and "patients_per_s_core" in r
    }
    fastest = max(speeds, key=lambda k: speeds[k]) if speeds else None
    kernel = rows["kernel"]
    result = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "model": "4 drugs, 8 clones, 6 adaptation states, 23 equations, 1,914 doses",
        "years": YEARS_DAYS / 365.25,
        "wanted": {"error": ACCURACY, "days": ACCURACY_DAYS, "share": SHARE, "patients_per_s_core": TARGET},
        "engines": rows,
        "reference": reference,
        "not_installed": {k: r["not_run"] for k, r in rows.items() if "not_run" in r} | REASONS,
        "fastest_peer": fastest,
        "ratio_to_fastest_peer": kernel["patients_per_s_core"] / speeds[fastest] if fastest else None,
        "versions": {k: _version(k) for k in ("numba", "numpy", "scipy")}
        | {"python": platform.python_version()},
    }
    print_table(result)
    every = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(every | {"stripped": result}, indent=2, sort_keys=True) + "\n")


def print_table(result: dict[str, Any]) -> None:
    """The engines side by side."""
    head = f"{'engine':12}{'patients/s/core':>16}{'first call':>12}{'memory':>10}{'error':>10}{'99.9 %':>10}{'days':>8}"
    print(head)
    for name, row in result["engines"].items():
        if "patients_per_s_core" not in row:
            print(f"{name:12}{row.get('missed') or 'not run: ' + row['not_run']}")
            continue
        how = f"  {row['method']}, {row['setting']:g}" if "method" in row else ""
        print(
            f"{name:12}{row['patients_per_s_core']:16,.2f}{row['first_call_s']:10.1f} s{row['peak_mb']:7.0f} MB"
            f"{row['error_median']:10.1e}{row['error_p999']:10.1e}{row['days_p999']:8.2g}{how}"
        )
    for name, reason in REASONS.items():
        print(f"{name:12}not installed: {reason}")
    if result["ratio_to_fastest_peer"]:
        ratio = result["ratio_to_fastest_peer"]
        wanted = f"wanted {TARGET:,.0f} patients/s/core and {TARGET_RATIO:.0f} times"
        print(f"{ratio:,.0f} times the fastest peer ({result['fastest_peer']}); {wanted}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _r_version(package: str) -> str:
    done = subprocess.run(
        ["Rscript", "-e", f'cat(as.character(packageVersion("{package}")))'],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
