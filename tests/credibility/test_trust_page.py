"""The page of the trust checks: made of their results, nothing else; and what the parts share."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trust():
    """The modules `report`, `common`, `run` and `shelves` of trust/, which is no package."""
    sys.path.append(str(ROOT / "trust"))
    try:
        yield {name: importlib.import_module(name) for name in ("common", "report", "run", "shelves")}
    finally:
        sys.path.remove(str(ROOT / "trust"))


def _result(part, **more):
    return {
        "format": 1, "part": part, "full": True, "seed": 1, "version": "0.1.0", "model_digest": "a" * 32,
        "parameter_digest": "b" * 32, "posterior_digest": "c" * 64, "python": "3.11", "os": "Linux", "cpu": "x",
        "date": "2026-01-01", "seconds": 61.0, "met": True, "details": {},
        "figures": [{"name": "a|b", "value": 1234567, "unit": "files", "target": ">= 1", "met": True, "note": "n"}],
        **more,
    }  # fmt: skip


def test_the_page_is_what_the_results_say(trust):
    text = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    assert text == trust["report"].page(), "docs/trust.md is out of date: python trust/report.py"


def test_a_part_without_a_result_is_not_run(trust, tmp_path):
    (tmp_path / "supply.json").write_text(json.dumps(_result("supply")), encoding="utf-8")
    text = trust["report"].page(tmp_path)
    assert text.count("| not run |") == len(trust["report"].PARTS) - 1
    assert "1,234,567 files" in text and r"a\|b" in text
    assert text.count("Not run at full size yet") == len(trust["report"].PARTS) - 1


def test_a_missed_figure_is_loud(trust, tmp_path):
    result = _result("supply", met=False)
    result["figures"][0]["met"] = False
    (tmp_path / "supply.json").write_text(json.dumps(result), encoding="utf-8")
    assert "**no**" in trust["report"].page(tmp_path)
    assert "0 of 1" in trust["report"].page(tmp_path)


def test_a_result_of_another_part_is_refused(trust, tmp_path):
    (tmp_path / "supply.json").write_text(json.dumps(_result("http")), encoding="utf-8")
    with pytest.raises(ValueError, match=r"supply\.json"):
        trust["report"].page(tmp_path)


def test_finish_writes_what_it_prints_and_fails_on_a_miss(trust, tmp_path, monkeypatch, capsys):
    common = trust["common"]
    monkeypatch.setattr(common, "ROOT", tmp_path)
    monkeypatch.setattr(common, "REDUCED", tmp_path / "reduced")
    figures = [common.Figure("files", 7, target=">= 5"), common.Figure("crashes", 1, target="0", met=False)]
    assert common.finish("inputs", False, 3, figures, 1.0, {"kinds": ["a"]}) == 1
    stored = json.loads((tmp_path / "reduced" / "inputs.json").read_text(encoding="utf-8"))
    assert stored["figures"][1]["value"] == 1 and stored["met"] is False and stored["seed"] == 3
    assert "crashes" in capsys.readouterr().out
    assert common.finish("inputs", False, 3, figures[:1], 1.0, {}) == 0


@pytest.mark.parametrize("bad", ["path", "nan", "object", "twice"])
def test_finish_refuses_what_must_not_be_kept(trust, tmp_path, monkeypatch, bad):
    common = trust["common"]
    monkeypatch.setattr(common, "REDUCED", tmp_path)
    figure = common.Figure("a", 1)
    details = {
        "path": {"where": str(common.ROOT)},
        "nan": {"x": float("nan")},
        "object": {"x": object()},
    }.get(bad, {})
    with pytest.raises(ValueError):
        common.finish("inputs", False, 1, [figure, figure] if bad == "twice" else [figure], 1.0, details)
    assert not list(tmp_path.iterdir())


def test_the_log_names_no_machine(trust):
    run, common = trust["run"], trust["common"]
    line = run.tidied(f"File {common.ROOT}/src/her2/x.py and {Path.home()}/cache and {sys.prefix}/bin/python")
    assert (
        str(common.ROOT) not in line and str(Path.home()) + "/" not in line and sys.prefix + "/" not in line
    )
    assert "./src/her2/x.py" in line


def test_every_test_file_has_a_shelf(trust):
    files = [p.relative_to(ROOT / "tests").as_posix() for p in (ROOT / "tests").rglob("test_*.py")]
    shelves = {trust["shelves"].shelf_of(f) for f in files}
    assert "other software" in shelves and "closed form" in shelves
    assert trust["shelves"].shelf_of("survival/test_against_r.py") == "other software"
    assert trust["shelves"].shelf_of("a_new_folder/test_x.py") == "behaviour"
