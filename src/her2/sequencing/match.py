"""When a regimen is what a rule names: exactly, as one of a class, or because it contains the agents."""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations

from her2.sequencing.agents import agents_of, is_a, is_class, may_be, members

MAX_AGENTS = 6
"""Agents of a regimen; more than the reviews ever combine."""


@lru_cache(maxsize=65536)
def fits(regimen: str, pattern: str) -> bool:
    """Whether a regimen is the pattern, agent by agent, where a class of the pattern stands for any of its members."""
    own, wanted = agents_of(regimen), agents_of(pattern)
    if len(own) != len(wanted) or len(own) > MAX_AGENTS:
        return own == wanted
    return any(all(is_a(a, w) for a, w in zip(order, wanted)) for order in permutations(own))


@lru_cache(maxsize=65536)
def contains(regimen: str, pattern: str) -> bool:
    """Whether a regimen has every agent of the pattern, or a member of its class."""
    return all(any(is_a(a, w) for a in agents_of(regimen)) for w in agents_of(pattern))


@lru_cache(maxsize=65536)
def could_contain(regimen: str, pattern: str) -> bool:
    """Whether a regimen that names a class could be given so that it contains the pattern."""
    own = agents_of(regimen)
    return not contains(regimen, pattern) and all(any(may_be(a, w) for a in own) for w in agents_of(pattern))


def is_general(regimen: str) -> bool:
    """Whether a regimen names a class."""
    return any(is_class(a) for a in agents_of(regimen))


def single_members(agent: str) -> frozenset[str]:
    """Single agents a name stands for: itself, or the members of the class."""
    return frozenset(m for m in members(agent) if not is_class(m)) or frozenset({agent})


def has_chemotherapy(regimen: str) -> bool:
    """Whether a regimen contains chemotherapy."""
    return contains(regimen, "chemotherapy")
