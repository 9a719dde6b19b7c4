"""Needed size and ceiling: closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from her2.design_study.size import find_ceiling, find_needed_size, interpolate

SIZES = (100, 200, 400, 800)


def power(n):
    """Power of a one-sided test whose z has mean 0.16 sqrt(n)."""
    return ndtr(0.16 * np.sqrt(n) - 1.96)


def test_the_needed_size_is_exact_for_the_power_of_a_single_effect():
    exact = ((1.281552 + 1.96) / 0.16) ** 2  # 410.5
    found = find_needed_size(SIZES, power(np.array(SIZES)), np.full(4, 0.005), 0.9, 2)
    assert found.size == 2 * int(np.ceil(exact / 2))
    assert found.low <= found.size <= found.high
    assert not found.at_most


def test_dips_of_the_curve_do_not_matter():
    assert find_needed_size(SIZES, [0.5, 0.8, 0.78, 0.95], np.zeros(4), 0.9, 2).size in range(402, 801)


def test_a_size_that_is_enough_already_says_so():
    found = find_needed_size(SIZES, [0.95, 0.97, 0.98, 0.99], np.full(4, 0.01), 0.9, 2)
    assert (found.size, found.at_most) == (100, True)


def test_a_target_out_of_reach_has_no_size():
    found = find_needed_size(SIZES, [0.3, 0.5, 0.6, 0.62], np.full(4, 0.01), 0.9, 2)
    assert found.size is None
    assert found.low is None


def test_the_ceiling_is_the_share_of_members_with_a_benefit():
    log_hr = np.log([0.6, 0.7, 0.9, 1.2])
    assert find_ceiling(log_hr, 0.0, None) == 0.75
    assert find_ceiling(log_hr, 0.0, 0.8) == 0.5
    assert find_ceiling(log_hr, 0.05, None) == pytest.approx(np.mean(ndtr(-log_hr / 0.05)), abs=1e-12)
    assert np.isnan(find_ceiling(np.array([np.nan]), 0.05, None))


def test_interpolation_stays_within_what_was_looked_at():
    assert interpolate(SIZES, [1.0, 2.0, 3.0, 4.0], 300) == 2.5
    assert interpolate(SIZES, [1.0, 2.0, 3.0, 4.0], 5000) == 4.0
