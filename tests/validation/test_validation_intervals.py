"""Predictive samples: what is taken out, what is added, and that a headline does not move the interval."""

from __future__ import annotations

import math

import numpy as np
import pytest

from her2.trials.analyse import Estimate
from her2.trials.design import load_trial
from her2.trials.intervals import from_scale, kind_of, predictive_sample, to_scale
from her2.trials.run import _predict


def test_scales_are_inverse():
    for kind, x in (("rate", 0.3), ("median", 12.5), ("hr", 0.62)):
        assert from_scale(float(to_scale(np.array([x]), kind, 1e-3)[0]), kind) == pytest.approx(x, rel=1e-12)
    assert to_scale(np.array([np.inf]), "median", 1e-3)[0] == np.inf
    assert from_scale(np.inf, "median") == np.inf
    assert to_scale(np.array([0.0]), "hr", 1e-3)[0] == -np.inf
    assert np.isnan(to_scale(np.array([np.nan]), "hr", 1e-3)[0])
    assert np.isfinite(to_scale(np.array([0.0, 1.0]), "rate", 1e-3)).all()


def test_kinds_come_from_the_design():
    assert [kind_of(e) for e in ("orr", "pcr", "cns_orr", "pfs", "dfs")] == [
        "rate",
        "rate",
        "rate",
        "median",
        "median",
    ]


def test_variances_are_found_again(generator):
    """Members N(log 10, 0.2), trials within N(0, 0.1), pools as large as an arm: the pools' share is taken out.

    A member's mean carries its true value and the noise of its pool, of the variance of one trial.
    """
    members, per = 60, 50
    truth = (
        math.log(10.0) + 0.2 * generator.standard_normal(members) + 0.1 * generator.standard_normal(members)
    )
    y = np.tile(truth, per) + 0.1 * generator.standard_normal(members * per)
    p = predictive_sample(np.exp(y), "median", members, size=200, n_arm=100, pool=100, between=0.1, seed=1)
    assert math.sqrt(p.v_within) == pytest.approx(0.1, rel=0.05)
    assert math.sqrt(p.v_parameters) == pytest.approx(0.2, rel=0.25)
    assert p.v_between == pytest.approx(0.01)
    total = p.v_parameters + p.v_within + p.v_between
    assert p.values.var() == pytest.approx(total, rel=0.1)
    assert p.median == pytest.approx(10.0, rel=0.1)
    low, high = p.limits(0.9)
    assert math.log(high / low) == pytest.approx(2 * 1.645 * math.sqrt(total), rel=0.1)


def test_a_headline_outside_its_interval_does_not_widen_it():
    """Rates of all trials near 0.5, headline 0.9: the interval stays where the trials are."""
    trial = load_trial("cleopatra")
    samples = np.full(40, 0.5) + 0.001 * np.arange(40)
    p = _predict(Estimate(0.9, 0.88, 0.92), 0.5, "rate", samples, None, 4, trial, 400, 1, "orr", None)
    assert (
        p.high < 0.8
    )  # the between-trial spread of a rate near one half reaches to 0.73, the headline is 0.9
    assert p.value > p.high


def test_medians_not_reached_count_as_late():
    samples = np.where(np.arange(100) % 10 < 7, 20.0, np.inf)
    p = predictive_sample(samples, "median", 5, size=100, n_arm=50, pool=100, between=0.0, seed=1)
    assert p.median == pytest.approx(20.0)
    assert p.limits(0.9)[1] == np.inf
