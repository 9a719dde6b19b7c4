"""Choose, for each member of the cell ensemble, a draw from the priors that the mechanism claims support."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from her2.calibration.claims import SOFT_CLAIMS, claim_values
from her2.cell.ensemble import CANDIDATES, SEED, candidate_values
from her2.model import build_model
from her2.posterior import load_posterior


def misfit(number: int, candidate: int) -> float:
    """Sum of squared shortfalls of the claims from their margins, in units of their errors."""
    shown = claim_values(build_model(candidate_values(number, candidate)))
    short = [max(c.margin - float(v), 0.0) / c.error for c, v in zip(SOFT_CLAIMS, shown, strict=True)]
    return float(np.sum(np.square(short)))


def choose(number: int, candidates: int = CANDIDATES) -> tuple[int, float]:
    """The chosen draw of one member and its misfit: probability in proportion to exp(-misfit / 2)."""
    misfits = np.array([misfit(number, c) for c in range(candidates)])
    weights = np.exp(-0.5 * (misfits - misfits.min()))
    u = float(np.random.default_rng([SEED, number]).uniform())
    candidate = min(int(np.searchsorted(np.cumsum(weights) / weights.sum(), u)), candidates - 1)
    return candidate, float(misfits[candidate])


def write_members(path: Path, candidates: int = CANDIDATES) -> list[tuple[int, float]]:
    """Choose all members and write them as a table of member, candidate and misfit."""
    rows = [choose(k, candidates) for k in range(load_posterior().n)]
    lines = ["member\tcandidate\tmisfit", *(f"{k}\t{c}\t{m:.4f}" for k, (c, m) in enumerate(rows))]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.replace(path)
    return rows
