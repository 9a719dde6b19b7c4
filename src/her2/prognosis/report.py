"""The prediction of one patient as text: what is known and missing, escape routes, options with their courses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from her2.prognosis.result import Course, Finding, PatientResult, Refusal, Sentence
from her2.prognosis.sentences import month, plain_name
from her2.prognosis.weights import Rate, Times
from her2.sequencing.advice import NOT_STORED

if TYPE_CHECKING:
    from rich.console import Console

NOT_ADVICE = (
    "Not medical advice. Predictions of a model fitted to two reviews, for groups of virtual patients."
)
MOST_IDS = 8


def print_patient(result: PatientResult, console: Console, *, rules: bool = False) -> None:
    """Print everything said of one patient.

    Parameters
    ----------
    rules : the rules' full answer, as `her2 options` prints it, in place of its summary
    """
    console.print(f"{result.research_use} {NOT_STORED}", style="italic")
    console.print(NOT_ADVICE, style="italic")
    print_findings(result.findings, console)
    _print_known(result, console)
    print_refusals(result.refusals, console)
    _said(result.sentences, "twins", "Virtual patients like this one", console)
    _print_routes(result, console)
    if rules:
        from her2.sequencing.report import print_advice

        print_advice(result.advice, console)
    else:
        _print_rules(result, console)
    if result.courses:
        _print_courses(result, console)
    _said(result.sentences, "not predicted", "Options without a predicted course", console)
    for course in result.courses:
        _said(
            result.sentences, f"limits:{course.regimen}", f"What limits {plain_name(course.regimen)}", console
        )
    _said(result.sentences, "missing", "Not known, and what it would change (first the most)", console)
    run = result.run
    console.print()
    followed = f"{run.members} members of the posterior · followed for {run.horizon_months:.0f} months · "
    console.print(
        f"seed {run.seed} · {followed if run.members else ''}her2 {run.version} · run {run.digest or 'none'}",
        style="dim", markup=False, highlight=False,
    )  # fmt: skip


def heading(text: str, console: Console) -> None:
    """A heading with a blank line before it."""
    console.print()
    console.print(text, style="bold", markup=False, highlight=False)


def bullets(entries: Iterable[str], console: Console) -> None:
    """Entries, each with a dash."""
    from rich.padding import Padding
    from rich.text import Text

    for entry in entries:
        console.print(Padding(Text(f"- {entry}"), (0, 0, 0, 1)))


def with_ids(text: str, ids: Sequence[str]) -> str:
    """A sentence with the entries it rests on."""
    if not ids:
        return text
    shown = list(dict.fromkeys(ids))
    more = f", and {len(shown) - MOST_IDS} more" if len(shown) > MOST_IDS else ""
    return f"{text} [{', '.join(shown[:MOST_IDS])}{more}]"


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """What was missing or wrong in what was read."""
    if findings:
        heading("Found when reading the case", console)
        bullets((f.text for f in findings), console)


def print_refusals(refusals: Sequence[Refusal], console: Console) -> None:
    """Why nothing is predicted."""
    if refusals:
        heading("No course is predicted", console)
        bullets((f"{r.says} ({', '.join(r.items)})" for r in refusals), console)


def _said(sentences: Sequence[Sentence], about: str, title: str, console: Console) -> None:
    mine = [s for s in sentences if s.about == about]
    if mine:
        heading(title, console)
        bullets((with_ids(s.text, s.ids) for s in mine), console)


def _print_known(result: PatientResult, console: Console) -> None:
    words = {
        "fixed": "in every twin", "selected": "twins on this side", "history": "weighs the twins",
        "rules": "rules only",
    }  # fmt: skip
    heading("Known", console)
    groups: dict[str, list[str]] = {}
    if result.refused:
        bullets(["; ".join(f"{f.item} {f.value}" for f in result.known if f.item != "population")], console)
        return
    for fact in result.known:
        groups.setdefault(fact.use, []).append(f"{fact.item} {fact.value}")
    bullets((f"{words[use]}: {'; '.join(groups[use])}" for use in words if use in groups), console)


def _print_routes(result: PatientResult, console: Console) -> None:
    from rich.table import Table

    if not result.routes:
        return
    table = Table(
        title="Escape routes: of 100 such patients, without and with the history", title_justify="left",
        title_style="bold",
    )  # fmt: skip
    table.add_column("route", overflow="fold")
    for column in ("without", "with", "error"):
        table.add_column(column, justify="right")
    table.add_column("record", overflow="fold")
    for r in result.routes:
        prior = "" if r.prior is None else f"{100 * r.prior:.0f}"
        error = "known" if r.known else f"{100 * r.posterior_error:.0f}"
        table.add_row(r.label, prior, f"{100 * r.posterior:.0f}", error, ", ".join(r.ids[:4]))
    console.print()
    console.print(table, markup=False)
    _said(result.sentences, "routes", "What the history says of them", console)
    moved = [
        f"{c.id.replace('_', ' ')} {c.prior_log10:.1f} to {c.posterior_log10:.1f}" for c in result.clones
    ]
    if moved:
        ids = tuple(dict.fromkeys(i for c in result.clones for i in c.ids))
        heading(
            "Resistant subclones before the first line, median log10 fraction without and with the history",
            console,
        )
        bullets([with_ids("; ".join(moved), ids)], console)


def _print_rules(result: PatientResult, console: Console) -> None:
    """The rules' answer in short: `her2 options` has all of it."""
    advice = result.advice
    said = [f"{f.decision}: {f.says}" for f in advice.gate]
    if advice.refused:
        said.append("no option is given for this case")
    for o in advice.options:
        if o.is_advice:
            first = o.grounds[0]
            own = " (a rule of yours)" if first.user else ""
            text = f"{o.position}. {plain_name(o.regimen)} ({o.strength}): {first.says}{own} ({', '.join(first.lines)})"
            said.append(with_ids(text, [g.rule for g in o.grounds]))
    others = [o for o in advice.options if not o.is_advice]
    if others:
        said.append(
            f"{len(others)} regimens only of trials and hypotheses (--rules, or her2 options, shows them)"
        )
    for j in advice.judged:
        said.append(with_ids(f"asked: {plain_name(j.regimen)}: {j.verdict} ({j.says})", j.rules))
    for c in advice.conflicts:
        ids = (*c.rules, *c.against, *c.record)
        said.append(with_ids(f"conflict: {c.says}; {c.how} ({', '.join(c.lines)})", ids))
    said += [f"gap: {g}" for g in advice.gaps]
    heading("What the rules give", console)
    bullets(said, console)


