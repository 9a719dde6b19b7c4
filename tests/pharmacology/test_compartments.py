"""Linear compartments against matrix exponentials, saturable elimination against ODE solvers; properties."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from her2.pharmacology import compartments
from her2.pharmacology.compartments import LinearModel, MichaelisMentenModel, michaelis_menten_step
from her2.pharmacology.regimen import DoseTable, Regimen, merge_doses, parse_regimen

Floats = np.ndarray
WEIGHT, BSA = 66.0, 1.75
TRASTUZUMAB = {
    "cl": 0.127,
    "vc": 2.62,
    "q": 0.544,
    "vp": 2.97,
    "vmax": 8.81,
    "km": 8.92,
}  # quartino_2019, Table 1
DOCETAXEL = LinearModel(1058.4, 8.9, (146.4, 345.6), (7.3, 388.0))  # koolen_2010, Table 1
TUCATINIB = LinearModel(1293.6, 125.0, (2157.6,), (635.0,), ka=10.176, lag=0.392 / 24)  # zhang_2024, Table 1
REGIMENS = (
    "8 mg/kg then 6 mg/kg q3w iv 90 min",
    "840 mg then 420 mg q3w iv 60 min",
    "4 mg/kg then 2 mg/kg qw",
    "75 mg/m2 q3w iv 60 min",
    "80 mg/m2 d1,8,15 q4w iv 3 h",
    "30 mg/m2 d1,8 q3w iv 10 min",
    "200 mg/m2 qd d1-5 q3w iv 24 h",
    "1000 mg/m2 bid d1-14 q3w",
    "1250 mg qd",
    "300 mg bid",
    "50 mg tid",
    "600 mg q3w sc",
    "600 mg then 300 mg qw sc",
)


class ByMatrixExponential:
    """One patient of a linear model, stepped from event to event with expm of the whole rate matrix.

    States: effect site, depot, central, peripherals, area under the central concentration, and a constant 1
    that carries the infusion. Shares no formula with the module. The order matters: it keeps the matrix from
    being triangular, where scipy 1.17's `expm` is off by per cents for nearly equal rates.
    """

    def __init__(self, model: LinearModel, ke0: float = 0.0) -> None:
        assert model.n_patients == 1
        self.model, self.n = model, len(model.q) + 5
        cl, vc = model.cl[0], model.vc[0]
        k = np.zeros((self.n, self.n))
        if model.ka is not None:
            k[1, 1], k[2, 1] = -model.ka[0], model.ka[0]
        k[2, 2] = -cl / vc
        for i, (q, vp) in enumerate(zip(model.q, model.vp, strict=True), start=3):
            k[2, 2] -= q[0] / vc
            k[i, 2], k[2, i], k[i, i] = q[0] / vc, q[0] / vp[0], -q[0] / vp[0]
        k[0, 2], k[0, 0] = ke0 / vc, -ke0
        k[-2, 2] = 1.0 / vc
        self.matrix = k
        self.known: dict[tuple[float, float], Floats] = {}

    def _move(self, state: Floats, rate: float, h: float) -> Floats:
        key = (rate, h)
        if key not in self.known:
            matrix = self.matrix.copy()
            matrix[2, -1] = rate
            # short enough that scaling and squaring keep the digits of what is nearly washed out
            parts = int(np.ceil(np.abs(matrix).max() * h / 50.0))
            self.known[key] = np.linalg.matrix_power(expm(matrix * (h / parts)), parts)
        return self.known[key] @ state

    def states(self, doses: DoseTable, times: Floats) -> Floats:
        """(times, states) just after any dose at the same time."""
        absorbs = self.model.ka is not None and doses.route != "iv"
        start = doses.time_day + (self.model.lag[0] if absorbs else 0.0)
        end = start + doses.duration_day
        amount = doses.amount_mg * (self.model.f[0] if absorbs else 1.0)
        state = np.zeros(self.n)
        state[-1] = 1.0
        rows, clock = {}, start.min()
        for stop in np.unique(np.concatenate([start, end, times])):
            is_on = (start < stop) & (end >= stop) & (end > start)
            rate = float((amount[is_on] / (end - start)[is_on]).sum())
            if stop > clock:
                state = self._move(state, rate, stop - clock)
                clock = stop
            state[1 if absorbs else 2] += amount[(start == stop) & (end == start)].sum()
            rows[stop] = state.copy()
        return np.array([rows[t] for t in times])

    def concentration(self, doses: DoseTable, times: Floats) -> Floats:
        return self.states(doses, times)[:, 2] / self.model.vc[0]


def draw_model(rng: np.random.Generator, absorbs: bool) -> LinearModel:
    """One to three compartments, rates of about 0.01 to 100 per day, a depot if doses are absorbed."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    n = int(rng.integers(0, 3))
    vc = between(2.0, 100.0)
    return LinearModel(
        vc * between(0.02, 20.0),
        vc,
        tuple(vc * between(0.05, 20.0) for _ in range(n)),
        tuple(vc * between(0.1, 10.0) for _ in range(n)),
        ka=between(0.05, 20.0) if absorbs else None,
        lag=rng.choice([0.0, 0.02]) if absorbs else 0.0,
        f=rng.choice([1.0, 0.43]) if absorbs else 1.0,
    )


