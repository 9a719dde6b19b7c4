"""`her2 options`: template, table, JSON and errors as the user sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from her2.cli.commands.options import options
from her2.errors import RecordError
from her2.sequencing.advice import RESEARCH_USE


def _run(*arguments: str) -> str:
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(options)
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


@pytest.fixture
def case(tmp_path: Path) -> Path:
    file = tmp_path / "case.yaml"
    file.write_text(_run("--template"), encoding="utf-8")
    return file


def _words(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_the_template_answers(case: Path) -> None:
    text = _words(_run(str(case)))
    assert RESEARCH_USE in text
    for words in (
        "1 t_dm1 preferred", "metastatic.t_dm1_second_line_standard", "review_b lines 804-805", "Not to be given",
        "any regimen with bevacizumab", "Rules that contradict each other", "decides by precedence",
        "doxorubicin + trastuzumab: not to be given", "Not known, and what it would change",
    ):  # fmt: skip
        assert words in text, words


def test_trials_can_be_left_out(case: Path) -> None:
    assert "alpelisib" in _run(str(case))
    text = _run(str(case), "--no-trials")
    assert "alpelisib" not in text and "regimens of trials and hypotheses" in text


def test_json_holds_everything(case: Path) -> None:
    data = json.loads(_run(str(case), "--json"))
    assert data["refused"] is False and data["research_use"] == RESEARCH_USE
    assert data["options"][0]["regimen"] == "t_dm1"
    assert data["options"][0]["grounds"][0]["lines"] == ["review_b lines 804-805"]
    assert {
        "gate",
        "options",
        "set_aside",
        "forbidden",
        "remarks",
        "conflicts",
        "undecided",
        "judged",
        "gaps",
        "missing",
    } <= set(data)


def test_a_refused_case_says_why_and_gives_no_option(tmp_path: Path) -> None:
    file = tmp_path / "case.yaml"
    file.write_text("setting: metastatic\nher2: low\nline: 1\n", encoding="utf-8")
    text = _run(str(file))
    assert "refused: HER2-low" in text and "No option is given" in text and "Options, in order" not in text


def test_errors_name_file_and_field(tmp_path: Path) -> None:
    file = tmp_path / "case.yaml"
    file.write_text("seting: metastatic\n", encoding="utf-8")
    with pytest.raises(RecordError, match=r"case\.yaml, seting: unknown item; nearest: 'setting'"):
        _run(str(file))
    with pytest.raises(RecordError, match="which patient"):
        _run()
    with pytest.raises(RecordError, match="cannot be read"):
        _run(str(tmp_path / "none.yaml"))
