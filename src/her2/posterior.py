"""The shipped posterior: an ensemble of values of the free parameters, with its provenance.

`data/posterior/ensemble.tsv` holds one member per row; `data/posterior/provenance.yaml` says how it was made. The
central model is the mean of the members on the scale on which the priors are normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from her2.drugs import drawn_values
from her2.errors import RecordError
from her2.evidence.load import DATA, load_parameters
from her2.evidence.reading import read_text
from her2.evidence.schema import Parameter
from her2.model import Model, build_model, trial_agents

Array = NDArray[np.float64]
ENSEMBLE = DATA / "posterior" / "ensemble.tsv"
PROVENANCE = DATA / "posterior" / "provenance.yaml"


@dataclass(frozen=True)
class Posterior:
    """Posterior ensemble.

    Attributes
    ----------
    names : free parameters
    members : (members, parameters), each in the unit of its record
    """

    names: tuple[str, ...]
    members: Array

    @property
    def n(self) -> int:
        """Number of members."""
        return int(self.members.shape[0])

    def values(self, member: int) -> dict[str, float]:
        """Parameter values of one member."""
        return dict(zip(self.names, (float(x) for x in self.members[member]), strict=True))

    def central(self) -> dict[str, float]:
        """Centre of the ensemble: mean on the log, logit or plain scale of each parameter's prior."""
        parameters = load_parameters()
        return {name: _centre(parameters[name], self.members[:, k]) for k, name in enumerate(self.names)}


def _centre(parameter: Parameter, x: Array) -> float:
    law = parameter.prior.law if parameter.prior is not None else "normal"
    if law == "lognormal":
        return float(np.exp(np.mean(np.log(x))))
    if law == "logit_normal":
        return float(1.0 / (1.0 + np.exp(-np.mean(np.log(x / (1.0 - x))))))
    return float(np.mean(x))


@lru_cache(maxsize=1)
def load_posterior() -> Posterior:
    """The shipped ensemble.

    Raises
    ------
    her2.errors.RecordError
        If the file is missing, names a parameter that is not free, or holds a number that is not finite.
    """
    where = f"posterior/{ENSEMBLE.name}"
    if not ENSEMBLE.exists():
        raise RecordError(f"{where}: missing; `her2 calibrate` makes it")
    lines = read_text(ENSEMBLE, where).splitlines()
    names = tuple(lines[0].split("\t")) if lines else ()
    free = {k for k, p in load_parameters().items() if p.role == "free"}
    if set(names) != free:
        odd = sorted(set(names) ^ free)
        raise RecordError(
            f"posterior/{ENSEMBLE.name}: its parameters differ from those with `role: free`: {', '.join(odd)}; "
            "run `her2 calibrate` again"
        )
    if len(names) != len(free):
        raise RecordError(f"{where}: a parameter stands in two columns")
    try:
        members = np.array([[float(x) for x in line.split("\t")] for line in lines[1:] if line])
    except ValueError as error:
        raise RecordError(f"{where}: expected a table of finite numbers ({error})") from error
    if members.ndim != 2 or members.shape[1] != len(names) or not np.all(np.isfinite(members)):
        raise RecordError(f"{where}: expected a table of finite numbers, one column for each parameter")
    for k, name in enumerate(names):
        prior = load_parameters()[name].prior
        low = -np.inf if prior is None or prior.law == "normal" else 0.0
        high = 1.0 if prior is not None and prior.law == "logit_normal" else np.inf
        if not np.all((members[:, k] > low) & (members[:, k] < high)):
            raise RecordError(f"{where}, {name}: expected values between {low:g} and {high:g}")
    return Posterior(names, members)


def central_model() -> Model:
    """The model at the centre of the posterior."""
    return build_model(load_posterior().central())


def member_model(member: int) -> Model:
    """The model of one member of the posterior.

    What acts only through drugs without a fitted arm, their potencies included, is drawn from its prior.
    """
    drawn = drawn_values(member + 1, load_parameters(), trial_agents())
    return build_model({**drawn, **load_posterior().values(member)})
