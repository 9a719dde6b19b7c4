"""The whole study on the engine, small: 3 members of 200 patients, 600 trials of each size.

Strength of evidence: properties. The statistics are checked in test_looks.py and test_boundaries.py.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from her2.design_study.picture import draw_design
from her2.design_study.report import as_json, print_report, remarks, verdict
from her2.design_study.run import run_design
from her2.design_study.schema import Enrichment, Looks, StudyDesign, Success, complete_design

SMALL = {"members": 3, "patients": 200, "trials": 600}


@pytest.fixture(scope="module")
def task(cleopatra):
    return complete_design(
        cleopatra,
        StudyDesign(
            sizes=(100, 300, 800),
            looks=Looks(information=(0.6, 1.0), futility="non_binding"),
            enrichment=Enrichment(
                subgroups=("er_positive", "cyclin_e_amplified"), prevalence={"er_positive": 0.5}
            ),
        ),
    )


@pytest.fixture(scope="module")
def result(task):
    return run_design(task, **SMALL)


def test_digits_do_not_depend_on_threads(task, result):
    def digits(r):
        return {**as_json(r), "elapsed_s": 0.0}

    assert digits(run_design(task, **SMALL, jobs=3)) == digits(result)


def test_power_rises_with_size_under_every_member(result):
    # 200 trials per member: standard error up to 0.035
    power = np.stack([s.power for s in result.overall.sizes])
    assert np.all(np.diff(power, axis=0) > -0.05)
    assert np.all(np.diff([s.assurance for s in result.overall.sizes]) > 0.0)


def test_assurance_is_the_mean_over_members_and_all_trials_are_accounted_for(result):
    for group in result.groups:
        for s in group.sizes:
            assert s.assurance == pytest.approx(s.power.mean())
            assert s.stop_efficacy.sum() + s.stop_futility.sum() + s.stop_final == pytest.approx(1.0)
            assert s.expected_events <= s.events[-1]
            assert s.days[0] <= s.expected_days <= s.days[1] + 1e-9


def test_type_one_error_is_alpha_within_its_monte_carlo_interval(result):
    rate = result.type_one
    assert rate.trials == 1800
    # 3.3 standard errors: fails by chance once in a thousand; 18,000 trials gave 0.0246 [0.0224, 0.0269]
    assert abs(rate.value - 0.025) <= 3.3 * np.sqrt(0.025 * 0.975 / rate.trials)
    assert rate.low <= rate.value <= rate.high
    assert all(s.type_one is not None for s in result.overall.sizes)


def test_a_subgroup_needs_screening_by_its_prevalence(result):
    group = result.groups[1]
    assert (group.name, group.prevalence, group.prevalence_measured) == ("er_positive", 0.5, False)
    for own, everyone in zip(group.sizes, result.overall.sizes, strict=True):
        assert own.accrual_days == pytest.approx(2.0 * everyone.accrual_days)
    if group.compared.size is not None:
        assert group.screened == pytest.approx(2.0 * group.compared.size)


def test_the_effect_in_all_patients_lies_between_those_in_and_out(result):
    inside, outside = (result.groups[1].inside.hazard_ratio, result.groups[1].outside.hazard_ratio)
    low, high = sorted((inside, outside))
    # marginal hazard ratios are not collapsible: a small margin
    assert low - 0.03 < result.overall.inside.hazard_ratio < high + 0.03


def test_a_subgroup_with_too_few_patients_is_named_not_simulated(result):
    group = result.groups[2]
    if min(group.inside.n) < 40:
        assert not group.sizes
        assert "too few patients" in verdict(result, group)


def test_the_table_the_json_and_the_picture_hold_the_result(result, capsys):
    from rich.console import Console

    print_report(result, Console(width=200))
    text = capsys.readouterr().out
    for word in ("probability of success", "Type I error", "Enrichment", "Research use only", result.digest):
        assert word in text
    data = json.loads(json.dumps(as_json(result), allow_nan=False))
    assert [g["name"] for g in data["groups"]] == ["all", "er_positive", "cyclin_e_amplified"]
    assert len(data["groups"][0]["sizes"][0]["power"]) == 3
    assert "Probability of success by number of patients" in draw_design(result).get_label()


def test_a_wish_beyond_the_ceiling_is_told_from_a_trial_too_small(cleopatra, result):
    unclear = dataclasses.replace(
        result,
        groups=(
            dataclasses.replace(
                result.overall, ceiling=0.7, needed=dataclasses.replace(result.overall.needed, size=None)
            ),
        ),
    )
    assert "cannot be reached at any size" in remarks(unclear)[0]
    small = dataclasses.replace(
        result,
        groups=(
            dataclasses.replace(
                result.overall, ceiling=0.99, needed=dataclasses.replace(result.overall.needed, size=None)
            ),
        ),
    )
    assert "Add larger sizes" in remarks(small)[0]


def test_given_events_and_a_stricter_success(cleopatra):
    easy = complete_design(cleopatra, StudyDesign(sizes=(300,), events=(150,), between_trial_sd=0.0))
    hard = complete_design(
        cleopatra,
        StudyDesign(sizes=(300,), events=(150,), between_trial_sd=0.0, success=Success(hr_below=0.6)),
    )
    a, b = (run_design(t, **SMALL).overall.sizes[0] for t in (easy, hard))
    assert a.events == b.events == (150,)
    assert b.assurance < a.assurance


def test_prior_lines_are_lived_through():
    from her2.design_study.schema import load_design

    task = load_design("gbg_26")
    found = run_design(task, members=2, patients=100, trials=200)
    assert found.task.endpoint == "ttp"
    assert 0.0 < found.overall.inside.hazard_ratio < 2.0
