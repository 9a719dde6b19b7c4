"""The between-trial effect: found again in invented worlds, small where there is none, never a trial's own."""

from __future__ import annotations

import numpy as np
import pytest

from her2.errors import RecordError
from her2.evidence.load import load_studies
from her2.posterior import ENSEMBLE
from her2.trials.between import BETWEEN, between_trial_sd, load_between
from her2.trials.write import digest_of
from her2.validation.between import (
    PRIOR_SCALE,
    Residual,
    estimate,
    estimate_between,
    left_out_residuals,
    most_probable,
    none_between,
    residuals_of,
    trials_with_fit,
    write_between,
)
from her2.validation.leave_out import StoredPredictions, linear_posterior, load_linear_posterior
from her2.validation.run import validate


@pytest.mark.parametrize("tau", [0.1, 0.3])
def test_the_spread_is_found_again(generator, tau):
    """400 figures with variances of real trials; the standard error of tau is about tau / sqrt(2 * 400) or a little more."""
    v = generator.uniform(0.05, 0.25, 400) ** 2
    e = generator.standard_normal(400) * np.sqrt(v + tau**2)
    found = most_probable(e, v, 100.0)
    information = float(np.sum(2.0 * tau**2 / (v + tau**2) ** 2))
    assert found == pytest.approx(tau, abs=3.0 / np.sqrt(information))


def test_no_excess_no_spread(generator):
    """Errors smaller than sampling alone explains: the peak lies at zero."""
    v = np.full(200, 0.04)
    assert most_probable(0.15 * generator.standard_normal(200), v, 0.2) == 0.0
    assert most_probable([], [], 0.2) == 0.0


def test_the_prior_holds_where_figures_are_few():
    """One wild hazard ratio does not make a wide interval; a hundred do."""
    one = most_probable([1.0], [0.01], 0.1)
    many = most_probable([1.0, -1.0] * 50, [0.01] * 100, 0.1)
    assert one < 0.4 < many


def test_fitted_figures_look_closer_than_new_ones(generator):
    """Linear figures with a true tau: residuals of the fit understate it, enlarged for the degrees of freedom it comes back.

    Twelve worlds of 20 trials with three figures each and 15 parameters; the mean of the estimates is compared, whose
    standard error is about 0.35 / sqrt(2 * 60 * 12) = 0.01.
    """
    tau, sampling, n_par, n_trials, per = 0.35, 0.15, 15, 20, 3
    honest, naive = [], []
    names = tuple(f"t{k // per}" for k in range(n_trials * per))
    figures = tuple(f"{t}.{k}" for k, t in enumerate(names))
    for _ in range(12):
        slopes = 0.5 * generator.standard_normal((len(names), n_par))
        truth = generator.standard_normal(n_par)
        error = np.hypot(sampling, tau)
        values = slopes @ truth + error * generator.standard_normal(len(names))
        cov = np.linalg.inv(np.eye(n_par) + slopes.T @ slopes / error**2)
        mode = cov @ slopes.T @ values / error**2
        half = generator.standard_normal((48, n_par)) @ np.linalg.cholesky(cov).T
        z = np.concatenate([mode + half, mode - half])
        stored = StoredPredictions(figures, names, values, np.full(len(names), error), z @ slopes.T)
        fit = linear_posterior(stored, z)
        assert fit is not None
        residual = values - slopes @ mode
        taken = fit.determined / len(names)
        honest.append(most_probable(residual / np.sqrt(1.0 - taken), np.full(len(names), sampling**2), 10.0))
        naive.append(most_probable(residual, np.full(len(names), sampling**2), 10.0))
    assert np.mean(honest) == pytest.approx(tau, abs=0.03)
    assert np.mean(naive) < tau - 0.03


def _residuals(generator, tau):
    return [
        Residual(f"study_{k // 3}", f"f{k}", "median", float(tau * generator.standard_normal()), 0.01)
        for k in range(60)
    ]


def test_no_study_sets_its_own_width(generator):
    """Without the study that lies far off, its own spread is what the others give."""
    rows = _residuals(generator, 0.1)
    rows += [Residual("odd", "f", "median", 1.5, 0.01)]
    found = estimate(rows, rows, "median")
    alone = estimate(rows[:-1], rows[:-1], "median")
    assert found.without["odd"] == pytest.approx(alone.value, abs=1e-4)
    assert found.value > found.without["odd"]
    assert found.outside_without["odd"] == pytest.approx(alone.outside, abs=1e-4)
    assert found.trials == 21 and found.figures == 61
    assert found.standard_error > 0


