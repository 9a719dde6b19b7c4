"""Bad input in bulk: properties, mutated files of every kind, hostile payloads.

    python trust/inputs.py            reduced: 2,000 files, a third of the payloads, properties counted
    python trust/inputs.py --full     50,000 files, 200 more as commands, properties with many examples

Files are read in this process by the functions that the commands call; a sample goes through the commands
themselves, which must end with exit code 0, 1 (findings of `her2 lint`) or 2 and without a traceback. What crashes or
hangs is kept in `trust/_work/crashers`; once mended, it belongs into `tests/trust/corpus`, which every run of the tests
reads again. A full run is done in parts that are kept: started again, it goes on with what is missing.
"""

from __future__ import annotations

import sys

# this folder has modules named like those of the standard library: it is looked at last
sys.path.append(sys.path.pop(0))

import ast
import hashlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import ROOT, TRUST, Figure, finish, parser
from inputs_lib.judge import ACCEPTED, CRASH, HANG, REFUSED, judge, limited_memory
from inputs_lib.kinds import KINDS, Kind, changed
from inputs_lib.payloads import payloads, try_one

FILES = {True: 50_000, False: 2_000}
COMMANDS = {True: 200, False: 4}
PAYLOADS = {True: 1, False: 3}
"""Of each family one payload in so many is let loose."""
DEEPER = {True: 20, False: 20}
"""One accepted file in so many goes on to a tiny simulation or advice."""
MOST_TRIALS = {True: 40, False: 2}
"""Accepted trials that are simulated, each for a second or more."""
PART = 500
"""Files of one kind in one part of a run."""
WORK = TRUST / "_work"


def main() -> int:
    """Run the part."""
    made = parser(__doc__)
    made.add_argument(
        "--kind", action="append", help="only these kinds of file, to look for a fault; writes no result"
    )
    made.add_argument("--files", type=int, help="files altogether; default 50,000 or 2,000")
    given = made.parse_args()
    start = time.monotonic()
    seconds_before = _kept_seconds() if given.full else 0.0
    n = given.files or FILES[given.full]
    kinds = [k for k in KINDS if not given.kind or k.name in given.kind]
    with limited_memory():
        fuzzed = [fuzz(k, round(n * k.share), given.full, given.seed) for k in kinds]
    if given.kind:
        print(json.dumps(fuzzed, indent=1))
        return 0
    command = run_commands(COMMANDS[given.full], given.seed)
    with limited_memory():
        attacked = run_payloads(given.full)
    counted = count_properties()
    ran = run_properties(given.full)
    figures = tell(fuzzed, command, attacked, counted, ran, given.full)
    status = finish(
        "inputs", given.full, given.seed, figures, time.monotonic() - start + seconds_before,
        {"kinds": fuzzed, "commands": command, "payloads": attacked["families"], "properties": counted},
    )  # fmt: skip
    if given.full and status == 0:
        shutil.rmtree(WORK / "inputs", ignore_errors=True)
    return status


def fuzz(kind: Kind, n: int, full: bool, seed: int) -> dict[str, Any]:
    """Read n changed files of a kind; parts that were done before are taken from the disk."""
    total: Counter[str] = Counter()
    faults: list[str] = []
    slowest = 0.0
    for first in range(0, n, PART):
        last = min(first + PART, n)
        done = _part(kind, first, last, full, seed)
        total.update(done["counts"])
        faults += done["faults"]
        slowest = max(slowest, done["slowest"])
    return {"kind": kind.name, "seeds": len(kind.seeds()), "files": n, **{k: total[k] for k in _COUNTED},
            "slowest_cpu_seconds": round(slowest, 2), "faults": faults[:20]}  # fmt: skip


_COUNTED = (ACCEPTED, REFUSED, CRASH, HANG, "deeper")


