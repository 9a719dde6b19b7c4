"""The free parameters: their priors, and the map between standard normal numbers and values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.evidence.load import load_parameters
from her2.evidence.priors import to_coordinate, to_value
from her2.evidence.schema import Parameter

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FreeParameters:
    """Free parameters in a fixed order."""

    parameters: tuple[Parameter, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Ids in order."""
        return tuple(p.id for p in self.parameters)

    def values(self, z: Array) -> dict[str, float]:
        """Parameter values at standard normal coordinates z: (parameters,)."""
        return {p.id: to_value(p, float(x)) for p, x in zip(self.parameters, z, strict=True)}

    def coordinates(self, values: dict[str, float]) -> Array:
        """Inverse of `values`."""
        return np.array([to_coordinate(p, values[p.id]) for p in self.parameters])


def load_free() -> FreeParameters:
    """All parameters of the record with `role: free`, sorted by id."""
    found = sorted((p for p in load_parameters().values() if p.role == "free"), key=lambda p: p.id)
    return FreeParameters(tuple(found))
