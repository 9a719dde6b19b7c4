"""What somebody without a model would predict: the nearest arm of the reviews, the mean of the class, HR = 0.8.

Baselines know what calibration knows: fitted figures through the fit view, of all patients, and never the trial that is
predicted or its sub-studies. (The null model, the fourth baseline, is simulated by `predict`.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from her2.evidence.fit_view import fit_values
from her2.evidence.load import load_agents
from her2.evidence.schema import PublishedValue, Study
from her2.sequencing.agents import may_be
from her2.trials.design import Trial
from her2.trials.intervals import kind_of
from her2.validation.predict import StatKey

CONSTANT_HR = 0.8
SAYS = {
    "null_model": "the same engine and procedure with the drugs' effects added instead of passed through the network",
    "nearest_arm": "the fitted figure of the nearest arm, or contrast, of another study: same line, most shared agents",
    "class_mean": "mean log hazard ratio of the fitted contrasts of other studies that add an agent of the same class",
    "constant_hr": f"a hazard ratio of {CONSTANT_HR:g} for everything",
}
"""Baselines and what they predict, in the order in which they are shown."""
_SAME_QUESTION = {"ttp": "pfs"}
"""Endpoints that answer for each other when an arm is looked up."""


@dataclass(frozen=True)
class KnownArm:
    """A fitted rate or median of an arm of the record."""

    study: str
    line: str
    agents: frozenset[str]
    endpoint: str
    value: float


@dataclass(frozen=True)
class KnownContrast:
    """A fitted hazard ratio, or the inverse ratio of two fitted medians where none is printed."""

    study: str
    line: str
    experimental: frozenset[str]
    control: frozenset[str]
    endpoint: str
    log_hr: float


@dataclass(frozen=True)
class Knowledge:
    """Fitted figures of the record, and the class of every agent."""

    arms: tuple[KnownArm, ...]
    contrasts: tuple[KnownContrast, ...]
    kinds: Mapping[str, str]
    families: Mapping[str, str]
    """Study -> the study it belongs to: itself, or its parent."""
    lines: Mapping[str, str]

    def nearest_arm(self, trial: Trial, key: StatKey) -> float | None:
        """The nearest arm's rate or median, or the nearest contrast's hazard ratio; None without any."""
        if key.arm:
            agents = agents_of(trial, key.arm)
            options = [a for a in self.arms if self._answers(a, trial, key)]
            best = max(options, key=lambda a: self._closeness(trial, ((agents, a.agents),), a), default=None)
            return None if best is None else best.value
        pair = (agents_of(trial, key.experimental), agents_of(trial, key.control))
        contrasts = [c for c in self.contrasts if self._answers(c, trial, key)]
        near = max(
            contrasts,
            key=lambda c: self._closeness(trial, ((pair[0], c.experimental), (pair[1], c.control)), c),
            default=None,
        )
        return None if near is None else math.exp(near.log_hr)

    def class_mean(self, trial: Trial, key: StatKey) -> float | None:
        """Mean hazard ratio of contrasts that add the same classes; of all contrasts where none does."""
        if key.arm:
            return None
        mine = self._added(agents_of(trial, key.experimental), agents_of(trial, key.control))
        options = [c for c in self.contrasts if self._answers(c, trial, key)]
        same = [c for c in options if self._added(c.experimental, c.control) == mine]
        logs = [c.log_hr for c in same or options]
        return math.exp(float(np.mean(logs))) if logs else None

    def _answers(self, known: KnownArm | KnownContrast, trial: Trial, key: StatKey) -> bool:
        own = self.families.get(trial.study or "", trial.study)
        return _question(known.endpoint) == _question(key.endpoint) and self.families[known.study] != own

    def _closeness(
        self,
        trial: Trial,
        pairs: tuple[tuple[frozenset[str], frozenset[str]], ...],
        known: KnownArm | KnownContrast,
    ) -> tuple[bool, int, int, str]:
        """Same line first, then shared agents, then fewest others; the name decides between equals."""
        line = self.lines.get(trial.study or "", _line_of(trial))
        shared = sum(_shared(a, b) for a, b in pairs)
        others = sum(len(a) + len(b) for a, b in pairs) - 2 * shared
        return (known.line == line, shared, -others, known.study)

    def _added(self, experimental: frozenset[str], control: frozenset[str]) -> frozenset[str]:
        new = {a for a in experimental if not any(may_be(a, c) or may_be(c, a) for c in control)}
        return frozenset(self.kinds.get(a, a) for a in new)


def learn(studies: Mapping[str, Study]) -> Knowledge:
    """Arms and contrasts of the record that calibration may see."""
    arms: list[KnownArm] = []
    contrasts: list[KnownContrast] = []
    for study in studies.values():
        agents = {a.id: frozenset(a.agents) for a in study.arms}
        mine = _known_arms(study, agents)
        arms += mine
        contrasts += _known_contrasts(study, agents)
    return Knowledge(
        arms=tuple(arms),
        contrasts=tuple(contrasts),
        kinds={k: a.kind for k, a in load_agents().items()},
        families={s.id: s.parent or s.id for s in studies.values()},
        lines={s.id: s.setting for s in studies.values()},
    )


def _usable(study: Study) -> list[PublishedValue]:
    return [v for v in fit_values(study.id) if v.population == "all" and v.value is not None and v.value > 0]


def _known_arms(study: Study, agents: Mapping[str, frozenset[str]]) -> list[KnownArm]:
    return [
        KnownArm(study.id, study.setting, agents[v.arm], v.endpoint, float(v.value or 0.0))
        for v in _usable(study)
        if v.arm is not None and v.arm in agents and v.statistic == kind_of(v.endpoint)
    ]


def _known_contrasts(study: Study, agents: Mapping[str, frozenset[str]]) -> list[KnownContrast]:
    """Printed hazard ratios; without one the inverse ratio of two medians, as under constant hazards."""
    found: dict[str, list[KnownContrast]] = {}
    medians: dict[str, dict[str, float]] = {}
    for v in _usable(study):
        if v.statistic == "hr" and v.contrast is not None:
            pair = (v.contrast.experimental, v.contrast.control)
            if all(p in agents for p in pair):
                found.setdefault(v.endpoint, []).append(
                    KnownContrast(
                        study.id, study.setting, agents[pair[0]], agents[pair[1]], v.endpoint,
                        math.log(float(v.value or 1.0)),
                    )
                )  # fmt: skip
        elif (
            v.statistic == "median"
            and v.arm is not None
            and v.arm in agents
            and kind_of(v.endpoint) == "median"
        ):
            medians.setdefault(v.endpoint, {}).setdefault(v.arm, float(v.value or 1.0))
    for endpoint, by_arm in medians.items():
        if endpoint in found or len(by_arm) != 2:
            continue
        # the control of a two-arm study is the arm whose agents the other adds to, else the one listed last
        order = [a.id for a in study.arms if a.id in by_arm]
        one, other = order
        if agents[one] < agents[other]:
            one, other = other, one
        log_hr = math.log(by_arm[other] / by_arm[one])
        found[endpoint] = [
            KnownContrast(study.id, study.setting, agents[one], agents[other], endpoint, log_hr)
        ]
    return [c for row in found.values() for c in row]


def _question(endpoint: str) -> str:
    return _SAME_QUESTION.get(endpoint, endpoint)


def agents_of(trial: Trial, arm: str) -> frozenset[str]:
    """Agents of an arm, those of all options where the physician chooses."""
    return frozenset(c.agent for option in trial.arm(arm).choices for c in option.regimen)


def _line_of(trial: Trial) -> str:
    """Line as studies name it, from the prior lines of a trial file without a study."""
    if trial.setting != "metastatic":
        return trial.setting
    most = max((len(h.lines) for h in trial.entry_histories), default=0)
    return ("first_line", "second_line", "third_line_plus")[min(most, 2)]


def _shared(mine: Iterable[str], theirs: Iterable[str]) -> int:
    """Agents of the one regimen that the other has too, each counted once; a class stands for its members."""
    left = list(theirs)
    count = 0
    for agent in sorted(mine):
        match = next((b for b in left if may_be(agent, b) or may_be(b, agent)), None)
        if match is not None:
            left.remove(match)
            count += 1
    return count
