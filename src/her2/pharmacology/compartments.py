"""Concentration of a drug in plasma: linear compartments exactly, saturable elimination by small exact steps.

Linear models are sums of exponentials ("modes"), one per compartment. A dose passes through a cascade: depot
(oral, subcutaneous) -> modes of the central compartment -> effect site. Each stage is advanced from dose to
dose by convolutions of exponentials in which every term is positive, so nothing cancels: not after a long
washout, and not when two rates (absorption and elimination, say) are nearly equal.

Units: day, mg, L, mg/L, L/day. Axes: patients, times, modes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from her2.pharmacology.regimen import DoseTable, Floats, Regimen

_LARGEST_BLOCK = 2_000_000  # numbers held per temporary array; patients are taken in blocks to stay below
_WASHED_OUT = 800.0  # exp(-800) is zero in double precision, so this many time constants are forever
_SERIES_BELOW = 1.0  # of (largest - smallest rate) x time; above it the difference formula loses no digits
_SERIES_TERMS = 19  # (k + 1) / (k + 2)! < 1e-18 at the 19th
_CLOSEST_RATES = 3e-8  # relative; splitting rates this far costs as much accuracy as it saves
_STEPS_PER_INFUSION = 16  # of a saturable model, in each piece of time with an input
_GRID = 33  # points per piece of time from which the search for the highest and lowest starts
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, eq=False)
class SteadyState:
    """Exposure over one cycle after infinitely many, (patients,)."""

    cmin: Floats
    """mg/L: lowest concentration of the cycle, for one dose per cycle the trough."""
    cmax: Floats
    """mg/L: highest concentration of the cycle."""
    cavg: Floats
    """mg/L: mean over the cycle; times `interval_days` it is the AUC of a cycle."""
    interval_days: float
    """day: length of the cycle."""


@dataclass(frozen=True, eq=False, init=False)
class LinearModel:
    """One, two, three or more compartments with linear elimination from the central one.

    Intravenous doses (bolus or infusion) enter the central compartment; oral and subcutaneous doses a depot
    that empties with rate `ka` after `lag`, a fraction `f` of the dose arriving. Parameters are scalars or
    (patients,).

    Parameters
    ----------
    cl, vc : L/day, L
    q, vp : tuples, L/day and L, one entry per peripheral compartment; each entry a scalar or (patients,)
    ka : 1/day; None for a drug given intravenously only
    lag, f : day, dimensionless; of absorbed doses only. With apparent parameters (CL/F, V/F) leave f at 1.

    Raises
    ------
    ValueError
        If a parameter is not positive (lag: negative), not finite, of another shape, or lag or f come without
        ka.
    """

    cl: Floats
    """(patients,), L/day: clearance."""
    vc: Floats
    """(patients,), L: central volume."""
    q: tuple[Floats, ...]
    """(patients,) each, L/day: intercompartmental clearances."""
    vp: tuple[Floats, ...]
    """(patients,) each, L: peripheral volumes."""
    ka: Floats | None
    """(patients,), 1/day: absorption rate; None without a depot."""
    lag: Floats
    """(patients,), day: delay before absorption starts."""
    f: Floats
    """(patients,), dimensionless: fraction of an absorbed dose that arrives."""

    def __init__(
        self,
        cl: ArrayLike,
        vc: ArrayLike,
        q: Sequence[ArrayLike] = (),
        vp: Sequence[ArrayLike] = (),
        ka: ArrayLike | None = None,
        lag: ArrayLike = 0.0,
        f: ArrayLike = 1.0,
    ) -> None:
        for name, value in (("q", q), ("vp", vp)):
            if not isinstance(value, (tuple, list)):
                raise ValueError(
                    f"{name}: expected a tuple with one entry per peripheral compartment, got {value!r}."
                )
        if len(q) != len(vp):
            raise ValueError(
                f"q, vp: expected one of each per peripheral compartment, got {len(q)} and {len(vp)}."
            )
        named = {"cl": cl, "vc": vc, "lag": lag, "f": f} | ({} if ka is None else {"ka": ka})
        named |= {f"q[{i}]": v for i, v in enumerate(q)} | {f"vp[{i}]": v for i, v in enumerate(vp)}
        arrays = _check_parameters(named, may_be_zero=("lag",))
        if ka is None and ((arrays["lag"] != 0.0).any() or (arrays["f"] != 1.0).any()):
            raise ValueError(
                "lag, f: they describe absorption; give ka too, or leave them out for intravenous doses."
            )
        for name in ("cl", "vc", "lag", "f"):
            object.__setattr__(self, name, arrays[name])
        object.__setattr__(self, "ka", arrays.get("ka"))
        object.__setattr__(self, "q", tuple(arrays[f"q[{i}]"] for i in range(len(q))))
        object.__setattr__(self, "vp", tuple(arrays[f"vp[{i}]"] for i in range(len(vp))))

    @property
    def n_patients(self) -> int:
        """Number of patients; 1 if every parameter was a scalar."""
        return int(self.cl.size)

    def modes(self) -> tuple[Floats, Floats]:
        """Rates and coefficients of the central concentration after an intravenous bolus of 1 mg.

        C(t) = sum over modes of coefficient x exp(-rate t); fastest first, none negative. Without absorption.

        Returns
        -------
        rates : (patients, modes), 1/day
        coefficients : (patients, modes), 1/L; they sum to 1 / vc
        """
        if not self.q:
            return (self.cl / self.vc)[:, None], (1.0 / self.vc)[:, None]
        if len(self.q) == 1:
            return _two_compartment_modes(self.cl, self.vc, self.q[0], self.vp[0])
        return _mammillary_modes(self.cl, self.vc, np.stack(self.q, axis=-1), np.stack(self.vp, axis=-1))

    def concentration(self, doses: DoseTable, times: ArrayLike) -> Floats:
        """Concentration in the central compartment, every dose superposed, exact.

        Parameters
        ----------
        doses : amounts (doses,) for everyone or (patients, doses)
        times : (times,), day, in any order; at the time of a bolus the dose counts; 0 before the first

        Returns
        -------
        (patients, times), mg/L

        Raises
        ------
        ValueError
            If absorbed doses meet a model without ka, or the numbers of patients differ.
        """
        return _Exposure(self, None).concentration(doses, times)

    def auc(self, doses: DoseTable, start_day: ArrayLike, end_day: ArrayLike) -> Floats:
        """Area under the concentration between two days, exact.

        Parameters
        ----------
        doses : as in `concentration`
        start_day, end_day : scalars or (patients,), day; the end may be infinite

        Returns
        -------
        (patients,), mg day/L; 0 where the end is not after the start
        """
        return _Exposure(self, None).auc(doses, start_day, end_day)

    def steady_state(
        self, regimen: Regimen, weight_kg: ArrayLike, bsa_m2: ArrayLike, dose_factor: ArrayLike = 1.0
    ) -> SteadyState:
        """Exposure after infinitely many cycles, from the geometric series of each mode.

        Loading dose, number of cycles and duration of the regimen are left aside.

        Parameters
        ----------
        weight_kg, bsa_m2, dose_factor : scalars or (patients,); kg, m2, dimensionless
        """
        return _Exposure(self, None).steady_state(regimen, weight_kg, bsa_m2, dose_factor)

    def with_effect_compartment(self, ke0: ArrayLike) -> EffectCompartment:
        """The same drug seen from an effect site that lags behind plasma with rate `ke0` (1/day)."""
        return EffectCompartment(self, ke0)


@dataclass(frozen=True, eq=False, init=False)
class EffectCompartment:
    """Concentration at an effect site: Ce' = ke0 (C - Ce), with no effect on C.

    Raises
    ------
    ValueError
        If ke0 is not positive and finite, or its number of patients differs from the model's.
    """

    plasma: LinearModel
    """The drug in plasma."""
    ke0: Floats
    """(patients,), 1/day: rate at which the effect site follows."""

    def __init__(self, plasma: LinearModel, ke0: ArrayLike) -> None:
        object.__setattr__(self, "plasma", plasma)
        rate = _check_parameters({"ke0": ke0})["ke0"]
        if rate.size not in (1, plasma.n_patients) and plasma.n_patients != 1:
            raise ValueError(f"ke0: expected {plasma.n_patients} patients as in the model, got {rate.size}.")
        object.__setattr__(self, "ke0", rate)

    def modes(self) -> tuple[Floats, Floats]:
        """Rates and coefficients at the effect site after an intravenous bolus of 1 mg: one mode more.

        Signed exponentials: where ke0 is nearly a rate of plasma the coefficients are large and cancel.
        Closer than 3e-8 (relative) ke0 is moved away by twice as much, so the sum is good to about 1e-7 of
        its peak at worst; the other methods have no such loss.

        Returns
        -------
        rates : (patients, modes + 1), 1/day; ke0 is the last
        coefficients : (patients, modes + 1), 1/L; they sum to 0
        """
        rates, coefficients = self.plasma.modes()
        ke0 = np.broadcast_to(self.ke0, (max(rates.shape[0], self.ke0.size),))[:, None]
        rates, coefficients = (np.broadcast_to(a, (ke0.shape[0], a.shape[1])) for a in (rates, coefficients))
        gap = np.abs(ke0 - rates).min(axis=-1, keepdims=True)
        ke0 = np.where(gap < _CLOSEST_RATES * ke0, ke0 * (1.0 + 2.0 * _CLOSEST_RATES), ke0)
        shares = coefficients * ke0 / (ke0 - rates)
        return np.concatenate([rates, ke0], axis=-1), np.concatenate(
            [shares, -shares.sum(-1, keepdims=True)], axis=-1
        )

    def concentration(self, doses: DoseTable, times: ArrayLike) -> Floats:
        """(patients, times), mg/L at the effect site; see `LinearModel.concentration`."""
        return _Exposure(self.plasma, self.ke0).concentration(doses, times)

    def auc(self, doses: DoseTable, start_day: ArrayLike, end_day: ArrayLike) -> Floats:
        """(patients,), mg day/L at the effect site; see `LinearModel.auc`."""
        return _Exposure(self.plasma, self.ke0).auc(doses, start_day, end_day)

    def steady_state(
        self, regimen: Regimen, weight_kg: ArrayLike, bsa_m2: ArrayLike, dose_factor: ArrayLike = 1.0
    ) -> SteadyState:
        """Exposure of the effect site after infinitely many cycles; see `LinearModel.steady_state`."""
        return _Exposure(self.plasma, self.ke0).steady_state(regimen, weight_kg, bsa_m2, dose_factor)


@dataclass(frozen=True, eq=False, init=False)
class MichaelisMentenModel:
    """Two compartments with linear and saturable elimination side by side, intravenous doses only.

    Elimination from the central compartment: (cl + vmax / (km + C)) C. Steps freeze it at the concentration
    predicted for their middle, which is second order in the step; the error of a step size is in the tests.

    Parameters
    ----------
    cl, vc, q, vp : L/day, L, L/day, L; scalars or (patients,), positive
    vmax, km : mg/day (zero allowed), mg/L

    Raises
    ------
    ValueError
        If a parameter is not positive, not finite or of another shape.
    """

    cl: Floats
    """(patients,), L/day: linear clearance."""
    vc: Floats
    """(patients,), L: central volume."""
    q: Floats
    """(patients,), L/day: intercompartmental clearance."""
    vp: Floats
    """(patients,), L: peripheral volume."""
    vmax: Floats
    """(patients,), mg/day: largest saturable elimination."""
    km: Floats
    """(patients,), mg/L: concentration at half of it."""

    def __init__(
        self, cl: ArrayLike, vc: ArrayLike, q: ArrayLike, vp: ArrayLike, vmax: ArrayLike, km: ArrayLike
    ) -> None:
        named = {"cl": cl, "vc": vc, "q": q, "vp": vp, "vmax": vmax, "km": km}
        for name, array in _check_parameters(named, may_be_zero=("vmax",)).items():
            object.__setattr__(self, name, array)

    @property
    def n_patients(self) -> int:
        """Number of patients; 1 if every parameter was a scalar."""
        return int(self.cl.size)

    def step(
        self, central_mg: Floats, peripheral_mg: Floats, dt: float, input_mg_per_day: Floats | float = 0.0
    ) -> tuple[Floats, Floats]:
        """Amounts after one step of `dt` days with a constant input; (patients,) each, mg."""
        after: tuple[Floats, Floats] = michaelis_menten_step(
            central_mg,
            peripheral_mg,
            dt,
            self.cl,
            self.vc,
            self.q,
            self.vp,
            self.vmax,
            self.km,
            input_mg_per_day,
        )
        return after

    def concentration(self, doses: DoseTable, times: ArrayLike, max_step_day: float = 0.125) -> Floats:
        """Concentration in the central compartment.

        Parameters
        ----------
        doses : intravenous; amounts (doses,) for everyone or (patients, doses)
        times : (times,), day, in any order; at the time of a bolus the dose is counted
        max_step_day : day; steps end at doses, ends of infusions and `times`, and are cut evenly below this.
            During an infusion there are at least 16, since the concentration may pass km within minutes.

        Returns
        -------
        (patients, times), mg/L

        Raises
        ------
        ValueError
            If doses are not intravenous, the numbers of patients differ or the step is not positive.
        """
        wanted = _check_times(times)
        if not (np.isfinite(max_step_day) and max_step_day > 0.0):
            raise ValueError(f"max_step_day: expected a positive number of days, got {max_step_day}.")
        if doses.route not in (None, "iv"):
            raise ValueError(f"route: this model takes intravenous doses only, got {doses.route!r}.")
        pieces = _pieces(doses)
        n = _common_patients(self.n_patients, pieces.jump.shape[0])
        result = np.zeros((n, wanted.size))
        if not pieces.breaks.size:
            return result
        central, peripheral = np.zeros(n), np.zeros(n)
        stops = np.union1d(pieces.breaks, wanted[wanted > pieces.breaks[0]])
        stops = stops[stops <= wanted.max(initial=-np.inf)]
        piece = np.searchsorted(pieces.breaks, stops, side="right") - 1
        for k, stop in enumerate(stops):
            if stop == pieces.breaks[piece[k]]:
                central = central + pieces.jump[:, piece[k]]
            result[:, wanted == stop] = (central / self.vc)[:, None]
            if k + 1 < stops.size:
                span = stops[k + 1] - stop
                is_infused = bool(pieces.rate[:, piece[k]].any())
                n_steps = max(int(np.ceil(span / max_step_day)), _STEPS_PER_INFUSION if is_infused else 1)
                for _ in range(n_steps):
                    central, peripheral = self.step(
                        central, peripheral, span / n_steps, pieces.rate[:, piece[k]]
                    )
        return result


def michaelis_menten_step(
    central_mg: Any,
    peripheral_mg: Any,
    dt: Any,
    cl: Any,
    vc: Any,
    q: Any,
    vp: Any,
    vmax: Any,
    km: Any,
    input_mg_per_day: Any = 0.0,
) -> Any:
    """Amounts (central, peripheral) after `dt` days of parallel linear and saturable elimination.

    Exponential midpoint: half a step with elimination frozen at the start predicts the concentration of the
    middle, the whole step freezes it there; both are exact 2 x 2 exponentials. Amounts stay positive.
    Elementwise in + - * / sqrt and exp, for numpy arrays and, compiled with
    `numba.njit(michaelis_menten_step)`, for numbers.

    Parameters
    ----------
    central_mg, peripheral_mg, input_mg_per_day : mg, mg, mg/day
    dt : day, positive
    cl, vc, q, vp, vmax, km : L/day, L, L/day, L, mg/day, mg/L; q must be positive
    """
    to_peripheral = q / vc
    to_central = q / vp
    middle = central_mg
    central = central_mg
    peripheral = peripheral_mg
    for share in (0.5, 1.0):
        elimination = (cl + vmax / (km + middle / vc)) / vc
        leaving = elimination + to_peripheral
        half_difference = 0.5 * (leaving - to_central)
        root = np.sqrt(half_difference * half_difference + to_peripheral * to_central)
        fast = 0.5 * (leaving + to_central) + root
        slow = elimination * to_central / fast  # the product of the rates; their difference would lose digits
        after_fast = np.exp(-fast * (share * dt))
        after_slow = np.exp(-slow * (share * dt))
        weight = 0.5 + 0.5 * half_difference / root  # of the fast mode in the central compartment
        passed = 0.5 * (after_slow - after_fast) / root
        input_fast = input_mg_per_day * (1.0 - after_fast) / fast
        input_slow = input_mg_per_day * (1.0 - after_slow) / slow
        central = (
            central_mg * (weight * after_fast + (1.0 - weight) * after_slow)
            + peripheral_mg * to_central * passed
            + weight * input_fast
            + (1.0 - weight) * input_slow
        )
        peripheral = (
            peripheral_mg * ((1.0 - weight) * after_fast + weight * after_slow)
            + central_mg * to_peripheral * passed
            + 0.5 * to_peripheral * (input_slow - input_fast) / root
        )
        middle = central
    return central, peripheral


def _two_compartment_modes(cl: Floats, vc: Floats, q: Floats, vp: Floats) -> tuple[Floats, Floats]:
    """Closed form without cancelling differences: products replace them (Vieta)."""
    leaving, back = (cl + q) / vc, q / vp
    exchange = (q / vc) * back
    difference = leaving - back
    root = np.sqrt(difference * difference + 4.0 * exchange)
    fast = 0.5 * (leaving + back + root)
    slow = (cl / vc) * back / fast
    # fast - back and back - slow multiply to `exchange`; take the one that adds, divide for the other
    larger = 0.5 * (np.abs(difference) + root)
    smaller = exchange / larger
    fast_share, slow_share = np.where(difference >= 0.0, (larger, smaller), (smaller, larger)) / (root * vc)
    return np.stack([fast, slow], axis=-1), np.stack([fast_share, slow_share], axis=-1)


def _mammillary_modes(cl: Floats, vc: Floats, q: Floats, vp: Floats) -> tuple[Floats, Floats]:
    """Any number of peripheral compartments; q and vp are (patients, peripheral).

    The rate matrix scaled by sqrt(volume) is symmetric and equals B B^T, where each column of B is one flow.
    Rates are the squared singular values of B: eigenvalues of the product would lose twice as many digits of
    the slowest rate.
    """
    n = q.shape[-1] + 1
    flows = np.zeros((cl.size, n, n))
    flows[:, 0, 0] = np.sqrt(cl / vc)
    flows[:, 0, 1:] = np.sqrt(q / vc[:, None])
    diagonal = np.arange(1, n)
    flows[:, diagonal, diagonal] = -np.sqrt(q / vp)
    left, singular, _ = np.linalg.svd(flows)
    return singular**2, left[:, 0, :] ** 2 / vc[:, None]


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Dosing as pieces of time: at each break a jump, from there to the next break a constant rate."""

    breaks: Floats  # (pieces,), day, strictly ascending
    jump: Floats  # (patients or 1, pieces), mg
    rate: Floats  # (patients or 1, pieces), mg/day; zero in the last

    @property
    def lengths(self) -> Floats:
        """(pieces,), day; the last is infinite."""
        return np.diff(self.breaks, append=np.inf)


