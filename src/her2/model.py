"""Joins receptors, pathways, tumour and drugs into one executable model for a set of parameter values.

`build_model(values)` turns the record and a value for every parameter into the arrays the population kernel runs on
and the layers the NumPy reference runs on: one parameter set, every trial.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from her2.drugs import actions_of, drug_arrays, epitope_kd, needed_inputs
from her2.engine.layout import (
    MAX_DRIVERS,
    N_CLONE_ROWS,
    Attribute,
    CloneArrays,
    Constants,
    DrugArrays,
    InputArrays,
    NetworkArrays,
    ReceptorArrays,
)
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
from her2.units import DAYS_PER_WEEK

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
    inputs: InputArrays
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
        """Agents that kill by themselves, in the order of the drugs."""
        return tuple(a for a in self.agents if any(x.on == "cytotoxic" for x in actions_of(a)))

    def kd(self, antibody: str) -> float:
        """Concentration beside the tumour cells at which an antibody holds half of its epitope, mg/L."""
        agent = self.agents[self.drug_index(antibody)]
        return epitope_kd(agent, antibody, self.values)

    def giving(self, names: Iterable[str]) -> Model:
        """The same model with these agents only, sorted by id; itself if they are its own."""
        wanted = tuple(sorted(set(names)))
        if wanted == tuple(a.id for a in self.agents):
            return self
        agents = tuple(_agent_of(n, os.environ.get(USER_VARIABLE)) for n in wanted)
        if _layers_for(agents) != _layers_for(self.agents):
            return build_model(self.values, wanted)
        recruited = self.receptor_arrays.recruitment.shape[0]
        drugs = drug_arrays(agents, self.values, self.receptors, self.network, recruited)
        return replace(self, agents=agents, drugs=drugs)


REFERENCE_AGENTS = ("capecitabine", "docetaxel", "pertuzumab", "trastuzumab", "vinorelbine")
"""Agents of a model for which none are named: those of CLEOPATRA and of the lines after it."""


def trial_agents() -> tuple[str, ...]:
    """Agents that a trial can give: their record says what they do to a cell and at which dose; sorted by id."""
    return _trial_agents(os.environ.get(USER_VARIABLE))


@lru_cache(maxsize=2)
def _trial_agents(_user: str | None) -> tuple[str, ...]:
    from her2.evidence.load import files_of

    named = set()
    for path in files_of("agents"):
        # a look at the text spares parsing what is evidence only
        text = path.read_text(encoding="utf-8", errors="replace")
        if "\npharmacodynamics:" in text and "\nregimens:" in text:
            named.add(path.stem)
    return tuple(sorted(named))


def build_model(values: Mapping[str, float] | None = None, agents: Sequence[str] | None = None) -> Model:
    """Compile the model for one set of parameter values.

    Parameters
    ----------
    values : parameter values that replace the record's, by id; the unit is that of the record.
    agents : agents to include, default `REFERENCE_AGENTS`; a trial's model has its own (`Model.giving`).

    Raises
    ------
    her2.errors.UnknownNameError
        A value for a parameter, or an agent, that does not exist.
    her2.errors.NetworkError
        A network file that cannot be compiled.
    """
    merged = merged_values(values)
    names = tuple(agents) if agents is not None else REFERENCE_AGENTS
    drugs = tuple(_agent_of(n, os.environ.get(USER_VARIABLE)) for n in names)
    keep, also = _layers_for(drugs)
    receptors, network = population_layers(merged, keep, also)
    clones, clone_names, fractions, genotypes = _clone_arrays(_network_file("clones"))
    taken = receptor_arrays(receptors, network)
    recruited = taken.recruitment.shape[0]
    return Model(
        values=merged,
        agents=drugs,
        receptors=receptors,
        network=network,
        receptor_arrays=taken,
        network_arrays=network_arrays(network, MAX_DRIVERS),
        constants=_constants(merged, receptors, network),
        clones=clones,
        drugs=drug_arrays(drugs, merged, receptors, network, recruited),
        inputs=_input_arrays(network, recruited),
        clone_names=clone_names,
        clone_fraction_kinds=fractions,
        genotype_names=genotypes,
    )


def _layers_for(agents: Sequence[Agent]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Shared inputs and further nodes that the population's network keeps for these drugs."""
    also = ("vegf",) if any(x.on == "vegf" for a in agents for x in actions_of(a)) else ()
    return needed_inputs(agents, _shared_levels()), also


@lru_cache(maxsize=256)
def _agent_of(name: str, _user: str | None) -> Agent:
    return load_agent(name)


