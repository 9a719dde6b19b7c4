"""What must hold whatever the numbers are: zero dose, more drug, no HER2, identical arms, type I error."""

import copy

import numpy as np
import pytest

from her2.engine.layout import Attribute, Outcome
from her2.engine.run import DoseChanges, follow
from her2.patients.sample import population_values, sample_cohort
from her2.survival import two_arm_cox
from her2.survival.two_arm import two_arm_log_rank_batch
from her2.trials.analyse import allocate, contrast_statistics, observe_arms
from her2.trials.cut import cut_data
from her2.trials.design import Trial
from her2.trials.enrol import enrol_times, loss_times
from her2.trials.follow import prepare_trial, simulate_pool


def _edit(trial, **arms):
    """A copy of a trial file with the regimens of some arms changed; its own toxicity and planned cycles off."""
    data = trial.model_dump(by_alias=True, mode="python")
    for arm in data["arms"]:
        arm["adverse_events"] = []
        for component in arm["regimen"]:
            component["cycles"] = None
        if arm["id"] in arms:
            arm["regimen"] = arms[arm["id"]](copy.deepcopy(arm["regimen"]))
    data["scans"]["every"] = f"{int(trial.scans.every)} day"
    data["accrual"]["duration"] = f"{trial.accrual.duration} day"
    data["drop_out"]["rate"] = f"{trial.drop_out.rate} 1/day"
    for analysis in data["analyses"]:
        analysis["cut"] = f"{analysis['cut']} day"
    return Trial.model_validate(data)


def _as_planned(model, trial, arm, n, seed, attributes=None, **stopped):
    """Patients 0 to n - 1 on one arm with every dose as planned: no adverse event takes or lowers any.

    Parameters
    ----------
    attributes : levels that all patients share, by row of `Attribute`
    stopped : agents of which no dose is given, by name
    """
    plan = prepare_trial(model, trial)
    cohort = sample_cohort(plan.model, population_values(plan.model, None), seed, 0, n)
    for row, level in (attributes or {}).items():
        cohort.attributes[row] = level
    doses = DoseChanges.none(len(plan.model.agents), n)
    for agent in stopped:
        doses.factor[plan.model.drug_index(agent)] = 0.0
    return follow(plan.model, cohort, np.arange(n), plan.regimens, plan.courses[arm], doses, seed)


def _same(one, other):
    """Whether two arms gave the same results to the last digit (the regimens have numbers of their own)."""
    return all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in (
            (one.outcomes, other.outcomes),
            (one.sums, other.sums),
            (one.line_starts, other.line_starts),
        )
    )


E, C = "docetaxel+pertuzumab+trastuzumab", "docetaxel+trastuzumab"


def _scaled(agent, dose):
    def change(regimen):
        for component in regimen:
            if component["agent"] == agent:
                component["dose"] = dose
        return regimen

    return change


def test_a_zero_dose_changes_nothing(model, cleopatra):
    """Pertuzumab reduced to nothing in everybody is the control arm, to the last digit."""
    trial = _edit(cleopatra)
    none = _as_planned(model, trial, 0, 128, 1, pertuzumab=0)
    assert _same(none, _as_planned(model, trial, 1, 128, 1))
    assert not _same(none, _as_planned(model, trial, 0, 128, 1))


@pytest.mark.parametrize(
    ("agent", "doses"),
    [
        ("trastuzumab", ["0.02 mg/kg q3w", "0.2 mg/kg q3w", "2 mg/kg q3w", "6 mg/kg q3w", "20 mg/kg q3w"]),
        ("pertuzumab", ["4 mg q3w", "40 mg q3w", "420 mg q3w", "2000 mg q3w"]),
        ("docetaxel", ["20 mg/m2 q3w", "60 mg/m2 q3w", "75 mg/m2 q3w", "100 mg/m2 q3w"]),
    ],
)
def test_more_drug_never_helps_the_tumour(model, cleopatra, agent, doses):
    """Deeper response for every patient as the dose rises, toxicity off.

    The best sum is taken over the scans before progression; it may differ by the refresh tolerance of the signals
    (0.4 % of an occupancy), so a per-patient slack of 1 % of the sum is allowed.
    """
    previous = None
    for dose in doses:
        trial = _edit(cleopatra, **{E: _scaled(agent, dose)})
        first_scan = _as_planned(model, trial, 0, 192, 2).sums[0]
        if previous is not None:
            both = np.isfinite(first_scan) & np.isfinite(previous)
            assert np.all(first_scan[both] <= previous[both] * 1.01 + 1e-9)
            assert np.nanmean(first_scan) < np.nanmean(previous)
        previous = first_scan


