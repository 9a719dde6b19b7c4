"""Analysis: the statistics a trial reports, from the data at its cut, and the true effects behind them.

`analyse_trial` treats patients as a randomised trial does; `resample_trials` draws many trials of the real size from a
pool of twins and returns the distribution of each statistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from her2.engine.rng import Purpose, uniforms
from her2.survival import kaplan_meier, two_arm_cox
from her2.survival.two_arm import two_arm_median_batch, two_arm_statistics_batch
from her2.trials.cut import TimeToEvent, cut_data
from her2.trials.design import TimeEndpoint, Trial
from her2.trials.endpoints import RATE_RULES, member
from her2.trials.enrol import enrol_times, loss_times
from her2.trials.follow import Pool
from her2.trials.intervals import twin_cox
from her2.trials.randomise import randomise, stratum_codes
from her2.units import DAYS_PER_MONTH

Array = NDArray[np.float64]
TIMES: tuple[str, ...] = get_args(TimeEndpoint)
RATES: tuple[str, ...] = tuple(RATE_RULES)


def endpoints_of(trial: Trial) -> tuple[str, ...]:
    """Endpoints that are computed: those reported, with progression-free and overall survival where they exist."""
    usual = {"metastatic": ("pfs", "os"), "neoadjuvant": (), "adjuvant": ("dfs", "os")}[trial.setting]
    return tuple(dict.fromkeys((*trial.endpoints.reported, *usual)))


@dataclass(frozen=True)
class Estimate:
    """A statistic with its interval; NaN where it is not reached or cannot be computed."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class TrialData:
    """One randomised trial at its data cuts.

    Attributes
    ----------
    patient : (patients,) positions in the pool
    arm : (patients,) position of the arm
    enrol_day, lost_day : (patients,)
    times : endpoint -> TimeToEvent
    rates : endpoint -> (patients,) yes/no
    """

    patient: NDArray[np.int64]
    arm: NDArray[np.int64]
    enrol_day: Array
    lost_day: Array
    times: dict[str, TimeToEvent]
    rates: dict[str, NDArray[np.bool_]]


def allocate(pool: Pool, seed: int, trial_number: int = 0) -> NDArray[np.int64]:
    """Arm of every patient of the pool by the trial's randomisation, in the order of enrolment."""
    trial = pool.plan.trial
    factors = [member(pool.cohort.attributes, s) for s in trial.randomisation.strata]
    codes = stratum_codes(factors)
    if codes is None:
        codes = np.zeros(pool.n, dtype=np.int64)
    return randomise(seed, trial_number, codes, trial.randomisation.ratio, trial.randomisation.block)


def observe_arms(pool: Pool, arm: NDArray[np.int64], seed: int, first: int | None = None) -> TrialData:
    """The randomised trial in which patient k of the pool is in arm `arm[k]`; every endpoint at its own cut.

    Parameters
    ----------
    first : key of enrolment and loss of contact of the pool's first patient, default her id; a later part of a pool
        goes on counting from the first patient of the whole
    """
    trial = pool.plan.trial
    key = int(pool.arms[0].patient[0]) if first is None else first
    n = pool.n
    enrol = enrol_times(seed, key, n, trial.accrual.duration)
    lost = loss_times(seed, key, n, trial.drop_out.rate)
    times: dict[str, TimeToEvent] = {}
    rates: dict[str, NDArray[np.bool_]] = {}
    for endpoint in endpoints_of(trial):
        cut = trial.cut_of(endpoint if endpoint in TIMES else trial.analyses[0].endpoint)
        known = np.minimum(np.maximum(cut - enrol, 0.0), lost)
        if endpoint in TIMES:
            parts = [cut_data(f, endpoint, enrol, lost, cut, trial.scans.every) for f in pool.arms]
            pick = (arm, np.arange(n))
            times[endpoint] = TimeToEvent(
                np.stack([p.time for p in parts])[pick],
                np.stack([p.event for p in parts])[pick],
                np.stack([p.reason for p in parts])[pick],
            )
        else:
            rule = RATE_RULES[endpoint]
            rates[endpoint] = np.stack([rule(f, known) for f in pool.arms])[arm, np.arange(n)]
    return TrialData(np.arange(n), arm, enrol, lost, times, rates)


def arm_statistics(data: TrialData, arm: int) -> dict[str, Estimate]:
    """Rates (fraction) and medians (month) of one arm with 95 % intervals of the trial."""
    from her2.survival import wilson

    inside = data.arm == arm
    result: dict[str, Estimate] = {}
    for name, flags in data.rates.items():
        k, n = int(flags[inside].sum()), int(inside.sum())
        interval = wilson(k, n)
        result[name] = Estimate(k / n, interval.lower, interval.upper)
    for name, tte in data.times.items():
        curve = kaplan_meier(tte.time[inside] / DAYS_PER_MONTH, tte.event[inside])
        q = curve.quantile([0.5])
        result[name] = Estimate(*(float(np.asarray(x).ravel()[0]) for x in (q.time, q.lower, q.upper)))
    return result


def contrast_statistics(data: TrialData, experimental: int, control: int) -> dict[str, Estimate]:
    """Hazard ratios (Cox, Efron) of one arm against another with 95 % Wald intervals."""
    inside = (data.arm == experimental) | (data.arm == control)
    result: dict[str, Estimate] = {}
    for name, tte in data.times.items():
        fit = two_arm_cox(tte.time[inside], tte.event[inside], data.arm[inside] == experimental)
        result[name] = Estimate(fit.hazard_ratio, fit.lower, fit.upper)
    return result


@dataclass(frozen=True)
class Replicates:
    """Statistics of many simulated trials: arm -> endpoint -> (trials,), and contrast -> endpoint -> (trials,)."""

    arms: tuple[dict[str, Array], ...]
    contrasts: dict[tuple[int, int], dict[str, Array]]


