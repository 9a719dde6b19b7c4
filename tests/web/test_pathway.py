"""The map shows what `her2 network` and `her2 cell` compute, in one layout for every condition."""

from __future__ import annotations

from itertools import pairwise

import pytest

from her2.web import pathway
from her2.web.conditions import ConditionIn, condition_of

CONDITIONS = [
    {"cell": "reference"},
    {"cell": "SKBR3", "drugs": {"lapatinib": 100.0}, "where": "culture"},
    {"cell": "BT474", "drugs": {"trastuzumab": "clinical", "pertuzumab": "clinical"}, "where": "tumour", "days": 28.0},
    {"cell": "HCC1954", "drugs": {"trastuzumab_emtansine": ""}, "where": "cns", "switches": {"pten-loss": 0.5}},
    {"own": {"receptors": {"her2": 2.0}, "ligands": {"heregulin": 3.0}}, "drugs": {"docetaxel": ""}, "where": "tumour"},
]  # fmt: skip


@pytest.mark.parametrize("asked", CONDITIONS)
def test_the_state_is_that_of_the_network_command(asked):
    from her2.export.network_graph import network_graph

    condition = condition_of(ConditionIn(**asked))
    graph = network_graph(condition.model, condition.columns(), condition.days)
    state = pathway.state(ConditionIn(**asked))
    for item in graph.items:
        if item.kind != "drug":
            assert state["items"][item.id]["value"] == pytest.approx(item.value, rel=1e-5, abs=1e-12)
    assert state["net_growth"] == pytest.approx(graph.values["net_growth"], rel=1e-5)


@pytest.mark.parametrize("asked", CONDITIONS)
def test_every_box_and_arrow_of_a_state_has_a_place_in_the_layout(asked):
    layout = pathway.layout()
    boxes = {b["id"] for b in layout["boxes"]}
    links = {k["id"] for k in layout["links"]}
    drugs = {d["id"] for d in layout["drugs"]}
    state = pathway.state(ConditionIn(**asked))
    assert {i for i in state["items"] if not i.startswith("drug:")} <= boxes
    assert {i for i in state["items"] if i.startswith("drug:")} <= drugs
    assert set(state["links"]) <= links
    assert {k["target"] for k in state["drug_links"]} <= boxes
    assert set(state["loops"]) == {k["id"] for k in layout["loops"]}


def test_boxes_do_not_overlap_and_arrows_run_between_their_ends():
    layout = pathway.layout()
    boxes = {b["id"]: b for b in layout["boxes"]}
    rows: dict[int, list] = {}
    for box in boxes.values():
        rows.setdefault(box["row"], []).append(box)
        assert box["x"] - box["width"] / 2 >= 0 and box["x"] + box["width"] / 2 <= layout["width"]
        assert 0 <= box["y"] <= layout["height"]
    for row in rows.values():
        row.sort(key=lambda b: b["x"])
        for left, right in pairwise(row):
            assert left["x"] + left["width"] / 2 <= right["x"] - right["width"] / 2
    for link in layout["links"]:
        source, target = boxes[link["source"]], boxes[link["target"]]
        assert link["points"][0] == [source["x"], source["y"] + source["height"] / 2]
        assert link["points"][-1] == [target["x"], target["y"] - target["height"] / 2]


def test_boxes_and_slow_states_can_be_traced_and_their_claims_exist():
    from her2.evidence.trace import build_graph
    from her2.web.record_view import load_view

    view = load_view()
    graph = build_graph(view.record)
    layout = pathway.layout()
    for part in (*layout["boxes"], *layout["loops"], *layout["drugs"]):
        assert part["trace"] is None or part["trace"] in graph.nodes, part["id"]
    named = {c for part in (*layout["boxes"], *layout["links"], *layout["loops"]) for c in part["claims"]}
    assert named and named <= set(view.record.claims)


def test_texts_of_the_layout_hold_in_every_condition():
    assert (
        pathway.lasting("weight 0.3 (a and b together), now 0.0123; claims: x")
        == "weight 0.3 (a and b together); claims: x"
    )
    assert pathway.lasting("weight 0.5, now stops 1.2e-05; claims: x") == "weight 0.5; claims: x"
    assert pathway.lasting("0.53 of the receptor") == "share of the receptor"
    assert not any(", now" in k["about"] for k in pathway.layout()["links"])


def test_adaptation_over_days_ends_in_the_state_of_its_last_day():
    asked = ConditionIn(cell="SKBR3", drugs={"lapatinib": "clinical"}, where="tumour", days=28.0)
    course = pathway.course(asked, [0.0, 7.0, 28.0])
    state = pathway.state(asked)
    # both end on the same day after the same steps
    for name, values in course["items"].items():
        assert values[-1] == pytest.approx(state["items"][name]["value"], rel=1e-5, abs=1e-9)
    assert course["net_growth"][-1] == pytest.approx(state["net_growth"], rel=1e-5)
    acute = pathway.state(asked.model_copy(update={"days": 0.0}))
    assert course["net_growth"][0] == pytest.approx(acute["net_growth"], rel=1e-5)
    her3 = course["loops"]["her3_adaptation"]
    assert her3[0] == 0.0 and 0.0 < her3[1] < her3[2], "the slow state rises"


def test_the_same_question_has_the_same_run_and_another_dose_another():
    one = pathway.state(ConditionIn(cell="SKBR3", drugs={"lapatinib": 50.0}))
    pathway._states.clear()
    again = pathway.state(ConditionIn(cell="SKBR3", drugs={"lapatinib": 50.0}))
    other = pathway.state(ConditionIn(cell="SKBR3", drugs={"lapatinib": 51.0}))
    assert one["run"] == again["run"] != other["run"]
    assert len(one["run"]["posterior"]) == 64
