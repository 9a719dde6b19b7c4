"""The full model of a cell in other software: libRoadRunner and COPASI, on models that are loaded once.

Both take the SBML of `her2.export.cell_antimony`; another cell, parameter set or dose is set by the values of its
constants and start, which is far faster than loading again. Random conditions serve to compare them with each other
and with `her2.export.cell_course`. Needs the optional packages of `pip install "her2[sbml]"`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from her2.cell.attributes import COMPARTMENTS, catalogue, defaults
from her2.cell.condition import Columns, active_concentration
from her2.cell.ensemble import SCALE
from her2.cell.model import ActionKey, CellModel, acting_agents, build_cell_model
from her2.drugs import actions_of, drawn_effect
from her2.errors import Her2Error
from her2.evidence.load import load_parameters
from her2.evidence.priors import to_value
from her2.export.cell_antimony import CellText
from her2.export.cell_course import CellCourse

Array = NDArray[np.float64]

COMPARED_AT = (0.5, 3.0, 12.0, 48.0, 168.0, 672.0)
"""Hours at which courses are compared: from the fast binding to four weeks of adaptation."""
SMALLEST_COMPARED = 1e-6
"""States below this part of their unit are compared at this scale."""
MOST_DRUGS = 4
RELATIVE_TOLERANCE = 1e-11
REFERENCE_ABSOLUTE_TOLERANCE = 1e-15
"""Of SciPy, against which the others are compared."""
ABSOLUTE_TOLERANCES = (1e-15, 1e-14, 1e-13, 1e-12)
"""Tried in turn: now and then a solver does not get past the first moments at the tightest, where rounding decides
whether a signal has left its resting value."""
MOST_STEPS = 20_000


class AbstractCellEngine(ABC):
    """Software that integrates the exported model; made from one text, run on any other of the same structure."""

    def __init__(self, text: CellText) -> None:
        self.names = frozenset((*text.constants, *text.start))
        self.loosened = 0

    def run(self, text: CellText, times: Sequence[float], names: Sequence[str]) -> Array:
        """Values of states or other quantities: (names, times).

        Parameters
        ----------
        text : constants and start to run with
        times : hour, ascending, the first above 0

        Raises
        ------
        her2.errors.Her2Error
            If the text has other constants than the loaded model, or the run fails.
        """
        odd = sorted(self.names ^ {*text.constants, *text.start})
        if odd:
            raise Her2Error(
                f"the loaded model is another one: it differs in {', '.join(odd[:5])}; load this text anew"
            )
        for tolerance in ABSOLUTE_TOLERANCES[:-1]:
            try:
                return self.integrate(text, times, names, tolerance)
            except Her2Error:
                self.loosened += 1
        return self.integrate(text, times, names, ABSOLUTE_TOLERANCES[-1])

    @abstractmethod
    def integrate(
        self, text: CellText, times: Sequence[float], names: Sequence[str], absolute_tolerance: float
    ) -> Array:
        """One run at one tolerance; see `run`."""


class RoadRunnerEngine(AbstractCellEngine):
    """libRoadRunner with its CVODE integrator."""

    def __init__(self, sbml: str, text: CellText) -> None:
        import roadrunner

        super().__init__(text)
        roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
        self.runner = roadrunner.RoadRunner(sbml)
        self.runner.integrator.relative_tolerance = RELATIVE_TOLERANCE
        self.runner.integrator.maximum_num_steps = MOST_STEPS

    def integrate(
        self, text: CellText, times: Sequence[float], names: Sequence[str], absolute_tolerance: float
    ) -> Array:
        self.runner.integrator.absolute_tolerance = absolute_tolerance
        self.runner.reset()
        for name, value in (*text.constants.items(), *text.start.items()):
            self.runner[name] = value
        self.runner.selections = list(names)
        try:
            return np.asarray(self.runner.simulate(times=[0.0, *times]))[1:].T.copy()
        except RuntimeError as error:
            raise Her2Error(f"libRoadRunner: {error}") from error


class CopasiEngine(AbstractCellEngine):
    """COPASI with its deterministic integrator (LSODA)."""

    def __init__(self, sbml: str, text: CellText) -> None:
        import COPASI

        super().__init__(text)
        self.copasi: Any = COPASI
        self.data: Any = COPASI.CRootContainer.addDatamodel()
        if not self.data.importSBMLFromString(sbml):
            raise Her2Error(f"COPASI: {COPASI.CCopasiMessage.getAllMessageText()}")
        model = self.data.getModel()
        quantities = [model.getMetabolite(k) for k in range(model.getNumMetabs())]
        quantities += [model.getModelValue(k) for k in range(model.getNumModelValues())]
        self.quantities = {q.getObjectName(): q for q in quantities}
        self.task: Any = self.data.getTask("Time-Course")
        self.task.setMethodType(COPASI.CTaskEnum.Method_deterministic)
        self.method: Any = self.task.getMethod()
        self.method.getParameter("Relative Tolerance").setDblValue(RELATIVE_TOLERANCE)
        self.method.getParameter("Max Internal Steps").setIntValue(MOST_STEPS)

    def integrate(
        self, text: CellText, times: Sequence[float], names: Sequence[str], absolute_tolerance: float
    ) -> Array:
        self.method.getParameter("Absolute Tolerance").setDblValue(absolute_tolerance)
        for name, value in (*text.constants.items(), *text.start.items()):
            quantity = self.quantities[name]
            if isinstance(quantity, self.copasi.CMetab):
                quantity.setInitialConcentration(value)
            else:
                quantity.setInitialValue(value)
        self.data.getModel().updateInitialValues(self.copasi.CCore.Framework_Concentration)
        problem = self.task.getProblem()
        problem.setTimeSeriesRequested(True)
        problem.setAutomaticStepSize(False)
        problem.setDuration(times[-1])
        problem.setUseValues(True)
        problem.setValues(" ".join(repr(float(t)) for t in (0.0, *times)))
        self.copasi.CCopasiMessage.clearDeque()
        if not self.task.process(True):
            raise Her2Error(f"COPASI: {self.copasi.CCopasiMessage.getAllMessageText() or 'the run failed'}")
        series = self.task.getTimeSeries()
        titles = [series.getTitle(k) for k in range(series.getNumVariables())]
        column = {t.removeprefix("Values[").removesuffix("]"): k for k, t in enumerate(titles)}
        steps = series.getRecordedSteps()
        if steps != len(times) + 1:
            raise Her2Error(f"COPASI: {steps} times recorded, expected {len(times) + 1}")
        return np.array([[series.getConcentrationData(s, column[n]) for s in range(1, steps)] for n in names])

    def close(self) -> None:
        """Gives the model's memory back."""
        self.copasi.CRootContainer.removeDatamodel(self.data)


