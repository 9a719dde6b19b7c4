"""The stripped benchmark model as text, from the same `equations.cell`: assignments and rates for other programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from equations import (
    CLONE_PARAMETERS,
    CLONES,
    COMPARTMENTS,
    LN_FRACTION,
    MEASURED,
    N_ADAPT,
    N_CLONES,
    PARAMETERS,
    TAU,
    cell,
)  # fmt: skip

from patients import LOADING, Patients

LONGEST = 60
"""Letters of an expression that stay in place; a longer one gets a name of its own."""
Power = Callable[[str, float], str]
"""How a program writes a power of what is not below zero: (base, exponent) to text."""


@dataclass
class Lines:
    """Assignments made so far, and how powers are written."""

    made: list[tuple[str, str]]
    prefix: str
    power: Power

    def name(self, text: str) -> str:
        """A new name for an expression."""
        name = f"{self.prefix}_{len(self.made)}"
        self.made.append((name, text))
        return name


class Symbol:
    """An expression under construction."""

    def __init__(self, text: str, lines: Lines) -> None:
        self.lines = lines
        self.text = lines.name(text) if len(text) > LONGEST else text

    def _join(self, other: Any, sign: str, swapped: bool = False) -> Symbol:
        texts = [self.text, other.text if isinstance(other, Symbol) else repr(float(other))]
        left, right = reversed(texts) if swapped else texts
        return Symbol(f"({left} {sign} {right})", self.lines)

    def __add__(self, other: Any) -> Symbol:
        return self._join(other, "+")

    def __radd__(self, other: Any) -> Symbol:
        return self._join(other, "+", True)

    def __sub__(self, other: Any) -> Symbol:
        return self._join(other, "-")

    def __rsub__(self, other: Any) -> Symbol:
        return self._join(other, "-", True)

    def __mul__(self, other: Any) -> Symbol:
        return self._join(other, "*")

    def __rmul__(self, other: Any) -> Symbol:
        return self._join(other, "*", True)

    def __truediv__(self, other: Any) -> Symbol:
        return self._join(other, "/")

    def __rtruediv__(self, other: Any) -> Symbol:
        return self._join(other, "/", True)


def symbolic_hill(x: Symbol, n: float, k: float) -> Symbol:
    """x once only: libRoadRunner works out an assignment anew wherever it is used, and so do those within it."""
    return Symbol(f"(1.0 / (1.0 + {k**n!r} / {x.lines.power(x.text, n)}))", x.lines)


def states() -> list[str]:
    """Names of the states: drugs, adaptation, ln cells."""
    drugs = [f"x{d}_{r}" for d, size in enumerate(COMPARTMENTS) for r in range(size)]
    return [*drugs, *(f"a{j}" for j in range(N_ADAPT)), *(f"n{k}" for k in range(N_CLONES))]


def model_text(patients: Patients, power: Power) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Assignments in order of their use, with `ln_burden` the last, and the rate of each state."""
    made: list[tuple[str, str]] = []
    rates: dict[str, str] = {}
    for d, size in enumerate(COMPARTMENTS):
        for r in range(size):
            terms = [f"k{d}_{r}{c} * x{d}_{c}" for c in range(size) if np.any(patients.rates[d, r, c] != 0.0)]
            rates[f"x{d}_{r}"] = " + ".join(terms)
        made.append((f"level{d}", f"x{d}_{MEASURED[d]} / half{d}"))
    made += [(f"o{d}", f"level{d} / (1.0 + level{d})") for d in (0, 1)] + [("kinase", "1.0 / (1.0 + level3)")]
    for k in range(N_CLONES):
        lines = Lines([], f"c{k}", power)

        def symbol(text: str, lines: Lines = lines) -> Symbol:
            return Symbol(text, lines)

        p = [symbol(n) for n in PARAMETERS]
        q = [symbol(repr(v)) for v in CLONES[k]]
        assert len(q) == len(CLONE_PARAMETERS)
        a = [symbol(f"a{j}") for j in range(N_ADAPT)]
        effect = [symbol(n) for n in ("o0", "o1", "level2", "kinase")]
        rate, *drivers = cell(symbolic_hill, p, q, *effect, a)
        made += lines.made
        rates[f"n{k}"] = rate.text
        if k == 0:
            rates |= {f"a{j}": f"({drivers[j].text} - a{j}) / {TAU[j]}" for j in range(N_ADAPT)}
    total = " + ".join(f"exp(n{k} - n0)" for k in range(N_CLONES))
    return [*made, ("ln_burden", f"n0 + log({total})")], rates


def parameters(patients: Patients, index: int) -> dict[str, float]:
    """Every parameter of one patient."""
    values = {n: float(v) for n, v in zip(PARAMETERS, patients.values[:, index], strict=True)}
    for d, size in enumerate(COMPARTMENTS):
        values[f"half{d}"] = float(patients.half[d, index])
        for r in range(size):
            for c in range(size):
                if np.any(patients.rates[d, r, c] != 0.0):
                    values[f"k{d}_{r}{c}"] = float(patients.rates[d, r, c, index])
    return values


def initial(patients: Patients, index: int) -> dict[str, float]:
    """States of one patient when the first doses have been given."""
    values = dict.fromkeys(states(), 0.0)
    values |= {f"x{d}_0": LOADING[d] for d in range(len(COMPARTMENTS))}
    return values | {f"n{k}": float(patients.values[-1, index]) + LN_FRACTION[k] for k in range(N_CLONES)}
