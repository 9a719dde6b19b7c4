"""Hostile inputs, each with what it would do if it were run; `run_all` lets every one loose and counts.

A payload is text or bytes for one way into the program. `{canary}` in it stands for a file that it would make,
`{secret}` for a file that it would read. Whatever comes back - what is printed, returned or written - is searched for the
secret's word.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import pickle
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from inputs_lib import kinds
from inputs_lib.judge import ACCEPTED, REFUSED, judge
from inputs_lib.watch import Box, watched

SECONDS = 30.0
WORD = "top-secret-4711"


@dataclass(frozen=True)
class Payload:
    """A hostile input and the way it takes.

    Attributes
    ----------
    family, name : in results
    do : lets it loose in a box, returns what came out
    may_read : whoever calls the program names the file that leads to the secret; it is read with their rights, and an
        error may quote a word of it to them
    may_accept : whether it may be taken as harmless text; otherwise it has to be refused
    """

    family: str
    name: str
    do: Callable[[Box], Any]
    may_read: bool = False
    may_accept: bool = True


class _Attack:
    """Makes the file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch '{self.path}'",))


def fill(text: str, box: Box) -> str:
    """The payload with the paths of its box."""
    return text.replace("{canary}", str(box.canary)).replace("{secret}", str(box.secret))


# ways in: each takes a text and lets it loose


def _file(box: Box, name: str, content: str | bytes) -> Path:
    path = box.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def as_trial(box: Box, content: str | bytes) -> Any:
    """The whole of a trial file."""
    from her2.trials.design import load_trial

    return load_trial(str(_file(box, "trial.yaml", content))).title


def as_case(box: Box, content: str | bytes) -> Any:
    """The whole of a patient's file."""
    from her2.prognosis.case import read_case

    return read_case(_file(box, "case.yaml", content)).state


def as_json_case(box: Box, content: str | bytes) -> Any:
    """The whole of a bundle."""
    from her2.prognosis.case import read_case

    return read_case(_file(box, "case.json", content), lenient=True).state


def as_cell(box: Box, content: str | bytes) -> Any:
    """The whole of a cell file."""
    from her2.cell.cell import load_cell

    return load_cell(str(_file(box, "cell.yaml", content))).describes


def as_agent(box: Box, content: str | bytes) -> Any:
    """The whole of an agent of the user's record."""
    path = _file(box, "agents/mine.yaml", content)
    return kinds._read_entry(path)


WHOLE: tuple[Callable[[Box, str | bytes], Any], ...] = (as_trial, as_case, as_cell, as_agent)


def in_title(box: Box, text: str) -> Any:
    """Title and labels of a trial."""
    import yaml

    data = kinds.plain((kinds.DATA / "trials" / "cleopatra.yaml").read_bytes(), "yaml")
    data = json.loads(json.dumps(data, default=str))
    data["title"] = data["arms"][0]["label"] = data["estimand"]["treatment"] = text
    return as_trial(box, yaml.safe_dump(data, allow_unicode=True))


def in_dose(box: Box, text: str) -> Any:
    """A dose, in the grammar itself."""
    from her2.pharmacology.regimen import format_regimen, parse_regimen

    return format_regimen(parse_regimen(text))


def in_quantity(box: Box, text: str) -> Any:
    """A time with a unit, an alpha, a unit."""
    from her2.design_study.schema import _to_one_sided
    from her2.errors import RecordError
    from her2.trials.design import _to_days, _to_rate
    from her2.units import check_unit

    for reader in (_to_days, _to_rate, _to_one_sided):
        try:
            reader(text)
        except ValueError:
            continue
    try:
        check_unit(text, "here")
    except RecordError as error:
        return str(error)
    return None


def in_options(box: Box, text: str) -> Any:
    """Options of `her2 cell`, `her2 network` and `her2 export`: drugs, doses, switches, ligands."""
    from her2.cli.cell_options import read_condition
    from her2.errors import Her2Error

    said = []
    for arguments in (
        ("BT474", text, "", "", ""), ("BT474", "", f"lapatinib={text}", "", ""), ("BT474", "", "", f"{text}=1", ""),
        ("BT474", "", "", "", f"egf={text}"), (text, "", "", "", ""),
    ):  # fmt: skip
        try:
            read_condition(*arguments, "culture", 3.0)
        except Her2Error as error:
            said.append(str(error))
    return said


