"""Results on the disk: ledger lines, tables of patients, ranges of ids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from her2.engine.layout import MAX_LINES, MAX_VISITS, N_OUTCOMES, Outcome, Status
from her2.engine.run import Followed
from her2.errors import StoreError
from her2.store import ChunkStore, decode_patients, encode_patients
from her2.store.chunks import cut_ranges
from her2.store.ledger import Ledger, format_line, parse_line

RECORD = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda k: k != "check"),
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=12)
    | st.floats(allow_nan=False, allow_infinity=False),
    min_size=1,
    max_size=5,
)


@given(RECORD)
def test_property_a_line_of_the_ledger_is_read_back(record):
    line = format_line(record)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert parse_line(line[:-1]) == record


@given(RECORD, st.integers(0, 10_000), st.integers(0, 7))
def test_property_a_line_with_one_bit_changed_is_not_believed(record, at, bit):
    line = bytearray(format_line(record)[:-1])
    line[at % len(line)] ^= 1 << bit
    assert parse_line(bytes(line)) is None


@given(st.lists(RECORD, max_size=6), st.integers(0, 400))
def test_property_a_ledger_cut_off_keeps_every_whole_line(tmp_path, records, cut):
    path = tmp_path / "ledger.jsonl"
    content = b"".join(format_line(r) for r in records)
    kept = content[: min(cut, len(content))]
    path.write_bytes(kept)
    reading = Ledger(path).read()
    assert reading.records == tuple(records[: kept.count(b"\n")])
    assert reading.torn == (not kept.endswith(b"\n") and bool(kept))
    assert not reading.damaged


def followed(seed: int, first: int, n: int) -> Followed:
    rng = np.random.default_rng([seed, first])
    outcomes = rng.normal(size=(N_OUTCOMES, n))
    outcomes[rng.random((N_OUTCOMES, n)) < 0.2] = np.inf
    outcomes[Outcome.STATUS] = Status.DEAD
    outcomes[Outcome.LINES] = rng.integers(0, MAX_LINES, n)
    sums = rng.lognormal(size=(MAX_VISITS, n))
    sums[np.arange(MAX_VISITS)[:, None] >= rng.integers(0, MAX_VISITS + 1, n)[None, :]] = np.nan
    starts, regimens = rng.normal(size=(MAX_LINES, n)), rng.integers(-1, 20, (MAX_LINES, n))
    never = np.arange(MAX_LINES)[:, None] >= rng.integers(0, MAX_LINES + 1, n)[None, :]
    starts[never], regimens[never] = np.nan, -1
    return Followed(np.arange(first, first + n, dtype=np.int64), outcomes, sums, starts, regimens)


@given(st.integers(0, 2**31), st.integers(0, 40), st.integers(1, 3), st.integers(0, 10**9))
def test_property_a_table_of_patients_keeps_every_bit(seed, n, n_arms, first):
    arms = [followed(seed + k, first, n) for k in range(n_arms)]
    flag = np.random.default_rng(seed).random(n) < 0.5
    content = encode_patients(
        arms, np.array([], dtype=np.int64), np.array([], dtype=np.int64), {"er_positive": flag}
    )
    back = decode_patients(content, n_arms, characteristics=("er_positive",))
    assert [a.digest() for a in back.arms] == [a.digest() for a in arms]
    assert np.array_equal(back.characteristics["er_positive"], flag)


@given(st.binary(max_size=300))
def test_property_bytes_that_are_no_table_are_refused(content):
    with pytest.raises(StoreError):
        decode_patients(content, 2)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_property_a_chunk_with_one_bit_changed_is_never_read(tmp_path_factory, at, bit):
    folder = tmp_path_factory.mktemp("store") / "patients"
    content = encode_patients(
        [followed(1, 0, 5)], np.array([], dtype=np.int64), np.array([], dtype=np.int64), {}
    )
    with ChunkStore.create(folder, {"trial": "x"}) as store:
        record = store.add("model", 0, 5, 5, content)
        assert store.read(record) == content
        changed = bytearray(content)
        changed[at % len(content)] ^= 1 << bit
        (folder / record.file).write_bytes(bytes(changed))
        with pytest.raises(StoreError, match="digest differs"):
            store.read(record)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 15)), max_size=6),
    st.integers(0, 30),
    st.integers(1, 70),
)
def test_property_chunks_and_gaps_cover_every_id_once(tmp_path_factory, drawn, first, length):
    folder = tmp_path_factory.mktemp("store") / "patients"
    taken: set[int] = set()
    with ChunkStore.create(folder, {"trial": "x"}) as store:
        for start, n in drawn:
            if not taken & set(range(start, start + n)):
                store.add("model", start, n, n, b"x")
                taken |= set(range(start, start + n))
        gaps = store.gaps("model", first, first + length)
    inside = [k for a, b in gaps for k in range(a, b)]
    assert sorted(inside) == sorted(set(range(first, first + length)) - taken)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 200)), max_size=5), st.integers(1, 90))
def test_property_ranges_cut_into_pieces_keep_every_id(ranges, size):
    spans = [(a, a + n) for a, n in ranges]
    pieces = list(cut_ranges(spans, size))
    assert [k for a, n in pieces for k in range(a, a + n)] == [k for a, b in spans for k in range(a, b)]
    assert all(1 <= n <= size for _, n in pieces)


@given(st.sampled_from(["file", "first", "count", "entered", "stage", "bytes", "blake2b"]), st.data())
def test_property_a_record_that_no_program_writes_is_never_followed(tmp_path_factory, name, data):
    folder = tmp_path_factory.mktemp("store") / "patients"
    with ChunkStore.create(folder, {"trial": "x"}) as store:
        made = store.add("model", 0, 5, 5, b"x")
        value = data.draw(st.sampled_from([None, -1, 2.5, "../../x", "/x", [], {}, True, "", 10**30]))
        assume(value != made.__dict__[name])
        ledger = Ledger(folder / "ledger.jsonl")
        header, entry = ledger.read().records
        ledger.rewrite((header, {**entry, name: value}))
    if name in ("bytes", "blake2b") and type(value) is type(made.__dict__[name]):
        # it can be, but the file differs from it
        with pytest.raises(StoreError):
            store.read(ChunkStore.open(folder).records()[0])
        return
    with pytest.raises(StoreError, match="no chunk that this program writes"):
        ChunkStore.open(folder)
