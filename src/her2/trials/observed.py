"""What the headline of a trial sees of its virtual patients, from a pool in memory or from chunks on the disk.

Both ways give the same numbers to the last digit. From chunks only times, events and a few characteristics are kept:
about 100 bytes per patient of a trial with two arms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import FIRST_FAILURE, N_ATTRIBUTES, Attribute, Status
from her2.engine.run import DigestStream, Followed
from her2.evidence.load import load_study
from her2.patients.sample import Cohort
from her2.scale import AbstractExecutor
from her2.store import ChunkStore, decode_patients
from her2.store.table import Decoded
from her2.trials.adverse import (
    BASELINE_ATTRIBUTES,
    BaselineRow,
    adverse_events,
    baseline,
    baseline_rows,
)
from her2.trials.analyse import TrialData, observe_arms
from her2.trials.cut import TimeToEvent
from her2.trials.follow import (
    OPTION_INDEX,
    Plan,
    Pool,
    Screened,
    arm_events,
    chosen,
    draw_patients,
    join_screened,
)
from her2.trials.tasks import AGE, CHARACTERISTICS, WEIGHT, PoolTask, encode_span, next_ids
from her2.trials.toxicity import EventRow, adverse_event_table

Array = NDArray[np.float64]
OnPatients = Callable[[int], None]
_ATTRIBUTE = {
    AGE: Attribute.AGE,
    WEIGHT: Attribute.WEIGHT,
    "ecog_1": Attribute.ECOG,
    "pik3ca_mutant": Attribute.PIK3CA,
}
"""Attribute behind a stored characteristic where their names differ."""


@dataclass(frozen=True)
class Observed:
    """All virtual patients of a trial, each on every arm.

    Attributes
    ----------
    plan : the trial made ready
    n : patients
    on_arm : of each arm, all patients on it, cut as the trial is
    digests : of each arm's patients, as `Followed.digest`
    screened, status_counts : as in `Pool`
    failed : ids of the patients whose simulation failed
    adverse_events : of each arm; empty where they were not wanted
    baseline : rows; empty where they were not wanted
    """

    plan: Plan
    n: int
    on_arm: tuple[TrialData, ...]
    digests: tuple[str, ...]
    screened: int
    status_counts: dict[str, int]
    failed: NDArray[np.int64]
    adverse_events: tuple[tuple[EventRow, ...], ...]
    baseline: tuple[BaselineRow, ...]


def observe_pool(pool: Pool, seed: int, *, tables: bool = True, show_held_out: bool = False) -> Observed:
    """What the headline sees of a pool in memory.

    Parameters
    ----------
    seed : of the patients
    tables : whether adverse events and baseline are wanted
    show_held_out : whether printed figures marked as held out may stand beside the adverse events
    """
    return Observed(
        plan=pool.plan,
        n=pool.n,
        on_arm=tuple(observe_arms(pool, np.full(pool.n, k), seed) for k in range(len(pool.arms))),
        digests=tuple(followed.digest() for followed in pool.arms),
        screened=pool.screened,
        status_counts=pool.status_counts,
        failed=pool.failed,
        adverse_events=adverse_events(pool, seed, show_held_out=show_held_out) if tables else (),
        baseline=baseline(pool) if tables else (),
    )


def simulate_stage(
    store: ChunkStore,
    stage: str,
    task: PoolTask,
    executor: AbstractExecutor,
    chunk: int,
    on_patients: OnPatients | None = None,
) -> None:
    """Simulate what the store does not hold of a task yet.

    Parameters
    ----------
    stage : name of the task in the store
    chunk : patients per chunk of what is to be simulated; chunks there are stay as they are
    on_patients : called with the number of patient-courses done, those of stored chunks included

    Raises
    ------
    her2.errors.Her2Error
        If a chunk cannot be simulated or written; chunks written before stay.
    """
    n_arms = len(task.trial.arms)
    if on_patients is not None:
        on_patients(min(sum(r.count for r in store.records(stage)), task.n) * n_arms)
    tell = on_patients if executor.tells_progress else None
    while True:
        reached, entered = task.first, 0
        for record in store.in_order(stage, task.first):
            reached, entered = record.end, entered + record.entered
        if entered >= task.n:
            return
        end = next_ids(task, reached, entered, executor.width * chunk)
        spans = (span for gap in store.gaps(stage, task.first, end) for span in task.spans(*gap, chunk))
        for span, made in executor.run(encode_span, spans, tell):
            store.add(stage, span.first, span.count, made.entered, made.content)
            if on_patients is not None and tell is None:
                on_patients(span.count * n_arms)


def observe_stage(
    store: ChunkStore, stage: str, task: PoolTask, *, tables: bool = True, show_held_out: bool = False
) -> Observed:
    """What the headline sees of the first `task.n` patients of a stage, chunk after chunk; every digest is checked.

    Raises
    ------
    her2.errors.StoreError
        If a chunk is missing or damaged; the text names it.
    """
    seen = _Accumulated(task, tables)
    for record in store.in_order(stage, task.first):
        if seen.n >= task.n:
            break
        seen.add(decode_patients(store.read(record), seen.n_arms, characteristics=CHARACTERISTICS))
    return seen.observed(show_held_out=show_held_out)


def read_pool(store: ChunkStore, stage: str, task: PoolTask) -> Pool:
    """All patients of a stage in memory, as `simulate_pool` gives them; attributes are drawn again.

    Raises
    ------
    her2.errors.StoreError
        If a chunk is missing or damaged; the text names it.
    """
    plan, parts, entered = task.plan, [], 0
    for record in store.in_order(stage, task.first):
        if entered >= task.n:
            break
        decoded = decode_patients(store.read(record), len(task.trial.arms))
        position = decoded.arms[0].patient - record.first
        status = np.empty(record.count, dtype=np.int64)
        status[position] = decoded.arms[0].status
        status[decoded.others - record.first] = decoded.others_status
        cohort = draw_patients(plan, task.seed, record.first, record.count).take(position)
        parts.append(Screened(record.first, status, cohort, decoded.arms))
        entered += record.entered
    return join_screened(plan, parts, task.n)


@dataclass
class _EventTally:
    """Adverse events of one arm, counted over parts of its patients."""

    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    on_option: NDArray[np.int64] | None = None

    def add(self, rows: tuple[EventRow, ...], n: int, option: NDArray[np.int64], n_options: int) -> None:
        """Count the rows of n patients in; shares of few patients give back whole numbers."""
        for row in rows:
            shares = np.array([row.severe, row.any, row.discontinued])
            before = self.counts.get(row.term, np.zeros(3, dtype=np.int64))
            self.counts[row.term] = before + np.rint(shares * n).astype(np.int64)
        here = np.bincount(option, minlength=n_options)
        self.on_option = here if self.on_option is None else self.on_option + here

    def table(self, plan: Plan, arm: int, seed: int, *, show_held_out: bool) -> tuple[EventRow, ...]:
        """The rows of all patients, as `adverse_event_table` would give them."""
        assert self.on_option is not None
        trial = plan.trial
        study = load_study(trial.study) if trial.study is not None else None
        total = int(self.on_option.sum())
        # one patient per option: the rates given to the model, texts and published figures do not depend on patients
        drawn = list(zip(plan.toxicity[arm], arm_events(plan.toxicity[arm], seed, 0, 1), strict=True))
        groups = [(int(n), pair) for n, pair in zip(self.on_option, drawn, strict=True) if n]
        given: dict[str, NDArray[np.float64]] = {}
        for n, pair in groups:
            for row in adverse_event_table([pair]):
                rates = n * np.array([row.given_severe, row.given_any])
                given[row.term] = given.get(row.term, np.zeros(2)) + rates
        template = adverse_event_table(
            [pair for _, pair in groups], study, trial.arms[arm].id, show_held_out=show_held_out
        )
        rows = []
        for row in template:
            severe, any_grade, stopped = self.counts.get(row.term, np.zeros(3)) / total
            given_severe, given_any = given.get(row.term, np.zeros(2)) / total
            rows.append(
                replace(
                    row, severe=float(severe), any=float(any_grade), discontinued=float(stopped),
                    given_severe=float(given_severe), given_any=float(given_any),
                )
            )  # fmt: skip
        *named, every = rows
        named.sort(key=lambda r: (-r.given_severe, -r.given_any, r.term))
        return (*named, every)


class _Accumulated:
    """What is kept of patients that come chunk after chunk."""

    def __init__(self, task: PoolTask, tables: bool) -> None:
        self.task, self.plan, self.tables = task, task.plan, tables
        self.n_arms = len(task.trial.arms)
        self.n, self.screened = 0, 0
        self._first: int | None = None
        self._digests = [DigestStream() for _ in range(self.n_arms)]
        self._times: list[dict[str, list[TimeToEvent]]] = [{} for _ in range(self.n_arms)]
        self._rates: list[dict[str, list[NDArray[np.bool_]]]] = [{} for _ in range(self.n_arms)]
        self._events = [_EventTally() for _ in range(self.n_arms)]
        self._attributes: dict[Attribute, list[NDArray[np.generic]]] = {}
        self._status: Counter[int] = Counter()
        self._failed: list[NDArray[np.int64]] = []

    def add(self, chunk: Decoded) -> None:
        """Take in the next chunk, as far as patients are wanted."""
        missing = self.task.n - self.n
        arms, n = chunk.arms, chunk.arms[0].patient.size
        others = chunk.others_status
        if n >= missing:
            last = int(arms[0].patient[missing - 1])
            others = others[chunk.others < last]
            arms, n = tuple(a.take(np.arange(missing)) for a in arms), missing
        statuses = np.concatenate([arms[0].status, others])
        self._status.update({int(s): int(np.sum(statuses == s)) for s in np.unique(statuses)})
        self.screened += statuses.size
        if not n:
            return
        self._first = int(arms[0].patient[0]) if self._first is None else self._first
        for stream, followed in zip(self._digests, arms, strict=True):
            stream.update(followed)
            self._failed.append(followed.patient[followed.status >= FIRST_FAILURE])
        self._observe(arms, n)
        if self.tables:
            for name, column in chunk.characteristics.items():
                attribute = _ATTRIBUTE.get(name) or Attribute.__members__.get(name.upper())
                if attribute in BASELINE_ATTRIBUTES:
                    self._attributes.setdefault(attribute, []).append(column[:n])
        self.n += n

    def _observe(self, arms: tuple[Followed, ...], n: int) -> None:
        """Times, rates and adverse events of a part of the patients."""
        assert self._first is not None
        part = Pool(self.plan, _nobody_drawn(n), arms, n, {})
        for k in range(self.n_arms):
            data = observe_arms(part, np.full(n, k), self.task.seed, self._first + self.n)
            for name, tte in data.times.items():
                kept = TimeToEvent(tte.time, tte.event, _constant(0, n))
                self._times[k].setdefault(name, []).append(kept)
            for name, flags in data.rates.items():
                self._rates[k].setdefault(name, []).append(flags)
        if not self.tables:
            return
        ids = arms[0].patient
        first, count = int(ids[0]), int(ids[-1] - ids[0]) + 1
        for k, rows in enumerate(adverse_events(part, self.task.seed)):
            shares = [c.share for c in self.task.trial.arms[k].choices]
            option = chosen(shares, self.task.seed, first, count, OPTION_INDEX)[ids - first]
            self._events[k].add(rows, n, option, len(shares))

    def observed(self, *, show_held_out: bool) -> Observed:
        """All of it."""
        data = []
        for k in range(self.n_arms):
            times = {
                name: TimeToEvent(
                    np.concatenate([p.time for p in parts]),
                    np.concatenate([p.event for p in parts]),
                    _constant(0, self.n),
                )
                for name, parts in self._times[k].items()
            }
            self._times[k].clear()
            rates = {name: np.concatenate(parts) for name, parts in self._rates[k].items()}
            nothing = np.empty(0)
            data.append(
                TrialData(np.empty(0, dtype=np.int64), _constant(k, self.n), nothing, nothing, times, rates)
            )
        events: tuple[tuple[EventRow, ...], ...] = ()
        rows: tuple[BaselineRow, ...] = ()
        if self.tables:
            events = tuple(
                tally.table(self.plan, k, self.task.seed, show_held_out=show_held_out)
                for k, tally in enumerate(self._events)
            )
            rows = baseline_rows(
                self.plan, {a: np.concatenate(parts) for a, parts in self._attributes.items()}
            )
        return Observed(
            plan=self.plan,
            n=self.n,
            on_arm=tuple(data),
            digests=tuple(stream.hexdigest() for stream in self._digests),
            screened=self.screened,
            status_counts=_by_name(self._status),
            failed=np.unique(np.concatenate(self._failed)),
            adverse_events=events,
            baseline=rows,
        )


def _by_name(counts: Mapping[int, int]) -> dict[str, int]:
    return {Status(s).name.lower(): counts[s] for s in sorted(counts)}


def _constant(value: int, n: int) -> NDArray[np.int64]:
    """The same number for n patients, in the space of one."""
    return np.broadcast_to(np.int64(value), (n,))


def _nobody_drawn(n: int) -> Cohort:
    """A cohort of n patients whose attributes are not at hand."""
    none = np.empty((0, n))
    return Cohort(
        -1, np.broadcast_to(np.nan, (N_ATTRIBUTES, n)), np.empty((0, 0, n)), none, none, none, np.empty(n)
    )
