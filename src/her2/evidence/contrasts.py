"""Hazard ratios of the record, one for each pair of arms of a study, chosen for a meta-analysis.

A figure counts once however often it is printed: of the prints of one study, endpoint and pair of arms the
first of the primary analysis in all patients is taken; subgroups, and studies that are an analysis of another,
are left out. What is printed is used; what the print should probably say only when asked.

Where no hazard ratio with interval is printed, one can be approximated (off by default). From a hazard ratio
and an exact p value: its standard error is |log HR| / z. From two medians: under exponential times the hazard
ratio is the inverse ratio of the medians, and Greenwood's formula gives a Kaplan-Meier median of n patients,
none censored before it, the standard error 1 / (ln 2 sqrt(n)) on the log scale. Censoring widens this, arms
whose hazards are not constant break the first step. The same standard error, on the wide side, serves a
hazard ratio printed with neither interval nor exact p value.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

from her2.errors import Her2Error, unknown
from her2.evidence.record import Kept, Record, place_of
from her2.evidence.schema import Agent, PublishedValue, Study

Basis = Literal["hr with interval", "hr with p value", "hr with patients", "medians"]
Z_95 = NormalDist().inv_cdf(0.975)
_ENDPOINTS = ("pfs", "os", "ttp", "time_to_cns")
"""Endpoints that are times to an event counted over all patients; durations of a response are not."""


class ContrastError(Her2Error):
    """A contrast that cannot be read, or that no study answers."""


@dataclass(frozen=True)
class StudyContrast:
    """Hazard ratio of one arm against another, with where it is printed."""

    study: str
    name: str
    endpoint: str
    analysis: str
    line: str
    """Line or setting of the study."""
    experimental: str
    control: str
    experimental_agents: frozenset[str]
    control_agents: frozenset[str]
    hr: float
    se: float
    """Standard error of the logarithm."""
    ci_low: float
    ci_high: float
    """95 % limits, as printed or from the standard error."""
    basis: Basis
    is_randomisation_printed: bool
    value_ids: tuple[str, ...]
    where: str
    note: str = ""
    is_turned: bool = False
    """Whether the print compares the two arms the other way round."""
    is_user: bool = False
    """Whether the study is the user's own."""

    @property
    def log_hr(self) -> float:
        """Natural logarithm of the hazard ratio."""
        return math.log(self.hr)

    @property
    def is_approximated(self) -> bool:
        """Whether the standard error, or both, are not from a printed interval."""
        return self.basis != "hr with interval"

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "study": self.study, "name": self.name, "endpoint": self.endpoint, "analysis": self.analysis,
            "setting": self.line, "experimental": self.experimental, "control": self.control, "hr": self.hr,
            "ci_low": self.ci_low, "ci_high": self.ci_high, "log_hr": self.log_hr, "se": self.se,
            "basis": self.basis, "approximated": self.is_approximated,
            "randomisation_printed": self.is_randomisation_printed, "values": list(self.value_ids),
            "places": self.where, "note": self.note, "user": self.is_user,
        }  # fmt: skip


@dataclass(frozen=True)
class LeftOut:
    """A contrast that was wanted but has no usable figure."""

    study: str
    endpoint: str
    experimental: str
    control: str
    reason: str


@dataclass(frozen=True)
class Selection:
    """Contrasts that answer a question, and those left out with the reason."""

    endpoint: str
    contrast: str
    contrasts: tuple[StudyContrast, ...]
    left_out: tuple[LeftOut, ...]


