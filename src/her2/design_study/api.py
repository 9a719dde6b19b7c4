"""The short way in: `her2.design("my_design.yaml").run(seed=1).show()`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from her2.design_study.run import DesignResult
    from her2.design_study.schema import DesignTask


@dataclass(frozen=True)
class TrialDesign:
    """A design ready to be studied."""

    task: DesignTask

    def run(
        self,
        *,
        members: int = 12,
        patients: int = 1000,
        trials: int = 2000,
        seed: int = 1,
        jobs: int | None = None,
    ) -> StudiedDesign:
        """Simulate; see `her2.design_study.run.run_design`."""
        from her2.design_study.run import run_design

        n_jobs = jobs or os.cpu_count() or 1
        return StudiedDesign(
            run_design(self.task, members=members, patients=patients, trials=trials, seed=seed, jobs=n_jobs)
        )


@dataclass(frozen=True)
class StudiedDesign:
    """A studied design: print it, plot it."""

    result: DesignResult

    def as_json(self) -> dict[str, Any]:
        """What `her2 design --json` prints."""
        from her2.design_study.report import as_json

        return as_json(self.result)

    def show(self) -> None:
        """What `her2 design` prints."""
        from rich.console import Console

        from her2.design_study.report import print_report

        print_report(self.result, Console())

    def plot(self) -> Any:
        """Figure (matplotlib) of power, probability of success and subgroup effects."""
        from her2.design_study.picture import draw_design

        return draw_design(self.result)


def design(name: str) -> TrialDesign:
    """A design file by path, or a built-in trial by name with every default."""
    from her2.design_study.schema import load_design

    return TrialDesign(load_design(name))
