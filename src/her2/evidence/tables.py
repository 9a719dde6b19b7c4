"""The record as flat tables: one row per entry, the same columns in SQL, CSV, Parquet and JSON.

A study's figures are the table `endpoints`: `value` is the number as printed in `printed_unit`,
`canonical_value` and the limits of the interval are in `canonical_unit`, and what is probably right where
the print cannot be stands beside it in `likely_correct_value`. Identifiers in lists (`agents`, `claims`)
are lists; `user` marks own entries. `conditions` of an experiment are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from her2.evidence.biology import CellFile, Experiment, Switch
from her2.evidence.printed import printed_number
from her2.evidence.record import Kept, Record, first_place, pathway_of
from her2.evidence.schema import Agent, Curated, Lines

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
    "attributes": {
        "id": _TEXT, "kind": _TEXT, "label": _TEXT, "unit": _TEXT, "default": _NUMBER, "culture": _NUMBER,
        "tumour": _NUMBER, "low": _NUMBER, "high": _NUMBER, "quality": _TEXT, "source": _TEXT, "locator": _TEXT,
        "user": _YES,
    },
    "cells": {
        "id": _TEXT, "name": _TEXT, "aliases": _LIST, "her2_amplified": _YES, "describes": _TEXT, **_END,
    },
    "cell_values": {
        "cell": _TEXT, "section": _TEXT, "attribute": _TEXT, "value": _NUMBER, "unit": _TEXT, "quality": _TEXT,
        "source": _TEXT, "locator": _TEXT, "spread": _TEXT, "note": _TEXT, "user": _YES,
    },
    "switches": {
        "id": _TEXT, "mechanism": _TEXT, "label": _TEXT, "why": _TEXT, "grade": _TEXT, "level": _TEXT,
        "changes": _LIST, "not_a_switch": _TEXT, "claims": _LIST, "user": _YES,
    },
    "actions": {
        "id": _TEXT, "agent": _TEXT, "action": _TEXT, "target": _TEXT, "half_nmol_l": _NUMBER, "max": _NUMBER,
        "covalent": _YES, "prior_log_sd": _NUMBER, "spans_zero": _YES, "parameter": _TEXT, "quality": _TEXT,
        "source": _TEXT, "locator": _TEXT, "claims": _LIST, "note": _TEXT, "user": _YES,
    },
    "network_edges": {
        "id": _TEXT, "node": _TEXT, "activators": _LIST, "inhibitors": _LIST, "weight": _TEXT, "value": _NUMBER,
        "claims": _LIST, "user": _YES,
    },
    "experiments": {
        "claim": _TEXT, "role": _TEXT, "system": _TEXT, "readout": _TEXT, "statistic": _TEXT, "compared": _LIST,
        "relation": _TEXT, "low": _NUMBER, "high": _NUMBER, "conditions": _TEXT, "why": _TEXT,
        "not_covered": _TEXT, "file": _TEXT, "user": _YES,
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
        "attributes": [_plain("attributes", k) for k in record.attributes.values()],
        "cells": [{**_plain("cells", k), **_who(k.entry.curated)} for k in record.cells.values()],
        "cell_values": [row for k in record.cells.values() for row in _cell_values(record, k)],
        "switches": [
            {**_plain("switches", k), "changes": switch_changes(k.entry)} for k in record.switches.values()
        ],
        "actions": [row for k in record.agents.values() for row in _actions(k)],
        "network_edges": _edges(record),
        "experiments": [_experiment(k) for k in record.experiments.values()],
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
        **_plain("agents", kept), **ids, "modelled": entry.pharmacodynamics is not None, **_where(entry.places),
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


def _cell_values(record: Record, kept: Kept[CellFile]) -> Iterator[Row]:
    cell = kept.entry
    sections = {"receptors": cell.receptors, "genotype": cell.genotype, "ligands": cell.ligands}
    for section, values in sections.items():
        for attribute, item in values.items():
            known = record.attributes.get(attribute)
            yield {
                **item.model_dump(), "cell": cell.id, "section": section, "attribute": attribute,
                "unit": known.entry.unit if known else None, "user": kept.user,
            }  # fmt: skip


def switch_changes(switch: Switch) -> list[str]:
    """What a switch does at grade 1, one text for each change."""
    result = []
    for s in switch.sets:
        result.append(f"{s.attribute} = {s.to:g}" if s.to is not None else f"{s.attribute} x {s.factor:g}")
    result += [f"{name} x {factor:g}" for name, factor in switch.parameters.items()]
    result += [f"without {d.agent}: {d.action} {d.target}".rstrip() for d in switch.disables]
    return result + [f"with {agent} ({dose})" for agent, dose in switch.adds.items()]


def _actions(kept: Kept[Agent]) -> Iterator[Row]:
    pd = kept.entry.pharmacodynamics
    seen: dict[str, int] = {}
    for action in pd.actions if pd is not None else ():
        name = ".".join(part for part in (kept.entry.id, action.on, action.target) if part)
        seen[name] = seen.get(name, 0) + 1
        row = action.model_dump()
        yield {
            **{k: v for k, v in row.items() if k in COLUMNS["actions"]},
            "id": name if seen[name] == 1 else f"{name}.{seen[name]}", "agent": kept.entry.id,
            "action": action.on, "half_nmol_l": action.half, "claims": list(action.claims), "user": kept.user,
        }  # fmt: skip


def _edges(record: Record) -> list[Row]:
    pathway = pathway_of(record)
    if pathway is None:
        return []
    rows = []
    for node in pathway.entry.nodes:
        for reaction in node.reactions:
            weight = record.parameters.get(reaction.weight)
            rows.append({
                "id": f"pathway.nodes.{node.id}.{reaction.name}", "node": node.id,
                "activators": list(reaction.activators), "inhibitors": [i.node for i in reaction.inhibitors],
                "weight": reaction.weight, "value": weight.entry.value if weight else None,
                "claims": list(reaction.claims), "user": pathway.user,
            })  # fmt: skip
    return rows


def _experiment(kept: Kept[Experiment]) -> Row:
    entry = kept.entry
    shown = {
        "base": entry.base.model_dump(exclude_defaults=True),
        **{k: c.model_dump(exclude_defaults=True) for k, c in entry.conditions.items()},
    }
    return {
        **{name: getattr(entry, name) for name in ("claim", "role", "system", "readout", "why", "not_covered")},
        "statistic": entry.statistic.kind if entry.statistic else None,
        "compared": list(entry.statistic.of) if entry.statistic else [],
        "relation": entry.expect.relation if entry.expect else None,
        "low": entry.expect.low if entry.expect else None,
        "high": entry.expect.high if entry.expect else None,
        "conditions": json.dumps(shown, ensure_ascii=False) if entry.conditions else None,
        "file": kept.file, "user": kept.user,
    }  # fmt: skip


def conditions(when: Mapping[str, Any]) -> str:
    """Conditions of a rule as one readable line."""
    return "; ".join(f"{name}{_wanted(wanted)}" for name, wanted in when.items())


def _wanted(wanted: Any) -> str:
    if isinstance(wanted, Mapping):
        return f"({conditions(wanted)})"
    if isinstance(wanted, (list, tuple)):
        if any(isinstance(w, Mapping) for w in wanted):
            shown = (conditions(w) if isinstance(w, Mapping) else str(w) for w in wanted)
            return f"({' | '.join(shown)})"
        return "=" + "+".join(str(w) for w in wanted)
    return f"={wanted}"


def condition_words(when: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every word a condition asks for with the item it is asked of; what must not hold is left out."""
    for name, wanted in when.items():
        if name in ("not", "none_of", "had_not"):
            continue
        for one in wanted if isinstance(wanted, (list, tuple)) else (wanted,):
            if not isinstance(one, Mapping):
                yield name, str(one)
            elif name in ("all", "any"):
                yield from condition_words(one)
            else:
                yield from ((name, word) for _, word in condition_words(one))
