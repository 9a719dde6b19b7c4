"""The ledger: torn and damaged lines are seen for what they are."""

from __future__ import annotations

import errno
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2.store.ledger import Ledger, format_line, parse_line

RECORDS = [
    {"kind": "run", "name": "Cléopâtre"},
    {"kind": "chunk", "first": 0},
    {"kind": "chunk", "first": 64},
]


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for record in RECORDS:
        ledger.append(record)
    return ledger


def test_what_was_appended_is_read(ledger):
    reading = ledger.read()
    assert list(reading.records) == RECORDS and not reading.damaged and not reading.torn
    # each line is JSON that other programs read
    lines = [json.loads(line) for line in ledger.path.read_text().splitlines()]
    assert [{k: v for k, v in line.items() if k != "check"} for line in lines] == RECORDS


def test_an_absent_ledger_is_empty(tmp_path):
    assert Ledger(tmp_path / "none").read().records == ()


def test_a_line_cut_off_anywhere_is_torn_and_nothing_else_is_lost(ledger):
    whole = ledger.path.read_bytes()
    before = whole[:-1].rfind(b"\n") + 1
    for length in range(before + 1, len(whole)):
        ledger.path.write_bytes(whole[:length])
        reading = ledger.read()
        assert list(reading.records) == RECORDS[:2] and reading.torn and not reading.damaged


def test_every_flipped_bit_is_noticed(ledger):
    """No flip makes a record that was not written; at most the lines that it touches are lost."""
    whole = ledger.path.read_bytes()
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        ledger.path.write_bytes(bytes(content))
        reading = ledger.read()
        assert all(r in RECORDS for r in reading.records)
        assert len(reading.records) >= 1
        assert len(reading.records) < 3 and (reading.damaged or reading.torn)


@given(
    st.dictionaries(
        st.text(), st.one_of(st.integers(), st.text(), st.floats(allow_nan=False, allow_infinity=False))
    )
)
def test_any_record_comes_back(record):
    record.pop("check", None)
    assert parse_line(format_line(record)[:-1]) == record


@given(st.binary())
def test_no_line_of_anything_else_is_a_record(line):
    assert parse_line(line) is None


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_ledger_that_cannot_be_written_stays_as_it_was(ledger, monkeypatch, call):
    before = ledger.path.read_bytes()
    real = getattr(os, call)

    def full(handle, *data):
        if data:
            real(handle, bytes(data[0])[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError):
        ledger.append({"kind": "chunk", "first": 128})
    assert ledger.path.read_bytes() == before
