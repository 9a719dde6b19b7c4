"""Experiments on cohorts: arms and subgroups of virtual patients, followed through their lines in one model.

Rules that are the same in every experiment. A taxane stops after eight cycles, alone or with other drugs; any other
drug goes on until progression (`chemo_cycles` sets it for all cytotoxics of an arm). After progression trastuzumab is
given with vinorelbine and then with capecitabine, each to the three quarters of patients who still get a line, then no
drug. Where an arm of the experiment has `cross_over`, it is cross-over that should tell the arms apart: the later lines
of all of them are vinorelbine and then capecitabine alone, and the drugs that cross over take the place of the first,
with vinorelbine if they have no cytotoxic among them. Patients of a later line have gone through the earlier ones, so
that clones selected there are met again; who has died or not progressed does not enter. Before surgery all drugs run
for 18 weeks; after it chemotherapy for six cycles and all other drugs for a year; who relapses gets trastuzumab with
docetaxel and then the lines above. Arms are followed by the same patients with the same random numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from her2.cell.condition import Dose
from her2.cell.model import CellModel
from her2.claims.cell_runs import altered
from her2.claims.conditions import merged
from her2.claims.course import (
    FOREVER,
    STEP,
    Plan,
    State,
    chemo_tolerance,
    follow_line,
    immune_tolerance,
    log_total,
    primary_burden,
    relapsed,
    residual_relapse,
    start_course,
)
from her2.claims.course import growth_of as growth_of_clones
from her2.claims.patients import (
    Patients,
    draw_patients,
    half,
    with_mixture,
    with_spread,
    with_switches,
    with_values,
    within,
)
from her2.claims.tumour_rates import Clones, RateTable, load_clones
from her2.drugs import actions_of
from her2.engine.rng import Purpose
from her2.errors import RecordError
from her2.evidence.biology import Condition, Experiment, Members
from her2.model import LN10

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Drugs = Mapping[str, tuple[Dose, float]]
DAYS_PER_MONTH = 365.25 / 12.0
IDS_PER_MEMBER = 10_000
"""Every member has patients of its own, so that chance in a cohort averages out over members."""
CLINICAL: tuple[Dose, float] = ("clinical", 1.0)
LATER_LINES = (("trastuzumab", "vinorelbine"), ("trastuzumab", "capecitabine"))
"""Lines after the one under study, in every arm."""
LATER_CHEMOTHERAPY = (("vinorelbine",), ("capecitabine",))
"""The same in experiments with cross-over."""
KILLING = ("cytotoxic", "payload")
AFTER_RELAPSE = (("trastuzumab", "docetaxel"), *LATER_LINES)
"""Lines after a relapse, for survival after surgery."""
TAXANES = ("kill.docetaxel", "kill.paclitaxel")
UNLIMITED = 10_000
TABLES_KEPT = 10
"""Cohorts whose rates are kept in memory, the last used ones; a table takes some 10 MB."""
BENEFIT_DAYS = 168.0
"""Disease control that counts as clinical benefit, and the time at which burden is read: 24 weeks."""
HAZARD_READOUTS = ("pfs_hr", "os_hr", "dfs_hr", "cns_hazard")


@dataclass(frozen=True)
class Outcome:
    """What happened to the patients of a condition, each (patients,); times in days.

    Attributes
    ----------
    enrolled : patients who entered the line under study
    pfs, os, brain : time to progression or death (after surgery: to relapse or death), to death, and to detectable
        brain metastases as if the line went on until death
    pfs_event, os_event, brain_event : whether that happened, rather than the end of follow-up
    shares : what shares of patients count, 0 or 1
    burden : change of the log10 of the burden in 24 weeks, or until surgery
    """

    enrolled: Flags
    pfs: Array
    pfs_event: Flags
    os: Array
    os_event: Flags
    brain: Array
    brain_event: Flags
    shares: Mapping[str, Array]
    burden: Array


def reference_condition(experiment: Experiment, name: str) -> str:
    """Condition that a hazard ratio of one condition is taken against: the first of the others."""
    return next(k for k in experiment.conditions if k != name)


class CohortRunner:
    """Cohort experiments in one model; patients, rates and identical arms are computed once."""

    def __init__(self, model: CellModel, number: int) -> None:
        self._model = model
        self._first = (number + 1) * IDS_PER_MEMBER
        self._clones: Clones = load_clones()
        self._models: dict[object, CellModel] = {}
        self._drawn: dict[object, Patients] = {}
        self._tables: dict[object, RateTable] = {}
        self._states: dict[object, State] = {}
        self._outcomes: dict[object, Outcome] = {}

    def statistic_values(self, experiment: Experiment, where: str) -> list[float]:
        """Readout of the conditions of a statistic, in its order.

        Hazard ratios belong to pairs: of a value, the log ratio against the first other condition; of a difference or
        an interaction, the first of each pair holds the log ratio and the second 0.

        Raises
        ------
        her2.errors.RecordError
            If a subgroup is empty.
        """
        statistic = experiment.statistic
        assert statistic is not None
        readout = experiment.readout
        if readout in HAZARD_READOUTS:
            of = list(statistic.of)
            if len(of) == 1:
                other = reference_condition(experiment, of[0])
                return [self._log_hazard_ratio(experiment, of[0], other, where)]
            values = [0.0] * len(of)
            for k in range(0, len(of), 2):
                values[k] = self._log_hazard_ratio(experiment, of[k], of[k + 1], where)
            return values
        return [self._readout(experiment, name, where) for name in statistic.of]

    def _readout(self, experiment: Experiment, name: str, where: str) -> float:
        condition = merged(experiment.base, experiment.conditions[name])
        if experiment.readout == "prevalence":
            patients, _ = self._patients(experiment.population, replace_subgroup(condition), where)
            inside = np.ones(patients.n, dtype=np.bool_)
            for attribute, (low, high) in condition.where.items():
                x = with_spread(patients, attribute).attributes[attribute]
                inside &= (x >= low) & (x <= high)
            return float(inside.mean())
        outcome = self._outcome(experiment, condition, where)
        e = outcome.enrolled
        match experiment.readout:
            case "pfs_median":
                return _median(outcome.pfs[e], outcome.pfs_event[e])
            case "os_median":
                return _median(outcome.os[e], outcome.os_event[e])
            case "burden":
                return float(np.median(outcome.burden[e]))
            case name_of_share:
                return float(np.mean(outcome.shares[name_of_share][e]))

    def _log_hazard_ratio(self, experiment: Experiment, a: str, b: str, where: str) -> float:
        """Log hazard ratio of condition a against b; 0 where both are the same."""
        one, other = (
            self._outcome(experiment, merged(experiment.base, experiment.conditions[k]), where)
            for k in (a, b)
        )
        times, events = {
            "pfs_hr": ("pfs", "pfs_event"),
            "dfs_hr": ("pfs", "pfs_event"),
            "os_hr": ("os", "os_event"),
            "cns_hazard": ("brain", "brain_event"),
        }[experiment.readout]
        t = [getattr(x, times)[x.enrolled] for x in (one, other)]
        d = [getattr(x, events)[x.enrolled] for x in (one, other)]
        return log_hazard_ratio(t[0], d[0], t[1], d[1])

    def _own_model(self, condition: Condition) -> CellModel:
        """The model with the parameters that a condition or its switches change."""
        factors = _switch_factors(condition)
        key = (tuple(sorted(factors.items())), tuple(sorted(condition.parameters.items())))
        if key not in self._models:
            self._models[key] = altered(self._model, factors, condition.parameters)
        return self._models[key]

    def _patients(self, population: Members, condition: Condition, where: str) -> tuple[Patients, object]:
        """Patients of a condition, and a key that names them."""
        model = self._own_model(condition)
        base = (id(model), population.setting, population.patients)
        if base not in self._drawn:
            self._drawn[base] = draw_patients(model, population.setting, self._first, population.patients)
        chosen = (
            *base,
            _items(population.select), _items(population.set), _items(condition.where), _items(condition.split),
            _items(condition.set), _items(condition.ligands), _items(condition.switches),
        )  # fmt: skip
        if chosen not in self._drawn:
            patients = self._drawn[base]
            for name in (*population.select, *condition.where, *condition.split):
                patients = with_spread(patients, name)
            for name, (low, high) in population.select.items():
                patients = within(patients, name, low, high, where)
            patients = with_values(patients, population.set)
            for name, (low, high) in condition.where.items():
                patients = within(patients, name, low, high, where)
            for name, which in condition.split.items():
                patients = half(patients, name, which, where)
            patients = with_values(patients, {**condition.set, **condition.ligands})
            patients = with_mixture(with_switches(patients, condition.switches), self._clones.her2_low)
            self._drawn[chosen] = patients
        return self._drawn[chosen], chosen

    def _outcome(self, experiment: Experiment, condition: Condition, where: str) -> Outcome:
        patients, key = self._patients(experiment.population, condition, where)
        model = self._own_model(condition)
        disabled = _switch_disabled(condition)
        table_key = (key, disabled)
        table = self._tables.pop(table_key, None) or RateTable(model, patients, self._clones, disabled)
        self._tables[table_key] = table  # last used last
        if len(self._tables) > TABLES_KEPT:
            del self._tables[next(iter(self._tables))]
        drugs = arm_drugs(condition)
        in_brain = condition.compartment == "cns" or experiment.readout == "cns_orr"
        to_death = experiment.readout in ("os_median", "os_hr")
        later = later_lines(model, experiment, condition)
        population = experiment.population
        whole = (
            table_key, _items(drugs), population.prior, population.brain, condition.chemo_cycles, in_brain,
            to_death, later if to_death else (),
        )  # fmt: skip
        if whole not in self._outcomes:
            arm = _Arm(table, drugs, condition.chemo_cycles, later, in_brain, to_death)
            match population.setting:
                case "metastatic":
                    self._outcomes[whole] = self._metastatic(arm, population, table_key)
                case "neoadjuvant":
                    self._outcomes[whole] = _neoadjuvant(arm)
                case "adjuvant":
                    self._outcomes[whole] = _adjuvant(arm)
        outcome = self._outcomes[whole]
        if not outcome.enrolled.any():
            raise RecordError(f"{where}: no patient reaches line {population.line}")
        return outcome

    def _metastatic(self, arm: _Arm, population: Members, table_key: object) -> Outcome:
        table = arm.table
        v, patients = table.patients.values, table.patients
        state = self._entry(table, population.prior, table_key)
        if arm.in_brain:
            # the barrier kept selection by earlier drugs away from metastases that were not treated
            cells = state.start if population.brain == "untreated" else state.burden
            composition = cells - log_total(cells)
            brain = composition + v["cohort.cns_burden_log10"] * LN10
            state = replace(state, brain=brain, is_seeded=np.ones(patients.n, dtype=np.bool_))
        horizon = v["cohort.horizon"]
        plan = make_plan(table, arm.drugs, arm.chemo_cycles, horizon, measures_brain=arm.in_brain)
        line = follow_line(patients, state, plan, v)
        enrolled = state.alive
        event = np.minimum(line.progression, line.death)
        time, died = line.death, line.death <= horizon
        if arm.to_death:
            first = np.where(line.death < line.progression, line.death, FOREVER)
            gap = v["therapy.line_gap"]
            time = survival_after(table, line.end, line.progression + gap, arm.later, v)
            time = np.minimum(time, first)
            died = time <= horizon
        in_time = int(BENEFIT_DAYS // STEP)
        response = line.responded & enrolled
        return Outcome(
            enrolled=enrolled,
            pfs=np.minimum(event, horizon),
            pfs_event=event <= horizon,
            os=np.minimum(time, horizon),
            os_event=died,
            brain=np.minimum(np.minimum(line.brain, line.death), horizon),
            brain_event=line.brain <= np.minimum(line.death, horizon),
            shares={
                "orr": response.astype(np.float64),
                "nonresponder_share": (~response).astype(np.float64),
                "cbr": (response | (event >= BENEFIT_DAYS)).astype(np.float64),
                "cns_orr": line.brain_responded.astype(np.float64),
                "progressed_share": (event <= horizon).astype(np.float64),
            },
            burden=(line.log_burden[in_time] - line.log_burden[0]) / LN10,
        )

    def _entry(self, table: RateTable, prior: tuple[tuple[str, ...], ...], table_key: object) -> State:
        """Patients at the start of the line under study."""
        key = (table_key, tuple(tuple(sorted(names)) for names in prior))
        if key not in self._states:
            v, patients = table.patients.values, table.patients
            state = start_course(patients)
            for names in prior:
                drugs = dict.fromkeys(names, CLINICAL)
                line = follow_line(patients, state, make_plan(table, drugs, None, v["cohort.horizon"]), v)
                state = line.end
            self._states[key] = replace(state, first_burden=log_total(state.burden))
        return self._states[key]


@dataclass(frozen=True)
class _Arm:
    """What a condition gives its patients."""

    table: RateTable
    drugs: Drugs
    chemo_cycles: int | None
    later: tuple[tuple[str, ...], ...]
    in_brain: bool
    to_death: bool


def replace_subgroup(condition: Condition) -> Condition:
    """The condition for the whole cohort."""
    return condition.model_copy(update={"where": {}, "split": {}})


def later_lines(
    model: CellModel, experiment: Experiment, condition: Condition
) -> tuple[tuple[str, ...], ...]:
    """Drugs of the lines after progression in the line under study."""
    merged_all = (merged(experiment.base, c) for c in experiment.conditions.values())
    if not any(c.cross_over for c in merged_all):
        return LATER_LINES
    names = tuple(sorted(condition.cross_over))
    if not names:
        return LATER_CHEMOTHERAPY
    kills = any(a.on in KILLING for name in names for a in actions_of(model.agent(name)))
    return (names if kills else (*names, *LATER_CHEMOTHERAPY[0]), *LATER_CHEMOTHERAPY[1:])


def arm_drugs(condition: Condition) -> dict[str, tuple[Dose, float]]:
    """Drugs of an arm with dose and intensity, those that switches add included."""
    drugs = dict(condition.drugs)
    if condition.switches:
        from her2.cell.switches import added_drugs

        drugs = {**dict.fromkeys(added_drugs(condition.switches), "clinical"), **drugs}
    return {k: (dose, condition.dose_intensity.get(k, 1.0)) for k, dose in drugs.items()}


def _switch_factors(condition: Condition) -> dict[str, float]:
    """Factors on parameters from the switches of a condition."""
    if not condition.switches:
        return {}
    from her2.cell.cell import Cell
    from her2.cell.switches import apply_switches

    return dict(apply_switches(Cell("patient", "patient", {}), condition.switches, "tumour").parameters or {})


def _switch_disabled(condition: Condition) -> frozenset[tuple[str, str, str]]:
    """Drug actions that the switches of a condition take away."""
    if not condition.switches:
        return frozenset()
    from her2.cell.cell import Cell
    from her2.cell.switches import apply_switches

    return apply_switches(Cell("patient", "patient", {}), condition.switches, "tumour").disabled


def make_plan(
    table: RateTable, drugs: Drugs, cycles: int | None, horizon: float, *, scanned: bool = True,
    measures_brain: bool = False,
) -> Plan:  # fmt: skip
    """How a set of drugs is given in a line for metastatic disease."""
    parameters = [
        a.parameter for name in drugs for a in actions_of(table.model.agent(name)) if a.on == "cytotoxic"
    ]
    stop = UNLIMITED
    if cycles is not None:
        stop = cycles
    elif any(p in TAXANES for p in parameters):
        stop = round(table.patients.values["cohort.taxane_cycles"])
    return Plan(
        systemic=table.rates(drugs, "tumour"),
        brain=table.rates(drugs, "cns"),
        chemo_steps=stop,
        other_steps=UNLIMITED,
        steps=int(np.ceil(horizon / STEP)),
        scanned=scanned,
        measures_brain=measures_brain,
    )


def survival_after(
    table: RateTable, state: State, start: Array, later: Sequence[tuple[str, ...]],
    v: Mapping[str, float],
) -> Array:  # fmt: skip
    """Day of death of those who go through further lines, (patients,); infinite for the others and for those alive.

    Parameters
    ----------
    start : (patients,) day on which the first of these lines starts
    later : drugs of the lines; after the last, and for who gets no further line, no drug is given
    """
    patients, horizon = table.patients, v["cohort.horizon"]
    time = np.full(patients.n, FOREVER)
    elapsed = np.where(state.alive, start, 0.0)
    no_drug = make_plan(table, {}, None, horizon, scanned=False)
    for names in (*later, ()):
        uptake = v["cohort.uptake"] if names else 0.0
        treated = patients.uniform(Purpose.SEQUENCE, state.line) < uptake
        left = state.alive & ~treated
        if left.any():
            death = follow_line(patients, state, no_drug, v).death
            time = np.where(left, elapsed + death, time)
        if not names:
            break
        line = follow_line(
            patients, state, make_plan(table, dict.fromkeys(names, CLINICAL), None, horizon), v
        )
        goes = state.alive & treated
        time = np.where(goes & (line.death < line.progression), elapsed + line.death, time)
        state = replace(line.end, alive=line.end.alive & goes)
        elapsed = np.where(state.alive, elapsed + line.progression + v["therapy.line_gap"], elapsed)
    return time


def _neoadjuvant(arm: _Arm) -> Outcome:
    """Complete pathological response: no tumour cell is found at surgery."""
    table = arm.table
    v, patients = table.patients.values, table.patients
    steps = round(v["cohort.neoadjuvant_duration"] / STEP)
    rates = table.rates(arm.drugs, "tumour")
    chemo = steps if arm.chemo_cycles is None else arm.chemo_cycles
    plan = Plan(rates, rates, chemo, UNLIMITED, steps)
    left = primary_burden(patients, v) + growth_of_clones(
        rates, plan, chemo_tolerance(v, plan, 0.0), immune_tolerance(v, plan, 0.0)
    )
    total = log_total(left)
    complete = total[-1] < v["cohort.pcr_log10"] * LN10
    never = np.full(patients.n, FOREVER)
    none = np.zeros(patients.n, dtype=np.bool_)
    return Outcome(
        enrolled=np.ones(patients.n, dtype=np.bool_), pfs=never, pfs_event=none, os=never, os_event=none, brain=never,
        brain_event=none, shares={"pcr": complete.astype(np.float64)}, burden=(total[-1] - total[0]) / LN10,
    )  # fmt: skip


def _adjuvant(arm: _Arm) -> Outcome:
    """Disease-free survival: relapse, or death from other causes."""
    table = arm.table
    v, patients = table.patients.values, table.patients
    horizon = v["cohort.adjuvant_follow_up"]
    rates = table.rates(arm.drugs, "tumour")
    chemo = round(v["cohort.adjuvant_cycles"]) if arm.chemo_cycles is None else arm.chemo_cycles
    steps = int(np.ceil(horizon / STEP))
    plan = Plan(rates, rates, chemo, round(v["cohort.adjuvant_duration"] / STEP), steps)
    relapse, burden = residual_relapse(patients, plan, v)
    other = -np.log(patients.uniform(Purpose.EVENT, 0)) / patients.background
    event = np.minimum(relapse, other)
    death = other
    if arm.to_death:
        state = relapsed(patients, relapse, burden, other)
        death = np.where(state.alive, survival_after(table, state, relapse, AFTER_RELAPSE, v), other)
    none = np.zeros(patients.n, dtype=np.bool_)
    return Outcome(
        enrolled=np.ones(patients.n, dtype=np.bool_), pfs=np.minimum(event, horizon), pfs_event=event <= horizon,
        os=np.minimum(death, horizon), os_event=death <= horizon, brain=np.full(patients.n, horizon), brain_event=none,
        shares={"progressed_share": (relapse <= np.minimum(other, horizon)).astype(np.float64)},
        burden=np.zeros(patients.n),
    )  # fmt: skip


def _median(time: Array, event: Flags) -> float:
    """Kaplan-Meier median in months; the end of follow-up if it is not reached, NaN without patients."""
    from her2.survival import kaplan_meier

    if not time.size:
        return float("nan")
    curve = kaplan_meier(time, event)
    below = curve.survival <= 0.5
    day = curve.times[below.argmax()] if below.any() else float(time.max())
    return float(day / DAYS_PER_MONTH)


def log_hazard_ratio(time: Array, event: Flags, other_time: Array, other_event: Flags) -> float:
    """Log hazard ratio of the first group against the other, from a Cox model.

    Exactly 0 for equal groups; NaN without events. With events in one group only, where the estimate has no limit, half
    an event is taken as seen in the other.
    """
    from her2.survival import fit_cox

    if np.array_equal(time, other_time) and np.array_equal(event, other_event):
        return 0.0
    n_events, n_other = int(event.sum()), int(other_event.sum())
    if n_events + n_other == 0:
        return float("nan")
    if n_events == 0 or n_other == 0:
        rate = (n_events + 0.5) / max(time.sum(), 1.0)
        return float(np.log(rate / ((n_other + 0.5) / max(other_time.sum(), 1.0))))
    group = np.concatenate((np.ones(time.size), np.zeros(other_time.size)))
    fit = fit_cox(np.concatenate((time, other_time)), np.concatenate((event, other_event)), group)
    return float(fit.coef[0]) if fit.status == "converged" else float("nan")


def _items(mapping: Mapping[str, object]) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(mapping.items()))
