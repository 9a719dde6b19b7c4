"""From trial file to courses: histories and options as mixtures, screening in batches, cross-over by the rules."""

import json

import numpy as np
import pytest
import yaml

from her2.engine.layout import Attribute, BrainEntry, Outcome, Setting, Status
from her2.engine.run import Followed
from her2.trials import follow as follow_module
from her2.trials.design import load_trial, trial_names, trial_path
from her2.trials.follow import HISTORY_INDEX, OPTION_INDEX, chosen, prepare_trial, simulate_pool

SEED = 11
ONE, TWO = ["docetaxel+trastuzumab"], ["docetaxel+trastuzumab", "trastuzumab+vinorelbine"]
VINORELBINE = [{"agent": "vinorelbine", "dose": "30 mg/m2 d1,8 q3w"}]
CAPECITABINE = [{"agent": "capecitabine", "dose": "1000 mg/m2 bid d1-14 q3w"}]


@pytest.fixture
def edit(tmp_path):
    """A trial of the record with some keys of its file changed."""

    def changed(name, **keys):
        data = yaml.safe_load(trial_path(name).read_text(encoding="utf-8"))
        path = tmp_path / "mine.yaml"
        # JSON is YAML, and repeats what is used twice instead of naming it
        path.write_text(json.dumps(data | keys, default=str), encoding="utf-8")
        return load_trial(str(path))

    return changed


def by_id(followed: Followed, ids) -> Followed:
    """Some patients by their ids."""
    return followed.take(np.searchsorted(followed.patient, ids))


def same_results(one: Followed, other: Followed) -> bool:
    """Whether patients have the same results to the last digit; regimens have other numbers in another trial."""
    return all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in (
            (one.patient, other.patient), (one.outcomes, other.outcomes), (one.sums, other.sums),
            (one.line_starts, other.line_starts),
        )
    )  # fmt: skip


# --- mixtures ------------------------------------------------------------------------------------------------------


def test_a_mixture_of_histories_is_its_parts_patient_by_patient(model, edit):
    """Two thirds after one line and a third after two: each patient as in the trial where all have her history."""
    mixed = edit(
        "gbg_26", prior_lines=[], histories=[{"share": 0.65, "lines": ONE}, {"share": 0.35, "lines": TWO}]
    )
    pool = simulate_pool(model, mixed, 60, SEED)
    ids = pool.arms[0].patient
    history = chosen([0.65, 0.35], SEED, 0, int(ids[-1]) + 1, HISTORY_INDEX)
    for k, lines in enumerate((ONE, TWO)):
        # as many as were screened for the mixture enter at most
        alone = simulate_pool(model, edit("gbg_26", prior_lines=lines), 60, SEED)
        here = ids[(history[ids] == k) & (ids <= alone.arms[0].patient[-1])]
        assert here.size > 10
        assert np.all(np.isin(here, alone.arms[0].patient))
        for own, other in zip(pool.arms, alone.arms, strict=True):
            assert same_results(by_id(own, here), by_id(other, here))
        # as many earlier lines as the history has
        before = by_id(pool.arms[0], here).line_starts
        assert np.all(np.sum(before < 0.0, axis=0) == len(lines))
    share = np.mean(chosen([0.65, 0.35], SEED, 0, 4000, HISTORY_INDEX) == 0)
    assert share == pytest.approx(0.65, abs=3.3 * np.sqrt(0.65 * 0.35 / 4000))


