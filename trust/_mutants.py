"""Mutants of six parts of the package: which there are, a sample of them, and a copy of the tree to change.

The operators are those of cosmic-ray, all of them but the two that need a list of variables; a mutant is one of its
work items, and the results of a run lie in its session database (`cosmic-ray dump`, `cr-report` read it). Listing is
done here, in the order in which cosmic-ray walks the file, because asking every operator about every node takes a
minute.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("src", "tests", "examples", "docs", "trust", "pyproject.toml", "README.md", "Makefile")
LEFT_OUT = (
    "__pycache__",
    "node_modules",
    ".hypothesis",
    ".pytest_cache",
    "_build",
    "results",
    "results_reduced",
)
AN_OLD_DAY = 1_600_000_000
"""Modification time of copied files, so that a changed one is newer than any compiled form of it."""


@dataclass(frozen=True)
class Part:
    """A part of the package whose tests are put to the proof.

    Attributes
    ----------
    name : of the part, as the figures say it
    files : patterns below `src/her2`
    tests : what runs for a file of the part, quickest and most telling first, and options of pytest: by file name, `*`
        for the others
    """

    name: str
    files: tuple[str, ...]
    tests: dict[str, tuple[str, ...]]

    def sources(self, root: Path) -> list[str]:
        """Paths of the part's modules below the root of a tree, with `/`, sorted."""
        found = {p for pattern in self.files for p in (root / "src/her2").glob(pattern)}
        return sorted(p.relative_to(root).as_posix() for p in found)

    def tests_of(self, source: str) -> tuple[str, ...]:
        """Test files for a module, in the order in which they run."""
        return self.tests.get(Path(source).name, self.tests["*"])


_SURVIVAL = "tests/survival/"
_RULES = "tests/sequencing/"
_ALL_SURVIVAL = tuple(
    f"{_SURVIVAL}test_{name}.py"
    for name in (
        "arguments",
        "kaplan_meier",
        "log_rank",
        "cox",
        "rmst",
        "competing_risks",
        "intervals",
        "two_arm",
        "reconstruction",
        "against_r",
        "survival_annotations",
    )
)


def _survival(*names: str) -> tuple[str, ...]:
    first = tuple(f"{_SURVIVAL}test_{name}.py" for name in names)
    return first + tuple(t for t in _ALL_SURVIVAL if t not in first)


PARTS = (
    Part(
        "survival",
        ("survival/*.py",),
        {
            "*": _ALL_SURVIVAL,
            "_kernels.py": _survival("two_arm", "statistics_batch"),
            "_batches.py": _survival("two_arm", "statistics_batch"),
            "two_arm.py": _survival("two_arm", "statistics_batch"),
            "_partial_likelihood.py": _survival("cox"),
            "cox.py": _survival("cox"),
            "competing_risks.py": _survival("competing_risks"),
            "intervals.py": _survival("intervals"),
            "kaplan_meier.py": _survival("kaplan_meier"),
            "bands.py": _survival("kaplan_meier"),
            "log_rank.py": _survival("log_rank"),
            "reconstruction.py": _survival("reconstruction"),
            "rmst.py": _survival("rmst"),
        },
    ),
    Part(
        "RECIST",
        ("tumour/recist.py",),
        {"*": ("tests/tumour/test_recist.py", "tests/tumour/test_recist_edges.py")},
    ),
    Part(
        "rules",
        ("sequencing/*.py",),
        {
            "*": tuple(
                f"{_RULES}test_{name}.py"
                for name in (
                    "condition",
                    "state",
                    "rules",
                    "parts",
                    "rulebook",
                    "scenarios",
                    "options_command",
                    "properties",
                    "sequencing_annotations",
                )
            )
        },
    ),
    Part(
        "PK",
        ("pharmacology/*.py",),
        {
            "regimen.py": (
                "tests/pharmacology/test_regimen.py",
                "tests/pharmacology/test_regimen_edges.py",
                "tests/pharmacology/test_compartments.py",
                "tests/pharmacology/test_pharmacology_annotations.py",
            ),
            "*": (
                "tests/pharmacology/test_compartments.py",
                "tests/pharmacology/test_compartments_edges.py",
                "tests/pharmacology/test_pharmacology_annotations.py",
            ),
        },
    ),
    Part(
        "RNG",
        ("engine/rng.py",),
        {
            "*": (
                "tests/engine/test_rng.py",
                # 400,000 numbers, each by interpreted code
                "--deselect=tests/engine/test_rng.py::test_normal_numbers_are_normal_and_purposes_independent",
            )
        },
    ),
    Part(
        "ledger",
        ("store/*.py",),
        {
            "*": (
                "tests/store/test_ledger.py",
                "tests/store/test_files.py",
                "tests/store/test_store_annotations.py",
                "tests/store/test_table.py",
                "tests/store/test_chunks.py",
            )
        },
    ),
)


