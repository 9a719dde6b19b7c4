"""What drugs do, compiled for the population kernel: from the agents' records to arrays of actions on targets.

A drug reaches the tumour by the rules of `her2.cell`: antibodies and conjugates by their plasma concentration, the
tumour's partition and the binding-site barrier; all other drugs by their label exposure, the fraction unbound in plasma
and one translation factor per class, scaled by each patient's own exposure.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import DrugArrays, Hit
from her2.errors import RecordError, unknown
from her2.evidence.load import DATA, USER_VARIABLE, load_agent, load_network
from her2.evidence.priors import to_value
from her2.evidence.schema import Action, Agent, Parameter
from her2.pharmacology.regimen import parse_regimen
from her2.signalling.network import Network
from her2.signalling.receptors import ReceptorLayer
from her2.units import NM_TO_MG_PER_L

Array = NDArray[np.float64]

ANTIBODY_LIKE = ("epitope", "payload", "effector")
MACROMOLECULE = 10.0
"""kg/mol; drugs at least this heavy keep to their plasma compartments."""
TYPICAL_BODY = {"mg": 1.0, "mg/kg": 70.0, "mg/m2": 1.72}
"""Body measure to which the label exposure of a dose refers."""
CYTOTOXIC_CLASSES = ("taxane", "vinca", "fluoropyrimidine", "anthracycline")
CLASS_OF = {
    "kill.docetaxel": "taxane",
    "kill.paclitaxel": "taxane",
    "kill.vinorelbine": "vinca",
    "kill.eribulin": "vinca",
    "kill.emtansine": "vinca",
    "payload.t_dm1": "vinca",
    "kill.capecitabine": "fluoropyrimidine",
    "kill.gemcitabine": "fluoropyrimidine",
    "kill.doxorubicin": "anthracycline",
    "kill.epirubicin": "anthracycline",
    "kill.cyclophosphamide": "anthracycline",
    "payload.mm_302": "anthracycline",
}
"""Class whose sensitivity goes with a kill or payload parameter; maytansine binds tubulin where vinca alkaloids do."""
INPUT_OF = {
    "igf1r": "igf1r",
    "igf1": "igf1r",
    "met": "met",
    "hgf": "met",
    "epha2": "epha2",
    "epor": "epor",
    "erythropoietin": "epor",
    "beta2_ar": "beta2_ar",
    "catecholamine": "beta2_ar",
    "src": "src_level",
    "er": "er",
    "estradiol": "er",
}
"""Network input that a drug's action on a receptor or ligand scales."""
RATE_HITS = {"vegf": Hit.VEGF, "pdl1": Hit.PDL1}


def actions_of(agent: Agent) -> tuple[Action, ...]:
    """Actions of an agent, none where its record has no `pharmacodynamics` section."""
    return agent.pharmacodynamics.actions if agent.pharmacodynamics is not None else ()


def unbound_fraction(agent: Agent) -> float:
    """Fraction unbound in plasma, 1 where the record gives none (antibodies)."""
    pd = agent.pharmacodynamics
    return pd.unbound.value if pd is not None and pd.unbound is not None else 1.0


def is_antibody_like(agent: Agent) -> bool:
    """True for agents that find the cell by an antibody: they are carried by the antibody's translation factor."""
    return any(a.on in ANTIBODY_LIKE for a in actions_of(agent))


def translation(agent: Agent, values: Mapping[str, float]) -> float:
    """Active concentration in a tumour relative to unbound plasma: one factor per class.

    Cytotoxics and neutralising antibodies have none: their parameters are those at the label's plasma exposure.
    """
    if any(a.on in ("cytotoxic", "vegf", "checkpoint") for a in actions_of(agent)) or not actions_of(agent):
        return 1.0
    return values["translation.antibody" if is_antibody_like(agent) else "translation.kinase_inhibitor"]


def is_in_plasma(agent: Agent) -> bool:
    """True for antibodies and conjugates with a compartmental model: their plasma concentration is followed."""
    pk, weight = agent.pharmacokinetics, agent.molecular_weight
    return (
        pk is not None
        and weight is not None
        and weight.value >= MACROMOLECULE
        and any(q.id == "central_volume" for q in pk.parameters)
    )


