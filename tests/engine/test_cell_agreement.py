"""The population kernel and the single cell give every drug the same effect: net rates of the truncal clone, per day.

By design they differ in three things, each with a test of its own below: kill by cytotoxics is linear in exposure in the
kernel (a patient's exposure varies by a factor of two or three) and saturates in the cell, the two being equal at the
label exposure; the growth rate of a virtual patient is that of the tumour with its own T cells, engaged PD-1/PD-L1 axis
included, while a cell's T cells are counted against those of the typical tumour; and chemotherapy and antibody-dependent
kill lose effect with the time on them, which a cell does not know (see test_courses.py; switched off here).
"""

import numpy as np
import pytest
from steady import DAYS, held, one_line, patients, quiet, run

from her2.cell.condition import Treatment, make_columns
from her2.cell.model import build_cell_model
from her2.cell.respond import respond
from her2.drugs import actions_of, cns_factor, is_in_plasma, unbound_fraction
from her2.engine.layout import BrainEntry, Outcome
from her2.model import build_model, trial_agents
from her2.patients.sample import fc_relative
from her2.units import NM_TO_MG_PER_L

AGENTS = trial_agents()
ADAPTED_WEEKS = 100
"""The slow states relax in 60 days or less: to 1e-5 of their change."""
START = 5.0
"""ln cells, from which no rate of these tests leads below -50 or above 30 within `ADAPTED_WEEKS`."""
TOLERANCE = {"rtol": 1e-6, "atol": 1e-12}
PATIENTS = (
    {},
    {"er": 1.5, "independent": 0.4},
    {"pik3ca": 1.0, "pten": 0.3, "heregulin": 2.0, "p95_share": 0.3},
    {"her2": 0.3, "egfr": 0.4, "her3": 0.1, "igf1r": 0.1, "bim": 0.5, "effector": 2.0, "cyclin_e": 1.0},
)
"""The reference cell, an ER-driven one, one with a PI3K hit and fragments, one with little HER2 and other receptors."""
TOGETHER = (
    ("trastuzumab", "pertuzumab", "docetaxel"),
    ("trastuzumab", "margetuximab"),
    ("trastuzumab", "t_dm1"),
    ("lapatinib", "neratinib", "capecitabine"),
    ("trastuzumab", "lapatinib"),
    ("trastuzumab", "everolimus", "vinorelbine"),
    ("lapatinib", "letrozole"),
    ("trastuzumab", "anastrozole"),
    ("trastuzumab", "bevacizumab", "paclitaxel"),
    ("t_dm1", "taselisib"),
    ("trastuzumab", "dasatinib"),
    ("mm_302", "trastuzumab"),
)


@pytest.fixture(scope="module")
def cells():
    return build_cell_model()


@pytest.fixture(scope="module")
def model():
    return quiet(build_model(agents=AGENTS))


def level_of(agent, times=1.0):
    """A multiple of the label exposure as the kernel counts it: mg/L in plasma, or relative."""
    if not is_in_plasma(agent):
        return times
    return times * agent.pharmacodynamics.exposure.value * agent.molecular_weight.value * NM_TO_MG_PER_L


def treated(model, cases):
    """The hand-made patients of each case (drugs with multiples of the label exposure, cell), their Fc parts included."""
    cohort = patients(model, [cell for _, cell in cases], burden=START)
    for d, agent in enumerate(model.agents):
        for action in actions_of(agent):
            if action.on == "effector":
                cohort.fc_factor[d] = fc_relative(model.values, np.ones(cohort.n), action.fc_v, action.fc_f)
    return cohort, held(model, [{k: level_of(agent_of(model, k), x) for k, x in d.items()} for d, _ in cases])


def agent_of(model, name):
    return model.agents[model.drug_index(name)]


def label_dose(agent):
    """Plasma concentration at the label exposure, nmol/L; of cytotoxics that to which their kill refers."""
    for action in actions_of(agent):
        if action.on == "cytotoxic":
            return action.half / unbound_fraction(agent)
    return agent.pharmacodynamics.exposure.value


def kernel_rates(model, cases, weeks):
    """Growth of ln burden in the last of some weeks on constant exposure, 1/day: (cases,)."""
    cohort, regimens = treated(model, cases)
    way = range(len(cases))
    ends = []
    for length in (weeks - 1, weeks):
        if length == 0:
            ends.append(np.full(cohort.n, START))
            continue
        followed = run(model, cohort, regimens, one_line(length, len(cases)), way=way)
        assert followed.failed.size == 0
        ends.append(followed[Outcome.LOG_BURDEN_END])
    return (ends[1] - ends[0]) / DAYS


