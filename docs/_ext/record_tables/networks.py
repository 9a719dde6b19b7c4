"""Tables of the two signalling layers, the clones and the pharmacokinetics."""

from __future__ import annotations

from collections.abc import Iterable

from her2.errors import Her2Error
from her2.evidence import load
from her2.evidence.biology import PathwayFile, ReceptorsFile
from record_tables.parameters import prior_text
from record_tables.text import Generated, cite, code, link, markdown, number, plain


def _weight(name: str) -> str:
    parameters = load.load_parameters()
    value = f" = {parameters[name].value:g}" if name in parameters else ""
    return link("parameter", name, parameters) + value


def _prior(name: str) -> str:
    """Quality of a parameter, and its prior where it has one."""
    p = load.load_parameters()[name]
    return p.quality + (f", {prior_text(p)}" if p.prior is not None else "")


def _source(name: str) -> str:
    p = load.load_parameters()[name]
    return cite(p.source, p.locator)


def _claims(names: Iterable[str]) -> str:
    known = load.load_claims()
    return ", ".join(link("claim", c, known) for c in names)


class Network(Generated):
    """`network`: inputs, reactions and slow states of the pathway layer."""

    def generate(self) -> tuple[str, list[str]]:
        record = PathwayFile.model_validate(load.load_network("pathway"))
        text = "**Inputs**\n\n" + markdown(
            ("input", "meaning", "enters as", "in virtual patients"),
            [
                (
                    code(i.id), plain(i.label), "$x/(1+x)$" if i.half_saturated else "$x$",
                    "varies" if i.population is None else f"{i.population:g}",
                )
                for i in record.inputs
            ],
        )  # fmt: skip
        rows = []
        for node in record.nodes:
            hill = "; ".join(f"{k} {_weight(v)}" for k, v in node.hill.items())
            for k, r in enumerate(node.reactions):
                used = list(dict.fromkeys([r.weight, *(i.weight for i in r.inhibitors)]))
                linear = [a for a in r.activators if a in node.linear]
                rows.append((
                    code(node.id) + (f" ({hill})" if hill else "") if k == 0 else "",
                    (" and ".join(code(a) for a in r.activators) or "always on")
                    + (" (as it is)" if linear else ""),
                    "; ".join(f"{code(i.node)}, {_weight(i.weight)}" for i in r.inhibitors),
                    _weight(r.weight),
                    "; ".join(dict.fromkeys(map(_prior, used))),
                    "; ".join(dict.fromkeys(map(_source, used))),
                    _claims(r.claims),
                ))  # fmt: skip
        text += "\n**Edges** (a node is the OR of its rows)\n\n"
        text += markdown(
            ("node", "activators", "inhibitors", "weight", "quality, prior", "source", "claims"), rows
        )
        text += "\n**Slow states**\n\n" + markdown(
            ("state", "follows", "time constant", "multiplies", "gain", "quality, prior", "source", "claims"),
            [
                (
                    code(s.id), f"{s.follows} of {code(s.driver)}", _weight(s.time_constant),
                    ", ".join(f"{k} {code(v)}" for k, v in s.acts_on.items()), _weight(s.gain), _prior(s.gain),
                    _source(s.gain), _claims(s.claims),
                )
                for s in record.slow_states
            ],
        )  # fmt: skip
        outputs = ", ".join(f"{k.replace('_', ' ')} {code(v)}" for k, v in record.outputs.items())
        return text + f"\n**Outputs**: {outputs}. Hill defaults: " + ", ".join(
            f"{k} {_weight(v)}" for k, v in record.hill_defaults.items()
        ) + ".\n", []