@dataclass(frozen=True)
class Mutant:
    """One change: the `occurrence`-th place of `source` at which `operator` applies."""

    part: str
    source: str
    operator: str
    occurrence: int
    start: tuple[int, int]
    end: tuple[int, int]

    @property
    def place(self) -> str:
        """Module, line and column."""
        return f"{self.source.removeprefix('src/her2/')}:{self.start[0]}:{self.start[1]}"


def list_mutants(part: Part, root: Path) -> list[Mutant]:
    """Every mutant of a part, by file, place and operator."""
    return [m for source in part.sources(root) for m in _of_file(part.name, source, root)]


def _of_file(part: str, source: str, root: Path) -> Iterator[Mutant]:
    from cosmic_ray.ast import ast_nodes, get_ast_from_path
    from cosmic_ray.operators import binary_operator_replacement as binary
    from cosmic_ray.operators import comparison_operator_replacement as comparison
    from parso.tree import BaseNode, Leaf

    operators = {name: operator() for name, operator in _operators().items()}
    by_symbol: dict[str, list[str]] = {}
    for symbol in binary.BinaryOperators:
        prefix = f"ReplaceBinaryOperator_{symbol.name}_"
        by_symbol[symbol.value] = [name for name in operators if name.startswith(prefix)]
    comparisons = [o.__name__ for o in comparison.operators()]
    binaries = {o.__name__ for o in binary.operators()}
    others = [name for name in operators if name not in binaries and name not in set(comparisons)]

    def applying(node: BaseNode | Leaf) -> list[str]:
        if node.type == "operator":
            return by_symbol.get(node.value, [])
        if node.type == "comparison":
            return comparisons + others
        return [] if node.type in ("name", "string", "newline", "endmarker", "fstring_string") else others

    seen: dict[str, int] = {}
    found = []
    for node in ast_nodes(get_ast_from_path(root / source)):
        for name in applying(node):
            for start, end in operators[name].mutation_positions(node):
                found.append(Mutant(part, source, name, seen.setdefault(name, 0), start, end))
                seen[name] += 1
    yield from sorted(found, key=lambda m: (m.start, m.operator, m.occurrence))


def _operators() -> dict[str, type]:
    from cosmic_ray import plugins

    names = [n for n in plugins.operator_names() if not n.startswith("core/Variable")]
    return {name.removeprefix("core/"): plugins.get_operator(name) for name in names}


def mutate(code: str, mutant: Mutant) -> str:
    """The module's text with the change."""
    from cosmic_ray.mutating import mutate_code

    changed = mutate_code(code, _operators()[mutant.operator](), mutant.occurrence)
    if changed is None:
        raise LookupError(f"{mutant.place}: {mutant.operator} does not apply there")
    return str(changed)


def sample(mutants: Sequence[Mutant], size: int, seed: int) -> list[Mutant]:
    """`size` of the mutants, each equally likely, in their own order; all if there are no more than that."""
    if len(mutants) <= size:
        return list(mutants)
    chosen = random.Random(f"{seed} {mutants[0].part}").sample(range(len(mutants)), size)
    return [mutants[i] for i in sorted(chosen)]


@contextmanager
def copied_tree(keep_compiled: bool = False) -> Iterator[Path]:
    """A copy of what the tests need in a temporary folder, in memory where there is such a place.

    Parameters
    ----------
    keep_compiled : take along what numba has compiled already, and keep the times it goes by
    """
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    left_out = [name for name in LEFT_OUT if not (keep_compiled and name == "__pycache__")]
    with tempfile.TemporaryDirectory(prefix="her2-strength-", dir=place) as folder:
        root = Path(folder)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns(*left_out))
            elif (ROOT / name).is_file():
                shutil.copy2(ROOT / name, root / name)
        if not keep_compiled:
            for path in root.rglob("*.py"):
                os.utime(path, (AN_OLD_DAY, AN_OLD_DAY))
        yield root


def environment(root: Path, pure: bool) -> dict[str, str]:
    """What a test run on a copy is started with: one thread, its own package first, nothing compiled if `pure`."""
    settings = {
        "PYTHONPATH": str(root / "src"),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": "1",
        "MPLBACKEND": "Agg",
    }
    if pure:
        settings["NUMBA_DISABLE_JIT"] = "1"
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "NUMBA"))} | settings
