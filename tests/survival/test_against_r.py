"""Every estimate against R's survival package, on the data sets of tests/reference/survival/make_fixtures.R.

Strength of evidence: other software. The tolerance is 1e-9 relative (1e-12 absolute for what R gives as 0),
far above the rounding of either program and far below any difference of method; each looser one says why.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from her2.survival import (
    KaplanMeier,
    clopper_pearson,
    cumulative_incidence,
    fit_cox,
    kaplan_meier,
    log_rank,
    newcombe_difference,
    restricted_mean,
    two_arm_cox,
    two_arm_log_rank_batch,
    two_arm_median_batch,
    wilson,
)

REFERENCE = Path(__file__).parents[1] / "reference" / "survival"
RELATIVE, ABSOLUTE = 1e-9, 1e-12

Row = dict[str, str]
Columns = dict[str, np.ndarray]


@cache
def read_rows(name: str) -> dict[str, list[Row]]:
    """Rows of one results file by data set."""
    rows: dict[str, list[Row]] = defaultdict(list)
    with (REFERENCE / f"{name}.tsv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows[row.get("dataset", "")].append(row)
    return dict(rows)


@cache
def read_data(dataset: str) -> Columns:
    """The columns of one data set as arrays."""
    rows = read_rows("data")[dataset]
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "dataset"}


def column(rows: Iterable[Row], name: str) -> np.ndarray:
    """One column of results; R's NA and NaN are both NaN here."""
    return np.array([float("nan" if row[name] == "NA" else row[name]) for row in rows])


def numbers(text: str) -> np.ndarray:
    """A joined list of numbers."""
    return np.array([float("nan" if part == "NA" else part) for part in text.split(";")])


def assert_close(
    got: ArrayLike, expected: ArrayLike, relative: float = RELATIVE, absolute: float = ABSOLUTE
) -> None:
    """Equal to the tolerance, with NaN equal to NaN."""
    np.testing.assert_allclose(
        np.asarray(got), np.asarray(expected), rtol=relative, atol=absolute, equal_nan=True
    )


