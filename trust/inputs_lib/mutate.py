"""Changes to a file: of its bytes, its text, its structure. Everything is drawn from a `random.Random`."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import yaml

NUMBERS = (
    "0", "-0", "-0.0", "-1", "1e400", "-1e400", "1e308", "1.0e+308", "5e-324", ".nan", "nan", "NaN", ".inf", "-.inf",
    "Infinity", "9" * 30, "9" * 400, "9" * 5000, "0x" + "f" * 40, "0x" + "f" * 5000, "0b1", "0o17", "1_000", "1:30",
    "1" + ":59" * 300, "1" + ":59" * 300 + ".5", "1e", "1,5", "１２", "٣", "²", "½", "-9223372036854775809",
    "9223372036854775807", "18446744073709551616", "2001-01-01", "2001-99-99", "0001-01-01", "true", "no", "~", "''",
)  # fmt: skip
UNITS = (
    "9 weeks", "9 parsec", "0 week", "-1 week", "1e308 month", "1e-320 day", "9week", "9 week week", "week", "9",
    "month 9", "9 %", "9 1/day", "٩ week", "9\u00a0week", "9\u200bweek", "1" * 5000 + "!", " " * 5000 + "1", "nan day",
    "0.03 1/year", "1e400 1/day", "75 mg/m3", "8 mg/kg q0w", "x" * 10_000, "100 mg q999999w", "100 mg x999999",
)  # fmt: skip
WORDS = (
    "", " ", "null", "unknown", "none", "trastuzumаb", "TRASTUZUMAB", "trastuzumab ", "../../etc/passwd", "/dev/null",
    "a" * 121, "x" * 100_000, "\u202etrastuzumab", "trast\u200buzumab", "\ufefftrastuzumab", "e\u0301" * 50, "🧬",
    "{0.__class__}", "%s%s%n", "$(id)", "`id`", "'; DROP TABLE claims; --", "<script>alert(1)</script>", "[/red]",
    "[bold]", "$\\frac{", "=1+1", "\\", "\"", "'", "#", "- ", ": ", "*x", "&x", "!x", "!!python/none", "<<", "|", ">",
    "%YAML", "@", "`", "\t", "\x00", "\x1b[31m", "\x85", "\u2028", "\ud7ff", "A\u030a" * 40, "İ", "ß", "ﬁ", "metastatic",
    "positive", "pfs", "os", "er_positive", "assumed", "lognormal", "2015-13", "nan", "1e400",
)  # fmt: skip
LINES = (
    "&a [*a, *a]", "a: &x 1", "b: *x", "!!python/object/apply:os.system [id]", "!!set {a}", "!!float ''", "!!int ''",
    "!!binary '!'", "!!timestamp x", "? {a: 1}\n: 2", "? !!set {a}\n: 1", "<<: {id: x}", "---", "...", "%TAG ! x", "\t",
    "- - - - - - - - x", "{" * 60, "[" * 60 + "]" * 60, "id: twice", "key without colon", "'open quote", "~: 1", "1: 1",
    "yes: 1", ".nan: 1", "x: |\n" + "  long\n" * 50, "\ufeff", "#" * 5000, "🧬: 1", "a: 'b' c", ": ", "-", "?",
)  # fmt: skip
CONFUSABLE = str.maketrans({"a": "а", "e": "е", "o": "о", "i": "і", "p": "р", "c": "с"})
_STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.0, -0.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"), 2**31, 2**63, 10**40,
    10**400, 3.5, [], {}, "", [[]], [None], {"a": {}}, [1, "a", None], "x" * 3000,
)  # fmt: skip


def hostile_value(rng: random.Random) -> Any:
    """A value of a wrong kind, size or meaning."""
    kind = rng.random()
    if kind < 0.45:
        return copy.deepcopy(rng.choice(_STRANGE))
    if kind < 0.75:
        return rng.choice(WORDS)
    if kind < 0.97:
        return rng.choice((*NUMBERS, *UNITS))
    return nested(rng.choice((5, 39, 40, 41, 90)), rng.random() < 0.5)


def nested(depth: int, is_list: bool) -> Any:
    """Lists in lists, or mappings in mappings."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if is_list else {"a": value}
    return value


def change_bytes(content: bytes, rng: random.Random, other: bytes) -> bytes:
    """One change that knows nothing of the content."""
    if not content:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 40)))
    a = rng.randrange(len(content))
    b = min(len(content), a + rng.choice((1, 2, 4, 16, 64, 400)))
    drawn = bytes(rng.randrange(256) for _ in range(b - a))
    changes: Sequence[Callable[[], bytes]] = (
        lambda: content[:a] + bytes([content[a] ^ (1 << rng.randrange(8))]) + content[a + 1 :],
        lambda: content[:a],
        lambda: content[a:],
        lambda: content[:a] + content[b:],
        lambda: content[:b] + content[a:],
        lambda: content[:a] + drawn + content[a:],
        lambda: content[:a] + drawn + content[b:],
        lambda: content[:a] + b"\x00" * (b - a) + content[b:],
        lambda: content[:a] + other[rng.randrange(len(other) + 1) :],
        lambda: content[:a] + b"\xff\xfe" + content[a:],
        lambda: content * 2,
        lambda: b"",
    )
    return rng.choice(changes)()


