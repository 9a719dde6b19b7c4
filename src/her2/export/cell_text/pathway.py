"""The pathway in the exported model: inputs, normalised Hill functions, nodes and slow states."""

from __future__ import annotations

from typing import Any

from her2.cell.effects import INPUT_TARGETS
from her2.cell.respond import REFERENCE_IGF1R, REFERENCE_MET
from her2.export.cell_course import readout_name
from her2.export.cell_text.drugs import DrugText
from her2.export.cell_text.text import ModelText, network_record, times
from her2.export.reference import HOURS_PER_DAY


class PathwayText:
    """Writes the pathway layer."""

    def __init__(self, text: ModelText, drugs: DrugText) -> None:
        self.text, self.drugs = text, drugs
        self.hill_name: list[str] = []
        self.pathway: dict[str, Any] = {n["id"]: n for n in network_record("pathway")["nodes"]}

    def write_inputs(self) -> None:
        network = self.text.model.network
        cell = self.text.attribute

        def level(*names: str) -> str:
            """Product of attributes and of what drugs leave of them."""
            return times(
                *(
                    x
                    for n in names
                    for x in (cell(n), self.drugs.what_is_left("input", n) if n in INPUT_TARGETS else "")
                )
            )

        igf1r = self.text.value("reference_igf1r", REFERENCE_IGF1R, "million", "of the reference cell")
        met = self.text.value("reference_met", REFERENCE_MET, "million", "of the reference cell")
        bound = self.text.value("reference_bound", 1.0, "million", "bound HER2 at half saturation")
        self.text.rule("surface_full", f"{cell('her2')}*(1 - {cell('p95_share')})", "million")
        bypass = self.text.parameter("population.bypass_median")
        sources = {
            "pi3k_recruitment": "recruitment_pi3k",
            "ras_recruitment": "recruitment_ras",
            "src_recruitment": "recruitment_src",
            "igf1r": f"{bypass}*{level('igf1r', 'igf1')}/{igf1r}",
            "met": f"{bypass}*{level('met', 'hgf')}/{met}",
            "epha2": level("epha2"),
            "epor": level("epor", "erythropoietin"),
            "beta2_ar": level("beta2_ar", "catecholamine"),
            "antibody_bound": f"occupancy_{self.text.model.receptors.antibodies[0]}*surface_full/{bound}",
            "src_level": level("src"),
            "inpp4b_loss": f"1 - {cell('inpp4b')}",
            "er": level("er", "estradiol"),
            "p27_loss": f"1 - {cell('p27')}",
            "bim_level": cell("bim"),
            "bcl2_level": cell("bcl2"),
        }
        for k, name in enumerate(network.names[: network.n_inputs]):
            expression = sources.get(name, cell(name))
            adapted = [f"positive(1 + gain_{w.name}*{w.name})" for w in network.slow if w.network_input == k]
            if adapted:
                expression = times(f"({expression})", *adapted)
            if k in network.half_saturated:
                expression = f"half_saturated({expression})"
            self.text.rule(f"input_{name}", expression)

    def write(self) -> None:
        network = self.text.model.network
        self.text.section("pathway: inputs, normalised Hill functions, nodes, slow states")
        self.write_inputs()
        hills: dict[tuple[float, float], int] = {}
        sources = network.hill_source.tolist()
        for h, source in enumerate(sources):
            key = (float(network.hill_n[h]), float(network.hill_kappa[h]))
            kind = hills.setdefault(key, len(hills) + 1)
            n, beta, kappa = (x[h] for x in (network.hill_n, network.hill_beta, network.hill_kappa))
            ec50 = (kappa / (2.0 * beta - 1.0)) ** (1.0 / n)
            self.text.value(
                f"n_{kind}",
                n,
                "dimensionless",
                f"Hill coefficient; ec50 = {ec50:.6g}",
                sbo="hill_coefficient",
            )
            self.text.value(f"beta_{kind}", beta, "dimensionless")
            self.text.value(f"kappa_{kind}", kappa, "dimensionless")
            name = f"f_{network.names[source]}" + (f"_{kind}" if sources.count(source) > 1 else "")
            self.hill_name.append(
                self.text.rule(name, f"hill({self.text.signal(source)}, n_{kind}, beta_{kind}, kappa_{kind})")
            )
        for node in range(network.n_nodes):
            self.write_node(node)
        for slow in network.slow:
            tau = self.text.value(
                f"tau_{slow.name}", slow.time_constant_d * HOURS_PER_DAY, "hour", sbo="time_constant"
            )
            driver = self.text.signal(slow.driver)
            before = self.text.untreated(driver)
            rise = f"{driver} - {before}" if slow.sign > 0.0 else f"{before} - {driver}"
            self.text.state(slow.name, "dimensionless", f"(positive({rise}) - {slow.name})/{tau}")

    def write_node(self, node: int) -> None:
        """A node relaxes to the OR over its reactions, each the AND of activators and of inhibitors' complements."""
        network = self.text.model.network
        name = network.names[network.n_inputs + node]
        record = self.pathway[name]
        tau = self.text.value(f"tau_{name}", network.time_constant_h[node], "hour", sbo="time_constant")
        terms = []
        reactions = range(int(network.reaction_start[node]), int(network.reaction_start[node + 1]))
        for number, (r, entry) in enumerate(zip(reactions, record["reactions"], strict=True), start=1):
            weight = f"w_{name}_{number}"
            self.text.value(weight, network.reaction_weight[r], "dimensionless", note=self.weight_note(entry))
            factors = [weight]
            for e in range(network.activator_start[r], network.activator_start[r + 1]):
                factors.append(self.hill_name[network.activator_hill[e]])
            for e in range(network.inhibitor_start[r], network.inhibitor_start[r + 1]):
                h = network.inhibitor_hill[e]
                source = network.names[network.hill_source[h]]
                inhibits = f"{weight}_{source}"
                self.text.value(inhibits, network.inhibitor_weight[e], "dimensionless", "inhibits")
                factors.append(f"(1 - {inhibits}*{self.hill_name[h]})")
            terms.append("*".join(factors))
        either = terms[0] if len(terms) == 1 else "1 - " + "*".join(f"(1 - {t})" for t in terms)
        left = self.drugs.what_is_left("node", name)
        target = either if left == "1" else f"({either})*{left}"
        self.text.state(
            readout_name(name),
            "dimensionless",
            f"({target} - {readout_name(name)})/{tau}",
            sbo="relative_activity",
        )

    def weight_note(self, entry: Any) -> str:
        """What an edge rests on."""
        by = " and ".join(entry["activators"]) or "always"
        parameter = self.text.record.get(entry["weight"])
        label = (
            f"{parameter.label}: {parameter.quality}, {parameter.source}. " if parameter is not None else ""
        )
        return f"Edge from {by}. {label}Claims: {', '.join(entry.get('claims', [])) or 'none'}."
