"""Signalling of many cells at once, for the population kernel.

The same equations as `her2.signalling.receptors` and `her2.signalling.network` (the readable reference; a test
compares the two), written as loops whose innermost index is the lane.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from her2.engine.layout import LANES, Signal
from her2.engine.vecmath import exp, log
from her2.signalling.receptors import NEWTON_ENOUGH, NEWTON_STEPS, SWEEPS

_SLOW = int(Signal.SLOW)
_EGF = int(Signal.EGF)
_BYPASS = int(Signal.BYPASS)
_OCCUPANCY = int(Signal.TRASTUZUMAB)
N_SPECIES = 4
OUT_PROLIFERATION, OUT_APOPTOSIS, OUT_SURVIVAL, OUT_ADAPTATION = 0, 1, 2, 3
N_SIGNAL_OUTPUTS = 4


@njit(cache=True, nogil=True)
def evaluate_block(receptors, network, x, out, work, values, hills):
    """Signals of `LANES` cells.

    x : (signal inputs, LANES) in the order of `layout.Signal`; overwritten rows: none.
    out : (4, LANES) network values of proliferation, apoptosis, survival signal and adaptation driver.
    work, values, hills : scratch, see `scratch`.
    """
    n_dimers = receptors.dimer_first.size
    n_slow = network.slow_tau.size
    total = work[0]
    mono = work[1]
    grad = work[2]
    const = work[3]
    pair = work[4]
    hess = work[5]
    # totals after down-regulation and slow adaptation
    for s in range(N_SPECIES):
        for i in range(LANES):
            total[s, i] = x[s, i]
        for ab in range(2):
            loss = receptors.downregulation[ab, s]
            if loss != 0.0:
                for i in range(LANES):
                    total[s, i] *= 1.0 - loss * x[_OCCUPANCY + ab, i]
        for k in range(n_slow):
            if network.slow_receptor[k] == s:
                gain = network.slow_gain[k]
                for i in range(LANES):
                    total[s, i] *= 1.0 + gain * x[_SLOW + k, i]
        for i in range(LANES):
            mono[s, i] = total[s, i]
    # association constants
    for d in range(n_dimers):
        for i in range(LANES):
            const[d, i] = 0.0
    for c in range(receptors.channel_dimer.size):
        d = receptors.channel_dimer[c]
        ligand = receptors.channel_ligand[c]
        strength = receptors.channel_strength[c]
        bt = receptors.channel_block[c, 0]
        bp = receptors.channel_block[c, 1]
        if ligand >= 0:
            for i in range(LANES):
                const[d, i] += (
                    strength
                    * x[_EGF + ligand, i]
                    * (1.0 - bt * x[_OCCUPANCY, i])
                    * (1.0 - bp * x[_OCCUPANCY + 1, i])
                )
        else:
            for i in range(LANES):
                const[d, i] += strength * (1.0 - bt * x[_OCCUPANCY, i]) * (1.0 - bp * x[_OCCUPANCY + 1, i])
    # Gauss-Seidel sweeps
    for _ in range(SWEEPS):
        for s in range(N_SPECIES):
            for i in range(LANES):
                grad[0, i] = 1.0
                grad[1, i] = 0.0
            for d in range(n_dimers):
                a = receptors.dimer_first[d]
                b = receptors.dimer_second[d]
                if a == s and b == s:
                    for i in range(LANES):
                        grad[1, i] += 2.0 * const[d, i]
                elif a == s:
                    for i in range(LANES):
                        grad[0, i] += const[d, i] * mono[b, i]
                elif b == s:
                    for i in range(LANES):
                        grad[0, i] += const[d, i] * mono[a, i]
            for i in range(LANES):
                p = grad[0, i]
                mono[s, i] = 2.0 * total[s, i] / (p + np.sqrt(p * p + 4.0 * grad[1, i] * total[s, i]))
    # Newton steps in ln m: Hessian diag(m + sum_b k_ab m_a m_b) + k_ab m_a m_b, positive definite
    # a lane that has converged keeps its digits, so that they do not depend on its neighbours
    going = pair[1]
    for i in range(LANES):
        going[i] = 1.0
    for _ in range(NEWTON_STEPS):
        for s in range(N_SPECIES):
            for i in range(LANES):
                grad[s, i] = mono[s, i] - total[s, i]
            for t in range(N_SPECIES):
                for i in range(LANES):
                    hess[s * N_SPECIES + t, i] = 0.0
        for d in range(n_dimers):
            a = receptors.dimer_first[d]
            b = receptors.dimer_second[d]
            if a == b:
                for i in range(LANES):
                    v = 2.0 * const[d, i] * mono[a, i] * mono[a, i]
                    grad[a, i] += v
                    hess[a * N_SPECIES + a, i] += v
            else:
                for i in range(LANES):
                    v = const[d, i] * mono[a, i] * mono[b, i]
                    grad[a, i] += v
                    grad[b, i] += v
                    hess[a * N_SPECIES + b, i] += v
                    hess[b * N_SPECIES + a, i] += v
        for s in range(N_SPECIES):
            for i in range(LANES):
                hess[s * N_SPECIES + s, i] += max(grad[s, i] + total[s, i], 1e-300)
        # Gaussian elimination without pivoting, safe for a positive definite matrix
        for p in range(N_SPECIES):
            for r in range(p + 1, N_SPECIES):
                for i in range(LANES):
                    f = hess[r * N_SPECIES + p, i] / hess[p * N_SPECIES + p, i]
                    pair[0, i] = f
                    grad[r, i] -= f * grad[p, i]
                for q in range(p + 1, N_SPECIES):
                    for i in range(LANES):
                        hess[r * N_SPECIES + q, i] -= pair[0, i] * hess[p * N_SPECIES + q, i]
        for p in range(N_SPECIES - 1, -1, -1):
            for q in range(p + 1, N_SPECIES):
                for i in range(LANES):
                    grad[p, i] -= hess[p * N_SPECIES + q, i] * grad[q, i]
            for i in range(LANES):
                grad[p, i] /= hess[p * N_SPECIES + p, i]
        for s in range(N_SPECIES):
            for i in range(LANES):
                step = exp(-min(max(grad[s, i], -2.0), 2.0))
                mono[s, i] *= step if going[i] > 0.0 else 1.0
        left = 0.0
        for i in range(LANES):
            largest = max(max(abs(grad[0, i]), abs(grad[1, i])), max(abs(grad[2, i]), abs(grad[3, i])))
            going[i] = going[i] if largest > NEWTON_ENOUGH else 0.0
        for i in range(LANES):
            left += going[i]
        if left == 0.0:
            break
    # recruitment relative to the reference cell
    for i in range(LANES):
        values[0, i] = 0.0
        values[1, i] = 0.0
    for d in range(n_dimers):
        a = receptors.dimer_first[d]
        b = receptors.dimer_second[d]
        wp = receptors.pi3k[d]
        wr = receptors.ras[d]
        for i in range(LANES):
            amount = const[d, i] * mono[a, i] * mono[b, i]
            values[0, i] += wp * amount
            values[1, i] += wr * amount
    # remaining inputs: bypass, pik3ca, pten, er, cyclin_e, bim
    for j in range(2, network.n_inputs):
        for i in range(LANES):
            values[j, i] = x[_BYPASS + j - 2, i]
        for k in range(n_slow):
            if network.slow_input[k] == j:
                gain = network.slow_gain[k]
                for i in range(LANES):
                    values[j, i] *= 1.0 + gain * x[_SLOW + k, i]
    for j in network.half_saturated:
        for i in range(LANES):
            values[j, i] = values[j, i] / (1.0 + values[j, i])
    # the graph, one pass in topological order
    for h in range(network.first_hill[0]):
        _hill(network, h, values, hills)
    for node in range(network.reaction_start.size - 1):
        target = values[network.n_inputs + node]
        for i in range(LANES):
            target[i] = 1.0
        for r in range(network.reaction_start[node], network.reaction_start[node + 1]):
            weight = network.reaction_weight[r]
            for i in range(LANES):
                pair[0, i] = weight
            for e in range(network.activator_start[r], network.activator_start[r + 1]):
                h = network.activator_hill[e]
                for i in range(LANES):
                    pair[0, i] *= hills[h, i]
            for e in range(network.inhibitor_start[r], network.inhibitor_start[r + 1]):
                h = network.inhibitor_hill[e]
                w = network.inhibitor_weight[e]
                for i in range(LANES):
                    pair[0, i] *= 1.0 - w * hills[h, i]
            for i in range(LANES):
                target[i] *= 1.0 - pair[0, i]
        for i in range(LANES):
            target[i] = 1.0 - target[i]
        for h in range(network.first_hill[node], network.first_hill[node + 1]):
            _hill(network, h, values, hills)
    for i in range(LANES):
        out[OUT_PROLIFERATION, i] = values[network.out_proliferation, i]
        out[OUT_APOPTOSIS, i] = values[network.out_apoptosis, i]
        out[OUT_SURVIVAL, i] = values[network.out_survival, i]
        out[OUT_ADAPTATION, i] = values[network.out_adaptation, i]


@njit(cache=True, nogil=True)
def _hill(network, h, values, hills):
    """Normalised Hill function number h for all lanes."""
    n = network.hill_n[h]
    beta = network.hill_beta[h]
    kappa = network.hill_kappa[h]
    source = network.hill_source[h]
    for i in range(LANES):
        power = exp(n * log(values[source, i]))
        hills[h, i] = beta * power / (kappa + power)


@njit(cache=True, nogil=True)
def scratch(receptors, network):
    """Scratch arrays of `evaluate_block`: one allocation per block of patients, none inside."""
    n = max(receptors.dimer_first.size, N_SPECIES * N_SPECIES)
    n_values = network.n_inputs + network.reaction_start.size - 1
    return (
        np.zeros((6, n, LANES)),
        np.zeros((n_values, LANES)),
        np.zeros((network.hill_source.size, LANES)),
    )
