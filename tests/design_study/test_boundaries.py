"""Group-sequential boundaries and crossing probabilities against R's rpact and the bivariate normal law.

Strength of evidence: other software and closed form. make_reference.R made the .tsv files. rpact solves its bounds
by bisection and stops the last look at alpha - 1e-8, which moves z by up to 1e-6: z is compared to 2e-6,
probabilities to 2e-7 and futility bounds and drifts, found at a tolerance of 1e-9, to 1e-7.
"""

from __future__ import annotations

import csv
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from her2.design_study.boundaries import find_crossing_probabilities, find_futility_bounds, set_boundaries
from her2.design_study.classical import classical_power, events_needed, expected_drift
from her2.design_study.spending import spend_error

HERE = Path(__file__).parent
Z, PROBABILITY, FUTILITY = 2e-6, 2e-7, 1e-7
GAMMA = {"hwang_shih_decani_m4": -4.0, "hwang_shih_decani_p1": 1.0, "hwang_shih_decani_p3": 3.0}


def read(name: str, keys: tuple[str, ...]) -> list[tuple[tuple[str, ...], list[dict[str, str]]]]:
    with (HERE / name).open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [(k, list(part)) for k, part in groupby(rows, key=lambda r: tuple(r[k].strip() for k in keys))]


def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(r[name]) for r in rows])


def bounds_of(spending: str, information: np.ndarray, alpha: float, spent: np.ndarray):
    kind = "hwang_shih_decani" if spending in GAMMA else spending
    custom = spent if kind == "custom" else ()
    return set_boundaries(
        information, spend_error(kind, information, alpha, GAMMA.get(spending, -4.0), custom)
    )


def test_the_reference_covers_two_to_five_looks_and_every_spending():
    keys = [k for k, _ in read("boundaries.tsv", ("design", "spending"))]
    assert {len(r) for _, r in read("boundaries.tsv", ("design", "spending", "alpha"))} == {2, 3, 4, 5}
    assert {s for _, s in keys} == {"obrien_fleming", "pocock", "custom", *GAMMA}


def test_efficacy_bounds_agree_with_rpact():
    for (design, spending, alpha), rows in read("boundaries.tsv", ("design", "spending", "alpha")):
        found = bounds_of(spending, column(rows, "information"), float(alpha), column(rows, "spent"))
        # rpact gives what its bounds spend, 1e-8 short of alpha
        assert found.spent == pytest.approx(column(rows, "spent"), abs=1.1e-8), (design, spending)
        assert found.efficacy == pytest.approx(column(rows, "z"), abs=Z), (design, spending)


def test_power_agrees_with_rpact():
    bounds = {
        key: bounds_of(key[1], column(rows, "information"), float(key[2]), column(rows, "spent"))
        for key, rows in read("boundaries.tsv", ("design", "spending", "alpha"))
    }
    for (*key, drift), rows in read("power.tsv", ("design", "spending", "alpha", "drift")):
        b = bounds[tuple(key)]
        reject, give_up = find_crossing_probabilities(b.information, b.efficacy, None, float(drift))
        assert reject == pytest.approx(column(rows, "reject"), abs=PROBABILITY), (key, drift)
        assert not give_up.any()


def test_non_binding_futility_agrees_with_rpact():
    for (design, spending, beta), rows in read("futility.tsv", ("design", "spending", "beta")):
        kind = "hwang_shih_decani" if spending in GAMMA else spending
        t = column(rows, "information")
        found = set_boundaries(t, spend_error(kind, t, 0.025), spend_error(kind, t, float(beta)))
        assert found.efficacy == pytest.approx(column(rows, "z"), abs=Z)
        assert found.futility == pytest.approx(column(rows, "lower"), abs=FUTILITY), (design, spending)
        assert found.drift == pytest.approx(column(rows, "drift")[0], abs=FUTILITY), (design, spending)


@pytest.mark.parametrize("early", [0.05, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("drift", [-1.0, 0.0, 2.0])
def test_two_looks_agree_with_the_bivariate_normal(early, drift):
    upper, lower = np.array([2.5, 2.0]), np.array([0.2, -np.inf])
    t = np.array([early, 1.0])
    reject, give_up = find_crossing_probabilities(t, upper, lower, drift)
    law = multivariate_normal(drift * np.sqrt(t), [[1.0, np.sqrt(early)], [np.sqrt(early), 1.0]])
    first = multivariate_normal(drift * np.sqrt(early), 1.0)
    below = lambda a, b: float(law.cdf(np.array([a, b])))  # noqa: E731
    goes_on_and_rejects = first.cdf(2.5) - first.cdf(0.2) - (below(2.5, 2.0) - below(0.2, 2.0))
    # scipy's own law is computed to about 1e-8
    assert reject == pytest.approx([1.0 - first.cdf(2.5), goes_on_and_rejects], abs=5e-8)
    assert give_up[0] == pytest.approx(float(first.cdf(0.2)), abs=1e-12)


def test_bounds_spend_the_alpha_they_are_given():
    t = np.array([0.1, 0.11, 0.5, 0.95, 1.0])
    for kind in ("obrien_fleming", "pocock", "hwang_shih_decani"):
        spent = spend_error(kind, t, 0.025)
        bounds = set_boundaries(t, spent)
        reject, _ = find_crossing_probabilities(t, bounds.efficacy)
        assert np.cumsum(reject) == pytest.approx(spent, abs=1e-10), kind


def test_a_look_without_alpha_cannot_stop_the_trial():
    bounds = set_boundaries([0.5, 1.0], [0.0, 0.025])
    assert np.isposinf(bounds.efficacy[0])
    assert bounds.efficacy[1] == pytest.approx(1.959963984540054, abs=1e-9)


def test_non_binding_futility_leaves_the_efficacy_bounds_alone():
    t = (0.5, 1.0)
    spent = spend_error("obrien_fleming", t, 0.025)
    with_rule = set_boundaries(t, spent, spend_error("obrien_fleming", t, 0.1))
    assert with_rule.efficacy == pytest.approx(set_boundaries(t, spent).efficacy, abs=0.0)
    assert with_rule.futility[0] < with_rule.efficacy[0]


def test_a_beta_that_no_effect_gives_is_refused():
    t = np.array([0.5, 1.0])
    with pytest.raises(ValueError, match="no effect gives a beta"):
        find_futility_bounds(t, np.array([3.0, 2.0]), np.array([0.5, 0.999]))


def test_schoenfeld_formula_and_power_are_inverse():
    events = events_needed(0.7, 0.025, 0.9, 0.5)
    bounds = set_boundaries([1.0], [0.025])
    assert classical_power(bounds, 0.7, events, 0.5) == pytest.approx(0.9, abs=1e-9)
    assert expected_drift(0.7, events, 0.5) == pytest.approx(1.959964 + 1.281552, abs=1e-5)
