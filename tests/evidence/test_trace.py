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
        ("attribute", record.attributes),
        ("cell", record.cells),
        ("switch", record.switches),
        ("experiment", record.experiments),
    ):
        for name in entries:
            assert f"{kind}:{name}" in graph.nodes


def test_a_claim_leads_to_edge_action_switch_and_experiment(graph):
    down = {n.key for n, _ in graph.next("claim:pten_loss_activates_pathway", "down")}
    assert {
        "edge:pathway.nodes.pip3.pi3k-pten_activity",
        "switch:pten-loss",
        "experiment:pten_loss_activates_pathway",
        "mechanism:pten_loss",
    } <= down
    assert "action:lapatinib.kinase.her2" in {
        n.key for n, _ in graph.next("claim:lapatinib_structure", "down")
    }


def test_an_edge_leads_back_to_lines_and_a_parameter_to_its_edges(graph):
    up = {n.key for n, _ in graph.next("edge:pathway.nodes.pip3.pi3k-pten_activity", "up")}
    assert {"claim:pten_loss_activates_pathway", "parameter:signalling.w_pten"} <= up
    lines = {n.key: why for n, why in graph.next("claim:pten_loss_activates_pathway", "up")}
    assert "lines" in lines["source:review_a"]
    down = {n.key for n, _ in graph.next("parameter:signalling.w_bypass_pi3k", "down")}
    assert {"edge:pathway.nodes.pi3k.igf1r", "edge:pathway.nodes.pi3k.met"} <= down


def test_an_experiment_rests_on_what_it_reads_and_sets(graph):
    up = {n.key for n, _ in graph.next("experiment:pten_loss_activates_pathway", "up")}
    assert up == {"claim:pten_loss_activates_pathway", "attribute:pten", "edge:pathway.nodes.akt"}


def test_a_bare_id_of_a_claim_finds_the_claim(graph):
    assert [n.kind for n in graph.find("pten_loss_activates_pathway")] == ["claim"]
    assert [n.kind for n in graph.find("experiment:pten_loss_activates_pathway")] == ["experiment"]


def test_a_switch_that_takes_an_action_away_rests_on_it(graph):
    up = {n.key for n, _ in graph.next("switch:no-everolimus-mtor", "up")}
    assert "action:everolimus.node.mtorc1" in up
    up = {n.key for n, _ in graph.next("switch:no-afatinib-kinase", "up")}
    assert len([k for k in up if k.startswith("action:afatinib.kinase.")]) > 1


def test_a_cell_rests_on_the_sources_of_its_values(graph):
    up = {n.key for n, _ in graph.next("cell:bt474", "up")}
    assert {"source:niepel_2013", "attribute:her2"} <= up


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
