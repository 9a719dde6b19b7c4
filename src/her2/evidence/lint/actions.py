"""What agents do to a cell: their targets, parameters and claims exist, and nothing counts twice."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from her2.evidence.biology import ACTION_INPUTS, CHECKPOINTS
from her2.evidence.lint.base import AbstractCheck, Context, Finding
from her2.evidence.record import Record, pathway_of, receptors_of


def targets_of(record: Record) -> Mapping[str, Collection[str]]:
    """Valid targets by kind of action, as far as the network files can be read."""
    result: dict[str, Collection[str]] = {"input": ACTION_INPUTS, "checkpoint": CHECKPOINTS}
    receptors, pathway = receptors_of(record), pathway_of(record)
    if receptors is not None:
        result["epitope"] = receptors.entry.antibodies
        result["kinase"] = receptors.entry.kinases
        result["level"] = [s.id for s in receptors.entry.species]
    if pathway is not None:
        result["node"] = [n.id for n in pathway.entry.nodes]
    return result


class Actions(AbstractCheck):
    """Section `pharmacodynamics` of agents."""

    name = "actions"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Findings of every action, with agent, kind and target."""
        record = context.record
        targets = targets_of(record)
        for agent in record.agents.values():
            pd = agent.entry.pharmacodynamics
            if pd is None:
                continue
            seen: set[tuple[str, str]] = set()
            for action in pd.actions:
                where = f"{agent.entry.id} pharmacodynamics, {action.on} {action.target}".rstrip()
                if action.on in targets:
                    what = f"{action.on} target"
                    yield from self.unknown(agent, where, what, [action.target], targets[action.on])
                elif action.target and action.on not in ("epitope", "kinase", "level", "node"):
                    yield Finding(
                        "error", self.name, agent.file, where, f"an action on '{action.on}' has no target",
                        "Take the target out.", agent.user,
                    )  # fmt: skip
                if action.parameter is not None:
                    yield from self.unknown(agent, where, "parameter", [action.parameter], record.parameters)
                yield from self.unknown(agent, where, "claim", action.claims, record.claims)
                key = (action.on, action.target or action.epitope or "")
                if key in seen:
                    yield Finding(
                        "error", self.name, agent.file, where, "the same action is given twice",
                        "Keep one: both would count.", agent.user,
                    )  # fmt: skip
                seen.add(key)


CHECKS: tuple[AbstractCheck, ...] = (Actions(),)
