"""Leave one trial out: what the ensemble would predict had it not been fitted to a trial's own figures.

The members are weighted with the inverse of the likelihood of the trial's fitted figures (importance sampling, weights
cut off as in Ionides 2008). The effective number of members says how far that carries; where it is too small, the
figures are taken out by an update of the ensemble instead: the Kalman update with the errors' variance counted
negative, exact for linear models with normal errors, approximate here.

The likelihood needs every member's prediction of every fitted figure. Calibration stores them as
`data/posterior/predictions.tsv` (see `parse_predictions`); without that file the predictions of the members simulated
in the present run stand in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from her2.errors import RecordError
from her2.evidence.load import DATA, load_parameters
from her2.evidence.priors import to_coordinate
from her2.posterior import load_posterior
from her2.trials.intervals import Predictive, to_scale
from her2.validation.pairs import Figure
from her2.validation.predict import StatKey, TrialPrediction

Array = NDArray[np.float64]
PREDICTIONS = DATA / "posterior" / "predictions.tsv"
ENOUGH = 5.0
"""Effective members from which the weights are used; below, the ensemble is updated."""
_ROWS = ("trial", "value", "error")
LARGEST_SHARE = 0.9
"""Largest part of the errors' variance that the members' own variance may make up along a direction in an update."""
PRIOR_SQUARE = 1.5
"""Factor by which the mean square of a parameter's coordinate may exceed the prior's, or its own, in an update."""
RESOLVED = 0.5
"""Part of the figures' information that must be taken out for the trial to count as left out."""


@dataclass(frozen=True, eq=False)
class StoredPredictions:
    """What every member of the posterior predicts of every figure it was fitted to.

    Attributes
    ----------
    figures : (targets,) ids of the record's figures
    trials : (targets,) trial of each
    values, errors : (targets,) published value and its standard deviation on the working scale (logit, log)
    predictions : (members, targets) on the working scale
    """

    figures: tuple[str, ...]
    trials: tuple[str, ...]
    values: Array
    errors: Array
    predictions: Array


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Statistics of a trial with its own figures taken out of the fit.

    Attributes
    ----------
    method : `none needed`, `weights`, or `update` where the weights leave too few members
    effective_members : of the weights; all members where none is needed
    figures : fitted figures taken out
    source : of the members' predictions
    part : of the figures' information that was taken out; less than 1 where more would push members beyond the prior
    """

    statistics: dict[StatKey, Predictive]
    method: str
    effective_members: float
    figures: int
    source: str
    part: float = 1.0

    @property
    def is_resolved(self) -> bool:
        """Whether enough was taken out to speak of a trial left out."""
        return self.part >= RESOLVED


def leave_out(
    predicted: TrialPrediction, figures: Sequence[Figure], stored: StoredPredictions | None
) -> LeftOut:
    """Predictions of a trial as if none of its own figures had been fitted.

    Parameters
    ----------
    figures : of the trial; those with the role `fit` are taken out
    stored : the members' predictions; None to use those of the present run
    """
    fitted = [f for f in figures if f.role == "fit" and not f.key.subgroup]
    g, d, r, source = _evidence(predicted, fitted, stored)
    if not d.size:
        n = float(len(predicted.members))
        return LeftOut(dict(predicted.statistics), "none needed", n, 0, source)
    weights = inverse_weights(0.5 * np.sum(((g - d) / r) ** 2, axis=1))
    effective = effective_size(weights)
    if effective >= ENOUGH:
        changed = {k: reweighted(p, weights) for k, p in predicted.statistics.items()}
        return LeftOut(changed, "weights", effective, d.size, source)
    update, part = guarded_removal(g, d, r, coordinates(predicted.members))
    changed = {k: _updated(p, update) for k, p in predicted.statistics.items()}
    return LeftOut(changed, "update", effective, d.size, source, part)


def _evidence(
    predicted: TrialPrediction, fitted: Sequence[Figure], stored: StoredPredictions | None
) -> tuple[Array, Array, Array, str]:
    """Predictions (members, figures), values and errors (figures,) of the trial's fitted figures."""
    if stored is not None:
        study = f"{predicted.trial.study}."
        mine = [
            k
            for k, (figure, trial) in enumerate(zip(stored.figures, stored.trials, strict=True))
            if trial == predicted.trial.id or figure.startswith(study)
        ]
        rows = [m for m in predicted.members if m < stored.predictions.shape[0]]
        if len(rows) == len(predicted.members):
            g = stored.predictions[np.ix_(rows, mine)]
            return g, stored.values[mine], stored.errors[mine], "stored predictions of the members"
    columns, values, errors = [], [], []
    for f in fitted:
        p = predicted.statistics.get(f.key)
        if p is None or np.isnan(p.means).any():
            continue
        columns.append(_clean_means(p))
        values.append(float(to_scale(np.array([f.value]), p.kind, 0.5 / predicted.trial.population.size)[0]))
        errors.append(math.sqrt(p.v_within + p.v_between))
    g = np.array(columns).T if columns else np.empty((len(predicted.members), 0))
    return g, np.array(values), np.array(errors), "predictions of this run's members, approximate"


