"""The order of options: by precedence, and behind what a rule of at least the same precedence calls better."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

Key = tuple[int, int, int, str]
T = TypeVar("T", bound=str)


def order(keys: Mapping[T, Key], better: Collection[tuple[T, T]]) -> list[T]:
    """Names by key, each after all that are better than it.

    Parameters
    ----------
    keys : sort key of every name
    better : pairs (better, worse); where they contradict each other in a circle, the key decides
    """
    left = sorted(keys, key=lambda n: keys[n])
    result: list[T] = []
    while left:
        free = _first_free(left, better)
        left.remove(free)
        result.append(free)
    return result


def _first_free(left: Sequence[T], better: Collection[tuple[T, T]]) -> T:
    """The first name with none better than it left; in a circle, the first."""
    for name in left:
        if not any(worse == name and good in left and good != name for good, worse in better):
            return name
    return left[0]
