"""The page of the trust checks, `docs/trust.md`, made of `trust/results/*.json` and nothing else.

    python trust/report.py [--check]

writes it; with `--check` it only says whether the page is what it would write. A part without a result is "not run".
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.append(sys.path.pop(0))  # this folder last: its http.py and numbers.py are not those of Python

import argparse
import json
from pathlib import Path
from typing import Any

from common import FORMAT, RESULTS, ROOT, shown

PAGE = ROOT / "docs" / "trust.md"
PARTS = {
    "inputs": "Bad input in bulk",
    "http": "The server",
    "supply": "Supply chain",
    "strength": "Strength of the tests",
    "numbers": "Numbers",
    "shelves": "Tests by the strength of their evidence",
}
"""Parts in the order in which they run, and their titles."""
SCRIPT = {"inputs": "inputs.py", "http": "http.py", "supply": "supply.py", "strength": "strength.py",
          "numbers": "numbers.py", "shelves": "shelves.py"}  # fmt: skip


HEAD = """# Trust

What was tried to break the program, and what its numbers were held against. Each figure is printed by a script of
`trust/`; this page is made of their results (`python trust/report.py`) and is not written by hand.

<!-- not run: takes minutes to an hour; CI runs it as a job of its own -->
```sh
make trust           # every part at reduced size, as CI runs it
make trust FULL=1    # full size; writes trust/results/ and this page
```

| part | figures | met | made with her2 | on | took |
|---|---|---|---|---|---|"""
TAIL = """## Reading it

*Not run* is no result, neither good nor bad: the note says what was missing. A reduced run, as in CI, has targets of
its own size, and its figures are not shown here. The digests say which code and which numbers of the record a figure
belongs to ([](explanation/versions.md)); `make trust` names the parts whose figures are of another version than the
one at hand. What these checks mean for the use of the model is in [](credibility.md)."""


def read_part(part: str, folder: Path = RESULTS) -> dict[str, Any] | None:
    """Result of a part, or None where it has not been run.

    Raises
    ------
    ValueError
        If the file is no such result.
    """
    path = folder / f"{part}.json"
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("part") != part:
        raise ValueError(
            f"trust/{folder.name}/{path.name}: no result of format {FORMAT} of the part '{part}'"
        )
    return content


def page(folder: Path = RESULTS) -> str:
    """Text of the page."""
    results = {part: read_part(part, folder) for part in PARTS}
    lines = [HEAD]
    for part, title in PARTS.items():
        result = results[part]
        if result is None:
            lines.append(f"| {title} | | not run | | | |")
            continue
        aimed = [f for f in result["figures"] if f["target"]]
        met = sum(bool(f["met"]) for f in aimed)
        cells = (
            f"[{title}](#{_anchor(title)})", len(result["figures"]), f"{met} of {len(aimed)}", result["version"],
            result["date"], _took(result["seconds"]),
        )  # fmt: skip
        lines.append("| " + " | ".join(str(c) for c in cells) + " |")
    for part, title in PARTS.items():
        lines += ["", f"## {title}", ""]
        result = results[part]
        if result is None:
            lines.append(f"Not run at full size yet: `python trust/{SCRIPT[part]} --full`.")
            continue
        lines += ["| figure | value | target | met | note |", "|---|---|---|---|---|"]
        for f in result["figures"]:
            met = ("yes" if f["met"] else "**no**") if f["target"] else ""
            value = f"{shown(f['value'])} {f['unit']}".strip()
            cells = (_cell(f["name"]), _cell(value), _cell(f["target"]), met, _cell(f["note"]))
            lines.append("| " + " | ".join(cells) + " |")
        lines += [
            "",
            f"`trust/{SCRIPT[part]} --full --seed {result['seed']}` on {result['date']}, {_took(result['seconds'])}, "
            f"{result['cpu']}, {result['os']}, Python {result['python']}; model `{result['model_digest'][:12]}`, "
            f"parameters `{result['parameter_digest'][:12]}`, posterior `{result['posterior_digest'][:12]}`.",
        ]
    lines += ["", TAIL]
    return "\n".join(lines) + "\n"


def _anchor(title: str) -> str:
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")


def _took(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def _cell(text: str) -> str:
    """A text as a cell of a Markdown table."""
    plain = str(text).replace("\n", " ").replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "*_{}[]$":
        plain = plain.replace(mark, "\\" + mark)
    return plain


def main() -> int:
    """Write the page, or say whether it is up to date."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    text = page()
    if parser.parse_args().check:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print(f"docs/{PAGE.name}: {'up to date' if same else 'differs; python trust/report.py writes it'}")
        return 0 if same else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
