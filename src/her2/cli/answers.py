"""Answers given before: what a command printed, kept under a key of everything that its digits rest on.

The same question to the same package, record, libraries and processor has the same answer to the last digit, so that
it can be shown again without being computed again. Only text is kept, never code, and it is shown only if its digest
fits. Where the folder cannot be read or written, commands work as if there were none.

    HER2_CACHE=FOLDER   another folder than the user's cache
    HER2_CACHE=         no cache: everything is computed
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

VARIABLE = "HER2_CACHE"
FORMAT = 1
KEPT = 200
"""Answers kept; the oldest go first."""
LARGEST = 16 * 2**20
"""Bytes of an answer at most."""
_PACKAGE = Path(__file__).resolve().parent.parent
_NOT_READ = ("__pycache__", "web")
"""Folders of the package that no answer rests on."""
_LIBRARIES = ("numpy", "numba", "llvmlite", "scipy", "pydantic", "PyYAML", "rich", "typer")


def cache_folder(environment: Mapping[str, str] | None = None, system: str | None = None) -> Path | None:
    """Folder of the user for what can be computed again, or None if `HER2_CACHE` is empty or no home is known.

    Parameters
    ----------
    environment : default that of the process
    system : as `sys.platform`, default this machine's
    """
    known = os.environ if environment is None else environment
    chosen = known.get(VARIABLE)
    if chosen is not None:
        return Path(chosen) if chosen.strip() else None
    where = sys.platform if system is None else system
    try:
        home = Path(known["HOME"]) if "HOME" in known else Path.home()
    except RuntimeError:
        return None
    if where == "win32":
        return Path(known.get("LOCALAPPDATA") or home / "AppData" / "Local") / "her2" / "Cache"
    if where == "darwin":
        return home / "Library" / "Caches" / "her2"
    base = known.get("XDG_CACHE_HOME", "")
    # the XDG standard: a path that is not absolute is ignored
    return (Path(base) if base.startswith("/") else home / ".cache") / "her2"


@dataclass(frozen=True)
class Question:
    """A command and everything its answer rests on.

    Attributes
    ----------
    key : BLAKE2b digest of it, 256 bit
    folder : where answers are, or None
    """

    key: str
    folder: Path | None

    @classmethod
    def of(cls, command: str, settings: Mapping[str, object], files: Iterable[Path] = ()) -> Question:
        """The question a command asks.

        Parameters
        ----------
        settings : options that change what is printed, with the width and colours of the terminal
        files : of the user, whose content counts; those that are not there count as such
        """
        folder = cache_folder()
        if folder is None:
            return cls("", None)
        h = hashlib.blake2b(digest_size=32)
        own = {k: v for k, v in sorted(os.environ.items()) if k.startswith("HER2_") and k != VARIABLE}
        about = [
            FORMAT,
            command,
            dict(settings),
            own,
            sys.version,
            _processor(),
            {n: _version(n) for n in _LIBRARIES},
        ]
        h.update(json.dumps(about, sort_keys=True, default=str).encode())
        user = os.environ.get("HER2_RECORD")
        try:
            for root in (_PACKAGE, *((Path(user),) if user else ())):
                _add_folder(h, root)
            for path in files:
                h.update(path.read_bytes() if path.is_file() else b"no file")
        except OSError:
            return cls("", None)
        return cls(h.hexdigest(), folder)

    @property
    def _path(self) -> Path:
        assert self.folder is not None
        return self.folder / "answers" / f"{self.key[:40]}.txt"

    def recall(self) -> Answer | None:
        """The answer, if it was given before and is undamaged."""
        if self.folder is None:
            return None
        try:
            if self._path.stat().st_size > LARGEST:
                return None
            head, _, body = self._path.read_bytes().partition(b"\n")
            about = json.loads(head)
            text = body.decode()
        except (OSError, ValueError):
            return None
        expected = {"format": FORMAT, "key": self.key, "blake2b": _digest(body)}
        if not isinstance(about, dict) or any(about.get(k) != v for k, v in expected.items()):
            return None
        return Answer(text, str(about.get("when")))

    def keep(self, text: str) -> None:
        """Keep an answer; without a word where that is not possible."""
        body = text.encode()
        if self.folder is None or len(body) > LARGEST:
            return
        # these are slow to import and not needed to show an answer again
        from datetime import UTC, datetime

        from her2.store.files import write_whole

        when = datetime.now(UTC).isoformat(timespec="seconds")
        head = {"format": FORMAT, "key": self.key, "blake2b": _digest(body), "when": when}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._path, json.dumps(head, sort_keys=True).encode() + b"\n" + body)
            every = sorted(self._path.parent.glob("*.txt"), key=lambda p: p.stat().st_mtime, reverse=True)
            for old in every[KEPT:]:
                old.unlink(missing_ok=True)
        except OSError:
            return


@dataclass(frozen=True)
class Answer:
    """What was printed, and when it was computed (UTC, ISO 8601)."""

    text: str
    when: str


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32).hexdigest()


def _add_folder(h: hashlib.blake2b, root: Path) -> None:
    """Names and contents of all files, in the order of their names."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in _NOT_READ)
        for name in sorted(names):
            path = Path(folder, name)
            content = path.read_bytes()
            h.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
            h.update(content)


def _processor() -> str:
    """Type of processor: others can differ in the last bits of a few functions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    model = next(
        (x.partition(":")[2].strip() for x in lines if x.startswith("model name")), platform.processor()
    )
    return f"{platform.system()} {platform.machine()} {model}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
