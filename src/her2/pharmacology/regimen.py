"""A dosing schedule as a sentence: '8 mg/kg then 6 mg/kg q3w', read, written, and laid out as doses in time.

The grammar, one phrase; after the dose the parts come in any order, each at most once:

    [loading dose then] dose  [qd | bid | tid]  [days]  [interval]  [cycles]  [route]  [infusion]  [until]

    dose       75 mg/m2, 8 mg/kg, 840 mg        interval   qw, q3w, q28d
    days       d1,8,15 or d1-14                 cycles     x6, or x6-8 for a planned range
    route      iv, oral (po), sc                infusion   60 min, 24 h
    until      for 52 weeks, until progression (the default, so it is never written out)

Without a route, drugs with a daily word (qd, bid, tid) are oral and all others intravenous; an intravenous
dose without a length of infusion is a bolus. Cycles count from the first dose; days of a cycle start at 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NoReturn, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from her2.errors import Her2Error, nearest

Floats = NDArray[np.float64]
DoseUnit = Literal["mg", "mg/kg", "mg/m2"]
Route = Literal["iv", "oral", "sc"]

MINUTES_PER_DAY = 1440.0
LONGEST_INTERVAL_DAYS = 3653
MOST_CYCLES = 10_000

_UNITS: tuple[str, ...] = get_args(DoseUnit)
_ROUTES: tuple[str, ...] = get_args(Route)
_ROUTE_WORDS: dict[str, Route] = {"iv": "iv", "oral": "oral", "po": "oral", "sc": "sc"}
_PER_DAY = {"qd": 1, "daily": 1, "bid": 2, "tid": 3}
_DAILY_WORD = {1: "qd", 2: "bid", 3: "tid"}
_MINUTES = {"min": 1.0, "h": 60.0}
_DAYS = {"day": 1.0, "week": 7.0, "month": 30.4375, "year": 365.25}
_INTERVAL_DAYS = {"w": 7, "d": 1}
_EXAMPLE = "8 mg/kg then 6 mg/kg q3w"
_PARTS = ("then", *_PER_DAY, "weekly", "qw", "q3w", "d1-14", "x6", *_ROUTE_WORDS, "min", "for", "until")

# a word keeps what follows a comma, so that 'd1, 8' is one word
_WORD = re.compile(r"[^\s,]+(?:\s*,\s*[^\s,]+)*|,")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?|[-+]?(?:nan|inf|infinity)\Z")
_INTERVAL = re.compile(r"q(-?[0-9]{0,6})([wd])\Z")
_DAY_LIST = re.compile(r"d-?[0-9][-0-9,d]*\Z")
_DAY_SPAN = re.compile(r"d?(-?[0-9]{1,6})(?:-d?([0-9]{1,6}))?\Z")
_CYCLES = re.compile(r"x(-?[0-9]{1,6})(?:-([0-9]{1,6}))?\Z")
# how these are printed or pasted; one character for one, so that positions stay true
_SPELLING = str.maketrans({"×": "x", "²": "2", "–": "-", "−": "-", "‑": "-"})


SHORTEST_DAY = 1e-12
"""Infusions shorter than this are boluses: a rate would overflow."""


class RegimenError(Her2Error, ValueError):
    """A dosing text or a regimen that makes no sense, with the word that fails and what would do instead.

    Attributes
    ----------
    problem, expected, example : what is wrong, what would be right, and a text that parses
    text, word, position : the text, its failing word and that word's place (characters before it); empty and
        None for a regimen that was not read from text
    field : the field of the regimen that breaks a rule; empty if it is the grammar that is broken
    """

    def __init__(
        self,
        problem: str,
        expected: str,
        example: str = _EXAMPLE,
        text: str = "",
        word: str = "",
        position: int | None = None,
        field: str = "",
    ) -> None:
        super().__init__(problem, expected, example, text, word, position, field)
        self.problem, self.expected, self.example = problem, expected, example
        self.text, self.word, self.position, self.field = text, word, position, field

    def __str__(self) -> str:
        """One line: place, problem, expectation, example."""
        place = f"{self.field}: " if self.field else ""
        if self.position is not None:
            at = f"'{_shorten(self.word)}'" if self.word else "the end"
            place = f"dose '{_shorten(self.text)}', at {at} (column {self.position + 1}): "
        return f"{place}{self.problem}; expected {self.expected}, as in '{self.example}'"


@dataclass(frozen=True, eq=False)
class DoseTable:
    """Doses in order of time: an event table without its other columns.

    Raises
    ------
    ValueError
        If shapes differ, times descend, or a value is not finite or negative (times may be negative).
    """

    time_day: Floats
    """(doses,), day: start of each dose, ascending; several doses may share a time."""
    amount_mg: Floats
    """(doses,) or (patients, doses), mg: zero for a dose that a patient misses."""
    duration_day: Floats
    """(doses,), day: length of the infusion; 0 for a bolus or an absorbed dose."""
    route: Route | None = None
    """Way of giving; None leaves it to the model (absorption where it has one, otherwise intravenous)."""

    def __post_init__(self) -> None:
        for name in ("time_day", "amount_mg", "duration_day"):
            array = np.array(getattr(self, name), dtype=np.float64)
            if not np.isfinite(array).all():
                raise ValueError(f"{name}: expected finite numbers.")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        n = self.time_day.shape
        amounts = self.amount_mg.shape
        if len(n) != 1 or self.duration_day.shape != n or amounts[-1:] != n or len(amounts) > 2:
            raise ValueError(
                "time_day, amount_mg, duration_day: expected (doses,), amounts also (patients, doses), "
                f"got shapes {n}, {amounts}, {self.duration_day.shape}."
            )
        if (np.diff(self.time_day) < 0).any():
            raise ValueError("time_day: expected ascending times; sort the doses first.")
        if (self.amount_mg < 0).any() or (self.duration_day < 0).any():
            raise ValueError("amount_mg, duration_day: expected values of zero or more.")
        if self.route is not None and self.route not in _ROUTES:
            raise ValueError(f"route: expected one of {', '.join(_ROUTES)} or None, got {self.route!r}.")

    @property
    def n_doses(self) -> int:
        """Number of doses."""
        return int(self.time_day.size)


def merge_doses(first: DoseTable, second: DoseTable) -> DoseTable:
    """All doses of two tables in order of time; at the same time those of `first` come first.

    Raises
    ------
    ValueError
        If the routes differ: compartment models take one route at a time, add their concentrations instead.
    """
    if first.route != second.route:
        raise ValueError(
            f"route: expected the same in both tables, got {first.route!r} and {second.route!r}."
        )
    time = np.concatenate([first.time_day, second.time_day])
    order = np.argsort(time, kind="stable")
    amounts = [first.amount_mg, second.amount_mg]
    if max(a.ndim for a in amounts) == 2:
        n = max(a.shape[0] for a in amounts if a.ndim == 2)
        amounts = [np.broadcast_to(a, (n, a.shape[-1])) for a in amounts]
    duration = np.concatenate([first.duration_day, second.duration_day])
    return DoseTable(time[order], np.concatenate(amounts, axis=-1)[..., order], duration[order], first.route)


@dataclass(frozen=True)
class Regimen:
    """How one drug is given: what `parse_regimen` makes of a text.

    Raises
    ------
    RegimenError
        If a field makes no sense alone or beside the others, such as a day outside the cycle.
    """

    amount: float
    """Each dose, or each maintenance dose, in `unit`."""
    unit: DoseUnit
    """mg, mg/kg of body weight, or mg/m2 of body surface area; of the loading dose too."""
    interval_days: int
    """Length of a cycle; 1 for drugs taken every day."""
    loading: float | None = None
    """The very first dose, in `unit`; None if it is like the others."""
    route: Route = "iv"
    """iv, oral or sc."""
    infusion_min: float = 0.0
    """Length of an intravenous infusion in minutes; 0 for a bolus."""
    days_of_cycle: tuple[int, ...] = (1,)
    """Days on which the drug is given, ascending; the first day of a cycle is 1."""
    per_day: int = 1
    """Doses on such a day, evenly spaced: 1 (qd), 2 (bid) or 3 (tid)."""
    cycles: int | None = None
    """Largest number of cycles; None for no limit."""
    cycles_min: int | None = None
    """Smallest number of cycles planned, for a range such as x6-8; it does not limit anything."""
    duration_days: float | None = None
    """No dose is given this long after the first day or later; None for no limit: until progression."""

    def __post_init__(self) -> None:
        _check_fields(self)

    def __str__(self) -> str:
        """The text of `format_regimen`."""
        return format_regimen(self)

    def expand(
        self,
        weight_kg: ArrayLike,
        bsa_m2: ArrayLike,
        start_day: float,
        end_day: float,
        dose_factor: ArrayLike = 1.0,
    ) -> DoseTable:
        """Every dose from `start_day`, the first day of treatment, up to but not including `end_day`.

        Parameters
        ----------
        weight_kg, bsa_m2, dose_factor : scalars, or (patients,); kg, m2, dimensionless
            Body size, and a factor on every dose such as 0.75 after a reduction. With an array for any of
            them the amounts are (patients, doses).
        start_day, end_day : day

        Raises
        ------
        ValueError
            If a size is not positive, the factor is negative, or anything is not finite.
        """
        if not (math.isfinite(start_day) and math.isfinite(end_day)):
            raise ValueError(f"start_day, end_day: expected finite days, got {start_day} and {end_day}.")
        factor = np.asarray(dose_factor, dtype=np.float64)
        if not (np.isfinite(factor) & (factor >= 0.0)).all():
            raise ValueError(f"dose_factor: expected finite values of zero or more, got {factor}.")
        scale = _amount_scale(self.unit, weight_kg, bsa_m2)
        length = max(end_day - start_day, 0.0)
        if self.duration_days is not None:
            length = min(length, self.duration_days)
        n_cycles = math.ceil(length / self.interval_days)
        if self.cycles is not None:
            n_cycles = min(n_cycles, self.cycles)
        within_day = np.arange(self.per_day) / self.per_day
        within_cycle = np.add.outer(np.array(self.days_of_cycle, dtype=np.float64) - 1.0, within_day).ravel()
        offset = np.add.outer(np.arange(n_cycles) * float(self.interval_days), within_cycle).ravel()
        offset = offset[(offset < length) & (start_day + offset < end_day)]
        amount = np.full(offset.shape, float(self.amount))
        if self.loading is not None:
            amount[:1] = self.loading
        duration = np.full(offset.shape, self.infusion_min / MINUTES_PER_DAY)
        return DoseTable(start_day + offset, np.multiply.outer(factor * scale, amount), duration, self.route)

    def doses_per_week(self) -> float:
        """Mean number of doses a week over a whole cycle, while treatment lasts."""
        return len(self.days_of_cycle) * self.per_day * 7.0 / self.interval_days

    def mean_daily_dose(self, weight_kg: float, bsa_m2: float) -> float:
        """Mean maintenance dose in mg/day over a whole cycle, without the loading dose."""
        scale = float(_amount_scale(self.unit, weight_kg, bsa_m2))
        return self.amount * scale * len(self.days_of_cycle) * self.per_day / self.interval_days


def parse_regimen(text: str) -> Regimen:
    """The regimen that a dosing text describes; the grammar is in the module's docstring.

    Parameters
    ----------
    text : such as '8 mg/kg then 6 mg/kg q3w' or '1000 mg/m2 bid d1-14 q3w'; case does not matter

    Raises
    ------
    RegimenError
        With the first word that cannot be read, or the one whose value makes no sense.
    """
    if not isinstance(text, str):
        raise RegimenError(f"cannot read {type(text).__name__}", "a text")
    return _Reader(text).read()


def format_regimen(regimen: Regimen) -> str:
    """The text that `parse_regimen` reads back to an equal regimen."""
    words = []
    if regimen.loading is not None:
        words += [_number(regimen.loading), regimen.unit, "then"]
    words += [_number(regimen.amount), regimen.unit]
    is_daily = regimen.interval_days == 1
    if is_daily or regimen.per_day > 1:
        words.append(_DAILY_WORD[regimen.per_day])
    if not is_daily:
        if regimen.days_of_cycle != (1,) or regimen.per_day > 1:
            words.append("d" + _spans(regimen.days_of_cycle))
        weeks, rest = divmod(regimen.interval_days, 7)
        words.append(f"q{regimen.interval_days}d" if rest else "qw" if weeks == 1 else f"q{weeks}w")
    if regimen.cycles is not None:
        low = "" if regimen.cycles_min is None else f"{regimen.cycles_min}-"
        words.append(f"x{low}{regimen.cycles}")
    if regimen.route != ("oral" if is_daily or regimen.per_day > 1 else "iv") or regimen.infusion_min:
        words.append(regimen.route)
    if regimen.infusion_min:
        words += [_number(regimen.infusion_min), "min"]
    if regimen.duration_days is not None:
        in_weeks = regimen.duration_days % 7.0 == 0.0 and regimen.duration_days < 1e15
        value = regimen.duration_days / 7.0 if in_weeks else regimen.duration_days
        words += ["for", _number(value), "weeks" if in_weeks else "days"]
    return " ".join(words)


class NonmemRow(NamedTuple):
    """One dosing record in NONMEM's columns, with days as the unit of time."""

    ID: int
    TIME: float
    AMT: float
    RATE: float
    II: float
    ADDL: int
    CMT: int
    EVID: int


