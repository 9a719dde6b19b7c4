"""The full model of a cell in libRoadRunner, COPASI and SciPy; and the quasi-steady model against it.

Random cells in random conditions, each with its own parameter set (every parameter and every action of every drug that
has a prior drawn from it). `engines`: all states of the three programs at six times over four weeks; SciPy
runs equations written apart from those that the two others read as SBML. `growth`: mean growth rate and rate at the
end of 3 and 28 days of treatment, quasi-steady and full, in the same random conditions and in four usual ones.

    python benchmarks/cell_engines.py [engines] [growth] [--sets 500]

Prints the largest differences and writes benchmarks/results_cell_engines.json, one key for each.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import her2
from her2.cell.condition import Columns, Treatment, make_columns
from her2.cell.model import CellModel
from her2.export.cell_antimony import cell_antimony
from her2.export.cell_check import FORMS, check_growth
from her2.export.cell_course import cell_course
from her2.export.cell_engines import (
    ABSOLUTE_TOLERANCES,
    COMPARED_AT,
    REFERENCE_ABSOLUTE_TOLERANCE,
    RELATIVE_TOLERANCE,
    SMALLEST_COMPARED,
    AbstractCellEngine,
    CopasiEngine,
    RoadRunnerEngine,
    largest_difference,
    random_condition,
    random_model,
)
from her2.export.sbml import to_sbml

RESULTS = Path(__file__).with_name("results_cell_engines.json")
SEED = 4
AGREED = 1e-6
DAYS = (3.0, 28.0)
USUAL_SHARE = 5
"""The usual conditions are run on one in so many parameter sets."""
USUAL: dict[str, tuple[dict[str, float], Treatment]] = {
    "lapatinib 100 nmol/L, culture": ({}, Treatment({"lapatinib": 100.0}, compartment="culture")),
    "trastuzumab, pertuzumab, docetaxel, tumour": (
        {},
        Treatment(
            dict.fromkeys(("trastuzumab", "pertuzumab", "docetaxel"), "clinical"), compartment="tumour"
        ),
    ),
    "neratinib, tamoxifen, ER-positive PIK3CA-mutant tumour": (
        {"er": 1.0, "pik3ca": 1.0},
        Treatment(dict.fromkeys(("neratinib", "tamoxifen"), "clinical"), compartment="tumour"),
    ),
    "T-DM1, everolimus, brain": (
        {},
        Treatment(dict.fromkeys(("t_dm1", "everolimus"), "clinical"), compartment="cns"),
    ),
}


def condition(number: int) -> tuple[CellModel, Columns]:
    """Random parameter set and its random condition."""
    rng = np.random.default_rng([SEED, number])
    model = random_model(rng)
    return model, random_condition(model, rng)


def digest() -> str:
    """Digest of the sources and data that the comparison depends on, to tell what was measured."""
    package = Path(her2.__file__).parent
    files = [*package.glob("cell/*.py"), *package.glob("signalling/*.py"), *package.glob("export/cell_*.py")]
    files += [*package.glob("data/network/*.yaml"), *package.glob("data/parameters/*.yaml")]
    return hashlib.blake2b(b"".join(p.read_bytes() for p in sorted(files)), digest_size=8).hexdigest()


def compare_engines(sets: int) -> dict[str, Any]:
    """Largest differences of libRoadRunner and COPASI from SciPy."""
    engines: dict[str, AbstractCellEngine] = {}
    errors: dict[str, list[tuple[float, str]]] = {}
    seconds: dict[str, float] = {"SciPy": 0.0}
    drugs = 0
    states = 0
    for number in range(sets):
        model, columns = condition(number)
        drugs += sum(float(v[0]) > 0.0 for v in columns.concentrations.values())
        text = cell_antimony(model, columns)
        if not engines:
            sbml = to_sbml(text.text, plain_numbers=True)
            engines = {"libRoadRunner": RoadRunnerEngine(sbml, text), "COPASI": CopasiEngine(sbml, text)}
            errors = {k: [] for k in engines}
            seconds |= dict.fromkeys(engines, 0.0)
        begin = time.process_time()
        course = cell_course(
            model,
            columns,
            COMPARED_AT[-1],
            np.array(COMPARED_AT),
            relative_tolerance=RELATIVE_TOLERANCE,
            absolute_tolerance=REFERENCE_ABSOLUTE_TOLERANCE,
        )
        seconds["SciPy"] += time.process_time() - begin
        states = course.n_states
        for name, engine in engines.items():
            begin = time.process_time()
            found = engine.run(text, COMPARED_AT, course.names[:states])
            seconds[name] += time.process_time() - begin
            errors[name].append(largest_difference(found, course, COMPARED_AT))
        if (number + 1) % 50 == 0:
            worst = {k: f"{max(e)[0]:.1e}" for k, e in errors.items()}
            print(f"{number + 1} sets, largest difference {worst}", flush=True)
    return {
        "sets": sets,
        "seed": SEED,
        "drugs_given": drugs,
        "states": states,
        "hours": COMPARED_AT,
        "relative_tolerance": RELATIVE_TOLERANCE,
        "absolute_tolerances": ABSOLUTE_TOLERANCES,
        "absolute_tolerance_of_scipy": REFERENCE_ABSOLUTE_TOLERANCE,
        "smallest_compared": SMALLEST_COMPARED,
        "agreed_to": AGREED,
        "runs_made_again_with_a_looser_tolerance": {k: e.loosened for k, e in engines.items()},
        "seconds_per_set": {k: v / sets for k, v in seconds.items()},
        "difference_from_scipy": {
            name: {
                "worst": max(found)[0],
                "worst_set": found.index(max(found)),
                "worst_state": max(found)[1],
                "median": float(np.median([e for e, _ in found])),
                "beyond_agreed": sum(e > AGREED for e, _ in found),
            }
            for name, found in errors.items()
        },
    }


def compare_growth(sets: int) -> dict[str, Any]:
    """Distances of the full model's growth rates from the quasi-steady ones, by condition and days."""
    result: dict[str, Any] = {"sets": sets, "seed": SEED, "forms": dict(FORMS), "conditions": {}}
    for name in ("random", *USUAL):
        for days in DAYS:
            found: dict[str, list[float]] = {}
            count = sets if name == "random" else max(sets // USUAL_SHARE, 1)
            for number in range(count):
                model, columns = condition(number)
                if name != "random":
                    cell, treatment = USUAL[name]
                    columns = make_columns([cell], [treatment], model.agents, model.values)
                check = check_growth(model, columns, days)
                for form in FORMS:
                    if form != "respond":
                        for which in ("mean", "end"):
                            found.setdefault(f"{form} {which}", []).append(check.error(form, which))
            result["conditions"][f"{name}; {days:g} days"] = {"sets": count} | {
                key: {
                    "median": float(np.median(e)), "p95": float(np.quantile(e, 0.95)), "worst": float(max(e)),
                    "within_2_percent": float(np.mean(np.array(e) <= 0.02)),
                }
                for key, e in found.items()
            }  # fmt: skip
            worst = ", ".join(f"{key} {max(e):.4f}" for key, e in found.items())
            print(f"{name}; {days:g} days, {count} sets: {worst}", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", choices=["engines", "growth", []], default=["engines", "growth"])
    parser.add_argument("--sets", type=int, default=500)
    chosen = parser.parse_args()
    for what in chosen.what:
        before = digest()
        begin = time.perf_counter()
        result = (compare_engines if what == "engines" else compare_growth)(chosen.sets)
        result |= {
            "sources_changed_meanwhile": digest() != before,
            "measured": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - begin, 1),
            "source_digest": before,
            "versions": {
                n: version(n)
                for n in ("libroadrunner", "python-copasi", "antimony", "python-libsbml", "scipy", "numpy")
            }
            | {"python": platform.python_version()},
        }
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known[what] = result
        RESULTS.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        print(json.dumps(result.get("difference_from_scipy", {}), indent=1))


if __name__ == "__main__":
    main()
