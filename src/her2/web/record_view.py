"""The record as the page shows it: without printed figures that are held out, and without what would tell them.

As in the documentation, statements of claims and conflicts about a study with held-out figures are not shown. The
command line shows them to who asks for them; a page that anyone may look at does not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from her2.evidence.load import USER_VARIABLE
from her2.evidence.record import Kept, Record, load_record, place_of
from her2.evidence.schema import Claim, Conflict, Lines, PublishedValue, Study

HIDDEN = "(not shown: its study has held-out figures)"


@dataclass(frozen=True, eq=False)
class View:
    """The record to show.

    Attributes
    ----------
    record : without what is hidden
    hidden_values : number of figures left out, by study
    hidden : number of figures left out and of statements not shown
    """

    record: Record
    hidden_values: Mapping[str, int]
    hidden: int


def load_view() -> View:
    """The record to show, read once."""
    return _view(os.environ.get(USER_VARIABLE))


@lru_cache(maxsize=1)
def _view(_user: str | None) -> View:
    full = load_record()
    counts: dict[str, int] = {}
    studies: dict[str, Kept[Study]] = {}
    for name, kept in full.studies.items():
        shown = tuple(v for v in kept.entry.values if v.role != "held_out")
        left_out = len(kept.entry.values) - len(shown)
        studies[name] = kept
        if left_out:
            counts[name] = left_out
            studies[name] = replace(kept, entry=kept.entry.model_copy(update={"values": shown}))
    claims = {k: _claim(c) if c.entry.trial in counts else c for k, c in full.claims.items()}
    conflicts = {k: _conflict(c) if c.entry.about in counts else c for k, c in full.conflicts.items()}
    statements = sum(c.entry.trial in counts for c in full.claims.values())
    statements += sum(c.entry.about in counts for c in full.conflicts.values())
    view = replace(full, studies=studies, claims=claims, conflicts=conflicts)
    return View(view, counts, sum(counts.values()) + statements)


def _claim(kept: Kept[Claim]) -> Kept[Claim]:
    hidden = {"statement": HIDDEN, "subject": "", "relation": "", "object": "", "note": ""}
    return replace(kept, entry=kept.entry.model_copy(update=hidden))


def _conflict(kept: Kept[Conflict]) -> Kept[Conflict]:
    hidden = {"statement_1": HIDDEN, "statement_2": "", "likely_resolution": "", "reason": "", "note": ""}
    return replace(kept, entry=kept.entry.model_copy(update=hidden))


def place(lines: Lines | None) -> dict[str, Any] | None:
    """A place in a source as data, with a label for reading."""
    return None if lines is None else {**lines.model_dump(mode="json"), "label": str(lines)}


def published(view: View, study: str | None) -> list[dict[str, Any]]:
    """Figures of a study that may be shown."""
    if study is None or study not in view.record.studies:
        return []
    return [published_value(v) for v in view.record.studies[study].entry.values]


def published_value(v: PublishedValue) -> dict[str, Any]:
    """A printed figure as data."""
    return {
        "id": v.id, "arm": v.arm, "contrast": v.contrast.model_dump(mode="json") if v.contrast else None,
        "endpoint": v.endpoint, "statistic": v.statistic, "value": v.value, "unit": v.unit,
        "ci_low": v.ci_low, "ci_high": v.ci_high, "printed": v.printed, "printed_unit": v.printed_unit,
        "population": v.population, "analysis": v.analysis, "role": v.role, "place": place(place_of(v)),
        "likely_correct": v.likely_correct.model_dump(mode="json") if v.likely_correct else None,
    }  # fmt: skip
