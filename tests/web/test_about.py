"""The first screen and the scoreboard."""

from __future__ import annotations

import json

from her2.web.routes.about import PRECOMPUTED, shown_scoreboard


def test_the_first_screen_is_whole_small_and_named():
    import gzip

    content = (PRECOMPUTED / "cleopatra.json").read_bytes()
    assert len(gzip.compress(content)) < 100_000
    data = json.loads(content)
    trial = data["trial"]
    assert {c["arm"] for c in trial["curves"]["pfs"]} == {a["id"] for a in trial["arms"]}
    assert trial["run"]["digest"] == trial["result"]["digest"] and len(trial["run"]["posterior"]) == 64
    assert trial["table"] and trial["waterfall"] and trial["published"]
    assert data["network"]["state"]["run"]["posterior"] == trial["run"]["posterior"]
    assert all(r["role"] in (None, "fit", "context") for r in trial["table"])


def test_the_page_brings_its_first_screen_along_and_no_other_view_does(settings, client):
    import re
    from dataclasses import replace

    from asking import Client

    from her2.web.app import create_app
    from her2.web.settings import STATIC
    from her2.web.static_files import EMPTY

    assert EMPTY in (STATIC / "index.html").read_bytes(), "the built page has room for it"
    page = Client(create_app(replace(settings, static=STATIC)))
    start = page.get("/").text
    held = re.findall(r'<script type="application/json" id="first">(.*?)</script>', start, re.S)
    assert len(held) == 1 and "<" not in held[0]
    assert json.loads(held[0]) == client.get("/api/first?brief=true").json()
    whole = client.get("/api/first").json()["trial"]
    assert json.loads(held[0])["trial"]["curves"] == {k: whole["curves"][k] for k in ("pfs", "os")}
    assert EMPTY.decode() in page.get("/trial/cleopatra").text
    tag = page.get("/").headers["etag"]
    assert page.get("/", headers={"if-none-match": tag}).status_code == 304
    assert page.get("/trial/cleopatra").headers["etag"] != tag


def test_the_shipped_scoreboard_hides_what_is_held_out_and_none_is_said_plainly(client):
    from her2.evidence.load import DATA

    answer = client.get("/api/validation")
    if (DATA / "validation" / "scoreboard.json").exists():
        assert answer.status_code == 200
        hidden = [r for t in answer.json()["trials"] for r in t["endpoints"] if r["role"] == "held_out"]
        assert hidden and all(r["published"] is None and r["inside90"] is None for r in hidden)
    else:
        assert answer.status_code == 404 and "her2 validate" in answer.json()["detail"]


def test_a_scoreboard_is_shown_without_what_is_held_out():
    row = {"endpoint": "pfs", "statistic": "median", "predicted": 9.0}
    open_row = {**row, "published": 8.0, "inside90": True, "role": "fit", "figure": "a", "source": "x"}
    held = {**row, "endpoint": "os", "published": 1234.5, "published_low": 1.0, "inside90": False, "role": "held_out",
            "figure": "b", "source": "y", "note": "z"}  # fmt: skip
    data = {
        "trials": [{"id": "t", "endpoints": [open_row, held]}],
        "scores": {"fit": {}, "held_out": {"mae": {"value": 1234.5}}, "leave_one_out": {}, "context": {}},
        "baselines": {"null_model": {"says": "", "scores": {"fit": {}, "held_out": {}}}},
        "misses": [{"trial": "t", "endpoint": "os", "distance": 1234.5}, {"trial": "t", "endpoint": "pfs"}],
        "not_predicted": [{"trial": "t", "role": "held_out"}, {"trial": "t", "role": "context"}],
        "held_out": True, "digest": "d",
    }  # fmt: skip
    shown = shown_scoreboard(data)
    assert "1234.5" not in json.dumps(shown) and shown["hidden"] == 1
    assert shown["trials"][0]["endpoints"][0] == open_row
    assert shown["trials"][0]["endpoints"][1]["predicted"] == 9.0, "the prediction stays"
    assert set(shown["scores"]) == {"fit", "context"} and set(shown["baselines"]["null_model"]["scores"]) == {
        "fit"
    }
    assert [m["endpoint"] for m in shown["misses"]] == ["pfs"]
