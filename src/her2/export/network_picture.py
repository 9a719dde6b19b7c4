"""The network of a cell as a picture (SVG) and as a table: layers from ligands and receptors down to growth.

Boxes are coloured by state, arrows are as wide as what passes; slow states are dashed and lead back upwards at the
right. Every box and arrow has a tooltip with its numbers and the claims it rests on. Plain text is written, no drawing
library is needed.
"""

from __future__ import annotations

from collections import defaultdict
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from her2.export.network_graph import Item, Link, Loop, NetworkGraph
from her2.export.network_layout import Layout, lay_out

if TYPE_CHECKING:
    from rich.table import Table

FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
BOX_HEIGHT, ROW_GAP, BOX_GAP = 34.0, 54.0, 14.0
MARGIN, HEADER, LEGEND = 28.0, 84.0, 92.0
CHARACTER = 6.7
"""Width of a letter at the size of labels, px."""
TRACK = 9.0
"""Distance between the vertical lines of slow states, px."""
LOOP_HEIGHT = 32.0
SHADES = ("#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c")
"""ColorBrewer Blues: one hue, safe for colour-blind readers and in print."""
INK, PALE, ACTIVATES, INHIBITS, SLOW, DRUG = "#1f2933", "#6b7280", "#4b5563", "#b2182b", "#7b3294", "#b2182b"
BAND = "#f6f2e7"
WEAKEST = 0.005
"""Arrows weaker than this are counted in the table, not named."""
CHANGED = 0.02
"""Smallest change from the untreated cell that is marked, in the unit of the box."""


def svg_text(graph: NetworkGraph) -> str:
    """The picture as SVG 1.1."""
    return _Drawing(graph).text()


def number(value: float, unit: str = "1") -> str:
    """A value for reading."""
    if unit.startswith("nmol"):
        return f"{value:,.0f} nmol/L" if value >= 999.5 else f"{value:.3g} nmol/L"
    if unit == "1/day":
        return f"{value:+.3f}/day"
    return f"{value:.2f}" if abs(value) < 9.995 else f"{value:.3g}"


