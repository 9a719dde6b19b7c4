"""The one place where files become data: limits, and what is said where one is met."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from her2.errors import OutputError, RecordError, StoreError
from her2.evidence.csv_text import safe_text
from her2.evidence.load import read_yaml
from her2.evidence.reading import MAX_BYTES, MAX_ENTRIES, parse_json, parse_yaml, read_text
from her2.store import ChunkStore
from her2.store.files import write_whole
from her2.trials.write import write_outputs


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: !!python/object/apply:os.system [id]", "line 1: YAML tags"),
        ("a: 1\nb: !!set {a}", "line 2: YAML tags"),
        ("a: &x 1", "line 1: YAML anchors"),
        ("a: *x", "aliases are not accepted|not valid YAML"),
        ("a: 1\na: 2", "line 2: key 'a' given twice"),
        ("yes: 1", "put it in quotes"),
        ("? [a]\n: 1", "a key must be a plain word"),
        ("k" * 600 + ": 1", "a key of 600 characters"),
        ("a: .nan", "x, a: expected a finite number"),
        ("a:\n  b: [1, .inf]", "x, a.b.1: expected a finite number"),
        ("a: " + "9" * 400, "x, a: a whole number beyond 64 bit"),
        ("a: 1" + ":59" * 300 + ".5", "not valid YAML"),
        ('a: "\\e[31m"', r"x, a: holds the character U\+001B"),
        ('b: ["\\u202e"]', r"x, b.0: holds the character U\+202E"),
        ('"a\\0": 1', r"a key: holds the character U\+0000"),
        ("[" * 60 + "]" * 60, "nested deeper than 40 levels"),
        ("[" + "1," * (MAX_ENTRIES + 1) + "]", "more than 100,000 entries"),
        ("--- a\n--- b", "not valid YAML"),
        ("2001-99-99", "not valid YAML"),
        (".nan: 1", "a key must be a plain word"),
    ],
)  # fmt: skip
def test_what_yaml_may_not_hold_is_named_with_its_place(text, says):
    with pytest.raises(RecordError, match=says):
        parse_yaml(text, "x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": NaN}', "NaN is no number"), ('{"a": [1e400]}', "x, a.0: expected a finite number"), ('{"a": 1, "a": 2}', "'a' given twice"),
        ("{'a': 1}", "is not JSON"), ("", "is not JSON"), ("[" * 100_000, "is not JSON|nested deeper"), ('{"a": "\\ud800"}', r"U\+D800"),
        ('{"a": ' + "9" * 5000 + "}", "is not JSON"), ("[" * 41 + "]" * 41, "nested deeper than 40 levels"),
    ],
)  # fmt: skip
def test_what_json_may_not_hold_is_named_with_its_place(text, says):
    with pytest.raises(RecordError, match=says):
        parse_json(text, "x")


def test_a_byte_order_mark_is_passed_over():
    assert parse_json('\ufeff{"a": 1}', "x") == {"a": 1}
    assert parse_yaml("\ufeffa: 1", "x") == {"a": 1}


def test_no_more_than_the_limit_is_read_whatever_the_size_is_said_to_be(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(RecordError, match="larger than 5 MB"):
        read_yaml(path)
    path.write_bytes(b"#" * MAX_BYTES)
    assert read_yaml(path) is None
    if Path("/dev/zero").exists():
        # the system says it has 0 bytes, and it never ends
        with pytest.raises(RecordError, match="larger than 5 MB"):
            read_yaml(Path("/dev/zero"))


@pytest.mark.parametrize("name", ["", "..", "no/such", "n" * 5000, "a\x00b"])
def test_a_name_that_no_file_can_have_is_an_error_of_the_program(name):
    with pytest.raises(RecordError):
        read_text(Path(name), "x")


def test_what_is_not_text_says_where():
    with pytest.raises(RecordError, match="not UTF-8 text .* at byte 3"):
        _read_bytes(b"a: \xff")
    with pytest.raises(RecordError, match="not UTF-8"):
        _read_bytes("a: 1".encode("utf-16"))


def _read_bytes(content: bytes):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.yaml"
        path.write_bytes(content)
        return read_text(path, "x")


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="this system has no such links")
def test_nothing_is_written_through_a_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("keep", encoding="utf-8")
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "x.parquet.part").symlink_to(victim)
    write_whole(folder / "x.parquet", b"new")
    assert (folder / "x.parquet").read_bytes() == b"new" and victim.read_text(encoding="utf-8") == "keep"
    store = tmp_path / "patients"
    store.mkdir()
    (store / "ledger.jsonl").symlink_to(tmp_path / "made")
    with pytest.raises((OutputError, StoreError)):
        ChunkStore.create(store, {"trial": "x"})
    assert not (tmp_path / "made").exists()


def test_a_run_record_from_elsewhere_takes_nothing_away_outside_its_folder(tmp_path):
    precious, folder = tmp_path / "precious", tmp_path / "run"
    precious.write_text("keep", encoding="utf-8")
    (folder / "patients").mkdir(parents=True)
    (folder / "run.json").write_text(
        '{"files": {"../precious": {}, "..": {}, "old.csv": {}}}', encoding="utf-8"
    )
    (folder / "old.csv").write_text("x", encoding="utf-8")
    write_outputs(folder, {}, {}, {"trial": "x"}, beside_store=True)
    assert precious.read_text(encoding="utf-8") == "keep"
    assert not (folder / "old.csv").exists(), "a file of the earlier run stays"


@pytest.mark.parametrize("text", ["=1+A1", "+SUM(1)", "-cmd|x!A0", "@x", "\t=A1", "\r=A1", " =A1", "＝A1"])
def test_a_formula_in_a_sheet_is_text(text):
    assert safe_text(text).startswith("'") and "\r" not in safe_text(text)


@pytest.mark.parametrize(
    "text", ["", "-", "-0.5", "+12 %", "= 0.46", "=", "a = b", "1-2", "n-3 fatty acids", "-1,5"]
)
def test_numbers_and_plain_text_stay_as_they_are(text):
    assert safe_text(text) == text


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["trial", "n" * 5000 + ".yaml"], {}), (["cell", "n" * 5000 + "/x.yaml"], {}), (["options", "/proc/self/nothing"], {}),
        (["trial", "\udcff.yaml"], {}), (["evidence", "sql", "SELECT 'µ'"], {"PYTHONIOENCODING": "ascii"}),
        (["trace", "{0.__class__}"], {"PYTHONIOENCODING": "ascii"}), (["lint"], {"HER2_RECORD": "/no/such/../folder"}),
    ],
)  # fmt: skip
def test_the_command_line_ends_without_a_traceback(arguments, environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "her2.cli.main", *(os.fsencode(a) if "\udcff" in a else a for a in arguments)],
        capture_output=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environment}, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 2), done.stderr
    assert b"Traceback" not in done.stderr
