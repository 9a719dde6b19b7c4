"""A single cell without what patients all share is a patient's cell: same signals, same rates as the population model."""

import numpy as np

from her2.cell.attributes import defaults
from her2.cell.condition import Columns
from her2.cell.effects import drug_effects
from her2.cell.ensemble import central, member
from her2.cell.model import build_cell_model
from her2.cell.respond import respond
from her2.model import build_model, signals

N = 200


def random_columns(generator, drugs):
    """Cells that vary in what patients vary in, under both antibodies: `Columns`."""
    attributes = {k: np.full(N, v) for k, v in defaults("tumour").items()}
    for name in ("egfr", "her2", "her3", "igf1r", "bim", "egf", "heregulin"):
        attributes[name] = attributes[name] * np.exp(0.7 * generator.normal(size=N))
    attributes["er"] = np.where(generator.uniform(size=N) < 0.5, 0.0, np.exp(generator.normal(size=N)))
    attributes["p95_share"] = generator.uniform(0.0, 0.7, N)
    attributes["pten"] = generator.uniform(size=N)
    attributes["pik3ca"] = generator.integers(0, 2, N).astype(float)
    attributes["cyclin_e"] = generator.integers(0, 2, N).astype(float)
    attributes["independent"] = generator.uniform(0.0, 0.5, N)
    attributes["effector"] = np.exp(generator.normal(size=N))
    concentrations = {d: np.exp(generator.normal(size=N)) for d in drugs}
    return Columns(attributes, concentrations, ("tumour",) * N)


def test_signals_and_rates_are_those_of_the_population_model(generator):
    for cell_model in (central(), member(3), member(11)):
        model = build_model(cell_model.values)
        c = model.constants
        columns = random_columns(generator, ["trastuzumab", "pertuzumab"])
        a = columns.attributes
        response = respond(cell_model, columns)
        effects = drug_effects(cell_model, columns)
        totals = np.stack(
            [a["egfr"], a["her2"] * (1.0 - a["p95_share"]), a["her3"], a["her2"] * a["p95_share"]]
        )
        inputs = {
            "igf1r": cell_model.values["population.bypass_median"] * a["igf1r"] / 0.0356,
            "pik3ca": a["pik3ca"], "pten": a["pten"], "er": a["er"], "cyclin_e": a["cyclin_e"], "bim_level": a["bim"],
        }  # fmt: skip
        ligands = np.stack([a["egf"], a["heregulin"]])
        none = np.zeros_like(effects.occupancy)
        now = signals(model.receptors, model.network, totals, ligands, effects.occupancy, inputs)
        rest = signals(model.receptors, model.network, totals, ligands, none, inputs)
        for name in ("akt", "erk", "foxo", "s6k", "cell_cycle", "p27"):
            assert np.allclose(response[name], now[name], rtol=1e-9, atol=1e-12), name
        assert np.allclose(response["apoptosis_signal"], now["apoptosis"], rtol=1e-9)

        free = a["independent"]
        pr = free + (1.0 - free) * now["cell_cycle"] / c.cell_cycle_reference
        death = np.maximum((1.0 - free) * (now["apoptosis"] - rest["apoptosis"]) / c.bim_reference, 0.0)
        fc = totals[1] * (effects.occupancy[0] + c.fc_weight_pertuzumab * effects.occupancy[1])
        immune = c.effector_kill * a["effector"] * fc / (fc + c.fc_half)
        growth = cell_model.values["tumour.growth"]
        expected = growth * ((1.0 + c.turnover) * pr - c.turnover) - c.apoptosis_kill * death - immune
        assert np.allclose(response["net_growth"], expected, rtol=1e-9, atol=1e-12)


def test_the_reference_cell_grows_at_the_rate_of_its_compartment():
    model = build_cell_model()
    for compartment, parameter in (("tumour", "tumour.growth"), ("cns", "tumour.growth")):
        growth = respond(model, Columns.reference(compartment))["net_growth"][0]
        assert np.isclose(growth, model.values[parameter], rtol=1e-9)
