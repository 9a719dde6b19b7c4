"""The commented design file that `her2 design --template` prints."""

from __future__ import annotations

from pathlib import Path


def template_text() -> str:
    """Text of `template.yaml`, a design file with every key."""
    return (Path(__file__).parent / "template.yaml").read_text(encoding="utf-8")
