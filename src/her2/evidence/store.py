"""The record in an embedded DuckDB: read-only, one SELECT at a time, no files, limits on rows and time."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from her2.errors import Her2Error, nearest
from her2.evidence.record import Record
from her2.evidence.tables import COLUMNS, build_tables

MAX_ROWS = 10_000
MAX_SECONDS = 20.0


class QueryError(Her2Error):
    """An SQL query that cannot be answered; the text says what is accepted."""


@dataclass(frozen=True)
class Answer:
    """Rows of a query, and whether the limit cut them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    is_cut: bool = False

    def as_dicts(self) -> list[dict[str, Any]]:
        """Rows by column name; figures that are not finite become nothing."""
        return [dict(zip(self.columns, (_plain(v) for v in row))) for row in self.rows]


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return str(value)


class Store:
    """The tables of a record, open for questions and closed for changes."""

    def __init__(self, record: Record) -> None:
        import duckdb

        self._connection: Any = duckdb.connect(":memory:")
        self._fill(build_tables(record))
        for setting in (
            "SET enable_external_access = false",
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            "SET memory_limit = '1GB'",
            "SET threads = 2",
            "SET lock_configuration = true",
        ):
            self._connection.execute(setting)

    def _fill(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        for table, rows in tables.items():
            columns = COLUMNS[table]
            named = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            self._connection.execute(f"CREATE TABLE {table} ({named})")
            if rows:
                ordered = [{name: row.get(name) for name in columns} for row in rows]
                self._connection.execute(
                    f"INSERT INTO {table} SELECT unnest(from_json(?::JSON, ?), max_depth := 2)",
                    [json.dumps(ordered, allow_nan=False), json.dumps([columns])],
                )

    def select(self, sql: str, *, limit: int = MAX_ROWS, seconds: float = MAX_SECONDS) -> Answer:
        """Answer to one SELECT (or WITH ... SELECT).

        Parameters
        ----------
        sql
            One statement over the tables of `her2.evidence.tables.COLUMNS`.
        limit
            Most rows that come back; `Answer.is_cut` says whether there were more.
        seconds
            The query is stopped after this time.

        Raises
        ------
        QueryError
            If it is not a single SELECT, cannot be understood, or takes too long.
        """
        import duckdb

        if limit < 1:
            raise QueryError(f"limit: expected at least 1 row, got {limit}")
        try:
            statements = self._connection.extract_statements(sql)
        except (duckdb.Error, ValueError, TypeError) as error:  # a NUL in the text; half of a surrogate pair
            raise QueryError(_explain(error)) from error
        if len(statements) != 1:
            raise QueryError(f"sql: expected one SELECT statement, got {len(statements)}")
        kind = statements[0].type
        if kind != duckdb.StatementType.SELECT:
            raise QueryError(
                f"sql: the record is read-only; expected a SELECT or WITH statement, got {kind.name}"
            )
        stop = threading.Timer(seconds, self._connection.interrupt)
        stop.daemon = True
        stop.start()
        try:
            cursor = self._connection.execute(statements[0])
            columns = tuple(str(d[0]) for d in cursor.description)
            rows = cursor.fetchmany(limit + 1)
        except duckdb.InterruptException as error:
            raise QueryError(f"sql: stopped after {seconds:g} s; ask for less, or add a WHERE") from error
        except (duckdb.Error, ValueError, OverflowError) as error:
            raise QueryError(_explain(error)) from error
        finally:
            stop.cancel()
        return Answer(columns, tuple(tuple(r) for r in rows[:limit]), len(rows) > limit)


def _explain(error: Exception) -> str:
    """DuckDB's message on one line, with the tables where one is missing."""
    text = " ".join(str(error).split("LINE 1:")[0].split())
    if "Table with name" in text:
        name = text.split("Table with name", 1)[1].split()[0]
        return f"sql: no table '{name}'{nearest(name, COLUMNS)} (tables: {', '.join(COLUMNS)})"
    return f"sql: {text[:400]}"


@lru_cache(maxsize=1)
def open_store(record: Record) -> Store:
    """The store of a record; opened once for the record in memory."""
    return Store(record)
