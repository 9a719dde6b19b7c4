"""Conditions of an experiment: what an arm or cell inherits from the experiment's base."""

from __future__ import annotations

from typing import Any

from her2.evidence.biology import Condition


def merged(base: Condition, own: Condition) -> Condition:
    """A condition with what it leaves out taken from the base.

    Mappings (drugs, attributes, switches ...) are joined key by key, the condition's own first; one that is given
    empty takes nothing from the base, so that `drugs: {}` is an untreated condition.
    """
    values: dict[str, Any] = {}
    for name in Condition.model_fields:
        given = name in own.model_fields_set
        shared, mine = getattr(base, name), getattr(own, name)
        if isinstance(mine, dict):
            values[name] = {**shared, **mine} if mine or not given else {}
        else:
            values[name] = mine if given else shared
    return Condition(**values)
