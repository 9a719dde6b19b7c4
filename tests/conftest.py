"""Shared strictness of the tests: fixed seeds, warnings as errors (pyproject), small cohorts."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# no test shows an answer of an earlier run, nor leaves one in the home folder
os.environ["HER2_CACHE"] = ""
# the first call of a compiled function takes seconds, which says nothing about the code under test
settings.register_profile(
    "her2", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("her2")


@pytest.fixture(scope="session")
def model():
    """The model at the values of the record (not the posterior): does not change with a new calibration."""
    from her2.model import build_model

    return build_model()


@pytest.fixture(scope="session")
def cleopatra():
    """The built-in CLEOPATRA."""
    from her2.trials.design import load_trial

    return load_trial("cleopatra")


@pytest.fixture
def generator():
    """A seeded NumPy generator."""
    return np.random.default_rng(20260101)
