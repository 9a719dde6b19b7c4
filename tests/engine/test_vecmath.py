"""The engine's own exponential and logarithm against the C library."""

import numpy as np
from numba import njit

from her2.engine import vecmath

ULP = np.finfo(np.float64).eps


@njit
def _exp(x):
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = vecmath.exp(x[i])
    return out


@njit
def _log(x):
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = vecmath.log(x[i])
    return out


def test_exponential_is_within_two_units_in_the_last_place(generator):
    x = np.concatenate([np.linspace(-690, 690, 200_001), generator.normal(size=200_000)])
    assert np.max(np.abs(_exp(x) / np.exp(x) - 1.0)) <= 2 * ULP


def test_exponential_clips_instead_of_overflowing():
    assert np.all(np.isfinite(_exp(np.array([1e6, -1e6, 800.0, -800.0]))))


def test_logarithm_is_within_two_units_in_the_last_place(generator):
    x = np.exp(generator.uniform(-600, 600, 200_000))
    assert np.max(np.abs(_log(x) / np.log(x) - 1.0)) <= 2 * ULP


def test_logarithm_near_one_keeps_relative_accuracy(generator):
    x = 1.0 + generator.uniform(-1e-3, 1e-3, 100_000)
    assert np.max(np.abs(_log(x) / np.log(x) - 1.0)) <= 4 * ULP


def test_logarithm_of_zero_is_that_of_the_floor():
    assert _log(np.array([0.0]))[0] == _log(np.array([vecmath.LOG_FLOOR]))[0]


def test_exponential_undoes_logarithm(generator):
    x = np.exp(generator.uniform(-50, 50, 10_000))
    # the error of log is multiplied by |log x| <= 50 when exponentiated
    assert np.max(np.abs(_exp(_log(x)) / x - 1.0)) <= 60 * ULP