def _print_courses(result: PatientResult, console: Console) -> None:
    from rich.table import Table

    until = result.courses[0].brain_months
    title = "Predicted, out of 100 such patients; times in months: median, half of the patients, nine in ten"
    table = Table(title=title, title_justify="left", title_style="bold", show_lines=True)
    columns = (
        "option",
        "respond",
        "no progression",
        "alive",
        "next therapy",
        f"brain by {until:.0f}",
        "grade 3-4",
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    for c in result.courses:
        place = f"{c.position}. " if c.position is not None else ""
        table.add_row(
            f"{place}{plain_name(c.regimen)}\n{c.doses}", rate_cell(c.orr), times_cell(c.pfs), times_cell(c.os),
            times_cell(c.next_therapy), rate_cell(c.brain), toxicity_cell(c),
        )  # fmt: skip
    console.print()
    console.print(table, markup=False)
    bullets(
        (with_ids(f"{plain_name(c.regimen)} rests on", (*c.rules, *c.ids)) for c in result.courses), console
    )
    later = dict.fromkeys(f"{plain_name(r)} [{rule}]" for c in result.courses for r, rule in c.later)
    if later:
        console.print(
            "After progression the twins go on by the rules of the trial engine: " + ", then ".join(later) + ".",
            style="dim", markup=False, highlight=False,
        )  # fmt: skip
    unlisted = sorted({a for c in result.courses for a in c.unlisted})
    if unlisted:
        console.print(f"No adverse events in the record: {', '.join(unlisted)}.", style="dim", markup=False)


def rate_cell(rate: Rate) -> str:
    """Number out of 100 with its limits."""
    return (
        f"{rate.of_100}\n50 %: {rate.interval_50[0]}-{rate.interval_50[1]}\n"
        f"90 %: {rate.interval_90[0]}-{rate.interval_90[1]}"
    )


def times_cell(times: Times) -> str:
    """Median with the limits over patients."""

    def between(limits: tuple[float | None, float | None]) -> str:
        return f"{_short(limits[0])}-{_short(limits[1])}"

    return f"{_short(times.median)}\n50 %: {between(times.interval_50)}\n90 %: {between(times.interval_90)}"


def _short(x: float | None) -> str:
    return ">" if x is None else month(x)


def toxicity_cell(c: Course) -> str:
    """Patients with any event, and the most frequent terms."""
    terms = "\n".join(f"{e.label} {e.rate.of_100}" for e in c.events[:3])
    return f"{rate_cell(c.severe)}\n{terms}".rstrip()
