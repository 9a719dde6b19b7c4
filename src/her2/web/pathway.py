"""The living map: one layout for every cell and condition, and the state of a cell in it at once or over days.

The layout is that of the untreated network with every way of killing drawn; drugs are put above what they hit. A state
is the same graph as `her2 network` draws, so that both show the same numbers.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from threading import BoundedSemaphore, Lock
from typing import Any

import numpy as np

from her2.cell.respond import respond
from her2.errors import Her2Error
from her2.export.network_graph import Item, Link, NetworkGraph, graph_of_state, network_graph
from her2.export.network_layout import lay_out
from her2.web.conditions import Condition, ConditionIn, condition_of, key_of
from her2.web.run_key import run_key

BOX_HEIGHT, ROW_GAP, BOX_GAP, MARGIN = 34.0, 54.0, 14.0, 20.0
CHARACTER, LEAST_WIDTH = 7.1, 66.0
"""Width of a letter of a label, and the smallest width of a box, px."""
DIGITS = 6
"""Significant digits of values on the way to the page."""
KEPT_STATES = 512
AT_ONCE = 2
"""Conditions that are computed at the same time; with more of them every other answer would wait for its turn."""


def box_id(link: Link) -> str:
    """Id of an arrow."""
    return f"{link.source}>{link.target}:{link.sign}"


@lru_cache(maxsize=1)
def layout() -> dict[str, Any]:
    """Boxes, arrows, slow states and drugs with their places; the same for every cell and condition."""
    graph = _everything()
    items = [i for i in graph.items if i.kind != "drug"]
    known = {i.id for i in items}
    links = [k for k in graph.links if k.source in known and k.target in known]
    widths = {i.id: _width(i.label) for i in items}
    first_row = {i.id: {"receptor": 1, "ligand": 1}.get(i.kind, 0) for i in items}
    late = [i.id for i in items if i.kind == "phenotype"]
    pairs = list(dict.fromkeys((k.source, k.target) for k in links))
    placed = lay_out(widths, pairs, BOX_GAP, first_row, late)
    top = min(placed.row.values())
    y = {n: MARGIN + BOX_HEIGHT / 2.0 + (r - top + 1) * (BOX_HEIGHT + ROW_GAP) for n, r in placed.row.items()}
    x = {n: MARGIN + value for n, value in placed.x.items()}
    boxes = [
        {
            "id": i.id, "kind": i.kind, "label": i.label, "row": placed.row[i.id] - top, "unit": i.unit,
            "x": round(x[i.id], 1), "y": round(y[i.id], 1), "width": round(widths[i.id], 1), "height": BOX_HEIGHT,
            "about": i.about, "claims": claims_in(i.about), "trace": trace_id(i),
        }
        for i in items
    ]  # fmt: skip
    arrows = [
        {
            "id": box_id(k), "source": k.source, "target": k.target, "sign": k.sign, "about": lasting(k.about),
            "claims": claims_in(k.about), "points": _points(k, x, y, placed.ways[k.source, k.target]),
        }
        for k in links
    ]  # fmt: skip
    loops = [
        {"id": k.id, "label": k.label, "driver": k.driver, "target": k.target, "sign": k.sign, "about": k.about,
         "claims": claims_in(k.about), "trace": f"edge:pathway.slow_states.{k.id}"}
        for k in graph.loops
    ]  # fmt: skip
    return {
        "width": round(placed.width + 2.0 * MARGIN, 1), "height": round(max(y.values()) + BOX_HEIGHT + MARGIN, 1),
        "boxes": boxes, "links": arrows, "loops": loops, "drugs": _drugs(graph, x, placed.width),
    }  # fmt: skip


def _everything() -> NetworkGraph:
    """The reference cell in a tumour under every drug: nothing that can be drawn is missing."""
    from her2.cell.model import acting_agents
    from her2.cell.report import shown_dose

    drugs: dict[str, Any] = {}
    for name in acting_agents():
        try:
            drugs[name] = shown_dose(name, "tumour")
        except Her2Error:
            # without exposure and half effect there is no dose, and nothing to draw
            continue
    # more drugs than one request may name, so in one condition beside the requests' own limits
    condition = Condition(ConditionIn.model_construct(
        cell="reference", own=None, drugs=drugs, switches={}, ligands={}, where="tumour", days=3.0
    ))  # fmt: skip
    return network_graph(condition.model, condition.columns(), 3.0)


def _points(link: Link, x: dict[str, float], y: dict[str, float], ways: Sequence[float]) -> list[list[float]]:
    """Way-points of an arrow from the bottom of its source to the top of its target."""
    half = BOX_HEIGHT / 2.0
    points = [[x[link.source], y[link.source] + half]]
    for k, way in enumerate(ways, start=1):
        middle = y[link.source] + k * (BOX_HEIGHT + ROW_GAP)
        points += [[MARGIN + way, middle - half], [MARGIN + way, middle + half]]
    points.append([x[link.target], y[link.target] - half])
    return [[round(a, 1), round(b, 1)] for a, b in points]


def _drugs(graph: NetworkGraph, x: dict[str, float], width: float) -> list[dict[str, Any]]:
    """Every drug above the mean of what it hits; the page moves those apart that it shows."""
    from her2.drugs import actions_of

    agents = condition_of(ConditionIn()).model.agents
    names = sorted(n for n in agents if actions_of(agents[n]))
    targets: dict[str, list[dict[str, Any]]] = {n: [] for n in names}
    labels: dict[str, str] = {n: agents[n].name for n in names}
    for link in graph.links:
        if link.source.startswith("drug:"):
            name = link.source.split(":")[1]
            targets[name].append({"target": link.target, "sign": link.sign, "about": link.about,
                                  "claims": claims_in(link.about)})  # fmt: skip
    wanted = {
        n: float(np.mean([x[t["target"]] for t in found])) if found else MARGIN + width / 2.0
        for n, found in targets.items()
    }
    return [
        {
            "id": f"drug:{n}", "agent": n, "label": labels[n], "x": round(wanted[n], 1),
            "y": MARGIN + BOX_HEIGHT / 2.0, "width": round(_width(labels[n]), 1), "height": BOX_HEIGHT,
            "targets": targets[n], "trace": f"agent:{n}",
        }
        for n in names
    ]  # fmt: skip


def _width(label: str) -> float:
    return max(LEAST_WIDTH, CHARACTER * len(label) + 16.0)


def claims_in(about: str) -> list[str]:
    """Ids of claims that a text of the graph names."""
    found = re.findall(r"claims: ([^\n;]+)", about)
    names = [n.strip() for part in found for n in part.split(",")]
    return list(dict.fromkeys(n for n in names if n and n != "none"))


def lasting(about: str) -> str:
    """What a text of the graph says in every condition: without the numbers of this one."""
    text = re.sub(r", now (stops )?[-+0-9.e]+", "", about)
    text = re.sub(r"(?m)^[0-9.e+-]+ of the ", "share of the ", text)
    return "\n".join(dict.fromkeys(text.split("\n")))


def trace_id(item: Item) -> str | None:
    """What `her2 trace` calls a box; None for what only the picture has."""
    kind, _, name = item.id.partition(":")
    match item.kind:
        case "receptor":
            return f"edge:receptors.species.{name}"
        case "dimer":
            return f"edge:receptors.dimers.{name}"
        case "ligand":
            return f"attribute:{name}"
        case "input":
            return f"edge:pathway.inputs.{kind}"
        case "node":
            return f"edge:pathway.nodes.{kind}"
        case _:
            return None


# ---- states

_states: OrderedDict[str, dict[str, Any]] = OrderedDict()
_lock = Lock()
_turn = BoundedSemaphore(AT_ONCE)


def state(asked: ConditionIn) -> dict[str, Any]:
    """The state of a cell in its condition; the same question again is answered from memory."""
    began = time.perf_counter()
    key = key_of(asked.model_dump())
    with _lock:
        found = _states.get(key)
        if found is not None:
            _states.move_to_end(key)
    if found is None:
        with _turn:
            condition = condition_of(asked)
            graph = network_graph(condition.model, condition.columns(), condition.days, condition.title)
            found = state_of(graph, condition)
        with _lock:
            _states[key] = found
            while len(_states) > KEPT_STATES:
                _states.popitem(last=False)
    return {**found, "milliseconds": round(1000.0 * (time.perf_counter() - began), 2)}


def state_of(graph: NetworkGraph, condition: Condition) -> dict[str, Any]:
    """A graph without its layout."""
    drawn = [k for k in graph.links if not k.source.startswith("drug:")]
    content = {
        "title": f"{graph.title}; day {condition.days:g}",
        "days": condition.days,
        "items": _items(graph.items),
        "links": {box_id(k): short(k.strength) for k in drawn},
        "drug_links": [
            {"source": "drug:" + k.source.split(":")[1], "target": k.target, "sign": k.sign,
             "strength": short(k.strength), "about": k.about, "claims": claims_in(k.about)}
            for k in graph.links if k.source.startswith("drug:")
        ],
        "loops": {k.id: short(k.value) for k in graph.loops},
        "net_growth": short(graph.values["net_growth"]),
        "untreated_growth": short(graph.values["untreated_growth"]),
        "drugs": dict(condition.all_drugs),
        "notes": _notes(condition),
    }  # fmt: skip
    return {**content, "run": run_key(key_of(condition.title, content))}


def _items(items: Sequence[Item]) -> dict[str, Any]:
    """Boxes by id; a drug that is drawn twice is one."""
    found: dict[str, Any] = {}
    for i in items:
        name = "drug:" + i.id.split(":")[1] if i.kind == "drug" else i.id
        shade = None if i.shade is None else short(i.shade)
        found.setdefault(
            name, {"value": short(i.value), "untreated": short(i.untreated), "unit": i.unit, "shade": shade}
        )
    return found


def _notes(condition: Condition) -> list[str]:
    """What a reader of the numbers has to know."""
    from her2.cell.switches import load_switches

    switches = load_switches() if condition.cell.switches else {}
    return [
        f"switch {name} acts on patients, not on one cell: only what it does to a cell shows here"
        for name in condition.cell.switches
        if switches[name].level == "cohort"
    ]


def course(asked: ConditionIn, days: Sequence[float]) -> dict[str, Any]:
    """The state on several days of adaptation: values by box, arrow and slow state, each a list over the days."""
    with _turn:
        return _course(asked, days)


def _course(asked: ConditionIn, days: Sequence[float]) -> dict[str, Any]:
    condition = condition_of(asked)
    shown = [float(d) for d in days]
    columns = condition.columns(len(shown))
    result = respond(condition.model, columns, np.array(shown)).values
    one = condition.columns()
    before = {k: float(v[0]) for k, v in respond(condition.model, one.without_drugs()).values.items()}
    graphs = [
        graph_of_state(condition.model, one, {k: float(v[j]) for k, v in result.items()}, before)
        for j in range(len(shown))
    ]
    names = list(dict.fromkeys(n for g in graphs for n in _items(g.items)))
    per_day = [_items(g.items) for g in graphs]
    nothing: dict[str, Any] = {"value": 0.0, "shade": None}
    shaded = [n for n in names if all(p.get(n, nothing)["shade"] is not None for p in per_day)]
    links = list(
        dict.fromkeys(box_id(k) for g in graphs for k in g.links if not k.source.startswith("drug:"))
    )
    strengths = [{box_id(k): k.strength for k in g.links} for g in graphs]
    content = {
        "title": condition.title,
        "days": shown,
        "items": {n: [p.get(n, nothing)["value"] for p in per_day] for n in names},
        "shades": {n: [p[n]["shade"] for p in per_day] for n in shaded},
        "links": {n: [short(s.get(n, 0.0)) for s in strengths] for n in links},
        "loops": {k.id: [short(g.loops[i].value) for g in graphs] for i, k in enumerate(graphs[0].loops)},
        "net_growth": [short(g.values["net_growth"]) for g in graphs],
        "untreated_growth": short(before["untreated_growth"]),
    }  # fmt: skip
    return {**content, "run": run_key(key_of(condition.title, content))}


def short(x: float) -> float:
    """A number with as many digits as a picture needs."""
    return float(f"{x:.{DIGITS}g}")


def warm() -> None:
    """Compile the models and lay the map out, before anyone asks."""
    layout()
    state(ConditionIn())
    state(ConditionIn(drugs={"trastuzumab": "clinical", "pertuzumab": "clinical"}, where="tumour"))
