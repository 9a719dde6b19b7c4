"""Validate: predict every trial of the record, pair it with the published figures, score it beside the baselines."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from her2.errors import ClusterError
from her2.evidence.load import load_studies
from her2.posterior import ENSEMBLE
from her2.trials.between import between_trial_sd, load_between
from her2.trials.design import Trial, load_trial, trial_names
from her2.trials.intervals import Kind, to_scale
from her2.trials.write import digest_of
from her2.units import DAYS_PER_MONTH
from her2.validation.baselines import CONSTANT_HR, SAYS, Knowledge, learn
from her2.validation.leave_out import LeftOut, LinearPosterior, leave_out, load_linear_posterior
from her2.validation.pairs import Figure, Paired, Unpaired, pair_trial, without_trial
from her2.validation.predict import TrialPrediction, check_sizes, load_members, predict_trial
from her2.validation.scores import GROUPS, Compared, Score, score_group

POINT_BASELINES = tuple(name for name in SAYS if name != "null_model")


@dataclass(frozen=True, eq=False)
class Validated:
    """One trial: prediction, published figures, and both beside each other.

    Attributes
    ----------
    left_out : predictions without the trial's own figures
    compared : one per figure, in the order of the prediction
    compared_left_out : the same figures with the trial left out
    """

    prediction: TrialPrediction
    paired: Paired
    left_out: LeftOut
    compared: tuple[Compared, ...]
    compared_left_out: tuple[Compared, ...]

    @property
    def trial(self) -> Trial:
        """The trial."""
        return self.prediction.trial


@dataclass(frozen=True)
class NotRun:
    """A trial that did not run, with its error."""

    name: str
    error: str


@dataclass(frozen=True, eq=False)
class Validation:
    """Everything `her2 validate` shows.

    Attributes
    ----------
    without_trial : studies with a fitted figure that no trial file answers; empty unless all trials were asked for
    between, between_fitted : SD of the between-trial effect of a figure that was not fitted, and of one that was, in a
        trial that took no part in its estimate
    between_is_current : whether that was estimated with this posterior
    """

    trials: tuple[Validated, ...]
    not_run: tuple[NotRun, ...]
    scores: tuple[Score, ...]
    held_out: bool
    without_trial: tuple[str, ...]
    settings: Mapping[str, int]
    between: Mapping[Kind, float]
    between_fitted: Mapping[Kind, float]
    between_is_current: bool
    version: str
    posterior_digest: str
    digest: str

    @property
    def compared(self) -> list[Compared]:
        """All figures beside their predictions."""
        return [c for t in self.trials for c in t.compared]

    @property
    def unpaired(self) -> list[Unpaired]:
        """Figures that no statistic of any trial file answers, each once."""
        answered = {i for t in self.trials for i in t.paired.answered - {u.id for u in t.paired.unpaired}}
        found = {u.id: u for t in self.trials for u in t.paired.unpaired if u.id not in answered}
        return list(found.values())

    def misses(self) -> list[tuple[float, Validated, Compared]]:
        """Figures outside their 90 % interval, largest first, by their distance in units of the interval's half."""
        found = [
            (distance(c), t, c)
            for t in self.trials
            for c in t.compared
            if not c.inside(0.9) and not math.isnan(c.predicted.median)
        ]
        return sorted(found, key=lambda m: -m[0])


def distance(c: Compared) -> float:
    """How far a figure lies from the predicted median, in half-widths of the 90 % interval on that side.

    1 is the edge of the interval; rates on the logit, times and hazard ratios on the log scale.
    """

    def scale(x: float) -> float:
        return float(to_scale(np.array([x]), c.predicted.kind, 1e-3)[0])

    low, high = c.predicted.limits(0.9)
    middle, seen = scale(c.predicted.median), scale(c.figure.value)
    edge = scale(high if seen > middle else low)
    return abs(seen - middle) / abs(edge - middle) if edge != middle else math.inf


