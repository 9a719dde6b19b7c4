"""Progress of a long run: a bar with the time left on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FIRST_LINE_S = 30.0
"""Seconds until the first line in a log; the next come after twice the time, up to ten minutes."""
LONGEST_S = 600.0


@contextmanager
def show_progress(*, quiet: bool = False, log: bool = False) -> Iterator[Callable[[str, float], None]]:
    """A function to call with the name of the stage and the share done, 0 to 1.

    Parameters
    ----------
    quiet : show nothing
    log : where stderr is no terminal, write a line now and then
    """
    if quiet or not (log or sys.stderr.isatty()):
        yield lambda stage, share: None
        return
    if not sys.stderr.isatty():
        yield _Log()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    ) as bar:  # fmt: skip
        checking = bar.add_task("checking", total=1.0, visible=False)
        task = bar.add_task("compiling", total=1.0)

        def update(stage: str, share: float) -> None:
            if stage == "checking":
                bar.update(checking, completed=share, visible=share < 1.0)
            else:
                bar.update(task, description=stage, completed=share)

        yield update


class _Log:
    """Lines on stderr: stage, share done, time left by the pace since the first call of the stage that simulates."""

    def __init__(self) -> None:
        self._wait = FIRST_LINE_S
        self._next = time.monotonic() + self._wait
        self._began: tuple[float, float] | None = None

    def __call__(self, stage: str, share: float) -> None:
        now = time.monotonic()
        if stage != "checking" and self._began is None:
            # what a stored run had already counts as the start
            self._began = (now, share)
        if now < self._next:
            return
        self._wait = min(2 * self._wait, LONGEST_S)
        self._next = now + self._wait
        left = ""
        if self._began is not None and share > self._began[1] + 0.01:
            since, at = self._began
            left = f", {time_left((now - since) * (1.0 - share) / (share - at))} left"
        print(f"her2: {stage}: {100 * share:.0f} %{left}", file=sys.stderr, flush=True)


def time_left(seconds: float) -> str:
    """A time for reading: seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
