"""ADaM-shaped tables of one simulated trial: ADSL, ADTR, ADRS and ADTTE, with the labels of their columns.

Names follow CDISC ADaM, so that a biostatistician's programs read them; the tables are not compliant with
the standard and say "ADaM-shaped". Days count from randomisation, which is day 0. A patient has the arm it
was randomised to, and nothing after progression, death, loss of contact or the data cut is in the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import FIRST_FAILURE, Attribute, Outcome, Status
from her2.evidence.load import canonical_values
from her2.trials.analyse import TrialData
from her2.trials.cut import DEATH, PROGRESSION, REASONS
from her2.trials.endpoints import CLINICAL_BENEFIT_DAYS, member
from her2.trials.follow import Pool
from her2.tumour.recist import CohortResponses, Response, ResponseRules, responses_of_cohort

if TYPE_CHECKING:
    import polars as pl

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

CONFIRM_DAYS = 28.0
# the engine confirms a response by any later one, and has sums below its floor at 0 already
_ENGINE_RULES = ResponseRules(max_not_evaluable=10**6, max_stable=10**6, is_relapse_progression=False)
_ENDPOINT_NAMES = {
    "PFS": "Progression-free survival",
    "TTP": "Time to progression",
    "OS": "Overall survival",
    "DFS": "Disease-free survival",
    "TTCNS": "Time to CNS metastases",
    "DOR": "Duration of confirmed response",
}
_PARAMETERS = {"pfs": "PFS", "ttp": "TTP", "os": "OS", "dfs": "DFS", "time_to_cns": "TTCNS"}
_RESPONSE_PARAMETERS = {
    "OVR": "Overall response by visit",
    "BOR": "Best overall response",
    "CBOR": "Confirmed best overall response",
    "CRSP": "Confirmed objective response",
    "CBRESP": "Clinical benefit: confirmed response, or 24 weeks without progression",
    "DCR": "Disease control: confirmed response or stable disease",
}


@dataclass(frozen=True)
class _Course:
    """The patients of the trial on their arm, with all that is known at the cut of tumour endpoints.

    Attributes
    ----------
    known : (patients,), day until which tumour and survival are known
    days : (visits,), day of each planned scan
    sums : (patients, visits), mm; NaN where no scan was done or is known
    cns : (patients,), day of a CNS progression that is known, inf if none
    """

    outcomes: Array
    known: Array
    days: Array
    sums: Array
    baseline: Array
    cns: Array
    responses: CohortResponses


def adam_tables(pool: Pool, data: TrialData) -> dict[str, pl.DataFrame]:
    """Tables of one randomised trial, by name, and `variables` with the label and unit of every column.

    Tumour data are cut when PFS is (`Trial.cut_of`), survival when OS is.

    Parameters
    ----------
    pool : twins the trial was drawn from
    data : the trial, from `trials.analyse.observe_arms` on that pool

    Returns
    -------
    `ADSL` one row per patient; `ADTR` one per patient and scan; `ADRS` one per patient and scan (OVR), and
    one per patient and endpoint; `ADTTE` one per patient and endpoint, DOR for responders only;
    `variables`.
    """
    course = _follow_course(pool, data)
    subject = _subject_columns(pool, data)
    tables = {
        "ADSL": _subject_table(pool, data, course, subject),
        "ADTR": _tumour_table(course, subject),
        "ADRS": _response_table(course, subject),
        "ADTTE": _time_table(data, course, subject),
    }
    tables["variables"] = _variable_table(pool, tables)
    return tables


def best_changes(tables: dict[str, pl.DataFrame]) -> list[tuple[str, Array, list[str]]]:
    """What a waterfall shows, arm by arm: label, best change (fraction), confirmed best response.

    The best change is NaN for a patient without a scan after baseline.
    """
    import polars as pl

    best = (
        tables["ADTR"]
        .filter(pl.col("AVISITN") > 0)
        .group_by("USUBJID")
        .agg((pl.col("PCHG").min() / 100).alias("BEST"))
    )
    response = tables["ADRS"].filter(pl.col("PARAMCD") == "CBOR").select("USUBJID", "AVALC")
    joined = (
        tables["ADSL"]
        .select("USUBJID", "TRT01P", "TRT01PN")
        .join(best, on="USUBJID", how="left", maintain_order="left")
        .join(response, on="USUBJID", how="left", maintain_order="left")
    )
    arms = []
    for number in sorted(joined["TRT01PN"].unique().to_list()):
        part = joined.filter(pl.col("TRT01PN") == number)
        change = part["BEST"].fill_null(float("nan")).to_numpy().astype(np.float64)
        arms.append((str(part["TRT01P"][0]), change, [str(r) for r in part["AVALC"].to_list()]))
    return arms


def _follow_course(pool: Pool, data: TrialData) -> _Course:
    """Pick each patient's own arm and blank what is not known at the data cut."""
    trial = pool.plan.trial
    arm, position = data.arm, data.patient
    outcomes = np.stack([f.outcomes for f in pool.arms])[arm, :, position].T
    sums = np.stack([f.sums for f in pool.arms])[arm, :, position]
    known = np.minimum(np.maximum(trial.cut_of("pfs") - data.enrol_day, 0.0), data.lost_day)
    days = trial.scans.every * np.arange(1, sums.shape[1] + 1)
    has_failed = outcomes[Outcome.STATUS] >= FIRST_FAILURE
    end = np.minimum(known, outcomes[Outcome.DEATH])
    is_known = (days <= end[:, None]) & ~has_failed[:, None]
    sums = np.where(is_known, sums, np.nan)
    baseline = outcomes[Outcome.BASELINE_SUM]
    cns = np.where(outcomes[Outcome.CNS_FIRST] > 0.5, outcomes[Outcome.CNS_PROGRESSION], np.inf)
    cns = np.where((cns <= end) & ~has_failed, cns, np.inf)
    # scans nobody had are not visits
    n_visits = int(np.max(np.nonzero(np.any(np.isfinite(sums), axis=0))[0], initial=-1)) + 1
    sums, days = sums[:, :n_visits], days[:n_visits]
    responses = responses_of_cohort(
        sums,
        days,
        np.where(np.isfinite(baseline), baseline, 1.0),
        new_lesion_day=_never(outcomes[Outcome.NEW_LESION]),
        death_day=_never(outcomes[Outcome.DEATH]),
        scan_interval_days=trial.scans.every,
        confirm_days=CONFIRM_DAYS,
        benefit_days=CLINICAL_BENEFIT_DAYS,
        # the engine reads what is too small to measure as the floor: at the floor the targets are gone
        gone_below_mm=np.nextafter(canonical_values()["observation.measurable_floor"], np.inf),
        rules=_ENGINE_RULES,
    )
    return _Course(outcomes, known, days, sums, baseline, cns, responses)


