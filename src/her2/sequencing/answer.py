"""The making of one answer: what is offered, set aside, not to be given or in conflict, and in which order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from her2.evidence.load import load_conflicts
from her2.evidence.schema import Conflict, Lines, Rule
from her2.sequencing.advice import NO_RULE, Forbidden, Ground, Judged, Option, Remark, RuleConflict, SetAside
from her2.sequencing.agents import agent_id, agents_of, is_a, nearest_agent, regimen_of
from her2.sequencing.condition import Values, grounds
from her2.sequencing.match import contains, could_contain, fits, has_chemotherapy, is_general, single_members
from her2.sequencing.ordering import Key, order
from her2.sequencing.rulebook import NO_ADVICE, STRENGTHS, CompiledRule
from her2.sequencing.state import PatientState
from her2.sequencing.vocabulary import SomeOf


@dataclass
class _Row:
    """A regimen on offer while the answer is made: the rules behind it, and the wider regimen a rule named."""

    regimen: str
    backing: list[tuple[CompiledRule, str]] = field(default_factory=list)

    @property
    def rank(self) -> int:
        """Precedence: the best rank behind it."""
        return min(r.rule.rank for r, _ in self.backing)

    @property
    def first(self) -> CompiledRule:
        """The rule that gives it its place."""
        return min((r for r, _ in self.backing), key=_precedence)

    @property
    def key(self) -> Key:
        """Sort key: rank, rank among rules that name the very regimen, strength, name."""
        own = min((r.rule.rank for r, general in self.backing if not general), default=self.rank)
        return (self.rank, own, STRENGTHS.index(_offer_strength(self.first)), self.regimen)


def _precedence(rule: CompiledRule) -> tuple[int, int, str]:
    return (rule.rule.rank, STRENGTHS.index(_offer_strength(rule)), rule.rule.id)


def _offer_strength(rule: CompiledRule) -> str:
    """Strength of what a rule offers: where its strength is about what it avoids, the alternative is an option."""
    return "option" if rule.rule.strength == "not_recommended" else rule.rule.strength


class Answer:
    """The rows of one answer: offered, set aside, in conflict, in order."""

    def __init__(
        self,
        state: PatientState,
        values: Values,
        offering: Sequence[CompiledRule],
        applied: Sequence[CompiledRule],
    ) -> None:
        self.state = state
        self.values = values
        self.applied = applied
        self.against = [(r, pattern) for r in applied if r.forbids for pattern in r.avoided]
        self.accompanying = [r for r in applied if r.rule.goes_with]
        self.because: dict[str, tuple[str, ...]] = {}
        self.set_aside: list[SetAside] = []
        self.conflicts: list[RuleConflict] = []
        self.lifted: dict[tuple[str, str], list[str]] = {}
        rows = self._offered(offering)
        rows = self._without_set_aside(rows)
        rows = self._without_forbidden(rows)
        self.wide = [row for row in rows if is_general(row.regimen)]
        self.rows = _fold(rows)
        self.better = self._better() if offering else set()
        self._first_choices()

    def ground(self, rule: CompiledRule, offered_as: str = "", strength: str = "") -> Ground:
        """A rule as a reason."""
        r = rule.rule
        if r.id not in self.because:
            self.because[r.id] = grounds(rule.condition, self.values)
        return Ground(
            r.id, r.says, strength or r.strength, r.rank, r.authority, r.date, r.rationale, self.because[r.id],
            rule.lines, r.reading, r.note, offered_as, rule.user,
        )  # fmt: skip

    def _grounds(self, row: _Row) -> tuple[Ground, ...]:
        backing = sorted(row.backing, key=lambda b: _precedence(b[0]))
        return tuple(self.ground(r, general, _offer_strength(r)) for r, general in backing)

    def _offered(self, offering: Sequence[CompiledRule]) -> list[_Row]:
        rows: dict[str, _Row] = {}
        for rule in offering:
            for offered in rule.offers:
                regimen = regimen_of(agents_of(offered))
                rows.setdefault(regimen, _Row(regimen)).backing.append((rule, ""))
        return list(rows.values())

    def _without_set_aside(self, rows: Iterable[_Row]) -> list[_Row]:
        kept = []
        for row in rows:
            why = self._set_aside_for(row)
            if why:
                self.set_aside.append(SetAside(row.regimen, why, self._grounds(row)))
            else:
                kept.append(row)
        return kept

    def _set_aside_for(self, row: _Row) -> str:
        wishes = self.state.wishes or ()
        if "no_chemotherapy" in wishes and has_chemotherapy(row.regimen):
            return "the patient wishes no chemotherapy"
        if "no_trial" in wishes and _offer_strength(row.first) in NO_ADVICE:
            return "the patient wishes no trial"
        progressed = self.values["progressed_on"]
        assert isinstance(progressed, SomeOf)
        if self.state.phase == "new_line" and all(
            single_members(a) <= progressed.certain for a in agents_of(row.regimen)
        ):
            return "brings no agent the disease has not progressed on"
        return ""

    def _without_forbidden(self, rows: Iterable[_Row]) -> list[_Row]:
        kept = []
        for row in rows:
            against = [(r, p) for r, p in self.against if _matches(row.regimen, p, r.rule)]
            stands = self._settle("offered_and_forbidden", row, [r for r, _ in against])
            if stands:
                kept.append(row)
                for rule, pattern in against:
                    self.lifted.setdefault((rule.rule.id, pattern), []).append(row.first.rule.id)
        return kept

    def _settle(self, kind: str, row: _Row, against: Sequence[CompiledRule]) -> bool:
        """Whether a regimen stands against rules that speak against it; the conflict is kept."""
        if not against:
            return True
        first, other = row.first, min(against, key=_precedence)
        wins = other.rule.rank <= first.rule.rank
        by = other if wins else first
        ranks = f"rank {first.rule.rank} of {first.rule.id}, {other.rule.rank} of {other.rule.id}"
        how = f"{by.rule.id} decides by precedence ({ranks})"
        if first.rule.rank == other.rule.rank:
            how = f"at the same rank ({first.rule.rank}) what speaks against decides: {other.rule.id}"
        offering = [r for r, _ in row.backing]
        words = "not to be given" if kind == "offered_and_forbidden" else "ranked behind another option"
        says = f"{row.regimen} is offered by {_ids(offering)}, and {words} by {_ids(against)}"
        self._keep_conflict(kind, says, offering, against, by, how)
        return not wins

    def _keep_conflict(
        self,
        kind: str,
        says: str,
        one: Sequence[CompiledRule],
        other: Sequence[CompiledRule],
        by: CompiledRule,
        how: str,
    ) -> None:
        lines = tuple(dict.fromkeys(line for r in (*one, *other) for line in r.lines))
        user = os.environ.get("HER2_RECORD")
        pairs = ((a.rule.places, b.rule.places) for a in one for b in other)
        record = tuple(dict.fromkeys(c for a, b in pairs for c in _in_record(a, b, user)))
        ids = (tuple(sorted({r.rule.id for r in one})), tuple(sorted({r.rule.id for r in other})))
        self.conflicts.append(RuleConflict(kind, says, *ids, by.rule.id, how, lines, record))

    def _better(self) -> set[tuple[str, str]]:
        """Pairs (better, worse) of regimens on offer, from the rules that compare two regimens."""
        pairs: set[tuple[str, str]] = set()
        comparing = [r for r in self.applied if r.ranks_below]
        backed: dict[str, set[str]] = {}
        for row in self.rows:
            for rule, _ in row.backing:
                backed.setdefault(rule.rule.id, set()).add(row.regimen)
        for row in self.rows:
            against = []
            for rule in comparing:
                good = backed.get(rule.rule.id, set()) - {row.regimen}
                if good and any(fits(row.regimen, p) for p in rule.rule.avoid):
                    against.append(rule)
                    if rule.rule.rank <= row.rank:
                        pairs |= {(g, row.regimen) for g in good}
            self._settle("offered_and_ranked_behind", row, against)
        return pairs

    def _first_choices(self) -> None:
        """Conflicts between rules that each call another regimen the preferred one."""
        backed: dict[str, set[str]] = {}
        rules: dict[str, CompiledRule] = {}
        for row in self.rows:
            for rule, _ in row.backing:
                if rule.rule.strength == "preferred":
                    backed.setdefault(rule.rule.id, set()).add(row.regimen)
                    rules[rule.rule.id] = rule
        ordered = sorted(rules.values(), key=_precedence)
        others = [r for r in ordered[1:] if not backed[ordered[0].rule.id] & backed[r.rule.id]]
        if not others:
            return
        first = ordered[0]
        named = "; ".join(
            f"{r.rule.id} prefers {', '.join(sorted(backed[r.rule.id]))}" for r in (first, *others)
        )
        best = others[0].rule.rank
        how = f"{first.rule.id} stands first by precedence (rank {first.rule.rank} before {best})"
        if first.rule.rank == best:
            how = f"same rank ({best}): both stand, in order of strength and name"
        self._keep_conflict("two_first_choices", named, [first], others, first, how)

    def options(self) -> list[Option]:
        """Options in order."""
        by_name = {row.regimen: row for row in self.rows}
        names = order({n: r.key for n, r in by_name.items()}, self.better)
        return [
            Option(
                place, name, _offer_strength(by_name[name].first), by_name[name].rank, self._grounds(by_name[name]),
                tuple(self._marks(name)),
            )
            for place, name in enumerate(names, 1)
        ]  # fmt: skip

    def _marks(self, regimen: str) -> Iterator[str]:
        agents = agents_of(regimen)
        for i, line in enumerate(self.state.completed or (), 1):
            again = sorted(a for a in line.agents or () if a in agents)
            if again and line.stopped_for == "toxicity":
                yield f"line {i} with {', '.join(again)} ended for toxicity"
            elif set(agents) <= set(line.agents or ()):
                why = "unknown" if line.stopped_for is None else line.stopped_for.replace("_", " ")
                yield f"given before, in line {i}; reason for its end: {why}"
        for wide in self.wide:
            if regimen != wide.regimen and fits(regimen, wide.regimen):
                ids = sorted(r.rule.id for r, _ in wide.backing)
                yield f"or any other {wide.regimen} ({', '.join(ids)})"
        for rule, pattern in self.against:
            if rule.rule.avoid_means == "any_with" and could_contain(regimen, pattern):
                yield f"not as {pattern} ({rule.rule.id})"
        for rule in self.accompanying:
            if any(is_a(a, w) for a in agents for w in rule.rule.goes_with):
                yield f"{rule.rule.says} ({rule.rule.id})"

    def remarks(self, options: Sequence[str]) -> Iterator[Remark]:
        """Rules that apply and offer nothing; one that goes with certain agents needs an option with them."""
        for rule in self.applied:
            about = rule.rule.goes_with
            with_agents = any(is_a(a, w) for o in options for a in agents_of(o) for w in about)
            if rule.is_remark and (not about or with_agents):
                yield Remark(rule.rule.says, about, self.ground(rule))

    def forbidden(self) -> Iterator[Forbidden]:
        """What the rules that apply forbid, by precedence."""
        for rule, pattern in self.against:
            lifted = tuple(dict.fromkeys(self.lifted.get((rule.rule.id, pattern), ())))
            yield Forbidden(pattern, str(rule.rule.avoid_means), self.ground(rule), lifted)

    def judged(self, asked: str, options: Sequence[Option], refused: bool) -> Judged:
        """What the rules say of a regimen the user asked about."""
        names = [agent_id(a) for a in asked.split("+")]
        unknown = [a.strip() for a, known in zip(asked.split("+"), names) if known is None]
        if unknown:
            hint = nearest_agent(unknown[0])
            return Judged(asked, "unknown drug", f"'{unknown[0]}' is not in the record{hint}; not judged", ())
        regimen = regimen_of(n for n in names if n)
        against = list(dict.fromkeys(r for r, p in self.against if _matches(regimen, p, r.rule)))
        for option in options:
            if option.regimen == regimen:
                return Judged(
                    regimen, "offered", f"option {option.position}", tuple(g.rule for g in option.grounds)
                )
        if against:
            says = "; ".join(r.rule.says for r in against)
            return Judged(regimen, "not to be given", says, tuple(r.rule.id for r in against))
        if refused:
            return Judged(regimen, "outside the model", "no option is given for this case", ())
        for aside in self.set_aside:
            if aside.regimen == regimen:
                return Judged(regimen, "set aside", aside.why, tuple(g.rule for g in aside.grounds))
        for wide in self.wide:
            if fits(regimen, wide.regimen):
                ids = tuple(sorted({r.rule.id for r, _ in wide.backing}))
                return Judged(regimen, "offered", f"as any {wide.regimen}", ids)
        return Judged(regimen, "no rule", NO_RULE + " that offers or forbids it here", ())


def _ids(rules: Iterable[CompiledRule]) -> str:
    return ", ".join(sorted({r.rule.id for r in rules}))


def _matches(regimen: str, pattern: str, rule: Rule) -> bool:
    """Whether what a rule avoids is this regimen, in the sense the rule means it."""
    return contains(regimen, pattern) if rule.avoid_means == "any_with" else fits(regimen, pattern)


def _fold(rows: Sequence[_Row]) -> list[_Row]:
    """A regimen with a class backs those on offer that are of its kind, and stands alone where there is none."""
    kept = []
    for row in rows:
        cases = (
            [r for r in rows if r is not row and fits(r.regimen, row.regimen)]
            if is_general(row.regimen)
            else []
        )
        for case in cases:
            own = {r.rule.id for r, _ in case.backing}
            case.backing += [(r, row.regimen) for r, _ in row.backing if r.rule.id not in own]
        if not cases:
            kept.append(row)
    return kept


_ABOUT_CONTENT = ("evidence", "between_reviews")
"""Kinds of conflicts that are about what to do, not about a name or a figure."""


@lru_cache(maxsize=4)
def _record_conflicts(_user: str | None) -> tuple[Conflict, ...]:
    return tuple(c for c in load_conflicts().values() if c.place_2 is not None and c.kind in _ABOUT_CONTENT)


@lru_cache(maxsize=8192)
def _in_record(one: tuple[Lines, ...], other: tuple[Lines, ...], user: str | None) -> tuple[str, ...]:
    """Conflicts of the record between the places of two rules."""
    found = []
    for conflict in _record_conflicts(user):
        assert conflict.place_2 is not None
        for a, b in ((one, other), (other, one)):
            if _overlaps(conflict.place_1, a) and _overlaps(conflict.place_2, b):
                found.append(conflict.id)
                break
    return tuple(found)


def _overlaps(place: Lines, places: Iterable[Lines]) -> bool:
    return any(
        p.source == place.source and p.line_start <= place.line_end and place.line_start <= p.line_end
        for p in places
    )
