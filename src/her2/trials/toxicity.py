"""Adverse events of an arm: rates from the record by drug, drawn per patient, and what they do to the dose.

The rates are inputs. Each (term, agent) pair of an arm has a probability over the agent's typical exposure, changed
by the dose and by the other agents; pairs are independent, so that a term strikes 1 - prod(1 - p) of the patients.
What an arm of a trial file says itself goes before the record. `arm_toxicity` makes the pairs, `draw_toxicity` the
events of patients and one dose change and one stop per agent, `adverse_event_table` sets them beside the published.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from her2.engine.rng import Purpose, uniforms
from her2.errors import RecordError, UnknownNameError, unknown
from her2.evidence.load import files_of, load_agent
from her2.evidence.schema import PublishedValue, Study
from her2.evidence.toxicity import (
    ANY_EVENT,
    TERMS,
    AgentToxicity,
    DoseAction,
    Severity,
    Sourced,
    TermEntry,
    load_toxicity,
    named_event,
    published_events,
    toxicity_names,
)
from her2.pharmacology.regimen import parse_regimen
from her2.trials.design import AdverseEvent, Arm, Component
from her2.units import DAYS_PER_WEEK

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
FIRST_INDEX = 1 << 16
"""Random indices below this belong to other attributes of an arm (`her2.patients.sample`)."""
ONSET_SHAPE = 2.0
"""Shape of the log-logistic law of onsets (assumed: half of the events fall between 0.58 and 1.73 medians)."""
OWN_ONSET_DAYS = 21.0
OWN_EXPOSURE_WEEKS = 26.0
"""Onset and exposure of a trial file's event that the record does not know (assumed: one cycle, half a year)."""
MILD, SEVERE = 1, 3
"""Grades as drawn: 1-2 and 3-4; 0 is none."""


@dataclass(frozen=True)
class Cause:
    """One adverse event by one agent in an arm.

    Attributes
    ----------
    agent : the causing agent; empty for an event of the trial file that no agent of the arm is known for
    severe, any : probability of grade 3-4 and of any grade over the exposure
    onset_day : median onset, counted from the agent's own first dose
    exposure_week : time over which the probabilities hold; later there are no new events
    start_week : week of the line in which the agent is first given
    actions, mild_actions : what is done after grade 3-4 and after grade 1-2, and with which agent
    given_from : where the rate comes from, readable
    """

    term: str
    agent: str
    severe: float
    any: float
    onset_day: float
    exposure_week: float
    start_week: float
    actions: tuple[tuple[str, DoseAction], ...]
    mild_actions: tuple[tuple[str, DoseAction], ...]
    given_from: str

    def probability(self, severity: Severity) -> float:
        """Probability of one severity."""
        return self.severe if severity == "severe" else self.any

    @property
    def index(self) -> int:
        """First of the two random indices of this pair; the same in every arm and trial."""
        return FIRST_INDEX + 2 * (zlib.crc32(f"{self.term}/{self.agent}".encode()) % (1 << 30))


@dataclass(frozen=True)
class ArmToxicity:
    """Adverse events of one regimen.

    Attributes
    ----------
    agents : of the regimen, in its order
    start_week, exposure_week, lowest_dose : of each agent, in that order
    causes : the (term, agent) pairs
    without : agents of which the record has no adverse events
    """

    agents: tuple[str, ...]
    start_week: tuple[float, ...]
    exposure_week: tuple[float, ...]
    lowest_dose: tuple[float, ...]
    causes: tuple[Cause, ...]
    without: tuple[str, ...] = ()

    @property
    def terms(self) -> tuple[str, ...]:
        """Terms, each once, sorted."""
        return tuple(sorted({c.term for c in self.causes}))

    def rate(self, term: str, severity: Severity = "severe") -> float:
        """Share of patients with the event over the typical exposure: 1 - prod(1 - p) over the agents."""
        return _combined([c for c in self.causes if c.term == term], severity)


