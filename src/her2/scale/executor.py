"""Executors: run a function on specifications, results as they come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self, TypeVar

Spec = TypeVar("Spec")
Result = TypeVar("Result")
_SpecIn = TypeVar("_SpecIn", contravariant=True)
_ResultOut = TypeVar("_ResultOut", covariant=True)
OnPatients = Callable[[int], None]
"""Called with the number of patient-courses done since the last call."""


class Task(Protocol[_SpecIn, _ResultOut]):
    """A function of a module (so that another process can import it) from a small specification to a result."""

    def __call__(self, spec: _SpecIn, jobs: int, on_patients: OnPatients | None, /) -> _ResultOut:
        """Run with this many threads."""
        ...


class AbstractExecutor(ABC):
    """Runs tasks somewhere. The same specification gives the same result on every executor."""

    @property
    @abstractmethod
    def width(self) -> int:
        """How many tasks run at the same time."""

    @property
    def tells_progress(self) -> bool:
        """Whether tasks call `on_patients` while they run; otherwise whoever takes the results counts."""
        return False

    @abstractmethod
    def run(
        self, task: Task[Spec, Result], specs: Iterable[Spec], on_patients: OnPatients | None = None
    ) -> Iterator[tuple[Spec, Result]]:
        """Each specification with its result, in the order in which they are done.

        Specifications are taken from the iterable when there is room for them, and results are not kept: memory does
        not grow with their number. What a task raises is raised here.
        """

    def close(self) -> None:  # noqa: B027 - most executors hold nothing
        """Let go of what the executor holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalExecutor(AbstractExecutor):
    """One task after the other in this process, each on several threads."""

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs

    @property
    def width(self) -> int:
        """One: the threads share a task."""
        return 1

    @property
    def tells_progress(self) -> bool:
        """Yes, after every block of lanes."""
        return True

    def run(
        self, task: Task[Spec, Result], specs: Iterable[Spec], on_patients: OnPatients | None = None
    ) -> Iterator[tuple[Spec, Result]]:
        """Results in the order of the specifications."""
        for spec in specs:
            yield spec, task(spec, self.jobs, on_patients)


_in_use: list[AbstractExecutor] = []


@contextmanager
def use(executor: AbstractExecutor) -> Iterator[AbstractExecutor]:
    """Spread everything simulated within the block over this executor, in every thread of the process."""
    _in_use.append(executor)
    try:
        yield executor
    finally:
        _in_use.remove(executor)


def active() -> AbstractExecutor | None:
    """The executor in use, if any."""
    return _in_use[-1] if _in_use else None
