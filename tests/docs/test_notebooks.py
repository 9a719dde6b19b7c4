"""The notebooks: committed without outputs, executed as they are, on few patients."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
NOTEBOOKS = sorted(p.name for p in FOLDER.glob("*.ipynb"))


def test_there_is_one_for_each_group_of_users_and_the_page_names_it():
    from her2.credibility.statements import load_context

    assert len(NOTEBOOKS) == len(load_context().users)
    page = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert all(f"{{download}}`{name}`" in page for name in NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_holds_no_outputs(name):
    data = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    code = [c for c in data["cells"] if c["cell_type"] == "code"]
    assert len(code) >= 5
    assert all(not c["outputs"] and c["execution_count"] is None for c in code)
    assert "not medical advice" in "".join(data["cells"][0]["source"])


@pytest.mark.parametrize("name", NOTEBOOKS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    # the kernel talks to this process over sockets of the loopback interface; its own warnings are not ours
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("HER2_SMALL", "1")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel draws into the notebook
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    # no kernel has to be installed: it is this Python, and it leaves nothing in the user's folders
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    notebook = nbformat.read(FOLDER / name, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert all(c.execution_count for c in code)
    errors = [o for c in code for o in c.outputs if o.output_type == "error"]
    assert not errors
    pictures = [o for c in code for o in c.outputs if "image/png" in o.get("data", {})]
    assert pictures, "a notebook shows at least one picture"
