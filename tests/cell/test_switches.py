"""Switches: grades interpolate, factors multiply, twins lose an action, and what cannot be set says why."""

from pathlib import Path

import pytest

import her2
from her2.cell.attributes import catalogue
from her2.cell.condition import Treatment
from her2.cell.evaluate import evaluate, model_of
from her2.cell.switches import added_drugs, apply_switches, load_switches, switch_names
from her2.errors import RecordError, UnknownNameError

RECORD = Path(__file__).parent / "data" / "record"


@pytest.fixture
def planted(monkeypatch):
    """Switches of the test's own beside the shipped ones."""
    monkeypatch.setenv("HER2_RECORD", str(RECORD))


@pytest.fixture
def reference():
    return her2.Cell(receptors={"her2": 1.0})


def test_every_switch_of_the_record_can_be_set_or_says_why_not():
    for name, switch in load_switches().items():
        if switch.not_a_switch:
            assert name not in switch_names()
            with pytest.raises(RecordError, match="cannot be set"):
                apply_switches(her2.Cell(), {name: 1.0}, "tumour")
        else:
            cell = apply_switches(her2.Cell(), {name: 1.0}, "tumour")
            assert cell.switches == {name: 1.0}


def test_grade_zero_changes_nothing(reference):
    for name in switch_names():
        cell = apply_switches(reference, {name: 0.0})
        assert (cell.attributes, cell.parameters, cell.adds, cell.disabled) == (
            reference.attributes, None, None, frozenset(),
        )  # fmt: skip


def test_a_grade_moves_from_the_cells_own_value(planted):
    own = her2.Cell(genotype={"pten": 0.6})
    assert own.with_switches({"test-to": 0.5}).attributes["pten"] == pytest.approx(0.6 + 0.5 * (0.2 - 0.6))
    assert her2.Cell().with_switches({"test-to": 1}).attributes["pten"] == pytest.approx(0.2)


def test_a_factor_is_raised_to_the_grade(planted):
    cell = her2.Cell(receptors={"her2": 0.5}).with_switches({"test-factor": 0.5}, "tumour")
    assert cell.attributes["her2"] == pytest.approx(0.5 * 4.0**0.5)
    assert cell.attributes["effector"] == pytest.approx(3.0**0.5)  # 1 in a tumour


def test_what_depends_on_the_compartment_asks_for_it(planted):
    with pytest.raises(RecordError, match="say which"):
        her2.Cell().with_switches({"test-factor": 1.0})
    assert her2.Cell().with_switches({"test-factor": 1.0}, "culture").attributes["effector"] == 0.0
    with pytest.raises(UnknownNameError, match="compartment 'lung'"):
        her2.Cell().with_switches({"test-factor": 1.0}, "lung")


def test_parameters_are_multiplied_and_the_unit_stays(planted):
    plain, cut = her2.Cell(), her2.Cell().with_switches({"test-zero": 0.5})
    assert cut.parameters == {"signalling.gain_her3": 0.5, "tumour.growth": 2.0}
    a, b = model_of(plain), model_of(cut)
    assert b.values["signalling.gain_her3"] == pytest.approx(0.5 * a.values["signalling.gain_her3"])
    assert b.values["tumour.growth"] == pytest.approx(2.0 * a.values["tumour.growth"])
    assert b.proliferation_reference == a.proliferation_reference
    assert plain.with_switches({"test-zero": 1.0}).parameters == {
        "signalling.gain_her3": 0.0,
        "tumour.growth": 4.0,
    }


def test_a_twin_without_its_action_is_as_untreated(planted):
    cell = her2.cell("BT474").with_switches({"test-twin": 1})
    ran = evaluate(cell, [Treatment(days=3.0), Treatment({"lapatinib": 1000.0}, days=3.0)], members=1)
    for name, values in ran.values.items():
        assert values[:, 1] == pytest.approx(values[:, 0], abs=1e-9), name


def test_a_switch_can_give_a_drug(planted):
    cell = her2.cell("BT474").with_switches({"test-adds": 1})
    assert cell.adds == {"everolimus": "clinical"} == added_drugs({"test-adds": 1.0})
    assert added_drugs({"test-adds": 0.0}) == {}
    table = cell.respond(members=0)
    given = her2.cell("BT474").respond({"everolimus": "clinical"}, members=0)
    assert table["treated"].to_list() == given["treated"].to_list()
    assert table["untreated"].to_list() == given["untreated"].to_list()


def test_the_order_of_the_switches_does_not_matter(planted):
    one = her2.Cell().with_switches({"test-to": 0.5, "pten-loss": 0.5})
    other = her2.Cell().with_switches({"pten-loss": 0.5, "test-to": 0.5})
    assert one.attributes == other.attributes


@pytest.mark.parametrize("grade", [-0.1, 1.1, float("nan"), True, "1"])
def test_a_grade_lies_between_0_and_1(grade):
    with pytest.raises(RecordError, match="between 0 and 1"):
        her2.Cell().with_switches({"pten-loss": grade})


def test_unknown_and_half_set_switches_are_refused(planted):
    with pytest.raises(UnknownNameError, match="nearest: 'pten-loss'"):
        her2.Cell().with_switches({"pten-los": 1})
    for name in ("test-twin", "test-adds"):
        with pytest.raises(RecordError, match="grade 0 or 1, got 0.5"):
            her2.Cell().with_switches({name: 0.5})
    with pytest.raises(RecordError, match="a definition changes no cell"):
        her2.Cell().with_switches({"test-none": 1})


def test_a_switch_never_leaves_the_limits():
    for name in switch_names():
        for grade in (0.0, 1.0):
            cell = apply_switches(her2.Cell(), {name: grade}, "tumour")
            for attribute, value in cell.attributes.items():
                assert catalogue()[attribute].low <= value <= catalogue()[attribute].high
