"""Identifiers of other databases: HGNC, UniProt, ChEBI, NCIt, ATC, UNII, NCT; each names one thing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from her2.evidence.lint.base import AbstractCheck, Context, Finding

PATTERNS = {
    "atc": r"[ABCDGHJLMNPRSV]\d{2}[A-Z]{2}\d{2}",
    "ncit": r"C\d{3,7}",
    "chebi": r"CHEBI:\d{3,7}",
    "unii": r"[A-Z0-9]{10}",
    "hgnc": r"HGNC:\d{1,6}",
    "uniprot": r"([OPQ]\d[A-Z0-9]{3}\d|[A-NR-Z]\d([A-Z][A-Z0-9]{2}\d){1,2})",
    "nct": r"NCT\d{8}",
}
_EXAMPLE = {
    "atc": "L01FD01", "ncit": "C1647", "chebi": "CHEBI:49603", "unii": "P188ANX8CK", "hgnc": "HGNC:3430",
    "uniprot": "P04626", "nct": "NCT00829166",
}  # fmt: skip


class Identifiers(AbstractCheck):
    """An identifier has the form its database gives it, and stands for one entry."""

    name = "identifiers"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of agents, studies, network species and registry numbers in the text of entries."""
        seen: dict[tuple[str, str], str] = {}
        for agent in context.record.agents.values():
            for kind, text in agent.entry.identifiers.items():
                yield from self._pattern(
                    agent.file, f"{agent.entry.id} identifiers.{kind}", kind, text, agent.user
                )
                other = seen.setdefault((kind, text), agent.entry.id)
                if other != agent.entry.id:
                    yield Finding(
                        "error", self.name, agent.file, f"{agent.entry.id} identifiers.{kind}",
                        f"{text} already stands for '{other}'", "Look up which of the two it is.", agent.user,
                    )  # fmt: skip
        yield from self._registry(context)
        for name, network in context.record.network.items():
            for where, key, text in _keys(network.entry, ("hgnc", "uniprot")):
                yield from self._pattern(network.file, f"{name} {where}", key, text, network.user)

    def _registry(self, context: Context) -> Iterator[Finding]:
        numbers: dict[str, str] = {}
        for study in context.record.studies.values():
            entry = study.entry
            if entry.nct and not entry.parent:
                other = numbers.setdefault(entry.nct, entry.id)
                if other != entry.id:
                    yield Finding(
                        "error", self.name, study.file, f"{entry.id} nct",
                        f"{entry.nct} already stands for '{other}'",
                        "Two studies cannot share a registry number unless one is the `parent` of the other.",
                        study.user,
                    )  # fmt: skip
            named = re.fullmatch(r"nct(\d+)", entry.id)
            if named and entry.nct != f"NCT{named[1]}":
                yield Finding(
                    "error", self.name, study.file, f"{entry.id} nct",
                    f"the id says NCT{named[1]}, the field {entry.nct}",
                    "Make id and number agree.", study.user,
                )  # fmt: skip
            for text in (entry.name, entry.design, entry.population, entry.note, *entry.references):
                yield from self._in_text(study.file, entry.id, text, study.user)
        for claim in context.record.claims.values():
            yield from self._in_text(claim.file, claim.entry.id, claim.entry.statement, claim.user)

    def _in_text(self, file: str, name: str, text: str, user: bool) -> Iterator[Finding]:
        for found in re.findall(r"\bNCT ?\d+", text):
            if not re.fullmatch(PATTERNS["nct"], found):
                yield from self._pattern(file, name, "nct", found, user)

    def _pattern(self, file: str, name: str, kind: str, text: str, user: bool) -> Iterator[Finding]:
        if not re.fullmatch(PATTERNS[kind], text):
            yield Finding(
                "error", self.name, file, name, f"'{text}' is not the form of {kind.upper()}",
                f"Expected something like {_EXAMPLE[kind]}.", user,
            )  # fmt: skip


def _keys(data: Any, wanted: tuple[str, ...], where: str = "") -> Iterator[tuple[str, str, str]]:
    """Every wanted key inside plain data, with its place."""
    if isinstance(data, dict):
        for key, value in data.items():
            place = f"{where}.{key}".lstrip(".")
            if key in wanted and isinstance(value, str):
                yield place, key, value
            else:
                yield from _keys(value, wanted, place)
    elif isinstance(data, list):
        for i, item in enumerate(data):
            yield from _keys(item, wanted, f"{where}[{i}]")
