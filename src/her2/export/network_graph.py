"""What the picture of the network shows: receptors, dimers, pathway, phenotype and drugs with the state of one cell.

Everything is read from the record's network files and the compiled model; a new node, edge, slow state or drug of the
record appears without any change here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from her2.cell.condition import Columns
from her2.cell.effects import is_disabled
from her2.cell.model import CellModel
from her2.cell.respond import readout_name, respond
from her2.drugs import actions_of
from her2.evidence.load import load_network
from her2.evidence.schema import Action
from her2.signalling.network import hill_value

Kind = Literal["ligand", "receptor", "dimer", "input", "node", "phenotype", "drug"]
HALF_COLOUR = 0.1
"""1e6/cell of receptors or dimers that are drawn in the middle of the colour scale."""
LIGAND_OF_INPUT = {
    "igf1": "igf1r", "hgf": "met", "estradiol": "er", "catecholamine": "beta2_ar", "erythropoietin": "epor",
    "src": "src_level",
}  # fmt: skip
"""Input of the network that an attribute feeds, where they differ in name."""
KILLS = {
    "effector_kill": "antibody-dependent kill by effector cells",
    "tcell_kill": "kill by the T cells that antibodies engage",
    "payload_kill": "kill by conjugates",
    "cytotoxic_kill": "kill by cytotoxics",
}
SYMBOLS = {
    "akt": "AKT", "akt1": "AKT1 mutant", "pi3k": "PI3K", "pip3": "PIP3", "pka": "PKA", "src": "Src", "ras": "RAS",
    "raf": "RAF", "mek": "MEK", "erk": "ERK", "foxo": "FOXO", "er": "ER", "vegf": "VEGF", "bcl2": "BCL2", "bim": "BIM",
    "jak2": "JAK2", "s6k": "S6K", "mtorc1": "mTORC1", "pten": "PTEN", "egfr": "EGFR", "her2": "HER2", "her3": "HER3",
    "her4": "HER4", "p95her2": "p95HER2", "p95": "p95", "delta16": "HER2Δ16", "igf1r": "IGF1R", "met": "MET",
    "epha2": "EphA2", "epor": "EPO receptor", "beta2": "β2", "ar": "AR", "pik3ca": "PIK3CA mutant", "egf": "EGF",
    "inpp4b": "INPP4B", "ptk6": "PTK6", "irs": "IRS", "her": "HER", "d1": "D1", "pdl1": "PD-L1",
    "tcell": "T-cell", "p27": "p27", "e": "E", "t_darpp": "t-Darpp", "er_nongenomic": "ER, non-genomic",
    "her2_adrenergic": "Adrenergic HER2", "beta2_ar": "β2-AR", "inpp4b_loss": "INPP4B loss",
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One box of the picture.

    Attributes
    ----------
    value, untreated : now and without drugs, in `unit`
    shade : 0 to 1, how the box is coloured; None for boxes that are not coloured by state
    about : what it is and rests on
    """

    id: str
    kind: Kind
    label: str
    value: float
    untreated: float
    unit: str
    shade: float | None
    about: str = ""


@dataclass(frozen=True)
class Link:
    """One arrow of the picture; `strength` is how much passes now, from 0 to 1."""

    source: str
    target: str
    sign: int
    strength: float
    about: str = ""


@dataclass(frozen=True)
class Loop:
    """A slow state: dashed, from its driver back to what it acts on."""

    id: str
    label: str
    driver: str
    target: str
    sign: int
    value: float
    about: str = ""


@dataclass(frozen=True)
class NetworkGraph:
    """Boxes, arrows and slow states of one cell in one condition."""

    items: tuple[Item, ...]
    links: tuple[Link, ...]
    loops: tuple[Loop, ...]
    title: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


def label_of(name: str) -> str:
    """A name for reading: known symbols as the field writes them."""
    if name in SYMBOLS:
        return SYMBOLS[name]
    words = name.split("_")
    text = " ".join(SYMBOLS.get(w, w) for w in words)
    return text if words[0] in SYMBOLS else text[:1].upper() + text[1:]


