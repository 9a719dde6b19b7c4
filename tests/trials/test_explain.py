"""`her2 trial --explain`: one mechanism taken away at a time, the same patients."""

from __future__ import annotations

import pytest

from her2.evidence.load import load_parameters
from her2.trials.design import load_trial
from her2.trials.explain import MECHANISMS, Explained, explain_trial
from her2.trials.explain_report import explained_json


def test_mechanisms_are_switched_off_by_parameters_that_exist() -> None:
    known = load_parameters()
    for mechanism in MECHANISMS:
        assert set(mechanism.without) <= set(known), mechanism.id


@pytest.fixture(scope="module")
def vogel() -> tuple[Explained, ...]:
    return explain_trial(load_trial("vogel_2002"), patients=192)


def test_antibody_alone_needs_its_effector_cells_and_no_chemotherapy(vogel: tuple[Explained, ...]) -> None:
    by_id = {r.mechanism.id if r.mechanism else "": r for r in vogel}
    assert "chemo_synergy" not in by_id  # the arm has no cytotoxic
    assert by_id["effector_kill"].arms[0]["orr"] < by_id[""].arms[0]["orr"]
    # twins: without resistant clones nobody progresses earlier
    assert by_id["resistant_clones"].arms[0]["ttp"] >= by_id[""].arms[0]["ttp"]


def test_json_names_every_arm(vogel: tuple[Explained, ...]) -> None:
    out = explained_json(load_trial("vogel_2002"), vogel)
    assert out["results"][0]["without"] is None
    assert all(set(r["arms"]) == {"trastuzumab"} for r in out["results"])
