"""Cohorts of virtual patients: the same patients as the trials', arms that obey order, subgroups as twins."""

import numpy as np
import pytest

from her2.cell.condition import Columns, active_concentration
from her2.cell.ensemble import central
from her2.cell.respond import respond
from her2.claims.cohort import LATER_LINES, CohortRunner, later_lines, log_hazard_ratio
from her2.claims.course import follow_line, log_total, start_course
from her2.claims.patients import draw_patients, half, with_mixture, with_spread, within
from her2.claims.tumour_rates import NODES, RateTable, load_clones, node_weights
from her2.engine.layout import Attribute
from her2.errors import RecordError
from her2.evidence.biology import Experiment
from her2.evidence.load import load_population
from her2.model import build_model, trial_agents
from her2.patients.sample import killing_class, population_values, sample_cohort

N = 60
TH = {"trastuzumab": "clinical", "docetaxel": "clinical"}


def _experiment(conditions, readout="pfs_hr", of=("b",), kind="value", **population):
    return Experiment.model_validate({
        "claim": "c", "system": "cohort", "population": {"patients": N} | population, "conditions": conditions,
        "readout": readout, "statistic": {"kind": kind, "of": list(of)}, "expect": {"relation": "less"}, "why": "test",
    })  # fmt: skip


@pytest.fixture(scope="module")
def runner():
    return CohortRunner(central(), -1)


@pytest.fixture(scope="module")
def patients():
    return draw_patients(central(), "metastatic", 0, N)


def _run(runner, *args, **keys):
    return runner.statistic_values(_experiment(*args, **keys), "test")


# --- patients ------------------------------------------------------------------------------------------------------


def test_patients_are_those_of_the_trials(patients):
    engine = build_model(central().values, trial_agents())
    values = population_values(engine, load_population("first_line_metastatic"))
    cohort = sample_cohort(engine, values, 1, 0, N)
    for name in ("egfr", "her2", "her3", "bim", "pten"):
        np.testing.assert_allclose(patients.attributes[name], cohort.attributes[Attribute[name.upper()]])
    assert {killing_class(a) for a in engine.cytotoxics} == set(patients.sensitivity)
    for agent in engine.cytotoxics:
        own = patients.sensitivity[killing_class(agent)]
        np.testing.assert_allclose(own, cohort.sensitivity[engine.drug_index(agent.id)], rtol=1e-12)
    np.testing.assert_allclose(np.exp(patients.fractions).sum(axis=0), 1.0)


def test_effector_cells_lymphocytes_and_genotype_multiply_to_the_trials_attribute(patients):
    engine = build_model(central().values)
    v = population_values(engine, load_population("first_line_metastatic"))
    expected = sample_cohort(engine, v, 1, 0, N).attributes[Attribute.EFFECTOR]
    a, share = patients.attributes, v["immune.tcell_share"]
    factor = np.array([v["population.effector_ff"], 1.0, v["population.effector_vv"]])
    got = a["effector"] * ((1.0 - share) + share * a["til"]) * factor[a["fcgr3a_v"].astype(int)]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_a_subgroup_is_the_whole_cohort_with_the_attribute_of_patients_inside(patients):
    low = within(patients, "p95_share", 0.3, 0.95, "test")
    assert low.attributes["p95_share"].min() >= 0.3 and low.n == patients.n
    for name in ("her2", "bim", "til"):
        assert np.array_equal(low.attributes[name], patients.attributes[name])
    inside = patients.attributes["p95_share"] >= 0.3
    assert np.array_equal(low.attributes["p95_share"][inside], patients.attributes["p95_share"][inside])


def test_what_is_drawn_together_moves_together(patients):
    high = half(patients, "til", "high", "test")
    order = np.argsort(high.attributes["til"])
    assert np.all(np.diff(high.attributes["effector"][order]) >= 0.0)
    negative = within(patients, "er", 0.0, 0.05, "test")
    positive = patients.attributes["er"] > 0.0
    np.testing.assert_allclose(
        negative.growth[positive] * patients.values["tumour.growth_er_factor"], patients.growth[positive]
    )


def test_halves_of_alleles_and_of_absent_attributes(patients):
    drawn = with_spread(patients, "epha2")
    assert set(np.unique(drawn.attributes["epha2"])) == {0.0, 1.0}
    assert set(half(drawn, "epha2", "high", "t").attributes["epha2"]) == {1.0}
    v = half(patients, "fcgr3a_v", "low", "t").attributes["fcgr3a_v"]
    w = half(patients, "fcgr3a_v", "high", "t").attributes["fcgr3a_v"]
    assert v.max() < w.min()
    assert with_spread(patients, "her2") is patients


def test_an_empty_subgroup_is_an_error(patients):
    with pytest.raises(RecordError, match="no patient has er between 9 and 10"):
        within(patients, "er", 9.0, 10.0, "experiments/x.yaml, c")


# --- rates and course ----------------------------------------------------------------------------------------------


