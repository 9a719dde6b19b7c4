"""Signalling of many cells at once, for the population kernel and for single cells.

The same equations as `her2.signalling.receptors` and `her2.signalling.network` (the readable reference; a test
compares the two), written as loops whose innermost index is the lane. Receptors, dimers, ligands, antibodies, kinases
and nodes are as many as the arrays say, so that the population's reduced network and the whole network of a cell run
through the same function. numba's own check for division by zero would keep loops out of SIMD lanes, so divisions
follow NumPy (`error_model`): what is not finite is found by the callers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from her2.engine.layout import LANES, MAX_DRIVERS
from her2.engine.vecmath import exp, log
from her2.signalling.receptors import NEWTON_ENOUGH, NEWTON_STEPS, SWEEPS

OUT_PROLIFERATION, OUT_APOPTOSIS, OUT_SURVIVAL, OUT_VEGF, OUT_SURFACE, OUT_DRIVER = 0, 1, 2, 3, 4, 5
N_SIGNAL_OUTPUTS = OUT_DRIVER + MAX_DRIVERS
WORK_TOTAL, WORK_MONOMER, WORK_CONSTANT = 0, 1, 3
"""Where `evaluate_block` leaves receptor totals, free monomers and association constants in `work`."""


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate_block(receptors, network, x, out, work, values, hills, kinase, left, used=LANES):
    """Signals of `LANES` cells.

    x : (rows, LANES), not changed: receptor totals before down-regulation and adaptation, ligands, network inputs
        that do not come from receptors, occupancies, slow states; `layout.Signal` names the rows of the population
    out : (5 + drivers, LANES) network values of proliferation, apoptosis, survival signal and VEGF, full-length HER2 on
        the surface (1e6/cell), network values of the drivers of adaptation
    work, values, hills : scratch, see `scratch`; `values` keeps every input and node, `work` the receptors
    kinase : (kinases, LANES) activity of each kinase, or (0, LANES) where all are 1
    left : (nodes, LANES) share of each node that its inhibitors leave, or (0, LANES) where all are 1
    used : lanes asked for, the first ones; up to 15 after them are computed too, the others stay as they are
    """
    n = min((used + 15) & -16, LANES)
    n_antibodies, n_species = receptors.downregulation.shape
    n_recruited, n_dimers = receptors.recruitment.shape
    n_slow = network.slow_tau.size
    n_inputs = network.n_inputs
    ligands = n_species
    inputs = ligands + receptors.n_ligands - n_recruited
    occupancy = inputs + n_inputs
    adapted = occupancy + n_antibodies
    total = work[WORK_TOTAL]
    mono = work[WORK_MONOMER]
    grad = work[2]
    const = work[WORK_CONSTANT]
    pair = work[4]
    hess = work[5]
    # totals after down-regulation and slow adaptation
    for s in range(n_species):
        for i in range(n):
            total[s, i] = x[s, i]
        for ab in range(n_antibodies):
            loss = receptors.downregulation[ab, s]
            if loss != 0.0:
                for i in range(n):
                    total[s, i] *= 1.0 - loss * x[occupancy + ab, i]
        for k in range(n_slow):
            if network.slow_receptor[k] == s:
                gain = network.slow_gain[k]
                for i in range(n):
                    total[s, i] *= max(1.0 + gain * x[adapted + k, i], 0.0)
        for i in range(n):
            mono[s, i] = total[s, i]
    # association constants
    for d in range(n_dimers):
        for i in range(n):
            const[d, i] = 0.0
    for c in range(receptors.channel_dimer.size):
        d = receptors.channel_dimer[c]
        ligand = receptors.channel_ligand[c]
        strength = receptors.channel_strength[c]
        if ligand >= 0:
            for i in range(n):
                pair[0, i] = strength * x[ligands + ligand, i]
        else:
            for i in range(n):
                pair[0, i] = strength
        for ab in range(n_antibodies):
            block = receptors.channel_block[c, ab]
            if block != 0.0:
                for i in range(n):
                    pair[0, i] *= 1.0 - block * x[occupancy + ab, i]
        for i in range(n):
            const[d, i] += pair[0, i]
    # Gauss-Seidel sweeps
    for _ in range(SWEEPS):
        for s in range(n_species):
            for i in range(n):
                grad[0, i] = 1.0
                grad[1, i] = 0.0
            for d in range(n_dimers):
                a = receptors.dimer_first[d]
                b = receptors.dimer_second[d]
                if a == s and b == s:
                    for i in range(n):
                        grad[1, i] += 2.0 * const[d, i]
                elif a == s:
                    for i in range(n):
                        grad[0, i] += const[d, i] * mono[b, i]
                elif b == s:
                    for i in range(n):
                        grad[0, i] += const[d, i] * mono[a, i]
            for i in range(n):
                p = grad[0, i]
                mono[s, i] = 2.0 * total[s, i] / (p + np.sqrt(p * p + 4.0 * grad[1, i] * total[s, i]))
    # Newton steps in ln m: Hessian diag(m + sum_b k_ab m_a m_b) + k_ab m_a m_b, positive definite
    # a lane that has converged keeps its digits, so that they do not depend on its neighbours
    going = pair[1]
    for i in range(n):
        going[i] = 1.0
    for _ in range(NEWTON_STEPS):
        for s in range(n_species):
            for i in range(n):
                grad[s, i] = mono[s, i] - total[s, i]
            for t in range(n_species):
                for i in range(n):
                    hess[s * n_species + t, i] = 0.0
        for d in range(n_dimers):
            a = receptors.dimer_first[d]
            b = receptors.dimer_second[d]
            if a == b:
                for i in range(n):
                    v = 2.0 * const[d, i] * mono[a, i] * mono[a, i]
                    grad[a, i] += v
                    hess[a * n_species + a, i] += v
            else:
                for i in range(n):
                    v = const[d, i] * mono[a, i] * mono[b, i]
                    grad[a, i] += v
                    grad[b, i] += v
                    hess[a * n_species + b, i] += v
                    hess[b * n_species + a, i] += v
        for s in range(n_species):
            for i in range(n):
                hess[s * n_species + s, i] += max(grad[s, i] + total[s, i], 1e-300)
        # Gaussian elimination without pivoting, safe for a positive definite matrix
        for p in range(n_species):
            for i in range(n):
                hess[p * n_species + p, i] = 1.0 / hess[p * n_species + p, i]
            for r in range(p + 1, n_species):
                for i in range(n):
                    f = hess[r * n_species + p, i] * hess[p * n_species + p, i]
                    pair[0, i] = f
                    grad[r, i] -= f * grad[p, i]
                for q in range(p + 1, n_species):
                    for i in range(n):
                        hess[r * n_species + q, i] -= pair[0, i] * hess[p * n_species + q, i]
        for p in range(n_species - 1, -1, -1):
            for q in range(p + 1, n_species):
                for i in range(n):
                    grad[p, i] -= hess[p * n_species + q, i] * grad[q, i]
            for i in range(n):
                grad[p, i] *= hess[p * n_species + p, i]
        largest = pair[0]
        for i in range(n):
            largest[i] = 0.0
        for s in range(n_species):
            for i in range(n):
                step = exp(-min(max(grad[s, i], -2.0), 2.0))
                mono[s, i] *= step if going[i] > 0.0 else 1.0
                largest[i] = max(largest[i], abs(grad[s, i]))
        for i in range(n):
            going[i] = going[i] if largest[i] > NEWTON_ENOUGH else 0.0
        unfinished = 0.0
        for i in range(n):
            unfinished += going[i]
        if unfinished == 0.0:
            break
    # recruitment, each relative to its scale
    for k in range(n_recruited):
        for i in range(n):
            values[k, i] = 0.0
    for d in range(n_dimers):
        a = receptors.dimer_first[d]
        b = receptors.dimer_second[d]
        amount = pair[0]
        for i in range(n):
            amount[i] = const[d, i] * mono[a, i] * mono[b, i]
        if kinase.shape[0] > 0:
            activity = pair[1]
            for i in range(n):
                activity[i] = 0.0
            for k in range(kinase.shape[0]):
                share = receptors.dimer_kinase[d, k]
                if share != 0.0:
                    for i in range(n):
                        activity[i] += share * kinase[k, i]
            for i in range(n):
                amount[i] *= activity[i]
        for k in range(n_recruited):
            weight = receptors.recruitment[k, d]
            for i in range(n):
                values[k, i] += weight * amount[i]
    # the other inputs
    for j in range(n_recruited, n_inputs):
        for i in range(n):
            values[j, i] = x[inputs + j, i]
    for k in range(n_slow):
        j = network.slow_input[k]
        if j >= 0:
            gain = network.slow_gain[k]
            for i in range(n):
                values[j, i] *= max(1.0 + gain * x[adapted + k, i], 0.0)
    for j in network.half_saturated:
        for i in range(n):
            values[j, i] = values[j, i] / (1.0 + values[j, i])
    # the graph, one pass in topological order
    for h in range(network.first_hill[0]):
        _hill(network, h, values, hills, n)
    for node in range(network.reaction_start.size - 1):
        target = values[n_inputs + node]
        for i in range(n):
            target[i] = 1.0
        for r in range(network.reaction_start[node], network.reaction_start[node + 1]):
            weight = network.reaction_weight[r]
            for i in range(n):
                pair[0, i] = weight
            for e in range(network.activator_start[r], network.activator_start[r + 1]):
                h = network.activator_hill[e]
                for i in range(n):
                    pair[0, i] *= hills[h, i]
            for e in range(network.inhibitor_start[r], network.inhibitor_start[r + 1]):
                h = network.inhibitor_hill[e]
                w = network.inhibitor_weight[e]
                for i in range(n):
                    pair[0, i] *= 1.0 - w * hills[h, i]
            for i in range(n):
                target[i] *= 1.0 - pair[0, i]
        for i in range(n):
            target[i] = 1.0 - target[i]
        if left.shape[0] > 0:
            for i in range(n):
                target[i] *= left[node, i]
        for h in range(network.first_hill[node], network.first_hill[node + 1]):
            _hill(network, h, values, hills, n)
    for i in range(n):
        out[OUT_PROLIFERATION, i] = values[network.out_proliferation, i]
        out[OUT_APOPTOSIS, i] = values[network.out_apoptosis, i]
        out[OUT_SURVIVAL, i] = values[network.out_survival, i]
        out[OUT_VEGF, i] = values[network.out_vegf, i]
        out[OUT_SURFACE, i] = total[receptors.her2, i]
    for d in range(network.driver_node.size):
        for i in range(n):
            out[OUT_DRIVER + d, i] = values[network.driver_node[d], i]


@njit(cache=True, nogil=True, error_model="numpy")
def _hill(network, h, values, hills, n):
    """Normalised Hill function number h for all lanes."""
    exponent = network.hill_n[h]
    beta = network.hill_beta[h]
    kappa = network.hill_kappa[h]
    source = network.hill_source[h]
    for i in range(n):
        power = exp(exponent * log(values[source, i]))
        hills[h, i] = beta * power / (kappa + power)


@njit(cache=True, nogil=True, error_model="numpy")
def scratch(receptors, network):
    """The arrays of `evaluate_block` after `out`: scratch, and kinases and nodes that nothing inhibits.

    One allocation per block of patients, none inside.
    """
    n_species = receptors.downregulation.shape[1]
    n = max(receptors.dimer_first.size, n_species * n_species)
    n_values = network.n_inputs + network.reaction_start.size - 1
    return (
        np.zeros((6, n, LANES)),
        np.zeros((n_values, LANES)),
        np.zeros((network.hill_source.size, LANES)),
        np.zeros((0, LANES)),
        np.zeros((0, LANES)),
    )
