"""Validate: predict every trial of the record, pair it with the published figures, score it beside the baselines."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from her2.evidence.load import load_studies
from her2.posterior import ENSEMBLE
from her2.trials.design import Trial, load_trial, trial_names
from her2.trials.intervals import to_scale
from her2.trials.write import digest_of
from her2.units import DAYS_PER_MONTH
from her2.validation.baselines import CONSTANT_HR, SAYS, Knowledge, learn
from her2.validation.leave_out import LeftOut, StoredPredictions, leave_out, load_predictions
from her2.validation.pairs import Figure, Paired, Unpaired, pair_trial, without_trial
from her2.validation.predict import TrialPrediction, check_sizes, predict_trial
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
    """

    trials: tuple[Validated, ...]
    not_run: tuple[NotRun, ...]
    scores: tuple[Score, ...]
    held_out: bool
    without_trial: tuple[str, ...]
    settings: Mapping[str, int]
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
    members: int = 24,
    patients: int = 300,
    trials: int = 1000,
    seed: int = 1,
    jobs: int = 1,
    on_progress: Callable[[str, float], None] | None = None,
) -> Validation:
    """Predict trials and compare them with the published figures that may be looked at.

    A trial that cannot be read or simulated is kept with its error; the others go on.

    Parameters
    ----------
    names : built-in trials or paths; all built-in ones if empty
    held_out : whether held-out figures may be read
    members, patients, trials : posterior members, virtual patients per member, simulated trials of the real size
    on_progress : called with the name of the trial and the share done, 0 to 1
    """
    from her2 import __version__

    check_sizes(members, patients, trials)
    wanted = list(names) or trial_names()
    studies = load_studies()
    knowledge = learn(studies)
    stored = load_predictions()
    done: list[Validated] = []
    failed: list[NotRun] = []
    for k, name in enumerate(wanted):

        def progress(share: float, k: int = k, name: str = name) -> None:
            if on_progress is not None:
                on_progress(name, (k + share) / len(wanted))

        try:
            trial = load_trial(name)
            paired = pair_trial(trial, studies, held_out=held_out)
            prediction = predict_trial(
                trial, members=members, patients=patients, trials=trials, seed=seed, jobs=jobs,
                subgroups=paired.subgroups, on_progress=progress,
            )  # fmt: skip
            done.append(compare(prediction, paired, knowledge, stored))
        except Exception as error:
            # one trial must not cost the others; the error is shown, never dropped
            failed.append(NotRun(name, _describe(error)))
        progress(1.0)
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
        version=__version__,
        posterior_digest=posterior,
        digest=_digest(done, failed, settings, posterior, held_out),
    )


def _describe(error: Exception) -> str:
    from her2.errors import Her2Error

    text = str(error).strip()
    return text if isinstance(error, Her2Error) else f"{type(error).__name__}: {text}"


def compare(
    prediction: TrialPrediction, paired: Paired, knowledge: Knowledge, stored: StoredPredictions | None
) -> Validated:
    """Set every figure of a trial beside its prediction, with and without the trial's own figures in the fit."""
    left = leave_out(prediction, paired.figures, stored)
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
