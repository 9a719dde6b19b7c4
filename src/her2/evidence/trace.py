"""What an entry rests on, and what rests on it: from a figure to its source, from a source to every trial.

`Graph.up` leads towards the sources: a claim rests on the source that states it and the trial it speaks of,
a mechanism on its claims, a network edge on claims and parameters, a trial on agents, population, regimens,
the published study and the networks, a switch on its mechanism and what it changes, an experiment on its claim and
what it reads. `Graph.down` leads the other way. A node is `kind:id`; a bare id finds every kind.

An edge is a piece of a network (`pathway.nodes.akt`), a reaction of a node by its sources
(`pathway.nodes.akt.pip3+inpp4b_loss`), an action of an agent is `lapatinib.kinase.her2`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from her2.errors import Her2Error, nearest, unknown
from her2.evidence.biology import Experiment
from her2.evidence.record import Kept, Record, place_of, walk
from her2.evidence.schema import Action, Agent, Lines, PublishedValue

KINDS = (
    "source", "value", "claim", "mechanism", "parameter", "attribute", "action", "agent", "cell", "rule", "study",
    "conflict", "population", "regimen", "edge", "switch", "experiment", "network", "trial",
)  # fmt: skip
PROPERTIES = ("mechanism", "structure", "approval")
"""Kinds of claims that say what an agent is; results of trials rest on the agent's trials instead."""
MAX_PLACES = 6
Direction = Literal["up", "down"]


@dataclass(frozen=True)
class Node:
    """One entry of the record in the graph."""

    key: str
    kind: str
    id: str
    label: str
    user: bool = False


@dataclass(frozen=True)
class Edge:
    """`upper` is what `lower` rests on; `why` says how."""

    lower: str
    upper: str
    why: str


