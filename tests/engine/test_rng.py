"""Random numbers: the generator's published vectors, keys, and distributions."""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from her2.engine import rng


@njit
def _words(k0, k1, c0, c1, c2, c3):
    return rng.philox(k0, k1, c0, c1, c2, c3)


# known-answer vectors of Random123 (kat_vectors, philox4x32 with 10 rounds)
KNOWN = [
    ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0xA4093822, 0x299F31D0),
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("key", "counter", "expected"), KNOWN)
def test_philox_gives_the_published_vectors(key, counter, expected):
    words = _words(*(np.uint64(x) for x in (*key, *counter)))
    assert tuple(int(w) for w in words) == expected


def test_numbers_depend_on_the_key_only_not_on_what_was_drawn_before():
    whole = rng.uniforms(7, 0, 100, 1, 3)
    part = rng.uniforms(7, 40, 10, 1, 3)
    assert np.array_equal(whole[40:50], part)


@pytest.mark.parametrize("other", [(8, 0, 1, 3), (7, 1, 1, 3), (7, 0, 2, 3), (7, 0, 1, 4)])
def test_every_part_of_the_key_matters(other):
    assert rng.uniform(7, 0, 1, 3) != rng.uniform(*other)


def test_large_patient_ids_and_seeds_do_not_collide():
    assert rng.uniform(1, 2**33 + 5, 1, 0) != rng.uniform(1, 5, 1, 0)
    assert rng.uniform(2**40 + 1, 5, 1, 0) != rng.uniform(1, 5, 1, 0)


def test_uniform_numbers_are_uniform():
    # n = 200,000, fixed seed: a correct generator fails this with probability 1e-6
    assert stats.kstest(rng.uniforms(3, 0, 200_000, 1, 0), "uniform").pvalue > 1e-6


def test_normal_numbers_are_normal_and_purposes_independent():
    a = rng.normals(3, 0, 200_000, 1, 0)
    b = rng.normals(3, 0, 200_000, 2, 0)
    assert stats.kstest(a, "norm").pvalue > 1e-6
    # standard error of a correlation of 200,000 pairs is 0.0022; five of them
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.0112


def test_normal_quantile_matches_scipy():
    p = np.concatenate([np.linspace(1e-12, 1 - 1e-12, 20_001), 10.0 ** np.arange(-16, -1.0)])
    ours = np.array([rng.normal_quantile(x) for x in p])
    # 1 - p loses digits near one, so compare absolutely there; 3e-15 is the algorithm's stated error times |x| <= 8
    assert np.max(np.abs(ours - stats.norm.ppf(p))) < 3e-14
