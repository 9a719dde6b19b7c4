"""Validation as tables for the terminal, as one JSON object and as a page of the documentation; misses first."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from her2.trials.pictures.style import NOTICE
from her2.validation.baselines import SAYS
from her2.validation.monte_carlo import monte_carlo_error, on_own_scale
from her2.validation.pairs import Figure
from her2.validation.predict import LEVELS, SUBGROUP_FACTOR, StatKey
from her2.validation.reasons import reason_of
from her2.validation.run import Validated, Validation
from her2.validation.scores import GROUPS, Compared, Score, Versus

if TYPE_CHECKING:
    from rich.console import Console

    from her2.trials.between import BetweenFile
    from her2.trials.intervals import Predictive

GROUP_SAYS = {
    "fit": "Fitted figures: reproduction, not prediction",
    "held_out": "Held-out figures: prediction",
    "context": "Figures neither fitted nor held out: prediction, but seen while the model was built",
    "leave_one_out": "Every figure, its trial left out of the fit",
}
ROLE_SAYS = {"fit": "fitted", "held_out": "held out", "context": "not used"}
BASELINE_NAMES = {
    "null_model": "null model", "nearest_arm": "nearest arm", "class_mean": "class mean", "constant_hr": "HR = 0.8",
}  # fmt: skip

RUN_HEADS = ("date", "version", "digest", "posterior", "trials", "figures")
"""Columns of the log of held-out runs that the page shows."""
PICTURE_SAYS = {
    "forest_hr": "Hazard ratios, predicted and published",
    "forest_median": "Medians, predicted and published",
    "forest_rate": "Rates, predicted and published",
    "calibration": "Calibration of the predictive intervals",
    "kaplan_meier_grid": "Predicted curves and published medians",
}
TRIAL_HEADS = (
    "statistic", "of", "published", "predicted", "50 %", "90 %", "null model", "trial left out", "role",
)  # fmt: skip
"""Columns of the table of one trial."""


def as_json(validation: Validation) -> dict[str, Any]:
    """Everything that `her2 validate --json` prints; months, fractions, ratios."""
    return {
        "trials": [_trial_data(v) for v in validation.trials],
        "not_run": [{"id": n.name, "error": n.error} for n in validation.not_run],
        "without_trial_file": list(validation.without_trial),
        "not_predicted": [
            {"trial": u.trial, "figure": u.id, "role": u.role, "reason": u.reason} for u in validation.unpaired
        ],
        "scores": {g: {s.name: _score_data(s) for s in _of(validation.scores, g)} for g in _groups(validation)},
        "baselines": {
            name: {
                "says": says,
                "scores": {
                    g: {
                        s.name: {"value": _clean(s.versus[name].baseline), "n": s.versus[name].n}
                        for s in _of(validation.scores, g)
                        if name in s.versus
                    }
                    for g in _groups(validation)
                },
            }
            for name, says in SAYS.items()
        },
        "misses": [
            {"trial": v.trial.id, "endpoint": c.figure.key.endpoint, "who": c.figure.key.who,
             "distance": _clean(d), "reason": reason_of(v.trial.id, c.figure.key)}
            for d, v, c in validation.misses()
        ],
        "held_out": validation.held_out,
        "settings": dict(validation.settings),
        "between_trial_sd": dict(validation.between),
        "between_trial_sd_fitted": dict(validation.between_fitted),
        "version": validation.version,
        "posterior_digest": validation.posterior_digest,
        "digest": validation.digest,
        "notice": NOTICE,
    }  # fmt: skip


def _groups(validation: Validation) -> list[str]:
    return [g for g in GROUPS if g != "held_out" or validation.held_out]


def _of(scores: Iterable[Score], group: str) -> list[Score]:
    return [s for s in scores if s.group == group]


def _trial_data(v: Validated) -> dict[str, Any]:
    by_key = {c.figure.key: c for c in v.compared}
    left = v.left_out
    return {
        "id": v.trial.id,
        "title": v.trial.title,
        "role": v.paired.role,
        "size": v.trial.population.size,
        "failed_patients": v.prediction.failed_patients,
        "endpoints": [
            statistic_data(key, p)
            | _published_data(by_key.get(key))
            | {"null_model": _clean(v.prediction.null[key].median) if key in v.prediction.null else None}
            | {"left_out": _left_out_data(left.statistics[key])}
            for key, p in v.prediction.statistics.items()
        ],
        "left_out": {
            "method": left.method, "figures": left.figures, "resolved": left.is_resolved,
        },
        "missing": list(v.prediction.missing),
        "digest": v.prediction.digest,
    }  # fmt: skip


def statistic_data(key: StatKey, p: Predictive) -> dict[str, Any]:
    """A predicted statistic as JSON holds it: what it is of, median and intervals."""
    data: dict[str, Any] = {"endpoint": key.endpoint, "statistic": "hr" if key.kind == "hr" else key.kind}
    if key.arm:
        data["arm"] = key.arm
    else:
        data["contrast"] = {"experimental": key.experimental, "control": key.control}
    if key.subgroup:
        data["subgroup"] = key.subgroup
    data["unit"] = {"rate": "fraction", "median": "month", "hr": "ratio"}[key.kind]
    data["predicted"] = _clean(p.median)
    for level in LEVELS:
        low, high = p.limits(level)
        data[f"low{round(100 * level)}"], data[f"high{round(100 * level)}"] = _clean(low), _clean(high)
    error = monte_carlo_error(p)
    data["mc_error"] = {
        "predicted": _clean(on_own_scale(error.median, p.median, p.kind)),
        "low90": _clean(on_own_scale(error.end, p.limits(0.9)[0], p.kind)),
        "high90": _clean(on_own_scale(error.end, p.limits(0.9)[1], p.kind)),
    }
    return data


def _published_data(c: Compared | None) -> dict[str, Any]:
    if c is None:
        return {"published": None, "inside90": None, "role": "forecast"}
    f = c.figure
    return {
        "published": f.value, "published_low": f.ci_low, "published_high": f.ci_high, "inside90": c.inside(0.9),
        "role": f.role, "figure": f.id, "source": f.where, "corrected": f.corrected,
        **({"note": f.note} if f.note else {}),
    }  # fmt: skip


def _left_out_data(p: Predictive) -> dict[str, Any]:
    low, high = p.limits(0.9)
    return {"predicted": _clean(p.median), "low90": _clean(low), "high90": _clean(high)}


def _score_data(s: Score) -> dict[str, Any]:
    data: dict[str, Any] = {
        "says": s.says,
        "value": _clean(s.value),
        "n": s.n,
        "unit": s.unit,
        "better": s.better,
    }
    if not math.isnan(s.low):
        data |= {"low95": s.low, "high95": s.high}
    if not math.isnan(s.nominal):
        data["nominal"] = s.nominal
    data["beats"] = {name: v.beats for name, v in s.versus.items()}
    data["versus"] = {
        name: {"model": _clean(v.model), "baseline": _clean(v.baseline), "n": v.n}
        for name, v in s.versus.items()
    }
    return data


def _clean(x: float) -> float | None:
    """None for what JSON cannot hold."""
    return float(x) if math.isfinite(x) else None


def number(x: float, kind: str) -> str:
    """A statistic for reading: rates in percent, months, ratios."""
    if math.isnan(x):
        return "-"
    if math.isinf(x):
        return "not reached" if kind == "median" else "-"
    return f"{100 * x:.1f} %" if kind == "rate" else f"{x:.2f}" if kind == "hr" else f"{x:.1f}"


def interval(p: Predictive, level: float, kind: str) -> str:
    """Limits for reading."""
    low, high = p.limits(level)
    return f"[{number(low, kind).removesuffix(' %')}, {number(high, kind).removesuffix(' %')}]"


def what(key: StatKey) -> str:
    """The statistic in words."""
    name = key.endpoint.upper().replace("_", " ")
    return {"rate": name, "median": f"median {name}, months", "hr": f"HR {name}"}[key.kind]


def published(f: Figure) -> str:
    """A published figure for reading, with its interval; marked where the print is corrected."""
    kind = f.key.kind
    text = number(f.value, kind)
    if f.ci_low is not None and f.ci_high is not None:
        text += (
            f" [{number(f.ci_low, kind).removesuffix(' %')}, {number(f.ci_high, kind).removesuffix(' %')}]"
        )
    return text + (" (corrected)" if f.corrected else "")


def score_value(s: Score) -> str:
    """A score for reading."""
    text = _amount(s.value, s.unit)
    return f"{text} [{_amount(s.low, s.unit)}, {_amount(s.high, s.unit)}]" if not math.isnan(s.low) else text


def _amount(x: float, unit: str) -> str:
    if math.isnan(x):
        return "-"
    return f"{100 * x:.0f} %" if unit == "share" else f"{x:.1f} points" if unit == "points" else f"{x:.3f}"


def verdict(v: Versus | None, unit: str, better: str) -> str:
    """Baseline for reading: whether the model beats it, and both values on the same figures."""
    if v is None:
        return "no answer"
    values = f"{_amount(v.model, unit)} v {_amount(v.baseline, unit)} (n = {v.n})"
    if v.beats is None:
        return f"{'for comparison' if better == 'none' else 'equal'}: {values}"
    return f"{'beaten' if v.beats else 'not beaten'}: {values}"


def summary_lines(validation: Validation) -> list[str]:
    """Totals in words."""
    items = validation.compared
    roles = {"fit": "fitted", "held_out": "held out", "context": "not used"}
    counts = ", ".join(
        f"{sum(c.figure.role == role for c in items)} {word}"
        for role, word in roles.items()
        if role != "held_out" or validation.held_out
    )
    inside = sum(c.inside(0.9) for c in items)
    s = validation.settings
    lines = [
        f"{len(validation.trials)} trials predicted, {len(validation.not_run)} did not run; {len(items)} published "
        f"figures beside their predictions ({counts}), {inside} of them inside their 90 % interval.",
        f"Intervals: {s['trials_simulated']} trials of the real size from {s['members']} members of the posterior with "
        f"{s['patients']} virtual patients each ({SUBGROUP_FACTOR} times as many where a subgroup by a marker is "
        f"shown), seed {s['seed']}; forecasts without any published figure and the null model from half the members.",
    ]
    lines += _error_lines(validation)
    b, f = validation.between, validation.between_fitted
    lines.append(
        f"Between-trial effect, SD, of a figure that was fitted: {f['rate']:.2f} on the logit of a rate, "
        f"{f['median']:.2f} on the log of a median, {f['hr']:.2f} on the log of a hazard ratio; of everything else "
        f"{b['rate']:.2f}, {b['median']:.2f} and {b['hr']:.2f}, from fitted trials left out one at a time. Without its "
        "own figures for a trial that took part in the estimate."
        + ("" if validation.between_is_current else f" {_STALE}")
    )
    alone = sorted(v.trial.id for v in validation.trials if not v.left_out.is_resolved)
    if alone:
        lines.append(
            f"Not left out of the fit, since without their own figures the parameters move farther than a first-order "
            f"account reaches: {', '.join(alone)}."
        )
    if not validation.held_out:
        lines.append(
            "Held-out figures were not read; `her2 validate --held-out` reads them and logs that it did."
        )
    return lines


_STALE = "It was estimated with another posterior: run `her2 validate --between-trials` again."
_OFTEN = {"median": "a median", "rate": "a rate", "hr": "a hazard ratio"}


def _error_lines(validation: Validation) -> list[str]:
    """Monte-Carlo error of the printed figures, on average by kind of statistic."""
    parts = []
    for kind, name in _OFTEN.items():
        errors = []
        for v in validation.trials:
            for key, p in v.prediction.statistics.items():
                e = monte_carlo_error(p)
                size = p.median * (1.0 - p.median) if kind == "rate" else 1.0
                if key.kind == kind and math.isfinite(e.median) and math.isfinite(p.median):
                    errors.append((e.median * size, e.end * size))
        if errors:
            middle, end = (100.0 * float(x) for x in np.median(errors, axis=0))
            unit = "points" if kind == "rate" else "%"
            parts.append(f"{middle:.1f} {unit} of {name}, {end:.1f} of the ends of its 90 % interval")
    return [f"Monte-Carlo standard error, typical: {'; '.join(parts)}."] if parts else []


def between_lines(content: BetweenFile) -> list[str]:
    """An estimate of the between-trial effect in words."""
    return [
        f"{s.statistic}: SD {s.value:.3f} +/- {s.standard_error:.3f} on the {s.scale} scale, from {s.figures} fitted "
        f"figures of {s.trials} studies; without one of them {min(s.without.values(), default=s.value):.3f} to "
        f"{max(s.without.values(), default=s.value):.3f}; of figures not fitted {s.outside:.3f} +/- "
        f"{s.outside_error:.3f}"
        for s in content.spreads
    ] + [f"posterior {content.posterior_digest}"]


def print_validation(validation: Validation, console: Console) -> None:
    """Misses, scores, then every trial."""
    from rich.markup import escape
    from rich.table import Table

    for line in summary_lines(validation):
        console.print(escape(line))
    misses = validation.misses()
    table = _table(
        "Misses: outside the 90 % interval",
        ("trial", "statistic", "of", "published", "predicted [90 %]", "role", "likely reason"),
    )
    for _, v, c in misses:
        table.add_row(*map(escape, _miss_row(v, c)))
    console.print(table if misses else "No figure shown lies outside its 90 % interval.")
    for n in validation.not_run:
        console.print(escape(f"did not run: {n.name}: {n.error}"), style="red")
    for g in _groups(validation):
        rows = _of(validation.scores, g)
        if not rows:
            continue
        table = Table(title=GROUP_SAYS[g], title_justify="left")
        for head in ("score", "n", "model", *BASELINE_NAMES.values()):
            table.add_column(head, overflow="fold")
        for s in rows:
            table.add_row(*map(escape, _score_row(s)))
        console.print(table)
    for v in validation.trials:
        table = _table(
            f"{v.trial.id}: {v.trial.title}",
            TRIAL_HEADS,
        )
        for row in _trial_rows(v):
            table.add_row(*map(escape, row))
        console.print(table)
        console.print(escape(_left_out_line(v)), style="dim")
        for m in v.prediction.missing:
            console.print(escape(f"not predicted: {m}"), style="dim")
    for u in validation.unpaired:
        console.print(escape(f"no prediction for {u.id}: {u.reason}"), style="dim")
    if validation.without_trial:
        console.print(escape("fitted figures without a trial file: " + ", ".join(validation.without_trial)))
    console.print(f"digest {validation.digest}", style="dim")
    console.print(NOTICE, style="italic")


def _table(title: str, heads: Sequence[str]) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def _miss_row(v: Validated, c: Compared) -> tuple[str, ...]:
    f = c.figure
    kind = f.key.kind
    predicted = f"{number(c.predicted.median, kind)} {interval(c.predicted, 0.9, kind)}"
    return (
        v.trial.id,
        what(f.key),
        f.key.who,
        published(f),
        predicted,
        ROLE_SAYS[f.role],
        reason_of(v.trial.id, f.key),
    )


def _score_row(s: Score) -> tuple[str, ...]:
    return (
        s.says,
        str(s.n),
        score_value(s),
        *(verdict(s.versus.get(b), s.unit, s.better) for b in BASELINE_NAMES),
    )


def _trial_rows(v: Validated) -> list[tuple[str, ...]]:
    by_key = {c.figure.key: c for c in v.compared}
    rows: list[tuple[str, ...]] = []
    for key, p in v.prediction.statistics.items():
        c = by_key.get(key)
        left = v.left_out.statistics[key]
        null = v.prediction.null.get(key)
        rows.append(
            (
                what(key), key.who, published(c.figure) if c else "", number(p.median, key.kind),
                interval(p, 0.5, key.kind), interval(p, 0.9, key.kind),
                number(null.median, key.kind) if null else "-",
                f"{number(left.median, key.kind)} {interval(left, 0.9, key.kind)}",
                ROLE_SAYS[c.figure.role] if c else "",
            )
        )  # fmt: skip
    return rows


def _left_out_line(v: Validated) -> str:
    left = v.left_out
    if left.method == "none needed":
        return "Leaving the trial out changes nothing: none of its figures is fitted."
    if not left.is_resolved:
        return f"Not left out: {left.figures} fitted figures, and no posterior to first order."
    return f"Left out: {left.figures} fitted figures."


def validation_page(
    validation: Validation,
    runs: Sequence[Mapping[str, str]] = (),
    pictures: Mapping[str, Path] | None = None,
    folder: Path = Path(),
) -> str:
    """A page of the documentation in Markdown.

    Parameters
    ----------
    runs : that looked at held-out figures, as `her2.validation.log` keeps them
    pictures : files by name
    folder : where the page will lie: pictures are linked from there
    """
    lines = [
        "# Validation",
        "",
        f"Written by `her2 validate --page`, version {validation.version}, digest `{validation.digest}`. How to read "
        "it stands at the end.",
        "",
    ]
    for line in summary_lines(validation):
        lines += [line, ""]
    lines += [NOTICE, "", "## Misses", ""]
    rows = [_miss_row(v, c) for _, v, c in validation.misses()]
    heads: tuple[str, ...] = (
        "trial",
        "statistic",
        "of",
        "published",
        "predicted [90 %]",
        "role",
        "likely reason",
    )
    if rows:
        lines += ["Published figures outside their 90 % interval, largest first.", ""]
        lines += [*_markdown(heads, rows), ""]
    else:
        lines += ["No figure shown lies outside its 90 % interval.", ""]
    lines += ["## Trials that did not run", ""]
    if validation.not_run:
        lines += [*_markdown(("trial", "error"), [(n.name, n.error) for n in validation.not_run]), ""]
    else:
        lines += ["None.", ""]
    lines += ["## Scores", ""]
    for g in _groups(validation):
        scores = _of(validation.scores, g)
        if scores:
            lines += [f"### {GROUP_SAYS[g]}", ""]
            lines += [
                *_markdown(("score", "n", "model", *BASELINE_NAMES.values()), map(_score_row, scores)),
                "",
            ]
    lines += ["Baselines:", "", *(f"- **{BASELINE_NAMES[k]}**: {says}." for k, says in SAYS.items()), ""]
    if pictures:
        lines += ["## Pictures", ""]
        for name, path in pictures.items():
            where = Path(os.path.relpath(path, folder)).as_posix()
            lines += [f"![{PICTURE_SAYS.get(name, name)}]({where})", ""]
    lines += ["## Trials", ""]
    for v in validation.trials:
        lines += [f"### {v.trial.id}", "", f"{v.trial.title}; {v.trial.population.size} patients.", ""]
        lines += [*_markdown(TRIAL_HEADS, _trial_rows(v)), "", _left_out_line(v), ""]
        lines += [f"Not predicted: {m}.\n" for m in v.prediction.missing]
    lines += ["## Figures without a prediction", ""]
    if validation.unpaired:
        lost = [(u.trial, u.id, u.reason) for u in validation.unpaired]
        lines += [*_markdown(("trial", "figure", "reason"), lost), ""]
    else:
        lines += ["None.", ""]
    if validation.without_trial:
        lines += [
            "Studies with fitted figures and no trial file: " + ", ".join(validation.without_trial) + ".",
            "",
        ]
    lines += ["## Runs that looked at held-out figures", ""]
    if runs:
        lines += [*_markdown(RUN_HEADS, [[r.get(h, "") for h in RUN_HEADS] for r in runs]), ""]
    else:
        lines += ["None yet.", ""]
    lines += _READING
    return "\n".join(lines)


_READING = [
    "## How to read this page",
    "",
    "A prediction is the median of many simulated trials of the real size, allocation and follow-up. Each takes its "
    "patients from a pool of one member of the posterior; a between-trial effect is added, and what the pools' finite "
    "size adds is taken out (see [](explanation/trials.md)). So the interval holds parameters, patients, events, scans "
    "and differences between trials.",
    "",
    "One published figure stands for each statistic: a fitted one first, then the text's, then a table's. Where the "
    "record says what the print should probably say, that is used and marked as corrected. Biomarker contrasts are "
    "predicted in the virtual patients of that subgroup; how many patients of the trial were tested is not modelled.",
    "",
    "Agreement with fitted figures is reproduction. Held-out figures are read only by `her2 validate --held-out`; each "
    "such run adds a line to `docs/validation_runs.tsv` with date, version and digest. *Trial left out* is what the "
    "posterior predicts without having been fitted to any of the trial's own figures: mode and spread of the same "
    "least-squares problem without them, to first order about the mode, so no new calibration. A statistic that was "
    "not itself fitted follows its regression on those that were. The null model keeps the whole posterior. The "
    "protocol is explained in [](explanation/validation.md).",
    "",
    "Errors of medians and hazard ratios are on the log scale: 0.1 is about 10 %. CRPS is the mean distance between "
    "forecast and figure in the same unit, with credit for narrow intervals. A baseline that is a single number gets "
    "the sampling and between-trial spread of the model for its CRPS. Shares carry exact binomial 95 % limits, as if "
    "figures were independent; those of one trial are not, so the limits are too narrow.",
    "",
]


def _markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        lines.append("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in row) + " |")
    return lines
