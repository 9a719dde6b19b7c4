"""Writing a run: all files or none, and nobody's files lost."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from her2.errors import OutputError
from her2.trials import write
from her2.trials.pictures import Curve, draw_kaplan_meier
from her2.trials.write import check_folder, digest_of, write_outputs

TABLES = {"ADSL": pl.DataFrame({"USUBJID": ["A", "B"], "AGE": [51.5, None]})}
RECORD = {"trial": "cleopatra", "seed": 1, "versions": {"her2": "0.1.0"}, "median": float("nan")}


@pytest.fixture(scope="module")
def figures():
    curve = Curve("arm", np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
    return {"pfs": draw_kaplan_meier([curve], title="PFS")}


def listing(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_all_files_are_there_with_their_digests(tmp_path, figures):
    digests = write_outputs(tmp_path / "run", TABLES, figures, RECORD)
    names = ["ADSL.csv", "ADSL.parquet", "pfs.png", "pfs.svg", "run.json"]
    assert listing(tmp_path / "run") == names
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert record["trial"] == "cleopatra"
    assert record["median"] is None
    for name in names[:-1]:
        content = (tmp_path / "run" / name).read_bytes()
        assert record["files"][name]["blake2b"] == digest_of(content) == digests[name]
        assert record["files"][name]["bytes"] == len(content)
    assert listing(tmp_path) == ["run"]


def test_tables_come_back_as_they_were(tmp_path):
    write_outputs(tmp_path / "run", TABLES, {}, RECORD)
    assert pl.read_parquet(tmp_path / "run" / "ADSL.parquet").equals(TABLES["ADSL"])
    assert pl.read_csv(tmp_path / "run" / "ADSL.csv").equals(TABLES["ADSL"])


def test_the_same_run_gives_the_same_bytes(tmp_path, figures):
    first = write_outputs(tmp_path / "one", TABLES, figures, RECORD)
    second = write_outputs(tmp_path / "two", TABLES, figures, RECORD)
    assert first == second
    assert (tmp_path / "one" / "run.json").read_bytes() == (tmp_path / "two" / "run.json").read_bytes()


def test_folders_above_are_made(tmp_path):
    write_outputs(tmp_path / "a" / "b" / "run", TABLES, {}, RECORD)
    assert (tmp_path / "a" / "b" / "run" / "run.json").exists()


def test_an_empty_folder_and_an_earlier_run_are_replaced(tmp_path):
    target = tmp_path / "run"
    target.mkdir()
    write_outputs(target, {**TABLES, "ADTR": TABLES["ADSL"]}, {}, RECORD)
    assert "ADTR.csv" in listing(target)
    write_outputs(target, TABLES, {}, {**RECORD, "seed": 2})
    assert listing(target) == ["ADSL.csv", "ADSL.parquet", "run.json"]
    assert json.loads((target / "run.json").read_text())["seed"] == 2
    assert listing(tmp_path) == ["run"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("thesis.docx", "years of work"),
        ("run.json", "not json"),
        ("run.json", '{"mine": 1}'),
        ("run.json", "[]"),
    ],
)
def test_a_folder_with_other_files_is_refused(tmp_path, name, content):
    target = tmp_path / "run"
    target.mkdir()
    (target / name).write_text(content)
    with pytest.raises(OutputError, match=rf"holds {name}, which no earlier run wrote.*Give another folder"):
        write_outputs(target, TABLES, {}, RECORD)
    assert (target / name).read_text() == content
    assert listing(target) == [name]


def test_a_file_put_beside_an_earlier_run_is_not_lost(tmp_path):
    target = tmp_path / "run"
    write_outputs(target, TABLES, {}, RECORD)
    (target / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        write_outputs(target, TABLES, {}, RECORD)
    assert (target / "notes.txt").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(OutputError, match="is a file; expected a folder"):
        write_outputs(tmp_path / "run", TABLES, {}, RECORD)
    with pytest.raises(OutputError, match="a part of the path is a file"):
        write_outputs(tmp_path / "run" / "deeper", TABLES, {}, RECORD)
    assert (tmp_path / "run").read_text() == "x"
    assert listing(tmp_path) == ["run"]


def test_the_current_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="current folder"):
        write_outputs(".", TABLES, {}, RECORD)


def test_a_folder_is_checked_before_the_work_is_done(tmp_path):
    write_outputs(tmp_path / "run", TABLES, {}, RECORD)
    for good in ("run", "new", "a/b/new"):
        check_folder(tmp_path / good)
    assert listing(tmp_path) == ["run"]
    (tmp_path / "file").write_text("x")
    for bad, text in (
        ("file", "is a file"),
        ("file/below/it", "a part of the path is a file"),
        ("", "holds file"),
    ):
        with pytest.raises(OutputError, match=text):
            check_folder(tmp_path / bad)
    assert listing(tmp_path) == ["file", "run"]


def test_a_folder_without_permission_is_found_early(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(write.tempfile, "mkdtemp", refuse)
    with pytest.raises(OutputError, match="no permission to write in"):
        check_folder(tmp_path / "run")


def test_the_digest_is_that_of_b2sum():
    # printf abc | b2sum -l 256
    assert digest_of(b"abc") == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "no permission"),
        (errno.EIO, "cannot be written"),
    ],
)
@pytest.mark.parametrize("has_earlier", [False, True])
def test_a_failing_write_leaves_what_was_there(tmp_path, monkeypatch, code, text, has_earlier):
    target = tmp_path / "made" / "run" if not has_earlier else tmp_path / "run"
    if has_earlier:
        write_outputs(target, TABLES, {}, RECORD)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    written = []

    def fail(path: Path, content: bytes) -> None:
        if written:
            raise OSError(code, os.strerror(code))
        written.append(path.write_bytes(content))

    monkeypatch.setattr(write, "_write_file", fail)
    with pytest.raises(OutputError, match=text) as caught:
        write_outputs(target, TABLES, {}, {**RECORD, "seed": 2})
    assert str(target) in str(caught.value)
    assert "Nothing was written" in str(caught.value)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert listing(tmp_path) == (["run"] if has_earlier else [])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_disk_that_is_really_full(tmp_path, monkeypatch):
    real = Path.open

    def to_full(self: Path, *args, **kwargs):
        return (
            real(Path("/dev/full"), *args, **kwargs) if self.suffix == ".csv" else real(self, *args, **kwargs)
        )

    monkeypatch.setattr(Path, "open", to_full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_outputs(tmp_path / "run", TABLES, {}, RECORD)
    assert listing(tmp_path) == []


def test_an_earlier_run_comes_back_if_the_rename_fails(tmp_path, monkeypatch):
    target = tmp_path / "run"
    write_outputs(target, TABLES, {}, RECORD)
    real = Path.rename

    def fail(self: Path, other: Path) -> Path:
        if self.name == "new":
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return real(self, other)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OutputError, match="cannot be replaced"):
        write_outputs(target, TABLES, {}, {**RECORD, "seed": 2})
    assert json.loads((target / "run.json").read_text())["seed"] == 1
    assert listing(tmp_path) == ["run"]


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(path: Path, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(write, "_write_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_outputs(tmp_path / "a" / "run", TABLES, {}, RECORD)
    assert listing(tmp_path) == []


@pytest.mark.parametrize("name", ["", "../escape", "a/b", ".hidden", "a\\b"])
def test_names_are_plain_file_names(tmp_path, name):
    with pytest.raises(ValueError, match="plain file name"):
        write_outputs(tmp_path / "run", {name: TABLES["ADSL"]}, {}, RECORD)


def test_the_record_cannot_bring_its_own_list_of_files(tmp_path):
    with pytest.raises(ValueError, match="files"):
        write_outputs(tmp_path / "run", {}, {}, {"files": []})
