"""Files that broke a reader once, a few changed files of every kind, some payloads of every family, and the judge itself."""

from __future__ import annotations

import pickle
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from inputs_lib import payloads as attacks
from inputs_lib.judge import ACCEPTED, CRASH, HANG, REFUSED, judge
from inputs_lib.kinds import KINDS, changed
from inputs_lib.payloads import Payload, _Attack, payloads, try_one

from her2.errors import RecordError

CORPUS = Path(__file__).parent / "corpus"
"""`KIND/NAME`: files on which a reader crashed before it was mended; `+` in a name stands for a folder."""
BY_NAME = {k.name: k for k in KINDS}
FILES = sorted(p for p in CORPUS.rglob("*") if p.is_file())
# of the payloads of a family; `python trust/inputs.py` lets all of them loose
SOME = 5


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(CORPUS).as_posix())
def test_a_file_that_once_broke_a_reader_is_refused_or_read(path, tmp_path):
    kind = BY_NAME[path.relative_to(CORPUS).parts[0]]
    name = path.name.split(".", 1)[1].replace("+", "/")
    seed = next(s for s in kind.seeds() if s.name == name)
    verdict = judge(lambda: kind.read(kind.place(tmp_path, seed, path.read_bytes())))
    assert verdict.kind in (ACCEPTED, REFUSED), verdict.trace or verdict.why


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_files_as_they_should_be_are_accepted(kind, tmp_path):
    for seed in kind.seeds()[:5]:
        path = kind.place(tmp_path, seed, seed.content)
        verdict = judge(lambda path=path: kind.read(path))
        assert verdict.kind == ACCEPTED, f"{seed.name}: {verdict.why} {verdict.trace}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_changed_files_are_read_or_refused_in_words(kind, tmp_path):
    counts = {ACCEPTED: 0, REFUSED: 0}
    for number in range(12):
        rng = random.Random(f"test/{kind.name}/{number}")
        seed, content = changed(kind, kind.seeds(), rng)
        path = kind.place(tmp_path, seed, content)
        verdict = judge(lambda path=path: kind.read(path))
        assert verdict.kind in counts, f"{number}: {verdict.why} {verdict.trace}"
        counts[verdict.kind] += 1
        assert verdict.kind == ACCEPTED or len(verdict.why) < 20_000
    assert counts[REFUSED] > 0, "no change was noticed: the changes do not reach the reader"


FAMILIES = sorted({p.family for p in payloads()})


@pytest.mark.parametrize("family", FAMILIES)
def test_payloads_are_not_run(family):
    own = [p for p in payloads() if p.family == family]
    for payload in own[:: max(len(own) // SOME, 1)]:
        outcome = try_one(payload)
        assert not outcome.ran, f"{payload.name}: {outcome.ran}"
        assert not outcome.fault, f"{payload.name}: {outcome.fault} {outcome.trace}"


def test_there_are_payloads_enough_and_each_has_its_name():
    names = [(p.family, p.name) for p in payloads()]
    assert len(names) >= 150 and len(set(names)) == len(names)


# the judge must see what it is there for


def test_the_judge_tells_errors_crashes_hangs_and_bad_numbers_apart():
    def refuse():
        raise RecordError("x: expected y")

    assert judge(lambda: 1.0).kind == ACCEPTED
    assert judge(refuse).kind == REFUSED
    assert judge(lambda: {}["x"]).kind == CRASH
    assert judge(lambda: int("x")).kind == CRASH
    assert judge(lambda: {"a": [1.0, float("nan")]}).kind == CRASH
    assert judge(lambda: np.array([np.inf])).kind == CRASH
    assert judge(lambda: np.log(np.array([-1.0]))).kind == CRASH, "a warning"
    assert judge(lambda: sys.exit(3)).kind == CRASH
    assert judge(_compute_for_ever, seconds=0.2).kind == HANG


def _compute_for_ever():
    while True:
        sum(range(1000))


def test_the_judge_waits_for_a_reader_that_other_programs_hold_up():
    assert judge(lambda: time.sleep(0.5), seconds=0.2).kind == ACCEPTED


@pytest.mark.parametrize(
    ("name", "do"),
    [
        ("makes its file", lambda b: b.canary.touch()),
        ("writes elsewhere", lambda b: (b.folder.parent / "other").write_text("x", encoding="utf-8")),
        ("starts a program", lambda b: subprocess.run([sys.executable, "-c", "pass"], check=True)),
        ("unpickles", lambda b: pickle.loads(pickle.dumps(_Attack(str(b.canary))))),
        ("evaluates", lambda b: eval(attacks.fill("open('{canary}', 'w').close()", b))),
        ("reads the secret", lambda b: b.secret.read_text(encoding="utf-8")),
        ("shows the secret", lambda b: print(b.word)),
        ("removes a file", lambda b: b.secret.unlink()),
        ("moves a folder", lambda b: shutil.move(b.secret, b.folder.parent / "x")),
    ],
)  # fmt: skip
def test_a_payload_that_is_run_is_seen(name, do):
    assert try_one(Payload("planted", name, do)).ran


def test_a_payload_that_does_nothing_is_not_blamed():
    outcome = try_one(
        Payload("planted", "harmless", lambda b: (b.folder / "x").write_text("x", encoding="utf-8"))
    )
    assert not outcome.ran and not outcome.fault


def test_a_payload_that_has_to_be_refused_is_a_fault_where_it_is_accepted():
    assert try_one(Payload("planted", "accepted", lambda b: None, may_accept=False)).fault == "accepted"
