"""Trial files: what they contain, how they are read, and what is refused.

The built-in trials and a user's own are the same YAML; `her2 trial NAME --show` prints one.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from her2.engine.layout import MAX_VISITS
from her2.errors import RecordError, unknown
from her2.evidence.load import (
    find_file,
    is_there,
    load_parameters,
    load_population,
    parse,
    read_yaml,
    show_path,
)
from her2.evidence.schema import Entry, Finite, Identifier, Population, RecipeValue
from her2.units import convert

_QUANTITY = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z0-9/%]+)\s*$")
_LONGEST = 60
"""Characters of a quantity: the time that a match takes grows with the square of their number."""


def _to_days(value: object) -> float:
    """A text such as '9 week' in days."""
    if not isinstance(value, str):
        raise ValueError(f"expected a number with a unit such as '9 week', got {value!r}")
    match = _QUANTITY.match(value) if len(value) <= _LONGEST else None
    if match is None:
        raise ValueError(f"expected a number with a unit such as '9 week', got {value[:_LONGEST]!r}")
    unit = re.sub(r"^(day|week|month|year)s$", r"\1", match.group(2))
    try:
        days = convert(float(match.group(1)), unit, "day")
    except RecordError as error:
        raise ValueError(str(error).lstrip(": ")) from error
    if not math.isfinite(days) or days <= 0:
        raise ValueError(f"expected a positive time, got {value!r}")
    return days


def _to_rate(value: object) -> float:
    """A text such as '0.03 1/year' in 1/day."""
    if not isinstance(value, str) or len(value) > _LONGEST or len(value.split()) != 2:
        raise ValueError(f"expected a rate with a unit such as '0.03 1/year', got {str(value)[:_LONGEST]!r}")
    number, unit = value.split()
    try:
        rate = convert(float(number), unit, "1/day")
    except RecordError as error:
        raise ValueError(str(error).lstrip(": ")) from error
    if not math.isfinite(rate) or rate < 0:
        raise ValueError(f"expected a rate of zero or more, got {value!r}")
    return rate


def _to_weeks(value: object) -> float:
    """A text such as '12 week' in days; 0 and whole weeks only."""
    days = 0.0 if value in (0, 0.0) else _to_days(value)
    if days % 7.0:
        raise ValueError(f"expected a whole number of weeks such as '12 week', got {value!r}")
    return days


Days = Annotated[float, BeforeValidator(_to_days)]
Weeks = Annotated[float, BeforeValidator(_to_weeks)]
PerDay = Annotated[float, BeforeValidator(_to_rate)]


class Cycles(Entry):
    """Number of cycles given: median and range, log-normal between them."""

    median: Finite = Field(gt=0)
    low: Finite = Field(gt=0)
    high: Finite = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Cycles:
        if not self.low <= self.median <= self.high:
            raise ValueError(
                f"expected low <= median <= high, got {self.low:g}, {self.median:g}, {self.high:g}"
            )
        return self


class Component(Entry):
    """One agent of a regimen with its dose in the dosing grammar."""

    agent: Identifier
    dose: str = Field(max_length=200)
    cycles: Cycles | None = None
    start: Weeks = 0.0
    """Day of the line on which the agent is first given: sequential therapy."""


class Regimen(Entry):
    """A named regimen of the record."""

    id: Identifier
    label: str
    source: Identifier
    locator: str
    components: tuple[Component, ...] = Field(min_length=1)


class Action(Entry):
    """What an adverse event does to the dose of an agent from then on."""

    agent: Identifier
    dose_factor: Finite = Field(ge=0, le=1)


class AdverseEvent(Entry):
    """Share of patients with an adverse event and its effect on dose."""

    term: str
    rate: Finite = Field(ge=0, le=1)
    action: Action | None = None
    source: Identifier | None = None
    locator: str = ""


class Option(Entry):
    """One of the regimens among which the physician chooses, with the share of patients who get it."""

    share: Finite = Field(gt=0, le=1)
    label: str
    regimen: tuple[Component, ...] = Field(min_length=1)


class Arm(Entry):
    """One arm: a regimen, or options among which the physician chooses."""

    id: Identifier
    label: str
    regimen: tuple[Component, ...] = ()
    options: tuple[Option, ...] = ()
    adverse_events: tuple[AdverseEvent, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Arm:
        if bool(self.regimen) == bool(self.options):
            raise ValueError(f"arm '{self.id}': expected either 'regimen' or 'options' (physician's choice)")
        total = sum(o.share for o in self.options)
        if self.options and abs(total - 1.0) > 1e-6:
            raise ValueError(f"arm '{self.id}': shares of options sum to {total:g}, expected 1")
        return self

    @property
    def choices(self) -> tuple[Option, ...]:
        """The options; a single one where the arm has one regimen."""
        return self.options or (Option(share=1.0, label=self.label, regimen=self.regimen),)


class History(Entry):
    """Lines for metastatic disease that a share of the patients has had before the trial, in order."""

    share: Finite = Field(gt=0, le=1)
    lines: tuple[Identifier, ...]


class TrialPopulation(Entry):
    """Who is enrolled.

    `brain_metastases` at entry: `any`; `none` (patients with detectable ones are not enrolled); `untreated` or
    `treated` (every patient has measurable ones, before or after radiotherapy).
    """

    recipe: Identifier
    size: int = Field(ge=2, le=100_000)
    year: int | None = Field(default=None, ge=1990, le=2100)
    brain_metastases: Literal["any", "none", "untreated", "treated"] = "any"
    values: dict[Identifier, RecipeValue] = {}


class Randomisation(Entry):
    """Stratified permuted blocks."""

    ratio: tuple[int, ...] = Field(min_length=1)
    block: int = Field(ge=1, le=1000)
    strata: tuple[Literal["er_positive", "visceral", "liver", "adjuvant_chemotherapy", "ecog_1"], ...] = ()


class Sourced(Entry):
    """Base of design facts: where they come from."""

    source: Identifier | None = None
    locator: str = ""


class Accrual(Sourced):
    """Uniform accrual over a time."""

    duration: Days


class Scans(Sourced):
    """Scan schedule."""

    every: Days


class DropOut(Sourced):
    """Loss to follow-up."""

    rate: PerDay


class LaterLines(Sourced):
    """Share of patients who receive each next line after progression; regimens come from the rules."""

    uptake: tuple[Annotated[Finite, Field(ge=0, le=1)], ...] = ()


TimeEndpoint = Literal["pfs", "ttp", "os", "dor", "time_to_cns", "dfs"]
RateEndpoint = Literal["orr", "cbr", "cns_orr", "cns_incidence", "cns_first", "pcr"]
EndpointName = TimeEndpoint | RateEndpoint
RESPONSE_SETTINGS: dict[str, tuple[str, ...]] = {
    "metastatic": (
        "orr",
        "cbr",
        "pfs",
        "ttp",
        "os",
        "dor",
        "cns_orr",
        "cns_incidence",
        "cns_first",
        "time_to_cns",
    ),
    "neoadjuvant": ("pcr",),
    "adjuvant": ("dfs", "os", "time_to_cns"),
}
"""Endpoints that exist in each setting."""


class Surgery(Sourced):
    """When the tumour is removed, days after the start of neoadjuvant therapy."""

    after: Weeks


class Analysis(Sourced):
    """When the data of an endpoint are cut, since the first patient."""

    endpoint: TimeEndpoint
    cut: Days


class Endpoints(Entry):
    """Endpoints reported, and the primary one."""

    primary: EndpointName
    reported: tuple[EndpointName, ...] = Field(min_length=1)


class IntercurrentEvent(Entry):
    """ICH E9(R1): an intercurrent event and its strategy."""

    event: str
    strategy: Literal[
        "treatment policy", "hypothetical", "composite", "while on treatment", "principal stratum"
    ]


class Estimand(Entry):
    """ICH E9(R1): what the trial estimates."""

    treatment: str
    population: str
    variable: str
    summary: str
    intercurrent_events: tuple[IntercurrentEvent, ...]


SUBGROUPS = (
    "er_positive", "visceral", "liver", "adjuvant_chemotherapy", "adjuvant_trastuzumab", "ecog_1", "pik3ca_mutant",
    "pten_low", "p95_positive", "cyclin_e_amplified",
)  # fmt: skip


class Trial(Entry):
    """A trial file."""

    id: Identifier
    title: str
    study: Identifier | None = None
    setting: Literal["metastatic", "neoadjuvant", "adjuvant"] = "metastatic"
    population: TrialPopulation
    prior_lines: tuple[Identifier, ...] = ()
    histories: tuple[History, ...] = ()
    surgery: Surgery | None = None
    randomisation: Randomisation
    accrual: Accrual
    arms: tuple[Arm, ...] = Field(min_length=1)
    control: Identifier
    scans: Scans
    endpoints: Endpoints
    analyses: tuple[Analysis, ...] = Field(min_length=1)
    drop_out: DropOut
    later_lines: LaterLines = LaterLines()
    subgroups: tuple[str, ...] = ()
    estimand: Estimand

    @model_validator(mode="after")
    def _consistent(self) -> Trial:
        ids = [a.id for a in self.arms]
        if len(set(ids)) != len(ids):
            raise ValueError(f"arms: two arms have the same id among {', '.join(ids)}")
        if self.control not in ids:
            raise ValueError(f"control: '{self.control}' is not an arm (arms: {', '.join(ids)})")
        if len(self.randomisation.ratio) != len(ids):
            raise ValueError(
                f"randomisation.ratio: {len(self.randomisation.ratio)} numbers for {len(ids)} arms"
            )
        if any(r < 1 for r in self.randomisation.ratio):
            raise ValueError(
                "randomisation.ratio: an arm with ratio 0 would be empty; expected whole numbers from 1"
            )
        if self.randomisation.block % sum(self.randomisation.ratio):
            raise ValueError(
                f"randomisation.block: {self.randomisation.block} is no multiple of the ratio's sum "
                f"{sum(self.randomisation.ratio)}"
            )
        if self.histories and self.prior_lines:
            raise ValueError("histories: give either prior_lines (the same for all) or histories (a mixture)")
        total = sum(h.share for h in self.histories)
        if self.histories and abs(total - 1.0) > 1e-6:
            raise ValueError(f"histories: shares sum to {total:g}, expected 1")
        if self.setting != "metastatic" and (self.histories or self.prior_lines):
            raise ValueError(
                f"prior_lines: a trial in the {self.setting} setting has no prior metastatic lines"
            )
        if (self.setting == "neoadjuvant") != (self.surgery is not None):
            raise ValueError("surgery: expected in the neoadjuvant setting, and only there")
        asked = (self.endpoints.primary, *self.endpoints.reported)
        if self.setting != "neoadjuvant":
            # patients before surgery are followed to surgery only
            asked = (*asked, *(a.endpoint for a in self.analyses))
        for wanted in asked:
            if wanted not in RESPONSE_SETTINGS[self.setting]:
                raise ValueError(
                    f"endpoints: '{wanted}' does not exist in the {self.setting} setting "
                    f"(there: {', '.join(RESPONSE_SETTINGS[self.setting])})"
                )
        if self.scans.every % 7.0:
            raise ValueError("scans.every: the engine scans on whole weeks, expected a multiple of 1 week")
        smallest = self.population.size * min(self.randomisation.ratio) / sum(self.randomisation.ratio)
        if smallest < 2:
            raise ValueError(
                f"population.size: {self.population.size} patients leave an arm with fewer than two; raise it"
            )
        for analysis in self.analyses:
            if analysis.cut <= self.accrual.duration:
                raise ValueError(
                    f"analyses.{analysis.endpoint}.cut: day {analysis.cut:g} lies before the end of accrual "
                    f"(day {self.accrual.duration:g}); cuts during accrual are not supported"
                )
        if self.setting == "metastatic" and self.horizon_days / self.scans.every > MAX_VISITS:
            raise ValueError(
                f"scans.every: more than {MAX_VISITS} scans until the last data cut; scan less often or cut earlier"
            )
        for name in self.subgroups:
            if name not in SUBGROUPS:
                raise ValueError(str(unknown("subgroup", name, SUBGROUPS)))
        return self

    @property
    def entry_histories(self) -> tuple[History, ...]:
        """Prior lines with their shares; a single history where all patients have the same."""
        return self.histories or (History(share=1.0, lines=self.prior_lines),)

    @property
    def horizon_days(self) -> float:
        """Longest follow-up any analysis needs, day."""
        return max(a.cut for a in self.analyses)

    def cut_of(self, endpoint: str) -> float:
        """Data cut of an endpoint, days since the first patient; that of the first analysis where none is given."""
        for analysis in self.analyses:
            if analysis.endpoint == endpoint:
                return analysis.cut
        for other in {"pfs": ("ttp",), "ttp": ("pfs",)}.get(endpoint, ()):
            for analysis in self.analyses:
                if analysis.endpoint == other:
                    return analysis.cut
        return self.analyses[0].cut

    def arm(self, name: str) -> Arm:
        """Arm by id."""
        return next(a for a in self.arms if a.id == name)

    @property
    def experimental(self) -> tuple[Arm, ...]:
        """Arms other than the control, in order."""
        return tuple(a for a in self.arms if a.id != self.control)


def load_trial(name: str) -> Trial:
    """A built-in trial by name, or a trial file by path.

    Raises
    ------
    her2.errors.Her2Error
        Unknown trial, unreadable file, unknown key, agent, recipe, unit or dose; the text names file and field.
    """
    path = trial_path(name)
    where = show_path(path)
    trial = parse(Trial, read_yaml(path), where)
    check_trial(trial, where)
    return trial


def trial_path(name: str) -> Path:
    """Path of a built-in trial (by id) or of a file."""
    if name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name:
        path = Path(name)
        if not is_there(path):
            raise RecordError(
                f"{name[:200]}: no such file; expected a trial file or one of the built-in trials"
            )
        return path
    return find_file("trials", name)


def trial_names() -> list[str]:
    """Ids of the built-in trials and of the user's."""
    from her2.evidence.load import files_of

    return sorted({p.stem for p in files_of("trials")})