def in_case_words(box: Box, text: str) -> Any:
    """Name, agents and considered regimens of a patient."""
    from her2.sequencing.recommend import advise
    from her2.sequencing.state import state_of

    state = state_of(
        {"setting": "metastatic", "her2": "positive", "name": text, "lines": [{"agents": [text]}], "considering": [text],
         "medicines": [text]}, "case",
    )  # fmt: skip
    return json.dumps(advise(state).as_json(), default=str)


def in_search(box: Box, text: str) -> Any:
    """Words and facets of `her2 evidence`, and the id of `her2 trace`."""
    from her2.errors import Her2Error
    from her2.evidence.query import search, suggestion
    from her2.evidence.record import load_record
    from her2.evidence.trace import build_graph

    record = load_record()
    said: list[Any] = [search(record, text, limit=3).total, suggestion(record, text)]
    for facet in ("agent", "endpoint", "kind"):
        try:
            said.append(search(record, "", limit=3, **{facet: text}).total)
        except Her2Error as error:
            said.append(str(error))
    try:
        build_graph(record).find(text)
    except Her2Error as error:
        said.append(str(error))
    return said


def in_names(box: Box, text: str) -> Any:
    """Names of trials, cells, agents, regimens, networks and studies."""
    from her2.cell.cell import load_cell
    from her2.design_study.schema import load_design
    from her2.errors import Her2Error
    from her2.evidence.load import find_file, load_network
    from her2.trials.design import load_regimen, load_trial

    said = []
    for reader in (
        load_trial,
        load_cell,
        load_design,
        load_regimen,
        load_network,
        lambda n: find_file("agents", n),
    ):
        try:
            said.append(reader(text))
        except Her2Error as error:
            said.append(str(error))
    return said


def in_sql(box: Box, text: str) -> Any:
    """A query of `her2 evidence sql`."""
    from her2.evidence.record import load_record
    from her2.evidence.store import open_store

    return open_store(load_record()).select(text, limit=50, seconds=3.0).rows


# families

_TAGS = (
    "!!python/object/apply:os.system ['touch {canary}']",
    "!!python/object/apply:subprocess.check_output [['touch', '{canary}']]",
    "!!python/object/new:subprocess.Popen [['touch', '{canary}']]",
    "!!python/object/apply:builtins.exec [\"open('{canary}', 'w')\"]",
    "!!python/object/apply:builtins.eval [\"open('{canary}', 'w')\"]",
    "!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{canary}']]",
    "!!python/object/apply:builtins.open ['{canary}', 'w']",
    "!!python/object/new:tuple [!!python/object/new:map [!!python/name:eval , [\"open('{canary}', 'w')\"]]]",
    "!!python/name:os.system ''",
    "!!python/module:os ''",
    "!!python/object:her2.trials.design.Trial {}",
    "!!python/object/apply:importlib.import_module ['os']",
    "!!python/tuple [1, 2]",
    "!!python/bytes 'aGk='",
    "!!python/complex 1j",
    "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch {canary}']",
    "%TAG ! tag:yaml.org,2002:python/\n--- !object/apply:os.system ['touch {canary}']",
    "%TAG !x! tag:yaml.org,2002:python/object/apply:\n---\nid: !x!os.system ['touch {canary}']",
    "id: !!python/object/apply:os.system ['touch {canary}']\ntitle: x",
    "? !!python/object/apply:os.system ['touch {canary}']\n: 1",
    "- !!js/function 'function() {}'",
    "- !ruby/object:Gem::Installer\n  i: x",
    "!!binary |\n  gASVIgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg==",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!map {a: 1}",
)


