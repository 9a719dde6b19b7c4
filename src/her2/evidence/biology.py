"""Entries of the record that the cell model runs on: attributes, cells, switches, experiments, network files."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from her2.evidence.schema import Curated, Entry, Finite, Identifier, Quality

SwitchName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)]


class AttributeEntry(Entry):
    """A property of a cell or its surroundings, with its default (the reference HER2 3+ cell) and limits."""

    id: Identifier
    kind: Literal["receptor", "her2_form", "pathway", "phenotype", "hormone", "ligand", "surroundings"]
    label: str
    unit: str
    default: Finite
    low: Finite
    high: Finite
    culture: Finite | None = Field(default=None, description="default in culture, where it differs")
    tumour: Finite | None = Field(default=None, description="default in a tumour, where it differs")
    source: Identifier
    locator: str
    quality: Quality


class AttributeFile(Entry):
    """Catalogue of attributes (data/network/attributes.yaml)."""

    id: Identifier
    attributes: tuple[AttributeEntry, ...]


class CellValue(Entry):
    """One attribute of a cell line."""

    value: Finite
    source: Identifier
    locator: str
    quality: Quality
    spread: str = ""
    note: str = ""


class CellFile(Entry):
    """A cell line or a cell of the user's own (data/cells/*.yaml); what is not given is as in the reference cell."""

    id: Identifier
    name: str
    aliases: tuple[str, ...] = ()
    her2_amplified: bool
    describes: str
    receptors: dict[Identifier, CellValue] = {}
    genotype: dict[Identifier, CellValue] = {}
    ligands: dict[Identifier, CellValue] = {}
    curated: Curated | None = None
    note: str = ""


class SwitchSetting(Entry):
    """What a switch does to one attribute: moves it to a value, or multiplies it, at grade 1."""

    attribute: Identifier
    to: Finite | None = None
    factor: Finite | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one(self) -> SwitchSetting:
        if (self.to is None) == (self.factor is None):
            raise ValueError("give either 'to' or 'factor'")
        return self


class Disabled(Entry):
    """An action of an agent that a switch takes away (grade 1 = absent)."""

    agent: Identifier
    action: str
    target: str = ""


class Switch(Entry):
    """A named, graded switch for a mechanism of the record."""

    id: SwitchName
    mechanism: Identifier
    label: str
    why: str
    grade: str = "0 as in the cell, 1 in full"
    level: Literal["cell", "cohort"] = "cell"
    sets: tuple[SwitchSetting, ...] = ()
    parameters: dict[Identifier, Finite] = Field(
        default={}, description="parameters multiplied by this factor at grade 1"
    )
    disables: tuple[Disabled, ...] = ()
    adds: dict[Identifier, Literal["clinical"]] = Field(default={}, description="agents given at grade 1")
    not_a_switch: str = Field(default="", description="reason why no attribute can express the mechanism")
    claims: tuple[Identifier, ...] = ()

    @model_validator(mode="after")
    def _does_something(self) -> Switch:
        acts = bool(self.sets or self.parameters or self.disables or self.adds)
        if acts == bool(self.not_a_switch):
            raise ValueError(
                "give what the switch does (sets, parameters, disables, adds) or not_a_switch with the reason"
            )
        return self


class SwitchFile(Entry):
    """All switches (data/network/switches.yaml)."""

    id: Identifier
    switches: tuple[Switch, ...]


class Members(Entry):
    """Which virtual patients a cohort experiment takes."""

    line: Literal[1, 2, 3] = 1
    setting: Literal["metastatic", "neoadjuvant", "adjuvant"] = "metastatic"
    select: dict[Identifier, tuple[Finite, Finite]] = {}
    set: dict[Identifier, Finite] = {}
    prior: tuple[tuple[Identifier, ...], ...] = Field(default=(), description="agents of each earlier line")
    brain: Literal["treated", "untreated"] = Field(
        default="treated",
        description="measured brain metastases: progressing after treatment, with the clones of the other sites, or "
        "not treated before, with the clones of the tumour at its start",
    )
    patients: int = Field(default=200, ge=20, le=2000)


