"""Tables of the documentation that are read from the record, the posterior and the code while building.

Directives: `parameters`, `network`, `receptors-network`, `clones`, `claims`, `posterior`, `trial`, `trials`, `rules`,
`pharmacokinetics`, `soft-claims`, `targets`, `record-counts`, `fields`, `dosing`, `command-line`, `benchmarks`.
The bibliography is written from `data/sources`. Rows of parameters and claims carry anchors, so that other pages
can link to them.
"""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from docutils import nodes
from docutils.parsers.rst import directives
from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style as UnsrtStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from her2.errors import Her2Error
from her2.evidence import load
from her2.evidence.schema import Parameter, PublishedValue

logger = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent.parent
_ESCAPE = re.compile(r"([\\`*_\[\]<>|$~#{}])")
_MIDDLE = 1.6449  # standard normal quantile of a 90 % interval


# ---- bibliography -----------------------------------------------------------------------------------------------------


class KeyLabels(BaseLabelStyle):
    """Labels of the bibliography are the keys of the record."""

    def format_labels(self, sorted_entries: Iterable[Any]) -> Iterable[str]:
        """One label per entry."""
        for entry in sorted_entries:
            yield entry.key


class RecordStyle(UnsrtStyle):
    """Bibliography style: plain entries, keys as labels."""

    default_label_style = KeyLabels


register_plugin("pybtex.style.labels", "record", KeyLabels)
register_plugin("pybtex.style.formatting", "record", RecordStyle)


def bibliography() -> str:
    """BibTeX of all sources of the record."""
    entries = []
    for source in load.load_sources().values():
        fields = {
            "author": " and ".join(f"{{{a.strip()}}}" for a in source.authors.split(";")) if source.authors else "",
            "title": f"{{{source.title}}}",
            "howpublished": source.journal,
            "year": str(source.year or ""),
            "doi": source.doi or "",
            "note": "; ".join(
                x
                for x in (
                    source.kind,
                    f"PMID {source.pmid}" if source.pmid else "",
                    f"grade {source.grade}" if source.grade else "",
                    source.note,
                )
                if x
            ),
        }
        body = ",\n".join(f"  {k} = {{{_bib(v)}}}" for k, v in fields.items() if v)
        entries.append(f"@misc{{{source.id},\n{body}\n}}\n")
    return "\n".join(entries)


def _bib(text: str) -> str:
    return re.sub(r"(?<!\\)([%&#])", r"\\\1", text)


def write_bibliography(app: Sphinx, _config: Any) -> None:
    """Write `_build/sources.bib` if it changed."""
    path = Path(app.srcdir) / "_build" / "sources.bib"
    text = bibliography()
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


# ---- text ---------------------------------------------------------------------------------------------------------------


def plain(text: object) -> str:
    """Text that Markdown leaves as it is."""
    return _ESCAPE.sub(r"\\\1", " ".join(str(text).split()))


def code(text: object) -> str:
    """Text as code inside a table cell."""
    return f"`{str(text).replace('|', '&#124;')}`" if str(text) else ""


def cite(source: str | None, locator: str = "") -> str:
    """Citation of a source of the record with its locator."""
    if not source:
        return plain(locator)
    if source not in load.load_sources():
        return f"{code(source)} {plain(locator)}".strip()
    return f"{{cite:p}}`{source}` {plain(locator)}".strip()


def places(entry: Any) -> str:
    """Places of an entry in the reviews, as short as they go."""
    found: dict[str, list[str]] = {}
    for place in entry.places:
        lines = f"{place.line_start}" + (f"-{place.line_end}" if place.line_end != place.line_start else "")
        found.setdefault(place.source, []).append(lines)
    return "; ".join(cite(source, "lines " + ", ".join(lines)) for source, lines in found.items())


def number(value: float | None, digits: int = 4) -> str:
    """A number for reading."""
    return "" if value is None else f"{value:.{digits}g}"


