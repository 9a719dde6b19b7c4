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
    assert "access-control-allow-origin" not in headers


def test_another_address_needs_a_token():
    with pytest.raises(Her2Error, match="--token"):
        create_app(Settings(host="0.0.0.0", database="sqlite://"))
    with pytest.raises(Her2Error, match="12 printable"):
        create_app(Settings(host="0.0.0.0", token="short", database="sqlite://"))
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
    assert guarded.get("/api/health", headers={"Cookie": "her2_token=wrong"}).status_code == 401
    assert guarded.get("/api/health", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_token_of_the_address_becomes_a_cookie_and_leaves_the_address(guarded):
    answer = guarded.get(f"/trial?id=emilia&token={TOKEN}")
    assert answer.status_code == 303 and answer.headers["location"] == "/trial?id=emilia"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert guarded.get("/", headers={"Cookie": cookie.split(";")[0]}).status_code == 200
    assert guarded.get("/?token=wrong").status_code == 401
    away = guarded.get(f"http://127.0.0.1//evil.example/?token={TOKEN}")
    assert away.headers["location"] == "/evil.example/", "no other host"


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
    ],
)
def test_nothing_outside_the_folder_and_nothing_hidden(client, path):
    assert client.get(path).status_code == 404
