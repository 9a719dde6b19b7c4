"""Who may ask, what every answer carries, and what is refused before the application sees it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from asking import Client

from her2.errors import Her2Error
from her2.web.app import create_app
from her2.web.security import Rate
from her2.web.settings import Limits, Settings

TOKEN = "a-long-enough-token"


@pytest.fixture(scope="module")
def guarded(settings, tmp_path_factory):
    path = tmp_path_factory.mktemp("guarded") / "jobs.sqlite"
    return Client(create_app(replace(settings, token=TOKEN, database=f"sqlite:///{path}")))


@pytest.mark.parametrize(
    "path", ["/", "/api/health", "/api/nothing", "/assets/main-abc123.js", "/api/openapi.json"]
)
def test_every_answer_carries_the_headers(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "geolocation=()" in headers["permissions-policy"] and headers["x-frame-options"] == "DENY"
    assert "strict-transport-security" not in headers, "plain HTTP on loopback"
    assert "access-control-allow-origin" not in headers


def test_another_address_needs_a_token():
    with pytest.raises(Her2Error, match="--token"):
        create_app(Settings(host="0.0.0.0", database="sqlite://"))
    with pytest.raises(Her2Error, match="12 printable"):
        create_app(Settings(host="0.0.0.0", token="short", database="sqlite://"))
    with pytest.raises(Her2Error, match="6 different"):
        create_app(Settings(host="0.0.0.0", token="abababababab", database="sqlite://"))
    with pytest.raises(Her2Error, match="blanks"):
        create_app(Settings(host="0.0.0.0", token="a long enough token", database="sqlite://"))
    create_app(Settings(host="0.0.0.0", token=TOKEN, database="sqlite://", workers=0))


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", ""])
def test_a_loopback_server_answers_under_its_own_name_only(client, name):
    answer = client.get("/api/health", headers={"Host": name})
    assert answer.status_code == 403 and "answers on" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost:8765", "[::1]:8765"])
def test_loopback_has_several_names(client, name):
    assert client.get("/api/health", headers={"Host": name}).status_code == 200


def test_nothing_without_the_token(guarded):
    for path in ("/", "/api/health", "/assets/main-abc123.js"):
        assert guarded.get(path).status_code == 401
    assert guarded.get("/api/health", headers={"Authorization": "Bearer wrong-token-here"}).status_code == 401
    assert guarded.get("/api/health", headers={"Cookie": "her2_session=wrong"}).status_code == 401
    assert guarded.get(f"/api/health?token={TOKEN}").status_code == 401, "a token in an address opens nothing"
    assert guarded.get("/api/health", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_sites_cannot_act(client, headers):
    assert client.post("/api/patient/check", {"case": {}}, headers=headers).status_code == 403


def test_the_own_page_can_act(client):
    headers = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/patient/check", {"case": {}}, headers=headers).status_code == 200


def test_a_body_has_to_be_json(client):
    plain = {"Content-Type": "text/plain"}
    answer = client.ask("POST", "/api/patient/check", content=b'{"case": {}}', headers=plain)
    assert answer.status_code == 415
    form = client.ask("POST", "/api/patient/check", data={"case": "x"})
    assert form.status_code == 415


def test_a_body_has_a_largest_size_with_and_without_its_length(client, settings):
    size = settings.limits.body_bytes + 1
    told = client.ask(
        "POST", "/api/patient/check", content=b" " * size, headers={"Content-Type": "application/json"}
    )
    assert told.status_code == 413 and told.headers["content-type"] == "application/problem+json"

    async def stream():
        for _ in range(size // 50_000 + 1):
            yield b" " * 50_000

    untold = client.ask(
        "POST", "/api/patient/check", content=stream(), headers={"Content-Type": "application/json"}
    )
    assert untold.status_code == 413 and "larger than" in untold.json()["detail"]


@pytest.mark.parametrize(
    "body", [b"{", b"[" * 100_000, b'{"case": NaN}', b"\xff\xfe", b'{"case": {"age": Infinity}}']
)
def test_broken_json_is_a_problem_and_no_failure(client, body):
    answer = client.ask(
        "POST", "/api/patient/check", content=body, headers={"Content-Type": "application/json"}
    )
    assert 400 <= answer.status_code < 500 and answer.headers["content-type"] == "application/problem+json"


def test_the_rate_of_a_client_is_limited_and_recovers():
    rate = Rate(per_second=10.0, burst=5.0)
    assert [rate.wait("a", 0.0) for _ in range(5)] == [0.0] * 5
    assert rate.wait("a", 0.0) == pytest.approx(0.1)
    assert rate.wait("b", 0.0) == 0.0, "another client has a bucket of its own"
    assert rate.wait("a", 0.1) == 0.0


ORIGIN = "https://her2.example.org:8443"


@pytest.fixture(scope="module")
def shared(settings, tmp_path_factory):
    """A server that a page of another site may ask."""
    path = tmp_path_factory.mktemp("shared") / "jobs.sqlite"
    return Client(create_app(replace(settings, origins=(ORIGIN,), database=f"sqlite:///{path}")))


def test_only_listed_sites_may_read(shared, client):
    told = shared.get("/api/health", headers={"Origin": ORIGIN})
    assert told.headers["access-control-allow-origin"] == ORIGIN and "origin" in told.headers["vary"].lower()
    assert "access-control-allow-credentials" not in told.headers, "no cookies, whoever asks"
    for other in (
        "https://evil.example",
        "null",
        ORIGIN + ".evil.example",
        ORIGIN.upper(),
        "https://her2.example.org",
    ):
        answer = shared.get("/api/health", headers={"Origin": other})
        assert "access-control-allow-origin" not in answer.headers, other
        assert "origin" in answer.headers["vary"].lower(), "no cache gives one site the answer of another"
    assert "access-control-allow-origin" not in client.get("/api/health", headers={"Origin": ORIGIN}).headers


def test_listed_sites_are_told_before_they_ask(shared):
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    told = shared.ask("OPTIONS", "/api/patient/check", headers=asked)
    assert told.status_code == 204 and "POST" in told.headers["access-control-allow-methods"]
    assert told.headers["access-control-allow-origin"] == ORIGIN
    for header in ("authorization", "content-type", "idempotency-key"):
        assert header in told.headers["access-control-allow-headers"]
    headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}
    assert shared.post("/api/patient/check", {"case": {}}, headers=headers).status_code == 200
    other = shared.ask("OPTIONS", "/api/patient/check", headers={**asked, "Origin": "https://evil.example"})
    assert other.status_code == 405 and "access-control-allow-methods" not in other.headers
    assert (
        shared.post(
            "/api/patient/check", {"case": {}}, headers={"Origin": "https://evil.example"}
        ).status_code
        == 403
    )


@pytest.mark.parametrize(
    "origin", ["*", "null", "example.org", "https://", "https://example.org/", "https://*.org", "ftp://example.org",
               "https://a.org,https://b.org", "https://Example.org:port"],
)  # fmt: skip
def test_an_origin_is_one_site(origin):
    with pytest.raises(Her2Error, match="--allow-origin"):
        Settings(origins=(origin,)).check()
    Settings(origins=(ORIGIN, "http://localhost:5173", "http://[::1]:80")).check()


def test_a_server_takes_the_names_it_was_given(settings, tmp_path):
    chosen = replace(settings, hosts=("her2.example.org",), database=f"sqlite:///{tmp_path / 'j.sqlite'}")
    named = Client(create_app(chosen))
    for name, status in (("her2.example.org:8765", 200), ("HER2.example.org", 200), ("localhost", 200),
                         ("evil.example", 403), ("her2.example.org.evil.example", 403)):  # fmt: skip
        assert named.get("/api/health", headers={"Host": name}).status_code == status, name
    for wrong in ("http://a.org", "a.org:80", "", "*", "a b"):
        with pytest.raises(Her2Error, match="--allow-host"):
            Settings(hosts=(wrong,)).check()


def test_every_body_has_its_type(client, inner):
    asked = 0
    for path, item in inner.openapi()["paths"].items():
        for method in item:
            plain = path.replace("{id}", "0" * 24).replace("{name}", "x.csv").replace("{kind}", "agent")
            if plain == "/api/validation":
                continue
            answer = client.ask(method.upper(), plain)
            kind = answer.headers.get("content-type", "")
            assert kind and ("charset=" in kind) == kind.startswith("text/"), f"{method} {path}: {kind}"
            if kind.endswith("json"):
                answer.json()
            asked += 1
    assert asked > 40
    assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"


def test_there_are_no_websockets(settings, tmp_path):
    import asyncio

    app = create_app(replace(settings, database=f"sqlite:///{tmp_path / 'j.sqlite'}"))
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(app({"type": "websocket", "path": "/api/jobs", "headers": []}, None, send))
    assert [m["type"] for m in sent] == ["websocket.close"]


def asked_raw(app, seconds_before_body: float | None, path: str = "/api/patient/check", client: str = "x"):
    """A request whose body comes late, or never; what was sent back."""
    import asyncio

    body = b'{"case": {}}'
    headers = [
        (b"host", b"127.0.0.1"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": headers, "client": (client, 1), "server": ("127.0.0.1", 80), "scheme": "http",
             "http_version": "1.1", "root_path": ""}  # fmt: skip
    sent = []

    async def go():
        async def receive():
            if seconds_before_body is None:
                await asyncio.Event().wait()
            await asyncio.sleep(seconds_before_body)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        await asyncio.wait_for(app(scope, receive, send), 60)

    asyncio.run(go())
    return sent


def test_a_body_that_never_comes_is_not_waited_for(settings, tmp_path):
    quick = Limits(body_seconds=0.1)
    app = create_app(replace(settings, limits=quick, database=f"sqlite:///{tmp_path / 'j.sqlite'}"))
    sent = asked_raw(app, None)
    assert sent[0]["status"] == 408
    assert dict(sent[0]["headers"])[b"content-type"] == b"application/problem+json"
    assert asked_raw(app, 0.0)[0]["status"] == 200


def test_an_answer_that_does_not_begin_is_given_up(settings, tmp_path, monkeypatch):
    import threading

    from her2.web.routes import patient

    release = threading.Event()
    real = patient.case_of

    def slow(*given):
        assert release.wait(60)
        return real(*given)

    monkeypatch.setattr(patient, "case_of", slow)
    quick = Limits(request_seconds=0.2)
    app = create_app(replace(settings, limits=quick, database=f"sqlite:///{tmp_path / 'j.sqlite'}"))
    # the answer that comes too late is dropped, not sent after the other
    timer = threading.Timer(1.0, release.set)
    timer.start()
    sent = asked_raw(app, 0.0)
    timer.join()
    assert [m["type"] for m in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 503 and int(dict(sent[0]["headers"])[b"retry-after"]) >= 1
    assert dict(sent[0]["headers"])[b"content-type"] == b"application/problem+json"


def test_one_client_has_so_many_requests_at_once(settings, tmp_path):
    from her2.web.security import Guard
    from her2.web.settings import Settings as Chosen

    async def app(scope, receive, send):
        raise AssertionError("not reached")

    guard = Guard(app, Chosen(limits=Limits(requests_at_once=2)))
    guard.open["x"] = 2
    sent = asked_raw(guard, 0.0)
    assert sent[0]["status"] == 429 and b"retry-after" in dict(sent[0]["headers"])
    assert guard.open["x"] == 2, "a refused request is not counted"

    async def answers(scope, receive, send):
        assert guard.open["y"] == 1
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guard.app = answers
    assert asked_raw(guard, 0.0, client="y")[0]["status"] == 204
    assert "y" not in guard.open, "and forgotten when it is answered"


def test_limits_are_read_one_by_one():
    from her2.web.settings import limits_of

    assert limits_of(["patients=2000", "request_seconds=2.5"]) == Limits(patients=2000, request_seconds=2.5)
    for wrong, says in (("patient=1", "patients"), ("patients=1.5", "whole number"), ("patients=0", "above 0"),
                        ("patients", "whole number"), ("burst=nan", "above 0"), ("burst=inf", "above 0")):  # fmt: skip
        with pytest.raises(Her2Error, match=says):
            limits_of([wrong])


def test_too_many_requests_are_told_when_to_come_again(settings, tmp_path):
    slow = Limits(requests_per_second=0.5, burst=3.0)
    few = Client(create_app(replace(settings, limits=slow, database=f"sqlite:///{tmp_path / 'j.sqlite'}")))
    answers = [few.get("/api/health") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 3


def test_the_page_and_its_files(client):
    page = client.get("/")
    assert (
        page.headers["content-type"] == "text/html; charset=utf-8"
        and page.headers["cache-control"] == "no-cache"
    )
    assert client.get("/trial").content == page.content, "an address of a view is the page"
    script = client.get("/assets/main-abc123.js")
    assert "immutable" in script.headers["cache-control"] and script.headers["content-encoding"] == "gzip"
    assert script.text.startswith("export const x")
    again = client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/.secret",
        "/assets/none.js",
        "/%2e%2e/conftest.py",
        "/assets/..%2f..%2fjobs.sqlite",
        "/assets/",
        "/x%00.js",
        "/.git/config",
        "/assets/%2e%2e/.secret",
    ],
)
def test_nothing_outside_the_folder_and_nothing_hidden(client, path):
    assert client.get(path).status_code == 404
