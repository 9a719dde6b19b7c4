"""Made-up patients: what a store keeps does not depend on how it came about."""

from __future__ import annotations

import numpy as np

from her2.engine.layout import MAX_LINES, MAX_VISITS, N_OUTCOMES, Outcome, Status
from her2.engine.run import Followed

WHAT = {"trial": "made_up", "seed": 1}


def made_up_patients(first: int, n: int, seed: int = 0) -> Followed:
    """Patients `first` to `first + n - 1` with numbers of every kind: NaN, infinity, gaps between scans, no scan at all."""
    rng = np.random.default_rng([seed, first])
    outcomes = rng.normal(size=(N_OUTCOMES, n))
    outcomes[rng.random((N_OUTCOMES, n)) < 0.2] = np.inf
    outcomes[rng.random((N_OUTCOMES, n)) < 0.1] = np.nan
    outcomes[Outcome.STATUS] = rng.choice([Status.DEAD, Status.HORIZON], n)
    outcomes[Outcome.LINES] = rng.integers(0, MAX_LINES, n)
    sums = rng.lognormal(3.0, 1.0, (MAX_VISITS, n))
    sums[rng.random((MAX_VISITS, n)) < 0.1] = np.nan
    sums[np.arange(MAX_VISITS)[:, None] >= rng.integers(0, MAX_VISITS + 1, n)[None, :]] = np.nan
    starts = rng.normal(size=(MAX_LINES, n))
    regimens = rng.integers(-1, 20, (MAX_LINES, n))
    never = np.arange(MAX_LINES)[:, None] >= rng.integers(0, MAX_LINES + 1, n)[None, :]
    starts[never], regimens[never] = np.nan, -1
    return Followed(np.arange(first, first + n, dtype=np.int64), outcomes, sums, starts, regimens)
