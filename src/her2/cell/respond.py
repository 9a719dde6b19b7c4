"""From a condition to signals and rates: receptors, network, adaptation, phenotype of many cells at once.

    rate = growth ((1 + turnover) proliferation - turnover)
           - speed [ k_apop max(0, apoptosis - untreated) + effector_kill + tcell_kill + payload_kill
                     + cytotoxic_kill + angiogenic_loss ]

with the same equations and parameters as the population kernel. A culture has its own growth and turnover; `speed`,
the ratio of its gross proliferation to that of a tumour, turns kill in a tumour into kill in culture. A cell without
the attributes that patients all share gives exactly the kernel's signals (tests).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from her2.cell.condition import Columns
from her2.cell.effects import Effects, drug_effects, is_disabled
from her2.cell.model import CellModel
from her2.drugs import actions_of, fc_affinity_factor
from her2.errors import Her2Error
from her2.signalling.network import Network, evaluate_network, half_saturated
from her2.signalling.receptors import (
    association_constants,
    dimer_amounts,
    free_monomers,
    reference_recruitment,
    residual,
    surface_totals,
)

Array = NDArray[np.float64]

CONVERGED = 1e-10
"""Largest relative violation of receptor conservation that counts as solved."""
DAYS_PER_STEP = 4.0
"""Longest step of the slow states; they relax in 10 days or more."""
COMPILED_COLUMNS = 256
"""From this many columns on, signals are evaluated by `her2.engine.cells` unless the caller says otherwise."""
SURVIVAL_FLOOR = 1e-6
SLOWEST = 0.2
"""Share of the reference cell's growth below which growth inhibition is not measured against a cell's own: one
that hardly grows has none to inhibit."""
REFERENCE_IGF1R = 0.0356
REFERENCE_MET = 0.0199
"""1e6 receptors/cell of BT-474-M3 (Hass 2017), which stand for the population's median bypass signalling."""
TUMOUR_RATES = (
    "net_growth", "mean_growth", "effector_kill", "tcell_kill", "payload_kill", "cytotoxic_kill", "angiogenic_loss",
)  # fmt: skip
"""Readouts in 1/day."""


@dataclass(frozen=True)
class Response:
    """What cells do in their conditions.

    Attributes
    ----------
    values : every readout by name, each (columns,): receptor and dimer amounts (1e6/cell), network nodes (1),
        slow states (1), phenotype (1 or 1/day)
    residual : (columns,) relative violation of receptor conservation
    slow : (slow states, columns)
    """

    values: Mapping[str, Array]
    residual: Array
    slow: Array

    def __getitem__(self, name: str) -> Array:
        if name not in self.values:
            from her2.errors import unknown

            raise unknown("readout", name, self.values)
        return self.values[name]


def respond(
    model: CellModel, columns: Columns, days: Array | float = 0.0, untreated: Columns | None = None
) -> Response:
    """Signals and rates after some days of treatment.

    Parameters
    ----------
    days : (columns,) or one number; 0 is the acute state before any adaptation
    untreated : the state from which adaptation starts, default the same cells without drugs

    Raises
    ------
    her2.errors.Her2Error
        If receptor binding did not converge to `CONVERGED`, or a value is not finite; the columns are named.
    """
    before = untreated if untreated is not None else columns.without_drugs()
    n = columns.size
    n_slow = len(model.network.slow)
    none = np.zeros((n_slow, n))
    effects_before = drug_effects(model, before)
    rest = signals(model, before, effects_before, none)
    effects = drug_effects(model, columns)
    length = np.broadcast_to(np.asarray(days, dtype=np.float64), (n,))
    slow = none
    acute = signals(model, columns, effects, slow)
    mean = np.zeros(n)
    longest = float(length.max(initial=0.0))
    if longest > 0.0 and n_slow:
        steps = max(2, math.ceil(longest / DAYS_PER_STEP))
        dt = length / steps
        state = acute
        start = rates(model, columns, effects, state, rest)["net_growth"]
        for _ in range(steps):
            middle = _relaxed(model, slow, state, rest, 0.5 * dt)
            state_middle = signals(model, columns, effects, middle)
            slow = _relaxed(model, slow, state_middle, rest, dt)
            state = signals(model, columns, effects, slow)
            end = rates(model, columns, effects, state, rest)["net_growth"]
            centre = rates(model, columns, effects, state_middle, rest)["net_growth"]
            mean += (start + 4.0 * centre + end) / 6.0 / steps
            start = end
        values = state
    else:
        values = acute
    phenotype = rates(model, columns, effects, values, rest)
    phenotype["mean_growth"] = np.where(length > 0.0, mean, phenotype["net_growth"])
    result = {**values, **phenotype}
    result["untreated_growth"] = rates(model, before, effects_before, rest, rest)["net_growth"]
    share = columns.attributes["heterogeneity"]
    if np.any(share > 0.0):
        result = _mixed(model, columns, length, before, result)
    result["growth_inhibition"] = (result["untreated_growth"] - result["mean_growth"]) / np.maximum(
        result["untreated_growth"], SLOWEST * _reference_growth(model, columns)
    )
    _check(result)
    return Response(result, result["residual"], slow)


