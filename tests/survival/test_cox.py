"""Properties of the Cox model and of its failures; R's numbers are in test_against_r.py."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2.survival import fit_cox
from her2.survival._partial_likelihood import build_likelihood


def simulate(seed: int, n: int = 120, n_covariates: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, events and covariates with a moderate effect."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, n_covariates))
    time = rng.exponential(np.exp(-x @ np.linspace(-0.5, 0.5, n_covariates)))
    return time, rng.random(n) < 0.7, x


def test_two_patients_per_arm_have_a_closed_form() -> None:
    # Deaths in order arm 1, 0, 1, 0: slope zero where 2 = 2r/(2r+2) + r/(r+2) + r/(r+1), solved by bisection.
    def slope(r: float) -> float:
        return 2 - 2 * r / (2 * r + 2) - r / (r + 2) - r / (r + 1)

    low, high = 1e-3, 1e3
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    assert fit_cox([1, 2, 3, 4], [1, 1, 1, 1], [1, 0, 1, 0]).hazard_ratio[0] == pytest.approx(low, rel=1e-10)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("is_late", [False, True])
def test_gradient_and_information_match_differences(ties: str, is_late: bool) -> None:
    time, event, x = simulate(1)
    time = np.ceil(time * 4)
    entry = np.floor(time * np.random.default_rng(3).uniform(0, 0.9, time.size)) if is_late else None
    stratum = np.random.default_rng(2).integers(0, 3, time.size)
    likelihood = build_likelihood(time, event, x, stratum, entry, ties == "efron")
    beta = np.array([0.3, -0.2, 0.1])
    _, gradient, information = likelihood.evaluate(beta)
    h = 1e-5
    for k, step in enumerate(np.eye(3) * h):
        above, below = likelihood.evaluate(beta + step), likelihood.evaluate(beta - step)
        # Central differences err by h² times the third derivative, about 1e-8 here.
        assert (above[0] - below[0]) / (2 * h) == pytest.approx(gradient[k], rel=1e-6, abs=1e-6)
        np.testing.assert_allclose(-(above[1] - below[1]) / (2 * h), information[k], rtol=1e-6, atol=1e-6)


def test_efron_likelihood_of_two_tied_deaths_by_hand() -> None:
    # Four patients, two of them dying together at time 1: (a + b + c + d)(a + b + c + d - (a + b) / 2).
    x = np.array([0.5, -1.0, 0.2, 0.0])
    time, event = np.array([1.0, 1.0, 2.0, 3.0]), np.array([True, True, False, False])
    risk = np.exp(0.7 * x)
    expected = 0.7 * (x[0] + x[1]) - np.log(risk.sum()) - np.log(risk.sum() - risk[:2].sum() / 2)
    likelihood = build_likelihood(time, event, x[:, None], None, None, True)
    assert likelihood.evaluate(np.array([0.7]))[0] == pytest.approx(expected, rel=1e-14)


def test_order_unit_and_origin_do_not_matter() -> None:
    time, event, x = simulate(4)
    a = fit_cox(time, event, x)
    order = np.random.default_rng(5).permutation(time.size)
    b = fit_cox(time[order] * 30.4375, event[order], x[order] + 100.0)
    np.testing.assert_allclose(a.coef, b.coef, rtol=1e-9)
    np.testing.assert_allclose(a.std_err, b.std_err, rtol=1e-9)


def test_scaling_a_covariate_divides_its_coefficient() -> None:
    time, event, x = simulate(6)
    scale = np.array([1e6, 1e-6, 3.0])
    a, b = fit_cox(time, event, x), fit_cox(time, event, x * scale)
    np.testing.assert_allclose(a.coef, b.coef * scale, rtol=1e-9)
    assert a.log_likelihood == pytest.approx(b.log_likelihood, rel=1e-12)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["efron", "breslow"]))
def test_swapping_the_arms_inverts_the_hazard_ratio(seed: int, ties: str) -> None:
    rng = np.random.default_rng(seed)
    time, event, arm = rng.integers(1, 20, 40), rng.random(40) < 0.7, rng.integers(0, 2, 40)
    a = fit_cox(time, event, arm, ties=ties)  # type: ignore[arg-type]
    b = fit_cox(time, event, 1 - arm, ties=ties)  # type: ignore[arg-type]
    assert a.status == b.status
    if a.status == "converged":
        np.testing.assert_allclose(a.hazard_ratio * b.hazard_ratio, 1.0, rtol=1e-9)
        np.testing.assert_allclose(a.lower * b.upper, 1.0, rtol=1e-9)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=3, max_size=25))
def test_identical_arms_give_exactly_one(patients: list[tuple[int, bool]]) -> None:
    time, event = (np.array(values) for values in zip(*patients, strict=True))
    fit = fit_cox(np.tile(time, 2), np.tile(event, 2), np.repeat([0, 1], time.size))
    if fit.status == "converged":
        assert fit.hazard_ratio[0] == 1.0
        assert fit.score_chi2 == 0.0
    else:
        assert not event.any()


def test_copies_as_strata_keep_the_estimate_and_shrink_its_error() -> None:
    time, event, x = simulate(7)
    a = fit_cox(time, event, x)
    b = fit_cox(np.tile(time, 2), np.tile(event, 2), np.tile(x, (2, 1)), np.repeat([0, 1], time.size))
    np.testing.assert_allclose(a.coef, b.coef, rtol=1e-10)
    np.testing.assert_allclose(a.std_err, b.std_err * np.sqrt(2), rtol=1e-10)


def test_splitting_follow_up_in_two_records_changes_nothing() -> None:
    time, event, x = simulate(8)
    a = fit_cox(time, event, x)
    cut = time / 2
    b = fit_cox(
        np.concatenate((cut, time)),
        np.concatenate((np.zeros_like(event), event)),
        np.concatenate((x, x)),
        entry=np.concatenate((np.zeros_like(cut), cut)),
    )
    np.testing.assert_allclose(a.coef, b.coef, rtol=1e-9)
    assert a.log_likelihood == pytest.approx(b.log_likelihood, rel=1e-11)


def test_without_ties_efron_and_breslow_agree() -> None:
    time, event, x = simulate(9)
    a, b = fit_cox(time, event, x), fit_cox(time, event, x, ties="breslow")
    np.testing.assert_allclose(a.coef, b.coef, rtol=1e-12)


def test_the_three_tests_agree_in_a_large_sample() -> None:
    # 20 000 patients, seed 10: the three statistics differ by terms of order coef³ n, here under 2 %.
    rng = np.random.default_rng(10)
    arm = rng.integers(0, 2, 20_000)
    fit = fit_cox(rng.exponential(1 / np.exp(-0.1 * arm)), np.ones(20_000), arm)
    assert fit.wald_chi2 == pytest.approx(fit.likelihood_ratio_chi2, rel=0.02)
    assert fit.score_chi2 == pytest.approx(fit.likelihood_ratio_chi2, rel=0.02)


def test_all_events_in_one_arm_is_said_and_not_estimated() -> None:
    time, event, arm = np.arange(1, 21), np.tile([1, 0], 10), np.tile([1, 0], 10)
    for code, sign in ((arm, 1), (1 - arm, -1)):
        fit = fit_cox(time, event, code)
        assert fit.status == "monotone_likelihood"
        assert fit.coef[0] == sign * np.inf
        assert np.isnan(fit.std_err[0])
        assert np.isnan(fit.wald_p)
        assert np.isfinite(fit.likelihood_ratio_chi2)


def test_a_covariate_that_runs_away_leaves_the_others_estimated() -> None:
    time, event, x = simulate(11, n=200)
    rare = np.zeros(200)
    rare[np.flatnonzero(~event)[:6]] = 1.0
    both = fit_cox(time, event, np.column_stack((x, rare)))
    assert both.status == "monotone_likelihood"
    assert both.coef[3] == -np.inf
    # In the limit those patients are not at risk at all.
    without = fit_cox(time[rare == 0], event[rare == 0], x[rare == 0])
    np.testing.assert_allclose(both.coef[:3], without.coef, rtol=1e-6)
    np.testing.assert_allclose(both.std_err[:3], without.std_err, rtol=1e-6)


def test_data_that_say_nothing_are_named_so() -> None:
    time, event, x = simulate(12)
    assert fit_cox(time, np.zeros(time.size), x).status == "no_events"
    assert fit_cox(time, event, np.ones(time.size)).status == "no_information"
    collinear = fit_cox(time, event, np.column_stack((x, x[:, 0] - 2 * x[:, 1])))
    assert collinear.status == "no_information"
    assert np.isnan(collinear.coef).all()
    assert fit_cox(time, event, x, max_iterations=1).status == "not_converged"
    assert np.isnan(fit_cox(time, event, x, max_iterations=1).coef).all()


def test_large_but_finite_effects_converge() -> None:
    for log_hr, seed in itertools.product((3.0, 5.0, -6.0), range(5)):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=400)
        fit = fit_cox(rng.exponential(np.exp(-log_hr * x)), np.ones(400), x)
        assert fit.status == "converged"
        # Within five standard errors: 30 fits, fixed seeds.
        assert abs(fit.coef[0] - log_hr) < 5 * fit.std_err[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"covariates": [1.0, np.nan, 2.0]}, "covariates: expected finite numbers, got nan for patient 1"),
        ({"covariates": [1.0, 2.0]}, "covariates: expected one row per patient"),
        ({"covariates": np.zeros((3, 0))}, "covariates: expected one row per patient"),
        ({"ties": "exact"}, "ties: expected one of"),
        ({"entry": [0, 0, 9]}, "entry: expected entry before time"),
        ({"stratum": [0, 1]}, "stratum: expected the shape of time"),
        ({"event": [1, 0]}, "event: expected the shape of time"),
        ({"time": [1, -2, 3]}, "time: expected values of zero or more"),
        ({"level": 1.0}, "level: expected a number between 0 and 1"),
        ({"max_iterations": 0}, "max_iterations: expected one or more"),
    ],
)
def test_wrong_arguments_are_refused_in_words(arguments: dict[str, object], words: str) -> None:
    good: dict[str, object] = {"time": [1, 2, 3], "event": [1, 0, 1], "covariates": [0.0, 1.0, 0.5]}
    with pytest.raises(ValueError, match=words):
        fit_cox(**{**good, **arguments})  # type: ignore[arg-type]
