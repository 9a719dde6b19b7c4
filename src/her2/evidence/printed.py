"""Numbers as they are printed: read a token of the source, and bring it to the canonical unit.

`12.4`, `12·4`, `1,250`, `p < 0.001`, `48.1%`, `0.51–0.75` (the first number), `four`. Nothing is guessed: a
print without a number has no value.
"""

from __future__ import annotations

import re

from her2.units import DAYS_PER_MONTH, DAYS_PER_WEEK, DAYS_PER_YEAR

_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:[.·]\d+|,\d{1,2}(?!\d))?|\.\d+")
_SPACED = re.compile(r"\s*(\d+), (\d)\s*%?\s*")
_WORDS = {
    "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0,
    "nine": 9.0, "ten": 10.0, "eleven": 11.0, "twelve": 12.0, "twice": 2.0, "thirteen": 13.0,
    "fourteen": 14.0,
    "fifteen": 15.0, "sixteen": 16.0, "seventeen": 17.0, "eighteen": 18.0, "nineteen": 19.0, "twenty": 20.0,
}  # fmt: skip
TO_MONTHS = {
    "day": 1 / DAYS_PER_MONTH, "week": DAYS_PER_WEEK / DAYS_PER_MONTH, "month": 1.0,
    "year": DAYS_PER_YEAR / DAYS_PER_MONTH,
}  # fmt: skip
"""Length of a printed unit of time in months."""


def numbers_in(printed: str) -> list[str]:
    """Numeric tokens of a print: no thousands separators, a decimal comma or raised point as a point."""
    spaced = _SPACED.fullmatch(printed)  # `29, 8%`
    if spaced:
        return [f"{spaced[1]}.{spaced[2]}"]
    return [_plain(token) for token in _NUMBER.findall(printed)]


def _plain(token: str) -> str:
    whole, comma, rest = token.rpartition(",")
    if comma and len(rest.partition(".")[0]) < 3:
        return f"{whole}.{rest}"
    return token.replace(",", "").replace("·", ".")


def printed_number(printed: str) -> float | None:
    """First number of a print; a number word counts; nothing if there is none."""
    found = numbers_in(printed)
    if found:
        return float(found[0])
    words = re.findall(r"[a-z]+", printed.lower())
    if "half" in words:
        return 0.5
    return next((_WORDS[w] for w in words if w in _WORDS), None)


def half_step(printed: str) -> float:
    """Half of the last printed digit: what rounding can hide."""
    found = numbers_in(printed)
    decimals = len(found[0].partition(".")[2]) if found else 0
    return 0.5 * 10.0**-decimals


def time_unit(printed_unit: str) -> str | None:
    """`day`, `week`, `month` or `year` of a printed unit of time, else nothing."""
    word = printed_unit.strip().lower().rstrip(".").rstrip("s")
    word = {"wk": "week", "mo": "month", "yr": "year", "d": "day"}.get(word, word)
    return word if word in TO_MONTHS else None


def to_canonical(value: float, printed_unit: str, unit: str) -> float | None:
    """A printed number in the canonical unit, or nothing where the two are not of one kind.

    Parameters
    ----------
    value
        The number as printed.
    printed_unit
        `months`, `weeks`, `days`, `years`, `%`, or anything else, which is taken as it is.
    unit
        The canonical unit: `month`, `day`, `year`, `fraction`, or anything else.
    """
    printed_time, wanted_time = time_unit(printed_unit), time_unit(unit)
    if printed_time and wanted_time:
        return value * TO_MONTHS[printed_time] / TO_MONTHS[wanted_time]
    if bool(printed_time) != bool(wanted_time):
        return None if printed_unit and printed_time is None else value
    percent = "%" in printed_unit or "percent" in printed_unit.lower()
    if percent:
        return value / 100.0 if unit == "fraction" else (value if unit in ("%", "") else None)
    return value