@dataclass(frozen=True)
class ToxicityCourse:
    """Adverse events of patients on one regimen. Weeks are counted from the first day of the line; inf is never.

    Attributes
    ----------
    agents, terms : as in the `ArmToxicity`
    from_week : (agents, patients) first week with a changed dose
    dose_factor : (agents, patients) mean dose from then on relative to the planned, holds included
    stop_week : (agents, patients) first week without the agent
    held_week : (agents, patients) weeks for which the agent is held
    severe_week, any_week : (causes, patients) week of the first event of grade 3-4, and of any grade
    stopped : (causes, patients) whether the event is the reason why an agent is stopped for good
    cause_stop_week : (causes, patients) stop of the causing agent, after which its events do not occur
    cause_term : (causes,) position of each pair's term in `terms`
    """

    agents: tuple[str, ...]
    terms: tuple[str, ...]
    from_week: Array
    dose_factor: Array
    stop_week: Array
    held_week: Array
    severe_week: Array
    any_week: Array
    stopped: Flags
    cause_stop_week: Array
    cause_term: NDArray[np.int64] = field(repr=False)

    @property
    def n(self) -> int:
        """Number of patients."""
        return int(self.from_week.shape[1])

    def grade(self, weeks: Array | None = None) -> NDArray[np.int8]:
        """Worst grade of each term: 0 none, 1 grade 1-2, 3 grade 3-4; (terms, patients).

        Parameters
        ----------
        weeks : (patients,), week
            End of treatment. Events after it, and of an agent already stopped, are then left out. Without it every
            event within the typical exposure counts, so that shares are those given to the model.
        """
        result = np.zeros((len(self.terms), self.n), dtype=np.int8)
        for c, k in enumerate(self.cause_term):
            for week, value in ((self.any_week[c], MILD), (self.severe_week[c], SEVERE)):
                seen = np.isfinite(week)
                if weeks is not None:
                    seen &= (week < weeks) & (week < self.cause_stop_week[c])
                result[k] = np.where(seen, np.maximum(result[k], value), result[k])
        return result

    def onset_week(self) -> Array:
        """Week of the first event of each term, any grade: (terms, patients), inf where there is none."""
        result = np.full((len(self.terms), self.n), np.inf)
        for c, k in enumerate(self.cause_term):
            result[k] = np.minimum(result[k], self.any_week[c])
        return result

    def discontinued(self) -> Flags:
        """Whether the term made a patient stop an agent: (terms, patients)."""
        result = np.zeros((len(self.terms), self.n), dtype=np.bool_)
        for c, k in enumerate(self.cause_term):
            result[k] |= self.stopped[c]
        return result

    def on(self, agents: Sequence[str]) -> tuple[Array, Array, Array]:
        """`from_week`, `dose_factor` and `stop_week` in the order of other agents, each (agents, patients).

        Agents that are not in the regimen have no change: inf, 1, inf.
        """
        from_week = np.full((len(agents), self.n), np.inf)
        factor = np.ones((len(agents), self.n))
        stop = np.full((len(agents), self.n), np.inf)
        for k, name in enumerate(agents):
            if name in self.agents:
                d = self.agents.index(name)
                from_week[k], factor[k], stop[k] = self.from_week[d], self.dose_factor[d], self.stop_week[d]
        return from_week, factor, stop

    def take(self, patients: NDArray[np.int64]) -> ToxicityCourse:
        """The patients at these positions."""
        return replace(
            self,
            **{
                name: getattr(self, name)[:, patients]
                for name in (
                    "from_week", "dose_factor", "stop_week", "held_week", "severe_week", "any_week", "stopped",
                    "cause_stop_week",
                )
            },
        )  # fmt: skip

    def dose_intensity(self, start_week: float, end_week: float) -> Array:
        """Dose given over dose planned between two weeks, fraction: (agents, patients)."""
        last = np.clip(self.stop_week, start_week, end_week)
        first = np.minimum(np.clip(self.from_week, start_week, end_week), last)
        given = (first - start_week) + self.dose_factor * (last - first)
        return np.asarray(given / (end_week - start_week))


def hazard_scaled(probability: float, factor: float) -> float:
    """Probability whose hazard is `factor` times that of `probability`: 1 - (1 - p)**factor."""
    return -math.expm1(factor * math.log1p(-probability))


