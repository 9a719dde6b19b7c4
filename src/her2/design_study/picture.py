"""Picture of a design study: probability of success by size, and the true effect in and out of subgroups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from her2 import __version__
from her2.design_study.report import group_title
from her2.design_study.run import DesignResult
from her2.trials.pictures.style import (
    ARM_COLOURS,
    INK,
    MUTED,
    SMALL_SIZE,
    RunKey,
    add_panel,
    arm_look,
    new_figure,
    picture_style,
    title_height,
    write_foot,
    write_text,
    write_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CURVES, _ROW, _BOTTOM, _LEFT, _RIGHT = 3.0, 0.26, 0.95, 0.75, 7.75
_TICKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0)


def draw_design(result: DesignResult) -> Figure:
    """Curves of the probability of success over size (thin: power given one posterior member), with the
    wanted one as a dashed line; below them the true hazard ratio of all patients and of each subgroup
    (filled) and its rest (open).
    """
    task = result.task
    x, c = (task.trial.arms[k] for k in task.arms)
    title = f"Design: {task.trial.title}"
    subtitle = (
        f"{x.label} v {c.label}; {task.endpoint.upper()}, one-sided alpha {task.design.alpha:g}; "
        f"{len(result.members)} posterior members (thin lines), {result.trials:,} trials of each size; "
        "dashed: wanted; dotted: no size can pass"
    )
    rows = len(result.groups)
    forest = _ROW * rows if rows > 1 else 0.0
    gap = 0.85 if rows > 1 else 0.0
    height = title_height(title, subtitle) + 0.35 + _CURVES + gap + forest + _BOTTOM
    with picture_style():
        figure = new_figure(height, title, _describe(result))
        write_title(figure, title, subtitle)
        above = _BOTTOM + forest + gap
        _draw_curves(add_panel(figure, _LEFT, above, _RIGHT - _LEFT, _CURVES), result)
        if rows > 1:
            panel = add_panel(figure, 2.6, _BOTTOM, _RIGHT - 2.6, forest)
            _draw_effects(figure, panel, result)
        write_foot(figure, RunKey(result.digest, result.seed, __version__))
    return figure


def _draw_curves(panel: Axes, result: DesignResult) -> None:
    design = result.task.design
    for k, group in enumerate(result.groups):
        if not group.sizes:
            continue
        colour, dashes = arm_look(k)
        sizes = [s.size for s in group.sizes]
        if k == 0:
            for m in range(group.sizes[0].power.size):
                panel.plot(
                    sizes,
                    [s.power[m] for s in group.sizes],
                    color=colour,
                    alpha=0.25,
                    linewidth=0.8,
                    zorder=1,
                )
        panel.errorbar(
            sizes,
            [s.assurance for s in group.sizes],
            [1.96 * s.mc_error for s in group.sizes],
            color=colour,
            linestyle=dashes,
            linewidth=1.8,
            elinewidth=1.0,
            marker="o",
            markersize=3.5,
            label=group_title(group.name),
            zorder=3,
        )
    panel.axhline(design.power, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    if result.overall.ceiling < 0.999:
        panel.axhline(
            result.overall.ceiling, color=ARM_COLOURS[0], linewidth=0.9, linestyle=(0, (1, 2)), zorder=0
        )
    panel.set_ylim(0.0, 1.02)
    panel.set_yticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "20 %", "40 %", "60 %", "80 %", "100 %"])
    panel.set_ylabel("Probability of success")
    panel.set_xlabel("Patients randomised")
    panel.legend(loc="lower right", frameon=False, fontsize=SMALL_SIZE)


def _draw_effects(figure: Figure, panel: Axes, result: DesignResult) -> None:
    groups = result.groups
    values = [0.8, 1.1]
    for k, group in enumerate(groups):
        y = len(groups) - k - 0.5
        write_text(
            figure,
            0.15,
            _BOTTOM + _ROW * y - 0.045,
            f"{group_title(group.name)} ({100 * group.prevalence:.0f} %)",
        )
        colour, _ = arm_look(k)
        for effect, face, shift in ((group.inside, colour, 0.14), (group.outside, "white", -0.14)):
            if effect is None or not math.isfinite(effect.hazard_ratio):
                continue
            low, high = effect.quantiles()
            at = y + (shift if group.outside is not None else 0.0)
            panel.plot([low, high], [at, at], color=colour, linewidth=1.2, zorder=2)
            panel.plot(
                [effect.hazard_ratio], [at], marker="o", markersize=4.5, markerfacecolor=face,
                markeredgecolor=colour, zorder=3,
            )  # fmt: skip
            values += [low, high]
    panel.set_xscale("log")
    panel.set_xlim(min(values) / 1.05, max(values) * 1.05)
    ticks = [t for t in _TICKS if min(values) / 1.05 <= t <= max(values) * 1.05]
    panel.set_xticks(ticks, [f"{t:g}" for t in ticks])
    panel.set_xticks([], minor=True)
    panel.set_yticks([])
    panel.set_ylim(0.0, len(groups))
    panel.spines["left"].set_visible(False)
    panel.axvline(1.0, color=INK, linewidth=0.9, zorder=1)
    panel.set_xlabel("True hazard ratio, 5-95 % of posterior members (filled: in the group; open: the rest)")


def _describe(result: DesignResult) -> str:
    """The picture in words, for those who cannot see it."""
    parts = []
    for group in result.groups:
        curve = ", ".join(f"{100 * s.assurance:.0f} % with {s.size}" for s in group.sizes)
        parts.append(f"{group_title(group.name)}: true hazard ratio {group.inside.hazard_ratio:.2f}; {curve}")
    return f"Probability of success by number of patients. {'. '.join(parts)}."