class Condition(Entry):
    """One arm or one cell of an experiment; a key left out is as in `base`, then as in the reference cell."""

    cell: Identifier | None = None
    set: dict[Identifier, Finite] = {}
    switches: dict[SwitchName, Finite] = {}
    drugs: dict[Identifier, Finite | Literal["clinical"]] = {}
    ligands: dict[Identifier, Finite] = {}
    compartment: Literal["culture", "tumour", "cns"] | None = None
    days: Finite | None = Field(default=None, ge=0, le=365)
    untreated_reference: str | None = Field(
        default=None, description="condition whose untreated state adaptation starts from"
    )
    parameters: dict[Identifier, Finite] = Field(
        default={}, description="values that replace parameters, to cut an edge"
    )
    # cohort only
    where: dict[Identifier, tuple[Finite, Finite]] = {}
    split: dict[Identifier, Literal["high", "low"]] = Field(
        default={}, description="half of the cohort above or below the median"
    )
    dose_intensity: dict[Identifier, Finite] = {}
    chemo_cycles: int | None = Field(default=None, ge=1, le=60)
    cross_over: dict[Identifier, Literal["clinical"]] = {}


class Statistic(Entry):
    """What is computed from the readouts of the conditions."""

    kind: Literal["value", "difference", "log_ratio", "interaction", "bliss", "hsa"]
    of: tuple[str, ...]

    @model_validator(mode="after")
    def _count(self) -> Statistic:
        needs = {"value": 1, "difference": 2, "log_ratio": 2, "interaction": 4, "bliss": 4, "hsa": 4}[
            self.kind
        ]
        if len(self.of) != needs:
            raise ValueError(f"'{self.kind}' needs {needs} conditions, got {len(self.of)}")
        return self


class Expectation(Entry):
    """What the claim says of the statistic."""

    relation: Literal["greater", "less", "none", "between"]
    low: Finite | None = None
    high: Finite | None = None
    patients: int | None = Field(
        default=None,
        ge=10,
        description="size of the study behind a null result, where its record does not give it",
    )

    @model_validator(mode="after")
    def _range(self) -> Expectation:
        given = sum(limit is not None for limit in (self.low, self.high))
        if given != (2 if self.relation == "between" else 0):
            raise ValueError("'between' needs low and high; the others take none")
        return self


class Experiment(Entry):
    """How a claim is run on the model, or the reason why it is not."""

    claim: Identifier
    role: Literal["none", "structure", "calibration"] = "none"
    system: Literal["cell", "cohort"] = "cell"
    base: Condition = Condition()
    population: Members = Members()
    conditions: dict[Identifier, Condition] = {}
    readout: str = ""
    statistic: Statistic | None = None
    expect: Expectation | None = None
    why: str = ""
    not_covered: str = ""
    opposes: tuple[Identifier, ...] = Field(
        default=(),
        description="claims of the record that say the contrary, so that no model can reproduce both",
    )

    @model_validator(mode="after")
    def _runs_or_says_why_not(self) -> Experiment:
        runs = bool(self.conditions and self.readout and self.statistic and self.expect and self.why)
        if runs == bool(self.not_covered):
            raise ValueError(
                "give conditions, readout, statistic, expect and why, or not_covered with the reason"
            )
        if self.statistic is not None:
            for name in self.statistic.of:
                if name not in self.conditions:
                    raise ValueError(
                        f"statistic: no condition '{name}' (conditions: {', '.join(self.conditions)})"
                    )
        return self


class ExperimentFile(Entry):
    """One file per topic (data/experiments/*.yaml)."""

    id: Identifier
    experiments: tuple[Experiment, ...]


