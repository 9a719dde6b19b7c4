"""Picture of the total indices: factors down, cases across."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from her2.sensitivity.report import CaseRow, Report, sizes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALLEST = 0.08
"""A factor has a row if its total index reaches this in some case."""
WRITTEN = 0.05
"""Total index from which the number is written into its field."""
ROW = 0.19
"""Inches per factor."""


def common_name(factor: str) -> str:
    """Name under which the same number of different drugs shares a row: without the drug or its value."""
    part, _, rest = factor.partition(".")
    if part not in ("half", "largest"):
        return factor
    pieces = rest.split(".")
    kept = [p for p in pieces[:2] if not p.replace("e+", "").isdigit()]
    return f"{part}: {' '.join(kept)}"


def totals_by_row(report: Report) -> tuple[list[str], NDArray[np.float64]]:
    """Names and total indices of the rows, (rows, cases), NaN where not varied; none below `SMALLEST`."""
    cases = [c.case for c in report.cases]
    table: dict[str, list[float]] = {}
    for r in report.indices:
        row = table.setdefault(common_name(r.factor), [np.nan] * len(cases))
        row[cases.index(r.case)] = r.total
    names = [n for n, row in table.items() if np.nanmax(row) >= SMALLEST]
    names.sort(key=lambda n: (_part(n), -float(np.nansum(table[n]))))
    return names, np.array([table[n] for n in names]).reshape(len(names), len(cases))


_PARTS = (
    "tumour",
    "kill",
    "payload",
    "immune",
    "angiogenesis",
    "translation",
    "half",
    "largest",
    "receptors",
    "population",
)


def _part(name: str) -> int:
    part = name.split(".")[0].split(":")[0]
    return _PARTS.index(part) if part in _PARTS else len(_PARTS)


def draw_heat_map(report: Report) -> Figure:
    """Total Sobol index of every factor that matters somewhere, as a table of shaded fields."""
    import matplotlib

    from her2.trials.pictures import style

    names, totals = totals_by_row(report)
    top, left, right, foot = 1.5, 2.55, 0.65, 0.72
    height = 0.78 + top + ROW * max(len(names), 1) + foot
    title = "What the uncertainty of growth inhibition comes from"
    subtitle = (
        "Total Sobol index in per cent: share of the variance over the priors that would be left if everything else "
        "were known. Empty: below 5, or the factor does not act there."
    )
    with style.picture_style():
        figure = style.new_figure(height, title, describe(report))
        style.write_title(figure, title, subtitle)
        axes = style.add_panel(figure, left, foot, style.WIDTH - left - right, ROW * max(len(names), 1))
        shown = np.nan_to_num(totals)
        colours = matplotlib.colormaps["Blues"]
        axes.imshow(shown, cmap=colours, vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest")
        for (row, column), value in np.ndenumerate(shown):
            if value >= WRITTEN:
                axes.text(
                    column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=6.5,
                    color="white" if value > 0.55 else style.INK,
                )  # fmt: skip
        axes.set_xticks(
            range(len(report.cases)),
            [_case_label(c) for c in report.cases],
            rotation=60,
            ha="left",
            rotation_mode="anchor",
        )
        axes.xaxis.tick_top()
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0, labelsize=style.SMALL_SIZE)
        axes.tick_params(axis="x", pad=1)
        axes.set_xticks(np.arange(-0.5, len(report.cases)), minor=True)
        axes.set_yticks(np.arange(-0.5, len(names)), minor=True)
        axes.grid(which="minor", color="white", linewidth=0.8)
        axes.tick_params(which="minor", length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        lines = style.wrap(
            f"Total indices of interacting factors add up to more than 100. {sizes(report)}.", 122
        )
        for number, line in enumerate(lines):
            y = 0.12 + 0.14 * (len(lines) - number)
            style.write_text(figure, 0.15, y, line, fontsize=style.SMALL_SIZE, color=style.MUTED)
        style.write_foot(figure, None)
    return figure


def _case_label(case: CaseRow) -> str:
    """The drugs, and the cell where it is not the reference cell."""
    return case.case if case.cell == "reference" else f"{case.case} ({case.cell.split(',')[0]})"


def describe(report: Report) -> str:
    """The picture in words, for those who cannot see it."""
    parts = []
    for case in report.cases:
        best = [f"{common_name(r.factor)} {100 * r.total:.0f}" for r in report.top(case.case, 3)]
        parts.append(f"{case.case}: {', '.join(best)}")
    return f"Heat map of total Sobol indices in per cent; the three largest of each case. {'; '.join(parts)}."
