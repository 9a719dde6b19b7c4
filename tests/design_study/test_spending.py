"""Error spending: limits, shapes and refusals. The values are checked against rpact in test_boundaries.py."""

from __future__ import annotations

import numpy as np
import pytest

from her2.design_study.spending import spend_error

LOOKS = (0.2, 0.4, 0.6, 0.8, 1.0)


@pytest.mark.parametrize("kind", ["obrien_fleming", "pocock", "hwang_shih_decani"])
def test_all_of_the_error_is_spent_and_never_given_back(kind):
    spent = spend_error(kind, LOOKS, 0.025)
    assert spent[-1] == 0.025
    assert spent[0] > 0.0
    assert np.all(np.diff(spent) > 0.0)


def test_obrien_fleming_spends_later_than_pocock():
    assert np.all(spend_error("obrien_fleming", LOOKS, 0.05)[:-1] < spend_error("pocock", LOOKS, 0.05)[:-1])


def test_hwang_shih_decani_is_linear_at_gamma_zero():
    assert spend_error("hwang_shih_decani", LOOKS, 0.025, 0.0) == pytest.approx(0.025 * np.array(LOOKS))
    near = spend_error("hwang_shih_decani", LOOKS, 0.025, 1e-7)
    assert near == pytest.approx(0.025 * np.array(LOOKS), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"error": 0.5}, "error: expected a one-sided rate"),
        ({"information": (0.5, 0.4, 1.0)}, "information: expected shares rising"),
        ({"information": (0.5, 0.9)}, "information: expected shares rising"),
        ({"spending": "custom", "custom": (0.01, 0.025)}, "custom: expected 5 cumulative rates"),
        ({"spending": "linear"}, "spending: unknown name 'linear'"),
    ],
)
def test_impossible_spending_is_refused(arguments, says):
    wanted = {"spending": "pocock", "information": LOOKS, "error": 0.025, **arguments}
    with pytest.raises(ValueError, match=says):
        spend_error(**wanted)
