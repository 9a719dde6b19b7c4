"""Files of the cell model that cannot be: the message names file and field, the command line ends with code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from her2.cell.cell import load_cell
from her2.cell.switches import load_switches as checked_switches
from her2.errors import Her2Error, NetworkError, RecordError, UnknownNameError
from her2.evidence.biology import ExperimentFile, SwitchFile
from her2.evidence.lint import lint_record
from her2.evidence.load import (
    DATA,
    canonical_values,
    load_agent,
    load_attributes,
    load_cells,
    load_experiments,
    load_network,
    load_parameters,
    load_switches,
    parse,
    read_yaml,
)
from her2.evidence.record import load_record
from her2.signalling.network import build_network


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """An empty folder that is the user's record."""
    monkeypatch.setenv("HER2_RECORD", str(tmp_path))
    return tmp_path


def write(folder: Path, place: str, text: object) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        text if isinstance(text, str) else yaml.safe_dump(json.loads(json.dumps(text)), sort_keys=False),
        encoding="utf-8",
    )
    return path


def shipped(name: str):
    return yaml.safe_load((DATA / "network" / f"{name}.yaml").read_text(encoding="utf-8"))


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed command in a process of its own, with the user's record of the test."""
    return subprocess.run(
        [sys.executable, "-c", "from her2.cli.main import main; main()", *arguments],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, check=False,
    )  # fmt: skip


def compiled():
    """The pathway layer of the user's record, compiled."""
    return build_network(load_network("pathway"), canonical_values(), ("her2", "her3", "delta16"))


def node(data, name):
    return next(n for n in data["nodes"] if n["id"] == name)


# -- the network ---------------------------------------------------------------------------------
def test_an_edge_to_an_unknown_node(folder):
    data = shipped("pathway")
    node(data, "akt")["reactions"][0]["activators"] = ["pip4"]
    path = write(folder, "network/pathway.yaml", data)
    with pytest.raises(
        NetworkError, match=r"network/pathway.yaml, nodes.akt: unknown node 'pip4'; nearest: 'pip3'"
    ):
        compiled()
    result = command("cell", "bt474", "--members", "0")
    assert result.returncode == 2
    assert "nodes.akt: unknown node 'pip4'" in result.stderr
    assert result.stderr.count("\n") == 1
    lint = command("lint", str(path), "--json")
    assert lint.returncode == 1
    [error] = [f for f in json.loads(lint.stdout)["findings"] if f["severity"] == "error"]
    assert error["file"] == str(path)
    assert error["field"] == "nodes.akt, edge from pip4"


def test_a_cycle_without_a_slow_node(folder):
    data = shipped("pathway")
    node(data, "ras")["reactions"][0]["activators"] = ["erk"]
    write(folder, "network/pathway.yaml", data)
    with pytest.raises(NetworkError, match="cycle without a slow state: .*erk") as caught:
        compiled()
    assert all(
        name in str(caught.value) for name in ("ras", "raf", "mek", "network/pathway.yaml", "slow_states")
    )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            lambda r: r.update(weight="signalling.w_ful"),
            "no parameter 'signalling.w_ful'; nearest: 'signalling.w_full'",
        ),
        (lambda r: r.update(weight=0.5), r"nodes.akt.reactions.0.weight: expected the id of a parameter"),
        (lambda r: r.pop("weight"), r"nodes.akt.reactions.0.weight: required, but missing"),
        (lambda r: r.update(wieght="x"), r"unknown key 'wieght'; nearest: 'weight'"),
    ],
)
def test_a_weight_without_a_parameter(folder, change, what):
    data = shipped("pathway")
    change(node(data, "akt")["reactions"][0])
    write(folder, "network/pathway.yaml", data)
    with pytest.raises(Her2Error, match=what) as caught:
        compiled()
    assert "network/pathway.yaml" in str(caught.value)


