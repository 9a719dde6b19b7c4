"""What `her2 trial` prints: the predicted trial beside the published one, and the same as one JSON object."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from her2.trials.endpoints import RATE_RULES
from her2.trials.pictures.style import NOTICE
from her2.trials.run import Prediction, TrialResult

if TYPE_CHECKING:
    from rich.console import Console

RATES = tuple(RATE_RULES)
NAMES = {
    "orr": "ORR, confirmed",
    "cbr": "clinical benefit",
    "pfs": "median PFS",
    "ttp": "median TTP",
    "os": "median OS",
    "dor": "median duration of response",
    "dfs": "median DFS",
    "time_to_cns": "median time to CNS metastases",
    "cns_orr": "response of brain metastases",
    "cns_incidence": "CNS metastases by progression",
    "cns_first": "CNS as first site",
    "pcr": "pathological complete response",
}
KEYS = {e: e if e in RATES else f"median_{e}" for e in NAMES}
"""Name of each endpoint in the JSON object."""
SHOWN_EVENTS = 8
"""Adverse events shown for an arm; the JSON object has all."""


def _number(x: float, kind: str) -> str:
    """A statistic for reading: rates in percent, times in months."""
    if math.isnan(x) or math.isinf(x):
        return "not reached" if kind == "median" else "-"
    if kind == "rate":
        return f"{100 * x:.1f} %"
    return f"{x:.2f}" if kind == "hr" else f"{x:.1f}"


def _error(x: float, kind: str) -> str:
    """A Monte-Carlo error for reading; a dash where it cannot be computed."""
    return _number(x, kind) if math.isfinite(x) else "-"


def _shown(p: Prediction, kind: str) -> str:
    low, high = _number(p.low, kind).removesuffix(" %"), _number(p.high, kind).removesuffix(" %")
    return f"{_number(p.value, kind)} [{low}, {high}]"


def _published_text(p: Prediction, kind: str) -> tuple[str, str, str]:
    """Published figure, its place and whether it was fitted."""
    v = p.published
    if v is None or v.value is None:
        return "not printed", "", ""
    text = _number(v.value, kind)
    if v.ci_low is not None and v.ci_high is not None:
        text += f" [{v.ci_low:g}, {v.ci_high:g}]"
    role = {"fit": "fitted", "held_out": "held out", "context": "not used"}[v.role]
    return text, v.where, role


def print_report(result: TrialResult, console: Console) -> None:
    """Print the tables of a trial to a rich console."""
    from rich.markup import escape
    from rich.table import Table

    trial = result.trial
    console.print(f"[bold]{escape(trial.title)}[/bold]")
    predictive = result.replicates is not None
    interval = "90 %" if predictive else "95 % CI"
    meaning = (
        f"90 % predictive, trial of {trial.population.size} patients"
        if predictive
        else "95 % confidence of the estimate, no trials drawn"
    )
    console.print(
        f"{result.patients:,} virtual patients on every arm, {len(result.failed)} failed; intervals: {meaning}"
    )
    if trial.study is None:
        console.print("No published study is named in the trial file: predictions only.")
    table = Table(title="Arms: predicted beside published", title_justify="left")
    for head in ("arm", "endpoint"):
        table.add_column(head, overflow="fold")
    for head in (f"predicted [{interval}]", "published", "null model", "MC error"):
        table.add_column(head, justify="right")
    table.add_column("source")
    table.add_column("role")
    for arm, row in zip(trial.arms, result.arms, strict=True):
        for k, (e, p) in enumerate(row.items()):
            kind = "rate" if e in RATES else "median"
            text, where, role = _published_text(p, kind)
            unit = "" if kind == "rate" else ", months"
            table.add_row(
                escape(arm.label) if k == 0 else "",
                NAMES[e] + unit,
                _shown(p, kind),
                text,
                _number(p.null, kind),
                _error(p.mc_error, kind),
                where,
                role,
                end_section=k == len(row) - 1,
            )
    console.print(table)
    if result.contrasts:
        table = Table(title="Contrasts: hazard ratios", title_justify="left")
        for head in ("contrast", "endpoint"):
            table.add_column(head, overflow="fold")
        for head in (f"predicted [{interval}]", "published", "null model", "MC error"):
            table.add_column(head, justify="right")
        table.add_column("source")
        table.add_column("role")
        for (x, c), row in result.contrasts.items():
            for k, (e, p) in enumerate(row.items()):
                text, where, role = _published_text(p, "hr")
                label = f"{trial.arms[x].label} v {trial.arms[c].label}"
                table.add_row(
                    escape(label) if k == 0 else "", f"HR {e.upper()}", _shown(p, "hr"), text, _number(p.null, "hr"),
                    _error(p.mc_error, "hr"), where, role,
                )  # fmt: skip
        console.print(table)
    _print_events(result, console)
    _print_split(result, console)
    later = [line for plan in result.plan.later for line in plan]
    if later:
        passed = sorted({x for line in later for x in line.passed_over})
        rules = sorted({line.rule for line in later})
        text = "Later lines by the rules " + ", ".join(rules)
        if passed:
            text += "; not yet in the engine and passed over: " + ", ".join(passed)
        console.print(escape(text) + ".", style="dim")
    for line in misfits(result):
        console.print(escape(line))
    console.print(f"digest {result.digest}  seed {result.seed}  {result.elapsed_s:.1f} s", style="dim")
    console.print(NOTICE, style="italic")


def _print_events(result: TrialResult, console: Console) -> None:
    """Table of the most frequent severe adverse events of each arm."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title="Adverse events until progression (rates are given to the model, not predicted)",
        title_justify="left",
    )
    for head in ("arm", "event"):
        table.add_column(head, overflow="fold")
    for head in ("grade 3-4", "published", "any grade", "published", "stopped a drug"):
        table.add_column(head, justify="right")
    for arm, rows in zip(result.trial.arms, result.adverse_events, strict=True):
        top = [*rows[:-1][:SHOWN_EVENTS], *rows[-1:]]
        for k, r in enumerate(top):
            printed = [
                "" if v is None or v.value is None else _number(v.value, "rate")
                for v in (r.published_severe, r.published_any)
            ]
            table.add_row(
                escape(arm.label) if k == 0 else "", r.label, _number(r.severe, "rate"), printed[0],
                _number(r.any, "rate"), printed[1], _number(r.discontinued, "rate"), end_section=k == len(top) - 1,
            )  # fmt: skip
    if table.row_count:
        console.print(table)


