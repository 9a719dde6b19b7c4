"""`her2 evidence`: search the record, count it, ask it in SQL, export it.

`her2 evidence WORDS ...` searches; `sql`, `export` and the statistics are sub-commands. A search for one of
those words is `her2 evidence search export`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class SearchByDefault(TyperGroup):
    """A group that searches when its first argument is not one of its commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `search` before anything that is neither a command nor a call for help."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["search", *args]
        return list(super().parse_args(ctx, args))


evidence = typer.Typer(
    cls=SearchByDefault,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Search the record: `her2 evidence WORDS`, `... --agent tucatinib`, `... --counts`. "
    "All options of the search: `her2 evidence search --help`.",
)


@evidence.command(name="search", help="Search the record (the default).")
def search(
    words: Annotated[
        list[str] | None, typer.Argument(help="All of these words; names of agents find all their names.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Agent, by any of its names.")] = None,
    mechanism: Annotated[str | None, typer.Option(help="Mechanism, by id or name.")] = None,
    biomarker: Annotated[
        str | None, typer.Option(help="Biomarker, molecule or subgroup, such as PIK3CA.")
    ] = None,
    line: Annotated[
        str | None, typer.Option(help="Line or setting: 1, second, neoadjuvant, cns_treated ...")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Endpoint of printed figures: pfs, os, orr, ae ...")
    ] = None,
    level: Annotated[
        str | None, typer.Option(help="Level of evidence: phase_3, retrospective, in_vitro ...")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="claim, mechanism, agent, trial, value, rule, conflict, source, cell, switch, or a kind of claim."
        ),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Source, such as review_a.")] = None,
    limit: Annotated[int, typer.Option(help="Most results.", min=1)] = 20,
    counts: Annotated[bool, typer.Option("--counts", help="Count the record and stop.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Search the record by words and facets; results say where they stand in their source."""
    from her2.errors import RecordError
    from her2.evidence.record import load_record

    record = load_record()
    if counts:
        from her2.evidence.counts import count_record, nct_numbers

        counted: dict[str, Any] = dict(count_record(record))
        if json:
            _print_json({**counted, "nct": list(nct_numbers(record))})
        else:
            for name, number in counted.items():
                typer.echo(f"{name.replace('_', ' '):20s} {number:6d}")
        return

    from her2.evidence.query import search as find
    from her2.evidence.query import suggestion

    question = " ".join(words or ())
    facets = {
        "agent": agent, "mechanism": mechanism, "biomarker": biomarker, "line": line, "endpoint": endpoint,
        "level": level, "kind": kind, "source": source,
    }  # fmt: skip
    if not question and not any(facets.values()):
        raise RecordError(
            "search for what? Give words, or a facet such as --agent; --counts shows what there is"
        )
    found = find(record, question, limit=limit, **facets)
    if json:
        _print_json({
            "query": question, "facets": {k: v for k, v in facets.items() if v}, "total": found.total,
            "results": [h.as_dict() for h in found.hits],
        })  # fmt: skip
        return
    if not found.hits:
        typer.echo(f"nothing found for '{question}'{suggestion(record, question)}")
        return
    _print_hits(found)


def _print_hits(found: Any) -> None:
    """Hits as a table for reading."""
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, least in (("kind", 9), ("id", 24), ("what it says", 40), ("level", 8), ("place", 16)):
        table.add_column(name, overflow="fold", min_width=least, ratio=3 if name == "what it says" else None)
    for hit in found.hits:
        kind = f"{hit.kind} (yours)" if hit.user else hit.kind
        says = hit.title
        likely = hit.data.get("likely_correct")
        if likely:
            shown = (
                f"{likely['value']:g} {likely['unit']}"
                if likely.get("value") is not None
                else "see the reason"
            )
            says += f" [likely {shown}: {likely['reason']}]"
        if hit.data.get("supports") == "does_not_support":
            says += " [does not support]"
        if hit.kind == "conflict":
            says += f" -> {hit.data['likely_resolution']}"
        where = hit.where if len(hit.places) <= 2 else f"{hit.places[0]} and {len(hit.places) - 1} more"
        table.add_row(kind, Text(hit.id), Text(says), Text(hit.level.replace("_", " ")), Text(where))
    console = Console(width=None if sys.stdout.isatty() else 170)
    console.print(table)
    more = (
        f"{len(found.hits)} of {found.total} results"
        if found.total > len(found.hits)
        else f"{found.total} results"
    )
    console.print(f"{more}. her2 trace ID shows what an entry rests on.", style="dim")


@evidence.command(name="sql", help="Ask the record in SQL (DuckDB, read-only): SELECT or WITH ... SELECT.")
def sql(
    query: Annotated[str, typer.Argument(help="One statement, or the name of a table to see its columns.")],
    json: Annotated[bool, typer.Option("--json", help="Print a JSON list of rows.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    limit: Annotated[int, typer.Option(help="Most rows.", min=1, max=1_000_000)] = 1000,
) -> None:
    """Ask the record in SQL."""
    import sys

    from her2.errors import Her2Error
    from her2.evidence.record import load_record
    from her2.evidence.store import open_store
    from her2.evidence.tables import COLUMNS

    if json and csv:
        raise Her2Error("give one of --json and --csv")
    if query in COLUMNS:
        query = f"SELECT column_name, column_type FROM (DESCRIBE {query})"
    answer = open_store(load_record()).select(query, limit=limit)
    if json:
        _print_json(answer.as_dicts())
    elif csv:
        from her2.evidence.export import write_csv

        write_csv(sys.stdout, answer.columns, answer.rows)
    else:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in answer.columns:
            table.add_column(Text(name), overflow="fold")
        for row in answer.rows:
            table.add_row(*(Text(_cell(v)) for v in row))
        Console(width=None if sys.stdout.isatty() else 170).print(table)
    if answer.is_cut:
        typer.echo(f"her2: only the first {limit} rows; --limit gives more", err=True)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "; ".join(str(v) for v in value) if isinstance(value, list) else str(value)


@evidence.command(name="export", help="Write every table as CSV, Parquet or JSON, and the sources as BibTeX.")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New or empty folder, or an earlier export.")],
    format: Annotated[str, typer.Option("--format", help="csv, parquet, json or all.")] = "all",
) -> None:
    """Write the record as tables."""
    from her2.evidence.export import FORMATS, export_record
    from her2.evidence.record import load_record

    written = export_record(load_record(), folder, formats=FORMATS if format == "all" else (format,))
    typer.echo(f"{folder}: {len(written)} files")


def _print_json(data: Any) -> None:
    import json

    typer.echo(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))


from her2.cli.commands.evidence_forest import forest, network  # noqa: E402

evidence.command(name="forest", help="Meta-analysis of randomised trials, with a picture.")(forest)
evidence.command(name="network", help="Network meta-analysis of randomised trials.")(network)
