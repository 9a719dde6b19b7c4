"""One evaluation of signalling for one cell in one condition: compiled code against NumPy and SciPy, in one run.

An evaluation goes from receptor levels, ligands, drugs and slow states to every dimer and node. Compiled are the whole
network of a single cell and the reduced one of the population kernel, both by the same function over blocks of lanes;
NumPy evaluates the readable form of the whole network, in batches of several sizes; SciPy integrates the full
differential equations of one cell over four weeks of treatment, in which all of them come to rest, and the same four
weeks are run with the quasi-steady model beside it. Times are processor time on one thread, the best of a few.

    python benchmarks/cell_evaluation.py [--columns 4096] [--ode-cells 4]

Prints a table and writes benchmarks/results.json, key `cell_evaluation`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from engine_v_roadrunner import RESULTS, cpu_name

import her2
from her2.cell.condition import Columns, Treatment, make_columns
from her2.cell.effects import drug_effects
from her2.cell.ensemble import central
from her2.cell.model import CellModel
from her2.cell.respond import network_inputs, receptor_totals, respond, signals
from her2.export.cell_course import cell_course
from her2.model import build_model, network_arrays, receptor_arrays

SEED = 1
REPEATS = 7
BATCHES = (1, 64, 4096)
DAYS = 28.0
ODE_TOLERANCE = 1e-6
DRUGS = ("trastuzumab", "pertuzumab", "lapatinib", "everolimus")
VARIED = ("egfr", "her2", "her3", "her4", "igf1r", "egf", "heregulin", "bim")
COMPARED = ("akt", "erk", "foxo", "s6k", "cell_cycle", "apoptosis_signal", "her2_her3", "her2_her2")


def mixed_columns(model: CellModel, n: int) -> Columns:
    """Cells with levels of their own, each under four drugs at doses of its own."""
    rng = np.random.default_rng(SEED)
    cells = [
        {name: min(float(np.exp(rng.normal(-0.5, 0.8))), 8.0) for name in VARIED}
        | {"p95_share": float(rng.uniform(0.0, 0.5)), "delta16_share": float(rng.uniform(0.0, 0.2))}
        for _ in range(n)
    ]
    treatments = [Treatment(drugs={d: float(10.0 ** rng.uniform(0.0, 3.0)) for d in DRUGS}) for _ in range(n)]
    return make_columns(cells, treatments, model.agents, model.values)


def first_columns(columns: Columns, n: int) -> Columns:
    """The first n columns, in turn from the beginning where there are fewer."""
    index = np.arange(n) % columns.size
    return Columns(
        {k: v[index] for k, v in columns.attributes.items()},
        {k: v[index] for k, v in columns.concentrations.items()},
        tuple(columns.compartments[i] for i in index),
    )


def seconds(work: Callable[[], object], per_repeat: float = 0.05) -> float:
    """Processor seconds of one call: the best of a few repeats, each of as many calls as fill its time."""
    work()
    begin = time.process_time()
    work()
    calls = max(1, int(per_repeat / max(time.process_time() - begin, 1e-6)))
    best = float("inf")
    for _ in range(REPEATS):
        begin = time.process_time()
        for _ in range(calls):
            work()
        best = min(best, (time.process_time() - begin) / calls)
    return best


def block_of_cells(model: CellModel, columns: Columns) -> Callable[[], None]:
    """The compiled function on one block of the whole network, drugs and all."""
    from her2.engine.layout import LANES
    from her2.engine.signals import OUT_DRIVER, evaluate_block, scratch

    few = first_columns(columns, LANES)
    effects = drug_effects(model, few)
    layer, network = model.receptors, model.network
    receptors, graph = receptor_arrays(layer, network), network_arrays(network)
    slow = np.full((len(network.slow), LANES), 0.1)
    levels = network_inputs(model, few.attributes, effects)
    taken = receptors.recruitment.shape[0]
    x = np.concatenate(
        [
            receptor_totals(model, few.attributes, effects, slow)[0],
            [few.attributes[name] for name in layer.ligands],
            [levels[name] for name in network.names[taken : network.n_inputs]],
            effects.occupancy,
            slow,
        ]
    )
    left = np.ones((network.n_nodes, LANES))
    for name, share in effects.node.items():
        left[network.index(name) - network.n_inputs] = share
    out = np.zeros((OUT_DRIVER + graph.driver_node.size, LANES))
    work, values, hills, _, _ = scratch(receptors, graph)
    return lambda: evaluate_block(receptors, graph, x, out, work, values, hills, effects.kinase, left)


def block_of_patients(columns: Columns) -> Callable[[], None]:
    """The same function on one block of the population's reduced network."""
    from her2.engine.layout import LANES, Signal
    from her2.engine.signals import N_SIGNAL_OUTPUTS, evaluate_block, scratch

    model = build_model()
    a = first_columns(columns, LANES).attributes
    rng = np.random.default_rng(SEED)
    x = np.zeros((int(Signal.SLOW) + len(model.network.slow), LANES))
    x[Signal.EGFR], x[Signal.HER3] = a["egfr"], a["her3"]
    x[Signal.HER2], x[Signal.P95] = a["her2"] * (1.0 - a["p95_share"]), a["her2"] * a["p95_share"]
    x[Signal.EGF], x[Signal.HEREGULIN] = a["egf"], a["heregulin"]
    x[Signal.BYPASS], x[Signal.BIM] = a["igf1r"], a["bim"]
    x[Signal.PTEN], x[Signal.PIK3CA] = 1.0, rng.integers(0, 2, LANES)
    x[Signal.TRASTUZUMAB : Signal.SLOW] = rng.uniform(0.5, 1.0, size=(2, LANES))
    x[Signal.SLOW :] = 0.1
    out = np.zeros((N_SIGNAL_OUTPUTS, LANES))
    arrays = model.receptor_arrays, model.network_arrays
    buffers = scratch(*arrays)
    return lambda: evaluate_block(*arrays, x, out, *buffers)


