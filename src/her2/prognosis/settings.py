"""What the prediction of one patient assumes: numbers with unit, source and quality, beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from her2.evidence.load import parse, read_yaml
from her2.evidence.schema import Entry, Finite, Identifier, Quality

FILE = Path(__file__).with_name("settings.yaml")


class Setting(Entry):
    """One assumption."""

    id: Identifier
    label: str
    value: Finite
    unit: str
    quality: Quality
    source: Identifier
    locator: str


class SettingsFile(Entry):
    """The file of assumptions."""

    id: Identifier
    settings: tuple[Setting, ...]


@lru_cache(maxsize=1)
def load_settings() -> Mapping[str, Setting]:
    """Every assumption by id.

    Raises
    ------
    her2.errors.RecordError
        If the file does not say what it has to say.
    """
    entries = parse(SettingsFile, read_yaml(FILE), f"prognosis/{FILE.name}").settings
    return MappingProxyType({s.id: s for s in entries})


def setting(name: str) -> float:
    """Value of an assumption in the unit of its entry."""
    return load_settings()[name].value
