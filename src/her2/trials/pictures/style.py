"""The common look of all pictures, and their two files: SVG with text as text, PNG for slides.

The same input gives the same bytes: the user's matplotlib settings are set aside, ids are salted, dates
left out.
"""

from __future__ import annotations

import hashlib
import io
import re
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOTICE = "Research use only. Not medical advice."
ARM_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, safe for the colour-blind; yellow is left out, too pale for a line."""
ARM_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (6, 1.6, 1.4, 1.6)), (0, (1.4, 1.4)))
"""A second mark of the arm, for print without colour."""
INK, MUTED, RULE = "#222222", "#5F5F5F", "#C9C9C9"
WIDTH = 8.0
"""Inches; every picture is as wide, so that text has one size on a page."""
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 12.0, 9.0, 7.5
TITLE_WIDTH = 72
"""Characters of a bold title that fit on a line."""
PNG_DPI = 200
LINE = 0.19
"""Inches from one line of text to the next."""

_RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica", "sans-serif"],
    "font.size": TEXT_SIZE,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "her2",
}
# matplotlib's settings belong to the process: one picture at a time changes them and puts them back
_SETTINGS = threading.RLock()


@dataclass(frozen=True)
class RunKey:
    """What names the run behind a picture: printed at its foot.

    Attributes
    ----------
    digest : of the simulated patients
    seed : of the run
    version : of the package
    """

    digest: str
    seed: int
    version: str

    def __str__(self) -> str:
        return f"run {self.digest[:16]} · seed {self.seed} · her2 {self.version}"


@contextmanager
def picture_style() -> Iterator[None]:
    """Our settings in place of the user's, within the block."""
    import matplotlib

    with _SETTINGS, matplotlib.rc_context():
        matplotlib.rcdefaults()
        for name, value in _RC.items():
            matplotlib.rcParams[cast("Any", name)] = value
        yield


def new_figure(height: float, title: str, description: str) -> Figure:
    """An empty figure, `height` inches high, that knows its title and its description for screen readers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, round(height, 2)))
    figure.set_label(f"{title}\n{description}")
    return figure


def add_panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches from the lower left corner."""
    w, h = figure.get_size_inches()
    return figure.add_axes((left / w, bottom / h, width / w, height / h))


def write_text(figure: Figure, x: float, y: float, text: str, **style: Any) -> None:
    """Text at a place in inches from the lower left corner, left-aligned on its baseline by default."""
    look: dict[str, Any] = {"fontsize": TEXT_SIZE, "ha": "left", "va": "baseline", **style}
    # a lone $ would start a formula
    figure.text(x, y, text, transform=figure.dpi_scale_trans, parse_math=False, **look)


def draw_rule(figure: Figure, left: float, right: float, y: float, **style: Any) -> None:
    """A straight line across, in inches."""
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {"color": RULE, "linewidth": 0.8, **style}
    figure.add_artist(Line2D([left, right], [y, y], transform=figure.dpi_scale_trans, **look))


def write_title(figure: Figure, title: str, subtitle: str = "") -> float:
    """Title and subtitle at the top; returns the height in inches of the next line of text."""
    lines = wrap(title, TITLE_WIDTH)
    y = figure.get_size_inches()[1] - 0.32
    for line in lines:
        write_text(figure, 0.15, y, line, fontsize=TITLE_SIZE, fontweight="bold")
        y -= 0.23
    for line in wrap(subtitle, 116):
        write_text(figure, 0.15, y, line, color=MUTED)
        y -= LINE
    return float(y)


def title_height(title: str, subtitle: str = "") -> float:
    """Inches that `write_title` takes."""
    return 0.32 + 0.23 * len(wrap(title, TITLE_WIDTH)) + LINE * len(wrap(subtitle, 116))


def write_foot(figure: Figure, run: RunKey | None) -> None:
    """The notice on the left and the name of the run on the right."""
    write_text(figure, 0.15, 0.12, NOTICE, fontsize=SMALL_SIZE, color=MUTED)
    if run is not None:
        write_text(figure, WIDTH - 0.15, 0.12, str(run), fontsize=SMALL_SIZE, color=MUTED, ha="right")


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters; none for an empty text."""
    return textwrap.wrap(text, width, break_long_words=True) if text else []


def arm_look(k: int) -> tuple[str, Any]:
    """Colour and dashes of arm k."""
    return ARM_COLOURS[k % len(ARM_COLOURS)], ARM_DASHES[k % len(ARM_DASHES)]


def render_figure(figure: Figure) -> dict[str, bytes]:
    """The figure as the bytes of its files, by ending: `svg` and `png`."""
    title, _, description = str(figure.get_label()).partition("\n")
    files: dict[str, bytes] = {}
    with picture_style():
        drawn = io.BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
        files["svg"] = _name_svg(drawn.getvalue().decode("utf-8"), title, description).encode("utf-8")
        drawn = io.BytesIO()
        # the version of matplotlib is part of the run record, not of the picture
        figure.savefig(drawn, format="png", dpi=PNG_DPI, metadata={"Software": None, "Title": title})
        files["png"] = drawn.getvalue()
    return files


def save_figure(figure: Figure, path_stem: str | Path) -> list[Path]:
    """Write `path_stem`.svg and `path_stem`.png; returns both paths.

    Raises
    ------
    her2.errors.OutputError
        If a file cannot be written.
    """
    from her2.errors import OutputError

    stem = Path(path_stem)
    written = []
    for ending, content in render_figure(figure).items():
        path = stem.with_name(f"{stem.name}.{ending}")
        try:
            path.write_bytes(content)
        except OSError as error:
            raise OutputError(
                f"{path}: the picture cannot be written ({error.strerror or error}); "
                "give a folder that exists and can be written"
            ) from error
        written.append(path)
    return written


def _name_svg(svg: str, title: str, description: str) -> str:
    """The SVG with a name and a description that browsers and screen readers find, scaling with its page."""
    # several pictures can stand in one page: their ids differ
    key = hashlib.blake2b(f"{title}\n{description}".encode(), digest_size=6).hexdigest()
    names = f'<title id="title-{key}">{escape(title)}</title>'
    names += f'\n <desc id="description-{key}">{escape(description)}</desc>'
    labels = f'role="img" aria-labelledby="title-{key} description-{key}" style="max-width:100%;height:auto"'
    svg = re.sub(r"\s*<title>.*?</title>", "", svg, count=1, flags=re.DOTALL)
    return re.sub(r"<svg ([^>]*)>", lambda m: f"<svg {labels} {m.group(1)}>\n {names}", svg, count=1)