class _Drawing:
    """One picture."""

    def __init__(self, graph: NetworkGraph) -> None:
        self.graph = graph
        self.items = {i.id: i for i in graph.items}
        self.widths = {i.id: _width(i) for i in graph.items}
        pairs = list(dict.fromkeys((k.source, k.target) for k in graph.links))
        first_row = {i.id: {"receptor": 1, "ligand": 1}.get(i.kind, 0) for i in graph.items}
        late = [i.id for i in graph.items if i.kind == "phenotype"]
        self.layout: Layout = lay_out(self.widths, pairs, BOX_GAP, first_row, late)
        self.gutter = self.layout.width + MARGIN + 22.0
        tracks = TRACK * len(graph.loops)
        self.loop_x = self.gutter + tracks + 12.0
        self.loop_width = max(
            (CHARACTER * 0.86 * len(self.loop_line(k)) + 16.0 for k in graph.loops), default=0.0
        )
        self.width = self.loop_x + self.loop_width + tracks + 12.0 + MARGIN if graph.loops else self.gutter
        self.height = HEADER + self.layout.rows * (BOX_HEIGHT + ROW_GAP) + LEGEND
        self.out: list[str] = []

    def y(self, row: int) -> float:
        """Top of the boxes of a row."""
        return HEADER + 26.0 + row * (BOX_HEIGHT + ROW_GAP)

    def x(self, name: str) -> float:
        """Centre of a box."""
        return MARGIN + self.layout.x[name]

    def text(self) -> str:
        self.out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:.0f} {self.height:.0f}" '
            f'width="{self.width:.0f}" height="{self.height:.0f}" font-family="{FONT}" role="img" '
            f'aria-label="{escape(self.graph.title)}">',
            f"<title>{escape(self.graph.title)}</title>",
            f'<rect width="{self.width:.0f}" height="{self.height:.0f}" fill="#ffffff"/>',
        ]
        self.header()
        self.membrane()
        self.slow_lines()
        ports = self.ports()
        for link in sorted(self.graph.links, key=lambda k: k.strength):
            self.link(link, ports)
        for item in self.graph.items:
            self.box(item)
        self.slow_boxes()
        self.legend()
        self.out.append("</svg>")
        return "\n".join(self.out) + "\n"

    def words(
        self, x: float, y: float, text: str, size: float = 12.0, colour: str = INK, anchor: str = "middle",
        weight: str = "normal",
    ) -> None:  # fmt: skip
        self.out.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(text)}</text>'
        )

    def header(self) -> None:
        values = self.graph.values
        self.words(MARGIN, 34.0, self.graph.title, 19.0, INK, "start", "bold")
        growth = (
            f"net growth {values['net_growth']:+.3f}/day, untreated {values['untreated_growth']:+.3f}/day.   "
            "Research and education only; not medical advice."
        )
        self.words(MARGIN, 58.0, growth, 13.0, PALE, "start")

    def membrane(self) -> None:
        """A band behind receptors and dimers."""
        boxes = [i.id for i in self.graph.items if i.kind in ("receptor", "dimer")]
        left = min(self.x(n) - self.widths[n] / 2.0 for n in boxes) - 12.0
        right = max(self.x(n) + self.widths[n] / 2.0 for n in boxes) + 12.0
        rows = [self.layout.row[n] for n in boxes]
        top, bottom = self.y(min(rows)) - 24.0, self.y(max(rows)) + BOX_HEIGHT + 12.0
        self.out.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}" rx="10" '
            f'fill="{BAND}" stroke="none"/>'
        )

    # ---- arrows

    def ports(self) -> dict[tuple[Link, bool], float]:
        """Where on a box each arrow starts and ends: spread over its width in the order of the other ends."""
        ends: dict[tuple[str, bool], list[tuple[float, Link]]] = defaultdict(list)
        for link in self.graph.links:
            way = self.layout.ways[link.source, link.target]
            first = MARGIN + way[0] if way else self.x(link.target)
            last = MARGIN + way[-1] if way else self.x(link.source)
            ends[link.source, True].append((first, link))
            ends[link.target, False].append((last, link))
        place: dict[tuple[Link, bool], float] = {}
        for (name, leaving), found in ends.items():
            found.sort(key=lambda e: e[0])
            room = self.widths[name] - 24.0
            step = min(14.0, room / max(len(found) - 1, 1))
            begin = self.x(name) - step * (len(found) - 1) / 2.0
            for k, (_, link) in enumerate(found):
                place[link, leaving] = begin + k * step
        return place

    def link(self, link: Link, ports: dict[tuple[Link, bool], float]) -> None:
        top = self.layout.row[link.source]
        points = [(ports[link, True], self.y(top) + BOX_HEIGHT)]
        for k, x in enumerate(self.layout.ways[link.source, link.target], start=1):
            y = self.y(top + k)
            points += [(MARGIN + x, y), (MARGIN + x, y + BOX_HEIGHT)]
        end = self.y(self.layout.row[link.target]) - (7.0 if link.sign > 0 else 5.0)
        points.append((ports[link, False], end))
        path = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
        for k, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
            if k % 2 == 1:  # through a row, straight
                path += f" L{x1:.1f},{y1:.1f}"
            else:
                middle = (y1 - y0) * 0.5
                path += f" C{x0:.1f},{y0 + middle:.1f} {x1:.1f},{y1 - middle:.1f} {x1:.1f},{y1:.1f}"
        source, target = self.items[link.source], self.items[link.target]
        colour = DRUG if source.kind == "drug" else ACTIVATES if link.sign > 0 else INHIBITS
        width = 0.8 + 3.0 * link.strength
        opacity = 0.3 + 0.6 * min(1.0, 2.0 * link.strength)
        verb = "activates" if link.sign > 0 else "inhibits"
        if target.id == "net_growth":
            verb = "adds to" if link.sign > 0 else "takes from"
        title = (
            f"{source.label} {verb} {target.label}\nstrength now {link.strength:.2f}\n{link.about}".strip()
        )
        x, y = points[-1]
        if link.sign > 0:
            size = 3.4 + width * 0.7
            head = f"M{x - size:.1f},{y - 1.0:.1f} L{x + size:.1f},{y - 1.0:.1f} L{x:.1f},{y + 6.5:.1f} Z"
            tip = f'<path d="{head}" fill="{colour}" stroke="none"/>'
        else:
            half = 5.5 + width * 0.5
            tip = (
                f'<path d="M{x - half:.1f},{y + 1.5:.1f} L{x + half:.1f},{y + 1.5:.1f}" fill="none" '
                f'stroke-width="{max(2.2, width * 0.8):.1f}"/>'
            )
        self.out.append(
            f'<g stroke="{colour}" opacity="{opacity:.2f}"><title>{escape(title)}</title>'
            f'<path d="{path}" fill="none" stroke-width="{width:.1f}"/>{tip}</g>'
        )

    # ---- boxes

    def box(self, item: Item) -> None:
        width = self.widths[item.id]
        x, y = self.x(item.id) - width / 2.0, self.y(self.layout.row[item.id])
        fill, ink = _colours(item)
        round_ = {"receptor": 4.0, "dimer": 4.0, "drug": 17.0, "ligand": 17.0, "phenotype": 0.0}.get(
            item.kind, 8.0
        )
        stroke = {"drug": DRUG, "phenotype": INK, "receptor": "#0b4f6c", "dimer": "#0b4f6c"}.get(
            item.kind, "#8795a1"
        )
        thick = {"drug": 1.8, "phenotype": 1.8, "receptor": 1.6, "dimer": 1.6}.get(item.kind, 1.0)
        title = f"{item.label}: {number(item.value, item.unit)}"
        if item.unit not in ("1", "1/day") and not item.unit.startswith("nmol"):
            title += f" {item.unit}"
        if item.kind not in ("drug", "ligand"):
            title += f"; untreated {number(item.untreated, item.unit)}"
        if item.about:
            title += f"\n{item.about}"
        self.out.append(f"<g><title>{escape(title)}</title>")
        self.out.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BOX_HEIGHT:.1f}" rx="{round_:g}" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="{thick:g}"/>'
        )
        middle = x + width / 2.0
        self.words(middle, y + 15.0, item.label, 12.0, ink, weight="bold")
        self.words(middle, y + 28.5, _value_line(item), 10.5, ink)
        self.out.append("</g>")

    # ---- slow states

    def loop_rows(self) -> list[tuple[Loop, float]]:
        """Slow states with the middle of their box: spread over the height, in the order of what they act on."""
        loops = sorted(
            self.graph.loops, key=lambda k: (self.layout.row[k.target] + self.layout.row[k.driver], k.target)
        )
        top, bottom = self.y(1) + BOX_HEIGHT, self.y(self.layout.rows - 2)
        step = (bottom - top) / max(len(loops) - 1, 1)
        return [(loop, top + step * k) for k, loop in enumerate(loops)]

    def slow_lines(self) -> None:
        placed = self.loop_rows()
        down: dict[int, int] = defaultdict(int)
        up: dict[int, int] = defaultdict(int)
        at_driver: dict[str, int] = defaultdict(int)
        at_target: dict[str, int] = defaultdict(int)
        for k, (loop, y) in enumerate(placed):
            driver_row, target_row = self.layout.row[loop.driver], self.layout.row[loop.target]
            opacity = 0.35 + 0.65 * min(1.0, 4.0 * abs(loop.value))
            leave = self.y(driver_row) + BOX_HEIGHT + 8.0 + 4.0 * (down[driver_row] % 6)
            arrive = self.y(target_row) - 12.0 - 4.0 * (up[target_row] % 6)
            from_x = self.x(loop.driver) + self.widths[loop.driver] / 2.0 - 6.0 - 6.0 * at_driver[loop.driver]
            to_x = self.x(loop.target) + self.widths[loop.target] / 2.0 - 8.0 - 10.0 * at_target[loop.target]
            down[driver_row] += 1
            up[target_row] += 1
            at_driver[loop.driver] += 1
            at_target[loop.target] += 1
            there = self.gutter + TRACK * (len(placed) - 1 - k)
            back = self.loop_x + self.loop_width + 12.0 + TRACK * k
            first = (
                f"M{from_x:.1f},{self.y(driver_row) + BOX_HEIGHT:.1f} V{leave:.1f} H{there:.1f} V{y:.1f} "
                f"H{self.loop_x:.1f}"
            )
            second = (
                f"M{self.loop_x + self.loop_width:.1f},{y:.1f} H{back:.1f} V{arrive:.1f} H{to_x:.1f} "
                f"V{self.y(target_row) - 8.0:.1f}"
            )
            tip_y = self.y(target_row) - 1.0
            if loop.sign > 0:
                tip = f"M{to_x - 4.5:.1f},{tip_y - 7.0:.1f} H{to_x + 4.5:.1f} L{to_x:.1f},{tip_y:.1f} Z"
            else:
                tip = f"M{to_x - 6.0:.1f},{tip_y - 4.0:.1f} H{to_x + 6.0:.1f} V{tip_y - 2.0:.1f} H{to_x - 6.0:.1f} Z"
            self.out.append(
                f'<g stroke="{SLOW}" opacity="{opacity:.2f}" fill="none" stroke-width="1.3">'
                f"<title>{escape(self.loop_title(loop))}</title>"
                f'<path d="{first}" stroke-dasharray="5 4"/><path d="{second}" stroke-dasharray="5 4"/>'
                f'<path d="{tip}" fill="{SLOW}" stroke="none"/></g>'
            )

    def slow_boxes(self) -> None:
        for loop, y in self.loop_rows():
            self.out.append(f"<g><title>{escape(self.loop_title(loop))}</title>")
            self.out.append(
                f'<rect x="{self.loop_x:.1f}" y="{y - LOOP_HEIGHT / 2.0:.1f}" width="{self.loop_width:.1f}" '
                f'height="{LOOP_HEIGHT:.1f}" rx="8" fill="#faf5fd" stroke="{SLOW}" stroke-width="1.2" '
                f'stroke-dasharray="5 4"/>'
            )
            middle = self.loop_x + self.loop_width / 2.0
            self.words(middle, y - 2.0, loop.label, 12.0, SLOW, weight="bold")
            self.words(middle, y + 11.0, self.loop_line(loop), 10.5, INK)
            self.out.append("</g>")

    def loop_line(self, loop: Loop) -> str:
        """From where to where, and the state."""
        return f"{self.items[loop.driver].label} to {self.items[loop.target].label}: {loop.value:.2f}"

    def loop_title(self, loop: Loop) -> str:
        driver, target = self.items[loop.driver].label, self.items[loop.target].label
        verb = "raises" if loop.sign > 0 else "lowers"
        return f"{loop.label}: {driver} {verb} {target}, state {loop.value:.3f}\n{loop.about}"

    def legend(self) -> None:
        y = self.height - LEGEND + 26.0
        x = MARGIN
        self.words(x, y + 12.0, "State", 12.0, INK, "start", "bold")
        x += 44.0
        for shade in SHADES:
            self.out.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="22" height="16" fill="{shade}" '
                f'stroke="#8795a1" stroke-width="0.5"/>'
            )
            x += 22.0
        self.words(x - 22.0 * len(SHADES), y + 30.0, "0", 10.5, PALE, "start")
        self.words(x, y + 30.0, "1", 10.5, PALE, "end")
        x += 26.0
        for colour, label, dash in (
            (ACTIVATES, "activates", ""),
            (INHIBITS, "inhibits (bar)", ""),
            (SLOW, "slow state, days to weeks", "5 4"),
        ):
            dashed = f' stroke-dasharray="{dash}"' if dash else ""
            self.out.append(
                f'<path d="M{x:.1f},{y + 8.0:.1f} h34" stroke="{colour}" stroke-width="2.4" fill="none"{dashed}/>'
            )
            self.words(x + 42.0, y + 12.0, label, 12.0, INK, "start")
            x += 42.0 + CHARACTER * len(label) + 26.0
        self.out.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="34" height="16" rx="8" fill="#ffffff" '
            f'stroke="{DRUG}" stroke-width="1.8"/>'
        )
        self.words(x + 42.0, y + 12.0, "drug", 12.0, INK, "start")
        x += 42.0 + CHARACTER * 4 + 26.0
        self.out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="34" height="16" rx="3" fill="{BAND}"/>')
        self.words(x + 42.0, y + 12.0, "HER receptors, ligands, dimers", 12.0, INK, "start")
        self.words(
            MARGIN,
            y + 50.0,
            "Lines are as wide as what passes now. Receptors and dimers: 1e6 per cell, shade x/(x + 0.1). "
            "▲▼ rise or fall from the untreated cell.",
            11.5,
            PALE,
            "start",
        )


