"""Tables of the two signalling layers, the clones and the pharmacokinetics."""

from __future__ import annotations

from her2.errors import Her2Error
from her2.evidence import load
from record_tables.evidence import cited
from record_tables.text import Generated, cite, code, link, markdown, number, plain


def _weight(name: str) -> str:
    parameters = load.load_parameters()
    value = f" = {parameters[name].value:g}" if name in parameters else ""
    return link("parameter", name, parameters) + value


class Network(Generated):
    """`network`: inputs, reactions and slow states of the pathway layer."""

    def generate(self) -> tuple[str, list[str]]:
        record = load.load_network("pathway")
        claims = load.load_claims()
        known = {k: link("claim", k, claims) for k in cited(record)}
        text = "**Inputs**\n\n" + markdown(
            ("input", "meaning", "enters as"),
            [
                (code(i["id"]), plain(i["label"]), "$x/(1+x)$" if i.get("half_saturated") else "$x$")
                for i in record["inputs"]
            ],
        )
        rows = []
        for node in record["nodes"]:
            own = node.get("hill", {})
            hill = ", ".join(f"{k} {_weight(v)}" for k, v in own.items())
            for k, reaction in enumerate(node["reactions"]):
                rows.append(
                    (
                        code(node["id"]) + (f" ({hill})" if hill else "") if k == 0 else "",
                        " AND ".join(code(a) for a in reaction["activators"]) or "always on",
                        "; ".join(
                            f"{code(i['node'])}, {_weight(i['weight'])}"
                            for i in reaction.get("inhibitors", [])
                        ),
                        _weight(reaction["weight"]),
                        ", ".join(known[c] for c in reaction.get("claims", [])),
                    )
                )
        text += "\n**Reactions** (a node is the OR of its reactions)\n\n"
        text += markdown(("node", "activators", "inhibitors", "weight", "claims"), rows)
        text += "\n**Slow states**\n\n" + markdown(
            ("state", "driver", "time constant", "acts on", "gain", "claims"),
            [
                (
                    code(s["id"]),
                    code(s["driver"]),
                    _weight(s["time_constant"]),
                    ", ".join(f"{k} {code(v)}" for k, v in s["acts_on"].items()),
                    _weight(s["gain"]),
                    ", ".join(known[c] for c in s.get("claims", [])),
                )
                for s in record["slow_states"]
            ],
        )
        outputs = ", ".join(f"{k.replace('_', ' ')} {code(v)}" for k, v in record["outputs"].items())
        return text + f"\n**Outputs**: {outputs}. Hill defaults: " + ", ".join(
            f"{k} {_weight(v)}" for k, v in record["hill_defaults"].items()
        ) + ".\n", []


class ReceptorNetwork(Generated):
    """`receptors-network`: dimers, their channels, what blocks them, what they recruit."""

    def generate(self) -> tuple[str, list[str]]:
        record = load.load_network("receptors")
        claims = load.load_claims()
        rows = []
        for dimer in record["dimers"]:
            for k, channel in enumerate(dimer["channels"]):
                first = k == 0
                rows.append(
                    (
                        ":".join(dimer["pair"]) if first else "",
                        _weight(channel["strength"]),
                        code(channel["ligand"]) if "ligand" in channel else "none",
                        "; ".join(f"{a}: {_weight(p)}" for a, p in channel["block"].items()) or "none",
                        f"{_weight(dimer['pi3k'])}; {_weight(dimer['ras'])}" if first else "",
                        ", ".join(link("claim", c, claims) for c in dimer.get("claims", [])) if first else "",
                    )
                )
        text = markdown(("dimer", "strength", "ligand", "blocked by", "recruits PI3K; RAS", "claims"), rows)
        for entry in record["downregulation"]:
            text += f"\nDown-regulation: {entry['antibody']} on {entry['species']}, {_weight(entry['fraction'])}.\n"
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
            rows.append(
                (
                    code(clone["id"]),
                    plain(g["label"]),
                    code(changes),
                    f"{clone['cost']:g}",
                    "yes" if clone["mdr"] else "",
                    ", ".join(link("claim", c, claims) for c in g.get("claims", [])),
                )
            )
        headers = ("clone", "genotype", "changes", "fitness", "multidrug-resistant", "claims")
        source = cite(record["source"], record["locator"])
        return markdown(headers, rows) + f"\nQuality: {record['quality']}. Source: {source}.\n", []


class PharmacokineticsTable(Generated):
    """`pharmacokinetics AGENT...`: population pharmacokinetics as the record holds them."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.model import engine_agents

        text = ""
        for name in self.arguments or engine_agents():
            agent = load.load_agent(name)
            pk = agent.pharmacokinetics
            if pk is None:
                raise Her2Error(f"agent '{name}' has no pharmacokinetics")
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
