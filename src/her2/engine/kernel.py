"""The population kernel: patients in lanes, one week per step, from first dose to death.

Per block of `LANES` patients: pharmacokinetics, occupancy, signalling where something changed, net rates, clone
burdens, hazards, scans, and the change of line at progression. Signalling is evaluated only for the (patient,
genotype, site) whose occupancies or slow states have moved since the same week of the last cycle; these are gathered
into full blocks of lanes first, so that the arithmetic stays in SIMD lanes although patients are in different lines.
Times are in days from entry into the trial line.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from her2.engine.layout import (
    CNS,
    LANES,
    MAX_LINES,
    MAX_VISITS,
    N_CLONE_ROWS,
    N_OUTCOMES,
    N_SITES,
    STEP_DAYS,
    SYSTEMIC,
    Attribute,
    BrainEntry,
    Hit,
    Outcome,
    Setting,
    Status,
)
from her2.engine.rng import Purpose, normal, uniform
from her2.engine.signals import (
    N_SIGNAL_OUTPUTS,
    OUT_APOPTOSIS,
    OUT_DRIVER,
    OUT_PROLIFERATION,
    OUT_SURFACE,
    OUT_SURVIVAL,
    OUT_VEGF,
    evaluate_block,
    scratch,
)
from her2.engine.vecmath import exp, log

PHASES = 3
"""Weeks of the dosing cycle: each week of the cycle keeps its own signals, so that a steady cycle needs no new ones."""
N_CLONES = N_CLONE_ROWS + 1
SURVIVAL_FLOOR = 1e-6
"""Added to the untreated survival signal before dividing by it; a cell without any has nothing to lose."""
PK_STEPS = 8
"""Steps of the antibodies' pharmacokinetics in a week, even; two leave errors of 10 % in patients with a low Km."""
UNSEEDED = -50.0
MAX_LOG_BURDEN = 30.0
"""ln cells (1e13): no patient lives with more; growth stops there so that numbers stay finite."""

A_EGFR = int(Attribute.EGFR)
A_HER2 = int(Attribute.HER2)
A_HER3 = int(Attribute.HER3)
A_P95 = int(Attribute.P95_SHARE)
A_ER = int(Attribute.ER)
A_EGF = int(Attribute.EGF)
A_HEREGULIN = int(Attribute.HEREGULIN)
A_BYPASS = int(Attribute.BYPASS)
A_PIK3CA = int(Attribute.PIK3CA)
A_PTEN = int(Attribute.PTEN)
A_PDL1 = int(Attribute.PDL1)
A_START = int(Attribute.START_BURDEN)
A_INDEPENDENT = int(Attribute.INDEPENDENT)
A_EFFECTOR = int(Attribute.EFFECTOR)
A_GROWTH = int(Attribute.GROWTH)
A_BURDEN = int(Attribute.LOG_BURDEN)
A_FRAILTY = int(Attribute.FRAILTY)
A_SUM = int(Attribute.BASELINE_SUM)
A_CNS_SEED = int(Attribute.CNS_SEED)
A_WEIGHT = int(Attribute.WEIGHT)
A_BSA = int(Attribute.BSA)
A_BACKGROUND = int(Attribute.BACKGROUND_DEATH)
A_FRACTION = int(Attribute.CLONE_FRACTION)
H_OCCUPANCY = int(Hit.OCCUPANCY)
H_KINASE = int(Hit.KINASE)
H_NODE = int(Hit.NODE)
H_INPUT = int(Hit.INPUT)
H_OWN = int(Hit.OWN)
H_VEGF = int(Hit.VEGF)
H_PDL1 = int(Hit.PDL1)
METASTATIC = int(Setting.METASTATIC)
NEOADJUVANT = int(Setting.NEOADJUVANT)
ADJUVANT = int(Setting.ADJUVANT)
BRAIN_NONE = int(BrainEntry.NONE)
BRAIN_UNTREATED = int(BrainEntry.UNTREATED)
P_EVENT = int(Purpose.EVENT)
P_SCAN = int(Purpose.SCAN)
P_SEQUENCE = int(Purpose.SEQUENCE)
O_PROGRESSION = int(Outcome.PROGRESSION)
O_DEATH = int(Outcome.DEATH)
O_NEW = int(Outcome.NEW_LESION)
O_CNS = int(Outcome.CNS_PROGRESSION)
O_CNS_FIRST = int(Outcome.CNS_FIRST)
O_BEST = int(Outcome.BEST_SUM)
O_CONFIRMED = int(Outcome.CONFIRMED_RESPONSE)
O_UNCONFIRMED = int(Outcome.UNCONFIRMED_RESPONSE)
O_LINES = int(Outcome.LINES)
O_LAST = int(Outcome.LAST_SEEN)
O_BASELINE = int(Outcome.BASELINE_SUM)
O_END = int(Outcome.LOG_BURDEN_END)
O_CYCLES = int(Outcome.CHEMO_CYCLES)
O_STATUS = int(Outcome.STATUS)
O_ENTRY_BURDEN = int(Outcome.LOG_BURDEN_ENTRY)
O_RESISTANT = int(Outcome.RESISTANT_AT_PROGRESSION)
O_ENTRY_DAY = int(Outcome.ENTRY_DAY)
O_CONFIRMED_ON = int(Outcome.CONFIRMED_ON)
O_CNS_BASELINE = int(Outcome.CNS_BASELINE)
O_CNS_RESPONSE = int(Outcome.CNS_RESPONSE)
O_COMPLETE = int(Outcome.COMPLETE)
S_RUNNING = int(Status.RUNNING)
S_DEAD = int(Status.DEAD)
S_HORIZON = int(Status.HORIZON)
S_NE_DEAD = int(Status.NOT_ENROLLED_DEAD)
S_NE_PD = int(Status.NOT_ENROLLED_NO_PROGRESSION)
S_NE_BRAIN = int(Status.NOT_ENROLLED_BRAIN)
S_BAD_RATE = int(Status.FAILED_RATE)
S_BAD_BURDEN = int(Status.FAILED_BURDEN)
S_BAD_EXPOSURE = int(Status.FAILED_EXPOSURE)
CONFIRM_DAYS = 28.0
CHEMO_WEEK = 7.0 / 126.0
"""Share of a course of six three-weekly cycles, the unit of tolerance, in a week of chemotherapy."""
BRAIN_GROWTH = 0.1823215567939546
"""ln 1.2: growth of the diameter of measured brain metastases that counts as progression."""
SWITCH_NONE, SWITCH_PROGRESSION = 0, 1


@njit(forceinline=True, error_model="numpy")
def pk_step(central, peripheral, cl, vc, q, vp, vmax, km, dt):
    """Two compartments with linear and saturable elimination, one step of exact exponentials.

    Elimination is frozen at the concentration predicted for the middle of the step (second order in dt).
    Amounts in mg, volumes in L, clearances in L/day, vmax in mg/day, km in mg/L, dt in day.
    """
    half_c, _ = _linear_pk(central, peripheral, cl + vmax / (km + central / vc), vc, q, vp, 0.5 * dt)
    return _linear_pk(central, peripheral, cl + vmax / (km + half_c / vc), vc, q, vp, dt)


