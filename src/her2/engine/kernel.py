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
    Outcome,
    Signal,
    Status,
)
from her2.engine.rng import Purpose, normal, uniform
from her2.engine.signals import (
    N_SIGNAL_OUTPUTS,
    OUT_APOPTOSIS,
    OUT_DRIVER,
    OUT_PROLIFERATION,
    OUT_SURVIVAL,
    evaluate_block,
    scratch,
)
from her2.engine.vecmath import exp, log

REFRESH = 0.004
"""Largest change of an occupancy for which signals are not evaluated anew."""
REFRESH_SLOW = 0.01
"""The same for a slow state."""
PHASES = 3
"""Weeks of the dosing cycle: each week of the cycle keeps its own signals, so that a steady cycle needs no new ones."""
N_CLONES = N_CLONE_ROWS + 1
SURVIVAL_FLOOR = 1e-6
"""Added to the untreated survival signal before dividing by it; a cell without any has nothing to lose."""
PK_STEPS = 4
"""Steps of the antibodies' pharmacokinetics in half a week; one leaves errors of 10 % in patients with a low Km."""
UNSEEDED = -50.0
MAX_LOG_BURDEN = 30.0
"""ln cells (1e13): no patient lives with more; growth stops there so that numbers stay finite."""

A_EGFR = int(Attribute.EGFR)
A_HER2 = int(Attribute.HER2)
A_HER3 = int(Attribute.HER3)
A_P95 = int(Attribute.P95_SHARE)
A_EGF = int(Attribute.EGF)
A_HEREGULIN = int(Attribute.HEREGULIN)
A_BYPASS = int(Attribute.BYPASS)
A_PIK3CA = int(Attribute.PIK3CA)
A_PTEN = int(Attribute.PTEN)
A_ER = int(Attribute.ER)
A_CYCLIN_E = int(Attribute.CYCLIN_E)
A_BIM = int(Attribute.BIM)
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
X_SLOW = int(Signal.SLOW)
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
S_RUNNING = int(Status.RUNNING)
S_DEAD = int(Status.DEAD)
S_HORIZON = int(Status.HORIZON)
S_NE_DEAD = int(Status.NOT_ENROLLED_DEAD)
S_NE_PD = int(Status.NOT_ENROLLED_NO_PROGRESSION)
S_BAD_RATE = int(Status.FAILED_RATE)
S_BAD_BURDEN = int(Status.FAILED_BURDEN)
S_BAD_EXPOSURE = int(Status.FAILED_EXPOSURE)
CONFIRM_DAYS = 28.0
SWITCH_NONE, SWITCH_PROGRESSION = 0, 1


@njit(cache=True, nogil=True)
def pk_step(central, peripheral, cl, vc, q, vp, vmax, km, dt):
    """Two compartments with linear and saturable elimination, one step of exact exponentials.

    Elimination is frozen at the concentration predicted for the middle of the step (second order in dt).
    Amounts in mg, volumes in L, clearances in L/day, vmax in mg/day, km in mg/L, dt in day.
    """
    half_c, _ = _linear_pk(central, peripheral, cl + vmax / (km + central / vc), vc, q, vp, 0.5 * dt)
    return _linear_pk(central, peripheral, cl + vmax / (km + half_c / vc), vc, q, vp, dt)


@njit(inline="always")
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


