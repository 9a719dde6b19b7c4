"""Compare two independent extractions of one text: what both found, what one found, how often fields differ.

An extraction is a folder with one JSON-lines file per kind, as the curation manual describes. Entries are
paired by place and content, never by their order: figures by printed number, lines, arm and endpoint; claims,
rules and conflicts by overlapping lines and similar wording; agents, mechanisms and trials by identifier,
alias, registry number, then lines and wording. Each entry is paired at most once, the best pairs first.
`python -m her2.evidence.compare FOLDER FOLDER` prints the counts and rates as YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from her2.errors import RecordError

Item = dict[str, Any]

FIELDS: dict[str, tuple[str, ...]] = {
    "agents": ("id", "kind", "targets"),
    "mechanisms": ("id", "direction", "molecules"),
    "trials": ("id", "nct", "phase", "n_printed", "setting", "status"),
    "endpoints": (
        "trial", "arm", "endpoint", "statistic", "value", "canonical_value", "canonical_unit", "ci_low",
        "ci_high", "comparator", "ae_grade", "place", "lines", "likely_correct",
    ),
    "claims": ("kind", "direction", "trial", "level", "supports", "executable", "agents"),
    "rules": ("strength", "authority", "offer"),
    "conflicts": ("kind", "about"),
}  # fmt: skip
"""Fields compared in each kind; `lines` stands for the first and last line, `arm` for arm or contrast."""

SAME_TRIAL = {"geyer_2006": "egf100151", "ma31": "ctg_ma31", "lin_2009": "egf105084"}
"""Two names of one trial that both reviews use."""

_STOP = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "been", "by", "for", "from", "had",
    "has", "have", "in", "into", "is", "it", "its", "may", "of", "on", "or", "that",
    "the", "their", "this", "to", "was", "were", "with",
})  # fmt: skip


@dataclass(frozen=True)
class Matched:
    """Result of comparing one kind."""

    kind: str
    pairs: tuple[tuple[Item, Item], ...]
    only_1: tuple[Item, ...]
    only_2: tuple[Item, ...]
    differing: dict[str, int] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Counts and rates as plain data."""
        n = len(self.pairs)
        total = n + len(self.only_1) + len(self.only_2)
        return {
            "in_1": n + len(self.only_1),
            "in_2": n + len(self.only_2),
            "matched": n,
            "only_in_1": len(self.only_1),
            "only_in_2": len(self.only_2),
            "unmatched_rate": round(1 - n / total, 4) if total else 0.0,
            "fields": {
                f: {"compared": n, "differing": d, "rate": round(d / n, 4) if n else 0.0}
                for f, d in self.differing.items()
            },
        }


def read_extraction(folder: Path, kind: str) -> list[Item]:
    """Entries of one kind; an absent file is an empty kind.

    Raises
    ------
    her2.errors.RecordError
        If a line is not a JSON object; the text names file and line.
    """
    path = folder / f"{kind}.jsonl"
    if not path.exists():
        return []
    items = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            item = json.loads(line)
        except json.JSONDecodeError as error:
            raise RecordError(f"{path.name}, line {number}: not JSON ({error.msg})") from error
        if not isinstance(item, dict):
            raise RecordError(f"{path.name}, line {number}: expected an object, got {type(item).__name__}")
        items.append(item)
    return items


def number_of(printed: str) -> str:
    """First number of a printed figure, decimal comma as point; without a number the text itself."""
    found = re.search(r"\d+(?:[.,·]\d+)*", printed.replace(", ", " "))
    if not found:
        return printed.strip().lower()
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", found.group()).replace(",", ".").replace("·", ".")
    return text.rstrip("0").rstrip(".") if "." in text else text


def words(text: str) -> frozenset[str]:
    """Content words of a statement, plural and case removed."""
    tokens = re.findall(r"[a-z0-9.]+", text.lower().replace("-", ""))
    return frozenset(t.rstrip("s.") for t in tokens if t not in _STOP)


def similarity(one: str, two: str) -> float:
    """Overlap of content words relative to the shorter statement and to both, averaged (0 to 1)."""
    a, b = words(one), words(two)
    if not a or not b:
        return 0.0
    common = len(a & b)
    return 0.5 * (common / min(len(a), len(b)) + common / len(a | b))


def overlap(one: Item, two: Item, slack: int = 0) -> bool:
    """Whether two places share a line (or lie within `slack` lines)."""
    return bool(
        one.get("source") == two.get("source")
        and one["line_start"] <= two["line_end"] + slack
        and two["line_start"] <= one["line_end"] + slack
    )


def _shared_lines(one: Item, two: Item) -> float:
    """Lines in both places as a share of the lines they span."""
    shared = min(one["line_end"], two["line_end"]) - max(one["line_start"], two["line_start"]) + 1
    spanned: int = max(one["line_end"], two["line_end"]) - min(one["line_start"], two["line_start"]) + 1
    return float(max(shared, 0) / spanned)


def _lines(item: Item) -> frozenset[int]:
    """Lines of both statements of a conflict."""
    ranges = [item.get("lines_1"), item.get("lines_2"), (item["line_start"], item["line_end"])]
    return frozenset(n for r in ranges if r for n in range(r[0], r[1] + 1))


def trial_id(name: Any) -> Any:
    """Trial identifier with known second names replaced."""
    return SAME_TRIAL.get(name, name) if isinstance(name, str) else name


def arm_id(name: Any) -> Any:
    """Arm identifier: agents in order, placebo left out."""
    if not isinstance(name, str):
        return None
    return "+".join(sorted(a for a in name.split("+") if a != "placebo")) or "placebo"


def _arm_or_contrast(item: Item) -> Any:
    contrast = item.get("contrast")
    if contrast:
        return (arm_id(contrast.get("experimental")), arm_id(contrast.get("control")))
    return arm_id(item.get("arm"))


