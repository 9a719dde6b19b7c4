"""Courses by hand: delayed drugs, ways, brain metastases at entry, surgery before and after, tolerance to chemotherapy.

Patients are those of `steady`: no death, no noise, rates that do not depend on the burden, so that every date and burden
has a closed form.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from steady import DAYS, NEVER, drawn, held, one_line, patients, quiet, run

from her2.engine.layout import Attribute, BrainEntry, Outcome, Setting, Status
from her2.engine.run import DoseChanges
from her2.model import LN10, build_model
from her2.patients.sample import population_values, sample_cohort

AGENTS = ("bevacizumab", "capecitabine", "docetaxel", "lapatinib", "trastuzumab")
BRAIN_PROGRESSION = 3.0 * math.log(1.2)
"""ln volume at a fifth more of the diameter."""
ALL_AT_ONCE = 50.0
"""1/day; an effect site that is empty within the week."""


@pytest.fixture(scope="module")
def model():
    return quiet(build_model(agents=AGENTS))


@pytest.fixture(scope="module")
def growth(model):
    return model.values["tumour.growth"]


def end(model, cohort, regimens, weeks, **keys):
    """ln burden after some weeks, (patients,)."""
    followed = run(model, cohort, regimens, one_line(weeks, len(regimens.scan_weeks)), **keys)
    return followed[Outcome.LOG_BURDEN_END]


def at_once(model):
    """The same model with effect sites that hold nothing over to the next week."""
    return replace(model, drugs=model.drugs._replace(ke0=np.full(len(model.agents), ALL_AT_ONCE)))


def delayed(regimens, model, name, week):
    start = regimens.start_week.copy()
    start[:, model.drug_index(name)] = week
    return regimens._replace(start_week=start)


# --- sequential therapy --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "level"), [("trastuzumab", 50.0), ("lapatinib", 1.0), ("docetaxel", 1.0)])
def test_a_start_week_delays_a_drug_and_nothing_else(model, growth, name, level):
    """Plasma drug, inhibitor and cytotoxic: after k weeks of untreated growth the course is that without delay."""
    cohort = patients(model, [{}, {"pten": 0.3}])
    regimens = held(model, [{name: level}])
    later = delayed(regimens, model, name, 5)
    untreated = end(model, cohort, held(model, [{}]), 5) - 20.0
    np.testing.assert_allclose(end(model, cohort, later, 5), 20.0 + untreated, rtol=1e-14)
    for weeks in (1, 4, 13):
        at_first = end(model, cohort, regimens, weeks)
        np.testing.assert_allclose(end(model, cohort, later, weeks + 5), at_first + untreated, rtol=1e-12)
    assert untreated[0] == pytest.approx(5 * DAYS * growth, rel=1e-9)


def test_cycles_are_counted_from_the_start_of_the_drug(model):
    """Two cycles of three weeks, given first in week 4: as two cycles at once, four weeks later."""
    cohort = patients(model, [{}])
    d = model.drug_index("docetaxel")
    regimens = held(model, [{"docetaxel": 1.0}])
    cycle, most = regimens.cycle_weeks.copy(), regimens.max_cycles.copy()
    doses = np.zeros((1, len(AGENTS), 3))
    cycle[0, d], doses[0, d, 0], most[0, d] = 3, 1.0, 2.0
    regimens = regimens._replace(cycle_weeks=cycle, doses_in_week=doses, max_cycles=most)
    at_first = run(model, cohort, regimens, one_line(12))
    later = run(model, cohort, delayed(regimens, model, "docetaxel", 4), one_line(16))
    assert at_first[Outcome.CHEMO_CYCLES] == later[Outcome.CHEMO_CYCLES] == 2
    growth = 4 * DAYS * model.values["tumour.growth"]
    assert later[Outcome.LOG_BURDEN_END] - at_first[Outcome.LOG_BURDEN_END] == pytest.approx(growth, rel=1e-9)


def test_dose_changes_count_the_weeks_of_the_line(model, growth):
    """Half the dose from week 2, none from week 4: kill in proportion, week by week."""
    fast = at_once(model)
    cohort = patients(fast, [{}])
    regimens = held(fast, [{"docetaxel": 1.0}])
    doses = DoseChanges.none(len(AGENTS), 1)
    d = fast.drug_index("docetaxel")
    doses.factor[d], doses.from_week[d], doses.stop_week[d] = 0.5, 2.0, 4.0
    ends = [20.0] + [float(end(fast, cohort, regimens, w, doses=doses)[0]) for w in range(1, 7)]
    kill = growth - np.diff(ends) / DAYS
    full = fast.values["kill.docetaxel"]
    np.testing.assert_allclose(kill, full * np.array([1.0, 1.0, 0.5, 0.5, 0.0, 0.0]), atol=1e-12)


# --- ways ----------------------------------------------------------------------------------------------------------


def test_a_mixture_of_ways_is_its_parts_patient_by_patient(model):
    levels = [{"trastuzumab": 40.0}, {"lapatinib": 1.0, "capecitabine": 1.0}, {}]
    regimens = held(model, levels, scan_weeks=6)
    cohort = patients(model, [{"bim": 0.5 + 0.1 * k} for k in range(90)])
    way = np.arange(90) % 3
    mixed = run(model, cohort, regimens, one_line(60, 3), way=way)
    for k in range(3):
        alone = run(model, cohort, regimens, one_line(60)._replace(trial_regimen=np.array([k])))
        index = np.flatnonzero(way == k)
        assert mixed.take(index).digest() == alone.take(index).digest()


def test_ways_with_different_earlier_lines_share_a_block(model):
    """No earlier line, one, and two: each patient as if all went her way; entry is counted from her own lines."""
    n = 96
    some = build_model(agents=AGENTS)
    cohort = drawn(some, n)
    regimens = held(some, [{"trastuzumab": 40.0}, {"docetaxel": 1.0}, {"capecitabine": 1.0}], scan_weeks=9)
    course = one_line(100)._replace(
        entry_line=np.array([0, 1, 2]),
        prior_regimen=np.array([[-1, -1], [1, -1], [1, 2]]),
        trial_regimen=np.zeros(3, dtype=np.int64),
        later_probability=np.zeros((3, 0, 1)),
        later_regimen=np.zeros((3, 0, 1), dtype=np.int64),
        prior_limit_weeks=100,
    )
    way = np.arange(n) % 3
    mixed = run(some, cohort, regimens, course, way=way)
    for k in range(3):
        own = course._replace(
            entry_line=course.entry_line[[k]],
            prior_regimen=course.prior_regimen[[k]],
            trial_regimen=course.trial_regimen[[k]],
            later_probability=course.later_probability[[k]],
            later_regimen=course.later_regimen[[k]],
        )
        index = np.flatnonzero(way == k)
        alone = run(some, cohort, regimens, own)
        assert mixed.take(index).digest() == alone.take(index).digest()
        entered = alone.take(index[alone.enrolled[index]])
        assert entered.patient.size > 5
        assert np.all((entered[Outcome.ENTRY_DAY] > 0.0) == (k > 0))
        # the lines before the trial, in order, end where the trial line starts
        np.testing.assert_array_equal(
            entered.line_regimens[: k + 1].T, [[*own.prior_regimen[0, :k], 0]] * entered.patient.size
        )
        assert np.all(entered.line_starts[k] == 0.0)
        assert np.all(np.diff(entered.line_starts[: k + 1], axis=0) > 0.0)


# --- brain metastases at entry -------------------------------------------------------------------------------------


def seeded(model, burdens, **keys):
    cohort = patients(model, [{} for _ in burdens], **keys)
    cohort.attributes[Attribute.CNS_SEED] = burdens
    return cohort


def test_detectable_brain_metastases_exclude_where_a_trial_says_so(model):
    limit = model.constants.cns_detectable
    cohort = seeded(model, [limit - 1e-6, limit + 1e-6, NEVER])
    regimens = held(model, [{}])
    excluded = run(model, cohort, regimens, one_line(1, brain_entry=BrainEntry.NONE))
    assert list(excluded.status) == [Status.HORIZON, Status.NOT_ENROLLED_BRAIN, Status.HORIZON]
    assert list(excluded.enrolled) == [True, False, True]
    anyone = run(model, cohort, regimens, one_line(1, brain_entry=BrainEntry.ANY))
    assert anyone.enrolled.all()


def test_brain_metastases_that_show_in_an_earlier_line_exclude_too(model, growth):
    """Growth by half a log before the systemic progression that leads to the trial; later ones come after entry."""
    limit = model.constants.cns_detectable
    # at 1.2 times the diameter the earlier line ends: 3 ln 1.2 of systemic growth, on a scan every week
    weeks = math.ceil(BRAIN_PROGRESSION / (DAYS * growth))
    before, after = limit - (weeks - 0.5) * DAYS * growth, limit - (weeks + 0.5) * DAYS * growth
    cohort = seeded(model, [before, after, NEVER])
    course = one_line(30, brain_entry=BrainEntry.NONE)._replace(
        entry_line=np.array([1]), prior_regimen=np.array([[0]])
    )
    followed = run(model, cohort, held(model, [{}], scan_weeks=1), course)
    assert list(followed.status) == [Status.NOT_ENROLLED_BRAIN, Status.HORIZON, Status.HORIZON]
    assert np.all(followed[Outcome.ENTRY_DAY][1:] == weeks * DAYS)
    # the second patient's shows in the first week of the trial
    assert followed[Outcome.CNS_PROGRESSION][1] == DAYS


@pytest.mark.parametrize("entry", [BrainEntry.UNTREATED, BrainEntry.TREATED])
def test_a_trial_of_brain_metastases_gives_every_patient_a_measurable_one(model, entry):
    """Log-normal above the detectable: median and share at the limit within 3.3 standard errors of 4,096 patients."""
    n = 4096
    c = model.constants
    cohort = patients(model, [{}] * n)
    followed = run(model, cohort, held(model, [{}]), one_line(1, brain_entry=entry))
    burden = followed[Outcome.CNS_BASELINE]
    assert followed.enrolled.all() and np.all(burden >= c.cns_detectable)
    at_limit = 0.5 * math.erfc((c.cns_entry - c.cns_detectable) / c.cns_entry_sd / math.sqrt(2.0))
    assert np.mean(burden == c.cns_detectable) == pytest.approx(at_limit, abs=3.3 * math.sqrt(0.25 / n))
    assert np.median(burden) == pytest.approx(c.cns_entry, abs=3.3 * 1.2533 * c.cns_entry_sd / math.sqrt(n))
    without = run(model, cohort, held(model, [{}]), one_line(1))
    assert np.all(np.isnan(without[Outcome.CNS_BASELINE]))


def test_brain_metastases_respond_and_progress_by_the_stated_thresholds(model, growth):
    """Capecitabine for some weeks, then none: the burden in the brain week by week, by hand, and both rules on it.

    Response: first scan at half the volume of the start. Progression: first scan a fifth above the smallest diameter.
    """
    fast = at_once(model)
    d = fast.drug_index("capecitabine")
    kill = fast.values["kill.capecitabine"] * fast.drugs.cns_partition[d]
    weeks, every, most = 80, 3, (10, 20, 30, 40)
    strength = (0.03 + growth) / kill  # shrinks by 0.03 a day in the brain
    cohort = patients(fast, [{}] * len(most), burden=25.0)
    cohort.sensitivity[d] = strength
    # small systemic lesions, which have to grow by 5 mm: the brain is the only site of the first progression
    cohort.attributes[Attribute.BASELINE_SUM] = 10.0
    doses = DoseChanges.none(len(AGENTS), len(most))
    doses.stop_week[d] = most
    regimens = held(fast, [{"capecitabine": 1.0}], scan_weeks=every)
    course = one_line(weeks, brain_entry=BrainEntry.UNTREATED)
    followed = run(quiet(fast, cns_entry_sd=0.0), cohort, regimens, course, doses=doses)
    for k, stop in enumerate(most):
        change = DAYS * np.cumsum([growth - strength * kill * (w < stop) for w in range(weeks)])
        scans = np.arange(every - 1, weeks, every)
        seen = change[scans]
        response = scans[np.flatnonzero(seen <= math.log(0.5))[0]] + 1
        nadir = np.minimum(np.minimum.accumulate(np.concatenate([[0.0], seen[:-1]])), 0.0)
        progression = scans[np.flatnonzero(seen >= nadir + BRAIN_PROGRESSION)[0]] + 1
        assert followed[Outcome.CNS_RESPONSE][k] == response * DAYS
        assert followed[Outcome.CNS_PROGRESSION][k] == progression * DAYS
        assert followed[Outcome.PROGRESSION][k] == progression * DAYS
        assert followed[Outcome.CNS_FIRST][k] == 1.0


def test_a_brain_metastasis_that_shows_is_a_progression_in_that_week(model, growth):
    limit = model.constants.cns_detectable
    cohort = seeded(model, [limit - (w - 0.5) * DAYS * growth for w in (1, 4, 7)])
    followed = run(model, cohort, held(model, [{}], scan_weeks=60), one_line(20))
    for row in (Outcome.CNS_PROGRESSION, Outcome.PROGRESSION):
        assert list(followed[row]) == [7.0, 28.0, 49.0]
    assert np.all(followed[Outcome.CNS_FIRST] == 1.0)


# --- before and after surgery --------------------------------------------------------------------------------------


def test_a_complete_response_is_a_burden_below_the_limit_at_surgery(model, growth):
    """A fall by 0.05 a day for 18 weeks in tumours of all sizes: complete up to the limit, to 1e-6 of a log."""
    fast = at_once(model)
    d = fast.drug_index("docetaxel")
    weeks, limit = 18, fast.constants.pcr
    change = weeks * DAYS * -0.05
    starts = limit - change + np.array([-5.0, -1.0, -1e-6, 1e-6, 1.0, 5.0])
    cohort = patients(fast, [{}] * starts.size)
    cohort.attributes[Attribute.START_BURDEN] = starts
    cohort.sensitivity[d] = (0.05 + growth) / fast.values["kill.docetaxel"]
    course = one_line(60, setting=Setting.NEOADJUVANT, surgery_week=weeks)
    followed = run(fast, cohort, held(fast, [{"docetaxel": 1.0}]), course)
    assert list(followed[Outcome.COMPLETE]) == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    np.testing.assert_allclose(followed[Outcome.LOG_BURDEN_END], starts + change, rtol=1e-12)
    assert np.all(followed[Outcome.LAST_SEEN] == weeks * DAYS)
    assert followed.enrolled.all()


def test_complete_response_in_drawn_patients_is_that_of_their_burden_at_surgery():
    model = build_model(agents=AGENTS)
    cohort = drawn(model, 200)
    cohort.sensitivity[model.drug_index("docetaxel")] *= 3.0  # so that both outcomes are common
    regimens = held(model, [{"trastuzumab": 40.0, "docetaxel": 1.0}])
    followed = run(model, cohort, regimens, one_line(40, setting=Setting.NEOADJUVANT, surgery_week=18))
    complete = followed[Outcome.COMPLETE] == 1.0
    assert np.array_equal(complete, followed[Outcome.LOG_BURDEN_END] < model.constants.pcr)
    assert 0 < complete.sum() < 200
    assert np.all(np.isinf(followed[Outcome.DEATH])) and np.all(followed[Outcome.CHEMO_CYCLES] == 18)


def test_adjuvant_therapy_cures_who_is_left_without_a_cell_and_the_others_relapse_when_it_is_seen(
    model, growth
):
    """A kill of 0.2 a day for ten weeks on 1 to e^20 cells: cured below 14 logs; dates of relapse in closed form."""
    fast = at_once(model)
    d = fast.drug_index("docetaxel")
    stop, limit = 10, fast.constants.relapse
    left = np.array([0.5, 5.0, 13.9, 14.1, 17.0, 20.0])
    cohort = patients(fast, [{}] * left.size)
    cohort.attributes[Attribute.START_BURDEN] = left
    cohort.sensitivity[d] = (0.2 + growth) / fast.values["kill.docetaxel"]
    doses = DoseChanges.none(len(AGENTS), left.size)
    doses.stop_week[d] = stop
    course = one_line(600, setting=Setting.ADJUVANT)
    followed = run(fast, cohort, held(fast, [{"docetaxel": 1.0}]), course, doses=doses)
    lowest = left - 0.2 * DAYS * stop
    cured = lowest < 0.0
    weeks = stop + np.ceil((limit - lowest) / (DAYS * growth))
    np.testing.assert_array_equal(followed[Outcome.PROGRESSION], np.where(cured, np.inf, weeks * DAYS))
    assert list(cured) == [True] * 3 + [False] * 3
    assert followed[Outcome.LOG_BURDEN_END][0] < -40.0  # nothing grows again
    # without therapy they all relapse, each when grown to what is seen
    untreated = run(fast, cohort, held(fast, [{}]), course)
    np.testing.assert_array_equal(
        untreated[Outcome.PROGRESSION], np.ceil((limit - left) / (DAYS * growth)) * DAYS
    )


def test_fewer_cells_than_one_are_there_with_that_probability(model, growth):
    """A quarter of a cell expected after surgery: a quarter of 4,096 patients relapses, within 3.3 standard errors."""
    n = 4096
    cohort = patients(model, [{}] * n)
    cohort.attributes[Attribute.START_BURDEN] = math.log(0.25)
    weeks = math.ceil(model.constants.relapse / (DAYS * growth))
    followed = run(model, cohort, held(model, [{}]), one_line(weeks + 1, setting=Setting.ADJUVANT))
    relapse = followed[Outcome.PROGRESSION]
    # who has a cell has one
    assert set(np.unique(relapse)) == {weeks * DAYS, np.inf}
    assert np.mean(np.isfinite(relapse)) == pytest.approx(0.25, abs=3.3 * math.sqrt(0.25 * 0.75 / n))


def test_cells_left_after_surgery_replace_the_tumour_and_are_never_as_many_as_are_seen():
    """The trial's patients before adjuvant therapy: none to just below detection, by the parameters of the record."""
    from her2.trials.follow import _leave_residual

    model = build_model()
    values = population_values(model, None)
    cohort = sample_cohort(model, values, 5, 0, 20_000)
    _leave_residual(cohort, values, 5, 0)
    left = cohort.attributes[Attribute.START_BURDEN] / LN10
    assert left.max() <= values["cohort.detection_log10"] - 1.0 + 1e-12
    # 3.3 standard errors of a median
    spread = values["cohort.residual_log10_sd"]
    assert np.median(left) == pytest.approx(
        values["cohort.residual_log10"], abs=3.3 * 1.2533 * spread / math.sqrt(20_000)
    )


