"""The search finds by every name, needs every word, respects facets, ranks, says the place, and is quick."""

from __future__ import annotations

import json
import time

import pytest

from her2.errors import Her2Error, UnknownNameError
from her2.evidence.query import KINDS, build_index, search


def ids(found):
    return [h.id for h in found.hits]


@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("ONT-380", "tucatinib"),
        ("ont 380", "tucatinib"),
        ("ARRY-380", "tucatinib"),
        ("T-DM1", "t_dm1"),
        ("MGAH22", "margetuximab"),
        ("HKI-272", "neratinib"),
        ("BIBW 2992", "afatinib"),
        ("XL147", "pilaralisib"),
        ("SAR245408", "pilaralisib"),
        ("BYL719", "alpelisib"),
        ("GDC-0032", "taselisib"),
        ("BKM120", "buparlisib"),
        ("Herceptin", "trastuzumab"),
        ("Perjeta", "pertuzumab"),
    ],
)
def test_code_names_and_brands_find_the_agent_first(record, name, agent):
    assert search(record, name).hits[0].id == agent


def test_every_agent_is_found_by_every_name(record):
    for kept in record.agents.values():
        for name in (kept.entry.id, kept.entry.name, *kept.entry.aliases):
            found = search(record, name, kind="agent", limit=200)
            assert kept.entry.id in ids(found), name


def test_an_alias_finds_entries_that_use_another_name(record):
    assert set(ids(search(record, "ONT-380", limit=5000))) == set(
        ids(search(record, "tucatinib", limit=5000))
    )


def test_all_words_are_needed(record):
    one, both = search(record, "PTEN", limit=5000), search(record, "PTEN everolimus", limit=5000)
    assert set(ids(both)) < set(ids(one))
    assert search(record, "PTEN xylophone").total == 0


def test_case_and_order_of_words_do_not_matter(record):
    assert set(ids(search(record, "pten EVEROLIMUS", limit=5000))) == set(
        ids(search(record, "Everolimus PTEN", limit=5000))
    )


@pytest.mark.parametrize(
    ("question", "kind", "name"),
    [("BT-474", "cell", "bt474"), ("SKBR3", "cell", "skbr3"), ("PTEN loss", "switch", "pten-loss")],
)
def test_cells_and_switches_are_found(record, question, kind, name):
    assert name in ids(search(record, question, kind=kind))


@pytest.mark.parametrize("question", ["", "   ", "???", "—", "\x00", "'; DROP TABLE claims; --", "a" * 5000])
def test_odd_questions_do_no_harm(record, question):
    search(record, question)


def test_facets_hold_for_every_hit(record):
    assert all("trastuzumab" in h.agents for h in search(record, agent="Herceptin", limit=500).hits)
    assert all(h.endpoint == "pfs" for h in search(record, endpoint="pfs", limit=500).hits)
    assert all(h.level == "phase_3" for h in search(record, level="phase_3", limit=500).hits)
    assert all("first_line" in h.settings for h in search(record, line="1", limit=500).hits)
    assert all("pik3ca" in h.biomarkers for h in search(record, biomarker="PIK3CA", limit=500).hits)
    review_a = search(record, source="review_a", limit=5000).hits
    assert all(h.id == "review_a" or any(p.source == "review_a" for p in h.places) for h in review_a)
    for kind in KINDS:
        assert all(h.kind == kind for h in search(record, kind=kind, limit=500).hits)
    assert all(h.claim_kind == "mechanism" for h in search(record, kind="claim:mechanism", limit=500).hits)
    assert all(h.claim_kind == "null_result" for h in search(record, kind="null_result", limit=500).hits)


@pytest.mark.parametrize(
    "facet",
    [
        {"agent": "pertuzumba"},
        {"mechanism": "ptenlos_x"},
        {"endpoint": "ofs"},
        {"kind": "claimz"},
        {"line": "ninth"},
        {"level": "phase_9"},
        {"source": "review_c"},
        {"biomarker": "zzzz9"},
    ],
)
def test_unknown_facets_name_the_valid_ones(record, facet):
    with pytest.raises(UnknownNameError, match=r"unknown .* \(valid: "):
        search(record, "", **facet)


def test_a_limit_cuts_but_the_total_stays(record):
    found = search(record, "trastuzumab", limit=3)
    assert len(found.hits) == 3 < found.total
    with pytest.raises(Her2Error, match="at least 1"):
        search(record, "trastuzumab", limit=0)


def test_hits_say_where_they_stand(record):
    for hit in search(record, "pertuzumab", kind="claim", limit=50).hits:
        assert hit.places, hit.id
        assert "lines" in hit.where


def test_a_warm_query_takes_less_than_50_ms(record):
    build_index(record)
    for question in (
        "PTEN",
        "trastuzumab resistance",
        "progression free survival",
        "T-DM1 brain metastases os",
        "a",
    ):
        fastest = 1.0
        for _ in range(5):
            start = time.perf_counter()
            search(record, question, limit=100)
            fastest = min(fastest, time.perf_counter() - start)
        assert fastest < 0.05, question


def test_the_command_line_shows_and_prints_json(her2):
    shown = her2("evidence", "PTEN", "--limit", "3")
    assert shown.code == 0
    assert "review_" in shown.out
    data = json.loads(her2("evidence", "PTEN", "loss", "--kind", "claim", "--json", "--limit", "2").out)
    assert len(data["results"]) == 2 <= data["total"]
    assert {"kind", "id", "title", "places", "user"} <= set(data["results"][0])


def test_the_command_line_explains_what_it_needs(her2):
    assert her2("evidence", "--agent", "pertuzumba").code == 2
    assert "nearest: 'pertuzumab'" in her2("evidence", "--agent", "pertuzumba").err
    nothing = her2("evidence", "pertuzumabb")
    assert nothing.code == 0
    assert "nearest: 'pertuzumab'" in nothing.out
    assert her2("evidence", "--json").code == 2


def test_own_entries_are_found_and_marked(own_record, her2):
    data = json.loads(her2("evidence", "ZV-123", "--json").out)
    assert {r["kind"] for r in data["results"]} == {"agent", "claim", "trial", "value"}
    assert all(r["user"] for r in data["results"])
    assert "(yours)" in her2("evidence", "zorvatinib").out
    shipped = json.loads(her2("evidence", "PTEN", "--json").out)
    assert not any(r["user"] for r in shipped["results"])


def test_a_folder_that_does_not_exist_is_an_error(monkeypatch, her2):
    monkeypatch.setenv("HER2_RECORD", "/nowhere/at/all")
    result = her2("evidence", "PTEN")
    assert result.code == 2
    assert "HER2_RECORD" in result.err
