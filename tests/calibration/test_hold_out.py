"""Calibration cannot read what is held out."""

import ast
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from her2.evidence import load
from her2.evidence.fit_view import fit_values
from her2.evidence.load import DATA
from her2.model import build_model

SOURCE = Path(load.__file__).resolve().parent.parent
HELD_OUT_TRIALS = (
    "marianne", "tdm4450g", "ctg_ma31", "cerebel", "lux_breast_1", "lux_breast_3", "bolero_1", "averel", "velvet",
    "baselga_2010", "martin_2013", "saura_2014", "jankowitz_2013", "electra", "nefertt", "sutherland_2010", "dang_2015",
)  # fmt: skip


def test_calibration_imports_no_other_door_to_the_record():
    allowed = {"load_parameters"}
    for path in (SOURCE / "calibration").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("her2.evidence"):
                names = {a.name for a in node.names}
                assert (
                    node.module in ("her2.evidence.fit_view", "her2.evidence.schema", "her2.evidence.priors")
                    or names <= allowed
                ), path.name


def test_the_fit_view_gives_nothing_that_is_held_out():
    for path in sorted((DATA / "studies").glob("*.yaml")):
        assert all(v.role == "fit" for v in fit_values(path.stem)), path.stem


def test_subgroups_and_cns_figures_of_cleopatra_are_held_out():
    values = load.load_study("cleopatra").values
    named = [
        v for v in values if v.analysis.startswith("pik3ca") or v.endpoint in ("cns_first", "time_to_cns")
    ]
    assert len(named) >= 7
    assert all(v.role == "held_out" for v in named)


def test_experimental_arms_of_held_out_trials_are_never_fitted():
    for name in HELD_OUT_TRIALS:
        path = DATA / "studies" / f"{name}.yaml"
        if not path.exists():
            continue
        study = load.load_study(name)
        for v in study.values:
            if v.contrast is not None:
                assert v.role != "fit", v.id
            if v.arm is not None and v.role == "fit":
                # a control arm: every agent of it is in the comparator of the contrasts of that study
                controls = {w.contrast.control for w in study.values if w.contrast is not None}
                assert not controls or v.arm in controls, v.id


def test_of_held_out_trials_only_the_control_arm_is_fitted():
    """Every target of the calibration, through the trial files: no hazard ratio and no other arm of a held-out trial."""
    from her2.calibration.targets import FIT_TRIALS, collect_targets
    from her2.trials.design import load_trial

    trials = {name: load_trial(name) for name in FIT_TRIALS}
    targets = collect_targets(list(trials.values()))
    held_out = [t for t in targets if t.trial in (*HELD_OUT_TRIALS, "th3resa")]
    assert len({t.trial for t in held_out}) > 5
    for target in held_out:
        trial = trials[target.trial]
        assert target.statistic != "hr", target.name
        assert trial.arms[target.arm].id == trial.control, target.name


def test_every_figure_for_fitting_becomes_a_target():
    """None is lost because a trial file names its arms otherwise, or because no trial of the fit has that study."""
    from her2.calibration.targets import FIT_TRIALS, collect_targets
    from her2.trials.design import load_trial

    targets = collect_targets([load_trial(name) for name in FIT_TRIALS])
    assert {t.trial for t in targets} == set(FIT_TRIALS), "a trial of the fit without a figure to fit"
    wanted = {
        v.id
        for path in (DATA / "studies").glob("*.yaml")
        for v in fit_values(path.stem)
        if v.value is not None
    }
    assert wanted - {t.published for t in targets} == set()


def test_every_target_is_a_number_that_its_trial_computes():
    from her2.calibration.targets import FIT_TRIALS, collect_targets
    from her2.trials.analyse import endpoints_of
    from her2.trials.design import load_trial

    trials = {name: load_trial(name) for name in FIT_TRIALS}
    targets = collect_targets(list(trials.values()))
    assert len({(t.trial, t.published) for t in targets}) == len(targets)
    for target in targets:
        assert math.isfinite(target.value) and 0.0 < target.error < 2.0, target.name
        assert target.endpoint in endpoints_of(trials[target.trial]), target.name


def test_changing_every_figure_that_is_not_for_fitting_changes_no_target(tmp_path, monkeypatch):
    """The strongest form: rewrite all other figures of the record and collect the targets again."""
    from her2.calibration.targets import FIT_TRIALS, collect_targets
    from her2.trials.design import load_trial

    trials = [load_trial(name) for name in FIT_TRIALS]
    before = collect_targets(trials)
    user = tmp_path / "record"
    (user / "studies").mkdir(parents=True)
    changed = 0
    for path in sorted((DATA / "studies").glob("*.yaml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        for v in data.get("values", []):
            if v.get("role") != "fit" and v.get("value") is not None:
                v["value"] = v["value"] * 1.7 + 0.1
                changed += 1
        (user / "studies" / path.name).write_text(
            yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8"
        )
    assert changed > 30
    monkeypatch.setenv(load.USER_VARIABLE, str(user))
    assert load.load_study("cleopatra") != load.parse(
        type(load.load_study("cleopatra")), load.read_yaml(DATA / "studies" / "cleopatra.yaml"), "x"
    )
    assert collect_targets(trials) == before
    shutil.rmtree(user)


def test_a_target_does_change_with_its_own_figure(tmp_path, monkeypatch):
    """The test above can fail: a fitted figure is seen."""
    from her2.calibration.targets import collect_targets
    from her2.trials.design import load_trial

    before = collect_targets([load_trial("cleopatra")])
    user = tmp_path / "record"
    (user / "studies").mkdir(parents=True)
    data = yaml.safe_load((DATA / "studies" / "cleopatra.yaml").read_text(encoding="utf-8"))
    for v in data["values"]:
        if v["role"] == "fit" and v["statistic"] == "median":
            v["value"] *= 2
    (user / "studies" / "cleopatra.yaml").write_text(
        yaml.safe_dump(data, allow_unicode=True), encoding="utf-8"
    )
    monkeypatch.setenv(load.USER_VARIABLE, str(user))
    assert collect_targets([load_trial("cleopatra")]) != before


def test_the_posterior_belongs_to_the_free_parameters():
    from her2.posterior import load_posterior

    posterior = load_posterior()
    assert posterior.n >= 32
    centre = posterior.central()
    assert set(centre) == set(posterior.names)


@pytest.mark.parametrize("law", ["lognormal", "logit_normal", "normal"])
def test_coordinates_and_values_are_inverse(law):
    """Free parameters and those that only the ensembles of cells draw."""
    from her2.evidence.load import load_parameters
    from her2.evidence.priors import to_coordinate, to_value

    found = [p for p in load_parameters().values() if p.prior and p.prior.law == law]
    assert found
    for p in found:
        for z in (-2.0, 0.0, 1.3):
            assert to_coordinate(p, to_value(p, z)) == pytest.approx(z, abs=1e-9)
        assert to_value(p, 0.0) == pytest.approx(p.value, rel=1e-12)


def test_all_free_parameters_at_once():
    from her2.calibration.free import load_free

    free = load_free()
    z = np.linspace(-1.5, 1.5, len(free.names))
    values = free.values(z)
    assert list(values) == sorted(values) and {p.role for p in free.parameters} == {"free"}
    np.testing.assert_allclose(free.coordinates(values), z, atol=1e-9)
    assert build_model(values).values == build_model().values | values
