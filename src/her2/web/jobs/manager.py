"""The server's own workers: each takes a job, hands it to its process, and passes on what happens.

A thread per worker talks to one child process. Progress lives in memory (`Live`) for those who watch; the database
hears of it with every renewal of the lease. A child that dies costs its job one attempt, never the server.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from her2.web.jobs.store import Job, Store, StoredFile
from her2.web.jobs.worker import read_message, write_message
from her2.web.settings import Settings

log = logging.getLogger("her2.web")
POLL_S = 0.2
"""How often an idle worker looks for a job that another server has queued; own jobs wake it at once."""
GRACE_S = 3.0
"""Time to stop by itself after a cancel before the process is ended, and has to load everything anew."""
MOST_LIVE = 200


@dataclass
class Live:
    """What those who watch a job get to see.

    Attributes
    ----------
    version : rises with every change
    progress, partial : the newest, with the version at which they came
    """

    version: int = 0
    progress: tuple[int, dict[str, Any]] | None = None
    partial: tuple[int, dict[str, Any]] | None = None
    result: int = 0


@dataclass
class Board:
    """Live jobs of this server."""

    jobs: dict[str, Live] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, name: str) -> None:
        """A job begins, again perhaps."""
        with self.lock:
            old = self.jobs.pop(name, None)
            self.jobs[name] = Live(version=old.version + 1 if old else 1)
            while len(self.jobs) > MOST_LIVE:
                self.jobs.pop(next(iter(self.jobs)))

    def update(self, name: str, **values: Any) -> None:
        """Something happened."""
        with self.lock:
            live = self.jobs.get(name)
            if live is None:
                return
            live.version += 1
            for key, value in values.items():
                setattr(live, key, live.version if key == "result" else (live.version, value))

    def touch(self, name: str) -> None:
        """The state of a job changed in the database."""
        with self.lock:
            if name in self.jobs:
                self.jobs[name].version += 1

    def get(self, name: str) -> Live | None:
        """A copy of what there is."""
        with self.lock:
            live = self.jobs.get(name)
            return None if live is None else Live(live.version, live.progress, live.partial, live.result)


class Manager:
    """All workers of a server."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self.board = Board()
        self.owner = secrets.token_hex(8)
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._threads: list[threading.Thread] = []
        self._slots: list[Slot] = []

    def start(self) -> None:
        """Start the workers, and whoever looks after lost jobs."""
        for k in range(self.settings.workers):
            slot = Slot(self, k)
            self._slots.append(slot)
            self._threads.append(threading.Thread(target=slot.loop, name=f"her2-worker-{k}", daemon=True))
        self._threads.append(threading.Thread(target=self._look_after, name="her2-jobs", daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the workers; running jobs go back into the queue."""
        self._stop.set()
        self._wake.set()
        for slot in self._slots:
            slot.interrupt()
        for thread in self._threads:
            thread.join(timeout=10.0)

    @property
    def is_stopping(self) -> bool:
        """Whether the server is on its way out."""
        return self._stop.is_set()

    def wake(self) -> None:
        """There may be a job."""
        self._wake.set()

    def cancel(self, name: str) -> None:
        """Tell the worker of a job at once, if it is one of ours."""
        for slot in self._slots:
            slot.cancel(name)

    def wait(self) -> None:
        """Until there may be a job."""
        self._wake.wait(POLL_S)
        self._wake.clear()

    def _look_after(self) -> None:
        """Queue lost jobs again, and forget old ones."""
        limits = self.settings.limits
        tidied = 0.0
        while not self._stop.is_set():
            try:
                if self.store.requeue_lost(limits.attempts):
                    self.wake()
                if time.monotonic() - tidied > 600.0 or tidied == 0.0:
                    tidied = time.monotonic()
                    self.store.tidy(limits.kept_days, limits.kept_patient_days, limits.kept_jobs)
            except Exception:
                log.exception("jobs could not be looked after")
            self._stop.wait(max(0.5, self.settings.lease_s / 5.0))


class Slot:
    """One worker: a thread here, a process beside."""

    def __init__(self, manager: Manager, number: int) -> None:
        self.manager, self.number = manager, number
        self.owner = f"{manager.owner}-{number}"
        self.process: subprocess.Popen[bytes] | None = None
        self.messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._job = ""
        self._cancelled = threading.Event()

    # ---- the process

    def _ensure(self) -> None:
        """A living process."""
        if self.process is not None and self.process.poll() is None:
            return
        environment = {**os.environ, "NUMBA_NUM_THREADS": str(self.manager.settings.worker_threads)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "her2.web.jobs.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=environment, start_new_session=True,
        )  # fmt: skip
        self.messages = queue.Queue()
        threading.Thread(target=_pump, args=(self.process, self.messages), daemon=True).start()

    def _send(self, message: dict[str, Any]) -> bool:
        try:
            assert self.process is not None and self.process.stdin is not None
            write_message(self.process.stdin, message)
        except (OSError, ValueError):
            return False
        return True

    def _kill(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    log.debug("the pipe of a worker was closed already")

    def interrupt(self) -> None:
        """The server stops."""
        process = self.process
        if process is not None:
            process.kill()

    def cancel(self, name: str) -> None:
        """Stop this job, if it is the one that runs."""
        if self._job == name:
            self._cancelled.set()

    # ---- jobs

    def loop(self) -> None:
        """Take jobs until the server stops."""
        manager = self.manager
        try:
            self._ensure()
            self._send({"type": "warm"})
            while not manager.is_stopping:
                try:
                    job = manager.store.claim(self.owner)
                except Exception:
                    log.exception("no job could be claimed")
                    manager.wait()
                    continue
                if job is None:
                    manager.wait()
                    continue
                try:
                    self._work(job)
                except Exception:
                    # its lease runs out and it is queued again
                    log.exception("job %s was dropped", job.id)
                    self._kill()
        finally:
            self._kill()

    def _work(self, job: Job) -> None:
        """Run one job to its end, whichever that is."""
        manager, store = self.manager, self.manager.store
        limits = manager.settings.limits
        self._cancelled.clear()
        self._job = job.id
        manager.board.start(job.id)
        self._ensure()
        # a resumed job counts its attempts anew: the worker must not take it for the one that was cancelled
        ticket = secrets.token_hex(8)
        is_sent = self._send({
            "type": "job", "ticket": ticket, "job": job.id, "kind": job.kind, "input": job.input,
            "threads": manager.settings.worker_threads,
        })  # fmt: skip
        began = time.monotonic()
        renewed, stage, share = 0.0, "starting", 0.0
        stop_at = 0.0
        try:
            while is_sent:
                now = time.monotonic()
                if manager.is_stopping:
                    store.put_back(job)
                    return
                if now - began > limits.job_seconds:
                    self._kill()
                    text = f"took longer than {limits.job_seconds:g} s; ask for fewer patients, or use the command line"
                    self._finish(job, "failed", text)
                    return
                if now - renewed > manager.settings.lease_s / 4.0 or (
                    self._cancelled.is_set() and not stop_at
                ):
                    renewed = now
                    state = store.renew(job, stage, share)
                    if state == "lost":
                        # forgotten, or begun elsewhere after we were thought gone
                        self._kill()
                        return
                    if (state == "cancel" or self._cancelled.is_set()) and not stop_at:
                        stop_at = now + GRACE_S
                        self._send({"type": "cancel", "ticket": ticket})
                if stop_at and now > stop_at:
                    self._kill()
                    self._finish(job, "cancelled")
                    return
                try:
                    message = self.messages.get(timeout=0.1)
                except queue.Empty:
                    continue
                if message is None:
                    break
                if message.get("ticket") != ticket:
                    continue
                match message["type"]:
                    case "progress":
                        stage, share = message["stage"], float(message["share"])
                        shown = {k: message[k] for k in ("stage", "share", "done", "of")}
                        manager.board.update(job.id, progress=shown)
                    case "partial":
                        manager.board.update(job.id, partial=message["data"])
                    case "result":
                        if store.put_result(job, message["content"], message["digest"]):
                            manager.board.update(job.id, result=True)
                    case "cancelled":
                        self._finish(job, "cancelled")
                        return
                    case "failed":
                        self._finish(job, "failed", message["error"])
                        return
                    case "done":
                        made = [StoredFile(*row) for row in message["files"]]
                        self._finish(job, "done", made=made)
                        return
            self._lost_process(job)
        finally:
            self._job = ""

    def _lost_process(self, job: Job) -> None:
        """The process died: once more, then it is the job's fault."""
        if self.manager.is_stopping:
            self.manager.store.put_back(job)
            return
        code = self.process.poll() if self.process is not None else None
        self._kill()
        log.warning("the worker of job %s ended unexpectedly (exit code %s)", job.id, code)
        if job.attempt >= 2:
            text = f"its worker ended unexpectedly (exit code {code}), twice; ask for fewer patients"
            self._finish(job, "failed", text)
        elif self._cancelled.is_set():
            self._finish(job, "cancelled")
        else:
            self.manager.store.put_back(job)

    def _finish(self, job: Job, state: str, error: str = "", made: list[StoredFile] | None = None) -> None:
        """End a job; of a patient's nothing that was entered stays once it is done."""
        forget = job.kind in ("patient", "sequence") and state == "done"
        self.manager.store.finish(job, state, error, made or [], forget_input=forget)
        self.manager.board.touch(job.id)


def _pump(process: subprocess.Popen[bytes], messages: queue.Queue[dict[str, Any] | None]) -> None:
    """Messages of a process into a queue; None when it ends."""
    assert process.stdout is not None
    try:
        while (message := read_message(process.stdout)) is not None:
            messages.put(message)
    except (OSError, ValueError, EOFError):
        log.debug("the pipe of a worker broke")
    messages.put(None)
