"""The same digits for any number of threads, chunks, workers and interruptions, and in whatever order patients come.

The reference is the pool simulated in memory, in one piece, on one thread. Twenty patients are enough to cut into chunks
of one and seven; 150 fill three blocks of lanes, which is where threads start to share the work.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from her2.engine.run import DigestStream, follow
from her2.scale import LocalExecutor, use
from her2.store import ChunkStore
from her2.trials.design import load_trial
from her2.trials.follow import arm_doses, arm_events, draw_patients, prepare_trial, simulate_pool
from her2.trials.observed import observe_pool, observe_stage, read_pool, simulate_stage
from her2.trials.tasks import PoolTask, simulate_pools

SEED = 5
JOBS, CHUNKS = (1, 2, 7), (1, 7, 1000, 65_536)
FEW, MANY = 20, 150


def patients_for(chunk: int) -> int:
    """Chunks of one patient cost a whole block of lanes each: few of them do."""
    return FEW if chunk <= 7 else MANY


@pytest.fixture(scope="module")
def reference(model, cleopatra):
    """Digests of both arms by number of patients."""
    found = {}
    for n in (FEW, MANY):
        pool = simulate_pool(model, cleopatra, n, SEED)
        found[n] = tuple(a.digest() for a in pool.arms)
    return found


def stored_digests(folder, task, executor, chunk):
    with ChunkStore.create(folder, {"seed": SEED}) as store:
        simulate_stage(store, "model", task, executor, chunk)
        return observe_stage(store, "model", task).digests


@pytest.mark.parametrize(("jobs", "chunk"), list(itertools.product(JOBS, CHUNKS)))
def test_threads_and_chunks(model, cleopatra, reference, tmp_path, jobs, chunk):
    n = patients_for(chunk)
    task = PoolTask.of(model, cleopatra, n, SEED)
    assert stored_digests(tmp_path / "s", task, LocalExecutor(jobs), chunk) == reference[n]


@pytest.mark.parametrize("chunk", CHUNKS)
def test_resumed_with_other_chunks_and_more_patients(model, cleopatra, reference, tmp_path, chunk):
    """Begun with half of the patients in chunks of one size, one chunk lost, gone on with in chunks of another size."""
    n = patients_for(chunk)
    before = {1: 7, 7: 1, 1000: 64, 65_536: 1000}[chunk]
    half = PoolTask.of(model, cleopatra, n // 2, SEED)
    with ChunkStore.create(tmp_path / "s", {"seed": SEED}) as store:
        simulate_stage(store, "model", half, LocalExecutor(), before)
        lost = store.records()[-1]
    (tmp_path / "s" / lost.file).unlink()
    with ChunkStore.resume(tmp_path / "s", {"seed": SEED}) as store:
        assert [d.where for d in store.damage] == [lost.file]
        whole = PoolTask.of(model, cleopatra, n, SEED)
        simulate_stage(store, "model", whole, LocalExecutor(), chunk)
        assert observe_stage(store, "model", whole).digests == reference[n]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_shuffled_patients(model, cleopatra, reference, order):
    """Patients in another order share other blocks of lanes; each is what she was."""
    plan = prepare_trial(model, cleopatra)
    mixed = np.random.default_rng(order).permutation(MANY)
    cohort = draw_patients(plan, SEED, 0, MANY).take(mixed)
    for k, arm in enumerate(cleopatra.arms):
        events = arm_events(plan.toxicity[k], SEED, 0, MANY, mixed)
        doses = arm_doses(plan.model, arm, np.zeros(MANY, dtype=np.int64), cohort, events)
        seen = follow(plan.model, cohort, mixed.astype(np.int64), plan.regimens, plan.courses[k], doses, SEED)
        assert seen.digest() == reference[MANY][k]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_dask_workers(model, cleopatra, reference, tmp_path, workers):
    """Stored in two chunk sizes, and as a pool in memory; workers are threads here, processes in `test_dask.py`."""
    pytest.importorskip("distributed")
    from distributed import Client, LocalCluster

    from her2.scale.dask import DaskExecutor

    with (
        # workers and scheduler talk within the process; only its status page listens, on the loopback
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        DaskExecutor(Client(cluster, set_as_default=False)) as executor,
    ):
        for chunk in (7, 1000):
            n = patients_for(chunk)
            task = PoolTask.of(model, cleopatra, n, SEED)
            assert stored_digests(tmp_path / f"{chunk}", task, executor, chunk) == reference[n]
        with use(executor):
            pool = simulate_pool(model, cleopatra, MANY, SEED)
        assert tuple(a.digest() for a in pool.arms) == reference[MANY]


@pytest.mark.parametrize("chunk", [13, 64, 500])
def test_trials_after_earlier_lines_enrol_the_same_patients(model, tmp_path, chunk):
    """Who enters is known only after the earlier lines, so that chunks hold different numbers of patients."""
    trial = load_trial("gbg_26")
    pool = simulate_pool(model, trial, 60, SEED)
    expected = observe_pool(pool, SEED)
    task = PoolTask.of(model, trial, 60, SEED)
    with ChunkStore.create(tmp_path / "s", {}) as store:
        simulate_stage(store, "model", task, LocalExecutor(), chunk)
        seen = observe_stage(store, "model", task)
        again = read_pool(store, "model", task)
    assert seen.digests == expected.digests
    assert (seen.n, seen.screened, seen.status_counts) == (60, pool.screened, pool.status_counts)
    assert sum(seen.status_counts.values()) == seen.screened
    assert seen.adverse_events == expected.adverse_events
    assert seen.baseline == expected.baseline
    assert np.array_equal(again.cohort.attributes, pool.cohort.attributes)
    assert (again.screened, again.status_counts) == (pool.screened, pool.status_counts)


def test_several_pools_at_once_are_those_of_one_after_the_other(model, cleopatra):
    gbg = load_trial("gbg_26")
    calls = [(cleopatra, 70, 1, None), (gbg, 40, 2, None), (cleopatra, 70, 1, 9)]
    tasks = [PoolTask.of(model, t, n, seed, noise_seed=noise) for t, n, seed, noise in calls]
    together = simulate_pools(tasks, LocalExecutor(2))
    for (trial, n, seed, noise), pool in zip(calls, together, strict=True):
        alone = simulate_pool(model, trial, n, seed, noise_seed=noise)
        assert [a.digest() for a in pool.arms] == [a.digest() for a in alone.arms]
        assert (pool.screened, pool.status_counts) == (alone.screened, alone.status_counts)


def test_a_digest_from_parts_is_that_of_the_whole(model, cleopatra):
    followed = simulate_pool(model, cleopatra, 40, SEED).arms[0]
    for cuts in ([], [1], [7, 8, 30]):
        stream = DigestStream()
        for part in np.split(np.arange(40), cuts):
            stream.update(followed.take(part))
        assert stream.hexdigest() == followed.digest()
    with pytest.raises(ValueError, match="ids that do not fall"):
        stream.update(followed.take(np.array([3])))


def test_any_changed_number_changes_the_digest(model, cleopatra):
    followed = simulate_pool(model, cleopatra, 10, SEED).arms[0]
    before = followed.digest()
    for table in (followed.outcomes, followed.sums, followed.line_starts, followed.line_regimens):
        old = table[1, 4]
        table[1, 4] = 3 if old != 3 else 4
        assert followed.digest() != before
        table[1, 4] = old
    assert followed.digest() == before
