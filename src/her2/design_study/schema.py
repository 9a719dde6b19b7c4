"""Design files: a trial file with a section `design`, or the same keys beside the name of a trial.

`her2 design --template` prints one with every key and its meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Field, model_validator

from her2.design_study.spending import Spending, spend_error
from her2.errors import RecordError, unknown
from her2.evidence.load import is_there, parse, read_yaml, show_path
from her2.evidence.schema import Entry, Finite, Identifier
from her2.trials.design import (
    SUBGROUPS,
    Days,
    PerDay,
    Trial,
    check_trial,
    load_trial,
    trial_names,
    trial_path,
)

Endpoint = Literal["pfs", "ttp", "os", "dfs", "time_to_cns"]
_SETTINGS: dict[Endpoint, tuple[str, ...]] = {
    "pfs": ("metastatic",),
    "ttp": ("metastatic",),
    "os": ("metastatic", "neoadjuvant", "adjuvant"),
    "dfs": ("neoadjuvant", "adjuvant"),
    "time_to_cns": ("metastatic", "adjuvant"),
}
DEFAULT_SIZES = (0.25, 0.5, 0.75, 1.0, 1.5)
"""Sizes looked at unless given, in units of the trial file's."""
MAX_SIZE = 20_000
_SIDED = re.compile(r"^\s*([0-9.]+(?:[eE]-?[0-9]+)?)\s+(one|two)-sided\s*$")


def _to_one_sided(value: object) -> object:
    """Texts such as '0.05 two-sided' as a one-sided rate; numbers are one-sided as they are."""
    match = _SIDED.match(value) if isinstance(value, str) and len(value) <= 60 else None
    if match is None:
        return value
    return float(match.group(1)) / (2.0 if match.group(2) == "two" else 1.0)


OneSided = Annotated[float, BeforeValidator(_to_one_sided), Field(gt=0, lt=0.5, allow_inf_nan=False)]


def _to_prevalence(value: object) -> object:
    """`measured`, a share above 0 up to 1, or one share for each subgroup."""
    for item in value.values() if isinstance(value, dict) else (value,):
        is_share = isinstance(item, (int, float)) and not isinstance(item, bool) and 0.0 < item <= 1.0
        if not (is_share or item == "measured"):
            raise ValueError(f"expected 'measured' or a share above 0 up to 1, got {item!r}")
    if isinstance(value, dict):
        return {k: None if v == "measured" else float(v) for k, v in value.items()}
    return value if isinstance(value, str) else float(cast("float", value))


def _to_list(value: object) -> object:
    """A single number as a list of one."""
    return (value,) if isinstance(value, int) and not isinstance(value, bool) else value


Prevalence = Annotated[Literal["measured"] | float | dict[str, float | None], BeforeValidator(_to_prevalence)]
Sizes = Annotated[
    tuple[Annotated[int, Field(ge=10, le=MAX_SIZE)], ...], BeforeValidator(_to_list), Field(max_length=20)
]
Events = Annotated[Literal["planned"] | tuple[Annotated[int, Field(ge=4)], ...], BeforeValidator(_to_list)]


class Looks(Entry):
    """When the trial is looked at, and what may stop it.

    `information` is the share of the final events at each look; `spending` how alpha is spent over it;
    `gamma` is the parameter of Hwang, Shih and DeCani; `alpha_spent` the cumulative alpha of `custom`
    spending. With `futility: non_binding` beta (1 - power) is spent by the same function (O'Brien-Fleming's
    for `custom`).
    """

    information: tuple[Finite, ...] = Field(default=(1.0,), min_length=1, max_length=20)
    spending: Spending = "obrien_fleming"
    gamma: Finite = Field(default=-4.0, ge=-40, le=40)
    alpha_spent: tuple[Finite, ...] = ()
    futility: Literal["none", "non_binding"] = "none"

    @model_validator(mode="after")
    def _rising(self) -> Looks:
        t = self.information
        if t[0] <= 0 or any(b - a < 0.01 for a, b in pairwise(t)) or t[-1] != 1.0:
            raise ValueError(
                "information: expected shares of the final events that rise by 0.01 or more and end with 1, "
                f"such as [0.5, 1.0], got {list(t)}"
            )
        if (self.spending == "custom") != bool(self.alpha_spent):
            raise ValueError("alpha_spent: expected with `spending: custom`, and only there")
        return self


