"""The whole record in memory: every entry with the file it came from and whether it is the user's.

`read_files` reads what is there without judging it (the linter wants to see everything), `load_record`
insists on entries that say what their kind has to say. An entry of the user's folder replaces a shipped one
only where the kind has one file per entry (agents, studies, rules, populations, cells), and switches; other
files of the network folder are replaced as a whole; elsewhere an id given twice is an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from her2.errors import RecordError
from her2.evidence.biology import (
    NETWORK_FILES,
    AttributeEntry,
    CellFile,
    Experiment,
    PathwayFile,
    ReceptorsFile,
    Switch,
)
from her2.evidence.load import DATA, USER_VARIABLE, parse, read_yaml, show_path, user_folder
from her2.evidence.schema import (
    Agent,
    Claim,
    Conflict,
    Lines,
    Mechanism,
    Parameter,
    Population,
    PublishedValue,
    Rule,
    Source,
    Study,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Folder:
    """How a folder is written: the model of its entries and, for lists, the key that holds them.

    `identity` is the field that names an entry. `file_in` is set for a kind that has no folder of its own but one
    file, named after the kind, in another folder. What the user gives replaces an entry of the same id where
    `replaceable`, and the whole file where `whole`; a kind with one file per entry is replaceable.
    """

    model: type[BaseModel]
    key: str | None = None
    identity: str = "id"
    file_in: str | None = None
    replaceable: bool = False
    whole: bool = False

    def name(self, entry: Any) -> str:
        """Id of an entry."""
        return str(getattr(entry, self.identity))


FOLDERS: dict[str, Folder] = {
    "sources": Folder(Source, "sources"),
    "agents": Folder(Agent),
    "mechanisms": Folder(Mechanism, "mechanisms"),
    "claims": Folder(Claim, "claims"),
    "studies": Folder(Study),
    "rules": Folder(Rule),
    "conflicts": Folder(Conflict, "conflicts"),
    "parameters": Folder(Parameter, "parameters"),
    "populations": Folder(Population),
    "cells": Folder(CellFile),
    "experiments": Folder(Experiment, "experiments", identity="claim"),
    "attributes": Folder(AttributeEntry, "attributes", file_in="network", whole=True),
    "switches": Folder(Switch, "switches", file_in="network", replaceable=True),
}
"""Kinds whose entries have a model; trials, regimens and clones are checked where they are compiled."""
PLAIN = ("trials", "regimens", "network")
DIRECTORIES = (*(name for name, spec in FOLDERS.items() if spec.file_in is None), *PLAIN)
"""Folders of a record."""


@dataclass(frozen=True)
class RecordFile:
    """One file as read: its data, or why it cannot be read."""

    path: Path
    shown: str
    folder: str
    user: bool
    data: Any = None
    error: str = ""


@dataclass(frozen=True)
class Kept(Generic[T]):
    """An entry with its file and whether it is the user's."""

    entry: T
    file: str
    user: bool = False


@dataclass(frozen=True, eq=False)
class Record:
    """All entries by kind and id, in the order of the files."""

    sources: Mapping[str, Kept[Source]] = field(default_factory=dict)
    agents: Mapping[str, Kept[Agent]] = field(default_factory=dict)
    mechanisms: Mapping[str, Kept[Mechanism]] = field(default_factory=dict)
    claims: Mapping[str, Kept[Claim]] = field(default_factory=dict)
    studies: Mapping[str, Kept[Study]] = field(default_factory=dict)
    rules: Mapping[str, Kept[Rule]] = field(default_factory=dict)
    conflicts: Mapping[str, Kept[Conflict]] = field(default_factory=dict)
    parameters: Mapping[str, Kept[Parameter]] = field(default_factory=dict)
    populations: Mapping[str, Kept[Population]] = field(default_factory=dict)
    cells: Mapping[str, Kept[CellFile]] = field(default_factory=dict)
    experiments: Mapping[str, Kept[Experiment]] = field(default_factory=dict)
    attributes: Mapping[str, Kept[AttributeEntry]] = field(default_factory=dict)
    switches: Mapping[str, Kept[Switch]] = field(default_factory=dict)
    trials: Mapping[str, Kept[dict[str, Any]]] = field(default_factory=dict)
    regimens: Mapping[str, Kept[dict[str, Any]]] = field(default_factory=dict)
    network: Mapping[str, Kept[dict[str, Any]]] = field(default_factory=dict)

    def values(self) -> Iterable[tuple[Kept[Study], PublishedValue]]:
        """Every printed figure with its study."""
        for study in self.studies.values():
            for value in study.entry.values:
                yield study, value


