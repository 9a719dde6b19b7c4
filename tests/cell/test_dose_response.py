"""Dose-response: GR formula by hand, metrics of known curves, and what must hold for any drug."""

import numpy as np
import pytest

import her2
from her2.cell.dose_response import (
    curve_metrics,
    default_doses,
    dose_at,
    dose_response,
    fraction_affected,
    gr_value,
    nominal_half,
)
from her2.errors import RecordError, UnknownNameError

LINES = ("BT474", "SKBR3", "reference")
MONOTONE = ("lapatinib", "neratinib", "tucatinib", "trastuzumab", "pertuzumab", "everolimus", "mk_2206", "docetaxel", "t_dm1")  # fmt: skip


def test_gr_by_hand():
    # by definition: as untreated 1, half the rate 2**0.5 - 1, no growth 0, shrinking as fast as untreated grows -0.5
    growth = np.array([0.6, 0.3, 0.0, -0.6, -60.0])
    assert gr_value(growth, 0.6) == pytest.approx([1.0, 0.41421356, 0.0, -0.5, -1.0])
    assert np.isnan(gr_value(np.array([0.1]), 0.0)).all()
    assert np.isnan(gr_value(np.array([0.1]), -0.2)).all()


def test_gr_from_cell_counts():
    # 1000 cells become 8000 untreated and 2000 treated: log2 ratios 3 and 1, GR = 2**(1/3) - 1 (Hafner 2016)
    k0, k = np.log(8.0) / 3.0, np.log(2.0) / 3.0
    assert gr_value(np.array([k]), k0)[0] == pytest.approx(2.0 ** (1.0 / 3.0) - 1.0)
    assert fraction_affected(np.array([k]), k0, 72.0)[0] == pytest.approx(1.0 - 2000.0 / 8000.0)


def test_metrics_of_a_known_curve():
    doses = np.geomspace(0.1, 1e4, 31)
    gr_inf, half, slope = -0.2, 40.0, 1.3
    gr = gr_inf + (1.0 - gr_inf) / (1.0 + (doses / half) ** slope)
    gr50, gec50, top, bottom, h, area, misfit = curve_metrics(doses, gr)
    assert (gec50, bottom, h) == pytest.approx((half, gr_inf, slope), rel=1e-4)
    assert gr50 == pytest.approx(half * (0.5 / 0.7) ** (1.0 / slope), rel=1e-4)
    assert top == gr[-1]
    assert area == pytest.approx(np.trapezoid(1.0 - gr, np.log10(doses)) / 5.0)
    assert misfit < 1e-6


def test_half_effects_that_are_not_reached_say_so():
    doses = np.geomspace(0.1, 1e4, 16)
    weak = 0.7 + 0.3 / (1.0 + doses / 10.0)
    assert curve_metrics(doses, weak)[0] == np.inf
    flat = curve_metrics(doses, np.ones(16))
    assert flat[0] == np.inf and np.isnan(flat[1]) and flat[5] == 0.0
    late = -1.0 + 2.0 / (1.0 + doses / 1e6)  # falls beyond the range
    assert curve_metrics(doses, late)[0] == np.inf
    assert dose_at(doses, 1.0 - weak, 0.5) == np.inf
    assert dose_at(np.array([1.0, 100.0]), np.array([0.0, 1.0]), 0.5) == pytest.approx(10.0)


@pytest.mark.parametrize("drug", MONOTONE)
def test_more_of_a_drug_never_helps_growth(drug):
    for line in LINES:
        curve = dose_response(her2.cell(line), drug, members=1)
        growth = np.concatenate([curve.control[:, None], curve.growth], axis=1)
        assert np.diff(growth, axis=1).max() < 1e-6, line
        assert (curve.gr <= 1.0 + 1e-6).all() and (curve.gr >= -1.0).all()


