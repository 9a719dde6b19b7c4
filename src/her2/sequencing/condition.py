"""The language of a rule's condition: all, any, not and comparisons over the vocabulary, with unknown as a third truth.

    when:
      setting: metastatic                # a mapping: all of it has to hold
      line: {at_least: 2}                # at_least, at_most, more_than, less_than, or a number for equality
      had: [trastuzumab, taxane]         # a list of agents or classes: all of them; or {any_of: [..]}, {none_of: [..]}
      cns: [untreated, progressive]      # a list of words: one of them
      any: [{pten: lost}, {pik3ca: mutated}]
      not: {had: [pertuzumab]}

What an unknown item leaves open is unknown (Kleene's logic), so that a verdict, once reached, stands whatever else
becomes known. Nothing in a condition is run as code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from her2.errors import RecordError, nearest
from her2.sequencing.agents import agent_ids, is_a
from her2.sequencing.vocabulary import NOT_APPLICABLE, Item, SomeOf, Value, items, shown

Values = Mapping[str, Value]
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "at_least": lambda a, b: a >= b,
    "at_most": lambda a, b: a <= b,
    "more_than": lambda a, b: a > b,
    "less_than": lambda a, b: a < b,
    "equals": lambda a, b: a == b,
}
LISTS = ("all_of", "any_of", "none_of")
JOINS = ("all", "any", "not")
SHORT = {
    "line_at_least": ("line", "at_least"),
    "line_at_most": ("line", "at_most"),
    "had_any": ("had", "any_of"),
    "had_not": ("had", "none_of"),
    "year_from": ("year", "at_least"),
    "year_to": ("year", "at_most"),
}
"""Words of the short conditions that the engine of virtual trials follows too (`her2.sequencing.rule`)."""
MAX_TESTS = 200


@dataclass(frozen=True)
class Test:
    """One comparison of one item."""

    __test__ = False  # no test case, whatever its name says
    item: str
    how: str
    wanted: tuple[Any, ...]

    def verdict(self, values: Values) -> bool | None:
        """Whether it holds; None where unknown."""
        value = values[self.item]
        if value is NOT_APPLICABLE:
            return False
        if isinstance(value, SomeOf):
            return _of_list(value, self.how, self.wanted)
        if value is None:
            return None
        if self.how in COMPARISONS and not isinstance(value, bool | str):
            assert isinstance(value, int | float)
            return all(COMPARISONS[self.how](value, w) for w in self.wanted)
        return value in self.wanted


@dataclass(frozen=True)
class Join:
    """All or any of several parts, or not the one part."""

    how: str
    parts: tuple[Join | Test, ...]

    def verdict(self, values: Values) -> bool | None:
        """Whether it holds; None where unknown."""
        found = [part.verdict(values) for part in self.parts]
        if self.how == "not":
            return None if found[0] is None else not found[0]
        decisive = self.how == "any"
        return decisive if decisive in found else None if None in found else not decisive


Condition = Join | Test


def _of_list(value: SomeOf, how: str, wanted: tuple[str, ...]) -> bool | None:
    found = [value.has(w) for w in wanted]
    if how == "all_of":
        return False if False in found else None if None in found else True
    any_of = True if True in found else None if None in found else False
    if how == "any_of":
        return any_of
    return None if any_of is None else not any_of


def parse_condition(when: Mapping[str, Any], unless: Mapping[str, Any], where: str) -> Condition:
    """The condition of a rule: all of `when`, and not all of `unless`.

    Raises
    ------
    her2.errors.RecordError
        Naming the place, what was expected, what came and the nearest valid name.
    """
    parts = [_mapping(when, f"{where}, when")]
    if unless:
        parts.append(Join("not", (_mapping(unless, f"{where}, unless"),)))
    condition = Join("all", tuple(parts))
    count = sum(1 for _ in tests_of(condition))
    if count > MAX_TESTS:
        raise RecordError(f"{where}: {count} comparisons; at most {MAX_TESTS}")
    return condition


def _mapping(data: Any, where: str) -> Condition:
    if not isinstance(data, Mapping):
        raise RecordError(
            f"{where}: expected a mapping of items to what is wanted, got {type(data).__name__}"
        )
    parts = tuple(_part(str(key), value, where) for key, value in data.items())
    return parts[0] if len(parts) == 1 else Join("all", parts)


def _part(key: str, value: Any, where: str) -> Condition:
    place = f"{where}, {key}"
    if key == "not":
        return Join("not", (_mapping(value, place),))
    if key in JOINS:
        if not isinstance(value, list) or not value:
            raise RecordError(f"{place}: expected a list of conditions")
        return Join(key, tuple(_mapping(v, f"{place}.{i}") for i, v in enumerate(value)))
    if key in SHORT:
        key, how = SHORT[key]
        value = {how: value}
    if key not in items():
        valid = [*items(), *JOINS, *SHORT]
        raise RecordError(
            f"{where}: unknown condition '{key}'{nearest(key, valid)} (valid: {', '.join(valid)})"
        )
    return _test(items()[key], value, place)


def _test(item: Item, value: Any, place: str) -> Condition:
    if isinstance(value, Mapping):
        parts = tuple(_compare(item, str(how), wanted, place) for how, wanted in value.items())
        if not parts:
            raise RecordError(f"{place}: expected what is wanted, got an empty mapping")
        return parts[0] if len(parts) == 1 else Join("all", parts)
    return _compare(item, "all_of" if item.kind == "list" else "equals", value, place)


def _compare(item: Item, how: str, value: Any, place: str) -> Test:
    valid = {"number": tuple(COMPARISONS), "list": LISTS}.get(item.kind, ("equals",))
    if how not in valid:
        raise RecordError(
            f"{place}: cannot be compared by '{how}'{nearest(how, valid)} (valid: {', '.join(valid)})"
        )
    wanted = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not wanted:
        raise RecordError(f"{place}: expected what is wanted, got an empty list")
    for one in wanted:
        _check_wanted(item, one, place)
    if item.kind == "number" and len(wanted) > 1:
        raise RecordError(f"{place}: expected one number, got {list(wanted)}")
    return Test(item.name, how, wanted)


def _check_wanted(item: Item, one: Any, place: str) -> None:
    if item.kind == "truth":
        if not isinstance(one, bool):
            raise RecordError(f"{place}: expected true or false, got {one!r}")
    elif item.kind == "number":
        if isinstance(one, bool) or not isinstance(one, int | float):
            raise RecordError(f"{place}: expected a number, got {one!r}")
    elif item.kind == "word" or item.name == "wishes":
        valid = item.words or ("no_chemotherapy", "no_trial")
        if one not in valid:
            raise RecordError(
                f"{place}: unknown word {one!r}{nearest(str(one), valid)} (valid: {', '.join(valid)})"
            )
    elif not isinstance(one, str) or one not in agent_ids():
        raise RecordError(f"{place}: unknown agent {repr(one)[:80]}{nearest(str(one), agent_ids())}")


def tests_of(condition: Condition) -> Iterator[Test]:
    """Every comparison of a condition."""
    if isinstance(condition, Test):
        yield condition
    else:
        for part in condition.parts:
            yield from tests_of(part)


def items_of(condition: Condition) -> frozenset[str]:
    """Items a condition looks at."""
    return frozenset(test.item for test in tests_of(condition))


def open_items(condition: Condition, values: Values) -> tuple[str, ...]:
    """Items whose being unknown leaves the condition open, in the order in which it names them."""
    return tuple(dict.fromkeys(_open(condition, values)))


def _open(condition: Condition, values: Values) -> Iterator[str]:
    if condition.verdict(values) is not None:
        return
    if isinstance(condition, Test):
        yield condition.item
    else:
        for part in condition.parts:
            yield from _open(part, values)


def grounds(condition: Condition, values: Values) -> tuple[str, ...]:
    """What makes a condition hold, as printed: label and value of every item of a comparison that holds."""
    return tuple(dict.fromkeys(_grounds(condition, values)))


def _grounds(condition: Condition, values: Values) -> Iterator[str]:
    if isinstance(condition, Test):
        if condition.verdict(values) is True:
            yield f"{items()[condition.item].label}: {_shown(condition, values)}"
    elif condition.how == "not":
        for test in tests_of(condition):
            if test.verdict(values) is False:
                wanted = ", ".join(str(w) for w in test.wanted)
                yield f"not {items()[test.item].label}: {wanted}"
    elif condition.verdict(values) is True:
        for part in condition.parts:
            yield from _grounds(part, values)


def _shown(test: Test, values: Values) -> str:
    value = values[test.item]
    if isinstance(value, SomeOf):
        if test.how == "none_of":
            return f"none of {', '.join(test.wanted)}"
        return ", ".join(sorted(a for a in value.certain if any(is_a(a, w) for w in test.wanted)))
    return shown(value)
