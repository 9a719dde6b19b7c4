"""Search the record: all words, aliases resolved, facets, the best first, each with its place.

Words match whole words of an entry or, from four letters, their beginning. A word (or run of words) that is
a name of an agent or mechanism also finds entries that name it otherwise: `ONT-380` finds tucatinib,
`T-DM1` finds `ado-trastuzumab emtansine`. The index is built once for a record in memory; a question then
takes milliseconds.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, get_args

from her2.errors import Her2Error, nearest, unknown
from her2.evidence.record import Kept, Record, place_of
from her2.evidence.schema import Claim, Conflict, Lines, PublishedValue, Study
from her2.evidence.tables import condition_words, conditions, switch_changes

KINDS = ("claim", "mechanism", "agent", "trial", "value", "rule", "conflict", "source", "cell", "switch")
"""Kinds of entries; `--kind` also takes the kinds of claims (`efficacy`, `claim:mechanism`)."""
CLAIM_KINDS: tuple[str, ...] = get_args(Claim.model_fields["kind"].annotation)
_RANK = {"agent": 1.6, "mechanism": 1.5, "trial": 1.4, "claim": 1.2, "conflict": 1.0, "rule": 1.0,
"value": 0.7,
         "source": 0.6, "cell": 1.3, "switch": 0.9}  # fmt: skip
_LONGEST_NAME = 5
_SETTINGS = {
    "1": "first_line", "first": "first_line", "2": "second_line", "second": "second_line",
    "3": "third_line_plus",
    "third": "third_line_plus", "third_line": "third_line_plus", "third_plus": "third_line_plus",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Hit:
    """One entry of the record as the search sees it."""

    kind: str
    id: str
    title: str
    text: str
    places: tuple[Lines, ...]
    user: bool
    level: str = ""
    claim_kind: str = ""
    agents: frozenset[str] = frozenset()
    mechanisms: frozenset[str] = frozenset()
    biomarkers: str = ""
    settings: frozenset[str] = frozenset()
    endpoint: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """Places in the sources, readable."""
        return "; ".join(str(p) for p in self.places)

    def as_dict(self) -> dict[str, Any]:
        """The hit as plain data."""
        return {
            "kind": self.kind, "id": self.id, "title": self.title,
            **({"claim_kind": self.claim_kind} if self.claim_kind else {}),
            **({"level": self.level} if self.level else {}),
            **({"agents": sorted(self.agents)} if self.agents else {}),
            **({"mechanisms": sorted(self.mechanisms)} if self.mechanisms else {}),
            **self.data,
            "places": [p.model_dump() for p in self.places], "user": self.user,
        }  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Hits, best first, and how many there were before the limit."""

    hits: tuple[Hit, ...]
    total: int


def tokens(text: str) -> list[str]:
    """Lower-case words; `ONT-380` is `ont`, `380`, and names are compared without what joins their parts."""
    return re.findall(r"[a-z0-9]+", text.lower())


def squeeze(name: str) -> str:
    """A name without case, spaces and hyphens: `T-DM1` and `t_dm1` are `tdm1`."""
    return "".join(tokens(name))


