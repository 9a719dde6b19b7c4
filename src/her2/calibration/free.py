"""The free parameters: their priors, and the map between standard normal numbers and values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.evidence.load import load_parameters
from her2.evidence.priors import to_coordinate, to_value
from her2.evidence.schema import Parameter

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FreeParameters:
    """Free parameters in a fixed order."""

    parameters: tuple[Parameter, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Ids in order."""
        return tuple(p.id for p in self.parameters)

    def values(self, z: Array) -> dict[str, float]:
        """Parameter values at standard normal coordinates z: (parameters,)."""
        return {p.id: to_value(p, float(x)) for p, x in zip(self.parameters, z, strict=True)}

    def coordinates(self, values: dict[str, float]) -> Array:
        """Inverse of `values`."""
        return np.array([to_coordinate(p, values[p.id]) for p in self.parameters])


def load_free() -> FreeParameters:
    """All parameters of the record with `role: free`, sorted by id."""
    found = sorted((p for p in load_parameters().values() if p.role == "free"), key=lambda p: p.id)
    return FreeParameters(tuple(found))


SPEAKS_OF: dict[str, tuple[str, ...]] = {
    "kill.docetaxel": ("docetaxel",),
    "kill.paclitaxel": ("paclitaxel",),
    "kill.vinorelbine": ("vinorelbine",),
    "kill.capecitabine": ("capecitabine",),
    "kill.doxorubicin": ("doxorubicin",),
    "payload.t_dm1": ("t_dm1",),
    "receptors.block_pertuzumab_ligand_driven": ("pertuzumab",),
    "receptors.block_pertuzumab_ligand_free": ("pertuzumab",),
    "tumour.fc_weight_pertuzumab": ("pertuzumab",),
    "tumour.er_withdrawal_kill": ("letrozole", "anastrozole", "tamoxifen"),
    "translation.kinase_inhibitor": (
        "lapatinib",
        "everolimus",
        "letrozole",
        "anastrozole",
        "neratinib",
        "afatinib",
    ),
}
"""Free parameters that act through some drugs only: figures of trials that give none of them, in the trial line or
earlier, cannot speak of them."""
IN_THE_BRAIN = ("cns.drug_factor",)
"""Free parameters of which only trials in patients with brain metastases can speak."""


def localisation(names: tuple[str, ...], agents: list[frozenset[str]], in_brain: list[bool]) -> Array:
    """Which figures can speak of which parameters, (parameters, figures): 1 or 0.

    Parameters
    ----------
    agents : of each figure's trial, in all its lines
    in_brain : whether the trial asks for brain metastases
    """
    mask = np.ones((len(names), len(agents)))
    for p, name in enumerate(names):
        for k, given in enumerate(agents):
            if name in SPEAKS_OF and not given & set(SPEAKS_OF[name]):
                mask[p, k] = 0.0
            if name in IN_THE_BRAIN and not in_brain[k]:
                mask[p, k] = 0.0
    return mask