def test_options_of_an_arm_are_a_mixture_patient_by_patient(model, edit):
    """Physician's choice of vinorelbine or capecitabine, beside arms in which everybody gets the one or the other."""
    options = [
        {"share": 0.3, "label": "v", "regimen": VINORELBINE},
        {"share": 0.7, "label": "c", "regimen": CAPECITABINE},
    ]
    arms = [
        {"id": "choice", "label": "choice", "options": options},
        {"id": "vinorelbine", "label": "v", "regimen": VINORELBINE},
        {"id": "capecitabine", "label": "c", "regimen": CAPECITABINE},
    ]
    trial = edit(
        "gbg_26", arms=arms, control="choice", prior_lines=ONE,
        randomisation={"ratio": [1, 1, 1], "block": 3, "strata": []},
    )  # fmt: skip
    pool = simulate_pool(model, trial, 80, SEED)
    ids = pool.arms[0].patient
    option = chosen([0.3, 0.7], SEED, 0, int(ids[-1]) + 1, OPTION_INDEX)[ids]
    assert 10 < np.sum(option == 0) < 40
    for k in (0, 1):
        here = np.flatnonzero(option == k)
        assert same_results(pool.arms[0].take(here), pool.arms[k + 1].take(here))
    assert not same_results(pool.arms[0], pool.arms[1])


def test_ways_of_an_arm_are_histories_by_options_with_options_innermost(model):
    plan = prepare_trial(model, load_trial("th3resa"))
    trial = plan.trial
    (conjugate, choice) = plan.courses
    n, options = len(trial.histories), len(trial.arms[1].options)
    assert conjugate.entry_line.size == n and choice.entry_line.size == n * options
    lines = [len(h.lines) for h in trial.histories]
    assert list(choice.entry_line) == [k for k in lines for _ in range(options)]
    assert list(choice.trial_regimen) == list(choice.trial_regimen[:options]) * n
    for h, history in enumerate(trial.histories):
        for o in range(options):
            way = h * options + o
            assert [plan.names[r] for r in choice.prior_regimen[way] if r >= 0] == list(history.lines)
            assert plan.names[choice.trial_regimen[way]] == f"th3resa:physicians_choice:{o}"
    assert len(plan.toxicity[1]) == options and len(plan.toxicity[0]) == 1


