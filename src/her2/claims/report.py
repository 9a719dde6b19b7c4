"""Results of the claims as tables for the terminal, as JSON and as a page of the documentation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from her2.claims.run import ClaimResult, ClaimResults

if TYPE_CHECKING:
    from rich.console import Console

RESEARCH = "For research, not for treating patients."
LONGEST = 90
"""Characters of a statement in a table."""
RULE = (
    "A claim is reproduced if at least two thirds of the members of the ensemble show what it says beyond the smallest "
    "relevant effect of its readout, contradicted if at most a third do, divided in between."
)
STYLE = {
    "reproduced": "green",
    "divided": "yellow",
    "contradicted": "red",
    "held out": "dim",
    "not covered": "dim",
}


def as_json(results: ClaimResults) -> dict[str, Any]:
    """Everything that `her2 claims --json` prints."""
    from her2 import __version__

    return {
        "claims": [asdict(r) for r in results.results],
        "summary": results.summary(),
        "members": {"cell": results.members, "cohort": results.cohort_members},
        "version": __version__,
        "digest": results.digest,
        "note": RESEARCH,
    }


def print_results(results: ClaimResults, console: Console) -> None:
    """Print a table for every topic, then the totals."""
    from rich.table import Table
    from rich.text import Text

    by_topic: dict[str, list[ClaimResult]] = defaultdict(list)
    for r in results.results:
        by_topic[r.topic].append(r)
    for topic, rows in by_topic.items():
        table = Table(title=topic, title_justify="left", box=None, pad_edge=False, header_style="bold")
        table.add_column("claim", overflow="fold", min_width=max(len(r.id) for r in rows))
        table.add_column("says", overflow="fold", ratio=1)
        table.add_column("expected", no_wrap=True)
        table.add_column("model [5 %, 95 %]", justify="right", no_wrap=True)
        table.add_column("agree", justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        table.add_column("role", no_wrap=True)
        for r in rows:
            says = r.statement if not r.reason else f"{shortened(r.statement)} [{r.reason}]"
            table.add_row(
                Text(r.id), Text(shortened(says) if not r.reason else says), Text(_expectation(r)), Text(_interval(r)),
                "" if r.share is None else f"{r.share:.0%}", Text(_verdict(r), style=STYLE[r.verdict]),
                "" if r.role == "none" else r.role,
            )  # fmt: skip
        console.print(table)
        console.print()
    for line in summary_lines(results):
        console.print(Text(line))
    console.print(f"digest {results.digest}", style="dim")
    console.print(RESEARCH, style="dim")


def summary_lines(results: ClaimResults) -> list[str]:
    """Totals in words."""
    summary = results.summary()
    whole, rest = summary["all"], summary["without_structure_and_calibration"]
    lines = [
        f"{whole['executable']} executable claims: {whole['run']} run, {whole['reproduced']} reproduced, "
        f"{whole['divided']} divided, {whole['contradicted']} contradicted{_share(whole)}; "
        f"of these {whole['contradicted_with_opposite_reproduced']} whose contrary, also in the record, is reproduced; "
        f"{whole['not_covered']} not covered, "
        f"{whole['held_out_not_shown']} held out and not shown.",
        f"Without claims that took part in choosing structure or parameters: {rest['run']} run, "
        f"{rest['reproduced']} reproduced, {rest['divided']} divided, "
        f"{rest['contradicted']} contradicted{_share(rest)}.",
    ]
    if results.shows_held_out:
        held = summary["held_out"]
        shown = [r for r in results.results if r.held_out and r.share is not None]
        good = sum(r.verdict == "reproduced" for r in shown)
        lines.append(
            f"Held-out claims were run (--held-out) and are counted apart: {len(shown)} of {held['claims']} run, "
            f"{good} reproduced, {held['divided']} divided, {held['contradicted']} contradicted."
        )
    lines.append(
        f"{RULE} Ensemble: {results.members} members for cells, {results.cohort_members} for cohorts of virtual "
        "patients."
    )
    return lines


def claims_page(results: ClaimResults) -> str:
    """A page of the documentation in Markdown: totals, contradicted claims first, then every topic."""
    from her2 import __version__

    lines = [
        "# Verdicts on the claims",
        "",
        f"Written by `her2 claims --page`, version {__version__}, digest `{results.digest}`. The discussion of what is "
        "contradicted stands on the page [Claims run on the model](../explanation/claims.md).",
        "",
        *summary_lines(results),
        "",
        RESEARCH,
        "",
    ]
    for verdict in ("contradicted", "divided"):
        rows = [r for r in results.results if r.verdict == verdict]
        lines += [f"## {verdict.capitalize()} claims", "", *_markdown_table(rows), ""]
    topics = dict.fromkeys(r.topic for r in results.results)
    for topic in topics:
        rows = [r for r in results.results if r.topic == topic]
        lines += [f"## {topic.replace('_', ' ')}", "", *_markdown_table(rows), ""]
    return "\n".join(lines)


def _markdown_table(rows: Sequence[ClaimResult]) -> list[str]:
    if not rows:
        return ["None."]
    lines = [
        "| claim | says | system | expected | model [5 %, 95 %] | unit | agree | verdict | role |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        verdict = r.verdict if not r.reason else f"{r.verdict}: {r.reason}"
        cells = (
            f"`{r.id}`", r.statement, r.system, _expectation(r), _interval(r), r.unit if r.value is not None else "",
            "" if r.share is None else f"{r.share:.0%}", verdict, "" if r.role == "none" else r.role,
        )  # fmt: skip
        lines.append("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |")
    return lines


def shortened(text: str) -> str:
    """The text cut at a word if it is long."""
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " ..."


def _expectation(r: ClaimResult) -> str:
    return f"{r.readout} {r.expected}" if r.readout else ""


def _interval(r: ClaimResult) -> str:
    if r.share is None:
        return ""
    low, high = _number(r.low90), _number(r.high90)
    return f"{_number(r.value)} [{low}, {high}]"


def _number(x: float | None) -> str:
    if x is None:
        return "none"
    return f"{x:.3f}" if abs(x) < 10.0 and (abs(x) >= 0.001 or x == 0.0) else f"{x:.3g}"


def _verdict(r: ClaimResult) -> str:
    return f"{r.verdict} (held out)" if r.held_out and r.share is not None else r.verdict


def _share(counts: dict[str, Any]) -> str:
    share = counts["share_reproduced"]
    if share is None:
        return ""
    return f" ({share:.0%} reproduced, {counts['share_contradicted']:.1%} contradicted)"
