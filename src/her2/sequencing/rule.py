"""When a rule applies to a virtual patient: a small vocabulary of conditions, each a named test of the clinical state.

The rules for one patient have the wider language of `her2.sequencing.condition`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from her2.errors import RecordError, nearest
from her2.evidence.schema import Rule
from her2.sequencing.agents import is_a
from her2.sequencing.state import ClinicalState


def _has_had(state: ClinicalState, agent: str) -> bool:
    """Whether a patient has had an agent, or any member of a class."""
    return any(is_a(given, agent) for given in state.had)


_TESTS: dict[str, Callable[[ClinicalState, Any], bool]] = {
    "setting": lambda s, v: s.setting == v,
    "her2": lambda s, v: s.her2 == v,
    "line": lambda s, v: s.line == int(v),
    "line_at_least": lambda s, v: s.line >= int(v),
    "line_at_most": lambda s, v: s.line <= int(v),
    "had": lambda s, v: all(_has_had(s, agent) for agent in v),
    "had_any": lambda s, v: any(_has_had(s, agent) for agent in v),
    "had_not": lambda s, v: not any(_has_had(s, agent) for agent in v),
    "year_from": lambda s, v: s.year is None or s.year >= int(v),
    "year_to": lambda s, v: s.year is None or s.year <= int(v),
}

CONDITIONS = tuple(_TESTS)
"""Conditions a rule's `when` and `unless` may name."""


def applies(rule: Rule, state: ClinicalState) -> bool:
    """Whether all conditions of `when` hold and not all of a non-empty `unless`.

    Raises
    ------
    her2.errors.RecordError
        If the rule uses a condition outside the vocabulary.
    """
    for name in (*rule.when, *rule.unless):
        if name not in _TESTS:
            raise RecordError(
                f"rule {rule.id}: unknown condition '{name}'{nearest(name, _TESTS)} (valid: {', '.join(_TESTS)}); "
                "a rule that is not for the lines of virtual trials says 'trials: false'"
            )
    if any(isinstance(v, Mapping) for v in (*rule.when.values(), *rule.unless.values())):
        raise RecordError(
            f"rule {rule.id}: a condition with a comparison is not for the lines of virtual trials; say 'trials: false'"
        )
    try:
        holds = all(_TESTS[name](state, wanted) for name, wanted in rule.when.items())
        excepted = bool(rule.unless) and all(
            _TESTS[name](state, wanted) for name, wanted in rule.unless.items()
        )
    except (TypeError, ValueError) as error:
        raise RecordError(f"rule {rule.id}: a condition has a value of the wrong kind ({error})") from error
    return holds and not excepted
