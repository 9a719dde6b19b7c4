"""What must hold whatever the numbers are: zero dose, more drug, no HER2, identical arms, type I error."""

import copy

import numpy as np
import pytest

from her2.engine.layout import Attribute, Outcome
from her2.survival import two_arm_cox
from her2.survival.two_arm import two_arm_log_rank_batch
from her2.trials.analyse import allocate, contrast_statistics, observe_arms
from her2.trials.cut import cut_data
from her2.trials.design import Action, AdverseEvent, Trial
from her2.trials.enrol import enrol_times, loss_times
from her2.trials.follow import arm_modifiers, prepare_trial, simulate_pool


def _edit(trial, **arms):
    """A copy of a trial file with the regimens of some arms changed; toxicity and planned cycles off."""
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
    data = _edit(cleopatra)
    arm = data.arms[0]
    none = AdverseEvent(term="none", rate=1.0, action=Action(agent="pertuzumab", dose_factor=0.0))
    trial = data.model_copy(
        update={"arms": (arm.model_copy(update={"adverse_events": (none,)}), data.arms[1])}
    )
    pool = simulate_pool(model, trial, 128, 1)
    assert _same(pool.arms[0], pool.arms[1])


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
        pool = simulate_pool(model, trial, 192, 2, arms=[0])
        first_scan = pool.arms[0].sums[0]
        if previous is not None:
            both = np.isfinite(first_scan) & np.isfinite(previous)
            assert np.all(first_scan[both] <= previous[both] * 1.01 + 1e-9)
            assert np.nanmean(first_scan) < np.nanmean(previous)
        previous = first_scan


def test_pertuzumab_does_nothing_without_her2(model, cleopatra):
    trial = _edit(cleopatra)
    plan = prepare_trial(model, trial)
    pool = simulate_pool(model, trial, 64, 3)
    cohort = pool.cohort.take(np.arange(64))
    cohort.attributes[Attribute.HER2] = 0.0
    from her2.engine.run import follow

    results = [
        follow(
            model, cohort, np.arange(64), plan.regimens, plan.courses[k],
            *arm_modifiers(model, trial.arms[k], cohort), 3,
        )
        for k in (0, 1)
    ]  # fmt: skip
    assert _same(results[0], results[1])


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
    pools = [simulate_pool(model, t, 64, 1, arms=[0]) for t in (by_time, by_number)]
    assert _same(pools[0].arms[0], pools[1].arms[0])
    assert np.all(pools[0].arms[0][Outcome.CHEMO_CYCLES] <= 6)