def arm_toxicity(
    components: Sequence[Component],
    events: Sequence[AdverseEvent] = (),
    *,
    elsewhere: Sequence[str] = (),
    where: str = "arm",
    load: Callable[[str], AgentToxicity] | None = None,
) -> ArmToxicity:
    """Adverse events of a regimen, from the record and from what the trial file says.

    An event of the trial file replaces the rates of its term: its `rate` is the share with grade 3-4, or with any
    grade where the name says so (`cardiac_dysfunction`). With an action the event is one pair that acts on the agent
    named, or on several where it is given once for each; holds and stops stay as in the record. Without an action the
    record's pairs are scaled together to the rate, and keep what the record does. Where the trial file gives the
    cycles of an agent, they hold its stops, and the record's are left out.

    Parameters
    ----------
    components : agents with their doses
    events : `adverse_events` of the arm
    elsewhere : agents of the arm's other options; an event that acts on one of them does nothing here
    where : place named in errors
    load : reads the adverse events of an agent; default the record

    Raises
    ------
    her2.errors.UnknownNameError
        An agent or term that does not exist; an action on an agent that is not in the arm.
    her2.errors.RecordError
        A file of the record that does not say what it has to say; one term with two rates.
    """
    known = {p.stem for p in files_of("agents")}
    listed = set(toxicity_names())
    records: dict[str, AgentToxicity] = {}
    for k, component in enumerate(components):
        if component.agent not in known:
            raise unknown("agent", component.agent, known, f"{where}, regimen.{k}.agent")
        if load is not None:
            records[component.agent] = load(component.agent)
        elif component.agent in listed:
            records[component.agent] = load_toxicity(component.agent)
    given = tuple(c.agent for c in components)
    causes = tuple(
        _cause(component, records[component.agent], name, term, components, where)
        for component in components
        if component.agent in records
        for name, term in records[component.agent].terms.items()
    )
    exposure = [records[a].exposure.weeks if a in records else OWN_EXPOSURE_WEEKS for a in given]
    starts = [c.start / DAYS_PER_WEEK for c in components]
    for name, own in _by_term(events, {*given, *elsewhere}, where).items():
        causes = _with_own(causes, name, own, dict(zip(given, starts, strict=True)))
    counted = {c.agent for c in components if c.cycles is not None}
    lowest = [
        record.lowest_dose.value
        if (record := records.get(a)) is not None and record.lowest_dose is not None
        else 0.0
        for a in given
    ]
    return ArmToxicity(
        agents=given,
        start_week=tuple(starts),
        exposure_week=tuple(exposure),
        lowest_dose=tuple(lowest),
        causes=tuple(_without_stops(c, counted) for c in causes),
        without=tuple(a for a in given if a not in records),
    )


def arm_toxicities(arm: Arm, where: str = "") -> tuple[ArmToxicity, ...]:
    """Adverse events of each option of an arm, in order; one where the arm has a single regimen.

    Raises
    ------
    her2.errors.Her2Error
        As `arm_toxicity`.
    """
    every = tuple({c.agent for option in arm.choices for c in option.regimen})
    place = where or f"arms.{arm.id}"
    return tuple(
        arm_toxicity(option.regimen, arm.adverse_events, elsewhere=every, where=place)
        for option in arm.choices
    )


def toxicity_uniforms(toxicity: ArmToxicity, seed: int, first: int, n: int) -> Array:
    """Uniform numbers behind the events of patients `first` to `first + n - 1`: (causes, 2, patients).

    Keyed by seed, patient and pair of term and agent: the same event strikes the same twins in every arm.
    """
    result = np.empty((len(toxicity.causes), 2, n))
    for c, cause in enumerate(toxicity.causes):
        for k in range(2):
            result[c, k] = uniforms(seed, first, n, int(Purpose.ARM_ATTRIBUTE), cause.index + k)
    return result


