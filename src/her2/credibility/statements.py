"""The words of the report: context of use, goals, categories of evidence and assumptions, from the files here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel

from her2.errors import RecordError, unknown
from her2.evidence.load import parse, read_yaml
from her2.evidence.schema import Entry, Identifier

FOLDER = Path(__file__).parent
Level = Literal["low", "medium", "high"]
Rule = Literal["at_least", "at_most", "is", "holds", "beats", "met"]


class User(Entry):
    """A group of users."""

    id: Identifier
    name: str
    knows: str


class Question(Entry):
    """A question of interest, with what a wrong answer would do."""

    id: Identifier
    user: Identifier
    asks: str
    decides: str
    influence: Level
    influence_why: str
    consequence: Level
    consequence_why: str
    needs: tuple[Identifier, ...]


class Excluded(Entry):
    """A use the model is not for."""

    use: str
    influence: Level
    consequence: Level
    why: str


class Context(Entry):
    """Context of use."""

    purpose: str
    model: str
    users: tuple[User, ...]
    questions: tuple[Question, ...]
    not_for: tuple[Excluded, ...]


class Goal(Entry):
    """A credibility goal and how the facts decide it."""

    id: Identifier
    category: Identifier
    factor: str
    says: str
    fact: str
    rule: Rule
    value: bool | float | str | tuple[str, ...]
    why: str


class GoalFile(Entry):
    """The file of goals."""

    goals: tuple[Goal, ...]


class Category(Entry):
    """One of the eight categories of evidence."""

    id: Identifier
    name: str
    scope: Literal["judged", "none"] = "judged"
    exists: str
    lacks: str


class CategoryFile(Entry):
    """The file of categories."""

    categories: tuple[Category, ...]


class Assumption(Entry):
    """An assumption of the structure."""

    id: Identifier
    part: Identifier
    assumes: str
    why: str
    falsified: str


class AssumptionFile(Entry):
    """The file of assumptions."""

    assumptions: tuple[Assumption, ...]


T = TypeVar("T", bound=BaseModel)


def _read(kind: type[T], name: str) -> T:
    return parse(kind, read_yaml(FOLDER / name), f"credibility/{name}")


@lru_cache(maxsize=1)
def load_context() -> Context:
    """Context of use.

    Raises
    ------
    her2.errors.Her2Error
        If a question names a user or goal that does not exist.
    """
    context = _read(Context, "context.yaml")
    for q in context.questions:
        if q.user not in {u.id for u in context.users}:
            raise unknown("user", q.user, [u.id for u in context.users], f"credibility/context.yaml, {q.id}")
        for need in q.needs:
            if need not in load_goals():
                raise unknown("goal", need, load_goals(), f"credibility/context.yaml, {q.id}")
    return context


@lru_cache(maxsize=1)
def load_goals() -> Mapping[str, Goal]:
    """Goals by id.

    Raises
    ------
    her2.errors.Her2Error
        If an id is given twice, or a goal belongs to no category.
    """
    goals = _read(GoalFile, "goals.yaml").goals
    found = {g.id: g for g in goals}
    if len(found) != len(goals):
        raise RecordError("credibility/goals.yaml: an id is given twice; give every goal its own")
    for g in goals:
        if g.category not in {c.id for c in load_categories()}:
            raise unknown(
                "category", g.category, [c.id for c in load_categories()], f"credibility/goals.yaml, {g.id}"
            )
    return found


@lru_cache(maxsize=1)
def load_categories() -> tuple[Category, ...]:
    """The eight categories, in their order."""
    return _read(CategoryFile, "categories.yaml").categories


@lru_cache(maxsize=1)
def load_assumptions() -> tuple[Assumption, ...]:
    """Assumptions of the structure."""
    return _read(AssumptionFile, "assumptions.yaml").assumptions
