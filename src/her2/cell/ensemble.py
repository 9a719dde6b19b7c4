"""Parameter sets for single cells: members of the posterior, with the other parameters drawn from their priors.

The posterior of the trials says nothing of most constants of the signalling layer. A member therefore joins one member
of that posterior with a draw of all other parameters from their priors, weighted by the mechanism claims that took
part in calibration (her2.calibration.claims): of `CANDIDATES` draws per member one was chosen with a probability in
proportion to its likelihood. The choice ships as data/posterior/cell_members.tsv (`her2 calibrate --cells` remakes it).
Each number is keyed by its own name, so that a new parameter leaves the draws of the others as they are.
"""

from __future__ import annotations

import os
import zlib
from functools import lru_cache

import numpy as np

from her2.cell.model import ActionKey, CellModel, acting_agents, build_cell_model
from her2.drugs import actions_of, binding_part, drawn_effect
from her2.errors import RecordError
from her2.evidence.load import DATA, USER_VARIABLE, load_parameters
from her2.evidence.priors import to_value
from her2.posterior import load_posterior

SEED = 20150401
"""Seed of the draws from the priors; they are the same in every run."""
CANDIDATES = 48
"""Draws per member among which the mechanism claims choose."""
SCALE = "receptors.reference_"
"""Parameters that say what the reference cell is: the catalogue of attributes fixes them, so they are not drawn."""
CHOSEN = DATA / "posterior" / "cell_members.tsv"


def central() -> CellModel:
    """The model at the centre of the posterior and of the priors; one for each record of the user's own."""
    return _central(os.environ.get(USER_VARIABLE))


@lru_cache(maxsize=2)
def _central(_user: str | None) -> CellModel:
    return build_cell_model(load_posterior().central())


def drawn(name: str, number: int, candidate: int) -> float:
    """Standard normal number of one parameter or action in one draw."""
    key = zlib.crc32(name.encode())
    return float(np.random.default_rng([SEED, number, candidate, key]).standard_normal())


def candidate_values(number: int, candidate: int) -> dict[str, float]:
    """Parameter values of one draw for a member: the posterior's free parameters, all others from their priors."""
    posterior = load_posterior()
    values = {
        name: to_value(parameter, drawn(name, number, candidate))
        for name, parameter in load_parameters().items()
        if parameter.prior is not None and parameter.role != "free" and not name.startswith(SCALE)
    }
    values.update(posterior.values(number % posterior.n))
    return values


@lru_cache(maxsize=1)
def chosen() -> tuple[int, ...]:
    """The candidate chosen for each member.

    Raises
    ------
    her2.errors.RecordError
        If the file is missing or is no table of whole numbers.
    """
    where = f"posterior/{CHOSEN.name}"
    if not CHOSEN.exists():
        raise RecordError(f"{where}: missing; `her2 calibrate --cells` makes it")
    rows = [line.split("\t") for line in CHOSEN.read_text(encoding="utf-8").splitlines()[1:] if line]
    try:
        return tuple(int(row[1]) for row in rows)
    except (IndexError, ValueError) as error:
        raise RecordError(
            f"{where}: expected lines of member, candidate and misfit; run `her2 calibrate --cells`"
        ) from error


def member(number: int) -> CellModel:
    """Member of the ensemble; numbers run from 0, the shipped choice has 64.

    Raises
    ------
    ValueError
        A member beyond those shipped.
    """
    return _member(number, os.environ.get(USER_VARIABLE))


@lru_cache(maxsize=128)
def _member(number: int, _user: str | None) -> CellModel:
    choice = chosen()
    if not 0 <= number < len(choice):
        raise ValueError(f"expected a member from 0 to {len(choice) - 1}, got {number}")
    candidate = choice[number]
    half: dict[ActionKey, float] = {}
    largest: dict[ActionKey, float] = {}
    for name, agent in acting_agents().items():
        for k, action in enumerate(actions_of(agent)):
            if action.half is not None and action.prior_log_sd is not None:
                key = binding_part(action)
                half[name, k] = action.half * float(
                    np.exp(action.prior_log_sd * drawn(key, number, candidate))
                )
            if action.spans_zero:
                u = drawn(f"{name}.{k}.{action.on}.{action.target}", number, candidate)
                largest[name, k] = drawn_effect(action, u)
    return build_cell_model(candidate_values(number, candidate), half, largest)


def members(n: int = 64) -> list[CellModel]:
    """The first n members of the ensemble."""
    return [member(k) for k in range(n)]
