"""Mechanism claims of the reviews as soft data on the signalling layer.

Trial tables alone do not identify the signalling layer. Each statement below is an experiment on the reference cell and
a margin by which the model should show the stated direction; a model that shows it by the margin or more is not
rewarded further. The weight of a claim is in its error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from her2.model import Model, signals

OCCUPIED = 0.97
"""Occupancy by an antibody at therapeutic levels."""


@dataclass(frozen=True)
class SoftClaim:
    """A claim, the margin it should reach and the error that is its weight."""

    claim: str
    says: str
    margin: float
    error: float


SOFT_CLAIMS = (
    SoftClaim("heregulin_incompletely_blocked", "AKT under trastuzumab rises with heregulin", 0.05, 0.025),
    SoftClaim(
        "pertuzumab_blocks_heterodimers", "pertuzumab lowers AKT under trastuzumab and heregulin", 0.10, 0.05
    ),
    SoftClaim("dual_antibody_more_comprehensive", "pertuzumab lowers cycling under trastuzumab", 0.20, 0.07),
    SoftClaim(
        "p95_associated_with_resistance", "p95HER2 lessens the effect of trastuzumab on cycling", 0.05, 0.05
    ),
    SoftClaim(
        "pten_loss_trastuzumab_resistance",
        "PTEN loss lessens the effect of trastuzumab on cycling",
        0.10,
        0.05,
    ),
    SoftClaim(
        "cyclin_e_lowers_response", "cyclin E lessens the effect of trastuzumab on cycling", 0.10, 0.05
    ),
    SoftClaim("trastuzumab_accumulates_p27", "trastuzumab raises p27", 0.05, 0.025),
    SoftClaim("er_is_escape_pathway", "ER lessens the effect of both antibodies on cycling", 0.05, 0.025),
)


def claim_values(model: Model) -> np.ndarray:
    """What the model gives for each soft claim, cut at its margin: (claims,)."""
    ref = model.receptors.reference_totals
    lig = model.receptors.reference_ligands

    def cell(
        t: float = 0.0, p: float = 0.0, heregulin: float = 1.0, p95: float | None = None, pten: float = 1.0,
        er: float = 0.0, cyclin_e: float = 0.0,
    ) -> dict[str, float]:  # fmt: skip
        totals = ref.copy()
        if p95 is not None:
            her2 = totals[1] + totals[3]
            totals[1], totals[3] = her2 * (1 - p95), her2 * p95
        ligands = lig.copy()
        ligands[1] *= heregulin
        out = signals(
            model.receptors, model.network, totals[:, None], ligands[:, None], np.array([[t], [p]]),
            {
                "igf1r": np.array([model.values["population.bypass_median"]]),
                "pten": np.array([pten]),
                "bim_level": np.ones(1),
                "er": np.array([er]),
                "cyclin_e": np.array([cyclin_e]),
            },
        )  # fmt: skip
        return {k: float(v[0]) for k, v in out.items()}

    o = OCCUPIED

    def effect(**kind: float) -> float:
        """Share of cycling that trastuzumab removes."""
        return 1.0 - cell(t=o, **kind)["cell_cycle"] / cell(**kind)["cell_cycle"]

    base = cell()
    treated = cell(t=o)
    both = cell(t=o, p=o)
    rescued = cell(t=o, heregulin=7.5)
    shown = (
        rescued["akt"] / treated["akt"] - 1.0,
        1.0 - cell(t=o, p=o, heregulin=7.5)["akt"] / rescued["akt"],
        1.0 - both["cell_cycle"] / treated["cell_cycle"],
        effect() - effect(p95=0.5),
        effect() - effect(pten=0.15),
        effect() - effect(cyclin_e=1.0),
        treated["p27"] / base["p27"] - 1.0,
        cell(t=o, p=o, er=1.0)["cell_cycle"] / cell(er=1.0)["cell_cycle"]
        - both["cell_cycle"] / base["cell_cycle"],
    )
    return np.array([min(v, c.margin) for v, c in zip(shown, SOFT_CLAIMS, strict=True)])