def load_regimen(name: str) -> Regimen:
    """A regimen of the record."""
    path = find_file("regimens", name)
    return parse(Regimen, read_yaml(path), show_path(path))


def check_trial(trial: Trial, where: str) -> None:
    """What a trial file alone cannot know: that agents, regimens, recipe and doses exist and make sense.

    Raises
    ------
    her2.errors.Her2Error
        The first thing found.
    """
    from her2.model import trial_agents
    from her2.pharmacology.regimen import RegimenError, parse_regimen

    can_give = trial_agents()
    for arm in trial.arms:
        seen: set[str] = set()
        parts = [
            (f"{where}, arms.{arm.id}.{f'options.{o}.' if arm.options else ''}regimen.{k}", o, component)
            for o, option in enumerate(arm.choices)
            for k, component in enumerate(option.regimen)
        ]
        given: set[tuple[int, str]] = set()
        for place, o, component in parts:
            if component.agent not in can_give:
                raise unknown("agent", component.agent, can_give, f"{place}.agent")
            if (o, component.agent) in given:
                raise RecordError(f"{place}.agent: '{component.agent}' is given twice in arm '{arm.id}'")
            given.add((o, component.agent))
            seen.add(component.agent)
            try:
                parse_regimen(component.dose)
            except RegimenError as error:
                raise RecordError(f"{place}.dose: {error}") from error
        for k, event in enumerate(arm.adverse_events):
            if event.action is not None and event.action.agent not in seen:
                raise unknown(
                    "agent", event.action.agent, seen, f"{where}, arms.{arm.id}.adverse_events.{k}.action"
                )
    for history in trial.entry_histories:
        for name in history.lines:
            load_regimen(name)
    recipe = load_population(trial.population.recipe)
    check_population(merge_population(recipe, trial), where)
    if trial.study is not None:
        from her2.evidence.load import load_study

        load_study(trial.study)


