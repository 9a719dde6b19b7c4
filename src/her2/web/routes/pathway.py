"""The pathway view: the map, the state of a cell in it, adaptation over days, dose-response, time courses."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field

from her2.errors import RecordError
from her2.web import models, pathway
from her2.web.conditions import ConditionIn, Name, Number, condition_of, key_of
from her2.web.problems import answers
from her2.web.reply import dump, kept, reply
from her2.web.run_key import run_key

router = APIRouter(prefix="/api", tags=["pathway"])
MOST_DAYS_SHOWN = 61
Members = Annotated[int, Field(ge=0, le=64, strict=True)]


class StateIn(ConditionIn):
    """A condition, and one to compare with."""

    compare: ConditionIn | None = None


class CourseIn(ConditionIn):
    """A condition over days."""

    days_shown: Annotated[
        list[Annotated[Number, Field(ge=0.0, le=365.0)]], Field(min_length=1, max_length=MOST_DAYS_SHOWN)
    ]


class CellStateIn(ConditionIn):
    """A condition with intervals."""

    members: Members = 16


class DoseResponseIn(ConditionIn):
    """A condition in which one drug is varied."""

    drug: Name
    doses: (
        Annotated[list[Annotated[Number, Field(ge=0.0, le=1e9)]], Field(min_length=1, max_length=60)] | None
    ) = None
    hours: Annotated[Number, Field(ge=1.0, le=2160.0)] = 72.0
    members: Members = 16


class TimeCourseIn(ConditionIn):
    """A condition over hours."""

    hours: Annotated[Number, Field(ge=0.001, le=720.0)] = 24.0
    points: Annotated[int, Field(ge=2, le=1001, strict=True)] = 97


@router.get("/network/layout", summary="The map", response_model=models.MapLayout, responses=answers())
def layout(request: Request) -> Response:
    """Places of boxes and arrows, the same for every cell and condition; every drug with what it hits."""
    return kept(dump(pathway.layout()), request)


@router.post(
    "/network/state", summary="State of a cell", response_model=models.MapPair, responses=answers(413, 415)
)
def state(asked: StateIn) -> Response:
    """Every box and arrow of the map for a cell in a condition, and for another to compare."""
    result: dict[str, Any] = pathway.state(_without(asked, "compare"))
    if asked.compare is not None:
        result = {**result, "other": pathway.state(asked.compare)}
    return reply(result)


@router.post(
    "/network/course",
    summary="Adaptation over days",
    response_model=models.MapCourse,
    responses=answers(413, 415),
)
def course(asked: CourseIn) -> Response:
    """States on several days of treatment in one answer, for animation."""
    return reply(pathway.course(_without(asked, "days_shown"), asked.days_shown))


@router.post(
    "/cell/state",
    summary="Readouts with intervals",
    response_model=models.CellState,
    responses=answers(413, 415),
)
def cell_state(asked: CellStateIn) -> Response:
    """Every readout untreated and treated with 90 % intervals, as `her2 cell --json`."""
    from her2.cell.report import CellReport, as_json
    from her2.cell.state import cell_state as compute

    c = condition_of(_without(asked, "members"))
    found = compute(
        c.cell, c.drugs, ligands=c.ligands, compartment=c.where, days=c.days, members=asked.members
    )
    data = as_json(CellReport(found, (), None, None))
    return reply({**data, "run": run_key(data["digest"], data["seed"])})


@router.post(
    "/cell/dose_response", summary="Dose-response", response_model=models.DoseResponseShown,
    responses=answers(413, 415),
)  # fmt: skip
def dose_response(asked: DoseResponseIn) -> Response:
    """Growth at rising doses of one drug, the rest of the condition as background."""
    from her2.cell.dose_response import dose_response as compute
    from her2.cell.ensemble import SEED
    from her2.cell.evaluate import drug_id
    from her2.cell.report import METRICS

    c = condition_of(_without(asked, "drug", "doses", "hours", "members"))
    varied = drug_id(asked.drug)
    background = {k: v for k, v in c.drugs.items() if k != varied}
    found = compute(
        c.cell, varied, asked.doses, asked.hours, background=background, ligands=c.ligands, compartment=c.where,
        members=asked.members,
    )  # fmt: skip
    if (found.doses > 0.0).sum() < 4:
        raise RecordError("doses: expected four or more above 0, or none for the default range")
    metrics = found.metrics()
    table = found.table().to_dict(as_series=False)
    nothing = [None] * len(table["dose"])
    content = {
        "drug": found.drug, "hours": found.hours, "background": dict(found.background), "doses": table["dose"],
        "growth": table["net_growth"], "gr": table["gr"], "gr_low": table.get("gr_5", nothing),
        "gr_high": table.get("gr_95", nothing), "fraction_affected": table["fraction_affected"],
        "metrics": {k: vars(getattr(metrics, k)) for k in METRICS}, "members": asked.members,
        "unit": "nmol/L",
    }  # fmt: skip
    return reply({**content, "run": run_key(key_of(c.title, found.growth.tolist()), SEED)})


@router.post(
    "/cell/time_course",
    summary="The first hours",
    response_model=models.TimeCourseShown,
    responses=answers(413, 415),
)
def time_course(asked: TimeCourseIn) -> Response:
    """Signals over hours from the full differential equations; takes a second or more."""
    from her2.cell.time_course import time_course as compute

    c = condition_of(_without(asked, "hours", "points"))
    found = compute(c.cell, c.drugs, asked.hours, ligands=c.ligands, compartment=c.where, points=asked.points)
    values = {k: [pathway.short(float(x)) for x in v] for k, v in found.values.items()}
    content = {"title": c.title, "hours": [float(t) for t in found.times], "values": values}
    return reply({**content, "run": run_key(key_of(content))})


def _without(asked: ConditionIn, *names: str) -> ConditionIn:
    """The condition alone."""
    kept_fields = {n: getattr(asked, n) for n in type(asked).model_fields if n not in names}
    return ConditionIn.model_construct(**kept_fields)