def draw_regimen(rng: np.random.Generator) -> Regimen:
    """A schedule of the list with another dose, sometimes another infusion."""
    regimen = parse_regimen(str(rng.choice(REGIMENS)))
    loading = None if rng.random() < 0.5 else regimen.amount * float(rng.uniform(1.2, 2.5))
    return replace(regimen, amount=regimen.amount * float(rng.uniform(0.2, 3.0)), loading=loading)


def largest_relative_error(got: Floats, want: Floats) -> float:
    """Against the value itself down to a billionth of the peak, and against that below it."""
    return float((np.abs(got - want) / np.maximum(np.abs(want), 1e-9 * np.abs(want).max())).max())


def test_500_generated_regimens_equal_the_matrix_exponential() -> None:
    rng = np.random.default_rng(20250131)
    worst = 0.0
    for _ in range(500):
        regimen = draw_regimen(rng)
        model = draw_model(rng, absorbs=regimen.route != "iv")
        last = 6.0 if regimen.interval_days == 1 else 45.0
        doses = regimen.expand(WEIGHT, BSA, 0.0, last)
        times = np.sort(rng.uniform(0.0, last + 5.0, 5))
        reference = ByMatrixExponential(model)
        got = model.concentration(doses, times)
        assert got.shape == (1, 5)
        worst = max(worst, largest_relative_error(got[0], reference.concentration(doses, times)))
    assert worst < 1e-9


def test_200_generated_areas_equal_the_matrix_exponential() -> None:
    rng = np.random.default_rng(7)
    worst = 0.0
    for _ in range(200):
        regimen = draw_regimen(rng)
        model = draw_model(rng, absorbs=regimen.route != "iv")
        last = 5.0 if regimen.interval_days == 1 else 30.0
        doses = regimen.expand(WEIGHT, BSA, 0.0, last)
        window = np.sort(rng.uniform(0.0, last, 2))
        area = np.diff(ByMatrixExponential(model).states(doses, window)[:, -2])[0]
        # the reference subtracts two areas; only what that leaves can be compared
        total = doses.amount_mg.sum() / model.cl[0]
        worst = max(worst, abs(model.auc(doses, *window)[0] - area) / max(area, 1e-5 * total))
    assert worst < 1e-9


def test_effect_sites_equal_the_matrix_exponential_also_at_equal_rates() -> None:
    rng = np.random.default_rng(11)
    for k in range(100):
        regimen = draw_regimen(rng)
        model = draw_model(rng, absorbs=regimen.route != "iv")
        rates = model.modes()[0][0]
        ke0 = float(np.exp(rng.uniform(-3, 3)))
        if k % 3 == 0:
            ke0 = float(rng.choice(rates)) * (1.0 + float(rng.choice([0.0, 1e-14, 1e-10, 1e-6, 1e-3])))
        doses = regimen.expand(WEIGHT, BSA, 0.0, 6.0)
        times = np.sort(rng.uniform(0.0, 9.0, 6))
        want = ByMatrixExponential(model, ke0).states(doses, times)[:, 0]
        got = model.with_effect_compartment(ke0).concentration(doses, times)[0]
        assert largest_relative_error(got, want) < 1e-9


