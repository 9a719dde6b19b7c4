"""Twins that several relations start from."""

from __future__ import annotations

import pytest
from relations import SEED, N, edited

from her2.trials.follow import simulate_pool


@pytest.fixture(scope="session")
def second_line():
    """A small trial after one line of trastuzumab with a taxane: patients are screened by living through it."""
    return edited(
        "cleopatra",
        id="after_one_line",
        prior_lines=["docetaxel+trastuzumab"],
        drop_out={"rate": "0.2 1/year"},
    )


@pytest.fixture(scope="session")
def pool(model, cleopatra):
    """Twins of CLEOPATRA at the values of the record, adverse events and planned cycles as in its file."""
    return simulate_pool(model, cleopatra, N, SEED)
