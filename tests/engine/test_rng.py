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


# numbers that stored runs and published results rest on


def test_purposes_keep_their_numbers():
    """Another number for a purpose would be another patient under the same id."""
    assert {p.name: p.value for p in rng.Purpose} == {
        "ATTRIBUTE": 1,
        "CLONE": 2,
        "ARM_ATTRIBUTE": 3,
        "EVENT": 4,
        "SCAN": 5,
        "SEQUENCE": 6,
        "RANDOMISATION": 7,
        "ENROLMENT": 8,
        "RESAMPLING": 9,
        "ENSEMBLE": 10,
    }


@pytest.mark.parametrize(
    "key", [(0, 0, 0, 0), (7, 3, 1, 2), (2**40 + 9, 2**33 + 5, 4, 1234567), (5, 2**63, 1, 0)]
)
def test_a_uniform_number_is_the_first_two_words_of_its_key(key):
    """Seed and patient fill two words each, low word first; 53 of the 64 bits that come out are kept."""
    seed, patient, purpose, index = key
    low = 2**32
    words = _words(
        *(np.uint64(x) for x in (seed % low, seed // low, patient % low, patient // low, purpose, index))
    )
    bits = (int(words[0]) * low + int(words[1])) >> 11
    assert rng.uniform(*(np.uint64(k) for k in key)) == (bits + 0.5) / 2**53


def test_all_bits_set_or_clear_stay_between_zero_and_one():
    for high, low, expected in ((0, 0, 0.5 / 2**53), (2**32 - 1, 2**32 - 1, 1.0 - 2.0**-53)):
        found = rng._unit(np.uint64(high), np.uint64(low))
        # (2**53 - 1 + 0.5) / 2**53 rounds to 1 - 2**-53 or to 1; it must not reach 1 by more than rounding
        assert 0.0 < found <= 1.0
        assert found == pytest.approx(expected, rel=2.0**-52)


@pytest.mark.parametrize("first", [0, 3])
def test_arrays_are_the_single_numbers_of_consecutive_patients(first):
    ids = range(first, first + 5)
    single = np.array([rng.uniform(9, k, 2, 6) for k in ids])
    assert rng.uniforms(9, first, 5, 2, 6).tolist() == single.tolist()
    assert rng.normals(9, first, 5, 2, 6).tolist() == [rng.normal(9, k, 2, 6) for k in ids]
    assert rng.normals(9, first, 5, 2, 6).tolist() == [rng.normal_quantile(u) for u in single]
    # the engine's logarithm is right to two units in the last place
    np.testing.assert_allclose(rng.exponentials(9, first, 5, 2, 6), -np.log(single), rtol=4e-16 * 2)
    assert rng.uniforms(9, first, 0, 2, 6).shape == (0,)


def test_exponentials_of_an_array_keep_its_shape():
    x = np.array([[-1.0, 0.0, 2.0], [3.5, -20.0, 0.25]])
    found = rng.exp_of(x)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, np.exp(x), rtol=5e-16)


def _tail_points():
    """Both sides of every border of the algorithm, |p - 1/2| = 0.425 and r = 5, and both far tails."""
    inner = [0.5 + s * (0.425 + e) for s in (-1, 1) for e in (-1e-9, 0.0, 1e-9)]
    border = [
        float(np.exp(-(r * r))) for r in (4.9, 4.999999, 5.0, 5.000001, 5.1, 6.0, 8.0, 12.0, 20.0, 26.0)
    ]
    return [*inner, *border, 0.1, 0.25, 0.45, 0.5, 0.55, 0.9, 0.99, 0.999999]


@pytest.mark.parametrize("p", _tail_points())
def test_the_normal_quantile_keeps_sixteen_digits_into_the_far_tails(p):
    """Relative, so that every coefficient of the tails counts; AS 241 states 1e-15."""
    assert rng.normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=4e-15, abs=1e-16)
