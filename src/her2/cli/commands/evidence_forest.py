"""`her2 evidence forest` and `her2 evidence network`: what the randomised trials of the record say together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from her2.evidence.meta_data import CAVEAT, MERGED, exp_or_none, forest_data, network_data

if TYPE_CHECKING:
    from her2.evidence.contrasts import Selection
    from her2.evidence.meta_analysis import MetaAnalysis
    from her2.evidence.network_meta_analysis import Component

_COLUMNS = 8
"""Most columns of a league table side by side."""
_TICKS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)


def forest(
    endpoint: Annotated[
        str, typer.Option(help="pfs, os, ttp, or several as pfs+ttp (the first found).")
    ] = "pfs",
    contrast: Annotated[
        str, typer.Option(help="add-her2, add-AGENT, or A-v-B such as lapatinib-v-trastuzumab.")
    ] = "add-her2",
    method: Annotated[str, typer.Option(help="fixed, dl, pm or reml.")] = "reml",
    knapp_hartung: Annotated[
        bool, typer.Option("--knapp-hartung", help="t interval of few studies.")
    ] = False,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Fill in where no interval is printed; marked.")
    ] = False,
    likely_correct: Annotated[
        bool, typer.Option("--likely-correct", help="Use what the print should probably say.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Picture: a file ending in .svg, .png or .pdf.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Pool the randomised hazard ratios that answer a question."""
    from her2.evidence.contrasts import ContrastError, select_contrasts
    from her2.evidence.meta_analysis import pool_effects
    from her2.evidence.record import load_record

    chosen = select_contrasts(
        load_record(), endpoint, contrast, approximate=approximate, likely_correct=likely_correct
    )
    if not chosen.contrasts:
        more = sum(1 for _ in {n.study for n in chosen.left_out if "could be" in n.reason})
        raise ContrastError(
            f"no randomised study of the record gives a hazard ratio with interval for {endpoint}, {contrast}"
            + (f"; --approximate takes {more} from p values or medians" if more else "")
        )
    try:
        pooled = pool_effects(
            [c.log_hr for c in chosen.contrasts],
            [c.se for c in chosen.contrasts],
            method=method,  # type: ignore[arg-type]
            knapp_hartung=knapp_hartung,
        )
    except ValueError as error:
        raise ContrastError(str(error)) from error
    if out is not None:
        _save_picture(chosen, pooled, out)
    if json:
        _print_json({**forest_data(chosen, pooled), **({"picture": str(out)} if out is not None else {})})
        return
    _print_forest(chosen, pooled)
    if out is not None:
        typer.echo(f"picture: {out}")


def network(
    endpoint: Annotated[
        str, typer.Option(help="pfs, os, ttp, or several as pfs+ttp (the first found).")
    ] = "pfs",
    fixed: Annotated[bool, typer.Option("--fixed", help="No variance between studies.")] = False,
    merge: Annotated[
        str, typer.Option(help="none, or taxane: docetaxel and paclitaxel count as one.")
    ] = "none",
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Fill in where no interval is printed; marked.")
    ] = False,
    likely_correct: Annotated[
        bool, typer.Option("--likely-correct", help="Use what the print should probably say.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare all treatments that randomised trials link, each connected part by itself."""
    from her2.errors import unknown
    from her2.evidence.contrasts import ContrastError, select_contrasts
    from her2.evidence.network_meta_analysis import analyse_network, network_of
    from her2.evidence.record import load_record

    if merge not in MERGED:
        raise unknown("merge", merge, MERGED)
    chosen = select_contrasts(
        load_record(), endpoint, "all", approximate=approximate, likely_correct=likely_correct
    )
    comparisons, notes = network_of(chosen, MERGED[merge])
    if not comparisons:
        raise ContrastError(f"no randomised study of the record gives a usable hazard ratio for {endpoint}")
    found = analyse_network(comparisons, random_effects=not fixed)
    used = {c.study for c in comparisons}
    rough = sorted({c.study for c in chosen.contrasts if c.is_approximated and c.study in used})
    left_out = sorted({n.study for n in chosen.left_out} - used)
    if json:
        _print_json(network_data(endpoint, found, chosen, used, notes))
        return
    if found.warning:
        typer.echo(f"her2: warning: {found.warning}", err=True)
    for i, component in enumerate(found.components, start=1):
        _print_component(component, f"Component {i} of {len(found.components)}, {endpoint}")
    if rough:
        typer.echo(f"approximated, no interval printed: {', '.join(rough)}")
    if left_out:
        typer.echo(f"left out, no usable hazard ratio: {', '.join(left_out)}")
    for note in notes:
        typer.echo(f"left out: {note}")
    typer.echo(CAVEAT)


def _interval(hr: float | None, low: float | None, high: float | None) -> str:
    shown = ["> 1e300" if x is None else f"{x:.2f}" if x < 1000 else f"{x:.1e}" for x in (low, high)]
    start = "" if hr is None else f"{hr:.2f} "
    return f"{start}({shown[0]} to {shown[1]})"


def _studies(n: int) -> str:
    return "1 study" if n == 1 else f"{n} studies"


def _print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], title: str) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 170)
    console.print(Text(title, style="bold"))
    console.print(table)


