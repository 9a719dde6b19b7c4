"""Adverse events of agents: what a file of `data/toxicity` contains, how it is read, and what is refused.

One file per agent. Its rates are inputs of the trial engine, never predictions of it: the share of patients in whom
the agent alone, at its label dose and over a typical exposure, causes an event; when; and what is then done with the
dose. `her2.trials.toxicity` combines them into the adverse events of an arm.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from her2.errors import RecordError, nearest, unknown
from her2.evidence.load import (
    USER_VARIABLE,
    files_of,
    find_file,
    load_agent,
    load_sources,
    load_studies,
    parse,
    read_yaml,
    show_path,
)
from her2.evidence.schema import Entry, Finite, Identifier, PublishedValue, Quality, Study
from her2.units import DAYS_PER_WEEK, convert

if TYPE_CHECKING:
    from pathlib import Path

    from her2.evidence.lint.base import Finding

FOLDER = "toxicity"

TERMS: dict[str, str] = {
    "alopecia": "hair loss",
    "alt_increased": "ALT increase",
    "anaemia": "anaemia",
    "ast_increased": "AST increase",
    "chills": "chills",
    "colitis": "immune-mediated colitis",
    "constipation": "constipation",
    "cystitis": "haemorrhagic cystitis",
    "decreased_appetite": "decreased appetite",
    "diarrhoea": "diarrhoea",
    "dry_skin": "dry skin",
    "fatigue": "fatigue or asthenia",
    "febrile_neutropenia": "febrile neutropenia",
    "fever": "fever",
    "fluid_retention": "fluid retention",
    "gi_perforation": "gastrointestinal perforation",
    "haemorrhage": "haemorrhage",
    "hand_foot_syndrome": "hand-foot syndrome",
    "headache": "headache",
    "hot_flush": "hot flushes",
    "hyperglycaemia": "hyperglycaemia",
    "hypersensitivity": "hypersensitivity",
    "hypertension": "hypertension",
    "hypothyroidism": "hypothyroidism",
    "infection": "infection",
    "infusion_reaction": "infusion reaction",
    "lvef_decline": "LVEF decline or cardiac dysfunction",
    "mood_disorder": "anxiety, depression or other change of mood",
    "mucosal_inflammation": "mucosal inflammation",
    "myalgia": "myalgia or arthralgia",
    "nail_disorder": "nail disorder",
    "nausea": "nausea",
    "neutropenia": "neutropenia",
    "pain": "pain",
    "paronychia": "paronychia",
    "peripheral_neuropathy": "peripheral neuropathy",
    "pleural_effusion": "pleural effusion",
    "pneumonitis": "pneumonitis",
    "proteinuria": "proteinuria",
    "rash": "rash",
    "stomatitis": "stomatitis",
    "thrombocytopenia": "thrombocytopenia",
    "thromboembolism": "venous thromboembolism",
    "vomiting": "vomiting",
}
"""Terms the layer knows, with what is printed. Severe `lvef_decline` is symptomatic heart failure."""

ANY_EVENT = "any_adverse_event"
"""Patients with at least one event of any term: printed in tables beside the published figure, never an input."""

Severity = Literal["severe", "any"]

_PRINTED: dict[str, tuple[str, Severity]] = {
    "asthenia": ("fatigue", "any"),
    "cardiac_dysfunction": ("lvef_decline", "any"),
    "cardiotoxicity_clinically_significant": ("lvef_decline", "severe"),
    "diarrhoea_treatment_related": ("diarrhoea", "any"),
    "fatigue_treatment_related": ("fatigue", "any"),
    "lvef_decline_15_from_baseline_to_below_50": ("lvef_decline", "any"),
    "rash_treatment_related": ("rash", "any"),
    "severe_haemorrhage": ("haemorrhage", "severe"),
    "severe_thrombocytopenia": ("thrombocytopenia", "severe"),
    "symptomatic_cardiac_events": ("lvef_decline", "severe"),
    "symptomatic_heart_failure": ("lvef_decline", "severe"),
}
"""Terms as studies print them where they are not the layer's own, with the severity they stand for."""