@njit(cache=True, nogil=True)
def simulate_block(
    seed,
    patient_ids,
    attributes,
    antibody_pk,
    cytotoxic_scale,
    sensitivity,
    trial_max_cycles,
    trial_dose_factor,
    receptors,
    network,
    constants,
    clones,
    regimens,
    drugs,
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
    attributes : (attributes, LANES)
    antibody_pk : (antibodies, 6, LANES) cl, vc, q, vp, vmax, km
    cytotoxic_scale : (cytotoxics, LANES) effect-site rise per unit dose, relative to the reference exposure
    sensitivity : (cytotoxics, LANES)
    trial_max_cycles, trial_dose_factor : (drugs, LANES) apply in the trial line only
    null_model : True for effects of each drug alone, added: no interplay of drugs in the signalling, no adaptation
    outcomes : (outcomes, LANES), sums : (MAX_VISITS, LANES), line_starts, line_regimens : (MAX_LINES, LANES); results
    """
    n_drugs = drugs.antibody.size
    n_cyto = drugs.kill.size
    n_geno = clones.her2_factor.size
    n_slow = network.slow_tau.size
    n_x = X_SLOW + n_slow
    n_variants = 2 if null_model else 1
    c = constants

    work, values, hills, kinase, left = scratch(receptors, network)
    xin = np.zeros((n_x, LANES))
    sig = np.zeros((N_SIGNAL_OUTPUTS, LANES))
    item_lane = np.zeros(n_variants * n_geno * N_SITES * LANES + LANES, dtype=np.int64)
    item_kind = np.zeros(n_variants * n_geno * N_SITES * LANES + LANES, dtype=np.int64)
    # signals now and untreated: (variant, genotype, site, output, lane)
    kept = np.zeros((PHASES, n_variants, n_geno, N_SITES, N_SIGNAL_OUTPUTS, LANES))
    now = np.zeros((n_variants, n_geno, N_SITES, N_SIGNAL_OUTPUTS, LANES))
    untreated = np.zeros((n_geno, N_SIGNAL_OUTPUTS, LANES))
    seen_occ = np.zeros((PHASES, n_variants, n_geno, N_SITES, 2, LANES))
    seen_slow = np.zeros((PHASES, n_geno, N_SITES, n_slow, LANES))
    phase = np.zeros(LANES, dtype=np.int64)
    slow = np.zeros((n_geno, N_SITES, n_slow, LANES))
    geno_x = np.zeros((n_geno, X_SLOW, LANES))
    occupancy = np.zeros((N_SITES, 2, LANES))
    exposure = np.zeros((max(n_cyto, 1), LANES))
    amplitude = np.zeros((max(n_cyto, 1), LANES))
    central = np.zeros((2, LANES))
    peripheral = np.zeros((2, LANES))
    ln_n = np.zeros((N_CLONES, N_SITES, LANES))
    ln_start = np.zeros((N_CLONES, LANES))
    rate = np.zeros(LANES)
    ln_v = np.zeros((N_SITES, LANES))
    v_sum = np.zeros(LANES)
    hazard_systemic = np.zeros(LANES)
    bad = np.zeros(LANES)

    regimen = np.zeros(LANES, dtype=np.int64)
    line = np.zeros(LANES, dtype=np.int64)
    line_week = np.zeros(
        LANES, dtype=np.int64
    )  # week of the line at which the coming step starts; < 0 in the gap
    chemo_lines = np.zeros(LANES, dtype=np.int64)
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
    cns_state = np.zeros(LANES, dtype=np.int64)  # 0 none, 1 seeded, 2 progressed in this line
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
        for k in range(N_CLONE_ROWS):
            f = exp(attributes[A_FRACTION + k, i])
            ln_n[k + 1, SYSTEMIC, i] = attributes[A_BURDEN, i] + attributes[A_FRACTION + k, i]
            rest -= f
        ln_n[0, SYSTEMIC, i] = attributes[A_BURDEN, i] + log(max(rest, 1e-6))
        for k in range(N_CLONES):
            ln_start[k, i] = ln_n[k, SYSTEMIC, i]
            if attributes[A_CNS_SEED, i] > 0.0:
                ln_n[k, CNS, i] = max(
                    ln_n[k, SYSTEMIC, i] - attributes[A_BURDEN, i] + attributes[A_CNS_SEED, i], c.log_floor
                )
            else:
                ln_n[k, CNS, i] = UNSEEDED
        if attributes[A_CNS_SEED, i] > 0.0:
            cns_state[i] = 1
        ln_initial[i] = attributes[A_BURDEN, i]
        ln_v[SYSTEMIC, i] = attributes[A_BURDEN, i]
        ln_v[CNS, i] = attributes[A_CNS_SEED, i] if attributes[A_CNS_SEED, i] > 0.0 else UNSEEDED
        for g in range(n_geno):
            share = max(attributes[A_P95, i], clones.p95_share[g])
            her2 = attributes[A_HER2, i] * clones.her2_factor[g]
            geno_x[g, 0, i] = attributes[A_EGFR, i] * clones.egfr_factor[g]
            geno_x[g, 1, i] = her2 * (1.0 - share)
            geno_x[g, 2, i] = attributes[A_HER3, i]
            geno_x[g, 3, i] = her2 * share
            geno_x[g, 4, i] = attributes[A_EGF, i]
            geno_x[g, 5, i] = attributes[A_HEREGULIN, i]
            geno_x[g, 6, i] = attributes[A_BYPASS, i] + clones.bypass_added[g]
            geno_x[g, 7, i] = max(attributes[A_PIK3CA, i], clones.pik3ca_added[g])
            geno_x[g, 8, i] = attributes[A_PTEN, i] * clones.pten_factor[g]
            geno_x[g, 9, i] = attributes[A_ER, i]
            geno_x[g, 10, i] = attributes[A_CYCLIN_E, i]
            geno_x[g, 11, i] = attributes[A_BIM, i]
        if course.entry_line > 0:
            _start_line(
                i,
                0,
                course.prior_regimen[0],
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
                0.0,
            )
        else:
            _start_line(
                i,
                0,
                course.trial_regimen,
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
                0.0,
            )
            outcomes[O_BASELINE, i] = base_obs[i]
            outcomes[O_ENTRY_BURDEN, i] = ln_v[SYSTEMIC, i]
            outcomes[O_ENTRY_DAY, i] = 0.0
            outcomes[O_LINES, i] = 1.0
    for g in range(n_geno):
        for j in range(X_SLOW):
            for i in range(LANES):
                xin[j, i] = geno_x[g, j, i]
        for j in range(n_slow):
            for i in range(LANES):
                xin[X_SLOW + j, i] = 0.0
        evaluate_block(receptors, network, xin, untreated[g], work, values, hills, kinase, left)
        for s in range(N_SITES):
            for v in range(n_variants):
                for o in range(N_SIGNAL_OUTPUTS):
                    for i in range(LANES):
                        now[v, g, s, o, i] = untreated[g, o, i]
                        for f in range(PHASES):
                            kept[f, v, g, s, o, i] = untreated[g, o, i]

    max_weeks = course.horizon_weeks + course.entry_line * course.prior_limit_weeks + 4
    week = 0
    running = LANES
    while running > 0 and week < max_weeks:
        # ---- dose, exposure, occupancy ------------------------------------------------------------------------
        for i in range(LANES):
            if status[i] != S_RUNNING:
                continue
            r = regimen[i]
            w = line_week[i]
            if r >= 0 and w >= 0:
                for d in range(n_drugs):
                    cycle = regimens.cycle_weeks[r, d]
                    if cycle == 0:
                        continue
                    n_doses = regimens.doses_in_week[r, d, w % cycle]
                    limit = regimens.max_cycles[r, d]
                    factor = 1.0
                    if line[i] == course.entry_line:
                        limit = min(limit, trial_max_cycles[d, i])
                        factor = trial_dose_factor[d, i]
                    if n_doses == 0.0 or w // cycle >= limit:
                        continue
                    amount = regimens.amount[r, d]
                    if w == 0 and regimens.loading[r, d] > 0.0:
                        amount = regimens.loading[r, d]
                    if regimens.unit[r, d] == 1:
                        amount *= attributes[A_WEIGHT, i]
                    elif regimens.unit[r, d] == 2:
                        amount *= attributes[A_BSA, i]
                    amount *= factor * n_doses
                    if drugs.antibody[d] >= 0:
                        central[drugs.antibody[d], i] += amount
                    if drugs.cytotoxic[d] >= 0:
                        amplitude[drugs.cytotoxic[d], i] += amount * cytotoxic_scale[drugs.cytotoxic[d], i]
                        if w % cycle == 0:
                            given_cycles[d, i] += 1.0
                            if line[i] == course.entry_line:
                                outcomes[O_CYCLES, i] = max(outcomes[O_CYCLES, i], given_cycles[d, i])
        for a in range(2):
            kd = c.kd_trastuzumab if a == 0 else c.kd_pertuzumab
            # without saturable elimination one step is exact
            steps = PK_STEPS if antibody_pk[a, 4, 0] > 0.0 else 1
            for i in range(LANES):
                cl = antibody_pk[a, 0, i]
                vc = antibody_pk[a, 1, i]
                q = antibody_pk[a, 2, i]
                vp = antibody_pk[a, 3, i]
                vmax = antibody_pk[a, 4, i]
                km = antibody_pk[a, 5, i]
                hc, hp = central[a, i], peripheral[a, i]
                for _ in range(steps):
                    hc, hp = pk_step(hc, hp, cl, vc, q, vp, vmax, km, 0.5 * STEP_DAYS / steps)
                site = max(hc, 0.0) / vc * c.tumour_partition
                occupancy[SYSTEMIC, a, i] = site / (site + kd)
                site *= c.cns_partition_antibody
                occupancy[CNS, a, i] = site / (site + kd)
                for _ in range(steps):
                    hc, hp = pk_step(hc, hp, cl, vc, q, vp, vmax, km, 0.5 * STEP_DAYS / steps)
                central[a, i] = hc
                peripheral[a, i] = hp
        for k in range(n_cyto):
            ke = drugs.ke0[k]
            mean = (1.0 - exp(-ke * STEP_DAYS)) / (ke * STEP_DAYS)
            decay = exp(-ke * STEP_DAYS)
            for i in range(LANES):
                exposure[k, i] = amplitude[k, i] * mean
                amplitude[k, i] *= decay
        # ---- signalling where something changed ---------------------------------------------------------------
        n_items = 0
        for i in range(LANES):
            phase[i] = (line_week[i] + 2 * PHASES * 1000) % PHASES
        for v in range(n_variants):
            for g in range(n_geno):
                for s in range(N_SITES):
                    kind = (v * n_geno + g) * N_SITES + s
                    for i in range(LANES):
                        if status[i] != S_RUNNING or (s == CNS and cns_state[i] == 0):
                            continue
                        t = occupancy[s, 0, i] if v == 0 else 0.0
                        p = occupancy[s, 1, i] if (v == 1 or not null_model) else 0.0
                        f = phase[i]
                        stale = (
                            abs(t - seen_occ[f, v, g, s, 0, i]) > REFRESH
                            or abs(p - seen_occ[f, v, g, s, 1, i]) > REFRESH
                        )
                        for j in range(n_slow):
                            stale = stale or abs(slow[g, s, j, i] - seen_slow[f, g, s, j, i]) > REFRESH_SLOW
                        if stale:
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
                for j in range(X_SLOW):
                    xin[j, k] = geno_x[g, j, i]
                t = occupancy[s, 0, i] if v == 0 else 0.0
                p = occupancy[s, 1, i] if (v == 1 or not null_model) else 0.0
                xin[X_SLOW - 2, k] = t
                xin[X_SLOW - 1, k] = p
                f = phase[i]
                seen_occ[f, v, g, s, 0, i] = t
                seen_occ[f, v, g, s, 1, i] = p
                for j in range(n_slow):
                    xin[X_SLOW + j, k] = slow[g, s, j, i]
                    seen_slow[f, g, s, j, i] = slow[g, s, j, i]
            evaluate_block(receptors, network, xin, sig, work, values, hills, kinase, left)
            for k in range(LANES):
                item = start + k
                if item < n_items:
                    i = item_lane[item]
                    kind = item_kind[item]
                    s = kind % N_SITES
                    g = (kind // N_SITES) % n_geno
                    v = kind // (N_SITES * n_geno)
                    for o in range(N_SIGNAL_OUTPUTS):
                        kept[phase[i], v, g, s, o, i] = sig[o, k]
            start += LANES
        for v in range(n_variants):
            for g in range(n_geno):
                for s in range(N_SITES):
                    for o in range(N_SIGNAL_OUTPUTS):
                        for i in range(LANES):
                            now[v, g, s, o, i] = kept[phase[i], v, g, s, o, i]
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
        # ---- clones -------------------------------------------------------------------------------------------
        for s in range(N_SITES):
            effector_kill = c.effector_kill if s == SYSTEMIC else c.effector_kill * c.cns_effector
            for i in range(LANES):
                v_sum[i] = 0.0
            for k in range(N_CLONES):
                g = clones.genotype[k]
                mdr = clones.mdr[k]
                for i in range(LANES):
                    free = attributes[A_INDEPENDENT, i]
                    pro_u = untreated[g, OUT_PROLIFERATION, i]
                    pro = now[0, g, s, OUT_PROLIFERATION, i]
                    apo_u = untreated[g, OUT_APOPTOSIS, i]
                    apo = now[0, g, s, OUT_APOPTOSIS, i]
                    her2 = geno_x[g, 1, i]
                    fc_t = her2 * occupancy[s, 0, i]
                    fc_p = her2 * occupancy[s, 1, i] * c.fc_weight_pertuzumab
                    if null_model:
                        pro = pro + now[1, g, s, OUT_PROLIFERATION, i] - pro_u
                        apo = apo + now[1, g, s, OUT_APOPTOSIS, i] - apo_u
                        immune = fc_t / (fc_t + c.fc_half) + fc_p / (fc_p + c.fc_half)
                    else:
                        immune = (fc_t + fc_p) / (fc_t + fc_p + c.fc_half)
                    pr = free + (1.0 - free) * pro / c.cell_cycle_reference
                    pr_u = free + (1.0 - free) * pro_u / c.cell_cycle_reference
                    relative = min(max(pr / pr_u, 1e-6), 1.0)
                    apoptosis = max((1.0 - free) * (apo - apo_u) / c.bim_reference, 0.0)
                    modifier = 1.0
                    if not null_model:
                        before = untreated[g, OUT_SURVIVAL, i]
                        loss = max(before - now[0, g, s, OUT_SURVIVAL, i], 0.0) / (before + SURVIVAL_FLOOR)
                        modifier = (1.0 + c.chemo_synergy * (1.0 - free) * loss) * exp(
                            c.chemo_cycle_exponent * log(relative)
                        )
                    growth = attributes[A_GROWTH, i]
                    rate[i] = (
                        growth * ((1.0 + c.turnover) * clones.cost[k] * pr - c.turnover)
                        - c.apoptosis_kill * apoptosis
                        - effector_kill * attributes[A_EFFECTOR, i] * immune
                    )
                    tolerance = modifier * exp(-c.line_tolerance * chemo_lines[i])
                    for d in range(n_cyto):
                        kill = drugs.kill[d] * sensitivity[d, i] * exposure[d, i] * tolerance
                        if mdr > 0.0:
                            kill *= exp(drugs.mdr_exponent[d] * log(c.mdr_factor))
                        if s == CNS:
                            kill *= drugs.cns_partition[d]
                        rate[i] -= kill
                if s == CNS:
                    for i in range(LANES):
                        if cns_state[i] > 0:
                            x = ln_n[k, s, i] + STEP_DAYS * rate[i]
                            ln_n[k, s, i] = min(max(x, c.log_floor), MAX_LOG_BURDEN)
                            v_sum[i] += exp(ln_n[k, s, i])
                else:
                    for i in range(LANES):
                        x = ln_n[k, s, i] + STEP_DAYS * rate[i]
                        x = max(x, max(c.log_floor, ln_start[k, i] + c.replenish))
                        ln_n[k, s, i] = min(x, MAX_LOG_BURDEN)
                        v_sum[i] += exp(ln_n[k, s, i])
                for i in range(LANES):
                    bad[i] += 0.0 * rate[i]  # becomes NaN with the first rate that is not finite
            for i in range(LANES):
                old = ln_v[s, i]
                ln_v[s, i] = log(v_sum[i]) if v_sum[i] > 0.0 else UNSEEDED
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
                        * exp(c.death_exponent * (rate[i] - c.death_reference))
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
            if not (central[0, i] >= 0.0 and central[1, i] >= 0.0):
                status[i] = S_BAD_EXPOSURE
                continue
            t0 = (week - entry_week[i]) * STEP_DAYS
            in_trial = line[i] >= course.entry_line
            hazard = hazard_systemic[i] + attributes[A_BACKGROUND, i]
            if cns_state[i] > 0:
                hazard += (
                    c.death_hazard
                    * attributes[A_FRAILTY, i]
                    * c.cns_death_weight
                    * exp(c.death_exponent * (ln_v[CNS, i] - c.cns_death_reference))
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
            # a first cell settles in the brain
            if cns_state[i] == 0 and seed_sum[i] >= seed_at[i]:
                cns_state[i] = 1
                for k in range(N_CLONES):
                    ln_n[k, CNS, i] = max(
                        ln_n[k, SYSTEMIC, i] - ln_v[SYSTEMIC, i] + c.cns_seed_cells, c.log_floor
                    )
                ln_v[CNS, i] = c.cns_seed_cells
            switch = SWITCH_NONE
            if line_week[i] >= 0:
                if lesion_seen[i] == 0 and lesion_sum[i] >= lesion_at[i]:
                    lesion_seen[i] = 1
                    if line[i] == course.entry_line and not np.isfinite(outcomes[O_NEW, i]):
                        outcomes[O_NEW, i] = t0 + 0.5 * STEP_DAYS
                first_in_trial = line[i] == course.entry_line and not np.isfinite(outcomes[O_PROGRESSION, i])
                # a brain lesion that has become detectable shows by symptoms, between scans too
                if cns_state[i] == 1 and ln_v[CNS, i] > c.cns_detectable:
                    cns_state[i] = 2
                    if line[i] >= course.entry_line and not np.isfinite(outcomes[O_CNS, i]):
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
                    if line[i] == course.entry_line:
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
                if line[i] == course.entry_line:
                    total = 0.0
                    for k in range(N_CLONES):
                        total += exp(ln_n[k, SYSTEMIC, i] - ln_v[SYSTEMIC, i])
                    outcomes[O_RESISTANT, i] = 1.0 - exp(ln_n[0, SYSTEMIC, i] - ln_v[SYSTEMIC, i]) / total
                if cns_state[i] == 2:
                    # local therapy of brain metastases
                    cns_state[i] = 1
                    for k in range(N_CLONES):
                        ln_n[k, CNS, i] = max(ln_n[k, CNS, i] - c.cns_local_log_kill, c.log_floor)
                    ln_v[CNS, i] -= c.cns_local_log_kill
                if regimen[i] >= 0 and regimens.is_chemo[regimen[i]] == 1:
                    chemo_lines[i] += 1
                following = line[i] + 1
                chosen = -1
                if following < course.entry_line:
                    chosen = course.prior_regimen[following]
                elif following == course.entry_line:
                    chosen = course.trial_regimen
                else:
                    later = following - course.entry_line - 1
                    # supportive care is an end state: no therapy follows it
                    if regimen[i] >= 0 and later < course.later_regimen.shape[0]:
                        u = uniform(seed, patient_ids[i], P_SEQUENCE, later)
                        for option in range(course.later_regimen.shape[1]):
                            if u < course.later_probability[later, option]:
                                chosen = course.later_regimen[later, option]
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
                if following >= course.entry_line and chosen >= 0:
                    outcomes[O_LINES, i] = outcomes[O_LINES, i] + 1.0
                if following == course.entry_line:
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
                if line[i] < course.entry_line and line_week[i] >= course.prior_limit_weeks:
                    status[i] = S_NE_PD
                    continue
            if line[i] >= course.entry_line and week + 1 - entry_week[i] >= course.horizon_weeks:
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
            status[i] = S_NE_PD if line[i] < course.entry_line else S_HORIZON
            outcomes[O_LAST, i] = (week - entry_week[i]) * STEP_DAYS
            outcomes[O_END, i] = ln_v[SYSTEMIC, i]
        outcomes[O_STATUS, i] = status[i]


@njit(cache=True, nogil=True)
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
