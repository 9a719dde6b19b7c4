"""Adverse events: rates as given, independent, keyed to twins, overridden by the arm, and their effect on the dose.

Statistical tests use N patients of seed 1. A drawn share may differ from its probability p by 4.5 binomial standard
errors, sqrt(p (1 - p) / N): with about 300 shares in all, chance alone fails one in about five hundred runs (and
the seed is fixed).
"""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from her2.errors import Her2Error, RecordError, UnknownNameError
from her2.evidence.load import load_studies, load_study
from her2.evidence.toxicity import (
    ANY_EVENT,
    TERMS,
    AgentToxicity,
    check_toxicity,
    load_toxicity,
    printed_event,
    published_events,
    toxicity_names,
)
from her2.trials.design import AdverseEvent, Component, load_trial, trial_names
from her2.trials.toxicity import (
    MILD,
    ONSET_SHAPE,
    SEVERE,
    adverse_event_table,
    arm_toxicities,
    arm_toxicity,
    draw_toxicity,
    hazard_scaled,
    toxicity_uniforms,
)

N = 40_000
SEED = 1
CLEOPATRA = ("8 mg/kg then 6 mg/kg q3w", "840 mg then 420 mg q3w", "75 mg/m2 q3w")


def within(share, p, n=N):
    """A drawn share against its probability: 4.5 binomial standard errors."""
    return abs(share - p) <= 4.5 * math.sqrt(p * (1.0 - p) / n) + 1e-12


def parts(**doses):
    return [Component(agent=agent, dose=dose) for agent, dose in doses.items()]


def draw(toxicity, n=N, first=0):
    return draw_toxicity(toxicity, toxicity_uniforms(toxicity, SEED, first, n))


def sourced(**values):
    return {**values, "quality": "assumed", "source": "inferred_c", "locator": "test"}


def rate(value):
    return sourced(value=value, unit="fraction")


def agent_file(terms, *, weeks=20.0, lowest=None, agent="docetaxel"):
    """A file of adverse events for tests: terms as keyword dictionaries."""
    data = {
        "id": agent,
        "says": "test",
        "exposure": sourced(value=weeks, unit="week"),
        "terms": {name: {"onset": sourced(value=14.0, unit="day"), **term} for name, term in terms.items()},
    }
    if lowest is not None:
        data["lowest_dose"] = rate(lowest)
    return data


def one_agent(terms, **options):
    """Toxicity of docetaxel alone with a file of the test's own."""
    entry = AgentToxicity.model_validate(agent_file(terms, **options))
    return arm_toxicity(parts(docetaxel="75 mg/m2 q3w"), load=lambda _: entry)


@pytest.fixture
def own_record(tmp_path, monkeypatch):
    """Write files of adverse events into a user folder."""
    (tmp_path / "toxicity").mkdir()
    monkeypatch.setenv("HER2_RECORD", str(tmp_path))

    def write(data, name=None):
        path = tmp_path / "toxicity" / f"{name or data['id']}.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return path

    return write


# the record


def test_the_shipped_files_have_no_findings():
    assert [str(f) for f in check_toxicity()] == []


def test_no_shipped_file_writes_down_more_than_its_sources_say():
    """A rate called measured that names one printed figure is that figure."""
    printed = {v.id: v for study in load_studies().values() for v in study.values}
    compared = 0
    for name in toxicity_names():
        for place, part in load_toxicity(name).parts():
            if part.quality == "measured" and len(part.values) == 1:
                figure = printed[part.values[0]]
                assert part.value == pytest.approx(figure.value), f"{name}, {place}"
                compared += 1
    assert compared > 30


def test_random_indices_are_distinct():
    every = [
        cause.index
        for name in toxicity_names()
        for cause in arm_toxicity(
            [Component(agent=name, dose="1 mg q3w")], load=_rates_without_doses(name)
        ).causes
    ]
    assert len(set(every)) == len(every) > 200
    # two numbers each, clear of one another and of 32 bits
    assert not {i + 1 for i in every} & set(every)
    assert max(every) + 1 < 2**32


