"""Reading stored runs of any version: whether they are intact, and what has changed here since they were made.

A run is never converted. What it holds stays readable (JSON, Parquet, CSV), its digests say whether it is as it was
written, and the parts it was made with say whether this program would give it again. Nothing is simulated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from her2.errors import StoreError
from her2.evidence.reading import parse_json, read_text
from her2.store import ChunkStore
from her2.store.chunks import LEDGER, Damage
from her2.store.files import digest_of
from her2.trials.write import PATIENTS, RECORD
from her2.versions import LIBRARIES, Difference, compare, digests

KINDS = {"her2 virtual trial": "run of a virtual trial"}
MAX_BYTES = 200_000_000


@dataclass(frozen=True)
class StoredRun:
    """What was found of a stored run.

    Attributes
    ----------
    name : as the user gave it
    kind : in words
    made_with : parts as `her2.versions.digests` names them, as far as they were kept
    files : files and chunks that were looked at
    damage : what is missing or not as it was written
    differences : parts that are different here
    unknown : parts of which the run kept nothing
    again : the command that would simulate it again; empty where it is not known
    """

    name: str
    kind: str
    made_with: Mapping[str, str]
    files: int
    damage: tuple[str, ...]
    differences: tuple[Difference, ...]
    unknown: tuple[str, ...]
    again: str

    @property
    def is_intact(self) -> bool:
        """Whether everything is as it was written."""
        return not self.damage

    @property
    def is_current(self) -> bool:
        """Whether nothing is known to have changed here since."""
        return not self.differences


def read_stored(path: Path) -> StoredRun:
    """Look at a stored run: its folder, its `run.json`, or the folder of its patients alone.

    Raises
    ------
    her2.errors.StoreError
        If there is no run, or it is of a kind that this version does not know.
    her2.errors.RecordError
        If `run.json` cannot be read.
    """
    shown = str(path)
    if path.is_file():
        return _read_record(path, path.parent, shown)
    if (path / RECORD).is_file():
        return _read_record(path / RECORD, path, shown)
    for folder in (path, path / PATIENTS):
        if (folder / LEDGER).is_file():
            return _read_patients(folder, shown)
    raise StoreError(
        f"{shown}: no stored run; expected {RECORD} or a folder that `her2 trial --out` made, or a .forecast.json"
    )


def _read_record(path: Path, folder: Path, shown: str) -> StoredRun:
    record = parse_json(read_text(path, shown, MAX_BYTES), shown)
    if not isinstance(record, dict) or record.get("kind") not in KINDS:
        kind = record.get("kind") if isinstance(record, dict) else type(record).__name__
        raise StoreError(
            f"{shown}: kind '{kind}' is none that her2 {digests()['version']} knows (valid: {', '.join(KINDS)}); it "
            "was written by another program, or by a later version: use that"
        )
    listed = record.get("files")
    damage = _check_files(folder, listed if isinstance(listed, dict) else {})
    files = len(listed) if isinstance(listed, dict) else 0
    if isinstance(record.get("store"), dict) and (folder / PATIENTS / LEDGER).is_file():
        chunks, damaged = _check_chunks(folder / PATIENTS, shown)
        files, damage = files + chunks, damage + damaged
    elif isinstance(record.get("store"), dict):
        damage += (f"{PATIENTS}/{LEDGER}: missing",)
    made_with = _made_with(record)
    source, patients, seed = record.get("source"), record.get("patients"), record.get("seed")
    again = f"her2 trial {source} --patients {patients} --seed {seed}" if source else ""
    return _stored(shown, KINDS[record["kind"]], made_with, files, damage, again)


def _read_patients(folder: Path, shown: str) -> StoredRun:
    """Patients whose run did not come to its end, or was moved away from them."""
    store = ChunkStore.open(folder, shown)
    what = store.what
    chunks, damage = _check_chunks(folder, shown)
    made_with = {"version": str(what["version"])} if "version" in what else {}
    again = f"her2 trial {what.get('trial')} --seed {what.get('seed')} --out FOLDER --resume"
    found = _stored(shown, "patients of a virtual trial", made_with, chunks, damage, again)
    from her2.scale import fingerprint

    then = str(what.get("code_and_record", ""))
    if then and then != fingerprint():
        changed = Difference("code_and_record", then, fingerprint())
        return StoredRun(**{**found.__dict__, "differences": (*found.differences, changed)})
    return found


def _stored(
    shown: str, kind: str, made_with: Mapping[str, str], files: int, damage: tuple[str, ...], again: str
) -> StoredRun:
    unknown = tuple(part for part in digests() if part not in made_with)
    return StoredRun(shown, kind, made_with, files, damage, compare(made_with), unknown, again)


def _made_with(record: Mapping[str, Any]) -> dict[str, str]:
    """What the run kept of its making; runs from before `made_with` kept three of the parts under other names."""
    kept = record.get("made_with")
    if isinstance(kept, dict):
        return {str(k): str(v) for k, v in kept.items()}
    found = {}
    if isinstance(record.get("version"), str):
        found["version"] = record["version"]
    if isinstance(record.get("posterior_digest"), str):
        found["posterior"] = record["posterior_digest"]
    libraries = record.get("libraries")
    if isinstance(libraries, dict) and all(name in libraries for name in LIBRARIES):
        found["libraries"] = ", ".join(f"{name} {libraries[name]}" for name in LIBRARIES)
    return found


def _check_files(folder: Path, listed: Mapping[str, Any]) -> tuple[str, ...]:
    """Files that are missing or differ from their digest."""
    damage = []
    for name, entry in listed.items():
        if Path(name).name != name or not isinstance(entry, dict):
            damage.append(f"{name}: is no name of a file of this folder")
            continue
        try:
            content = (folder / name).read_bytes()
        except OSError:
            damage.append(f"{name}: missing")
            continue
        if digest_of(content) != entry.get("blake2b"):
            damage.append(f"{name}: changed, its digest differs")
    return tuple(damage)


def _check_chunks(folder: Path, shown: str) -> tuple[int, tuple[str, ...]]:
    """Chunks of a store, and which of them are not as they were written."""
    try:
        store = ChunkStore.open(folder, shown)
    except StoreError as error:
        return 0, (str(error),)
    damage = []
    for record in store.records():
        try:
            store.read(record)
        except StoreError:
            damage.append(str(Damage(f"{PATIENTS}/{record.file}", "missing or changed, its digest differs")))
    return len(store.records()), tuple(damage)
