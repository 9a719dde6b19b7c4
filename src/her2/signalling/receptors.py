"""Receptor layer: the mass-action equilibrium of HER-family receptors and their dimers.

Receptors a and b on one cell form dimers with [ab] = K_ab m_a m_b, where m are the free monomers; each receptor is
conserved, m_a + sum_b (1 + [a is b]) K_ab m_a m_b = total_a. Antibodies change the constants K and, for
trastuzumab, the total of HER2; kinase inhibitors scale the activity of the dimers, not their number.
This module is the readable reference in NumPy; `her2.engine.signals` computes the same in the population kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SWEEPS = 4
"""Gauss-Seidel sweeps before Newton's method takes over."""
NEWTON_STEPS = 12
"""Newton steps in the logarithm of the free monomers, at most."""
NEWTON_ENOUGH = 1e-7
"""A cell whose last Newton step was below this has converged: the next error is of the order of its square."""


@dataclass(frozen=True)
class ReceptorLayer:
    """The receptor layer with every constant filled in; the arrays are indexed as the record lists them.

    Attributes
    ----------
    species, dimers, ligands, antibodies : names in order
    dimer_first, dimer_second : (dimers,) index of the two receptors
    channel_dimer : (channels,) dimer a channel forms
    channel_ligand : (channels,) index of the driving ligand, -1 for none
    channel_strength : (channels,), 1/(1e6 receptors/cell)
    channel_block : (channels, antibodies) share of the association blocked by full occupancy
    downregulation : (antibodies, species) share of the receptor lost at full occupancy
    pi3k, ras, src : (dimers,) recruitment per dimer, relative scale
    kinases : receptors with a kinase that inhibitors can hit
    dimer_kinase : (dimers, kinases) share of a dimer's activity that each kinase gives; rows add up to 1
    reference_totals, reference_ligands : (species,) and (ligands,) of the reference cell
    """

    species: tuple[str, ...]
    dimers: tuple[str, ...]
    ligands: tuple[str, ...]
    antibodies: tuple[str, ...]
    dimer_first: NDArray[np.int64]
    dimer_second: NDArray[np.int64]
    channel_dimer: NDArray[np.int64]
    channel_ligand: NDArray[np.int64]
    channel_strength: Array
    channel_block: Array
    downregulation: Array
    pi3k: Array
    ras: Array
    reference_totals: Array
    reference_ligands: Array
    src: Array
    kinases: tuple[str, ...]
    dimer_kinase: Array

    @cached_property
    def reference_recruitment(self) -> tuple[float, float]:
        """Unscaled PI3K and RAS recruitment of the untreated reference cell, solved once per layer."""
        totals, ligands = self.reference_totals[:, None], self.reference_ligands[:, None]
        constants = association_constants(self, ligands, np.zeros((len(self.antibodies), 1)))
        dimers = dimer_amounts(self, free_monomers(self, totals, constants), constants)[:, 0]
        return float(self.pi3k @ dimers), float(self.ras @ dimers)


