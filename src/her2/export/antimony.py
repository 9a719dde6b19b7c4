"""The full model of one patient on one regimen as Antimony text, written from the compiled model.

Every constant comes from the `Model` and the patient, none is typed here; the equations are those listed in
`her2.export.reference`, which integrates them in Python from separate code. Cells are named by genotype and
site: `akt_bypass_cns` is AKT in the bypass genotype in the central nervous system.
Not in the text: scans, hazards, death, CNS seeding by chance, changes of line, tolerance from earlier
chemotherapy lines, infusion times (doses are boluses, written as events).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from her2.engine.kernel import SURVIVAL_FLOOR
from her2.evidence.load import load_network
from her2.export.dosing import Dose, checked_doses
from her2.export.individual import Individual, resolve
from her2.export.reference import (
    DISSOCIATION_PER_H,
    HOURS_PER_DAY,
    RELATIVE_FLOOR,
    TURNOVER_PER_H,
)
from her2.model import Model
from her2.patients.sample import Cohort
from her2.signalling.receptors import reference_recruitment

_PREAMBLE = """\
// Virtual patient with HER2-positive breast cancer, full model of one line of therapy.
// For research, not for treating patients.
// Time: day. Antibody: mg. Receptors and dimers: 1e6 per cell. Pathway: normalised activity, 0 to 1.
// Tumour: ln cells of each clone and site. Doses are boluses.
// Scans, death and changes of line are not in this model.

function positive(x)
  piecewise(x, x > 0, 0)
end

function between(x, low, high)
  piecewise(low, x < low, high, x > high, x)
end

function hill(x, n, beta, kappa)  // normalised: 0 at 0, 1/2 at ec50, 1 at 1
  beta*positive(x)^n/(kappa + positive(x)^n)
end

function half_saturated(x)  // a level relative to its reference
  x/(1 + x)
end

function bounded(rate, x, low, high)  // a rate that does not lead out of [low, high]
  piecewise(0, (x <= low && rate < 0) || (x >= high && rate > 0), rate)
end

model *her2_patient()

