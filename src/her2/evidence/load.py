"""Read the record: the files under `data/` that ship with the package, and the user's own beside them.

YAML is read with limits on size, depth and kinds (`her2.evidence.reading`); nothing in a file is ever run. Every error
names the file, the field, what was expected and what came.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from her2.errors import RecordError, nearest, unknown
from her2.evidence.biology import (
    NETWORK_FILES,
    AttributeEntry,
    AttributeFile,
    CellFile,
    Experiment,
    ExperimentFile,
    Switch,
    SwitchFile,
)
from her2.evidence.reading import parse_yaml, read_text
from her2.evidence.schema import (
    Agent,
    Claim,
    ClaimFile,
    Conflict,
    ConflictFile,
    ExcludedFile,
    ExcludedNumber,
    Mechanism,
    MechanismFile,
    Parameter,
    ParameterFile,
    Population,
    Rule,
    Source,
    Study,
)

DATA = Path(__file__).resolve().parent.parent / "data"
USER_VARIABLE = "HER2_RECORD"
"""Environment variable with the folder of the user's own record; its files are marked as the user's."""

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path) -> Any:
    """One YAML document; the safe loader with limits (see `her2.evidence.reading`).

    Raises
    ------
    her2.errors.RecordError
        Missing, too large, too deep, with duplicate keys, or not YAML; the text names file and line.
    """
    name = show_path(path)
    return parse_yaml(read_text(path, name), name)


def show_path(path: Path) -> str:
    """Path as shown to the user: relative to the shipped record, or as given."""
    try:
        return str(path.resolve().relative_to(DATA))
    except (
        ValueError,
        OSError,
        RuntimeError,
    ):  # elsewhere; or no name that a file can have, or links in a circle
        return str(path)


def is_there(path: Path) -> bool:
    """Whether there is a file; none where no file can have this name."""
    try:
        return path.exists()
    except (OSError, ValueError, RuntimeError):
        return False


def parse(model: type[Model], data: Any, where: str) -> Model:
    """Data as an entry of the record, or a `RecordError` with field, expectation and nearest valid key."""
    if not isinstance(data, dict):
        raise RecordError(f"{where}: expected a mapping of keys to values, got {type(data).__name__}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise RecordError(describe_errors(model, error, where, data)) from error


def show_field(location: Iterable[Any], data: Any) -> str:
    """A place inside an entry for reading: items of a list by their id where they have one."""
    parts = []
    for step in location:
        shown = str(step)
        if isinstance(step, int) and isinstance(data, list) and step < len(data):
            item = data[step]
            name = (
                next((item[k] for k in ("id", "claim") if k in item), None)
                if isinstance(item, dict)
                else None
            )
            shown = str(name) if isinstance(name, str) else shown
            data = item
        else:
            data = data.get(step) if isinstance(data, dict) else None
        parts.append(shown)
    return ".".join(parts)


def describe_errors(model: type[BaseModel], error: ValidationError, where: str, data: Any = None) -> str:
    """First findings of a validation error as one message."""
    parts = []
    for item in error.errors()[:5]:
        field = show_field(item["loc"], data) or "(file)"
        if item["type"] == "extra_forbidden":
            valid = _keys_at(model, item["loc"][:-1])
            name = str(item["loc"][-1])
            parts.append(f"{field}: unknown key '{name}'{nearest(name, valid)} (valid: {', '.join(valid)})")
        elif item["type"] == "missing":
            parts.append(f"{field}: required, but missing")
        else:
            parts.append(f"{field}: {item['msg'].removeprefix('Value error, ')}; got {came(item['input'])}")
    more = len(error.errors()) - 5
    if more > 0:
        parts.append(f"and {more} more")
    return f"{where}, " + "; ".join(parts)


def came(value: Any, most: int = 80) -> str:
    """What came, for an error: cut off where it is long."""
    try:
        return repr(value)[:most]
    except ValueError:  # a whole number with thousands of digits
        return f"a {type(value).__name__} too long to show"


def _keys_at(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """Valid keys of the model at a location inside an entry."""
    current: Any = model
    for step in loc:
        if isinstance(step, int):
            continue
        field = getattr(current, "model_fields", {}).get(step)
        if field is None:
            return []
        current = _inner_model(field.annotation)
    return sorted(f.alias or k for k, f in getattr(current, "model_fields", {}).items())


def _inner_model(annotation: Any) -> Any:
    """The entry type inside Optional, tuple or dict annotations."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None