@pytest.mark.parametrize("gap", [0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, -1e-9])
def test_absorption_as_fast_as_elimination_loses_no_digits(gap: float) -> None:
    # flip-flop: with ka equal to k the closed form is F D k t exp(-k t) / V
    model = LinearModel(10.0, 20.0, ka=0.5 * (1.0 + gap))
    dose = DoseTable(np.zeros(1), np.full(1, 100.0), np.zeros(1))
    times = np.linspace(0.0, 60.0, 121)
    want = ByMatrixExponential(model).concentration(dose, times)
    got = model.concentration(dose, times)[0]
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=0)
    if gap == 0.0:
        np.testing.assert_allclose(got, 2.5 * times * np.exp(-0.5 * times), rtol=1e-13, atol=0)


def test_modes_are_the_bolus_response() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        model = draw_model(rng, absorbs=False)
        rates, shares = model.modes()
        assert (rates > 0.0).all()
        assert (shares >= 0.0).all()
        assert (np.diff(rates[0]) <= 0.0).all()
        assert shares.sum() == pytest.approx(1.0 / model.vc[0], rel=1e-13)
        assert (shares / rates).sum() == pytest.approx(1.0 / model.cl[0], rel=1e-11)
        # the product of the rates is a product of flows over volumes, whatever the number of compartments
        flows = (
            np.prod([q[0] / vp[0] for q, vp in zip(model.q, model.vp, strict=True)])
            * model.cl[0]
            / model.vc[0]
        )
        assert np.prod(rates) == pytest.approx(flows, rel=1e-12)


def test_closed_form_and_singular_values_agree_on_two_compartments() -> None:
    rng = np.random.default_rng(4)
    cl, vc, q, vp = np.exp(rng.uniform(-4, 4, (4, 1000)))
    for closed, general in zip(
        compartments._two_compartment_modes(cl, vc, q, vp),
        compartments._mammillary_modes(cl, vc, q[:, None], vp[:, None]),
        strict=True,
    ):
        np.testing.assert_allclose(general, closed, rtol=1e-9, atol=1e-16)


def test_modes_of_the_effect_site_sum_to_its_concentration() -> None:
    dose = DoseTable(np.zeros(1), np.ones(1), np.zeros(1))
    times = np.linspace(0.0, 20.0, 50)
    plasma = LinearModel(0.2, 3.0, (0.5,), (2.7,))
    for ke0 in (0.7, float(plasma.modes()[0][0, 0]), float(plasma.modes()[0][0, 1])):
        site = plasma.with_effect_compartment(ke0)
        rates, shares = site.modes()
        assert rates.shape == shares.shape == (1, 3)
        got = (shares[:, None, :] * np.exp(-rates[:, None, :] * times[:, None])).sum(-1)
        want = site.concentration(dose, times)
        assert np.abs(got - want).max() < 2e-7 * want.max()


@pytest.mark.parametrize(
    "model", [DOCETAXEL, TUCATINIB, LinearModel(5.0, 10.0, (3.0,), (4.0,), ka=2.0, f=0.43)]
)
def test_the_area_of_one_dose_is_dose_over_clearance(model: LinearModel) -> None:
    dose = DoseTable(np.full(1, 3.0), np.full(1, 140.0), np.zeros(1))
    expected = model.f * 140.0 / model.cl
    for site in (model, model.with_effect_compartment(0.7)):
        np.testing.assert_allclose(site.auc(dose, 0.0, np.inf), expected, rtol=1e-13)
    infusion = DoseTable(np.full(1, 3.0), np.full(1, 140.0), np.full(1, 0.125), "iv")
    np.testing.assert_allclose(model.auc(infusion, 0.0, np.inf), 140.0 / model.cl, rtol=1e-13)


def test_areas_of_neighbouring_windows_add_up_and_equal_quadrature() -> None:
    doses = parse_regimen("300 mg bid").expand(WEIGHT, BSA, 0.0, 5.0)
    edges = np.linspace(-1.0, 9.0, 23)
    parts = sum(TUCATINIB.auc(doses, a, b)[0] for a, b in pairwise(edges))
    assert parts == pytest.approx(TUCATINIB.auc(doses, -1.0, 9.0)[0], rel=1e-13)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    # a smooth piece between two absorptions
    start, end = 2.5 + TUCATINIB.lag[0], 3.0 + TUCATINIB.lag[0]
    times = start + (nodes + 1.0) * (end - start) / 2.0
    quadrature = TUCATINIB.concentration(doses, times)[0] @ weights * (end - start) / 2.0
    assert TUCATINIB.auc(doses, start, end)[0] == pytest.approx(quadrature, rel=1e-12)
    assert TUCATINIB.auc(doses, 3.0, 2.0).tolist() == [0.0]


