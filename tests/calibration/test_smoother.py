"""The ensemble smoother against the closed form of the linear-Gaussian case."""

import numpy as np
import pytest

from her2.calibration.smoother import smooth_ensemble


def test_linear_gaussian_posterior_is_reached():
    """Two parameters, three data: posterior mean and covariance in closed form.

    20,000 members: the Monte-Carlo error of a mean is below 0.01 posterior SD, of an SD below 1 %; 4 % allowed.
    """
    h = np.array([[1.0, 0.5], [0.0, 2.0], [1.0, -1.0]])
    data, error = np.array([1.0, -0.5, 0.3]), np.array([0.5, 1.0, 0.7])
    precision = np.eye(2) + h.T @ np.diag(error**-2) @ h
    covariance = np.linalg.inv(precision)
    mean = covariance @ h.T @ (data / error**2)
    result = smooth_ensemble(lambda s, m, z: h @ z, data, error, 2, 20_000, 4, np.random.default_rng(1))
    assert np.allclose(result.posterior.mean(axis=0), mean, atol=0.04 * np.sqrt(np.diag(covariance)).max())
    assert np.allclose(np.cov(result.posterior.T), covariance, atol=0.04)
    assert result.misfit[-1] < result.misfit[0]


def test_a_parameter_the_data_do_not_touch_keeps_its_prior():
    result = smooth_ensemble(
        lambda s, m, z: z[:1], np.array([2.0]), np.array([0.1]), 2, 5000, 3, np.random.default_rng(2)
    )
    # 5,000 members: 3.3 standard errors of mean and SD
    assert abs(result.posterior[:, 1].mean()) < 0.047
    assert abs(result.posterior[:, 1].std() - 1.0) < 0.033


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="at least 3"):
        smooth_ensemble(lambda s, m, z: z, np.zeros(1), np.ones(1), 1, 2, 1, np.random.default_rng(1))
    with pytest.raises(ValueError, match="differ in shape"):
        smooth_ensemble(lambda s, m, z: z, np.zeros(1), np.ones(2), 1, 5, 1, np.random.default_rng(1))


@pytest.mark.parametrize("jobs", [2, 5])
def test_members_at_the_same_time_give_the_same_digits(jobs):
    """A noisy forward model keyed by step and member, as the calibration's is: threads change nothing."""

    def forward(step, member, z):
        return z + 0.1 * np.random.default_rng([step, member]).standard_normal(2)

    data, error = np.array([1.0, -1.0]), np.array([0.3, 0.5])

    def run(jobs):
        steps = []
        result = smooth_ensemble(
            forward, data, error, 2, 40, 3, np.random.default_rng(5), lambda *a: steps.append(a), jobs
        )
        return result, steps

    (one, seen), (many, also) = run(1), run(jobs)
    assert np.array_equal(one.posterior, many.posterior)
    assert np.array_equal(one.predictions, many.predictions)
    assert one.misfit == many.misfit and seen == also and len(seen) == 4


def test_an_error_of_one_member_reaches_the_caller():
    def forward(step, member, z):
        if member == 3:
            raise RuntimeError("member 3")
        return z

    with pytest.raises(RuntimeError, match="member 3"):
        smooth_ensemble(forward, np.zeros(1), np.ones(1), 1, 5, 1, np.random.default_rng(1), jobs=3)


def test_the_table_of_predictions_names_figures_and_claims():
    from her2.calibration.claims import SOFT_CLAIMS
    from her2.calibration.free import load_free
    from her2.calibration.report import predictions_text
    from her2.calibration.run import Calibration
    from her2.calibration.smoother import Smoothed
    from her2.calibration.targets import Target

    free = load_free()
    targets = (
        Target("cleopatra", "pfs", "hr", 0, 1, -0.5, 0.1, "cleopatra.pfs_hr"),
        Target("vogel_2002", "orr", "rate", 0, -1, 0.3, 0.2, "vogel_2002.orr"),
    )
    z = np.zeros((3, len(free.names)))
    g = np.arange(3.0 * (2 + len(SOFT_CLAIMS))).reshape(3, -1)
    text = predictions_text(Calibration(free, targets, Smoothed(z, z, g, (1.0,))))
    rows = [line.split("\t") for line in text.splitlines()]
    assert [r[0] for r in rows] == ["row", "trial", "value", "error", "0", "1", "2"]
    assert rows[0][1:3] == ["cleopatra.pfs_hr", "vogel_2002.orr"]
    assert rows[0][3:] == [f"claim:{c.claim}" for c in SOFT_CLAIMS]
    assert rows[1][1:3] == ["cleopatra", "vogel_2002"] and set(rows[1][3:]) == {"-"}
    np.testing.assert_allclose([[float(x) for x in r[1:]] for r in rows[4:]], g)
    assert [float(x) for x in rows[2][1:3]] == [-0.5, 0.3] and [float(x) for x in rows[3][1:3]] == [0.1, 0.2]