_OTHERS = {
    "lapatinib": ["125 mg qd", "500 mg qd", "1250 mg qd"],
    "neratinib": ["24 mg qd", "80 mg qd", "240 mg qd"],
    "everolimus": ["1 mg qd", "5 mg qd", "10 mg qd"],
    "t_dm1": ["0.4 mg/kg q3w", "1.2 mg/kg q3w", "3.6 mg/kg q3w"],
    "margetuximab": ["0.2 mg/kg q3w", "2 mg/kg q3w", "15 mg/kg q3w"],
    "bevacizumab": ["0.2 mg/kg q3w", "2 mg/kg q3w", "15 mg/kg q3w"],
    "letrozole": ["0.01 mg qd", "0.1 mg qd", "2.5 mg qd"],
    "pembrolizumab": ["1 mg q3w", "20 mg q3w", "200 mg q3w"],
    "capecitabine": ["250 mg/m2 bid d1-14 q3w", "500 mg/m2 bid d1-14 q3w", "1000 mg/m2 bid d1-14 q3w"],
}


@pytest.mark.parametrize("agent", _OTHERS)
def test_more_of_any_drug_never_helps_the_tumour(model, cleopatra, agent):
    """Each alone, in patients whose tumours are ER-positive and have the checkpoint engaged; slack as above."""
    previous = None
    for dose in _OTHERS[agent]:
        trial = _edit(cleopatra, **{E: lambda _, dose=dose: [{"agent": agent, "dose": dose, "start": 0}]})
        first_scan = _as_planned(model, trial, 0, 64, 2, {Attribute.PDL1: 1.0, Attribute.ER: 1.0}).sums[0]
        if previous is not None:
            both = np.isfinite(first_scan) & np.isfinite(previous)
            assert both.sum() > 30
            assert np.all(first_scan[both] <= previous[both] * 1.01 + 1e-9)
            assert np.nanmean(first_scan) < np.nanmean(previous)
        previous = first_scan


def test_antibodies_do_nothing_without_her2(model, cleopatra):
    """Pertuzumab beside trastuzumab, and T-DM1 or margetuximab against nothing: the same to the last digit."""
    trial = _edit(cleopatra)
    without = {Attribute.HER2: 0.0}
    assert _same(*(_as_planned(model, trial, k, 64, 3, without) for k in (0, 1)))
    for agent in ("t_dm1", "margetuximab"):
        alone = _edit(cleopatra, **{E: lambda _, a=agent: [{"agent": a, "dose": "6 mg/kg q3w", "start": 0}]})
        given = _as_planned(model, alone, 0, 64, 3, without)
        none = _as_planned(model, alone, 0, 64, 3, without, **{agent: 0})
        assert _same(given, none), agent


def test_endocrine_therapy_does_nothing_without_er_and_a_checkpoint_inhibitor_nothing_without_the_axis(
    model, cleopatra
):
    for agent, dose, row in (
        ("letrozole", "2.5 mg qd", Attribute.ER),
        ("tamoxifen", "20 mg qd", Attribute.ER),
        ("pembrolizumab", "200 mg q3w", Attribute.PDL1),
    ):
        alone = _edit(cleopatra, **{E: lambda _, a=agent, d=dose: [{"agent": a, "dose": d, "start": 0}]})
        for level in (0.0, 1.0):
            given = _as_planned(model, alone, 0, 64, 3, {row: level})
            none = _as_planned(model, alone, 0, 64, 3, {row: level}, **{agent: 0})
            assert _same(given, none) == (level == 0.0), agent