def _rates_without_doses(name):
    entry = load_toxicity(name)
    terms = {k: t.model_copy(update={"dose_exponent": None}) for k, t in entry.terms.items()}
    return lambda _: entry.model_copy(update={"terms": terms, "dose_exponent": None})


@pytest.mark.parametrize("name", trial_names())
def test_every_arm_of_every_trial_has_adverse_events(name):
    for arm in load_trial(name).arms:
        for toxicity in arm_toxicities(arm):
            assert toxicity.without == (), f"{name}, {arm.id}: no adverse events of {toxicity.without}"
            assert all(0.0 <= c.severe <= c.any <= 1.0 for c in toxicity.causes)


# rates


@pytest.mark.parametrize(
    "doses",
    [
        dict(zip(("trastuzumab", "pertuzumab", "docetaxel"), CLEOPATRA, strict=True)),
        {"lapatinib": "1250 mg qd", "capecitabine": "1000 mg/m2 bid d1-14 q3w"},
        {"everolimus": "10 mg qd", "paclitaxel": "80 mg/m2 d1,8,15 q4w", "trastuzumab": "2 mg/kg qw"},
        {"t_dm1": "3.6 mg/kg q3w"},
    ],
)
def test_drawn_events_have_the_rates_given(doses):
    toxicity = arm_toxicity(parts(**doses))
    grade = draw(toxicity).grade()
    for k, term in enumerate(toxicity.terms):
        assert within(np.mean(grade[k] >= SEVERE), toxicity.rate(term)), term
        assert within(np.mean(grade[k] >= MILD), toxicity.rate(term, "any")), term


def test_agents_combine_as_independent():
    toxicity = arm_toxicity(
        parts(**dict(zip(("trastuzumab", "pertuzumab", "docetaxel"), CLEOPATRA, strict=True)))
    )
    own = {c.agent: (k, c) for k, c in enumerate(toxicity.causes) if c.term == "diarrhoea"}
    (i, first), (j, second) = own["docetaxel"], own["pertuzumab"]
    assert toxicity.rate("diarrhoea") == pytest.approx(1 - (1 - first.severe) * (1 - second.severe))
    week = draw(toxicity).any_week
    both = np.isfinite(week[i]) & np.isfinite(week[j])
    assert within(both.mean(), first.any * second.any)


def test_the_record_gives_back_the_figures_it_is_derived_from():
    """The arms of CLEOPATRA and M77001 without what their trial files say."""
    trastuzumab, pertuzumab, docetaxel = CLEOPATRA
    for study, arm, doses in (
        (
            "cleopatra",
            "docetaxel+pertuzumab+trastuzumab",
            {"trastuzumab": trastuzumab, "pertuzumab": pertuzumab, "docetaxel": docetaxel},
        ),
        ("cleopatra", "docetaxel+trastuzumab", {"trastuzumab": trastuzumab, "docetaxel": docetaxel}),
        ("m77001", "docetaxel+trastuzumab", {"trastuzumab": "2 mg/kg qw", "docetaxel": "100 mg/m2 q3w"}),
        ("m77001", "docetaxel", {"docetaxel": "100 mg/m2 q3w"}),
    ):
        toxicity = arm_toxicity(parts(**doses))
        found = published_events(load_study(study), arm)
        assert found
        for (term, severity), value in found.items():
            assert toxicity.rate(term, severity) == pytest.approx(value.value, abs=5e-4), (study, arm, term)


