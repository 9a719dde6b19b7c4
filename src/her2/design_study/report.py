"""What `her2 design` prints: boundaries, sizes, type I error and enrichment; the same as one JSON object."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from her2.design_study.effects import Effect
from her2.design_study.run import DesignResult, GroupResult, Rate, SizeResult
from her2.design_study.size import NeededSize
from her2.trials.pictures.forest import SUBGROUP_NAMES
from her2.trials.pictures.style import NOTICE
from her2.units import DAYS_PER_MONTH

if TYPE_CHECKING:
    from rich.console import Console

POOL_SHARE = 0.25
"""Share of the members' variance due to finite pools above which a larger pool is recommended."""
_SHORT = 0.05
_FEW_MEMBERS = 0.02


def group_title(name: str) -> str:
    """A subgroup for reading, such as `Hormone receptor: positive`."""
    if name == "all":
        return "all patients"
    factor, member, rest = SUBGROUP_NAMES.get(
        name.removeprefix("not "), (name.replace("_", " "), "yes", "no")
    )
    return f"{factor}: {rest if name.startswith('not ') else member}"


def verdict(result: DesignResult, group: GroupResult) -> str:
    """Whether enrichment gains, beyond the Monte-Carlo error of the two sizes."""
    own, base = group.compared, result.overall.compared
    if not group.sizes:
        return "not looked at: too few patients in a pool"
    if own.size is None or base.size is None:
        return "no: never as likely to succeed within these sizes"
    if own.at_most or base.at_most:
        return "not clear: add smaller sizes"
    own_high, base_low = own.high or math.inf, base.low or base.size
    if own_high / group.prevalence <= base_low:
        return "yes: fewer randomised and fewer screened"
    if own_high < base_low:
        return "fewer randomised, more screened"
    if (own.low or own.size) / group.prevalence <= (base.high or math.inf):
        return "not clear within the Monte-Carlo error"
    if (own.low or own.size) > (base.high or math.inf):
        return "no: more randomised, more screened"
    return "no: as many randomised within the Monte-Carlo error, more screened"


def remarks(result: DesignResult) -> list[str]:
    """What a reader has to know before trusting the tables, most important first."""
    design, overall = result.task.design, result.overall
    lines = [_size_sentence(result)]
    widest = max(overall.sizes, key=lambda s: s.member_error)
    if widest.member_error > _FEW_MEMBERS:
        lines.append(
            f"{len(result.members)} posterior members leave the probability of success a standard error of up to "
            f"{100 * widest.member_error:.1f} points (with {widest.size} patients); --members "
            f"{4 * len(result.members)} halves it"
        )
    for group in result.groups:
        share = group.inside.pool_share
        if share > POOL_SHARE:
            lines.append(
                f"{group_title(group.name)}: {100 * share:.0f} % of the spread of the true hazard ratio "
                f"between members comes from finite pools: --patients {2 * result.member_patients} halves that"
            )
    short = max(s.short for s in overall.sizes)
    if short > _SHORT:
        lines.append(
            f"In up to {100 * short:.0f} % of the trials of a size the final events do not come in time and the "
            "latest day decides with fewer; ask for fewer events, or for more follow-up (max_follow_up)"
        )
    rate = result.type_one
    if not rate.low <= design.alpha:
        lines.append(
            f"type I error: {_percent(rate.value)} is above the nominal {_percent(design.alpha)} beyond its "
            "Monte-Carlo error: the normal approximation is poor at these sizes"
        )
    if result.failed:
        lines.append(
            f"{len(result.failed)} simulated patients failed numerically and count as never having an event"
        )
    return lines


