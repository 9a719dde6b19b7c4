"""A real server with real workers: a job survives a kill, a cancel stops it, the digits are those of the library."""

from __future__ import annotations

import json
import threading

import httpx
import pytest
from asking import Server, wait_for

JOB = {"kind": "trial", "trial": "vogel_2002", "patients": 128, "trials": 0, "seed": 3}
LONG = {**JOB, "patients": 20_000, "trials": 500}


def state_of(server: Server, name: str) -> dict:
    """A job as the server shows it."""
    found: dict = httpx.get(f"{server.url}/api/jobs/{name}", timeout=60).json()
    return found


@pytest.mark.slow
def test_a_job_survives_a_kill_and_is_done_once(servers, database):
    first = Server(database)
    servers.append(first)
    headers = {"Idempotency-Key": "kill-and-requeue"}
    name = httpx.post(f"{first.url}/api/jobs", json=JOB, headers=headers, timeout=60).json()["id"]
    wait_for(lambda: state_of(first, name)["state"] == "running", "the job begins")
    first.kill()

    second = Server(database)
    servers.append(second)
    # a client that never heard the answer asks again
    again = httpx.post(f"{second.url}/api/jobs", json=JOB, headers=headers, timeout=60).json()
    assert again["id"] == name
    done = wait_for(
        lambda: (j := state_of(second, name))["state"] in ("done", "failed") and j, "the job ends"
    )
    assert done["state"] == "done", done["error"]
    assert done["attempt"] == 2
    listed = httpx.get(f"{second.url}/api/jobs", timeout=60).json()["jobs"]
    assert [j["id"] for j in listed] == [name], "neither lost nor doubled"

    from her2.trials.design import load_trial
    from her2.trials.run import simulate_trial

    own = simulate_trial(load_trial("vogel_2002"), patients=128, trials=0, seed=3)
    assert done["digest"] == own.digest
    assert httpx.get(f"{second.url}/api/jobs/{name}/result", timeout=60).json()["run"]["digest"] == own.digest
    said = second.stop()
    assert "Traceback" not in said, said


@pytest.mark.slow
def test_a_running_job_is_watched_cancelled_and_resumed(servers, tmp_path):
    server = Server(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    servers.append(server)
    name = httpx.post(f"{server.url}/api/jobs", json=LONG, timeout=60).json()["id"]
    heard: list[tuple[str, dict]] = []
    ready = threading.Event()

    def watch() -> None:
        with httpx.stream("GET", f"{server.url}/api/jobs/{name}/events", timeout=None) as stream:
            event = ""
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: "):
                    heard.append((event, json.loads(line[6:])))
                    if event == "partial":
                        ready.set()

    thread = threading.Thread(target=watch)
    thread.start()
    assert ready.wait(400), "curves grow while patients are followed"
    httpx.post(f"{server.url}/api/jobs/{name}/cancel", timeout=60)
    thread.join(60)
    assert not thread.is_alive()
    assert heard[0][0] == "job" and heard[-1][0] == "end" and heard[-1][1]["state"] == "cancelled"
    resumed = httpx.post(f"{server.url}/api/jobs/{name}/resume", timeout=60).json()
    assert resumed["state"] in ("queued", "running")
    wait_for(lambda: state_of(server, name)["state"] == "running", "it runs again")
    assert httpx.delete(f"{server.url}/api/jobs/{name}", timeout=60).status_code == 204
    # the worker is free again: another job begins
    other = httpx.post(f"{server.url}/api/jobs", json=JOB, timeout=60).json()["id"]
    wait_for(lambda: state_of(server, other)["state"] != "queued", "the next job begins")


def test_an_address_that_is_taken_is_said_in_one_line(tmp_path):
    import socket

    from her2.errors import Her2Error
    from her2.web.serve import run_server
    from her2.web.settings import Settings

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Her2Error, match=f"127.0.0.1:{port}: cannot be listened on"):
            run_server(Settings(port=port, database=f"sqlite:///{tmp_path / 'j.sqlite'}"), announce=print)
