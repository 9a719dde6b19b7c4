"""Virtual patients: prevalences, spreads and covariate models as the record says; exposures as published."""

import numpy as np
import pytest

from her2.engine.kernel import pk_step
from her2.engine.layout import Attribute as A
from her2.evidence.load import load_population
from her2.patients.sample import population_values, sample_cohort

N = 20_000


@pytest.fixture(scope="module")
def cohort(model):
    return sample_cohort(model, population_values(model, load_population("first_line_metastatic")), 11, 0, N)


@pytest.mark.parametrize(
    ("row", "parameter"),
    [
        (A.PIK3CA, "pik3ca_mutant"),
        (A.CYCLIN_E, "cyclin_e_amplified"),
        (A.ER_POSITIVE, "er_positive"),
        (A.VISCERAL, "visceral"),
        (A.LIVER, "liver"),
        (A.ECOG, "ecog_1"),
        (A.ADJUVANT_TRASTUZUMAB, "adjuvant_trastuzumab"),
        (A.ADJUVANT_CHEMOTHERAPY, "adjuvant_chemotherapy"),
    ],
)
def test_prevalences_are_those_of_the_recipe(model, cohort, row, parameter):
    values = population_values(model, load_population("first_line_metastatic"))
    wanted = values[f"population.{parameter}"]
    # 3.3 standard errors of a share of 20,000
    assert abs(cohort.attributes[row].mean() - wanted) < 3.3 * np.sqrt(0.25 / N)


def test_medians_and_spreads(model, cohort):
    values = model.values
    log_her2 = np.log(cohort.attributes[A.HER2])
    sd = values["population.her2_sd_factor"] * values["population.receptor_log_sd"]
    assert abs(np.median(log_her2) - np.log(values["receptors.reference_her2"])) < 0.02
    assert log_her2.std() == pytest.approx(sd, rel=0.03)


def test_er_negative_tumours_have_no_er_signal(cohort):
    negative = cohort.attributes[A.ER_POSITIVE] < 0.5
    assert np.all(cohort.attributes[A.ER][negative] == 0.0)
    assert np.all(cohort.attributes[A.ER][~negative] > 0.0)


def test_adjuvant_trastuzumab_came_with_chemotherapy(cohort):
    had = cohort.attributes[A.ADJUVANT_TRASTUZUMAB] > 0.5
    assert np.all(cohort.attributes[A.ADJUVANT_CHEMOTHERAPY][had] == 1.0)


def test_resistant_clones_are_a_minority(cohort):
    fractions = np.exp(cohort.attributes[A.CLONE_FRACTION :])
    assert np.all(fractions <= 0.1 + 1e-12)
    assert np.all(fractions.sum(axis=0) < 0.75)


def test_sensitivities_of_cytotoxics_are_correlated(model, cohort):
    log_s = np.log(cohort.sensitivity)
    names = [c.id for c in model.cytotoxics]
    rho = np.corrcoef(log_s[names.index("docetaxel")], log_s[names.index("vinorelbine")])[0, 1]
    assert rho == pytest.approx(model.values["population.chemo_correlation"], abs=0.05)


def _steady_state(pk, loading, dose, interval, cycles=12, per_day=20):
    """Central concentration over the last cycle: (samples, patients), mg/L."""
    central, peripheral = np.zeros(pk.shape[1]), np.zeros(pk.shape[1])
    out = []
    for cycle in range(cycles):
        central = central + (loading if cycle == 0 else dose)
        for _ in range(int(interval * per_day)):
            central, peripheral = _step(central, peripheral, pk, 1.0 / per_day)
            if cycle == cycles - 1:
                out.append(central / pk[1])
    return np.array(out)


def _step(c, p, pk, dt):
    stepped = np.array([pk_step(c[i], p[i], *pk[:, i], dt) for i in range(c.size)])
    return stepped[:, 0], stepped[:, 1]


def test_trastuzumab_exposure_is_that_of_the_label(cohort):
    """Steady state, 8 then 6 mg/kg every three weeks, 150 patients: median trough and area inside the label's 5th to 95th
    percentiles (trough 1.8-85.4, median 44.2 ug/mL; area 618-2756, median 1736 ug day/mL), and within 30 % of the medians."""
    n = 150
    pk = cohort.antibody_pk[0][:, :n]
    weight = cohort.attributes[A.WEIGHT][:n]
    conc = _steady_state(pk, 8 * weight, 6 * weight, 21, cycles=9, per_day=4)
    trough, area = np.median(conc[-1]), np.median(conc.mean(axis=0) * 21)
    assert trough == pytest.approx(44.2, rel=0.3)
    assert area == pytest.approx(1736, rel=0.3)


def test_effect_site_of_the_typical_patient_is_one_on_average(model):
    """Reference dose in the reference patient: mean effect-site exposure over an interval is 1 by construction."""
    docetaxel = next(c for c in model.cytotoxics if c.id == "docetaxel")
    role, ke0 = docetaxel.engine, model.values["distribution.effect_site_rate"]
    typical = next(q.value for q in docetaxel.pharmacokinetics.parameters if q.id == "clearance")
    auc = role.reference_dose * role.reference_body / typical
    rise = role.reference_dose * role.reference_body * ke0 * role.reference_interval / (typical * auc)
    assert rise / ke0 / role.reference_interval == pytest.approx(1.0, rel=1e-12)
