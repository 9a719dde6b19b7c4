"""Let long names in tables break after an underscore or a dot; what is copied or searched stays as it is."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_TABLE = re.compile(r"<table.*?</table>", re.DOTALL)
_TEXT = re.compile(r">([^<>]*[_.][^<>]*)<")
_BREAK = re.compile(r"(?<=[A-Za-z0-9])([_.])(?=[A-Za-z][A-Za-z0-9]*)")


def with_breaks(body: str) -> str:
    """The page with `<wbr>` inside the names of its tables."""

    def text(found: re.Match[str]) -> str:
        return ">" + _BREAK.sub(r"\1<wbr>", found[1]) + "<"

    return _TABLE.sub(lambda table: _TEXT.sub(text, table[0]), body)


def _on_page(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    if "body" in context:
        context["body"] = with_breaks(context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Work on every page when it is written."""
    app.connect("html-page-context", _on_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
