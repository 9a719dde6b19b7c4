"""Which published figure belongs to which predicted statistic.

One figure per trial, arm or contrast, endpoint and statistic: a fitted one first, then what the text prints, then the
tables. Where the record says what the print should probably say (`likely_correct`), that is used and marked. Figures
with the role `held_out` are looked at only when asked for; without that, not even their values are touched here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pydantic import Field, model_validator

from her2.errors import unknown
from her2.evidence.fit_view import fit_values
from her2.evidence.load import DATA, parse, read_yaml, show_path
from her2.evidence.schema import Entry, Identifier, PublishedValue, Study
from her2.trials.design import SUBGROUPS, Trial, trial_names
from her2.trials.intervals import kind_of
from her2.validation.predict import AFTER, HAD, NOT, StatKey

Role = Literal["fit", "held_out", "context"]
TrialRole = Literal["fit", "held_out", "forecast"]
SUBGROUP_FILE = DATA / "validation" / "subgroups.yaml"
_ROLES = {"fit": 0, "held_out": 1, "context": 2}


class PrintedPopulation(Entry):
    """A population as printed, and the model's subgroup that stands for it: by a marker or by prior lines."""

    printed: str
    subgroup: Identifier | None = None
    had: Identifier | None = None
    lines: int | None = Field(default=None, ge=0)
    inside: bool = True

    @model_validator(mode="after")
    def _one_way(self) -> PrintedPopulation:
        if sum(x is not None for x in (self.subgroup, self.had, self.lines)) != 1:
            raise ValueError(f"'{self.printed}': expected one of subgroup, had and lines")
        return self

    @property
    def name(self) -> str:
        """As `StatKey` names it."""
        plain = self.subgroup or (f"{HAD}{self.had}" if self.had else f"{AFTER}{self.lines} lines")
        return plain if self.inside else NOT + plain


class WholePopulation(Entry):
    """A printed population that is the whole of a trial file."""

    trial: Identifier
    printed: str


