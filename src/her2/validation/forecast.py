"""Frozen forecasts: what the model predicts of a trial, written down before its result is known.

A forecast is a JSON file with the trial as read, the settings, version and posterior behind it, the predictions, the
date, and a BLAKE2b digest of all that; `check_forecast` says whether a file is still what was written.

New agents: a file in the `agents` folder of the user's record (environment variable `HER2_RECORD`, see
`her2.evidence.load`) is an agent a trial file can give. Each agent's digest goes into the forecast, with a mark on the
user's own, and so does one digest of the whole user's record: the file says which description of a new drug it rests
on.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from her2.errors import OutputError, RecordError
from her2.evidence.load import DATA, find_file, user_folder
from her2.evidence.reading import parse_json, read_text
from her2.posterior import ENSEMBLE
from her2.trials.design import Trial, load_trial
from her2.trials.intervals import Predictive
from her2.trials.pictures.style import NOTICE
from her2.trials.write import digest_of
from her2.units import DAYS_PER_MONTH
from her2.validation.baselines import agents_of
from her2.validation.predict import TrialPrediction, check_sizes, predict_trial, with_endpoints
from her2.validation.report import number, statistic_data

KIND, FORMAT = "her2 forecast", 1
ALWAYS = ("orr", "pfs", "os", "pcr", "dfs")
"""Endpoints forecast whether the trial file reports them or not, where they exist in its setting."""
FEWEST_TRIALS = 1000
_OWN = ("digest",)
_WHEN = ("digest", "date", "prediction_digest")


def make_forecast(
    source: str,
    *,
    members: int = 32,
    patients: int = 256,
    trials: int = FEWEST_TRIALS,
    seed: int = 1,
    jobs: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Forecast one trial at its real size, allocation and follow-up.

    Parameters
    ----------
    source : path of a trial file, or a built-in trial
    members, patients, trials : posterior members, virtual patients per member, simulated trials

    Raises
    ------
    her2.errors.Her2Error
        If the file cannot be read or the trial not simulated, or for fewer than 1,000 simulated trials.
    """
    if trials < FEWEST_TRIALS:
        raise RecordError(f"{trials} simulated trials: a forecast needs {FEWEST_TRIALS} or more")
    check_sizes(members, patients, trials)
    trial = load_trial(source)
    prediction = predict_trial(
        with_endpoints(trial, ALWAYS), members=members, patients=patients, trials=trials, seed=seed, jobs=jobs,
        null=True, curves=False, on_progress=on_progress,
    )  # fmt: skip
    return freeze(trial, prediction, {"members": len(prediction.members), "patients": patients,
                                      "trials_simulated": trials, "seed": seed})  # fmt: skip


def freeze(trial: Trial, prediction: TrialPrediction, settings: Mapping[str, int]) -> dict[str, Any]:
    """The content of a frozen file, digest included."""
    from her2 import __version__

    statistics = [
        statistic_data(key, p)
        | {
            "null_model": _null(prediction.null.get(key)),
            "follow_up_months": _months(trial.cut_of(key.endpoint)),
        }
        for key, p in prediction.statistics.items()
    ]
    content: dict[str, Any] = {
        "kind": KIND,
        "format": FORMAT,
        "trial": trial.id,
        "title": trial.title,
        "version": __version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "settings": dict(settings),
        "posterior_digest": digest_of(ENSEMBLE.read_bytes()),
        "between_trial_sd": dict(prediction.between),
        "agents": _agents(trial),
        "user_record": _user_record(),
        "design": {
            "setting": trial.setting,
            "size": trial.population.size,
            "ratio": list(trial.randomisation.ratio),
            "accrual_months": _months(trial.accrual.duration),
        },
        "trial_file": trial.model_dump(mode="json", by_alias=True),
        "arms": [s for s in statistics if "arm" in s],
        "contrasts": [s for s in statistics if "contrast" in s],
        "missing": list(prediction.missing),
        "failed_patients": prediction.failed_patients,
        "run_digest": prediction.digest,
        "says": "Median and central 50, 80 and 90 % predictive intervals of one trial of this size, allocation and "
        "follow-up: parameters, patients, events, scans and differences between trials. A median without a value is "
        "not reached. The data cut of an endpoint is counted from the first patient.",
        "notice": NOTICE,
    }
    content["prediction_digest"] = content_digest(content, _WHEN)
    content["digest"] = content_digest(content, _OWN)
    return content


