"""Drugs compiled for the population kernel: what each record becomes, and what is refused."""

import numpy as np
import pytest

from her2.drugs import actions_of, cns_factor, drug_arrays, is_in_plasma, label_dose_rate
from her2.engine.layout import Hit
from her2.errors import Her2Error, RecordError, UnknownNameError
from her2.evidence.load import load_agent
from her2.model import build_model, trial_agents

AGENTS = trial_agents()


@pytest.fixture(scope="module")
def every():
    return build_model(agents=AGENTS)


def compiled(model, *agents):
    return drug_arrays(
        agents, model.values, model.receptors, model.network, model.receptor_arrays.recruitment.shape[0]
    )


def changed(name, **action):
    """An agent whose first action has other fields."""
    agent = load_agent(name)
    first, *rest = actions_of(agent)
    actions = (first.model_copy(update=action), *rest)
    return agent.model_copy(
        update={"pharmacodynamics": agent.pharmacodynamics.model_copy(update={"actions": actions})}
    )


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_of_the_record_that_a_trial_can_give_is_compiled(every, name):
    """Each does something: kill, a payload, an Fc part or a target, with a finite positive concentration ratio."""
    drugs = compiled(every, load_agent(name))
    assert drugs.kill[0] > 0.0 or drugs.action_drug.size > 0
    assert np.all(np.isfinite(drugs.action_ratio)) and np.all(drugs.action_ratio > 0.0)
    assert np.all((drugs.action_max > 0.0) & (drugs.action_max <= 1.0))
    assert drugs.ke0[0] > 0.0 and 0.0 <= drugs.cns_partition[0] <= 2.0
    assert label_dose_rate(load_agent(name)) > 0.0


def test_targets_that_change_signals_come_first(every):
    kinds = every.drugs.hit_kind
    n = every.drugs.n_signal_hits
    assert np.all(kinds[:n] <= Hit.RECEPTOR) and np.all(kinds[n:] > Hit.RECEPTOR)
    # epitopes lead, in the order of the receptor layer, whether or not a drug binds them
    epitopes = len(every.receptors.antibodies)
    assert list(kinds[:epitopes]) == [Hit.OCCUPANCY] * epitopes
    assert list(every.drugs.hit_target[:epitopes]) == list(range(epitopes))
    alone = compiled(every, load_agent("bevacizumab"))
    assert list(alone.hit_kind) == [Hit.OCCUPANCY] * epitopes + [Hit.VEGF]
    assert alone.variant_drug.size == 0
    assert [AGENTS[d] for d in every.drugs.variant_drug] == [
        name for name in AGENTS if set(compiled(every, load_agent(name)).action_hit) & set(range(n))
        and any(x.on in ("epitope", "kinase", "node", "input", "level") for x in actions_of(load_agent(name)))
    ]  # fmt: skip


def test_one_target_is_one_hit_for_all_drugs_on_it(every):
    """Lapatinib, neratinib, tucatinib and afatinib share the kinase of HER2; letrozole and tamoxifen share ER."""

    def hits(name):
        rows = every.drugs.action_drug == every.drug_index(name)
        return {(every.drugs.hit_kind[h], every.drugs.hit_target[h]) for h in every.drugs.action_hit[rows]}

    her2 = (Hit.KINASE, every.receptors.kinases.index("her2"))
    assert all(her2 in hits(name) for name in ("lapatinib", "neratinib", "tucatinib", "afatinib"))
    assert hits("letrozole") == hits("tamoxifen") == hits("anastrozole") and len(hits("letrozole")) == 1
    assert (
        len(set(zip(every.drugs.hit_kind, every.drugs.hit_target, strict=True))) == every.drugs.hit_kind.size
    )


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("lapatinib", 1250.0),
        ("neratinib", 240.0),
        ("everolimus", 10.0),
        ("letrozole", 2.5),
        ("docetaxel", 75.0 * 1.72 / 21.0),
    ],
)
def test_label_dose_per_day_in_a_typical_body(name, rate):
    assert label_dose_rate(load_agent(name)) == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    ("agent", "field"),
    [
        ("lapatinib", "kinase"),
        ("everolimus", "node"),
        ("letrozole", "input"),
        ("trastuzumab", "epitope"),
        ("pembrolizumab", "checkpoint"),
    ],
)
def test_a_target_that_does_not_exist_is_named(every, agent, field):
    wrong = changed(agent, target=actions_of(load_agent(agent))[0].target + "x")
    with pytest.raises(UnknownNameError, match=f"agents/{agent}.yaml, pharmacodynamics: unknown {field}"):
        compiled(every, wrong)


