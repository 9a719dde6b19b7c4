"""`her2 design` on the command line: template, errors with exit code 2, and JSON."""

from __future__ import annotations

import json
import sys

import pytest

from her2.cli.main import main


def call(monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["her2", "design", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_the_template_is_printed(monkeypatch, capsys):
    assert call(monkeypatch, "--template") == 0
    assert capsys.readouterr().out.startswith("# A design for `her2 design FILE`")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "which design?"),
        (("cleoptra",), "nearest: 'cleopatra'"),
        (("no/such.yaml",), "no such file"),
        (("cleopatra", "--plot", "picture.pdf"), "expected a name ending in .svg or .png"),
    ],
)
def test_what_the_user_can_put_right_is_one_line_and_exit_code_2(monkeypatch, capsys, words, says):
    assert call(monkeypatch, *words) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert shown.out == ""


def test_json_and_picture(monkeypatch, capsys, tmp_path):
    path = tmp_path / "d.yaml"
    path.write_text("trial: cleopatra\nsizes: [200, 600]\n", encoding="utf-8")
    picture = tmp_path / "d.svg"
    code = call(
        monkeypatch,
        str(path),
        "--members",
        "2",
        "--patients",
        "100",
        "--trials",
        "100",
        "--json",
        "--plot",
        str(picture),
    )
    assert code == 0
    assert [s["size"] for s in json.loads(capsys.readouterr().out)["groups"][0]["sizes"]] == [200, 600]
    assert "Design: " in picture.read_text(encoding="utf-8")
