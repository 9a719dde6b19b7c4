"""The results as files: `data/sensitivity` of the package, or a folder of the user's.

`sobol.tsv` holds the indices, `cases.tsv` what was varied in each case, `screening.tsv` the effects of all factors,
`local.tsv`, `directions.tsv` and `pairs.tsv` the local analysis, `provenance.yaml` version, seed, sizes and a
fingerprint of the record they were computed from. `her2 sensitivity --samples 512 --out src/her2/data/sensitivity`
makes them anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from her2.errors import OutputError, RecordError
from her2.evidence.load import DATA, find_file, load_parameters, read_yaml
from her2.evidence.reading import read_text
from her2.sensitivity.report import (
    CaseRow,
    DirectionRow,
    IndexRow,
    LocalRow,
    PairRow,
    Report,
    ScreeningRow,
)

SHIPPED = DATA / "sensitivity"

_TEXT = ("source", "locator", "note", "label", "why", "claims", "quality", "describes", "name", "says")


def record_digest() -> str:
    """Fingerprint of what the results depend on: parameters, priors, network, actions of drugs, attributes, posterior.

    Sources, notes and other words leave it as it is.
    """
    from her2.cell.model import acting_agents
    from her2.posterior import ENSEMBLE

    content = {
        "parameters": {k: p.model_dump(mode="json") for k, p in load_parameters().items()},
        "agents": {
            k: a.pharmacodynamics.model_dump(mode="json")
            for k, a in acting_agents().items()
            if a.pharmacodynamics is not None
        },
        "network": {k: read_yaml(find_file("network", k)) for k in ("pathway", "receptors", "attributes")},
        "posterior": ENSEMBLE.read_text(encoding="utf-8") if ENSEMBLE.exists() else "",
    }
    text = json.dumps(_numbers(content), sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _numbers(x: Any) -> Any:
    """The same data without the words that explain it."""
    if isinstance(x, Mapping):
        return {str(k): _numbers(v) for k, v in x.items() if k not in _TEXT}
    if isinstance(x, (list, tuple)):
        return [_numbers(v) for v in x]
    return x


_TABLES: tuple[tuple[str, type[Any]], ...] = (
    ("indices", IndexRow), ("cases", CaseRow), ("screening", ScreeningRow), ("local", LocalRow),
    ("directions", DirectionRow), ("pairs", PairRow),
)  # fmt: skip
_FILES = {"indices": "sobol"}


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write the tables and `provenance.yaml` into a folder; returns their paths.

    Raises
    ------
    her2.errors.OutputError
        If the folder cannot be written.
    """
    import yaml

    contents = {
        f"{_FILES.get(name, name)}.tsv": table_text(getattr(report, name), row) for name, row in _TABLES
    }
    contents["provenance.yaml"] = yaml.safe_dump(
        dict(report.provenance), sort_keys=False, allow_unicode=True, width=110
    )
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            (folder / f"{name}.part").write_text(text, encoding="utf-8")
        for name in contents:
            (folder / f"{name}.part").replace(folder / name)
            written.append(folder / name)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder with --out"
        ) from error
    return written


def table_text(rows: Iterable[Any], row: type[Any]) -> str:
    """Tab-separated text of rows, with a header."""
    names = [f.name for f in fields(row)]
    lines = ["\t".join(names)]
    lines += ["\t".join(_cell(getattr(r, n)) for n in names) for r in rows]
    return "\n".join(lines) + "\n"


def _cell(x: object) -> str:
    return f"{x:.4g}" if isinstance(x, float) else str(x)


Row = TypeVar("Row")


def read_report(folder: Path = SHIPPED) -> Report:
    """The tables of a folder, by default those that ship with the package.

    Raises
    ------
    her2.errors.RecordError
        A file is missing or is not such a table.
    """
    tables: dict[str, Any] = {name: _read_table(folder, name, row) for name, row in _TABLES}
    return Report(**tables, provenance=read_yaml(folder / "provenance.yaml"))


def _read_table(folder: Path, name: str, row: type[Row]) -> tuple[Row, ...]:
    path = folder / f"{_FILES.get(name, name)}.tsv"
    where = f"{folder.name}/{path.name}"
    kinds = {"str": str, "int": int, "float": float}
    types = [(f.name, kinds[str(f.type)]) for f in fields(row)]  # type: ignore[arg-type]
    try:
        lines = read_text(path, where).splitlines()
    except RecordError as error:
        raise RecordError(f"{error}; `her2 sensitivity --samples 512 --out FOLDER` makes it") from error
    if not lines or lines[0].split("\t") != [n for n, _ in types]:
        raise RecordError(f"{where}: expected the columns {', '.join(n for n, _ in types)}")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        try:
            rows.append(row(*(kind(c) for (_, kind), c in zip(types, cells, strict=True))))
        except ValueError as error:
            raise RecordError(f"{where}, line {number}: {error}") from error
    return tuple(rows)


def is_current(report: Report) -> bool:
    """Whether the record still is the one the results were computed from."""
    return report.provenance.get("record") == record_digest()
