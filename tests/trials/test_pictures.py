"""Pictures: what they say is what the numbers say, and the same numbers give the same bytes."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2.errors import OutputError
from her2.survival import kaplan_meier
from her2.trials.pictures import (
    NOTICE,
    Curve,
    Published,
    RunKey,
    ShownContrast,
    WaterfallArm,
    draw_forest,
    draw_kaplan_meier,
    draw_waterfall,
    render_figure,
    save_figure,
)
from her2.trials.pictures.forest import _interaction
from her2.trials.pictures.kaplan_meier import _ticks, count_patients

SVG = "{http://www.w3.org/2000/svg}"
RUN = RunKey("3f2a9c0d11aa22bb33cc", 11, "0.1.0")


def curves(generator, n=120):
    made = []
    for label, scale in (("pertuzumab + trastuzumab", 26.0), ("placebo & trastuzumab <control>", 17.0)):
        time = generator.exponential(scale, n)
        limit = generator.uniform(20, 40, n)
        made.append(Curve(label, np.minimum(time, limit), time <= limit))
    return made


def forest_rows():
    row = {"n": 808, "events": 430, "hr": 0.62, "low": 0.51, "high": 0.75, "true_hr": 0.64}
    return [
        {"subgroup": "all", **row},
        {"subgroup": "er_positive", **row, "n": 400, "events": 200, "hr": 0.7},
        {"subgroup": "not er_positive", **row, "n": 408, "events": 230, "hr": 0.55},
        {
            "subgroup": "liver",
            **row,
            "n": 30,
            "events": 0,
            "hr": float("nan"),
            "low": float("nan"),
            "high": float("nan"),
            "true_hr": float("nan"),
        },
        {"subgroup": "not liver", **row, "low": 0.01, "high": 30.0},
    ]


def draw(kind, generator):
    if kind == "kaplan_meier":
        return draw_kaplan_meier(
            curves(generator),
            title="PFS: a trial",
            published=[Published(18.5, "review_b lines 651"), Published(12.4, "review_b lines 651")],
            contrast=ShownContrast(
                "pertuzumab + trastuzumab v placebo & trastuzumab",
                0.62,
                0.5,
                0.7,
                Published(0.62, "review_b lines 651-653", 0.51, 0.75),
            ),
            run=RUN,
        )
    if kind == "waterfall":
        change = generator.uniform(-1.0, 1.4, 90)
        response = np.where(change <= -0.3, "PR", np.where(change > 0.2, "PD", "SD")).tolist()
        arms = [
            WaterfallArm("one arm", change, response),
            WaterfallArm("no scan", np.full(3, np.nan), ["NE"] * 3),
        ]
        return draw_waterfall(arms, title="Best response", run=RUN)
    return draw_forest(
        forest_rows(), title="Subgroups", experimental="pertuzumab", control="placebo", run=RUN
    )


def texts(svg: bytes) -> list[str]:
    return ["".join(t.itertext()).strip() for t in ElementTree.fromstring(svg).iter(f"{SVG}text")]


KINDS = ("kaplan_meier", "waterfall", "forest")


@pytest.mark.parametrize("kind", KINDS)
def test_same_input_same_bytes(kind):
    first, second = (render_figure(draw(kind, np.random.default_rng(1))) for _ in range(2))
    assert first == second
    assert set(first) == {"svg", "png"}


def test_the_bytes_do_not_depend_on_the_users_settings(generator):
    import matplotlib

    plain = render_figure(draw("forest", generator))
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert render_figure(draw("forest", generator)) == plain
        assert matplotlib.rcParams["font.size"] == 30


@pytest.mark.parametrize("kind", KINDS)
def test_the_svg_has_title_description_notice_run_and_no_date(kind, generator):
    svg = render_figure(draw(kind, generator))["svg"]
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    titles = list(root.iter(f"{SVG}title"))
    assert len(titles) == 1
    assert titles[0].text
    assert root.find(f"{SVG}desc") is not None
    shown = texts(svg)
    assert NOTICE == "Research use only. Not medical advice."
    assert NOTICE in shown
    assert any(t.startswith("run 3f2a9c0d11aa22bb · seed 11") for t in shown)
    assert b"<dc:date>" not in svg


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_leaves_the_picture(kind, generator):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    figure = draw(kind, generator)
    width, height = figure.bbox.width, figure.bbox.height
    FigureCanvasAgg(figure).draw()
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= width, text.get_text()
            assert box.y0 >= 0, text.get_text()
            assert box.y1 <= height, text.get_text()


def test_no_two_numbers_of_the_summary_overlap(generator):
    """Above the plot stand columns of text: none may run into the next."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    figure = draw("kaplan_meier", generator)
    FigureCanvasAgg(figure).draw()
    boxes = [t.get_window_extent() for t in figure.texts if isinstance(t, Text)]
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            is_apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
            assert is_apart, (figure.texts[i].get_text(),)


