"""Pictures of one patient: predicted curves by option, escape routes without and with the history, and as a graph.

The graph has the escape routes on the left, their mechanisms in the middle, and on the right what the record names
against them; what an option of the patient has is filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from her2.prognosis.result import PatientResult, RouteWeight
from her2.prognosis.routes import record_mechanisms, route
from her2.prognosis.sentences import is_within, month, plain_name
from her2.prognosis.weights import OUT_OF
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
PICTURES = frozenset(
    f"patient_{name}.{kind}" for name in (*CURVES, "routes", "graph") for kind in ("svg", "png")
)
"""Names of the pictures of a patient."""
MOST_CURVES = 7
PANEL = 3.2
COLUMNS = (0.36, 0.57, 0.74)
"""Where the columns of the graph stand, as shares of its width."""


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
    if result.routes:
        written += save_figure(graph_figure(result), folder / "patient_graph")
    return written


def check_pictures(folder: Path) -> None:
    """Refuse a folder that the pictures cannot be written to; earlier pictures of a patient may be replaced.

    Raises
    ------
    her2.errors.OutputError
        If it is no folder, or holds anything else.
    """
    from her2.trials.write import check_folder

    if folder.is_dir() and all(p.name in PICTURES for p in folder.iterdir()):
        return
    check_folder(folder)


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
        height = 0.32 * len(rows)
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
        axes.set_yticks(place, [_wrapped(r.label) for r in rows], fontsize=SMALL_SIZE)
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


@dataclass(frozen=True)
class EscapeGraph:
    """The escape routes of a patient with their mechanisms and what the record names against them.

    Attributes
    ----------
    routes, mechanisms, against : nodes of the three columns, in order
    edges : pairs of (column of the first, its name, name in the next column)
    """

    routes: tuple[RouteWeight, ...]
    mechanisms: tuple[str, ...]
    against: tuple[str, ...]
    edges: frozenset[tuple[int, str, str]]


def escape_graph(result: PatientResult) -> EscapeGraph:
    """Routes that at least one of 100 such patients has, the likeliest first, and what they lead to."""
    record = record_mechanisms()
    routes = sorted((r for r in result.routes if OUT_OF * r.posterior >= 1.0), key=lambda r: -r.posterior)
    mechanisms: dict[str, None] = {}
    against: dict[str, None] = {}
    edges: set[tuple[int, str, str]] = set()
    for r in routes:
        for name in route(r.id).mechanisms:
            mechanisms[name] = None
            edges.add((0, r.id, name))
            for what in record[name].overcome_by:
                against[what] = None
                edges.add((1, name, what))
    return EscapeGraph(tuple(routes), tuple(mechanisms), tuple(against), frozenset(edges))


def graph_figure(result: PatientResult) -> Figure:
    """Escape routes as a graph, from the routes by their mechanisms to what the record names against them."""
    graph = escape_graph(result)
    title = "Escape routes, and what the record names against them"
    subtitle = "Left: of 100 such patients, given the history. Filled on the right: part of an option predicted here."
    options = [c.regimen for c in result.courses]
    columns = (
        {r.id: f"{_wrapped(r.label)}: {OUT_OF * r.posterior:.0f}" for r in graph.routes},
        {m: m.replace("_", " ") for m in graph.mechanisms},
        {a: _wrapped(plain_name(a), 34) for a in graph.against},
    )
    height = 0.34 * max(len(c) for c in columns)
    with picture_style():
        head = title_height(title, subtitle)
        said = "; ".join(label.replace("\n", " ") for label in columns[0].values())
        figure = new_figure(head + height + 0.75, title, said)
        write_title(figure, title, subtitle)
        axes = add_panel(figure, 0.1, 0.55, WIDTH - 0.2, height)
        axes.set(xlim=(0.0, 1.0), ylim=(-0.03, 1.03))
        axes.axis("off")
        place = [
            {name: (x, (len(c) - k - 0.5) / len(c)) for k, name in enumerate(c)}
            for x, c in zip(COLUMNS, columns, strict=True)
        ]
        weight = {r.id: r.posterior for r in graph.routes}
        for column, one, other in sorted(graph.edges):
            (x0, y0), (x1, y1) = place[column][one], place[column + 1][other]
            share = weight[one] if column == 0 else 0.2
            axes.plot((x0, x1), (y0, y1), color=MUTED, linewidth=0.4 + 2.6 * share, alpha=0.45, zorder=1)
        for r in graph.routes:
            axes.scatter(*place[0][r.id], s=20 + 260 * r.posterior, color=arm_look(0)[0], zorder=2)
        for m in graph.mechanisms:
            axes.scatter(*place[1][m], s=16, color=MUTED, zorder=2)
        for a in graph.against:
            has = any(is_within(a, o) for o in options)
            axes.scatter(
                *place[2][a],
                s=34,
                facecolor=arm_look(2)[0] if has else "white",
                edgecolor=arm_look(2)[0],
                zorder=2,
            )
        for k, column_labels in enumerate(columns):
            for name, label in column_labels.items():
                x, y = place[k][name]
                side: dict[str, Any] = {"ha": "right"} if k == 0 else {"ha": "left"}
                if k == 1:
                    axes.text(x, y - 0.012, label, fontsize=SMALL_SIZE - 1, ha="center", va="top", color=INK)
                else:
                    axes.text(
                        x + (-0.022 if k == 0 else 0.014), y, label, fontsize=SMALL_SIZE, va="center", **side
                    )
        write_foot(figure, _run_key(result))
    return figure


def _wrapped(label: str, width: int = 46) -> str:
    """A label on at most two lines, nothing left out that fits there."""
    import textwrap

    return "\n".join(textwrap.wrap(label, width, max_lines=2, placeholder=" ..."))


def _run_key(result: PatientResult) -> RunKey:
    return RunKey(result.run.digest, result.run.seed, result.run.version)
