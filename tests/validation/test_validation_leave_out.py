"""Leaving a trial out, against the closed form of a linear model with normal errors."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from her2.errors import RecordError
from her2.trials.intervals import Kind, Predictive
from her2.validation.leave_out import (
    StoredPredictions,
    error_factor,
    follow,
    leave_out,
    linear_posterior,
    moved,
    parse_predictions,
)
from her2.validation.pairs import Figure
from her2.validation.predict import StatKey, TrialPrediction

N_PARAMETERS, MEMBERS = 5, 96
TRIALS = ("a", "a", "a", "b", "b", "c", "c", "c", "c", "d", "d", "-")


class World:
    """Figures linear in the parameters, fitted exactly; `factor` as calibration uses it for the spread."""

    def __init__(self, generator, factor=1.0):
        n = len(TRIALS)
        self.slopes = generator.standard_normal((n, N_PARAMETERS)) * 0.4
        self.level = generator.standard_normal(n)
        self.errors = generator.uniform(0.2, 0.5, n)
        self.values = self.level + generator.standard_normal(n)
        self.factor = factor
        mode, _ = self.fit(range(n), 1.0)
        _, spread = self.fit(range(n), factor)
        half = generator.standard_normal((MEMBERS // 2, N_PARAMETERS)) @ np.linalg.cholesky(spread).T
        self.z = np.concatenate([mode + half, mode - half])
        figures = tuple(f"{t}.{k}" for k, t in enumerate(TRIALS))
        self.stored = StoredPredictions(
            figures, TRIALS, self.values, self.errors, self.level + self.z @ self.slopes.T
        )

    def fit(self, kept, factor):
        """Mode and covariance under standard normal priors, closed form."""
        kept = list(kept)
        h, r = self.slopes[kept], factor * self.errors[kept]
        cov = np.linalg.inv(np.eye(N_PARAMETERS) + (h / r[:, None] ** 2).T @ h)
        return cov @ (h / r[:, None] ** 2).T @ (self.values - self.level)[kept], cov


@pytest.fixture
def world(generator):
    return World(generator, factor=1.4)


def test_derivatives_come_back_from_the_members(world):
    found = linear_posterior(world.stored, world.z, world.factor)
    assert found is not None
    assert found.slopes == pytest.approx(world.slopes, abs=1e-10)
    assert found.covariance() == pytest.approx(world.fit(range(len(TRIALS)), world.factor)[1], abs=1e-10)


def test_leaving_a_trial_out_is_the_fit_without_it(world):
    """Mode (no factor) and covariance (with it) of the closed form without the trial's figures."""
    found = linear_posterior(world.stored, world.z, world.factor)
    for trial in ("a", "b", "c", "d"):
        mine = world.stored.of(trial, "")
        assert [TRIALS[k] for k in mine] == [trial] * TRIALS.count(trial)
        others = [k for k in range(len(TRIALS)) if k not in mine]
        mode, _ = world.fit(others, 1.0)
        _, spread = world.fit(others, world.factor)
        left = found.leave(mine)
        h = world.slopes[mine]
        assert left.centre + left.shift == pytest.approx(world.level[mine] + h @ mode, abs=1e-9)
        assert left.after == pytest.approx(h @ spread @ h.T, abs=1e-9)


def test_members_are_moved_to_the_posterior_without_the_trial(world):
    """A sample with exactly the posterior's covariance gets exactly the other one."""
    found = linear_posterior(world.stored, world.z, world.factor)
    mine = world.stored.of("a", "")
    left = found.leave(mine)
    # three independent directions of unit variance
    base = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]) * np.sqrt(3.0)
    values, vectors = np.linalg.eigh(left.before)
    g = left.centre + base @ (vectors * np.sqrt(values)).T
    after = g + left.moves(g)
    assert after.mean(axis=0) == pytest.approx(left.centre + left.shift, abs=1e-9)
    assert np.cov(after.T, bias=True) == pytest.approx(left.after, abs=1e-9)
    # more figures than parameters: only the directions that parameters move
    every = found.leave(list(range(9)))
    g = world.stored.predictions[:, :9]
    assert np.isfinite(every.moves(g)).all()
    assert np.linalg.matrix_rank(g + every.moves(g) - every.centre - every.shift, tol=1e-6) == N_PARAMETERS


def test_figures_far_away_cannot_push_members_beyond_the_prior(world):
    """Without any figure the parameters have their prior, whatever the figures were."""
    found = linear_posterior(world.stored, world.z, world.factor)
    left = found.leave(list(range(len(TRIALS))))
    assert left.centre + left.shift == pytest.approx(world.level, abs=1e-9)
    assert left.after == pytest.approx(world.slopes @ world.slopes.T, abs=1e-9)


def test_predictions_that_bend_are_not_taken_for_linear(world, generator):
    noisy = world.stored.predictions + 0.3 * generator.standard_normal(world.stored.predictions.shape)
    stored = StoredPredictions(world.stored.figures, TRIALS, world.values, world.errors, noisy)
    assert linear_posterior(stored, world.z) is None
    assert linear_posterior(world.stored, world.z[:50]) is None
    few = StoredPredictions(
        world.stored.figures, TRIALS, world.values, world.errors, world.stored.predictions[:4]
    )
    assert linear_posterior(few, world.z[:4]) is None


