"""Ask for missing items at the terminal: those first that would change the answer most."""

from __future__ import annotations

from collections.abc import Callable

from her2.errors import RecordError
from her2.prognosis.case import with_item
from her2.prognosis.missing_course import ADVICE_EFFECTS, is_known, splits
from her2.sequencing.advice import Missing
from her2.sequencing.recommend import advise
from her2.sequencing.state import UNKNOWN_WORD, PatientState
from her2.sequencing.vocabulary import items as vocabulary

ASKED = 5
TRIES = 3
LAST_EFFECTS = ("remarks", "inside the model or not")
"""Effects that are not worth a question."""
WHOLE_PARTS = ("lines", "early", "current", "medicines")
"""Parts of a case that no one word answers."""


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
    """Place and text of the question that matters most and was not asked yet; empty where none is left.

    First what would change the rules' advice, then what the predicted course differs in, then trials and hypotheses.
    """
    advice = advise(state)
    missing = [m for m in advice.missing if m.item not in asked and m.item.split(".")[0] not in WHOLE_PARTS]
    for m in missing:
        if m.effect in ADVICE_EFFECTS or (advice.refused and m.effect not in LAST_EFFECTS):
            return m.item, _question(m)
    for split in splits():
        if (
            split.item not in asked
            and split.item not in ("ecog", "early")
            and not is_known(state, split.item)
        ):
            values = " | ".join(word for word, _ in split.values)
            return split.item, f"{split.label} ({values}), for the predicted course"
    for m in missing:
        if m.effect not in LAST_EFFECTS:
            return m.item, _question(m)
    return "", ""


def _question(missing: Missing) -> str:
    """The question about an item with its values, and what they would change."""
    known = vocabulary().get(missing.item.split(".")[-1])
    words = known.words if known is not None and known.words else [o.value for o in missing.outcomes]
    outcomes = "; ".join(f"{o.value}: {o.changes}" for o in missing.outcomes)
    return f"{missing.label} ({' | '.join(w.replace('_', ' ') for w in words)}). Would change: {outcomes}"


def _value(answer: str) -> object:
    """Yes and no as truth, numbers as numbers, else the word."""
    if answer in ("yes", "no"):
        return answer == "yes"
    try:
        return float(answer)
    except ValueError:
        return answer
