"""The store: what the ledger names is there and whole; the rest is named, refused, or made again."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from made_up import WHAT, made_up_patients

from her2.errors import OutputError, StoreError
from her2.store import ChunkStore, encode_patients
from her2.store.files import PART


def content(first: int, n: int) -> bytes:
    followed = made_up_patients(first, n)
    return encode_patients([followed], followed.patient[:0], followed.patient[:0], {})


@pytest.fixture
def folder(tmp_path) -> Path:
    """A store of three chunks of four patients."""
    with ChunkStore.create(tmp_path / "run" / "patients", WHAT) as store:
        for first in (0, 4, 8):
            store.add("model", first, 4, 4, content(first, 4))
    return tmp_path / "run" / "patients"


def test_chunks_are_read_back_in_order(folder):
    with ChunkStore.open(folder) as store:
        assert store.what == WHAT
        assert [r.first for r in store.in_order("model")] == [0, 4, 8]
        assert store.read(store.records()[1]) == content(4, 4)


def test_gaps(folder):
    with ChunkStore.resume(folder, WHAT) as store:
        store.add("model", 20, 5, 5, content(20, 5))
        assert store.gaps("model", 0, 30) == [(12, 20), (25, 30)]
        assert store.gaps("model", 0, 12) == [] == store.gaps("model", 2, 9)
        assert store.gaps("model", 0, 22) == [(12, 20)]
        assert store.gaps("null", 0, 3) == [(0, 3)]
        assert [r.first for r in store.in_order("model")] == [0, 4, 8]


def damage_file(folder: Path) -> str:
    path = folder / "model" / "000000000004-000000000007.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    return "its digest differs"


def cut_file(folder: Path) -> str:
    path = folder / "model" / "000000000004-000000000007.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    return "bytes instead of"


def lose_file(folder: Path) -> str:
    (folder / "model" / "000000000004-000000000007.parquet").unlink()
    return "missing"


@pytest.mark.parametrize("harm", [damage_file, cut_file, lose_file])
def test_a_harmed_chunk_is_refused_and_made_again_on_resume(folder, harm):
    why = harm(folder)
    store = ChunkStore.open(folder)
    first, second, last = store.records()
    assert store.read(first) and store.read(last)
    with pytest.raises(StoreError, match=r"000000000004.*--resume") as caught:
        store.read(second)
    assert why in str(caught.value)
    with ChunkStore.resume(folder, WHAT) as store:
        assert [d.where for d in store.damage] == ["model/000000000004-000000000007.parquet"]
        assert store.gaps("model", 0, 12) == [(4, 8)]
        store.add("model", 4, 4, 4, content(4, 4))
    with ChunkStore.resume(folder, WHAT) as store:
        assert not store.damage and not store.gaps("model", 0, 12)


@pytest.mark.parametrize("line", [1, 2, 3, 4])
def test_a_damaged_line_costs_its_chunk_only(folder, line):
    path = folder / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b'"kind"', b'"kinD"')
    path.write_bytes(b"".join(lines))
    with pytest.raises(StoreError, match=f"line {line}: damaged.*--resume"):
        ChunkStore.open(folder)
    with ChunkStore.resume(folder, WHAT) as store:
        assert [d.where for d in store.damage] == [f"ledger.jsonl, line {line}"]
        # the first line is the header, which the command itself knows
        assert len(store.records()) == (3 if line == 1 else 2)
    ChunkStore.open(folder)


def test_a_ledger_without_an_intact_line_is_not_guessed_at(folder):
    (folder / "ledger.jsonl").write_bytes(b"x\n")
    with pytest.raises(StoreError, match="cannot be trusted"):
        ChunkStore.resume(folder, WHAT)
    (folder / "ledger.jsonl").unlink()
    with pytest.raises(StoreError, match="cannot be trusted"):
        ChunkStore.resume(folder, WHAT)
    with pytest.raises(OutputError, match="holds the patients of a run already"):
        ChunkStore.create(folder, WHAT)


def test_another_run_is_not_mixed_in(folder):
    with pytest.raises(StoreError, match="seed was 1, now 2"):
        ChunkStore.resume(folder, WHAT | {"seed": 2})
    path = folder / "ledger.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    with pytest.raises(StoreError, match="another run"):
        ChunkStore.resume(folder, WHAT | {"seed": 2})


def test_a_store_is_not_replaced(folder):
    with pytest.raises(OutputError, match=r"holds the patients of a run already.*--resume"):
        ChunkStore.create(folder, WHAT)


def test_what_a_killed_run_left_is_swept_and_what_is_not_ours_stays(folder):
    model = folder / "model"
    orphan, half = (
        model / "000000000012-000000000015.parquet",
        model / f"000000000016-000000000019.parquet{PART}",
    )
    mine = model / "notes.txt"
    for path in (orphan, half, mine):
        path.write_bytes(b"x")
    (folder / f"ledger.jsonl{PART}").write_bytes(b"x")
    with (folder / "ledger.jsonl").open("ab") as stream:
        stream.write(b'{"kind":"chunk","fir')
    with ChunkStore.resume(folder, WHAT) as store:
        assert len(store.records()) == 3 and not store.damage
        store.add("model", 12, 4, 4, content(12, 4))
    assert not half.exists() and not (folder / f"ledger.jsonl{PART}").exists()
    assert mine.exists() and orphan.read_bytes() == content(12, 4)
    assert len(list(ChunkStore.open(folder).in_order("model"))) == 4


def test_two_processes_do_not_write_at_the_same_time(folder):
    pytest.importorskip("fcntl")
    with (
        ChunkStore.resume(folder, WHAT),
        pytest.raises(OutputError, match="another process is writing there"),
    ):
        ChunkStore.resume(folder, WHAT)
    ChunkStore.resume(folder, WHAT).close()


@pytest.mark.parametrize(
    ("number", "text"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "no permission"), (errno.EACCES, "no permission"),
     (errno.EFBIG, "ulimit"), (errno.EIO, "cannot be written")],
)  # fmt: skip
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_failing_disk_is_told_of_and_costs_nothing(folder, monkeypatch, call, number, text):
    def failing(*_, **__):
        raise OSError(number, os.strerror(number))

    with ChunkStore.resume(folder, WHAT) as store:
        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            with pytest.raises(OutputError, match=rf"{text}.*3 chunks of patients are kept.*--resume"):
                store.add("model", 12, 4, 4, content(12, 4))
        store.add("model", 12, 4, 4, content(12, 4))
    with ChunkStore.resume(folder, WHAT) as store:
        assert not store.damage and not store.gaps("model", 0, 16)
    assert not list(folder.rglob(f"*{PART}"))


def test_a_folder_that_is_no_store(tmp_path):
    with pytest.raises(StoreError, match=r"no ledger\.jsonl"):
        ChunkStore.open(tmp_path)


def test_the_format_is_checked(folder):
    path = folder / "ledger.jsonl"
    from her2.store.ledger import format_line, parse_line

    first, *rest = path.read_bytes().splitlines(keepends=True)
    header = parse_line(first.strip())
    assert header is not None and json.loads(first)["format"] == 1
    path.write_bytes(format_line(header | {"format": 99}) + b"".join(rest))
    with pytest.raises(StoreError, match="format 99 of the store, expected 1"):
        ChunkStore.resume(folder, WHAT)