INPUT_ATTRIBUTES = {
    "igf1r": Attribute.BYPASS,
    "pik3ca": Attribute.PIK3CA,
    "pten": Attribute.PTEN,
    "er": Attribute.ER,
    "cyclin_e": Attribute.CYCLIN_E,
    "bim_level": Attribute.BIM,
}
"""Attribute of a virtual patient that feeds each network input."""


def _shared_levels() -> dict[str, float]:
    """Level of the network inputs that all virtual patients share, before half-saturation."""
    return {i["id"]: float(i["population"]) for i in _network_file("pathway")["inputs"] if "population" in i}


def _input_arrays(network: Network, recruited: int) -> InputArrays:
    shared = _shared_levels()
    names = network.names[recruited : network.n_inputs]
    for name in names:
        if name not in INPUT_ATTRIBUTES and name not in shared:
            raise unknown("network input", name, INPUT_ATTRIBUTES, "network/pathway.yaml")
    return InputArrays(
        attribute=np.array([int(INPUT_ATTRIBUTES.get(k, -1)) for k in names], dtype=np.int64),
        level=np.array([shared.get(k, 0.0) for k in names]),
    )


POPULATION_RECEPTORS = ("egfr", "her2", "her3", "p95her2")
"""Receptors that vary between virtual patients, in the order of the kernel; the others are absent in all of them."""


def full_layers(values: Mapping[str, float]) -> tuple[ReceptorLayer, Network]:
    """Receptor layer and network with all receptors, inputs and nodes, as a single cell has them."""
    receptors = build_receptor_layer(_network_file("receptors"), values)
    return receptors, build_network(_network_file("pathway"), values, receptors.species)


def population_layers(
    values: Mapping[str, float], keep: frozenset[str] = frozenset(), also: Sequence[str] = ()
) -> tuple[ReceptorLayer, Network]:
    """The same layers with what all virtual patients share folded into the weights.

    Parameters
    ----------
    keep : inputs that stay although all patients share them, since a drug changes them
    also : nodes that stay although no output needs them
    """
    receptors, network = full_layers(values)
    for name in also:
        network = replace(network, outputs={**network.outputs, name: network.names.index(name)})
    fixed = {
        i["id"]: _fixed_input(float(i["population"]), bool(i.get("half_saturated", False)))
        for i in _network_file("pathway")["inputs"]
        if "population" in i and i["id"] not in keep
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
        her2=layer.species.index("her2"),
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
        out_vegf=network.outputs.get("vegf", network.outputs["proliferation"]),
    )


def _clone_arrays(record: Any) -> tuple[CloneArrays, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    genotypes = [g["id"] for g in record["genotypes"]]
    if len(record["clones"]) != N_CLONE_ROWS + 1:
        # the kernel's arrays have this many rows
        raise RecordError(
            f"network/clones.yaml, clones: {len(record['clones'])} clones; the engine follows {N_CLONE_ROWS + 1}: "
            "give as many, those not wanted with a cost of 0"
        )
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
        effector_factor=np.array([float(c.get("effector_factor", 1.0)) for c in record["clones"]]),
        endocrine_factor=np.array([float(c.get("endocrine_factor", 1.0)) for c in record["clones"]]),
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


def _constants(value: Mapping[str, float], receptors: ReceptorLayer, network: Network) -> Constants:
    shared = {k: np.array([v]) for k, v in _shared_levels().items() if k in network.names[: network.n_inputs]}
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
            **shared,
        },
    )
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
        immune_tolerance=value["tumour.immune_tolerance"],
        er_drive=value["tumour.er_drive"],
        er_withdrawal_kill=value["tumour.er_withdrawal_kill"],
        mdr_factor=value["tumour.mdr_factor"],
        log_floor=value["tumour.log_floor"],
        replenish=value["tumour.replenish_log10"] * LN10,
        payload_half=value["payload.half_bound"],
        payload_exponent=value["payload.uptake_exponent"],
        angiogenesis_share=value["angiogenesis.share"],
        tcell_share=value["immune.tcell_share"],
        tcell_kill=value["immune.tcell_kill"],
        pdl1_brake=value["immune.pdl1"],
        new_lesion_hazard=value["observation.new_lesion_hazard"],
        new_lesion_exponent=value["observation.new_lesion_exponent"],
        death_hazard=value["death.hazard"],
        death_exponent=value["death.exponent"],
        death_line_rise=value["death.line_rise"],
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
        cns_entry=value["cohort.cns_burden_log10"] * LN10,
        cns_entry_sd=value["cohort.cns_burden_log10_sd"] * LN10,
        cns_response=math.log(value["cohort.cns_response_volume"]),
        pcr=value["cohort.pcr_log10"] * LN10,
        relapse=value["cohort.detection_log10"] * LN10,
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
