"""The free parameters: their priors, and the map between standard normal numbers and values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.evidence.load import load_parameters
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


def to_value(parameter: Parameter, z: float) -> float:
    """Value at z prior standard deviations from the prior median."""
    prior = parameter.prior
    assert prior is not None
    if prior.law == "lognormal":
        return parameter.value * math.exp(prior.spread * z)
    if prior.law == "logit_normal":
        logit = math.log(parameter.value / (1.0 - parameter.value)) + prior.spread * z
        return 1.0 / (1.0 + math.exp(-logit))
    return parameter.value + prior.spread * z


def to_coordinate(parameter: Parameter, value: float) -> float:
    """Inverse of `to_value`."""
    prior = parameter.prior
    assert prior is not None
    if prior.law == "lognormal":
        return math.log(value / parameter.value) / prior.spread
    if prior.law == "logit_normal":
        median = parameter.value
        return (math.log(value / (1.0 - value)) - math.log(median / (1.0 - median))) / prior.spread
    return (value - parameter.value) / prior.spread
