"""The server under load: many users reading and asking for jobs, and the server killed in between.

Users look around the way the page does (search, trace, trial, state of a cell at a changing dose) and now and then ask
for a small trial with a key of their own, again and again until they hear an answer. The server is killed without
warning the given number of times and started anew. In the end every key must have exactly one job, every job must be
done, and the same input must have given the same digest. Errors of the server count only while it is up.

    python benchmarks/server_load.py [--users 25] [--minutes 10] [--kills 5] [--database URL] [--threads 1]

Prints a report and writes benchmarks/results_server_load.json; the exit code is 1 if a job was lost or doubled, if the
server failed while up, or if the 95th percentile of reads is 200 ms or more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np

RESULTS = Path(__file__).resolve().parent / "results_server_load.json"
MOST_READ_MS = 200.0
PAUSE_S = 1.0
"""Mean time a user looks at an answer before the next request."""
JOB_SHARE = 0.02
"""Share of requests that ask for a job."""
TRIALS = ("vogel_2002", "cleopatra", "emilia")
READS: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/api/evidence?q=PTEN", None),
    ("GET", "/api/evidence?agent=trastuzumab&kind=claim", None),
    ("GET", "/api/evidence/trace?id=agent:lapatinib", None),
    ("GET", "/api/evidence/forest", None),
    ("GET", "/api/trials", None),
    ("GET", "/api/trials/cleopatra", None),
    ("GET", "/api/network/layout", None),
    ("GET", "/api/first", None),
    ("GET", "/api/jobs?limit=20", None),
    ("POST", "/api/network/state", {"cell": "SKBR3", "where": "culture"}),
    ("POST", "/api/network/state", {"cell": "BT474", "where": "tumour", "days": 28.0}),
)


@dataclass
class Heard:
    """What the users met.

    Attributes
    ----------
    reads : seconds of every read that was answered, with its path
    failures : answers of 500 and more while the server was up
    refused : connections that failed, by whether the server was up
    asked : key to what was asked, of every job whose making was confirmed
    """

    reads: list[tuple[str, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    ids: dict[str, set[str]] = field(default_factory=dict)
    limited: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Server:
    """`her2 serve`, again and again on the same port."""

    def __init__(self, port: int, database: str, threads: int) -> None:
        self.port, self.database, self.threads = port, database, threads
        self.url = f"http://127.0.0.1:{port}"
        self.up = threading.Event()
        self.epoch = 0
        self.spent: dict[int, dict[str, float]] = {}
        self.start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """Processor time of server and workers so far, asked every half second, as a killed server tells no more."""
        while True:
            spent = processor_seconds(self.process.pid)
            if spent is not None:
                self.spent[self.process.pid] = spent
            time.sleep(0.5)

    def processor(self) -> dict[str, float]:
        """Seconds of all servers and of all their workers."""
        return {k: round(sum(s[k] for s in self.spent.values()), 1) for k in ("server", "workers")}

    def start(self) -> None:
        """Until it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "her2.cli.main", "serve", "--no-open", "--port", str(self.port), "--database",
             self.database, "--threads", str(self.threads)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 600.0
        while True:
            try:
                if httpx.get(f"{self.url}/api/health", timeout=10.0).json()["ready"]:
                    break
            except (httpx.HTTPError, ValueError):
                if self.process.poll() is not None:
                    raise SystemExit("the server does not start; run `her2 serve` to see why") from None
            if time.monotonic() > deadline:
                raise SystemExit("the server was not ready within ten minutes")
            time.sleep(0.1)
        self.epoch += 1
        self.up.set()

    def kill(self) -> None:
        """Without warning."""
        self.up.clear()
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """As Ctrl-C does."""
        self.up.clear()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()