def label_dose_rate(agent: Agent) -> float:
    """Dose per day of the first regimen of the record, mg/day in a typical body: that of the label exposure.

    Raises
    ------
    her2.errors.RecordError
        If the record has no regimen, so that a dose cannot be turned into an exposure.
    """
    if not agent.regimens:
        raise RecordError(
            f"agents/{agent.id}.yaml, regimens: empty; expected at least the dose to which 'exposure' belongs"
        )
    dose = parse_regimen(agent.regimens[0].dose)
    per_cycle = dose.amount * float(dose.per_day) * len(dose.days_of_cycle)
    return per_cycle * TYPICAL_BODY[dose.unit] / float(dose.interval_days)


def site_rate(agent: Agent, values: Mapping[str, float]) -> float:
    """Rate constant of an agent's effect site, 1/day: slow for cytotoxics, whose damage outlasts their plasma level."""
    cytotoxic = any(a.on == "cytotoxic" for a in actions_of(agent))
    return values["distribution.effect_site_rate" if cytotoxic else "distribution.tissue_rate"]


def epitope_kd(agent: Agent, target: str, values: Mapping[str, float]) -> float:
    """Concentration of an antibody beside the tumour cells at half occupancy of its epitope, mg/L.

    Raises
    ------
    her2.errors.RecordError
        If the agent binds no such epitope or has no molecular weight.
    """
    for action in actions_of(agent):
        if action.on == "epitope" and action.target == target:
            assert action.half is not None
            return _mg_per_l(agent, action.half) * values["distribution.binding_barrier"]
    raise RecordError(f"agents/{agent.id}.yaml, pharmacodynamics: no action on the epitope '{target}'")


def _mg_per_l(agent: Agent, nmol_per_l: float) -> float:
    if agent.molecular_weight is None:
        raise RecordError(
            f"agents/{agent.id}.yaml: has no molecular_weight, so nmol/L cannot be turned into mg/L"
        )
    return nmol_per_l * agent.molecular_weight.value * NM_TO_MG_PER_L


def cns_factor(agent: Agent, values: Mapping[str, float]) -> float:
    """Level of a drug at brain metastases relative to other sites."""
    pd = agent.pharmacodynamics
    ratio = pd.cns_ratio.value if pd is not None and pd.cns_ratio is not None else 0.1
    if is_antibody_like(agent):
        return min(ratio * values["cns.antibody_partition"] / REFERENCE_CNS_RATIO, 1.0)
    return ratio * values["cns.drug_factor"]


REFERENCE_CNS_RATIO = 0.05
"""`cns_ratio` of the naked antibodies, to which `cns.antibody_partition` refers."""


def _target(
    agent: str, action: Action, receptors: ReceptorLayer, network: Network, inputs: int
) -> tuple[Hit, int] | None:
    """Kind and index of what an action hits; None where the population's model lets it change nothing.

    Raises
    ------
    her2.errors.UnknownNameError
        An epitope, kinase, input, receptor or node that the model does not have; nodes that the population's network
        has left out are known.
    """
    nodes = network.names[network.n_inputs :]
    valid = {
        "epitope": receptors.antibodies,
        "kinase": receptors.kinases,
        "input": tuple(INPUT_OF),
        "level": (*receptors.species, *ALL_RECEPTORS),
        "node": (*nodes, *all_nodes()),
        "checkpoint": ("pdl1", "ctla4"),
    }.get(action.on)
    if valid is not None and action.target not in valid:
        raise unknown(action.on, action.target, sorted(set(valid)), f"agents/{agent}.yaml, pharmacodynamics")
    match action.on:
        case "epitope":
            return Hit.OCCUPANCY, receptors.antibodies.index(action.target)
        case "kinase":
            return Hit.KINASE, receptors.kinases.index(action.target)
        case "node" if action.target in nodes:
            return Hit.NODE, nodes.index(action.target)
        case "input" if INPUT_OF.get(action.target) in network.names[inputs : network.n_inputs]:
            return Hit.INPUT, network.names.index(INPUT_OF[action.target]) - inputs
        case "level" if action.target in receptors.species:
            return Hit.RECEPTOR, receptors.species.index(action.target)
        case "vegf":
            return Hit.VEGF, 0
        case "checkpoint" if action.target == "pdl1":
            return Hit.PDL1, 0
        case _:
            return None


ALL_RECEPTORS = ("egfr", "her2", "her3", "her4", "p95her2", "delta16")