# --- tolerance to chemotherapy -------------------------------------------------------------------------------------

COURSE_WEEKS = 18
"""Six cycles of three weeks, the unit of tolerance."""


def weekly_kill(model, regimens, weeks, growth):
    """Kill in one week of a line, 1/day."""
    cohort = patients(model, [{}], burden=20.0)
    ends = [float(end(model, cohort, regimens, w)[0]) if w else 20.0 for w in (weeks, weeks + 1)]
    return growth - (ends[1] - ends[0]) / DAYS


@pytest.mark.parametrize("tolerance", [1.0, 0.36])
def test_chemotherapy_loses_its_effect_with_the_time_on_it(model, growth, tolerance):
    """On constant exposure the kill falls as (1 + courses)^-tolerance: with 1 it has halved after six cycles."""
    tired = quiet(model, line_tolerance=tolerance)
    regimens = held(tired, [{"docetaxel": 1.0}])
    full = tired.values["kill.docetaxel"]
    for week in (0, 1, COURSE_WEEKS, 2 * COURSE_WEEKS):
        expected = full * (1.0 + (week + 0.5) / COURSE_WEEKS) ** -tolerance
        assert weekly_kill(tired, regimens, week, growth) == pytest.approx(expected, rel=1e-9)
    # the whole course: the sum of its weeks
    weeks = 3 * COURSE_WEEKS
    killed = DAYS * full * sum((1.0 + (w + 0.5) / COURSE_WEEKS) ** -tolerance for w in range(weeks))
    left = end(tired, patients(tired, [{}]), regimens, weeks)[0]
    assert left == pytest.approx(20.0 + weeks * DAYS * growth - killed, rel=1e-9)