def _never(day: Array) -> Array:
    """Days with inf in the place of NaN, which a failed patient may have."""
    return np.where(np.isnan(day), np.inf, day)


def _subject_columns(pool: Pool, data: TrialData) -> dict[str, NDArray[Any]]:
    """The columns every table starts with."""
    trial = pool.plan.trial
    study = trial.id.upper()
    ids = pool.arms[0].patient[data.patient]
    labels = np.array([a.label for a in trial.arms], dtype=object)
    codes = np.array([a.id for a in trial.arms], dtype=object)
    return {
        "STUDYID": np.full(data.arm.size, study, dtype=object),
        "USUBJID": np.array([f"{study}-{k:07d}" for k in ids], dtype=object),
        "ARM": labels[data.arm],
        "ARMCD": codes[data.arm],
        "TRT01P": labels[data.arm],
        "TRT01PN": data.arm + 1,
    }


def _yes(flags: Flags) -> NDArray[Any]:
    return np.where(flags, "Y", "N").astype(object)


def _subject_table(
    pool: Pool, data: TrialData, course: _Course, subject: dict[str, NDArray[Any]]
) -> pl.DataFrame:
    """ADSL: one row per patient, with arm, flags, strata, baseline and end of follow-up."""
    import polars as pl

    trial = pool.plan.trial
    x = pool.cohort.attributes[:, data.patient]
    n = data.arm.size
    status = course.outcomes[Outcome.STATUS].astype(np.int64)
    known = np.minimum(np.maximum(trial.cut_of("os") - data.enrol_day, 0.0), data.lost_day)
    death = course.outcomes[Outcome.DEATH]
    died = death <= known
    everyone = _yes(np.ones(n, dtype=bool))
    columns: dict[str, NDArray[Any]] = {
        **subject,
        "TRT01A": subject["TRT01P"],
        "AGE": x[Attribute.AGE],
        "AGEU": np.full(n, "YEARS", dtype=object),
        "SEX": np.full(n, "F", dtype=object),
        "RANDDY": data.enrol_day,
        **{f"STRATA{k}": _yes(member(x, name)) for k, name in enumerate(trial.randomisation.strata, start=1)},
        "ITTFL": everyone,
        "SAFFL": everyone,
        "ECOGBL": x[Attribute.ECOG].astype(np.int64),
        "HRSTAT": np.where(member(x, "er_positive"), "POSITIVE", "NEGATIVE").astype(object),
        "VISCFL": _yes(member(x, "visceral")),
        "LIVERFL": _yes(member(x, "liver")),
        "PRADJTFL": _yes(member(x, "adjuvant_trastuzumab")),
        "PRADJCFL": _yes(member(x, "adjuvant_chemotherapy")),
        "PIK3CAFL": _yes(member(x, "pik3ca_mutant")),
        "PTENLOFL": _yes(member(x, "pten_low")),
        "P95FL": _yes(member(x, "p95_positive")),
        "CCNE1FL": _yes(member(x, "cyclin_e_amplified")),
        "HER2BL": x[Attribute.HER2],
        "HER3BL": x[Attribute.HER3],
        "EGFRBL": x[Attribute.EGFR],
        "WEIGHTBL": x[Attribute.WEIGHT],
        "BSABL": x[Attribute.BSA],
        "SUMDBL": course.baseline,
        "LINEN": (pool.arms[0].line_starts[:, data.patient] < 0.0).sum(axis=0) + 1,
        "CUTDY": np.maximum(trial.cut_of("pfs") - data.enrol_day, 0.0),
        "OSCUTDY": np.maximum(trial.cut_of("os") - data.enrol_day, 0.0),
        "DTHFL": _yes(died),
        "DTHDY": np.where(died, death, np.nan),
        "LSTALVDY": np.where(died, death, known),
        "SIMSTAT": np.array([Status(s).name for s in status], dtype=object),
        "SIMFL": _yes(status < FIRST_FAILURE),
    }
    return pl.DataFrame({k: _series(k, v) for k, v in columns.items()})


