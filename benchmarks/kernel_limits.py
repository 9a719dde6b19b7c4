"""How near the kernels come to what the processor can do: speed, operations, share of the measured peak, SIMD.

    python benchmarks/kernel_limits.py [--patients 4096] [--counted 16]

- *Speed*: CLEOPATRA, both arms, five years, everything on; one thread, processor time, best of three.
- *Operations*: the same Python text of the kernel, run for a few patients with numbers that count what is done to them
  (+ - * / and square roots one each, a * b + c two; exponentials and logarithms as in `her2.engine.vecmath`).
  Comparisons, integers and what depends on no patient are not counted.
- *Peak*: a loop of independent a * b + c in registers, and a product of matrices; the larger, on one core.
- *SIMD*: arithmetic on doubles in the machine code of each compiled function, in vectors and one by one.

Writes the entry `kernel_limits` of benchmarks/results.json.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import math
import os
import platform
import re
import sys
import tempfile
import textwrap
import time
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
# machine code can be looked at only where it was compiled, not where it was loaded
_CACHE = tempfile.TemporaryDirectory()
os.environ["NUMBA_CACHE_DIR"] = _CACHE.name

import numpy as np  # noqa: E402
from numba import njit  # noqa: E402
from numba.core.dispatcher import Dispatcher  # noqa: E402

from her2.engine import kernel, signals, vecmath  # noqa: E402
from her2.engine.vecmath import fma  # noqa: E402
from her2.posterior import central_model  # noqa: E402
from her2.trials.design import load_trial  # noqa: E402
from her2.trials.follow import simulate_pool  # noqa: E402

RESULTS = Path(__file__).with_name("results.json")
YEARS = 5.0
CHAINS = 128
PACKED = re.compile(r"^v?(?:add|sub|mul|div|sqrt|max|min|fn?m(?:add|sub)\d*)pd$")
SCALAR = re.compile(r"^v?(?:add|sub|mul|div|sqrt|max|min|fn?m(?:add|sub)\d*)sd$")
HOT = ("evaluate_block", "simulate_block", "saturable_week", "linear_week", "_hill")


def best_of(times: int, run: Any) -> float:
    """Least processor time, second."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        run()
        found.append(time.process_time() - begin)
    return min(found)


@njit(error_model="numpy")
def _fused(rounds, a, b):  # type: ignore[no-untyped-def]
    x = np.ones(CHAINS)
    for _ in range(rounds):
        for i in range(CHAINS):
            x[i] = fma(x[i], a, b)
    return x.sum()


def measure_peak() -> dict[str, float]:
    """Double precision operations a second of one core, 1e9/s."""
    rounds = 2_000_000
    _fused(1, 0.5, 0.5)
    fused = 2.0 * CHAINS * rounds / best_of(3, lambda: _fused(rounds, 0.999, 0.001))
    n = 1536
    matrix = np.random.default_rng(1).normal(size=(n, n))
    matrix @ matrix
    product = 2.0 * n**3 / best_of(3, lambda: matrix @ matrix)
    return {
        "fused_loop_gflops": fused / 1e9,
        "matrix_product_gflops": product / 1e9,
        "peak_gflops": max(fused, product) / 1e9,
    }