def markdown(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(headers) + " |", "|" + "---|" * len(headers)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def link(kind: str, name: str, known: Iterable[str]) -> str:
    """Link to the anchored row of a parameter or claim; plain code where the record lacks it."""
    return f"{{ref}}`{name} <{kind}-{name}>`" if name in known else code(name)


# ---- directives ---------------------------------------------------------------------------------------------------------


class Generated(SphinxDirective):
    """Base: the subclass gives Markdown, and anchors for the rows of its first table."""

    optional_arguments = 10
    final_argument_whitespace = False
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Parse the generated text; a record that cannot be read is a warning at the directive's place."""
        self.env.note_reread()
        try:
            text, anchors = self.generate()
        except Her2Error as error:
            logger.warning("%s: %s", self.name, error, location=self.get_location())
            return []
        parsed = self.parse_text_to_nodes(text)
        if anchors:
            self._anchor(parsed, anchors)
        return parsed

    def generate(self) -> tuple[str, list[str]]:
        """Markdown, and one label per row of the first table (or none)."""
        raise NotImplementedError

    def _anchor(self, parsed: list[nodes.Node], anchors: list[str]) -> None:
        labels = self.env.domains["std"].data["labels"]
        names = self.env.domains["std"].data["anonlabels"]
        rows = [row for node in parsed for body in node.findall(nodes.tbody) for row in body.findall(nodes.row)]
        for row, label in zip(rows, anchors, strict=False):
            identifier = nodes.make_id(label)
            row["ids"].append(identifier)
            key = label.lower()
            labels[key] = (self.env.docname, identifier, label.partition("-")[2])
            names[key] = (self.env.docname, identifier)


def _prior(parameter: Parameter) -> str:
    p = parameter.prior
    if p is None:
        return ""
    word = {"lognormal": "log-normal, log SD", "logit_normal": "logit-normal, logit SD", "normal": "normal, SD"}[p.law]
    return f"{word} {p.spread:g}"


class Parameters(Generated):
    """`parameters NAME...`: a file of data/parameters, or a prefix of ids such as `cns.`; all without a name.

    With `:anchors:` the rows can be linked to (on one page only).
    """

    option_spec: typing.ClassVar = {"anchors": directives.flag}

    def generate(self) -> tuple[str, list[str]]:
        parameters = load.load_parameters()
        chosen: list[Parameter] = []
        if not self.arguments:
            chosen = list(parameters.values())
        for name in self.arguments:
            if name.endswith("."):
                found = [p for k, p in parameters.items() if k.startswith(name)]
            else:
                data = load.read_yaml(load.find_file("parameters", name))
                found = [parameters[p["id"]] for p in data["parameters"]]
            if not found:
                raise Her2Error(f"no parameter starts with '{name}'")
            chosen += found
        anchored = "anchors" in self.options
        rows = [
            (
                code(p.id) if anchored else link("parameter", p.id, parameters),
                plain(p.label),
                number(p.value),
                code(p.unit),
                p.quality,
                cite(p.source, p.locator) + (f". {plain(p.note)}" if p.note else ""),
                p.role,
                _prior(p),
            )
            for p in chosen
        ]
        headers = ("parameter", "label", "value", "unit", "quality", "source", "role", "prior")
        return markdown(headers, rows), [f"parameter-{p.id}" for p in chosen] if anchored else []


class Claims(Generated):
    """`claims NAME`: the claims a network file rests on, or of a file of data/claims, or of a trial; all without a name.

    With `:anchors:` the rows can be linked to (on one page only).
    """

    option_spec: typing.ClassVar = {"anchors": directives.flag}

    def generate(self) -> tuple[str, list[str]]:
        claims = load.load_claims()
        chosen = list(claims)
        if self.arguments:
            chosen = []
            for name in self.arguments:
                chosen += [c for c in _claims_for(name, claims) if c not in chosen]
        anchored = "anchors" in self.options
        rows = [
            (
                code(c) if anchored else link("claim", c, claims),
                plain(claims[c].statement),
                plain(claims[c].kind.replace("_", " ")),
                plain(claims[c].level.replace("_", " ")),
                plain(claims[c].supports.replace("_", " ")),
                "yes" if claims[c].executable else "",
                places(claims[c]),
            )
            for c in chosen
        ]
        text = markdown(("claim", "statement", "kind", "level", "evidence", "executable", "place"), rows)
        return text, [f"claim-{c}" for c in chosen] if anchored else []


def _claims_for(name: str, claims: dict[str, Any]) -> list[str]:
    networks = {p.stem for p in load.files_of("network")}
    if name in networks:
        return [c for c in dict.fromkeys(_cited(load.load_network(name))) if c in claims]
    if name in {p.stem for p in load.files_of("claims")}:
        return [c["id"] for c in load.read_yaml(load.find_file("claims", name))["claims"]]
    found = [k for k, c in claims.items() if c.trial == name]
    if not found:
        raise Her2Error(f"no network file, claim file or trial with claims is named '{name}'")
    return found


def _cited(data: Any) -> Iterable[str]:
    """Claims named anywhere in a network file, in order."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key == "claims":
                yield from value
            else:
                yield from _cited(value)
    elif isinstance(data, list):
        for value in data:
            yield from _cited(value)


def _weight(name: str) -> str:
    parameters = load.load_parameters()
    value = f" = {parameters[name].value:g}" if name in parameters else ""
    return link("parameter", name, parameters) + value


class Network(Generated):
    """`network`: inputs, reactions and slow states of the pathway layer."""

    def generate(self) -> tuple[str, list[str]]:
        record = load.load_network("pathway")
        claims = load.load_claims()
        known = {k: link("claim", k, claims) for k in _cited(record)}
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
                        "; ".join(f"{code(i['node'])}, {_weight(i['weight'])}" for i in reaction.get("inhibitors", [])),
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
            changes = ", ".join(f"{k} {v}" for k, v in g.items() if k not in ("id", "label", "claims")) or "none"
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


def _value_at(parameter: Parameter, z: float) -> float:
    """Value at z prior standard deviations from the prior median."""
    assert parameter.prior is not None
    s, v = parameter.prior.spread, parameter.value
    if parameter.prior.law == "lognormal":
        return v * float(np.exp(s * z))
    if parameter.prior.law == "logit_normal":
        return float(1.0 / (1.0 + np.exp(-(np.log(v / (1.0 - v)) + s * z))))
    return v + s * z


class Posterior(Generated):
    """`posterior`: prior and posterior of every free parameter, from data/posterior."""

    def generate(self) -> tuple[str, list[str]]:
        import yaml

        folder = load.DATA / "posterior"
        ensemble, provenance = folder / "ensemble.tsv", folder / "provenance.yaml"
        if not ensemble.exists():
            return "The package ships no posterior yet; `her2 calibrate` makes one.\n", []
        lines = ensemble.read_text(encoding="utf-8").splitlines()
        names = lines[0].split("\t")
        members = np.array([[float(x) for x in line.split("\t")] for line in lines[1:] if line])
        known: dict[str, Any] = {}
        intro = f"{members.shape[0]} members.\n\n"
        if provenance.exists():
            data = yaml.safe_load(provenance.read_text(encoding="utf-8"))
            known = data.get("parameters", {})
            settings = ", ".join(f"{k} {v}" for k, v in data.get("settings", {}).items())
            misfit = ", ".join(f"{m:.2f}" for m in data.get("misfit_by_step", []))
            intro = (
                f"{members.shape[0]} members; {plain(data.get('method', ''))}; {plain(settings)}; digest "
                f"{code(data.get('digest', ''))}. Mean squared standardised error by step, prior first: {misfit}.\n\n"
            )
        else:
            intro += "Without its provenance file, so that shift and shrinkage are computed from the members.\n\n"
        parameters = load.load_parameters()
        rows = []
        for name, p in sorted(parameters.items()):
            if p.role != "free" or p.prior is None:
                continue
            prior = f"{number(p.value, 3)} [{number(_value_at(p, -_MIDDLE), 3)}, {number(_value_at(p, _MIDDLE), 3)}]"
            if name not in names:
                rows.append((link("parameter", name, parameters), plain(p.label), code(p.unit), prior, "not in it", "", ""))
                continue
            x = members[:, names.index(name)]
            low, middle, high = (float(np.quantile(x, q)) for q in (0.05, 0.5, 0.95))
            z = _coordinates(p, x)
            ratio = float(known.get(name, {}).get("sd_ratio", z.std(ddof=1)))
            shift = float(known.get(name, {}).get("shift_in_prior_sd", z.mean()))
            rows.append(
                (
                    link("parameter", name, parameters),
                    plain(p.label),
                    code(p.unit),
                    prior,
                    f"{number(middle, 3)} [{number(low, 3)}, {number(high, 3)}]",
                    f"{shift:+.2f}",
                    f"{ratio:.2f}" + (" (not informed)" if ratio > 0.85 else ""),
                )
            )
        headers = (
            "parameter", "label", "unit", "prior median [90 %]", "posterior median [90 %]", "shift, prior SD",
            "posterior / prior SD",
        )  # fmt: skip
        return intro + markdown(headers, rows), []


def _coordinates(parameter: Parameter, x: Any) -> Any:
    assert parameter.prior is not None
    v, s = parameter.value, parameter.prior.spread
    if parameter.prior.law == "lognormal":
        return np.log(x / v) / s
    if parameter.prior.law == "logit_normal":
        return (np.log(x / (1 - x)) - np.log(v / (1 - v))) / s
    return (x - v) / s


class Fitted(Generated):
    """`fitted`: fitted figures and soft claims at the posterior, from data/posterior/provenance.yaml."""

    def generate(self) -> tuple[str, list[str]]:
        import yaml

        path = load.DATA / "posterior" / "provenance.yaml"
        if not path.exists():
            return "The shipped posterior has no provenance file yet; `her2 calibrate --out FOLDER` writes one.\n", []
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        rows = [
            (code(t["figure"]), number(t["published"], 3), number(t["model"], 3), f"{t['residual_in_sd']:+.2f}")
            for t in sorted(data.get("targets", []), key=lambda t: -abs(t["residual_in_sd"]))
        ]
        text = "Largest residual first.\n\n" + markdown(("figure", "published", "model", "residual, SD"), rows)
        claims = load.load_claims()
        rows = [
            (link("claim", c["claim"], claims), number(c["margin"]), number(c["error"]), number(c["model"], 3))
            for c in data.get("claims", [])
        ]
        return text + "\n" + markdown(("soft claim", "margin", "error", "model (cut at the margin)"), rows), []


class SoftClaims(Generated):
    """`soft-claims`: mechanism claims that enter the calibration."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.calibration.claims import SOFT_CLAIMS

        claims = load.load_claims()
        rows = [
            (link("claim", c.claim, claims), plain(c.says), number(c.margin), number(c.error)) for c in SOFT_CLAIMS
        ]
        return markdown(("claim", "experiment on the reference cell", "margin", "error"), rows), []


class Targets(Generated):
    """`targets`: the figures calibration fits, with the error each is given."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.calibration.targets import FIT_TRIALS, collect_targets
        from her2.trials.design import load_trial

        rows = []
        for t in collect_targets([load_trial(n) for n in FIT_TRIALS]):
            value = 1.0 / (1.0 + np.exp(-t.value)) if t.statistic == "rate" else np.exp(t.value)
            scale = "logit" if t.statistic == "rate" else "log"
            rows.append((code(t.trial), t.endpoint.upper(), t.statistic, number(float(value), 3), f"{t.error:.2f} ({scale})",
                         code(t.published)))  # fmt: skip
        return markdown(("trial", "endpoint", "statistic", "published", "error (scale)", "figure of the record"), rows), []


class Trial(Generated):
    """`trial NAME`: design and printed figures of a built-in trial; held-out figures are counted, not shown."""

    required_arguments = 1

    def generate(self) -> tuple[str, list[str]]:
        from her2.trials.design import load_trial
        from her2.units import DAYS_PER_MONTH

        trial = load_trial(self.arguments[0])
        month = lambda days: f"{days / DAYS_PER_MONTH:.3g} months"  # noqa: E731
        facts = [
            ("title", plain(trial.title)),
            ("population", f"{code(trial.population.recipe)}, {trial.population.size} patients, {trial.population.year}"),
            ("prior lines", ", ".join(map(code, trial.prior_lines)) or "none"),
            (
                "randomisation",
                ":".join(map(str, trial.randomisation.ratio))
                + f", blocks of {trial.randomisation.block}"
                + (f", strata {', '.join(map(code, trial.randomisation.strata))}" if trial.randomisation.strata else ""),
            ),
            ("accrual", f"{month(trial.accrual.duration)} {cite(trial.accrual.source, trial.accrual.locator)}"),
            ("scans", f"every {trial.scans.every / 7:g} weeks {cite(trial.scans.source, trial.scans.locator)}"),
            *(
                (f"data cut, {a.endpoint.upper()}", f"{month(a.cut)} {cite(a.source, a.locator)}")
                for a in trial.analyses
            ),
            ("loss to follow-up", f"{trial.drop_out.rate * 365.25:g} a year"),
            ("uptake of later lines", ", ".join(f"{u:g}" for u in trial.later_lines.uptake) or "none"),
        ]
        text = markdown(("design", ""), facts)
        rows = []
        for arm in trial.arms:
            for k, part in enumerate(arm.regimen):
                cycles = part.cycles
                label = plain(arm.label) + (" (control)" if arm.id == trial.control else "")
                rows.append(
                    (
                        label if k == 0 else "",
                        plain(part.agent),
                        code(part.dose),
                        f"median {cycles.median:g}, {cycles.low:g}-{cycles.high:g}" if cycles else "",
                    )
                )
        text += "\n" + markdown(("arm", "agent", "dose", "cycles"), rows)
        if trial.study:
            text += "\n" + _figures(load.load_study(trial.study).values)
        return text, []


def _figures(values: Sequence[PublishedValue]) -> str:
    shown = [v for v in values if v.role == "fit"]
    held = sum(v.role == "held_out" for v in values)
    rows = []
    for v in shown:
        who = plain(v.arm or (f"{v.contrast.experimental} v {v.contrast.control}" if v.contrast else "all"))
        interval = f" [{v.ci_low:g}, {v.ci_high:g}]" if v.ci_low is not None and v.ci_high is not None else ""
        unit = "" if v.unit in ("ratio", "1") else f" {v.unit}"
        place = cite(v.source, f"lines {v.line_start}-{v.line_end}")
        rows.append((f"{v.endpoint.upper()} {plain(v.statistic)}", who, number(v.value), interval + unit, place))
    text = markdown(("fitted figure", "arm or contrast", "published", "interval, unit", "place"), rows) if rows else ""
    context = sum(v.role == "context" for v in values)
    return text + f"\n{context} further printed figures are context, {held} are held out and not shown on these pages.\n"


class Trials(Generated):
    """`trials`: the built-in trials."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.trials.design import load_trial, trial_names

        rows = []
        for name in trial_names():
            t = load_trial(name)
            rows.append((code(name), plain(t.title), str(t.population.size), ", ".join(map(code, t.prior_lines)) or "none"))
        return markdown(("trial", "title", "patients", "prior lines"), rows), []


class Rules(Generated):
    """`rules`: treatment rules of the record by precedence."""

    def generate(self) -> tuple[str, list[str]]:
        rows = [
            (
                code(r.id),
                plain(r.says),
                plain(", ".join(f"{k}: {v}" for k, v in r.when.items())),
                plain(", ".join(f"{k}: {v}" for k, v in r.unless.items())),
                ", ".join(map(code, r.offer)),
                plain(r.strength),
                places(r),
            )
            for r in sorted(load.load_rules().values(), key=lambda r: (r.rank, r.id))
        ]
        return markdown(("rule", "says", "when", "unless", "offers", "strength", "place"), rows), []


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
                effect = f"x {c.factor:g} if {c.covariate}" if c.factor else f"({c.covariate}/{c.reference:g})^{c.exponent:g}"
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
                text += f"\nCovariance of {' and '.join(pair.between)}: {pair.covariance:g}.\n".replace("_", " ")
            for b in agent.binding:
                text += f"\n{plain(b.label)}: {b.value:g} {b.unit} ({b.quality}; {cite(b.source, b.locator)}).\n"
        return text, []


class RecordCounts(Generated):
    """`record-counts`: how many entries of each kind the record holds."""

    def generate(self) -> tuple[str, list[str]]:
        studies = [s for s in load.load_studies().values() if s.kind == "study"]
        values = [v for s in load.load_studies().values() for v in s.values]
        rows = [
            ("sources", len(load.load_sources())),
            ("studies", len(studies)),
            ("printed figures", len(values)),
            ("printed figures that may be fitted", sum(v.role == "fit" for v in values)),
            ("printed figures held out", sum(v.role == "held_out" for v in values)),
            ("printed figures that cannot be right", sum(v.likely_correct is not None for v in values)),
            ("claims", len(load.load_claims())),
            ("executable claims", sum(c.executable for c in load.load_claims().values())),
            ("mechanisms", len(load.load_mechanisms())),
            ("agents", len(load.load_agents())),
            ("treatment rules", len(load.load_rules())),
            ("conflicts", len(load.load_conflicts())),
            ("parameters", len(load.load_parameters())),
            ("free parameters", sum(p.role == "free" for p in load.load_parameters().values())),
        ]
        text = markdown(("kind", "entries"), [(k, str(n)) for k, n in rows])
        quality: dict[str, int] = {}
        for p in load.load_parameters().values():
            quality[p.quality] = quality.get(p.quality, 0) + 1
        shares = ", ".join(f"{n} {q}" for q, n in sorted(quality.items(), key=lambda x: -x[1]))
        return text + f"\nQuality of the model's parameters: {shares}.\n", []


class Fields(Generated):
    """`fields MODULE:CLASS`: keys of a kind of file, from its schema."""

    required_arguments = 1

    def generate(self) -> tuple[str, list[str]]:
        from importlib import import_module

        module, _, name = self.arguments[0].partition(":")
        model = getattr(import_module(module), name)
        rows = []
        for key, field in model.model_fields.items():
            rule = ", ".join(_rules(field.metadata))
            default = "required" if field.is_required() else (plain(repr(field.get_default(call_default_factory=True))) or "")
            if len(default) > 40 or default.startswith("LaterLines"):
                default = "see its own table"
            rows.append((code(field.alias or key), code(_type(field.annotation)), plain(rule), default))
        return markdown(("key", "type", "limits", "default"), rows), []


def _rules(metadata: Sequence[Any]) -> Iterable[str]:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "min_length": "at least this long:",
             "max_length": "at most this long:", "pattern": "matches"}  # fmt: skip
    for item in metadata:
        for attribute, word in words.items():
            value = getattr(item, attribute, None)
            if value is not None:
                yield f"{word} {value}"
        if getattr(getattr(item, "func", None), "__name__", "") == "_to_days":
            yield "a time with its unit, such as '9 week'"
        if getattr(getattr(item, "func", None), "__name__", "") == "_to_rate":
            yield "a rate with its unit, such as '0.03 1/year'"


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return " / ".join(map(str, arguments))
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"map of {_type(arguments[0])} to {_type(arguments[1])}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join("nothing" if a is type(None) else _type(a) for a in arguments)
    names = {"str": "text", "float": "number", "int": "whole number", "bool": "yes/no"}
    return names.get(getattr(annotation, "__name__", str(annotation)), getattr(annotation, "__name__", str(annotation)))


