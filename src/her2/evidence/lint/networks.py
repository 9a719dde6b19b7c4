"""The two signalling layers: names exist, every edge has weight and claim, no fast cycle, nothing leads nowhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from her2.evidence.biology import NETWORK_INPUTS, READ_NODES, PathwayFile
from her2.evidence.lint.base import AbstractCheck, Context, Finding
from her2.evidence.record import Kept, Record, pathway_of, receptors_of


class Pathway(AbstractCheck):
    """Edges of the pathway layer: their nodes and parameters exist, each stands on a claim, the graph can be run."""

    name = "network"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of inputs, nodes, slow states and outputs."""
        kept = pathway_of(context.record)
        if kept is None:
            return
        file, record = kept.entry, context.record
        inputs, nodes = [i.id for i in file.inputs], [n.id for n in file.nodes]
        known = [*inputs, *nodes]
        yield from self._twice(kept, "inputs and nodes", known)
        yield from self._twice(kept, "slow_states", [s.id for s in file.slow_states])
        for i in file.inputs:
            mend = "Name the attribute that gives it in her2.cell.respond.network_inputs."
            if i.id not in NETWORK_INPUTS:
                yield self._error(kept, f"inputs.{i.id}", "nothing in a cell gives this input a value", mend)
        for key, parameter in file.hill_defaults.items():
            yield from self.unknown(kept, f"hill_defaults.{key}", "parameter", [parameter], record.parameters)
        for node in file.nodes:
            place = f"nodes.{node.id}"
            own = [node.time_constant, *node.hill.values()]
            yield from self.unknown(kept, place, "parameter", own, record.parameters)
            yield from self.unknown(kept, f"{place}.linear", "node", node.linear, known)
            for reaction in node.reactions:
                where = f"{place}, edge from {reaction.name or 'nothing'}"
                held = [i.node for i in reaction.inhibitors]
                yield from self.unknown(kept, where, "node", [*reaction.activators, *held], known)
                weights = [reaction.weight, *(i.weight for i in reaction.inhibitors)]
                yield from self.unknown(kept, where, "parameter", weights, record.parameters)
                yield from self._claims(kept, where, reaction.claims, record)
        species = _species(record)
        for state in file.slow_states:
            place = f"slow_states.{state.id}"
            yield from self.unknown(kept, place, "node", [state.driver], nodes)
            yield from self.unknown(
                kept, place, "parameter", [state.time_constant, state.gain], record.parameters
            )
            yield from self._claims(kept, place, state.claims, record)
            for kind, target in state.acts_on.items():
                valid = inputs if kind == "input" else species
                if valid is not None:
                    yield from self.unknown(kept, f"{place}.acts_on", kind, [target], valid)
        for name, target in file.outputs.items():
            yield from self.unknown(kept, f"outputs.{name}", "node", [target], nodes)
        yield from self._cycle(kept)
        yield from self._dead_ends(kept, record)

    def _cycle(self, kept: Kept[PathwayFile]) -> Iterator[Finding]:
        nodes = {n.id for n in kept.entry.nodes}
        sources = {n.id: {s for r in n.reactions for s in _sources(r)} & nodes for n in kept.entry.nodes}
        try:
            TopologicalSorter(sources).prepare()
        except CycleError as error:
            cycle = " -> ".join(error.args[1])
            mend = "Route one of its edges through slow_states."
            yield self._error(kept, f"nodes.{error.args[1][0]}", f"cycle without a slow state: {cycle}", mend)

    def _dead_ends(self, kept: Kept[PathwayFile], record: Record) -> Iterator[Finding]:
        """Inputs that feed nothing and nodes that reach nothing, unless an experiment reads them."""
        file = kept.entry
        used = {s for n in file.nodes for r in n.reactions for s in _sources(r)}
        for i in file.inputs:
            if i.id not in used:
                what, mend = "the input feeds no node", "Name it in a reaction or take it out."
                yield Finding("warning", self.name, kept.file, f"inputs.{i.id}", what, mend, kept.user)
        read = {e.entry.readout for e in record.experiments.values()}
        read |= {"apoptosis"} if "apoptosis_signal" in read else set()
        ends = {*READ_NODES, *file.outputs.values(), *(s.driver for s in file.slow_states), *read}
        sources = {n.id: {s for r in n.reactions for s in _sources(r)} for n in file.nodes}
        reached, front = set[str](), {n for n in ends if n in sources}
        while front:
            reached |= front
            front = {s for n in front for s in sources[n] if s in sources} - reached
        for n in file.nodes:
            if n.shown_only and any(n.id in s for s in sources.values()):
                what, mend = "says `shown_only`, but other nodes depend on it", "Take the key out."
                yield Finding("warning", self.name, kept.file, f"nodes.{n.id}", what, mend, kept.user)
            if n.id not in reached and not n.shown_only:
                yield Finding(
                    "warning", self.name, kept.file, f"nodes.{n.id}",
                    "the node reaches no output, no slow state and no experiment",
                    "Lead it somewhere, read it in an experiment, say why in `shown_only`, or take it out.",
                    kept.user,
                )  # fmt: skip

    def _claims(
        self, kept: Kept[Any], where: str, claims: Collection[str], record: Record
    ) -> Iterator[Finding]:
        if not claims:
            mend = "Name the claims it stands on; an edge without evidence does not belong in the network."
            yield self._error(kept, where, "rests on no claim", mend)
        yield from self.unknown(kept, where, "claim", claims, record.claims)

    def _twice(self, kept: Kept[Any], where: str, names: Iterable[str]) -> Iterator[Finding]:
        seen: set[str] = set()
        for name in names:
            if name in seen:
                yield self._error(kept, where, f"'{name}' is declared twice", "Keep one.")
            seen.add(name)

    def _error(self, kept: Kept[Any], where: str, what: str, mend: str) -> Finding:
        return Finding("error", self.name, kept.file, where, what, mend, kept.user)


