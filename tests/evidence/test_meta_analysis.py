"""Pooled effects equal R's metafor; contrasts of the record are chosen as the documentation says."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from her2.errors import UnknownNameError
from her2.evidence.contrasts import ContrastError, select_contrasts
from her2.evidence.meta_analysis import between_study_variance, pool_effects

META = Path(__file__).resolve().parent.parent / "reference" / "meta"
METHOD = {"FE": "fixed", "DL": "dl", "PM": "pm", "REML": "reml"}


def read(name):
    with (META / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


DATA: dict[str, tuple[list[float], list[float]]] = {}
for _row in read("pairwise_data.tsv"):
    _y, _s = DATA.setdefault(_row["dataset"], ([], []))
    _y.append(float(_row["yi"]))
    _s.append(math.sqrt(float(_row["vi"])))


def differences(row):
    """Differences from metafor, relative where a figure is larger than one."""
    y, s = DATA[row["dataset"]]
    knapp_hartung = row["test"] == "knha"
    found = pool_effects(y, s, method=METHOD[row["method"]], knapp_hartung=knapp_hartung)
    plain = pool_effects(
        y, s, method=METHOD[row["method"]], knapp_hartung=knapp_hartung, prediction="as_interval"
    )
    pairs = {
        name: (getattr(found, name), row[name])
        for name in ("estimate", "se", "ci_low", "ci_high", "p", "q", "q_p", "tau2", "i2", "h2")
    }
    pairs["riley_low"] = (found.prediction_low, row["riley_low"])
    pairs["riley_high"] = (found.prediction_high, row["riley_high"])
    pairs["pi_low"] = (plain.prediction_low, row["pi_low"])
    pairs["pi_high"] = (plain.prediction_high, row["pi_high"])
    result = {}
    for name, (ours, theirs) in pairs.items():
        assert (ours is None) == (theirs == ""), (
            f"{row['dataset']} {row['method']} {name}: {ours}, {theirs!r}"
        )
        if ours is not None:
            result[name] = abs(ours - float(theirs)) / max(1.0, abs(float(theirs)))
    return result


@pytest.mark.parametrize("dataset", list(DATA))
def test_equals_metafor(dataset):
    rows = [r for r in read("pairwise.tsv") if r["dataset"] == dataset]
    assert len(rows) == (4 if dataset == "one" else 8)
    for row in rows:
        for name, difference in differences(row).items():
            assert difference < 1e-6, f"{dataset} {row['method']} {row['test']} {name}: {difference}"


def test_fixtures_cover_the_hard_cases():
    rows = read("pairwise.tsv")
    assert len(DATA) >= 12
    assert {len(y) for y, _ in DATA.values()} >= {1, 2, 3}
    assert any(r["method"] == "REML" and float(r["tau2"]) == 0 and int(r["k"]) > 2 for r in rows)
    assert any(float(r["i2"]) > 99 for r in rows)


def test_scale_and_sign_carry_over():
    y, s = DATA["eight"]
    one = pool_effects(y, s)
    other = pool_effects(-10 * np.asarray(y), 10 * np.asarray(s))
    assert other.estimate == pytest.approx(-10 * one.estimate)
    assert other.tau2 == pytest.approx(100 * one.tau2)
    assert other.i2 == pytest.approx(one.i2)
    assert sum(one.weights) == pytest.approx(1.0)


def test_paule_mandel_solves_its_equation():
    y, s = (np.asarray(x) for x in DATA["unequal"])
    w = 1 / (s**2 + between_study_variance(y, s**2, "pm"))
    assert w @ (y - w @ y / w.sum()) ** 2 == pytest.approx(len(y) - 1, abs=1e-9)


def test_reml_takes_the_higher_of_two_peaks():
    generator = np.random.default_rng(3)
    for _ in range(30):
        s = np.exp(generator.uniform(-4, 1, 5))
        y = generator.normal(0, 1, 5)
        best = between_study_variance(y, s**2, "reml")

        def likelihood(t, y=y, s=s):
            w = 1 / (s**2 + t)
            mu = w @ y / w.sum()
            return np.log(w).sum() - math.log(w.sum()) - w @ (y - mu) ** 2

        assert likelihood(best) >= max(likelihood(t) for t in np.linspace(0, 10, 500)) - 1e-9


@pytest.mark.parametrize(
    ("effects", "errors", "options", "words"),
    [
        ([], [], {}, "at least one study"),
        ([1.0], [0.0], {}, "positive numbers, got 0 at study 1"),
        ([1.0, 2.0], [0.1], {}, "got 2 and 1"),
        ([1.0, math.nan], [0.1, 0.1], {}, "finite numbers, got nan at study 2"),
        ([1.0], [0.1], {"knapp_hartung": True}, "at least two"),
        ([1.0], [0.1], {"method": "ml"}, "fixed, dl, pm, reml"),
        ([1.0], [0.1], {"level": 95}, "between 0 and 1"),
        ([1.0], [0.1], {"prediction": "t"}, "k_minus_2"),
        ([[1.0]], [[0.1]], {}, "one per study"),
    ],
)
def test_wrong_arguments_are_named(effects, errors, options, words):
    with pytest.raises(ValueError, match=words):
        pool_effects(effects, errors, **options)


# ---- contrasts of the record -------------------------------------------------------------------------------------


def test_added_her2_agents_with_printed_hazard_ratios(record):
    chosen = select_contrasts(record, "pfs", "add-her2")
    assert [c.study for c in chosen.contrasts] == ["cleopatra"]
    contrast = chosen.contrasts[0]
    assert (contrast.hr, contrast.ci_low, contrast.ci_high) == (0.62, 0.51, 0.75)
    assert contrast.se == pytest.approx(math.log(0.75 / 0.51) / (2 * 1.959964), rel=1e-6)
    assert not contrast.is_approximated
    assert contrast.value_ids == (
        "cleopatra.pfs.hr.docetaxel+pertuzumab+trastuzumab_v_docetaxel+trastuzumab",
    )
    assert "review_b lines 651-653" in contrast.where
    assert {n.study for n in chosen.left_out} >= {"egf104900", "tandem", "egf30008"}


def test_a_study_counts_once_however_often_it_is_printed(record):
    for endpoint in ("pfs", "os", "ttp"):
        for approximate in (False, True):
            chosen = select_contrasts(record, endpoint, "all", approximate=approximate)
            keys = [(c.study, c.experimental, c.control) for c in chosen.contrasts]
            assert len(keys) == len(set(keys))
            assert not any("cns" in c.study or "biomarker" in c.study for c in chosen.contrasts)


def test_one_agent_added_and_agents_against_each_other(record):
    assert {c.study for c in select_contrasts(record, "pfs", "add-everolimus").contrasts} == {
        "bolero_1",
        "bolero_3",
    }
    assert {c.study for c in select_contrasts(record, "pfs", "lapatinib-v-trastuzumab").contrasts} == {
        "cerebel"
    }
    turned = select_contrasts(record, "pfs", "trastuzumab-v-lapatinib").contrasts[0]
    assert turned.hr == pytest.approx(1 / 1.3)
    assert (turned.ci_low, turned.ci_high) == (pytest.approx(1 / 1.64), pytest.approx(1 / 1.04))
    assert turned.experimental == "capecitabine+trastuzumab"
    conjugate = select_contrasts(record, "pfs", "T-DM1-v-capecitabine+lapatinib")
    assert [c.study for c in conjugate.contrasts] == ["emilia"]
    assert [c.study for c in select_contrasts(record, "pfs", "add-bevacizumab").contrasts] == ["averel"]


def test_medians_stand_in_only_when_asked(record):
    chosen = select_contrasts(record, "ttp", "add-her2", approximate=True)
    found = {c.study: c for c in chosen.contrasts}
    assert not found["egf100151"].is_approximated
    assert found["m77001"].is_approximated
    assert found["m77001"].hr == pytest.approx(6.1 / 11.7)
    assert found["m77001"].se == pytest.approx(math.sqrt(2 / 93) / math.log(2))
    assert len(found["m77001"].value_ids) >= 2
    assert select_contrasts(record, "ttp", "add-her2").contrasts[0].study == "egf100151"


def test_approximated_standard_errors_resemble_the_printed_ones(record):
    ratios = []
    for endpoint in ("pfs", "os", "ttp"):
        printed = {c.study: c for c in select_contrasts(record, endpoint, "all").contrasts}
        rough = select_contrasts(record, endpoint, "all", approximate="always").contrasts
        ratios += [c.se / printed[c.study].se for c in rough if c.is_approximated and c.study in printed]
    assert len(ratios) >= 10
    assert 0.8 < float(np.median(ratios)) < 1.3


def test_likely_correct_figures_only_when_asked(record):
    def emilia(**options):
        chosen = select_contrasts(record, "pfs", "all", **options).contrasts
        return next(c for c in chosen if c.study == "emilia")

    assert emilia().ci_high == 0.75 and "0.77" in emilia().note
    assert emilia(likely_correct=True).ci_high == 0.77
    swapped = select_contrasts(record, "os", "add-lapatinib", approximate=True, likely_correct=True)
    assert next(c for c in swapped.contrasts if c.study == "egf30008").hr < 1


def test_a_hazard_ratio_without_interval_is_kept(record):
    def basis(endpoint, study, **options):
        chosen = select_contrasts(record, endpoint, "all", approximate=True, **options).contrasts
        return next(c for c in chosen if c.study == study)

    from_p = basis("os", "th3resa")
    assert (from_p.basis, from_p.hr) == ("hr with p value", 0.552)
    assert from_p.se == pytest.approx(-math.log(0.552) / 2.9277, rel=1e-3)  # p = 0.0034
    doubtful, mended = basis("pfs", "ctg_ma31"), basis("pfs", "ctg_ma31", likely_correct=True)
    assert doubtful.hr == mended.hr == 1.48 and doubtful.basis == "hr with patients"
    assert "N" in doubtful.note and doubtful.se > 3 * mended.se


def test_unknown_names_are_explained(record):
    with pytest.raises(UnknownNameError, match="trastuzumab"):
        select_contrasts(record, "pfs", "add-trastuzumb")
    with pytest.raises(ContrastError, match="add-her2"):
        select_contrasts(record, "pfs", "everything")
    with pytest.raises(UnknownNameError, match="nearest: 'pfs'"):
        select_contrasts(record, "pffs", "add-her2")


def test_forest_command_prints_places_and_heterogeneity(her2):
    result = her2("evidence", "forest", "--endpoint", "pfs", "--contrast", "add-her2", "--approximate")
    assert result.code == 0
    for text in ("CLEOPATRA", "review_b lines 651-653", "approximated", "pooled", "tau2", "I2", "prediction"):
        assert text in result.out
    assert "one study: nothing is pooled" in her2("evidence", "forest").out
    data = json.loads(her2("evidence", "forest", "--endpoint", "ttp", "--json", "--approximate").out)
    assert data["pooled"]["n_studies"] == len(data["studies"]) >= 4
    assert 0.3 < data["pooled"]["hr"] < 1
    assert all(s["places"] for s in data["studies"])


def test_forest_picture(her2, tmp_path):
    path = tmp_path / "forest.svg"
    result = her2("evidence", "forest", "--endpoint", "pfs+ttp", "--approximate", "--out", str(path))
    assert result.code == 0 and str(path) in result.out
    text = path.read_text(encoding="utf-8")
    assert "CLEOPATRA" in text and "Pooled" in text
    again = tmp_path / "again.svg"
    her2("evidence", "forest", "--endpoint", "pfs+ttp", "--approximate", "--out", str(again))
    assert again.read_text(encoding="utf-8") == text
    assert her2("evidence", "forest", "--out", str(tmp_path / "forest.xyz")).code == 2
    assert her2("evidence", "forest", "--out", str(tmp_path / "none" / "forest.svg")).code == 2


def test_forest_without_studies_says_so(her2):
    result = her2("evidence", "forest", "--endpoint", "pfs", "--contrast", "add-lapatinib")
    assert result.code == 2 and "--approximate takes 1" in result.err


def test_a_study_of_the_user_counts_and_is_marked(her2, tmp_path, monkeypatch):
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "mine.yaml").write_text(
        """
id: mine
name: Mine
phase: III
n: 200
setting: first_line
status: completed
design: randomised
arms:
  - {id: a, label: lapatinib, agents: [lapatinib, capecitabine]}
  - {id: b, label: control, agents: [capecitabine]}
values:
  - {id: mine.pfs.hr, endpoint: pfs, statistic: hr, contrast: {experimental: b, control: a}, printed: '2.0', value: 2.0, unit: ratio, ci_low: 1.6, ci_high: 2.5, source: review_a, line_start: 1, line_end: 1}
""",
        encoding="utf-8",
    )
    monkeypatch.setenv("HER2_RECORD", str(tmp_path))
    assert "Mine (yours)" in her2("evidence", "forest", "--contrast", "add-lapatinib").out
    study = json.loads(her2("evidence", "forest", "--contrast", "add-lapatinib", "--json").out)["studies"][0]
    assert study["user"] and study["hr"] == 0.5 and (study["ci_low"], study["ci_high"]) == (0.4, 0.625)
