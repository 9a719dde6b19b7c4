"""Code blocks of the documentation: found, made small where the page allows it, and run as a reader would.

HTML comments right before a block, one per line, say what differs in a run:

    <!-- not run: REASON -->      needs a server, a cluster, a network, or hours; the reason is for the reader of the page
    <!-- small -->                sizes of `SMALL` in place of the shown ones
    <!-- slow -->                 with `pytest -m slow` only
    <!-- before: COMMAND -->      prepares something that a reader has, such as a file of her own
    <!-- instead: TEXT -> TEXT --> replaces text in the block
    <!-- save: FILE -->           a block that is no command (YAML): write it into the page's folder
    <!-- prints -->               a text block: what the block before it prints holds these lines; `...` stands for anything

The blocks of a page run in order in one folder of their own, with `docs` and `examples` of the checkout beside them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
COMMANDS = ("sh", "bash", "console")
SMALL = {
    "trial": {"--patients": "64", "--trials": "0", "--jobs": "1"},
    "patient": {"--members": "2", "--draws": "256", "--twins": "20", "--explained": "1", "--jobs": "1"},
    "sequence": {"--members": "2", "--draws": "256", "--twins": "20", "--jobs": "1"},
    "design": {"--members": "2", "--patients": "100", "--trials": "100", "--jobs": "1"},
    "cell": {"--members": "2"},
    "claims": {"--members": "2", "--cohort-members": "1", "--jobs": "1"},
}
"""Sizes of a small run, by command."""

_BLOCK = re.compile(
    r"(?P<notes>(?:^[ \t]*<!--.*?-->[ \t]*\n(?:[ \t]*\n)?)*)^(?P<indent> *)```(?P<language>[a-z]+)\n(?P<body>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)
_NOTE = re.compile(r"<!--\s*(not run|small|slow|before|instead|save|prints)\b:?\s*(.*?)\s*-->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes
    ----------
    line : of the page, 1 for the first
    notes : directives before it, in order
    """

    page: str
    line: int
    language: str
    body: str
    notes: tuple[tuple[str, str], ...]

    def has(self, name: str) -> bool:
        """Whether a directive is given."""
        return any(n == name for n, _ in self.notes)

    def texts(self, name: str) -> list[str]:
        """What a directive says, each time it is given."""
        return [text for n, text in self.notes if n == name]

    @property
    def is_code(self) -> bool:
        """Whether a reader would run it."""
        return self.language in (*COMMANDS, "python")

    @property
    def place(self) -> str:
        """Page and line."""
        return f"{self.page}:{self.line}"


