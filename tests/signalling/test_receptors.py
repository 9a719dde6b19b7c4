"""Receptor layer: conservation, closed form, monotonicity, the drugs' logic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2.errors import NetworkError
from her2.evidence.load import canonical_values, load_network, load_parameters
from her2.signalling import receptors as r


def _free(layer, totals, ligands, occupancy):
    k = r.association_constants(layer, ligands, occupancy)
    return r.free_monomers(layer, totals, k), k


def test_equilibrium_is_exact_on_the_whole_prior_range(generator):
    """50,000 cells with every constant, receptor and ligand drawn from twice its prior spread: residual below 1e-10."""
    parameters = load_parameters()
    worst = 0.0
    for _ in range(50):
        values = {
            k: p.value * float(np.exp(2.0 * p.prior.spread * generator.normal()))
            if p.prior is not None and p.prior.law == "lognormal"
            else p.value
            for k, p in parameters.items()
        }
        layer = r.build_receptor_layer(load_network("receptors"), values)
        n = 1000
        # HER4 and delta16, which the reference cell does not have, are given the level of HER3
        typical = np.where(layer.reference_totals > 0.0, layer.reference_totals, layer.reference_totals[2])
        totals = typical[:, None] * np.exp(2.0 * generator.normal(size=(typical.size, n)))
        ligands = layer.reference_ligands[:, None] * np.exp(2.0 * generator.normal(size=(2, n)))
        occupancy = generator.uniform(size=(2, n))
        m, k = _free(layer, totals, ligands, occupancy)
        worst = max(worst, float(np.max(r.residual(layer, totals, k, m))))
    assert worst < 1e-10


def test_a_single_homodimer_has_its_closed_form(model):
    layer = model.receptors
    totals = np.zeros((4, 3))
    totals[1] = [0.1, 1.0, 10.0]
    m, k = _free(layer, totals, np.zeros((2, 3)), np.zeros((2, 3)))
    h = layer.dimers.index("her2_her2")
    expected = (-1.0 + np.sqrt(1.0 + 8.0 * k[h] * totals[1])) / (4.0 * k[h])
    assert np.allclose(m[1], expected, rtol=1e-12)


def test_no_receptor_gives_no_dimer(model):
    layer = model.receptors
    totals = np.zeros((4, 1))
    m, k = _free(layer, totals, np.ones((2, 1)), np.zeros((2, 1)))
    assert np.all(r.dimer_amounts(layer, m, k) == 0.0)


@given(
    st.lists(st.floats(1e-3, 50.0), min_size=4, max_size=4),
    st.lists(st.floats(0.0, 20.0), min_size=2, max_size=2),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
)
def test_receptors_are_conserved_and_not_negative(model, totals, ligands, t, p):
    layer = model.receptors
    total = np.array(totals)[:, None]
    m, k = _free(layer, total, np.array(ligands)[:, None], np.array([[t], [p]]))
    assert np.all(m >= 0.0)
    assert np.all(m <= total * (1 + 1e-12))
    assert r.residual(layer, total, k, m)[0] < 1e-10


def test_more_ligand_makes_more_heterodimers(model):
    layer = model.receptors
    totals = np.repeat(layer.reference_totals[:, None], 20, axis=1)
    ligands = np.repeat(layer.reference_ligands[:, None], 20, axis=1)
    ligands[1] = np.linspace(0, 10, 20)
    m, k = _free(layer, totals, ligands, np.zeros((2, 20)))
    ht = r.dimer_amounts(layer, m, k)[layer.dimers.index("her2_her3")]
    assert np.all(np.diff(ht) > 0)


def test_antibodies_do_not_touch_p95(model):
    layer = model.receptors
    for channel, dimer in enumerate(layer.channel_dimer):
        if "p95" in layer.dimers[dimer]:
            assert np.all(layer.channel_block[channel] == 0.0)
    assert np.all(layer.downregulation[:, layer.species.index("p95her2")] == 0.0)


def test_reference_cell_has_recruitment_one(model):
    layer = model.receptors
    totals, ligands = layer.reference_totals[:, None], layer.reference_ligands[:, None]
    m, k = _free(layer, totals, ligands, np.zeros((2, 1)))
    pi3k, ras = r.recruitment(layer, r.dimer_amounts(layer, m, k))
    assert pi3k[0] == pytest.approx(1.0, rel=1e-14)
    assert ras[0] == pytest.approx(1.0, rel=1e-14)


def test_an_unknown_receptor_is_named_with_the_nearest():
    record = load_network("receptors")
    record["dimers"][0]["pair"] = ["her2", "herr3"]
    with pytest.raises(NetworkError, match="unknown receptor 'herr3'; nearest: 'her3'"):
        r.build_receptor_layer(record, canonical_values())


def test_an_unknown_parameter_is_named():
    record = load_network("receptors")
    record["dimers"][0]["pi3k"] = "receptors.pi3k_her2_her22"
    with pytest.raises(NetworkError, match="no parameter 'receptors.pi3k_her2_her22'; nearest"):
        r.build_receptor_layer(record, canonical_values())
