"""Signing in with the token: a form for browsers, and the sessions that it opens.

The token is never part of an address. A browser sends it once in the body of the form and gets a cookie with a random
key of a session, which the server forgets after some hours, at the sign-out, and when it stops.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import secrets
import time
from base64 import b64encode
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import Response

from her2.web.problems import problem
from her2.web.settings import Settings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

SIGN_IN = ("/login", "/logout")
COOKIE = "her2_session"
MOST_SESSIONS = 1000
FORM_BYTES = 8192
WANTED = "this server wants its token: sign in at /login, or send Authorization: Bearer ..."
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:24rem;padding:0 1rem}"
    "label,input,button{display:block;width:100%;box-sizing:border-box;font:inherit}"
    "input,button{padding:.5rem;margin:.25rem 0 1rem}[role=alert]{color:#a4161a}"
    "@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e8ea}[role=alert]{color:#ff8a8a}}"
)
FORM_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Sessions:
    """Keys that were given out, each with the time of its last use; only their digests are kept."""

    def __init__(self, idle_s: float) -> None:
        self.idle_s = idle_s
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def begin(self, now: float) -> str:
        """A new key of 256 random bits."""
        key = secrets.token_urlsafe(32)
        self._seen[_digest(key)] = now
        while len(self._seen) > MOST_SESSIONS:
            self._seen.popitem(last=False)
        return key

    def is_valid(self, key: str, now: float) -> bool:
        """Whether a key was given out and used within the idle time; using it counts."""
        name = _digest(key)
        seen = self._seen.pop(name, None)
        if seen is None or now - seen > self.idle_s:
            return False
        self._seen[name] = now
        return True

    def end(self, key: str) -> None:
        """Forget a key."""
        self._seen.pop(_digest(key), None)


class SignIn:
    """The form, what is done with it, and the way out."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self.settings, self.sessions = settings, sessions
        # with this prefix a browser takes the cookie over TLS only, and from this host only
        self.cookie = f"__Host-{COOKIE}" if settings.is_secure else COOKIE

    def session_of(self, headers: dict[bytes, str]) -> str:
        """Key of the session that a request names; empty if none."""
        cookie: SimpleCookie = SimpleCookie()
        try:
            cookie.load(headers.get(b"cookie", ""))
        except CookieError:
            return ""
        return cookie[self.cookie].value if self.cookie in cookie else ""

    async def ask(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, str]) -> None:
        """401: the form for who opens a page, a problem for everyone else."""
        is_page = scope["method"] == "GET" and not scope["path"].startswith(("/api/", "/assets/"))
        if is_page and "text/html" in headers.get(b"accept", ""):
            query = scope["query_string"].decode("latin-1")
            answer = self._form(scope["path"] + (f"?{query}" if query else ""), 401)
        else:
            answer = problem(401, WANTED, scope["path"], headers={"WWW-Authenticate": "Bearer"})
        await answer(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Take the form, show it, or sign out; False if a token was wrong."""
        headers = {k.lower(): v.decode("latin-1") for k, v in scope["headers"]}
        key = self.session_of(headers)
        right = True
        if scope["method"] not in ("GET", "POST") or (scope["method"], scope["path"]) == ("GET", "/logout"):
            answer = problem(
                405, f"{scope['path']}: cannot be asked with {scope['method']}", scope["path"],
                headers={"Allow": "POST" if scope["path"] == "/logout" else "GET, POST"},
            )  # fmt: skip
        elif scope["path"] == "/logout":
            self.sessions.end(key)
            answer = self._away("/login", "", {"Clear-Site-Data": '"cache", "cookies", "storage"'})
        elif scope["method"] == "GET":
            is_in = self.sessions.is_valid(key, time.monotonic())
            answer = self._signed_in() if is_in else self._form("/", 200)
        else:
            form = parse_qs(
                (await _body(receive)).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=8
            )
            token, where = form.get("token", [""])[0], _local(form.get("next", ["/"])[0])
            right = same(token, self.settings.token)
            if right:
                # whoever signs in gets a new key, and the old one ends
                self.sessions.end(key)
                answer = self._away(where, self.sessions.begin(time.monotonic()), {})
            else:
                answer = self._form(where, 401, "This is not the token of this server.")
        await answer(scope, receive, send)
        return right

    def _away(self, where: str, key: str, more: dict[str, str]) -> Response:
        secure = "; Secure" if self.settings.is_secure else ""
        ends = "" if key else "; Max-Age=0"
        cookie = f"{self.cookie}={key}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}"
        headers = {"Location": where, "Set-Cookie": cookie, "Cache-Control": "no-store", **more}
        return Response(status_code=303, headers=headers)

    def _form(self, where: str, status: int, says: str = "") -> Response:
        alert = f'<p role="alert">{html.escape(says)}</p>' if says else ""
        body = (
            f'{alert}<form method="post" action="/login"><label for="token">Token of this server</label>'
            '<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>'
            f'<input type="hidden" name="next" value="{html.escape(_local(where), quote=True)}">'
            "<button>Sign in</button></form>"
        )
        more = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        return self._page(body, status, more)

    def _signed_in(self) -> Response:
        body = (
            '<p>You are signed in. <a href="/">Open the page</a></p><form method="post" action="/logout">'
            "<button>Sign out</button></form>"
        )
        return self._page(body, 200, {})

    def _page(self, body: str, status: int, more: dict[str, str]) -> Response:
        text = (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>her2: sign in</title>'
            f"<style>{STYLE}</style><main><h1>her2</h1>{body}</main></html>"
        )
        # with `no-referrer` browsers would send the form with `Origin: null`
        headers = {
            "Content-Security-Policy": FORM_POLICY, "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
            **more,
        }  # fmt: skip
        return Response(text, status, headers, "text/html")


def same(given: str, token: str) -> bool:
    """Compares in constant time, whatever the lengths."""
    return hmac.compare_digest(_digest(given), _digest(token))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _local(where: str) -> str:
    """An address of this server: one slash, then anything printable; the first page otherwise."""
    is_local = where.startswith("/") and not where.startswith(("//", "/\\")) and where.isascii()
    return where if is_local and where.isprintable() and where.split("?")[0] not in SIGN_IN else "/"


async def _body(receive: Receive) -> bytes:
    """The body of a form; what is longer than a form can be is cut, and so holds no token."""
    content = b""
    while len(content) < FORM_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            break
        content += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return content[:FORM_BYTES]
