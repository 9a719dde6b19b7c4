"""Write the record as CSV, Parquet or JSON tables, with its sources as BibTeX; nothing half-written.

The tables are written into a temporary folder beside the wanted one and moved at the end, so a folder with
the wanted name holds either the complete export or what it held before.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from her2.errors import Her2Error, OutputError, nearest
from her2.evidence.csv_text import safe_text
from her2.evidence.record import Record
from her2.evidence.schema import Source
from her2.evidence.tables import COLUMNS, Row, build_tables

FORMATS = ("csv", "parquet", "json")
TABLES = ("agents", "mechanisms", "claims", "trials", "arms", "endpoints", "conflicts", "rules", "sources",
          "parameters")  # fmt: skip


def export_record(record: Record, folder: Path, *, formats: Iterable[str] = FORMATS) -> list[Path]:
    """Write every table in every format, and `sources.bib`; the files written.

    Raises
    ------
    her2.errors.Her2Error
        For an unknown format.
    her2.errors.OutputError
        If the folder is a file, is not empty with other things in it, or cannot be written.
    """
    wanted = tuple(formats)
    for name in wanted:
        if name not in FORMATS:
            raise Her2Error(
                f"format: unknown '{name}'{nearest(name, FORMATS)} (valid: {', '.join(FORMATS)}, all)"
            )
    files = _file_names(wanted)
    _check_target(folder, files)
    tables = build_tables(record)
    parent = folder.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=parent))
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); choose a folder you may write"
        ) from error
    try:
        for table in TABLES:
            for form in wanted:
                _WRITERS[form](temporary / f"{table}.{form}", table, tables[table])
        (temporary / "sources.bib").write_text(
            bibtex(k.entry for k in record.sources.values()), encoding="utf-8"
        )
        temporary.chmod(0o755)
        _move(temporary, folder, files)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); nothing was changed") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return [folder / name for name in files]


def _file_names(formats: tuple[str, ...]) -> list[str]:
    return [f"{table}.{form}" for table in TABLES for form in formats] + ["sources.bib"]


def _check_target(folder: Path, files: list[str]) -> None:
    """Refuse a file, or a folder with anything in it that an export did not write."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(f"{folder}: is not a folder; give the name of a new folder")
    if not folder.exists():
        return
    ours = {f"{t}.{f}" for t in TABLES for f in FORMATS} | {"sources.bib"}
    try:
        strange = sorted(p.name for p in folder.iterdir() if p.name not in ours)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be read ({error.strerror})") from error
    if strange:
        raise OutputError(f"{folder}: holds other files ('{strange[0]}'); give a new or empty folder")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: cannot be written (Permission denied); choose a folder you may write")


def _move(temporary: Path, folder: Path, files: list[str]) -> None:
    """Put the finished folder in the place of the wanted one; an earlier export stays if that fails."""
    if not folder.exists():
        temporary.rename(folder)
        return
    before = Path(tempfile.mkdtemp(prefix=f".{folder.name}.before.", dir=folder.absolute().parent))
    folder.rename(before / "old")
    try:
        temporary.rename(folder)
    except OSError:
        (before / "old").rename(folder)
        raise
    finally:
        shutil.rmtree(before, ignore_errors=True)


def _write_csv(path: Path, table: str, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_csv(stream, tuple(COLUMNS[table]), ([row.get(c) for c in COLUMNS[table]] for row in rows))


def write_csv(stream: Any, columns: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> None:
    """Rows as CSV; lists joined by `;`, nothing as the empty field, yes and no as `true` and `false`.

    A text that a spreadsheet would run gets an apostrophe in front (`her2.evidence.csv_text`).
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(v) for v in row])


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return safe_text(";".join(str(v) for v in value))
    if isinstance(value, str):
        return safe_text(value)
    return "" if value is None else value


def _write_json(path: Path, table: str, rows: list[Row]) -> None:
    ordered = [{c: row.get(c) for c in COLUMNS[table]} for row in rows]
    path.write_text(
        json.dumps(ordered, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )


def _write_parquet(path: Path, table: str, rows: list[Row]) -> None:
    import polars as pl

    kinds: dict[str, Any] = {
        "VARCHAR": pl.String, "VARCHAR[]": pl.List(pl.String), "BIGINT": pl.Int64, "DOUBLE": pl.Float64,
        "BOOLEAN": pl.Boolean,
    }  # fmt: skip
    columns = COLUMNS[table]
    data = {c: [row.get(c) for row in rows] for c in columns}
    frame = pl.DataFrame(data, schema={c: kinds[k] for c, k in columns.items()}, strict=False)
    frame.write_parquet(path)


_WRITERS: dict[str, Any] = {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet}

_BIBTEX = {"article": "article", "review": "article", "abstract": "misc"}
_SPECIAL = str.maketrans({
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
})  # fmt: skip


def bibtex(sources: Iterable[Source]) -> str:
    """Sources as BibTeX, sorted by id; a retracted source says so in its note."""
    entries = []
    for source in sorted(sources, key=lambda s: s.id):
        fields = {
            "author": source.authors.replace(" et al", " and others").translate(_SPECIAL),
            "title": "{" + source.title.translate(_SPECIAL) + "}",
            "journal": source.journal.translate(_SPECIAL),
            "year": str(source.year or ""),
            "doi": source.doi or "",
            "pmid": source.pmid or "",
            "note": ("RETRACTED. " if source.retracted else "") + source.note.translate(_SPECIAL),
        }
        lines = [f"  {name} = {{{text}}}" for name, text in fields.items() if text]
        kind = _BIBTEX.get(source.kind, "misc")
        entries.append(f"@{kind}{{{source.id},\n" + ",\n".join(lines) + "\n}\n")
    return "\n".join(entries)
