"""Ask for missing items at the terminal: those first that would change the answer most."""

from __future__ import annotations

from collections.abc import Callable

from her2.errors import RecordError
from her2.prognosis.case import with_item
from her2.prognosis.missing_course import is_known, splits
from her2.sequencing.recommend import advise
from her2.sequencing.state import UNKNOWN_WORD, PatientState

ASKED = 5
TRIES = 3


def ask_missing(state: PatientState, ask: Callable[[str, str], str], most: int = ASKED) -> PatientState:
    """The state with what was answered; `unknown`, or just Enter, leaves an item unknown.

    Parameters
    ----------
    ask : shows a question and a default answer, and returns what was typed
    most : questions asked at most
    """
    asked: set[str] = set()
    while len(asked) < most:
        item, text = _next(state, asked)
        if not item:
            return state
        asked.add(item)
        for _ in range(TRIES):
            answer = ask(text, UNKNOWN_WORD).strip().replace(" ", "_")
            if answer in ("", UNKNOWN_WORD):
                break
            try:
                state = with_item(state, item, _value(answer), "answer")
                break
            except RecordError as error:
                text = f"{error}. {item}"
    return state


def _next(state: PatientState, asked: set[str]) -> tuple[str, str]:
    """Place and text of the question that matters most and was not asked yet; empty where none is left."""
    for missing in advise(state).missing:
        simple = missing.item.split(".")[0] not in ("lines", "early", "current", "medicines")
        if missing.item not in asked and simple:
            outcomes = "; ".join(f"{o.value}: {o.changes}" for o in missing.outcomes)
            values = " | ".join(o.value for o in missing.outcomes)
            return missing.item, f"{missing.label} ({values}). Would change: {outcomes}"
    for split in splits():
        if (
            split.item not in asked
            and split.item not in ("ecog", "early")
            and not is_known(state, split.item)
        ):
            return (
                split.item,
                f"{split.label} ({' | '.join(word for word, _ in split.values)}), for the predicted course",
            )
    return "", ""


def _value(answer: str) -> object:
    """Yes and no as truth, numbers as numbers, else the word."""
    if answer in ("yes", "no"):
        return answer == "yes"
    try:
        return float(answer)
    except ValueError:
        return answer
