"""The points of OWASP ASVS 5.0 level 1: which apply, and the test of each.

    python trust/asvs.py [--check]

writes the table of `trust/asvs.yaml` into `docs/explanation/security.md`; with `--check` it only says whether the page
has it, and whether every point that applies names tests that exist.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.append(sys.path.pop(0))  # this folder last: its http.py and numbers.py are not those of Python

import argparse
import re
from pathlib import Path
from typing import Any

TRUST = Path(__file__).resolve().parent
ROOT = TRUST.parent
POINTS = TRUST / "asvs.yaml"
PAGE = ROOT / "docs" / "explanation" / "security.md"
BEGIN, END = "<!-- points: begin -->", "<!-- points: end -->"


def load_points() -> list[dict[str, Any]]:
    """The points, in the order of the standard.

    Returns
    -------
    Of each `id`, `says` (what is asked, in our words), `applies`, `why` (how it is met, or why it does not apply) and
    `tests` (`path::name` below the checkout).
    """
    import yaml

    points: list[dict[str, Any]] = yaml.safe_load(POINTS.read_text(encoding="utf-8"))["points"]
    return points


def missing_tests(points: list[dict[str, Any]]) -> list[str]:
    """Tests that a point names and that are not there, and points that apply without one."""
    found = []
    for point in points:
        if point["applies"] and not point.get("tests"):
            found.append(f"{point['id']}: applies and has no test")
        for test in point.get("tests", ()):
            path, _, name = test.partition("::")
            file = ROOT / path
            if not file.is_file() or not re.search(
                rf"^def {re.escape(name)}\(", file.read_text(encoding="utf-8"), re.MULTILINE
            ):
                found.append(f"{point['id']}: no test {test}")
    return found


def table(points: list[dict[str, Any]]) -> str:
    """The points as a table in Markdown."""
    lines = ["| point | what is asked | applies | how, or why not | tests |", "|---|---|---|---|---|"]
    for p in points:
        tests = "<br>".join(f"`{t.removeprefix('tests/')}`" for t in p.get("tests", ()))
        lines.append(
            f"| {p['id']} | {p['says']} | {'yes' if p['applies'] else 'no'} | {p['why']} | {tests} |"
        )
    return "\n".join(lines)


def page_with(points: list[dict[str, Any]], text: str) -> str:
    """The page with the table in its place.

    Raises
    ------
    ValueError
        If the page has no place for it.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name}: expected the lines '{BEGIN}' and '{END}'")
    return f"{head}{BEGIN}\n{table(points)}\n{END}{tail}"


def main() -> int:
    """Write the page, or check it."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--check", action="store_true", help="write nothing")
    asked = options.parse_args()
    points = load_points()
    text = PAGE.read_text(encoding="utf-8")
    wanted = page_with(points, text)
    if not asked.check:
        PAGE.write_text(wanted, encoding="utf-8")
    gaps = missing_tests(points)
    if asked.check and wanted != text:
        gaps.append(f"docs/explanation/{PAGE.name} is not what trust/asvs.py would write; run it")
    for gap in gaps:
        print(gap)
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())
