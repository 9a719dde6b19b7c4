"""Answers that change only with the package, ready to send: made once, compressed once, sent without a thread.

What `her2.web.reply.kept` marks with an ETag is the same for everyone and as long as the server runs. It is kept here
under its address, so that looking something up does not wait for those who compute.
"""

from __future__ import annotations

import gzip
from collections import OrderedDict
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 32_000_000
MOST_ADDRESS = 600
"""Longest address that is kept, characters."""
LEVEL, SMALLEST = 6, 1000
"""Of the compression; what is smaller is sent as it is."""


@dataclass(frozen=True)
class Answer:
    """An answer in memory; `zipped` is empty where it is too small to gain."""

    content: bytes
    zipped: bytes
    kind: bytes
    tag: bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content) + len(self.zipped)


class Ready:
    """Middleware that answers what was asked before."""

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BYTES) -> None:
        self.app, self.most_bytes = app, most_bytes
        self._kept: OrderedDict[bytes, Answer] = OrderedDict()
        self._size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith("/api/"):
            await self.app(scope, receive, send)
            return
        address = scope["raw_path"] + b"?" + scope["query_string"]
        found = self._kept.get(address)
        if found is not None:
            self._kept.move_to_end(address)
            await _send(found, scope, send)
            return
        first: Message = {}
        parts: list[bytes] = []

        async def forward(message: Message) -> None:
            nonlocal first
            if message["type"] == "http.response.start" and _is_lasting(message):
                first = message
                return
            if not first:
                await send(message)
                return
            parts.append(message.get("body", b""))
            if message.get("more_body", False):
                return
            headers = {k.lower(): v for k, v in first["headers"]}
            content = b"".join(parts)
            zipped = await run_in_threadpool(_zip, content)
            made = Answer(content, zipped, headers[b"content-type"], headers[b"etag"])
            if len(address) <= MOST_ADDRESS:
                self._keep(address, made)
            await _send(made, scope, send)

        await self.app(scope, receive, forward)

    def _keep(self, address: bytes, made: Answer) -> None:
        """Keep an answer; those not asked for longest go."""
        old = self._kept.pop(address, None)
        self._size += made.size - (old.size if old is not None else 0)
        self._kept[address] = made
        while self._size > self.most_bytes:
            _, gone = self._kept.popitem(last=False)
            self._size -= gone.size


def _is_lasting(start: Message) -> bool:
    return start["status"] == 200 and any(k.lower() == b"etag" for k, _ in start["headers"])


def _zip(content: bytes) -> bytes:
    return gzip.compress(content, LEVEL, mtime=0) if len(content) >= SMALLEST else b""


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    """The answer as this client takes it: nothing new, compressed, or plain."""
    asked = {k: v for k, v in scope["headers"] if k in (b"if-none-match", b"accept-encoding")}
    headers = [(b"etag", answer.tag), (b"cache-control", b"no-cache"), (b"vary", b"Accept-Encoding")]
    tags = {t.strip().removeprefix(b"W/") for t in asked.get(b"if-none-match", b"").split(b",")}
    if answer.tag in tags:
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    body = answer.content
    if answer.zipped and b"gzip" in asked.get(b"accept-encoding", b""):
        body = answer.zipped
        headers.append((b"content-encoding", b"gzip"))
    headers += [(b"content-type", answer.kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
