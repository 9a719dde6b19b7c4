"""What a worker does for each kind of job; the same library calls as the commands make."""

from __future__ import annotations

import io
import json
import mimetypes
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from her2.web.given import case_of, trial_of
from her2.web.jobs.store import StoredFile
from her2.web.reply import dump, plain
from her2.web.run_key import run_key

CHUNKS = 8
"""Parts in which the patients of a trial are shown as they complete."""
SMALLEST_CHUNK = 64
PICTURES_AT = 0.95
"""Share of a trial job that is done when pictures and tables begin."""
FILE_TYPES = {
    ".svg": "image/svg+xml", ".png": "image/png", ".csv": "text/csv", ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet", ".md": "text/markdown", ".zip": "application/zip",
}  # fmt: skip
"""Media types of the files that jobs make, by ending."""
_WHAT = {".svg": "picture", ".png": "picture", ".csv": "table", ".parquet": "table", ".zip": "archive"}


@dataclass(frozen=True)
class Reports:
    """Where a job says how far it is.

    Attributes
    ----------
    progress : called with stage, share, patients done and patients in all (0 where there are none to count)
    partial : called with what a running trial shows
    result : called with the whole result as JSON and its digest
    """

    progress: Callable[[str, float, int, int], None]
    partial: Callable[[dict[str, Any]], None]
    result: Callable[[bytes, str], None]


def run_job(job: str, kind: str, asked: Mapping[str, Any], threads: int, say: Reports) -> list[StoredFile]:
    """Run a job and return its files; the result goes out through `say` as soon as it is there.

    Raises
    ------
    her2.errors.Her2Error
        What the user can put right.
    """
    return {"trial": _trial, "forecast": _forecast, "patient": _patient, "sequence": _sequence}[kind](
        job, asked, threads, say
    )


