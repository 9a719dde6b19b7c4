"""Pairing of published figures with statistics, and the lock on what is held out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from her2.errors import UnknownNameError
from her2.evidence import load
from her2.evidence.load import DATA, load_studies
from her2.trials.design import load_trial, trial_names
from her2.validation import pairs
from her2.validation.baselines import learn
from her2.validation.pairs import load_subgroups, pair_trial, readable_values, trial_role
from her2.validation.predict import StatKey

EXPERIMENTAL, CONTROL = "docetaxel+pertuzumab+trastuzumab", "docetaxel+trastuzumab"


def _paired(path: Path, **how):
    paired = pair_trial(load_trial(str(path)), load_studies(), **how)
    return {f.key: f for f in paired.figures}, paired


def test_one_figure_for_each_statistic_fitted_ones_first(invented):
    found, _ = _paired(invented)
    assert found[StatKey("orr", arm=CONTROL)].value == 0.63
    assert found[StatKey("orr", arm=CONTROL)].role == "fit"


def test_the_text_comes_before_the_tables(invented, tmp_path):
    path = tmp_path / "record" / "studies" / "invented.yaml"
    data = yaml.safe_load(path.read_text())
    data["values"] = [v for v in data["values"] if v["role"] != "fit"]
    path.write_text(yaml.safe_dump(data))
    found, _ = _paired(invented)
    assert found[StatKey("orr", arm=CONTROL)].value == 0.62


def test_what_is_probably_right_stands_in_for_the_print_and_is_marked(invented):
    f = _paired(invented)[0][StatKey("pfs", arm=CONTROL)]
    assert (f.value, f.corrected) == (12.0, True)


def test_a_contrast_printed_the_other_way_round_is_turned(invented):
    f = _paired(invented)[0][StatKey("os", experimental=EXPERIMENTAL, control=CONTROL)]
    assert f.value == pytest.approx(0.8)
    assert (f.ci_low, f.ci_high) == (pytest.approx(0.5), pytest.approx(1.0))


def test_figures_without_a_statistic_are_listed_with_the_reason(invented):
    reasons = {u.id: u.reason for u in _paired(invented)[1].unpaired}
    assert "another analysis" in reasons[f"invented.os.median.{CONTROL}"]
    assert "left-handed" in reasons[f"invented.os.median.{EXPERIMENTAL}"]


def test_subgroups_are_those_of_the_parent_trial(invented):
    found, paired = _paired(invented, held_out=True)
    assert StatKey("pfs", arm=EXPERIMENTAL, subgroup="pik3ca_mutant") in found
    assert paired.subgroups == ("pik3ca_mutant",)


def test_held_out_figures_are_paired_only_when_asked_for(invented):
    assert all(f.role != "held_out" for f in _paired(invented)[1].figures)
    assert all(u.role != "held_out" for u in _paired(invented)[1].unpaired)
    shown = [f for f in _paired(invented, held_out=True)[1].figures if f.role == "held_out"]
    assert len(shown) == 3


class _Locked:
    """A held-out figure of which only the role may be asked."""

    role = "held_out"

    def __getattr__(self, name):
        raise AssertionError(f"a held-out figure was read: {name}")


def test_without_the_flag_a_held_out_figure_is_not_even_touched(monkeypatch):
    """Every held-out figure of the record is replaced by an object that fails when it is read."""
    real = load_studies()

    def locked(study):
        values = tuple(_Locked() if v.role == "held_out" else v for v in study.values)
        shown = ("id", "name", "parent", "arms", "setting", "n")
        return SimpleNamespace(values=values, **{k: getattr(study, k) for k in shown})

    studies = {k: locked(s) for k, s in real.items()}
    assert sum(isinstance(v, _Locked) for s in studies.values() for v in s.values) > 50
    monkeypatch.setattr("her2.evidence.fit_view.load_study", lambda name: studies[name])
    learn(studies)
    for name in trial_names():
        trial = load_trial(name)
        paired = pair_trial(trial, studies)
        assert all(f.role != "held_out" for f in paired.figures)
    pairs.without_trial(studies, [])
    with pytest.raises(AssertionError, match="held-out figure was read"):
        pair_trial(load_trial("averel"), studies, held_out=True)


def test_changing_every_held_out_figure_changes_no_pair(tmp_path, monkeypatch):
    trials = [load_trial(name) for name in trial_names()]
    before = [pair_trial(t, load_studies()) for t in trials]
    known = learn(load_studies())
    user = tmp_path / "record"
    (user / "studies").mkdir(parents=True)
    changed = 0
    for path in sorted((DATA / "studies").glob("*.yaml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        for v in data.get("values", []):
            if v.get("role") == "held_out" and v.get("value") is not None:
                v["value"] = v["value"] * 1.7 + 0.1
                changed += 1
        (user / "studies" / path.name).write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    assert changed > 50
    monkeypatch.setenv(load.USER_VARIABLE, str(user))
    assert [pair_trial(t, load_studies()) for t in trials] == before
    assert learn(load_studies()).contrasts == known.contrasts


def test_readable_values_come_through_the_fit_view(monkeypatch):
    study = load_studies()["cleopatra"]
    monkeypatch.setattr(pairs, "fit_values", lambda name: ())
    assert all(v.role == "context" for v in readable_values(study, held_out=False))


def test_figures_of_the_built_in_trials_find_their_statistics():
    studies = load_studies()
    cleopatra = pair_trial(load_trial("cleopatra"), studies)
    values = {(f.key.endpoint, f.key.arm or "hr"): f.value for f in cleopatra.figures}
    assert values[("pfs", EXPERIMENTAL)] == 18.5
    assert values[("os", "hr")] == 0.68
    assert cleopatra.role == "fit"
    assert pair_trial(load_trial("gbg_26"), studies).role == "fit"


def test_the_role_of_a_trial_comes_from_the_roles_of_its_figures():
    """Of AVEREL and TDM4450g only the control arm is fitted: they are held out."""
    studies = load_studies()
    for name in ("averel", "tdm4450g"):
        trial = load_trial(name)
        assert trial_role(trial, studies[trial.study]) == "held_out"


def test_a_trial_without_a_study_is_a_forecast(cleopatra):
    own = cleopatra.model_copy(update={"study": None})
    paired = pair_trial(own, load_studies())
    assert (paired.figures, paired.role) == ((), "forecast")


def test_the_subgroup_file_names_subgroups_of_the_model(tmp_path, monkeypatch):
    assert load_subgroups().populations
    wrong = tmp_path / "subgroups.yaml"
    wrong.write_text("populations: [{printed: x, subgroup: left_handed}]\n")
    monkeypatch.setattr(pairs, "SUBGROUP_FILE", wrong)
    with pytest.raises(UnknownNameError, match="left_handed"):
        load_subgroups()
