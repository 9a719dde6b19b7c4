"""Options of the commands that predict trials from an ensemble: sizes, seed, threads."""

from __future__ import annotations

import os
from typing import Annotated

import typer

Members = Annotated[
    int,
    typer.Option(help="Members of the posterior that carry the uncertainty of parameters.", min=2, max=5000),
]
Patients = Annotated[
    int,
    typer.Option(
        help="Virtual patients per member, each on every arm; multiples of 64 cost least.",
        min=50,
        max=1_000_000,
    ),
]
TrialsSimulated = Annotated[
    int, typer.Option(help="Trials of the real size drawn for the intervals.", min=4, max=100_000)
]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.", min=0, max=2**62)]
Jobs = Annotated[
    int, typer.Option(help="Threads; 0 for one per core. The digits do not depend on it.", min=0, max=512)
]


def threads(jobs: int) -> int:
    """Number of threads: as asked for, or one per core."""
    return jobs or os.cpu_count() or 1
