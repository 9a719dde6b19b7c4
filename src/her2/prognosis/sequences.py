"""Sequences of lines compared in the same twins: survival, time on chemotherapy, and the interval of the difference.

Every sequence has as many lines as asked for; after each progression the same twins stop treatment for good, whatever
the sequence. All lines are given as planned, with typical numbers of cycles and without adverse events: the engine
knows those of one line only, and counting them in the first would favour what comes later.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import Outcome
from her2.engine.run import DoseChanges, Followed
from her2.errors import Her2Error, RecordError
from her2.model import Model
from her2.prognosis.courses import Line, Shelf, course_arrays, history_numbers, plan_option, sequence_way
from her2.prognosis.known import Known, known_of
from her2.prognosis.lanes import Chosen, Lane, choose_twins, follow_lanes, member_of
from her2.prognosis.predict import (
    DEFAULT,
    Effort,
    case_lines,
    count_twins,
    history_agents,
    posterior_models,
    run_of,
)
from her2.prognosis.progress import Share, Watch, portion, unwatched
from her2.prognosis.refusals import refusals
from her2.prognosis.regimens import Planned, named_regimen, plan_regimen
from her2.prognosis.result import (
    Finding,
    NotPredicted,
    Refusal,
    Sentence,
    SequenceCourse,
    SequenceResult,
)
from her2.prognosis.sentences import median_time, plain_name
from her2.prognosis.settings import setting
from her2.prognosis.twins import IncompatibleHistory, Twins, find_twins, make_members
from her2.prognosis.weights import Difference, difference_of, times_of, weighted_mean
from her2.sequencing.advice import Advice
from her2.sequencing.recommend import advise
from her2.sequencing.state import PatientState
from her2.units import DAYS_PER_MONTH, DAYS_PER_WEEK

Array = NDArray[np.float64]
OFFERED = 3
"""Options of the rules that are permuted where the user names none."""
MOST_SEQUENCES = 60
RULES, PERMUTATION = "rules", "permutation"


def compare_sequences(
    state: PatientState,
    *,
    depth: int = 2,
    regimens: Sequence[str] = (),
    uptake: Sequence[float] = (),
    models: Sequence[Model] | None = None,
    effort: Effort = DEFAULT,
    findings: Sequence[Finding] = (),
    on_progress: Watch = unwatched,
) -> SequenceResult:
    """Compare sequences of lines for one patient; the rules' own comes first and is the reference.

    Parameters
    ----------
    depth : lines of a sequence
    regimens : to permute; default the first options of the rules
    uptake : share of twins who receive each line after the first; default that of the trial engine
    models, effort, findings, on_progress : as in `predict_patient`

    Raises
    ------
    her2.errors.Her2Error
        A regimen with an unknown agent or one that cannot be given, a depth that the regimens cannot fill, or too
        many sequences.
    """
    if depth < 1:
        raise RecordError(f"depth {depth}: a sequence has at least one line")
    known, advice = known_of(state), advise(state)
    own_uptake = tuple(uptake) or tuple(setting(f"uptake_{min(k, 2)}") for k in range(1, depth))
    if any(not 0.0 <= u <= 1.0 for u in own_uptake) or len(own_uptake) < depth - 1:
        raise RecordError(
            f"uptake: expected {depth - 1} shares from 0 to 1, one for each line after the first"
        )
    reasons = refusals(state)
    if reasons:
        return _refused(advice, known, findings, reasons, effort, own_uptake)
    sequences, left = plan_sequences(state, advice, depth, regimens)
    if not sequences:
        why = Refusal(
            "no sequence to compare: the rules give no option that can be simulated; name some with --regimens",
            ("considering",),
        )
        return _refused(advice, known, findings, (why,), effort, own_uptake)
    members = tuple(models) if models is not None else posterior_models(effort.members)
    lines = case_lines(state)
    own = make_members(members, known, history_agents(lines))
    with ThreadPoolExecutor(max_workers=effort.threads) as pool:
        try:
            twins = find_twins(
                own, known, lines, draws=effort.draws, seed=effort.seed, pool=pool,
                on_progress=portion(on_progress, "twins", 0.0, 0.5),
            )  # fmt: skip
        except IncompatibleHistory as error:
            reason = Refusal(str(error), (error.item,))
            return _refused(advice, known, findings, (reason,), effort, own_uptake)
        courses, followed, digest = _follow(
            twins, known, lines, sequences, own_uptake, most=effort.twins, seed=effort.seed, pool=pool,
            on_progress=portion(on_progress, "sequences", 0.5, 1.0),
        )  # fmt: skip
    result = SequenceResult(
        advice=advice, findings=tuple(findings), known=known.facts, refusals=(), twins=count_twins(twins, followed),
        uptake=own_uptake[: depth - 1], sequences=courses, not_predicted=left, sentences=(),
        run=run_of(effort, len(members), digest),
    )  # fmt: skip
    return replace(result, sentences=tuple(sentence_of(c, courses[0]) for c in courses))


def plan_sequences(
    state: PatientState, advice: Advice, depth: int, regimens: Sequence[str]
) -> tuple[tuple[tuple[str, tuple[Planned, ...]], ...], tuple[NotPredicted, ...]]:
    """Sequences to compare, each with its origin; the rules' own first, then permutations, none twice.

    Raises
    ------
    her2.errors.RecordError
        A named regimen that cannot be given, fewer regimens than lines, or too many sequences.
    """
    left: list[NotPredicted] = []
    advised: list[Planned] = []
    for option in advice.options:
        if option.is_advice and not advice.refused:
            try:
                advised.append(plan_regimen(option.regimen, option.regimen))
            except Her2Error as error:
                text = str(error).removeprefix(f"{option.regimen}: ")
                left.append(NotPredicted(option.regimen, text, tuple(g.rule for g in option.grounds)))
    wanted = [plan_regimen(named_regimen(r), f"--regimens {r}") for r in regimens] or advised[:OFFERED]
    if len(wanted) < depth and regimens:
        raise RecordError(
            f"--regimens: {len(wanted)} regimens cannot fill {depth} lines; name more or lower --depth"
        )
    found: list[tuple[str, tuple[Planned, ...]]] = []
    if advised:
        later = [plan_regimen(x.regimen) for x in plan_option(advised[0], state).later]
        found.append((RULES, (advised[0], *later)[:depth]))
    for chosen in itertools.permutations(wanted, min(depth, len(wanted))):
        if all(tuple(p.name for p in chosen) != tuple(p.name for p in s) for _, s in found):
            found.append((PERMUTATION, chosen))
        if len(found) > MOST_SEQUENCES:
            raise RecordError(f"more than {MOST_SEQUENCES} sequences: lower --depth, or name fewer regimens")
    return tuple(found), tuple(left)


def _follow(
    twins: Twins,
    known: Known,
    lines: Sequence[Line],
    sequences: Sequence[tuple[str, tuple[Planned, ...]]],
    uptake: Sequence[float],
    *,
    most: int,
    seed: int,
    pool: Executor,
    on_progress: Share,
) -> tuple[tuple[SequenceCourse, ...], int, str]:
    """All sequences in the same twins."""
    shelf = Shelf()
    prior = history_numbers(shelf, lines)
    ways = [sequence_way(shelf, s, uptake) for _, s in sequences]
    chosen = choose_twins(twins, most, shelf.agents, seed)
    arrays = shelf.arrays(chosen[0].member.model)
    horizon = int(setting("horizon"))
    course = course_arrays(
        prior, ways, horizon_weeks=horizon,
        prior_limit_weeks=max((line.observed.weeks_needed() for line in lines), default=0),
        brain_entry=known.brain_entry,
    )  # fmt: skip

    def one(own: Chosen) -> list[Followed]:
        planned = DoseChanges.none(len(own.member.model.agents), own.n)
        lanes = [Lane(k, np.arange(own.n), own.cohort, planned) for k in range(len(ways))]
        return follow_lanes(own, lanes, arrays, course, seed)

    parts: list[list[Followed]] = []
    for seen_by_one in pool.map(one, chosen):
        parts.append(seen_by_one)
        on_progress(len(parts) / len(chosen))
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        for seen in part:
            digest.update(seen.digest().encode())
    weights = np.concatenate([c.weights for c in chosen])
    # whether a twin reaches the line is decided before it: the same in every sequence
    weights = np.where(np.concatenate([p[0].enrolled for p in parts]), weights, 0.0)
    member = member_of(np.concatenate([c.ids for c in chosen]))
    limit = horizon * DAYS_PER_WEEK
    alive = [np.concatenate([p[k][Outcome.DEATH] for p in parts]) for k in range(len(ways))]
    chemo = [
        np.concatenate([chemotherapy_days(p[k], s, len(lines), limit) for p in parts])
        for k, (_, s) in enumerate(sequences)
    ]
    courses = []
    for k, (origin, s) in enumerate(sequences):
        lived = np.minimum(alive[k], limit) / DAYS_PER_MONTH
        reference = np.minimum(alive[0], limit) / DAYS_PER_MONTH
        gain = difference_of(lived - reference, weights, member)
        spent = difference_of((chemo[k] - chemo[0]) / DAYS_PER_MONTH, weights, member)
        apart = np.where(np.abs(lived - reference) > 1e-9, weights, 0.0)
        better = weighted_mean((lived > reference).astype(np.float64), apart) if apart.sum() > 0.0 else 0.5
        courses.append(
            SequenceCourse(
                regimens=tuple(p.name for p in s),
                origin=origin,
                os=times_of(alive[k] / DAYS_PER_MONTH, weights, member),
                survival=weighted_mean(lived, weights),
                chemotherapy=weighted_mean(chemo[k] / DAYS_PER_MONTH, weights),
                difference=gain,
                chemotherapy_difference=spent,
                better=better,
                verdict="reference" if k == 0 else verdict(gain),
                ids=tuple(dict.fromkeys(i for p in s for i in p.ids)),
            )
        )  # fmt: skip
    return tuple(courses), int(weights.size), digest.hexdigest()


def chemotherapy_days(
    seen: Followed, sequence: Sequence[Planned], first_line: int, limit_days: float
) -> Array:
    """Days on chemotherapy from the start of the first line of a sequence: (twins,).

    Parameters
    ----------
    first_line : position of the first line of the sequence among all lines
    limit_days : end of follow-up
    """
    n = seen.patient.size
    end = np.minimum(seen[Outcome.DEATH], limit_days)
    starts = np.where(seen.line_starts >= 0.0, seen.line_starts, np.inf)
    total = np.zeros(n)
    for k, planned in enumerate(sequence):
        if not planned.is_chemotherapy:
            continue
        row = first_line + k
        begin = starts[row]
        given = np.isfinite(begin) & (seen.line_regimens[row] >= 0)
        following = starts[row + 1] if row + 1 < starts.shape[0] else np.full(n, np.inf)
        stop = np.minimum(np.minimum(following, end), begin + planned.chemotherapy_weeks() * DAYS_PER_WEEK)
        total += np.where(given, np.maximum(stop - np.where(given, begin, 0.0), 0.0), 0.0)
    return total


def verdict(gain: Difference) -> str:
    """Whether two sequences can be told apart, in words."""
    low, high = gain.interval_90
    same = setting("same_months")
    if low <= 0.0 <= high:
        return "cannot be told apart: the 90 % interval of the difference contains zero"
    if abs(gain.value) < same:
        return f"alike: the difference is below {same:g} month"
    return "longer survival predicted" if gain.value > 0.0 else "shorter survival predicted"


def sentence_of(course: SequenceCourse, reference: SequenceCourse) -> Sentence:
    """What is said of one sequence."""
    name = sequence_name(course.regimens)
    spent = f"{course.chemotherapy:.1f} months on chemotherapy on average"
    if course is reference:
        text = f"{name} is the reference: {median_time('alive', course.os.median)}, {spent}."
        return Sentence("sequence", text, course.ids)
    low, high = course.difference.interval_90
    return Sentence(
        "sequence",
        f"{name}: mean survival differs from the reference by {course.difference.value:+.1f} months (90 %: {low:+.1f} "
        f"to {high:+.1f}), {spent}: {course.verdict}.",
        course.ids,
    )


def sequence_name(regimens: Sequence[str]) -> str:
    """`a, then b + c`."""
    return ", then ".join(plain_name(r) for r in regimens)


def _refused(
    advice: Advice,
    known: Known,
    findings: Sequence[Finding],
    reasons: tuple[Refusal, ...],
    effort: Effort,
    uptake: tuple[float, ...],
) -> SequenceResult:
    said = tuple(Sentence("refusal", f"Nothing is compared: {r.says}.", r.items) for r in reasons)
    return SequenceResult(
        advice=advice, findings=tuple(findings), known=known.facts, refusals=reasons, twins=None, uptake=uptake,
        sequences=(), not_predicted=(), sentences=said, run=run_of(effort, 0, ""),
    )  # fmt: skip
