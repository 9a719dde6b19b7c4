"""The record as flat tables: one row per entry, the same columns in SQL, CSV, Parquet and JSON.

A study's figures are the table `endpoints`: `value` is the number as printed in `printed_unit`,
`canonical_value` and the limits of the interval are in `canonical_unit`, and what is probably right where
the print cannot be stands beside it in `likely_correct_value`. Identifiers in lists (`agents`, `claims`)
are lists; `user` marks own entries.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from her2.evidence.printed import printed_number
from her2.evidence.record import Kept, Record, first_place
from her2.evidence.schema import Curated, Lines

Row = dict[str, Any]

_TEXT, _LIST, _INT, _NUMBER, _YES = "VARCHAR", "VARCHAR[]", "BIGINT", "DOUBLE", "BOOLEAN"
_PLACE = {"source": _TEXT, "line_start": _INT, "line_end": _INT, "place": _TEXT}
_END = {"curated_by": _TEXT, "checked_by": _TEXT, "note": _TEXT, "user": _YES}

COLUMNS: dict[str, dict[str, str]] = {
    "agents": {
        "id": _TEXT, "name": _TEXT, "aliases": _LIST, "kind": _TEXT, "targets": _LIST, "binds": _TEXT,
        "properties": _TEXT, "approvals": _TEXT, "atc": _TEXT, "ncit": _TEXT, "chebi": _TEXT, "unii": _TEXT,
        "modelled": _YES, "claims": _LIST, **_PLACE, "places": _LIST, **_END,
    },
    "mechanisms": {
        "id": _TEXT, "name": _TEXT, "category": _TEXT, "direction": _TEXT, "summary": _TEXT,
        "molecules": _LIST,
        "resistant": _LIST, "sensitive": _LIST, "no_effect": _LIST, "unclear": _LIST, "overcome_by": _LIST,
        "evidence_settings": _LIST, "claims": _LIST, "parameters": _LIST, **_PLACE, "places": _LIST, **_END,
    },
    "claims": {
        "id": _TEXT, "statement": _TEXT, "kind": _TEXT, "subject": _TEXT, "relation": _TEXT, "object": _TEXT,
        "direction": _TEXT, "level": _TEXT, "supports": _TEXT, "agents": _LIST, "mechanisms": _LIST,
        "biomarkers": _LIST, "trial": _TEXT, "executable": _YES, "experiment": _TEXT, "citations": _LIST,
        **_PLACE, "places": _LIST, **_END,
    },
    "trials": {
        "id": _TEXT, "name": _TEXT, "nct": _TEXT, "parent": _TEXT, "phase": _TEXT, "n": _INT,
        "setting": _TEXT,
        "status": _TEXT, "design": _TEXT, "population": _TEXT, "primary_endpoint": _TEXT, "arms": _LIST,
        "agents": _LIST, "citations": _LIST, "n_endpoints": _INT, **_PLACE, "places": _LIST, **_END,
    },
    "arms": {
        "trial": _TEXT, "id": _TEXT, "label": _TEXT, "agents": _LIST, "n": _INT, "doses_printed": _TEXT,
        "user": _YES,
    },
    "endpoints": {
        "id": _TEXT, "trial": _TEXT, "arm": _TEXT, "contrast_experimental": _TEXT, "contrast_control": _TEXT,
        "analysis": _TEXT, "endpoint": _TEXT, "statistic": _TEXT, "printed": _TEXT, "printed_unit": _TEXT,
        "value": _NUMBER, "comparator": _TEXT, "ci_low": _NUMBER, "ci_high": _NUMBER,
        "canonical_value": _NUMBER,
        "canonical_unit": _TEXT, "population": _TEXT, "ae_term": _TEXT, "ae_grade": _TEXT, **_PLACE,
        "likely_correct_value": _NUMBER, "likely_correct_unit": _TEXT, "likely_correct_reason": _TEXT,
        "role": _TEXT, **_END,
    },
    "conflicts": {
        "id": _TEXT, "kind": _TEXT, "about": _TEXT, "statement_1": _TEXT, "place_1": _TEXT,
        "statement_2": _TEXT,
        "place_2": _TEXT, "likely_resolution": _TEXT, "reason": _TEXT, **_PLACE, **_END,
    },
    "rules": {
        "id": _TEXT, "says": _TEXT, "condition": _TEXT, "exception": _TEXT, "offer": _LIST, "avoid": _LIST,
        "strength": _TEXT, "rationale": _TEXT, "authority": _TEXT, "date": _TEXT, "rank": _INT,
        "executable": _YES,
        **_PLACE, "places": _LIST, **_END,
    },
    "sources": {
        "id": _TEXT, "title": _TEXT, "kind": _TEXT, "year": _INT, "authors": _TEXT, "journal": _TEXT,
        "doi": _TEXT,
        "pmid": _TEXT, "grade": _TEXT, "retracted": _YES, "note": _TEXT, "user": _YES,
    },
    "parameters": {
        "id": _TEXT, "label": _TEXT, "value": _NUMBER, "unit": _TEXT, "quality": _TEXT, "source": _TEXT,
        "locator": _TEXT, "role": _TEXT, "prior_law": _TEXT, "prior_spread": _NUMBER, "note": _TEXT,
        "user": _YES,
    },
}  # fmt: skip
"""Columns of every table with their SQL types."""


def build_tables(record: Record) -> dict[str, list[Row]]:
    """Rows of every table, in the order of the record."""
    return {
        "agents": [_agent(k) for k in record.agents.values()],
        "mechanisms": [_mechanism(k) for k in record.mechanisms.values()],
        "claims": [_claim(k) for k in record.claims.values()],
        "trials": [_study(k) for k in record.studies.values()],
        "arms": [
            {
                **arm.model_dump(exclude={"agents"}),
                "agents": list(arm.agents),
                "trial": k.entry.id,
                "user": k.user,
            }
            for k in record.studies.values()
            for arm in k.entry.arms
        ],
        "endpoints": [_endpoint(k, v) for k, v in record.values()],
        "conflicts": [_conflict(k) for k in record.conflicts.values()],
        "rules": [_rule(k) for k in record.rules.values()],
        "sources": [_plain("sources", k) for k in record.sources.values()],
        "parameters": [_parameter(k) for k in record.parameters.values()],
    }


def _plain(table: str, kept: Kept[Any]) -> Row:
    """Fields of an entry that are columns under the same name; tuples become lists."""
    columns = COLUMNS[table]
    row: Row = {}
    for name in columns:
        value = getattr(kept.entry, name, None)
        row[name] = [str(v) for v in value] if isinstance(value, tuple) else value
    return {**row, "user": kept.user}


def _where(places: Iterable[Lines]) -> Row:
    """Columns of the first place, and all places as text."""
    every = list(places)
    first = first_place(every)
    return {
        "source": first.source if first else None,
        "line_start": first.line_start if first else None,
        "line_end": first.line_end if first else None,
        "place": first.place if first else None,
        "places": [str(p) for p in every],
    }


def _who(curated: Curated | None) -> Row:
    return {
        "curated_by": curated.by if curated else None,
        "checked_by": curated.checked_by if curated else None,
    }


def _agent(kept: Kept[Any]) -> Row:
    entry = kept.entry
    ids = {k: entry.identifiers.get(k) for k in ("atc", "ncit", "chebi", "unii")}
    return {
        **_plain("agents", kept), **ids, "modelled": entry.engine is not None, **_where(entry.places),
        **_who(entry.curated),
    }  # fmt: skip


def _mechanism(kept: Kept[Any]) -> Row:
    entry = kept.entry
    by_effect = {
        effect: [a for a, e in entry.agents_affected.items() if e == effect]
        for effect in ("resistant", "sensitive", "no_effect", "unclear")
    }
    return {**_plain("mechanisms", kept), **by_effect, **_where(entry.places), **_who(entry.curated)}


def _claim(kept: Kept[Any]) -> Row:
    entry = kept.entry
    return {
        **_plain("claims", kept), "citations": list(entry.references), **_where(entry.places),
        **_who(entry.curated),
    }  # fmt: skip


def _study(kept: Kept[Any]) -> Row:
    entry = kept.entry
    agents = sorted({a for arm in entry.arms for a in arm.agents})
    return {
        **_plain("trials", kept), "arms": [a.id for a in entry.arms], "agents": agents,
        "citations": list(entry.references), "n_endpoints": len(entry.values), **_where(entry.places),
        **_who(entry.curated),
    }  # fmt: skip


def _endpoint(kept: Kept[Any], value: Any) -> Row:
    likely = value.likely_correct
    return {
        **_plain("endpoints", Kept(value, kept.file, kept.user)),
        "trial": kept.entry.id,
        "contrast_experimental": value.contrast.experimental if value.contrast else None,
        "contrast_control": value.contrast.control if value.contrast else None,
        "value": printed_number(value.printed),
        "canonical_value": value.value,
        "canonical_unit": value.unit,
        "likely_correct_value": likely.value if likely else None,
        "likely_correct_unit": likely.unit if likely else None,
        "likely_correct_reason": likely.reason if likely else None,
        **_who(value.curated or kept.entry.curated),
    }


def _conflict(kept: Kept[Any]) -> Row:
    entry = kept.entry
    where = _where((entry.place_1,))
    del where["places"]
    return {
        **_plain("conflicts", kept), "place_1": str(entry.place_1),
        "place_2": str(entry.place_2) if entry.place_2 else None, **where, **_who(entry.curated),
    }  # fmt: skip


def _rule(kept: Kept[Any]) -> Row:
    entry = kept.entry
    return {
        **_plain("rules", kept), "condition": conditions(entry.when), "exception": conditions(entry.unless),
        "executable": bool(getattr(entry, "executable", True)), **_where(entry.places), **_who(entry.curated),
    }  # fmt: skip


def _parameter(kept: Kept[Any]) -> Row:
    prior = kept.entry.prior
    return {
        **_plain("parameters", kept),
        "prior_law": prior.law if prior else None,
        "prior_spread": prior.spread if prior else None,
    }


def conditions(when: dict[str, Any]) -> str:
    """Conditions of a rule as one readable line."""
    parts = []
    for name, wanted in when.items():
        shown = "+".join(str(w) for w in wanted) if isinstance(wanted, (list, tuple)) else str(wanted)
        parts.append(f"{name}={shown}")
    return "; ".join(parts)
