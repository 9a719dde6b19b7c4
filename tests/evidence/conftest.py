"""The record, read once, the commands of the record, and a small folder of a user's own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from her2.errors import Her2Error
from her2.evidence.record import load_record


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


CLAIM = """
id: mine
claims:
  - id: my_claim_on_brain_penetration
    statement: Zorvatinib, a made-up agent, crossed the blood-brain barrier.
    kind: efficacy
    level: phase_1
    agents: [zorvatinib]
    trial: my_trial
    places: [{source: my_source, line_start: 3, line_end: 4}]
    curated: {by: AB, checked_by: CD}
"""
STUDY = """
id: my_trial
name: MY-TRIAL
nct: NCT00000001
phase: II
n: 40
setting: cns_treated
status: completed
arms:
  - {id: zorvatinib, label: zorvatinib, agents: [zorvatinib], n: 40}
places: [{source: my_source, line_start: 1, line_end: 9}]
curated: {by: AB, checked_by: CD}
values:
  - {id: my_trial.orr.rate.zorvatinib, endpoint: orr, statistic: rate, arm: zorvatinib, printed: '25', printed_unit: '%', value: 0.25, unit: fraction, source: my_source, line_start: 5, line_end: 5}
"""
AGENT = """
id: zorvatinib
name: zorvatinib
aliases: [ZV-123]
kind: kinase_inhibitor
targets: [ERBB2]
"""
SOURCE = "{id: my_source, title: My own notes, kind: notes, year: 2020}"


@pytest.fixture
def own_record(tmp_path: Path, monkeypatch) -> Path:
    """A folder with an agent, a study, a claim and a source of the user's, set as the user's record."""
    folder = tmp_path / "mine"
    for name, text in (
        ("claims/mine.yaml", CLAIM), ("studies/my_trial.yaml", STUDY), ("agents/zorvatinib.yaml", AGENT),
        ("sources/my_source.yaml", SOURCE),
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("HER2_RECORD", str(folder))
    return folder
