"""From facts to judgements: goals, strength of each category of evidence, risk, what a question may rest on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from her2.credibility.facts import Facts
from her2.credibility.statements import Category, Goal, Level, Question

Outcome = Literal["met", "not met", "not run"]
RISK: Mapping[tuple[Level, Level], Level] = {
    ("low", "low"): "low", ("low", "medium"): "low", ("low", "high"): "medium",
    ("medium", "low"): "low", ("medium", "medium"): "medium", ("medium", "high"): "high",
    ("high", "low"): "medium", ("high", "medium"): "high", ("high", "high"): "high",
}  # fmt: skip
"""Model risk by model influence and consequence of a wrong decision."""


@dataclass(frozen=True)
class Judged:
    """A goal, the figure it was held against in words, and the outcome."""

    goal: Goal
    shown: str
    outcome: Outcome


def judge(goal: Goal, facts: Facts) -> Judged:
    """Hold a goal against the facts; a fact that is missing makes it "not run"."""
    if goal.rule == "met":
        return _judge_trust(goal, facts)
    fact = facts.find(goal.fact)
    if goal.rule == "holds":
        if not isinstance(fact, Mapping) or "low95" not in fact:
            return Judged(goal, "", "not run")
        shown = f"{fact['value']:.2f} [{fact['low95']:.2f}, {fact['high95']:.2f}], n = {fact['n']}"
        return _judged(goal, shown, fact["low95"] <= float(_number(goal)) <= fact["high95"])
    if goal.rule == "beats":
        if not isinstance(fact, Mapping) or "beats" not in fact:
            return Judged(goal, "", "not run")
        names = goal.value if isinstance(goal.value, tuple) else (str(goal.value),)
        beats = {name: fact["beats"].get(name) for name in names}
        shown = f"{fact['value']:.3f}, n = {fact['n']}; " + ", ".join(
            f"{name.replace('_', ' ')} {_WORD[won]}" for name, won in beats.items()
        )
        return _judged(goal, shown, all(won is True for won in beats.values()))
    if fact is None:
        return Judged(goal, "", "not run")
    if goal.rule == "is":
        return _judged(goal, _said(fact), fact == goal.value)
    limit, value = float(_number(goal)), float(fact)
    return _judged(goal, f"{value:.3g}", value >= limit if goal.rule == "at_least" else value <= limit)


_WORD = {True: "beaten", False: "not beaten", None: "tied"}


def _judge_trust(goal: Goal, facts: Facts) -> Judged:
    """Figures of a part of the trust checks, by their names."""
    part = facts.find(goal.fact)
    if part is None:
        return Judged(goal, "", "not run")
    figures = [f for f in part["figures"] if f["target"] and re.search(str(goal.value), f["name"])]
    if not figures:
        return Judged(goal, "", "not run")
    met = sum(bool(f["met"]) for f in figures)
    if any(f["value"] == "not run" for f in figures):
        return Judged(goal, "part of it", "not run")
    return _judged(goal, f"{met} of {len(figures)} figures", met == len(figures))


def _judged(goal: Goal, shown: str, met: bool) -> Judged:
    return Judged(goal, shown, "met" if met else "not met")


def _number(goal: Goal) -> Any:
    return goal.value


def _said(fact: object) -> str:
    return {True: "yes", False: "no"}.get(fact, str(fact)) if isinstance(fact, bool) else str(fact)


def strength(category: Category, judged: Iterable[Judged]) -> str:
    """Strength of a category in a word, from its goals.

    *Strong* if there are two goals or more and all are run and met, *moderate* if at least half of those run are,
    *weak* if fewer; *not run* if none was; *descriptive* where there are no goals, *none* where there is no evidence.
    """
    if category.scope == "none":
        return "none"
    mine = [j.outcome for j in judged if j.goal.category == category.id]
    if not mine:
        return "descriptive"
    run = [o for o in mine if o != "not run"]
    if not run:
        return "not run"
    met = sum(o == "met" for o in run)
    if met == len(mine) > 1:
        return "strong"
    return "moderate" if met * 2 >= len(run) else "weak"


def risk_of(influence: Level, consequence: Level) -> Level:
    """Model risk."""
    return RISK[influence, consequence]


def conclusion(question: Question, judged: Mapping[str, Judged]) -> str:
    """What an answer to a question may rest on, from the goals it needs."""
    outcomes = {need: judged[need].outcome for need in question.needs}
    open_ = [n for n, o in outcomes.items() if o == "not run"]
    missed = [n for n, o in outcomes.items() if o == "not met"]
    if not open_ and not missed:
        return "may be used as one argument"
    words = []
    if missed:
        words.append("not met: " + "; ".join(judged[n].goal.says for n in missed))
    if open_:
        words.append("not run: " + "; ".join(judged[n].goal.says for n in open_))
    lead = (
        "only with the limits named"
        if risk_of(question.influence, question.consequence) == "low"
        else "not on its own"
    )
    return f"{lead} ({'. '.join(words)})"
