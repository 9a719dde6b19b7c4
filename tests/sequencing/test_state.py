"""The patient's state: short forms, names of agents, the unknown, and errors that say what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from her2.errors import RecordError
from her2.sequencing.case_file import read_state, template
from her2.sequencing.recommend import advise
from her2.sequencing.state import PatientState, state_of


def test_nothing_entered_is_a_state_of_unknowns() -> None:
    state = state_of({}, "case")
    assert state == PatientState()
    assert state.her2 is None and state.completed is None and state.line_number is None


def test_unknown_is_a_value_of_its_own() -> None:
    written = {
        "her2": "unknown",
        "cns": "unknown",
        "lines": "unknown",
        "early": "unknown",
        "biomarkers": "unknown",
    }
    assert state_of(written, "case") == state_of({}, "case")
    assert state_of({"early": "none"}, "case") != state_of({}, "case")
    assert state_of({"lines": "none"}, "case").line_number == 1


def test_agents_go_by_any_name_of_the_record() -> None:
    state = state_of({"lines": [{"agents": "Taxotere + Herceptin"}, {"agents": ["Kadcyla"]}]}, "case")
    assert state.lines is not None
    assert [line.agents for line in state.lines] == [("docetaxel", "trastuzumab"), ("t_dm1",)]


def test_the_first_line_has_no_lines_before_it() -> None:
    assert state_of({"line": 1}, "case").completed == ()
    assert state_of({"line": 2}, "case").completed is None


def test_metastatic_from_the_start_means_no_early_treatment() -> None:
    early = state_of({"de_novo": True}, "case").early_treatment
    assert early is not None and early.adjuvant == () and early.neoadjuvant == ()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"settings": "metastatic"}, "settings: unknown item; nearest: 'setting'"),
        (
            {"setting": "metastatc"},
            "setting: expected metastatic, locally_advanced, neoadjuvant, adjuvant or unknown",
        ),
        (
            {"cns": "treatd"},
            "cns.metastases: expected none, untreated, treated, progressive or unknown, got 'treatd'",
        ),
        ({"biomarkers": {"pik3ca": "mutant"}}, "biomarkers.pik3ca: expected mutated, wild_type or unknown"),
        ({"lines": [{"agnts": ["x"]}]}, "lines.0.agnts: unknown item; nearest: 'agents'"),
        ({"lines": [{"months": -1}]}, "lines.0.months"),
        ({"lvef": "high"}, "lvef: "),
        ({"age": True}, "age: expected a finite number"),
        ({"pregnant": "perhaps"}, "pregnant: "),
        ({"line": 0}, "line: "),
        ({"lines": [{"agents": [1]}]}, "expected a list of names of agents"),
        ({"wishes": ["no_chemo"]}, "nearest: 'no_chemotherapy'"),
        ([], "expected a mapping of items to values, got list"),
    ],
)
def test_errors_say_field_expectation_and_nearest(data: Any, words: str) -> None:
    with pytest.raises(RecordError, match=r"^case\.yaml") as error:
        state_of(data, "case.yaml")
    assert words in str(error.value)


def test_all_findings_come_at_once() -> None:
    with pytest.raises(RecordError) as error:
        state_of({"her2": "x", "sex": "y", "ecog": 9}, "case.yaml")
    assert all(f"{name}: " in str(error.value) for name in ("her2", "sex", "ecog"))


def test_the_template_reads_and_is_inside_the_model(tmp_path: Path) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(template(), encoding="utf-8")
    advice = advise(read_state(file))
    assert advice.gate == ()
    assert advice.options[0].regimen == "t_dm1"
    assert advice.judged[0].verdict == "not to be given"
