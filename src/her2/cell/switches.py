"""Switches: named, graded changes of a cell, one for each mechanism of resistance or response that the record names."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from her2.cell.attributes import COMPARTMENTS, Compartment, catalogue, check, defaults
from her2.cell.cell import Cell, Origin
from her2.errors import RecordError, unknown
from her2.evidence.biology import Switch, SwitchFile, SwitchSetting
from her2.evidence.load import USER_VARIABLE, canonical_values, files_of, parse, read_yaml, show_path


@lru_cache(maxsize=4)
def _switches(_user: str | None) -> dict[str, Switch]:
    paths = [p for p in files_of("network") if p.stem == "switches"]
    if not paths:
        raise RecordError("network/switches.yaml: missing")
    result: dict[str, Switch] = {}
    for path in paths:  # the user's replace shipped ones of the same name
        where = show_path(path)
        own: dict[str, Switch] = {}
        for switch in parse(SwitchFile, read_yaml(path), where).switches:
            if switch.id in own:
                raise RecordError(f"{where}: switch '{switch.id}' is declared twice")
            _check_switch(switch, f"{where}, {switch.id}")
            own[switch.id] = switch
        result.update(own)
    return result


def load_switches() -> Mapping[str, Switch]:
    """All switches by id, the user's beside the shipped ones; those that cannot be set (`not_a_switch`) included.

    Raises
    ------
    her2.errors.RecordError, her2.errors.UnknownNameError
        A file is missing or names an attribute, a parameter, an agent or an action that does not exist.
    """
    return _switches(os.environ.get(USER_VARIABLE))


def switch_names() -> tuple[str, ...]:
    """Switches that can be set on a cell."""
    return tuple(k for k, s in load_switches().items() if not s.not_a_switch)


def _check_switch(switch: Switch, where: str) -> None:
    from her2.cell.model import acting_agents
    from her2.drugs import actions_of

    for setting in switch.sets:
        if setting.to is not None:
            check(setting.attribute, setting.to, where)
        elif setting.attribute not in catalogue():
            raise unknown("attribute", setting.attribute, catalogue(), where)
    for name, factor in switch.parameters.items():
        if name not in canonical_values():
            raise unknown("parameter", name, canonical_values(), where)
        if factor < 0.0:
            raise RecordError(f"{where}, {name}: expected a factor of 0 or more, got {factor:g}")
    if not (switch.disables or switch.adds):
        return
    agents = acting_agents()
    for name in (*(d.agent for d in switch.disables), *switch.adds):
        if name not in agents:
            raise unknown("agent", name, agents, where)
    for d in switch.disables:
        kinds = {(a.on, a.target) for a in actions_of(agents[d.agent])}
        if not any(d.action == on and d.target in ("", target) for on, target in kinds):
            listed = ", ".join(sorted(f"{on} {target}".strip() for on, target in kinds))
            raise RecordError(
                f"{where}: {d.agent} has no action '{d.action} {d.target}'".rstrip() + f" (it has: {listed})"
            )


def apply_switches(cell: Cell, grades: Mapping[str, float], compartment: Compartment | None = None) -> Cell:
    """The cell with switches set.

    Where the cell has the value x, a switch of grade g gives x + g (to - x), or x times factor**g; a parameter is
    multiplied by factor**g (by 1 - g where the factor is 0). Several switches act one after the other, in the order
    of the record whatever the order here. A switch that takes a drug's action away, or adds a drug, is off or on.

    Parameters
    ----------
    grades : from 0 (as in the cell) to 1 (in full), by switch
    compartment : where the cell is; needed only by a switch that changes, from the catalogue's value, one of the few
        attributes which differ between a culture and a tumour

    Raises
    ------
    her2.errors.UnknownNameError
        No such switch; the nearest is given.
    her2.errors.RecordError
        A grade outside 0 to 1, a mechanism that cannot be a switch (with the reason), or a compartment that is needed.
    """
    switches = load_switches()
    if compartment is not None and compartment not in COMPARTMENTS:
        raise unknown("compartment", compartment, COMPARTMENTS)
    for name, grade in grades.items():
        _check_grade(name, grade)
    attributes, origins = dict(cell.attributes), dict(cell.origins)
    parameters, adds = dict(cell.parameters or {}), dict(cell.adds or {})
    disabled, applied = set(cell.disabled), dict(cell.switches)
    for name, switch in switches.items():
        if name not in grades:
            continue
        grade = float(grades[name])
        applied[name] = grade
        if grade == 0.0:
            continue
        for setting in switch.sets:
            attribute = setting.attribute
            own = attributes.get(attribute, _default(attribute, compartment, name))
            new = _changed(own, setting, grade)
            attributes[attribute] = check(attribute, new, f"cell {cell.id}, switch {name}")
            origins[attribute] = Origin(f"switch {name}", f"grade {grade:g}, from {own:g}", "")
        for parameter, factor in switch.parameters.items():
            step = factor**grade if factor > 0.0 else 1.0 - grade
            parameters[parameter] = parameters.get(parameter, 1.0) * step
        disabled |= {(d.agent, d.action, d.target) for d in switch.disables}
        adds.update(switch.adds)
    return replace(
        cell, attributes=attributes, origins=origins, parameters=parameters or None, adds=adds or None,
        disabled=frozenset(disabled), switches=applied,
    )  # fmt: skip


def added_drugs(grades: Mapping[str, float]) -> dict[str, str]:
    """Drugs that switches of grade 1 give, each `clinical`; `apply_switches` notes them in the cell, too.

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        As `apply_switches`.
    """
    for name, grade in grades.items():
        _check_grade(name, grade)
    switches = load_switches()
    return {drug: dose for n, g in grades.items() if g > 0.0 for drug, dose in switches[n].adds.items()}


def _check_grade(name: str, grade: float) -> None:
    switches = load_switches()
    if name not in switches:
        raise unknown("switch", name, switch_names())
    switch = switches[name]
    if switch.not_a_switch:
        raise RecordError(f"switch {name}: cannot be set: {switch.not_a_switch}")
    number = isinstance(grade, (int, float)) and not isinstance(grade, bool) and math.isfinite(grade)
    if not number or not 0.0 <= grade <= 1.0:
        raise RecordError(f"switch {name}: expected a grade between 0 and 1, got {grade!r}")
    if (switch.disables or switch.adds) and grade not in (0, 1):
        what = "takes a drug's action away" if switch.disables else "gives a drug"
        raise RecordError(f"switch {name}: it {what}, which is so or not: grade 0 or 1, got {grade:g}")


def _default(attribute: str, compartment: Compartment | None, switch: str) -> float:
    """The reference cell's value; it must be known where it depends on the compartment."""
    if compartment is not None:
        return defaults(compartment)[attribute]
    entry = catalogue()[attribute]
    if (entry.culture is None) and (entry.tumour is None):
        return entry.default
    raise RecordError(
        f"switch {switch}: {entry.label} differs between a culture and a tumour; say which (compartment: "
        f"{', '.join(COMPARTMENTS)}) or give the cell a value of its own"
    )


def _changed(own: float, setting: SwitchSetting, grade: float) -> float:
    if setting.to is not None:
        return own + grade * (setting.to - own)
    assert setting.factor is not None
    return own * float(setting.factor**grade)
