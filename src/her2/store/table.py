"""Patients as a Parquet table: one row per patient and arm, with every outcome, scan and line.

Columns: `arm` (position; null for a patient screened who did not enter), `patient` (id), the rows of
`engine.layout.Outcome` in lower case (days from entry; infinite for never), `sums` (list: sum of diameters at each
planned scan, mm, NaN where there was none), `line_days` and `line_regimens` (lists: day on which each line started,
and its regimen by number, -1 for supportive care), and the characteristics that were given. Numbers are 64-bit, as they
were simulated, so that the digest can be computed from the table.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from her2.engine.layout import MAX_LINES, MAX_VISITS, N_OUTCOMES, Outcome
from her2.engine.run import Followed
from her2.errors import StoreError

_OUTCOMES = tuple(o.name.lower() for o in Outcome)
_SMALL = ("status", "lines")
"""Outcomes that are small whole numbers."""
COMPRESSION_LEVEL = 3
_UNREADABLE: tuple[type[BaseException], ...] = (
    pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, TypeError, IndexError, OverflowError,
)  # fmt: skip
"""What reading a damaged file ends in; a panic is how the library tells of lengths that cannot be."""


@dataclass(frozen=True)
class Decoded:
    """A table of patients read back.

    Attributes
    ----------
    arms : those who entered, followed on every arm, as far as their columns were read (NaN otherwise)
    others, others_status : (not entered,) ids of those who did not enter, and why (`engine.layout.Status`)
    characteristics : by name, (entered,)
    """

    arms: tuple[Followed, ...]
    others: NDArray[np.int64]
    others_status: NDArray[np.int64]
    characteristics: dict[str, NDArray[Any]]


def encode_patients(
    arms: Sequence[Followed],
    others: NDArray[np.int64],
    others_status: NDArray[np.int64],
    characteristics: Mapping[str, NDArray[Any]],
) -> bytes:
    """The content of a Parquet file.

    Parameters
    ----------
    arms : the same patients followed on every arm
    others, others_status : (not entered,) ids and status of patients screened who did not enter
    characteristics : by column name, (patients,) of those who entered
    """
    parts = [_arm_table(k, followed, characteristics) for k, followed in enumerate(arms)]
    if others.size:
        parts.append(
            pl.DataFrame(
                {"arm": pl.Series([None] * others.size, dtype=pl.UInt8), "patient": others}
            ).with_columns(status=pl.Series(others_status.astype(np.int8)))
        )
    # rows of those who did not enter have no outcomes: null
    table = pl.concat(parts, how="diagonal")
    drawn = io.BytesIO()
    table.write_parquet(drawn, compression="zstd", compression_level=COMPRESSION_LEVEL, statistics=False)
    return drawn.getvalue()


def _arm_table(arm: int, followed: Followed, characteristics: Mapping[str, NDArray[Any]]) -> pl.DataFrame:
    n = followed.patient.size
    columns: dict[str, Any] = {
        "arm": pl.Series(np.full(n, arm, dtype=np.uint8)),
        "patient": followed.patient,
    }
    for row, name in enumerate(_OUTCOMES):
        values = followed.outcomes[row]
        columns[name] = values.astype(np.int8) if name in _SMALL else values
    scanned = _filled(~np.isnan(followed.sums))
    columns["sums"] = _lists(followed.sums, scanned, pl.Float64)
    lines = _filled(~np.isnan(followed.line_starts) | (followed.line_regimens >= 0))
    columns["line_days"] = _lists(followed.line_starts, lines, pl.Float64)
    columns["line_regimens"] = _lists(followed.line_regimens, lines, pl.Int16)
    return pl.DataFrame(columns | dict(characteristics))


def _filled(has: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Length of each column up to its last True, (patients,)."""
    position = np.arange(1, has.shape[0] + 1)[:, None]
    return np.asarray((has * position).max(axis=0, initial=0), dtype=np.int64)


