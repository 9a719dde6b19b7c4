"""Chunks of patients in a folder: files, and a ledger of those that are whole.

The folder holds `ledger.jsonl` and one Parquet file per chunk, `STAGE/FIRST-LAST.parquet` by the ids of its patients. A
chunk is written, synced and renamed before its record with size and digest is added to the ledger, so that what
the ledger names is there. Reading checks the digest: a file that was changed since is refused, never read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from her2.errors import OutputError, StoreError
from her2.store.files import PART, digest_of, explain_failure, write_whole
from her2.store.ledger import Ledger

LEDGER = "ledger.jsonl"
LOCK = "lock"
FORMAT = 1
_NAME = re.compile(r"[0-9]{12}-[0-9]{12}\.parquet(\.part)?")
_STAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,80}")
_MOST = 10**11
"""Patients of a chunk that a file's name has room for."""


@dataclass(frozen=True)
class ChunkRecord:
    """A chunk that the ledger names.

    Attributes
    ----------
    stage : what was simulated, such as `model` or `null`
    first, count : ids of the patients screened
    entered : how many of them entered the trial
    file : path below the store's folder
    bytes, blake2b : size and digest of the file
    """

    stage: str
    first: int
    count: int
    entered: int
    file: str
    bytes: int
    blake2b: str

    @property
    def end(self) -> int:
        """One beyond the last id."""
        return self.first + self.count