def resample_trials(
    pools: Sequence[Pool], n_trials: int, size: int, seed: int, *, noise_pools: Sequence[Pool] | None = None
) -> Replicates:
    """Statistics of simulated trials of the real size, drawn from pools of twins.

    Each trial takes one pool in turn, draws `size` patients from it with replacement, randomises them, gives each
    a new enrolment day and loss of contact, and cuts the data.

    Parameters
    ----------
    noise_pools : if given, the same trials (same patients, arms, enrolment) read from these pools instead: the
        difference between the two results is the noise of events and scans alone.
    """
    source = pools if noise_pools is None else noise_pools
    trial = pools[0].plan.trial
    ratio = np.asarray(trial.randomisation.ratio, dtype=np.float64)
    bounds = np.cumsum(ratio) / ratio.sum()
    names_t = [e for e in endpoints_of(trial) if e in TIMES]
    names_r = [e for e in trial.endpoints.reported if e in RATES]
    n_arms = len(trial.arms)
    control = [a.id for a in trial.arms].index(trial.control)
    experimental = [k for k in range(n_arms) if k != control]
    times = {e: np.empty((n_trials, size)) for e in names_t}
    events = {e: np.empty((n_trials, size), dtype=bool) for e in names_t}
    rates = {e: np.empty((n_trials, size), dtype=bool) for e in names_r}
    arms = np.empty((n_trials, size), dtype=np.int64)
    for t in range(n_trials):
        pool = source[t % len(source)]
        base = 7 * t
        pick = (np.asarray(uniforms(seed, 0, size, int(Purpose.RESAMPLING), base)) * pool.n).astype(np.int64)
        # exact allocation: the ranks of random keys decide the arm
        order = np.argsort(
            np.asarray(uniforms(seed, 0, size, int(Purpose.RESAMPLING), base + 1)), kind="stable"
        )
        position = np.empty(size)
        position[order] = (np.arange(size) + 0.5) / size
        arm = np.searchsorted(bounds, position)
        arms[t] = arm
        enrol = trial.accrual.duration * np.asarray(
            uniforms(seed, 0, size, int(Purpose.RESAMPLING), base + 2)
        )
        u = np.asarray(uniforms(seed, 0, size, int(Purpose.RESAMPLING), base + 3))
        lost = -np.log(u) / trial.drop_out.rate if trial.drop_out.rate > 0 else np.full(size, np.inf)
        for k in range(n_arms):
            here = np.nonzero(arm == k)[0]
            followed = pool.arms[k].take(pick[here])
            for e in names_t:
                tte = cut_data(followed, e, enrol[here], lost[here], trial.cut_of(e), trial.scans.every)
                times[e][t, here] = tte.time
                events[e][t, here] = tte.event
            cut = trial.cut_of(trial.analyses[0].endpoint)
            known = np.minimum(np.maximum(cut - enrol[here], 0.0), lost[here])
            for e in names_r:
                rates[e][t, here] = RATE_RULES[e](followed, known)
    arm_results: list[dict[str, Array]] = []
    for k in range(n_arms):
        inside = arms == k
        values: dict[str, Array] = {}
        for e in names_r:
            values[e] = (rates[e] & inside).sum(axis=1) / inside.sum(axis=1)
        arm_results.append(values)
    contrasts: dict[tuple[int, int], dict[str, Array]] = {}
    for e in names_t if not experimental else ():
        arm_results[control][e] = (
            two_arm_median_batch(times[e], events[e], arms == control)[:, 1] / DAYS_PER_MONTH
        )
    for x in experimental:
        flat = (arms == x) | (arms == control)
        offsets = np.concatenate([[0], np.cumsum(flat.sum(axis=1))])
        is_x = (arms == x)[flat]
        ratios: dict[str, Array] = {}
        for e in names_t:
            # both medians and the hazard ratio from one sorting of each trial
            found = two_arm_statistics_batch(
                times[e][flat], events[e][flat], is_x, offsets=offsets, level=None
            )
            arm_results[x][e] = found.median[:, 1] / DAYS_PER_MONTH
            arm_results[control][e] = found.median[:, 0] / DAYS_PER_MONTH
            ratios[e] = found.cox.hazard_ratio
        contrasts[(x, control)] = ratios
    return Replicates(tuple(arm_results), contrasts)


def subgroup_effects(
    pool: Pool, data: TrialData, endpoint: str, experimental: int, control: int
) -> list[dict[str, object]]:
    """Hazard ratio in each subgroup: the true one (twins: every patient on both arms) beside the trial's estimate."""
    trial = pool.plan.trial
    rows: list[dict[str, object]] = []
    everyone = np.ones(pool.n, dtype=bool)
    groups = [("all", everyone)]
    for name in trial.subgroups:
        inside = member(pool.cohort.attributes, name)
        groups += [(name, inside), (f"not {name}", ~inside)]
    one, other = (
        cut_data(
            pool.arms[k], endpoint, data.enrol_day, data.lost_day, trial.cut_of(endpoint), trial.scans.every
        )
        for k in (experimental, control)
    )
    for name, inside in groups:
        if inside.sum() < 20:
            continue
        true = twin_cox(one, other, inside)
        here = inside & ((data.arm == experimental) | (data.arm == control))
        tte = data.times[endpoint]
        fit = two_arm_cox(tte.time[here], tte.event[here], data.arm[here] == experimental)
        rows.append(
            {
                "subgroup": name,
                "n": int(here.sum()),
                "events": int(tte.event[here].sum()),
                "hr": fit.hazard_ratio,
                "low": fit.lower,
                "high": fit.upper,
                "true_hr": true.hazard_ratio,
            }
        )
    return rows
