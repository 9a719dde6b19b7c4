"""Forest of subgroups: what the trial estimates, beside the effect that is true in the model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from her2.trials.pictures.style import (
    ARM_COLOURS,
    INK,
    MUTED,
    SMALL_SIZE,
    TEXT_SIZE,
    WIDTH,
    RunKey,
    add_panel,
    draw_rule,
    new_figure,
    picture_style,
    title_height,
    wrap,
    write_foot,
    write_text,
    write_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUBGROUP_NAMES: dict[str, tuple[str, str, str]] = {
    "er_positive": ("Hormone receptor", "positive", "negative"),
    "visceral": ("Visceral disease", "yes", "no"),
    "liver": ("Liver metastases", "yes", "no"),
    "adjuvant_chemotherapy": ("Adjuvant chemotherapy", "yes", "no"),
    "adjuvant_trastuzumab": ("Adjuvant trastuzumab", "yes", "no"),
    "ecog_1": ("ECOG performance status", "1", "0"),
    "pik3ca_mutant": ("PIK3CA", "mutant", "wild type"),
    "pten_low": ("PTEN", "low", "normal"),
    "p95_positive": ("p95HER2", "positive", "negative"),
    "cyclin_e_amplified": ("Cyclin E (CCNE1)", "amplified", "not amplified"),
}
"""Name of the factor, of its members and of the rest, for each subgroup a trial file can name."""
TRUE_COLOUR = ARM_COLOURS[1]
_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_ROW = 0.235
# columns, inches: right edges of the numbers, and the plot between them
_N_AT, _EVENTS_AT, _PLOT_LEFT, _PLOT_RIGHT, _HR_AT, _TRUE_AT, _P_AT = 2.6, 3.12, 3.28, 5.55, 6.75, 7.32, 7.85
_LARGEST_BOX = 90.0  # square points, of the row with most events


@dataclass(frozen=True)
class _Line:
    """A line of the forest: a heading of a factor, or a subgroup with its numbers."""

    label: str
    row: Mapping[str, Any] | None
    indent: float = 0.0
    is_bold: bool = False
    p: str = ""


def draw_forest(
    rows: Sequence[Mapping[str, object]],
    *,
    title: str,
    subtitle: str = "",
    experimental: str = "experimental",
    control: str = "control",
    names: Mapping[str, tuple[str, str, str]] | None = None,
    run: RunKey | None = None,
) -> Figure:
    """Hazard ratio of each subgroup on a log axis, all patients first.

    The box is the trial's estimate, its area in proportion to the events; the diamond beside it is the true
    effect: the hazard ratio among virtual twins, every patient of the subgroup on both arms. The distance
    between the two is the play of chance that a trial cannot tell from a subgroup effect. The p value of a
    factor is a Wald test of the two logarithms, not adjusted for looking often.

    Parameters
    ----------
    rows : of `trials.analyse.subgroup_effects`
    experimental, control : short names of the arms for the two sides of the axis
    names : names of further subgroups, as in `SUBGROUP_NAMES`

    Raises
    ------
    ValueError
        If there is no row for all patients.
    """
    table = cast("Sequence[Mapping[str, Any]]", rows)
    overall = next((r for r in table if r["subgroup"] == "all"), None)
    if overall is None:
        raise ValueError("rows: none for all patients (subgroup 'all'); expected it first.")
    lines = _lay_out(table, overall, {**SUBGROUP_NAMES, **(names or {})})
    plot = _ROW * len(lines)
    sides = (wrap(f"← favours {experimental}", 34), wrap(f"favours {control} →", 34))
    top, bottom = title_height(title, subtitle) + 0.2, 1.2 + 0.14 * max(map(len, sides))
    low, high = _range(table)
    with picture_style():
        figure = new_figure(top + plot + bottom, title, _describe(lines))
        y = write_title(figure, title, subtitle)
        _write_heads(figure, y - 0.02)
        panel = add_panel(figure, _PLOT_LEFT, bottom, _PLOT_RIGHT - _PLOT_LEFT, plot)
        panel.set_xscale("log")
        panel.set_xlim(low, high)
        panel.set_ylim(0.0, len(lines))
        ticks = [t for t in _TICKS if low <= t <= high]
        panel.set_xticks(ticks, [f"{t:g}" for t in ticks])
        panel.set_xticks([], minor=True)
        panel.set_yticks([])
        panel.spines["left"].set_visible(False)
        panel.tick_params(length=3)
        panel.axvline(1.0, color=INK, linewidth=0.9, zorder=1)
        if _is_drawn(float(overall["hr"])):
            panel.axvline(float(overall["hr"]), color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        most = max(int(r["events"]) for r in table)
        for k, line in enumerate(lines):
            at = len(lines) - k - 0.5
            _write_line(figure, bottom + at * _ROW - 0.045, line, int(overall["n"]))
            if line.row is not None:
                _draw_row(panel, at, line.row, most, (low, high))
        for edge in (bottom + plot, bottom + plot - _ROW):
            draw_rule(figure, 0.15, WIDTH - 0.15, edge)
        _write_sides(figure, bottom, low, high, sides)
        _write_key(figure)
        write_foot(figure, run)
    return figure


def _lay_out(
    rows: Sequence[Mapping[str, Any]], overall: Mapping[str, Any], names: Mapping[str, tuple[str, str, str]]
) -> list[_Line]:
    """All patients, then for each factor a heading and its subgroups."""
    lines = [_Line("All patients", overall, is_bold=True)]
    by_name = {str(r["subgroup"]): r for r in rows if r is not overall}
    for name in dict.fromkeys(n.removeprefix("not ") for n in by_name):
        factor, members, others = names.get(name, (name.replace("_", " "), "yes", "no"))
        pair = [by_name.get(name), by_name.get(f"not {name}")]
        lines.append(_Line(factor, None, p=_interaction(pair)))
        lines += [
            _Line(t, r, indent=0.18) for t, r in zip((members, others), pair, strict=True) if r is not None
        ]
    return lines


def _interaction(pair: Sequence[Mapping[str, Any] | None]) -> str:
    """Two-sided p of the difference of two log hazard ratios; empty if it cannot be had."""
    logs, variance = [], 0.0
    for row in pair:
        if row is None or not all(_is_drawn(float(row[k])) for k in ("hr", "low", "high")):
            return ""
        logs.append(math.log(float(row["hr"])))
        variance += ((math.log(float(row["high"])) - math.log(float(row["low"]))) / (2 * 1.959964)) ** 2
    if variance <= 0.0:
        return ""
    p = math.erfc(abs(logs[0] - logs[1]) / math.sqrt(2.0 * variance))
    return f"{p:.2f}" if p >= 0.01 else "<0.01"


def _is_drawn(x: float) -> bool:
    """Whether a hazard ratio has a place on a log axis: not without events in an arm."""
    return math.isfinite(x) and 1e-6 < x < 1e6


def _range(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Limits of the axis: all intervals if they are reasonable, else cut off with arrows."""
    values = [float(r[k]) for r in rows for k in ("low", "high", "hr", "true_hr") if _is_drawn(float(r[k]))]
    low, high = min([0.5, *values]), max([1.5, *values])
    return max(low / 1.08, 0.1), min(high * 1.08, 10.0)


