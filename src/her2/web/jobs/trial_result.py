"""What the page draws of a simulated trial: table, curves, waterfall, swimmer, spider, forest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from her2.survival import kaplan_meier
from her2.trials.adam import adam_tables, best_changes
from her2.trials.analyse import RATES, TrialData, observe_arms, subgroup_effects
from her2.trials.report import as_json
from her2.units import DAYS_PER_MONTH
from her2.web.record_view import load_view, published
from her2.web.reply import plain
from her2.web.run_key import run_key

if TYPE_CHECKING:
    import polars as pl

    from her2.trials.cut import TimeToEvent
    from her2.trials.design import Trial
    from her2.trials.follow import Pool
    from her2.trials.run import Prediction, TrialResult

MOST_POINTS = 160
"""Points of a curve; a screen shows no more."""
MOST_BARS, MOST_LANES = 400, 40
"""Patients of an arm in the waterfall, and in swimmer and spider."""


def curve(arm: str, tte: TimeToEvent, inside: Any = None, most: int = MOST_POINTS) -> dict[str, Any]:
    """A Kaplan-Meier curve in months with its 95 % band, thinned, and the numbers at risk.

    The points kept are evenly spread over the path of the curve, down and to the right; the last one is kept.
    """
    time = tte.time / DAYS_PER_MONTH
    event = tte.event
    if inside is not None:
        time, event = time[inside], event[inside]
    km = kaplan_meier(time, event)
    at = np.concatenate([[0], np.flatnonzero(km.n_events > 0), [km.times.size - 1]])
    if at.size > most:
        # even in the sum of levels fallen and time passed, so that steep and flat parts both keep points
        fallen = (1.0 - km.survival[at]) + km.times[at] / max(float(km.times[-1]), 1e-9)
        wanted = np.linspace(fallen[0], fallen[-1], most)
        at = at[np.unique(np.clip(np.searchsorted(fallen, wanted), 0, at.size - 1))]
    at = np.unique(at)
    low, high = km.lower[at], km.upper[at]
    step = risk_step(float(km.times[-1]))
    ticks = np.arange(0.0, float(km.times[-1]) + 1e-9, step)
    return {
        "arm": arm,
        "time": [0.0, *_short(km.times[at])], "survival": [1.0, *_short(km.survival[at])],
        "low": [1.0, *_short(low)], "high": [1.0, *_short(high)],
        "at_risk": {"time": [float(t) for t in ticks], "n": [int(n) for n in km.n_at_risk_at(ticks)]},
        "median": _number(km.median()), "n": int(time.size), "events": int(event.sum()),
    }  # fmt: skip


def risk_step(longest: float) -> float:
    """Months between numbers at risk: a usual step that gives at most ten."""
    return next((s for s in (1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0) if longest / s <= 10.0), 96.0)


def _short(values: Any) -> list[float | None]:
    return [None if not math.isfinite(v) else round(float(v), 4) for v in values]


def _number(x: float) -> float | None:
    return round(float(x), 4) if math.isfinite(x) else None


def on_arms(pool: Pool, seed: int) -> list[TrialData]:
    """Every patient observed on every arm."""
    return [observe_arms(pool, np.full(pool.n, k), seed) for k in range(len(pool.plan.trial.arms))]


def curves_of(trial: Trial, data: Sequence[TrialData], most: int = MOST_POINTS) -> dict[str, Any]:
    """Curves of all patients on each arm by reported endpoint."""
    return {
        e: [curve(arm.id, data[k].times[e], most=most) for k, arm in enumerate(trial.arms)]
        for e in shown_times(trial, data[0])
    }


def shown_times(trial: Trial, data: TrialData) -> list[str]:
    """Endpoints with times, those reported first."""
    reported = [e for e in trial.endpoints.reported if e in data.times]
    return reported + [e for e in data.times if e not in reported]


def join(parts: Sequence[TrialData]) -> TrialData:
    """The same arm of several batches of patients as one."""
    first = parts[0]
    return TrialData(
        patient=np.concatenate([p.patient for p in parts]),
        arm=np.concatenate([p.arm for p in parts]),
        enrol_day=np.concatenate([p.enrol_day for p in parts]),
        lost_day=np.concatenate([p.lost_day for p in parts]),
        times={
            e: type(t)(
                np.concatenate([p.times[e].time for p in parts]),
                np.concatenate([p.times[e].event for p in parts]),
                np.concatenate([p.times[e].reason for p in parts]),
            )
            for e, t in first.times.items()
        },
        rates={e: np.concatenate([p.rates[e] for p in parts]) for e in first.rates},
    )


def partial(trial: Trial, batches: Sequence[Sequence[TrialData]], of: int) -> dict[str, Any]:
    """What a running trial shows: curves, rates, medians and hazard ratios of the patients so far.

    Parameters
    ----------
    batches : of patients, each observed on every arm
    of : patients in the end
    """
    from her2.survival import two_arm_cox, wilson

    names = [a.id for a in trial.arms]
    data = [join([b[k] for b in batches]) for k in range(len(names))]
    control = names.index(trial.control)
    curves = curves_of(trial, data, most=80)
    rates: dict[str, list[dict[str, Any]]] = {}
    for e in [str(e) for e in trial.endpoints.reported if e in RATES]:
        rows = []
        for k, name in enumerate(names):
            flags = data[k].rates[e]
            limits = wilson(int(flags.sum()), int(flags.size))
            rows.append(
                {"arm": name, "value": float(flags.mean()), "low": limits.lower, "high": limits.upper}
            )
        rates[e] = rows
    ratios: dict[str, list[dict[str, Any]]] = {}
    for e in curves:
        ratios[e] = []
        for k, name in enumerate(names):
            if k == control:
                continue
            one, other = data[k].times[e], data[control].times[e]
            fit = two_arm_cox(
                np.concatenate([one.time, other.time]),
                np.concatenate([one.event, other.event]),
                np.concatenate([np.ones(one.time.size, dtype=bool), np.zeros(other.time.size, dtype=bool)]),
            )
            ratios[e].append({
                "experimental": name, "control": names[control], "hr": _number(fit.hazard_ratio),
                "low": _number(fit.lower), "high": _number(fit.upper),
            })  # fmt: skip
    medians = {e: [{"arm": c["arm"], "value": c["median"]} for c in rows] for e, rows in curves.items()}
    return {
        "patients": int(data[0].patient.size), "of": of, "curves": curves, "rates": rates, "medians": medians,
        "hr": ratios,
    }  # fmt: skip


def table(result: TrialResult) -> list[dict[str, Any]]:
    """Every predicted statistic beside the published one."""
    trial = result.trial
    rows = []
    for arm, predicted in zip(trial.arms, result.arms, strict=True):
        for e, p in predicted.items():
            unit = ("rate", "fraction") if e in RATES else ("median", "month")
            rows.append(
                {"arm": arm.id, "contrast": None, "endpoint": e, "statistic": unit[0], "unit": unit[1]}
                | _row(p)
            )
    for (x, c), predicted in result.contrasts.items():
        pair = {"experimental": trial.arms[x].id, "control": trial.arms[c].id}
        for e, p in predicted.items():
            rows.append(
                {"arm": None, "contrast": pair, "endpoint": e, "statistic": "hr", "unit": "ratio"} | _row(p)
            )
    return rows


def _row(p: Prediction) -> dict[str, Any]:
    v = p.published
    split = None
    if p.split is not None:
        s = p.split
        split = {
            "parameters": s.parameters, "patients": s.patients, "events_and_scans": s.noise,
            "between_trials": s.between_trials,
        }  # fmt: skip
    return {
        "predicted": p.value, "low": p.low, "high": p.high, "mc_error": p.mc_error, "null_model": p.null,
        "published": v.value if v else None, "published_low": v.ci_low if v else None,
        "published_high": v.ci_high if v else None, "source": v.where if v else None, "figure": v.id if v else None,
        "role": v.role if v else None, "uncertainty": split,
    }  # fmt: skip


def waterfall(
    tables: Mapping[str, pl.DataFrame], trial: Trial, most: int = MOST_BARS
) -> list[dict[str, Any]]:
    """Best change of every patient of one randomised trial, largest growth first; thinned where many."""
    shown = []
    for arm, (_, change, response) in zip(trial.arms, best_changes(dict(tables)), strict=True):
        known = np.flatnonzero(np.isfinite(change))
        order = known[np.argsort(-change[known], kind="stable")]
        if order.size > most:
            order = order[np.linspace(0, order.size - 1, most).round().astype(int)]
        shown.append({
            "arm": arm.id, "n": int(known.size),
            "patients": [{"change": round(float(change[i]), 4), "response": response[i]} for i in order],
        })  # fmt: skip
    return shown


def lanes(
    tables: Mapping[str, pl.DataFrame], trial: Trial, most: int = MOST_LANES
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Swimmer and spider: courses of the first patients of every arm of one randomised trial, months from entry."""
    import polars as pl

    subjects = tables["ADSL"].select("USUBJID", "TRT01PN", "DTHDY", "LSTALVDY")
    responses, times, tumours = tables["ADRS"], tables["ADTTE"], tables["ADTR"]
    swimmer, spider = [], []
    numbers = sorted(subjects["TRT01PN"].unique().to_list())
    for arm, number in zip(trial.arms, numbers, strict=True):
        chosen = subjects.filter(pl.col("TRT01PN") == number).head(most)
        names = chosen["USUBJID"].to_list()
        best = _by_subject(responses.filter(pl.col("PARAMCD") == "CBOR"), names, "AVALC")
        started = _by_subject(
            responses.filter((pl.col("PARAMCD") == "CRSP") & pl.col("ADY").is_not_null()), names, "ADY"
        )
        pfs = times.filter((pl.col("PARAMCD") == "PFS") & (pl.col("CNSR") == 0))
        progressed = _by_subject(pfs, names, "AVAL")
        own = tumours.filter(pl.col("USUBJID").is_in(names) & (pl.col("PARAMCD") == "SUMDIAM"))
        courses = {str(k[0]): t for k, t in own.group_by("USUBJID", maintain_order=True)}
        drawn, lines = [], []
        for row in chosen.iter_rows(named=True):
            name = row["USUBJID"]
            at = courses.get(name)
            days = [] if at is None else at["ADY"].to_list()
            death = _month(row["DTHDY"])
            event = _month(progressed.get(name))
            drawn.append({
                "id": name, "best": best.get(name), "end": _month(row["LSTALVDY"]),
                "response": _month(started.get(name)),
                "progression": event if event != death else None, "death": death,
                "scans": [_month(d) for d in days if d > 0],
            })  # fmt: skip
            if at is not None and len(days) > 1:
                change = [0.0 if c is None else round(c / 100.0, 4) for c in at["PCHG"].to_list()]
                lines.append({
                    "id": name, "best": best.get(name), "months": [_month(d) for d in days], "change": change,
                })  # fmt: skip
        swimmer.append({"arm": arm.id, "patients": drawn})
        spider.append({"arm": arm.id, "patients": lines})
    return swimmer, spider