def solve_full(model: CellModel, columns: Columns, index: int) -> tuple[float, float]:
    """Four weeks of one cell by SciPy: processor seconds, and the largest relative difference to the fast model.

    The fast model is evaluated at the slow states that the differential equations have reached.
    """
    one = Columns(
        {k: v[[index]] for k, v in columns.attributes.items()},
        {k: v[[index]] for k, v in columns.concentrations.items()},
        (columns.compartments[index],),
    )
    hours = DAYS * 24.0
    begin = time.process_time()
    course = cell_course(
        model, one, hours, np.array([hours]),
        relative_tolerance=ODE_TOLERANCE, absolute_tolerance=ODE_TOLERANCE * 1e-3,
    )  # fmt: skip
    took = time.process_time() - begin
    slow = np.array([course[s.name] for s in model.network.slow])
    fast = signals(model, one, drug_effects(model, one), slow, compiled=True)
    gaps = [abs(course[k][-1] - fast[k][0]) / max(abs(fast[k][0]), 1e-3) for k in COMPARED]
    return took, max(gaps)


def first_call() -> None:
    """Run in a fresh process: seconds of the first compiled evaluation, imports of the compiler included."""
    model = central()
    columns = Columns.reference("culture")
    effects = drug_effects(model, columns)
    begin = time.perf_counter()
    signals(model, columns, effects, np.zeros((len(model.network.slow), 1)), compiled=True)
    print(json.dumps(time.perf_counter() - begin))


