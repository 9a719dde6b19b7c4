"""What every part of the trust checks shares: a figure with its target, and how a part ends.

A part is a script of this folder. It gathers `Figure`s and hands them to `finish`, which prints them as a table, writes
them as JSON and returns the exit status: 0 if every figure meets its target.

Full runs go to `trust/results/`, which is committed and of which `docs/trust.md` is made; reduced runs go to
`trust/results_reduced/`, which git ignores. No figure, note or detail may hold a path or name of the machine: `finish`
refuses one.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TRUST = Path(__file__).resolve().parent
ROOT = TRUST.parent
RESULTS = TRUST / "results"
REDUCED = TRUST / "results_reduced"
FORMAT = 1
"""Of the JSON files; one of another format is refused by the report."""


@dataclass(frozen=True)
class Figure:
    """One figure of a part.

    Attributes
    ----------
    name : what is counted or measured, as a reader would say it; unique within a part
    value : the figure; a string where it is none, such as "not run"
    unit : of the value; empty for a plain count
    target : in words, for the size that was run: ">= 60", "0", "inside the 99 % interval"; empty for a figure that is
        only told
    met : whether the target is met; a figure that could not be had says "not run", its note says why, and `met` is
        False unless the run is one that may do without it
    note : what a reader needs to judge the figure
    """

    name: str
    value: float | int | str
    unit: str = ""
    target: str = ""
    met: bool = True
    note: str = ""


def arguments(description: str | None) -> argparse.Namespace:
    """`--full` and `--seed`, as every part takes them."""
    return parser(description).parse_args()


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with `--full` and `--seed`; a part adds its own options."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--full", action="store_true", help="full size; the reduced size runs in CI")
    made.add_argument("--seed", type=int, default=1, help="of everything drawn")
    return made


def finish(
    part: str, full: bool, seed: int, figures: Sequence[Figure], seconds: float, details: Mapping[str, Any]
) -> int:
    """Print the figures of a part and write them.

    Parameters
    ----------
    part : name of the script, without `.py`
    full : whether this was the full size
    seconds : wall-clock seconds of the part
    details : whatever else is worth keeping, as JSON: numbers, strings, lists, mappings

    Returns
    -------
    0 if every figure meets its target, 1 otherwise.

    Raises
    ------
    ValueError
        If two figures share a name, a number is not finite, or something names a path or host of this machine.
    """
    from rich.console import Console
    from rich.table import Table

    content = {
        "format": FORMAT,
        "part": part,
        "full": full,
        "seed": seed,
        **made_with(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "seconds": round(seconds, 1),
        "met": all(f.met for f in figures),
        "figures": [asdict(f) for f in figures],
        "details": dict(details),
    }
    names = [f.name for f in figures]
    if len(set(names)) != len(names):
        raise ValueError(f"trust/{part}.py: two figures share a name")
    text = json.dumps(_plain(content, part), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if found := machine_words(text):
        raise ValueError(
            f"trust/{part}.py: its result names this machine ({', '.join(found)}); leave that out"
        )
    folder = RESULTS if full else REDUCED
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{part}.json"
    half = path.with_suffix(".json.part")
    half.write_text(text, encoding="utf-8")
    os.replace(half, path)

    console = Console()
    table = Table(title=f"trust: {part}, {'full' if full else 'reduced'} size", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("target", justify="right")
    table.add_column("met")
    table.add_column("note", overflow="fold")
    for f in figures:
        met = ("yes" if f.met else "NO") if f.target else ""
        table.add_row(f.name, f"{shown(f.value)} {f.unit}".strip(), f.target, met, f.note)
    console.print(table)
    console.print(f"{path.relative_to(ROOT).as_posix()}  {seconds:.1f} s", style="dim", highlight=False)
    return 0 if content["met"] else 1


def made_with() -> dict[str, str]:
    """Versions and digests behind a result, without a name of the machine."""
    from her2.versions import digests

    of = digests()
    return {
        "version": of["version"],
        "model_digest": of["model"],
        "parameter_digest": of["parameters"],
        "posterior_digest": of["posterior"],
        "python": platform.python_version(),
        "os": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_model(),
    }


def cpu_model() -> str:
    """Model of the processor as the operating system names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def shown(value: float | int | str) -> str:
    """A value as the table shows it: counts with thousands, numbers with four digits."""
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}"


def machine_words(text: str) -> list[str]:
    """Paths and names of this machine that a text holds."""
    found = []
    for word in {str(ROOT), str(Path.home()), os.path.realpath(os.sep + "tmp") + os.sep}:
        if len(word) > 2 and word in text:
            found.append(word)
    host = socket.gethostname()
    if len(host) > 3 and re.search(rf"(?<![\w-]){re.escape(host)}(?![\w-])", text):
        found.append(host)
    return sorted(found)


def _plain(value: Any, place: str) -> Any:
    """The same as plain JSON values; NumPy scalars become Python numbers."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v, f"{place}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, f"{place}[{i}]") for i, v in enumerate(value)]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(
            f"{place}: {value} is not finite; give a string such as 'not run' and say why in the note"
        )
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"{place}: {type(value).__name__} is no JSON value")