def _write_heads(figure: Figure, y: float) -> None:
    head = {"color": MUTED, "fontsize": SMALL_SIZE + 0.5}
    write_text(figure, 0.15, y, "Subgroup", **head)
    write_text(figure, _N_AT, y, "n / N", ha="right", **head)
    write_text(figure, _EVENTS_AT, y, "events", ha="right", **head)
    write_text(figure, _HR_AT, y, "HR (95 % CI)", ha="right", **head)
    write_text(figure, _TRUE_AT, y, "true HR", ha="right", **head)
    write_text(figure, _P_AT, y, "p int.", ha="right", **head)


def _write_line(figure: Figure, y: float, line: _Line, n_all: int) -> None:
    """The texts left and right of the plot."""
    weight = "bold" if line.is_bold else "normal"
    write_text(figure, 0.15 + line.indent, y, line.label, fontweight=weight)
    if line.p:
        write_text(figure, _P_AT, y, line.p, ha="right", color=MUTED, fontsize=TEXT_SIZE - 0.5)
    if line.row is None:
        return
    r = line.row
    write_text(figure, _N_AT, y, f"{int(r['n'])} / {n_all}", ha="right", fontweight=weight)
    write_text(figure, _EVENTS_AT, y, f"{int(r['events'])}", ha="right", fontweight=weight)
    write_text(figure, _HR_AT, y, _hr_text(r), ha="right", fontweight=weight)
    true = float(r["true_hr"])
    write_text(
        figure,
        _TRUE_AT,
        y,
        f"{true:.2f}" if _is_drawn(true) else "-",
        ha="right",
        color=TRUE_COLOUR,
        fontweight=weight,
    )


