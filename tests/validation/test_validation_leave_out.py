"""Leaving a trial out, against the closed form of a linear model with normal errors."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from her2.errors import RecordError
from her2.trials.intervals import Predictive
from her2.validation.leave_out import (
    PRIOR_SQUARE,
    StoredPredictions,
    _updated,
    effective_size,
    guarded_removal,
    inverse_weights,
    leave_out,
    parse_predictions,
    removal,
    reweighted,
)
from her2.validation.predict import StatKey, TrialPrediction


def _posterior(generator, n, prior_sd, error, data):
    """Members of the posterior of one parameter after one figure with a normal error."""
    var = 1.0 / (1.0 / prior_sd**2 + 1.0 / error**2)
    mean = var * data / error**2
    z = generator.standard_normal(n)
    z = (z - z.mean()) / z.std(ddof=1)
    return mean + math.sqrt(var) * z


def test_removing_a_figure_gives_the_prior_back(generator):
    """One parameter, prior N(0, 1), figure 1.5 with error 0.8: the update undoes the conditioning."""
    theta = _posterior(generator, 400, 1.0, 0.8, 1.5)
    prior = removal(theta[:, None], np.array([1.5]), np.array([0.8])).apply(theta)
    assert prior.mean() == pytest.approx(0.0, abs=1e-9)
    assert prior.std(ddof=1) == pytest.approx(1.0, rel=1e-9)


def test_removing_two_figures_of_two_parameters(generator):
    """Joint closed form: precision of the posterior less that of the figures."""
    n = 300
    prior = np.array([[1.0, 0.3], [0.3, 0.8]])
    h = np.array([[1.0, 0.5], [0.2, 1.0]])
    r = np.array([0.7, 0.9])
    d = np.array([1.0, -0.5])
    precision = np.linalg.inv(prior) + h.T @ np.diag(r**-2) @ h
    cov = np.linalg.inv(precision)
    mean = cov @ h.T @ np.diag(r**-2) @ d
    z = generator.standard_normal((n, 2))
    z -= z.mean(axis=0)
    z = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T
    theta = mean + z @ np.linalg.cholesky(cov).T
    for k in range(2):
        y = removal(theta @ h.T, d, r).apply(theta[:, k])
        assert y.mean() == pytest.approx(0.0, abs=1e-8)
        assert y.var(ddof=1) == pytest.approx(prior[k, k], rel=1e-8)


def test_a_figure_that_pins_everything_is_removed_only_so_far(generator):
    """The cut-off bounds the growth of the spread: at most 1 / sqrt(0.1)."""
    theta = _posterior(generator, 200, 100.0, 0.1, 3.0)
    y = removal(theta[:, None], np.array([3.0]), np.array([0.1])).apply(theta)
    assert y.std(ddof=1) / theta.std(ddof=1) == pytest.approx(math.sqrt(10.0), rel=0.02)


def test_the_prior_stops_the_removal(generator):
    """A figure far from what the members say: taken out only as far as the prior goes."""
    theta = _posterior(generator, 200, 1.0, 0.8, 1.0)
    z = theta[:, None]
    wrong = np.array([-6.0])
    update, part = guarded_removal(z, wrong, np.array([0.8]), z)
    assert 0.0 < part < 1.0
    assert np.mean(update.apply(theta) ** 2) == pytest.approx(PRIOR_SQUARE, rel=1e-3)
    right, whole = guarded_removal(z, np.array([1.0]), np.array([0.8]), z)
    assert whole == 1.0
    assert right.apply(theta).std(ddof=1) == pytest.approx(1.0, rel=0.3)


def test_few_members_and_many_figures_stay_finite(generator):
    g = generator.standard_normal((4, 9))
    y = removal(g, np.zeros(9), np.full(9, 0.1)).apply(generator.standard_normal(4))
    assert np.all(np.abs(y) < 100)


def test_inverse_weights_give_the_prior_back(generator):
    """Importance weights of a large posterior sample: mean and spread of the prior N(0, 1)."""
    theta = _posterior(generator, 200_000, 1.0, 1.2, 0.8)
    weights = inverse_weights(0.5 * ((theta - 0.8) / 1.2) ** 2)
    assert weights.sum() == pytest.approx(1.0)
    mean = np.sum(weights * theta)
    assert mean == pytest.approx(0.0, abs=0.03)
    assert math.sqrt(np.sum(weights * (theta - mean) ** 2)) == pytest.approx(1.0, abs=0.03)


def test_effective_members():
    assert effective_size(np.full(8, 1 / 8)) == pytest.approx(8.0)
    assert effective_size(np.array([1.0, 0.0, 0.0])) == pytest.approx(1.0)


def test_no_weight_exceeds_the_cut_off():
    """All but one member ruled out: the one keeps what truncation leaves it."""
    w = inverse_weights(np.array([100.0, *np.zeros(15)]))
    assert w.argmax() == 0
    raw = np.exp(np.array([0.0, *np.full(15, -100.0)]))
    assert np.minimum(raw, raw.mean() * 4).max() == pytest.approx(0.25)


def test_reweighting_draws_members_in_proportion(sample):
    p = replace(sample("hr", 0.0, 1.0, n=4000), values=np.arange(4000) % 4 * 1.0)
    q = reweighted(p, np.array([0.1, 0.2, 0.3, 0.4]))
    shares = np.bincount(q.values.astype(int), minlength=4) / q.values.size
    assert shares == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=1e-3)
    assert np.array_equal(q.member, q.values.astype(int))


TABLE = """row\ta.pfs.median.x\ta.pfs.hr.x_v_y\tclaim:c
trial\ta\ta\t-
value\t2.5\t-0.4\t0.1
error\t0.15\t0.12\t0.05
0\t2.4\t-0.3\t0.11
1\t2.6\t-0.5\t0.09
2\t2.5\t-0.45\t0.12
"""


def test_stored_predictions_are_read():
    stored = parse_predictions(TABLE, "x.tsv")
    assert stored.figures == ("a.pfs.median.x", "a.pfs.hr.x_v_y", "claim:c")
    assert stored.trials == ("a", "a", "-")
    assert stored.errors.tolist() == [0.15, 0.12, 0.05]
    assert stored.predictions[:, 1].tolist() == [-0.3, -0.5, -0.45]


def test_the_table_is_the_one_calibration_writes():
    """Written by calibration, read here: the same numbers."""
    from her2.calibration.claims import SOFT_CLAIMS
    from her2.calibration.report import predictions_text

    n = 1 + len(SOFT_CLAIMS)
    g = np.arange(4.0 * n).reshape(4, n) / 7
    target = SimpleNamespace(published="a.pfs.median.x", trial="a", value=2.5, error=0.15)
    made = SimpleNamespace(targets=(target,), smoothed=SimpleNamespace(predictions=g))
    stored = parse_predictions(predictions_text(made), "x.tsv")
    assert stored.figures[0] == "a.pfs.median.x" and stored.trials[0] == "a"
    assert stored.predictions == pytest.approx(g, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("error\t", "sd\t"),
        lambda text: text.replace("0.15", "-0.15"),
        lambda text: text.replace("2.6", "many"),
        lambda text: text.replace("\t-0.5", ""),
        lambda text: "",
    ],
)
def test_a_wrong_table_of_predictions_is_refused(change):
    with pytest.raises(RecordError, match="x.tsv"):
        parse_predictions(change(TABLE), "x.tsv")


def test_stored_predictions_of_the_whole_study_are_taken_out(sample, cleopatra):
    """Of CLEOPATRA by trial and by study, and nothing of other trials; few members: the rest as predicted."""
    stored = StoredPredictions(
        ("cleopatra.pfs.median.x", "other.pfs.median.x", "cleopatra.os.median.x"), ("cleopatra", "other", "variant"),
        np.array([2.5, 1.0, 3.0]), np.array([0.3, 0.3, 0.3]),
        np.array([[2.4, 9.0, 3.0], [2.6, 9.0, 3.1], [2.5, 9.0, 2.9], [2.5, 9.0, 3.0], [2.5, 9.0, 3.0], [2.4, 9.0, 3.1]]),
    )  # fmt: skip
    key = StatKey("pfs", arm="docetaxel+trastuzumab")
    p = sample("median", 2.5, 0.1, n=600, members=6)
    prediction = TrialPrediction(cleopatra, {key: p}, {}, (), tuple(range(6)), 100, 600, (), 0, "")
    left = leave_out(prediction, [], stored)
    assert (left.figures, left.method) == (2, "weights")
    assert left.source == "stored predictions of the members"
    assert left.effective_members == pytest.approx(6.0, rel=0.1)
    none = leave_out(prediction, [], replace(stored, figures=("x.a", "x.b", "x.c"), trials=("x", "x", "x")))
    assert (none.figures, none.method) == (0, "none needed")


def test_means_of_the_sample_are_what_is_updated():
    """A member that agreed with the figure by chance moves away from it again."""
    members = np.repeat(np.arange(4), 5)
    means = np.array([-0.3, -0.1, 0.1, 0.3])
    p = Predictive("hr", means[members].copy(), members, means, float(means.var(ddof=1)), 0.0, 0.0)
    q = _updated(p, removal(means[:, None], np.array([-1.0]), np.array([0.5])))
    assert q.values.mean() > p.values.mean()
    assert q.values.std() > p.values.std()
