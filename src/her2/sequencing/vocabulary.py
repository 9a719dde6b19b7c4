"""The items a rule's condition may look at, each read from a patient's state; what is unknown stays unknown.

A value is a word, a number or a truth, `None` where unknown, `NOT_APPLICABLE` where the question does not arise (months
since an early trastuzumab that was never given), or a `SomeOf` for a list of agents that may be known in part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, get_args

from her2.sequencing.agents import is_a, may_be
from her2.sequencing.state import Biomarkers, Her2Test, Organs, PatientState, TherapyLine

Kind = Literal["word", "truth", "number", "list"]
RESISTANT_MONTHS = 12
"""Review B lines 939-942: recurrence during or within 12 months of adjuvant trastuzumab counts as resistance."""
NEWEST = 9999
"""Year that stands for the newest rules."""


class Absent(Enum):
    """The question does not arise."""

    NOT_APPLICABLE = "not applicable"


NOT_APPLICABLE = Absent.NOT_APPLICABLE


@dataclass(frozen=True)
class SomeOf:
    """A list known in part: `certain` are in it, `possible` may be; None where anything may be."""

    certain: frozenset[str]
    possible: frozenset[str] | None

    def has(self, wanted: str) -> bool | None:
        """Whether the wanted agent, or a member of the wanted class, is in the list; None where unknown."""
        if any(is_a(agent, wanted) for agent in self.certain):
            return True
        if self.possible is None or any(may_be(agent, wanted) for agent in self.possible):
            return None
        return False

    def union(self, other: SomeOf) -> SomeOf:
        """Both lists together."""
        possible = None if self.possible is None or other.possible is None else self.possible | other.possible
        return SomeOf(self.certain | other.certain, possible)


NOTHING = SomeOf(frozenset(), frozenset())
ANYTHING = SomeOf(frozenset(), None)
Value = str | float | bool | SomeOf | Absent | None


def _exactly(agents: tuple[str, ...] | None) -> SomeOf:
    return ANYTHING if agents is None else SomeOf(frozenset(agents), frozenset(agents))


def _had(state: PatientState) -> SomeOf:
    lines = state.completed
    result = ANYTHING if lines is None else NOTHING
    for line in lines or ():
        result = result.union(_exactly(line.agents))
    return result.union(_current(state))


def _current(state: PatientState) -> SomeOf:
    if state.phase != "best_response":
        return NOTHING
    return ANYTHING if state.current is None else _exactly(state.current.agents)


def _had_early(state: PatientState) -> SomeOf:
    early = state.early_treatment
    if early is None:
        return ANYTHING
    return _exactly(early.neoadjuvant).union(_exactly(early.adjuvant))


def _ended_by_progression(line: TherapyLine) -> bool | None:
    return None if line.stopped_for is None else line.stopped_for == "progression"


def _progressed_on(state: PatientState) -> SomeOf:
    lines = state.completed
    result = ANYTHING if lines is None else NOTHING
    for line in lines or ():
        progressed = _ended_by_progression(line)
        agents = _exactly(line.agents)
        if progressed is None:
            agents = SomeOf(frozenset(), agents.possible)
        if progressed is not False:
            result = result.union(agents)
    return result


def _trastuzumab_resistant(state: PatientState) -> bool | None:
    """Progression on a line with trastuzumab, or recurrence during or within 12 months of adjuvant trastuzumab."""
    months = _months_since(state, "trastuzumab")
    early = None if months is None else months is not NOT_APPLICABLE and float(months) <= RESISTANT_MONTHS  # type: ignore[arg-type]
    found: list[bool | None] = [early, None if state.completed is None else False]
    for line in state.completed or ():
        found.append(_both(_exactly(line.agents).has("trastuzumab"), _ended_by_progression(line)))
    return True if True in found else None if None in found else False


def _both(a: bool | None, b: bool | None) -> bool | None:
    return False if False in (a, b) else None if None in (a, b) else True


def _months_since(state: PatientState, agent: str) -> Value:
    given = _had_early(state).has(agent)
    if given is False:
        return NOT_APPLICABLE
    early = state.early_treatment
    months = None if early is None else getattr(early, f"months_since_{agent}")
    return None if given is None else months


def _pertuzumab_exposure(state: PatientState) -> Value:
    given = _had_early(state).has("pertuzumab")
    if given is False:
        return NOT_APPLICABLE
    return None if given is None or state.early is None else state.early.months_of_pertuzumab


def _her2_regimens(state: PatientState) -> Value:
    lines = state.completed
    if lines is None or any(line.agents is None for line in lines):
        return None
    return float(sum(_exactly(line.agents).has("her2_targeted_therapy") is True for line in lines))


def _last_line(state: PatientState, field: str) -> Value:
    lines = state.completed
    if lines is None:
        return None
    return getattr(lines[-1], field) if lines else NOT_APPLICABLE  # type: ignore[no-any-return]


def _current_response(state: PatientState) -> Value:
    if state.phase != "best_response":
        return NOT_APPLICABLE
    return None if state.current is None else state.current.best_response


def _any_biomarker(state: PatientState) -> bool | None:
    return True if any(v is not None for v in state.biomarkers.model_dump().values()) else None


@dataclass(frozen=True)
class Item:
    """One item of the vocabulary.

    Attributes
    ----------
    words : valid words of a word item; empty where any may stand
    label : as printed
    noteworthy : whether a known value calls for a rule, so that its absence is said
    """

    name: str
    kind: Kind
    label: str
    get: Callable[[PatientState], Value]
    words: tuple[str, ...] = ()
    noteworthy: Callable[[Any], bool] = lambda _: False


def _words_of(part: type[Any], field: str) -> tuple[str, ...]:
    """Words of a field whose type is a list of words or unknown."""
    found: list[str] = []
    for argument in get_args(part.model_fields[field].annotation):
        found += [a for a in get_args(argument) if isinstance(a, str)]
        found += [argument] if isinstance(argument, str) else []
    return tuple(found)


_NORMAL_MARKERS = frozenset(
    {"wild_type", "inactive", "absent", "normal", "low", "negative", "vv", "vf", "ff"}
)
LOW_LVEF = 50.0
"""Review B lines 849-852 count a decline to below 50 % and one to below 40 % as events; no rule reads either."""
FAILING_LVEF = 40.0
POOR_ECOG = 3


def _marker(name: str) -> Item:
    def noteworthy(value: Any) -> bool:
        if name in ("pten", "inpp4b"):
            return bool(value == "lost")
        return value not in _NORMAL_MARKERS

    return Item(
        name, "word", _MARKER_LABELS.get(name, name.replace("_", " ")),
        lambda s: getattr(s.biomarkers, name), _words_of(Biomarkers, name), noteworthy,
    )  # fmt: skip


_MARKER_LABELS = {
    "pik3ca": "PIK3CA", "pten": "PTEN", "ps6": "pS6", "pi3k_pathway": "PI3K pathway", "akt1": "AKT1",
    "inpp4b": "INPP4B",
    "p95her2": "p95HER2", "her2_delta16": "HER2Δ16", "her2_level": "HER2 level", "her3_level": "HER3 level",
    "serum_her2": "HER2 ectodomain in serum", "egfr": "EGFR", "igf1r": "IGF1R", "met": "MET", "epha2": "EphA2",
    "beta2_ar": "β2-adrenergic receptor", "src": "Src", "cyclin_e": "cyclin E",
    "til": "tumour-infiltrating lymphocytes",
    "pdl1": "PD-L1", "fcgr3a": "FcγRIIIa genotype",
}  # fmt: skip


def _is_true(value: Any) -> bool:
    return value is True


def _organ(name: str) -> Item:
    return Item(
        name, "word", f"function of the {name}", lambda s: getattr(s.organs, name), _words_of(Organs, name),
        lambda v: v != "normal",
    )  # fmt: skip


def _given(value: Any) -> bool:
    return isinstance(value, float)


def _make_items() -> list[Item]:
    states = {f: _words_of(PatientState, f) for f in ("setting", "her2", "hormone_receptor", "sex")}
    return [
        Item("setting", "word", "setting", lambda s: s.setting, states["setting"]),
        Item("phase", "word", "phase", lambda s: s.phase, ("new_line", "best_response")),
        Item("line", "number", "line", lambda s: s.line_number),
        Item("year", "number", "year", lambda s: NEWEST if s.as_of is None else s.as_of),
        Item("her2", "word", "HER2", lambda s: s.her2, states["her2"]),
        Item("her2_ihc", "number", "HER2 by immunohistochemistry", lambda s: s.her2_test.ihc),
        Item(
            "her2_ish", "word", "HER2 by in situ hybridisation", lambda s: s.her2_test.ish, _words_of(Her2Test, "ish")
        ),
        Item("her2_copies", "number", "HER2 copies per nucleus", lambda s: s.her2_test.copies),
        Item("her2_ratio", "word", "HER2:CEP17 ratio", lambda s: s.her2_test.ratio, _words_of(Her2Test, "ratio")),
        Item(
            "her2_abnormality", "word", "abnormality of chromosome 17 or its signals",
            lambda s: s.her2_test.abnormality, _words_of(Her2Test, "abnormality"), lambda v: v != "none",
        ),
        Item("amplified_cells", "number", "per cent of cells amplified", lambda s: s.her2_test.amplified_cells),
        Item(
            "hormone_receptor", "word", "hormone receptor", lambda s: s.hormone_receptor, states["hormone_receptor"],
            lambda v: v == "positive",
        ),
        Item("de_novo", "truth", "metastatic from the start", lambda s: s.de_novo),
        Item("had", "list", "had for metastatic disease", _had),
        Item("had_early", "list", "had for early disease", _had_early),
        Item("had_ever", "list", "had at any time", lambda s: _had(s).union(_had_early(s))),
        Item("progressed_on", "list", "progressed on", _progressed_on),
        Item("current", "list", "receiving", _current),
        Item(
            "current_response", "word", "best response to the current line", _current_response,
            ("complete", "partial", "stable", "progression"),
        ),
        Item("her2_regimens", "number", "HER2-directed regimens for metastatic disease", _her2_regimens),
        Item("last_line_months", "number", "months of the last line", lambda s: _last_line(s, "months")),
        Item(
            "last_response", "word", "best response to the last line", lambda s: _last_line(s, "best_response"),
            ("complete", "partial", "stable", "progression"),
        ),
        Item("months_since_last_line", "number", "months since the last line", lambda s: _last_line(s, "months_since")),
        Item("trastuzumab_resistant", "truth", "resistant to trastuzumab", _trastuzumab_resistant),
        Item(
            "early_trastuzumab_months", "number", "months from early trastuzumab to relapse",
            lambda s: _months_since(s, "trastuzumab"),
        ),
        Item(
            "early_pertuzumab_months", "number", "months from early pertuzumab to relapse",
            lambda s: _months_since(s, "pertuzumab"), noteworthy=_given,
        ),
        Item("early_pertuzumab_exposure", "number", "months of early pertuzumab", _pertuzumab_exposure),
        Item(
            "early_taxane_months", "number", "months from early taxane to relapse",
            lambda s: _months_since(s, "taxane"),
        ),
        Item(
            "cns", "word", "CNS metastases", lambda s: s.cns.metastases,
            ("none", "untreated", "treated", "progressive"),
            lambda v: v != "none",
        ),
        Item("cns_symptomatic", "truth", "symptomatic CNS metastases", lambda s: s.cns.symptomatic, (), _is_true),
        Item("leptomeningeal", "truth", "leptomeningeal disease", lambda s: s.leptomeningeal, (), _is_true),
        Item("visceral_crisis", "truth", "visceral crisis", lambda s: s.visceral_crisis, (), _is_true),
        Item("sex", "word", "sex", lambda s: s.sex, states["sex"]),
        Item("age", "number", "age", lambda s: s.age),
        Item("pregnant", "truth", "pregnancy", lambda s: s.pregnant, (), _is_true),
        Item("ecog", "number", "ECOG performance status", lambda s: s.ecog, (), lambda v: v >= POOR_ECOG),
        Item("lvef", "number", "LVEF (%)", lambda s: s.lvef, (), lambda v: v < LOW_LVEF),
        *(_organ(name) for name in Organs.model_fields),
        *(_marker(name) for name in Biomarkers.model_fields),
        Item("any_biomarker", "truth", "a biomarker is known", _any_biomarker),
        Item("medicines", "list", "other medicines", lambda s: _exactly(s.medicines)),
        Item("wishes", "list", "wishes", lambda s: _exactly(s.wishes)),
    ]  # fmt: skip


@lru_cache(maxsize=1)
def items() -> Mapping[str, Item]:
    """Every item a condition may name, by name."""
    return {item.name: item for item in _make_items()}


def values_of(state: PatientState) -> dict[str, Value]:
    """The value of every item for a state."""
    return {name: item.get(state) for name, item in items().items()}


def shown(value: Value) -> str:
    """A value as printed."""
    if value is None:
        return "unknown"
    if isinstance(value, Absent):
        return value.value
    if isinstance(value, SomeOf):
        names = ", ".join(sorted(value.certain)) or "nothing"
        return f"{names} (may be incomplete)" if value.possible != value.certain else names
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).replace("_", " ")