def test_concentrations_superpose() -> None:
    times = np.linspace(0.0, 40.0, 60)
    first = parse_regimen("75 mg/m2 q3w iv 60 min").expand(WEIGHT, BSA, 0.0, 40.0)
    second = parse_regimen("30 mg/m2 d1,8 q3w iv 3 h").expand(WEIGHT, BSA, 0.05, 40.0)
    together = DOCETAXEL.concentration(merge_doses(first, second), times)
    apart = DOCETAXEL.concentration(first, times) + DOCETAXEL.concentration(second, times)
    np.testing.assert_allclose(together, apart, rtol=1e-12, atol=1e-300)


@given(st.floats(1e-3, 1e3), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_concentration_is_linear_in_the_dose_and_never_negative(factor: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    regimen = draw_regimen(rng)
    model = draw_model(rng, absorbs=regimen.route != "iv")
    times = rng.uniform(-1.0, 20.0, 30)
    once = model.concentration(regimen.expand(WEIGHT, BSA, 0.0, 12.0), times)
    more = model.concentration(regimen.expand(WEIGHT, BSA, 0.0, 12.0, factor), times)
    assert (once >= 0.0).all()
    assert (once[:, times < 0.0] == 0.0).all()
    np.testing.assert_allclose(more, factor * once, rtol=1e-12, atol=1e-300)


def test_no_dose_and_zero_doses_give_nothing() -> None:
    times = np.linspace(0.0, 10.0, 5)
    empty = parse_regimen("75 mg/m2 q3w").expand(WEIGHT, BSA, 0.0, 0.0)
    nothing = parse_regimen("75 mg/m2 q3w").expand(WEIGHT, BSA, 0.0, 50.0, 0.0)
    saturable = MichaelisMentenModel(**TRASTUZUMAB)
    for doses in (empty, nothing):
        for model in (DOCETAXEL, saturable):
            assert (model.concentration(doses, times) == 0.0).all()
        assert DOCETAXEL.auc(doses, 0.0, np.inf).tolist() == [0.0]


def population(n: int, seed: int) -> tuple[LinearModel, Floats]:
    """Patients with their own parameters, lag and weight."""
    rng = np.random.default_rng(seed)

    def spread(value: float) -> Floats:
        return value * np.exp(0.4 * rng.normal(size=n))

    model = LinearModel(
        spread(20.0), spread(50.0), (spread(10.0),), (spread(80.0),), ka=spread(5.0), lag=spread(0.02), f=0.8
    )
    return model, spread(66.0)


def take(model: LinearModel, rows: Floats | slice) -> LinearModel:
    """Some of the patients."""
    assert model.ka is not None
    q, vp = (tuple(a[rows] for a in part) for part in (model.q, model.vp))
    return LinearModel(model.cl[rows], model.vc[rows], q, vp, model.ka[rows], model.lag[rows], model.f[rows])


def test_patients_do_not_see_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    model, weight = population(40, seed=5)
    regimen = parse_regimen("8 mg/kg then 5 mg/kg d1,8 q3w sc")
    times = np.linspace(0.0, 60.0, 33)
    order = np.random.default_rng(6).permutation(40)
    whole = model.concentration(regimen.expand(weight, BSA, 0.0, 50.0), times)
    shuffled = take(model, order).concentration(regimen.expand(weight[order], BSA, 0.0, 50.0), times)
    np.testing.assert_array_equal(shuffled, whole[order])
    alone = take(model, slice(7, 8)).concentration(regimen.expand(weight[7], BSA, 0.0, 50.0), times)
    np.testing.assert_allclose(alone[0], whole[7], rtol=1e-14)
    steady = model.steady_state(regimen, weight, BSA)
    monkeypatch.setattr(compartments, "_LARGEST_BLOCK", 200)
    blocks = model.concentration(regimen.expand(weight, BSA, 0.0, 50.0), times)
    np.testing.assert_allclose(blocks, whole, rtol=1e-14)
    np.testing.assert_allclose(model.steady_state(regimen, weight, BSA).cmax, steady.cmax, rtol=1e-14)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (LinearModel(0.235, 3.11, (0.534,), (2.46,)), "840 mg then 420 mg q3w iv 60 min"),
        (LinearModel(0.235, 3.11, (0.534,), (2.46,)), "4 mg/kg then 2 mg/kg qw"),
        (DOCETAXEL, "80 mg/m2 d1,8,15 q4w iv 60 min"),
        (TUCATINIB, "300 mg bid"),
        (TUCATINIB, "1000 mg/m2 bid d1-14 q3w"),
        (LinearModel(0.25, 3.0, (0.5,), (2.5,), ka=0.4, lag=0.5, f=0.77), "600 mg q3w sc"),
    ],
)
def test_steady_state_is_where_a_long_simulation_ends(model: LinearModel, text: str) -> None:
    regimen = parse_regimen(text)
    cycle = float(regimen.interval_days)
    # slow rates here are above 0.03 per day: 1,100 days leave less than 1e-14 of the start
    n_cycles = int(np.ceil(1100.0 / cycle))
    doses = regimen.expand(WEIGHT, BSA, 0.0, (n_cycles + 1) * cycle)
    start = n_cycles * cycle + float(model.lag[0])
    dosing = doses.time_day[doses.time_day >= n_cycles * cycle] + float(model.lag[0])
    edges = np.unique(np.concatenate([dosing, dosing + doses.duration_day[-1], [start + cycle]]))
    # denser after a dose, where an effect site turns within the hour
    shares = np.linspace(0.0, 1.0, 2000, endpoint=False) ** 3
    times = np.concatenate([a + (b - a) * shares for a, b in pairwise(edges)])
    times = np.union1d(times, edges[1:] - 1e-12)
    for seen in (model, model.with_effect_compartment(0.9)):
        steady = seen.steady_state(regimen, WEIGHT, BSA)
        course = seen.concentration(doses, times)[0]
        # the grid misses a smooth peak by less than 1e-6 of its height
        assert steady.cmax[0] == pytest.approx(course.max(), rel=1e-6)
        assert steady.cmin[0] == pytest.approx(course.min(), rel=1e-6)
        assert steady.cmax[0] >= course.max() * (1.0 - 1e-10)
        assert steady.cmin[0] <= course.min() * (1.0 + 1e-10)
        assert steady.cavg[0] == pytest.approx(seen.auc(doses, start, start + cycle)[0] / cycle, rel=1e-10)
        assert steady.interval_days == cycle


