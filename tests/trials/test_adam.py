"""ADaM-shaped tables: one trial told four times, and told the same each time."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from her2.engine.layout import Outcome, Status
from her2.survival import kaplan_meier
from her2.trials.adam import adam_tables, best_changes
from her2.trials.analyse import allocate, arm_statistics, observe_arms
from her2.trials.design import load_trial
from her2.trials.follow import Pool, simulate_pool
from her2.units import DAYS_PER_MONTH

N = 400
SEED = 20260101
TRIALS = ("cleopatra", "vogel_2002", "gbg_26")


FLOOR_MM = 5.0
"""What the engine reads where a lesion is too small to measure."""


@pytest.fixture(scope="module", params=TRIALS)
def told(request, model):
    """Pool, trial data and tables of one small trial."""
    pool = simulate_pool(model, load_trial(request.param), N, SEED)
    data = observe_arms(pool, allocate(pool, SEED), SEED)
    return pool, data, adam_tables(pool, data)


def rows_of(table, parameter):
    return table.filter(pl.col("PARAMCD") == parameter)


def by_patient(tables, frame, column):
    """A column of a one-row-per-patient frame in the order of ADSL, null where it has no row."""
    return (
        tables["ADSL"].select("USUBJID").join(frame, on="USUBJID", how="left", maintain_order="left")[column]
    )


def progression_or_death(tables):
    """First PD of ADRS or known death, up to the cut of the tumour endpoints; null without either."""
    progression = (
        rows_of(tables["ADRS"], "OVR")
        .filter(pl.col("AVALC") == "PD")
        .group_by("USUBJID")
        .agg(pl.col("ADY").min().alias("PD"))
    )
    return (
        tables["ADSL"]
        .join(progression, on="USUBJID", how="left", maintain_order="left")
        .with_columns(pl.when(pl.col("DTHDY") <= pl.col("CUTDY")).then(pl.col("DTHDY")).alias("DEATH"))
        .with_columns(pl.min_horizontal("PD", "DEATH").alias("FIRST"))
    )


def test_every_patient_has_one_row_and_the_arm_it_was_randomised_to(told):
    pool, data, tables = told
    subjects = tables["ADSL"]
    assert subjects.height == N
    assert subjects["USUBJID"].n_unique() == N
    labels = [pool.plan.trial.arms[k].id for k in data.arm]
    assert subjects["ARMCD"].to_list() == labels
    assert set(subjects["ITTFL"]) == {"Y"}


def test_one_row_per_patient_parameter_and_visit(told):
    _, _, tables = told
    times = tables["ADTTE"].select("USUBJID", "PARAMCD")
    assert times.is_unique().all()
    best = tables["ADRS"].filter(pl.col("PARAMCD") != "OVR")
    assert best.select("USUBJID", "PARAMCD").is_unique().all()
    assert best.group_by("PARAMCD").len()["len"].to_list() == [N] * 5
    assert tables["ADTR"].select("USUBJID", "AVISITN").is_unique().all()
    assert rows_of(tables["ADRS"], "OVR").select("USUBJID", "ADY").is_unique().all()


def test_the_columns_of_the_standard_are_there_and_all_are_labelled(told):
    _, _, tables = told
    least = {
        "ADSL": "STUDYID USUBJID ARM ARMCD TRT01P TRT01A AGE SEX RANDDY ITTFL SAFFL ECOGBL HRSTAT VISCFL "
        "LIVERFL PRADJTFL PRADJCFL PIK3CAFL PTENLOFL P95FL WEIGHTBL BSABL",
        "ADTR": "USUBJID PARAMCD AVAL AVALU ADY AVISIT AVISITN BASE CHG PCHG NADIR PCHGNAD",
        "ADRS": "USUBJID PARAMCD AVALC AVAL ADY AVISIT ANL01FL",
        "ADTTE": "USUBJID PARAMCD AVAL AVALU CNSR EVNTDESC CNSDTDSC STARTDY ADY SRCDOM",
    }
    variables = tables["variables"]
    for name, columns in least.items():
        assert set(columns.split()) <= set(tables[name].columns), name
        labelled = variables.filter(pl.col("TABLE") == name)
        assert labelled["VARIABLE"].to_list() == tables[name].columns
    assert (variables["LABEL"].str.len_chars() > 1).all()


def test_pfs_events_are_the_first_progression_or_death_of_the_response_table(told):
    _, _, tables = told
    pfs = rows_of(tables["ADTTE"], "PFS").sort("USUBJID")
    first = progression_or_death(tables).sort("USUBJID")
    event = (pfs["CNSR"] == 0).to_numpy()
    np.testing.assert_array_equal(event, first["FIRST"].is_not_null().to_numpy())
    np.testing.assert_array_equal(pfs["AVAL"].to_numpy()[event], first["FIRST"].drop_nulls().to_numpy())
    is_progression = (pfs["EVNTDESC"] == "progression").fill_null(False)
    assert is_progression.sum() == first["PD"].is_not_null().sum()


def test_confirmed_responses_give_the_response_rate_but_for_confirmations_after_the_cut(told):
    pool, data, tables = told
    shown = by_patient(tables, rows_of(tables["ADRS"], "CRSP"), "AVAL").to_numpy() == 1
    counted = data.rates["orr"]
    assert not np.any(shown & ~counted)
    # the analysis dates a response at its first visit, the table shows what was confirmed by the cut
    known = np.minimum(tables["ADSL"]["CUTDY"].to_numpy(), data.lost_day)
    for i in np.nonzero(counted & ~shown)[0]:
        followed = pool.arms[data.arm[i]]
        sums = followed.sums[:, i]
        days = pool.plan.trial.scans.every * np.arange(1, sums.size + 1)
        start = followed[Outcome.CONFIRMED_RESPONSE][i]
        fallen = sums <= 0.7 * followed[Outcome.BASELINE_SUM][i]
        assert days[fallen & (days >= start + 28.0)].min() > known[i]
    assert np.mean(counted & ~shown) < 0.02
    best = by_patient(tables, rows_of(tables["ADRS"], "CBOR"), "AVALC")
    np.testing.assert_array_equal(best.is_in(["CR", "PR"]).to_numpy(), shown)
    for k, arm in enumerate(pool.plan.trial.arms):
        inside = (tables["ADSL"]["ARMCD"] == arm.id).to_numpy()
        rate = arm_statistics(data, k)["orr"].value
        assert abs(shown[inside].mean() - rate) <= np.mean((counted & ~shown)[inside]) + 1e-12


def test_without_a_cut_in_sight_the_response_rates_are_equal(model):
    trial = load_trial("vogel_2002")
    trial = trial.model_copy(
        update={
            "drop_out": trial.drop_out.model_copy(update={"rate": 0.0}),
            "analyses": tuple(a.model_copy(update={"cut": 3000.0}) for a in trial.analyses),
        }
    )
    pool = simulate_pool(model, trial, N, SEED)
    data = observe_arms(pool, np.zeros(N, dtype=np.int64), SEED)
    responses = adam_tables(pool, data)["ADRS"]
    shown = rows_of(responses, "CBOR")["AVALC"].is_in(["CR", "PR"]).mean()
    assert shown == pytest.approx(arm_statistics(data, 0)["orr"].value, abs=1e-12)
    assert rows_of(responses, "CBRESP")["AVAL"].mean() == pytest.approx(arm_statistics(data, 0)["cbr"].value)


def test_the_best_response_is_never_worse_unconfirmed(told):
    _, _, tables = told
    best = rows_of(tables["ADRS"], "BOR").sort("USUBJID")["AVAL"]
    confirmed = rows_of(tables["ADRS"], "CBOR").sort("USUBJID")["AVAL"]
    assert (best <= confirmed).all()


PARAMETERS = {"pfs": "PFS", "ttp": "TTP", "os": "OS", "dfs": "DFS", "time_to_cns": "TTCNS"}
"""Short names of the times in the table, by endpoint; at most eight letters, as the standard asks."""


def test_medians_of_the_time_table_are_those_of_the_analysis(told):
    pool, data, tables = told
    for k, arm in enumerate(pool.plan.trial.arms):
        statistics = arm_statistics(data, k)
        for name in data.times:
            rows = rows_of(tables["ADTTE"], PARAMETERS[name]).filter(pl.col("ARMCD") == arm.id)
            curve = kaplan_meier(rows["AVAL"].to_numpy() / DAYS_PER_MONTH, (rows["CNSR"] == 0).to_numpy())
            assert curve.median() == pytest.approx(statistics[name].value, nan_ok=True, abs=1e-9)


def test_time_to_progression_only_where_the_trial_reports_it(told):
    pool, _, tables = told
    reported = "ttp" in pool.plan.trial.endpoints.reported
    assert (rows_of(tables["ADTTE"], "TTP").height == N) is reported


def test_duration_of_response_is_for_responders_and_ends_with_pfs(told):
    _, _, tables = told
    duration = rows_of(tables["ADTTE"], "DOR").sort("USUBJID")
    responders = rows_of(tables["ADRS"], "CRSP").filter(pl.col("AVALC") == "Y").sort("USUBJID")
    assert duration["USUBJID"].to_list() == responders["USUBJID"].to_list()
    assert duration["STARTDY"].to_list() == responders["ADY"].to_list()
    pfs = rows_of(tables["ADTTE"], "PFS").join(duration.select("USUBJID"), on="USUBJID").sort("USUBJID")
    np.testing.assert_allclose(duration["ADY"].to_numpy(), pfs["AVAL"].to_numpy())
    assert (duration["AVAL"] >= 0).all()


def test_nothing_is_told_after_progression_death_loss_or_cut(told):
    _, data, tables = told
    subjects = tables["ADSL"].with_columns(pl.Series("LOST", data.lost_day))
    ends = progression_or_death(tables).select("USUBJID", "PD", "DEATH")
    for name in ("ADTR", "ADRS"):
        visits = (
            tables[name]
            .filter(pl.col("ADY").is_not_null())
            .join(subjects.select("USUBJID", "CUTDY", "LOST"), on="USUBJID")
            .join(ends, on="USUBJID")
        )
        for limit in ("CUTDY", "LOST", "PD", "DEATH"):
            assert visits.filter(pl.col("ADY") > pl.col(limit)).height == 0, (name, limit)


def test_changes_are_from_baseline_and_from_the_smallest_sum_before(told):
    _, _, tables = told
    sums = tables["ADTR"]
    for (_,), course in sums.group_by("USUBJID", maintain_order=True):
        values = course["AVAL"].to_numpy()
        assert course["AVISITN"][0] == 0
        assert course["BASE"].n_unique() == 1
        if values.size > 1:
            later = course[1:]
            np.testing.assert_allclose(later["CHG"].to_numpy(), values[1:] - values[0])
            np.testing.assert_allclose(
                later["PCHG"].to_numpy(), 100 * (values[1:] / values[0] - 1), atol=1e-9
            )
            np.testing.assert_array_equal(later["NADIR"].to_numpy(), np.minimum.accumulate(values)[:-1])


def test_responses_follow_the_sums_by_recist(told):
    _, _, tables = told
    scans = rows_of(tables["ADRS"], "OVR").join(
        tables["ADTR"].filter(pl.col("AVISITN") > 0).select("USUBJID", "ADY", "AVAL", "BASE", "NADIR"),
        on=["USUBJID", "ADY"],
        suffix="_SUM",
    )
    value, base, nadir = (scans[c].to_numpy() for c in ("AVAL_SUM", "BASE", "NADIR"))
    grown = (value >= 1.2 * nadir) & (value - nadir >= 5.0)
    new = (scans["PDREAS"] == "new lesion").fill_null(False).to_numpy()
    expected = np.where(
        grown | new, "PD", np.where(value <= FLOOR_MM, "CR", np.where(value <= 0.7 * base, "PR", "SD"))
    )
    assert scans["AVALC"].to_list() == expected.tolist()


def test_best_changes_belong_to_the_arms_and_include_growth(told):
    pool, _, tables = told
    arms = best_changes(tables)
    assert [a[0] for a in arms] == [a.label for a in pool.plan.trial.arms]
    assert sum(a[1].size for a in arms) == N
    for _, change, response in arms:
        assert np.nanmin(change) >= -1.0
        assert np.nanmax(change) > 0.0
        complete = np.array(response) == "CR"
        # a complete response reads the floor of 5 mm, so that its change depends on the baseline alone
        assert np.all((change[complete] > -1.0) & (change[complete] < -0.3))


def test_a_failed_patient_is_kept_and_marked(model):
    pool = simulate_pool(model, load_trial("cleopatra"), 60, SEED)
    outcomes = pool.arms[0].outcomes.copy()
    outcomes[:, 5] = np.nan
    outcomes[Outcome.STATUS, 5] = Status.FAILED_RATE
    outcomes[Outcome.PROGRESSION, 5] = outcomes[Outcome.DEATH, 5] = np.inf
    first = type(pool.arms[0])(
        pool.arms[0].patient,
        outcomes,
        pool.arms[0].sums,
        pool.arms[0].line_starts,
        pool.arms[0].line_regimens,
    )
    broken = Pool(pool.plan, pool.cohort, (first, pool.arms[1]), pool.screened, pool.status_counts)
    data = observe_arms(broken, np.zeros(60, dtype=np.int64), SEED)
    tables = adam_tables(broken, data)
    row = tables["ADSL"].row(5, named=True)
    assert (row["SIMFL"], row["SIMSTAT"]) == ("N", "FAILED_RATE")
    assert tables["ADTR"].filter(pl.col("USUBJID") == row["USUBJID"]).height == 0
    best = rows_of(tables["ADRS"], "CBOR").filter(pl.col("USUBJID") == row["USUBJID"])
    assert best["AVALC"].to_list() == ["NE"]


@pytest.mark.parametrize("name", ["n9831", "neosphere", "gianni_2014"])
def test_trials_around_surgery_are_told_too(model, name):
    """No scans and no response by scan; disease-free and overall survival exactly as analysed, where there are any."""
    pool = simulate_pool(model, load_trial(name), 80, SEED)
    data = observe_arms(pool, allocate(pool, SEED), SEED)
    tables = adam_tables(pool, data)
    assert tables["ADSL"].height == 80
    assert set(tables["ADTR"]["AVISIT"]) == {"Baseline"}
    assert rows_of(tables["ADRS"], "OVR").height == 0
    assert rows_of(tables["ADTTE"], "DOR").height == 0
    assert set(tables["ADTTE"]["PARAMCD"]) == {PARAMETERS[e] for e in data.times}
    for endpoint, tte in data.times.items():
        rows = rows_of(tables["ADTTE"], PARAMETERS[endpoint])
        np.testing.assert_array_equal(rows["AVAL"].to_numpy(), tte.time)
        np.testing.assert_array_equal((rows["CNSR"] == 0).to_numpy(), tte.event)
    if "dfs" in data.times:
        relapse = rows_of(tables["ADTTE"], "DFS").filter(pl.col("EVNTDESC") == "progression")
        assert relapse["SRCDOM"].is_null().all()


def test_deaths_of_the_subjects_are_those_known_when_survival_is_cut(told):
    _, data, tables = told
    subjects, survival = tables["ADSL"], data.times["os"]
    np.testing.assert_array_equal((subjects["DTHFL"] == "Y").to_numpy(), survival.event)
    np.testing.assert_array_equal(subjects["LSTALVDY"].to_numpy(), survival.time)
