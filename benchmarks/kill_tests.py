"""What survives: a store of patients under SIGKILL, a failing disk, flipped bits and dying workers.

1. `kills`: a process writes chunks of patients simulated before, and is killed at a random moment; another goes on.
   What it had reported as written must be there, and once complete the store holds the very bytes.
2. `disk`: every system call of the store fails in turn (disk full, read-only, input/output error), and the system's
   own limit on the size of files stops a write. Each must give a clear error and leave a store that can be resumed.
3. `flips`: a random bit of a random file is flipped. Reading must refuse the store or give the same numbers.
4. `workers`: worker processes of a local Dask cluster are killed while they simulate.

    python benchmarks/kill_tests.py [--kills 1000] [--flips 5000] [--worker-kills 6] [--only workers]

Prints the counts and writes benchmarks/results_kill_tests.json. POSIX only.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from her2.errors import OutputError, StoreError
from her2.store import ChunkStore
from her2.store.files import PART

RESULTS = Path(__file__).with_name("results_kill_tests.json")
WHAT = {"trial": "cleopatra", "seed": 1}
STAGE = "model"
SEED = 1


def small_chunks(n: int, size: int) -> tuple[Any, list[tuple[int, int, int, bytes]], tuple[str, ...]]:
    """Patients of CLEOPATRA as the contents of chunks, with their task and the digests of both arms."""
    import numpy as np

    from her2.posterior import central_model
    from her2.trials.design import load_trial
    from her2.trials.follow import Screened, screen_patients
    from her2.trials.tasks import PoolTask, encode_screened

    task = PoolTask.of(central_model(), load_trial("cleopatra"), n, SEED)
    whole = screen_patients(task.plan, SEED, 0, n)
    chunks = []
    for first in range(0, n, size):
        part = np.arange(first, min(first + size, n))
        taken = Screened(
            first, whole.status[part], whole.cohort.take(part), tuple(a.take(part) for a in whole.arms)
        )
        chunks.append((first, part.size, part.size, encode_screened(taken)))
    return task, chunks, tuple(a.digest() for a in whole.arms)


def stored_digests(folder: Path, task: Any) -> tuple[str, ...]:
    """Digests of both arms as read back."""
    from her2.trials.observed import observe_stage

    with ChunkStore.open(folder) as store:
        seen = observe_stage(store, STAGE, task, tables=False)
    if seen.n < task.n:
        raise StoreError(f"{folder}: {seen.n} of {task.n} patients")
    digests: tuple[str, ...] = seen.digests
    return digests


def write_chunks(folder: Path, chunks: list[tuple[int, int, int, bytes]], report: int | None = None) -> None:
    """Write what is missing; report the position of each chunk once it is written."""
    with ChunkStore.resume(folder, WHAT) as store:
        there = {r.first for r in store.records()}
        for k, (first, count, entered, content) in enumerate(chunks):
            if first not in there:
                store.add(STAGE, first, count, entered, content)
                if report is not None:
                    os.write(report, k.to_bytes(4, "little"))


# --- 1. SIGKILL while writing ---------------------------------------------------------------------------------------


def kill_loop(pickled: Path, folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill writers until there were enough kills; runs in a process of its own, without threads to lose in a fork."""
    chunks = pickle.loads(pickled.read_bytes())
    rng = random.Random(seed)
    expected = {c[0]: c[3] for c in chunks}
    done = finished = lost = differing = acknowledged = stores = 0
    torn = parts = orphans = 0
    promised: set[int] = set()
    # about the time in which a few chunks are written, adapted so that most writers are killed at work
    longest = 0.05
    while done < kills:
        receive, report = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(receive)
            try:
                write_chunks(folder, chunks, report)
                os._exit(0)
            except BaseException as error:
                print(f"writer: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                os._exit(1)
        os.close(report)
        time.sleep(rng.random() * longest)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise RuntimeError("a writer failed by itself")
        told = b""
        while block := os.read(receive, 65536):
            told += block
        os.close(receive)
        written = {int.from_bytes(told[k : k + 4], "little") for k in range(0, len(told) - 3, 4)}
        acknowledged += len(written)
        promised |= {chunks[k][0] for k in written}
        if os.WIFEXITED(status):
            finished += 1
        else:
            done += 1
        longest = min(max(longest * (1.02 if len(written) < 6 else 0.98), 0.005), 2.0)
        # what the killed process left: counted, and what it had reported must be there
        ledger = (folder / "ledger.jsonl").read_bytes() if (folder / "ledger.jsonl").exists() else b""
        torn += bool(ledger) and not ledger.endswith(b"\n")
        parts += sum(1 for _ in folder.glob(f"*/*{PART}"))
        named = {json.loads(line)["first"] for line in ledger.split(b"\n")[:-1] if b'"kind":"chunk"' in line}
        orphans += sum(1 for _ in folder.glob("*/*.parquet")) - len(named)
        lost += len(promised - named)
        for first in promised & named:
            last = first + next(c[1] for c in chunks if c[0] == first) - 1
            differing += (folder / STAGE / f"{first:012d}-{last:012d}.parquet").read_bytes() != expected[
                first
            ]
        if os.WIFEXITED(status) and done < kills:
            stores += 1
            shutil.rmtree(folder)
            promised = set()
    write_chunks(folder, chunks)
    return {
        "kills": done, "chunks_reported_written": acknowledged, "of_these_lost": lost, "of_these_changed": differing,
        "stores_completed": stores + 1, "writers_that_finished": finished, "torn_ledgers_mended": torn,
        "half_written_files_swept": parts, "files_without_record": orphans,
    }  # fmt: skip


def try_kills(kills: int, seed: int = 1, patients: int = 120) -> dict[str, Any]:
    """Writers killed at random moments; the last store is completed and its digest compared."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        task, chunks, digests = small_chunks(patients, 1)
        (base / "chunks").write_bytes(pickle.dumps(chunks))
        command = [
            sys.executable,
            __file__,
            "--loop",
            str(base / "chunks"),
            str(base / "s"),
            str(kills),
            str(seed),
        ]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        result: dict[str, Any] = json.loads(found.stdout)
        result["same_digest"] = stored_digests(base / "s", task) == digests
        return result


# --- 2. a failing disk ----------------------------------------------------------------------------------------------

CALLS = ("open", "write", "fsync", "replace", "ftruncate", "close")
ERRORS = {"disk full": errno.ENOSPC, "read-only": errno.EROFS, "input/output error": errno.EIO}


@contextmanager
def failing(call: str, at: int, number: int) -> Iterator[Counter[str]]:
    """The at-th call of a function of `os` fails; of a write some bytes arrive before it does."""
    real = getattr(os, call)
    seen: Counter[str] = Counter()

    def broken(*args: Any, **kwargs: Any) -> Any:
        seen[call] += 1
        if seen[call] == at:
            if call == "write":
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
            if call == "close":
                real(*args, **kwargs)
            raise OSError(number, os.strerror(number))
        return real(*args, **kwargs)

    setattr(os, call, broken)
    try:
        yield seen
    finally:
        setattr(os, call, real)


def try_disk(patients: int = 6) -> dict[str, Any]:
    """Every system call of a run fails once in turn, with each error; then the run is resumed."""
    task, chunks, digests = small_chunks(patients, 1)
    cases = clear = resumed = harmless = 0
    unclear: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        for call in CALLS:
            for text, number in ERRORS.items():
                at = 1
                while True:
                    folder = Path(name) / f"{call}{number}-{at}"
                    message = ""
                    with failing(call, at, number) as seen:
                        try:
                            write_chunks(folder, chunks)
                        except OutputError as error:
                            message = str(error)
                    if seen[call] < at:
                        break
                    cases += 1
                    if not message:
                        harmless += 1  # such as a failing sync of a folder, which not every system offers
                    elif str(folder) in message and "--resume" in message:
                        clear += 1
                    else:
                        unclear.append(f"{call} {text}: {message}")
                    write_chunks(folder, chunks)
                    resumed += stored_digests(folder, task) == digests
                    at += 1
        folder = Path(name) / "limit"
        limited = _limited_write(folder, chunks)
        write_chunks(folder, chunks)
        limited["resumed"] = stored_digests(folder, task) == digests
    return {
        "failing_calls": cases, "clear_errors": clear, "harmless": harmless, "unclear": unclear,
        "resumed_with_same_digest": resumed, "limit_on_file_size": limited,
    }  # fmt: skip


def _limited_write(folder: Path, chunks: list[tuple[int, int, int, bytes]]) -> dict[str, Any]:
    """A write over the limit that the system sets on the size of files (RLIMIT_FSIZE)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(chunks[0][3]) // 2, hard))
    try:
        write_chunks(folder, chunks)
        return {"error": None}
    except OutputError as error:
        return {"error": str(error).replace(str(folder), "DIR")}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)