def test_a_parameter_without_a_source(folder):
    entry = {"id": "mine.w", "label": "w", "value": 1, "unit": "1", "quality": "assumed", "locator": "x"}
    write(folder, "parameters/mine.yaml", {"id": "mine", "parameters": [entry]})
    with pytest.raises(RecordError, match=r"mine.yaml, parameters.mine.w.source: required, but missing"):
        load_parameters()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: node(d, "akt").update(reactions=[]), "nodes.akt: a node needs at least one reaction"),
        (lambda d: d["slow_states"][0].update(acts_on={}), "slow_states.her3_adaptation: acts_on"),
        (lambda d: d["slow_states"][0].update(follows="up"), "slow_states.her3_adaptation.follows"),
        (lambda d: d["inputs"][0].update(population=2), "inputs.pi3k_recruitment.population"),
        (lambda d: d.pop("nodes"), "nodes: required, but missing"),
    ],
)
def test_other_slips_of_the_pathway_file(folder, change, what):
    data = shipped("pathway")
    change(data)
    write(folder, "network/pathway.yaml", data)
    with pytest.raises(RecordError, match=what) as caught:
        load_network("pathway")
    assert "network/pathway.yaml" in str(caught.value)


def test_a_dimer_without_a_strength(folder):
    data = shipped("receptors")
    data["dimers"][0]["channels"][0].pop("strength")
    write(folder, "network/receptors.yaml", data)
    with pytest.raises(RecordError, match=r"dimers.her2_her2.channels.0.strength: required, but missing"):
        load_network("receptors")


def test_what_is_loaded_can_be_changed_without_harm():
    load_network("pathway")["nodes"].clear()
    assert load_network("pathway")["nodes"]


# -- cells ---------------------------------------------------------------------------------------
CELL = """
id: mine
name: mine
her2_amplified: true
describes: a cell of my own
receptors:
  her2: {value: 1.0, quality: assumed, source: inferred_c, locator: mine}
"""


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "value: 1.0",
            "value: 1300000",
            r"receptors, her2: 1.3e\+06 is impossible; HER2 lies between 0 and 20",
        ),
        ("value: 1.0", "value: -1", "her2: -1 is impossible"),
        ("value: 1.0", "value: .nan", "receptors.her2.value: expected a finite number"),
        ("value: 1.0", "value: many", "receptors.her2.value"),
        ("value: 1.0, ", "", "receptors.her2.value: required, but missing"),
        ("her2:", "her22:", "unknown attribute 'her22'; nearest: 'her2'"),
        ("  her2:", "  pten:", "unknown attribute 'pten'"),
        ("receptors:", "receptor:", "unknown key 'receptor'; nearest: 'receptors'"),
        ("her2_amplified: true", "her2_amplified: maybe", "her2_amplified"),
        ("locator: mine", "locator: mine, colour: red", "unknown key 'colour'"),
        ("name: mine\n", "name: mine\nname: yours\n", "key 'name' given twice"),
        ("receptors:", "receptors: [", "not valid YAML"),
    ],
)
def test_a_cell_that_cannot_be(tmp_path, old, new, what):
    path = write(tmp_path, "mine.yaml", CELL.replace(old, new, 1))
    with pytest.raises(Her2Error, match=what) as caught:
        load_cell(str(path))
    assert "mine.yaml" in str(caught.value)


def test_a_cell_that_cannot_be_on_the_command_line(tmp_path):
    path = write(tmp_path, "mine.yaml", CELL.replace("value: 1.0", "value: 1300000"))
    result = command("cell", str(path), "--members", "0")
    assert result.returncode == 2
    assert result.stderr.startswith(f"her2: {path}")
    assert "Traceback" not in result.stderr


def test_a_cell_of_ones_own_beside_the_shipped_ones(folder):
    write(folder, "cells/mine.yaml", CELL)
    assert load_cells()["mine"].receptors["her2"].value == 1.0
    write(folder, "cells/other.yaml", CELL)
    with pytest.raises(RecordError, match="'mine' does not match the file name 'other'"):
        load_cells()


# -- agents --------------------------------------------------------------------------------------
AGENT = """
id: zorvatinib
name: zorvatinib
kind: kinase_inhibitor
pharmacodynamics:
  actions:
    - {"on": kinase, target: her2, half: 9, unit: nmol/L, quality: measured, source: inferred_c, locator: "x"}
"""


def test_an_action_on_an_unknown_target(folder):
    path = write(folder, "agents/zorvatinib.yaml", AGENT.replace("target: her2", "target: her22"))
    result = command("cell", "bt474", "--dose", "zorvatinib=10", "--members", "0")
    assert result.returncode == 2
    assert "agents/zorvatinib.yaml, pharmacodynamics: no kinase 'her22'" in result.stderr
    lint = command("lint", str(path))
    assert lint.returncode == 1
    assert "nearest: 'her2'" in lint.stdout


