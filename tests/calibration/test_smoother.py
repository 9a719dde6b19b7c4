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
