"""Factors and designs: coordinates, shared columns, what a factor can reach."""

import numpy as np
import pytest

from her2.cell.model import build_cell_model
from her2.errors import RecordError, UnknownNameError
from her2.evidence.load import load_parameters
from her2.posterior import load_posterior
from her2.sensitivity.factors import (
    evaluate,
    find_case,
    growth_inhibition,
    load_factors,
    make_bench,
    model_at,
    standard_cases,
)


@pytest.fixture(scope="module")
def cases():
    return [find_case(name) for name in ("lapatinib", "docetaxel", "trastuzumab+lapatinib")]


@pytest.fixture(scope="module")
def bench(cases):
    return make_bench(cases, load_factors(cases))


def test_every_standard_case_acts_on_its_cell():
    cases = standard_cases()
    assert len({c.id for c in cases}) == len(cases)
    values = growth_inhibition(cases, build_cell_model())
    assert dict(zip([c.id for c in cases], values > 0.0, strict=True)) == dict.fromkeys(
        [c.id for c in cases], True
    )


def test_no_case_has_two_factors_in_one_column():
    cases = standard_cases()
    bench = make_bench(cases, load_factors(cases))
    acting = bench.acting()
    for k in range(len(cases)):
        columns = bench.columns[acting[:, k]]
        assert len(set(columns)) == len(columns)
    assert bench.n_columns < len(bench.factors)


def test_every_parameter_with_a_prior_is_a_factor_or_belongs_to_another_drug():
    cases = standard_cases()
    names = {f.id for f in load_factors(cases)}
    missing = {k for k, p in load_parameters().items() if p.prior is not None} - names
    assert all(name.startswith(("kill.", "payload.")) for name in missing), missing


def test_at_the_origin_the_model_is_that_of_the_record(bench, cases):
    model = model_at(bench, np.zeros(bench.n_columns))
    plain = build_cell_model()
    assert model.values == pytest.approx(plain.values, rel=1e-12)
    assert model.half == pytest.approx(plain.half, rel=1e-12, nan_ok=True)
    assert model.largest == pytest.approx(plain.largest, rel=1e-12)
    np.testing.assert_allclose(
        evaluate(bench, np.zeros((1, bench.n_columns)))[0], growth_inhibition(cases, plain)
    )


def test_a_bench_can_be_centred_on_the_posterior(cases):
    central = load_posterior().central()
    bench = make_bench(cases, load_factors(cases), central)
    values = model_at(bench, np.zeros(bench.n_columns)).values
    for name in central:
        if name in {f.id for f in bench.factors}:
            assert values[name] == pytest.approx(central[name], rel=1e-9)


def test_a_factor_moves_only_the_cases_it_acts_in(bench):
    base = evaluate(bench, np.zeros((1, bench.n_columns)))[0]
    own = next(k for k, f in enumerate(bench.factors) if f.id.startswith("half.kinase.her2."))
    assert list(bench.acting()[own]) == [True, False, True]
    z = np.zeros((1, bench.n_columns))
    z[0, bench.columns[own]] = 1.0
    others = [k for k in range(len(bench.factors)) if bench.columns[k] == bench.columns[own] and k != own]
    assert all(not (bench.acting()[k] & bench.acting()[own]).any() for k in others)
    moved = evaluate(bench, z)[0] - base
    assert moved[0] < 0.0  # a higher concentration at half effect is a weaker drug


def test_a_row_that_cannot_be_solved_is_not_a_number(bench, monkeypatch):
    from her2.errors import Her2Error
    from her2.sensitivity import factors

    calls = iter([True, False])

    def sometimes(*args, **kwargs):
        if not next(calls):
            raise Her2Error("not solved")
        return np.ones(3)

    monkeypatch.setattr(factors, "growth_inhibition", sometimes)
    result = evaluate(bench, np.zeros((2, bench.n_columns)))
    assert np.isfinite(result[0]).all() and np.isnan(result[1]).all()


def test_unknown_drugs_and_drugs_without_exposure_are_refused():
    with pytest.raises(UnknownNameError, match="lapatinib"):
        find_case("lapatinibb")
    with pytest.raises((RecordError, UnknownNameError)):
        find_case("i_ome_ag538")
