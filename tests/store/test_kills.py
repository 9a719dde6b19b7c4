"""Small forms of `benchmarks/kill_tests.py`, which runs them at full size: kills, a failing disk, flipped bits."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("fcntl")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import kill_tests


def test_nothing_that_was_reported_written_is_lost_to_a_kill():
    found = kill_tests.try_kills(20, patients=24)
    assert found["kills"] == 20 and found["chunks_reported_written"] > 0
    assert found["of_these_lost"] == found["of_these_changed"] == 0
    assert found["same_digest"]


def test_every_failing_call_is_told_of_clearly_and_leaves_a_run_to_resume():
    found = kill_tests.try_disk(2)
    assert found["unclear"] == []
    assert found["clear_errors"] > 20
    assert found["resumed_with_same_digest"] == found["failing_calls"]
    assert "ulimit" in found["limit_on_file_size"]["error"] and found["limit_on_file_size"]["resumed"]


def test_no_flipped_bit_gives_a_wrong_number():
    found = kill_tests.try_flips(80, mended=8, patients=6)
    assert found["wrong_numbers"] == 0
    assert found["refused"] > 60
    assert found["mended"] == found["resumed"] == 8
