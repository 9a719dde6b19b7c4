"""Calibration targets: the reviews' figures marked for fitting, on scales where errors are roughly normal.

Rates on the logit, medians and hazard ratios on the log scale. The error of a target is its sampling error at the
trial's size plus a between-trial and model discrepancy (logit 0.2, log median 0.10 for PFS and TTP and 0.15 for OS,
log hazard ratio 0.05), as the prototype's residuals suggested.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from her2.evidence.fit_view import fit_values
from her2.trials.analyse import observe_arms
from her2.trials.cut import TimeToEvent
from her2.trials.design import Trial
from her2.trials.follow import Pool
from her2.trials.intervals import twin_cox
from her2.units import DAYS_PER_MONTH

FIT_TRIALS = (
    "vogel_2002", "slamon_2001", "m77001", "cleopatra", "averel", "tdm4450g",
    "marianne", "bolero_1", "ctg_ma31", "martin_2012", "tandem", "egf30008", "electra", "gbg_26", "egf100151", "emilia",
    "bolero_3", "cerebel", "lux_breast_1", "egf104900", "martin_2013", "th3resa", "landscape", "egf105084",
    "lux_breast_3",
)  # fmt: skip
"""Trials used; of the held-out ones only the control arms, as the protocol allows."""
SEARCH_WEIGHT = {"cleopatra": 0.5}
"""Factor on the errors of a trial's figures while the mode is searched. CLEOPATRA is the package's main job and the
only fitted trial of pertuzumab; with the weight of every other trial its response rate comes out ten points low.
The spread of the posterior and all scores use the plain errors."""
DISCREPANCY = {"rate": 0.2, "cns_orr": 0.3, "pfs": 0.10, "ttp": 0.10, "os": 0.15, "hr": 0.05}


def discrepancy_of(endpoint: str, statistic: str) -> float:
    """SD between trials and model that the error of a target holds besides sampling, on its scale."""
    if statistic == "hr":
        return DISCREPANCY["hr"]
    if statistic == "rate":
        return DISCREPANCY.get(endpoint, DISCREPANCY["rate"])
    return DISCREPANCY[endpoint]


@dataclass(frozen=True)
class Target:
    """One figure to fit: its transformed value and error, and what it is."""

    trial: str
    endpoint: str
    statistic: str
    arm: int
    control: int
    value: float
    error: float
    published: str

    @property
    def search_error(self) -> float:
        """Error while the mode is searched."""
        return self.error * SEARCH_WEIGHT.get(self.trial, 1.0)

    @property
    def name(self) -> str:
        """Readable name."""
        return f"{self.trial} {self.endpoint} {self.statistic} arm {self.arm}"


def collect_targets(trials: Sequence[Trial]) -> list[Target]:
    """Targets of the trials, from the figures of the record that may be fitted."""
    targets: list[Target] = []
    for trial in trials:
        assert trial.study is not None
        arms = [a.id for a in trial.arms]
        ratio = np.asarray(trial.randomisation.ratio, dtype=np.float64)
        sizes = trial.population.size * ratio / ratio.sum()
        for v in fit_values(trial.study):
            if v.value is None:
                continue
            if v.statistic == "hr" and v.contrast is not None:
                if v.contrast.experimental not in arms or v.contrast.control not in arms:
                    continue
                assert v.ci_low is not None and v.ci_high is not None
                error = math.log(v.ci_high / v.ci_low) / (2 * 1.959964)
                targets.append(
                    Target(
                        trial.id,
                        v.endpoint,
                        "hr",
                        arms.index(v.contrast.experimental),
                        arms.index(v.contrast.control),
                        math.log(v.value),
                        math.hypot(error, discrepancy_of(v.endpoint, "hr")),
                        v.id,
                    )
                )
            elif v.arm in arms and v.statistic == "rate":
                n = sizes[arms.index(v.arm)]
                error = 1.0 / math.sqrt(n * v.value * (1.0 - v.value))
                logit = math.log(v.value / (1.0 - v.value))
                targets.append(
                    Target(
                        trial.id,
                        v.endpoint,
                        "rate",
                        arms.index(v.arm),
                        -1,
                        logit,
                        math.hypot(error, discrepancy_of(v.endpoint, "rate")),
                        v.id,
                    )
                )
            elif v.arm in arms and v.statistic == "median":
                n = sizes[arms.index(v.arm)]
                share = 0.55 if v.endpoint == "os" else 0.7
                error = 1.25 / math.sqrt(share * n)
                targets.append(
                    Target(
                        trial.id,
                        v.endpoint,
                        "median",
                        arms.index(v.arm),
                        -1,
                        math.log(v.value),
                        math.hypot(error, discrepancy_of(v.endpoint, "median")),
                        v.id,
                    )
                )
    return targets


def fitted_arms(targets: Sequence[Target]) -> dict[str, list[int]]:
    """Arms of each trial of which some target speaks; the others need not be simulated."""
    arms: dict[str, set[int]] = {}
    for t in targets:
        arms.setdefault(t.trial, set()).update({t.arm} | ({t.control} if t.control >= 0 else set()))
    return {trial: sorted(found) for trial, found in arms.items()}


def predict_targets(targets: Sequence[Target], pools: dict[str, Pool], seed: int) -> np.ndarray:
    """The same statistics of simulated pools, on the same scales: (targets,).

    Parameters
    ----------
    pools : by trial, each of all arms or of those of `fitted_arms`
    """
    followed = fitted_arms(targets)
    result = np.empty(len(targets))
    cache: dict[tuple[str, int], object] = {}
    for k, target in enumerate(targets):
        pool = pools[target.trial]

        def data(arm: int, pool: Pool = pool, trial: str = target.trial) -> object:
            if (trial, arm) not in cache:
                whole = len(pool.arms) == len(pool.plan.trial.arms)
                place = arm if whole else followed[trial].index(arm)
                cache[(trial, arm)] = observe_arms(pool, np.full(pool.n, place), seed)
            return cache[(trial, arm)]

        one = data(target.arm)
        if target.statistic == "rate":
            flags = one.rates[target.endpoint]  # type: ignore[attr-defined]
            p = (flags.sum() + 0.5) / (flags.size + 1.0)
            result[k] = math.log(p / (1.0 - p))
        elif target.statistic == "median":
            tte = one.times[target.endpoint]  # type: ignore[attr-defined]
            step = pool.plan.trial.scans.every if target.endpoint != "os" else 0.0
            result[k] = math.log(smooth_median(tte, step) / DAYS_PER_MONTH)
        else:
            other = data(target.control)
            a, b = one.times[target.endpoint], other.times[target.endpoint]  # type: ignore[attr-defined]
            result[k] = twin_cox(a, b).coef
    return result


def smooth_median(tte: TimeToEvent, step: float) -> float:
    """Kaplan-Meier median made continuous in the parameters, day.

    Scan-dated times fall on a grid, so that the plain median jumps. Here the curve is interpolated between grid points
    and half a scan interval added, the mean of what a trial with that interpolated crossing would report.
    Beyond the follow-up the last hazard is extended.
    """
    from her2.survival import kaplan_meier

    curve = kaplan_meier(tte.time, tte.event)
    times, survival = np.asarray(curve.times), np.asarray(curve.survival)
    if step > 0:
        grid = np.arange(0.0, times[-1] + step, step)
        s = np.concatenate([[1.0], survival])[np.searchsorted(times, grid, side="right")]
    else:
        grid, s = np.concatenate([[0.0], times]), np.concatenate([[1.0], survival])
    below = np.nonzero(s <= 0.5)[0]
    if below.size == 0:
        rate = -math.log(max(s[-1], 1e-6)) / max(grid[-1], 1.0)
        return float(math.log(2.0) / max(rate, 1e-6))
    j = int(below[0])
    fraction = (s[j - 1] - 0.5) / (s[j - 1] - s[j]) if s[j - 1] > s[j] else 0.0
    return float(grid[j - 1] + fraction * (grid[j] - grid[j - 1]) + 0.5 * step)
