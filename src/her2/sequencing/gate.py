"""What lies outside this model: named, and refused or marked, never silently answered.

*Refused*: no option is given. *Marked*: options are given, with the words that no rule of the reviews, or no patient of
their trials, stands behind this part of the case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from her2.sequencing.agents import agent_ids, is_a, nearest_agent
from her2.sequencing.state import Organs, PatientState
from her2.sequencing.vocabulary import FAILING_LVEF, LOW_LVEF, POOR_ECOG

Decision = Literal["refused", "marked"]
ADULT = 18
_EARLY_SETTINGS = ("neoadjuvant", "adjuvant")


@dataclass(frozen=True)
class GateFinding:
    """One part of a case outside the model.

    Attributes
    ----------
    name : short name, as `her2_low`
    items : fields of the state it rests on
    """

    name: str
    decision: Decision
    says: str
    items: tuple[str, ...]


def gate(state: PatientState) -> tuple[GateFinding, ...]:
    """Everything about a state that lies outside the model, refusals first."""
    found = [*_disease(state), *_patient(state), *_unknown_agents(state), *_contradictions(state)]
    return tuple(sorted(found, key=lambda f: f.decision != "refused"))


def _refuse(name: str, says: str, *items: str) -> GateFinding:
    return GateFinding(name, "refused", says, items)


def _mark(name: str, says: str, *items: str) -> GateFinding:
    return GateFinding(name, "marked", says, items)


def _disease(state: PatientState) -> Iterator[GateFinding]:
    if state.her2 is None:
        yield _refuse(
            "her2_unknown", "HER2 status is not known; every rule needs HER2-positive disease", "her2"
        )
    elif state.her2 == "negative":
        yield _refuse(
            "her2_negative",
            "HER2-negative disease: the model and the rules are for HER2-positive disease",
            "her2",
        )
    elif state.her2 == "low":
        yield _refuse(
            "her2_low", "HER2-low disease (IHC 1+ or 2+, not amplified): the rules are for HER2-positive", "her2"
        )  # fmt: skip
    if state.leptomeningeal:
        yield _refuse(
            "leptomeningeal", "leptomeningeal disease: neither review speaks of it", "leptomeningeal"
        )
    if state.cns.symptomatic:
        yield _mark(
            "cns_symptomatic",
            "symptomatic CNS metastases: local therapy comes first and is no part of the rules",
            "cns.symptomatic",
        )
    if state.visceral_crisis:
        yield _mark("visceral_crisis", "visceral crisis: the reviews give no rule for it", "visceral_crisis")
    if state.setting in _EARLY_SETTINGS:
        yield _mark(
            "early_disease", "early disease: the reviews are about metastatic disease and state few rules", "setting"
        )  # fmt: skip
    elif state.setting == "locally_advanced":
        yield _mark(
            "locally_advanced", "locally advanced disease: only rules worded for advanced disease are read", "setting"
        )  # fmt: skip


def _patient(state: PatientState) -> Iterator[GateFinding]:
    if state.pregnant:
        yield _refuse("pregnancy", "pregnancy: neither review speaks of it", "pregnant")
    if state.sex == "male":
        yield _mark("male", "male patient: the trials behind the rules were in women", "sex")
    for name in Organs.model_fields:
        value = getattr(state.organs, name)
        if value == "failure":
            yield _refuse(
                "organ_failure", f"failure of the {name}: the reviews give no rule for it", f"organs.{name}"
            )
        elif value == "impaired":
            yield _mark(
                "organ_impaired",
                f"impaired function of the {name}: the reviews give no rule for it",
                f"organs.{name}",
            )
    if state.lvef is not None and state.lvef < FAILING_LVEF:
        yield _refuse(
            "organ_failure",
            f"LVEF {state.lvef:g} %: failing heart, and the reviews give no rule for it",
            "lvef",
        )
    elif state.lvef is not None and state.lvef < LOW_LVEF:
        yield _mark("lvef_low", f"LVEF {state.lvef:g} %: the reviews name no limit for any option", "lvef")
    if state.ecog is not None and state.ecog >= POOR_ECOG:
        yield _mark("poor_performance", f"ECOG {state.ecog}: the reviews give no rule for it", "ecog")
    if state.age is not None and state.age < ADULT:
        yield _refuse("child", f"age {state.age:g} years: the model is for adults", "age")


def _unknown_agents(state: PatientState) -> Iterator[GateFinding]:
    known = agent_ids()
    places = [(f"lines.{i}.agents", line.agents or ()) for i, line in enumerate(state.completed or ())]
    if state.current is not None:
        places.append(("current.agents", state.current.agents or ()))
    if state.early is not None:
        places += [
            ("early.neoadjuvant", state.early.neoadjuvant or ()),
            ("early.adjuvant", state.early.adjuvant or ()),
        ]
    for place, agents in places:
        for agent in agents:
            if agent not in known:
                yield _refuse(
                    "unknown_drug", f"unknown drug '{agent}'{nearest_agent(agent)}: no rule can weigh it", place
                )  # fmt: skip
    for agent in state.medicines or ():
        if agent not in known:
            yield _mark(
                "unknown_medicine",
                f"'{agent}' is not in the record; interactions are not judged",
                "medicines",
            )


def _contradictions(state: PatientState) -> Iterator[GateFinding]:
    for says, *items in _contradictory(state):
        yield _refuse("contradictory", f"contradictory data: {says}", *items)


def _contradictory(state: PatientState) -> Iterator[tuple[str, ...]]:
    yield from _contradictory_history(state)
    test = state.her2_test
    if state.her2 == "positive" and test.ihc in (0, 1) and test.ish == "not_amplified":
        yield (f"HER2 positive, but IHC {test.ihc}+ and not amplified", "her2", "her2_test")
    if state.her2 in ("negative", "low") and (test.ihc == 3 or test.ish == "amplified"):
        yield (f"HER2 {state.her2}, but the test says 3+ or amplified", "her2", "her2_test")
    if state.cns.metastases == "none" and state.cns.symptomatic:
        yield ("symptomatic CNS metastases, but no CNS metastases", "cns")
    if state.pregnant and state.sex == "male":
        yield ("a pregnant male patient", "pregnant", "sex")
    if state.setting in _EARLY_SETTINGS:
        if state.lines:
            yield (f"{state.setting} setting, but lines of metastatic therapy", "setting", "lines")
        if state.line is not None and state.line > 1:
            yield (f"{state.setting} setting, but line {state.line} of metastatic therapy", "setting", "line")
        if state.de_novo:
            yield (f"{state.setting} setting, but metastatic from the start", "setting", "de_novo")
        if state.cns.metastases not in (None, "none"):
            yield (f"{state.setting} setting, but CNS metastases", "setting", "cns")


def _contradictory_history(state: PatientState) -> Iterator[tuple[str, ...]]:
    if state.lines is not None and state.line is not None and state.line != len(state.lines) + 1:
        yield (f"line {state.line}, but {len(state.lines)} completed lines", "line", "lines")
    if state.phase == "new_line" and state.current is not None:
        yield (
            "a current line, but a new line is to be chosen (phase: best_response to go on with it)",
            "phase",
            "current",
        )
    if state.current is not None and state.current.best_response == "progression":
        yield ("best response reached, but the current line has progressed", "phase", "current")
    for i, line in enumerate(state.lines or ()):
        if line.agents == ():
            yield (f"line {i + 1} without any agent", f"lines.{i}.agents")
        if line.months == 0 and line.best_response in ("complete", "partial"):
            yield (f"a response to line {i + 1} of no duration", f"lines.{i}")
    early = state.early
    if early is None:
        return
    given = (*(early.neoadjuvant or ()), *(early.adjuvant or ()))
    if state.de_novo and given:
        yield ("metastatic from the start, but treatment of early disease", "de_novo", "early")
    if early.neoadjuvant is None or early.adjuvant is None:
        return
    for agent in ("trastuzumab", "pertuzumab", "taxane"):
        months = getattr(early, f"months_since_{agent}")
        if months is not None and not any(is_a(a, agent) for a in given):
            yield (f"months since early {agent}, but no early {agent}", f"early.months_since_{agent}")
    if early.months_of_pertuzumab is not None and "pertuzumab" not in given:
        yield ("months of early pertuzumab, but no early pertuzumab", "early.months_of_pertuzumab")
