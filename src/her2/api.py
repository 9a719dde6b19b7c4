"""The short way in: `her2.trial("cleopatra").simulate(seed=1).plot()`, `her2.Cell(receptors={"her2": 2.0})`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from her2.cell.cell import Cell as CellType
    from her2.trials.design import Trial
    from her2.trials.run import TrialResult


@dataclass(frozen=True)
class VirtualTrial:
    """A trial ready to be simulated."""

    design: Trial

    def simulate(
        self, *, patients: int = 2000, trials: int = 300, seed: int = 1, jobs: int | None = None
    ) -> SimulatedTrial:
        """Simulate; see `her2.trials.run.simulate_trial`."""
        from her2.trials.run import simulate_trial

        n_jobs = jobs or os.cpu_count() or 1
        return SimulatedTrial(
            simulate_trial(self.design, patients=patients, trials=trials, seed=seed, jobs=n_jobs)
        )


@dataclass(frozen=True)
class SimulatedTrial:
    """A simulated trial: print it, plot it, write it."""

    result: TrialResult

    def as_json(self) -> dict[str, Any]:
        """What `her2 trial --json` prints."""
        from her2.trials.report import as_json

        return as_json(self.result)

    def show(self) -> None:
        """What `her2 trial` prints."""
        from rich.console import Console

        from her2.trials.report import print_report

        print_report(self.result, Console())

    def plot(self, endpoint: str = "pfs") -> Any:
        """Kaplan-Meier figure (matplotlib) of an endpoint."""
        from her2.trials.outputs import kaplan_meier_figure

        return kaplan_meier_figure(self.result, endpoint)

    def write(self, folder: str | Path) -> None:
        """Pictures, ADaM-shaped tables and run record, as `her2 trial --out`."""
        from her2.trials.outputs import write_trial

        write_trial(self.result, Path(folder), source=self.result.trial.id)


def trial(name: str) -> VirtualTrial:
    """A built-in trial by name, or a trial file by path."""
    from her2.trials.design import load_trial

    return VirtualTrial(load_trial(name))


def Cell(
    receptors: Mapping[str, float] | None = None,
    genotype: Mapping[str, float] | None = None,
    ligands: Mapping[str, float] | None = None,
    name: str = "cell",
) -> CellType:
    """A cell of your own; what is not given is as in the reference HER2 3+ cell. Named lines: `her2.cell("BT474")`.

    Parameters
    ----------
    receptors : 1e6 receptors/cell, by receptor
    genotype : attributes of HER2 forms, pathways, cell cycle and death, hormone and surroundings
    ligands : relative levels, by ligand

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        An unknown attribute, one in the wrong group, or an impossible value.
    """
    from her2.cell.cell import make_cell

    return make_cell(receptors, genotype, ligands, name)
