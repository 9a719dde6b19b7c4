"""Sequencing rules: the vocabulary, the options of each state, and the lines that follow a trial line."""

import pytest

from her2.errors import RecordError
from her2.evidence.schema import Rule
from her2.sequencing.later_lines import plan_later_lines
from her2.sequencing.recommend import load_rules, recommend
from her2.sequencing.rule import applies
from her2.sequencing.state import ClinicalState


def _rule(**when):
    return Rule(
        id="test", says="test", when=when, offer=("x",), strength="option",
        places=({"source": "review_b", "line_start": 1, "line_end": 1},),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("when", "state", "expected"),
    [
        ({"line": 2}, ClinicalState(lines_completed=1), True),
        ({"line": 2}, ClinicalState(lines_completed=0), False),
        ({"had": ["trastuzumab"]}, ClinicalState(had=frozenset({"trastuzumab", "docetaxel"})), True),
        ({"had": ["trastuzumab", "lapatinib"]}, ClinicalState(had=frozenset({"trastuzumab"})), False),
        ({"had_any": ["trastuzumab", "lapatinib"]}, ClinicalState(had=frozenset({"trastuzumab"})), True),
        ({"had_not": ["trastuzumab"]}, ClinicalState(had=frozenset({"trastuzumab"})), False),
        ({"had": ["taxane"]}, ClinicalState(had=frozenset({"paclitaxel"})), True),
        ({"had": ["taxane"]}, ClinicalState(had=frozenset({"docetaxel", "trastuzumab"})), True),
        ({"had": ["taxane"]}, ClinicalState(had=frozenset({"vinorelbine"})), False),
        ({"had": ["taxane"]}, ClinicalState(had=frozenset({"taxane"})), True),
        ({"had": ["taxane", "trastuzumab"]}, ClinicalState(had=frozenset({"paclitaxel"})), False),
        ({"had_any": ["anthracycline", "taxane"]}, ClinicalState(had=frozenset({"epirubicin"})), True),
        ({"had_not": ["taxane"]}, ClinicalState(had=frozenset({"paclitaxel"})), False),
        ({"had_not": ["taxane"]}, ClinicalState(had=frozenset({"capecitabine"})), True),
        # an agent is not its class: having had some taxane is not having had docetaxel
        ({"had": ["docetaxel"]}, ClinicalState(had=frozenset({"paclitaxel"})), False),
        ({"had_not": ["docetaxel"]}, ClinicalState(had=frozenset({"paclitaxel"})), True),
        ({"year_from": 2013}, ClinicalState(year=2009), False),
        ({"year_from": 2013}, ClinicalState(year=None), True),
        ({"line_at_least": 3}, ClinicalState(lines_completed=4), True),
        ({"line_at_most": 2}, ClinicalState(lines_completed=4), False),
        ({"her2": "positive"}, ClinicalState(her2="negative"), False),
    ],
)
def test_conditions(when, state, expected):
    assert applies(_rule(**when), state) is expected


def test_an_unknown_condition_names_the_nearest():
    with pytest.raises(RecordError, match="unknown condition 'lien'; nearest: 'line'"):
        applies(_rule(lien=2), ClinicalState())


def test_after_trastuzumab_and_a_taxane_trastuzumab_goes_on_with_capecitabine():
    state = ClinicalState(
        lines_completed=1, had=frozenset({"trastuzumab", "docetaxel", "pertuzumab"}), year=2009
    )
    assert recommend(state)[0].regimen == "capecitabine+trastuzumab"


def test_after_trastuzumab_and_paclitaxel_the_same_as_after_docetaxel():
    options = [
        [
            o.regimen
            for o in recommend(
                ClinicalState(lines_completed=1, had=frozenset({"trastuzumab", taxane}), year=2009)
            )
        ]
        for taxane in ("docetaxel", "paclitaxel")
    ]
    assert options[0] == options[1] and options[0][0] == "capecitabine+trastuzumab"


@pytest.mark.parametrize(
    "had",
    [{"docetaxel"}, {"anastrozole"}, {"lapatinib", "capecitabine"}, {"doxorubicin", "cyclophosphamide"}],
)
def test_who_has_not_had_trastuzumab_crosses_over_to_it(had):
    state = ClinicalState(lines_completed=1, had=frozenset(had), year=2000)
    assert "trastuzumab" in recommend(state)[0].regimen.split("+")
    # before it existed nobody could
    assert recommend(ClinicalState(lines_completed=1, had=frozenset(had), year=1995)) == []


def test_since_2013_t_dm1_comes_first_in_the_second_line():
    state = ClinicalState(lines_completed=1, had=frozenset({"trastuzumab", "docetaxel"}), year=2014)
    assert "t_dm1" in [o.regimen for o in recommend(state)]


def test_her2_negative_disease_gets_no_option():
    for completed in range(4):
        assert recommend(ClinicalState(her2="negative", lines_completed=completed)) == []


def test_a_plan_never_repeats_what_brings_nothing_new():
    agents = {
        "capecitabine+trastuzumab": frozenset({"capecitabine", "trastuzumab"}),
        "trastuzumab+vinorelbine": frozenset({"vinorelbine", "trastuzumab"}),
        "docetaxel+trastuzumab": frozenset({"docetaxel", "trastuzumab"}),
    }
    state = ClinicalState(lines_completed=1, had=frozenset({"trastuzumab", "docetaxel"}), year=2009)
    plan = plan_later_lines(state, agents, agents, 6)
    names = [line.regimen for line in plan]
    assert names == ["capecitabine+trastuzumab", "trastuzumab+vinorelbine"]
    assert all(line.rule for line in plan)


def test_every_rule_has_a_place_in_the_reviews():
    for rule in load_rules():
        assert rule.places
        assert all(p.source in ("review_a", "review_b") for p in rule.places)
