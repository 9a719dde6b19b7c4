"""Read one file and say what came of it: accepted, refused, or one of the things that must not be.

A read may end in two ways: with an object in which every number is finite, or with an error of `her2.errors`, which the
command line turns into one line and exit code 2. Everything else is a crash: another exception, a warning, a read
longer than `SECONDS`, memory beyond the limit, a number that is not finite in what was accepted.
"""

from __future__ import annotations

import dataclasses
import math
import resource
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel

from her2.errors import Her2Error

SECONDS = 10.0
"""Processor time for one file; the slowest takes about a tenth of it."""
WAIT = 300.0
"""Wall-clock time for one file, for a reader that waits without computing; generous, as other programs may run."""
MEMORY = 3 * 1024**3
"""Address space that all readers together may take beyond what the program has when the run starts, bytes."""

ACCEPTED, REFUSED, CRASH, HANG = "accepted", "refused", "crash", "hang"


@dataclass(frozen=True)
class Verdict:
    """What came of one file.

    Attributes
    ----------
    kind : one of the four words of this module
    why : the error in a line
    trace : of a crash
    """

    kind: str
    why: str = ""
    trace: str = ""
    result: Any = None


class TooSlow(BaseException):
    """The time for one file is over; no reader catches it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TooSlow` in the block after some seconds of processor time, or after `WAIT`."""

    def stop(_signal: int, _frame: object) -> None:
        raise TooSlow

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, seconds), (signal.SIGALRM, signal.ITIMER_REAL, WAIT))
    before = [signal.signal(name, stop) for name, _, _ in timers]
    for _, timer, length in timers:
        signal.setitimer(timer, length)
    try:
        yield
    finally:
        for (name, timer, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0.0)
            signal.signal(name, handler)


@contextmanager
def limited_memory() -> Iterator[None]:
    """Refuse this process more than `MEMORY` beyond what it has; a reader that wants it gets a `MemoryError`."""
    with open("/proc/self/statm", encoding="ascii") as stream:
        has = int(stream.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (has + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def judge(read: Callable[[], Any], seconds: float = SECONDS) -> Verdict:
    """Run a reader."""
    try:
        with time_limit(seconds), warnings.catch_warnings():
            warnings.simplefilter("error")
            result = read()
            odd = next(not_finite(result), None)
    except Her2Error as error:
        text = str(error)
        if not text.strip():
            return Verdict(CRASH, "an error without a text")
        return Verdict(REFUSED, text)
    except TooSlow:
        return Verdict(HANG, f"longer than {seconds:g} s", traceback.format_exc())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Verdict(CRASH, f"{type(error).__name__}: {str(error)[:200]}", traceback.format_exc())
    if odd is not None:
        return Verdict(CRASH, f"accepted with {odd}")
    return Verdict(ACCEPTED, result=result)


def not_finite(value: Any, place: str = "") -> Iterator[str]:
    """Places of numbers that are not finite."""
    if isinstance(value, float):
        if not math.isfinite(value):
            yield f"{place}: {value}"
    elif isinstance(value, str | bytes | int) or value is None:
        return
    elif isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            yield f"{place}: an array with numbers that are not finite"
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from not_finite(getattr(value, name), f"{place}.{name}")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from not_finite(getattr(value, field.name), f"{place}.{field.name}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from not_finite(item, f"{place}.{key}")
    elif isinstance(value, list | tuple | set | frozenset):
        for k, item in enumerate(value):
            yield from not_finite(item, f"{place}.{k}")
