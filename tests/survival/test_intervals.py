"""Intervals for response rates: published example, bounds, symmetry; test_against_r.py has R's numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2.survival import clopper_pearson, newcombe_difference, wilson

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_newcombe_equals_the_published_example() -> None:
    # Newcombe 1998, Table II (a), method 10: 56/70 against 48/80, printed to four decimals.
    both = newcombe_difference(56, 70, 48, 80)
    assert both.estimate == pytest.approx(0.2)
    assert both.lower == pytest.approx(0.0524, abs=5e-5)
    assert both.upper == pytest.approx(0.3339, abs=5e-5)


def test_no_responder_has_the_closed_form() -> None:
    assert clopper_pearson(0, 20).upper == pytest.approx(1 - 0.025 ** (1 / 20), rel=1e-12)
    assert clopper_pearson(20, 20).lower == pytest.approx(0.025 ** (1 / 20), rel=1e-12)
    assert clopper_pearson(0, 20).lower == wilson(0, 20).lower == 0.0
    assert clopper_pearson(20, 20).upper == wilson(20, 20).upper == 1.0


@given(COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
def test_limits_enclose_the_rate_and_mirror(counts: tuple[int, int], level: float) -> None:
    x, n = counts
    for interval in (clopper_pearson, wilson):
        rate, mirrored = interval(x, n, level), interval(n - x, n, level)
        assert 0.0 <= rate.lower <= rate.estimate <= rate.upper <= 1.0
        assert rate.lower == pytest.approx(1.0 - mirrored.upper, abs=1e-12)


@given(COUNTS)
def test_exact_limits_put_half_the_error_in_each_tail(counts: tuple[int, int]) -> None:
    x, n = counts
    exact = clopper_pearson(x, n)
    if x > 0:
        tail = math.fsum(
            math.comb(n, k) * exact.lower**k * (1 - exact.lower) ** (n - k) for k in range(x, n + 1)
        )
        assert tail == pytest.approx(0.025, rel=1e-8)


@given(COUNTS, COUNTS)
def test_swapping_the_arms_mirrors_the_difference(a: tuple[int, int], b: tuple[int, int]) -> None:
    one, other = newcombe_difference(*a, *b), newcombe_difference(*b, *a)
    assert one.lower == pytest.approx(-other.upper, abs=1e-15)
    assert -1.0 - 1e-12 <= one.lower <= one.estimate <= one.upper <= 1.0 + 1e-12


@pytest.mark.parametrize(
    ("x", "n", "words"),
    [
        (-1, 10, "n_responders"),
        (11, 10, "n_responders"),
        (0, 0, "n_patients"),
        (1.5, 10, "whole number"),
        (1, math.nan, "whole"),
    ],
)
def test_wrong_counts_are_refused_in_words(x: int, n: int, words: str) -> None:
    for interval in (clopper_pearson, wilson):
        with pytest.raises(ValueError, match=words):
            interval(x, n)


def test_wrong_level_is_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        clopper_pearson(1, 2, 95)
