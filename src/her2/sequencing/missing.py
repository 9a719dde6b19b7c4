"""Which unknown items would change the answer most: the rules are run again with each set to its values.

The values are the words of the item, numbers on both sides of every limit a rule sets, and for a history typical ones.
One item is varied at a time; what two missing items would change together is not looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from her2.sequencing.advice import Advice, Missing, Outcome
from her2.sequencing.condition import tests_of
from her2.sequencing.gate import GateFinding
from her2.sequencing.rulebook import CompiledRule, Rulebook
from her2.sequencing.state import Biomarkers, Cns, Her2Test, Organs, PatientState
from her2.sequencing.vocabulary import NOT_APPLICABLE, SomeOf, items, values_of

Effect = Literal[
    "first option", "options", "what is not to be given", "trials and hypotheses", "remarks", "inside the model or not",
]  # fmt: skip
_WEIGHT: dict[str, float] = {
    "inside the model or not": 0.5, "first option": 100.0, "options": 10.0, "what is not to be given": 5.0,
    "trials and hypotheses": 1.0, "remarks": 0.1,
}  # fmt: skip
_PER_RULE = 0.01
"""Weight of every rule that hangs on the item: settles ties."""
_HISTORY = ("had", "had_ever", "progressed_on", "trastuzumab_resistant", "her2_regimens", "line")
_EARLIER = ("had_early", "early_trastuzumab_months", "early_pertuzumab_months", "early_taxane_months")
_THP = ("docetaxel", "pertuzumab", "trastuzumab")
_TH = ("docetaxel", "trastuzumab")
_CT = ("capecitabine", "trastuzumab")
_LC = ("capecitabine", "lapatinib")
_TD = ("t_dm1",)
_HISTORIES: dict[int, tuple[tuple[tuple[str, ...], ...], ...]] = {
    1: ((),),
    2: ((_THP,), (_TH,), (_CT,)),
    3: ((_THP, _TD), (_TH, _LC)),
    4: ((_THP, _TD, _LC),),
}
"""Typical histories by the number of the line that follows: those of the sequence of review B, and those before it."""
_EARLY: dict[str, dict[str, Any]] = {
    "none": {"neoadjuvant": (), "adjuvant": ()},
    "adjuvant trastuzumab and docetaxel, relapse after 3 months": {
        "neoadjuvant": (), "adjuvant": _TH, "months_since_trastuzumab": 3, "months_since_taxane": 12,
    },
    "adjuvant trastuzumab and docetaxel, relapse after 24 months": {
        "neoadjuvant": (), "adjuvant": _TH, "months_since_trastuzumab": 24, "months_since_taxane": 33,
    },
    "neoadjuvant pertuzumab, trastuzumab and docetaxel, relapse after 24 months": {
        "neoadjuvant": _THP, "adjuvant": ("trastuzumab",), "months_since_pertuzumab": 33, "months_since_taxane": 33,
        "months_since_trastuzumab": 24,
    },
    "adjuvant doxorubicin, docetaxel and trastuzumab, relapse after 24 months": {
        "neoadjuvant": (), "adjuvant": ("docetaxel", "doxorubicin", "trastuzumab"), "months_since_trastuzumab": 24,
        "months_since_taxane": 33,
    },
}  # fmt: skip
_MONTHS = (3.0, 9.0, 24.0)


@dataclass(frozen=True)
class Question:
    """An unknown item and the states that its values lead to.

    Attributes
    ----------
    item : place in the state
    names : items of the vocabulary that it would settle beside the one with its label
    """

    item: str
    label: str
    answers: tuple[tuple[str, PatientState], ...]
    names: tuple[str, ...] = ()

    @property
    def labels(self) -> set[str]:
        """Labels of the items of the vocabulary that it would settle."""
        return {items()[n].label for n in self.names} | {self.label}


def missing_items(state: PatientState, advice: Advice, book: Rulebook) -> tuple[Missing, ...]:
    """Unknown items by what they would change, the most consequential first; those that change nothing are left out."""
    from her2.sequencing.recommend import judge

    found = []
    for question in questions(state, book):
        outcomes, effects = [], []
        for value, changed in question.answers:
            what = _compare(advice, judge(changed, book))
            if what is not None:
                effects.append(what[0])
                outcomes.append(Outcome(value, what[1]))
        if effects:
            if any(e != "remarks" for e in effects):
                outcomes = [o for o, e in zip(outcomes, effects) if e != "remarks"]
            weights = sorted((_WEIGHT[e] for e in effects), reverse=True)
            top = max(effects, key=lambda e: _WEIGHT[e])
            hanging = sum(bool(question.labels & set(u.needs)) for u in advice.undecided)
            score = sum(weights) / len(question.answers) + _PER_RULE * hanging
            found.append(Missing(question.item, question.label, top, round(score, 3), tuple(outcomes)))
    return tuple(sorted(found, key=lambda m: (-_WEIGHT[m.effect], -m.score, m.item)))


def _compare(before: Advice, after: Advice) -> tuple[Effect, str] | None:
    """The largest change between two answers, and its words."""
    if before.refused != after.refused:
        if after.refused:
            return "inside the model or not", "refused: " + "; ".join(_refusals(after))
        return "first option", f"first option {_first(after)}"
    old, new = _advised(before), _advised(after)
    if old[:1] != new[:1]:
        return "first option", f"first option {_first(after)}"
    if old != new:
        return "options", _difference(old, new)
    forbidden = [{f.regimen for f in a.forbidden} for a in (before, after)]
    if forbidden[0] != forbidden[1]:
        return "what is not to be given", _difference(sorted(forbidden[0]), sorted(forbidden[1]))
    if before.refused and _names(before.gate) != _names(after.gate):
        return "inside the model or not", "refused: " + "; ".join(_refusals(after))
    named = [[o.regimen for o in a.options if not o.is_advice] for a in (before, after)]
    if named[0] != named[1]:
        return "trials and hypotheses", _difference(*named)
    said = [[r.ground.rule for r in a.remarks] for a in (before, after)]
    if said[0] != said[1]:
        return "remarks", _difference(*said)
    return None


def _names(findings: tuple[GateFinding, ...]) -> list[str]:
    return sorted(f.name for f in findings if f.decision == "refused")


def _refusals(advice: Advice) -> list[str]:
    return [f.name.replace("_", " ") for f in advice.gate if f.decision == "refused"]


def _first(advice: Advice) -> str:
    return advice.options[0].regimen if advice.options else "none"


def _advised(advice: Advice) -> list[str]:
    return [o.regimen for o in advice.options if o.is_advice]


def _difference(old: list[str], new: list[str]) -> str:
    added = [n for n in new if n not in old]
    gone = [o for o in old if o not in new]
    parts = [f"adds {', '.join(added)}"] if added else []
    parts += [f"takes away {', '.join(gone)}"] if gone else []
    return "; ".join(parts) or "another order"


def questions(state: PatientState, book: Rulebook) -> Iterator[Question]:
    """Every unknown item that a rule or the gate looks at, with the states its values lead to."""
    rules = book.in_force(state)
    read = {name for r in rules for name in r.items}
    values = values_of(state)
    for name, path, words in _simple(read, rules):
        item = items().get(name)
        if (item is not None and values[name] is None) or (item is None and _at(state, path) is None):
            yield _question(state, path, item.label if item else name, words)
    yield from _disease_history(state)
    yield from _early_history(state)


def _simple(read: set[str], rules: tuple[CompiledRule, ...]) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Items that are one field: name, path and values to try."""
    for field in ("her2", "setting", "hormone_receptor"):
        yield field, field, _words(PatientState, field)
    yield "cns", "cns.metastases", _words(Cns, "metastases")
    for field in ("leptomeningeal", "pregnant"):
        yield field, field, (True, False)
    yield "lvef", "lvef", (35.0, 45.0, 60.0)
    for field in Organs.model_fields:
        yield field, f"organs.{field}", ("normal", "failure")
    for field in Biomarkers.model_fields:
        if field in read:
            yield field, f"biomarkers.{field}", _words(Biomarkers, field)
    for field, item in (
        ("ihc", "her2_ihc"),
        ("copies", "her2_copies"),
        ("amplified_cells", "amplified_cells"),
    ):
        if item in read:
            yield item, f"her2_test.{field}", _around(item, rules)
    for field in ("ratio", "abnormality"):
        if f"her2_{field}" in read:
            yield f"her2_{field}", f"her2_test.{field}", _words(Her2Test, field)
    if "medicines" in read:
        named = {w for r in rules for t in tests_of(r.condition) if t.item == "medicines" for w in t.wanted}
        yield "other medicines", "medicines", ((), *((n,) for n in sorted(named)))


