"""The record's regimens, kinetics and exposures tell one story; every dose of the record is in the grammar."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from her2.evidence.load import files_of, load_agents, load_studies, read_yaml
from her2.evidence.schema import Agent
from her2.patients.sample import individual_pk
from her2.pharmacology.compartments import LinearModel, MichaelisMentenModel
from her2.pharmacology.regimen import Regimen, format_regimen, parse_regimen
from her2.units import NM_TO_MG_PER_L

TOLERANCE = 0.30
"""Largest relative difference between the average that dose and clearance imply and the exposure of the record."""

WEIGHT_KG, BSA_M2 = 70.0, 1.72
"""The patient of the exposures' locators."""

CONVERSIONS: dict[str, tuple[float, str]] = {
    "everolimus": (0.3, "clearance is from blood, the exposure in plasma: plasma to blood 0.3"),
    "mm_302": (1 / 20_000, "doses are doxorubicin, the exposure counts liposomes of 20 000 each"),
}
"""Factor from what the kinetics describe to what the exposure counts, and why."""

EXCEPTIONS: dict[str, str] = {
    "capecitabine": "clearance is of the prodrug, the exposure is fluorouracil formed from it",
    "tamoxifen": "clearance is of tamoxifen, the exposure counts endoxifen and 4-hydroxytamoxifen",
}
"""Agents whose exposure is another molecule than the one of the kinetics, and why."""

# given only as an umbrella term, or no drug with a concentration of its own
NOT_DRUGS = {"antidiarrheal_prophylaxis", "dual_her2_blockade", "erythropoietin", "hsp90_inhibitor", "placebo", "radiotherapy"}  # fmt: skip
PARAMETERS = {
    "two_compartment": {"clearance", "central_volume", "intercompartmental_clearance", "peripheral_volume"},
    "one_compartment_oral": {"clearance", "central_volume", "absorption_rate"},
    "exposure_only": {"clearance"},
}
PARAMETERS["three_compartment"] = PARAMETERS["two_compartment"] | {
    "intercompartmental_clearance_2",
    "peripheral_volume_2",
}
PARAMETERS["two_compartment_michaelis_menten"] = PARAMETERS["two_compartment"] | {"vmax", "km"}
UNITS = {
    "clearance": "L/day", "intercompartmental_clearance": "L/day", "intercompartmental_clearance_2": "L/day",
    "central_volume": "L", "peripheral_volume": "L", "peripheral_volume_2": "L",
    "vmax": "mg/day", "km": "mg/L", "absorption_rate": "1/day", "lag": "day",
}  # fmt: skip

AGENTS = load_agents()
WITH_KINETICS = sorted(name for name, agent in AGENTS.items() if agent.pharmacokinetics is not None)


def typical(agent: Agent) -> dict[str, float]:
    """Parameters of the typical patient at the reference of every covariate."""
    assert agent.pharmacokinetics is not None
    return {p.id: p.value for p in agent.pharmacokinetics.parameters}


def first_regimen(agent: Agent) -> Regimen:
    """The regimen of the exposure: by convention the first of the agent."""
    return parse_regimen(agent.regimens[0].dose)


def linear_model(p: dict[str, float]) -> LinearModel:
    """The closed form of the parameters."""
    pairs = [("intercompartmental_clearance", "peripheral_volume")]
    pairs.append(("intercompartmental_clearance_2", "peripheral_volume_2"))
    given = [(p[q], p[v]) for q, v in pairs if q in p]
    return LinearModel(
        p["clearance"],
        p["central_volume"],
        tuple(q for q, _ in given),
        tuple(v for _, v in given),
        ka=p.get("absorption_rate"),
        lag=p.get("lag", 0.0),
    )


def average_mg_per_l(agent: Agent) -> float:
    """Average concentration at steady state: dose over clearance and interval (apparent clearance if absorbed)."""
    p = typical(agent)
    rate = first_regimen(agent).mean_daily_dose(WEIGHT_KG, BSA_M2)
    if "vmax" not in p:
        return rate / p["clearance"]
    # balance of dose and both eliminations at the average: (cl + vmax / (km + c)) c = rate
    b = p["clearance"] * p["km"] + p["vmax"] - rate
    return (-b + math.sqrt(b * b + 4.0 * p["clearance"] * rate * p["km"])) / (2.0 * p["clearance"])


def implied_nmol_per_l(agent: Agent) -> float:
    """The same as the exposure counts it, nmol/L."""
    assert agent.molecular_weight is not None
    factor, _ = CONVERSIONS.get(agent.id, (1.0, ""))
    return factor * average_mg_per_l(agent) / (agent.molecular_weight.value * NM_TO_MG_PER_L)


def deviation(agent: Agent) -> float:
    """Relative difference from the exposure of the record."""
    assert agent.pharmacodynamics is not None and agent.pharmacodynamics.exposure is not None
    return implied_nmol_per_l(agent) / agent.pharmacodynamics.exposure.value - 1.0


@pytest.mark.parametrize("name", sorted(set(WITH_KINETICS) - set(EXCEPTIONS)))
def test_dose_and_clearance_give_the_exposure(name: str) -> None:
    agent = AGENTS[name]
    assert abs(deviation(agent)) <= TOLERANCE, (
        f"{name}: {agent.regimens[0].dose} implies {implied_nmol_per_l(agent):.4g} nmol/L"
    )


@pytest.mark.parametrize("name", sorted(EXCEPTIONS))
def test_exceptions_are_needed_and_explained(name: str) -> None:
    agent = AGENTS[name]
    assert abs(deviation(agent)) > TOLERANCE
    assert agent.pharmacokinetics is not None
    assert "the exposure" in next(p.note for p in agent.pharmacokinetics.parameters if p.id == "clearance")


