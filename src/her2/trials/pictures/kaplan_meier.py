"""Kaplan-Meier curves, and below them who is at risk, censored or had the event (KMunicate)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from her2.survival import KaplanMeier, kaplan_meier
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
    arm_look,
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

_STEPS = (1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 36.0, 60.0, 120.0)
_MOST_TICKS = 12
_LEFT, _RIGHT = 0.95, 0.25
# columns of the summary above the plot, inches
_LABEL_AT, _EVENTS_AT, _MEDIAN_AT, _PUBLISHED_AT, _SOURCE_AT = 0.55, 3.75, 5.2, 6.4, 6.55
_LABEL_WIDTH = 36
_SOURCE_WIDTH = 22


@dataclass(frozen=True, eq=False)
class Curve:
    """One arm as its curve needs it.

    Attributes
    ----------
    label : of the arm
    time_months : (patients,), month
        Time of the event or of the end of follow-up.
    event : (patients,)
        True if the event happened.
    """

    label: str
    time_months: NDArray[np.float64]
    event: NDArray[np.bool_]


@dataclass(frozen=True)
class Published:
    """A printed figure: median in months, or hazard ratio; with its limits where printed.

    Attributes
    ----------
    source : place in the source, such as "review_b, line 651"
    """

    value: float
    source: str
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class ShownContrast:
    """A hazard ratio to be shown above the curves.

    Attributes
    ----------
    label : the two arms, such as "pertuzumab v placebo"
    interval : what `low` and `high` are the limits of
    """

    label: str
    value: float
    low: float
    high: float
    published: Published | None = None
    interval: str = "95 % CI"


def draw_kaplan_meier(
    curves: Sequence[Curve],
    *,
    title: str,
    published: Sequence[Published | None] | None = None,
    contrast: ShownContrast | Sequence[ShownContrast] | None = None,
    subtitle: str = "",
    y_label: str = "Probability without event",
    x_label: str = "Months since randomisation",
    run: RunKey | None = None,
) -> Figure:
    """Kaplan-Meier curves of one endpoint, one per arm.

    Steps with a pointwise 95 % band (log-log), a tick for each censored patient, and below the plot the
    patients at risk, censored and with an event: at risk at the start of the tick, the other two counted
    before it, so that the three always add up to all patients. Above it the medians with their intervals,
    beside the published ones, which are also marked on the 50 % line.

    Parameters
    ----------
    published : (arms,), in the order of `curves`
        Medians as printed; None where none is printed.
    contrast : hazard ratios for the summary, each with its published value

    Raises
    ------
    ValueError
        If there is no curve, or another number of published medians than of curves.
    """
    if not curves:
        raise ValueError("curves: none given; expected at least one arm.")
    medians = [None] * len(curves) if published is None else list(published)
    if len(medians) != len(curves):
        raise ValueError(
            f"published: {len(medians)} medians for {len(curves)} curves; expected one each, or None."
        )
    contrasts = [contrast] if isinstance(contrast, ShownContrast) else list(contrast or ())
    estimates = [kaplan_meier(c.time_months, c.event) for c in curves]

    rows = [
        _SummaryRow(
            wrap(c.label, _LABEL_WIDTH), f"{int(np.sum(c.event))} / {c.event.size}", _median_text(e), p, k, 1
        )
        for k, (c, e, p) in enumerate(zip(curves, estimates, medians, strict=True))
    ] + [
        _SummaryRow(
            wrap(c.label, _LABEL_WIDTH + 8),
            "",
            _interval_text(c.value, c.low, c.high, 2),
            c.published,
            None,
            2,
        )
        for c in contrasts
    ]
    # a heading for the arms and, below a rule, one for the contrasts
    summary = LINE * (1 + bool(contrasts) + sum(r.n_lines for r in rows)) + 0.05 * bool(contrasts)
    table = LINE * (4 * len(curves)) + 0.10
    plot = 3.5
    top = title_height(title, subtitle) + summary + 0.22
    bottom = 0.42 + table + 0.52
    with picture_style():
        figure = new_figure(top + plot + bottom, title, _describe(curves, estimates, medians, contrasts))
        y = write_title(figure, title, subtitle)
        _write_summary(figure, y - 0.02, rows, contrasts[0].interval if contrasts else "")
        panel = add_panel(figure, _LEFT, bottom, WIDTH - _LEFT - _RIGHT, plot)
        longest = max(float(c.time_months.max()) for c in curves)
        limit = max([longest, 1e-9, *(p.value for p in medians if p is not None)])
        ticks = _ticks(limit)
        panel.set_xlim(0.0, max(limit * 1.02, float(ticks[-1])))
        _draw_curves(panel, curves, estimates)
        panel.set_ylim(0.0, 1.0)
        _mark_published(panel, medians, estimates, (WIDTH - _LEFT - _RIGHT, plot))
        panel.set_xticks(ticks)
        panel.set_yticks(np.arange(0.0, 1.01, 0.25), ["0", "0.25", "0.50", "0.75", "1"])
        panel.set_xlabel(x_label, labelpad=5)
        panel.set_ylabel(y_label, labelpad=8)
        panel.tick_params(length=3)
        below = add_panel(figure, _LEFT, 0.42, WIDTH - _LEFT - _RIGHT, table)
        _write_counts(below, curves, estimates, ticks, panel.get_xlim(), table)
        write_foot(figure, run)
    return figure


@dataclass(frozen=True)
class _SummaryRow:
    """A row of the summary; `arm` is None for a contrast."""

    label: list[str]
    events: str
    value: str
    published: Published | None
    arm: int | None
    digits: int

    @property
    def source(self) -> list[str]:
        return wrap(self.published.source, _SOURCE_WIDTH) if self.published else []

    @property
    def n_lines(self) -> int:
        return max(len(self.label), len(self.source), 1)


def _write_summary(figure: Figure, y: float, rows: list[_SummaryRow], interval: str) -> None:
    """Arms with medians, then hazard ratios, in columns."""
    from matplotlib.lines import Line2D

    head = {"color": MUTED, "fontsize": SMALL_SIZE}
    write_text(figure, _EVENTS_AT, y, "events / n", ha="right", **head)
    write_text(figure, _MEDIAN_AT, y, "median (95 % CI), months", ha="right", **head)
    has_published = any(r.published for r in rows)
    if has_published:
        write_text(figure, _PUBLISHED_AT, y, "published", ha="right", **head)
        write_text(figure, _SOURCE_AT, y, "source", **head)
    y -= LINE
    was_arm = True
    for row in rows:
        if was_arm and row.arm is None:
            draw_rule(figure, _LABEL_AT, WIDTH - _RIGHT, y + 0.12)
            y -= 0.05
            write_text(figure, _MEDIAN_AT, y, f"hazard ratio ({interval})", ha="right", **head)
            y -= LINE
        was_arm = row.arm is not None
        colour = INK
        if row.arm is not None:
            colour, dashes = arm_look(row.arm)
            figure.add_artist(
                Line2D(
                    [0.15, 0.47],
                    [y + 0.045] * 2,
                    transform=figure.dpi_scale_trans,
                    color=colour,
                    linestyle=dashes,
                    linewidth=2.0,
                )
            )
        for k, line in enumerate(row.label):
            write_text(figure, _LABEL_AT, y - k * LINE, line)
        write_text(figure, _EVENTS_AT, y, row.events, ha="right")
        write_text(figure, _MEDIAN_AT, y, row.value, ha="right", fontweight="bold")
        if row.published is not None:
            p = row.published
            write_text(
                figure, _PUBLISHED_AT, y, _interval_text(p.value, p.low, p.high, row.digits), ha="right"
            )
            for k, line in enumerate(row.source):
                write_text(figure, _SOURCE_AT, y - k * LINE, line, color=MUTED, fontsize=SMALL_SIZE)
            if row.arm is not None:
                figure.add_artist(
                    Line2D(
                        [_PUBLISHED_AT - 0.42],
                        [y + 0.045],
                        transform=figure.dpi_scale_trans,
                        marker="D",
                        markersize=5,
                        markerfacecolor="white",
                        markeredgecolor=colour,
                        markeredgewidth=1.4,
                        linestyle="",
                    )
                )
        y -= LINE * row.n_lines


def _draw_curves(panel: Axes, curves: Sequence[Curve], estimates: Sequence[KaplanMeier]) -> None:
    """Bands below, then curves, then censor ticks."""
    panel.axhline(0.5, color=RULE, linewidth=0.8, linestyle=(0, (3, 3)), zorder=0)
    for k, e in enumerate(estimates):
        colour, dashes = arm_look(k)
        time = np.concatenate([[0.0], e.times])
        curve = np.concatenate([[1.0], e.survival])
        # before the first event nothing is uncertain; after the last one no limit exists
        before = e.survival >= 1.0
        lower = np.concatenate([[1.0], np.where(before, 1.0, e.lower)])
        upper = np.concatenate([[1.0], np.where(before, 1.0, e.upper)])
        panel.fill_between(
            time,
            lower,
            upper,
            where=np.isfinite(lower) & np.isfinite(upper),
            step="post",
            color=colour,
            alpha=0.15,
            linewidth=0,
            zorder=1 + k,
        )
        panel.plot(
            time,
            curve,
            drawstyle="steps-post",
            color=colour,
            linestyle=dashes,
            linewidth=1.8,
            zorder=10 + k,
            solid_joinstyle="miter",
            label=curves[k].label,
            clip_on=False,
        )
        censored = e.n_censored > 0
        panel.plot(
            e.times[censored],
            e.survival[censored],
            linestyle="",
            marker="|",
            markersize=6,
            markeredgewidth=0.8,
            color=colour,
            zorder=20 + k,
            clip_on=False,
        )


def _mark_published(
    panel: Axes,
    medians: Sequence[Published | None],
    estimates: Sequence[KaplanMeier],
    size: tuple[float, float],
) -> None:
    """A diamond on the 50 % line at each published median, its value in the emptiest corner beside it."""
    end = panel.get_xlim()[1]
    per_month = size[0] / end
    shown = [(p.value, k) for k, p in enumerate(medians) if p is not None]
    # all inches from the lower left corner of the plot; what a label must not cover
    ink = [_trace(e, end) * np.array([per_month, size[1]]) for e in estimates]
    ink += [np.tile([value * per_month, 0.5 * size[1]], (60, 1)) for value, _ in shown]
    covered = np.concatenate(ink) if ink else np.empty((0, 2))
    for value, k in shown:
        colour, _ = arm_look(k)
        text = f"published {value:.1f}"
        panel.plot(
            [value],
            [0.5],
            marker="D",
            markersize=8,
            markerfacecolor="white",
            markeredgecolor=colour,
            markeredgewidth=1.8,
            linestyle="",
            zorder=40 + k,
            clip_on=False,
        )
        x, y, width, height = value * per_month, 0.5 * size[1], 0.067 * len(text), 0.17
        corners = [(sx, sy) for sx in (1, -1) for sy in (1, -1)]
        boxes = [
            (x + 0.11 if sx > 0 else x - 0.11 - width, y + 0.08 if sy > 0 else y - 0.08 - height)
            for sx, sy in corners
        ]
        cost = [
            np.sum(
                (covered[:, 0] > left)
                & (covered[:, 0] < left + width)
                & (covered[:, 1] > low)
                & (covered[:, 1] < low + height)
            )
            + 1e6 * (left < 0.0 or left + width > size[0])
            for left, low in boxes
        ]
        best = int(np.argmin(cost))
        sx, sy = corners[best]
        panel.annotate(
            text,
            (value, 0.5),
            xytext=(8 * sx, 6 * sy),
            textcoords="offset points",
            color=colour,
            ha="left" if sx > 0 else "right",
            va="bottom" if sy > 0 else "top",
            fontsize=TEXT_SIZE,
            zorder=50,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
        )
        # the next label keeps clear of this one
        grid = np.stack(np.meshgrid(np.linspace(0, width, 12), np.linspace(0, height, 5)), axis=-1).reshape(
            -1, 2
        )
        covered = np.concatenate([covered, grid + np.array(boxes[best])])


def _trace(estimate: KaplanMeier, end: float) -> NDArray[np.float64]:
    """Points along a curve, falls included: (points, 2), month and survival."""
    at = np.linspace(0.0, min(end, float(estimate.times[-1])), 600)
    level = np.concatenate([[1.0], estimate.survival])[np.searchsorted(estimate.times, at, side="right")]
    flat = np.stack([at, level], axis=1)
    before = np.concatenate([[1.0], estimate.survival[:-1]])
    share = np.linspace(0.0, 1.0, 12)
    falls = before[:, None] + (estimate.survival - before)[:, None] * share
    steep = np.stack([np.repeat(estimate.times, share.size), falls.ravel()], axis=1)
    is_fall = np.repeat(before - estimate.survival > 0.01, share.size)
    return np.concatenate([flat, steep[is_fall]])


def _write_counts(
    below: Axes,
    curves: Sequence[Curve],
    estimates: Sequence[KaplanMeier],
    ticks: NDArray[np.float64],
    limits: tuple[float, float],
    height: float,
) -> None:
    """The table below the plot, its columns at the ticks."""
    below.set_xlim(limits)
    below.set_ylim(0.0, height)
    below.set_axis_off()
    per_inch = (limits[1] - limits[0]) / (WIDTH - _LEFT - _RIGHT)
    y = height - LINE + 0.02
    for k, (curve, estimate) in enumerate(zip(curves, estimates, strict=True)):
        colour, _ = arm_look(k)
        below.text(
            -(_LEFT - 0.15) * per_inch,
            y,
            curve.label,
            color=colour,
            fontweight="bold",
            fontsize=TEXT_SIZE - 0.5,
            parse_math=False,
        )
        counts = count_patients(estimate, ticks)
        for name, row in zip(("At risk", "Censored", "Events"), counts, strict=True):
            y -= LINE
            look: dict[str, Any] = {"fontsize": TEXT_SIZE - 0.5, "color": INK if name == "At risk" else MUTED}
            below.text(-(_LEFT - 0.15) * per_inch, y, name, **look)
            for t, n in zip(ticks, row, strict=True):
                below.text(t, y, f"{n:.0f}", ha="center", **look)
        y -= LINE


def count_patients(
    estimate: KaplanMeier, at: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Patients at risk just before each time, and censored and with an event before it: each (times,)."""
    before = np.searchsorted(estimate.times, at, side="left")
    censored = np.concatenate([[0.0], np.cumsum(estimate.n_censored)])[before]
    events = np.concatenate([[0.0], np.cumsum(estimate.n_events)])[before]
    return estimate.n_at_risk_at(at), censored, events


