"""The state of the pathways in single cells under antibodies, without any tumour or trial.

Cells: the reference cell, one with high heregulin, one with PTEN loss, one with p95HER2, one with amplified cyclin E.

    python examples/pathway_state.py
"""

import numpy as np

from her2.model import build_model, signals

CELLS = ("reference", "high heregulin", "PTEN loss", "p95HER2", "cyclin E")
DRUGS = {"untreated": (0.0, 0.0), "trastuzumab": (0.97, 0.0), "both antibodies": (0.97, 0.97)}
NODES = ("akt", "erk", "p27", "cell_cycle")


def main() -> None:
    """Print AKT, ERK, p27 and cycling of each cell under each drug."""
    model = build_model()
    layer = model.receptors
    n = len(CELLS)
    totals = np.repeat(layer.reference_totals[:, None], n, axis=1)
    her2, p95 = layer.species.index("her2"), layer.species.index("p95her2")
    both = totals[her2, 3] + totals[p95, 3]
    totals[her2, 3], totals[p95, 3] = 0.5 * both, 0.5 * both
    ligands = np.repeat(layer.reference_ligands[:, None], n, axis=1)
    ligands[layer.ligands.index("heregulin"), 1] *= 7.5
    inputs = {
        "igf1r": np.full(n, model.values["population.bypass_median"]),
        "pten": np.array([1.0, 1.0, 0.15, 1.0, 1.0]),
        "bim_level": np.ones(n),
        "cyclin_e": np.array([0.0, 0.0, 0.0, 0.0, 1.0]),
    }
    for drug, (trastuzumab, pertuzumab) in DRUGS.items():
        occupancy = np.repeat([[trastuzumab], [pertuzumab]], n, axis=1)
        state = signals(layer, model.network, totals, ligands, occupancy, inputs)
        print(drug)
        for k, cell in enumerate(CELLS):
            shown = ", ".join(f"{node} {state[node][k]:.2f}" for node in NODES)
            print(f"  {cell:14s} {shown}")
    print(f"largest violation of receptor conservation: {np.max(state['residual']):.1e}")


if __name__ == "__main__":
    main()
