"""What the numbers of one patient say, sentence by sentence, each with the entries of the record it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from her2.prognosis.result import Course, LimitOf, PatientResult, RouteWeight, Sentence
from her2.prognosis.weights import Rate, Times
from her2.sequencing.agents import is_a

SHOWN_ROUTES, SHOWN_LIMITS, SHOWN_MISSING = 6, 3, 5
EVIDENCE_WORDS = {
    "meta_analysis": "meta-analysis",
    "prospective": "prospective trials",
    "rct_subgroup": "subgroups of randomised trials",
    "retrospective": "retrospective studies",
    "xenograft": "xenografts",
    "in_vitro": "cells in culture",
}
CLEAR = 1.5
"""Monte-Carlo standard errors by which a share has to differ from another to be said to rise or fall."""


def sentences_of(result: PatientResult) -> tuple[Sentence, ...]:
    """Everything said of a patient's course; a refusal is one of the sentences."""
    return tuple(_sentences(result))


def _sentences(result: PatientResult) -> Iterator[Sentence]:
    for reason in result.refusals:
        yield Sentence("refusal", f"No course is predicted: {reason.says}.", reason.items)
    if result.twins is not None:
        t = result.twins
        ids = tuple(dict.fromkeys(i for f in result.known for i in f.ids))
        yield Sentence(
            "twins",
            f"Of {t.drawn:,} virtual patients {t.agreeing:,} have what is known and {t.fitting:,} could have had this "
            f"history; weighted by how well they fit they count for {t.effective:.0f} (at least {t.least:.0f} are "
            f"needed). They come from {t.members} members of the posterior.",
            ids,
        )
    yield from _routes(result)
    for course in result.courses:
        yield _course(course)
        yield from _limits(course, {c.regimen for c in result.courses})
    for left in result.not_predicted:
        ids = left.rules or tuple(left.regimen.split("+"))
        yield Sentence("not predicted", f"{left.regimen}: no course predicted, {left.says}.", ids)
    yield from _missing(result, result.courses[0].regimen if result.courses else "")


def _routes(result: PatientResult) -> Iterator[Sentence]:
    moved = [r for r in result.routes if r.prior is not None and not r.known and _differs(r)]
    for r in moved[:SHOWN_ROUTES]:
        assert r.prior is not None
        way = "likelier" if r.posterior > r.prior else "less likely"
        yield Sentence(
            "routes",
            f"The history makes it {way} that this is {_article(r.label)}: {100 * r.prior:.0f} of 100 without the "
            f"history, {100 * r.posterior:.0f} of 100 with it (Monte-Carlo error {100 * r.posterior_error:.0f}).",
            (*r.ids, *r.claims),
        )
    if result.routes and not moved and any(f.use == "history" for f in result.known):
        yield Sentence(
            "routes",
            "The history says little about the escape routes: no share moves by more than its Monte-Carlo error.",
            tuple(i for r in result.routes for i in r.ids[:1]),
        )


def _article(label: str) -> str:
    """A label as the object of a sentence."""
    return f"a tumour with: {label}" if not label.startswith("a ") else label


def _differs(r: RouteWeight) -> bool:
    assert r.prior is not None and r.prior_error is not None
    error: float = (r.prior_error**2 + r.posterior_error**2) ** 0.5
    return abs(r.posterior - r.prior) > CLEAR * error


def _course(c: Course) -> Sentence:
    place = f"option {c.position} of the rules" if c.position is not None else "named by you"
    events = ", ".join(f"{e.label} {e.rate.of_100}" for e in c.events[:3])
    toxic = f" ({events})" if events else ""
    return Sentence(
        f"course:{c.regimen}",
        f"{plain_name(c.regimen)}, {place}: of 100 such patients {count(c.orr)} respond; "
        f"{median_time('without progression', c.pfs.median)}{_nine(c.pfs)}, {median_time('alive', c.os.median)}"
        f"{_nine(c.os)}; {count(c.brain)} have progressed in "
        f"the brain by {c.brain_months:.0f} months; "
        f"{count(c.severe)} have an adverse event of grade 3-4{toxic}.",
        (*c.rules, *c.ids, *(rule for _, rule in c.later)),
    )


def count(rate: Rate) -> str:
    """`34 (90 %: 25-44)`."""
    low, high = rate.interval_90
    return f"{rate.of_100} (90 %: {low}-{high})"


def median_time(what: str, months: float | None) -> str:
    """`half are alive for 21 months or longer`, or that more than half are to the end of follow-up."""
    if months is None:
        return f"more than half are {what} to the end of follow-up"
    return f"half are {what} for {month(months)} months or longer"