def inverse_weights(loss: Array) -> Array:
    """Weights (members,) in proportion to exp(loss), none above the mean times the root of their number; sum 1.

    Parameters
    ----------
    loss : (members,) minus log likelihood of what is taken out
    """
    w = np.exp(loss - loss.max())
    w = np.minimum(w, w.mean() * math.sqrt(w.size))
    return np.asarray(w / w.sum())


def effective_size(weights: Array) -> float:
    """Effective number of members, 1 / sum of squared weights: all if equal, one if one carries all."""
    return float(1.0 / np.sum(weights**2))


def reweighted(p: Predictive, weights: Array) -> Predictive:
    """The sample drawn anew, evenly spaced, with each member's weight shared by its trials."""
    # in the order of members and values, so that every member is drawn from its whole range
    order = np.lexsort((p.values, p.member))
    counts = np.bincount(p.member, minlength=weights.size)
    each = (weights / np.maximum(counts, 1))[p.member[order]]
    edges = np.cumsum(each) / each.sum()
    pick = np.searchsorted(edges, (np.arange(each.size) + 0.5) / each.size)
    pick = order[np.minimum(pick, each.size - 1)]
    return replace(p, values=p.values[pick], member=p.member[pick])


@dataclass(frozen=True, eq=False)
class Update:
    """A linear change of the members: the same for every quantity they carry.

    Attributes
    ----------
    shift : (members,) weights of the deviations in the change of the mean
    matrix : (members, members) from old to new deviations
    """

    shift: Array
    matrix: Array

    def apply(self, y: Array) -> Array:
        """A quantity of the members, (members,), after the update."""
        dev = y - y.mean()
        return np.asarray(y.mean() + float(dev @ self.shift) + dev @ self.matrix)


def removal(g: Array, d: Array, r: Array, part: float = 1.0) -> Update:
    """The update that takes figures out of the fit.

    The ensemble transform of a Kalman update with the errors' variance counted negative. With G the members' deviations
    of the figures in units of their errors, G'G / (n - 1) = U diag(l) U': deviations grow by 1 / sqrt(1 - l) along each
    direction, and the mean moves away from the figures accordingly. l is cut off at `LARGEST_SHARE`: a direction
    that the figures pinned down more than that stays partly pinned.

    Parameters
    ----------
    g : (members, figures) predictions
    d, r : (figures,) published values and standard deviations of their errors
    part : of the figures' information that is taken out, 0 to 1
    """
    n = g.shape[0]
    scaled = math.sqrt(part) * (g - g.mean(axis=0)) / r
    found, u = np.linalg.eigh(scaled @ scaled.T / (n - 1))
    share = np.clip(found, 0.0, LARGEST_SHARE)
    pull = (scaled @ (math.sqrt(part) * (g.mean(axis=0) - d) / r)) @ u / (n - 1)
    # where l is cut off, the errors count as that much larger for the mean, too
    pull *= share / np.maximum(found, share + 1e-300)
    return Update(u @ (pull / (1.0 - share)), (u / np.sqrt(1.0 - share)) @ u.T)