class Counted:
    """A number that counts what is done to it."""

    __array_ufunc__ = None
    __slots__ = ("value",)
    done = 0

    def __init__(self, value: float) -> None:
        self.value = float(value)

    def __float__(self) -> float:
        return self.value

    def __int__(self) -> int:
        return int(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __neg__(self) -> Counted:
        return Counted(-self.value)

    def __abs__(self) -> Counted:
        return Counted(abs(self.value))

    def __add__(self, other: Any) -> Counted:
        Counted.done += 1
        return Counted(self.value + float(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Counted:
        Counted.done += 1
        return Counted(self.value - float(other))

    def __rsub__(self, other: Any) -> Counted:
        Counted.done += 1
        return Counted(float(other) - self.value)

    def __mul__(self, other: Any) -> Counted:
        Counted.done += 1
        return Counted(self.value * float(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Counted:
        Counted.done += 1
        return Counted(_divide(self.value, float(other)))

    def __rtruediv__(self, other: Any) -> Counted:
        Counted.done += 1
        return Counted(_divide(float(other), self.value))

    def __lt__(self, other: Any) -> bool:
        return self.value < float(other)

    def __le__(self, other: Any) -> bool:
        return self.value <= float(other)

    def __gt__(self, other: Any) -> bool:
        return self.value > float(other)

    def __ge__(self, other: Any) -> bool:
        return self.value >= float(other)

    def __eq__(self, other: object) -> bool:
        return self.value == float(other)  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]


def _divide(a: float, b: float) -> float:
    return a / b if b != 0.0 else math.copysign(math.inf, a) if a != 0.0 else math.nan


def operations_of(function: Any) -> int:
    """Operations on floating-point numbers written in a function of `vecmath`; those on its bits are not counted."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function.py_func))).body[0]

    def count(node: ast.AST) -> int:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "bits"
        ):
            return 0
        own = 0
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("_float_of", "_bits_of"):
                return 0
            own = 2 if node.func.id == "fma" else 0
        elif isinstance(node, ast.BinOp | ast.AugAssign):
            own = 0 if _constant(node) else 1
        return own + sum(count(child) for child in ast.iter_child_nodes(node))

    return sum(count(statement) for statement in getattr(tree, "body", ()))


def _constant(node: ast.AST) -> bool:
    """Whether an expression holds constants only, which the compiler works out."""
    names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
    return all(n.startswith("_") for n in names)


def counting_numpy() -> SimpleNamespace:
    """What the kernel uses of NumPy, with counting numbers in its tables."""

    def filled(value: float) -> Any:
        def make(shape: Any, dtype: Any = None) -> Any:
            if dtype is not None:
                return np.full(shape, value, dtype=dtype)
            table = np.empty(shape, dtype=object)
            for k in np.ndindex(table.shape):
                table[k] = Counted(value)
            return table

        return make

    def sqrt(x: Any) -> Counted:
        Counted.done += 1
        return Counted(math.sqrt(float(x)))

    return SimpleNamespace(
        zeros=filled(0.0), ones=filled(1.0), sqrt=sqrt, isfinite=lambda x: math.isfinite(float(x)), inf=math.inf,
        nan=math.nan, int64=np.int64, float64=np.float64,
    )  # fmt: skip


def uncompiled(modules: tuple[ModuleType, ...], lanes: int) -> None:
    """Make these modules run as plain Python with counting numbers and fewer lanes; for good."""
    cost_exp, cost_log = operations_of(vecmath.exp), operations_of(vecmath.log)

    def exp(x: Any) -> Counted:
        Counted.done += cost_exp
        return Counted(math.exp(min(max(float(x), -700.0), 700.0)))

    def log(x: Any) -> Counted:
        Counted.done += cost_log
        return Counted(math.log(max(float(x), vecmath.LOG_FLOOR)))

    kept = ("uniform", "normal")
    for module in modules:
        for name, value in list(vars(module).items()):
            if isinstance(value, Dispatcher) and name not in kept:
                setattr(module, name, value.py_func)
        vars(module).update(np=counting_numpy(), exp=exp, log=log, LANES=lanes)


def count_operations(patients: int) -> dict[str, float]:
    """Operations per patient and year of CLEOPATRA, from a run of the kernel's text with counting numbers."""
    from her2.engine import run

    model, trial = central_model(), load_trial("cleopatra")
    expected = simulate_pool(model, trial, patients, 1)
    uncompiled((kernel, signals), patients)
    plain = kernel.simulate_block

    def counted(table: Any) -> Any:
        out = np.empty(table.shape, dtype=object)
        for k in np.ndindex(table.shape):
            out[k] = Counted(table[k])
        return out

    def simulate(seed: Any, ids: Any, way: Any, *rest: Any) -> None:
        tables, others = rest[:9], list(rest[9:])
        shown = [counted(t) for t in others[-4:-1]]
        plain(seed, ids, way, *(counted(t) for t in tables), *others[:-4], *shown, others[-1])
        for real, made in zip(others[-4:-1], shown, strict=True):
            real[...] = made.astype(float)

    run.simulate_block, run.LANES = simulate, patients
    Counted.done = 0
    pool = simulate_pool(model, trial, patients, 1)
    # the plain text has to have simulated the same patients, or the count is of something else
    for mine, compiled in zip(pool.arms, expected.arms, strict=True):
        assert np.allclose(mine.outcomes, compiled.outcomes, rtol=1e-6, atol=1e-6, equal_nan=True)
    followed = (
        sum(float(np.minimum(a.outcomes[kernel.O_LAST], YEARS * 365.25).sum()) for a in pool.arms) / 365.25
    )
    per_course = Counted.done / (patients * len(pool.arms))
    return {
        "patients": float(patients), "per_course": per_course, "per_patient_year_lived": Counted.done / followed,
        "exp": float(operations_of(vecmath.exp)), "log": float(operations_of(vecmath.log)),
    }  # fmt: skip


def count_instructions() -> dict[str, dict[str, float]]:
    """Arithmetic on doubles in the machine code of the hot functions: in vectors, by width, and one by one."""
    found: dict[str, dict[str, float]] = {}
    for module in (kernel, signals):
        for name, value in vars(module).items():
            if (
                not isinstance(value, Dispatcher)
                or not value.signatures
                or value.py_func.__module__ != module.__name__
            ):
                continue
            counts: Counter[str] = Counter()
            for signature in value.signatures:
                inside = False
                for line in value.inspect_asm(signature).splitlines():
                    label = re.match(r"^([\w$.]+):", line)
                    if label and not label[1].startswith((".L", "L")):
                        inside = name in label[1] and "cpython" not in label[1] and "cfunc" not in label[1]
                    parts = line.split()
                    if not inside or not parts:
                        continue
                    if PACKED.match(parts[0]):
                        width = next((w for w in ("zmm", "ymm", "xmm") if w in line), "xmm")
                        counts[{"zmm": "by 8", "ymm": "by 4", "xmm": "by 2"}[width]] += 1
                    elif SCALAR.match(parts[0]):
                        counts["one by one"] += 1
            total = sum(counts.values())
            if total:
                share = 1.0 - counts["one by one"] / total
                found[name] = dict(counts) | {"share_in_vectors": share}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--patients", type=int, default=4096)
    parser.add_argument("--counted", type=int, default=16)
    chosen = parser.parse_args()
    model, trial = central_model(), load_trial("cleopatra")
    begin = time.process_time()
    simulate_pool(model, trial, 64, 1)
    compiling = time.process_time() - begin
    seconds = best_of(3, lambda: simulate_pool(model, trial, chosen.patients, 1))
    n_arms = len(trial.arms)
    peak = measure_peak()
    instructions = count_instructions()
    operations = count_operations(chosen.counted)
    courses = chosen.patients * n_arms / seconds
    reached = courses * operations["per_course"] / 1e9
    result = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.machine(),
        "cleopatra": {
            "patients": chosen.patients, "patients_per_s_core": chosen.patients / seconds,
            "courses_per_s_core": courses, "first_call_cpu_s": compiling,
        },
        "operations": operations, "peak": peak, "reached_gflops": reached,
        "share_of_peak": reached / peak["peak_gflops"], "instructions": instructions,
        "versions": {k: version(k) for k in ("numba", "llvmlite", "numpy")} | {"python": platform.python_version()},
    }  # fmt: skip
    print(f"CLEOPATRA, both arms: {chosen.patients / seconds:,.0f} patients/s/core ({courses:,.0f} courses)")
    print(f"{operations['per_patient_year_lived']:,.0f} operations per patient and year lived")
    print(
        f"{reached:.1f} of {peak['peak_gflops']:.0f} GFlop/s, {result['share_of_peak']:.0%} of the measured peak"
    )
    for name, row in instructions.items():
        plain = {k: v for k, v in row.items() if k != "share_in_vectors"}
        print(f"{name:24}{row['share_in_vectors']:7.0%} in vectors  {plain}")
    every = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(every | {"kernel_limits": result}, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