def _hr_text(row: Mapping[str, Any]) -> str:
    hr, low, high = (float(row[k]) for k in ("hr", "low", "high"))
    if not _is_drawn(hr):
        return "not estimable"
    limits = "–".join(f"{x:.2f}" if _is_drawn(x) else "?" for x in (low, high))
    return f"{hr:.2f} ({limits})"


def _draw_row(panel: Axes, at: float, row: Mapping[str, Any], most: int, limits: tuple[float, float]) -> None:
    """Interval and box, and the true effect as a diamond just below them."""
    hr, low, high, true = (float(row[k]) for k in ("hr", "low", "high", "true_hr"))
    y = at + 0.13
    if _is_drawn(hr) and _is_drawn(low) and _is_drawn(high):
        ends = (max(low, limits[0]), min(high, limits[1]))
        panel.plot(ends, [y, y], color=INK, linewidth=1.3, zorder=3, solid_capstyle="butt")
        for end, is_cut, arrow in ((ends[0], low < limits[0], "<"), (ends[1], high > limits[1], ">")):
            if is_cut:
                panel.plot([end], [y], marker=arrow, markersize=5, color=INK, clip_on=False, zorder=3)
    if _is_drawn(hr):
        inside = min(max(hr, limits[0]), limits[1])
        size = max(_LARGEST_BOX * int(row["events"]) / max(most, 1), 6.0)
        panel.scatter([inside], [y], marker="s", s=size, color=INK, linewidths=0, zorder=4)
    if _is_drawn(true):
        inside = min(max(true, limits[0]), limits[1])
        panel.scatter(
            [inside],
            [at - 0.25],
            marker="D",
            s=20,
            facecolor="white",
            edgecolor=TRUE_COLOUR,
            linewidths=1.3,
            zorder=5,
            clip_on=False,
        )


def _write_sides(
    figure: Figure, bottom: float, low: float, high: float, sides: tuple[list[str], list[str]]
) -> None:
    """Below the axis: its name, and whom each side favours."""
    middle = 0.5 * (_PLOT_LEFT + _PLOT_RIGHT)
    write_text(figure, middle, bottom - 0.38, "Hazard ratio (log scale)", ha="center")
    span = math.log(high / low)
    one = _PLOT_LEFT + (_PLOT_RIGHT - _PLOT_LEFT) * math.log(1.0 / low) / span
    look = {"fontsize": SMALL_SIZE, "color": MUTED}
    for k, line in enumerate(sides[0]):
        write_text(figure, one - 0.08, bottom - 0.56 - 0.14 * k, line, ha="right", **look)
    for k, line in enumerate(sides[1]):
        write_text(figure, one + 0.08, bottom - 0.56 - 0.14 * k, line, **look)


def _write_key(figure: Figure) -> None:
    """What box, diamond and dashes mean."""
    from matplotlib.lines import Line2D

    y = 0.48
    marks: tuple[tuple[str, str, float, str], ...] = (
        ("s", INK, 0.15, "trial's estimate, area by events"),
        ("D", TRUE_COLOUR, 2.35, "true effect (virtual twins: every patient on both arms)"),
    )
    for marker, colour, x, text in marks:
        face = colour if marker == "s" else "white"
        figure.add_artist(
            Line2D(
                [x + 0.06],
                [y + 0.035],
                transform=figure.dpi_scale_trans,
                marker=marker,
                markersize=5.5,
                markerfacecolor=face,
                markeredgecolor=colour,
                linestyle="",
            )
        )
        write_text(figure, x + 0.18, y, text, fontsize=SMALL_SIZE, color=MUTED)
    figure.add_artist(
        Line2D(
            [5.55, 5.85],
            [y + 0.035] * 2,
            transform=figure.dpi_scale_trans,
            color=MUTED,
            linewidth=0.9,
            linestyle=(0, (4, 3)),
        )
    )
    write_text(figure, 5.92, y, "estimate in all patients", fontsize=SMALL_SIZE, color=MUTED)
    note = (
        "p int.: Wald test of interaction between the two estimates, not adjusted for the number of subgroups"
    )
    write_text(figure, 0.15, y - 0.16, note, fontsize=SMALL_SIZE, color=MUTED)


def _describe(lines: Sequence[_Line]) -> str:
    """The picture in words, for those who cannot see it."""
    factor, parts = "", []
    for line in lines:
        if line.row is None:
            factor = f"{line.label} "
            continue
        name = line.label if line.is_bold else f"{factor}{line.label}"
        parts.append(f"{name}: {_hr_text(line.row)}, true {float(line.row['true_hr']):.2f}")
    return f"Forest plot of hazard ratios with 95 % intervals. {'; '.join(parts)}."
