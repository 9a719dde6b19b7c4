"""Properties of the rules' answer over states drawn at random (hypothesis).

*Adding information never changes what the rules forbid without a rule saying so*, precisely: let a state s' hold every known
item of s and some more, with no contradiction. (1) A rule decided in s is decided the same way in s'. (2) What is
forbidden in s is forbidden in s', by the same rules. (3) What is forbidden in s' only is forbidden by a rule that was
undecided in s and looks at an item whose value the addition changed. (4) For any two states, what is forbidden differs
only by rules that look at an item in which they differ.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from her2.evidence.schema import Rule
from her2.sequencing.gate import gate
from her2.sequencing.recommend import advise, judge
from her2.sequencing.rulebook import Rulebook, load_rulebook, make_rulebook
from her2.sequencing.state import PatientState, state_of
from her2.sequencing.vocabulary import values_of

AGENTS = (
    "trastuzumab", "pertuzumab", "docetaxel", "paclitaxel", "taxane", "capecitabine", "lapatinib", "t_dm1", "vinorelbine",
    "letrozole", "doxorubicin", "tucatinib",
)  # fmt: skip
MARKERS = {
    "pik3ca": ("mutated", "wild_type"), "pten": ("lost", "present"), "p95her2": ("present", "absent"),
    "her2_delta16": ("present", "absent"), "igf1r": ("overexpressed", "normal"), "pi3k_pathway": ("active", "inactive"),
    "met": ("overexpressed", "normal"),
}  # fmt: skip
agents = st.lists(st.sampled_from(AGENTS), min_size=1, max_size=3, unique=True)
months = st.integers(0, 30)


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "agents": draw(agents),
        "best_response": draw(st.sampled_from(["complete", "partial", "stable"])),
        "months": draw(st.integers(1, 40)),
        "stopped_for": draw(st.sampled_from(["progression", "toxicity", "planned_end", "wish"])),
        "months_since": draw(months),
    }


@st.composite
def full_states(draw: st.DrawFn) -> dict[str, Any]:
    """A state in which everything is known and nothing contradicts anything."""
    setting = draw(
        st.sampled_from(["metastatic", "metastatic", "metastatic", "locally_advanced", "adjuvant"])
    )
    history = [] if setting == "adjuvant" else draw(st.lists(lines(), max_size=4))
    de_novo = setting != "adjuvant" and draw(st.booleans())
    neoadjuvant, adjuvant = ([], []) if de_novo else (draw(agents), draw(agents))
    early: dict[str, Any] = {"neoadjuvant": neoadjuvant, "adjuvant": adjuvant}
    had = {*neoadjuvant, *adjuvant}
    for name, members in {
        "trastuzumab": {"trastuzumab"}, "pertuzumab": {"pertuzumab"}, "taxane": {"taxane", "docetaxel", "paclitaxel"},
    }.items():  # fmt: skip
        if had & members:
            early[f"months_since_{name}"] = draw(months)
    phase = draw(st.sampled_from(["new_line", "new_line", "best_response"]))
    state: dict[str, Any] = {
        "setting": setting, "her2": draw(st.sampled_from(["positive", "positive", "positive", "low", "negative"])),
        "hormone_receptor": draw(st.sampled_from(["positive", "negative"])), "de_novo": de_novo, "early": early,
        "line": len(history) + 1, "lines": history, "phase": phase,
        "cns": {
            "metastases": "none" if setting == "adjuvant"
            else draw(st.sampled_from(["none", "untreated", "treated", "progressive"])),
        },
        "leptomeningeal": draw(st.sampled_from([False, False, True])), "sex": draw(st.sampled_from(["female", "male"])),
        "age": draw(st.integers(20, 90)), "ecog": draw(st.integers(0, 3)), "lvef": draw(st.integers(30, 75)),
        "organs": {"liver": draw(st.sampled_from(["normal", "impaired"]))},
        "biomarkers": {k: draw(st.sampled_from(v)) for k, v in MARKERS.items()},
        "medicines": draw(st.sampled_from([[], ["erythropoietin"]])),
        "her2_test": {"amplified_cells": draw(st.integers(0, 100)), "copies": draw(st.integers(1, 20))},
    }  # fmt: skip
    if phase == "best_response":
        state["current"] = {
            "agents": draw(agents),
            "best_response": draw(st.sampled_from(["partial", "stable"])),
        }
    return state


@st.composite
def partly_known(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A state, and the same with some items taken away."""
    full = draw(full_states())
    return _thinned(full, random.Random(draw(st.integers(0, 10**6)))), full


def _thinned(data: dict[str, Any], generator: random.Random, share: float = 0.35) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if key != "phase" and generator.random() < share:
            continue
        if isinstance(value, dict):
            value = _thinned(value, generator)
        elif key == "lines":
            value = [_thinned(line, generator) for line in value]
        kept[key] = value
    return kept


