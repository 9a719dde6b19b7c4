"""An export is complete in every format, says the same in each, and is never half-written."""

from __future__ import annotations

import csv
import json
import re

import pytest

from her2.errors import Her2Error, OutputError
from her2.evidence import export as module
from her2.evidence.export import FORMATS, TABLES, bibtex, export_record
from her2.evidence.schema import Source
from her2.evidence.tables import COLUMNS, build_tables


@pytest.fixture(scope="module")
def folder(record, tmp_path_factory):
    target = tmp_path_factory.mktemp("export") / "out"
    export_record(record, target)
    return target


def test_every_table_is_there_in_every_format(folder):
    assert {p.name for p in folder.iterdir()} == {f"{t}.{f}" for t in TABLES for f in FORMATS} | {
        "sources.bib"
    }


@pytest.mark.parametrize("table", TABLES)
def test_formats_agree_with_the_record(folder, record, table):
    import polars as pl

    columns = COLUMNS[table]
    wanted = [{c: row.get(c) for c in columns} for row in build_tables(record)[table]]
    assert json.loads((folder / f"{table}.json").read_text(encoding="utf-8")) == wanted
    frame = pl.read_parquet(folder / f"{table}.parquet")
    assert frame.columns == list(columns)
    assert frame.to_dicts() == wanted
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == list(columns)
    assert len(rows) == len(wanted) + 1
    for row, entry in zip(rows[1:], wanted):
        for cell, (name, kind) in zip(row, columns.items()):
            value = entry[name]
            if kind == "DOUBLE" and value is not None:
                assert float(cell) == value
            elif kind == "VARCHAR":
                assert cell == (value or "")


def test_endpoints_have_the_columns_of_the_record(folder):
    with (folder / "endpoints.csv").open(encoding="utf-8") as stream:
        header = next(csv.reader(stream))
    wanted = {
        "id",
        "trial",
        "arm",
        "contrast_experimental",
        "contrast_control",
        "analysis",
        "endpoint",
        "statistic",
        "printed",
        "printed_unit",
        "value",
        "ci_low",
        "ci_high",
        "canonical_value",
        "canonical_unit",
        "population",
        "source",
        "line_start",
        "line_end",
        "place",
        "likely_correct_value",
        "likely_correct_reason",
        "role",
    }
    assert wanted <= set(header)


def test_bibtex_has_every_source_and_balanced_braces(folder, record):
    text = (folder / "sources.bib").read_text(encoding="utf-8")
    assert re.findall(r"^@\w+\{([^,]+),$", text, flags=re.M) == sorted(record.sources)
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")


def test_bibtex_escapes_and_marks_retractions():
    source = Source(id="x", title="50% of A & B_c {d}", kind="article", retracted=True, authors="Smith et al")
    text = bibtex([source])
    assert r"50\% of A \& B\_c \{d\}" in text
    assert "RETRACTED" in text
    assert "Smith and others" in text


def test_two_exports_are_the_same(record, folder, tmp_path):
    export_record(record, tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_an_earlier_export_is_replaced_whole(record, tmp_path):
    export_record(record, tmp_path / "out")
    export_record(record, tmp_path / "out", formats=("csv",))
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".csv", ".bib"}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_other_files_are_never_overwritten(record, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="holds other files"):
        export_record(record, tmp_path)
    with pytest.raises(OutputError, match="is not a folder"):
        export_record(record, tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_failure_half_way_leaves_nothing(record, tmp_path, monkeypatch):
    def fail(path, table, rows):
        raise OSError(28, "No space left on device")

    export_record(record, tmp_path / "out", formats=("csv",))
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    monkeypatch.setitem(module._WRITERS, "json", fail)
    for target in ("out", "new"):
        with pytest.raises(OutputError, match="No space left"):
            export_record(record, tmp_path / target)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


def test_an_impossible_place_is_an_error(record):
    with pytest.raises(OutputError, match="cannot be written"):
        export_record(record, module.Path("/proc/nothing/here"))


def test_an_unknown_format_is_an_error(record, tmp_path, her2):
    with pytest.raises(Her2Error, match="nearest: 'parquet'"):
        export_record(record, tmp_path / "x", formats=("parquett",))
    assert her2("evidence", "export", str(tmp_path / "x"), "--format", "xml").code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_exports(her2, tmp_path):
    result = her2("evidence", "export", str(tmp_path / "out"), "--format", "json")
    assert result.code == 0
    assert len(list((tmp_path / "out").iterdir())) == len(TABLES) + 1
