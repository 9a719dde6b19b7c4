"""The picture of the network: layout rules, what is drawn, and the commands that print it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from her2.cell.condition import Treatment, make_columns
from her2.cell.ensemble import central
from her2.cell.respond import respond
from her2.errors import OutputError, RecordError, UnknownNameError
from her2.export.network_graph import NetworkGraph, network_graph
from her2.export.network_layout import apart, lay_out
from her2.export.network_picture import BOX_GAP, _Drawing, svg_text, table

DRUGS = ("trastuzumab", "lapatinib", "everolimus", "t_dm1", "docetaxel", "bevacizumab", "tamoxifen")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def graph() -> NetworkGraph:
    model = central()
    treatment = Treatment(dict.fromkeys(DRUGS, "clinical"), compartment="tumour")
    columns = make_columns([{"er": 1.0, "pik3ca": 1.0}], [treatment], model.agents, model.values)
    return network_graph(model, columns, 28.0, "A cell & <its> drugs")


def test_positions_keep_order_and_distance_and_are_least_squares() -> None:
    rng = np.random.default_rng(3)
    wanted, weight = rng.normal(0.0, 30.0, 9), rng.uniform(0.5, 2.0, 9)
    distances = rng.uniform(5.0, 20.0, 8)
    found = np.array(apart(list(wanted), list(weight), list(distances)))
    assert np.all(np.diff(found) >= distances - 1e-9)
    best = np.sum(weight * (found - wanted) ** 2)
    for _ in range(300):  # no allowed neighbour is better
        moved = found + rng.normal(0.0, 0.5, 9)
        if np.all(np.diff(moved) >= distances):
            assert np.sum(weight * (moved - wanted) ** 2) >= best - 1e-9
    assert apart([1.0, 50.0], [1.0, 1.0], [10.0]) == [1.0, 50.0]


def test_layers_point_downwards_and_a_cycle_is_refused() -> None:
    widths = dict.fromkeys("abcde", 40.0)
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c"), ("c", "e")]
    found = lay_out(widths, edges, 10.0)
    assert all(found.row[a] < found.row[b] for a, b in edges)
    assert found.row["d"] == found.row["c"] - 1  # a cause goes just over its effect
    assert len(found.ways["a", "c"]) == 1
    with pytest.raises(ValueError, match="cycle"):
        lay_out(widths, [("a", "b"), ("b", "a")], 10.0)


def test_everything_of_the_network_is_in_the_picture(graph: NetworkGraph) -> None:
    model = central()
    shown = {i.id for i in graph.items}
    assert set(model.network.names) <= shown
    assert {f"receptor:{s}" for s in model.receptors.species} <= shown
    assert {f"dimer:{d}" for d in model.receptors.dimers} <= shown
    assert {loop.id for loop in graph.loops} == {s.name for s in model.network.slow}
    for drug in DRUGS:
        assert any(k.source.startswith(f"drug:{drug}") for k in graph.links), drug
    signs = {(k.source, k.target): k.sign for k in graph.links}
    assert signs["akt", "foxo"] == -1
    assert signs["pi3k", "pip3"] == 1
    assert signs["drug:everolimus", "mtorc1"] == -1
    assert signs["drug:docetaxel:kill", "cytotoxic_kill"] == 1


def test_values_are_those_of_respond(graph: NetworkGraph) -> None:
    model = central()
    treatment = Treatment(dict.fromkeys(DRUGS, "clinical"), compartment="tumour")
    columns = make_columns([{"er": 1.0, "pik3ca": 1.0}], [treatment], model.agents, model.values)
    expected = respond(model, columns, 28.0)
    items = {i.id: i for i in graph.items}
    assert items["akt"].value == expected["akt"][0]
    assert items["receptor:her2"].value == expected["her2"][0]
    assert items["net_growth"].value == expected["net_growth"][0]
    assert items["akt"].untreated == respond(model, columns.without_drugs())["akt"][0]


def test_svg_is_well_formed_with_a_tooltip_for_every_box_and_arrow(graph: NetworkGraph) -> None:
    root = ElementTree.fromstring(svg_text(graph))
    titles = [t.text or "" for t in root.iter(f"{SVG}title")]
    assert titles[0] == "A cell & <its> drugs"
    # each slow state has one for its line and one for its box
    assert len(titles) == 1 + len(graph.items) + len(graph.links) + 2 * len(graph.loops)
    assert any("claims: her2_activates_pi3k_akt_mtor" in t for t in titles)
    assert any(t.startswith("AKT: 0.") and "untreated" in t for t in titles)


def test_boxes_and_labels_do_not_overlap(graph: NetworkGraph) -> None:
    drawing = _Drawing(graph)
    rows: dict[int, list[tuple[float, float]]] = {}
    for item in graph.items:
        x, half = drawing.x(item.id), drawing.widths[item.id] / 2.0
        rows.setdefault(drawing.layout.row[item.id], []).append((x - half, x + half))
        assert x - half > 0.0 and x + half < drawing.gutter
    for boxes in rows.values():
        boxes.sort()
        for (_, right), (left, _) in pairwise(boxes):
            assert left - right >= BOX_GAP - 1e-6
    heights = [y for _, y in drawing.loop_rows()]
    assert min(np.diff(heights)) > 40.0


def test_table_names_what_drives_each_node(graph: NetworkGraph) -> None:
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    Console(file=out, width=160).print(table(graph))
    text = out.getvalue()
    assert "mTORC1" in text and "everolimus" in text and "receptors" in text


def run(*arguments: str) -> str:
    from her2.cli.main import app

    result = CliRunner().invoke(app, list(arguments), catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_commands_write_the_picture_and_the_model(tmp_path: Path) -> None:
    picture, text = tmp_path / "network.svg", tmp_path / "cell.ant"
    run(
        "network",
        "--cell",
        "BT474",
        "--dose",
        "lapatinib=100",
        "--with",
        "pten-loss=0.5",
        "--svg",
        str(picture),
    )
    root = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    assert "lapatinib 100 nmol/L" in (next(root.iter(f"{SVG}title")).text or "")
    assert "PI3K recruitment" in run("network", "--drug", "trastuzumab", "--where", "tumour")
    run("export", "sbml", "--cell", "skbr3", "--drug", "neratinib", "--antimony", "--out", str(text))
    assert "bound_her2_neratinib' =" in text.read_text(encoding="utf-8")


def test_commands_name_wrong_options(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="BT474|bt474"):
        run("network", "--cell", "BT47")
    with pytest.raises(OutputError, match=r"\.svg"):
        run("network", "--svg", str(tmp_path / "x.png"))
    with pytest.raises(RecordError, match="--cell"):
        run("export", "sbml")
    with pytest.raises(UnknownNameError, match="tumour"):
        run("export", "sbml", "--cell", "bt474", "--where", "tumor")
