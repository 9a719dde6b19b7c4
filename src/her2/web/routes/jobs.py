"""Jobs: ask for long work, watch it, cancel and resume it, fetch what it found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Header, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from her2.web import models
from her2.web.jobs.inputs import JobIn, check_input
from her2.web.jobs.manager import Live, Manager
from her2.web.jobs.store import Job, QueueFull, Store
from her2.web.jobs.work import FILE_TYPES
from her2.web.problems import Refused, answers
from her2.web.reply import reply

router = APIRouter(prefix="/api/jobs", tags=["jobs"])
JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{24}$")]
FileName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,119}$")]
WATCH_EVERY_S = 0.15
STORE_EVERY_S = 1.0
COMMENT_EVERY_S = 15.0
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "events"}
}
A_FILE = {
    "content": {t: {} for t in sorted({*FILE_TYPES.values(), "application/octet-stream"})},
    "description": "the file",
}
SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""What a file of a job may do when it is opened by itself: matplotlib writes its styles into the SVG."""


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _manager(request: Request) -> Manager:
    manager: Manager = request.app.state.manager
    return manager


def _find(request: Request, name: str) -> Job:
    job = _store(request).get(name)
    if job is None:
        raise Refused(404, f"job {name}: unknown; it may have been deleted, or be older than jobs are kept")
    return job


def _shown(request: Request, job: Job) -> dict[str, Any]:
    data = job.shown(_store(request).position(job))
    live = _manager(request).board.get(job.id)
    if live is not None and live.progress is not None and job.state == "running":
        _, progress = live.progress
        data |= {"stage": progress["stage"], "share": round(min(progress["share"], 1.0), 4)}
    return data


@router.post(
    "", summary="Ask for long work", status_code=202, response_model=models.JobShown,
    responses=answers(409, 413, 415, 503),
)  # fmt: skip
def start(
    request: Request,
    asked: Annotated[JobIn, Body()],
    idempotency_key: Annotated[
        str | None, Header(min_length=8, max_length=200, description="the same key gives the same job")
    ] = None,
) -> Response:
    """Queue a trial, forecast, patient or sequence; what can never run is refused at once."""
    settings = request.app.state.settings
    title = check_input(asked, settings.limits)
    data = asked.model_dump(mode="json", exclude={"kind"})
    data = {k: v for k, v in data.items() if v is not None}
    try:
        job, is_new = _store(request).add(
            asked.kind, title, data, idempotency_key, settings.limits.active_jobs
        )
    except QueueFull as error:
        raise Refused(429, str(error), retry_after=10.0) from error
    if not is_new and (job.kind != asked.kind or (job.input and job.input != data)):
        raise Refused(409, "this Idempotency-Key was used for another job; give a new one")
    _manager(request).wake()
    return reply(_shown(request, job), 202, {"Location": f"/api/jobs/{job.id}"})


@router.get("", summary="Jobs", response_model=models.Jobs, responses=answers())
def listed(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    state: Literal["queued", "running", "done", "failed", "cancelled"] | None = None,
    kind: Literal["trial", "forecast", "patient", "sequence"] | None = None,
) -> Response:
    """Jobs, the newest first."""
    found = _store(request).listed(limit, state, kind)
    return reply({"jobs": [_shown(request, j) for j in found]})


@router.get("/{id}", summary="One job", response_model=models.JobShown, responses=answers(404))
def one(request: Request, id: JobId) -> Response:
    """State and progress of a job."""
    return reply(_shown(request, _find(request, id)))


@router.delete(
    "/{id}", summary="Forget a job", status_code=204, response_class=Response, responses=answers(404)
)
def forget(request: Request, id: JobId) -> Response:
    """Stop a job if it runs, and delete its input, result and files."""
    _find(request, id)
    _manager(request).cancel(id)
    _store(request).forget(id)
    return Response(status_code=204)


@router.post(
    "/{id}/cancel", summary="Cancel a job", response_model=models.JobShown, responses=answers(404, 409)
)
def cancel(request: Request, id: JobId) -> Response:
    """Stop a queued or running job; it can be resumed."""
    job = _find(request, id)
    if not _store(request).cancel(id):
        raise Refused(409, f"job {id}: is {_find(request, id).state} already")
    _manager(request).cancel(job.id)
    _manager(request).board.touch(job.id)
    return reply(_shown(request, _find(request, id)))


@router.post(
    "/{id}/resume", summary="Resume a job", response_model=models.JobShown, responses=answers(404, 409)
)
def resume(request: Request, id: JobId) -> Response:
    """Queue a cancelled or failed job again, with the same input and seed: the same digits come out."""
    job = _find(request, id)
    try:
        is_queued = _store(request).resume(id, request.app.state.settings.limits.active_jobs)
    except QueueFull as error:
        raise Refused(429, str(error), retry_after=10.0) from error
    if not is_queued:
        raise Refused(409, f"job {id}: is {job.state}; only a cancelled or failed one can be resumed")
    _manager(request).board.touch(id)
    _manager(request).wake()
    return reply(_shown(request, _find(request, id)))