# times a third of a day apart are not exact in binary; a millisecond is 1e-8 day
_SAME_TIME_DAY = 1e-9


def to_nonmem(doses: DoseTable, patient_id: int = 1, cmt: int = 1) -> list[NonmemRow]:
    """The doses of one patient as NONMEM records, evenly spaced equal doses folded into II and ADDL.

    Parameters
    ----------
    doses : amounts of shape (doses,); one patient at a time
    patient_id : goes to ID
    cmt : compartment that receives the doses; NONMEM counts the depot as 1 where there is one

    Returns
    -------
    Records with EVID 1; RATE in mg/day, 0 for a bolus. `from_nonmem` gives the doses back to 1e-9 day.

    Raises
    ------
    ValueError
        If the table holds the amounts of several patients.
    """
    if doses.amount_mg.ndim != 1:
        raise ValueError(f"amount_mg: expected one patient, (doses,), got shape {doses.amount_mg.shape}.")
    time, amount = doses.time_day, doses.amount_mg
    rate = np.divide(
        amount, doses.duration_day, out=np.zeros_like(amount), where=doses.duration_day > SHORTEST_DAY
    )
    rows, first = [], 0
    while first < time.size:
        last, gap = first, 0.0
        while last + 1 < time.size and amount[last + 1] == amount[first] and rate[last + 1] == rate[first]:
            spacing = time[first + 1] - time[first]
            expected = time[first] + (last + 1 - first) * spacing
            if spacing <= 0.0 or abs(time[last + 1] - expected) > _SAME_TIME_DAY:
                break
            last, gap = last + 1, float(spacing)
        rows.append(
            NonmemRow(
                patient_id,
                float(time[first]),
                float(amount[first]),
                float(rate[first]),
                gap,
                last - first,
                cmt,
                1,
            )
        )
        first = last + 1
    return rows