def blocks_of(path: Path) -> list[Block]:
    """Every fenced block of a page."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            path.relative_to(ROOT).as_posix(),
            text.count("\n", 0, m.start("body")),
            m["language"],
            textwrap.dedent(m["body"]),
            tuple((n[1], n[2]) for n in _NOTE.finditer(m["notes"])),
        )
        for m in _BLOCK.finditer(text)
    ]


def pages() -> list[Path]:
    """Pages with code, in order."""
    found = [p for p in DOCS.rglob("*.md") if "_build" not in p.parts]
    return sorted(p for p in [*found, ROOT / "README.md"] if any(b.is_code for b in blocks_of(p)))


@dataclass
class Page:
    """A page being run: its folder, its variables, what it printed last."""

    folder: Path
    names: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    printed: str = ""

    def __post_init__(self) -> None:
        for name in ("docs", "examples"):
            (self.folder / name).symlink_to(ROOT / name)
        binaries = self.folder / ".bin"
        binaries.mkdir()
        for name, target in (
            ("her2", f'"{sys.executable}" -m her2.cli.main'),
            ("python", f'"{sys.executable}"'),
        ):
            (binaries / name).write_text(f'#!/bin/sh\nexec {target} "$@"\n', encoding="utf-8")
            (binaries / name).chmod(0o755)

    def run(self, block: Block) -> None:
        """Run a block, or keep what it shows; raises AssertionError with page, line and output where it fails."""
        for command in block.texts("before"):
            self._shell(command, block)
        body = block.body
        for change in block.texts("instead"):
            old, _, new = change.partition(" -> ")
            assert old in body, f"{block.place}: its text has no '{old}' to replace"
            body = body.replace(old, new)
        if block.has("save"):
            (self.folder / block.texts("save")[0]).write_text(body, encoding="utf-8")
        elif block.has("prints"):
            check_printed(body, self.printed, block.place)
        elif block.language == "python":
            self._python(body, block)
        elif block.language in COMMANDS:
            self.printed = "".join(self._line(line, block) for line in lines_of(body))

    def _python(self, body: str, block: Block) -> None:
        out = StringIO()
        with redirect_stdout(out):
            exec(compile(body, f"<{block.place}>", "exec"), self.names)  # the project's own pages
        self.printed = out.getvalue()

    def _line(self, line: str, block: Block) -> str:
        """Run one command; what it prints."""
        if block.has("small"):
            line = made_small(line)
        words = shlex.split(line, comments=True)
        if words[:1] == ["export"]:
            self.environment |= dict(w.split("=", 1) for w in words[1:])
            return ""
        plain = not re.search(r"[|;&$`*<]", line)
        if words[:1] == ["her2"] and plain and not self.environment:
            return self._here(words[1:], block)
        return self._shell(line, block)

    def _here(self, words: list[str], block: Block) -> str:
        """A command of `her2` in this process, which has compiled code and record at hand."""
        from typer.testing import CliRunner

        from her2.cli.main import app

        target = None
        if len(words) > 2 and words[-2] in (">", ">>"):
            target, mode, words = words[-1], "a" if words[-2] == ">>" else "w", words[:-2]
        done = CliRunner().invoke(app, words, input="\n" * 50)  # a question is answered by its default
        problem = repr(done.exception) if done.exception else ""
        assert done.exit_code == 0, f"{block.place}: her2 {shlex.join(words)}\n{done.output[-1500:]}{problem}"
        if target is None:
            return done.stdout
        with (self.folder / target).open(mode, encoding="utf-8") as stream:
            stream.write(done.stdout)
        return ""

    def _shell(self, line: str, block: Block) -> str:
        path = os.pathsep.join([str(self.folder / ".bin"), os.environ.get("PATH", "")])
        environment = {
            **os.environ, **self.environment, "PATH": path, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line], cwd=self.folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.place}: {line}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
        return done.stdout


def lines_of(body: str) -> Iterator[str]:
    """Commands of a block; a line that ends with a backslash goes on, and a prompt `$ ` is taken away."""
    for line in body.replace("\\\n", " ").splitlines():
        command = line.removeprefix("$ ").strip()
        if command and not command.startswith("#"):
            yield command


def made_small(line: str) -> str:
    """A command with the sizes of `SMALL`: options that are there get them, others are added."""
    head, bar, rest = line.partition("|")
    words = shlex.split(head, comments=True)
    sizes = SMALL.get(words[1], {}) if words[:1] == ["her2"] and len(words) > 1 else {}
    if not sizes:
        return line
    end = next((k for k, w in enumerate(words) if w in (">", ">>")), len(words))
    command, target = words[:end], words[end:]
    for option, value in sizes.items():
        if option in command:
            command[command.index(option) + 1] = value
        else:
            command += [option, value]
    # a redirection must not be quoted, nor a pattern that the shell fills in
    text = " ".join(w if re.fullmatch(r"[\w./*=,+:-]+", w) else shlex.quote(w) for w in command)
    return " ".join([text, *target]) + (f" {bar}{rest}" if bar else "")


def check_printed(shown: str, printed: str, place: str) -> None:
    """Whether every shown line was printed, in this order; `...` stands for anything, and runs of spaces are one."""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    at = 0
    for wanted in shown.splitlines():
        pieces = [re.escape(" ".join(p.split())) for p in wanted.split("...")]
        if not any(pieces):
            continue
        pattern = re.compile(
            r"\s*"
            + r".*?".join(pieces).strip()
            + (r".*" if wanted.rstrip().endswith("...") else "")
            + r"\s*$"
        )
        while at < len(lines) and not pattern.match(lines[at]):
            at += 1
        assert at < len(lines), (
            f"{place}: shown but not printed (in this order): {wanted!r}\n{printed[-3000:]}"
        )
        at += 1
