"""Files that are there whole or not at all: the order of the calls, the bytes on the disk, and what users are told."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from her2.store import files
from her2.store.chunks import FORMAT, LEDGER, LOCK, ChunkRecord, ChunkStore, Damage, cut_ranges, holds_store
from her2.store.files import PART, digest_of, explain_failure, sync_folder, write_all, write_whole
from her2.store.ledger import Ledger, Reading, format_line, parse_line
from her2.store.table import COMPRESSION_LEVEL

TOLD = ("run", "12 chunks are kept")


def watch(monkeypatch, *names):
    """The calls of the system in order, each still made."""
    calls = []
    for name in names:
        real = getattr(os, name)

        def call(*args, _name=name, _real=real, **more):
            calls.append(_name)
            return _real(*args, **more)

        monkeypatch.setattr(files.os, name, call)
    return calls


def test_names_and_numbers_that_other_programs_and_stored_runs_rely_on():
    assert (PART, LEDGER, LOCK, FORMAT, COMPRESSION_LEVEL) == (".part", "ledger.jsonl", "lock", 1, 3)
    # of the digest's definition: BLAKE2b of nothing and of abc, 256 bit, as `b2sum -l 256` prints them
    assert digest_of(b"") == "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
    assert digest_of(b"abc") == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"


def test_a_line_of_the_ledger_is_compact_json_with_a_checksum_of_128_bits():
    line = format_line({"a": 1, "b": "ö"})
    assert line.startswith(b'{"a":1,"b":"\\u00f6","check":"')
    assert line.endswith(b'"}\n')
    assert len(line) == len(b'{"a":1,"b":"\\u00f6"') + len(b',"check":""}\n') + 32
    assert parse_line(line[:-1]) == {"a": 1, "b": "ö"}
    with pytest.raises(ValueError):
        format_line({"a": float("nan")})


def test_a_line_that_is_no_mapping_is_damaged_even_with_the_right_checksum():
    import hashlib

    for text in (b"[1]", b"1}"):
        check = hashlib.blake2b(text[:-1] + b"}", digest_size=16).hexdigest().encode()
        line = text[:-1] + b',"check":"' + check + b'"}'
        try:
            assert parse_line(line) is None
        except ValueError:
            # not even JSON
            assert text == b"[1]" or text == b"1}"


def test_a_file_is_synced_before_it_takes_its_name_and_the_folder_after(tmp_path, monkeypatch):
    calls = watch(monkeypatch, "open", "write", "fsync", "close", "replace")
    write_whole(tmp_path / "x", b"abc")
    assert calls == ["open", "write", "fsync", "close", "replace", "open", "fsync", "close"]
    assert (tmp_path / "x").read_bytes() == b"abc"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_record_of_the_ledger_is_synced_before_it_counts(tmp_path, monkeypatch):
    calls = watch(monkeypatch, "open", "write", "fsync", "ftruncate", "close")
    Ledger(tmp_path / "ledger").append({"a": 1})
    assert calls == ["open", "write", "fsync", "close"]


def test_a_record_that_could_not_be_synced_is_taken_back(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path / "ledger")
    ledger.append({"a": 1})
    before = ledger.path.read_bytes()

    def fails(_handle):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(files.os, "fsync", fails)
    with pytest.raises(OSError, match="input/output"):
        ledger.append({"a": 2})
    assert ledger.path.read_bytes() == before


def test_files_can_be_read_by_others_and_written_by_their_owner(tmp_path):
    mask = os.umask(0)
    try:
        write_whole(tmp_path / "whole", b"x")
        Ledger(tmp_path / "ledger").append({"a": 1})
        store = ChunkStore.create(tmp_path / "store", {"seed": 1})
    finally:
        os.umask(mask)
    for path in (tmp_path / "whole", tmp_path / "ledger", tmp_path / "store" / LOCK):
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    store.close()


def test_an_older_half_written_file_is_overwritten_from_its_start(tmp_path):
    (tmp_path / f"x{PART}").write_bytes(b"much longer than what comes now")
    write_whole(tmp_path / "x", b"short")
    assert (tmp_path / "x").read_bytes() == b"short"


def test_what_fails_leaves_the_old_file_and_no_half_one(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"old")

    def fails(_from, _to):
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(files.os, "replace", fails)
    with pytest.raises(OSError, match="no"):
        write_whole(tmp_path / "x", b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"x": b"old"}


def test_every_byte_is_written_where_the_system_takes_few_at_a_time(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(files.os, "write", lambda handle, view: real(handle, view[:3]))
    handle = os.open(tmp_path / "x", os.O_WRONLY | os.O_CREAT)
    write_all(handle, bytes(range(100)))
    os.close(handle)
    assert (tmp_path / "x").read_bytes() == bytes(range(100))


def test_a_folder_that_cannot_be_synced_is_no_error_and_stays_closed(tmp_path, monkeypatch):
    sync_folder(tmp_path / "none")

    def fails(_handle):
        raise OSError(errno.EINVAL, "not a file")

    monkeypatch.setattr(files.os, "fsync", fails)
    calls = watch(monkeypatch, "open", "close")
    sync_folder(tmp_path)
    assert calls == ["open", "close"]


@pytest.mark.parametrize(
    ("number", "says", "again"),
    [
        (errno.ENOSPC, "run: the disk is full (reason). Free some space. ", True),
        (errno.EDQUOT, "run: the disk is full (reason). Free some space. ", True),
        (
            errno.EFBIG,
            "run: a file grew over the limit of the system (reason; see `ulimit -f`). Raise it. ",
            True,
        ),
        (
            errno.EACCES,
            "run: no permission to write (reason). Make the folder writable, or give another one. ",
            True,
        ),
        (
            errno.EPERM,
            "run: no permission to write (reason). Make the folder writable, or give another one. ",
            True,
        ),
        (
            errno.EROFS,
            "run: no permission to write (reason). Make the folder writable, or give another one. ",
            True,
        ),
        (
            errno.ENOTDIR,
            "run: a part of the path is a file, not a folder (reason); give another folder",
            False,
        ),
        (
            errno.EEXIST,
            "run: a part of the path is a file, not a folder (reason); give another folder",
            False,
        ),
        (errno.EIO, "run: cannot be written or read (reason). ", True),
        (errno.ENOENT, "run: cannot be written or read (reason). ", True),
    ],
)
def test_users_are_told_why_what_is_kept_and_the_way_out(number, says, again):
    told = explain_failure(OSError(number, "reason"), *TOLD)
    assert told == says + ("12 chunks are kept; run the same command again with --resume" if again else "")


def test_an_error_without_a_reason_is_told_by_its_text():
    assert explain_failure(OSError("odd"), *TOLD).startswith("run: cannot be written or read (odd). ")


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "0 chunks of patients are kept"),
        (1, "1 chunk of patients is kept"),
        (2, "2 chunks of patients are kept"),
    ],
)
def test_the_number_of_chunks_that_are_kept_is_told(tmp_path, monkeypatch, n, words):
    from her2.errors import OutputError

    store = ChunkStore.create(tmp_path / "s", {"seed": 1}, "shown")
    for k in range(n):
        store.add("model", 10 * k, 10, 5, b"content")

    def fails(_handle, _view):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "write", fails)
    with pytest.raises(OutputError, match=f"shown: the disk is full .*{words}; run the same"):
        store.add("model", 100, 10, 5, b"content")
    assert len(store.records()) == n
    store.close()


def test_chunks_are_named_by_stage_and_ids_and_found_in_their_order(tmp_path):
    store = ChunkStore.create(tmp_path / "s", {"seed": 1})
    later = store.add("model", 10, 5, 2, b"later")
    first = store.add("model", 0, 10, 4, b"first")
    null = store.add("null", 0, 10, 4, b"null")
    assert (first.file, later.file) == (
        "model/000000000000-000000000009.parquet",
        "model/000000000010-000000000014.parquet",
    )
    assert (first.end, later.end) == (10, 15)
    assert (first.bytes, first.blake2b) == (5, digest_of(b"first"))
    assert store.records() == [first, later, null]
    assert store.records("model") == [first, later]
    assert list(store.in_order("model")) == [first, later]
    assert store.read(null) == b"null"
    store.close()


def test_gaps_are_what_no_chunk_covers(tmp_path):
    store = ChunkStore.create(tmp_path / "s", {"seed": 1})
    assert store.gaps("model", 0, 30) == [(0, 30)]
    store.add("model", 10, 5, 1, b"x")
    store.add("model", 20, 5, 1, b"x")
    assert store.gaps("model", 0, 30) == [(0, 10), (15, 20), (25, 30)]
    assert store.gaps("model", 10, 25) == [(15, 20)]
    assert store.gaps("model", 10, 15) == []
    assert store.gaps("model", 12, 18) == [(15, 18)]
    assert store.gaps("null", 3, 4) == [(3, 4)]
    # a long chunk that covers a later one leaves no gap behind it
    store.add("null", 0, 20, 1, b"x")
    store.add("null", 5, 5, 1, b"x")
    assert store.gaps("null", 0, 20) == []
    store.close()


def test_ranges_are_cut_into_parts_of_at_most_a_size():
    assert list(cut_ranges([(0, 5), (7, 9)], 2)) == [(0, 2), (2, 2), (4, 1), (7, 2)]
    assert list(cut_ranges([(3, 3)], 2)) == []


def test_a_folder_holds_a_store_if_there_is_a_ledger_or_a_chunk(tmp_path):
    assert not holds_store(tmp_path)
    (tmp_path / "model").mkdir()
    assert not holds_store(tmp_path)
    (tmp_path / "model" / "a.parquet").write_bytes(b"")
    assert holds_store(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / LEDGER).write_bytes(b"")
    assert holds_store(other)


def test_records_of_the_store_do_not_change():
    for record, field in (
        (ChunkRecord("model", 0, 1, 1, "f", 1, "d"), "first"),
        (Damage("a", "b"), "why"),
        (Reading(()), "torn"),
    ):
        with pytest.raises(AttributeError):
            setattr(record, field, 3)
    assert str(Damage("a", "b")) == "a: b"
    assert Reading(()) == Reading((), (), False)


def test_a_store_is_one_process_at_a_time_and_free_after_close(tmp_path):
    from her2.errors import OutputError

    with ChunkStore.create(tmp_path / "s", {"seed": 1}) as store:
        with pytest.raises(OutputError, match="another process"):
            ChunkStore.resume(tmp_path / "s", {"seed": 1})
        # reading needs no lock
        assert ChunkStore.open(tmp_path / "s").what == {"seed": 1}
    store.close()
    with ChunkStore.resume(tmp_path / "s", {"seed": 1}) as again:
        assert again.key == store.key
        assert len(again.key) == 32


def test_the_key_is_of_what_the_run_rests_on_whatever_its_order(tmp_path):
    keys = [
        ChunkStore(Path("x"), "x", what).key
        for what in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 3})
    ]
    assert keys[0] == keys[1] != keys[2]