def processor_seconds(server: int) -> dict[str, float] | None:
    """Of a server and of the processes it has started; None where /proc does not tell, or the server is gone."""
    tick = float(os.sysconf("SC_CLK_TCK")) if hasattr(os, "sysconf") else 100.0
    spent = {"server": 0.0, "workers": 0.0}
    try:
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                fields = (folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(folder.name) == server or int(fields[1]) == server:
                name = "server" if int(folder.name) == server else "workers"
                spent[name] += (int(fields[11]) + int(fields[12])) / tick
    except OSError:
        return None
    return spent if spent["server"] > 0.0 else None


def read(client: httpx.Client, server: Server, heard: Heard, dice: random.Random) -> None:
    """One look at something."""
    method, path, body = dice.choice(READS)
    if body is not None and dice.random() < 0.8:
        # a slider: a dose that was not asked before
        body = {**body, "drugs": {"lapatinib": round(10.0 ** dice.uniform(0.0, 3.0), 3)}}
    epoch = server.epoch
    began = time.perf_counter()
    try:
        answer = client.request(method, path, json=body)
    except httpx.HTTPError as error:
        was_up = server.up.is_set() and server.epoch == epoch
        with heard.lock:
            heard.refused["up" if was_up else "down"] += 1
            if was_up:
                heard.failures.append(f"{path}: {type(error).__name__}")
        return
    took = time.perf_counter() - began
    with heard.lock:
        if answer.status_code == 200:
            heard.reads.append((path, took))
        elif answer.status_code == 429:
            heard.limited += 1
        elif answer.status_code >= 500 and server.up.is_set() and server.epoch == epoch:
            heard.failures.append(f"{path}: {answer.status_code} {answer.text[:200]}")


def ask(
    client: httpx.Client, server: Server, heard: Heard, dice: random.Random, stop: threading.Event
) -> None:
    """Ask for a job until the answer is heard."""
    key = f"load-{dice.getrandbits(96):024x}"
    body = {
        "kind": "trial", "trial": dice.choice(TRIALS), "patients": 64, "trials": 0, "seed": dice.randrange(3),
    }  # fmt: skip
    while not stop.is_set():
        epoch = server.epoch
        try:
            answer = client.post("/api/jobs", json=body, headers={"Idempotency-Key": key})
        except httpx.HTTPError:
            server.up.wait(5.0)
            time.sleep(0.2)
            continue
        if answer.status_code == 202:
            with heard.lock:
                heard.asked[key] = body
                heard.ids.setdefault(key, set()).add(answer.json()["id"])
            if dice.random() < 0.75:
                return
            # some users ask once more with the same key
            continue
        if answer.status_code == 429:
            with heard.lock:
                heard.limited += 1
            return
        if answer.status_code >= 500 and server.up.is_set() and server.epoch == epoch:
            with heard.lock:
                heard.failures.append(f"/api/jobs: {answer.status_code} {answer.text[:200]}")
        time.sleep(0.5)


def user(number: int, server: Server, heard: Heard, stop: threading.Event) -> None:
    """One person at the page."""
    dice = random.Random(number)
    with httpx.Client(base_url=server.url, timeout=60.0) as client:
        while not stop.is_set():
            if not server.up.wait(1.0):
                continue
            if dice.random() < JOB_SHARE:
                ask(client, server, heard, dice, stop)
            else:
                read(client, server, heard, dice)
            stop.wait(dice.expovariate(1.0 / PAUSE_S))


def settle(server: Server, heard: Heard, minutes: float) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Wait until every job has ended; jobs by id, and what is wrong with them."""
    wrong: list[str] = []
    names = dict(heard.ids)
    wrong += [f"{key}: doubled, jobs {sorted(ids)}" for key, ids in names.items() if len(ids) != 1]
    jobs: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + 60.0 * minutes
    open_ = {next(iter(ids)) for ids in names.values()}
    with httpx.Client(base_url=server.url, timeout=60.0) as client:
        while open_ and time.monotonic() < deadline:
            for name in sorted(open_):
                answer = client.get(f"/api/jobs/{name}")
                if answer.status_code == 404:
                    wrong.append(f"{name}: lost")
                    open_.discard(name)
                elif answer.status_code == 200 and answer.json()["state"] in ("done", "failed", "cancelled"):
                    jobs[name] = answer.json()
                    open_.discard(name)
            time.sleep(1.0)
    wrong += [f"{name}: not done after {minutes:g} minutes" for name in sorted(open_)]
    wrong += [f"{n}: {j['state']}, {j['error']}" for n, j in jobs.items() if j["state"] != "done"]
    digests: dict[tuple[Any, ...], set[str]] = {}
    for key, body in heard.asked.items():
        for name in names[key]:
            if name in jobs:
                digests.setdefault((body["trial"], body["seed"]), set()).add(jobs[name]["digest"])
    wrong += [f"{k}: {len(v)} digests of the same input" for k, v in digests.items() if len(v) != 1]
    return jobs, wrong


def percentiles(times: list[float]) -> dict[str, float]:
    """Milliseconds."""
    if not times:
        return {}
    levels = (50, 90, 95, 99, 100)
    return {
        f"p{k}": round(1000.0 * float(v), 1)
        for k, v in zip(levels, np.percentile(times, levels), strict=True)
    }


def load_average() -> float:
    """Of the last minute; not a number where the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def main() -> int:
    """Run, print and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--users", type=int, default=25)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="threads of the worker")
    parser.add_argument("--settle", type=float, default=30.0, help="minutes for the last jobs")
    parser.add_argument("--database", default="", help="URL; default a new SQLite file")
    parser.add_argument("--no-write", action="store_true", help="leave the results file alone")
    given = parser.parse_args()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = int(s.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="her2-load-") as folder:
        database = given.database or f"sqlite:///{Path(folder) / 'jobs.sqlite'}"
        server = Server(port, database, given.threads)
        heard, stop = Heard(), threading.Event()
        users = [
            threading.Thread(target=user, args=(k, server, heard, stop), daemon=True)
            for k in range(given.users)
        ]
        load = load_average()
        began, used = time.monotonic(), time.process_time()
        down = 0.0
        try:
            for u in users:
                u.start()
            for k in range(given.kills):
                stop.wait(
                    max(0.0, began + 60.0 * given.minutes * (k + 1) / (given.kills + 1) - time.monotonic())
                )
                at = time.monotonic()
                server.kill()
                server.start()
                down += time.monotonic() - at
            stop.wait(max(0.0, began + 60.0 * given.minutes - time.monotonic()))
            stop.set()
            for u in users:
                u.join(timeout=90.0)
            spent = {**server.processor(), "users": round(time.process_time() - used, 1)}
            jobs, wrong = settle(server, heard, given.settle)
        finally:
            stop.set()
            server.stop()
    by_path: dict[str, list[float]] = {}
    for path, took in heard.reads:
        by_path.setdefault(path.split("?")[0], []).append(took)
    reads = percentiles([t for _, t in heard.reads])
    report = {
        "users": given.users, "minutes": given.minutes, "kills": given.kills, "seconds_down": round(down, 1),
        "reads": len(heard.reads), "read_ms": reads,
        "read_ms_by_path": {k: percentiles(v) for k, v in sorted(by_path.items())},
        "jobs": len(heard.asked), "jobs_done": sum(j["state"] == "done" for j in jobs.values()),
        "jobs_begun_again": sum(j["attempt"] > 1 for j in jobs.values()),
        "lost_doubled_or_failed": wrong, "failures_while_up": heard.failures,
        "connections_refused": dict(heard.refused), "rate_limited": heard.limited,
        "processor_seconds": spent, "load_average": [round(x, 2) for x in (load, load_average())],
        "cores": os.cpu_count(), "python": platform.python_version(),
        "database": "postgresql" if database.startswith("postgresql") else "sqlite",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }  # fmt: skip
    print(json.dumps(report, indent=1))
    if not given.no_write:
        RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    is_good = not wrong and not heard.failures and reads.get("p95", 0.0) < MOST_READ_MS
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
