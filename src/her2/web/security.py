"""What every request passes: host, site, token, size and rate; and the headers every answer carries.

Plain ASGI, so that event streams are not held up. A server on loopback takes requests only under a loopback name,
which keeps pages of other sites from reaching it by a name of their own (DNS rebinding).
"""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from her2.web.problems import Refused, problem
from her2.web.settings import LOOPBACK, Settings

COOKIE = "her2_token"
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "font-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=(), interest-cohort=()",
}
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
MOST_CLIENTS = 4096


class Guard:
    """Checks every request before the application sees it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.rate = Rate(settings.limits.requests_per_second, settings.limits.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {k.lower(): v.decode("latin-1") for k, v in scope["headers"]}
        try:
            self._check_host(headers)
            self._check_rate(scope)
            if await self._token_from_address(scope, receive, send):
                return
            self._check_token(headers)
            self._check_site(scope, headers)
            self._check_body(scope, headers)
        except Refused as error:
            extra = (
                {"Retry-After": f"{max(1.0, error.retry_after or 1.0):.0f}"} if error.status == 429 else None
            )
            await problem(error.status, error.detail, scope["path"], headers=extra)(
                scope, receive, _with_headers(send)
            )
            return
        await self.app(scope, _counted(receive, self.settings.limits.body_bytes), _with_headers(send))

    def _check_host(self, headers: dict[bytes, str]) -> None:
        if not self.settings.is_loopback:
            return
        host = headers.get(b"host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name.strip("[]").lower() not in LOOPBACK:
            raise Refused(403, f"host '{name[:80]}': this server answers on {', '.join(LOOPBACK)} only")

    def _check_rate(self, scope: Scope) -> None:
        client = (scope.get("client") or ("unknown", 0))[0]
        wait = self.rate.wait(client, time.monotonic())
        if wait > 0.0:
            raise Refused(
                429,
                f"more than {self.rate.per_second:g} requests a second; come again in {max(wait, 1.0):.0f} s",
                retry_after=wait,
            )

    async def _token_from_address(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Take `?token=` out of the address into a cookie that scripts cannot read."""
        if not self.settings.token or scope["method"] != "GET" or b"token=" not in scope["query_string"]:
            return False
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = query.pop("token", [""])[0]
        if not _same(given, self.settings.token):
            raise Refused(401, "the token in the address is wrong")
        rest = urlencode(query, doseq=True)
        # one slash only: `//host` would lead elsewhere
        where = "/" + scope["path"].lstrip("/") + (f"?{rest}" if rest else "")
        cookie = f"{COOKIE}={self.settings.token}; Path=/; HttpOnly; SameSite=Strict"
        start: Message = {
            "type": "http.response.start", "status": 303,
            "headers": [
                (b"location", where.encode("latin-1", "ignore")), (b"set-cookie", cookie.encode("latin-1")),
                (b"cache-control", b"no-store"), (b"content-length", b"0"),
            ],
        }  # fmt: skip
        forward = _with_headers(send)
        await forward(start)
        await forward({"type": "http.response.body", "body": b""})
        return True

    def _check_token(self, headers: dict[bytes, str]) -> None:
        if not self.settings.token:
            return
        given = headers.get(b"authorization", "")
        if given.startswith("Bearer ") and _same(given.removeprefix("Bearer ").strip(), self.settings.token):
            return
        cookie: SimpleCookie = SimpleCookie()
        try:
            cookie.load(headers.get(b"cookie", ""))
        except CookieError:
            cookie = SimpleCookie()
        if COOKIE in cookie and _same(cookie[COOKIE].value, self.settings.token):
            return
        raise Refused(
            401, "this server wants its token: open it as /?token=..., or send Authorization: Bearer ..."
        )

    def _check_site(self, scope: Scope, headers: dict[bytes, str]) -> None:
        """A page of another site may not act through the user's browser."""
        if scope["method"] not in UNSAFE:
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


def _with_headers(send: Send) -> Send:
    """Adds the headers of every answer."""

    async def forward(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", []))
            names = {k.lower() for k, _ in given}
            message["headers"] = [*given, *((k, v) for k, v in HEADERS.items() if k not in names)]
        await send(message)

    return forward


def _same(given: str, token: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