@njit(forceinline=True, error_model="numpy")
def _linear_pk(central, peripheral, cl, vc, q, vp, dt):
    """Exact solution of the linear two-compartment model over dt."""
    k10 = cl / vc
    k12 = q / vc
    k21 = q / vp
    s = k10 + k12 + k21
    root = np.sqrt(max(s * s - 4.0 * k10 * k21, 1e-300))
    alpha = 0.5 * (s + root)
    beta = k10 * k21 / alpha
    ea = exp(-alpha * dt)
    eb = exp(-beta * dt)
    c = ((alpha - k21) * ea + (k21 - beta) * eb) / root * central + k21 * (eb - ea) / root * peripheral
    p = k12 * (eb - ea) / root * central + ((k21 - beta) * ea + (alpha - k21) * eb) / root * peripheral
    return c, p


@njit(cache=True, nogil=True, error_model="numpy")
def saturable_week(central, peripheral, course, pk):
    """A week with saturable elimination.

    central, peripheral : (LANES,), mg; pk : (6, LANES)
    course : (PK_STEPS + 1, LANES), mg/L in the central compartment from the beginning to the end of the week
    """
    for i in range(LANES):
        course[0, i] = max(central[i], 0.0) / pk[1, i]
    for step in range(PK_STEPS):
        for i in range(LANES):
            central[i], peripheral[i] = pk_step(
                central[i], peripheral[i], pk[0, i], pk[1, i], pk[2, i], pk[3, i], pk[4, i], pk[5, i],
                STEP_DAYS / PK_STEPS,
            )  # fmt: skip
            course[step + 1, i] = max(central[i], 0.0) / pk[1, i]


@njit(cache=True, nogil=True, error_model="numpy")
def linear_week(central, peripheral, course, pk, exact):
    """A week with linear elimination; exact : (4, LANES) is the solution over one step."""
    for i in range(LANES):
        course[0, i] = max(central[i], 0.0) / pk[1, i]
    for step in range(PK_STEPS):
        for i in range(LANES):
            c, p = central[i], peripheral[i]
            central[i] = exact[0, i] * c + exact[1, i] * p
            peripheral[i] = exact[2, i] * c + exact[3, i] * p
            course[step + 1, i] = max(central[i], 0.0) / pk[1, i]


@njit(cache=True, nogil=True, error_model="numpy")
def linear_step(pk, exact):
    """The exact solution over one step for linear elimination, (4, LANES)."""
    for i in range(LANES):
        cl, vc, q, vp = pk[0, i], pk[1, i], pk[2, i], pk[3, i]
        exact[0, i], exact[2, i] = _linear_pk(1.0, 0.0, cl, vc, q, vp, STEP_DAYS / PK_STEPS)
        exact[1, i], exact[3, i] = _linear_pk(0.0, 1.0, cl, vc, q, vp, STEP_DAYS / PK_STEPS)


@njit(cache=True, nogil=True, error_model="numpy")
def mean_ratio(course, potency, bound, ratio):
    """The steady concentration over its half-maximal one that binds as much as a course of a week does on average.

    Simpson's rule over the steps of the week for what is bound and what is left free; their ratio is the answer.

    course : (PK_STEPS + 1, LANES), mg/L; potency : 1 over the half-maximal concentration, L/mg
    bound : (LANES,), scratch; ratio : (LANES,), result
    """
    for i in range(LANES):
        bound[i] = 0.0
        ratio[i] = 0.0
    for k in range(PK_STEPS + 1):
        weight = 1.0 if k == 0 or k == PK_STEPS else (4.0 if k % 2 == 1 else 2.0)
        for i in range(LANES):
            x = course[k, i] * potency
            free = weight / (1.0 + x)
            bound[i] += x * free
            ratio[i] += free
    for i in range(LANES):
        ratio[i] = bound[i] / ratio[i]