@dataclass(frozen=True)
class Damage:
    """Something of the store that is not as it was written."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


@dataclass
class ChunkStore:
    """A folder of chunks, open for one process.

    Attributes
    ----------
    folder : of the store
    shown : the folder as the user named it
    what : what the chunks rest on; chunks of another `what` are never mixed in
    damage : what was found damaged on opening, and is to be made again
    """

    folder: Path
    shown: str
    what: Mapping[str, Any]
    damage: list[Damage] = field(default_factory=list)
    _records: dict[tuple[str, int], ChunkRecord] = field(default_factory=dict)
    _lock: int | None = None

    @classmethod
    def create(cls, folder: Path, what: Mapping[str, Any], shown: str | None = None) -> Self:
        """A new store in a folder that holds none.

        Raises
        ------
        her2.errors.OutputError
            If there is a store already, or the folder cannot be written.
        """
        store = cls(folder, shown or str(folder), what)
        with store._closed_on_error(), store._explained():
            if holds_store(folder):
                raise OutputError(
                    f"{store.shown}: holds the patients of a run already; continue or check it with --resume, or give "
                    "another folder"
                )
            folder.mkdir(parents=True, exist_ok=True)
            store._take_lock()
            store._ledger.append(store._header)
        return store

    @classmethod
    def resume(
        cls,
        folder: Path,
        what: Mapping[str, Any],
        shown: str | None = None,
        on_read: Callable[[float], None] | None = None,
    ) -> Self:
        """Open a store, or begin one where there is none; every chunk is read and checked.

        What is damaged is named in `damage` and taken out of the ledger, so that it will be made again; what a killed
        run left half done is removed.

        Parameters
        ----------
        on_read : called with the share of the chunks that were checked

        Raises
        ------
        her2.errors.StoreError
            If the store is of another run, or its ledger is lost.
        her2.errors.OutputError
            If the folder cannot be read or written, or another process writes there.
        """
        if not holds_store(folder):
            return cls.create(folder, what, shown)
        store = cls(folder, shown or str(folder), what)
        with store._closed_on_error(), store._explained():
            store._take_lock()
            store._read_ledger(mend=True)
            records = store.records()
            for k, record in enumerate(records):
                found = store._look(record)
                if isinstance(found, Damage):
                    store.damage.append(found)
                    del store._records[(record.stage, record.first)]
                if on_read is not None:
                    on_read((k + 1) / len(records))
            if store.damage:
                store._rewrite()
            store._sweep()
        return store

    @classmethod
    def open(cls, folder: Path, shown: str | None = None) -> Self:
        """Open a store for reading; its `what` is the ledger's.

        Raises
        ------
        her2.errors.StoreError
            If there is none, or its ledger is damaged.
        """
        store = cls(folder, shown or str(folder), {})
        if not (folder / LEDGER).is_file():
            raise StoreError(f"{store.shown}: no {LEDGER}; expected the folder that `her2 trial --out` made")
        with store._explained():
            store._read_ledger(mend=False)
        return store

    @property
    def key(self) -> str:
        """Digest of `what`."""
        text = json.dumps(self.what, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def records(self, stage: str | None = None) -> list[ChunkRecord]:
        """Chunks in the order of their stage and ids."""
        every = (r for r in self._records.values() if stage is None or r.stage == stage)
        return sorted(every, key=lambda r: (r.stage, r.first))

    def add(self, stage: str, first: int, count: int, entered: int, content: bytes) -> ChunkRecord:
        """Write a chunk and name it in the ledger; when this returns, no crash can lose it.

        Raises
        ------
        her2.errors.OutputError
            If it cannot be written; the store is then as it was.
        """
        file = _file_of(stage, first, count)
        record = ChunkRecord(stage, first, count, entered, file, len(content), digest_of(content))
        with self._explained():
            path = self.folder / file
            path.parent.mkdir(exist_ok=True)
            write_whole(path, content)
            self._ledger.append(self._entry(record))
        self._records[(stage, first)] = record
        return record

    def read(self, record: ChunkRecord) -> bytes:
        """The content of a chunk, checked against its digest.

        Raises
        ------
        her2.errors.StoreError
            If the file is missing or was changed.
        """
        with self._explained():
            found = self._look(record)
        if isinstance(found, Damage):
            raise StoreError(
                f"{self.shown}: {found}. The same command with --resume simulates its patients again and keeps the rest"
            )
        return found

    def in_order(self, stage: str, first: int = 0) -> Iterator[ChunkRecord]:
        """Chunks of a stage from an id on, up to the first gap."""
        expected = first
        for record in self.records(stage):
            if record.first != expected:
                return
            yield record
            expected = record.end

    def gaps(self, stage: str, first: int, end: int) -> list[tuple[int, int]]:
        """Ranges of ids [first, end) that no chunk covers."""
        found = []
        reached = first
        for record in self.records(stage):
            if record.first > reached and reached < end:
                found.append((reached, min(record.first, end)))
            reached = max(reached, record.end)
        if reached < end:
            found.append((reached, end))
        return found

    def close(self) -> None:
        """Let another process have the store."""
        if self._lock is not None:
            # nothing was written through it
            with suppress(OSError):
                os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self.folder / LEDGER)

    @property
    def _header(self) -> dict[str, Any]:
        return {"kind": "run", "format": FORMAT, "key": self.key, "what": dict(self.what)}

    def _entry(self, record: ChunkRecord) -> dict[str, Any]:
        return {"kind": "chunk", "key": self.key, **record.__dict__}

    def _rewrite(self) -> None:
        """The ledger anew, with what is intact."""
        self._ledger.rewrite((self._header, *(self._entry(r) for r in self.records())))

    def _read_ledger(self, *, mend: bool) -> None:
        """Take in the ledger's records; damaged lines are noted and taken away, or refused."""
        reading = self._ledger.read()
        self.damage += [Damage(f"{LEDGER}, line {n}", "damaged") for n in reading.damaged]
        headers = [r for r in reading.records if r.get("kind") == "run" and isinstance(r.get("what"), dict)]
        chunks = [r for r in reading.records if r.get("kind") == "chunk"]
        if not mend:
            if self.damage or not headers:
                what = str(self.damage[0]) if self.damage else f"{LEDGER}: its first line is missing"
                raise StoreError(f"{self.shown}: {what}. The same command with --resume mends it")
            self.what = headers[0]["what"]
        elif not headers and not chunks and any(self._files()):
            raise StoreError(
                f"{self.shown}: {LEDGER} holds no intact record of the chunks beside it, which so cannot be trusted; "
                "remove the folder, or give another one"
            )
        for header in headers:
            self._check_same(header)
        if not headers and any(r.get("key") != self.key for r in chunks):
            raise StoreError(f"{self.shown}: holds the patients of another run; give another folder")
        wrong = 0
        for record in chunks:
            taken = _chunk_record(record)
            if taken is None:
                wrong += 1
            else:
                self._records[(taken.stage, taken.first)] = taken
        if wrong:
            self.damage.append(Damage(LEDGER, f"{wrong} records name no chunk that this program writes"))
            if not mend:
                raise StoreError(f"{self.shown}: {self.damage[-1]}. The same command with --resume mends it")
        if mend and (reading.damaged or reading.torn or wrong or not headers):
            self._rewrite()

    def _check_same(self, header: Mapping[str, Any]) -> None:
        """Refuse the store of another run; the text names what differs."""
        if header.get("format") != FORMAT:
            raise StoreError(
                f"{self.shown}: format {header.get('format')} of the store, expected {FORMAT}; it was written by "
                "another version of her2: use that, or give another folder"
            )
        theirs = header["what"]
        if header.get("key") == self.key:
            return
        differing = [k for k in {**theirs, **self.what} if theirs.get(k) != self.what.get(k)]
        shown = "; ".join(
            f"{k} was {theirs.get(k)}, now {self.what.get(k)}"
            if isinstance(theirs.get(k), (int, str)) and isinstance(self.what.get(k), (int, str))
            else f"{k} differs"
            for k in differing
        )
        raise StoreError(
            f"{self.shown}: holds another run ({shown}); repeat the command that began it, or give another folder"
        )

    def _look(self, record: ChunkRecord) -> bytes | Damage:
        """The content of a chunk if it is as it was written."""
        try:
            content = (self.folder / record.file).read_bytes()
        except FileNotFoundError:
            return Damage(record.file, "missing")
        if len(content) != record.bytes:
            return Damage(record.file, f"damaged, {len(content)} bytes instead of {record.bytes}")
        if digest_of(content) != record.blake2b:
            return Damage(record.file, "damaged, its digest differs")
        return content

    def _files(self) -> Iterator[Path]:
        """Chunk files in the folder, those half written included."""
        for path in self.folder.glob("*/*"):
            if _NAME.fullmatch(path.name):
                yield path

    def _sweep(self) -> None:
        """Remove what a killed run left half done."""
        known = {self.folder / r.file for r in self._records.values()}
        for path in self._files():
            if path not in known:
                path.unlink()
        with suppress(FileNotFoundError):
            (self.folder / (LEDGER + PART)).unlink()

    def _take_lock(self) -> None:
        """Keep other processes out; the system lets go of the lock when this process ends, however it ends."""
        try:
            import fcntl
        except ImportError:  # not on Windows
            return
        handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise OutputError(
                f"{self.shown}: another process is writing there; wait for it, or give another folder"
            ) from None
        self._lock = handle

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        """A store that could not be opened holds nobody up."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the system as text: folder, reason, what is kept and the way out."""
        try:
            yield
        except OSError as error:
            n = len(self._records)
            kept = f"{n} chunk{'' if n == 1 else 's'} of patients {'is' if n == 1 else 'are'} kept"
            raise OutputError(explain_failure(error, self.shown, kept)) from error


