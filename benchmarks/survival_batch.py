"""Statistics of many simulated trials at once, against one trial at a time and against R's survival package.

Trials of 800 patients in two arms, hazard ratio 0.7, followed for whole days (ties) for 200 to 900 of them
(censoring). For every trial: Cox fit with Efron's ties, log-rank test, both Kaplan-Meier medians with their limits.
`together` is `two_arm_statistics_batch` on one thread and on all; `one by one` calls `two_arm_cox`, `log_rank` and
`kaplan_meier` for each trial; R calls coxph, survdiff and survfit, and for the leanest R also coxph.fit, which has
no formula to read. The slower routes do fewer trials. Ratios are of processor time a trial, so that other work on
the machine counts little; the gain of threads is on the wall clock. The answers are compared: with R as the largest
relative difference (R stops at its own tolerance of 1e-9; trust/numbers.py compares at a tight one), between one
thread and more to the last bit.

    python benchmarks/survival_batch.py [--trials 10000] [--patients 800] [--r-trials 200]

Prints a table and writes benchmarks/results_survival_batch.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from engine_v_roadrunner import cpu_name

from her2.survival import kaplan_meier, log_rank, two_arm_cox, two_arm_cox_batch, two_arm_statistics_batch
from her2.survival.two_arm import TwoArmStatisticsBatch

RESULTS = Path(__file__).with_name("results_survival_batch.json")
SEED = 1
REPEATS = 3
SINGLE_TRIALS = 200
R_PROGRAM = """
suppressPackageStartupMessages(library(survival))
chosen <- commandArgs(TRUE)
n <- as.integer(chosen[2]); trials <- as.integer(chosen[3])
read <- function(what) {
  file <- file(file.path(chosen[1], what), "rb")
  on.exit(close(file))
  matrix(readBin(file, "double", n * trials), n)
}
time <- read("time"); event <- read("event"); arm <- rep(c(1, 0), length.out = n)
spent <- function(run) { gc(FALSE); before <- proc.time(); result <- run(); after <- proc.time()
  list(seconds = sum((after - before)[1:2]), result = result) }
all <- spent(function() t(sapply(seq_len(trials), function(i) {
  y <- Surv(time[, i], event[, i])
  fit <- coxph(y ~ arm, ties = "efron")
  test <- survdiff(y ~ arm)
  medians <- quantile(survfit(y ~ arm, conf.type = "log-log"), 0.5)
  c(coef(fit), sqrt(fit$var[1, 1]), fit$score, test$chisq, medians$quantile, medians$lower, medians$upper)
})))
cox <- spent(function() sapply(seq_len(trials), function(i) coxph(Surv(time[, i], event[, i]) ~ arm)$coefficients))
x <- matrix(arm, n, 1, dimnames = list(NULL, "arm")); names <- as.character(seq_len(n))
lean <- spent(function() sapply(seq_len(trials), function(i) coxph.fit(x, Surv(time[, i], event[, i]), NULL, NULL, 0,
  coxph.control(), NULL, "efron", names)$coefficients))
stopifnot(isTRUE(all.equal(unname(cox$result), unname(lean$result), tolerance = 1e-6)))
write.table(format(all$result, digits = 17), file.path(chosen[1], "answers.txt"), quote = FALSE, row.names = FALSE,
  col.names = FALSE)
cat(all$seconds, cox$seconds, lean$seconds, as.character(packageVersion("survival")),
    paste(R.version$major, R.version$minor, sep = "."), "\\n")
"""
COLUMNS = (
    "coef",
    "std_err",
    "score_chi2",
    "log_rank_chi2",
    "medians",
    "medians",
    "lower",
    "lower",
    "upper",
    "upper",
)


def simulate(n_trials: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (day), events and arms."""
    rng = np.random.default_rng(SEED)
    arm = np.arange(n) % 2 == 0
    time_to_event = rng.exponential(365 / np.where(arm, 0.7, 1.0), (n_trials, n))
    follow_up = rng.uniform(200, 900, (n_trials, n))
    return np.ceil(np.minimum(time_to_event, follow_up)), time_to_event <= follow_up, arm


def clock(run: Callable[[], Any], repeats: int = REPEATS) -> tuple[float, float, Any]:
    """Least processor and wall-clock seconds of a few runs, and the last result."""
    cpu, wall = [], []
    for _ in range(repeats):
        a, b = time.process_time(), time.perf_counter()
        result = run()
        cpu.append(time.process_time() - a)
        wall.append(time.perf_counter() - b)
    return min(cpu), min(wall), result


def one_by_one(times: np.ndarray, events: np.ndarray, arm: np.ndarray) -> None:
    """The same statistics, a call for each."""
    for t, e in zip(times, events, strict=True):
        two_arm_cox(t, e, arm)
        log_rank(t, e, arm)
        for k in (0, 1):
            kaplan_meier(t[arm == k], e[arm == k]).quantile(0.5)


