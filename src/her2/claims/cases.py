"""The executable claims of the record with their experiments, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from her2.claims.conditions import merged
from her2.claims.readouts import Readout, find_readout
from her2.errors import Her2Error, RecordError, unknown
from her2.evidence.biology import Condition, Experiment
from her2.evidence.load import files_of, load_study, parse, placed_experiments, read_yaml, show_path
from her2.evidence.schema import Claim, ClaimFile

MOST_FINDINGS = 20
COHORT_KEYS = ("where", "split", "dose_intensity", "chemo_cycles", "cross_over")
CELL_KEYS = ("cell", "days", "untreated_reference")
SETTINGS_OF = {
    "pcr": ("neoadjuvant",),
    "burden": ("metastatic", "neoadjuvant"),
    "dfs_hr": ("adjuvant",),
    "os_hr": ("metastatic", "adjuvant"),
    "os_median": ("metastatic", "adjuvant"),
    "progressed_share": ("metastatic", "adjuvant"),
    "prevalence": ("metastatic", "neoadjuvant", "adjuvant"),
}
"""Settings that a readout of a cohort can be read in, if not the metastatic alone."""


@dataclass(frozen=True)
class Case:
    """A claim with its experiment.

    Attributes
    ----------
    topic : file of the claim, without folder and ending
    experiment : None if there is none yet
    place : file of the experiment
    readout : what it reads; None if it is not run
    held_out : whether figures of the claim's trial are held out from calibration
    """

    claim: Claim
    topic: str
    experiment: Experiment | None
    place: str
    readout: Readout | None
    held_out: bool

    @property
    def where(self) -> str:
        """Place of the experiment as error messages name it."""
        return f"{self.place}, {self.claim.id}"


def topics_of_claims() -> dict[str, tuple[Claim, str]]:
    """Every claim with its topic, in the order of the record."""
    result = {}
    for path in files_of("claims"):
        for claim in parse(ClaimFile, read_yaml(path), show_path(path)).claims:
            result[claim.id] = (claim, path.stem)
    return result


HELD_OUT_CONTRASTS = (
    "cleopatra_cns", "cleopatra_pik3ca", "emilia_pik3ca", "bolero_1_hr_negative", "bolero_3_hr_negative",
    "neoaltto_pik3ca", "neosphere_her2_level", "neosphere_pd1_pdl1", "cher_lob_p95",
)  # fmt: skip
"""Subgroup and biomarker contrasts that the protocol holds out and of which the reviews print no figure, so that no
figure of the record marks them."""


def is_held_out(study: str | None) -> bool:
    """Whether a study belongs to what the protocol holds out from calibration."""
    if study is None:
        return False
    return study in HELD_OUT_CONTRASTS or any(v.role == "held_out" for v in load_study(study).values)


def load_cases(claim: str | None = None, topic: str | None = None) -> list[Case]:
    """The executable claims of the record, or one of them or of its topics.

    Raises
    ------
    her2.errors.UnknownNameError
        No such claim or topic.
    her2.errors.RecordError
        Experiments that name a claim, readout, attribute, agent, cell or switch that does not exist, or that ask for
        what their system does not have: all of them, each with file and claim.
    """
    claims = topics_of_claims()
    topics = {t: None for c, t in claims.values() if c.executable}
    if claim is not None and claim not in claims:
        raise unknown("claim", claim, claims)
    if claim is not None and not claims[claim][0].executable:
        raise RecordError(f"claim '{claim}' is not executable: it says nothing that a model could show")
    if topic is not None and topic not in topics:
        raise unknown("topic", topic, topics)
    experiments = placed_experiments()
    findings: list[str] = []
    for name, (_, place) in experiments.items():
        if name not in claims:
            findings.append(str(unknown("claim", name, claims, place)))
        elif not claims[name][0].executable:
            findings.append(f"{place}, {name}: the claim is not marked executable")
    cases = []
    for name, (entry, its_topic) in claims.items():
        if not entry.executable or (claim or name) != name or (topic or its_topic) != its_topic:
            continue
        experiment, place = experiments.get(name, (None, ""))
        readout = None
        if experiment is not None and not experiment.not_covered:
            found = list(check_experiment(experiment, f"{place}, {name}"))
            findings += found
            if not found:
                readout = find_readout(experiment.readout, experiment.system, place)
        # of a study with figures of both kinds, a claim that restates a fitted one is none of the held-out ones
        fitted = experiment is not None and experiment.role == "calibration"
        cases.append(
            Case(entry, its_topic, experiment, place, readout, is_held_out(entry.trial) and not fitted)
        )
    if findings:
        more = len(findings) - MOST_FINDINGS
        listed = "\n  ".join(findings[:MOST_FINDINGS]) + (f"\n  and {more} more" if more > 0 else "")
        raise RecordError(f"{len(findings)} findings in the experiments:\n  {listed}")
    return cases


def check_experiment(experiment: Experiment, where: str) -> Iterator[str]:
    """What is wrong with an experiment that is to be run, each as one line."""
    yield from _raised(lambda: find_readout(experiment.readout, experiment.system, where))
    assert experiment.statistic is not None
    is_hazard = experiment.readout.endswith("_hr") or experiment.readout == "cns_hazard"
    if experiment.system == "cohort":
        yield from _check_population(experiment, where)
        if experiment.statistic.kind in ("bliss", "hsa"):
            yield f"{where}: '{experiment.statistic.kind}' is a statistic of cells"
        if is_hazard and len(experiment.conditions) < 2:
            yield f"{where}: a hazard ratio needs a second condition to compare with"
    for name, own in experiment.conditions.items():
        place = f"{where}, {name}"
        try:
            condition = merged(experiment.base, own)
        except ValueError as error:
            yield f"{place}: {error}"
            continue
        yield from _check_condition(experiment, condition, place)


def _check_population(experiment: Experiment, where: str) -> Iterator[str]:
    population = experiment.population
    if population.setting == "metastatic" and len(population.prior) != population.line - 1:
        yield (
            f"{where}, population: line {population.line} needs the drugs of {population.line - 1} earlier lines "
            f"(prior), got {len(population.prior)}"
        )
    if population.setting != "metastatic" and population.prior:
        yield f"{where}, population: there are no earlier lines before or after surgery"
    fitting = SETTINGS_OF.get(experiment.readout, ("metastatic",))
    if population.setting not in fitting:
        yield f"{where}, population: '{experiment.readout}' belongs to the setting {' or '.join(fitting)}"
    for names in population.prior:
        for agent in names:
            yield from _check_agent(agent, "clinical", where)
    yield from _check_attributes({k: x for k, pair in population.select.items() for x in pair[:1]}, where, ())
    yield from _check_attributes(population.set, where, None)


def _check_condition(experiment: Experiment, condition: Condition, where: str) -> Iterator[str]:
    is_cell = experiment.system == "cell"
    for key in COHORT_KEYS if is_cell else CELL_KEYS:
        if getattr(condition, key):
            other = "cohort" if is_cell else "cell"
            yield f"{where}, {key}: belongs to experiments with system: {other}"
    if not is_cell and condition.compartment == "culture":
        yield f"{where}, compartment: patients have a tumour, or brain metastases (cns)"
    yield from _check_attributes(condition.set, where, None)
    yield from _check_attributes(condition.ligands, where, "ligand")
    for name in (*condition.where, *condition.split):
        yield from _check_attributes({name: 0.0}, where, ())
    for agent, dose in condition.drugs.items():
        yield from _check_agent(agent, dose, where)
    for agent in condition.cross_over:
        yield from _check_agent(agent, "clinical", where)
    for agent in condition.dose_intensity:
        if agent not in condition.drugs:
            yield f"{where}, dose_intensity: '{agent}' is not among the drugs"
    other_cell = condition.cell
    if other_cell not in (None, "reference"):
        from her2.cell.cell import load_cell

        yield from _raised(lambda: load_cell(str(other_cell)), where)
    reference = condition.untreated_reference
    if reference is not None and reference not in experiment.conditions:
        yield str(unknown("condition", reference, experiment.conditions, f"{where}, untreated_reference"))
    if condition.switches:
        from her2.cell.cell import Cell
        from her2.cell.switches import apply_switches

        cell = Cell("cell", "cell", {})
        yield from _raised(
            lambda: apply_switches(cell, condition.switches, condition.compartment or "tumour"), where
        )
    if condition.parameters:
        from her2.evidence.load import canonical_values

        for name in condition.parameters:
            if name not in canonical_values():
                yield str(unknown("parameter", name, canonical_values(), where))


def _check_attributes(values: Mapping[str, float], where: str, kind: str | tuple[()] | None) -> Iterator[str]:
    """Names and limits of attributes; with an empty tuple the names only, with a kind those of that kind only."""
    from her2.cell.attributes import catalogue, check

    known = [k for k, e in catalogue().items() if not isinstance(kind, str) or e.kind == kind]
    for name, value in values.items():
        if name not in known:
            yield str(unknown(kind if isinstance(kind, str) else "attribute", name, known, where))
        elif kind != ():
            yield from _raised(lambda name=name, value=value: check(name, value, where))


def _check_agent(name: str, dose: float | str, where: str) -> Iterator[str]:
    from her2.cell.condition import active_concentration
    from her2.cell.ensemble import central

    model = central()
    if name not in model.agents:
        yield str(unknown("agent that acts on cells", name, model.agents, where))
    else:
        yield from _raised(
            lambda: active_concentration(model.agents[name], dose, "tumour", model.values), where
        )


def _raised(call: object, where: str = "") -> Iterator[str]:
    """The message of an error that a call raises, if any."""
    assert callable(call)
    try:
        call()
    except Her2Error as error:
        text = str(error)
        yield f"{where}: {text}" if where and not text.startswith(where) else text
