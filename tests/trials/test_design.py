"""Bad input: one clear message with file, field, expectation and nearest valid name; exit code 2; no traceback."""

import shutil
import subprocess
import sys

import pytest
import yaml

from her2.errors import Her2Error
from her2.trials.design import load_trial, trial_names, trial_path


@pytest.fixture
def edit(tmp_path):
    """Write a changed copy of the CLEOPATRA file and return its path."""

    def write(change):
        data = yaml.safe_load(trial_path("cleopatra").read_text(encoding="utf-8"))
        change(data)
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return str(path)

    return write


def _set(*keys, value):
    def change(data):
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


def _choice(*shares):
    """An arm with the physician's choice of vinorelbine or capecitabine."""
    options = [
        {"share": share, "label": agent, "regimen": [{"agent": agent, "dose": dose}]}
        for share, (agent, dose) in zip(
            shares,
            (("vinorelbine", "30 mg/m2 d1,8 q3w"), ("capecitabine", "1000 mg/m2 bid d1-14 q3w")),
            strict=True,
        )
    ]
    return {"id": "any", "label": "physician's choice", "options": options}


def _both_kinds_of_history(data):
    data["prior_lines"] = ["docetaxel+trastuzumab"]
    data["histories"] = [{"share": 1.0, "lines": ["docetaxel+trastuzumab"]}]


def _around_surgery(data, setting):
    data["setting"] = setting
    data["endpoints"] = {"primary": "dfs", "reported": ["dfs", "os"]}
    data["analyses"] = [{"endpoint": "dfs", "cut": "60 month"}]


def _adjuvant_with_lines(data):
    _around_surgery(data, "adjuvant")
    data["prior_lines"] = ["docetaxel+trastuzumab"]


def _neoadjuvant_without_surgery(data):
    _around_surgery(data, "neoadjuvant")


CASES = [
    (_set("arms", 0, "regimen", 0, "agent", value="trastuzumap"), r"unknown agent 'trastuzumap'; nearest: 'trastuzumab'"),
    (_set("arms", 0, "regimen", 0, "dose", value="-8 mg/kg q3w"), r"above zero"),
    (_set("arms", 0, "regimen", 0, "dose", value="8 mg/lb q3w"), r"unknown unit 'mg/lb'; nearest: 'mg"),
    (_set("arms", 0, "regimen", 0, "dose", value="1e999 mg q3w"), r"finite"),
    (_set("arms", 0, "regimen", 0, "dose", value="8 mg/kg q10d"), None),
    (_set("arms", 0, "regimen", value=[]), r"arms\.[a-z+]*: .*expected either 'regimen' or 'options'"),
    (_set("arms", 0, "options", value=[{"share": 1.0, "label": "x", "regimen": [{"agent": "trastuzumab", "dose": "6 mg/kg q3w"}]}]), r"expected either 'regimen' or 'options'"),
    (_set("arms", 0, value=_choice(0.5, 0.3)), r"arm 'any': shares of options sum to 0.8, expected 1"),
    (_set("arms", 0, value=_choice(1.0, 0.0)), r"options.1.share: .*greater than 0"),
    (_set("arms", 0, "regimen", 1, "agent", value="trastuzumab"), r"'trastuzumab' is given twice in arm"),
    (_set("arms", 0, "regimen", 2, "start", value="10 day"), r"whole number of weeks"),
    (_set("arms", 0, "regimen", 2, "start", value=12), r"expected a number with a unit"),
    (_set("histories", value=[{"share": 0.6, "lines": ["docetaxel+trastuzumab"]}, {"share": 0.6, "lines": []}]), r"shares sum to 1.2, expected 1"),
    (_both_kinds_of_history, r"give either prior_lines .* or histories"),
    (_set("histories", value=[{"share": 1.0, "lines": ["docetaxel+trastuzumap"]}]), r"nearest"),
    (_set("setting", value="adjuvent"), r"adjuvant"),
    (_set("setting", value="adjuvant"), r"'orr' does not exist in the adjuvant setting|'pfs' does not exist in the adjuvant setting"),
    (_adjuvant_with_lines, r"a trial in the adjuvant setting has no prior metastatic lines"),
    (_set("surgery", value={"after": "18 week"}), r"surgery: expected in the neoadjuvant setting, and only there"),
    (_neoadjuvant_without_surgery, r"surgery: expected in the neoadjuvant setting"),
    (_set("population", "brain_metastases", value="some"), r"'any', 'none', 'untreated' or 'treated'"),
    (_set("endpoints", "reported", value=["pcr"]), r"'pcr' does not exist in the metastatic setting"),
    (_set("endpoints", "primary", value="dfs"), r"'dfs' does not exist in the metastatic setting"),
    (_set("arms", value=[]), r"arms"),
    (_set("populaton", value={}), r"unknown key 'populaton'; nearest: 'population'"),
    (_set("scans", "evry", value="9 week"), r"unknown key 'evry'; nearest: 'every'"),
    (_set("scans", "every", value="9 wekes"), r"unknown unit 'wekes'; nearest: 'week'"),
    (_set("scans", "every", value="10 day"), r"multiple of 1 week"),
    (_set("scans", "every", value="-9 week"), r"expected a number with a unit"),
    (_set("scans", "every", value=9), r"expected a number with a unit"),
    (_set("population", "recipe", value="first_line_metastatik"), r"nearest: 'first_line_metastatic'"),
    (_set("population", "size", value=1), r"population.size"),
    (_set("population", "size", value=float("inf")), r"population.size"),
    (
        _set(
            "population", "values",
            value={"pik3ca_mutant": {"value": 1.4, "unit": "1", "quality": "assumed", "source": "inferred_c", "locator": "x"}},
        ),
        r"pik3ca_mutant: 1.4 is impossible; expected a share from 0 to 1",
    ),
    (
        _set(
            "population", "values",
            value={"pik3ca_mutent": {"value": 0.4, "unit": "1", "quality": "assumed", "source": "inferred_c", "locator": "x"}},
        ),
        r"unknown population value 'pik3ca_mutent'; nearest: 'pik3ca_mutant'",
    ),
    (
        _set(
            "population", "values",
            value={"age_mean": {"value": 54.0, "unit": "month", "quality": "assumed", "source": "inferred_c", "locator": "x"}},
        ),
        r"age_mean: unit 'month', expected 'year'",
    ),
    (
        _set(
            "population", "values",
            value={"age_mean": {"value": float("nan"), "unit": "year", "quality": "assumed", "source": "inferred_c", "locator": "x"}},
        ),
        r"finite number",
    ),
    (_set("control", value="nobody"), r"control: 'nobody' is not an arm"),
    (_set("randomisation", "ratio", value=[1, 0]), r"would be empty"),
    (_set("randomisation", "ratio", value=[1]), r"1 numbers for 2 arms"),
    (_set("randomisation", "block", value=3), r"no multiple"),
    (_set("drop_out", "rate", value="-0.1 1/year"), r"zero or more"),
    (_set("subgroups", value=["er_positiv"]), r"nearest: 'er_positive'"),
    (_set("estimand", "intercurrent_events", 0, "strategy", value="hope"), r"treatment policy"),
    (_set("study", value="cleopatre"), r"nearest: 'cleopatra'"),
    (_set("prior_lines", value=["docetaxel+trastuzumap"]), r"nearest"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(CASES)))
