"""What the digits of a simulation rest on besides its inputs: code, record, posterior and numerical libraries.

Two machines with the same fingerprint run the same model; a store of results and a cluster of workers name theirs, so
that parts of different models are never joined.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from her2 import __version__
from her2.errors import ClusterError

PACKAGE = Path(__file__).resolve().parent.parent
_CODE = (
    "engine",
    "signalling",
    "pharmacology",
    "tumour",
    "patients",
    "trials",
    "sequencing",
    "survival",
    "evidence",
)
_MODULES = ("drugs.py", "model.py", "posterior.py", "units.py")
_RECORD = (
    "agents",
    "network",
    "parameters",
    "populations",
    "posterior",
    "regimens",
    "rules",
    "sequencing",
    "toxicity",
)
_LIBRARIES = ("numpy", "numba", "scipy")


def fingerprint() -> str:
    """BLAKE2b digest (128 bit) of code and record that a simulation rests on, the user's record included."""
    return _fingerprint(os.environ.get("HER2_RECORD"))


@lru_cache(maxsize=2)
def _fingerprint(user: str | None) -> str:
    h = hashlib.blake2b(digest_size=16)
    for name in _LIBRARIES:
        h.update(f"{name} {version(name)}\n".encode())
    files = [PACKAGE / name for name in _MODULES]
    for name in _CODE:
        files += (PACKAGE / name).rglob("*.py")
    for name in _RECORD:
        files += (p for p in (PACKAGE / "data" / name).rglob("*") if p.is_file())
    _add(h, PACKAGE, files)
    if user and Path(user).is_dir():
        _add(h, Path(user), list(Path(user).rglob("*.yaml")))
    return h.hexdigest()


def _add(h: hashlib.blake2b, folder: Path, files: list[Path]) -> None:
    """Names and contents of files, in the order of their names."""
    for path in sorted(files, key=lambda p: p.relative_to(folder).as_posix()):
        if "__pycache__" in path.parts:
            continue
        h.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        h.update(hashlib.blake2b(path.read_bytes(), digest_size=16).digest())


def check_fingerprint(expected: str) -> None:
    """Refuse a task that was made by another version, on the machine where it would run.

    Raises
    ------
    her2.errors.ClusterError
        If code, record or libraries differ here; the text names the machine's versions.
    """
    here = fingerprint()
    if here != expected:
        found = ", ".join((f"her2 {__version__}", *(f"{name} {version(name)}" for name in _LIBRARIES)))
        raise ClusterError(
            f"worker {os.uname().nodename if hasattr(os, 'uname') else ''}: its her2, record or libraries differ "
            f"from those of this session (fingerprint {here}, expected {expected}; it has {found}). Install the same "
            "package and lock file on every worker, set the same HER2_RECORD, and restart the workers"
        )
