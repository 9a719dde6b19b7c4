"""How much the record holds, by kind."""

from __future__ import annotations

from her2.evidence.record import Record


def count_record(record: Record) -> dict[str, int]:
    """Number of entries of each kind; `trials` are trials and studies, `endpoints` their figures."""
    values = [value for _, value in record.values()]
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
        "executable_claims": sum(c.entry.executable for c in record.claims.values()),
        "likely_misprints": sum(v.likely_correct is not None for v in values),
        "endpoints_fit": sum(v.role == "fit" for v in values),
        "endpoints_held_out": sum(v.role == "held_out" for v in values),
        "user_entries": sum(
            kept.user
            for kind in (
                record.studies, record.claims, record.mechanisms, record.agents, record.conflicts,
                record.rules,
                record.sources, record.parameters,
            )
            for kept in kind.values()
        ),
    }  # fmt: skip


def nct_numbers(record: Record) -> tuple[str, ...]:
    """Registry numbers of the studies, sorted, each once."""
    return tuple(sorted({k.entry.nct for k in record.studies.values() if k.entry.nct}))