def _bombs() -> Iterator[tuple[str, str]]:
    laughs = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
    for k in range(1, 9):
        name, before = chr(97 + k), chr(96 + k)
        laughs += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    yield "billion laughs", laughs
    yield "merge bomb", "a: &a {x: 1}\nb: &b {<<: [*a, *a, *a]}\nc: {<<: [*b, *b, *b]}\n"
    yield "recursive anchor", "a: &a [*a]\n"
    yield "anchor without alias", "id: &x y\n"
    yield "nested lists", "[" * 5000 + "]" * 5000
    yield "nested mappings", "{a: " * 2000 + "1" + "}" * 2000
    yield "nested block", "\n".join(" " * k + "a:" for k in range(1500))
    yield "million entries", "a: [" + "1," * 1_000_000 + "1]"
    yield "hundred thousand keys", "\n".join(f"k{k}: 1" for k in range(120_000))
    yield "colliding keys", "\n".join(f"{k * (2**61 - 1)}: 1" for k in range(3000))
    yield "long key", "k" * 4_000_000 + ": 1"
    yield "large file", "a: " + "x" * 6_000_000
    yield "huge decimal", "a: " + "9" * 200_000
    yield "huge hexadecimal", "a: 0x" + "f" * 200_000
    yield "huge sexagesimal", "a: 1" + ":59" * 60_000
    yield "sexagesimal float", "a: 1" + ":59" * 60_000 + ".5"
    yield "many documents", "--- a\n" * 50_000
    yield "many comments", "#\n" * 1_000_000 + "a: 1"
    yield "quotes", "a: '" + "''" * 1_000_000 + "'"
    yield "open flow", "a: [{" * 20_000


_CODE = (
    "__import__('os').system('touch {canary}')",
    "().__class__.__bases__[0].__subclasses__()",
    "(lambda: open('{canary}', 'w'))()",
    "eval(\"open('{canary}','w')\")",
    "exec('import os; os.system(\"touch {canary}\")')",
    "{0.__class__.__init__.__globals__}",
    "{0!r:{1}}",
    "%(canary)s%n%n%x",
    "${{canary}}",
    "$(touch {canary})",
    "`touch {canary}`",
    "; touch {canary} ;",
    "| touch {canary}",
    "&& touch {canary}",
    "\ntouch {canary}\n",
    "${jndi:ldap://127.0.0.1/a}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% import os %}{{ os.system('touch {canary}') }}",
    "#{7*7}",
    "1 if open('{canary}','w') else 0",
    "[x for x in ().__class__.__base__.__subclasses__()]",
    "9**9**9**9",
    "sympify('1')",
    "@eval open('{canary}', 'w')",
)
_TEXT_WAYS: tuple[Callable[[Box, str], Any], ...] = (
    in_title,
    in_dose,
    in_quantity,
    in_options,
    in_case_words,
    in_search,
)

_PATHS = (
    "../../../../etc/passwd", "/etc/passwd", "{secret}", "file://{secret}", "..\\..\\secret.yaml", "\\\\server\\share\\x.yaml",
    "C:\\windows\\win.ini", "~/.ssh/id_rsa", "$HOME/x.yaml", "cleopatra/../../../secret", "./", ".", "..", "/", "//", "/dev/null",
    "/dev/zero", "/proc/self/environ", "/proc/self/mem", "cleopatra\x00.yaml", "x\x00/../y.yaml", "%2e%2e%2fsecret.yaml",
    "a/" * 2500 + "x.yaml", "n" * 5000 + ".yaml", "cleopatra.yaml/", "-", "--help", "*", "con", "\udcff.yaml", "тrial.yaml",
    "http://127.0.0.1:9/x.yaml", "trials/*.yaml", "|touch {canary}",
)  # fmt: skip