_SEVERE_GRADES = ("3", "3-4", "3-5", ">=3", "4")
_HOLD = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s+(day|week)s?\s*$")


def _to_weeks(value: object) -> float:
    """A text such as '2 week' in weeks; 0 for none."""
    if value in (0, 0.0) and not isinstance(value, bool):
        return 0.0
    match = _HOLD.match(value) if isinstance(value, str) and len(value) <= 60 else None
    if match is None:
        raise ValueError(f"expected a time such as '1 week' or '3 day', or 0, got {repr(value)[:60]}")
    return convert(float(match.group(1)), match.group(2), "week")


class Sourced(Entry):
    """Where numbers come from.

    `values` names the printed figures of studies that a number is taken or derived from; none may be held out.
    """

    quality: Quality
    source: Identifier
    locator: str
    values: tuple[str, ...] = ()
    note: str = ""


class Rate(Sourced):
    """Share of patients, 0 to below 1."""

    value: Finite = Field(ge=0, lt=1)
    unit: Literal["fraction"]


class Time(Sourced):
    """A time, in day or week."""

    value: Finite = Field(gt=0)
    unit: Literal["day", "week"]

    @property
    def days(self) -> float:
        """The time in days."""
        return convert(self.value, self.unit, "day")

    @property
    def weeks(self) -> float:
        """The time in weeks."""
        return self.days / DAYS_PER_WEEK


class DoseExponent(Sourced):
    """Hazard of the events goes with the dose to this power; 0: the rates hold for every dose."""

    value: Finite = Field(ge=0, le=10)
    unit: Literal["1"]


class DoseAction(Sourced):
    """What is done after an event: nothing, a hold and a lower dose, or a permanent stop."""

    share: Finite = Field(
        default=1.0, ge=0, le=1, description="share of the events on which anything is done"
    )
    hold: Annotated[float, BeforeValidator(_to_weeks)] = Field(
        default=0.0, ge=0, le=26, description="time without the agent, such as '1 week'"
    )
    dose_factor: Finite = Field(
        default=1.0, gt=0, le=1, description="dose after it, relative to the dose before"
    )
    discontinue: Finite = Field(
        default=0.0, ge=0, le=1, description="share of the events after which the agent is stopped for good"
    )
    also: tuple[Identifier, ...] = Field(default=(), description="other agents that the same is done with")

    @model_validator(mode="after")
    def _possible(self) -> DoseAction:
        if self.discontinue > self.share:
            raise ValueError(
                f"discontinue {self.discontinue:g} is more than share {self.share:g}, the events acted on"
            )
        return self


class Interaction(Sourced):
    """How much the hazard of the event rises beside one of these agents, beyond what they cause themselves."""

    agents: tuple[Identifier, ...] = Field(min_length=1)
    severe: Finite = Field(default=1.0, gt=0, le=50, description="factor on the hazard of grade 3-4")
    any: Finite = Field(default=1.0, gt=0, le=50, description="factor on the hazard of any grade")
    unit: Literal["ratio"]


class TermEntry(Entry):
    """One adverse event of an agent.

    `severe` and `any` are shares of patients over the typical exposure, with grade 3-4 and with any grade; one of
    them may be missing where the source has none. `regimen` names the dose they were seen at, where it is not the
    file's.
    """

    severe: Rate | None = None
    any: Rate | None = None
    onset: Time = Field(description="median time to the event, in patients who have it")
    action: DoseAction | None = Field(default=None, description="done after grade 3-4")
    mild_action: DoseAction | None = Field(default=None, description="done after grade 1-2")
    regimen: Identifier | None = None
    dose_exponent: DoseExponent | None = None
    with_agents: tuple[Interaction, ...] = Field(default=(), alias="with")

    @model_validator(mode="after")
    def _possible(self) -> TermEntry:
        if self.severe is None and self.any is None:
            raise ValueError("give 'severe', 'any' or both")
        if self.severe is not None and self.any is not None and self.any.value < self.severe.value:
            raise ValueError(
                f"any grade {self.any.value:g} is less than grade 3-4 {self.severe.value:g}; it includes them"
            )
        return self

    def parts(self) -> Iterator[tuple[str, Sourced]]:
        """Everything with a source, and its name."""
        for name in ("severe", "any", "onset", "action", "mild_action", "dose_exponent"):
            part = getattr(self, name)
            if part is not None:
                yield name, part
        for k, part in enumerate(self.with_agents):
            yield f"with.{k}", part


