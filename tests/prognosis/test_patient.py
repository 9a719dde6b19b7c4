"""The prediction of one patient."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import get_args, get_origin, get_type_hints

import numpy as np
import pytest
from small_case import SECOND_LINE, SMALL

from her2.evidence.record import load_record
from her2.evidence.trace import build_graph
from her2.prognosis.predict import predict_patient
from her2.prognosis.result import PatientResult, SequenceResult
from her2.prognosis.routes import ROUTES
from her2.prognosis.sequences import compare_sequences
from her2.prognosis.settings import load_settings
from her2.prognosis.twins import IncompatibleHistory
from her2.sequencing.state import state_of

KEYS = Path(__file__).parent / "data" / "json_fields.txt"


def with_line(**changes):
    (line,) = SECOND_LINE["lines"]
    return state_of({**SECOND_LINE, "lines": [{**line, **changes}]}, "case")


def test_options_of_the_rules_come_first_in_their_order_then_those_named(predicted):
    positions = [c.position for c in predicted.courses if c.position is not None]
    assert positions == sorted(positions) and positions[0] == 1
    named = next(c for c in predicted.courses if c.regimen == "capecitabine+trastuzumab")
    assert named.verdict and named.limits


def test_numbers_are_out_of_100_with_nested_intervals(predicted):
    for c in predicted.courses:
        for rate in (c.orr, c.brain, c.severe):
            low, high = rate.interval_90
            assert 0 <= low <= rate.interval_50[0] <= rate.interval_50[1] <= high <= 100
        assert c.pfs.median is not None and c.pfs.interval_90[0] <= c.pfs.median
        assert c.os.median is None or c.os.median >= c.pfs.median


def test_the_effective_number_of_twins_is_enough_and_falls_with_every_item(predicted):
    t = predicted.twins
    assert t.effective >= t.least
    numbers = list(t.after.values())
    assert numbers[-1] == pytest.approx(t.effective)
    assert t.followed <= SMALL.twins


def test_known_markers_are_known_routes_and_not_tried(predicted):
    pik3ca = next(r for r in predicted.routes if r.id == "pik3ca")
    assert (pik3ca.prior, pik3ca.posterior, pik3ca.known) == (0.0, 0.0, "wild_type")
    assert all(x.route not in ("pik3ca", "er") for c in predicted.courses for x in c.limits)


def test_without_a_route_the_twins_who_do_not_carry_it_are_the_same(predicted):
    for c in predicted.courses:
        for x in c.limits:
            assert 0.0 < x.carriers <= 1.0
            # twins without the route differ by nothing, so the mean over all is the carriers' share of theirs
            assert abs(x.gain.value) <= abs(x.carriers_gain) + 1e-9


def test_progression_early_on_trastuzumab_makes_trastuzumab_options_look_worse(models):
    courses = {}
    for months, response in ((3, "stable"), (24, "partial")):
        result = predict_patient(
            with_line(months=months, best_response=response), options=["capecitabine+trastuzumab"], models=models,
            effort=replace(SMALL, explained=0),
        )  # fmt: skip
        assert not result.refused
        courses[months] = next(c for c in result.courses if c.regimen == "capecitabine+trastuzumab")
    assert courses[3].pfs.median < courses[24].pfs.median
    assert courses[3].orr.value < courses[24].orr.value


def test_the_order_of_fields_does_not_matter(predicted, models):
    def reversed_case(x):
        return {k: reversed_case(v) for k, v in reversed(x.items())} if isinstance(x, dict) else x

    case = reversed_case(SECOND_LINE)
    case["lines"] = [reversed_case({**SECOND_LINE["lines"][0], "agents": ["Herceptin", "docetaxel"]})]
    again = predict_patient(
        state_of(case, "case"), options=["trastuzumab+capecitabine"], models=models, effort=SMALL
    )
    assert json.dumps(again.as_json(), sort_keys=True) == json.dumps(predicted.as_json(), sort_keys=True)


def test_the_number_of_threads_does_not_change_a_digit(predicted, second_line, models):
    again = predict_patient(
        second_line, options=["capecitabine+trastuzumab"], models=models, effort=replace(SMALL, jobs=2)
    )
    assert again.run.digest == predicted.run.digest


@pytest.mark.parametrize("her2", ["negative", "low", "unknown"])
def test_without_her2_positive_disease_nothing_is_offered_or_predicted(her2):
    state = state_of({**SECOND_LINE, "her2": her2}, "case")
    result = predict_patient(state, options=["t_dm1"], effort=SMALL)
    assert result.refused and result.advice.refused
    assert not result.courses and not result.advice.options
    assert "her2" in {i for r in result.refusals for i in r.items}


@pytest.mark.parametrize(
    ("changes", "item"),
    [
        ({"lines": [{"agents": ["megadrug"], "stopped_for": "progression"}]}, "lines.0.agents"),
        ({"lines": [{"agents": ["taxane", "trastuzumab"], "stopped_for": "progression"}]}, "lines.0.agents"),
        ({"lines": [{"stopped_for": "progression"}]}, "lines.0.agents"),
        ({"lines": "unknown"}, "lines"),
        ({"setting": "adjuvant", "lines": [], "cns": "unknown"}, "setting"),
        ({"phase": "best_response"}, "phase"),
        ({"pregnant": True}, "pregnant"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_its_item(changes, item):
    result = predict_patient(state_of({**SECOND_LINE, **changes}, "case"), effort=SMALL)
    assert item in {i for r in result.refusals for i in r.items}
    assert not result.courses


def test_a_history_that_does_not_fit_is_refused_with_the_item(models):
    result = predict_patient(
        with_line(months=30, best_response="progression"), models=models, effort=replace(SMALL, draws=480)
    )
    (refusal,) = result.refusals
    assert refusal.items == ("lines.0.best_response",)
    assert not result.courses and result.advice.options


def test_too_few_twins_are_widened_and_then_refused(models, monkeypatch):
    from her2.prognosis import twins

    real = twins.setting
    monkeypatch.setattr(
        twins, "setting", lambda name: {"most_drawn": 600.0, "least_effective": 400.0}.get(name, real(name))
    )
    result = predict_patient(with_line(months=9), models=models, effort=SMALL)
    (refusal,) = result.refusals
    assert "600 virtual patients" in refusal.says and "fewer than the 400 needed" in refusal.says
    assert refusal.items[0].startswith("lines.0")


def test_the_refusal_is_an_error_of_ours():
    error = IncompatibleHistory("text", "lines.0.months", {"lines.0.months": 1.0})
    assert error.item == "lines.0.months" and error.numbers == {"lines.0.months": 1.0}


def test_an_unknown_option_is_an_error_and_one_that_cannot_be_given_is_listed(second_line, models):
    from her2.errors import RecordError

    with pytest.raises(RecordError, match="unknown agent"):
        predict_patient(second_line, options=["tdm2000"], models=models, effort=SMALL)
    result = predict_patient(
        second_line,
        options=["hsp90_inhibitor+trastuzumab"],
        models=models,
        effort=replace(SMALL, explained=0),
    )
    assert [x.regimen for x in result.not_predicted] == ["hsp90_inhibitor+trastuzumab"]


def test_a_first_line_needs_no_history(models):
    state = state_of({**SECOND_LINE, "lines": "none"}, "case")
    result = predict_patient(state, models=models, effort=replace(SMALL, explained=0))
    assert result.twins.effective == pytest.approx(SMALL.draws)
    assert all(r.prior == pytest.approx(r.posterior) for r in result.routes)
    assert "resistant_clones" not in {r.id for r in result.routes}


def test_every_sentence_names_entries_of_the_record(predicted):
    graph = build_graph(load_record())
    known = {n.id for n in graph.nodes.values()}
    for sentence in predicted.sentences:
        assert sentence.ids, sentence.text
        missing = [i for i in sentence.ids if i not in known]
        assert not missing, (sentence.text, missing)
    for route in ROUTES:
        assert set(route.ids) <= known, route.id


def test_the_shape_of_the_json_is_stable(predicted, second_line, models):
    """Fields of the results as a list: a change here is a change for everybody who reads the JSON."""
    effort = replace(SMALL, draws=120, twins=30)
    compared = compare_sequences(second_line, depth=1, models=models, effort=effort)
    shapes = {"patient": fields_of(PatientResult), "sequence": fields_of(SequenceResult)}
    listed = [f"{name} {path}" for name, paths in shapes.items() for path in sorted(paths)]
    assert listed == KEYS.read_text(encoding="utf-8").splitlines()
    for name, result in (("patient", predicted), ("sequence", compared)):
        data = result.as_json()
        assert json.loads(json.dumps(data, allow_nan=False)) == data
        del data["advice"]  # the shape of `her2 options --json`
        assert keys_in(data) <= shapes[name] | {"refused"}


def fields_of(kind, path=""):
    """Paths of all fields of a dataclass, through tuples and optional parts."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        skipped = ("advice", "curves") if not path else ()
        below = [
            fields_of(hints[f.name], f"{path}.{f.name}".lstrip("."))
            for f in fields(kind)
            if f.name not in skipped
        ]
        return set().union(*below)
    parts = [a for a in get_args(kind) if a not in (type(None), Ellipsis)]
    if get_origin(kind) is tuple:
        return set().union(*(fields_of(a, f"{path}[]") for a in parts))
    if get_origin(kind) is Mapping or not parts:
        return {path}
    return set().union(*(fields_of(a, path) for a in parts))


