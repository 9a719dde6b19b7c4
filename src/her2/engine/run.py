"""Run the kernel over a cohort: blocks of lanes spread over threads, results in patient order.

Blocks are independent and their random numbers keyed, so that the digits do not depend on the number of threads or
on how patients are cut into blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.engine.kernel import simulate_block
from her2.engine.layout import (
    FIRST_FAILURE,
    LANES,
    MAX_LINES,
    MAX_VISITS,
    N_OUTCOMES,
    CourseArrays,
    Outcome,
    RegimenArrays,
    Status,
)
from her2.model import Model
from her2.patients.sample import Cohort

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Followed:
    """What happened to each patient; the patient axis last.

    Attributes
    ----------
    patient : (patients,) ids
    outcomes : (outcomes, patients), rows of `engine.layout.Outcome`; days from entry into the trial line
    sums : (visits, patients) observed sums of diameters in the trial line, mm; NaN where not scanned
    line_starts : (lines, patients) day on which each line started, NaN if never
    line_regimens : (lines, patients) regimen of each line, -1 for supportive care or never
    """

    patient: NDArray[np.int64]
    outcomes: Array
    sums: Array
    line_starts: Array
    line_regimens: NDArray[np.int64]

    def __getitem__(self, row: Outcome) -> Array:
        return np.asarray(self.outcomes[int(row)])

    @property
    def status(self) -> NDArray[np.int64]:
        """Status of every patient (`engine.layout.Status`)."""
        return np.asarray(self.outcomes[int(Outcome.STATUS)].astype(np.int64))

    @property
    def failed(self) -> NDArray[np.int64]:
        """Ids of the patients whose simulation failed."""
        return self.patient[self.status >= FIRST_FAILURE]

    @property
    def enrolled(self) -> NDArray[np.bool_]:
        """Patients who reached the trial line."""
        return np.asarray((self.status == Status.DEAD) | (self.status == Status.HORIZON))

    def counts(self) -> dict[str, int]:
        """Patients by status; the sum is the number of patients."""
        return {Status(s).name.lower(): int(np.sum(self.status == s)) for s in np.unique(self.status)}

    def take(self, index: NDArray[np.int64]) -> Followed:
        """These patients, by position."""
        return Followed(
            self.patient[index],
            self.outcomes[:, index],
            self.sums[:, index],
            self.line_starts[:, index],
            self.line_regimens[:, index],
        )

    def digest(self) -> str:
        """BLAKE2b digest over patients in the order of their ids: equal digits give equal digests."""
        stream = DigestStream()
        stream.update(self.take(np.argsort(self.patient, kind="stable")))
        return stream.hexdigest()


class DigestStream:
    """Digest of patients that come in parts: the same for any cutting into parts as for all of them at once.

    Patient after patient in the order of their ids, each as the 64-bit words of id, outcomes, sums, line starts and
    regimens; every NaN has one bit pattern, and a negative zero counts as zero.
    """

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._hash.update(f"{N_OUTCOMES} {MAX_VISITS} {MAX_LINES}".encode())
        self._last = -1

    def update(self, followed: Followed) -> None:
        """Add patients; ids may not fall, neither within the part nor from part to part.

        Raises
        ------
        ValueError
            If an id is smaller than the one before it.
        """
        ids = followed.patient
        if not ids.size:
            return
        if ids[0] < self._last or np.any(np.diff(ids) < 0):
            raise ValueError("patients: expected ids that do not fall")
        self._last = int(ids[-1])
        for first in range(0, ids.size, _DIGEST_PART):
            part = slice(first, first + _DIGEST_PART)
            words = [ids[part].astype(np.int64).view(np.uint64)[None, :]]
            for table in (followed.outcomes, followed.sums, followed.line_starts):
                values = table[:, part]
                clean = np.where(np.isnan(values), np.nan, values) + 0.0
                words.append(clean.view(np.uint64))
            regimens = np.ascontiguousarray(followed.line_regimens[:, part], dtype=np.int64)
            words.append(regimens.view(np.uint64))
            self._hash.update(np.ascontiguousarray(np.concatenate(words).T).tobytes())

    def hexdigest(self) -> str:
        """Digest of all patients so far."""
        return self._hash.hexdigest()


_DIGEST_PART = 4096
"""Patients whose words are laid out at a time."""


@dataclass(frozen=True)
class DoseChanges:
    """What happens to the planned doses in the trial line, each (drugs, patients).

    Attributes
    ----------
    max_cycles : cycles given at most
    factor : share of the dose given from `from_week` on
    from_week, stop_week : weeks of the line; no dose from `stop_week` on
    """

    max_cycles: Array
    factor: Array
    from_week: Array
    stop_week: Array

    @staticmethod
    def none(n_drugs: int, n: int) -> DoseChanges:
        """All doses as planned."""
        shape = (n_drugs, n)
        return DoseChanges(np.full(shape, 1e9), np.ones(shape), np.zeros(shape), np.full(shape, np.inf))

    def take(self, index: NDArray[np.int64]) -> DoseChanges:
        """Those of some patients, by position."""
        return DoseChanges(
            self.max_cycles[:, index],
            self.factor[:, index],
            self.from_week[:, index],
            self.stop_week[:, index],
        )


def follow(
    model: Model,
    cohort: Cohort,
    patients: NDArray[np.int64],
    regimens: RegimenArrays,
    course: CourseArrays,
    doses: DoseChanges,
    seed: int,
    *,
    way: NDArray[np.int64] | None = None,
    null_model: bool = False,
    jobs: int = 1,
    on_block: Callable[[int], None] | None = None,
) -> Followed:
    """Follow every patient of a cohort on one course.

    Parameters
    ----------
    patients : (patients,) ids, the keys of the random numbers
    doses : what happens to the planned doses in the trial line
    seed : of events, scans and later lines
    way : (patients,) which of the ways of the course each patient goes, default the first
    null_model : each drug acting alone in the signalling layer, effects added; no interplay, no adaptation
    jobs : threads
    on_block : called with the number of patients done, for a progress bar
    """
    n = cohort.n
    ways = np.zeros(n, dtype=np.int64) if way is None else way
    outcomes = np.empty((N_OUTCOMES, n))
    sums = np.empty((MAX_VISITS, n))
    starts = np.empty((MAX_LINES, n))
    lines = np.empty((MAX_LINES, n), dtype=np.int64)

    def block(first: int) -> int:
        last = min(first + LANES, n)
        # a block that is not full is filled up with copies of its last patient, which are thrown away
        index = np.minimum(np.arange(first, first + LANES), n - 1)
        o = np.empty((N_OUTCOMES, LANES))
        s = np.empty((MAX_VISITS, LANES))
        t = np.empty((MAX_LINES, LANES))
        r = np.empty((MAX_LINES, LANES), dtype=np.int64)
        simulate_block(
            seed,
            np.ascontiguousarray(patients[index]),
            np.ascontiguousarray(ways[index]),
            np.ascontiguousarray(cohort.attributes[:, index]),
            np.ascontiguousarray(cohort.pk[:, :, index]),
            np.ascontiguousarray(cohort.site_scale[:, index]),
            np.ascontiguousarray(cohort.sensitivity[:, index]),
            np.ascontiguousarray(cohort.fc_factor[:, index]),
            np.ascontiguousarray(doses.max_cycles[:, index]),
            np.ascontiguousarray(doses.factor[:, index]),
            np.ascontiguousarray(doses.from_week[:, index]),
            np.ascontiguousarray(doses.stop_week[:, index]),
            model.receptor_arrays,
            model.network_arrays,
            model.constants,
            model.clones,
            regimens,
            model.drugs,
            model.inputs,
            course,
            null_model,
            o,
            s,
            t,
            r,
        )
        width = last - first
        outcomes[:, first:last] = o[:, :width]
        sums[:, first:last] = s[:, :width]
        starts[:, first:last] = t[:, :width]
        lines[:, first:last] = r[:, :width]
        return width

    begins = range(0, n, LANES)
    if jobs <= 1 or n <= LANES:
        for first in begins:
            done = block(first)
            if on_block is not None:
                on_block(done)
    else:
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            for done in pool.map(block, begins):
                if on_block is not None:
                    on_block(done)
    return Followed(patients.astype(np.int64), outcomes, sums, starts, lines)
