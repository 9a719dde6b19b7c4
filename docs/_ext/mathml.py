"""Render formulas as MathML while building, with the converter of docutils: no scripts and no fonts from elsewhere."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def _convert(node: nodes.Element, block: bool) -> str:
    """MathML of a formula; a formula that cannot be read is a warning with its place."""
    text = node.astext()
    if block and "\\\\" in text and "\\begin" not in text:
        text = f"\\begin{{aligned}}{text}\\end{{aligned}}"
    try:
        return tex2mathml(text, as_block=block)
    except Exception as error:
        logger.warning("formula cannot be read: %s (%s)", text, error, location=node)
        return f"<code>{text}</code>"


def visit_math(self: Any, node: nodes.math) -> None:
    """Inline formula."""
    self.body.append(_convert(node, block=False))
    raise nodes.SkipNode


def visit_math_block(self: Any, node: nodes.math_block) -> None:
    """Displayed formula."""
    self.body.append(f'<div class="math">{_convert(node, block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer under the name `mathml`."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