def reduce_receptors(layer: ReceptorLayer, species: Sequence[str]) -> ReceptorLayer:
    """The same layer without the receptors that a population does not have: their dimers go with them."""
    keep = [layer.species.index(s) for s in species]
    place = {old: new for new, old in enumerate(keep)}
    dimers = [
        d
        for d in range(len(layer.dimers))
        if int(layer.dimer_first[d]) in place and int(layer.dimer_second[d]) in place
    ]
    channels = [c for c in range(layer.channel_dimer.size) if int(layer.channel_dimer[c]) in dimers]

    def moved(old: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.array([place[int(k)] for k in old], dtype=np.int64)

    return ReceptorLayer(
        species=tuple(layer.species[k] for k in keep),
        dimers=tuple(layer.dimers[d] for d in dimers),
        ligands=layer.ligands,
        antibodies=layer.antibodies,
        dimer_first=moved(layer.dimer_first[dimers]),
        dimer_second=moved(layer.dimer_second[dimers]),
        channel_dimer=np.array([dimers.index(int(layer.channel_dimer[c])) for c in channels], dtype=np.int64),
        channel_ligand=layer.channel_ligand[channels],
        channel_strength=layer.channel_strength[channels],
        channel_block=layer.channel_block[channels],
        downregulation=layer.downregulation[:, keep],
        pi3k=layer.pi3k[dimers],
        ras=layer.ras[dimers],
        reference_totals=layer.reference_totals[keep],
        reference_ligands=layer.reference_ligands,
        src=layer.src[dimers],
        kinases=layer.kinases,
        dimer_kinase=layer.dimer_kinase[dimers],
    )


def split_her2(her2: Array, p95_share: Array) -> tuple[Array, Array]:
    """Full-length HER2 and p95HER2 from total HER2 and the share without extracellular domain."""
    return her2 * (1.0 - p95_share), her2 * p95_share


def association_constants(layer: ReceptorLayer, ligands: Array, occupancy: Array) -> Array:
    """Association constant of every dimer under ligands and antibodies.

    Parameters
    ----------
    ligands : (ligands, cells), relative level
    occupancy : (antibodies, cells), fraction of HER2 bound, in [0, 1]

    Returns
    -------
    (dimers, cells), 1/(1e6 receptors/cell)
    """
    constants = np.zeros((len(layer.dimers), ligands.shape[1]))
    for channel, dimer in enumerate(layer.channel_dimer):
        value = np.full(ligands.shape[1], layer.channel_strength[channel])
        ligand = layer.channel_ligand[channel]
        if ligand >= 0:
            value = value * ligands[ligand]
        for antibody in range(len(layer.antibodies)):
            value = value * (1.0 - layer.channel_block[channel, antibody] * occupancy[antibody])
        constants[dimer] += value
    return constants


def free_monomers(layer: ReceptorLayer, totals: Array, constants: Array) -> Array:
    """Free monomers at equilibrium.

    Gauss-Seidel sweeps (each receptor's own quadratic solved exactly) followed by Newton steps on the convex
    potential of which the conservation laws are the gradient, until the step of a cell is below `NEWTON_ENOUGH`;
    see `residual` for what is left.

    Parameters
    ----------
    totals : (species, cells), 1e6 receptors/cell
    constants : (dimers, cells)

    Returns
    -------
    (species, cells), 1e6 receptors/cell, non-negative; zero where the total is zero
    """
    n, cells = totals.shape
    k = np.zeros((n, n, cells))
    for d, (a, b) in enumerate(zip(layer.dimer_first, layer.dimer_second, strict=True)):
        if a == b:
            k[a, a] += 2.0 * constants[d]
        else:
            k[a, b] += constants[d]
            k[b, a] += constants[d]
    m = totals.copy()
    for _ in range(SWEEPS):
        for a in range(n):
            partners = 1.0 + sum(k[a, b] * m[b] for b in range(n) if b != a)
            m[a] = 2.0 * totals[a] / (partners + np.sqrt(partners * partners + 4.0 * k[a, a] * totals[a]))
    going = np.ones(cells, dtype=bool)
    for _ in range(NEWTON_STEPS):
        # unknown: logarithm of m; gradient g_a = m_a + sum_b k_ab m_a m_b - total_a; Hessian is positive definite
        pair = k * m[:, None, :] * m[None, :, :]
        gradient = m + pair.sum(axis=1) - totals
        hessian = pair.copy()
        for a in range(n):
            hessian[a, a] += np.maximum(m[a] + pair[a].sum(axis=0), 1e-300)
        step = np.linalg.solve(np.moveaxis(hessian, 2, 0), np.moveaxis(gradient, 1, 0)[..., None])[..., 0].T
        m = np.where(going, m * np.exp(-np.clip(step, -2.0, 2.0)), m)
        going &= np.max(np.abs(step), axis=0) > NEWTON_ENOUGH
        if not going.any():
            break
    return m


def residual(layer: ReceptorLayer, totals: Array, constants: Array, monomers: Array) -> Array:
    """Largest violation of receptor conservation, relative to each total: (cells,), dimensionless."""
    total = monomers.copy()
    for d, (a, b) in enumerate(zip(layer.dimer_first, layer.dimer_second, strict=True)):
        amount = constants[d] * monomers[a] * monomers[b]
        total[a] += amount
        total[b] += amount
    scale = np.where(totals > 0.0, totals, 1.0)
    return np.asarray(np.max(np.abs(total - totals) / scale, axis=0))


def dimer_amounts(layer: ReceptorLayer, monomers: Array, constants: Array) -> Array:
    """Dimers at equilibrium: (dimers, cells), 1e6 dimers/cell."""
    return constants * monomers[layer.dimer_first] * monomers[layer.dimer_second]


def recruitment(layer: ReceptorLayer, dimers: Array, kinase: Array | None = None) -> tuple[Array, Array]:
    """PI3K and RAS recruitment relative to the untreated reference cell.

    Parameters
    ----------
    dimers : (dimers, cells), 1e6 dimers/cell
    kinase : (dimers, cells) remaining kinase activity under kinase inhibitors, default 1

    Returns
    -------
    two arrays (cells,), dimensionless; 1 for the untreated reference cell
    """
    active = dimers if kinase is None else dimers * kinase
    scale_pi3k, scale_ras = reference_recruitment(layer)
    return layer.pi3k @ active / scale_pi3k, layer.ras @ active / scale_ras


def reference_recruitment(layer: ReceptorLayer) -> tuple[float, float]:
    """Unscaled PI3K and RAS recruitment of the untreated reference cell."""
    return layer.reference_recruitment


def surface_totals(layer: ReceptorLayer, totals: Array, occupancy: Array) -> Array:
    """Receptor totals after down-regulation by bound antibody: (species, cells)."""
    left = totals.copy()
    for antibody in range(len(layer.antibodies)):
        for species in range(len(layer.species)):
            fraction = layer.downregulation[antibody, species]
            if fraction:
                left[species] = left[species] * (1.0 - fraction * occupancy[antibody])
    return left


def build_receptor_layer(record: Mapping[str, object], value: Mapping[str, float]) -> ReceptorLayer:
    """Receptor layer from its record (data/network/receptors.yaml) and the parameter values.

    Raises
    ------
    her2.errors.NetworkError
        If a dimer, channel or block names something that is not declared.
    """
    from her2.signalling._build import receptor_arrays

    return receptor_arrays(record, value)