def draw_toxicity(toxicity: ArmToxicity, uniform: Array) -> ToxicityCourse:
    """Events of each patient and what becomes of the doses.

    An event strikes where its first number u is below p; it then comes at the quantile u / p of a log-logistic law
    of onsets, cut at the typical exposure. Its second number decides what is done. A change takes effect in the week
    after the event. Of several changes of an agent's dose the mean over one typical exposure from the first change
    on is taken, holds included.

    Parameters
    ----------
    uniform : (causes, 2, patients), in (0, 1), from `toxicity_uniforms`

    Raises
    ------
    ValueError
        If `uniform` has another shape.
    """
    if uniform.ndim != 3 or uniform.shape[:2] != (len(toxicity.causes), 2):
        raise ValueError(
            f"uniform: expected shape ({len(toxicity.causes)}, 2, patients), got {uniform.shape}"
        )
    n = uniform.shape[2]
    n_causes, n_agents = len(toxicity.causes), len(toxicity.agents)
    severe_week, any_week = np.full((n_causes, n), np.inf), np.full((n_causes, n), np.inf)
    stops: list[list[Array]] = [[] for _ in range(n_agents)]
    changes: list[list[tuple[Array, float, float]]] = [[] for _ in range(n_agents)]
    reasons: list[tuple[int, int, Array]] = []
    for c, cause in enumerate(toxicity.causes):
        severe_week[c] = _event_week(cause, cause.severe, uniform[c, 0])
        any_week[c] = np.minimum(_event_week(cause, cause.any, uniform[c, 0]), severe_week[c])
        mild_week = np.where(np.isfinite(severe_week[c]), np.inf, any_week[c])
        for actions, week in ((cause.actions, severe_week[c]), (cause.mild_actions, mild_week)):
            # the dose of the week of the event has been given
            next_week = np.floor(week) + 1.0
            for agent, action in actions:
                if agent not in toxicity.agents:
                    continue
                d = toxicity.agents.index(agent)
                stop = np.where(uniform[c, 1] < action.discontinue, next_week, np.inf)
                stops[d].append(stop)
                reasons.append((c, d, stop))
                if action.hold > 0.0 or action.dose_factor < 1.0:
                    acted = (uniform[c, 1] >= action.discontinue) & (uniform[c, 1] < action.share)
                    change = np.where(acted, next_week, np.inf)
                    changes[d].append((change, action.hold, action.dose_factor))
    from_week, factor = np.full((n_agents, n), np.inf), np.ones((n_agents, n))
    stop_week, held = np.full((n_agents, n), np.inf), np.zeros((n_agents, n))
    for d in range(n_agents):
        if stops[d]:
            stop_week[d] = np.minimum.reduce(stops[d])
        if changes[d]:
            from_week[d], factor[d], held[d] = _mean_dose(
                changes[d], stop_week[d], toxicity.exposure_week[d], toxicity.lowest_dose[d]
            )
    stopped = np.zeros((n_causes, n), dtype=np.bool_)
    for c, d, stop in reasons:
        stopped[c] |= np.isfinite(stop) & (stop == stop_week[d])
    own_stop = np.full((n_causes, n), np.inf)
    for c, cause in enumerate(toxicity.causes):
        if cause.agent in toxicity.agents:
            own_stop[c] = stop_week[toxicity.agents.index(cause.agent)]
    terms = toxicity.terms
    return ToxicityCourse(
        agents=toxicity.agents,
        terms=terms,
        from_week=from_week,
        dose_factor=factor,
        stop_week=stop_week,
        held_week=held,
        severe_week=severe_week,
        any_week=any_week,
        stopped=stopped,
        cause_stop_week=own_stop,
        cause_term=np.array([terms.index(c.term) for c in toxicity.causes], dtype=np.int64),
    )


@dataclass(frozen=True)
class EventRow:
    """One line of the table of adverse events of an arm; shares of patients.

    Attributes
    ----------
    severe, any : drawn, grade 3-4 and any grade
    given_severe, given_any : given to the model over the typical exposure
    given_from : agents with the places their rates come from
    published_severe, published_any : printed figures of the arm
    discontinued : drawn, patients who stop an agent for it
    """

    term: str
    label: str
    severe: float
    any: float
    given_severe: float
    given_any: float
    given_from: str
    published_severe: PublishedValue | None
    published_any: PublishedValue | None
    discontinued: float


def adverse_event_table(
    drawn: Sequence[tuple[ArmToxicity, ToxicityCourse]],
    study: Study | None = None,
    arm: str = "",
    *,
    weeks: Sequence[Array] | None = None,
    show_held_out: bool = False,
) -> tuple[EventRow, ...]:
    """Adverse events of an arm: drawn, given to the model, and published; most frequent severe ones first.

    The last row counts patients with at least one event of the layer's terms.

    Parameters
    ----------
    drawn : toxicity and course of the arm; several where it has options, each with the patients who got it
    study, arm : study and arm whose printed rates stand beside
    weeks : time on treatment of each course's patients, week: events after it are left out of the drawn shares
    show_held_out : whether figures marked as held out may be shown

    Raises
    ------
    ValueError
        If there is no patient.
    """
    total = sum(course.n for _, course in drawn)
    if not total:
        raise ValueError("drawn: expected at least one patient, got none")
    published = published_events(study, arm, show_held_out=show_held_out) if study is not None else {}
    grades = [course.grade(None if weeks is None else weeks[k]) for k, (_, course) in enumerate(drawn)]
    terms = {term for _, course in drawn for term in course.terms} | {t for t, _ in published}
    rows = [_row(drawn, grades, published, total, term) for term in terms - {ANY_EVENT}]
    rows.sort(key=lambda r: (-r.given_severe, -r.given_any, r.term))
    return (*rows, _row(drawn, grades, published, total, ANY_EVENT))


