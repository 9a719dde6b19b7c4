"""A million patients x 2 arms x 5 years: CLEOPATRA with everything on, kept chunk by chunk on the disk.

Runs the command line as a user would, in a process of its own, and measures wall-clock time, processor time and the
peak of resident memory of that process and of the workers it starts; then once more with --resume, which checks every
file and simulates nothing. A first run of one chunk loads the compiled code, so that compiling is not in the time.

    python benchmarks/million.py [--patients 20000 40000] [--chunk 16384] [--jobs 2] [--dask local:2] [--keep DIR]

Prints a table and writes benchmarks/results_million.json, one entry per number of patients. POSIX only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results_million.json")
YEARS = 5
"""Follow-up of every patient by the engine."""


def measured(arguments: list[str]) -> dict[str, Any]:
    """Run `her2 trial` with these arguments: its JSON, wall-clock and processor seconds, and peak memory in MB."""
    code = (
        "import json, resource, sys\n"
        "from her2.cli.main import app\n"
        "try:\n"
        "    app(sys.argv[1:], standalone_mode=False)\n"
        "finally:\n"
        "    own, kids = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))\n"
        "    print(json.dumps([own.ru_maxrss, kids.ru_maxrss]), file=sys.stderr)\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    clock = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, "trial", "cleopatra", "--json", *arguments],
        capture_output=True,
        text=True,
    )
    wall = time.perf_counter() - clock
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    own, workers = json.loads(done.stderr.strip().splitlines()[-1])
    # kilobytes, but bytes on macOS
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return {
        "result": json.loads(done.stdout),
        "seconds": round(wall, 1),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_mb": round(own / unit, 1),
        "largest_worker_mb": round(workers / unit, 1),
    }


def run(patients: int, chunk: int, jobs: int, dask: str | None, keep: Path | None) -> dict[str, Any]:
    """One size: simulate, check again, measure the disk."""
    base = Path(tempfile.mkdtemp(prefix="her2-million-")) if keep is None else keep
    out = base / f"{patients}"
    common = [
        "--patients",
        str(patients),
        "--trials",
        "0",
        "--jobs",
        str(jobs),
        "--no-tables",
        "--out",
        str(out),
    ]
    try:
        first = measured([*common, "--chunk", str(chunk), "--resume", *(["--dask", dask] if dask else [])])
        again = measured([*common, "--resume"])
        files = list((out / "patients" / "model").iterdir())
        size = sum(p.stat().st_size for p in files)
    finally:
        if keep is None:
            shutil.rmtree(base, ignore_errors=True)
    if first["result"]["digest"] != again["result"]["digest"]:
        raise SystemExit("the digest of the stored run differs from that of the simulated one")
    arms = len(first["result"]["arms"])
    null = min(max(200, patients // 2), 50_000)
    courses = (patients + null) * arms
    return {
        "patients": patients, "arms": arms, "years": YEARS, "null_model_patients": null, "chunk": chunk, "jobs": jobs,
        "dask": dask, "seconds": first["seconds"], "cpu_seconds": first["cpu_seconds"], "peak_mb": first["peak_mb"],
        "largest_worker_mb": first["largest_worker_mb"],
        "patient_courses_per_cpu_second": round(courses / first["cpu_seconds"], 1),
        "patient_courses_per_second": round(courses / first["seconds"], 1),
        "bytes_per_patient": round(size / patients, 1), "chunks": len(files), "disk_mb": round(size / 1e6, 1),
        "check_seconds": again["seconds"], "check_cpu_seconds": again["cpu_seconds"], "check_peak_mb": again["peak_mb"],
        "digest": first["result"]["digest"],
        "median_pfs_months": [a["median_pfs"]["value"] for a in first["result"]["arms"]],
        "load_average_at_end": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--chunk", type=int, default=16_384)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--dask")
    parser.add_argument(
        "--keep", type=Path, help="keep the patients in this folder; a run there is gone on with"
    )
    a = parser.parse_args()
    measured(["--patients", "64", "--trials", "0", "--jobs", "1"])
    found: dict[str, Any] = {}
    if RESULTS.exists():
        found = json.loads(RESULTS.read_text(encoding="utf-8"))
    found["machine"] = {
        "cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }  # fmt: skip
    for patients in a.patients:
        row = run(patients, a.chunk, a.jobs, a.dask, a.keep)
        found.setdefault("runs", {})[f"{patients}{' dask' if a.dask else ''}"] = row
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(
            f"{patients:>9,} patients: {row['seconds']:>8,.1f} s ({row['cpu_seconds']:,.1f} s of processor), peak "
            f"{row['peak_mb']:,.0f} MB, {row['bytes_per_patient']:.0f} bytes/patient on the disk, checked again in "
            f"{row['check_seconds']:,.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
