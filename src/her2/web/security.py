"""What every request passes: host, rate, site, token and size; how long it may take; and the headers of every answer.

Plain ASGI, so that event streams are not held up. A server on loopback takes requests only under a loopback name,
which keeps pages of other sites from reaching it by a name of their own (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from her2.web.problems import Refused, problem
from her2.web.sessions import SIGN_IN, Sessions, SignIn, same
from her2.web.settings import Settings

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "font-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
PERMISSIONS = ("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone",
               "midi", "payment", "usb")  # fmt: skip
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": ", ".join(f"{name}=()" for name in PERMISSIONS).encode(),
}
STRICT = {b"strict-transport-security": b"max-age=31536000"}
"""Only where browsers come over TLS."""
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
CORS_METHODS = b"GET, POST, DELETE"
CORS_HEADERS = b"authorization, content-type, idempotency-key, if-none-match"
CORS_SHOWN = b"etag, location, retry-after"
MOST_CLIENTS = 4096
WRONG_TOKENS_PER_SECOND = 0.2


class Guard:
    """Checks every request before the application sees it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        limits = settings.limits
        self.app, self.settings = app, settings
        self.rate = Rate(limits.requests_per_second, limits.burst)
        self.wrong = Rate(WRONG_TOKENS_PER_SECOND, float(limits.wrong_tokens))
        self.open: Counter[str] = Counter()
        self.sessions = Sessions(limits.session_hours * 3600.0)
        self.sign_in = SignIn(settings, self.sessions)
        self.headers = HEADERS | (STRICT if settings.is_secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            # there are no WebSockets: the handshake is refused
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {k.lower(): v.decode("latin-1") for k, v in scope["headers"]}
        client = str((scope.get("client") or ("unknown", 0))[0])
        origin = headers.get(b"origin", "")
        cors = {b"access-control-allow-origin": origin.encode("latin-1")} if self._is_allowed(origin) else {}
        forward = _with_headers(send, self.headers, cors, has_origins=bool(self.settings.origins))
        try:
            self._check_host(headers)
            self._check_rate(client)
            if cors and scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                await _preflight(forward)
                return
            self._check_site(scope, headers, is_allowed=bool(cors))
            if self.settings.token:
                if scope["path"] in SIGN_IN:
                    await self._sign_in(
                        scope, _timed(receive, self.settings.limits.body_seconds), forward, client
                    )
                    return
                if not self._check_token(headers, client):
                    await self.sign_in.ask(scope, receive, forward, headers)
                    return
            self._check_body(scope, headers)
            self._check_open(client)
        except Refused as error:
            await _refusal(error, scope["path"])(scope, receive, forward)
            return
        except HTTPException as error:
            await problem(error.status_code, error.detail, scope["path"])(scope, receive, forward)
            return
        self.open[client] += 1
        try:
            await self._answer(scope, receive, forward)
        finally:
            self.open[client] -= 1
            if self.open[client] <= 0:
                del self.open[client]

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's answer, or a problem if it does not begin in time; what comes later is dropped."""
        limits = self.settings.limits
        is_begun = is_over = False

        async def forward(message: MutableMapping[str, Any]) -> None:
            nonlocal is_begun
            if not is_over:
                is_begun = True
                await send(message)

        async def give_up() -> None:
            nonlocal is_over
            if is_begun:
                return
            is_over = True
            text = f"no answer within {limits.request_seconds:g} s; ask for less, or come again"
            await _refusal(Refused(503, text, retry_after=10.0), scope["path"])(scope, receive, send)

        late: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        timer = loop.call_later(limits.request_seconds, lambda: late.append(loop.create_task(give_up())))
        try:
            timed = _timed(receive, limits.body_seconds)
            await self.app(scope, _counted(timed, limits.body_bytes), forward)
        finally:
            timer.cancel()
            for task in late:
                await task

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send, client: str) -> None:
        self._check_wrong(client)
        if not await self.sign_in.answer(scope, receive, send):
            self._note_wrong(client)

    def _check_host(self, headers: dict[bytes, str]) -> None:
        names = self.settings.names
        host = headers.get(b"host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if names and name.strip("[]").lower() not in names:
            raise Refused(403, f"host '{name[:80]}': this server answers on {', '.join(names)} only")

    def _check_rate(self, client: str) -> None:
        wait = self.rate.wait(client, time.monotonic())
        if wait > 0.0:
            raise Refused(
                429,
                f"more than {self.rate.per_second:g} requests a second; come again in {max(wait, 1.0):.0f} s",
                retry_after=wait,
            )

    def _check_open(self, client: str) -> None:
        most = self.settings.limits.requests_at_once
        if self.open[client] >= most:
            raise Refused(
                429, f"{most} requests of yours are not answered yet; wait for some", retry_after=1.0
            )

    def _check_wrong(self, client: str) -> None:
        wait = self.wrong.ask(client, time.monotonic())
        if wait > 0.0:
            raise Refused(
                429, f"too many wrong tokens; come again in {max(wait, 1.0):.0f} s", retry_after=wait
            )

    def _note_wrong(self, client: str) -> None:
        self.wrong.wait(client, time.monotonic())

    def _check_token(self, headers: dict[bytes, str], client: str) -> bool:
        """Whether the request may pass; a session passes even where many guess tokens."""
        if self.sessions.is_valid(self.sign_in.session_of(headers), time.monotonic()):
            return True
        given = headers.get(b"authorization")
        if given is None:
            return False
        self._check_wrong(client)
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "bearer" and same(token, self.settings.token):
            return True
        self._note_wrong(client)
        return False

    def _is_allowed(self, origin: str) -> bool:
        return bool(origin) and origin in self.settings.origins

    def _check_site(self, scope: Scope, headers: dict[bytes, str], is_allowed: bool) -> None:
        """A page of another site may not act through the user's browser, unless it is one of `origins`."""
        if scope["method"] not in UNSAFE or is_allowed:
            return
        site = headers.get(b"sec-fetch-site", "none")
        if site not in ("none", "same-origin"):
            raise Refused(403, "the request comes from another site")
        origin, host = headers.get(b"origin"), headers.get(b"host", "")
        if origin is not None and origin.split("://", 1)[-1].lower() != host.lower():
            raise Refused(403, "the request comes from another origin")

    def _check_body(self, scope: Scope, headers: dict[bytes, str]) -> None:
        if scope["method"] not in UNSAFE:
            return
        length = headers.get(b"content-length", "")
        if length and (not length.isascii() or not length.isdigit()):
            raise Refused(422, "content-length: expected a number")
        if length and int(length) > self.settings.limits.body_bytes:
            raise Refused(413, _too_large_text(self.settings.limits.body_bytes))
        has_body = (length or "0") != "0" or b"transfer-encoding" in headers
        kind = headers.get(b"content-type", "").split(";")[0].strip().lower()
        if has_body and kind != "application/json":
            raise Refused(415, f"content-type: expected application/json, got '{kind[:60]}'")


class Rate:
    """A bucket of requests for every client, refilled continuously; the least recently seen client is forgotten."""

    def __init__(self, per_second: float, burst: float) -> None:
        self.per_second, self.burst = per_second, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str, now: float) -> float:
        """Take one request out of the bucket; seconds until there is one, 0 if there was."""
        left, then = self._left.pop(client, (self.burst, now))
        left = min(self.burst, left + (now - then) * self.per_second)
        has_one = left >= 1.0
        self._left[client] = (left - 1.0 if has_one else left, now)
        if len(self._left) > MOST_CLIENTS:
            self._left.popitem(last=False)
        return 0.0 if has_one else (1.0 - left) / self.per_second

    def ask(self, client: str, now: float) -> float:
        """Seconds until there is one in the bucket, 0 if there is; nothing is taken."""
        left, then = self._left.get(client, (self.burst, now))
        left = min(self.burst, left + (now - then) * self.per_second)
        return 0.0 if left >= 1.0 else (1.0 - left) / self.per_second


