"""Nothing in the package can run what a user wrote: no eval, no pickle, no unsafe loader, no shell."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent.parent / "src" / "her2"
CALLS = {
    "eval", "exec", "compile", "__import__", "breakpoint", "os.system", "os.popen", "os.execv", "os.execve", "os.spawnv",
    "pickle.load", "pickle.loads", "marshal.loads", "shelve.open", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all",
    "yaml.unsafe_load_all", "sympy.sympify", "sympify", "parse_expr", "subprocess.getoutput", "subprocess.getstatusoutput",
    "joblib.load", "torch.load", "runpy.run_path", "code.interact", "importlib.util.spec_from_file_location", "input",
    "pd.eval", "numexpr.evaluate", "ast.literal_eval", "shutil.unpack_archive",
}  # fmt: skip
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "sympy", "code", "codeop", "pty",
           "telnetlib", "ftplib", "xml.sax.expatreader", "lxml", "jsonpickle", "numexpr"}  # fmt: skip
OWN_CHILD = {"web/jobs/worker.py"}
"""Pickles between the server and the worker it starts itself, over their pipe: no bytes of a user are unpickled."""
METHODS = {"extractall", "extract", "query_eval", "from_pickle", "read_pickle", "to_pickle", "deserialize"}


def faults(tree: ast.AST) -> list[str]:
    """What in a module could run or unpack something given."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"line {node.lineno}: import {n}" for n in names if n in MODULES]
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        said = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if name in CALLS or (isinstance(node.func, ast.Attribute) and node.func.attr in METHODS):
            found.append(f"line {node.lineno}: {name}")
        if said.get("shell", "False") != "False":
            found.append(f"line {node.lineno}: shell={said['shell']}")
        if said.get("allow_pickle", "False") != "False":
            found.append(f"line {node.lineno}: allow_pickle")
        if name in ("np.load", "numpy.load") and said.get("allow_pickle") != "False":
            found.append(f"line {node.lineno}: np.load")
        if name == "yaml.load" and said.get("Loader") not in (
            "Loader",
            "yaml.SafeLoader",
            "yaml.CSafeLoader",
        ):
            found.append(f"line {node.lineno}: yaml.load without the safe loader")
    return found


def test_no_module_can_run_what_is_given():
    found = {
        str(path.relative_to(SOURCE)): faults(ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(SOURCE.rglob("*.py"))
    }
    assert len(found) > 150
    assert {k for k, v in found.items() if v} <= OWN_CHILD, {k: v for k, v in found.items() if v}


def test_yaml_is_parsed_in_one_place_with_the_safe_loader():
    homes = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("yaml.load", "yaml.safe_load", "yaml.parse")
    }
    assert homes == {"evidence/reading.py"}


@pytest.mark.parametrize(
    "line",
    ["eval(x)", "exec(x)", "os.system(x)", "import pickle", "from pickle import loads", "yaml.load(x)", "yaml.load(x, Loader=yaml.Loader)",
     "subprocess.run(x, shell=True)", "np.load(x)", "np.load(x, allow_pickle=True)", "z.extractall()", "sympy.sympify(x)",
     "yaml.unsafe_load(x)", "ast.literal_eval(x)"],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(line):
    assert faults(ast.parse(line))


@pytest.mark.parametrize(
    "line",
    ["yaml.load(x, Loader=Loader)", "subprocess.run([x])", "np.load(x, allow_pickle=False)", "re.compile(x)"],
)
def test_the_search_lets_harmless_calls_pass(line):
    assert not faults(ast.parse(line))
