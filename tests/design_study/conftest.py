"""Patients with exponential survival, for which power is known in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from her2.design_study.draw import Source
from her2.engine.layout import N_OUTCOMES, Outcome
from her2.engine.run import Followed


def _followed(death: np.ndarray) -> Followed:
    n = death.size
    outcomes = np.zeros((N_OUTCOMES, n))
    outcomes[Outcome.DEATH] = death
    outcomes[Outcome.PROGRESSION] = np.inf
    return Followed(
        patient=np.arange(n, dtype=np.int64),
        outcomes=outcomes,
        sums=np.empty((0, n)),
        line_starts=np.empty((0, n)),
        line_regimens=np.empty((0, n), dtype=np.int64),
    )


@pytest.fixture(scope="session")
def exponential_source() -> Callable[..., Source]:
    """Overall survival with a given hazard ratio; the pool holds the quantiles, so that its effect is exact."""

    def make(
        hazard_ratio: float, *, median: float = 365.0, n: int = 20_000, loss_rate: float = 0.0, codes: int = 1
    ) -> Source:
        generator = np.random.default_rng(20260101)
        control = -np.log((np.arange(n) + 0.5) / n) * median / np.log(2.0)
        days = np.stack([generator.permutation(control) / hazard_ratio, generator.permutation(control)])
        return Source(
            arms=(_followed(days[0]), _followed(days[1])),
            candidates=np.arange(n),
            event_day=days,
            stratum=generator.integers(0, codes, n),
            endpoint="os",
            scan_days=63.0,
            horizon=1e5,
            loss_rate=loss_rate,
        )

    return make
