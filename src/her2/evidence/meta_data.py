"""Meta-analyses as plain data: what `her2 evidence forest --json` and `network --json` print and the page draws."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from her2.evidence.contrasts import Selection
    from her2.evidence.meta_analysis import MetaAnalysis
    from her2.evidence.network_meta_analysis import Component, NetworkAnalysis

MERGED: dict[str, dict[str, str]] = {"none": {}, "taxane": {"docetaxel": "taxane", "paclitaxel": "taxane"}}
CAVEAT = "Trials of different lines, years and control treatments; the reviews' figures, not individual data."


def forest_data(chosen: Selection, pooled: MetaAnalysis) -> dict[str, Any]:
    """Contrasts with weights, and what they give together."""
    return {
        "endpoint": chosen.endpoint, "contrast": chosen.contrast, "caveat": CAVEAT,
        "studies": [
            {**c.as_dict(), "weight": w} for c, w in zip(chosen.contrasts, pooled.weights, strict=True)
        ],
        "pooled": {
            "method": pooled.method, "knapp_hartung": pooled.is_knapp_hartung, "level": pooled.level,
            "n_studies": pooled.n_studies, "hr": math.exp(pooled.estimate), "log_hr": pooled.estimate,
            "se": pooled.se, "ci_low": math.exp(pooled.ci_low), "ci_high": exp_or_none(pooled.ci_high),
            "p": pooled.p, "prediction_low": exp_or_none(pooled.prediction_low),
            "prediction_high": exp_or_none(pooled.prediction_high), "q": pooled.q, "q_df": pooled.q_df,
            "q_p": pooled.q_p, "tau2": pooled.tau2, "i2": pooled.i2, "h2": pooled.h2,
        },
        "left_out": [
            {"study": n.study, "endpoint": n.endpoint, "experimental": n.experimental, "control": n.control,
             "reason": n.reason}
            for n in chosen.left_out
        ],
    }  # fmt: skip


def network_data(
    endpoint: str, found: NetworkAnalysis, chosen: Selection, used: set[str], notes: Iterable[str]
) -> dict[str, Any]:
    """Connected parts with rankings and league tables."""
    return {
        "endpoint": endpoint, "connected": found.is_connected, "warning": found.warning, "caveat": CAVEAT,
        "approximated": sorted({c.study for c in chosen.contrasts if c.is_approximated and c.study in used}),
        "left_out": sorted({n.study for n in chosen.left_out} - used), "notes": list(notes),
        "studies": [c.as_dict() for c in chosen.contrasts if c.study in used],
        "components": [_component(c) for c in found.components],
    }  # fmt: skip


def _component(c: Component) -> dict[str, Any]:
    return {
        "treatments": list(c.treatments), "studies": list(c.studies), "effects": "random" if c.is_random else "fixed",
        "level": c.level, "tau2": c.tau2, "i2": c.i2, "q": c.q, "q_df": c.q_df, "q_p": c.q_p,
        "q_heterogeneity": c.q_within, "q_heterogeneity_df": c.q_within_df, "q_heterogeneity_p": c.q_within_p,
        "q_inconsistency": c.q_between, "q_inconsistency_df": c.q_between_df, "q_inconsistency_p": c.q_between_p,
        "ranking": [{"treatment": t, "p_score": s} for t, s in c.ranking()],
        "league": [
            {"treatment": e.treatment, "reference": e.reference, "hr": math.exp(e.effect),
             "ci_low": exp_or_none(e.ci_low), "ci_high": exp_or_none(e.ci_high), "log_hr": e.effect, "se": e.se,
             "p": e.p, "direct": e.is_direct}
            for e in c.league()
        ],
    }  # fmt: skip


def exp_or_none(x: float | None) -> float | None:
    """Back from the log scale; nothing where it is not defined or too large to print."""
    return math.exp(x) if x is not None and x < 700 else None
