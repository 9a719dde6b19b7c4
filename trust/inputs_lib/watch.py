"""Watch what a hostile input makes the program do.

A payload counts as run if, while it is handled, the interpreter starts a program, opens a connection, loads a pickled
name or a shared library, writes or removes a file outside the payload's own folder, or reads the secret file beside it;
or if the canary file that the payload would make is there afterwards. The interpreter itself tells of all these (PEP
578), so that no copy of the program's code has to be trusted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STARTS = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "subprocess.Popen",
    "pty.spawn",
)
OTHERS = ("pickle.find_class", "socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.Request", "ftplib.connect",
          "http.client.connect", "webbrowser.open", "code.__new__")  # fmt: skip
CHANGES = (
    "os.remove",
    "os.rmdir",
    "os.rename",
    "os.link",
    "os.symlink",
    "os.mkdir",
    "os.truncate",
    "shutil.rmtree",
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Box:
    """Where one payload is let loose.

    Attributes
    ----------
    folder : the payload's own; what happens in it is allowed
    canary : a file outside it that a payload makes when it is run
    secret : a file outside it that a payload may want to read, and what it holds
    seen : what happened that must not
    """

    folder: Path
    canary: Path
    secret: Path
    word: str
    seen: list[str] = field(default_factory=list)


_current: list[Box] = []
_installed = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _current:
        return
    box = _current[-1]
    if event in STARTS or event in OTHERS:
        box.seen.append(f"{event} {str(arguments)[:120]}")
    elif event == "open":
        path, _, flags = (*arguments, None, None, None)[:3]
        if isinstance(path, int) or not isinstance(flags, int):
            return
        name = os.path.realpath(os.fsdecode(path))
        if flags & os.O_NOFOLLOW and os.path.islink(path):
            return  # the system refuses it
        if flags & _WRITES and not _allowed(name, box):
            box.seen.append(f"opened to write: {name}")
        elif name == str(box.secret):
            box.seen.append("opened the secret file")
    elif event in CHANGES:
        # of a link only the place where it is made
        for path in arguments[1:2] if event in ("os.symlink", "os.link") else arguments[:2]:
            if isinstance(path, str | bytes | os.PathLike):
                name = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(os.fsdecode(path)))),
                                    os.path.basename(os.fsdecode(path)))  # fmt: skip
                if not _allowed(name, box):
                    box.seen.append(f"{event} {name}")


def _allowed(name: str, box: Box) -> bool:
    """Whether a file may be written: the payload's own, the null device, caches of compiled code and of fonts."""
    own = str(box.folder) + os.sep
    return name.startswith(own) or name == str(box.folder) or name == os.devnull or "__pycache__" in name or (
        ".cache" in name or "matplotlib" in name or "numba" in name
    )  # fmt: skip


@contextmanager
def watched(box: Box) -> Iterator[Box]:
    """Watch what happens in the block."""
    global _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    _current.append(box)
    try:
        yield box
    finally:
        _current.pop()
        if box.canary.exists():
            box.seen.append("the canary file is there")