def _width(item: Item) -> float:
    return max(
        64.0, CHARACTER * 1.06 * len(item.label) + 16.0, CHARACTER * 0.86 * len(_value_line(item)) + 14.0
    )


def _value_line(item: Item) -> str:
    text = number(item.value, item.unit)
    if item.kind in ("drug", "ligand"):
        return text
    least = CHANGED if item.unit != "1/day" else CHANGED / 20.0
    if item.value > item.untreated + least:
        return f"{text} ▲"
    if item.value < item.untreated - least:
        return f"{text} ▼"
    return text


def _colours(item: Item) -> tuple[str, str]:
    """Fill and ink of a box."""
    if item.kind == "drug":
        return "#fff5f5", DRUG
    if item.shade is None:
        return "#f3f4f6", INK
    step = min(int(item.shade * len(SHADES)), len(SHADES) - 1)
    return SHADES[step], "#ffffff" if step >= 5 else INK


def table(graph: NetworkGraph) -> Table:
    """Boxes with their values and what acts on them, for a terminal."""
    from rich.table import Table

    items = {i.id: i for i in graph.items}
    shown = Table(box=None, pad_edge=False, header_style="bold", title=graph.title, title_justify="left")
    shown.caption = "strength of each arrow now, 0 to 1; ~ through a slow state"
    shown.caption_justify = "left"
    for name in ("part", "untreated", "now", "unit", "driven by", "stopped by"):
        shown.add_column(name, justify="right" if name in ("untreated", "now") else "left", overflow="fold")
    by: dict[tuple[str, int], list[Link]] = defaultdict(list)
    for link in graph.links:
        by[link.target, link.sign].append(link)
    for loop in graph.loops:
        about = f"slow state {loop.id}"
        by[loop.target, loop.sign].append(Link(loop.driver, loop.target, loop.sign, abs(loop.value), about))
    kind = ""
    for item in graph.items:
        if item.kind != kind:
            kind = item.kind
            shown.add_row(f"[bold]{kind}s[/bold]" if kind != "phenotype" else "[bold]phenotype[/bold]")
        acting = [_acting(by[item.id, sign], items) for sign in (1, -1)]
        untreated = "" if item.kind in ("drug", "ligand") else number(item.untreated, item.unit)
        unit = item.unit if not item.unit.startswith("nmol") else "at the cell"
        shown.add_row(f"  {item.label}", untreated, number(item.value, item.unit), unit, *acting)
    return shown


def _acting(links: list[Link], items: dict[str, Item]) -> str:
    """What acts on a box, the strongest first; `~` marks slow states."""
    strong = sorted((k for k in links if k.strength >= WEAKEST), key=lambda k: -k.strength)
    named = [
        f"{items[k.source].label}{'~' if k.about.startswith('slow') else ''} {k.strength:.2f}" for k in strong
    ]
    if len(strong) < len(links):
        named.append(f"({len(links) - len(strong)} below {WEAKEST:g})")
    return ", ".join(named)
