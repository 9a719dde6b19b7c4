"""The population kernel: same digits however it is run, every patient accounted for, and its numerics."""

import numpy as np
import pytest

from her2.engine.kernel import pk_step
from her2.engine.layout import Attribute, Outcome, Status
from her2.engine.run import DoseChanges, follow
from her2.patients.sample import population_values, sample_cohort
from her2.trials.follow import arm_doses, arm_events, prepare_trial, simulate_pool

SEED = 5


def _follow(model, trial, cohort, ids, arm=0, doses=None, **kw):
    """Patients on an arm with its planned cycles and adverse events; `ids` are the positions of a cohort from 0 on."""
    plan = prepare_trial(model, trial)
    if doses is None:
        events = arm_events(plan.toxicity[arm], SEED, 0, int(ids.max()) + 1, ids)
        doses = arm_doses(plan.model, trial.arms[arm], np.zeros(cohort.n, dtype=np.int64), cohort, events)
    return follow(plan.model, cohort, ids, plan.regimens, plan.courses[arm], doses, SEED, **kw)


@pytest.fixture(scope="module")
def cohort(model, cleopatra):
    own = prepare_trial(model, cleopatra).model
    return sample_cohort(own, population_values(own, None), 3, 0, 200)


def test_threads_do_not_change_a_digit(model, cleopatra, cohort):
    ids = np.arange(200)
    digests = {_follow(model, cleopatra, cohort, ids, jobs=j).digest() for j in (1, 2, 7)}
    assert len(digests) == 1


def test_permuting_patients_permutes_results(model, cleopatra, cohort, generator):
    order = generator.permutation(200)
    straight = _follow(model, cleopatra, cohort, np.arange(200))
    shuffled = _follow(model, cleopatra, cohort.take(order), order)
    assert shuffled.digest() == straight.digest()
    assert np.array_equal(shuffled[Outcome.DEATH], straight[Outcome.DEATH][order])


def test_a_patient_does_not_depend_on_its_neighbours(model, cleopatra, cohort):
    whole = _follow(model, cleopatra, cohort, np.arange(200))
    one = _follow(model, cleopatra, cohort.take(np.array([137])), np.array([137]))
    assert one.digest() == whole.take(np.array([137])).digest()


def test_chunks_do_not_change_a_digit(model, cleopatra):
    values = population_values(model, None)
    whole = sample_cohort(model, values, 3, 0, 100)
    parts = [sample_cohort(model, values, 3, k, 7) for k in range(0, 98, 7)]
    for row in Attribute:
        joined = np.concatenate([p.attributes[row] for p in parts])
        assert np.array_equal(joined, whole.attributes[row][:98]), row.name


def test_every_patient_has_a_status_and_none_fails(model, cleopatra):
    pool = simulate_pool(model, cleopatra, 500, 1, jobs=2)
    assert sum(pool.status_counts.values()) == pool.screened
    assert pool.failed.size == 0
    for arm in pool.arms:
        assert set(np.unique(arm.status)) <= {Status.DEAD, Status.HORIZON}


def test_a_patient_whose_rate_is_not_finite_is_named_not_dropped(model, cleopatra, cohort):
    broken = cohort.take(np.arange(200))
    broken.attributes[Attribute.GROWTH, 17] = np.nan
    result = _follow(model, cleopatra, broken, np.arange(200))
    assert list(result.failed) == [17]
    assert result.counts()["failed_rate"] == 1
    assert sum(result.counts().values()) == 200
    others = np.delete(np.arange(200), 17)
    clean = _follow(model, cleopatra, cohort, np.arange(200))
    assert result.take(others).digest() == clean.take(others).digest()


