"""Sobol indices of growth inhibition: Morris screening of every factor, then Saltelli's design on those that matter.

With V the variance of a case's growth inhibition over the priors, the first-order index of a factor is the share of V
that knowing it would remove on average, Var(E[y | x]) / V; the total index is the share that would be left if
everything else were known, E[Var(y | all but x)] / V, interactions included (Saltelli et al. 2010, Jansen's estimator
for the total, as in SALib). Factors that screening leaves out stay at their prior median; what they would add together
is estimated apart, as the total index of the whole group.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from her2.errors import Her2Error
from her2.sensitivity.factors import Bench, Case, evaluate, load_factors, make_bench

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

KEPT_SHARE = 0.95
"""Factors are kept, by falling effect in the screening, until their squared effects reach this share of the sum."""
KEPT_MOST = 20
"""Most factors kept for one case."""
SCREEN_LEVELS = 4
SCREEN_TAIL = 0.05
"""Screening moves over the quantiles 0.05, 0.35, 0.65 and 0.95 of every prior."""
RESAMPLES = 200
CONFIDENCE = 0.95
SILENT = 1e-6
"""SD of growth inhibition below which a case has nothing to attribute."""


class Evaluator(Protocol):
    """What turns a design into growth inhibition; see `her2.sensitivity.factors.evaluate`."""

    def __call__(self, bench: Bench, design: Array, on_row: Callable[[], None] | None = None) -> Array: ...


@dataclass(frozen=True)
class Screening:
    """Morris screening.

    Attributes
    ----------
    bench : of every factor
    effect, spread : (factors, cases) mean absolute elementary effect and SD of the elementary effects, in units of
        growth inhibition over the 5 to 95 % range of the prior; NaN where the factor cannot act
    kept : (factors, cases) factors that matter in a case by the rule above
    """

    bench: Bench
    effect: Array
    spread: Array
    kept: Bools


@dataclass(frozen=True)
class Indices:
    """Sobol indices, each (factors, cases), NaN where a factor cannot act or a case is silent.

    Attributes
    ----------
    first, first_ci, total, total_ci : index and half width of its 95 % bootstrap interval
    """

    first: Array
    first_ci: Array
    total: Array
    total_ci: Array


@dataclass(frozen=True)
class Sensitivity:
    """Screening and indices of all cases.

    Attributes
    ----------
    bench : of the factors kept for at least one case
    inhibition : (draws, cases) growth inhibition over the priors of the kept factors
    left_out : (cases,) total index of all factors left out, taken together
    samples, trajectories, seed : of the design
    evaluations, failed : models run, base samples dropped because a model could not be solved
    """

    screening: Screening
    bench: Bench
    indices: Indices
    inhibition: Array
    left_out: Array
    samples: int
    trajectories: int
    seed: int
    evaluations: int
    failed: int


def run_sensitivity(
    cases: Sequence[Case],
    samples: int = 512,
    trajectories: int = 20,
    seed: int = 1,
    *,
    evaluator: Evaluator = evaluate,
    on_step: Callable[[str, int, int], None] | None = None,
) -> Sensitivity:
    """Screen, then estimate the indices of every case from one design.

    Parameters
    ----------
    samples : base samples of Saltelli's design, a power of 2; the model runs samples (columns + 2) times
    trajectories : of the screening; the model runs trajectories (columns + 1) times
    on_step : called with the name of the step, rows done and rows in all

    Raises
    ------
    her2.errors.Her2Error
        SALib is not installed; too few samples; more than one base sample in ten cannot be solved.
    """
    if not cases:
        raise Her2Error("sensitivity: expected at least one agent")
    if samples < 8 or samples & (samples - 1):
        raise Her2Error(f"samples: expected a power of 2 of 8 or more, got {samples}")
    if trajectories < 2:
        raise Her2Error(f"trajectories: expected 2 or more, got {trajectories}")

    def run(step: str, bench: Bench, design: Array) -> Array:
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            if on_step is not None:
                on_step(step, done, len(design))

        return evaluator(bench, design, count)

    everything = make_bench(cases, load_factors(cases))
    points = screening_design(everything.n_columns, trajectories, seed)
    screening = screen(everything, points, run("screening", everything, _coordinates(points)), seed)
    kept = np.asarray(screening.kept.any(axis=1))
    bench = make_bench(cases, [f for f, yes in zip(everything.factors, kept, strict=True) if yes])
    design = sobol_design(bench.n_columns, samples, seed)
    output = run("indices", bench, _coordinates(design))
    indices, inhibition, failed = sobol_indices(bench, output, seed)
    joined, pairs = left_out_design(everything, kept, max(samples // 2, 8), seed)
    rest = left_out_index(run("rest", joined, pairs))
    return Sensitivity(
        screening, bench, indices, inhibition, rest, samples, trajectories, seed,
        evaluations=len(points) + len(design) + len(pairs), failed=failed,
    )  # fmt: skip


def _salib() -> Any:
    """SALib, with the modules that are used loaded."""
    try:
        import SALib
        import SALib.analyze.morris
        import SALib.analyze.sobol
        import SALib.sample.morris
        import SALib.sample.sobol
    except ImportError as error:
        raise Her2Error(
            'sensitivity analysis needs SALib, which is not installed; pip install "her2[sensitivity]"'
        ) from error
    return SALib


def _problem(columns: int, low: float = 0.0, high: float = 1.0) -> dict[str, Any]:
    return {
        "num_vars": columns, "names": [f"x{k}" for k in range(columns)], "bounds": [[low, high]] * columns,
    }  # fmt: skip


def _coordinates(unit: Array) -> Array:
    """Standard normal coordinates of points of the unit cube."""
    return np.asarray(ndtri(np.clip(unit, 1e-6, 1.0 - 1e-6)))


def screening_design(columns: int, trajectories: int, seed: int) -> Array:
    """Morris trajectories in the unit cube: (trajectories (columns + 1), columns)."""
    problem = _problem(columns, SCREEN_TAIL, 1.0 - SCREEN_TAIL)
    design = _salib().sample.morris.sample(problem, N=trajectories, num_levels=SCREEN_LEVELS, seed=seed)
    return np.asarray(design, dtype=np.float64)


def screen(bench: Bench, design: Array, output: Array, seed: int) -> Screening:
    """Elementary effects, and the factors that matter.

    Parameters
    ----------
    design : of `screening_design`
    output : (rows, cases), growth inhibition; trajectories with a NaN are dropped
    """
    analyse = _salib().analyze.morris.analyze
    block = bench.n_columns + 1
    good = np.isfinite(output).all(axis=1).reshape(-1, block).all(axis=1).repeat(block)
    if good.sum() < 2 * block:
        raise Her2Error("screening: fewer than 2 trajectories could be solved; check the priors")
    problem = _problem(bench.n_columns, SCREEN_TAIL, 1.0 - SCREEN_TAIL)
    effect = np.zeros((bench.n_columns, len(bench.cases)))
    spread = np.zeros_like(effect)
    for k in range(len(bench.cases)):
        found = analyse(
            problem, design[good], output[good, k], num_resamples=2, num_levels=SCREEN_LEVELS, seed=seed
        )
        effect[:, k], spread[:, k] = found["mu_star"], found["sigma"]
    # SALib's steps are in units of the range of the bounds: effects are those of a move over the whole range
    effects = bench.at_cases(effect)
    return Screening(bench, effects, bench.at_cases(spread), choose(effects))


def choose(effect: Array) -> Bools:
    """Factors that matter in each case: (factors, cases).

    By falling effect until the squared effects reach `KEPT_SHARE` of their sum, at most `KEPT_MOST`.
    """
    size = np.nan_to_num(effect) ** 2
    kept = np.zeros(effect.shape, dtype=np.bool_)
    for k in range(effect.shape[1]):
        order = np.argsort(-size[:, k], kind="stable")
        total = size[:, k].sum()
        if total <= SILENT**2:
            continue
        before = np.cumsum(size[order, k]) - size[order, k]
        chosen = order[:KEPT_MOST][before[:KEPT_MOST] < KEPT_SHARE * total]
        kept[chosen, k] = True
    return kept


def sobol_design(columns: int, samples: int, seed: int) -> Array:
    """Saltelli's design in the unit cube from a scrambled Sobol sequence: (samples (columns + 2), columns)."""
    design = _salib().sample.sobol.sample(_problem(columns), samples, calc_second_order=False, seed=seed)
    return np.asarray(design, dtype=np.float64)


