"""What a job may be asked: the four kinds, their limits, and what can be refused before any work."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from her2.errors import RecordError
from her2.web.given import case_of, trial_of
from her2.web.settings import Limits

Seed = Annotated[int, Field(ge=0, le=2**53, strict=True)]
Text = Annotated[str, Field(max_length=1_000_000)]


class _TrialGiven(BaseModel):
    """A built-in trial by name, or a trial file as text or as plain data; one of them."""

    model_config = ConfigDict(extra="forbid")

    trial: Annotated[str, Field(max_length=120)] | None = None
    yaml: Text | None = None
    design: dict[str, Any] | None = None


class _CaseGiven(BaseModel):
    """A case as text, as plain data or as an mCODE bundle; one of them."""

    model_config = ConfigDict(extra="forbid")

    yaml: Text | None = None
    case: dict[str, Any] | None = None
    bundle: dict[str, Any] | None = None


class TrialJob(_TrialGiven):
    """Simulate a trial, as `her2 trial`."""

    kind: Literal["trial"]
    patients: Annotated[int, Field(ge=50, strict=True)] = 2000
    trials: Annotated[int, Field(ge=0, strict=True)] = 300
    seed: Seed = 1


class ForecastJob(_TrialGiven):
    """Freeze a prediction, as `her2 forecast`."""

    kind: Literal["forecast"]
    members: Annotated[int, Field(ge=2, strict=True)] = 24
    patients: Annotated[int, Field(ge=50, strict=True)] = 400
    trials: Annotated[int, Field(ge=1000, strict=True)] = 1000
    seed: Seed = 1


class PatientJob(_CaseGiven):
    """Predict one patient, as `her2 patient`."""

    kind: Literal["patient"]
    options: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=10)] = Field(
        default_factory=list
    )
    members: Annotated[int, Field(ge=1, strict=True)] = 6
    draws: Annotated[int, Field(ge=60, strict=True)] = 384
    twins: Annotated[int, Field(ge=20, strict=True)] = 108
    explained: Annotated[int, Field(ge=0, le=10, strict=True)] = 1
    seed: Seed = 1


class SequenceJob(_CaseGiven):
    """Compare sequences of lines for one patient, as `her2 sequence`."""

    kind: Literal["sequence"]
    depth: Annotated[int, Field(ge=1, le=4, strict=True)] = 2
    regimens: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=5)] = Field(
        default_factory=list
    )
    uptake: Annotated[list[Annotated[float, Field(ge=0.0, le=1.0, strict=True)]], Field(max_length=3)] = (
        Field(default_factory=list)
    )
    members: Annotated[int, Field(ge=1, strict=True)] = 6
    draws: Annotated[int, Field(ge=60, strict=True)] = 1152
    twins: Annotated[int, Field(ge=20, strict=True)] = 256
    seed: Seed = 1


JobIn = Annotated[TrialJob | ForecastJob | PatientJob | SequenceJob, Field(discriminator="kind")]


def check_input(asked: Any, limits: Limits) -> str:
    """Refuse a job that could never end well; its title otherwise.

    Raises
    ------
    her2.errors.Her2Error
        A number above the limits, or anything wrong in the trial file or case.
    """
    for name in ("patients", "trials", "members", "draws", "twins"):
        value, most = getattr(asked, name, None), getattr(limits, name)
        if value is not None and value > most:
            raise RecordError(
                f"{name}: expected at most {most:,} on this server, got {value:,}; the command line has no such limit"
            )
    if isinstance(asked, TrialJob | ForecastJob):
        trial = trial_of(asked.trial, asked.yaml, asked.design)
        if trial.population.size > limits.patients or len(trial.arms) > 8:
            raise RecordError(
                f"{trial.id}: this server simulates trials of up to {limits.patients:,} patients and 8 arms; the "
                "command line has no such limit"
            )
        return f"{'Forecast of ' if asked.kind == 'forecast' else ''}{trial.title}"
    case = case_of(asked.yaml, asked.case, asked.bundle)
    if isinstance(asked, PatientJob):
        from her2.prognosis.regimens import named_regimen

        for option in asked.options:
            named_regimen(option)
    what = "Patient" if asked.kind == "patient" else "Sequences"
    name = "".join(c if c.isprintable() else " " for c in case.state.name or "case")
    return f"{what}: {name}"