_SQL = (
    "COPY (SELECT 1) TO '{canary}'", "COPY claims TO '{canary}' (FORMAT parquet)", "EXPORT DATABASE '{canary}'",
    "ATTACH '{canary}' AS x", "ATTACH '{secret}' AS x", "INSTALL httpfs", "LOAD httpfs", "INSTALL 'x' FROM 'http://127.0.0.1:9'",
    "SELECT * FROM read_csv_auto('{secret}')", "SELECT * FROM read_text('{secret}')", "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM '{secret}'", "SELECT * FROM read_parquet('{secret}')", "SELECT * FROM read_json_auto('{secret}')",
    "SELECT * FROM glob('/*')", "SELECT * FROM sniff_csv('{secret}')", "SELECT * FROM parquet_metadata('{secret}')",
    "SET enable_external_access = true", "PRAGMA database_list", "SELECT 1; COPY claims TO '{canary}'",
    "SELECT 1; DROP TABLE claims", "DROP TABLE claims", "DELETE FROM claims", "UPDATE claims SET statement = 'x'",
    "INSERT INTO claims SELECT * FROM claims", "CREATE TABLE x AS SELECT 1", "CREATE MACRO f(x) AS x", "CHECKPOINT",
    "SELECT getenv('PATH')", "SELECT * FROM duckdb_settings()", "SELECT * FROM query('SELECT 1; DROP TABLE claims')",
    "SELECT * FROM query_table('{secret}')", "SELECT * FROM record", "SELECT * FROM self", "SELECT * FROM box", "SELECT * FROM os",
    "SELECT count(*) FROM range(1000000000000)", "SELECT length(repeat('a', 10000000000))",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
    "SELECT * FROM range(100000) a, range(100000) b, range(100000) c ORDER BY random()", "SELECT '" + "x" * 2_000_000 + "'",
    "SELECT " + "(" * 3000 + "1" + ")" * 3000, "SELECT 1 /* " + "/*" * 5000, "'; DROP TABLE claims; --", "SELECT \x00 1",
    "SELECT '\udcff'", "VACUUM", "USE memory", "DETACH memory", "CALL pragma_version()", "EXECUTE x", "PREPARE p AS SELECT 1",
    "SELECT regexp_matches(repeat('a', 30) || '!', '(a+)+$')", "EXPLAIN ANALYZE SELECT 1", "IMPORT DATABASE '{canary}'",
)  # fmt: skip
# what these answer is harmless, and not worth a refusal
_SQL_ANSWERED = ("PRAGMA database_list", "CALL pragma_version()", "SELECT regexp_matches", "SELECT '" + "x" * 20, "EXPLAIN",
                 "SELECT * FROM duckdb_settings()", "SELECT count(*) FROM range(10000")  # fmt: skip

_XML = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file://{secret}">]><r>&x;</r>',
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]><r/>',
    '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]><r>&c;</r>',
    '<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core"><model id="x"><annotation><script/></annotation></model></sbml>',
    '<r xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file://{secret}" parse="text"/></r>',
    '<Bundle xmlns="http://hl7.org/fhir"><entry/></Bundle>',
)

_MARKUP = (
    "<script>alert(1)</script>", "</title><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>",
    "javascript:alert(1)", "<![CDATA[<script>]]>", "]]><script>alert(1)</script>", "<!-- --><script>", "&lt;script&gt;",
    "<foreignObject><iframe src=javascript:alert(1)>", "' onmouseover='alert(1)", "<a href='javascript:alert(1)'>x</a>",
    "<style>@import 'http://127.0.0.1:9/x.css'</style>", "&#x3c;script&#x3e;", "<use href='http://127.0.0.1:9/x.svg#a'/>",
    "[/red][bold]x", "[link=http://127.0.0.1:9]x[/link]", "[@click=app.bell]x[/]", "$\\frac{1}{0$", "$\\input{{secret}}$",
    "\\href{javascript:alert(1)}{x}", "[x](javascript:alert(1))", "|x|y|\n|-|-|",
)  # fmt: skip

_FORMULAS = (
    "=cmd|' /C touch {canary}'!A0", "=HYPERLINK(\"http://127.0.0.1:9\",\"x\")", "+SUM(1+1)*cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+9)*cmd|' /C calc'!A0", "=1+1+A1", "\t=cmd|' /C calc'!A0", "\r=1+A1", "=IMPORTXML(\"http://127.0.0.1:9\",\"//a\")",
    "＝cmd|' /C calc'!A0", "=DDE(\"cmd\";\"/C calc\";\"x\")", "=\u200bcmd|'/C calc'!A0",
)  # fmt: skip

_SLOW = (
    ("quantity", in_quantity, "1" * 200_000 + "!"), ("quantity", in_quantity, " " * 200_000 + "1"),
    ("quantity", in_quantity, "1" + " " * 200_000 + "!"), ("alpha", in_quantity, "0." + "0" * 200_000 + " x-sided"),
    ("alpha", in_quantity, "." * 200_000 + " one-sided!"), ("dose", in_dose, "1 mg " + ", " * 100_000),
    ("dose", in_dose, "d" + "1," * 100_000), ("dose", in_dose, "a ," * 100_000), ("dose", in_dose, "q" + "9" * 200_000 + "w"),
    ("dose", in_dose, "9" * 200_000 + " mg"), ("dose", in_dose, "then " * 50_000),
    ("search", in_search, "a" * 200_000), ("search", in_search, "pten " * 20_000), ("search", in_search, "her2" * 30_000),
    ("names", in_names, "b" * 200_000), ("agents", in_case_words, "+".join(["x"] * 20_000)), ("agents", in_case_words, "trast" * 40_000),
    ("options", in_options, ",".join(f"a{k}=1" for k in range(3000))), ("options", in_options, "+" * 20_000),
)  # fmt: skip