def _print_split(result: TrialResult, console: Console) -> None:
    """Table of the share of each source of uncertainty."""
    from rich.markup import escape
    from rich.table import Table

    rows: list[tuple[str, str, Prediction]] = []
    for arm, row in zip(result.trial.arms, result.arms, strict=True):
        rows += [(arm.label, NAMES[e], p) for e, p in row.items() if p.split]
    for row in result.contrasts.values():
        rows += [("contrast", f"HR {e.upper()}", p) for e, p in row.items() if p.split]
    if not rows:
        return
    table = Table(title="Where the uncertainty comes from (share of variance)", title_justify="left")
    table.add_column("")
    table.add_column("")
    for head in ("parameters", "patients", "events and scans", "between trials"):
        table.add_column(head, justify="right")
    last = ""
    for label, name, p in rows:
        assert p.split is not None
        s = p.split
        table.add_row(
            escape(label) if label != last else "", name,
            *(f"{100 * x:.0f} %" for x in (s.parameters, s.patients, s.noise, s.between_trials)),
        )  # fmt: skip
        last = label
    console.print(table)


def misfits(result: TrialResult) -> list[str]:
    """Published figures outside the 90 % predictive interval, as plain sentences; the largest first."""
    if result.replicates is None:
        return ["No trials were drawn (--trials 0): published figures are shown, not judged."]
    found: list[tuple[float, str]] = []
    for arm, row in zip(result.trial.arms, result.arms, strict=True):
        for e, p in row.items():
            kind = "rate" if e in RATES else "median"
            found += _miss(p, f"{arm.label}, {NAMES[e]}", kind)
    for row in result.contrasts.values():
        for e, p in row.items():
            found += _miss(p, f"HR {e.upper()}", "hr")
    if not found:
        return ["All published figures shown lie inside their 90 % predictive intervals."]
    return [f"Misses: {text}" for _, text in sorted(found, reverse=True)]