def _reference_growth(model: CellModel, columns: Columns) -> Array:
    """Net growth of the untreated reference cell where each column is, 1/day: (columns,)."""
    in_culture = np.array([c == "culture" for c in columns.compartments])
    return np.where(in_culture, model.values["culture.growth"], model.values["tumour.growth"])


def _relaxed(
    model: CellModel, slow: Array, now: Mapping[str, Array], rest: Mapping[str, Array], dt: Array
) -> Array:
    """Slow states after dt days in which their drivers keep their values."""
    new = np.empty_like(slow)
    for k, state in enumerate(model.network.slow):
        name = readout_name(model.network.names[state.driver])
        drive = np.maximum(state.sign * (now[name] - rest[name]), 0.0)
        new[k] = drive + (slow[k] - drive) * np.exp(-dt / state.time_constant_d)
    return new


def readout_name(name: str) -> str:
    """Name of a node's value among the readouts."""
    return "apoptosis_signal" if name == "apoptosis" else name


def receptor_totals(
    model: CellModel, a: Mapping[str, Array], effects: Effects, slow: Array
) -> tuple[Array, Array]:
    """Totals of all receptors under treatment, (receptors, columns), and the extracellular domain shed, (columns,)."""
    v = model.values
    layer = model.receptors
    fragments = a["her2"] * a["p95_share"]
    variant = (a["her2"] - fragments) * a["delta16_share"]
    whole = a["her2"] - fragments - variant
    excess = v["receptors.shedding_adam10"] * a["adam10"]
    bound_block = effects.shedding
    cut = whole * excess / (1.0 + excess) * bound_block
    totals_by_name = {
        "egfr": a["egfr"], "her2": whole - cut, "her3": a["her3"], "her4": a["her4"],
        "p95her2": fragments + cut, "delta16": variant,
    }  # fmt: skip
    totals = np.stack([totals_by_name[s] for s in layer.species])
    for row, name in enumerate(layer.species):
        if name in ("her2", "p95her2", "delta16"):
            totals[row] = totals[row] * a["hsp90"]
        if name in effects.level:
            totals[row] = totals[row] * effects.level[name]
    totals = surface_totals(layer, totals, effects.occupancy)
    for number, state in enumerate(model.network.slow):
        if state.receptor >= 0:
            totals[state.receptor] = totals[state.receptor] * np.maximum(1.0 + state.gain * slow[number], 0.0)
    shed = v["receptors.shedding"] * (1.0 + a["adam10"]) * totals[layer.species.index("her2")] * bound_block
    return totals, shed


def network_inputs(model: CellModel, a: Mapping[str, Array], effects: Effects) -> dict[str, Array]:
    """Network inputs that do not come from the receptor layer, as levels before half-saturation, each (columns,)."""
    v = model.values
    left = effects.inputs

    def kept(name: str) -> Array | float:
        return left.get(name, 1.0)

    bypass = v["population.bypass_median"]
    return {
        "igf1r": bypass * a["igf1r"] / REFERENCE_IGF1R * a["igf1"] * kept("igf1r") * kept("igf1"),
        "met": bypass * a["met"] / REFERENCE_MET * a["hgf"] * kept("met") * kept("hgf"),
        "epha2": a["epha2"] * kept("epha2"),
        "epor": a["epor"] * a["erythropoietin"] * kept("epor") * kept("erythropoietin"),
        "beta2_ar": a["beta2_ar"] * a["catecholamine"] * kept("beta2_ar") * kept("catecholamine"),
        "antibody_bound": effects.occupancy[0] * a["her2"] * (1.0 - a["p95_share"]),
        "src_level": a["src"] * kept("src"),
        "pik3ca": a["pik3ca"],
        "pten": a["pten"],
        "inpp4b_loss": 1.0 - a["inpp4b"],
        "akt1": a["akt1"],
        "t_darpp": a["t_darpp"],
        "er": a["er"] * a["estradiol"] * kept("er") * kept("estradiol"),
        "cyclin_e": a["cyclin_e"],
        "p27_loss": 1.0 - a["p27"],
        "bim_level": a["bim"],
        "bcl2_level": a["bcl2"],
        "ptk6": a["ptk6"],
        "apoptosis_block": a["apoptosis_block"],
    }