def _size_sentence(result: DesignResult) -> str:
    """The smallest size, or why there is none."""
    design, overall = result.task.design, result.overall
    wanted, needed = _percent(design.power), overall.needed
    if needed.size is not None:
        text = f"Smallest size with a probability of success of {wanted}: {_size_text(needed)}"
        return text + (" (the smallest looked at; add smaller sizes)" if needed.at_most else "")
    if overall.ceiling < design.power:
        kept_out = "below 1" if design.success.hr_below is None else f"below {design.success.hr_below:g}"
        return (
            f"A probability of success of {wanted} cannot be reached at any size: over the posterior the "
            f"true hazard ratio is {kept_out} with a probability of {_percent(overall.ceiling)} only; the "
            "uncertainty is in the effect, not in the size"
        )
    best = max(overall.sizes, key=lambda s: s.assurance)
    limit = f"; no size can pass about {_percent(overall.ceiling)}" if overall.ceiling < 0.999 else ""
    return (
        f"A probability of success of {wanted} is not reached: {_percent(best.assurance)} with {best.size} "
        f"patients{limit}. Add larger sizes"
    )


def print_report(result: DesignResult, console: Console) -> None:
    """Print the tables of a design study to a rich console."""
    from rich.markup import escape

    task = result.task
    x, c = (task.trial.arms[k] for k in task.arms)
    design = task.design
    console.print(f"[bold]{escape(task.trial.title)}[/bold]")
    asked = f", and an estimated HR below {design.success.hr_below:g}" if design.success.hr_below else ""
    console.print(
        escape(
            f"{x.label} v {c.label}; {task.endpoint.upper()}, log-rank test, "
            f"one-sided alpha {design.alpha:g}{asked}"
        )
    )
    console.print(
        f"{len(result.members)} posterior members, {result.member_patients:,} virtual patients each on both "
        f"arms, {result.trials:,} trials of each size; "
        f"SD of the log HR between trials {result.between_trial_sd:g}"
    )
    hr = result.overall.inside
    classical = (
        f"; by Schoenfeld's formula {_percent(design.power)} power for it takes "
        f"{result.events_classical:.0f} events"
        if math.isfinite(result.events_classical)
        else ""
    )
    console.print(f"True hazard ratio over the posterior: {_effect_text(hr)}{classical}")
    _print_looks(result, console)
    _print_sizes(result, console)
    rate = result.type_one
    console.print(
        f"Type I error, control in both arms, all sizes: {_rate_text(rate)} in {rate.trials:,} trials "
        f"(nominal {_percent(design.alpha)})"
    )
    _print_groups(result, console)
    for line in remarks(result):
        console.print(escape(line) + ".")
    console.print(f"digest {result.digest}  seed {result.seed}  {result.elapsed_s:.1f} s", style="dim")
    console.print(NOTICE, style="italic")


def _print_looks(result: DesignResult, console: Console) -> None:
    from rich.table import Table

    b = result.bounds
    kind = result.task.design.looks.spending.replace("_", "-")
    table = Table(title=f"Looks: one-sided alpha spending, {kind}", title_justify="left")
    for head in ("look", "events, share", "alpha spent", "z to reject", "one-sided p", "z for futility"):
        table.add_column(head, justify="right")
    for k in range(b.information.size):
        futility = float(b.futility[k])
        is_last = k == b.information.size - 1
        table.add_row(
            str(k + 1),
            f"{b.information[k]:.2f}",
            f"{b.spent[k]:.5f}",
            _z(float(b.efficacy[k])),
            f"{0.5 * math.erfc(float(b.efficacy[k]) / math.sqrt(2.0)):.5f}",
            "-" if is_last else _z(futility),
        )
    console.print(table)