def from_nonmem(rows: Iterable[Sequence[float]], route: Route | None = None) -> dict[int, DoseTable]:
    """Doses of each patient from NONMEM dosing records as `to_nonmem` writes them.

    Parameters
    ----------
    rows : ID TIME AMT RATE II ADDL CMT EVID, time in days; observations (EVID 0) are passed over
    route : of all doses; CMT does not say it

    Raises
    ------
    RegimenError
        For resets (EVID 3, 4), modelled rates (RATE below 0), repeats without an interval, what is no number.
    """
    example = "1 0 480 0 21 5 1 1"
    collected: dict[int, list[tuple[float, float, float]]] = {}
    for number, row in enumerate(rows):
        place = f"record {number + 1}"
        values = [_as_float(v) for v in row]
        if len(values) != len(NonmemRow._fields) or not all(map(math.isfinite, values)):
            raise RegimenError(f"{place}: cannot read {list(row)}", "eight finite numbers", example)
        patient, time, amount, rate, interval, repeats, _, event = values
        if event == 0.0:
            continue
        if event != 1.0:
            raise RegimenError(f"{place}: EVID {event:g} is not supported", "EVID 1 (dose) or 0", example)
        if amount < 0.0 or rate < 0.0:
            raise RegimenError(
                f"{place}: AMT {amount:g} and RATE {rate:g}",
                "zero or more; RATE -1 and -2 are not supported",
                example,
            )
        if repeats < 0.0 or repeats != int(repeats) or interval < 0.0 or (repeats > 0.0 and interval == 0.0):
            raise RegimenError(
                f"{place}: II {interval:g} with ADDL {repeats:g}",
                "a positive II where ADDL is 1 or more",
                example,
            )
        doses = collected.setdefault(int(patient), [])
        duration = amount / rate if rate > 0.0 else 0.0
        doses += [(time + k * interval, amount, duration) for k in range(int(repeats) + 1)]
    tables = {}
    for patient_id, doses in collected.items():
        table = np.array(sorted(doses, key=lambda dose: dose[0]))
        tables[patient_id] = DoseTable(table[:, 0], table[:, 1], table[:, 2], route)
    return tables


