"""Tables of the cell model: attributes, cell lines, switches, actions of agents and their exposures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from her2.evidence import load
from her2.evidence.biology import AttributeEntry, CellFile, CellValue, Switch
from her2.evidence.schema import Action, Quantity
from record_tables.text import Generated, cite, code, link, markdown, number, plain

_KINDS = {
    "receptor": "Receptors",
    "her2_form": "Forms of HER2",
    "pathway": "Pathways",
    "phenotype": "Cell cycle, death and the rest of the cell",
    "hormone": "Hormone receptor",
    "ligand": "Ligands",
    "surroundings": "Surroundings",
}
_OVERVIEW = ("her2", "egfr", "her3", "igf1r", "met", "p95_share", "pik3ca", "pten", "er")


class Attributes(Generated):
    """`attributes`: the catalogue of attributes with defaults, limits and sources."""

    def generate(self) -> tuple[str, list[str]]:
        text = ""
        entries = load.load_attributes().values()
        for kind, heading in _KINDS.items():
            rows = [
                (
                    code(a.id), plain(a.label), _default(a), f"{a.low:g} to {a.high:g}", code(a.unit), a.quality,
                    cite(a.source, a.locator),
                )
                for a in entries
                if a.kind == kind
            ]  # fmt: skip
            headers = ("attribute", "meaning", "reference cell", "limits", "unit", "quality", "source")
            text += f"\n**{heading}**\n\n" + markdown(headers, rows)
        return text, []


def _default(entry: AttributeEntry) -> str:
    """Value in the reference cell, by compartment where it differs."""
    both = [
        f"{value:g} in {where}"
        for where, value in (("a culture", entry.culture), ("a tumour", entry.tumour))
        if value is not None
    ]
    elsewhere = "" if len(both) == 2 else f", else {entry.default:g}"
    return ", ".join(both) + elsewhere if both else f"{entry.default:g}"


def _values(cell: CellFile) -> Mapping[str, CellValue]:
    return {**cell.receptors, **cell.genotype, **cell.ligands}


class CellLines(Generated):
    """`cell-lines`: every cell line with its most important values; a dash where it is as the reference cell."""

    def generate(self) -> tuple[str, list[str]]:
        cells = load.load_cells().values()
        shown = [k for k in _OVERVIEW if any(k in _values(c) for c in cells)]
        rows = []
        for cell in cells:
            values = _values(cell)
            row = [_decimal(values[k].value) if k in values else "–" for k in shown]
            rows.append((plain(cell.name), code(cell.id), "yes" if cell.her2_amplified else "no", *row))
        return markdown(("cell", "id", "HER2 amplified", *map(code, shown)), rows), []


def _decimal(value: float) -> str:
    """Two or three digits without an exponent."""
    return f"{float(f'{value:.3g}' if value >= 0.1 else f'{value:.2g}'):.6f}".rstrip("0").rstrip(".")


class CellValues(Generated):
    """`cell-values`: every value of every cell line with quality, source and place."""

    def generate(self) -> tuple[str, list[str]]:
        text = ""
        units = {k: a.unit for k, a in load.load_attributes().items()}
        for cell in load.load_cells().values():
            values = _values(cell)
            if not values:
                continue
            names = f" (also {plain(', '.join(cell.aliases))})" if cell.aliases else ""
            text += f"\n**{plain(cell.name)}**{names}. {plain(cell.describes)}.\n\n"
            text += markdown(
                ("attribute", "value", "spread", "unit", "quality", "source"),
                [
                    (
                        code(k), number(v.value), plain(v.spread), code(units.get(k, "")), v.quality,
                        cite(v.source, v.locator) + (f". {plain(v.note)}" if v.note else ""),
                    )
                    for k, v in values.items()
                ],
            )  # fmt: skip
            if cell.note:
                text += f"\n{plain(cell.note)}\n"
        return text, []


class Switches(Generated):
    """`switches`: every switch, what it changes and why, with the mechanism it stands for."""

    def generate(self) -> tuple[str, list[str]]:
        claims = load.load_claims()
        mechanisms = load.load_mechanisms()
        by_category: dict[str, list[tuple[str, ...]]] = {}
        for s in load.load_switches().values():
            if s.not_a_switch:
                continue
            mechanism = mechanisms[s.mechanism]
            row = (
                code(s.id) + (" (cohort)" if s.level == "cohort" else ""),
                plain(mechanism.name),
                "; ".join(_changes(s)),
                plain(s.grade),
                plain(s.why),
                ", ".join(link("claim", c, claims) for c in s.claims),
            )
            by_category.setdefault(mechanism.category, []).append(row)
        text = ""
        for category, rows in by_category.items():
            text += f"\n**{plain(category)}**\n\n"
            text += markdown(("switch", "mechanism", "at grade 1", "grade", "why", "claims"), rows)
        return text, []


def _changes(switch: Switch) -> Iterable[str]:
    parameters = load.load_parameters()
    for s in switch.sets:
        yield f"{code(s.attribute)} = {s.to:g}" if s.to is not None else f"{code(s.attribute)} × {s.factor:g}"
    for name, factor in switch.parameters.items():
        yield f"{link('parameter', name, parameters)} × {factor:g}"
    for d in switch.disables:
        yield plain(f"{d.agent} without {d.action} {d.target}".rstrip())
    for agent in switch.adds:
        yield plain(f"{agent} at its clinical exposure")


class NoSwitches(Generated):
    """`no-switches`: mechanisms that no attribute of a cell or patient can express, with the reason."""

    def generate(self) -> tuple[str, list[str]]:
        mechanisms = load.load_mechanisms()
        rows = [
            (plain(mechanisms[s.mechanism].name), plain(s.not_a_switch))
            for s in load.load_switches().values()
            if s.not_a_switch
        ]
        return markdown(("mechanism", "why there is no switch"), rows), []


class Actions(Generated):
    """`actions`: what every agent does to a cell, with potency, spread and source."""

    def generate(self) -> tuple[str, list[str]]:
        claims = load.load_claims()
        parameters = load.load_parameters()
        rows = []
        for agent in load.load_agents().values():
            pd = agent.pharmacodynamics
            for k, a in enumerate(pd.actions if pd is not None else ()):
                rows.append((
                    plain(agent.name) if k == 0 else "",
                    _target(a),
                    number(a.half, 3),
                    _size(a, parameters),
                    number(a.prior_log_sd, 2),
                    a.quality,
                    cite(a.source, a.locator) + (f". {plain(a.note)}" if a.note else ""),
                    ", ".join(link("claim", c, claims) for c in a.claims),
                ))  # fmt: skip
        headers = (
            "agent", "acts on", "half, nmol/L", "size", "log SD of half", "quality", "source", "claims",
        )  # fmt: skip
        return markdown(headers, rows), []


def _target(action: Action) -> str:
    target = action.target or (f"epitope {action.epitope}" if action.epitope else "")
    covalent = ", covalent" if action.covalent else ""
    return plain(action.on) + (f" {code(target)}" if target else "") + covalent


def _size(action: Action, parameters: Mapping[str, object]) -> str:
    """Size of an action in words: share taken at saturation, Fc part, payload or kill."""
    parts = []
    if action.on in ("kinase", "node", "input", "level", "shedding", "checkpoint", "vegf"):
        parts.append(f"up to {action.max:g}" + (", prior spans zero" if action.spans_zero else ""))
    if action.on == "effector":
        parts.append(f"Fc weight {action.weight:g}, affinity V {action.fc_v:g}, F {action.fc_f:g}")
    if action.parameter is not None:
        parts.append(link("parameter", action.parameter, parameters))
    if action.per_antibody is not None:
        parts.append(f"{action.per_antibody:g} per antibody")
    if action.mdr_exponent:
        parts.append(f"efflux exponent {action.mdr_exponent:g}")
    return "; ".join(parts)


class Exposures(Generated):
    """`exposures`: concentration at the label dose, unbound fraction and share in brain metastases of every agent."""

    def generate(self) -> tuple[str, list[str]]:
        rows = []
        for agent in load.load_agents().values():
            pd = agent.pharmacodynamics
            if pd is None:
                continue
            fields = (pd.exposure, pd.unbound, pd.cns_ratio)
            rows.append((plain(agent.name), *map(_quantity, fields)))
        headers = (
            "agent",
            "average total plasma concentration, nmol/L",
            "unbound fraction",
            "brain over tumour",
        )
        return markdown(headers, rows), []


def _quantity(q: Quantity | None) -> str:
    if q is None:
        return "–"
    note = f". {plain(q.note)}" if q.note else ""
    return f"{number(q.value, 3)} ({q.quality}; {cite(q.source, q.locator)}{note})"
