"""Options for a clinical state: every rule that applies, by precedence, each option with its rule."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

from her2.evidence.load import files_of, parse, read_yaml, show_path
from her2.evidence.schema import Rule
from her2.sequencing.rule import applies
from her2.sequencing.state import ClinicalState


@dataclass(frozen=True)
class Option:
    """One regimen a rule offers."""

    regimen: str
    rule: Rule


def load_rules() -> tuple[Rule, ...]:
    """Executable rules of the record and the user's, in order of precedence (rank, then id)."""
    return _rules(os.environ.get("HER2_RECORD"))


@lru_cache(maxsize=4)
def _rules(_user: str | None) -> tuple[Rule, ...]:
    rules = [parse(Rule, read_yaml(p), show_path(p)) for p in files_of("rules")]
    return tuple(sorted((r for r in rules if r.executable), key=lambda r: (r.rank, r.id)))


def recommend(state: ClinicalState, rules: tuple[Rule, ...] | None = None) -> list[Option]:
    """Options in order of precedence; an option offered by several rules appears under the first.

    An empty list means: the reviews give no rule for this state.
    """
    options: dict[str, Option] = {}
    for rule in load_rules() if rules is None else rules:
        if applies(rule, state):
            for regimen in rule.offer:
                options.setdefault(regimen, Option(regimen, rule))
    return list(options.values())