def _pieces(doses: DoseTable) -> _Pieces:
    amounts = np.atleast_2d(doses.amount_mg)
    start, end = doses.time_day, doses.time_day + doses.duration_day
    is_infusion = end > start
    breaks = np.unique(np.concatenate([start, end[is_infusion]]))
    jump, rate = np.zeros((2, amounts.shape[0], breaks.size))
    at, until = np.searchsorted(breaks, start), np.searchsorted(breaks, end)
    for k in range(start.size):
        if is_infusion[k]:
            # by the rounded times, so that no mass is lost or made
            rate[:, at[k] : until[k]] += (amounts[:, k] / (end[k] - start[k]))[:, None]
        else:
            jump[:, at[k]] += amounts[:, k]
    return _Pieces(breaks, jump, rate)


@dataclass(frozen=True, eq=False)
class _State:
    """What is where at one moment of each piece."""

    depot: Floats  # (patients, pieces), mg still to be absorbed
    modes: Floats  # (patients, pieces, modes), mg
    effect: Floats  # (patients, pieces), mg/L at the effect site

    def at(self, piece: Any) -> _State:
        """The moments with these indices, (patients or 1, times)."""
        rows = np.arange(self.depot.shape[0])[:, None]
        return _State(self.depot[rows, piece], self.modes[rows, piece], self.effect[rows, piece])

    def plus(self, other: _State) -> _State:
        """Sum of two states."""
        return _State(self.depot + other.depot, self.modes + other.modes, self.effect + other.effect)


