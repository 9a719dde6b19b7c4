"""The points of the security standard: each that applies has its test, and the pages say what they promise."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from her2.web.settings import Limits

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def asvs():
    """The module `trust/asvs.py`."""
    path = ROOT / "trust" / "asvs.py"
    spec = importlib.util.spec_from_file_location("her2_trust_asvs", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_point_that_applies_has_tests_that_exist(asvs):
    points = asvs.load_points()
    assert len(points) == 70 and asvs.missing_tests(points) == []
    ids = [tuple(int(x) for x in str(p["id"]).split(".")) for p in points]
    assert ids == sorted(set(ids)), "each once, in the order of the standard"
    for point in points:
        assert set(point) <= {"id", "says", "applies", "why", "tests"}, point["id"]
        assert isinstance(point["applies"], bool) and point["says"].strip() and len(point["why"]) > 10, point[
            "id"
        ]


def test_a_missing_test_is_found(asvs):
    here = "tests/web/test_points.py"
    point = {"id": "1", "says": "x", "applies": True, "why": "x"}
    assert asvs.missing_tests([point]) == ["1: applies and has no test"]
    assert asvs.missing_tests([{**point, "tests": [f"{here}::test_nothing"]}]) == [
        f"1: no test {here}::test_nothing"
    ]
    assert asvs.missing_tests([{**point, "tests": [f"{here}::test_a_missing_test_is_found"]}]) == []


def test_the_page_has_the_table(asvs):
    text = asvs.PAGE.read_text(encoding="utf-8")
    assert asvs.page_with(asvs.load_points(), text) == text, "run python trust/asvs.py"


def test_every_limit_is_documented():
    page = (ROOT / "docs" / "how-to" / "serve.md").read_text(encoding="utf-8")
    defaults = Limits()
    for f in fields(Limits):
        row = re.search(rf"^\| `{f.name}` \|.*\| ([\d,.]+) \|$", page, re.MULTILINE)
        assert row, f"docs/how-to/serve.md has no row for the limit {f.name}"
        assert float(row[1].replace(",", "")) == float(getattr(defaults, f.name)), f.name


def test_the_page_says_who_may_do_what():
    page = (ROOT / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")
    assert "## Who may do what" in page and "everyone's jobs" in page


def test_the_policy_has_times():
    policy = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for word in ("critical", "high", "medium", "low"):
        assert re.search(rf"^\| {word} \|.*\| \d+ days \|", policy, re.MULTILINE), word