def _tumour_table(course: _Course, subject: dict[str, NDArray[Any]]) -> pl.DataFrame:
    """ADTR: the sum of diameters at baseline and at every scan until progression."""
    import polars as pl

    value = np.concatenate([course.baseline[:, None], course.sums], axis=1)
    # smallest sum before each visit, baseline included
    lowest = np.fmin.accumulate(value, axis=1)
    nadir = np.concatenate([value[:, :1], lowest[:, :-1]], axis=1)
    patient, visit = np.nonzero(np.isfinite(value))
    aval, base, low = value[patient, visit], course.baseline[patient], nadir[patient, visit]
    is_baseline = visit == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        from_nadir = np.where(is_baseline | (low <= 0.0), np.nan, 100.0 * (aval / low - 1.0))
        percent = np.where(is_baseline, np.nan, 100.0 * (aval / base - 1.0))
    days = np.concatenate([[0.0], course.days])
    columns: dict[str, NDArray[Any]] = {
        **{k: v[patient] for k, v in subject.items()},
        "PARAMCD": np.full(patient.size, "SUMDIAM", dtype=object),
        "PARAM": np.full(patient.size, "Sum of diameters of target lesions", dtype=object),
        "AVAL": aval,
        "AVALU": np.full(patient.size, "mm", dtype=object),
        "ADY": days[visit],
        "AVISIT": _visit_names(days)[visit],
        "AVISITN": visit,
        "ABLFL": _yes(is_baseline),
        "BASE": base,
        "CHG": np.where(is_baseline, np.nan, aval - base),
        "PCHG": percent,
        "NADIR": np.where(is_baseline, np.nan, low),
        "CHGNAD": np.where(is_baseline, np.nan, aval - low),
        "PCHGNAD": from_nadir,
        "ANL01FL": _yes(np.ones(patient.size, dtype=bool)),
    }
    return pl.DataFrame({k: _series(k, v) for k, v in columns.items()})


def _visit_names(days: Array) -> NDArray[Any]:
    """`Baseline`, then the week of each day."""
    return np.array(["Baseline" if d <= 0 else f"Week {d / 7.0:g}" for d in days], dtype=object)


