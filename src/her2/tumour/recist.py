"""RECIST 1.1: from diameters to responses, and from responses to best response, progression and PFS.

Three steps, each a pure function of the one before: diameters give the response at a visit (`response_code`,
`timepoint_response`), the visits of a patient give the endpoints (`best_overall_response`,
`progression_free_survival` and their kin), and `responses_of_cohort` does both for a whole cohort at once,
programmed a second time on arrays. Days count from baseline (randomisation); `inf` means "never". Left out:
tumour markers, merging and splitting lesions, and bone scans, which reach us as the status of non-targets.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
CodeArray = NDArray[np.int8]
Diameter = float | Literal["too_small"]

PARTIAL_FALL = 0.30  # of the baseline sum
PROGRESSION_RISE = 0.20  # of the nadir
PROGRESSION_RISE_MM = 5.0
NODE_NORMAL_MM = 10.0  # a short axis below this is no disease
NODE_TARGET_MM = 15.0
LESION_TARGET_MM = 10.0
TOO_SMALL_MM = 5.0  # entered for a lesion that is seen but cannot be measured
MAX_TARGETS = 5
MAX_TARGETS_PER_ORGAN = 2
ROUNDING_MM = 1e-9  # so that 36 mm is 20 % above 30 mm in binary, too


class Response(IntEnum):
    """Response at one visit, or the best of a course."""

    CR = 1
    PR = 2
    SD = 3
    PD = 4
    NE = 5  # not evaluable
    NON_CR_NON_PD = 6  # disease persists in a patient without target lesions


class CensorReason(IntEnum):
    """Why a PFS time is not an event; `NOT_CENSORED` covers progression and death alike."""

    NOT_CENSORED = 0
    CUT = 1
    MISSED_SCANS = 2
    NEW_THERAPY = 3
    LOST = 4
    NO_ASSESSMENT = 5


# plain integers, because compiled code reads these from `response_code`
_CR, _PR, _SD, _PD, _NE, _NON = (int(code) for code in Response)
_NO_TARGETS = "Patients without target lesions go through `lesion_responses`."
_NON_TARGET_STATES = (None, Response.CR, Response.NON_CR_NON_PD, Response.PD, Response.NE)


def response_code(
    sum_mm: Any,
    baseline_mm: Any,
    nadir_mm: Any,
    is_new_lesion: Any,
    is_non_target_progression: Any,
    is_target_gone: Any = False,
    is_non_target_present: Any = False,
) -> Any:
    """Overall response at one visit as an integer of `Response`, for numbers, arrays and compiled code alike.

    PD is a rise of 20 % and of 5 mm from the nadir, or a new lesion, or progression of non-targets; PR a fall
    of 30 % from baseline. Written without branches: every line overwrites the ones above, so the last rule
    that holds wins. Targets that are gone cannot progress by their sum, as nodes vary while below 10 mm.
    Knows nothing of earlier complete responses: the endpoints below do. Arguments are not checked.

    Parameters
    ----------
    sum_mm : any shape, mm
        Sum of target diameters (short axis for nodes); NaN if not all targets were measured, 0 if there are
        none.
    baseline_mm : broadcasts, mm
        Sum at baseline; 0 for a patient without target lesions.
    nadir_mm : broadcasts, mm
        Smallest sum before this visit, baseline included.
    is_new_lesion, is_non_target_progression : broadcasts
        Found at this visit; count even if the sum is NaN.
    is_target_gone : broadcasts
        Every non-node is 0 mm and every node under 10 mm, whatever the sum; a sum of 0 needs no flag.
    is_non_target_present : broadcasts
        Non-target disease persists or was not assessed, which turns CR into PR.

    Returns
    -------
    the broadcast shape, codes of `Response`

    Sources
    -------
    recist_1_1 : sections 4.3.1, 4.3.3 and 4.3.5; tables 1 and 2.
    """
    rise = sum_mm - nadir_mm
    is_risen = (rise >= PROGRESSION_RISE * nadir_mm - ROUNDING_MM) & (
        rise >= PROGRESSION_RISE_MM - ROUNDING_MM
    )
    is_partial = sum_mm <= (1.0 - PARTIAL_FALL) * baseline_mm + ROUNDING_MM
    is_gone = is_target_gone | (sum_mm <= 0.0)
    has_no_target = baseline_mm <= 0.0

    code = _SD + is_partial * (_PR - _SD)
    code = code + is_risen * (_PD - code)
    persisting = _PR + has_no_target * (_NON - _PR)
    code = code + is_gone * (_CR + is_non_target_present * (persisting - _CR) - code)
    code = code + (sum_mm != sum_mm) * (_NE - code)
    return code + (is_new_lesion | is_non_target_progression) * (_PD - code)


@dataclass(frozen=True)
class Lesion:
    """A target lesion as chosen at baseline.

    Attributes
    ----------
    baseline_mm : mm
        Longest diameter, or short axis of a node.
    is_node
        A lymph node: at least 15 mm to be a target, gone below 10 mm. All nodes count as one organ.
    organ
        Free text; two targets of the same organ are written alike.
    """

    baseline_mm: float
    is_node: bool = False
    organ: str = ""

    def __post_init__(self) -> None:
        least = NODE_TARGET_MM if self.is_node else LESION_TARGET_MM
        kind = "node (short axis)" if self.is_node else "lesion"
        if not least <= self.baseline_mm < math.inf:
            raise ValueError(
                f"target {kind}: {self.baseline_mm} mm at baseline; expected at least {least} mm. "
                "Follow a smaller one as a non-target."
            )


class Timepoint(NamedTuple):
    """Response at one visit, that of the targets alone (None without targets), and their sum in mm.

    The sum is NaN if not all targets were measured; such a visit does not set the nadir.
    """

    response: Response
    target: Response | None
    sum_mm: float


class Visit(NamedTuple):
    """One scan: day from baseline, and overall response as read."""

    day: float
    response: Response


def check_targets(lesions: Sequence[Lesion]) -> None:
    """Raise ValueError unless there are at most 5 targets, and at most 2 in one organ."""
    if len(lesions) > MAX_TARGETS:
        raise ValueError(f"{len(lesions)} target lesions; expected at most {MAX_TARGETS}.")
    organs = Counter("lymph node" if lesion.is_node else lesion.organ for lesion in lesions)
    for organ, n in organs.items():
        if n > MAX_TARGETS_PER_ORGAN:
            raise ValueError(
                f"{n} target lesions in '{organ}'; expected at most {MAX_TARGETS_PER_ORGAN} in one organ."
            )


def baseline_sum(lesions: Sequence[Lesion]) -> float:
    """Sum of the target diameters at baseline, mm; 0 without targets. Checks the choice of targets."""
    check_targets(lesions)
    return math.fsum(lesion.baseline_mm for lesion in lesions)


def timepoint_response(
    lesions: Sequence[Lesion],
    diameters_mm: Sequence[Diameter],
    nadir_mm: float,
    non_target: Response | None = None,
    is_new_lesion: bool = False,
    too_small_mm: float = TOO_SMALL_MM,
) -> Timepoint:
    """Overall response of one patient at one visit, from single lesions.

    If some targets were not measured, the visit is not evaluable, unless the measured ones alone already
    prove progression. For courses use `lesion_responses`, which carries the nadir along.

    Parameters
    ----------
    lesions : (lesions,)
        Targets; empty for a patient with non-target disease only.
    diameters_mm : (lesions,), mm
        In the order of `lesions`; 0 is gone, NaN not measured, "too_small" seen but not measurable.
    nadir_mm : mm
        Smallest complete sum so far, baseline included.
    non_target
        CR, NON_CR_NON_PD, PD (unequivocal) or NE; None for a patient without non-target disease.
    too_small_mm : mm
        Entered for "too_small".

    Raises
    ------
    ValueError
        For unequal lengths, negative or infinite diameters, more targets than allowed, or another code of
        non-targets.

    Sources
    -------
    recist_1_1 : tables 1 and 2; section 4.3.2 on targets too small to measure; section 4.4.2 on missing ones.
    """
    baseline = baseline_sum(lesions)
    if len(diameters_mm) != len(lesions):
        raise ValueError(
            f"{len(diameters_mm)} diameters for {len(lesions)} target lesions; expected one each."
        )
    if non_target not in _NON_TARGET_STATES:
        raise ValueError(f"non-target response {non_target!r}; expected CR, NON_CR_NON_PD, PD, NE or None.")
    if not lesions and non_target is None:
        raise ValueError("no target lesion and no non-target disease; expected at least one of them.")
    if not 0.0 <= nadir_mm < math.inf:
        raise ValueError(f"nadir of {nadir_mm} mm; expected a finite sum of at least 0 mm.")
    diameters = [too_small_mm if d == "too_small" else float(d) for d in diameters_mm]
    for d in diameters:
        if d < 0.0 or math.isinf(d):
            raise ValueError(f"diameter of {d} mm; expected at least 0 mm, or NaN if not measured.")

    measured = [(lesion, d) for lesion, d in zip(lesions, diameters, strict=True) if not math.isnan(d)]
    total = math.fsum(d for _, d in measured)
    is_complete = len(measured) == len(lesions)
    is_gone = is_complete and all(d < NODE_NORMAL_MM if le.is_node else d <= 0.0 for le, d in measured)
    target: Response | None = None
    if lesions:
        target = Response(response_code(total, baseline, nadir_mm, False, False, is_gone))
        if not is_complete and target is not Response.PD:
            target, total = Response.NE, math.nan
    elif non_target is Response.NE:
        total = math.nan  # without targets, nothing else is left to judge
    is_present = non_target in (Response.NON_CR_NON_PD, Response.NE)
    code = response_code(
        total, baseline, nadir_mm, is_new_lesion, non_target is Response.PD, is_gone, is_present
    )
    return Timepoint(Response(code), target, total if is_complete else math.nan)


def lesion_responses(
    lesions: Sequence[Lesion],
    days: Sequence[float],
    diameters_mm: Sequence[Sequence[Diameter]],
    non_target: Sequence[Response | None] | None = None,
    is_new_lesion: Sequence[bool] | None = None,
    too_small_mm: float = TOO_SMALL_MM,
) -> list[Visit]:
    """Visits of one patient from single lesions; the nadir is taken over visits with every target measured.

    Parameters
    ----------
    days : (visits,), days from baseline
    diameters_mm : (visits, lesions), mm
        As in `timepoint_response`.
    non_target, is_new_lesion : (visits,)
        As in `timepoint_response`; None if there never is any.
    """
    n = len(days)
    non_targets = [None] * n if non_target is None else list(non_target)
    new_lesions = [False] * n if is_new_lesion is None else list(is_new_lesion)
    _check_equal_lengths(n, diameters=diameters_mm, non_target=non_targets, is_new_lesion=new_lesions)
    nadir = baseline_sum(lesions)
    visits = []
    for day, diameters, others, is_new in zip(days, diameters_mm, non_targets, new_lesions, strict=True):
        point = timepoint_response(lesions, diameters, nadir, others, is_new, too_small_mm)
        visits.append(Visit(float(day), point.response))
        nadir = nadir if math.isnan(point.sum_mm) else min(nadir, point.sum_mm)
    check_visits(visits)
    return visits


def visit_responses(
    sums_mm: Sequence[float],
    days: Sequence[float],
    baseline_mm: float,
    new_lesion_day: float = math.inf,
    non_target_progression_day: float = math.inf,
    gone_below_mm: float = 0.0,
) -> list[Visit]:
    """Visits of one patient from sums of diameters, for when single lesions are not modelled.

    Parameters
    ----------
    sums_mm : (visits,), mm
        NaN if the scan was not done: it is then not evaluable and shows no new lesion either.
    days : (visits,), days from baseline
        Positive and rising.
    baseline_mm : mm
        Positive; for non-target disease only, use `lesion_responses`.
    new_lesion_day, non_target_progression_day : days
        Onset; seen at the first scan done on or after it.
    gone_below_mm : mm
        A sum below this counts as complete; 0 asks for a sum of 0.

    Raises
    ------
    ValueError
        For negative or infinite sums, no baseline, days that do not rise, unequal lengths, a negative onset.
    """
    _check_equal_lengths(len(days), sums=sums_mm)
    if not 0.0 < baseline_mm < math.inf:
        raise ValueError(f"baseline sum of {baseline_mm} mm; expected more than 0. {_NO_TARGETS}")
    _check_day("new_lesion_day", new_lesion_day)
    _check_day("non_target_progression_day", non_target_progression_day)
    nadir = baseline_mm
    visits = []
    for day, total in zip(days, sums_mm, strict=True):
        if math.isnan(total):
            visits.append(Visit(float(day), Response.NE))
            continue
        _check_sum(f"day {day}: sum", total)
        code = response_code(
            total,
            baseline_mm,
            nadir,
            day >= new_lesion_day,
            day >= non_target_progression_day,
            total < gone_below_mm,
        )
        visits.append(Visit(float(day), Response(code)))
        nadir = min(nadir, total)
    check_visits(visits)
    return visits


@dataclass(frozen=True)
class ResponseRules:
    """What the guideline leaves to the protocol.

    Attributes
    ----------
    max_not_evaluable
        Most visits without assessment between a response and its confirmation (PR-NE-PR).
    max_stable
        Most SD visits between PR and its confirmation (PR-SD-PR); never accepted for CR.
    is_relapse_progression
        Disease seen after CR is PD at that visit, even where the sum alone says PR or SD (table 3, footnote
        a). If False, responses stand as read, and CR followed by PR is a PR: the reading for doubtful or
        noisy CR.
    """

    max_not_evaluable: int = 1
    max_stable: int = 1
    is_relapse_progression: bool = True

    def __post_init__(self) -> None:
        if self.max_not_evaluable < 0 or self.max_stable < 0:
            raise ValueError(
                f"max_not_evaluable {self.max_not_evaluable}, max_stable {self.max_stable}; "
                "expected at least 0."
            )


PROTOCOL = ResponseRules()


class BestResponse(NamedTuple):
    """Best overall response: the one asked for, and both ways of counting."""

    best: Response
    confirmed: Response
    unconfirmed: Response


class TimeToEvent(NamedTuple):
    """Days, whether the event happened, and why not."""

    day: float
    is_event: bool
    reason: CensorReason


def check_visits(visits: Sequence[Visit]) -> None:
    """Raise ValueError unless days are positive, finite and strictly rising, and codes are of `Response`."""
    before = 0.0
    for day, response in visits:
        if not before < day < math.inf:
            raise ValueError(
                f"visit on day {day} after day {before}; expected positive, rising, finite days. "
                "Sort the visits, and leave baseline (day 0) out."
            )
        Response(response)
        before = day


def visits_until(visits: Sequence[Visit], day: float) -> list[Visit]:
    """The visits on or before `day`, such as the start of a new therapy or the data cut."""
    return [visit for visit in visits if visit.day <= day]


def best_overall_response(
    visits: Sequence[Visit],
    minimum_sd_days: float = 42.0,
    confirm: bool = True,
    confirm_days: float = 28.0,
    *,
    rules: ResponseRules = PROTOCOL,
) -> BestResponse:
    """Best response from baseline to progression, confirmed and unconfirmed.

    CR is confirmed by a CR, PR by a PR or CR, at least `confirm_days` later. A response that is not confirmed
    counts as SD if some visit without progression lies `minimum_sd_days` or more after baseline; otherwise PD
    if the course ends in progression, and NE if it does not. Visits after a new therapy are the caller's to
    remove (`visits_until`).

    Parameters
    ----------
    visits : (visits,)
        In order of time; those after the first progression are not read.
    minimum_sd_days : days from baseline
    confirm
        Which of the two is `best`: confirmation is asked for where response is the primary endpoint of a
        trial without a control arm.
    confirm_days : days

    Sources
    -------
    recist_1_1 : table 3 and sections 4.4.3 and 4.6.
    """
    _check_limits(minimum_sd_days=minimum_sd_days, confirm_days=confirm_days)
    course = _until_progression(visits, rules)
    codes = [visit.response for visit in course]
    if any(v.day >= minimum_sd_days and v.response not in (_PD, _NE) for v in course):
        otherwise = Response.NON_CR_NON_PD if _NON in codes else Response.SD
    else:
        otherwise = Response.PD if _PD in codes else Response.NE

    confirmed = unconfirmed = otherwise
    if _confirmed_day(course, (_CR,), confirm_days, rules) < math.inf:
        confirmed = Response.CR
    elif _confirmed_day(course, (_CR, _PR), confirm_days, rules) < math.inf:
        confirmed = Response.PR
    if _CR in codes:
        unconfirmed = Response.CR
    elif _PR in codes:
        unconfirmed = Response.PR
    return BestResponse(confirmed if confirm else unconfirmed, confirmed, unconfirmed)


def progression_time(visits: Sequence[Visit], *, rules: ResponseRules = PROTOCOL) -> float:
    """Day of the scan that first shows progression; inf if none does."""
    course = _until_progression(visits, rules)
    return course[-1].day if course and course[-1].response == _PD else math.inf


def time_to_response(
    visits: Sequence[Visit],
    confirm: bool = True,
    confirm_days: float = 28.0,
    *,
    rules: ResponseRules = PROTOCOL,
) -> float:
    """Day of the first CR or PR (of the one that is later confirmed, if `confirm`); inf without response."""
    _check_limits(confirm_days=confirm_days)
    course = _until_progression(visits, rules)
    if confirm:
        return _confirmed_day(course, (_CR, _PR), confirm_days, rules)
    return next((v.day for v in course if v.response in (_CR, _PR)), math.inf)


def clinical_benefit(
    visits: Sequence[Visit],
    minimum_days: float = 168.0,
    confirm: bool = True,
    confirm_days: float = 28.0,
    *,
    rules: ResponseRules = PROTOCOL,
) -> bool:
    """Whether the patient had CR, PR, or disease control of 24 weeks or more.

    Control lasts if a scan on or after `minimum_days` shows no progression and none before did; a scan
    planned for that day and done a few days early does not count, so subtract the visit window if the
    protocol allows it.
    """
    _check_limits(minimum_days=minimum_days)
    if time_to_response(visits, confirm, confirm_days, rules=rules) < math.inf:
        return True
    course = _until_progression(visits, rules)
    return any(v.day >= minimum_days and v.response not in (_PD, _NE) for v in course)


def progression_free_survival(
    visits: Sequence[Visit],
    death_day: float = math.inf,
    last_follow_up_day: float = math.inf,
    new_therapy_day: float = math.inf,
    missed_scan_rule: int = 2,
    *,
    scan_interval_days: float,
    scan_window_days: float = 7.0,
    cut_day: float = math.inf,
    rules: ResponseRules = PROTOCOL,
) -> TimeToEvent:
    """Time from baseline to the scan that shows progression, or to death, whichever is first.

    Every censored time is the last scan without progression (day 0 if none): no scan after it, no knowledge.
    The order of the rules: new therapy before the event; too many missed scans right before the event; event;
    then the reason why there is none. Times are not shifted by one day.

    Parameters
    ----------
    visits : (visits,)
        Scans in order of time; NE scans are as good as missed.
    death_day : days
    last_follow_up_day : days
        When the patient left the study; inf for one followed to the cut. Nothing after it is seen, deaths
        included.
    new_therapy_day : days
        Censors a later event (hypothetical strategy); inf for treatment policy. An event on the same day
        counts.
    missed_scan_rule
        An event after at least this many missed scans is censored; 0 switches the rule off.
    scan_interval_days, scan_window_days : days
        The k-th scan after the last good one is missed once k intervals and a window have passed.
    cut_day : days
        Data cut on the patient's own clock; nothing after it is seen.

    Raises
    ------
    ValueError
        For visits out of order or after death, negative or NaN days, or an interval that is not positive.

    Sources
    -------
    recist_1_1 : section 4.4.2 on missing assessments; the censoring follows common statistical analysis
    plans.
    """
    _check_scans(missed_scan_rule, scan_interval_days, scan_window_days)
    for name, day in (("death_day", death_day), ("last_follow_up_day", last_follow_up_day)):
        _check_day(name, day)
    for name, day in (("new_therapy_day", new_therapy_day), ("cut_day", cut_day)):
        _check_day(name, day)
    if visits and visits[-1].day > death_day:
        raise ValueError(f"visit on day {visits[-1].day} after death on day {death_day}; expected none.")

    end = min(last_follow_up_day, cut_day)
    course = visits_until(_until_progression(visits, rules), end)
    progression = progression_time(course, rules=rules)
    event = min(progression, death_day if death_day <= end else math.inf)
    therapy = new_therapy_day if new_therapy_day <= end else math.inf
    good_days = [v.day for v in course if v.response not in (_PD, _NE)]

    if math.isinf(event) and not good_days:
        return TimeToEvent(0.0, False, CensorReason.NO_ASSESSMENT)
    if therapy < event:
        last = max((day for day in good_days if day <= therapy), default=0.0)
        return TimeToEvent(last, False, CensorReason.NEW_THERAPY)
    last = max(good_days, default=0.0)
    if math.isinf(event):
        is_lost = last_follow_up_day < cut_day
        return TimeToEvent(last, False, CensorReason.LOST if is_lost else CensorReason.CUT)
    if missed_scan_rule > 0 and last + missed_scan_rule * scan_interval_days + scan_window_days < event:
        return TimeToEvent(last, False, CensorReason.MISSED_SCANS)
    return TimeToEvent(event, True, CensorReason.NOT_CENSORED)


def duration_of_response(
    visits: Sequence[Visit],
    death_day: float = math.inf,
    last_follow_up_day: float = math.inf,
    new_therapy_day: float = math.inf,
    missed_scan_rule: int = 2,
    *,
    scan_interval_days: float,
    scan_window_days: float = 7.0,
    cut_day: float = math.inf,
    confirm: bool = True,
    confirm_days: float = 28.0,
    rules: ResponseRules = PROTOCOL,
) -> TimeToEvent | None:
    """Days from the first response to progression or death, censored as PFS is; None without response.

    Arguments as in `progression_free_survival` and `best_overall_response`; visits after a new therapy, loss
    or cut neither make nor confirm a response.
    """
    pfs = progression_free_survival(
        visits,
        death_day,
        last_follow_up_day,
        new_therapy_day,
        missed_scan_rule,
        scan_interval_days=scan_interval_days,
        scan_window_days=scan_window_days,
        cut_day=cut_day,
        rules=rules,
    )
    seen = visits_until(visits, min(last_follow_up_day, cut_day, new_therapy_day))
    start = time_to_response(seen, confirm, confirm_days, rules=rules)
    return None if math.isinf(start) else TimeToEvent(pfs.day - start, pfs.is_event, pfs.reason)


def _until_progression(visits: Sequence[Visit], rules: ResponseRules) -> list[Visit]:
    """Visits up to the first progression, relapse after CR read as the rules say."""
    check_visits(visits)
    course = []
    had_complete = False
    for day, response in visits:
        is_relapse = had_complete and rules.is_relapse_progression and response in (_PR, _SD, _NON)
        course.append(Visit(day, Response.PD if is_relapse else Response(response)))
        if course[-1].response == _PD:
            break
        had_complete = had_complete or response == _CR
    return course


def _confirmed_day(
    course: Sequence[Visit], wanted: tuple[int, ...], confirm_days: float, rules: ResponseRules
) -> float:
    """Day of the first visit among `wanted` that another of them confirms; inf if there is none."""
    for i, first in enumerate(course):
        if first.response not in wanted:
            continue
        n_not_evaluable = n_stable = 0
        for later in course[i + 1 :]:
            if later.response in wanted:
                if later.day - first.day >= confirm_days:
                    return first.day
            elif later.response == _NE:
                n_not_evaluable += 1
            elif later.response == _SD and _PR in wanted:
                n_stable += 1
            else:
                break
            if n_not_evaluable > rules.max_not_evaluable or n_stable > rules.max_stable:
                break
    return math.inf


@dataclass(frozen=True)
class CohortResponses:
    """Responses and endpoints of a cohort; days are inf where nothing happened.

    Attributes
    ----------
    codes : (patients, visits), codes of `Response`
        As read; NE where the scan was not done or came after death, loss or cut.
    best_confirmed, best_unconfirmed : (patients,), codes of `Response`
    response_day, unconfirmed_response_day : (patients,), days
        First visit of the response, confirmed or not.
    has_benefit : (patients,)
        As `clinical_benefit`, by confirmed response.
    progression_day : (patients,), days
        Scan that first shows progression, whether or not it makes a PFS event.
    pfs_day, pfs_event, pfs_reason : (patients,), days, bool, codes of `CensorReason`
    """

    codes: CodeArray
    best_confirmed: CodeArray
    best_unconfirmed: CodeArray
    response_day: FloatArray
    unconfirmed_response_day: FloatArray
    has_benefit: BoolArray
    progression_day: FloatArray
    pfs_day: FloatArray
    pfs_event: BoolArray
    pfs_reason: CodeArray


def responses_of_cohort(
    sums_mm: ArrayLike,
    visit_days: ArrayLike,
    baseline_mm: ArrayLike,
    new_lesion_day: ArrayLike = math.inf,
    death_day: ArrayLike = math.inf,
    last_follow_up_day: ArrayLike = math.inf,
    new_therapy_day: ArrayLike = math.inf,
    missed_scan_rule: int = 2,
    *,
    scan_interval_days: float,
    scan_window_days: float = 7.0,
    cut_day: ArrayLike = math.inf,
    non_target_progression_day: ArrayLike = math.inf,
    is_target_gone: ArrayLike | None = None,
    gone_below_mm: float = 0.0,
    minimum_sd_days: float = 42.0,
    confirm_days: float = 28.0,
    benefit_days: float = 168.0,
    rules: ResponseRules = PROTOCOL,
) -> CohortResponses:
    """All responses and endpoints of a cohort, equal to the functions for one patient, on arrays.

    Other than these it does not refuse scans after death: a simulation may go on, so they are not read. Scans
    after a new therapy count for nothing but `progression_day`.

    Parameters
    ----------
    sums_mm : (patients, visits), mm
        NaN if the scan was not done; it then shows no new lesion either.
    visit_days : (visits,) or (patients, visits), days from baseline
    baseline_mm : (patients,) or one, mm
    new_lesion_day, non_target_progression_day : (patients,) or one, days
        Onset; seen at the first scan done on or after it.
    death_day, last_follow_up_day, new_therapy_day, cut_day : (patients,) or one, days
        As in `progression_free_survival`.
    is_target_gone : (patients, visits)
        Where nodal targets are modelled: all targets gone at a sum above 0. Joined with `gone_below_mm`.
    gone_below_mm : mm
        A sum below this counts as complete; 0 asks for a sum of 0.

    Raises
    ------
    ValueError
        For negative sums or days, days that do not rise, or shapes that do not fit.
    """
    _check_scans(missed_scan_rule, scan_interval_days, scan_window_days)
    _check_limits(minimum_sd_days=minimum_sd_days, confirm_days=confirm_days, benefit_days=benefit_days)
    sums = np.asarray(sums_mm, dtype=np.float64)
    if sums.ndim != 2:
        raise ValueError(f"sums of shape {sums.shape}; expected (patients, visits).")
    n_patients, n_visits = sums.shape
    days = _broadcast("visit_days", visit_days, (n_patients, n_visits))
    baseline = _broadcast("baseline_mm", baseline_mm, (n_patients,))
    death, lost, therapy, cut, new_lesion, non_target = (
        _days(name, values, n_patients)
        for name, values in (
            ("death_day", death_day),
            ("last_follow_up_day", last_follow_up_day),
            ("new_therapy_day", new_therapy_day),
            ("cut_day", cut_day),
            ("new_lesion_day", new_lesion_day),
            ("non_target_progression_day", non_target_progression_day),
        )
    )
    _check_cohort(sums, days, baseline)

    end = np.minimum(lost, cut)
    is_seen = ~np.isnan(sums) & (days <= np.minimum(end, death)[:, None])
    seen = np.where(is_seen, sums, np.nan)
    before = np.concatenate([baseline[:, None], seen], axis=1)[:, :n_visits]
    gone = seen < gone_below_mm
    if is_target_gone is not None:
        flags = np.asarray(is_target_gone, dtype=np.bool_)
        if flags.shape != sums.shape:
            raise ValueError(f"is_target_gone of shape {flags.shape}; expected {sums.shape}, as the sums.")
        gone = gone | flags
    codes = np.asarray(
        response_code(
            seen,
            baseline[:, None],
            np.fmin.accumulate(before, axis=1),
            is_seen & (days >= new_lesion[:, None]),
            is_seen & (days >= non_target[:, None]),
            gone,
        ),
        dtype=np.int8,
    )

    ruled = _with_relapses(codes, rules)
    is_progression = ruled == _PD
    progression = _first_day(is_progression, days)
    # what counts for response: before progression and before a new therapy
    counted = days <= therapy[:, None]
    course = np.where(counted & (days < progression[:, None]), ruled, _NE).astype(np.int8)
    is_good = course != _NE

    complete_day = _confirmed_days(course, days, (_CR,), confirm_days, rules)
    response_day = _confirmed_days(course, days, (_CR, _PR), confirm_days, rules)
    is_response = (course == _CR) | (course == _PR)
    is_stable = np.any(is_good & (days >= minimum_sd_days), axis=1)
    # the scan of the progression counts as well, if it came before the new therapy
    otherwise = np.where(
        progression <= np.where(np.isinf(therapy), np.finfo(np.float64).max, therapy), _PD, _NE
    )
    otherwise = np.where(is_stable, _SD, otherwise)
    confirmed = np.where(complete_day < np.inf, _CR, np.where(response_day < np.inf, _PR, otherwise))
    unconfirmed = np.where(np.any(is_response, axis=1), _PR, otherwise)
    unconfirmed = np.where(np.any(course == _CR, axis=1), _CR, unconfirmed)
    benefit = (response_day < np.inf) | np.any(is_good & (days >= benefit_days), axis=1)

    # scans after a new therapy still tell that the patient was assessed
    is_assessed = np.any((ruled != _NE) & (days < progression[:, None]), axis=1)
    last_before_therapy = np.max(np.where(is_good, days, 0.0), axis=1, initial=0.0)
    event_day = np.minimum(progression, np.where(death <= end, death, np.inf))
    is_off = (therapy <= end) & (therapy < event_day)
    overdue = last_before_therapy + missed_scan_rule * scan_interval_days + scan_window_days
    is_missed = (event_day < np.inf) & (overdue < event_day) & (missed_scan_rule > 0)
    reason = np.where(lost < cut, int(CensorReason.LOST), int(CensorReason.CUT))
    reason = np.where(event_day < np.inf, int(CensorReason.NOT_CENSORED), reason)
    reason = np.where(is_missed, int(CensorReason.MISSED_SCANS), reason)
    reason = np.where(is_off, int(CensorReason.NEW_THERAPY), reason)
    reason = np.where(np.isinf(event_day) & ~is_assessed, int(CensorReason.NO_ASSESSMENT), reason)
    is_event = reason == int(CensorReason.NOT_CENSORED)
    return CohortResponses(
        codes=codes,
        best_confirmed=confirmed.astype(np.int8),
        best_unconfirmed=unconfirmed.astype(np.int8),
        response_day=response_day,
        unconfirmed_response_day=_first_day(is_response, days),
        has_benefit=benefit,
        progression_day=progression,
        pfs_day=np.where(is_event, event_day, last_before_therapy),
        pfs_event=is_event,
        pfs_reason=reason.astype(np.int8),
    )


def _with_relapses(codes: CodeArray, rules: ResponseRules) -> CodeArray:
    """(patients, visits): disease after CR turned into PD, if the rules say so."""
    if not rules.is_relapse_progression:
        return codes
    had_complete = np.zeros(codes.shape, dtype=np.bool_)
    had_complete[:, 1:] = np.logical_or.accumulate(codes == _CR, axis=1)[:, :-1]
    is_disease = (codes == _PR) | (codes == _SD)
    return np.where(had_complete & is_disease, _PD, codes).astype(np.int8)


def _confirmed_days(
    course: CodeArray, days: FloatArray, wanted: tuple[int, ...], confirm_days: float, rules: ResponseRules
) -> FloatArray:
    """(patients,): day of the first visit among `wanted` that another of them confirms; inf if none."""
    is_wanted = np.isin(course, wanted)
    is_stable = (course == _SD) & (_PR in wanted)
    is_missing = course == _NE
    n_missing = np.cumsum(is_missing, axis=1)
    n_stable = np.cumsum(is_stable, axis=1)
    n_broken = np.cumsum(~(is_wanted | is_stable | is_missing), axis=1)
    result = np.full(course.shape[0], np.inf)
    for i in range(course.shape[1] - 2, -1, -1):
        others = slice(i + 1, None)
        is_confirmed = (
            is_wanted[:, others]
            & (days[:, others] - days[:, [i]] >= confirm_days)
            & (n_missing[:, others] - n_missing[:, [i]] <= rules.max_not_evaluable)
            & (n_stable[:, others] - n_stable[:, [i]] <= rules.max_stable)
            & (n_broken[:, others] == n_broken[:, [i]])
        )
        result = np.where(is_wanted[:, i] & np.any(is_confirmed, axis=1), days[:, i], result)
    return result


def _first_day(is_true: BoolArray, days: FloatArray) -> FloatArray:
    """(patients,): day of the first visit where `is_true`; inf if there is none."""
    return np.asarray(np.min(np.where(is_true, days, np.inf), axis=1, initial=np.inf), dtype=np.float64)


def _broadcast(name: str, values: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """`values` in the full shape, or an error that names them."""
    array = np.asarray(values, dtype=np.float64)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} of shape {array.shape}; expected {shape}, as the sums have it.") from None


def _days(name: str, values: ArrayLike, n_patients: int) -> FloatArray:
    """(patients,): days that are not negative; inf is allowed."""
    days = _broadcast(name, values, (n_patients,))
    if not np.all(days >= 0.0):
        raise ValueError(f"{name}: {days[~(days >= 0.0)][0]}; expected at least 0, or inf for never.")
    return days


def _check_cohort(sums: FloatArray, days: FloatArray, baseline: FloatArray) -> None:
    """Sums at least 0 or NaN, baseline positive, days positive and rising."""
    if np.any(sums < 0.0) or np.any(np.isinf(sums)):
        patient, visit = np.argwhere((sums < 0.0) | np.isinf(sums))[0]
        raise ValueError(
            f"patient {patient}, visit {visit}: sum of {sums[patient, visit]} mm; "
            "expected at least 0 mm, or NaN if the scan was not done."
        )
    if not np.all((baseline > 0.0) & (baseline < np.inf)):
        wrong = baseline[~((baseline > 0.0) & (baseline < np.inf))][0]
        raise ValueError(f"baseline sum of {wrong} mm; expected more than 0. {_NO_TARGETS}")
    gaps = np.diff(days, axis=1, prepend=0.0)
    if not np.all((gaps > 0.0) & np.isfinite(gaps)):
        patient, visit = np.argwhere(~((gaps > 0.0) & np.isfinite(gaps)))[0]
        raise ValueError(
            f"patient {patient}, visit {visit}: day {days[patient, visit]}; expected positive, rising, "
            "finite days. Sort the visits, and leave baseline (day 0) out."
        )


def _check_equal_lengths(n_days: int, **columns: Sequence[Any]) -> None:
    for name, column in columns.items():
        if len(column) != n_days:
            raise ValueError(f"{name}: {len(column)} entries for {n_days} visit days; expected one each.")


def _check_sum(place: str, total: float) -> None:
    if not 0.0 <= total < math.inf:
        raise ValueError(f"{place} of {total} mm; expected a finite sum of at least 0 mm.")


def _check_day(name: str, day: float) -> None:
    if not day >= 0.0:
        raise ValueError(f"{name}: {day}; expected at least 0, or inf for never.")


def _check_limits(**limits: float) -> None:
    for name, days in limits.items():
        if not 0.0 <= days < math.inf:
            raise ValueError(f"{name}: {days}; expected a finite number of days, at least 0.")


def _check_scans(missed_scan_rule: int, scan_interval_days: float, scan_window_days: float) -> None:
    if missed_scan_rule < 0:
        raise ValueError(f"missed_scan_rule: {missed_scan_rule}; expected at least 1, or 0 for no such rule.")
    if not 0.0 < scan_interval_days < math.inf:
        raise ValueError(f"scan_interval_days: {scan_interval_days}; expected a positive number of days.")
    _check_limits(scan_window_days=scan_window_days)
