"""What a hostile or careless client sends, and what the server must not give away."""

from __future__ import annotations

import json
import sqlite3

import pytest
from asking import Client

from her2.web.jobs.store import Store

HOSTILE = [
    "'; DROP TABLE her2_jobs; --",
    "<script>alert(1)</script>",
    '"\\u0000',
    "\u202eabc",
    "%s%n",
    "{{7*7}}",
    "\x00",
]
CASE = {"her2": "positive", "setting": "metastatic"}


@pytest.fixture
def direct(inner):
    """The application behind the guard, and its jobs taken away afterwards."""
    yield Client(inner)
    for job in inner.state.store.listed(1000):
        inner.state.store.forget(job.id)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_back_as_text(client, text):
    for answer in (
        client.get("/api/evidence", params={"q": text}),
        client.post("/api/network/state", {"cell": text}),
        client.post("/api/patient/check", {"case": {**CASE, "name": text}}),
        client.post("/api/trials/check", {"design": {"id": text, text: text}}),
    ):
        assert answer.status_code in (200, 422)
        assert answer.headers["content-type"] in ("application/json", "application/problem+json")
        json.loads(answer.content)
    found = client.post("/api/patient/check", {"case": {**CASE, "name": text}})
    if found.status_code == 200:
        assert found.json()["case"]["name"] == text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_reaches_no_database_as_code(direct, inner, text):
    store: Store = inner.state.store
    before = len(store.listed(1000))
    for path in ("/api/jobs?state=", "/api/jobs/", "/api/trials/", "/api/evidence/entry/agent/"):
        from urllib.parse import quote

        assert direct.get(path + quote(text, safe="")).status_code in (404, 422), path
    # as name of a case and as key it is stored, and found again as it was
    body = {"kind": "patient", "case": {**CASE, "name": text}}
    asked = direct.post("/api/jobs", body)
    assert asked.status_code in (202, 422)
    if asked.status_code == 202:
        assert direct.get(asked.headers["location"]).json()["input"]["case"]["name"] == text
        assert "\x00" not in asked.json()["title"], "PostgreSQL takes no NUL in a text"
    assert len(store.listed(1000)) == before + (asked.status_code == 202), "the table is there"


