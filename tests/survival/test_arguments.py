"""Wrong input of every analysis: the message says what, where, and what was expected; right input comes back checked."""

from __future__ import annotations

import numpy as np
import pytest

from her2.survival import _arguments as a
from her2.survival import _distributions as d

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["x"], r"t: expected numbers, got list \("),
        ([[1.0]], r"t: expected a one-dimensional array, got shape \(1, 1\)"),
        (3.0, r"t: expected a one-dimensional array, got shape \(\)"),
        ([], "t: expected at least one patient, got an empty array"),
        ([1.0, NAN, INF], r"t: expected finite numbers, got nan at position 1 \(2 such\)"),
        ([1.0, 2.0, -INF], r"t: expected finite numbers, got -inf at position 2 \(1 such\)"),
        ([0.0, -1.0, -2.0], "t: expected values of zero or more, got -1.0 at position 1"),
    ],
)
def test_times_that_are_none_are_told_with_their_place(values, says):
    with pytest.raises(ValueError, match=says):
        a.check_time(values, "t")


def test_times_come_back_as_a_copy_in_double_precision():
    given = np.array([0, 3], dtype=np.int32)
    checked = a.check_time(given)
    assert checked.dtype == np.float64
    assert checked.tolist() == [0.0, 3.0]
    same = np.array([1.0])
    a.check_time(same)[0] = 5.0
    assert same[0] == 1.0


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([1, 0, 1], r"event: expected the shape of time, \(2,\), got \(3,\)"),
        ([1, 2], "event: expected True/False or 0/1 only, got 1, 2; True means"),
        ([-1, 0], "event: expected True/False or 0/1 only, got -1, 0;"),
        ([0.5, 1.0], "event: expected True/False or 0/1 only, got 0.5, 1.0;"),
        (["0", "1"], "event: expected True/False or 0/1 only, got '0', '1';"),
    ],
)
def test_events_that_are_no_flags_are_told(values, says):
    with pytest.raises(ValueError, match=says):
        a.check_flags(values, (2,))


def test_at_most_four_of_the_wrong_values_are_listed_each_once():
    with pytest.raises(ValueError, match="got 2, 3, 4, 5, ...;"):
        a.check_flags([2, 2, 3, 4, 5, 6], (6,))
    with pytest.raises(ValueError, match="got 2, 3, 4, 5;"):
        a.check_flags([2, 3, 4, 5], (4,))


@pytest.mark.parametrize("values", [[True, False], [1, 0], [1.0, 0.0], np.array([1, 0], dtype=np.uint8)])
def test_flags_come_back_as_booleans(values):
    checked = a.check_flags(values, (2,))
    assert checked.dtype == np.bool_
    assert checked.tolist() == [True, False]


def test_entry_lies_before_the_time():
    time = np.array([2.0, 3.0])
    assert a.check_entry(None, time) is None
    assert a.check_entry([0.0, 2.9], time).tolist() == [0.0, 2.9]
    for entry, says in (
        ([0.0, 3.0], "got entry 3.0 and time 3.0 at position 1"),
        ([2.5, 3.5], "got entry 2.5 and time 2.0 at position 0"),
        ([0.0], r"entry: expected the shape of time, \(2,\), got \(1,\)"),
        ([-1.0, 0.0], "entry: expected values of zero or more, got -1.0"),
    ):
        with pytest.raises(ValueError, match=says):
            a.check_entry(entry, time)


def test_weights_are_zero_or_more_and_not_all_zero():
    assert a.check_weights(None, (2,)) is None
    assert a.check_weights([0.0, 0.5], (2,)).tolist() == [0.0, 0.5]
    for weights, says in (
        ([0.0, 0.0], "weights: expected a positive total, got zero everywhere"),
        ([1.0], r"weights: expected the shape of time, \(2,\), got \(1,\)"),
        ([1.0, -1.0], "weights: expected values of zero or more, got -1.0 at position 1"),
    ):
        with pytest.raises(ValueError, match=says):
            a.check_weights(weights, (2,))


def test_groups_come_back_sorted_with_the_place_of_each_label():
    labels, codes = a.check_groups(["b", "a", "b"], 3, "group")
    assert labels.tolist() == ["a", "b"]
    assert codes.tolist() == [1, 0, 1]
    assert codes.dtype == np.int64


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["a"], r"group: expected the shape of time, \(2,\), got \(1,\)"),
        ([1.0, NAN], "group: expected a label for every patient, got NaN or infinity"),
        ([1.0, INF], "group: expected a label for every patient, got NaN or infinity"),
        (np.array(["a", None], dtype=object), "group: expected a label for every patient, got None or NaN"),
        (np.array(["a", NAN], dtype=object), "group: expected a label for every patient, got None or NaN"),
        (np.array(["a", 1], dtype=object), "group: expected labels of one kind that can be sorted"),
    ],
)
def test_groups_without_a_label_are_told(values, says):
    with pytest.raises(ValueError, match=says):
        a.check_groups(values, 2, "group")


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 1.5, NAN])
def test_levels_lie_between_zero_and_one(level):
    with pytest.raises(
        ValueError, match=f"level: expected a number between 0 and 1 such as 0.95, got {level}"
    ):
        a.check_level(level)
    assert a.check_level(0.5) == 0.5


def test_results_are_frozen():
    one, two = np.zeros(2), np.zeros(3)
    a.freeze(one, two)
    for array in (one, two):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_tails_and_quantiles_have_their_textbook_values():
    """NIST/SEMATECH e-Handbook of Statistical Methods, tables of the normal and the chi-squared distribution."""
    assert d.normal_quantile(0.95) == pytest.approx(1.959963984540054, rel=1e-15)
    assert d.normal_quantile(0.5) == pytest.approx(0.6744897501960817, rel=1e-15)
    assert d.normal_two_sided_p(1.959963984540054) == pytest.approx(0.05, rel=1e-13)
    assert d.normal_two_sided_p(-1.959963984540054) == pytest.approx(0.05, rel=1e-13)
    assert d.normal_two_sided_p(0.0) == 1.0
    assert d.chi2_tail(3.841458820694124, 1) == pytest.approx(0.05, rel=1e-12)
    assert d.chi2_tail(5.991464547107979, 2) == pytest.approx(0.05, rel=1e-12)
    assert d.chi2_tail(0.0, 1) == 1.0
    assert np.isnan(d.chi2_tail(NAN, 1))
    # far in the tail no digit is lost to 1 - p
    assert d.normal_two_sided_p(20.0) == pytest.approx(5.507248237212467e-89, rel=1e-12)
