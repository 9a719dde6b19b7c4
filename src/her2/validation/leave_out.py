"""Leave one trial out: what the posterior would predict had it not been fitted to a trial's own figures.

Calibration stores what every member predicts of every figure it was fitted to, to first order about the mode
(`data/posterior/predictions.tsv`, see `parse_predictions`). From that and the members' parameters the derivatives come
back exactly, and with them the posterior without any set of figures: mode and covariance of the same least-squares
problem with these figures left away. It is the fit of a linear model, not a new calibration.

Every prediction of the trial then moves with its fitted figures: given these figures, taking their likelihood away
leaves what the members say of anything else unchanged, so that a statistic follows its regression on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from her2.errors import RecordError
from her2.evidence.load import DATA, load_parameters, read_yaml
from her2.evidence.priors import to_coordinate
from her2.posterior import PROVENANCE, load_posterior
from her2.trials.intervals import Predictive
from her2.validation.pairs import Figure
from her2.validation.predict import StatKey, TrialPrediction

Array = NDArray[np.float64]
PREDICTIONS = DATA / "posterior" / "predictions.tsv"
_ROWS = ("trial", "value", "error")
LARGEST_CURVATURE = 0.05
"""Largest root mean square by which stored predictions may miss a linear function of the parameters, in errors."""
LARGEST_STEP = 2.0
"""Longest move of the mode, in prior standard deviations, over which a model to first order is trusted."""
_SMALLEST = 1e-9
"""Directions of the figures with a smaller share of the largest variance carry no information."""


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

    def of(self, trial: str, study: str) -> list[int]:
        """Positions of the figures of a trial file, or of the study it is of."""
        return [
            k
            for k, (figure, name) in enumerate(zip(self.figures, self.trials, strict=True))
            if name == trial or (study and figure.startswith(f"{study}."))
        ]


@dataclass(frozen=True, eq=False)
class LinearPosterior:
    """The posterior to first order about its mode, in standard normal coordinates of the priors.

    Attributes
    ----------
    stored : figures with values, errors and the members' predictions
    centre : (targets,) predictions at the mode
    slopes : (targets, parameters) derivatives
    factor : on the errors in the spread of the members (Birge ratio); the mode was found without it
    """

    stored: StoredPredictions
    centre: Array
    slopes: Array
    factor: float

    def covariance(self, without: Sequence[int] = (), factor: float | None = None) -> Array:
        """Of the parameters, (parameters, parameters), with some figures left away."""
        kept = np.ones(self.centre.size, dtype=bool)
        kept[list(without)] = False
        scaled = self.slopes[kept] / (
            self.stored.errors[kept, None] * (self.factor if factor is None else factor)
        )
        return np.asarray(np.linalg.inv(np.eye(self.slopes.shape[1]) + scaled.T @ scaled))

    @property
    def determined(self) -> float:
        """Degrees of freedom that the fit took from the figures: the trace of its hat matrix."""
        scaled = self.slopes / (self.stored.errors[:, None] * self.factor)
        return float(np.trace(scaled @ self.covariance() @ scaled.T))

    def leave(self, mine: Sequence[int]) -> Left:
        """The posterior of some figures, with and without having been fitted to them."""
        own = self.slopes[list(mine)]
        residual = self.stored.values[list(mine)] - self.centre[list(mine)]
        # at the mode the pull of these figures balances all others and the prior: without it, one Newton step
        pull = own.T @ (residual / self.stored.errors[list(mine)] ** 2)
        step = -self.covariance(mine, 1.0) @ pull
        return Left(
            centre=self.centre[list(mine)],
            shift=own @ step,
            move=step,
            step=float(np.linalg.norm(step)),
            before=own @ self.covariance() @ own.T,
            after=own @ self.covariance(mine) @ own.T,
        )


@dataclass(frozen=True, eq=False)
class Left:
    """Figures of a trial under the posterior, and under the one that was not fitted to them.

    Attributes
    ----------
    centre, shift : (figures,) at the mode, and how far the mode moves
    move : (parameters,) the mode's move, in prior standard deviations of the parameters
    step : its length
    before, after : (figures, figures) covariance from the parameters
    """

    centre: Array
    shift: Array
    move: Array
    step: float
    before: Array
    after: Array

    def moves(self, g: Array) -> Array:
        """How far members move that predict g of the figures: both (members, figures).

        The map between normal distributions that moves members least.
        """
        root, inverse = _roots(self.before)
        stretch = inverse @ _roots(root @ self.after @ root)[0] @ inverse
        dev = g - self.centre
        return np.asarray(self.shift + dev @ stretch - dev)

    def whitened(self, x: Array) -> Array:
        """Deviations of the figures, (members, figures), as independent coordinates of unit variance."""
        return np.asarray(x @ _roots(self.before)[1])


def _roots(matrix: Array) -> tuple[Array, Array]:
    """Symmetric square root of a covariance and its inverse on the directions that vary."""
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    keep = values > _SMALLEST * max(float(values.max()), 0.0)
    root = np.where(keep, np.sqrt(np.maximum(values, 0.0)), 0.0)
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0)
    return (vectors * root) @ vectors.T, (vectors * inverse) @ vectors.T


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Statistics of a trial with its own figures taken out of the fit.

    Attributes
    ----------
    method : `none needed`, `linear`, or `not possible`
    figures : fitted figures taken out
    """

    statistics: dict[StatKey, Predictive]
    method: Literal["none needed", "linear", "not possible"]
    figures: int

    @property
    def is_resolved(self) -> bool:
        """Whether the predictions are those without the trial."""
        return self.method != "not possible"


