"""The rules' answer as text: options with their reasons, what is not to be given, conflicts, gaps and missing items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from her2.sequencing.advice import NOT_STORED, Advice, Ground, Option
from her2.sequencing.rulebook import NO_ADVICE

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_MISSING = 8
SHOWN_UNDECIDED = 8
EVERYWHERE = ("setting: ", "HER2: ", "phase: ")
"""Reasons that hold for nearly every rule; left out of the table, kept in JSON."""


def print_advice(advice: Advice, console: Console, trials: bool = True, reasons: int = 3) -> None:
    """Print everything the rules say.

    Parameters
    ----------
    trials : also what is only the object of a trial or a hypothesis
    reasons : rules named per option; the rest is counted
    """
    console.print(f"{advice.research_use} {NOT_STORED}", style="italic")
    _print_gate(advice, console)
    if not advice.refused:
        _print_options(advice, console, trials, reasons)
        _print_set_aside(advice, console)
    _print_judged(advice, console)
    _print_forbidden(advice, console)
    _print_conflicts(advice, console)
    _print_remarks(advice, console)
    _print_list("Gaps", advice.gaps, console)
    _print_undecided(advice, console)
    _print_missing(advice, console)


def _heading(text: str, console: Console) -> None:
    console.print()
    console.print(text, style="bold")


def _print_list(title: str, entries: Iterable[str], console: Console) -> None:
    from rich.padding import Padding

    entries = list(entries)
    if entries:
        _heading(title, console)
        for entry in entries:
            console.print(Padding(f"- {entry}", (0, 0, 0, 1)), markup=False, highlight=False)


def _print_gate(advice: Advice, console: Console) -> None:
    said = [f"{f.decision}: {f.says}" for f in advice.gate]
    _print_list("Outside this model", said, console)
    if advice.refused:
        _heading("No option is given for this case.", console)


def _print_options(advice: Advice, console: Console, trials: bool, reasons: int) -> None:
    from rich.table import Table

    advised = [o for o in advice.options if o.is_advice]
    if advised:
        table = Table(title="Options, in order", title_justify="left", title_style="bold", show_lines=True)
        for column in ("", "option", "strength", "rules: what they say, why they apply, where they stand"):
            table.add_column(column, overflow="fold")
        for option in advised:
            said = [*_reasons(option.grounds, reasons), *(f"! {mark}" for mark in option.marks)]
            table.add_row(str(option.position), _plain(option.regimen), _strength(option), "\n".join(said))
        console.print()
        console.print(table, markup=False)
    others = [o for o in advice.options if not o.is_advice]
    if others and trials:
        table = Table(
            title="No advice: the object of trials and hypotheses of the reviews", title_justify="left",
            title_style="bold",
        )  # fmt: skip
        for column in ("", "option", "strength", "rule", "lines"):
            table.add_column(column)
        for option in others:
            first = option.grounds[0]
            rules = "\n".join(g.rule for g in option.grounds)
            table.add_row(
                str(option.position), _plain(option.regimen), option.strength, rules, first.lines[0]
            )
        console.print()
        console.print(table, markup=False)
    elif others:
        console.print(f"and {len(others)} regimens of trials and hypotheses (--trials shows them)")


def _strength(option: Option) -> str:
    first = option.grounds[0]
    return f"{option.strength}\n{first.authority} {first.date}, rank {option.rank}"


def _reasons(grounds: Sequence[Ground], most: int) -> list[str]:
    parts = []
    for ground in grounds[:most]:
        wider = f" (as any {ground.offered_as})" if ground.offered_as else ""
        own = " (yours)" if ground.user else ""
        because = "; ".join(b for b in ground.because if not b.startswith(EVERYWHERE))
        parts.append(f"{ground.rule}{own}, {ground.strength}{wider}: {ground.says}")
        parts.append(f"  {because + '; ' if because else ''}{', '.join(ground.lines)}")
        parts += [
            f"  {word}: {text}" for word, text in (("read", ground.reading), ("note", ground.note)) if text
        ]
    if len(grounds) > most:
        parts.append("also " + ", ".join(g.rule for g in grounds[most:]))
    return parts


def _plain(regimen: str) -> str:
    return regimen.replace("+", " + ")


def _print_set_aside(advice: Advice, console: Console) -> None:
    said = []
    for why, group in groupby(sorted(advice.set_aside, key=lambda s: s.why), key=lambda s: s.why):
        said.append(f"{', '.join(_plain(s.regimen) for s in group)}: {why}")
    _print_list("Set aside", said, console)


def _print_judged(advice: Advice, console: Console) -> None:
    said = [f"{_plain(j.regimen)}: {j.verdict} ({j.says}){_rules(j.rules)}" for j in advice.judged]
    _print_list("What you asked about", said, console)


def _rules(rules: Sequence[str]) -> str:
    return f" [{', '.join(rules)}]" if rules else ""


def _print_forbidden(advice: Advice, console: Console) -> None:
    said = []
    for entry in advice.forbidden:
        what = (
            f"any regimen with {_plain(entry.regimen)}"
            if entry.meaning == "any_with"
            else _plain(entry.regimen)
        )
        lifted = (
            f"; but offered by {', '.join(entry.lifted_by)}, which comes first" if entry.lifted_by else ""
        )
        ground = entry.ground
        said.append(
            f"{what}: {ground.says} ({ground.rationale}) [{ground.rule}; {', '.join(ground.lines)}]{lifted}"
        )
    _print_list("Not to be given", said, console)


def _print_conflicts(advice: Advice, console: Console) -> None:
    said = []
    for conflict in advice.conflicts:
        kept = f"; in the record: {', '.join(conflict.record)}" if conflict.record else ""
        said.append(f"{conflict.says}; {conflict.how}{kept}")
    _print_list("Rules that contradict each other", said, console)


def _print_remarks(advice: Advice, console: Console) -> None:
    said = []
    for remark in advice.remarks:
        about = f" (with {', '.join(remark.about)})" if remark.about else ""
        said.append(f"{remark.says}{about} [{remark.ground.rule}; {', '.join(remark.ground.lines)}]")
    _print_list("Remarks", said, console)


def _print_undecided(advice: Advice, console: Console) -> None:
    entries = [u for u in advice.undecided if u.strength not in NO_ADVICE and (u.offers or u.avoids)]
    said = [f"{u.rule} hangs on {', '.join(u.needs)}: {u.says}" for u in entries[:SHOWN_UNDECIDED]]
    rest = len(advice.undecided) - len(said)
    if rest > 0:
        said.append(f"and {rest} more rules")
    _print_list("Undecided, because something is not known", said, console)


def _print_missing(advice: Advice, console: Console) -> None:
    changing = [m for m in advice.missing if m.effect not in ("inside the model or not", "remarks")]
    said = []
    for entry in changing[:SHOWN_MISSING]:
        outcomes = "; ".join(f"{o.value}: {o.changes}" for o in entry.outcomes)
        said.append(f"{entry.label} (would change: {entry.effect}). {outcomes}")
    if len(changing) > SHOWN_MISSING:
        said.append("then " + ", ".join(m.label for m in changing[SHOWN_MISSING:]))
    outside = [m.label for m in advice.missing if m.effect == "inside the model or not"]
    if outside:
        said.append("could lie outside the model: " + ", ".join(outside))
    _print_list("Not known, and what it would change", said, console)