def _by_subject(rows: pl.DataFrame, names: Sequence[str], column: str) -> dict[str, Any]:
    import polars as pl

    few = rows.filter(pl.col("USUBJID").is_in(names))
    return dict(zip(few["USUBJID"].to_list(), few[column].to_list(), strict=True))


def _month(day: float | None) -> float | None:
    return None if day is None or not math.isfinite(day) else round(day / DAYS_PER_MONTH, 3)


def forests(result: TrialResult) -> list[dict[str, Any]]:
    """Subgroups of every contrast: the trial's estimate beside the true effect from twins."""
    trial, data = result.trial, result.data
    if not data.times:
        return []
    names = [a.id for a in trial.arms]
    control = names.index(trial.control)
    endpoint = "pfs" if "pfs" in data.times else next(iter(data.times))
    return [
        {"experimental": name, "control": names[control], "endpoint": endpoint,
         "rows": subgroup_effects(result.pool, data, endpoint, k, control)}
        for k, name in enumerate(names) if k != control
    ]  # fmt: skip


def shown(
    result: TrialResult,
    tables: Mapping[str, pl.DataFrame],
    job: str = "",
    bars: int = MOST_BARS,
    few: int = MOST_LANES,
) -> dict[str, Any]:
    """Everything the page shows of a trial."""
    trial = result.trial
    swimmer, spider = lanes(tables, trial, few) if trial.setting == "metastatic" else ([], [])
    data = result.data
    randomised = {
        e: [curve(a.id, data.times[e], data.arm == k) for k, a in enumerate(trial.arms)]
        for e in shown_times(trial, data)
    }
    content = {
        "kind": "trial",
        "run": run_key(result.digest, result.seed, job),
        "result": as_json(result),
        "design": trial.model_dump(mode="json", by_alias=True),
        "arms": [{"id": a.id, "label": a.label} for a in trial.arms],
        "curves": curves_of(trial, on_arms(result.pool, result.seed)),
        "trial_curves": randomised,
        "table": table(result),
        "waterfall": waterfall(tables, trial, bars) if trial.setting == "metastatic" else [],
        "swimmer": swimmer,
        "spider": spider,
        "forest": forests(result),
        "published": published(load_view(), trial.study),
    }
    return dict(plain(content))


def tables_of(result: TrialResult) -> dict[str, pl.DataFrame]:
    """ADaM-shaped tables of the randomised trial."""
    return adam_tables(result.pool, result.data)