# ---- saturable elimination ----


def solve_saturable(
    parameters: dict[str, float], doses: DoseTable, times: Floats, method: str, rtol: float
) -> Floats:
    """Central concentration by an adaptive solver, restarted at every jump of the input."""
    p = parameters
    end_of = doses.time_day + doses.duration_day
    state = np.zeros(2)
    rows: dict[float, float] = {}
    stops = np.unique(np.concatenate([doses.time_day, end_of, times]))
    for k, stop in enumerate(stops):
        is_bolus = (doses.time_day == stop) & (doses.duration_day == 0.0)
        state = state + np.array([doses.amount_mg[is_bolus].sum(), 0.0])
        rows[stop] = state[0] / p["vc"]
        if k + 1 < stops.size and (state.any() or stop >= doses.time_day[0]):
            is_on = (doses.time_day <= stop) & (end_of > stop)
            rate = float((doses.amount_mg[is_on] / (end_of - doses.time_day)[is_on]).sum())

            def slope(_: float, y: Floats, rate: float = rate) -> list[float]:
                c = y[0] / p["vc"]
                across = p["q"] * (c - y[1] / p["vp"])
                return [rate - (p["cl"] + p["vmax"] / (p["km"] + c)) * c - across, across]

            solution = solve_ivp(slope, (stop, stops[k + 1]), state, method=method, rtol=rtol, atol=1e-12)
            assert solution.success
            state = solution.y[:, -1]
    return np.array([rows[t] for t in times])


# largest relative error of the typical patient on three-weekly boluses and in the washout through km
ERROR_OF_STEP = {
    7.0: 6e-2,
    3.5: 2e-2,
    2.0: 7e-3,
    1.0: 2e-3,
    0.5: 5e-4,
    0.25: 1.3e-4,
    0.125: 3.3e-5,
    0.0625: 8.2e-6,
}


