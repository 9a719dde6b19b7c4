"""Signing in: the form, the session it opens, how it ends, and that guessing is slow."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from asking import Client

from her2.web.app import create_app
from her2.web.security import STRICT
from her2.web.sessions import COOKIE, Sessions, same
from her2.web.settings import Limits

TOKEN = "a-long-enough-token"
PAGE = {"Accept": "text/html"}


@pytest.fixture
def fresh(settings, tmp_path):
    """A server with a token that nobody has asked yet."""

    def make(**changes):
        chosen = replace(settings, token=TOKEN, database=f"sqlite:///{tmp_path / 'jobs.sqlite'}", **changes)
        return Client(create_app(chosen))

    return make


def sign_in(client, token: str = TOKEN, **more):
    """Send the form."""
    return client.ask("POST", "/login", data={"token": token, "next": "/trial?id=emilia"}, **more)


def key_of(answer) -> str:
    """The cookie of an answer as a browser sends it back."""
    return answer.headers["set-cookie"].split(";")[0]


def test_who_opens_a_page_gets_the_form(fresh):
    answer = fresh().get("/trial?id=emilia", headers=PAGE)
    assert answer.status_code == 401 and answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.text.count("<input") == 2 and "<script" not in answer.text
    assert 'name="token" type="password" autocomplete="current-password"' in answer.text
    assert 'type="hidden" name="next" value="/trial?id=emilia"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy and "form-action 'self'" in policy
    # a program gets a problem, no form
    assert fresh().get("/api/health", headers=PAGE).headers["content-type"] == "application/problem+json"
    assert fresh().get("/").headers["content-type"] == "application/problem+json"


def test_signing_in_opens_a_session(fresh):
    client = fresh()
    answer = sign_in(client)
    assert answer.status_code == 303 and answer.headers["location"] == "/trial?id=emilia"
    assert TOKEN not in answer.headers["set-cookie"], "the cookie is a key of its own"
    assert "HttpOnly" in answer.headers["set-cookie"] and "SameSite=Strict" in answer.headers["set-cookie"]
    cookie = {"Cookie": key_of(answer)}
    assert client.get("/", headers=cookie).status_code == 200
    assert client.get("/api/jobs", headers=cookie).status_code == 200, "downloads and event streams alike"
    assert "Sign out" in client.get("/login", headers=cookie).text


def test_a_wrong_token_gets_the_form_again(fresh):
    answer = sign_in(fresh(), "another-token-altogether")
    assert answer.status_code == 401 and "not the token" in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "token", ["", TOKEN.upper(), TOKEN[:-1], TOKEN + "x", " " + TOKEN, TOKEN + " ", TOKEN + "\x00"]
)
def test_the_token_counts_exactly_as_it_is(fresh, token):
    assert sign_in(fresh(), token).status_code == 401
    assert not same(token, TOKEN) and same(TOKEN, TOKEN)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_scripts_send_the_token_in_a_header(fresh, scheme):
    client = fresh()
    assert client.get("/api/jobs", headers={"Authorization": f"{scheme} {TOKEN}"}).status_code == 200
    for wrong in (f"Basic {TOKEN}", TOKEN, f"{scheme} {TOKEN[:-1]}", scheme):
        answer = client.get("/api/jobs", headers={"Authorization": wrong})
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer", wrong


def test_every_operation_wants_the_token(fresh, inner):
    client = fresh()
    asked = 0
    for path, item in inner.openapi()["paths"].items():
        for method in item:
            plain = path.replace("{id}", "0" * 24).replace("{name}", "x.csv").replace("{kind}", "agent")
            assert client.ask(method.upper(), plain).status_code == 401, f"{method} {path}"
            asked += 1
    assert asked > 30
    for path in ("/", "/api/openapi.json", "/assets/main-abc123.js", "/none"):
        assert client.get(path).status_code == 401, path


def test_a_description_of_a_guarded_server_names_the_token(fresh):
    described = fresh().get("/api/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert described["security"] == [{"token": []}]
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_signing_out_ends_the_session(fresh):
    client = fresh()
    cookie = {"Cookie": key_of(sign_in(client))}
    out = client.ask("POST", "/logout", headers=cookie)
    assert out.status_code == 303 and "Max-Age=0" in out.headers["set-cookie"]
    assert '"cache"' in out.headers["clear-site-data"] and '"storage"' in out.headers["clear-site-data"]
    assert client.get("/api/jobs", headers=cookie).status_code == 401, "the old key opens nothing"
    assert client.get("/logout").status_code == 405, "a link cannot sign anybody out"


def test_signing_in_again_ends_the_old_session(fresh):
    client = fresh()
    old = {"Cookie": key_of(sign_in(client))}
    new = {"Cookie": key_of(sign_in(client, headers=old))}
    assert old != new
    assert client.get("/api/jobs", headers=new).status_code == 200
    assert client.get("/api/jobs", headers=old).status_code == 401


def test_a_new_server_knows_no_old_session(fresh):
    cookie = {"Cookie": key_of(sign_in(fresh()))}
    assert fresh().get("/api/jobs", headers=cookie).status_code == 401


def test_a_session_ends_when_nobody_uses_it():
    sessions = Sessions(idle_s=60.0)
    key = sessions.begin(0.0)
    assert sessions.is_valid(key, 60.0) and sessions.is_valid(key, 120.0), "using it counts"
    assert not sessions.is_valid(key, 180.1)
    assert not sessions.is_valid(key, 180.2), "and it does not come back"
    assert not sessions.is_valid("", 0.0)


def test_keys_of_sessions_are_long_and_differ():
    sessions = Sessions(idle_s=60.0)
    keys = {sessions.begin(float(k)) for k in range(200)}
    # 32 bytes in base64 without padding
    assert len(keys) == 200 and {len(k) for k in keys} == {43}


def test_the_server_keeps_no_more_sessions_than_it_can():
    sessions = Sessions(idle_s=1e9)
    first = sessions.begin(0.0)
    for k in range(1000):
        last = sessions.begin(float(k))
    assert not sessions.is_valid(first, 1000.0) and sessions.is_valid(last, 1000.0)


def test_wrong_tokens_are_slowed_and_sessions_are_not(fresh):
    client = fresh(limits=Limits(wrong_tokens=3))
    cookie = {"Cookie": key_of(sign_in(client))}
    guesses = [client.get("/api/jobs", headers={"Authorization": f"Bearer guess-{k}"}) for k in range(4)]
    assert [g.status_code for g in guesses] == [401, 401, 401, 429]
    assert 1 <= int(guesses[-1].headers["retry-after"]) <= 5
    assert sign_in(client).status_code == 429, "the form is slowed with it, whatever it holds"
    assert client.get("/api/jobs", headers=cookie).status_code == 200, "who is signed in is not locked out"


def test_what_a_browser_sent_is_escaped_in_the_form(fresh):
    client = fresh()
    answer = client.get('/x"><script>alert(1)</script>', headers=PAGE)
    assert "<script" not in answer.text and "&quot;&gt;&lt;script&gt;" in answer.text
    again = client.ask("POST", "/login", data={"token": "wrong", "next": '/"><b>'})
    assert "<b>" not in again.text


@pytest.mark.parametrize(
    "where",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", "evil", "/login",
     "/logout", "/x\r\nSet-Cookie: a=b", "/\u0435vil"],
)  # fmt: skip
def test_a_form_leads_to_no_other_site(fresh, where):
    answer = fresh().ask("POST", "/login", data={"token": TOKEN, "next": where})
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    assert answer.headers.get_list("set-cookie") == [answer.headers["set-cookie"]]


def test_a_form_of_another_site_is_refused(fresh):
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert sign_in(fresh(), headers=headers).status_code == 403
    own = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
    assert sign_in(fresh(), headers=own).status_code == 303


def test_a_form_that_is_too_long_holds_no_token(fresh):
    padded = {"next": "/" + "x" * 20_000, "token": TOKEN}
    assert fresh().ask("POST", "/login", data=padded).status_code == 401


def test_over_tls_the_cookie_is_for_tls_and_this_host_only(fresh):
    client = fresh(behind_tls=True)
    answer = sign_in(client)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"__Host-{COOKIE}=") and "; Secure" in cookie and "Path=/;" in cookie
    assert "Domain" not in cookie
    assert client.get("/api/jobs", headers={"Cookie": key_of(answer)}).status_code == 200
    (strict,) = STRICT.values()
    assert answer.headers["strict-transport-security"] == strict.decode()
    assert int(strict.decode().removeprefix("max-age=")) >= 365 * 24 * 3600
    plain = sign_in(fresh())
    assert "strict-transport-security" not in plain.headers and "Secure" not in plain.headers["set-cookie"]


def test_the_token_is_in_no_address_text_or_log(fresh, settings, caplog):
    client = fresh()
    answer = sign_in(client)
    assert TOKEN not in answer.text and "token" not in parse_qs(urlsplit(answer.headers["location"]).query)
    assert TOKEN not in repr(replace(settings, token=TOKEN, database="postgresql://u:secret-word@h/d"))
    assert "secret-word" not in repr(replace(settings, database="postgresql://u:secret-word@h/d"))
    client.get("/api/about", headers={"Authorization": f"Bearer {TOKEN}"})
    assert TOKEN not in caplog.text