def content_digest(content: Mapping[str, Any], without: tuple[str, ...] = _OWN) -> str:
    """BLAKE2b (256 bit) of the content as compact JSON with sorted keys, some keys left out."""
    kept = {k: v for k, v in content.items() if k not in without}
    text = json.dumps(kept, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8"), digest_size=32).hexdigest()


def _null(p: Predictive | None) -> float | None:
    return None if p is None or not math.isfinite(p.median) else p.median


def _months(days: float) -> float:
    return round(days / DAYS_PER_MONTH, 4)


def _agents(trial: Trial) -> list[dict[str, Any]]:
    """Every agent the trial gives, with the digest of its file and whether it is the user's own."""
    found = []
    for name in sorted({a for arm in trial.arms for a in agents_of(trial, arm.id)}):
        path = find_file("agents", name)
        own = not path.resolve().is_relative_to(DATA)
        found.append({"id": name, "own": own, "digest": digest_of(path.read_bytes())})
    return found


def _user_record() -> str | None:
    """Digest of all files of the user's record, None without one: regimens or populations of one's own count, too."""
    folder = user_folder()
    if folder is None or not folder.is_dir():
        return None
    h = hashlib.blake2b(digest_size=32)
    for path in sorted(folder.rglob("*.yaml")):
        h.update(f"{path.relative_to(folder).as_posix()}\n{digest_of(path.read_bytes())}\n".encode())
    return h.hexdigest()


def write_forecast(content: Mapping[str, Any], folder: Path) -> tuple[Path, str]:
    """Write `TRIAL.forecast.json` and a readable `TRIAL.forecast.md`.

    A frozen forecast is never overwritten: an equal one is left as it is, with its date; a different one is refused.

    Returns
    -------
    The path of the JSON file, and `written` or `unchanged`.

    Raises
    ------
    her2.errors.OutputError
        If the folder cannot be written, or holds another forecast of this trial.
    """
    path = folder / f"{content['trial']}.forecast.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            old = read_forecast(path)
            if old.get("prediction_digest") == content["prediction_digest"]:
                return path, "unchanged"
            raise OutputError(
                f"{path}: holds another forecast of '{content['trial']}' (of {old.get('date')}); a frozen forecast is "
                "not overwritten: give another --out, or another id in the trial file"
            )
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        for target, body in ((path.with_suffix(".md"), forecast_text(content)), (path, text)):
            part = target.with_name(target.name + ".part")
            part.write_text(body, encoding="utf-8")
            part.replace(target)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); give another folder with --out"
        ) from error
    return path, "written"


def read_forecast(path: Path) -> dict[str, Any]:
    """A frozen file as it is, not checked.

    Raises
    ------
    her2.errors.RecordError
        If it cannot be read, or is no forecast.
    """
    content = parse_json(read_text(path, str(path)), str(path))
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise RecordError(
            f"{path}: is no frozen forecast; expected a .forecast.json of `her2 forecast --out`"
        )
    return content


def check_forecast(path: Path) -> dict[str, Any]:
    """The content of a frozen file that is still what was written.

    Raises
    ------
    her2.errors.RecordError
        If the file cannot be read, is no forecast, or does not agree with its digests.
    """
    content = read_forecast(path)
    if lacking := [k for k in ("trial", "date", "version", "digest") if not isinstance(content.get(k), str)]:
        raise RecordError(f"{path}: lacks {', '.join(lacking)}, which every frozen forecast has")
    try:
        same = content_digest(content) == content.get("digest")
        same = same and content_digest(content, _WHEN) == content.get("prediction_digest")
    except ValueError:
        same = False
    if not same:
        raise RecordError(
            f"{path}: was changed after it was frozen; its digest does not agree with its content"
        )
    return content


def forecast_text(content: Mapping[str, Any]) -> str:
    """The forecast as a readable page."""
    s = content["settings"]
    design = content["design"]
    lines = [
        f"# Forecast: {content['title']}",
        "",
        f"Trial `{content['trial']}`, {design['setting']}, {design['size']} patients, allocation "
        f"{':'.join(str(r) for r in design['ratio'])}, accrual {design['accrual_months']:.1f} months. "
        f"Frozen {content['date']} with her2 {content['version']}.",
        "",
        f"{s['trials_simulated']} simulated trials from {s['members']} members of the posterior with {s['patients']} "
        f"virtual patients each, seed {s['seed']}.",
        "",
        content["says"],
        "",
        "| statistic | of | median | 50 % | 90 % | null model | data cut, months |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in (*content["arms"], *content["contrasts"]):
        lines.append("| " + " | ".join(_row(row)) + " |")
    own = [a["id"] for a in content["agents"] if a["own"]]
    lines += [
        "",
        f"Agents described by the user: {', '.join(own)}." if own else "All agents are of the record.",
        "",
    ]
    lines += [f"Not predicted: {m}." for m in content["missing"]]
    lines += [
        f"Digest `{content['digest']}` (`her2 forecast --check FILE` verifies the JSON file).",
        "",
        NOTICE,
        "",
    ]
    return "\n".join(lines)


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    kind = row["statistic"]

    def show(x: float | None) -> str:
        return number(math.inf if x is None else x, kind)

    who = row.get("arm") or f"{row['contrast']['experimental']} v {row['contrast']['control']}"
    name = row["endpoint"].upper().replace("_", " ")
    label = {"rate": name, "median": f"median {name}, months", "hr": f"HR {name}"}[kind]
    limits = [f"[{show(row[f'low{k}'])}, {show(row[f'high{k}'])}]" for k in (50, 90)]
    null = "-" if row["null_model"] is None else show(row["null_model"])
    return (label, who, show(row["predicted"]), *limits, null, f"{row['follow_up_months']:.1f}")
