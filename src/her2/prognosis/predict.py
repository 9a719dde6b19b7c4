"""The prediction of one patient: twins, escape routes, options with their courses, what limits them, what is missing.

The rules are read in the main thread while compiled code follows the twins in others: first what the options are, which
the twins then wait for, and while they go through them which missing items matter.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from her2.errors import Her2Error, RecordError
from her2.model import Model, build_model
from her2.prognosis.courses import Line, OptionPlan, plan_option
from her2.prognosis.history import IMPOSSIBLE, observed_lines
from her2.prognosis.known import Known, known_of
from her2.prognosis.missing_course import missing_items
from her2.prognosis.options_run import OptionsRun
from her2.prognosis.prior_posterior import clone_weights, route_weights
from her2.prognosis.progress import Watch, portion, unwatched
from her2.prognosis.refusals import refusals
from her2.prognosis.regimens import named_regimen, plan_regimen
from her2.prognosis.result import Course, Finding, NotPredicted, PatientResult, Refusal, RunOf, TwinCount
from her2.prognosis.sentences import sentences_of
from her2.prognosis.settings import setting
from her2.prognosis.twins import HOPELESS, IncompatibleHistory, Twins, find_twins, make_members
from her2.sequencing.advice import Advice
from her2.sequencing.recommend import advise, judge, with_missing
from her2.sequencing.rulebook import load_rulebook
from her2.sequencing.state import PatientState
from her2.trials.toxicity import arm_toxicity
from her2.units import DAYS_PER_MONTH, DAYS_PER_WEEK


@dataclass(frozen=True)
class Effort:
    """How much is simulated.

    Attributes
    ----------
    members : of the posterior
    draws : virtual patients in the first round
    twins : twins followed on the options at most
    explained : options of the rules, from the first, for which is asked what limits them; those named come on top
    seed : of all random numbers
    jobs : threads; 0 for one per core. The digits do not depend on it
    """

    members: int = 6
    draws: int = 384
    twins: int = 108
    explained: int = 1
    seed: int = 1
    jobs: int = 0

    @property
    def threads(self) -> int:
        """Threads."""
        return self.jobs or os.cpu_count() or 1


DEFAULT = Effort()


def posterior_models(members: int) -> tuple[Model, ...]:
    """Models of members of the shipped posterior, evenly spread over the ensemble; its centre for a single one.

    Raises
    ------
    her2.errors.RecordError
        If the posterior is missing, does not belong to this record, or has fewer members.
    """
    from her2.posterior import load_posterior

    posterior = load_posterior()
    if members == 1:
        return (build_model(posterior.central()),)
    if members > posterior.n:
        raise RecordError(f"{members} members: the posterior has {posterior.n}")
    picked = np.linspace(0, posterior.n - 1, members).round().astype(int)
    return tuple(build_model(posterior.values(int(k))) for k in picked)


def predict_patient(
    state: PatientState,
    *,
    options: Sequence[str] = (),
    models: Sequence[Model] | None = None,
    effort: Effort = DEFAULT,
    findings: Sequence[Finding] = (),
    on_progress: Watch = unwatched,
) -> PatientResult:
    """Predict one patient.

    Parameters
    ----------
    options : regimens beside those of the rules, agents by any name joined by `+`
    models : members of the posterior; default the shipped one
    findings : what was found when the case was read
    on_progress : called with stage and share done, from several threads

    Raises
    ------
    her2.errors.Her2Error
        An option with an unknown agent, or a posterior that cannot be read. A case for which no course can be
        predicted is no error: the result says why.
    """
    named = tuple(dict.fromkeys(named_regimen(o) for o in options))
    asked = state.model_copy(update={"considering": tuple(dict.fromkeys((*state.considering, *named)))})
    known = known_of(asked)
    reasons = refusals(asked)
    if reasons:
        return _refused(asked, advise(asked), known, findings, reasons, effort)
    members = tuple(models) if models is not None else posterior_models(effort.members)
    lines = case_lines(asked)
    own = make_members(members, known, history_agents(lines))
    with (
        ThreadPoolExecutor(max_workers=1) as beside,
        ThreadPoolExecutor(max_workers=effort.threads) as pool,
    ):
        search = beside.submit(
            find_twins, own, known, lines, draws=effort.draws, seed=effort.seed, pool=pool,
            on_progress=portion(on_progress, "twins", 0.0, 0.4),
        )  # fmt: skip
        book = load_rulebook()
        advice = judge(asked, book)
        plans, not_predicted = plan_options(advice, named, asked)
        toxicity = [arm_toxicity(p.arm.regimen) for p in plans]
        try:
            twins = search.result()
        except IncompatibleHistory as error:
            advice = with_missing(asked, advice, book)
            return _refused(asked, advice, known, findings, (Refusal(str(error), (error.item,)),), effort)
        running = None
        if plans:
            explained = [k for k, p in enumerate(plans) if k < effort.explained or p.planned.name in named]
            running = beside.submit(
                OptionsRun, twins, known, lines, plans, toxicity,
                explained=explained, most=effort.twins, seed=effort.seed, pool=pool,
                on_progress=portion(on_progress, "options and rules", 0.4, 0.9),
            )  # fmt: skip
        advice = with_missing(asked, advice, book)
        routes = route_weights(twins, known, n_lines=len(lines))
        run = running.result() if running is not None else None
    on_progress("what is not known", 0.92)
    result = PatientResult(
        advice=advice,
        findings=tuple(findings),
        known=known.facts,
        refusals=(),
        twins=count_twins(twins, sum(c.n for c in run.chosen) if run is not None else 0),
        routes=routes,
        clones=clone_weights(twins) if lines else (),
        courses=_courses(advice, plans, run) if run is not None else (),
        not_predicted=not_predicted,
        missing=missing_items(
            asked, advice, run.chosen if run is not None else (), run.outcomes[0] if run is not None else None,
            effort.seed,
        ),
        sentences=(),
        run=run_of(effort, len(members), run.digest if run is not None else ""),
        curves=_curves(plans, run) if run is not None else None,
    )  # fmt: skip
    return replace(result, sentences=sentences_of(result))


def case_lines(state: PatientState) -> tuple[Line, ...]:
    """Earlier lines with doses and what is known of each.

    Raises
    ------
    her2.errors.RecordError
        A line that the engine cannot give.
    """
    lines = state.completed or ()
    return tuple(
        Line(plan_regimen("+".join(line.agents or ()), f"lines.{k}.agents"), seen)
        for k, (line, seen) in enumerate(zip(lines, observed_lines(lines), strict=True))
    )


def history_agents(lines: Sequence[Line]) -> tuple[str, ...]:
    """Agents of the earlier lines, sorted."""
    return tuple(sorted({c.agent for line in lines for c in line.components}))


def count_twins(twins: Twins, followed: int) -> TwinCount:
    """Numbers of twins.

    Parameters
    ----------
    followed : on the options
    """
    log = np.concatenate([w.log.sum(axis=0) for w in twins.weighed])
    return TwinCount(
        drawn=twins.drawn,
        agreeing=int(log.size),
        fitting=int(np.sum(log > log.max(initial=IMPOSSIBLE) - HOPELESS)),
        effective=twins.effective,
        least=setting("least_effective"),
        after=twins.numbers(),
        followed=followed,
        members=len(twins.members),
    )


def run_of(effort: Effort, members: int, digest: str) -> RunOf:
    """What names a run."""
    from her2 import __version__

    horizon = setting("horizon") * DAYS_PER_WEEK / DAYS_PER_MONTH
    return RunOf(effort.seed, members, horizon, __version__, digest)


def plan_options(
    advice: Advice, named: Sequence[str], state: PatientState
) -> tuple[tuple[OptionPlan, ...], tuple[NotPredicted, ...]]:
    """Options to predict, those of the rules first, and those that cannot be.

    What only a trial or a hypothesis names is predicted where the user names it, too.
    """
    plans: list[OptionPlan] = []
    left: list[NotPredicted] = []
    advised = [o.regimen for o in advice.options if o.is_advice]
    rules = {o.regimen: tuple(g.rule for g in o.grounds) for o in advice.options}
    for name in dict.fromkeys((*advised, *named)):
        try:
            plans.append(plan_option(plan_regimen(name, name), state))
        except Her2Error as error:
            left.append(NotPredicted(name, str(error).removeprefix(f"{name}: "), rules.get(name, ())))
    return tuple(plans), tuple(left)


def _courses(advice: Advice, plans: Sequence[OptionPlan], run: OptionsRun) -> tuple[Course, ...]:
    """What every option would do."""
    offered = {o.regimen: o for o in advice.options}
    verdicts = {j.regimen: f"{j.verdict}: {j.says}" for j in advice.judged}
    result = []
    for k, plan in enumerate(plans):
        option = offered.get(plan.planned.name)
        result.append(
            run.outcomes[k].course(
                plan,
                run.toxicity[k],
                position=None if option is None else option.position,
                rules=() if option is None else tuple(g.rule for g in option.grounds),
                verdict=verdicts.get(plan.planned.name, ""),
                limits=run.limits.get(k, ()),
            )
        )
    return tuple(result)


def _curves(plans: Sequence[OptionPlan], run: OptionsRun) -> dict[str, dict[str, object]]:
    """Times in months and weights of the twins by option, for pictures."""
    return {
        plan.planned.name: {"pfs": o.pfs_months, "os": o.os_months, "weights": o.live_weights}
        for plan, o in zip(plans, run.outcomes, strict=True)
    }


def _refused(
    state: PatientState,
    advice: Advice,
    known: Known,
    findings: Sequence[Finding],
    reasons: tuple[Refusal, ...],
    effort: Effort,
) -> PatientResult:
    """The rules' answer, and why no course is predicted."""
    result = PatientResult(
        advice=advice, findings=tuple(findings), known=known.facts, refusals=reasons, twins=None, routes=(), clones=(),
        courses=(), not_predicted=(), missing=missing_items(state, advice, (), None, effort.seed), sentences=(),
        run=run_of(effort, 0, ""),
    )  # fmt: skip
    return replace(result, sentences=sentences_of(result))
