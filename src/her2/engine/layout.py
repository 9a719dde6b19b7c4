"""The engine's view of patients, drugs and results: which row of which array holds what.

Arrays are structures of arrays, the patient axis last and contiguous, so that one patient sits in one SIMD lane.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MAX_DRIVERS = 3
"""Network values that drive slow states in the kernel (FOXO, S6K and PKA)."""
LANES = 64
"""Patients per block; the innermost loops run over them."""
STEP_DAYS = 7.0
"""Length of one engine step, day."""
SYSTEMIC, CNS = 0, 1
N_SITES = 2
MAX_VISITS = 64
"""Scans kept per patient in the trial line."""
MAX_LINES = 12
"""Lines of therapy kept per patient, prior lines included."""


class Attribute(IntEnum):
    """Rows of the patient array; units in the comment."""

    EGFR = 0  # 1e6 receptors/cell
    HER2 = 1  # 1e6 receptors/cell, with p95
    HER3 = 2  # 1e6 receptors/cell
    P95_SHARE = 3  # 1
    EGF = 4  # relative
    HEREGULIN = 5  # relative
    BYPASS = 6  # relative
    PIK3CA = 7  # 0 or 1
    PTEN = 8  # 0 to 1
    ER = 9  # relative, 0 for ER-negative
    CYCLIN_E = 10  # 0 or 1
    BIM = 11  # relative
    INDEPENDENT = 12  # share of drive outside the network, 0 to 1
    EFFECTOR = 13  # relative
    GROWTH = 14  # 1/day
    LOG_BURDEN = 15  # ln cells at first metastatic therapy
    FRAILTY = 16  # relative
    BASELINE_SUM = 17  # mm, sum of target lesions at first metastatic therapy
    CNS_SEED = 18  # ln cells, -99 for none
    WEIGHT = 19  # kg
    BSA = 20  # m2
    BACKGROUND_DEATH = 21  # 1/day
    ER_POSITIVE = 22  # 0 or 1
    ECOG = 23  # 0 or 1
    AGE = 24  # year
    VISCERAL = 25  # 0 or 1
    LIVER = 26  # 0 or 1
    ADJUVANT_TRASTUZUMAB = 27  # 0 or 1
    ADJUVANT_CHEMOTHERAPY = 28  # 0 or 1
    PDL1 = 29  # 0 or 1, PD-1/PD-L1 axis engaged
    START_BURDEN = 30  # ln cells before neoadjuvant therapy, or left after surgery
    CLONE_FRACTION = 31  # ln fraction of clone 1; clones 2.. follow


N_CLONE_ROWS = 9
N_ATTRIBUTES = int(Attribute.CLONE_FRACTION) + N_CLONE_ROWS


class Signal(IntEnum):
    """Rows of the input array of one signalling evaluation in the population kernel without further network inputs.

    In general the rows are receptors, ligands, network inputs that do not come from receptors, antibodies' occupancies
    and slow states, each in the order of the layers.
    """

    EGFR = 0
    HER2 = 1  # full length
    HER3 = 2
    P95 = 3
    EGF = 4
    HEREGULIN = 5
    BYPASS = 6
    PIK3CA = 7
    PTEN = 8
    ER = 9
    CYCLIN_E = 10
    BIM = 11
    TRASTUZUMAB = 12  # occupancy
    PERTUZUMAB = 13  # occupancy
    SLOW = 14  # slow states follow


class Status(IntEnum):
    """Why the simulation of a patient ended, or failed. Values from FAILED_RATE on are failures."""

    RUNNING = 0
    DEAD = 1
    HORIZON = 2
    NOT_ENROLLED_DEAD = 3
    NOT_ENROLLED_NO_PROGRESSION = 4
    NOT_ENROLLED_BRAIN = 5  # brain metastases, in a trial that excludes them
    FAILED_RATE = 10  # a net rate was not finite
    FAILED_BURDEN = 11  # a burden was not finite
    FAILED_EXPOSURE = 12  # a concentration was negative or not finite


FIRST_FAILURE = 10


class ReceptorArrays(NamedTuple):
    """`signalling.receptors.ReceptorLayer` as plain arrays for compiled code."""

    n_ligands: int
    dimer_first: Index
    dimer_second: Index
    channel_dimer: Index
    channel_ligand: Index
    channel_strength: Array
    channel_block: Array  # (channels, antibodies)
    downregulation: Array  # (antibodies, species)
    recruitment: Array  # (recruited, dimers); PI3K and RAS relative to the reference cell
    dimer_kinase: Array  # (dimers, kinases)
    her2: int  # which receptor is full-length HER2


class NetworkArrays(NamedTuple):
    """`signalling.network.Network` as plain arrays for compiled code."""

    n_inputs: int
    half_saturated: Index
    reaction_start: Index
    reaction_weight: Array
    activator_start: Index
    activator_hill: Index
    inhibitor_start: Index
    inhibitor_hill: Index
    inhibitor_weight: Array
    hill_source: Index
    hill_n: Array
    hill_beta: Array
    hill_kappa: Array
    first_hill: Index  # (nodes + 1,) Hill evaluations that become possible after each node
    slow_receptor: Index
    slow_input: Index
    slow_gain: Array
    slow_tau: Array  # day
    slow_driver: Index  # which of the drivers each slow state follows
    slow_sign: Array  # 1 follows its rise, -1 its fall
    driver_node: Index  # (drivers,) network values that drive adaptation; MAX_DRIVERS of them for the kernel
    out_proliferation: int
    out_apoptosis: int
    out_survival: int
    out_vegf: int  # that of proliferation where no drug hits VEGF


class InputArrays(NamedTuple):
    """Network inputs of a virtual patient that do not come from receptors, in the network's order."""

    attribute: Index  # (inputs,) row of `Attribute`, -1 where all patients share the level
    level: Array  # (inputs,) that level, before half-saturation