class AgentToxicity(Entry):
    """Adverse events of one agent (data/toxicity/*.yaml)."""

    id: Identifier
    says: str
    regimen: Identifier | None = Field(
        default=None, description="regimen of the agent's file at which the rates hold"
    )
    exposure: Time = Field(description="typical time on the agent, over which the rates were counted")
    dose_exponent: DoseExponent | None = None
    lowest_dose: Rate | None = Field(default=None, description="lowest dose given, relative to the first")
    terms: dict[str, TermEntry] = {}

    @field_validator("terms")
    @classmethod
    def _known(cls, terms: dict[str, TermEntry]) -> dict[str, TermEntry]:
        for name in terms:
            if name not in TERMS:
                raise ValueError(str(unknown("term", name, TERMS)))
        return terms

    @model_validator(mode="after")
    def _consistent(self) -> AgentToxicity:
        for name, term in self.terms.items():
            if term.onset.days > self.exposure.days:
                raise ValueError(
                    f"terms.{name}.onset: {term.onset.days:g} days lies after the typical exposure of "
                    f"{self.exposure.days:g} days"
                )
        return self

    def parts(self) -> Iterator[tuple[str, Sourced]]:
        """Everything with a source, and its place in the file."""
        for name in ("exposure", "dose_exponent", "lowest_dose"):
            part = getattr(self, name)
            if part is not None:
                yield name, part
        for name, term in self.terms.items():
            for key, inner in term.parts():
                yield f"terms.{name}.{key}", inner


def load_toxicity(agent: str) -> AgentToxicity:
    """Adverse events of one agent; the user's file before the shipped one.

    Raises
    ------
    her2.errors.UnknownNameError
        The agent has no file of adverse events.
    her2.errors.RecordError
        The file does not say what it has to say; the text names file and field.
    """
    entry = _load(find_file(FOLDER, agent), agent, os.environ.get(USER_VARIABLE))
    assert isinstance(entry, AgentToxicity)
    return entry


@lru_cache(maxsize=512)
def _load(path: Path, name: str, _user: str | None) -> AgentToxicity:
    where = show_path(path)
    entry = parse(AgentToxicity, read_yaml(path), where)
    if entry.id != name:
        raise RecordError(f"{where}, id: '{entry.id}' does not match the file name '{name}'")
    return entry


def toxicity_names() -> list[str]:
    """Agents with a file of adverse events, sorted."""
    return sorted({p.stem for p in files_of(FOLDER)})


def named_event(term: str) -> tuple[str, Severity]:
    """Term and severity that a name in a trial file stands for: grade 3-4 of the layer's own terms.

    Raises
    ------
    her2.errors.UnknownNameError
        A name that is neither a term nor one of those that studies print for a term.
    """
    if term in TERMS:
        return term, "severe"
    if term not in _PRINTED:
        raise unknown("term", term, [*TERMS, *_PRINTED])
    return _PRINTED[term]


def printed_event(value: PublishedValue) -> tuple[str, Severity] | None:
    """Term and severity that a printed figure of a study is about; None for one that is no share of patients."""
    if value.endpoint != "ae" or value.statistic != "rate" or value.value is None or value.ae_term is None:
        return None
    if value.ae_term in _PRINTED:
        return _PRINTED[value.ae_term]
    if value.ae_term not in TERMS and value.ae_term != ANY_EVENT:
        return None
    # febrile neutropenia is grade 3 or worse by definition
    severe = value.ae_grade in _SEVERE_GRADES or value.ae_term == "febrile_neutropenia"
    return value.ae_term, "severe" if severe else "any"


