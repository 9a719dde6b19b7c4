"""Attributes, cell lines and switches: possible values, names that exist, a switch for every mechanism."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from her2.evidence.biology import SECTIONS, AttributeEntry
from her2.evidence.lint.base import AbstractCheck, Context, Finding
from her2.evidence.record import Kept, Record


class AbstractCellCheck(AbstractCheck):
    """A check that looks at values of attributes."""

    def value(
        self,
        record: Record,
        kept: Kept[Any],
        where: str,
        name: str,
        value: float,
        valid: Collection[str] = (),
    ) -> Iterator[Finding]:
        """Findings of one value of an attribute: the attribute exists, the value is possible."""
        known: Mapping[str, Kept[AttributeEntry]] = record.attributes
        yield from self.unknown(kept, where, "attribute", [name], valid or known)
        if name in known:
            entry = known[name].entry
            if not entry.low <= value <= entry.high:
                what = f"{name} {value:g} is impossible"
                mend = f"{entry.label} lies between {entry.low:g} and {entry.high:g} ({entry.unit})."
                yield self.error(kept, where, what, mend)

    def error(self, kept: Kept[Any], where: str, what: str, mend: str) -> Finding:
        """An error at a place of an entry."""
        return Finding("error", self.name, kept.file, where, what, mend, kept.user)


class Attributes(AbstractCellCheck):
    """The catalogue of attributes: limits in order, defaults within them."""

    name = "attributes"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of every attribute."""
        for kept in context.record.attributes.values():
            entry = kept.entry
            if not entry.low < entry.high:
                what = f"the limits run from {entry.low:g} to {entry.high:g}"
                yield self.error(kept, f"{entry.id} low, high", what, "Exchange or correct them.")
                continue
            for field in ("default", "culture", "tumour"):
                value = getattr(entry, field)
                if value is not None:
                    where = f"{entry.id} {field}"
                    yield from self.value(context.record, kept, where, entry.id, value)


class Cells(AbstractCellCheck):
    """Cell lines: attributes exist, stand in their section and have possible values; a name means one cell."""

    name = "cells"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of every cell."""
        record = context.record
        names: dict[str, str] = {}
        for kept in record.cells.values():
            cell = kept.entry
            sections = {"receptors": cell.receptors, "genotype": cell.genotype, "ligands": cell.ligands}
            for section, values in sections.items():
                valid = [k for k, a in record.attributes.items() if a.entry.kind in SECTIONS[section]]
                for name, item in values.items():
                    where = f"{cell.id} {section}.{name}"
                    yield from self.value(record, kept, where, name, item.value, valid)
            for name in (cell.id, cell.name, *cell.aliases):
                plain = "".join(c for c in name.lower() if c.isalnum())
                other = names.setdefault(plain, cell.id)
                if other != cell.id:
                    what = f"'{name}' is also a name of the cell '{other}'"
                    yield self.error(kept, f"{cell.id} name, aliases", what, "Keep it at one of the two.")


class Switches(AbstractCellCheck):
    """Switches: what they name exists, what they set is possible; every mechanism has one or a reason."""

    name = "switches"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of every switch, and mechanisms without any."""
        record = context.record
        for kept in record.switches.values():
            switch = kept.entry
            own = switch.id
            yield from self.unknown(
                kept, f"{own} mechanism", "mechanism", [switch.mechanism], record.mechanisms
            )
            yield from self.unknown(kept, f"{own} claims", "claim", switch.claims, record.claims)
            for setting in switch.sets:
                where = f"{own} sets"
                if setting.to is not None:
                    yield from self.value(record, kept, where, setting.attribute, setting.to)
                else:
                    yield from self.unknown(kept, where, "attribute", [setting.attribute], record.attributes)
            yield from self.unknown(
                kept, f"{own} parameters", "parameter", switch.parameters, record.parameters
            )
            for name, factor in switch.parameters.items():
                if factor < 0:
                    what = f"{name} is multiplied by {factor:g}"
                    yield self.error(kept, f"{own} parameters", what, "Expected a factor of 0 or more.")
            yield from self._agents(record, kept)
        if record.switches:
            yield from self._mechanisms(record)

    def _agents(self, record: Record, kept: Kept[Any]) -> Iterator[Finding]:
        switch = kept.entry
        for name in switch.adds:
            yield from given_drug(self, record, kept, f"{switch.id} adds", name, "clinical")
        acting = {k: a.entry for k, a in record.agents.items() if a.entry.pharmacodynamics is not None}
        for d in switch.disables:
            where = f"{switch.id} disables"
            yield from self.unknown(kept, where, "agent with actions", [d.agent], acting)
            agent = acting.get(d.agent)
            if agent is None or agent.pharmacodynamics is None:
                continue
            has = [(a.on, a.target) for a in agent.pharmacodynamics.actions]
            if not any(d.action == on and d.target in ("", target) for on, target in has):
                named = f"{d.action} {d.target}".rstrip()
                listed = ", ".join(sorted(f"{on} {target}".rstrip() for on, target in has))
                yield self.error(kept, where, f"{d.agent} has no action '{named}'", f"It has: {listed}.")

    def _mechanisms(self, record: Record) -> Iterator[Finding]:
        have = {k.entry.mechanism for k in record.switches.values()}
        for kept in record.mechanisms.values():
            if kept.entry.id not in have:
                yield Finding(
                    "warning" if kept.user else "error", self.name, kept.file, kept.entry.id,
                    "the mechanism has no switch",
                    "Add one to network/switches.yaml, or an entry with not_a_switch and the reason.",
                    kept.user,
                )  # fmt: skip


def given_drug(
    check: AbstractCheck, record: Record, kept: Kept[Any], where: str, name: str, dose: float | str
) -> Iterator[Finding]:
    """Findings of a drug that is given to a cell or patient: it acts, and its dose has a value."""
    acting = [k for k, a in record.agents.items() if a.entry.pharmacodynamics is not None]
    yield from check.unknown(kept, where, "agent with actions", [name], acting)
    if name not in acting:
        return
    pd = record.agents[name].entry.pharmacodynamics
    if dose == "clinical" and pd is not None and pd.exposure is None:
        yield Finding(
            "error", check.name, kept.file, where, f"'clinical' has no value for {name}",
            "Give nmol/L, or the agent an exposure.", kept.user,
        )  # fmt: skip
    elif not isinstance(dose, str) and dose < 0:
        yield Finding(
            "error", check.name, kept.file, where, f"{name} at {dose:g} nmol/L", "Expected 0 or more.",
            kept.user,
        )  # fmt: skip


CHECKS: tuple[AbstractCheck, ...] = (Attributes(), Cells(), Switches())
