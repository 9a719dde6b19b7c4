"""An mCODE bundle (HL7 FHIR R4) as a case, with a finding for everything missing, wrong or not understood.

Read: the patient; primary and secondary cancer conditions; tumour marker tests, variants, performance status,
ejection fraction, weight and disease status; medications. Administrations of one agent not more than two months apart
are one course, and courses that start within six weeks are one line of therapy; medications of curative intent, and
those of no stated intent before the first metastasis, are treatment of early disease. Codes are those of the mCODE
value sets (LOINC, SNOMED CT, ICD-10); medications go by their names in the record of this package, in any language of
codes that gives a name.

A finding that is *wrong* (no FHIR, a value that cannot be, no HER2 status) has to be mended before anything is said of
the case; the others say what is missing, assumed or not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydantic import ValidationError

from her2.errors import RecordError
from her2.prognosis.case import Case
from her2.prognosis.fhir import (
    Concept,
    Condition,
    Medication,
    Observation,
    Patient,
    check_resource,
    is_read,
    resource_of,
)
from her2.prognosis.result import Finding
from her2.sequencing.agents import agent_id
from her2.sequencing.state import state_of
from her2.units import DAYS_PER_MONTH

PRIMARY, SECONDARY = "mcode-primary-cancer-condition", "mcode-secondary-cancer-condition"
BREAST_SNOMED = ("254837009",)
BREAST_ICD = ("C50",)
ER_CODES, PR_CODES = ("85337-4", "16112-5"), ("85339-0", "16113-3")
HER2_CODES, IHC_CODES, ISH_CODES = ("48676-1",), ("85319-2", "18474-7", "72383-3"), ("85318-4", "31150-6")
ECOG_CODES, WEIGHT_CODES, LVEF_CODES = ("89247-1",), ("29463-7", "3141-9"), ("10230-1",)
STATUS_CODES = ("97509-4", "88040-1")
VARIANT_CODES, GENE_CODES = ("69548-6",), ("48018-6",)
POSITIVE = ("10828004", "LA6576-8", "LA9633-4", "POS", "52101004")
NEGATIVE = ("260385009", "LA6577-6", "LA9634-2", "NEG", "2667000")
POSITIVE_WORDS = ("positive", "present", "detected", "amplified", "overexpressed")
NEGATIVE_WORDS = ("negative", "absent", "not detected", "not amplified", "normal")
OPEN_CODES = ("42425007", "82334004", "LA11885-7", "LA9663-1")
OPEN_WORDS = ("equivocal", "indeterminate", "inconclusive", "borderline")
"""Results that say neither: they leave an item unknown."""
IMPROVED = {
    "268910001": "partial",
    "551001000124108": "partial",
    "550991000124107": "complete",
    "281900007": "complete",
}
STABLE, WORSENED = "359746009", "271299001"
STOPS = {
    "182992009": "planned_end", "266721009": "progression", "407563006": "toxicity", "105480006": "wish",
    "58848006": "progression", "281647001": "toxicity", "443729008": "planned_end", "7058009": "wish",
}  # fmt: skip
CURATIVE, PALLIATIVE = "373808002", "363676003"
NO_THERAPY = ("399707004", "261004008", "129428001")
"""Supportive, diagnostic and preventive intent: no line of therapy."""
KG_PER_UNIT = {"kg": 1.0, "g": 0.001, "[lb_av]": 0.45359237, "lb": 0.45359237}
SITES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("brain", "C79.3", ("brain", "cerebral", "intracranial")),
    ("liver", "C78.7", ("liver", "hepatic")),
    ("bone", "C79.5", ("bone", "skeletal", "vertebra")),
    ("lung", "C78.0", ("lung", "pulmonary")),
    ("pleura", "C78.2", ("pleura",)),
    ("lymph_nodes", "C77", ("lymph node",)),
    ("skin", "C79.2", ("skin", "cutaneous")),
    ("leptomeningeal", "C79.32", ("mening",)),
)
"""Site, start of its ICD-10 code, words of its name."""
SAME_LINE_DAYS = 42
SAME_COURSE_DAYS = 61
"""Longest pause between administrations of one agent in one course: two missed cycles of three weeks, and some days."""
AS_YAML = "or say it in a case file (her2 patient BUNDLE --as-case prints one)"
GENES = {"PIK3CA": ("pik3ca", "mutated", "wild_type"), "AKT1": ("akt1", "mutated", "wild_type")}
FORMS = frozenset(
    [
        "mg",
        "ml",
        "mcg",
        "g",
        "unt",
        "unit",
        "units",
        "actuat",
        "hr",
        "injection",
        "injectable",
        "infusion",
        "intravenous",
        "subcutaneous",
        "oral",
        "tablet",
        "capsule",
        "solution",
        "suspension",
        "powder",
        "product",
        "for",
        "of",
        "per",
        "in",
        "lyophilized",
        "concentrate",
        "vial",
        "film",
        "coated",
        "dose",
        "substance",
        "medicinal",
        "only",
        "precisely",
        "drug",
        "hydrochloride",
        "citrate",
        "ditosylate",
        "tosylate",
        "tartrate",
        "maleate",
        "mesylate",
        "sulfate",
        "sodium",
        "and",
        "hyaluronidase",
    ]
)
"""Words of doses, forms and salts in the name of a medication."""
LONGEST_NAME = 300
"""Characters of a name or score that is looked at: the work grows with the square of their number."""
INHERITED_DAYS = 183
"""Longest time from an order to an administration that takes over its intent."""
_BIOSIMILAR = re.compile(r"^([a-z]+mab)-[a-z]{4}$")
_DATE = re.compile(r"^(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")


@dataclass
class _Reading:
    """A case while a bundle is read."""

    case: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def find(self, place: str, says: str, expected: str = "", way_out: str = "") -> None:
        """Note what is missing, assumed or not read."""
        self.findings.append(Finding(place, says, expected, way_out))

    def wrong(self, place: str, says: str, expected: str, way_out: str = "mend or delete it") -> None:
        """Note what has to be mended."""
        self.findings.append(Finding(place, says, expected, way_out, wrong=True))


@dataclass
class _Given:
    """One medication, or a course of it: agent, start, end, and why it ended.

    Attributes
    ----------
    open : whether it is given, or asked for, from a day on without an end
    """

    agent: str
    start: date
    end: date | None
    stopped: str | None
    intent: str | None
    place: str
    open: bool


def read_bundle(data: Mapping[str, Any], where: str, today: date | None = None) -> Case:
    """A case from an mCODE bundle.

    Parameters
    ----------
    where : name of the file, for findings
    today : day of the decision; default the last date in the bundle

    Raises
    ------
    her2.errors.RecordError
        If it is no bundle, has no patient or more than one, or `fhir.resources` is not installed. What is wrong in a
        resource is no error but a finding.
    """
    if data.get("resourceType") != "Bundle":
        raise RecordError(f"{where}: expected a FHIR Bundle, got resourceType '{data.get('resourceType')}'")
    reading = _Reading()
    resources = _resources(data, where, reading)
    entries = [e.get("resource") for e in data["entry"] if isinstance(e, dict)]
    n_patients = sum(isinstance(r, dict) and r.get("resourceType") == "Patient" for r in entries)
    if n_patients != 1:
        raise RecordError(f"{where}: expected one Patient, got {n_patients}; a bundle is about one")
    patients = [r for _, r in resources if isinstance(r, Patient)]
    conditions = [(p, r) for p, r in resources if isinstance(r, Condition)]
    observations = [(p, r) for p, r in resources if isinstance(r, Observation)]
    medications = [(p, r) for p, r in resources if isinstance(r, Medication)]
    now = today or _last_day(observations, medications)
    if patients:
        _patient(patients[0], now, reading)
    spread = _conditions(conditions, reading)
    since = _metastatic_since(conditions)
    _markers(observations, reading)
    _treatment(medications, observations, spread, since, now, reading)
    if "her2" not in reading.case:
        reading.wrong(
            "Observation (HER2)", "missing: no HER2 status, so no rule applies",
            "LOINC 48676-1 with positive or negative, or 85319-2 with a score", "add the test",
        )  # fmt: skip
    if "hormone_receptor" not in reading.case:
        reading.find(
            "Observation (oestrogen receptor)", "missing: hormone receptor status is unknown", "LOINC 85337-4"
        )
    try:
        state = state_of(reading.case, where)
    except RecordError as error:
        raise RecordError(f"{where}: what the bundle says is no case: {error}") from error
    return Case(state, tuple(reading.findings))


def _resources(data: Mapping[str, Any], where: str, reading: _Reading) -> list[tuple[str, Any]]:
    entries = data.get("entry")
    if not isinstance(entries, list) or not entries:
        raise RecordError(f"{where}, entry: expected a list of resources")
    found, passed = [], set()
    for k, entry in enumerate(entries):
        inner = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(inner, dict):
            reading.wrong(f"entry.{k}", "has no resource", "a FHIR resource under 'resource'")
            continue
        place = f"entry.{k} ({inner.get('resourceType', '?')}/{inner.get('id', '?')})"
        broken = list(check_resource(inner)) if is_read(inner) else []
        for path, says, expected in broken:
            reading.wrong(f"{place}, {path}", says, expected)
        if broken:
            continue
        try:
            resource = resource_of(inner)
        except ValidationError as error:
            for item in error.errors():
                path = ".".join(str(x) for x in item["loc"])
                reading.wrong(f"{place}, {path}", item["msg"].lower(), "what FHIR R4 asks for")
            continue
        if resource is None:
            passed.add(str(inner.get("resourceType")))
        elif getattr(resource, "status", None) == "entered-in-error":
            reading.find(place, "marked as entered in error; passed over")
        else:
            found.append((place, resource))
    if passed:
        reading.find("entry", f"not read: {', '.join(sorted(passed))}")
    return found


def _patient(patient: Patient, now: date | None, reading: _Reading) -> None:
    if patient.gender in ("female", "male"):
        reading.case["sex"] = patient.gender
    else:
        reading.find("Patient.gender", f"{patient.gender!r}: sex is unknown", "female or male")
    born = _day(patient.birthDate)
    if born is None:
        reading.find("Patient.birthDate", f"{patient.birthDate!r}: age is unknown", "a date")
    elif now is not None:
        age = (now - born).days / 365.25
        if 0.0 <= age <= 120.0:
            reading.case["age"] = float(int(age))
        else:
            reading.wrong("Patient.birthDate", f"an age of {age:.0f} years", "an age from 0 to 120 years")


def _conditions(conditions: list[tuple[str, Condition]], reading: _Reading) -> bool:
    """Primary and secondary cancers; whether there are metastases."""
    primary = [
        (p, c)
        for p, c in conditions
        if _profile(c.meta.profile, PRIMARY) or c.code.has(*BREAST_SNOMED) or c.code.starts(*BREAST_ICD)
    ]
    if not primary:
        reading.wrong(
            "Condition (primary cancer)", "missing: no breast cancer", "SNOMED 254837009 or ICD-10 C50",
            "add the condition",
        )  # fmt: skip
    for place, condition in primary:
        if not (
            condition.code.has(*BREAST_SNOMED)
            or condition.code.starts(*BREAST_ICD)
            or _says(condition.code, "breast")
        ):
            reading.wrong(
                place, f"'{condition.code.shown}' is no breast cancer; the model is for breast cancer only",
                "SNOMED 254837009 or ICD-10 C50",
            )  # fmt: skip
    sites, brain = [], False
    secondary = [
        (p, c)
        for p, c in conditions
        if _profile(c.meta.profile, SECONDARY) or c.code.starts("C77", "C78", "C79")
    ]
    for place, condition in secondary:
        site = _site(condition)
        if site == "brain":
            brain = True
        elif site == "leptomeningeal":
            reading.case["leptomeningeal"] = True
        elif site is None:
            reading.find(place, f"site of '{condition.code.shown}' not understood; counted as another organ")
            sites.append("other_visceral")
        else:
            sites.append(site)
    if secondary:
        reading.case["setting"] = "metastatic"
        if sites:
            reading.case["sites"] = sorted(set(sites))
        if brain:
            reading.case["cns"] = {"metastases": "untreated"}
            reading.find("Condition (brain)", "brain metastases: read as untreated", "", AS_YAML)
    else:
        reading.find(
            "Condition (secondary cancer)", "missing: no metastases, so the setting is unknown",
            "a condition with the profile of a secondary cancer", AS_YAML,
        )  # fmt: skip
    return bool(secondary)


def _metastatic_since(conditions: list[tuple[str, Condition]]) -> date | None:
    """First day of a secondary cancer; None where none is dated, or one is not."""
    days = [
        _day(c.onsetDateTime or c.recordedDate)
        for _, c in conditions
        if _profile(c.meta.profile, SECONDARY) or c.code.starts("C77", "C78", "C79")
    ]
    known = [d for d in days if d is not None]
    return min(known) if known and len(known) == len(days) else None


def _site(condition: Condition) -> str | None:
    concepts = (condition.code, *condition.bodySite)
    for site, icd, words in reversed(SITES):
        if any(c.starts(icd) or any(_says(c, w) for w in words) for c in concepts):
            return site
    return None


def _markers(observations: list[tuple[str, Observation]], reading: _Reading) -> None:
    """Tumour markers, variants and measures; of several the newest."""
    receptors: dict[str, bool] = {}
    test: dict[str, Any] = {}
    markers: dict[str, Any] = {}
    for place, o in sorted(observations, key=lambda x: x[1].day):
        if o.code.has(*ER_CODES, *PR_CODES):
            value = _yes_no(place, o, reading)
            if value is not None:
                receptors["er" if o.code.has(*ER_CODES) else "pr"] = value
        elif o.code.has(*HER2_CODES):
            value = _yes_no(place, o, reading)
            if value is not None:
                reading.case["her2"] = "positive" if value else "negative"
        elif o.code.has(*IHC_CODES):
            score = _score(o)
            if score is not None:
                test["ihc"] = score
            else:
                value = _yes_no(place, o, reading, "a score from 0 to 3, positive or negative")
                if value is not None:
                    reading.case.setdefault("her2", "positive" if value else "negative")
        elif o.code.has(*ISH_CODES):
            value = _yes_no(place, o, reading)
            if value is not None:
                test["ish"] = "amplified" if value else "not_amplified"
        elif o.code.has(*VARIANT_CODES):
            _variant(place, o, markers, reading)
        elif o.code.has(*ECOG_CODES):
            score = o.valueInteger
            if score is None or not 0 <= score <= 4:
                reading.wrong(f"{place}, valueInteger", f"ECOG performance status {score!r}", "0 to 4")
            else:
                reading.case["ecog"] = score
        elif o.code.has(*WEIGHT_CODES):
            _number(place, o, "weight", (25.0, 250.0), KG_PER_UNIT, reading)
        elif o.code.has(*LVEF_CODES):
            _number(place, o, "lvef", (5.0, 90.0), {"%": 1.0}, reading)
    if receptors:
        reading.case["hormone_receptor"] = "positive" if any(receptors.values()) else "negative"
    if test:
        reading.case["her2_test"] = test
        if "her2" not in reading.case and (test.get("ihc") == 3 or test.get("ish") == "amplified"):
            reading.case["her2"] = "positive"
            reading.find("Observation (HER2)", "no interpretation: 3+ or amplified is read as positive")
    if markers:
        reading.case["biomarkers"] = markers


def _variant(place: str, o: Observation, markers: dict[str, Any], reading: _Reading) -> None:
    """A genomic variant of a gene that the cases know."""
    gene = ""
    for part in o.component:
        if part.code.has(*GENE_CODES) and part.valueCodeableConcept is not None:
            names = [c.display or "" for c in part.valueCodeableConcept.coding] + [
                part.valueCodeableConcept.text or ""
            ]
            gene = next((g for g in GENES if g in [n.upper() for n in names]), names[0] if names else "")
    if gene not in GENES:
        reading.find(place, f"variant of '{gene or 'no gene'}': no part of a case; passed over")
        return
    value = _yes_no(place, o, reading)
    if value is not None:
        name, yes, no = GENES[gene]
        markers[name] = yes if value else no


def _yes_no(
    place: str, o: Observation, reading: _Reading, expected: str = "positive or negative"
) -> bool | None:
    value = o.valueCodeableConcept or (o.interpretation[0] if o.interpretation else None)
    if value is not None:
        if value.has(*NEGATIVE) or any(w in NEGATIVE_WORDS for w in value.words):
            return False
        if value.has(*POSITIVE) or any(w in POSITIVE_WORDS for w in value.words):
            return True
    shown = value.shown if value is not None else o.valueString or "nothing"
    if value is not None and (value.has(*OPEN_CODES) or any(w in OPEN_WORDS for w in value.words)):
        reading.find(place, f"'{shown}' says neither yes nor no; unknown")
    else:
        reading.wrong(f"{place}, valueCodeableConcept", f"'{shown}' is not understood", expected)
    return None


def _score(o: Observation) -> int | None:
    words = o.valueCodeableConcept.words if o.valueCodeableConcept is not None else ()
    for text in (*words, o.valueString or "", str(o.valueInteger) if o.valueInteger is not None else ""):
        match = re.match(r"^\s*([0-3])\s*\+?\s*$", text) if len(text) <= LONGEST_NAME else None
        if match:
            return int(match.group(1))
    return None


def _number(
    place: str,
    o: Observation,
    item: str,
    limits: tuple[float, float],
    units: Mapping[str, float],
    reading: _Reading,
) -> None:
    """A measure in the unit of the case; `units` are its units with their size in that unit."""
    unit = next(iter(units))
    expected = f"{limits[0]:g} to {limits[1]:g} {unit}"
    place = f"{place}, valueQuantity"
    q = o.valueQuantity
    if q is None or q.value is None:
        reading.wrong(place, f"{item} without a number", expected)
    elif (q.code or q.unit) not in units:
        reading.wrong(place, f"{item} in '{q.code or q.unit}'", f"a number in {' or '.join(units)}")
    else:
        value = q.value * units[str(q.code or q.unit)]
        if limits[0] <= value <= limits[1]:
            reading.case[item] = round(value, 1)
        else:
            reading.wrong(place, f"{item} {q.value:g} {q.code or q.unit}", expected)


def _treatment(
    medications: list[tuple[str, Medication]],
    observations: list[tuple[str, Observation]],
    spread: bool,
    since: date | None,
    now: date | None,
    reading: _Reading,
) -> None:
    """Lines of therapy for metastatic disease, and treatment of early disease.

    Parameters
    ----------
    spread, since : whether there are metastases, and the first day of one
    """
    found = [g for g in (_given(p, m, reading) for p, m in medications) if g is not None]
    _take_over_intent(found)
    given = _courses(found)
    if not medications:
        reading.find(
            "MedicationAdministration", "missing: earlier treatment is unknown", "",
            "if there was none, write `lines: none` in a case file (her2 patient BUNDLE --as-case prints one)",
        )  # fmt: skip
        return
    early = [g for g in given if _is_early(g, spread, since)]
    late = sorted((g for g in given if not _is_early(g, spread, since)), key=lambda g: g.start)
    if early:
        last = {
            name: max((g.end or g.start for g in early if g.agent in agents), default=None)
            for name, agents in (("trastuzumab", ("trastuzumab",)), ("taxane", ("docetaxel", "paclitaxel")))
        }
        reading.case["early"] = {"neoadjuvant": "none", "adjuvant": sorted({g.agent for g in early})}
        reading.find(
            "MedicationAdministration", "treatment of early disease is read as adjuvant, not neoadjuvant", "", AS_YAML
        )  # fmt: skip
        relapse = late[0].start if late else now
        for name, end in last.items():
            if end is not None and relapse is not None:
                months = max((relapse - end).days, 0) / DAYS_PER_MONTH
                reading.case["early"][f"months_since_{name}"] = round(months, 1)
    if not spread and not late:
        return
    lines: list[list[_Given]] = []
    for g in late:
        if lines and (g.start - lines[-1][0].start).days <= SAME_LINE_DAYS:
            lines[-1].append(g)
        else:
            lines.append([g])
    reading.case["lines"] = [
        _line(group, lines[k + 1 :], observations, now, reading) for k, group in enumerate(lines)
    ]


def _take_over_intent(given: list[_Given]) -> None:
    """An administration without an intent has that of an order of the same agent in the half year before."""
    for g in given:
        if g.intent is None:
            orders = (o for o in given if o.intent is not None and o.agent == g.agent)
            near = [o for o in orders if 0 <= (g.start - o.start).days <= INHERITED_DAYS]
            g.intent = max(near, key=lambda o: o.start).intent if near else None


def _is_early(g: _Given, spread: bool, since: date | None) -> bool:
    """Whether a medication was for early disease: by its intent, else because there was no metastasis yet."""
    if g.intent is not None:
        return g.intent == "curative"
    return not spread or (since is not None and (since - g.start).days > SAME_LINE_DAYS)


def _courses(given: list[_Given]) -> list[_Given]:
    """Administrations of one agent joined where they follow each other; a single one without an end keeps none."""
    courses: list[_Given] = []
    last: dict[tuple[str, str | None], _Given] = {}
    for g in sorted(given, key=lambda g: (g.start, g.place)):
        before = last.get((g.agent, g.intent))
        if before is not None and (g.start - (before.end or before.start)).days <= SAME_COURSE_DAYS:
            ends = [d for d in (before.end, g.end or (None if g.open else g.start)) if d is not None]
            before.end = None if g.open else max(ends, default=None)
            before.stopped = g.stopped or before.stopped
        else:
            last[(g.agent, g.intent)] = g
            courses.append(g)
    return courses


def _line(
    group: list[_Given],
    following: list[list[_Given]],
    observations: list[tuple[str, Observation]],
    now: date | None,
    reading: _Reading,
) -> dict[str, Any]:
    """One line: agents, months, why it ended, best response."""
    place, start = group[0].place, group[0].start
    ends = [g.end for g in group if g.end is not None]
    end = max(ends) if ends else None
    if end is None and following:
        end = following[0][0].start
        reading.find(place, "no end of this line; read as the start of the next")
    line: dict[str, Any] = {"agents": sorted({g.agent for g in group})}
    stopped = next((g.stopped for g in group if g.stopped is not None and g.end == end), None)
    stopped = stopped or next((g.stopped for g in group if g.stopped is not None), None)
    statuses = [
        (o.day, value)
        for _, o in observations
        if o.code.has(*STATUS_CODES) and (value := _status(o)) is not None
        and start.isoformat() <= o.day <= (end or now or start).isoformat()
    ]  # fmt: skip
    if stopped is None and any(v == "progression" for _, v in statuses):
        stopped = "progression"
    if stopped is None:
        reading.find(place, "no reason why this line ended; unknown")
    else:
        line["stopped_for"] = stopped
    best = [r for r in ("complete", "partial", "stable", "progression") if r in {v for _, v in statuses}]
    if best:
        line["best_response"] = best[0]
    else:
        reading.find(place, "no disease status during this line; best response is unknown")
    if end is None:
        reading.find(place, "neither end of this line nor a next one; its length is unknown")
    else:
        line["months"] = round(max((end - start).days, 0) / DAYS_PER_MONTH, 1)
        if now is not None:
            line["months_since"] = round(max((now - end).days, 0) / DAYS_PER_MONTH, 1)
    return line


def _status(o: Observation) -> str | None:
    value = o.valueCodeableConcept
    if value is None:
        return None
    for code, response in IMPROVED.items():
        if value.has(code):
            return response
    return "stable" if value.has(STABLE) else "progression" if value.has(WORSENED) else None


def _given(place: str, m: Medication, reading: _Reading) -> _Given | None:
    concept = m.medicationCodeableConcept
    intent = m.extended("mcode-procedure-intent", "mcode-treatment-intent")
    if m.status in ("not-done", "cancelled", "draft") or (intent is not None and intent.has(*NO_THERAPY)):
        return None
    agent = _agent(concept)
    if agent is None:
        shown = concept.shown if concept is not None else "no code"
        reading.find(
            f"{place}, medicationCodeableConcept",
            f"'{shown}' is no agent of the record; kept as an unknown drug",
        )
        agent = shown
    start, end = _day(m.period.start), _day(m.period.end)
    if start is None:
        reading.wrong(place, "no date on which it was given", "effectivePeriod.start or authoredOn")
        return None
    if end is not None and end < start:
        reading.wrong(place, f"ends ({end}) before it starts ({start})", "an end after the start")
        end = None
    reason = next(
        iter(m.statusReason), m.extended("mcode-treatment-termination-reason", "mcode-termination-reason")
    )
    stopped = next((s for code, s in STOPS.items() if reason is not None and reason.has(code)), None)
    if reason is not None and stopped is None:
        reading.find(place, f"reason of ending '{reason.shown}' not understood; unknown")
    word = None
    if intent is not None:
        word = "curative" if intent.has(CURATIVE) else "palliative" if intent.has(PALLIATIVE) else None
    is_open = end is None and m.effectiveDateTime is None
    return _Given(agent, start, end, stopped, word, place, is_open)


def _agent(concept: Concept | None) -> str | None:
    """Agent of the record in the words of a medication such as `docetaxel 20 MG/ML Injection`.

    A word that is neither part of the name nor of a dose or form makes it another drug, as of an antibody's conjugate.
    """
    for words in concept.words if concept is not None else ():
        if len(words) > LONGEST_NAME:
            continue
        tokens = [_BIOSIMILAR.sub(r"\1", t) for t in re.findall(r"[a-z0-9-]+", words)]
        tokens = [t.removesuffix("-oysk") for t in tokens]
        for n in (3, 2, 1):
            for k in range(len(tokens) - n + 1):
                found = agent_id("".join(tokens[k : k + n]))
                rest = tokens[:k] + tokens[k + n :]
                if found is not None and all(_is_form(t) or agent_id(t) == found for t in rest):
                    return found
    return None


def _is_form(token: str) -> bool:
    """Whether a word belongs to a dose or a form."""
    return token in FORMS or re.fullmatch(r"[0-9-]+[a-z]*", token) is not None


def _last_day(
    observations: list[tuple[str, Observation]], medications: list[tuple[str, Medication]]
) -> date | None:
    days = [_day(o.day) for _, o in observations]
    for _, m in medications:
        days += [_day(m.period.start), _day(m.period.end)]
    known = [d for d in days if d is not None]
    return max(known) if known else None


def _day(text: str | None) -> date | None:
    """A date of FHIR; the middle of a month or year that is given without a day."""
    match = _DATE.match(text or "")
    if match is None:
        return None
    year, month, day = match.groups()
    try:
        return date(int(year), int(month or 7), int(day or (15 if month else 1)))
    except ValueError:
        return None


def _profile(profiles: tuple[str, ...], name: str) -> bool:
    return any(p.split("|")[0].endswith(name) for p in profiles)


def _says(concept: Concept, word: str) -> bool:
    return any(word in w for w in concept.words)