def leave_out(
    predicted: TrialPrediction, figures: Sequence[Figure], posterior: LinearPosterior | None
) -> LeftOut:
    """Predictions of a trial as if none of its own figures had been fitted.

    Parameters
    ----------
    figures : of the trial; those with the role `fit` tell which statistic a stored figure is
    posterior : None where calibration did not store one
    """
    statistics = dict(predicted.statistics)
    if posterior is None:
        own = sum(f.role == "fit" for f in figures)
        return LeftOut(statistics, "not possible" if own else "none needed", own)
    mine = posterior.stored.of(predicted.trial.id, predicted.trial.study or "")
    if not mine:
        return LeftOut(statistics, "none needed", 0)
    left = posterior.leave(mine)
    if left.step > LARGEST_STEP:
        return LeftOut(statistics, "not possible", len(mine))
    g = posterior.stored.predictions[np.ix_(predicted.members, mine)]
    moves = left.moves(g)
    names = [posterior.stored.figures[k] for k in mine]
    place = {f.key: names.index(f.id) for f in figures if f.id in names}
    changed = {
        key: moved(p, moves[:, place[key]] if key in place else follow(p, left, g, moves)).with_between(
            predicted.between[key.kind]
        )
        for key, p in statistics.items()
    }
    return LeftOut(changed, "linear", len(mine))


def follow(p: Predictive, left: Left, g: Array, moves: Array) -> Array:
    """How far a statistic's members move that was not fitted itself: (members,).

    Its regression on the trial's figures, shrunk by what chance among few members and finite pools may add.

    Parameters
    ----------
    g, moves : (members, figures) predictions of the figures, and how far they move
    """
    total = float(p.means.var(ddof=1))
    if not math.isfinite(total) or total <= 0.0 or p.v_parameters <= 0.0:
        return np.zeros(g.shape[0])
    u = left.whitened(g - g.mean(axis=0))
    # in whitened coordinates each figure may carry its share of the parameters' variance
    ridge = u.shape[1] * total / p.v_parameters
    weights = np.linalg.solve(u.T @ u + ridge * np.eye(u.shape[1]), u.T @ (p.means - p.means.mean()))
    return np.asarray(left.whitened(moves) @ weights)


def moved(p: Predictive, by: Array) -> Predictive:
    """The sample with every member moved, (members,), on the working scale."""
    return replace(p, values=p.values + by[p.member], means=p.means + by)


def coordinates(members: Sequence[int]) -> Array:
    """Standard normal coordinates of members of the posterior under the priors: (members, parameters)."""
    posterior, parameters = load_posterior(), load_parameters()
    rows = (posterior.values(m) for m in members)
    return np.array([[to_coordinate(parameters[name], v) for name, v in row.items()] for row in rows])


def linear_posterior(stored: StoredPredictions, z: Array, factor: float = 1.0) -> LinearPosterior | None:
    """Derivatives of stored predictions; None where these are no linear function of the parameters.

    Parameters
    ----------
    z : (members, parameters) coordinates, their mean being the mode
    factor : on the errors in the spread of the members
    """
    g = stored.predictions
    if g.shape[0] != z.shape[0]:
        return None
    dz, dg = z - z.mean(axis=0), g - g.mean(axis=0)
    solved, _, rank, _ = np.linalg.lstsq(dz, dg, rcond=None)
    if rank < z.shape[1]:
        return None
    curvature = float(np.sqrt(np.mean(((dg - dz @ solved) / stored.errors) ** 2)))
    if curvature > LARGEST_CURVATURE:
        return None
    return LinearPosterior(stored, g.mean(axis=0), np.asarray(solved.T), factor)


def load_linear_posterior() -> LinearPosterior | None:
    """The shipped posterior to first order; None where calibration stored no such predictions of its members."""
    if not PREDICTIONS.exists():
        return None
    stored = parse_predictions(PREDICTIONS.read_text(encoding="utf-8"), f"posterior/{PREDICTIONS.name}")
    return linear_posterior(stored, coordinates(range(load_posterior().n)), error_factor())


def error_factor() -> float:
    """Factor on the figures' errors in the spread of the members; 1 where calibration used none.

    Raises
    ------
    her2.errors.RecordError
        If the provenance of the posterior holds something else than a positive number.
    """
    provenance = read_yaml(PROVENANCE) if PROVENANCE.exists() else {}
    factor = provenance.get("birge_ratio", 1.0) if isinstance(provenance, dict) else 1.0
    if not isinstance(factor, int | float) or not 0.0 < factor < math.inf:
        raise RecordError(
            f"posterior/{PROVENANCE.name}, birge_ratio: expected a positive number, got {factor!r}"
        )
    return float(factor)


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