def _print_sizes(result: DesignResult, console: Console) -> None:
    from rich.table import Table

    futile = result.task.design.looks.futility != "none"
    table = Table(title="Sizes, all patients", title_justify="left")
    heads = [
        "patients", "final events", "probability of success", "given a member, 5-95 %", "one known effect",
        "stops by look", *(["for futility"] if futile else []), "events", "months, 5-95 %", "enrolled",
        "type I error, 95 %",
    ]  # fmt: skip
    for head in heads:
        table.add_column(head, justify="right")
    for s in result.overall.sizes:
        low, high = _spread(s)
        row = [
            f"{s.size:,}",
            f"{s.events[-1]:,}",
            f"{_percent(s.assurance)} ± {100 * s.mc_error:.1f}",
            f"{100 * low:.0f} to {100 * high:.0f} %",
            _percent(s.classical),
            " / ".join(f"{100 * p:.0f}" for p in s.stop_efficacy) + " %",
            *([" / ".join(f"{100 * p:.0f}" for p in s.stop_futility[:-1]) + " %"] if futile else []),
            f"{s.expected_events:.0f}",
            f"{s.expected_days / DAYS_PER_MONTH:.0f} ({s.days[0] / DAYS_PER_MONTH:.0f} to "
            f"{s.days[1] / DAYS_PER_MONTH:.0f})",
            f"{s.expected_patients:.0f}",
            _rate_text(s.type_one) if s.type_one is not None else "-",
        ]
        table.add_row(*row)
    console.print(table)
    console.print(
        "± is the Monte-Carlo error from the number of trials. 'One known effect': power at the mean hazard "
        "ratio, proportional hazards, significance alone. 'Stops by look': share of trials that reject at "
        "each look. Events, months since the first patient and patients enrolled are means at "
        "the end of the trial.",
        style="dim",
    )


def _print_groups(result: DesignResult, console: Console) -> None:
    from rich.table import Table

    if len(result.groups) < 2:
        return
    table = Table(
        title=f"Enrichment: what a probability of success of {_percent(result.target)} takes",
        title_justify="left",
    )
    for head in ("patients", "prevalence", "true HR, 5-95 %", "true HR outside", "members: larger inside"):
        table.add_column(head, justify="left" if head == "patients" else "right")
    for head in ("randomised", "screened", "months"):
        table.add_column(head, justify="right")
    table.add_column("does enrichment gain?")
    for g in result.groups:
        is_all = g.outside is None
        table.add_row(
            group_title(g.name),
            f"{100 * g.prevalence:.0f} %" + ("" if g.prevalence_measured else " given"),
            _effect_text(g.inside),
            "-" if g.outside is None else _hr(g.outside.hazard_ratio),
            "-" if is_all or math.isnan(g.better) else f"{100 * g.better:.0f} %",
            _size_text(g.compared),
            "-" if g.screened is None else f"{g.screened:.0f}",
            "-" if g.days is None else f"{g.days / DAYS_PER_MONTH:.0f}",
            "" if is_all else verdict(result, g),
        )
    console.print(table)
    console.print(
        "True HR: every patient of the group on both arms. In brackets after the size: one Monte-Carlo error "
        "either way. Screened: randomised over prevalence; as many a month are screened in every row.",
        style="dim",
    )


def _spread(s: SizeResult) -> tuple[float, float]:
    """5 % and 95 % quantile of the power given a member, without the noise of few trials per member."""
    import numpy as np

    mean, k = float(s.power.mean()), s.power.size
    total = float(s.power.var(ddof=1)) if k > 1 else 0.0
    noise = k * s.mc_error**2
    shrink = math.sqrt(max(total - noise, 0.0) / total) if total > 0.0 else 0.0
    low, high = np.quantile(mean + shrink * (s.power - mean), [0.05, 0.95])
    return max(float(low), 0.0), min(float(high), 1.0)


def _percent(x: float) -> str:
    return f"{100 * x:.1f} %" if math.isfinite(x) else "-"


def _hr(x: float) -> str:
    return f"{x:.2f}" if math.isfinite(x) else "-"


def _z(x: float) -> str:
    return f"{x:.4f}" if math.isfinite(x) else "none"


def _effect_text(effect: Effect) -> str:
    low, high = effect.quantiles()
    return f"{_hr(effect.hazard_ratio)} ({_hr(low)} to {_hr(high)})"


def _rate_text(rate: Rate) -> str:
    return f"{_percent(rate.value)} ({100 * rate.low:.1f} to {100 * rate.high:.1f})"


def _size_text(n: NeededSize) -> str:
    if n.size is None:
        return "not reached"
    if n.at_most:
        return f"at most {n.size:,}"
    high = "more" if n.high is None else f"{n.high:,}"
    return f"{n.size:,} ({n.low or n.size:,} to {high})"


