"""Pathway layer: a normalised-Hill activity-flow network, given as data and evaluated once in topological order.

A node's value is the OR of its reactions, a reaction the AND of its activators and of the complements of its
inhibitors: OR(a, b) = a + b - ab, AND(a, b) = ab; every input passes the normalised Hill function
f(x) = beta x^n / (kappa + x^n) with f(0) = 0, f(ec50) = 1/2 and f(1) = 1 (Kraeutler et al. 2010).
Feedback runs through slow states only, so that the fast graph has no cycle and needs no root finding.
This module is the readable reference in NumPy; `her2.engine.signals` computes the same in the population kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from her2.errors import NetworkError
from her2.signalling._build import index_of, look_up

Array = NDArray[np.float64]
Index = NDArray[np.int64]


LINEAR_KAPPA = 1e9
"""kappa of an activator that enters as it is: the normalised Hill function with it is x to within 3e-10."""


@dataclass(frozen=True)
class SlowState:
    """A state of days to weeks: relaxes towards the change of its driver from the untreated cell, never below 0."""

    name: str
    driver: int
    time_constant_d: float
    gain: float
    receptor: int  # index of the receptor it multiplies, or -1
    network_input: int  # index of the network input it multiplies, or -1
    sign: float = 1.0  # 1 where it follows the rise of the driver, -1 where it follows the fall


@dataclass(frozen=True)
class Network:
    """The compiled graph: nodes in evaluation order, edges as compressed rows.

    Attributes
    ----------
    names : inputs first, then nodes in evaluation order
    n_inputs : number of inputs
    reaction_start : (nodes + 1,) first reaction of each node
    reaction_weight : (reactions,)
    activator_start, inhibitor_start : (reactions + 1,)
    activator_hill, inhibitor_hill : index into the Hill evaluations
    inhibitor_weight : one for each inhibitor edge
    hill_source, hill_n, hill_beta, hill_kappa : each distinct (source, n, ec50) once
    time_constant_h : (nodes,), for the full differential equations
    half_saturated : inputs given as a level relative to its reference x, entering as x / (1 + x)
    """

    names: tuple[str, ...]
    n_inputs: int
    reaction_start: Index
    reaction_weight: Array
    activator_start: Index
    activator_hill: Index
    inhibitor_start: Index
    inhibitor_hill: Index
    inhibitor_weight: Array
    hill_source: Index
    hill_n: Array
    hill_beta: Array
    hill_kappa: Array
    time_constant_h: Array
    half_saturated: Index
    slow: tuple[SlowState, ...]
    outputs: Mapping[str, int]

    @property
    def n_nodes(self) -> int:
        """Number of nodes, inputs not counted."""
        return len(self.names) - self.n_inputs

    def index(self, name: str) -> int:
        """Position of an input or node in `names`."""
        return index_of(self.names, name, "node", "network")


def hill_constants(n: float, ec50: float) -> tuple[float, float]:
    """beta and kappa of the normalised Hill function.

    Raises
    ------
    her2.errors.NetworkError
        If ec50**n >= 1/2, for which no such function exists.
    """
    power = ec50**n
    if not 0.0 < power < 0.5:
        raise NetworkError(
            f"ec50 {ec50:g} with Hill coefficient {n:g}: ec50**n must lie between 0 and 1/2, got {power:.3g}; "
            "raise n or lower ec50"
        )
    beta = (power - 1.0) / (2.0 * power - 1.0)
    return beta, beta - 1.0


def evaluation_order(record: Mapping[str, Any]) -> list[str]:
    """Nodes ordered so that each follows its inputs.

    Raises
    ------
    her2.errors.NetworkError
        If an edge names an unknown node, or a cycle has no slow state; the cycle is spelled out.
    """
    inputs = [i["id"] for i in record["inputs"]]
    nodes = {n["id"]: n for n in record["nodes"]}
    duplicates = {n for n in inputs if n in nodes} | {
        n["id"] for n in record["nodes"] if [m["id"] for m in record["nodes"]].count(n["id"]) > 1
    }
    if duplicates:
        raise NetworkError(f"network/pathway.yaml: declared twice: {', '.join(sorted(duplicates))}")
    known = inputs + list(nodes)
    sources: dict[str, list[str]] = {}
    for name, node in nodes.items():
        found: list[str] = []
        for reaction in node["reactions"]:
            for source in [*reaction["activators"], *(i["node"] for i in reaction.get("inhibitors", []))]:
                index_of(known, source, "node", f"network/pathway.yaml, nodes.{name}")
                if source in nodes:
                    found.append(source)
        sources[name] = found
    order: list[str] = []
    waiting = dict(sources)
    while waiting:
        ready = [n for n, s in waiting.items() if all(x in order for x in s)]
        if not ready:
            raise NetworkError(
                "network/pathway.yaml: cycle without a slow state: "
                + " -> ".join(_find_cycle(waiting))
                + "; route one of its edges through slow_states"
            )
        for name in ready:
            order.append(name)
            del waiting[name]
    return order


def _find_cycle(sources: Mapping[str, list[str]]) -> list[str]:
    """One cycle among nodes that all wait for each other, in the direction of signal flow."""
    path = [next(iter(sources))]
    while True:
        previous = next(s for s in sources[path[-1]] if s in sources)
        if previous in path:
            loop = path[path.index(previous) :]
            return [previous, *reversed(loop)]
        path.append(previous)


def build_network(
    record: Mapping[str, Any], value: Mapping[str, float], receptors: tuple[str, ...]
) -> Network:
    """Network from its record (data/network/pathway.yaml) and the parameter values.

    Parameters
    ----------
    receptors : names of the receptor layer's species, for slow states that act on a receptor.

    Raises
    ------
    her2.errors.NetworkError
        Unknown node or parameter, a cycle without a slow state, an impossible Hill function.
    """
    where = "network/pathway.yaml"
    inputs = [i["id"] for i in record["inputs"]]
    order = evaluation_order(record)
    names = (*inputs, *order)
    nodes = {n["id"]: n for n in record["nodes"]}
    default = record["hill_defaults"]
    hills: dict[tuple[int, float, float], int] = {}

    def hill(source: str, node: Mapping[str, Any], place: str) -> int:
        if source in node.get("linear", ()):
            return hills.setdefault((names.index(source), 1.0, 0.0), len(hills))
        own = node.get("hill", {})
        n = look_up(value, own.get("n", default["n"]), place)
        ec50 = look_up(value, own.get("ec50", default["ec50"]), place)
        return hills.setdefault((names.index(source), n, ec50), len(hills))

    reaction_start, weight, tau = [0], [], []
    act_start, act, inh_start, inh, inh_weight = [0], [], [0], [], []
    for name in order:
        node = nodes[name]
        place = f"{where}, nodes.{name}"
        tau.append(look_up(value, node["time_constant"], place))
        for reaction in node["reactions"]:
            weight.append(look_up(value, reaction["weight"], place))
            for source in reaction["activators"]:
                act.append(hill(source, node, place))
            for edge in reaction.get("inhibitors", []):
                inh.append(hill(edge["node"], node, place))
                inh_weight.append(look_up(value, edge["weight"], place))
            act_start.append(len(act))
            inh_start.append(len(inh))
        reaction_start.append(len(weight))
    constants = [
        (LINEAR_KAPPA + 1.0, LINEAR_KAPPA) if ec50 == 0.0 else hill_constants(n, ec50) for _, n, ec50 in hills
    ]
    slow = []
    for state in record["slow_states"]:
        place = f"{where}, slow_states.{state['id']}"
        target = state["acts_on"]
        slow.append(
            SlowState(
                name=state["id"],
                driver=index_of(names, state["driver"], "node", place),
                time_constant_d=look_up(value, state["time_constant"], place),
                gain=look_up(value, state["gain"], place),
                receptor=index_of(receptors, target["receptor"], "receptor", place)
                if "receptor" in target
                else -1,
                network_input=index_of(inputs, target["input"], "input", place) if "input" in target else -1,
                sign={"rise": 1.0, "fall": -1.0}[state.get("follows", "rise")],
            )
        )
    return Network(
        names=names,
        n_inputs=len(inputs),
        reaction_start=np.array(reaction_start, dtype=np.int64),
        reaction_weight=np.array(weight),
        activator_start=np.array(act_start, dtype=np.int64),
        activator_hill=np.array(act, dtype=np.int64),
        inhibitor_start=np.array(inh_start, dtype=np.int64),
        inhibitor_hill=np.array(inh, dtype=np.int64),
        inhibitor_weight=np.array(inh_weight, dtype=np.float64),
        hill_source=np.array([s for s, _, _ in hills], dtype=np.int64),
        hill_n=np.array([n for _, n, _ in hills]),
        hill_beta=np.array([b for b, _ in constants]),
        hill_kappa=np.array([k for _, k in constants]),
        time_constant_h=np.array(tau),
        half_saturated=np.array(
            [k for k, i in enumerate(record["inputs"]) if i.get("half_saturated", False)], dtype=np.int64
        ),
        slow=tuple(slow),
        outputs={k: index_of(names, v, "node", f"{where}, outputs") for k, v in record["outputs"].items()},
    )


def reduce_network(network: Network, fixed: Mapping[str, float], receptors: Mapping[int, int]) -> Network:
    """The same network with some inputs fixed: what they determine is folded into the weights of the rest.

    Nodes that then reach no output and no slow state are left out, and so are slow states that act on a fixed input
    or on a receptor left out. Values of what remains are unchanged.

    Parameters
    ----------
    fixed : value of an input by name, as it enters the graph (after half-saturation), in [0, 1]
    receptors : new index of each receptor that stays, by its old index
    """
    n_in = network.n_inputs
    constant: dict[int, float] = {
        index_of(network.names, k, "input", "fixed inputs"): v for k, v in fixed.items()
    }
    reactions: dict[int, list[tuple[float, list[int], list[tuple[int, float]]]]] = {}
    for node in range(n_in, len(network.names)):
        kept: list[tuple[float, list[int], list[tuple[int, float]]]] = []
        for r in range(network.reaction_start[node - n_in], network.reaction_start[node - n_in + 1]):
            weight = float(network.reaction_weight[r])
            activators: list[int] = []
            inhibitors: list[tuple[int, float]] = []
            for e in range(network.activator_start[r], network.activator_start[r + 1]):
                h = int(network.activator_hill[e])
                source = int(network.hill_source[h])
                if source in constant:
                    weight *= _hill_number(network, h, constant[source])
                else:
                    activators.append(h)
            for e in range(network.inhibitor_start[r], network.inhibitor_start[r + 1]):
                h = int(network.inhibitor_hill[e])
                source = int(network.hill_source[h])
                w = float(network.inhibitor_weight[e])
                if source in constant:
                    weight *= 1.0 - w * _hill_number(network, h, constant[source])
                elif w != 0.0:
                    inhibitors.append((h, w))
            if weight != 0.0:
                kept.append((weight, activators, inhibitors))
        if all(not a and not i for _, a, i in kept):
            off = 1.0
            for weight, _, _ in kept:
                off *= 1.0 - weight
            constant[node] = 1.0 - off
        else:
            reactions[node] = kept
    slow = [
        s
        for s in network.slow
        if s.gain != 0.0
        and s.driver not in constant
        and (s.receptor < 0 or s.receptor in receptors)
        and (s.network_input < 0 or s.network_input not in constant)
    ]
    needed = {*network.outputs.values(), *(s.driver for s in slow)}
    for node in sorted(reactions, reverse=True):
        if node in needed:
            for _, activators, inhibitors in reactions[node]:
                needed |= {int(network.hill_source[h]) for h in [*activators, *(h for h, _ in inhibitors)]}
    for name, node in network.outputs.items():
        if node in constant:
            raise NetworkError(f"network/pathway.yaml, outputs.{name}: '{network.names[node]}' does not vary")
    order = [k for k in range(n_in) if k not in constant] + [k for k in reactions if k in needed]
    place = {old: new for new, old in enumerate(order)}
    new_inputs = sum(k < n_in for k in order)
    hills: dict[int, int] = {}
    start, weight_, act_start, act, inh_start, inh, inh_weight = [0], [], [0], [], [0], [], []
    for node in order[new_inputs:]:
        for weight, activators, inhibitors in reactions[node]:
            weight_.append(weight)
            act += [hills.setdefault(h, len(hills)) for h in activators]
            inh += [hills.setdefault(h, len(hills)) for h, _ in inhibitors]
            inh_weight += [w for _, w in inhibitors]
            act_start.append(len(act))
            inh_start.append(len(inh))
        start.append(len(weight_))
    used = list(hills)
    return Network(
        names=tuple(network.names[k] for k in order),
        n_inputs=new_inputs,
        reaction_start=np.array(start, dtype=np.int64),
        reaction_weight=np.array(weight_),
        activator_start=np.array(act_start, dtype=np.int64),
        activator_hill=np.array(act, dtype=np.int64),
        inhibitor_start=np.array(inh_start, dtype=np.int64),
        inhibitor_hill=np.array(inh, dtype=np.int64),
        inhibitor_weight=np.array(inh_weight, dtype=np.float64),
        hill_source=np.array([place[int(network.hill_source[h])] for h in used], dtype=np.int64),
        hill_n=network.hill_n[used],
        hill_beta=network.hill_beta[used],
        hill_kappa=network.hill_kappa[used],
        time_constant_h=np.array([network.time_constant_h[k - n_in] for k in order[new_inputs:]]),
        half_saturated=np.array([place[k] for k in network.half_saturated if k in place], dtype=np.int64),
        slow=tuple(
            replace(
                s,
                driver=place[s.driver],
                receptor=receptors[s.receptor] if s.receptor >= 0 else -1,
                network_input=place[s.network_input] if s.network_input >= 0 else -1,
            )
            for s in slow
        ),
        outputs={k: place[v] for k, v in network.outputs.items()},
    )


def _hill_number(network: Network, h: int, x: float) -> float:
    power = float(max(x, 0.0) ** float(network.hill_n[h]))
    return float(network.hill_beta[h]) * power / (float(network.hill_kappa[h]) + power)


def half_saturated(x: Array) -> Array:
    """x / (1 + x): maps a level relative to its reference onto [0, 1), 1/2 at the reference."""
    return x / (1.0 + x)


def node_target(network: Network, node: int, values: Array) -> Array:
    """Steady value of one node given the values of all: the OR over its reactions, (cells,)."""
    off = np.ones(values.shape[1])
    for r in range(network.reaction_start[node], network.reaction_start[node + 1]):
        term = np.full(values.shape[1], network.reaction_weight[r])
        for e in range(network.activator_start[r], network.activator_start[r + 1]):
            term = term * hill_value(network, network.activator_hill[e], values)
        for e in range(network.inhibitor_start[r], network.inhibitor_start[r + 1]):
            f = hill_value(network, network.inhibitor_hill[e], values)
            term = term * (1.0 - network.inhibitor_weight[e] * f)
        off = off * (1.0 - term)
    return 1.0 - off


def hill_value(network: Network, h: int, values: Array) -> Array:
    """Normalised Hill function number h at the current value of its source, (cells,)."""
    x = np.maximum(values[network.hill_source[h]], 0.0)
    power = np.power(x, network.hill_n[h])
    return np.asarray(network.hill_beta[h] * power / (network.hill_kappa[h] + power))


def evaluate_network(network: Network, inputs: Array, left: Mapping[str, Array] | None = None) -> Array:
    """Quasi-steady values of inputs and nodes.

    Parameters
    ----------
    inputs : (inputs, cells), each in [0, 1]
    left : share of a node's value that its inhibitors leave, by node, each (cells,); default 1

    Returns
    -------
    (inputs + nodes, cells), in the order of `network.names`
    """
    values = np.zeros((len(network.names), inputs.shape[1]))
    values[: network.n_inputs] = inputs
    for node in range(network.n_nodes):
        target = node_target(network, node, values)
        if left is not None and network.names[network.n_inputs + node] in left:
            target = target * left[network.names[network.n_inputs + node]]
        values[network.n_inputs + node] = target
    return values