def test_a_neighbour_multiplies_the_hazard_only_at_the_same_time():
    file = agent_file(
        {
            "neutropenia": {
                "severe": rate(0.2),
                "with": [sourced(agents=["trastuzumab", "pertuzumab"], severe=1.5, unit="ratio")],
            }
        }
    )
    entry, empty = AgentToxicity.model_validate(file), AgentToxicity.model_validate(agent_file({}))

    def neutropenia(*components):
        toxicity = arm_toxicity(components, load=lambda a: entry if a == "docetaxel" else empty)
        return toxicity.rate("neutropenia")

    docetaxel = Component(agent="docetaxel", dose="75 mg/m2 q3w x8")
    beside = Component(agent="trastuzumab", dose="6 mg/kg q3w")
    third = Component(agent="pertuzumab", dose="420 mg q3w")
    after = Component(agent="trastuzumab", dose="6 mg/kg q3w", start="24 week")
    assert neutropenia(docetaxel) == pytest.approx(0.2)
    assert neutropenia(docetaxel, beside) == pytest.approx(1 - 0.8**1.5)
    # one entry counts once, whichever of its agents are given
    assert neutropenia(docetaxel, beside, third) == pytest.approx(1 - 0.8**1.5)
    assert neutropenia(docetaxel, after) == pytest.approx(0.2)


def test_the_hazard_goes_with_the_dose():
    term = load_toxicity("docetaxel").terms["febrile_neutropenia"]
    low = arm_toxicity(parts(docetaxel="75 mg/m2 q3w")).rate("febrile_neutropenia")
    high = arm_toxicity(parts(docetaxel="100 mg/m2 q3w")).rate("febrile_neutropenia")
    assert low == pytest.approx(term.severe.value)
    assert high == pytest.approx(hazard_scaled(low, (100 / 75) ** term.dose_exponent.value))
    # a dose in another unit cannot be compared
    assert arm_toxicity(parts(docetaxel="120 mg q3w")).rate("febrile_neutropenia") == pytest.approx(low)


def test_a_short_course_has_the_events_of_its_time():
    file = agent_file({"diarrhoea": {"severe": rate(0.3)}}, weeks=24.0)
    entry = AgentToxicity.model_validate(file)
    toxicity = arm_toxicity(parts(docetaxel="75 mg/m2 q3w x2"), load=lambda _: entry)

    def reached(days):
        return days**ONSET_SHAPE / (days**ONSET_SHAPE + 14.0**ONSET_SHAPE)

    assert toxicity.rate("diarrhoea") == pytest.approx(0.3 * reached(42.0) / reached(168.0))
    week = draw(toxicity).severe_week
    assert week[np.isfinite(week)].max() <= 6.0


def test_onsets_have_the_median_given():
    """Median 14 days, cut at 20 weeks; the tolerance is 4.5 standard errors of a sample median, 0.5/(f sqrt(n))."""
    toxicity = one_agent({"diarrhoea": {"any": rate(0.5)}})
    week = draw(toxicity).any_week[0]
    days = 7.0 * week[np.isfinite(week)]
    quantile = 0.5 / (1.0 + (14.0 / 140.0) ** ONSET_SHAPE)
    median = 14.0 * math.sqrt(quantile / (1.0 - quantile))
    density = ONSET_SHAPE * quantile * (1.0 - quantile) / median / (2.0 * quantile)
    assert np.median(days) == pytest.approx(median, abs=4.5 * 0.5 / (density * math.sqrt(days.size)))
    assert days.max() <= 140.0


# twins


def test_the_same_event_strikes_the_same_twins_in_every_arm(cleopatra):
    with_, without = (draw(t) for arm in cleopatra.arms for t in arm_toxicities(arm))
    tox_with, tox_without = (t for arm in cleopatra.arms for t in arm_toxicities(arm))
    compared = 0
    for i, a in enumerate(tox_with.causes):
        for j, b in enumerate(tox_without.causes):
            if (a.term, a.agent) == (b.term, b.agent):
                rarer, commoner = (
                    (without.severe_week[j], with_.severe_week[i])
                    if b.severe <= a.severe
                    else (with_.severe_week[i], without.severe_week[j])
                )
                assert not (np.isfinite(rarer) & ~np.isfinite(commoner)).any(), a.term
                if a.severe == b.severe:
                    np.testing.assert_array_equal(rarer, commoner)
                compared += 1
    assert compared > 15


