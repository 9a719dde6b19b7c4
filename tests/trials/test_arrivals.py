"""How patients come into a trial and leave it: enrolment, loss of contact, allocation, planned doses."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from her2.engine.rng import Purpose, uniforms
from her2.errors import RecordError
from her2.trials.enrol import enrol_times, loss_times
from her2.trials.follow import arm_doses, chosen, weekly_pattern
from her2.trials.randomise import randomise, stratum_codes

N = 20_000


def test_patients_come_evenly_over_the_accrual():
    """A correct law fails a Kolmogorov-Smirnov test of a fixed seed at 1e-6 once in a million."""
    days = enrol_times(3, 0, N, 900.0)
    assert stats.kstest(days / 900.0, "uniform").pvalue > 1e-6
    assert enrol_times(3, 10, 5, 900.0).tolist() == days[10:15].tolist()


def test_the_loss_of_contact_has_the_rate_given_per_day():
    """The mean of 20,000 exponential times has a standard error of 0.7 %; five of them."""
    rate = 0.03 / 365.25
    lost = loss_times(3, 0, N, rate)
    assert lost.mean() * rate == pytest.approx(1.0, rel=0.035)
    assert stats.kstest(lost * rate, "expon").pvalue > 1e-6
    # three per cent are lost in a year
    assert np.mean(lost <= 365.25) == pytest.approx(1.0 - np.exp(-0.03), abs=5 * np.sqrt(0.03 * 0.97 / N))
    assert np.all(np.isinf(loss_times(3, 0, 4, 0.0)))


def test_loss_and_enrolment_are_independent():
    """The correlation of 20,000 independent pairs has a standard error of 0.7 %; five of them."""
    assert abs(np.corrcoef(enrol_times(3, 0, N, 1.0), loss_times(3, 0, N, 1.0))[0, 1]) < 0.0354


@pytest.mark.parametrize(("ratio", "block"), [((1, 1), 4), ((2, 1), 6), ((1, 1, 1), 3), ((3, 1), 8)])
def test_every_full_block_of_a_stratum_holds_the_arms_in_their_ratio(ratio, block):
    strata = np.arange(20 * block) % 2
    arm = randomise(5, 0, strata, ratio, block)
    for code in (0, 1):
        blocks = arm[strata == code].reshape(-1, block)
        counts = [np.sum(blocks == k, axis=1).tolist() for k in range(len(ratio))]
        assert counts == [[r * block // sum(ratio)] * len(blocks) for r in ratio]
        # and they are not all in the same order
        assert len({tuple(b) for b in blocks.tolist()}) > 1


def test_a_last_block_that_is_not_full_takes_no_more_of_an_arm_than_a_full_one():
    for n in (1, 2, 3, 5):
        arm = randomise(5, 0, np.zeros(n, dtype=np.int64), (1, 1), 4)
        assert all(np.sum(arm[:4] == k) <= 2 for k in (0, 1))
    # over many trials the first patient gets either arm as often: 400 coins, five standard errors
    first = [randomise(5, t, np.zeros(1, dtype=np.int64), (1, 1), 4)[0] for t in range(400)]
    assert abs(np.mean(first) - 0.5) < 5 * 0.5 / 20


def test_strata_are_every_combination_of_the_factors():
    a, b = np.array([False, False, True, True]), np.array([False, True, False, True])
    assert stratum_codes([a, b]).tolist() == [0, 1, 2, 3]
    assert stratum_codes([]) is None


@pytest.mark.parametrize(
    ("text", "weeks", "pattern"),
    [
        ("6 mg/kg q3w", 3, [1.0, 0.0, 0.0]),
        ("2 mg/kg qw", 1, [1.0]),
        ("80 mg/m2 d1,8,15 q4w", 4, [1.0, 1.0, 1.0, 0.0]),
        ("25 mg/m2 d1,8 q3w", 3, [1.0, 1.0, 0.0]),
        ("25 mg/m2 d7,14 q3w", 3, [1.0, 1.0, 0.0]),
        ("1000 mg/m2 bid d1-14 q3w", 3, [14.0, 14.0, 0.0]),
        ("1250 mg qd", 1, [7.0]),
        ("300 mg bid", 1, [14.0]),
    ],
)
def test_doses_count_for_the_week_in_which_they_fall(text, weeks, pattern):
    assert weekly_pattern(text) == (weeks, pattern)


def test_an_interval_that_is_no_whole_number_of_weeks_is_refused():
    with pytest.raises(RecordError, match="an interval of 10 days is no whole number of weeks"):
        weekly_pattern("6 mg/kg q10d")


def test_the_physician_chooses_by_the_shares():
    """20,000 choices: a share has a standard error of at most 0.35 %; five of them."""
    option = chosen([0.2, 0.5, 0.3], 4, 0, N, 201)
    assert np.bincount(option, minlength=3) / N == pytest.approx([0.2, 0.5, 0.3], abs=0.0177)
    assert chosen([1.0], 4, 0, 3, 201).tolist() == [0, 0, 0]
    u = uniforms(4, 0, N, int(Purpose.ARM_ATTRIBUTE), 201)
    assert np.array_equal(option == 0, u < 0.2)


def test_planned_cycles_scatter_about_their_median_within_their_limits(model, cleopatra):
    arm = cleopatra.arms[0]
    planned = next(c.cycles for c in arm.regimen if c.agent == "docetaxel")
    normal = np.array([-9.0, -1.0, 0.0, 1.0, 9.0])
    cohort = SimpleNamespace(n=normal.size, cycles_normal=normal)
    agents = [a.id for a in model.agents]
    nothing = np.full((len(agents), normal.size), np.inf)
    events = [SimpleNamespace(on=lambda _: (np.zeros_like(nothing), np.ones_like(nothing), nothing))]
    doses = arm_doses(model, arm, np.zeros(normal.size, dtype=np.int64), cohort, events)
    sd = model.values["population.docetaxel_cycles_log_sd"]
    expected = np.clip(np.round(planned.median * np.exp(sd * normal)), planned.low, planned.high)
    assert doses.max_cycles[agents.index("docetaxel")].tolist() == expected.tolist()
    assert expected[2] == planned.median and expected[0] == planned.low and expected[-1] == planned.high
    # a drug without planned cycles has no limit
    assert np.all(doses.max_cycles[agents.index("trastuzumab")] == 1e9)
