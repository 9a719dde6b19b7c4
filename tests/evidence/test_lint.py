"""Each check finds its slip, names file, field and remedy, and is silent on the shipped record."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from her2.errors import RecordError
from her2.evidence.lint import CHECKS, gather, lint, lint_paths, lint_record
from her2.evidence.printed import numbers_in, printed_number, to_canonical
from her2.evidence.record import read_files


@pytest.fixture(scope="module")
def findings():
    return lint_record()


def test_the_shipped_record_has_no_errors(findings):
    errors = [str(f) for f in findings if f.severity == "error"]
    assert errors == [], "\n".join(errors)


def test_every_finding_says_how_to_mend_it(findings):
    assert all(f.file and f.field and f.what and f.mend for f in findings)


def test_linting_the_whole_record_takes_less_than_five_seconds():
    start = time.perf_counter()
    lint_record()
    assert time.perf_counter() - start < 5


def test_known_misprints_are_notes_with_their_reason(findings):
    notes = "\n".join(str(f) for f in findings if f.severity == "note")
    assert "Explained" in notes
    assert "egf100151" in notes, "the overall-survival row that repeats the progression row"
    assert "cerebel.os" in notes, "the interval that is not around its estimate"


def test_every_check_has_a_name_and_a_sentence():
    for check in CHECKS:
        assert check.name
        assert type(check).__doc__


STUDY = (Path(__file__).parent / "data" / "alpha_1.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shipped():
    return gather(read_files())


@pytest.fixture
def folder(tmp_path):
    base = tmp_path / "mine"
    (base / "sources").mkdir(parents=True)
    (base / "studies").mkdir()
    (base / "sources" / "my_source.yaml").write_text("{id: my_source, title: Notes, kind: notes}")
    return base


def findings_of(folder, data):
    (folder / "studies" / f"{data.get('id', 'alpha_1')}.yaml").write_text(
        yaml.safe_dump(data), encoding="utf-8"
    )
    found, _ = lint_paths([folder])
    return [f for f in found if f.severity != "note"]


def test_a_sound_study_of_a_user_has_no_findings(folder):
    assert [str(f) for f in findings_of(folder, yaml.safe_load(STUDY))] == []


def value(data, name):
    return next(v for v in data["values"] if v["id"] == f"alpha_1.{name}")


SLIPS = {
    "units: no unit": (lambda d: value(d, "pfs.new").update(unit=""), "units", "no unit"),
    "units: wrong for endpoint": (
        lambda d: value(d, "orr.new").update(unit="month"),
        "units",
        "does not fit",
    ),
    "units: unknown": (lambda d: value(d, "pfs.new").update(unit="moons"), "units", "unknown canonical unit"),
    "units: impossible": (
        lambda d: value(d, "orr.new").update(printed="140", value=1.4),
        "units",
        "not possible",
    ),
    "print: weeks": (
        lambda d: value(d, "pfs.new").update(printed_unit="weeks"),
        "print",
        "'9.0' weeks gives 2.07",
    ),
    "print: digits": (lambda d: value(d, "orr.new").update(value=0.04), "print", "gives 0.4 fraction"),
    "identifier: nct": (lambda d: d.update(nct="NCT0123456"), "schema", "should match pattern"),
    "identifier: text": (lambda d: d.update(note="see NCT123"), "identifiers", "not the form of NCT"),
    "interval: outside": (
        lambda d: value(d, "pfs.hr").update(ci_high=0.55),
        "interval",
        "outside its interval",
    ),
    "interval: skewed": (lambda d: value(d, "pfs.hr").update(ci_high=0.62), "interval", "not in the middle"),
    "interval: reversed": (
        lambda d: value(d, "pfs.hr").update(ci_low=0.9, ci_high=0.4),
        "interval",
        "down to",
    ),
    "interval: one limit": (lambda d: value(d, "pfs.hr").pop("ci_low"), "interval", "only one limit"),
    "p value": (
        lambda d: value(d, "pfs.p").update(printed="p = 0.4", value=0.4),
        "p_value",
        "gives p = 0.01",
    ),
    "direction": (
        lambda d: value(d, "pfs.hr").update(
            contrast={"experimental": "trastuzumab", "control": "lapatinib+trastuzumab"}
        ),
        "direction",
        "medians are",
    ),
    "difference": (
        lambda d: value(d, "pfs.gain").update(printed="5.0", value=5.0),
        "difference",
        "two figures are",
    ),
    "percent against count": (
        lambda d: value(d, "orr.count").update(printed="30", value=30),
        "percent",
        "count is 30",
    ),
    "percent of no count": (
        lambda d: (
            d["values"].remove(value(d, "orr.count")),
            value(d, "orr.new").update(printed="40.7", value=0.407),
        ),
        "percent",
        "no whole number",
    ),
    "totals": (lambda d: d["arms"][0].update(n=70), "totals", "add up to 120"),
    "truncated n": (lambda d: d.update(n=10), "totals", "printed are 100"),
    "progression after death": (
        lambda d: value(d, "os.new").update(printed="8", value=8),
        "order",
        "exceeds",
    ),
    "response beyond benefit": (
        lambda d: value(d, "cbr.new").update(printed="36", value=0.36),
        "order",
        "exceeds",
    ),
    "copied row": (
        lambda d: (
            value(d, "os.new").update(printed="9.0", value=9.0),
            value(d, "os.old").update(printed="6.0", value=6.0),
        ),
        "copied_row",
        "repeats that of",
    ),
    "repeat differs": (
        lambda d: d["values"].append(
            {**value(d, "pfs.new"), "id": "alpha_1.again", "place": "table_1", "printed": "9.9", "value": 9.9}
        ),
        "repeats",
        "but pfs median",
    ),
    "same print": (
        lambda d: d["values"].append({**value(d, "pfs.new"), "id": "alpha_1.b"}),
        "duplicate",
        "already entered",
    ),
    "same id": (lambda d: d["values"].append(dict(value(d, "pfs.new"))), "ids", "id of a figure"),
    "unknown source": (
        lambda d: value(d, "pfs.new").update(source="my_sauce"),
        "sources",
        "nearest: 'my_source'",
    ),
    "own check": (
        lambda d: d.update(curated={"by": "AB", "checked_by": "AB"}),
        "schema",
        "cannot check their own",
    ),
    "unknown arm": (lambda d: value(d, "pfs.new").update(arm="trastuzumap"), "arms", "not an arm"),
    "same arms": (
        lambda d: value(d, "pfs.hr").update(
            contrast={"experimental": "trastuzumab", "control": "trastuzumab"}
        ),
        "arms",
        "with itself",
    ),
    "agent of arm": (
        lambda d: d["arms"][0].update(agents=["lapatinib", "pertuzumab"]),
        "arms",
        "named after",
    ),
    "unknown agent": (
        lambda d: d["arms"][0].update(agents=["lapatinibb", "trastuzumab"]),
        "references",
        "nearest: 'lapatinib'",
    ),
    "unknown parent": (lambda d: d.update(parent="cleopatraa"), "references", "nearest: 'cleopatra'"),
    "misspelt key": (
        lambda d: d.update(populaton="all"),
        "schema",
        "unknown key 'populaton'; nearest: 'population'",
    ),
    "missing key": (lambda d: d.pop("setting"), "schema", "required, but missing"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_found_by_its_check(folder, name):
    slip, check, what = SLIPS[name]
    data = copy.deepcopy(yaml.safe_load(STUDY))
    slip(data)
    found = findings_of(folder, data)
    assert any(f.check == check and what in f.what + f.mend for f in found), [str(f) for f in found]
    assert all(f.user for f in found)


def test_a_file_not_named_after_its_entry_is_found(folder):
    data = yaml.safe_load(STUDY) | {"id": "beta"}
    (folder / "studies" / "gamma.yaml").write_text(yaml.safe_dump(data))
    found, _ = lint_paths([folder])
    assert any("does not match the file name 'gamma'" in f.what for f in found)


def test_a_misprint_the_record_explains_is_a_note(folder):
    data = yaml.safe_load(STUDY)
    value(data, "os.new").update(
        printed="8", value=8, likely_correct={"value": 28, "unit": "month", "reason": "digit lost"}
    )
    assert findings_of(folder, data) == []
    found, _ = lint_paths([folder])
    assert any(f.severity == "note" and "digit lost" in f.mend for f in found)


def test_a_conflict_explains_only_the_numbers_it_names(folder):
    data = yaml.safe_load(STUDY)
    value(data, "os.new").update(printed="8", value=8)
    (folder / "conflicts").mkdir()
    conflict = {
        "id": "os_below_pfs",
        "kind": "arithmetic",
        "about": "alpha_1",
        "statement_1": "OS 8 months",
        "place_1": {"source": "my_source", "line_start": 9, "line_end": 9},
        "statement_2": "PFS 9.0 months",
        "likely_resolution": "digit lost",
        "curated": {"by": "AB", "checked_by": "CD"},
    }
    path = folder / "conflicts" / "mine.yaml"
    path.write_text(yaml.safe_dump({"id": "mine", "conflicts": [conflict]}))
    assert [f for f in findings_of(folder, data) if f.check == "order"] == []
    path.write_text(
        yaml.safe_dump({"id": "mine", "conflicts": [conflict | {"statement_1": "OS of another size"}]})
    )
    assert [f for f in findings_of(folder, data) if f.check == "order"] != []


def test_a_conflict_without_a_resolution_is_an_error(folder):
    (folder / "conflicts").mkdir()
    conflict = {
        "id": "x",
        "kind": "other",
        "about": "y",
        "statement_1": "z",
        "likely_resolution": " ",
        "place_1": {"source": "my_source", "line_start": 1, "line_end": 1},
    }
    (folder / "conflicts" / "mine.yaml").write_text(yaml.safe_dump({"id": "mine", "conflicts": [conflict]}))
    found, _ = lint_paths([folder])
    assert any(f.check == "conflicts" and f.severity == "error" for f in found)


def test_a_retracted_source_is_an_error(folder):
    (folder / "sources" / "my_source.yaml").write_text(
        "{id: my_source, title: Notes, kind: notes, retracted: true}"
    )
    assert any("is retracted" in f.what for f in findings_of(folder, yaml.safe_load(STUDY)))


def test_lines_beyond_the_end_of_a_review_are_an_error(shipped):
    study = shipped.record.studies["cleopatra"]
    first = study.entry.values[0].model_copy(
        update={"source": "review_a", "line_start": 9000, "line_end": 9001}
    )
    changed = replace(study, entry=study.entry.model_copy(update={"values": (first,)}))
    context = replace(shipped, record=replace(shipped.record, studies={"cleopatra": changed}))
    assert any("after the last line" in f.what for f in lint(context) if f.severity == "error")


def test_a_claim_that_names_another_agent_is_found(folder):
    claim = {
        "id": "c1",
        "statement": "Lapatinib lengthened survival.",
        "kind": "efficacy",
        "level": "phase_3",
        "agents": ["neratinib"],
        "places": [{"source": "my_source", "line_start": 1, "line_end": 1}],
        "curated": {"by": "AB", "checked_by": "CD"},
    }
    (folder / "claims").mkdir()
    (folder / "claims" / "mine.yaml").write_text(yaml.safe_dump({"id": "mine", "claims": [claim]}))
    found, _ = lint_paths([folder])
    assert any(f.check == "agents" and "neratinib" in f.what for f in found)


@pytest.mark.parametrize(
    ("identifiers", "bad"),
    [
        ({"atc": "L01FD1"}, True),
        ({"ncit": "1647"}, True),
        ({"chebi": "CHEBI:999999"}, False),
        ({"unii": "short"}, True),
    ],
)
def test_identifiers_have_their_form(folder, identifiers, bad):
    (folder / "agents").mkdir()
    agent = {"id": "zorvatinib", "name": "zorvatinib", "kind": "kinase_inhibitor", "identifiers": identifiers}
    (folder / "agents" / "zorvatinib.yaml").write_text(yaml.safe_dump(agent))
    found, _ = lint_paths([folder])
    assert any(f.check == "identifiers" for f in found) == bad


@pytest.mark.parametrize(
    "text", ["", "[]", "a: [", "just words", "claims: 3", "{id: x, claims: [3]}", "\tx: 1"]
)
def test_a_broken_file_is_a_finding_not_a_crash(folder, text):
    (folder / "claims").mkdir()
    (folder / "claims" / "mine.yaml").write_text(text)
    found, _ = lint_paths([folder])
    assert any(f.severity == "error" and f.check == "schema" for f in found)


def test_a_single_file_is_linted_by_its_content(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("HER2_RECORD", str(folder))
    path = tmp_path / "alpha_1.yaml"
    path.write_text(STUDY.replace("'9.0', printed_unit: months", "'9.0', printed_unit: weeks"))
    found, n = lint_paths([path])
    assert n == 1
    assert any(f.check == "print" for f in found)


def test_paths_without_files_are_errors(tmp_path):
    with pytest.raises(RecordError, match="does not exist"):
        lint_paths([tmp_path / "nothing"])
    with pytest.raises(RecordError, match=r"no \.yaml files"):
        lint_paths([tmp_path])


def test_the_command_line_lists_findings_and_exits_with_1(folder, her2):
    data = yaml.safe_load(STUDY)
    value(data, "pfs.new")["printed_unit"] = "weeks"
    (folder / "studies" / "alpha_1.yaml").write_text(yaml.safe_dump(data))
    result = her2("lint", str(folder))
    assert result.code == 1
    assert "error: " in result.out
    parsed = json.loads(her2("lint", str(folder), "--json").out)
    assert parsed["counts"]["errors"] >= 1
    assert {"severity", "check", "file", "field", "what", "mend"} <= set(parsed["findings"][0])
    assert her2("lint").code == 0


def test_own_record_is_linted_like_the_shipped(own_record, her2):
    result = her2("lint", "--notes")
    assert result.code == 0, result.out
    path = own_record / "studies" / "my_trial.yaml"
    path.write_text(path.read_text().replace("value: 0.25", "value: 0.52"))
    assert her2("lint").code == 1


@pytest.mark.parametrize(
    ("text", "numbers", "first"),
    [
        ("12.4", ["12.4"], 12.4),
        ("12·4", ["12.4"], 12.4),
        ("8,2", ["8.2"], 8.2),
        ("1,282", ["1282"], 1282),
        ("29, 8%", ["29.8"], 29.8),
        ("p < 0.001", ["0.001"], 0.001),
        ("0.51–0.75", ["0.51", "0.75"], 0.51),
        ("5/19", ["5", "19"], 5),
        ("four", [], 4),
        ("one-half", [], 0.5),
        ("NR", [], None),
        ("", [], None),
        ("231,000", ["231000"], 231000),
    ],
)
def test_numbers_of_a_print(text, numbers, first):
    assert numbers_in(text) == numbers
    assert printed_number(text) == first


def test_printed_units_become_canonical():
    assert to_canonical(12.1, "weeks", "month") == pytest.approx(12.1 * 7 / 30.4375)
    assert to_canonical(48.1, "%", "fraction") == pytest.approx(0.481)
    assert to_canonical(3, "months", "fraction") == 3 or to_canonical(3, "months", "fraction") is None
    assert to_canonical(0.62, "", "ratio") == 0.62