def all_nodes() -> tuple[str, ...]:
    """Nodes of the whole network, those that the population's leaves out included."""
    return _all_nodes(os.environ.get(USER_VARIABLE))


@lru_cache(maxsize=2)
def _all_nodes(_user: str | None) -> tuple[str, ...]:
    return tuple(str(node["id"]) for node in load_network("pathway")["nodes"])


def drug_arrays(
    agents: Sequence[Agent],
    values: Mapping[str, float],
    receptors: ReceptorLayer,
    network: Network,
    recruited: int,
) -> DrugArrays:
    """Compile agents for the kernel.

    Parameters
    ----------
    recruited : network inputs that come from the receptor layer; they lead the inputs

    Raises
    ------
    her2.errors.RecordError
        An agent without actions, exposure, regimen or molecular weight where it needs one.
    """
    agents = [drawn_agent(a, int(values["ensemble.draw"])) for a in agents]
    n = len(agents)
    in_plasma = np.zeros(n, dtype=np.int64)
    kill, mdr = np.zeros(n), np.zeros(n)
    cns = np.zeros(n)
    targets: list[tuple[Hit, int]] = [(Hit.OCCUPANCY, k) for k in range(len(receptors.antibodies))]
    rows: list[tuple[int, tuple[Hit, int], float, float, bool]] = []
    effectors: list[tuple[int, int, float]] = []
    payloads: list[tuple[int, int, float, float]] = []
    own = 0
    for d, agent in enumerate(agents):
        if not actions_of(agent):
            raise RecordError(
                f"agents/{agent.id}.yaml: has no 'pharmacodynamics' section, so the engine cannot give it"
            )
        in_plasma[d] = is_in_plasma(agent)
        cns[d] = cns_factor(agent, values)
        epitopes: dict[str, int] = {}
        for action in actions_of(agent):
            hit = _target(agent.id, action, receptors, network, recruited)
            if action.on == "cytotoxic":
                assert action.parameter is not None
                kill[d], mdr[d] = values[action.parameter], action.mdr_exponent or 0.0
            elif hit is not None:
                if action.on == "epitope":
                    epitopes[action.target] = len(rows)
                rows.append((d, hit, _ratio(agent, action, values), central_effect(action), action.covalent))
        for action in actions_of(agent):
            if action.on == "effector":
                assert action.epitope is not None and action.weight is not None
                weight = action.weight * (
                    values["tumour.fc_weight_pertuzumab"] if action.epitope == "pertuzumab" else 1.0
                )
                if action.epitope in epitopes:
                    effectors.append((epitopes[action.epitope], d, weight))
            elif action.on == "payload":
                assert action.epitope is not None and action.parameter is not None
                if action.epitope not in epitopes:
                    # its fragments block no epitope, but find the receptor
                    epitopes[action.epitope] = len(rows)
                    rows.append((d, (Hit.OWN, own), _ratio(agent, action, values), 1.0, False))
                    own += 1
                payloads.append(
                    (
                        epitopes[action.epitope],
                        d,
                        _at_saturation(values, action.parameter),
                        action.mdr_exponent or 0.0,
                    )
                )
    for _, hit, *_ in rows:
        if hit not in targets:
            targets.append(hit)
    signal = [t for t in targets if t[0] <= Hit.RECEPTOR]
    targets = signal + [t for t in targets if t[0] > Hit.RECEPTOR]
    ratio = np.array([r for _, _, r, _, _ in rows])
    brain = np.array([cns[d] for d, *_ in rows])
    changing = {d for d, hit, *_ in rows if hit[0] <= Hit.RECEPTOR}
    ints = np.int64
    return DrugArrays(
        in_plasma=in_plasma,
        ke0=np.array([site_rate(agent, values) for agent in agents]),
        kill=kill,
        mdr_exponent=mdr,
        cns_partition=cns,
        action_drug=np.array([d for d, *_ in rows], dtype=ints),
        action_hit=np.array([targets.index(hit) for _, hit, *_ in rows], dtype=ints),
        action_ratio=np.stack([ratio, ratio * brain]).reshape(2, len(rows)),
        action_max=np.array([m for *_, m, _ in rows], dtype=np.float64),
        action_covalent=np.array([c for *_, c in rows], dtype=ints),
        hit_kind=np.array([k for k, _ in targets], dtype=ints),
        hit_target=np.array([t for _, t in targets], dtype=ints),
        n_signal_hits=len(signal),
        fc_action=np.array([a for a, _, _ in effectors], dtype=ints),
        fc_weight=np.array([w for _, _, w in effectors], dtype=np.float64),
        fc_drug=np.array([d for _, d, _ in effectors], dtype=ints),
        payload_action=np.array([a for a, *_ in payloads], dtype=ints),
        payload_kill=np.array([k for _, _, k, _ in payloads], dtype=np.float64),
        payload_mdr=np.array([m for *_, m in payloads], dtype=np.float64),
        payload_drug=np.array([d for _, d, _, _ in payloads], dtype=ints),
        variant_drug=np.array(sorted(changing), dtype=ints),
    )