def test_linear_pharmacokinetics_match_the_matrix_exponential():
    from scipy.linalg import expm

    cl, vc, q, vp = 0.235, 3.11, 0.534, 2.46
    rates = np.array([[-(cl + q) / vc, q / vp], [q / vc, -q / vp]])
    for dt in (0.5, 3.5, 7.0, 21.0):
        expected = expm(rates * dt) @ np.array([840.0, 100.0])
        ours = pk_step(840.0, 100.0, cl, vc, q, vp, 0.0, 1.0, dt)
        assert np.allclose(ours, expected, rtol=1e-12)


def test_saturable_elimination_converges_with_second_order():
    from scipy.integrate import solve_ivp

    cl, vc, q, vp, vmax, km = 0.127, 2.62, 0.544, 2.97, 8.81, 8.92

    def rhs(_, y):
        c = y[0] / vc
        return [-(cl / vc) * y[0] - vmax * c / (km + c) - q * c + q * y[1] / vp, q * c - q * y[1] / vp]

    exact = solve_ivp(rhs, (0, 21), [400.0, 50.0], rtol=1e-12, atol=1e-12, method="DOP853").y[:, -1]
    errors = []
    for steps in (24, 48, 96, 192):
        y = (400.0, 50.0)
        for _ in range(steps):
            y = pk_step(*y, cl, vc, q, vp, vmax, km, 21.0 / steps)
        errors.append(abs(y[0] / exact[0] - 1.0))
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    assert np.all(ratios > 3.6), errors  # halving the step divides the error by about four
    # the engine's own step, an eighth of a week
    assert errors[0] < 5e-4


def test_horizon_ends_follow_up(model, cleopatra, cohort):
    result = _follow(model, cleopatra, cohort, np.arange(200))
    horizon = prepare_trial(model, cleopatra).courses[0].horizon_weeks * 7.0
    assert np.any(np.isinf(result[Outcome.DEATH])) and np.any(np.isfinite(result[Outcome.DEATH]))
    assert np.all(result[Outcome.LAST_SEEN] <= horizon)
    assert np.all((result[Outcome.DEATH] <= horizon) | np.isinf(result[Outcome.DEATH]))


def test_adverse_events_and_planned_cycles_reach_the_kernel(model, cleopatra, cohort):
    """With them some patients get less: no dose later than planned, fewer cycles, other courses; the rest to the digit."""
    ids = np.arange(200)
    plan = prepare_trial(model, cleopatra)
    events = arm_events(plan.toxicity[0], SEED, 0, 200)
    doses = arm_doses(plan.model, cleopatra.arms[0], np.zeros(200, dtype=np.int64), cohort, events)
    planned = DoseChanges.none(len(plan.model.agents), 200)
    changed = _follow(model, cleopatra, cohort, ids, doses=doses)
    full = _follow(model, cleopatra, cohort, ids, doses=planned)
    assert np.all(changed[Outcome.CHEMO_CYCLES] <= full[Outcome.CHEMO_CYCLES])
    untouched = np.flatnonzero(
        np.all(np.isinf(doses.stop_week), axis=0)
        & np.all(doses.factor == 1.0, axis=0)
        & (doses.max_cycles[plan.model.drug_index("docetaxel")] >= full[Outcome.CHEMO_CYCLES])
    )
    assert 3 < untouched.size < 190
    assert changed.take(untouched).digest() == full.take(untouched).digest()
    assert changed.digest() != full.digest()


def test_doses_stopped_at_once_are_no_doses(model, cleopatra, cohort):
    """Everything stopped in week 0: a tumour that grows as untreated, whatever the arm gives."""
    doses = DoseChanges.none(len(prepare_trial(model, cleopatra).model.agents), 200)
    doses.stop_week[:] = 0.0
    stopped = [_follow(model, cleopatra, cohort, np.arange(200), arm=arm, doses=doses) for arm in (0, 1)]
    assert np.array_equal(stopped[0][Outcome.PROGRESSION], stopped[1][Outcome.PROGRESSION])
    assert np.all(stopped[0][Outcome.CHEMO_CYCLES] == 0.0)
    assert np.all(np.isinf(stopped[0][Outcome.CONFIRMED_RESPONSE]))
