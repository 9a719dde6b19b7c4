"""Indices against closed forms, and a small analysis end to end."""

import numpy as np
import pytest
from scipy.special import ndtr

from her2.errors import Her2Error
from her2.sensitivity import sobol
from her2.sensitivity.factors import Bench, Case, Factor, find_case
from her2.sensitivity.sobol import (
    choose,
    left_out_design,
    left_out_index,
    run_sensitivity,
    screen,
    screening_design,
    sobol_design,
    sobol_indices,
)

pytest.importorskip("SALib")


def bench_of(n: int, cases: int = 1) -> Bench:
    """Factors that act in every case, one column each."""
    return Bench(
        tuple(Case(f"case{k}", ("drug",)) for k in range(cases)),
        tuple(Factor(f"x{k}", f"x{k}", "value") for k in range(n)),
        np.arange(n),
        np.zeros(n),
    )


def test_indices_of_a_linear_function_are_shares_of_the_squares():
    weights = np.array([3.0, 2.0, 1.0, 0.0])
    z = sobol._coordinates(sobol_design(4, 1024, 1))
    indices, draws, failed = sobol_indices(bench_of(4), (z @ weights)[:, None], 1)
    exact = weights**2 / (weights**2).sum()
    assert failed == 0
    assert draws.var() == pytest.approx((weights**2).sum(), rel=0.05)
    # without interactions first and total agree; 0.05 is three standard errors at 1024 base samples
    np.testing.assert_allclose(indices.first[:, 0], exact, atol=0.05)
    np.testing.assert_allclose(indices.total[:, 0], exact, atol=0.05)
    assert (np.abs(indices.total[:, 0] - exact) <= 2.0 * indices.total_ci[:, 0] + 1e-12).all()


def test_indices_of_the_ishigami_function():
    unit = sobol_design(3, 2048, 1)
    x = np.pi * (2.0 * unit - 1.0)
    y = np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    indices, _, _ = sobol_indices(bench_of(3), y[:, None], 1)
    np.testing.assert_allclose(indices.first[:, 0], [0.3139, 0.4424, 0.0], atol=0.04)
    np.testing.assert_allclose(indices.total[:, 0], [0.5576, 0.4424, 0.2437], atol=0.04)


def test_screening_measures_the_move_over_the_whole_range():
    bench = bench_of(3)
    design = screening_design(3, 10, 1)
    assert design.min() == pytest.approx(0.05) and design.max() == pytest.approx(0.95)
    output = design @ np.array([2.0, 1.0, 0.0])
    found = screen(bench, design, output[:, None], 1)
    np.testing.assert_allclose(found.effect[:, 0], [1.8, 0.9, 0.0], atol=1e-9)
    np.testing.assert_allclose(found.spread[:, 0], 0.0, atol=1e-9)


def test_choice_keeps_the_large_and_drops_the_small():
    effect = np.array([[1.0, 0.0], [0.5, 0.0], [0.1, 0.0], [np.nan, 0.0]])
    kept = choose(effect)
    assert list(kept[:, 0]) == [True, True, False, False]  # 1 and 0.25 of 1.26 reach 95 %
    assert not kept[:, 1].any()


def test_left_out_factors_have_their_share_of_the_variance():
    bench = bench_of(4)
    kept = np.array([True, True, False, False])
    joined, z = left_out_design(bench, kept, 2000, 1)
    assert [f.id for f in joined.factors] == ["x0", "x1", "x2", "x3"]
    output = z @ np.array([2.0, 1.0, 1.0, 0.5])
    # standard error of the share is about 0.005
    assert left_out_index(output[:, None])[0] == pytest.approx(1.25 / 6.25, abs=0.02)


def test_base_samples_that_fail_are_dropped_and_many_are_an_error():
    z = sobol._coordinates(sobol_design(2, 64, 1))
    y = z.sum(axis=1)[:, None].copy()
    y[5] = np.nan
    indices, draws, failed = sobol_indices(bench_of(2), y, 1)
    assert failed == 1 and len(draws) == 126 and np.isfinite(indices.total).all()
    y[::4] = np.nan
    with pytest.raises(Her2Error, match="could not be solved"):
        sobol_indices(bench_of(2), y, 1)


def test_a_case_without_variance_has_no_indices():
    z = sobol._coordinates(sobol_design(2, 16, 1))
    indices, _, _ = sobol_indices(bench_of(2), np.zeros((len(z), 1)), 1)
    assert np.isnan(indices.total).all()


def test_sizes_are_checked():
    case = [find_case("docetaxel")]
    for samples in (0, 7, 12):
        with pytest.raises(Her2Error, match="power of 2"):
            run_sensitivity(case, samples)
    with pytest.raises(Her2Error, match="trajectories"):
        run_sensitivity(case, 8, 1)
    with pytest.raises(Her2Error, match="at least one"):
        run_sensitivity([], 8)


def test_docetaxel_depends_on_growth_and_its_own_kill_alone():
    """In the reference cell nothing stands between a cytotoxic alone and its kill: growth inhibition is kill / growth."""

    def closed(bench, design, on_row=None):
        x = design[:, bench.columns]
        value = {f.id: x[:, k] for k, f in enumerate(bench.factors)}
        kill = 0.0312 * np.exp(0.35 * value.get("kill.docetaxel", 0.0))
        return (kill / (0.01 * np.exp(0.4 * value.get("tumour.growth", 0.0))) + np.zeros(len(design)))[
            :, None
        ]

    found = run_sensitivity([find_case("docetaxel")], 512, 4, evaluator=closed)
    names = [f.id for f in found.bench.factors]
    assert set(names) == {"tumour.growth", "kill.docetaxel"}
    # y is log-normal: first-order indices from the variances of its factors
    a, b = np.exp(np.array([0.35, 0.4]) ** 2) - 1.0
    whole = (1.0 + a) * (1.0 + b) - 1.0
    first = dict(zip(names, found.indices.first[:, 0], strict=True))
    total = dict(zip(names, found.indices.total[:, 0], strict=True))
    assert first["kill.docetaxel"] == pytest.approx(a / whole, abs=0.08)
    assert total["tumour.growth"] == pytest.approx(b * (1.0 + a) / whole, abs=0.08)
    assert found.left_out[0] == pytest.approx(0.0, abs=1e-9)


def test_the_unit_cube_is_the_prior():
    z = sobol._coordinates(np.array([[0.025, 0.5, 0.975]]))
    np.testing.assert_allclose(ndtr(z), [[0.025, 0.5, 0.975]])