_UNICODE = (
    "\ud800", "\udfff", "a\x00b", "\x1b[2J\x1b[31mred", "\x1b]0;title\x07", "\x9b31m", "\u202ereversed", "\u2066x\u2069",
    "trastuzum\u0430b", "\ufeffx", "\u200b" * 50, "e" + "\u0301" * 500, "\U0001f9ec" * 50, "\ufffe", "\x85line", "ﷺ" * 200,
)  # fmt: skip
_UNSEEN_START = 8
"""The first of these in `_UNICODE` are refused; those after are text."""


def _forms(kind: str, box: Box) -> bytes:
    """Files of serialised objects that run code when they are loaded."""
    import numpy as np
    import polars as pl

    attack = pickle.dumps(_Attack(str(box.canary)))
    drawn = io.BytesIO()
    if kind == "npy":
        np.save(drawn, np.array([_Attack(str(box.canary))], dtype=object), allow_pickle=True)
    elif kind == "npz":
        np.savez(drawn, x=np.array([_Attack(str(box.canary))], dtype=object))
    elif kind == "parquet":
        names = {"arm": [0], "patient": [0], "x": [attack]}
        pl.DataFrame(names).write_parquet(
            drawn, metadata={"pandas": "x", "ARROW:schema": base64.b64encode(attack).decode()}
        )
    elif kind == "zip":
        import zipfile

        with zipfile.ZipFile(drawn, "w") as archive:
            archive.writestr("../../canary", "x")
            archive.writestr(f"/{box.canary}", "x")
    elif kind == "tar":
        import tarfile

        with tarfile.open(fileobj=drawn, mode="w:gz") as packed:
            entry = tarfile.TarInfo("../../canary")
            packed.addfile(entry, io.BytesIO(b""))
    else:
        drawn.write(attack)
    return drawn.getvalue()


_FORMS = ("pickle", "npy", "npz", "parquet", "zip", "tar")


def _as_results(box: Box, content: bytes) -> Any:
    """A stored chunk, the posterior, the tables of sensitivity, a frozen forecast."""
    from her2.errors import Her2Error

    said = []
    for name, reader in (("x.parquet", kinds._read_parquet), ("ensemble.tsv", kinds._read_ensemble),
                         ("x.forecast.json", kinds._read_forecast), ("log.tsv", kinds._read_log)):  # fmt: skip
        try:
            said.append(str(reader(_file(box, name, content))))
        except Her2Error as error:
            said.append(str(error))
    return said


# tricks with links and folders


def _linked_file(box: Box, reader: Callable[[Path], Any], name: str) -> Any:
    (box.folder / name).symlink_to(box.secret)
    return reader(box.folder / name)


def _loop(box: Box) -> Any:
    a, b = box.folder / "a.yaml", box.folder / "b.yaml"
    a.symlink_to(b)
    b.symlink_to(a)
    return in_names(box, str(a))


def _part_link(box: Box) -> Any:
    """A half-written chunk that is a link to a file elsewhere must not be written through."""
    from her2.store import ChunkStore

    folder = box.folder / "patients"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "000000000000-000000000019.parquet.part").symlink_to(box.canary)
    with ChunkStore.create(folder, {"trial": "x"}) as store:
        store.add("model", 0, 20, 18, kinds._chunk(0, 20))
    return None


def _ledger_link(box: Box) -> Any:
    """A ledger that is a link to nowhere must not make a file there."""
    from her2.store import ChunkStore

    folder = box.folder / "patients"
    folder.mkdir()
    (folder / "ledger.jsonl").symlink_to(box.canary)
    with ChunkStore.create(folder, {"trial": "x"}):
        return None


def _forged_chunk(name: str) -> Callable[[Box], Any]:
    """A ledger whose checksums fit names a file outside its folder."""

    def do(box: Box) -> Any:
        from her2.store.files import digest_of
        from her2.store.ledger import format_line, parse_line

        folder = box.folder / "patients"
        folder.mkdir()
        header = parse_line(kinds._store_seeds()[0].content.split(b"\n")[0])
        content = box.secret.read_bytes()
        record = {"kind": "chunk", "key": "x", "stage": "model", "first": 0, "count": 20, "entered": 18,
                  "file": fill(name, box), "bytes": len(content), "blake2b": digest_of(content)}  # fmt: skip
        (folder / "ledger.jsonl").write_bytes(format_line(header or {}) + format_line(record))
        box.seen.clear()
        return kinds._read_store(folder)

    return do


