"""A comparison of sequences as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from her2.prognosis.report import (
    NOT_ADVICE,
    bullets,
    heading,
    print_findings,
    print_refusals,
    times_cell,
    with_ids,
)
from her2.prognosis.result import SequenceResult
from her2.prognosis.sequences import sequence_name
from her2.prognosis.weights import Difference
from her2.sequencing.advice import NOT_STORED

if TYPE_CHECKING:
    from rich.console import Console


def print_sequences(result: SequenceResult, console: Console) -> None:
    """Print sequences beside the reference, with the interval of the difference."""
    from rich.table import Table

    console.print(f"{result.research_use} {NOT_STORED}", style="italic")
    console.print(NOT_ADVICE, style="italic")
    print_findings(result.findings, console)
    print_refusals(result.refusals, console)
    if result.sequences:
        table = Table(
            title="Sequences in the same twins; months; differences from the first, of means within the time followed",
            title_justify="left", title_style="bold", show_lines=True,
        )  # fmt: skip
        for column in ("sequence", "from", "alive", "mean survival", "chemotherapy", "told apart?"):
            table.add_column(column, overflow="fold")
        for k, s in enumerate(result.sequences):
            table.add_row(
                sequence_name(s.regimens), s.origin, times_cell(s.os),
                f"{s.survival:.1f}" + ("" if k == 0 else f"\n{difference_text(s.difference)}"),
                f"{s.chemotherapy:.1f}" + ("" if k == 0 else f"\n{difference_text(s.chemotherapy_difference)}"),
                s.verdict,
            )  # fmt: skip
        console.print()
        console.print(table, markup=False)
        heading("In words", console)
        bullets((with_ids(s.text, s.ids) for s in result.sentences), console)
        shares = ", ".join(f"{100 * u:.0f} of 100" for u in result.uptake)
        if shares:
            console.print(
                f"After each progression the next line is given to {shares}, the same twins in every sequence.",
                style="dim", markup=False, highlight=False,
            )  # fmt: skip
    if result.not_predicted:
        heading("Left out", console)
        bullets((with_ids(f"{x.regimen}: {x.says}", x.rules) for x in result.not_predicted), console)
    if result.twins is not None:
        t, run = result.twins, result.run
        console.print()
        console.print(
            f"{t.drawn:,} virtual patients drawn, effective number {t.effective:.0f}, {t.followed} followed · seed "
            f"{run.seed} · {run.members} members of the posterior · followed for {run.horizon_months:.0f} months · "
            f"her2 {run.version} · run {run.digest}",
            style="dim", markup=False, highlight=False,
        )  # fmt: skip


def difference_text(difference: Difference) -> str:
    """`+1.2 (-0.4 to 2.8)`, with the 90 % limits."""
    low, high = difference.interval_90
    return f"{difference.value:+.1f} (90 %: {low:+.1f} to {high:+.1f})"