def _refusal(error: Refused, path: str) -> ASGIApp:
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = f"{max(1.0, error.retry_after):.0f}"
    return problem(error.status, error.detail, path, headers=headers)


def _too_large_text(limit: int) -> str:
    return f"the body is larger than {limit:,} bytes; send less"


def _counted(receive: Receive, limit: int) -> Receive:
    """Reads on, and stops a body that is larger than allowed."""
    total = 0

    async def read() -> Message:
        nonlocal total
        message = await receive()
        if message["type"] == "http.request":
            total += len(message.get("body", b""))
            if total > limit:
                # the one kind of error that the framework lets through while it reads a body
                raise HTTPException(413, _too_large_text(limit))
        return message

    return read


def _timed(receive: Receive, seconds: float) -> Receive:
    """Reads on, and stops a body that does not arrive in time; who only waits for the end is not hurried."""
    deadline = asyncio.get_running_loop().time() + seconds
    has_all = False

    async def read() -> Message:
        nonlocal has_all
        if has_all:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            has_all = True
            raise HTTPException(408, f"the body did not arrive within {seconds:g} s; send it again") from None
        has_all = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return read


async def _preflight(send: Send) -> None:
    """The answer to a browser that asks whether a page of an allowed site may send a request."""
    names = ((b"access-control-allow-methods", CORS_METHODS), (b"access-control-allow-headers", CORS_HEADERS),
             (b"access-control-max-age", b"600"), (b"cache-control", b"no-store"))  # fmt: skip
    await send({"type": "http.response.start", "status": 204, "headers": list(names)})
    await send({"type": "http.response.body", "body": b""})


def _with_headers(send: Send, fixed: dict[bytes, bytes], cors: dict[bytes, bytes], has_origins: bool) -> Send:
    """Adds the headers of every answer."""

    async def forward(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", []))
            names = {k.lower() for k, _ in given}
            added = [(k, v) for k, v in fixed.items() if k not in names]
            if cors:
                added += [*cors.items(), (b"access-control-expose-headers", CORS_SHOWN)]
            if has_origins:
                added.append((b"vary", b"origin"))
            message["headers"] = [*given, *added]
        await send(message)

    return forward
