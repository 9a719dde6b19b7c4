"""Waterfall: the best change of each patient's tumour, arm beside arm, coloured by confirmed response."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from her2.trials.pictures.style import (
    INK,
    LINE,
    MUTED,
    RULE,
    SMALL_SIZE,
    TEXT_SIZE,
    WIDTH,
    RunKey,
    add_panel,
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

COLOURS = {"CR": "#0072B2", "PR": "#56B4E9", "SD": "#B3B3B3", "PD": "#D55E00", "NE": "#F0E442"}
_MEANING = {
    "CR": "complete response",
    "PR": "partial response",
    "SD": "stable disease",
    "PD": "progression",
    "NE": "not evaluable",
}
HIGHEST = 1.0
"""Growth beyond this fraction is cut off at it, and counted in the text below."""
_LEFT, _GAP, _RIGHT = 1.0, 0.3, 0.2


@dataclass(frozen=True, eq=False)
class WaterfallArm:
    """One arm.

    Attributes
    ----------
    label : of the arm
    best_change : (patients,), fraction
        Best change of the sum of diameters from baseline; NaN for a patient without a scan after baseline.
    response : (patients,)
        Confirmed best response: CR, PR, SD, PD or NE.
    """

    label: str
    best_change: NDArray[np.float64]
    response: Sequence[str]


def draw_waterfall(
    arms: Sequence[WaterfallArm], *, title: str, subtitle: str = "", run: RunKey | None = None
) -> Figure:
    """One panel per arm, patients from largest growth to largest fall, with the limits of RECIST 1.1.

    Patients without a scan after baseline have no bar; they count in the response rate and are named below.

    Raises
    ------
    ValueError
        If there is no arm, an unknown response, or another number of responses than of changes.
    """
    if not arms:
        raise ValueError("arms: none given; expected at least one.")
    for arm in arms:
        _check_arm(arm)
    columns = min(len(arms), 2)
    lines = math.ceil(len(arms) / columns)
    width = (WIDTH - _LEFT - _RIGHT - (columns - 1) * _GAP) / columns
    label_width = round(width * 12.5)
    heads = [wrap(a.label, label_width) for a in arms]
    head = LINE * max(len(h) for h in heads) + 2 * LINE + 0.12
    plot, foot = 2.9, 0.88
    top = title_height(title, subtitle) + 0.22
    with picture_style():
        figure = new_figure(top + lines * (head + plot + 0.35) + foot - 0.35, title, _describe(arms))
        y = write_title(figure, title, subtitle)
        _write_legend(figure, y - 0.02, arms)
        changes = [_shown(a) for a in arms]
        highest = max((float(c.max()) for c, _ in changes if c.size), default=0.0)
        ceiling = min(max(highest * 1.05, 0.4), HIGHEST * 1.02)
        for k, (arm, (change, response)) in enumerate(zip(arms, changes, strict=True)):
            left = _LEFT + (k % columns) * (width + _GAP)
            bottom = foot + (lines - 1 - k // columns) * (head + plot + 0.35)
            panel = add_panel(figure, left, bottom, width, plot)
            _draw_bars(panel, change, response)
            panel.set_ylim(-1.02, ceiling)
            panel.set_yticks(
                [t for t in (-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1.0) if t <= ceiling], minor=False
            )
            _label_axis(panel, is_first=k % columns == 0)
            above = bottom + plot + head - 0.06
            for j, line in enumerate(heads[k]):
                write_text(figure, left, above - (j + 1) * LINE + 0.04, line, fontweight="bold")
            for j, line in enumerate(_rate_texts(arm)):
                below = above - (len(heads[k]) + 1 + j) * LINE + 0.04
                write_text(figure, left, below, line, color=MUTED, fontsize=TEXT_SIZE - 0.5)
        for j, line in enumerate(wrap(_left_out(arms), 145)):
            write_text(figure, 0.15, 0.55 - j * 0.15, line, fontsize=SMALL_SIZE, color=MUTED)
        write_foot(figure, run)
    return figure


def _check_arm(arm: WaterfallArm) -> None:
    if len(arm.response) != arm.best_change.size:
        raise ValueError(
            f"arm '{arm.label}': {len(arm.response)} responses for {arm.best_change.size} changes; "
            "expected one each."
        )
    wrong = sorted(set(arm.response) - set(COLOURS))
    if wrong:
        raise ValueError(f"arm '{arm.label}': response '{wrong[0]}'; expected one of {', '.join(COLOURS)}.")


def _shown(arm: WaterfallArm) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Changes from largest growth to largest fall, with their responses; patients without a scan left out."""
    response = np.asarray(arm.response, dtype=np.str_)
    has_scan = np.isfinite(arm.best_change)
    change, response = arm.best_change[has_scan], response[has_scan]
    # equal falls, such as -100 %, stand with the best response last
    rank = np.array([list(COLOURS)[::-1].index(r) for r in response], dtype=np.int64)
    order = np.lexsort((rank, -change))
    return change[order], response[order]