def change_text(text: str, rng: random.Random) -> bytes:
    """One change of lines, words, numbers, letters or the way they are written down."""
    lines = text.split("\n")
    k = rng.randrange(len(lines))
    j = rng.randrange(len(lines))
    words = lines[k].split(" ")
    w = rng.randrange(len(words))

    def with_line(new: str) -> str:
        return "\n".join([*lines[:k], new, *lines[k + 1 :]])

    def with_word(new: str) -> str:
        return with_line(" ".join([*words[:w], new, *words[w + 1 :]]))

    def letters(extra: str) -> str:
        at = rng.randrange(len(lines[k]) + 1)
        return with_line(lines[k][:at] + extra + lines[k][at:])

    changes: Sequence[Callable[[], str | bytes]] = (
        lambda: with_word(rng.choice(NUMBERS)),
        lambda: with_word(rng.choice(WORDS)),
        lambda: with_word(rng.choice(UNITS)),
        lambda: with_word(words[w].translate(CONFUSABLE)),
        lambda: with_word(words[w] * rng.choice((2, 50, 3000))),
        lambda: with_line(""),
        lambda: with_line(lines[k] + "\n" + lines[k]),
        lambda: with_line(lines[j]),
        lambda: with_line(" " * rng.choice((1, 3, 200)) + lines[k]),
        lambda: with_line(lines[k].lstrip()),
        lambda: with_line("\t" + lines[k]),
        lambda: with_line(
            lines[k] + "\n" + " " * (len(lines[k]) - len(lines[k].lstrip())) + rng.choice(LINES)
        ),
        lambda: letters(
            rng.choice(("\x00", "\x1b", "\u202e", "\u200b", "\ufeff", "\x85", "\u2028", "é", "'", '"', "#"))
        ),
        lambda: "\n".join([*lines[:k], *lines[max(j, k) :]]),
        lambda: text.replace(":", rng.choice((";", "=", "::", "")), 1 + rng.randrange(3)),
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-32-le"),
        lambda: b"\xef\xbb\xbf" + text.encode(),
        lambda: text.replace("\n", rng.choice(("\r\n", "\r", "\u2028"))),
        lambda: text.encode("latin-1", "replace"),
        lambda: with_line(lines[k] + " " + "x" * rng.choice((1000, 200_000))),
    )
    changed = rng.choice(changes)()
    return changed if isinstance(changed, bytes) else changed.encode("utf-8", "surrogatepass")


def places(data: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of everything in plain data."""
    found = [here] if here else []
    for key, value in (
        data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    ):
        found += places(value, (*here, key))
    return found


def change_data(data: Any, rng: random.Random, other: Any = None) -> Any:
    """One change of plain data that keeps it plain data: keys, members, kinds, sizes."""
    data = copy.deepcopy(data)
    every = places(data)
    if not every:
        return hostile_value(rng)
    path = rng.choice(every)
    above = data
    for step in path[:-1]:
        above = above[step]
    key = path[-1]
    kind = rng.randrange(11)
    if kind == 0:
        del above[key]
    elif kind == 1 and isinstance(above, dict):
        new = rng.choice(
            (str(key) + "x", str(key).upper(), str(key).translate(CONFUSABLE), rng.choice(WORDS), "")
        )
        above[new] = above.pop(key)
    elif kind == 2 and isinstance(above, list):
        above[key:key] = [copy.deepcopy(above[key])] * rng.choice((1, 2, 40, 400))
    elif kind == 3 and isinstance(above, dict):
        above[rng.choice(WORDS)] = hostile_value(rng)
    elif kind == 4:
        end = data
        for step in rng.choice(every)[:-1]:
            end = end[step]
        above[key] = copy.deepcopy(end) if len(str(end)) < 20_000 else None
    elif kind == 5 and isinstance(above[key], (int, float)) and not isinstance(above[key], bool):
        value = above[key]
        above[key] = rng.choice(
            (-value, value * 1000, value / 7, str(value), value + 0.5, [value], 10.0**300, -0.0)
        )
    elif kind == 6 and isinstance(above[key], str):
        text = above[key]
        above[key] = rng.choice((text[:-1], text + text, text.upper(), text.translate(CONFUSABLE), text + "\u200b",
                                 [text], {"a": text}, text * 300, text.replace(" ", ""), rng.choice(UNITS)))  # fmt: skip
    elif kind == 7 and other is not None:
        above[key] = copy.deepcopy(other)
    else:
        above[key] = hostile_value(rng)
    return data


def as_yaml(data: Any) -> bytes:
    """Plain data as YAML; NUL and other characters as the writer escapes them."""
    made = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=200)
    return str(made).encode("utf-8", "surrogatepass")


class _Dumper(yaml.SafeDumper):
    """Writes no anchors: what they do is tested as text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_json(data: Any) -> bytes:
    """Plain data as JSON, with `NaN` and `Infinity` where they stand."""
    return json.dumps(data, ensure_ascii=True, default=str).encode()
