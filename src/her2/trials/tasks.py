"""Simulation cut into tasks that run anywhere: a task names patients by their ids and carries no arrays.

A `PoolTask` says which patients of which trial to simulate with which parameters; a `Span` is a range of its ids. The
same span gives the same patients on every executor, so that pools and stored chunks do not depend on how they were cut.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import LANES, Attribute
from her2.model import Model, build_model
from her2.scale import AbstractExecutor, check_fingerprint, fingerprint
from her2.store import encode_patients
from her2.trials.design import SUBGROUPS, Trial
from her2.trials.endpoints import member
from her2.trials.follow import (
    Plan,
    Pool,
    Screened,
    check_entry,
    join_screened,
    prepare_trial,
    screen_patients,
    selects,
)

AGE, WEIGHT = "age", "weight"
CHARACTERISTICS = (*SUBGROUPS, AGE, WEIGHT)
"""What a stored patient says of herself; all other attributes can be drawn again from seed and id."""


@dataclass(frozen=True, eq=False)
class PoolTask:
    """Patients to draw until n are enrolled, each followed on every arm: the arguments of `simulate_pool`.

    Attributes
    ----------
    values : every parameter, by id
    agents : agents of the model before the trial's own are chosen
    n : patients to enrol
    fingerprint : of code and record that the digits rest on
    """

    values: tuple[tuple[str, float], ...]
    agents: tuple[str, ...]
    trial: Trial
    n: int
    seed: int
    noise_seed: int | None = None
    first: int = 0
    null_model: bool = False
    arms: tuple[int, ...] | None = None
    fingerprint: str = field(default_factory=fingerprint)

    @classmethod
    def of(
        cls,
        model: Model,
        trial: Trial,
        n: int,
        seed: int,
        *,
        noise_seed: int | None = None,
        first: int = 0,
        null_model: bool = False,
        arms: Sequence[int] | None = None,
    ) -> Self:
        """The task of a call of `simulate_pool`."""
        return cls(
            values=tuple(sorted(model.values.items())), agents=tuple(a.id for a in model.agents), trial=trial, n=n,
            seed=seed, noise_seed=noise_seed, first=first, null_model=null_model,
            arms=None if arms is None else tuple(arms),
        )  # fmt: skip

    @property
    def plan(self) -> Plan:
        """The trial made ready for the kernel; kept for the next task of the same trial and parameters."""
        return _plans.get(self)

    @property
    def _key(self) -> tuple[object, ...]:
        """What the plan depends on."""
        return (self.fingerprint, self.values, self.agents, self.trial.model_dump_json())

    def spans(self, first: int, end: int, size: int) -> Iterator[Span]:
        """Ranges of ids [first, end) of at most `size` patients."""
        for start in range(first, end, size):
            yield Span(self, start, min(size, end - start))


@dataclass(frozen=True, eq=False)
class Span:
    """Patients `first` to `first + count - 1` of a task."""

    task: PoolTask
    first: int
    count: int


class _Plans:
    """The last few plans of this process."""

    def __init__(self, room: int = 4) -> None:
        self._room = room
        self._kept: OrderedDict[tuple[object, ...], Plan] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, task: PoolTask) -> Plan:
        """The plan of a task, made if it is not kept."""
        key = task._key
        with self._lock:
            plan = self._kept.pop(key, None)
            if plan is None:
                plan = prepare_trial(build_model(dict(task.values), task.agents), task.trial)
            self._kept[key] = plan
            while len(self._kept) > self._room:
                self._kept.popitem(last=False)
            return plan


_plans = _Plans()


def screen_span(span: Span, jobs: int, on_patients: Callable[[int], None] | None) -> Screened:
    """Simulate a range of patients; a `her2.scale` task.

    Raises
    ------
    her2.errors.ClusterError
        If code, record or libraries are not those of the session that made the task.
    """
    task = span.task
    check_fingerprint(task.fingerprint)
    return screen_patients(
        task.plan, task.seed, span.first, span.count, noise_seed=task.noise_seed, null_model=task.null_model,
        jobs=jobs, arms=task.arms, on_patients=on_patients,
    )  # fmt: skip


@dataclass(frozen=True)
class EncodedSpan:
    """A range of patients as the content of a Parquet file, and how many of them entered."""

    entered: int
    content: bytes


def encode_span(span: Span, jobs: int, on_patients: Callable[[int], None] | None) -> EncodedSpan:
    """Simulate a range of patients and encode them for a store; a `her2.scale` task."""
    screened = screen_span(span, jobs, on_patients)
    return EncodedSpan(screened.entered, encode_screened(screened))


def encode_screened(screened: Screened) -> bytes:
    """Patients screened as the content of a Parquet file."""
    ids = screened.first + np.arange(screened.status.size)
    others = ~np.isin(ids, screened.arms[0].patient)
    attributes = screened.cohort.attributes
    characteristics: dict[str, NDArray[np.generic]] = {name: member(attributes, name) for name in SUBGROUPS}
    characteristics |= {AGE: attributes[Attribute.AGE], WEIGHT: attributes[Attribute.WEIGHT]}
    return encode_patients(screened.arms, ids[others], screened.status[others], characteristics)


def next_ids(task: PoolTask, reached: int, entered: int, at_least: int) -> int:
    """One beyond the last id to screen next, by the share that has entered so far.

    Parameters
    ----------
    reached : ids below have been screened
    entered : patients of those who entered
    at_least : patients worth a round

    Raises
    ------
    her2.errors.RecordError
        If the prior lines let so few patients through that the trial cannot be filled.
    """
    screened, missing = reached - task.first, task.n - entered
    check_entry(task.trial, task.n, screened, entered)
    if not screened:
        # who is selected by earlier lines is not known yet: a first look, then the rest by its share
        return reached + (min(task.n, max(at_least, 2 * LANES)) if selects(task.trial) else task.n)
    if entered == screened:
        return reached + missing
    share = max(entered / screened, 0.02)
    return reached + max(math.ceil(1.02 * missing / share), LANES)


def simulate_pools(
    tasks: Sequence[PoolTask],
    executor: AbstractExecutor,
    *,
    plans: Sequence[Plan] | None = None,
    on_patients: Callable[[int], None] | None = None,
) -> list[Pool]:
    """Simulate several pools at the same time, spread over an executor.

    Parameters
    ----------
    plans : of each task, where they are made already; otherwise the tasks make them here once more
    on_patients : called with the number of patient-courses done

    Raises
    ------
    her2.errors.Her2Error
        As `simulate_pool`, or if the executor fails.
    """
    parts: dict[int, list[Screened]] = {k: [] for k in range(len(tasks))}
    while True:
        specs: list[Span] = []
        for k, task in enumerate(tasks):
            reached = max((p.first + p.status.size for p in parts[k]), default=task.first)
            entered = sum(p.entered for p in parts[k])
            if entered < task.n:
                end = next_ids(task, reached, entered, task.n)
                specs += task.spans(reached, end, _even_size(end - reached, executor.width, len(tasks)))
        if not specs:
            break
        position = {id(task): k for k, task in enumerate(tasks)}
        for span, part in executor.run(screen_span, specs, on_patients):
            parts[position[id(span.task)]].append(part)
            if on_patients is not None and not executor.tells_progress:
                on_patients(span.count * len(part.arms))
    return [
        join_screened(
            task.plan if plans is None else plans[k], sorted(parts[k], key=lambda p: p.first), task.n
        )
        for k, task in enumerate(tasks)
    ]


def _even_size(count: int, width: int, pools: int) -> int:
    """Patients per span so that every worker has some of each pool or a pool of its own, in whole blocks of lanes."""
    pieces = max(math.ceil(2 * width / pools), 1)
    return LANES * max(math.ceil(count / pieces / LANES), 1)