@pytest.mark.parametrize("name", sorted(CONVERSIONS))
def test_conversions_are_explained(name: str) -> None:
    pk = AGENTS[name].pharmacokinetics
    assert pk is not None
    assert "exposure" in next(p.note for p in pk.parameters if p.id == "clearance")


@pytest.mark.parametrize("name", WITH_KINETICS)
def test_kinetics_are_complete(name: str) -> None:
    agent = AGENTS[name]
    pk = agent.pharmacokinetics
    assert pk is not None and agent.regimens
    ids = [p.id for p in pk.parameters]
    assert len(set(ids)) == len(ids)
    assert set(ids) >= PARAMETERS[pk.model]
    assert all(p.unit == UNITS[p.id] for p in pk.parameters)
    assert all(c.parameter in ids for c in pk.covariates)
    spread = {p.id for p in pk.parameters if p.spread is not None}
    assert "clearance" in spread
    assert all(set(c.between) <= spread for c in pk.correlations)
    is_absorbed = any(parse_regimen(r.dose).route != "iv" for r in agent.regimens)
    # absorbed doses have apparent clearances, so that bioavailability is in them
    clearance = next(p for p in pk.parameters if p.id == "clearance")
    assert is_absorbed == ("CL/F" in clearance.label)
    if pk.model != "exposure_only":
        assert is_absorbed == ("absorption_rate" in ids)


@pytest.mark.parametrize("name", WITH_KINETICS)
def test_correlations_are_possible(name: str) -> None:
    pk = AGENTS[name].pharmacokinetics
    assert pk is not None
    omega: dict[str, float] = {p.id: math.sqrt(math.log1p(p.spread.cv**2)) for p in pk.parameters if p.spread}
    assert all(abs(c.covariance) <= omega[c.between[0]] * omega[c.between[1]] for c in pk.correlations)


@pytest.mark.parametrize("name", WITH_KINETICS)
def test_closed_form_gives_the_same_average(name: str) -> None:
    agent = AGENTS[name]
    p, pk = typical(agent), agent.pharmacokinetics
    assert pk is not None
    regimen = first_regimen(agent)
    if pk.model == "exposure_only":
        return
    if pk.model == "two_compartment_michaelis_menten":
        model = MichaelisMentenModel(
            p["clearance"],
            p["central_volume"],
            p["intercompartmental_clearance"],
            p["peripheral_volume"],
            p["vmax"],
            p["km"],
        )
        doses = regimen.expand(WEIGHT_KG, BSA_M2, 0.0, 40.0 * regimen.interval_days)
        last = np.linspace(39.0, 40.0, 400, endpoint=False) * regimen.interval_days
        average = float(model.concentration(doses, last).mean())
        # elimination is concave in the concentration, so the balance at the average is a little too low
        assert average == pytest.approx(average_mg_per_l(agent), rel=0.05)
        return
    steady = linear_model(p).steady_state(regimen, WEIGHT_KG, BSA_M2)
    assert steady.cavg[0] == pytest.approx(average_mg_per_l(agent), rel=1e-9)
    assert 0.0 <= steady.cmin[0] < steady.cavg[0] < steady.cmax[0]


@pytest.mark.parametrize("name", WITH_KINETICS)
def test_patients_scatter_around_the_typical_one(name: str) -> None:
    agent = AGENTS[name]
    pk = agent.pharmacokinetics
    assert pk is not None
    n = 4000
    rng = np.random.default_rng(7)
    reference = {"weight": WEIGHT_KG, "lean_body_weight": 48.0, "albumin": 4.0, "age": 50.0}
    covariates: dict[str, Any] = {k: np.full(n, v) for k, v in reference.items()}
    covariates["liver"] = np.zeros(n, dtype=bool)
    drawn: dict[int, Any] = {}
    values = individual_pk(agent, covariates, lambda k: drawn.setdefault(k, rng.standard_normal(n)))
    for p in pk.parameters:
        factor = math.prod(
            (reference[c.covariate] / c.reference) ** c.exponent
            for c in pk.covariates
            if c.parameter == p.id and c.reference is not None and c.exponent is not None
        )
        assert (values[p.id] > 0.0).all()
        assert np.median(values[p.id]) == pytest.approx(p.value * factor, rel=0.1)
        assert 0.7 < factor < 1.5


def test_every_drug_given_to_patients_has_doses_and_kinetics() -> None:
    given = {
        name
        for study in load_studies().values()
        if study.setting != "preclinical"
        for arm in study.arms
        for name in arm.agents
        if AGENTS[name].kind != "class"
    }
    lacking = {n for n in given - NOT_DRUGS if not AGENTS[n].regimens or AGENTS[n].pharmacokinetics is None}
    assert not lacking


def _doses(data: Any) -> Iterator[str]:
    """Every `dose: text` inside plain data."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key == "dose" and isinstance(value, str):
                yield value
            else:
                yield from _doses(value)
    elif isinstance(data, list):
        for item in data:
            yield from _doses(item)


@pytest.mark.parametrize("kind", ["agents", "regimens", "trials"])
def test_every_dose_of_the_record_parses(kind: str) -> None:
    texts = [(path.name, text) for path in files_of(kind) for text in _doses(read_yaml(path))]
    assert texts
    for name, text in texts:
        regimen = parse_regimen(text)
        assert parse_regimen(format_regimen(regimen)) == regimen, f"{name}: {text}"


def test_regimens_of_an_agent_differ() -> None:
    for name, agent in AGENTS.items():
        ids = [r.id for r in agent.regimens]
        doses = [parse_regimen(r.dose) for r in agent.regimens]
        assert len(set(ids)) == len(ids), name
        assert len(set(doses)) == len(doses), name
