"""Experiments: what they name exists, values are possible, and every executable claim has one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from her2.evidence.biology import COHORT_READOUTS, READOUTS, Condition, Experiment
from her2.evidence.lint.base import AbstractCheck, Context, Finding
from her2.evidence.lint.cells import AbstractCellCheck, given_drug
from her2.evidence.record import Kept, Record, pathway_of, receptors_of

COHORT_ONLY = ("where", "split", "dose_intensity", "chemo_cycles", "cross_over")


def readouts_of(record: Record) -> list[str]:
    """Readouts of a cell, from the network files and `her2.evidence.biology.READOUTS`."""
    found = list(READOUTS)
    receptors, pathway = receptors_of(record), pathway_of(record)
    if receptors is not None:
        found += [s.id for s in receptors.entry.species] + [d.id for d in receptors.entry.dimers]
    if pathway is not None:
        found += [f"input_{i.id}" for i in pathway.entry.inputs]
        found += [n.id for n in pathway.entry.nodes] + [s.id for s in pathway.entry.slow_states]
    return found


class Experiments(AbstractCellCheck):
    """Experiments that run claims on the model."""

    name = "experiments"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of every experiment, and executable claims without any."""
        record = context.record
        readouts = {"cell": readouts_of(record), "cohort": list(COHORT_READOUTS)}
        whole = {"pathway", "receptors"} <= set(record.network)
        for kept in record.experiments.values():
            e = kept.entry
            yield from self.unknown(kept, f"{e.claim} claim", "claim", [e.claim], record.claims)
            yield from self.unknown(kept, f"{e.claim} opposes", "claim", e.opposes, record.claims)
            claim = record.claims.get(e.claim)
            if claim is not None and not claim.entry.executable:
                what, mend = "the claim is not executable", "Mark the claim `executable: true`, or drop this."
                yield Finding("warning", self.name, kept.file, f"{e.claim} claim", what, mend, kept.user)
            if e.not_covered:
                continue
            if whole or e.system == "cohort":
                what = f"readout of a {e.system}"
                yield from self.unknown(kept, f"{e.claim} readout", what, [e.readout], readouts[e.system])
            for name, condition in {"base": e.base, **e.conditions}.items():
                yield from self._condition(record, kept, name, condition)
            yield from self._population(record, kept)
            yield from self._comparison(kept)
        yield from self._missing(record)

    def _condition(
        self, record: Record, kept: Kept[Experiment], name: str, condition: Condition
    ) -> Iterator[Finding]:
        e = kept.entry
        place = f"{e.claim} {'base' if name == 'base' else f'conditions.{name}'}"
        if condition.cell is not None:
            yield from self.unknown(kept, f"{place}.cell", "cell", [condition.cell], record.cells)
        for field in ("set", "ligands"):
            given: Mapping[str, float] = getattr(condition, field)
            ligands = [k for k, a in record.attributes.items() if a.entry.kind == "ligand"]
            valid = ligands if field == "ligands" else []
            for attribute, value in given.items():
                yield from self.value(record, kept, f"{place}.{field}", attribute, value, valid)
        yield from self._ranges(record, kept, f"{place}.where", condition.where)
        yield from self.unknown(kept, f"{place}.split", "attribute", condition.split, record.attributes)
        yield from self.unknown(
            kept, f"{place}.parameters", "parameter", condition.parameters, record.parameters
        )
        for drug, dose in {**condition.drugs, **condition.cross_over}.items():
            yield from given_drug(self, record, kept, f"{place}.drugs", drug, dose)
        yield from self.unknown(
            kept, f"{place}.dose_intensity", "agent", condition.dose_intensity, record.agents
        )
        for switch, grade in condition.switches.items():
            yield from self._switch(record, kept, f"{place}.switches", switch, grade)
        reference = condition.untreated_reference
        if reference is not None:
            yield from self.unknown(
                kept, f"{place}.untreated_reference", "condition", [reference], e.conditions
            )
        if e.system == "cell":
            for field in COHORT_ONLY:
                if field in condition.model_fields_set and getattr(condition, field):
                    mend = "Set `system: cohort`, or take the key out."
                    yield self.error(kept, f"{place}.{field}", "a single cell takes no such key", mend)

    def _switch(
        self, record: Record, kept: Kept[Experiment], where: str, name: str, grade: float
    ) -> Iterator[Finding]:
        valid = [k for k, s in record.switches.items() if not s.entry.not_a_switch]
        yield from self.unknown(kept, where, "switch", [name], valid)
        if not 0.0 <= grade <= 1.0:
            yield self.error(kept, where, f"{name} {grade:g} is impossible", "A grade lies between 0 and 1.")
        elif name in valid and grade not in (0.0, 1.0):
            entry = record.switches[name].entry
            if entry.disables or entry.adds:
                mend = "It takes away or gives a drug, which is so or not: 0 or 1."
                yield self.error(kept, where, f"{name} {grade:g} is impossible", mend)

    def _ranges(
        self, record: Record, kept: Kept[Experiment], where: str, ranges: Mapping[str, tuple[float, float]]
    ) -> Iterator[Finding]:
        for name, (low, high) in ranges.items():
            for value in (low, high):
                yield from self.value(record, kept, where, name, value)
            if low > high:
                what = f"{name} runs from {low:g} to {high:g}"
                yield self.error(kept, where, what, "Exchange the two.")

    def _population(self, record: Record, kept: Kept[Experiment]) -> Iterator[Finding]:
        place, members = f"{kept.entry.claim} population", kept.entry.population
        yield from self._ranges(record, kept, f"{place}.select", members.select)
        for name, value in members.set.items():
            yield from self.value(record, kept, f"{place}.set", name, value)
        earlier = [agent for line in members.prior for agent in line]
        yield from self.unknown(kept, f"{place}.prior", "agent", earlier, record.agents)

    def _comparison(self, kept: Kept[Experiment]) -> Iterator[Finding]:
        e = kept.entry
        low, high = (e.expect.low, e.expect.high) if e.expect is not None else (None, None)
        if low is not None and high is not None and low >= high:
            what = f"runs from {low:g} to {high:g}"
            yield self.error(kept, f"{e.claim} expect", what, "Exchange the two.")
        if e.statistic is None:
            return
        compared = dict.fromkeys(e.statistic.of)
        if len(compared) < len(e.statistic.of):
            yield self.error(
                kept, f"{e.claim} statistic", "names a condition twice", "Compare different ones."
            )
        seen: dict[str, str] = {}
        for name in compared:
            other = seen.setdefault(e.conditions[name].model_dump_json(), name)
            if other != name:
                what = f"'{name}' is the same as '{other}'"
                yield self.error(kept, f"{e.claim} conditions", what, "Say in what they differ.")

    def _missing(self, record: Record) -> Iterator[Finding]:
        for kept in record.claims.values():
            if kept.entry.executable and kept.entry.id not in record.experiments:
                yield Finding(
                    "warning", self.name, kept.file, kept.entry.id,
                    "the claim is executable but has no experiment",
                    "Add one to data/experiments, or an entry with not_covered and the reason.", kept.user,
                )  # fmt: skip


CHECKS: tuple[AbstractCheck, ...] = (Experiments(),)
