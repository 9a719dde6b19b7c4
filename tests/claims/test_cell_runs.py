"""Experiments on cells: what a condition is, that neighbours do not matter, synergy, planted errors."""

import numpy as np
import pytest

from her2.cell.ensemble import central
from her2.claims.cell_runs import altered, cell_and_treatment, prepare, run_cells, share_left
from her2.claims.conditions import merged
from her2.evidence.biology import Condition, Experiment


def _experiment(claim="c", **keys):
    data = {
        "claim": claim,
        "base": {"compartment": "culture", "days": 0},
        "conditions": {"usual": {}, "more": {"set": {"her2": 4.0}}},
        "readout": "akt",
        "statistic": {"kind": "difference", "of": ["more", "usual"]},
        "expect": {"relation": "greater"},
        "why": "as planted",
    }
    return Experiment.model_validate(data | keys)


def _values(*experiments):
    named = {e.claim: e for e in experiments}
    return run_cells(named, prepare(named), central())


def test_a_condition_takes_from_the_base_what_it_leaves_out():
    base = Condition(drugs={"trastuzumab": "clinical"}, set={"er": 1.0}, compartment="tumour")
    own = merged(base, Condition(drugs={"lapatinib": 100.0}, set={"er": 0.0}))
    assert own.drugs == {"trastuzumab": "clinical", "lapatinib": 100.0}
    assert own.set == {"er": 0.0} and own.compartment == "tumour"
    assert merged(base, Condition(drugs={})).drugs == {}


def test_length_of_treatment_defaults_by_compartment():
    assert cell_and_treatment(Condition())[1].days == 3.0
    assert cell_and_treatment(Condition(compartment="tumour"))[1].days == 28.0
    assert cell_and_treatment(Condition(days=0))[1].days == 0.0


def test_values_do_not_depend_on_the_other_experiments():
    one = _experiment("one")
    long = _experiment(
        "long", base={"compartment": "tumour", "days": 90, "drugs": {"trastuzumab": "clinical"}}
    )
    cut = _experiment("cut", base={"days": 0, "parameters": {"signalling.w_akt1": 0.0}})
    alone = _values(one)
    together = _values(long, one, cut)
    for key, value in alone.items():
        assert together[key] == value


def test_more_her2_gives_more_akt():
    values = _values(_experiment())
    assert values["c", "more"] > values["c", "usual"]


def test_switches_act_on_the_cell_of_a_condition():
    lost = _experiment(
        base={"compartment": "culture", "days": 0, "drugs": {"trastuzumab": "clinical"}},
        conditions={"usual": {}, "more": {"switches": {"pten-loss": 1}}},
    )
    set_by_hand = _experiment(
        base={"compartment": "culture", "days": 0, "drugs": {"trastuzumab": "clinical"}},
        conditions={"usual": {}, "more": {"set": {"pten": 0.0}}},
    )
    assert _values(lost)["c", "more"] == _values(set_by_hand)["c", "more"]


def test_adaptation_starts_from_the_reference_that_is_named():
    conditions = {"present": {"set": {"er": 1}}, "absent": {"set": {"er": 1}, "ligands": {"estradiol": 0}}}
    own = _experiment(base={"days": 28, "compartment": "tumour"}, conditions=conditions, readout="foxo",
                      statistic={"kind": "difference", "of": ["absent", "present"]})  # fmt: skip
    named = conditions | {"absent": conditions["absent"] | {"untreated_reference": "present"}}
    other = _experiment(base={"days": 28, "compartment": "tumour"}, conditions=named, readout="her3_adaptation",
                        statistic={"kind": "difference", "of": ["absent", "present"]})  # fmt: skip
    assert _values(own)["c", "present"] == pytest.approx(_values(own)["c", "present"])
    assert _values(other)["c", "absent"] > 0.0  # FOXO rises when the hormone goes
    still = _experiment(base={"days": 28, "compartment": "tumour"}, conditions=conditions, readout="her3_adaptation",
                        statistic={"kind": "difference", "of": ["absent", "present"]})  # fmt: skip
    assert _values(still)["c", "absent"] == 0.0


def test_replaced_parameters_leave_the_unit_alone():
    model = central()
    other = altered(model, {}, {"signalling.w_akt1": 0.0})
    assert other.values["signalling.w_akt1"] == 0.0
    assert other.proliferation_reference == model.proliferation_reference


def _synergy(readout):
    conditions = {
        "none": {}, "a": {"drugs": {"trastuzumab": "clinical"}}, "b": {"drugs": {"lapatinib": "clinical"}},
        "ab": {"drugs": {"trastuzumab": "clinical", "lapatinib": "clinical"}},
    }  # fmt: skip
    return _experiment(
        base={"compartment": "tumour"}, conditions=conditions, readout=readout,
        statistic={"kind": "bliss", "of": ["none", "a", "b", "ab"]},
    )  # fmt: skip


def test_share_left_of_growth_is_what_a_viability_assay_counts():
    left = share_left(_synergy("net_growth"), {"none": 0.01, "a": 0.0, "b": 0.01, "ab": -0.01})
    assert left["none"] == 1.0 and left["b"] == 1.0
    assert left["a"] == pytest.approx(np.exp(-0.28)) and left["ab"] == pytest.approx(np.exp(-0.56))


def test_two_drugs_whose_rates_add_are_independent():
    left = share_left(_synergy("net_growth"), {"none": 0.01, "a": 0.0, "b": 0.004, "ab": -0.006})
    assert left["a"] * left["b"] == pytest.approx(left["ab"])


def test_synergy_of_a_node_is_read_on_what_is_left_of_it():
    left = share_left(_synergy("akt"), {"none": 0.5, "a": 0.25, "b": 0.1, "ab": 0.05})
    assert left == {"none": 1.0, "a": 0.5, "b": 0.2, "ab": 0.1}
