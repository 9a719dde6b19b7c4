"""What the rules say of a patient, as plain objects: options, what is not to be given, conflicts, gaps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from her2.sequencing.gate import GateFinding
from her2.sequencing.rulebook import NO_ADVICE

RESEARCH_USE = (
    "For research, not for treating patients: the rules are those of 2015 and 2016, not current care."
)
NOT_STORED = "Nothing entered is stored."
"""Of the command line and of Python; a server of the page keeps jobs, and says so itself."""
NO_RULE = "the reviews give no rule"


@dataclass(frozen=True)
class Ground:
    """A rule behind a statement.

    Attributes
    ----------
    rank : precedence, the lower first
    because : what makes the rule apply to this state
    offered_as : the wider regimen the rule names, where it names a class; empty where it names this regimen
    lines : places in the sources
    user : whether the rule stands in the user's own record
    """

    rule: str
    says: str
    strength: str
    rank: int
    authority: str
    date: str
    rationale: str
    because: tuple[str, ...]
    lines: tuple[str, ...]
    reading: str = ""
    note: str = ""
    offered_as: str = ""
    user: bool = False


@dataclass(frozen=True)
class Option:
    """A regimen the rules give, at its place in the order.

    Attributes
    ----------
    strength : of the rule that gives it its place, the first of `grounds`
    marks : what to bear in mind, each naming its rule or its field
    """

    position: int
    regimen: str
    strength: str
    rank: int
    grounds: tuple[Ground, ...]
    marks: tuple[str, ...] = ()

    @property
    def is_advice(self) -> bool:
        """Whether it is advice, and not only the object of a trial or a hypothesis."""
        return self.strength not in NO_ADVICE


@dataclass(frozen=True)
class SetAside:
    """A regimen the rules give that is left out for this patient, and why."""

    regimen: str
    why: str
    grounds: tuple[Ground, ...]


@dataclass(frozen=True)
class Forbidden:
    """What is not to be given.

    Attributes
    ----------
    meaning : `any_with` (every regimen with these agents) or `exactly` (this regimen)
    lifted_by : rules of higher precedence that offer such a regimen all the same
    """

    regimen: str
    meaning: str
    ground: Ground
    lifted_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remark:
    """A rule that applies but offers no regimen; `about` names the agents it goes with."""

    says: str
    about: tuple[str, ...]
    ground: Ground


@dataclass(frozen=True)
class RuleConflict:
    """Rules that pull in different directions for this state.

    Attributes
    ----------
    kind : `offered_and_forbidden`, `offered_and_ranked_behind` or `two_first_choices`
    rules, against : the rules of the two sides
    decided_by : the rule that decides, and `how`
    record : conflicts of the record whose two places are those of two of the rules
    """

    kind: str
    says: str
    rules: tuple[str, ...]
    against: tuple[str, ...]
    decided_by: str
    how: str
    lines: tuple[str, ...]
    record: tuple[str, ...] = ()


@dataclass(frozen=True)
class Undecided:
    """A rule that applies or not, depending on items that are not known."""

    rule: str
    says: str
    strength: str
    offers: tuple[str, ...]
    avoids: tuple[str, ...]
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """A regimen the user asked about: what the rules say of it."""

    regimen: str
    verdict: str
    says: str
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What one value of a missing item would change."""

    value: str
    changes: str


@dataclass(frozen=True)
class Missing:
    """An unknown item and what knowing it would change, the most consequential first.

    Attributes
    ----------
    effect : the largest change: `first option`, `options`, `what is not to be given`, `trials and hypotheses`,
        `remarks`, or `inside the model or not`
    """

    item: str
    label: str
    effect: str
    score: float
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Advice:
    """Everything the rules say about a state."""

    state: dict[str, Any]
    gate: tuple[GateFinding, ...]
    options: tuple[Option, ...]
    set_aside: tuple[SetAside, ...]
    forbidden: tuple[Forbidden, ...]
    remarks: tuple[Remark, ...]
    conflicts: tuple[RuleConflict, ...]
    undecided: tuple[Undecided, ...]
    judged: tuple[Judged, ...]
    gaps: tuple[str, ...]
    applied: tuple[str, ...]
    missing: tuple[Missing, ...] = ()
    research_use: str = RESEARCH_USE

    @property
    def refused(self) -> bool:
        """Whether the case lies outside the model, so that no option is given."""
        return any(f.decision == "refused" for f in self.gate)

    def as_json(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {"refused": self.refused, **asdict(self)}