def test_identical_arms_with_shared_random_numbers_have_hazard_ratio_one(model, cleopatra):
    control = next(a for a in cleopatra.arms if a.id == C).regimen
    trial = _edit(cleopatra, **{E: lambda _: [c.model_dump() | {"cycles": None} for c in control]})
    pool = simulate_pool(model, trial, 200, 4)
    times = []
    for k in (0, 1):
        enrol = enrol_times(4, 0, 200, trial.accrual.duration)
        lost = loss_times(4, 0, 200, trial.drop_out.rate)
        times.append(cut_data(pool.arms[k], "pfs", enrol, lost, trial.cut_of("pfs"), trial.scans.every))
    fit = two_arm_cox(
        np.concatenate([t.time for t in times]),
        np.concatenate([t.event for t in times]),
        np.repeat([True, False], 200),
    )
    assert fit.hazard_ratio == 1.0


def test_type_one_error_of_a_thousand_null_trials_is_five_per_cent(model, cleopatra):
    """Both arms the control: 1,000 trials of 300 patients, allocated by the trial's own randomisation.

    Monte-Carlo interval of 5 % over 1,000 trials at 99.9 %: 0.05 +- 3.29 * sqrt(0.05 * 0.95 / 1000) = 0.027 to 0.073.
    """
    n, size = 1000, 300
    pool = simulate_pool(model, cleopatra, 3000, 5, jobs=2, arms=[1])
    followed = pool.arms[0]
    enrol = enrol_times(5, 0, 3000, cleopatra.accrual.duration)
    lost = loss_times(5, 0, 3000, cleopatra.drop_out.rate)
    tte = cut_data(followed, "pfs", enrol, lost, cleopatra.cut_of("pfs"), cleopatra.scans.every)
    rng = np.random.default_rng(6)
    pick = rng.integers(0, 3000, size=(n, size))
    from her2.trials.randomise import randomise

    arm = np.array([randomise(5, t, np.zeros(size, dtype=np.int64), (1, 1), 4) for t in range(n)])
    p = two_arm_log_rank_batch(tte.time[pick], tte.event[pick], arm == 0).p
    assert 0.027 < np.mean(p < 0.05) < 0.073


def test_twins_share_everything_but_the_regimen(model, cleopatra):
    pool = simulate_pool(model, cleopatra, 100, 7)
    assert np.array_equal(pool.arms[0][Outcome.BASELINE_SUM], pool.arms[1][Outcome.BASELINE_SUM])
    assert np.array_equal(pool.arms[0][Outcome.LOG_BURDEN_ENTRY], pool.arms[1][Outcome.LOG_BURDEN_ENTRY])


def test_randomised_trial_is_balanced_within_strata(model, cleopatra):
    pool = simulate_pool(model, cleopatra, 400, 8)
    arm = allocate(pool, 8)
    adjuvant = pool.cohort.attributes[Attribute.ADJUVANT_CHEMOTHERAPY] > 0.5
    for inside in (adjuvant, ~adjuvant):
        # blocks of four: at most two patients of a last, unfilled block can tip the balance
        assert abs(np.sum(arm[inside] == 0) - np.sum(arm[inside] == 1)) <= 2
    data = observe_arms(pool, arm, 8)
    assert 0.2 < contrast_statistics(data, 0, 1)["pfs"].value < 2.0


def test_a_limit_by_time_is_a_limit_by_cycles(model, cleopatra):
    """Docetaxel for 18 weeks is docetaxel for six cycles of three weeks."""
    by_time = _edit(cleopatra, **{E: _scaled("docetaxel", "75 mg/m2 q3w for 18 weeks")})
    by_number = _edit(cleopatra, **{E: _scaled("docetaxel", "75 mg/m2 q3w x6")})
    followed = [_as_planned(model, t, 0, 64, 1) for t in (by_time, by_number)]
    assert _same(*followed)
    assert followed[0][Outcome.CHEMO_CYCLES].max() == 6