def _part(kind: Kind, first: int, last: int, full: bool, seed: int) -> dict[str, Any]:
    name = WORK / "inputs" / f"{kind.name}-{seed}-{first}-{last}-{_source()}.json"
    if full and name.exists():
        return dict(json.loads(name.read_text(encoding="utf-8")))
    started = time.monotonic()
    counts: Counter[str] = Counter()
    faults: list[str] = []
    slowest = 0.0
    seeds = kind.seeds()
    with tempfile.TemporaryDirectory(prefix="her2-fuzz-") as folder:
        for number in range(first, last):
            rng = random.Random(f"{seed}/{kind.name}/{number}")
            chosen, content = changed(kind, seeds, rng)
            path = kind.place(Path(folder), chosen, content)
            cpu = time.process_time()
            verdict = judge(lambda path=path: kind.read(path))  # type: ignore[misc]
            slowest = max(slowest, time.process_time() - cpu)
            if verdict.kind == ACCEPTED and _goes_on(kind, rng, full):
                counts["deeper"] += 1
                further = judge(lambda kept=verdict.result: kind.deeper(kept), seconds=120.0)  # type: ignore[misc]
                verdict = further if further.kind in (CRASH, HANG) else verdict
            counts[verdict.kind] += 1
            if verdict.kind in (CRASH, HANG):
                faults.append(anywhere(f"{number}: {verdict.why}")[:200])
                keep(kind, chosen.name, content, verdict.trace)
    done = {"counts": counts, "faults": faults, "slowest": slowest, "seconds": time.monotonic() - started}
    if full:
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_text(json.dumps(done), encoding="utf-8")
        print(f"{kind.name} {last}: {dict(counts)}", flush=True)
    return done


_simulated = 0


def _goes_on(kind: Kind, rng: random.Random, full: bool) -> bool:
    """Whether an accepted file is one of those with which more is done than reading."""
    global _simulated
    if kind.deeper is None or rng.randrange(DEEPER[full]):
        return False
    _simulated += kind.name == "trial"
    return kind.name != "trial" or _simulated <= MOST_TRIALS[full]


def _source() -> str:
    """A digest of the readers and of these scripts: parts of another state do not count."""
    h = hashlib.blake2b(digest_size=6)
    for path in sorted([*(ROOT / "src" / "her2").rglob("*.py"), *(TRUST / "inputs_lib").glob("*.py")]):
        h.update(path.read_bytes())
    return h.hexdigest()


def _kept_seconds() -> float:
    parts = (WORK / "inputs").glob(f"*-{_source()}.json")
    return float(sum(json.loads(p.read_text(encoding="utf-8"))["seconds"] for p in parts))


def anywhere(text: str) -> str:
    """A text without the folders of this machine, which a result does not name."""
    for folder in (
        str(ROOT),
        os.path.realpath(tempfile.gettempdir()),
        tempfile.gettempdir(),
        str(Path.home()),
    ):
        text = text.replace(folder + os.sep, "")
    return text


def keep(kind: Kind, name: str, content: bytes, trace: str) -> None:
    """Keep a file that crashed or hung, by its content, with the trace."""
    folder = WORK / "crashers" / kind.name
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.blake2b(content, digest_size=6).hexdigest()
    target = folder / f"{key}.{name.replace('/', '+')}"
    target.write_bytes(content)
    target.with_name(target.name + ".trace").write_text(trace, encoding="utf-8", errors="backslashreplace")


def run_commands(n: int, seed: int) -> dict[str, Any]:
    """Changed files through the commands: exit codes, tracebacks, files left behind."""
    rng = random.Random(f"{seed}/commands")
    able = [k for k in KINDS if k.command is not None]
    codes: Counter[str] = Counter()
    faults: list[str] = []
    for number in range(n):
        kind = able[number % len(able)]
        with tempfile.TemporaryDirectory(prefix="her2-command-") as folder:
            chosen, content = changed(kind, kind.seeds(), rng)
            path = kind.place(Path(folder), chosen, content)
            assert kind.command is not None
            code, said = her2(kind.command(path))
        codes[f"exit {code}"] += 1
        allowed = (0, 1, 2) if kind.command(path)[0] == "lint" else (0, 2)
        if code not in allowed or "Traceback" in said:
            faults.append(
                anywhere(f"{kind.name} {number}: exit {code}: {said.strip().splitlines()[-1:]}")[:300]
            )
            keep(kind, chosen.name, content, said)
    return {"files": n, "exit_codes": dict(codes), "faults": faults}


