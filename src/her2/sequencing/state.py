"""What the sequencing rules look at: a patient's clinical state, without any simulation.

`PatientState` is the full vocabulary, for the options of one patient. Every item may be unknown, which is a value of
its own (`unknown` in a file, `None` here) and never read as "no". `ClinicalState` is the short form of virtual trials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from her2.errors import RecordError, nearest
from her2.sequencing.agents import agent_id

Setting = Literal["metastatic", "locally_advanced", "neoadjuvant", "adjuvant"]
Response = Literal["complete", "partial", "stable", "progression"]
StopReason = Literal["progression", "toxicity", "planned_end", "wish"]
OrganState = Literal["normal", "impaired", "failure"]
Site = Literal["bone", "liver", "lung", "lymph_nodes", "pleura", "skin", "soft_tissue", "other_visceral"]
UNKNOWN_WORD = "unknown"
MAX_LINES = 20


def _number(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("expected a finite number")
    return value


def _agents(value: Any) -> Any:
    """Agents as ids of the record in order of their names; a name the record lacks is kept as it came."""
    if isinstance(value, str):
        value = () if value == "none" else value.split("+")
    if not isinstance(value, list | tuple):
        return value
    if any(not isinstance(v, str) or not v.strip() for v in value):
        raise ValueError("expected a list of names of agents")
    return tuple(sorted({agent_id(v) or v.strip().lower() for v in value}))


def _words(value: Any) -> Any:
    """A list of words; a single word and `none` are lists too."""
    if isinstance(value, str):
        return () if value == "none" else (value,)
    return tuple(sorted(set(value))) if isinstance(value, list | tuple) and _all_text(value) else value


def _all_text(values: list[Any] | tuple[Any, ...]) -> bool:
    return all(isinstance(v, str) for v in values)


Number = Annotated[float, BeforeValidator(_number)]
Months = Annotated[float, BeforeValidator(_number), Field(ge=0, le=600)]
Agents = Annotated[tuple[str, ...], BeforeValidator(_agents)]


class Part(BaseModel):
    """Base of the parts of a state: unknown keys are refused, objects do not change, `unknown` is `None`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _unknown(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {k: None if isinstance(v, str) and v == UNKNOWN_WORD else v for k, v in data.items()}


class TherapyLine(Part):
    """A completed line of therapy for metastatic disease."""

    agents: Agents | None = Field(default=None, description="what was given")
    best_response: Response | None = None
    months: Months | None = Field(default=None, description="from start to end")
    stopped_for: StopReason | None = None
    months_since: Months | None = Field(default=None, description="from its end to now")


class CurrentLine(Part):
    """The line being given, where the question is how to go on after the best response."""

    agents: Agents | None = None
    best_response: Response | None = None
    months: Months | None = Field(default=None, description="since its start")


class Early(Part):
    """Treatment of early disease before the relapse; intervals run from the last dose to the relapse, 0: during it."""

    neoadjuvant: Agents | None = None
    adjuvant: Agents | None = None
    months_since_trastuzumab: Months | None = None
    months_since_pertuzumab: Months | None = None
    months_since_taxane: Months | None = None
    months_of_pertuzumab: Months | None = Field(default=None, description="duration of exposure")


class Cns(Part):
    """Brain metastases: `untreated` (no local therapy), `treated` (and quiet), `progressive` (after local therapy)."""

    metastases: Literal["none", "untreated", "treated", "progressive"] | None = None
    symptomatic: bool | None = None


class Organs(Part):
    """Function of organs other than the ejection fraction."""

    liver: OrganState | None = None
    kidney: OrganState | None = None
    marrow: OrganState | None = None
    lung: OrganState | None = None
    heart: OrganState | None = None


class Her2Test(Part):
    """Results of HER2 testing, where known beside the status."""

    ihc: Annotated[int, BeforeValidator(_number), Field(ge=0, le=3)] | None = None
    ish: Literal["amplified", "not_amplified"] | None = None
    copies: Annotated[float, BeforeValidator(_number), Field(ge=0, le=200)] | None = Field(
        default=None, description="mean HER2 copies per nucleus"
    )
    ratio: Literal["normal", "raised"] | None = Field(default=None, description="HER2:CEP17")
    abnormality: Literal["none", "polysomy", "monosomy", "colocalisation"] | None = None
    amplified_cells: Annotated[float, BeforeValidator(_number), Field(ge=0, le=100)] | None = Field(
        default=None, description="per cent of infiltrating tumour cells with amplification"
    )


class Biomarkers(Part):
    """Markers the reviews discuss."""

    pik3ca: Literal["mutated", "wild_type"] | None = None
    pten: Literal["lost", "present"] | None = None
    ps6: Literal["high", "low"] | None = None
    pi3k_pathway: Literal["active", "inactive"] | None = None
    akt1: Literal["mutated", "wild_type"] | None = None
    inpp4b: Literal["lost", "present"] | None = None
    p95her2: Literal["present", "absent"] | None = None
    her2_delta16: Literal["present", "absent"] | None = None
    her2_level: Literal["high", "low"] | None = None
    her3_level: Literal["high", "low"] | None = None
    serum_her2: Literal["high", "low"] | None = None
    egfr: Literal["overexpressed", "normal"] | None = None
    igf1r: Literal["overexpressed", "normal"] | None = None
    met: Literal["overexpressed", "normal"] | None = None
    epha2: Literal["overexpressed", "normal"] | None = None
    beta2_ar: Literal["high", "low"] | None = None
    src: Literal["active", "inactive"] | None = None
    cyclin_e: Literal["amplified", "normal"] | None = None
    til: Literal["high", "low"] | None = None
    pdl1: Literal["positive", "negative"] | None = None
    fcgr3a: Literal["vv", "vf", "ff"] | None = None


class PatientState(Part):
    """A patient before a decision: a new line of therapy, or how to go on after the best response to the current one.

    An omitted item is unknown, except `phase` (`new_line`), `as_of` (the newest rules) and `considering` (nothing).
    """

    name: str = ""
    setting: Setting | None = None
    phase: Literal["new_line", "best_response"] = "new_line"
    line: Annotated[int, BeforeValidator(_number), Field(ge=1, le=MAX_LINES)] | None = Field(
        default=None, description="line of metastatic therapy to be chosen, or being given"
    )
    her2: Literal["positive", "low", "negative"] | None = None
    her2_test: Her2Test = Her2Test()
    hormone_receptor: Literal["positive", "negative"] | None = None
    de_novo: bool | None = None
    early: Early | None = None
    lines: Annotated[tuple[TherapyLine, ...], Field(max_length=MAX_LINES)] | None = Field(
        default=None, description="completed lines of metastatic therapy, the first first"
    )
    current: CurrentLine | None = None
    cns: Cns = Cns()
    leptomeningeal: bool | None = None
    visceral_crisis: bool | None = None
    sites: Annotated[tuple[Site, ...], BeforeValidator(_words)] | None = Field(
        default=None,
        description="metastases outside the brain; used by the predicted course, not by the rules",
    )
    sex: Literal["female", "male"] | None = None
    age: Annotated[float, BeforeValidator(_number), Field(ge=0, le=120)] | None = None
    weight: Annotated[float, BeforeValidator(_number), Field(ge=25, le=250)] | None = Field(
        default=None, description="kg; used by the predicted course, not by the rules"
    )
    pregnant: bool | None = None
    ecog: Annotated[int, BeforeValidator(_number), Field(ge=0, le=4)] | None = None
    lvef: Annotated[float, BeforeValidator(_number), Field(ge=5, le=90)] | None = Field(
        default=None, description="left ventricular ejection fraction, per cent"
    )
    organs: Organs = Organs()
    biomarkers: Biomarkers = Biomarkers()
    medicines: Annotated[tuple[str, ...], BeforeValidator(_agents)] | None = Field(
        default=None, description="medicines beside the cancer treatment"
    )
    wishes: Annotated[tuple[Literal["no_chemotherapy", "no_trial"], ...], BeforeValidator(_words)] | None = (
        None
    )
    considering: Annotated[tuple[str, ...], BeforeValidator(_words)] = Field(
        default=(), description="regimens to judge, as doxorubicin+trastuzumab"
    )
    as_of: Annotated[int, BeforeValidator(_number), Field(ge=1998, le=2100)] | None = Field(
        default=None, description="year; rules with a later date are left out"
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        """`cns: treated`, `early: none`, `lines: none` are short for the full form; an unknown part is an empty one."""
        if not isinstance(data, Mapping):
            return data
        plain = ("name", "phase", "considering", "as_of")
        data = {k: v for k, v in data.items() if not (k in plain and v in (UNKNOWN_WORD, None))}
        if isinstance(data.get("cns"), str) and data["cns"] != UNKNOWN_WORD:
            data["cns"] = {"metastases": data["cns"]}
        if data.get("early") == "none":
            data["early"] = {"neoadjuvant": "none", "adjuvant": "none"}
        if data.get("lines") == "none":
            data["lines"] = []
        for part in ("cns", "her2_test", "organs", "biomarkers"):
            if part in data and data[part] in (UNKNOWN_WORD, None):
                data[part] = {}
        return data

    @property
    def completed(self) -> tuple[TherapyLine, ...] | None:
        """Completed lines of metastatic therapy; None where they are not known."""
        if self.lines is not None:
            return self.lines
        none_yet = self.line == 1 or self.setting in ("neoadjuvant", "adjuvant")
        return () if none_yet else None

    @property
    def line_number(self) -> int | None:
        """Number of the line to be chosen or being given; None where not known."""
        if self.line is not None:
            return self.line
        return None if self.lines is None else len(self.lines) + 1

    @property
    def early_treatment(self) -> Early | None:
        """Treatment of early disease; there was none where the disease was metastatic from the start."""
        if self.early is None and self.de_novo:
            return Early(neoadjuvant=(), adjuvant=())
        return self.early


def state_of(data: Any, where: str) -> PatientState:
    """A state from plain data.

    Raises
    ------
    her2.errors.RecordError
        With all findings: field, what was expected, what came, the nearest valid word.
    """
    if not isinstance(data, Mapping):
        raise RecordError(f"{where}: expected a mapping of items to values, got {type(data).__name__}")
    try:
        return PatientState.model_validate(data)
    except ValidationError as error:
        findings = dict.fromkeys(_finding(item) for item in error.errors())
        raise RecordError(f"{where}, " + "; ".join(findings)) from error


def _finding(item: Any) -> str:
    """One finding of a validation: field, expectation, what came, nearest."""
    path = [str(x) for x in item["loc"] if not str(x).startswith(("function-", "tuple[", "constrained-"))]
    place = ".".join(path) or "(file)"
    came = item["input"]
    if item["type"] == "extra_forbidden":
        valid = _fields_at(path[:-1])
        place = place[-200:]
        return f"{place}: unknown item{nearest(path[-1], valid)} (valid: {', '.join(valid)})"
    if item["type"] == "literal_error":
        words = [w.strip(" '") for w in item["ctx"]["expected"].replace(" or ", ",").split(",")]
        return f"{place}: expected {', '.join(words)} or unknown, got {repr(came)[:60]}{nearest(came, words)}"
    text = str(item["msg"]).removeprefix("Value error, ")
    return f"{place}: {text[0].lower()}{text[1:]}; got {repr(came)[:60]}"


def _fields_at(path: list[str]) -> list[str]:
    """Valid items of the part at a place in a state."""
    model: Any = PatientState
    for step in path:
        if step.isdigit():
            continue
        field_info = model.model_fields.get(step)
        model = _part_in(field_info.annotation) if field_info is not None else None
        if model is None:
            return []
    return sorted(model.model_fields)


def _part_in(annotation: Any) -> Any:
    """The part inside an optional or tuple annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    found = (_part_in(a) for a in getattr(annotation, "__args__", ()))
    return next((f for f in found if f is not None), None)


@dataclass(frozen=True)
class ClinicalState:
    """A virtual patient between two lines of therapy.

    Attributes
    ----------
    setting : 'metastatic', ...
    her2 : 'positive', ...
    lines_completed : metastatic lines so far
    had : agents given so far in the metastatic setting
    year : calendar year, decides what existed; None for the time of the review
    """

    setting: str = "metastatic"
    her2: str = "positive"
    lines_completed: int = 0
    had: frozenset[str] = field(default_factory=frozenset)
    year: int | None = None

    @property
    def line(self) -> int:
        """Number of the coming line."""
        return self.lines_completed + 1

    def after(self, agents: frozenset[str]) -> ClinicalState:
        """The state after one more line with these agents."""
        return ClinicalState(self.setting, self.her2, self.lines_completed + 1, self.had | agents, self.year)
