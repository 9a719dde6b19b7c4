"""What each kind of record contains. Unknown keys are errors, numbers never travel without unit and source.

One pydantic model per kind of entry; `her2.evidence.load` reads the files under `data/` (and the user's own)
into these, `her2.evidence.lint` checks what a single entry cannot know about the others.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Quality = Literal["measured", "fitted", "derived", "assumed"]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.+-]*$", max_length=120)]


def _finite(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("expected a finite number")
    return value


Finite = Annotated[float, BeforeValidator(_finite), Field(allow_inf_nan=False)]
"""A number; text that reads as one counts, but neither `nan` nor `1e400`."""


class Entry(BaseModel):
    """Base of all entries: unknown keys are refused, objects do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lines(Entry):
    """A place in a seed file."""

    source: Identifier
    line_start: int = Field(ge=1)
    line_end: int = Field(ge=1)
    place: Literal["text", "table_1", "table_2", "table_3", "figure"] = "text"

    @model_validator(mode="after")
    def _ordered(self) -> Lines:
        if self.line_end < self.line_start:
            raise ValueError(f"line_end {self.line_end} lies before line_start {self.line_start}")
        return self

    def __str__(self) -> str:
        last = f"-{self.line_end}" if self.line_end != self.line_start else ""
        where = "" if self.place == "text" else f", {self.place.replace('_', ' ')}"
        return f"{self.source} lines {self.line_start}{last}{where}"


class Curated(Entry):
    """Who entered and who checked; nobody accepts their own entry."""

    by: str
    checked_by: str | None = None
    on: str | None = None

    @model_validator(mode="after")
    def _two_people(self) -> Curated:
        if self.checked_by is not None and self.checked_by == self.by:
            raise ValueError(f"'{self.by}' cannot check their own entry")
        return self


class Source(Entry):
    """A publication, label, data set or set of notes that numbers or statements come from."""

    id: Identifier
    title: str
    kind: Literal["review", "article", "label", "abstract", "notes", "web", "assumption", "guideline", "file"]
    year: int | None = Field(default=None, ge=1900, le=2100)
    authors: str = ""
    journal: str = ""
    doi: str | None = Field(default=None, pattern=r"^10\.\d{4,9}/\S+$")
    pmid: str | None = Field(default=None, pattern=r"^\d{1,9}$")
    grade: Literal["A", "B", "C"] | None = Field(
        default=None, description="A seen in the source, B well-known paper, C order of magnitude"
    )
    retracted: bool = False
    note: str = ""


class Prior(Entry):
    """Prior of a parameter around its value."""

    law: Literal["lognormal", "logit_normal", "normal"]
    log_sd: Finite | None = Field(default=None, gt=0)
    logit_sd: Finite | None = Field(default=None, gt=0)
    sd: Finite | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_spread(self) -> Prior:
        wanted = {"lognormal": "log_sd", "logit_normal": "logit_sd", "normal": "sd"}[self.law]
        given = [k for k in ("log_sd", "logit_sd", "sd") if getattr(self, k) is not None]
        if given != [wanted]:
            raise ValueError(f"a {self.law} prior needs exactly '{wanted}', got {given or 'none'}")
        return self

    @property
    def spread(self) -> float:
        """SD on the scale on which the prior is normal."""
        value = self.log_sd or self.logit_sd or self.sd
        assert value is not None
        return value


class Parameter(Entry):
    """A number of the model, with unit, source and quality."""

    id: Identifier
    label: str
    value: Finite
    unit: str
    quality: Quality
    source: Identifier
    locator: str
    role: Literal["fixed", "free"] = "fixed"
    prior: Prior | None = None
    note: str = ""

    @model_validator(mode="after")
    def _possible(self) -> Parameter:
        if self.role == "free" and self.prior is None:
            raise ValueError("a free parameter needs a prior")
        if self.prior is not None:
            if self.prior.law == "lognormal" and self.value <= 0:
                raise ValueError(f"a lognormal prior needs a positive value, got {self.value:g}")
            if self.prior.law == "logit_normal" and not 0 < self.value < 1:
                raise ValueError(f"a logit-normal prior needs a value between 0 and 1, got {self.value:g}")
        return self


class ParameterFile(Entry):
    """One file per model part."""

    id: Identifier
    parameters: tuple[Parameter, ...]


class Spread(Entry):
    """Between-patient spread."""

    law: Literal["lognormal"]
    cv: Finite = Field(gt=0)


class PkParameter(Entry):
    """A population pharmacokinetic parameter of an agent; source and locator are those of its model."""

    id: Literal[
        "clearance", "central_volume", "intercompartmental_clearance", "peripheral_volume",
        "intercompartmental_clearance_2", "peripheral_volume_2", "vmax", "km", "absorption_rate", "lag",
    ]  # fmt: skip
    label: str
    value: Finite = Field(gt=0)
    unit: str
    quality: Quality
    spread: Spread | None = None
    note: str = ""


