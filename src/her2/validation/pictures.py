"""Pictures of a validation: forests of predicted beside published, calibration of the intervals, grid of curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from her2.survival import clopper_pearson
from her2.trials.pictures.style import (
    ARM_COLOURS,
    INK,
    MUTED,
    SMALL_SIZE,
    WIDTH,
    RunKey,
    add_panel,
    arm_look,
    new_figure,
    picture_style,
    title_height,
    wrap,
    write_foot,
    write_text,
    write_title,
)
from her2.validation.report import number, published
from her2.validation.run import Validated, Validation
from her2.validation.scores import Compared

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.3
_TICKS = {
    "hr": (0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0),
    "median": (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 50.0, 80.0),
    "rate": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
}
_TITLES = {"hr": "Hazard ratios", "median": "Medians, months", "rate": "Rates"}
_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_GROUP_NAMES = {"fit": "fitted", "held_out": "held out", "context": "not used"}
_MARKS = {"fit": ("D", ARM_COLOURS[1]), "held_out": ("s", ARM_COLOURS[2]), "context": ("o", MUTED)}
"""Shape and colour of a published figure by its role."""
_COLUMNS = 3


def draw_all(validation: Validation) -> dict[str, Figure]:
    """Every picture that has something to show, by file name without ending."""
    run = RunKey(validation.digest, validation.settings["seed"], validation.version)
    figures: dict[str, Figure] = {}
    items = validation.compared
    for kind, name in (("hr", "forest_hr"), ("median", "forest_median"), ("rate", "forest_rate")):
        mine = [c for c in items if c.figure.key.kind == kind]
        if mine:
            figures[name] = draw_validation_forest(mine, kind, run)
    if items:
        left_out = [c for t in validation.trials if t.left_out.is_resolved for c in t.compared_left_out]
        figures["calibration"] = draw_calibration(items, left_out, run)
    with_curves = [t for t in validation.trials if t.prediction.curves and t.compared]
    if with_curves:
        figures["kaplan_meier_grid"] = draw_curve_grid(with_curves, run)
    return figures


def draw_validation_forest(items: Sequence[Compared], kind: str, run: RunKey | None = None) -> Figure:
    """One row per figure: predicted median with its 50 % and 90 % interval, the published figure by role as a mark.

    Parameters
    ----------
    items : figures of one kind
    kind : hr, median or rate
    """
    title = f"{_TITLES[kind]}: predicted and published"
    subtitle = (
        "Bar: 90 % predictive interval, thick: 50 %. Mark: published, filled if inside the 90 % interval; "
        "diamond: fitted, square: held out, circle: not used"
    )
    n = len(items)
    top, bottom, left, right = title_height(title, subtitle) + 0.15, 0.75, 3.3, 6.3
    height = _ROW * n
    with picture_style():
        figure = new_figure(top + height + bottom, title, _describe(items, kind))
        write_title(figure, title, subtitle)
        panel = add_panel(figure, left, bottom, right - left, height)
        low, high = _range(items, kind)
        if kind != "rate":
            panel.set_xscale("log")
        panel.set_xlim(low, high)
        panel.set_ylim(0.0, n)
        ticks = [t for t in _TICKS[kind] if low <= t <= high]
        panel.set_xticks(ticks, [f"{100 * t:g} %" if kind == "rate" else f"{t:g}" for t in ticks])
        panel.set_xticks([], minor=True)
        panel.set_yticks([])
        panel.spines["left"].set_visible(False)
        panel.tick_params(length=3)
        if kind == "hr":
            panel.axvline(1.0, color=INK, linewidth=0.9, zorder=1)
        last = ""
        for k, c in enumerate(items):
            y = n - k - 0.5
            _draw_row(panel, y, c, (low, high))
            at = bottom + y * _ROW
            if c.figure.trial != last:
                write_text(figure, 0.15, at - 0.05, c.figure.trial, fontweight="bold", fontsize=SMALL_SIZE)
                last = c.figure.trial
            label = f"{c.figure.key.endpoint.upper()} {c.figure.key.who}"
            for j, part in enumerate(wrap(label, 44)[:2]):
                write_text(figure, 1.15, at - 0.01 - 0.11 * j, part, fontsize=SMALL_SIZE - 0.5)
            shown = f"{number(c.predicted.median, kind)} | {published(c.figure)}"
            write_text(figure, WIDTH - 0.1, at - 0.05, shown, ha="right", fontsize=SMALL_SIZE - 0.5)
        write_text(
            figure, WIDTH - 0.1, bottom + height + 0.04, "predicted | published", ha="right", color=MUTED,
            fontsize=SMALL_SIZE,
        )  # fmt: skip
        write_foot(figure, run)
    return figure


def draw_calibration(
    items: Sequence[Compared], left_out: Sequence[Compared] = (), run: RunKey | None = None
) -> Figure:
    """Share of the figures inside their central intervals against the level of the interval, with 95 % limits."""
    title = "Calibration of the predictive intervals"
    subtitle = (
        "Observed share of published figures inside, with exact binomial 95 % limits; on the line is right"
    )
    groups = [(name, [c for c in items if c.figure.role == role]) for role, name in _GROUP_NAMES.items()]
    groups = [(f"{name}, n = {len(g)}", g) for name, g in groups if g]
    if left_out:
        groups.append((f"trial left out, n = {len(left_out)}", list(left_out)))
    top, bottom, side = title_height(title, subtitle) + 0.15, 0.8, 4.6
    with picture_style():
        spoken = "; ".join(f"{name}: {_coverage(g, 0.9):.0%} inside 90 %" for name, g in groups)
        figure = new_figure(top + side + bottom, title, spoken)
        write_title(figure, title, subtitle)
        panel = add_panel(figure, 0.9, bottom, side, side)
        panel.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        for k, (name, g) in enumerate(groups):
            colour, dashes = arm_look(k)
            shares = [_coverage(g, level) for level in _LEVELS]
            panel.plot(_LEVELS, shares, color=colour, linestyle=dashes, linewidth=1.5, label=name, zorder=3)
            for level in (0.5, 0.8, 0.9):
                limits = clopper_pearson(round(_coverage(g, level) * len(g)), len(g))
                x = level + 0.006 * (k - 0.5 * (len(groups) - 1))
                panel.plot([x, x], [limits.lower, limits.upper], color=colour, linewidth=1.1, zorder=2)
        panel.set_xlim(0.0, 1.0)
        panel.set_ylim(0.0, 1.0)
        panel.set_xlabel("Level of the interval")
        panel.set_ylabel("Published figures inside")
        panel.legend(loc="upper left", frameon=False)
        write_foot(figure, run)
    return figure


def draw_curve_grid(trials: Sequence[Validated], run: RunKey | None = None) -> Figure:
    """Small multiples: predicted curve of each arm with its central 90 % over members, published medians at 50 %."""
    title = "Predicted curves and published medians"
    subtitle = (
        "Primary time endpoint, months; arms in the order of the trial file: blue, orange dashed, green. "
        "Band: 90 % of the members, without sampling; diamond: published median"
    )
    rows = math.ceil(len(trials) / _COLUMNS)
    top, foot, gap, head = title_height(title, subtitle), 0.3, 0.4, 0.28
    width = (WIDTH - 0.55 - 0.2 - (_COLUMNS - 1) * 0.45) / _COLUMNS
    plot = 1.45
    with picture_style():
        spoken = f"Curves of {', '.join(t.trial.id for t in trials)}."
        figure = new_figure(top + rows * (head + plot + gap) + foot, title, spoken)
        write_title(figure, title, subtitle)
        for k, t in enumerate(trials):
            left = 0.55 + (k % _COLUMNS) * (width + 0.45)
            bottom = foot + (rows - 1 - k // _COLUMNS) * (head + plot + gap) + gap - 0.15
            panel = add_panel(figure, left, bottom, width, plot)
            _draw_curves(panel, t)
            name = f"{t.trial.id}, {t.prediction.curves[0].endpoint.upper()}"
            write_text(figure, left, bottom + plot + 0.08, name, fontweight="bold", fontsize=SMALL_SIZE + 0.5)
        write_foot(figure, run)
    return figure


def _draw_curves(panel: Axes, t: Validated) -> None:
    by_arm = {
        c.figure.key.arm: c.figure
        for c in t.compared
        if c.figure.key.arm
        and not c.figure.key.subgroup
        and c.figure.key.endpoint == t.prediction.curves[0].endpoint
    }
    for k, curve in enumerate(t.prediction.curves):
        colour, dashes = arm_look(k)
        panel.fill_between(curve.months, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
        panel.plot(curve.months, curve.middle, color=colour, linestyle=dashes, linewidth=1.3)
        if curve.arm in by_arm:
            panel.plot(
                [by_arm[curve.arm].value], [0.5], marker="D", markersize=5, markerfacecolor="white",
                markeredgecolor=colour, markeredgewidth=1.3, linestyle="", zorder=5, clip_on=False,
            )  # fmt: skip
    panel.axhline(0.5, color=MUTED, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
    end = max(float(c.months[-1]) for c in t.prediction.curves)
    # where hardly anybody is left without an event, the axis may end
    alive = [
        float(c.months[np.nonzero(c.high > 0.03)[0][-1]])
        for c in t.prediction.curves
        if np.any(c.high > 0.03)
    ]
    panel.set_xlim(0.0, min(end, 1.05 * max([*alive, 1.0])))
    panel.set_ylim(0.0, 1.0)
    panel.set_yticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
    panel.tick_params(length=2, labelsize=SMALL_SIZE)


def _coverage(items: Sequence[Compared], level: float) -> float:
    return sum(c.inside(level) for c in items) / len(items)


def _range(items: Sequence[Compared], kind: str) -> tuple[float, float]:
    """Limits of the axis: all figures and finite interval ends, within reason."""
    if kind == "rate":
        return 0.0, 1.0
    values = [c.figure.value for c in items]
    values += [x for c in items for x in c.predicted.limits(0.9) if math.isfinite(x) and x > 0]
    floor, ceiling = (0.1, 10.0) if kind == "hr" else (0.5, 150.0)
    return max(min(values) / 1.15, floor), min(max(values) * 1.15, ceiling)


def _draw_row(panel: Axes, y: float, c: Compared, limits: tuple[float, float]) -> None:
    def cut(x: float) -> float:
        return min(max(x, limits[0]), limits[1])

    colour = ARM_COLOURS[0]
    for level, width in ((0.9, 1.2), (0.5, 3.4)):
        low, high = c.predicted.limits(level)
        panel.plot(
            [cut(low), cut(high)], [y, y], color=colour, linewidth=width, solid_capstyle="butt", zorder=2
        )
    panel.plot([cut(c.predicted.median)], [y], marker="|", markersize=8, color=INK, zorder=3)
    shape, mark = _MARKS[c.figure.role]
    panel.scatter(
        [cut(c.figure.value)], [y], marker=shape, s=20, zorder=4, linewidths=1.2, clip_on=False,
        facecolor=mark if c.inside(0.9) else "white", edgecolor=mark,
    )  # fmt: skip


def _describe(items: Sequence[Compared], kind: str) -> str:
    parts = [
        f"{c.figure.trial} {c.figure.key.endpoint} {c.figure.key.who}: predicted {number(c.predicted.median, kind)}, "
        f"published {number(c.figure.value, kind)}"
        for c in items
    ]
    return "; ".join(parts)
