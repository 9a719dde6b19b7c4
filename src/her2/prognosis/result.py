"""What is said of one patient, as plain objects; every statement names the entries of the record behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from her2.prognosis.known import Fact
from her2.prognosis.weights import Difference, Rate, Times
from her2.sequencing.advice import RESEARCH_USE, Advice, Missing

SCHEMA = "her2.patient/1"
TOLD_APART = 2.8
"""Monte-Carlo standard errors by which courses have to differ to be told from chance: about ten items are looked at, so
that one patient in twenty has one by chance (two-sided normal at 5 % over ten)."""
SEQUENCE_SCHEMA = "her2.sequence/1"


@dataclass(frozen=True)
class Refusal:
    """Why no course is predicted, and the items of the case behind it."""

    says: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """Something missing, wrong or not understood in what was read, and what was done instead.

    Attributes
    ----------
    place : path in the file
    expected : what should stand there; empty where nothing has to
    way_out : what to do about it
    wrong : whether the file has to be mended (or read leniently) before anything is said of the case
    """

    place: str
    says: str
    expected: str = ""
    way_out: str = ""
    wrong: bool = False

    @property
    def text(self) -> str:
        """The finding in one line."""
        expected = f"; expected {self.expected}" if self.expected else ""
        return f"{self.place}: {self.says}{expected}{'; ' if self.way_out else ''}{self.way_out}"


@dataclass(frozen=True)
class TwinCount:
    """Twins behind the numbers.

    Attributes
    ----------
    drawn : virtual patients drawn; `agreeing` of them have what is known, `fitting` the history within reason
    effective : effective number, (sum w)^2 / sum w^2; below `least` nothing is predicted
    after : effective number after each item of the history, in order
    followed : twins followed on the options
    members : members of the posterior
    """

    drawn: int
    agreeing: int
    fitting: int
    effective: float
    least: float
    after: Mapping[str, float]
    followed: int
    members: int


@dataclass(frozen=True)
class RouteWeight:
    """An escape route before and after the history.

    Attributes
    ----------
    prior, posterior : share of virtual patients with it, given what is known, without and with the history; `prior` is
        None where it cannot be said without following everyone
    prior_error, posterior_error : Monte-Carlo standard errors
    known : value in the case file, where it is known
    claims : of the mechanisms
    overcome_by : what the record names against the mechanisms
    """

    id: str
    label: str
    prior: float | None
    posterior: float
    prior_error: float | None
    posterior_error: float
    known: str
    ids: tuple[str, ...]
    claims: tuple[str, ...]
    overcome_by: tuple[str, ...]


@dataclass(frozen=True)
class CloneWeight:
    """A resistant subclone: median fraction before the first line, log10, without and with the history."""

    id: str
    prior_log10: float
    posterior_log10: float
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Event:
    """An adverse event of grade 3-4 on treatment."""

    term: str
    label: str
    rate: Rate
    given_from: str


@dataclass(frozen=True)
class Overcome:
    """What the record names against a mechanism of a route.

    Attributes
    ----------
    evidence : kinds of evidence on the mechanism, the strongest first
    """

    what: str
    mechanism: str
    claims: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class LimitOf:
    """What one escape route costs on an option: twins with it against the same twins that never had it.

    Attributes
    ----------
    carriers : share of twins with the route
    median_with, median_without : median progression-free survival of the carriers, month; None where not reached
    gain : mean progression-free survival gained over all twins without it, month, up to `restriction_months`
    carriers_gain : the same over the carriers alone
    not_entering : share of the carriers that would still be on an earlier line, or would not have needed one
    overcome : what the record names against it
    """

    route: str
    label: str
    carriers: float
    median_with: float | None
    median_without: float | None
    gain: Difference
    carriers_gain: float
    not_entering: float
    restriction_months: float
    overcome: tuple[Overcome, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Course:
    """What an option would do in patients like this one.

    Attributes
    ----------
    position : place among the options of the rules; None for one that only the user names
    rules : rules that offer it
    verdict : of the rules, where the user named it
    doses : agents with doses
    next_therapy : time to the start of the next therapy, or death
    brain : brain metastases that show within `brain_months`, in this line or a later one
    brain_first : brain metastases found by the first progression
    severe : any adverse event of grade 3-4 that the record knows, on treatment
    unlisted : agents without adverse events in the record
    later : regimen and rule of each further line
    ids : entries of the record behind doses and effects
    """

    regimen: str
    position: int | None
    rules: tuple[str, ...]
    verdict: str
    doses: str
    orr: Rate
    pfs: Times
    os: Times
    next_therapy: Times
    brain: Rate
    brain_months: float
    brain_first: Rate
    severe: Rate
    events: tuple[Event, ...]
    unlisted: tuple[str, ...]
    later: tuple[tuple[str, str], ...]
    limits: tuple[LimitOf, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True)
class NotPredicted:
    """An option whose course is not predicted, and why."""

    regimen: str
    says: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class ByValue:
    """Twins with one value of a missing item, on the first option."""

    value: str
    share: float
    pfs: float | None
    os: float | None


@dataclass(frozen=True)
class MissingItem:
    """An unknown item: what it would change in the rules, and in the predicted course on the first option.

    Attributes
    ----------
    rules : what the rules would change; None where nothing
    values : predicted course by value; empty where the virtual patients do not differ in it
    difference : of mean progression-free survival between the values furthest apart, month
    mc_error : Monte-Carlo standard error of that difference
    """

    item: str
    label: str
    rules: Missing | None
    values: tuple[ByValue, ...]
    difference: float | None
    mc_error: float | None
    ids: tuple[str, ...]

    @property
    def is_told_apart(self) -> bool:
        """Whether the courses of its values differ by more than chance."""
        return (
            self.difference is not None
            and self.mc_error is not None
            and abs(self.difference) > TOLD_APART * self.mc_error
        )


@dataclass(frozen=True)
class Sentence:
    """One thing said, with the entries of the record behind it (`her2 trace ID` follows them)."""

    about: str
    text: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class RunOf:
    """What names the run."""

    seed: int
    members: int
    horizon_months: float
    version: str
    digest: str


@dataclass(frozen=True)
class PatientResult:
    """Everything said of one patient."""

    advice: Advice
    findings: tuple[Finding, ...]
    known: tuple[Fact, ...]
    refusals: tuple[Refusal, ...]
    twins: TwinCount | None
    routes: tuple[RouteWeight, ...]
    clones: tuple[CloneWeight, ...]
    courses: tuple[Course, ...]
    not_predicted: tuple[NotPredicted, ...]
    missing: tuple[MissingItem, ...]
    sentences: tuple[Sentence, ...]
    run: RunOf
    curves: Mapping[str, Any] | None = None
    research_use: str = RESEARCH_USE
    schema: str = SCHEMA

    @property
    def refused(self) -> bool:
        """Whether no course is predicted."""
        return bool(self.refusals)

    def as_json(self) -> dict[str, Any]:
        """Plain data, ready for JSON: what is not finite is null."""
        data = {f: getattr(self, f) for f in ("schema", "research_use")}
        data["refused"] = self.refused
        data["advice"] = self.advice.as_json()
        for name in (
            "findings", "known", "refusals", "routes", "clones", "courses", "not_predicted", "missing", "sentences",
        ):  # fmt: skip
            data[name] = [asdict(x) for x in getattr(self, name)]
        data["twins"] = None if self.twins is None else asdict(self.twins)
        data["run"] = asdict(self.run)
        return dict(plain(data))


@dataclass(frozen=True)
class SequenceCourse:
    """One sequence of lines.

    Attributes
    ----------
    regimens : of the lines, in order
    origin : `rules` or `permutation`
    chemotherapy : mean time on chemotherapy within the time followed, month
    survival : mean survival within the time followed, month
    difference : of mean survival from the reference, the same twins on both, month
    chemotherapy_difference : of the mean time on chemotherapy from the reference, month
    better : share of twins that live longer than on the reference (of those that differ)
    verdict : in words
    """

    regimens: tuple[str, ...]
    origin: str
    os: Times
    survival: float
    chemotherapy: float
    difference: Difference
    chemotherapy_difference: Difference
    better: float
    verdict: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class SequenceResult:
    """Sequences of one patient compared; the first is the reference."""

    advice: Advice
    findings: tuple[Finding, ...]
    known: tuple[Fact, ...]
    refusals: tuple[Refusal, ...]
    twins: TwinCount | None
    uptake: tuple[float, ...]
    sequences: tuple[SequenceCourse, ...]
    not_predicted: tuple[NotPredicted, ...]
    sentences: tuple[Sentence, ...]
    run: RunOf
    research_use: str = RESEARCH_USE
    schema: str = SEQUENCE_SCHEMA

    @property
    def refused(self) -> bool:
        """Whether nothing is compared."""
        return bool(self.refusals)

    def as_json(self) -> dict[str, Any]:
        """Plain data, ready for JSON: what is not finite is null."""
        data = asdict(self)
        data["advice"] = self.advice.as_json()
        data["refused"] = self.refused
        return dict(plain(data))


def plain(data: Any) -> Any:
    """Tuples as lists, mappings as dicts, numbers that are not finite as None."""
    if isinstance(data, Mapping):
        return {str(k): plain(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [plain(v) for v in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data
