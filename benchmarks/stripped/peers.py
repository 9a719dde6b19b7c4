"""The stripped benchmark model in other simulators, each at several tolerances; all give ln cells day by day.

A peer is a function of the patients that returns one runner per method, with the tolerances to try from the loosest
on. A runner integrates all patients and returns (patients, days + 1) and the seconds of processor time of the
integration alone: loading the model and setting a patient's numbers are not counted, to the peers' favour. States in
events, models compiled once and used again, as their manuals advise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from equations import CLONES, COMPARTMENTS, MEASURED, N_ADAPT, N_CLONES, TAU
from numpy.typing import NDArray

from patients import YEARS_DAYS, Patients, doses, start

Array = NDArray[np.float64]
DAYS = round(YEARS_DAYS)
DRUG_STATE = (0, 2, 4, 6)
"""State into which a drug's doses go."""
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
ABSOLUTE = 1e-3
"""Absolute over relative tolerance."""


@dataclass(frozen=True)
class Method:
    """A way to run a peer.

    Attributes
    ----------
    name : of the method
    run : tolerance (or steps a day) to daily ln cells and seconds of processor time
    settings : tolerances or steps a day, the loosest first
    """

    name: str
    run: Callable[[float], tuple[Array, float]]
    settings: tuple[float, ...]


def total(ln_n: Array) -> Array:
    """ln of the sum over clones, the first axis."""
    return np.asarray(np.logaddexp.reduce(ln_n, axis=0))


def scipy_methods(patients: Patients) -> list[Method]:
    """`solve_ivp` from dose to dose with the compiled right-hand side."""
    from kernel import _cell, lane_hill
    from numba import njit
    from scipy.integrate import solve_ivp

    @njit(error_model="numpy")
    def derivative(t, y, values, rates, half, clones, tau, sizes, measured):  # type: ignore[no-untyped-def]
        out = np.zeros(23)
        act = np.zeros(4)
        first = 0
        for d in range(4):
            for r in range(sizes[d]):
                for c in range(sizes[d]):
                    out[first + r] += rates[d, r, c] * y[first + c]
            act[d] = max(y[first + measured[d]] / half[d], 0.0)
            first += sizes[d]
        p = (
            values[0],
            values[1],
            values[2],
            values[3],
            values[4],
            values[5],
            values[6],
            values[7],
            values[8],
        )
        a = (y[9], y[10], y[11], y[12], y[13], y[14])
        o1, o2 = act[0] / (1.0 + act[0]), act[1] / (1.0 + act[1])
        for k in range(8):
            q = (
                clones[k, 0],
                clones[k, 1],
                clones[k, 2],
                clones[k, 3],
                clones[k, 4],
                clones[k, 5],
                clones[k, 6],
            )
            found = _cell(lane_hill, p, q, o1, o2, act[2], 1.0 / (1.0 + act[3]), a)
            out[15 + k] = found[0]
            if k == 0:
                for j in range(6):
                    out[9 + j] = (found[1 + j] - a[j]) / tau[j]
        return out

    plan: dict[int, list[tuple[int, float]]] = {}
    for day, drug, amount in doses():
        plan.setdefault(round(day), []).append((drug, amount))
    fixed = (np.array(CLONES), np.array(TAU), np.array(COMPARTMENTS), np.array(MEASURED))

    def method(name: str, settings: tuple[float, ...]) -> Method:
        def run(tolerance: float) -> tuple[Array, float]:
            daily = np.empty((patients.n, DAYS + 1))
            begin = time.process_time()
            for i in range(patients.n):
                own = tuple(
                    np.ascontiguousarray(v[..., i]) for v in (patients.values, patients.rates, patients.half)
                )
                y = start(patients)[:, i]
                daily[i, 0] = total(y[-N_CLONES:])
                for day in range(DAYS):
                    for drug, amount in plan[day]:
                        y[DRUG_STATE[drug]] += amount
                    solved = solve_ivp(
                        derivative, (day, day + 1.0), y, method=name, rtol=tolerance, atol=tolerance * ABSOLUTE,
                        args=(*own, *fixed),
                    )  # fmt: skip
                    if not solved.success:
                        raise RuntimeError(f"patient {i}, day {day}: {solved.message}")
                    y = solved.y[:, -1].copy()
                    daily[i, day + 1] = total(y[-N_CLONES:])
            return daily, time.process_time() - begin

        return Method(name, run, settings)

    return [method(name, TOLERANCES) for name in ("LSODA", "RK45", "DOP853")]


