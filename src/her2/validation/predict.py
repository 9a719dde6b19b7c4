"""Predict one trial: the statistics of many trials of its real size, drawn from pools of several posterior members.

Nothing here looks at a published figure. The same function serves validation, forecasts and, with `null_model`, the
baseline without interplay of the drugs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from her2.errors import RecordError, unknown
from her2.evidence.fit_view import fitted_keys
from her2.model import Model
from her2.posterior import load_posterior, member_model
from her2.scale import active
from her2.survival import kaplan_meier
from her2.trials.analyse import Replicates, TrialData, observe_arms, resample_trials
from her2.trials.between import between_trial_sd
from her2.trials.design import RESPONSE_SETTINGS, SUBGROUPS, Trial, load_regimen
from her2.trials.endpoints import member as member_of
from her2.trials.follow import Plan, Pool, prepare_trial, simulate_pool
from her2.trials.intervals import Kind, Predictive, kind_of, predictive_sample, twin_cox, twin_error
from her2.trials.tasks import PoolTask, simulate_pools
from her2.units import DAYS_PER_MONTH

Array = NDArray[np.float64]
LEVELS = (0.5, 0.8, 0.9)
"""Levels of the predictive intervals that are shown and scored."""
NOT, HAD, AFTER = "not ", "had ", "after "
SMALLEST_SUBGROUP = 20
"""Patients of a member's pool below which a subgroup is not predicted."""
SUBGROUP_FACTOR = 3
"""So many times the patients per member where a subgroup is asked for, so that it holds enough of them."""
_GRID = 121


@dataclass(frozen=True)
class StatKey:
    """What a statistic is of: an arm's rate or median, or the hazard ratio of a contrast; all patients or a subgroup.

    Attributes
    ----------
    endpoint : name of `trials.design`
    arm : id of the arm; empty for a contrast
    experimental, control : ids of the two arms of a contrast; empty for an arm
    subgroup : name of `trials.design.SUBGROUPS`, with "not " before it for the rest, or one of the forms of
        `split_histories`; empty for all patients
    """

    endpoint: str
    arm: str = ""
    experimental: str = ""
    control: str = ""
    subgroup: str = ""

    @property
    def kind(self) -> Kind:
        """Rate, median or hazard ratio."""
        return kind_of(self.endpoint) if self.arm else "hr"

    @property
    def who(self) -> str:
        """The arm or the two arms, and the subgroup, readable."""
        what = self.arm or f"{self.experimental} v {self.control}"
        return f"{what}, {self.subgroup}" if self.subgroup else what


@dataclass(frozen=True, eq=False)
class PredictedCurve:
    """Event-free share of an arm over time: median over the members and their central 90 %.

    Attributes
    ----------
    months : (points,)
    middle, low, high : (points,), fraction
    """

    arm: str
    endpoint: str
    months: Array
    middle: Array
    low: Array
    high: Array


@dataclass(frozen=True, eq=False)
class Members:
    """Members of the posterior, their models built once for all trials.

    Attributes
    ----------
    numbers : their rows in the ensemble
    places : position of each among the members of the run, which keys its patients
    """

    numbers: tuple[int, ...]
    models: tuple[Model, ...]
    places: tuple[int, ...]

    def every(self, step: int) -> Members:
        """Every so-manieth of them, with the same patients."""
        return Members(self.numbers[::step], self.models[::step], self.places[::step])


def load_members(n: int) -> Members:
    """Members evenly spaced in the ensemble, at most all of it."""
    posterior = load_posterior()
    used = min(n, posterior.n)
    numbers = tuple(int(m) for m in np.linspace(0, posterior.n - 1, used).astype(int))
    return Members(numbers, tuple(member_model(m) for m in numbers), tuple(range(used)))


@dataclass(frozen=True, eq=False)
class TrialPrediction:
    """Everything predicted of one trial.

    Attributes
    ----------
    statistics : of the model
    null : of the null model; empty if it was not run
    members : posterior members behind it
    null_members : posterior members behind the null model's
    between : SD of the between-trial effect by kind of statistic, for what was not fitted
    between_fitted : the same for figures that were
    patients : virtual patients per member, each on every arm
    n_trials : simulated trials of the real size
    missing : endpoints of the trial file, and subgroups asked for, that the engine did not give, each with the reason
    failed_patients : patients whose simulation failed, all members
    digest : BLAKE2b over the simulated patients and the settings
    """

    trial: Trial
    statistics: dict[StatKey, Predictive]
    null: dict[StatKey, Predictive]
    curves: tuple[PredictedCurve, ...]
    members: tuple[int, ...]
    null_members: tuple[int, ...]
    between: Mapping[Kind, float]
    between_fitted: Mapping[Kind, float]
    patients: int
    n_trials: int
    missing: tuple[str, ...]
    failed_patients: int
    digest: str