@pytest.mark.parametrize(
    "body",
    [b'{"cell": "\\ud800"}', b'{"drugs": {"\\udfff": 1}}', b'{"cell": "\\ud800\\ud800"}'],
)
def test_half_a_surrogate_pair_is_no_text_and_no_failure(client, body):
    answer = client.ask(
        "POST", "/api/network/state", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    json.loads(answer.content)


def test_half_a_surrogate_pair_is_not_stored(direct):
    for name in (b"\\ud800", b"a\\udc00b"):
        body = (
            b'{"kind": "patient", "case": {"her2": "positive", "setting": "metastatic", "name": "'
            + name
            + b'"}}'
        )
        answer = direct.ask("POST", "/api/jobs", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("number", [b"1" * 5000, b"1e999", b"-1e999", b"1" * 400])
def test_a_number_that_is_none_is_refused(client, number):
    body = b'{"days": ' + number + b"}"
    answer = client.ask(
        "POST", "/api/network/state", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422) and answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [{"days": True}, {"days": "3"}, {"drugs": {"lapatinib": True}}, {"drugs": {"lapatinib": "100"}},
     {"ligands": {"heregulin": False}}, {"own": {"receptors": {"her2": True}}}, {"days": None, "where": 1}],
)  # fmt: skip
def test_a_number_is_a_number(client, body):
    assert client.post("/api/network/state", body).status_code == 422


@pytest.mark.parametrize("name", ["patients", "trials", "seed"])
@pytest.mark.parametrize("value", [True, "64", 64.5])
def test_a_whole_number_of_a_job_is_one(client, name, value):
    body = {"kind": "trial", "trial": "cleopatra", "patients": 64, "trials": 0, "seed": 1, name: value}
    assert client.post("/api/jobs", body).status_code == 422


def test_reading_changes_no_job(direct, inner, settings):
    """Every GET and HEAD of the description leaves the tables as they are."""
    made = direct.post("/api/jobs", {"kind": "trial", "trial": "cleopatra", "patients": 64}).json()["id"]
    direct.post(f"/api/jobs/{made}/cancel")
    file = settings.database.removeprefix("sqlite:///")

    def tables() -> list[tuple]:
        with sqlite3.connect(file) as c:
            return [
                row
                for t in ("her2_jobs", "her2_results", "her2_files")
                for row in c.execute(f"SELECT * FROM {t}")
            ]

    before = tables()
    asked = 0
    for path, item in inner.openapi()["paths"].items():
        if "get" not in item or path == "/api/validation":
            continue
        plain = path.replace("/jobs/{id}", f"/jobs/{made}").replace("{name}", "x.csv")
        plain = plain.replace("{kind}", "agent").replace("{id}", "trastuzumab")
        for method in ("GET", "HEAD"):
            assert direct.ask(method, plain).status_code < 500
            asked += 1
    assert asked > 40 and tables() == before


def test_keys_of_jobs_cannot_be_guessed(direct):
    names = {
        direct.post("/api/jobs", {"kind": "trial", "trial": "cleopatra", "patients": 64}).json()["id"]
        for _ in range(20)
    }
    # 12 bytes of the operating system's generator
    assert len(names) == 20 and all(len(n) == 24 and int(n, 16) >= 0 for n in names)
    common = [sum(a == b for a, b in zip(x, y)) for x in names for y in names if x < y]
    # of 24 hexadecimal digits 1.5 agree by chance; 14 in one of 190 pairs has a chance below 1e-7
    assert max(common) < 14


def test_a_job_shows_no_inner_fields(direct):
    headers = {"Idempotency-Key": "a-key-that-is-mine"}
    answer = direct.post(
        "/api/jobs", {"kind": "trial", "trial": "cleopatra", "patients": 64}, headers=headers
    )
    shown = direct.get(answer.headers["location"]).text
    for word in ("a-key-that-is-mine", '"owner"', '"lease"', '"number"', '"key"'):
        assert word not in shown


def test_cases_travel_in_bodies_only(inner):
    names = {"case", "bundle", "yaml", "token", "name", "age", "own"}
    for path, item in inner.openapi()["paths"].items():
        for method, operation in item.items():
            given = {p["name"] for p in operation.get("parameters", ()) if p["in"] in ("query", "path")}
            if path.endswith("/files/{name}"):
                given -= {"name"}
            assert not given & names, f"{method} {path}"


def test_what_is_about_patients_is_not_kept_by_browsers(direct, inner):
    store: Store = inner.state.store
    made = direct.post("/api/jobs", {"kind": "patient", "case": CASE})
    name = made.json()["id"]
    job = store.claim("me")
    store.put_result(job, b'{"kind":"patient","run":{},"result":{}}', "abc")
    from her2.web.jobs.store import StoredFile

    store.finish(job, "done", made=[StoredFile("result.json", "application/json", "record", b"{}")])
    checked = direct.post("/api/patient/check", {"case": CASE})
    paths = ("", "/result", "/files", "/files/result.json", "/events")
    for answer in (
        made,
        checked,
        direct.get("/api/jobs"),
        *(direct.get(f"/api/jobs/{name}{p}") for p in paths),
    ):
        assert answer.status_code in (200, 202)
        assert answer.headers["cache-control"] == "no-store", answer.url


def test_data_in_the_page_cannot_end_its_element():
    from her2.web.routes.about import first_in_page

    content = first_in_page()
    assert content and b"<" not in content and json.loads(content)


def test_an_unforeseen_error_tells_its_kind_and_nothing_else(settings, tmp_path, monkeypatch):
    from dataclasses import replace

    from her2.web.app import create_app
    from her2.web.routes import lists

    def fails() -> bytes:
        raise KeyError("a secret of the machine: /home/someone")

    monkeypatch.setattr(lists, "all_trials", fails)
    client = Client(create_app(replace(settings, database=f"sqlite:///{tmp_path / 'j.sqlite'}")))
    answer = client.ask_quietly("GET", "/api/trials")
    assert answer.status_code == 500 and answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text and "home" not in answer.text and "KeyError" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
