"""An executor on the workers of a Dask cluster: the user's own, or processes on this machine.

Workers may die and come back: a task whose worker is lost runs again elsewhere. Nothing is simulated in the scheduler,
and only so many tasks are under way as keep the workers busy.
"""

from __future__ import annotations

import logging
import queue
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Self

import dask
from dask.utils import parse_timedelta
from distributed import Client, LocalCluster
from distributed.scheduler import KilledWorker

from her2.errors import ClusterError
from her2.scale.executor import AbstractExecutor, OnPatients, Result, Spec, Task

ANSWER_WITHIN = "15s"
AHEAD = 2
"""Tasks under way for each thread of the workers: one running, one waiting beside it."""
LOST_LIMIT = 20
"""Times a task is begun anew after its worker was lost, until the task is thought to be what kills them."""
GIVE_UP_S = 300.0
"""How long a scheduler may be out of reach, and how long there may be no worker at all, second."""
_LOOK_S = 2.0
# the methods of futures and clients are only partly typed
_Future = Any


class DaskExecutor(AbstractExecutor):
    """Tasks on a Dask cluster, one thread each."""

    def __init__(self, client: Any, cluster: Any = None) -> None:
        self.client = client
        self.cluster = cluster
        self._counted, self._width = -1e9, 1

    @classmethod
    def on_this_machine(cls, workers: int) -> Self:
        """Worker processes on this machine, one thread each; they listen on the loopback interface only."""
        _quiet()
        with dask.config.set({"distributed.scheduler.allowed-failures": LOST_LIMIT}):
            cluster = LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1",
                dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
            )  # fmt: skip
        client = Client(cluster, set_as_default=False)  # type: ignore[no-untyped-call]
        return cls(client, cluster)

    @classmethod
    def connect(cls, address: str | None = None, scheduler_file: str | None = None) -> Self:
        """The cluster of a scheduler that runs already.

        Raises
        ------
        her2.errors.ClusterError
            If no scheduler answers.
        """
        _quiet()
        shown = address or scheduler_file
        try:
            client = Client(  # type: ignore[no-untyped-call]
                address,
                scheduler_file=scheduler_file,
                timeout=parse_timedelta(ANSWER_WITHIN),
                set_as_default=False,
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                f"--dask {shown}: no Dask scheduler answers there ({type(error).__name__}); start one with "
                "`dask scheduler`, and workers with `dask worker ADDRESS`"
            ) from None
        return cls(client)

    @property
    def width(self) -> int:
        """Threads of all workers there are now, at least one."""
        now = time.monotonic()
        if now - self._counted > _LOOK_S:
            self._counted, self._width = now, max(self._threads(), 1)
        return self._width

    def _threads(self) -> int:
        """Threads of the workers; none while the scheduler cannot be asked."""
        try:
            return sum(self.client.nthreads().values())
        except (OSError, TimeoutError, ValueError):
            return 0

    def run(
        self, task: Task[Spec, Result], specs: Iterable[Spec], on_patients: OnPatients | None = None
    ) -> Iterator[tuple[Spec, Result]]:
        """Results in the order in which they are done; `on_patients` is not called from other machines.

        Raises
        ------
        her2.errors.ClusterError
            If the scheduler is lost, all workers stay away, or a task keeps killing its workers.
        """
        done: queue.SimpleQueue[_Future] = queue.SimpleQueue()
        under_way: dict[_Future, tuple[Spec, int]] = {}
        waiting = iter(specs)

        def begin(spec: Spec, lost: int) -> None:
            future = self.client.submit(task, spec, 1, None, pure=False)
            under_way[future] = (spec, lost)
            future.add_done_callback(done.put)

        def fill() -> None:
            room = AHEAD * self.width - len(under_way)
            for _, spec in zip(range(room), waiting, strict=False):
                begin(spec, 0)

        try:
            fill()
            while under_way:
                future = self._next(done)
                spec, lost = under_way.pop(future)
                try:
                    result = future.result()
                except _LOST as error:
                    if lost >= LOST_LIMIT:
                        raise ClusterError(
                            f"the cluster lost the worker of one task {lost + 1} times ({type(error).__name__}); "
                            "the task may need more memory than a worker has: give a smaller --chunk, or larger "
                            "workers. What is done is kept: continue with --resume"
                        ) from None
                    begin(spec, lost + 1)
                    continue
                future.release()
                fill()
                yield spec, result
        finally:
            for future in under_way:
                future.cancel()

    def _next(self, done: queue.SimpleQueue[_Future]) -> _Future:
        """The next future that is done; raises where the cluster is gone for good."""
        away_since: float | None = None
        told = False
        while True:
            try:
                return done.get(timeout=_LOOK_S)
            except queue.Empty:
                pass
            status = self.client.status
            if status == "running" and self._threads():
                away_since = None
                continue
            now = time.monotonic()
            away_since = now if away_since is None else away_since
            what = "has no worker" if status == "running" else "does not answer"
            if status == "closed" or now - away_since > GIVE_UP_S:
                raise ClusterError(
                    f"the Dask scheduler {what}. What is done is kept in the folder of --out: continue with --resume"
                )
            if not told and now - away_since > 30.0:
                told = True
                print(f"her2: the Dask scheduler {what}; waiting", file=sys.stderr)

    def close(self) -> None:
        """Leave the cluster; stop the workers if they are our own."""
        self.client.close()
        if self.cluster is not None:
            self.cluster.close()


def _cancelled() -> tuple[type[BaseException], ...]:
    """What a future raises if the cluster lost it."""
    from concurrent.futures import CancelledError
    from concurrent.futures.process import BrokenProcessPool

    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError

    return KilledWorker, CancelledError, FutureCancelledError, CommClosedError, BrokenProcessPool


_LOST = _cancelled()


def _quiet() -> None:
    """Dask tells of each worker that is lost at length; the run goes on, so that it is no news."""
    for name in ("distributed", "distributed.nanny", "distributed.worker", "distributed.scheduler"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
