"""Trial files and cases as a request gives them: text or plain data, read by the same code as files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from her2.errors import Her2Error, RecordError

if TYPE_CHECKING:
    from her2.prognosis.case import Case
    from her2.trials.design import Trial

T = TypeVar("T")
MAX_DEPTH = 40
"""Levels of nesting of plain data, as of YAML."""


def read_text(text: str, name: str, read: Callable[[Path], T]) -> T:
    """What a reader of files makes of a text; errors name it as `name`."""
    with tempfile.TemporaryDirectory(prefix="her2-") as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        try:
            return read(path)
        except Her2Error as error:
            raise type(error)(
                str(error).replace(str(path), name).replace(str(path.resolve()), name)
            ) from None


def check_depth(data: Any, where: str, left: int = MAX_DEPTH) -> None:
    """Refuse plain data that is nested too deep.

    Raises
    ------
    her2.errors.RecordError
        Deeper than `MAX_DEPTH` levels.
    """
    if left == 0:
        raise RecordError(f"{where}: nested deeper than {MAX_DEPTH} levels")
    for value in data.values() if isinstance(data, Mapping) else data if isinstance(data, list) else ():
        check_depth(value, where, left - 1)


def read_design(text: str) -> dict[str, Any]:
    """A trial file as plain data."""
    from her2.evidence.load import read_yaml

    data = read_text(text, "trial.yaml", read_yaml)
    if not isinstance(data, dict):
        raise RecordError(f"trial.yaml: expected a mapping of keys to values, got {type(data).__name__}")
    return data


def write_design(design: Mapping[str, Any]) -> str:
    """Plain data as the text of a trial file."""
    import yaml

    return str(yaml.safe_dump(dict(design), sort_keys=False, allow_unicode=True, width=120))


def trial_of(name: str | None, text: str | None, design: Mapping[str, Any] | None) -> Trial:
    """The trial that a request names or gives; a path is never followed.

    Raises
    ------
    her2.errors.Her2Error
        Not exactly one of the three, an unknown trial, or anything wrong in the file.
    """
    from her2.errors import unknown
    from her2.evidence.load import parse
    from her2.trials.design import Trial, check_trial, load_trial, trial_names

    given = [k for k, v in (("trial", name), ("yaml", text), ("design", design)) if v is not None]
    if len(given) != 1:
        raise RecordError(f"expected one of trial, yaml and design, got {', '.join(given) or 'none'}")
    if name is not None:
        names = trial_names()
        if name not in names:
            raise unknown("trial", name, names)
        return load_trial(name)
    where = "trial.yaml" if text is not None else "design"
    data = read_design(text) if text is not None else dict(design or {})
    check_depth(data, where)
    trial = parse(Trial, data, where)
    check_trial(trial, where)
    return trial


def case_of(text: str | None, case: Mapping[str, Any] | None, bundle: Mapping[str, Any] | None) -> Case:
    """The case that a request gives as text, plain data or FHIR bundle.

    Raises
    ------
    her2.errors.RecordError
        Not exactly one of the three, or anything wrong in it; all findings at once.
    """
    from her2.prognosis.case import Case
    from her2.sequencing.case_file import read_state
    from her2.sequencing.state import state_of

    given = [k for k, v in (("yaml", text), ("case", case), ("bundle", bundle)) if v is not None]
    if len(given) != 1:
        raise RecordError(f"expected one of yaml, case and bundle, got {', '.join(given) or 'none'}")
    if text is not None:
        return Case(read_text(text, "case.yaml", read_state))
    if case is not None:
        check_depth(case, "case")
        return Case(state_of(case, "case"))
    from her2.prognosis.mcode import read_bundle

    check_depth(bundle, "bundle")
    return read_bundle(bundle or {}, "bundle")