def merge_population(recipe: Population, trial: Trial) -> Population:
    """The recipe with the trial file's own values in place."""
    return Population(id=recipe.id, says=recipe.says, values={**recipe.values, **trial.population.values})


def check_population(population: Population, where: str) -> None:
    """Refuse impossible biomarker states: prevalences outside 0 to 1, negative levels, unknown names."""
    parameters = load_parameters()
    shares = {
        k
        for k in parameters
        if k.startswith("population.")
        and any(
            word in k
            for word in (
                "mutant",
                "positive",
                "share",
                "_low",
                "amplified",
                "fcgr3a",
                "visceral",
                "liver",
                "ecog",
                "adjuvant_t",
                "adjuvant_chemotherapy",
            )
        )
        and not k.endswith("_log_sd")
    }
    for name, item in population.values.items():
        full = name if name.startswith("population.") else f"population.{name}"
        if full not in parameters:
            options = [k.removeprefix("population.") for k in parameters if k.startswith("population.")]
            raise unknown("population value", name, options, f"{where}, population.values")
        if full in shares and not 0.0 <= item.value <= 1.0:
            raise RecordError(
                f"{where}, population.values.{name}: {item.value:g} is impossible; expected a share from 0 to 1"
            )
        if full not in shares and item.value < 0:
            raise RecordError(
                f"{where}, population.values.{name}: {item.value:g} is impossible; expected 0 or more"
            )
        if item.unit != parameters[full].unit:
            raise RecordError(
                f"{where}, population.values.{name}: unit '{item.unit}', expected '{parameters[full].unit}'"
            )
    given = {k.removeprefix("population."): v.value for k, v in population.values.items()}

    def value(name: str) -> float:
        return given.get(name, parameters[f"population.{name}"].value)

    for smaller, larger in (("adjuvant_trastuzumab", "adjuvant_chemotherapy"), ("liver", "visceral")):
        if value(smaller) > value(larger):
            raise RecordError(
                f"{where}, population.values: {smaller} {value(smaller):g} exceeds {larger} {value(larger):g}; "
                f"every patient with the first also has the second"
            )
    if value("fcgr3a_vv") + value("fcgr3a_vf") > 1.0:
        raise RecordError(f"{where}, population.values: fcgr3a_vv and fcgr3a_vf sum to more than 1")