def _draw_bars(panel: Axes, change: NDArray[np.float64], response: NDArray[np.str_]) -> None:
    """One compound shape per response: thousands of bars stay one element of the SVG."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    n = change.size
    height = np.minimum(change, HIGHEST)
    # from about 250 patients on, gaps between bars would only flicker
    gap = 0.1 if n <= 120 else 0.0
    for name, colour in COLOURS.items():
        at = np.nonzero(response == name)[0].astype(np.float64)
        if not at.size:
            continue
        top = height[response == name]
        corners = np.empty((at.size, 5, 2))
        corners[:, :, 0] = at[:, None] + np.array([gap, gap, 1.0 - gap, 1.0 - gap, gap])
        corners[:, :, 1] = top[:, None] * np.array([0.0, 1.0, 1.0, 0.0, 0.0])
        codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], at.size)
        shape = PathPatch(
            Path(corners.reshape(-1, 2), codes.astype(np.uint8)), facecolor=colour, linewidth=0.0, zorder=2
        )
        panel.add_patch(shape)
    panel.set_xlim(0.0, max(n, 1))
    panel.axhline(0.0, color=INK, linewidth=0.8, zorder=3)
    for limit in (0.2, -0.3):
        panel.axhline(limit, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=4)


def _label_axis(panel: Axes, *, is_first: bool) -> None:
    """Percent on the left of the first panel, the two limits of RECIST named on their lines."""
    panel.spines["bottom"].set_visible(False)
    panel.set_xticks([])
    panel.tick_params(length=3)
    percent = [f"{100 * t:+.0f} %".replace("-", "−") if t else "0" for t in panel.get_yticks()]
    panel.set_yticks(panel.get_yticks(), percent if is_first else [""] * len(percent))
    if is_first:
        panel.set_ylabel("Best change of the sum of diameters", labelpad=4)
    box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    right = panel.get_xlim()[1]
    panel.text(
        right, 0.22, "+20 %", ha="right", va="bottom", fontsize=SMALL_SIZE, color=INK, bbox=box, zorder=5
    )
    panel.text(
        0.02 * right, -0.32, "−30 %", ha="left", va="top", fontsize=SMALL_SIZE, color=INK, bbox=box, zorder=5
    )


def _write_legend(figure: Figure, y: float, arms: Sequence[WaterfallArm]) -> None:
    """The colours of the responses that have a bar."""
    from matplotlib.patches import Rectangle

    present = {r for a in arms for r in _shown(a)[1]}
    x = 0.15
    write_text(figure, x, y, "Confirmed best response:", color=MUTED)
    x += 1.72
    for name in COLOURS:
        if name not in present:
            continue
        figure.add_artist(
            Rectangle(
                (x, y - 0.01),
                0.13,
                0.11,
                transform=figure.dpi_scale_trans,
                facecolor=COLOURS[name],
                edgecolor=RULE if name == "NE" else "none",
                linewidth=0.5,
            )
        )
        write_text(figure, x + 0.19, y, f"{_MEANING[name]}")
        x += 0.19 + 0.073 * len(_MEANING[name]) + 0.2


def _rate_texts(arm: WaterfallArm) -> tuple[str, str]:
    """Patients with the response rate, and the count of each response."""
    n = len(arm.response)
    counts = {name: sum(1 for r in arm.response if r == name) for name in COLOURS}
    rate = f"{100 * (counts['CR'] + counts['PR']) / n:.1f} %" if n else "-"
    listed = " · ".join(f"{name} {count}" for name, count in counts.items())
    return f"n = {n}, confirmed response {rate}", listed


def _left_out(arms: Sequence[WaterfallArm]) -> str:
    """How many patients have no bar, and how many bars are cut off."""
    missing = [str(int(np.sum(~np.isfinite(a.best_change)))) for a in arms]
    beyond = sum(int(np.sum(a.best_change > HIGHEST)) for a in arms)
    text = (
        "One bar per patient. A fall beyond −30 % that was not confirmed counts as stable disease; "
        "progression with a fall is by a new lesion or in the brain. "
        f"Without a scan, and so without a bar: {', '.join(missing)} patients."
    )
    return text + (f" Growth beyond +{100 * HIGHEST:.0f} % is cut off in {beyond}." if beyond else "")


def _describe(arms: Sequence[WaterfallArm]) -> str:
    """The picture in words, for those who cannot see it."""
    parts = []
    for arm in arms:
        seen = arm.best_change[np.isfinite(arm.best_change)]
        middle = f", median best change {100 * float(np.median(seen)):+.0f} %" if seen.size else ""
        parts.append(f"{arm.label}: {', '.join(_rate_texts(arm))}{middle}")
    return f"Waterfall of the best change of the sum of diameters. {'. '.join(parts)}."