class ReceptorNetwork(Generated):
    """`receptors-network`: species, dimers, their channels, what blocks them, what they recruit."""

    def generate(self) -> tuple[str, list[str]]:
        record = ReceptorsFile.model_validate(load.load_network("receptors"))
        text = markdown(
            ("receptor", "gene", "HGNC", "UniProt", "epitopes of the antibodies", "kinase"),
            [
                (
                    code(s.id) + (f" ({plain(s.label)})" if s.label else ""), plain(s.gene), code(s.hgnc),
                    code(s.uniprot), "yes" if s.antibody_epitope else "no",
                    "yes" if s.id in record.kinases else "that of HER2" if s.gene == "ERBB2" else "none",
                )
                for s in record.species
            ],
        )  # fmt: skip
        rows = []
        for dimer in record.dimers:
            for k, channel in enumerate(dimer.channels):
                first = k == 0
                recruits = [f"PI3K {_weight(dimer.pi3k)}", f"RAS {_weight(dimer.ras)}"]
                recruits += [f"Src {_weight(dimer.src)}"] if dimer.src else []
                rows.append((
                    ":".join(dimer.pair) if first else "",
                    _weight(channel.strength),
                    code(channel.ligand) if channel.ligand else "none",
                    "; ".join(f"{a}: {_weight(p)}" for a, p in channel.block.items()) or "none",
                    "; ".join(recruits) if first else "",
                    " + ".join(f"{share:g} {code(k)}" for k, share in dimer.kinase.items()) if first else "",
                    _claims(dimer.claims) if first else "",
                ))  # fmt: skip
        text += "\n" + markdown(
            ("dimer", "strength", "ligand", "blocked by", "recruits", "kinase", "claims"), rows
        )
        for d in record.downregulation:
            text += f"\nDown-regulation: {d.antibody} on {d.species}, {_weight(d.fraction)} ({_claims(d.claims)}).\n"
        return text, []


class Clones(Generated):
    """`clones`: genotypes and clones of a tumour."""

    def generate(self) -> tuple[str, list[str]]:
        record = load.load_network("clones")
        claims = load.load_claims()
        genotypes = {g["id"]: g for g in record["genotypes"]}
        rows = []
        for clone in record["clones"]:
            g = genotypes[clone["genotype"]]
            changes = (
                ", ".join(f"{k} {v}" for k, v in g.items() if k not in ("id", "label", "claims")) or "none"
            )
            also = [words.format(clone[key]) for key, words in _CLONE_FACTORS.items() if key in clone]
            rests_on = dict.fromkeys([*g.get("claims", []), *clone.get("claims", [])])
            rows.append(
                (
                    code(clone["id"]),
                    plain(g["label"]),
                    code(changes),
                    f"{clone['cost']:g}",
                    "; ".join([*(["multidrug-resistant"] if clone["mdr"] else []), *also]),
                    plain(clone.get("fraction", "")),
                    ", ".join(link("claim", c, claims) for c in rests_on),
                )
            )
        headers = ("clone", "genotype", "changes", "fitness", "further", "fraction drawn as", "claims")
        source = cite(record["source"], record["locator"])
        return markdown(headers, rows) + f"\nQuality: {record['quality']}. Source: {source}.\n", []


_CLONE_FACTORS = {
    "effector_factor": "{:g} of the antibody-dependent kill",
    "endocrine_factor": "{:g} of what loss of ER does outside the network",
}


class PharmacokineticsTable(Generated):
    """`pharmacokinetics AGENT...`: population pharmacokinetics; without a name those of all agents of trials."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.model import trial_agents

        text = ""
        for name in self.arguments or trial_agents():
            agent = load.load_agent(name)
            pk = agent.pharmacokinetics
            if pk is None:
                if self.arguments:
                    raise Her2Error(f"agent '{name}' has no pharmacokinetics")
                continue
            covariates = {}
            for c in pk.covariates:
                if c.factor:
                    effect = f"x {c.factor:g} if {c.covariate}"
                else:
                    effect = f"({c.covariate}/{c.reference:g})^{c.exponent:g}"
                covariates.setdefault(c.parameter, []).append(effect)
            text += f"\n**{agent.name}** ({pk.model.replace('_', ' ')}) {cite(pk.source, pk.locator)}\n\n"
            text += markdown(
                ("parameter", "label", "value", "unit", "between patients", "covariates", "quality"),
                [
                    (
                        code(q.id), plain(q.label), number(q.value), code(q.unit),
                        f"{100 * q.spread.cv:g} % CV" if q.spread else "", plain(", ".join(covariates.get(q.id, []))),
                        q.quality,
                    )
                    for q in pk.parameters
                ],
            )  # fmt: skip
            for pair in pk.correlations:
                text += f"\nCovariance of {' and '.join(pair.between)}: {pair.covariance:g}.\n".replace(
                    "_", " "
                )
            for b in agent.binding:
                text += (
                    f"\n{plain(b.label)}: {b.value:g} {b.unit} ({b.quality}; {cite(b.source, b.locator)}).\n"
                )
        return text, []