def select_contrasts(
    record: Record,
    endpoint: str,
    contrast: str,
    *,
    approximate: bool | Literal["always"] = False,
    likely_correct: bool = False,
) -> Selection:
    """Randomised contrasts of the record that answer a question, one per study and pair of arms.

    Parameters
    ----------
    record
        The record, with the user's own studies.
    endpoint
        `pfs`, `os`, `ttp`, or several as `pfs+ttp`: each study then gives the first it has.
    contrast
        `add-her2`: the experimental arm is the control arm plus HER2-directed agents.
        `add-AGENT`: plus that one agent. `A-v-B`: the arms differ in A (one agent, or several joined by +)
        against B. `all`: any two arms of a trial.
    approximate
        Fill in from p values and medians where no hazard ratio with interval is printed; `always` takes the
        medians everywhere, which shows how good they are.
    likely_correct
        Use what the print should probably say where it cannot be right.

    Raises
    ------
    ContrastError
        If the contrast cannot be read.
    her2.errors.UnknownNameError
        If an endpoint or agent is not in the record.
    """
    endpoints = _read_endpoints(record, endpoint)
    orient = _read_contrast(record, contrast)
    found: list[StudyContrast] = []
    left_out: list[LeftOut] = []
    for kept in record.studies.values():
        study = kept.entry
        randomised = randomisation(study)
        if randomised is None:
            continue
        pairs = [
            turned
            for a, b in itertools.combinations(study.arms, 2)
            if (turned := orient(frozenset(a.agents), frozenset(b.agents), a.id, b.id)) is not None
        ]
        for experimental, control in pairs:
            reasons: list[LeftOut] = []
            for name in endpoints:
                figures = _Figures(kept, name, experimental, control, likely_correct)
                if not figures.has_any:
                    continue
                made = figures.contrast(approximate, randomised == "printed")
                if made is not None:
                    found.append(made)
                    break
                reasons.append(LeftOut(study.id, name, experimental, control, figures.reason(approximate)))
            else:
                left_out += reasons
    found.sort(key=lambda c: (c.study, c.experimental, c.control))
    return Selection(endpoint, contrast, tuple(found), tuple(left_out))


def randomisation(study: Study) -> Literal["printed", "implied"] | None:
    """Whether the source says that the arms were randomised, or only implies it by phase or comparison."""
    if len(study.arms) < 2 or study.setting in ("preclinical", "neoadjuvant"):
        return None
    design = study.design.lower()
    if re.search(r"not randomi[sz]ed|single arm|cohort|subanalysis|biomarker|exploratory", design):
        return None
    if re.search(r"randomi[sz]ed|placebo", design):
        return "printed"
    if study.phase is not None and study.phase.startswith("III"):
        return "implied"
    return "implied" if "non-inferiority" in design else None


def is_her2_directed(agent: Agent) -> bool:
    """Whether HER2 (ERBB2) is a target of the agent, be it an antibody, a conjugate or a kinase inhibitor."""
    return "ERBB2" in agent.targets


Orient = Callable[[frozenset[str], frozenset[str], str, str], tuple[str, str] | None]


def _read_endpoints(record: Record, text: str) -> tuple[str, ...]:
    valid = {
        v.endpoint for _, v in record.values() if v.statistic == "hr" or v.endpoint in _ENDPOINTS
    } - _durations(record)
    names = tuple(dict.fromkeys(part.strip().lower() for part in text.split("+")))
    for name in names:
        if name not in valid:
            raise unknown("endpoint", name, valid)
    return names


def _durations(record: Record) -> set[str]:
    """Endpoints of adverse events, which have no place in a forest of efficacy."""
    return {v.endpoint for _, v in record.values() if v.ae_term is not None}


def _read_contrast(record: Record, text: str) -> Orient:
    """A function that orders two arms as (experimental, control), or says that they do not answer."""
    if text == "all":
        return lambda a, b, name_a, name_b: (name_b, name_a) if a < b else (name_a, name_b)
    if text == "add-her2":
        directed = {k for k, v in record.agents.items() if is_her2_directed(v.entry)}
        return _added(lambda more: bool(more) and more <= directed)
    if text.startswith("add-"):
        wanted = frozenset(_agents(record, text.removeprefix("add-")))
        return _added(lambda more: more == wanted)
    first, middle, second = text.partition("-v-")
    if middle and first and second:
        one, two = frozenset(_agents(record, first)), frozenset(_agents(record, second))

        def against(a: frozenset[str], b: frozenset[str], name_a: str, name_b: str) -> tuple[str, str] | None:
            if (a - b, b - a) == (one, two) or (a, b) == (one, two):
                return name_a, name_b
            if (b - a, a - b) == (one, two) or (b, a) == (one, two):
                return name_b, name_a
            return None

        return against
    raise ContrastError(
        f"contrast: expected add-her2, add-AGENT, A-v-B or all, got '{text}' (such as add-her2, "
        "add-pertuzumab, lapatinib-v-trastuzumab)"
    )


def _added(meets: Callable[[frozenset[str]], bool]) -> Orient:
    """Arms of which one is the other plus agents that meet a condition."""

    def orient(a: frozenset[str], b: frozenset[str], name_a: str, name_b: str) -> tuple[str, str] | None:
        if b < a and meets(a - b):
            return name_a, name_b
        if a < b and meets(b - a):
            return name_b, name_a
        return None

    return orient


