"""Pairwise meta-analysis: one pooled effect from the estimates and standard errors of several studies.

Inverse-variance weights throughout. `fixed` takes one true effect; the three random-effects methods differ in
how they estimate the variance between studies, tau2: DerSimonian-Laird (`dl`, closed form), Paule-Mandel
(`pm`, the generalised Q equals its degrees of freedom) and restricted maximum likelihood (`reml`).
Effects are on a scale where they are about normal: log hazard ratios, log odds ratios, mean differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Method = Literal["fixed", "dl", "pm", "reml"]
METHODS: tuple[str, ...] = get_args(Method)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MetaAnalysis:
    """A pooled effect with its interval, and how much the studies differ."""

    method: Method
    is_knapp_hartung: bool
    level: float
    """Confidence level of all intervals."""
    n_studies: int
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p: float
    """Two-sided, that the pooled effect is zero."""
    prediction_low: float | None
    """Where the true effect of a new study lies; none for a fixed effect or too few studies."""
    prediction_high: float | None
    q: float
    """Cochran's Q about the fixed-effect estimate."""
    q_df: int
    q_p: float
    tau2: float
    i2: float
    """Share of the variance that lies between studies, in percent."""
    h2: float
    """Total variance over sampling variance."""
    weights: tuple[float, ...]
    """Share of each study in the pooled effect; they sum to one."""


def pool_effects(
    effects: Sequence[float] | Floats,
    standard_errors: Sequence[float] | Floats,
    *,
    method: Method = "reml",
    knapp_hartung: bool = False,
    level: float = 0.95,
    prediction: Literal["k_minus_2", "as_interval"] = "k_minus_2",
) -> MetaAnalysis:
    """Pooled effect of several independent studies.

    Parameters
    ----------
    effects : (studies,)
        Estimates, such as log hazard ratios.
    standard_errors : (studies,)
        Their standard errors, taken as known.
    method
        `fixed`, `dl`, `pm` or `reml`.
    knapp_hartung
        Standard error from the spread of the studies about the pooled effect, and a t interval with k - 1
        degrees of freedom: better covered with few studies, but can be too narrow where they agree by chance.
    level
        Confidence level.
    prediction
        Quantile of the prediction interval: t with k - 2 degrees of freedom (needs three studies), or the
        same law as the confidence interval.

    Raises
    ------
    ValueError
        If an effect is not finite, a standard error not positive, the lengths differ, there is no study, or
        Knapp-Hartung is asked of one study.
    """
    y, v = _check(effects, standard_errors)
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got '{method}'")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: expected a share between 0 and 1, got {level:g}")
    if prediction not in ("k_minus_2", "as_interval"):
        raise ValueError(f"prediction: expected 'k_minus_2' or 'as_interval', got '{prediction}'")
    k = len(y)
    if knapp_hartung and k < 2:
        raise ValueError("knapp_hartung: one study has no spread between studies; expected at least two")
    fixed = 1.0 / v
    q = _generalised_q(y, v, 0.0)
    tau2 = between_study_variance(y, v, method)
    w = 1.0 / (v + tau2)
    estimate = float(w @ y / w.sum())
    se = math.sqrt(1.0 / float(w.sum()))
    if knapp_hartung:
        se *= math.sqrt(float(w @ (y - estimate) ** 2) / (k - 1))
    df = k - 1 if knapp_hartung else None
    half = quantile(0.5 + level / 2, df) * se
    predicted: tuple[float | None, float | None] = (None, None)
    if method != "fixed" and k >= (3 if prediction == "k_minus_2" else 2):
        reach = quantile(0.5 + level / 2, k - 2 if prediction == "k_minus_2" else df)
        reach *= math.sqrt(se**2 + tau2)
        predicted = (estimate - reach, estimate + reach)
    if k == 1:
        i2, h2 = 0.0, 1.0
    elif method == "fixed":
        i2, h2 = (max(0.0, 100.0 * (q - (k - 1)) / q) if q > 0 else 0.0), q / (k - 1)
    else:
        # variance of a typical study, Higgins and Thompson
        typical = (k - 1) / (fixed.sum() - (fixed**2).sum() / fixed.sum())
        i2, h2 = float(100.0 * tau2 / (tau2 + typical)), float((tau2 + typical) / typical)
    return MetaAnalysis(
        method=method,
        is_knapp_hartung=knapp_hartung,
        level=level,
        n_studies=k,
        estimate=estimate,
        se=se,
        ci_low=estimate - half,
        ci_high=estimate + half,
        p=_two_sided(estimate / se, df) if se > 0 else (1.0 if estimate == 0 else 0.0),
        prediction_low=predicted[0],
        prediction_high=predicted[1],
        q=q,
        q_df=k - 1,
        q_p=upper_chi2(q, k - 1),
        tau2=tau2,
        i2=i2,
        h2=h2,
        weights=tuple((w / w.sum()).tolist()),
    )