@router.get(
    "/{id}/result", summary="What a job found", response_model=models.JobResult, responses=answers(404, 409)
)
def result(request: Request, id: JobId) -> Response:
    """The result; of a trial it is there a few seconds before its pictures and tables."""
    job = _find(request, id)
    content = _store(request).result(id) if job.has_result else None
    if content is None:
        raise Refused(
            409, f"job {id}: is {job.state} and has no result{': ' + job.error if job.error else ' yet'}"
        )
    # what a job found never changes, but the job may be deleted or resumed
    return Response(content, headers={"Cache-Control": "no-store"}, media_type="application/json")


@router.get("/{id}/files", summary="Files of a job", response_model=models.Files, responses=answers(404))
def file_list(request: Request, id: JobId) -> Response:
    """Pictures, tables, run record; empty until the job is done."""
    _find(request, id)
    return reply({"files": _store(request).file_list(id)})


@router.get(
    "/{id}/files/{name}", summary="Download a file", response_class=Response,
    responses={**answers(404), 200: A_FILE},
)  # fmt: skip
def download(request: Request, id: JobId, name: FileName, inline: bool = False) -> Response:
    """A picture, table, record or everything as an archive."""
    _find(request, id)
    found = _store(request).file(id, name)
    if found is None:
        names = [f["name"] for f in _store(request).file_list(id)]
        raise Refused(404, f"job {id}: no file '{name}' (there: {', '.join(names) or 'none yet'})")
    is_shown = inline and found.what == "picture"
    headers = {
        "Content-Disposition": f'{"inline" if is_shown else "attachment"}; filename="{name}"',
        "Cache-Control": "no-store",
    }
    if found.type == "image/svg+xml":
        headers["Content-Security-Policy"] = SANDBOX
    kind = f"{found.type}; charset=utf-8" if found.type.startswith("text/") else found.type
    return Response(found.content, headers=headers, media_type=kind)


@router.get(
    "/{id}/events", summary="Watch a job", response_class=StreamingResponse,
    responses={**answers(404, 503), **STREAM},
)  # fmt: skip
async def events(request: Request, id: JobId) -> Response:
    """Server-sent events: `job`, `progress`, `partial`, `result`, `end`; the newest state comes first."""
    job = await run_in_threadpool(_find, request, id)
    state = request.app.state
    if state.streams >= state.settings.limits.streams:
        raise Refused(
            503,
            "too many event streams are open; close some, or ask for the job every few seconds",
            retry_after=10.0,
        )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_watch(request, job), headers=headers, media_type="text/event-stream")


async def _watch(request: Request, job: Job) -> AsyncIterator[str]:
    """Events of a job until it ends, the client leaves, or the server stops."""
    state = request.app.state
    manager = _manager(request)
    state.streams += 1
    try:
        yield "retry: 1000\n\n"
        yield _event("job", await run_in_threadpool(_shown, request, job))
        sent = {"version": -1, "progress": 0, "partial": 0, "result": 0}
        known = (job.state, job.attempt, job.has_result, job.has_files)
        loop = asyncio.get_running_loop()
        asked_at = said_at = loop.time()
        while True:
            if job.is_finished:
                yield _event("end", await run_in_threadpool(_shown, request, job))
                return
            live = manager.board.get(job.id)
            for name, data in _news(live, sent):
                said_at = loop.time()
                yield _event(
                    name, data if data is not None else await run_in_threadpool(_shown, request, job)
                )
            now = loop.time()
            is_changed = live is not None and live.version != sent["version"]
            if is_changed or now - asked_at > STORE_EVERY_S:
                sent["version"] = live.version if live is not None else -1
                asked_at = now
                found = await run_in_threadpool(_store(request).get, job.id)
                if found is None:
                    gone = {**job.shown(), "state": "cancelled", "error": "the job was deleted"}
                    yield _event("end", gone)
                    return
                job = found
                now_known = (job.state, job.attempt, job.has_result, job.has_files)
                if now_known != known:
                    if job.state == "queued":
                        sent |= {"progress": 0, "partial": 0, "result": 0}
                    known = now_known
                    said_at = now
                    if not job.is_finished:
                        yield _event("job", await run_in_threadpool(_shown, request, job))
                elif live is None and job.state == "running":
                    # another server runs it; its renewals are all there is to tell
                    said_at = now
                    yield _event("progress", {"stage": job.stage, "share": job.share, "done": 0, "of": 0})
            if now - said_at > COMMENT_EVERY_S:
                said_at = now
                yield ": still there\n\n"
            if manager.is_stopping or await request.is_disconnected():
                return
            if not job.is_finished:
                await asyncio.sleep(WATCH_EVERY_S)
    finally:
        state.streams -= 1


def _news(live: Live | None, sent: dict[str, int]) -> list[tuple[str, Any]]:
    """Events that were not sent yet; data None stands for the job itself."""
    if live is None:
        return []
    found: list[tuple[str, Any]] = []
    for name, item in (("partial", live.partial), ("progress", live.progress)):
        if item is not None and item[0] > sent[name]:
            sent[name] = item[0]
            found.append((name, item[1]))
    if live.result > sent["result"]:
        sent["result"] = live.result
        found.append(("result", None))
    return found


def _event(name: str, data: Any) -> str:
    # JSON has no line breaks of its own, so that the data is one line
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n"