def _nine(times: Times) -> str:
    """The limits between which nine tenths of the patients lie."""
    low, high = times.interval_90
    return f" (nine in ten: {month(low)} to {month(high)})"


def month(x: float | None) -> str:
    """Months, or that the time is not reached."""
    return "not reached" if x is None else f"{x:.1f}" if x < 20.0 else f"{x:.0f}"


def plain_name(regimen: str) -> str:
    """`a + b` for `a+b`."""
    return regimen.replace("+", " + ")


def _limits(c: Course, predicted: set[str]) -> Iterator[Sentence]:
    costly = [x for x in c.limits if x.gain.value > 0.0 and x.gain.interval_50[0] > 0.0]
    for limit in costly[:SHOWN_LIMITS]:
        yield Sentence(f"limits:{c.regimen}", limit_text(c.regimen, limit, predicted), limit_ids(limit))
    if c.limits and not costly:
        yield Sentence(
            f"limits:{c.regimen}",
            f"On {plain_name(c.regimen)} no single escape route costs a time that can be told from nothing.",
            tuple(x.ids[0] for x in c.limits),
        )


def limit_text(regimen: str, limit: LimitOf, predicted: set[str]) -> str:
    """What an escape route costs on an option, and what the record names against it."""
    low, high = limit.gain.interval_90
    text = (
        f"On {plain_name(regimen)}: {limit.label} ({100 * limit.carriers:.0f} of 100). The same twins without it stay "
        f"{limit.gain.value:.1f} months longer without progression on average (90 %: {low:.1f} to {high:.1f}; within "
        f"{limit.restriction_months:.0f} months), those who have it {limit.carriers_gain:.1f} months."
    )
    if limit.not_entering > 0.01:
        text += f" Without it {100 * limit.not_entering:.0f} of 100 of them would not have come to this line."
    return f"{text} {overcome_text(regimen, limit, predicted)}"


def overcome_text(regimen: str, limit: LimitOf, predicted: set[str]) -> str:
    """What the record names against a route, on what evidence, and what of it the options have that are predicted."""
    named = list(dict.fromkeys(o.what for o in limit.overcome))
    if not named:
        return "The record names nothing against it."
    evidence = list(dict.fromkeys(e for o in limit.overcome for e in o.evidence))
    listed = ", ".join(plain_name(w) for w in named)
    based = (
        f" (evidence on the mechanism: {', '.join(EVIDENCE_WORDS.get(e, e) for e in evidence)})"
        if evidence
        else ""
    )
    own = [plain_name(w) for w in named if is_within(w, regimen)]
    others = [plain_name(p) for p in sorted(predicted - {regimen}) if any(is_within(w, p) for w in named)]
    parts = [f"The record names against it: {listed}{based}"]
    if own:
        parts.append(f"{', '.join(own)} is part of this option already")
    if others:
        parts.append(f"among the options predicted: {', '.join(others)}")
    return "; ".join(parts) + "."


def limit_ids(limit: LimitOf) -> tuple[str, ...]:
    """Entries behind a limit and behind what is named against it."""
    return tuple(dict.fromkeys((*limit.ids, *(c for o in limit.overcome for c in o.claims))))


def is_within(what: str, regimen: str) -> bool:
    """Whether a regimen has every agent, or a member of every class, of what is named."""
    return all(any(is_a(agent, wanted) for agent in regimen.split("+")) for wanted in what.split("+"))


def _missing(result: PatientResult, regimen: str) -> Iterator[Sentence]:
    for place, item in enumerate(result.missing[:SHOWN_MISSING]):
        parts = []
        rules = tuple(u.rule for u in result.advice.undecided if item.label in u.needs)
        if item.rules is not None:
            outcomes = "; ".join(f"{o.value}: {o.changes}" for o in item.rules.outcomes)
            parts.append(f"would change {item.rules.effect} of the rules ({outcomes})")
        if item.difference is not None and item.mc_error is not None:
            values = ", ".join(f"{v.value} {month(v.pfs)}" for v in item.values)
            told = "" if item.is_told_apart else ", not told from chance"
            parts.append(
                f"median months without progression on {plain_name(regimen)}: {values} (means differ by "
                f"{item.difference:.1f}, Monte-Carlo error {item.mc_error:.1f}{told})"
            )
        most = " Knowing it would change the answer most." if place == 0 else ""
        yield Sentence(
            "missing", f"{item.label} is not known: {'; '.join(parts)}.{most}", (*item.ids, *rules)
        )
