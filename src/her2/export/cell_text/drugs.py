"""Drugs in the exported model: concentrations, and what they leave of receptors, kinases, nodes and surroundings."""

from __future__ import annotations

import numpy as np

from her2.cell.effects import is_disabled
from her2.drugs import actions_of, translation
from her2.evidence.schema import Action
from her2.export.cell_course import CovalentBinding
from her2.export.cell_text.text import ModelText, identifier, times


class DrugText:
    """Writes the drugs, and knows the names of what they leave.

    Attributes
    ----------
    agents : drugs in the text, also those at concentration 0
    left : share left of a target, by (action, target)
    bound : share of an epitope bound by one agent, by (agent, epitope), as an expression
    """

    def __init__(self, text: ModelText) -> None:
        self.text = text
        self.agents = sorted(text.columns.concentrations)
        before = set(text.equations.before.concentrations) - set(self.agents)
        self.agents += sorted(before & {c.agent for c in text.equations.covalent})
        self.left: dict[tuple[str, str], str] = {}
        self.bound: dict[tuple[str, str], str] = {}

    def actions(self, agent: str) -> list[tuple[int, Action]]:
        """Actions of an agent that no switch takes away, with their position in the record."""
        if agent not in self.text.columns.concentrations:
            return []
        return [
            (k, a)
            for k, a in enumerate(actions_of(self.text.model.agent(agent)))
            if not is_disabled(self.text.columns, agent, a)
        ]

    def ratio(self, agent: str, number: int, action: Action) -> str:
        """Concentration over the concentration at half effect."""
        what = "_".join(x for x in (action.on, action.target or action.epitope or "") if x)
        name = f"half_{identifier(agent)}_{what}"
        if f"{name}#{number}" not in self.text.written and name in self.text.written:
            name += f"_{number}"
        self.text.written.add(f"{name}#{number}")
        sbo = {"epitope": "dissociation_constant", "kinase": "inhibitory_constant"}.get(action.on, "ic50")
        half = self.text.model.half[agent, number]
        if action.on == "payload":  # a plasma concentration, brought to the cell as the drug is
            half *= translation(self.text.model.agent(agent), self.text.model.values)
        self.text.value(name, half, "nanomolar", note=self.action_note(action), sbo=sbo)
        return f"conc_{identifier(agent)}/{name}"

    def action_note(self, action: Action) -> str:
        claims = f" Claims: {', '.join(action.claims)}." if action.claims else ""
        return f"{action.quality.capitalize()}, {action.source}: {action.locator}.{claims}"

    def largest(self, agent: str, number: int, action: Action) -> str:
        what = "_".join(x for x in (action.on, action.target) if x)
        return self.text.value(
            f"max_{identifier(agent)}_{what}_{number}",
            self.text.model.largest[agent, number],
            "dimensionless",
            "largest effect",
        )

    def write(self) -> None:
        self.text.section("drugs: active concentration at the cell, and what they leave")
        for agent in self.agents:
            level = float(self.text.columns.concentrations.get(agent, np.zeros(1))[0])
            self.text.value(f"conc_{identifier(agent)}", level, "nanomolar", sbo="concentration")
        loads: dict[tuple[str, str], list[tuple[str, str]]] = {}
        covalent: dict[tuple[str, str], list[str]] = {}
        epitopes: dict[str, list[tuple[str, str]]] = {e: [] for e in self.text.model.receptors.antibodies}
        self.text.value("tau_kinase_return", self.text.equations.kinase_return_h, "hour", "synthesis of new receptor",
                   sbo="time_constant")  # fmt: skip
        for binding in self.text.equations.covalent:
            key = ("kinase", self.text.model.receptors.kinases[binding.kinase])
            covalent.setdefault(key, []).append(self.write_covalent(binding))
        for agent in self.agents:
            for number, action in self.actions(agent):
                key = (action.on, action.target)
                match action.on:
                    case "epitope":
                        ratio = self.ratio(agent, number, action)
                        name = self.text.rule(f"load_{identifier(agent)}_{action.target}", ratio)
                        epitopes[action.target].append((agent, name))
                    case "kinase" if action.covalent:
                        pass
                    case "kinase" | "node" | "input" | "level" | "checkpoint" | "shedding" | "vegf":
                        ratio = self.ratio(agent, number, action)
                        top = self.largest(agent, number, action)
                        if action.covalent:
                            covalent.setdefault(key, []).append(f"(1 - {top}*{ratio}/(1 + {ratio}))")
                        else:
                            loads.setdefault(key, []).append((ratio, top))
        for key in dict.fromkeys([*covalent, *loads]):
            factors = list(covalent.get(key, []))
            if key in loads:
                lost = " + ".join(f"{top}*{ratio}" for ratio, top in loads[key])
                total = " + ".join(ratio for ratio, _ in loads[key])
                factors.append(f"(1 - ({lost})/(1 + {total}))")
            name = "_".join(x for x in ("left", *key) if x)
            self.left[key] = self.text.rule(name, times(*factors))
        for epitope, found in epitopes.items():
            total = " + ".join(load for _, load in found)
            self.text.rule(f"occupancy_{epitope}", f"({total})/(1 + {total})" if found else "0",
                      sbo="bound_share")  # fmt: skip
            for agent, load in found:
                self.bound[agent, epitope] = f"{load}/(1 + {total})"
        for agent in self.agents:
            for number, action in self.actions(agent):
                if action.on == "payload" and action.epitope is not None and action.half is not None:
                    # a conjugate whose fragments do not block the epitope finds the receptor all the same
                    ratio = self.ratio(agent, number, action)
                    self.bound.setdefault((agent, action.epitope), f"{ratio}/(1 + {ratio})")

    def write_covalent(self, binding: CovalentBinding) -> str:
        """State of a covalently bound kinase; returns the share of activity it leaves."""
        action = actions_of(self.text.model.agent(binding.agent))[binding.action]
        if is_disabled(self.text.columns, binding.agent, action):
            ratio = "0"
        else:
            ratio = self.ratio(binding.agent, binding.action, action)
        self.text.state(
            binding.state,
            "dimensionless",
            f"({ratio}*(1 - {binding.state}) - {binding.state})/tau_kinase_return",
            sbo="bound_share",
        )
        return f"(1 - {self.largest(binding.agent, binding.action, action)}*{binding.state})"

    def what_is_left(self, on: str, target: str = "") -> str:
        """Name of what drugs leave of a target, 1 where none acts on it."""
        return self.left.get((on, target), "1")
