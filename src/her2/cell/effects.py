"""Drug effects: what each agent at its concentration leaves of receptors, kinases, nodes and surroundings."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.cell.condition import Columns
from her2.cell.model import CellModel
from her2.drugs import actions_of, translation
from her2.errors import NetworkError
from her2.evidence.schema import Action

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Effects:
    """What drugs leave, each (columns,) unless said.

    Attributes
    ----------
    occupancy : (epitopes, columns) share of the epitope bound by any antibody
    bound : share of the epitope bound by one agent, by (agent, epitope)
    kinase : (kinases, columns) share of kinase activity left
    node, inputs, level, checkpoint : share left by name
    shedding : share of ectodomain shedding left
    vegf : share of VEGF neutralised
    """

    occupancy: Array
    bound: dict[tuple[str, str], Array]
    kinase: Array
    node: dict[str, Array]
    inputs: dict[str, Array]
    level: dict[str, Array]
    checkpoint: dict[str, Array]
    shedding: Array
    vegf: Array


INPUT_TARGETS = (
    "igf1r", "met", "beta2_ar", "epor", "epha2", "er", "estradiol", "src", "egf", "heregulin", "igf1", "hgf",
    "catecholamine", "erythropoietin",
)  # fmt: skip
"""What an action on 'input' can hit: attributes of receptors and ligands that feed the network."""


def is_disabled(columns: Columns, agent: str, action: Action) -> bool:
    """True if a switch takes this action away."""
    return (agent, action.on, "") in columns.disabled or (agent, action.on, action.target) in columns.disabled


def drug_effects(model: CellModel, columns: Columns) -> Effects:
    """Effects of all drugs of the columns.

    Drugs with the same target compete: their concentrations over their `half` add up; covalent ones multiply, since
    they do not leave the site. An antibody's epitope is shared in proportion.

    Raises
    ------
    her2.errors.NetworkError
        An action on a target that the model does not have.
    """
    n = columns.size
    layer = model.receptors
    load: dict[tuple[str, str], Array] = {}
    capped: dict[tuple[str, str], Array] = {}
    covalent: dict[tuple[str, str], Array] = defaultdict(lambda: np.ones(n))
    epitope_load: dict[str, dict[str, Array]] = {e: {} for e in layer.antibodies}
    for name, concentration in columns.concentrations.items():
        if not np.any(concentration > 0.0):
            continue
        for number, action in enumerate(actions_of(model.agent(name))):
            if is_disabled(columns, name, action):
                continue
            _check_target(model, name, action)
            ratio = concentration / model.half[name, number]
            if action.on == "epitope":
                epitope_load[action.target][name] = ratio
            elif action.on in ("kinase", "node", "input", "level", "checkpoint", "shedding", "vegf"):
                key: tuple[str, str] = (action.on, action.target)
                top = model.largest[name, number]
                if action.covalent:
                    covalent[key] = covalent[key] * (1.0 - top * ratio / (1.0 + ratio))
                else:
                    load[key] = load.get(key, np.zeros(n)) + ratio
                    capped[key] = capped.get(key, np.zeros(n)) + top * ratio
    left = dict(covalent)
    for hit, total in load.items():
        left[hit] = left.get(hit, np.ones(n)) * (1.0 - capped[hit] / (1.0 + total))
    occupancy = np.zeros((len(layer.antibodies), n))
    bound: dict[tuple[str, str], Array] = {}
    for row, epitope in enumerate(layer.antibodies):
        total = sum(epitope_load[epitope].values(), np.zeros(n))
        occupancy[row] = total / (1.0 + total)
        for name, ratio in epitope_load[epitope].items():
            bound[name, epitope] = ratio / (1.0 + total)
    _carried(model, columns, bound)
    ones = np.ones(n)
    return Effects(
        occupancy=occupancy,
        bound=bound,
        kinase=np.stack([left.get(("kinase", k), ones) for k in layer.kinases]),
        node={t: v for (on, t), v in left.items() if on == "node"},
        inputs={t: v for (on, t), v in left.items() if on == "input"},
        level={t: v for (on, t), v in left.items() if on == "level"},
        checkpoint={t: v for (on, t), v in left.items() if on == "checkpoint"},
        shedding=left.get(("shedding", ""), ones),
        vegf=1.0 - left.get(("vegf", ""), ones),
    )


def _carried(model: CellModel, columns: Columns, bound: dict[tuple[str, str], Array]) -> None:
    """A conjugate whose fragments do not block the epitope finds the receptor all the same.

    The `half` of its payload is a plasma concentration, so it is brought to the cell as the drug is.
    """
    for name, concentration in columns.concentrations.items():
        for number, action in enumerate(actions_of(model.agent(name))):
            if action.on == "payload" and action.epitope is not None and action.half is not None:
                key = (name, action.epitope)
                if key not in bound and not is_disabled(columns, name, action):
                    half = model.half[name, number] * translation(model.agent(name), model.values)
                    ratio = concentration / half
                    bound[key] = ratio / (1.0 + ratio)


def _check_target(model: CellModel, agent: str, action: Action) -> None:
    valid: tuple[str, ...]
    match action.on:
        case "epitope":
            valid = model.receptors.antibodies
        case "kinase":
            valid = model.receptors.kinases
        case "node":
            valid = model.network.names[model.network.n_inputs :]
        case "input":
            valid = INPUT_TARGETS
        case "level":
            valid = model.receptors.species
        case "checkpoint":
            valid = ("pdl1", "ctla4")
        case _:
            return
    if action.target not in valid:
        raise NetworkError(
            f"agents/{agent}.yaml, pharmacodynamics: no {action.on} '{action.target}' (there are: {', '.join(valid)})"
        )