def signals(
    model: CellModel, columns: Columns, effects: Effects, slow: Array, *, compiled: bool | None = None
) -> dict[str, Array]:
    """Quasi-steady receptors and network: every amount and node by name, each (columns,), and `residual`.

    Parameters
    ----------
    slow : (slow states, columns)
    compiled : True for compiled code instead of NumPy: the same equations, equal to within rounding, with seconds of
        compilation at the very first call; default from `COMPILED_COLUMNS` columns on
    """
    layer, network, a = model.receptors, model.network, columns.attributes
    totals, shed = receptor_totals(model, a, effects, slow)
    ligands = np.stack([a[name] * effects.inputs.get(name, np.ones(columns.size)) for name in layer.ligands])
    kinase = effects.kinase.copy()
    her2 = layer.kinases.index("her2")
    kinase[her2] = kinase[her2] * (1.0 + model.values["receptors.her2_mutation_gain"] * a["her2_mutation"])
    levels = network_inputs(model, a, effects)
    if columns.size >= COMPILED_COLUMNS if compiled is None else compiled:
        from her2.engine.cells import evaluate_cells

        state = evaluate_cells(
            layer, network, totals, ligands, effects.occupancy, kinase, levels, slow, effects.node
        )
        dimers, active, values, violation = state.dimers, state.active, state.values, state.residual
        levels.update(state.recruitment)
    else:
        constants = association_constants(layer, ligands, effects.occupancy)
        monomers = free_monomers(layer, totals, constants)
        dimers = dimer_amounts(layer, monomers, constants)
        violation = residual(layer, totals, constants, monomers)
        active = dimers * (layer.dimer_kinase @ kinase)
        scale_pi3k, scale_ras = reference_recruitment(layer)
        levels["pi3k_recruitment"] = layer.pi3k @ active / scale_pi3k
        levels["ras_recruitment"] = layer.ras @ active / scale_ras
        levels["src_recruitment"] = layer.src @ active
        values = _network_values(network, levels, slow, effects.node)
    result = {f"input_{k}": values[r] for r, k in enumerate(network.names[: network.n_inputs])}
    result.update(
        {
            readout_name(k): values[network.n_inputs + r]
            for r, k in enumerate(network.names[network.n_inputs :])
        }
    )
    result.update(dict(zip(layer.species, totals, strict=True)))
    result.update(dict(zip(layer.dimers, dimers, strict=True)))
    result["surface_her2"] = totals[layer.species.index("her2")]
    result["serum_ecd"] = shed
    result["igf1r"] = levels["igf1r"]
    result["met"] = levels["met"]
    result["recruitment_pi3k"] = levels["pi3k_recruitment"]
    result["recruitment_ras"] = levels["ras_recruitment"]
    result["her2_activity"] = sum(
        (active[d] for d in range(len(layer.dimers)) if layer.dimer_kinase[d, her2] > 0.0),
        np.zeros(columns.size),
    )
    result["egfr_activity"] = sum(
        (
            active[d]
            for d in range(len(layer.dimers))
            if layer.dimer_kinase[d, layer.kinases.index("egfr")] > 0.0
        ),
        np.zeros(columns.size),
    )
    result.update({s.name: slow[k] for k, s in enumerate(network.slow)})
    result["residual"] = violation
    return result


def _network_values(
    network: Network, levels: Mapping[str, Array], slow: Array, left: Mapping[str, Array]
) -> Array:
    """Inputs and nodes, (inputs + nodes, columns), from levels of the inputs before half-saturation."""
    x = np.stack([levels[name] for name in network.names[: network.n_inputs]])
    for number, state in enumerate(network.slow):
        if state.network_input >= 0:
            x[state.network_input] = x[state.network_input] * np.maximum(1.0 + state.gain * slow[number], 0.0)
    for row in network.half_saturated:
        x[row] = half_saturated(x[row])
    return evaluate_network(network, x, left)


