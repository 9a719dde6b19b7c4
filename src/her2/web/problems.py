"""Errors as `application/problem+json` (RFC 9457): what was wrong, where, and what to do."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
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
    401: "the token is missing or wrong", 403: "the request comes from another site, or names another host",
    404: "no such thing", 409: "the state of the job does not allow it", 413: "the body is too large",
    415: "the body is not JSON", 422: "the request says something that cannot be",
    429: "too many requests, or too many jobs; `Retry-After` says when to come again",
    503: "the server is starting or stopping",
}  # fmt: skip


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Description of error answers for OpenAPI; 401, 403, 422 and 429 can always come."""
    return {
        s: {"model": Problem, "description": _SAYS[s], "content": {MEDIA_TYPE: {}}}
        for s in sorted({401, 403, 422, 429, *statuses})
    }


def add_handlers(app: FastAPI) -> None:
    """Turn every error into a problem."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        headers = {"Retry-After": f"{error.retry_after:.0f}"} if error.retry_after is not None else None
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
        if error.status_code == 405:
            detail = f"{request.url.path}: cannot be asked with {request.method}"
        return problem(error.status_code, detail, request.url.path, headers=dict(error.headers or {}))

    async def unforeseen(request: Request, error: Exception) -> Response:
        return problem(
            500, f"unforeseen: {type(error).__name__}; the server's log says more", request.url.path
        )

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(Her2Error, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)


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
