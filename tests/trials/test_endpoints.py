"""Endpoints and data cuts of hand-made patients: each row of a table is one patient whose answer is known beforehand."""

import numpy as np
import pytest

from her2.engine.layout import MAX_LINES, MAX_VISITS, N_OUTCOMES, Outcome
from her2.engine.run import Followed
from her2.trials.analyse import RATES, TIMES
from her2.trials.cut import AT_CUT, DEATH, LOST, NO_SCAN, PROGRESSION, cut_data
from her2.trials.design import RESPONSE_SETTINGS, load_trial, trial_names
from her2.trials.endpoints import RATE_RULES

NEVER = np.inf
EVERY = 63.0
NAMES = {
    "pd": Outcome.PROGRESSION, "death": Outcome.DEATH, "response": Outcome.CONFIRMED_RESPONSE,
    "confirmed": Outcome.CONFIRMED_ON, "cns": Outcome.CNS_PROGRESSION, "cns_response": Outcome.CNS_RESPONSE,
}  # fmt: skip


def followed(*rows, **flags):
    """Patients given by the days of their events; what is not given never happens."""
    outcomes = np.full((N_OUTCOMES, len(rows)), NEVER)
    for row in (Outcome.CNS_FIRST, Outcome.COMPLETE):
        outcomes[row] = 0.0
    for j, row in enumerate(rows):
        for name, day in row.items():
            outcomes[NAMES[name], j] = day
    for name, column in flags.items():
        outcomes[Outcome[name.upper()]] = column
    n = len(rows)
    return Followed(
        np.arange(n), outcomes, np.full((MAX_VISITS, n), np.nan), np.full((MAX_LINES, n), np.nan),
        np.full((MAX_LINES, n), -1),
    )  # fmt: skip


def cut(patients, endpoint, day=1000.0, enrolled=0.0, lost=NEVER):
    n = patients.patient.size
    return cut_data(patients, endpoint, np.full(n, enrolled), np.full(n, lost), day, EVERY)


def check(found, expected):
    """Time, event and reason of each patient."""
    for k, (time, event, reason) in enumerate(expected):
        assert (found.time[k], found.event[k], found.reason[k]) == (time, event, reason), k


def test_duration_of_response_runs_from_the_first_scan_that_shows_it():
    patients = followed(
        {"response": 126, "confirmed": 189, "pd": 378},  # response to progression
        {"response": 126, "confirmed": 189, "death": 300},  # to death
        {"response": 126, "confirmed": 189},  # still responding: to the last scan before the cut
        {"response": 945, "confirmed": 1008},  # confirmed after the cut: no responder yet
        {"pd": 126},  # never responded
        {"response": 126, "confirmed": 189, "pd": 1071},  # progression after the cut
        {},
    )
    last = np.floor(1000.0 / EVERY) * EVERY
    expected = [
        (252.0, True, PROGRESSION), (174.0, True, DEATH), (last - 126.0, False, AT_CUT), (0.0, False, AT_CUT),
        (0.0, False, PROGRESSION), (last - 126.0, False, AT_CUT), (0.0, False, AT_CUT),
    ]  # fmt: skip
    check(cut(patients, "dor"), expected)


def test_duration_of_response_knows_only_what_is_known_at_the_cut_or_loss():
    patients = followed({"response": 126, "confirmed": 189, "pd": 378})
    # enrolled late: response and its confirmation are known, the progression is not
    check(cut(patients, "dor", enrolled=700.0), [(252.0 - 126.0, False, AT_CUT)])
    check(cut(patients, "dor", lost=200.0), [(189.0 - 126.0, False, LOST)])
    # lost before the confirmation: no responder
    check(cut(patients, "dor", lost=188.0), [(0.0, False, LOST)])


def test_time_to_cns_counts_those_found_by_the_first_progression():
    patients = followed(
        {"cns": 200, "pd": 200},  # the brain is where it progressed
        {"cns": 200, "pd": 126},  # elsewhere before: no longer at risk
        {"pd": 126},
        {"death": 90},
        {"cns": 200, "death": 400},
        {"cns": 1100, "pd": 1100},  # after the cut
        {},
    )
    found = cut(patients, "time_to_cns")
    assert list(found.time) == [200.0, 126.0, 126.0, 90.0, 200.0, 1000.0, 1000.0]
    assert list(found.event) == [True, False, False, False, True, False, False]
    check(cut(followed({}), "time_to_cns", lost=70.0), [(70.0, False, LOST)])


