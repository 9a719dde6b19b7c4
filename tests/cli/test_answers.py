"""Answers kept by the command line: shown again only where nothing they rest on has changed and no byte is off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from her2.cli.answers import KEPT, Question, cache_folder
from her2.cli.main import app


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of its own."""
    monkeypatch.setenv("HER2_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("environment", "system", "expected"),
    [
        ({"HOME": "/home/a"}, "linux", "/home/a/.cache/her2"),
        ({"HOME": "/home/a", "XDG_CACHE_HOME": "/big"}, "linux", "/big/her2"),
        ({"HOME": "/home/a", "XDG_CACHE_HOME": "relative"}, "linux", "/home/a/.cache/her2"),
        ({"HOME": "/Users/a"}, "darwin", "/Users/a/Library/Caches/her2"),
        ({"HOME": "/u", "LOCALAPPDATA": "/u/local"}, "win32", "/u/local/her2/Cache"),
        ({"HOME": "/home/a", "HER2_CACHE": "/else"}, "linux", "/else"),
        ({"HOME": "/home/a", "HER2_CACHE": ""}, "linux", None),
    ],
)
def test_where_the_cache_is(environment, system, expected):
    found = cache_folder(environment, system)
    assert (None if found is None else found.as_posix()) == expected


def test_a_question_is_another_where_anything_it_rests_on_differs(cache, tmp_path, monkeypatch):
    trial = tmp_path / "mine.yaml"
    trial.write_text("a: 1\n")

    def key(seed: int = 1) -> str:
        return Question.of("trial", {"seed": seed}, [trial]).key

    keys = [key(), key(2)]
    assert key() == keys[0]
    trial.write_text("a: 2\n")
    keys.append(key())
    trial.unlink()
    keys.append(key())
    record = tmp_path / "record"
    record.mkdir()
    monkeypatch.setenv("HER2_RECORD", str(record))
    keys.append(key())
    (record / "one.yaml").write_text("b: 1\n")
    keys.append(key())
    (record / "one.yaml").rename(record / "two.yaml")
    keys.append(key())
    monkeypatch.setattr("her2.cli.answers._processor", lambda: "another")
    keys.append(key())
    monkeypatch.setattr("her2.cli.answers._version", lambda name: "0.0")
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_the_package_itself_counts(cache, tmp_path, monkeypatch):
    package = tmp_path / "her2"
    (package / "__pycache__").mkdir(parents=True)
    (package / "a.py").write_text("x = 1\n")
    monkeypatch.setattr("her2.cli.answers._PACKAGE", package)
    first = Question.of("trial", {}).key
    (package / "__pycache__" / "a.pyc").write_text("compiled")
    assert Question.of("trial", {}).key == first
    (package / "a.py").write_text("x = 2\n")
    assert Question.of("trial", {}).key != first


def test_an_answer_with_any_byte_changed_is_not_shown(cache):
    question = Question.of("trial", {"seed": 1})
    assert question.recall() is None
    question.keep("median 18.6 µ\nline two\n")
    answer = question.recall()
    assert answer is not None and answer.text == "median 18.6 µ\nline two\n"
    (path,) = (cache / "answers").iterdir()
    whole = path.read_bytes()
    when = range(whole.index(b'"when"'), whole.index(b"\n"))
    for k in range(len(whole)):
        if k in when:
            # the date is shown beside the answer and not part of it
            continue
        path.write_bytes(whole[:k] + bytes([whole[k] ^ 1]) + whole[k + 1 :])
        assert question.recall() is None, k
    for k in range(len(whole)):
        path.write_bytes(whole[:k])
        assert question.recall() is None, k


def test_an_answer_under_a_wrong_name_is_not_shown(cache):
    one, two = Question.of("trial", {"seed": 1}), Question.of("trial", {"seed": 2})
    one.keep("one")
    (path,) = (cache / "answers").iterdir()
    path.rename(path.with_name(f"{two.key[:40]}.txt"))
    assert two.recall() is None


def test_the_oldest_answers_go(cache, monkeypatch):
    monkeypatch.setattr("her2.cli.answers.KEPT", 3)
    assert KEPT > 3
    for seed in range(6):
        Question.of("trial", {"seed": seed}).keep(str(seed))
    assert len(list((cache / "answers").iterdir())) == 3


def test_without_a_cache_nothing_is_kept_and_nothing_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("HER2_CACHE", "")
    question = Question.of("trial", {"seed": 1})
    question.keep("text")
    assert question.recall() is None
    # a file where the folder should be
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HER2_CACHE", str(tmp_path / "file"))
    question = Question.of("trial", {"seed": 1})
    question.keep("text")
    assert question.recall() is None


@pytest.mark.parametrize("how", [["--json"], []])
def test_the_same_trial_is_computed_once(cache, monkeypatch, how):
    few = ["trial", "cleopatra", "--patients", "50", "--trials", "0", *how]
    first = CliRunner().invoke(app, few)
    assert first.exit_code == 0
    if how:
        json.loads(first.stdout)

    class Computed(Exception):
        """The trial would be simulated."""

    def simulate(*args, **kwargs):
        raise Computed

    monkeypatch.setattr("her2.trials.run.simulate_trial", simulate)
    again = CliRunner().invoke(app, few)
    assert again.exit_code == 0
    assert again.stdout == first.stdout
    assert "computed on" in again.stderr and "computed on" not in first.stderr
    for other in (["--seed", "2"], ["--patients", "51"], ["--trials", "1"], ["--held-out"]):
        assert isinstance(CliRunner().invoke(app, [*few, *other]).exception, Computed), other
    # digits do not depend on threads
    assert CliRunner().invoke(app, [*few, "--jobs", "2"]).stdout == first.stdout


def test_a_trial_file_of_ones_own_is_computed_again_when_it_changes(cache, tmp_path, monkeypatch):
    shown = CliRunner().invoke(app, ["trial", "cleopatra", "--show"]).stdout
    mine = tmp_path / "mine.yaml"
    mine.write_text(shown)
    few = ["trial", str(mine), "--patients", "50", "--trials", "0", "--json"]
    assert CliRunner().invoke(app, few).exit_code == 0
    Path(mine).write_text(shown + "\n# changed\n")
    monkeypatch.setattr(
        "her2.trials.run.simulate_trial", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("new"))
    )
    assert str(CliRunner().invoke(app, few).exception) == "new"
