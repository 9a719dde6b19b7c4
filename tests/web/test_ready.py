"""Answers that are kept: asked once, the same for everyone, and never more of them than there is room for."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from asking import Client
from fastapi.responses import JSONResponse, Response
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from her2.web.ready import Ready
from her2.web.reply import kept


class Counted:
    """An application that counts what reaches it, behind the middleware."""

    def __init__(self, most_bytes: int = 10_000_000) -> None:
        self.asked: list[str] = []
        routes = [
            Route("/api/same", self.same, methods=["GET", "POST"]),
            Route("/api/new", self.new),
            Route("/api/missing", self.missing),
            Route("/page", self.same),
        ]
        self.ready = Ready(Starlette(routes=routes), most_bytes)
        self.client = Client(self.ready)

    def same(self, request: Request) -> Response:
        self.asked.append(str(request.url))
        return kept(f"{request.url.query}:".encode() + b"0123456789" * 400, request, "text/plain")

    def new(self, request: Request) -> Response:
        self.asked.append(str(request.url))
        return Response(b"now", headers={"Cache-Control": "no-store"})

    def missing(self, request: Request) -> Response:
        self.asked.append(str(request.url))
        return JSONResponse({}, 404, {"ETag": '"x"'})


def test_a_kept_answer_is_made_once_and_goes_out_whole_in_both_forms():
    app = Counted()
    plain = app.client.get("/api/same?a=1", headers={"accept-encoding": "identity"})
    zipped = app.client.get("/api/same?a=1", headers={"accept-encoding": "gzip"})
    assert len(app.asked) == 1
    assert "content-encoding" not in plain.headers and zipped.headers["content-encoding"] == "gzip"
    assert plain.content == zipped.content == b"a=1:" + b"0123456789" * 400
    assert int(zipped.headers["content-length"]) < 200 < int(plain.headers["content-length"])
    assert (
        plain.headers["etag"] == zipped.headers["etag"]
        and zipped.headers["content-type"] == "text/plain; charset=utf-8"
    )
    again = app.client.get("/api/same?a=1", headers={"if-none-match": f"W/{plain.headers['etag']}"})
    assert again.status_code == 304 and again.content == b"" and len(app.asked) == 1


def test_an_address_is_its_query_too():
    app = Counted()
    one, two = (app.client.get(f"/api/same?a={k}").content for k in (1, 2))
    assert one != two and len(app.asked) == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/same"), ("GET", "/api/new"), ("GET", "/api/missing"), ("GET", "/page")],
)
def test_only_what_lasts_is_kept(method: str, path: str):
    app = Counted()
    first, second = app.client.ask(method, path), app.client.ask(method, path)
    assert len(app.asked) == 2 and first.status_code == second.status_code and first.content == second.content


def test_what_is_not_asked_for_goes_first_when_there_is_no_room():
    size = len(b"a=1:" + b"0123456789" * 400) + len(gzip.compress(b"a=1:" + b"0123456789" * 400, 6, mtime=0))
    app = Counted(most_bytes=2 * size + 20)
    for k in (1, 2, 1, 3):
        app.client.get(f"/api/same?a={k}")
    assert len(app.asked) == 3, "1 was there when it was asked for again"
    app.client.get("/api/same?a=1")
    assert len(app.asked) == 3, "and stays, as it was used last before 3"
    app.client.get("/api/same?a=2")
    assert len(app.asked) == 4
    answers: list[Any] = list(app.ready._kept.values())
    assert sum(a.size for a in answers) == app.ready._size <= app.ready.most_bytes


def test_the_record_is_read_once_and_a_wrong_question_is_asked_again(client):
    first = client.get("/api/evidence?q=PTEN&limit=3")
    assert first.headers["etag"] and first.headers["cache-control"] == "no-cache"
    assert client.get("/api/evidence?q=PTEN&limit=3").json() == first.json()
    assert client.get("/api/evidence?q=PTEN&limit=2").json() != first.json()
    for _ in range(2):
        assert client.get("/api/evidence?kind=clam").status_code == 422
