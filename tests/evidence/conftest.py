"""The record, read once, the commands of the record, and a small folder of a user's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from her2.errors import Her2Error
from her2.evidence.record import load_record

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def record():
    return load_record()


@pytest.fixture
def her2():
    """Run a command of the record; exit code, output and error as the user sees them."""
    from her2.cli.commands.evidence import evidence
    from her2.cli.commands.lint import lint
    from her2.cli.commands.trace import trace

    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.add_typer(evidence, name="evidence")
    app.command(name="lint")(lint)
    app.command(name="trace")(trace)

    def run(*arguments: str) -> SimpleNamespace:
        result = CliRunner().invoke(app, list(arguments))
        if isinstance(result.exception, Her2Error):
            return SimpleNamespace(code=2, out=result.stdout, err=f"her2: {result.exception}\n")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return SimpleNamespace(code=result.exit_code, out=result.stdout, err=result.stderr)

    return run


@pytest.fixture
def own_record(tmp_path: Path, monkeypatch) -> Path:
    """A folder with an agent, a study, a claim and a source of the user's, set as the user's record."""
    folder = tmp_path / "mine"
    shutil.copytree(DATA / "mine", folder)
    monkeypatch.setenv("HER2_RECORD", str(folder))
    return folder