def _verdicts(state: PatientState, book: Rulebook) -> dict[str, bool | None]:
    values = values_of(state)
    return {r.rule.id: r.condition.verdict(values) for r in book.rules}


def _forbidden(state: PatientState, book: Rulebook) -> set[tuple[str, str]]:
    return {(f.ground.rule, f.regimen) for f in judge(state, book).forbidden}


def _changed(one: PatientState, other: PatientState) -> set[str]:
    a, b = values_of(one), values_of(other)
    return {name for name in a if a[name] != b[name]}


@given(partly_known())
@settings(max_examples=150)
def test_adding_information_never_changes_what_the_rules_forbid_without_a_rule_saying_so(states) -> None:
    book = load_rulebook()
    less, more = (state_of(s, "case") for s in states)
    before, after = _verdicts(less, book), _verdicts(more, book)
    assert [r for r, v in before.items() if v is not None and after[r] != v] == []
    assert _forbidden(less, book) <= _forbidden(more, book)
    changed = _changed(less, more)
    by_id = {r.rule.id: r for r in book.rules}
    for rule, _ in _forbidden(more, book) - _forbidden(less, book):
        assert before[rule] is None
        assert by_id[rule].items & changed


@given(full_states(), full_states())
@settings(max_examples=80)
def test_what_is_forbidden_differs_only_by_rules_that_look_at_a_difference(one, other) -> None:
    book = load_rulebook()
    a, b = state_of(one, "a"), state_of(other, "b")
    changed = _changed(a, b)
    by_id = {r.rule.id: r for r in book.rules}
    for rule, _ in _forbidden(a, book) ^ _forbidden(b, book):
        assert by_id[rule].items & changed


def _shuffled(data: Any, generator: random.Random) -> Any:
    if isinstance(data, dict):
        keys = list(data)
        generator.shuffle(keys)
        return {k: _shuffled(data[k], generator) for k in keys}
    if isinstance(data, list) and all(isinstance(x, str) for x in data):
        return generator.sample(data, len(data))
    if isinstance(data, list):
        return [_shuffled(x, generator) for x in data]
    return data


@given(partly_known(), st.integers(0, 10**6))
@settings(max_examples=40)
def test_the_order_of_fields_does_not_matter(states, seed) -> None:
    data = states[0]
    book = load_rulebook()
    again = _shuffled(data, random.Random(seed))
    assert judge(state_of(again, "case"), book).as_json() == judge(state_of(data, "case"), book).as_json()


@given(partly_known(), st.sampled_from(["negative", "low", "unknown"]))
@settings(max_examples=60)
def test_without_her2_positive_disease_there_is_never_an_option(states, her2) -> None:
    for data in states:
        advice = judge(state_of({**data, "her2": her2}, "case"), load_rulebook())
        assert advice.refused
        assert advice.options == () and advice.set_aside == ()
        assert all(j.verdict != "offered" for j in advice.judged)


@given(full_states())
@settings(max_examples=30)
def test_not_even_by_a_rule_that_forgets_to_ask_for_her2(data) -> None:
    rule = Rule(
        id="test.any", says="Everybody.", when={"line": {"at_least": 1}}, offer=("trastuzumab",), strength="preferred",
        rank=-5, trials=False, places=({"source": "review_b", "line_start": 1, "line_end": 1},),
    )  # fmt: skip
    advice = judge(state_of({**data, "her2": "negative"}, "case"), make_rulebook([rule]))
    assert advice.options == ()


@given(full_states())
@settings(max_examples=80)
def test_an_answer_is_in_order_and_offers_nothing_that_is_not_to_be_given(data) -> None:
    from her2.sequencing.match import contains, fits

    advice = judge(state_of(data, "case"), load_rulebook())
    assert [o.position for o in advice.options] == list(range(1, len(advice.options) + 1))
    assert len({o.regimen for o in advice.options}) == len(advice.options)
    for option in advice.options:
        for entry in advice.forbidden:
            hit = (contains if entry.meaning == "any_with" else fits)(option.regimen, entry.regimen)
            assert not hit or entry.lifted_by
    assert {g.name for g in advice.gate} == {g.name for g in gate(state_of(data, "case"))}


@given(partly_known())
@settings(max_examples=8)
def test_a_missing_item_is_really_unknown_and_its_outcomes_differ(states) -> None:
    advice = advise(state_of(states[0], "case"))
    for entry in advice.missing:
        assert entry.outcomes and all(o.changes for o in entry.outcomes)
    weights = [m.effect for m in advice.missing]
    assert weights == sorted(weights, key=ORDER.index)


ORDER = [
    "first option", "options", "what is not to be given", "trials and hypotheses", "inside the model or not", "remarks",
]  # fmt: skip


def test_with_nothing_known_the_her2_status_matters_most() -> None:
    first = advise(state_of({}, "case")).missing[0]
    assert first.item == "her2"
