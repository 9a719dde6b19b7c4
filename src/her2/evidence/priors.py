"""The map between a parameter's value and its standard normal coordinate, by the law of its prior."""

from __future__ import annotations

import math

from her2.evidence.schema import Parameter


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
        here = math.log(value / (1.0 - value))
        return (here - math.log(parameter.value / (1.0 - parameter.value))) / prior.spread
    return (value - parameter.value) / prior.spread