def dimer_label(first: str, second: str) -> str:
    """HER2:HER3."""
    return f"{SYMBOLS.get(first, first)}:{SYMBOLS.get(second, second)}"


def network_graph(model: CellModel, columns: Columns, days: float, title: str = "") -> NetworkGraph:
    """The network of one cell after some days in one condition.

    Parameters
    ----------
    columns : one cell; drugs at concentration 0 are left out

    Raises
    ------
    ValueError
        If there is not exactly one column.
    """
    if columns.size != 1:
        raise ValueError(f"the picture is of one cell, got {columns.size}")
    now = {k: float(v[0]) for k, v in respond(model, columns, days).values.items()}
    before = {k: float(v[0]) for k, v in respond(model, columns.without_drugs()).values.items()}
    return graph_of_state(model, columns, now, before, title)


def graph_of_state(
    model: CellModel, columns: Columns, now: Mapping[str, float], before: Mapping[str, float], title: str = ""
) -> NetworkGraph:
    """The network of one cell whose readouts are known.

    Parameters
    ----------
    now, before : every readout of the cell treated and untreated, by name
    """
    builder = _Builder(model, columns, now, before)
    builder.add_receptors()
    builder.add_pathway()
    builder.add_phenotype()
    builder.add_drugs()
    loops = builder.loops()
    return NetworkGraph(tuple(builder.items.values()), tuple(builder.links.values()), loops, title, now)


