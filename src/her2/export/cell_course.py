"""The full model of one cell in one condition as ordinary differential equations, integrated in Python.

What `her2.cell.respond` takes as quasi-steady (receptor binding, covalent inhibitors, pathway) has its own
differential equations here; the readable reference of the equations that leave the program as SBML
(`her2.export.cell_antimony`, written separately; the two are compared in the tests).

    receptors   dm/dt = k_turn (T - m) - sum binding,  dD/dt = binding - k_turn D,
                binding = K (k_off + k_turn) m m' - k_off D
    covalent    dB/dt = (C/half (1 - B) - B) / tau,  kinase left = 1 - max B; at rest 1/(1 + C/half) for max 1
    nodes       dY/dt = (target(Y) left - Y) / tau
    slow        dS/dt = (max(0, change of the driver from the untreated cell) - S) / tau
    cells       d ln N/dt = net growth, that of `her2.cell.respond.rates` at these states

T, the total of a receptor, carries its loss under drugs and adaptation; free receptors and dimers are lost with the
same rate constant k_turn, so that each total relaxes to T whatever the binding, and the on-rate K (k_off + k_turn)
makes K the association constant at steady state, which is therefore exactly that of `respond` at the same slow states.
Antibodies and reversible inhibitors are at equilibrium with their target at once; a covalently inhibited kinase comes
back with the synthesis of its receptor. Drug levels are constant. Time is in hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from her2.cell.condition import Columns
from her2.cell.effects import Effects, drug_effects, is_disabled
from her2.cell.model import CellModel
from her2.cell.respond import network_inputs, rates, receptor_totals, signals
from her2.drugs import actions_of
from her2.errors import Her2Error, RecordError, unknown
from her2.export.reference import DISSOCIATION_PER_H, HOURS_PER_DAY, TURNOVER_PER_H
from her2.signalling.receptors import (
    association_constants,
    dimer_amounts,
    free_monomers,
    reference_recruitment,
)

Array = NDArray[np.float64]
Start = Literal["untreated", "acute"]

KINASE_RETURN_H = 20.0
"""Relaxation time of a covalently inhibited kinase; assumed: new receptor replaces the old with the metabolic
half-life of HER2 in SK-BR-3 (7 to 24 h across studies). Steady states do not depend on it."""


class CovalentBinding(NamedTuple):
    """One covalent action on a kinase: its state and what it does."""

    state: str  # name of the state, the share of the kinase that is bound
    agent: str
    action: int  # position in the agent's record
    kinase: int
    largest: float  # share of the bound kinase's activity that is lost
    ratio: float  # concentration over `half` in this condition
    ratio_before: float  # the same in the state from which the course starts


@dataclass(frozen=True)
class CellCourse:
    """Time course of the full model of a cell.

    Attributes
    ----------
    times : (times,), hour
    names : states in the order of the state vector, then the other readouts of `her2.cell.respond`
    values : (names, times); receptors and dimers 1e6/cell, nodes 1, phenotype 1 or 1/day
    n_states : how many of the names are states
    """

    times: Array
    names: tuple[str, ...]
    values: Array
    n_states: int

    def __getitem__(self, name: str) -> Array:
        if name not in self.names:
            raise unknown("state or readout", name, self.names)
        return np.asarray(self.values[self.names.index(name)])

    @property
    def states(self) -> Array:
        """(states, times) of the state vector."""
        return self.values[: self.n_states]

    def mean_growth(self, begin: float = 0.0, end: float | None = None) -> float:
        """Mean net growth between two of the times (hour), 1/day.

        Raises
        ------
        ValueError
            If the course has no such time, or they do not follow each other.
        """
        last = float(self.times[-1]) if end is None else end
        a, b = (np.flatnonzero(self.times == t) for t in (begin, last))
        if not a.size or not b.size or begin >= last:
            raise ValueError(
                f"times {begin} and {last}: expected two times of the course, the first before the last"
            )
        cells = self["ln_cells"]
        return float((cells[b[0]] - cells[a[0]]) / (last - begin) * HOURS_PER_DAY)


def cell_course(
    model: CellModel,
    columns: Columns,
    hours: float,
    times: Array | None = None,
    start: Start = "untreated",
    *,
    untreated: Columns | None = None,
    relative_tolerance: float = 1e-9,
    absolute_tolerance: float = 1e-12,
    method: str = "LSODA",
    dissociation_per_h: float = DISSOCIATION_PER_H,
    turnover_per_h: float = TURNOVER_PER_H,
    kinase_return_h: float = KINASE_RETURN_H,
) -> CellCourse:
    """Integrate the full model of one cell in one condition.

    Parameters
    ----------
    columns : one cell, drugs at constant concentrations
    hours : length of the course
    times : (times,), hour, ascending within [0, hours]; default 101 evenly spaced
    start : `untreated` is the resting cell to which the drugs are added at time 0; `acute` has signals and covalent
        binding already at their steady state under the drugs, before any adaptation
    untreated : the state from which the course and adaptation start, default the same cell without drugs
    method : a stiff method of `scipy.integrate.solve_ivp` that takes a Jacobian: LSODA, BDF or Radau
    dissociation_per_h, turnover_per_h, kinase_return_h : rate constants of dimers and receptor totals, relaxation time
        of covalently bound kinase

    Raises
    ------
    ValueError
        If there is not exactly one column, or times are impossible.
    her2.errors.RecordError
        If the tumour is a mixture of cells (attribute `heterogeneity`).
    her2.errors.Her2Error
        If the solver does not reach the end, or a state is not finite.
    """
    equations = CellEquations(
        model,
        columns,
        untreated,
        dissociation_per_h=dissociation_per_h,
        turnover_per_h=turnover_per_h,
        kinase_return_h=kinase_return_h,
    )
    if not (np.isfinite(hours) and hours > 0.0):
        raise ValueError(f"hours: expected a positive length of the course, got {hours}")
    wanted = np.linspace(0.0, hours, 101) if times is None else np.asarray(times, dtype=np.float64)
    if wanted.size == 0 or np.any(np.diff(wanted) <= 0.0) or wanted[0] < 0.0 or wanted[-1] > hours:
        raise ValueError(f"times: expected ascending hours within [0, {hours:g}]")
    begin = equations.start(start)
    if wanted[-1] == 0.0:
        return equations.course(wanted, begin[:, None])
    # SciPy's BDF subtracts rows of an array before it has filled them, which may warn (see her2.export.reference)
    with np.errstate(invalid="ignore"):
        solved = solve_ivp(
            equations.derivative,
            (0.0, float(wanted[-1])),
            begin,
            method=method,
            t_eval=wanted,
            jac=equations.jacobian,
            rtol=relative_tolerance,
            atol=absolute_tolerance,
        )
    if not solved.success:
        raise Her2Error(f"full model of a cell: {solved.message}; loosen the tolerances")
    if not np.all(np.isfinite(solved.y)):
        raise Her2Error("full model of a cell: a state is not finite; check the cell's attributes")
    return equations.course(wanted, solved.y)


class CellEquations:
    """Right-hand side, Jacobian, start and readouts of the full model of one cell in one condition.

    The state vector holds free receptors, dimers, nodes, slow states, covalently bound kinases and ln of the number of
    cells relative to the start; see `names`.
    """

    def __init__(
        self,
        model: CellModel,
        columns: Columns,
        untreated: Columns | None = None,
        *,
        dissociation_per_h: float = DISSOCIATION_PER_H,
        turnover_per_h: float = TURNOVER_PER_H,
        kinase_return_h: float = KINASE_RETURN_H,
    ) -> None:
        if columns.size != 1:
            raise ValueError(f"the full model is of one cell, got {columns.size}")
        if columns.attributes["heterogeneity"][0] > 0.0:
            raise RecordError("the full model is of one kind of cell: set the attribute 'heterogeneity' to 0")
        before = untreated if untreated is not None else columns.without_drugs()
        self.model, self.columns, self.before = model, columns, before
        self.k_off, self.k_turn, self.kinase_return_h = dissociation_per_h, turnover_per_h, kinase_return_h
        layer, network = model.receptors, model.network
        self.covalent = covalent_bindings(model, columns, before)
        self.effects = drug_effects(model, _without_covalent_kinase(columns, self.covalent))
        none = np.zeros((len(network.slow), 1))
        self.rest: Mapping[str, Array] = signals(model, before, drug_effects(model, before), none)

        # receptors
        a = columns.attributes
        totals, _ = receptor_totals(model, a, self.effects, none)
        self.totals = totals
        self.association = association_constants(
            layer, _ligands(model, columns, self.effects), self.effects.occupancy
        )
        self.stoichiometry = np.zeros((len(layer.species), len(layer.dimers)))
        for d, pair in enumerate(zip(layer.dimer_first, layer.dimer_second, strict=True)):
            for species in pair:
                self.stoichiometry[species, d] += 1.0
        self.kinase = self.effects.kinase.copy()
        gain = model.values["receptors.her2_mutation_gain"]
        self.kinase[layer.kinases.index("her2")] *= 1.0 + gain * a["her2_mutation"]
        scale_pi3k, scale_ras = reference_recruitment(layer)
        self.recruit = np.stack([layer.pi3k / scale_pi3k, layer.ras / scale_ras, layer.src])

        # network
        names = network.names[: network.n_inputs]
        self.recruited = [names.index(f"{k}_recruitment") for k in ("pi3k", "ras", "src")]
        levels = network_inputs(model, a, self.effects)
        self.levels = np.array([levels[k] if k in levels else np.zeros(1) for k in names])
        self.half_saturated = np.zeros((network.n_inputs, 1), dtype=bool)
        self.half_saturated[network.half_saturated] = True
        self.tau = network.time_constant_h[:, None]
        one = np.ones(1)
        self.left = np.stack([self.effects.node.get(k, one) for k in network.names[network.n_inputs :]])
        self._pool_index, self._reaction_first, self._node_first = _product_form(model)
        self._hill_n, self._hill_beta, self._hill_kappa = (
            x[:, None] for x in (network.hill_n, network.hill_beta, network.hill_kappa)
        )
        self._weight = network.reaction_weight[:, None]
        self._inhibition = network.inhibitor_weight[:, None]

        # slow states
        self.sign = np.array([[s.sign] for s in network.slow])
        self.gain = np.array([[s.gain] for s in network.slow])
        self.slow_tau = np.array([[s.time_constant_d * HOURS_PER_DAY] for s in network.slow])
        self.driver = np.array([s.driver for s in network.slow], dtype=np.int64)
        self.driver_rest = np.array([self.rest[readout_name(network.names[s.driver])] for s in network.slow])

        self.names = state_names(model, self.covalent)
        sizes = (
            len(layer.species),
            len(layer.dimers),
            network.n_nodes,
            len(network.slow),
            len(self.covalent),
            1,
        )
        ends = np.cumsum(sizes)
        self.parts = tuple(slice(int(e - s), int(e)) for s, e in zip(sizes, ends, strict=True))
        self.n_states = int(ends[-1])
        self._copies: dict[int, tuple[Columns, Effects, dict[str, Array]]] = {}

    def start(self, start: Start = "untreated", slow: Array | None = None) -> Array:
        """(states,) of the resting cell, or at the steady state of fast variables under the drugs; see `cell_course`.

        Parameters
        ----------
        slow : (slow states,) at which the fast variables of `acute` have their steady state, default 0
        """
        model = self.model
        layer, network = model.receptors, model.network
        adapted = (
            np.zeros((len(network.slow), 1)) if slow is None else np.asarray(slow, np.float64).reshape(-1, 1)
        )
        match start:
            case "untreated":
                columns, bound = self.before, [c.ratio_before for c in self.covalent]
            case "acute":
                columns, bound = self.columns, [c.ratio for c in self.covalent]
            case _:
                raise unknown("start", start, ("untreated", "acute"))
        effects = drug_effects(model, columns)
        now = signals(model, columns, effects, adapted)
        totals, _ = receptor_totals(model, columns.attributes, effects, adapted)
        constants = association_constants(layer, _ligands(model, columns, effects), effects.occupancy)
        free = free_monomers(layer, totals, constants)
        y = np.zeros(self.n_states)
        receptors, dimers, nodes, slow_states, covalent, _ = self.parts
        y[receptors] = free[:, 0]
        y[dimers] = dimer_amounts(layer, free, constants)[:, 0]
        y[nodes] = [now[readout_name(k)][0] for k in network.names[network.n_inputs :]]
        y[slow_states] = adapted[:, 0]
        y[covalent] = [r / (1.0 + r) for r in bound]
        return y

    def derivative(self, t: float, y: Array) -> Array:
        """dy/dt, 1/hour times the unit of each state; `y` may carry a second axis of independent copies."""
        if y.ndim == 1:
            return self.derivative(t, y[:, None])[:, 0]
        change = self.signal_change(y)
        change[-1] = self.phenotype(y)["net_growth"] / HOURS_PER_DAY
        return change

    def signal_change(self, y: Array) -> Array:
        """`derivative` of all states but the number of cells, whose row stays 0: (states, copies)."""
        receptors, dimer_rows, node_rows, slow_rows, covalent, _ = self.parts
        free, dimers, nodes, slow, bound = (y[p] for p in self.parts[:5])
        change = np.zeros_like(y)
        adapted = np.maximum(1.0 + self.gain * slow, 0.0)
        totals = np.repeat(self.totals, y.shape[1], axis=1)
        inputs = np.repeat(self.levels, y.shape[1], axis=1)
        kinase = np.repeat(self.kinase, y.shape[1], axis=1)
        for number, binding_ in enumerate(self.covalent):
            kinase[binding_.kinase] *= 1.0 - binding_.largest * bound[number]
            change[covalent.start + number] = binding_.ratio * (1.0 - bound[number]) - bound[number]
        change[covalent] /= self.kinase_return_h
        active = dimers * (self.model.receptors.dimer_kinase @ kinase)
        inputs[self.recruited] = self.recruit @ active
        for number, state in enumerate(self.model.network.slow):
            if state.receptor >= 0:
                totals[state.receptor] *= adapted[number]
            else:
                inputs[state.network_input] *= adapted[number]

        pairs = free[self.model.receptors.dimer_first] * free[self.model.receptors.dimer_second]
        binding = self.association * (self.k_off + self.k_turn) * pairs - self.k_off * dimers
        change[receptors] = self.k_turn * (totals - free) - self.stoichiometry @ binding
        change[dimer_rows] = binding - self.k_turn * dimers

        inputs = np.where(self.half_saturated, inputs / (1.0 + inputs), inputs)
        values = np.concatenate([inputs, nodes])
        change[node_rows] = (self.node_targets(values) * self.left - nodes) / self.tau
        drive = np.maximum(self.sign * (values[self.driver] - self.driver_rest), 0.0)
        change[slow_rows] = (drive - slow) / self.slow_tau
        return change

    def phenotype(self, y: Array) -> dict[str, Array]:
        """Rates of `her2.cell.respond.rates` at given states (states, n): each (n,)."""
        columns, effects, rest = self._repeated(y.shape[1])
        return rates(self.model, columns, effects, self.signals(y), rest)

    def signals(self, y: Array) -> dict[str, Array]:
        """Receptor totals, dimers, nodes and slow states by name at given states (states, n): each (n,)."""
        layer, network = self.model.receptors, self.model.network
        free, dimers, nodes, slow = (y[p] for p in self.parts[:4])
        totals = free + self.stoichiometry @ dimers
        result = dict(zip(layer.species, totals, strict=True))
        result["surface_her2"] = result["her2"]
        result.update(zip(layer.dimers, dimers, strict=True))
        result.update(zip((readout_name(k) for k in network.names[network.n_inputs :]), nodes, strict=True))
        result.update(zip((s.name for s in network.slow), slow, strict=True))
        return result

    def _repeated(self, n: int) -> tuple[Columns, Effects, dict[str, Array]]:
        """The condition, its effects and the untreated signals, n times; kept, as the solver asks often."""
        if n not in self._copies:
            many = Columns(
                {k: np.repeat(v, n) for k, v in self.columns.attributes.items()},
                {k: np.repeat(v, n) for k, v in self.columns.concentrations.items() if v[0] > 0.0},
                self.columns.compartments * n,
                self.columns.disabled,
            )
            rest = {k: np.repeat(v, n) for k, v in self.rest.items()}
            self._copies[n] = (many, drug_effects(self.model, many), rest)
        return self._copies[n]

    def node_targets(self, values: Array) -> Array:
        """Steady value of every node given all inputs and nodes, before inhibitors of nodes: (nodes, copies)."""
        network = self.model.network
        power = np.maximum(values[network.hill_source], 0.0) ** self._hill_n
        hill = self._hill_beta * power / (self._hill_kappa + power)
        weight = np.broadcast_to(self._weight, (self._weight.shape[0], values.shape[1]))
        pool = np.concatenate([weight, hill, 1.0 - self._inhibition * hill[network.inhibitor_hill]])
        terms = np.multiply.reduceat(pool[self._pool_index], self._reaction_first, axis=0)
        return np.asarray(1.0 - np.multiply.reduceat(1.0 - terms, self._node_first, axis=0))

    def jacobian(self, t: float, y: Array) -> Array:
        """d(dy/dt)/dy by one-sided differences: (states, states).

        The row of the number of cells is left 0: nothing depends on it, and the solver only needs it to iterate.
        """
        step = 1e-7 * np.maximum(np.abs(y), 1e-3)
        moved = np.repeat(y[:, None], self.n_states + 1, axis=1)
        moved[np.arange(self.n_states), np.arange(self.n_states)] += step
        f = self.signal_change(moved)
        return (f[:, :-1] - f[:, -1:]) / step

    def course(self, times: Array, y: Array) -> CellCourse:
        """States (states, times) with the readouts that follow from them."""
        readouts = self.readouts(y)
        extra = [k for k in readouts if k not in self.names]
        values = np.concatenate([y, np.array([readouts[k] for k in extra]).reshape(len(extra), -1)])
        return CellCourse(times, (*self.names, *extra), values, self.n_states)

    def readouts(self, y: Array) -> dict[str, Array]:
        """`signals` and `phenotype` together."""
        return {**self.signals(y), **self.phenotype(y)}

    def steady_state(self, slow: Array | None = None, begin: Array | None = None) -> Array:
        """(states,) in which nothing but slow states and the number of cells changes.

        Implicit Euler with a step that grows fourfold, from the resting cell (or `begin`), then Newton's method: it
        follows the equations of this class and uses nothing of the quasi-steady solution.

        Parameters
        ----------
        slow : (slow states,) kept at these values, default those of `begin`

        Raises
        ------
        her2.errors.Her2Error
            If it does not converge.
        """
        y = self.start("untreated") if begin is None else begin.copy()
        if slow is not None:
            y[self.parts[3]] = slow
        fast = np.r_[tuple(np.arange(p.start, p.stop) for p in (*self.parts[:3], self.parts[4]))]
        step = 0.01
        for _ in range(200):
            f = self.signal_change(y[:, None])[fast, 0]
            slope = self.jacobian(0.0, y)[np.ix_(fast, fast)]
            move = np.linalg.solve(np.eye(fast.size) / step - slope, f)
            y[fast] += move
            step = min(step * 4.0, 1e12)
            if step == 1e12 and np.max(np.abs(move) / np.maximum(np.abs(y[fast]), 1e-6)) < 1e-12:
                break
        else:
            raise Her2Error("full model of a cell: no steady state found; check the cell's attributes")
        return y


def _ligands(model: CellModel, columns: Columns, effects: Effects) -> Array:
    """Ligands of the receptor layer that drugs leave: (ligands, 1)."""
    return np.stack(
        [columns.attributes[k] * effects.inputs.get(k, np.ones(1)) for k in model.receptors.ligands]
    )


def covalent_bindings(model: CellModel, columns: Columns, before: Columns) -> tuple[CovalentBinding, ...]:
    """Covalent actions on kinases of all drugs of the condition and of the state before it.

    A covalent action on anything else than a kinase is taken at its steady state.
    """
    found = []
    for name in sorted({*columns.concentrations, *before.concentrations}):
        actions = actions_of(model.agent(name))
        for number, action in enumerate(actions):
            if action.on != "kinase" or not action.covalent:
                continue
            ratios = [
                0.0
                if name not in c.concentrations or is_disabled(c, name, action)
                else float(c.concentrations[name][0]) / model.half[name, number]
                for c in (columns, before)
            ]
            if not is_disabled(columns, name, action) or ratios[1] > 0.0:
                kinase = model.receptors.kinases.index(action.target)
                state = f"bound_{action.target}_{name}"
                largest = model.largest[name, number]
                found.append(CovalentBinding(state, name, number, kinase, largest, ratios[0], ratios[1]))
    return tuple(found)


def _without_covalent_kinase(columns: Columns, covalent: tuple[CovalentBinding, ...]) -> Columns:
    """The same columns without the covalent actions, which have states of their own."""
    gone = {(c.agent, "kinase", c.state.removeprefix("bound_").removesuffix(f"_{c.agent}")) for c in covalent}
    return replace(columns, disabled=columns.disabled | gone)


def _product_form(model: CellModel) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The graph as products: factors of each reaction in (weights, Hill values, complements of inhibitors), the first
    factor of each reaction, the first reaction of each node."""
    network = model.network
    n_reactions, n_hills = network.reaction_weight.size, network.hill_source.size
    index: list[int] = []
    first = []
    for r in range(n_reactions):
        first.append(len(index))
        index.append(r)
        for e in range(network.activator_start[r], network.activator_start[r + 1]):
            index.append(n_reactions + int(network.activator_hill[e]))
        index += range(
            n_reactions + n_hills + int(network.inhibitor_start[r]),
            n_reactions + n_hills + int(network.inhibitor_start[r + 1]),
        )
    return (
        np.array(index, dtype=np.int64),
        np.array(first, dtype=np.int64),
        np.asarray(network.reaction_start[:-1], dtype=np.int64),
    )


def readout_name(node: str) -> str:
    """Name of a node among states and readouts: `apoptosis` is the phenotype, its signal is `apoptosis_signal`."""
    return "apoptosis_signal" if node == "apoptosis" else node


def state_names(model: CellModel, covalent: tuple[CovalentBinding, ...]) -> tuple[str, ...]:
    """Names of the states in the order of the state vector; the exported model uses the same."""
    layer, network = model.receptors, model.network
    return (
        *(f"free_{s}" for s in layer.species),
        *layer.dimers,
        *(readout_name(k) for k in network.names[network.n_inputs :]),
        *(s.name for s in network.slow),
        *(c.state for c in covalent),
        "ln_cells",
    )
