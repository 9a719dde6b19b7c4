"""What somebody without a model would say."""

from __future__ import annotations

import math

import pytest

from her2.evidence.load import load_studies
from her2.trials.design import load_trial
from her2.validation.baselines import Knowledge, KnownArm, KnownContrast, learn
from her2.validation.predict import StatKey

T, TD, TP = (
    frozenset({"trastuzumab"}),
    frozenset({"trastuzumab", "docetaxel"}),
    frozenset({"trastuzumab", "paclitaxel"}),
)
EXPERIMENTAL, CONTROL = "docetaxel+pertuzumab+trastuzumab", "docetaxel+trastuzumab"


def _knowledge(arms=(), contrasts=()):
    names = {x.study for x in (*arms, *contrasts)} | {"cleopatra"}
    return Knowledge(
        tuple(arms), tuple(contrasts), {"trastuzumab": "antibody", "pertuzumab": "antibody", "lapatinib": "kinase_inhibitor"},
        {s: s for s in names}, {"cleopatra": "first_line"},
    )  # fmt: skip


def test_the_nearest_arm_has_the_same_line_then_the_most_shared_agents(cleopatra):
    key = StatKey("pfs", arm=CONTROL)
    arms = [
        KnownArm("other_line", "second_line", TD, "pfs", 1.0),
        KnownArm("few", "first_line", T, "pfs", 2.0),
        KnownArm("taxane", "first_line", frozenset({"taxane", "trastuzumab"}), "ttp", 3.0),
        KnownArm("far", "first_line", TP, "os", 4.0),
    ]
    assert _knowledge(arms).nearest_arm(cleopatra, key) == 3.0
    assert _knowledge(arms[:2]).nearest_arm(cleopatra, key) == 2.0
    assert _knowledge(arms[:1]).nearest_arm(cleopatra, key) == 1.0
    assert _knowledge(arms[3:]).nearest_arm(cleopatra, key) is None


def test_never_the_trial_itself(cleopatra):
    arms = [
        KnownArm("cleopatra", "first_line", TD, "pfs", 12.0),
        KnownArm("few", "first_line", T, "pfs", 2.0),
    ]
    assert _knowledge(arms).nearest_arm(cleopatra, StatKey("pfs", arm=CONTROL)) == 2.0


def test_the_class_mean_is_of_contrasts_that_add_the_same_class(cleopatra):
    key = StatKey("pfs", experimental=EXPERIMENTAL, control=CONTROL)
    lapatinib = frozenset({"lapatinib"})
    contrasts = [
        KnownContrast("one", "first_line", T | {"docetaxel"}, frozenset({"docetaxel"}), "pfs", math.log(0.5)),
        KnownContrast("two", "first_line", T | {"docetaxel"}, frozenset({"docetaxel"}), "ttp", math.log(0.8)),
        KnownContrast("tki", "first_line", lapatinib | T, T, "pfs", math.log(0.9)),
    ]
    assert _knowledge(contrasts=contrasts).class_mean(cleopatra, key) == pytest.approx(math.sqrt(0.5 * 0.8))
    assert _knowledge(contrasts=contrasts[2:]).class_mean(cleopatra, key) == pytest.approx(0.9)
    assert _knowledge().class_mean(cleopatra, key) is None


def test_knowledge_is_what_calibration_sees():
    known = learn(load_studies())
    m77001 = next(c for c in known.contrasts if c.study == "m77001" and c.endpoint == "ttp")
    assert m77001.experimental - m77001.control == {"trastuzumab"}
    assert m77001.log_hr < 0
    assert not any(a.study == "averel" and "bevacizumab" in a.agents for a in known.arms)
    assert known.nearest_arm(load_trial("gbg_26"), StatKey("ttp", arm="capecitabine")) is not None