def test_no_dose_is_no_effect():
    table = her2.cell("SKBR3").dose_response("lapatinib", [0.0, 100.0], members=2)
    assert table["dose"].to_list() == [0.0, 100.0]
    assert table["gr"][0] == pytest.approx(1.0, abs=1e-12)
    assert table["fraction_affected"][0] == pytest.approx(0.0, abs=1e-12)
    for name in ("net_growth", "gr", "fraction_affected"):
        assert (table[f"{name}_5"] <= table[f"{name}_95"]).all()


def test_a_background_is_in_the_control_too():
    both = dose_response(
        her2.cell("BT474"), "lapatinib", [0.0, 50.0], background={"everolimus": 5.0}, members=0
    )
    assert both.gr[0, 0] == pytest.approx(1.0, abs=1e-12)
    alone = dose_response(her2.cell("BT474"), "lapatinib", [0.0], members=0)
    assert both.control[0] < alone.control[0]
    with pytest.raises(RecordError, match="is varied"):
        dose_response(her2.cell("BT474"), "lapatinib", background={"lapatinib": 5.0}, members=0)


def test_the_default_range_spans_five_decades_around_half_effect():
    doses = default_doses("lapatinib")
    assert doses[-1] / doses[0] == pytest.approx(1e5)
    assert nominal_half("lapatinib") == pytest.approx(doses[0] * 1e3)
    # serum binds lapatinib: more is needed in the medium than at the enzyme
    assert nominal_half("lapatinib") > 9.0
    assert nominal_half("trastuzumab") == pytest.approx(0.3)


def test_metrics_of_a_line_agree_with_its_curve():
    cell = her2.cell("SKBR3")
    metrics = cell.gr_metrics("lapatinib", members=0)
    near = cell.dose_response("lapatinib", [metrics.gr50.value, metrics.ic50.value], members=0)
    values = dict(zip(near["dose"].to_list(), near.to_dicts(), strict=True))
    assert values[metrics.gr50.value]["gr"] == pytest.approx(0.5, abs=0.05)
    assert values[metrics.ic50.value]["fraction_affected"] == pytest.approx(0.5, abs=0.02)
    assert np.isnan(metrics.gr50.low)


def test_a_ligand_can_rescue():
    cell = her2.cell("BT474")
    plain = cell.gr_metrics("trastuzumab", members=0)
    fed = cell.gr_metrics("trastuzumab", ligands={"heregulin": 5.0}, members=0)
    assert fed.gr_max.value > plain.gr_max.value


def test_a_cell_that_does_not_grow_has_neither_gr_nor_inhibition():
    still = her2.Cell(receptors={"her2": 0.0, "egfr": 0.0, "her3": 0.0, "igf1r": 0.0})
    curve = dose_response(still, "lapatinib", hours=672.0, compartment="tumour", members=0)
    assert curve.control[0] < 0.0
    assert np.isnan(curve.gr).all() and np.isfinite(curve.affected).all()
    assert np.isnan(curve.metrics().gr50.value)
    table = still.respond({"lapatinib": 100.0}, compartment="tumour", members=0)
    assert np.isnan(dict(zip(table["readout"], table["treated"], strict=True))["growth_inhibition"])


def test_impossible_requests_are_refused():
    cell = her2.cell("BT474")
    with pytest.raises(UnknownNameError, match="nearest: 'lapatinib'"):
        cell.dose_response("lapatinb")
    with pytest.raises(RecordError, match="pharmacodynamics"):
        cell.dose_response("placebo")
    with pytest.raises(RecordError, match="0 or more"):
        cell.dose_response("lapatinib", [-1.0])
    with pytest.raises(RecordError, match="hours: expected"):
        cell.dose_response("lapatinib", hours=0.0)
    with pytest.raises(RecordError, match="four or more"):
        cell.gr_metrics("lapatinib", [0.0, 1.0, 2.0], members=0)
    with pytest.raises(RecordError, match="members"):
        cell.dose_response("lapatinib", members=100_000)