def _run_record(names: list[str]) -> Callable[[Box], Any]:
    """A run record that names files outside its folder, which a new run in that folder would take away."""

    def do(box: Box) -> Any:
        from her2.trials.write import write_outputs

        precious = box.folder / "precious"
        precious.write_text("keep", encoding="utf-8")
        folder = box.folder / "run"
        (folder / "patients").mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"files": {n: {} for n in names}}), encoding="utf-8")
        write_outputs(folder, {}, {}, {"trial": "x"}, beside_store=True)
        assert precious.read_text(encoding="utf-8") == "keep", "a file outside the folder is gone"
        return None

    return do


def _record_id(identity: str) -> Callable[[Box], Any]:
    """An id of the user's record that is a path."""

    def do(box: Box) -> Any:
        from her2.evidence.load import load_agent

        content = f"id: {json.dumps(identity)}\nname: x\nkind: antibody\n"
        kinds._read_entry(_file(box, "agents/mine.yaml", content))
        with kinds.user_record(box.folder):
            return load_agent(identity)

    return do


def _trial_of_design(box: Box, name: str) -> Any:
    """The trial that a design file names."""
    from her2.design_study.schema import load_design

    return load_design(str(_file(box, "design.yaml", f"trial: {json.dumps(name)}\n"))).sizes


def _forecast_name(box: Box, name: str) -> Any:
    """A frozen forecast whose trial is a path, with digests that fit."""
    from her2.validation.forecast import check_forecast, content_digest

    content = json.loads(kinds._forecast_seeds()[0].content)
    content["trial"] = name
    content["prediction_digest"] = content_digest(content, ("digest", "date", "prediction_digest"))
    content["digest"] = content_digest(content)
    return check_forecast(_file(box, "x.forecast.json", json.dumps(content)))["trial"]


# what comes out: pictures, tables, reports


def _picture(box: Box, text: str) -> Any:
    """The SVG of a picture and of a network: well formed, without anything that a browser would run or fetch."""
    from her2.trials.pictures.style import new_figure, render_figure, write_text

    figure = new_figure(1.0, text, text)
    write_text(figure, 0.2, 0.5, text)
    check_svg(render_figure(figure)["svg"].decode("utf-8"))
    return None


def check_svg(svg: str) -> None:
    """Assert that nothing in an SVG runs or is fetched.

    Raises
    ------
    AssertionError
        A script, a handler, a foreign object, a style sheet or an address elsewhere.
    """
    for element in ET.fromstring(svg).iter():
        name = str(element.tag).split("}")[-1].lower()
        assert name not in ("script", "foreignobject", "iframe", "image", "a", "animate", "set", "handler"), (
            name
        )
        for key, value in element.attrib.items():
            plain = key.split("}")[-1].lower()
            assert not plain.startswith("on"), key
            assert plain != "href" or value.startswith("#"), value
            assert "javascript:" not in value.lower() or plain in ("aria-label", "aria-labelledby"), value
        if name == "style":
            assert "@import" not in (element.text or "") and "url(" not in (element.text or "")


def _network_picture(box: Box, text: str) -> Any:
    """The picture of a network whose title holds the text."""
    from dataclasses import replace

    from her2.export.network_picture import svg_text

    check_svg(svg_text(replace(_graph(), title=text)))
    return None


_kept: dict[str, Any] = {}


def _graph() -> Any:
    if "graph" not in _kept:
        from her2.cli.cell_options import read_condition
        from her2.export.network_graph import network_graph

        chosen = read_condition("BT474", "", "", "", "", "culture", 0.0)
        _kept["graph"] = network_graph(chosen.model, chosen.columns, chosen.days, "x")
    return _kept["graph"]


def _reports(box: Box, text: str) -> Any:
    """Advice for a patient as it is printed."""
    from rich.console import Console

    from her2.sequencing.recommend import advise
    from her2.sequencing.report import print_advice
    from her2.sequencing.state import state_of

    state = state_of(
        {
            "setting": "metastatic",
            "her2": "positive",
            "name": text,
            "lines": [{"agents": [text]}],
            "considering": [text],
        },
        "x",
    )
    printed = io.StringIO()
    print_advice(advise(state), Console(file=printed, width=150), True, 3)
    assert "\x1b" not in printed.getvalue()
    return None


