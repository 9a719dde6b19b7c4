"""Stored runs of any version: intact or not, and what has changed since."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from her2 import versions
from her2.cli.main import app
from her2.errors import StoreError
from her2.trials.stored import read_stored
from her2.versions import compare, digests


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small run with its patients beside it."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    arguments = ["trial", "cleopatra", "--patients", "64", "--trials", "0", "--out", str(folder)]
    done = CliRunner().invoke(app, [*arguments, "--resume", "--no-tables"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def copy(run, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(run, tmp_path / "copy")


def _edit(folder, **changes):
    path = folder / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record.update(changes)
    path.write_text(json.dumps({k: v for k, v in record.items() if v is not None}), encoding="utf-8")


def test_a_fresh_run_is_intact_and_current(run):
    found = read_stored(run)
    assert found.is_intact and found.is_current and not found.unknown
    assert dict(found.made_with) == digests()
    assert found.files >= 2  # a chunk of the model and one of the null model at least
    assert CliRunner().invoke(app, ["verify", str(run)]).exit_code == 0


@pytest.mark.parametrize("part", ["model", "record", "parameters", "posterior", "libraries", "version"])
def test_each_part_that_changed_is_named_with_the_way_out(copy, part):
    _edit(copy, made_with={**digests(), part: "0" * 32})
    found = read_stored(copy)
    assert [d.part for d in found.differences] == [part]
    assert found.is_intact and found.differences[0].way_out
    done = CliRunner().invoke(app, ["verify", str(copy)])
    assert done.exit_code == 1 and f"{part} differs" in done.stdout
    assert "--patients 64 --seed 1" in done.stdout


def test_a_run_from_before_the_digests_tells_what_it_kept(copy):
    _edit(copy, made_with=None, posterior_digest="1" * 64)
    found = read_stored(copy)
    assert [d.part for d in found.differences] == ["posterior"]
    assert {"model", "record", "parameters"} <= set(found.unknown)


def test_a_flipped_bit_is_found(copy):
    chunk = next((copy / "patients").rglob("*.parquet"))
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(bytes(content))
    found = read_stored(copy)
    assert len(found.damage) == 1 and chunk.name in found.damage[0]
    assert CliRunner().invoke(app, ["verify", str(copy), "--json"]).exit_code == 1


def test_listed_files_are_checked_and_names_do_not_leave_the_folder(copy):
    (copy / "note.csv").write_text("a\n", encoding="utf-8")
    entry = {"bytes": 2, "blake2b": versions.hashlib.blake2b(b"a\n", digest_size=32).hexdigest()}
    _edit(copy, files={"note.csv": entry})
    assert read_stored(copy).is_intact
    _edit(copy, files={"note.csv": entry, "gone.csv": entry, "../run.json": entry})
    damage = read_stored(copy).damage
    assert any("gone.csv: missing" in d for d in damage) and any("../run.json" in d for d in damage)


def test_patients_whose_run_did_not_end(copy):
    (copy / "run.json").unlink()
    found = read_stored(copy)
    assert found.kind == "patients of a virtual trial" and found.is_intact and found.is_current
    assert "--resume" in found.again


def test_patients_of_another_code_are_told(copy, monkeypatch):
    (copy / "run.json").unlink()
    monkeypatch.setattr("her2.scale.fingerprint", lambda: "another")
    assert [d.part for d in read_stored(copy).differences] == ["code_and_record"]


@pytest.mark.parametrize("content", ["[1]", '{"kind": "something later"}'])
def test_what_is_no_run_is_refused_with_the_way_out(tmp_path, content):
    path = tmp_path / "run.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StoreError, match="later version"):
        read_stored(path)
    with pytest.raises(StoreError, match="no stored run"):
        read_stored(tmp_path / "nothing")


def test_unknown_parts_are_no_differences():
    assert compare({}) == ()
    assert compare({"posterior": digests()["posterior"], "later_part": "x"}) == ()
