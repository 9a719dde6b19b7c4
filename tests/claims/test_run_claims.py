"""`run_claims` and `her2 claims` on planted claims beside those of the record."""

import json
import subprocess
import sys
from dataclasses import asdict

import pytest
import yaml

from her2.claims import run_claims
from her2.claims.cases import check_experiment
from her2.claims.report import as_json, claims_page, summary_lines
from her2.cli.main import main
from her2.errors import Her2Error, RecordError, UnknownNameError
from her2.evidence.biology import Experiment
from her2.evidence.load import load_experiments

CLAIMS = """
id: planted
claims:
  - {id: planted_right, statement: "More HER2, more AKT | as planted.", kind: mechanism, level: in_vitro, executable: true, places: [{source: review_a, line_start: 1, line_end: 1}]}
  - {id: planted_wrong, statement: "More HER2, less AKT.", kind: mechanism, level: in_vitro, executable: true, places: [{source: review_a, line_start: 1, line_end: 1}]}
  - {id: planted_null, statement: "HER2 leaves AKT alone.", kind: null_result, level: in_vitro, executable: true, places: [{source: review_a, line_start: 1, line_end: 1}]}
  - {id: planted_cohort, statement: "Chemotherapy works.", kind: efficacy, level: phase_3, executable: true, places: [{source: review_a, line_start: 1, line_end: 1}]}
  - {id: planted_open, statement: "Nobody has run this.", kind: mechanism, level: in_vitro, executable: true, places: [{source: review_a, line_start: 1, line_end: 1}]}
  - {id: planted_out, statement: "Of a held-out trial.", kind: efficacy, level: phase_2, trial: neoaltto, executable: true, places: [{source: review_a, line_start: 1, line_end: 1}]}
  - {id: planted_hidden, statement: "Cannot be run.", kind: mechanism, level: in_vitro, executable: true, places: [{source: review_a, line_start: 1, line_end: 1}]}
"""
HER2 = "base: {compartment: culture, days: 0}, conditions: {low: {set: {her2: 0.1}}, high: {}}, readout: akt, statistic: {kind: difference, of: [high, low]}"
EXPERIMENTS = f"""
id: planted
experiments:
  - {{claim: planted_right, {HER2}, expect: {{relation: greater}}, why: test}}
  - {{claim: planted_wrong, role: structure, {HER2}, expect: {{relation: less}}, why: test}}
  - {{claim: planted_null, {HER2}, expect: {{relation: none}}, why: test}}
  - {{claim: planted_out, {HER2}, expect: {{relation: greater}}, why: test}}
  - {{claim: planted_cohort, system: cohort, population: {{patients: 40}}, conditions: {{none: {{}}, some: {{drugs: {{docetaxel: clinical}}}}}}, readout: pfs_hr, statistic: {{kind: value, of: [some]}}, expect: {{relation: less}}, why: test}}
  - {{claim: planted_hidden, not_covered: "the model has no such thing"}}
"""


