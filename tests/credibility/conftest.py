"""Facts as they ship, gathered once."""

from __future__ import annotations

import pytest

from her2.credibility.facts import gather


@pytest.fixture(scope="session")
def facts():
    """Everything numeric of the report."""
    return gather()
