"""The language of conditions: what it accepts, how it judges, how it treats the unknown, and what its errors say."""

from __future__ import annotations

from typing import Any

import pytest

from her2.errors import RecordError
from her2.sequencing.condition import grounds, open_items, parse_condition
from her2.sequencing.state import state_of
from her2.sequencing.vocabulary import values_of

LINES = [{"agents": ["docetaxel", "trastuzumab"], "stopped_for": "progression", "months": 9}]


def _verdict(when: dict[str, Any], **state: Any) -> bool | None:
    return parse_condition(when, {}, "rule").verdict(values_of(state_of(state, "case")))


@pytest.mark.parametrize(
    ("when", "state", "expected"),
    [
        ({"her2": "positive"}, {"her2": "positive"}, True),
        ({"her2": "positive"}, {"her2": "low"}, False),
        ({"her2": "positive"}, {}, None),
        ({"cns": ["untreated", "treated"]}, {"cns": "treated"}, True),
        ({"cns": "none"}, {"cns": "unknown"}, None),
        ({"line": 2}, {"lines": LINES}, True),
        ({"line": {"at_least": 2, "at_most": 3}}, {"line": 4}, False),
        ({"line_at_least": 2}, {"line": 2}, True),
        ({"line": {"at_least": 2}}, {}, None),
        ({"had": ["trastuzumab", "taxane"]}, {"lines": LINES}, True),
        ({"had": ["trastuzumab", "lapatinib"]}, {"lines": LINES}, False),
        ({"had": ["trastuzumab"]}, {"line": 2}, None),
        ({"had": ["trastuzumab"]}, {"line": 1}, False),
        ({"had": {"any_of": ["lapatinib", "chemotherapy"]}}, {"lines": LINES}, True),
        ({"had": {"none_of": ["lapatinib"]}}, {"lines": LINES}, True),
        ({"had_not": ["pertuzumab"]}, {"lines": LINES}, True),
        ({"had": ["docetaxel"]}, {"lines": [{"agents": ["taxane"]}]}, None),
        ({"had": ["paclitaxel"]}, {"lines": [{"agents": ["capecitabine"]}]}, False),
        ({"not": {"had": ["pertuzumab"]}}, {"lines": LINES}, True),
        ({"not": {"had": ["pertuzumab"]}}, {"line": 3}, None),
        ({"any": [{"pten": "lost"}, {"pik3ca": "mutated"}]}, {"biomarkers": {"pik3ca": "mutated"}}, True),
        ({"any": [{"pten": "lost"}, {"pik3ca": "mutated"}]}, {"biomarkers": {"pik3ca": "wild_type"}}, None),
        ({"all": [{"pten": "lost"}, {"pik3ca": "mutated"}]}, {"biomarkers": {"pik3ca": "wild_type"}}, False),
        ({"early_trastuzumab_months": {"at_most": 6}}, {"de_novo": True}, False),
        ({"not": {"early_trastuzumab_months": {"at_most": 6}}}, {"early": "none"}, True),
        ({"early_trastuzumab_months": {"at_most": 6}}, {"early": {"adjuvant": "trastuzumab"}}, None),
        ({"progressed_on": ["trastuzumab"]}, {"lines": [{"agents": ["trastuzumab"]}]}, None),
        ({"trastuzumab_resistant": True}, {"lines": LINES}, True),
        ({"year_from": 2013}, {}, True),
        ({"year_to": 2013}, {"as_of": 2012}, True),
        ({"lvef": {"less_than": 50}}, {"lvef": 45}, True),
        ({"wishes": ["no_chemotherapy"]}, {"wishes": "no_chemotherapy"}, True),
    ],
)  # fmt: skip
def test_verdicts(when: dict[str, Any], state: dict[str, Any], expected: bool | None) -> None:
    assert _verdict(when, **state) is expected


def test_resistance_to_trastuzumab_is_that_of_bolero_3() -> None:
    early = {"neoadjuvant": "none", "adjuvant": "trastuzumab"}
    for months, expected in ((0, True), (12, True), (12.5, False)):
        state = {"line": 1, "early": {**early, "months_since_trastuzumab": months}}
        assert _verdict({"trastuzumab_resistant": True}, **state) is expected


def test_unless_takes_away_what_when_gives() -> None:
    condition = parse_condition({"her2": "positive"}, {"pregnant": True}, "rule")
    for state, expected in (
        ({"her2": "positive", "pregnant": False}, True),
        ({"her2": "positive", "pregnant": True}, False),
        ({"her2": "positive"}, None),
    ):
        assert condition.verdict(values_of(state_of(state, "case"))) is expected


def test_what_is_open_and_what_holds_is_named() -> None:
    condition = parse_condition(
        {"her2": "positive", "had": ["taxane"], "not": {"had": ["t_dm1"]}}, {}, "rule"
    )
    values = values_of(state_of({"her2": "positive", "line": 2}, "case"))
    assert open_items(condition, values) == ("had",)
    values = values_of(state_of({"her2": "positive", "lines": LINES}, "case"))
    assert grounds(condition, values) == (
        "HER2: positive",
        "had for metastatic disease: docetaxel",
        "not had for metastatic disease: t_dm1",
    )


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ({"lien": 2}, "unknown condition 'lien'; nearest: 'line'"),
        ({"line": {"atleast": 2}}, "cannot be compared by 'atleast'; nearest: 'at_least'"),
        ({"her2": "positiv"}, "unknown word 'positiv'; nearest: 'positive'"),
        ({"had": ["docetaxl"]}, "unknown agent 'docetaxl'; nearest: 'docetaxel'"),
        ({"line": "two"}, "expected a number"),
        ({"line": True}, "expected a number"),
        ({"line": [1, 2]}, "expected one number"),
        ({"pregnant": "yes"}, "expected true or false"),
        ({"any": {"line": 1}}, "expected a list of conditions"),
        ({"any": []}, "expected a list of conditions"),
        ({"not": [{"line": 1}]}, "expected a mapping"),
        ({"had": []}, "empty list"),
        ({"wishes": ["no_chemo"]}, "unknown word 'no_chemo'"),
    ],
)
def test_errors_name_the_place_and_the_nearest(when: dict[str, Any], words: str) -> None:
    with pytest.raises(RecordError, match=r"rule x, when") as error:
        parse_condition(when, {}, "rule x")
    assert words in str(error.value)


def test_a_condition_of_many_comparisons_is_refused() -> None:
    with pytest.raises(RecordError, match="at most 200"):
        parse_condition({"any": [{"line": n} for n in range(201)]}, {}, "rule x")
