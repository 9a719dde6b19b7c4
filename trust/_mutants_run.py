"""Test runs on mutants, one forked process each, from a process that has imported what no mutant changes.

Started by `strength.py` in the root of a copied tree, with the copy's package first on the path. Reads one JSON object
per line, {source, code, tests, part}, and answers each with one line, {outcome, by, seconds}:

part : the modules that may be changed, none of which is imported early
outcome : survived; failed (a test did); timeout; crashed (the process ended otherwise)
by : the test that failed, or what ended the run

`tests` run in their order and stop at the first failure. A run without a change comes first and has to pass; a run
on a mutant may use five times its processor time and five seconds, so that a busy machine makes no difference, and 3
GiB more memory than this process had.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import math
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, TextIO

SLACK_SECONDS = 5.0
SLACK_FACTOR = 5.0
WAITING_SECONDS = 900.0
"""Of the clock, for a run that waits for something without computing."""
MORE_MEMORY = 3 * 2**30
AN_OLD_DAY = 1_600_000_000
"""Modification time of unchanged files, as `_mutants.copied_tree` gives them."""
THIRD_PARTY = ("numpy", "scipy.stats", "scipy.integrate", "hypothesis.strategies", "numba", "yaml", "pytest")
OPTIONS = (
    *("-x", "-q", "-m", "not slow"),
    *("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:schemathesis"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # hypothesis is imported before pytest starts
)


class _FirstFailure:
    """Pytest plug-in that keeps the name of the first test that failed, or of the file that did not import."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid


def main() -> None:
    """Answer every line of standard input."""
    root = Path.cwd()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sys.path.insert(0, str(root / "src"))
    if "NUMBA_DISABLE_JIT" in os.environ:
        _run_intrinsics_in_python()
    for name in THIRD_PARTY:
        importlib.import_module(name)
    limits: dict[tuple[str, ...], float] = {}
    for line in sys.stdin:
        job = json.loads(line)
        tests = tuple(t for t in job["tests"] if t.startswith("--") or (root / t).exists())
        if tests not in limits:
            limits[tests] = _prepare(root, tests, [root / source for source in job["part"]])
        path = root / job["source"]
        original = path.read_text(encoding="utf-8")
        path.write_text(job["code"], encoding="utf-8")
        try:
            answer = _run_forked(tests, limits[tests])
        finally:
            path.write_text(original, encoding="utf-8")
            os.utime(path, (AN_OLD_DAY, AN_OLD_DAY))
        _answer(answers, answer)


def _answer(stream: TextIO, answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=stream, flush=True)


def _prepare(root: Path, tests: tuple[str, ...], part: list[Path]) -> float:
    """Run the tests on the unchanged package, import what they use and no mutant touches; the limit in seconds."""
    first = _run_forked(tests, 600.0, keep_compiled=True)
    if first["outcome"] != "survived":
        raise SystemExit(f"{', '.join(tests)}: not passed on the unchanged package: {first}")
    free, touched = _untouched(root, first["modules"], part)
    for name in free:
        importlib.import_module(name)
    if early := sorted(touched & set(sys.modules)):
        raise SystemExit(f"imported before any change: {', '.join(early)}")
    second = _run_forked(tests, 600.0)
    if second["outcome"] != "survived":
        raise SystemExit(f"{', '.join(tests)}: not passed from a prepared process: {second}")
    return float(SLACK_SECONDS + SLACK_FACTOR * second["seconds"])


def _untouched(root: Path, modules: list[str], part: list[Path]) -> tuple[list[str], set[str]]:
    """Those of `modules` whose import reaches none of the part's, and all that do reach it."""
    package = root / "src"
    files = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    uses = {name: _imports(path, files) | _parents(name) for name, path in files.items()}
    touched = {n for n, p in files.items() if p in part}
    while more := {n for n, used in uses.items() if n not in touched and used & touched}:
        touched |= more
    return [name for name in modules if name in files and name not in touched], touched


def _parents(name: str) -> set[str]:
    pieces = name.split(".")
    return {".".join(pieces[:i]) for i in range(1, len(pieces))}


def _imports(path: Path, files: dict[str, Path]) -> set[str]:
    """Modules of the package that importing a file imports; what a function imports comes when it is called."""
    found: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            nodes += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            nodes += ast.iter_child_nodes(node)
    return {n for name in found for n in (name, *_parents(name)) if n in files}


def _run_forked(tests: tuple[str, ...], limit: float, keep_compiled: bool = False) -> dict[str, Any]:
    """Outcome of the tests in a child process that ends once it has used `limit` seconds of a processor."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        _be_the_child(tests, write, limit, keep_compiled)
    os.close(write)
    said = b""
    asleep = time.monotonic() + WAITING_SECONDS
    while select.select([read], [], [], max(0.0, asleep - time.monotonic()))[0]:
        block = os.read(read, 65536)
        if not block:
            break
        said += block
    else:
        _kill_group(child)
    os.close(read)
    _, status, used = os.wait4(child, 0)
    _kill_group(child)
    seconds = round(used.ru_utime + used.ru_stime, 3)
    if said:
        return json.loads(said) | {"seconds": seconds}
    is_late = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
    return {"outcome": "timeout" if is_late else "crashed", "by": f"status {status}", "seconds": seconds}


def _kill_group(leader: int) -> None:
    """End a child and what it started; its process group has its own number."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _be_the_child(tests: tuple[str, ...], write: int, limit: float, keep_compiled: bool) -> None:
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), math.ceil(limit) + 1))
    sys.dont_write_bytecode = not keep_compiled
    if not keep_compiled:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    memory = _memory_in_use() + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    said: dict[str, Any] = {"outcome": "crashed", "by": ""}
    try:
        import pytest

        watch = _FirstFailure()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            code = int(pytest.main([*OPTIONS, f"--basetemp={_scratch()}", *tests], plugins=[watch]))
        said = {"outcome": "survived" if code == 0 else "failed", "by": watch.name or f"exit status {code}"}
        if keep_compiled:
            said["modules"] = sorted(n for n in sys.modules if n == "her2" or n.startswith("her2."))
    except BaseException as error:
        said = {"outcome": "failed", "by": type(error).__name__}
    finally:
        with contextlib.suppress(BaseException):
            os.write(write, json.dumps(said).encode())
        os._exit(0)


def _scratch() -> Path:
    return Path.cwd() / "scratch"


def _memory_in_use() -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmData"):
            return int(line.split()[1]) * 1024
    return 0


def _run_intrinsics_in_python() -> None:
    """With compilation off the engine's bit operations have no body; give them exact ones."""
    import struct
    from fractions import Fraction

    from her2.engine import vecmath

    def bits_of(x: float) -> int:
        return int(struct.unpack("<q", struct.pack("<d", x))[0])

    def float_of(bits: int) -> float:
        return float(struct.unpack("<d", struct.pack("<Q", bits & (2**64 - 1)))[0])

    def fused(a: float, b: float, c: float) -> float:
        return float(Fraction(a) * Fraction(b) + Fraction(c))

    vecmath._bits_of, vecmath._float_of, vecmath.fma = bits_of, float_of, fused


if __name__ == "__main__":
    main()