def predict_trial(
    trial: Trial,
    *,
    members: int | Members = 32,
    patients: int = 128,
    trials: int = 1000,
    seed: int = 1,
    jobs: int = 1,
    null: bool = True,
    curves: bool = True,
    subgroups: Sequence[str] = (),
    between: Mapping[Kind, float] | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> TrialPrediction:
    """Predict the statistics of a trial at its real size, allocation and follow-up.

    Parameters
    ----------
    members : posterior members, evenly spaced in the ensemble, that carry the parameter uncertainty
    patients : virtual patients per member, each followed on every arm; `SUBGROUP_FACTOR` times as many where a
        subgroup by a marker is asked for. The engine takes patients in blocks of 64: multiples of that cost least
    trials : trials of the real size, drawn from the members' pools in turn
    null : whether to predict with the null model as well, by the same procedure, with every other member
    curves : whether to keep the curves of the primary time endpoint
    subgroups : predicted besides all patients, as in `StatKey`
    between : SD of the between-trial effect by kind of statistic; default that of `trials.between` without the trial
    on_progress : called with the share done, 0 to 1

    Raises
    ------
    her2.errors.Her2Error
        If the trial cannot be simulated.
    ValueError
        If there are fewer trials than members, or fewer than two members.
    """
    group = load_members(members) if isinstance(members, int) else members
    used = len(group.numbers)
    if used < 2 or trials < used:
        raise ValueError(f"expected two members or more and at least as many trials, got {used} and {trials}")
    for name in subgroups:
        check_subgroup(name)
    if any(not is_history(name) for name in subgroups):
        patients *= SUBGROUP_FACTOR
    null_group = group.every(2) if used > 3 else group
    spread = between_trial_sd(trial.study) if between is None else between
    spread_fitted = between_trial_sd(trial.study, fitted=True) if between is None else between
    total = (used + (len(null_group.numbers) if null else 0)) * patients * len(trial.arms)
    done = 0

    def count(k: int) -> None:
        nonlocal done
        done += k
        if on_progress is not None:
            on_progress(min(done / total, 1.0))

    def pools_of(design: Trial, plan: Plan, *, null_model: bool) -> list[Pool]:
        mine = null_group if null_model else group
        draws = [(m, seed + 104_729 * (place + 1)) for place, m in zip(mine.places, mine.models, strict=True)]
        executor = active()
        if executor is None:
            made = [
                simulate_pool(
                    m, design, patients, own, null_model=null_model, jobs=jobs, on_patients=count, plan=plan
                )
                for m, own in draws
            ]
        else:
            # all members at once, or a cluster would wait for each
            tasks = [PoolTask.of(m, design, patients, own, null_model=null_model) for m, own in draws]
            plans = [plan.carrying(m) for m, _ in draws]
            made = simulate_pools(tasks, executor, plans=plans, on_patients=count)
        for pool in made:
            for followed in pool.arms:
                h.update(followed.digest().encode())
        every.extend(made)
        return made

    every: list[Pool] = []
    h = hashlib.blake2b(digest_size=16)
    settings = (group.numbers, patients, trials, seed, null, sorted(subgroups), sorted(spread.items()),
                sorted(spread_fitted.items()))  # fmt: skip
    h.update(f"{trial.model_dump_json()} {settings}".encode())
    plan = prepare_trial(group.models[0], trial)
    pools = pools_of(trial, plan, null_model=False)
    null_pools = pools_of(trial, plan, null_model=True) if null else []
    draw = Draw(trials, seed, spread, spread_fitted, fitted_keys(trial.study))
    statistics, missing = _statistics(pools, draw, "")
    null_statistics = _statistics(null_pools, draw, "")[0] if null else {}
    for name in dict.fromkeys(subgroups):
        part, share = split_histories(trial, name)
        if part is not None and share > 0:
            # other prior lines make other patients: they are drawn for themselves
            its = prepare_trial(group.models[0], part)
            statistics.update(_statistics(pools_of(part, its, null_model=False), draw, name, share)[0])
            if null:
                mine = pools_of(part, its, null_model=True)
                null_statistics.update(_statistics(mine, draw, name, share)[0])
            continue
        inside = [] if part is not None else [_only(p, name) for p in pools]
        if not inside or min(p.n for p in inside) < SMALLEST_SUBGROUP:
            missing.append(f"subgroup {name}: fewer than {SMALLEST_SUBGROUP} patients in a member's pool")
            continue
        share = sum(p.n for p in inside) / sum(p.n for p in pools)
        statistics.update(_statistics(inside, draw, name, share)[0])
        inside = [_only(p, name) for p in null_pools]
        if inside and min(p.n for p in inside) >= SMALLEST_SUBGROUP:
            null_statistics.update(_statistics(inside, draw, name, share)[0])
    return TrialPrediction(
        trial=trial,
        statistics=statistics,
        null=null_statistics,
        curves=_curves(pools, seed) if curves else (),
        members=group.numbers,
        null_members=null_group.numbers if null else (),
        between=spread,
        between_fitted=spread_fitted,
        patients=patients,
        n_trials=trials,
        missing=tuple(missing),
        failed_patients=sum(int(p.failed.size) for p in every),
        digest=h.hexdigest(),
    )


def with_endpoints(trial: Trial, names: Sequence[str]) -> Trial:
    """The trial with further endpoints reported, as far as they exist in its setting; each cut as `Trial.cut_of`."""
    possible = [n for n in names if n in RESPONSE_SETTINGS[trial.setting]]
    reported = tuple(dict.fromkeys((*trial.endpoints.reported, *possible)))
    return trial.model_copy(update={"endpoints": trial.endpoints.model_copy(update={"reported": reported})})


def _only(pool: Pool, subgroup: str) -> Pool:
    """The pool's patients of a subgroup, or of the rest."""
    inside = member_of(pool.cohort.attributes, subgroup.removeprefix(NOT))
    keep = np.nonzero(inside != subgroup.startswith(NOT))[0]
    return replace(pool, cohort=pool.cohort.take(keep), arms=tuple(a.take(keep) for a in pool.arms))


def check_subgroup(name: str) -> None:
    """Refuse a subgroup the model has not.

    Raises
    ------
    her2.errors.UnknownNameError
    """
    plain = name.removeprefix(NOT)
    if plain not in SUBGROUPS and not is_history(name):
        raise unknown("subgroup", plain, SUBGROUPS)


def is_history(name: str) -> bool:
    """Whether a subgroup is one of prior lines, not of a marker."""
    return name.removeprefix(NOT).startswith((HAD, AFTER))


def split_histories(trial: Trial, name: str) -> tuple[Trial | None, float]:
    """The trial with the patients of some prior lines only, and their share; None where the name asks for no lines.

    Where no patient has such lines, the share is 0 and the trial stays as it is.

    Parameters
    ----------
    name : `had AGENT` (in an earlier line), `not had AGENT`, or `after N lines`
    """
    plain = name.removeprefix(NOT)
    if not is_history(name):
        return None, 1.0

    def belongs(lines: tuple[str, ...]) -> bool:
        if plain.startswith(AFTER):
            return len(lines) == int(plain.removeprefix(AFTER).split()[0])
        wanted = plain.removeprefix(HAD)
        return any(c.agent == wanted for line in lines for c in load_regimen(line).components)

    kept = [h for h in trial.entry_histories if belongs(h.lines) != name.startswith(NOT)]
    share = sum(h.share for h in kept)
    if not kept:
        return trial, 0.0
    histories = tuple(h.model_copy(update={"share": h.share / share}) for h in kept)
    return trial.model_copy(update={"histories": histories, "prior_lines": ()}), share


@dataclass(frozen=True)
class Draw:
    """How simulated trials become a predictive sample.

    Attributes
    ----------
    trials : trials of the real size
    between, between_fitted : SD of the between-trial effect by kind of statistic, for a figure not fitted and fitted
    fitted : figures that were fitted, as in `her2.evidence.fit_view.fitted_keys`
    """

    trials: int
    seed: int
    between: Mapping[Kind, float]
    between_fitted: Mapping[Kind, float]
    fitted: frozenset[tuple[str, ...]]

    def sd_of(self, key: StatKey) -> float:
        """SD of the between-trial effect on a statistic."""
        name = (key.endpoint, key.arm) if key.arm else (key.endpoint, key.experimental, key.control)
        fitted = not key.subgroup and name in self.fitted
        return (self.between_fitted if fitted else self.between)[key.kind]

    def sample(
        self,
        samples: Array,
        key: StatKey,
        members: int,
        size: int,
        n_arm: float,
        pool: int,
        pairing: float = 1.0,
    ) -> Predictive:
        """Replicates of a statistic as a predictive sample; the rest as in `predictive_sample`."""
        return predictive_sample(
            samples, key.kind, members, size=size, n_arm=n_arm, pool=pool,
            between=self.sd_of(key), seed=self.seed, pairing=pairing,
        )  # fmt: skip


def _statistics(
    pools: Sequence[Pool], draw: Draw, subgroup: str, share: float = 1.0
) -> tuple[dict[StatKey, Predictive], list[str]]:
    """Every reported statistic of the arms and contrasts, and reported endpoints that did not come."""
    trial = pools[0].plan.trial
    size = max(round(trial.population.size * share), 2 * sum(trial.randomisation.ratio))
    replicates = resample_trials(pools, draw.trials, size, draw.seed)
    ratio = np.asarray(trial.randomisation.ratio, dtype=np.float64)
    n_of = size * ratio / ratio.sum()
    pool_n = round(float(np.mean([p.n for p in pools])))
    found: dict[StatKey, Predictive] = {}
    for k, arm in enumerate(trial.arms):
        for e in trial.endpoints.reported:
            samples = replicates.arms[k].get(e)
            if samples is not None:
                key = StatKey(e, arm=arm.id, subgroup=subgroup)
                found[key] = draw.sample(samples, key, len(pools), size, float(n_of[k]), pool_n)
    found.update(_contrasts(pools, replicates, draw, n_of, size, pool_n, subgroup))
    came = {key.endpoint for key in found}
    missing = [f"{e}: the engine gave no statistic" for e in trial.endpoints.reported if e not in came]
    return found, missing


def _contrasts(
    pools: Sequence[Pool],
    replicates: Replicates,
    draw: Draw,
    n_of: Array,
    size: int,
    pool_n: int,
    subgroup: str,
) -> dict[StatKey, Predictive]:
    """Hazard ratios of every contrast with the control."""
    trial = pools[0].plan.trial
    found: dict[StatKey, Predictive] = {}
    if not replicates.contrasts:
        return found
    on_arm = [[observe_arms(p, np.full(p.n, k), draw.seed) for k in range(len(trial.arms))] for p in pools]
    for (x, c), row in replicates.contrasts.items():
        # the variance of a log hazard ratio goes with 1/n of the one arm plus 1/n of the other
        n_arm = float(2.0 / (1.0 / n_of[x] + 1.0 / n_of[c]))
        for e, samples in row.items():
            if e not in trial.endpoints.reported:
                continue
            key = StatKey(e, experimental=trial.arms[x].id, control=trial.arms[c].id, subgroup=subgroup)
            pairing = pairing_share([(data[x], data[c]) for data in on_arm], e)
            found[key] = draw.sample(samples, key, len(pools), size, n_arm, pool_n, pairing)
    return found


def pairing_share(twins: Sequence[tuple[TrialData, TrialData]], endpoint: str) -> float:
    """Share of the variance of a log hazard ratio that is left when both arms hold the same patients, 0 to 1.

    Parameters
    ----------
    twins : of each pool, all its patients on the one arm and on the other
    """
    paired, plain = [], []
    for one, other in twins:
        a, b = one.times[endpoint], other.times[endpoint]
        fit = twin_cox(a, b)
        error = twin_error(a, b)
        if np.isfinite(error) and np.isfinite(fit.std_err):
            paired.append(error**2)
            plain.append(fit.std_err**2)
    return min(float(np.mean(paired) / np.mean(plain)), 1.0) if plain and np.mean(plain) > 0 else 1.0


def _curves(pools: Sequence[Pool], seed: int) -> tuple[PredictedCurve, ...]:
    """Curves of the primary endpoint, or of the first reported time where the primary is a rate."""
    trial = pools[0].plan.trial
    times = [e for e in (trial.endpoints.primary, *trial.endpoints.reported) if kind_of(e) == "median"]
    if not times:
        return ()
    endpoint = times[0]
    months = np.linspace(0.0, trial.cut_of(endpoint) / DAYS_PER_MONTH, _GRID)
    found = []
    for k, arm in enumerate(trial.arms):
        rows = []
        for pool in pools:
            data = observe_arms(pool, np.full(pool.n, k), seed)
            if endpoint not in data.times:
                return ()
            tte = data.times[endpoint]
            curve = kaplan_meier(tte.time / DAYS_PER_MONTH, tte.event)
            rows.append(np.asarray(curve.survival_at(months)))
        # as far as every member's follow-up goes: beyond, only curves that have reached 0 would be left
        known = ~np.any(np.isnan(rows), axis=0)
        low, middle, high = np.quantile(np.array(rows)[:, known], [0.05, 0.5, 0.95], axis=0)
        found.append(PredictedCurve(arm.id, endpoint, months[known], middle, low, high))
    return tuple(found)


def check_sizes(members: int, patients: int, trials: int) -> None:
    """Refuse sizes that cannot give an interval.

    Raises
    ------
    her2.errors.RecordError
        Fewer trials than members: some member would carry no trial.
    """
    if trials < 2 * members:
        raise RecordError(
            f"{trials} simulated trials for {members} members: expected at least two trials per member; raise "
            "--trials-simulated or lower --members"
        )
    if patients < 50:
        raise RecordError(f"{patients} patients per member: expected 50 or more")
