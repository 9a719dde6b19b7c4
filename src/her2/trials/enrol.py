"""Enrolment and loss to follow-up: when each patient enters, and when contact is lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from her2.engine.rng import Purpose, exponentials, uniforms

Array = NDArray[np.float64]


def enrol_times(seed: int, first: int, n: int, accrual_days: float) -> Array:
    """Day of enrolment since the first patient, uniform over the accrual: (patients,)."""
    return accrual_days * np.asarray(uniforms(seed, first, n, int(Purpose.ENROLMENT), 0))


def loss_times(seed: int, first: int, n: int, rate_per_day: float) -> Array:
    """Day since entry on which contact is lost, exponential; infinite for a rate of zero: (patients,)."""
    if rate_per_day <= 0.0:
        return np.full(n, np.inf)
    return np.asarray(exponentials(seed, first, n, int(Purpose.ENROLMENT), 1)) / rate_per_day