def _response_table(course: _Course, subject: dict[str, NDArray[Any]]) -> pl.DataFrame:
    """ADRS: the response at each scan, and the best; CNS progression between scans is a visit, too."""
    import polars as pl

    r = course.responses
    patient, visit = np.nonzero(np.isfinite(course.sums))
    code = r.codes[patient, visit].astype(np.int64)
    day = course.days[visit]
    new_lesion = course.outcomes[Outcome.NEW_LESION][patient] <= day
    reason = np.where(code == Response.PD, np.where(new_lesion, "new lesion", "target lesions"), "").astype(
        object
    )
    in_brain = np.nonzero(np.isfinite(course.cns))[0]
    patient = np.concatenate([patient, in_brain])
    code = np.concatenate([code, np.full(in_brain.size, int(Response.PD))])
    day = np.concatenate([day, course.cns[in_brain]])
    reason = np.concatenate([reason, np.full(in_brain.size, "CNS progression", dtype=object)])
    # the planned scan of that day gives way to the progression it would have shown
    is_planned = np.isin(day, course.days)
    names = np.where(is_planned, _visit_names(day), "Unscheduled").astype(object)
    parts = [_response_rows(subject, patient, "OVR", code, day, names, reason)]

    best, confirmed = _best_responses(course)
    everyone = np.arange(best.size)
    blank = np.full(best.size, "", dtype=object)
    known = _response_day(course)
    for name, codes in (("BOR", best), ("CBOR", confirmed)):
        parts.append(_response_rows(subject, everyone, name, codes, known[name], blank, blank))
    is_response = np.isin(confirmed, (Response.CR, Response.PR))
    first = np.minimum(_progression_day(course), _never(course.outcomes[Outcome.DEATH]))
    benefit = is_response | ((first > CLINICAL_BENEFIT_DAYS) & (course.known >= CLINICAL_BENEFIT_DAYS))
    controlled = is_response | (confirmed == Response.SD)
    for name, flags in (("CRSP", is_response), ("CBRESP", benefit), ("DCR", controlled)):
        day = np.where(is_response, r.response_day, np.nan) if name == "CRSP" else np.full(best.size, np.nan)
        parts.append(_response_rows(subject, everyone, name, flags, day, blank, blank))
    columns = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    order = np.array([list(_RESPONSE_PARAMETERS).index(p) for p in columns["PARAMCD"]])
    table = pl.DataFrame({k: _series(k, v) for k, v in columns.items()})
    return (
        table.with_columns(pl.Series("order", order))
        .sort(["USUBJID", "order", "ADY"], maintain_order=True, nulls_last=True)
        .drop("order")
    )


def _response_rows(
    subject: dict[str, NDArray[Any]],
    patient: NDArray[np.int64],
    parameter: str,
    value: NDArray[Any],
    day: Array,
    visit: NDArray[Any],
    reason: NDArray[Any],
) -> dict[str, NDArray[Any]]:
    """Rows of ADRS of one parameter; values are codes of `Response`, or flags."""
    if value.dtype == np.bool_:
        text, number = _yes(value), value.astype(np.float64)
    else:
        text = np.array([Response(c).name for c in value], dtype=object)
        number = value.astype(np.float64)
    size = patient.size
    return {
        **{k: v[patient] for k, v in subject.items()},
        "PARAMCD": np.full(size, parameter, dtype=object),
        "PARAM": np.full(size, _RESPONSE_PARAMETERS[parameter], dtype=object),
        "AVALC": text,
        "AVAL": number,
        "ADY": np.where(np.isfinite(day), day, np.nan),
        "AVISIT": visit,
        "PDREAS": reason,
        "ANL01FL": _yes(np.ones(size, dtype=bool)),
    }


def _progression_day(course: _Course) -> Array:
    """Progression as ADRS shows it: at a scan or in the CNS, whichever is first."""
    return np.minimum(course.responses.progression_day, course.cns)


