"""RECIST 1.1 at its edges: defaults of the guideline, the days on which a rule turns, and what errors say."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from her2.tumour import recist
from her2.tumour.recist import (
    CensorReason,
    Lesion,
    Response,
    ResponseRules,
    Visit,
    baseline_sum,
    best_overall_response,
    check_visits,
    clinical_benefit,
    lesion_responses,
    progression_free_survival,
    progression_time,
    response_code,
    responses_of_cohort,
    time_to_response,
    timepoint_response,
    visit_responses,
    visits_until,
)
from type_hints import modules_of, resolve_annotations

CR, PR, SD, PD, NE = (Response[name] for name in ("CR", "PR", "SD", "PD", "NE"))


def test_every_annotation_can_be_resolved():
    assert sum(resolve_annotations(m) for m in modules_of("her2.tumour.recist")) > 80


def test_codes_and_reasons_have_the_numbers_that_tables_and_compiled_code_rely_on():
    assert {r.name: r.value for r in Response} == {
        "CR": 1, "PR": 2, "SD": 3, "PD": 4, "NE": 5, "NON_CR_NON_PD": 6,
    }  # fmt: skip
    assert {r.name: r.value for r in CensorReason} == {
        "NOT_CENSORED": 0, "CUT": 1, "MISSED_SCANS": 2, "NEW_THERAPY": 3, "LOST": 4, "NO_ASSESSMENT": 5,
    }  # fmt: skip


def test_thresholds_are_those_of_the_guideline():
    assert (recist.PARTIAL_FALL, recist.PROGRESSION_RISE, recist.PROGRESSION_RISE_MM) == (0.30, 0.20, 5.0)
    assert (recist.NODE_NORMAL_MM, recist.NODE_TARGET_MM, recist.LESION_TARGET_MM) == (10.0, 15.0, 10.0)
    assert (recist.TOO_SMALL_MM, recist.MAX_TARGETS, recist.MAX_TARGETS_PER_ORGAN) == (5.0, 5, 2)
    # rounding may decide no case that differs by a micrometre
    assert 0.0 < recist.ROUNDING_MM <= 1e-6
    assert response_code(35.999, 40.0, 30.0, False, False) == SD
    assert response_code(36.0, 40.0, 30.0, False, False) == PD
    assert response_code(70.001, 100.0, 100.0, False, False) == SD


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (best_overall_response, {"rules"}),
        (clinical_benefit, {"rules"}),
        (progression_time, {"rules"}),
        (time_to_response, {"rules"}),
        (progression_free_survival, {"scan_interval_days", "scan_window_days", "cut_day", "rules"}),
        (responses_of_cohort, {"scan_interval_days", "cut_day", "gone_below_mm", "rules"}),
    ],
)
def test_settings_of_a_protocol_are_given_by_name_only(function, named):
    kinds = {n: p.kind for n, p in inspect.signature(function).parameters.items()}
    assert {kinds[n] for n in named} == {inspect.Parameter.KEYWORD_ONLY}
    # and the course of the patient by place or by name
    first = next(iter(kinds.values()))
    assert first == inspect.Parameter.POSITIONAL_OR_KEYWORD


@pytest.mark.parametrize(
    ("function", "defaults"),
    [
        (best_overall_response, {"confirm": True, "minimum_sd_days": 42.0, "confirm_days": 28.0}),
        (clinical_benefit, {"minimum_days": 168.0, "confirm": True, "confirm_days": 28.0}),
        (progression_free_survival, {"missed_scan_rule": 2, "scan_window_days": 7.0}),
        (time_to_response, {"confirm": True, "confirm_days": 28.0}),
        (
            responses_of_cohort,
            {"missed_scan_rule": 2, "scan_window_days": 7.0, "minimum_sd_days": 42.0, "confirm_days": 28.0,
             "benefit_days": 168.0, "gone_below_mm": 0.0},
        ),
        (timepoint_response, {"non_target": None, "is_new_lesion": False, "too_small_mm": 5.0}),
        (visit_responses, {"gone_below_mm": 0.0, "new_lesion_day": math.inf}),
    ],
)  # fmt: skip
def test_defaults_are_those_of_the_guideline(function, defaults):
    given = {n: p.default for n, p in inspect.signature(function).parameters.items()}
    for name in defaults.keys() & given.keys():
        assert given[name] == defaults[name], name
    assert defaults.keys() <= given.keys()


def test_records_do_not_change():
    for record, field in ((Lesion(20.0), "baseline_mm"), (ResponseRules(), "max_stable")):
        with pytest.raises(AttributeError):
            setattr(record, field, 3)
    assert ResponseRules() == ResponseRules(1, 1, True)


def test_rules_without_any_patience_are_allowed_and_less_is_not():
    assert ResponseRules(0, 0).max_stable == 0
    for wrong in ((-1, 0), (0, -1)):
        with pytest.raises(ValueError, match=f"max_not_evaluable {wrong[0]}, max_stable {wrong[1]}"):
            ResponseRules(*wrong)


@pytest.mark.parametrize("least", [(10.0, False), (15.0, True)])
def test_targets_of_the_least_size_are_taken_and_smaller_ones_named(least):
    size, is_node = least
    assert baseline_sum([Lesion(size, is_node)]) == size
    word = r"node \(short axis\)" if is_node else "lesion"
    with pytest.raises(
        ValueError, match=rf"target {word}: {size - 0.5} mm at baseline; expected at least {size}"
    ):
        Lesion(size - 0.5, is_node)


# a response and its confirmation, day by day


@pytest.mark.parametrize(("gap", "confirmed"), [(27.0, math.inf), (28.0, 42.0), (29.0, 42.0)])
def test_a_confirmation_takes_four_weeks_and_counts_from_the_first_response(gap, confirmed):
    visits = [Visit(42.0, PR), Visit(42.0 + gap, PR)]
    assert time_to_response(visits) == confirmed
    assert time_to_response(visits, False) == 42.0


@pytest.mark.parametrize(
    ("between", "rules", "confirmed"),
    [
        ([NE], ResponseRules(), True),
        ([NE, NE], ResponseRules(), False),
        ([NE, NE], ResponseRules(2), True),
        ([NE], ResponseRules(0), False),
        ([SD], ResponseRules(), True),
        ([SD, SD], ResponseRules(), False),
        ([SD, SD], ResponseRules(1, 2), True),
        ([SD], ResponseRules(1, 0), False),
        ([SD, NE], ResponseRules(), True),
    ],
)
def test_so_many_other_visits_may_lie_between_a_response_and_its_confirmation(between, rules, confirmed):
    codes = [PR, *between, PR]
    visits = [Visit(42.0 * (k + 1), code) for k, code in enumerate(codes)]
    assert (time_to_response(visits, rules=rules) == 42.0) == confirmed
    sums = {PR: 60.0, SD: 75.0, NE: math.nan}
    cohort = responses_of_cohort(
        [[sums[c] for c in codes]],
        [v.day for v in visits],
        100.0,
        scan_interval_days=42.0,
        missed_scan_rule=0,
        rules=rules,
    )
    # 75 mm after a nadir of 60 is a rise of 25 %: progression; so SD courses are compared where there are none
    if SD not in between:
        assert (cohort.response_day[0] == 42.0) == confirmed


@pytest.mark.parametrize(("day", "expected"), [(41.0, NE), (42.0, SD), (43.0, SD)])
def test_stable_disease_takes_six_weeks(day, expected):
    assert best_overall_response([Visit(day, SD)]).best == expected
    cohort = responses_of_cohort([[90.0]], [day], 100.0, scan_interval_days=42.0)
    assert cohort.best_confirmed[0] == expected


@pytest.mark.parametrize(("day", "expected"), [(167.0, False), (168.0, True), (169.0, True)])
def test_clinical_benefit_takes_twenty_four_weeks(day, expected):
    assert clinical_benefit([Visit(day, SD)]) == expected
    cohort = responses_of_cohort([[90.0]], [day], 100.0, scan_interval_days=42.0)
    assert cohort.has_benefit[0] == expected


@pytest.mark.parametrize(("death", "event"), [(133.0, True), (134.0, False)])
def test_a_death_after_two_missed_scans_is_censored_from_the_day_after_the_window(death, event):
    """One scan on day 42, the next two missed: 42 + 2 x 42 + 7 = 133."""
    visits = [Visit(42.0, SD)]
    pfs = progression_free_survival(visits, death, scan_interval_days=42.0)
    assert pfs.is_event == event
    assert pfs.reason == (CensorReason.NOT_CENSORED if event else CensorReason.MISSED_SCANS)
    assert pfs.day == (death if event else 42.0)
    cohort = responses_of_cohort([[90.0]], [42.0], 100.0, death_day=death, scan_interval_days=42.0)
    assert (cohort.pfs_day[0], cohort.pfs_event[0]) == (pfs.day, pfs.is_event)
    never = progression_free_survival(visits, death, missed_scan_rule=0, scan_interval_days=42.0)
    assert never == (death, True, CensorReason.NOT_CENSORED)


@pytest.mark.parametrize(
    ("therapy", "reason", "day"),
    [(83.0, CensorReason.NEW_THERAPY, 42.0), (84.0, CensorReason.NOT_CENSORED, 84.0)],
)
def test_a_new_therapy_on_the_day_of_progression_does_not_censor_it(therapy, reason, day):
    visits = [Visit(42.0, SD), Visit(84.0, PD)]
    assert progression_free_survival(visits, new_therapy_day=therapy, scan_interval_days=42.0) == (
        day,
        reason == CensorReason.NOT_CENSORED,
        reason,
    )
    cohort = responses_of_cohort(
        [[90.0, 150.0]], [42.0, 84.0], 100.0, new_therapy_day=therapy, scan_interval_days=42.0
    )
    assert (cohort.pfs_day[0], cohort.pfs_reason[0]) == (day, reason)


def test_who_was_never_assessed_is_censored_at_the_start_and_who_was_lost_is_not_cut():
    nothing = [Visit(42.0, NE)]
    assert progression_free_survival(nothing, scan_interval_days=42.0) == (
        0.0,
        False,
        CensorReason.NO_ASSESSMENT,
    )
    seen = [Visit(42.0, SD)]
    for lost, cut, reason in (
        (50.0, 60.0, CensorReason.LOST),
        (60.0, 50.0, CensorReason.CUT),
        (50.0, 50.0, CensorReason.CUT),
    ):
        pfs = progression_free_survival(seen, last_follow_up_day=lost, cut_day=cut, scan_interval_days=42.0)
        assert pfs == (42.0, False, reason)
        cohort = responses_of_cohort(
            [[90.0]], [42.0], 100.0, last_follow_up_day=lost, cut_day=cut, scan_interval_days=42.0
        )
        assert (cohort.pfs_day[0], cohort.pfs_reason[0]) == (42.0, reason)


def test_scans_up_to_and_on_the_last_day_count_and_none_after_it():
    visits = [Visit(42.0, PR), Visit(84.0, PR), Visit(126.0, PD)]
    assert visits_until(visits, 84.0) == visits[:2]
    assert visits_until(visits, 83.9) == visits[:1]
    cohort = responses_of_cohort(
        [[60.0, 60.0, 200.0]], [42.0, 84.0, 126.0], 100.0, death_day=84.0, scan_interval_days=42.0
    )
    assert cohort.codes[0].tolist() == [PR, PR, NE]
    assert cohort.response_day[0] == 42.0


def test_a_relapse_after_complete_response_is_progression_unless_the_rules_say_otherwise():
    visits = [Visit(42.0, CR), Visit(84.0, PR), Visit(126.0, PR)]
    assert progression_time(visits) == 84.0
    doubtful = ResponseRules(is_relapse_progression=False)
    assert progression_time(visits, rules=doubtful) == math.inf
    assert best_overall_response(visits, rules=doubtful).confirmed == PR
    sums, days = [[0.0, 4.0, 4.0]], [42.0, 84.0, 126.0]
    strict = responses_of_cohort(sums, days, 100.0, scan_interval_days=42.0)
    mild = responses_of_cohort(sums, days, 100.0, scan_interval_days=42.0, rules=doubtful)
    assert (strict.progression_day[0], mild.progression_day[0]) == (84.0, math.inf)
    # the first visit has none before it that could have been complete
    assert responses_of_cohort([[4.0]], [42.0], 100.0, scan_interval_days=42.0).progression_day[0] == math.inf


def test_a_new_lesion_or_non_target_progression_counts_from_the_scan_on_or_after_its_onset():
    days = [42.0, 84.0]
    for name in ("new_lesion_day", "non_target_progression_day"):
        for onset, expected in ((84.0, [SD, PD]), (84.5, [SD, SD]), (42.0, [PD, PD])):
            visits = visit_responses([90.0, 90.0], days, 100.0, **{name: onset})
            assert [v.response for v in visits] == expected
            cohort = responses_of_cohort(
                [[90.0, 90.0]], days, 100.0, scan_interval_days=42.0, **{name: onset}
            )
            assert cohort.codes[0].tolist() == expected


def test_a_sum_below_the_limit_is_gone_and_one_at_it_is_not():
    visits = visit_responses([6.0, 5.9], [42.0, 84.0], 100.0, gone_below_mm=6.0)
    assert [v.response for v in visits] == [PR, CR]
    cohort = responses_of_cohort(
        [[6.0, 5.9]], [42.0, 84.0], 100.0, scan_interval_days=42.0, gone_below_mm=6.0
    )
    assert cohort.codes[0].tolist() == [PR, CR]


def test_an_incomplete_visit_is_progression_only_if_what_was_measured_proves_it():
    lesions = [Lesion(40.0, organ="liver"), Lesion(20.0, organ="lung")]
    for diameter, response, target in ((71.0, SD, NE), (72.0, PD, PD)):
        point = timepoint_response(lesions, [diameter, math.nan], 60.0)
        assert point.target == target
        assert point.response == (PD if response == PD else NE)
        assert math.isnan(point.sum_mm)


def test_arguments_of_zero_are_allowed_where_nothing_forbids_them():
    assert time_to_response([Visit(1.0, PR), Visit(2.0, PR)], confirm_days=0.0) == 1.0
    assert best_overall_response([Visit(1.0, SD)], minimum_sd_days=0.0).best == SD
    pfs = progression_free_survival(
        [Visit(42.0, SD)], 85.0, missed_scan_rule=1, scan_interval_days=42.0, scan_window_days=0.0
    )
    assert pfs.reason == CensorReason.MISSED_SCANS
    assert progression_free_survival([], 0.0, scan_interval_days=42.0).is_event
    assert visit_responses([0.0], [42.0], 10.0)[0].response == CR
    assert timepoint_response([Lesion(20.0)], [0.0], 0.0).response == CR


@pytest.mark.parametrize("wrong", [math.nan, -1.0, math.inf])
def test_limits_in_days_are_finite_and_not_negative(wrong):
    for call in (
        lambda: best_overall_response([], minimum_sd_days=wrong),
        lambda: time_to_response([], confirm_days=wrong),
        lambda: clinical_benefit([], minimum_days=wrong),
        lambda: responses_of_cohort([[9.0]], [42.0], 10.0, scan_interval_days=42.0, benefit_days=wrong),
        lambda: progression_free_survival([], scan_interval_days=42.0, scan_window_days=wrong),
        lambda: progression_free_survival([], scan_interval_days=wrong),
    ):
        with pytest.raises(ValueError, match=str(wrong)):
            call()


@pytest.mark.parametrize(
    ("visits", "says"),
    [
        ([Visit(0.0, SD)], "day 0.0 after day 0.0"),
        ([Visit(42.0, SD), Visit(42.0, SD)], "day 42.0 after day 42.0"),
        ([Visit(42.0, SD), Visit(math.inf, SD)], "day inf after day 42.0"),
        ([Visit(math.nan, SD)], "day nan after day 0.0"),
    ],
)
def test_days_of_visits_are_positive_rising_and_finite(visits, says):
    with pytest.raises(ValueError, match=says):
        check_visits(visits)


def test_a_scan_after_death_is_refused_for_one_patient():
    visits = [Visit(42.0, SD), Visit(84.0, SD)]
    with pytest.raises(ValueError, match="death"):
        progression_free_survival(visits, 83.0, scan_interval_days=42.0)
    assert progression_free_survival(visits, 84.0, scan_interval_days=42.0).day == 84.0


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"death_day": [5.0, -3.0]}, "death_day: -3.0; expected at least 0"),
        ({"cut_day": [math.nan, 3.0]}, "cut_day: nan; expected at least 0"),
    ],
)
def test_the_first_wrong_day_of_a_cohort_is_told(values, says):
    with pytest.raises(ValueError, match=says):
        responses_of_cohort([[9.0], [9.0]], [42.0], 10.0, scan_interval_days=42.0, **values)


def test_wrong_sums_baselines_and_days_of_a_cohort_are_told_with_their_place():
    days = [42.0, 84.0]
    for sums, says in (
        ([[9.0, 9.0], [9.0, -1.0]], "patient 1, visit 1: sum of -1.0 mm"),
        ([[9.0, 9.0], [math.inf, 9.0]], "patient 1, visit 0: sum of inf mm"),
    ):
        with pytest.raises(ValueError, match=says):
            responses_of_cohort(sums, days, 10.0, scan_interval_days=42.0)
    for baseline in (-2.0, 0.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"baseline sum of {baseline} mm"):
            responses_of_cohort([[9.0, 9.0]] * 2, days, [10.0, baseline], scan_interval_days=42.0)
    with pytest.raises(ValueError, match="patient 1, visit 1: day 42.0"):
        responses_of_cohort([[9.0, 9.0]] * 2, [days, [42.0, 42.0]], 10.0, scan_interval_days=42.0)
    with pytest.raises(ValueError, match="patient 0, visit 1: day inf"):
        responses_of_cohort([[9.0, 9.0]], [42.0, math.inf], 10.0, scan_interval_days=42.0)
    # sums, onsets and ends of 0 are possible
    fine = responses_of_cohort([[0.0, 0.0]], days, 10.0, 0.0, 0.0, scan_interval_days=42.0)
    assert (fine.pfs_day[0], fine.pfs_event[0]) == (0.0, True)


def test_lengths_that_differ_are_told_by_name():
    lesions = [Lesion(20.0)]
    for call, says in (
        (lambda: visit_responses([1.0, 2.0], [42.0], 10.0), "sums: 2 entries for 1 visit days"),
        (lambda: lesion_responses(lesions, [42.0], []), "diameters: 0 entries for 1 visit days"),
        (lambda: lesion_responses(lesions, [42.0], [[9.0]], [None, None]), "non_target: 2 entries for 1"),
        (lambda: timepoint_response(lesions, [9.0, 9.0], 20.0), "2 diameters for 1 target lesions"),
    ):
        with pytest.raises(ValueError, match=says):
            call()


def test_results_of_a_cohort_have_the_types_that_tables_take():
    cohort = responses_of_cohort([[60.0, 60.0]], [42.0, 84.0], 100.0, scan_interval_days=42.0)
    for name in ("codes", "best_confirmed", "best_unconfirmed", "pfs_reason"):
        assert getattr(cohort, name).dtype == np.int8
    for name in ("has_benefit", "pfs_event"):
        assert getattr(cohort, name).dtype == np.bool_
    with pytest.raises(AttributeError):
        cohort.codes = cohort.codes
