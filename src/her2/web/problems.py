"""Errors as `application/problem+json` (RFC 9457): what was wrong, where, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from her2.errors import Her2Error, UnknownNameError
from her2.web.reply import dump

MEDIA_TYPE = "application/problem+json"


class Finding(BaseModel):
    """One thing that is wrong with a request."""

    place: str = Field(description="where in the request, as body.patients")
    says: str


class Problem(BaseModel):
    """An error, as RFC 9457 writes it."""

    type: str = "about:blank"
    title: str = Field(description="the status in words")
    status: int
    detail: str = Field(description="one line for the user: what was wrong and the way out")
    instance: str = Field(description="path of the request")
    findings: list[Finding] = Field(default_factory=list)


class Refused(Exception):
    """An answer that is an error.

    Attributes
    ----------
    status : HTTP status
    retry_after : seconds after which the request may succeed
    """

    def __init__(
        self,
        status: int,
        detail: str,
        findings: list[Finding] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.findings, self.retry_after = (
            status,
            detail,
            findings or [],
            retry_after,
        )


_TITLES = {413: "Content too large", 422: "Unprocessable content"}
"""Today's names, which older Pythons do not have yet."""


def problem(
    status: int,
    detail: str,
    instance: str,
    findings: list[Finding] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The answer."""
    body = Problem(
        title=_TITLES.get(status) or HTTPStatus(status).phrase,
        status=status, detail=detail, instance=instance, findings=findings or [],
    )  # fmt: skip
    return Response(
        dump(body.model_dump()), status, {"Cache-Control": "no-store", **(headers or {})}, MEDIA_TYPE
    )


_SAYS = {
    400: "the body cannot be read", 401: "the token is missing or wrong",
    403: "the request comes from another site, or names another host", 404: "no such thing",
    408: "the body did not arrive in time", 409: "the state of the job does not allow it",
    413: "the body is too large", 415: "the body is not JSON", 422: "the request says something that cannot be",
    429: "too many requests, or too many jobs; `Retry-After` says when to come again",
    503: "no answer in time, or too many event streams; `Retry-After` says when to come again",
}  # fmt: skip
_ALWAYS = (401, 403, 422, 429, 503)
_WITH_BODY = (400, 408, 413, 415)
_HEADERS = {
    401: {"WWW-Authenticate": {"description": "how to send the token", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "seconds", "required": True, "schema": {"type": "integer", "minimum": 1}}},
    503: {"Retry-After": {"description": "seconds", "required": True, "schema": {"type": "integer", "minimum": 1}}},
}  # fmt: skip


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Description of error answers for OpenAPI; 401, 403, 422, 429 and 503 can always come."""
    return {
        s: {"model": Problem, "description": _SAYS[s], "content": {MEDIA_TYPE: {}}}
        for s in sorted({*_ALWAYS, *statuses})
    }


def describe_errors(operation: dict[str, Any], has_body: bool) -> None:
    """Write the errors of an operation into its description as they come: media type, headers, those of any body."""
    answers_of = operation["responses"]
    for status in _WITH_BODY if has_body else ():
        answers_of.setdefault(str(status), {"description": _SAYS[status]})
    for status, answer in answers_of.items():
        if status >= "400":
            answer["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            if int(status) in _HEADERS:
                answer["headers"] = _HEADERS[int(status)]


def add_handlers(app: FastAPI) -> None:
    """Turn every error into a problem."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        headers = (
            {"Retry-After": f"{max(1.0, error.retry_after):.0f}"} if error.retry_after is not None else None
        )
        return problem(error.status, error.detail, request.url.path, error.findings, headers)

    async def ours(request: Request, error: Exception) -> Response:
        in_path = (
            isinstance(error, UnknownNameError) and request.method == "GET" and bool(request.path_params)
        )
        return problem(404 if in_path else 422, one_line(str(error)), request.url.path)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        findings = [_finding(item) for item in error.errors()]
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        first = findings[0] if findings else Finding(place="", says="cannot be read")
        return problem(422, f"{first.place}: {first.says}{more}", request.url.path, findings)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = str(error.detail)
        if error.status_code == 404:
            detail = f"{request.url.path}: there is nothing here; openapi.json lists what there is"
        headers = dict(error.headers or {})
        if error.status_code == 405:
            detail = f"{request.url.path}: cannot be asked with {request.method}"
            # the framework names the methods of the first fitting operation only
            headers = {"Allow": ", ".join(methods_of(request.app, request.url.path)) or "GET"}
        return problem(error.status_code, detail, request.url.path, headers=headers)

    async def no_text(request: Request, error: Exception) -> Response:
        return problem(
            422, "body: holds text that is no Unicode, as half of a surrogate pair", request.url.path
        )

    async def unforeseen(request: Request, error: Exception) -> Response:
        return problem(
            500, f"unforeseen: {type(error).__name__}; the server's log says more", request.url.path
        )

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(Her2Error, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(UnicodeEncodeError, no_text)
    app.add_exception_handler(Exception, unforeseen)


def methods_of(app: FastAPI, path: str) -> list[str]:
    """Methods with which a path under `/api` can be asked; empty where there is nothing."""
    found: set[str] = set()
    literal: set[str] = set()

    def walk(routes: Sequence[Any]) -> None:
        for route in routes:
            inner = getattr(route, "original_router", None)
            if inner is not None:
                walk(inner.routes)
            elif isinstance(route, APIRoute) and route.include_in_schema and route.path_regex.match(path):
                found.update(route.methods or ())
                if route.path == path:
                    literal.update(route.methods or ())

    walk(app.router.routes)
    # `/trials/check` is an operation, and no trial of that name
    return sorted(literal or found)


def one_line(text: str) -> str:
    """A message without line breaks."""
    return re.sub(r"\s*\n\s*", " ", text).strip()


def _finding(item: Any) -> Finding:
    place = ".".join(str(x) for x in item["loc"])
    says = str(item["msg"])
    came = item.get("input")
    if isinstance(came, (str, int, float, bool)) and item["type"] != "json_invalid":
        says += f", got {str(came)[:60]!r}" if isinstance(came, str) else f", got {came!r}"
    return Finding(place=place, says=says[:1].lower() + says[1:])
