"""The local analysis: closed forms, and the same claims as calibration uses."""

import numpy as np
import pytest

from her2.calibration.claims import SOFT_CLAIMS, claim_values
from her2.cell.model import build_cell_model
from her2.model import build_model
from her2.posterior import load_posterior
from her2.sensitivity.factors import find_case, load_factors
from her2.sensitivity.identifiability import analyse_jacobian, identify, soft_claims

WEAK = {
    "signalling.w_pten": 0.1,
    "signalling.w_cyclin_e": 0.05,
    "receptors.block_pertuzumab_ligand_driven": 0.5,
}
"""Values at which some claims stay below their margins, so that the cut does not hide the comparison."""


@pytest.mark.parametrize("values", [None, WEAK, "posterior"])
def test_claims_of_the_cell_are_those_of_the_calibration(values):
    chosen = load_posterior().values(0) if values == "posterior" else values
    margins = np.array([c.margin for c in SOFT_CLAIMS])
    cut = np.minimum(soft_claims(build_cell_model(chosen)), margins)
    np.testing.assert_allclose(cut, claim_values(build_model(chosen)), atol=1e-9)


def test_a_linear_gaussian_problem_has_its_closed_form():
    jacobian = np.array([[2.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    found = analyse_jacobian(jacobian, ("a", "b"), ("x", "y", "z"))
    covariance = np.linalg.inv(np.eye(3) + jacobian.T @ jacobian)
    np.testing.assert_allclose(found.sd_ratio, np.sqrt(np.diag(covariance)), rtol=1e-12)
    np.testing.assert_allclose(found.singular_values, [np.sqrt(8.0), 1.0])
    assert found.n_identified == 1
    assert [(p.first, p.second) for p in found.pairs] == [("x", "y")]
    assert found.pairs[0].cosine == pytest.approx(1.0)
    # only the sum of x and y is learned
    loads = dict(found.directions[0].loadings)
    assert loads["x"] == pytest.approx(loads["y"]) and abs(loads["z"]) < 1e-12


def test_what_nothing_observes_stays_as_uncertain_as_it_was():
    found = analyse_jacobian(np.array([[3.0, 0.0]]), ("a",), ("x", "y"))
    assert found.sd_ratio[1] == 1.0 and found.visibility[1] == 0.0 and not found.pairs


def test_slopes_of_a_cytotoxic_are_those_of_its_formula():
    """Growth inhibition of docetaxel alone is kill / growth: slope per prior SD is +- log SD times itself."""
    case = find_case("docetaxel")
    chosen = [
        f for f in load_factors([case]) if f.id in ("kill.docetaxel", "tumour.growth", "signalling.w_pten")
    ]
    found = identify([case], chosen)
    assert found.jacobian.shape == (1 + len(SOFT_CLAIMS), len(found.factors))
    column = {name: found.jacobian[0, k] for k, name in enumerate(found.factors)}
    # in units of 10 % of itself; symmetric differences over 0.25 SD of an exponential err by 0.1 to 0.2 %
    assert column["kill.docetaxel"] == pytest.approx(0.35 / 0.1, rel=0.01)
    assert column["tumour.growth"] == pytest.approx(-0.4 / 0.1, rel=0.01)
    assert column["signalling.w_pten"] == pytest.approx(0.0, abs=1e-9)
    claims = found.jacobian[1:, found.factors.index("signalling.w_pten")]
    assert np.abs(claims).max() > 0.1