class _Word(NamedTuple):
    """A word of the text without its inner spaces, in lower case, and where it stands."""

    text: str
    position: int
    raw: str


class _Reader:
    """Reads one text from left to right, remembering which word set which field."""

    def __init__(self, text: str) -> None:
        self.text = text
        spelled = text.translate(_SPELLING)
        self.words: list[_Word] = []
        for match in _WORD.finditer(spelled):
            raw = text[match.start() : match.end()]
            self.words += _split_number("".join(match.group().split()).lower(), match.start(), raw)
        self.next = 0
        self.fields: dict[str, Any] = {}
        self.source: dict[str, _Word] = {}

    def read(self) -> Regimen:
        """The whole text, then the rules that join its parts."""
        self._read_doses()
        while self.next < len(self.words):
            self._read_part()
        per_day, interval = self.fields.get("per_day"), self.fields.get("interval_days")
        if interval is None:
            if "days_of_cycle" in self.fields:
                self._fail(
                    self.source["days_of_cycle"],
                    "days of a cycle whose length is not given",
                    "an interval",
                    "80 mg/m2 d1,8,15 q4w",
                )
            if per_day is None:
                self._fail(None, "how often is missing", "qd, bid, tid, qw or q3w", _EXAMPLE)
            self.fields["interval_days"] = 1
        elif per_day is not None and "days_of_cycle" not in self.fields and interval > 1:
            word = self.source["per_day"]
            self._fail(
                word,
                f"'{word.text}' in a cycle of {interval} days without its days",
                "the days of the cycle",
                "1000 mg/m2 bid d1-14 q3w",
            )
        self.fields.setdefault("route", "iv" if per_day is None else "oral")
        try:
            return Regimen(**self.fields)
        except RegimenError as error:
            at = self.source.get(error.field)
            place = (len(self.text), "") if at is None else (at.position, at.raw)
            raise RegimenError(
                error.problem, error.expected, error.example, self.text, place[1], place[0], error.field
            ) from None

    def _fail(self, word: _Word | None, problem: str, expected: str, example: str = _EXAMPLE) -> NoReturn:
        if word is None:
            raise RegimenError(problem, expected, example, self.text, "", len(self.text))
        raise RegimenError(problem, expected, example, self.text, word.raw, word.position)

    def _peek(self) -> _Word | None:
        return self.words[self.next] if self.next < len(self.words) else None

    def _take(self) -> _Word | None:
        word = self._peek()
        self.next += 1
        return word

    def _set(self, field: str, value: Any, word: _Word) -> None:
        if field in self.fields:
            self._fail(word, f"{field.replace('_', ' ')} given twice", "each part once")
        self.fields[field], self.source[field] = value, word

    def _read_number(self, what: str, example: str) -> tuple[float, _Word]:
        word = self._take()
        if word is None or not _NUMBER.fullmatch(word.text):
            self._fail(word, f"no number for {what}", f"a number for {what}", example)
        return float(word.text), word

    def _read_unit(self) -> tuple[str, _Word]:
        word = self._take()
        if word is None:
            self._fail(word, "a dose without a unit", ", ".join(_UNITS), "75 mg/m2 q3w")
        if word.text not in _UNITS:
            self._fail(
                word,
                f"unknown unit '{_shorten(word.text)}'{_nearest_unit(word.text)}",
                f"one of {', '.join(_UNITS)}",
                "75 mg/m2 q3w",
            )
        return word.text, word

    def _read_doses(self) -> None:
        """'8 mg/kg then 6 mg/kg', or the second alone; '8 then 6 mg/kg' means the same unit."""
        amount, word = self._read_number("the dose", _EXAMPLE)
        following = self._peek()
        unit: str | None = None
        unit_word: _Word | None = None
        if following is None or following.text != "then":
            unit, unit_word = self._read_unit()
            following = self._peek()
        if following is not None and following.text == "then":
            self.next += 1
            self._set("loading", amount, word)
            amount, word = self._read_number("the dose after 'then'", _EXAMPLE)
            loading_unit, loading_word = unit, unit_word
            unit, unit_word = self._read_unit()
            if loading_unit not in (None, unit):
                self._fail(
                    loading_word,
                    f"the loading dose is in {loading_unit}, the next in {unit}",
                    "the same unit for both",
                    _EXAMPLE,
                )
        assert unit_word is not None
        self._set("amount", amount, word)
        self._set("unit", unit, unit_word)

    def _read_part(self) -> None:
        word = self.words[self.next]
        self.next += 1
        if word.text in _PER_DAY:
            self._set("per_day", _PER_DAY[word.text], word)
        elif word.text in ("qw", "weekly"):
            self._set("interval_days", 7, word)
        elif match := _INTERVAL.match(word.text):
            self._set("interval_days", int(match[1] or "1") * _INTERVAL_DAYS[match[2]], word)
        elif _DAY_LIST.match(word.text):
            self._set("days_of_cycle", self._read_days(word), word)
        elif match := _CYCLES.match(word.text):
            self._set("cycles", int(match[2] or match[1]), word)
            if match[2]:
                self._set("cycles_min", int(match[1]), word)
        elif word.text in _ROUTE_WORDS:
            self._set("route", _ROUTE_WORDS[word.text], word)
        elif word.text == "over" or _NUMBER.fullmatch(word.text):
            self._read_infusion(word)
        elif word.text == "for":
            self._read_duration()
        elif word.text == "until":
            end = self._take()
            if end is None or end.text != "progression":
                self._fail(
                    end,
                    "treatment until what is not known",
                    "'until progression'",
                    "1250 mg qd until progression",
                )
        else:
            near = nearest(word.text, _PARTS)
            self._fail(
                word,
                f"cannot read '{_shorten(word.text)}'{near}",
                "qd, bid, tid, days (d1,8), an interval (q3w), cycles (x6), a route (iv, oral, sc), "
                "minutes of infusion, 'for 52 weeks' or 'until progression'",
                "80 mg/m2 d1,8,15 q4w x6 iv 60 min",
            )

    def _read_days(self, word: _Word) -> tuple[int, ...]:
        """Days of 'd1-5,8', sorted; the numbers themselves are checked by the rules of the regimen."""
        example = "80 mg/m2 d1,8,15 q4w"
        days: list[int] = []
        for part in word.text.split(","):
            match = _DAY_SPAN.match(part)
            if match is None:
                self._fail(
                    word, f"cannot read the day '{_shorten(part)}'", "days such as d1,8,15 or d1-14", example
                )
            low, high = int(match[1]), int(match[2] or match[1])
            if high < low or max(abs(low), high) > LONGEST_INTERVAL_DAYS:
                self._fail(
                    word,
                    f"the days '{part}' do not ascend or lie outside any cycle",
                    f"days up to {LONGEST_INTERVAL_DAYS}, the smaller first",
                    example,
                )
            days += range(low, high + 1)
        if len(set(days)) < len(days):
            self._fail(word, "a day is named twice", "each day once", example)
        return tuple(sorted(days))

    def _read_infusion(self, word: _Word) -> None:
        example = "840 mg then 420 mg q3w iv 60 min"
        if word.text != "over":
            self.next -= 1
        value, number_word = self._read_number("the infusion", example)
        unit = self._take()
        if unit is None or unit.text not in _MINUTES:
            self._fail(unit, "the length of an infusion without its unit", "min or h", example)
        self._set("infusion_min", value * _MINUTES[unit.text], number_word)

    def _read_duration(self) -> None:
        example = "6 mg/kg q3w for 52 weeks"
        value, number_word = self._read_number("the duration", example)
        unit = self._take()
        if unit is None or unit.text.removesuffix("s") not in _DAYS:
            near = "" if unit is None else nearest(unit.text, _DAYS)
            self._fail(unit, f"a duration without its unit{near}", "days, weeks, months or years", example)
        self._set("duration_days", value * _DAYS[unit.text.removesuffix("s")], number_word)