def _plant(folder, monkeypatch, experiments=EXPERIMENTS, claims=CLAIMS):
    for kind, text in (("claims", claims), ("experiments", experiments)):
        (folder / kind).mkdir(exist_ok=True)
        (folder / kind / "planted.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("HER2_RECORD", str(folder))


@pytest.fixture
def planted(tmp_path, monkeypatch):
    _plant(tmp_path, monkeypatch)
    return tmp_path


def test_a_planted_wrong_expectation_is_contradicted(planted):
    results = run_claims(topic="planted", members=4, cohort_members=2)
    verdicts = {r.id: r.verdict for r in results.results}
    assert verdicts == {
        "planted_right": "reproduced", "planted_wrong": "contradicted", "planted_null": "contradicted",
        "planted_cohort": "reproduced", "planted_open": "not covered", "planted_out": "held out",
        "planted_hidden": "not covered",
    }  # fmt: skip
    reasons = {r.id: r.reason for r in results.results if r.reason}
    assert reasons == {"planted_open": "no experiment yet", "planted_hidden": "the model has no such thing"}
    wrong = next(r for r in results.results if r.id == "planted_wrong")
    assert wrong.share == 0.0 and wrong.low90 <= wrong.value <= wrong.high90 * 1.5

    summary = results.summary()
    assert summary["all"] == {
        "executable": 7, "run": 4, "reproduced": 2, "divided": 0, "contradicted": 2,
        "contradicted_with_opposite_reproduced": 0, "not_covered": 2, "held_out_not_shown": 1, "share_reproduced": 0.5, "share_contradicted": 0.5, "share_not_covered": 2 / 7,
    }  # fmt: skip
    assert summary["without_structure_and_calibration"]["contradicted"] == 1
    assert any("2 contradicted" in line for line in summary_lines(results))
    page = claims_page(results)
    assert (
        page.index("## Contradicted claims") < page.index("`planted_wrong`") < page.index("`planted_right`")
    )
    assert "More AKT | as" not in page

    again = run_claims(topic="planted", members=4, cohort_members=2, jobs=2)
    assert again == results and again.digest == results.digest
    json.dumps(as_json(results), allow_nan=False)


def test_one_claim_alone_gives_the_same_number(planted):
    """To 1e-12: with other numbers of columns the matrix products of the signals are summed in another order."""
    alone = run_claims(claim="planted_null", members=3)
    assert [r.id for r in alone.results] == ["planted_null"] and alone.results[0].members == 3
    among = run_claims(topic="planted", members=3, cohort_members=1)
    one, other = (asdict(next(r for r in x.results if r.id == "planted_null")) for x in (among, alone))
    numbers = [k for k, v in one.items() if isinstance(v, float)]
    assert len(numbers) > 3
    assert [one.pop(k) for k in numbers] == pytest.approx(
        [other.pop(k) for k in numbers], rel=1e-12, nan_ok=True
    )
    assert one == other


def test_a_held_out_claim_runs_only_when_asked_for_and_is_counted_apart(planted):
    shown = run_claims(claim="planted_out", members=2, held_out=True)
    assert shown.results[0].verdict == "reproduced" and shown.results[0].held_out
    assert shown.summary()["all"]["run"] == 0 and shown.summary()["held_out"]["claims"] == 1
    assert shown.summary()["held_out"]["run"] == shown.summary()["held_out"]["reproduced"] == 1
    assert any("counted apart" in line for line in summary_lines(shown))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("readout: akt", "readout: akd", "unknown readout of a cell 'akd'; nearest: 'akt'"),
        ("set: {her2: 0.1}", "set: {herr2: 0.1}", "unknown attribute 'herr2'"),
        ("set: {her2: 0.1}", "set: {her2: -1}", "is impossible"),
        ("set: {her2: 0.1}", "drugs: {lapatinip: clinical}", "unknown agent that acts on cells 'lapatinip'"),
        ("set: {her2: 0.1}", "where: {her2: [0, 1]}", "belongs to experiments with system: cohort"),
        ("set: {her2: 0.1}", "cell: no_such_cell", "unknown cell"),
        ("set: {her2: 0.1}", "switches: {no-such-switch: 1}", "unknown switch"),
        ("set: {her2: 0.1}", "ligands: {her2: 1}", "unknown ligand 'her2'"),
        ("set: {her2: 0.1}", "parameters: {no.such: 1}", "unknown parameter"),
        ("set: {her2: 0.1}", "untreated_reference: lowest", "unknown condition 'lowest'"),
        ("readout: pfs_hr", "readout: dfs_hr", "belongs to the setting adjuvant"),
        (
            "population: {patients: 40}",
            "population: {patients: 40, line: 2}",
            "needs the drugs of 1 earlier lines",
        ),
        ("population: {patients: 40}", "population: {select: {er2: [0, 1]}}", "unknown attribute 'er2'"),
        (
            "some: {drugs: {docetaxel: clinical}}",
            "some: {days: 3}",
            "belongs to experiments with system: cell",
        ),
    ],
)
def test_what_an_experiment_names_must_exist(old, new, expected):
    assert old in EXPERIMENTS
    entries = yaml.safe_load(EXPERIMENTS.replace(old, new, 1))["experiments"]
    parsed = [Experiment.model_validate(e) for e in entries]
    findings = [f for e in parsed if not e.not_covered for f in check_experiment(e, f"x.yaml, {e.claim}")]
    assert any(expected in f and f.startswith("x.yaml, planted_") for f in findings), findings


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("readout: akt", "readout: akd", "planted.yaml, planted_right: unknown readout"),
        ("claim: planted_right", "claim: planted_rihgt", "planted.yaml: unknown claim 'planted_rihgt'"),
    ],
)
def test_a_finding_stops_the_run_with_file_and_claim(tmp_path, monkeypatch, old, new, expected):
    _plant(tmp_path, monkeypatch, EXPERIMENTS.replace(old, new, 1))
    with pytest.raises(RecordError) as caught:
        run_claims(topic="planted", members=1)
    assert expected in str(caught.value)


def test_a_claim_with_two_experiments_is_refused(tmp_path, monkeypatch):
    _plant(tmp_path, monkeypatch, EXPERIMENTS.replace("claim: planted_wrong", "claim: planted_right"))
    with pytest.raises(RecordError, match="'planted_right' has an experiment in .*already"):
        load_experiments()


def test_unknown_claim_topic_and_members_are_errors():
    with pytest.raises(UnknownNameError, match="unknown claim"):
        run_claims(claim="no_such_claim")
    with pytest.raises(UnknownNameError, match="unknown topic"):
        run_claims(topic="no_such_topic")
    with pytest.raises(Her2Error, match="members"):
        run_claims(members=0)


def test_the_command_prints_ids_in_full_and_json(planted, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["her2", "claims", "--topic", "planted", "--members", "2", "--jobs", "1"]
    )
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 0
    text = capsys.readouterr().out
    for name in ("planted_right", "planted_wrong", "planted_hidden", "no experiment yet", "research"):
        assert name in text
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--json"])
    with pytest.raises(SystemExit):
        main()
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) >= {"claims", "summary", "version", "digest"}
    assert {"id", "statement", "topic", "role", "system", "expected", "value", "low90", "high90", "share", "members",
            "verdict", "reason"} <= set(answer["claims"][0])  # fmt: skip


def test_a_wrong_name_ends_the_command_with_code_2(tmp_path, monkeypatch, capsys):
    _plant(tmp_path, monkeypatch, EXPERIMENTS.replace("readout: akt", "readout: akd", 1))
    monkeypatch.setattr(sys, "argv", ["her2", "claims", "--topic", "planted"])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 2
    assert "planted_right" in capsys.readouterr().err


def test_importing_the_claims_loads_nothing_slow():
    code = (
        "import sys, her2.claims, her2.cli.commands.claims\n"
        "slow = {'numba', 'scipy', 'polars', 'duckdb', 'pydantic', 'numpy'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
