"""Trials, cells, agents, regimens, switches and mechanisms: what the views offer to choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from her2.errors import RecordError, unknown
from her2.web import models
from her2.web.given import read_design, trial_of, write_design
from her2.web.problems import answers
from her2.web.record_view import load_view, place, published
from her2.web.reply import dump, kept, plain, reply

router = APIRouter(prefix="/api", tags=["record"])
Id = Annotated[str, Path(min_length=1, max_length=120)]
MARKERS = ("er_positive", "pik3ca_mutant", "pten_low", "p95_positive", "cyclin_e_amplified", "pdl1_positive",
           "fcgr3a_vv", "fcgr3a_vf")  # fmt: skip
"""Population values that are shares of patients with a biomarker."""
SHARES = (*MARKERS, "visceral", "liver", "ecog_1", "adjuvant_trastuzumab", "adjuvant_chemotherapy")
YamlText = Annotated[str, Field(max_length=1_000_000)]


class TrialIn(BaseModel):
    """A trial file as text or as plain data with the same keys; one of them."""

    model_config = ConfigDict(extra="forbid")

    yaml: YamlText | None = None
    design: dict[str, Any] | None = None


def in_short(trial: Any) -> dict[str, Any]:
    """A trial as lists show it."""
    return {
        "id": trial.id, "title": trial.title, "setting": trial.setting, "size": trial.population.size,
        "arms": [{"id": a.id, "label": a.label} for a in trial.arms], "control": trial.control, "study": trial.study,
        "endpoints": list(trial.endpoints.reported), "primary": trial.endpoints.primary, "line": line_of(trial),
        "classes": classes_of(trial),
    }  # fmt: skip


def line_of(trial: Any) -> str:
    """Setting and line as the record names them; of a trial without a study from its earlier lines."""
    study = load_view().record.studies.get(trial.study or "")
    if study is not None and study.entry.setting != "not_stated":
        return str(study.entry.setting)
    if trial.setting != "metastatic":
        return str(trial.setting)
    most = max(len(h.lines) for h in trial.entry_histories)
    return ("first_line", "second_line", "third_line_plus")[min(most, 2)]


def classes_of(trial: Any) -> list[str]:
    """Classes of what is tested: agents that the control arm lacks, without the others' chemotherapy if there are any.

    Of a trial with one arm, all its agents take the place of those that the control lacks.
    """
    agents = load_view().record.agents
    given = {a.id: {c.agent for o in a.choices for c in o.regimen} for a in trial.arms}
    new = set().union(*given.values()) - (given[trial.control] if len(given) > 1 else set())
    # arms that differ in dose or order only
    kinds = {agents[a].entry.kind for a in new or set().union(*given.values()) if a in agents}
    return sorted(kinds - {"cytotoxic"} or kinds)


@router.get("/trials", summary="Built-in trials", response_model=models.Trials, responses=answers())
def trials(request: Request) -> Response:
    """Every trial file of the record, in short."""
    return kept(all_trials(), request)


@lru_cache(maxsize=1)
def all_trials() -> bytes:
    """The list, read once."""
    from her2.trials.design import load_trial, trial_names

    return dump({"trials": [in_short(load_trial(name)) for name in trial_names()]})


@router.get(
    "/trials/options",
    summary="What a trial file may name",
    response_model=models.TrialOptions,
    responses=answers(),
)
def trial_options(request: Request) -> Response:
    """Agents, regimens, populations, endpoints and subgroups, and the schema of the file."""
    return kept(_options(), request)


@lru_cache(maxsize=1)
def _options() -> bytes:
    from her2.model import trial_agents
    from her2.trials.design import RESPONSE_SETTINGS, SUBGROUPS, Trial
    from her2.trials.follow import record_regimens

    record = load_view().record
    can_give = trial_agents()
    return dump({
        "agents": [
            {"id": k, "name": a.entry.name, "kind": a.entry.kind} for k, a in record.agents.items() if k in can_give
        ],
        "regimens": [_regimen(r) for r in record_regimens().values()],
        "populations": [
            {"id": k, "says": p.entry.says, "values": {n: v.value for n, v in p.entry.values.items()}}
            for k, p in record.populations.items()
        ],
        "values": population_values(),
        "endpoints": {k: list(v) for k, v in RESPONSE_SETTINGS.items()},
        "subgroups": list(SUBGROUPS),
        "settings": list(get_args(Trial.model_fields["setting"].annotation)),
        "schema": Trial.model_json_schema(),
    })  # fmt: skip


def population_values() -> list[dict[str, Any]]:
    """What a population may set: shares with a marker, and what else describes those enrolled, with its usual value."""
    found = []
    for full, parameter in load_view().record.parameters.items():
        name = full.removeprefix("population.")
        if full == name:
            continue
        p = parameter.entry
        found.append({
            "id": name, "label": p.label, "value": p.value, "unit": p.unit, "quality": p.quality,
            "is_share": name in SHARES, "is_marker": name in MARKERS, "trace": f"parameter:{full}",
        })  # fmt: skip
    return found


def _regimen(regimen: Any) -> dict[str, Any]:
    data = regimen.model_dump(mode="json")
    return {**data, "title": data["label"]}


@router.post(
    "/trials/check",
    summary="Check a trial file",
    response_model=models.TrialChecked,
    responses=answers(413, 415),
)
def check(asked: TrialIn) -> Response:
    """Whether a trial file can be run; what is wrong is said as the command line says it."""
    trial = trial_of(None, asked.yaml, asked.design)
    design = asked.design if asked.design is not None else read_design(asked.yaml or "")
    text = asked.yaml if asked.yaml is not None else write_design(design)
    return reply({"ok": True, "trial": in_short(trial), "design": plain(design), "yaml": text})


@router.get("/trials/{id}", summary="One trial", response_model=models.TrialDetail, responses=answers(404))
def trial(id: Id, request: Request) -> Response:
    """A built-in trial with its file and the published figures that may be shown."""
    return kept(_trial(id), request)


@lru_cache(maxsize=128)
def _trial(name: str) -> bytes:
    from her2.trials.design import trial_names, trial_path

    names = trial_names()
    if name not in names:
        raise unknown("trial", name, names)
    found = trial_of(name, None, None)
    text = trial_path(name).read_text(encoding="utf-8")
    view = load_view()
    return dump({
        **in_short(found), "yaml": text, "design": plain(read_design(text)),
        "published": published(view, found.study), "hidden": view.hidden_values.get(found.study or "", 0),
    })  # fmt: skip


@router.get("/cells", summary="Cell lines", response_model=models.Cells, responses=answers())
def cells(request: Request) -> Response:
    """Cell lines of the record."""
    record = load_view().record
    shown = [_cell(c.entry) for c in record.cells.values()]
    return kept(dump({"cells": shown}), request)


def _cell(entry: Any) -> dict[str, Any]:
    return {
        "id": entry.id, "name": entry.name, "describes": entry.describes, "her2_amplified": entry.her2_amplified,
        "aliases": list(entry.aliases),
    }  # fmt: skip


@router.get("/cells/{id}", summary="One cell line", response_model=models.CellDetail, responses=answers(404))
def cell(id: Id, request: Request) -> Response:
    """A cell line with every attribute beside the reference cell in culture."""
    from her2.cell.attributes import catalogue, defaults
    from her2.web.conditions import named_cell

    if "/" in id or id.endswith((".yaml", ".yml")):
        raise RecordError(f"cell '{id}': expected the name of a cell line")
    found = named_cell(id)
    reference = defaults("culture")
    rows = []
    for name, entry in catalogue().items():
        origin = found.origins.get(name)
        rows.append({
            "id": name, "label": entry.label, "kind": entry.kind, "unit": entry.unit,
            "value": found.attributes.get(name, reference[name]), "reference": reference[name],
            "source": origin.source if origin else entry.source, "locator": origin.locator if origin else entry.locator,
            "quality": origin.quality if origin else entry.quality, "own": origin is not None,
        })  # fmt: skip
    shown = {
        "id": found.id,
        "name": found.name,
        "describes": found.describes,
        "her2_amplified": found.her2_amplified,
    }
    return kept(dump({**shown, "attributes": rows}), request)


@router.get(
    "/attributes", summary="Attributes of cells", response_model=models.Attributes, responses=answers()
)
def attributes(request: Request) -> Response:
    """Receptors, ligands, genotype: what a cell of one's own may set, with limits and sources."""
    from her2.cell.attributes import catalogue

    return kept(dump({"attributes": [a.model_dump(mode="json") for a in catalogue().values()]}), request)