def rates(
    model: CellModel, columns: Columns, effects: Effects, now: Mapping[str, Array], rest: Mapping[str, Array]
) -> dict[str, Array]:
    """Phenotype of cells whose signals are `now` and were `rest` untreated: each (columns,), 1 or 1/day."""
    v, a = model.values, columns.attributes
    free = a["independent"]
    # the drive outside the network is that of ER where there is one
    er_left = a["er"] * effects.inputs.get("er", 1.0) * effects.inputs.get("estradiol", 1.0)
    er_loss = a["er"] / (1.0 + a["er"]) - er_left / (1.0 + er_left)
    pr = free * (1.0 - v["tumour.er_drive"] * er_loss)
    pr = pr + (1.0 - free) * now["cell_cycle"] / model.proliferation_reference
    pr_rest = free + (1.0 - free) * rest["cell_cycle"] / model.proliferation_reference
    apoptosis = (1.0 - free) * now["apoptosis_signal"] / model.apoptosis_reference
    apoptosis_rest = (1.0 - free) * rest["apoptosis_signal"] / model.apoptosis_reference
    growth = v["tumour.growth"]
    in_culture = np.array([c == "culture" for c in columns.compartments])
    in_cns = np.array([c == "cns" for c in columns.compartments])
    turnover, turnover_culture = v["tumour.turnover"], v["culture.turnover"]
    speed = np.where(
        in_culture, v["culture.growth"] * (1.0 + turnover_culture) / (growth * (1.0 + turnover)), 1.0
    )
    effector, tcell = immune_kill(model, columns, effects, in_cns)
    payload = payload_kill(model, columns, effects, now)
    lost = np.maximum(rest["akt"] - now["akt"], 0.0) / (rest["akt"] + SURVIVAL_FLOOR)
    cycling = np.clip(pr / np.maximum(pr_rest, 1e-12), 1e-6, 1.0)
    factor = (1.0 + v["tumour.chemo_synergy"] * (1.0 - free) * lost) * cycling ** v[
        "tumour.chemo_cycle_exponent"
    ]
    chemo = cytotoxic_kill(model, columns) * factor
    vegf = np.clip(now["vegf"] / np.maximum(rest["vegf"], 1e-12), 0.0, 1.0)
    supply = growth * (1.0 + turnover) * pr * v["angiogenesis.share"] * effects.vegf * vegf * a["vasculature"]
    drive = np.where(
        in_culture,
        v["culture.growth"] * ((1.0 + turnover_culture) * pr - turnover_culture),
        growth * ((1.0 + turnover) * pr - turnover),
    )
    death = v["tumour.apoptosis_kill"] * np.maximum(apoptosis - apoptosis_rest, 0.0)
    death = death + v["tumour.er_withdrawal_kill"] * free * er_loss
    usual = np.where(
        in_culture, 0.0, v["immune.tcell_kill"] * np.where(in_cns, v["cns.effector_factor"], 1.0)
    )
    net = drive - speed * (death + effector + tcell - usual + payload + chemo + supply)
    return {
        "proliferation": pr,
        "apoptosis": apoptosis,
        "free_vegf": now["vegf"] * (1.0 - effects.vegf),
        "effector_kill": speed * effector,
        "tcell_kill": speed * tcell,
        "payload_kill": speed * payload,
        "cytotoxic_kill": speed * chemo,
        "angiogenic_loss": speed * supply,
        "apoptotic_kill": speed * death,
        "net_growth": net,
    }


