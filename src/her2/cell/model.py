"""The compiled model of a cell: all receptors, the whole network, every agent, for one set of parameter values."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from her2.drugs import actions_of, central_effect
from her2.errors import unknown
from her2.evidence.load import USER_VARIABLE, load_agents, merged_values
from her2.evidence.schema import Agent
from her2.model import full_layers
from her2.signalling.network import Network
from her2.signalling.receptors import ReceptorLayer

ActionKey = tuple[str, int]
"""Agent and position of the action in its record."""


@dataclass(frozen=True)
class CellModel:
    """Receptor layer, network and drug actions for one set of parameter values.

    Attributes
    ----------
    values : every parameter, by id, in the unit of its record
    agents : agents with a `pharmacodynamics` section, by id
    half, largest : concentration at half effect (unbound, nmol/L) and largest effect of each action
    proliferation_reference, apoptosis_reference : network outputs of the untreated reference cell
    """

    values: Mapping[str, float]
    receptors: ReceptorLayer
    network: Network
    agents: Mapping[str, Agent]
    half: Mapping[ActionKey, float]
    largest: Mapping[ActionKey, float]
    proliferation_reference: float
    apoptosis_reference: float

    def agent(self, name: str) -> Agent:
        """An agent that acts on a cell.

        Raises
        ------
        her2.errors.UnknownNameError
            With the agents there are and the nearest.
        """
        if name not in self.agents:
            raise unknown("agent", name, self.agents)
        return self.agents[name]


def acting_agents() -> dict[str, Agent]:
    """Agents of the record with a `pharmacodynamics` section."""
    return {k: a for k, a in load_agents().items() if a.pharmacodynamics is not None}


def build_cell_model(
    values: Mapping[str, float] | None = None,
    half: Mapping[ActionKey, float] | None = None,
    largest: Mapping[ActionKey, float] | None = None,
) -> CellModel:
    """Compile the model for one set of values.

    Parameters
    ----------
    values : parameter values that replace the record's, by id
    half, largest : values that replace those of the agents' actions

    Raises
    ------
    her2.errors.UnknownNameError
        A parameter that does not exist.
    her2.errors.NetworkError
        A network file that cannot be compiled.
    """
    merged = merged_values(values)
    receptors, network = full_layers(merged)
    agents = _agents(os.environ.get(USER_VARIABLE))
    halves: dict[ActionKey, float] = {}
    tops: dict[ActionKey, float] = {}
    for name, agent in agents.items():
        for number, action in enumerate(actions_of(agent)):
            key = (name, number)
            halves[key] = float((half or {}).get(key, action.half if action.half is not None else math.nan))
            tops[key] = float((largest or {}).get(key, central_effect(action)))
    model = CellModel(merged, receptors, network, agents, halves, tops, 1.0, 1.0)
    return _with_references(model)


@lru_cache(maxsize=2)
def _agents(_user: str | None) -> Mapping[str, Agent]:
    return acting_agents()


def _with_references(model: CellModel) -> CellModel:
    from dataclasses import replace

    from her2.cell.condition import Columns
    from her2.cell.respond import respond

    values = respond(model, Columns.reference("tumour")).values
    return replace(
        model,
        proliferation_reference=float(values["cell_cycle"][0]),
        apoptosis_reference=float(np.maximum(values["apoptosis_signal"][0], 1e-12)),
    )