class SubgroupFile(Entry):
    """`data/validation/subgroups.yaml`."""

    populations: tuple[PrintedPopulation, ...]
    whole: tuple[WholePopulation, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A published figure that belongs to a predicted statistic.

    Attributes
    ----------
    trial : id of the trial file
    value : fraction, month or ratio, as the statistic
    ci_low, ci_high : printed 95 % limits; None where not printed
    role : fit, context or held_out
    id, where : of the figure in the record, and its place in the source
    corrected : whether `likely_correct` stands in for the print
    note : what to know of the pairing
    """

    trial: str
    key: StatKey
    value: float
    ci_low: float | None
    ci_high: float | None
    role: Role
    id: str
    where: str
    corrected: bool = False
    note: str = ""


@dataclass(frozen=True)
class Unpaired:
    """A published figure that no statistic of the trial file answers."""

    trial: str
    id: str
    role: Role
    reason: str


@dataclass(frozen=True)
class Paired:
    """Figures of one trial, those that found no statistic, and the part the trial's figures play.

    `answered` are the ids of all prints that a statistic answers, those that give way to another print included.
    """

    figures: tuple[Figure, ...]
    unpaired: tuple[Unpaired, ...]
    role: TrialRole
    answered: frozenset[str] = frozenset()

    @property
    def subgroups(self) -> tuple[str, ...]:
        """Subgroups the figures are of."""
        return tuple(sorted({f.key.subgroup for f in self.figures if f.key.subgroup}))


def readable_values(study: Study, held_out: bool) -> tuple[PublishedValue, ...]:
    """Figures of a study that may be looked at: fitted ones through the fit view, context, held-out if asked for."""
    rest = tuple(v for v in study.values if v.role == "context" or (held_out and v.role == "held_out"))
    return (*fit_values(study.id), *rest)


def pair_trial(trial: Trial, studies: Mapping[str, Study], *, held_out: bool = False) -> Paired:
    """Figures of the trial's study and of its sub-studies, each with its statistic.

    Parameters
    ----------
    studies : of the record, by id
    held_out : whether held-out figures may be read
    """
    if trial.study is None or trial.study not in studies:
        return Paired((), (), "forecast")
    subgroups = load_subgroups()
    own = studies[trial.study]
    found: dict[StatKey, list[tuple[tuple[int, ...], Figure]]] = {}
    left: list[Unpaired] = []
    # a sub-study with a trial file of its own is predicted there
    files = set(trial_names())
    parts = [s for s in studies.values() if s.parent == own.id and s.id not in files]
    for study in (own, *parts):
        for v in readable_values(study, held_out):
            if not _is_statistic(v):
                continue
            key, reason = _key(v, trial, subgroups)
            if key is None or (study is not own and not key.subgroup):
                reason = reason or f"all patients of {study.id}, which is not the trial itself"
                left.append(Unpaired(trial.id, v.id, v.role, reason))
                continue
            figure = _figure(v, trial, key)
            if figure is None:
                left.append(Unpaired(trial.id, v.id, v.role, "no number is printed"))
                continue
            rank = _rank(v)
            if rank is None:
                left.append(Unpaired(trial.id, v.id, v.role, f"another analysis: {v.analysis}"))
            else:
                found.setdefault(figure.key, []).append((rank, figure))
    figures = tuple(min(options, key=lambda o: o[0])[1] for options in found.values())
    answered = frozenset(f.id for options in found.values() for _, f in options)
    return Paired(figures, tuple(left), trial_role(trial, own), answered)


def trial_role(trial: Trial, study: Study) -> TrialRole:
    """What part a trial's figures play, from their roles alone.

    `fit`: an experimental arm, a contrast or the only arm is fitted; `held_out`: figures are held out, and at most the
    control arm is fitted; `forecast`: no figure is fitted or held out.
    """
    arms = {a.id for a in trial.arms}
    roles: set[str] = set()
    for v in study.values:
        if v.role == "fit" and (v.arm in arms or v.contrast is not None):
            is_control = v.contrast is None and v.arm == trial.control and len(study.arms) > 1
            roles.add("control" if is_control else "fit")
        elif v.role == "held_out":
            roles.add("held_out")
    if "fit" in roles:
        return "fit"
    if "held_out" in roles:
        return "held_out"
    return "fit" if "control" in roles else "forecast"


def _is_statistic(v: PublishedValue) -> bool:
    """Whether a figure is a rate, median or hazard ratio of an endpoint trials can report."""
    if v.statistic == "hr":
        return v.contrast is not None
    wanted = {"rate": "rate", "median": "median"}.get(v.statistic)
    return (
        wanted is not None
        and v.arm is not None
        and v.endpoint in _endpoints()
        and kind_of(v.endpoint) == wanted
    )


@lru_cache(maxsize=1)
def _endpoints() -> frozenset[str]:
    """Names of all endpoints a trial file can report."""
    from typing import get_args

    from her2.trials.design import RateEndpoint, TimeEndpoint

    return frozenset((*get_args(TimeEndpoint), *get_args(RateEndpoint)))


def _key(v: PublishedValue, trial: Trial, subgroups: SubgroupFile) -> tuple[StatKey | None, str]:
    """The statistic a figure is of, or why there is none."""
    if v.endpoint not in trial.endpoints.reported:
        return None, f"the trial file does not report {v.endpoint}"
    subgroup = _subgroup(v.population, trial.id, subgroups)
    if subgroup is None:
        return None, f"no subgroup of the model stands for '{v.population}'"
    arms = [a.id for a in trial.arms]
    if v.contrast is None:
        arm = v.arm if v.likely_correct is None or v.likely_correct.arm is None else v.likely_correct.arm
        if arm not in arms:
            return None, f"arm '{arm}' is not in the trial file"
        return StatKey(v.endpoint, arm=str(arm), subgroup=subgroup), ""
    pair = (v.contrast.experimental, v.contrast.control)
    if not set(pair) <= set(arms):
        return None, f"an arm of '{pair[0]} v {pair[1]}' is not in the trial file"
    if trial.control not in pair:
        return None, f"'{pair[0]} v {pair[1]}' is no contrast with the control '{trial.control}'"
    other = pair[0] if pair[1] == trial.control else pair[1]
    return StatKey(v.endpoint, experimental=other, control=trial.control, subgroup=subgroup), ""


def _subgroup(printed: str, trial: str, subgroups: SubgroupFile) -> str | None:
    """Subgroup of a printed population; empty for all patients, None where the model has none."""
    if printed == "all" or any(w.trial == trial and w.printed == printed for w in subgroups.whole):
        return ""
    for p in subgroups.populations:
        if p.printed.lower() == printed.lower():
            return p.name
    return None


def _figure(v: PublishedValue, trial: Trial, key: StatKey) -> Figure | None:
    """The figure as it is to be compared: what is probably right, and the contrast turned to the trial's control."""
    right = v.likely_correct
    value, low, high = v.value, v.ci_low, v.ci_high
    if right is not None:
        value = right.value if right.value is not None else value
        low = right.ci_low if right.ci_low is not None else low
        high = right.ci_high if right.ci_high is not None else high
    if value is None:
        return None
    note = ""
    if v.contrast is not None and v.contrast.experimental == trial.control:
        if value <= 0:
            return None
        value, low, high = 1 / value, 1 / high if high else None, 1 / low if low else None
        note = "printed the other way round"
    if v.analysis and not key.subgroup:
        note = f"{note}; analysis: {v.analysis}".removeprefix("; ")
    changed = right is not None and (
        right.value is not None or right.ci_low is not None or right.arm is not None
    )
    return Figure(trial.id, key, float(value), low, high, v.role, v.id, v.where, changed, note)


def _rank(v: PublishedValue) -> tuple[int, ...] | None:
    """Order among prints of one figure; None for an analysis that answers another question."""
    if v.analysis and v.population == "all":
        analysis = 1 if v.analysis.startswith("final") else 2 if v.analysis == "interim" else None
        if analysis is None:
            return None
    else:
        analysis = 0
    return (_ROLES[v.role], analysis, 0 if v.place == "text" else 1, 0 if v.likely_correct is None else 1)


def load_subgroups() -> SubgroupFile:
    """Which subgroup stands for a printed population.

    Raises
    ------
    her2.errors.Her2Error
        If the file is wrong, or names a subgroup the model has not.
    """
    where = show_path(SUBGROUP_FILE)
    found = parse(SubgroupFile, read_yaml(SUBGROUP_FILE), where)
    for p in found.populations:
        if p.subgroup is not None and p.subgroup not in SUBGROUPS:
            raise unknown("subgroup", p.subgroup, SUBGROUPS, where)
    return found


def without_trial(studies: Mapping[str, Study], trials: Sequence[Trial]) -> tuple[str, ...]:
    """Studies with a fitted figure of an endpoint that no trial file answers."""
    answered = {t.study for t in trials}
    return tuple(
        s.id
        for s in studies.values()
        if s.id not in answered
        and s.parent not in answered
        and any(_is_statistic(v) for v in fit_values(s.id))
    )