def immune_kill(
    model: CellModel, columns: Columns, effects: Effects, in_cns: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Kill by effector cells and by the T cells that antibodies engage, 1/day in a tumour, each (columns,)."""
    v, a = model.values, columns.attributes
    full = a["her2"] * (1.0 - a["p95_share"])
    load = np.zeros(columns.size)
    weighted = np.zeros(columns.size)
    for name in columns.concentrations:
        for action in actions_of(model.agent(name)):
            if action.on != "effector" or is_disabled(columns, name, action):
                continue
            assert action.epitope is not None and action.weight is not None
            assert action.fc_v is not None and action.fc_f is not None
            share = effects.bound.get((name, action.epitope), np.zeros(columns.size))
            weight = action.weight * (
                v["tumour.fc_weight_pertuzumab"] if action.epitope == "pertuzumab" else 1.0
            )
            amount = full * share * weight
            load += amount
            weighted += amount * fc_affinity_factor(model.values, a["fcgr3a_v"], action.fc_v, action.fc_f)
    affinity = np.where(load > 0.0, weighted / np.where(load > 0.0, load, 1.0), 1.0)
    alleles = np.exp(v["immune.fcgr2a"] * (a["fcgr2a_h"] - 1.0) + v["immune.fcgr2b"] * a["fcgr2b_t"])
    whole = (
        v["tumour.effector_kill"] * a["effector"] * load / (load + v["tumour.fc_half"]) * affinity * alleles
    )
    whole = whole * np.where(in_cns, v["cns.effector_factor"], 1.0)
    brake = (1.0 - v["immune.pdl1"] * a["pdl1"] * effects.checkpoint.get("pdl1", 1.0)) * (
        1.0 - v["immune.ctla4"] * a["ctla4"] * effects.checkpoint.get("ctla4", 1.0)
    )
    by_t_cells = v["immune.tcell_share"]
    active = a["til"] * brake
    enriched = 1.0 + v["immune.signature"] * a["immune_signature"]
    # T cells that no antibody engages: the growth rate of the untreated cell already holds those of the typical tumour
    alone = v["immune.tcell_kill"] * np.where(in_cns, v["cns.effector_factor"], 1.0) * active
    return whole * (1.0 - by_t_cells), whole * by_t_cells * active * enriched + alone


def payload_kill(model: CellModel, columns: Columns, effects: Effects, now: Mapping[str, Array]) -> Array:
    """Kill by conjugates taken up with bound HER2, 1/day in a tumour: (columns,)."""
    v, a = model.values, columns.attributes
    half, exponent = v["payload.half_bound"], v["payload.uptake_exponent"]
    total = np.zeros(columns.size)
    surface = now["surface_her2"] + now["delta16"]

    def uptake(amount: Array) -> Array:
        power = np.maximum(amount, 0.0) ** exponent
        return np.asarray(power / (power + half**exponent))

    saturated = float(uptake(np.array([0.95]))[0])
    for name in columns.concentrations:
        for action in actions_of(model.agent(name)):
            if action.on != "payload" or is_disabled(columns, name, action):
                continue
            assert (
                action.epitope is not None
                and action.parameter is not None
                and action.per_antibody is not None
            )
            share = effects.bound.get((name, action.epitope), np.zeros(columns.size))
            efflux = v["tumour.mdr_factor"] ** (a["mdr"] * (action.mdr_exponent or 0.0))
            total += v[action.parameter] * uptake(surface * share) / saturated * efflux
    return total


def cytotoxic_kill(model: CellModel, columns: Columns) -> Array:
    """Kill by cytotoxics before any interplay with the signals, 1/day in a tumour: (columns,).

    The parameter of each is its kill at the label exposure, where the concentration equals the action's `half`.
    """
    v, a = model.values, columns.attributes
    total = np.zeros(columns.size)
    lymphocytes = np.maximum(a["til"], 1e-3) ** v["immune.til_chemotherapy"]
    lymphocytes = np.where(a["til"] > 0.0, lymphocytes, 1.0)
    for name, concentration in columns.concentrations.items():
        for number, action in enumerate(actions_of(model.agent(name))):
            if action.on != "cytotoxic" or is_disabled(columns, name, action):
                continue
            assert action.parameter is not None
            effect = 2.0 * concentration / (concentration + model.half[name, number])
            efflux = v["tumour.mdr_factor"] ** (a["mdr"] * (action.mdr_exponent or 0.0))
            total += v[action.parameter] * effect * efflux * lymphocytes
    return total


def _mixed(
    model: CellModel, columns: Columns, days: Array, before: Columns, whole: dict[str, Array]
) -> dict[str, Array]:
    """A tumour in which a share of the cells has little HER2: growth rates are those of the mixture at its start."""
    factor = model.values["heterogeneity.her2_factor"]
    none = np.zeros(columns.size)

    def low(c: Columns) -> Columns:
        return replace(
            c, attributes={**c.attributes, "her2": c.attributes["her2"] * factor, "heterogeneity": none}
        )

    other = respond(model, low(columns), days, low(before)).values
    share = columns.attributes["heterogeneity"]
    result = dict(whole)
    for name in ("untreated_growth", *TUMOUR_RATES):
        result[name] = (1.0 - share) * whole[name] + share * other[name]
    return result


def _check(values: Mapping[str, Array]) -> None:
    stuck = np.flatnonzero(~(values["residual"] <= CONVERGED))
    if stuck.size:
        raise Her2Error(
            f"receptor binding did not converge to {CONVERGED:g} in {stuck.size} of {values['residual'].size} cells "
            f"(first: {stuck[0]}, residual {values['residual'][stuck[0]]:.2g}); check its receptor levels"
        )
    for name, x in values.items():
        if not np.all(np.isfinite(x)):
            raise Her2Error(f"readout {name} is not finite in cell {int(np.flatnonzero(~np.isfinite(x))[0])}")