def test_the_kaplan_meier_picture_shows_medians_counts_and_published_values(generator):
    data = curves(generator)
    shown = texts(render_figure(draw("kaplan_meier", np.random.default_rng(20260101)))["svg"])
    for curve in data:
        estimate = kaplan_meier(curve.time_months, curve.event)
        assert any(t.startswith(f"{estimate.median():.1f} (") for t in shown)
        assert f"{int(curve.event.sum())} / {curve.event.size}" in shown
    assert "published 18.5" in shown
    assert "review_b lines 651-653" in shown
    assert shown.count("At risk") == shown.count("Censored") == shown.count("Events") == 2


def test_the_axis_of_survival_runs_from_zero_to_one(generator):
    figure = draw("kaplan_meier", generator)
    assert figure.axes[0].get_ylim() == (0.0, 1.0)
    assert figure.axes[0].get_xlim()[0] == 0.0
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


@given(
    st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=60),
    st.lists(st.integers(0, 50), min_size=1, max_size=9),
)
def test_at_risk_censored_and_events_add_up(patients, at):
    time, event = np.array([float(p[0]) for p in patients]), np.array([p[1] for p in patients])
    ticks = np.array(sorted(at), dtype=float)
    at_risk, censored, events = count_patients(kaplan_meier(time, event), ticks)
    np.testing.assert_array_equal(at_risk + censored + events, len(patients))
    np.testing.assert_array_equal(at_risk, [np.sum(time >= t) for t in ticks])
    np.testing.assert_array_equal(events, [np.sum((time < t) & event) for t in ticks])


@given(st.floats(0.01, 600.0))
def test_ticks_start_at_zero_and_fit(limit):
    ticks = _ticks(limit)
    assert ticks[0] == 0.0
    assert ticks.size <= 13
    assert ticks[-1] <= limit * 1.001


@pytest.mark.parametrize(
    ("time", "event"),
    [([5.0], [False]), ([5.0], [True]), ([0.0, 0.0], [True, False]), ([3.0, 3.0, 9.0], [True, True, True])],
    ids=["one censored", "one event", "all at zero", "curve reaches zero"],
)
def test_small_and_extreme_curves_are_drawn(time, event):
    figure = draw_kaplan_meier([Curve("arm", np.array(time), np.array(event))], title="x")
    assert texts(render_figure(figure)["svg"])


def test_a_median_that_is_not_reached_says_so():
    curve = Curve("arm", np.linspace(1, 20, 30), np.zeros(30, dtype=bool))
    assert "not reached" in texts(render_figure(draw_kaplan_meier([curve], title="x"))["svg"])


def test_labels_with_formula_signs_are_text(generator):
    data = [Curve("a $ b $ c^2", c.time_months, c.event) for c in curves(generator)]
    assert "a $ b $ c^2" in texts(render_figure(draw_kaplan_meier(data, title="5 $ and 6 $"))["svg"])


def test_wrong_arguments_of_the_curves(generator):
    with pytest.raises(ValueError, match="at least one arm"):
        draw_kaplan_meier([], title="x")
    with pytest.raises(ValueError, match="1 medians for 2 curves"):
        draw_kaplan_meier(curves(generator), title="x", published=[None])


