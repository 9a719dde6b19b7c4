"""How much the record holds, by kind."""

from __future__ import annotations

from her2.evidence.record import Record, pathway_of


def count_record(record: Record) -> dict[str, int]:
    """Number of entries of each kind.

    `trials` are trials and studies, `endpoints` their figures; `network_edges` are the reactions of the pathway layer;
    `acting_agents` have a section `pharmacodynamics`; `experiments` run a claim on the model.
    """
    values = [value for _, value in record.values()]
    pathway = pathway_of(record)
    nodes = pathway.entry.nodes if pathway is not None else ()
    acting = [
        a.entry.pharmacodynamics for a in record.agents.values() if a.entry.pharmacodynamics is not None
    ]
    return {
        "trials": len(record.studies),
        "endpoints": len(values),
        "claims": len(record.claims),
        "mechanisms": len(record.mechanisms),
        "agents": len(record.agents),
        "conflicts": len(record.conflicts),
        "rules": len(record.rules),
        "nct_numbers": len(nct_numbers(record)),
        "sources": len(record.sources),
        "parameters": len(record.parameters),
        "cells": len(record.cells),
        "attributes": len(record.attributes),
        "switches": sum(not s.entry.not_a_switch for s in record.switches.values()),
        "not_a_switch": sum(bool(s.entry.not_a_switch) for s in record.switches.values()),
        "network_nodes": len(nodes),
        "network_edges": sum(len(n.reactions) for n in nodes),
        "acting_agents": len(acting),
        "actions": sum(len(pd.actions) for pd in acting),
        "experiments": sum(not e.entry.not_covered for e in record.experiments.values()),
        "claims_not_covered": sum(bool(e.entry.not_covered) for e in record.experiments.values()),
        "executable_claims": sum(c.entry.executable for c in record.claims.values()),
        "likely_misprints": sum(v.likely_correct is not None for v in values),
        "endpoints_fit": sum(v.role == "fit" for v in values),
        "endpoints_held_out": sum(v.role == "held_out" for v in values),
        "user_entries": sum(
            kept.user
            for kind in (
                record.studies, record.claims, record.mechanisms, record.agents, record.conflicts,
                record.rules,
                record.sources, record.parameters, record.cells, record.switches, record.experiments,
            )
            for kept in kind.values()
        ),
    }  # fmt: skip


def nct_numbers(record: Record) -> tuple[str, ...]:
    """Registry numbers of the studies, sorted, each once."""
    return tuple(sorted({k.entry.nct for k in record.studies.values() if k.entry.nct}))
