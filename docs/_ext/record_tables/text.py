"""Pieces of Markdown that the tables are made of, and the directive they are put in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from her2.errors import Her2Error
from her2.evidence import load

logger = logging.getLogger(__name__)


_ESCAPE = re.compile(r"([\\`*_\[\]<>|$~#{}])")


def plain(text: object) -> str:
    """Text that Markdown leaves as it is."""
    return _ESCAPE.sub(r"\\\1", " ".join(str(text).split()))


def code(text: object) -> str:
    """Text as code inside a table cell."""
    bar = r"\|"
    return f"`{str(text).replace('|', bar)}`" if str(text) else ""


@lru_cache(maxsize=1)
def _sources() -> frozenset[str]:
    """Keys of the bibliography, read once per build."""
    return frozenset(load.load_sources())


def cite(source: str | None, locator: str = "") -> str:
    """Citation of a source of the record with its locator."""
    if not source:
        return plain(locator)
    if source not in _sources():
        return f"{code(source)} {plain(locator)}".strip()
    return f"{{cite:p}}`{source}` {plain(locator)}".strip()


def places(entry: Any) -> str:
    """Places of an entry in the reviews, as short as they go."""
    found: dict[str, list[str]] = {}
    for place in entry.places:
        lines = f"{place.line_start}" + (f"-{place.line_end}" if place.line_end != place.line_start else "")
        found.setdefault(place.source, []).append(lines)
    return "; ".join(cite(source, "lines " + ", ".join(lines)) for source, lines in found.items())


def number(value: float | None, digits: int = 4) -> str:
    """A number for reading."""
    return "" if value is None else f"{float(f'{value:.{digits}g}'):g}"


def markdown(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(headers) + " |", "|" + "---|" * len(headers)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def link(kind: str, name: str, known: Iterable[str]) -> str:
    """Link to the anchored row of a parameter or claim; plain code where the record lacks it."""
    return f"{{ref}}`{name} <{kind}-{name}>`" if name in known else code(name)


class Generated(SphinxDirective):
    """Base: the subclass gives Markdown, and anchors for the rows of its first table."""

    optional_arguments = 20
    final_argument_whitespace = False
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Parse the generated text; a record that cannot be read is a warning at the directive's place."""
        self.env.note_reread()
        try:
            text, anchors = self.generate()
        except Her2Error as error:
            logger.warning("%s: %s", self.name, error, location=self.get_location())
            return []
        parsed = self.parse_text_to_nodes(text)
        if anchors:
            self._anchor(parsed, anchors)
        return parsed

    def generate(self) -> tuple[str, list[str]]:
        """Markdown, and one label per row of the first table (or none)."""
        raise NotImplementedError

    def _anchor(self, parsed: list[nodes.Node], anchors: list[str]) -> None:
        labels = self.env.domains["std"].data["labels"]
        names = self.env.domains["std"].data["anonlabels"]
        rows = [
            row for node in parsed for body in node.findall(nodes.tbody) for row in body.findall(nodes.row)
        ]
        for row, label in zip(rows, anchors, strict=False):
            identifier = nodes.make_id(label)
            row["ids"].append(identifier)
            key = label.lower()
            labels[key] = (self.env.docname, identifier, label.partition("-")[2])
            names[key] = (self.env.docname, identifier)