def _sheet(box: Box, text: str) -> Any:
    """CSV of the record, of a query and of a trial's tables: no cell begins as a formula."""
    import csv

    import polars as pl

    from her2.evidence.export import write_csv
    from her2.trials.write import write_outputs

    first, folder = io.StringIO(), box.folder / "tables"
    write_csv(first, ("a", "b"), [[text, [text, "x"]]])
    write_outputs(folder, {"arms": pl.DataFrame({"label": [text], "n": [-1.5]})}, {}, {})
    second = (folder / "arms.csv").read_text(encoding="utf-8")
    for sheet in (first.getvalue(), second):
        for row in csv.reader(io.StringIO(sheet, newline="")):
            for cell in row:
                assert not cell.startswith(tuple("=+-@\t\r＝")) or cell == "-1.5", cell
    assert pl.read_parquet(folder / "arms.parquet")["label"][0] == text, "the Parquet file holds another text"
    return None


def payloads() -> list[Payload]:
    """All of them."""
    found: list[Payload] = []

    def add(family: str, name: str, do: Callable[[Box], Any], **more: bool) -> None:
        found.append(Payload(family, name, do, **more))

    for (k, text), way in itertools.product(enumerate(_TAGS), WHOLE[:2]):
        add("YAML tags", f"{k} {way.__name__}", lambda b, t=text, w=way: w(b, fill(t, b)), may_accept=False)  # type: ignore[misc]
    for name, text in _bombs():
        add("YAML bombs", name, lambda b, t=text: as_case(b, t), may_accept=False)  # type: ignore[misc]
    for name, text in (("nested lists", "[" * 200_000), ("nested objects", '{"a":' * 100_000), ("huge number", "1" * 100_000),
                       ("NaN", '{"resourceType": NaN}'), ("1e400", '{"age": 1e400}'), ("twice", '{"age": 1, "age": 2}'),
                       ("surrogate", '{"name": "\\ud800"}'), ("escape", '{"name": "\\u001b[31m"}')):  # fmt: skip
        add("JSON bombs", name, lambda b, t=text: as_json_case(b, t), may_accept=False)  # type: ignore[misc]
    for (k, text), way in itertools.product(enumerate(_CODE), _TEXT_WAYS):
        add("code as text", f"{k} {way.__name__}", lambda b, t=text, w=way: w(b, fill(t, b)))  # type: ignore[misc]
    for k, text in enumerate(_PATHS):
        add("paths as names", str(k), lambda b, t=text: in_names(b, fill(t, b)), may_read=True)  # type: ignore[misc]
        add(
            "paths in a design",
            str(k),
            lambda b, t=text: _trial_of_design(b, fill(t, b)),
            may_read=True,
            may_accept=False,
        )  # type: ignore[misc]
    for k, text in enumerate(
        ("../x", "/etc/x", "a/b", "..", "x\x00", ".hidden", "a\\b", "A", "x" * 200, "аgent", "a b", "a;b")
    ):
        add("ids that are paths", str(k), _record_id(text), may_accept=False)
    for k, name in enumerate(
        ("../../secret", "{secret}", "model/../../secret", "model/000000000000-000000000019.parquet/../../..")
    ):
        add("forged ledgers", str(k), _forged_chunk(name))
    for k, names in enumerate(
        (["../precious"], ["/etc/x", ".."], ["patients/../../precious"], ["x\x00y", ""], ["."])
    ):
        add("forged run records", str(k), _run_record(names))
    for k, name in enumerate(("../../x", "/tmp/x", "a\nb", "a" * 500)):
        add("forged forecasts", str(k), lambda b, n=name: _forecast_name(b, n))  # type: ignore[misc]
    links: tuple[tuple[str, Callable[[Path], Any]], ...] = (
        ("t.yaml", lambda p: in_names(Box(p.parent, p, p, ""), str(p))), ("c.json", lambda p: kinds._read_case(p)),
        ("c.yaml", lambda p: kinds._read_case(p)), ("f.forecast.json", lambda p: kinds._read_forecast(p)),
        ("x.parquet", lambda p: kinds._read_parquet(p)), ("ensemble.tsv", lambda p: kinds._read_ensemble(p)),
    )  # fmt: skip
    for name, reader in links:
        add("links", name, lambda b, n=name, r=reader: _linked_file(b, r, n), may_read=True)  # type: ignore[misc]
    add("links", "circle", _loop)
    add("links", "half-written chunk", _part_link)
    add("links", "ledger", _ledger_link)
    for form, way in itertools.product(_FORMS, (*WHOLE, as_json_case)):
        add(
            "pickles and archives",
            f"{form} {way.__name__}",
            lambda b, f=form, w=way: w(b, _forms(f, b)),
            may_accept=False,
        )  # type: ignore[misc]
    for form in _FORMS:
        add("pickles and archives", f"{form} results", lambda b, f=form: _as_results(b, _forms(f, b)))  # type: ignore[misc]
    for k, text in enumerate(_SQL):
        answered = text.startswith(_SQL_ANSWERED)
        add("SQL", f"{k} {text[:30]}", lambda b, t=text: in_sql(b, fill(t, b)), may_accept=answered)  # type: ignore[misc]
    for (k, text), way in itertools.product(enumerate(_XML), (as_trial, as_json_case)):
        add("XML", f"{k} {way.__name__}", lambda b, t=text, w=way: w(b, fill(t, b)), may_accept=False)  # type: ignore[misc]
    for (k, text), way in itertools.product(enumerate(_MARKUP), (_picture, _network_picture, _reports)):
        add("markup", f"{k} {way.__name__}", lambda b, t=text, w=way: w(b, fill(t, b)))  # type: ignore[misc]
    for k, text in enumerate(_FORMULAS):
        add("spreadsheet formulas", str(k), lambda b, t=text: _sheet(b, fill(t, b)))  # type: ignore[misc]
    for k, (name, way, text) in enumerate(_SLOW):
        add("slow patterns", f"{k} {name}", lambda b, t=text, w=way: w(b, t))  # type: ignore[misc]
    for k, text in enumerate(_UNICODE):
        escaped = json.dumps({"setting": "metastatic", "her2": "positive", "name": text})
        add(
            "unseen characters",
            f"{k} JSON",
            lambda b, t=escaped: as_json_case(b, t),
            may_accept=k >= _UNSEEN_START,
        )  # type: ignore[misc]
        add(
            "unseen characters",
            f"{k} words",
            lambda b, t=text: (in_search(b, t), in_names(b, t), in_options(b, t)),
        )  # type: ignore[misc]
    return found