def as_json(result: DesignResult) -> dict[str, Any]:
    """The result as one JSON object; times in months, shares as fractions, null for what does not exist."""
    task, b = result.task, result.bounds
    x, c = (task.trial.arms[k] for k in task.arms)
    return {
        "trial": task.trial.id,
        "endpoint": task.endpoint,
        "experimental": x.id,
        "control": c.id,
        "alpha_one_sided": task.design.alpha,
        "power": task.design.power,
        "hr_below": task.design.success.hr_below,
        "seed": result.seed,
        "members": list(result.members),
        "member_patients": result.member_patients,
        "trials": result.trials,
        "between_trial_sd": result.between_trial_sd,
        "failed_patients": list(result.failed),
        "looks": [
            {
                "information": float(b.information[k]),
                "alpha_spent": float(b.spent[k]),
                "z_efficacy": _clean(float(b.efficacy[k])),
                "z_futility": _clean(float(b.futility[k])),
            }
            for k in range(b.information.size)
        ],
        "events_schoenfeld": _clean(result.events_classical),
        "type_one_error": _rate_json(result.type_one),
        "comparison_assurance": result.target,
        "groups": [_group_json(result, g) for g in result.groups],
        "remarks": remarks(result),
        "digest": result.digest,
        "elapsed_s": round(result.elapsed_s, 3),
        "notice": NOTICE,
    }


def _group_json(result: DesignResult, g: GroupResult) -> dict[str, Any]:
    return {
        "name": g.name,
        "prevalence": g.prevalence,
        "prevalence_measured": g.prevalence_measured,
        "true_hr": _effect_json(g.inside),
        "true_hr_outside": None if g.outside is None else _effect_json(g.outside),
        "share_of_members_larger_inside": _clean(g.better),
        "ceiling": _clean(g.ceiling),
        "needed": _needed_json(g.needed),
        "compared": _needed_json(g.compared),
        "screened": _clean(g.screened),
        "months": None if g.days is None else g.days / DAYS_PER_MONTH,
        "verdict": None if g.outside is None else verdict(result, g),
        "sizes": [_size_json(s) for s in g.sizes],
    }


def _size_json(s: SizeResult) -> dict[str, Any]:
    return {
        "size": s.size,
        "events": list(s.events),
        "accrual_months": s.accrual_days / DAYS_PER_MONTH,
        "assurance": s.assurance,
        "mc_error": s.mc_error,
        "member_error": _clean(s.member_error),
        "power": [float(p) for p in s.power],
        "power_at_mean_effect": _clean(s.classical),
        "stop_efficacy": [float(p) for p in s.stop_efficacy],
        "stop_futility": [float(p) for p in s.stop_futility],
        "stop_final": s.stop_final,
        "short_of_events": s.short,
        "expected_events": s.expected_events,
        "expected_months": s.expected_days / DAYS_PER_MONTH,
        "months_5_95": [d / DAYS_PER_MONTH for d in s.days],
        "expected_patients": s.expected_patients,
        "type_one_error": None if s.type_one is None else _rate_json(s.type_one),
    }


def _effect_json(e: Effect) -> dict[str, Any]:
    low, high = e.quantiles()
    return {
        "hr": _clean(e.hazard_ratio),
        "low_5": _clean(low),
        "high_95": _clean(high),
        "mc_error_log": _clean(e.error),
        "share_of_spread_from_finite_pools": _clean(e.pool_share),
        "log_hr_by_member": [_clean(float(v)) for v in e.log_hr],
        "patients_by_member": [int(n) for n in e.n],
    }


def _needed_json(n: NeededSize) -> dict[str, Any]:
    return {"size": n.size, "low": n.low, "high": n.high, "at_most": n.at_most}


def _rate_json(r: Rate) -> dict[str, Any]:
    return {"value": _clean(r.value), "low": _clean(r.low), "high": _clean(r.high), "trials": r.trials}


def _clean(x: float | None) -> float | None:
    """None for what JSON cannot hold."""
    return None if x is None or not math.isfinite(x) else float(x)