def _best_responses(course: _Course) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Best response, unconfirmed and confirmed; CNS progression without any other visit is PD."""
    r = course.responses
    both = []
    for codes in (r.best_unconfirmed, r.best_confirmed):
        only_brain = (codes == Response.NE) & np.isfinite(course.cns)
        both.append(np.where(only_brain, int(Response.PD), codes).astype(np.int64))
    return both[0], both[1]


def _response_day(course: _Course) -> dict[str, Array]:
    """Day of the first visit with the best response; NaN for one that is not evaluable."""
    r = course.responses
    days: dict[str, Array] = {}
    best, confirmed = _best_responses(course)
    for name, codes in (("BOR", best), ("CBOR", confirmed)):
        is_it = (r.codes == codes[:, None]) & np.isfinite(course.sums)
        # a response that was not confirmed counts as stable disease from its own visit on
        lesser = np.isin(r.codes, (Response.CR, Response.PR)) & (codes == Response.SD)[:, None]
        at = np.where(is_it | lesser, course.days, np.inf)
        first = np.min(at, axis=1, initial=np.inf)
        first = np.where(codes == Response.PD, _progression_day(course), first)
        days[name] = np.where(np.isfinite(first), first, np.nan)
    return days


def _time_table(data: TrialData, course: _Course, subject: dict[str, NDArray[Any]]) -> pl.DataFrame:
    """ADTTE: times exactly as analysed, and the duration of response."""
    import polars as pl

    parts: list[dict[str, NDArray[Any]]] = []
    everyone = np.arange(data.arm.size)
    for endpoint, parameter in _PARAMETERS.items():
        tte = data.times.get(endpoint)
        if tte is not None:
            zero = np.zeros(data.arm.size)
            parts.append(_time_rows(subject, everyone, parameter, tte.time, zero, tte.event, tte.reason))
    pfs = data.times.get("pfs")
    if pfs is None:
        # before and after surgery there are no responses by scan to last
        nothing = np.zeros(0)
        none = np.zeros(0, dtype=np.int64)
        parts.append(_time_rows(subject, none, "DOR", nothing, nothing, none > 0, none))
    else:
        _, confirmed = _best_responses(course)
        responder = np.nonzero(np.isin(confirmed, (Response.CR, Response.PR)))[0]
        start = course.responses.response_day[responder]
        parts.append(
            _time_rows(
                subject,
                responder,
                "DOR",
                pfs.time[responder] - start,
                start,
                pfs.event[responder],
                pfs.reason[responder],
            )
        )
    columns = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    return pl.DataFrame({k: _series(k, v) for k, v in columns.items()})


def _time_rows(
    subject: dict[str, NDArray[Any]],
    patient: NDArray[np.int64],
    parameter: str,
    time: Array,
    start: Array,
    event: Flags,
    reason: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    """Rows of ADTTE of one parameter; censoring codes are positions in `trials.cut.REASONS`."""
    names = np.array(REASONS, dtype=object)
    words = {DEATH: "death without progression, censored at the last scan"}
    censoring = np.array([words.get(k, text) for k, text in enumerate(REASONS)], dtype=object)
    source = np.where(event, np.where(reason == PROGRESSION, "ADRS", "ADSL"), "ADTR").astype(object)
    if parameter in ("OS", "DFS"):
        # a relapse after surgery is found without a scan of a visit: no other table has it
        relapse = event & (reason == PROGRESSION)
        source = np.where(relapse, "", "ADSL").astype(object)
    return {
        **{k: v[patient] for k, v in subject.items()},
        "PARAMCD": np.full(patient.size, parameter, dtype=object),
        "PARAM": np.full(patient.size, _ENDPOINT_NAMES[parameter], dtype=object),
        "AVAL": time,
        "AVALU": np.full(patient.size, "DAYS", dtype=object),
        "STARTDY": start,
        "ADY": start + time,
        "CNSR": np.where(event, 0, reason),
        "EVNTDESC": np.where(event, names[reason], "").astype(object),
        "CNSDTDSC": np.where(event, "", censoring[reason]).astype(object),
        "SRCDOM": source,
    }


def _series(name: str, values: NDArray[Any]) -> pl.Series:
    """A column: NaN and the empty text become null."""
    import polars as pl

    if values.dtype == object:
        return pl.Series(name, [v if v != "" else None for v in values], dtype=pl.String)
    if values.dtype.kind == "f":
        return pl.Series(name, values.astype(np.float64)).fill_nan(None)
    return pl.Series(name, values.astype(np.int64))


_LABELS: dict[str, tuple[str, str]] = {
    "STUDYID": ("Trial", ""),
    "USUBJID": ("Virtual patient: trial and key of its random numbers", ""),
    "ARM": ("Arm as randomised", ""),
    "ARMCD": ("Id of the arm in the trial file", ""),
    "TRT01P": ("Treatment as planned", ""),
    "TRT01PN": ("Treatment as planned, position of the arm", ""),
    "TRT01A": ("Treatment as given, that of the arm", ""),
    "AGE": ("Age at randomisation", "year"),
    "AGEU": ("Unit of age", ""),
    "SEX": ("Sex; the model's patients are women", ""),
    "RANDDY": ("Day of randomisation since the first patient of the trial", "day"),
    "ITTFL": ("In the intention-to-treat population", ""),
    "SAFFL": ("In the safety population", ""),
    "ECOGBL": ("ECOG performance status at baseline", "0 or 1"),
    "HRSTAT": ("Hormone receptor status", ""),
    "VISCFL": ("Visceral disease", ""),
    "LIVERFL": ("Liver metastases", ""),
    "PRADJTFL": ("Adjuvant trastuzumab before", ""),
    "PRADJCFL": ("Adjuvant chemotherapy before", ""),
    "PIK3CAFL": ("PIK3CA mutated", ""),
    "PTENLOFL": ("PTEN low", ""),
    "P95FL": ("p95HER2 above a fifth of all HER2", ""),
    "CCNE1FL": ("Cyclin E (CCNE1) amplified", ""),
    "HER2BL": ("HER2 per cell, p95HER2 included", "1e6 receptors/cell"),
    "HER3BL": ("HER3 per cell", "1e6 receptors/cell"),
    "EGFRBL": ("EGFR per cell", "1e6 receptors/cell"),
    "WEIGHTBL": ("Weight", "kg"),
    "BSABL": ("Body surface area", "m2"),
    "SUMDBL": ("Sum of diameters at baseline", "mm"),
    "LINEN": ("Line of metastatic therapy in the trial", ""),
    "CUTDY": ("Day of the data cut of tumour endpoints", "day"),
    "OSCUTDY": ("Day of the data cut of overall survival", "day"),
    "DTHFL": ("Death known at the cut of overall survival", ""),
    "DTHDY": ("Day of death", "day"),
    "LSTALVDY": ("Last day known alive, or day of death", "day"),
    "SIMSTAT": ("How the simulation of the patient ended", ""),
    "SIMFL": ("Simulation of the patient succeeded", ""),
    "PARAMCD": ("Parameter, short", ""),
    "PARAM": ("Parameter", ""),
    "AVAL": ("Value", ""),
    "AVALC": ("Value as text", ""),
    "AVALU": ("Unit of the value", ""),
    "ADY": ("Day since randomisation, which is day 0", "day"),
    "AVISIT": ("Planned scan; Unscheduled between scans", ""),
    "AVISITN": ("Number of the scan, 0 at baseline", ""),
    "ABLFL": ("Baseline record", ""),
    "BASE": ("Value at baseline", "mm"),
    "CHG": ("Change from baseline", "mm"),
    "PCHG": ("Change from baseline", "%"),
    "NADIR": ("Smallest value before this scan, baseline included", "mm"),
    "CHGNAD": ("Change from nadir", "mm"),
    "PCHGNAD": ("Change from nadir; empty for a nadir of 0", "%"),
    "ANL01FL": ("In the analysis", ""),
    "PDREAS": ("What showed the progression", ""),
    "STARTDY": ("Day on which the time starts, since randomisation", "day"),
    "CNSR": ("0 event; censored: 1 at death, 2 at data cut, 3 at loss of contact, 4 without a scan", ""),
    "EVNTDESC": ("Event", ""),
    "CNSDTDSC": ("Why censored", ""),
    "SRCDOM": ("Table that the end comes from", ""),
}
_LABELS_IN: dict[tuple[str, str], tuple[str, str]] = {
    ("ADTR", "AVAL"): ("Sum of diameters as observed", "mm"),
    ("ADRS", "AVAL"): ("CR 1, PR 2, SD 3, PD 4, NE 5; yes 1, no 0", ""),
    ("ADRS", "AVALC"): ("CR, PR, SD, PD or NE; Y or N", ""),
    ("ADRS", "ADY"): ("Day of the scan, or first day of the best response", "day"),
    ("ADTTE", "AVAL"): ("Time to event or censoring", "day"),
    ("ADTTE", "ADY"): ("Day of event or censoring since randomisation", "day"),
}


def _variable_table(pool: Pool, tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Label, unit and type of every column of every table."""
    import polars as pl

    factors: Sequence[str] = pool.plan.trial.randomisation.strata
    strata = {f"STRATA{k}": (f"Stratum: {f.replace('_', ' ')}", "") for k, f in enumerate(factors, start=1)}
    rows = []
    for table, frame in tables.items():
        for name, kind in frame.schema.items():
            label, unit = _LABELS_IN.get((table, name)) or strata.get(name) or _LABELS[name]
            what = "text" if kind == pl.String else "integer" if kind.is_integer() else "float"
            rows.append((table, name, label, unit or None, what))
    return pl.DataFrame(rows, schema=["TABLE", "VARIABLE", "LABEL", "UNIT", "TYPE"], orient="row")
