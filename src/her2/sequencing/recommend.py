"""Options for a clinical state: every rule that applies, by precedence, each option with its rules.

How rules work together, the same for all of them:

- A rule applies if its condition holds, does not if it fails, and is *undecided* if that hangs on an unknown item.
- The lower rank decides. An option stands at the best rank of the rules that offer it; a rule that speaks against it
  wins at the same rank or a better one, and loses against a better one, and both are shown as a conflict.
- A regimen with a class (`chemotherapy+trastuzumab`) backs every regimen of its kind that another rule offers; it
  stands by itself where there is none.
- Set aside are options that bring no agent the patient's disease has not progressed on, and those against a wish.
- `her2.sequencing.gate` refuses or marks what lies outside the model; a refused case gets no option at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from her2.evidence.schema import Rule
from her2.sequencing.advice import NO_RULE, Advice, Option, Undecided
from her2.sequencing.answer import Answer
from her2.sequencing.condition import Values, open_items
from her2.sequencing.gate import gate
from her2.sequencing.rule import applies
from her2.sequencing.rulebook import NO_ADVICE, CompiledRule, Rulebook, load_rulebook
from her2.sequencing.state import ClinicalState, PatientState
from her2.sequencing.vocabulary import NEWEST, Absent, SomeOf, items, shown, values_of


def advise(state: PatientState, rulebook: Rulebook | None = None) -> Advice:
    """Everything the rules say about a state, with the missing items that would change it most.

    Parameters
    ----------
    state : see `her2.sequencing.state`
    rulebook : the record's rules where omitted
    """
    book = load_rulebook() if rulebook is None else rulebook
    return with_missing(state, judge(state, book), book)


def with_missing(state: PatientState, advice: Advice, book: Rulebook) -> Advice:
    """The answer of `judge` with the missing items that would change it most: the slower part of `advise`."""
    from her2.sequencing.missing import missing_items

    return replace(advice, missing=missing_items(state, advice, book))


def judge(state: PatientState, book: Rulebook) -> Advice:
    """Everything the rules say about a state as it is known; see `advise`."""
    values = values_of(state)
    rules = book.in_force(state)
    verdicts = {r.rule.id: r.condition.verdict(values) for r in rules}
    applied = [r for r in rules if verdicts[r.rule.id] is True]
    undecided = [r for r in rules if verdicts[r.rule.id] is None]
    findings = gate(state)
    refused = any(f.decision == "refused" for f in findings)
    answer = Answer(state, values, [] if refused else applied, applied)
    options = answer.options()
    remarks = tuple(answer.remarks([o.regimen for o in options]))
    return Advice(
        state=state.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
        gate=findings,
        options=tuple(options),
        set_aside=tuple(answer.set_aside),
        forbidden=tuple(answer.forbidden()),
        remarks=remarks,
        conflicts=tuple(answer.conflicts),
        undecided=() if refused else tuple(_undecided(r, values) for r in undecided),
        judged=tuple(answer.judged(regimen, options, refused) for regimen in state.considering),
        gaps=() if refused else (*_unsettled(options, undecided, values), *_gaps(values, applied, rules)),
        applied=tuple(r.rule.id for r in applied),
    )


def _undecided(rule: CompiledRule, values: Values) -> Undecided:
    r = rule.rule
    needs = tuple(items()[name].label for name in open_items(rule.condition, values))
    return Undecided(r.id, r.says, r.strength, rule.offers, r.avoid if rule.forbids else (), needs)


def _unsettled(options: Sequence[Option], undecided: Sequence[CompiledRule], values: Values) -> Iterator[str]:
    """Whether the first place, or any, hangs on what is not known, or no rule gives one."""
    first = options[0].rank if options else NEWEST
    before = [r for r in undecided if r.offers and r.rule.strength not in NO_ADVICE and r.rule.rank < first]
    if before:
        needs = dict.fromkeys(items()[n].label for r in before for n in open_items(r.condition, values))
        count = "1 rule" if len(before) == 1 else f"{len(before)} rules"
        yield f"undecided: {count} that would come before the first option; what matters: {', '.join(needs)}"
    elif not options:
        yield f"{NO_RULE} for this state"
    elif not any(o.is_advice for o in options):
        yield f"{NO_RULE} for this state; only trials and hypotheses are named"


def _gaps(values: Values, applied: Sequence[CompiledRule], rules: Sequence[CompiledRule]) -> Iterator[str]:
    """What is remarkable about the case and no rule looks at."""
    read = {name for r in rules for name in r.items}
    answered = {name for r in applied for name in r.items}
    for name, item in items().items():
        value = values[name]
        if value is None or isinstance(value, Absent | SomeOf) or not item.noteworthy(value):
            continue
        if name not in read:
            yield f"{NO_RULE} on {item.label}: {shown(value)}"
        elif name not in answered:
            yield f"no rule of the reviews on {item.label} applies here: {shown(value)}"


@dataclass(frozen=True)
class LineOption:
    """One regimen a rule offers for the next line of a virtual patient."""

    regimen: str
    rule: Rule


def load_rules() -> tuple[Rule, ...]:
    """Rules the engine of virtual trials follows, the record's and the user's, by precedence (rank, then id)."""
    return _followed(load_rulebook())


@lru_cache(maxsize=4)
def _followed(book: Rulebook) -> tuple[Rule, ...]:
    return tuple(c.rule for c in book.rules if c.rule.trials)


def recommend(state: ClinicalState, rules: tuple[Rule, ...] | None = None) -> list[LineOption]:
    """Options of a virtual patient in order of precedence; one offered by several rules appears under the first.

    An empty list means: the reviews give no rule for this state.
    """
    options: dict[str, LineOption] = {}
    for rule in load_rules() if rules is None else rules:
        if applies(rule, state):
            for regimen in rule.offer:
                options.setdefault(regimen, LineOption(regimen, rule))
    return list(options.values())
