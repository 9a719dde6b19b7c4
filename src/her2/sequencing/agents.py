"""Names of agents as the sequencing rules see them: aliases, and which agent belongs to which class."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from her2.errors import RecordError, nearest
from her2.evidence.load import DATA, files_of, read_yaml, show_path

CLASSES_FILE = Path("sequencing") / "agent_classes.yaml"


def plain_name(name: str) -> str:
    """A name without case, spaces and punctuation: `T-DM1` and `t_dm1` are `tdm1`."""
    return "".join(c for c in str(name).lower() if c.isalnum())


@lru_cache(maxsize=4)
def _known(_user: str | None) -> Mapping[str, str]:
    """Id of every agent by every plain name it goes by; an id stands before another agent's alias."""
    entries = []
    for path in files_of("agents"):
        data = read_yaml(path)
        if not isinstance(data, dict) or not isinstance(data.get("id"), str):
            raise RecordError(f"{show_path(path)}: an agent needs an 'id'")
        aliases = data.get("aliases", ())
        if not isinstance(data.get("name", ""), str) or not isinstance(aliases, list | tuple):
            raise RecordError(
                f"{show_path(path)}: expected a text as 'name' and a list of texts as 'aliases'"
            )
        entries.append(data)
    found = {plain_name(e["id"]): str(e["id"]) for e in entries}
    for entry in entries:
        for name in (entry.get("name", ""), *entry.get("aliases", ())):
            if plain_name(name):
                found.setdefault(plain_name(name), str(entry["id"]))
    return MappingProxyType(found)


def known_names() -> Mapping[str, str]:
    """Id of every agent of the record, the user's included, by plain name."""
    return _known(os.environ.get("HER2_RECORD"))


def agent_ids() -> frozenset[str]:
    """Ids of all agents of the record that can be given."""
    return frozenset(known_names().values()) - _classes()[1]


def agent_id(name: str) -> str | None:
    """Id of an agent from its id, name or alias, whatever the case and punctuation; None if there is none."""
    found = known_names().get(plain_name(name))
    return None if found is None or found in _classes()[1] else found


def nearest_agent(name: str) -> str:
    """`; nearest: 'x'` for the closest agent, or nothing."""
    return nearest(name.strip().lower(), sorted(agent_ids()))


@lru_cache(maxsize=4)
def _read_classes(user: str | None) -> tuple[Mapping[str, frozenset[str]], frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    left_out: set[str] = set()
    for base in (DATA, *((Path(user),) if user else ())):
        path = base / CLASSES_FILE
        if not path.exists():
            continue
        data = read_yaml(path)
        if not isinstance(data, dict) or not set(data) <= {"classes", "not_a_treatment"}:
            raise RecordError(f"{show_path(path)}: expected 'classes' and 'not_a_treatment'")
        classes, others = data.get("classes") or {}, data.get("not_a_treatment") or []
        if not isinstance(classes, dict) or not all(isinstance(x, list) for x in (others, *classes.values())):
            raise RecordError(
                f"{show_path(path)}: expected lists of agents under each of 'classes' and as 'not_a_treatment'"
            )
        for name, agents in classes.items():
            found[str(name)] = found.get(str(name), frozenset()) | frozenset(str(a) for a in agents)
        left_out |= {str(x) for x in others}
    return MappingProxyType(found), frozenset(left_out)


def _classes() -> tuple[Mapping[str, frozenset[str]], frozenset[str]]:
    """Members of every class, the user's added to the shipped ones, and entries that are no treatment."""
    return _read_classes(os.environ.get("HER2_RECORD"))


def members(agent: str) -> frozenset[str]:
    """Agents and narrower classes of a class; empty for a single agent."""
    return _classes()[0].get(agent, frozenset())


def is_class(agent: str) -> bool:
    """Whether the name stands for any of several agents."""
    return agent in _classes()[0]


def is_a(agent: str, wanted: str) -> bool:
    """Whether an agent is the wanted one or a member of the wanted class."""
    return agent == wanted or agent in members(wanted)


def may_be(agent: str, wanted: str) -> bool:
    """Whether an agent is, or as a class could turn out to be, the wanted one."""
    return is_a(agent, wanted) or wanted in members(agent)


@lru_cache(maxsize=4096)
def agents_of(regimen: str) -> tuple[str, ...]:
    """Agents of a regimen such as `docetaxel+trastuzumab`, in order of their names."""
    return tuple(sorted(regimen.split("+")))


def regimen_of(agents: Iterable[str]) -> str:
    """Name of a regimen: its agents in order of their names."""
    return "+".join(sorted(set(agents)))
