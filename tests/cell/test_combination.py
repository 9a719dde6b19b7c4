"""Two drugs: independence, sham combinations, symmetry."""

import numpy as np
import pytest

import her2
from her2.cell.combination import bliss_expected, combine, hsa_expected
from her2.errors import RecordError


@pytest.fixture(scope="module")
def surface():
    return combine(
        her2.cell("SKBR3"), "trastuzumab", "lapatinib", [0.3, 3.0], [10.0, 100.0, 1000.0], members=2
    )


def test_expectations_by_hand():
    a, b = np.array([0.5, 0.2]), np.array([0.4, 0.0])
    assert bliss_expected(a, b) == pytest.approx([0.7, 0.2])
    assert hsa_expected(a, b) == pytest.approx([0.5, 0.2])


def test_independent_cytotoxics_have_no_bliss_excess():
    # kill rates of two cytotoxics add up, and a sum of rates is a product of survivals
    pair = combine(her2.cell("BT474"), "docetaxel", "gemcitabine", [2.0, 20.0], [50.0, 5000.0], members=2)
    assert np.max(np.abs(pair.bliss_excess)) < 1e-9
    assert pair.affected[:, 1:, 1:].min() > 0.01
    assert pair.hsa_excess[:, 1:, 1:].min() > 0.0


def test_margins_are_the_single_drugs(surface):
    alone = her2.cell("SKBR3").dose_response("lapatinib", [10.0, 100.0, 1000.0], members=0)
    assert surface.growth[0, 0, 1:] == pytest.approx(alone["net_growth"].to_numpy(), abs=1e-12)
    assert surface.gr[:, 0, 0] == pytest.approx(1.0)
    for excess in (surface.bliss_excess, surface.hsa_excess):
        assert np.max(np.abs(excess[:, 0, :])) < 1e-12
        assert np.max(np.abs(excess[:, :, 0])) < 1e-12


def test_the_pair_does_at_least_what_the_better_drug_does(surface):
    assert surface.hsa_excess.min() > -1e-9
    assert (surface.hsa_excess >= surface.bliss_excess - 1e-12).all()


def test_the_order_of_the_drugs_does_not_matter(surface):
    turned = combine(
        her2.cell("SKBR3"), "lapatinib", "trastuzumab", [10.0, 100.0, 1000.0], [0.3, 3.0], members=2
    )
    assert turned.growth == pytest.approx(np.swapaxes(surface.growth, 1, 2), abs=1e-12)
    assert turned.mean_bliss_excess().value == pytest.approx(surface.mean_bliss_excess().value)


def test_a_drug_with_itself_is_a_higher_dose():
    sham = combine(her2.cell("BT474"), "lapatinib", "lapatinib", [50.0, 100.0], [50.0], members=0)
    alone = her2.cell("BT474").dose_response("lapatinib", [100.0, 150.0], members=0)
    assert sham.growth[0, 1:, 1] == pytest.approx(alone["net_growth"].to_numpy(), abs=1e-12)
    assert sham.hsa_excess[0, 1:, 1:].min() > 0.0


def test_table_and_summaries(surface):
    table = her2.cell("SKBR3").combination(
        "trastuzumab", "lapatinib", [0.3, 3.0], [10.0, 100.0, 1000.0], members=2
    )
    assert table.height == 12
    assert table["bliss_excess"].to_numpy().reshape(3, 4) == pytest.approx(surface.bliss_excess[0])
    assert surface.mean_hsa_excess().value == pytest.approx(surface.hsa_excess[0, 1:, 1:].mean())
    band = surface.mean_bliss_excess()
    assert band.low <= band.high
    size, a, b = surface.largest(surface.hsa_excess)
    assert size == pytest.approx(surface.hsa_excess[0].max()) and a > 0.0 and b > 0.0


def test_a_grid_has_its_limits():
    with pytest.raises(RecordError, match="2500 pairs"):
        combine(her2.cell("BT474"), "lapatinib", "trastuzumab", list(range(60)), list(range(60)), members=0)
    with pytest.raises(RecordError, match="is varied"):
        combine(her2.cell("BT474"), "lapatinib", "trastuzumab", background={"trastuzumab": 1.0}, members=0)