class Covariance(Entry):
    """Covariance of two log-normal parameters between patients."""

    between: tuple[str, str]
    covariance: Finite


class Covariate(Entry):
    """Effect of a covariate: (x / reference)**exponent, or a factor when a yes/no covariate is true."""

    parameter: str
    covariate: Literal["weight", "lean_body_weight", "albumin", "liver", "age"]
    reference: Finite | None = Field(default=None, gt=0)
    exponent: Finite | None = None
    factor: Finite | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_form(self) -> Covariate:
        power = self.reference is not None and self.exponent is not None
        if power == (self.factor is not None):
            raise ValueError("give either reference and exponent, or factor")
        return self


class Pharmacokinetics(Entry):
    """Population pharmacokinetics of an agent."""

    model: Literal[
        "two_compartment", "two_compartment_michaelis_menten", "three_compartment", "one_compartment_oral",
        "exposure_only",
    ]  # fmt: skip
    source: Identifier
    locator: str
    parameters: tuple[PkParameter, ...]
    correlations: tuple[Covariance, ...] = ()
    covariates: tuple[Covariate, ...] = ()


class AgentRegimen(Entry):
    """A regimen in the dosing grammar."""

    id: Identifier
    dose: str
    source: Identifier
    locator: str


class Binding(Entry):
    """Binding of an agent to its target."""

    id: Identifier
    label: str
    value: Finite = Field(gt=0)
    unit: str
    quality: Quality
    source: Identifier
    locator: str
    note: str = ""


class Quantity(Entry):
    """A number with where it comes from."""

    value: Finite = Field(gt=0)
    unit: str = "1"
    quality: Quality
    source: Identifier
    locator: str
    note: str = ""


ActionKind = Literal[
    "epitope", "kinase", "node", "input", "level", "shedding", "effector", "checkpoint", "vegf", "payload", "cytotoxic",
]  # fmt: skip


class Action(Entry):
    """One way in which an agent acts on a cell.

    `half` is the unbound concentration (nmol/L) at half of the largest effect `max`: a dissociation constant, an
    enzyme or cell potency. `prior_log_sd` is the spread of the logarithm of `half` between members of the ensemble;
    `spans_zero` marks an effect of which the reviews give only a direction: its `max` is drawn around zero.
    """

    on: ActionKind
    target: str = ""
    half: Finite | None = Field(default=None, gt=0)
    unit: Literal["nmol/L"] = "nmol/L"
    max: Finite = Field(default=1.0, ge=0, le=1)
    covalent: bool = False
    epitope: Literal["trastuzumab", "pertuzumab"] | None = None
    weight: Finite | None = Field(default=None, ge=0)
    fc_v: Finite | None = Field(default=None, ge=0)
    fc_f: Finite | None = Field(default=None, ge=0)
    parameter: Identifier | None = None
    per_antibody: Finite | None = Field(default=None, gt=0)
    bystander: Finite | None = Field(default=None, ge=0, le=1)
    mdr_exponent: Finite | None = Field(default=None, ge=0)
    sensitivity: Literal["taxane", "vinca", "fluoropyrimidine", "anthracycline"] | None = None
    """Class of cytotoxics with which a patient's sensitivity goes; known for the record's own drugs."""
    prior_log_sd: Finite | None = Field(default=None, gt=0)
    spans_zero: bool = False
    quality: Quality
    source: Identifier
    locator: str
    claims: tuple[Identifier, ...] = ()
    note: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Action:
        needs = {
            "epitope": ("target", "half"),
            "kinase": ("target", "half"),
            "node": ("target", "half"),
            "input": ("target", "half"),
            "level": ("target", "half"),
            "shedding": ("half",),
            "effector": ("epitope", "weight", "fc_v", "fc_f"),
            "checkpoint": ("target", "half"),
            "vegf": ("half",),
            "payload": ("epitope", "parameter", "per_antibody"),
            "cytotoxic": ("parameter", "half"),
        }[self.on]
        missing = [k for k in needs if getattr(self, k) in (None, "")]
        if missing:
            raise ValueError(f"an action on '{self.on}' needs {', '.join(missing)}")
        return self


class Pharmacodynamics(Entry):
    """What an agent does to a cell, and at which concentrations patients have it."""

    unbound: Quantity | None = Field(default=None, description="fraction unbound in plasma, 1 where omitted")
    exposure: Quantity | None = Field(
        default=None,
        description="average total plasma concentration over a dosing interval at the label dose",
    )
    cns_ratio: Quantity | None = Field(
        default=None, description="brain metastasis against extracranial tumour"
    )
    actions: tuple[Action, ...] = Field(min_length=1)
    note: str = ""