class Index:
    """Everything a search needs of one record."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.agent_names = _names(
            (k.entry.id, k.entry.name, *k.entry.aliases) for k in record.agents.values()
        )
        self.mechanism_names = _names((k.entry.id, k.entry.name) for k in record.mechanisms.values())
        self.names: dict[str, set[str]] = defaultdict(set)
        for prefix, names in (("agent:", self.agent_names), ("mechanism:", self.mechanism_names)):
            for name, ids in names.items():
                self.names[name] |= {prefix + i for i in ids}
        self.hits: list[Hit] = list(_collect(record))
        self._words: dict[str, dict[int, float]] = defaultdict(dict)
        self._entities: dict[str, dict[int, float]] = defaultdict(dict)
        for position, hit in enumerate(self.hits):
            self._add(position, hit)
        self._vocabulary = sorted(self._words)

    def _add(self, position: int, hit: Hit) -> None:
        for text, weight in ((hit.id, 2.0), (hit.title, 3.0), (hit.text, 1.0)):
            found = tokens(text)
            for word in found:
                self._words[word][position] = max(weight, self._words[word].get(position, 0.0))
            for entity in self._mentioned(found):
                self._entities[entity][position] = max(weight, self._entities[entity].get(position, 0.0))
        for entity in [f"agent:{a}" for a in hit.agents] + [f"mechanism:{m}" for m in hit.mechanisms]:
            self._entities[entity][position] = max(2.0, self._entities[entity].get(position, 0.0))
        if hit.kind in ("agent", "mechanism"):
            self._entities[f"{hit.kind}:{hit.id}"][position] = 6.0

    def _mentioned(self, words: list[str]) -> set[str]:
        """Agents and mechanisms a text names, by any of their names."""
        result: set[str] = set()
        for i in range(len(words)):
            joined = ""
            for word in words[i : i + _LONGEST_NAME]:
                joined += word
                result |= self.names.get(joined, set())
        return result

    def terms(self, question: str) -> list[tuple[tuple[str, ...], set[str]]]:
        """The question as terms: words, each with what it may stand for; names take the longest run."""
        words = tokens(question)
        result: list[tuple[tuple[str, ...], set[str]]] = []
        i = 0
        while i < len(words):
            for length in range(min(_LONGEST_NAME, len(words) - i), 0, -1):
                run = tuple(words[i : i + length])
                entities = self.names.get("".join(run), set())
                if entities or length == 1:
                    result.append((run, set(entities)))
                    i += length
                    break
        return result

    def matching(self, run: tuple[str, ...], entities: set[str]) -> dict[int, float]:
        """Entries a term matches, each with the weight of the match."""
        found: dict[int, float] = {}
        for position, weight in self._all_words(run).items():
            found[position] = weight
        for entity in entities:
            for position, weight in self._entities.get(entity, {}).items():
                found[position] = max(weight, found.get(position, 0.0))
        return found

    def _all_words(self, run: tuple[str, ...]) -> dict[int, float]:
        result: dict[int, float] | None = None
        for word in run:
            one = self._one_word(word)
            if result is None:
                result = one
            else:
                result = {p: min(w, one[p]) for p, w in result.items() if p in one}
        return result or {}

    def _one_word(self, word: str) -> dict[int, float]:
        exact = self._words.get(word, {})
        if len(word) < 4:
            return dict(exact)
        found: dict[int, float] = {}
        i = bisect_left(self._vocabulary, word)
        while i < len(self._vocabulary) and self._vocabulary[i].startswith(word):
            for position, weight in self._words[self._vocabulary[i]].items():
                found[position] = max(found.get(position, 0.0), 0.8 * weight)
            i += 1
        for position, weight in exact.items():
            found[position] = max(found.get(position, 0.0), weight)
        return found


@lru_cache(maxsize=2)
def build_index(record: Record) -> Index:
    """The index of a record, built once for the record in memory."""
    return Index(record)


def search(
    record: Record,
    question: str = "",
    *,
    agent: str | None = None,
    mechanism: str | None = None,
    biomarker: str | None = None,
    line: str | None = None,
    endpoint: str | None = None,
    level: str | None = None,
    kind: str | None = None,
    source: str | None = None,
    limit: int = 20,
) -> Found:
    """Entries that contain every word of the question and fit every facet, the best first.

    Parameters
    ----------
    question
        Words; empty for everything that fits the facets.
    agent, mechanism
        Identifier or any name of it.
    biomarker
        Part of a biomarker, a molecule of a mechanism, or a subgroup.
    line
        Setting of the trial: `1`, `first`, `first_line`, `neoadjuvant`, `cns_treated` ...
    endpoint, level, source
        As in the record: `pfs`, `phase_3`, `review_a`.
    kind
        One of `KINDS` or a kind of claim.
    limit
        Most hits that come back.

    Raises
    ------
    her2.errors.UnknownNameError
        For a facet the record does not know, with the nearest.
    """
    if limit < 1:
        raise Her2Error(f"limit: expected at least 1, got {limit}")
    index = build_index(record)
    wanted = _facets(index, agent, mechanism, biomarker, line, endpoint, level, kind, source)
    scores: dict[int, float] | None = None
    n = len(index.hits)
    for run, entities in index.terms(question):
        found = index.matching(run, entities)
        rarity = math.log(1.0 + n / (1.0 + len(found)))
        if scores is None:
            scores = {p: w * rarity for p, w in found.items()}
        else:
            scores = {p: s + found[p] * rarity for p, s in scores.items() if p in found}
    if scores is None:
        if question.strip():
            scores = {}  # only signs, no word
        else:
            scores = dict.fromkeys(range(n), 0.0)
    ranked = sorted(
        (p for p in scores if all(test(index.hits[p]) for test in wanted)),
        key=lambda p: (-_score(index.hits[p], scores[p]), p),
    )
    return Found(tuple(index.hits[p] for p in ranked[:limit]), len(ranked))


def _score(hit: Hit, score: float) -> float:
    """Rank: how well the words match, how central the kind is, shorter texts first."""
    return (score + 0.01) * _RANK[hit.kind] / (1.0 + 0.0005 * min(len(hit.text), 800))


def suggestion(record: Record, question: str) -> str:
    """`; nearest: 'x'` for a word of the question that the record does not contain."""
    index = build_index(record)
    for word in tokens(question):
        if not index._one_word(word):
            return nearest(word, {*index._vocabulary, *index.agent_names})
    return ""


def _facets(
    index: Index, agent: str | None, mechanism: str | None, biomarker: str | None, line: str | None,
    endpoint: str | None, level: str | None, kind: str | None, source: str | None,
) -> list[Any]:  # fmt: skip
    """One test of a hit for each facet that is given."""
    record, tests = index.record, list[Any]()
    if agent:
        agents = _resolve("agent", agent, index.agent_names, record.agents)
        tests.append(lambda h: bool(agents & h.agents) or (h.kind == "agent" and h.id in agents))
    if mechanism:
        mechanisms = _resolve("mechanism", mechanism, index.mechanism_names, record.mechanisms)
        tests.append(
            lambda h: bool(mechanisms & h.mechanisms) or (h.kind == "mechanism" and h.id in mechanisms)
        )
    if biomarker:
        part = squeeze(biomarker)
        if not any(part in h.biomarkers for h in index.hits):
            raise unknown(
                "biomarker", biomarker, {b for k in record.claims.values() for b in k.entry.biomarkers}
            )
        tests.append(lambda h: part in h.biomarkers)
    if line:
        setting = _SETTINGS.get(line.lower(), line.lower())
        known = {s for h in index.hits for s in h.settings}
        if setting not in known:
            raise unknown("line or setting", line, known)
        tests.append(lambda h: setting in h.settings)
    if endpoint:
        known = {h.endpoint for h in index.hits if h.endpoint}
        if endpoint.lower() not in known:
            raise unknown("endpoint", endpoint, known)
        tests.append(lambda h: h.endpoint == endpoint.lower())
    if level:
        known = {h.level for h in index.hits if h.level}
        if level not in known:
            raise unknown("evidence level", level, known)
        tests.append(lambda h: h.level == level)
    if kind:
        name = {"study": "trial", "endpoint": "value"}.get(kind, kind)
        of_claims = name.removeprefix("claim:")
        if name in KINDS:
            tests.append(lambda h: h.kind == name)
        elif of_claims in CLAIM_KINDS:
            tests.append(lambda h: h.claim_kind == of_claims)
        else:
            raise unknown("kind", kind, (*KINDS, *CLAIM_KINDS))
    if source:
        if source not in record.sources:
            raise unknown("source", source, record.sources)
        tests.append(lambda h: any(p.source == source for p in h.places) or h.id == source)
    return tests


def _names(entries: Iterable[tuple[str, ...]]) -> dict[str, set[str]]:
    """Identifiers by squeezed name."""
    result: dict[str, set[str]] = defaultdict(set)
    for identifier, *others in entries:
        for name in (identifier, *others):
            if squeeze(name):
                result[squeeze(name)].add(identifier)
    return result


def _resolve(what: str, name: str, names: Mapping[str, set[str]], valid: Iterable[str]) -> set[str]:
    found = names.get(squeeze(name))
    if not found:
        short = squeeze(name)
        close = {i for known, ids in names.items() if len(short) >= 4 and short in known for i in ids}
        if len(close) == 1:
            return close
        options = {*valid, *close}
        raise unknown(what, name, options)
    return found


def _collect(record: Record) -> Iterable[Hit]:
    """Every entry of the record as a hit."""
    for k in record.agents.values():
        a = k.entry
        yield Hit(
            "agent", a.id, f"{a.name} ({a.kind.replace('_', ' ')})",
            " ".join((*a.aliases, *a.targets, a.binds, a.properties, a.approvals, a.note)), a.places, k.user,
            agents=frozenset((a.id,)), biomarkers=_marks(a.targets),
            data={"aliases": list(a.aliases), "targets": list(a.targets), "approvals": a.approvals},
        )  # fmt: skip
    for m in record.mechanisms.values():
        e = m.entry
        yield Hit(
            "mechanism", e.id, e.name,
            " ".join((e.category, e.direction, *e.molecules, e.summary, *e.overcome_by, e.note)), e.places,
            m.user,
            level=_strongest(e.evidence_settings), agents=frozenset(e.agents_affected),
            mechanisms=frozenset((e.id,)), biomarkers=_marks((*e.molecules, e.name)),
            data={"category": e.category, "direction": e.direction, "summary": e.summary,
                  "agents_affected": dict(e.agents_affected)},
        )  # fmt: skip
    for c in record.claims.values():
        yield _claim_hit(record, c)
    for s in record.studies.values():
        yield _study_hit(s)
    for s, v in record.values():
        yield _value_hit(s, v)
    for r in record.rules.values():
        u = r.entry
        named = {a for combination in (*u.offer, *u.avoid) for a in combination.split("+")}
        had = {w for name, w in condition_words(u.when) if name.startswith(("had", "progressed_on"))}
        yield Hit(
            "rule", u.id, u.says,
            " ".join((conditions(u.when), conditions(u.unless), u.rationale, *u.offer, *u.avoid, u.note)),
            u.places, r.user, level=u.strength, agents=frozenset(named | had),
            settings=frozenset(_rule_settings(u.when)),
            data={"offer": list(u.offer), "avoid": list(u.avoid), "strength": u.strength,
                  "authority": u.authority, "date": u.date},
        )  # fmt: skip
    for x in record.conflicts.values():
        yield _conflict_hit(record, x)
    yield from _cell_and_switch_hits(record)
    for o in record.sources.values():
        b = o.entry
        yield Hit(
            "source", b.id, b.title, " ".join((b.authors, b.journal, str(b.year or ""), b.note)), (), o.user,
            data={"year": b.year, "doi": b.doi, "pmid": b.pmid, "retracted": b.retracted},
        )  # fmt: skip


def _cell_and_switch_hits(record: Record) -> Iterable[Hit]:
    """Cell lines, and switches with the places of their mechanism."""
    for c in record.cells.values():
        e = c.entry
        values = {**e.receptors, **e.genotype, **e.ligands}
        yield Hit(
            "cell", e.id, f"{e.name}: {e.describes}", " ".join((*e.aliases, *values, e.note)), (), c.user,
            biomarkers=_marks(values),
            data={"her2_amplified": e.her2_amplified, "values": {k: v.value for k, v in values.items()}},
        )  # fmt: skip
    for s in record.switches.values():
        w = s.entry
        mechanism = record.mechanisms.get(w.mechanism)
        yield Hit(
            "switch", w.id, w.label, " ".join((w.why, w.not_a_switch, *(x.attribute for x in w.sets))),
            mechanism.entry.places if mechanism else (), s.user, mechanisms=frozenset((w.mechanism,)),
            agents=frozenset((*w.adds, *(d.agent for d in w.disables))),
            data={"changes": switch_changes(w), "why": w.why, "not_a_switch": w.not_a_switch},
        )  # fmt: skip


def _claim_hit(record: Record, kept: Kept[Claim]) -> Hit:
    c = kept.entry
    study = record.studies.get(c.trial or "")
    return Hit(
        "claim", c.id, c.statement,
        " ".join((c.subject, c.relation, c.object, *c.biomarkers, c.trial or "", *c.references, c.note)),
        c.places, kept.user, level=c.level, claim_kind=c.kind, agents=frozenset(c.agents),
        mechanisms=frozenset(c.mechanisms), biomarkers=_marks(c.biomarkers),
        settings=frozenset((study.entry.setting,)) if study else frozenset(),
        data={"supports": c.supports, "trial": c.trial, "biomarkers": list(c.biomarkers),
              "executable": c.executable},
    )  # fmt: skip


def _study_hit(kept: Kept[Study]) -> Hit:
    s = kept.entry
    return Hit(
        "trial", s.id, f"{s.name}: {s.design or s.status}",
        " ".join((s.nct or "", s.phase or "", s.population, s.status, *(a.label for a in s.arms),
        *s.references,
                  s.note)),
        s.places, kept.user, level=_phase(s.phase), agents=frozenset(a for arm in s.arms for a in arm.agents),
        settings=frozenset((s.setting,)), biomarkers=_marks((s.population,)),
        data={"name": s.name, "nct": s.nct, "phase": s.phase, "n": s.n, "setting": s.setting,
        "status": s.status,
              "arms": [a.id for a in s.arms]},
    )  # fmt: skip


def _value_hit(kept: Kept[Study], v: PublishedValue) -> Hit:
    s = kept.entry
    arms = [v.arm] if v.arm else ([v.contrast.experimental, v.contrast.control] if v.contrast else [])
    of_arm = {a.id: a.agents for a in s.arms}
    agents = frozenset(a for arm in arms for a in of_arm.get(arm, ()))
    group = " v ".join(arms) or "all patients"
    unit = "" if not v.printed_unit or v.printed_unit in v.printed else f" {v.printed_unit}"
    interval = f" ({v.ci_low:g}-{v.ci_high:g})" if v.ci_low is not None and v.ci_high is not None else ""
    what = v.ae_term.replace("_", " ") if v.ae_term else v.endpoint
    title = f"{s.name}: {what} {v.statistic.replace('_', ' ')}, {group}: {v.printed}{unit}{interval}"
    likely = v.likely_correct.model_dump() if v.likely_correct else None
    return Hit(
        "value", v.id, title,
        " ".join((v.endpoint, v.analysis, v.population, v.ae_term or "", v.note,
        likely["reason"] if likely else "")),
        (place_of(v),), kept.user, level=_phase(s.phase), agents=agents, settings=frozenset((s.setting,)),
        endpoint=v.endpoint, biomarkers=_marks((v.population, v.analysis)),
        data={"trial": s.id, "arm": v.arm, "contrast": v.contrast.model_dump() if v.contrast else None,
              "endpoint": v.endpoint, "statistic": v.statistic, "printed": v.printed,
              "printed_unit": v.printed_unit, "canonical_value": v.value, "canonical_unit": v.unit,
              "ci_low": v.ci_low, "ci_high": v.ci_high, "population": v.population, "analysis": v.analysis,
              "likely_correct": likely, "role": v.role},
    )  # fmt: skip


def _conflict_hit(record: Record, kept: Kept[Conflict]) -> Hit:
    x = kept.entry
    study = record.studies.get(x.about)
    return Hit(
        "conflict", x.id, f"{x.about}: {x.statement_1}" + (f" / {x.statement_2}" if x.statement_2 else ""),
        " ".join((x.kind, x.likely_resolution, x.reason, x.note)),
        (x.place_1, x.place_2) if x.place_2 else (x.place_1,), kept.user,
        settings=frozenset((study.entry.setting,)) if study else frozenset(),
        agents=frozenset(a for arm in study.entry.arms for a in arm.agents) if study else frozenset(),
        data={"about": x.about, "conflict_kind": x.kind, "likely_resolution": x.likely_resolution,
              "reason": x.reason},
    )  # fmt: skip


def _rule_settings(when: Mapping[str, Any]) -> set[str]:
    """Setting and line a rule speaks of, in the words of the trials."""
    found = set[str]()
    for name, word in condition_words(when):
        if name == "setting":
            found.add(word)
        elif name in ("line", "line_at_least"):
            found.add(_SETTINGS.get(word.lower(), word.lower()))
    return found


def _marks(names: Iterable[str]) -> str:
    """Squeezed names, joined, for a search by part."""
    return "|".join(squeeze(n) for n in names if n and n != "all")


def _phase(phase: str | None) -> str:
    """Phase of a trial in the words of the evidence levels."""
    found = re.match(r"(iii|ii|iv|i|[1-4])", (phase or "").lower())
    number = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}.get(found[1], found[1]) if found else ""
    return f"phase_{number}" if number else ""


def _strongest(settings: Iterable[str]) -> str:
    """The strongest of the settings a mechanism was seen in."""
    order = ("meta_analysis", "rct_subgroup", "prospective", "retrospective", "xenograft", "in_vitro")
    return next((s for s in order if s in set(settings)), "")