def test_the_same_agent_without_the_slip_acts(folder):
    write(folder, "agents/zorvatinib.yaml", AGENT)
    result = command("cell", "bt474", "--dose", "zorvatinib=10", "--members", "0", "--json")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"on": kinase', '"on": kinse', "pharmacodynamics.actions.0.on"),
        ("half: 9", "half: -9", "pharmacodynamics.actions.0.half"),
        ("half: 9, ", "", "an action on 'kinase' needs half"),
        ("unit: nmol/L", "unit: mg/L", "pharmacodynamics.actions.0.unit"),
        ("half: 9", "half: 9, max: 2", "pharmacodynamics.actions.0.max"),
        ("source: inferred_c, ", "", "pharmacodynamics.actions.0.source: required, but missing"),
        ("half: 9", "half: 9, halff: 3", "unknown key 'halff'; nearest: 'half'"),
    ],
)
def test_an_action_that_cannot_be(folder, old, new, what):
    write(folder, "agents/zorvatinib.yaml", AGENT.replace(old, new, 1))
    with pytest.raises(RecordError, match=what) as caught:
        load_agent("zorvatinib")
    assert "zorvatinib.yaml" in str(caught.value)


@pytest.mark.parametrize("key", ["on", "ON", "yes", "no", "off", "true"])
def test_a_key_that_yaml_reads_as_yes_or_no(folder, key):
    write(folder, "agents/zorvatinib.yaml", AGENT.replace('"on"', key))
    with pytest.raises(
        RecordError, match=rf"line 7: YAML reads the key {key} as (true|false); put it in quotes"
    ) as caught:
        load_agent("zorvatinib")
    assert f'"{key}"' in str(caught.value)


def test_an_unquoted_on_at_the_command_line(folder):
    path = write(folder, "agents/zorvatinib.yaml", AGENT.replace('"on"', "on"))
    result = command("cell", "bt474", "--members", "0")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert f"{path}, line 7" in result.stderr
    lint = command("lint", str(path))
    assert lint.returncode == 1
    assert 'put it in quotes: "on"' in lint.stdout


# -- switches, attributes, experiments -------------------------------------------------------------
def switch(**changes):
    data = {
        "id": "x",
        "mechanism": "pten_loss",
        "label": "x",
        "why": "x",
        "sets": [{"attribute": "pten", "to": 0.0}],
    }
    return {"id": "switches", "switches": [data | changes]}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"sets": [{"attribute": "ptenn", "to": 0.0}]}, "x: unknown attribute 'ptenn'; nearest: 'pten'"),
        ({"sets": [{"attribute": "pten", "to": 7.0}]}, "x, pten: 7 is impossible"),
        ({"sets": [{"attribute": "pten"}]}, "switches.x.sets.0: give either 'to' or 'factor'"),
        ({"sets": [{"attribute": "pten", "to": 0, "factor": 2}]}, "give either 'to' or 'factor'"),
        ({"sets": []}, "switches.x: give what the switch does"),
        ({"not_a_switch": "why"}, "switches.x: give what the switch does"),
        ({"sets": [], "parameters": {"signalling.nothing": 0}}, "unknown parameter 'signalling.nothing'"),
        ({"disables": [{"agent": "lapatinib", "action": "vegf"}]}, "lapatinib has no action 'vegf"),
        ({"adds": {"lapatinib": 5}}, "switches.x.adds.lapatinib"),
        ({"grade": 1}, "switches.x.grade"),
        ({"id": "has a space"}, "id: String should match"),
    ],
)
def test_a_switch_that_cannot_be(folder, change, what):
    write(folder, "network/switches.yaml", switch(**change))
    with pytest.raises(Her2Error, match=what) as caught:
        checked_switches()
    assert "network/switches.yaml" in str(caught.value)


def test_a_switch_that_cannot_be_on_the_command_line(folder):
    write(folder, "network/switches.yaml", switch(sets=[{"attribute": "ptenn", "to": 0.0}]))
    result = command("cell", "bt474", "--with", "x", "--members", "0")
    assert result.returncode == 2
    assert "network/switches.yaml, x: unknown attribute 'ptenn'" in result.stderr


