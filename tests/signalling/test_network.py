"""Pathway layer: Hill functions, logic, order, and errors that name the place."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2.errors import NetworkError
from her2.evidence.load import canonical_values, load_claims, load_network
from her2.signalling import network as net

SPECIES = ("egfr", "her2", "her3", "p95her2")


@given(st.floats(0.8, 4.0), st.floats(0.15, 0.42))
def test_normalised_hill_passes_its_three_points(n, ec50):
    beta, kappa = net.hill_constants(n, ec50)

    def f(x):
        return beta * x**n / (kappa + x**n)

    assert f(0.0) == 0.0
    assert f(ec50) == pytest.approx(0.5, rel=1e-12)
    assert f(1.0) == pytest.approx(1.0, rel=1e-12)


def test_an_impossible_hill_function_is_refused():
    with pytest.raises(NetworkError, match="ec50"):
        net.hill_constants(1.0, 0.6)


def _toy(nodes, inputs=("x",), slow=()):
    return {
        "id": "toy",
        "inputs": [{"id": i, "label": i} for i in inputs],
        "hill_defaults": {"n": "signalling.hill_n", "ec50": "signalling.hill_ec50"},
        "nodes": nodes,
        "slow_states": list(slow),
        "outputs": {"proliferation": nodes[-1]["id"]},
    }


def _node(name, *reactions):
    return {"id": name, "time_constant": "signalling.tau_kinase", "reactions": list(reactions)}


def _reaction(*activators, inhibitors=(), weight="signalling.w_full"):
    return {"activators": list(activators), "inhibitors": list(inhibitors), "weight": weight}


def test_nodes_are_ordered_whatever_the_file_says():
    record = _toy([_node("c", _reaction("b")), _node("b", _reaction("a")), _node("a", _reaction("x"))])
    assert net.evaluation_order(record) == ["a", "b", "c"]


def test_a_cycle_without_slow_state_is_spelled_out():
    record = _toy([_node("a", _reaction("x", "c")), _node("b", _reaction("a")), _node("c", _reaction("b"))])
    with pytest.raises(NetworkError, match=r"cycle without a slow state: .*a.*b.*c"):
        net.evaluation_order(record)


def test_an_edge_to_an_unknown_node_names_the_nearest():
    record = _toy([_node("akt", _reaction("x")), _node("mtor", _reaction("akkt"))])
    with pytest.raises(NetworkError, match=r"nodes.mtor: unknown node 'akkt'; nearest: 'akt'"):
        net.evaluation_order(record)


def test_or_and_inhibition_follow_their_formulas():
    record = _toy(
        [
            _node(
                "y",
                _reaction("x"),
                _reaction("z", inhibitors=[{"node": "x", "weight": "signalling.w_pten"}]),
            )
        ],
        inputs=("x", "z"),
    )
    values = canonical_values()
    network = net.build_network(record, values, SPECIES)
    x = np.array([[0.3], [0.7]])
    beta, kappa = net.hill_constants(values["signalling.hill_n"], values["signalling.hill_ec50"])
    n = values["signalling.hill_n"]
    f = beta * x**n / (kappa + x**n)
    a, b = f[0, 0], f[1, 0] * (1.0 - values["signalling.w_pten"] * f[0, 0])
    assert net.evaluate_network(network, x)[2, 0] == pytest.approx(a + b - a * b, rel=1e-14)


@given(st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8))
def test_all_nodes_stay_between_zero_and_one(model, inputs):
    values = net.evaluate_network(model.network, np.array(inputs)[:, None])
    assert np.all((values >= -1e-12) & (values <= 1.0 + 1e-12))


def test_every_edge_names_claims_of_the_record():
    claims = load_claims()
    record = load_network("pathway")
    for node in record["nodes"]:
        for reaction in node["reactions"]:
            assert reaction["claims"], node["id"]
            for claim in reaction["claims"]:
                assert claim in claims, f"{node['id']}: {claim}"


def test_a_node_declared_twice_is_refused():
    record = copy.deepcopy(load_network("pathway"))
    record["nodes"].append(copy.deepcopy(record["nodes"][0]))
    with pytest.raises(NetworkError, match=f"declared twice: {record['nodes'][0]['id']}"):
        net.evaluation_order(record)