def test_patients_do_not_depend_on_who_is_drawn_with_them():
    toxicity = arm_toxicity(parts(capecitabine="1250 mg/m2 bid d1-14 q3w", trastuzumab="6 mg/kg q3w"))
    whole, part = draw(toxicity, n=300), draw(toxicity, n=100, first=150)
    index = np.arange(150, 250)
    taken = whole.take(index)
    for name in ("from_week", "dose_factor", "stop_week", "severe_week", "any_week", "stopped"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(part, name))


# what the arm says itself


def test_an_arm_overrides_the_terms_of_the_same_name(cleopatra):
    arm = cleopatra.arm("docetaxel+pertuzumab+trastuzumab")
    (toxicity,) = arm_toxicities(arm)
    for event in arm.adverse_events:
        assert toxicity.rate(event.term) == pytest.approx(event.rate)
        (cause,) = (c for c in toxicity.causes if c.term == event.term)
        assert cause.agent == event.action.agent
        assert dict(cause.actions)[cause.agent].dose_factor == event.action.dose_factor
        assert cause.given_from.startswith("trial file: review_b")
    record = arm_toxicity(arm.regimen)
    assert toxicity.rate("rash", "any") == pytest.approx(record.rate("rash", "any"))


def _event(term, share, agent=None, factor=0.8):
    action = None if agent is None else {"agent": agent, "dose_factor": factor}
    return AdverseEvent.model_validate({"term": term, "rate": share, "action": action})


LAPATINIB = {"lapatinib": "1250 mg qd", "capecitabine": "1000 mg/m2 bid d1-14 q3w"}


def test_an_event_without_action_scales_what_the_record_has():
    record = arm_toxicity(parts(**LAPATINIB))
    toxicity = arm_toxicity(parts(**LAPATINIB), [_event("diarrhoea", 0.3)])
    old = {c.agent: c for c in record.causes if c.term == "diarrhoea"}
    new = {c.agent: c for c in toxicity.causes if c.term == "diarrhoea"}
    assert toxicity.rate("diarrhoea") == pytest.approx(0.3)
    assert set(new) == {"lapatinib", "capecitabine"}
    ratios = [math.log1p(-new[a].severe) / math.log1p(-old[a].severe) for a in new]
    assert ratios[0] == pytest.approx(ratios[1])
    assert {a: c.actions for a, c in new.items()} == {a: c.actions for a, c in old.items()}


def test_one_event_can_act_on_several_agents():
    events = [_event("diarrhoea", 0.3, "capecitabine", 0.75), _event("diarrhoea", 0.3, "lapatinib", 0.8)]
    toxicity = arm_toxicity(parts(**LAPATINIB), events)
    (cause,) = (c for c in toxicity.causes if c.term == "diarrhoea")
    assert cause.severe == 0.3
    assert {a: x.dose_factor for a, x in cause.actions} == {"capecitabine": 0.75, "lapatinib": 0.8}
    # holds and stops stay as in the record
    assert dict(cause.actions)["lapatinib"].discontinue == (
        load_toxicity("lapatinib").terms["diarrhoea"].action.discontinue
    )


def test_an_event_of_no_agent_and_one_of_rate_zero():
    toxicity = arm_toxicity(parts(**LAPATINIB), [_event("pneumonitis", 0.05), _event("rash", 0.0)])
    (cause,) = (c for c in toxicity.causes if c.term == "pneumonitis")
    assert (cause.agent, cause.severe, cause.actions) == ("", 0.05, ())
    assert "rash" not in toxicity.terms
    assert within(np.mean(draw(toxicity).grade()[toxicity.terms.index("pneumonitis")] >= SEVERE), 0.05)


