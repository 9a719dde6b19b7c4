"""Run the executable claims of the record over the ensemble and say which the model reproduces."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from her2.cell.ensemble import central, member
from her2.cell.model import CellModel
from her2.claims.cases import Case, load_cases
from her2.claims.cell_runs import prepare, run_cells, untreated_growth
from her2.claims.verdict import compute_statistic, judge, missed_effect, smallest_effect
from her2.errors import Her2Error
from her2.evidence.biology import Expectation, Experiment
from her2.evidence.load import load_study

MEMBERS, COHORT_MEMBERS = 32, 24
"""Members of the ensemble behind the verdict on experiments on cells, and on cohorts."""
MOST_MEMBERS = 512
NO_EXPERIMENT = "no experiment yet"
OWN_ROLES = ("structure", "calibration")
"""Roles of claims that took part in choosing the model, which cannot test it."""


@dataclass(frozen=True)
class ClaimResult:
    """What the model says about one claim.

    Attributes
    ----------
    id, statement, topic : of the claim
    role : `none`, or that the claim took part in choosing `structure` or in `calibration`
    system : `cell` or `cohort`; empty if there is no experiment
    readout, unit : what is read; the unit is that of the statistic where it is a plain value or difference
    expected : what the claim says of the statistic
    value : statistic in the central model; None unless run
    low90, high90 : 5 % and 95 % quantiles over the members
    share : of the members that agree
    members : of the ensemble
    verdict : `reproduced`, `divided`, `contradicted`, `not covered` or `held out`
    reason : why it is not covered
    held_out : whether figures of the claim's trial are held out from calibration
    opposes : claims of the record that say the contrary
    opposite_reproduced : whether the model reproduces one of these
    """

    id: str
    statement: str
    topic: str
    role: str
    system: str
    readout: str
    unit: str
    expected: str
    value: float | None
    low90: float | None
    high90: float | None
    share: float | None
    members: int
    verdict: str
    reason: str
    held_out: bool
    opposes: tuple[str, ...] = ()
    opposite_reproduced: bool = False


@dataclass(frozen=True)
class ClaimResults:
    """Results of all claims.

    Attributes
    ----------
    results : in the order of the record
    shows_held_out : whether held-out claims were run
    members, cohort_members : of the ensemble, for cells and cohorts
    """

    results: tuple[ClaimResult, ...]
    shows_held_out: bool
    members: int
    cohort_members: int

    @property
    def digest(self) -> str:
        """BLAKE2b digest over all results."""
        text = json.dumps([asdict(r) for r in self.results], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def summary(self) -> dict[str, Any]:
        """Counts and shares of all claims, and of those that took no part in choosing the model."""
        independent = [r for r in self.results if r.role not in OWN_ROLES]
        return {
            "all": _count(self.results),
            "without_structure_and_calibration": _count(independent),
            "held_out": {
                "shown": self.shows_held_out,
                **(
                    _count([r for r in self.results if r.held_out], held_out=True)
                    if self.shows_held_out
                    else {}
                ),
                "claims": sum(r.held_out for r in self.results),
            },
        }


def _count(results: Sequence[ClaimResult], *, held_out: bool = False) -> dict[str, Any]:
    """Counts of one set of claims: of those that are not held out, or of those that are."""
    verdicts = Counter(r.verdict for r in results)
    open_verdicts = Counter(r.verdict for r in results if r.held_out == held_out)
    run = sum(open_verdicts[word] for word in ("reproduced", "divided", "contradicted"))
    return {
        "executable": len(results),
        "run": run,
        "reproduced": open_verdicts["reproduced"],
        "divided": open_verdicts["divided"],
        "contradicted": open_verdicts["contradicted"],
        "contradicted_with_opposite_reproduced": sum(
            r.verdict == "contradicted" and r.opposite_reproduced for r in results if r.held_out == held_out
        ),
        "not_covered": open_verdicts["not covered"],
        "held_out_not_shown": verdicts["held out"],
        "share_reproduced": open_verdicts["reproduced"] / run if run else None,
        "share_contradicted": open_verdicts["contradicted"] / run if run else None,
        "share_not_covered": open_verdicts["not covered"] / len(results) if results else None,
    }


def run_claims(
    *,
    members: int = MEMBERS,
    cohort_members: int | None = None,
    claim: str | None = None,
    topic: str | None = None,
    held_out: bool = False,
    jobs: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> ClaimResults:
    """Run every executable claim of the record.

    Parameters
    ----------
    members : members of the ensemble for experiments on cells
    cohort_members : and for cohorts; default 24, or all if there are fewer
    claim, topic : only this claim, or the claims of this file
    held_out : run claims about trials with held-out figures, too
    jobs : processes; the digits do not depend on it
    on_progress : called with the share done

    Raises
    ------
    her2.errors.Her2Error
        Experiments that name what does not exist, with file and claim; a number of members that makes no ensemble.
    """
    if not 1 <= members <= MOST_MEMBERS:
        raise Her2Error(f"members: expected 1 to {MOST_MEMBERS}, got {members}")
    n_cohort = min(COHORT_MEMBERS, members) if cohort_members is None else cohort_members
    if not 1 <= n_cohort <= MOST_MEMBERS:
        raise Her2Error(f"members for cohorts: expected 1 to {MOST_MEMBERS}, got {n_cohort}")
    cases = load_cases(claim, topic)
    runnable = [c for c in cases if c.readout is not None and (held_out or not c.held_out)]
    values = evaluate_cases(runnable, members, n_cohort, jobs, on_progress)
    results = [_result(case, values.get(case.claim.id)) for case in cases]
    reproduced = {r.id for r in results if r.verdict == "reproduced"}
    linked = tuple(replace(r, opposite_reproduced=bool(reproduced & set(r.opposes))) for r in results)
    return ClaimResults(linked, held_out, members, n_cohort)


@dataclass(frozen=True)
class Values:
    """Statistic and smallest relevant effect of an experiment, the central model first."""

    statistic: np.ndarray[Any, np.dtype[np.float64]]
    smallest: np.ndarray[Any, np.dtype[np.float64]]


Raw = dict[str, tuple[list[float], float]]
"""Readouts of the conditions of a statistic and growth of the reference cell, by claim."""


def evaluate_cases(
    cases: Sequence[Case], members: int, cohort_members: int, jobs: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> dict[str, Values]:  # fmt: skip
    """Statistic of every case in the central model and in each member."""
    by_claim = {c.claim.id: c for c in cases}
    experiments = {k: c.experiment for k, c in by_claim.items() if c.experiment is not None}
    cells = {k: e for k, e in experiments.items() if e.system == "cell"}
    cohorts = {k: e for k, e in experiments.items() if e.system == "cohort"}
    places = {k: by_claim[k].where for k in cohorts}
    tasks: list[tuple[str, int]] = []
    if cohorts:
        tasks += [("cohort", k) for k in range(-1, cohort_members)]
    if cells:
        tasks += [("cell", k) for k in range(-1, members)]
    collected: dict[tuple[str, int], Raw] = {}
    done = 0.0
    # a cohort takes about twenty times as long as the cells of one member
    weight = {"cohort": 20.0, "cell": 1.0}
    total = sum(weight[system] for system, _ in tasks) or 1.0
    work = [(system, number, cells if system == "cell" else cohorts, places) for system, number in tasks]
    for task, raw in _spread(work, jobs):
        collected[task] = raw
        done += weight[task[0]]
        if on_progress is not None:
            on_progress(done / total)
    result = {}
    for name, experiment in experiments.items():
        count = members if experiment.system == "cell" else cohort_members
        raws = [collected[experiment.system, k][name] for k in range(-1, count)]
        readout, statistic = by_claim[name].readout, experiment.statistic
        assert readout is not None and statistic is not None
        columns = [np.array([raw[0][j] for raw in raws]) for j in range(len(statistic.of))]
        growth = np.array([raw[1] for raw in raws])
        result[name] = Values(
            compute_statistic(statistic, readout, columns),
            smallest_effect(statistic, readout, columns, growth),
        )
    return result


Work = tuple[str, int, Mapping[str, Experiment], Mapping[str, str]]


def _spread(work: Sequence[Work], jobs: int) -> Any:
    """Results of all tasks, in order, from one process or several."""
    if jobs <= 1 or len(work) < 4:
        yield from (_one(w) for w in work)
        return
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        yield from pool.map(_one, work)


def _one(work: Work) -> tuple[tuple[str, int], Raw]:
    """All experiments of one system in one member of the ensemble (-1: the central model)."""
    system, number, experiments, places = work
    model = central() if number < 0 else member(number)
    raw = _cells(model, experiments) if system == "cell" else _cohorts(model, number, experiments, places)
    return (system, number), raw


def _cells(model: CellModel, experiments: Mapping[str, Experiment]) -> Raw:
    values = run_cells(experiments, prepare(experiments), model)
    result = {}
    for claim, experiment in experiments.items():
        assert experiment.statistic is not None
        result[claim] = (
            [values[claim, name] for name in experiment.statistic.of],
            untreated_growth(experiment, model),
        )
    return result


def _cohorts(
    model: CellModel, number: int, experiments: Mapping[str, Experiment], places: Mapping[str, str]
) -> Raw:
    from her2.claims.cohort import CohortRunner

    runner = CohortRunner(model, number)
    return {
        k: (runner.statistic_values(e, places[k]), model.values["tumour.growth"])
        for k, e in experiments.items()
    }


def _result(case: Case, values: Values | None) -> ClaimResult:
    experiment = case.experiment
    role = experiment.role if experiment is not None else "none"
    runs = case.readout is not None
    judged = None
    verdict, reason = "not covered", ""
    if experiment is None:
        reason = NO_EXPERIMENT
    elif experiment.not_covered:
        reason = experiment.not_covered
    if values is not None:
        assert experiment is not None and experiment.expect is not None
        judged = judge(values.statistic, _threshold(case, values.smallest), experiment.expect)
        verdict = judged.verdict
    elif runs:
        verdict = "held out"
    return ClaimResult(
        id=case.claim.id,
        statement=case.claim.statement,
        topic=case.topic,
        role=role,
        system=experiment.system if experiment is not None and runs else "",
        readout=experiment.readout if experiment is not None and runs else "",
        unit=_unit(case),
        expected=_expected(experiment.expect) if experiment is not None and experiment.expect else "",
        value=_finite(judged.value) if judged else None,
        low90=_finite(judged.low90) if judged else None,
        high90=_finite(judged.high90) if judged else None,
        share=judged.share if judged else None,
        members=judged.members if judged else 0,
        verdict=verdict,
        reason=reason,
        held_out=case.held_out,
        opposes=experiment.opposes if experiment is not None else (),
    )


Array = NDArray[np.float64]


def study_size(case: Case) -> int | None:
    """Patients of the study behind a claim: as its experiment says, else as its record does."""
    experiment = case.experiment
    if experiment is not None and experiment.expect is not None and experiment.expect.patients is not None:
        return experiment.expect.patients
    if case.claim.trial is None:
        return None
    study = load_study(case.claim.trial)
    arms = [a.n for a in study.arms]
    if study.n is not None:
        return study.n
    return sum(n for n in arms if n is not None) if arms and all(n is not None for n in arms) else None


def _threshold(case: Case, smallest: Array) -> Array:
    """Smallest relevant effect of each model; for a null result, at least what its study would have missed."""
    experiment = case.experiment
    assert experiment is not None and experiment.statistic is not None and experiment.expect is not None
    if experiment.expect.relation != "none" or experiment.system != "cohort" or case.readout is None:
        return smallest
    size = study_size(case)
    if size is None:
        return smallest
    return np.maximum(smallest, missed_effect(experiment.statistic, case.readout, size))


def _finite(x: float) -> float | None:
    return x if np.isfinite(x) else None


def _expected(expect: Expectation) -> str:
    if expect.relation == "between":
        return f"{expect.low:g} to {expect.high:g}"
    return {"greater": "above 0", "less": "below 0", "none": "no effect"}[expect.relation]


def _unit(case: Case) -> str:
    """Unit of the statistic."""
    if case.experiment is None or case.readout is None or case.experiment.statistic is None:
        return ""
    kind = case.experiment.statistic.kind
    if kind in ("bliss", "hsa"):
        return "share left"
    if case.readout.scale == "log_hazard_ratio":
        return "log hazard ratio"
    if kind == "log_ratio" or (case.readout.scale == "median" and kind != "value"):
        return "log ratio"
    return case.readout.unit
