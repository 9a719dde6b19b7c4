"""Files that are there whole or not at all, and what to tell the user when the disk says no."""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress
from pathlib import Path

PART = ".part"
"""Ending of a file that is being written; what a killed run leaves of it is removed by the next."""


NO_LINKS: int = getattr(os, "O_NOFOLLOW", 0)
"""A file is never written through a symbolic link: a folder that came from elsewhere may hold one to any file."""


def digest_of(content: bytes) -> str:
    """BLAKE2b digest, 256 bit, as `b2sum -l 256` prints it."""
    return hashlib.blake2b(content, digest_size=32).hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write under another name, sync to the disk, take the name: a reader sees the old file or the new one.

    Raises
    ------
    OSError
        As the system says; the file of that name is what it was before.
    """
    part = path.with_name(path.name + PART)
    try:
        if part.is_symlink():
            part.unlink()
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_LINKS, 0o644)
        try:
            write_all(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    sync_folder(path.parent)


def write_all(handle: int, content: bytes) -> None:
    """Write every byte; the system may take fewer at a time."""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def sync_folder(folder: Path) -> None:
    """Sync the folder's own entries, where the system allows it: Windows does not."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def explain_failure(error: OSError, shown: str, kept: str) -> str:
    """Folder, reason and way out.

    Parameters
    ----------
    shown : the folder as the user named it
    kept : what is safe on the disk, such as `12 of 62 chunks are kept`
    """
    reason = error.strerror or str(error)
    again = f"{kept}; run the same command again with --resume"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"{shown}: the disk is full ({reason}). Free some space. {again}"
    if error.errno == errno.EFBIG:
        return f"{shown}: a file grew over the limit of the system ({reason}; see `ulimit -f`). Raise it. {again}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{shown}: no permission to write ({reason}). Make the folder writable, or give another one. {again}"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{shown}: a part of the path is a file, not a folder ({reason}); give another folder"
    return f"{shown}: cannot be written or read ({reason}). {again}"
