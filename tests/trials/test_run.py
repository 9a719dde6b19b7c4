"""Running a trial: the object `--json` prints, reproducibility, and the split of uncertainty."""

import json
import math

import pytest

from her2.trials.design import load_trial
from her2.trials.report import as_json
from her2.trials.run import simulate_trial

SMALL = {"patients": 200, "trials": 24, "members": 4, "member_patients": 100}


@pytest.fixture(scope="module")
def result():
    return simulate_trial(load_trial("cleopatra"), seed=3, jobs=1, **SMALL)


def test_json_has_the_promised_shape(result):
    data = json.loads(json.dumps(as_json(result), allow_nan=False))
    assert {
        "trial",
        "seed",
        "patients",
        "failed_patients",
        "arms",
        "contrasts",
        "null_model",
        "digest",
        "elapsed_s",
    } <= set(data)
    assert data["trial"] == "cleopatra"
    assert data["failed_patients"] == []
    for arm in data["arms"]:
        assert {"name", "n", "orr", "cbr", "median_pfs", "median_os"} <= set(arm)
        for key in ("orr", "cbr", "median_pfs", "median_os"):
            assert {"value", "low", "high", "published"} <= set(arm[key])
            if arm[key]["low"] is not None and arm[key]["high"] is not None:
                assert arm[key]["low"] <= arm[key]["high"]
    for contrast in data["contrasts"]:
        assert {"endpoint", "experimental", "control", "hr"} <= set(contrast)
    published = {a["name"]: a["median_pfs"]["published"] for a in data["arms"]}
    assert published == {"docetaxel+pertuzumab+trastuzumab": 18.5, "docetaxel+trastuzumab": 12.4}
    hazard_ratios = {c["endpoint"]: c["hr"]["published"] for c in data["contrasts"]}
    # those of the brain are held out
    assert hazard_ratios == {"pfs": 0.62, "os": 0.68, "time_to_cns": None}
    for arm in data["arms"]:
        assert arm["cns_first"]["published"] is None and arm["median_time_to_cns"]["published"] is None


def test_same_seed_same_digest_for_any_number_of_threads(result):
    for jobs in (1, 2, 5):
        again = simulate_trial(load_trial("cleopatra"), seed=3, jobs=jobs, **SMALL)
        assert again.digest == result.digest
        assert as_json(again)["arms"] == as_json(result)["arms"]


def test_another_seed_gives_other_patients(result):
    assert simulate_trial(load_trial("cleopatra"), seed=4, **SMALL).digest != result.digest


def test_shares_of_uncertainty_sum_to_one(result):
    for row in (*result.arms, *result.contrasts.values()):
        for p in row.values():
            s = p.split
            assert s is not None
            parts = (s.parameters, s.patients, s.noise, s.between_trials)
            assert all(x >= 0 for x in parts)
            assert math.isclose(sum(parts), 1.0, rel_tol=1e-9)


def test_held_out_figures_are_not_shown_unless_asked(result):
    text = json.dumps(as_json(result))
    assert "held_out" not in text


def test_progress_reaches_the_end():
    seen = []
    simulate_trial(
        load_trial("vogel_2002"), seed=1, on_progress=lambda stage, share: seen.append(share), **SMALL
    )
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0, abs=0.02)


def test_a_single_arm_trial_has_no_contrast():
    data = as_json(simulate_trial(load_trial("vogel_2002"), seed=1, **SMALL))
    assert data["contrasts"] == []
    assert len(data["arms"]) == 1


def test_later_line_patients_are_those_who_progressed_on_their_first_line():
    from her2.engine.layout import Outcome

    result = simulate_trial(load_trial("gbg_26"), seed=1, **SMALL)
    assert result.pool.screened > result.pool.n
    entry = result.pool.arms[0][Outcome.ENTRY_DAY]
    assert (entry > 0).all()
    # selection: more resistant cells at the second progression than a first-line trial starts with
    assert result.pool.status_counts["not_enrolled_dead"] > 0


KINDS = {
    "cleopatra": {"ADTTE.parquet", "kaplan_meier_time_to_cns.svg", "waterfall.svg", "forest.svg"},
    "th3resa": {"kaplan_meier_pfs.svg", "waterfall.svg", "forest.svg"},
    "landscape": {"kaplan_meier_ttp.svg", "waterfall.svg"},
    "n9831": {"kaplan_meier_dfs.svg", "forest.svg"},
    "neosphere": {"ADSL.parquet"},
}
"""A trial of each kind and some of the files that it writes: first line, histories with options, brain metastases,
adjuvant, neoadjuvant."""


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_trial_is_simulated_printed_and_written(tmp_path, name):
    from io import StringIO

    from rich.console import Console

    from her2.trials.outputs import write_trial
    from her2.trials.report import print_report

    trial = load_trial(name)
    result = simulate_trial(trial, seed=2, patients=120, trials=12, members=3, member_patients=60)
    data = json.loads(json.dumps(as_json(result), allow_nan=False))
    assert data["failed_patients"] == [] and len(data["arms"]) == len(trial.arms)
    for row in result.arms:
        assert set(row) == set(trial.endpoints.reported)
    out = StringIO()
    print_report(result, Console(file=out, width=160))
    assert trial.arms[0].label in " ".join(out.getvalue().split())
    write_trial(result, tmp_path / "run", name)
    written = {p.name for p in (tmp_path / "run").iterdir()}
    assert KINDS[name] | {"run.json"} <= written
    assert ("waterfall.svg" in written) == (trial.setting == "metastatic")


def test_uncertainty_is_split_wherever_another_noise_enrols_the_same_patients():
    """Trials without earlier lines, also those that exclude brain metastases; with earlier lines the noise selects."""
    for name, splits in (("cleopatra", True), ("n9831", True), ("gbg_26", False)):
        trial = load_trial(name)
        result = simulate_trial(trial, seed=2, patients=60, trials=12, members=3, member_patients=60)
        found = {p.split is not None for row in result.arms for p in row.values()}
        assert found == {splits}, name


def test_cleopatra_is_reproduced():
    """What `make trial` must show, at its default size and seed (fitted figures: reproduction, not validation)."""
    data = as_json(simulate_trial(load_trial("cleopatra"), jobs=2, trials=0))
    assert data["failed_patients"] == []
    experimental, control = data["arms"]
    for arm, pfs, os_, orr in ((experimental, 18.5, 56.5, 0.802), (control, 12.4, 40.8, 0.693)):
        assert arm["median_pfs"]["value"] == pytest.approx(pfs, rel=0.15)
        assert arm["median_os"]["value"] == pytest.approx(os_, rel=0.20)
        assert arm["orr"]["value"] == pytest.approx(orr, abs=0.07)
    hr = {c["endpoint"]: c["hr"]["value"] for c in data["contrasts"]}
    assert 0.51 <= hr["pfs"] <= 0.75


def test_without_trials_nothing_is_judged():
    from io import StringIO

    from rich.console import Console

    from her2.trials.report import misfits, print_report

    result = simulate_trial(load_trial("vogel_2002"), seed=1, patients=100, trials=0)
    assert misfits(result) == ["No trials were drawn (--trials 0): published figures are shown, not judged."]
    out = StringIO()
    print_report(result, Console(file=out, width=160))
    assert "95 % CI" in out.getvalue()
    assert "Research" in out.getvalue()