def test_steps_are_of_second_order_against_lsoda() -> None:
    model = MichaelisMentenModel(**TRASTUZUMAB)
    doses = parse_regimen("8 mg/kg then 6 mg/kg q3w").expand(WEIGHT, BSA, 0.0, 42.0)
    times = np.array([7.0, 21.0, 28.0, 42.0, 70.0, 105.0, 126.0, 147.0])
    want = solve_saturable(TRASTUZUMAB, doses, times, "LSODA", 1e-12)
    errors = {dt: np.abs(model.concentration(doses, times, dt)[0] / want - 1.0).max() for dt in ERROR_OF_STEP}
    for dt, limit in ERROR_OF_STEP.items():
        assert errors[dt] < limit
    fine = [errors[dt] for dt in (1.0, 0.5, 0.25, 0.125, 0.0625)]
    assert [np.log2(a / b) for a, b in pairwise(fine)] == pytest.approx([2.0] * 4, abs=0.1)


def test_infusions_into_an_empty_patient_are_stepped_finely_enough() -> None:
    model = MichaelisMentenModel(**TRASTUZUMAB)
    doses = parse_regimen("8 mg/kg then 6 mg/kg q3w iv 90 min").expand(WEIGHT, BSA, 0.0, 42.0)
    times = np.array([0.01, 0.0625, 1.0, 21.0, 21.0625, 28.0])
    want = solve_saturable(TRASTUZUMAB, doses, times, "DOP853", 1e-12)
    np.testing.assert_allclose(model.concentration(doses, times)[0], want, rtol=1e-5)
    steps = (1 / 4000, 1 / 8000, 1 / 16000)
    errors = [np.abs(model.concentration(doses, times[:2], dt)[0] / want[:2] - 1.0).max() for dt in steps]
    assert [np.log2(a / b) for a, b in pairwise(errors)] == pytest.approx([2.0] * 2, abs=0.2)


def test_small_steps_equal_two_other_solvers() -> None:
    rng = np.random.default_rng(8)
    for method in ("DOP853", "Radau"):
        parameters = {k: v * float(np.exp(0.4 * rng.normal())) for k, v in TRASTUZUMAB.items()}
        doses = parse_regimen("4 mg/kg then 2 mg/kg qw").expand(WEIGHT, BSA, 0.0, 21.0)
        times = np.array([0.0, 3.5, 6.5, 14.0, 20.5, 28.0])
        want = solve_saturable(parameters, doses, times, method, 1e-13 if method == "DOP853" else 1e-11)
        model = MichaelisMentenModel(**parameters)
        coarse, fine = (model.concentration(doses, times, dt)[0] for dt in (1 / 64, 1 / 128))
        # one extrapolation removes the second-order term
        np.testing.assert_allclose(fine + (fine - coarse) / 3.0, want, rtol=1e-9)


@pytest.mark.parametrize("step", [0.1, 100.0])
def test_without_saturable_elimination_any_step_is_exact(step: float) -> None:
    linear = LinearModel(0.235, 3.11, (0.534,), (2.46,))
    saturable = MichaelisMentenModel(0.235, 3.11, 0.534, 2.46, 0.0, 1.0)
    doses = parse_regimen("840 mg then 420 mg q3w iv 60 min").expand(WEIGHT, BSA, 0.0, 100.0)
    times = np.linspace(-5.0, 200.0, 83)
    np.testing.assert_allclose(
        saturable.concentration(doses, times, step),
        linear.concentration(doses, times),
        rtol=1e-11,
        atol=1e-300,
    )


@given(
    st.lists(st.floats(0.0, 1e4), min_size=2, max_size=2),
    st.lists(st.floats(-5.0, 5.0), min_size=6, max_size=6),
    st.floats(1e-4, 100.0),
)
@settings(max_examples=300, deadline=None)
def test_a_step_makes_no_mass_and_no_negative_amount(
    amounts: list[float], logs: list[float], dt: float
) -> None:
    central, peripheral = michaelis_menten_step(np.float64(amounts[0]), amounts[1], dt, *np.exp(logs))
    total = sum(amounts)
    # the eigenvector weights are rounded, so a compartment that should be empty may hold 1e-12 of the total
    assert central >= -1e-12 * total
    assert peripheral >= -1e-12 * total
    assert central + peripheral <= total * (1.0 + 1e-12)