@dataclass(frozen=True, eq=False)
class _Cascade:
    """depot -> modes -> effect site; every stage feeds the next, every term is positive."""

    rates: Floats  # (patients, modes)
    coefficients: Floats  # (patients, modes)
    ka: Floats | None  # (patients, 1); None where doses enter the central compartment
    ke0: Floats | None  # (patients, 1); None without an effect site

    @property
    def slowest(self) -> Floats:
        """(patients, 1), 1/day: the rate that is left in the end."""
        found = [self.rates.min(axis=-1, keepdims=True), *(r for r in (self.ka, self.ke0) if r is not None)]
        return reduce(np.minimum, found)

    def zero(self) -> _State:
        """Nothing anywhere, (patients, 1)."""
        n, n_modes = self.rates.shape
        return _State(np.zeros((n, 1)), np.zeros((n, 1, n_modes)), np.zeros((n, 1)))

    def dosed(self, state: _State, amount: Floats) -> _State:
        """The state just after a jump of `amount`, (patients, 1)."""
        if self.ka is not None:
            return _State(state.depot + amount, state.modes, state.effect)
        return _State(state.depot, state.modes + amount[..., None], state.effect)

    def advance(self, state: _State, rate: Floats, h: Floats) -> _State:
        """The state `h` days later under a constant input into plasma; all (patients, moments)."""
        lam, hh = self.rates[:, None, :], h[..., None]
        modes = state.modes * np.exp(-lam * hh)
        if has_input := bool(rate.any()):
            modes = modes + rate[..., None] * _conv2(np.zeros(()), lam, hh)
        depot, effect = state.depot, state.effect
        if self.ka is not None:
            absorbed = (self.ka * depot)[..., None]
            modes = modes + absorbed * _conv2(self.ka[..., None], lam, hh)
            depot = depot * np.exp(-self.ka * h)
        if self.ke0 is not None:
            ke0 = self.ke0[..., None]
            inflow = state.modes * _conv2(lam, ke0, hh)
            if has_input:
                inflow = inflow + rate[..., None] * _conv3(np.zeros(()), lam, ke0, hh)
            if self.ka is not None:
                inflow = inflow + absorbed * _conv3(self.ka[..., None], lam, ke0, hh)
            effect = effect * np.exp(-self.ke0 * h) + self.ke0 * self.plasma(inflow)
        return _State(depot, modes, effect)

    def plasma(self, modes: Floats) -> Floats:
        """Central concentration, or its integral, from the modes."""
        result: Floats = np.einsum("ptm,pm->pt", modes, self.coefficients)
        return result

    def seen(self, state: _State) -> Floats:
        """Concentration where it is asked for: at the effect site if there is one, otherwise in plasma."""
        return self.plasma(state.modes) if self.ke0 is None else state.effect

    def area(self, state: _State, rate: Floats, h: Floats) -> Floats:
        """Integral of `seen` over `h` days from the state."""
        lam, hh, zero = self.rates[:, None, :], h[..., None], np.zeros(())
        modes = state.modes * _conv2(zero, lam, hh)
        if rate.any():
            modes = modes + rate[..., None] * _conv3(zero, zero, lam, hh)
        if self.ka is not None:
            modes = modes + (self.ka * state.depot)[..., None] * _conv3(zero, self.ka[..., None], lam, hh)
        area = self.plasma(modes)
        if self.ke0 is None:
            return area
        # Ce' = ke0 (C - Ce), integrated
        return area + (state.effect - self.advance(state, rate, h).effect) / self.ke0

    def course(self, pieces: _Pieces, start: _State) -> _State:
        """State just after every break, from the state before the first."""
        states, state, lengths = [], start, pieces.lengths
        for j in range(pieces.breaks.size):
            if j:
                state = self.advance(state, pieces.rate[:, j - 1 : j], np.full((1, 1), lengths[j - 1]))
            state = self.dosed(state, pieces.jump[:, j : j + 1])
            states.append(state)
        return _State(
            *(np.concatenate([getattr(s, a) for s in states], axis=1) for a in ("depot", "modes", "effect"))
        )

    def repeated(self, after_one: _State, interval: float) -> _State:
        """State at the start of a cycle after infinitely many, from the end of a first one begun empty.

        Each stage is a geometric series, driven by the stages before it.
        """
        h, no_input = np.full((1, 1), interval), np.zeros((1, 1))
        steady = self.zero()
        if self.ka is not None:
            steady = _State(-after_one.depot / np.expm1(-self.ka * h), steady.modes, steady.effect)
        carried = self.advance(steady, no_input, h).plus(after_one)
        modes = -carried.modes / np.expm1(-self.rates[:, None, :] * interval)
        steady = _State(steady.depot, modes, steady.effect)
        if self.ke0 is None:
            return steady
        carried = self.advance(steady, no_input, h).plus(after_one)
        return _State(steady.depot, modes, -carried.effect / np.expm1(-self.ke0 * h))