def _row(
    drawn: Sequence[tuple[ArmToxicity, ToxicityCourse]],
    grades: Sequence[NDArray[np.int8]],
    published: dict[tuple[str, Severity], PublishedValue],
    total: int,
    term: str,
) -> EventRow:
    """One line of the table; for any event the terms are taken together."""
    counts, given = np.zeros(3), np.zeros(2)
    sources: dict[str, None] = {}
    for (toxicity, course), grade in zip(drawn, grades, strict=True):
        own = [k for k, name in enumerate(course.terms) if term in (name, ANY_EVENT)]
        causes = [c for c in toxicity.causes if term in (c.term, ANY_EVENT)]
        worst = grade[own].max(axis=0, initial=0)
        counts += [
            np.sum(worst >= SEVERE),
            np.sum(worst >= MILD),
            np.sum(course.discontinued()[own].any(axis=0)),
        ]
        given += [course.n * _combined(causes, "severe"), course.n * _combined(causes, "any")]
        sources |= {f"{c.agent or 'arm'}: {c.given_from}": None for c in causes}
    severe, any_grade, stopped = counts / total
    return EventRow(
        term=term,
        label=TERMS.get(term, "any of these"),
        severe=float(severe),
        any=float(any_grade),
        given_severe=float(given[0] / total),
        given_any=float(given[1] / total),
        given_from="all of the above" if term == ANY_EVENT else "; ".join(sources),
        published_severe=published.get((term, "severe")),
        published_any=published.get((term, "any")),
        discontinued=float(stopped),
    )


def _cause(
    component: Component,
    record: AgentToxicity,
    name: str,
    term: TermEntry,
    components: Sequence[Component],
    where: str,
) -> Cause:
    """The pair of a term and an agent at the dose given and beside the other agents."""
    severe_factor = any_factor = _dose_factor(component, record, term, where)
    beside = {c.agent for c in components if c.agent != component.agent and _together(c, component)}
    for interaction in term.with_agents:
        if beside & set(interaction.agents):
            severe_factor *= interaction.severe
            any_factor *= interaction.any
    severe = hazard_scaled(term.severe.value, severe_factor) if term.severe is not None else 0.0
    any_grade = hazard_scaled(term.any.value, any_factor) if term.any is not None else 0.0
    exposure = record.exposure.weeks
    given = min(_planned_weeks(component), exposure)
    # a shorter course than the typical one has the events of its time only
    share = _onset_share(term.onset.days, given) / _onset_share(term.onset.days, exposure)
    return Cause(
        term=name,
        agent=component.agent,
        severe=severe * share,
        any=max(any_grade, severe) * share,
        onset_day=term.onset.days,
        exposure_week=given,
        start_week=component.start / DAYS_PER_WEEK,
        actions=_for_agents(component.agent, term.action),
        mild_actions=_for_agents(component.agent, term.mild_action),
        given_from="; any grade ".join(
            dict.fromkeys(_place(rate) for rate in (term.severe, term.any) if rate is not None)
        ),
    )


def _for_agents(agent: str, action: DoseAction | None) -> tuple[tuple[str, DoseAction], ...]:
    """An action with each agent it is done to."""
    return () if action is None else tuple((name, action) for name in (agent, *action.also))


def _planned_weeks(component: Component) -> float:
    """Length of a planned number of cycles or weeks, inf where there is none."""
    dose = parse_regimen(component.dose)
    weeks = math.inf if dose.cycles is None else dose.cycles * dose.interval_days / DAYS_PER_WEEK
    return weeks if dose.duration_days is None else min(weeks, dose.duration_days / DAYS_PER_WEEK)


def _together(first: Component, second: Component) -> bool:
    """Whether two agents are given at the same time, not one after the other."""
    starts = [c.start / DAYS_PER_WEEK for c in (first, second)]
    ends = [s + _planned_weeks(c) for s, c in zip(starts, (first, second), strict=True)]
    return max(starts) < min(ends)