def _sample(means: np.ndarray, v_parameters: float) -> Predictive:
    member = np.repeat(np.arange(means.size), 5)
    return Predictive("hr", means[member].copy(), member, means.copy(), v_parameters, 0.01, 0.0)


def test_what_was_not_fitted_follows_what_was(world):
    """A statistic that is a linear function of the trial's figures moves as that function does."""
    found = linear_posterior(world.stored, world.z, world.factor)
    mine = world.stored.of("b", "")
    left = found.leave(mine)
    g = world.stored.predictions[:, mine]
    weights = np.array([0.7, -0.4])
    y = g @ weights
    moves = left.moves(g)
    by = follow(_sample(y, float(y.var(ddof=1))), left, g, moves)
    # shrunk by two coefficients among 96 members
    assert by == pytest.approx(moves @ weights, rel=0.05, abs=0.02)


def test_what_hangs_on_chance_alone_hardly_moves(world, generator):
    """Members' means that hold nothing but the scatter of finite pools: no variance of parameters, no move."""
    found = linear_posterior(world.stored, world.z, world.factor)
    mine = world.stored.of("b", "")
    left = found.leave(mine)
    g = world.stored.predictions[:, mine]
    y = generator.standard_normal(MEMBERS)
    assert not follow(_sample(y, 0.0), left, g, left.moves(g)).any()
    by = [np.abs(follow(_sample(y, v), left, g, left.moves(g))).max() for v in (0.01, float(y.var(ddof=1)))]
    # a ridge of 2 / 0.01 beside 96 members leaves a third of the regression
    assert by[0] < 0.5 * by[1]


def _prediction(trial, statistics, members):
    between: dict[Kind, float] = {"rate": 0.3, "median": 0.2, "hr": 0.1}
    return TrialPrediction(trial, statistics, {}, (), members, (), between, between, 100, 600, (), 0, "")


def test_figures_of_the_whole_study_are_taken_out(world, cleopatra):
    """Of CLEOPATRA by trial and by study, and nothing of other trials."""
    names = ("cleopatra.0", "x.1", "x.2", *world.stored.figures[3:])
    trials = ("other", "cleopatra", "x", *TRIALS[3:])
    stored = StoredPredictions(names, trials, world.values, world.errors, world.stored.predictions)
    found = linear_posterior(stored, world.z, world.factor)
    one, two = StatKey("pfs", arm="docetaxel+trastuzumab"), StatKey("os", arm="docetaxel+trastuzumab")
    members = tuple(range(MEMBERS))
    statistics = {
        key: _sample(stored.predictions[:, k], float(stored.predictions[:, k].var(ddof=1)))
        for k, key in enumerate((one, two))
    }
    figures = [
        Figure("cleopatra", key, 1.0, None, None, "fit", names[k], "") for k, key in enumerate((one, two))
    ]
    left = leave_out(_prediction(cleopatra, statistics, members), figures, found)
    assert (left.figures, left.method, left.is_resolved) == (2, "linear", True)
    others = [k for k in range(len(TRIALS)) if k > 1]
    mode, _ = world.fit(others, 1.0)
    for k, key in enumerate((one, two)):
        expected = world.level[k] + world.slopes[k] @ mode
        # the members' mean is the mode
        assert left.statistics[key].means.mean() == pytest.approx(expected, abs=1e-9)
        assert left.statistics[key].values.mean() == pytest.approx(expected, abs=1e-9)
    elsewhere = StoredPredictions(
        world.stored.figures, TRIALS, world.values, world.errors, stored.predictions
    )
    none = leave_out(
        _prediction(cleopatra, statistics, members), figures, linear_posterior(elsewhere, world.z)
    )
    assert (none.figures, none.method) == (0, "none needed")
    assert none.statistics == statistics


def test_without_a_posterior_to_first_order_nothing_counts_as_left_out(sample, cleopatra):
    key = StatKey("pfs", arm="docetaxel+trastuzumab")
    prediction = _prediction(cleopatra, {key: sample("median", 2.5, 0.1)}, tuple(range(4)))
    figure = Figure("cleopatra", key, 12.0, None, None, "fit", "cleopatra.pfs", "")
    assert not leave_out(prediction, [figure], None).is_resolved
    assert leave_out(prediction, [], None).method == "none needed"


def test_a_moved_sample_keeps_its_trials():
    p = _sample(np.array([-0.3, -0.1, 0.1, 0.3]), 0.05)
    by = np.array([1.0, 0.0, 0.0, -1.0])
    q = moved(p, by)
    assert q.values - p.values == pytest.approx(by[p.member])
    assert q.means == pytest.approx(p.means + by)


def test_the_factor_is_read_from_the_provenance(tmp_path, monkeypatch):
    path = tmp_path / "provenance.yaml"
    monkeypatch.setattr("her2.validation.leave_out.PROVENANCE", path)
    assert error_factor() == 1.0
    path.write_text("birge_ratio: 1.3\n")
    assert error_factor() == 1.3
    path.write_text("birge_ratio: wide\n")
    with pytest.raises(RecordError, match="birge_ratio"):
        error_factor()


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
    made = SimpleNamespace(targets=(target,), predictions=g)
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
