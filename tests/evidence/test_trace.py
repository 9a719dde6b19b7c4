"""From any entry one reaches its source and what rests on it; both ways say the same."""

from __future__ import annotations

import json

import pytest

from her2.errors import Her2Error
from her2.evidence.trace import Graph


@pytest.fixture(scope="module")
def graph(record):
    return Graph(record)


def reached(graph, key, direction):
    return {n.key for n in graph.reach([key], direction)[0]}


def test_up_and_down_are_the_same_links(graph):
    for key in graph.nodes:
        for node, _ in graph.next(key, "up"):
            assert key in {n.key for n, _ in graph.next(node.key, "down")}


def test_every_node_but_a_source_rests_on_a_source(graph):
    without = [
        key
        for key, node in graph.nodes.items()
        if node.kind not in ("source", "agent", "regimen")
        and not any(k.startswith("source:") for k in reached(graph, key, "up"))
    ]
    # an edge of a network that only arranges states rests on nothing of its own
    assert [k for k in without if not k.startswith("edge:")] == []


def test_nothing_rests_on_itself(graph):
    for key in graph.nodes:
        start = [n.key for n, _ in graph.next(key, "up")]
        assert key not in {n.key for n in graph.reach(start, "up")[0]}, key


def test_a_trial_rests_on_lines_of_the_reviews(graph):
    up = reached(graph, "trial:cleopatra", "up")
    assert {
        "study:cleopatra",
        "agent:pertuzumab",
        "population:first_line_metastatic",
        "network:pathway",
    } <= up
    assert "value:cleopatra.pfs.median.docetaxel+trastuzumab" in up
    assert {"source:review_a", "source:review_b", "parameter:kill.docetaxel"} <= up


def test_a_claim_supports_network_and_trials(graph):
    down = reached(graph, "claim:pi3k_constitutive_by_pik3ca", "down")
    assert "edge:pathway.nodes.pi3k" in down
    assert "trial:cleopatra" in down


def test_a_claim_names_its_figures(graph):
    up = {n.key for n, _ in graph.next("claim:cleopatra_pfs", "up")}
    assert "value:cleopatra.pfs.hr.docetaxel+pertuzumab+trastuzumab_v_docetaxel+trastuzumab" in up
    assert "value:cleopatra.os.median.docetaxel+trastuzumab" not in up


def test_every_kind_of_entry_can_be_traced(graph, record):
    for kind, entries in (
        ("source", record.sources),
        ("agent", record.agents),
        ("mechanism", record.mechanisms),
        ("claim", record.claims),
        ("study", record.studies),
        ("rule", record.rules),
        ("conflict", record.conflicts),
        ("parameter", record.parameters),
        ("trial", record.trials),
    ):
        for name in entries:
            assert f"{kind}:{name}" in graph.nodes


def test_an_unknown_id_names_the_nearest(graph):
    with pytest.raises(Her2Error, match="nearest: 'cleopatra_pfs'"):
        graph.find("cleopatra_pfss")
    with pytest.raises(Her2Error, match="unknown kind 'clame'; nearest: 'claim'"):
        graph.find("clame:cleopatra_pfs")


def test_one_id_of_several_kinds_finds_all(graph):
    assert {n.kind for n in graph.find("cleopatra")} >= {"study", "trial"}
    assert [n.kind for n in graph.find("study:cleopatra")] == ["study"]


def test_the_command_line_prints_a_tree_and_json(her2):
    assert "rests on" in her2("trace", "cleopatra_pfs").out
    up = json.loads(her2("trace", "claim:cleopatra_pfs", "--up", "--json").out)
    assert set(up) == {"found", "rests_on"}
    assert any(n["kind"] == "source" for n in up["rests_on"]["nodes"])
    both = json.loads(her2("trace", "kill.docetaxel", "--json", "--depth", "9").out)
    assert any(n["key"] == "trial:cleopatra" for n in both["supports"]["nodes"])
    assert her2("trace", "no_such_thing_at_all").code == 2


def test_own_entries_are_part_of_the_graph(own_record, her2):
    data = json.loads(her2("trace", "my_trial", "--json").out)
    assert data["found"][0]["user"]
    assert any(n["id"] == "my_source" for n in data["rests_on"]["nodes"])
    assert any(n["id"] == "my_claim_on_brain_penetration" for n in data["supports"]["nodes"])