def test_tolerance_counts_cycles_given_holds_for_other_cytotoxics_and_spares_the_rest(model, growth):
    """Six cycles of docetaxel every three weeks are one course; capecitabine after them has lost what docetaxel has."""
    tolerance = 1.0
    tired = quiet(at_once(model), line_tolerance=tolerance)
    first, second = tired.drug_index("docetaxel"), tired.drug_index("capecitabine")
    regimens = held(tired, [{"docetaxel": 1.0, "capecitabine": 1.0}])
    cycle, most = regimens.cycle_weeks.copy(), regimens.max_cycles.copy()
    doses = np.ones((1, len(AGENTS), 3))
    cycle[0, first], doses[0, first, 1:], most[0, first] = 3, 0.0, 6.0
    regimens = regimens._replace(cycle_weeks=cycle, doses_in_week=doses, max_cycles=most)
    regimens = delayed(regimens, tired, "capecitabine", COURSE_WEEKS)
    kill = weekly_kill(tired, regimens, COURSE_WEEKS, growth)
    full = tired.values["kill.capecitabine"]
    assert kill == pytest.approx(full / (2.0 + 0.5 / COURSE_WEEKS), rel=1e-9)
    # a pause adds nothing
    paused = delayed(regimens, tired, "capecitabine", COURSE_WEEKS + 12)
    assert weekly_kill(tired, paused, COURSE_WEEKS + 12, growth) == pytest.approx(kill, rel=1e-9)
    assert weekly_kill(tired, paused, COURSE_WEEKS + 5, growth) == pytest.approx(0.0, abs=1e-12)
    assert second != first
    # drugs that are no chemotherapy neither tire nor are tired
    others = held(tired, [{"trastuzumab": 40.0, "bevacizumab": 100.0}])
    fresh = at_once(model)
    np.testing.assert_array_equal(
        end(tired, patients(tired, [{}]), others, 60), end(fresh, patients(fresh, [{}]), others, 60)
    )


