"""Pictures of a cell: its state, dose-response curves, the surface of two drugs, a time course."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from her2.cell.combination import Combination
from her2.cell.dose_response import DoseResponse, GRMetrics
from her2.cell.evaluate import quantiles
from her2.cell.report import CellReport, key_quantities
from her2.cell.state import CellState, unit_of
from her2.cell.time_course import TimeCourse
from her2.trials.pictures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
ENDINGS = ("svg", "png", "pdf")
NODES = (
    "pi3k", "akt", "mtorc1", "s6k", "erk", "foxo", "src", "er_activity", "p27", "cyclin_d1", "cell_cycle", "bim",
    "apoptosis_signal",
)  # fmt: skip


def draw_report(report: CellReport) -> Figure:
    """The picture of what was asked for: the time course, else the surface, else the curves, else the state."""
    state = report.state
    where = {"culture": "culture", "tumour": "tumour", "cns": "brain metastasis"}[state.compartment]
    where += _changes(state)
    place = f"{where}; {state.days:g} days"
    run = _run_key(report)
    if report.course is not None:
        return draw_time_course(report.course, f"{state.cell.name}: {_drugs(state)}", where, run)
    if report.surface is not None:
        return draw_surface(report.surface, state.cell.name, place, run)
    if report.responses:
        return draw_curves(report.responses, state.cell.name, place, run)
    return draw_state(state, place, run)


def _run_key(report: CellReport) -> style.RunKey:
    from her2 import __version__
    from her2.cell.ensemble import SEED

    return style.RunKey(report.digest, SEED, __version__)


def _changes(state: CellState) -> str:
    """Switches and ligands that were set, for the subtitle."""
    return "".join(f", {name} {x:g}" for name, x in {**state.cell.switches, **state.ligands}.items())


def _drugs(state: CellState) -> str:
    return " + ".join(state.drugs) or "untreated"


def draw_curves(
    responses: Sequence[tuple[DoseResponse, GRMetrics]],
    cell: str,
    place: str = "",
    run: style.RunKey | None = None,
) -> Figure:
    """GR values and net growth against the dose, each with the 90 % interval of the ensemble; GR50 marked."""
    title = f"{cell}: {', '.join(r.drug for r, _ in responses)}"
    background = " + ".join(responses[0][0].background)
    subtitle = place + (f", on {background}" if background else "")
    top, bottom, height = style.title_height(title, subtitle) + 0.2, 1.05, 2.9
    with style.picture_style():
        figure = style.new_figure(top + height + bottom, title, _describe_curves(responses))
        style.write_title(figure, title, subtitle)
        left = style.add_panel(figure, 0.7, bottom, 3.15, height)
        right = style.add_panel(figure, 4.65, bottom, 3.15, height)
        for k, (response, metrics) in enumerate(responses):
            _curve(left, response.doses, response.gr, k)
            _curve(right, response.doses, response.growth, k, response.drug)
            if math.isfinite(metrics.gr50.value):
                left.plot(
                    [metrics.gr50.value], [0.5], "o", color=style.arm_look(k)[0], markersize=5, zorder=4
                )
        for level in (0.0, 0.5):
            left.axhline(level, color=style.RULE, linewidth=0.8, zorder=0)
        right.axhline(0.0, color=style.RULE, linewidth=0.8, zorder=0)
        control = responses[0][0].control[0]
        right.axhline(control, color=style.MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        left.set_ylim(-1.05, 1.15)
        left.set_ylabel("GR value")
        right.set_ylabel("Net growth, 1/day")
        if all(np.isnan(response.gr[0]).all() for response, _ in responses):
            text = "not defined: the untreated\ncell does not grow"
            left.text(0.5, 0.5, text, transform=left.transAxes, ha="center", color=style.MUTED)
        shown = np.concatenate([r.doses[r.doses > 0.0] for r, _ in responses])
        for panel in (left, right):
            panel.set_xscale("log")
            panel.set_xlim(shown.min() / 1.8, shown.max() * 1.8)
            panel.set_xlabel("Dose, nmol/L")
        right.legend(frameon=False, fontsize=style.SMALL_SIZE, loc="lower left")
        note = "1: no effect, 0: no growth, below 0: cells are lost; dot: GR50; "
        note += "bands: 90 % of the ensemble; dashes: untreated"
        style.write_text(figure, 0.15, 0.36, note, fontsize=style.SMALL_SIZE, color=style.MUTED)
        style.write_foot(figure, run)
    return figure


def _curve(panel: Axes, doses: Array, values: Array, number: int, label: str | None = None) -> None:
    """A central line and its band; dose 0 has no place on a log axis."""
    colour, dashes = style.arm_look(number)
    used = doses > 0.0
    panel.plot(
        doses[used], values[0][used], color=colour, linestyle=dashes, linewidth=1.6, label=label, zorder=3
    )
    if values.shape[0] > 2:
        low, high = quantiles(values)
        panel.fill_between(doses[used], low[used], high[used], color=colour, alpha=0.18, linewidth=0)


def _describe_curves(responses: Sequence[tuple[DoseResponse, GRMetrics]]) -> str:
    parts = []
    for response, metrics in responses:
        half = f"{metrics.gr50.value:.3g} nmol/L" if math.isfinite(metrics.gr50.value) else "not reached"
        parts.append(f"{response.drug}: GR50 {half}, GRmax {metrics.gr_max.value:.2f}")
    return "; ".join(parts) + "."


def draw_surface(surface: Combination, cell: str, place: str = "", run: style.RunKey | None = None) -> Figure:
    """Heat maps on the grid of doses: fraction affected, Bliss excess, excess over the better drug alone."""
    title = f"{cell}: {surface.drug_a} and {surface.drug_b}"
    bliss, hsa = surface.mean_bliss_excess(), surface.mean_hsa_excess()
    subtitle = f"{place}; mean excess {bliss.value:+.3f} (Bliss), {hsa.value:+.3f} (better drug alone)"
    if surface.background:
        subtitle += f"; on {' + '.join(surface.background)}"
    panels = (
        ("Fraction affected", surface.affected[0], False),
        ("Bliss excess", surface.bliss_excess[0], True),
        ("Excess over better drug", surface.hsa_excess[0], True),
    )
    largest = max(0.05, *(float(np.max(np.abs(v))) for _, v, diverges in panels if diverges))
    side, gap, left = 1.95, 0.48, 0.75
    top, bottom = style.title_height(title, subtitle) + 0.35, 1.45
    with style.picture_style():
        figure = style.new_figure(top + side + bottom, title, subtitle)
        style.write_title(figure, title, subtitle)
        for k, (name, values, diverges) in enumerate(panels):
            x = left + k * (side + gap)
            panel = style.add_panel(figure, x, bottom, side, side)
            low, high, colours = (-largest, largest, "RdBu_r") if diverges else (0.0, 1.0, "viridis")
            shown = panel.imshow(values, origin="lower", aspect="auto", cmap=colours, vmin=low, vmax=high)
            panel.set_title(name, fontsize=style.TEXT_SIZE)
            _dose_ticks(panel, surface, is_first=k == 0)
            bar = style.add_panel(figure, x, 0.62, side, 0.1)
            figure.colorbar(shown, cax=bar, orientation="horizontal")
            bar.tick_params(labelsize=style.SMALL_SIZE)
        note = "doses in nmol/L; excess of the central model as a share of cells, above 0: more than expected"
        style.write_text(figure, 0.15, 0.3, note, fontsize=style.SMALL_SIZE, color=style.MUTED)
        style.write_foot(figure, run)
    return figure


def _dose_ticks(panel: Axes, surface: Combination, is_first: bool) -> None:
    a, b = surface.doses_a, surface.doses_b
    panel.spines[:].set_visible(False)
    size: dict[str, Any] = {"fontsize": style.SMALL_SIZE - 0.5}
    across = range(0, b.size, max(1, math.ceil(b.size / 6)))
    panel.set_xticks(list(across), [_dose(b[k]) for k in across], rotation=45, **size)
    up = range(0, a.size, max(1, math.ceil(a.size / 12)))
    panel.set_yticks(list(up), [_dose(a[k]) if is_first else "" for k in up], **size)
    panel.tick_params(length=2)
    panel.set_xlabel(surface.drug_b, fontsize=style.SMALL_SIZE, labelpad=1)
    if is_first:
        panel.set_ylabel(surface.drug_a, fontsize=style.SMALL_SIZE, labelpad=1)


def _dose(x: float) -> str:
    """Two digits at most, without an exponent from 0.001 to 9999."""
    if x == 0.0 or 1e-3 <= x < 1e4:
        return f"{float(f'{x:.2g}'):g}"
    return f"{x:.0e}".replace("e-0", "e-").replace("e+0", "e")


def draw_state(state: CellState, place: str = "", run: style.RunKey | None = None) -> Figure:
    """Key nodes untreated and treated, with the 90 % interval of the ensemble."""
    title = f"{state.cell.name}: {_drugs(state)}"
    height = 0.26 * len(NODES)
    top, bottom = style.title_height(title, place) + 0.15, 0.95
    treated = bool(state.drugs)
    with style.picture_style():
        figure = style.new_figure(top + height + bottom, title, "Activity of key nodes, 0 to 1.")
        style.write_title(figure, title, place)
        panel = style.add_panel(figure, 1.5, bottom, style.WIDTH - 2.0, height)
        for k, node in enumerate(NODES):
            y = len(NODES) - k - 1.0
            pairs = [(state.untreated(node), 0, "untreated", 0.13)]
            if treated:
                pairs.append((state.treated(node), 1, "treated", -0.13))
            for band, colour, label, shift in pairs:
                look = style.ARM_COLOURS[colour]
                at = y + shift
                if not math.isnan(band.low):
                    panel.plot([band.low, band.high], [at, at], color=look, linewidth=3.0, alpha=0.35)
                shape = "o" if colour == 0 else "D"
                panel.plot(
                    [band.value], [at], shape, color=look, markersize=5, label=label if k == 0 else None
                )
        panel.set_yticks(range(len(NODES) - 1, -1, -1), NODES)
        panel.set_ylim(-0.6, len(NODES) - 0.4)
        panel.set_xlim(-0.02, 1.02)
        panel.set_xlabel("Activity (normalised)")
        panel.grid(axis="x", color=style.RULE, linewidth=0.5)
        panel.set_axisbelow(True)
        panel.legend(
            frameon=False, fontsize=style.SMALL_SIZE, loc="lower right", bbox_to_anchor=(1.0, 0.99), ncols=2
        )
        style.write_text(
            figure, 0.15, 0.32, "bars: 90 % of the ensemble", fontsize=style.SMALL_SIZE, color=style.MUTED
        )
        style.write_foot(figure, run)
    return figure


def draw_time_course(
    course: TimeCourse, title: str, place: str = "", run: style.RunKey | None = None
) -> Figure:
    """Key quantities over time, one panel each."""
    names = key_quantities(course)
    across = min(3, len(names))
    down = math.ceil(len(names) / across)
    wide, high, gap_x, gap_y = 2.0, 1.25, 0.55, 0.5
    top, bottom = style.title_height(title, place) + 0.35, 0.75
    with style.picture_style():
        figure = style.new_figure(top + down * high + (down - 1) * gap_y + bottom, title, ", ".join(names))
        style.write_title(figure, title, place)
        for k, name in enumerate(names):
            i, j = divmod(k, across)
            panel = style.add_panel(
                figure, 0.6 + j * (wide + gap_x), bottom + (down - 1 - i) * (high + gap_y), wide, high
            )
            panel.plot(course.times, course[name], color=style.ARM_COLOURS[0], linewidth=1.6)
            unit = unit_of(name)
            panel.set_title(f"{name}, {unit}" if unit != "1" else name, fontsize=style.TEXT_SIZE)
            panel.set_ylim(0.0, max(1.08 * float(np.max(course[name])), 1e-9))
            panel.tick_params(labelsize=style.SMALL_SIZE)
            if i == down - 1:
                panel.set_xlabel("h", fontsize=style.SMALL_SIZE)
        style.write_foot(figure, run)
    return figure


def write_picture(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file's name.

    Raises
    ------
    her2.errors.OutputError
        Another ending than .svg, .png or .pdf; a file that cannot be written.
    """
    import io

    from her2.errors import OutputError

    ending = check_ending(path)
    buffer = io.BytesIO()
    with style.picture_style():
        metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending, {})
        figure.savefig(buffer, format=ending, dpi=style.PNG_DPI, metadata=metadata)
    try:
        path.write_bytes(buffer.getvalue())
    except OSError as error:
        raise OutputError(
            f"{path}: the picture cannot be written ({error.strerror or error}); give a folder that exists "
            "and can be written"
        ) from error


def check_ending(path: Path) -> str:
    """The format that a file's name asks for.

    Raises
    ------
    her2.errors.OutputError
        Another ending than .svg, .png or .pdf.
    """
    from her2.errors import OutputError

    ending = path.suffix.lower().removeprefix(".")
    if ending not in ENDINGS:
        raise OutputError(f"{path}: expected a name ending in .svg, .png or .pdf")
    return ending
