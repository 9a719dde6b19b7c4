"""What observations of a cell could tell about the parameters: local analysis at the centre of the posterior.

The Jacobian J holds the change of every observation, in units of its error, per prior standard deviation of every
factor. With prior precision 1, the linear posterior covariance is (1 + J'J)^-1. A singular value of J above 1 is a
direction of which the observations would teach more than the prior knows; all other directions stay as uncertain as
they are. Observations are the growth inhibitions of the cases, at an assumed error, and the soft claims of the
calibration, at theirs. In the calibration a claim counts up to its margin only; here it counts in full, so that this is
the most the claims could say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.calibration.claims import OCCUPIED, SOFT_CLAIMS
from her2.cell.condition import Columns, Treatment, make_columns
from her2.cell.model import CellModel
from her2.cell.respond import respond
from her2.drugs import actions_of
from her2.posterior import load_posterior
from her2.sensitivity.factors import Case, Factor, evaluate, load_factors, make_bench

Array = NDArray[np.float64]

INHIBITION_ERROR = 0.1
"""Assumed error of a growth inhibition: 10 percentage points, or 10 % of it where it is above 1."""
STEP = 0.25
"""Prior standard deviations on either side of the centre between which slopes are taken."""
ALIKE = 0.9
"""Cosine between the effects of two factors above which the observations cannot tell them apart."""
VISIBLE = 0.5
"""Length of a factor's column of J from which it is compared with others: below, nothing is seen of it anyway."""
IDENTIFIED = 1.0
LOADINGS = 6
"""Largest loadings of a direction that are kept."""


@dataclass(frozen=True)
class Pair:
    """Two factors whose effects the observations cannot tell apart; a negative cosine: they act in opposite ways."""

    first: str
    second: str
    cosine: float


@dataclass(frozen=True)
class Direction:
    """A combination of factors, its singular value and its largest loadings."""

    singular_value: float
    loadings: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Identifiability:
    """Local analysis.

    Attributes
    ----------
    observations : names
    factors : names
    jacobian : (observations, factors), errors per prior SD
    visibility : (factors,) length of each column: what would be learned of a factor if all others were known
    sd_ratio : (factors,) posterior over prior SD with all others unknown
    singular_values : (observations,), falling
    directions : the identified ones
    pairs : factors that cannot be told apart
    """

    observations: tuple[str, ...]
    factors: tuple[str, ...]
    jacobian: Array
    visibility: Array
    sd_ratio: Array
    singular_values: Array
    directions: tuple[Direction, ...]
    pairs: tuple[Pair, ...]

    @property
    def n_identified(self) -> int:
        """Directions of which the observations would teach more than the prior knows."""
        return int((self.singular_values > IDENTIFIED).sum())


def identify(
    cases: Sequence[Case],
    factors: Sequence[Factor] | None = None,
    on_row: Callable[[], None] | None = None,
) -> Identifiability:
    """Jacobian of growth inhibitions and soft claims at the centre of the posterior, and what follows from it.

    Parameters
    ----------
    factors : default all that can act in one of the cases
    """
    chosen = load_factors(cases) if factors is None else factors
    bench = make_bench(cases, chosen, load_posterior().central())
    steps = np.concatenate([STEP * np.eye(bench.n_columns), -STEP * np.eye(bench.n_columns)])
    output = evaluate(bench, np.vstack([np.zeros(bench.n_columns), steps]), on_row, soft_claims)
    middle, moved = output[0], output[1:].reshape(2, bench.n_columns, -1)
    slope = (moved[0] - moved[1]) / (2.0 * STEP)
    n = len(bench.cases)
    inhibition = np.nan_to_num(bench.at_cases(slope[:, :n]))
    # only parameters act on the experiments of the claims, never a drug's own concentration at half effect
    claims = np.where(
        np.array([f.parameter is not None and not f.owners for f in bench.factors])[:, None],
        slope[bench.columns][:, n:],
        0.0,
    )
    error = np.concatenate(
        [INHIBITION_ERROR * np.maximum(1.0, np.abs(middle[:n])), [c.error for c in SOFT_CLAIMS]]
    )
    jacobian = np.concatenate([inhibition, claims], axis=1).T / error[:, None]
    names = (*(case.id for case in bench.cases), *(f"claim {c.claim}" for c in SOFT_CLAIMS))
    return analyse_jacobian(jacobian, names, tuple(f.id for f in bench.factors))