def test_bad_trial_files_are_refused_with_place_and_way_out(edit, case):
    change, message = CASES[case]
    path = edit(change)
    if message is None:
        from her2.model import build_model
        from her2.trials.follow import prepare_trial

        with pytest.raises(Her2Error, match="whole number of weeks"):
            prepare_trial(build_model(), load_trial(path))
        return
    with pytest.raises(Her2Error, match=message) as error:
        load_trial(path)
    assert "mine.yaml" in str(error.value) or "nearest" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: [1, 2",
        "a: 1\na: 2\n",
        "a: &x [1]\nb: *x\n",
        "- 1\n- 2\n",
        "",
        "a: " + "[" * 60 + "]" * 60,
        "!!python/object/apply:os.system ['true']",
        "\x00",
    ],
)
def test_files_that_are_no_trial_are_refused(tmp_path, text):
    path = tmp_path / "odd.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Her2Error, match="odd.yaml"):
        load_trial(str(path))


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(Her2Error, match="UTF-8"):
        load_trial(str(path))


def test_a_folder_is_refused(tmp_path):
    folder = tmp_path / "x.yaml"
    folder.mkdir()
    with pytest.raises(Her2Error, match="folder"):
        load_trial(str(folder))


def test_every_built_in_trial_loads_and_prepares(model):
    from her2.trials.follow import prepare_trial

    for name in trial_names():
        plan = prepare_trial(model, load_trial(name))
        assert len(plan.courses) == len(plan.trial.arms)


def test_the_copy_a_user_makes_is_the_built_in_trial(tmp_path):
    copy = tmp_path / "copy.yaml"
    shutil.copy(trial_path("cleopatra"), copy)
    assert load_trial(str(copy)) == load_trial("cleopatra")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trial", "cleopatre"], "nearest: 'cleopatra'"),
        (["trial", "no_such_file.yaml"], "no such file"),
        (["trial"], "which trial"),
        (["trial", "cleopatra", "--out", "/dev/null/x"], "/dev/null/x"),
    ],
)
def test_command_line_errors_are_one_line_and_exit_code_2(arguments, message):
    done = subprocess.run(
        [sys.executable, "-m", "her2.cli.main", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


LATE = [
    (_set("analyses", 0, "cut", value="20 month"), "before the end of accrual"),
    (_set("scans", "every", value="1 week"), "more than 64 scans"),
    (_set("population", "size", value=3), "fewer than two"),
    (
        _set(
            "population", "values",
            value={"adjuvant_trastuzumab": {"value": 0.9, "unit": "1", "quality": "assumed", "source": "inferred_c", "locator": "x"}},
        ),
        "adjuvant_trastuzumab 0.9 exceeds adjuvant_chemotherapy",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(LATE)))
def test_designs_that_cannot_be_analysed_are_refused(edit, case):
    change, message = LATE[case]
    with pytest.raises(Her2Error, match=message):
        load_trial(edit(change))


def test_a_limit_in_the_dose_is_not_lifted_by_planned_cycles(edit, model):
    from her2.trials.follow import prepare_trial

    path = edit(_set("arms", 0, "regimen", 2, "dose", value="75 mg/m2 q3w x6"))
    plan = prepare_trial(model, load_trial(path))
    (regimen,) = plan.courses[0].trial_regimen
    assert plan.regimens.max_cycles[regimen, plan.model.drug_index("docetaxel")] == 6
