"""What a result was made with: one version and one digest for each thing that can change on its own.

Code, record, parameters, posterior and numerical libraries change at different times and for different reasons, so each
has its own name here; `data/` follows its own course beside the code. A result that keeps these digests says, years
later, what has changed since: `compare` names the parts that differ, and what to do about each.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from her2 import __version__

PACKAGE = Path(__file__).resolve().parent
DATA = PACKAGE / "data"
MODEL_CODE = (
    "engine",
    "signalling",
    "pharmacology",
    "tumour",
    "patients",
    "trials",
    "sequencing",
    "survival",
)
"""Folders of code that a simulated digit goes through."""
MODEL_MODULES = ("drugs.py", "model.py", "posterior.py", "units.py")
MADE = ("posterior", "validation", "sensitivity")
"""Folders of `data/` that the program makes; everything else there is record."""
LIBRARIES = ("numpy", "numba", "scipy")

WAY_OUT = {
    "version": "install that version of her2",
    "model": "the equations or their code changed: install the version, or check out the commit, that made it",
    "record": "reviewed data changed (`data/`): the text of claims, trials or agents behind a number may differ",
    "parameters": "values or priors of parameters changed: predictions move; simulate again to see by how much",
    "posterior": "the fit was made anew: predictions move; simulate again, or install the version that made it",
    "own_record": "set HER2_RECORD to the folder that was used, as it was then",
    "code_and_record": "code, record, posterior or libraries changed; such patients are not gone on with: begin anew",
    "libraries": "install the listed versions (requirements/dev.lock) for the same last digits",
}
"""What to do where a part differs."""


@dataclass(frozen=True)
class Difference:
    """A part of what a result was made with that is not as it is here.

    Attributes
    ----------
    part : key of `digests`
    then, now : version or digest; empty if it was not kept
    """

    part: str
    then: str
    now: str

    @property
    def way_out(self) -> str:
        """What to do about it."""
        return WAY_OUT.get(self.part, "")


def digests() -> dict[str, str]:
    """Version of the code, digests of model, record, parameters, posterior and the user's own record, and libraries.

    Digests are BLAKE2b, 128 bit, over the names and contents of files; that of the posterior is 256 bit over the
    ensemble alone, as a run record has always held it. The user's own record is "" without `HER2_RECORD`.
    """
    return dict(_digests(os.environ.get("HER2_RECORD") or ""))


@lru_cache(maxsize=2)
def _digests(user: str) -> dict[str, str]:
    code = [PACKAGE / name for name in MODEL_MODULES]
    for name in MODEL_CODE:
        code += (PACKAGE / name).rglob("*.py")
    record = [p for p in DATA.rglob("*") if p.is_file() and p.relative_to(DATA).parts[0] not in MADE]
    ensemble = DATA / "posterior" / "ensemble.tsv"
    own = list(Path(user).rglob("*.yaml")) if user and Path(user).is_dir() else []
    return {
        "version": __version__,
        "model": _digest(code, PACKAGE),
        "record": _digest(record, DATA),
        "parameters": _digest((p for p in record if p.parent == DATA / "parameters"), DATA),
        "posterior": hashlib.blake2b(ensemble.read_bytes(), digest_size=32).hexdigest()
        if ensemble.is_file()
        else "",
        "own_record": _digest(own, Path(user)) if own else "",
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }


def compare(then: Mapping[str, str]) -> tuple[Difference, ...]:
    """What differs here from what a result was made with.

    Parameters
    ----------
    then : as `digests` gave it; a part that is missing there is left out, since nothing is known of it
    """
    now = digests()
    return tuple(
        Difference(part, str(then[part]), now[part])
        for part in now
        if part in then and str(then[part]) != now[part]
    )


def _digest(files: Iterable[Path], folder: Path) -> str:
    """Names and contents of files, in the order of their names; compiled files and backups left out."""
    h = hashlib.blake2b(digest_size=16)
    for path in sorted(files, key=lambda p: p.relative_to(folder).as_posix()):
        if "__pycache__" in path.parts or path.suffix in (".orig", ".part"):
            continue
        h.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        h.update(hashlib.blake2b(path.read_bytes(), digest_size=16).digest())
    return h.hexdigest()