def _around(item: str, rules: tuple[CompiledRule, ...]) -> tuple[float, ...]:
    """Numbers at and on both sides of every limit that a rule sets."""
    limits = {float(w) for r in rules for t in tests_of(r.condition) if t.item == item for w in t.wanted}
    tried = {x for limit in limits for x in (limit - 1, limit, limit + 1) if x >= 0}
    return tuple(sorted(x for x in tried if item != "her2_ihc" or x <= 3))


def _words(part: type[Any], field: str) -> tuple[str, ...]:
    found: list[str] = []
    for argument in get_args(part.model_fields[field].annotation):
        found += [a for a in get_args(argument) if isinstance(a, str)]
    return tuple(found)


def _disease_history(state: PatientState) -> Iterator[Question]:
    """Lines of metastatic therapy: which they were, and why they ended."""
    if state.completed is None:
        following = [state.line] if state.line else sorted(_HISTORIES)
        answers = []
        for number in following:
            for lines in _HISTORIES[min(number, max(_HISTORIES))]:
                full = (*lines, *((("trastuzumab", "vinorelbine"),) * (number - 1 - len(lines))))
                made = [{"agents": list(agents), "stopped_for": "progression"} for agents in full]
                shown = ", then ".join("+".join(a) for a in full) or "none"
                answers.append((shown, _with(state, {"lines": made})))
        yield Question("lines", "lines of metastatic therapy so far", tuple(answers), _HISTORY)
    for i, line in enumerate(state.completed or ()):
        if line.agents is None:
            tried = [
                ("+".join(a), _with(state, {f"lines.{i}.agents": list(a)})) for a in (_THP, _TH, _TD, _LC)
            ]
            yield Question(f"lines.{i}.agents", f"agents of line {i + 1}", tuple(tried))
        if line.stopped_for is None:
            words = ("progression", "toxicity", "planned_end", "wish")
            yield _question(state, f"lines.{i}.stopped_for", f"why line {i + 1} ended", words)
    if state.phase == "best_response":
        if state.current is None or state.current.agents is None:
            tried = [("+".join(a), _with(state, {"current.agents": list(a)})) for a in (_THP, _TH, _TD)]
            yield Question("current.agents", "agents of the current line", tuple(tried))
        if state.current is None or state.current.best_response is None:
            yield _question(
                state,
                "current.best_response",
                "best response to the current line",
                ("complete", "partial", "stable"),
            )