def _ticks(limit: float) -> NDArray[np.float64]:
    """Months to label: from zero, in steps readers know, not more than fit."""
    step = next((s for s in _STEPS if limit / s <= _MOST_TICKS), limit / _MOST_TICKS)
    return np.arange(0.0, limit * (1 + 1e-9), step)


def _median_text(estimate: KaplanMeier) -> str:
    q = estimate.quantile(0.5)
    return _interval_text(float(q.time[0]), float(q.lower[0]), float(q.upper[0]), 1)


def _interval_text(value: float, low: float, high: float, digits: int) -> str:
    """`18.4 (16.5–20.3)`; NR for a median that is not reached."""
    middle, lower, upper = (f"{x:.{digits}f}" if math.isfinite(x) else "NR" for x in (value, low, high))
    if lower == upper == "NR":
        return "not reached" if middle == "NR" else middle
    return f"{middle} ({lower}–{upper})"


def _describe(
    curves: Sequence[Curve],
    estimates: Sequence[KaplanMeier],
    medians: Sequence[Published | None],
    contrasts: Sequence[ShownContrast],
) -> str:
    """The picture in words, for those who cannot see it."""
    parts = []
    for c, e, p in zip(curves, estimates, medians, strict=True):
        counts = f"{c.event.size} patients, {int(np.sum(c.event))} events"
        text = f"{c.label}: {counts}, median {_median_text(e)} months"
        parts.append(text + (f", published {p.value:.1f} ({p.source})" if p is not None else ""))
    for r in contrasts:
        text = f"{r.label}: {_interval_text(r.value, r.low, r.high, 2)}"
        if r.published is not None:
            text += f", published {r.published.value:.2f} ({r.published.source})"
        parts.append(text)
    return f"Kaplan-Meier curves. {'. '.join(parts)}."
