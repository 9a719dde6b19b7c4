"""Signalling of many single cells in compiled code: the whole network through the population kernel's function.

`her2.cell.respond.signals` is the readable form in NumPy and hands over to this module where there are many columns.
Importing it loads numba, and its first call ever compiles, so it is imported where it is used.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from her2.engine.layout import LANES, NetworkArrays, ReceptorArrays
from her2.engine.signals import (
    OUT_DRIVER,
    WORK_CONSTANT,
    WORK_MONOMER,
    WORK_TOTAL,
    evaluate_block,
    scratch,
)
from her2.errors import Her2Error
from her2.model import RECRUITED, network_arrays, receptor_arrays
from her2.signalling.network import Network
from her2.signalling.receptors import ReceptorLayer

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CellSignals:
    """Quasi-steady receptors and network of many cells.

    Attributes
    ----------
    dimers : (dimers, columns), 1e6 dimers/cell
    active : (dimers, columns), the same times the activity of their kinases
    recruitment : by network input, each (columns,), relative, before half-saturation
    values : (inputs + nodes, columns), in the order of `Network.names`
    residual : (columns,) relative violation of receptor conservation
    """

    dimers: Array
    active: Array
    recruitment: Mapping[str, Array]
    values: Array
    residual: Array


def evaluate_cells(
    layer: ReceptorLayer,
    network: Network,
    totals: Array,
    ligands: Array,
    occupancy: Array,
    kinase: Array,
    levels: Mapping[str, Array],
    slow: Array,
    left: Mapping[str, Array],
) -> CellSignals:
    """Quasi-steady signalling of many cells.

    Parameters
    ----------
    totals : (receptors, columns), 1e6 receptors/cell, after down-regulation by antibodies and adaptation
    ligands : (ligands, columns), relative
    occupancy : (antibodies, columns), share of each epitope bound
    kinase : (kinases, columns), activity relative to the uninhibited wild type
    levels : network inputs that do not come from receptors, by name, each (columns,), before half-saturation
    slow : (slow states, columns); they act on network inputs here
    left : share of a node that its inhibitors leave, by node, each (columns,); 1 where missing

    Raises
    ------
    her2.errors.Her2Error
        If an input is not finite; its name and first column are given.
    """
    receptors, graph = cell_arrays(layer, network)
    inputs = network.names[: network.n_inputs]
    taken = receptors.recruitment.shape[0]
    x = np.concatenate([totals, ligands, [levels[name] for name in inputs[taken:]], occupancy, slow])
    if not np.all(np.isfinite(x)):
        row, column = (int(k) for k in np.argwhere(~np.isfinite(x))[0])
        names = (
            *layer.species, *layer.ligands, *inputs[taken:], *layer.antibodies, *(s.name for s in network.slow),
        )  # fmt: skip
        raise Her2Error(f"signalling input {names[row]} is not finite in cell {column}")
    n = x.shape[1]
    nodes = network.names[network.n_inputs :]
    inhibited = np.array([nodes.index(name) for name in left], dtype=np.int64)
    shares = np.stack([np.asarray(share) for share in left.values()]) if left else np.empty((0, n))
    dimers = np.empty((len(layer.dimers), n))
    active = np.empty_like(dimers)
    values = np.empty((len(network.names), n))
    recruited = np.empty((taken, n))
    residual = np.empty(n)
    evaluate_columns(
        receptors, graph, x, np.ascontiguousarray(kinase), inhibited, shares,
        dimers, active, recruited, values, residual,
    )  # fmt: skip
    recruitment = dict(zip(RECRUITED[:taken], recruited, strict=True))
    return CellSignals(dimers, active, recruitment, values, residual)


_KEPT: dict[tuple[int, int], tuple[ReceptorArrays, NetworkArrays]] = {}
"""Arrays of the layers in use; an entry goes with the layer."""


def cell_arrays(layer: ReceptorLayer, network: Network) -> tuple[ReceptorArrays, NetworkArrays]:
    """Both layers for compiled code, without what `evaluate_cells` expects to have acted on the totals already."""
    key = id(layer), id(network)
    if key not in _KEPT:
        receptors = receptor_arrays(layer, network)
        graph = network_arrays(network)
        _KEPT[key] = (
            receptors._replace(downregulation=np.zeros_like(receptors.downregulation)),
            graph._replace(slow_receptor=np.full_like(graph.slow_receptor, -1)),
        )
        for owner in (layer, network):
            weakref.finalize(owner, _KEPT.pop, key, None)
    return _KEPT[key]


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate_columns(
    receptors, network, x, kinase, inhibited, left, dimers, active, recruited, values, residual
):
    """`evaluate_block` over any number of columns, block by block; the last is filled up with its last column.

    x : (rows, columns), see `evaluate_block`
    kinase : (kinases, columns)
    inhibited : (inhibited nodes,) their numbers; left : (inhibited nodes, columns) share of each that is left
    dimers, active : (dimers, columns), recruited : (recruited, columns), values : (inputs + nodes, columns),
        residual : (columns,); results
    """
    n = x.shape[1]
    n_species = receptors.downregulation.shape[1]
    work, block_values, hills, _, _ = scratch(receptors, network)
    block_x = np.zeros((x.shape[0], LANES))
    block_kinase = np.zeros((kinase.shape[0], LANES))
    share = np.zeros((left.shape[0], LANES))
    block_left = np.ones((network.reaction_start.size - 1 if left.shape[0] > 0 else 0, LANES))
    out = np.zeros((OUT_DRIVER + network.driver_node.size, LANES))
    total = work[WORK_TOTAL]
    mono = work[WORK_MONOMER]
    const = work[WORK_CONSTANT]
    bound = np.zeros((n_species, LANES))
    for first in range(0, n, LANES):
        width = min(LANES, n - first)
        _gather(x, first, width, block_x)
        _gather(kinase, first, width, block_kinase)
        _gather(left, first, width, share)
        for k in range(left.shape[0]):
            for i in range(LANES):
                block_left[inhibited[k], i] = share[k, i]
        evaluate_block(
            receptors, network, block_x, out, work, block_values, hills, block_kinase, block_left, width
        )
        for j in range(block_values.shape[0]):
            for i in range(width):
                values[j, first + i] = block_values[j, i]
        for s in range(n_species):
            for i in range(width):
                bound[s, i] = mono[s, i]
        for d in range(dimers.shape[0]):
            a = receptors.dimer_first[d]
            b = receptors.dimer_second[d]
            for i in range(width):
                amount = const[d, i] * mono[a, i] * mono[b, i]
                dimers[d, first + i] = amount
                active[d, first + i] = 0.0
                bound[a, i] += amount
                bound[b, i] += amount
            for k in range(kinase.shape[0]):
                weight = receptors.dimer_kinase[d, k]
                if weight != 0.0:
                    for i in range(width):
                        active[d, first + i] += weight * block_kinase[k, i]
            for i in range(width):
                active[d, first + i] *= dimers[d, first + i]
        for k in range(recruited.shape[0]):
            for i in range(width):
                recruited[k, first + i] = 0.0
            for d in range(dimers.shape[0]):
                weight = receptors.recruitment[k, d]
                for i in range(width):
                    recruited[k, first + i] += weight * active[d, first + i]
        for i in range(width):
            residual[first + i] = 0.0
        for s in range(n_species):
            for i in range(width):
                scale = total[s, i] if total[s, i] > 0.0 else 1.0
                residual[first + i] = max(residual[first + i], abs(bound[s, i] - total[s, i]) / scale)


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(table, first, width, block):
    """Columns of a table as one block of lanes."""
    for j in range(block.shape[0]):
        for i in range(width):
            block[j, i] = table[j, first + i]
        for i in range(width, LANES):
            block[j, i] = table[j, first + width - 1]
