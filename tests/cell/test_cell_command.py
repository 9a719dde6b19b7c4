"""`her2 cell` and the short way in: output, files, JSON, and errors that end with exit code 2."""

import json
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import her2
from her2.cell import time_course as time_course_module
from her2.cli.main import main
from her2.errors import Her2Error, RecordError, UnknownNameError

DATA = Path(__file__).parent / "data"


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs `her2 cell ...`: exit code, standard output, standard error."""

    def _run(*arguments):
        monkeypatch.setattr(sys, "argv", ["her2", "cell", *(str(a) for a in arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return stop.value.code or 0, captured.out, captured.err

    return _run


def test_a_line_is_printed_with_sources_state_and_growth(run):
    code, out, _ = run("BT474", "--dose", "lapatinib=100,trastuzumab=70", "--members", 2)
    assert code == 0
    for text in (
        "BT-474",
        "niepel_2013",
        "her2_her2",
        "akt",
        "net growth",
        "doubling time",
        "growth inhibition",
    ):
        assert text in out
    assert "Not medical advice" in out


def test_json_holds_everything(run):
    code, out, _ = run("skbr-3", "--drug", "Herceptin+lapatinib", "--surface", "--with", "pten-loss=0.8",
                       "--ligand", "heregulin=5", "--members", 2, "--json")  # fmt: skip
    assert code == 0
    data = json.loads(out)
    assert data["cell"]["id"] == "skbr3" and data["cell"]["switches"] == {"pten-loss": 0.8}
    assert data["condition"]["ligands"] == {"heregulin": 5.0}
    assert data["condition"]["drugs"]["trastuzumab"]["dose"] == "clinical"
    assert [r["drug"] for r in data["dose_response"]] == ["trastuzumab", "lapatinib"]
    assert set(data["dose_response"][0]["metrics"]) >= {"gr50", "gr_max", "h_gr", "gr_aoc", "ic50"}
    assert data["combination"]["mean_bliss_excess"]["low"] <= data["combination"]["mean_bliss_excess"]["high"]
    akt = data["state"]["akt"]
    assert akt["unit"] == "1" and akt["treated"]["low"] <= akt["treated"]["high"]


def test_the_same_run_has_the_same_digest(run):
    one, other = (json.loads(run("BT474", "--members", 2, "--json")[1]) for _ in range(2))
    assert one["digest"] == other["digest"]


def test_a_cell_of_your_own(run):
    code, out, _ = run(DATA / "own_cell.yaml", "--members", 0, "--json")
    assert code == 0
    differs = {d["attribute"]: d for d in json.loads(out)["cell"]["differs"]}
    assert differs["her2"]["value"] == 2.0 and differs["pten"]["source"] == "inferred_c"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["BT475"], "nearest: 'bt474'"),
        ([], "which cell"),
        ([DATA / "no_such_file.yaml"], "no such file"),
        ([DATA / "impossible_value.yaml"], "p95_share: 1.5 is impossible"),
        ([DATA / "unknown_attribute.yaml"], "nearest: 'pik3ca'"),
        ([DATA / "wrong_group.yaml"], "unknown attribute 'heregulin'"),
        (["BT474", "--drug", "lapatinb"], "nearest: 'lapatinib'"),
        (["BT474", "--drug", "lapatinib++"], "joined by '+'"),
        (["BT474", "--dose", "lapatinib=-3"], "0 or more"),
        (["BT474", "--dose", "lapatinib=much"], "expected a number"),
        (["BT474", "--with", "pten-los=1"], "nearest: 'pten-loss'"),
        (["BT474", "--with", "pten-loss=2"], "between 0 and 1"),
        (["BT474", "--ligand", "heregulin=1e6"], "impossible"),
        (["BT474", "--ligand", "her2=1"], "unknown ligand"),
        (["BT474", "--where", "lung"], "unknown compartment"),
        (["BT474", "--days", "-1"], "days: expected"),
        (["BT474", "--drug", "lapatinib", "--days", "0"], "an hour or more"),
        (["BT474", "--drug", "lapatinib", "--surface"], "two drugs"),
        (["BT474", "--members", "1000"], "members"),
        (["BT474", "--plot", "picture.bmp"], ".svg, .png or .pdf"),
        (["BT474", "--csv", "no_such_folder/table.csv"], "folder that exists"),
    ],
)  # fmt: skip
def test_what_a_user_can_put_right_is_one_line_and_exit_code_2(run, arguments, text):
    code, out, error = run(*arguments)
    assert code == 2
    assert out == "" and error.startswith("her2: ") and error.count("\n") == 1
    assert text in error


@pytest.mark.parametrize(
    ("arguments", "column"),
    [
        (["--drug", "lapatinib"], "gr"),
        (["--drug", "lapatinib+trastuzumab", "--surface"], "bliss_excess"),
        (["--dose", "lapatinib=50"], "treated"),
        ([], "untreated"),
    ],
)
def test_tables_and_pictures_are_written(run, tmp_path, arguments, column):
    table, picture = tmp_path / "table.csv", tmp_path / "picture.svg"
    code, out, _ = run("BT474", *arguments, "--members", 2, "--csv", table, "--plot", picture)
    assert code == 0
    assert column in pl.read_csv(table).columns
    assert picture.read_text(encoding="utf-8").startswith("<?xml")
    assert str(picture) in out


def test_a_cell_that_does_not_grow_is_told_and_drawn(run, tmp_path):
    picture = tmp_path / "still.svg"
    code, out, _ = run(DATA / "still_cell.yaml", "--where", "tumour", "--drug", "lapatinib", "--members", 2,
                       "--plot", picture)  # fmt: skip
    assert code == 0 and "untreated does not grow" in out
    assert "not defined" in picture.read_text(encoding="utf-8")


def test_lists(run):
    cells = json.loads(run("--list", "--json")[1])
    assert {"bt474", "reference"} <= {c["id"] for c in cells}
    switches = {s["id"]: s for s in json.loads(run("--switches", "--json")[1])}
    assert switches["pten-loss"]["mechanism"] == "pten_loss" and switches["pten-loss"]["why"]
    assert "bt474" in run("--list")[1]
    assert "pten-loss" in run("--switches")[1]


def test_a_cohort_switch_says_that_it_acts_on_patients(run):
    code, out, _ = run("BT474", "--with", "no-brain-tropism", "--members", 0)
    assert code == 0 and "acts on patients" in out


def test_time_course_in_a_table(run, tmp_path):
    pytest.importorskip("her2.export.cell_course")
    table = tmp_path / "course.csv"
    code, _, _ = run("BT474", "--dose", "lapatinib=100", "--time-course", 6, "--members", 0, "--csv", table)
    assert code == 0
    course = pl.read_csv(table)
    assert course["time"][0] == 0.0 and course["time"][-1] == 6.0
    assert course["erk"][-1] < course["erk"][0]


def test_without_the_full_equations_a_time_course_says_so(monkeypatch):
    monkeypatch.setattr(time_course_module, "HOME", "her2.export.no_such_module")
    with pytest.raises(Her2Error, match="full equations"):
        her2.cell("BT474").time_course({"lapatinib": 100.0}, 6.0)


def test_help_is_fast_and_loads_nothing_slow():
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "her2.cli.main", "cell", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--surface" in done.stdout
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    # typer itself looks for pydantic when it writes a help page
    assert not loaded & {"numpy", "scipy", "matplotlib", "polars"}
    assert time.perf_counter() - begin < 10.0  # a slow machine; what matters is the line above


def test_the_short_way_in():
    import her2.cell.model  # the package stays callable after its parts are imported

    assert her2.cell("BT474") == her2.cell("bt-474")
    own = her2.Cell(receptors={"her2": 2.0}, genotype={"pten": 0.2}, ligands={"heregulin": 1.0}, name="mine")
    assert own.attributes == {"her2": 2.0, "pten": 0.2, "heregulin": 1.0} and own.name == "mine"
    with pytest.raises(UnknownNameError):
        her2.Cell(receptors={"heregulin": 1.0})
    with pytest.raises(RecordError):
        her2.Cell(genotype={"pten": 2.0})


def test_readouts_as_a_table():
    table = her2.cell("BT474").respond({"lapatinib": 100.0}, members=2)
    rows = {r["readout"]: r for r in table.to_dicts()}
    assert rows["her2"]["unit"] == "1e6/cell" and rows["net_growth"]["unit"] == "1/day"
    assert rows["net_growth"]["treated"] < rows["net_growth"]["untreated"]
    assert rows["akt"]["treated_5"] <= rows["akt"]["treated_95"]
    assert her2.cell("BT474").respond(members=0).columns == ["readout", "unit", "untreated", "treated"]
