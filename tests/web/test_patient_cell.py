"""A patient's tumour as a cell of the map: nothing known is dropped, and what is altered alters the cell."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from her2.cell.switches import load_switches
from her2.sequencing.state import Biomarkers, PatientState
from her2.web.patient_cell import SWITCHES, cell_of

VALUES = [
    (name, value)
    for name, field in Biomarkers.model_fields.items()
    for part in get_args(field.annotation)
    for value in get_args(part)
]


def test_every_switch_exists_and_can_be_set():
    known = load_switches()
    assert [s for s in SWITCHES.values() if s not in known or known[s].not_a_switch] == []


def test_every_item_and_value_that_sets_a_switch_exists_in_a_case():
    parts: dict[str, Any] = {"biomarkers.": Biomarkers, "": PatientState}
    for item, value in SWITCHES:
        prefix = "biomarkers." if item.startswith("biomarkers.") else ""
        field = parts[prefix].model_fields[item.removeprefix(prefix)]
        assert value in [v for part in get_args(field.annotation) for v in get_args(part)], item


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_no_marker_that_is_known_is_lost(name: str, value: str):
    made = cell_of(PatientState(biomarkers=Biomarkers(**{name: value})))
    said = [x["item"] for part in ("altered", "as_reference", "left_out") for x in made[part]]
    assert said == [f"biomarkers.{name}"]
    assert set(made["condition"]["switches"]) == {x["switch"] for x in made["altered"]}


def test_nothing_known_is_the_reference_cell():
    made = cell_of(PatientState())
    assert made["condition"] == {
        "cell": "reference", "drugs": {}, "switches": {}, "ligands": {}, "where": "tumour",
    }  # fmt: skip


def test_a_case_with_lost_pten_has_none_on_the_map(client):
    case = {"her2": "positive", "hormone_receptor": "negative", "biomarkers": {"pten": "lost", "ps6": "high"}}
    made = client.post("/api/patient/cell", {"case": case}).json()
    assert [x["switch"] for x in made["altered"]] == ["pten-loss"]
    assert [x["item"] for x in made["left_out"]] == ["biomarkers.ps6"], "a readout is no attribute of a cell"
    items = client.post("/api/network/state", made["condition"]).json()["items"]
    usual = client.post("/api/network/state", {"where": "tumour"}).json()["items"]
    assert items["pten_activity"]["value"] < 0.01 < usual["pten_activity"]["value"]
    assert items["akt"]["value"] > usual["akt"]["value"]