def user_folder() -> Path | None:
    """Folder of the user's own record, if one is set."""
    folder = os.environ.get(USER_VARIABLE)
    return Path(folder) if folder else None


def files_of(kind: str) -> Iterator[Path]:
    """Files of one kind, the shipped ones first, each folder sorted."""
    for base in (DATA, user_folder()):
        if base is not None and (base / kind).is_dir():
            yield from sorted((base / kind).rglob("*.yaml"))


def find_file(kind: str, name: str) -> Path:
    """File of an entry by id (its path inside the kind's folder), the user's before the shipped.

    Raises
    ------
    her2.errors.UnknownNameError
        With the valid names and the nearest.
    """
    found = {p.stem: p for p in files_of(kind)}
    if name not in found:
        raise unknown(kind.rstrip("s"), name, found)
    return found[name]


@lru_cache(maxsize=4)
def _parameters(_user: str | None) -> dict[str, Parameter]:
    result: dict[str, Parameter] = {}
    for path in files_of("parameters"):
        entry = parse(ParameterFile, read_yaml(path), show_path(path))
        for parameter in entry.parameters:
            if parameter.id in result:
                raise RecordError(f"{show_path(path)}: parameter '{parameter.id}' is declared twice")
            result[parameter.id] = parameter
    return result


def load_parameters() -> dict[str, Parameter]:
    """All parameters of the model, by id."""
    return _parameters(os.environ.get(USER_VARIABLE))


@lru_cache(maxsize=1024)
def _one(model: type[Any], kind: str, name: str, _user: str | None) -> Any:
    path = find_file(kind, name)
    entry = parse(model, read_yaml(path), show_path(path))
    if entry.id != name:
        raise RecordError(f"{show_path(path)}, id: '{entry.id}' does not match the file name '{name}'")
    return entry


def load_agent(name: str) -> Agent:
    """One agent of the record."""
    agent = _one(Agent, "agents", name, os.environ.get(USER_VARIABLE))
    assert isinstance(agent, Agent)
    return agent


def load_study(name: str) -> Study:
    """One study of the record with its printed figures."""
    study = _one(Study, "studies", name, os.environ.get(USER_VARIABLE))
    assert isinstance(study, Study)
    return study


def load_population(name: str) -> Population:
    """One population recipe."""
    population = _one(Population, "populations", name, os.environ.get(USER_VARIABLE))
    assert isinstance(population, Population)
    return population


def load_sources() -> dict[str, Source]:
    """All sources, by id."""
    result: dict[str, Source] = {}
    for path in files_of("sources"):
        data = read_yaml(path)
        for item in data["sources"] if isinstance(data, dict) and "sources" in data else [data]:
            source = parse(Source, item, show_path(path))
            result[source.id] = source
    return result


def load_claims() -> dict[str, Claim]:
    """All claims, by id."""
    result: dict[str, Claim] = {}
    for path in files_of("claims"):
        for claim in parse(ClaimFile, read_yaml(path), show_path(path)).claims:
            if claim.id in result:
                raise RecordError(f"{show_path(path)}: claim '{claim.id}' is declared twice")
            result[claim.id] = claim
    return result


def load_experiments() -> dict[str, Experiment]:
    """All experiments that run a claim on the model, by the claim's id."""
    return {claim: experiment for claim, (experiment, _) in placed_experiments().items()}


def placed_experiments() -> dict[str, tuple[Experiment, str]]:
    """All experiments with the file each stands in, by the claim's id."""
    result: dict[str, tuple[Experiment, str]] = {}
    for path in files_of("experiments"):
        for experiment in parse(ExperimentFile, read_yaml(path), show_path(path)).experiments:
            if experiment.claim in result:
                other = result[experiment.claim][1]
                raise RecordError(
                    f"{show_path(path)}: the claim '{experiment.claim}' has an experiment in {other} already"
                )
            result[experiment.claim] = (experiment, show_path(path))
    return result


def load_attributes() -> dict[str, AttributeEntry]:
    """Catalogue of the attributes of a cell, by id; a file of the user's replaces the shipped one."""
    return _ids(find_file("network", "attributes"), "attribute", AttributeFile, lambda f: f.attributes)


