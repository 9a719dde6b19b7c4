"""Mode, spread and members against the closed form of the linear-Gaussian case."""

import numpy as np
import pytest

from her2.calibration.laplace import Mode, birge_ratio, covariance, draw_members, find_mode

H = np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 0.0], [1.0, -1.0, 0.0]])
DATA, ERROR = np.array([1.0, -0.5, 0.3]), np.array([0.5, 1.0, 0.7])


def closed_form():
    precision = np.eye(3) + H.T @ np.diag(ERROR**-2) @ H
    spread = np.linalg.inv(precision)
    return spread @ H.T @ (DATA / ERROR**2), spread


def linear(steps=20, on_step=None):
    return find_mode(lambda z: H @ z, lambda z: H, DATA, ERROR, np.zeros(3), steps, on_step)


def test_linear_gaussian_posterior_is_reached():
    """A linear model needs one Gauss-Newton step: what is left is the tolerance of the search."""
    mean, spread = closed_form()
    mode = linear()
    assert mode.converged
    np.testing.assert_allclose(mode.z, mean, atol=1e-6)
    np.testing.assert_allclose(mode.predictions, H @ mean, atol=1e-6)
    np.testing.assert_allclose(covariance(mode, ERROR), spread, rtol=1e-12)


def test_a_parameter_the_data_do_not_touch_keeps_its_prior():
    mode = linear()
    assert mode.z[2] == 0.0
    np.testing.assert_allclose(covariance(mode, ERROR)[2], [0.0, 0.0, 1.0], atol=1e-14)


def test_a_bent_model_with_rough_slopes_reaches_the_mode_of_a_fine_grid():
    """Derivatives over half a prior SD, as the calibration takes them; the mode itself is that of the exact model."""

    def bent(z):
        return np.array([np.exp(0.4 * z[0]) + z[1], z[1] ** 2 + z[0]])

    def rough(z):
        return np.stack([(bent(z + 0.5 * e) - bent(z)) / 0.5 for e in np.eye(2)], axis=1)

    data, error = np.array([2.0, 0.5]), np.array([0.3, 0.3])
    mode = find_mode(bent, rough, data, error, np.zeros(2), 60)
    x = np.linspace(-2, 2, 801)
    a, b = np.meshgrid(x, x, indexing="ij")
    sums = ((np.exp(0.4 * a) + b - 2.0) / 0.3) ** 2 + ((b**2 + a - 0.5) / 0.3) ** 2 + a**2 + b**2
    # rough slopes end the search early; one unit of the sum of squares is one posterior SD away, a quarter is half of one
    assert sums.min() - 1e-3 <= mode.sums[-1] <= sums.min() + 0.25
    assert list(mode.sums) == sorted(mode.sums, reverse=True)


def test_members_have_the_mode_as_their_mean_and_the_spread_asked_for():
    """20,000 members: SD of an SD is 0.5 %, of a correlation 0.7 %; 3 % allowed."""
    _, spread = closed_form()
    mode = linear()
    members = draw_members(mode, spread, 20_000, np.random.default_rng(1))
    np.testing.assert_allclose(members.mean(axis=0), mode.z, atol=1e-12)
    np.testing.assert_allclose(np.cov(members.T), spread, atol=0.03)


def test_scatter_beyond_the_errors_widens_and_less_scatter_does_not_narrow():
    """Ten figures of one number, prior hardly felt: the ratio is the root of chi square over nine."""
    data = np.linspace(-3.0, 3.0, 10)
    slopes = np.ones((10, 1)) * 1.0
    error = np.full(10, 0.1)
    mode = Mode(np.zeros(1), np.zeros(10), slopes, (1.0,), True)
    expected = np.sqrt(np.sum((data / 0.1) ** 2) / (10 - 1000 / 1001))
    assert birge_ratio(mode, data, error) == pytest.approx(expected, rel=1e-12)
    assert birge_ratio(mode, data * 1e-6, error) == 1.0


def test_every_evaluation_is_reported():
    seen = []
    linear(on_step=lambda k, s: seen.append((k, s)))
    assert [k for k, _ in seen] == list(range(len(seen))) and len(seen) >= 2
    assert seen[0][1] == pytest.approx(float(np.sum((DATA / ERROR) ** 2)))


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="errors positive"):
        find_mode(lambda z: z, lambda z: np.eye(1), np.zeros(1), np.zeros(1), np.zeros(1), 3)
    with pytest.raises(ValueError, match="same shape"):
        find_mode(lambda z: z, lambda z: np.eye(1), np.zeros(2), np.ones(2), np.zeros(1), 3)
    with pytest.raises(ValueError, match="even number"):
        draw_members(linear(), np.eye(3), 5, np.random.default_rng(1))


def test_a_trial_that_never_gives_a_drug_does_not_change_with_its_parameter():
    """The shortcut of the derivatives, checked by simulation: trials left out of a derivative are those that do not move."""
    from her2.calibration.free import load_free, speaks_of
    from her2.model import build_model
    from her2.trials.design import load_trial
    from her2.trials.follow import prepare_trial, simulate_pool

    free = load_free()
    trial = load_trial("egf100151")
    agents = frozenset(a.id for a in prepare_trial(build_model({}), trial).model.agents)
    silent = [p for p in free.names if not speaks_of(p, agents, in_brain=True)]
    assert silent, "no parameter is silent: choose another trial"
    z = np.zeros(len(free.names))
    digests = set()
    for name in [None, *silent]:
        moved = z.copy()
        if name is not None:
            moved[free.names.index(name)] = 1.0
        pool = simulate_pool(build_model(free.values(moved)), trial, 16, 1)
        digests.add(tuple(f.digest() for f in pool.arms))
    assert len(digests) == 1


def test_the_table_of_predictions_names_figures_and_claims():
    from types import SimpleNamespace

    from her2.calibration.claims import SOFT_CLAIMS
    from her2.calibration.report import predictions_text
    from her2.calibration.targets import Target

    targets = (
        Target("cleopatra", "pfs", "hr", 0, 1, -0.5, 0.1, "cleopatra.pfs_hr"),
        Target("vogel_2002", "orr", "rate", 0, -1, 0.3, 0.2, "vogel_2002.orr"),
    )
    g = np.arange(3.0 * (2 + len(SOFT_CLAIMS))).reshape(3, -1)
    text = predictions_text(SimpleNamespace(targets=targets, predictions=g))
    rows = [line.split("\t") for line in text.splitlines()]
    assert [r[0] for r in rows] == ["row", "trial", "value", "error", "0", "1", "2"]
    assert rows[0][1:3] == ["cleopatra.pfs_hr", "vogel_2002.orr"]
    assert rows[0][3:] == [f"claim:{c.claim}" for c in SOFT_CLAIMS]
    assert rows[1][1:3] == ["cleopatra", "vogel_2002"] and set(rows[1][3:]) == {"-"}
    np.testing.assert_allclose([[float(x) for x in r[1:]] for r in rows[4:]], g)
    assert [float(x) for x in rows[2][1:3]] == [-0.5, 0.3] and [float(x) for x in rows[3][1:3]] == [0.1, 0.2]