def test_ids_given_twice(folder):
    data = switch()
    data["switches"] *= 2
    write(folder, "network/switches.yaml", data)
    with pytest.raises(RecordError, match="switch 'x' is declared twice"):
        load_switches()
    data = shipped("attributes")
    data["attributes"] += data["attributes"][:1]
    write(folder, "network/attributes.yaml", data)
    with pytest.raises(RecordError, match="attribute 'egfr' is declared twice"):
        load_attributes()


EXPERIMENT = {
    "claim": "c",
    "conditions": {"a": {}, "b": {"set": {"pten": 0}}},
    "readout": "akt",
    "statistic": {"kind": "difference", "of": ["b", "a"]},
    "expect": {"relation": "greater"},
    "why": "x",
}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            {"statistic": {"kind": "difference", "of": ["b"]}},
            "experiments.c.statistic: 'difference' needs 2 conditions",
        ),
        (
            {"statistic": {"kind": "difference", "of": ["b", "z"]}},
            "experiments.c: statistic: no condition 'z'",
        ),
        ({"expect": {"relation": "between"}}, "experiments.c.expect: 'between' needs low and high"),
        ({"expect": {"relation": "greater", "low": 1}}, "experiments.c.expect"),
        ({"why": ""}, "experiments.c: give conditions"),
        ({"not_covered": "because"}, "experiments.c: give conditions"),
        ({"verdict": "reproduced"}, "unknown key 'verdict'"),
        ({"conditions": {"a": {"days": -1}, "b": {}}}, "experiments.c.conditions.a.days"),
        ({"conditions": {"a": {"compartment": "brain"}, "b": {}}}, "experiments.c.conditions.a.compartment"),
        (
            {"conditions": {"a": {"drugs": {"lapatinib": "much"}}, "b": {}}},
            "experiments.c.conditions.a.drugs.lapatinib",
        ),
        ({"population": {"patients": 1}}, "experiments.c.population.patients"),
        ({"system": "organoid"}, "experiments.c.system"),
    ],
)
def test_an_experiment_that_cannot_be(change, what):
    data = {"id": "mine", "experiments": [EXPERIMENT | change]}
    with pytest.raises(RecordError, match=what) as caught:
        parse(ExperimentFile, data, "experiments/mine.yaml")
    assert "experiments/mine.yaml" in str(caught.value)


def test_a_claim_with_two_experiments(folder):
    data = {"id": "mine", "experiments": [EXPERIMENT, EXPERIMENT]}
    write(folder, "experiments/mine.yaml", data)
    with pytest.raises(RecordError, match="the claim 'c' has an experiment in"):
        load_experiments()


def test_the_shipped_files_are_read_alike_by_both_readers(record):
    assert {k: v.entry for k, v in record.cells.items()} == load_cells()
    assert {k: v.entry for k, v in record.switches.items()} == load_switches() == dict(checked_switches())
    assert {k: v.entry for k, v in record.attributes.items()} == load_attributes()
    assert {k: v.entry for k, v in record.experiments.items()} == load_experiments()
    assert len(parse(SwitchFile, read_yaml(DATA / "network" / "switches.yaml"), "x").switches) == len(
        record.switches
    )


def test_an_unknown_name_is_named_with_its_nearest():
    with pytest.raises(UnknownNameError, match="nearest: 'pathway'"):
        load_network("pathwai")


def test_switches_of_ones_own_stand_beside_the_shipped_ones(folder):
    write(folder, "network/switches.yaml", switch(id="mine"))
    assert {"mine", "pten-loss"} <= set(load_switches())
    assert load_switches() == dict(checked_switches())
    write(folder, "network/switches.yaml", switch(id="pten-loss", label="another"))
    assert load_switches()["pten-loss"].label == "another"
    kept = load_record().switches["pten-loss"]
    assert (kept.entry.label, kept.user) == ("another", True)
    assert not [f for f in lint_record() if f.severity == "error"]


def test_a_catalogue_of_ones_own_replaces_the_shipped_one(folder):
    data = shipped("attributes")
    data["attributes"][0]["default"] = 0.1
    write(folder, "network/attributes.yaml", data)
    assert load_attributes()["egfr"].default == load_record().attributes["egfr"].entry.default == 0.1
    assert len(load_record().attributes) == len(data["attributes"])