def _agents(record: Record, text: str) -> Iterable[str]:
    """Ids of agents joined by +, by any of their names."""
    names = {
        _plain(name): k.entry.id
        for k in record.agents.values()
        for name in (*k.entry.aliases, k.entry.name, k.entry.id)
    }
    for part in text.split("+"):
        if _plain(part) not in names:
            raise unknown("agent", part.strip(), record.agents)
        yield names[_plain(part)]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


class _Figures:
    """Printed figures of one study, endpoint and pair of arms, the best print first."""

    def __init__(
        self, kept: Kept[Study], endpoint: str, experimental: str, control: str, likely_correct: bool
    ) -> None:
        self._study, self._is_user = kept.entry, kept.user
        self._endpoint, self._experimental, self._control = endpoint, experimental, control
        self._likely = likely_correct
        of_endpoint = [v for v in kept.entry.values if v.endpoint == endpoint and v.population == "all"]
        of_pair = [
            v
            for v in of_endpoint
            if v.contrast and {v.contrast.experimental, v.contrast.control} == {experimental, control}
        ]
        self._hr = sorted((v for v in of_pair if v.statistic == "hr" and v.value), key=_rank)
        self._p = [v for v in of_pair if v.statistic == "p" and v.value]
        self._medians = [
            sorted(
                (v for v in of_endpoint if v.statistic == "median" and v.arm == arm and v.value), key=_rank
            )
            for arm in (experimental, control)
        ]

    @property
    def has_any(self) -> bool:
        return bool(self._hr) or all(self._medians)

    def reason(self, approximate: bool | str) -> str:
        """Why there is no contrast."""
        printed = "hazard ratio without interval" if self._hr else "medians only"
        if approximate:
            return f"{printed}; no exact p value, and no number of patients"
        return f"{printed}; could be approximated"

    def contrast(self, approximate: bool | str, is_printed: bool) -> StudyContrast | None:
        """The hazard ratio, from the best that is printed."""
        if approximate != "always":
            for value in self._hr:
                if value.ci_low is not None and value.ci_high is not None:
                    return self._from_interval(value, is_printed)
        if not approximate:
            return None
        if self._hr and approximate != "always":
            for value in self._hr:
                if (made := self._from_p(value, is_printed)) is not None:
                    return made
            if (made := self._from_patients(self._hr[0], is_printed)) is not None:
                return made
        return self._from_medians(is_printed)

    def _from_interval(self, value: PublishedValue, is_printed: bool) -> StudyContrast:
        assert value.value is not None and value.ci_low is not None and value.ci_high is not None
        hr, low, high, note = value.value, value.ci_low, value.ci_high, ""
        likely = value.likely_correct
        if likely is not None:
            if self._likely:
                hr = likely.value if likely.value is not None else hr
                low = likely.ci_low if likely.ci_low is not None else low
                high = likely.ci_high if likely.ci_high is not None else high
                note = f"used instead of the print: {likely.reason}"
            else:
                note = f"the print cannot be right: {likely.reason}"
        if not 0 < low < high:
            return self._make(hr, math.inf, low, high, "hr with interval", (value,), is_printed, note)
        se = math.log(high / low) / (2 * Z_95)
        if abs(math.log(hr) - 0.5 * math.log(low * high)) > 0.35 * se and not note:
            note = "interval not symmetric about the estimate on the log scale"
        return self._make(hr, se, low, high, "hr with interval", (value,), is_printed, note)

    def _from_p(self, value: PublishedValue, is_printed: bool) -> StudyContrast | None:
        exact = [p for p in self._p if p.analysis == value.analysis and p.comparator in ("", "=")]
        if not exact or value.value is None or value.value == 1.0:
            return None
        p = exact[0].value
        if p is None or not 0.0 < p < 0.5:  # near one the quotient says nothing
            return None
        se = abs(math.log(value.value)) / NormalDist().inv_cdf(1 - p / 2)
        return self._around(value.value, se, "hr with p value", (value, exact[0]), is_printed, "")

    def _from_patients(self, value: PublishedValue, is_printed: bool) -> StudyContrast | None:
        sizes = self._sizes()
        if sizes is None or value.value is None:
            return None
        se = _median_error(sizes[0], sizes[1])
        return self._around(value.value, se, "hr with patients", (value,), is_printed, sizes[2])

    def _from_medians(self, is_printed: bool) -> StudyContrast | None:
        if not all(self._medians):
            return None
        of_arm = [{_stem(v.analysis): v for v in reversed(m)} for m in self._medians]
        shared = [s for s in dict.fromkeys(_stem(v.analysis) for v in self._medians[0]) if s in of_arm[1]]
        if not shared:
            return None
        experimental, control = of_arm[0][shared[0]], of_arm[1][shared[0]]
        sizes = self._sizes()
        if sizes is None:
            return None
        times, notes = [], [sizes[2]] if sizes[2] else []
        for value in (experimental, control):
            likely, time = value.likely_correct, value.value
            if likely is not None and likely.value is not None:
                notes.append(
                    f"{'used instead of the print' if self._likely else 'the print cannot be right'}: "
                    f"{likely.reason}"
                )
                time = likely.value if self._likely else time
            assert time is not None
            times.append(time)
        se = _median_error(sizes[0], sizes[1])
        note = "; ".join(dict.fromkeys(notes))
        return self._around(times[1] / times[0], se, "medians", (experimental, control), is_printed, note)

    def _sizes(self) -> tuple[float, float, str] | None:
        """Patients of the two arms: as printed, else the study's shared out equally."""
        of_arm = {a.id: a.n for a in self._study.arms}
        n, m = of_arm.get(self._experimental), of_arm.get(self._control)
        if n and m:
            return float(n), float(m), ""
        total, note = float(self._study.n or 0), ""
        for value in self._study.values:
            likely = value.likely_correct
            if value.endpoint == "n" and value.arm is None and likely is not None and likely.value:
                total = likely.value if self._likely else total
                note = f"{'used instead of the print' if self._likely else 'doubtful N'}: {likely.reason}; "
        if total <= 0:
            return None
        share = total / len(self._study.arms)
        if "2:1" in self._study.design and len(self._study.arms) == 2:
            return 4 / 3 * share, 2 / 3 * share, f"{note}patients of the arms not printed: 2:1 taken"
        return share, share, f"{note}patients of the arms not printed: equal arms taken"

    def _around(
        self,
        hr: float,
        se: float,
        basis: Basis,
        values: tuple[PublishedValue, ...],
        is_printed: bool,
        note: str,
    ) -> StudyContrast:
        low, high = math.exp(math.log(hr) - Z_95 * se), math.exp(math.log(hr) + Z_95 * se)
        return self._make(hr, se, low, high, basis, values, is_printed, note)

    def _make(
        self,
        hr: float,
        se: float,
        low: float,
        high: float,
        basis: Basis,
        values: tuple[PublishedValue, ...],
        is_printed: bool,
        note: str,
    ) -> StudyContrast:
        if not (math.isfinite(se) and se > 0 and hr > 0):
            raise ContrastError(
                f"{values[0].id}: hazard ratio {hr:g} with interval {low:g} to {high:g}; expected positive "
                "numbers in this order"
            )
        contrast = values[0].contrast
        is_turned = basis != "medians" and contrast is not None and contrast.control == self._experimental
        if is_turned:
            hr, low, high = 1 / hr, 1 / high, 1 / low
        arms = {a.id: frozenset(a.agents) for a in self._study.arms}
        return StudyContrast(
            study=self._study.id,
            name=self._study.name,
            endpoint=self._endpoint,
            analysis=values[0].analysis,
            line=self._study.setting or "",
            experimental=self._experimental,
            control=self._control,
            experimental_agents=arms[self._experimental],
            control_agents=arms[self._control],
            hr=hr,
            se=se,
            ci_low=low,
            ci_high=high,
            basis=basis,
            is_randomisation_printed=is_printed,
            value_ids=tuple(v.id for v in values),
            where="; ".join(dict.fromkeys(str(place_of(v)) for v in values)),
            note=note,
            is_turned=is_turned,
            is_user=self._is_user,
        )


def _median_error(n: float, m: float) -> float:
    """Standard error of the log ratio of two Kaplan-Meier medians under exponential times."""
    return math.sqrt(1 / n + 1 / m) / math.log(2)


def _rank(value: PublishedValue) -> tuple[int, bool, bool]:
    """Order of prints: the primary analysis, then final, then other, interim and adjusted ones."""
    analysis = value.analysis
    order = 2
    if not analysis:
        order = 0
    elif analysis.startswith("final"):
        order = 1
    elif "crossover" in analysis or "adjusted" in analysis:
        order = 4
    elif "interim" in analysis:
        order = 3
    # a print that can be right before one that cannot, whichever its analysis
    is_wrong = value.likely_correct is not None and value.likely_correct.value is not None
    return (order + 5 * is_wrong, value.role == "context", value.place != "text")


def _stem(analysis: str) -> str:
    """`final_os` and no analysis name the same figure when nothing else is printed."""
    return "" if analysis.startswith("final") else analysis