def _parameter_name(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("expected the id of a parameter, whose entry gives value, unit and source")
    return value


ParameterName = Annotated[Identifier, BeforeValidator(_parameter_name)]


class NetworkInput(Entry):
    """An input of the pathway layer."""

    id: Identifier
    label: str
    half_saturated: bool = False
    population: Finite | None = Field(default=None, ge=0, le=1, description="value that all patients share")


class Inhibitor(Entry):
    """A node that holds a reaction back."""

    node: Identifier
    weight: ParameterName


class Reaction(Entry):
    """One edge of the pathway layer: activators AND NOT inhibitors, with a weight and the claims it stands on."""

    activators: tuple[Identifier, ...]
    inhibitors: tuple[Inhibitor, ...] = ()
    weight: ParameterName
    claims: tuple[Identifier, ...] = ()

    @property
    def name(self) -> str:
        """Sources of the edge: `pip3+inpp4b_loss`, with `-` before inhibitors."""
        return "+".join(self.activators) + "".join(f"-{i.node}" for i in self.inhibitors)


class NetworkNode(Entry):
    """A node of the pathway layer: the OR of its reactions."""

    id: Identifier
    time_constant: ParameterName
    hill: dict[Literal["n", "ec50"], ParameterName] = {}
    linear: tuple[Identifier, ...] = ()
    reactions: tuple[Reaction, ...]
    shown_only: str = Field(default="", description="why the node is there although nothing depends on it")

    @model_validator(mode="after")
    def _has_a_reaction(self) -> NetworkNode:
        if not self.reactions:
            raise ValueError("a node needs at least one reaction")
        return self


class SlowStateEntry(Entry):
    """An adaptation of days to weeks."""

    id: Identifier
    driver: Identifier
    follows: Literal["rise", "fall"] = "rise"
    time_constant: ParameterName
    acts_on: dict[Literal["receptor", "input"], Identifier]
    gain: ParameterName
    claims: tuple[Identifier, ...] = ()

    @model_validator(mode="after")
    def _one_target(self) -> SlowStateEntry:
        if len(self.acts_on) != 1:
            raise ValueError("acts_on: expected one receptor or one input")
        return self


class PathwayFile(Entry):
    """The pathway layer (data/network/pathway.yaml)."""

    id: Identifier
    inputs: tuple[NetworkInput, ...]
    hill_defaults: dict[Literal["n", "ec50"], ParameterName]
    nodes: tuple[NetworkNode, ...]
    slow_states: tuple[SlowStateEntry, ...] = ()
    outputs: dict[Identifier, Identifier]


class Species(Entry):
    """A receptor that pairs up."""

    id: Identifier
    gene: str
    hgnc: str
    uniprot: str
    antibody_epitope: bool
    label: str = ""


class DownRegulation(Entry):
    """Receptor that a bound antibody takes from the surface."""

    antibody: Identifier
    species: Identifier
    fraction: ParameterName
    claims: tuple[Identifier, ...] = ()


class Channel(Entry):
    """A way in which a dimer forms, and what blocks it."""

    strength: ParameterName
    ligand: Identifier | None = None
    block: dict[Identifier, ParameterName]


class Dimer(Entry):
    """A pair of receptors and what it recruits."""

    id: Identifier
    pair: tuple[Identifier, Identifier]
    kinase: dict[Identifier, Finite]
    pi3k: ParameterName
    ras: ParameterName
    src: ParameterName | None = None
    claims: tuple[Identifier, ...] = ()
    channels: tuple[Channel, ...]

    @model_validator(mode="after")
    def _has_a_channel(self) -> Dimer:
        if not self.channels:
            raise ValueError("a dimer needs at least one channel")
        return self


class ReceptorsFile(Entry):
    """The receptor layer (data/network/receptors.yaml)."""

    id: Identifier
    species: tuple[Species, ...]
    ligands: tuple[Identifier, ...]
    antibodies: tuple[Identifier, ...]
    kinases: tuple[Identifier, ...]
    downregulation: tuple[DownRegulation, ...] = ()
    dimers: tuple[Dimer, ...]
    reference_cell: dict[str, str]


Factor = Annotated[Finite, Field(ge=0, le=1000)]
Share = Annotated[Finite, Field(ge=0, le=1)]


class Genotype(Entry):
    """What distinguishes the cells of a clone from the patient's own genotype."""

    id: Identifier
    label: str
    her2_factor: Factor = 1.0
    egfr_factor: Factor = 1.0
    bypass_added: Factor = 0.0
    pten_factor: Factor = 1.0
    pik3ca_added: Factor = 0.0
    p95_share: Share = 0.0
    claims: tuple[Identifier, ...] = ()


class Clone(Entry):
    """A clone; `fraction` says how its share of an untreated tumour is drawn, and is left out for the first."""

    id: Identifier
    genotype: Identifier
    cost: Factor
    mdr: bool
    effector_factor: Factor = 1.0
    endocrine_factor: Factor = 1.0
    fraction: Literal["", "clone", "mdr", "double"] = ""
    claims: tuple[Identifier, ...] = ()


class ClonesFile(Entry):
    """The clones of a tumour (data/network/clones.yaml)."""

    id: Identifier
    genotypes: tuple[Genotype, ...] = Field(min_length=1)
    clones: tuple[Clone, ...] = Field(min_length=1)
    source: Identifier
    locator: str
    quality: Quality

    @model_validator(mode="after")
    def _consistent(self) -> ClonesFile:
        for kind, ids in (
            ("genotypes", [g.id for g in self.genotypes]),
            ("clones", [c.id for c in self.clones]),
        ):
            if len(set(ids)) != len(ids):
                raise ValueError(f"{kind}: two have the same id among {', '.join(ids)}")
        if [bool(c.fraction) for c in self.clones] != [k > 0 for k in range(len(self.clones))]:
            raise ValueError("clones: expected a fraction for every clone but the first, which is the rest")
        names = {c.id for c in self.clones}
        for clone in self.clones:
            parent = "bypass" if clone.id.startswith("bypass") else "pi3k_hit"
            if clone.fraction == "double" and not {parent, "mdr"} <= names:
                raise ValueError(
                    f"clones.{clone.id}: its fraction follows from the clones {parent} and mdr, give both"
                )
        return self


NETWORK_FILES: dict[str, type[Entry]] = {
    "attributes": AttributeFile, "switches": SwitchFile, "pathway": PathwayFile, "receptors": ReceptorsFile,
    "clones": ClonesFile,
}  # fmt: skip
"""Files of data/network that have a model."""

SECTIONS: dict[str, tuple[str, ...]] = {
    "receptors": ("receptor",),
    "ligands": ("ligand",),
    "genotype": ("her2_form", "pathway", "phenotype", "hormone", "surroundings"),
}
"""Kinds of attributes that each section of a cell file takes."""

# What follows repeats names that the code of the cell model gives; tests compare the two.
NETWORK_INPUTS = (
    "pi3k_recruitment", "ras_recruitment", "src_recruitment", "igf1r", "met", "epha2", "epor", "beta2_ar",
    "antibody_bound", "src_level", "pik3ca", "pten", "inpp4b_loss", "akt1", "t_darpp", "er", "cyclin_e", "p27_loss",
    "bim_level", "bcl2_level", "ptk6", "apoptosis_block",
)  # fmt: skip
"""Inputs of the pathway layer to which a cell gives a value."""

READ_NODES = ("akt", "apoptosis", "cell_cycle", "vegf")
"""Nodes of the pathway layer that the phenotype reads."""

ACTION_INPUTS = (
    "igf1r", "met", "beta2_ar", "epor", "epha2", "er", "estradiol", "src", "egf", "heregulin", "igf1", "hgf",
    "catecholamine", "erythropoietin",
)  # fmt: skip
"""Targets of an action on `input`: attributes of receptors and ligands that feed the network."""

CHECKPOINTS = ("pdl1", "ctla4")
"""Targets of an action on `checkpoint`."""

READOUTS = (
    "surface_her2", "serum_ecd", "igf1r", "met", "recruitment_pi3k", "recruitment_ras", "her2_activity",
    "egfr_activity", "apoptosis_signal", "free_vegf", "proliferation", "apoptosis", "effector_kill", "tcell_kill",
    "payload_kill", "cytotoxic_kill", "angiogenic_loss", "apoptotic_kill", "net_growth", "mean_growth",
    "untreated_growth", "growth_inhibition",
)  # fmt: skip
"""Readouts of a cell beside the species, dimers, inputs (`input_...`), nodes and slow states of the network files.

The node `apoptosis` is read as `apoptosis_signal`; `apoptosis` is the phenotype relative to the reference cell.
"""

COHORT_READOUTS = (
    "orr", "cbr", "pfs_median", "pfs_hr", "os_median", "os_hr", "pcr", "dfs_hr", "cns_orr", "cns_hazard", "burden",
    "nonresponder_share", "progressed_share", "prevalence",
)  # fmt: skip
"""Readouts of a cohort."""