def test_a_start_in_the_file_is_a_start_in_the_kernel(model, edit):
    """Capecitabine from week 12 of the line on: as without it until then, day by day."""
    with_start = [{**CAPECITABINE[0], "start": "12 week"}]
    arms = [
        {"id": "late", "label": "late", "regimen": VINORELBINE + with_start},
        {"id": "never", "label": "never", "regimen": VINORELBINE},
    ]
    trial = edit("gbg_26", arms=arms, control="never", prior_lines=ONE)
    plan = prepare_trial(model, trial)
    late, drug = plan.names.index("gbg_26:late"), plan.model.drug_index("capecitabine")
    assert plan.regimens.start_week[late, drug] == 12
    pool = simulate_pool(model, trial, 64, SEED)
    one, other = pool.arms
    scans = int(12 * 7.0 // trial.scans.every)
    assert np.array_equal(one.sums[:scans], other.sums[:scans], equal_nan=True)
    assert not np.array_equal(one.sums, other.sums, equal_nan=True)


# --- screening -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gbg_26", "bolero_3", "cleopatra", "cerebel"])
def test_who_is_enrolled_and_what_happens_does_not_depend_on_the_batches(model, name, monkeypatch):
    """30 and 90 patients to enrol are screened in batches of other sizes; so are 90 with fewer lanes in a batch."""
    trial = load_trial(name)
    large, small = (simulate_pool(model, trial, n, SEED) for n in (90, 30))
    for a, b in zip(large.arms, small.arms, strict=True):
        assert a.take(np.arange(30)).digest() == b.digest()
    monkeypatch.setattr(follow_module, "LANES", 5)
    again = simulate_pool(model, trial, 90, SEED)
    for a, b in zip(large.arms, again.arms, strict=True):
        assert a.digest() == b.digest()
    assert np.array_equal(large.cohort.attributes, again.cohort.attributes)
    assert sum(again.status_counts.values()) == again.screened


def test_the_same_patients_enter_every_arm(model):
    pool = simulate_pool(model, load_trial("egf104900"), 60, SEED)
    for other in pool.arms[1:]:
        assert np.array_equal(other.patient, pool.arms[0].patient)
        for row in (Outcome.ENTRY_DAY, Outcome.BASELINE_SUM, Outcome.LOG_BURDEN_ENTRY):
            assert np.array_equal(other[row], pool.arms[0][row])


def test_arms_followed_alone_are_those_followed_together(model):
    trial = load_trial("bolero_3")
    both = simulate_pool(model, trial, 40, SEED)
    (second,) = simulate_pool(model, trial, 40, SEED, arms=[1]).arms
    assert second.digest() == both.arms[1].digest()


def test_excluded_brain_metastases_are_counted_among_the_screened(model, edit):
    """With earlier lines some patients have them by then; a trial that takes them enrols those too."""
    lines = {"prior_lines": TWO}
    without = simulate_pool(
        model, edit("gbg_26", **lines, population=_population("gbg_26", "none")), 150, SEED
    )
    anyone = simulate_pool(model, edit("gbg_26", **lines, population=_population("gbg_26", "any")), 150, SEED)
    name = Status.NOT_ENROLLED_BRAIN.name.lower()
    assert without.status_counts[name] > 0 and name not in anyone.status_counts
    assert without.screened == sum(without.status_counts.values())
    limit = model.constants.cns_detectable
    seeds = without.cohort.attributes[Attribute.CNS_SEED]
    assert np.all(seeds <= limit)


def _population(name, brain):
    data = yaml.safe_load(trial_path(name).read_text(encoding="utf-8"))["population"]
    return {**data, "brain_metastases": brain}


def test_settings_and_brain_metastases_of_the_file_reach_the_kernel(model):
    found = {}
    for name in trial_names():
        trial = load_trial(name)
        for course in prepare_trial(model, trial).courses:
            assert course.setting == Setting[trial.setting.upper()]
            assert course.brain_entry == BrainEntry[trial.population.brain_metastases.upper()]
            assert course.surgery_week == (trial.surgery.after / 7.0 if trial.surgery else 0)
            assert (course.surgery_week > 0) == (trial.setting == "neoadjuvant")
            found[trial.setting, trial.population.brain_metastases] = name
    assert {setting for setting, _ in found} == {"metastatic", "neoadjuvant", "adjuvant"}
    assert {brain for setting, brain in found if setting == "metastatic"} == {
        "any",
        "none",
        "untreated",
        "treated",
    }


def test_a_neoadjuvant_trial_ends_at_surgery_and_an_adjuvant_one_starts_without_a_tumour(model):
    before = simulate_pool(model, load_trial("neosphere"), 60, SEED)
    weeks = before.plan.courses[0].surgery_week
    for followed in before.arms:
        assert np.all(followed[Outcome.LAST_SEEN] == weeks * 7.0)
        assert np.array_equal(
            followed[Outcome.COMPLETE] > 0.5, followed[Outcome.LOG_BURDEN_END] < model.constants.pcr
        )
    after = simulate_pool(model, load_trial("n9831"), 60, SEED)
    for followed in after.arms:
        relapse = followed[Outcome.PROGRESSION]
        assert np.all(followed[Outcome.LOG_BURDEN_ENTRY] < model.constants.relapse)
        assert 0 < np.isfinite(relapse).sum() < 60
        # it is found week by week, not by scans
        assert np.all(relapse[np.isfinite(relapse)] % 7.0 == 0.0)


# --- later lines ---------------------------------------------------------------------------------------------------


def agents_before(trial, way):
    """Agents that patients of one way of an arm have had when the trial line ends."""
    lines = {agent for name in way.lines for agent in name.split("+")}
    return lines | {component.agent for component in way.regimen}


class Way:
    """One history with one option of an arm."""

    def __init__(self, lines, regimen):
        self.lines, self.regimen = lines, regimen


def ways_of(trial, arm):
    return [Way(h.lines, o.regimen) for h in trial.entry_histories for o in arm.choices]


def later_of(plan, arm, way):
    """Regimens of the later lines of one way, by name."""
    course = plan.courses[arm]
    return [plan.names[r] for r in course.later_regimen[way, :, 0] if r >= 0]


def test_who_has_not_had_trastuzumab_crosses_over_to_it(model):
    """In every trial of metastatic disease: the first later line of an arm without trastuzumab has it, that of an arm
    with trastuzumab and a taxane continues it or is T-DM1, and no line repeats what has been given."""
    crossed = []
    for name in trial_names():
        trial = load_trial(name)
        if trial.setting != "metastatic" or not trial.later_lines.uptake:
            continue
        plan = prepare_trial(model, trial)
        for k, arm in enumerate(trial.arms):
            for w, way in enumerate(ways_of(trial, arm)):
                had = agents_before(trial, way)
                lines = later_of(plan, k, w)
                if "trastuzumab" not in had:
                    crossed.append(f"{name}:{arm.id}")
                    assert "trastuzumab" in lines[0].split("+"), (name, arm.id)
                for line in lines:
                    assert not set(line.split("+")) <= had, (name, arm.id, line)
                    had |= set(line.split("+"))
    # the chemotherapy and the endocrine arms of the pivotal trials, and lapatinib alone
    assert {
        "m77001:docetaxel", "slamon_2001_paclitaxel:paclitaxel", "tandem:anastrozole", "egf30008:letrozole",
        "egf20009:lapatinib",
    } <= set(crossed)  # fmt: skip


def test_patients_cross_over_in_the_simulation(model):
    """The line after the docetaxel arm of M77001 is the one with trastuzumab, in as many as take a further line."""
    trial = load_trial("m77001")
    arm = next(k for k, a in enumerate(trial.arms) if a.id == "docetaxel")
    pool = simulate_pool(model, trial, 300, SEED, arms=[arm])
    (followed,) = pool.arms
    second = followed.line_regimens[1]
    started = np.isfinite(followed.line_starts[1])
    names = [pool.plan.names[r] for r in second[started & (second >= 0)]]
    assert set(names) == {later_of(pool.plan, arm, 0)[0]} and "trastuzumab" in names[0]
    uptake = trial.later_lines.uptake[0]
    share = np.mean(second[started] >= 0)
    assert share == pytest.approx(uptake, abs=3.3 * np.sqrt(uptake * (1 - uptake) / started.sum()))


def test_classes_in_the_rules_are_matched_for_virtual_patients(model, edit):
    """After paclitaxel and trastuzumab the taxane rule holds as after docetaxel: capecitabine comes next."""

    def arm(taxane, dose):
        regimen = [
            {"agent": "trastuzumab", "dose": "8 mg/kg then 6 mg/kg q3w"},
            {"agent": taxane, "dose": dose},
        ]
        return {"id": taxane, "label": taxane, "regimen": regimen}

    trial = edit(
        "cleopatra",
        arms=[arm("docetaxel", "75 mg/m2 q3w"), arm("paclitaxel", "175 mg/m2 q3w")],
        control="docetaxel",
    )
    plan = prepare_trial(model, trial)
    assert later_of(plan, 0, 0)[0] == later_of(plan, 1, 0)[0] == "capecitabine+trastuzumab"
    rules = [line.rule for line in plan.later[1]]
    assert rules[0] == "metastatic.second_line_trastuzumab_capecitabine"


def test_a_trial_takes_its_drugs_with_the_values_of_the_model_it_is_given(model):
    plan = prepare_trial(model, load_trial("landscape"))
    assert {"lapatinib", "capecitabine"} <= {a.id for a in plan.model.agents}
    assert plan.model.values == model.values
    assert plan.model.drugs.in_plasma.size == len(plan.model.agents) == plan.regimens.amount.shape[1]
