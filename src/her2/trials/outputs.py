"""What `her2 trial --out` writes: pictures, ADaM-shaped tables and the run record of a simulated trial."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from her2 import __version__
from her2.posterior import ENSEMBLE
from her2.store import ChunkStore
from her2.trials.adam import adam_tables, best_changes
from her2.trials.analyse import subgroup_effects
from her2.trials.pictures import (
    Curve,
    Published,
    RunKey,
    ShownContrast,
    WaterfallArm,
    draw_forest,
    draw_kaplan_meier,
    draw_waterfall,
)
from her2.trials.pictures.style import NOTICE
from her2.trials.report import NAMES, as_json
from her2.trials.run import Prediction, TrialResult
from her2.trials.write import PATIENTS, digest_of, write_outputs
from her2.units import DAYS_PER_MONTH
from her2.versions import digests

TITLES = {
    "pfs": "Progression-free survival",
    "ttp": "Time to progression",
    "os": "Overall survival",
    "dor": "Duration of response",
    "dfs": "Disease-free survival",
    "time_to_cns": "Time to CNS metastases",
}


def _run_key(result: TrialResult) -> RunKey:
    return RunKey(result.digest, result.seed, __version__)


def _published(p: Prediction | None) -> Published | None:
    if p is None or p.published is None or p.published.value is None:
        return None
    v = p.published
    low = float("nan") if v.ci_low is None else v.ci_low
    high = float("nan") if v.ci_high is None else v.ci_high
    return Published(float(v.value or 0.0), v.where, low, high)


def kaplan_meier_figure(result: TrialResult, endpoint: str = "pfs") -> Any:
    """Kaplan-Meier figure of the randomised trial, one curve per arm, published medians marked.

    Raises
    ------
    her2.errors.UnknownNameError
        If the trial does not report the endpoint.
    """
    from her2.errors import unknown

    data, trial = result.data, result.trial
    if endpoint not in data.times:
        raise unknown("endpoint", endpoint, data.times)
    tte = data.times[endpoint]
    curves = [
        Curve(arm.label, tte.time[data.arm == k] / DAYS_PER_MONTH, tte.event[data.arm == k])
        for k, arm in enumerate(trial.arms)
    ]
    contrasts = [
        ShownContrast(
            f"{trial.arms[x].label} v {trial.arms[c].label}", row[endpoint].value, row[endpoint].low,
            row[endpoint].high, _published(row[endpoint]), interval="90 % predictive interval",
        )
        for (x, c), row in result.contrasts.items()
        if endpoint in row
    ]  # fmt: skip
    return draw_kaplan_meier(
        curves,
        title=f"{TITLES[endpoint]}: {trial.title}",
        subtitle=f"Virtual trial, {data.arm.size:,} patients randomised; hazard ratio of all of them on both arms, "
        f"with the interval of a trial of {trial.population.size}",
        published=[_published(row.get(endpoint)) for row in result.arms],
        contrast=contrasts or None,
        y_label=TITLES[endpoint],
        run=_run_key(result),
    )


def trial_figures(result: TrialResult, tables: dict[str, Any]) -> dict[str, Any]:
    """All figures of a trial by file name: Kaplan-Meier of each reported endpoint, waterfall, forest.

    Only trials of metastatic disease have scans and so a waterfall; where no times are reported there is no forest.
    """
    trial, data = result.trial, result.data
    figures = {
        f"kaplan_meier_{e}": kaplan_meier_figure(result, e)
        for e in trial.endpoints.reported
        if e in data.times
    }
    if trial.setting == "metastatic":
        arms = [WaterfallArm(label, change, response) for label, change, response in best_changes(tables)]
        figures["waterfall"] = draw_waterfall(
            arms, title=f"Best change of the target lesions: {trial.title}", run=_run_key(result)
        )
    if not data.times:
        return figures
    control = [a.id for a in trial.arms].index(trial.control)
    endpoint = "pfs" if "pfs" in data.times else next(iter(data.times))
    for k, arm in enumerate(trial.arms):
        if k == control:
            continue
        rows = subgroup_effects(result.pool, data, endpoint, k, control)
        name = "forest" if len(trial.arms) == 2 else f"forest_{arm.id.replace('+', '_')}"
        figures[name] = draw_forest(
            rows, title=f"{TITLES[endpoint]} by subgroup: {trial.title}", experimental=arm.label,
            control=trial.arms[control].label, run=_run_key(result),
        )  # fmt: skip
    return figures


def run_record(result: TrialResult, source: str) -> dict[str, Any]:
    """Inputs, versions, seed, digests and results of a run."""
    libraries = ("numpy", "numba", "polars", "matplotlib", "scipy")
    return {
        "kind": "her2 virtual trial",
        "trial": result.trial.model_dump(mode="json", by_alias=True),
        "source": source,
        "seed": result.seed,
        "patients": result.patients,
        "status": result.status_counts,
        "screened": result.screened,
        "failed_patients": list(result.failed),
        "digest": result.digest,
        "posterior_digest": digest_of(ENSEMBLE.read_bytes()),
        "version": __version__,
        "made_with": digests(),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "libraries": {name: version_of(name) for name in libraries},
        "later_lines": [
            [
                {"regimen": line.regimen, "rule": line.rule, "passed_over": list(line.passed_over)}
                for line in plan
            ]
            for plan in result.plan.later
        ],
        "regimens": list(result.plan.names),
        "endpoints": {e: NAMES[e] for e in result.trial.endpoints.reported},
        "result": as_json(result),
        "notice": NOTICE,
    }


def write_trial(result: TrialResult, folder: Path, source: str, *, store: ChunkStore | None = None) -> None:
    """Write pictures (SVG, PNG), tables (Parquet, CSV) and `run.json` into a folder, all or nothing.

    Beside a store of the patients, which stays; where they are only there, `run.json` is all that is written.

    Raises
    ------
    her2.errors.OutputError
        If the folder cannot be written; nothing half-written is left.
    """
    record = run_record(result, source)
    if store is not None:
        chunks = store.records()
        record["store"] = {
            "folder": PATIENTS, "key": store.key, "chunks": len(chunks), "bytes": sum(c.bytes for c in chunks),
        }  # fmt: skip
    if result.whole is None:
        write_outputs(folder, {}, {}, record, beside_store=store is not None)
        return
    tables = adam_tables(result.pool, result.data)
    write_outputs(folder, tables, trial_figures(result, tables), record, beside_store=store is not None)