def test_a_name_that_studies_print_stands_for_any_grade():
    doses = {"paclitaxel": "175 mg/m2 q3w", "trastuzumab": "2 mg/kg qw"}
    toxicity = arm_toxicity(parts(**doses), [_event("cardiac_dysfunction", 0.2)])
    assert toxicity.rate("lvef_decline", "any") == pytest.approx(0.2)
    assert toxicity.rate("lvef_decline") == pytest.approx(arm_toxicity(parts(**doses)).rate("lvef_decline"))


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([_event("diarrhea", 0.1)], r"adverse_events.0.term: unknown term 'diarrhea'; nearest: 'diarrhoea'"),
        ([_event("diarrhoea", 0.1, "docetaxel")], r"adverse_events.0.action: unknown agent 'docetaxel'"),
        ([_event("diarrhoea", 1.0)], r"adverse_events.0.rate: 1 is impossible"),
        ([_event("rash", 0.1), _event("rash", 0.2)], r"adverse_events.1.rate: 0.2, but 0.1 before"),
    ],
)
def test_bad_events_of_an_arm_are_named(events, says):
    with pytest.raises(Her2Error, match=says):
        arm_toxicity(parts(**LAPATINIB), events)


def test_an_unknown_agent_is_named():
    with pytest.raises(
        UnknownNameError, match=r"regimen.0.agent: unknown agent 'docetaxl'; nearest: 'docetaxel'"
    ):
        arm_toxicity(parts(docetaxl="75 mg/m2 q3w"))


def test_an_agent_without_a_file_is_given_without_toxicity():
    toxicity = arm_toxicity(parts(docetaxel="75 mg/m2 q3w", placebo="1 mg qd"))
    assert toxicity.without == ("placebo",)
    assert draw(toxicity, n=10).on(["placebo"])[1].tolist() == [[1.0] * 10]


# doses


def test_a_hold_and_a_reduction_lower_the_dose_as_in_closed_form():
    """One event of probability p, hold h, factor f, exposure T: after it the mean dose is f (1 - h/T)."""
    p, f, h, weeks = 0.4, 0.75, 2.0, 20.0
    action = sourced(hold="2 week", dose_factor=f)
    toxicity = one_agent({"diarrhoea": {"severe": rate(p), "action": action}}, weeks=weeks)
    course = draw(toxicity)
    hit = np.isfinite(course.severe_week[0])
    after = f * (1.0 - h / weeks)
    np.testing.assert_allclose(course.dose_factor[0, hit], after, rtol=1e-12)
    np.testing.assert_array_equal(course.dose_factor[0, ~hit], 1.0)
    np.testing.assert_array_equal(course.from_week[0, hit], np.floor(course.severe_week[0, hit]) + 1.0)
    np.testing.assert_array_equal(course.held_week[0], np.where(hit, h, 0.0))
    lost = (1.0 - course.dose_factor[0].mean()) / (1.0 - after)
    assert within(lost, p)
    first = np.where(hit, course.from_week[0], 0.0)
    expected = np.where(hit, (first + after * (30.0 - first)) / 30.0, 1.0)
    np.testing.assert_allclose(course.dose_intensity(0.0, 30.0)[0], expected, rtol=1e-12)


def test_two_reductions_multiply_down_to_the_lowest_dose():
    terms = {
        "diarrhoea": {"severe": rate(0.6), "action": sourced(dose_factor=0.7)},
        "rash": {"severe": rate(0.6), "action": sourced(dose_factor=0.7)},
    }
    for lowest, level in ((None, 0.49), (0.6, 0.6)):
        course = draw(one_agent(terms, lowest=lowest), n=2000)
        week = np.floor(course.severe_week) + 1.0
        both = np.isfinite(week).all(axis=0)
        between = np.minimum(np.abs(week[0, both] - week[1, both]), 20.0)
        expected = (0.7 * between + level * (20.0 - between)) / 20.0
        np.testing.assert_allclose(course.dose_factor[0, both], expected, rtol=1e-12)