def test_rates_of_the_sensitive_clone_are_those_of_the_cell_model(patients):
    model, clones = central(), load_clones()
    table = RateTable(model, patients, clones)
    drugs = {"trastuzumab": ("clinical", 1.0), "pertuzumab": ("clinical", 1.0)}
    got = table.rates(drugs, "tumour")
    concentrations = {
        k: np.full(N, active_concentration(model.agents[k], "clinical", "tumour", model.values))
        for k in drugs
    }
    columns = Columns(patients.attributes, concentrations, ("tumour",) * N)
    v, p = model.values, patients
    # three nodes in place of daily steps: the error goes with the growth rate, of which patients have a log SD of 0.7
    for node, tolerance in ((0, 1e-12), (len(NODES) - 1, 6e-4)):
        r = respond(model, columns, NODES[node])
        expected = p.growth * ((1 + v["tumour.turnover"]) * r["proliferation"] - v["tumour.turnover"])
        np.testing.assert_allclose(got.lasting[node, 0], expected - r["apoptotic_kill"], atol=tolerance)
        # antibody-dependent kill is kept apart, since it falls with the time on an antibody
        brought = r["effector_kill"] + r["tcell_kill"]
        np.testing.assert_allclose(got.effector[node, 0], brought, atol=1e-12)
        evasive = clones.effector_factor < 1.0
        assert evasive.sum() == 1
        np.testing.assert_allclose(got.effector[node, evasive][0], clones.effector_factor[evasive] * brought)
    assert got.has_antibody and not got.has_cytotoxic and not got.cytotoxic.any()


def test_cytotoxics_and_signals_are_kept_apart(patients):
    table = RateTable(central(), patients, load_clones())
    with_chemo = table.rates({"trastuzumab": ("clinical", 1.0), "docetaxel": ("clinical", 1.0)}, "tumour")
    without = table.rates({"trastuzumab": ("clinical", 1.0)}, "tumour")
    np.testing.assert_array_equal(with_chemo.lasting, without.lasting)
    assert np.all(with_chemo.cytotoxic > 0.0) and with_chemo.has_cytotoxic


def test_efflux_protects_from_cytotoxics_only(patients):
    clones = load_clones()
    rates = RateTable(central(), patients, clones).rates({"docetaxel": ("clinical", 1.0)}, "tumour")
    mdr = int(np.flatnonzero(clones.mdr)[0])
    same = int(np.flatnonzero((clones.genotype == clones.genotype[mdr]) & (clones.mdr == 0))[0])
    factor = central().values["tumour.mdr_factor"]
    np.testing.assert_allclose(rates.cytotoxic[:, mdr], factor * rates.cytotoxic[:, same])


def test_node_weights_integrate_a_line_that_is_straight_between_nodes():
    weights = node_weights([0, 21, 84, 168])
    np.testing.assert_allclose(weights.sum(axis=1), [0, 21, 84, 168])
    rates = np.array([1.0, 3.0, 3.0])  # rises from 1 to 3 in 14 days
    np.testing.assert_allclose(weights @ rates, [0, 28 + 21, 28 + 3 * 70, 28 + 3 * 154])


def test_untreated_burden_grows_at_the_rate_of_its_clones(patients):
    from her2.claims.cohort import make_plan

    table = RateTable(central(), patients, load_clones())
    plan = make_plan(table, {}, None, 42.0)
    line = follow_line(patients, start_course(patients), plan, patients.values)
    grown = start_course(patients).burden + 42.0 * table.rates({}, "tumour").untreated
    np.testing.assert_allclose(line.log_burden[-1], log_total(grown), rtol=1e-9)
    assert not line.responded.any()


def test_a_mixed_tumour_starts_with_its_share_of_her2_low_cells(patients):
    clones = load_clones()
    n = patients.n
    mixed = type(patients)(
        **{**vars(patients), "attributes": patients.attributes | {"heterogeneity": np.full(n, 0.3)}}
    )
    got = with_mixture(mixed, clones.her2_low)
    np.testing.assert_allclose(np.exp(got.fractions[clones.her2_low]), 0.3)
    np.testing.assert_allclose(np.exp(got.fractions).sum(axis=0), 1.0)


# --- metamorphic ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readout", ["pfs_hr", "os_hr", "cns_hazard"])
def test_identical_arms_have_a_log_hazard_ratio_of_exactly_zero(runner, readout):
    assert _run(runner, {"a": {"drugs": TH}, "b": {"drugs": dict(reversed(TH.items()))}}, readout) == [0.0]


def test_a_dose_of_nothing_changes_nothing(runner):
    both = TH | {"pertuzumab": "clinical"}
    arms = {"a": {"drugs": TH}, "b": {"drugs": both, "dose_intensity": {"pertuzumab": 0.0}}}
    assert _run(runner, arms) == [0.0]