@dataclass(frozen=True, eq=False)
class _Exposure:
    """Plasma (`ke0` None) or effect site of a linear model under given doses, in blocks of patients."""

    model: LinearModel
    ke0: Floats | None

    def concentration(self, doses: DoseTable, times: ArrayLike) -> Floats:
        wanted = _check_times(times)
        pieces, n = self._prepare(doses)
        result = np.zeros((n, wanted.size))
        if not pieces.breaks.size:
            return result
        for rows, cascade, jump, rate, lag in self._blocks(doses.route, pieces, n, wanted.size):
            block = _Pieces(pieces.breaks, jump, rate)
            states = cascade.course(block, cascade.zero())
            since = wanted[None, :] - lag[:, None]
            piece = np.searchsorted(block.breaks, since, side="right") - 1
            is_after = piece >= 0
            piece = np.maximum(piece, 0)
            h = np.maximum(since - block.breaks[piece], 0.0)
            later = cascade.advance(states.at(piece), np.take_along_axis(rate, piece, axis=1), h)
            result[rows] = np.where(is_after, cascade.seen(later), 0.0)
        return result

    def auc(self, doses: DoseTable, start_day: ArrayLike, end_day: ArrayLike) -> Floats:
        window = [np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (start_day, end_day)]
        if np.isnan(window[1]).any() or not np.isfinite(window[0]).all() or max(w.ndim for w in window) > 1:
            raise ValueError(
                "start_day, end_day: expected days, scalars or (patients,); only the end may be infinite."
            )
        pieces, n = self._prepare(doses)
        n = reduce(_common_patients, (w.size for w in window), n)
        result = np.zeros(n)
        if not pieces.breaks.size:
            return result
        start, end = (np.broadcast_to(w, (n,)) for w in window)
        for rows, cascade, jump, rate, lag in self._blocks(doses.route, pieces, n, pieces.breaks.size):
            block = _Pieces(pieces.breaks, jump, rate)
            states = cascade.course(block, cascade.zero())
            low, high = (
                np.clip((day[rows] - lag)[:, None] - block.breaks, 0.0, block.lengths) for day in (start, end)
            )
            h = np.minimum(np.maximum(high - low, 0.0), _WASHED_OUT / cascade.slowest)
            result[rows] = cascade.area(cascade.advance(states, rate, low), rate, h).sum(axis=-1)
        return result

    def steady_state(
        self, regimen: Regimen, weight_kg: ArrayLike, bsa_m2: ArrayLike, dose_factor: ArrayLike
    ) -> SteadyState:
        interval = float(regimen.interval_days)
        cycle = Regimen(
            regimen.amount,
            regimen.unit,
            regimen.interval_days,
            route=regimen.route,
            infusion_min=regimen.infusion_min,
            days_of_cycle=regimen.days_of_cycle,
            per_day=regimen.per_day,
        )
        doses = cycle.expand(weight_kg, bsa_m2, 0.0, interval, dose_factor)
        pieces, n = self._prepare(doses)
        # the cycle as pieces: it starts at its first dose, so that an infusion never crosses its end
        breaks = pieces.breaks - pieces.breaks[0]
        lengths = np.diff(breaks, append=interval)
        lowest, highest, mean = np.zeros((3, n))
        is_real = lengths > 0.0
        for rows, cascade, jump, rate, _ in self._blocks(doses.route, pieces, n, breaks.size * 4):
            block = _Pieces(breaks, jump, rate)
            end = np.full((1, 1), lengths[-1])
            last = cascade.course(block, cascade.zero()).at(np.full((1, 1), breaks.size - 1))
            start = cascade.repeated(cascade.advance(last, rate[:, -1:], end), interval)
            states = cascade.course(block, start)

            highest[rows] = _highest(cascade, states, rate, lengths)[:, is_real].max(axis=-1)
            lowest[rows] = -_highest(cascade, states, rate, lengths, sign=-1.0)[:, is_real].max(axis=-1)
        fraction = self.model.f if self._absorbs(doses.route) else np.ones(1)
        mean = (
            fraction * np.atleast_2d(doses.amount_mg).sum(axis=-1) / (self.model.cl * interval) * np.ones(n)
        )
        return SteadyState(lowest, highest, mean, interval)

    def _absorbs(self, route: str | None) -> bool:
        if route in ("oral", "sc") and self.model.ka is None:
            raise ValueError(f"route: '{route}' doses need a model with an absorption rate; give it ka.")
        return self.model.ka is not None and route != "iv"

    def _prepare(self, doses: DoseTable) -> tuple[_Pieces, int]:
        if self._absorbs(doses.route) and doses.duration_day.any():
            raise ValueError("duration_day: absorbed doses have no infusion; expected 0, or the route 'iv'.")
        n = _common_patients(self.model.n_patients, np.atleast_2d(doses.amount_mg).shape[0])
        if self.ke0 is not None:
            n = _common_patients(n, self.ke0.size)
        return _pieces(doses), n

    def _blocks(
        self, route: str | None, pieces: _Pieces, n: int, n_moments: int
    ) -> Iterator[tuple[slice, _Cascade, Floats, Floats, Floats]]:
        """Blocks of patients small enough for memory: rows, cascade, jumps, rates and lags."""
        model, absorbs = self.model, self._absorbs(route)
        rates, coefficients = model.modes()
        width = rates.shape[-1] * max(pieces.breaks.size, n_moments)
        size = max(1, _LARGEST_BLOCK // max(width, 1))

        def all_patients(array: Floats) -> Floats:
            return np.broadcast_to(array, (n, *array.shape[1:]))

        fraction = all_patients(model.f)[:, None] if absorbs else np.ones((n, 1))
        lag = all_patients(model.lag) if absorbs else np.zeros(n)
        ka = all_patients(model.ka)[:, None] if absorbs and model.ka is not None else None
        ke0 = None if self.ke0 is None else all_patients(self.ke0)[:, None]
        rates, coefficients, jump, rate = map(all_patients, (rates, coefficients, pieces.jump, pieces.rate))
        for first in range(0, n, size):
            rows = slice(first, min(first + size, n))
            cascade = _Cascade(
                rates[rows],
                coefficients[rows],
                None if ka is None else ka[rows],
                None if ke0 is None else ke0[rows],
            )
            yield rows, cascade, jump[rows] * fraction[rows], rate[rows], lag[rows]


def _highest(cascade: _Cascade, states: _State, rate: Floats, lengths: Floats, sign: float = 1.0) -> Floats:
    """Largest concentration (times `sign`) in each piece, (patients, pieces).

    Golden sections in the first and the last cell of a grid, where the response to a dose may peak between
    two points, and around the best point inside: right if none of the three holds two peaks.
    """

    def value(share: Floats) -> Floats:
        return sign * cascade.seen(cascade.advance(states, rate, share * lengths))

    grid = np.linspace(0.0, 1.0, _GRID)
    values = np.stack([value(np.full(rate.shape, share)) for share in grid])
    best = values[1:-1].argmax(axis=0) + 1
    highest: Floats = values.max(axis=0)
    for first, last in (
        (best - 1, best + 1),
        (0 * best, 0 * best + 1),
        (0 * best + _GRID - 2, 0 * best + _GRID - 1),
    ):
        low, high = grid[first], grid[last]
        # an error d of the place is an error d^2 of the value: 45 sections leave 1e-11
        for _ in range(45):
            left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
            is_left = value(left) > value(right)
            low, high = np.where(is_left, low, left), np.where(is_left, right, high)
        highest = np.maximum(highest, value(0.5 * (low + high)))
    return highest


def _conv2(a: Floats, b: Floats, h: Floats) -> Floats:
    """Convolution of exp(-a t) and exp(-b t) at `h`: (exp(-a h) - exp(-b h)) / (b - a), also for a = b."""
    return h * np.exp(-np.minimum(a, b) * h) * _phi(np.abs(a - b) * h)


def _conv3(a: Floats, b: Floats, c: Floats, h: Floats) -> Floats:
    """Convolution of three exponentials at `h`: a divided difference of exp, also for equal rates."""
    a, b, c, h = np.broadcast_arrays(a, b, c, h)
    first, second, third = np.sort(np.stack([a, b, c]), axis=0)
    p, q = (second - first) * h, (third - first) * h
    far = np.maximum(q, _SERIES_BELOW)
    result = (_phi(p) - np.exp(-p) * _phi(q - p)) / far
    near = q < _SERIES_BELOW
    if near.any():
        result[near] = _series3(p[near], q[near])
    product: Floats = h * h * np.exp(-first * h) * result
    return product


def _phi(x: Floats) -> Floats:
    """(1 - exp(-x)) / x, and 1 at 0, for x of zero or more."""
    tiny = x < 1e-300
    result: Floats = np.where(tiny, 1.0, -np.expm1(-x) / np.where(tiny, 1.0, x))
    return result


def _series3(p: Floats, q: Floats) -> Floats:
    """Divided difference of exp at 0, -p and -q: sum of h_k(-p, -q) / (k + 2)!, h_k complete symmetric."""
    total, homogeneous, power, factorial = np.full(p.shape, 0.5), np.ones(p.shape), np.ones(p.shape), 2.0
    for k in range(1, _SERIES_TERMS + 1):
        power = power * -q
        homogeneous = power + homogeneous * -p
        factorial *= k + 2.0
        total = total + homogeneous / factorial
    return total


def _check_parameters(named: dict[str, ArrayLike], may_be_zero: tuple[str, ...] = ()) -> dict[str, Floats]:
    """Finite, positive, read-only arrays of one shape (patients,)."""
    arrays = {}
    for name, value in named.items():
        array = np.atleast_1d(np.array(value, dtype=np.float64))
        if array.ndim > 1 or not array.size:
            raise ValueError(f"{name}: expected a scalar or (patients,), got shape {array.shape}.")
        is_right = array >= 0.0 if name in may_be_zero else array > 0.0
        wrong = np.flatnonzero(~(is_right & np.isfinite(array)))
        if wrong.size:
            least = "zero or more" if name in may_be_zero else "above zero"
            raise ValueError(
                f"{name}: expected finite values {least}, got {array[wrong[0]]} at position {wrong[0]}."
            )
        arrays[name] = array
    n = max(a.size for a in arrays.values())
    for name, array in arrays.items():
        if array.size not in (1, n):
            raise ValueError(
                f"{name}: expected 1 or {n} patients like the other parameters, got {array.size}."
            )
        arrays[name] = np.broadcast_to(array, (n,))
    return arrays


def _common_patients(first: int, second: int) -> int:
    """The number of patients two arrays share; 1 fits any."""
    if first != second and 1 not in (first, second):
        raise ValueError(
            f"patients: expected the same number in model, doses and days, got {first} and {second}."
        )
    return max(first, second)


def _check_times(times: ArrayLike) -> Floats:
    array = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError(f"times: expected finite days, (times,), got shape {array.shape}.")
    return array
