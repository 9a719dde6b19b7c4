"""The exported model of a cell: its text, its SBML, and what libRoadRunner and COPASI make of it (other software)."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest

from her2.cell.condition import Columns, Treatment, make_columns
from her2.cell.ensemble import central
from her2.cell.model import CellModel
from her2.errors import Her2Error
from her2.export.cell_antimony import cell_antimony
from her2.export.cell_course import CellEquations, cell_course
from her2.export.cell_engines import (
    COMPARED_AT,
    REFERENCE_ABSOLUTE_TOLERANCE,
    RELATIVE_TOLERANCE,
    CopasiEngine,
    RoadRunnerEngine,
    largest_difference,
    random_condition,
    random_model,
)
from her2.export.sbml import to_sbml

RANDOM_SETS = 4
AGREED = 1e-6


def have(*packages: str) -> bool:
    return all(importlib.util.find_spec(p) is not None for p in packages)


NEEDS_SBML = pytest.mark.skipif(not have("antimony", "libsbml"), reason="needs her2[sbml]")
NEEDS_ENGINES = pytest.mark.skipif(
    not have("antimony", "libsbml", "roadrunner", "COPASI"), reason="needs her2[sbml]"
)


@pytest.fixture(scope="module")
def cell_model() -> CellModel:
    return central()


def condition(model: CellModel, drugs: dict[str, float | str], **attributes: float) -> Columns:
    treatment = Treatment(drugs, compartment="tumour")
    return make_columns([attributes], [treatment], model.agents, model.values)


def test_text_names_every_state_once_and_every_constant_is_a_number(cell_model: CellModel) -> None:
    columns = condition(cell_model, {"neratinib": "clinical", "t_dm1": "clinical"}, er=1.0)
    written = cell_antimony(cell_model, columns)
    lines = written.text.splitlines()
    rates = [line.split("'")[0] for line in lines if "' = " in line]
    species = [line.split()[2] for line in lines if line.startswith("substanceOnly species")]
    equations = CellEquations(cell_model, columns)
    assert sorted(rates + species) == sorted(equations.names)
    assert tuple(written.start) == equations.names
    for name, value in written.constants.items():
        line = next(x for x in lines if x.startswith(f"{name} = "))
        assert float(line.split(" = ")[1].split(";")[0]) == value


def test_text_has_only_the_drugs_and_actions_there_are(cell_model: CellModel) -> None:
    columns = condition(cell_model, {"trastuzumab": "clinical"})
    text = cell_antimony(cell_model, columns).text
    assert "conc_trastuzumab" in text
    assert "conc_lapatinib" not in text
    assert "fc_load_trastuzumab" in text
    silent = dataclasses.replace(columns, disabled=frozenset({("trastuzumab", "effector", "")}))
    assert "fc_load_trastuzumab" not in cell_antimony(cell_model, silent).text


def test_title_and_notes_survive_odd_letters(cell_model: CellModel) -> None:
    written = cell_antimony(cell_model, condition(cell_model, {}), title='A "cell" <b>\nin *two*_lines')
    assert written.text.startswith('// A "cell" <b> in *two*_lines\n')


@NEEDS_SBML
@pytest.mark.other_software
def test_sbml_has_no_errors_and_consistent_units(cell_model: CellModel) -> None:
    import libsbml

    drugs: dict[str, float | str] = dict.fromkeys(
        ("trastuzumab", "neratinib", "t_dm1", "docetaxel", "bevacizumab", "lapatinib"), "clinical"
    )
    columns = condition(cell_model, drugs, er=1.0)
    sbml = to_sbml(cell_antimony(cell_model, columns).text, plain_numbers=True)
    document = libsbml.readSBMLFromString(sbml)
    assert (document.getLevel(), document.getVersion()) == (3, 2)
    document.checkConsistency()
    # no error and no warning either, those about units included
    assert [document.getError(k).getMessage() for k in range(document.getNumErrors())] == []
    model = document.getModel()

    def resources(name: str) -> list[str]:
        found = model.getElementBySId(name)
        return [found.getCVTerm(k).getResourceURI(0) for k in range(found.getNumCVTerms())]

    assert resources("free_her2") == [
        "https://identifiers.org/uniprot:P04626",
        "https://identifiers.org/hgnc:3430",
    ]
    assert "https://identifiers.org/CHEBI:49603" in resources("conc_lapatinib")
    assert model.getElementBySId("her2_her3").getSBOTermID() == "SBO:0000297"
    assert model.getElementBySId("half_lapatinib_kinase_her2").getSBOTermID() == "SBO:0000261"
    assert "npj_2021_tki" in model.getElementBySId("half_lapatinib_kinase_her2").getNotesString()
    assert "her2_activates_pi3k_akt_mtor" in model.getElementBySId("w_akt_1").getNotesString()


@NEEDS_ENGINES
@pytest.mark.other_software
def test_roadrunner_and_copasi_agree_with_scipy() -> None:
    """Random parameter sets, cells and drugs on one loaded model; all states at six times over four weeks.

    Every agent is in the text, most at concentration 0. benchmarks/cell_engines.py does this for 500 sets.
    """
    engines = None
    for number in range(RANDOM_SETS):
        rng = np.random.default_rng([12, number])
        model = random_model(rng)
        columns = random_condition(model, rng)
        written = cell_antimony(model, columns)
        if engines is None:
            sbml = to_sbml(written.text, plain_numbers=True)
            engines = (RoadRunnerEngine(sbml, written), CopasiEngine(sbml, written))
        course = cell_course(
            model,
            columns,
            COMPARED_AT[-1],
            np.array(COMPARED_AT),
            relative_tolerance=RELATIVE_TOLERANCE,
            absolute_tolerance=REFERENCE_ABSOLUTE_TOLERANCE,
        )
        for engine in engines:
            found = engine.run(written, COMPARED_AT, course.names[: course.n_states])
            error, name = largest_difference(found, course, COMPARED_AT)
            assert error < AGREED, (number, type(engine).__name__, name)


@NEEDS_ENGINES
@pytest.mark.other_software
def test_actions_switched_off_and_washed_out_drugs_agree_too(cell_model: CellModel) -> None:
    treated = condition(cell_model, {"trastuzumab": "clinical", "neratinib": "clinical", "t_dm1": "clinical"})
    silent = dataclasses.replace(
        treated, disabled=frozenset({("trastuzumab", "effector", ""), ("neratinib", "kinase", "egfr")})
    )
    washed = Columns(treated.attributes, {}, treated.compartments)
    for columns, before in ((silent, None), (washed, treated)):
        written = cell_antimony(cell_model, columns, untreated=before)
        engine = CopasiEngine(to_sbml(written.text), written)
        course = cell_course(cell_model, columns, 72.0, np.array([1.0, 72.0]), untreated=before)
        names = (*course.names[: course.n_states], "net_growth")
        found = engine.run(written, (1.0, 72.0), names)
        expected = np.vstack([course.states, course["net_growth"]])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


@NEEDS_ENGINES
@pytest.mark.other_software
def test_a_text_of_another_structure_is_refused(cell_model: CellModel) -> None:
    written = cell_antimony(cell_model, condition(cell_model, {"lapatinib": 100.0}))
    engine = CopasiEngine(to_sbml(written.text), written)
    other = cell_antimony(cell_model, condition(cell_model, {"tucatinib": 100.0}))
    with pytest.raises(Her2Error, match="another one"):
        engine.run(other, (1.0,), ("akt",))