class Graph:
    """All entries and what each rests on."""

    def __init__(self, record: Record) -> None:
        self.nodes: dict[str, Node] = {}
        self._up: dict[str, dict[str, str]] = defaultdict(dict)
        self._down: dict[str, dict[str, str]] = defaultdict(dict)
        self._record = record
        self._entries()
        self._links()

    def _node(self, kind: str, name: str, label: str, user: bool = False) -> str:
        key = f"{kind}:{name}"
        self.nodes.setdefault(key, Node(key, kind, name, label, user))
        return key

    def _rests(self, lower: str, kind: str, names: Iterable[str | None], why: str) -> None:
        """`lower` rests on the entries of a kind; names that do not exist are the linter's business."""
        for name in names:
            upper = f"{kind}:{name}"
            if name and upper in self.nodes and upper != lower:
                self._up[lower].setdefault(upper, why)
                self._down[upper].setdefault(lower, why)

    def _entries(self) -> None:
        r = self._record
        labelled: tuple[tuple[str, Mapping[str, Kept[Any]], str], ...] = (
            ("source", r.sources, "title"), ("agent", r.agents, "name"), ("mechanism", r.mechanisms, "name"),
            ("claim", r.claims, "statement"), ("study", r.studies, "name"), ("rule", r.rules, "says"),
            ("conflict", r.conflicts, "about"), ("parameter", r.parameters, "label"),
            ("population", r.populations, "says"), ("attribute", r.attributes, "label"), ("cell", r.cells, "name"),
            ("switch", r.switches, "label"),
        )  # fmt: skip
        for kind, entries, label in labelled:
            for name, kept in entries.items():
                self._node(kind, name, str(getattr(kept.entry, label)), kept.user)
        for parameter in r.parameters.values():
            p = parameter.entry
            key = f"parameter:{p.id}"
            self.nodes[key] = Node(
                key, "parameter", p.id, f"{p.label} = {p.value:g} {p.unit}, {p.quality}", parameter.user
            )
        for agent, number, action in _actions(r):
            half = f", half {action.half:g} {action.unit}" if action.half is not None else ""
            what = f"{agent.entry.name} on {action.on} {action.target}".rstrip() + half
            self._node("action", _action_id(agent.entry, number), what, agent.user)
        for kept in r.experiments.values():
            self._node("experiment", kept.entry.claim, _experiment_label(kept.entry), kept.user)
        for study, value in r.values():
            group = value.arm or (
                f"{value.contrast.experimental} v {value.contrast.control}" if value.contrast else ""
            )
            unit = (
                ""
                if not value.printed_unit or value.printed_unit in value.printed
                else f" {value.printed_unit}"
            )
            what = f"{value.ae_term or value.endpoint} {value.statistic} {group}"
            self._node("value", value.id, f"{study.entry.name}: {what}: {value.printed}{unit}", study.user)
        for kind, plain, label in (
            ("regimen", r.regimens, "label"),
            ("trial", r.trials, "title"),
            ("network", r.network, ""),
        ):
            for name, item in plain.items():
                self._node(
                    kind, name, str(item.entry.get(label, name)) if label else f"{name} network", item.user
                )
                if kind == "network":
                    for part, data in _parts(item.entry):
                        self._node("edge", f"{name}.{part}", f"{part} in the {name} network", item.user)
                        for own, reaction in _reactions(data):
                            says = f"{_sources(reaction)} to {part.removeprefix('nodes.')}"
                            self._node("edge", f"{name}.{part}.{own}", says, item.user)

    def _links(self) -> None:
        r = self._record
        for name, a in r.agents.items():
            key, entry = f"agent:{name}", a.entry
            self._places(key, entry.places)
            self._rests(key, "claim", entry.claims, "states a property")
            parts: list[Any] = [*entry.regimens, *entry.binding]
            parts += [x for x in (entry.pharmacokinetics, entry.molecular_weight) if x is not None]
            for part in parts:
                self._rests(key, "source", [part.source], part.locator)
            pd = entry.pharmacodynamics
            if pd is not None:
                for what in ("unbound", "exposure", "cns_ratio"):
                    quantity = getattr(pd, what)
                    if quantity is not None:
                        self._rests(key, "source", [quantity.source], f"{what}: {quantity.locator}")
        self._biology()
        for name, m in r.mechanisms.items():
            key = f"mechanism:{name}"
            self._places(key, m.entry.places)
            self._rests(key, "claim", m.entry.claims, "states the mechanism")
            for parameter in m.entry.parameters:
                self._rests(f"parameter:{parameter}", "mechanism", [name], "stands for the mechanism")
        for name, c in r.claims.items():
            key = f"claim:{name}"
            self._places(key, c.entry.places)
            self._rests(key, "study", [c.entry.trial], "is about")
            study = r.studies.get(c.entry.trial or "")
            self._rests(
                key, "value", _printed_there(c.entry.places, study.entry.values if study else ()), "reports"
            )
            for mechanism in c.entry.mechanisms:
                self._rests(f"mechanism:{mechanism}", "claim", [name], "speaks of the mechanism")
            for agent in c.entry.agents if c.entry.kind in PROPERTIES else ():
                self._rests(f"agent:{agent}", "claim", [name], "states a property")
        for name, s in r.studies.items():
            key = f"study:{name}"
            self._places(key, s.entry.places)
            self._rests(key, "study", [s.entry.parent], "part of")
            for value in s.entry.values:
                self._rests(key, "value", [value.id], "prints")
                self._places(f"value:{value.id}", (place_of(value),))
        for name, u in r.rules.items():
            key = f"rule:{name}"
            self._places(key, u.entry.places)
            offered = [part for c in (*u.entry.offer, *u.entry.avoid) for part in c.split("+")]
            self._rests(key, "agent", offered, "offers or avoids")
        for name, x in r.conflicts.items():
            key = f"conflict:{name}"
            self._places(key, [p for p in (x.entry.place_1, x.entry.place_2) if p is not None])
            self._rests(key, "study", [x.entry.about], "about")
        for name, p in r.parameters.items():
            self._rests(f"parameter:{name}", "source", [p.entry.source], p.entry.locator)
        for name, q in r.populations.items():
            key = f"population:{name}"
            for parameter, own in q.entry.values.items():
                full = parameter if "." in parameter else f"population.{parameter}"
                self._rests(key, "parameter", [full], "replaces the default")
                self._rests(key, "source", [own.source], own.locator)
        self._model()

    def _biology(self) -> None:
        """Actions, attributes, cells, switches and experiments."""
        r = self._record
        for agent, number, action in _actions(r):
            name = _action_id(agent.entry, number)
            key = f"action:{name}"
            self._rests(f"agent:{agent.entry.id}", "action", [name], "acts by")
            self._rests(key, "source", [action.source], action.locator)
            self._rests(key, "claim", action.claims, "states the action")
            self._rests(key, "parameter", [action.parameter], "kill rate")
            if action.on == "node":
                self._rests(key, "edge", [f"pathway.nodes.{action.target}"], "inhibits")
            elif action.on in ("input", "checkpoint"):
                self._rests(key, "attribute", [action.target], "inhibits")
        for name, a in r.attributes.items():
            self._rests(f"attribute:{name}", "source", [a.entry.source], a.entry.locator)
        for name, c in r.cells.items():
            key = f"cell:{name}"
            for values in (c.entry.receptors, c.entry.genotype, c.entry.ligands):
                for attribute, item in values.items():
                    self._rests(key, "source", [item.source], f"{attribute}: {item.locator}")
                    self._rests(key, "attribute", [attribute], f"{item.value:g}, {item.quality}")
            if not (c.entry.receptors or c.entry.genotype or c.entry.ligands):
                self._rests(key, "attribute", r.attributes, "every attribute as in the catalogue")
        for name, s in r.switches.items():
            key = f"switch:{name}"
            self._rests(key, "mechanism", [s.entry.mechanism], "switches the mechanism")
            self._rests(key, "claim", s.entry.claims, "stands for the claim")
            self._rests(key, "attribute", [x.attribute for x in s.entry.sets], "sets")
            self._rests(key, "parameter", s.entry.parameters, "multiplies")
            self._rests(key, "agent", s.entry.adds, "adds")
            for d in s.entry.disables:
                of_agent = f"{d.agent}.{d.action}"
                taken = [
                    n.id for n in self.nodes.values()
                    if n.kind == "action" and f"{n.id}.".startswith(f"{of_agent}.{d.target}.".replace("..", "."))
                ]  # fmt: skip
                self._rests(key, "action", taken, "takes away")
        for name, e in r.experiments.items():
            self._experiment(f"experiment:{name}", e.entry)

    def _experiment(self, key: str, entry: Experiment) -> None:
        self._rests(key, "claim", [entry.claim], "runs the claim")
        if entry.not_covered:
            return
        self._rests(key, "edge", [f"pathway.nodes.{entry.readout}"], "reads")
        self._rests(key, "edge", [f"receptors.dimers.{entry.readout}"], "reads")
        for condition in (entry.base, *entry.conditions.values()):
            self._rests(key, "cell", [condition.cell], "in the cell")
            for given in (condition.set, condition.ligands, condition.where, condition.split):
                self._rests(key, "attribute", given, "sets or selects")
            self._rests(key, "switch", condition.switches, "sets")
            self._rests(key, "agent", [*condition.drugs, *condition.cross_over], "gives")
            self._rests(key, "parameter", condition.parameters, "replaces")
        members = entry.population
        self._rests(key, "attribute", [*members.select, *members.set], "selects or sets")
        self._rests(key, "agent", [agent for line in members.prior for agent in line], "gave earlier")

    def _places(self, key: str, places: Iterable[Lines]) -> None:
        """Lines of the sources; several places in one source are named together."""
        found: dict[str, list[str]] = defaultdict(list)
        for place in places:
            found[place.source].append(str(place).removeprefix(f"{place.source} "))
        for source, lines in found.items():
            more = f" and {len(lines) - MAX_PLACES} more" if len(lines) > MAX_PLACES else ""
            self._rests(key, "source", [source], "; ".join(lines[:MAX_PLACES]) + more)

    def _model(self) -> None:
        """Networks, regimens and virtual trials, which are plain data."""
        r = self._record
        for name, network in r.network.items():
            key = f"network:{name}"
            for part, data in _parts(network.entry):
                edge = f"edge:{name}.{part}"
                self._rests(key, "edge", [f"{name}.{part}"], "is built of")
                for own, reaction in _reactions(data):
                    self._rests(edge, "edge", [f"{name}.{part}.{own}"], "is the OR of")
                    self._references(f"{edge}.{own}", reaction)
                self._references(edge, {k: v for k, v in data.items() if k != "reactions"})
            top = {k: v for k, v in network.entry.items() if not isinstance(v, list)}
            self._references(key, top)
        for name, g in r.regimens.items():
            key = f"regimen:{name}"
            self._references(key, g.entry)
        for name, t in r.trials.items():
            key = f"trial:{name}"
            self._references(key, t.entry)
            self._rests(key, "study", [t.entry.get("study")], "is compared with")
            recipe = t.entry.get("population")
            if isinstance(recipe, dict):
                self._rests(key, "population", [recipe.get("recipe")], "draws patients from")
            for lines in (
                t.entry.get("prior_lines"),
                *(h.get("lines") for h in t.entry.get("histories") or []),
            ):
                self._rests(key, "regimen", lines if isinstance(lines, list) else [], "earlier lines")
            self._rests(key, "network", r.network, "simulates")

    def _references(self, key: str, data: Any) -> None:
        """Claims, parameters, agents and sources that plain data names."""
        for where, field, text in walk(data):
            if field == "claims":
                self._rests(key, "claim", [text], "named by the model")
            elif field == "agent":
                self._rests(key, "agent", [text], "gives")
            elif field == "source":
                self._rests(key, "source", [text], where)
            elif f"parameter:{text}" in self.nodes:
                self._rests(key, "parameter", [text], where)

    def find(self, name: str) -> list[Node]:
        """Nodes with an id, or the node `kind:id`; an experiment, named after its claim, by its kind only.

        Raises
        ------
        her2.errors.UnknownNameError
            With the nearest ids.
        """
        if name in self.nodes:
            return [self.nodes[name]]
        kind, colon, rest = name.partition(":")
        if colon and kind not in KINDS:
            raise unknown("kind", kind, KINDS)
        found = [n for n in self.nodes.values() if n.id == name and n.kind != "experiment"]
        if found:
            return found
        ids = {n.id: None for n in self.nodes.values() if not colon or n.kind == kind}
        wanted = rest if colon else name
        inside = sorted(i for i in ids if len(wanted) >= 3 and wanted.lower() in i)[:5]
        close = nearest(wanted, ids) or (f"; ids that contain it: {', '.join(inside)}" if inside else "")
        raise Her2Error(
            f"trace: nothing in the record has the id '{name}'{close}. Search with `her2 evidence {wanted}`"
        )

    def next(self, key: str, direction: Direction) -> list[tuple[Node, str]]:
        """Neighbours of a node, each with the reason, by kind, then in the order of the record."""
        links = (self._up if direction == "up" else self._down).get(key, {})
        found = [(self.nodes[k], why) for k, why in links.items()]
        return sorted(found, key=lambda pair: KINDS.index(pair[0].kind))

    def reach(
        self, keys: Iterable[str], direction: Direction, depth: int = 99
    ) -> tuple[list[Node], list[Edge]]:
        """Everything that can be reached, nearest first, and the links between."""
        start = list(keys)
        seen = dict.fromkeys(start)
        edges: list[Edge] = []
        front = start
        for _ in range(depth):
            later: list[str] = []
            for key in front:
                for node, why in self.next(key, direction):
                    edges.append(Edge(key, node.key, why) if direction == "up" else Edge(node.key, key, why))
                    if node.key not in seen:
                        seen[node.key] = None
                        later.append(node.key)
            front = later
            if not front:
                break
        return [self.nodes[k] for k in seen], edges