def in_fresh_process(cache: str) -> float:
    """Latency of the first call in a new interpreter whose compiled code is kept in this folder, s."""
    done = subprocess.run(
        [sys.executable, __file__, "--first-call"],
        env={**os.environ, "NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.strip().splitlines()[-1]))


def source_digest() -> str:
    """Digest of the sources that are measured."""
    package = Path(her2.__file__).parent
    files = [
        *package.glob("engine/*.py"),
        *package.glob("signalling/*.py"),
        package / "model.py",
        package / "drugs.py",
    ]
    files += [package / "cell" / f"{name}.py" for name in ("effects", "model", "respond")]
    return hashlib.blake2b(b"".join(p.read_bytes() for p in sorted(files)), digest_size=8).hexdigest()


def measure(n: int, n_ode: int) -> dict[str, Any]:
    """Every figure of the table; microseconds are per evaluation of one cell in one condition."""
    from her2.engine.layout import LANES

    digest = source_digest()
    model = central()
    columns = mixed_columns(model, n)

    def batch(size: int, compiled: bool) -> float:
        some = first_columns(columns, size)
        effects = drug_effects(model, some)
        slow = np.full((len(model.network.slow), size), 0.1)
        return seconds(lambda: signals(model, some, effects, slow, compiled=compiled)) / size * 1e6

    cell = seconds(block_of_cells(model, columns)) / LANES * 1e6
    patient = seconds(block_of_patients(columns)) / LANES * 1e6
    compiled = {size: batch(size, True) for size in BATCHES}
    numpy = {size: batch(size, False) for size in BATCHES}
    many = first_columns(columns, BATCHES[-1])
    course = seconds(lambda: respond(model, many, DAYS), per_repeat=0.0) / many.size * 1e6
    solved = [solve_full(model, columns, k) for k in range(n_ode)]
    ode = float(np.mean([took for took, _ in solved])) * 1e6
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = in_fresh_process(cache), in_fresh_process(cache)
    if source_digest() != digest:
        raise SystemExit("the sources changed while they were being measured; run again")
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {cpu_name()}",
        "versions": {k: version(k) for k in ("numba", "numpy", "scipy")}
        | {"python": platform.python_version()},
        "source_digest": digest,
        "cells": n,
        "cells_scipy": n_ode,
        "compiled_cell_us": cell,
        "compiled_population_us": patient,
        "compiled_with_readouts_us": {f"batch_of_{k}": v for k, v in compiled.items()},
        "numpy_us": {f"batch_of_{k}": v for k, v in numpy.items()},
        "four_weeks_us": course,
        "scipy_four_weeks_us": ode,
        "first_call_cold_s": cold,
        "first_call_cached_s": warm,
        "ratio_cell_to_population": cell / patient,
        "ratio_numpy_to_compiled": {f"batch_of_{k}": numpy[k] / cell for k in BATCHES},
        "ratio_scipy_to_compiled_evaluation": ode / cell,
        "ratio_scipy_to_fast_four_weeks": ode / course,
        "scipy_difference_max": max(gap for _, gap in solved),
    }


def print_table(r: dict[str, Any]) -> None:
    numpy, with_readouts, ratio = r["numpy_us"], r["compiled_with_readouts_us"], r["ratio_numpy_to_compiled"]
    rows = [("compiled, whole network of a cell", f"{r['compiled_cell_us']:.2f} us")]
    rows += [("compiled, reduced network of the population", f"{r['compiled_population_us']:.2f} us")]
    for k in BATCHES:
        name = f"batch_of_{k}"
        rows += [(f"compiled with readouts, batch of {k}", f"{with_readouts[name]:.2f} us")]
    for k in BATCHES:
        name = f"batch_of_{k}"
        rows += [
            (f"NumPy, batch of {k}", f"{numpy[name]:,.2f} us, {ratio[name]:,.1f} times the compiled cell")
        ]
    rows += [
        ("four weeks, quasi-steady, many cells", f"{r['four_weeks_us']:,.1f} us"),
        (
            "four weeks, full equations in SciPy",
            f"{r['scipy_four_weeks_us']:,.0f} us, {r['ratio_scipy_to_fast_four_weeks']:,.0f} times",
        ),
        ("largest relative difference to SciPy", f"{r['scipy_difference_max']:.1e}"),
        ("first compiled call", f"{r['first_call_cold_s']:.1f} s, cached {r['first_call_cached_s']:.2f} s"),
    ]
    width = max(len(label) for label, _ in rows)
    print(f"{r['machine']}; {r['cells']} cells, {r['cells_scipy']} in SciPy; per evaluation on one core")
    for label, value in rows:
        print(f"{label:<{width}}  {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=BATCHES[-1])
    parser.add_argument("--ode-cells", type=int, default=4)
    parser.add_argument("--first-call", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.first_call:
        first_call()
        return
    result = measure(chosen.columns, chosen.ode_cells)
    print_table(result)
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known["cell_evaluation"] = result
    RESULTS.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