def test_the_jackknife_is_the_textbook_one(generator):
    rows = _residuals(generator, 0.3)
    found = estimate(rows, rows, "median")
    x = np.array(list(found.without.values()))
    assert found.standard_error == pytest.approx(np.sqrt(19 / 20 * np.sum((x - x.mean()) ** 2)), abs=1e-4)
    # and of the size that asymptotics gives: tau / sqrt(2 n) with n figures, for tau well above sampling
    assert found.standard_error == pytest.approx(0.3 / np.sqrt(120), rel=0.6)


def test_a_written_estimate_is_what_intervals_are_made_with(generator, tmp_path, monkeypatch):
    path = tmp_path / "between_trials.yaml"
    content = load_between()
    rows, left_out = _residuals(generator, 0.3), _residuals(generator, 0.6)
    new = content.model_copy(update={"spreads": (estimate(rows, left_out, "median"),)})
    write_between(new, path)
    assert load_between(path) == new
    monkeypatch.setattr("her2.trials.between.BETWEEN", path)
    monkeypatch.setattr("her2.trials.between.load_between", lambda: load_between(path))
    spread = new.spreads[0]
    assert between_trial_sd(fitted=True)["median"] == spread.value
    assert between_trial_sd("study_3", fitted=True)["median"] == spread.without["study_3"]
    assert between_trial_sd()["median"] == between_trial_sd("unheard_of")["median"] == spread.outside
    assert between_trial_sd("study_3")["median"] == spread.outside_without["study_3"]
    assert spread.outside > 1.5 * spread.value


def test_the_shipped_estimate_names_every_kind_and_only_studies():
    content = load_between(BETWEEN)
    assert {s.statistic for s in content.spreads} == set(PRIOR_SCALE)
    studies = load_studies()
    for s in content.spreads:
        assert set(s.without) <= set(studies)
        assert set(s.outside_without) <= set(studies)
        assert s.value < 1.0
        # a model misses a trial it has not met by no less than one that it was fitted to
        assert s.outside >= s.value
        assert all(x >= s.without[study] for study, x in s.outside_without.items() if study in s.without)


def test_only_fitted_figures_take_part():
    """A run without held-out figures: residuals are of figures with the role fit, whole trials only."""
    run = validate(["vogel_2002"], members=3, patients=64, trials=24, null=False, between=none_between())
    rows = residuals_of(run)
    values = {v.id: v for v in load_studies()["vogel_2002"].values}
    assert rows
    assert all(values[r.figure].role == "fit" and values[r.figure].population == "all" for r in rows)
    assert all(r.variance > 0 for r in rows)
    assert run.posterior_digest == digest_of(ENSEMBLE.read_bytes())
    # no hazard ratio among them
    with pytest.raises(RecordError):
        estimate_between(run)


def test_left_out_errors_are_those_of_a_fit_without_the_trial():
    """Without its own figures a trial is missed by more, and the parameters' variance comes on top of sampling."""
    fit = load_linear_posterior()
    assert fit is not None
    rows = {r.figure: r for r in left_out_residuals(fit, patients=192, trials=("vogel_2002", "emilia"))}
    values = {v.id: v for study in ("vogel_2002", "emilia") for v in load_studies()[study].values}
    assert rows and all(values[f].role == "fit" for f in rows)
    place = {f: k for k, f in enumerate(fit.stored.figures)}
    inside = np.array([fit.stored.values[place[f]] - fit.centre[place[f]] for f in rows])
    outside = np.array([r.error for r in rows.values()])
    assert np.mean(outside**2) > np.mean(inside**2)
    # the variance is that of sampling, less than the error used for fitting squared, plus what the parameters add
    mine = {f: k for k, f in enumerate(place) if f in rows}
    left = np.diag(fit.leave(fit.stored.of("emilia", "emilia")).after)
    emilia = [r for r in rows.values() if r.study == "emilia"]
    assert all(r.variance > v for r, v in zip(emilia, left, strict=True))
    assert len(mine) == len(rows)


def test_trials_with_fit_have_fitted_figures():
    names = trials_with_fit()
    assert {"cleopatra", "vogel_2002"} <= set(names)
    assert "altto" not in names
