"""The examples run: each as its own process, on few patients, without a warning turned into an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = {
    "first_trial.py": (["128"], ("median PFS", "HR PFS", "digest")),
    "own_trial.py": (["128"], ("docetaxel 75 mg/m2", "docetaxel 100 mg/m2")),
    "survival_statistics.py": (["60"], ("hazard ratio", "log-rank p", "restricted means")),
    "cell_line.py": (["2"], ("GR50", "PTEN lost", "mean Bliss excess")),
    "pathway_state.py": ([], ("both antibodies", "PTEN loss", "conservation")),
}


def test_every_example_is_listed_here():
    assert {p.name for p in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs(name, tmp_path):
    arguments, expected = EXAMPLES[name]
    # the package under test, wherever it is imported from; a folder of its own, so that nothing is left behind
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *arguments],
        capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    for text in expected:
        assert text in done.stdout
    assert not list(tmp_path.iterdir())
