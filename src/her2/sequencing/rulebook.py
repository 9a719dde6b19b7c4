"""The executable rules, compiled: conditions checked once, later versions in the place of those they supersede."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from her2.errors import RecordError
from her2.evidence.load import DATA, files_of, parse, read_yaml, show_path
from her2.evidence.schema import Rule
from her2.sequencing.condition import Condition, Join, Test, items_of, parse_condition
from her2.sequencing.match import contains
from her2.sequencing.state import PatientState

STRENGTHS = ("preferred", "recommended", "reasonable", "option", "not_recommended", "trial", "hypothesis")
"""Strengths, the strongest first; `trial` and `hypothesis` are no advice."""
NO_ADVICE = ("trial", "hypothesis")


@dataclass(frozen=True, eq=False)
class CompiledRule:
    """A rule with its condition ready to be judged.

    Attributes
    ----------
    items : items of the vocabulary the condition looks at
    user : whether it stands in the user's own record
    """

    rule: Rule
    condition: Condition
    items: frozenset[str]
    user: bool = False

    @property
    def offers(self) -> tuple[str, ...]:
        """Regimens it offers; what goes along with another option is none."""
        return () if self.rule.goes_with else self.rule.offer

    @property
    def avoided(self) -> tuple[str, ...]:
        """What it avoids, without what a shorter entry of `any_with` covers already."""
        if self.rule.avoid_means != "any_with":
            return self.rule.avoid
        return tuple(
            p for p in self.rule.avoid if not any(q != p and contains(p, q) for q in self.rule.avoid)
        )

    @property
    def forbids(self) -> bool:
        """Whether what it avoids is not to be given, rather than ranked behind or given with care."""
        return self.rule.avoid_means in ("any_with", "exactly")

    @property
    def ranks_below(self) -> bool:
        """Whether what it avoids ranks behind what it offers."""
        return self.rule.avoid_means == "worse_than_offer"

    @property
    def is_remark(self) -> bool:
        """Whether it neither offers nor speaks against a regimen."""
        return not self.offers and not self.forbids

    @property
    def year(self) -> int | None:
        """Year of the version; None where the rule carries no date."""
        return int(self.rule.date[:4]) if self.rule.date[:4].isdecimal() else None

    @property
    def lines(self) -> tuple[str, ...]:
        """Places in the sources, as printed."""
        return tuple(str(p) for p in self.rule.places)


@dataclass(frozen=True, eq=False)
class Rulebook:
    """Executable rules in order of precedence (rank, then id)."""

    rules: tuple[CompiledRule, ...]

    def in_force(self, state: PatientState) -> tuple[CompiledRule, ...]:
        """Rules of the year the state asks for, without those that one of them supersedes."""
        dated = [r for r in self.rules if state.as_of is None or r.year is None or r.year <= state.as_of]
        replaced = {old for r in dated for old in r.rule.supersedes}
        return tuple(r for r in dated if r.rule.id not in replaced)


def compile_rule(rule: Rule, user: bool = False) -> CompiledRule:
    """A rule with its condition checked.

    A rule that the engine of virtual trials follows too chooses a new line, in its short conditions.

    Raises
    ------
    her2.errors.RecordError
        The condition or the strength is outside the vocabulary.
    """
    where = f"rule {rule.id}"
    condition = parse_condition(rule.when, rule.unless, where)
    if rule.strength not in STRENGTHS:
        raise RecordError(f"{where}, strength: expected one of {', '.join(STRENGTHS)}, got '{rule.strength}'")
    if rule.avoid and rule.avoid_means is None:
        raise RecordError(
            f"{where}, avoid_means: an executable rule that avoids something says how it is meant "
            "(any_with, exactly, worse_than_offer, caution)"
        )
    if rule.trials:
        condition = Join("all", (Test("phase", "equals", ("new_line",)), condition))
    return CompiledRule(rule, condition, items_of(condition), user)


def make_rulebook(rules: Iterable[Rule], user: Iterable[str] = ()) -> Rulebook:
    """A rulebook of these rules; those that are not executable are left out."""
    own = set(user)
    compiled = [compile_rule(r, r.id in own) for r in rules if r.executable]
    return Rulebook(tuple(sorted(compiled, key=lambda c: (c.rule.rank, c.rule.id))))


@lru_cache(maxsize=4)
def _rulebook(_user: str | None) -> Rulebook:
    found: dict[str, Rule] = {}
    own: set[str] = set()
    for path in files_of("rules"):
        rule = parse(Rule, read_yaml(path), show_path(path))
        is_user = not path.is_relative_to(DATA)
        if rule.id in found and not (is_user and rule.id not in own):
            raise RecordError(f"{show_path(path)}: rule '{rule.id}' is declared twice")
        found[rule.id] = rule
        if is_user:
            own.add(rule.id)
    return make_rulebook(found.values(), own)


def load_rulebook() -> Rulebook:
    """All executable rules of the record; a rule of the user's replaces the shipped one with the same id."""
    return _rulebook(os.environ.get("HER2_RECORD"))