def test_tolerance_is_carried_into_the_trial_line(model, growth):
    """A patient who enters after a line of docetaxel has the tolerance of the weeks on it."""
    tolerance = 1.0
    tired = quiet(at_once(model), line_tolerance=tolerance)
    cohort = patients(tired, [{}])
    regimens = held(tired, [{"docetaxel": 1.0}, {"capecitabine": 1.0}], scan_weeks=3)
    cohort.sensitivity[tired.drug_index("docetaxel")] = 1e-3  # it does next to nothing, and is given
    course = one_line(1)._replace(
        entry_line=np.array([1]), prior_regimen=np.array([[0]]), trial_regimen=np.array([1])
    )
    followed = run(tired, cohort, regimens, course)
    weeks = followed[Outcome.ENTRY_DAY][0] / DAYS
    assert weeks > 6
    change = followed[Outcome.LOG_BURDEN_END][0] - followed[Outcome.LOG_BURDEN_ENTRY][0]
    expected = tired.values["kill.capecitabine"] * (1.0 + (weeks + 0.5) / COURSE_WEEKS) ** -tolerance
    assert growth - change / DAYS == pytest.approx(expected, rel=1e-9)


# --- tolerance to antibody-dependent kill --------------------------------------------------------------------------


def antibody_kill(model, regimens, weeks):
    """Antibody-dependent kill in one week of a line, 1/day: by the growth of the same tumour without effector cells."""
    rates = []
    for effector in (0.0, 1.0):
        cohort = patients(model, [{"effector": effector}])
        ends = [float(end(model, cohort, regimens, w)[0]) if w else 20.0 for w in (weeks, weeks + 1)]
        rates.append((ends[1] - ends[0]) / DAYS)
    return rates[0] - rates[1]


