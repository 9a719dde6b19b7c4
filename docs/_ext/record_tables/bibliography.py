"""BibTeX of the sources of the record, and a style whose labels are the keys of the record."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style as UnsrtStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx

from her2.evidence import load


class KeyLabels(BaseLabelStyle):
    """Labels of the bibliography are the keys of the record."""

    def format_labels(self, sorted_entries: Iterable[Any]) -> Iterable[str]:
        """One label per entry."""
        for entry in sorted_entries:
            yield entry.key


class RecordStyle(UnsrtStyle):
    """Bibliography style: plain entries, keys as labels."""

    default_label_style = KeyLabels


register_plugin("pybtex.style.labels", "record", KeyLabels)


register_plugin("pybtex.style.formatting", "record", RecordStyle)


def bibliography() -> str:
    """BibTeX of all sources of the record."""
    entries = []
    for source in load.load_sources().values():
        fields = {
            "author": " and ".join(f"{{{a.strip()}}}" for a in source.authors.split(";"))
            if source.authors
            else "",
            "title": f"{{{source.title}}}",
            "howpublished": source.journal,
            "year": str(source.year or ""),
            "doi": source.doi or "",
            "note": "; ".join(
                x
                for x in (
                    source.kind,
                    f"PMID {source.pmid}" if source.pmid else "",
                    f"grade {source.grade}" if source.grade else "",
                    source.note,
                )
                if x
            ),
        }
        body = ",\n".join(f"  {k} = {{{_bib(v)}}}" for k, v in fields.items() if v)
        entries.append(f"@misc{{{source.id},\n{body}\n}}\n")
    return "\n".join(entries)


def _bib(text: str) -> str:
    return re.sub(r"(?<!\\)([%&#])", r"\\\1", text)


def write_bibliography(app: Sphinx, _config: Any) -> None:
    """Write `_build/sources.bib` if it changed."""
    path = Path(app.srcdir) / "_build" / "sources.bib"
    text = bibliography()
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