def test_the_waterfall_is_sorted_and_counts_those_without_a_bar(generator):
    figure = draw("waterfall", generator)
    shown = texts(render_figure(figure)["svg"])
    assert any(t.startswith("n = 90, confirmed response") for t in shown)
    assert any("0, 3 patients" in t for t in shown)
    bars = [p.get_path().vertices for p in figure.axes[0].patches]
    corners = np.concatenate([v.reshape(-1, 5, 2) for v in bars])
    heights = corners[np.argsort(corners[:, 0, 0]), 1, 1]
    assert heights.size == 90
    assert np.all(np.diff(heights) <= 0)
    levels = {float(line.get_ydata()[0]) for line in figure.axes[0].lines}
    assert {0.2, -0.3} <= levels


def test_wrong_arguments_of_the_waterfall():
    with pytest.raises(ValueError, match="at least one"):
        draw_waterfall([], title="x")
    with pytest.raises(ValueError, match="1 responses for 2 changes"):
        draw_waterfall([WaterfallArm("a", np.zeros(2), ["PR"])], title="x")
    with pytest.raises(ValueError, match="response 'XX'; expected one of CR, PR, SD, PD, NE"):
        draw_waterfall([WaterfallArm("a", np.zeros(1), ["XX"])], title="x")


@pytest.mark.parametrize("n_arms", [1, 3, 4])
def test_any_number_of_arms_has_its_panels(n_arms):
    arms = [WaterfallArm(f"arm {k}", np.array([-0.5, 0.1]), ["PR", "SD"]) for k in range(n_arms)]
    assert len(draw_waterfall(arms, title="x").axes) == n_arms


def test_the_forest_starts_with_all_patients_and_names_its_subgroups(generator):
    svg = render_figure(draw("forest", generator))["svg"]
    shown = texts(svg)
    for expected in (
        "All patients",
        "Hormone receptor",
        "positive",
        "0.62 (0.51–0.75)",
        "400 / 808",
        "not estimable",
    ):
        assert expected in shown
    rows = [t for t in shown if t in ("All patients", "Hormone receptor", "Liver metastases")]
    assert rows[0] == "All patients"


def test_the_area_of_a_box_is_in_proportion_to_its_events(generator):
    panel = draw("forest", generator).axes[0]
    areas = [float(c.get_sizes()[0]) for c in panel.collections if c.get_facecolor()[0][0] < 0.5]
    np.testing.assert_allclose(areas, np.array([430, 200, 230, 430]) / 430 * areas[0])


def test_the_axis_of_the_forest_is_logarithmic_with_lines_at_one_and_at_the_overall_effect(generator):
    panel = draw("forest", generator).axes[0]
    assert panel.get_xscale() == "log"
    verticals = [line.get_xdata()[0] for line in panel.lines if len(set(line.get_xdata())) == 1]
    assert {1.0, 0.62} <= {float(v) for v in verticals}


def test_the_interaction_is_the_wald_test_of_two_logarithms():
    # standard errors of 0.1 each and logarithms 0.3 apart: z = 0.3 / sqrt(0.02) = 2.1213, p = 0.0339
    def row(log_hr):
        return {
            "hr": np.exp(log_hr),
            "low": np.exp(log_hr - 1.959964 * 0.1),
            "high": np.exp(log_hr + 1.959964 * 0.1),
        }

    assert _interaction([row(-0.5), row(-0.2)]) == "0.03"
    assert _interaction([row(-0.5), None]) == ""
    assert _interaction([row(-2.0), row(0.0)]) == "<0.01"


def test_a_forest_without_all_patients_is_refused():
    with pytest.raises(ValueError, match="all patients"):
        draw_forest(forest_rows()[1:], title="x")


def test_saving_writes_both_files_and_says_where_it_cannot(tmp_path, generator):
    figure = draw("forest", generator)
    paths = save_figure(figure, tmp_path / "forest.pfs")
    assert [p.name for p in paths] == ["forest.pfs.svg", "forest.pfs.png"]
    assert paths[1].read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match="cannot be written"):
        save_figure(figure, tmp_path / "missing" / "forest")


def test_importing_the_pictures_does_not_import_matplotlib():
    code = "import sys, her2.trials.pictures; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_drawing_leaves_pyplot_alone():
    source = Path(sys.modules["her2.trials.pictures"].__file__ or "").parent
    assert not any("pyplot" in p.read_text(encoding="utf-8") for p in source.glob("*.py"))
