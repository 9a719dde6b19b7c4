"""Strength of the tests: what share of small changes they notice, relations of the simulator, and planted bugs.

    .venv/bin/python trust/strength.py [--full] [--seed N] [--only mutants|relations|bugs] [--part NAME] [--sample N]

Mutants: cosmic-ray's operators on a copy of the tree, in six parts of the package, one forked test run each. The score
is raw: those that a test fails on, that run out of time or crash, and those that are no Python any more (counted
apart), over all that were tried; mutants that change nothing a test could see are not taken out. The full size tries a
random sample of each part, so that the score has a binomial interval; the target is for the score.
Relations: the tests marked `metamorphic`, and for each a planted bug that it has to notice.
Planted bugs: `trust/planted/*.yaml`, each on the tests that its entry names.

A full run takes some 50 minutes of a processor. It goes on where it was stopped: the results of mutants lie in session
databases of cosmic-ray under `trust/_work/`, named by the content of the sources and tests.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.append(sys.path.pop(0))  # this folder last: its http.py and numbers.py are not those of Python

import hashlib
import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _mutants
import _mutants_planted as planted
from common import ROOT, Figure, finish, parser

WORK = ROOT / "trust" / "_work"
FULL_SAMPLE = 400
REDUCED_PARTS, REDUCED_SAMPLE, REDUCED_SECONDS = 2, 20, 60.0
SCORE, REDUCED_SCORE = 0.80, 0.60
"""Wanted; of the 40 mutants of the reduced size a suite at 0.80 kills fewer than 0.60 once in 500 runs."""
BUGS, CAUGHT = 50, 45
RELATIONS = 20
REDUCED_BUGS, REDUCED_RELATIONS = 6, 4
KILLED = ("failed", "timeout", "crashed", "no Python")


@dataclass(frozen=True)
class Tried:
    """A mutant with what became of it; `outcome` is one of `KILLED` or `survived`."""

    mutant: _mutants.Mutant
    outcome: str
    by: str
    change: tuple[str, str]


def run_part(part: _mutants.Part, size: int, seed: int, seconds: float) -> tuple[int, list[Tried]]:
    """Number of mutants of a part, and those of a sample that were tried within a time."""
    started = time.perf_counter()
    with _mutants.copied_tree() as root:
        every = _mutants.list_mutants(part, root)
        chosen = _mutants.sample(every, size, seed)
        texts = {m.source: (root / m.source).read_text(encoding="utf-8") for m in chosen}
        session = _Session(part, chosen, texts, root)
        tried: list[Tried] = []
        with subprocess.Popen(
            [sys.executable, "-P", str(root / "trust/_mutants_run.py")],
            cwd=root,
            env=_mutants.environment(root, pure=True),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            for k, mutant in enumerate(chosen):
                if time.perf_counter() - started > seconds:
                    break
                changed = _mutants.mutate(texts[mutant.source], mutant)
                known = session.result(mutant)
                outcome, by = known or _try(server, part, mutant, changed, root)
                if known is None:
                    session.keep(mutant, outcome, by)
                tried.append(Tried(mutant, outcome, by, _difference(texts[mutant.source], changed)))
                if (k + 1) % 50 == 0:
                    killed = sum(t.outcome in KILLED for t in tried)
                    print(f"{part.name}: {k + 1} of {len(chosen)} tried, {killed} killed", flush=True)
            assert server.stdin is not None
            server.stdin.close()
        session.close()
    return len(every), tried


def _try(
    server: subprocess.Popen[str], part: _mutants.Part, mutant: _mutants.Mutant, code: str, root: Path
) -> tuple[str, str]:
    try:
        compile(code, mutant.source, "exec", dont_inherit=True)
    except SyntaxError as error:
        return "no Python", str(error.msg)
    job = {
        "source": mutant.source,
        "code": code,
        "tests": part.tests_of(mutant.source),
        "part": part.sources(root),
    }
    assert server.stdin is not None and server.stdout is not None
    print(json.dumps(job), file=server.stdin, flush=True)
    line = server.stdout.readline()
    if not line:
        raise SystemExit(f"trust/strength.py: the test runner of part {part.name} ended; see above")
    answer = json.loads(line)
    return answer["outcome"], answer["by"]


def _difference(old: str, new: str) -> tuple[str, str]:
    """The first line that differs, before and after."""
    for one, other in zip(old.splitlines(), new.splitlines(), strict=False):
        if one != other:
            return one.strip(), other.strip()
    return "", ""


class _Session:
    """A session database of cosmic-ray with the sampled mutants and their results."""

    def __init__(
        self, part: _mutants.Part, chosen: Sequence[_mutants.Mutant], texts: dict[str, str], root: Path
    ) -> None:
        from cosmic_ray.work_db import WorkDB

        WORK.mkdir(parents=True, exist_ok=True)
        digest = hashlib.blake2b(digest_size=8)
        folders = {
            (root / t).parent for source in texts for t in part.tests_of(source) if not t.startswith("--")
        }
        read = {root / source for source in part.sources(root)}
        read |= {p for folder in folders for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc"}
        for path in sorted(read):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
        name = f"strength-{part.name}-{digest.hexdigest()}.sqlite"
        self._database = WorkDB(str(WORK / name), WorkDB.Mode.create)
        known = {item.job_id for item in self._database.work_items}
        self._database.add_work_items([_work_item(m) for m in chosen if _job(m) not in known])
        self._results = {job: result.output for job, result in self._database.results}

    def result(self, mutant: _mutants.Mutant) -> tuple[str, str] | None:
        """Outcome and test of an earlier run, None if there is none."""
        text = self._results.get(_job(mutant))
        if text is None:
            return None
        outcome, _, by = text.partition("\n")
        return outcome, by

    def keep(self, mutant: _mutants.Mutant, outcome: str, by: str) -> None:
        """Write the result of a mutant."""
        from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

        found = TestOutcome.SURVIVED if outcome == "survived" else TestOutcome.KILLED
        self._database.set_result(
            _job(mutant),
            WorkResult(worker_outcome=WorkerOutcome.NORMAL, output=f"{outcome}\n{by}", test_outcome=found),
        )

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def _job(mutant: _mutants.Mutant) -> str:
    return f"{mutant.source}:{mutant.operator}:{mutant.occurrence}"


def _work_item(mutant: _mutants.Mutant) -> Any:
    from cosmic_ray.work_item import MutationSpec, WorkItem

    spec = MutationSpec(
        module_path=Path(mutant.source),
        operator_name=f"core/{mutant.operator}",
        occurrence=mutant.occurrence,
        start_pos=mutant.start,
        end_pos=mutant.end,
    )
    return WorkItem.single(_job(mutant), spec)


def mutation_figures(
    full: bool, seed: int, names: Sequence[str], size: int | None = None
) -> tuple[list[Figure], dict[str, Any]]:
    """A score for each part with its interval; in the reduced size one for two parts together."""
    from her2.survival import clopper_pearson

    parts = [p for p in _mutants.PARTS if not names or p.name in names]
    if not full and not names:
        parts = random.Random(f"{seed} parts").sample(parts, REDUCED_PARTS)
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    every: list[Tried] = []
    left = float("inf") if full else REDUCED_SECONDS
    for part in parts:
        started = time.perf_counter()
        total, tried = run_part(part, size or (FULL_SAMPLE if full else REDUCED_SAMPLE), seed, left)
        left -= time.perf_counter() - started
        every += tried
        counts = Counter(t.outcome for t in tried)
        details[part.name] = {
            "mutants": total,
            "tried": len(tried),
            "outcomes": dict(sorted(counts.items())),
            "survivors": [
                {
                    "place": t.mutant.place,
                    "operator": t.mutant.operator,
                    "old": t.change[0],
                    "new": t.change[1],
                }
                for t in tried
                if t.outcome == "survived"
            ],
        }
        if full and tried:
            figures.append(_score(f"mutation score, {part.name}", tried, total, SCORE))
    if not full:
        where = " and ".join(p.name for p in parts)
        if every:
            figures.append(_score(f"mutation score of a few mutants, {where}", every, None, REDUCED_SCORE))
        else:
            figures.append(
                Figure(f"mutation score of a few mutants, {where}", "not run", met=True, note="no time left")
            )
    killed = sum(t.outcome in KILLED for t in every)
    if full and len(parts) > 1 and every:
        limits = clopper_pearson(killed, len(every))
        note = f"{killed} of {len(every)} killed, 95 % interval {limits.lower:.3f} to {limits.upper:.3f}"
        figures.append(
            Figure("mutation score, all samples together", killed / len(every), "", "", True, note)
        )
    return figures, details


def _score(name: str, tried: Sequence[Tried], total: int | None, wanted: float) -> Figure:
    from her2.survival import clopper_pearson

    counts = Counter(t.outcome for t in tried)
    killed = sum(counts[k] for k in KILLED)
    limits = clopper_pearson(killed, len(tried))
    note = (
        f"raw; {killed} of {len(tried)} killed"
        + (f", a random sample of {total:,}" if total is not None and total > len(tried) else "")
        + f"; 95 % interval {limits.lower:.3f} to {limits.upper:.3f}; "
        + ", ".join(f"{counts[k]} {k}" for k in (*KILLED, "survived") if counts[k])
    )
    value = killed / len(tried)
    return Figure(name, value, "", f">= {wanted:g}", value >= wanted, note)


def relation_figures(full: bool, seed: int) -> tuple[list[Figure], dict[str, Any]]:
    """Relations that hold, and those shown able to fail."""
    with _mutants.copied_tree(keep_compiled=True) as root:
        names = planted.list_relations(root)
        bugs = planted.load_relation_bugs()
        without = sorted(set(names) - {b.relation for b in bugs})
        if not full:
            bugs = random.Random(f"{seed} relations").sample(bugs, REDUCED_RELATIONS)
        done = planted.run_pytest(root, [planted.METAMORPHIC])
        failing = {name.rsplit("::", 1)[-1].split("[")[0] for name in planted.failures_of(done.stdout)}
        if done.returncode not in (0, 1):
            raise SystemExit(f"trust/strength.py: the relations did not run\n{done.stdout[-2000:]}")
        runs = list(planted.run_bugs(root, bugs))
    holding = len(set(names) - failing)
    noticed = [r for r in runs if r.by]
    missed = [r.bug.relation for r in runs if not r.by]
    figures = [
        Figure("metamorphic relations that hold", holding, "", f">= {RELATIONS}, all of them",
               holding >= RELATIONS and not failing, ", ".join(sorted(failing)) or f"all of {len(names)}"),
        Figure("relations that notice the bug planted for them", len(noticed), "", f"all {len(runs)}",
               not missed and not (full and without), ", ".join([*missed, *(without if full else [])])),
    ]  # fmt: skip
    return figures, {"relations": names, "bugs": _told(runs)}


def bug_figures(full: bool, seed: int) -> tuple[list[Figure], dict[str, Any]]:
    """Planted bugs that the tests notice."""
    bugs = planted.load_bugs()
    n = len(bugs)
    if not full:
        bugs = random.Random(f"{seed} bugs").sample([b for b in bugs if not b.is_slow], REDUCED_BUGS)
    with _mutants.copied_tree(keep_compiled=True) as root:
        tests = sorted({t for b in bugs for t in b.tests if (root / t).exists()})
        failing = (
            frozenset(planted.failures_of(planted.run_pytest(root, tests).stdout)) if full else frozenset()
        )
        runs = []
        for run in planted.run_bugs(root, bugs, failing):
            print(f"{run.bug.id}: {run.by or 'NOT NOTICED'} ({run.seconds:.0f} s)", flush=True)
            runs.append(run)
    caught = sum(bool(r.by) for r in runs)
    missed = ", ".join(r.bug.id for r in runs if not r.by)
    figures = [
        Figure("planted bugs", n, "", f">= {BUGS}", n >= BUGS, ""),
        Figure("planted bugs that the tests notice", caught, "",
               f">= {CAUGHT}" if full else f">= {REDUCED_BUGS - 1} of {REDUCED_BUGS}",
               caught >= (CAUGHT if full else REDUCED_BUGS - 1),
               f"of {len(runs)} run" + (f"; not noticed: {missed}" if missed else "")),
    ]  # fmt: skip
    if failing:
        figures.append(
            Figure("tests left out, as they fail without any bug", len(failing), "", "0", False, "")
        )
    return figures, {"bugs": _told(runs)}


def _told(runs: Sequence[planted.Run]) -> list[dict[str, str]]:
    return [{"id": r.bug.id, "file": r.bug.file, "breaks": r.bug.breaks, "noticed_by": r.by} for r in runs]


def main() -> int:
    """Run what was asked for; the exit status is 1 if a figure misses its target."""
    made = parser(__doc__)
    made.add_argument(
        "--only", choices=("mutants", "relations", "bugs"), help="one of the three; writes nothing"
    )
    made.add_argument("--part", action="append", default=[], help="one part of the mutants; writes nothing")
    made.add_argument("--sample", type=int, help="mutants of each part to try; writes nothing")
    given = made.parse_args()
    unknown = set(given.part) - {p.name for p in _mutants.PARTS}
    if unknown:
        made.error(f"--part: expected one of {', '.join(p.name for p in _mutants.PARTS)}")
    started = time.perf_counter()
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    if given.only in (None, "mutants"):
        found, details["mutants"] = mutation_figures(given.full, given.seed, given.part, given.sample)
        figures += found
    if given.only in (None, "relations") and not given.part:
        found, details["relations"] = relation_figures(given.full, given.seed)
        figures += found
    if given.only in (None, "bugs") and not given.part:
        found, details["planted"] = bug_figures(given.full, given.seed)
        figures += found
    if given.only or given.part or given.sample:
        for f in figures:
            print(f"{f.name}: {f.value} (target {f.target}) {f.note}")
        for part, one in details.get("mutants", {}).items():
            for s in one["survivors"]:
                print(f"{part} {s['place']} {s['operator']}\n  - {s['old']}\n  + {s['new']}")
        return 0 if all(f.met for f in figures) else 1
    return finish("strength", given.full, given.seed, figures, time.perf_counter() - started, details)


if __name__ == "__main__":
    raise SystemExit(main())