class Enrichment(Entry):
    """Subgroups to which the trial could be restricted, and how common they are among those screened."""

    subgroups: tuple[str, ...] = ()
    prevalence: Prevalence = "measured"

    @model_validator(mode="after")
    def _known(self) -> Enrichment:
        for name in self.subgroups:
            if name.removeprefix("not ") not in SUBGROUPS:
                raise ValueError(
                    str(unknown("subgroup", name, [*SUBGROUPS, *(f"not {s}" for s in SUBGROUPS)]))
                )
        if isinstance(self.prevalence, dict):
            for name in self.prevalence:
                if name not in self.subgroups:
                    raise ValueError(
                        f"prevalence: '{name}' is not among subgroups ({', '.join(self.subgroups)})"
                    )
        return self

    def prevalence_of(self, subgroup: str) -> float | None:
        """The prevalence given for a subgroup; None where it is measured."""
        if isinstance(self.prevalence, dict):
            return self.prevalence.get(subgroup)
        return None if isinstance(self.prevalence, str) else self.prevalence


class Success(Entry):
    """What counts as success beyond significance: an estimated hazard ratio below a value."""

    hr_below: Finite | None = Field(default=None, gt=0, le=1)


class StudyDesign(Entry):
    """The section `design` of a design file.

    Fields
    ------
    endpoint : time-to-event endpoint of the test; default the trial file's primary one
    experimental : arm compared with the control; needed where there are several
    alpha : one-sided, or a text such as '0.05 two-sided'
    power : wanted probability of success
    sizes : patients randomised; default 0.25 to 1.5 times the trial file's size
    events : events at the final analysis for each size; default those expected when the time from the last
        patient in to the data cut has passed
    accrual_rate : patients a day before enrichment; default the trial file's size over its accrual
    max_follow_up : from the last patient in to the latest final analysis; default twice the trial file's own
    between_trial_sd : SD of the log hazard ratio between trials of the same treatments; default that of `her2 trial`
    stratified : whether the log-rank test is stratified by the trial file's strata
    """

    endpoint: Endpoint | None = None
    experimental: Identifier | None = None
    alpha: OneSided = 0.025
    power: Finite = Field(default=0.9, gt=0.05, lt=1)
    sizes: Sizes = ()
    events: Events = "planned"
    accrual_rate: PerDay | None = None
    max_follow_up: Days | None = None
    looks: Looks = Looks()
    enrichment: Enrichment = Enrichment()
    success: Success = Success()
    between_trial_sd: Finite | None = Field(default=None, ge=0, le=1)
    stratified: bool = True

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: object) -> object:
        """A section without entries, as where all its lines are comments, is one left out."""
        return {k: v for k, v in data.items() if v is not None} if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _consistent(self) -> StudyDesign:
        if list(self.sizes) != sorted(set(self.sizes)):
            raise ValueError(f"sizes: expected rising whole numbers, got {list(self.sizes)}")
        if not isinstance(self.events, str):
            if len(self.events) != len(self.sizes):
                raise ValueError(
                    f"events: {len(self.events)} numbers for {len(self.sizes)} sizes; give one for each"
                )
            for n, d in zip(self.sizes, self.events, strict=True):
                if d > n:
                    raise ValueError(f"events: {d} events cannot come from {n} patients")
        spend_error(
            self.looks.spending, self.looks.information, self.alpha, self.looks.gamma, self.looks.alpha_spent
        )
        return self


class DesignFile(StudyDesign):
    """A design file that names its trial."""

    trial: str = Field(min_length=1, max_length=4096)


@dataclass(frozen=True)
class DesignTask:
    """A trial and the questions asked about it, complete: defaults are filled in.

    Attributes
    ----------
    arms : positions of the experimental arm and the control
    sizes : patients randomised to these two arms
    """

    trial: Trial
    design: StudyDesign
    endpoint: Endpoint
    arms: tuple[int, int]
    sizes: tuple[int, ...]


