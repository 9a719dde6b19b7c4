"""SQL answers questions, changes nothing, reads no files, and stops in time."""

from __future__ import annotations

import csv
import io
import json

import pytest

from her2.evidence.store import QueryError, Store
from her2.evidence.tables import COLUMNS, build_tables


@pytest.fixture(scope="module")
def store(record):
    return Store(record)


def test_tables_hold_what_the_record_holds(store, record):
    tables = build_tables(record)
    for name, columns in COLUMNS.items():
        answer = store.select(f"SELECT * FROM {name}", limit=1_000_000)
        assert answer.columns == tuple(columns)
        assert len(answer.rows) == len(tables[name])
        assert [dict(zip(answer.columns, row)) for row in answer.rows] == [
            {c: row.get(c) for c in columns} for row in tables[name]
        ]


def test_printed_and_canonical_figures_stand_side_by_side(store):
    row = store.select(
        "SELECT value, printed_unit, canonical_value, canonical_unit FROM endpoints "
        "WHERE trial = 'egf104900' AND endpoint = 'pfs' AND statistic = 'median' AND printed_unit = 'weeks' LIMIT 1"
    ).rows[0]
    assert row[0] * 7 / 30.4375 == pytest.approx(row[2], rel=0.004)
    assert row[1::2] == ("weeks", "month")


def test_cells_switches_edges_and_experiments_can_be_asked(store, record):
    rows = store.select(
        "SELECT cell, value FROM cell_values WHERE attribute = 'her2' AND cell IN ('bt474', 'mcf7') ORDER BY cell"
    ).rows
    assert [r[0] for r in rows] == ["bt474", "mcf7"]
    assert rows[0][1] > rows[1][1]
    weights = "SELECT count(*) FROM network_edges JOIN parameters ON parameters.id = weight"
    edges = store.select("SELECT count(*) FROM network_edges").rows
    assert store.select(weights).rows == edges != [(0,)]
    assert store.select("SELECT changes FROM switches WHERE id = 'pten-loss'").rows == ((["pten = 0"],),)
    assert store.select("SELECT half_nmol_l FROM actions WHERE id = 'lapatinib.kinase.her2'").rows == (
        (9.0,),
    )
    joined = "SELECT count(*) FROM experiments JOIN claims ON claims.id = experiments.claim WHERE executable"
    assert store.select(joined).rows == ((len(record.experiments),),)
    base = store.select(
        "SELECT conditions FROM experiments WHERE claim = 'pten_loss_activates_pathway'"
    ).rows[0][0]
    assert json.loads(base)["lost"] == {"set": {"pten": 0.0}}


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE agents",
        "DELETE FROM claims",
        "UPDATE claims SET id = 'x'",
        "INSERT INTO claims (id) VALUES ('x')",
        "CREATE TABLE mine AS SELECT 1",
        "WITH x AS (SELECT 1 AS a) INSERT INTO claims (id) SELECT a FROM x",
        "ATTACH 'x.db'",
        "COPY agents TO 'x.csv'",
        "SET threads = 4",
        "RESET memory_limit",
        "INSTALL httpfs",
        "PRAGMA database_list",
        "EXPORT DATABASE 'x'",
        "CALL duckdb_settings()",
        "SELECT 1; SELECT 2",
        "",
        ";",
        "selec 1",
        "SELECT nothing FROM agents",
        "SELECT * FROM trails",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT 1/",
        "BEGIN TRANSACTION",
        "\x00",
    ],
)
def test_anything_but_one_select_is_refused_in_one_line(store, sql):
    with pytest.raises(QueryError) as caught:
        store.select(sql)
    assert str(caught.value).startswith("sql: ")
    assert "\n" not in str(caught.value)


def test_a_missing_table_names_the_nearest(store):
    with pytest.raises(QueryError, match="nearest: 'trials'"):
        store.select("SELECT * FROM trails")


def test_a_long_query_is_stopped(store):
    with pytest.raises(QueryError, match="stopped after"):
        store.select(
            "SELECT count(*) FROM range(10000000000) a, range(1000) b WHERE a.range % 7 = b.range",
            seconds=0.3,
        )
    assert store.select("SELECT 1").rows == ((1,),)


def test_the_limit_says_when_it_cuts(store):
    assert store.select("SELECT * FROM endpoints", limit=5).is_cut
    assert not store.select("SELECT * FROM endpoints LIMIT 5", limit=5).is_cut
    with pytest.raises(QueryError, match="at least 1"):
        store.select("SELECT 1", limit=0)


def test_figures_that_are_not_finite_become_nothing(store):
    assert store.select("SELECT 'nan'::DOUBLE AS a, 'inf'::DOUBLE AS b").as_dicts() == [
        {"a": None, "b": None}
    ]


def test_the_command_line_prints_table_json_and_csv(her2):
    sql = "SELECT id, aliases FROM agents WHERE id = 'tucatinib'"
    assert "tucatinib" in her2("evidence", "sql", sql).out
    rows = json.loads(her2("evidence", "sql", sql, "--json").out)
    assert rows[0]["id"] == "tucatinib"
    parsed = list(csv.DictReader(io.StringIO(her2("evidence", "sql", sql, "--csv").out)))
    assert parsed[0]["aliases"].split(";") == rows[0]["aliases"]
    assert "canonical_value" in her2("evidence", "sql", "endpoints").out


def test_the_command_line_refuses_with_code_2(her2):
    assert her2("evidence", "sql", "DROP TABLE agents").code == 2
    assert her2("evidence", "sql", "SELECT 1", "--json", "--csv").code == 2
    assert her2("evidence", "sql").code == 2


def test_a_cut_answer_says_so(her2):
    assert "only the first 2 rows" in her2("evidence", "sql", "SELECT id FROM claims", "--limit", "2").err