def run_r(times: np.ndarray, events: np.ndarray) -> tuple[list[float], list[str], np.ndarray] | None:
    """Processor seconds of everything, of coxph and of coxph.fit; versions; the answers. None without Rscript."""
    program = shutil.which("Rscript")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "program.R").write_text(R_PROGRAM)
        times.astype(np.float64).tofile(folder / "time")
        events.astype(np.float64).tofile(folder / "event")
        n_trials, n = times.shape
        done = subprocess.run(
            [program, str(folder / "program.R"), name, str(n), str(n_trials)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"Rscript failed: {done.stderr.strip()[-500:]}")
        words = done.stdout.split()
        return [float(w) for w in words[:3]], words[3:5], np.loadtxt(folder / "answers.txt", ndmin=2)


def differences(batch: TwoArmStatisticsBatch, answers: np.ndarray) -> dict[str, float]:
    """Largest relative difference from R, by statistic; R lists arm 0 first."""
    rows = slice(0, answers.shape[0])
    ours = np.column_stack(
        [
            batch.cox.coef[rows], batch.cox.std_err[rows], batch.cox.score_chi2[rows], batch.log_rank.chi2[rows],
            batch.median[rows], batch.median_lower[rows], batch.median_upper[rows],
        ]
    )  # fmt: skip
    if not np.array_equal(np.isnan(ours), np.isnan(answers)):
        sys.exit("R and this package do not agree on what is not reached.")
    with np.errstate(invalid="ignore"):
        error = np.nan_to_num(np.abs(ours - answers) / np.abs(answers))
    return {name: float(error[:, [c == name for c in COLUMNS]].max()) for name in dict.fromkeys(COLUMNS)}


def is_same(a: TwoArmStatisticsBatch, b: TwoArmStatisticsBatch) -> bool:
    """Whether two results are equal to the last bit."""
    pairs = [(a.cox.coef, b.cox.coef), (a.cox.std_err, b.cox.std_err), (a.log_rank.z, b.log_rank.z)]
    pairs += [(a.median, b.median), (a.median_lower, b.median_lower), (a.median_upper, b.median_upper)]
    return all(np.array_equal(x, y, equal_nan=True) for x, y in pairs)


def measure(n_trials: int, n: int, r_trials: int) -> dict[str, Any]:
    """All routes in one run."""
    times, events, arm = simulate(n_trials, n)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    begin = time.process_time()
    two_arm_statistics_batch(times[:1], events[:1], arm)
    first_call = time.process_time() - begin
    cpu, wall, batch = clock(lambda: two_arm_statistics_batch(times, events, arm))
    cox_cpu, cox_wall, _ = clock(lambda: two_arm_cox_batch(times, events, arm))
    cpu_all, wall_all, threaded = clock(lambda: two_arm_statistics_batch(times, events, arm, jobs=cores))
    _, cox_wall_all, _ = clock(lambda: two_arm_cox_batch(times, events, arm, jobs=cores))
    few = min(SINGLE_TRIALS, n_trials)
    one_by_one(times[:2], events[:2], arm)
    single = clock(lambda: one_by_one(times[:few], events[:few], arm), 1)[0] / few
    each = cpu / n_trials
    result: dict[str, Any] = {
        "trials": n_trials, "patients": n, "seed": SEED, "threads": cores,
        "events_share": round(float(events.mean()), 4),
        "distinct_days_per_trial": round(float(np.mean([np.unique(t).size for t in times[:100]])), 1),
        "first_call_cpu_seconds": round(first_call, 2),
        "everything": {
            "cpu_seconds": cpu, "wall_seconds": wall, "cpu_seconds_threads": cpu_all, "wall_seconds_threads": wall_all,
        },
        "cox_only": {
            "cpu_seconds": cox_cpu, "wall_seconds": cox_wall, "wall_seconds_threads": cox_wall_all,
        },
        "same_digits_with_threads": is_same(batch, threaded),
        "one_by_one": {"trials": few, "cpu_seconds_per_trial": single, "ratio": single / each},
    }  # fmt: skip
    answers = run_r(times[:r_trials], events[:r_trials])
    if answers is None:
        result["r"] = "not run: no Rscript on the path"
    else:
        (everything, cox, lean), versions, found = answers
        result["r"] = {
            "trials": r_trials, "version": versions[1], "survival": versions[0],
            "cpu_seconds_per_trial": everything / r_trials, "ratio": everything / r_trials / each,
            "coxph_cpu_seconds_per_trial": cox / r_trials, "coxph_ratio": cox / r_trials / (cox_cpu / n_trials),
            "coxph_fit_cpu_seconds_per_trial": lean / r_trials,
            "coxph_fit_ratio": lean / r_trials / (cox_cpu / n_trials),
            "largest_relative_difference": differences(batch, found),
        }  # fmt: skip
    result |= {
        "load_average": round(os.getloadavg()[0], 2),
        "machine": f"{platform.machine()}, {cpu_name()}",
        "versions": {n: version(n) for n in ("numba", "numpy")} | {"python": platform.python_version()},
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return result


def print_table(result: dict[str, Any]) -> None:
    """What was measured, a line for each route."""
    everything, cox, single, r = (result[k] for k in ("everything", "cox_only", "one_by_one", "r"))
    print(
        f"{result['trials']} trials of {result['patients']} patients; load average {result['load_average']}"
    )
    rows = [
        ("all statistics, one thread, CPU s", everything["cpu_seconds"]),
        (f"all statistics, {result['threads']} threads, wall s", everything["wall_seconds_threads"]),
        ("Cox fits alone, one thread, CPU s", cox["cpu_seconds"]),
        (f"Cox fits alone, {result['threads']} threads, wall s", cox["wall_seconds_threads"]),
        ("one by one, times as much CPU a trial", single["ratio"]),
    ]
    if isinstance(r, dict):
        rows += [
            ("R: coxph, survdiff, survfit, times as much", r["ratio"]),
            ("R: coxph against our Cox fits, times", r["coxph_ratio"]),
            ("R: coxph.fit against our Cox fits, times", r["coxph_fit_ratio"]),
        ]
        rows += [(f"largest difference from R, {k}", v) for k, v in r["largest_relative_difference"].items()]
    for name, value in rows:
        print(f"  {name:48} {value:.3g}")
    print(f"  same digits with threads: {result['same_digits_with_threads']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--patients", type=int, default=800)
    parser.add_argument("--r-trials", type=int, default=200)
    chosen = parser.parse_args()
    result = measure(chosen.trials, chosen.patients, min(chosen.r_trials, chosen.trials))
    print_table(result)
    RESULTS.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
