"""Members of the ensemble carry what the fit has not narrowed: the potencies of drugs without a fitted arm."""

import numpy as np
import pytest

from her2.drugs import drawn_agent, fitted_agents
from her2.evidence.load import load_agent
from her2.model import build_model, trial_agents
from her2.posterior import central_model, load_posterior, member_model


def halves(agent):
    return [a.half for a in agent.pharmacodynamics.actions if a.half is not None]


def test_fitted_drugs_and_the_centre_stay_as_they_are():
    assert {"trastuzumab", "pertuzumab", "lapatinib", "t_dm1"} <= fitted_agents() < set(trial_agents())
    for name in ("lapatinib", "t_dm1"):
        assert drawn_agent(load_agent(name), 5) is load_agent(name)
    assert drawn_agent(load_agent("neratinib"), 0) is load_agent("neratinib")


def test_potencies_of_other_drugs_have_the_spread_of_their_prior():
    """2,000 draws: SD of the mean 0.016, of the SD 0.011 for a prior SD of 0.7; four of them allowed."""
    agent = load_agent("neratinib")
    own = np.log(halves(agent))
    spread = [a.prior_log_sd for a in agent.pharmacodynamics.actions if a.half is not None]
    shifts = np.array([np.log(halves(drawn_agent(agent, k))) - own for k in range(1, 2001)])
    np.testing.assert_allclose(shifts.mean(axis=0), 0.0, atol=0.07)
    np.testing.assert_allclose(shifts.std(axis=0), spread, atol=0.05)


def test_a_binding_part_shared_with_a_fitted_drug_keeps_its_potency():
    """Margetuximab binds the epitope of trastuzumab as trastuzumab's conjugate does: what the fit knows, it knows of it."""
    shared = {f"{a.on}.{a.target}.{a.half:g}" for n in fitted_agents() for a in acting(n)}
    agent = load_agent("margetuximab")
    drawn = drawn_agent(agent, 3)
    kept = [
        (a.half, b.half)
        for a, b in zip(agent.pharmacodynamics.actions, drawn.pharmacodynamics.actions, strict=True)
        if a.half is not None and f"{a.on}.{a.target}.{a.half:g}" in shared
    ]
    assert kept and all(x == y for x, y in kept)


def acting(name):
    return [a for a in load_agent(name).pharmacodynamics.actions if a.half is not None]


@pytest.mark.parametrize("member", [0, 7])
def test_members_differ_in_unfitted_drugs_beyond_the_free_parameters(member):
    free = build_model(load_posterior().values(member))
    whole = member_model(member)
    for name, same in (("lapatinib", True), ("neratinib", False)):
        a = free.giving([name]).drugs.action_ratio
        b = whole.giving([name]).drugs.action_ratio
        assert np.array_equal(a, b) is same
    assert whole.values["ensemble.draw"] == member + 1
    assert central_model().values["ensemble.draw"] == 0


def test_every_value_of_a_member_is_that_of_its_own_column():
    """Read a second time from the file, by name."""
    import csv

    from her2.posterior import ENSEMBLE

    with ENSEMBLE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    posterior = load_posterior()
    assert posterior.n == len(rows)
    for member in (0, 1, posterior.n - 1):
        assert posterior.values(member) == {name: float(text) for name, text in rows[member].items()}
