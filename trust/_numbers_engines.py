"""The full model of a cell in libRoadRunner, COPASI and SciPy: benchmarks/cell_engines.py at the size wanted."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from common import ROOT, Figure

TARGET = 1e-6
FULL, REDUCED = 500, 4
NEEDED = ("roadrunner", "COPASI", "antimony", "libsbml")


def run(full: bool, seed: int, sets: int | None = None) -> tuple[list[Figure], dict[str, Any]]:
    """Largest differences of all states between the engines."""
    n = sets or (FULL if full else REDUCED)
    missing = [m for m in NEEDED if importlib.util.find_spec(m) is None]
    if missing:
        note = f"{', '.join(missing)} not installed (extra sbml)"
        return [Figure("engines of the cell model", "not run", "", f"<= {TARGET:g}", not full, note)], {}
    # it also imports what stands beside it
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import cell_engines

    result = cell_engines.compare_engines(n)
    figures = []
    for name, found in result["difference_from_scipy"].items():
        worst = float(found["worst"])
        figures.append(
            Figure(
                f"engines: {name} against SciPy, largest relative difference", worst, "", f"<= {TARGET:g}",
                worst <= TARGET,
                f"{n} random parameter sets and conditions, {result['states']} states at six times over four weeks",
            )
        )  # fmt: skip
    return figures, {k: v for k, v in result.items() if k != "seconds_per_set"}