def sobol_indices(bench: Bench, output: Array, seed: int) -> tuple[Indices, Array, int]:
    """Indices from the output of `sobol_design`.

    Parameters
    ----------
    output : (samples (columns + 2), cases); base samples with a NaN are dropped

    Returns
    -------
    the indices, the independent draws of the output (draws, cases), and the number of base samples dropped

    Raises
    ------
    her2.errors.Her2Error
        More than one base sample in ten dropped.
    """
    analyse = _salib().analyze.sobol.analyze
    block = bench.n_columns + 2
    blocks = output.reshape(-1, block, output.shape[1])
    good = np.isfinite(blocks).all(axis=(1, 2))
    failed = int((~good).sum())
    if failed > 0.1 * good.size:
        raise Her2Error(
            f"sensitivity: the model could not be solved in {failed} of {good.size} base samples; check the priors"
        )
    blocks = blocks[good]
    shape = (bench.n_columns, output.shape[1])
    found = {key: np.full(shape, np.nan) for key in ("S1", "S1_conf", "ST", "ST_conf")}
    for k in range(output.shape[1]):
        y = blocks[:, :, k].reshape(-1)
        if y.std() <= SILENT:
            continue
        result = analyse(
            _problem(bench.n_columns), y, calc_second_order=False, num_resamples=RESAMPLES,
            conf_level=CONFIDENCE, seed=seed,
        )  # fmt: skip
        for key, values in found.items():
            values[:, k] = result[key]
    first, first_ci, total, total_ci = (
        bench.at_cases(found[key]) for key in ("S1", "S1_conf", "ST", "ST_conf")
    )
    draws = np.concatenate([blocks[:, 0], blocks[:, -1]])
    return Indices(first, first_ci, total, total_ci), draws, failed


