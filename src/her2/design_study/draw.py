"""Simulated trials drawn from pools of twins: who takes part, in which arm, since when.

A pool holds patients followed on both arms. Each trial draws patients from it with replacement, randomises
them by permuted blocks within the strata of the trial file, and gives each a new day of enrolment and of loss
of contact. Random numbers are keyed by trial and place, so that a smaller trial is the beginning of the
larger one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from her2.engine.rng import Purpose, uniforms
from her2.engine.run import Followed
from her2.trials.cut import cut_data
from her2.trials.endpoints import member
from her2.trials.follow import Pool
from her2.trials.randomise import stratum_codes

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
_FIRST_STREAM = 2_000_000
"""Streams below it belong to `trials.analyse`."""
_PER_STREAM = 8
FOREVER = 1e8


@dataclass(frozen=True)
class Source:
    """Patients from whom trials are drawn.

    Attributes
    ----------
    arms : courses on the experimental arm and on the control, the same patients in the same order
    candidates : positions of the patients who may take part
    event_day : (2, patients), day since entry of the endpoint with complete follow-up; inf if never
    stratum : (patients,), codes from 0
    endpoint : of the test
    scan_days : time between scans
    horizon : days for which patients are followed
    loss_rate : 1/day
    """

    arms: tuple[Followed, Followed]
    candidates: Integers
    event_day: Array
    stratum: Integers
    endpoint: str
    scan_days: float
    horizon: float
    loss_rate: float

    def only(self, inside: Flags) -> Source:
        """The same patients, only those inside taking part: (patients,)."""
        return replace(self, candidates=np.nonzero(inside)[0])

    def without_effect(self) -> Source:
        """The control in both arms."""
        return replace(self, arms=(self.arms[1], self.arms[1]), event_day=self.event_day[[1, 1]])


def make_source(pool: Pool, endpoint: str, stratified: bool = True) -> Source:
    """A pool that followed the experimental arm first and the control second, all patients taking part."""
    trial = pool.plan.trial
    codes = stratum_codes([member(pool.cohort.attributes, s) for s in trial.randomisation.strata])
    stratum = np.zeros(pool.n, dtype=np.int64) if codes is None or not stratified else codes
    # scans are not needed any more and would be copied with every draw
    first, second = (replace(f, sums=f.sums[:0]) for f in pool.arms)
    start, never = np.zeros(pool.n), np.full(pool.n, np.inf)
    days = []
    for followed in (first, second):
        complete = cut_data(followed, endpoint, start, never, FOREVER, trial.scans.every)
        days.append(np.where(complete.event, complete.time, np.inf))
    return Source(
        arms=(first, second),
        candidates=np.arange(pool.n),
        event_day=np.stack(days),
        stratum=stratum,
        endpoint=endpoint,
        scan_days=trial.scans.every,
        horizon=trial.horizon_days,
        loss_rate=trial.drop_out.rate,
    )


@dataclass(frozen=True)
class Draws:
    """Trials of one size; patients in the order of enrolment.

    Attributes
    ----------
    patient : (trials, patients), positions in the source
    arm : (trials, patients), 0 experimental, 1 control
    enrol : (trials, patients), days since the first patient could enter
    lost : (trials, patients), days since entry on which contact is lost or follow-up ends
    normal : (trials,), standard normal number of each trial, for its random effect
    """

    patient: Integers
    arm: Integers
    enrol: Array
    lost: Array
    normal: Array


def draw_trials(
    source: Source,
    trials: Integers,
    size: int,
    largest: int,
    accrual_days: float,
    ratio: tuple[int, int],
    block: int,
    seed: int,
    stream: int,
) -> Draws:
    """Draw trials by number.

    Parameters
    ----------
    trials : (trials,), consecutive numbers of the replicates
    size : patients in each
    largest : patients for whom random numbers are set aside; the same for sizes that are to be compared
    ratio : allocation to the experimental arm and the control
    block : patients in a block, a multiple of the ratio's sum
    stream : keeps apart what is not to share random numbers
    """
    from scipy.special import ndtri

    n = trials.size

    def numbers(k: int, width: int = largest) -> Array:
        """(trials, width) uniform numbers for one purpose."""
        index = _FIRST_STREAM + _PER_STREAM * stream + k
        flat = uniforms(seed, int(trials[0]) * width, n * width, int(Purpose.RESAMPLING), index)
        return np.asarray(flat).reshape(n, width)

    pick = (numbers(0)[:, :size] * source.candidates.size).astype(np.int64)
    patient = source.candidates[pick]
    enrol = accrual_days * np.sort(numbers(1)[:, :size], axis=1)
    lost = np.full((n, size), source.horizon)
    if source.loss_rate > 0.0:
        lost = np.minimum(lost, -np.log(numbers(2)[:, :size]) / source.loss_rate)
    n_codes = int(source.stratum.max()) + 1
    keys = numbers(3, block * (largest // block + n_codes))
    arm = allocate_in_blocks(source.stratum[patient], ratio, block, keys, n_codes)
    return Draws(patient, arm, enrol, lost, np.asarray(ndtri(numbers(4, 1)[:, 0])))


def allocate_in_blocks(
    stratum: Integers, ratio: Sequence[int], block: int, keys: Array, n_codes: int
) -> Integers:
    """Arms by permuted blocks within strata, for many trials at once.

    Parameters
    ----------
    stratum : (trials, patients), codes below `n_codes`, in the order of enrolment
    ratio : allocation ratio
    block : patients per block, a multiple of the ratio's sum
    keys : (trials, at least block * (patients // block + n_codes)), uniform numbers that order the letters

    Returns
    -------
    (trials, patients), position of the arm in `ratio`
    """
    n = stratum.shape[0]
    letters = np.repeat(np.arange(len(ratio)), np.asarray(ratio) * (block // sum(ratio)))
    rank = np.empty_like(stratum)
    blocks = np.zeros((n, n_codes), dtype=np.int64)
    for code in range(n_codes):
        inside = stratum == code
        count = np.cumsum(inside, axis=1)
        rank[inside] = count[inside] - 1
        blocks[:, code] = -(-count[:, -1] // block)
    first = np.cumsum(blocks, axis=1) - blocks
    number = np.take_along_axis(first, stratum, axis=1) + rank // block
    orders = np.argsort(keys[:, : keys.shape[1] // block * block].reshape(n, -1, block), axis=2)
    place = orders[np.arange(n)[:, None], number, rank % block]
    return np.asarray(letters[place], dtype=np.int64)


def expected_event_share(
    source: Source, ratio: tuple[int, int], accrual_days: float, follow_up_days: float
) -> float:
    """Share of the patients with a known event when a time has passed since the last patient came in.

    Enrolment is uniform over the accrual, loss of contact exponential.
    """
    share = 0.0
    for k in range(2):
        day = source.event_day[k, source.candidates]
        seen = day[day <= source.horizon]
        in_time = np.clip(1.0 - (seen - follow_up_days) / max(accrual_days, 1e-9), 0.0, 1.0)
        known = float(np.sum(np.exp(-source.loss_rate * seen) * in_time)) / max(day.size, 1)
        share += ratio[k] / sum(ratio) * known
    return share
