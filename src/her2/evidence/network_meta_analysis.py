"""Network meta-analysis: treatments compared through the trials that link them.

Contrast-based and frequentist: generalised least squares on the differences of each trial from its first arm,
as in the graph-theoretical model (Rücker 2012), to which it is equivalent. The arms of a trial share their
reference, so the differences of a trial with several arms are correlated; their covariance follows from the
standard errors of all its pairs. One variance between studies for all comparisons, by DerSimonian-Laird
generalised to correlated differences (Jackson, White and Riley 2012).

A network that hangs together only in parts has no answer across the parts: each is analysed by itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from her2.evidence.contrasts import Selection
from her2.evidence.meta_analysis import quantile, upper_chi2

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Effect of one treatment against another in one study, on an additive scale."""

    study: str
    treatment: str
    reference: str
    effect: float
    """Treatment minus reference, such as a log hazard ratio."""
    se: float


@dataclass(frozen=True)
class Estimate:
    """Effect of one treatment against another from the whole component."""

    treatment: str
    reference: str
    effect: float
    se: float
    ci_low: float
    ci_high: float
    p: float
    is_direct: bool
    """Whether a study compares the two."""


@dataclass(frozen=True)
class Component:
    """Treatments that trials link, and what follows from all of them together."""

    treatments: tuple[str, ...]
    studies: tuple[str, ...]
    is_random: bool
    level: float
    tau2: float
    q: float
    q_df: int
    q_p: float
    q_within: float
    """Heterogeneity between studies that compare the same treatments."""
    q_within_df: int
    q_within_p: float
    q_between: float
    """Inconsistency between designs: what direct and indirect comparisons disagree."""
    q_between_df: int
    q_between_p: float
    i2: float
    """Share of Q beyond its degrees of freedom, in percent."""
    effects: Floats
    """(treatments, treatments): row against column."""
    standard_errors: Floats
    direct: frozenset[tuple[str, str]]
    p_scores: tuple[float, ...]
    """Mean certainty that a treatment is better than another, in the order of the treatments."""

    def estimate(self, treatment: str, reference: str) -> Estimate:
        """One treatment against another.

        Raises
        ------
        ValueError
            If one of them is not in this component.
        """
        for name in (treatment, reference):
            if name not in self.treatments:
                raise ValueError(
                    f"treatment: '{name}' is not in this component (there: {', '.join(self.treatments)})"
                )
        i, j = self.treatments.index(treatment), self.treatments.index(reference)
        effect, se = float(self.effects[i, j]), float(self.standard_errors[i, j])
        half = quantile(0.5 + self.level / 2, None) * se
        return Estimate(
            treatment=treatment,
            reference=reference,
            effect=effect,
            se=se,
            ci_low=effect - half,
            ci_high=effect + half,
            p=math.erfc(abs(effect / se) / math.sqrt(2.0)) if se > 0 else 1.0,
            is_direct=(treatment, reference) in self.direct,
        )

    def league(self) -> tuple[Estimate, ...]:
        """Every treatment against every other, the better ranked first."""
        order = [name for name, _ in self.ranking()]
        return tuple(self.estimate(a, b) for a in order for b in order if a != b)

    def ranking(self) -> tuple[tuple[str, float], ...]:
        """Treatments with their P-scores, the best first."""
        return tuple(sorted(zip(self.treatments, self.p_scores), key=lambda pair: (-pair[1], pair[0])))


@dataclass(frozen=True)
class NetworkAnalysis:
    """The components of a network, the largest first."""

    components: tuple[Component, ...]

    @property
    def is_connected(self) -> bool:
        """Whether all treatments can be compared."""
        return len(self.components) == 1

    @property
    def warning(self) -> str:
        """What an unconnected network cannot say; empty if it is connected."""
        if self.is_connected:
            return ""
        parts = "; ".join(f"({i}) {', '.join(c.treatments)}" for i, c in enumerate(self.components, start=1))
        return (
            f"the network is not connected: {len(self.components)} components, each analysed by itself; "
            f"nothing compares treatments across them: {parts}"
        )