def keys_in(data, path=""):
    """Paths of all values of a JSON object; the effective numbers by item are one value."""
    if isinstance(data, dict) and path != "twins.after":
        return set().union(*(keys_in(v, f"{path}.{k}".lstrip(".")) for k, v in data.items()))
    if isinstance(data, list):
        return set().union(*(keys_in(v, f"{path}[]") for v in data)) if data else set()
    # an optional part that is missing stands for its fields
    return {path} if data is not None or path.rpartition(".")[2] not in ("twins", "rules", "prior") else set()


def test_every_output_says_that_it_is_for_research(predicted):
    assert "not for treating patients" in predicted.as_json()["research_use"]


def test_missing_items_are_split_by_their_values(predicted):
    pten = next(m for m in predicted.missing if m.item == "biomarkers.pten")
    assert {v.value for v in pten.values} == {"lost", "present"}
    assert sum(v.share for v in pten.values) == pytest.approx(1.0)
    assert pten.difference >= 0.0 and pten.mc_error > 0.0


def test_missing_items_come_in_the_order_of_what_they_would_change(predicted):
    from her2.prognosis.missing_course import ADVICE_EFFECTS

    def group(m):
        advice = m.rules is not None and m.rules.effect in ADVICE_EFFECTS
        return 0 if advice else 1 if m.is_told_apart else 2 if m.rules is not None else 3

    groups = [group(m) for m in predicted.missing]
    assert groups == sorted(groups)
    said = [s.text for s in predicted.sentences if s.about == "missing"]
    assert said[0].endswith("would change the answer most.")
    assert not any("most" in text for text in said[1:])


