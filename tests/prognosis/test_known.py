"""What is known becomes conditions on virtual patients."""

import numpy as np
import pytest

from her2.engine.layout import Attribute, BrainEntry
from her2.evidence.load import load_population
from her2.patients.sample import population_values, sample_cohort
from her2.prognosis.known import known_of
from her2.sequencing.state import state_of


def drawn(model, known, n=400):
    values = {**population_values(model, load_population(known.recipe)), **known.values}
    cohort = sample_cohort(model, values, 1, 0, n)
    return cohort, known.select(cohort, values, 1)


def known(**items):
    return known_of(state_of(items, "case"))


def test_fixed_items_hold_in_every_virtual_patient(model):
    cohort, inside = drawn(
        model,
        known(
            hormone_receptor="positive", age=71, weight=58, ecog=0, sites=["liver"],
            biomarkers={"pik3ca": "mutated", "pten": "lost", "p95her2": "absent", "cyclin_e": "normal"},
            early="none",
        ),
    )  # fmt: skip
    a = cohort.attributes
    assert inside.all()
    assert np.all(a[Attribute.ER_POSITIVE] == 1.0) and np.all(a[Attribute.PIK3CA] == 1.0)
    assert np.all(a[Attribute.PTEN] < 1.0) and np.all(a[Attribute.CYCLIN_E] == 0.0)
    assert np.ptp(a[Attribute.P95_SHARE]) == 0.0
    assert np.all(a[Attribute.AGE] == 71.0) and np.allclose(a[Attribute.WEIGHT], 58.0)
    assert np.all(a[Attribute.ECOG] == 0.0) and np.all(a[Attribute.LIVER] == 1.0)
    assert np.all(a[Attribute.ADJUVANT_TRASTUZUMAB] == 0.0) and np.all(
        a[Attribute.ADJUVANT_CHEMOTHERAPY] == 0.0
    )


def test_levels_select_one_side(model):
    for level, other in (("high", "low"), ("low", "high")):
        cohort, inside = drawn(model, known(biomarkers={"til": level, "her2_level": other}))
        assert 0.1 < inside.mean() < 0.5
        her2 = cohort.attributes[Attribute.HER2][inside] >= model.values["receptors.reference_her2"]
        assert np.all(her2 == (other == "high"))


@pytest.mark.parametrize(("word", "active"), [("active", True), ("inactive", False)])
def test_an_active_pathway_means_one_of_its_lesions(model, word, active):
    cohort, inside = drawn(model, known(biomarkers={"pi3k_pathway": word}))
    lesion = (cohort.attributes[Attribute.PIK3CA] > 0.5) | (cohort.attributes[Attribute.PTEN] < 0.99)
    assert np.array_equal(inside, lesion == active)


def test_the_genotype_scales_the_effector_level(model):
    levels = [
        np.median(drawn(model, known(biomarkers={"fcgr3a": g}))[0].attributes[Attribute.EFFECTOR])
        for g in ("vv", "vf", "ff")
    ]
    assert levels[0] > levels[1] > levels[2]


def test_the_number_of_lines_decides_the_population():
    line = {"agents": ["trastuzumab"], "stopped_for": "progression"}
    assert [known(lines=[line] * n).recipe for n in (0, 1, 2, 4)] == [
        "first_line_metastatic", "second_line", "later_line", "later_line",
    ]  # fmt: skip


def test_brain_metastases_are_those_of_the_case():
    assert known(cns="none").brain_entry == BrainEntry.NONE
    assert known(cns="progressive").brain_entry == BrainEntry.TREATED
    assert known().brain_entry == BrainEntry.ANY


def test_what_the_virtual_patients_do_not_have_is_said_to_be_for_the_rules_only():
    uses = {f.item: f.use for f in known(lvef=55, biomarkers={"serum_her2": "high", "til": "low"}).facts}
    assert uses["lvef"] == uses["biomarkers.serum_her2"] == "rules"
    assert uses["biomarkers.til"] == "selected"