def roadrunner_methods(patients: Patients) -> list[Method]:
    """libRoadRunner with CVODE; the model is compiled once, patients are set as parameters."""
    import roadrunner
    from model_text import states
    from sbml import assignments, sbml

    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_ERROR)
    model = roadrunner.RoadRunner(sbml(patients))
    model.selections = ["ln_burden"]

    def run(tolerance: float) -> tuple[Array, float]:
        daily, seconds = np.empty((patients.n, DAYS + 1)), 0.0
        model.integrator.relative_tolerance = tolerance
        # a single number would be scaled down to each state's start, to nothing for those that begin at zero
        model.integrator.absolute_tolerance = [tolerance * ABSOLUTE] * len(states())
        model.integrator.maximum_num_steps = 10**7
        for i in range(patients.n):
            model.reset()
            for name, value in assignments(patients, i).items():
                model[name] = value
            begin = time.process_time()
            daily[i] = np.asarray(model.simulate(0.0, YEARS_DAYS, DAYS + 1))[:, 0]
            seconds += time.process_time() - begin
        return daily, seconds

    return [Method("CVODE", run, TOLERANCES)]


def copasi_methods(patients: Patients) -> list[Method]:
    """COPASI (LSODA) through basico; the model is loaded once, patients are set as initial values."""
    import basico
    from sbml import assignments, sbml

    model = basico.load_model_from_string(sbml(patients))
    own = [n for n in basico.get_parameters(model=model).index if n in assignments(patients, 0)]

    def run(tolerance: float) -> tuple[Array, float]:
        daily, seconds = np.empty((patients.n, DAYS + 1)), 0.0
        for i in range(patients.n):
            values = assignments(patients, i)
            for name in own:
                basico.set_parameters(name, exact=True, initial_value=values[name], model=model)
            begin = time.process_time()
            course: Any = basico.run_time_course(
                duration=YEARS_DAYS, intervals=DAYS, automatic=False, r_tol=tolerance, a_tol=tolerance * ABSOLUTE,
                max_steps=10**8, use_initial_values=True, update_model=False, model=model,
            )  # fmt: skip
            seconds += time.process_time() - begin
            column = "Values[ln_burden]" if "Values[ln_burden]" in course else "ln_burden"
            found = course[column].to_numpy()
            # COPASI writes a row before and one after each event at the same time; the burden is the same in both
            at = np.searchsorted(course.index.to_numpy(), np.arange(DAYS + 1.0) - 1e-6)
            daily[i] = found[np.minimum(at, found.size - 1)]
        return daily, seconds

    return [Method("LSODA", run, TOLERANCES)]