def analyse_jacobian(
    jacobian: Array, observations: tuple[str, ...], factors: tuple[str, ...]
) -> Identifiability:
    """Singular values, identified directions, ratios of SD and pairs that cannot be told apart.

    Parameters
    ----------
    jacobian : (observations, factors), in errors per prior SD
    """
    _, singular, right = np.linalg.svd(jacobian, full_matrices=False)
    length = np.sqrt((jacobian**2).sum(axis=0))
    # (1 + J'J)^-1 = 1 - V s^2/(1 + s^2) V'
    learned = ((singular**2 / (1.0 + singular**2))[:, None] * right**2).sum(axis=0)
    directions = tuple(
        Direction(float(s), _largest(v, factors))
        for s, v in zip(singular, right, strict=True)
        if s > IDENTIFIED
    )
    seen = np.flatnonzero(length >= VISIBLE)
    unit = jacobian[:, seen] / length[seen] if seen.size else jacobian[:, seen]
    cosine = unit.T @ unit
    pairs = [
        Pair(factors[seen[i]], factors[seen[j]], float(cosine[i, j]))
        for i in range(seen.size)
        for j in range(i + 1, seen.size)
        if abs(cosine[i, j]) > ALIKE
    ]
    pairs.sort(key=lambda p: -abs(p.cosine))
    return Identifiability(
        observations, factors, jacobian, length, np.sqrt(np.clip(1.0 - learned, 0.0, 1.0)), singular, directions,
        tuple(pairs),
    )  # fmt: skip


def _largest(vector: Array, factors: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Largest loadings of a direction; its sign is chosen so that the largest is positive."""
    order = np.argsort(-np.abs(vector), kind="stable")[:LOADINGS]
    sign = np.sign(vector[order[0]]) or 1.0
    return tuple((factors[k], float(sign * vector[k])) for k in order)


_ANTIBODIES = ("trastuzumab", "pertuzumab")
_HEREGULIN = 7.5
"""Rise of heregulin in the claims' experiments."""


def soft_claims(model: CellModel) -> Array:
    """The soft claims of `her2.calibration.claims` in the model of a cell, not cut at their margins: (claims,)."""
    cells = {
        "usual": {}, "heregulin": {"heregulin": _HEREGULIN * _usual_heregulin()}, "p95": {"p95_share": 0.5},
        "pten": {"pten": 0.15}, "cyclin_e": {"cyclin_e": 1.0}, "er": {"er": 1.0},
    }  # fmt: skip
    doses = {"none": (0.0, 0.0), "t": (1.0, 0.0), "tp": (1.0, 1.0)}
    places = [(cell, dose) for cell in cells for dose in doses]
    columns = make_columns(
        [cells[cell] for cell, _ in places], [Treatment(compartment="tumour")] * len(places), model.agents,
        model.values,
    )  # fmt: skip
    given = {
        name: np.array([doses[dose][k] for _, dose in places]) * _saturating(model, name)
        for k, name in enumerate(_ANTIBODIES)
    }
    values = respond(model, Columns(columns.attributes, given, columns.compartments)).values
    at = {place: k for k, place in enumerate(places)}

    def read(readout: str, cell: str, dose: str) -> float:
        return float(values[readout][at[cell, dose]])

    def effect(cell: str) -> float:
        """Share of cycling that trastuzumab removes."""
        return 1.0 - read("cell_cycle", cell, "t") / read("cell_cycle", cell, "none")

    usual = effect("usual")
    return np.array(
        [
            read("akt", "heregulin", "t") / read("akt", "usual", "t") - 1.0,
            1.0 - read("akt", "heregulin", "tp") / read("akt", "heregulin", "t"),
            1.0 - read("cell_cycle", "usual", "tp") / read("cell_cycle", "usual", "t"),
            usual - effect("p95"),
            usual - effect("pten"),
            usual - effect("cyclin_e"),
            read("p27", "usual", "t") / read("p27", "usual", "none") - 1.0,
            read("cell_cycle", "er", "tp") / read("cell_cycle", "er", "none")
            - read("cell_cycle", "usual", "tp") / read("cell_cycle", "usual", "none"),
        ]
    )


def _usual_heregulin() -> float:
    from her2.cell.attributes import defaults

    return defaults("tumour")["heregulin"]


def _saturating(model: CellModel, agent: str) -> float:
    """Concentration at which an antibody occupies the share `OCCUPIED` of its epitope, nmol/L."""
    for k, action in enumerate(actions_of(model.agent(agent))):
        if action.on == "epitope":
            return model.half[agent, k] * OCCUPIED / (1.0 - OCCUPIED)
    raise AssertionError(agent)