def analyse_network(
    comparisons: Iterable[Comparison],
    *,
    random_effects: bool = True,
    small_is_good: bool = True,
    level: float = 0.95,
) -> NetworkAnalysis:
    """Network meta-analysis of each connected component.

    Parameters
    ----------
    comparisons
        One for each pair of arms of each study; a study of k arms needs all its k (k - 1) / 2 pairs.
    random_effects
        Add a variance between studies, common to all comparisons.
    small_is_good
        Whether a negative effect is a benefit, as for log hazard ratios of an unwanted event.
    level
        Confidence level.

    Raises
    ------
    ValueError
        If there is no comparison, a figure is not possible, a pair is given twice, a study lacks a pair, or
        the pairs of a study contradict each other.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: expected a share between 0 and 1, got {level:g}")
    studies: dict[str, dict[tuple[str, str], Comparison]] = {}
    for c in comparisons:
        _check_comparison(c)
        pairs = studies.setdefault(c.study, {})
        if (c.treatment, c.reference) in pairs or (c.reference, c.treatment) in pairs:
            raise ValueError(f"study {c.study}: {c.treatment} against {c.reference} is given twice")
        pairs[c.treatment, c.reference] = c
    if not studies:
        raise ValueError("comparisons: expected at least one, got none")
    blocks = [_Block(name, pairs) for name, pairs in studies.items()]
    components = [
        _analyse(
            part, [b for b in blocks if b.arms[0] in part], random_effects, small_is_good=small_is_good,
            level=level,
        )
        for part in _parts(blocks)
    ]  # fmt: skip
    components.sort(key=lambda c: (-len(c.treatments), c.treatments))
    return NetworkAnalysis(tuple(components))


def connected_parts(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Names that pairs link to one another, directly or through others; each part sorted."""
    parts: list[set[str]] = []
    for pair in pairs:
        joined = set(pair).union(*(p for p in parts if p & set(pair)))
        parts = [p for p in parts if not p & joined] + [joined]
    return sorted(tuple(sorted(p)) for p in parts)


def network_of(
    selection: Selection, merged: Mapping[str, str] | None = None
) -> tuple[list[Comparison], list[str]]:
    """Comparisons between the treatments of selected contrasts, and what had to be left out.

    A treatment is the set of agents of an arm. Of a study with several arms only a complete set of pairs can
    be used, since the covariance of the others is not known.

    Parameters
    ----------
    merged
        Agents counted as another, such as {"docetaxel": "taxane", "paclitaxel": "taxane"}.
    """
    found: dict[str, list[Comparison]] = {}
    notes: list[str] = []
    for c in selection.contrasts:
        names = [
            "+".join(sorted({(merged or {}).get(a, a) for a in agents}))
            for agents in (c.experimental_agents, c.control_agents)
        ]
        if names[0] == names[1]:
            notes.append(f"{c.name}: both arms count as {names[0]}")
            continue
        found.setdefault(c.study, []).append(Comparison(c.study, names[0], names[1], c.log_hr, c.se))
    result: list[Comparison] = []
    for study, items in found.items():
        arms = {t for c in items for t in (c.treatment, c.reference)}
        try:
            _Block(study, {(c.treatment, c.reference): c for c in items})
        except ValueError as error:
            notes.append(str(error))
            continue
        if len(items) != len(arms) * (len(arms) - 1) // 2:
            notes.append(f"study {study}: two arms count as one treatment")
            continue
        result += items
    return result, notes


class _Block:
    """Differences of one study from its first arm, with their covariance."""

    def __init__(self, name: str, pairs: Mapping[tuple[str, str], Comparison]) -> None:
        self.name = name
        self.arms = tuple(sorted({t for pair in pairs for t in pair}))
        k = len(self.arms)
        effect, variance = np.zeros((k, k)), np.zeros((k, k))
        for i, j in itertools.combinations(range(k), 2):
            a, b = self.arms[i], self.arms[j]
            sign = 1.0 if (b, a) in pairs else -1.0
            c = pairs.get((b, a)) or pairs.get((a, b))
            if c is None:
                raise ValueError(
                    f"study {name}: a study of {k} arms needs all {k * (k - 1) // 2} pairs, {b} against {a} is "
                    "missing"
                )
            effect[j, i], effect[i, j] = sign * c.effect, -sign * c.effect
            variance[i, j] = variance[j, i] = c.se**2
        self.effects: Floats = effect[1:, 0]
        self.covariance: Floats = 0.5 * (variance[1:, :1] + variance[:1, 1:] - variance[1:, 1:])
        if k > 2:
            implied = effect[1:, :1] - effect[1:, :1].T
            # printed figures are rounded: pairs may disagree by a small part of their standard error
            if (np.abs(implied - effect[1:, 1:]) > 0.1 * np.sqrt(variance[1:, 1:]) + 1e-9).any():
                raise ValueError(f"study {name}: the effects of its pairs contradict each other")
            if np.linalg.eigvalsh(self.covariance)[0] <= 1e-12 * variance.max():
                raise ValueError(f"study {name}: the standard errors of its pairs contradict each other")

    def design(self, treatments: Sequence[str]) -> Floats:
        """One row for each difference; the first treatment is the reference of the columns."""
        rows = np.zeros((len(self.effects), len(treatments)))
        for r, arm in enumerate(self.arms[1:]):
            rows[r, treatments.index(arm)] = 1.0
            rows[r, treatments.index(self.arms[0])] = -1.0
        return rows[:, 1:]

    def shared(self) -> Floats:
        """Covariance of the differences of a study for a unit variance between studies."""
        m = len(self.effects)
        return 0.5 * (np.eye(m) + np.ones((m, m)))


