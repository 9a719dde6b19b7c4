"""`her2 validate`: shape of its output, errors kept, held-out figures behind their flag, runs logged."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from her2.cli.commands.validate import validate as command
from her2.errors import OutputError, RecordError
from her2.evidence.load import DATA
from her2.trials.between import between_trial_sd, load_between
from her2.trials.design import load_trial
from her2.validation.leave_out import load_linear_posterior
from her2.validation.log import check_log, default_log
from her2.validation.predict import StatKey, predict_trial, with_endpoints
from her2.validation.reasons import NO_REASON, Reason, load_reasons, reason_of
from her2.validation.report import as_json, summary_lines, validation_page
from her2.validation.run import distance, validate

SMALL = {"members": 3, "patients": 60, "trials": 24, "seed": 5}
FLAGS = ["--members", "3", "--patients", "60", "--trials-simulated", "24", "--seed", "5", "--jobs", "1"]
EXPERIMENTAL, CONTROL = "docetaxel+pertuzumab+trastuzumab", "docetaxel+trastuzumab"
SECRET = (0.4321, 7.654, 0.777)


@pytest.fixture(scope="module")
def result():
    return validate(["cleopatra", "vogel_2002", "no_such_trial"], **SMALL)


def _command(*arguments: str) -> str:
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(command)
    outcome = CliRunner().invoke(app, list(arguments))
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def test_json_has_the_promised_shape(result):
    data = json.loads(json.dumps(as_json(result), allow_nan=False))
    assert {"trials", "scores", "baselines", "digest", "not_run", "misses"} <= set(data)
    assert [t["id"] for t in data["trials"]] == ["cleopatra", "vogel_2002"]
    for trial in data["trials"]:
        assert trial["role"] in ("fit", "held_out", "forecast")
        assert trial["endpoints"]
        for e in trial["endpoints"]:
            assert {"endpoint", "published", "predicted", "low50", "high50", "low80", "high80", "low90", "high90",
                    "inside90", "role", "mc_error"} <= set(e)  # fmt: skip
            assert ("arm" in e) != ("contrast" in e)
            known = [
                e[k]
                for k in ("low90", "low80", "low50", "predicted", "high50", "high80", "high90")
                if e[k] is not None
            ]
            assert known == sorted(known)
    assert {"null_model", "nearest_arm", "class_mean", "constant_hr"} == set(data["baselines"])


def test_every_score_says_whether_it_beats_each_baseline(result):
    for scores in as_json(result)["scores"].values():
        for name, s in scores.items():
            assert s["n"] > 0, name
            for by, beats in s["beats"].items():
                versus = s["versus"][by]
                assert beats in (True, False, None)
                if s["better"] == "low" and beats is not None:
                    assert beats == (versus["model"] < versus["baseline"])
    assert "crps_log_hr" in as_json(result)["scores"]["fit"]
    assert set(as_json(result)["scores"]["fit"]["crps_log_hr"]["beats"]) == set(as_json(result)["baselines"])


def test_a_trial_that_fails_is_listed_with_its_error(result):
    assert [(n.name, "no_such_trial" in n.error) for n in result.not_run] == [("no_such_trial", True)]
    assert "no_such_trial" in validation_page(result)


def test_an_error_of_the_engine_costs_one_trial_only(monkeypatch):
    def broken(trial, **how):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("her2.validation.run.predict_trial", broken)
    found = validate(["vogel_2002"], **SMALL)
    assert found.trials == ()
    assert found.not_run[0].error == "ZeroDivisionError: planted"


def test_the_same_seed_gives_the_same_digits(result):
    again = validate(["cleopatra", "vogel_2002", "no_such_trial"], jobs=3, **SMALL)
    assert again.digest == result.digest
    assert as_json(again) == as_json(result)
    assert (
        validate(["vogel_2002"], **(SMALL | {"seed": 6})).digest != validate(["vogel_2002"], **SMALL).digest
    )


def test_misses_come_first_and_largest_first(result):
    sizes = [size for size, _, _ in result.misses()]
    assert sizes == sorted(sizes, reverse=True)
    assert all(size > 1 for size in sizes)
    for c in result.compared:
        assert (distance(c) > 1) == (not c.inside(0.9)) or math.isclose(distance(c), 1.0, rel_tol=1e-6)
    page = validation_page(result)
    assert page.index("## Misses") < page.index("## Scores") < page.index("## Trials\n")


def test_leaving_out_covers_every_statistic(result):
    for v in result.trials:
        assert v.left_out.figures > 0
        assert v.left_out.is_resolved == (load_linear_posterior() is not None)
        assert set(v.left_out.statistics) == set(v.prediction.statistics)
        assert len(v.compared_left_out) == len(v.compared)


def test_a_forecast_needs_no_null_model_and_half_the_members():
    found = validate(["gelmon_2004", "vogel_2002"], **(SMALL | {"members": 4}), jobs=2)
    assert [v.trial.id for v in found.trials] == ["gelmon_2004", "vogel_2002"]
    forecast, fitted = (v.prediction for v in found.trials)
    assert (len(forecast.members), forecast.null) == (2, {})
    assert (len(fitted.members), len(fitted.null_members)) == (4, 2)
    assert set(fitted.null_members) < set(fitted.members)


def test_a_between_trial_effect_widens_every_interval():
    """SD 0 and 0.5 with the same random numbers: samples differ by normal draws of that SD, and by nothing else."""
    none, wide = (
        predict_trial(
            load_trial("vogel_2002"), members=2, patients=64, trials=400, null=False, curves=False,
            between=dict.fromkeys(("rate", "median", "hr"), sd),
        )
        for sd in (0.0, 0.5)
    )  # fmt: skip
    assert none.digest != wide.digest
    for key, p in none.statistics.items():
        reached = np.isfinite(p.values)
        added = wide.statistics[key].values[reached] - p.values[reached]
        # 400 draws, most of them finite: the standard error of their SD is 0.02
        assert added.std(ddof=1) == pytest.approx(0.5, abs=0.07)
        assert p.v_between == 0.0


def test_an_estimate_from_another_posterior_is_said_to_be_so(result, monkeypatch):
    assert result.between == between_trial_sd()
    stale = load_between().model_copy(update={"posterior_digest": "0" * 64})
    monkeypatch.setattr("her2.validation.run.load_between", lambda: stale)
    again = validate(["vogel_2002"], **SMALL)
    assert not again.between_is_current
    assert "estimated with another posterior" in "\n".join(summary_lines(again))


def test_without_the_flag_nothing_of_a_held_out_figure_shows(invented):
    found = validate([str(invented)], **SMALL)
    text = json.dumps(as_json(found)) + validation_page(found)
    for secret in SECRET:
        assert str(secret) not in text
        assert f"{100 * secret:.1f} %" not in text
    assert "held_out" not in as_json(found)["scores"]
    assert all(e["role"] != "held_out" for t in as_json(found)["trials"] for e in t["endpoints"])
    by_what = {(e["endpoint"], e.get("arm", "hr")): e for e in as_json(found)["trials"][0]["endpoints"]}
    assert by_what[("orr", EXPERIMENTAL)]["published"] is None
    assert by_what[("orr", EXPERIMENTAL)]["inside90"] is None
    assert by_what[("orr", CONTROL)]["published"] == 0.63


def test_the_estimate_of_the_between_trial_effect_never_reads_held_out_figures(monkeypatch):
    monkeypatch.setattr("her2.validation.run.validate", lambda *a, **k: pytest.fail("ran"))
    with pytest.raises(RecordError, match="fitted figures alone"):
        _command(*FLAGS, "--between-trials", "--held-out")


def test_a_run_with_held_out_figures_is_logged_before_it_shows_them(invented, tmp_path):
    log = tmp_path / "runs.tsv"
    page = tmp_path / "page.md"
    # enough patients for the subgroup
    sizes = [*FLAGS, "--patients", "120"]
    for n in (1, 2):
        text = _command(str(invented), *sizes, "--held-out", "--log", str(log), "--page", str(page), "--json")
        data = json.loads(text)
        rows = [line.split("\t") for line in log.read_text().splitlines()]
        assert len(rows) == 1 + n
        entry = dict(zip(rows[0], rows[-1], strict=True))
        assert entry["digest"] == data["digest"]
        assert entry["version"] == data["version"]
        assert entry["figures"] == "3"
    shown = {
        (e["endpoint"], e.get("subgroup")): e
        for e in data["trials"][0]["endpoints"]
        if e["role"] == "held_out"
    }
    assert shown[("pfs", "pik3ca_mutant")]["published"] == SECRET[1]
    assert shown[("orr", None)]["published"] == SECRET[0]
    assert data["scores"]["held_out"]["crps_log_hr"]["n"] == 1
    text = page.read_text()
    assert "held out" in text
    # the log stands on the page, this run included
    assert text.count(data["digest"]) >= 2


def test_no_log_no_held_out_figures(tmp_path, monkeypatch):
    monkeypatch.setattr("her2.validation.run.validate", lambda *a, **k: pytest.fail("ran without a log"))
    with pytest.raises(OutputError, match="must be logged"):
        _command("vogel_2002", *FLAGS, "--held-out", "--log", str(tmp_path / "nowhere" / "runs.tsv"))
    other = tmp_path / "other.tsv"
    other.write_text("something else\n")
    with pytest.raises(OutputError, match="no log"):
        check_log(other)
    assert default_log().name == "validation_runs.tsv"


def test_the_command_prints_writes_and_draws(tmp_path):
    page, folder = tmp_path / "validation.md", tmp_path / "pictures"
    text = _command("vogel_2002", *FLAGS, "--page", str(page), "--pictures", str(folder))
    assert "Research use only" in text
    assert "vogel_2002" in page.read_text()
    names = {p.name for p in folder.iterdir()}
    assert {"calibration.svg", "forest_rate.png", "forest_median.svg", "kaplan_meier_grid.png"} <= names
    links = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text())
    assert {Path(x).name for x in links} == {n for n in names if n.endswith(".svg")}
    assert all((tmp_path / x).exists() for x in links)


def test_sizes_that_give_no_interval_are_refused():
    with pytest.raises(RecordError, match="two trials per member"):
        validate(["vogel_2002"], members=16, patients=100, trials=20)


def test_a_prediction_covers_every_reported_statistic(result):
    prediction = result.trials[0].prediction
    reported = prediction.trial.endpoints.reported
    for e in reported:
        for arm in (EXPERIMENTAL, CONTROL):
            assert StatKey(e, arm=arm) in prediction.statistics
    assert StatKey("pfs", experimental=EXPERIMENTAL, control=CONTROL) in prediction.null
    assert prediction.missing == ()


def test_endpoints_can_be_added_as_far_as_the_setting_has_them(cleopatra):
    wider = with_endpoints(cleopatra, ("orr", "pcr", "dor"))
    assert "dor" in wider.endpoints.reported
    assert "pcr" not in wider.endpoints.reported
    assert wider.endpoints.reported[: len(cleopatra.endpoints.reported)] == cleopatra.endpoints.reported


def test_a_subgroup_too_small_is_named(monkeypatch):
    monkeypatch.setattr("her2.validation.predict.SMALLEST_SUBGROUP", 10_000)
    found = predict_trial(
        load_trial("vogel_2002"),
        members=2,
        patients=50,
        trials=8,
        null=False,
        curves=False,
        subgroups=("er_positive",),
    )
    assert "er_positive" in found.missing[0]


def test_reasons_are_found_by_trial_and_endpoint():
    reasons = (
        Reason(trial="x", endpoint="os", reason="general"),
        Reason(trial="x", endpoint="os", who="a", reason="of arm a"),
    )
    assert reason_of("x", StatKey("os", arm="a"), reasons) == "of arm a"
    assert reason_of("x", StatKey("os", arm="b"), reasons) == "general"
    assert reason_of("x", StatKey("pfs", arm="b"), reasons) == NO_REASON
    for r in load_reasons():
        assert (DATA / "trials" / f"{r.trial}.yaml").exists(), r.trial


def test_pairing_needs_the_arms_of_the_trial_file(invented, tmp_path):
    data = yaml.safe_load(Path(invented).read_text())
    data["arms"][0]["id"] = "another_arm"
    path = tmp_path / "renamed.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    found = validate([str(path)], **SMALL)
    assert any("not in the trial file" in u.reason for u in found.unpaired)
