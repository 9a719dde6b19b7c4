"""The counter-based generator against its published vectors and against another program of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from common import Figure

from her2.engine import rng

# philox4x32 with ten rounds, of the known-answer file of Random123: key, counter, words
KNOWN = (
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
)
MASK = 0xFFFFFFFF


def run(full: bool, seed: int) -> tuple[list[Figure], dict[str, Any]]:
    """Vectors and generated keys that come out equal."""
    right = sum(
        philox(key, counter) == words and of_package(key, counter) == words for key, counter, words in KNOWN
    )
    n = 20_000 if full else 2_000
    draw = np.random.default_rng([seed, 4])
    wrong = 0
    for _ in range(n):
        seed_drawn, patient = (int(x) for x in draw.integers(0, 2**63, 2))
        purpose, index = (int(x) for x in draw.integers(0, 2**32, 2))
        counter = (patient & MASK, patient >> 32, purpose, index)
        words = philox((seed_drawn & MASK, seed_drawn >> 32), counter)
        unit = (((words[0] << 32 | words[1]) >> 11) + 0.5) / 2.0**53
        wrong += rng.uniform(seed_drawn, patient, purpose, index) != unit
    return [
        Figure(
            "RNG: published vectors reproduced", right, "", f"{len(KNOWN)} of {len(KNOWN)}", right == len(KNOWN),
            "Philox4x32-10, known-answer vectors of Random123",
        ),
        Figure(
            "RNG: keyed numbers that differ from another program", wrong, "", "0", wrong == 0,
            f"{n:,} random keys (seed, patient, purpose, index); the other in Python's whole numbers",
        ),
    ], {"keys": n}  # fmt: skip


def philox(key: tuple[int, int], counter: tuple[int, int, int, int]) -> tuple[int, ...]:
    """Ten rounds of Philox4x32 as its authors describe them, with Python's whole numbers."""
    (k0, k1), (x0, x1, x2, x3) = key, counter
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * x0, 1 << 32)
        high1, low1 = divmod(0xCD9E8D57 * x2, 1 << 32)
        x0, x1, x2, x3 = high1 ^ x1 ^ k0, low1, high0 ^ x3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return x0, x1, x2, x3


def of_package(key: tuple[int, int], counter: tuple[int, int, int, int]) -> tuple[int, ...]:
    """The words of the package's function, uncompiled: the compiled one is inlined into every caller."""
    words = rng.philox.py_func(*(np.uint64(x) for x in (*key, *counter)))
    return tuple(int(w) for w in words)