# --- 3. flipped bits ------------------------------------------------------------------------------------------------


def try_flips(flips: int, seed: int = 1, mended: int = 200, patients: int = 9) -> dict[str, Any]:
    """Single bits flipped anywhere in a store; every so-manieth store is then resumed."""
    task, chunks, digests = small_chunks(patients, 3)
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    every = max(flips // mended, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "s"
        write_chunks(folder, chunks)
        files = sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size)
        whole = {p: p.read_bytes() for p in files}
        for k in range(flips):
            # the ledger is small, yet what everything hangs on: every fifth flip is its
            weights = [len(whole[p]) for p in files]
            path = folder / "ledger.jsonl" if k % 5 == 0 else rng.choices(files, weights)[0]
            content = bytearray(whole[path])
            bit = rng.randrange(8 * len(content))
            content[bit // 8] ^= 1 << bit % 8
            path.write_bytes(content)
            try:
                counts["same numbers" if stored_digests(folder, task) == digests else "WRONG NUMBERS"] += 1
            except StoreError:
                counts["refused"] += 1
            if k % every == 0:
                write_chunks(folder, chunks)
                counts["mended"] += stored_digests(folder, task) == digests
                counts["resumed"] += 1
            for p, original in whole.items():
                if p.read_bytes() != original:
                    p.write_bytes(original)
    return {"flips": flips, **counts, "wrong_numbers": counts["WRONG NUMBERS"]}


# --- 4. workers that die --------------------------------------------------------------------------------------------


def try_workers(
    kills: int, workers: int = 4, patients: int = 256, chunk: int = 8, seed: int = 1
) -> dict[str, Any]:
    """Worker processes killed at random while they simulate; the run completes with the same digest."""
    from her2.posterior import central_model
    from her2.scale import open_executor
    from her2.trials.design import load_trial
    from her2.trials.follow import simulate_pool
    from her2.trials.observed import simulate_stage
    from her2.trials.tasks import PoolTask

    model, trial = central_model(), load_trial("cleopatra")
    expected = tuple(a.digest() for a in simulate_pool(model, trial, patients, SEED).arms)
    rng = random.Random(seed)
    killed: list[int] = []
    over, same, chunks = threading.Event(), True, 0
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name, open_executor(f"local:{workers}") as executor:

        def kill_one() -> None:
            # each worker process has a nanny in this one, which starts it again
            nannies = executor.cluster.workers.values()  # type: ignore[attr-defined]
            pids = [nanny.pid for nanny in nannies if nanny.pid]
            if pids:
                pid = rng.choice(pids)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

        def kill_some() -> None:
            while not over.wait(rng.uniform(0.2, 1.5)):
                if len(killed) < kills:
                    kill_one()

        task = PoolTask.of(model, trial, patients, SEED)
        folder = Path(name) / "s"
        killer = threading.Thread(target=kill_some)
        killer.start()
        rounds = 0
        try:
            # the same patients anew until enough workers were killed while they were simulated
            while rounds == 0 or len(killed) < kills:
                shutil.rmtree(folder, ignore_errors=True)
                with ChunkStore.create(folder, WHAT) as store:
                    simulate_stage(store, STAGE, task, executor, chunk)
                    chunks = len(store.records())
                same = same and stored_digests(folder, task) == expected
                rounds += 1
        finally:
            over.set()
            killer.join()
    return {
        "workers": workers, "killed": len(killed), "chunks": chunks, "runs": rounds, "same_digest": same,
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def main() -> None:
    """Run all four and write the figures."""
    if len(sys.argv) > 1 and sys.argv[1] == "--loop":
        pickled, folder, kills, seed = sys.argv[2:6]
        print(json.dumps(kill_loop(Path(pickled), Path(folder), int(kills), int(seed))))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--flips", type=int, default=5000)
    parser.add_argument("--worker-kills", type=int, default=6)
    parser.add_argument(
        "--only", choices=("kills", "disk", "flips", "workers"), help="one part; the others' figures stay"
    )
    arguments = parser.parse_args()
    parts = {
        "kills": lambda: try_kills(arguments.kills),
        "disk": try_disk,
        "flips": lambda: try_flips(arguments.flips),
        "workers": lambda: try_workers(arguments.worker_kills),
    }
    results: dict[str, Any] = {}
    if arguments.only:
        parts = {arguments.only: parts[arguments.only]}
        results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name, part in parts.items():
        clock = time.perf_counter()
        results[name] = part()
        results[name]["seconds"] = round(time.perf_counter() - clock, 1)
        print(name, json.dumps(results[name], indent=1), flush=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
