"""Receptors in the exported model: totals, binding and dissociation of dimers, and what they recruit."""

from __future__ import annotations

import numpy as np

from her2.export.cell_text.drugs import DrugText
from her2.export.cell_text.text import SBO, ModelText, number, times
from her2.signalling.receptors import reference_recruitment


class ReceptorText:
    """Writes the receptor layer."""

    def __init__(self, text: ModelText, drugs: DrugText) -> None:
        self.text, self.drugs = text, drugs

    def write(self) -> None:
        layer, network = self.text.model.receptors, self.text.model.network
        self.text.section("receptors")
        self.text.lines.append("compartment membrane = 1; membrane has dimensionless;")
        self.text.lines.append(f"membrane.sboTerm = {SBO['compartment']};")
        self.text.value("k_off", self.text.equations.k_off, "per_hour", "dissociation of dimers, assumed fast",
                   sbo="dissociation_rate")  # fmt: skip
        self.text.value("k_turn", self.text.equations.k_turn, "per_hour", "turnover of receptors, assumed fast",
                   sbo="decay_constant")  # fmt: skip
        for slow in network.slow:
            self.text.value(f"gain_{slow.name}", slow.gain, "dimensionless")
        for a, antibody in enumerate(layer.antibodies):
            for s, species in enumerate(layer.species):
                if layer.downregulation[a, s]:
                    self.text.value(
                        f"downregulation_{species}_{antibody}",
                        layer.downregulation[a, s],
                        "dimensionless",
                        "share of the receptor lost at full occupancy",
                    )
        self.write_totals()
        for name in (*layer.species, *layer.dimers):
            state = name if name in layer.dimers else f"free_{name}"
            kind = "complex" if name in layer.dimers else "polypeptide"
            self.text.lines.append(
                f"substanceOnly species {state} in membrane; {state} = {number(self.text.started[state])}; "
                f"{state} has million; {state}.sboTerm = {SBO[kind]};"
            )
        for species in layer.species:
            reaction = f"turn_{species}"
            self.text.lines.append(
                f"{reaction}: -> free_{species}; k_turn*(total_{species} - free_{species});"
            )
            self.text.lines.append(f"{reaction}.sboTerm = {SBO['process']};")
        for d, dimer in enumerate(layer.dimers):
            self.write_dimer(d, dimer)
        for s, species in enumerate(layer.species):
            terms = [f"free_{species}"]
            for d, dimer in enumerate(layer.dimers):
                copies = int(layer.dimer_first[d] == s) + int(layer.dimer_second[d] == s)
                terms += [f"2*{dimer}" if copies == 2 else dimer] if copies else []
            self.text.rule(f"held_{species}", " + ".join(terms), "million")
        self.write_recruitment()

    def write_totals(self) -> None:
        """Totals towards which receptors relax: forms of HER2, shedding, drugs, adaptation."""
        layer, network = self.text.model.receptors, self.text.model.network
        cell = self.text.attribute
        fragments = self.text.rule("made_p95her2", f"{cell('her2')}*{cell('p95_share')}", "million")
        variant = self.text.rule(
            "made_delta16", f"({cell('her2')} - {fragments})*{cell('delta16_share')}", "million"
        )
        whole = self.text.rule("made_her2", f"{cell('her2')} - {fragments} - {variant}", "million")
        gain = self.text.parameter("receptors.shedding_adam10")
        excess = self.text.rule("shedding_excess", f"{gain}*{cell('adam10')}")
        blocked = self.drugs.what_is_left("shedding")
        cut = self.text.rule("shed_her2", times(whole, excess, blocked) + f"/(1 + {excess})", "million")
        made = {
            "her2": f"({whole} - {cut})", "p95her2": f"({fragments} + {cut})", "delta16": variant,
        }  # fmt: skip
        for k, species in enumerate(layer.species):
            factors = [made.get(species, cell(species))]
            if species in made:
                factors.append(cell("hsp90"))
            factors.append(self.drugs.what_is_left("level", species))
            for a, antibody in enumerate(layer.antibodies):
                if layer.downregulation[a, k]:
                    factors.append(f"(1 - downregulation_{species}_{antibody}*occupancy_{antibody})")
            factors += [f"positive(1 + gain_{w.name}*{w.name})" for w in network.slow if w.receptor == k]
            self.text.rule(f"total_{species}", times(*factors), "million")

    def write_dimer(self, d: int, dimer: str) -> None:
        layer = self.text.model.receptors
        terms = []
        for c in np.flatnonzero(layer.channel_dimer == d):
            ligand = layer.ligands[layer.channel_ligand[c]] if layer.channel_ligand[c] >= 0 else ""
            strength = self.text.value(
                f"strength_{c}_{dimer}",
                layer.channel_strength[c],
                "per_million",
                f"association, {ligand or 'no ligand'}",
                sbo="association_constant",
            )
            factors = [strength]
            if ligand:
                factors += [self.text.attribute(ligand), self.drugs.what_is_left("input", ligand)]
            for a, antibody in enumerate(layer.antibodies):
                if layer.channel_block[c, a]:
                    block = self.text.value(
                        f"block_{c}_{dimer}_{antibody}",
                        layer.channel_block[c, a],
                        "dimensionless",
                        "share blocked at full occupancy",
                    )
                    factors.append(f"(1 - {block}*occupancy_{antibody})")
            terms.append(times(*factors))
        k = self.text.rule(f"k_{dimer}", " + ".join(terms), "per_million", sbo="association_constant")
        first, second = (f"free_{layer.species[s]}" for s in (layer.dimer_first[d], layer.dimer_second[d]))
        sides = f"2 {first}" if first == second else f"{first} + {second}"
        # K holds at steady state, where binding also replaces dimers lost by turnover
        self.text.lines.append(
            f"bind_{dimer}: {sides} -> {dimer}; {k}*(k_off + k_turn)*{first}*{second} - k_off*{dimer};"
        )
        self.text.lines.append(f"bind_{dimer}.sboTerm = {SBO['binding']};")
        self.text.lines.append(f"lose_{dimer}: {dimer} -> ; k_turn*{dimer};")
        self.text.lines.append(f"lose_{dimer}.sboTerm = {SBO['degradation']};")

    def write_recruitment(self) -> None:
        """Activity of kinases that drugs leave, active dimers, and what they recruit."""
        layer = self.text.model.receptors
        gain = self.text.parameter("receptors.her2_mutation_gain")
        for kinase in layer.kinases:
            mutated = f"(1 + {gain}*{self.text.attribute('her2_mutation')})" if kinase == "her2" else "1"
            self.text.rule(f"kinase_{kinase}", times(mutated, self.drugs.what_is_left("kinase", kinase)))
        for d, dimer in enumerate(layer.dimers):
            terms = []
            for k, kinase in enumerate(layer.kinases):
                share = layer.dimer_kinase[d, k]
                if share:
                    part = self.text.value(
                        f"share_{kinase}_{dimer}", share, "dimensionless", "of its activity"
                    )
                    terms.append(f"{part}*kinase_{kinase}")
            self.text.rule(f"active_{dimer}", f"{dimer}*({' + '.join(terms)})", "million")
        pi3k, ras = reference_recruitment(layer)
        for path, weights, reference in (
            ("pi3k", layer.pi3k, pi3k),
            ("ras", layer.ras, ras),
            ("src", layer.src, 1.0),
        ):
            scale = self.text.value(f"{path}_reference", reference, "dimensionless", "of the reference cell")
            terms = []
            for d, dimer in enumerate(layer.dimers):
                if weights[d]:
                    each = self.text.value(
                        f"{path}_per_{dimer}", weights[d], "per_million", "recruitment per dimer"
                    )
                    terms.append(f"{each}*active_{dimer}")
            self.text.rule(f"recruitment_{path}", f"({' + '.join(terms)})/{scale}" if terms else "0")
