"""The rulebook: versions, a user's own rules, precedence shown, and rules that are not well written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from her2.errors import RecordError
from her2.evidence.schema import Rule
from her2.sequencing.match import contains, could_contain, fits
from her2.sequencing.ordering import order
from her2.sequencing.recommend import judge
from her2.sequencing.rulebook import STRENGTHS, compile_rule, load_rulebook, make_rulebook
from her2.sequencing.state import state_of

PLACE = {"source": "review_b", "line_start": 1, "line_end": 1}
FIRST_LINE = {"setting": "metastatic", "her2": "positive", "line": 1}


def _rule(id: str, **fields: Any) -> Rule:
    given = {
        "says": id, "when": {"her2": "positive"}, "strength": "option", "trials": False, "places": (PLACE,), **fields
    }  # fmt: skip
    return Rule.model_validate({"id": id, **given})


def _judge(*rules: Rule, **state: Any):
    return judge(state_of({**FIRST_LINE, **state}, "case"), make_rulebook(rules))


def test_the_rules_of_the_record_are_well_written() -> None:
    book = load_rulebook()
    assert [r.rule.rank for r in book.rules] == sorted(r.rule.rank for r in book.rules)
    for compiled in book.rules:
        rule = compiled.rule
        assert rule.strength in STRENGTHS
        assert rule.date, f"{rule.id}: give the version's date"
        assert (rule.strength == "not_recommended") <= (compiled.forbids or not rule.avoid), rule.id
        assert compiled.is_remark or compiled.offers or compiled.forbids


def test_what_only_a_trial_or_a_hypothesis_names_ranks_behind_all_advice() -> None:
    ranks = {(r.rule.strength in ("trial", "hypothesis")): [] for r in load_rulebook().rules}
    for compiled in load_rulebook().rules:
        if compiled.offers:
            ranks[compiled.rule.strength in ("trial", "hypothesis")].append(compiled.rule.rank)
    assert max(ranks[False]) < min(ranks[True])


def test_every_rule_asks_for_her2_positive_disease_or_offers_nothing() -> None:
    for compiled in load_rulebook().rules:
        assert "her2" in compiled.items or not compiled.offers, compiled.rule.id


def test_the_engine_of_trials_follows_the_same_six_rules() -> None:
    from her2.sequencing.recommend import load_rules

    assert [r.id.removeprefix("metastatic.") for r in load_rules()] == [
        "first_line_pertuzumab", "second_line_t_dm1", "second_line_add_chemotherapy", "second_line_add_trastuzumab",
        "second_line_trastuzumab_capecitabine", "third_line_trastuzumab_cytotoxic",
    ]  # fmt: skip


def test_the_lower_rank_stands_first() -> None:
    advice = _judge(_rule("a", offer=("lapatinib",), rank=9), _rule("b", offer=("t_dm1",), rank=2))
    assert [o.regimen for o in advice.options] == ["t_dm1", "lapatinib"]


def test_what_is_forbidden_by_the_better_rank_is_not_offered_and_the_conflict_is_shown() -> None:
    no = _rule("no", avoid=("everolimus",), avoid_means="any_with", strength="not_recommended", rank=1)
    yes = _rule("yes", offer=("everolimus+trastuzumab",), rank=5)
    advice = _judge(no, yes)
    assert advice.options == ()
    (conflict,) = advice.conflicts
    assert (conflict.rules, conflict.against, conflict.decided_by) == (("yes",), ("no",), "no")
    assert "rank 5 of yes, 1 of no" in conflict.how


def test_a_rule_of_better_precedence_lifts_what_is_forbidden_and_says_so() -> None:
    no = _rule("no", avoid=("everolimus",), avoid_means="any_with", strength="not_recommended", rank=1)
    yes = _rule("yes", offer=("everolimus+trastuzumab",), rank=0)
    advice = _judge(no, yes)
    assert [o.regimen for o in advice.options] == ["everolimus+trastuzumab"]
    assert advice.forbidden[0].lifted_by == ("yes",)
    assert advice.conflicts[0].decided_by == "yes"


def test_at_the_same_rank_what_speaks_against_decides() -> None:
    no = _rule("no", avoid=("t_dm1",), avoid_means="exactly", strength="not_recommended", rank=5)
    advice = _judge(no, _rule("yes", offer=("t_dm1",), rank=5))
    assert advice.options == () and "at the same rank" in advice.conflicts[0].how


def test_a_comparison_moves_the_lesser_option_behind() -> None:
    better = _rule(
        "cmp", offer=("t_dm1",), avoid=("capecitabine+lapatinib",), avoid_means="worse_than_offer", rank=3
    )
    general = _rule("gen", offer=("t_dm1",), rank=8)
    lesser = _rule("old", offer=("capecitabine+lapatinib",), rank=4)
    advice = _judge(better, general, lesser)
    assert [o.regimen for o in advice.options] == ["t_dm1", "capecitabine+lapatinib"]
    assert advice.conflicts[0].kind == "offered_and_ranked_behind"


def test_a_comparison_of_worse_rank_moves_nothing() -> None:
    better = _rule("cmp", offer=("t_dm1",), avoid=("lapatinib",), avoid_means="worse_than_offer", rank=7)
    advice = _judge(better, _rule("first", offer=("lapatinib",), rank=4))
    assert [o.regimen for o in advice.options] == ["lapatinib", "t_dm1"]
    assert advice.conflicts[0].decided_by == "first"


def test_two_first_choices_are_shown() -> None:
    advice = _judge(
        _rule("a", offer=("t_dm1",), strength="preferred", rank=1),
        _rule("b", offer=("lapatinib",), strength="preferred", rank=1),
    )
    (conflict,) = advice.conflicts
    assert conflict.kind == "two_first_choices" and "both stand" in conflict.how


def test_a_class_backs_the_cases_on_offer_and_stands_alone_without_one() -> None:
    wide = _rule("wide", offer=("chemotherapy+trastuzumab",), rank=3)
    case = _rule("case", offer=("trastuzumab+vinorelbine",), rank=6)
    assert [o.regimen for o in _judge(wide).options] == ["chemotherapy+trastuzumab"]
    (option,) = _judge(wide, case).options
    assert option.regimen == "trastuzumab+vinorelbine" and option.rank == 3
    assert option.grounds[0].offered_as == "chemotherapy+trastuzumab"
    assert any("or any other chemotherapy+trastuzumab" in m for m in option.marks)


def test_a_class_on_offer_is_marked_where_a_member_is_not_to_be_given() -> None:
    no = _rule(
        "no", avoid=("anthracycline+trastuzumab",), avoid_means="any_with", strength="not_recommended", rank=1
    )
    advice = _judge(no, _rule("wide", offer=("chemotherapy+trastuzumab",), rank=3))
    assert advice.options[0].marks == ("not as anthracycline+trastuzumab (no)",)
    asked = _judge(
        no, _rule("wide", offer=("chemotherapy+trastuzumab",)), considering=["epirubicin+trastuzumab"]
    )
    assert asked.judged[0].verdict == "not to be given"


def test_a_later_version_takes_the_place_of_an_earlier_one() -> None:
    old = _rule("old", offer=("t_dm1",), date="2015")
    new = _rule("new", offer=("lapatinib",), date="2022-05", supersedes=("old",))
    assert [o.regimen for o in _judge(old, new).options] == ["lapatinib"]
    assert [o.regimen for o in _judge(old, new, as_of=2018).options] == ["t_dm1"]
    assert _judge(old, new, as_of=2010).options == ()


def test_an_accompanying_rule_marks_options_with_its_agent_only() -> None:
    care = _rule("care", offer=("antidiarrheal_prophylaxis",), goes_with=("neratinib",))
    advice = _judge(care, _rule("a", offer=("neratinib",)), _rule("b", offer=("t_dm1",)))
    assert {o.regimen: o.marks for o in advice.options} == {"neratinib": ("care (care)",), "t_dm1": ()}
    assert [r.ground.rule for r in advice.remarks] == ["care"]
    assert _judge(care, _rule("b", offer=("t_dm1",))).remarks == ()


def test_a_users_rule_replaces_the_shipped_one_and_is_marked(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "rules" / "mine"
    folder.mkdir(parents=True)
    (folder / "newer.yaml").write_text(
        "id: mine.newer\nsays: A later guideline.\nwhen: {setting: metastatic, her2: positive, line: 1, phase: new_line}\n"
        "offer: [paclitaxel+pertuzumab+trastuzumab]\nstrength: preferred\ndate: '2020'\nrank: -1\ntrials: false\n"
        "supersedes: [metastatic.first_line_pertuzumab]\nplaces: [{source: review_b, line_start: 1, line_end: 1}]\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("HER2_RECORD", str(tmp_path))
    advice = judge(state_of(FIRST_LINE, "case"), load_rulebook())
    first = advice.options[0]
    assert first.regimen == "paclitaxel+pertuzumab+trastuzumab" and first.grounds[0].user
    assert "metastatic.first_line_pertuzumab" not in advice.applied
    earlier = judge(state_of({**FIRST_LINE, "as_of": 2016}, "case"), load_rulebook())
    assert earlier.options[0].regimen == "docetaxel+pertuzumab+trastuzumab"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"strength": "strong"}, "strength: expected one of preferred"),
        ({"avoid": ("t_dm1",)}, "says how it is meant"),
        ({"when": {"her3": "positive"}}, "unknown condition 'her3'"),
    ],
)
def test_errors_name_the_rule(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(RecordError, match=r"^rule x") as error:
        compile_rule(_rule("x", **fields))
    assert words in str(error.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"executable": True, "not_executable": "why"},
        {"avoid_means": "exactly"},
        {"avoid": ("t_dm1",), "avoid_means": "worse_than_offer"},
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        _rule("x", **fields)


def test_matching_of_regimens() -> None:
    assert fits("docetaxel+trastuzumab", "taxane+trastuzumab")
    assert not fits("docetaxel+pertuzumab+trastuzumab", "taxane+trastuzumab")
    assert not fits("taxane+trastuzumab", "docetaxel+trastuzumab")
    assert contains("docetaxel+doxorubicin+trastuzumab", "anthracycline+trastuzumab")
    assert could_contain("chemotherapy+trastuzumab", "anthracycline+trastuzumab")
    assert not could_contain("capecitabine+trastuzumab", "anthracycline+trastuzumab")


def test_a_circle_of_comparisons_is_settled_by_the_key() -> None:
    keys = {"a": (1, 1, 0, "a"), "b": (2, 2, 0, "b"), "c": (3, 3, 0, "c")}
    assert order(keys, [("c", "a")]) == ["b", "c", "a"]
    assert order(keys, [("a", "b"), ("b", "a")])[0] in ("a", "c")


def test_members_of_classes_are_agents_of_the_record() -> None:
    from her2.sequencing.agents import _classes, known_names, members

    known = set(known_names().values())
    for name, inside in _classes()[0].items():
        assert {name, *inside} <= known
        for member in inside:
            assert members(member) <= inside, f"{name} lacks members of {member}"


def test_a_users_class_is_added_to_the_shipped_one(tmp_path: Path, monkeypatch) -> None:
    from her2.sequencing.agents import is_a

    (tmp_path / "sequencing").mkdir()
    (tmp_path / "sequencing" / "agent_classes.yaml").write_text(
        "classes: {taxane: [conjugate_x]}\n", encoding="utf-8"
    )
    monkeypatch.setenv("HER2_RECORD", str(tmp_path))
    assert is_a("conjugate_x", "taxane") and is_a("docetaxel", "taxane")


def test_a_rule_in_the_wide_language_is_not_for_virtual_trials() -> None:
    from her2.sequencing.rule import applies
    from her2.sequencing.state import ClinicalState

    with pytest.raises(RecordError, match="trials: false"):
        applies(_rule("x", when={"line": {"at_least": 2}}), ClinicalState())
    with pytest.raises(RecordError, match="trials: false"):
        applies(_rule("x", when={"cns": "none"}), ClinicalState())


FIGURE = re.compile(
    r"\d\s*%|\bP\s*[=<>]?\s*0|\d\.\d|\b\d+\s+(of|vs\.?|versus|against)\s+\d+|\bhazard ratio\b"
)
"""A per cent, a P value, a decimal, a comparison of two numbers: figures that belong to the studies of the record."""
NO_OUTCOMES = {
    "testing.genomic_heterogeneity_definition": "the limits of a definition",
    "approvals_and_guidelines.nccn_thp": "the number of a version",
}


def test_rules_carry_recommendations_and_no_outcomes_of_trials() -> None:
    """What a trial found stands with the study, where its role says whether it may be looked at."""
    from her2.evidence.load import load_rules

    carrying = {
        r.id
        for r in load_rules().values()
        if FIGURE.search(" ".join((r.says, r.rationale, r.reading, r.note)))
    }
    assert carrying == set(NO_OUTCOMES)


RULE_OF_A_LATER_YEAR = """
id: mine.newer
says: A later guideline.
when: {setting: metastatic, her2: positive, line: 1, phase: new_line}
offer: [paclitaxel+pertuzumab+trastuzumab]
strength: preferred
authority: guideline
date: '2020'
rank: -1
trials: false
supersedes: [metastatic.first_line_pertuzumab]
places: [{source: review_b, line_start: 1, line_end: 1}]
"""


def test_a_later_guideline_is_a_file_in_a_folder_named_on_the_command_line(
    tmp_path: Path, monkeypatch
) -> None:
    import json
    import os

    from typer.testing import CliRunner

    from her2.cli.main import app

    monkeypatch.delenv("HER2_RECORD", raising=False)
    (tmp_path / "own" / "rules").mkdir(parents=True)
    (tmp_path / "own" / "rules" / "newer.yaml").write_text(RULE_OF_A_LATER_YEAR, encoding="utf-8")
    case = tmp_path / "case.json"
    case.write_text(json.dumps(FIRST_LINE), encoding="utf-8")

    def first(*more: str) -> dict[str, Any]:
        result = CliRunner().invoke(app, ["options", str(case), "--json", *more])
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.output)["options"][0])

    own = first("--record", str(tmp_path / "own"))
    assert own["regimen"] == "paclitaxel+pertuzumab+trastuzumab"
    assert own["grounds"][0]["user"] and own["grounds"][0]["rule"] == "mine.newer"
    # for that one command only
    assert first()["regimen"] == "docetaxel+pertuzumab+trastuzumab"
    assert "HER2_RECORD" not in os.environ


@pytest.mark.parametrize(("made", "words"), [(False, "no such folder"), (True, "no YAML file")])
def test_a_folder_that_is_no_record_is_an_error(tmp_path: Path, made: bool, words: str) -> None:
    from her2.sequencing.own_record import own_record

    folder = tmp_path / "own"
    if made:
        folder.mkdir()
    with pytest.raises(RecordError, match=words), own_record(folder):
        pass
