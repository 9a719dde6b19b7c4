"""Tables of claims, rules, counts and agreement."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from typing import Any

from docutils.parsers.rst import directives

from her2.errors import Her2Error
from her2.evidence import load
from her2.evidence.tables import conditions
from record_tables.text import Generated, code, link, markdown, places, plain

HIDDEN = "(not shown: its study has held-out figures)"


def _studies_with_held_out() -> set[str]:
    return {k for k, s in load.load_studies().items() if any(v.role == "held_out" for v in s.values)}


class Claims(Generated):
    """`claims NAME`: claims a network file rests on, or of a file of data/claims, or of a trial; all without a name.

    With `:anchors:` the rows can be linked to (on one page only).
    """

    option_spec: typing.ClassVar = {"anchors": directives.flag}

    def generate(self) -> tuple[str, list[str]]:
        claims = load.load_claims()
        chosen = list(claims)
        if self.arguments:
            chosen = []
            for name in self.arguments:
                chosen += [c for c in _claims_for(name, claims) if c not in chosen]
        anchored = "anchors" in self.options
        hidden = _studies_with_held_out()
        rows = [
            (
                code(c) if anchored else link("claim", c, claims),
                HIDDEN if claims[c].trial in hidden else plain(claims[c].statement),
                plain(claims[c].kind.replace("_", " ")),
                plain(claims[c].level.replace("_", " ")),
                plain(claims[c].supports.replace("_", " ")),
                "yes" if claims[c].executable else "",
                places(claims[c]),
            )
            for c in chosen
        ]
        text = markdown(("claim", "statement", "kind", "level", "evidence", "executable", "place"), rows)
        return text, [f"claim-{c}" for c in chosen] if anchored else []


def _claims_for(name: str, claims: dict[str, Any]) -> list[str]:
    networks = {p.stem for p in load.files_of("network")}
    if name in networks:
        return [c for c in dict.fromkeys(cited(load.load_network(name))) if c in claims]
    if name in {p.stem for p in load.files_of("claims")}:
        return [c["id"] for c in load.read_yaml(load.find_file("claims", name))["claims"]]
    found = [k for k, c in claims.items() if c.trial == name]
    if not found:
        raise Her2Error(f"no network file, claim file or trial with claims is named '{name}'")
    return found


def cited(data: Any) -> Iterable[str]:
    """Claims named anywhere in a network file, in order."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key == "claims":
                yield from value
            else:
                yield from cited(value)
    elif isinstance(data, list):
        for value in data:
            yield from cited(value)


class Rules(Generated):
    """`rules`: treatment rules of the record by precedence."""

    def generate(self) -> tuple[str, list[str]]:
        rows = [
            (
                code(r.id),
                plain(r.says),
                plain(conditions(r.when)),
                plain(conditions(r.unless)),
                ", ".join(map(code, r.offer)),
                ", ".join(map(code, r.avoid))
                + (f" ({plain(r.avoid_means.replace('_', ' '))})" if r.avoid_means else ""),
                plain(r.strength),
                str(r.rank) if r.executable else "",
                plain(r.reading or r.not_executable),
                places(r),
            )
            for r in sorted(load.load_rules().values(), key=lambda r: (not r.executable, r.rank, r.id))
        ]
        heads = ("rule", "says", "when", "unless", "offers", "avoids", "strength", "rank", "reading", "place")
        return markdown(heads, rows), []


class RecordCounts(Generated):
    """`record-counts`: how many entries of each kind the record holds."""

    def generate(self) -> tuple[str, list[str]]:
        studies = [s for s in load.load_studies().values() if s.kind == "study"]
        values = [v for s in load.load_studies().values() for v in s.values]
        rules = load.load_rules().values()
        rows = [
            ("sources", len(load.load_sources())),
            ("studies", len(studies)),
            ("printed figures", len(values)),
            ("printed figures that may be fitted", sum(v.role == "fit" for v in values)),
            ("printed figures held out", sum(v.role == "held_out" for v in values)),
            ("printed figures that cannot be right", sum(v.likely_correct is not None for v in values)),
            ("claims", len(load.load_claims())),
            ("executable claims", sum(c.executable for c in load.load_claims().values())),
            ("mechanisms", len(load.load_mechanisms())),
            ("agents", len(load.load_agents())),
            ("treatment rules", len(rules)),
            ("executable treatment rules", sum(r.executable for r in rules)),
            ("conflicts", len(load.load_conflicts())),
            ("attributes of a cell", len(load.load_attributes())),
            ("cell lines", len(load.load_cells())),
            ("switches", sum(not s.not_a_switch for s in load.load_switches().values())),
            (
                "mechanisms without a switch, with the reason",
                sum(bool(s.not_a_switch) for s in load.load_switches().values()),
            ),
            (
                "agents that act on a cell",
                sum(a.pharmacodynamics is not None for a in load.load_agents().values()),
            ),
            (
                "edges of the pathway network",
                sum(len(n["reactions"]) for n in load.load_network("pathway")["nodes"]),
            ),
            ("experiments", sum(not e.not_covered for e in load.load_experiments().values())),
            (
                "executable claims not covered, with the reason",
                sum(bool(e.not_covered) for e in load.load_experiments().values()),
            ),
            ("parameters", len(load.load_parameters())),
            ("free parameters", sum(p.role == "free" for p in load.load_parameters().values())),
        ]
        text = markdown(("kind", "entries"), [(k, str(n)) for k, n in rows])
        quality: dict[str, int] = {}
        for p in load.load_parameters().values():
            quality[p.quality] = quality.get(p.quality, 0) + 1
        shares = ", ".join(f"{n} {q}" for q, n in sorted(quality.items(), key=lambda x: -x[1]))
        return text + f"\nQuality of the model's parameters: {shares}.\n", []


class Agreement(Generated):
    """`agreement`: how far two readings of the reviews agree, and the error left, from data/curation."""

    def generate(self) -> tuple[str, list[str]]:
        import yaml

        path = load.DATA / "curation" / "agreement.yaml"
        if not path.exists():
            return "The comparison of the two readings is not in the record yet.\n", []
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        rows = []
        for kind, d in data["double_extraction"]["both"].items():
            rate = f"{100 * d['unmatched_rate']:.1f} %"
            rows.append((kind, *(str(d[k]) for k in ("in_1", "in_2", "matched")), rate))
        text = markdown(("kind", "first reading", "second reading", "in both", "in one only"), rows)
        figures = data["double_extraction"]["both"]["endpoints"]["fields"]
        shown = [f"{k.replace('_', ' ')} {100 * v['rate']:.1f} %" for k, v in figures.items() if k in _MATTER]
        text += f"\nFigures in both readings that differ before settlement: {', '.join(shown)}.\n"
        blind = data.get("blind_sample")
        if blind:
            text += (
                f"\nBlind re-reading of {blind['items']} random entries after settlement: "
                f"{blind['wrong_in_the_record']} were wrong in the record "
                f"({100 * blind['residual_error_rate']:.1f} %). {plain(blind['afterwards'])}\n"
                f"{plain(blind['caution'])}\n"
            )
        text += "".join(f"\n- {plain(c)}" for c in data.get("caution", []))
        return text + "\n", []


_MATTER = ("value", "arm", "endpoint", "statistic", "ci_low", "ci_high")
