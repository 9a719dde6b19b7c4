"""Every number of the two reviews is a figure of the record or excluded with a reason.

The shipped index of the reviews' numbers suffices; where the reviews lie beside the repository, the index is
checked against them line by line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from her2.evidence import coverage
from her2.evidence.load import load_excluded

INDICES = coverage.indices()
SEEDS = Path(__file__).resolve().parents[2].parent / "shared" / "seeds"
FILES = {"review_a": "000_816c6629e69a4744.txt", "review_b": "002_1f257b1b73c5550f.txt"}
LINES = {"review_a": 700, "review_b": 1653}


@pytest.mark.parametrize("source", sorted(LINES))
def test_every_line_is_indexed_once(source: str) -> None:
    assert [x.line for x in INDICES[source]] == list(range(1, LINES[source] + 1))


@pytest.mark.parametrize("source", sorted(LINES))
def test_every_number_is_in_the_record_or_excluded(source: str) -> None:
    findings = coverage.uncovered(INDICES[source])
    assert not findings, "\n".join(str(f) for f in findings)


def test_a_missing_figure_is_found() -> None:
    line = coverage.IndexedLine("review_b", 67, "", ("(7.4", "3.21"))
    assert [f.number for f in coverage.uncovered([line])] == ["3.21"]


def test_every_exclusion_is_used_and_reasoned() -> None:
    lines = [x for index in INDICES.values() for x in index]
    for item in load_excluded():
        assert item.reason
        assert any(
            coverage.is_excluded(line, word, number, [item])
            for line in lines
            for word in line.words
            for number in coverage.numbers_in(word) | {word}
        ), f"excluded number {item} matches nothing in the reviews"


def test_numbers_are_compared_in_one_form() -> None:
    assert coverage.plain("6,8") == coverage.plain("6.80") == "6.8"
    assert coverage.plain("1,282") == "1282"
    assert coverage.plain("0·0001") == "0.0001"


@pytest.mark.parametrize("source", sorted(LINES))
def test_index_matches_the_review(source: str) -> None:
    path = SEEDS / FILES[source]
    if not path.exists():
        pytest.skip("the reviews are not beside the repository")
    assert coverage.index_text(source, path.read_text(encoding="utf-8")) == INDICES[source]