@router.get("/agents", summary="Agents", response_model=models.Agents, responses=answers())
def agents(request: Request) -> Response:
    """Agents of the record, and whether the model knows what they do to a cell and in a trial."""
    return kept(dump({"agents": [_agent(a.entry) for a in load_view().record.agents.values()]}), request)


def _agent(entry: Any) -> dict[str, Any]:
    from her2.model import trial_agents

    pd = entry.pharmacodynamics
    exposure = pd.exposure if pd is not None else None
    return {
        "id": entry.id, "name": entry.name, "kind": entry.kind, "aliases": list(entry.aliases),
        "targets": list(entry.targets), "acts_on_cells": pd is not None, "in_trials": entry.id in trial_agents(),
        "clinical": None if exposure is None else exposure.value,
    }  # fmt: skip


@router.get("/agents/{id}", summary="One agent", response_model=models.AgentShown, responses=answers(404))
def agent(id: Id, request: Request) -> Response:
    """An agent with everything the record says of it."""
    return _one("agent", load_view().record.agents, id, request, _agent)


@router.get("/regimens", summary="Regimens", response_model=models.Regimens, responses=answers())
def regimens(request: Request) -> Response:
    """Named regimens with their doses."""
    from her2.trials.follow import record_regimens

    return kept(dump({"regimens": [_regimen(r) for r in record_regimens().values()]}), request)