def pathway_of(record: Record) -> Kept[PathwayFile] | None:
    """The pathway layer with its model, None where the record has none that can be read."""
    kept = record.network.get("pathway")
    return Kept(PathwayFile.model_validate(kept.entry), kept.file, kept.user) if kept else None


def receptors_of(record: Record) -> Kept[ReceptorsFile] | None:
    """The receptor layer with its model, None where the record has none that can be read."""
    kept = record.network.get("receptors")
    return Kept(ReceptorsFile.model_validate(kept.entry), kept.file, kept.user) if kept else None


def folder_of(path: Path) -> str:
    """Folder of a file: the nearest above it that the record knows, or the empty string."""
    return next((parent.name for parent in path.resolve().parents if parent.name in DIRECTORIES), "")


def _kind(folder: str, path: Path) -> str:
    """Kind of the entries of a file: its folder, or the kind that the file is named after."""
    spec = FOLDERS.get(path.stem)
    return path.stem if spec is not None and spec.file_in == folder else folder


def read_file(path: Path, *, user: bool, folder: str = "") -> RecordFile:
    """One file, read or with the reason why not."""
    kind = _kind(folder or folder_of(path), path)
    try:
        state = path.stat()
        data = _read(path, state.st_mtime_ns, state.st_size)
        return RecordFile(path, show_path(path), kind, user, data)
    except OSError as error:
        return RecordFile(path, show_path(path), kind, user, error=f"{show_path(path)}: {error.strerror}")
    except RecordError as error:
        return RecordFile(path, show_path(path), kind, user, error=str(error))


@lru_cache(maxsize=4096)
def _read(path: Path, _changed: int, _size: int) -> Any:
    """Data of a file, read once for each state of it; nobody changes what comes back."""
    return read_yaml(path)


def read_files(bases: Iterable[tuple[Path, bool]] | None = None) -> list[RecordFile]:
    """Every file of the shipped record and of the user's folder, sorted within each folder."""
    files = []
    for base, is_user in bases if bases is not None else _bases():
        for folder in DIRECTORIES:
            if (base / folder).is_dir():
                files += [
                    read_file(p, user=is_user, folder=folder) for p in sorted((base / folder).rglob("*.yaml"))
                ]
    return files


def _bases() -> list[tuple[Path, bool]]:
    own = user_folder()
    if own is not None and not own.is_dir():
        raise RecordError(f"{USER_VARIABLE}: '{own}' is not a folder; expected the folder of your own record")
    return [(DATA, False)] + ([(own, True)] if own is not None else [])


def raw_entries(file: RecordFile) -> list[tuple[str, Any]]:
    """Entries of a file with their place in it, before they are checked.

    Raises
    ------
    her2.errors.RecordError
        If the file is not a mapping, or a list file without its list.
    """
    if file.error:
        raise RecordError(file.error)
    spec = FOLDERS.get(file.folder)
    if not isinstance(file.data, dict):
        raise RecordError(
            f"{file.shown}: expected a mapping of keys to values, got {type(file.data).__name__}"
        )
    if spec is None or spec.key is None:
        return [(file.shown, file.data)]
    if spec.key not in file.data:
        if "id" in file.data and spec.key == "sources":  # a source may have a file of its own
            return [(file.shown, file.data)]
        raise RecordError(f"{file.shown}: expected the key '{spec.key}' with a list of entries")
    items = file.data[spec.key]
    strange = sorted(set(file.data) - {"id", spec.key})
    if strange:
        raise RecordError(f"{file.shown}: unknown key '{strange[0]}' (valid: id, {spec.key})")
    if not isinstance(items, list):
        raise RecordError(f"{file.shown}, {spec.key}: expected a list, got {type(items).__name__}")
    return [(f"{file.shown}, {_name(item, spec.identity, i)}", item) for i, item in enumerate(items, start=1)]