SPANS_ZERO_MEAN, SPANS_ZERO_SD = 0.5, 0.5
"""Where the reviews give only a direction, the largest effect is multiplied by a normal number of this mean and SD, so
that the prior spans zero and puts 84 % on the stated direction; assumed."""


def drawn_effect(action: Action, u: float) -> float:
    """Largest effect of an action of which the reviews give only a direction, at the standard normal number u."""
    return action.max * float(np.clip(SPANS_ZERO_MEAN + SPANS_ZERO_SD * u, -1.0, 1.0))


def central_effect(action: Action) -> float:
    """Largest effect of an action at the centre of its prior."""
    return action.max * (SPANS_ZERO_MEAN if action.spans_zero else 1.0)


def _at_saturation(values: Mapping[str, float], parameter: str) -> float:
    """Kill rate of a payload over the uptake of a saturated reference cell, 1/day."""
    half, exponent = values["payload.half_bound"], values["payload.uptake_exponent"]
    power = 0.95**exponent
    return float(values[parameter] * (power + half**exponent) / power)


def _ratio(agent: Agent, action: Action, values: Mapping[str, float]) -> float:
    """Concentration over the half-maximal one, per mg/L in plasma or per label exposure."""
    assert action.half is not None
    if is_in_plasma(agent):
        if action.on == "epitope":
            return values["distribution.tumour_partition"] / epitope_kd(agent, action.target, values)
        return translation(agent, values) / _mg_per_l(agent, action.half)
    pd = agent.pharmacodynamics
    assert pd is not None
    if pd.exposure is None:
        raise RecordError(
            f"agents/{agent.id}.yaml, pharmacodynamics: has no 'exposure'; expected nmol/L at the label dose"
        )
    if action.on == "payload":
        # its half is a plasma concentration
        return pd.exposure.value / action.half
    return float(pd.exposure.value * unbound_fraction(agent) * translation(agent, values) / action.half)


FITTED = DATA / "posterior" / "fitted_agents.tsv"
"""Agents given in an arm whose figures were fitted; written by calibration."""
DRAWN_WITH_UNFITTED = ("immune.fc_gain", "immune.pdl1", "immune.tcell_kill", "immune.tcell_share")
"""Parameters that act through engineered Fc parts and checkpoint antibodies only, none of which was fitted."""


@lru_cache(maxsize=1)
def fitted_agents() -> frozenset[str]:
    """Agents of which fitted figures speak: their potency stays at the centre, since the fit is conditional on it."""
    return frozenset(FITTED.read_text(encoding="utf-8").split()) if FITTED.exists() else frozenset()


def binding_part(action: Action) -> str:
    """Name of what binds, how strongly: drugs with the same part have the same draw of its potency."""
    return f"{action.on}.{action.target}.{action.half:g}"


@lru_cache(maxsize=2)
def _fitted_bindings(_user: str | None) -> frozenset[str]:
    """Binding parts of fitted agents: another drug with the same part has the same potency."""
    return frozenset(
        binding_part(a)
        for name in fitted_agents()
        for a in actions_of(load_agent(name))
        if a.half is not None
    )


def _normal(draw: int, key: str) -> float:
    return float(np.random.default_rng([DRAW_SEED, draw, zlib.crc32(key.encode())]).standard_normal())


DRAW_SEED = 20150402
"""Seed of the draws from the priors; they are the same in every run."""


