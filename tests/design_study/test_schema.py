"""Design files: what is read, what is filled in, and what is refused with file, field, expectation and way out."""

from __future__ import annotations

import pytest

from her2.design_study.schema import StudyDesign, complete_design, load_design
from her2.design_study.template import template_text
from her2.errors import Her2Error
from her2.trials.design import trial_path


def write(tmp_path, text: str, name: str = "my_design.yaml") -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_template_is_a_design_file(tmp_path):
    task = load_design(write(tmp_path, template_text()))
    assert task.trial.id == "cleopatra"
    assert task.sizes == (200, 400, 600, 800, 1200)
    assert task.design.looks.information == (0.5, 1.0)


def test_the_template_names_every_key():
    text = template_text()
    for key in (
        *StudyDesign.model_fields,
        "information",
        "spending",
        "gamma",
        "alpha_spent",
        "futility",
        "hr_below",
    ):
        assert f"{key}:" in text, key


def test_defaults_come_from_the_trial():
    task = load_design("gbg_26")
    assert task.endpoint == "ttp"
    assert task.arms == (0, 1)
    assert task.sizes == (40, 78, 118, 156, 234)


def test_a_trial_file_may_hold_the_design(tmp_path):
    text = (
        trial_path("gbg_26").read_text(encoding="utf-8")
        + "design: {sizes: [100, 200], alpha: 0.05 two-sided}\n"
    )
    task = load_design(write(tmp_path, text))
    assert task.sizes == (100, 200)
    assert task.design.alpha == 0.025


def test_a_trial_file_beside_the_design_is_found(tmp_path):
    write(tmp_path, trial_path("gbg_26").read_text(encoding="utf-8"), "own.yaml")
    assert load_design(write(tmp_path, "trial: own.yaml\nendpoint: os\n")).endpoint == "os"


def test_empty_sections_and_single_numbers_are_accepted(tmp_path):
    task = load_design(write(tmp_path, "trial: cleopatra\nsizes: 300\nsuccess:\nlooks:\n"))
    assert task.sizes == (300,)
    assert task.design.success.hr_below is None


def test_times_and_rates_have_units(tmp_path):
    task = load_design(write(tmp_path, "trial: cleopatra\naccrual_rate: 30 1/month\nmax_follow_up: 2 year\n"))
    assert task.design.accrual_rate == pytest.approx(30 / 30.4375)
    assert task.design.max_follow_up == pytest.approx(730.5)


def test_prevalences_are_given_or_measured(tmp_path):
    text = "trial: cleopatra\nenrichment: {subgroups: [er_positive, not visceral], prevalence: {er_positive: 0.4}}\n"
    enrichment = load_design(write(tmp_path, text)).design.enrichment
    assert enrichment.prevalence_of("er_positive") == 0.4
    assert enrichment.prevalence_of("not visceral") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trial: cleopatra\nalpa: 0.05", r"my_design.yaml, alpa: unknown key 'alpa'; nearest: 'alpha'"),
        ("trial: cleoptra", r"trial: unknown trial 'cleoptra'; nearest: 'cleopatra'"),
        ("trial: lost/own.yaml", r"trial: no such file lost/own.yaml"),
        ("alpha: 0.05", r"neither `trial:`"),
        ("[1, 2]", r"expected a mapping"),
        ("trial: vogel_2002", r"has one arm; expected two or more"),
        ("trial: cleopatra\nexperimental: placebo", r"experimental: unknown arm 'placebo'"),
        ("trial: cleopatra\nendpoint: dfs", r"unknown endpoint for a metastatic trial 'dfs'"),
        ("trial: cleopatra\nendpoint: orr", r"endpoint: Input should be 'pfs'"),
        ("trial: cleopatra\nalpha: 0.7", r"alpha: Input should be less than 0.5"),
        ("trial: cleopatra\nalpha: 0.05 sided", r"alpha: Input should be a valid number"),
        ("trial: cleopatra\nsizes: [400, 200]", r"sizes: expected rising whole numbers"),
        ("trial: cleopatra\nsizes: [4]", r"sizes.0: Input should be greater than or equal to 10"),
        ("trial: cleopatra\nsizes: [100, 200]\nevents: [50]", r"events: 1 numbers for 2 sizes"),
        (
            "trial: cleopatra\nsizes: [100]\nevents: [150]",
            r"events: 150 events cannot come from 100 patients",
        ),
        ("trial: cleopatra\nlooks: {information: [0.5]}", r"information: expected shares .* end with 1"),
        ("trial: cleopatra\nlooks: {information: [0.5, 0.5, 1]}", r"information: expected shares"),
        ("trial: cleopatra\nlooks: {spending: wang}", r"looks.spending: Input should be 'obrien_fleming'"),
        (
            "trial: cleopatra\nlooks: {information: [0.5, 1], spending: custom}",
            r"alpha_spent: expected with `spending: custom`",
        ),
        (
            "trial: cleopatra\nlooks: {information: [0.5, 1], spending: custom, alpha_spent: [0.01, 0.05]}",
            r"expected 2 cumulative rates rising to 0.025",
        ),
        (
            "trial: cleopatra\nenrichment: {subgroups: [er_postive]}",
            r"unknown subgroup 'er_postive'; nearest: 'er_positive'",
        ),
        (
            "trial: cleopatra\nenrichment: {subgroups: [er_positive], prevalence: 1.4}",
            r"enrichment.prevalence: expected 'measured' or a share above 0 up to 1",
        ),
        (
            "trial: cleopatra\nenrichment: {subgroups: [er_positive], prevalence: {visceral: 0.4}}",
            r"prevalence: 'visceral' is not among subgroups",
        ),
        (
            "trial: cleopatra\nmax_follow_up: 20 year",
            r"max_follow_up: .* give a trial file whose last data cut",
        ),
        ("trial: cleopatra\naccrual_rate: 3", r"accrual_rate: expected a rate with a unit"),
        (
            "trial: cleopatra\nsuccess: {hr_below: 1.5}",
            r"success.hr_below: Input should be less than or equal to 1",
        ),
    ],
)
def test_bad_files_are_refused_with_place_and_way_out(tmp_path, text, says):
    with pytest.raises(Her2Error, match=says):
        load_design(write(tmp_path, text))


def test_the_arm_has_to_be_named_where_there_are_several(cleopatra):
    third = cleopatra.arms[0].model_copy(update={"id": "third"})
    trial = cleopatra.model_copy(
        update={
            "arms": (*cleopatra.arms, third),
            "randomisation": cleopatra.randomisation.model_copy(update={"ratio": (1, 1, 1), "block": 6}),
        }
    )
    with pytest.raises(Her2Error, match="experimental: trial 'cleopatra' has several"):
        complete_design(trial, StudyDesign())
    task = complete_design(trial, StudyDesign(experimental="third"))
    assert task.arms == (2, 1)
    # the sizes count the patients of the two arms
    assert task.sizes[-2] == pytest.approx(808 * 2 / 3, abs=2)
