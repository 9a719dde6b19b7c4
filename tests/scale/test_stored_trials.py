"""`her2 trial` with its patients on the disk: the numbers of a run in memory, stopped and gone on with."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from her2.cli.main import app
from her2.errors import OutputError, StoreError
from her2.store import ChunkStore
from her2.trials import observed, run, write
from her2.trials.design import load_trial
from her2.trials.report import as_json
from her2.trials.run import simulate_trial, store_identity
from her2.trials.write import check_folder, write_outputs

SMALL = ["trial", "cleopatra", "--patients", "100", "--trials", "0", "--json"]


def shown(result):
    return {k: v for k, v in as_json(result).items() if k != "elapsed_s"}


def stdout_of(arguments):
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


# a first line, lines before, lines before and physician's choice, after surgery, before surgery
@pytest.mark.parametrize("name", ["cleopatra", "gbg_26", "th3resa", "n9831", "neosphere"])
def test_every_number_is_that_of_the_run_in_memory(tmp_path, name):
    trial, sizes = load_trial(name), {"patients": 100, "trials": 0, "seed": 2}
    there = simulate_trial(trial, **sizes)
    with ChunkStore.create(tmp_path / "s", store_identity(trial, 2)) as store:
        stored = simulate_trial(trial, store=store, chunk=48, in_memory=False, **sizes)
        assert len(store.records("model")) > 2
        again = simulate_trial(trial, store=store, **sizes)
    assert shown(stored) == shown(there) == shown(again)
    assert (stored.screened, stored.status_counts) == (there.screened, there.status_counts)
    # all rows, those that are not printed included
    assert stored.adverse_events == there.adverse_events
    assert stored.baseline == there.baseline
    with pytest.raises(OutputError, match="--tables"):
        _ = stored.pool
    for arm in range(len(trial.arms)):
        assert again.pool.arms[arm].digest() == there.pool.arms[arm].digest()
    for endpoint, tte in there.data.times.items():
        assert (tte.time == again.data.times[endpoint].time).all()


@pytest.mark.parametrize("at", [1, 3])
def test_stopped_and_gone_on_with(tmp_path, monkeypatch, at):
    plain = stdout_of(SMALL)
    out, real, calls = tmp_path / "run", observed.encode_span, []

    def stopped(span, jobs, on_patients):
        calls.append(span)
        if len(calls) == at:
            raise KeyboardInterrupt
        return real(span, jobs, on_patients)

    monkeypatch.setattr(observed, "encode_span", stopped)
    first = CliRunner().invoke(app, [*SMALL, "--out", str(out), "--chunk", "40"])
    assert f"{at - 1} chunks of patients are kept" in first.stderr and "--resume" in first.stderr
    assert not (out / "run.json").exists()
    monkeypatch.setattr(observed, "encode_span", real)
    with pytest.raises(OutputError, match="--resume"):
        CliRunner().invoke(app, [*SMALL, "--out", str(out), "--chunk", "40"], catch_exceptions=False)
    gone_on = stdout_of([*SMALL, "--out", str(out), "--resume"])
    assert gone_on["digest"] == plain["digest"] and gone_on["arms"] == plain["arms"]
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["digest"] == plain["digest"] and record["store"]["folder"] == "patients"
    assert (out / "ADTTE.parquet").exists() and (out / "kaplan_meier_pfs.svg").exists()
    assert record["regimens"][0].startswith("cleopatra:")
    # once more: nothing is simulated
    monkeypatch.setattr(observed, "encode_span", None)
    assert stdout_of([*SMALL, "--out", str(out), "--resume"])["digest"] == plain["digest"]


def test_a_damaged_chunk_is_named_and_simulated_again(tmp_path):
    out = tmp_path / "run"
    before = stdout_of([*SMALL, "--out", str(out), "--chunk", "64", "--no-tables"])
    assert {p.name for p in out.iterdir()} == {"patients", "run.json"}
    path = out / "patients" / "model" / "000000000064-000000000099.parquet"
    content = bytearray(path.read_bytes())
    content[500] ^= 4
    path.write_bytes(bytes(content))
    done = CliRunner().invoke(app, [*SMALL, "--out", str(out), "--resume"])
    assert f"{path.name}: damaged, its digest differs; its patients are simulated again" in done.stderr
    assert json.loads(done.stdout)["digest"] == before["digest"]


@pytest.mark.parametrize(
    ("changed", "text"),
    [(["--seed", "2"], "seed was 1, now 2"), (["n9831"], "trial was cleopatra, now n9831")],
)
def test_patients_of_another_run_are_not_joined(tmp_path, changed, text):
    out = ["--out", str(tmp_path / "run")]
    stdout_of([*SMALL, *out, "--chunk", "500", "--no-tables"])
    other = [changed[0] if a == "cleopatra" and len(changed) == 1 else a for a in SMALL]
    other += changed if len(changed) > 1 else []
    with pytest.raises(StoreError, match=text):
        CliRunner().invoke(app, [*other, *out, "--resume"], catch_exceptions=False)


def test_other_code_or_parameters_are_another_run(monkeypatch, cleopatra):
    before = store_identity(cleopatra, 1)
    monkeypatch.setattr(run, "fingerprint", lambda: "another version of the kernel")
    assert store_identity(cleopatra, 1) != before


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["--resume"], "name it with --out"), (["--chunk", "10"], "name it with --out"),
     (["--patients", "3000000"], "without --out: expected at most 2000000 in memory")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_at_once(arguments, text):
    with pytest.raises(OutputError, match=text):
        CliRunner().invoke(app, ["trial", "cleopatra", *arguments], catch_exceptions=False)


# --- files beside a store ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    out = tmp_path / "run"
    ChunkStore.create(out / "patients", {}).close()
    return out


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_files_take_their_places_beside_the_patients(folder):
    import polars as pl

    table = pl.DataFrame({"x": [1]})
    write_outputs(folder, {"A": table, "B": table}, {}, {"seed": 1}, beside_store=True)
    assert names(folder) == ["A.csv", "A.parquet", "B.csv", "B.parquet", "patients", "run.json"]
    write_outputs(folder, {"A": table}, {}, {"seed": 2}, beside_store=True)
    assert names(folder) == ["A.csv", "A.parquet", "patients", "run.json"]
    assert json.loads((folder / "run.json").read_text())["seed"] == 2
    assert (folder / "patients" / "ledger.jsonl").exists()


def test_patients_are_not_replaced_by_a_small_run(folder):
    for refuse in (lambda: check_folder(folder), lambda: write_outputs(folder, {}, {}, {})):
        with pytest.raises(OutputError, match=r"kept chunk by chunk.*--resume"):
            refuse()
    assert names(folder) == ["patients"]


def test_a_file_of_the_users_is_not_lost(folder):
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        write_outputs(folder, {}, {}, {}, beside_store=True)
    assert names(folder) == ["notes.txt", "patients"]


def test_a_full_disk_leaves_the_patients_and_no_record(folder, monkeypatch):
    import errno
    import os

    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_outputs(folder, {}, {}, {"seed": 1}, beside_store=True)
    monkeypatch.setattr(write, "_write_file", full)
    with pytest.raises(OutputError, match=r"disk is full.*the patients are kept.*--resume"):
        write_outputs(folder, {}, {}, {"seed": 2}, beside_store=True)
    assert names(folder) == ["patients", "run.json"]
    assert json.loads((folder / "run.json").read_text())["seed"] == 1
