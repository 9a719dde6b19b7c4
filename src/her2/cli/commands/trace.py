"""`her2 trace`: from any entry to what it rests on, and to what rests on it."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def trace(
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Id of a claim, mechanism, parameter, agent, rule, trial, figure, source, cell, switch, edge "
            "of the network or action of an agent; experiment:CLAIM for an experiment.",
        ),
    ],
    up: Annotated[bool, typer.Option("--up", help="Only what it rests on.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what rests on it.")] = False,
    depth: Annotated[int, typer.Option(help="Steps to follow.", min=1, max=20)] = 2,
    children: Annotated[int, typer.Option(help="Most branches shown at one entry.", min=1)] = 12,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object with nodes and links.")] = False,
) -> None:
    """Show what an entry of the record rests on, and what rests on it."""
    import sys

    from her2.evidence.record import load_record
    from her2.evidence.trace import Direction, build_graph

    graph = build_graph(load_record())
    nodes = graph.find(name)
    wanted: tuple[Direction, ...] = (
        ("up",) if up and not down else ("down",) if down and not up else ("up", "down")
    )
    if json:
        import json as json_module
        from dataclasses import asdict

        result: dict[str, Any] = {"found": [asdict(n) for n in nodes]}
        for direction in wanted:
            reached, edges = graph.reach([n.key for n in nodes], direction, depth)
            result["rests_on" if direction == "up" else "supports"] = {
                "nodes": [asdict(n) for n in reached[len(nodes) :]],
                "links": [asdict(e) for e in edges],
            }
        typer.echo(json_module.dumps(result, indent=1, ensure_ascii=False))
        return

    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    console = Console(width=None if sys.stdout.isatty() else 150)
    for node in nodes:
        for direction in wanted:
            says = "rests on" if direction == "up" else "is what these rest on"
            tree = Tree(
                Text.assemble(
                    (f"{node.kind} {node.id}", "bold"), f" {_short(node.label)}  ", (says, "italic")
                )
            )
            seen = {node.key}

            def grow(branch: Tree, key: str, left: int, direction: Direction, seen: set[str]) -> None:
                links = graph.next(key, direction)
                for child, why in links[:children]:
                    mark = " (yours)" if child.user else ""
                    line = Text.assemble(
                        (f"{child.kind} {child.id}", "bold"),
                        f"{mark} {_short(child.label)}",
                        (f"  [{why}]", "dim"),
                    )
                    again = child.key in seen
                    sub = branch.add(line)
                    if left > 1 and not again:
                        seen.add(child.key)
                        grow(sub, child.key, left - 1, direction, seen)
                if len(links) > children:
                    branch.add(f"... and {len(links) - children} more (--children {len(links)})")

            grow(tree, node.key, depth, direction, seen)
            if not graph.next(node.key, direction):
                tree.add("nothing")
            console.print(tree)


def _short(label: str) -> str:
    """A label of at most 90 characters."""
    return label if len(label) <= 90 else label[:87].rstrip() + "..."
