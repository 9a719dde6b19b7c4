"""The evidence view: search, facets, entries, conflicts, traces both ways, meta-analyses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from her2.errors import Her2Error, UnknownNameError, unknown
from her2.web import models
from her2.web.problems import Refused, answers, one_line
from her2.web.record_view import load_view, place
from her2.web.reply import dump, kept, plain

router = APIRouter(prefix="/api/evidence", tags=["evidence"])

Word = Annotated[str, Query(max_length=120)]
Id = Annotated[str, Path(min_length=1, max_length=200)]
_HOMES = {
    "claim": "claims", "mechanism": "mechanisms", "agent": "agents", "study": "studies", "rule": "rules",
    "conflict": "conflicts", "source": "sources", "parameter": "parameters", "population": "populations",
    "cell": "cells", "attribute": "attributes", "switch": "switches", "experiment": "experiments",
    "regimen": "regimens",
}  # fmt: skip
"""Kind in the trace graph to field of the record."""


@router.get("", summary="Search the record", response_model=models.Found, responses=answers(404))
def search(
    request: Request,
    q: Annotated[str, Query(max_length=300, description="all of these words; names find all names")] = "",
    agent: Word = "",
    mechanism: Word = "",
    biomarker: Word = "",
    line: Word = "",
    endpoint: Word = "",
    level: Word = "",
    kind: Word = "",
    source: Word = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> Response:
    """Entries that have every word and fit every facet, the best first; without either, everything."""
    from her2.evidence.query import search as find
    from her2.evidence.query import suggestion

    view = load_view()
    facets = {
        "agent": agent, "mechanism": mechanism, "biomarker": biomarker, "line": line, "endpoint": endpoint,
        "level": level, "kind": kind, "source": source,
    }  # fmt: skip
    given = {k: v for k, v in facets.items() if v}
    found = find(view.record, q, limit=offset + limit, **given)
    content = {
        "query": q, "facets": given, "total": found.total, "offset": offset, "hidden": view.hidden,
        "suggestion": "" if found.total else suggestion(view.record, q),
        "results": [_hit(h) for h in found.hits[offset:]],
    }  # fmt: skip
    return kept(dump(content), request)


def _hit(hit: Any) -> dict[str, Any]:
    return {**hit.as_dict(), "places": [place(p) for p in hit.places]}


@router.get(
    "/facets",
    summary="Words of every facet",
    response_model=dict[str, list[models.FacetValue]],
    responses=answers(),
)
def facets(request: Request) -> Response:
    """Kinds, agents, lines and so on with the number of entries of each."""
    return kept(_facets(), request)


@lru_cache(maxsize=1)
def _facets() -> bytes:
    from her2.evidence.query import build_index

    view = load_view()
    hits = build_index(view.record).hits
    record = view.record
    marks = [b for c in record.claims.values() for b in c.entry.biomarkers]
    agents = {k: a.entry.name for k, a in record.agents.items()}
    mechanisms = {k: m.entry.name for k, m in record.mechanisms.items()}
    sources = {k: s.entry.title for k, s in record.sources.items()}
    places = [s for h in hits for s in {p.source for p in h.places}]
    counted: dict[str, tuple[Iterable[str], Mapping[str, str]]] = {
        "kind": ((h.kind for h in hits), {}),
        "claim_kind": ((h.claim_kind for h in hits), {}),
        "level": ((h.level for h in hits), {}),
        "endpoint": ((h.endpoint for h in hits), {}),
        "line": ((s for h in hits for s in h.settings), {}),
        "source": (places, sources),
        "agent": ((a for h in hits for a in h.agents), agents),
        "mechanism": ((m for h in hits for m in h.mechanisms), mechanisms),
        "biomarker": (marks, {}),
    }
    return dump({
        name: [
            {"value": v, "label": labels.get(v) or v.replace("_", " "), "count": n}
            for v, n in sorted(Counter(words).items(), key=lambda i: (-i[1], i[0]))
            if v and (not labels or v in labels)
        ]
        for name, (words, labels) in counted.items()
    })  # fmt: skip


@router.get("/counts", summary="Count the record", response_model=dict[str, int], responses=answers())
def counts(request: Request) -> Response:
    """Numbers of entries by kind."""
    return kept(dump(count()), request)


@lru_cache(maxsize=1)
def count() -> dict[str, int]:
    """As `her2 evidence --counts`; held-out figures are counted, not shown."""
    from her2.evidence.counts import count_record
    from her2.evidence.record import load_record

    return {k: int(v) for k, v in count_record(load_record()).items()}


@router.get(
    "/entry/{kind}/{id}", summary="One entry", response_model=models.EntryShown, responses=answers(404)
)
def entry(request: Request, kind: Annotated[str, Path(max_length=40)], id: Id) -> Response:
    """Everything an entry says, its places, and its neighbours in the trace graph.

    `trial` is the published trial of the search; the trial file of the same id is under `/api/trials`.
    """
    from her2.evidence.query import build_index
    from her2.evidence.trace import KINDS, build_graph

    view = load_view()
    wanted = "study" if kind == "trial" else kind
    if wanted not in KINDS:
        raise unknown("kind", kind, KINDS)
    graph = build_graph(view.record)
    node = graph.nodes.get(f"{wanted}:{id}")
    if node is None:
        raise unknown(kind, id, [n.id for n in graph.nodes.values() if n.kind == wanted])
    data: Any = {}
    if wanted == "value":
        data = next(v for _, v in view.record.values() if v.id == id)
    elif wanted in _HOMES:
        held = getattr(view.record, _HOMES[wanted]).get(id)
        data = held.entry if held is not None else {}
    shown = plain(data)
    hits = [
        h
        for h in build_index(view.record).hits
        if h.id == id and h.kind == ("trial" if wanted == "study" else wanted)
    ]
    places = [place(p) for p in hits[0].places] if hits else []
    ways: dict[str, Literal["up", "down"]] = {"rests_on": "up", "supports": "down"}
    neighbours = {
        name: [{**asdict(n), "why": why} for n, why in graph.next(node.key, direction)[:200]]
        for name, direction in ways.items()
    }  # fmt: skip
    title = hits[0].title if hits else node.label
    content = {
        "kind": kind, "id": id, "title": title, "user": node.user, "places": places, "entry": shown, **neighbours,
    }  # fmt: skip
    return kept(dump(content), request)


@router.get("/conflicts", summary="Conflicts", response_model=models.Conflicts, responses=answers())
def conflicts(
    request: Request,
    about: Word = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> Response:
    """Statements of the sources that do not agree, and which is likely right."""
    found = [
        c.entry
        for c in load_view().record.conflicts.values()
        if not about or about in (c.entry.about, c.entry.id)
    ]
    content = {
        "total": len(found),
        "conflicts": [
            {
                "id": c.id, "about": c.about, "kind": c.kind, "statement_1": c.statement_1, "place_1": place(c.place_1),
                "statement_2": c.statement_2, "place_2": place(c.place_2), "likely_resolution": c.likely_resolution,
                "reason": c.reason,
            }
            for c in found[offset : offset + limit]
        ],
    }  # fmt: skip
    return kept(dump(content), request)


@router.get("/trace", summary="Trace both ways", response_model=models.Trace, responses=answers(404))
def trace(
    request: Request,
    id: Annotated[str, Query(min_length=1, max_length=200, description="an id, or kind:id")],
    direction: Literal["both", "up", "down"] = "both",
    depth: Annotated[int, Query(ge=1, le=6)] = 2,
    limit: Annotated[int, Query(ge=1, le=2000)] = 300,
) -> Response:
    """What an entry rests on (up), and what rests on it (down), nearest first."""
    from her2.evidence.trace import build_graph

    graph = build_graph(load_view().record)
    try:
        nodes = graph.find(id)
    except UnknownNameError as error:
        raise Refused(404, one_line(str(error))) from error
    except Her2Error as error:
        raise Refused(404, one_line(str(error).removeprefix("trace: "))) from error

    def side(way: Literal["up", "down"]) -> dict[str, Any]:
        reached, edges = graph.reach([n.key for n in nodes], way, depth)
        shown = reached[: len(nodes) + limit]
        keys = {n.key for n in shown}
        return {
            "nodes": [asdict(n) for n in shown[len(nodes) :]],
            "links": [asdict(e) for e in edges if e.lower in keys and e.upper in keys],
            "cut": len(shown) < len(reached),
        }

    content = {
        "found": [asdict(n) for n in nodes],
        "rests_on": side("up") if direction != "down" else None,
        "supports": side("down") if direction != "up" else None,
    }
    return kept(dump(content), request)


@router.get("/forest", summary="Meta-analysis", response_model=models.Forest, responses=answers())
def forest(
    request: Request,
    endpoint: Annotated[str, Query(max_length=40, description="pfs, os, ttp, or several as pfs+ttp")] = "pfs",
    contrast: Annotated[str, Query(max_length=120, description="add-her2, add-AGENT, or A-v-B")] = "add-her2",
    method: Literal["fixed", "dl", "pm", "reml"] = "reml",
    knapp_hartung: bool = False,
    approximate: bool = False,
    likely_correct: bool = False,
) -> Response:
    """Randomised hazard ratios that answer a question, pooled; held-out figures take no part."""
    from her2.evidence.contrasts import ContrastError, select_contrasts
    from her2.evidence.meta_analysis import pool_effects
    from her2.evidence.meta_data import forest_data

    chosen = select_contrasts(
        load_view().record, endpoint, contrast, approximate=approximate, likely_correct=likely_correct
    )
    if not chosen.contrasts:
        raise ContrastError(
            f"no randomised study that may be shown gives a hazard ratio with interval for {endpoint}, {contrast}"
        )
    try:
        pooled = pool_effects(
            [c.log_hr for c in chosen.contrasts], [c.se for c in chosen.contrasts],
            method=method, knapp_hartung=knapp_hartung,
        )  # fmt: skip
    except ValueError as error:
        raise ContrastError(str(error)) from error
    return kept(dump(forest_data(chosen, pooled)), request)


@router.get(
    "/network", summary="Network meta-analysis", response_model=models.NetworkMeta, responses=answers()
)
def network(
    request: Request,
    endpoint: Annotated[str, Query(max_length=40)] = "pfs",
    fixed: bool = False,
    merge: Literal["none", "taxane"] = "none",
    approximate: bool = False,
    likely_correct: bool = False,
) -> Response:
    """All treatments that randomised trials link, each connected part by itself; held-out figures take no part."""
    from her2.evidence.contrasts import ContrastError, select_contrasts
    from her2.evidence.meta_data import MERGED, network_data
    from her2.evidence.network_meta_analysis import analyse_network, network_of

    chosen = select_contrasts(
        load_view().record, endpoint, "all", approximate=approximate, likely_correct=likely_correct
    )
    comparisons, notes = network_of(chosen, MERGED[merge])
    if not comparisons:
        raise ContrastError(
            f"no randomised study that may be shown gives a usable hazard ratio for {endpoint}"
        )
    found = analyse_network(comparisons, random_effects=not fixed)
    return kept(dump(network_data(endpoint, found, chosen, {c.study for c in comparisons}, notes)), request)
