"""The parts of the rules' answer, one by one: limits of the state, the gate, matching, order, missing items, the text."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from her2.errors import RecordError
from her2.evidence.schema import Rule
from her2.sequencing import missing as missing_module
from her2.sequencing.advice import Advice
from her2.sequencing.agents import agents_of, is_a, may_be, plain_name, regimen_of
from her2.sequencing.gate import gate
from her2.sequencing.match import (
    contains,
    could_contain,
    fits,
    has_chemotherapy,
    is_general,
    single_members,
)
from her2.sequencing.missing import questions
from her2.sequencing.ordering import order
from her2.sequencing.recommend import advise, judge
from her2.sequencing.report import print_advice
from her2.sequencing.rule import applies
from her2.sequencing.rulebook import load_rulebook, make_rulebook
from her2.sequencing.state import ClinicalState, PatientState, state_of
from her2.sequencing.vocabulary import NOT_APPLICABLE, SomeOf, items, shown, values_of

PLACE = {"source": "review_b", "line_start": 1, "line_end": 1}
SECOND = {"setting": "metastatic", "her2": "positive", "line": 2}


def _rule(id: str, **fields: Any) -> Rule:
    given = {
        "says": id,
        "when": {"her2": "positive"},
        "strength": "option",
        "trials": False,
        "places": (PLACE,),
    }
    return Rule.model_validate({"id": id, **given, **fields})


def _judge(*rules: Rule, **state: Any) -> Advice:
    return judge(
        state_of({"setting": "metastatic", "her2": "positive", "line": 1, **state}, "case"),
        make_rulebook(rules),
    )


# the state


@pytest.mark.parametrize(
    ("path", "low", "high", "step"),
    [
        ("line", 1, 20, 1),
        ("age", 0, 120, 0.5),
        ("weight", 25, 250, 0.5),
        ("ecog", 0, 4, 1),
        ("lvef", 5, 90, 0.5),
        ("as_of", 1998, 2100, 1),
        ("her2_test.ihc", 0, 3, 1),
        ("her2_test.copies", 0, 200, 0.5),
        ("her2_test.amplified_cells", 0, 100, 0.5),
        ("current.months", 0, 600, 0.5),
        ("early.months_since_trastuzumab", 0, 600, 0.5),
        ("early.months_since_pertuzumab", 0, 600, 0.5),
        ("early.months_since_taxane", 0, 600, 0.5),
        ("early.months_of_pertuzumab", 0, 600, 0.5),
    ],
)
def test_numbers_of_a_state_lie_in_their_range(path: str, low: float, high: float, step: float) -> None:
    *parts, name = path.split(".")

    def made(value: float) -> PatientState:
        return state_of({parts[0]: {name: value}} if parts else {name: value}, "case")

    for value in (low, high):
        state: Any = made(value)
        for part in parts:
            state = getattr(state, part)
        assert getattr(state, name) == value
    for value in (low - step, high + step):
        with pytest.raises(RecordError, match=path):
            made(value)


def test_there_are_at_most_twenty_lines() -> None:
    assert len(state_of({"lines": [{}] * 20}, "case").lines or ()) == 20
    with pytest.raises(RecordError, match="lines"):
        state_of({"lines": [{}] * 21}, "case")


def test_a_line_has_months_within_fifty_years() -> None:
    for field in ("months", "months_since"):
        assert state_of({"lines": [{field: 600}]}, "case")
        for value in (-0.5, 600.5):
            with pytest.raises(RecordError, match=f"lines.0.{field}"):
                state_of({"lines": [{field: value}]}, "case")


def test_states_do_not_change() -> None:
    state = state_of(SECOND, "case")
    for thing, field in ((state, "line"), (state.cns, "metastases"), (ClinicalState(), "year")):
        with pytest.raises((AttributeError, ValueError)):
            setattr(thing, field, None)


def test_the_line_after_another_has_had_its_agents() -> None:
    state = ClinicalState(lines_completed=1, had=frozenset({"trastuzumab"}), year=2013)
    assert state.line == 2
    after = state.after(frozenset({"t_dm1"}))
    assert (after.line, after.had, after.year) == (3, {"trastuzumab", "t_dm1"}, 2013)
    assert (after.setting, after.her2) == ("metastatic", "positive")


def test_the_number_of_the_line_comes_from_what_is_known() -> None:
    assert state_of({"lines": [{}, {}]}, "case").line_number == 3
    assert state_of({"line": 4}, "case").line_number == 4
    assert state_of({"setting": "adjuvant"}, "case").completed == ()


# the gate


@pytest.mark.parametrize(
    ("state", "name", "decision", "item"),
    [
        ({"her2": None}, "her2_unknown", "refused", "her2"),
        ({"her2": "negative"}, "her2_negative", "refused", "her2"),
        ({"her2": "low"}, "her2_low", "refused", "her2"),
        ({"leptomeningeal": True}, "leptomeningeal", "refused", "leptomeningeal"),
        ({"cns": {"metastases": "treated", "symptomatic": True}}, "cns_symptomatic", "marked", "cns.symptomatic"),
        ({"visceral_crisis": True}, "visceral_crisis", "marked", "visceral_crisis"),
        ({"setting": "neoadjuvant", "line": None}, "early_disease", "marked", "setting"),
        ({"setting": "adjuvant", "line": None}, "early_disease", "marked", "setting"),
        ({"setting": "locally_advanced"}, "locally_advanced", "marked", "setting"),
        ({"pregnant": True}, "pregnancy", "refused", "pregnant"),
        ({"sex": "male"}, "male", "marked", "sex"),
        ({"organs": {"liver": "failure"}}, "organ_failure", "refused", "organs.liver"),
        ({"organs": {"kidney": "impaired"}}, "organ_impaired", "marked", "organs.kidney"),
        ({"lvef": 39.5}, "organ_failure", "refused", "lvef"),
        ({"lvef": 40}, "lvef_low", "marked", "lvef"),
        ({"lvef": 49.5}, "lvef_low", "marked", "lvef"),
        ({"ecog": 3}, "poor_performance", "marked", "ecog"),
        ({"ecog": 4}, "poor_performance", "marked", "ecog"),
        ({"age": 17.5}, "child", "refused", "age"),
        ({"lines": [{"agents": ["zorvatinib"]}]}, "unknown_drug", "refused", "lines.0.agents"),
        ({"early": {"adjuvant": ["zorvatinib"]}}, "unknown_drug", "refused", "early.adjuvant"),
        ({"early": {"neoadjuvant": ["zorvatinib"]}}, "unknown_drug", "refused", "early.neoadjuvant"),
        ({"medicines": ["zorvatinib"]}, "unknown_medicine", "marked", "medicines"),
        (
            {"phase": "best_response", "current": {"agents": ["zorvatinib"]}},
            "unknown_drug", "refused", "current.agents",
        ),
        ({"her2_test": {"ihc": 0, "ish": "not_amplified"}}, "contradictory", "refused", "her2_test"),
        ({"her2_test": {"ihc": 1, "ish": "not_amplified"}}, "contradictory", "refused", "her2_test"),
        ({"her2": "low", "her2_test": {"ihc": 3}}, "contradictory", "refused", "her2_test"),
        ({"her2": "negative", "her2_test": {"ish": "amplified"}}, "contradictory", "refused", "her2_test"),
        ({"cns": {"metastases": "none", "symptomatic": True}}, "contradictory", "refused", "cns"),
        ({"pregnant": True, "sex": "male"}, "contradictory", "refused", "sex"),
        ({"setting": "adjuvant", "line": None, "lines": [{"agents": ["t_dm1"]}]}, "contradictory", "refused", "lines"),
        ({"setting": "adjuvant", "line": 2}, "contradictory", "refused", "line"),
        ({"setting": "neoadjuvant", "line": None, "de_novo": True}, "contradictory", "refused", "de_novo"),
        ({"setting": "adjuvant", "line": None, "cns": "treated"}, "contradictory", "refused", "cns"),
        ({"line": 3, "lines": [{"agents": ["t_dm1"]}]}, "contradictory", "refused", "lines"),
        ({"current": {"agents": ["t_dm1"]}}, "contradictory", "refused", "current"),
        (
            {"phase": "best_response", "current": {"agents": ["t_dm1"], "best_response": "progression"}},
            "contradictory", "refused", "current",
        ),
        ({"lines": [{"agents": []}]}, "contradictory", "refused", "lines.0.agents"),
        (
            {"lines": [{"agents": ["t_dm1"], "months": 0, "best_response": "partial"}]},
            "contradictory", "refused", "lines.0",
        ),
        (
            {"lines": [{"agents": ["t_dm1"], "months": 0, "best_response": "complete"}]},
            "contradictory", "refused", "lines.0",
        ),
        ({"de_novo": True, "early": {"adjuvant": ["trastuzumab"]}}, "contradictory", "refused", "early"),
        (
            {"early": {"neoadjuvant": "none", "adjuvant": "none", "months_since_trastuzumab": 3}},
            "contradictory", "refused", "early.months_since_trastuzumab",
        ),
        (
            {"early": {"neoadjuvant": "none", "adjuvant": ["trastuzumab"], "months_since_taxane": 3}},
            "contradictory", "refused", "early.months_since_taxane",
        ),
        (
            {"early": {"neoadjuvant": "none", "adjuvant": ["trastuzumab"], "months_of_pertuzumab": 3}},
            "contradictory", "refused", "early.months_of_pertuzumab",
        ),
    ],
)  # fmt: skip
def test_what_lies_outside_the_model_is_refused_or_marked(
    state: dict[str, Any], name: str, decision: str, item: str
) -> None:
    given = {"setting": "metastatic", "her2": "positive", **state}
    found = gate(state_of({k: v for k, v in given.items() if v is not None}, "case"))
    assert [(f.decision, item in f.items) for f in found if f.name == name][:1] == [(decision, True)]
    # refusals come first
    assert [f.decision for f in found] == sorted((f.decision for f in found), key="refused marked".index)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"line": 2, "lines": [{"agents": ["t_dm1"], "months": 1, "best_response": "partial"}]},
        {"lines": [{"agents": ["t_dm1"], "months": 0, "best_response": "stable"}]},
        {"lvef": 50, "ecog": 2, "age": 18, "sex": "female", "pregnant": False, "visceral_crisis": False},
        {"organs": {"liver": "normal", "kidney": "normal"}, "leptomeningeal": False},
        {"her2_test": {"ihc": 2, "ish": "not_amplified"}},
        {"her2_test": {"ihc": 1, "ish": "amplified"}},
        {"her2_test": {"ihc": 1}},
        {"cns": {"metastases": "none", "symptomatic": False}},
        {"cns": {"metastases": "treated", "symptomatic": False}},
        {"early": {"neoadjuvant": ["docetaxel"], "adjuvant": ["trastuzumab"], "months_since_trastuzumab": 3,
                   "months_since_taxane": 9}},
        {"early": {"neoadjuvant": ["pertuzumab"], "adjuvant": "none", "months_of_pertuzumab": 4,
                   "months_since_pertuzumab": 3}},
        {"early": {"adjuvant": "none", "months_since_trastuzumab": 3}},
        {"de_novo": True},
        {"de_novo": True, "early": "none"},
        {"medicines": ["ketoconazole"]} if False else {"medicines": []},
        {"phase": "best_response", "current": {"agents": ["t_dm1"], "best_response": "partial"}},
    ],
)  # fmt: skip
def test_what_lies_inside_is_neither(state: dict[str, Any]) -> None:
    assert gate(state_of({"setting": "metastatic", "her2": "positive", **state}, "case")) == ()


# agents and regimens


def test_names_of_agents_and_regimens() -> None:
    assert plain_name(" T-DM1 ") == plain_name("t_dm1") == "tdm1"
    assert agents_of("trastuzumab+docetaxel") == ("docetaxel", "trastuzumab")
    assert regimen_of(["trastuzumab", "docetaxel", "trastuzumab"]) == "docetaxel+trastuzumab"
    assert is_a("docetaxel", "taxane") and is_a("taxane", "taxane") and is_a("docetaxel", "chemotherapy")
    assert not is_a("taxane", "docetaxel") and not is_a("trastuzumab", "taxane")
    assert may_be("taxane", "docetaxel") and may_be("docetaxel", "taxane")
    assert not may_be("taxane", "trastuzumab")


@pytest.mark.parametrize(
    ("regimen", "pattern", "is_fit", "is_in", "could"),
    [
        ("docetaxel+trastuzumab", "docetaxel+trastuzumab", True, True, False),
        ("docetaxel+trastuzumab", "chemotherapy+trastuzumab", True, True, False),
        ("docetaxel+trastuzumab", "trastuzumab", False, True, False),
        ("trastuzumab", "docetaxel+trastuzumab", False, False, False),
        ("chemotherapy+trastuzumab", "docetaxel+trastuzumab", False, False, True),
        ("chemotherapy+trastuzumab", "docetaxel", False, False, True),
        ("capecitabine+trastuzumab", "taxane+trastuzumab", False, False, False),
        ("capecitabine+docetaxel", "chemotherapy+taxane", True, True, False),
        ("docetaxel+trastuzumab", "lapatinib+trastuzumab", False, False, False),
    ],
)
def test_a_regimen_is_contains_or_could_contain_another(
    regimen: str, pattern: str, is_fit: bool, is_in: bool, could: bool
) -> None:
    assert fits(regimen, pattern) is is_fit
    assert contains(regimen, pattern) is is_in
    assert could_contain(regimen, pattern) is could


def test_regimens_with_a_class_are_general_and_stand_for_its_members() -> None:
    assert is_general("chemotherapy+trastuzumab") and not is_general("docetaxel+trastuzumab")
    assert {"docetaxel", "paclitaxel"} <= single_members("taxane")
    assert "taxane" not in single_members("chemotherapy")
    assert single_members("t_dm1") == {"t_dm1"}
    assert has_chemotherapy("docetaxel+trastuzumab") and not has_chemotherapy("pertuzumab+trastuzumab")


# order


@pytest.mark.parametrize(
    ("better", "expected"),
    [
        (set(), "abc"),
        ({("c", "a")}, "bca"),
        ({("c", "b"), ("b", "a")}, "cba"),
        ({("a", "b"), ("b", "a")}, "cab"),
        ({("a", "a")}, "abc"),
        ({("z", "a")}, "abc"),
    ],
)
def test_names_stand_behind_those_better_and_a_circle_is_broken_by_the_key(
    better: set[Any], expected: str
) -> None:
    keys = {name: (k, 0, 0, name) for k, name in enumerate("abc")}
    assert "".join(order(keys, better)) == expected


# rules of virtual trials


@pytest.mark.parametrize(
    ("when", "state", "expected"),
    [
        ({"line": 2}, ClinicalState(lines_completed=1), True),
        ({"line": 2}, ClinicalState(lines_completed=2), False),
        ({"line_at_least": 2}, ClinicalState(lines_completed=0), False),
        ({"line_at_least": 2}, ClinicalState(lines_completed=1), True),
        ({"line_at_most": 2}, ClinicalState(lines_completed=1), True),
        ({"line_at_most": 2}, ClinicalState(lines_completed=2), False),
        ({"setting": "metastatic"}, ClinicalState(), True),
        ({"setting": "adjuvant"}, ClinicalState(), False),
        ({"her2": "low"}, ClinicalState(), False),
        ({"had": ["taxane"]}, ClinicalState(had=frozenset({"docetaxel"})), True),
        ({"had": ["taxane", "t_dm1"]}, ClinicalState(had=frozenset({"docetaxel"})), False),
        ({"had_any": ["taxane", "t_dm1"]}, ClinicalState(had=frozenset({"docetaxel"})), True),
        ({"had_not": ["t_dm1"]}, ClinicalState(had=frozenset({"docetaxel"})), True),
        ({"had_not": ["taxane"]}, ClinicalState(had=frozenset({"docetaxel"})), False),
        ({"year_from": 2013}, ClinicalState(year=2012), False),
        ({"year_from": 2013}, ClinicalState(year=2013), True),
        ({"year_from": 2013}, ClinicalState(), True),
        ({"year_to": 2013}, ClinicalState(year=2014), False),
        ({"year_to": 2013}, ClinicalState(year=2013), True),
        ({"year_to": 2013}, ClinicalState(), True),
    ],
)
def test_a_rule_for_virtual_trials_applies_where_its_condition_holds(
    when: dict[str, Any], state: ClinicalState, expected: bool
) -> None:
    assert applies(_rule("r", when=when, trials=True), state) is expected
    # as an exception the same condition turns the rule off
    excepted = _rule("r", when={"setting": "metastatic"}, unless=when, trials=True)
    assert applies(excepted, state) is not expected


def test_an_exception_of_two_parts_needs_both() -> None:
    rule = _rule("r", when={"line": 2}, unless={"had": ["t_dm1"], "year_to": 2010}, trials=True)
    had = ClinicalState(lines_completed=1, had=frozenset({"t_dm1"}), year=2013)
    assert applies(rule, had)
    assert not applies(rule, ClinicalState(lines_completed=1, had=frozenset({"t_dm1"}), year=2010))


# values


def test_every_item_has_its_own_label_and_reads_what_is_entered() -> None:
    labels = [item.label for item in items().values()]
    assert len(set(labels)) == len(labels)
    state = state_of(
        {
            **SECOND,
            "as_of": 2013,
            "her2_test": {"ihc": 3, "ish": "amplified", "copies": 7.5, "ratio": "raised", "abnormality": "none",
                          "amplified_cells": 80},
            "hormone_receptor": "positive", "de_novo": False,
            "early": {"neoadjuvant": ["pertuzumab"], "adjuvant": ["docetaxel", "trastuzumab"],
                      "months_since_trastuzumab": 20, "months_since_taxane": 30, "months_since_pertuzumab": 31,
                      "months_of_pertuzumab": 4},
            "lines": [{"agents": ["lapatinib"], "best_response": "stable", "months": 9, "stopped_for": "progression",
                       "months_since": 1}],
            "cns": {"metastases": "treated", "symptomatic": False}, "ecog": 1, "lvef": 60, "age": 50,
            "sex": "female", "pregnant": False, "leptomeningeal": False, "visceral_crisis": False,
            "organs": {"liver": "impaired"}, "biomarkers": {"pten": "lost"}, "medicines": ["tamoxifen"],
            "wishes": "no_trial",
        },
        "case",
    )  # fmt: skip
    found = values_of(state)
    expected = {
        "setting": "metastatic", "phase": "new_line", "line": 2, "year": 2013, "her2": "positive", "her2_ihc": 3,
        "her2_ish": "amplified", "her2_copies": 7.5, "her2_ratio": "raised", "her2_abnormality": "none",
        "amplified_cells": 80.0, "hormone_receptor": "positive", "de_novo": False, "her2_regimens": 1.0,
        "last_line_months": 9.0, "last_response": "stable", "months_since_last_line": 1.0,
        "trastuzumab_resistant": False, "early_trastuzumab_months": 20.0, "early_pertuzumab_months": 31.0,
        "early_pertuzumab_exposure": 4.0, "early_taxane_months": 30.0, "cns": "treated", "cns_symptomatic": False,
        "leptomeningeal": False, "visceral_crisis": False, "sex": "female", "age": 50.0, "pregnant": False, "ecog": 1,
        "lvef": 60.0, "liver": "impaired", "kidney": None, "pten": "lost", "pik3ca": None, "any_biomarker": True,
        "current_response": NOT_APPLICABLE,
    }  # fmt: skip
    assert {k: found[k] for k in expected} == expected
    lists = {
        "had": {"lapatinib"}, "had_early": {"pertuzumab", "docetaxel", "trastuzumab"}, "progressed_on": {"lapatinib"},
        "had_ever": {"lapatinib", "pertuzumab", "docetaxel", "trastuzumab"}, "current": set(),
        "medicines": {"tamoxifen"}, "wishes": {"no_trial"},
    }  # fmt: skip
    for name, agents in lists.items():
        value = found[name]
        assert isinstance(value, SomeOf)
        assert (value.certain, value.possible) == (agents, agents), name


def test_what_calls_for_a_rule_is_said_where_none_looks_at_it() -> None:
    noteworthy = {
        "hormone_receptor": ("positive", "negative"), "her2_abnormality": ("polysomy", "none"),
        "cns": ("treated", "none"), "cns_symptomatic": (True, False), "leptomeningeal": (True, False),
        "visceral_crisis": (True, False), "pregnant": (True, False), "ecog": (3, 2), "lvef": (49.9, 50.0),
        "liver": ("failure", "normal"), "heart": ("impaired", "normal"), "pten": ("lost", "present"),
        "inpp4b": ("lost", "present"), "pik3ca": ("mutated", "wild_type"), "egfr": ("overexpressed", "normal"),
        "src": ("active", "inactive"), "til": ("high", "low"), "pdl1": ("positive", "negative"),
        "early_pertuzumab_months": (3.0, "x"),
    }  # fmt: skip
    for name, (yes, no) in noteworthy.items():
        assert items()[name].noteworthy(yes), name
        assert not items()[name].noteworthy(no), name
    for name in ("setting", "line", "age", "sex", "had", "de_novo", "wishes"):
        assert not items()[name].noteworthy(1), name
    said = _judge(_rule("r", offer=("t_dm1",)), biomarkers={"pten": "lost"}, ecog=3).gaps
    assert any("PTEN: lost" in g for g in said) and any("ECOG performance status: 3" in g for g in said)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "unknown"),
        (NOT_APPLICABLE, "not applicable"),
        (True, "yes"),
        (False, "no"),
        (4.0, "4"),
        (2.5, "2.5"),
        ("wild_type", "wild type"),
        (SomeOf(frozenset({"b", "a"}), frozenset({"a", "b"})), "a, b"),
        (SomeOf(frozenset({"a"}), None), "a (may be incomplete)"),
        (SomeOf(frozenset(), frozenset()), "nothing"),
    ],
)
def test_values_as_printed(value: Any, words: str) -> None:
    assert shown(value) == words


def test_lists_known_in_part() -> None:
    some = SomeOf(frozenset({"docetaxel"}), frozenset({"docetaxel", "taxane"}))
    assert some.has("docetaxel") is True and some.has("taxane") is True
    assert some.has("paclitaxel") is None and some.has("t_dm1") is False
    open_ended = SomeOf(frozenset({"docetaxel"}), None)
    assert open_ended.has("t_dm1") is None
    both = some.union(SomeOf(frozenset({"t_dm1"}), frozenset({"t_dm1"})))
    assert both.certain == {"docetaxel", "t_dm1"} and both.possible == {"docetaxel", "taxane", "t_dm1"}
    assert some.union(open_ended).possible is None and open_ended.union(some).possible is None


@pytest.mark.parametrize(("months", "expected"), [(11.9, True), (12.0, True), (12.1, False), (None, None)])
def test_recurrence_within_a_year_of_trastuzumab_is_resistance(
    months: float | None, expected: bool | None
) -> None:
    early: dict[str, Any] = {
        "neoadjuvant": "none",
        "adjuvant": "trastuzumab",
        "months_since_trastuzumab": months,
    }
    state = state_of(
        {**SECOND, "lines": [{"agents": ["t_dm1"], "stopped_for": "progression"}], "early": early}, "case"
    )
    assert values_of(state)["trastuzumab_resistant"] is expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], 0.0),
        ([{"agents": ["t_dm1"]}, {"agents": ["capecitabine"]}], 1.0),
        ([{"agents": ["t_dm1"]}, {}], None),
    ],
)
def test_her2_directed_regimens_are_counted(lines: list[dict[str, Any]], expected: float | None) -> None:
    assert values_of(state_of({"lines": lines}, "case"))["her2_regimens"] == expected


# missing items


def test_every_unknown_item_that_a_rule_or_the_gate_reads_is_asked_with_its_values() -> None:
    asked = {q.item: [a for a, _ in q.answers] for q in questions(state_of({}, "case"), load_rulebook())}
    assert asked["her2"] == ["positive", "low", "negative"]
    assert asked["hormone_receptor"] == ["positive", "negative"]
    assert asked["lvef"] == ["35", "45", "60"]
    assert asked["pregnant"] == ["yes", "no"] and asked["leptomeningeal"] == ["yes", "no"]
    assert asked["organs.liver"] == ["normal", "failure"]
    assert asked["cns.metastases"] == ["none", "untreated", "treated", "progressive"]
    assert asked["early"][0] == "none" and len(asked["early"]) == 5
    assert asked["lines"][0] == "none"
    assert "docetaxel+pertuzumab+trastuzumab, then t_dm1" in asked["lines"]


def test_what_is_known_is_not_asked() -> None:
    state = state_of({**SECOND, "hormone_receptor": "positive", "lvef": 60, "early": "none"}, "case")
    asked = {q.item for q in questions(state, load_rulebook())}
    assert not asked & {"her2", "hormone_receptor", "lvef", "early", "setting"}
    assert "lines" in asked


def test_the_history_asked_for_has_as_many_lines_as_were_completed() -> None:
    for line in (1, 2, 3, 4, 6):
        state = state_of({"setting": "metastatic", "her2": "positive", "line": line}, "case")
        asked = [q for q in questions(state, load_rulebook()) if q.item == "lines"]
        if line == 1:
            assert asked == []  # there are none before the first
            continue
        for _, changed in asked[0].answers:
            assert len(changed.lines or ()) == line - 1
            assert all(made.stopped_for == "progression" for made in changed.lines or ())


def test_parts_of_a_history_are_asked_one_by_one() -> None:
    state = state_of({**SECOND, "lines": [{"months": 3}], "early": {"adjuvant": ["trastuzumab"]}}, "case")
    asked = {q.item: q for q in questions(state, load_rulebook())}
    assert asked["lines.0.agents"].label == "agents of line 1"
    assert [a for a, _ in asked["lines.0.agents"].answers] == [
        "docetaxel+pertuzumab+trastuzumab", "docetaxel+trastuzumab", "t_dm1", "capecitabine+lapatinib",
    ]  # fmt: skip
    assert [a for a, _ in asked["lines.0.stopped_for"].answers] == [
        "progression",
        "toxicity",
        "planned end",
        "wish",
    ]
    assert [a for a, _ in asked["early.neoadjuvant"].answers] == [
        "none", "docetaxel+trastuzumab", "docetaxel+pertuzumab+trastuzumab",
    ]  # fmt: skip
    assert [a for a, _ in asked["early.months_since_trastuzumab"].answers] == ["3", "9", "24"]
    assert "early.adjuvant" not in asked and "early.months_since_pertuzumab" not in asked
    first = asked["lines.0.stopped_for"].answers[1][1]
    assert first.lines is not None and first.lines[0].stopped_for == "toxicity" and first.lines[0].months == 3


def test_going_on_asks_for_the_current_line() -> None:
    state = state_of({**SECOND, "phase": "best_response"}, "case")
    asked = {q.item: [a for a, _ in q.answers] for q in questions(state, load_rulebook())}
    assert asked["current.best_response"] == ["complete", "partial", "stable"]
    assert asked["current.agents"][-1] == "t_dm1"


def test_numbers_are_tried_at_and_on_both_sides_of_every_limit() -> None:
    rules = make_rulebook(
        [
            _rule("a", when={"her2_ihc": {"at_least": 3}}, offer=("t_dm1",)),
            _rule("b", when={"her2_copies": {"at_least": 6}}, offer=("lapatinib",)),
            _rule("c", when={"amplified_cells": {"less_than": 0.5}}, offer=("neratinib",)),
        ]
    ).rules
    assert missing_module._around("her2_ihc", rules) == (2.0, 3.0)
    assert missing_module._around("her2_copies", rules) == (5.0, 6.0, 7.0)
    assert missing_module._around("amplified_cells", rules) == (0.5, 1.5)


def test_the_item_that_would_change_the_first_option_comes_first() -> None:
    rules = [
        _rule("a", when={"her2": "positive", "hormone_receptor": "positive"}, offer=("t_dm1",), rank=1),
        _rule("b", offer=("lapatinib",), rank=5),
        _rule("c", when={"her2": "positive", "biomarkers": "x"} if False else {"her2": "positive", "pten": "lost"},
              offer=("neratinib",), rank=9),
    ]  # fmt: skip
    book = make_rulebook(rules)
    advice = advise(
        state_of({"setting": "metastatic", "her2": "positive", "line": 1, "early": "none"}, "case"), book
    )
    found = {m.item: m for m in advice.missing}
    assert advice.missing[0].item == "hormone_receptor"
    assert found["hormone_receptor"].effect == "first option"
    assert [(o.value, o.changes) for o in found["hormone_receptor"].outcomes] == [
        ("positive", "first option t_dm1")
    ]
    assert found["biomarkers.pten"].effect == "options"
    assert [(o.value, o.changes) for o in found["biomarkers.pten"].outcomes] == [("lost", "adds neratinib")]
    assert found["pregnant"].effect == "inside the model or not"
    assert [(o.value, o.changes) for o in found["pregnant"].outcomes] == [("yes", "refused: pregnancy")]
    # half of the two answers change the first option (100), and one undecided rule hangs on it (0.01)
    assert found["hormone_receptor"].score == 50.01
    assert found["biomarkers.pten"].score == 5.01
    assert found["pregnant"].score == 0.25
    effects = [m.effect for m in advice.missing]
    assert effects.index("first option") < effects.index("options") < effects.index("inside the model or not")


# the text


def _text(advice: Advice, **options: Any) -> str:
    stream = io.StringIO()
    print_advice(advice, Console(file=stream, width=400, color_system=None), **options)
    return stream.getvalue()


def _book() -> Any:
    many = [
        _rule(f"z{k:02}", when={"her2": "positive", "pten": "lost"}, offer=("neratinib",), rank=50 + k)
        for k in range(10)
    ]
    return make_rulebook(
        [
            _rule("first", offer=("t_dm1",), rank=1, strength="preferred", reading="as read", note="a note",
                  rationale="because", authority="review", date="2014-01"),
            _rule("second", offer=("t_dm1", "lapatinib"), rank=2),
            _rule("third", offer=("t_dm1",), rank=3),
            _rule("fourth", offer=("t_dm1",), rank=4),
            _rule("wide", offer=("chemotherapy+trastuzumab",), rank=6),
            _rule("narrow", offer=("capecitabine+trastuzumab",), rank=7),
            _rule("no", avoid=("everolimus",), avoid_means="any_with", strength="not_recommended", rank=1,
                  rationale="too toxic"),
            _rule("yes", offer=("everolimus+trastuzumab",), rank=0),
            _rule("never", avoid=("bevacizumab",), avoid_means="exactly", strength="not_recommended", rank=1,
                  rationale="no benefit"),
            _rule("trial", offer=("neratinib",), strength="trial", rank=90),
            _rule("remark", rank=3),
            *many,
        ]
    )  # fmt: skip


def test_the_answer_as_text_says_everything_once() -> None:
    state = state_of(
        {"setting": "metastatic", "her2": "positive", "line": 2,
         "lines": [{"agents": ["lapatinib"], "stopped_for": "progression"}], "early": "none",
         "considering": ["lapatinib", "nonsense"], "visceral_crisis": True},
        "case",
    )  # fmt: skip
    text = _text(advise(state, _book()))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "Outside this model" in lines and "No option is given for this case." not in lines
    assert any(line.startswith("- marked: visceral crisis") for line in lines)
    assert "Options, in order" in lines
    assert "everolimus + trastuzumab" in text and "capecitabine + trastuzumab" in text
    # three reasons of four are told, the rest counted
    assert "first, preferred: first" in text and "third, option: third" in text and "also fourth" in text
    assert "read: as read" in text and "note: a note" in text
    assert "(as any chemotherapy+trastuzumab)" in text
    # a title is folded to the width of its table
    assert "No advice: the object" in text and "neratinib" in text
    assert "- lapatinib: brings no agent the disease has not progressed on" in lines
    assert "What you asked about" in lines and any("nonsense: unknown drug" in line for line in lines)
    assert any(line.startswith("- any regimen with everolimus: no (too toxic)") for line in lines)
    assert any("but offered by yes, which comes first" in line for line in lines)
    assert any(line.startswith("- bevacizumab: never (no benefit)") for line in lines)
    assert "Rules that contradict each other" in lines and "Remarks" in lines
    undecided = [line for line in lines if "hangs on PTEN" in line]
    assert len(undecided) == 8 and "- and 2 more rules" in lines
    assert "Not known, and what it would change" in lines
    assert any(line.startswith("- could lie outside the model: ") for line in lines)


def test_trials_and_further_reasons_are_shown_if_asked_for() -> None:
    state = state_of({"setting": "metastatic", "her2": "positive", "line": 1, "early": "none"}, "case")
    advice = judge(state, _book())
    short = _text(advice, trials=False, reasons=1)
    assert "and 1 regimens of trials and hypotheses (--trials shows them)" in short
    assert "also second, third, fourth" in short
    long = _text(advice, trials=True, reasons=4)
    assert "also" not in long.replace("also read", "") or "also fourth" not in long
    assert "fourth, option: fourth" in long


def test_a_refused_case_gets_no_option_in_the_text() -> None:
    state = state_of({"setting": "metastatic", "her2": "negative", "line": 1}, "case")
    text = _text(judge(state, _book()))
    assert "No option is given for this case." in text
    assert "Options, in order" not in text and "refused: HER2-negative disease" in text


def test_at_most_eight_missing_items_are_told_in_full() -> None:
    markers = ["pik3ca", "pten", "ps6", "akt1", "inpp4b", "egfr", "igf1r", "met", "epha2", "til"]
    words = ["mutated", "lost", "high", "mutated", "lost", "overexpressed", "overexpressed", "overexpressed",
             "overexpressed", "high"]  # fmt: skip
    book = make_rulebook(
        [
            _rule(m, when={"her2": "positive", m: w}, offer=("t_dm1",), rank=k)
            for k, (m, w) in enumerate(zip(markers, words))
        ]
    )
    state = state_of({"setting": "metastatic", "her2": "positive", "line": 1, "early": "none"}, "case")
    lines = [" ".join(line.split()) for line in _text(advise(state, book)).splitlines()]
    assert sum("(would change: first option)" in line for line in lines) == 8
    rest = next(line for line in lines if line.startswith("- then "))
    assert len(rest.removeprefix("- then ").split(", ")) == 2


def test_changes_weigh_by_what_they_concern() -> None:
    """What would change the first option comes before all else; what only leaves the model comes near the end."""
    assert missing_module._WEIGHT == {
        "first option": 100.0,
        "options": 10.0,
        "what is not to be given": 5.0,
        "trials and hypotheses": 1.0,
        "inside the model or not": 0.5,
        "remarks": 0.1,
    }


def test_typical_early_histories_say_their_intervals() -> None:
    (asked,) = [q for q in questions(state_of(SECOND, "case"), load_rulebook()) if q.item == "early"]
    for label, changed in asked.answers:
        early = changed.early
        assert early is not None
        if label == "none":
            assert (early.neoadjuvant, early.adjuvant, early.months_since_trastuzumab) == ((), (), None)
            continue
        months = float(label.removesuffix(" months").rsplit(" ", 1)[1])
        assert early.months_since_trastuzumab == months
        # chemotherapy and pertuzumab end nine months before trastuzumab
        assert early.months_since_taxane == months + 9.0
        with_pertuzumab = "pertuzumab" in label
        assert early.months_since_pertuzumab == (months + 9.0 if with_pertuzumab else None)
        assert ("doxorubicin" in (early.adjuvant or ())) == ("doxorubicin" in label)
        assert "trastuzumab" in (early.adjuvant or ())


@pytest.mark.parametrize(
    ("rules", "state", "item", "effect", "changes"),
    [
        (
            [("a", {"pten": "lost"}, {"avoid": ("everolimus",), "avoid_means": "any_with", "strength": "not_recommended"})],
            {}, "biomarkers.pten", "what is not to be given", "adds everolimus",
        ),
        ([("a", {"pten": "lost"}, {"offer": ("neratinib",), "strength": "trial"})], {}, "biomarkers.pten",
         "trials and hypotheses", "adds neratinib"),
        ([("a", {"pten": "lost"}, {})], {}, "biomarkers.pten", "remarks", "adds a"),
        (
            [("a", {"pten": "present"}, {"offer": ("neratinib",)}), ("b", {"pten": "lost"}, {"offer": ("lapatinib",)})],
            {}, "biomarkers.pten", "first option", "first option lapatinib",
        ),
    ],
)  # fmt: skip
def test_the_largest_change_is_named(
    rules: list[Any], state: dict[str, Any], item: str, effect: str, changes: str
) -> None:
    made = [_rule(n, when={"her2": "positive", **when}, rank=9, **fields) for n, when, fields in rules]
    if effect != "first option":
        made.append(_rule("base", offer=("t_dm1",), rank=1))
    given = state_of(
        {"setting": "metastatic", "her2": "positive", "line": 1, "early": "none", **state}, "case"
    )
    found = {m.item: m for m in advise(given, make_rulebook(made)).missing}[item]
    assert found.effect == effect
    assert [o.changes for o in found.outcomes if o.value == "lost"] == [changes]


def test_a_case_that_is_refused_is_told_what_would_let_it_in_or_add_a_reason() -> None:
    book = make_rulebook([_rule("base", offer=("t_dm1",), rank=1)])
    found = {
        m.item: m
        for m in advise(state_of({"setting": "metastatic", "line": 1, "early": "none"}, "case"), book).missing
    }
    assert found["her2"].effect == "first option"
    assert [(o.value, o.changes) for o in found["her2"].outcomes] == [
        ("positive", "first option t_dm1"), ("low", "refused: her2 low"), ("negative", "refused: her2 negative"),
    ]  # fmt: skip
    assert [(o.value, o.changes) for o in found["pregnant"].outcomes] == [
        ("yes", "refused: her2 unknown; pregnancy")
    ]
