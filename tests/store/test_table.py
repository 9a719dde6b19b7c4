"""Patients to Parquet and back: every digit."""

from __future__ import annotations

import io

import duckdb
import numpy as np
import polars as pl
import pytest
from made_up import made_up_patients

from her2.store import decode_patients, encode_patients

NONE = np.empty(0, dtype=np.int64)


@pytest.mark.parametrize("n", [0, 1, 500])
def test_every_digit_comes_back(n):
    arms = [made_up_patients(100, n, seed) for seed in (1, 2)]
    flags, age = np.arange(n) % 3 == 0, np.linspace(30.0, 80.0, n)
    others = np.array([3, 7])
    content = encode_patients(arms, others, np.array([3, 5]), {"er_positive": flags, "age": age})
    back = decode_patients(content, 2, characteristics=("er_positive", "age"))
    assert [a.digest() for a in back.arms] == [a.digest() for a in arms]
    assert back.others.tolist() == [3, 7] and back.others_status.tolist() == [3, 5]
    assert np.array_equal(back.characteristics["er_positive"], flags)
    assert np.array_equal(back.characteristics["age"], age)
    for one, other in zip(back.arms, arms, strict=True):
        assert np.array_equal(one.line_regimens, other.line_regimens)
        assert np.array_equal(one.sums, other.sums, equal_nan=True)


def test_a_chunk_that_nobody_entered():
    nobody = made_up_patients(0, 0)
    back = decode_patients(encode_patients([nobody, nobody], np.arange(4), np.full(4, 3), {}), 2)
    assert back.arms[0].patient.size == 0 and back.others.tolist() == [0, 1, 2, 3]


def test_outcomes_can_be_read_alone():
    arm = made_up_patients(0, 50)
    back = decode_patients(encode_patients([arm], NONE, NONE, {}), 1, outcomes_only=True)
    assert np.array_equal(back.arms[0].outcomes, arm.outcomes, equal_nan=True)
    assert back.arms[0].sums.shape == (0, 50)


def test_other_programs_read_the_files(tmp_path):
    """DuckDB sees one row per patient and arm, lists as lists, and no arm for who did not enter."""
    arms = [made_up_patients(0, 40, seed) for seed in (1, 2)]
    path = tmp_path / "chunk.parquet"
    path.write_bytes(encode_patients(arms, np.array([40]), np.array([3]), {}))
    rows = duckdb.sql(
        f"select arm, count(*), sum(len(sums)) from '{path}' group by arm order by arm"
    ).fetchall()
    scans = [int(sum(np.nonzero(~np.isnan(c))[0].max(initial=-1) + 1 for c in a.sums.T)) for a in arms]
    assert rows == [(0, 40, scans[0]), (1, 40, scans[1]), (None, 1, None)]
    table = pl.read_parquet(io.BytesIO(path.read_bytes()))
    assert table.height == 81 and table["line_days"].dtype == pl.List(pl.Float64)