def _miss(p: Prediction, what: str, kind: str) -> list[tuple[float, str]]:
    v = p.published
    if v is None or v.value is None or p.low <= v.value <= p.high:
        return []
    size = abs(math.log(v.value / p.value)) if p.value > 0 else math.inf
    return [
        (
            size,
            f"{what}: published {_number(v.value, kind)} lies outside "
            f"[{_number(p.low, kind)}, {_number(p.high, kind)}]",
        )
    ]


def as_json(result: TrialResult) -> dict[str, Any]:
    """The result as one JSON object; times in months, rates as fractions."""
    trial = result.trial

    def item(p: Prediction | None) -> dict[str, Any]:
        if p is None:
            return {"value": None, "low": None, "high": None, "published": None}
        v = p.published
        out: dict[str, Any] = {
            "value": _clean(p.value),
            "low": _clean(p.low),
            "high": _clean(p.high),
            "published": v.value if v else None,
            "mc_error": _clean(p.mc_error),
            "source": v.where if v else None,
            "role": v.role if v else None,
        }
        if v and v.ci_low is not None:
            out["published_low"], out["published_high"] = v.ci_low, v.ci_high
        if p.split is not None:
            s = p.split
            out["uncertainty"] = {
                "parameters": s.parameters,
                "patients": s.patients,
                "events_and_scans": s.noise,
                "between_trials": s.between_trials,
            }
        return out

    keys = KEYS
    usual = {"metastatic": ("orr", "cbr", "pfs", "os"), "neoadjuvant": ("pcr",), "adjuvant": ("dfs", "os")}
    arms = []
    for arm, row in zip(trial.arms, result.arms, strict=True):
        entry: dict[str, Any] = {"name": arm.id, "label": arm.label, "n": result.patients}
        for e in dict.fromkeys((*usual[trial.setting], *row)):
            entry[keys[e]] = item(row.get(e))
        arms.append(entry)
    contrasts = [
        {
            "endpoint": e,
            "experimental": trial.arms[x].id,
            "control": trial.arms[c].id,
            "hr": item(p),
        }
        for (x, c), row in result.contrasts.items()
        for e, p in row.items()
    ]
    null = {
        "arms": [
            {"name": arm.id, **{keys[e]: _clean(p.null) for e, p in row.items()}}
            for arm, row in zip(trial.arms, result.arms, strict=True)
        ],
        "contrasts": [
            {
                "endpoint": e,
                "experimental": trial.arms[x].id,
                "control": trial.arms[c].id,
                "hr": _clean(p.null),
            }
            for (x, c), row in result.contrasts.items()
            for e, p in row.items()
        ],
    }
    return {
        "trial": trial.id,
        "seed": result.seed,
        "patients": result.patients,
        "trial_size": trial.population.size,
        "failed_patients": list(result.failed),
        "arms": arms,
        "contrasts": contrasts,
        "null_model": null,
        "adverse_events": {
            arm.id: [
                {
                    "term": r.term,
                    "grade_3_4": r.severe,
                    "any_grade": r.any,
                    "published_grade_3_4": r.published_severe.value if r.published_severe else None,
                    "published_any_grade": r.published_any.value if r.published_any else None,
                    "discontinued": r.discontinued,
                    "given_from": r.given_from,
                }
                for r in rows
            ]
            for arm, rows in zip(trial.arms, result.adverse_events, strict=True)
        },
        "baseline": [
            {"name": r.name, "recipe": r.wanted, "drawn": r.drawn, "source": r.source}
            for r in result.baseline
        ],
        "misses": [m for m in misfits(result) if m.startswith("Misses")],
        "digest": result.digest,
        "elapsed_s": round(result.elapsed_s, 3),
        "notice": NOTICE,
    }


def _clean(x: float) -> float | None:
    """None for what JSON cannot hold."""
    return None if math.isnan(x) or math.isinf(x) else float(x)
