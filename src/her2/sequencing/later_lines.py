"""The lines after the trial line, chosen by the rules: which regimen each further line of an arm uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from her2.sequencing.recommend import recommend
from her2.sequencing.state import ClinicalState


@dataclass(frozen=True)
class LaterLine:
    """One further line: its regimen, the rule behind it, and the options passed over because the engine lacks them."""

    regimen: str
    rule: str
    passed_over: tuple[str, ...]


def plan_later_lines(
    state: ClinicalState, agents_of: dict[str, frozenset[str]], available: Iterable[str], n_lines: int
) -> list[LaterLine]:
    """Walk the rules from the state after the trial line.

    In each line the first option by precedence that the engine can give and that brings an agent the patient has not
    had is taken; if none brings a new agent, no further line follows.

    Parameters
    ----------
    state : after the trial line
    agents_of : agents of every regimen of the record
    available : regimens the engine can give
    n_lines : lines to plan at most
    """
    can_give = set(available)
    plan: list[LaterLine] = []
    for _ in range(n_lines):
        passed: list[str] = []
        chosen = None
        for option in recommend(state):
            if option.regimen not in can_give:
                passed.append(option.regimen)
            elif not agents_of[option.regimen] <= state.had:
                chosen = option
                break
        if chosen is None:
            break
        plan.append(LaterLine(chosen.regimen, chosen.rule.id, tuple(passed)))
        state = state.after(agents_of[chosen.regimen])
    return plan
