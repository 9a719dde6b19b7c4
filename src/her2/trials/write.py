"""Write a run to a folder: tables, pictures and the run record, all of them or nothing.

Everything goes into a temporary folder beside the target, is synced to the disk, and takes its place by one
rename: a reader never sees half a run, and a disk that fills up leaves what was there before.
"""

from __future__ import annotations

import errno
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from her2.errors import OutputError
from her2.evidence.csv_text import safe_table
from her2.store.files import digest_of as digest_of
from her2.store.files import explain_failure
from her2.trials.pictures.style import render_figure

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

RECORD = "run.json"
PATIENTS = "patients"
"""Folder in a run's folder with the store of its patients, where they are kept chunk by chunk (`her2.store`)."""
_SCRATCH = ".her2-"
# left by file browsers, nobody's work
_DEBRIS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def write_outputs(
    folder: str | Path,
    tables: Mapping[str, pl.DataFrame],
    figures: Mapping[str, Figure],
    record: Mapping[str, Any],
    *,
    beside_store: bool = False,
) -> dict[str, str]:
    """Write Parquet and CSV of each table, SVG and PNG of each figure, and `run.json`.

    An existing folder is replaced if it is empty or holds nothing but an earlier run; anything else is
    refused, so that no file of the user's is lost. Folders above it are made where they do not exist.

    Parameters
    ----------
    tables, figures : by file name without ending
    record : what `run.json` holds (inputs, versions, seed); the size and digest of every file are added to it
        under `files`. NaN and infinity become null.
    beside_store : the folder holds the store of the patients, which stays. Files then take their places one by one,
        the record last: until it is there, the folder is no finished run.

    Returns
    -------
    The BLAKE2b digest (256 bit, as `b2sum -l 256` prints it) of every file, by name.

    Raises
    ------
    her2.errors.OutputError
        If the folder cannot be written; nothing half-written is left.
    ValueError
        If a name is no plain file name, or the record has an entry `files` already.
    """
    if "files" in record:
        raise ValueError("record: has an entry 'files', which is reserved for the files' digests.")
    contents = _render(tables, figures)
    digests = {name: digest_of(content) for name, content in contents.items()}
    listed = {name: {"bytes": len(contents[name]), "blake2b": digest} for name, digest in digests.items()}
    full = {**record, "files": listed}
    contents[RECORD] = (
        json.dumps(_plain(full), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    ).encode("utf-8")

    shown, target = str(folder), Path(os.path.abspath(folder))
    try:
        if beside_store:
            _put_beside(_check_target(target, shown, beside_store=True), contents)
            return digests
        target = _check_target(target, shown)
        with _parents_of(target), _temporary_beside(target) as scratch:
            fresh = scratch / "new"
            fresh.mkdir()
            for name, content in contents.items():
                _write_file(fresh / name, content)
            _sync_folder(fresh)
            _put_in_place(fresh, target, scratch)
            _sync_folder(target.parent)
    except OSError as error:
        if beside_store:
            raise OutputError(explain_failure(error, shown, "the patients are kept")) from error
        raise OutputError(_explain(error, shown, target, sum(map(len, contents.values())))) from error
    return digests


def check_folder(folder: str | Path, *, beside_store: bool = False) -> None:
    """Refuse a folder that `write_outputs` could not write, before the work is done.

    Parameters
    ----------
    beside_store : as for `write_outputs`; the folder is made

    Raises
    ------
    her2.errors.OutputError
        As `write_outputs` would, but for a disk that fills up.
    """
    shown, target = str(folder), Path(os.path.abspath(folder))
    try:
        target = _check_target(target, shown, beside_store=beside_store)
        if beside_store:
            target.mkdir(parents=True, exist_ok=True)
            with _temporary_in(target):
                return
        above = target.parent
        while not above.exists():
            above = above.parent
        with _temporary_beside(above / target.name):
            pass
    except OSError as error:
        text = (
            explain_failure(error, shown, "nothing was lost")
            if beside_store
            else _explain(error, shown, target, 0)
        )
        raise OutputError(text) from error


def _render(tables: Mapping[str, pl.DataFrame], figures: Mapping[str, Figure]) -> dict[str, bytes]:
    """Every file as bytes, before anything touches the disk."""
    contents: dict[str, bytes] = {}
    for name in (*tables, *figures):
        if not name or Path(name).name != name or "\\" in name or name.startswith("."):
            raise ValueError(f"name '{name}': expected a plain file name without folder.")
    for name, table in tables.items():
        drawn = io.BytesIO()
        table.write_parquet(drawn)
        contents[f"{name}.parquet"] = drawn.getvalue()
        drawn = io.BytesIO()
        safe_table(table).write_csv(drawn)
        contents[f"{name}.csv"] = drawn.getvalue()
    for name, figure in figures.items():
        contents.update({f"{name}.{ending}": content for ending, content in render_figure(figure).items()})
    return contents


def _plain(value: Any) -> Any:
    """What JSON can hold: tuples as lists, numpy numbers as numbers, NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _put_beside(target: Path, contents: Mapping[str, bytes]) -> None:
    """Files into a folder that stays; each appears whole, those of an earlier run that are not wanted any more go."""
    old = _own_files(target)
    with _temporary_in(target) as scratch:
        for name, content in contents.items():
            _write_file(scratch / name, content)
        with suppress(FileNotFoundError):
            (target / RECORD).unlink()
        for name in sorted(contents, key=lambda n: n == RECORD):
            os.replace(scratch / name, target / name)
    for name in old - set(contents):
        with suppress(FileNotFoundError):
            (target / name).unlink()
    _sync_folder(target)


@contextmanager
def _temporary_in(target: Path) -> Iterator[Path]:
    """A folder in the target; those that a killed run left are removed."""
    for left in target.glob(f"{_SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=target))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check_target(target: Path, shown: str, *, beside_store: bool = False) -> Path:
    """The folder itself, links followed; refuses a file, and whatever holds more than an earlier run."""
    if target.is_symlink():
        target = target.resolve()
    if not target.exists():
        return target
    if not target.is_dir():
        raise OutputError(f"{shown}: is a file; expected a folder. Give another name, or remove the file.")
    if not beside_store and (target / PATIENTS).is_dir():
        raise OutputError(
            f"{shown}: holds the patients of a run kept chunk by chunk ({PATIENTS}/), which is not replaced; continue "
            "or check that run with --resume, or give another folder"
        )
    if not beside_store and Path.cwd().is_relative_to(target):
        raise OutputError(
            f"{shown}: is the current folder, or above it; give a new folder, such as {shown}/run."
        )
    foreign = [n for n in _foreign_files(target) if not (beside_store and _may_stand_beside(n))]
    if foreign:
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise OutputError(
            f"{shown}: holds {', '.join(foreign[:3])}{more}, which no earlier run wrote; expected a folder "
            f"that is new, empty, or holds an earlier run ({RECORD}). Give another folder, or move the files."
        )
    return target


def _may_stand_beside(name: str) -> bool:
    """Whether this belongs to a run with a store."""
    return name == PATIENTS or name.startswith(_SCRATCH)


def _foreign_files(target: Path) -> list[str]:
    """Names in the folder that are not files of an earlier run, by its record."""
    names = {p.name for p in target.iterdir()} - _DEBRIS
    return sorted(names - _own_files(target))


def _own_files(target: Path) -> set[str]:
    """Files of an earlier run, by its record; none where there is no record, or not one of ours."""
    try:
        record = json.loads((target / RECORD).read_text(encoding="utf-8"))
        return {RECORD, *(n for n in record["files"] if _is_plain_name(n))}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def _is_plain_name(name: object) -> bool:
    """Whether this names a file of the folder itself: a record that came from elsewhere may name any path."""
    return (
        isinstance(name, str) and Path(name).name == name and name not in ("", ".", "..") and "\0" not in name
    )


@contextmanager
def _parents_of(target: Path) -> Iterator[None]:
    """Make the folders above the target; take away again those made, if the block fails."""
    missing = []
    parent = target.parent
    while not parent.exists():
        missing.append(parent)
        parent = parent.parent
    made: list[Path] = []
    try:
        for path in reversed(missing):
            path.mkdir()
            made.append(path)
        yield
    except BaseException:
        for path in reversed(made):
            # somebody else may use it by now
            with suppress(OSError):
                path.rmdir()
        raise


@contextmanager
def _temporary_beside(target: Path) -> Iterator[Path]:
    """A folder beside the target, on the same disk; gone afterwards, unless it holds a run's only copy."""
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name[:40]}-", dir=target.parent))
    try:
        yield scratch
    finally:
        if not (scratch / "old").exists() or target.exists():
            shutil.rmtree(scratch, ignore_errors=True)