def _printed_there(places: Iterable[Lines], values: Iterable[PublishedValue]) -> list[str]:
    """Figures printed on these lines."""
    every = list(places)
    return [
        v.id
        for v in values
        if any(
            p.source == v.source and p.line_start <= v.line_end and v.line_start <= p.line_end for p in every
        )
    ]


def _parts(network: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Pieces of a network one would point at: `nodes.akt`, `dimers.her2_her3`, `genotypes.p95` ..."""
    for name, items in network.items():
        if isinstance(items, list):
            for i, item in enumerate(items):
                if isinstance(item, dict):
                    yield f"{name}.{item.get('id') or item.get('antibody') or i}", item


def _reactions(part: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Reactions of a node, each by its sources; a second one from the same sources is numbered."""
    seen: dict[str, int] = {}
    for reaction in part.get("reactions", ()):
        name = "+".join(reaction["activators"]) + "".join(
            f"-{i['node']}" for i in reaction.get("inhibitors", ())
        )
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name}.{seen[name]}", reaction


def _sources(reaction: Mapping[str, Any]) -> str:
    """Sources of a reaction for reading."""
    active = " and ".join(reaction["activators"]) or "always on"
    held = " or ".join(i["node"] for i in reaction.get("inhibitors", ()))
    return f"{active}, held back by {held}," if held else active


