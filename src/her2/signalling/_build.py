"""Turn the reviewed network files into arrays; names are checked here, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from her2.errors import NetworkError, nearest
from her2.signalling.receptors import ReceptorLayer


def look_up(value: Mapping[str, float], name: str, where: str) -> float:
    """Value of a parameter, or a `NetworkError` naming the place and the nearest parameter."""
    if name not in value:
        raise NetworkError(f"{where}: no parameter '{name}'{nearest(name, value)}")
    return float(value[name])


def index_of(names: Sequence[str], name: str, kind: str, where: str) -> int:
    """Position of a declared name, or a `NetworkError` naming the place and the nearest name."""
    if name not in names:
        raise NetworkError(
            f"{where}: unknown {kind} '{name}'{nearest(name, names)} (declared: {', '.join(names)})"
        )
    return list(names).index(name)


def receptor_arrays(record: Mapping[str, Any], value: Mapping[str, float]) -> ReceptorLayer:
    """See `her2.signalling.receptors.build_receptor_layer`."""
    where = "network/receptors.yaml"
    species = tuple(s["id"] for s in record["species"])
    ligands = tuple(record["ligands"])
    antibodies = tuple(record["antibodies"])
    dimers = tuple(d["id"] for d in record["dimers"])
    kinases = tuple(record["kinases"])
    first, second, pi3k, ras, src, active = [], [], [], [], [], []
    channel_dimer, channel_ligand, strength, block = [], [], [], []
    for number, dimer in enumerate(record["dimers"]):
        place = f"{where}, dimers.{dimer['id']}"
        a, b = dimer["pair"]
        first.append(index_of(species, a, "receptor", place))
        second.append(index_of(species, b, "receptor", place))
        pi3k.append(look_up(value, dimer["pi3k"], place))
        ras.append(look_up(value, dimer["ras"], place))
        src.append(look_up(value, dimer["src"], place) if "src" in dimer else 0.0)
        share = np.zeros(len(kinases))
        for name, part in dimer["kinase"].items():
            share[index_of(kinases, name, "kinase", place)] = float(part)
        if abs(share.sum() - 1.0) > 1e-12:
            raise NetworkError(f"{place}, kinase: the shares add up to {share.sum():g}; expected 1")
        active.append(share)
        for channel in dimer["channels"]:
            channel_dimer.append(number)
            ligand = channel.get("ligand")
            channel_ligand.append(-1 if ligand is None else index_of(ligands, ligand, "ligand", place))
            strength.append(look_up(value, channel["strength"], place))
            row = np.zeros(len(antibodies))
            for antibody, parameter in channel["block"].items():
                row[index_of(antibodies, antibody, "antibody", place)] = look_up(value, parameter, place)
            block.append(row)
    downregulation = np.zeros((len(antibodies), len(species)))
    for entry in record["downregulation"]:
        place = f"{where}, downregulation"
        i = index_of(antibodies, entry["antibody"], "antibody", place)
        j = index_of(species, entry["species"], "receptor", place)
        downregulation[i, j] = look_up(value, entry["fraction"], place)
    ref = record["reference_cell"]
    place = f"{where}, reference_cell"
    for name in ("her2", "p95_share", "egfr", "her3", *ligands):
        if name not in ref:
            raise NetworkError(
                f"{place}: no parameter for '{name}'; expected one for each receptor and ligand"
            )
    her2, p95 = look_up(value, ref["her2"], place), look_up(value, ref["p95_share"], place)
    totals = {
        "egfr": look_up(value, ref["egfr"], place),
        "her2": her2 * (1.0 - p95),
        "her3": look_up(value, ref["her3"], place),
        "p95her2": her2 * p95,
    }  # the reference cell has none of the others
    return ReceptorLayer(
        species=species,
        dimers=dimers,
        ligands=ligands,
        antibodies=antibodies,
        dimer_first=np.array(first, dtype=np.int64),
        dimer_second=np.array(second, dtype=np.int64),
        channel_dimer=np.array(channel_dimer, dtype=np.int64),
        channel_ligand=np.array(channel_ligand, dtype=np.int64),
        channel_strength=np.array(strength),
        channel_block=np.array(block),
        downregulation=downregulation,
        pi3k=np.array(pi3k),
        ras=np.array(ras),
        reference_totals=np.array([totals.get(s, 0.0) for s in species]),
        reference_ligands=np.array([look_up(value, ref[name], place) for name in ligands]),
        src=np.array(src),
        kinases=kinases,
        dimer_kinase=np.array(active),
    )