def _onset_share(onset_day: float, weeks: float) -> float:
    """Share of the onsets by a time: log-logistic with the median `onset_day`."""
    return 1.0 / (1.0 + math.pow(onset_day / (weeks * DAYS_PER_WEEK), ONSET_SHAPE))


def _dose_factor(component: Component, record: AgentToxicity, term: TermEntry, where: str) -> float:
    """Hazard at the dose given relative to the dose the rates were seen at."""
    exponent = term.dose_exponent or record.dose_exponent
    reference = term.regimen or record.regimen
    if exponent is None or exponent.value == 0.0 or reference is None:
        return 1.0
    doses = {r.id: r.dose for r in load_agent(component.agent).regimens}
    if reference not in doses:
        raise unknown(
            f"regimen of {component.agent}", reference, doses, f"toxicity/{component.agent}.yaml ({where})"
        )
    seen, given = _dose_rate(doses[reference]), _dose_rate(component.dose)
    # a flat dose cannot be compared with one by weight or surface
    return 1.0 if seen[1] != given[1] else (given[0] / seen[0]) ** exponent.value


def _dose_rate(text: str) -> tuple[float, str]:
    """Dose per day in the unit of the regimen, and that unit."""
    dose = parse_regimen(text)
    return dose.amount * dose.per_day * len(dose.days_of_cycle) / dose.interval_days, dose.unit


def _by_term(
    events: Sequence[AdverseEvent], agents: set[str], where: str
) -> dict[str, list[tuple[AdverseEvent, Severity]]]:
    """Events of a trial file by term, checked; several of a term are one event that acts on several agents."""
    found: dict[str, list[tuple[AdverseEvent, Severity]]] = {}
    for k, event in enumerate(events):
        place = f"{where}, adverse_events.{k}"
        target = event.action.agent if event.action is not None else None
        if target is not None and target not in agents:
            raise unknown("agent", target, agents, f"{place}.action")
        try:
            term, severity = named_event(event.term)
        except UnknownNameError as error:
            raise UnknownNameError(f"{place}.term: {error}") from error
        if event.rate >= 1.0:
            raise RecordError(f"{place}.rate: {event.rate:g} is impossible; expected a share below 1")
        before = found.setdefault(term, [])
        if before and (before[0][0].rate, before[0][1]) != (event.rate, severity):
            raise RecordError(
                f"{place}.rate: {event.rate:g}, but {before[0][0].rate:g} before; one event has one rate"
            )
        before.append((event, severity))
    return found


def _with_own(
    causes: tuple[Cause, ...],
    name: str,
    events: Sequence[tuple[AdverseEvent, Severity]],
    starts: dict[str, float],
) -> tuple[Cause, ...]:
    """The pairs of an arm with those of one term as the trial file gives them."""
    event, severity = events[0]
    own = [c for c in causes if c.term == name]
    others = tuple(c for c in causes if c.term != name)
    came = f"trial file: {event.source or 'no source'} {event.locator}".rstrip()
    if event.rate == 0.0:
        return others
    actions = tuple(
        (e.action.agent, _own_action(e, own))
        for e, _ in events
        if e.action is not None and e.action.agent in starts
    )
    if own and not actions:
        return (*others, *_scaled(own, event.rate, severity, came))
    agent = actions[0][0] if actions else ""
    pattern = next((c for c in own if c.agent == agent), own[0] if own else None)
    hit = {a for a, _ in actions}
    mild = {a: action for c in own for a, action in c.mild_actions if a in hit}
    return (
        *others,
        Cause(
            term=name,
            agent=agent,
            severe=event.rate if severity == "severe" else min(_combined(own, "severe"), event.rate),
            any=event.rate if severity == "any" else max(_combined(own, "any"), event.rate),
            onset_day=pattern.onset_day if pattern is not None else OWN_ONSET_DAYS,
            exposure_week=pattern.exposure_week if pattern is not None else OWN_EXPOSURE_WEEKS,
            start_week=starts.get(agent, 0.0),
            actions=actions,
            mild_actions=tuple(mild.items()),
            given_from=came,
        ),
    )


