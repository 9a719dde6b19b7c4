"""`her2 credibility` on the command line."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from her2.cli.main import app


def test_the_page_goes_into_a_file_and_json_to_the_screen(tmp_path, facts):
    out = tmp_path / "report.md"
    assert CliRunner().invoke(app, ["credibility", "--out", str(out)]).exit_code == 0
    assert out.read_text(encoding="utf-8").startswith("# Credibility\n")
    shown = CliRunner().invoke(app, ["credibility", "--json"])
    data = json.loads(shown.stdout)
    assert data["facts"]["record"]["parameters"] == facts.record["parameters"]
    assert {g["outcome"] for g in data["goals"]} <= {"met", "not met", "not run"}


def test_a_folder_that_does_not_exist_is_told(tmp_path):
    done = CliRunner().invoke(app, ["credibility", "--out", str(tmp_path / "no" / "report.md")])
    assert type(done.exception).__name__ == "OutputError"
    assert "cannot be written" in str(done.exception)
