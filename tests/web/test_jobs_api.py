"""Jobs as the page asks for them, without workers: what is accepted, watched, cancelled, resumed, fetched, forgotten."""

from __future__ import annotations

import json

import pytest

from her2.web.jobs.store import StoredFile

TRIAL = {"kind": "trial", "trial": "cleopatra", "patients": 64, "trials": 0, "seed": 7}


@pytest.fixture
def store(inner):
    opened = inner.state.store
    yield opened
    for job in opened.listed(1000):
        opened.forget(job.id)


@pytest.fixture
def direct(inner):
    """Asks the application whose store a test holds in its hands."""
    from asking import Client

    return Client(inner)


def events_of(text: str) -> list[tuple[str, dict]]:
    """Events of a stream with their data."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_job_is_accepted_with_its_place_in_the_queue(direct, store):
    answer = direct.post("/api/jobs", TRIAL)
    job = answer.json()
    assert answer.status_code == 202 and answer.headers["location"] == f"/api/jobs/{job['id']}"
    assert (job["state"], job["position"], job["kind"]) == ("queued", 0, "trial")
    assert job["input"] == {k: v for k, v in TRIAL.items() if k != "kind"}
    second = direct.post("/api/jobs", TRIAL).json()
    assert second["position"] == 1 and second["id"] != job["id"]
    assert [j["id"] for j in direct.get("/api/jobs").json()["jobs"]] == [second["id"], job["id"]]
    assert direct.get("/api/jobs?state=done").json()["jobs"] == []


def test_a_key_makes_a_retry_safe_and_is_not_taken_for_another_job(direct, store):
    headers = {"Idempotency-Key": "one-and-the-same"}
    first = direct.post("/api/jobs", TRIAL, headers=headers).json()
    again = direct.post("/api/jobs", TRIAL, headers=headers).json()
    assert first["id"] == again["id"] and len(direct.get("/api/jobs").json()["jobs"]) == 1
    other = direct.post("/api/jobs", {**TRIAL, "seed": 8}, headers=headers)
    assert other.status_code == 409


def test_a_full_queue_says_when_to_come_again(direct, store, settings):
    for k in range(settings.limits.active_jobs):
        store.add("trial", str(k), {})
    answer = direct.post("/api/jobs", TRIAL)
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) > 0


def test_cancel_resume_and_forget(direct, store):
    name = direct.post("/api/jobs", TRIAL).json()["id"]
    assert direct.post(f"/api/jobs/{name}/resume").status_code == 409
    assert direct.post(f"/api/jobs/{name}/cancel").json()["state"] == "cancelled"
    assert direct.post(f"/api/jobs/{name}/cancel").status_code == 409
    assert direct.post(f"/api/jobs/{name}/resume").json()["state"] == "queued"
    assert direct.ask("DELETE", f"/api/jobs/{name}").status_code == 204
    assert direct.get(f"/api/jobs/{name}").status_code == 404


def test_result_and_files_of_a_job_that_is_done(direct, store):
    name = direct.post("/api/jobs", TRIAL).json()["id"]
    assert direct.get(f"/api/jobs/{name}/result").status_code == 409
    assert direct.get(f"/api/jobs/{name}/files").json() == {"files": []}
    job = store.claim("me")
    store.put_result(job, b'{"kind":"trial"}', "abc")
    assert direct.get(f"/api/jobs/{name}/result").json() == {"kind": "trial"}, "before the pictures are drawn"
    made = [
        StoredFile("kaplan_meier_pfs.svg", "image/svg+xml", "picture", b"<svg/>"),
        StoredFile("ADSL.csv", "text/csv", "table", b"a,b\n"),
    ]
    store.finish(job, "done", made=made)
    assert {f["name"] for f in direct.get(f"/api/jobs/{name}/files").json()["files"]} == {
        f.name for f in made
    }
    table = direct.get(f"/api/jobs/{name}/files/ADSL.csv?inline=true")
    assert table.headers["content-disposition"] == 'attachment; filename="ADSL.csv"', (
        "only pictures are shown"
    )
    picture = direct.get(f"/api/jobs/{name}/files/kaplan_meier_pfs.svg?inline=true")
    assert picture.headers["content-disposition"].startswith("inline")
    assert "sandbox" in picture.headers["content-security-policy"], "an SVG by itself runs nothing"
    assert direct.get(f"/api/jobs/{name}/files/none.csv").status_code == 404
    assert direct.get(f"/api/jobs/{name}/files/..%2Fx").status_code in (404, 422)


def test_a_finished_job_is_told_at_once_to_who_watches(direct, store):
    name = direct.post("/api/jobs", TRIAL).json()["id"]
    direct.post(f"/api/jobs/{name}/cancel")
    answer = direct.get(f"/api/jobs/{name}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events_of(answer.text)
    assert [event for event, _ in told] == ["job", "end"]
    assert told[-1][1]["state"] == "cancelled"


def test_who_comes_late_sees_the_newest_of_everything(direct, store, inner):
    name = direct.post("/api/jobs", TRIAL).json()["id"]
    job = store.claim("me")
    board = inner.state.manager.board
    board.start(name)
    for k in (1, 2, 3):
        board.update(name, progress={"stage": "patients", "share": k / 4, "done": k, "of": 4})
        board.update(name, partial={"patients": k})
    store.finish(job, "failed", "it broke")
    told = events_of(direct.get(f"/api/jobs/{name}/events").text)
    # the job has ended: its end is all that counts
    assert told[-1] == ("end", direct.get(f"/api/jobs/{name}").json())
    live = board.get(name)
    from her2.web.routes.jobs import _news

    sent = {"version": -1, "progress": 0, "partial": 0, "result": 0}
    news = dict(_news(live, sent))
    assert news["progress"]["share"] == 0.75 and news["partial"] == {"patients": 3}
    assert _news(live, sent) == [], "nothing is told twice"


def test_an_edited_trial_and_a_bundle_are_accepted(direct, store):
    from pathlib import Path

    design = direct.get("/api/trials/cleopatra").json()["design"]
    design["id"] = "my_trial"
    body = {**TRIAL, "design": design}
    body.pop("trial")
    assert direct.post("/api/jobs", body).status_code == 202
    pytest.importorskip("fhir.resources", reason="needs the extra 'fhir'")
    bundle = json.loads((Path(__file__).parents[1] / "prognosis" / "data" / "mcode_example.json").read_text())
    checked = direct.post("/api/patient/check", {"bundle": bundle})
    assert checked.status_code == 200 and checked.json()["case"]["her2"] == "positive"
    assert direct.post("/api/jobs", {"kind": "patient", "bundle": bundle}).status_code == 202


def test_the_examples_can_be_predicted_and_the_form_knows_every_item(direct, store):
    offered = direct.get("/api/patient/template").json()
    assert len(offered["examples"]) == 3
    for example in offered["examples"]:
        assert direct.post("/api/patient/check", {"yaml": example["yaml"]}).status_code == 200
        assert direct.post("/api/jobs", {"kind": "patient", "yaml": example["yaml"]}).status_code == 202
    fields = {f["name"]: f for f in offered["fields"]}
    assert (
        fields["biomarkers.pten"]["words"] == ["lost", "present"]
        and fields["biomarkers.pten"]["kind"] == "choice"
    )
    assert (fields["lvef"]["low"], fields["lvef"]["high"], fields["lvef"]["unit"]) == (5, 90, "per cent")
    assert fields["sites"]["kind"] == "choices" and fields["de_novo"]["kind"] == "boolean"
    assert fields["lines"]["kind"] == "list" and {f["name"] for f in fields["lines"]["fields"]} >= {
        "agents",
        "months",
    }