def guarded_removal(g: Array, d: Array, r: Array, z: Array) -> tuple[Update, float]:
    """As much of the removal as keeps every parameter within its prior, and that part, 0 to 1.

    Without figures a parameter falls back on its prior, not further: its mean square in units of the prior's SD must
    not rise above `PRIOR_SQUARE` times 1, or times what it is already. What would go beyond is misfit of the model or
    chance among few members, not information.

    Parameters
    ----------
    z : (members, parameters) standard normal coordinates of the priors
    """
    allowed = PRIOR_SQUARE * np.maximum(np.mean(z**2, axis=0), 1.0)

    def is_within(update: Update) -> bool:
        moved = np.array([update.apply(column) for column in z.T])
        return bool(np.all(np.mean(moved**2, axis=1) <= allowed))

    low, high = 0.0, 1.0
    if is_within(removal(g, d, r)):
        return removal(g, d, r), 1.0
    for _ in range(20):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if is_within(removal(g, d, r, middle)) else (low, middle)
    return removal(g, d, r, low), low


def coordinates(members: Sequence[int]) -> Array:
    """Standard normal coordinates of members of the posterior under the priors: (members, parameters)."""
    posterior, parameters = load_posterior(), load_parameters()
    rows = (posterior.values(m) for m in members)
    return np.array([[to_coordinate(parameters[name], v) for name, v in row.items()] for row in rows])


def _updated(p: Predictive, update: Update) -> Predictive:
    if np.isnan(p.means).any():
        return p
    clean = _clean_means(p)
    shift = update.apply(clean) - clean
    return replace(p, values=p.values + shift[p.member])


def _clean_means(p: Predictive) -> Array:
    """The members' means without what their pools' finite size adds to their spread, as in the sample itself."""
    spread = float(p.means.var(ddof=1))
    centre = p.means.mean()
    return centre + math.sqrt(p.v_parameters / spread) * (p.means - centre) if spread > 0 else p.means


def load_predictions() -> StoredPredictions | None:
    """The shipped posterior's predictions; None where calibration did not store any."""
    if not PREDICTIONS.exists():
        return None
    return parse_predictions(PREDICTIONS.read_text(encoding="utf-8"), f"posterior/{PREDICTIONS.name}")


def parse_predictions(text: str, where: str) -> StoredPredictions:
    """Read the table of members by targets.

    Tab-separated, as `her2.calibration.report.predictions_text` writes it. The header is `row` and the ids of the
    figures (claims as `claim:ID`); three rows named `trial`, `value` and `error` give the trial id, the published value
    and the standard deviation of its error; then one row per member, in the order of `ensemble.tsv`. Values, errors
    and predictions are on the working scale: logit of a rate (fraction), log of a median (month) or hazard ratio.

    Raises
    ------
    her2.errors.RecordError
        A missing row, a wrong number of columns, or no number.
    """
    rows = [line.split("\t") for line in text.splitlines() if line]
    if not rows or rows[0][0] != "row" or len(rows) < 5:
        raise RecordError(
            f"{where}: expected a header 'row' with figure ids, rows {', '.join(_ROWS)}, and members"
        )
    head = rows[0][1:]
    named = {row[0]: row[1:] for row in rows[1:4]}
    if tuple(named) != _ROWS or any(len(row) != len(rows[0]) for row in rows):
        raise RecordError(
            f"{where}: expected the rows {', '.join(_ROWS)} after the header, each with {len(head)} cells"
        )
    try:
        numbers = [np.array([float(x) for x in named[k]]) for k in ("value", "error")]
        g = np.array([[float(x) for x in row[1:]] for row in rows[4:]])
    except ValueError as error:
        raise RecordError(f"{where}: {error}; expected numbers") from error
    if not (np.all(np.isfinite(numbers[0])) and np.all(numbers[1] > 0) and np.all(np.isfinite(g))):
        raise RecordError(f"{where}: expected finite values and positive errors")
    return StoredPredictions(tuple(head), tuple(named["trial"]), numbers[0], numbers[1], g)
