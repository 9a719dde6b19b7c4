"""The record as a whole: it loads, its references exist, its places lie in the reviews, it is complete."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from her2.evidence.load import (
    DATA,
    files_of,
    load_agents,
    load_claims,
    load_conflicts,
    load_mechanisms,
    load_parameters,
    load_rules,
    load_sources,
    load_studies,
    parse,
    read_yaml,
    show_path,
)
from her2.evidence.schema import Lines, PublishedValue, Rule

LINES = {"review_a": 700, "review_b": 1653}
AGENTS = load_agents()
CLAIMS = load_claims()
CONFLICTS = load_conflicts()
MECHANISMS = load_mechanisms()
RULES = load_rules()
STUDIES = load_studies()
VALUES = [(s, v) for s in STUDIES.values() for v in s.values]

EXPERIMENTAL = {
    "marianne": {"t_dm1", "pertuzumab+t_dm1"},
    "th3resa": {"t_dm1"},
    "tdm4450g": {"t_dm1"},
    "ctg_ma31": {"lapatinib+taxane"},
    "cerebel": {"capecitabine+lapatinib"},
    "lux_breast_1": {"afatinib+vinorelbine"},
    "lux_breast_3": {"afatinib", "afatinib+vinorelbine"},
    "bolero_1": {"everolimus+paclitaxel+trastuzumab"},
    "averel": {"bevacizumab+docetaxel+trastuzumab"},
    "velvet": {"pertuzumab+trastuzumab+vinorelbine"},
    "baselga_2010": {"pertuzumab+trastuzumab", "pertuzumab"},
    "martin_2013": {"neratinib"},
    "saura_2014": {"capecitabine+neratinib"},
    "jankowitz_2013": {"neratinib+paclitaxel+trastuzumab"},
    "electra": {"letrozole+trastuzumab"},
    "nefertt": {"neratinib+paclitaxel"},
    "sutherland_2010": {"capecitabine+lapatinib"},
    "dang_2015": {"paclitaxel+pertuzumab+trastuzumab"},
}
"""Held-out trials of the protocol (design, section 6) with their experimental arms."""
HELD_OUT_ANALYSES = {"emilia_cns", "cleopatra_cns", "cleopatra_biomarkers", "bolero_3_biomarkers"}
NEOADJUVANT = {"neosphere", "neoaltto", "cher_lob"}
EFFICACY = {"orr", "cbr", "pfs", "ttp", "os", "dor", "pcr", "cns_orr", "cns_incidence", "time_to_cns"}


def _places() -> Iterator[tuple[str, Lines]]:
    for kind in (AGENTS, CLAIMS, MECHANISMS, RULES, STUDIES):
        for entry in kind.values():
            yield from ((entry.id, place) for place in entry.places)
    for conflict in CONFLICTS.values():
        yield conflict.id, conflict.place_1
        if conflict.place_2 is not None:
            yield conflict.id, conflict.place_2
    for _, v in VALUES:
        yield v.id, Lines(source=v.source, line_start=v.line_start, line_end=v.line_end)


def test_places_lie_in_the_reviews() -> None:
    wrong = [f"{i}: {p}" for i, p in _places() if p.source in LINES and p.line_end > LINES[p.source]]
    assert not wrong, wrong


def test_sources_exist() -> None:
    sources = load_sources()
    assert {p.source for _, p in _places()} <= set(sources)


def test_value_ids_are_unique_and_start_with_their_study() -> None:
    counts = Counter(v.id for _, v in VALUES)
    assert [i for i, n in counts.items() if n > 1] == []
    assert [v.id for s, v in VALUES if not v.id.startswith(f"{s.id}.")] == []


def test_rule_ids_match_their_folder() -> None:
    for path in files_of("rules"):
        rule = parse(Rule, read_yaml(path), show_path(path))
        assert rule.id == f"{path.parent.name}.{path.stem}"


def test_every_entry_names_who_entered_and_who_checked() -> None:
    for kind in (CLAIMS, MECHANISMS, CONFLICTS):
        for entry in kind.values():
            # the claims the model rests on before the reviews were extracted carry no second curator
            if entry.curated is not None:
                assert entry.curated.by


def test_references_between_entries_exist() -> None:
    missing: list[str] = []

    def need(where: str, name: str, known: object) -> None:
        if name not in known:  # type: ignore[operator]
            missing.append(f"{where} -> {name}")

    for claim in CLAIMS.values():
        for a in claim.agents:
            need(claim.id, a, AGENTS)
        for m in claim.mechanisms:
            need(claim.id, m, MECHANISMS)
        if claim.trial is not None:
            need(claim.id, claim.trial, STUDIES)
    for agent in AGENTS.values():
        for c in agent.claims:
            need(agent.id, c, CLAIMS)
    for mechanism in MECHANISMS.values():
        for c in mechanism.claims:
            need(mechanism.id, c, CLAIMS)
        for a in mechanism.agents_affected:
            need(mechanism.id, a, AGENTS)
        for p in mechanism.parameters:
            need(mechanism.id, p, load_parameters())
    for study in STUDIES.values():
        if study.parent is not None:
            need(study.id, study.parent, STUDIES)
        for arm in study.arms:
            for a in arm.agents:
                need(study.id, a, AGENTS)
    for rule in RULES.values():
        for regimen in (*rule.offer, *rule.avoid):
            for a in regimen.split("+"):
                need(rule.id, a, AGENTS)
    values = {v.id for _, v in VALUES}
    for conflict in CONFLICTS.values():
        for v in conflict.concerns:
            need(conflict.id, v, values)
    assert not missing, missing


def test_arms_of_values_are_arms_of_their_study() -> None:
    for study, v in VALUES:
        if study.kind == "collection":
            continue
        arms = {a.id for a in study.arms}
        named = [v.arm] if v.arm else []
        if v.contrast is not None:
            named += [v.contrast.experimental, v.contrast.control]
        assert set(named) <= arms, v.id


def test_record_is_as_large_as_the_reviews() -> None:
    studies = [s for s in STUDIES.values() if s.kind == "study"]
    assert len(studies) >= 90
    assert len(VALUES) >= 480
    assert len(CLAIMS) >= 400
    assert sum(c.executable for c in CLAIMS.values()) >= 300
    assert len(MECHANISMS) >= 44
    assert len(AGENTS) >= 50
    assert len(CONFLICTS) >= 70
    assert len(RULES) >= 35
    assert len({s.nct for s in studies if s.nct}) == 23


CODE_NAMES = (
    "ONT-380", "ARRY-380", "MGAH22", "HKI-272", "BIBW 2992", "SAR245408", "XL147", "BYL719", "GDC-0032",
    "BKM120",
)  # fmt: skip


@pytest.mark.parametrize("alias", CODE_NAMES)
def test_code_names_are_aliases(alias: str) -> None:
    plain = re.sub(r"[^a-z0-9]", "", alias.lower())
    known = {re.sub(r"[^a-z0-9]", "", a.lower()) for agent in AGENTS.values() for a in agent.aliases}
    assert plain in known


@pytest.mark.parametrize(
    "conflict",
    [
        "egf100151_os_row_repeats_ttp",
        "lin_2012_pfs_unit",
        "egf104900_control_misnamed",
        "ctg_ma31_n_truncated",
        "bolero_1_hr_negative_control_between_reviews",
        "margetuximab_pr_percent",
        "nefertt_status",
        "table_2_arm_order_between_reviews",
        "tandem_pfs_p",
        "cleopatra_os_increased_to_15",
    ],
)
def test_known_traps_are_explained(conflict: str) -> None:
    entry = CONFLICTS[conflict]
    assert entry.likely_resolution
    assert entry.reason
    assert entry.place_2 is not None


@pytest.mark.parametrize(
    ("value", "likely"),
    [
        ("egf100151.os.median.capecitabine+lapatinib", 17.25),
        ("lin_2012.pfs.median.afatinib", 3.47),
        ("ctg_ma31.n.n.all", 537),
        ("burris_2013.orr.rate.margetuximab", 0.263),
        ("bolero_1.pfs.hormone_receptor_negative.median.paclitaxel+trastuzumab", 13.08),
    ],
)
def test_likely_values_stand_beside_the_print(value: str, likely: float) -> None:
    found = next(v for _, v in VALUES if v.id == value)
    assert found.likely_correct is not None
    assert found.likely_correct.value == pytest.approx(likely, rel=2e-3)
    assert found.likely_correct.value != found.value


def _is_experimental(study: str, v: PublishedValue) -> bool:
    return v.contrast is not None or v.arm in EXPERIMENTAL[study]


def test_no_held_out_figure_may_be_fitted() -> None:
    for study, v in VALUES:
        if study.id in EXPERIMENTAL and _is_experimental(study.id, v):
            assert v.role != "fit", v.id
            if v.endpoint in EFFICACY:
                assert v.role == "held_out", v.id
        if study.id in HELD_OUT_ANALYSES | NEOADJUVANT:
            assert v.role != "fit", v.id
        if study.id == "cerebel" and v.endpoint == "cns_incidence":
            assert v.role == "held_out", v.id


def test_fit_figures_are_unique_and_of_the_whole_study() -> None:
    fitted = [(s, v) for s, v in VALUES if v.role == "fit"]
    keys = Counter((s.id, v.endpoint, v.statistic, v.arm, str(v.contrast)) for s, v in fitted)
    assert [k for k, n in keys.items() if n > 1] == []
    assert [v.id for _, v in fitted if v.population != "all"] == []
    assert {v.endpoint for _, v in fitted} <= {"orr", "cbr", "pfs", "ttp", "os", "cns_orr"}
    # a figure whose number cannot be right is no target; a misnamed arm or a slipped interval bound is
    for _, v in fitted:
        if v.likely_correct is not None and v.likely_correct.value is not None:
            assert v.likely_correct.value == v.value, v.id


def test_values_of_one_print_are_not_two_results() -> None:
    seen: Counter[tuple[object, ...]] = Counter()
    for _, v in VALUES:
        place = (v.source, v.line_start, v.line_end, v.printed)
        seen[
            (*place, v.endpoint, v.statistic, v.arm, str(v.contrast), v.population, v.ae_term, v.ae_grade)
        ] += 1
    assert [k for k, n in seen.items() if n > 1] == []


def test_published_agreement_is_complete() -> None:
    agreement = read_yaml(DATA / "curation" / "agreement.yaml")
    assert agreement["blind_sample"]["items"] >= 300
    for review in ("review_a", "review_b"):
        assert set(agreement["double_extraction"][review]) >= {"endpoints", "claims", "trials", "agents"}