def load_cells() -> dict[str, CellFile]:
    """All cell lines, by id; the user's replace shipped ones of the same name."""
    user = os.environ.get(USER_VARIABLE)
    return {p.stem: _one(CellFile, "cells", p.stem, user) for p in files_of("cells")}


def load_switches() -> dict[str, Switch]:
    """All switches as entered, by id, the user's for shipped ones of the same name.

    `her2.cell.switches` also checks what they name.
    """
    result: dict[str, Switch] = {}
    for path in files_of("network"):
        if path.stem == "switches":
            result.update(_ids(path, "switch", SwitchFile, lambda f: f.switches))
    return result


def load_mechanisms() -> dict[str, Mechanism]:
    """All mechanisms, by id."""
    return _members("mechanisms", "mechanism", MechanismFile, lambda f: f.mechanisms)


def load_conflicts() -> dict[str, Conflict]:
    """All conflicts, by id."""
    return _members("conflicts", "conflict", ConflictFile, lambda f: f.conflicts)


def load_agents() -> dict[str, Agent]:
    """All agents, by id; the user's replace shipped ones of the same name."""
    return {p.stem: load_agent(p.stem) for p in files_of("agents")}


def load_studies() -> dict[str, Study]:
    """All studies with their printed figures, by id; the user's replace shipped ones of the same name."""
    return {p.stem: load_study(p.stem) for p in files_of("studies")}


def load_rules() -> dict[str, Rule]:
    """All treatment rules, by id, executable or not."""
    result: dict[str, Rule] = {}
    for path in files_of("rules"):
        rule = parse(Rule, read_yaml(path), show_path(path))
        if rule.id in result:
            raise RecordError(f"{show_path(path)}: rule '{rule.id}' is declared twice")
        result[rule.id] = rule
    return result


def load_excluded() -> tuple[ExcludedNumber, ...]:
    """Numbers of the reviews that are no figures, each with the reason."""
    return tuple(
        number
        for path in files_of("excluded")
        for number in parse(ExcludedFile, read_yaml(path), show_path(path)).numbers
    )


def _members(
    kind: str, word: str, model: type[Any], members: Callable[[Any], Iterable[Any]]
) -> dict[str, Any]:
    """Members of all files of a kind by id, each id once."""
    result: dict[str, Any] = {}
    for path in files_of(kind):
        for item in members(parse(model, read_yaml(path), show_path(path))):
            if item.id in result:
                raise RecordError(f"{show_path(path)}: {word} '{item.id}' is declared twice")
            result[item.id] = item
    return result


def _ids(path: Path, word: str, model: type[Any], members: Callable[[Any], Iterable[Any]]) -> dict[str, Any]:
    """Members of one file by id, each id once."""
    result: dict[str, Any] = {}
    for item in members(parse(model, read_yaml(path), show_path(path))):
        if item.id in result:
            raise RecordError(f"{show_path(path)}: {word} '{item.id}' is declared twice")
        result[item.id] = item
    return result


def load_network(name: str) -> Any:
    """A network file (receptors, pathway, clones) as plain data, a copy of one's own.

    Keys and kinds of values are checked here, names of nodes and parameters when it is compiled.

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        No such file; a key that is missing, unknown or of the wrong kind, with its place.
    """
    path = find_file("network", name)
    state = path.stat()
    return copy.deepcopy(_network(path, name, state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=16)
def _network(path: Path, name: str, _changed: int, _size: int) -> Any:
    data = read_yaml(path)
    if name in NETWORK_FILES:
        parse(NETWORK_FILES[name], data, show_path(path))
    return data


def canonical_values() -> dict[str, float]:
    """Value of every parameter in its own unit, by id."""
    return {k: p.value for k, p in load_parameters().items()}


def merged_values(values: Mapping[str, float] | None) -> dict[str, float]:
    """Value of every parameter, those given in place of the record's.

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        A parameter that does not exist; a value that is not finite.
    """
    merged = canonical_values()
    for name, value in (values or {}).items():
        if name not in merged:
            raise unknown("parameter", name, merged)
        if not math.isfinite(value):
            raise RecordError(f"parameter {name}: expected a finite number, got {value}")
        merged[name] = float(value)
    return merged