def validate(
    names: Sequence[str] = (),
    *,
    held_out: bool = False,
    members: int = 32,
    patients: int = 128,
    trials: int = 1000,
    seed: int = 1,
    jobs: int = 1,
    null: bool = True,
    between: Mapping[Kind, float] | None = None,
    on_progress: Callable[[str, float], None] | None = None,
) -> Validation:
    """Predict trials and compare them with the published figures that may be looked at.

    A trial that cannot be read or simulated is kept with its error; the others go on. Trials run side by side, the
    longest first. A trial none of whose figures is fitted or held out is a forecast: it gets every other member and no
    null model.

    Parameters
    ----------
    names : built-in trials or paths; all built-in ones if empty
    held_out : whether held-out figures may be read
    members, patients, trials : posterior members, virtual patients per member, simulated trials of the real size
    jobs : threads; the digits do not depend on it
    null : whether to run the null model beside trials that are no forecasts
    between : SD of the between-trial effect by kind of statistic, as for `predict_trial`
    on_progress : called with the name of the trial done or under way and the share of all done, 0 to 1; from any thread
    """
    from her2 import __version__

    check_sizes(members, patients, trials)
    wanted = list(names) or trial_names()
    studies = load_studies()
    knowledge = learn(studies)
    fit = load_linear_posterior()
    group = load_members(members)
    few = group.every(2) if len(group.numbers) > 3 else group
    # what is read once per process is read before the threads ask for it
    found: dict[int, Validated | NotRun] = {}
    ready: dict[int, tuple[Trial, Paired]] = {}
    for k, name in enumerate(wanted):
        try:
            trial = load_trial(name)
            ready[k] = (trial, pair_trial(trial, studies, held_out=held_out))
        except Exception as error:
            # one trial must not cost the others; the error is shown, never dropped
            found[k] = NotRun(name, _describe(error))
    weights = {k: _cost(trial) for k, (trial, _) in ready.items()}
    whole = sum(weights.values()) or 1.0
    shares = dict.fromkeys(ready, 0.0)

    def progress(k: int, share: float) -> None:
        shares[k] = share
        if on_progress is not None:
            on_progress(wanted[k], sum(weights[j] * s for j, s in shares.items()) / whole)

    inner = max(1, jobs // max(len(ready), 1))

    def one(k: int) -> Validated | NotRun:
        trial, paired = ready[k]
        is_forecast = paired.role == "forecast"
        try:
            prediction = predict_trial(
                trial, members=few if is_forecast else group, patients=patients, trials=trials, seed=seed, jobs=inner,
                null=null and not is_forecast, subgroups=paired.subgroups, between=between,
                on_progress=lambda share: progress(k, share),
            )  # fmt: skip
            result: Validated | NotRun = compare(prediction, paired, knowledge, fit)
        except ClusterError:
            # not the trial's fault: the others would fail, too
            raise
        except Exception as error:
            result = NotRun(wanted[k], _describe(error))
        progress(k, 1.0)
        return result

    order = sorted(ready, key=lambda k: -weights[k])
    with ThreadPoolExecutor(max_workers=max(jobs, 1)) as pool:
        found.update(zip(order, pool.map(one, order), strict=True))
    done = [v for _, v in sorted(found.items()) if isinstance(v, Validated)]
    failed = [v for _, v in sorted(found.items()) if isinstance(v, NotRun)]
    settings = {"members": members, "patients": patients, "trials_simulated": trials, "seed": seed}
    posterior = digest_of(ENSEMBLE.read_bytes())
    scores = _scores(done, held_out)
    missing = () if names else without_trial(studies, [v.trial for v in done])
    return Validation(
        trials=tuple(done),
        not_run=tuple(failed),
        scores=tuple(scores),
        held_out=held_out,
        without_trial=missing,
        settings=settings,
        between=between_trial_sd() if between is None else between,
        between_fitted=between_trial_sd(fitted=True) if between is None else between,
        between_is_current=between is not None or load_between().posterior_digest == posterior,
        version=__version__,
        posterior_digest=posterior,
        digest=_digest(done, failed, settings, posterior, held_out),
    )


def _cost(trial: Trial) -> float:
    """Roughly the time a trial takes: arms, earlier lines lived through, and patients to be drawn again."""
    lines = max(len(h.lines) for h in trial.entry_histories)
    return len(trial.arms) * (1.0 + lines) + 2e-4 * trial.population.size * len(trial.arms)


def _describe(error: Exception) -> str:
    from her2.errors import Her2Error

    text = str(error).strip()
    return text if isinstance(error, Her2Error) else f"{type(error).__name__}: {text}"


def compare(
    prediction: TrialPrediction, paired: Paired, knowledge: Knowledge, fit: LinearPosterior | None
) -> Validated:
    """Set every figure of a trial beside its prediction, with and without the trial's own figures in the fit."""
    left = leave_out(prediction, paired.figures, fit)
    compared, without = [], []
    lost = []
    order = {key: k for k, key in enumerate(prediction.statistics)}
    for figure in sorted(paired.figures, key=lambda f: order.get(f.key, len(order))):
        predicted = prediction.statistics.get(figure.key)
        if predicted is None or math.isnan(predicted.median):
            lost.append(Unpaired(figure.trial, figure.id, figure.role, _why(figure, prediction)))
            continue
        points = _points(prediction.trial, figure, knowledge)
        null = prediction.null.get(figure.key)
        follow_up = prediction.trial.cut_of(figure.key.endpoint) / DAYS_PER_MONTH
        compared.append(Compared(figure, predicted, null, points, follow_up))
        without.append(Compared(figure, left.statistics[figure.key], null, points, follow_up))
    paired = replace(paired, unpaired=(*paired.unpaired, *lost))
    return Validated(prediction, paired, left, tuple(compared), tuple(without))


def _why(figure: Figure, prediction: TrialPrediction) -> str:
    """Why a figure has no prediction."""
    about = figure.key.subgroup or figure.key.endpoint
    return next((m for m in prediction.missing if about in m), f"no prediction of {figure.key.endpoint}")


def _points(trial: Trial, figure: Figure, knowledge: Knowledge) -> dict[str, float | None]:
    """What the baselines without a simulation say."""
    return {
        "nearest_arm": knowledge.nearest_arm(trial, figure.key),
        "class_mean": knowledge.class_mean(trial, figure.key),
        "constant_hr": None if figure.key.arm else CONSTANT_HR,
    }


def _scores(done: Sequence[Validated], held_out: bool) -> list[Score]:
    everything = [c for v in done for c in v.compared]
    without = [c for v in done if v.left_out.is_resolved for c in v.compared_left_out]
    found: list[Score] = []
    for group in GROUPS:
        if group == "held_out" and not held_out:
            continue
        if group == "leave_one_out":
            found += score_group(group, without, without)
        else:
            found += score_group(group, [c for c in everything if c.figure.role == group], everything)
    return found


def _digest(
    done: Sequence[Validated],
    failed: Sequence[NotRun],
    settings: Mapping[str, int],
    posterior: str,
    held_out: bool,
) -> str:
    """BLAKE2b over what was simulated and what it was compared with."""
    h = hashlib.blake2b(digest_size=16)
    h.update(json.dumps([settings, posterior, held_out], sort_keys=True).encode())
    for v in done:
        h.update(v.prediction.digest.encode())
        for f in sorted(v.paired.figures, key=lambda f: f.id):
            h.update(repr((f.id, f.value, f.ci_low, f.ci_high, f.role)).encode())
    for n in failed:
        h.update(repr((n.name, n.error)).encode())
    return h.hexdigest()
