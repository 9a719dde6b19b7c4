"""Imports run one way, `import her2` stays cheap, and the slow libraries stay in their places."""

import ast
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "her2"

# a folder or module may import those of a lower rank, and its own
RANK = {
    "errors": 0,
    "units": 1,
    "evidence": 2,
    "survival": 2,
    "signalling": 3,
    "pharmacology": 3,
    "tumour": 3,
    "trials.pictures": 3,
    "engine": 3,
    "engine.layout": 3,
    "engine.vecmath": 3,
    "engine.rng": 3,
    "engine.signals": 4,
    "engine.kernel": 4,
    "sequencing": 4,
    "drugs": 4,
    "model": 5,
    "posterior": 6,
    "patients": 6,
    "engine.run": 7,
    "cell": 7,
    "scale": 7,
    "versions": 1,
    "export": 8,
    "store": 8,
    "trials": 9,
    "claims": 9,
    "calibration": 10,
    "sensitivity": 11,
    "validation": 11,
    "design_study": 11,
    "prognosis": 11,
    "credibility": 12,
    "api": 11,
    "web": 12,
    "cli": 13,
    "engine.cells": 6,
}
NUMBA_HOMES = ("engine", "survival/_kernels.py")


def _home(module: str) -> str:
    """The ranked name a module belongs to: the longest match."""
    parts = module.removeprefix("her2.").split(".")
    for length in (2, 1):
        name = ".".join(parts[:length])
        if name in RANK:
            return name
    return parts[0]


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("her2."):
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.startswith("her2.")]
    return found


def test_imports_run_one_way():
    wrong = []
    for path in SOURCE.rglob("*.py"):
        own = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if own in ("__init__", ""):
            continue
        home = _home(own)
        assert home in RANK, f"{own}: give it a rank in this test"
        for module in _imports(path):
            target = _home(module)
            if target != home and RANK[target] > RANK[home]:
                wrong.append(f"{own} imports {module}")
    assert not wrong, "; ".join(wrong)


def test_numba_is_imported_in_its_homes_only():
    for path in SOURCE.rglob("*.py"):
        name = str(path.relative_to(SOURCE)).replace("\\", "/")
        text = path.read_text(encoding="utf-8")
        if "import numba" in text or "from numba" in text:
            assert name.startswith(NUMBA_HOMES), name


def test_calibration_reads_the_record_through_the_fit_view_only():
    for path in (SOURCE / "calibration").glob("*.py"):
        for module in _imports(path):
            assert module != "her2.evidence.store", path.name
        text = path.read_text(encoding="utf-8")
        assert "load_study" not in text, path.name


def test_importing_the_package_loads_nothing_slow():
    code = (
        "import sys, her2\n"
        "slow = {'numba', 'scipy', 'matplotlib', 'polars', 'duckdb', 'pint', 'pydantic', 'numpy'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_help_page_loads_nothing_slow():
    code = (
        "import sys\n"
        "from her2.cli.main import app\n"
        "slow = {'numba', 'scipy', 'matplotlib', 'polars', 'duckdb', 'pint', 'pydantic', 'numpy'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