def _lists(table: NDArray[Any], lengths: NDArray[np.int64], dtype: Any) -> pl.Series:
    """Columns of a table as lists, each up to its length."""
    if not table.shape[1]:
        return pl.Series([], dtype=pl.List(dtype))
    whole = pl.Series("x", np.ascontiguousarray(table.T)).arr.to_list().cast(pl.List(dtype))
    return pl.DataFrame({"x": whole, "n": lengths}).select(pl.col("x").list.head(pl.col("n"))).to_series()


def _unlist(lists: pl.Series, rows: int, fill: Any) -> NDArray[Any]:
    """Lists as a table with the patient axis last, filled up."""
    lengths = lists.list.len().to_numpy()
    out = np.full((lengths.size, rows), fill)
    values = lists.filter(lists.list.len() > 0).explode().to_numpy()
    out[np.arange(rows)[None, :] < lengths[:, None]] = values
    return np.ascontiguousarray(out.T)


def decode_patients(
    content: bytes, n_arms: int, *, outcomes_only: bool = False, characteristics: Sequence[str] = ()
) -> Decoded:
    """Read a table back.

    Parameters
    ----------
    content : of a file, as `encode_patients` made it
    n_arms : arms in it
    outcomes_only : leave out scans and lines
    characteristics : names of those wanted

    Raises
    ------
    her2.errors.StoreError
        If it is no Parquet file, or not one of patients: columns, their kinds, or the patients of the arms differ.
    """
    try:
        return _decoded(content, n_arms, outcomes_only, characteristics)
    except _UNREADABLE as error:
        reason = str(error).split("\n")[0][:200]
        raise StoreError(
            f"a file of patients cannot be read ({reason}); the same command with --resume in a new folder makes it "
            "again"
        ) from error


def _decoded(content: bytes, n_arms: int, outcomes_only: bool, characteristics: Sequence[str]) -> Decoded:
    """The table, as `decode_patients` gives it."""
    wanted = ["arm", "patient", *_OUTCOMES, *characteristics]
    if not outcomes_only:
        wanted += ["sums", "line_days", "line_regimens"]
    table = pl.read_parquet(io.BytesIO(content), columns=wanted)
    for name in wanted:
        if not _fits(table[name].dtype, name):
            raise ValueError(f"column '{name}' holds {table[name].dtype}")
    if table["patient"].null_count() or table["status"].null_count():
        raise ValueError("a patient without a number or status")
    own = [table.filter(pl.col("arm") == k) for k in range(n_arms)]
    rest = table.filter(pl.col("arm").is_null())
    return Decoded(
        arms=tuple(_followed(t, outcomes_only=outcomes_only) for t in own),
        others=rest["patient"].to_numpy(),
        others_status=rest["status"].to_numpy().astype(np.int64),
        characteristics={name: own[0][name].to_numpy() for name in characteristics},
    )


def _fits(kind: Any, name: str) -> bool:
    """Whether a column is of the kind that is written."""
    if name in ("sums", "line_days"):
        return bool(kind == pl.List(pl.Float64))
    if name == "line_regimens":
        return bool(kind == pl.List(pl.Int16))
    if name in ("arm", "patient", *_SMALL):
        return bool(kind.is_integer())
    return bool(kind == pl.Float64 if name in _OUTCOMES else kind.is_numeric() or kind == pl.Boolean)


def _followed(table: pl.DataFrame, *, outcomes_only: bool) -> Followed:
    n = table.height
    outcomes = np.empty((N_OUTCOMES, n))
    for row, name in enumerate(_OUTCOMES):
        outcomes[row] = table[name].to_numpy()
    if outcomes_only:
        nothing = np.empty((0, n))
        return Followed(table["patient"].to_numpy(), outcomes, nothing, nothing, nothing.astype(np.int64))
    return Followed(
        patient=table["patient"].to_numpy(),
        outcomes=outcomes,
        sums=_unlist(table["sums"], MAX_VISITS, np.nan),
        line_starts=_unlist(table["line_days"], MAX_LINES, np.nan),
        line_regimens=_unlist(table["line_regimens"], MAX_LINES, -1).astype(np.int64),
    )
