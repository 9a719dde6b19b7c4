"""Refit at reduced size and compare with the shipped posterior: does the same command lead to the same place?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from her2.calibration.free import load_free
from her2.calibration.run import Calibration
from her2.posterior import load_posterior

FAR = 2.576
"""Distance, in joint standard deviations, beyond which a parameter counts as elsewhere: 1 % by chance."""
MOST_FAR = 0.1
"""Largest share of parameters that may lie elsewhere."""


@dataclass(frozen=True)
class Compared:
    """One free parameter: mean and SD of the refit and of the shipped ensemble, in prior standard deviations."""

    parameter: str
    refit: float
    refit_sd: float
    shipped: float
    shipped_sd: float

    @property
    def distance(self) -> float:
        """Difference of the means over the joint standard deviation of both ensembles."""
        return abs(self.refit - self.shipped) / float(np.hypot(self.refit_sd, self.shipped_sd))


def compare_with_shipped(refit: Calibration) -> tuple[Compared, ...]:
    """Every free parameter of a refit beside the shipped ensemble, the farthest first."""
    free, posterior = load_free(), load_posterior()
    shipped = np.array([free.coordinates(posterior.values(m)) for m in range(posterior.n)])
    z = refit.members
    rows = [
        Compared(
            name,
            float(z[:, k].mean()),
            float(z[:, k].std(ddof=1)),
            float(shipped[:, k].mean()),
            float(shipped[:, k].std(ddof=1)),
        )
        for k, name in enumerate(free.names)
    ]
    return tuple(sorted(rows, key=lambda r: -r.distance))


def agrees(rows: tuple[Compared, ...]) -> bool:
    """Whether the refit lands within the shipped posterior: at most a tenth of the parameters lie elsewhere."""
    return sum(r.distance > FAR for r in rows) <= MOST_FAR * len(rows)