// ---- units
unit time_unit = 86400 second;
unit substance = 1e6 item;
unit extent = 1e6 item;
unit day = 86400 second;
unit per_day = 1/(86400 second);
unit million = 1e6 item;
unit per_million = 1/(1e6 item);
unit per_million_day = 1/(1e6 item * 86400 second);
unit mg = 1e-3 gram;
unit per_mg = 1/(1e-3 gram);
unit litre_per_day = litre/(86400 second);
unit mg_per_day = 1e-3 gram/(86400 second);
unit mg_per_litre = 1e-3 gram/litre;
"""


def antimony_text(
    model: Model,
    patient: Cohort,
    regimen: Iterable[Sequence[object]],
    days: float,
    *,
    dissociation_per_h: float = DISSOCIATION_PER_H,
    turnover_per_h: float = TURNOVER_PER_H,
) -> str:
    """The full model as Antimony.

    Parameters
    ----------
    patient : a cohort of one, such as `cohort.take(np.array([3]))`
    regimen : doses as (day, drug, mg), such as `her2.export.Dose`
    days : doses from this day on are left out; the text itself has no end
    dissociation_per_h, turnover_per_h : rate constants of receptor dimers and totals

    Returns
    -------
    one model, `her2_patient`; the states are those of `her2.export.reference.state_names`

    Sources
    -------
    kraeutler_2010 : the form of the pathway layer.
    """
    individual = resolve(model, patient)
    doses = checked_doses(regimen, individual, days)
    writer = _Writer(model, individual.giving({d.drug for d in doses}))
    writer.lines.append(_PREAMBLE)
    writer.write_drugs()
    writer.write_receptor_constants(dissociation_per_h, turnover_per_h)
    writer.write_network_constants()
    writer.write_tumour_constants()
    for number in range(len(individual.genotypes)):
        writer.write_genotype(number)
    for number in range(len(individual.sites)):
        writer.write_site(number)
        for genotype in range(len(individual.genotypes)):
            writer.write_cell(number, genotype)
        writer.write_clones(number)
    writer.write_doses(doses)
    writer.write_identifiers()
    writer.lines.append("end\n")
    return "\n".join(writer.lines)


def _number(x: float) -> str:
    """Shortest text that reads back as the same float64."""
    return repr(float(x))


class _Writer:
    """Collects the text, section by section."""

    def __init__(self, model: Model, individual: Individual) -> None:
        self.model = model
        self.p = individual
        self.lines: list[str] = []
        self.free = 1.0 - individual.independent
        hills: dict[tuple[float, float], int] = {}
        network = model.network
        keys = list(zip(network.hill_n.tolist(), network.hill_kappa.tolist(), strict=True))
        self.hill_kind = [hills.setdefault(key, len(hills) + 1) for key in keys]
        sources = network.hill_source.tolist()
        # one name per evaluation; the number of its constants only where one source has several
        self.hill_name = [
            f"f_{network.names[s]}" + (f"_{kind}" if sources.count(s) > 1 else "")
            for s, kind in zip(sources, self.hill_kind, strict=True)
        ]

    def section(self, title: str) -> None:
        self.lines.append(f"\n// ---- {title}")

    def value(self, name: str, value: float, unit: str, comment: str = "") -> None:
        """A constant with its unit."""
        note = f"  // {comment}" if comment else ""
        self.lines.append(f"{name} = {_number(value)}; {name} has {unit};{note}")

    def rule(self, name: str, expression: str, unit: str = "dimensionless") -> None:
        """A quantity that follows from others at any time."""
        self.lines.append(f"{name} := {expression}; {name} has {unit};")

    def state(self, name: str, start: float, unit: str, derivative: str) -> None:
        """A state with its start and rate of change."""
        self.lines.append(f"{name} = {_number(start)}; {name} has {unit};")
        self.lines.append(f"{name}' = {derivative};")

    def write_drugs(self) -> None:
        p = self.p
        for k, drug in enumerate(p.antibodies):
            self.section(f"{drug}: amounts in plasma and tissue, linear and saturable elimination")
            cl, vc, q, vp, vmax, km = p.antibody_pk[k]
            self.value(f"cl_{drug}", cl, "litre_per_day", "linear clearance")
            self.value(f"vc_{drug}", vc, "litre", "central volume")
            self.value(f"q_{drug}", q, "litre_per_day", "intercompartmental clearance")
            self.value(f"vp_{drug}", vp, "litre", "peripheral volume")
            self.value(f"vmax_{drug}", vmax, "mg_per_day", "largest saturable elimination")
            self.value(f"km_{drug}", km, "mg_per_litre", "concentration at half of it")
            self.value(
                f"kd_{drug}", p.kd[k], "mg_per_litre", "interstitial antibody at half occupancy of HER2"
            )
            self.value(
                f"fc_weight_{drug}", p.fc_weight[k], "dimensionless", "Fc part in antibody-dependent kill"
            )
            plasma, tissue = f"{drug}_central", f"{drug}_peripheral"
            self.rule(f"{drug}_plasma", f"{plasma}/vc_{drug}", "mg_per_litre")
            exchange = f"q_{drug}*({drug}_plasma - {tissue}/vp_{drug})"
            loss = f"(cl_{drug} + vmax_{drug}/(km_{drug} + {drug}_plasma))*{drug}_plasma"
            self.state(plasma, 0.0, "mg", f"-{loss} - {exchange}")
            self.state(tissue, 0.0, "mg", exchange)
        for k, drug in enumerate(p.cytotoxics):
            self.section(f"{drug}: effect site, relative to the reference exposure")
            self.value(f"rise_{drug}", p.effect_rise[k], "per_mg", "of the effect site per dose")
            self.value(f"ke0_{drug}", p.effect_decay[k], "per_day", "decay of the effect site")
            self.value(
                f"kill_{drug}", p.kill[k], "per_day", "of this patient's sensitive cells at the reference"
            )
            self.state(f"{drug}_effect", 0.0, "dimensionless", f"-ke0_{drug}*{drug}_effect")

    def write_receptor_constants(self, dissociation_per_h: float, turnover_per_h: float) -> None:
        layer, p = self.model.receptors, self.p
        self.section("receptors: the same in every cell of this patient")
        self.lines.append("compartment membrane = 1; membrane has dimensionless;")
        self.value(
            "k_off", dissociation_per_h * HOURS_PER_DAY, "per_day", "dissociation of dimers, assumed fast"
        )
        self.value("k_turn", turnover_per_h * HOURS_PER_DAY, "per_day", "turnover of receptors, assumed fast")
        for name, level in zip(layer.ligands, p.ligands, strict=True):
            self.value(name, level, "dimensionless", "ligand, relative level")
        for c, d in enumerate(layer.channel_dimer):
            dimer = layer.dimers[d]
            drive = layer.ligands[layer.channel_ligand[c]] if layer.channel_ligand[c] >= 0 else "no ligand"
            self.value(
                f"strength_{c}_{dimer}", layer.channel_strength[c], "per_million", f"association, {drive}"
            )
            for a, antibody in enumerate(layer.antibodies):
                if layer.channel_block[c, a]:
                    self.value(
                        f"block_{c}_{dimer}_{antibody}",
                        layer.channel_block[c, a],
                        "dimensionless",
                        "share blocked at full occupancy",
                    )
        for a, antibody in enumerate(layer.antibodies):
            for s, species in enumerate(layer.species):
                if layer.downregulation[a, s]:
                    self.value(
                        f"downregulation_{species}_{antibody}",
                        layer.downregulation[a, s],
                        "dimensionless",
                        "share of the receptor lost at full occupancy",
                    )
        pi3k, ras = reference_recruitment(layer)
        for path, weights, reference in (("pi3k", layer.pi3k, pi3k), ("ras", layer.ras, ras)):
            self.value(f"{path}_reference", reference, "dimensionless", "of the untreated reference cell")
            for d, dimer in enumerate(layer.dimers):
                if weights[d]:
                    self.value(f"{path}_per_{dimer}", weights[d], "per_million", "recruitment per dimer")

    def write_network_constants(self) -> None:
        network = self.model.network
        self.section("pathway: normalised Hill functions, weights, time constants")
        for kind in sorted(set(self.hill_kind)):
            h = self.hill_kind.index(kind)
            n, beta, kappa = network.hill_n[h], network.hill_beta[h], network.hill_kappa[h]
            ec50 = (kappa / (2.0 * beta - 1.0)) ** (1.0 / n)
            self.value(f"n_{kind}", n, "dimensionless", f"Hill coefficient; ec50 = {ec50:.6g}")
            self.value(f"beta_{kind}", beta, "dimensionless")
            self.value(f"kappa_{kind}", kappa, "dimensionless")
        for node in range(network.n_nodes):
            name = network.names[network.n_inputs + node]
            self.value(f"tau_{name}", network.time_constant_h[node] / HOURS_PER_DAY, "day")
            for number, r in enumerate(self.reactions(node), start=1):
                self.value(f"w_{name}_{number}", network.reaction_weight[r], "dimensionless")
                for e in range(network.inhibitor_start[r], network.inhibitor_start[r + 1]):
                    source = network.names[network.hill_source[network.inhibitor_hill[e]]]
                    self.value(
                        f"w_{name}_{number}_{source}",
                        network.inhibitor_weight[e],
                        "dimensionless",
                        "inhibits",
                    )
        for slow in network.slow:
            self.value(f"tau_{slow.name}", slow.time_constant_d, "day")
            self.value(f"gain_{slow.name}", slow.gain, "dimensionless")

    def write_tumour_constants(self) -> None:
        p, c = self.p, self.model.constants
        self.section("tumour")
        self.value("growth", p.growth, "per_day", "net rate of a reference clone without treatment")
        self.value("loss", c.turnover, "dimensionless", "loss rate in units of it")
        self.value(
            "independent", p.independent, "dimensionless", "share of drive outside the modelled network"
        )
        self.value(
            "cell_cycle_reference", c.cell_cycle_reference, "dimensionless", "untreated reference cell"
        )
        self.value("bim_reference", c.bim_reference, "dimensionless", "untreated reference cell")
        self.value("apoptosis_kill", c.apoptosis_kill, "per_day", "per unit apoptotic drive")
        self.value("fc_half", c.fc_half, "million", "Fc load at half-maximal kill")
        self.value("chemo_synergy", c.chemo_synergy, "dimensionless", "with loss of survival signal")
        self.value("chemo_cycle_exponent", c.chemo_cycle_exponent, "dimensionless")
        self.value("relative_floor", RELATIVE_FLOOR, "dimensionless")
        self.value("largest_burden", p.ceiling, "dimensionless", "ln cells")
        for clone, cost, share in zip(p.clones, p.cost, p.effector_share, strict=True):
            self.value(
                f"cost_{clone}", cost, "dimensionless", "proliferation relative to the sensitive clone"
            )
            self.value(f"effector_share_{clone}", share, "dimensionless", "antibody-dependent kill left")

    def write_genotype(self, g: int) -> None:
        """What distinguishes the cells of one genotype at every site."""
        p, layer, network = self.p, self.model.receptors, self.model.network
        name = p.genotypes[g]
        self.section(f"genotype {name}")
        for s, species in enumerate(layer.species):
            self.value(f"base_{species}_{name}", p.totals[s, g], "million", "total without treatment")
        for k in range(2, network.n_inputs):
            self.value(f"level_{network.names[k]}_{name}", p.inputs[k, g], "dimensionless")
        for k in sorted({*network.outputs.values(), *(s.driver for s in network.slow)}):
            self.value(f"untreated_{network.names[k]}_{name}", p.untreated[k, g], "dimensionless")

    def write_site(self, s: int) -> None:
        """Antibody beside the tumour cells of a site and the association constants it leaves."""
        p, layer = self.p, self.model.receptors
        site = p.sites[s]
        self.section(f"site {site}: occupancy of HER2, association constants of dimers")
        self.value(
            f"partition_{site}", p.partition[s], "dimensionless", "antibody beside cells relative to plasma"
        )
        self.value(
            f"effector_kill_{site}", p.effector_kill[s], "per_day", "by effector cells at saturating load"
        )
        for drug in p.antibodies:
            beside = f"partition_{site}*positive({drug}_plasma)"
            self.rule(f"occupancy_{drug}_{site}", f"{beside}/({beside} + kd_{drug})")
        for d, dimer in enumerate(layer.dimers):
            terms = []
            for c in range(len(layer.channel_dimer)):
                if layer.channel_dimer[c] != d:
                    continue
                factors = [f"strength_{c}_{dimer}"]
                if layer.channel_ligand[c] >= 0:
                    factors.append(layer.ligands[layer.channel_ligand[c]])
                for a, antibody in enumerate(layer.antibodies):
                    if layer.channel_block[c, a]:
                        factors.append(f"(1 - block_{c}_{dimer}_{antibody}*occupancy_{antibody}_{site})")
                terms.append("*".join(factors))
            self.rule(f"k_{dimer}_{site}", " + ".join(terms), "per_million")

    def write_cell(self, s: int, g: int) -> None:
        p = self.p
        self.section(f"cell of genotype {p.genotypes[g]}, {p.sites[s]}")
        self.write_receptors(s, g)
        self.write_pathway(s, g)
        self.write_phenotype(s, g)

    def write_receptors(self, s: int, g: int) -> None:
        p, layer, network = self.p, self.model.receptors, self.model.network
        site, genotype = p.sites[s], p.genotypes[g]
        cell = f"{genotype}_{site}"
        names = [f"{n}_{cell}" for n in (*layer.species, *layer.dimers)]
        for row, name in enumerate(names):
            start = _number(p.receptors_untreated[row, g])
            self.lines.append(
                f"substanceOnly species {name} in membrane; {name} = {start}; {name} has million;"
            )
        for k, species in enumerate(layer.species):
            factors = [f"base_{species}_{genotype}"]
            for a, antibody in enumerate(layer.antibodies):
                if layer.downregulation[a, k]:
                    factors.append(f"(1 - downregulation_{species}_{antibody}*occupancy_{antibody}_{site})")
            factors += [f"(1 + gain_{w.name}*{w.name}_{cell})" for w in network.slow if w.receptor == k]
            if len(factors) == 1:
                total = factors[0]
            else:
                total = f"total_{species}_{cell}"
                self.rule(total, "*".join(factors), "million")
            self.lines.append(
                f"turn_{species}_{cell}: -> {species}_{cell}; k_turn*({total} - {species}_{cell});"
            )
        for d, dimer in enumerate(layer.dimers):
            first, second = (
                f"{layer.species[k]}_{cell}" for k in (layer.dimer_first[d], layer.dimer_second[d])
            )
            bound = f"{dimer}_{cell}"
            sides = f"2 {first}" if first == second else f"{first} + {second}"
            # K holds at steady state, where binding also replaces dimers lost by turnover
            self.lines.append(
                f"bind_{bound}: {sides} -> {bound}; "
                f"k_{dimer}_{site}*(k_off + k_turn)*{first}*{second} - k_off*{bound};"
            )
            self.lines.append(f"lose_{bound}: {bound} -> ; k_turn*{bound};")
        for path, weights in (("pi3k", layer.pi3k), ("ras", layer.ras)):
            terms = [f"{path}_per_{d}*{d}_{cell}" for k, d in enumerate(layer.dimers) if weights[k]]
            self.rule(f"{path}_recruited_{cell}", f"({' + '.join(terms)})/{path}_reference")

    def write_pathway(self, s: int, g: int) -> None:
        p, network = self.p, self.model.network
        genotype = p.genotypes[g]
        cell = f"{genotype}_{p.sites[s]}"
        acted_on = {w.network_input for w in network.slow}
        constant = set()
        for k in range(network.n_inputs):
            name = network.names[k]
            if k < 2:
                expression = f"{('pi3k', 'ras')[k]}_recruited_{cell}"
            else:
                factors = [f"level_{name}_{genotype}"]
                factors += [
                    f"(1 + gain_{w.name}*{w.name}_{cell})" for w in network.slow if w.network_input == k
                ]
                expression = "*".join(factors)
            if k in network.half_saturated:
                expression = f"half_saturated({expression})"
            if k >= 2 and k not in acted_on:
                constant.add(k)
                self.lines.append(f"{name}_{cell} = {expression}; {name}_{cell} has dimensionless;")
            else:
                self.rule(f"{name}_{cell}", expression)
        for h, source in enumerate(network.hill_source):
            kind = self.hill_kind[h]
            name = f"{self.hill_name[h]}_{cell}"
            expression = f"hill({network.names[source]}_{cell}, n_{kind}, beta_{kind}, kappa_{kind})"
            if source in constant:
                self.lines.append(f"{name} = {expression}; {name} has dimensionless;")
            else:
                self.rule(name, expression)
        for node in range(network.n_nodes):
            name = network.names[network.n_inputs + node]
            start = p.untreated[network.n_inputs + node, g]
            derivative = f"({self.target(node, cell)} - {name}_{cell})/tau_{name}"
            self.state(f"{name}_{cell}", start, "dimensionless", derivative)
        for slow in network.slow:
            driver = network.names[slow.driver]
            now, before = f"{driver}_{cell}", f"untreated_{driver}_{genotype}"
            rise = f"positive({now} - {before})" if slow.sign > 0.0 else f"positive({before} - {now})"
            state = f"{slow.name}_{cell}"
            self.state(state, 0.0, "dimensionless", f"({rise} - {state})/tau_{slow.name}")

    def reactions(self, node: int) -> range:
        start = self.model.network.reaction_start
        return range(int(start[node]), int(start[node + 1]))

    def target(self, node: int, cell: str) -> str:
        """OR over a node's reactions, each the AND of its activators and of its inhibitors' complements."""
        network = self.model.network
        name = network.names[network.n_inputs + node]
        terms = []
        for number, r in enumerate(self.reactions(node), start=1):
            factors = [f"w_{name}_{number}"]
            for e in range(network.activator_start[r], network.activator_start[r + 1]):
                factors.append(f"{self.hill_name[network.activator_hill[e]]}_{cell}")
            for e in range(network.inhibitor_start[r], network.inhibitor_start[r + 1]):
                h = network.inhibitor_hill[e]
                source = network.names[network.hill_source[h]]
                factors.append(f"(1 - w_{name}_{number}_{source}*{self.hill_name[h]}_{cell})")
            terms.append("*".join(factors))
        if len(terms) == 1:
            return terms[0]
        return "1 - " + "*".join(f"(1 - {t})" for t in terms)

    def write_phenotype(self, s: int, g: int) -> None:
        p, network = self.p, self.model.network
        site, genotype = p.sites[s], p.genotypes[g]
        cell = f"{genotype}_{site}"
        out = {role: network.names[k] for role, k in network.outputs.items()}
        cycle, bim, survival = out["proliferation"], out["apoptosis"], out["survival_signal"]
        share = "(1 - independent)"
        self.rule(f"proliferation_{cell}", f"independent + {share}*{cycle}_{cell}/cell_cycle_reference")
        rest = f"(independent + {share}*untreated_{cycle}_{genotype}/cell_cycle_reference)"
        self.rule(
            f"apoptotic_drive_{cell}",
            f"positive({share}*({bim}_{cell} - untreated_{bim}_{genotype})/bim_reference)",
        )
        before = f"untreated_{survival}_{genotype}"
        self.rule(
            f"survival_lost_{cell}",
            f"positive({before} - {survival}_{cell})/({before} + {SURVIVAL_FLOOR})",
        )
        cycling = f"between(proliferation_{cell}/{rest}, relative_floor, 1)"
        self.rule(
            f"chemo_factor_{cell}",
            f"(1 + chemo_synergy*{share}*survival_lost_{cell})*{cycling}^chemo_cycle_exponent",
        )
        load = " + ".join(f"fc_weight_{a}*occupancy_{a}_{site}" for a in p.antibodies)
        # effector cells see full-length HER2 before down-regulation, as in the kernel
        self.rule(f"fc_load_{cell}", f"base_her2_{genotype}*({load})", "million")
        self.rule(
            f"immune_{cell}", f"effector_kill_{site}*fc_load_{cell}/(fc_load_{cell} + fc_half)", "per_day"
        )

    def write_clones(self, s: int) -> None:
        p = self.p
        site = p.sites[s]
        self.section(f"clones, {site}")
        for k, clone in enumerate(p.clones):
            cell = f"{p.genotypes[p.genotype_of[k]]}_{site}"
            where = f"{clone}_{site}"
            terms = []
            for d, drug in enumerate(p.cytotoxics):
                self.value(f"share_{drug}_{where}", p.kill_share[d, k, s], "dimensionless", "kill left here")
                terms.append(f"kill_{drug}*share_{drug}_{where}*{drug}_effect")
            chemo = f" - chemo_factor_{cell}*({' + '.join(terms)})" if terms else ""
            grow = f"growth*((1 + loss)*cost_{clone}*proliferation_{cell} - loss)"
            self.rule(
                f"rate_{where}",
                f"{grow} - apoptosis_kill*apoptotic_drive_{cell} - effector_share_{clone}*immune_{cell}{chemo}",
                "per_day",
            )
            self.value(f"floor_{where}", p.floor[k, s], "dimensionless", "ln cells")
            name = f"ln_cells_{where}"
            self.state(
                name,
                p.start[k, s],
                "dimensionless",
                f"bounded(rate_{where}, {name}, floor_{where}, largest_burden)",
            )
        cells = " + ".join(f"exp(ln_cells_{clone}_{site})" for clone in p.clones)
        self.rule(f"ln_burden_{site}", f"ln({cells})")

    def write_doses(self, doses: Sequence[Dose]) -> None:
        p = self.p
        self.section("doses: (day) mg")
        for number, (day, group) in enumerate(groupby(doses, key=lambda d: d.day), start=1):
            given: dict[str, float] = {}
            for dose in group:
                given[dose.drug] = given.get(dose.drug, 0.0) + dose.amount_mg
            changes = []
            for drug, amount in given.items():
                dosed = f"dose_{number}_{drug}"
                self.value(dosed, amount, "mg")
                if drug in p.antibodies:
                    changes.append(f"{drug}_central = {drug}_central + {dosed}")
                else:
                    changes.append(f"{drug}_effect = {drug}_effect + rise_{drug}*{dosed}")
            # an event at time zero has to count its trigger as false before the start
            self.lines.append(f"dose_{number}: at (time >= {_number(day)}), t0=false: {', '.join(changes)};")

    def write_identifiers(self) -> None:
        """Receptors and dimers by UniProt and HGNC, so that other software knows what they are."""
        p, layer = self.p, self.model.receptors
        record = {entry["id"]: entry for entry in load_network("receptors")["species"]}
        self.section("identifiers")
        for site in p.sites:
            for genotype in p.genotypes:
                cell = f"{genotype}_{site}"
                for species in layer.species:
                    entry = record[species]
                    # the truncated form is a part of the protein of that entry, not the protein
                    relation = "identity" if "label" not in entry else "isVersionOf"
                    for resource in (
                        f"uniprot:{entry['uniprot']}",
                        f"hgnc:{entry['hgnc'].removeprefix('HGNC:')}",
                    ):
                        term = relation if resource.startswith("uniprot") else "isEncodedBy"
                        self.lines.append(f'{species}_{cell} {term} "https://identifiers.org/{resource}";')
                for d, dimer in enumerate(layer.dimers):
                    pair = sorted(
                        {
                            record[layer.species[k]]["uniprot"]
                            for k in (layer.dimer_first[d], layer.dimer_second[d])
                        }
                    )
                    for protein in pair:
                        self.lines.append(
                            f'{dimer}_{cell} hasPart "https://identifiers.org/uniprot:{protein}";'
                        )