class MolecularWeight(Entry):
    """Molecular weight, to convert nmol/L into mg/L."""

    value: Finite = Field(gt=0)
    unit: Literal["kg/mol"]
    source: Identifier
    locator: str
    quality: Quality


class Agent(Entry):
    """A drug, drug class or treatment."""

    id: Identifier
    name: str
    aliases: tuple[str, ...] = ()
    kind: str
    targets: tuple[str, ...] = ()
    binds: str = ""
    properties: str = ""
    approvals: str = ""
    identifiers: dict[Literal["atc", "ncit", "chebi", "unii"], str] = {}
    claims: tuple[Identifier, ...] = ()
    regimens: tuple[AgentRegimen, ...] = ()
    molecular_weight: MolecularWeight | None = None
    pharmacokinetics: Pharmacokinetics | None = None
    pharmacodynamics: Pharmacodynamics | None = None
    binding: tuple[Binding, ...] = ()
    places: tuple[Lines, ...] = ()
    curated: Curated | None = None
    note: str = ""


class Claim(Entry):
    """One atomic statement of a source."""

    id: Identifier
    statement: str
    kind: Literal[
        "mechanism", "efficacy", "toxicity", "biomarker_predictive", "biomarker_prognostic", "epidemiology",
        "diagnostic", "recommendation", "approval", "hypothesis", "method", "structure", "null_result",
    ]  # fmt: skip
    subject: str = ""
    relation: str = ""
    object: str = ""
    direction: str = ""
    level: str
    supports: Literal["supports", "does_not_support"] = "supports"
    agents: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    biomarkers: tuple[str, ...] = ()
    trial: str | None = None
    executable: bool = False
    experiment: str = ""
    references: tuple[str, ...] = ()
    places: tuple[Lines, ...]
    curated: Curated | None = None
    note: str = ""


class ClaimFile(Entry):
    """One file per question."""

    id: Identifier
    claims: tuple[Claim, ...]


class Mechanism(Entry):
    """A mechanism of resistance, sensitivity or drug action."""

    id: Identifier
    name: str
    category: str
    direction: Literal["resistance", "sensitivity", "drug_action", "normal_biology"]
    agents_affected: dict[str, Literal["resistant", "sensitive", "no_effect", "unclear"]] = {}
    molecules: tuple[str, ...] = ()
    summary: str = ""
    overcome_by: tuple[str, ...] = ()
    evidence_settings: tuple[str, ...] = ()
    claims: tuple[Identifier, ...] = ()
    parameters: tuple[Identifier, ...] = ()
    places: tuple[Lines, ...]
    curated: Curated | None = None
    note: str = ""


class MechanismFile(Entry):
    """One file per category."""

    id: Identifier
    mechanisms: tuple[Mechanism, ...]


class LikelyCorrect(Entry):
    """What is probably right where the print cannot be, and why; the print itself stays.

    `value` is in `unit`, a canonical unit; `arm` stands where the print names the wrong arm.
    """

    value: Finite | None = None
    unit: str = ""
    ci_low: Finite | None = None
    ci_high: Finite | None = None
    arm: str | None = None
    reason: str


class Contrast(Entry):
    """Two arms compared, experimental against control."""

    experimental: str
    control: str


class PublishedValue(Entry):
    """One printed figure of a study, as printed and in canonical units."""

    id: Identifier
    endpoint: str
    statistic: str
    arm: str | None = None
    arm_printed: str | None = None
    """The arm the print names, where that cannot be `arm`."""
    contrast: Contrast | None = None
    analysis: str = ""
    population: str = "all"
    printed: str
    printed_unit: str = ""
    value: Finite | None = None
    unit: str = ""
    ci_low: Finite | None = None
    ci_high: Finite | None = None
    comparator: str = ""
    ae_term: str | None = None
    ae_grade: str | None = None
    line: str = ""
    likely_correct: LikelyCorrect | None = None
    role: Literal["fit", "held_out", "context"] = "context"
    source: Identifier
    line_start: int = Field(ge=1)
    line_end: int = Field(ge=1)
    place: Literal["text", "table_1", "table_2", "table_3", "figure"] = "text"
    curated: Curated | None = None
    note: str = ""

    @property
    def where(self) -> str:
        """Place in the source, readable."""
        return str(
            Lines(source=self.source, line_start=self.line_start, line_end=self.line_end, place=self.place)
        )


class StudyArm(Entry):
    """An arm as the source prints it."""

    id: str
    label: str
    agents: tuple[str, ...]
    n: int | None = Field(default=None, ge=0)
    doses_printed: str = ""


