"""The dosing grammar: "8 mg/kg then 6 mg/kg q3w" to a regimen, to a table of doses, and back.

    [LOADING then] AMOUNT [qd | bid | tid] [dDAYS] [qd | qw | qNw | qNd] [xCYCLES] [iv | oral | sc] [N min]
    [for N weeks] [until progression]

with LOADING and AMOUNT such as `8 mg/kg`, DAYS such as `1,8,15` or `1-14` (days of the cycle, from 1).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from her2.errors import nearest

Array = NDArray[np.float64]
UNITS = ("mg", "mg/kg", "mg/m2")
ROUTES = ("iv", "oral", "sc")
EXAMPLE = "8 mg/kg then 6 mg/kg q3w iv 90 min"
_PER_DAY = {"qd": 1, "bid": 2, "tid": 3}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"


class RegimenError(ValueError):
    """A dose text that does not follow the grammar; names the word, what was expected and an example."""


@dataclass(frozen=True)
class DoseTable:
    """Doses of one patient, sorted by time: day given, amount in mg, duration in days (0 for a bolus)."""

    time_day: Array
    amount_mg: Array
    duration_day: Array


@dataclass(frozen=True)
class Regimen:
    """A dosing regimen.

    Attributes
    ----------
    amount, loading : per dose, in `unit`; loading replaces the very first dose
    interval_days : length of a cycle
    days_of_cycle : days on which it is given, from 1
    per_day : doses on such a day
    cycles : cycles given at most, None for no limit
    planned_cycles : planned range where the text gives one
    duration_days : given for at most this long
    """

    amount: float
    unit: str
    interval_days: float = 21.0
    loading: float | None = None
    days_of_cycle: tuple[int, ...] = (1,)
    per_day: int = 1
    cycles: int | None = None
    planned_cycles: tuple[int, int] | None = None
    route: str = "iv"
    infusion_min: float = 0.0
    duration_days: float | None = None

    def expand(
        self, weight_kg: float, bsa_m2: float, start_day: float, end_day: float, dose_factor: float = 1.0
    ) -> DoseTable:
        """Every dose from start_day up to, not including, end_day, for one body weight (kg) and surface (m2)."""
        body = {"mg": 1.0, "mg/kg": weight_kg, "mg/m2": bsa_m2}[self.unit]
        end = end_day if self.duration_days is None else min(end_day, start_day + self.duration_days)
        n = 0 if end <= start_day else math.ceil((end - start_day) / self.interval_days)
        if self.cycles is not None:
            n = min(n, self.cycles)
        times = [
            start_day + c * self.interval_days + (day - 1) + k / self.per_day
            for c in range(n)
            for day in self.days_of_cycle
            for k in range(self.per_day)
        ]
        kept = np.array(sorted(t for t in times if t < end), dtype=np.float64)
        amounts = np.full(kept.size, self.amount * body * dose_factor)
        if self.loading is not None and kept.size:
            amounts[0] = self.loading * body * dose_factor
        return DoseTable(kept, amounts, np.full(kept.size, self.infusion_min / 1440.0))

    def mean_daily_dose(self, weight_kg: float, bsa_m2: float) -> float:
        """Maintenance dose per day, mg."""
        body = {"mg": 1.0, "mg/kg": weight_kg, "mg/m2": bsa_m2}[self.unit]
        return self.amount * body * self.per_day * len(self.days_of_cycle) / self.interval_days


def parse_regimen(text: str) -> Regimen:
    """A dose text as a `Regimen`.

    Raises
    ------
    RegimenError
        Naming the word that does not fit, what was expected, and an example.
    """
    if not isinstance(text, str) or len(text) > 300:
        raise RegimenError(f"expected a dose text of up to 300 characters such as '{EXAMPLE}'")
    words = text.replace("²", "2").lower().split()
    if not words:
        raise RegimenError(f"the dose is empty; expected something like '{EXAMPLE}'")
    position = 0

    def peek(ahead: int = 0) -> str:
        return words[position + ahead] if position + ahead < len(words) else ""

    def fail(expected: str) -> RegimenError:
        came = f"'{peek()}'" if peek() else "the end"
        return RegimenError(f"'{text}': {came} where {expected} was expected; example: '{EXAMPLE}'")

    def number() -> float:
        nonlocal position
        word = peek()
        if not re.fullmatch(_NUMBER, word):
            if re.fullmatch(r"-" + _NUMBER, word):
                raise RegimenError(f"'{text}': a dose cannot be negative ({word})")
            raise fail("a number")
        value = float(word)
        if not math.isfinite(value):
            raise RegimenError(f"'{text}': {word} is not a finite number")
        position += 1
        return value

    def unit() -> str:
        nonlocal position
        word = peek()
        if word not in UNITS:
            raise RegimenError(
                f"'{text}': unknown unit '{word}'{nearest(word, UNITS)}; expected one of {', '.join(UNITS)}"
            )
        position += 1
        return word

    amount, amount_unit = number(), unit()
    regimen = Regimen(amount=amount, unit=amount_unit)
    if peek() == "then":
        position += 1
        maintenance, second = number(), unit()
        if second != amount_unit:
            raise RegimenError(f"'{text}': loading dose in {amount_unit} but maintenance in {second}; use one unit")
        regimen = replace(regimen, amount=maintenance, loading=amount)
    interval: float | None = None
    seen: set[str] = set()

    def once(kind: str) -> None:
        if kind in seen:
            raise RegimenError(f"'{text}': {kind} is given twice")
        seen.add(kind)

    while position < len(words):
        word = peek()
        if word in _PER_DAY:
            once("times per day")
            regimen = replace(regimen, per_day=_PER_DAY[word])
            position += 1
        elif re.fullmatch(r"d[0-9,-]+", word):
            once("days of the cycle")
            regimen = replace(regimen, days_of_cycle=_days(word[1:], text))
            position += 1
        elif match := re.fullmatch(r"q([0-9]{0,4})([wd])", word):
            once("interval")
            n = int(match.group(1) or 1)
            if n == 0:
                raise RegimenError(f"'{text}': an interval of zero; expected q1w or longer")
            interval = n * (7.0 if match.group(2) == "w" else 1.0)
            position += 1
        elif match := re.fullmatch(r"x([0-9]{1,4})(?:-([0-9]{1,4}))?", word):
            once("number of cycles")
            low, high = int(match.group(1)), int(match.group(2) or match.group(1))
            if low < 1 or high < low:
                raise RegimenError(f"'{text}': '{word}' is no number of cycles; expected x6 or x6-8")
            planned = (low, high) if match.group(2) else None
            regimen = replace(regimen, cycles=high, planned_cycles=planned)
            position += 1
        elif word in ROUTES:
            once("route")
            regimen = replace(regimen, route=word)
            position += 1
        elif re.fullmatch(_NUMBER, word) and peek(1) == "min":
            once("infusion time")
            regimen = replace(regimen, infusion_min=number())
            position += 1
        elif word == "for":
            once("duration")
            position += 1
            length = number()
            scale = {"day": 1.0, "days": 1.0, "week": 7.0, "weeks": 7.0}.get(peek())
            if scale is None or length <= 0:
                raise fail("a duration such as '52 weeks'")
            regimen = replace(regimen, duration_days=length * scale)
            position += 1
        elif word == "until" and peek(1) == "progression":
            position += 2
        else:
            options = ["qd", "qw", "q3w", "bid", "tid", "d1-14", "x6", "iv", "oral", "sc", "for", "until", "then"]
            raise RegimenError(f"'{text}': unknown word '{word}'{nearest(word, options)}; example: '{EXAMPLE}'")
    if interval is None:
        if "times per day" not in seen or "days of the cycle" in seen:
            raise RegimenError(f"'{text}': how often? Expected an interval such as q3w, qw or qd")
        interval = 1.0
    if max(regimen.days_of_cycle) > interval:
        raise RegimenError(
            f"'{text}': day {max(regimen.days_of_cycle)} lies outside the cycle of {interval:g} days"
        )
    return replace(regimen, interval_days=interval)


def _days(text: str, whole: str) -> tuple[int, ...]:
    """Days such as '1,8,15' or '1-14'."""
    days: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", part)
        if match is None:
            raise RegimenError(f"'{whole}': 'd{text}' is no list of days; expected d1,8,15 or d1-14")
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        if first < 1 or last < first:
            raise RegimenError(f"'{whole}': 'd{text}' is no list of days; days count from 1 upwards")
        days += range(first, last + 1)
    if len(set(days)) != len(days):
        raise RegimenError(f"'{whole}': 'd{text}' names a day twice")
    return tuple(sorted(days))


def format_regimen(regimen: Regimen) -> str:
    """The text of a regimen; `parse_regimen` of it gives the same regimen."""
    parts = []
    if regimen.loading is not None:
        parts.append(f"{regimen.loading!r} {regimen.unit} then")
    parts.append(f"{regimen.amount!r} {regimen.unit}")
    if regimen.per_day != 1:
        parts.append({2: "bid", 3: "tid"}[regimen.per_day])
    if regimen.days_of_cycle != (1,):
        parts.append("d" + ",".join(map(str, regimen.days_of_cycle)))
    weeks = regimen.interval_days / 7.0
    parts.append(f"q{int(weeks)}w" if weeks == int(weeks) else f"q{int(regimen.interval_days)}d")
    if regimen.planned_cycles is not None:
        parts.append(f"x{regimen.planned_cycles[0]}-{regimen.planned_cycles[1]}")
    elif regimen.cycles is not None:
        parts.append(f"x{regimen.cycles}")
    if regimen.route != "iv":
        parts.append(regimen.route)
    if regimen.infusion_min:
        parts.append(f"{regimen.infusion_min!r} min")
    if regimen.duration_days is not None:
        parts.append(f"for {regimen.duration_days!r} days")
    return " ".join(parts)
