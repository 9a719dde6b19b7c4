"""Executors without a cluster: what `--dask` takes, and what it says when it cannot."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from her2.errors import ClusterError
from her2.scale import LocalExecutor, active, check_fingerprint, fingerprint, open_executor, use


def double(spec, jobs, on_patients):
    if on_patients is not None:
        on_patients(jobs)
    return 2 * spec


def test_a_local_executor_takes_specifications_as_it_goes():
    taken = []

    def specs():
        for k in range(5):
            taken.append(k)
            yield k

    told = []
    results = LocalExecutor(3).run(double, specs(), told.append)
    assert next(results) == (0, 0)
    assert taken == [0]
    assert list(results) == [(1, 2), (2, 4), (3, 6), (4, 8)]
    assert told == [3] * 5


def test_an_executor_is_in_use_within_its_block_only():
    assert active() is None
    with use(LocalExecutor()) as outer:
        with use(LocalExecutor(2)) as inner:
            assert active() is inner
        assert active() is outer
    assert active() is None
    with pytest.raises(ValueError, match="on purpose"), use(LocalExecutor()):
        raise ValueError("on purpose")
    assert active() is None


@pytest.mark.parametrize(
    "text", ["local", "local:0", "local:-1", "local:x", "10.0.0.5", "http://10.0.0.5:8786", ""]
)
def test_what_is_no_cluster_is_refused(text):
    with pytest.raises(ClusterError, match="expected local:N"):
        open_executor(text)


def test_a_scheduler_file_that_is_not_there(tmp_path):
    pytest.importorskip("distributed")
    with pytest.raises(ClusterError, match="no such file"):
        open_executor(str(tmp_path / "scheduler.json"))


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_scheduler_that_does_not_answer(monkeypatch):
    pytest.importorskip("distributed")
    from her2.scale import dask

    monkeypatch.setattr(dask, "ANSWER_WITHIN", "1s")
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers there.*dask scheduler"):
        open_executor("tcp://127.0.0.1:9")


def test_without_dask_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] in ("dask", "distributed") or name == "her2.scale.dask":
            raise ImportError(f"No module named '{name}'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ClusterError, match=r"her2\[dask\]"):
        open_executor("local:2")


def test_a_worker_with_other_code_or_record_refuses(monkeypatch, tmp_path):
    check_fingerprint(fingerprint())
    own = fingerprint()
    with pytest.raises(ClusterError, match="Install the same package"):
        check_fingerprint("0" * 32)
    # a record of the user's own counts
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "mine.yaml").write_text("id: mine\n", encoding="utf-8")
    monkeypatch.setenv("HER2_RECORD", str(tmp_path))
    assert fingerprint() != own
    with pytest.raises(ClusterError, match="HER2_RECORD"):
        check_fingerprint(own)


def test_a_task_carries_no_arrays(model, cleopatra):
    """What is sent to a worker stays small, however many patients it names."""
    import pickle

    from her2.trials.tasks import PoolTask, Span

    task = PoolTask.of(model, cleopatra, 1_000_000, 1)
    assert len(pickle.dumps(Span(task, 0, 1_000_000))) < 100_000
    again = pickle.loads(pickle.dumps(Span(task, 64, 128)))
    assert (again.first, again.count, again.task.trial) == (64, 128, cleopatra)
    assert np.isclose(dict(again.task.values)["tumour.growth"], model.values["tumour.growth"], rtol=0.0)