def _broken(field: str, problem: str, expected: str, example: str = _EXAMPLE) -> RegimenError:
    """The error for a rule that one field breaks; the reader adds the place in the text."""
    return RegimenError(problem, expected, example, field=field)


def _check_fields(regimen: Regimen) -> None:
    """Every rule a regimen obeys, in one place for text and constructor."""
    _check_positive("amount", regimen.amount, "a finite dose above zero")
    if regimen.loading is not None:
        _check_positive("loading", regimen.loading, "a finite loading dose above zero")
    if regimen.unit not in _UNITS:
        raise _broken(
            "unit", f"unknown unit '{regimen.unit}'{_nearest_unit(regimen.unit)}", ", ".join(_UNITS)
        )
    if regimen.route not in _ROUTES:
        raise _broken("route", f"unknown route '{regimen.route}'", ", ".join(_ROUTES))
    if not _is_count(regimen.interval_days) or not 1 <= regimen.interval_days <= LONGEST_INTERVAL_DAYS:
        raise _broken(
            "interval_days",
            f"an interval of {regimen.interval_days} days",
            f"1 to {LONGEST_INTERVAL_DAYS} whole days",
        )
    if regimen.per_day not in _DAILY_WORD:
        raise _broken("per_day", f"{regimen.per_day} doses a day", "1, 2 or 3 (qd, bid, tid)", "300 mg bid")
    days = regimen.days_of_cycle
    if not isinstance(days, tuple) or not days or not all(_is_count(d) for d in days):
        raise _broken("days_of_cycle", f"days {days!r}", "a tuple of at least one whole day")
    outside = [d for d in days if not 1 <= d <= regimen.interval_days]
    if outside:
        raise _broken(
            "days_of_cycle",
            f"day {outside[0]} is outside a cycle of {regimen.interval_days} days",
            f"days from 1 to {regimen.interval_days}",
            "80 mg/m2 d1,8,15 q4w",
        )
    if list(days) != sorted(set(days)):
        raise _broken("days_of_cycle", f"days {days} do not ascend", "each day once, in order")
    if regimen.cycles is not None and (
        not _is_count(regimen.cycles) or not 1 <= regimen.cycles <= MOST_CYCLES
    ):
        raise _broken("cycles", f"{regimen.cycles} cycles", f"1 to {MOST_CYCLES} cycles", "75 mg/m2 q3w x6")
    low = regimen.cycles_min
    if low is not None and (regimen.cycles is None or not _is_count(low) or not 1 <= low <= regimen.cycles):
        raise _broken(
            "cycles_min",
            f"a range of {low} to {regimen.cycles} cycles",
            "the smaller number first",
            "75 mg/m2 q3w x6-8",
        )
    if regimen.duration_days is not None:
        _check_positive("duration_days", regimen.duration_days, "a finite duration above zero")
    _check_infusion(regimen)


