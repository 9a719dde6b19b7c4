"""The application: every operation under `/api`, the built page everywhere else."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

try:
    from fastapi import FastAPI, Request
    from fastapi.responses import Response
    from starlette.exceptions import HTTPException
    from starlette.middleware.gzip import GZipMiddleware
except ModuleNotFoundError as error:  # pragma: no cover
    from her2.errors import Her2Error

    raise Her2Error("the server needs the extra 'web': pip install 'her2[web]'") from error

from her2 import __version__
from her2.web.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

log = logging.getLogger("her2.web")
DESCRIPTION = (
    "HER2-positive breast cancer made executable: evidence of two reviews, a model of its mechanisms, virtual trials. "
    "Research and education only; not medical advice. Times are months, rates fractions, doses nmol/L unless a field "
    "says otherwise; what is not reached or not defined is null. Every answer of the model has a `run` that names it. "
    "Printed figures that are held out from calibration are in no answer. Errors are problems (RFC 9457)."
)
TAGS = [
    {"name": "about", "description": "The server, the first screen, the scoreboard."},
    {"name": "evidence", "description": "Search, entries, conflicts, traces, meta-analyses."},
    {"name": "record", "description": "Trials, cells, agents, regimens, switches, mechanisms."},
    {"name": "pathway", "description": "The map and the state of a cell in it."},
    {"name": "patient", "description": "What a form for a case offers; courses are jobs."},
    {"name": "jobs", "description": "Long work with progress, cancel and resume."},
]


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The server's application.

    Parameters
    ----------
    settings : default loopback without a token, jobs in the user's cache folder

    Raises
    ------
    her2.errors.Her2Error
        Settings that would let strangers in, or a database that cannot be opened.
    """
    from her2.web.ready import Ready
    from her2.web.security import Guard

    chosen = settings or Settings()
    chosen.check()
    return Guard(GZipMiddleware(Ready(build(chosen)), minimum_size=1000, compresslevel=5), chosen)


def build(settings: Settings) -> FastAPI:
    """The application behind the guard, with its description."""
    from her2.web.jobs.manager import Manager
    from her2.web.jobs.store import Store
    from her2.web.problems import add_handlers, methods_of
    from her2.web.routes import about, evidence, jobs, lists, pathway, patient
    from her2.web.static_files import StaticFiles

    store = Store(settings.database_url, settings.lease_s)
    manager = Manager(store, settings)
    ready = threading.Event()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=_warm, args=(ready,), name="her2-warm", daemon=True).start()
        manager.start()
        try:
            yield
        finally:
            manager.stop()
            store.close()

    app = FastAPI(
        title="her2", version=__version__, description=DESCRIPTION, openapi_tags=TAGS, lifespan=lifespan,
        openapi_url="/api/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )  # fmt: skip
    app.state.settings, app.state.store, app.state.manager = settings, store, manager
    app.state.ready, app.state.streams = ready, 0
    add_handlers(app)
    for part in (about, evidence, lists, pathway, patient, jobs):
        app.include_router(part.router)
    describe = app.openapi
    app.openapi = lambda: _completed(describe(), bool(settings.token))  # type: ignore[method-assign]
    files = StaticFiles(settings.static, about.first_in_page)

    # from memory, so that the first screen waits for no thread
    @app.get("/{path:path}", include_in_schema=False)
    async def page(request: Request, path: str) -> Response:
        if path.startswith("api/") and methods_of(app, f"/{path}"):
            raise HTTPException(405)
        return files.answer(request, path)

    return app


def _completed(description: dict[str, Any], has_token: bool) -> dict[str, Any]:
    """The description with errors as they come, what leads from one operation to another, and the token."""
    from her2.web.links import add_links
    from her2.web.problems import describe_errors

    for item in description["paths"].values():
        for method, operation in item.items():
            describe_errors(operation, has_body=method in ("post", "put", "patch", "delete"))
    add_links(description)
    if has_token:
        description["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "the text given with --token"}
        }
        description["security"] = [{"token": []}]
    return description


def openapi() -> dict[str, Any]:
    """The OpenAPI description, without a server."""
    from her2.web.settings import Settings as Chosen

    return build(Chosen(database="sqlite://", workers=0)).openapi()


def _warm(ready: threading.Event) -> None:
    """Compile models and read the record before anyone asks; errors show when somebody does."""
    from her2.evidence.query import build_index
    from her2.evidence.trace import build_graph
    from her2.web import pathway
    from her2.web.record_view import load_view
    from her2.web.routes.evidence import count
    from her2.web.routes.lists import all_trials

    try:
        pathway.warm()
        record = load_view().record
        build_index(record)
        build_graph(record)
        count()
        all_trials()
    except Exception:
        log.exception("the models could not be loaded")
    finally:
        ready.set()