REFRESH = 0.0005
"""Largest change of an occupancy, or of what drugs leave of a target, for which signals are not evaluated anew."""
REFRESH_SLOW = 0.001
"""The same for a slow state."""


class Constants(NamedTuple):
    """Scalars of the tumour, observation and death layers."""

    cell_cycle_reference: float  # network value in the untreated reference cell
    bim_reference: float
    turnover: float  # loss rate in units of the net growth rate
    apoptosis_kill: float  # 1/day per unit apoptotic drive
    effector_kill: float  # 1/day
    fc_half: float  # 1e6 Fc/cell
    fc_weight_pertuzumab: float  # 1
    chemo_synergy: float  # 1
    chemo_cycle_exponent: float  # 1
    line_tolerance: float  # exponent of (1 + courses of six cycles)
    immune_tolerance: float  # 1 per six cycles of an antibody with an Fc part
    er_drive: float  # share of the drive outside the network that falls with ER
    er_withdrawal_kill: float  # 1/day
    mdr_factor: float  # remaining kill in a multidrug-resistant clone
    log_floor: float  # ln cells
    replenish: float  # ln of the smallest fraction of the initial clone
    payload_half: float  # 1e6 receptors/cell, bound HER2 at half of the largest uptake
    payload_exponent: float  # 1
    angiogenesis_share: float  # share of growth that hangs on VEGF
    tcell_share: float  # share of antibody-dependent kill that T cells give
    tcell_kill: float  # 1/day, T cells without antibody
    pdl1_brake: float  # share of T-cell kill stopped by the engaged PD-1/PD-L1 axis
    new_lesion_hazard: float  # 1/day at the initial burden
    new_lesion_exponent: float
    death_hazard: float  # 1/day at the reference burden
    death_exponent: float
    death_line_rise: float  # rise of the log hazard of death with each line
    death_reference: float  # ln cells
    cns_death_weight: float
    cns_death_reference: float  # ln cells
    cns_seed_hazard: float  # 1/day at 1e10 cells
    cns_seed_exponent: float
    cns_effector: float  # effector kill in the CNS relative to elsewhere
    cns_detectable: float  # ln cells
    cns_local_log_kill: float  # ln
    cns_seed_cells: float  # ln cells
    scan_error: float  # SD of ln(sum)
    measurable_floor: float  # mm
    line_gap_weeks: float  # weeks between progression and next line
    cns_entry: float  # ln cells above the detectable burden of brain metastases that a trial asks for, median
    cns_entry_sd: float
    cns_response: float  # ln of the share of the volume of brain metastases at a response
    pcr: float  # ln cells below which no tumour is found at surgery
    relapse: float  # ln cells at which a relapse after surgery is found
    refresh: float = REFRESH
    refresh_slow: float = REFRESH_SLOW


class CloneArrays(NamedTuple):
    """Clones of the tumour: which signalling genotype each has, its cost and its chemotherapy resistance."""

    genotype: Index  # (clones,)
    cost: Array  # (clones,)
    mdr: Array  # (clones,) 0 or 1
    effector_factor: Array  # (clones,) share of antibody-dependent kill left
    endocrine_factor: Array  # (clones,) share of what the loss of ER does outside the network
    her2_factor: Array  # (genotypes,)
    egfr_factor: Array
    bypass_added: Array
    pten_factor: Array
    pik3ca_added: Array
    p95_share: Array  # share of HER2 without extracellular domain, at least


class RegimenArrays(NamedTuple):
    """Regimens: what is given in each week of a line; the first axis counts regimens, the second drugs."""

    loading: Array  # amount of the very first dose; 0 where there is none
    amount: Array  # amount per dose
    unit: Index  # 0 mg, 1 mg/kg, 2 mg/m2
    cycle_weeks: Index  # length of the cycle, 0 where the drug is not given
    doses_in_week: Array  # (regimens, drugs, weeks of the cycle)
    max_cycles: Array  # cycles given at most
    start_week: Index  # week of the line in which the drug is first given
    scan_weeks: Index  # (regimens,)