@router.get(
    "/regimens/{id}", summary="One regimen", response_model=models.RegimenShown, responses=answers(404)
)
def regimen(id: Id, request: Request) -> Response:
    """A named regimen."""
    from her2.trials.follow import record_regimens

    known = record_regimens()
    if id not in known:
        raise unknown("regimen", id, known)
    return kept(dump(_regimen(known[id])), request)


@router.get("/mechanisms", summary="Mechanisms", response_model=models.Mechanisms, responses=answers())
def mechanisms(request: Request) -> Response:
    """Mechanisms of resistance, sensitivity and drug action."""
    shown = [_mechanism(m.entry) for m in load_view().record.mechanisms.values()]
    return kept(dump({"mechanisms": shown}), request)


def _mechanism(entry: Any) -> dict[str, Any]:
    names = ("id", "name", "category", "direction", "summary")
    return {name: getattr(entry, name) for name in names}


@router.get(
    "/mechanisms/{id}", summary="One mechanism", response_model=models.MechanismShown, responses=answers(404)
)
def mechanism(id: Id, request: Request) -> Response:
    """A mechanism with everything the record says of it."""
    return _one("mechanism", load_view().record.mechanisms, id, request, _mechanism)


@router.get("/switches", summary="Switches", response_model=models.Switches, responses=answers())
def switches(request: Request) -> Response:
    """Switches that change a cell, and mechanisms that are none, with the reason."""
    from her2.cell.report import what_changes
    from her2.cell.switches import load_switches

    shown = [
        {
            **s.model_dump(mode="json", include={"id", "label", "mechanism", "why", "grade", "level", "not_a_switch",
                                                 "claims"}),
            "graded": not (s.disables or s.adds), "settable": not s.not_a_switch, "changes": what_changes(s),
        }
        for s in load_switches().values()
    ]  # fmt: skip
    return kept(dump({"switches": shown}), request)


def _one(
    kind: str,
    entries: Mapping[str, Any],
    name: str,
    request: Request,
    short: Callable[[Any], dict[str, Any]],
) -> Response:
    """An entry in short with all its fields under `entry`."""
    if name not in entries:
        raise unknown(kind, name, entries)
    entry = entries[name].entry
    places = [place(p) for p in entry.places]
    return kept(dump({**short(entry), "entry": plain(entry), "places": places}), request)