def cell_rates(cells, cases, days, readout="net_growth"):
    """Net growth of the same cells at the same exposure, 1/day: (cases,)."""
    doses = [{k: x * label_dose(cells.agents[k]) for k, x in drugs.items()} for drugs, _ in cases]
    columns = make_columns(
        [c for _, c in cases], [Treatment(d, {}, "tumour") for d in doses], cells.agents, cells.values
    )
    return respond(cells, columns, days)[readout]


def kind_of(agent):
    return {action.on for action in actions_of(agent)}


@pytest.mark.parametrize("name", AGENTS)
def test_every_drug_does_in_the_kernel_what_it_does_to_a_cell(model, cells, name):
    """At a third of the label exposure, at it and at three times it; cytotoxics at it. Acute and fully adapted."""
    levels = (1.0,) if "cytotoxic" in kind_of(cells.agents[name]) else (0.3, 1.0, 3.0)
    cases = [({name: x}, cell) for x in levels for cell in PATIENTS]
    np.testing.assert_allclose(kernel_rates(model, cases, 1), cell_rates(cells, cases, 0.0), **TOLERANCE)
    later = cell_rates(cells, cases, ADAPTED_WEEKS * DAYS)
    np.testing.assert_allclose(kernel_rates(model, cases, ADAPTED_WEEKS), later, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("names", TOGETHER, ids="+".join)
def test_drugs_together_do_in_the_kernel_what_they_do_to_a_cell(model, cells, names):
    """Shared epitopes, reversible with covalent inhibitors of one kinase, and what signals do to chemotherapy."""
    cases = [(dict.fromkeys(names, 1.0), cell) for cell in PATIENTS]
    np.testing.assert_allclose(kernel_rates(model, cases, 1), cell_rates(cells, cases, 0.0), **TOLERANCE)
    later = cell_rates(cells, cases, ADAPTED_WEEKS * DAYS)
    np.testing.assert_allclose(kernel_rates(model, cases, ADAPTED_WEEKS), later, rtol=1e-6, atol=1e-8)


def test_a_drug_that_changes_nothing_here_changes_something_there(model, cells):
    """The comparison above can fail: each drug moves some patient, by more than its tolerance."""
    rest = kernel_rates(model, [({}, cell) for cell in PATIENTS], 1)
    checkpoint = {"pdl1": 1.0}
    for name in AGENTS:
        moved = kernel_rates(model, [({name: 1.0}, cell) for cell in PATIENTS], 1) - rest
        if "checkpoint" in kind_of(cells.agents[name]):
            assert np.all(moved == 0.0)  # no engaged axis in these patients
            pair = kernel_rates(model, [({}, checkpoint), ({name: 1.0}, checkpoint)], 1)
            assert pair[1] < pair[0] - 1e-5
        else:
            assert np.abs(moved).max() > 1e-6, name


def test_unlike_cells_patients_take_cytotoxics_in_proportion_to_exposure(model, cells):
    """Without other drugs: half and three times the kill at the label exposure; equal to the cell's at the label exposure."""
    for agent in model.cytotoxics:
        cases = [({agent.id: x}, {}) for x in (0.5, 1.0, 3.0)]
        kill = kernel_rates(model, [({}, {})], 1) - kernel_rates(model, cases, 1)
        np.testing.assert_allclose(kill, kill[1] * np.array([0.5, 1.0, 3.0]), rtol=1e-9)
        saturating = cell_rates(cells, cases, 0.0, "cytotoxic_kill")
        np.testing.assert_allclose(saturating[1], kill[1], rtol=1e-9)
        assert saturating[0] > kill[0] and saturating[2] < kill[2]


@pytest.mark.parametrize("name", ["pembrolizumab", "atezolizumab"])
def test_an_inhibitor_of_the_checkpoint_frees_the_t_cells_that_it_frees_in_a_cell(model, cells, name):
    """In a tumour with the axis engaged, what the drug changes; without the axis, nothing."""
    cell = {"pdl1": 1.0}
    cases = [({}, cell), ({name: 0.3}, cell), ({name: 1.0}, cell), ({name: 1.0}, {})]
    kernel = kernel_rates(model, cases, 1)
    expected = cell_rates(cells, cases, 0.0)
    np.testing.assert_allclose(kernel[1:3] - kernel[0], expected[1:3] - expected[0], **TOLERANCE)
    assert kernel[3] == pytest.approx(cells.values["tumour.growth"], rel=1e-9)
    # by design: the untreated patient grows at her growth rate, the untreated cell lacks the T cells that are held back
    lacking = cells.values["immune.tcell_kill"] * cells.values["immune.pdl1"]
    assert kernel[0] == pytest.approx(expected[0] - lacking, rel=1e-9)


def test_an_inhibitor_of_the_checkpoint_beside_an_antibody(model, cells):
    """Closed form. `immune.tcell_share` is the T cells' share of the kill before the drug in the kernel, so that what is
    freed is that share over what the axis leaves; in the cell it is their share without the axis."""
    v, cell = model.values, {"pdl1": 1.0}
    with_antibody = {"trastuzumab": 1.0}
    rest, alone, freed, both = kernel_rates(
        model,
        [
            ({}, cell),
            (with_antibody, cell),
            ({"pembrolizumab": 1.0}, cell),
            (with_antibody | {"pembrolizumab": 1.0}, cell),
        ],
        1,
    )
    signals = {"effector": 0.0}
    immune = kernel_rates(model, [(with_antibody, cell | signals)], 1)[0] - alone
    # share of the brake that the drug takes off
    left = (rest - freed) / (v["immune.tcell_kill"] * v["immune.pdl1"])
    engaged = v["immune.tcell_share"] * immune * v["immune.pdl1"] * left / (1.0 - v["immune.pdl1"])
    assert both - alone == pytest.approx(freed - rest - engaged, rel=1e-9)
    assert immune > 0.0 and engaged > 0.0


def test_genotypes_of_the_fc_receptor_act_as_in_a_cell(model, cells):
    """EFFECTOR carries what the genotype does to trastuzumab, fc_factor what it does to another Fc part beside that."""
    v = model.values
    genotypes = ((0.0, v["population.effector_ff"]), (1.0, 1.0), (2.0, v["population.effector_vv"]))
    for name in ("trastuzumab", "margetuximab", "t_dm1", "pertuzumab"):
        drug = {name: 1.0}
        cases = [(drug, {"effector": factor}) for _, factor in genotypes]
        cohort, regimens = treated(model, cases)
        (action,) = [a for a in actions_of(cells.agents[name]) if a.on == "effector"]
        alleles = np.array([v_alleles for v_alleles, _ in genotypes])
        cohort.fc_factor[model.drug_index(name)] = fc_relative(v, alleles, action.fc_v, action.fc_f)
        end = run(model, cohort, regimens, one_line(1, 3), way=range(3))[Outcome.LOG_BURDEN_END]
        expected = cell_rates(cells, [(drug, {"fcgr3a_v": x}) for x in alleles], 0.0)
        np.testing.assert_allclose((end - START) / DAYS, expected, **TOLERANCE)


@pytest.mark.parametrize(
    "name", ["capecitabine", "lapatinib", "neratinib", "t_dm1", "trastuzumab", "bevacizumab"]
)
def test_drugs_reach_the_brain_as_much_as_a_cell_there(model, cells, name):
    """The change of the burden in the brain in a week lies within 1e-9 of what the cell says: a response needs as much."""
    agent, values = agent_of(model, name), model.values
    # the record's value of the kernel's own factor leaves each agent the ratio of its record, the cell's
    assert cns_factor(agent, values) == pytest.approx(agent.pharmacodynamics.cns_ratio.value, rel=1e-12)
    columns = make_columns([{}], [Treatment({name: "clinical"}, {}, "cns")], cells.agents, cells.values)
    change = DAYS * respond(cells, columns, 0.0)["net_growth"][0]
    if agent in model.cytotoxics:  # linear in exposure
        change = DAYS * (values["tumour.growth"] - values[f"kill.{name}"] * cns_factor(agent, values))
    for margin, responds in ((1e-9, True), (-1e-9, False)):
        still = quiet(
            model, cns_detectable=20.0, cns_entry=21.0, cns_entry_sd=0.0, cns_response=change + margin
        )
        cohort, _ = treated(still, [({name: 1.0}, {})])
        regimens = held(still, [{name: level_of(agent)}], scan_weeks=1)
        followed = run(still, cohort, regimens, one_line(2, brain_entry=BrainEntry.UNTREATED))
        assert bool(followed[Outcome.CNS_RESPONSE][0] == DAYS) == responds
