"""`her2 forecast`: frozen files, tampering, batches."""

from __future__ import annotations

import json

import pytest
import typer
import yaml
from typer.testing import CliRunner

from her2.cli.commands.forecast import forecast as command
from her2.errors import OutputError, RecordError
from her2.evidence.load import DATA, USER_VARIABLE
from her2.validation.forecast import (
    check_forecast,
    content_digest,
    forecast_text,
    make_forecast,
    write_forecast,
)

FLAGS = ["--members", "2", "--patients", "50", "--seed", "7", "--jobs", "1"]


@pytest.fixture(scope="module")
def content():
    return make_forecast("vogel_2002", members=2, patients=50, trials=1000, seed=7)


def _run(*arguments: str):
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(command)
    return CliRunner().invoke(app, list(arguments))


def test_a_forecast_holds_what_was_promised(content):
    assert content["settings"]["trials_simulated"] == 1000
    assert content["design"] == {
        "setting": "metastatic",
        "size": 114,
        "ratio": [1],
        "accrual_months": pytest.approx(24, abs=60),
    }
    assert {(s["endpoint"], s["statistic"]) for s in content["arms"]} >= {
        ("orr", "rate"),
        ("pfs", "median"),
        ("os", "median"),
    }
    for s in content["arms"]:
        assert s["low90"] <= s["predicted"] or s["predicted"] is None
        assert s["follow_up_months"] > 0
    assert content["agents"] == [
        {"id": "trastuzumab", "own": False, "digest": content["agents"][0]["digest"]}
    ]
    assert content["user_record"] is None
    assert set(content["between_trial_sd"]) == {"rate", "median", "hr"}
    for key in ("version", "date", "digest", "posterior_digest", "run_digest"):
        assert content[key]


def test_no_published_figure_is_in_a_forecast(content):
    assert "published" not in json.dumps(content)


def test_a_frozen_file_is_intact_and_any_change_shows(content, tmp_path):
    path, state = write_forecast(content, tmp_path)
    assert state == "written"
    assert check_forecast(path) == content
    assert path.with_suffix(".md").exists()
    original = path.read_text()
    for change in (
        lambda d: d["arms"][0].update(predicted=0.99),
        lambda d: d.update(date="2001-01-01T00:00:00Z"),
        lambda d: d["settings"].update(seed=8),
        lambda d: d["trial_file"]["population"].update(size=10),
        lambda d: d.pop("contrasts"),
    ):
        data = json.loads(original)
        change(data)
        path.write_text(json.dumps(data))
        with pytest.raises(RecordError, match="changed after it was frozen"):
            check_forecast(path)
    # a forger who renews one digest is found by the other
    data = json.loads(original)
    data["arms"][0]["predicted"] = 0.99
    data["digest"] = content_digest(data)
    path.write_text(json.dumps(data))
    with pytest.raises(RecordError, match="changed after it was frozen"):
        check_forecast(path)


def test_layout_of_the_file_does_not_matter(content, tmp_path):
    path, _ = write_forecast(content, tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert check_forecast(path)["digest"] == content["digest"]


def test_a_frozen_forecast_is_never_overwritten(content, tmp_path):
    path, _ = write_forecast(content, tmp_path)
    before = path.read_text()
    later = content | {"date": "2099-01-01T00:00:00Z"}
    later["digest"] = content_digest(later)
    assert write_forecast(later, tmp_path) == (path, "unchanged")
    assert path.read_text() == before
    other = content | {"prediction_digest": "0"}
    with pytest.raises(OutputError, match="not overwritten"):
        write_forecast(other, tmp_path)


def test_a_batch_with_a_bad_file_writes_the_others(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("id: bad\narms: 3\n")
    out = tmp_path / "frozen"
    result = _run(str(bad), "vogel_2002", str(tmp_path / "none.yaml"), *FLAGS, "--out", str(out))
    assert result.exit_code == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith("her2:")]
    assert len(errors) == 3
    assert "bad.yaml" in errors[0]
    assert "none.yaml" in errors[1]
    assert "2 of 3 files failed" in errors[2]
    frozen = out / "vogel_2002.forecast.json"
    assert frozen.exists()
    checked = _run("--check", str(frozen))
    assert checked.exit_code == 0
    assert "intact" in checked.stdout
    data = json.loads(frozen.read_text())
    data["arms"][0]["low90"] = 0.0
    frozen.write_text(json.dumps(data))
    spoilt = _run("--check", str(frozen))
    assert spoilt.exit_code == 2
    assert "changed after it was frozen" in spoilt.stderr


@pytest.mark.slow
def test_fifty_files_run_unattended(tmp_path):
    """Fifty trial files of one's own, sizes and agents varied, every tenth broken: forty-five frozen, five named."""
    text = (DATA / "trials" / "vogel_2002.yaml").read_text(encoding="utf-8")
    files = []
    for k in range(50):
        data = yaml.safe_load(text)
        data["id"] = f"mine_{k:02d}"
        data.pop("study", None)
        data["population"]["size"] = 40 + 10 * k
        if k % 10 == 9:
            data["arms"][0]["regimen"][0]["agent"] = "no_such_drug"
        files.append(tmp_path / f"mine_{k:02d}.yaml")
        files[-1].write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    out = tmp_path / "frozen"
    sizes = ["--members", "2", "--patients", "64", "--jobs", "1"]
    result = _run(*map(str, files), *sizes, "--out", str(out))
    assert result.exit_code == 2
    assert "5 of 50 files failed" in result.stderr
    assert result.stderr.count("no_such_drug") >= 5
    frozen = sorted(out.glob("*.forecast.json"))
    assert len(frozen) == 45
    assert _run("--check", *map(str, frozen)).exit_code == 0
    # larger trials, narrower intervals: the sizes of the files were used
    widths = []
    for path in (frozen[0], frozen[-1]):
        rate = next(a for a in json.loads(path.read_text())["arms"] if a["endpoint"] == "orr")
        widths.append(rate["high90"] - rate["low90"])
    assert widths[1] < widths[0]


def test_json_prints_the_forecasts(content):
    result = _run("vogel_2002", *FLAGS, "--json")
    assert result.exit_code == 0
    (found,) = json.loads(result.stdout)
    assert found["prediction_digest"] == content["prediction_digest"]


def test_fewer_than_a_thousand_trials_are_no_forecast():
    with pytest.raises(RecordError, match="1000 or more"):
        make_forecast("vogel_2002", trials=999)


def test_an_agent_of_the_users_own_is_named_in_the_forecast(tmp_path, monkeypatch):
    """A new drug is a file in the `agents` folder of the user's record."""
    record = tmp_path / "record"
    (record / "agents").mkdir(parents=True)
    data = yaml.safe_load((DATA / "agents" / "trastuzumab.yaml").read_text(encoding="utf-8"))
    data["note"] = "as described by the user"
    (record / "agents" / "trastuzumab.yaml").write_text(
        yaml.safe_dump(data, allow_unicode=True), encoding="utf-8"
    )
    monkeypatch.setenv(USER_VARIABLE, str(record))
    found = make_forecast("vogel_2002", members=2, patients=50, trials=1000, seed=7)
    assert [(a["id"], a["own"]) for a in found["agents"]] == [("trastuzumab", True)]
    assert len(found["user_record"]) == 64
    assert "Agents described by the user: trastuzumab" in forecast_text(found)


def test_something_else_is_no_forecast(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{}")
    with pytest.raises(RecordError, match="no frozen forecast"):
        check_forecast(path)
    path.write_text("not json")
    with pytest.raises(RecordError, match="not JSON"):
        check_forecast(path)
