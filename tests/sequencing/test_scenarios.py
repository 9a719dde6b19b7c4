"""Readable cases: a patient's state in, the options with their rules, what is not to be given and what is outside out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from her2.evidence.load import read_yaml
from her2.sequencing.advice import RESEARCH_USE
from her2.sequencing.missing import missing_items
from her2.sequencing.recommend import judge
from her2.sequencing.rulebook import load_rulebook
from her2.sequencing.state import state_of

FOLDER = Path(__file__).parent / "scenarios"
SCENARIOS = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(FOLDER.glob("*.yaml"))
    for case in read_yaml(path)["scenarios"]
]
KEYS = {
    "refused", "marked", "options", "trials_and_hypotheses", "set_aside", "not_to_be_given", "asked", "conflicts", "remarks",
    "gaps", "undecided", "matters_most", "says", "apply", "do_not_apply",
}  # fmt: skip


@pytest.mark.parametrize("case", SCENARIOS)
def test_scenario(case: dict[str, Any]) -> None:
    expect = case["expect"]
    assert set(expect) <= KEYS
    state = state_of(case["state"], case["name"])
    book = load_rulebook()
    advice = judge(state, book)

    for decision in ("refused", "marked"):
        assert sorted({f.name for f in advice.gate if f.decision == decision}) == expect.get(decision, [])
    assert advice.refused == ("refused" in expect)
    if advice.refused:
        assert advice.options == ()
    else:
        given = [{o.regimen: o.grounds[0].rule} for o in advice.options if o.is_advice]
        assert given == expect["options"]

    others = {o.regimen for o in advice.options if not o.is_advice}
    assert set(expect.get("trials_and_hypotheses", ())) <= others
    assert set(expect.get("set_aside", ())) <= {s.regimen for s in advice.set_aside}
    assert set(expect.get("not_to_be_given", ())) <= {f.regimen for f in advice.forbidden}
    assert {j.regimen: j.verdict for j in advice.judged} == expect.get("asked", {})
    for one, other in expect.get("conflicts", ()):
        assert any(one in c.rules and other in c.against for c in advice.conflicts), (one, other)
    assert set(expect.get("remarks", ())) <= {r.ground.rule for r in advice.remarks}
    for words in expect.get("gaps", ()):
        assert any(words in gap for gap in advice.gaps), words
    assert set(expect.get("undecided", ())) <= {u.rule for u in advice.undecided}
    for words in expect.get("says", ()):
        assert any(words in f.says for f in advice.gate), words
    if "matters_most" in expect:
        assert missing_items(state, advice, book)[0].item == expect["matters_most"]
    applied = set(advice.applied)
    assert set(expect.get("apply", ())) <= applied
    assert not set(expect.get("do_not_apply", ())) & applied
    assert advice.research_use == RESEARCH_USE


def test_there_are_enough_scenarios_and_each_has_its_own_name() -> None:
    names = [p.values[0]["name"] for p in SCENARIOS]
    assert len(names) >= 60
    assert len(set(names)) == len(names)


def test_every_executable_rule_is_reached_by_a_scenario_that_names_it() -> None:
    named = {
        rule
        for p in SCENARIOS
        for rule in (
            *p.values[0]["expect"].get("apply", ()),
            *(r for option in p.values[0]["expect"].get("options", ()) for r in option.values()),
        )
    }
    executable = {r.rule.id for r in load_rulebook().rules}
    assert executable - named == set(), "give each of these rules a scenario that lists it under 'apply'"
    assert named - executable == set()


def test_at_least_35_rules_are_executable_and_the_rest_give_a_reason() -> None:
    from her2.evidence.load import load_rules

    rules = load_rules().values()
    assert sum(r.executable for r in rules) >= 35
    assert [r.id for r in rules if not r.executable and not r.not_executable] == []


def test_every_option_names_a_rule_and_its_lines_and_why_it_applies() -> None:
    for p in SCENARIOS:
        advice = judge(state_of(p.values[0]["state"], "x"), load_rulebook())
        for option in advice.options:
            assert option.grounds
            for ground in option.grounds:
                assert ground.rule in advice.applied
                assert ground.lines and ground.because
        for entry in advice.forbidden:
            assert entry.ground.rule in advice.applied and entry.ground.lines