def test_what_an_agent_lacks_is_named(every):
    lapatinib = load_agent("lapatinib")
    with pytest.raises(RecordError, match="agents/lapatinib.yaml: has no 'pharmacodynamics' section"):
        compiled(every, lapatinib.model_copy(update={"pharmacodynamics": None}))
    without = lapatinib.pharmacodynamics.model_copy(update={"exposure": None})
    with pytest.raises(RecordError, match="agents/lapatinib.yaml, pharmacodynamics: has no 'exposure'"):
        compiled(every, lapatinib.model_copy(update={"pharmacodynamics": without}))
    with pytest.raises(RecordError, match="agents/lapatinib.yaml, regimens: empty"):
        label_dose_rate(lapatinib.model_copy(update={"regimens": ()}))
    with pytest.raises(Her2Error, match="unknown agent 'lapatinip'; nearest: 'lapatinib'"):
        build_model(agents=("lapatinip",))


@pytest.mark.parametrize(
    "names", [("trastuzumab",), ("capecitabine", "lapatinib"), ("dasatinib", "bevacizumab", "t_dm1")]
)
def test_the_same_model_with_other_drugs_is_that_built_with_them(model, names):
    """Inputs and nodes that the drugs need are kept, whichever drugs the model was built for."""
    given, built = model.giving(names), build_model(agents=tuple(sorted(names)))
    assert [a.id for a in given.agents] == [a.id for a in built.agents] == sorted(names)
    for name in ("drugs", "network_arrays", "receptor_arrays", "inputs", "constants"):
        for one, other in zip(getattr(given, name), getattr(built, name), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
    assert given.giving(names) is given


def test_drugs_that_need_none_leave_the_network_small(model):
    """The reference trial's network is the smallest; inhibitors of SRC and antibodies against VEGF add to it."""
    sizes = {
        name: len(model.giving((name,)).network.names)
        for name in ("trastuzumab", "lapatinib", "dasatinib", "bevacizumab")
    }
    assert sizes["trastuzumab"] == sizes["lapatinib"] == len(model.network.names)
    assert sizes["dasatinib"] > sizes["trastuzumab"] and sizes["bevacizumab"] > sizes["trastuzumab"]


def test_factors_of_the_brain_act_on_their_class(every):
    """The partition of antibodies scales antibodies and conjugates up to the plasma level, the drug factor the rest."""
    double = {"cns.antibody_partition": 2.0 * every.values["cns.antibody_partition"]}
    faster = {"cns.drug_factor": 2.0 * every.values["cns.drug_factor"]}
    for agent in every.agents:
        base = cns_factor(agent, every.values)
        by_antibody = cns_factor(agent, {**every.values, **double})
        by_drug = cns_factor(agent, {**every.values, **faster})
        binds = any(x.on in ("epitope", "payload") for x in actions_of(agent))
        assert by_antibody == pytest.approx(min(2.0 * base, 1.0) if binds else base)
        assert by_drug == pytest.approx(base if binds else 2.0 * base)
        if is_in_plasma(agent):
            assert base <= 1.0


def test_a_dissociation_constant_in_moles_becomes_a_mass_by_the_molar_mass():
    """1 nmol/L of an antibody of 148 kg/mol is 0.148 mg/L; the barrier of the binding site stands beside it."""
    from her2.drugs import epitope_kd
    from her2.evidence.load import load_agent
    from her2.model import build_model

    values = build_model().values
    for name in ("trastuzumab", "pertuzumab"):
        agent = load_agent(name)
        (half,) = {a.half for a in agent.pharmacodynamics.actions if a.on == "epitope" and a.target == name}
        mass = half * 1e-9 * agent.molecular_weight.value * 1e6  # mol/L times kg/mol, in mg
        assert agent.molecular_weight.unit == "kg/mol"
        assert epitope_kd(agent, name, values) == pytest.approx(
            mass * values["distribution.binding_barrier"], rel=1e-12
        )