def _comparable(item: Item, name: str) -> Any:
    if name == "lines":
        return (item["line_start"], item["line_end"])
    if name == "arm":
        return _arm_or_contrast(item)
    value = item.get(name)
    if name in ("trial", "about", "id"):
        return trial_id(value)
    if name == "likely_correct":
        return value is not None
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, list):
        return tuple(sorted(str(v) for v in value))
    return None if value in ("", [], {}) else value


def _score_figure(one: Item, two: Item) -> float:
    if not overlap(one, two, slack=1) or number_of(str(one["printed"])) != number_of(str(two["printed"])):
        same_value = one.get("value") is not None and one.get("value") == two.get("value")
        if not (same_value and overlap(one, two, slack=1)):
            return 0.0
    score = 1.0 if overlap(one, two) else 0.5
    score += 0.5 * (one["line_start"] == two["line_start"]) + 0.5 * (one["line_end"] == two["line_end"])
    score += 2.0 * (one.get("endpoint") == two.get("endpoint"))
    score += 2.0 * (one.get("statistic") == two.get("statistic"))
    score += 2.0 * (_arm_or_contrast(one) == _arm_or_contrast(two))
    score += float(trial_id(one.get("trial")) == trial_id(two.get("trial")))
    score += similarity(str(one.get("ae_term") or ""), str(two.get("ae_term") or ""))
    return float(score)


def _score_statement(text: Callable[[Item], str], least: float) -> Callable[[Item, Item], float]:
    def score(one: Item, two: Item) -> float:
        if not overlap(one, two):
            return 0.0
        alike = similarity(text(one), text(two))
        return alike + 0.3 * _shared_lines(one, two) if alike >= least else 0.0

    return score


def _score_conflict(one: Item, two: Item) -> float:
    """Conflicts may name their two sides in either order, so all their lines count."""
    here, there = _lines(one), _lines(two)
    if one.get("source") != two.get("source") or not here & there:
        return 0.0
    alike = similarity(
        f"{one['statement_1']} {one.get('statement_2', '')} {_id_words(one)}",
        f"{two['statement_1']} {two.get('statement_2', '')} {_id_words(two)}",
    )
    names = similarity(_id_words(one), _id_words(two))
    alike += 0.3 * len(here & there) / min(len(here), len(there)) * (0.5 + names) + 0.3 * names
    return alike if alike >= 0.5 else 0.0


def _id_words(item: Item) -> str:
    """Words of an identifier."""
    return str(item["id"]).replace("_", " ")


def _names(item: Item) -> frozenset[str]:
    raw = [item["id"], item.get("name", ""), *item.get("aliases", [])]
    return frozenset(re.sub(r"[^a-z0-9]", "", str(r).lower()) for r in raw if r)


def _score_named(one: Item, two: Item) -> float:
    if trial_id(one["id"]) == trial_id(two["id"]):
        return 3.0
    if one.get("nct") and one.get("nct") == two.get("nct"):
        return 2.5
    if _names(one) & _names(two):
        return 2.0
    text = similarity(
        f"{_id_words(one)} {one.get('name', '')} {one.get('summary', '')}",
        f"{_id_words(two)} {two.get('name', '')} {two.get('summary', '')}",
    )
    if not overlap(one, two):
        return 0.0
    text += 0.3 * _shared_lines(one, two)
    return text if text >= 0.35 else 0.0


_SCORES: dict[str, Callable[[Item, Item], float]] = {
    "agents": _score_named,
    "mechanisms": _score_named,
    "trials": _score_named,
    "endpoints": _score_figure,
    "claims": _score_statement(lambda i: f"{i['statement']} {i.get('object', '')}", 0.33),
    "rules": _score_statement(
        lambda i: f"{i['says']} {' '.join(i.get('offer', [])).replace('+', ' ')}", 0.25
    ),
    "conflicts": _score_conflict,
}


def compare_kind(kind: str, one: Sequence[Item], two: Sequence[Item]) -> Matched:
    """Pair the entries of one kind, best pairs first, and count the fields in which the pairs differ."""
    score = _SCORES[kind]
    scored = [(score(a, b), i, j) for i, a in enumerate(one) for j, b in enumerate(two)]
    scored = sorted((s for s in scored if s[0] > 0.0), key=lambda s: (-s[0], s[1], s[2]))
    left: dict[int, int] = {}
    right: set[int] = set()
    for _, i, j in scored:
        if i not in left and j not in right:
            left[i] = j
            right.add(j)
    pairs = tuple((one[i], two[j]) for i, j in sorted(left.items()))
    differing = {
        name: sum(_comparable(a, name) != _comparable(b, name) for a, b in pairs) for name in FIELDS[kind]
    }
    return Matched(
        kind=kind,
        pairs=pairs,
        only_1=tuple(a for i, a in enumerate(one) if i not in left),
        only_2=tuple(b for j, b in enumerate(two) if j not in right),
        differing=differing,
    )


def compare(one: Path, two: Path) -> dict[str, Matched]:
    """Compare two extraction folders, every kind."""
    return {k: compare_kind(k, read_extraction(one, k), read_extraction(two, k)) for k in FIELDS}


def report(result: dict[str, Matched]) -> dict[str, Any]:
    """Counts and rates of every kind as plain data, for a YAML file."""
    return {kind: matched.summary() for kind, matched in result.items()}


def main(arguments: Sequence[str]) -> None:
    """Print the comparison of two folders as YAML."""
    import yaml

    one, two = (Path(a) for a in arguments)
    print(
        yaml.safe_dump(report(compare(one, two)), sort_keys=False, default_flow_style=None, width=110), end=""
    )


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