class DrugArrays(NamedTuple):
    """Drugs the engine gives, and what they do.

    A drug's level is its plasma concentration in the middle of the week (antibodies and conjugates, mg/L) or the mean
    of the week at its effect site relative to the label exposure (all others). A *hit* is what the drugs of one target
    leave of it: the antibodies' occupancies come first, then kinases, nodes, inputs and receptors, then what acts on
    rates only.
    """

    in_plasma: Index  # (drugs,) 1 for two compartments in plasma, 0 for an effect site
    ke0: Array  # (drugs,) 1/day, effect site
    kill: Array  # (drugs,) 1/day at the label exposure, 0 for drugs that are not cytotoxic
    mdr_exponent: Array  # (drugs,)
    cns_partition: Array  # (drugs,) of cytotoxic kill
    action_drug: Index  # (actions,)
    action_hit: Index  # (actions,)
    action_ratio: (
        Array  # (sites, actions) concentration over its half-maximal one, per unit of the drug's level
    )
    action_max: Array  # (actions,)
    action_covalent: Index  # (actions,)
    hit_kind: Index  # (hits,) see `Hit`
    hit_target: Index  # (hits,) epitope, kinase, node, row of the inputs or receptor
    n_signal_hits: int  # hits that change signals come first
    fc_action: Index  # (effectors,) action on the epitope by which an Fc part is brought to the cell
    fc_weight: Array  # (effectors,)
    fc_drug: Index  # (effectors,)
    payload_action: Index  # (payloads,) action by which a conjugate binds
    payload_kill: Array  # (payloads,) 1/day
    payload_mdr: Array  # (payloads,)
    payload_drug: Index  # (payloads,)
    variant_drug: Index  # drugs that change signals, each alone in the null model


class Hit(IntEnum):
    """Kinds of targets."""

    OCCUPANCY = 0
    KINASE = 1
    NODE = 2
    INPUT = 3
    RECEPTOR = 4
    OWN = 5  # binding of a conjugate that blocks no epitope
    VEGF = 6
    PDL1 = 7


class Setting(IntEnum):
    """What the trial line is."""

    METASTATIC = 0
    NEOADJUVANT = 1
    ADJUVANT = 2


class BrainEntry(IntEnum):
    """Brain metastases at entry."""

    ANY = 0
    NONE = 1
    UNTREATED = 2
    TREATED = 3


class CourseArrays(NamedTuple):
    """Which regimen each line uses: prior lines, the trial arm, then later lines by probability.

    The first axis counts the ways patients of one arm may go: their earlier lines and the physician's choice.
    """

    entry_line: Index  # (ways,) number of prior lines
    prior_regimen: Index  # (ways, prior lines)
    trial_regimen: Index  # (ways,)
    later_probability: Array  # (ways, later lines, options) cumulative; the rest is no further therapy
    later_regimen: Index  # (ways, later lines, options)
    horizon_weeks: int  # after entry into the trial
    prior_limit_weeks: int  # a prior line that lasts longer ends the simulation: not enrolled
    setting: int = 0  # see `Setting`
    brain_entry: int = 0  # see `BrainEntry`
    surgery_week: int = 0  # neoadjuvant: week of surgery


class Outcome(IntEnum):
    """Rows of the result array; times in days from entry into the trial line."""

    PROGRESSION = 0  # scan-dated RECIST progression, inf if none
    DEATH = 1  # inf if none before the horizon
    NEW_LESION = 2  # onset of the first new lesion in the trial line, inf if none
    CNS_PROGRESSION = 3  # first CNS progression, inf if none
    CNS_FIRST = 4  # 1 if CNS was the only site of first progression
    BEST_SUM = 5  # smallest observed sum / baseline, 1 if never scanned
    CONFIRMED_RESPONSE = 6  # day of first visit of a confirmed response, inf if none
    UNCONFIRMED_RESPONSE = 7
    LINES = 8  # lines started, trial line and later
    LAST_SEEN = 9  # end of follow-up by the engine
    BASELINE_SUM = 10  # mm, observed
    LOG_BURDEN_END = 11  # ln cells when the simulation ended
    CHEMO_CYCLES = 12  # cycles of chemotherapy in the trial line
    STATUS = 13
    LOG_BURDEN_ENTRY = 14  # ln cells at entry into the trial line
    RESISTANT_AT_PROGRESSION = 15  # share of cells outside clone 0 at progression, NaN if none
    ENTRY_DAY = 16  # day of entry since the first metastatic therapy
    CONFIRMED_ON = 17  # day of the visit that confirmed the response, inf if none
    CNS_BASELINE = 18  # ln cells in the brain at entry, NaN if none
    CNS_RESPONSE = 19  # day of the first scan on which brain metastases had shrunk enough, inf if none
    COMPLETE = 20  # neoadjuvant: 1 if no tumour was found at surgery, else 0


N_OUTCOMES = len(Outcome)
