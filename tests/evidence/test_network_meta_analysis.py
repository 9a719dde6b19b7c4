"""Network estimates equal R's metafor, fall back on pairwise analyses, and stop at gaps in the network."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from her2.evidence.contrasts import select_contrasts
from her2.evidence.meta_analysis import pool_effects
from her2.evidence.network_meta_analysis import Comparison, analyse_network, connected_parts, network_of

META = Path(__file__).resolve().parent.parent / "reference" / "meta"


def read(name):
    with (META / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def comparisons_of(dataset):
    """All pairs of the arms of each study of a fixture."""
    rows = [r for r in read("network_data.tsv") if r["dataset"] == dataset]
    return [
        Comparison(
            a["study"], b["arm"], a["arm"], float(b["mean"]) - float(a["mean"]),
            math.sqrt(float(a["variance"]) + float(b["variance"])),
        )
        for study in dict.fromkeys(r["study"] for r in rows)
        for a, b in itertools.combinations([r for r in rows if r["study"] == study], 2)
    ]  # fmt: skip


NETWORKS = list(dict.fromkeys(r["dataset"] for r in read("network_data.tsv")))


def differences(row):
    found = analyse_network(comparisons_of(row["dataset"]), random_effects=row["effects"] == "random")
    component = found.components[0]
    estimate = component.estimate(row["treatment"], row["reference"])
    pairs = {
        "estimate": (estimate.effect, row["estimate"]),
        "se": (estimate.se, row["se"]),
        "q": (component.q, row["q"]),
        "q_p": (component.q_p, row["q_p"]),
        "df": (component.q_df, row["q_df"]),
    }
    if row["effects"] == "random":
        pairs["tau2"] = (component.tau2, row["tau2"])
        if row["tau2_rma"]:
            pairs["tau2_rma"] = (component.tau2, row["tau2_rma"])
    return {
        k: abs(ours - float(theirs)) / max(1.0, abs(float(theirs))) for k, (ours, theirs) in pairs.items()
    }


@pytest.mark.parametrize("dataset", NETWORKS)
def test_equals_metafor(dataset):
    rows = [r for r in read("network.tsv") if r["dataset"] == dataset]
    assert rows
    for row in rows:
        for name, difference in differences(row).items():
            assert difference < 1e-6, f"{dataset} {row['effects']} {row['treatment']} {name}: {difference}"


@pytest.mark.parametrize("random_effects", [False, True])
def test_two_treatments_are_a_pairwise_analysis(random_effects):
    items = comparisons_of("two_treatments")
    pooled = pool_effects(
        [c.effect for c in items], [c.se for c in items], method="dl" if random_effects else "fixed"
    )
    component = analyse_network(items, random_effects=random_effects).components[0]
    found = component.estimate("b", "a")
    assert (found.effect, found.se) == (pytest.approx(pooled.estimate), pytest.approx(pooled.se))
    assert (component.tau2, component.q) == (pytest.approx(pooled.tau2), pytest.approx(pooled.q))
    assert (component.q_between_df, component.q_within_df) == (0, pooled.q_df)


def test_a_star_is_its_pairwise_analyses():
    items = comparisons_of("star")
    component = analyse_network(items, random_effects=False).components[0]
    for treatment in "bcd":
        own = [c for c in items if c.treatment == treatment]
        pooled = pool_effects([c.effect for c in own], [c.se for c in own], method="fixed")
        found = component.estimate(treatment, "a")
        assert (found.effect, found.se) == (pytest.approx(pooled.estimate), pytest.approx(pooled.se))
    assert component.q_between_df == 0
    across = component.estimate("b", "c")
    assert not across.is_direct
    assert across.se == pytest.approx(
        math.hypot(component.estimate("b", "a").se, component.estimate("c", "a").se)
    )


def test_inconsistency_of_a_loop_is_the_bucher_test():
    items = [
        Comparison("1", "b", "a", -0.5, 0.1),
        Comparison("2", "c", "b", -0.2, 0.2),
        Comparison("3", "c", "a", 0.1, 0.15),
    ]
    component = analyse_network(items).components[0]
    assert component.q_between_df == 1 and component.q_within_df == 0
    assert component.q_between == pytest.approx(0.8**2 / (0.1**2 + 0.2**2 + 0.15**2))


def test_one_study_of_three_arms_gives_back_its_differences():
    items = [c for c in comparisons_of("three_arms") if c.study == "s1"]
    component = analyse_network(items).components[0]
    for c in items:
        found = component.estimate(c.treatment, c.reference)
        assert (found.effect, found.se) == (pytest.approx(c.effect), pytest.approx(c.se))
    assert component.q == pytest.approx(0.0) and component.q_df == 0


def test_direction_and_order_do_not_matter():
    items = comparisons_of("four_arms")
    one = analyse_network(items).components[0]
    turned = [Comparison(c.study, c.reference, c.treatment, -c.effect, c.se) for c in reversed(items)]
    other = analyse_network(turned).components[0]
    np.testing.assert_allclose(one.effects, other.effects, atol=1e-12)
    np.testing.assert_allclose(one.standard_errors, other.standard_errors, atol=1e-12)
    assert one.effects == pytest.approx(-one.effects.T)


def test_p_scores_rank_and_average_one_half():
    component = analyse_network(comparisons_of("two_loops")).components[0]
    assert sum(component.p_scores) / len(component.p_scores) == pytest.approx(0.5)
    best = component.ranking()[0][0]
    assert (
        max(
            analyse_network(comparisons_of("two_loops"), small_is_good=False).components[0].ranking(),
            key=lambda r: r[1],
        )[0]
        != best
    )
    certain = analyse_network([Comparison("1", "b", "a", -5.0, 0.1)]).components[0]
    assert certain.ranking() == (("b", pytest.approx(1.0)), ("a", pytest.approx(0.0)))
    assert len(component.league()) == 20


def test_unconnected_parts_are_named_and_kept_apart():
    items = [*comparisons_of("loop"), Comparison("x", "q", "p", 0.3, 0.2)]
    found = analyse_network(items)
    assert not found.is_connected
    assert [c.treatments for c in found.components] == [("a", "b", "c"), ("p", "q")]
    assert "2 components" in found.warning and "(2) p, q" in found.warning
    alone = analyse_network(comparisons_of("loop"))
    assert alone.is_connected and alone.warning == ""
    np.testing.assert_allclose(found.components[0].effects, alone.components[0].effects)
    with pytest.raises(ValueError, match="not in this component"):
        found.components[0].estimate("a", "p")
    assert connected_parts([("a", "b"), ("c", "d"), ("b", "c"), ("x", "y")]) == [
        ("a", "b", "c", "d"),
        ("x", "y"),
    ]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], "at least one"),
        ([("s", "a", "a", 0.1, 0.1)], "compared with itself"),
        ([("s", "a", "b", math.inf, 0.1)], "finite"),
        ([("s", "a", "b", 0.1, -1.0)], "positive"),
        ([("s", "a", "b", 0.1, 0.1), ("s", "b", "a", -0.1, 0.1)], "given twice"),
        ([("s", "b", "a", 0.1, 0.1), ("s", "c", "a", -0.1, 0.1)], "needs all 3 pairs, c against b"),
        (
            [("s", "b", "a", 0.1, 0.1), ("s", "c", "a", 0.2, 0.1), ("s", "c", "b", 3.0, 0.1)],
            "effects of its pairs",
        ),
        (
            [("s", "b", "a", 0.1, 0.1), ("s", "c", "a", 0.2, 0.1), ("s", "c", "b", 0.1, 5.0)],
            "standard errors of its",
        ),
    ],
)
def test_wrong_input_is_named(items, words):
    with pytest.raises(ValueError, match=words):
        analyse_network([Comparison(*i) for i in items])


# ---- the record --------------------------------------------------------------------------------------------------


def test_network_of_the_record_is_in_parts(record):
    comparisons, _ = network_of(select_contrasts(record, "pfs", "all"))
    found = analyse_network(comparisons)
    assert not found.is_connected
    main = found.components[0]
    assert {"docetaxel+trastuzumab", "t_dm1", "capecitabine+lapatinib"} <= set(main.treatments)
    direct = main.estimate("docetaxel+pertuzumab+trastuzumab", "docetaxel+trastuzumab")
    assert math.exp(direct.effect) == pytest.approx(0.62) and direct.is_direct
    indirect = main.estimate("neratinib", "t_dm1")
    assert math.exp(indirect.effect) == pytest.approx(1.19 / 0.65) and not indirect.is_direct


def test_trials_of_three_arms_enter_whole(record):
    comparisons, notes = network_of(select_contrasts(record, "pfs", "all", approximate=True))
    assert sum(c.study == "marianne" for c in comparisons) == 3
    assert not any("marianne" in n for n in notes)
    merged = {"docetaxel": "taxane", "paclitaxel": "taxane"}
    wider, _ = network_of(select_contrasts(record, "pfs", "all", approximate=True), merged)
    assert len(analyse_network(wider).components) < len(analyse_network(comparisons).components)


def test_network_command(her2):
    result = her2("evidence", "network", "--endpoint", "pfs")
    assert result.code == 0
    for text in ("not connected", "P-score", "docetaxel+pertuzumab+trastuzumab", "inconsistency"):
        assert text in result.out + result.err
    data = json.loads(her2("evidence", "network", "--endpoint", "pfs", "--json").out)
    assert data["connected"] is False and len(data["components"]) >= 3
    component = data["components"][0]
    assert len(component["league"]) == len(component["treatments"]) * (len(component["treatments"]) - 1)
    assert all(e["ci_low"] < e["hr"] < e["ci_high"] for e in component["league"])
    joined = json.loads(her2("evidence", "network", "--merge", "taxane", "--approximate", "--json").out)
    assert any("taxane+trastuzumab" in c["treatments"] for c in joined["components"])
    assert her2("evidence", "network", "--merge", "everything").code == 2