class _Builder:
    """Collects boxes and arrows."""

    def __init__(
        self, model: CellModel, columns: Columns, now: Mapping[str, float], before: Mapping[str, float]
    ) -> None:
        self.model, self.columns, self.now, self.before = model, columns, now, before
        self.record = load_network("receptors")
        self.items: dict[str, Item] = {}
        self.links: dict[tuple[str, str, int], Link] = {}

    def item(
        self,
        name: str,
        kind: Kind,
        label: str,
        readout: str,
        unit: str = "1",
        about: str = "",
        coloured: bool = True,
    ) -> None:
        value = self.now[readout]
        shade: float | None = (
            value / (value + HALF_COLOUR) if unit == "1e6/cell" else min(max(value, 0.0), 1.0)
        )
        self.items[name] = Item(
            name, kind, label, value, self.before[readout], unit, shade if coloured else None, about
        )

    def link(self, source: str, target: str, sign: int, strength: float, about: str) -> None:
        """An arrow; a second one between the same boxes joins the first."""
        key = (source, target, sign)
        old = self.links.get(key)
        if old is not None:
            strength = max(strength, old.strength)
            about = "\n".join(dict.fromkeys([*old.about.split("\n"), *about.split("\n")]))
        self.links[key] = Link(source, target, sign, min(max(strength, 0.0), 1.0), about)

    def add_receptors(self) -> None:
        layer = self.model.receptors
        species = {s["id"]: s for s in self.record["species"]}
        dimers = {d["id"]: d for d in self.record["dimers"]}
        for name in layer.ligands:
            level = float(self.columns.attributes[name][0])
            shade = level / (level + 1.0)
            self.items[f"ligand:{name}"] = Item(
                f"ligand:{name}", "ligand", label_of(name), level, level, "relative level", shade, "ligand"
            )
        for name in layer.species:
            about = f"{species[name].get('label', 'receptor')}; UniProt {species[name]['uniprot']}"
            self.item(f"receptor:{name}", "receptor", label_of(name), name, "1e6/cell", about)
        recruited = {
            path: {d: float(w[k]) * self.now[d] for k, d in enumerate(layer.dimers) if w[k]}
            for path, w in (("pi3k", layer.pi3k), ("ras", layer.ras), ("src", layer.src))
        }
        for d, name in enumerate(layer.dimers):
            first, second = (layer.species[int(k)] for k in (layer.dimer_first[d], layer.dimer_second[d]))
            about = f"dimer; claims: {', '.join(dimers[name].get('claims', [])) or 'none'}"
            self.item(f"dimer:{name}", "dimer", dimer_label(first, second), name, "1e6/cell", about)
            for receptor in dict.fromkeys((first, second)):
                total = self.now[receptor]
                copies = 2.0 if first == second else 1.0
                share = copies * self.now[name] / total if total > 0.0 else 0.0
                self.link(f"receptor:{receptor}", f"dimer:{name}", 1, share, f"{share:.2f} of the receptor")
            for channel in np.flatnonzero(layer.channel_dimer == d):
                if layer.channel_ligand[channel] >= 0:
                    ligand = layer.ligands[int(layer.channel_ligand[channel])]
                    strength = self.items[f"ligand:{ligand}"].shade or 0.0
                    self.link(f"ligand:{ligand}", f"dimer:{name}", 1, strength, "ligand-driven association")
            for path, amounts in recruited.items():
                if name in amounts:
                    whole = sum(amounts.values())
                    share = amounts[name] / whole if whole > 0.0 else 0.0
                    self.link(
                        f"dimer:{name}", f"{path}_recruitment", 1, share, f"{share:.2f} of the recruitment"
                    )

    def add_pathway(self) -> None:
        network = self.model.network
        record = load_network("pathway")
        labels = {i["id"]: i["label"] for i in record["inputs"]}
        nodes = {n["id"]: n for n in record["nodes"]}
        for name in network.names[: network.n_inputs]:
            self.item(name, "input", label_of(name), f"input_{name}", about=labels[name])
        values = np.array(
            [
                [self.now[f"input_{n}" if k < network.n_inputs else readout_name(n)]]
                for k, n in enumerate(network.names)
            ]
        )
        for node in range(network.n_nodes):
            name = network.names[network.n_inputs + node]
            self.item(name, "node", label_of(name), readout_name(name))
            reactions = range(int(network.reaction_start[node]), int(network.reaction_start[node + 1]))
            for r, entry in zip(reactions, nodes[name]["reactions"], strict=True):
                weight = float(network.reaction_weight[r])
                claims = f"claims: {', '.join(entry.get('claims', [])) or 'none'}"
                term = weight
                activators = range(int(network.activator_start[r]), int(network.activator_start[r + 1]))
                for e in activators:
                    term *= float(hill_value(network, network.activator_hill[e], values)[0])
                with_ = " and ".join(entry["activators"])
                for e in activators:
                    source = network.names[int(network.hill_source[network.activator_hill[e]])]
                    together = f" ({with_} together)" if len(activators) > 1 else ""
                    about = f"weight {weight:.3g}{together}, now {term:.3g}; {claims}"
                    self.link(source, name, 1, term, about)
                for e in range(int(network.inhibitor_start[r]), int(network.inhibitor_start[r + 1])):
                    h = int(network.inhibitor_hill[e])
                    source = network.names[int(network.hill_source[h])]
                    strength = float(network.inhibitor_weight[e])
                    lost = strength * float(hill_value(network, h, values)[0])
                    self.link(
                        source, name, -1, lost, f"weight {strength:.3g}, now stops {lost:.3g}; {claims}"
                    )

    def add_phenotype(self) -> None:
        output = {k: self.model.network.names[v] for k, v in self.model.network.outputs.items()}
        rate = "1/day"
        about = "relative to the reference cell"
        self.item("proliferation", "phenotype", "Proliferation", "proliferation", about=about, coloured=False)
        self.link(
            output["proliferation"], "proliferation", 1, self.now[readout_name(output["proliferation"])], ""
        )
        self.item(
            "death",
            "phenotype",
            "Apoptotic death",
            "apoptotic_kill",
            rate,
            "beyond untreated",
            coloured=False,
        )
        self.link(output["apoptosis"], "death", 1, self.now[readout_name(output["apoptosis"])], "")
        self.item("supply", "phenotype", "Loss by blood supply", "angiogenic_loss", rate, coloured=False)
        self.link("vegf", "supply", 1, self.now["vegf"], "blood supply that hangs on VEGF")
        self.item("net_growth", "phenotype", "Net growth", "net_growth", rate, coloured=False)
        self.link("proliferation", "net_growth", 1, min(self.now["proliferation"], 1.0), "")
        scale = max(abs(self.before["net_growth"]), 1e-9)
        for name, readout in (("death", "apoptotic_kill"), ("supply", "angiogenic_loss")):
            self.link(name, "net_growth", -1, self.now[readout] / scale, "")
        for name, about in KILLS.items():
            if self.now[name] != 0.0:
                self.item(name, "phenotype", label_of(name), name, rate, about, coloured=False)
                self.link(name, "net_growth", -1, self.now[name] / scale, "")

    def add_drugs(self) -> None:
        """Drugs above what they hit; one that both signals and kills hang on is drawn at both places."""
        for name, level in self.columns.concentrations.items():
            if not level[0] > 0.0:
                continue
            agent = self.model.agent(name)
            drawn: dict[str, list[tuple[str, int, float, str]]] = {"": [], ":kill": []}
            done = []
            for number, action in enumerate(actions_of(agent)):
                off = is_disabled(self.columns, name, action)
                done.append(
                    f"{action.on} {action.target or action.epitope or ''}".strip() + (" (off)" if off else "")
                )
                if off:
                    continue
                half = self.model.half[name, number]
                effect = float(level[0]) / (float(level[0]) + half) if np.isfinite(half) else 1.0
                about = f"{action.on}, {action.quality}, {action.source}: {action.locator}"
                if action.claims:
                    about += f"; claims: {', '.join(action.claims)}"
                sign, targets = self.drug_targets(action)
                for target in targets:
                    if target in self.items:
                        drawn[":kill" if target in KILLS else ""].append((target, sign, effect, about))
            about = "acts on " + ", ".join(dict.fromkeys(done))
            for place, links in drawn.items():
                if not links and (place or drawn[":kill"]):
                    continue
                key = f"drug:{name}{place}"
                self.items[key] = Item(
                    key, "drug", agent.name, float(level[0]), 0.0, "nmol/L at the cell", None, about
                )
                for target, sign, effect, why in links:
                    self.link(key, target, sign, effect, why)

    def drug_targets(self, action: Action) -> tuple[int, tuple[str, ...]]:
        """Sign and boxes that an action of a drug is drawn to."""
        species = {s["id"]: s for s in self.record["species"]}
        match action.on:
            case "epitope":
                held = [
                    f"receptor:{s}" for s, e in species.items() if e["antibody_epitope"] and self.now[s] > 0.0
                ]
                return -1, tuple(held)
            case "kinase" | "level":
                return -1, (f"receptor:{action.target}",)
            case "node":
                return -1, (action.target,)
            case "input" if action.target in self.model.receptors.ligands:
                return -1, (f"ligand:{action.target}",)
            case "input":
                return -1, (LIGAND_OF_INPUT.get(action.target, action.target),)
            case "vegf":
                return -1, ("vegf",)
            case "checkpoint":
                return 1, ("tcell_kill",)
            case "effector":
                return 1, ("effector_kill", "tcell_kill")
            case "payload":
                return 1, ("payload_kill",)
            case "cytotoxic":
                return 1, ("cytotoxic_kill",)
            case _:
                return -1, ()

    def loops(self) -> tuple[Loop, ...]:
        network, layer = self.model.network, self.model.receptors
        record = {s["id"]: s for s in load_network("pathway")["slow_states"]}
        found = []
        for state in network.slow:
            entry = record[state.name]
            driver = network.names[state.driver]
            if state.receptor >= 0:
                target = f"receptor:{layer.species[state.receptor]}"
            else:
                target = network.names[state.network_input]
            way = "rise" if state.sign > 0.0 else "fall"
            about = (
                f"follows the {way} of {label_of(driver)} from the untreated cell in {state.time_constant_d:.3g} days, "
                f"gain {state.gain:.3g}; claims: {', '.join(entry.get('claims', [])) or 'none'}"
            )
            sign = 1 if state.gain >= 0.0 else -1
            value = self.now[state.name]
            found.append(Loop(state.name, label_of(state.name), driver, target, sign, value, about))
        return tuple(found)