@njit(cache=True, nogil=True, error_model="numpy")
def simulate_block(
    seed,
    patient_ids,
    way,
    attributes,
    pk,
    site_scale,
    sensitivity,
    fc_factor,
    trial_max_cycles,
    trial_dose_factor,
    trial_factor_week,
    trial_stop_week,
    receptors,
    network,
    constants,
    clones,
    regimens,
    drugs,
    inputs,
    course,
    null_model,
    outcomes,
    sums,
    line_starts,
    line_regimens,
):
    """Follow one block of patients from their first line to death or the horizon.

    seed : of events, scans and later lines (the attributes have their own)
    patient_ids : (LANES,)
    way : (LANES,) which of the ways of the course each patient goes
    attributes : (attributes, LANES)
    pk : (drugs, 6, LANES) cl, vc, q, vp, vmax, km of the drugs followed in plasma
    site_scale : (drugs, LANES) effect-site rise per mg of the others, relative to the label exposure
    sensitivity : (drugs, LANES) to a drug's kill or payload
    fc_factor : (drugs, LANES) antibody-dependent kill by an antibody's Fc part relative to that of trastuzumab
    trial_max_cycles : (drugs, LANES) in the trial line
    trial_dose_factor, trial_factor_week, trial_stop_week : (drugs, LANES) share of the dose given from a week of the
        trial line on, and the week from which none is given
    null_model : True for effects of each drug alone, added: no interplay of drugs in the signalling, no adaptation
    outcomes : (outcomes, LANES), sums : (MAX_VISITS, LANES), line_starts, line_regimens : (MAX_LINES, LANES); results
    """
    n_drugs = drugs.in_plasma.size
    n_geno = clones.her2_factor.size
    n_slow = network.slow_tau.size
    n_species = receptors.downregulation.shape[1]
    n_free = inputs.attribute.size
    n_antibodies = receptors.downregulation.shape[0]
    row_inputs = n_species + receptors.n_ligands
    row_occupancy = row_inputs + n_free
    row_slow = row_occupancy + n_antibodies
    n_x = row_slow + n_slow
    n_hits = drugs.hit_kind.size
    n_actions = drugs.action_drug.size
    n_seen = drugs.n_signal_hits
    n_variants = max(drugs.variant_drug.size, 1) if null_model else 1
    n_most = n_variants * n_geno * N_SITES * LANES + LANES
    c = constants

    work, values, hills, free_kinase, free_left = scratch(receptors, network)
    n_kinases = 0
    n_nodes = 0
    er_hit = -1
    for h in range(n_seen):
        if drugs.hit_kind[h] == H_KINASE:
            n_kinases = receptors.dimer_kinase.shape[1]
        elif drugs.hit_kind[h] == H_NODE:
            n_nodes = network.reaction_start.size - 1
        elif drugs.hit_kind[h] == H_INPUT and inputs.attribute[drugs.hit_target[h]] == A_ER:
            er_hit = h
    kinase = np.ones((n_kinases, LANES))
    left = np.ones((n_nodes, LANES))
    xin = np.zeros((n_x, LANES))
    sig = np.zeros((N_SIGNAL_OUTPUTS, LANES))
    item_lane = np.zeros(n_most, dtype=np.int64)
    item_kind = np.zeros(n_most, dtype=np.int64)
    # signals in each week of the cycle and untreated: (variant, genotype, site, output, lane)
    kept = np.zeros((PHASES, n_variants, n_geno, N_SITES, N_SIGNAL_OUTPUTS, LANES))
    untreated = np.zeros((n_geno, N_SIGNAL_OUTPUTS, LANES))
    seen_hit = np.ones((PHASES, n_variants, n_geno, N_SITES, n_seen, LANES))
    seen_hit[:, :, :, :, :n_antibodies] = 0.0
    seen_slow = np.zeros((PHASES, n_geno, N_SITES, n_slow, LANES))
    phase = np.zeros(LANES, dtype=np.int64)
    stale = np.zeros(LANES)
    slow = np.zeros((n_geno, N_SITES, n_slow, LANES))
    geno_x = np.zeros((n_geno, row_occupancy, LANES))
    level = np.zeros((n_drugs, LANES))
    plasma = np.zeros((n_drugs, PK_STEPS + 1, LANES))
    exact = np.zeros((n_drugs, 4, LANES))
    ratio = np.zeros((N_SITES, max(n_actions, 1), LANES))
    load = np.zeros((n_hits, LANES))
    capped = np.zeros((n_hits, LANES))
    hit = np.ones((n_variants, N_SITES, n_hits, LANES))
    amplitude = np.zeros((n_drugs, LANES))
    central = np.zeros((n_drugs, LANES))
    peripheral = np.zeros((n_drugs, LANES))
    ln_n = np.zeros((N_CLONES, N_SITES, LANES))
    ln_start = np.zeros((N_CLONES, LANES))
    rate = np.zeros(LANES)
    immune = np.zeros((n_geno, LANES))
    drive = np.zeros((n_geno, LANES))
    death = np.zeros((n_geno, LANES))
    modifier = np.zeros((n_geno, LANES))
    further = np.zeros((n_geno, LANES))
    payload = np.zeros((max(drugs.payload_action.size, 1), n_geno, LANES))
    toxic = np.zeros((n_drugs, LANES))
    bound = np.zeros((N_SITES, max(n_actions, 1), LANES))
    er_loss = np.zeros((N_SITES, LANES))
    tolerance = np.zeros(LANES)
    pro_now = np.zeros(LANES)
    apo_now = np.zeros(LANES)
    weighted = np.zeros(LANES)
    ln_v = np.zeros((N_SITES, LANES))
    v_sum = np.zeros(LANES)
    hazard_systemic = np.zeros(LANES)
    bad = np.zeros(LANES)

    entry = np.zeros(LANES, dtype=np.int64)
    for i in range(LANES):
        entry[i] = course.entry_line[way[i]]
    regimen = np.zeros(LANES, dtype=np.int64)
    line = np.zeros(LANES, dtype=np.int64)
    line_week = np.zeros(
        LANES, dtype=np.int64
    )  # week of the line at which the coming step starts; < 0 in the gap
    chemo_lines = np.zeros(LANES)  # courses of six cycles of chemotherapy so far
    on_chemo = np.zeros(LANES)
    fc_courses = np.zeros(LANES)  # as many, of antibodies with an Fc part
    on_fc = np.zeros(LANES)
    fatigue = np.ones(LANES)
    given_cycles = np.zeros((n_drugs, LANES))
    status = np.zeros(LANES, dtype=np.int64)
    entry_week = np.zeros(LANES, dtype=np.int64)
    death_sum = np.zeros(LANES)
    death_at = np.zeros(LANES)
    lesion_sum = np.zeros(LANES)
    lesion_at = np.zeros(LANES)
    lesion_seen = np.zeros(LANES, dtype=np.int64)
    seed_sum = np.zeros(LANES)
    seed_at = np.zeros(LANES)
    cns_state = np.zeros(
        LANES, dtype=np.int64
    )  # 0 none, 1 seeded, 2 progressed in this line, 3 measured by scans
    cns_base = np.zeros(LANES)  # ln cells in the brain at the line's first scan, where they are measured
    cns_nadir = np.zeros(LANES)
    log_floor = c.log_floor if course.setting == METASTATIC else UNSEEDED
    replenish = c.replenish if course.setting == METASTATIC else UNSEEDED
    ln_initial = np.zeros(LANES)
    base_true = np.zeros(LANES)  # ln burden at the line's baseline scan
    base_obs = np.zeros(LANES)
    base_sum = np.zeros(LANES)
    nadir = np.zeros(LANES)
    visit = np.zeros(LANES, dtype=np.int64)

    # ---- start --------------------------------------------------------------------------------------------------
    for i in range(LANES):
        for o in range(N_OUTCOMES):
            outcomes[o, i] = np.inf
        outcomes[O_CNS_BASELINE, i] = np.nan
        outcomes[O_COMPLETE, i] = 0.0
        outcomes[O_BEST, i] = 1.0
        outcomes[O_CNS_FIRST, i] = 0.0
        outcomes[O_LINES, i] = 0.0
        outcomes[O_CYCLES, i] = 0.0
        outcomes[O_RESISTANT, i] = np.nan
        for k in range(MAX_VISITS):
            sums[k, i] = np.nan
        for k in range(MAX_LINES):
            line_starts[k, i] = np.nan
            line_regimens[k, i] = -1
        death_at[i] = -log(uniform(seed, patient_ids[i], P_EVENT, 0))
        seed_at[i] = -log(uniform(seed, patient_ids[i], P_EVENT, 1))
        rest = 1.0
        burden = attributes[A_BURDEN, i] if course.setting == METASTATIC else attributes[A_START, i]
        for k in range(N_CLONE_ROWS):
            f = exp(attributes[A_FRACTION + k, i])
            ln_n[k + 1, SYSTEMIC, i] = burden + attributes[A_FRACTION + k, i]
            rest -= f
        ln_n[0, SYSTEMIC, i] = burden + log(max(rest, 1e-6))
        if course.setting == ADJUVANT:
            # a clone of which less than one cell is expected is there with that probability
            for k in range(N_CLONES):
                expected = ln_n[k, SYSTEMIC, i]
                if uniform(seed, patient_ids[i], P_EVENT, 40 + k) < exp(min(expected, 0.0)):
                    ln_n[k, SYSTEMIC, i] = max(expected, 0.0)
                else:
                    ln_n[k, SYSTEMIC, i] = UNSEEDED
        for k in range(N_CLONES):
            ln_start[k, i] = ln_n[k, SYSTEMIC, i]
            if attributes[A_CNS_SEED, i] > 0.0 and course.setting == METASTATIC:
                ln_n[k, CNS, i] = max(
                    ln_n[k, SYSTEMIC, i] - attributes[A_BURDEN, i] + attributes[A_CNS_SEED, i], c.log_floor
                )
            else:
                ln_n[k, CNS, i] = UNSEEDED
        ln_v[CNS, i] = UNSEEDED
        if attributes[A_CNS_SEED, i] > 0.0 and course.setting == METASTATIC:
            cns_state[i] = 1
            ln_v[CNS, i] = attributes[A_CNS_SEED, i]
        ln_initial[i] = burden
        ln_v[SYSTEMIC, i] = burden
        for g in range(n_geno):
            share = max(attributes[A_P95, i], clones.p95_share[g])
            her2 = attributes[A_HER2, i] * clones.her2_factor[g]
            geno_x[g, 0, i] = attributes[A_EGFR, i] * clones.egfr_factor[g]
            geno_x[g, 1, i] = her2 * (1.0 - share)
            geno_x[g, 2, i] = attributes[A_HER3, i]
            geno_x[g, 3, i] = her2 * share
            geno_x[g, 4, i] = attributes[A_EGF, i]
            geno_x[g, 5, i] = attributes[A_HEREGULIN, i]
            for j in range(n_free):
                a = inputs.attribute[j]
                x = inputs.level[j] if a < 0 else attributes[a, i]
                if a == A_BYPASS:
                    x += clones.bypass_added[g]
                elif a == A_PIK3CA:
                    x = max(x, clones.pik3ca_added[g])
                elif a == A_PTEN:
                    x *= clones.pten_factor[g]
                geno_x[g, row_inputs + j, i] = x
        first = course.prior_regimen[way[i], 0] if entry[i] > 0 else course.trial_regimen[way[i]]
        _start_line(
            i, 0, first, regimen, line, line_week, given_cycles, base_true, base_obs, base_sum, nadir, visit,
            lesion_sum, lesion_at, lesion_seen, ln_v, ln_initial, attributes, constants, seed, patient_ids,
            line_starts, line_regimens, 0.0,
        )  # fmt: skip
        if entry[i] == 0:
            outcomes[O_BASELINE, i] = base_obs[i]
            outcomes[O_ENTRY_BURDEN, i] = ln_v[SYSTEMIC, i]
            outcomes[O_ENTRY_DAY, i] = 0.0
            outcomes[O_LINES, i] = 1.0
            if course.brain_entry >= BRAIN_UNTREATED:
                _plant_brain(
                    i,
                    ln_n,
                    ln_v,
                    ln_start,
                    course.brain_entry,
                    cns_state,
                    cns_base,
                    cns_nadir,
                    outcomes,
                    constants,
                    seed,
                    patient_ids,
                )
            elif course.brain_entry == BRAIN_NONE and ln_v[CNS, i] > c.cns_detectable:
                status[i] = S_NE_BRAIN
    for g in range(n_geno):
        for j in range(row_occupancy):
            for i in range(LANES):
                xin[j, i] = geno_x[g, j, i]
        for j in range(row_occupancy, n_x):
            for i in range(LANES):
                xin[j, i] = 0.0
        evaluate_block(
            receptors, network, xin, untreated[g], work, values, hills, free_kinase, free_left, LANES
        )
        for s in range(N_SITES):
            for v in range(n_variants):
                for o in range(N_SIGNAL_OUTPUTS):
                    for i in range(LANES):
                        for f in range(PHASES):
                            kept[f, v, g, s, o, i] = untreated[g, o, i]

    for d in range(n_drugs):
        if drugs.in_plasma[d] == 1 and not pk[d, 4, 0] > 0.0:
            linear_step(pk[d], exact[d])

    max_weeks = course.horizon_weeks + course.entry_line.max() * course.prior_limit_weeks + 4
    week = 0
    running = LANES
    while running > 0 and week < max_weeks:
        # ---- dose, exposure, occupancy ------------------------------------------------------------------------
        for i in range(LANES):
            if status[i] != S_RUNNING:
                continue
            r = regimen[i]
            w = line_week[i]
            on_chemo[i] = 0.0
            if r >= 0 and w >= 0:
                for d in range(n_drugs):
                    cycle = regimens.cycle_weeks[r, d]
                    if cycle == 0:
                        continue
                    own = w - regimens.start_week[r, d]
                    if own < 0:
                        continue
                    n_doses = regimens.doses_in_week[r, d, own % cycle]
                    limit = regimens.max_cycles[r, d]
                    factor = 1.0
                    if line[i] == entry[i]:
                        limit = min(limit, trial_max_cycles[d, i])
                        if w >= trial_factor_week[d, i]:
                            factor = trial_dose_factor[d, i]
                        if w >= trial_stop_week[d, i]:
                            continue
                    if own // cycle >= limit:
                        continue
                    if drugs.kill[d] > 0.0:
                        on_chemo[i] = 1.0
                    if n_doses == 0.0:
                        continue
                    amount = regimens.amount[r, d]
                    if own == 0 and regimens.loading[r, d] > 0.0:
                        amount = regimens.loading[r, d]
                    if regimens.unit[r, d] == 1:
                        amount *= attributes[A_WEIGHT, i]
                    elif regimens.unit[r, d] == 2:
                        amount *= attributes[A_BSA, i]
                    amount *= factor * n_doses
                    if drugs.in_plasma[d] == 1:
                        central[d, i] += amount
                    else:
                        amplitude[d, i] += amount * site_scale[d, i]
                        if drugs.kill[d] > 0.0 and own % cycle == 0:
                            given_cycles[d, i] += 1.0
                            if line[i] == entry[i]:
                                outcomes[O_CYCLES, i] = max(outcomes[O_CYCLES, i], given_cycles[d, i])
        for d in range(n_drugs):
            if drugs.in_plasma[d] == 1:
                # without saturable elimination one step is exact, and the same for every week
                if pk[d, 4, 0] > 0.0:
                    saturable_week(central[d], peripheral[d], plasma[d], pk[d])
                else:
                    linear_week(central[d], peripheral[d], plasma[d], pk[d], exact[d])
                for i in range(LANES):
                    level[d, i] = plasma[d, PK_STEPS // 2, i]
            else:
                ke = drugs.ke0[d]
                mean = (1.0 - exp(-ke * STEP_DAYS)) / (ke * STEP_DAYS)
                decay = exp(-ke * STEP_DAYS)
                for i in range(LANES):
                    level[d, i] = amplitude[d, i] * mean
                    amplitude[d, i] *= decay
        # ---- what drugs leave of their targets ----------------------------------------------------------------
        for s in range(N_SITES):
            for a in range(n_actions):
                d = drugs.action_drug[a]
                if drugs.in_plasma[d] == 1:
                    mean_ratio(plasma[d], drugs.action_ratio[s, a], rate, ratio[s, a])
                else:
                    for i in range(LANES):
                        ratio[s, a, i] = level[d, i] * drugs.action_ratio[s, a]
            for v in range(n_variants):
                for h in range(n_hits):
                    for i in range(LANES):
                        load[h, i] = 0.0
                        capped[h, i] = 0.0
                        hit[v, s, h, i] = 1.0
                for a in range(n_actions):
                    h = drugs.action_hit[a]
                    alone = null_model and drugs.variant_drug.size > 0 and h < n_seen
                    if alone and drugs.variant_drug[v] != drugs.action_drug[a]:
                        continue
                    top = drugs.action_max[a]
                    if drugs.action_covalent[a] == 1:
                        for i in range(LANES):
                            hit[v, s, h, i] *= 1.0 - top * ratio[s, a, i] / (1.0 + ratio[s, a, i])
                    else:
                        for i in range(LANES):
                            load[h, i] += ratio[s, a, i]
                            capped[h, i] += top * ratio[s, a, i]
                for h in range(n_hits):
                    if drugs.hit_kind[h] == H_OCCUPANCY or drugs.hit_kind[h] == H_OWN:
                        for i in range(LANES):
                            hit[v, s, h, i] = load[h, i] / (1.0 + load[h, i])
                    else:
                        for i in range(LANES):
                            hit[v, s, h, i] *= 1.0 - capped[h, i] / (1.0 + load[h, i])
        # ---- signalling where something changed ---------------------------------------------------------------
        n_items = 0
        f = week % PHASES
        for i in range(LANES):
            # all lanes use the same part of the tables: those of a patient turn when a new line starts in another week
            ahead = (line_week[i] - week) % PHASES
            if ahead != phase[i] and status[i] == S_RUNNING:
                _turn(i, ahead - phase[i], kept, seen_hit, seen_slow)
                phase[i] = ahead
        now = kept[f]
        for v in range(n_variants):
            for g in range(n_geno):
                for s in range(N_SITES):
                    for i in range(LANES):
                        stale[i] = 0.0
                    for h in range(n_seen):
                        for i in range(LANES):
                            moved = abs(hit[v, s, h, i] - seen_hit[f, v, g, s, h, i])
                            stale[i] = 1.0 if moved > c.refresh else stale[i]
                    for j in range(n_slow):
                        for i in range(LANES):
                            moved = abs(slow[g, s, j, i] - seen_slow[f, g, s, j, i])
                            stale[i] = 1.0 if moved > c.refresh_slow else stale[i]
                    kind = (v * n_geno + g) * N_SITES + s
                    for i in range(LANES):
                        if stale[i] > 0.0 and status[i] == S_RUNNING and (s == SYSTEMIC or cns_state[i] > 0):
                            item_lane[n_items] = i
                            item_kind[n_items] = kind
                            n_items += 1
        start = 0
        while start < n_items:
            for k in range(LANES):
                item = start + k
                if item >= n_items:
                    item = n_items - 1
                i = item_lane[item]
                kind = item_kind[item]
                s = kind % N_SITES
                g = (kind // N_SITES) % n_geno
                v = kind // (N_SITES * n_geno)
                for j in range(row_occupancy):
                    xin[j, k] = geno_x[g, j, i]
                for h in range(n_seen):
                    x = hit[v, s, h, i]
                    seen_hit[f, v, g, s, h, i] = x
                    target = drugs.hit_target[h]
                    what = drugs.hit_kind[h]
                    if what == H_OCCUPANCY:
                        xin[row_occupancy + target, k] = x
                    elif what == H_KINASE:
                        kinase[target, k] = x
                    elif what == H_NODE:
                        left[target, k] = x
                    elif what == H_INPUT:
                        xin[row_inputs + target, k] *= x
                    else:
                        xin[target, k] *= x
                for j in range(n_slow):
                    xin[row_slow + j, k] = slow[g, s, j, i]
                    seen_slow[f, g, s, j, i] = slow[g, s, j, i]
            evaluate_block(receptors, network, xin, sig, work, values, hills, kinase, left, n_items - start)
            for k in range(LANES):
                item = start + k
                if item < n_items:
                    i = item_lane[item]
                    kind = item_kind[item]
                    s = kind % N_SITES
                    g = (kind // N_SITES) % n_geno
                    v = kind // (N_SITES * n_geno)
                    for o in range(N_SIGNAL_OUTPUTS):
                        now[v, g, s, o, i] = sig[o, k]
            start += LANES
        # ---- slow states relax towards the rise of their driver -----------------------------------------------
        if not null_model:
            for g in range(n_geno):
                for s in range(N_SITES):
                    for j in range(n_slow):
                        keep = exp(-STEP_DAYS / network.slow_tau[j])
                        row = OUT_DRIVER + network.slow_driver[j]
                        sign = network.slow_sign[j]
                        for i in range(LANES):
                            change = sign * (now[0, g, s, row, i] - untreated[g, row, i])
                            rise = max(change, 0.0)
                            slow[g, s, j, i] = rise + (slow[g, s, j, i] - rise) * keep
        # ---- what all genotypes and clones share --------------------------------------------------------------
        for i in range(LANES):
            so_far = chemo_lines[i] + 0.5 * on_chemo[i] * CHEMO_WEEK
            tolerance[i] = exp(-c.line_tolerance * log(1.0 + so_far))
            on_fc[i] = 0.0
        for e in range(drugs.fc_action.size):
            a = drugs.fc_action[e]
            for i in range(LANES):
                if ratio[SYSTEMIC, a, i] > 1.0:
                    on_fc[i] = 1.0
        for i in range(LANES):
            fatigue[i] = exp(-c.immune_tolerance * (fc_courses[i] + 0.5 * on_fc[i] * CHEMO_WEEK))
        for s in range(N_SITES):
            for a in range(n_actions):
                h = drugs.action_hit[a]
                if null_model:
                    for i in range(LANES):
                        bound[s, a, i] = ratio[s, a, i] / (1.0 + ratio[s, a, i])
                else:
                    for i in range(LANES):
                        # 1/(1 + load) of all drugs on the site is the share that is left free
                        bound[s, a, i] = ratio[s, a, i] * (1.0 - hit[0, s, h, i])
            for i in range(LANES):
                er_loss[s, i] = 0.0
            if er_hit >= 0:
                for i in range(LANES):
                    pro_now[i] = attributes[A_ER, i]
                for v in range(n_variants):
                    for i in range(LANES):
                        pro_now[i] *= hit[v, s, er_hit, i]
                for i in range(LANES):
                    # the drive outside the network is that of ER where there is one
                    er = attributes[A_ER, i]
                    er_loss[s, i] = er / (1.0 + er) - pro_now[i] / (1.0 + pro_now[i])
        # ---- clones -------------------------------------------------------------------------------------------
        for s in range(N_SITES):
            local = 1.0 if s == SYSTEMIC else c.cns_effector
            effector_kill = c.effector_kill * local
            for i in range(LANES):
                v_sum[i] = 0.0
            for g in range(n_geno):
                # signals: in the null model the effects of all drugs, each alone, are added
                for i in range(LANES):
                    pro_now[i] = now[0, g, s, OUT_PROLIFERATION, i]
                    apo_now[i] = now[0, g, s, OUT_APOPTOSIS, i]
                for v in range(1, n_variants):
                    for i in range(LANES):
                        pro_now[i] += now[v, g, s, OUT_PROLIFERATION, i] - untreated[g, OUT_PROLIFERATION, i]
                        apo_now[i] += now[v, g, s, OUT_APOPTOSIS, i] - untreated[g, OUT_APOPTOSIS, i]
                for i in range(LANES):
                    free = attributes[A_INDEPENDENT, i]
                    drive[g, i] = (1.0 - free) * pro_now[i] / c.cell_cycle_reference
                    apoptosis = (1.0 - free) * (apo_now[i] - untreated[g, OUT_APOPTOSIS, i]) / c.bim_reference
                    death[g, i] = c.apoptosis_kill * max(apoptosis, 0.0)
                    modifier[g, i] = 1.0
                if not null_model:
                    for i in range(LANES):
                        free = attributes[A_INDEPENDENT, i]
                        before = untreated[g, OUT_SURVIVAL, i]
                        loss = max(before - now[0, g, s, OUT_SURVIVAL, i], 0.0) / (before + SURVIVAL_FLOOR)
                        rest = (
                            free + (1.0 - free) * untreated[g, OUT_PROLIFERATION, i] / c.cell_cycle_reference
                        )
                        cycling = (free * (1.0 - c.er_drive * er_loss[s, i]) + drive[g, i]) / rest
                        modifier[g, i] = (1.0 + c.chemo_synergy * (1.0 - free) * loss) * exp(
                            c.chemo_cycle_exponent * log(min(max(cycling, 1e-6), 1.0))
                        )
                # antibodies on the cell, and the kill they bring; drugs on one epitope share it
                for i in range(LANES):
                    immune[g, i] = 0.0
                    weighted[i] = 0.0
                for e in range(drugs.fc_action.size):
                    a = drugs.fc_action[e]
                    h = drugs.action_hit[a]
                    d = drugs.fc_drug[e]
                    weight = drugs.fc_weight[e]
                    for i in range(LANES):
                        amount = geno_x[g, 1, i] * bound[s, a, i] * weight
                        if null_model:
                            immune[g, i] += fc_factor[d, i] * amount / (amount + c.fc_half)
                        else:
                            immune[g, i] += amount
                            weighted[i] += amount * fc_factor[d, i]
                if not null_model:
                    for i in range(LANES):
                        immune[g, i] = weighted[i] / (immune[g, i] + c.fc_half)
                for e in range(drugs.payload_action.size):
                    a = drugs.payload_action[e]
                    d = drugs.payload_drug[e]
                    kill = drugs.payload_kill[e]
                    for i in range(LANES):
                        surface = untreated[g, OUT_SURFACE, i] if null_model else now[0, g, s, OUT_SURFACE, i]
                        amount = max(surface * bound[s, a, i], 1e-12)
                        power = exp(c.payload_exponent * log(amount / c.payload_half))
                        payload[e, g, i] = kill * sensitivity[d, i] * power / (1.0 + power)
                for i in range(LANES):
                    further[g, i] = 0.0
                for h in range(n_seen, n_hits):
                    if drugs.hit_kind[h] == H_VEGF:
                        for i in range(LANES):
                            supply = now[0, g, s, OUT_VEGF, i] / max(untreated[g, OUT_VEGF, i], 1e-12)
                            supply = 1.0 if null_model else min(max(supply, 0.0), 1.0)
                            share = c.angiogenesis_share * (1.0 - hit[0, s, h, i]) * supply
                            pr = (
                                attributes[A_INDEPENDENT, i] * (1.0 - c.er_drive * er_loss[s, i])
                                + drive[g, i]
                            )
                            further[g, i] += (
                                attributes[A_GROWTH, i] * (1.0 + c.turnover) * max(pr, 0.0) * share
                            )
                    elif drugs.hit_kind[h] == H_PDL1:
                        for i in range(LANES):
                            # T cells that the engaged axis held back
                            held = c.pdl1_brake * attributes[A_PDL1, i]
                            gain = held * (1.0 - hit[0, s, h, i])
                            engaged = c.effector_kill * c.tcell_share * immune[g, i] / (1.0 - held)
                            further[g, i] += (
                                attributes[A_EFFECTOR, i] * local * gain * (c.tcell_kill + engaged)
                            )
            for d in range(n_drugs):
                kill = drugs.kill[d] if s == SYSTEMIC else drugs.kill[d] * drugs.cns_partition[d]
                if kill > 0.0:
                    for i in range(LANES):
                        toxic[d, i] = kill * sensitivity[d, i] * level[d, i] * tolerance[i]
            for k in range(N_CLONES):
                g = clones.genotype[k]
                mdr = clones.mdr[k]
                cost = clones.cost[k]
                endocrine = clones.endocrine_factor[k]
                evading = effector_kill * clones.effector_factor[k]
                for i in range(LANES):
                    free = attributes[A_INDEPENDENT, i]
                    lost = er_loss[s, i] * endocrine
                    pr = free * (1.0 - c.er_drive * lost) + drive[g, i]
                    rate[i] = (
                        attributes[A_GROWTH, i] * ((1.0 + c.turnover) * cost * pr - c.turnover)
                        - death[g, i]
                        - c.er_withdrawal_kill * free * lost
                        - evading * attributes[A_EFFECTOR, i] * fatigue[i] * immune[g, i]
                        - further[g, i]
                    )
                for d in range(n_drugs):
                    if drugs.kill[d] > 0.0:
                        share = exp(mdr * drugs.mdr_exponent[d] * log(c.mdr_factor))
                        for i in range(LANES):
                            rate[i] -= share * toxic[d, i] * modifier[g, i]
                for e in range(drugs.payload_action.size):
                    share = exp(mdr * drugs.payload_mdr[e] * log(c.mdr_factor))
                    for i in range(LANES):
                        rate[i] -= share * payload[e, g, i]
                if s == CNS:
                    for i in range(LANES):
                        if cns_state[i] > 0:
                            x = ln_n[k, s, i] + STEP_DAYS * rate[i]
                            ln_n[k, s, i] = min(max(x, c.log_floor), MAX_LOG_BURDEN)
                            v_sum[i] += exp(ln_n[k, s, i])
                else:
                    for i in range(LANES):
                        x = ln_n[k, s, i] + STEP_DAYS * rate[i]
                        if course.setting == ADJUVANT and line[i] == 0:
                            # a clone that falls below a single cell is gone
                            x = UNSEEDED if x < 0.0 else x
                        else:
                            x = max(x, max(log_floor, ln_start[k, i] + replenish))
                        ln_n[k, s, i] = min(x, MAX_LOG_BURDEN)
                        v_sum[i] += exp(ln_n[k, s, i])
                for i in range(LANES):
                    bad[i] += 0.0 * rate[i]  # becomes NaN with the first rate that is not finite
            for i in range(LANES):
                old = ln_v[s, i]
                ln_v[s, i] = max(log(v_sum[i]), UNSEEDED) if v_sum[i] > 0.0 else UNSEEDED
                # systemic hazards take the mean of the two ends for the week (the CNS part takes the end);
                # keep the old in v_sum
                v_sum[i] = old
            if s == SYSTEMIC:
                for i in range(LANES):
                    middle = 0.5 * (ln_v[s, i] + v_sum[i])
                    rate[i] = middle
                for i in range(LANES):
                    hazard_systemic[i] = (
                        c.death_hazard
                        * attributes[A_FRAILTY, i]
                        * exp(c.death_exponent * (rate[i] - c.death_reference) + c.death_line_rise * line[i])
                    )
                    lesion_sum[i] += (
                        STEP_DAYS
                        * c.new_lesion_hazard
                        * exp(c.new_lesion_exponent * (rate[i] - ln_initial[i]))
                    )
                    seed_sum[i] += (
                        STEP_DAYS
                        * c.cns_seed_hazard
                        * exp(c.cns_seed_exponent * (rate[i] - 23.025850929940457))
                    )
        for i in range(LANES):
            chemo_lines[i] += on_chemo[i] * CHEMO_WEEK
            fc_courses[i] += on_fc[i] * CHEMO_WEEK
        # ---- events of the week, patient by patient -----------------------------------------------------------
        for i in range(LANES):
            if status[i] != S_RUNNING:
                continue
            if not np.isfinite(bad[i]):
                status[i] = S_BAD_RATE
                continue
            if not (np.isfinite(ln_v[SYSTEMIC, i]) and np.isfinite(ln_v[CNS, i])):
                status[i] = S_BAD_BURDEN
                continue
            lowest = 0.0
            for d in range(n_drugs):
                # a concentration that is not a number fails the comparison
                if not central[d, i] >= 0.0:
                    lowest = -1.0
            if lowest < 0.0:
                status[i] = S_BAD_EXPOSURE
                continue
            t0 = (week - entry_week[i]) * STEP_DAYS
            in_trial = line[i] >= entry[i]
            hazard = hazard_systemic[i] + attributes[A_BACKGROUND, i]
            if course.setting != METASTATIC and line[i] == 0:
                hazard = attributes[A_BACKGROUND, i] if course.setting == ADJUVANT else 0.0
            if cns_state[i] > 0:
                hazard += (
                    c.death_hazard
                    * attributes[A_FRAILTY, i]
                    * c.cns_death_weight
                    * exp(
                        c.death_exponent * (ln_v[CNS, i] - c.cns_death_reference)
                        + c.death_line_rise * line[i]
                    )
                )
            before = death_sum[i]
            death_sum[i] += STEP_DAYS * hazard
            if death_sum[i] >= death_at[i]:
                day = t0 + STEP_DAYS * (death_at[i] - before) / (death_sum[i] - before)
                if in_trial:
                    outcomes[O_DEATH, i] = day
                    outcomes[O_LAST, i] = day
                    status[i] = S_DEAD
                else:
                    status[i] = S_NE_DEAD
                outcomes[O_END, i] = ln_v[SYSTEMIC, i]
                continue
            t1 = t0 + STEP_DAYS
            if course.setting == NEOADJUVANT:
                if line_week[i] + 1 >= course.surgery_week:
                    outcomes[O_COMPLETE, i] = 1.0 if ln_v[SYSTEMIC, i] < c.pcr else 0.0
                    outcomes[O_END, i] = ln_v[SYSTEMIC, i]
                    outcomes[O_LAST, i] = t1
                    status[i] = S_HORIZON
                line_week[i] += 1
                continue
            # a first cell settles in the brain
            if cns_state[i] == 0 and seed_sum[i] >= seed_at[i]:
                cns_state[i] = 1
                for k in range(N_CLONES):
                    ln_n[k, CNS, i] = max(
                        ln_n[k, SYSTEMIC, i] - ln_v[SYSTEMIC, i] + c.cns_seed_cells, c.log_floor
                    )
                ln_v[CNS, i] = c.cns_seed_cells
            switch = SWITCH_NONE
            if course.setting == ADJUVANT and line[i] == 0:
                # a relapse is found when it has grown to be seen; the burden of later lines is counted from it
                if ln_v[SYSTEMIC, i] >= c.relapse:
                    outcomes[O_PROGRESSION, i] = t1
                    switch = SWITCH_PROGRESSION
                    ln_initial[i] = ln_v[SYSTEMIC, i]
                    for k in range(N_CLONES):
                        ln_start[k, i] = ln_n[k, SYSTEMIC, i]
            elif line_week[i] >= 0:
                if lesion_seen[i] == 0 and lesion_sum[i] >= lesion_at[i]:
                    lesion_seen[i] = 1
                    if line[i] == entry[i] and not np.isfinite(outcomes[O_NEW, i]):
                        outcomes[O_NEW, i] = t0 + 0.5 * STEP_DAYS
                first_in_trial = line[i] == entry[i] and not np.isfinite(outcomes[O_PROGRESSION, i])
                # a brain lesion that has become detectable shows by symptoms, between scans too
                if cns_state[i] == 1 and ln_v[CNS, i] > c.cns_detectable:
                    if line[i] < entry[i] and course.brain_entry == BRAIN_NONE:
                        status[i] = S_NE_BRAIN
                        continue
                    cns_state[i] = 2
                    if line[i] >= entry[i] and not np.isfinite(outcomes[O_CNS, i]):
                        outcomes[O_CNS, i] = t1
                    if first_in_trial:
                        outcomes[O_PROGRESSION, i] = t1
                        outcomes[O_CNS_FIRST, i] = 1.0
                    switch = SWITCH_PROGRESSION
                r = regimen[i]
                every = regimens.scan_weeks[r] if r >= 0 else 0
                if every > 0 and switch == SWITCH_NONE and (line_week[i] + 1) % every == 0:
                    visit[i] += 1
                    true_sum = base_sum[i] * exp((ln_v[SYSTEMIC, i] - base_true[i]) / 3.0)
                    index = line[i] * 1024 + visit[i]
                    noise = exp(c.scan_error * normal(seed, patient_ids[i], P_SCAN, index))
                    obs = true_sum * noise
                    if obs < c.measurable_floor:
                        # too small to measure counts as the floor (RECIST 1.1, 4.3.2): a nadir is never zero
                        obs = c.measurable_floor
                    progressive = lesion_seen[i] == 1 or (obs >= 1.2 * nadir[i] and obs - nadir[i] >= 5.0)
                    if cns_state[i] == 3:
                        # measured brain metastases: volume against the start, diameter against the smallest
                        brain = ln_v[CNS, i] + 3.0 * c.scan_error * normal(
                            seed, patient_ids[i], P_SCAN, 512 + index
                        )
                        if line[i] == entry[i]:
                            grown = brain >= cns_nadir[i] + 3.0 * BRAIN_GROWTH
                            shrunk = brain - cns_base[i] <= c.cns_response and not grown
                            if shrunk and not np.isfinite(outcomes[O_CNS_RESPONSE, i]):
                                outcomes[O_CNS_RESPONSE, i] = t1
                            if grown and not np.isfinite(outcomes[O_CNS, i]):
                                outcomes[O_CNS, i] = t1
                                if first_in_trial and not progressive:
                                    outcomes[O_CNS_FIRST, i] = 1.0
                            progressive = progressive or grown
                        else:
                            progressive = progressive or brain >= cns_nadir[i] + 3.0 * BRAIN_GROWTH
                        cns_nadir[i] = min(cns_nadir[i], brain)
                    if line[i] == entry[i]:
                        if visit[i] <= MAX_VISITS:
                            sums[visit[i] - 1, i] = obs
                        outcomes[O_BEST, i] = min(outcomes[O_BEST, i], obs / base_obs[i])
                        if not progressive and obs <= 0.7 * base_obs[i]:
                            if not np.isfinite(outcomes[O_UNCONFIRMED, i]):
                                outcomes[O_UNCONFIRMED, i] = t1
                            elif (
                                not np.isfinite(outcomes[O_CONFIRMED, i])
                                and t1 - outcomes[O_UNCONFIRMED, i] >= CONFIRM_DAYS
                            ):
                                outcomes[O_CONFIRMED, i] = outcomes[O_UNCONFIRMED, i]
                                outcomes[O_CONFIRMED_ON, i] = t1
                    nadir[i] = min(nadir[i], obs)
                    if progressive:
                        if first_in_trial:
                            outcomes[O_PROGRESSION, i] = t1
                        switch = SWITCH_PROGRESSION
            if switch == SWITCH_PROGRESSION:
                if line[i] == entry[i]:
                    total = 0.0
                    for k in range(N_CLONES):
                        total += exp(ln_n[k, SYSTEMIC, i] - ln_v[SYSTEMIC, i])
                    outcomes[O_RESISTANT, i] = 1.0 - exp(ln_n[0, SYSTEMIC, i] - ln_v[SYSTEMIC, i]) / total
                if cns_state[i] >= 2:
                    # local therapy of brain metastases
                    cns_state[i] = 1
                    for k in range(N_CLONES):
                        ln_n[k, CNS, i] = max(ln_n[k, CNS, i] - c.cns_local_log_kill, c.log_floor)
                    ln_v[CNS, i] -= c.cns_local_log_kill
                following = line[i] + 1
                chosen = -1
                if following < entry[i]:
                    chosen = course.prior_regimen[way[i], following]
                elif following == entry[i]:
                    chosen = course.trial_regimen[way[i]]
                else:
                    later = following - entry[i] - 1
                    # supportive care is an end state: no therapy follows it
                    if regimen[i] >= 0 and later < course.later_regimen.shape[1]:
                        u = uniform(seed, patient_ids[i], P_SEQUENCE, later)
                        for option in range(course.later_regimen.shape[2]):
                            if u < course.later_probability[way[i], later, option]:
                                chosen = course.later_regimen[way[i], later, option]
                                break
                _start_line(
                    i,
                    following,
                    chosen,
                    regimen,
                    line,
                    line_week,
                    given_cycles,
                    base_true,
                    base_obs,
                    base_sum,
                    nadir,
                    visit,
                    lesion_sum,
                    lesion_at,
                    lesion_seen,
                    ln_v,
                    ln_initial,
                    attributes,
                    constants,
                    seed,
                    patient_ids,
                    line_starts,
                    line_regimens,
                    t1,
                )
                if following >= entry[i] and chosen >= 0:
                    outcomes[O_LINES, i] = outcomes[O_LINES, i] + 1.0
                if (
                    following == entry[i]
                    and course.brain_entry == BRAIN_NONE
                    and ln_v[CNS, i] > c.cns_detectable
                ):
                    status[i] = S_NE_BRAIN
                    continue
                if following == entry[i] and course.brain_entry >= BRAIN_UNTREATED:
                    _plant_brain(
                        i,
                        ln_n,
                        ln_v,
                        ln_start,
                        course.brain_entry,
                        cns_state,
                        cns_base,
                        cns_nadir,
                        outcomes,
                        constants,
                        seed,
                        patient_ids,
                    )
                if following == entry[i]:
                    # the patient enters the trial: time zero is the start of this line
                    line_week[i] = 0
                    entry_week[i] = week + 1
                    outcomes[O_BASELINE, i] = base_obs[i]
                    outcomes[O_ENTRY_BURDEN, i] = ln_v[SYSTEMIC, i]
                    outcomes[O_ENTRY_DAY, i] = (week + 1) * STEP_DAYS
                    outcomes[O_LINES, i] = 1.0
                    for k in range(MAX_LINES):
                        line_starts[k, i] -= t1
                    line_starts[following, i] = 0.0
                    ln_initial[i] = ln_v[SYSTEMIC, i]
            else:
                line_week[i] += 1
                if line[i] < entry[i] and line_week[i] >= course.prior_limit_weeks:
                    status[i] = S_NE_PD
                    continue
            if line[i] >= entry[i] and week + 1 - entry_week[i] >= course.horizon_weeks:
                status[i] = S_HORIZON
                outcomes[O_LAST, i] = course.horizon_weeks * STEP_DAYS
                outcomes[O_END, i] = ln_v[SYSTEMIC, i]
        running = 0
        for i in range(LANES):
            if status[i] == S_RUNNING:
                running += 1
        week += 1
    for i in range(LANES):
        if status[i] == S_RUNNING:
            status[i] = S_NE_PD if line[i] < entry[i] else S_HORIZON
            outcomes[O_LAST, i] = (week - entry_week[i]) * STEP_DAYS
            outcomes[O_END, i] = ln_v[SYSTEMIC, i]
        outcomes[O_STATUS, i] = status[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(i, by, kept, seen_hit, seen_slow):
    """Move what is kept for patient i of each week of the cycle by some weeks."""
    for table in (kept, seen_hit):
        shape = table.shape
        for v in range(shape[1]):
            for g in range(shape[2]):
                for s in range(shape[3]):
                    for k in range(shape[4]):
                        _turn_one(i, by, table[:, v, g, s, k])
    shape = seen_slow.shape
    for g in range(shape[1]):
        for s in range(shape[2]):
            for k in range(shape[3]):
                _turn_one(i, by, seen_slow[:, g, s, k])


@njit(cache=True, nogil=True, error_model="numpy")
def _turn_one(i, by, table):
    """The same for one quantity, (PHASES, LANES)."""
    a, b, c = table[by % PHASES, i], table[(by + 1) % PHASES, i], table[(by + 2) % PHASES, i]
    table[0, i], table[1, i], table[2, i] = a, b, c


@njit(cache=True, nogil=True, error_model="numpy")
def _start_line(
    i,
    number,
    chosen,
    regimen,
    line,
    line_week,
    given_cycles,
    base_true,
    base_obs,
    base_sum,
    nadir,
    visit,
    lesion_sum,
    lesion_at,
    lesion_seen,
    ln_v,
    ln_initial,
    attributes,
    constants,
    seed,
    patient_ids,
    line_starts,
    line_regimens,
    day,
):
    """Put patient i on a regimen (-1: supportive care): new baseline, new nadir, new threshold of a new lesion."""
    regimen[i] = chosen
    line[i] = number
    gap = int(constants.line_gap_weeks) if number > 0 else 0
    line_week[i] = -gap
    for d in range(given_cycles.shape[0]):
        given_cycles[d, i] = 0.0
    base_true[i] = ln_v[SYSTEMIC, i]
    base_sum[i] = min(attributes[A_SUM, i] * exp((ln_v[SYSTEMIC, i] - attributes[A_BURDEN, i]) / 3.0), 1000.0)
    base_sum[i] = max(base_sum[i], 10.0)
    base_obs[i] = base_sum[i] * exp(
        constants.scan_error * normal(seed, patient_ids[i], P_SCAN, number * 1024)
    )
    nadir[i] = base_obs[i]
    visit[i] = 0
    lesion_seen[i] = 0
    lesion_sum[i] = 0.0
    lesion_at[i] = -log(uniform(seed, patient_ids[i], P_EVENT, 10 + number))
    if number < MAX_LINES:
        line_starts[number, i] = day + gap * STEP_DAYS
        line_regimens[number, i] = chosen


@njit(cache=True, nogil=True, error_model="numpy")
def _plant_brain(
    i,
    ln_n,
    ln_v,
    ln_start,
    brain_entry,
    cns_state,
    cns_base,
    cns_nadir,
    outcomes,
    constants,
    seed,
    patient_ids,
):
    """Give patient i the measurable brain metastases a trial asks for.

    Their burden is log-normal; a burden below the detectable is set to it. Metastases not treated before have the
    clones of the tumour at its start, since the barrier kept selection by earlier drugs away; those that have
    progressed after treatment have the clones of the other sites.
    """
    z = normal(seed, patient_ids[i], P_EVENT, 60)
    burden = max(constants.cns_entry + constants.cns_entry_sd * z, constants.cns_detectable)
    total = 0.0
    for k in range(N_CLONES):
        total += exp(ln_start[k, i])
    first = log(total)
    for k in range(N_CLONES):
        share = ln_n[k, SYSTEMIC, i] - ln_v[SYSTEMIC, i]
        if brain_entry == BRAIN_UNTREATED:
            share = ln_start[k, i] - first
        ln_n[k, CNS, i] = max(share + burden, constants.log_floor)
    ln_v[CNS, i] = burden
    cns_state[i] = 3
    cns_base[i] = burden + 3.0 * constants.scan_error * normal(seed, patient_ids[i], P_SCAN, 511)
    cns_nadir[i] = cns_base[i]
    outcomes[O_CNS_BASELINE, i] = burden