def _chunk_record(record: Mapping[str, Any]) -> ChunkRecord | None:
    """A chunk as the ledger names it; None where a name or number is none that `ChunkStore.add` writes."""
    kinds = {f.name: f.type for f in fields(ChunkRecord)}
    given = {k: v for k, v in record.items() if k not in ("kind", "key")}
    if set(given) != set(kinds):
        return None
    if any(type(v) is not (int if kinds[k] == "int" else str) for k, v in given.items()):
        return None
    taken = ChunkRecord(**given)
    is_possible = taken.first >= 0 and 1 <= taken.count <= _MOST and 0 <= taken.entered <= taken.count
    if not is_possible or not _STAGE.fullmatch(taken.stage):
        return None
    return taken if taken.file == _file_of(taken.stage, taken.first, taken.count) else None


def _file_of(stage: str, first: int, count: int) -> str:
    """Path of a chunk below the store's folder."""
    return f"{stage}/{first:012d}-{first + count - 1:012d}.parquet"


def holds_store(folder: Path) -> bool:
    """Whether there is a ledger, or chunk files without one."""
    return (folder / LEDGER).exists() or any(folder.glob("*/*.parquet"))


def cut_ranges(ranges: Sequence[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Ranges of ids as (first, count) of at most `size` patients."""
    for first, end in ranges:
        for start in range(first, end, size):
            yield start, min(size, end - start)
