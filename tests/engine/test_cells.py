"""Compiled signalling of single cells against its readable NumPy form."""

import gc
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from her2.cell import respond as respond_module
from her2.cell.attributes import COMPARTMENTS, catalogue
from her2.cell.condition import Columns, Treatment, make_columns
from her2.cell.effects import drug_effects
from her2.cell.ensemble import central, member
from her2.cell.respond import COMPILED_COLUMNS, CONVERGED, respond, signals
from her2.engine import cells
from her2.engine.layout import LANES, Signal
from her2.errors import Her2Error, NetworkError
from her2.model import receptor_arrays

RELATIVE = 1e-12
ABSOLUTE = 1e-15
"""A node is 1 - product, which leaves it a rounding error of a unit in the last place of 1."""


def random_columns(model, rng, n):
    """Cells that differ from the reference in some attributes, each with up to four drugs at any dose."""
    named, agents = catalogue(), sorted(model.agents)
    some, treatments = [], []
    for _ in range(n):
        changed = {}
        for name, attribute in named.items():
            low, high = attribute.low, attribute.high
            kind = rng.uniform()
            if kind < 0.1:
                changed[name] = low  # absent, often
            elif kind < 0.5:
                spread = high - low if high <= 2.0 else min(high, float(np.exp(rng.normal()))) - low
                changed[name] = low + max(spread, 0.0) * float(rng.uniform())
        some.append(changed)
        given = rng.choice(agents, size=int(rng.integers(0, 5)), replace=False)
        drugs = {str(d): float(10.0 ** rng.uniform(-1.0, 5.0)) for d in given}
        treatments.append(Treatment(drugs=drugs, compartment=str(rng.choice(COMPARTMENTS))))
    return make_columns(some, treatments, model.agents, model.values)


def both(model, columns, slow):
    effects = drug_effects(model, columns)
    return (signals(model, columns, effects, slow, compiled=c) for c in (False, True))


@pytest.mark.parametrize("number", [-1, 0, 11])
def test_compiled_and_readable_forms_agree(number):
    """640 cells under drugs, every attribute and slow state varied, in the central model and in members."""
    model = central() if number < 0 else member(number)
    rng = np.random.default_rng([20, number + 1])
    columns = random_columns(model, rng, 640)
    slow = rng.uniform(0.0, 0.6, size=(len(model.network.slow), 640))
    readable, compiled = both(model, columns, slow)
    assert list(readable) == list(compiled)
    inhibited = drug_effects(model, columns)
    assert inhibited.node and inhibited.inputs  # the drugs reach what the kernel leaves out
    assert np.any(inhibited.kinase < 0.5)
    assert np.max(readable.pop("residual")) < CONVERGED
    assert np.max(compiled.pop("residual")) < CONVERGED
    for name, expected in readable.items():
        np.testing.assert_allclose(
            compiled[name], expected, rtol=RELATIVE, atol=ABSOLUTE, err_msg=name, strict=True
        )


def test_a_cell_has_the_same_digits_in_any_company():
    model = central()
    rng = np.random.default_rng(3)
    columns = random_columns(model, rng, 2 * LANES + 5)
    slow = rng.uniform(0.0, 0.5, size=(len(model.network.slow), columns.size))
    effects = drug_effects(model, columns)
    whole = signals(model, columns, effects, slow, compiled=True)
    for index in (np.array([0]), np.arange(columns.size)[::-1], np.arange(60, 70)):
        part = Columns(
            {k: v[index] for k, v in columns.attributes.items()},
            {k: v[index] for k, v in columns.concentrations.items()},
            tuple(columns.compartments[i] for i in index),
        )
        alone = signals(model, part, drug_effects(model, part), slow[:, index], compiled=True)
        for name in whole:
            np.testing.assert_array_equal(alone[name], whole[name][index], err_msg=name)


def test_a_cell_without_receptors_is_solved():
    model = central()
    absent = dict.fromkeys(("egfr", "her2", "her3", "her4", "igf1r", "met"), 0.0)
    columns = make_columns([absent], [Treatment()], model.agents, model.values)
    readable, compiled = both(model, columns, np.zeros((len(model.network.slow), 1)))
    assert compiled["her2_her2"][0] == compiled["recruitment_pi3k"][0] == 0.0
    assert np.isfinite(compiled["cell_cycle"][0])
    np.testing.assert_allclose(compiled["cell_cycle"], readable["cell_cycle"], rtol=RELATIVE)


def test_many_columns_are_compiled_and_few_are_not(monkeypatch):
    model = central()
    calls = []
    true_form = cells.evaluate_cells
    monkeypatch.setattr(cells, "evaluate_cells", lambda *a: calls.append(1) or true_form(*a))
    rng = np.random.default_rng(5)
    many = random_columns(model, rng, COMPILED_COLUMNS)
    many = replace(many, attributes={**many.attributes, "heterogeneity": np.zeros(many.size)})
    fast = respond(model, many, days=8.0).values
    assert calls
    calls.clear()
    monkeypatch.setattr(respond_module, "COMPILED_COLUMNS", many.size + 1)
    slow = respond(model, many, days=8.0).values
    assert not calls
    for name in ("net_growth", "mean_growth", "akt", "her3"):
        np.testing.assert_allclose(fast[name], slow[name], rtol=1e-11, atol=1e-13, err_msg=name)


def test_few_columns_need_no_compiler():
    code = (
        "import sys\n"
        "from her2.cell.condition import Columns\n"
        "from her2.cell.model import build_cell_model\n"
        "from her2.cell.respond import respond\n"
        "respond(build_cell_model(), Columns.reference('culture'), days=3.0)\n"
        "assert 'numba' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_input_that_is_no_number_is_named():
    model = central()
    columns = Columns.reference("culture")
    columns = replace(columns, attributes={**columns.attributes, "met": np.array([np.nan])})
    with pytest.raises(Her2Error, match="input met is not finite in cell 0"):
        signals(
            model,
            columns,
            drug_effects(model, columns),
            np.zeros((len(model.network.slow), 1)),
            compiled=True,
        )


def test_the_kernels_rows_are_the_general_ones(model):
    """`layout.Signal` spells out, for the population, the order that `evaluate_block` expects."""
    layer, network = model.receptors, model.network
    recruited = model.receptor_arrays.recruitment.shape[0]
    rows = [
        *layer.species, *layer.ligands, *network.names[recruited : network.n_inputs], *layer.antibodies, "slow",
    ]  # fmt: skip
    other = {"p95": "p95her2", "bypass": "igf1r", "bim": "bim_level"}
    assert rows == [other.get(s.name.lower(), s.name.lower()) for s in Signal]


def test_inputs_from_receptors_lead(model):
    names = model.network.names
    mixed = replace(model.network, names=(names[1], names[0], *names[2:]))
    with pytest.raises(NetworkError, match="expected pi3k_recruitment, ras_recruitment first"):
        receptor_arrays(model.receptors, mixed)


def test_arrays_go_with_their_model():
    model = central()
    layer = replace(model.receptors)
    before = len(cells._KEPT)
    cells.cell_arrays(layer, model.network)
    assert cells.cell_arrays(layer, model.network) is cells.cell_arrays(layer, model.network)
    assert len(cells._KEPT) == before + 1
    del layer
    gc.collect()
    assert len(cells._KEPT) == before
