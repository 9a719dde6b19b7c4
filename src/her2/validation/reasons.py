"""Likely reasons of misses: a small file, by trial and endpoint."""

from __future__ import annotations

from functools import lru_cache

from her2.evidence.load import DATA, parse, read_yaml, show_path
from her2.evidence.schema import Entry, Identifier
from her2.validation.predict import StatKey

REASONS = DATA / "validation" / "reasons.yaml"
NO_REASON = "not yet explained"


class Reason(Entry):
    """Why a figure is probably missed; `who` narrows it to an arm or a contrast such as `a v b`."""

    trial: Identifier
    endpoint: Identifier
    who: str = ""
    reason: str


class ReasonFile(Entry):
    """`data/validation/reasons.yaml`."""

    reasons: tuple[Reason, ...] = ()


@lru_cache(maxsize=1)
def load_reasons() -> tuple[Reason, ...]:
    """All reasons.

    Raises
    ------
    her2.errors.RecordError
        If the file is not of this form.
    """
    return parse(ReasonFile, read_yaml(REASONS), show_path(REASONS)).reasons


def reason_of(trial: str, key: StatKey, reasons: tuple[Reason, ...] | None = None) -> str:
    """The reason of a miss; one for this arm or contrast before one for the endpoint."""
    known = load_reasons() if reasons is None else reasons
    mine = [r for r in known if r.trial == trial and r.endpoint == key.endpoint and r.who in ("", key.who)]
    return max(mine, key=lambda r: bool(r.who)).reason if mine else NO_REASON
