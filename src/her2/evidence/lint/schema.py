"""Every entry says what its kind has to say; every id is given once; file name and id agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from her2.errors import nearest
from her2.evidence.lint.base import AbstractCheck, Broken, Context, Finding
from her2.evidence.load import _keys_at, show_field
from her2.evidence.record import Kept


class Schema(AbstractCheck):
    """Entries that cannot be read as their kind."""

    name = "schema"

    def findings(self, context: Context) -> Iterator[Finding]:
        """One finding for every error of every entry."""
        for broken in context.broken:
            if isinstance(broken.error, ValidationError):
                yield from _of_validation(broken, broken.error)
            else:
                shown, text = broken.file.shown, str(broken.error)
                place = broken.where.removeprefix(shown).lstrip(", ")
                if text.startswith(shown):
                    place, _, text = text.removeprefix(shown).lstrip(", ").partition(": ")
                yield Finding(
                    "error", self.name, shown, place or "(file)", text, "Mend the file.", broken.file.user
                )


def _of_validation(broken: Broken, error: ValidationError) -> Iterator[Finding]:
    for item in error.errors():
        location = show_field(item["loc"], broken.data) or "(entry)"
        name = f"{broken.where.removeprefix(broken.file.shown).lstrip(', ')} {location}".strip()
        mend = "See the reference page of the record for what this kind of entry holds."
        if item["type"] == "extra_forbidden":
            valid = _keys_at(broken.model, item["loc"][:-1])
            what = f"unknown key '{item['loc'][-1]}'{nearest(str(item['loc'][-1]), valid)}"
            mend = f"Valid keys: {', '.join(valid)}." if valid else mend
        elif item["type"] == "missing":
            what = "required, but missing"
        else:
            what = f"{item['msg'].removeprefix('Value error, ')}; got {repr(item['input'])[:80]}"
        yield Finding("error", "schema", broken.file.shown, name, what, mend, broken.file.user)


class Twice(AbstractCheck):
    """An id given twice."""

    name = "ids"

    def findings(self, context: Context) -> Iterator[Finding]:
        """Ids given twice in a kind, figures' ids given twice anywhere, ids unlike the file name."""
        for folder, name, first, second, replaces in context.twice:
            if replaces:
                yield Finding(
                    "note", self.name, second, name, f"replaces the shipped {folder} entry of {first}",
                    "Give it another id if both are meant.", True,
                )  # fmt: skip
            else:
                yield Finding(
                    "error",
                    self.name,
                    second,
                    name,
                    f"the id is already in {first}",
                    "Give one of the two another id.",
                )
        seen: dict[str, str] = {}
        for study, value in context.record.values():
            if value.id in seen:
                yield Finding(
                    "error", self.name, study.file, value.id,
                    f"the id of a figure is already in {seen[value.id]}",
                    "Append .2, .3 ... to the id of a repeat.", study.user,
                )  # fmt: skip
            seen[value.id] = study.file
        record = context.record
        alone: list[Kept[Any]] = [
            *record.agents.values(),
            *record.studies.values(),
            *record.populations.values(),
            *record.cells.values(),
        ]
        for kept in alone:
            stem = kept.file.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".yaml")
            if stem != kept.entry.id:
                yield Finding(
                    "error", self.name, kept.file, "id",
                    f"'{kept.entry.id}' does not match the file name '{stem}'",
                    "Rename the file or the id.", kept.user,
                )  # fmt: skip