def _print_forest(chosen: Selection, pooled: MetaAnalysis) -> None:
    rows = []
    for c, weight in zip(chosen.contrasts, pooled.weights, strict=True):
        basis = f"approximated: {c.basis}" if c.is_approximated else "printed"
        if not c.is_randomisation_printed:
            basis += "; randomisation implied"
        rows.append((
            f"{c.name} (yours)" if c.is_user else c.name, f"{c.experimental} v {c.control}", c.endpoint,
            c.line.replace("_", " "), _interval(c.hr, c.ci_low, c.ci_high), f"{100 * weight:.1f}%", basis, c.where,
        ))  # fmt: skip
    rows.append((
        f"pooled ({pooled.method}{', Knapp-Hartung' if pooled.is_knapp_hartung else ''})", "", "", "",
        _interval(math.exp(pooled.estimate), math.exp(pooled.ci_low), exp_or_none(pooled.ci_high)), "100%",
        f"p = {pooled.p:.2g}", "",
    ))  # fmt: skip
    _print_table(
        ("study", "arms", "endpoint", "setting", "hazard ratio (95% CI)", "weight", "basis", "place"),
        rows,
        f"{chosen.endpoint}, {chosen.contrast}: {_studies(pooled.n_studies)}; below 1 favours the experimental arm",
    )
    predicted = (
        _interval(None, exp_or_none(pooled.prediction_low), exp_or_none(pooled.prediction_high))
        if pooled.prediction_low is not None
        else "needs random effects and three studies"
    )
    typer.echo(
        f"heterogeneity: Q = {pooled.q:.2f} on {pooled.q_df} df (p = {pooled.q_p:.2g}), "
        f"tau2 = {pooled.tau2:.4f}, I2 = {pooled.i2:.0f}%, H2 = {pooled.h2:.2f}; prediction interval {predicted}"
    )
    if pooled.n_studies == 1:
        typer.echo("one study: nothing is pooled")
    for c in chosen.contrasts:
        if c.note:
            typer.echo(f"{c.name}: {c.note}")
    for n in chosen.left_out:
        typer.echo(f"left out: {n.study}, {n.endpoint}, {n.experimental} v {n.control}: {n.reason}")
    typer.echo(CAVEAT)


def _print_component(component: Component, title: str) -> None:
    ranking = component.ranking()
    order = [name for name, _ in ranking]
    effects = "random effects" if component.is_random else "fixed effect"
    title = f"{title}: hazard ratio of row against column, {effects}; * indirect only"
    for start in range(0, len(order), _COLUMNS):
        shown = order[start : start + _COLUMNS]
        rows = []
        for i, (name, score) in enumerate(ranking, start=1):
            cells = [_cell(component, name, other) for other in shown]
            rows.append((f"{i} {name}", f"{score:.2f}", *cells))
        heads = (f"v {start + i}" for i in range(1, len(shown) + 1))
        _print_table(("treatment", "P-score", *heads), rows, title if start == 0 else "")
    typer.echo(
        f"{_studies(len(component.studies))} ({', '.join(component.studies)}); tau2 = {component.tau2:.4f}, "
        f"I2 = {component.i2:.0f}%, Q = {component.q:.2f} on {component.q_df} df (p = {component.q_p:.2g}); "
        f"inconsistency Q = {component.q_between:.2f} on {component.q_between_df} df "
        f"(p = {component.q_between_p:.2g})"
    )
    if component.q_df == 0:
        typer.echo("every comparison rests on one study: neither tau2 nor inconsistency can be estimated")
    typer.echo("")


def _cell(component: Component, treatment: str, reference: str) -> str:
    """Hazard ratio over its interval."""
    if treatment == reference:
        return "-"
    e = component.estimate(treatment, reference)
    mark = "" if e.is_direct else "*"
    return f"{math.exp(e.effect):.2f}{mark}\n{math.exp(e.ci_low):.2f}-{math.exp(e.ci_high):.2f}"


def _save_picture(chosen: Selection, pooled: MetaAnalysis, path: Path) -> None:
    """Write the forest in the format of the file's name."""
    import io

    from her2.errors import OutputError
    from her2.trials.pictures.style import picture_style

    ending = path.suffix.lower().removeprefix(".")
    if ending not in ("svg", "png", "pdf"):
        raise OutputError(f"{path}: expected a name ending in .svg, .png or .pdf")
    buffer = io.BytesIO()
    with picture_style():
        metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending, {})
        _draw(chosen, pooled).savefig(buffer, format=ending, dpi=200, metadata=metadata)
    try:
        path.write_bytes(buffer.getvalue())
    except OSError as error:
        raise OutputError(
            f"{path}: the picture cannot be written ({error.strerror or error}); give a folder that exists "
            "and can be written"
        ) from error