class Dosing(Generated):
    """`dosing`: one dosing text per line of the content, read and laid out for 70 kg and 1.72 m2 over twelve weeks."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.pharmacology.regimen import format_regimen, parse_regimen

        rows = []
        for line in self.content:
            if not line.strip():
                continue
            regimen = parse_regimen(line.strip())
            table = regimen.expand(70.0, 1.72, 0.0, 84.0)
            first = ", ".join(f"{a:g} mg on day {t + 1:g}" for t, a in list(zip(table.time_day, table.amount_mg, strict=True))[:3])
            more = ", …" if table.n_doses > 3 else ""
            rows.append((code(line.strip()), code(format_regimen(regimen)), first + more, str(table.n_doses)))
        return markdown(("text", "written back as", "first doses (70 kg, 1.72 m²)", "doses in 12 weeks"), rows), []


class CommandLine(Generated):
    """`command-line`: every command with its arguments and options, from the program itself."""

    def generate(self) -> tuple[str, list[str]]:
        import typer

        from her2.cli.main import app

        group = typer.main.get_command(app)
        text = plain(group.help or "") + "\n"
        for name, command in sorted(group.commands.items()):  # type: ignore[attr-defined]
            text += f"\n**her2 {name}**: {plain(command.help or '')}\n\n"
            rows = []
            for p in command.params:
                if p.name == "help":
                    continue
                words = p.opts + p.secondary_opts if p.param_type_name == "option" else [(p.name or "").upper()]
                default = p.default
                if callable(default) or default in (None, "", False, ()) or "Sentinel" in type(default).__name__:
                    default = ""
                rows.append((", ".join(map(code, words)), plain(getattr(p, "help", "") or ""), plain(default)))
            text += markdown(("argument or option", "meaning", "default"), rows)
        return text, []


class Benchmarks(Generated):
    """`benchmarks`: the measurements in benchmarks/results.json, if there are any."""

    def generate(self) -> tuple[str, list[str]]:
        path = ROOT / "benchmarks" / "results.json"
        if not path.exists():
            return "No results are stored yet; `make bench` writes `benchmarks/results.json`.\n", []
        rows = [(plain(k.replace("_", " ")), plain(v)) for k, v in _flat(json.loads(path.read_text(encoding="utf-8")))]
        return markdown(("measurement", "value"), rows), []


def _flat(data: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _flat(value, f"{prefix}, {key}" if prefix else str(key))
    elif isinstance(data, list) and any(isinstance(x, (dict, list)) for x in data):
        for k, value in enumerate(data, start=1):
            yield from _flat(value, f"{prefix} {k}")
    else:
        yield prefix, f"{data:.4g}" if isinstance(data, float) else str(data)


DIRECTIVES: dict[str, Callable[..., Any]] = {
    "parameters": Parameters,
    "claims": Claims,
    "network": Network,
    "receptors-network": ReceptorNetwork,
    "clones": Clones,
    "posterior": Posterior,
    "fitted": Fitted,
    "soft-claims": SoftClaims,
    "targets": Targets,
    "trial": Trial,
    "trials": Trials,
    "rules": Rules,
    "pharmacokinetics": PharmacokineticsTable,
    "record-counts": RecordCounts,
    "fields": Fields,
    "dosing": Dosing,
    "command-line": CommandLine,
    "benchmarks": Benchmarks,
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the bibliography."""
    for name, directive in DIRECTIVES.items():
        app.add_directive(name, directive)
    app.connect("config-inited", write_bibliography, priority=1)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
