"""The credibility report: rebuilt from data, and never ahead of it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from her2.credibility import facts as facts_module
from her2.credibility.facts import SCOREBOARD, TRUST_PARTS, VERDICTS, gather
from her2.credibility.judge import RISK, judge, strength
from her2.credibility.report import PART_PAGES, as_json, judge_all, page
from her2.credibility.statements import (
    FOLDER,
    Goal,
    load_assumptions,
    load_categories,
    load_context,
    load_goals,
)
from her2.errors import RecordError
from her2.evidence.load import files_of, load_parameters

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_command_writes(facts):
    written = (ROOT / "docs" / "credibility.md").read_text(encoding="utf-8")
    assert written == page(facts), "docs/credibility.md is out of date: `make credibility` writes it anew"


def test_a_changed_scoreboard_changes_the_page(facts, tmp_path):
    board = json.loads(SCOREBOARD.read_text(encoding="utf-8"))
    score = board["scores"]["held_out"]["coverage_90"]
    score.update(value=0.91, low95=0.84, high95=0.96)
    path = tmp_path / "scoreboard.json"
    path.write_text(json.dumps(board), encoding="utf-8")
    changed = gather(scoreboard=path)
    assert judge(load_goals()["held_out_coverage_90"], changed).outcome == "met"
    assert "| held out | 90 % | 91 % [84, 96]" in page(changed)
    assert "| held out | 90 % | 91 % [84, 96]" not in page(facts)


def test_a_posterior_made_anew_leaves_the_validation_out_of_date(tmp_path):
    board = json.loads(SCOREBOARD.read_text(encoding="utf-8"))
    board["posterior_digest"] = "0" * 64
    path = tmp_path / "scoreboard.json"
    path.write_text(json.dumps(board), encoding="utf-8")
    old = gather(scoreboard=path)
    assert judge(load_goals()["validation_current"], old).outcome == "not met"
    assert "**another one**" in page(old)


def test_figures_of_single_trials_are_not_read(facts):
    text = json.dumps(as_json(facts))
    assert '"trials"' not in json.dumps(dict(facts.validation))
    for group in ("fit", "leave_one_out", "held_out"):
        for score in facts.validation[group].values():
            assert set(score) <= {"says", "n", "unit", "value", "low95", "high95", "nominal", "beats"}
    assert "not_predicted" not in text and '"misses": [' not in text


def test_a_changed_calibration_changes_the_page(facts, tmp_path, monkeypatch):
    data = yaml.safe_load(facts_module.PROVENANCE.read_text(encoding="utf-8"))
    data["birge_ratio"] = 9.87
    data["targets"][0]["residual_in_sd"] = 31.4
    path = tmp_path / "provenance.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    monkeypatch.setattr(facts_module, "PROVENANCE", path)
    changed = gather()
    assert judge(load_goals()["birge"], changed).outcome == "not met"
    text = page(changed)
    assert "| largest residual | 31.4 |" in text and "9.87" in text


def test_trust_results_are_taken_in_and_their_absence_is_told(facts, tmp_path):
    none = replace(facts, trust={})
    rows = [line for line in page(none).splitlines() if line.endswith("| not run |  |  |")]
    assert len(rows) == len(TRUST_PARTS)
    result = {
        "met": True, "date": "2026-01-01", "model_digest": "a", "posterior_digest": "b",
        "figures": [
            {"name": "PK closed forms, worst error", "value": 3e-12, "unit": "", "target": "<= 1e-9", "met": True},
            {"name": "type I error, log-rank", "value": 0.07, "unit": "", "target": "0.05", "met": False},
        ],
    }  # fmt: skip
    (tmp_path / "numbers.json").write_text(json.dumps(result), encoding="utf-8")
    found = gather(trust=tmp_path)
    goals = judge_all(found)
    assert goals["closed_forms"].outcome == "met"
    assert goals["type_i_error"].outcome == "not met"
    assert goals["tests_strong"].outcome == "not run"
    assert "0.05: **not met**" in page(found)
    result["figures"][0]["value"] = "not run"
    (tmp_path / "numbers.json").write_text(json.dumps(result), encoding="utf-8")
    assert judge_all(gather(trust=tmp_path))["closed_forms"].outcome == "not run"


def test_a_damaged_result_is_refused_by_name(tmp_path):
    (tmp_path / "supply.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RecordError, match=r"supply\.json"):
        gather(trust=tmp_path)
    board = tmp_path / "scoreboard.json"
    board.write_text('{"scores": 3}', encoding="utf-8")
    with pytest.raises(RecordError, match="her2 validate"):
        gather(scoreboard=board)


def test_the_counts_of_claims_are_those_of_their_page(facts, tmp_path):
    moved = tmp_path / "claim_verdicts.md"
    text = VERDICTS.read_text(encoding="utf-8")
    assert (
        facts.claims["run"]
        == facts.claims["reproduced"] + facts.claims["divided"] + facts.claims["contradicted"]
    )
    moved.write_text(
        text.replace(f"{facts.claims['reproduced']} reproduced", "7 reproduced", 1), encoding="utf-8"
    )
    assert gather(verdicts=moved).claims["reproduced"] == 7
    assert (
        judge(load_goals()["claims_reproduced"], gather(verdicts=tmp_path / "none.md")).outcome == "not run"
    )


def test_every_assumed_parameter_stands_in_the_report(facts):
    text = page(facts)
    assumed = [k for k, p in load_parameters().items() if p.quality == "assumed"]
    assert len(facts.record["assumed"]) == len(assumed)
    listed = text.split("## Assumed numbers")[1]
    assert all(f"| `{name}` |" in listed for name in assumed)
    assert {p.stem for p in files_of("parameters")} == set(PART_PAGES)


def test_every_range_holds_the_value_it_belongs_to(facts):
    spans = [(a["value"], *a["span_95"]) for a in facts.record["assumed"] if a["span_95"]]
    assert spans and all(low <= value <= high and low < high for value, low, high in spans)


def test_every_grade_is_counted(facts):
    by_quality = facts.record["grades"]["parameters"]
    assert sum(by_quality.values()) == facts.record["parameters"] == len(load_parameters())


def test_every_assumption_acts_on_a_page_that_exists():
    pages = {p.stem for p in (ROOT / "docs" / "explanation").glob("*.md")}
    assert {a.part for a in load_assumptions()} <= pages
    assert all(a.falsified.strip() and a.why.strip() for a in load_assumptions())
    for _, path in PART_PAGES.values():
        assert (ROOT / "docs" / path).is_file()


def test_the_eight_categories_are_there_and_strength_follows_the_goals(facts):
    categories = load_categories()
    assert len(categories) == 8
    judged = judge_all(facts)
    for category in categories:
        mine = [j for j in judged.values() if j.goal.category == category.id]
        word = strength(category, judged.values())
        if category.scope == "none":
            assert word == "none" and not mine
        elif word == "strong":
            assert len(mine) > 1 and all(j.outcome == "met" for j in mine)


def test_risk_never_falls_when_influence_or_consequence_rises():
    order = ("low", "medium", "high")
    for i, low in enumerate(order):
        for j, other in enumerate(order):
            for k in range(i, 3):
                assert order.index(RISK[order[k], other]) >= order.index(RISK[low, other])
                assert order.index(RISK[other, order[k]]) >= order.index(RISK[other, low])
                assert RISK[low, other] == RISK[other, low], (i, j)


@pytest.mark.parametrize(
    ("rule", "fact", "value", "outcome"),
    [
        ("at_least", 0.5, 0.5, "met"),
        ("at_least", 0.499, 0.5, "not met"),
        ("at_most", 1.5, 1.5, "met"),
        ("at_most", 1.51, 1.5, "not met"),
        ("is", False, True, "not met"),
        ("holds", {"value": 0.8, "low95": 0.7, "high95": 0.9, "n": 9}, 0.9, "met"),
        ("holds", {"value": 0.8, "low95": 0.7, "high95": 0.89, "n": 9}, 0.9, "not met"),
        ("beats", {"value": 0.1, "n": 3, "beats": {"null_model": True}}, ("null_model",), "met"),
        ("beats", {"value": 0.1, "n": 3, "beats": {"null_model": None}}, ("null_model",), "not met"),
        ("beats", {"value": 0.1, "n": 3, "beats": {}}, ("null_model",), "not met"),
        ("at_least", None, 0.5, "not run"),
        ("holds", None, 0.5, "not run"),
    ],
)
def test_rules_at_their_limits(facts, rule, fact, value, outcome):
    goal = Goal(
        id="x", category="code", factor="f", says="s", fact="claims.x", rule=rule, value=value, why="w"
    )
    assert judge(goal, replace(facts, claims={} if fact is None else {"x": fact})).outcome == outcome


def test_words_hold_no_figures_of_results():
    # years, levels of intervals and the numbers of guidances are words; a share or an error of the model is not
    allowed = re.compile(r"ICH M15|V&V 40|\b(2015|2016|2023|50|90|95) ?%?|\b(one|two|three|half)\b")
    for name in ("context.yaml", "categories.yaml", "assumptions.yaml"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        left = allowed.sub("", body)
        assert not re.search(r"\d+(\.\d+)?\s?%|\d\.\d", left), name


def test_a_question_with_an_unknown_goal_is_refused(tmp_path, monkeypatch):
    from her2.credibility import statements

    shutil.copytree(FOLDER, tmp_path / "words")
    path = tmp_path / "words" / "context.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("needs: [closed_forms", "needs: [closed_form"), encoding="utf-8")
    monkeypatch.setattr(statements, "FOLDER", tmp_path / "words")
    load_context.cache_clear()
    try:
        with pytest.raises(Exception, match="nearest: 'closed_forms'"):
            load_context()
    finally:
        load_context.cache_clear()
