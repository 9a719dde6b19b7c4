"""How many examples each property gets: few in every run, many with HER2_PROPERTIES=full, the same ones every time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

HERE = Path(__file__).resolve().parent
# a folder is used again by every example of a test: each writes its own file anew
_QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile(
    "ci", max_examples=15, deadline=None, derandomize=True, suppress_health_check=_QUIET
)
settings.register_profile(
    "full", max_examples=300, deadline=None, derandomize=True, suppress_health_check=_QUIET
)
PROFILE = "full" if os.environ.get("HER2_PROPERTIES") == "full" else "ci"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the properties of this folder their profile; those of other folders keep that of all tests."""
    chosen = settings.get_profile(PROFILE)
    for item in items:
        if isinstance(item, pytest.Function) and HERE in item.path.parents and is_hypothesis_test(item.obj):
            chosen(item.obj)