def each(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test for every data set of one results file."""
    return pytest.mark.parametrize("dataset", sorted(read_rows(name)))


def estimate(dataset: str, conf_type: str = "log-log") -> KaplanMeier:
    """Our curve of a data set, with its weights and late entry where it has them."""
    data = read_data(dataset)
    weights = data["weight"] if (data["weight"] != 1).any() else None
    entry = data["entry"] if (data["entry"] > 0).any() else None
    return kaplan_meier(data["time"], data["event"], weights, entry, conf_type)  # type: ignore[arg-type]


def test_reference_covers_at_least_forty_situations() -> None:
    assert len(read_rows("data")) >= 40


@each("kaplan_meier")
def test_curve_equals_survfit(dataset: str) -> None:
    rows = read_rows("kaplan_meier")[dataset]
    curve = estimate(dataset)
    at = np.searchsorted(curve.times, column(rows, "time"))
    assert_close(curve.times[at], column(rows, "time"), relative=0, absolute=0)
    for ours, theirs in (
        ("n_at_risk", "n_at_risk"),
        ("n_events", "n_events"),
        ("n_censored", "n_censored"),
        ("survival", "survival"),
        ("std_err", "std_err"),
        ("cumulative_hazard", "hazard"),
        ("cumulative_hazard_std_err", "hazard_std_err"),
    ):
        assert_close(getattr(curve, ours)[at], column(rows, theirs))


@each("kaplan_meier")
@pytest.mark.parametrize("conf_type", ["log-log", "log", "plain"])
def test_limits_equal_survfit(dataset: str, conf_type: str) -> None:
    rows = read_rows("kaplan_meier")[dataset]
    curve = estimate(dataset, conf_type)
    at = np.searchsorted(curve.times, column(rows, "time"))
    name = conf_type.replace("-", "")
    assert_close(curve.lower[at], column(rows, f"lower_{name}"))
    assert_close(curve.upper[at], column(rows, f"upper_{name}"))


@each("quantiles")
@pytest.mark.parametrize("conf_type", ["log-log", "log", "plain"])
def test_quantiles_and_their_limits_equal_survfit(dataset: str, conf_type: str) -> None:
    rows = [row for row in read_rows("quantiles")[dataset] if row["conf_type"] == conf_type]
    quantiles = estimate(dataset, conf_type).quantile(column(rows, "p"))
    # Times as small as 1e-6 occur: no absolute allowance.
    assert_close(quantiles.time, column(rows, "time"), absolute=0)
    assert_close(quantiles.lower, column(rows, "lower"), absolute=0)
    assert_close(quantiles.upper, column(rows, "upper"), absolute=0)


@each("at_risk")
def test_numbers_at_risk_equal_summary_survfit(dataset: str) -> None:
    rows = read_rows("at_risk")[dataset]
    assert_close(estimate(dataset).n_at_risk_at(column(rows, "time")), column(rows, "n_at_risk"))


@each("log_rank")
def test_log_rank_equals_survdiff(dataset: str) -> None:
    data = read_data(dataset)
    for row in read_rows("log_rank")[dataset]:
        stratum = data["stratum"] if row["stratified"] == "TRUE" else None
        test = log_rank(data["time"], data["event"], data["arm"], stratum, float(row["rho"]))
        assert_close(test.observed, numbers(row["observed"]))
        assert_close(test.expected, numbers(row["expected"]))
        assert_close(test.variance.ravel(), numbers(row["variance"]))
        if np.isclose(test.observed, test.expected, rtol=1e-12).all():
            # R divides rounding by rounding where the two are equal; exactly 0 is meant.
            assert_close(test.chi2, float(row["chi2"]), absolute=1e-12)
            continue
        assert_close(test.chi2, float(row["chi2"]))
        if test.df > 0:
            # A tail probability magnifies relative errors of chi2 by chi2 / 2.
            assert_close(test.p, float(row["p"]), relative=RELATIVE * max(1.0, test.chi2 / 2), absolute=0)


@each("log_rank")
def test_batch_log_rank_equals_survdiff(dataset: str) -> None:
    data = read_data(dataset)
    if set(data["arm"]) - {0.0, 1.0}:
        pytest.skip("more than two groups")
    for row in read_rows("log_rank")[dataset]:
        if row["rho"] != "0":
            continue
        stratum = data["stratum"].astype(int) if row["stratified"] == "TRUE" else None
        batch = two_arm_log_rank_batch(
            data["time"], data["event"], data["arm"], stratum, [0, data["time"].size]
        )
        assert_close(batch.observed, numbers(row["observed"])[1])
        assert_close(batch.expected, numbers(row["expected"])[1])
        assert_close(batch.chi2, float(row["chi2"]))


@each("cox")
def test_cox_equals_coxph(dataset: str) -> None:
    data = read_data(dataset)
    entry = data["entry"] if (data["entry"] > 0).any() else None
    for row in read_rows("cox")[dataset]:
        x = np.column_stack([data[name] for name in row["covariates"].split(";")])
        stratum = data["stratum"] if row["stratified"] == "TRUE" else None
        fit = fit_cox(data["time"], data["event"], x, stratum, entry, row["ties"])  # type: ignore[arg-type]
        assert_close(fit.log_likelihood_null, float(row["log_likelihood_null"]))
        if row["warned"] == "TRUE":
            # R stops at some large coefficient and warns; the likelihood there is the supremum to its own
            # eps.
            assert fit.status == "monotone_likelihood"
            assert np.isinf(fit.coef).all()
            assert_close(fit.log_likelihood, float(row["log_likelihood"]), absolute=1e-9)
            assert_close(fit.score_chi2, float(row["score"]))
            continue
        assert fit.status == "converged"
        # Arms that do not differ: R stops at rounding (1e-17), hence the absolute allowance.
        assert_close(fit.coef, numbers(row["coef"]))
        assert_close(fit.std_err, numbers(row["std_err"]))
        assert_close(fit.covariance.ravel(), numbers(row["covariance"]))
        assert_close(fit.log_likelihood, float(row["log_likelihood"]))
        assert_close(fit.score_chi2, float(row["score"]))
        assert_close(fit.wald_chi2, float(row["wald"]))
        # As for the log-rank test: a tail probability magnifies relative errors of chi2 by chi2 / 2.
        assert_close(
            fit.wald_p, float(row["wald_p"]), relative=RELATIVE * max(1.0, fit.wald_chi2), absolute=0
        )


@each("cox")
def test_two_arm_cox_equals_coxph(dataset: str) -> None:
    data = read_data(dataset)
    if (data["entry"] > 0).any() or set(data["arm"]) - {0.0, 1.0}:
        pytest.skip("late entry or more than two groups: fit_cox does these")
    for row in read_rows("cox")[dataset]:
        if row["covariates"] != "arm" or row["ties"] != "efron":
            continue
        stratum = data["stratum"] if row["stratified"] == "TRUE" else None
        fit = two_arm_cox(data["time"], data["event"], data["arm"], stratum)
        assert_close(fit.log_likelihood_null, float(row["log_likelihood_null"]))
        if row["warned"] == "TRUE":
            assert fit.status == "monotone_likelihood"
            assert np.isinf(fit.coef)
            assert_close(fit.log_likelihood, float(row["log_likelihood"]), absolute=1e-9)
        else:
            assert fit.status == "converged"
            assert_close(fit.coef, float(row["coef"]))
            assert_close(fit.std_err, float(row["std_err"]))
            assert_close(fit.log_likelihood, float(row["log_likelihood"]))
            assert_close(fit.score_chi2, float(row["score"]))


@each("rmst")
def test_restricted_mean_equals_print_survfit(dataset: str) -> None:
    data = read_data(dataset)
    for row in read_rows("rmst")[dataset]:
        own = data["arm"] == float(row["arm"])
        fit = restricted_mean(data["time"][own], data["event"][own], float(row["tau"]))
        assert_close(fit.mean, float(row["mean"]), absolute=0)
        assert_close(fit.std_err, float(row["std_err"]), absolute=0)


@each("cumulative_incidence")
@pytest.mark.parametrize("conf_type", ["log-log", "log", "plain"])
def test_cumulative_incidence_equals_multi_state_survfit(dataset: str, conf_type: str) -> None:
    data = read_data(dataset)
    fit = cumulative_incidence(data["time"], data["cause"], conf_type)  # type: ignore[arg-type]
    name = conf_type.replace("-", "")
    rows = read_rows("cumulative_incidence")[dataset]
    for k, cause in enumerate(fit.causes):
        own = [row for row in rows if int(row["cause"]) == cause]
        at = np.searchsorted(fit.times, column(own, "time"))
        # Sums of hundreds of products: R reaches 0 event-free only to rounding.
        assert_close(fit.event_free[at], column(own, "event_free"))
        assert_close(fit.incidence[at, k], column(own, "incidence"))
        assert_close(fit.std_err[at, k], column(own, "std_err"))
        assert_close(fit.lower[at, k], column(own, f"lower_{name}"))
        assert_close(fit.upper[at, k], column(own, f"upper_{name}"))


def test_proportion_intervals_equal_binom_test_and_prop_test() -> None:
    for row in read_rows("proportions")[""]:
        x, n, level = int(row["x"]), int(row["n"]), float(row["level"])
        exact, score = clopper_pearson(x, n, level), wilson(x, n, level)
        assert_close((exact.lower, exact.upper), (float(row["cp_lower"]), float(row["cp_upper"])))
        assert_close((score.lower, score.upper), (float(row["wilson_lower"]), float(row["wilson_upper"])))
        both = newcombe_difference(x, n, int(row["other_x"]), int(row["other_n"]), level)
        assert_close((both.lower, both.upper), (float(row["newcombe_lower"]), float(row["newcombe_upper"])))


@each("quantiles")
def test_batch_median_equals_survfit_curve(dataset: str) -> None:
    data = read_data(dataset)
    if (data["weight"] != 1).any() or (data["entry"] > 0).any():
        pytest.skip("weights and late entry: kaplan_meier does these")
    everyone = np.ones(data["time"].size, dtype=bool)
    medians = two_arm_median_batch(data["time"], data["event"], everyone, [0, everyone.size])
    rows = [r for r in read_rows("quantiles")[dataset] if r["conf_type"] == "log-log" and r["p"] == "0.5"]
    assert_close(medians[0], [np.nan, column(rows, "time")[0]], absolute=0)
