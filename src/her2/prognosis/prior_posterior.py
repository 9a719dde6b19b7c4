"""Escape routes and subclones before and after the history: virtual patients without and with their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import Attribute
from her2.evidence.load import load_network
from her2.model import LN10
from her2.prognosis.known import Fact, Known
from her2.prognosis.limits import MOST_CLAIMS
from her2.prognosis.result import CloneWeight, RouteWeight
from her2.prognosis.routes import ROUTES, Route, record_mechanisms
from her2.prognosis.twins import Twins
from her2.prognosis.weights import effective_number, weighted_mean, weighted_quantile

Array = NDArray[np.float64]
FROM_HISTORY = "resistant_clones"
"""The route that exists only after a line."""


def route_weights(twins: Twins, known: Known, *, n_lines: int) -> tuple[RouteWeight, ...]:
    """Share of virtual patients with each route, without and with the history; largest change first.

    Parameters
    ----------
    n_lines : earlier lines
    """
    mechanisms = record_mechanisms()
    said = {f.item: f for f in known.facts}
    weights = twins.weights
    result = []
    for route in ROUTES:
        if route.id == FROM_HISTORY and n_lines == 0:
            continue
        has = _has(twins, route)
        # without the history only those who came to its end can be asked; with several lines they are not followed
        asked = (
            np.isfinite(_resistant(twins)) if route.id == FROM_HISTORY else np.ones(has.size, dtype=np.bool_)
        )
        prior = None if route.id == FROM_HISTORY and n_lines > 1 else _share(has, asked.astype(np.float64))
        posterior = _share(has, weights)
        claims = dict.fromkeys(c for m in route.mechanisms for c in mechanisms[m].claims[:MOST_CLAIMS])
        overcome = dict.fromkeys(x for m in route.mechanisms for x in mechanisms[m].overcome_by)
        result.append(
            RouteWeight(
                id=route.id,
                label=route.label,
                prior=None if prior is None else prior[0],
                posterior=posterior[0],
                prior_error=None if prior is None else prior[1],
                posterior_error=posterior[1],
                known=_known(said.get(route.item)),
                ids=route.ids,
                claims=tuple(claims)[:MOST_CLAIMS],
                overcome_by=tuple(overcome),
            )
        )
    return tuple(sorted(result, key=lambda r: (-_change(r), -r.posterior)))


def _change(row: RouteWeight) -> float:
    return 0.0 if row.prior is None else abs(row.posterior - row.prior)


def _known(fact: Fact | None) -> str:
    return fact.value if fact is not None and fact.use in ("fixed", "selected") else ""


def _has(twins: Twins, route: Route) -> NDArray[np.bool_]:
    return np.concatenate(
        [
            route.has(w.cohort, m.values, w.resistant)
            for m, w in zip(twins.members, twins.weighed, strict=True)
        ]
    )


def _resistant(twins: Twins) -> Array:
    return np.concatenate([w.resistant for w in twins.weighed])


def _share(has: NDArray[np.bool_], weights: Array) -> tuple[float, float]:
    """Weighted share and its Monte-Carlo error."""
    p, n = weighted_mean(has.astype(np.float64), weights), effective_number(weights)
    careful = (p * n + 1.0) / (n + 2.0)
    return p, math.sqrt(careful * (1.0 - careful) / max(n, 1.0))


def clone_weights(twins: Twins) -> tuple[CloneWeight, ...]:
    """Median fraction of each resistant subclone before the first line, without and with the history."""
    model = twins.members[0].model
    record = load_network("clones")
    weights = twins.weights
    result = []
    for k, name in enumerate(model.clone_names[1:]):
        row = int(Attribute.CLONE_FRACTION) + k
        log10 = np.concatenate([w.cohort.attributes[row] for w in twins.weighed]) / LN10
        result.append(
            CloneWeight(
                name,
                weighted_quantile(log10, np.ones(log10.size), 0.5),
                weighted_quantile(log10, weights, 0.5),
                _clone_ids(record, name, model.clone_fraction_kinds[k + 1]),
            )
        )
    return tuple(result)


def _clone_ids(record: Mapping[str, Any], name: str, kind: str) -> tuple[str, ...]:
    """Claims of a clone and its genotype, and the parameter of its fraction."""
    clone = next(c for c in record["clones"] if c["id"] == name)
    genotype = next(g for g in record["genotypes"] if g["id"] == clone["genotype"])
    fraction = {"mdr": "tumour.mdr_fraction_log10", "double": "tumour.double_clone_log10"}
    parameter = fraction.get(kind, "tumour.clone_fraction_log10")
    return (*clone.get("claims", ()), *genotype.get("claims", ()), parameter)
