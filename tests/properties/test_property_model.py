"""Cells, rules and the record: what holds for every cell, every patient and every question."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from attempts import attempt
from hypothesis import assume, given
from hypothesis import strategies as st

from her2.cell.attributes import catalogue, check
from her2.cell.cell import load_cell, make_cell, normal_name
from her2.cell.combination import bliss_expected, hsa_expected
from her2.cell.dose_response import fraction_affected, gr_value
from her2.cell.evaluate import drug_id
from her2.errors import Her2Error, RecordError, nearest, unknown
from her2.evidence.query import search
from her2.evidence.record import load_record
from her2.evidence.store import MAX_ROWS, QueryError, open_store
from her2.evidence.tables import COLUMNS, build_tables
from her2.evidence.trace import build_graph
from her2.prognosis.case import case_yaml, with_item
from her2.sequencing.agents import agent_id, agent_ids, plain_name
from her2.sequencing.recommend import advise
from her2.sequencing.state import state_of
from her2.signalling import receptors as r
from her2.signalling.network import evaluate_network, half_saturated, hill_constants

LEVEL = st.floats(1e-3, 50.0)


def free(layer, totals, ligands, occupancy):
    k = r.association_constants(layer, ligands, occupancy)
    return r.free_monomers(layer, totals, k), k


@given(
    st.lists(LEVEL, min_size=4, max_size=4),
    st.lists(st.floats(0.0, 20.0), min_size=2, max_size=2),
    st.floats(1.1, 10.0),
)
def test_property_more_of_a_receptor_leaves_more_of_it_free(model, totals, ligands, factor):
    layer = model.receptors
    for species in range(4):
        total = np.array(totals)[:, None] * np.ones((1, 2))
        total[species, 1] *= factor
        m, k = free(layer, total, np.array(ligands)[:, None] * np.ones((1, 2)), np.zeros((2, 2)))
        assert m[species, 1] > m[species, 0]
        assert np.all(r.residual(layer, total, k, m) < 1e-10)


@given(st.lists(LEVEL, min_size=4, max_size=4), st.integers(2, 6))
def test_property_a_cell_among_others_is_as_alone(model, totals, n):
    layer = model.receptors
    spread = np.array(totals)[:, None] * np.linspace(0.5, 2.0, n)[None, :]
    together, _ = free(layer, spread, np.ones((2, n)), np.zeros((2, n)))
    for k in range(n):
        alone, _ = free(layer, spread[:, k : k + 1], np.ones((2, 1)), np.zeros((2, 1)))
        assert np.allclose(together[:, k], alone[:, 0], rtol=1e-10, atol=0.0)


@given(st.integers(0, 2**31), st.integers(1, 5))
def test_property_signals_stay_between_zero_and_one(model, seed, n):
    network = model.network
    inputs = np.random.default_rng(seed).uniform(0.0, 1.0, (network.n_inputs, n))
    values = evaluate_network(network, inputs)
    assert np.all(np.isfinite(values)) and np.all(values >= 0.0) and np.all(values <= 1.0 + 1e-12)
    assert np.array_equal(values, evaluate_network(network, inputs))


@given(st.floats(0.8, 4.0), st.floats(0.15, 0.42), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_property_hill_functions_rise(n, ec50, x, y):
    beta, kappa = hill_constants(n, ec50)
    low, high = sorted((x, y))
    assert beta * low**n / (kappa + low**n) <= beta * high**n / (kappa + high**n) + 1e-15


@given(st.floats(0.0, 1e9), st.floats(0.0, 1e9))
def test_property_half_saturation_is_a_half_at_one_and_rises(x, y):
    a, b = half_saturated(np.array([min(x, y), max(x, y)]))
    assert 0.0 <= a <= b < 1.0 + 1e-15
    assert half_saturated(np.array([1.0]))[0] == 0.5


@given(st.floats(0.1, 2.0), st.floats(-3.0, 2.0))
def test_property_growth_rate_inhibition_has_its_fixed_points(control, growth):
    assert gr_value(np.array([control]), control)[0] == pytest.approx(1.0, abs=1e-12)
    assert gr_value(np.array([0.0]), control)[0] == pytest.approx(0.0, abs=1e-12)
    value = gr_value(np.array([growth, growth + 0.1]), control)
    assert -1.0 <= value[0] < value[1] or growth < -2.0 * control
    assert fraction_affected(np.array([control]), control, 72.0)[0] == pytest.approx(0.0, abs=1e-12)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_property_expected_effects_of_two_drugs_are_shares_and_symmetric(a, b):
    x, y = np.array([a]), np.array([b])
    bliss, hsa = bliss_expected(x, y)[0], hsa_expected(x, y)[0]
    assert bliss == pytest.approx(bliss_expected(y, x)[0], abs=1e-15) and hsa == hsa_expected(y, x)[0]
    assert max(a, b) == hsa <= bliss + 1e-15 and bliss <= 1.0 + 1e-15
    assert bliss_expected(x, np.array([0.0]))[0] == a


@given(st.sampled_from(sorted(catalogue())), st.floats(allow_nan=True, allow_infinity=True, width=64))
def test_property_an_attribute_is_kept_as_it_is_or_refused(name, value):
    entry = catalogue()[name]
    if np.isfinite(value) and entry.low <= value <= entry.high:
        assert check(name, value, "x") == value
    else:
        with pytest.raises(RecordError, match=name):
            check(name, value, "x")


@given(
    st.sampled_from(["BT474", "SKBR3", "MCF7", "HCC1954"]),
    st.sampled_from(["{}", "{}-", " {}", "{}_"]),
    st.booleans(),
)
def test_property_a_cell_is_found_whatever_its_spelling(name, form, lower):
    written = form.format(name[:2] + "-" + name[2:])
    written = written.lower() if lower else written.upper()
    assume(normal_name(written) == normal_name(name))
    assert load_cell(written) == load_cell(name)


@given(st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_property_a_cell_made_from_numbers_has_those_numbers(her2, her3):
    cell = make_cell({"her2": her2, "her3": her3})
    assert cell.attributes == {"her2": her2, "her3": her3}
    assert cell.with_attributes({"her2": 1.0}).attributes["her2"] == 1.0
    assert cell.with_switches({}) == cell


AGENTS = sorted(agent_ids())


@given(st.sampled_from(AGENTS), st.sampled_from(["{}", "{} ", "{}-", "({})"]), st.booleans())
def test_property_an_agent_is_found_whatever_its_spelling(name, form, upper):
    written = form.format(name.upper() if upper else name)
    assert agent_id(written) == agent_id(name)
    assert plain_name(written) == plain_name(name)


@given(st.text(min_size=1, max_size=20))
def test_property_a_drug_is_known_or_refused(name):
    found, error = attempt(Her2Error, drug_id, name)
    if error is None:
        assert found in AGENTS or agent_id(found) is not None
    else:
        assert "valid" in str(error) or "pharmacodynamics" in str(error)


@st.composite
def cases(draw: st.DrawFn) -> dict:
    line = draw(st.integers(1, 4))
    given_agents = [
        draw(st.lists(st.sampled_from(AGENTS), min_size=1, max_size=3, unique=True)) for _ in range(line - 1)
    ]
    case = {
        "setting": "metastatic",
        "her2": "positive",
        "line": line,
        "lines": [{"agents": a} for a in given_agents],
    }
    optional = {
        "hormone_receptor": ["positive", "negative"], "age": [35.0, 70.0], "ecog": [0, 1, 2], "lvef": [45.0, 65.0],
        "de_novo": [True, False], "sites": [["liver", "bone"], ["lung"]], "cns": ["none", "treated", "untreated"],
    }  # fmt: skip
    for item, values in optional.items():
        if draw(st.booleans()):
            case[item] = draw(st.sampled_from(values))
    return case


@given(cases())
def test_property_a_case_is_written_and_read_as_the_same_state(case):
    state = state_of(case, "x")
    assert state_of(yaml.safe_load(case_yaml(state)), "x") == state


@given(cases(), st.randoms())
def test_property_advice_does_not_depend_on_the_order_of_items(case, random):
    shuffled = {k: case[k] for k in random.sample(sorted(case), len(case))}
    for item in ("sites",):
        if item in shuffled:
            shuffled[item] = random.sample(shuffled[item], len(shuffled[item]))
    shuffled["lines"] = [{"agents": random.sample(x["agents"], len(x["agents"]))} for x in case["lines"]]
    assert advise(state_of(shuffled, "x")) == advise(state_of(case, "x"))


@given(cases(), st.sampled_from(["age", "ecog", "lvef", "sites", "hormone_receptor", "de_novo", "cns"]))
def test_property_an_item_left_out_is_an_item_unknown(case, item):
    case.pop(item, None)
    assert advise(state_of({**case, item: "unknown"}, "x")) == advise(state_of(case, "x"))


@given(
    cases(),
    st.sampled_from([("age", 50.0), ("biomarkers.pten", "lost"), ("cns.metastases", "treated"), ("ecog", 2)]),
)
def test_property_an_item_set_is_an_item_read(case, change):
    item, value = change
    found = with_item(state_of(case, "x"), item, value)
    for step in item.split("."):
        found = getattr(found, step)
    assert found == value


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=12),
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        max_size=4,
    )
)
def test_property_any_mapping_is_a_state_or_refused_by_item(data):
    state, error = attempt(RecordError, state_of, data, "x")
    assert (state is None) == (error is not None)
    assert error is None or str(error).startswith("x, ")


WORDS = st.lists(st.sampled_from(["pten", "lapatinib", "trastuzumab", "resistance", "pi3k", "brain", "p95"]), min_size=1, max_size=3,
                 unique=True)  # fmt: skip


@given(WORDS, st.randoms(), st.booleans())
def test_property_a_search_knows_neither_order_nor_case(words, random, upper):
    record = load_record()
    shuffled = random.sample(words, len(words))
    question = " ".join(shuffled).upper() if upper else " ".join(shuffled)
    found, again = search(record, " ".join(words), limit=10_000), search(record, question, limit=10_000)
    assert {h.id for h in found.hits} == {h.id for h in again.hits} and found.total == again.total


@given(WORDS, st.integers(1, 30))
def test_property_fewer_hits_are_the_first_of_more_and_more_words_find_less(words, limit):
    record = load_record()
    everything = search(record, " ".join(words), limit=10_000)
    assert search(record, " ".join(words), limit=limit).hits == everything.hits[:limit]
    assert everything.total == len(everything.hits)
    assert {h.id for h in everything.hits} <= {h.id for h in search(record, words[0], limit=10_000).hits}


@given(st.data(), st.integers(1, 3))
def test_property_what_an_entry_rests_on_supports_it(data, depth):
    graph = build_graph(load_record())
    start = data.draw(st.sampled_from(sorted(graph.nodes)))
    reached, edges = graph.reach([start], "up", depth)
    for node in reached[1:6]:
        back, _ = graph.reach([node.key], "down", depth)
        assert start in {n.key for n in back}
    assert {e.upper for e in edges} <= {n.key for n in reached}
    fewer, _ = graph.reach([start], "up", depth - 1)
    assert {n.key for n in fewer} <= {n.key for n in reached}


@given(st.sampled_from(sorted(COLUMNS)), st.integers(1, 40))
def test_property_sql_counts_what_the_tables_hold(table, limit):
    record = load_record()
    store = open_store(record)
    n = len(_tables()[table])
    assert store.select(f"SELECT count(*) FROM {table}").rows == ((n,),)
    answer = store.select(f"SELECT * FROM {table}", limit=limit)
    assert len(answer.rows) == min(n, limit) and answer.is_cut == (n > limit)


_kept: dict = {}


def _tables():
    if not _kept:
        _kept.update(build_tables(load_record()))
    return _kept


@given(st.text(max_size=50))
def test_property_any_text_is_a_query_or_refused(text):
    store = open_store(load_record())
    answer, error = attempt(QueryError, store.select, text)
    if error is None:
        assert len(answer.rows) <= MAX_ROWS
    else:
        assert str(error).startswith("sql:")


@given(st.text(max_size=400), st.lists(st.text(max_size=20), max_size=5))
def test_property_an_unknown_name_is_told_in_a_few_lines(name, valid):
    error = unknown("thing", name, valid, "place")
    assert isinstance(error, Her2Error) and len(str(error)) < 1200
    shown = nearest(name, valid)
    assert shown == "" or any(v in shown for v in valid)
