"""The properties run with the number of examples of their profile, which follows HER2_PROPERTIES."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

_seen: list[int] = []


@given(st.integers())
def test_examples_are_drawn(value):
    _seen.append(value)


def test_as_many_as_the_profile_says():
    _seen.clear()
    test_examples_are_drawn()
    assert len(_seen) == (300 if os.environ.get("HER2_PROPERTIES") == "full" else 15)
