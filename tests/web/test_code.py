"""Habits of the code that a request must never meet: shells, code from text, broken hashes, HTML from strings."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "her2"
PAGE = ROOT / "web" / "src"
MODULES = sorted(PACKAGE.rglob("*.py"))
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
SHELLS = {"system", "popen", "spawnl", "spawnv", "getoutput", "getstatusoutput"}
OBJECTS_FROM_BYTES = {"loads", "load", "Unpickler"}
PIPE = "web/jobs/worker.py"
"""The pipe between the server and the worker that it has started: no bytes of a client go through `pickle`."""


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """Every call with the dotted name of what is called."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [(ast.unparse(n.func), n) for n in ast.walk(tree) if isinstance(n, ast.Call)]


def runs_text_or_shell(name: str, call: ast.Call, path: str) -> str:
    """Why a call is not wanted; empty if it is fine."""
    first, _, last = name.rpartition(".")
    if not first and last in RUNS_TEXT:
        return "runs text"
    if (first == "os" and last in SHELLS) or (first == "subprocess" and last in SHELLS):
        return "runs a shell"
    if any(
        k.arg == "shell" and not (isinstance(k.value, ast.Constant) and k.value.value is False)
        for k in call.keywords
    ):
        return "runs a shell"
    if (
        first in ("pickle", "marshal", "dill", "joblib", "shelve")
        and last in OBJECTS_FROM_BYTES
        and path != PIPE
    ):
        return "makes objects of bytes"
    if name in ("yaml.load", "yaml.unsafe_load", "yaml.full_load") and not any(
        "Safe" in ast.unparse(a) or "Loader" in ast.unparse(a)
        for a in [*call.args[1:], *(k.value for k in call.keywords)]
    ):
        return "reads YAML with objects"
    if last == "sympify" or (
        name.endswith("numpy.load") and any(k.arg == "allow_pickle" for k in call.keywords)
    ):
        return "runs text"
    return ""


@pytest.mark.parametrize(
    ("text", "says"),
    [("eval(x)", "runs text"), ("os.system(x)", "runs a shell"), ("subprocess.run(x, shell=True)", "runs a shell"),
     ("pickle.loads(x)", "makes objects of bytes"), ("yaml.load(x)", "reads YAML with objects"),
     ("sympy.sympify(x)", "runs text"), ("re.compile(x)", ""), ("yaml.load(x, Loader=OurSafeLoader)", ""),
     ("subprocess.run([x])", "")],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(text, says):
    (call,) = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call))
    assert runs_text_or_shell(ast.unparse(call.func), call, "x.py") == says


def test_no_shell_and_no_code_from_text():
    found = [
        f"{p.relative_to(PACKAGE)}:{call.lineno}: {name} {why}"
        for p in MODULES
        for name, call in calls(p)
        if (why := runs_text_or_shell(name, call, p.relative_to(PACKAGE).as_posix()))
    ]
    assert len(MODULES) > 200 and found == []


def test_no_broken_hash_functions():
    broken = re.compile(r"hashlib\.(md5|sha1)\b|hashlib\.new\(")
    found = [str(p.relative_to(PACKAGE)) for p in MODULES if broken.search(p.read_text(encoding="utf-8"))]
    assert found == []


def test_the_page_sets_no_html_from_text():
    sources = [p for p in PAGE.rglob("*") if p.suffix in (".ts", ".tsx")]
    if not sources:
        pytest.skip("the sources of the page are not here")
    unsafe = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySetInnerHTML|\beval\(|new Function\(|srcdoc"
    )
    found = [p.name for p in sources if unsafe.search(p.read_text(encoding="utf-8"))]
    assert found == []


def test_the_built_page_has_no_inline_script_and_asks_no_other_host():
    index = (PACKAGE / "web" / "static" / "index.html").read_text(encoding="utf-8")
    for tag in re.findall(r"<script\b[^>]*>", index):
        assert "src=" in tag or 'type="application/json"' in tag, tag
    assert not re.search(r"\son\w+=|style=|<style", index), "the policy would refuse it"
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", index)
