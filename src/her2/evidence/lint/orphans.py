"""References lead somewhere: claims, agents, mechanisms, trials, parameters and arms that are named exist."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from her2.evidence.biology import NETWORK_FILES
from her2.evidence.lint.base import AbstractCheck, Context, Finding
from her2.evidence.record import Kept, walk

_PARAMETER = re.compile(r"^[a-z][a-z0-9_]*\.[a-z0-9_.]+$")


class Orphans(AbstractCheck):
    """References to entries that do not exist. Claims that nothing uses are fine."""

    name = "references"

    def findings(self, context: Context) -> Iterator[Finding]:
        """One finding for each reference to nothing."""
        record = context.record
        agents, claims, studies = record.agents, record.claims, record.studies
        for c in claims.values():
            yield from self._known(c, "agents", "agent", c.entry.agents, agents)
            yield from self._known(c, "mechanisms", "mechanism", c.entry.mechanisms, record.mechanisms)
            yield from self._known(c, "trial", "study", [c.entry.trial] if c.entry.trial else [], studies)
        for m in record.mechanisms.values():
            yield from self._known(m, "agents_affected", "agent", m.entry.agents_affected, agents)
            yield from self._known(m, "claims", "claim", m.entry.claims, claims)
            yield from self._known(m, "parameters", "parameter", m.entry.parameters, record.parameters)
        for a in agents.values():
            yield from self._known(a, "claims", "claim", a.entry.claims, claims)
        for s in studies.values():
            yield from self._known(s, "parent", "study", [s.entry.parent] if s.entry.parent else [], studies)
            for arm in s.entry.arms:
                yield from self._known(s, f"arms.{arm.id}", "agent", arm.agents, agents)
        for r in record.rules.values():
            for name, combinations in (("offer", r.entry.offer), ("avoid", r.entry.avoid)):
                named = [part for combination in combinations for part in combination.split("+")]
                yield from self._known(r, name, "agent", named, agents)
        for p in record.populations.values():
            wanted = [k if "." in k else f"population.{k}" for k in p.entry.values]
            yield from self._known(p, "values", "parameter", wanted, record.parameters)
        yield from self._plain_data(context)

    def _plain_data(self, context: Context) -> Iterator[Finding]:
        record = context.record
        for name, n in record.network.items():
            if name in NETWORK_FILES and name != "clones":
                continue  # her2.evidence.lint.networks looks at these
            for where, key, text in walk(n.entry):
                if key == "claims":
                    yield from self._known(n, where, "claim", [text], record.claims)
                elif key not in ("label", "locator", "source") and _PARAMETER.match(text):
                    yield from self._known(n, where, "parameter", [text], record.parameters)
        for t in record.trials.values():
            entry = t.entry
            yield from self._known(t, "study", "study", _texts(entry.get("study")), record.studies)
            recipe = entry.get("population")
            if isinstance(recipe, dict):
                yield from self._known(
                    t, "population.recipe", "population", _texts(recipe.get("recipe")), record.populations
                )
            yield from self._known(
                t, "prior_lines", "regimen", _texts(entry.get("prior_lines")), record.regimens
            )
            for k, history in enumerate(entry.get("histories") or []):
                named = _texts(history.get("lines")) if isinstance(history, dict) else []
                yield from self._known(t, f"histories.{k}.lines", "regimen", named, record.regimens)
            for where, key, text in walk(entry):
                if key == "agent":
                    yield from self._known(t, where, "agent", [text], record.agents)
        for g in record.regimens.values():
            for where, key, text in walk(g.entry):
                if key == "agent":
                    yield from self._known(g, where, "agent", [text], record.agents)

    def _known(
        self, kept: Kept[Any], name: str, what: str, wanted: Iterable[str], valid: Collection[str]
    ) -> Iterator[Finding]:
        entry = kept.entry
        own = entry.get("id", "") if isinstance(entry, dict) else entry.id
        yield from self.unknown(kept, f"{own} {name}".strip(), what, wanted, valid)


class NamedAgents(AbstractCheck):
    """The agents of a claim are those its statement names, or those of its trial."""

    name = "agents"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Claims that list an agent neither they nor their trial name, and do not list one they name."""
        spellings = _spellings(context)
        for kept in context.record.claims.values():
            claim = kept.entry
            named = _named(" ".join((claim.statement, claim.subject, claim.object)), spellings)
            study = context.record.studies.get(claim.trial or "")
            tested = {a for arm in study.entry.arms for a in arm.agents} if study else set()
            classes = {a for a in claim.agents if a in context.record.agents and _is_class(context, a)}
            missing = sorted(set(claim.agents) - named - tested - classes)
            extra = sorted(named - set(claim.agents) - tested)
            if missing and extra:
                yield Finding(
                    "warning", self.name, kept.file, f"{claim.id} agents",
                    f"lists {', '.join(missing)}, not named in the statement, but not {', '.join(extra)}",
                    "Compare agents and statement.", kept.user,
                )  # fmt: skip


def _is_class(context: Context, agent: str) -> bool:
    return context.record.agents[agent].entry.kind in ("class", "other")


def _spellings(context: Context) -> list[tuple[str, str]]:
    """Spellings of the agents that are drugs, as words between spaces, the longest first."""
    found = {
        (_squeezed(name), k.entry.id)
        for k in context.record.agents.values()
        if k.entry.kind not in ("class", "other")
        for name in (k.entry.id, k.entry.name, *k.entry.aliases)
        if len(name) > 2
    }
    return sorted(found, key=lambda pair: (-len(pair[0]), pair))


def _named(text: str, spellings: list[tuple[str, str]]) -> set[str]:
    """Agents a text names; a name inside a longer one does not count."""
    rest, named = _squeezed(text), set()
    for spelling, agent in spellings:
        if spelling in rest:
            named.add(agent)
            rest = rest.replace(spelling, " | ")
    return named


def _squeezed(text: str) -> str:
    """Words between single spaces, with a space at both ends."""
    return f" {' '.join(re.findall(r'[a-z0-9]+', text.lower()))} "


def _texts(data: Any) -> list[str]:
    """A text or a list of texts as a list."""
    if isinstance(data, str):
        return [data]
    return [x for x in data if isinstance(x, str)] if isinstance(data, list) else []


CHECKS: tuple[AbstractCheck, ...] = (Orphans(), NamedAgents())