def test_overlapping_holds_are_not_counted_twice():
    action = sourced(hold="4 week")
    terms = {name: {"severe": rate(0.9), "action": action} for name in ("diarrhoea", "rash")}
    course = draw(one_agent(terms), n=2000)
    week = np.floor(course.severe_week) + 1.0
    both = np.isfinite(week).all(axis=0)
    apart = np.abs(week[0, both] - week[1, both])
    expected = np.minimum(4.0, apart) + 4.0
    inside = apart <= 16.0
    np.testing.assert_array_equal(course.held_week[0, both][inside], expected[inside])


def test_shares_of_events_stop_or_change_the_dose():
    p, share, discontinue = 0.5, 0.6, 0.2
    action = sourced(share=share, discontinue=discontinue, dose_factor=0.8)
    course = draw(one_agent({"diarrhoea": {"severe": rate(p), "action": action}}))
    stopped, changed = np.isfinite(course.stop_week[0]), np.isfinite(course.from_week[0])
    assert within(stopped.mean(), p * discontinue)
    assert within(changed.mean(), p * (share - discontinue))
    assert not (stopped & changed).any()
    np.testing.assert_array_equal(course.discontinued()[0], stopped)


def test_mild_events_have_their_own_action():
    terms = {
        "stomatitis": {
            "severe": rate(0.1),
            "any": rate(0.6),
            "action": sourced(dose_factor=0.5),
            "mild_action": sourced(dose_factor=0.9),
        }
    }
    course = draw(one_agent(terms))
    grade = course.grade()[0]
    for value, factor in ((0, 1.0), (MILD, 0.9), (SEVERE, 0.5)):
        np.testing.assert_allclose(course.dose_factor[0, grade == value], factor)


def test_an_action_reaches_other_agents_that_are_given():
    file = agent_file(
        {"lvef_decline": {"severe": rate(0.5), "action": sourced(discontinue=1.0, also=["pertuzumab"])}}
    )
    entry, empty = AgentToxicity.model_validate(file), AgentToxicity.model_validate(agent_file({}))
    doses = {"docetaxel": "75 mg/m2 q3w", "pertuzumab": "420 mg q3w"}
    toxicity = arm_toxicity(parts(**doses), load=lambda a: entry if a == "docetaxel" else empty)
    course = draw(toxicity, n=500)
    np.testing.assert_array_equal(course.stop_week[0], course.stop_week[1])
    from_week, factor, stop = course.on(["pertuzumab", "lapatinib"])
    np.testing.assert_array_equal(stop[0], course.stop_week[1])
    assert np.isinf(stop[1]).all() and np.isinf(from_week[1]).all() and (factor == 1.0).all()


def test_given_cycles_hold_the_stops():
    component = {"agent": "docetaxel", "dose": "75 mg/m2 q3w"}
    cycles = {"median": 8, "low": 1, "high": 35}
    free = arm_toxicity([Component.model_validate(component)])
    counted = arm_toxicity([Component.model_validate({**component, "cycles": cycles})])
    assert np.isfinite(draw(free, n=2000).stop_week).any()
    assert np.isinf(draw(counted, n=2000).stop_week).all()
    assert free.rate("diarrhoea") == counted.rate("diarrhoea")


def test_changes_wait_for_an_agent_that_starts_later():
    later = Component(agent="docetaxel", dose="75 mg/m2 q3w", start="12 week")
    course = draw(arm_toxicity([later]), n=2000)
    assert course.from_week.min() > 12.0
    assert (course.dose_intensity(0.0, 12.0) == 1.0).all()


def test_uniforms_of_another_shape_are_refused():
    toxicity = arm_toxicity(parts(docetaxel="75 mg/m2 q3w"))
    with pytest.raises(ValueError, match="expected shape"):
        draw_toxicity(toxicity, np.full((2, 2, 5), 0.5))


# the table


