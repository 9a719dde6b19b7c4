"""Lapatinib sensitivity of HER2-amplified lines: the rank follows receptors and genotype, not HER2 level alone.

Evidence: published growth inhibition (GI50 of the HMS LINCS breast panel, as in the project's parameter sheet). No value of
a cell was chosen with a drug response in view, and there is no parameter of a line; absolute potencies are not tested.
"""

import numpy as np
from scipy.stats import spearmanr

from her2.cell.cell import load_cell
from her2.cell.condition import Treatment, make_columns
from her2.cell.ensemble import central, member
from her2.cell.respond import respond

GI50 = {
    "hcc1419": 269.0, "bt474": 398.0, "au565": 398.0, "skbr3": 513.0, "hcc202": 759.0, "uacc_893": 1820.0,
    "hcc1954": 2754.0, "mda_mb_361": 8913.0,
}  # fmt: skip
"""nmol/L, from -log10 GI50 of 6.57, 6.40, 6.40, 6.29, 6.12, 5.74, 5.56 and 5.05."""
DOSES = 10.0 ** np.linspace(0.0, 5.0, 41)
NOT_REACHED = 1e6


def gr50(model):
    """Nominal concentration at which the growth rate value falls below one half, by line: nmol/L."""
    cells = [load_cell(name).attributes for name in GI50 for _ in DOSES]
    treatments = [Treatment({"lapatinib": float(d)}, {}, "culture") for _ in GI50 for d in DOSES]
    response = respond(model, make_columns(cells, treatments, model.agents, model.values), 3.0)
    ratio = (response["mean_growth"] / response["untreated_growth"]).reshape(len(GI50), -1)
    below = 2.0**ratio - 1.0 < 0.5
    return np.where(below.any(axis=1), DOSES[np.argmax(below, axis=1)], NOT_REACHED)


def test_ranks_follow_composition_and_genotype():
    published = list(GI50.values())
    level = [load_cell(name).attributes["her2"] for name in GI50]
    by_level = spearmanr(level, [-x for x in published]).statistic
    by_model = spearmanr(gr50(central()), published).statistic
    assert by_model > 0.5 > by_level
    members = [spearmanr(gr50(member(k)), published).statistic for k in range(12)]
    assert np.median(members) > by_level + 0.1