def test_more_kill_gives_longer_progression_free_survival(runner):
    doses = [0.25, 0.5, 1.0]
    arms = {f"d{k}": {"drugs": TH, "dose_intensity": {"docetaxel": d}} for k, d in enumerate(doses)}
    names = list(arms)
    for readout in ("pfs_median", "orr"):
        values = [_run(runner, arms, readout, (name,))[0] for name in names]
        assert values == sorted(values) and values[0] < values[-1]
    assert _run(runner, arms, "pfs_hr", ("d2", "d0"), "difference")[0] < -0.1


def test_a_second_antibody_helps_and_a_lost_target_hurts(runner):
    both = TH | {"pertuzumab": "clinical"}
    assert _run(runner, {"a": {"drugs": TH}, "b": {"drugs": both}})[0] < 0.0
    lost = {
        "a": {"drugs": {"trastuzumab": "clinical"}},
        "b": {"drugs": {"trastuzumab": "clinical"}, "set": {"p95_share": 0.9}},
    }
    assert _run(runner, lost)[0] > 0.0


def test_an_earlier_line_with_the_same_drug_leaves_fewer_responses(runner):
    arms = {"a": {"drugs": TH}}
    first = _run(runner, arms, "orr", ("a",))[0]
    second = _run(runner, arms, "orr", ("a",), line=2, prior=[list(TH)])[0]
    assert second < first


def test_chemotherapy_before_surgery_and_after_it(runner):
    arms = {"none": {}, "some": {"drugs": TH}}
    none, some = _run(runner, arms, "pcr", ("none", "some"), "difference", setting="neoadjuvant")
    assert none == 0.0 and some > none
    assert _run(runner, arms, "dfs_hr", ("some",), setting="adjuvant")[0] < 0.0
    assert _run(runner, arms, "os_hr", ("some",), setting="adjuvant")[0] < 0.0


def test_cross_over_makes_later_lines_what_it_says():
    arms = {"a": {"drugs": {"docetaxel": "clinical"}}, "b": {"drugs": TH}}
    usual = _experiment(arms, "os_hr")
    assert later_lines(central(), usual, usual.conditions["a"]) == LATER_LINES
    arms["a"]["cross_over"] = {"trastuzumab": "clinical"}
    crossed = _experiment(arms, "os_hr")
    assert later_lines(central(), crossed, crossed.conditions["b"]) == (("vinorelbine",), ("capecitabine",))
    expected = (("trastuzumab", "vinorelbine"), ("capecitabine",))
    assert later_lines(central(), crossed, crossed.conditions["a"]) == expected
    arms["a"]["cross_over"] = {"t_dm1": "clinical"}
    conjugate = _experiment(arms, "os_hr")
    assert later_lines(central(), conjugate, conjugate.conditions["a"])[0] == ("t_dm1",)


def test_cross_over_brings_survival_closer(runner):
    arms = {
        "a": {"drugs": {"docetaxel": "clinical"}},
        "b": {"drugs": TH},
        "c": {"drugs": TH, "cross_over": {"t_dm1": "clinical"}},
    }
    apart = _run(runner, arms, "os_hr", ("b", "a"), "difference")[0]
    arms["a"]["cross_over"] = {"trastuzumab": "clinical"}
    assert _run(runner, arms, "os_hr", ("b", "a"), "difference")[0] > apart


def test_brain_metastases_count_where_an_experiment_is_about_them(runner):
    arms = {"a": {"drugs": {"capecitabine": "clinical"}}, "b": {}}
    none, some = _run(runner, arms, "cns_orr", ("b", "a"), "difference")
    assert none < 0.1 and some >= none
    in_brain = {k: c | {"compartment": "cns"} for k, c in arms.items()}
    outside = _run(runner, arms, "pfs_median", ("a",))[0]
    assert _run(runner, in_brain, "pfs_median", ("a",))[0] < outside


def test_prevalence_counts_patients_in_all_ranges(runner):
    where = {"pik3ca": [0.5, 1.0], "p95_share": [0.3, 0.95]}
    both = _run(runner, {"a": {"where": where}}, "prevalence", ("a",), patients=1000)[0]
    one = _run(runner, {"a": {"where": {"pik3ca": [0.5, 1.0]}}}, "prevalence", ("a",), patients=1000)[0]
    assert both == pytest.approx(0.32 * 0.28, abs=0.03) and one == pytest.approx(0.32, abs=0.05)


def test_members_have_patients_of_their_own_and_repeat_exactly():
    arms = {"a": {"drugs": TH}}
    one, again, other = (
        CohortRunner(central(), k).statistic_values(_experiment(arms, "orr", ("a",)), "t") for k in (0, 0, 1)
    )
    assert one == again and one != other


def test_hazard_ratio_of_degenerate_groups():
    time, yes, no = np.full(4, 10.0), np.ones(4, bool), np.zeros(4, bool)
    assert log_hazard_ratio(time, yes, time, yes) == 0.0
    assert np.isnan(log_hazard_ratio(time, no, time + 1.0, no))
    assert log_hazard_ratio(time, yes, time, no) > 0.0 > log_hazard_ratio(time, no, time, yes)