def drawn_values(draw: int, parameters: Mapping[str, Parameter], agents: Iterable[str]) -> dict[str, float]:
    """Parameters that only drugs without a fitted arm use, drawn from their priors, and the number of the draw.

    Parameters
    ----------
    draw : number from 1
    parameters : of the record, by id
    agents : that a trial can give
    """

    def used_by(names: Iterable[str]) -> set[str]:
        return {a.parameter for n in names for a in actions_of(load_agent(n)) if a.parameter is not None}

    fitted = used_by(fitted_agents())
    used = used_by(n for n in agents if n not in fitted_agents())
    values = {"ensemble.draw": float(draw)}
    for name in sorted((used - fitted) | set(DRAWN_WITH_UNFITTED)):
        p = parameters[name]
        if p.role != "free" and p.prior is not None:
            values[name] = to_value(p, _normal(draw, name))
    return values


def drawn_agent(agent: Agent, draw: int) -> Agent:
    """The agent with its potencies and largest effects drawn from their priors; itself at 0 or if it was fitted."""
    pd = agent.pharmacodynamics
    if draw == 0 or pd is None or agent.id in fitted_agents():
        return agent
    known = _fitted_bindings(os.environ.get(USER_VARIABLE))
    actions = []
    for k, action in enumerate(pd.actions):
        changed: dict[str, object] = {}
        if action.half is not None and action.prior_log_sd is not None and binding_part(action) not in known:
            changed["half"] = action.half * math.exp(
                action.prior_log_sd * _normal(draw, binding_part(action))
            )
        if action.spans_zero:
            u = _normal(draw, f"{agent.id}.{k}.{action.on}.{action.target}")
            changed["max"] = drawn_effect(action, u)
            changed["spans_zero"] = False
        actions.append(action.model_copy(update=changed) if changed else action)
    return agent.model_copy(update={"pharmacodynamics": pd.model_copy(update={"actions": tuple(actions)})})


def needed_inputs(agents: Sequence[Agent], shared: Mapping[str, float]) -> frozenset[str]:
    """Network inputs shared by all patients that some drug changes, so that they may not be folded into weights.

    Parameters
    ----------
    shared : level of each such input
    """
    needed: set[str] = set()
    for agent in agents:
        for action in actions_of(agent):
            name = INPUT_OF.get(action.target) if action.on == "input" else None
            if action.on == "node" and action.target == "src":
                name = "src_level"
            if name is not None and shared.get(name, 0.0) != 0.0:
                needed.add(name)
    return frozenset(needed)


@lru_cache(maxsize=2)
def _trastuzumab_fc(_user: str | None) -> tuple[float, float]:
    for action in actions_of(load_agent("trastuzumab")):
        if action.on == "effector":
            assert action.fc_v is not None and action.fc_f is not None
            return action.fc_v, action.fc_f
    raise RecordError(
        "agents/trastuzumab.yaml, pharmacodynamics: no action on 'effector', the scale of all Fc parts"
    )


def trastuzumab_fc() -> tuple[float, float]:
    """Affinity of trastuzumab's Fc part for the V and the F allele of CD16A, relative.

    Raises
    ------
    her2.errors.RecordError
        If its record has no Fc part.
    """
    return _trastuzumab_fc(os.environ.get(USER_VARIABLE))


def fc_affinity_factor(values: Mapping[str, float], v_alleles: Array, fc_v: float, fc_f: float) -> Array:
    """Antibody-dependent kill relative to trastuzumab in a V/F heterozygote: (columns,).

    The affinity of a heterozygote is the geometric mean of both alleles. Up to that of trastuzumab in a V/V patient
    it is the power of affinity that goes through the population's genotype factors; above it (engineered Fc parts) it
    rises to saturation, by up to `immune.fc_gain`.
    """
    reference_v, reference_f = trastuzumab_fc()
    log_affinity = (
        v_alleles * math.log(fc_v / reference_v) + (2.0 - v_alleles) * math.log(fc_f / reference_v)
    ) / 2.0
    log_f = math.log(reference_f / reference_v)
    log_reference = log_f / 2.0
    up = math.log(values["population.effector_vv"]) / (0.0 - log_reference)
    down = math.log(values["population.effector_ff"]) / (log_f - log_reference)
    x = np.minimum(log_affinity, 0.0) - log_reference
    factor = np.exp(np.where(x > 0.0, up, down) * x)
    excess = np.exp(np.maximum(log_affinity, 0.0)) - 1.0
    return np.asarray(factor * (1.0 + values["immune.fc_gain"] * excess / (1.0 + excess)))