def load_design(name: str) -> DesignTask:
    """A design file by path, or a built-in trial by name with every default.

    Raises
    ------
    her2.errors.Her2Error
        Unreadable file, unknown key, trial, arm or subgroup, or a value out of range; the text names file and
        field.
    """
    path = trial_path(name)
    where = show_path(path)
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise RecordError(f"{where}: expected a mapping of keys to values, got {type(data).__name__}")
    if "trial" in data:
        found = parse(DesignFile, data, where)
        trial = _find_trial(found.trial, path, where)
        # checked already; the trial's name is no part of the design
        fields = {k: getattr(found, k) for k in StudyDesign.model_fields}
        design = StudyDesign.model_construct(found.model_fields_set - {"trial"}, **fields)
        return complete_design(trial, design, where)
    if "design" not in data and "arms" not in data:
        raise RecordError(
            f"{where}: neither `trial:` (a name or a file) nor a trial file with a section `design:`; "
            "`her2 design --template` prints an example"
        )
    section = data.pop("design", {})
    trial = parse(Trial, data, where)
    check_trial(trial, where)
    return complete_design(trial, parse(StudyDesign, section or {}, f"{where}, design"), f"{where}, design")


def _find_trial(name: str, beside: Path, where: str) -> Trial:
    """The trial a design file names; a relative path counts from the design file's folder."""
    if name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name:
        own = beside.parent / name
        path = own if is_there(own) else Path(name)
        if not is_there(path):
            raise RecordError(
                f"{where}, trial: no such file {name[:200]}; a relative path counts from the design file"
            )
        return load_trial(str(path))
    known = trial_names()
    if name not in known:
        raise unknown("trial", name, known, f"{where}, trial")
    return load_trial(name)


def complete_design(trial: Trial, design: StudyDesign, where: str = "design") -> DesignTask:
    """Fill in what the trial file decides, and refuse what does not fit it.

    Raises
    ------
    her2.errors.RecordError
        A trial without a control to compare with, several arms and none named, an endpoint it cannot have,
        sizes too small for the allocation, follow-up beyond what is simulated.
    """
    rivals = [a.id for a in trial.experimental]
    if not rivals:
        raise RecordError(f"{where}: trial '{trial.id}' has one arm; expected two or more to compare")
    chosen = design.experimental
    if chosen is None and len(rivals) > 1:
        raise RecordError(
            f"{where}, experimental: trial '{trial.id}' has several ({', '.join(rivals)}); name the one to "
            f"compare with {trial.control}"
        )
    if chosen is not None and chosen not in rivals:
        raise unknown("arm", chosen, rivals, f"{where}, experimental")
    ids = [a.id for a in trial.arms]
    arms = (ids.index(chosen or rivals[0]), ids.index(trial.control))
    endpoint = _endpoint_of(trial, design, where)
    ratio = trial.randomisation.ratio
    pair = ratio[arms[0]] + ratio[arms[1]]
    base = max(round(trial.population.size * pair / sum(ratio)), 2)
    sizes = design.sizes or tuple(
        sorted({min(max(_round_up(f * base, pair), 10), MAX_SIZE) for f in DEFAULT_SIZES})
    )
    if min(sizes) * min(ratio[a] for a in arms) < 2 * pair:
        raise RecordError(f"{where}, sizes: {min(sizes)} patients leave an arm with fewer than two; raise it")
    longest, horizon = design.max_follow_up, trial.horizon_days
    if longest is not None and longest > horizon:
        raise RecordError(
            f"{where}, max_follow_up: {longest:g} days are more than the {horizon:g} that are simulated; give a "
            "trial file whose last data cut (analyses) lies later, or a shorter time"
        )
    return DesignTask(trial, design, endpoint, arms, sizes)


def _endpoint_of(trial: Trial, design: StudyDesign, where: str) -> Endpoint:
    """The endpoint of the test: the one asked for, or the primary one."""
    valid = [e for e, settings in _SETTINGS.items() if trial.setting in settings]
    asked = design.endpoint or trial.endpoints.primary
    for endpoint in valid:
        if endpoint == asked:
            return endpoint
    if design.endpoint is None:
        raise RecordError(
            f"{where}, endpoint: the primary endpoint of '{trial.id}', {asked}, is no time to event that "
            f"can be tested here; name one of {', '.join(valid)}"
        )
    raise unknown(f"endpoint for a {trial.setting} trial", asked, valid, f"{where}, endpoint")


def _round_up(x: float, multiple: int) -> int:
    """The next multiple of a whole number."""
    return multiple * -(-round(x) // multiple)