def _early_history(state: PatientState) -> Iterator[Question]:
    """Treatment of early disease, and the intervals to the relapse."""
    if state.setting in ("neoadjuvant", "adjuvant"):
        return
    early = state.early_treatment
    if early is None:
        answers = tuple((shown, _with(state, {"early": value})) for shown, value in _EARLY.items())
        yield Question("early", "treatment of early disease", answers, _EARLIER)
        return
    for field in ("neoadjuvant", "adjuvant"):
        if getattr(early, field) is None:
            tried = [(), _TH, _THP]
            answers = tuple(("+".join(a) or "none", _with(state, {f"early.{field}": list(a)})) for a in tried)
            yield Question(f"early.{field}", f"{field} treatment", answers)
    values = values_of(state)
    for agent in ("trastuzumab", "pertuzumab", "taxane"):
        name = f"early_{agent}_months"
        if (
            values[name] is None
            and values[name] is not NOT_APPLICABLE
            and _certain(values["had_early"], agent)
        ):
            yield _question(state, f"early.months_since_{agent}", items()[name].label, _MONTHS)


def _certain(value: object, agent: str) -> bool:
    return isinstance(value, SomeOf) and value.has(agent) is True


def _question(state: PatientState, path: str, label: str, values: tuple[Any, ...]) -> Question:
    return Question(path, label, tuple((_shown(v), _with(state, {path: v})) for v in values))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def _at(state: PatientState, path: str) -> Any:
    current: Any = state
    for step in path.split("."):
        current = getattr(current, step)
    return current


def _with(state: PatientState, changes: Mapping[str, Any]) -> PatientState:
    """The state with fields set, by path."""
    data = state.model_dump(mode="json")
    for path, value in changes.items():
        *steps, last = path.split(".")
        current: Any = data
        for step in steps:
            key: Any = int(step) if step.isdigit() else step
            if current[key] is None:
                current[key] = {}
            current = current[key]
        current[last] = list(value) if isinstance(value, tuple) else value
    return PatientState.model_validate(data)