def left_out_design(bench: Bench, kept: Bools, samples: int, seed: int) -> tuple[Bench, Array]:
    """Pairs of points that share the kept factors and differ in all others.

    Parameters
    ----------
    kept : (factors,)

    Returns
    -------
    a bench on which no kept factor shares a column with one left out, and coordinates (2 samples, columns)
    """
    inside = make_bench(bench.cases, [f for f, yes in zip(bench.factors, kept, strict=True) if yes])
    outside = make_bench(bench.cases, [f for f, yes in zip(bench.factors, kept, strict=True) if not yes])
    columns = np.concatenate([inside.columns, outside.columns + inside.n_columns])
    joined = Bench(
        bench.cases,
        (*inside.factors, *outside.factors),
        columns,
        np.concatenate([inside.centre, outside.centre]),
    )
    rng = np.random.default_rng([seed, 2])
    one, other = rng.standard_normal((2, samples, joined.n_columns))
    other[:, : inside.n_columns] = one[:, : inside.n_columns]
    return joined, np.stack([one, other], axis=1).reshape(-1, joined.n_columns)


def left_out_index(output: Array) -> Array:
    """Total index of the factors in which the pairs of `left_out_design` differ: (cases,)."""
    pairs = output.reshape(-1, 2, output.shape[1])
    pairs = pairs[np.isfinite(pairs).all(axis=(1, 2))]
    variance = pairs.reshape(-1, output.shape[1]).var(axis=0)
    apart = ((pairs[:, 0] - pairs[:, 1]) ** 2).mean(axis=0) / 2.0
    return np.where(variance > SILENT**2, apart / np.where(variance > SILENT**2, variance, 1.0), np.nan)