def _name(item: Any, identity: str, position: int) -> str:
    """Id of an entry, or its position in the file."""
    return str(item[identity]) if isinstance(item, dict) and identity in item else f"entry {position}"


def plain_model(file: RecordFile) -> type[BaseModel] | None:
    """Model that a file of plain data must agree with, if it has one."""
    return NETWORK_FILES.get(file.path.stem) if file.folder == "network" else None


def without_replaced(files: Iterable[RecordFile]) -> list[RecordFile]:
    """The files without those shipped that a file of the user's stands in for as a whole."""
    every = list(files)
    own = {f.folder for f in every if f.user}
    whole = {name for name, spec in FOLDERS.items() if spec.whole}
    return [f for f in every if f.user or f.folder not in own & whole]


def is_replaceable(kind: str) -> bool:
    """Whether an entry of the user's may stand in for a shipped one of the same id."""
    spec = FOLDERS.get(kind)
    return spec is None or spec.key is None or spec.replaceable


def build_record(files: Iterable[RecordFile]) -> Record:
    """The record from files as read.

    Raises
    ------
    her2.errors.RecordError
        On the first entry that does not say what its kind has to say, or an id given twice.
    """
    kept: dict[str, dict[str, Kept[Any]]] = {name: {} for name in (*FOLDERS, *PLAIN)}
    for file in without_replaced(files):
        if file.folder not in kept:
            continue
        store = kept[file.folder]
        for where, item in raw_entries(file):
            spec = FOLDERS.get(file.folder)
            entry: Any = parse(spec.model, item, where) if spec else item
            model = plain_model(file)
            if model is not None:
                parse(model, item, where)
            name = spec.name(entry) if spec else str(item.get("id", file.path.stem))
            before = store.get(name)
            replaces = before is not None and file.user and not before.user and is_replaceable(file.folder)
            if before is not None and not replaces:
                raise RecordError(
                    f"{file.shown}: '{name}' is already in {before.file}; give one of the two another id"
                )
            store[name] = Kept(entry, file.shown, file.user)
    return Record(**kept)


def load_record() -> Record:
    """The shipped record with the user's own entries; read again only when a file has changed."""
    return _load(_signature(), os.environ.get(USER_VARIABLE))


def _signature() -> tuple[tuple[str, int, int], ...]:
    found = []
    for base, _ in _bases():
        for folder in DIRECTORIES:
            if (base / folder).is_dir():
                for path in sorted((base / folder).rglob("*.yaml")):
                    state = path.stat()
                    found.append((str(path), state.st_mtime_ns, state.st_size))
    return tuple(found)


@lru_cache(maxsize=2)
def _load(_signature: tuple[tuple[str, int, int], ...], _user: str | None) -> Record:
    return build_record(read_files())


def first_place(places: Iterable[Lines]) -> Lines | None:
    """The first place of an entry, if it has one."""
    return next(iter(places), None)


def place_of(value: PublishedValue) -> Lines:
    """Place of a printed figure."""
    return Lines(source=value.source, line_start=value.line_start, line_end=value.line_end, place=value.place)


def walk(data: Any, where: str = "", key: str = "") -> Iterator[tuple[str, str, str]]:
    """Every text inside plain data: its place, the nearest key, the text."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from walk(value, f"{where}.{name}".lstrip("."), str(name))
    elif isinstance(data, list):
        for i, item in enumerate(data):
            label = item["id"] if isinstance(item, dict) and isinstance(item.get("id"), str) else str(i)
            yield from walk(item, f"{where}[{label}]", key)
    elif isinstance(data, str):
        yield where, key, data