def test_disease_free_survival_does_not_wait_for_a_scan():
    patients = followed(
        {"pd": 400}, {"death": 400}, {"pd": 400, "death": 500}, {"pd": 500, "death": 500}, {"pd": 1001}, {}
    )
    expected = [
        (400.0, True, PROGRESSION), (400.0, True, DEATH), (400.0, True, PROGRESSION), (500.0, True, PROGRESSION),
        (1000.0, False, AT_CUT), (1000.0, False, AT_CUT),
    ]  # fmt: skip
    check(cut(patients, "dfs"), expected)
    # censored at the cut itself and at the loss, not at a scan before
    check(cut(followed({"pd": 400}), "dfs", enrolled=650.0), [(350.0, False, AT_CUT)])
    check(cut(followed({"pd": 400}), "dfs", lost=399.0), [(399.0, False, LOST)])


def test_progression_free_survival_and_time_to_progression_are_dated_by_scans():
    patients = followed({"pd": 126}, {"death": 100}, {"pd": 189, "death": 100}, {})
    last = np.floor(1000.0 / EVERY) * EVERY
    check(
        cut(patients, "pfs"),
        [(126.0, True, PROGRESSION), (100.0, True, DEATH), (100.0, True, DEATH), (last, False, AT_CUT)],
    )
    check(
        cut(patients, "ttp"),
        [(126.0, True, PROGRESSION), (63.0, False, DEATH), (63.0, False, DEATH), (last, False, AT_CUT)],
    )
    check(cut(followed({}), "pfs", lost=40.0), [(1.0, False, NO_SCAN)])
    check(cut(followed({"death": 700}), "os", lost=699.0), [(699.0, False, LOST)])
    check(cut(followed({"death": 700}), "os"), [(700.0, True, DEATH)])


def test_rates_of_the_brain():
    patients = followed(
        {"cns_response": 126, "cns": 300, "pd": 300},
        {"cns": 126, "pd": 126},
        {"cns": 300, "pd": 126},
        {"pd": 126},
        {"cns": 600, "pd": 600},
        cns_first=[1.0, 1.0, 0.0, 0.0, 1.0],
    )
    known = 500.0
    assert list(RATE_RULES["cns_orr"](patients, known)) == [True, False, False, False, False]
    assert list(RATE_RULES["cns_orr"](patients, 125.0)) == [False] * 5
    # found by the first progression, within the time known
    assert list(RATE_RULES["cns_incidence"](patients, known)) == [True, True, False, False, False]
    assert list(RATE_RULES["cns_incidence"](patients)) == [True, True, False, False, True]
    assert list(RATE_RULES["cns_first"](patients, known)) == [True, True, False, False, False]


def test_complete_response_is_known_after_surgery_at_any_cut():
    patients = followed({}, {}, complete=[1.0, 0.0])
    assert list(RATE_RULES["pcr"](patients, np.array([1.0, 1.0]))) == [True, False]


def test_response_and_clinical_benefit_by_the_time_known():
    patients = followed(
        {"response": 63, "confirmed": 126, "pd": 189}, {"pd": 189}, {"pd": 126}, {"death": 160}, {}
    )
    assert list(RATE_RULES["orr"](patients)) == [True, False, False, False, False]
    assert list(RATE_RULES["orr"](patients, 125.0)) == [False] * 5
    assert list(RATE_RULES["cbr"](patients)) == [True, True, False, False, True]
    # stable disease needs 24 weeks that are known
    assert list(RATE_RULES["cbr"](patients, 167.0)) == [True, False, False, False, False]


@pytest.mark.parametrize("endpoint", TIMES)
def test_every_time_endpoint_keeps_its_promises(endpoint, generator):
    """500 drawn patients: no time beyond what is known, an event only where something happened, reasons that fit."""
    days = generator.exponential(500.0, (4, 500))
    patients = followed(*({"pd": a, "death": b, "cns": c} for a, b, c in days[:3].T))
    patients.outcomes[Outcome.CONFIRMED_RESPONSE, ::2] = 63.0
    patients.outcomes[Outcome.CONFIRMED_ON, ::2] = 126.0
    enrolled, lost = generator.uniform(0.0, 900.0, 500), days[3]
    found = cut_data(patients, endpoint, enrolled, lost, 1000.0, EVERY)
    known = np.minimum(1000.0 - enrolled, lost)
    assert np.all(found.time >= 0.0) and np.all(found.time <= np.maximum(known, 1.0))
    assert 0 < found.event.sum() < 500
    assert set(np.unique(found.reason[found.event])) <= {PROGRESSION, DEATH}
    # a later cut never turns an event into none, and never moves it
    later = cut_data(patients, endpoint, enrolled, lost, 2000.0, EVERY)
    assert np.all(later.event[found.event])
    assert np.array_equal(later.time[found.event], found.time[found.event])


def test_every_endpoint_of_a_setting_is_one_that_is_computed():
    assert {e for names in RESPONSE_SETTINGS.values() for e in names} == {*TIMES, *RATES}
    for name in trial_names():
        trial = load_trial(name)
        allowed = RESPONSE_SETTINGS[trial.setting]
        assert {trial.endpoints.primary, *trial.endpoints.reported} <= set(allowed), name
