"""Worker processes of a local cluster: the same digest, also when they are killed; reachable from this machine only."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import kill_tests

from her2.errors import RecordError
from her2.scale import open_executor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]


def where(spec, jobs, on_patients):
    import os

    return os.getpid()


def fails(spec, jobs, on_patients):
    raise RecordError(f"trial {spec}: on purpose")


def test_a_local_cluster_listens_on_the_loopback_interface_only():
    with open_executor("local:2") as executor:
        assert executor.width == 2
        addresses = [executor.cluster.scheduler_address, *executor.client.nthreads()]
        assert all(a.startswith("tcp://127.0.0.1:") for a in addresses), addresses
        pids = {pid for _, pid in executor.run(where, range(40))}
        assert len(pids) == 2
        # what a task raises arrives as it was
        with pytest.raises(RecordError, match="trial 7: on purpose"):
            list(executor.run(fails, [7]))


def test_killed_workers_cost_nothing():
    found = kill_tests.try_workers(5, workers=2, patients=64, chunk=8)
    assert found["killed"] >= 5 and found["same_digest"]