def published_events(
    study: Study, arm: str, *, show_held_out: bool = False
) -> dict[tuple[str, Severity], PublishedValue]:
    """Adverse-event rates a study prints for an arm, by term and severity; the first where it prints several.

    Parameters
    ----------
    arm : id of an arm of the study; a figure printed under a wrong name counts for the arm it is of
    show_held_out : whether figures marked as held out may be among them
    """
    found: dict[tuple[str, Severity], PublishedValue] = {}
    for value in study.values:
        if value.role == "held_out" and not show_held_out:
            continue
        right = value.likely_correct.arm if value.likely_correct is not None else None
        event = printed_event(value)
        if event is not None and (right or value.arm) == arm:
            found.setdefault(event, value)
    return found


def check_toxicity() -> list[Finding]:
    """What a file of adverse events alone cannot know: agents, regimens, sources and printed figures it names.

    Returns
    -------
    Findings in the form of `her2.evidence.lint`, all of them: files that cannot be read, names that do not exist,
    rates taken from figures that are held out, agents with doses in the record but without adverse events.
    """
    agents = {p.stem for p in files_of("agents")}
    sources = load_sources()
    printed = {v.id: v for study in load_studies().values() for v in study.values}
    found: list[Finding] = []
    files = {p.stem: p for p in files_of(FOLDER)}
    for name, path in files.items():
        where = show_path(path)
        user = where == str(path)
        try:
            entry = load_toxicity(name)
        except RecordError as error:
            found.append(_finding(where, "(file)", str(error), "Correct the field named.", user))
            continue
        if name not in agents:
            found.append(
                _finding(
                    where, "id", str(unknown("agent", name, agents)), "Name an agent of the record.", user
                )
            )
            continue
        for place, what in _unknown_names(entry, agents):
            found.append(_finding(where, place, what, "Correct the name.", user))
        for place, part in entry.parts():
            if part.source not in sources:
                text = f"source '{part.source}' does not exist{nearest(part.source, sources)}"
                found.append(_finding(where, place, text, "Correct the name or add the source.", user))
            for figure in part.values:
                if figure not in printed:
                    text = f"figure '{figure}' is not in the record{nearest(figure, printed)}"
                    found.append(_finding(where, place, text, "Correct the id of the figure.", user))
                elif printed[figure].role == "held_out":
                    text = f"figure '{figure}' is held out and cannot be an input"
                    found.append(_finding(where, place, text, "Take another figure.", user))
    for name in sorted(agents - set(files)):
        agent = load_agent(name)
        if agent.regimens and agent.pharmacodynamics is not None:
            text = "trials can give it, but it has no adverse events"
            mend = f"Add {FOLDER}/{name}.yaml; until then it is given without toxicity."
            found.append(_finding(f"agents/{name}.yaml", name, text, mend, False, "warning"))
    return found


def _unknown_names(entry: AgentToxicity, agents: set[str]) -> Iterator[tuple[str, str]]:
    """Agents and regimens a file names that do not exist: place and what is wrong."""
    regimens = {r.id for r in load_agent(entry.id).regimens}
    if entry.regimen is not None and entry.regimen not in regimens:
        yield "regimen", str(unknown(f"regimen of {entry.id}", entry.regimen, regimens))
    for key, term in entry.terms.items():
        place = f"terms.{key}"
        if term.regimen is not None and term.regimen not in regimens:
            yield f"{place}.regimen", str(unknown(f"regimen of {entry.id}", term.regimen, regimens))
        if term.dose_exponent is not None and term.regimen is None and entry.regimen is None:
            yield f"{place}.dose_exponent", "needs a 'regimen' that the rates hold for"
        named = [(f"{place}.with.{k}", w.agents) for k, w in enumerate(term.with_agents)]
        named += [
            (f"{place}.{name}.also", action.also)
            for name, action in (("action", term.action), ("mild_action", term.mild_action))
            if action is not None
        ]
        for where, names in named:
            for name in names:
                if name not in agents:
                    yield where, str(unknown("agent", name, agents))


def _finding(
    file: str, field: str, what: str, mend: str, user: bool, severity: Literal["error", "warning"] = "error"
) -> Finding:
    from her2.evidence.lint.base import Finding

    return Finding(severity, "toxicity", file, field, what, mend, user)