def test_the_table_sets_drawn_beside_published(cleopatra):
    arm = cleopatra.arms[0]
    (toxicity,) = arm_toxicities(arm)
    course = draw(toxicity, n=4000)
    rows = {r.term: r for r in adverse_event_table([(toxicity, course)], load_study("cleopatra"), arm.id)}
    for row in rows.values():
        assert within(row.severe, row.given_severe, 4000) and within(row.any, row.given_any, 4000), row.term
        assert 0.0 <= row.discontinued <= row.any
    assert rows["diarrhoea"].published_severe.value == arm.adverse_events[1].rate
    assert rows["diarrhoea"].published_any is not None
    assert "trial file: review_b" in rows["febrile_neutropenia"].given_from
    assert list(rows)[-1] == ANY_EVENT


def test_events_after_the_end_of_treatment_are_left_out():
    toxicity = arm_toxicity(parts(**LAPATINIB))
    course = draw(toxicity, n=4000)
    half = adverse_event_table([(toxicity, course)], weeks=[np.full(4000, 4.0)])
    whole = {r.term: r for r in adverse_event_table([(toxicity, course)])}
    assert all(r.any <= whole[r.term].any for r in half)
    assert all(r.any < whole[r.term].any for r in half if r.term in ("diarrhoea", "hand_foot_syndrome"))


def test_options_are_weighted_by_their_patients():
    arm = load_trial("th3resa").arm("physicians_choice")
    options = arm_toxicities(arm)
    sizes = [3000, *[500] * (len(options) - 1)]
    drawn = [(t, draw(t, n=size)) for t, size in zip(options, sizes, strict=True)]
    rows = {r.term: r for r in adverse_event_table(drawn)}
    for term in ("neutropenia", "fatigue"):
        expected = sum(s * t.rate(term) for t, s in zip(options, sizes, strict=True)) / sum(sizes)
        assert rows[term].given_severe == pytest.approx(expected)


def test_an_empty_table_is_refused():
    toxicity = arm_toxicity(parts(docetaxel="75 mg/m2 q3w"))
    with pytest.raises(ValueError, match="at least one patient"):
        adverse_event_table([(toxicity, draw(toxicity, n=1).take(np.array([], dtype=np.int64)))])


def test_held_out_figures_are_not_shown_unasked():
    study = load_study("cleopatra")
    value = next(v for v in study.values if printed_event(v) is not None)
    hidden = study.model_copy(update={"values": (value.model_copy(update={"role": "held_out"}),)})
    assert published_events(hidden, value.arm) == {}
    assert list(published_events(hidden, value.arm, show_held_out=True)) == [printed_event(value)]


# bad files


BAD = [
    (("terms", "diarrhoea", "severe", "value"), 1.2, r"terms.diarrhoea.severe.value: .*less than 1"),
    (
        ("terms", "diarrhoea", "severe", "value"),
        -0.1,
        r"terms.diarrhoea.severe.value: .*greater than or equal to 0",
    ),
    (("terms", "diarrhoea", "severe", "unit"), "%", r"terms.diarrhoea.severe.unit: .*'fraction'"),
    (("terms", "diarrhoea", "severe", "value"), float("nan"), r"finite number"),
    (("terms", "diarrhea"), {}, r"terms.diarrhea"),
    (("terms", "diarrhoea", "any"), rate(0.05), r"any grade 0.05 is less than grade 3-4 0.1"),
    (("terms", "diarrhoea", "onset", "unit"), "month", r"terms.diarrhoea.onset.unit: .*'day' or 'week'"),
    (
        ("terms", "diarrhoea", "onset", "value"),
        400.0,
        r"400 days lies after the typical exposure of 140 days",
    ),
    (
        ("terms", "diarrhoea", "action"),
        sourced(hold="3 month"),
        r"action.hold: expected a time such as '1 week'",
    ),
    (
        ("terms", "diarrhoea", "action"),
        sourced(share=0.1, discontinue=0.2),
        r"discontinue 0.2 is more than share 0.1",
    ),
    (("terms", "diarrhoea", "onsett"), 1.0, r"terms.diarrhoea.onsett: unknown key 'onsett'"),
    (("exposur",), 1.0, r"unknown key 'exposur'; nearest: 'exposure'"),
    (("id",), "paclitaxel", r"id: 'paclitaxel' does not match the file name 'docetaxel'"),
]


