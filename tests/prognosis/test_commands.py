"""`her2 patient` and `her2 sequence` from the command line."""

import json
from pathlib import Path

import pytest
import yaml
from small_case import SECOND_LINE
from typer.testing import CliRunner

from her2.cli.main import app
from her2.prognosis import predict, sequences
from her2.prognosis.ask import ask_missing
from her2.sequencing.state import state_of

FEW = ["--draws", "240", "--twins", "40", "--members", "2", "--jobs", "1"]


@pytest.fixture
def case(tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump(SECOND_LINE), encoding="utf-8")
    return path


@pytest.fixture
def own_members(models, monkeypatch):
    """Members of the tests in place of the shipped posterior."""
    for module in (predict, sequences):
        monkeypatch.setattr(module, "posterior_models", lambda _: models)


def run(*arguments, typed=None):
    return CliRunner().invoke(app, [str(a) for a in arguments], input=typed)


def test_the_template_is_a_case_that_the_command_reads(tmp_path, own_members):
    printed = run("patient", "--template")
    path = tmp_path / "case.yaml"
    path.write_text(printed.output, encoding="utf-8")
    result = run("patient", path, "--json", *FEW, "--explained", 0)
    assert result.exit_code == 0, result.output
    data = json.loads(result.output)
    assert data["schema"] == "her2.patient/1" and not data["refused"]
    assert data["courses"][0]["regimen"] == data["advice"]["options"][0]["regimen"]


def test_the_report_names_research_use_options_and_sources(case, own_members):
    result = run("patient", case, *FEW)
    assert result.exit_code == 0, result.output
    for words in (
        "not for treating patients",
        "Not medical advice",
        "Escape routes",
        "What limits",
        "[metastatic.",
    ):
        assert words in result.output, words


def test_nothing_is_stored_unless_asked(case, own_members, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    run("patient", case, *FEW, "--explained", 0)
    assert sorted(tmp_path.rglob("*")) == before
    folder = tmp_path / "pictures"
    result = run("patient", case, *FEW, "--explained", 0, "--plot", folder)
    assert result.exit_code == 0, result.output
    names = {p.name for p in folder.iterdir()}
    assert {"patient_pfs.svg", "patient_os.png", "patient_routes.svg", "patient_graph.svg"} <= names
    assert "Not medical advice" in (folder / "patient_graph.svg").read_text(encoding="utf-8")


def test_pictures_replace_earlier_pictures_and_nothing_else(tmp_path):
    from her2.errors import OutputError
    from her2.prognosis.pictures import check_pictures

    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "patient_os.svg").write_text("<svg/>", encoding="utf-8")
    check_pictures(folder)
    (folder / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"letter\.txt"):
        check_pictures(folder)


def test_a_wrong_bundle_ends_with_its_findings_and_exit_code_2(tmp_path, capsys, monkeypatch):
    pytest.importorskip("fhir.resources")
    from her2.cli.main import main

    bundle = json.loads((Path(__file__).parent / "data" / "mcode_example.json").read_text(encoding="utf-8"))
    (ecog,) = (e["resource"] for e in bundle["entry"] if e["resource"]["id"] == "ecog")
    ecog["valueInteger"] = 9
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(bundle), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["her2", "patient", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "1 finding to be mended" in told and "expected 0 to 4" in told and "--lenient" in told


def test_a_bundle_can_be_turned_into_a_case_file(tmp_path):
    pytest.importorskip("fhir.resources")
    bundle = Path(__file__).parent / "data" / "mcode_example.json"
    printed = run("patient", bundle, "--as-case")
    assert printed.exit_code == 0 and printed.output.startswith("# For research")
    path = tmp_path / "case.yaml"
    path.write_text(printed.output, encoding="utf-8")
    from her2.prognosis.case import read_case

    assert read_case(path).state == read_case(bundle).state


def test_a_refused_case_is_answered_by_the_rules_without_a_model(tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump({**SECOND_LINE, "her2": "negative"}), encoding="utf-8")
    result = run("patient", path, "--option", "t_dm1")
    assert result.exit_code == 0
    assert "No course is predicted" in result.output and "Predicted, out of 100" not in result.output
    compared = run("sequence", path)
    assert compared.exit_code == 0 and "HER2-negative" in compared.output


def test_an_mcode_bundle_is_read_with_its_findings(own_members):
    pytest.importorskip("fhir.resources")
    bundle = Path(__file__).parent / "data" / "mcode_example.json"
    result = run("patient", bundle, "--json", *FEW, "--explained", 0)
    assert result.exit_code == 0, result.output
    data = json.loads(result.output)
    assert data["findings"] and data["courses"]


def test_sequences_are_printed_and_are_json(case, own_members):
    text = run("sequence", case, "--regimens", "t_dm1,capecitabine+lapatinib", *FEW)
    assert text.exit_code == 0, text.output
    assert "reference" in text.output and "not for treating patients" in text.output
    data = json.loads(run("sequence", case, "--depth", 1, "--json", *FEW).output)
    assert data["sequences"][0]["origin"] == "rules"


def test_what_is_missing_is_asked_and_enter_leaves_it_unknown():
    questions = []

    def answer(text, default):
        questions.append(text)
        return {1: "positive", 2: "nonsense"}.get(len(questions), default)

    state = state_of({k: v for k, v in SECOND_LINE.items() if k != "hormone_receptor"}, "case")
    told = ask_missing(state, answer, most=3)
    assert told.hormone_receptor == "positive"
    assert len(questions) == 4  # the second is put again after an answer that no case has
    assert "expected" in questions[2]


def test_asking_works_at_the_terminal(case, own_members):
    result = run("patient", case, "--ask", "--json", *FEW, "--explained", 0, typed="\n" * 8)
    assert result.exit_code == 0, result.output


def test_no_file_is_an_error():
    result = run("patient")
    assert result.exit_code != 0