def largest_difference(found: Array, course: CellCourse, times: Sequence[float]) -> tuple[float, str]:
    """Largest relative difference of states from those of a course at the same times, and the state's name.

    Values below `SMALLEST_COMPARED` are compared at that scale.
    """
    columns = [int(np.flatnonzero(course.times == t)[0]) for t in times]
    expected = course.states[:, columns]
    error = np.abs(found - expected) / np.maximum(np.abs(expected), SMALLEST_COMPARED)
    row = int(np.unravel_index(int(np.argmax(error)), error.shape)[0])
    return float(error.max()), course.names[row]


def random_model(rng: np.random.Generator) -> CellModel:
    """A model anywhere in the prior: every parameter and every action of a drug that has a prior is drawn from it.

    Free parameters are drawn from their priors, too, not from the posterior; what the reference cell is stays.
    """
    values = {
        name: to_value(parameter, float(rng.standard_normal()))
        for name, parameter in sorted(load_parameters().items())
        if parameter.prior is not None and not name.startswith(SCALE)
    }
    half: dict[ActionKey, float] = {}
    largest: dict[ActionKey, float] = {}
    for name, agent in sorted(acting_agents().items()):
        for k, action in enumerate(actions_of(agent)):
            if action.half is not None and action.prior_log_sd is not None:
                half[name, k] = action.half * float(np.exp(action.prior_log_sd * rng.standard_normal()))
            if action.spans_zero:
                largest[name, k] = drawn_effect(action, float(rng.standard_normal()))
    return build_cell_model(values, half, largest)


def random_condition(model: CellModel, rng: np.random.Generator) -> Columns:
    """A random cell under up to four random drugs, in a culture, a tumour or the brain.

    About half of the attributes are those of the reference cell, the others anywhere between their limits (or
    log-normal around 1 or their default where the scale is open). A drug is at its clinical concentration or within
    a factor 30 of its concentration at half effect. Every agent is named, most at concentration 0, so that all
    conditions have the same structure.
    """
    compartment = COMPARTMENTS[int(rng.integers(len(COMPARTMENTS)))]
    cell = defaults(compartment)
    for name, entry in catalogue().items():
        if name == "heterogeneity" or rng.random() < 0.5:
            continue
        if entry.high > 2.0:
            centre = cell[name] if cell[name] > 0.0 else (0.03 if entry.kind == "receptor" else 0.5)
            cell[name] = min(centre * float(np.exp(rng.normal())), entry.high)
        elif name.startswith("fcgr"):
            cell[name] = float(rng.integers(3))
        else:
            cell[name] = float(rng.uniform(entry.low, entry.high))
    concentrations = dict.fromkeys(sorted(model.agents), 0.0)
    names = list(concentrations)
    for k in rng.choice(len(names), size=int(rng.integers(MOST_DRUGS + 1)), replace=False):
        agent = model.agent(names[k])
        halves = [model.half[agent.id, n] for n in range(len(actions_of(agent)))]
        known = [x for x in halves if np.isfinite(x)]
        pd = agent.pharmacodynamics
        if pd is not None and pd.exposure is not None and (not known or rng.random() < 1.0 / 3.0):
            concentrations[agent.id] = active_concentration(agent, "clinical", compartment, model.values)
        elif known:
            middle = float(np.exp(np.mean(np.log(known))))
            concentrations[agent.id] = middle * 10.0 ** float(rng.uniform(-1.5, 1.5))
    return Columns(
        {k: np.array([v]) for k, v in cell.items()},
        {k: np.array([v]) for k, v in concentrations.items()},
        (compartment,),
    )
