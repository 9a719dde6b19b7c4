"""Text cells of a CSV file that a spreadsheet would run as a formula, made harmless.

A spreadsheet takes a cell that starts with `=`, `+`, `-` or `@` for a formula, whoever wrote it: the title of a trial
or the name of an agent may come from a file of somebody else. Such a cell gets an apostrophe in front, which
spreadsheets take for "this is text" (OWASP, CSV injection); a carriage return, which would begin a new row, becomes a
space. Signed numbers, `= 0.46` and a dash alone stay as they are. The Parquet and JSON files beside the CSV hold every
text unchanged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

FORMULA = r"(?s)^\s*[=+\-@＝＋－＠].*[\p{L}(|!]"
"""A text that a spreadsheet may run: a sign that begins a formula, then a letter, a call or a command somewhere."""
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠].*(?:[^\W\d_]|[(|!])", re.DOTALL)


def safe_text(text: str) -> str:
    """The text, with an apostrophe in front where a spreadsheet would run it."""
    text = text.replace("\r", " ")
    return f"'{text}" if _FORMULA.match(text) else text


def safe_table(table: pl.DataFrame) -> pl.DataFrame:
    """A table whose text columns are `safe_text`."""
    import polars as pl

    column = pl.col(pl.String).str.replace_all("\r", " ", literal=True)
    return table.with_columns(
        pl.when(column.str.contains(FORMULA)).then(pl.lit("'") + column).otherwise(column).name.keep()
    )
