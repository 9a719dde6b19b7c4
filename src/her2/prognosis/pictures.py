"""Pictures of one patient: predicted curves by option, and escape routes without and with the history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from her2.prognosis.result import PatientResult
from her2.prognosis.sentences import month, plain_name
from her2.trials.pictures.style import (
    INK,
    LINE,
    MUTED,
    SMALL_SIZE,
    WIDTH,
    RunKey,
    add_panel,
    arm_look,
    new_figure,
    picture_style,
    save_figure,
    title_height,
    write_foot,
    write_text,
    write_title,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
CURVES = {
    "pfs": ("Without progression", "Share of such patients without progression"),
    "os": ("Alive", "Share of such patients alive"),
}
MOST_CURVES = 7
PANEL = 3.2


def write_pictures(result: PatientResult, folder: Path) -> list[Path]:
    """Write the pictures of a patient as SVG and PNG; none where no course is predicted.

    Raises
    ------
    her2.errors.OutputError
        If a file cannot be written.
    """
    written: list[Path] = []
    if not result.curves:
        return written
    folder.mkdir(parents=True, exist_ok=True)
    for endpoint in CURVES:
        written += save_figure(curve_figure(result, endpoint), folder / f"patient_{endpoint}")
    if any(r.prior is not None for r in result.routes):
        written += save_figure(route_figure(result), folder / "patient_routes")
    return written


def curve_figure(result: PatientResult, endpoint: str) -> Figure:
    """Predicted share of such patients without the event over time, one curve per option.

    Parameters
    ----------
    endpoint : `pfs` or `os`
    """
    title, label = CURVES[endpoint]
    assert result.curves is not None
    names = list(result.curves)[:MOST_CURVES]
    subtitle = (
        "Twins of the patient weighted by the history; median months behind the name. Not a trial result."
    )
    with picture_style():
        head = title_height(title, subtitle)
        figure = new_figure(
            head + LINE * len(names) + PANEL + 0.85, title, _described(result, endpoint, names)
        )
        y = write_title(figure, title, subtitle)
        axes = add_panel(figure, 0.8, 0.75, WIDTH - 1.05, PANEL)
        horizon = result.run.horizon_months
        for k, name in enumerate(names):
            colour, dashes = arm_look(k)
            one: dict[str, Array] = result.curves[name]
            times, shares = survival_steps(one[endpoint], one["weights"], horizon)
            axes.step(times, shares, where="post", color=colour, linestyle=dashes, linewidth=1.6)
            course = next(c for c in result.courses if c.regimen == name)
            median = course.pfs.median if endpoint == "pfs" else course.os.median
            write_text(figure, 0.55, y - LINE * k, f"{plain_name(name)}: {month(median)}", color=INK)
            _key(figure, 0.2, y - LINE * k + 0.05, colour, dashes)
        axes.set(
            xlim=(0.0, horizon), ylim=(0.0, 1.02), xlabel="Months from the start of the option", ylabel=label
        )
        axes.axhline(0.5, color=MUTED, linewidth=0.6, linestyle=":")
        write_foot(figure, _run_key(result))
    return figure


def survival_steps(months: Array, weights: Array, horizon: float) -> tuple[Array, Array]:
    """Weighted share of twins without the event after each time: two arrays for a step curve.

    Parameters
    ----------
    months : (twins,), month; infinite where the event did not come
    """
    order = np.argsort(months, kind="stable")
    x, w = months[order], weights[order]
    inside = np.isfinite(x) & (x <= horizon)
    left = 1.0 - np.cumsum(w)[inside] / float(w.sum())
    return np.concatenate([[0.0], x[inside], [horizon]]), np.concatenate(
        [[1.0], left, left[-1:] if left.size else [1.0]]
    )


def route_figure(result: PatientResult) -> Figure:
    """Escape routes: share of such patients without and with the history."""
    rows = [r for r in result.routes if r.prior is not None and not r.known]
    title = "Escape routes"
    subtitle = (
        "Of 100 such patients: hollow without the history, filled with it; bars are one Monte-Carlo error."
    )
    with picture_style():
        head = title_height(title, subtitle)
        height = 0.26 * len(rows)
        said = "; ".join(f"{r.label}: {100 * (r.prior or 0.0):.0f} to {100 * r.posterior:.0f}" for r in rows)
        figure = new_figure(head + height + 0.95, title, said)
        write_title(figure, title, subtitle)
        axes = add_panel(figure, 4.3, 0.75, WIDTH - 4.55, max(height, 0.3))
        place = np.arange(len(rows))[::-1]
        axes.errorbar(
            [100 * r.posterior for r in rows], place, xerr=[100 * r.posterior_error for r in rows], fmt="o",
            color=arm_look(0)[0], markersize=5, linewidth=1.0,
        )  # fmt: skip
        axes.plot(
            [100 * (r.prior or 0.0) for r in rows],
            place,
            "o",
            markerfacecolor="white",
            color=MUTED,
            markersize=5,
        )
        axes.set_yticks(place, [_shortened(r.label) for r in rows], fontsize=SMALL_SIZE)
        axes.set(xlim=(0.0, 100.0), ylim=(-0.7, len(rows) - 0.3), xlabel="Of 100 such patients")
        write_foot(figure, _run_key(result))
    return figure


def _key(figure: Figure, x: float, y: float, colour: str, dashes: Any) -> None:
    from matplotlib.lines import Line2D

    line = Line2D(
        [x, x + 0.28], [y, y], transform=figure.dpi_scale_trans, color=colour, linestyle=dashes, linewidth=1.6
    )
    figure.add_artist(line)


def _described(result: PatientResult, endpoint: str, names: Sequence[str]) -> str:
    medians = {c.regimen: c.pfs.median if endpoint == "pfs" else c.os.median for c in result.courses}
    return "Median months: " + "; ".join(f"{plain_name(n)} {month(medians[n])}" for n in names)


def _shortened(label: str) -> str:
    return label if len(label) <= 64 else label[:61].rstrip() + "..."


def _run_key(result: PatientResult) -> RunKey:
    return RunKey(result.run.digest, result.run.seed, result.run.version)
