"""Slips in networks, actions, attributes, cells, switches and experiments are each found by their check."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from her2.evidence.biology import ACTION_INPUTS, COHORT_READOUTS, NETWORK_INPUTS, SECTIONS
from her2.evidence.lint import Context, actions, cells, experiments, gather, networks, sources
from her2.evidence.lint.experiments import readouts_of
from her2.evidence.record import read_files

CHECKS = (*networks.CHECKS, *actions.CHECKS, *cells.CHECKS, *experiments.CHECKS, sources.Sources())


@pytest.fixture(scope="module")
def shipped():
    return gather(read_files())


def found(context: Context):
    return [f for check in CHECKS for f in check.findings(context)]


def with_entries(context: Context, kind: str, name: str, data) -> Context:
    """The record with one entry as in the data instead of the shipped one."""
    folder = next(f for f in context.files if f.folder == kind)
    alone = gather([replace(folder, data=data)], numbers=None)
    assert alone.broken == ()
    entries = {**getattr(context.record, kind), **getattr(alone.record, kind)}
    return replace(context, record=replace(context.record, **{kind: entries}))


def raw(context: Context, kind: str, key: str, name: str, identity: str = "id"):
    """Data of one entry as in its file."""
    for file in context.files:
        if file.folder == kind:
            items = file.data[key] if key else [file.data]
            for item in items:
                if item[identity] == name:
                    return copy.deepcopy(item)
    raise AssertionError(name)


def network(context: Context, name: str):
    return copy.deepcopy(context.record.network[name].entry)


def node(data, name):
    return next(n for n in data["nodes"] if n["id"] == name)


NETWORK_SLIPS = {
    "activator": (
        "pathway", lambda d: node(d, "akt")["reactions"][0].update(activators=["pip4"]),
        "nodes.akt, edge from pip4", "node 'pip4' does not exist; nearest: 'pip3'",
    ),
    "inhibitor": (
        "pathway", lambda d: node(d, "foxo")["reactions"][0]["inhibitors"][0].update(node="akd"),
        "nodes.foxo", "node 'akd' does not exist",
    ),
    "weight": (
        "pathway", lambda d: node(d, "akt")["reactions"][0].update(weight="signalling.w_ful"),
        "nodes.akt", "parameter 'signalling.w_ful' does not exist; nearest: 'signalling.w_full'",
    ),
    "weight of an inhibitor": (
        "pathway", lambda d: node(d, "foxo")["reactions"][0]["inhibitors"][0].update(weight="strong"),
        "nodes.foxo", "parameter 'strong' does not exist",
    ),
    "time constant": (
        "pathway", lambda d: node(d, "akt").update(time_constant="signalling.tau_kinnase"),
        "nodes.akt", "nearest: 'signalling.tau_kinase'",
    ),
    "edge without a claim": (
        "pathway", lambda d: node(d, "akt")["reactions"][0].pop("claims"),
        "nodes.akt, edge from pip3", "rests on no claim",
    ),
    "claim of an edge": (
        "pathway", lambda d: node(d, "akt")["reactions"][0].update(claims=["her2_activates_pi3k_akt_mtorr"]),
        "nodes.akt", "nearest: 'her2_activates_pi3k_akt_mtor'",
    ),
    "cycle": (
        "pathway", lambda d: node(d, "ras")["reactions"].append(
            {"activators": ["erk"], "weight": "signalling.w_full", "claims": ["her2_activates_ras_mapk"]}
        ),
        "nodes.", "cycle without a slow state",
    ),
    "input nobody gives": (
        "pathway", lambda d: d["inputs"].append({"id": "met2", "label": "another"}),
        "inputs.met2", "nothing in a cell gives this input a value",
    ),
    "input that feeds nothing": (
        "pathway", lambda d: node(d, "akt")["reactions"].pop(3),
        "inputs.t_darpp", "the input feeds no node",
    ),
    "node that reaches nothing": (
        "pathway", lambda d: d["nodes"].append(
            {"id": "mcl1", "time_constant": "signalling.tau_protein", "reactions": [
                {"activators": ["mtorc1"], "weight": "signalling.w_full", "claims": ["mtor_effector"]}]}
        ),
        "nodes.mcl1", "reaches no output",
    ),
    "node shown only that drives others": (
        "pathway",
        lambda d: node(d, "akt").update(shown_only="no reason"),
        "nodes.akt",
        "but other nodes depend on it",
    ),
    "node given twice": (
        "pathway", lambda d: d["nodes"].append(copy.deepcopy(node(d, "akt"))),
        "inputs and nodes", "'akt' is declared twice",
    ),
    "driver": (
        "pathway", lambda d: d["slow_states"][0].update(driver="fox"), "slow_states.her3_adaptation",
        "nearest: 'foxo'",
    ),
    "target of a slow state": (
        "pathway", lambda d: d["slow_states"][0].update(acts_on={"receptor": "her33"}),
        "slow_states.her3_adaptation.acts_on", "nearest: 'her3'",
    ),
    "output": (
        "pathway", lambda d: d["outputs"].update(proliferation="cell_cyle"), "outputs.proliferation",
        "nearest: 'cell_cycle'",
    ),
    "receptor": (
        "receptors", lambda d: d["dimers"][0].update(pair=["her2", "her5"]), "dimers.her2_her2", "'her5'",
    ),
    "kinase shares": (
        "receptors", lambda d: d["dimers"][1].update(kinase={"egfr": 0.5, "her2": 0.4}),
        "dimers.egfr_her2.kinase", "add up to 0.9",
    ),
    "strength": (
        "receptors", lambda d: d["dimers"][0]["channels"][0].update(strength="receptors.k_her2_her22"),
        "dimers.her2_her2", "nearest: 'receptors.k_her2_her2'",
    ),
    "antibody": (
        "receptors", lambda d: d["dimers"][0]["channels"][0].update(block={"trastuzumap": "receptors.k_her2_her2"}),
        "dimers.her2_her2", "nearest: 'trastuzumab'",
    ),
    "dimer without a claim": (
        "receptors", lambda d: d["dimers"][0].update(claims=[]), "dimers.her2_her2", "rests on no claim",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORK_SLIPS)
def test_a_slip_in_a_network_is_found(shipped, name):
    file, slip, place, what = NETWORK_SLIPS[name]
    data = network(shipped, file)
    slip(data)
    kept = replace(shipped.record.network[file], entry=data)
    context = replace(shipped, record=replace(shipped.record, network={**shipped.record.network, file: kept}))
    new = [f for f in found(context) if f not in found(shipped)]
    assert any(place in f.field and what in f.what and f.file == kept.file for f in new), [
        str(f) for f in new
    ]
    assert all(f.mend for f in new)


def test_a_weight_whose_source_is_missing_is_an_error(shipped):
    name = "signalling.w_pten"
    kept = shipped.record.parameters[name]
    changed = replace(kept, entry=kept.entry.model_copy(update={"source": "nobody"}))
    context = replace(
        shipped, record=replace(shipped.record, parameters={**shipped.record.parameters, name: changed})
    )
    assert any(
        f.severity == "error" and f.field == name and "source 'nobody'" in f.what for f in found(context)
    )


AGENT_SLIPS = {
    "kinase": (0, {"target": "her22"}, "kinase target 'her22' does not exist; nearest: 'her2'"),
    "kinase without kinase activity": (0, {"target": "her3"}, "kinase target 'her3' does not exist"),
    "epitope": (0, {"on": "epitope", "target": "domain_iv"}, "epitope target 'domain_iv'"),
    "node": (0, {"on": "node", "target": "mtorc"}, "nearest: 'mtorc1'"),
    "input": (0, {"on": "input", "target": "oestradiol"}, "nearest: 'estradiol'"),
    "level": (0, {"on": "level", "target": "her9"}, "level target 'her9'"),
    "checkpoint": (0, {"on": "checkpoint", "target": "pd1"}, "nearest: 'pdl1'"),
    "target where there is none": (0, {"on": "shedding", "target": "her2"}, "has no target"),
    "claim": (0, {"claims": ["lapatinib_structur"]}, "nearest: 'lapatinib_structure'"),
    "source": (0, {"source": "npj_2021_tky"}, "nearest: 'npj_2021_tki'"),
    "twice": (1, {"target": "her2"}, "the same action is given twice"),
}


@pytest.mark.parametrize("name", AGENT_SLIPS)
def test_a_slip_in_an_action_is_found(shipped, name):
    number, change, what = AGENT_SLIPS[name]
    data = raw(shipped, "agents", "", "lapatinib")
    data["pharmacodynamics"]["actions"][number].update(change)
    new = found(with_entries(shipped, "agents", "lapatinib", data))
    assert any(f.severity == "error" and what in f.what and "lapatinib" in f.field for f in new), [
        str(f) for f in new
    ]


def test_a_kill_parameter_that_does_not_exist_is_found(shipped):
    data = raw(shipped, "agents", "", "docetaxel")
    data["pharmacodynamics"]["actions"][0]["parameter"] = "kill.docetaxell"
    new = found(with_entries(shipped, "agents", "docetaxel", data))
    assert any("nearest: 'kill.docetaxel'" in f.what and f.check == "actions" for f in new)


CELL_SLIPS = {
    "attribute": ("genotype", {"ptenn": 1.0}, "bt474 genotype.ptenn", "nearest: 'pten'"),
    "section": ("genotype", {"egfr": 1.0}, "bt474 genotype.egfr", "attribute 'egfr' does not exist"),
    "impossible": ("receptors", {"her2": 1300.0}, "bt474 receptors.her2", "her2 1300 is impossible"),
    "negative": ("ligands", {"egf": -1.0}, "bt474 ligands.egf", "egf -1 is impossible"),
}


@pytest.mark.parametrize("name", CELL_SLIPS)
def test_a_slip_in_a_cell_is_found(shipped, name):
    section, values, place, what = CELL_SLIPS[name]
    data = raw(shipped, "cells", "", "bt474")
    for attribute, value in values.items():
        data[section][attribute] = {
            "value": value,
            "quality": "assumed",
            "source": "inferred_c",
            "locator": "x",
        }
    new = found(with_entries(shipped, "cells", "bt474", data))
    assert any(f.check == "cells" and f.field == place and what in f.what for f in new), [str(f) for f in new]


def test_a_source_of_a_cell_that_does_not_exist_is_found(shipped):
    data = raw(shipped, "cells", "", "bt474")
    data["receptors"]["her2"]["source"] = "niepel_2031"
    new = found(with_entries(shipped, "cells", "bt474", data))
    assert any(f.check == "sources" and "nearest: 'niepel_2013'" in f.what for f in new)


def test_two_cells_of_one_name_are_found(shipped):
    data = raw(shipped, "cells", "", "bt474") | {"aliases": ["SK-BR-3"]}
    new = found(with_entries(shipped, "cells", "bt474", data))
    assert any(f.check == "cells" and "also a name of the cell" in f.what for f in new)


def test_a_default_outside_its_limits_is_found(shipped):
    data = {
        "id": "attributes",
        "attributes": [raw(shipped, "attributes", "attributes", "pten") | {"default": 2}],
    }
    new = found(with_entries(shipped, "attributes", "pten", data))
    assert any(f.check == "attributes" and f.field == "pten default" for f in new)
    data["attributes"][0].update(default=1, low=3)
    new = found(with_entries(shipped, "attributes", "pten", data))
    assert any(f.check == "attributes" and f.field == "pten low, high" for f in new)


SWITCH_SLIPS = {
    "mechanism": ("pten-loss", {"mechanism": "pten_los"}, "mechanism 'pten_los' does not exist; nearest: 'pten_loss'"),
    "claim": ("pten-loss", {"claims": ["pten_loss_activates"]}, "claim 'pten_loss_activates'"),
    "attribute": ("pten-loss", {"sets": [{"attribute": "ptem", "to": 0.0}]}, "nearest: 'pten'"),
    "attribute with a factor": ("pten-loss", {"sets": [{"attribute": "ptem", "factor": 2.0}]}, "nearest: 'pten'"),
    "value": ("pten-loss", {"sets": [{"attribute": "pten", "to": 2.0}]}, "pten 2 is impossible"),
    "parameter": ("no-s6k-feedback", {"parameters": {"signalling.gain_irx": 0.0}}, "nearest: 'signalling.gain_irs'"),
    "factor": ("no-s6k-feedback", {"parameters": {"signalling.gain_irs": -1.0}}, "is multiplied by -1"),
    "drug": ("alpelisib", {"adds": {"alpelisip": "clinical"}}, "nearest: 'alpelisib'"),
    "agent": (
        "no-everolimus-mtor", {"disables": [{"agent": "everolimos", "action": "node", "target": "mtorc1"}]},
        "nearest: 'everolimus'",
    ),
    "action": (
        "no-everolimus-mtor", {"disables": [{"agent": "everolimus", "action": "kinase", "target": "mtorc1"}]},
        "has no action 'kinase mtorc1'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SWITCH_SLIPS)
def test_a_slip_in_a_switch_is_found(shipped, name):
    switch, change, what = SWITCH_SLIPS[name]
    data = {"id": "switches", "switches": [raw(shipped, "switches", "switches", switch) | change]}
    new = found(with_entries(shipped, "switches", switch, data))
    assert any(f.check == "switches" and f.field.startswith(switch) and what in f.what for f in new), [
        str(f) for f in new
    ]


def test_a_drug_without_exposure_cannot_be_given_at_its_clinical_one(shipped):
    data = raw(shipped, "agents", "", "alpelisib")
    data["pharmacodynamics"].pop("exposure")
    new = found(with_entries(shipped, "agents", "alpelisib", data))
    assert any(f.field == "alpelisib adds" and "'clinical' has no value for alpelisib" in f.what for f in new)


def test_a_mechanism_without_a_switch_is_an_error(shipped):
    left = {k: v for k, v in shipped.record.switches.items() if v.entry.mechanism != "pten_loss"}
    new = found(replace(shipped, record=replace(shipped.record, switches=left)))
    assert [(f.severity, f.field) for f in new if "no switch" in f.what] == [("error", "pten_loss")]


EXPERIMENT_SLIPS = {
    "claim": (lambda e: e.update(claim="pten_loss_activates_pathwai"), "claim", "nearest: 'pten_loss_activates_pathway'"),
    "claim that is not executable": (lambda e: e.update(claim="NOT EXECUTABLE"), "claim", "not executable"),
    "opposed claim": (
        lambda e: e.update(opposes=["pik3ca_no_predict_everolimuss"]),
        "opposes",
        "nearest: 'pik3ca_no_predict_everolimus'",
    ),
    "readout": (lambda e: e.update(readout="aktt"), "readout", "nearest: 'akt'"),
    "readout of another system": (lambda e: e.update(readout="orr"), "readout", "readout of a cell 'orr'"),
    "cell": (lambda e: e["base"].update(cell="bt475"), "base.cell", "nearest: 'bt474'"),
    "attribute": (lambda e: e["conditions"]["lost"].update(set={"ptn": 0}), "conditions.lost.set", "nearest: 'pten'"),
    "value": (lambda e: e["conditions"]["lost"].update(set={"pten": -1}), "conditions.lost.set", "pten -1 is impossible"),
    "ligand": (lambda e: e["base"].update(ligands={"her2": 1}), "base.ligands", "attribute 'her2'"),
    "switch": (lambda e: e["base"].update(switches={"pten-los": 1}), "base.switches", "nearest: 'pten-loss'"),
    "grade": (lambda e: e["base"].update(switches={"pten-loss": 2}), "base.switches", "pten-loss 2 is impossible"),
    "half a drug": (lambda e: e["base"].update(switches={"alpelisib": 0.5}), "base.switches", "alpelisib 0.5"),
    "drug": (lambda e: e["base"].update(drugs={"lapatinip": 10}), "base.drugs", "nearest: 'lapatinib'"),
    "dose": (lambda e: e["base"].update(drugs={"lapatinib": -1}), "base.drugs", "lapatinib at -1 nmol/L"),
    "parameter": (
        lambda e: e["base"].update(parameters={"signalling.w_ptem": 0}), "base.parameters", "nearest: 'signalling.w_pten'",
    ),
    "reference": (
        lambda e: e["conditions"]["lost"].update(untreated_reference="intakt"), "untreated_reference", "nearest: 'intact'",
    ),
    "key of cohorts": (lambda e: e["base"].update(split={"pten": "low"}), "base.split", "single cell takes no such key"),
    "equal conditions": (lambda e: e["conditions"].update(lost={}), "conditions", "is the same as"),
    "condition twice": (
        lambda e: e["statistic"].update(of=["lost", "lost"]), "statistic", "names a condition twice",
    ),
    "range": (
        lambda e: e.update(expect={"relation": "between", "low": 2, "high": 1}), "expect", "runs from 2 to 1",
    ),
    "selection": (
        lambda e: e.update(system="cohort", readout="orr", population={"select": {"pten": [0.5, 2]}}),
        "population.select", "pten 2 is impossible",
    ),
    "range of a selection": (
        lambda e: e["conditions"]["lost"].update(where={"pten": [1, 0]}), "conditions.lost.where", "runs from 1 to 0",
    ),
    "earlier line": (
        lambda e: e.update(system="cohort", readout="orr", population={"prior": [["docetaxell"]]}),
        "population.prior", "nearest: 'docetaxel'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPERIMENT_SLIPS)
def test_a_slip_in_an_experiment_is_found(shipped, name):
    slip, place, what = EXPERIMENT_SLIPS[name]
    data = raw(shipped, "experiments", "experiments", "pten_loss_activates_pathway", "claim")
    slip(data)
    if data["claim"] == "NOT EXECUTABLE":
        data["claim"] = next(k for k, c in shipped.record.claims.items() if not c.entry.executable)
    whole = {"id": "pathways", "experiments": [data]}
    new = [
        f
        for f in found(with_entries(shipped, "experiments", data["claim"], whole))
        if f.check == "experiments"
    ]
    assert any(place in f.field and what in f.what for f in new), [str(f) for f in new]


def test_an_executable_claim_without_an_experiment_is_a_warning(shipped):
    left = {k: v for k, v in shipped.record.experiments.items() if k != "pten_loss_activates_pathway"}
    new = found(replace(shipped, record=replace(shipped.record, experiments=left)))
    assert ("warning", "pten_loss_activates_pathway") in {(f.severity, f.field) for f in new}


def test_every_executable_claim_has_an_experiment_or_a_reason(record):
    executable = {k for k, c in record.claims.items() if c.entry.executable}
    assert executable == set(record.experiments)


def test_every_mechanism_has_a_switch_or_a_reason(record):
    assert {s.entry.mechanism for s in record.switches.values()} == set(record.mechanisms)


# names that the record's checks repeat from the code of the cell model
def test_readouts_are_those_of_the_cell_model(record):
    from her2.claims.readouts import COHORT_READOUTS as of_claims
    from her2.claims.readouts import cell_readouts

    assert set(readouts_of(record)) == set(cell_readouts())
    assert set(COHORT_READOUTS) == set(of_claims)


def test_inputs_targets_and_sections_are_those_of_the_cell_model():
    from her2.cell.cell import KINDS
    from her2.cell.effects import INPUT_TARGETS
    from her2.evidence.load import canonical_values
    from her2.model import full_layers

    _, network = full_layers(canonical_values())
    assert set(network.names[: network.n_inputs]) == set(NETWORK_INPUTS)
    assert set(ACTION_INPUTS) == set(INPUT_TARGETS)
    assert SECTIONS == KINDS
