"""Regimens by agents, with doses of the record."""

import pytest

from her2.errors import RecordError
from her2.prognosis.regimens import named_regimen, plan_regimen, why_not


def doses(name):
    return {c.agent: c.dose for c in plan_regimen(name).components}


def test_a_regimen_of_the_record_is_taken_as_it_stands():
    planned = plan_regimen("capecitabine+lapatinib")
    assert planned.ids == ("capecitabine+lapatinib",)
    assert doses("capecitabine+lapatinib")["lapatinib"].startswith("1250 mg")


def test_a_dose_named_for_a_partner_goes_before_the_first():
    assert doses("lapatinib+letrozole")["lapatinib"].startswith("1500 mg")
    assert doses("lapatinib+paclitaxel+trastuzumab")["lapatinib"].startswith("750 mg")
    assert doses("capecitabine+neratinib")["capecitabine"].startswith("750 mg/m2")
    assert doses(
        "capecitabine+tucatinib+trastuzumab".replace("tucatinib+trastuzumab", "trastuzumab+tucatinib")
    )["tucatinib"]


def test_a_taxane_of_a_composed_regimen_keeps_its_usual_number_of_cycles():
    (docetaxel,) = plan_regimen("docetaxel").components
    assert docetaxel.cycles is not None and docetaxel.cycles.median == 8


@pytest.mark.parametrize("agents", [("taxane", "trastuzumab"), ("hsp90_inhibitor",), ("anti_ctla4",)])
def test_classes_and_agents_without_a_mechanism_are_refused_with_a_reason(agents):
    assert why_not(agents)
    with pytest.raises(RecordError, match=agents[0]):
        plan_regimen("+".join(agents))


def test_names_of_users_are_understood_and_unknown_ones_refused():
    assert named_regimen("Herceptin + Xeloda") == "capecitabine+trastuzumab"
    with pytest.raises(RecordError, match="nearest"):
        named_regimen("trastuzumap")


def test_a_line_stopped_early_gets_the_cycles_that_start_within_it():
    parts = {c.agent: c for c in plan_regimen("docetaxel+trastuzumab").stopped_after(3.0)}
    assert parts["trastuzumab"].cycles.high == 4
    assert parts["docetaxel"].cycles.median == 4
    assert {c.agent: c for c in plan_regimen("docetaxel").stopped_after(24.0)}["docetaxel"].cycles.median == 8


def test_chemotherapy_weeks_end_with_the_typical_cycles():
    assert plan_regimen("docetaxel+trastuzumab").chemotherapy_weeks() == 24.0
    assert plan_regimen("t_dm1").chemotherapy_weeks() == 0.0
    assert not plan_regimen("t_dm1").is_chemotherapy