def test_the_step_compiles_and_gives_the_same_numbers() -> None:
    compiled = njit(michaelis_menten_step)
    rng = np.random.default_rng(9)
    values = np.exp(rng.uniform(-2, 3, (9, 50)))
    central, peripheral = michaelis_menten_step(*values, 3.0)
    for i in range(50):
        np.testing.assert_allclose(compiled(*values[:, i], 3.0), (central[i], peripheral[i]), rtol=1e-12)
    np.testing.assert_allclose(compiled(*values), michaelis_menten_step(*values), rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "published"),
    [
        # herceptin_label, table 15: median (5th, 95th percentile), metastatic disease; mg/L, mg day/L
        (
            "8 mg/kg then 6 mg/kg q3w iv 90 min",
            {"cmin": (44.2, 1.8, 85.4), "cmax": (179.0, 123.0, 266.0), "auc": (1736.0, 618.0, 2756.0)},
        ),
        (
            "4 mg/kg then 2 mg/kg qw iv 90 min",
            {"cmin": (63.1, 11.7, 107.0), "cmax": (107.0, 54.0, 164.0), "auc": (1710.0, 581.0, 2715.0)},
        ),
    ],
)
def test_trastuzumab_reaches_its_published_steady_state(
    text: str, published: dict[str, tuple[float, float, float]]
) -> None:
    """Other software, not validation: the label's values are themselves predictions of a population model."""
    model = MichaelisMentenModel(**TRASTUZUMAB)
    doses = parse_regimen(text).expand(WEIGHT, BSA, 0.0, 26 * 21.0)
    times = np.arange(25 * 21.0, 26 * 21.0, 1 / 96)
    course = model.concentration(doses, times)[0]
    got = {"cmin": course.min(), "cmax": course.max(), "auc": course.sum() / 96}
    for name, (median, low, high) in published.items():
        assert low < got[name] < high
        # the typical patient has no liver metastases, which raise clearance in the label's population
        assert got[name] == pytest.approx(median, rel=0.15)


# ---- arguments ----


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"cl": 0.0}, "cl: expected finite values above zero"),
        ({"vc": np.nan}, "vc"),
        ({"cl": [1.0, 2.0], "vc": [1.0, 2.0, 3.0]}, "cl: expected 1 or 3 patients"),
        ({"q": (1.0,)}, "q, vp: expected one of each"),
        ({"q": 1.0, "vp": (1.0,)}, "q: expected a tuple"),
        ({"lag": 1.0}, "give ka too"),
        ({"f": 0.5}, "give ka too"),
        ({"ka": 1.0, "lag": -1.0}, "lag: expected finite values zero or more"),
        ({"cl": [[1.0]]}, "cl: expected a scalar or"),
    ],
)
def test_wrong_parameters_are_named(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        LinearModel(**({"cl": 1.0, "vc": 1.0} | arguments))  # type: ignore[arg-type]


def test_wrong_doses_and_days_are_named() -> None:
    oral = parse_regimen("1 mg qd").expand(WEIGHT, BSA, 0.0, 3.0)
    saturable = MichaelisMentenModel(**TRASTUZUMAB)
    with pytest.raises(ValueError, match="give it ka"):
        DOCETAXEL.concentration(oral, [1.0])
    with pytest.raises(ValueError, match="intravenous doses only"):
        saturable.concentration(oral, [1.0])
    with pytest.raises(ValueError, match="max_step_day"):
        saturable.concentration(oral, [1.0], 0.0)
    with pytest.raises(ValueError, match="absorbed doses have no infusion"):
        TUCATINIB.concentration(DoseTable(np.zeros(1), np.ones(1), np.ones(1)), [1.0])
    with pytest.raises(ValueError, match="times"):
        DOCETAXEL.concentration(oral, [np.nan])
    with pytest.raises(ValueError, match="only the end may be infinite"):
        TUCATINIB.auc(oral, -np.inf, 1.0)
    many = DoseTable(np.zeros(1), np.ones((3, 1)), np.zeros(1))
    with pytest.raises(ValueError, match="patients"):
        LinearModel([1.0, 2.0], 1.0).concentration(many, [1.0])
    with pytest.raises(ValueError, match="ke0"):
        LinearModel([1.0, 2.0], 1.0).with_effect_compartment([1.0, 1.0, 1.0])
