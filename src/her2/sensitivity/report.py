"""The results as tables: rows, how they are made from an analysis, and how they are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from her2.sensitivity.factors import DAYS

if TYPE_CHECKING:
    from rich.console import Console

    from her2.sensitivity.identifiability import Identifiability
    from her2.sensitivity.sobol import Sensitivity

TOP = 8
"""Factors shown per case."""
SHOWN = 0.01
"""Smallest effect of the screening that is written, in growth inhibition."""


@dataclass(frozen=True)
class IndexRow:
    """First and total Sobol index of a factor in a case, each with the half width of its 95 % bootstrap interval."""

    case: str
    factor: str
    first: float
    first_ci: float
    total: float
    total_ci: float


@dataclass(frozen=True)
class CaseRow:
    """A case: cell, growth inhibition over the priors (mean, SD, 5 % and 95 % quantile), and how far the indices reach.

    `kept` counts the factors that screening found to matter in this case, `varied` those varied in the design;
    `left_out` is the total index of all others together.
    """

    case: str
    cell: str
    mean: float
    sd: float
    low: float
    high: float
    kept: int
    varied: int
    left_out: float


@dataclass(frozen=True)
class ScreeningRow:
    """Mean absolute effect of a factor's move over the 5 to 95 % range of its prior, and the spread of the effects."""

    case: str
    factor: str
    effect: float
    spread: float
    kept: int


@dataclass(frozen=True)
class LocalRow:
    """What the observations tell of a factor: `visibility` (errors per prior SD), and posterior over prior SD."""

    factor: str
    label: str
    visibility: float
    sd_ratio: float


@dataclass(frozen=True)
class DirectionRow:
    """A loading of an identified direction."""

    direction: int
    singular_value: float
    factor: str
    loading: float


@dataclass(frozen=True)
class PairRow:
    """Two factors that the observations cannot tell apart."""

    first: str
    second: str
    cosine: float


@dataclass(frozen=True)
class Report:
    """All tables and their provenance."""

    indices: tuple[IndexRow, ...]
    cases: tuple[CaseRow, ...]
    screening: tuple[ScreeningRow, ...]
    local: tuple[LocalRow, ...]
    directions: tuple[DirectionRow, ...]
    pairs: tuple[PairRow, ...]
    provenance: Mapping[str, Any]

    def top(self, case: str, n: int = TOP) -> list[IndexRow]:
        """The n factors of a case with the largest total index."""
        return sorted((r for r in self.indices if r.case == case), key=lambda r: -r.total)[:n]

    def only(self, cases: Sequence[str]) -> Report:
        """The same report with some cases."""
        return replace(
            self,
            indices=tuple(r for r in self.indices if r.case in cases),
            cases=tuple(r for r in self.cases if r.case in cases),
            screening=tuple(r for r in self.screening if r.case in cases),
        )

    def groups(self) -> list[tuple[str, ...]]:
        """Factors linked by pairs that cannot be told apart, the pair with the largest cosine first."""
        found: list[set[str]] = []
        for pair in self.pairs:
            linked = [g for g in found if pair.first in g or pair.second in g]
            joined = {pair.first, pair.second}.union(*linked)
            place = min((found.index(g) for g in linked), default=len(found))
            found = [g for g in found if g not in linked]
            found.insert(place, joined)
        return [tuple(sorted(g)) for g in found]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def make_report(found: Sensitivity, local: Identifiability) -> Report:
    """Tables of an analysis."""
    from importlib.metadata import version

    from her2 import __version__
    from her2.sensitivity.identifiability import INHIBITION_ERROR
    from her2.sensitivity.store import record_digest

    indices: list[IndexRow] = []
    cases: list[CaseRow] = []
    screening: list[ScreeningRow] = []
    for k, case in enumerate(found.bench.cases):
        rows = _index_rows(found, k)
        indices += rows
        y = found.inhibition[:, k]
        low, high = np.quantile(y, [0.05, 0.95])
        mean, sd, low, high, left_out = (
            _short(v) for v in (y.mean(), y.std(ddof=1), low, high, found.left_out[k])
        )
        kept = int(found.screening.kept[:, k].sum())
        cases.append(CaseRow(case.id, case.cell, mean, sd, low, high, kept, len(rows), left_out))
        screening += _screening_rows(found, k)
    provenance = {
        "method": "Morris screening, then Sobol indices by Saltelli's design (SALib)",
        "version": __version__,
        "salib": version("SALib"),
        "seed": found.seed,
        "samples": found.samples,
        "trajectories": found.trajectories,
        "evaluations": found.evaluations,
        "failed_samples": found.failed,
        "factors_screened": len(found.screening.bench.factors),
        "factors_varied": len(found.bench.factors),
        "columns": found.bench.n_columns,
        "days": DAYS,
        "inhibition_error": INHIBITION_ERROR,
        "singular_values": [round(float(s), 3) for s in local.singular_values],
        "observations": list(local.observations),
        "record": record_digest(),
    }
    labels = {f.id: f.label for f in found.screening.bench.factors}
    seen = [
        LocalRow(
            local.factors[j], labels[local.factors[j]], _short(local.visibility[j]), _short(local.sd_ratio[j])
        )
        for j in np.argsort(-local.visibility, kind="stable")
    ]
    directions = [
        DirectionRow(n, _short(d.singular_value), name, _short(value))
        for n, d in enumerate(local.directions, start=1)
        for name, value in d.loadings
    ]
    pairs = [PairRow(p.first, p.second, _short(p.cosine)) for p in local.pairs]
    return Report(
        tuple(indices),
        tuple(cases),
        tuple(screening),
        tuple(seen),
        tuple(directions),
        tuple(pairs),
        provenance,
    )


