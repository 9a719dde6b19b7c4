"""Layered layout of a directed graph without cycles: sources above, effects below, few crossings, short edges.

The classical steps (Sugiyama, Tagawa and Toda 1981): rows by longest path, edges over several rows split by way-points,
order within rows by repeated barycentres and swaps of neighbours, positions by least squares with a smallest distance.
Nothing here knows what the nodes mean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 40
"""Sweeps of ordering and of positions, enough for a few hundred nodes."""
WAYPOINT_WIDTH = 10.0


@dataclass(frozen=True)
class Layout:
    """Where nodes and the way-points of edges are.

    Attributes
    ----------
    row : row of each node, 0 at the top
    x : centre of each node
    ways : x of an edge in each row that it passes on its way, by edge, from top to bottom
    width : from 0 to the right side of the last node
    """

    row: Mapping[str, int]
    x: Mapping[str, float]
    ways: Mapping[tuple[str, str], tuple[float, ...]]
    width: float

    @property
    def rows(self) -> int:
        """Number of rows."""
        return 1 + max(self.row.values())


def lay_out(
    widths: Mapping[str, float],
    edges: Sequence[tuple[str, str]],
    gap: float,
    at_least: Mapping[str, int] | None = None,
    late: Collection[str] = (),
) -> Layout:
    """Rows and horizontal positions.

    Parameters
    ----------
    widths : width of every node, which also fixes the order where nothing else does
    edges : pairs (from, to), each once
    gap : smallest distance between the sides of neighbours
    at_least : first row that a node may take
    late : nodes that go just over their first effect however many causes they have

    Raises
    ------
    ValueError
        If the edges form a cycle.
    """
    row = _rows(list(widths), edges, at_least or {}, late)
    layers: list[list[str]] = [[] for _ in range(1 + max(row.values()))]
    for name in widths:
        layers[row[name]].append(name)
    below: dict[str, list[str]] = defaultdict(list)
    above: dict[str, list[str]] = defaultdict(list)
    chains: dict[tuple[str, str], list[str]] = {}
    for source, target in edges:
        chain = [source]
        for level in range(row[source] + 1, row[target]):
            point = f"{source}\t{target}\t{level}"
            layers[level].append(point)
            chain.append(point)
        chain.append(target)
        chains[source, target] = chain[1:-1]
        for a, b in pairwise(chain):
            below[a].append(b)
            above[b].append(a)
    layers = _ordered(layers, above, below)
    size = {n: widths.get(n, WAYPOINT_WIDTH) for layer in layers for n in layer}
    x = _positions(layers, above, below, size, gap)
    left = min(x[n] - size[n] / 2.0 for n in x)
    x = {n: value - left for n, value in x.items()}
    return Layout(
        row=row,
        x={n: x[n] for n in widths},
        ways={edge: tuple(x[p] for p in chain) for edge, chain in chains.items()},
        width=max(x[n] + size[n] / 2.0 for n in x),
    )


def _rows(
    names: Sequence[str],
    edges: Sequence[tuple[str, str]],
    at_least: Mapping[str, int],
    late: Collection[str],
) -> dict[str, int]:
    """Longest path from above; what has more effects than causes goes just over its first effect."""
    sources: dict[str, set[str]] = {n: set() for n in names}
    targets: dict[str, set[str]] = {n: set() for n in names}
    for a, b in edges:
        sources[b].add(a)
        targets[a].add(b)
    row: dict[str, int] = {}
    waiting = list(names)
    while waiting:
        ready = [n for n in waiting if sources[n] <= row.keys()]
        if not ready:
            raise ValueError(f"the edges form a cycle among {', '.join(sorted(waiting))}")
        for n in ready:
            row[n] = max([at_least.get(n, 0), *(row[s] + 1 for s in sources[n])])
        waiting = [n for n in waiting if n not in row]
    for n in sorted(names, key=lambda k: -row[k]):
        if targets[n] and (n in late or len(targets[n]) >= len(sources[n])):
            row[n] = max(row[n], min(row[t] for t in targets[n]) - 1)
    return row


def _crossings(upper: Sequence[str], lower: Sequence[str], below: Mapping[str, Sequence[str]]) -> int:
    place = {n: k for k, n in enumerate(lower)}
    ends = [sorted(place[b] for b in below[n] if b in place) for n in upper]
    flat: list[int] = []
    count = 0
    for targets in ends:
        for t in targets:
            count += sum(f > t for f in flat)
        flat += targets
    return count


def _ordered(
    layers: list[list[str]], above: Mapping[str, Sequence[str]], below: Mapping[str, Sequence[str]]
) -> list[list[str]]:
    """Order within rows with few crossings: barycentres downwards and upwards, then swaps of neighbours."""
    best = [list(layer) for layer in layers]
    fewest = _all_crossings(best, below)
    current = [list(layer) for layer in layers]
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        indices = range(1, len(current)) if downwards else range(len(current) - 2, -1, -1)
        for k in indices:
            fixed = current[k - 1] if downwards else current[k + 1]
            near = above if downwards else below
            place = {n: i / max(len(fixed) - 1, 1) for i, n in enumerate(fixed)}
            own = {n: i / max(len(current[k]) - 1, 1) for i, n in enumerate(current[k])}
            centre = {}
            for n in current[k]:
                ends = [place[m] for m in near[n] if m in place] if n in near else []
                centre[n] = sum(ends) / len(ends) if ends else own[n]
            current[k].sort(key=lambda n: centre[n])
        _swap(current, above, below)
        count = _all_crossings(current, below)
        if count < fewest:
            best, fewest = [list(layer) for layer in current], count
    return best


def _all_crossings(layers: Sequence[Sequence[str]], below: Mapping[str, Sequence[str]]) -> int:
    return sum(_crossings(layers[k], layers[k + 1], below) for k in range(len(layers) - 1))


def _swap(
    layers: list[list[str]], above: Mapping[str, Sequence[str]], below: Mapping[str, Sequence[str]]
) -> None:
    """Exchanges neighbours wherever that leaves fewer crossings."""
    for k, layer in enumerate(layers):
        places = [
            {n: i for i, n in enumerate(layers[j])} if 0 <= j < len(layers) else {} for j in (k - 1, k + 1)
        ]
        for i in range(len(layer) - 1):
            a, b = layer[i], layer[i + 1]
            gain = 0
            for place, near in zip(places, (above, below), strict=True):
                ends_a = [place[m] for m in near.get(a, ()) if m in place]
                ends_b = [place[m] for m in near.get(b, ()) if m in place]
                now = sum(p > q for p in ends_a for q in ends_b)
                after = sum(q > p for p in ends_a for q in ends_b)
                gain += now - after
            if gain > 0:
                layer[i], layer[i + 1] = b, a


def _positions(
    layers: Sequence[Sequence[str]],
    above: Mapping[str, Sequence[str]],
    below: Mapping[str, Sequence[str]],
    size: Mapping[str, float],
    gap: float,
) -> dict[str, float]:
    """Each node near the mean of its neighbours above and below, none closer to the next than allowed."""
    x: dict[str, float] = {}
    for layer in layers:
        total = sum(size[n] + gap for n in layer)
        at = -total / 2.0
        for n in layer:
            x[n] = at + size[n] / 2.0
            at += size[n] + gap
    for sweep in range(SWEEPS):
        order = range(len(layers)) if sweep % 2 == 0 else range(len(layers) - 1, -1, -1)
        for k in order:
            wanted, weight = [], []
            for n in layers[k]:
                pulls = [
                    (x[m], 8.0 if "\t" in n and "\t" in m else 2.0 if "\t" in n + m else 1.0)
                    for m in (*above.get(n, ()), *below.get(n, ()))
                ]
                total = sum(w for _, w in pulls)
                wanted.append(sum(p * w for p, w in pulls) / total if pulls else x[n])
                weight.append(total if pulls else 0.1)
            distances = [
                (size[a] + size[b]) / 2.0 + (gap if "\t" not in a + b else gap / 2.0)
                for a, b in pairwise(layers[k])
            ]
            for n, place in zip(layers[k], apart(wanted, weight, distances), strict=True):
                x[n] = place
    return x


def apart(wanted: Sequence[float], weight: Sequence[float], distances: Sequence[float]) -> list[float]:
    """Least-squares positions in the given order with smallest distances between neighbours.

    Isotonic regression (pool adjacent violators) of `wanted` less the distances before each.

    Parameters
    ----------
    wanted, weight : one for each; weights above 0
    distances : one for each pair of neighbours
    """
    before = [0.0]
    for d in distances:
        before.append(before[-1] + d)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, members
    for value, w, shift in zip(wanted, weight, before, strict=False):
        mean, total, members = value - shift, w, 1
        while blocks and blocks[-1][0] > mean:
            other, other_total, other_members = blocks.pop()
            mean = (mean * total + other * other_total) / (total + other_total)
            total += other_total
            members += other_members
        blocks.append((mean, total, members))
    level = [mean for mean, _, members in blocks for _ in range(members)]
    return [v + shift for v, shift in zip(level, before, strict=False)]