def _write_file(path: Path, content: bytes) -> None:
    """Write and sync, so that a full disk shows here and not later."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Sync the folder's own entries, where the system allows it: Windows does not."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _put_in_place(fresh: Path, target: Path, scratch: Path) -> None:
    """Rename the new folder to the target; an earlier run steps aside first, and comes back if that fails."""
    if not target.exists():
        fresh.rename(target)
        return
    aside = scratch / "old"
    target.rename(aside)
    try:
        fresh.rename(target)
    except BaseException:
        aside.rename(target)
        raise


def _explain(error: OSError, shown: str, target: Path, size: int) -> str:
    """Folder, reason and way out."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return (
            f"{shown}: the disk is full ({reason}); the run needs {size / 1e6:.1f} MB. Free some space, "
            "or give a folder on another disk. Nothing was written."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{shown}: no permission to write in {target.parent} ({reason}); the run is made beside its "
            "folder first. Give a folder whose parent you may write in. Nothing was written."
        )
    if error.errno in (errno.EBUSY, errno.EXDEV):
        return (
            f"{shown}: cannot be replaced ({reason}), as a mount point or a folder in use cannot; "
            "give a folder inside it. Nothing was written."
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return (
            f"{shown}: a part of the path is a file, not a folder ({reason}); give another folder. "
            "Nothing was written."
        )
    return f"{shown}: cannot be written ({reason}); give another folder. Nothing was written."