def _index_rows(found: Sensitivity, k: int) -> list[IndexRow]:
    """Indices of a case, largest total first."""
    x = found.indices
    rows = [
        IndexRow(
            found.bench.cases[k].id, f.id, _short(x.first[j, k]), _short(x.first_ci[j, k]), _short(x.total[j, k]),
            _short(x.total_ci[j, k]),
        )
        for j, f in enumerate(found.bench.factors)
        if np.isfinite(x.total[j, k])
    ]  # fmt: skip
    return sorted(rows, key=lambda r: -r.total)


def _screening_rows(found: Sensitivity, k: int) -> list[ScreeningRow]:
    """Effects of a case that are worth writing, largest first."""
    screening = found.screening
    return [
        ScreeningRow(
            found.bench.cases[k].id, screening.bench.factors[j].id, _short(screening.effect[j, k]),
            _short(screening.spread[j, k]), int(screening.kept[j, k]),
        )
        for j in np.argsort(-np.nan_to_num(screening.effect[:, k]), kind="stable")
        if screening.effect[j, k] >= SHOWN
    ]  # fmt: skip


def _short(x: float) -> float:
    return float(f"{float(x):.4g}")


def sizes(report: Report) -> str:
    """One line on how the results were made."""
    p = report.provenance
    return (
        f"{p['factors_screened']} factors screened ({p['trajectories']} trajectories), {p['factors_varied']} varied in "
        f"{p['columns']} columns, {p['samples']} base samples, {p['evaluations']} evaluations, seed {p['seed']}, her2 "
        f"{p['version']}, SALib {p['salib']}, record {str(p['record'])[:16]}"
    )


def print_report(report: Report, console: Console) -> None:
    """Top factors of every case, then what the observations could tell apart."""
    from rich.table import Table

    from her2.trials.pictures.style import NOTICE

    for case in report.cases:
        console.print(
            f"{case.case} ({case.cell} cell): growth inhibition {case.mean:.2f} [{case.low:.2f}, {case.high:.2f}], "
            "mean and 90 % over the priors",
            markup=False, highlight=False,
        )  # fmt: skip
        table = Table()
        for head in ("factor", "first", "total", "95 %"):
            table.add_column(head, justify="left" if head == "factor" else "right")
        for r in report.top(case.case):
            table.add_row(r.factor, f"{r.first:.2f}", f"{r.total:.2f}", interval(r.total, r.total_ci))
        console.print(table)
        console.print(f"left out: {case.left_out:.2f} of the variance (total index of all other factors)\n")
    singular = report.provenance["singular_values"]
    identified = sum(s > 1.0 for s in singular)
    console.print(
        f"{identified} of {len(report.local)} directions would be learned from {len(singular)} observations. Factors "
        "that cannot be told apart:",
        highlight=False,
    )
    for group in report.groups():
        console.print(f"  {', '.join(group)}", highlight=False)
    console.print(f"{sizes(report)}. {NOTICE}", markup=False, highlight=False)


def interval(value: float, half: float) -> str:
    """Interval of an index, cut to what an index can be."""
    return f"[{max(value - half, 0.0):.2f}, {min(value + half, 1.0) if value <= 1.0 else value + half:.2f}]"