def _actions(record: Record) -> Iterable[tuple[Kept[Agent], int, Action]]:
    """Every action with its agent and its position."""
    for agent in record.agents.values():
        pd = agent.entry.pharmacodynamics
        for number, action in enumerate(pd.actions if pd is not None else ()):
            yield agent, number, action


def _action_id(agent: Agent, number: int) -> str:
    """`lapatinib.kinase.her2`; a second one of the same kind and target is numbered."""
    assert agent.pharmacodynamics is not None
    actions = agent.pharmacodynamics.actions
    key = (actions[number].on, actions[number].target)
    before = sum((a.on, a.target) == key for a in actions[:number])
    name = ".".join(part for part in (agent.id, *key) if part)
    return name if before == 0 else f"{name}.{before + 1}"


def _experiment_label(entry: Experiment) -> str:
    """What is compared, in one line."""
    if entry.not_covered or entry.statistic is None or entry.expect is None:
        return f"not covered: {entry.not_covered}"
    expect = entry.expect
    wanted = (
        f"between {expect.low:g} and {expect.high:g}"
        if expect.low is not None and expect.high is not None
        else {"greater": "greater", "less": "less", "none": "no relevant effect"}[expect.relation]
    )
    compared = ", ".join(entry.statistic.of)
    kind = entry.statistic.kind.replace("_", " ")
    return f"{entry.readout}, {kind} of {compared}: {wanted} ({entry.system})"


@lru_cache(maxsize=1)
def build_graph(record: Record) -> Graph:
    """The graph of a record, built once for the record in memory."""
    return Graph(record)
