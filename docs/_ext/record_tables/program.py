"""Tables of the command line and of the benchmarks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from record_tables.text import Generated, code, markdown, plain

ROOT = Path(__file__).resolve().parents[3]


class CommandLine(Generated):
    """`command-line`: every command with its arguments and options, from the program itself."""

    def generate(self) -> tuple[str, list[str]]:
        import typer

        from her2.cli.main import app

        group: Any = typer.main.get_command(app)
        return plain(group.help or "") + "\n" + "".join(_describe("her2", group)), []


def _describe(path: str, group: Any) -> Iterable[str]:
    """One heading and table per command, groups opened."""
    for name, command in sorted(group.commands.items()):
        yield f"\n## {path} {name}\n\n{plain(command.help or '')}\n\n"
        if hasattr(command, "commands"):
            yield from _describe(f"{path} {name}", command)
            continue
        rows = []
        for p in command.params:
            if p.name == "help":
                continue
            is_option = p.param_type_name == "option"
            words = [*p.opts, *p.secondary_opts] if is_option else [(p.name or "").upper()]
            default = p.default
            if not isinstance(default, (int, float, str)) or isinstance(default, bool):
                default = ""
            rows.append((", ".join(map(code, words)), plain(getattr(p, "help", "") or ""), plain(default)))
        if rows:
            yield markdown(("argument or option", "meaning", "default"), rows)


class Benchmarks(Generated):
    """`benchmarks`: the measurements in benchmarks/results.json, if there are any."""

    def generate(self) -> tuple[str, list[str]]:
        path = ROOT / "benchmarks" / "results.json"
        if not path.exists():
            return "No results are stored yet; `make bench` writes `benchmarks/results.json`.\n", []
        text = ""
        for name, result in json.loads(path.read_text(encoding="utf-8")).items():
            rows = [(plain(k.replace("_", " ")), plain(v)) for k, v in _flat(result)]
            text += f"\n**{plain(name.replace('_', ' '))}**\n\n" + markdown(("measurement", "value"), rows)
        return text, []


def _flat(data: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _flat(value, f"{prefix}, {key}" if prefix else str(key))
    elif isinstance(data, list) and any(isinstance(x, (dict, list)) for x in data):
        for k, value in enumerate(data, start=1):
            yield from _flat(value, f"{prefix} {k}")
    else:
        yield prefix, f"{data:.4g}" if isinstance(data, float) else str(data)
