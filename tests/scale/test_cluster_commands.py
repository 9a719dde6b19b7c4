"""Validation and calibration spread over an executor: the same digits as in this process, and what the commands say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from her2.calibration.free import load_free, stored_start
from her2.calibration.run import calibrate
from her2.cli.main import app
from her2.errors import ClusterError
from her2.scale import AbstractExecutor, LocalExecutor, active, use
from her2.validation.predict import predict_trial
from her2.validation.run import validate

SIZE = {"members": 2, "patients": 64, "trials": 4, "seed": 3}


class Backwards(AbstractExecutor):
    """Wide, so that pools are cut into blocks, and done in the reverse order: as a cluster may."""

    def __init__(self) -> None:
        self.specs = 0

    @property
    def width(self) -> int:
        return 64

    def run(self, task, specs, on_patients=None) -> Iterator:
        for spec in reversed(list(specs)):
            self.specs += 1
            yield spec, task(spec, 1, None)


class Lost(AbstractExecutor):
    """A cluster that goes away."""

    @property
    def width(self) -> int:
        return 1

    def run(self, task, specs, on_patients=None) -> Iterator:
        raise ClusterError("the Dask scheduler does not answer")
        yield


def test_a_prediction_spread_over_an_executor_has_the_same_digest(cleopatra):
    here = predict_trial(cleopatra, **SIZE)
    told: list[float] = []
    with use(Backwards()) as executor:
        there = predict_trial(cleopatra, **SIZE, on_progress=told.append)
    # two members and two of the null model, one block of lanes each
    assert executor.specs == 4
    assert there.digest == here.digest
    assert there.statistics.keys() == here.statistics.keys()
    for key, sample in here.statistics.items():
        assert np.array_equal(sample.values, there.statistics[key].values, equal_nan=True)
    assert told[-1] == 1.0


def test_a_calibration_spread_over_an_executor_has_the_same_members():
    size = {"members": 8, "steps": 1, "patients": 64, "slope_patients": 64, "seed": 3}
    size["trials"] = ("cleopatra",)
    start = stored_start(load_free())
    here = calibrate(**size, start=start, jobs=1)
    with use(Backwards()) as executor:
        there = calibrate(**size, start=start, jobs=2)
    assert executor.specs > start.size
    assert np.array_equal(here.members, there.members)
    assert np.array_equal(here.fresh, there.fresh)
    assert here.mode.sums == there.mode.sums


def test_a_lost_cluster_stops_a_validation():
    """It would otherwise be told as a trial that does not run, one after the other."""
    with use(Lost()), pytest.raises(ClusterError, match="does not answer"):
        validate(["cleopatra"], members=2, patients=64, trials=4, null=False)


@pytest.mark.parametrize("command", ["validate", "calibrate", "forecast", "trial"])
def test_what_is_no_cluster_is_refused_before_anything_runs(command):
    asked = [] if command in ("validate", "calibrate") else ["cleopatra"]
    done = CliRunner().invoke(app, [command, *asked, "--dask", "10.0.0.5"])
    assert isinstance(done.exception, ClusterError)
    assert "expected local:N" in str(done.exception)
    assert active() is None


@pytest.mark.parametrize(("command", "module"), [("validate", "validation"), ("calibrate", "calibration")])
def test_the_command_runs_within_the_executor_and_leaves_it(command, module, monkeypatch):
    opened = LocalExecutor()
    seen = []

    def stops(*args, **kwargs):
        seen.append(active())
        raise ClusterError("on purpose")

    monkeypatch.setattr("her2.scale.open_executor", lambda where: opened)
    monkeypatch.setattr(f"her2.{module}.run.{command}", stops)
    done = CliRunner().invoke(app, [command, "--dask", "local:2"])
    assert str(done.exception) == "on purpose"
    assert seen == [opened]
    assert active() is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_validate_on_worker_processes_prints_the_same(tmp_path: Path):
    pytest.importorskip("distributed")
    few = ["validate", "cleopatra", "--members", "4", "--patients", "64", "--trials-simulated", "8", "--json"]
    here = CliRunner().invoke(app, few)
    there = CliRunner().invoke(app, [*few, "--dask", "local:2"])
    assert here.exit_code == there.exit_code == 0
    assert here.stdout == there.stdout
