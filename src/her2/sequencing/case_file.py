"""A patient's state from a short YAML file, and the commented template of one."""

from __future__ import annotations

from pathlib import Path

from her2.evidence.load import DATA, read_yaml
from her2.sequencing.state import PatientState, state_of

TEMPLATE = DATA / "sequencing" / "patient_template.yaml"


def read_state(path: Path) -> PatientState:
    """The state of a file.

    Raises
    ------
    her2.errors.RecordError
        The file cannot be read, is not YAML, or says something the vocabulary does not have; all findings at once.
    """
    return state_of(read_yaml(path), str(path))


def template() -> str:
    """A commented example to copy and change."""
    return TEMPLATE.read_text(encoding="utf-8")