def her2(arguments: Sequence[str]) -> tuple[int, str]:
    """Exit code of a command of this checkout, and what it said."""
    env = {k: v for k, v in os.environ.items() if k != "HER2_RECORD"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), env.get("PYTHONPATH", "")])
    try:
        done = subprocess.run(
            [sys.executable, "-m", "her2.cli.main", *arguments], capture_output=True, text=True, env=env, timeout=900,
            errors="backslashreplace", check=False, cwd=tempfile.gettempdir(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return -1, "no answer within 900 s"
    return done.returncode, done.stderr


def run_payloads(full: bool) -> dict[str, Any]:
    """Let the payloads loose."""
    families: dict[str, Counter[str]] = {}
    told: list[str] = []
    every = payloads()
    chosen = [p for f in dict.fromkeys(p.family for p in every)
              for p in [q for q in every if q.family == f][:: PAYLOADS[full]]]  # fmt: skip
    for payload in chosen:
        outcome = try_one(payload)
        of = families.setdefault(payload.family, Counter({"payloads": 0, "ran": 0, "faults": 0}))
        of.update({"payloads": 1, "ran": bool(outcome.ran), "faults": bool(outcome.fault)})
        if outcome.ran or outcome.fault:
            told.append(
                anywhere(f"{payload.family}, {payload.name}: {'; '.join(outcome.ran)} {outcome.fault}")[:300]
            )
    total = sum(families.values(), Counter())
    return {"families": {k: dict(v) for k, v in families.items()}, "payloads": total["payloads"], "ran": total["ran"],
            "faults": total["faults"], "told": told[:20]}  # fmt: skip


def count_properties() -> dict[str, int]:
    """Functions under `@given` in each test file, and how many of them are named as properties."""
    found: dict[str, int] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        n = sum(
            isinstance(node, ast.FunctionDef)
            and node.name.startswith("test_")
            and any(_is_given(d) for d in node.decorator_list)
            for node in ast.walk(tree)
        )
        if n:
            found[path.relative_to(ROOT / "tests").as_posix()] = n
    return found


def _is_given(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id == "given"


def run_properties(full: bool) -> str:
    """Run the properties with many examples; the reduced size leaves them to the tests, which have run them."""
    if not full:
        return "not run"
    env = {**os.environ, "HER2_PROPERTIES": "full"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), env.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/properties"], cwd=ROOT, env=env,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    last = done.stdout.strip().splitlines()[-1:] or [done.stderr[-200:]]
    return last[0]


def tell(
    fuzzed: list[dict[str, Any]], command: dict[str, Any], attacked: dict[str, Any], counted: dict[str, int], ran: str,
    full: bool,
) -> list[Figure]:  # fmt: skip
    """The figures with their targets at this size."""
    files = sum(k["files"] for k in fuzzed)
    total = {k: sum(f[k] for f in fuzzed) for k in _COUNTED}
    faults = [f"{k['kind']} {f}" for k in fuzzed for f in k["faults"]]
    named = sum(n for path, n in counted.items() if path.startswith("properties/"))
    wanted = FILES[full]
    return [
        Figure("properties", named, "", ">= 60", named >= 60,
               f"in tests/properties; {sum(counted.values())} in all tests, under Hypothesis"),
        Figure("properties run with many examples", ran, "", "all pass" if full else "",
               not full or (" passed" in ran and "failed" not in ran and "error" not in ran),
               "" if full else "the tests run them with fewer examples"),
        Figure("kinds of file", len(fuzzed), "", "", True, ", ".join(k["kind"] for k in fuzzed)
               + "; SBML is written and never read"),
        Figure("mutated files", files, "", f">= {wanted:,}", files >= wanted,
               f"{total[ACCEPTED]:,} accepted with finite numbers, {total[REFUSED]:,} refused with an error of the "
               f"program; {total['deeper']:,} of the accepted went on to advice, a cell's response or a small trial"),
        Figure("crashes", total[CRASH], "", "0", total[CRASH] == 0, "; ".join(faults)[:400]),
        Figure("hangs", total[HANG], "", "0", total[HANG] == 0, "longer than 10 s of processor time"),
        Figure("mutated files through the command line", command["files"], "", f">= {COMMANDS[full]}",
               command["files"] >= COMMANDS[full],
               ", ".join(f"{v} {k}" for k, v in sorted(command["exit_codes"].items()))),
        Figure("tracebacks or other exit codes", len(command["faults"]), "", "0", not command["faults"],
               "; ".join(command["faults"])[:400]),
        Figure("hostile payloads", attacked["payloads"], "", ">= 150", attacked["payloads"] >= 150,
               ", ".join(f"{k} {v['payloads']}" for k, v in attacked["families"].items())),
        Figure("payloads run", attacked["ran"], "", "0", attacked["ran"] == 0, "; ".join(attacked["told"])[:400]),
        Figure("payloads that crashed, hung or were let in", attacked["faults"], "", "0", attacked["faults"] == 0,
               "tags, bombs, paths, pickles, archives and writing SQL must be refused; text may be kept as text"),
    ]  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