class Study(Entry):
    """A trial or study of the reviews with every figure they print about it.

    A `collection` is no study: it holds the figures a review prints outside any study, and is not counted.
    """

    id: Identifier
    name: str
    kind: Literal["study", "collection"] = "study"
    aliases: tuple[str, ...] = ()
    nct: str | None = Field(default=None, pattern=r"^NCT\d{8}$")
    parent: str | None = None
    phase: str | None = None
    n: int | None = Field(default=None, ge=0)
    setting: str
    status: str
    design: str = ""
    population: str = ""
    primary_endpoint: str | None = None
    arms: tuple[StudyArm, ...] = ()
    references: tuple[str, ...] = ()
    places: tuple[Lines, ...] = ()
    values: tuple[PublishedValue, ...] = ()
    curated: Curated | None = None
    note: str = ""


AvoidMeans = Literal["any_with", "exactly", "worse_than_offer", "caution"]
"""How `avoid` of a rule is meant.

`any_with`: no regimen that contains these agents; `exactly`: not this regimen; `worse_than_offer`: less good than what
the rule offers; `caution`: the agent beside the treatment calls for care.
"""


class Rule(Entry):
    """A treatment rule: condition, recommendation, strength, reason, place.

    `her2.sequencing.condition` has the language of `when`, `her2.sequencing.recommend` how rules work together. An
    agent of `offer` and `avoid` may be a class (`taxane`): any of its members.
    """

    id: Identifier
    says: str
    when: dict[str, Any]
    unless: dict[str, Any] = {}
    offer: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    avoid_means: AvoidMeans | None = None
    goes_with: tuple[Identifier, ...] = ()
    """A rule about options with one of these agents; what it offers goes along with them and is no option itself."""
    strength: str
    rationale: str = ""
    authority: str = "review"
    date: str = ""
    """Date of this version, `2015` or `2015-07`; a rule with a later date than the state's `as_of` is not in force."""
    supersedes: tuple[Identifier, ...] = ()
    """Rules that a later version replaces, from its date on."""
    rank: int = 0
    """Precedence: where rules overlap or contradict each other, the lower rank comes first or decides."""
    executable: bool = True
    """False where the entry is no rule about a patient, or only repeats others; `not_executable` says why."""
    not_executable: str = ""
    trials: bool = True
    """The engine of virtual trials follows the rule too; its conditions are those of `her2.sequencing.rule`."""
    reading: str = ""
    """How the words are read where they leave room."""
    places: tuple[Lines, ...]
    curated: Curated | None = None
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Rule:
        if self.executable and self.not_executable:
            raise ValueError("'not_executable' gives a reason, but the rule is executable")
        if self.avoid_means == "worse_than_offer" and not (self.offer and self.avoid):
            raise ValueError("avoid_means 'worse_than_offer' needs both 'offer' and 'avoid'")
        if self.avoid_means is not None and not self.avoid:
            raise ValueError("'avoid_means' needs 'avoid'")
        return self


class Conflict(Entry):
    """A contradiction between statements of the sources, kept with both sides."""

    id: Identifier
    kind: str
    about: str
    statement_1: str
    place_1: Lines
    statement_2: str = ""
    place_2: Lines | None = None
    likely_resolution: str
    reason: str = ""
    concerns: tuple[Identifier, ...] = ()
    """Values of studies that carry one of the two statements."""
    curated: Curated | None = None
    note: str = ""


class ConflictFile(Entry):
    """One file per topic."""

    id: Identifier
    conflicts: tuple[Conflict, ...]


class SourceFile(Entry):
    """Several sources in one file."""

    sources: tuple[Source, ...]


class ExcludedNumber(Entry):
    """A number of a review that is no figure: on one line, or all words of a range that match a pattern."""

    source: Identifier
    line: int | None = Field(default=None, ge=1)
    token: str | None = None
    line_start: int | None = Field(default=None, ge=1)
    line_end: int | None = Field(default=None, ge=1)
    pattern: str | None = None
    reason: str

    @model_validator(mode="after")
    def _one_form(self) -> ExcludedNumber:
        single = self.line is not None and self.token is not None
        ranged = self.line_start is not None and self.line_end is not None and self.pattern is not None
        if single == ranged:
            raise ValueError("give either line and token, or line_start, line_end and pattern")
        return self


class ExcludedFile(Entry):
    """Numbers of the seed files that are no figures, each with the reason."""

    id: Identifier
    numbers: tuple[ExcludedNumber, ...]


class RecipeValue(Entry):
    """A population value that replaces the default for a setting."""

    value: Finite
    unit: str
    quality: Quality
    source: Identifier
    locator: str
    note: str = ""


class Population(Entry):
    """Recipe of a trial population: which `population.*` parameters differ from their default, and why."""

    id: Identifier
    says: str
    values: dict[Identifier, RecipeValue] = {}
