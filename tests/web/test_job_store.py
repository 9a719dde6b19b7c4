"""Jobs in a database: nothing is lost, nothing runs twice; the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
import time

import pytest

from her2.errors import Her2Error
from her2.web.jobs.store import Job, QueueFull, Store, StoredFile


@pytest.fixture
def store(database):
    opened = Store(database, lease_s=30.0)
    yield opened
    opened.close()


def expire(store: Store, job: Job) -> None:
    """As if the server of a job had not been heard of for long."""
    from her2.web.jobs.store import jobs

    with store.engine.begin() as c:
        c.execute(jobs.update().where(jobs.c.id == job.id).values(lease=time.time() - 1.0))


def test_a_job_goes_from_the_queue_to_its_result(store):
    job, is_new = store.add("trial", "A trial", {"trial": "cleopatra", "seed": 1})
    assert is_new and job.state == "queued" and store.position(job) == 0
    taken = store.claim("me")
    assert (
        taken is not None
        and taken.id == job.id
        and taken.attempt == 1
        and taken.input == {"trial": "cleopatra", "seed": 1}
    )
    assert store.claim("me") is None
    assert store.renew(taken, "patients", 0.5) == "go on"
    assert store.get(job.id).share == 0.5
    assert store.put_result(taken, b'{"x": 1}', "abc")
    assert store.finish(taken, "done", made=[StoredFile("a.csv", "text/csv", "table", b"1,2\n")])
    found = store.get(job.id)
    assert (found.state, found.digest, found.has_result, found.has_files, found.share) == (
        "done",
        "abc",
        True,
        True,
        1.0,
    )
    assert store.result(job.id) == b'{"x": 1}'
    assert store.file(job.id, "a.csv").content == b"1,2\n"
    assert [f["bytes"] for f in store.file_list(job.id)] == [4]


def test_jobs_are_taken_in_order_each_by_one_worker_only(store):
    made = [store.add("trial", str(k), {})[0].id for k in range(40)]
    taken: list[str] = []
    lock = threading.Lock()

    def work(name: str) -> None:
        misses = 0
        while misses < 20:
            job = store.claim(name)
            if job is None:
                misses += 1
                continue
            with lock:
                taken.append(job.id)

    threads = [threading.Thread(target=work, args=(f"worker-{k}",)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(taken) == sorted(made), "every job is taken, and none twice"


def test_the_same_key_gives_the_same_job_even_at_the_same_time(store):
    found: list[tuple[str, bool]] = []
    lock = threading.Lock()

    def ask() -> None:
        job, is_new = store.add("trial", "t", {"seed": 1}, key="the-same-key")
        with lock:
            found.append((job.id, is_new))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len({name for name, _ in found}) == 1
    assert sum(is_new for _, is_new in found) == 1
    assert len(store.listed(50)) == 1


def test_a_job_whose_server_is_gone_is_queued_again_and_the_old_server_can_no_longer_end_it(store):
    store.add("trial", "t", {})
    old = store.claim("gone")
    assert store.requeue_lost(5) == 0, "its lease is running"
    expire(store, old)
    assert store.requeue_lost(5) == 1
    new = store.claim("here")
    assert new.id == old.id and new.attempt == 2
    assert store.renew(old, "patients", 0.9) == "lost"
    assert not store.put_result(old, b"{}", "old")
    assert not store.finish(old, "done")
    assert store.finish(new, "done")
    assert store.get(new.id).digest == ""


def test_a_job_that_stops_every_server_fails_in_the_end(store):
    store.add("trial", "t", {})
    for _ in range(3):
        job = store.claim("me")
        assert job is not None
        expire(store, job)
        store.requeue_lost(3)
    found = store.get(job.id)
    assert found.state == "failed" and "interrupted 3 times" in found.error
    assert store.claim("me") is None


def test_cancel_and_resume(store):
    queued, _ = store.add("trial", "queued", {})
    assert store.cancel(queued.id) and store.get(queued.id).state == "cancelled"
    assert not store.cancel(queued.id), "it is finished"
    running, _ = store.add("trial", "running", {})
    job = store.claim("me")
    assert job.id == running.id
    assert store.cancel(job.id) and store.get(job.id).state == "running", "its server has to stop it"
    assert store.renew(job, "patients", 0.1) == "cancel"
    assert store.finish(job, "cancelled")
    assert not store.resume("0" * 24, 10)
    assert store.resume(job.id, 10)
    again = store.claim("me")
    assert again.id == job.id and again.attempt == 1 and not again.cancel_wanted
    assert store.finish(again, "done") and not store.resume(job.id, 10), "what is done stays done"


def test_a_cancel_survives_the_server(store):
    store.add("trial", "t", {})
    job = store.claim("gone")
    store.cancel(job.id)
    expire(store, job)
    store.requeue_lost(5)
    assert store.get(job.id).state == "cancelled"


def test_the_queue_has_an_end(store):
    for k in range(3):
        store.add("trial", str(k), {}, most=3)
    with pytest.raises(QueueFull, match="3 jobs"):
        store.add("trial", "one more", {}, most=3)
    assert len(store.listed(10)) == 3


def test_what_a_patient_entered_goes_when_the_job_is_done(store):
    store.add("patient", "Patient: x", {"yaml": "her2: positive"})
    job = store.claim("me")
    store.finish(job, "done", forget_input=True)
    assert store.get(job.id).input == {}


def test_old_jobs_are_forgotten_those_of_patients_sooner_and_unfinished_ones_never(store):
    from her2.web.jobs.store import jobs

    names = {}
    for kind in ("trial", "patient"):
        store.add(kind, kind, {})
        job = store.claim("me")
        store.put_result(job, b"{}", "d")
        store.finish(job, "done")
        names[kind] = job.id
    waiting, _ = store.add("trial", "waiting", {})
    with store.engine.begin() as c:
        c.execute(jobs.update().values(created=time.time() - 2 * 86_400, finished=time.time() - 2 * 86_400))
    store.tidy(days=30.0, patient_days=1.0, most=100)
    assert store.get(names["patient"]) is None and store.result(names["patient"]) is None
    assert store.get(names["trial"]) is not None
    store.tidy(days=30.0, patient_days=1.0, most=0)
    assert store.get(names["trial"]) is None
    assert store.get(waiting.id) is not None


def test_a_database_outlives_its_server(database):
    first = Store(database)
    job, _ = first.add("trial", "t", {"seed": 3})
    first.close()
    second = Store(database)
    assert second.get(job.id).input == {"seed": 3}
    second.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("no url", "no database URL"),
        ("mysql://x/y", "expected sqlite or postgresql"),
        ("sqlite:////no/such/folder/jobs.sqlite", "does not exist"),
        ("postgresql://her2:secret@127.0.0.1:1/none?connect_timeout=2", "cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named_without_its_password(url, says):
    if url.startswith("postgresql"):
        pytest.importorskip("psycopg")
    with pytest.raises(Her2Error, match=says) as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_tables_of_another_version_are_refused(tmp_path):
    from her2.web.jobs.store import schema_table

    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    store = Store(url)
    with store.engine.begin() as c:
        c.execute(schema_table.update().values(version=99))
    store.close()
    with pytest.raises(Her2Error, match="version 99"):
        Store(url)
