"""The full model of one patient as ordinary differential equations, integrated in Python.

The readable reference of the population kernel: what the kernel takes as quasi-steady (receptor binding,
pathway) has its own differential equations here, and drug levels act continuously instead of once a week.
The same model leaves the program as SBML (`her2.export.antimony`); the two are programmed separately and
compared in the tests.

    receptors   dm/dt = k_turn (T - m) - sum binding,  dD/dt = binding - k_turn D,
                binding = K (k_off + k_turn) m m' - k_off D
    nodes       dY/dt = (target(Y) - Y) / tau
    slow        dS/dt = (max(0, driver - driver_untreated) - S) / tau
    antibody    dA/dt = -(CL + Vmax / (Km + A/Vc)) A/Vc - Q (A/Vc - P/Vp),  dP/dt = Q (A/Vc - P/Vp)
    cytotoxic   dE/dt = -ke0 E
    clone       d ln N/dt = net rate, 0 where it would leave [floor, ceiling]

T, the total of a receptor, carries down-regulation and adaptation; free receptors and dimers are lost with
the same rate constant k_turn, so that each total relaxes to T whatever the binding, and the on-rate
K (k_off + k_turn) makes K the association constant at steady state, which is therefore exactly the kernel's
equilibrium.
Not in these equations: scans, hazards, death, CNS seeding by chance, changes of line, tolerance to chemotherapy
and to antibody-dependent kill, infusion times (doses are boluses).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from her2.engine.kernel import SURVIVAL_FLOOR
from her2.errors import Her2Error, unknown
from her2.export.dosing import Dose, checked_doses
from her2.export.individual import Individual, resolve
from her2.model import Model
from her2.patients.sample import Cohort
from her2.signalling.network import Network, half_saturated
from her2.signalling.receptors import association_constants, reference_recruitment, surface_totals

Array = NDArray[np.float64]

HOURS_PER_DAY = 24.0
DISSOCIATION_PER_H = 10.0
"""Dissociation of receptor dimers; assumed: they live for minutes. Steady states do not depend on it."""
TURNOVER_PER_H = 1.0
"""Relaxation of receptor totals; assumed: fast next to a week. Steady states do not depend on it."""
RELATIVE_FLOOR = 1e-6
"""Smallest proliferation relative to untreated that scales chemotherapy, as in the kernel."""


@dataclass(frozen=True)
class Course:
    """Time course of the full model.

    Attributes
    ----------
    times : (times,), day
    names : (states,) as in the exported model
    values : (states, times); at the time of a dose, the values just before it
    """

    times: Array
    names: tuple[str, ...]
    values: Array

    def __getitem__(self, name: str) -> Array:
        if name not in self.names:
            raise unknown("state", name, self.names)
        return np.asarray(self.values[self.names.index(name)])

    def log_burden(self, site: str = "systemic") -> Array:
        """ln cells of all clones of a site together: (times,)."""
        rows = [k for k, n in enumerate(self.names) if n.startswith("ln_cells_") and n.endswith(f"_{site}")]
        if not rows:
            raise unknown(
                "site", site, {n.rsplit("_", 1)[1] for n in self.names if n.startswith("ln_cells_")}
            )
        return np.asarray(np.logaddexp.reduce(self.values[rows], axis=0))


def reference_course(
    model: Model,
    patient: Cohort,
    regimen: Iterable[Sequence[object]],
    days: float,
    times: Array | None = None,
    *,
    relative_tolerance: float = 1e-9,
    absolute_tolerance: float = 1e-11,
    method: str = "BDF",
    dissociation_per_h: float = DISSOCIATION_PER_H,
    turnover_per_h: float = TURNOVER_PER_H,
) -> Course:
    """Integrate the full model of one patient on one regimen.

    Parameters
    ----------
    patient : a cohort of one, such as `cohort.take(np.array([3]))`
    regimen : doses as (day, drug, mg), such as `her2.export.Dose`
    days : length of the course
    times : (times,), day, ascending within [0, days]; default every whole day
    method : a stiff method of `scipy.integrate.solve_ivp` that takes a Jacobian: BDF, Radau or LSODA (which
        may fall into its non-stiff method, and very small steps, where nothing moves)
    dissociation_per_h, turnover_per_h : rate constants of receptor dimers and totals

    Raises
    ------
    her2.errors.Her2Error
        If the solver does not reach the end of an interval between doses, or a state is not finite.
    """
    individual = resolve(model, patient)
    doses = checked_doses(regimen, individual, days)
    equations = FullModel(
        model, individual.giving({d.drug for d in doses}), dissociation_per_h, turnover_per_h
    )
    wanted = np.arange(0.0, np.floor(days) + 1.0) if times is None else np.asarray(times, dtype=np.float64)
    if wanted.size and (np.any(np.diff(wanted) < 0.0) or wanted[0] < 0.0 or wanted[-1] > days):
        raise ValueError(f"times: expected ascending days within [0, {days}]")
    edges = np.unique(np.array([0.0, *(d.day for d in doses), days]))
    values = np.empty((equations.n_states, wanted.size))
    y = equations.start()
    values[:, wanted == 0.0] = y[:, None]
    for begin, end in pairwise(edges):
        for dose in doses:
            if dose.day == begin:
                y = equations.give(y, dose)
        # a time of a dose belongs to the interval that ends there
        inside = np.flatnonzero((wanted > begin) & (wanted <= end))
        points = np.unique(np.append(wanted[inside], end))
        # SciPy's BDF subtracts rows of an array before it has filled them; it overwrites them before use, but
        # left-over memory that happens to be a signalling NaN makes it warn, now and then
        with np.errstate(invalid="ignore"):
            solved = solve_ivp(
                equations.derivative,
                (begin, end),
                y,
                method=method,
                t_eval=points,
                jac=equations.jacobian,
                rtol=relative_tolerance,
                atol=absolute_tolerance,
            )
        if not solved.success:
            raise Her2Error(f"full model, day {begin:g} to {end:g}: {solved.message}; loosen the tolerances")
        if not np.all(np.isfinite(solved.y)):
            raise Her2Error(f"full model, day {begin:g} to {end:g}: a state is not finite; check the patient")
        values[:, inside] = solved.y[:, np.searchsorted(points, wanted[inside])]
        y = solved.y[:, -1]
    return Course(wanted, equations.names, values)


class FullModel:
    """Right-hand side, Jacobian and doses of the full model of one patient.

    The state vector holds antibody amounts (central, peripheral), cytotoxic effects, then for every cell
    (genotype within site) free receptors, dimers, nodes and slow states, then ln cells of every clone within
    site.
    """

    def __init__(
        self,
        model: Model,
        individual: Individual,
        dissociation_per_h: float = DISSOCIATION_PER_H,
        turnover_per_h: float = TURNOVER_PER_H,
    ) -> None:
        self.model = model
        self.individual = individual
        self.k_off = dissociation_per_h * HOURS_PER_DAY
        self.k_turn = turnover_per_h * HOURS_PER_DAY
        p, layer, network = individual, model.receptors, model.network
        self.reference_pi3k, self.reference_ras = reference_recruitment(layer)
        self.n_cells = len(p.sites) * len(p.genotypes)
        self.n_drug = 2 * len(p.antibodies) + len(p.cytotoxics)
        self.cell_rows = (
            *layer.species,
            *layer.dimers,
            *network.names[network.n_inputs :],
            *(s.name for s in network.slow),
        )
        self.cells_end = self.n_drug + len(self.cell_rows) * self.n_cells
        self.n_states = self.cells_end + len(p.clones) * len(p.sites)
        self.names = state_names(model, p)

    def start(self) -> Array:
        """State of the untreated patient: signals at rest, clones at their size before the first line."""
        p, network = self.individual, self.model.network
        slow = np.zeros((len(network.slow), len(p.genotypes)))
        cell = np.concatenate([p.receptors_untreated, p.untreated[network.n_inputs :], slow])
        cells = np.concatenate([cell.T] * len(p.sites))
        return np.concatenate([np.zeros(self.n_drug), cells.ravel(), p.start.T.ravel()])

    def give(self, y: Array, dose: Dose) -> Array:
        """State after a dose."""
        p = self.individual
        y = y.copy()
        if dose.drug in p.antibodies:
            y[2 * p.antibodies.index(dose.drug)] += dose.amount_mg
        else:
            k = p.cytotoxics.index(dose.drug)
            y[2 * len(p.antibodies) + k] += dose.amount_mg * p.effect_rise[k]
        return y

    def derivative(self, t: float, y: Array) -> Array:
        """dy/dt, 1/day times the unit of each state; `y` may carry a second axis of independent copies."""
        if y.ndim == 1:
            return self.derivative(t, y[:, None])[:, 0]
        p, network = self.individual, self.model.network
        copies = y.shape[1]
        change = np.empty_like(y)
        drug = y[: self.n_drug]
        occupancy = self._antibodies(drug, change)  # (antibodies, sites, copies)
        effect = drug[2 * len(p.antibodies) :]
        change[2 * len(p.antibodies) : self.n_drug] = -p.effect_decay[:, None] * effect

        # cells as columns: (rows, sites, genotypes, copies) flattened over all but the rows
        shape = (len(p.sites), len(p.genotypes), copies)
        block = y[self.n_drug : self.cells_end].reshape(
            len(p.sites), len(p.genotypes), len(self.cell_rows), copies
        )
        cells = np.moveaxis(block, 2, 0).reshape(len(self.cell_rows), -1)
        bound = np.broadcast_to(occupancy[:, :, None, :], (len(p.antibodies), *shape)).reshape(
            len(p.antibodies), -1
        )
        column = np.broadcast_to(np.arange(len(p.genotypes))[None, :, None], shape).ravel()
        moved = self._cells(cells, bound, column)
        change[self.n_drug : self.cells_end] = np.moveaxis(
            moved.reshape(len(self.cell_rows), *shape), 0, 2
        ).reshape(-1, copies)
        nodes = cells[len(self.cell_rows) - network.n_nodes - len(network.slow) :].reshape(-1, *shape)
        ln_cells = y[self.cells_end :].reshape(len(p.sites), len(p.clones), copies)
        rate = self._rates(nodes, occupancy, effect)
        out_below = (ln_cells <= p.floor.T[:, :, None]) & (rate < 0.0)
        out_above = (ln_cells >= p.ceiling) & (rate > 0.0)
        change[self.cells_end :] = np.where(out_below | out_above, 0.0, rate).reshape(-1, copies)
        return change

    def _antibodies(self, drug: Array, change: Array) -> Array:
        """Writes the derivative of the antibody amounts; returns occupancy (antibodies, sites, copies)."""
        p = self.individual
        occupancy = np.empty((len(p.antibodies), len(p.sites), drug.shape[1]))
        for k in range(len(p.antibodies)):
            cl, vc, q, vp, vmax, km = p.antibody_pk[k]
            plasma = drug[2 * k] / vc
            exchange = q * (plasma - drug[2 * k + 1] / vp)
            change[2 * k] = -(cl + vmax / (km + plasma)) * plasma - exchange
            change[2 * k + 1] = exchange
            beside = p.partition[:, None] * np.maximum(plasma, 0.0)
            occupancy[k] = beside / (beside + p.kd[k])
        return occupancy

    def _cells(self, cells: Array, occupancy: Array, genotype: NDArray[np.int64]) -> Array:
        """Derivative of receptors, dimers, nodes and slow states: (cell rows, columns)."""
        p, layer, network = self.individual, self.model.receptors, self.model.network
        n_receptors, n_dimers = len(layer.species), len(layer.dimers)
        monomers = cells[:n_receptors]
        dimers = cells[n_receptors : n_receptors + n_dimers]
        nodes = cells[n_receptors + n_dimers : n_receptors + n_dimers + network.n_nodes]
        slow = cells[n_receptors + n_dimers + network.n_nodes :]
        columns = cells.shape[1]

        totals = surface_totals(layer, p.totals[:, genotype], occupancy)
        inputs = p.inputs[:, genotype]
        for number, state in enumerate(network.slow):
            if state.receptor >= 0:
                totals[state.receptor] *= 1.0 + state.gain * slow[number]
            if state.network_input >= 0:
                inputs[state.network_input] *= 1.0 + state.gain * slow[number]
        association = association_constants(layer, np.repeat(p.ligands[:, None], columns, axis=1), occupancy)
        pairs = monomers[layer.dimer_first] * monomers[layer.dimer_second]
        binding = association * (self.k_off + self.k_turn) * pairs - self.k_off * dimers

        change = np.empty_like(cells)
        change[:n_receptors] = self.k_turn * (totals - monomers)
        for d in range(n_dimers):
            change[layer.dimer_first[d]] -= binding[d]
            change[layer.dimer_second[d]] -= binding[d]
        change[n_receptors : n_receptors + n_dimers] = binding - self.k_turn * dimers

        inputs[0] = layer.pi3k @ dimers / self.reference_pi3k
        inputs[1] = layer.ras @ dimers / self.reference_ras
        for k in network.half_saturated:
            inputs[k] = half_saturated(inputs[k])
        values = np.concatenate([inputs, nodes])
        first = n_receptors + n_dimers
        tau = network.time_constant_h[:, None] / HOURS_PER_DAY
        change[first : first + network.n_nodes] = (node_targets(network, values) - nodes) / tau
        first += network.n_nodes
        for number, state in enumerate(network.slow):
            rise = np.maximum(state.sign * (values[state.driver] - p.untreated[state.driver, genotype]), 0.0)
            change[first + number] = (rise - slow[number]) / state.time_constant_d
        return change

    def _rates(self, nodes: Array, occupancy: Array, effect: Array) -> Array:
        """Net growth rate of every clone, 1/day: (sites, clones, copies)."""
        p, network, c = self.individual, self.model.network, self.model.constants
        free = p.independent
        out = {k: v - network.n_inputs for k, v in network.outputs.items()}
        rest = {k: p.untreated[v][None, :, None] for k, v in network.outputs.items()}
        pro = free + (1.0 - free) * nodes[out["proliferation"]] / c.cell_cycle_reference
        pro_rest = free + (1.0 - free) * rest["proliferation"] / c.cell_cycle_reference
        apoptosis = np.maximum(
            (1.0 - free) * (nodes[out["apoptosis"]] - rest["apoptosis"]) / c.bim_reference, 0.0
        )
        lost_survival = np.maximum(rest["survival_signal"] - nodes[out["survival_signal"]], 0.0)
        lost_survival = lost_survival / (rest["survival_signal"] + SURVIVAL_FLOOR)
        cycling = np.clip(pro / pro_rest, RELATIVE_FLOOR, 1.0)
        modifier = (1.0 + c.chemo_synergy * (1.0 - free) * lost_survival) * cycling**c.chemo_cycle_exponent
        load = p.totals[1][None, :, None] * np.einsum("a,asc->sc", p.fc_weight, occupancy)[:, None, :]
        immune = p.effector_kill[:, None, None] * load / (load + c.fc_half)
        g = p.genotype_of
        chemo = np.einsum("d,dks,dc->skc", p.kill, p.kill_share, effect) * modifier[:, g]
        growth = p.growth * ((1.0 + c.turnover) * p.cost[None, :, None] * pro[:, g] - c.turnover)
        brought = p.effector_share[None, :, None] * immune[:, g]
        return np.asarray(growth - c.apoptosis_kill * apoptosis[:, g] - brought - chemo)

    def jacobian(self, t: float, y: Array) -> Array:
        """d(dy/dt)/dy by one-sided differences, all states that share no equation moved together."""
        p = self.individual
        rows = len(self.cell_rows)
        # the same row of every cell at once: a cell's equations hold no other cell
        group = np.empty(self.n_states, dtype=np.int64)
        group[: self.n_drug] = np.arange(self.n_drug)
        group[self.n_drug : self.cells_end] = self.n_drug + np.tile(np.arange(rows), self.n_cells)
        group[self.cells_end :] = self.n_drug + rows
        n_groups = self.n_drug + rows + 1
        step = 1e-7 * np.maximum(np.abs(y), 1e-3)
        moved = np.repeat(y[:, None], n_groups + 1, axis=1)
        moved[np.arange(self.n_states), group] += step
        f = self.derivative(t, moved)
        slope = f[:, :-1] - f[:, -1:]
        owner = np.full(self.n_states, -1)
        owner[self.n_drug : self.cells_end] = np.repeat(np.arange(self.n_cells), rows)
        site = np.repeat(np.arange(len(p.sites)), len(p.clones))
        owner[self.cells_end :] = site * len(p.genotypes) + np.tile(p.genotype_of, len(p.sites))
        full = np.zeros((self.n_states, self.n_states))
        for j in range(self.cells_end):
            mask = slice(None) if j < self.n_drug else np.flatnonzero(owner == owner[j])
            full[mask, j] = slope[mask, group[j]] / step[j]
        return full


def node_targets(network: Network, values: Array) -> Array:
    """Steady value of every node given the values of all inputs and nodes at once: (nodes, columns).

    `her2.signalling.network.node_target` of every node, with each Hill function evaluated once.
    """
    power = np.maximum(values[network.hill_source], 0.0) ** network.hill_n[:, None]
    hill = network.hill_beta[:, None] * power / (network.hill_kappa[:, None] + power)
    targets = np.empty((network.n_nodes, values.shape[1]))
    for node in range(network.n_nodes):
        off = 1.0
        for r in range(network.reaction_start[node], network.reaction_start[node + 1]):
            term = network.reaction_weight[r]
            for e in range(network.activator_start[r], network.activator_start[r + 1]):
                term = term * hill[network.activator_hill[e]]
            for e in range(network.inhibitor_start[r], network.inhibitor_start[r + 1]):
                term = term * (1.0 - network.inhibitor_weight[e] * hill[network.inhibitor_hill[e]])
            off = off * (1.0 - term)
        targets[node] = 1.0 - off
    return targets


def state_names(model: Model, individual: Individual) -> tuple[str, ...]:
    """Names of the states in the order of the state vector; the exported model uses the same."""
    network, p = model.network, individual
    drug = [f"{a}_{part}" for a in p.antibodies for part in ("central", "peripheral")]
    drug += [f"{c}_effect" for c in p.cytotoxics]
    rows = (
        *model.receptors.species,
        *model.receptors.dimers,
        *network.names[network.n_inputs :],
        *(s.name for s in network.slow),
    )
    cells = [f"{row}_{g}_{s}" for s in p.sites for g in p.genotypes for row in rows]
    clones = [f"ln_cells_{c}_{s}" for s in p.sites for c in p.clones]
    return (*drug, *cells, *clones)
