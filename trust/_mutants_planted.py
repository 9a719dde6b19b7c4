"""Planted bugs: a small change of text each, the tests that have to notice it, and a run of both on a copy of the tree.

The bugs are data, `planted/*.yaml`; those of `planted/relations.yaml` belong to one metamorphic relation each.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import _mutants
import yaml

FOLDER = _mutants.ROOT / "trust" / "planted"
RELATIONS = "relations.yaml"
METAMORPHIC = "tests/metamorphic"
LONGEST_SECONDS = 1800.0
COMPILED = ("src/her2/engine/", "src/her2/survival/")
"""Packages with compiled functions; numba does not see that a function inside another, or a constant, has changed."""


@dataclass(frozen=True)
class Bug:
    """A planted bug.

    Attributes
    ----------
    file : below the root of the tree
    old, new : text that occurs once, and what takes its place
    breaks : what is wrong with it, in words
    tests : what has to notice it: files, or one relation
    relation : name of the relation it belongs to, empty for the others
    """

    id: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ()
    relation: str = ""

    @property
    def is_slow(self) -> bool:
        """Whether the engine has to be compiled anew."""
        return self.file == "src/her2/engine/kernel.py"


@dataclass(frozen=True)
class Run:
    """What became of a bug: the test that noticed it, empty if none did."""

    bug: Bug
    by: str
    seconds: float


def load_bugs(folder: Path = FOLDER) -> list[Bug]:
    """Every planted bug that belongs to no relation, in the order of files and entries.

    Raises
    ------
    ValueError
        If an id occurs twice or an entry is incomplete.
    """
    found = [b for p in sorted(folder.glob("*.yaml")) if p.name != RELATIONS for b in _read(p)]
    ids = [b.id for b in found]
    if len(set(ids)) != len(ids):
        raise ValueError(f"trust/planted: {sorted({i for i in ids if ids.count(i) > 1})} occur twice")
    return found


def load_relation_bugs(folder: Path = FOLDER) -> list[Bug]:
    """The planted bugs of the relations, one each."""
    return _read(folder / RELATIONS)


def _read(path: Path) -> list[Bug]:
    bugs = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        try:
            bug = Bug(**{k: tuple(v) if k == "tests" else v for k, v in entry.items()})
        except TypeError as error:
            raise ValueError(f"trust/planted/{path.name}, {entry.get('id', '?')}: {error}") from error
        if bool(bug.tests) == bool(bug.relation) or bug.old == bug.new:
            raise ValueError(
                f"trust/planted/{path.name}, {bug.id}: expected either tests or a relation, and a change"
            )
        bugs.append(bug)
    return bugs


@contextmanager
def planted(root: Path, bug: Bug) -> Iterator[None]:
    """The copy with the bug in it.

    Raises
    ------
    ValueError
        If the old text does not occur exactly once: the file has changed, and the bug has to be planted anew.
    """
    path = root / bug.file
    text = path.read_text(encoding="utf-8")
    if text.count(bug.old) != 1:
        raise ValueError(
            f"planted bug {bug.id}: its old text occurs {text.count(bug.old)} times in {bug.file}, expected once; "
            "plant it anew"
        )
    before = path.stat()
    compiled = root / "compiled"
    is_compiled = "njit" in text or path.name == "layout.py"
    caches = [root / c / "__pycache__" for c in COMPILED if is_compiled and bug.file.startswith(c)]
    caches = [c for c in caches if c.is_dir()]
    for cache in caches:
        shutil.move(cache, compiled)
    path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")
        _mutants.os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        for cache in caches:
            shutil.rmtree(cache, ignore_errors=True)
            shutil.move(compiled, cache)


def run_bugs(root: Path, bugs: Sequence[Bug], already_failing: frozenset[str] = frozenset()) -> Iterator[Run]:
    """Each bug planted in the copy and put to its tests, which stop at the first failure."""
    for bug in bugs:
        started = time.perf_counter()
        with planted(root, bug):
            by = _first_failure(root, bug, already_failing)
        yield Run(bug, by, time.perf_counter() - started)


def _first_failure(root: Path, bug: Bug, already_failing: frozenset[str]) -> str:
    options = ["-k", bug.relation] if bug.relation else []
    places = [METAMORPHIC] if bug.relation else [t for t in bug.tests if (root / t).exists()]
    if not places:
        raise ValueError(f"planted bug {bug.id}: none of its tests is there: {', '.join(bug.tests)}")
    skipped = [f"--deselect={name}" for name in sorted(already_failing)]
    done = run_pytest(root, [*places, *options, *skipped, "-x"])
    if done.returncode == 0:
        return ""
    failed = failures_of(done.stdout)
    if done.returncode in (1, 2) and failed:
        return failed[0]
    raise RuntimeError(
        f"planted bug {bug.id}: the tests did not run (exit status {done.returncode})\n{done.stdout[-2000:]}"
    )


def run_pytest(root: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Tests in a copy, compiled as usual, without what is marked slow."""
    command = [sys.executable, "-P", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(
        [*command, "-m", "not slow", "-rfE", "--tb=no", f"--basetemp={root / 'scratch'}", *arguments],
        cwd=root,
        env=_mutants.environment(root, pure=False),
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )


def failures_of(output: str) -> list[str]:
    """Names of the tests that failed, or of files that could not be imported, from pytest's summary."""
    return [m.group(1) for m in re.finditer(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)]


def list_relations(root: Path) -> list[str]:
    """Names of the metamorphic relations: tests with that mark, each counted once whatever its parameters."""
    done = run_pytest(root, [METAMORPHIC, "-m", "metamorphic", "--collect-only"])
    names = re.findall(r"^\S+\.py::(\w+)", done.stdout, re.MULTILINE)
    return list(dict.fromkeys(names))
