"""Joins receptors, pathways, tumour and drugs into one executable model for a set of parameter values.

`build_model(values)` turns the record and a value for every parameter into the arrays the population kernel runs on
and the layers the NumPy reference runs on: one parameter set, every trial.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from her2.engine.layout import MAX_DRIVERS, CloneArrays, Constants, DrugArrays, NetworkArrays, ReceptorArrays
from her2.errors import NetworkError, RecordError, unknown
from her2.evidence.load import USER_VARIABLE, load_agent, load_network, merged_values
from her2.evidence.schema import Agent
from her2.signalling.network import Network, build_network, evaluate_network, half_saturated, reduce_network
from her2.signalling.receptors import (
    ReceptorLayer,
    association_constants,
    build_receptor_layer,
    dimer_amounts,
    free_monomers,
    recruitment,
    reduce_receptors,
    reference_recruitment,
    surface_totals,
)
from her2.units import DAYS_PER_WEEK, NM_TO_MG_PER_L

LN10 = math.log(10.0)


@dataclass(frozen=True)
class Model:
    """The compiled model.

    Attributes
    ----------
    values : every parameter, by id, in the unit of its record
    agents : agents the engine can give, in the order of the drug arrays
    receptors, network : layers of the NumPy reference
    receptor_arrays, network_arrays, constants, clones, drugs : the same for the kernel
    clone_names, genotype_names : in order
    """

    values: Mapping[str, float]
    agents: tuple[Agent, ...]
    receptors: ReceptorLayer
    network: Network
    receptor_arrays: ReceptorArrays
    network_arrays: NetworkArrays
    constants: Constants
    clones: CloneArrays
    drugs: DrugArrays
    clone_names: tuple[str, ...]
    clone_fraction_kinds: tuple[str, ...]
    genotype_names: tuple[str, ...]

    def drug_index(self, name: str) -> int:
        """Position of an agent in the drug arrays."""
        names = [a.id for a in self.agents]
        if name not in names:
            raise unknown("agent", name, names)
        return names.index(name)

    @property
    def cytotoxics(self) -> tuple[Agent, ...]:
        """Agents with a cytotoxic role, in the order of the cytotoxic arrays."""
        return tuple(a for a in self.agents if a.engine is not None and a.engine.role == "cytotoxic")


def engine_agents() -> tuple[str, ...]:
    """Agents of the record that have a role in the engine, sorted by id."""
    from her2.evidence.load import files_of

    # most agents are evidence only; a look at the text spares parsing them
    named = {
        p.stem for p in files_of("agents") if "\nengine:" in p.read_text(encoding="utf-8", errors="replace")
    }
    return tuple(sorted(named))


def build_model(values: Mapping[str, float] | None = None, agents: Sequence[str] | None = None) -> Model:
    """Compile the model for one set of parameter values.

    Parameters
    ----------
    values : parameter values that replace the record's, by id; the unit is that of the record.
    agents : agents to include, default all that have a role in the engine.

    Raises
    ------
    her2.errors.UnknownNameError
        A value for a parameter, or an agent, that does not exist.
    her2.errors.NetworkError
        A network file that cannot be compiled.
    """
    merged = merged_values(values)
    names = tuple(agents) if agents is not None else engine_agents()
    drugs = tuple(load_agent(n) for n in names)
    receptors, network = population_layers(merged)
    clones, clone_names, kinds, genotypes = _clone_arrays(_network_file("clones"))
    return Model(
        values=merged,
        agents=drugs,
        receptors=receptors,
        network=network,
        receptor_arrays=receptor_arrays(receptors, network),
        network_arrays=network_arrays(network, MAX_DRIVERS),
        constants=_constants(merged, receptors, network, drugs),
        clones=clones,
        drugs=_drug_arrays(drugs, merged),
        clone_names=clone_names,
        clone_fraction_kinds=kinds,
        genotype_names=genotypes,
    )


POPULATION_RECEPTORS = ("egfr", "her2", "her3", "p95her2")
"""Receptors that vary between virtual patients, in the order of the kernel; the others are absent in all of them."""


def full_layers(values: Mapping[str, float]) -> tuple[ReceptorLayer, Network]:
    """Receptor layer and network with all receptors, inputs and nodes, as a single cell has them."""
    receptors = build_receptor_layer(_network_file("receptors"), values)
    return receptors, build_network(_network_file("pathway"), values, receptors.species)


def population_layers(values: Mapping[str, float]) -> tuple[ReceptorLayer, Network]:
    """The same layers with what all virtual patients share folded into the weights."""
    receptors, network = full_layers(values)
    fixed = {
        i["id"]: _fixed_input(float(i["population"]), bool(i.get("half_saturated", False)))
        for i in _network_file("pathway")["inputs"]
        if "population" in i
    }
    place = {receptors.species.index(name): k for k, name in enumerate(POPULATION_RECEPTORS)}
    return reduce_receptors(receptors, POPULATION_RECEPTORS), reduce_network(network, fixed, place)


def _fixed_input(level: float, half: bool) -> float:
    return level / (1.0 + level) if half else level


def _network_file(name: str) -> Any:
    return _network_of(name, os.environ.get(USER_VARIABLE))


@lru_cache(maxsize=8)
def _network_of(name: str, _user: str | None) -> Any:
    return load_network(name)


RECRUITED = ("pi3k_recruitment", "ras_recruitment", "src_recruitment")
"""Network inputs that come from the receptor layer; they lead the inputs of the network, in this order."""


def receptor_arrays(layer: ReceptorLayer, network: Network) -> ReceptorArrays:
    """The receptor layer for compiled code, with the recruitments that the network takes.

    Raises
    ------
    her2.errors.NetworkError
        If the inputs that come from receptors do not lead the network's inputs.
    """
    inputs = network.names[: network.n_inputs]
    taken = [name for name in RECRUITED if name in inputs]
    if list(inputs[: len(taken)]) != taken:
        raise NetworkError(f"network/pathway.yaml, inputs: expected {', '.join(taken)} first, in this order")
    pi3k, ras = reference_recruitment(layer)
    weights = {
        "pi3k_recruitment": layer.pi3k / pi3k,
        "ras_recruitment": layer.ras / ras,
        "src_recruitment": layer.src,
    }
    return ReceptorArrays(
        n_ligands=len(layer.ligands),
        dimer_first=layer.dimer_first,
        dimer_second=layer.dimer_second,
        channel_dimer=layer.channel_dimer,
        channel_ligand=layer.channel_ligand,
        channel_strength=layer.channel_strength,
        channel_block=np.ascontiguousarray(layer.channel_block),
        downregulation=np.ascontiguousarray(layer.downregulation),
        recruitment=np.stack([weights[name] for name in taken]),
        dimer_kinase=np.ascontiguousarray(layer.dimer_kinase),
    )


def network_arrays(network: Network, most_drivers: int | None = None) -> NetworkArrays:
    """The network for compiled code: Hill evaluations sorted by source, each done as soon as its source is known.

    Parameters
    ----------
    most_drivers : drivers of adaptation that are followed, default as many as there are

    Raises
    ------
    her2.errors.NetworkError
        If the slow states have more drivers than are followed.
    """
    drivers = list(dict.fromkeys([network.outputs["adaptation"], *(s.driver for s in network.slow)]))
    most = len(drivers) if most_drivers is None else most_drivers
    if len(drivers) > most:
        raise NetworkError(
            "network/pathway.yaml, slow_states: the drivers "
            + ", ".join(network.names[k] for k in drivers)
            + f" are more than the {most} that the engine follows"
        )
    order = np.argsort(network.hill_source, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    source = network.hill_source[order]
    first = np.searchsorted(source, np.arange(network.n_inputs, len(network.names) + 1))
    return NetworkArrays(
        n_inputs=network.n_inputs,
        half_saturated=network.half_saturated,
        reaction_start=network.reaction_start,
        reaction_weight=network.reaction_weight,
        activator_start=network.activator_start,
        activator_hill=rank[network.activator_hill].astype(np.int64),
        inhibitor_start=network.inhibitor_start,
        inhibitor_hill=rank[network.inhibitor_hill].astype(np.int64)
        if network.inhibitor_hill.size
        else np.zeros(0, dtype=np.int64),
        inhibitor_weight=network.inhibitor_weight,
        hill_source=source.astype(np.int64),
        hill_n=network.hill_n[order],
        hill_beta=network.hill_beta[order],
        hill_kappa=network.hill_kappa[order],
        first_hill=first.astype(np.int64),
        slow_receptor=np.array([s.receptor for s in network.slow], dtype=np.int64),
        slow_input=np.array([s.network_input for s in network.slow], dtype=np.int64),
        slow_gain=np.array([s.gain for s in network.slow]),
        slow_tau=np.array([s.time_constant_d for s in network.slow]),
        slow_driver=np.array([drivers.index(s.driver) for s in network.slow], dtype=np.int64),
        slow_sign=np.array([s.sign for s in network.slow]),
        driver_node=np.array((drivers * most)[:most], dtype=np.int64),
        out_proliferation=network.outputs["proliferation"],
        out_apoptosis=network.outputs["apoptosis"],
        out_survival=network.outputs["survival_signal"],
    )


def _clone_arrays(record: Any) -> tuple[CloneArrays, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    genotypes = [g["id"] for g in record["genotypes"]]
    for clone in record["clones"]:
        if clone["genotype"] not in genotypes:
            raise unknown(
                "genotype", clone["genotype"], genotypes, f"network/clones.yaml, clones.{clone['id']}"
            )

    def column(name: str, default: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([float(g.get(name, default)) for g in record["genotypes"]])

    arrays = CloneArrays(
        genotype=np.array([genotypes.index(c["genotype"]) for c in record["clones"]], dtype=np.int64),
        cost=np.array([float(c["cost"]) for c in record["clones"]]),
        mdr=np.array([1.0 if c["mdr"] else 0.0 for c in record["clones"]]),
        her2_factor=column("her2_factor", 1.0),
        egfr_factor=column("egfr_factor", 1.0),
        bypass_added=column("bypass_added", 0.0),
        pten_factor=column("pten_factor", 1.0),
        pik3ca_added=column("pik3ca_added", 0.0),
        p95_share=column("p95_share", 0.0),
    )
    names = tuple(c["id"] for c in record["clones"])
    kinds = tuple(c.get("fraction", "") for c in record["clones"])
    return arrays, names, kinds, tuple(genotypes)


def _kd_mg_per_l(agents: Sequence[Agent], slot: str, barrier: float) -> float:
    """Effective dissociation constant in tumour, mg/L; huge where the antibody is not among the agents."""
    for agent in agents:
        if agent.engine is not None and agent.engine.slot == slot:
            kd = next(b for b in agent.binding if b.id == "kd")
            assert agent.molecular_weight is not None
            return kd.value * agent.molecular_weight.value * NM_TO_MG_PER_L * barrier
    return 1e9


def _constants(
    value: Mapping[str, float], receptors: ReceptorLayer, network: Network, agents: Sequence[Agent]
) -> Constants:
    reference = signals(
        receptors,
        network,
        totals=receptors.reference_totals[:, None],
        ligands=receptors.reference_ligands[:, None],
        occupancy=np.zeros((len(receptors.antibodies), 1)),
        inputs={
            "igf1r": np.array([value["population.bypass_median"]]),
            "pten": np.ones(1),
            "bim_level": np.ones(1),
        },
    )
    barrier = value["distribution.binding_barrier"]
    return Constants(
        cell_cycle_reference=float(reference["cell_cycle"][0]),
        bim_reference=float(reference["apoptosis"][0]),
        turnover=value["tumour.turnover"],
        apoptosis_kill=value["tumour.apoptosis_kill"],
        effector_kill=value["tumour.effector_kill"],
        fc_half=value["tumour.fc_half"],
        fc_weight_pertuzumab=value["tumour.fc_weight_pertuzumab"],
        chemo_synergy=value["tumour.chemo_synergy"],
        chemo_cycle_exponent=value["tumour.chemo_cycle_exponent"],
        line_tolerance=value["tumour.line_tolerance"],
        mdr_factor=value["tumour.mdr_factor"],
        log_floor=value["tumour.log_floor"],
        replenish=value["tumour.replenish_log10"] * LN10,
        kd_trastuzumab=_kd_mg_per_l(agents, "trastuzumab", barrier),
        kd_pertuzumab=_kd_mg_per_l(agents, "pertuzumab", barrier),
        tumour_partition=value["distribution.tumour_partition"],
        cns_partition_antibody=value["cns.antibody_partition"],
        new_lesion_hazard=value["observation.new_lesion_hazard"],
        new_lesion_exponent=value["observation.new_lesion_exponent"],
        death_hazard=value["death.hazard"],
        death_exponent=value["death.exponent"],
        death_reference=value["death.reference_log10"] * LN10,
        cns_death_weight=value["cns.death_weight"],
        cns_death_reference=value["cns.death_reference_log10"] * LN10,
        cns_seed_hazard=value["cns.seed_hazard"],
        cns_seed_exponent=value["cns.seed_exponent"],
        cns_effector=value["cns.effector_factor"],
        cns_detectable=value["cns.detectable_log10"] * LN10,
        cns_local_log_kill=value["cns.local_log10_kill"] * LN10,
        cns_seed_cells=value["cns.seed_cells_log10"] * LN10,
        scan_error=value["observation.scan_error"],
        measurable_floor=value["observation.measurable_floor"],
        line_gap_weeks=float(round(value["therapy.line_gap"] / DAYS_PER_WEEK)),
    )


def _drug_arrays(agents: Sequence[Agent], value: Mapping[str, float]) -> DrugArrays:
    slots = ("trastuzumab", "pertuzumab")
    antibody: list[int] = []
    cytotoxic: list[int] = []
    kill: list[float] = []
    exponent: list[float] = []
    partition: list[float] = []
    for agent in agents:
        role = agent.engine
        if role is None:
            raise RecordError(
                f"agents/{agent.id}.yaml: has no 'engine' section, so the engine cannot give it; "
                f"agents it can give: {', '.join(engine_agents())}"
            )
        if role.role == "antibody":
            assert role.slot is not None
            antibody.append(slots.index(role.slot))
            cytotoxic.append(-1)
        else:
            assert role.kill is not None and role.mdr_exponent is not None and role.cns_partition is not None
            antibody.append(-1)
            cytotoxic.append(len(kill))
            kill.append(value[role.kill])
            exponent.append(role.mdr_exponent)
            partition.append(role.cns_partition)
    return DrugArrays(
        antibody=np.array(antibody, dtype=np.int64),
        cytotoxic=np.array(cytotoxic, dtype=np.int64),
        kill=np.array(kill, dtype=np.float64),
        mdr_exponent=np.array(exponent, dtype=np.float64),
        ke0=np.full(len(kill), value["distribution.effect_site_rate"]),
        cns_partition=np.array(partition, dtype=np.float64),
    )


def signals(
    receptors: ReceptorLayer,
    network: Network,
    totals: np.ndarray[Any, np.dtype[np.float64]],
    ligands: np.ndarray[Any, np.dtype[np.float64]],
    occupancy: np.ndarray[Any, np.dtype[np.float64]],
    inputs: Mapping[str, np.ndarray[Any, np.dtype[np.float64]]],
    slow: np.ndarray[Any, np.dtype[np.float64]] | None = None,
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Quasi-steady signalling of many cells, the readable NumPy form of the kernel's evaluation.

    Parameters
    ----------
    totals : (receptors, cells), 1e6 receptors/cell, before down-regulation and adaptation
    ligands : (ligands, cells), relative
    occupancy : (antibodies, cells), fraction
    inputs : network inputs by name, each (cells,): levels relative to their reference; missing ones are 0
    slow : (slow states, cells) rise of each slow state, default 0

    Returns
    -------
    every input and node by name, each (cells,), and `residual`, the relative violation of receptor conservation
    """
    cells = totals.shape[1]
    rise = np.zeros((len(network.slow), cells)) if slow is None else slow
    total = surface_totals(receptors, totals, occupancy)
    x = np.zeros((network.n_inputs, cells))
    for name, level in inputs.items():
        k = network.names[: network.n_inputs]
        if name not in k:
            raise unknown("network input", name, k)
        x[k.index(name)] = level
    for number, state in enumerate(network.slow):
        if state.receptor >= 0:
            total[state.receptor] = total[state.receptor] * (1.0 + state.gain * rise[number])
        if state.network_input >= 0:
            x[state.network_input] = x[state.network_input] * (1.0 + state.gain * rise[number])
    constants = association_constants(receptors, ligands, occupancy)
    monomers = free_monomers(receptors, total, constants)
    x[0], x[1] = recruitment(receptors, dimer_amounts(receptors, monomers, constants))
    for k in network.half_saturated:
        x[k] = half_saturated(x[k])
    values = evaluate_network(network, x)
    from her2.signalling.receptors import residual

    result = dict(zip(network.names, values, strict=True))
    result["residual"] = residual(receptors, total, constants, monomers)
    return result