def _trial(job: str, asked: Mapping[str, Any], threads: int, say: Reports) -> list[StoredFile]:
    from her2.posterior import central_model
    from her2.trials.follow import simulate_pool
    from her2.trials.outputs import write_trial
    from her2.trials.run import simulate_trial
    from her2.web.jobs.trial_result import on_arms, partial, shown, tables_of

    trial = trial_of(asked.get("trial"), asked.get("yaml"), asked.get("design"))
    patients, seed = int(asked["patients"]), int(asked["seed"])
    say.progress("compiling", 0.0, 0, patients)
    # followed in parts first, so that curves grow on the page; the whole run draws the same patients again
    model = central_model()
    batches = []
    done, first = 0, 0
    size = max(SMALLEST_CHUNK, -(-patients // CHUNKS))
    # of the patient-courses of the whole run, those of the preview are about this share
    preview = 0.2 if asked["trials"] else 0.4
    courses = 0

    def followed(k: int) -> None:
        nonlocal courses
        courses += k
        # those who do not enter are followed, too, so that the count runs ahead of the patients
        share = min(courses / (patients * len(trial.arms)), 1.0)
        say.progress("patients", PICTURES_AT * preview * share, done, patients)

    while done < patients:
        n = min(size, patients - done)
        pool = simulate_pool(model, trial, n, seed, first=first, jobs=threads, on_patients=followed)
        first += pool.screened
        done += pool.n
        batches.append(on_arms(pool, seed))
        say.partial(dict(plain(partial(trial, batches, patients))))
    result = simulate_trial(
        trial, patients=patients, trials=int(asked["trials"]), seed=seed, jobs=threads,
        on_progress=lambda stage, share: say.progress(
            stage, PICTURES_AT * (preview + (1.0 - preview) * share), patients, patients
        ),
    )  # fmt: skip
    say.progress("statistics", PICTURES_AT, patients, patients)
    tables = tables_of(result)
    say.result(dump(shown(result, tables, job)), result.digest)
    say.progress("pictures and tables", PICTURES_AT, patients, patients)
    with tempfile.TemporaryDirectory(prefix="her2-") as folder:
        target = Path(folder) / "run"
        write_trial(result, target, source=asked.get("trial") or f"{trial.id} (edited on the page)")
        contents = {p.name: p.read_bytes() for p in sorted(target.iterdir())}
    return _files(contents)


def _forecast(job: str, asked: Mapping[str, Any], threads: int, say: Reports) -> list[StoredFile]:
    from her2.validation.forecast import forecast_text, make_forecast
    from her2.web.given import write_design

    say.progress("compiling", 0.0, 0, 0)
    options: dict[str, Any] = {k: int(asked[k]) for k in ("members", "patients", "trials", "seed")}
    options |= {"jobs": threads, "on_progress": lambda share: say.progress("members", share, 0, 0)}
    if asked.get("trial"):
        content = make_forecast(asked["trial"], **options)
    else:
        text = asked["yaml"] if asked.get("yaml") is not None else write_design(asked["design"])
        with tempfile.TemporaryDirectory(prefix="her2-") as folder:
            path = Path(folder) / "trial.yaml"
            path.write_text(text, encoding="utf-8")
            content = make_forecast(str(path), **options)
    digest = str(content["digest"])
    say.result(
        dump({"kind": "forecast", "run": run_key(digest, options["seed"], job), "result": content}), digest
    )
    name = f"{content['trial']}.forecast"
    frozen = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return _files({f"{name}.json": frozen.encode(), f"{name}.md": forecast_text(content).encode()})


def _patient(job: str, asked: Mapping[str, Any], threads: int, say: Reports) -> list[StoredFile]:
    from her2.prognosis.pictures import survival_steps
    from her2.prognosis.predict import Effort, predict_patient

    case = case_of(asked.get("yaml"), asked.get("case"), asked.get("bundle"))
    say.progress("compiling", 0.0, 0, 0)
    effort = Effort(
        members=asked["members"], draws=asked["draws"], twins=asked["twins"], explained=asked["explained"],
        seed=asked["seed"], jobs=threads,
    )  # fmt: skip
    found = predict_patient(
        case.state, options=asked["options"], effort=effort, findings=case.findings, on_progress=_stages(say)
    )
    curves: dict[str, Any] = {}
    for name, one in (found.curves or {}).items():
        curves[name] = {}
        for endpoint in ("pfs", "os"):
            times, shares = survival_steps(one[endpoint], one["weights"], found.run.horizon_months)  # type: ignore[arg-type]
            curves[name][endpoint] = {
                "time": [round(float(t), 3) for t in times], "survival": [round(float(x), 4) for x in shares],
            }  # fmt: skip
    content = {
        "kind": "patient", "run": run_key(found.run.digest, found.run.seed, job), "result": found.as_json(),
        "curves": curves, "horizon_months": found.run.horizon_months,
    }  # fmt: skip
    return _told(content, say)


def _sequence(job: str, asked: Mapping[str, Any], threads: int, say: Reports) -> list[StoredFile]:
    from her2.prognosis.predict import Effort
    from her2.prognosis.sequences import compare_sequences

    case = case_of(asked.get("yaml"), asked.get("case"), asked.get("bundle"))
    say.progress("compiling", 0.0, 0, 0)
    effort = Effort(
        members=asked["members"], draws=asked["draws"], twins=asked["twins"], seed=asked["seed"], jobs=threads
    )
    found = compare_sequences(
        case.state, depth=asked["depth"], regimens=asked["regimens"], uptake=tuple(asked["uptake"]), effort=effort,
        findings=case.findings, on_progress=_stages(say),
    )  # fmt: skip
    content = {
        "kind": "sequence", "run": run_key(found.run.digest, found.run.seed, job), "result": found.as_json(),
    }  # fmt: skip
    return _told(content, say)


def _stages(say: Reports) -> Callable[[str, float], None]:
    """Progress without patients to count."""
    return lambda stage, share: say.progress(stage, min(share, 0.99), 0, 0)


def _told(content: dict[str, Any], say: Reports) -> list[StoredFile]:
    """Send a result, and offer it as a file."""
    body = dump(content)
    say.result(body, str(content["run"]["digest"]))
    text = json.dumps(json.loads(body)["result"], indent=1, ensure_ascii=False) + "\n"
    return _files({"result.json": text.encode()})


def _files(contents: Mapping[str, bytes]) -> list[StoredFile]:
    """Files by name, and all of them as an archive where there are several."""
    made = []
    for name, content in contents.items():
        ending = Path(name).suffix
        kind = FILE_TYPES.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        made.append(StoredFile(name, kind, _WHAT.get(ending, "record"), content))
    if len(made) > 2:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                # a fixed date: the same run gives the same archive
                archive.writestr(zipfile.ZipInfo(f"run/{name}"), content, zipfile.ZIP_DEFLATED)
        made.append(StoredFile("run.zip", FILE_TYPES[".zip"], "archive", packed.getvalue()))
    return made