class Receptors(Pathway):
    """Dimers of the receptor layer: their receptors, kinases, ligands, antibodies and parameters exist, with claims."""

    name = "receptors"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of dimers, channels and down-regulation."""
        kept = receptors_of(context.record)
        if kept is None:
            return
        file, record = kept.entry, context.record
        species, parameters = [s.id for s in file.species], record.parameters
        yield from self._twice(kept, "species and dimers", [*species, *(d.id for d in file.dimers)])
        yield from self.unknown(kept, "kinases", "receptor", file.kinases, species)
        for d in file.downregulation:
            where = f"downregulation of {d.species} by {d.antibody}"
            yield from self.unknown(kept, where, "receptor", [d.species], species)
            yield from self.unknown(kept, where, "antibody", [d.antibody], file.antibodies)
            yield from self.unknown(kept, where, "parameter", [d.fraction], parameters)
            yield from self._claims(kept, where, d.claims, record)
        for dimer in file.dimers:
            where = f"dimers.{dimer.id}"
            yield from self.unknown(kept, where, "receptor", dimer.pair, species)
            yield from self.unknown(kept, f"{where}.kinase", "kinase", dimer.kinase, file.kinases)
            if abs(sum(dimer.kinase.values()) - 1.0) > 1e-12:
                what = f"the shares of kinase add up to {sum(dimer.kinase.values()):g}"
                yield self._error(kept, f"{where}.kinase", what, "They share one signal: expected 1.")
            own = [p for p in (dimer.pi3k, dimer.ras, dimer.src) if p is not None]
            yield from self.unknown(kept, where, "parameter", own, parameters)
            for channel in dimer.channels:
                used = [channel.strength, *channel.block.values()]
                yield from self.unknown(kept, f"{where}.channels", "parameter", used, parameters)
                yield from self.unknown(kept, f"{where}.channels", "antibody", channel.block, file.antibodies)
                ligand = [channel.ligand] if channel.ligand else []
                yield from self.unknown(kept, f"{where}.channels", "ligand", ligand, file.ligands)
            yield from self._claims(kept, where, dimer.claims, record)
        yield from self.unknown(
            kept, "reference_cell", "parameter",
            [v for k, v in file.reference_cell.items() if k != "label"], parameters,
        )  # fmt: skip


def _sources(reaction: Any) -> list[str]:
    """Activators and inhibitors of a reaction."""
    return [*reaction.activators, *(i.node for i in reaction.inhibitors)]


def _species(record: Record) -> list[str] | None:
    kept = receptors_of(record)
    return [s.id for s in kept.entry.species] if kept else None


CHECKS: tuple[AbstractCheck, ...] = (Pathway(), Receptors())
