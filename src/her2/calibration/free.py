"""The free parameters: their priors, and the map between standard normal numbers and values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.errors import RecordError
from her2.evidence.load import load_parameters
from her2.evidence.priors import to_coordinate, to_value
from her2.evidence.schema import Parameter
from her2.posterior import ENSEMBLE

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


def stored_start(free: FreeParameters) -> Array | None:
    """Where the search for the shipped posterior began: coordinates (parameters,), None if none is stored.

    Raises
    ------
    her2.errors.RecordError
        If the file names other parameters than the free ones, or holds something that is no number.
    """
    if not START.exists():
        return None
    rows = [line.split("\t") for line in START.read_text(encoding="utf-8").splitlines()[1:] if line]
    try:
        found = {name: float(z) for name, z in rows}
    except ValueError as error:
        raise RecordError(f"posterior/{START.name}: expected lines of parameter and coordinate") from error
    odd = sorted(set(found) ^ set(free.names))
    if odd:
        raise RecordError(
            f"posterior/{START.name}: its parameters differ from those with `role: free`: {', '.join(odd)}; "
            "remove the file or run `her2 calibrate --from-prior`"
        )
    return np.array([found[name] for name in free.names])


START = ENSEMBLE.with_name("start.tsv")
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
"""Free parameters that act through some drugs only: a trial in which no patient is ever given one of them does not
change with them."""
IN_THE_BRAIN = ("cns.drug_factor",)
"""Free parameters of which only trials in patients with measurable brain metastases have fitted figures that change by
more than the noise of the patients."""


def speaks_of(parameter: str, agents: frozenset[str], in_brain: bool) -> bool:
    """Whether a trial can change with a free parameter.

    Parameters
    ----------
    agents : given in any line of the trial
    in_brain : whether the trial asks for brain metastases
    """
    if parameter in SPEAKS_OF and not agents & set(SPEAKS_OF[parameter]):
        return False
    return in_brain or parameter not in IN_THE_BRAIN