def diffrax_methods(patients: Patients) -> list[Method]:
    """diffrax: all patients at once (`vmap`), days by `scan`, compiled by XLA; adaptive and with even steps."""
    import diffrax
    import jax
    import jax.numpy as jnp
    from equations import cell

    jax.config.update("jax_enable_x64", True)
    given = np.zeros((DAYS, 4))
    for day, drug, amount in doses():
        given[round(day), drug] += amount
    into = np.zeros((4, 23))
    into[np.arange(4), DRUG_STATE] = 1.0

    def hill(x: Any, n: float, k: float) -> Any:
        power = jnp.maximum(x, 0.0) ** n
        return power / (k**n + power)

    def derivative(t: Any, y: Any, own: Any) -> Any:
        values, rates, half = own
        out, act, first = [], [], 0
        for d, size in enumerate(COMPARTMENTS):
            x = y[first : first + size]
            out.append(rates[d, :size, :size] @ x)
            act.append(x[MEASURED[d]] / half[d])
            first += size
        a = y[first : first + N_ADAPT]
        o1, o2 = act[0] / (1.0 + act[0]), act[1] / (1.0 + act[1])
        # all clones at once: parameters of the clone along an axis
        q = jnp.array(CLONES).T
        rate, *drivers = cell(hill, values, q, o1, o2, act[2], 1.0 / (1.0 + act[3]), a)
        slow = (jnp.stack([d[0] for d in drivers]) - a) / jnp.array(TAU)
        return jnp.concatenate([*out, slow, rate])

    def method(name: str, solver: Any, even: bool, settings: tuple[float, ...]) -> Method:
        def integrate(setting: Any, y0: Any, own: Any) -> Any:
            if even:
                control: Any = diffrax.ConstantStepSize()
            else:
                control = diffrax.PIDController(rtol=setting, atol=setting * ABSOLUTE)

            def day(y: Any, dose: Any) -> Any:
                solved = diffrax.diffeqsolve(
                    diffrax.ODETerm(derivative), solver, 0.0, 1.0, 1.0 / setting if even else 0.1,
                    y + dose @ into, own, stepsize_controller=control, saveat=diffrax.SaveAt(t1=True),
                    max_steps=100_000, throw=False,
                )  # fmt: skip
                y = solved.ys[0]
                return y, jax.scipy.special.logsumexp(y[-N_CLONES:])

            return jax.lax.scan(day, y0, jnp.array(given))[1]

        compiled = jax.jit(jax.vmap(integrate, in_axes=(None, 0, 0)))
        y0 = jnp.array(start(patients).T)
        own = (
            jnp.array(patients.values.T),
            jnp.array(np.moveaxis(patients.rates, -1, 0)),
            jnp.array(patients.half.T),
        )

        def run(setting: float) -> tuple[Array, float]:
            begin = time.process_time()
            later = np.asarray(compiled(setting, y0, own).block_until_ready())
            seconds = time.process_time() - begin
            return np.concatenate(
                [np.asarray(total(start(patients)[-N_CLONES:]))[:, None], later], axis=1
            ), seconds

        return Method(name, run, settings)

    steps = (4.0, 5.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
    return [
        method("Tsit5, even steps", diffrax.Tsit5(), True, steps),
        method("Bosh3, even steps", diffrax.Bosh3(), True, steps),
        method("Tsit5", diffrax.Tsit5(), False, TOLERANCES),
        method("Dopri8", diffrax.Dopri8(), False, TOLERANCES),
    ]


def amici_methods(patients: Patients) -> list[Method]:
    """AMICI: C++ made from the SBML and compiled, CVODES."""
    import tempfile
    from pathlib import Path

    import amici
    from sbml import assignments, sbml

    folder = Path(tempfile.mkdtemp(prefix="stripped_amici_"))
    (folder / "model.xml").write_text(sbml(patients), encoding="utf-8")
    try:
        from amici.importers.sbml import SbmlImporter
        from amici.sim.sundials import AMICI_SUCCESS, SensitivityOrder, run_simulation
    except ImportError:
        from amici import AMICI_SUCCESS, SbmlImporter, SensitivityOrder
        from amici import runAmiciSimulation as run_simulation
    importer = SbmlImporter(folder / "model.xml")
    importer.sbml2amici(
        "stripped",
        folder / "stripped",
        compute_conservation_laws=False,
        generate_sensitivity_code=False,
        simplify=None,
    )
    model = amici.import_model_module("stripped", folder / "stripped").get_model()
    solver = model.create_solver()
    solver.set_sensitivity_order(SensitivityOrder.none)
    solver.set_max_steps(10**7)
    model.set_timepoints(np.arange(DAYS + 1.0))
    free, ids = list(model.get_free_parameter_ids()), list(model.get_state_ids())
    expressions = list(model.get_expression_ids())
    column = expressions.index("ln_burden")

    def run(tolerance: float) -> tuple[Array, float]:
        daily, seconds = np.empty((patients.n, DAYS + 1)), 0.0
        solver.set_relative_tolerance(tolerance)
        solver.set_absolute_tolerance(tolerance * ABSOLUTE)
        for i in range(patients.n):
            values = assignments(patients, i)
            model.set_free_parameters([values[n] for n in free])
            model.set_initial_state([values[n] for n in ids])
            begin = time.process_time()
            found = run_simulation(model, solver)
            seconds += time.process_time() - begin
            if found.status != AMICI_SUCCESS:
                raise RuntimeError(f"patient {i}: status {found.status}")
            daily[i] = np.asarray(found.w)[:, column]
        return daily, seconds

    return [Method("CVODES", run, TOLERANCES)]


def mrgsolve_methods(patients: Patients) -> list[Method]:
    """mrgsolve (LSODA, C++ compiled) in R; all patients in one call, doses as records."""
    import json
    import subprocess
    import tempfile
    from pathlib import Path

    from model_text import initial, model_text, parameters, states

    folder = Path(tempfile.mkdtemp(prefix="stripped_mrgsolve_"))
    made, rates = model_text(patients, lambda base, exponent: f"pow(fmax({base}, 1e-30), {exponent})")
    first = initial(patients, 0)
    lines = ["$PARAM"] + [f"{n} = {v!r}" for n, v in parameters(patients, 0).items()]
    lines += ["$CMT " + " ".join(states()), "$MAIN"]
    lines += [
        f"n{k}_0 = burden + ({first[f'n{k}'] - float(patients.values[-1, 0])!r});" for k in range(N_CLONES)
    ]
    lines += ["$ODE"] + [f"double {n} = {text};" for n, text in made[:-1]]
    lines += [f"dxdt_{state} = {text};" for state, text in rates.items()]
    lines += ["$TABLE", f"double ln_burden = {made[-1][1]};", "$CAPTURE ln_burden"]
    (folder / "stripped.cpp").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = list(parameters(patients, 0))
    rows = [",".join(["ID", *names])]
    for i in range(patients.n):
        rows.append(",".join([str(i + 1), *(repr(v) for v in parameters(patients, i).values())]))
    (folder / "idata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    by_drug: dict[int, list[tuple[float, float]]] = {}
    for day, drug, amount in doses():
        by_drug.setdefault(drug, []).append((day, amount))
    table = ["time,amt,cmt,ii,addl"]
    for drug, times in by_drug.items():
        # the first dose may be a loading dose; the others repeat
        state = states()[DRUG_STATE[drug]]
        (_, loading), (second, amount) = times[0], times[1]
        table.append(f"0,{loading},{state},0,0")
        table.append(f"{second},{amount},{state},{second},{len(times) - 2}")
    (folder / "doses.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    script = Path(__file__).with_name("mrgsolve.R")

    def run(tolerance: float) -> tuple[Array, float]:
        done = subprocess.run(
            ["Rscript", str(script), str(folder), repr(tolerance), repr(tolerance * ABSOLUTE), str(DAYS)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-300:])
        seconds = float(json.loads(done.stdout.strip().splitlines()[-1])["seconds"])
        found = np.fromfile(folder / "daily.bin").reshape(patients.n, DAYS + 1)
        return found, seconds

    return [Method("LSODA", run, TOLERANCES)]


PEERS: dict[str, tuple[str, Callable[[Patients], list[Method]]]] = {
    "scipy": ("scipy", scipy_methods),
    "roadrunner": ("libroadrunner", roadrunner_methods),
    "copasi": ("copasi-basico", copasi_methods),
    "diffrax": ("diffrax", diffrax_methods),
    "amici": ("amici", amici_methods),
    "mrgsolve": ("", mrgsolve_methods),
}
"""By name: the Python distribution, and the function that makes its methods."""