def between_study_variance(effects: Floats, variances: Floats, method: Method) -> float:
    """Variance of the true effects between studies; zero for `fixed` and for a single study."""
    y, v = effects, variances
    k = len(y)
    if method == "fixed" or k == 1:
        return 0.0
    if method == "dl":
        w = 1.0 / v
        scale = float(w.sum() - (w**2).sum() / w.sum())
        return max(0.0, (_generalised_q(y, v, 0.0) - (k - 1)) / scale)
    if method == "pm":
        if _generalised_q(y, v, 0.0) <= k - 1:
            return 0.0
        # Q falls steadily in tau2 and lies below the sum of squares over tau2
        high = float(((y - y.mean()) ** 2).sum()) / (k - 1)
        return _bisect(lambda t: _generalised_q(y, v, t) - (k - 1), 0.0, max(high, 1e-300))
    return _reml(y, v)


def _reml(y: Floats, v: Floats) -> float:
    """Largest restricted likelihood: the best of a grid, then the zero of the score beside it.

    The likelihood can have two peaks when the variances differ greatly; a grid finds the higher one where
    scoring from a start would stop at the nearer.
    """
    top = 10.0 * float(((y - y.mean()) ** 2).sum()) + 1e-12
    bottom = 1e-6 * min(float(v.min()), top)
    grid = np.concatenate(([0.0], np.geomspace(bottom, top, 400)))
    best = int(np.argmax([_restricted_likelihood(y, v, t) for t in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    if best == 0 and _reml_score(y, v, 0.0) <= 0.0:
        return 0.0
    return _bisect(lambda t: _reml_score(y, v, t), float(low), float(high))


def _restricted_likelihood(y: Floats, v: Floats, tau2: float) -> float:
    w = 1.0 / (v + tau2)
    return float(0.5 * np.log(w).sum() - 0.5 * math.log(w.sum()) - 0.5 * _generalised_q(y, v, tau2))


def _reml_score(y: Floats, v: Floats, tau2: float) -> float:
    """Twice the derivative of the restricted log likelihood by tau2."""
    w = 1.0 / (v + tau2)
    residual = y - float(w @ y / w.sum())
    return float((w**2 * residual**2).sum() - w.sum() + (w**2).sum() / w.sum())


def _generalised_q(y: Floats, v: Floats, tau2: float) -> float:
    w = 1.0 / (v + tau2)
    return float(w @ (y - float(w @ y / w.sum())) ** 2)


def _bisect(falling: Callable[[float], float], low: float, high: float) -> float:
    """Zero of a function that is positive at `low` and not positive at `high`."""
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if falling(middle) > 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _check(effects: Sequence[float] | Floats, errors: Sequence[float] | Floats) -> tuple[Floats, Floats]:
    y = np.asarray(effects, dtype=np.float64)
    s = np.asarray(errors, dtype=np.float64)
    if y.ndim != 1 or s.ndim != 1:
        raise ValueError(f"effects, standard_errors: expected one per study, got shapes {y.shape}, {s.shape}")
    if len(y) == 0:
        raise ValueError("effects: expected at least one study, got none")
    if len(y) != len(s):
        raise ValueError(f"effects, standard_errors: expected as many of each, got {len(y)} and {len(s)}")
    if not np.isfinite(y).all():
        raise ValueError(f"effects: expected finite numbers, got {y[~np.isfinite(y)][0]} at study {_at(y)}")
    if not (np.isfinite(s) & (s > 0)).all():
        bad = int(np.flatnonzero(~(np.isfinite(s) & (s > 0)))[0])
        raise ValueError(f"standard_errors: expected positive numbers, got {s[bad]:g} at study {bad + 1}")
    return y, s**2


def _at(y: Floats) -> int:
    return int(np.flatnonzero(~np.isfinite(y))[0]) + 1


def quantile(p: float, df: int | None) -> float:
    """Quantile of the normal law, or of t with `df` degrees of freedom."""
    if df is None:
        return NormalDist().inv_cdf(p)
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def _two_sided(statistic: float, df: int | None) -> float:
    if df is None:
        return math.erfc(abs(statistic) / math.sqrt(2.0))
    from scipy.special import stdtr

    return float(2.0 * stdtr(df, -abs(statistic)))


def upper_chi2(statistic: float, df: int) -> float:
    """Probability of a chi-squared at least as large; one without degrees of freedom."""
    if df < 1:
        return 1.0
    from scipy.special import chdtrc

    return float(chdtrc(df, max(statistic, 0.0)))