def test_antibody_dependent_kill_falls_with_the_time_on_an_antibody(model):
    """By exp(-tolerance) per 18 weeks on it, on constant exposure: with ln 2 it halves; signalling does not tire."""
    tolerance = math.log(2.0)
    tired = quiet(model, immune_tolerance=tolerance)
    regimens = held(tired, [{"trastuzumab": 40.0}])
    full = antibody_kill(model, regimens, 0)
    assert full > 1e-4
    for week in (0, 1, COURSE_WEEKS, 3 * COURSE_WEEKS):
        expected = full * math.exp(-tolerance * (week + 0.5) / COURSE_WEEKS)
        assert antibody_kill(tired, regimens, week) == pytest.approx(expected, rel=1e-8)
    without = patients(tired, [{"effector": 0.0}])
    np.testing.assert_array_equal(end(tired, without, regimens, 60), end(model, without, regimens, 60))


def test_only_the_time_on_an_antibody_counts(model):
    """A later start delays it; an antibody below half of its epitope, and drugs without an Fc part, do not count."""
    tolerance = math.log(2.0)
    tired = quiet(model, immune_tolerance=tolerance)
    (action,) = np.flatnonzero(tired.drugs.action_drug == tired.drug_index("trastuzumab"))
    half = 1.0 / tired.drugs.action_ratio[0, action]
    regimens = held(tired, [{"trastuzumab": 40.0, "lapatinib": 1.0, "bevacizumab": 100.0}])
    late = delayed(regimens, tired, "trastuzumab", 30)
    assert antibody_kill(tired, late, 30) == pytest.approx(
        antibody_kill(model, late, 30) * math.exp(-tolerance * 0.5 / COURSE_WEEKS), rel=1e-8
    )
    for share, tires in ((0.99, False), (1.01, True)):
        low = held(tired, [{"trastuzumab": share * half}])
        left = antibody_kill(tired, low, COURSE_WEEKS) / antibody_kill(model, low, COURSE_WEEKS)
        expected = math.exp(-tolerance * (COURSE_WEEKS + 0.5) / COURSE_WEEKS) if tires else 1.0
        assert left == pytest.approx(expected, rel=1e-6)
