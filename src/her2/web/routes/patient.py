"""The patient view: what a form needs, and whether a case can be read. Courses are jobs."""

from __future__ import annotations

import types
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from her2.web import models
from her2.web.given import case_of
from her2.web.problems import answers
from her2.web.reply import dump, kept, plain, reply

router = APIRouter(prefix="/api/patient", tags=["patient"])
CASES = Path(__file__).resolve().parent.parent / "cases"
UNITS = {
    "weight": "kg", "lvef": "per cent", "age": "years", "amplified_cells": "per cent", "copies": "per nucleus",
}  # fmt: skip


class CaseIn(BaseModel):
    """A case as text, as plain data or as an mCODE bundle; one of them."""

    model_config = ConfigDict(extra="forbid")

    yaml: Annotated[str, Field(max_length=200_000)] | None = None
    case: dict[str, Any] | None = None
    bundle: dict[str, Any] | None = None


@router.get(
    "/template",
    summary="What a form for a case offers",
    response_model=models.PatientTemplate,
    responses=answers(),
)
def template(request: Request) -> Response:
    """The commented file, every item with its words and limits, and examples."""
    return kept(_template(), request)


@lru_cache(maxsize=1)
def _template() -> bytes:
    from her2.sequencing.case_file import template as text
    from her2.sequencing.state import PatientState

    return dump({
        "yaml": text(), "fields": fields_of(PatientState), "schema": PatientState.model_json_schema(),
        "examples": examples(),
    })  # fmt: skip


def examples() -> list[dict[str, str]]:
    """Cases to start from; the first line of a file is its title."""
    found = []
    for path in sorted(CASES.glob("*.yaml")):
        body = path.read_text(encoding="utf-8")
        found.append({"id": path.stem, "title": body.splitlines()[0].lstrip("# "), "yaml": body})
    return found


def fields_of(model: type[BaseModel], prefix: str = "") -> list[dict[str, Any]]:
    """Every item of a part, and of the parts in it, with what a form has to know."""
    found: list[dict[str, Any]] = []
    for name, info in model.model_fields.items():
        inner = _part(info.annotation)
        if inner is not None and not _is_list(info.annotation):
            found += fields_of(inner, f"{prefix}{name}.")
            continue
        low, high = _limits(info.metadata, info.annotation)
        words = _words(info.annotation)
        item: dict[str, Any] = {
            "name": prefix + name, "label": name.replace("_", " "), "kind": _kind(info.annotation, words),
            "words": words, "unit": UNITS.get(name, "months" if name.startswith("months") else ""), "low": low,
            "high": high, "group": prefix.removesuffix("."), "help": info.description or "",
        }  # fmt: skip
        if inner is not None:
            item |= {"kind": "list", "fields": fields_of(inner)}
        found.append(item)
    return found


def _leaves(annotation: Any) -> list[Any]:
    """The types that an annotation is made of."""
    if get_origin(annotation) in (Union, types.UnionType, tuple, list, Annotated):
        return [x for a in get_args(annotation) if a is not ... for x in _leaves(a)]
    return [annotation]


def _part(annotation: Any) -> type[BaseModel] | None:
    return next((t for t in _leaves(annotation) if isinstance(t, type) and issubclass(t, BaseModel)), None)


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return any(_is_list(a) for a in get_args(annotation))
    return get_origin(annotation) in (tuple, list)


def _words(annotation: Any) -> list[str]:
    return [str(w) for t in _leaves(annotation) if get_origin(t) is Literal for w in get_args(t)]


def _kind(annotation: Any, words: list[str]) -> str:
    if words:
        return "choices" if _is_list(annotation) else "choice"
    if _is_list(annotation):
        return "list"
    leaves = _leaves(annotation)
    if bool in leaves:
        return "boolean"
    return "number" if int in leaves or float in leaves else "text"


def _limits(metadata: list[Any], annotation: Any) -> tuple[float | None, float | None]:
    """Smallest and largest value, from wherever in the annotation they stand."""
    found: dict[str, float] = {}

    def look(items: Any) -> None:
        for item in items:
            for key in ("ge", "gt", "le", "lt"):
                value = getattr(item, key, None)
                if isinstance(value, (int, float)):
                    found[key] = value
            look(getattr(item, "metadata", ()))

    def walk(a: Any) -> None:
        if get_origin(a) is Annotated:
            look(get_args(a)[1:])
        for inner in get_args(a):
            walk(inner)

    look(metadata)
    walk(annotation)
    return found.get("ge", found.get("gt")), found.get("le", found.get("lt"))


@router.post(
    "/check", summary="Check a case", response_model=models.PatientChecked, responses=answers(413, 415)
)
def check(asked: CaseIn) -> Response:
    """The case as it is understood, and what was found in a bundle; nothing is stored."""
    case = case_of(asked.yaml, asked.case, asked.bundle)
    findings = [plain(vars(f)) for f in case.findings]
    return reply(
        {"ok": True, "case": case.state.model_dump(mode="json", exclude_none=True), "findings": findings}
    )


@router.post(
    "/cell", summary="The tumour on the map", response_model=models.PatientCell, responses=answers(413, 415)
)
def cell(asked: CaseIn) -> Response:
    """The condition of the map that has what is known of the tumour; nothing is stored."""
    from her2.web.patient_cell import cell_of

    return reply(cell_of(case_of(asked.yaml, asked.case, asked.bundle).state))
