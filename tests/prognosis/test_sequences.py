"""Sequences compared in the same twins."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_case import SECOND_LINE, SMALL

from her2.errors import RecordError
from her2.prognosis.sequences import compare_sequences, sequence_name, verdict
from her2.prognosis.weights import Difference
from her2.sequencing.state import state_of


@pytest.fixture(scope="module")
def compared(second_line, models):
    return compare_sequences(
        second_line, depth=2, regimens=["t_dm1", "capecitabine+lapatinib"], models=models, effort=SMALL
    )


def test_the_rules_own_sequence_is_the_reference(compared):
    first = compared.sequences[0]
    assert (first.origin, first.verdict) == ("rules", "reference")
    assert (first.difference.value, first.difference.interval_90) == (0.0, (0.0, 0.0))


def test_permutations_of_the_regimens_are_compared(compared):
    named = {s.regimens for s in compared.sequences if s.origin == "permutation"}
    assert named == {("t_dm1", "capecitabine+lapatinib"), ("capecitabine+lapatinib", "t_dm1")}
    assert len({s.regimens for s in compared.sequences}) == len(compared.sequences)


def test_two_identical_sequences_differ_by_exactly_nothing(second_line, models, monkeypatch):
    from her2.prognosis import sequences
    from her2.prognosis.regimens import plan_regimen

    same = (plan_regimen("t_dm1"), plan_regimen("t_dm1"))
    monkeypatch.setattr(
        sequences, "plan_sequences", lambda *_: ((("rules", same), ("permutation", same)), ())
    )
    result = compare_sequences(second_line, models=models, effort=SMALL)
    other = result.sequences[1]
    assert other.difference.value == 0.0 and other.difference.interval_90 == (0.0, 0.0)
    assert other.chemotherapy_difference.value == 0.0
    assert other.os == result.sequences[0].os
    assert other.verdict.startswith("cannot be told apart")


def test_twice_the_same_regimen_is_one_sequence(second_line, models):
    result = compare_sequences(
        second_line, regimens=["t_dm1", "t_dm1"], models=models, effort=replace(SMALL, draws=120, twins=30)
    )
    assert [s.regimens for s in result.sequences if s.origin == "permutation"] == [("t_dm1", "t_dm1")]


def test_time_on_chemotherapy_counts_chemotherapy_only(compared, second_line, models):
    free = compare_sequences(
        second_line, depth=1, regimens=["t_dm1", "lapatinib+trastuzumab"], models=models, effort=SMALL
    )
    assert all(s.chemotherapy == 0.0 for s in free.sequences)
    given = {s.regimens: s.chemotherapy for s in compared.sequences}
    assert given[("capecitabine+lapatinib", "t_dm1")] > given[("t_dm1", "capecitabine+lapatinib")] > 0.0


def test_without_later_lines_only_the_first_counts(second_line, models):
    effort = replace(SMALL, draws=120, twins=30)
    result = compare_sequences(
        second_line, regimens=["t_dm1", "capecitabine+lapatinib"], uptake=[0.0], models=models, effort=effort
    )
    firsts = {s.regimens[0]: s.survival for s in result.sequences}
    for s in result.sequences:
        assert s.survival == firsts[s.regimens[0]]


def test_a_difference_is_told_apart_only_outside_its_interval():
    def d(value, low, high):
        return Difference(value, (low, high), (low, high), 0.1)

    assert verdict(d(0.4, -0.1, 0.9)).startswith("cannot be told apart")
    assert verdict(d(0.4, 0.1, 0.7)).startswith("alike")
    assert verdict(d(3.0, 1.0, 5.0)) == "longer survival predicted"
    assert verdict(d(-3.0, -5.0, -1.0)) == "shorter survival predicted"


def test_what_cannot_be_compared_is_said(second_line, models):
    with pytest.raises(RecordError, match="cannot fill"):
        compare_sequences(second_line, depth=3, regimens=["t_dm1"], models=models)
    with pytest.raises(RecordError, match="uptake"):
        compare_sequences(second_line, uptake=[1.4], models=models)
    refused = compare_sequences(state_of({**SECOND_LINE, "her2": "negative"}, "case"))
    assert refused.refused and not refused.sequences and not refused.advice.options


def test_json_is_plain(compared):
    data = compared.as_json()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["schema"] == "her2.sequence/1"
    assert all(np.isfinite(s["survival"]) for s in data["sequences"])
    assert sequence_name(("a+b", "c")) == "a + b, then c"
