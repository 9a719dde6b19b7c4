"""What `her2 trial --explain` prints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from her2.trials.analyse import RATES
from her2.trials.design import Trial
from her2.trials.explain import Explained
from her2.trials.pictures.style import NOTICE

if TYPE_CHECKING:
    from rich.console import Console


def print_explained(trial: Trial, results: Sequence[Explained], console: Console) -> None:
    """Table of every statistic as it is and without each mechanism."""
    from rich.markup import escape
    from rich.table import Table

    console.print(f"[bold]{escape(trial.title)}[/bold]")
    table = Table(
        title="What carries the result: the same patients without one mechanism", title_justify="left"
    )
    table.add_column("without", overflow="fold")
    whole = results[0]
    for k, arm in enumerate(trial.arms):
        for e in whole.arms[k]:
            table.add_column(f"{escape(arm.label)}: {e.upper()}", justify="right", overflow="fold")
    for (x, _), row in whole.hazard_ratios.items():
        for e in row:
            table.add_column(
                f"HR {e.upper()} {escape(trial.arms[x].label)}", justify="right", overflow="fold"
            )
    for r in results:
        cells = [_shown(v, e) for row in r.arms for e, v in row.items()]
        cells += [_shown(v, "hr") for row in r.hazard_ratios.values() for v in row.values()]
        table.add_row("nothing" if r.mechanism is None else r.mechanism.label, *cells)
    console.print(table)
    console.print("Rates in percent, medians in months. " + NOTICE, style="italic")


def _shown(x: float, endpoint: str) -> str:
    if not math.isfinite(x):
        return "not reached"
    if endpoint in RATES:
        return f"{100.0 * x:.1f}"
    return f"{x:.2f}" if endpoint == "hr" else f"{x:.1f}"


def explained_json(trial: Trial, results: Sequence[Explained]) -> dict[str, Any]:
    """The same as one JSON object; rates as fractions, medians in months, null where not reached."""

    def clean(row: dict[str, float]) -> dict[str, float | None]:
        return {e: v if math.isfinite(v) else None for e, v in row.items()}

    return {
        "trial": trial.id,
        "results": [
            {
                "without": None if r.mechanism is None else r.mechanism.id,
                "label": "nothing" if r.mechanism is None else r.mechanism.label,
                "arms": {arm.id: clean(row) for arm, row in zip(trial.arms, r.arms, strict=True)},
                "hazard_ratios": [
                    {"experimental": trial.arms[x].id, "control": trial.arms[c].id, **clean(row)}
                    for (x, c), row in r.hazard_ratios.items()
                ],
            }
            for r in results
        ],
        "notice": NOTICE,
    }
