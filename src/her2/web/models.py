"""Shapes of answers for the OpenAPI description; the tests hold every answer against its shape."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """An answer; entries of the record may have more fields than are named here."""

    model_config = ConfigDict(extra="allow")


class Place(Shape):
    """A place in a source."""

    source: str
    line_start: int
    line_end: int
    place: str
    label: str


class Run(Shape):
    """What names a number of the model."""

    id: str
    digest: str
    version: str
    posterior: str
    seed: int | None = None


class Health(Shape):
    """Whether the server works."""

    status: Literal["ok"]
    version: str
    ready: bool = Field(description="whether the models are compiled")


class SourceShown(Shape):
    """A source."""

    id: str
    title: str
    authors: str = ""
    year: int | None = None
    doi: str | None = None


class About(Shape):
    """Version, limits and what the record holds."""

    version: str
    posterior: str
    notice: str
    limits: dict[str, float]
    counts: dict[str, int]
    sources: list[SourceShown]


class Hit(Shape):
    """An entry that a search found."""

    kind: str
    id: str
    title: str
    places: list[Place]
    user: bool


class Found(Shape):
    """Hits, best first."""

    query: str
    facets: dict[str, str]
    total: int
    offset: int
    suggestion: str
    hidden: int = Field(
        description="figures and statements of the whole record that are held out and not shown"
    )
    results: list[Hit]


class FacetValue(Shape):
    """A word of a facet and how many entries have it."""

    value: str
    label: str
    count: int


class TraceNode(Shape):
    """An entry in the trace graph."""

    key: str
    kind: str
    id: str
    label: str
    user: bool


class Neighbour(TraceNode):
    """An entry next to another, and why."""

    why: str


class EntryShown(Shape):
    """An entry with everything it says."""

    kind: str
    id: str
    title: str
    user: bool
    places: list[Place]
    entry: dict[str, Any]
    rests_on: list[Neighbour]
    supports: list[Neighbour]


class ConflictShown(Shape):
    """Two statements that do not agree."""

    id: str
    about: str
    kind: str
    statement_1: str
    place_1: Place | None
    statement_2: str | None
    place_2: Place | None
    likely_resolution: str
    reason: str


class Conflicts(Shape):
    """Conflicts of the record."""

    total: int
    conflicts: list[ConflictShown]


class TraceLink(Shape):
    """`lower` rests on `upper`."""

    lower: str
    upper: str
    why: str


class TraceSide(Shape):
    """What was reached in one direction."""

    nodes: list[TraceNode]
    links: list[TraceLink]
    cut: bool = Field(description="whether there is more than `limit`")


class Trace(Shape):
    """What an entry rests on, and what rests on it."""

    found: list[TraceNode]
    rests_on: TraceSide | None
    supports: TraceSide | None


class Forest(Shape):
    """Randomised contrasts and what they give together."""

    endpoint: str
    contrast: str
    caveat: str
    studies: list[dict[str, Any]]
    pooled: dict[str, Any]
    left_out: list[dict[str, Any]]


class NetworkMeta(Shape):
    """Treatments that randomised trials link, each connected part by itself."""

    endpoint: str
    connected: bool
    warning: str
    caveat: str
    components: list[dict[str, Any]]


class ArmName(Shape):
    """An arm."""

    id: str
    label: str


class TrialShown(Shape):
    """A trial file in short."""

    id: str
    title: str
    setting: str
    size: int
    arms: list[ArmName]
    control: str
    study: str | None
    endpoints: list[str]
    primary: str
    line: str = Field(description="as the record names settings and lines")
    classes: list[str] = Field(description="kinds of the agents that are tested")


class Trials(Shape):
    """Trial files."""

    trials: list[TrialShown]


class PublishedShown(Shape):
    """A printed figure."""

    id: str
    arm: str | None
    contrast: dict[str, Any] | None
    endpoint: str
    statistic: str
    value: float | None
    unit: str
    ci_low: float | None
    ci_high: float | None
    printed: str
    role: Literal["fit", "context"]
    place: Place


class TrialDetail(TrialShown):
    """A trial file with its text and the published figures."""

    yaml: str
    design: dict[str, Any]
    published: list[PublishedShown]
    hidden: int = Field(description="figures of the study that are held out and not shown")


class TrialChecked(Shape):
    """A trial file that can be run."""

    ok: Literal[True]
    trial: TrialShown
    design: dict[str, Any]
    yaml: str


class TrialOptions(Shape):
    """What a form for a trial file offers."""

    agents: list[dict[str, Any]]
    regimens: list[dict[str, Any]]
    populations: list[dict[str, Any]]
    values: list[dict[str, Any]]
    endpoints: dict[str, list[str]]
    subgroups: list[str]
    settings: list[str]
    json_schema: dict[str, Any] = Field(alias="schema")


class CellShown(Shape):
    """A cell line in short."""

    id: str
    name: str
    describes: str
    her2_amplified: bool | None


class Cells(Shape):
    """Cell lines."""

    cells: list[CellShown]


class AttributeShown(Shape):
    """An attribute of cells."""

    id: str
    label: str
    kind: str
    unit: str


class CellAttribute(AttributeShown):
    """An attribute of one cell and where it comes from."""

    value: float
    reference: float
    source: str
    locator: str
    quality: str


class CellDetail(CellShown):
    """A cell line with its attributes."""

    attributes: list[CellAttribute]


class Attributes(Shape):
    """The catalogue of attributes."""

    attributes: list[AttributeShown]


class AgentShown(Shape):
    """An agent in short."""

    id: str
    name: str
    kind: str
    aliases: list[str]
    targets: list[str]
    acts_on_cells: bool
    in_trials: bool
    clinical: float | None = Field(description="average exposure at the label dose, nmol/L")


class Agents(Shape):
    """Agents."""

    agents: list[AgentShown]


class RegimenShown(Shape):
    """A regimen."""

    id: str
    components: list[dict[str, Any]]


class Regimens(Shape):
    """Regimens."""

    regimens: list[RegimenShown]


class MechanismShown(Shape):
    """A mechanism in short."""

    id: str
    name: str
    category: str
    direction: str
    summary: str


class Mechanisms(Shape):
    """Mechanisms."""

    mechanisms: list[MechanismShown]


class SwitchShown(Shape):
    """A switch of a cell."""

    id: str
    label: str
    mechanism: str | None
    graded: bool
    settable: bool
    changes: str
    why: str
    not_a_switch: str


class Switches(Shape):
    """Switches."""

    switches: list[SwitchShown]


class Box(Shape):
    """A box of the map."""

    id: str
    kind: Literal["ligand", "receptor", "dimer", "input", "node", "phenotype"]
    label: str
    row: int
    unit: str
    x: float
    y: float
    width: float
    height: float
    about: str
    claims: list[str]
    trace: str | None


class Arrow(Shape):
    """An arrow of the map."""

    id: str
    source: str
    target: str
    sign: int
    about: str
    claims: list[str]
    points: list[list[float]]


class LoopShown(Shape):
    """A slow state of the map."""

    id: str
    label: str
    driver: str
    target: str
    sign: int
    about: str
    claims: list[str]


class DrugBox(Shape):
    """A drug of the map."""

    id: str
    agent: str
    label: str
    x: float
    y: float
    width: float
    height: float
    targets: list[dict[str, Any]]


class MapLayout(Shape):
    """The map."""

    width: float
    height: float
    boxes: list[Box]
    links: list[Arrow]
    loops: list[LoopShown]
    drugs: list[DrugBox]


class ItemState(Shape):
    """State of a box."""

    value: float
    untreated: float
    unit: str
    shade: float | None


class MapState(Shape):
    """State of a cell in the map."""

    title: str
    days: float
    items: dict[str, ItemState]
    links: dict[str, float]
    drug_links: list[dict[str, Any]]
    loops: dict[str, float]
    net_growth: float
    untreated_growth: float
    run: Run
    milliseconds: float


class MapPair(MapState):
    """State of a cell, and of another one to compare."""

    other: MapState | None = None


class MapCourse(Shape):
    """States over days of adaptation."""

    title: str
    days: list[float]
    items: dict[str, list[float]]
    shades: dict[str, list[float]]
    links: dict[str, list[float]]
    loops: dict[str, list[float]]
    net_growth: list[float]
    untreated_growth: float
    run: Run


class DoseResponseShown(Shape):
    """A dose-response curve."""

    drug: str
    hours: float
    doses: list[float]
    growth: list[float]
    gr: list[float | None]
    gr_low: list[float | None]
    gr_high: list[float | None]
    fraction_affected: list[float | None]
    metrics: dict[str, Any]
    run: Run


class TimeCourseShown(Shape):
    """The first hours after drugs are added."""

    title: str
    hours: list[float]
    values: dict[str, list[float]]
    run: Run


class CellState(Shape):
    """Readouts of a cell with intervals, as `her2 cell --json`."""

    cell: dict[str, Any]
    condition: dict[str, Any]
    growth: dict[str, Any]
    state: dict[str, Any]
    run: Run


class JobShown(Shape):
    """A job."""

    id: str
    kind: Literal["trial", "forecast", "patient", "sequence"]
    title: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str
    share: float = Field(ge=0.0, le=1.0)
    position: int | None = Field(description="jobs before it in the queue")
    attempt: int
    created: str
    started: str | None
    finished: str | None
    seconds: float | None
    error: str
    digest: str
    has_result: bool
    has_files: bool
    input: dict[str, Any]


class Jobs(Shape):
    """Jobs, the newest first."""

    jobs: list[JobShown]


class FileShown(Shape):
    """A file of a job."""

    name: str
    type: str
    what: Literal["picture", "table", "record", "archive"]
    bytes: int


class Files(Shape):
    """Files of a job."""

    files: list[FileShown]


class JobResult(Shape):
    """What a job found; of a trial also curves, waterfall, swimmer, spider, forest and table."""

    kind: str
    run: Run
    result: Any


class First(Shape):
    """The first screen."""

    precomputed: str
    trial: JobResult
    network: dict[str, Any] = Field(default_factory=dict, description="not in the brief answer")


class Scoreboard(Shape):
    """Every trial predicted beside published, as `her2 validate --json`."""

    trials: list[dict[str, Any]]
    scores: dict[str, Any]
    misses: list[dict[str, Any]]
    digest: str


class PatientTemplate(Shape):
    """What a form for a case offers."""

    yaml: str
    fields: list[dict[str, Any]]
    examples: list[dict[str, str]]
    json_schema: dict[str, Any] = Field(alias="schema")


class PatientChecked(Shape):
    """A case that can be read."""

    ok: Literal[True]
    case: dict[str, Any]
    findings: list[dict[str, Any]]


class PatientCell(Shape):
    """A patient's tumour as a condition of the map, and what became of each marker."""

    condition: dict[str, Any]
    altered: list[dict[str, str]]
    as_reference: list[dict[str, str]]
    left_out: list[dict[str, str]]