@pytest.mark.parametrize(("keys", "value", "says"), BAD)
def test_a_bad_file_says_where_and_what(own_record, keys, value, says):
    data = agent_file({"diarrhoea": {"severe": rate(0.1)}})
    target = data
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = value
    path = own_record(data, "docetaxel")
    with pytest.raises(RecordError, match=says) as caught:
        load_toxicity("docetaxel")
    assert str(path) in str(caught.value)
    assert any(str(path) == f.file for f in check_toxicity())


def test_an_unknown_term_is_named(own_record):
    own_record(agent_file({"diarrhoeaa": {"severe": rate(0.1)}}))
    with pytest.raises(RecordError, match=r"unknown term 'diarrhoeaa'; nearest: 'diarrhoea'"):
        load_toxicity("docetaxel")


def _held_out():
    return next(v.id for s in load_studies().values() for v in s.values if v.role == "held_out")


def _with(**changes):
    return {"diarrhoea": {"severe": rate(0.1), **changes}}


LINTED = [
    (_with(action=sourced(also=["perjeta"])), r"terms.diarrhoea.action.also: unknown agent 'perjeta'"),
    (
        _with(**{"with": [sourced(agents=["lapatinb"], severe=2.0, unit="ratio")]}),
        r"terms.diarrhoea.with.0: unknown agent 'lapatinb'; nearest: 'lapatinib'",
    ),
    (_with(regimen="thrice"), r"terms.diarrhoea.regimen: unknown regimen of docetaxel 'thrice'"),
    (_with(dose_exponent=sourced(value=1.0, unit="1")), r"dose_exponent: needs a 'regimen'"),
    (
        _with(severe={**rate(0.1), "source": "nobody"}),
        r"terms.diarrhoea.severe: source 'nobody' does not exist",
    ),
    (
        _with(severe={**rate(0.1), "values": ["cleopatra.none"]}),
        r"terms.diarrhoea.severe: figure 'cleopatra.none' is not in the record",
    ),
    (
        lambda: _with(severe={**rate(0.1), "values": [_held_out()]}),
        r"terms.diarrhoea.severe: figure '.*' is held out and cannot be an input",
    ),
]


@pytest.mark.parametrize(("terms", "says"), LINTED)
def test_lint_finds_names_that_do_not_exist(own_record, terms, says):
    path = own_record(agent_file(terms() if callable(terms) else terms))
    (finding,) = check_toxicity()
    assert finding.file == str(path) and finding.user and finding.mend
    assert re.search(says, str(finding))


def test_lint_finds_a_file_of_no_agent(own_record):
    own_record(agent_file(_with(), agent="docetaxl"))
    (finding,) = check_toxicity()
    assert "unknown agent 'docetaxl'; nearest: 'docetaxel'" in finding.what


def test_the_users_file_goes_before_the_shipped_one(own_record):
    own_record(agent_file({"diarrhoea": {"severe": rate(0.33)}}))
    toxicity = arm_toxicity(parts(docetaxel="75 mg/m2 q3w"))
    assert toxicity.terms == ("diarrhoea",)
    assert toxicity.rate("diarrhoea") == pytest.approx(0.33)


def test_terms_are_sorted_and_have_a_label():
    assert list(TERMS) == sorted(TERMS)
    assert all(a != b for a, b in itertools.pairwise(TERMS.values()))
    assert ANY_EVENT not in TERMS


def test_an_empty_term_is_refused():
    with pytest.raises(ValidationError, match="give 'severe', 'any' or both"):
        AgentToxicity.model_validate(agent_file({"rash": {}}))
