"""What the server is, the first screen, and the scoreboard."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from her2.web import models
from her2.web.problems import Refused, answers
from her2.web.record_view import load_view
from her2.web.reply import dump, kept, reply
from her2.web.run_key import posterior_digest

router = APIRouter(prefix="/api", tags=["about"])
NOTICE = "Research and education only; not medical advice."
PRECOMPUTED = Path(__file__).resolve().parent.parent / "precomputed"
SCOREBOARD = "scoreboard.json"
"""Name under data/validation of what `her2 validate --json` prints, if a run ships."""


@router.get(
    "/health", summary="Whether the server works", response_model=models.Health, responses=answers(503)
)
def health(request: Request) -> Response:
    """Asks the database, too."""
    from her2 import __version__

    request.app.state.store.ping()
    return reply({"status": "ok", "version": __version__, "ready": request.app.state.ready.is_set()})


@router.get("/about", summary="Version, limits, sources", response_model=models.About, responses=answers())
def about(request: Request) -> Response:
    """What the page says about itself."""
    from her2 import __version__
    from her2.web.routes.evidence import count

    sources = [s.entry.model_dump(mode="json") for s in load_view().record.sources.values()]
    return kept(
        dump({
            "version": __version__, "posterior": posterior_digest(), "notice": NOTICE,
            "limits": asdict(request.app.state.settings.limits), "counts": count(), "sources": sources,
        }),
        request,
    )  # fmt: skip


@router.get("/first", summary="The first screen", response_model=models.First, responses=answers(404))
def first(
    request: Request,
    brief: Annotated[bool, Query(description="only what the first screen draws")] = False,
) -> Response:
    """CLEOPATRA as computed when the package was made, and the state of a cell under its drugs."""
    return kept(_brief() if brief else _first(), request)


@lru_cache(maxsize=1)
def _first() -> bytes:
    path = PRECOMPUTED / "cleopatra.json"
    if not path.exists():
        raise Refused(
            404, "no precomputed trial ships with this installation; `her2 serve --precompute` makes it"
        )
    return path.read_bytes()


@lru_cache(maxsize=1)
def _brief() -> bytes:
    """Curves and table of the first screen, without what the trial view adds."""
    data = json.loads(_first())
    trial = data["trial"]
    result = {k: v for k, v in trial["result"].items() if k not in ("adverse_events", "baseline")}
    curves = {k: v for k, v in trial["curves"].items() if k in ("pfs", "os")}
    shown = {
        "kind": trial["kind"],
        "run": trial["run"],
        "result": result,
        "arms": trial["arms"],
        "curves": curves,
    }
    return dump({"precomputed": data["precomputed"], "trial": shown, "settings": data["settings"]})


def first_in_page() -> bytes:
    """The first screen as text that can stand in a page; empty where none ships."""
    try:
        content = _brief()
    except Refused:
        return b""
    # nothing in it may end the element that holds it
    return content.replace(b"<", b"\\u003c")


@router.get("/validation", summary="The scoreboard", response_model=models.Scoreboard, responses=answers(404))
def validation(request: Request, held_out: bool = False) -> Response:
    """Every trial predicted beside published, as the shipped run of `her2 validate` found.

    Held-out rows come only when asked for, and only if the shipped run looked at them.
    """
    return kept(_scoreboard(held_out), request)


@lru_cache(maxsize=2)
def _scoreboard(held_out: bool) -> bytes:
    from her2.evidence.load import DATA

    path = DATA / "validation" / SCOREBOARD
    if not path.exists():
        raise Refused(
            404,
            "no scoreboard ships with this installation: data/validation/scoreboard.json is written from "
            "`her2 validate --json` when the model is frozen; `her2 validate` shows one now",
        )
    data = json.loads(path.read_text(encoding="utf-8"))
    return dump(data if held_out else shown_scoreboard(data))


def shown_scoreboard(data: dict[str, Any]) -> dict[str, Any]:
    """A scoreboard without rows, misses and scores that are held out."""
    hidden = 0
    trials = []
    for one in data["trials"]:
        rows = []
        for row in one["endpoints"]:
            if row.get("role") == "held_out":
                hidden += 1
                row = {
                    k: None
                    if k.startswith("published") or k in ("inside90", "figure", "source", "note")
                    else v
                    for k, v in row.items()
                }
            rows.append(row)
        trials.append({**one, "endpoints": rows})
    held = {
        (t["id"], r["endpoint"])
        for t in data["trials"]
        for r in t["endpoints"]
        if r.get("role") == "held_out"
    }
    # leave-one-out counts held-out figures, too, where the run looked at them
    left_out = ("held_out", "leave_one_out") if data.get("held_out") else ()
    scores = {g: s for g, s in data["scores"].items() if g not in left_out}
    baselines = {
        name: {**b, "scores": {g: s for g, s in b["scores"].items() if g in scores}}
        for name, b in data.get("baselines", {}).items()
    }
    misses = [m for m in data["misses"] if (m["trial"], m["endpoint"]) not in held]
    unpaired = [u for u in data.get("not_predicted", []) if u.get("role") != "held_out"]
    return {
        **data, "trials": trials, "scores": scores, "baselines": baselines, "misses": misses,
        "not_predicted": unpaired, "hidden": hidden,
    }  # fmt: skip
