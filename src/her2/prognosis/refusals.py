"""What has to be known, and to be within the engine, before a course is predicted."""

from __future__ import annotations

from collections.abc import Iterator

from her2.engine.layout import MAX_LINES
from her2.prognosis.regimens import why_not
from her2.prognosis.result import Refusal
from her2.sequencing.gate import gate
from her2.sequencing.state import PatientState

SETTINGS = ("metastatic", "locally_advanced")
MOST_LINES = MAX_LINES - 4
"""Earlier lines that leave room for the line in question and those after it."""


def refusals(state: PatientState) -> tuple[Refusal, ...]:
    """Every reason why no course can be predicted for this case; none where one can."""
    return tuple(_refusals(state))


def _refusals(state: PatientState) -> Iterator[Refusal]:
    named: set[str] = set()
    for finding in gate(state):
        if finding.decision == "refused":
            named |= set(finding.items)
            yield Refusal(finding.says, finding.items)
    lines = state.completed
    if state.setting is None:
        yield Refusal("setting not known: courses are predicted for metastatic disease", ("setting",))
    elif state.setting not in SETTINGS:
        yield Refusal(f"{state.setting} setting: courses are predicted for metastatic disease", ("setting",))
    if state.phase == "best_response":
        yield Refusal(
            "best response to the current line: the engine changes lines at progression only, so how to go on "
            "before it is left to the rules",
            ("phase",),
        )
    if lines is None:
        yield Refusal(
            "earlier lines not known: write them, or `lines: none`, so that twins can live through them",
            ("lines",),
        )
        return
    if len(lines) > MOST_LINES:
        yield Refusal(f"{len(lines)} earlier lines: the engine follows at most {MOST_LINES}", ("lines",))
    for k, line in enumerate(lines):
        if line.agents is None:
            yield Refusal(
                f"agents of line {k + 1} not known, so it cannot be simulated", (f"lines.{k}.agents",)
            )
            continue
        reason = why_not(line.agents)
        if reason and f"lines.{k}.agents" not in named:
            yield Refusal(f"line {k + 1}: {reason}", (f"lines.{k}.agents",))