def _draw(chosen: Selection, pooled: MetaAnalysis) -> Any:
    """Study by study with its interval, the pooled diamond, and the prediction interval below it."""
    from her2.trials.pictures import style

    has_prediction = pooled.prediction_low is not None and pooled.prediction_high is not None
    n_rows = len(chosen.contrasts) + 1 + has_prediction
    row, left, right, bottom = 0.36, 3.75, 6.2, 1.0
    title = f"{chosen.endpoint.upper().replace('+', ' or ')}: {chosen.contrast}"
    subtitle = (
        f"Hazard ratio, {pooled.method}; tau2 = {pooled.tau2:.3f}, I2 = {pooled.i2:.0f}%, "
        f"Q = {pooled.q:.2f} on {pooled.q_df} df"
    )
    height = row * n_rows
    top = style.title_height(title, subtitle) + 0.15
    figure = style.new_figure(top + height + bottom, title, subtitle)
    style.write_title(figure, title, subtitle)
    limits = [c.ci_low for c in chosen.contrasts] + [c.ci_high for c in chosen.contrasts] + [0.8, 1.25]
    low, high = max(min(limits) / 1.1, 0.05), min(max(limits) * 1.1, 20.0)
    panel = style.add_panel(figure, left, bottom, right - left, height)
    panel.set_xscale("log")
    panel.set_xlim(low, high)
    panel.set_ylim(0.0, n_rows)
    ticks = [t for t in _TICKS if low <= t <= high]
    panel.set_xticks(ticks, [f"{t:g}" for t in ticks])
    panel.set_xticks([], minor=True)
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    panel.axvline(1.0, color=style.INK, linewidth=0.9, zorder=1)
    largest = max(pooled.weights)
    small = {"fontsize": style.SMALL_SIZE, "color": style.MUTED}

    def cut(x: float) -> float:
        return min(max(x, low), high)

    for k, (c, weight) in enumerate(zip(chosen.contrasts, pooled.weights, strict=True)):
        y = n_rows - k - 0.5
        panel.plot([cut(c.ci_low), cut(c.ci_high)], [y, y], color=style.INK, linewidth=1.2, zorder=3)
        for end, is_cut, arrow in ((low, c.ci_low < low, "<"), (high, c.ci_high > high, ">")):
            if is_cut:
                panel.plot([end], [y], marker=arrow, markersize=5, color=style.INK, clip_on=False)
        face = "white" if c.is_approximated else style.INK
        panel.scatter(
            [cut(c.hr)], [y], marker="s", s=max(80.0 * weight / largest, 8.0), facecolor=face,
            edgecolor=style.INK, linewidths=1.0, zorder=4,
        )  # fmt: skip
        at = bottom + y * row
        style.write_text(figure, 0.15, at, c.name + (" (approximated)" if c.is_approximated else ""))
        for part in style.wrap(f"{c.experimental} v {c.control}", 56)[:1]:
            style.write_text(figure, 0.15, at - 0.13, part, **small)
        text = _interval(c.hr, c.ci_low, c.ci_high)
        style.write_text(figure, style.WIDTH - 0.15, at - 0.05, text, ha="right")
    y = n_rows - len(chosen.contrasts) - 0.5
    ends = [math.exp(pooled.ci_low), exp_or_none(pooled.ci_high) or high]
    middle = math.exp(pooled.estimate)
    panel.fill(
        [cut(ends[0]), cut(middle), cut(ends[1]), cut(middle)], [y, y + 0.25, y, y - 0.25],
        color=style.ARM_COLOURS[0], linewidth=0, zorder=4,
    )  # fmt: skip
    at = bottom + y * row - 0.05
    style.write_text(figure, 0.15, at, "Pooled", fontweight="bold")
    text = _interval(middle, ends[0], exp_or_none(pooled.ci_high))
    style.write_text(figure, style.WIDTH - 0.15, at, text, ha="right", fontweight="bold")
    if pooled.prediction_low is not None and pooled.prediction_high is not None:
        reach = [math.exp(pooled.prediction_low), exp_or_none(pooled.prediction_high) or high]
        panel.plot([cut(x) for x in reach], [y - 1, y - 1], color=style.ARM_COLOURS[0], linewidth=2.5)
        style.write_text(figure, 0.15, at - row, "Prediction interval")
        text = _interval(None, reach[0], exp_or_none(pooled.prediction_high))
        style.write_text(figure, style.WIDTH - 0.15, at - row, text, ha="right")
    middle_x = 0.5 * (left + right)
    style.write_text(figure, middle_x, bottom - 0.38, "Hazard ratio (log scale)", ha="center")
    note = "below 1 favours the experimental arm; open boxes: approximated, no interval printed"
    style.write_text(figure, 0.15, bottom - 0.62, note, **small)
    style.write_foot(figure, None)
    return figure


def _print_json(data: Any) -> None:
    import json

    typer.echo(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))
