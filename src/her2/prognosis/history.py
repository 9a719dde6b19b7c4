"""How a history is observed: the likelihood of recorded responses and times, given what a virtual patient went through.

The recorded months on a line are log-normal around the model's scan-dated time to progression; the unknown days of the
clinic's scans add the variance of a uniform shift over one interval. A line stopped for another reason than progression
says that progression came later. Best responses are recorded with errors, the rarer the further from the model's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import Outcome
from her2.engine.run import Followed
from her2.prognosis.settings import setting
from her2.sequencing.state import TherapyLine
from her2.units import DAYS_PER_MONTH, DAYS_PER_WEEK

Array = NDArray[np.float64]
RESPONSES = ("complete", "partial", "stable", "progression")
IMPOSSIBLE = -1e9
"""Log-likelihood of what cannot have happened."""
RESPONSE_SHRINKAGE = 0.7
"""Share of the baseline sum below which a best sum counts as response (RECIST 1.1)."""


@dataclass(frozen=True)
class Observed:
    """What is known of one earlier line.

    Attributes
    ----------
    number : of the line, 0 for the first
    days : recorded time to progression, day; None where not known
    at_least : True where the line ended, or was last seen, without progression after `days`
    on_drug_days : time after which the drugs were stopped although there was no progression; None where there was
    response : best response; None where not known
    """

    number: int
    days: float | None
    at_least: bool
    on_drug_days: float | None
    response: str | None

    @property
    def items(self) -> tuple[str, ...]:
        """Places in the case file that weigh the twins."""
        named = []
        if self.days is not None:
            named.append(f"lines.{self.number}.months")
        if self.response is not None:
            named.append(f"lines.{self.number}.best_response")
        return tuple(named)

    def weeks_needed(self) -> int:
        """Weeks for which a twin has to be followed on this line; later progression does not fit."""
        limit = int(setting("prior_limit"))
        if self.days is None or self.at_least:
            return max(limit, math.ceil(2.0 * (self.days or 0.0) / DAYS_PER_WEEK))
        width = math.exp(3.5 * time_sd(self.days))
        return math.ceil((self.days * width + setting("scan_interval") * DAYS_PER_WEEK) / DAYS_PER_WEEK)


def observed_lines(lines: Sequence[TherapyLine]) -> tuple[Observed, ...]:
    """What the case says of each earlier line.

    A line stopped without progression is followed by progression after the pause to the next line, where the case
    gives the months from which that follows; otherwise progression came at some later time.
    """
    return tuple(_observe(lines))


def _observe(lines: Sequence[TherapyLine]) -> Iterator[Observed]:
    for k, line in enumerate(lines):
        days = None if line.months is None else line.months * DAYS_PER_MONTH
        if line.stopped_for == "progression":
            yield Observed(k, days, False, None, line.best_response)
        elif line.stopped_for is None:
            yield Observed(k, days, days is not None, None, line.best_response)
        else:
            pause = _pause(lines, k)
            known = days is not None and pause is not None
            end = days + pause if days is not None and pause is not None else days
            yield Observed(k, end, not known and days is not None, days, line.best_response)


def _pause(lines: Sequence[TherapyLine], k: int) -> float | None:
    """Days between the end of a line and the start of the next, from the months since each; None where not known."""
    since = lines[k].months_since
    if since is None:
        return None
    if k + 1 == len(lines):
        return since * DAYS_PER_MONTH
    following = lines[k + 1]
    if following.months is None or following.months_since is None:
        return None
    return max(since - following.months - following.months_since, 0.0) * DAYS_PER_MONTH


def time_sd(days: float) -> float:
    """SD of the log of a recorded time to progression around the model's."""
    shift = setting("scan_interval") * DAYS_PER_WEEK / math.sqrt(12.0) / max(days, DAYS_PER_WEEK)
    return math.hypot(setting("time_log_sd"), shift)


def time_log_likelihood(simulated: Array, observed: Observed) -> Array:
    """Log-likelihood of the recorded time, 0 at its largest: (twins,).

    Parameters
    ----------
    simulated : (twins,), day; infinite or NaN where a twin did not progress on the line
    """
    if observed.days is None:
        return np.where(np.isfinite(simulated), 0.0, IMPOSSIBLE)
    days = max(observed.days, DAYS_PER_WEEK)
    reached = np.isfinite(simulated) & (simulated > 0.0)
    z = (np.log(np.where(reached, simulated, days)) - math.log(days)) / time_sd(days)
    if observed.at_least:
        cdf = [0.5 * math.erfc(-x / math.sqrt(2.0)) for x in z]
        log = np.log(np.maximum(np.array(cdf), 1e-300))
    else:
        log = -0.5 * z * z
    return np.where(reached, log, IMPOSSIBLE)


def best_response(
    followed: Followed, progression: Array, floor: float, every_days: float
) -> NDArray[np.int64]:
    """Best response of each twin in the line it was followed on, position in `RESPONSES`: (twins,).

    Parameters
    ----------
    progression : (twins,) day of progression on the line, infinite for none
    floor : sum of diameters at which a tumour counts as gone, mm
    every_days : days between scans
    """
    visits = (np.arange(followed.sums.shape[0]) + 1.0)[:, None] * every_days
    counts = (visits < progression[None, :]) & np.isfinite(followed.sums)
    smallest = np.where(counts, followed.sums, np.inf).min(axis=0)
    gone = smallest <= floor * (1.0 + 1e-9)
    shrunk = smallest <= RESPONSE_SHRINKAGE * followed[Outcome.BASELINE_SUM]
    at_once = progression <= every_days * (1.0 + 1e-9)
    return np.where(gone, 0, np.where(shrunk, 1, np.where(at_once, 3, 2))).astype(np.int64)


def response_log_likelihood(simulated: NDArray[np.int64], recorded: str) -> Array:
    """Log-likelihood of the recorded best response, 0 for the model's own: (twins,)."""
    apart = np.abs(simulated - RESPONSES.index(recorded))
    one, more = math.log(setting("response_off_by_one")), math.log(setting("response_off_by_more"))
    return np.where(apart == 0, 0.0, np.where(apart == 1, one, more))
