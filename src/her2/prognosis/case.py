"""A case from a file: the YAML of `her2 options --template`, or an mCODE bundle in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from her2.errors import RecordError
from her2.evidence.reading import parse_json, read_text
from her2.prognosis.result import Finding
from her2.sequencing.case_file import read_state
from her2.sequencing.state import PatientState, state_of

MAX_BYTES = 20_000_000


@dataclass(frozen=True)
class Case:
    """A patient's state, and what was found when it was read."""

    state: PatientState
    findings: tuple[Finding, ...] = ()


def read_case(path: Path, *, lenient: bool = False) -> Case:
    """A case from a YAML file, or from a FHIR bundle where the file is JSON with a `resourceType`.

    Parameters
    ----------
    lenient : read a bundle although something in it is wrong: it is passed over, and stays among the findings

    Raises
    ------
    her2.errors.RecordError
        The file cannot be read, or says something that no case has; all findings at once.
    """
    if path.suffix.lower() == ".json":
        data = parse_json(read_text(path, str(path), MAX_BYTES), str(path))
        if isinstance(data, Mapping) and "resourceType" in data:
            from her2.prognosis.mcode import read_bundle

            case = read_bundle(data, str(path))
            if not lenient:
                _refuse_wrong(case.findings, str(path))
            return case
        return Case(state_of(data, str(path)))
    return Case(read_state(path))


def _refuse_wrong(findings: Sequence[Finding], where: str) -> None:
    """An error with every finding, those that are wrong first, where any of them is."""
    wrong = [f for f in findings if f.wrong]
    if wrong:
        others = [f for f in findings if not f.wrong]
        listed = "".join(f"\n - {f.text}" for f in wrong)
        also = "".join(f"\n - {f.text}" for f in others)
        raise RecordError(
            f"{where}: {len(wrong)} finding{'s' if len(wrong) > 1 else ''} to be mended (or --lenient, which passes "
            f"over what is wrong):{listed}" + (f"\nand beside them:{also}" if also else "")
        )


def case_yaml(state: PatientState) -> str:
    """A case as YAML, to be read again and changed; what is not known is left out."""
    import yaml

    data = state.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    head = "# For research, not for treating patients. What is not known is left out: see her2 patient --template.\n"
    return head + str(yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=110))


def with_item(state: PatientState, item: str, value: Any, where: str = "case") -> PatientState:
    """The state with one item set, by its place such as `biomarkers.pten`.

    Raises
    ------
    her2.errors.RecordError
        The item does not exist, or cannot have this value.
    """
    data = state.model_dump(mode="json")
    *steps, last = item.split(".")
    current: Any = data
    for step in steps:
        key: Any = int(step) if step.isdecimal() else step
        if current[key] is None:
            current[key] = {}
        current = current[key]
    current[last] = value
    return state_of(data, where)