def _check_infusion(regimen: Regimen) -> None:
    """An infusion is intravenous and ends before the next dose starts."""
    minutes = regimen.infusion_min
    if not _is_number(minutes) or not math.isfinite(minutes) or minutes < 0.0:
        raise _broken("infusion_min", f"an infusion of {minutes} minutes", "a finite length of zero or more")
    if minutes and regimen.route != "iv":
        raise _broken(
            "infusion_min",
            f"an infusion by the route '{regimen.route}'",
            "the route iv",
            "840 mg then 420 mg q3w iv 60 min",
        )
    cycle_after = [*regimen.days_of_cycle[1:], regimen.days_of_cycle[0] + regimen.interval_days]
    gap = min(b - a for a, b in zip(regimen.days_of_cycle, cycle_after, strict=True))
    # on days with several doses the next is nearer than the next day
    shortest = (1.0 / regimen.per_day if regimen.per_day > 1 else float(gap)) * MINUTES_PER_DAY
    if minutes > shortest:
        raise _broken(
            "infusion_min",
            f"an infusion of {minutes:g} min runs into the next dose",
            f"at most {shortest:g} min",
        )


def _check_positive(field: str, value: float, expected: str) -> None:
    if not _is_number(value) or not math.isfinite(value) or value <= 0.0:
        raise _broken(field, f"{field.removesuffix('_days')} of {value!r}", expected)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _amount_scale(unit: DoseUnit, weight_kg: ArrayLike, bsa_m2: ArrayLike) -> Floats:
    """mg per unit of dose; both sizes are checked, whichever is used, so that a swap is found."""
    weight, area = np.asarray(weight_kg, dtype=np.float64), np.asarray(bsa_m2, dtype=np.float64)
    for name, value in (("weight_kg", weight), ("bsa_m2", area)):
        if value.ndim > 1 or not (np.isfinite(value) & (value > 0.0)).all():
            raise ValueError(
                f"{name}: expected finite positive values, a scalar or (patients,), got {value}."
            )
    return {"mg": np.ones(()), "mg/kg": weight, "mg/m2": area}[unit]


def _nearest_unit(name: str) -> str:
    """The hint for a wrong unit; by letters alone 'mg/lb' would be sent to the body surface."""
    return "; nearest: 'mg/kg'" if re.match(r"mg/(lb|pound|st|g)", name) else nearest(name, _UNITS)


def _split_number(word: str, position: int, raw: str) -> list[_Word]:
    """'75mg/m2' and '60min' as number and unit; any other word as it is."""
    match = re.match(r"([0-9.]+)(mg.*|min|h)\Z", word)
    if match is None or len(raw) != len(word) or not _NUMBER.fullmatch(match[1]):
        return [_Word(word, position, raw)]
    cut = match.end(1)
    return [_Word(match[1], position, raw[:cut]), _Word(match[2], position + cut, raw[cut:])]


def _spans(days: Sequence[int]) -> str:
    """1,8,15 or 1-14: three days or more in a row as a span."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs]
    return ",".join(parts)


def _number(value: float) -> str:
    """The shortest text that reads back to the same number."""
    return repr(float(value)).removesuffix(".0")


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def _as_float(value: object) -> float:
    """A number, or NaN for what is none."""
    try:
        return float(cast(Any, value))
    except (TypeError, ValueError, OverflowError):
        return math.nan