def test_what_overcomes_a_route_has_its_evidence_and_is_not_sought_in_the_option_itself():
    from her2.prognosis.limits import overcome_by
    from her2.prognosis.routes import record_mechanisms, route
    from her2.prognosis.sentences import overcome_text

    pten = route("pten")
    found = overcome_by(pten, record_mechanisms())
    assert found and all(o.evidence and o.claims for o in found)
    limit = SimpleNamespace(overcome=found)
    named = sorted({o.what for o in found})
    assert "lapatinib" in named
    text = overcome_text(
        "capecitabine+lapatinib", limit, {"capecitabine+lapatinib", "lapatinib+letrozole", "t_dm1"}
    )
    assert "lapatinib is part of this option already" in text
    assert "among the options predicted: lapatinib + letrozole." in text
    assert "evidence on the mechanism: meta-analysis" in text


def test_a_class_that_is_named_is_found_in_an_option_with_a_member():
    from her2.prognosis.sentences import is_within

    assert is_within("endocrine_therapy", "lapatinib+letrozole")
    assert is_within("everolimus+trastuzumab", "everolimus+trastuzumab+vinorelbine")
    assert not is_within("everolimus+trastuzumab", "capecitabine+trastuzumab")
    assert not is_within("pertuzumab", "t_dm1")


def test_the_graph_of_escape_routes_joins_every_node(predicted):
    from her2.prognosis.pictures import escape_graph

    graph = escape_graph(predicted)
    assert {r.id for r in graph.routes} == {r.id for r in predicted.routes if r.posterior >= 0.01}
    from_routes = {b for column, _, b in graph.edges if column == 0}
    from_mechanisms = {b for column, _, b in graph.edges if column == 1}
    assert from_routes == set(graph.mechanisms) and from_mechanisms == set(graph.against)
    record = {n.id for n in build_graph(load_record()).nodes.values()}
    assert set(graph.mechanisms) <= record


def test_assumptions_have_a_source_and_a_reason():
    for setting in load_settings().values():
        assert setting.quality == "assumed" and setting.locator
        assert setting.source in ("inferred_c", "trial_designs")


def test_routes_taken_away_are_gone(model):
    from her2.patients.sample import sample_cohort

    cohort = sample_cohort(model, dict(model.values), 1, 0, 200)
    resistant = np.full(200, 1.0)
    for route in ROUTES:
        without = route.without(cohort, model.values)
        if route.id in ("resistant_clones", "er"):
            continue
        assert not route.has(without, model.values, resistant).any(), route.id
