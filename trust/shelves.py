"""Tests by the strength of their evidence: how many stand on which shelf of `shelves.yaml`.

    python trust/shelves.py [--full]

Collects the tests of the suite (nothing is run) and counts them. Both sizes are the same.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.append(sys.path.pop(0))  # this folder last: its http.py and numbers.py are not those of Python

import fnmatch
import os
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from common import ROOT, TRUST, Figure, arguments, finish

LEAST_STRONG = 0.5
"""Share of the tests that must stand on a shelf above `behaviour`."""


def shelves() -> list[dict[str, Any]]:
    """Name, meaning and patterns of each shelf, strongest first."""
    loaded: dict[str, list[dict[str, Any]]] = yaml.safe_load(
        (TRUST / "shelves.yaml").read_text(encoding="utf-8")
    )
    return loaded["shelves"]


def shelf_of(file: str, of: list[dict[str, Any]] | None = None) -> str:
    """Shelf of a test file.

    Parameters
    ----------
    file : path below `tests/`, with `/`

    Raises
    ------
    ValueError
        If no pattern fits.
    """
    for shelf in of or shelves():
        if any(fnmatch.fnmatchcase(file, pattern) for pattern in shelf["files"]):
            return str(shelf["name"])
    raise ValueError(f"tests/{file}: on no shelf; add a pattern to trust/shelves.yaml")


def collected() -> Counter[str]:
    """Number of tests in each file below `tests/`, as pytest collects them, slow ones included."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    found: Counter[str] = Counter()
    for line in done.stdout.splitlines():
        path, mark, _ = line.partition("::")
        if mark and path.startswith("tests/"):
            found[path.removeprefix("tests/")] += 1
        elif path.startswith("tests/") and ": " in path:  # "tests/x.py: 12", the short form
            name, _, n = path.partition(": ")
            found[name.removeprefix("tests/")] += int(n)
    if done.returncode or not found:
        raise SystemExit(f"the tests cannot be collected:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return found


def main() -> int:
    """Count and tell."""
    given = arguments(__doc__)
    began = time.perf_counter()
    files = collected()
    of = shelves()
    by_shelf: Counter[str] = Counter()
    for file, n in files.items():
        by_shelf[shelf_of(Path(file).as_posix(), of)] += n
    total = sum(by_shelf.values())
    strong = total - by_shelf[str(of[-1]["name"])]
    figures = [Figure(f"tests: {s['name']}", by_shelf[str(s["name"])], note=s["says"]) for s in of]
    figures += [
        Figure("tests", total, note=f"in {len(files)} files"),
        Figure(
            "tests with a yardstick of their own",
            round(strong / total, 3),
            "of all",
            f">= {LEAST_STRONG:g}",
            strong >= LEAST_STRONG * total,
            "on any shelf but the last",
        ),
    ]
    details = {"files": dict(sorted(files.items()))}
    return finish("shelves", given.full, given.seed, figures, time.perf_counter() - began, details)


if __name__ == "__main__":
    raise SystemExit(main())
