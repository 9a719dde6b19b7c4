"""Many two-arm trials as flat arrays with offsets, and the compiled loops run over them by threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from her2.survival._arguments import (
    Flags,
    Floats,
    Integers,
    check_finite_non_negative,
    check_flags,
    check_time,
)

MAX_ITERATIONS = 60
_PARTS_PER_JOB = 4
"""Parts of the trials per thread: several, as trials differ in size."""
_FEWEST = 20_000
"""Patients below which starting threads costs more than it saves."""


@dataclass(frozen=True, eq=False)
class Trials:
    """Trials laid out for the kernels; trial i is the slice offsets[i]:offsets[i + 1] of the patients.

    Attributes
    ----------
    time, event, arm : (patients of all trials,)
    stratum : (patients of all trials,) codes from 0; empty for a single stratum
    offsets : (trials + 1,)
    """

    time: Floats
    event: Flags
    arm: Flags
    stratum: Integers
    offsets: Integers

    @property
    def n(self) -> int:
        """Number of trials."""
        return self.offsets.size - 1


@dataclass(frozen=True, eq=False)
class Results:
    """What `_kernels.analyse_trials` fills; of no rows what was not asked for."""

    status: Integers
    numbers: Floats
    n_events: Integers
    sums: Floats
    medians: Floats


def lay_out(
    time: ArrayLike, event: ArrayLike, arm: ArrayLike, stratum: ArrayLike | None, offsets: ArrayLike | None
) -> Trials:
    """Checked flat arrays and offsets, as the kernels want them.

    Raises
    ------
    ValueError
        If shapes differ, codes are wrong, times are negative or missing, or a trial is empty.
    """
    if offsets is None:
        times = np.array(time, dtype=np.float64)
        if times.ndim != 2 or times.size == 0:
            raise ValueError(
                f"time: expected (trials, patients), got shape {times.shape}; "
                "for trials of different size give flat arrays and offsets."
            )
        check_finite_non_negative(times, "time")
        starts = np.arange(times.shape[0] + 1, dtype=np.int64) * times.shape[1]
        if np.shape(arm) == times.shape[1:]:
            arm = np.broadcast_to(np.asarray(arm), times.shape)
        if stratum is not None and np.shape(stratum) == times.shape[1:]:
            stratum = np.broadcast_to(np.asarray(stratum), times.shape)
    else:
        times = check_time(time)
        starts = _check_offsets(offsets, times.size)
    happened = check_flags(event, times.shape)
    is_experimental = check_flags(arm, times.shape, "arm")
    strata = np.empty(0, np.int64) if stratum is None else _check_strata(stratum, times.shape)
    return Trials(times.ravel(), happened.ravel(), is_experimental.ravel(), strata.ravel(), starts)


def analyse(
    trials: Trials,
    *,
    cox: bool = False,
    log_rank: bool = False,
    medians: bool = False,
    is_efron: bool = True,
    z: float = float("nan"),
    jobs: int = 1,
) -> Results:
    """Run the kernels over all trials, by `jobs` threads; the digits do not depend on their number.

    Parameters
    ----------
    cox, log_rank, medians : what is wanted
    z : normal quantile of the limits of the medians; NaN for none
    """
    from her2.survival import _kernels

    if jobs < 1 or jobs != int(jobs):
        raise ValueError(f"jobs: expected a whole number of one or more, got {jobs}.")
    n, offsets = trials.n, trials.offsets
    results = Results(
        status=np.empty(n if cox else 0, np.int64),
        numbers=np.empty((n if cox else 0, 5)),
        n_events=np.zeros((n if cox else 0, 2), np.int64),
        sums=np.zeros((n if log_rank else 0, 3)),
        medians=np.empty((n if medians else 0, 2, 3)),
    )
    largest = int(np.diff(offsets).max())
    highest = int(trials.stratum.max()) if trials.stratum.size else 0

    def work(part: tuple[int, int]) -> None:
        _kernels.analyse_trials(
            trials.time, trials.event, trials.arm, trials.stratum, offsets, part[0], part[1],
            np.empty(largest), np.empty(largest, np.int64), np.empty(largest), np.empty(largest, np.int64),
            np.empty(max(largest + 1, highest + 2), np.int64), np.empty((largest, 4), np.int64),
            is_efron, MAX_ITERATIONS, z,
            results.status, results.numbers, results.n_events, results.sums, results.medians,
        )  # fmt: skip

    if jobs == 1 or trials.time.size < _FEWEST:
        work((0, n))
    else:
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            list(pool.map(work, _share_out(offsets, jobs * _PARTS_PER_JOB)))
    return results


def _share_out(offsets: Integers, parts: int) -> list[tuple[int, int]]:
    """Runs of trials, first and last, that hold about as many patients each."""
    edges = np.searchsorted(offsets, np.linspace(0, offsets[-1], parts + 1), side="left")
    return [(int(a), int(b)) for a, b in pairwise(edges) if b > a]


def _check_offsets(values: ArrayLike, n_patients: int) -> Integers:
    """Ascending whole numbers from 0 to the number of patients, with no empty trial."""
    offsets = np.asarray(values)
    is_whole = offsets.ndim == 1 and offsets.size >= 2 and np.issubdtype(offsets.dtype, np.integer)
    if not is_whole or offsets[0] != 0 or offsets[-1] != n_patients or bool(np.any(np.diff(offsets) < 1)):
        raise ValueError(
            f"offsets: expected whole numbers rising from 0 to the number of patients, {n_patients}, "
            f"with no empty trial, got {offsets.tolist()!r:.80}."
        )
    return offsets.astype(np.int64)


def _check_strata(values: ArrayLike, shape: tuple[int, ...]) -> Integers:
    """Whole numbers from 0, small enough to count by."""
    strata = np.asarray(values)
    if strata.shape != shape:
        raise ValueError(f"stratum: expected the shape of time, {shape}, got {strata.shape}.")
    if not np.issubdtype(strata.dtype, np.integer) or strata.min() < 0 or strata.max() > 1_000_000:
        raise ValueError("stratum: expected whole numbers from 0 (at most 1000000) as codes.")
    return strata.astype(np.int64)
