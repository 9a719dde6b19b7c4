"""What the page draws of a trial is what the command line prints."""

from __future__ import annotations

import json

import numpy as np
import pytest

from her2.web.jobs import trial_result
from her2.web.jobs.work import Reports, run_job

N, SEED = 192, 5


class Heard:
    """What a job said."""

    def __init__(self) -> None:
        self.progress: list[tuple[str, float, int, int]] = []
        self.partial: list[dict] = []
        self.result: list[tuple[bytes, str]] = []

    @property
    def reports(self) -> Reports:
        """For a job to talk to."""
        return Reports(
            lambda *a: self.progress.append(a), self.partial.append, lambda c, d: self.result.append((c, d))
        )


@pytest.fixture(scope="module")
def heard():
    said = Heard()
    said.files = run_job(
        "job", "trial", {"trial": "cleopatra", "patients": N, "trials": 0, "seed": SEED}, 1, said.reports
    )
    return said


@pytest.fixture(scope="module")
def shown(heard):
    return json.loads(heard.result[0][0])


@pytest.fixture(scope="module")
def result(cleopatra):
    from her2.trials.run import simulate_trial

    return simulate_trial(cleopatra, patients=N, trials=0, seed=SEED)


def test_a_job_finds_what_the_command_finds(shown, heard, result):
    from her2.trials.report import as_json

    assert heard.result[0][1] == result.digest == shown["run"]["digest"]
    own = as_json(result)
    own.pop("elapsed_s")
    shown["result"].pop("elapsed_s")
    assert shown["result"] == json.loads(json.dumps(own))


def test_the_last_partial_curve_is_the_curve_of_the_result(shown, heard):
    counts = [p["patients"] for p in heard.partial]
    assert counts == sorted(counts) and counts[-1] == N and len(counts) > 1
    last = heard.partial[-1]
    for endpoint, curves in shown["curves"].items():
        for grown, final in zip(last["curves"][endpoint], curves, strict=True):
            # drawn with fewer points, but of the same patients
            assert grown["median"] == final["median"] and grown["events"] == final["events"]
            assert grown["at_risk"] == final["at_risk"]


def test_progress_never_runs_backwards(heard):
    shares = [share for _, share, _, _ in heard.progress]
    assert shares == sorted(shares) and shares[0] >= 0.0 and shares[-1] < 1.0
    assert {"patients", "null model", "pictures and tables"} <= {stage for stage, *_ in heard.progress}


def test_curves_are_kaplan_meier_curves(shown, result):
    from her2.survival import kaplan_meier
    from her2.trials.analyse import observe_arms
    from her2.units import DAYS_PER_MONTH

    for k, curve in enumerate(shown["curves"]["pfs"]):
        tte = observe_arms(result.pool, np.full(result.pool.n, k), SEED).times["pfs"]
        km = kaplan_meier(tte.time / DAYS_PER_MONTH, tte.event)
        assert curve["survival"][0] == 1.0 and all(np.diff(curve["survival"]) <= 0)
        # four digits are sent; the last time is the end of what is known
        times = np.array(curve["time"][1:-1]) + 1e-4
        assert curve["survival"][1:-1] == pytest.approx(km.survival_at(times), abs=2e-4)
        assert curve["at_risk"]["n"] == [int(n) for n in km.n_at_risk_at(curve["at_risk"]["time"])]
        assert curve["n"] == N and curve["events"] == int(tte.event.sum())


def test_thinning_keeps_the_shape_of_a_long_curve():
    from her2.survival import kaplan_meier
    from her2.trials.cut import TimeToEvent

    time = np.random.default_rng(1).exponential(400.0, 20_000)
    tte = TimeToEvent(time, np.ones(time.size, dtype=bool), np.zeros(time.size, dtype=np.int64))
    drawn = trial_result.curve("a", tte, most=160)
    km = kaplan_meier(time / trial_result.DAYS_PER_MONTH, tte.event)
    assert len(drawn["time"]) <= 162
    at = np.searchsorted(drawn["time"], km.times, side="right") - 1
    # 160 points over a path of length 2 are at most 1/80 apart; what is drawn is never further from the curve
    assert np.max(np.abs(np.array(drawn["survival"])[at] - km.survival)) <= 1.5 / 80


def test_the_table_holds_every_statistic_and_its_source(shown, result):
    rows = shown["table"]
    assert len(rows) == sum(len(a) for a in result.arms) + sum(len(c) for c in result.contrasts.values())
    for row in rows:
        assert (row["published"] is None) == (row["source"] is None) and row["role"] in (
            None,
            "fit",
            "context",
        )
    hr = next(r for r in rows if r["statistic"] == "hr" and r["endpoint"] == "pfs")
    assert hr["predicted"] == pytest.approx(result.contrasts[(0, 1)]["pfs"].value)


def test_waterfall_swimmer_and_spider_are_of_the_randomised_patients(shown, result):
    tables = trial_result.tables_of(result)
    for k, arm in enumerate(shown["waterfall"]):
        inside = int((result.data.arm == k).sum())
        changes = [p["change"] for p in arm["patients"]]
        assert changes == sorted(changes, reverse=True) and len(changes) <= inside
        assert min(changes) >= -1.0
    first = tables["ADSL"]["USUBJID"][0]
    lanes = {p["id"]: p for arm in shown["swimmer"] for p in arm["patients"]}
    lines = {p["id"]: p for arm in shown["spider"] for p in arm["patients"]}
    assert first in lanes
    for name, line in lines.items():
        assert (
            len(line["months"]) == len(line["change"])
            and line["change"][0] == 0.0
            and line["months"][0] == 0.0
        )
        assert line["months"] == sorted(line["months"])
        assert lanes[name]["scans"] == line["months"][1:]
    for lane in lanes.values():
        if lane["death"] is not None:
            assert lane["end"] == lane["death"]
        if lane["response"] is not None:
            assert lane["best"] in ("CR", "PR") and lane["response"] in lane["scans"]


def test_the_files_are_those_of_the_command(heard, result):
    import zipfile
    from io import BytesIO

    files = {f.name: f for f in heard.files}
    assert {
        "run.json",
        "run.zip",
        "ADSL.csv",
        "kaplan_meier_pfs.svg",
        "kaplan_meier_pfs.png",
        "waterfall.svg",
    } <= set(files)
    record = json.loads(files["run.json"].content)
    assert record["digest"] == result.digest and record["seed"] == SEED
    with zipfile.ZipFile(BytesIO(files["run.zip"].content)) as archive:
        assert {f"run/{n}" for n in files if n != "run.zip"} == set(archive.namelist())


def test_forecast_patient_and_sequence_tell_their_results():
    case = {"her2": "negative", "setting": "metastatic"}
    said = Heard()
    asked = {"case": case, "options": [], "members": 1, "draws": 60, "twins": 20, "explained": 0, "seed": 1}
    files = run_job("job", "patient", asked, 1, said.reports)
    found = json.loads(said.result[0][0])
    assert found["kind"] == "patient" and found["result"]["refused"] is True, (
        "HER2-negative disease is outside"
    )
    assert [f.name for f in files] == ["result.json"]
    said = Heard()
    asked = {
        "case": case,
        "depth": 1,
        "regimens": [],
        "uptake": [],
        "members": 1,
        "draws": 60,
        "twins": 20,
        "seed": 1,
    }
    run_job("job", "sequence", asked, 1, said.reports)
    assert json.loads(said.result[0][0])["result"]["refused"] is True
