"""Files of a user as plain data: YAML and JSON read with limits, so that no file can run, hang or flood the program.

What comes back holds mappings, lists, text, whole numbers of 64 bit, finite numbers, yes and no, dates and nothing
else. Refused are: files that are too large, nested too deep or hold too many entries; tags, anchors and aliases, which
can name code or expand without end; keys given twice; numbers that are not finite; and characters that change how a
text is shown but are not seen (control characters, reversed writing, halves of surrogate pairs).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from her2.errors import RecordError

MAX_BYTES = 5_000_000
MAX_DEPTH = 40
MAX_ENTRIES = 100_000
"""Values and collections in one YAML file; the largest file of the record has about 4,000."""
MAX_KEY = 500
"""Characters of a key."""
_LARGEST = 2**63 - 1
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)


def read_text(path: Path, name: str, most: int = MAX_BYTES) -> str:
    """The text of a file, at most so many bytes of it, whatever the size that the system reports.

    Parameters
    ----------
    name : of the file in errors

    Raises
    ------
    her2.errors.RecordError
        Missing, a folder, too large, or not UTF-8.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except IsADirectoryError as error:
        raise RecordError(f"{name}: is a folder; expected a file") from error
    except OSError as error:
        raise RecordError(f"{name}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # a NUL in the name
        raise RecordError(f"{name!r}: no file can have this name ({error})") from error
    if len(content) > most:
        raise RecordError(f"{name}: larger than {most // 1_000_000} MB; expected text of a few kB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(
            f"{name}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error


def parse_yaml(text: str, name: str) -> Any:
    """One YAML document as plain data.

    Raises
    ------
    her2.errors.RecordError
        Not YAML, or one of the things the module refuses; the text names file and line or field.
    """
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """Safe loader that refuses duplicate keys."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[Any] = set()
            for key_node, _ in node.value:
                _check_key(self.construct_object(key_node, deep=True), key_node, seen, name)
            return super().construct_mapping(node, deep)

    try:
        _check_events(yaml.parse(text, Loader=base), name)
        data = yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise RecordError(f"{name}{place}: not valid YAML ({problem})") from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise RecordError(f"{name}: not valid YAML ({error})") from error
    check_data(data, name)
    return data


def _check_key(key: Any, node: Any, seen: set[Any], name: str) -> None:
    """Refuse a key that is no plain word, is too long, or was there before."""
    line = f"{name}, line {node.start_mark.line + 1}"
    if isinstance(key, (dict, list)):
        raise RecordError(f"{line}: a key must be a plain word")
    if isinstance(key, bool):
        raise RecordError(
            f'{line}: YAML reads the key {node.value} as {str(key).lower()}; put it in quotes: "{node.value}"'
        )
    if len(node.value) > MAX_KEY:
        raise RecordError(f"{line}: a key of {len(node.value)} characters; expected at most {MAX_KEY}")
    if key in seen:
        raise RecordError(f"{line}: key '{key}' given twice")
    seen.add(key)


def _check_events(events: Any, name: str) -> None:
    """Refuse tags, anchors, aliases, deep nesting and floods of entries before anything is built."""
    import yaml

    depth = entries = 0
    for event in events:
        problem = ""
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            problem = "YAML aliases are not accepted; write the value again"
        elif isinstance(event, yaml.NodeEvent):
            entries += 1
            tag = getattr(event, "tag", None)
            depth += isinstance(event, yaml.CollectionStartEvent)
            if event.anchor is not None:
                problem = f"YAML anchors ('&{event.anchor[:40]}') are not accepted"
            elif tag is not None:
                problem = f"YAML tags ('{tag[:60]}') are not accepted; put a text in quotes instead"
            elif entries > MAX_ENTRIES:
                problem = f"more than {MAX_ENTRIES:,} entries; expected a few hundred"
            elif depth > MAX_DEPTH:
                problem = f"nested deeper than {MAX_DEPTH} levels"
        if problem:
            raise RecordError(f"{name}, line {event.start_mark.line + 1}: {problem}")


def parse_json(text: str, name: str) -> Any:
    """One JSON document as plain data.

    Raises
    ------
    her2.errors.RecordError
        Not JSON, or one of the things the module refuses; the text names file and field.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [k for k, _ in pairs]
            twice = next(k for k in keys if keys.count(k) > 1)
            raise RecordError(f"{name}: key {twice[:60]!r} given twice in one object")
        return found

    def refuse(word: str) -> Any:
        raise RecordError(f"{name}: {word} is no number of JSON; leave the value out")

    try:
        data = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{name}: is not JSON: {error}") from error
    check_data(data, name)
    return data


def check_data(data: Any, name: str) -> None:
    """Refuse deep nesting, numbers that are not finite or beyond 64 bit, and text with characters not seen.

    Raises
    ------
    her2.errors.RecordError
        The first thing found, with its place.
    """
    try:
        _check(data, lambda: name, MAX_DEPTH)
    except RecursionError:
        raise RecordError(f"{name}: nested deeper than {MAX_DEPTH} levels") from None


def _check(value: Any, place: Callable[[], str], left: int) -> None:
    """One value; its place is put together only where it is wrong."""
    if isinstance(value, str):
        found = _UNSEEN.search(value)
        if found is not None:
            raise RecordError(
                f"{place()}: holds the character U+{ord(found.group()):04X}, which is not seen and changes how text "
                "is shown; remove it"
            )
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        if abs(value) > _LARGEST:
            raise RecordError(f"{place()}: a whole number beyond 64 bit; write a number such as 1.0e+20")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise RecordError(f"{place()}: expected a finite number, got {value}")
    elif isinstance(value, (dict, list)):
        if left == 0:
            raise RecordError(f"{place()}: nested deeper than {MAX_DEPTH} levels")
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str):
                _check(key, lambda: f"{place()}, a key", left)
            elif isinstance(key, float) and not math.isfinite(key):
                raise RecordError(f"{place()}: a key must be a plain word, got {key}")
            _check(item, lambda key=key: _below(place(), key), left - 1)  # type: ignore[misc]


def _below(place: str, key: Any) -> str:
    """Place of a member: `file, arms.0.label`."""
    return f"{place}{'.' if ', ' in place else ', '}{str(key)[:80]}"
