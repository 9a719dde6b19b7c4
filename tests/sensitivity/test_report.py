"""Tables, picture and command: written, read back, consistent with the record."""

import json
import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from her2.cli.main import app
from her2.errors import OutputError, RecordError
from her2.evidence.load import load_parameters
from her2.sensitivity.factors import find_case, load_factors
from her2.sensitivity.heat_map import common_name, draw_heat_map, totals_by_row
from her2.sensitivity.identifiability import identify
from her2.sensitivity.report import TOP, make_report
from her2.sensitivity.sobol import run_sensitivity
from her2.sensitivity.store import read_report, record_digest, write_report
from her2.trials.pictures.style import render_figure


@pytest.fixture(scope="module")
def shipped():
    return read_report()


@pytest.fixture(scope="module")
def small():
    """A report of a made-up model, quick to evaluate."""
    pytest.importorskip("SALib")
    cases = [find_case("lapatinib"), find_case("docetaxel")]

    def made_up(bench, design, on_row=None):
        weight = np.array(
            [1.0 if f.id == "tumour.growth" else 0.5 if f.actions else 0.0 for f in bench.factors]
        )
        return (design[:, bench.columns] * weight) @ bench.acting()

    found = run_sensitivity(cases, 16, 2, evaluator=made_up)
    factors = [f for f in load_factors(cases) if f.id == "tumour.growth"]
    return make_report(found, identify(cases, factors))


def test_a_report_survives_its_files(small, tmp_path):
    written = write_report(small, tmp_path / "results")
    assert {p.name for p in written} == {
        "sobol.tsv", "cases.tsv", "screening.tsv", "local.tsv", "directions.tsv", "pairs.tsv", "provenance.yaml",
    }  # fmt: skip
    assert read_report(tmp_path / "results") == small


def test_a_damaged_table_says_where(small, tmp_path):
    write_report(small, tmp_path)
    table = tmp_path / "sobol.tsv"
    table.write_text(table.read_text().replace("tumour.growth\t", "tumour.growth\tx", 1))
    with pytest.raises(RecordError, match=r"sobol.tsv, line \d"):
        read_report(tmp_path)
    table.write_text("nothing\n")
    with pytest.raises(RecordError, match="expected the columns"):
        read_report(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_line(small, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="--out"):
        write_report(small, blocked)


def test_shipped_indices_are_possible(shipped):
    assert shipped.indices and shipped.cases
    for r in shipped.indices:
        # an estimate may stray beyond [0, 1] by its error
        assert -3 * r.first_ci - 0.02 <= r.first <= 1.0 + 3 * r.first_ci
        assert 0.0 <= r.total <= 1.0 + 3 * r.total_ci
        assert r.first <= r.total + 3 * math.hypot(r.first_ci, r.total_ci) + 0.02
    for case in shipped.cases:
        rows = [r for r in shipped.indices if r.case == case.case]
        assert len(rows) == case.varied
        # first orders add up to at most 1, totals to at least 1 less what was left out of the design
        slack = 3 * math.sqrt(sum(r.first_ci**2 for r in rows)) + 0.05
        assert sum(r.first for r in rows) <= 1.0 + slack
        assert sum(r.total for r in rows) >= 0.85
        assert 0.0 <= case.left_out <= 0.35
        assert case.low < case.mean < case.high


def test_shipped_factors_exist(shipped):
    """Mended by `her2 sensitivity --samples 512 --out src/her2/data/sensitivity`."""
    known = set(load_parameters()) | {f.id for f in load_factors([find_case(c.case) for c in shipped.cases])}
    assert {r.factor for r in shipped.indices} <= known
    assert {r.factor for r in shipped.local} <= known
    assert len(shipped.provenance["singular_values"]) == len(shipped.provenance["observations"])
    assert all(r.sd_ratio <= 1.0 for r in shipped.local)


def test_cytotoxics_alone_depend_on_growth_and_their_own_kill(shipped):
    for drug in ("docetaxel", "capecitabine", "vinorelbine"):
        found = {r.factor: r for r in shipped.top(drug, 2)}
        assert set(found) == {"tumour.growth", f"kill.{drug}"}
        # growth inhibition is kill / growth, so log-normal: exact shares from the variances of both
        priors = {name: load_parameters()[name].prior for name in found}
        variance = {name: math.expm1(p.spread**2) for name, p in priors.items()}
        whole = math.prod(1.0 + v for v in variance.values()) - 1.0
        for name, row in found.items():
            other = next(v for k, v in variance.items() if k != name)
            assert row.first == pytest.approx(variance[name] / whole, abs=2.0 * row.first_ci)
            assert row.total == pytest.approx(variance[name] * (1.0 + other) / whole, abs=2.0 * row.total_ci)


def test_the_fingerprint_follows_numbers_and_not_words(monkeypatch):
    from her2.sensitivity import store

    before = record_digest()
    known = dict(load_parameters())
    growth = known["tumour.growth"]
    monkeypatch.setattr(
        store, "load_parameters", lambda: {**known, "tumour.growth": growth.model_copy(update={"label": "x"})}
    )
    assert record_digest() == before
    monkeypatch.setattr(
        store, "load_parameters", lambda: {**known, "tumour.growth": growth.model_copy(update={"value": 1.0})}
    )
    assert record_digest() != before


def test_the_picture_has_the_numbers_and_says_them_in_words(shipped):
    names, totals = totals_by_row(shipped)
    assert totals.shape == (len(names), len(shipped.cases))
    svg = render_figure(draw_heat_map(shipped))["svg"].decode()
    ElementTree.fromstring(svg)
    assert "Heat map of total Sobol indices" in svg
    assert all(name in svg for name in names)


@pytest.mark.parametrize(
    ("factor", "row"),
    [
        ("tumour.growth", "tumour.growth"), ("half.kinase.her2.9", "half: kinase her2"),
        ("half.epitope.trastuzumab.0.3", "half: epitope trastuzumab"), ("half.vegf.0.5", "half: vegf"),
        ("half.shedding.0.3", "half: shedding"), ("largest.node.akt.hsp90_inhibitor", "largest: node akt"),
    ],
)  # fmt: skip
def test_drugs_with_the_same_kind_of_number_share_a_row(factor, row):
    assert common_name(factor) == row


def test_the_command_shows_the_shipped_results(tmp_path):
    result = CliRunner().invoke(app, ["sensitivity", "--agent", "lapatinib", "--json"])
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert {r["case"] for r in data["indices"]} == {"lapatinib"}
    assert "Not medical advice" in data["notice"]
    out = tmp_path / "indices.tsv"
    result = CliRunner().invoke(
        app, ["sensitivity", "--agent", "lapatinib", "--agent", "docetaxel", "--out", str(out)]
    )
    assert result.exit_code == 0
    assert "tumour.growth" in result.stdout and "left out" in result.stdout
    lines = out.read_text().splitlines()
    assert lines[0].startswith("case\tfactor\tfirst") and len(lines) > TOP


def test_the_command_draws(tmp_path):
    out = tmp_path / "map.svg"
    assert CliRunner().invoke(app, ["sensitivity", "--agent", "lapatinib", "--out", str(out)]).exit_code == 0
    assert out.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--agent", "paclitaxel"], "--samples"),
        (["--agent", "lapatinibb"], "lapatinib"),
        (["--out", "x.pdf"], ".svg"),
        (["--agent", "docetaxel", "--samples", "12"], "power of 2"),
    ],
)
def test_the_command_says_what_is_wrong(words, says):
    result = CliRunner().invoke(app, ["sensitivity", *words])
    assert result.exit_code != 0
    assert says in str(result.exception)