def _check_comparison(c: Comparison) -> None:
    if c.treatment == c.reference:
        raise ValueError(f"study {c.study}: '{c.treatment}' is compared with itself")
    if not math.isfinite(c.effect):
        raise ValueError(f"study {c.study}: effect: expected a finite number, got {c.effect}")
    if not (math.isfinite(c.se) and c.se > 0):
        raise ValueError(f"study {c.study}: se: expected a positive number, got {c.se:g}")


def _parts(blocks: Sequence[_Block]) -> list[tuple[str, ...]]:
    return connected_parts((b.arms[0], other) for b in blocks for other in b.arms[1:])


def _analyse(
    treatments: tuple[str, ...],
    blocks: Sequence[_Block],
    random_effects: bool,
    *,
    small_is_good: bool,
    level: float,
) -> Component:
    """One connected component."""
    n = len(treatments)
    q, df, scale = _least_squares(blocks, treatments, 0.0)[2:]
    tau2 = max(0.0, (q - df) / scale) if random_effects and df > 0 and scale > 0 else 0.0
    effect, covariance = _least_squares(blocks, treatments, tau2)[:2]
    theta = np.concatenate(([0.0], effect))
    full = np.zeros((n, n))
    full[1:, 1:] = covariance
    diagonal = np.diag(full)
    variances = np.maximum(diagonal[:, None] + diagonal[None, :] - 2.0 * full, 0.0)
    np.fill_diagonal(variances, 0.0)
    effects = theta[:, None] - theta[None, :]
    errors = np.sqrt(variances)
    within, within_df = _within_designs(blocks)
    between, between_df = max(q - within, 0.0), df - within_df
    cdf = NormalDist().cdf
    sign = -1.0 if small_is_good else 1.0
    scores = tuple(
        sum(cdf(sign * float(effects[i, j]) / float(errors[i, j])) for j in range(n) if j != i) / (n - 1)
        for i in range(n)
    )
    return Component(
        treatments=treatments,
        studies=tuple(b.name for b in blocks),
        is_random=random_effects,
        level=level,
        tau2=tau2,
        q=q,
        q_df=df,
        q_p=upper_chi2(q, df),
        q_within=within,
        q_within_df=within_df,
        q_within_p=upper_chi2(within, within_df),
        q_between=between if between_df > 0 else 0.0,
        q_between_df=between_df,
        q_between_p=upper_chi2(between, between_df),
        i2=max(0.0, 100.0 * (q - df) / q) if q > 0 and df > 0 else 0.0,
        effects=effects,
        standard_errors=errors,
        direct=frozenset(pair for b in blocks for pair in itertools.permutations(b.arms, 2)),
        p_scores=scores,
    )


def _least_squares(
    blocks: Sequence[_Block], treatments: Sequence[str], tau2: float
) -> tuple[Floats, Floats, float, int, float]:
    """Effects against the first treatment, their covariance, Q, its degrees of freedom, and dE[Q]/dtau2."""
    p = len(treatments) - 1
    information, target = np.zeros((p, p)), np.zeros(p)
    solved = []
    for b in blocks:
        x = b.design(treatments)
        inverse = np.linalg.inv(b.covariance + tau2 * b.shared())
        information += x.T @ inverse @ x
        target += x.T @ inverse @ b.effects
        solved.append((b, x, inverse))
    covariance: Floats = np.asarray(np.linalg.inv(information), dtype=np.float64)
    effect = covariance @ target
    q = scale = 0.0
    rows = 0
    for b, x, inverse in solved:
        residual = b.effects - x @ effect
        q += float(residual @ inverse @ residual)
        spread = inverse - inverse @ x @ covariance @ x.T @ inverse
        scale += float(np.trace(spread @ b.shared()))
        rows += len(b.effects)
    return effect, covariance, q, rows - p, scale


def _within_designs(blocks: Sequence[_Block]) -> tuple[float, int]:
    """Q and degrees of freedom of studies about the mean of those that compare the same treatments."""
    designs: dict[tuple[str, ...], list[_Block]] = {}
    for b in blocks:
        designs.setdefault(b.arms, []).append(b)
    q, df = 0.0, 0
    for arms, members in designs.items():
        _, _, part, part_df, _ = _least_squares(members, arms, 0.0)
        if part_df > 0:
            q, df = q + part, df + part_df
    return q, df