def _without_stops(cause: Cause, agents: set[str]) -> Cause:
    """The pair without permanent stops of some agents; what is done instead is what is done to the others."""

    def change(pairs: tuple[tuple[str, DoseAction], ...]) -> tuple[tuple[str, DoseAction], ...]:
        return tuple((a, x.model_copy(update={"discontinue": 0.0}) if a in agents else x) for a, x in pairs)

    return replace(cause, actions=change(cause.actions), mild_actions=change(cause.mild_actions))


def _combined(causes: Sequence[Cause], severity: Severity) -> float:
    """1 - prod(1 - p)."""
    return 1.0 - math.prod(1.0 - c.probability(severity) for c in causes)


def _scaled(own: Sequence[Cause], rate: float, severity: Severity, came: str) -> tuple[Cause, ...]:
    """The pairs of a term with their hazards scaled together so that they combine to the rate."""
    together = _combined(own, severity)
    if together > 0.0:
        scale = math.log1p(-rate) / math.log1p(-together)
        new = [hazard_scaled(c.probability(severity), scale) for c in own]
    else:
        # the record knows the term with another severity only: each agent causes the same share
        new = [hazard_scaled(rate, 1.0 / len(own)) for _ in own]
    if severity == "severe":
        return tuple(
            replace(c, severe=p, any=max(c.any, p), given_from=came) for c, p in zip(own, new, strict=True)
        )
    return tuple(
        replace(c, severe=min(c.severe, p), any=p, given_from=came) for c, p in zip(own, new, strict=True)
    )


def _own_action(event: AdverseEvent, own: Sequence[Cause]) -> DoseAction:
    """What is done to an agent: the trial file's dose factor (zero is a stop), with the record's hold and stops."""
    assert event.action is not None
    agent, factor = event.action.agent, event.action.dose_factor
    known = next((action for c in own for a, action in c.actions if a == agent), None)
    change = {"share": 1.0, "dose_factor": factor} if factor else {"share": 1.0, "discontinue": 1.0}
    if known is not None:
        return known.model_copy(update=change)
    return DoseAction.model_validate(
        {**change, "quality": "assumed", "source": event.source or "inferred_c", "locator": event.locator}
    )


def _place(part: Sourced) -> str:
    """Source and place of a number, with its quality."""
    return f"{part.source} {part.locator} ({part.quality})"


def _event_week(cause: Cause, probability: float, u: Array) -> Array:
    """Week of the line in which the event comes, inf where it does not: (patients,)."""
    week = np.full(u.shape, np.inf)
    hit = u < probability
    if probability > 0.0 and hit.any():
        reached = _onset_share(cause.onset_day, cause.exposure_week)
        quantile = reached * u[hit] / probability
        day = cause.onset_day * (quantile / (1.0 - quantile)) ** (1.0 / ONSET_SHAPE)
        week[hit] = cause.start_week + day / DAYS_PER_WEEK
    return week


def _mean_dose(
    changes: Sequence[tuple[Array, float, float]], stop: Array, exposure: float, lowest: float
) -> tuple[Array, Array, Array]:
    """First change, mean dose factor after it over one exposure, and weeks held; each (patients,)."""
    weeks = np.stack([w for w, _, _ in changes])
    weeks = np.where(weeks < stop, weeks, np.inf)
    order = np.argsort(weeks, axis=0, kind="stable")
    weeks = np.take_along_axis(weeks, order, axis=0)
    holds = np.array([h for _, h, _ in changes])[order]
    factors = np.array([f for _, _, f in changes])[order]
    first = weeks[0]
    changed = np.isfinite(first)
    end = np.where(changed, np.minimum(stop, first + exposure), 0.0)
    level, given = np.ones(first.shape), np.zeros(first.shape)
    held, waiting = np.zeros(first.shape), np.zeros(first.shape)
    for k in range(len(changes)):
        begin = np.minimum(weeks[k], end)
        length = (np.minimum(weeks[k + 1], end) if k + 1 < len(changes) else end) - begin
        here = np.isfinite(weeks[k])
        level = np.where(here, np.maximum(level * factors[k], lowest), level)
        waiting = np.where(here, np.maximum(waiting, holds[k]), waiting)
        rest = np.minimum(waiting, length)
        given += level * (length - rest)
        held += rest
        waiting = waiting - rest
    span = end - np.where(changed, first, 0.0)
    return first, np.where(changed, given / np.where(changed, span, 1.0), 1.0), held
