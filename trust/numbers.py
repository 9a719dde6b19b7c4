"""Trust, part numbers: the arithmetic, against closed forms, R, other engines, published vectors and its own promise.

    python trust/numbers.py [--full] [--seed N] [--only PART ...] [--engine-sets N] [--fresh]

Parts: pk (closed forms of pharmacokinetics), r (survival statistics against R), engines (the cell model in
libRoadRunner, COPASI and SciPy), rng (known-answer vectors), generated and simulated (type I error of null trials). A
full run needs R with its survival package and takes some minutes of two cores; each part is kept when it is done, and
null trials are kept as they are counted, so that a full run that was stopped goes on where it was. `--fresh` forgets
what was kept; so does any change of the code that a part rests on.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.append(sys.path.pop(0))  # this folder last: its http.py and numbers.py are not those of Python

import argparse
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import _numbers_engines
import _numbers_null
import _numbers_pk
import _numbers_r
import _numbers_rng
from common import ROOT, TRUST, Figure, finish, parser

PART = "numbers"
WORK = TRUST / "_work" / PART
Made = tuple[list[Figure], dict[str, Any]]


def main() -> int:
    chosen = _arguments()
    parts: dict[str, Callable[[Path | None], Made]] = {
        "pk": lambda _: _numbers_pk.run(chosen.full, chosen.seed),
        "r": lambda _: _numbers_r.run(chosen.full, chosen.seed),
        "rng": lambda _: _numbers_rng.run(chosen.full, chosen.seed),
        "generated": lambda work: _numbers_null.run_generated(chosen.full, chosen.seed, work),
        "simulated": lambda work: _numbers_null.run_simulated(chosen.full, chosen.seed, work),
        "engines": lambda _: _numbers_engines.run(chosen.full, chosen.seed, chosen.engine_sets),
    }
    unknown = [p for p in chosen.only if p not in parts]
    if unknown:
        print(f"--only: no part {', '.join(unknown)}; expected {', '.join(parts)}", file=sys.stderr)
        return 2
    if chosen.fresh and WORK.exists():
        shutil.rmtree(WORK)
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    seconds = 0.0
    for name, run in parts.items():
        if chosen.only and name not in chosen.only:
            continue
        made, detail, spent = _keep(name, run, chosen) if chosen.full else _time(run, None)
        figures += made
        details[name] = detail
        seconds += spent
    if chosen.only:
        # a part alone is shown, not written: the result is of all parts
        for figure in figures:
            print(
                f"{'ok' if figure.met else 'NO'}  {figure.name}: {figure.value} ({figure.target}); {figure.note}"
            )
        return 0 if all(f.met for f in figures) else 1
    return finish(PART, chosen.full, chosen.seed, figures, seconds, details)


def _arguments() -> argparse.Namespace:
    """Command line."""
    made = parser(__doc__)
    made.add_argument(
        "--only", nargs="+", default=[], metavar="PART", help="these parts, without writing a result"
    )
    made.add_argument(
        "--engine-sets", type=int, default=None, help="parameter sets of the cell model in the engines"
    )
    made.add_argument("--fresh", action="store_true", help="forget the parts of a full run that were kept")
    return made.parse_args()


def _time(
    run: Callable[[Path | None], Made], work: Path | None
) -> tuple[list[Figure], dict[str, Any], float]:
    """A part with the seconds it took."""
    begin = time.perf_counter()
    figures, details = run(work)
    return figures, details, time.perf_counter() - begin


def _keep(
    name: str, run: Callable[[Path | None], Made], chosen: argparse.Namespace
) -> tuple[list[Figure], dict[str, Any], float]:
    """A part of a full run as it was kept, or run and kept."""
    key = f"{name}-{chosen.seed}-{_digest(chosen.engine_sets if name == 'engines' else None)}"
    path = WORK / f"{key}.json"
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        print(f"{name}: kept from before", flush=True)
        return [Figure(**f) for f in kept["figures"]], kept["details"], kept["seconds"]
    print(f"{name}: running", flush=True)
    counted = WORK / key
    counted.mkdir(parents=True, exist_ok=True)
    figures, details, seconds = _time(run, counted)
    content = {"figures": [asdict(f) for f in figures], "details": details, "seconds": seconds}
    half = path.with_suffix(".part")
    half.write_text(json.dumps(content, default=float), encoding="utf-8")
    os.replace(half, path)
    return figures, details, seconds


def _digest(more: object) -> str:
    """Digest of the code and data that the parts rest on, apart from the posterior, which none of them reads."""
    from her2.versions import digests

    of = digests()
    hashed = hashlib.blake2b(f"{of['model']} {of['parameters']} {more}".encode(), digest_size=6)
    files = [*TRUST.glob("_numbers*.py"), ROOT / "tests" / "reference" / "survival" / "make_fixtures.R"]
    for path in sorted(files):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
