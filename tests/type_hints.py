"""Whether the annotations of a package mean something: readers, editors and the documentation take them at their word."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any


def modules_of(name: str) -> list[ModuleType]:
    """A module, or a package with everything in it."""
    found = importlib.import_module(name)
    if not hasattr(found, "__path__"):
        return [found]
    names = [info.name for info in pkgutil.walk_packages(found.__path__, f"{name}.")]
    return [found, *(importlib.import_module(n) for n in names)]


def resolve_annotations(module: ModuleType) -> int:
    """Evaluate every annotation of the functions and classes a module defines; how many there were.

    Raises
    ------
    Exception
        Whatever an annotation raises that has no meaning, such as a union with what is no type.
    """
    names = vars(module) | _for_checkers_only(module)
    return sum(len(typing.get_type_hints(x, globalns=names)) for x in _annotated(module))


def _for_checkers_only(module: ModuleType) -> dict[str, Any]:
    """What a module imports for type checkers alone."""
    found = {}
    for node in ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for part in node.body:
                if isinstance(part, ast.ImportFrom) and part.module:
                    source = importlib.import_module(part.module)
                    found |= {a.asname or a.name: getattr(source, a.name) for a in part.names}
                elif isinstance(part, ast.Import):
                    found |= {a.asname or a.name: importlib.import_module(a.name) for a in part.names}
    return found


def _annotated(module: ModuleType) -> Iterator[Callable[..., Any] | type]:
    for x in vars(module).values():
        function = getattr(x, "py_func", inspect.unwrap(x) if callable(x) else x)
        if getattr(function, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(function):
            yield function
        elif inspect.isclass(function):
            yield function
            for member in vars(function).values():
                if isinstance(member, property):
                    member = member.fget
                member = getattr(member, "__func__", member)
                if inspect.isfunction(member) and member.__module__ == module.__name__:
                    yield member