@dataclass(frozen=True)
class Outcome:
    """What a payload came to.

    Attributes
    ----------
    ran : what it did that must not happen; empty for nothing
    fault : another thing that is wrong: a crash, a hang, or that it was accepted
    """

    payload: Payload
    ran: tuple[str, ...]
    fault: str
    trace: str = ""


@cache
def _warm_up() -> None:
    """Load what starts a program of its own when it is first used: fonts are listed by another program."""
    import matplotlib.font_manager

    import her2.trials.run
    from her2.evidence.record import load_record
    from her2.evidence.store import open_store

    assert matplotlib.font_manager.fontManager and her2.trials.run
    open_store(load_record())


def try_one(payload: Payload) -> Outcome:
    """Let one payload loose in a folder of its own."""
    _warm_up()
    with tempfile.TemporaryDirectory(prefix="her2-payload-") as base:
        root = Path(os.path.realpath(base))
        box = Box(root / "own", root / "canary", root / "secret", WORD)
        box.folder.mkdir()
        box.secret.write_text(f"{WORD}: 1\nid: x\n", encoding="utf-8")
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed), watched(box):
            verdict = judge(lambda: _said(payload.do(box)), SECONDS)
        said = f"{printed.getvalue()}{verdict.why}{verdict.result or ''}"
        if box.word in said and not payload.may_read:
            box.seen.append("the secret's word came out")
        seen = [s for s in box.seen if not (payload.may_read and s == "opened the secret file")]
        fault = ""
        if verdict.kind not in (ACCEPTED, REFUSED):
            fault = f"{verdict.kind}: {verdict.why}"
        elif verdict.kind == ACCEPTED and not payload.may_accept:
            fault = "accepted"
        return Outcome(payload, tuple(seen), fault, verdict.trace)


def _said(value: Any) -> str:
    """What a reader gave back, as text."""
    return repr(value)
