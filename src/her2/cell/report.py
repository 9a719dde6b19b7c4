"""What `her2 cell` prints: the cell, its state untreated and treated, curves and surfaces; and the same as JSON."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from her2 import __version__
from her2.cell.attributes import Compartment, catalogue, defaults
from her2.cell.cell import Cell, cell_names, load_cell
from her2.cell.combination import Combination, combine
from her2.cell.condition import Dose, active_concentration
from her2.cell.dose_response import DoseResponse, GRMetrics, dose_response, nominal_half
from her2.cell.ensemble import SEED, central
from her2.cell.evaluate import MEMBERS, Band, drug_id, named_drugs
from her2.cell.state import KEY_READOUTS, CellState, cell_state, unit_of
from her2.cell.switches import load_switches
from her2.cell.time_course import TimeCourse, time_course
from her2.errors import RecordError
from her2.evidence.biology import Switch

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

NOTICE = "Research use only. Not medical advice."
SATURATING = 10.0
"""Multiple of half effect at which a drug without an exposure in the record is shown."""
SHOWN_DOSES = 8
METRICS = {
    "gr50": ("GR50", "nmol/L"),
    "gec50": ("GEC50", "nmol/L"),
    "gr_max": ("GRmax", "1"),
    "gr_inf": ("GRinf", "1"),
    "h_gr": ("h_GR", "1"),
    "gr_aoc": ("GR_AOC", "1"),
    "ic50": ("IC50, cell count", "nmol/L"),
}


@dataclass(frozen=True)
class CellReport:
    """Everything about a cell in a condition that was asked for.

    Attributes
    ----------
    state : untreated and treated
    responses : one curve, with its metrics, for each drug without a dose
    surface : of the first two drugs without a dose
    course : the first hours
    """

    state: CellState
    responses: tuple[tuple[DoseResponse, GRMetrics], ...] = ()
    surface: Combination | None = None
    course: TimeCourse | None = None

    @property
    def digest(self) -> str:
        """Names the numbers: BLAKE2b of the state of every model and of the curves."""
        key = hashlib.blake2b(digest_size=16)
        for name, values in sorted(self.state.evaluated.values.items()):
            key.update(name.encode())
            key.update(values.tobytes())
        for response, _ in self.responses:
            key.update(response.growth.tobytes())
        if self.surface is not None:
            key.update(self.surface.growth.tobytes())
        return key.hexdigest()


def make_report(
    cell: Cell,
    drugs: Sequence[str] = (),
    doses: Mapping[str, Dose] | None = None,
    *,
    ligands: Mapping[str, float] | None = None,
    compartment: Compartment = "culture",
    days: float | None = None,
    with_surface: bool = False,
    course_hours: float | None = None,
    members: int = MEMBERS,
) -> CellReport:
    """Run what `her2 cell` shows.

    Parameters
    ----------
    drugs : without a dose: each gets a dose-response curve, and its average exposure in the treated state
    doses : nmol/L or `clinical`, by agent: the same in every part, background of the curves

    Raises
    ------
    her2.errors.UnknownNameError, her2.errors.RecordError
        As the parts; a surface without two drugs that have no dose.
    """
    given = named_drugs(doses or {})
    varied = [name for name in (drug_id(d) for d in drugs) if name not in given]
    pair = list(varied)
    varied = list(dict.fromkeys(varied))
    shown = {**{name: shown_dose(name, compartment) for name in varied}, **given}
    state = cell_state(cell, shown, ligands=ligands, compartment=compartment, days=days, members=members)
    hours = state.days * 24.0
    if varied and hours < 1.0:
        raise RecordError(
            f"days: expected an hour or more for a dose-response curve, got {state.days:g} days; "
            "or give each drug a dose"
        )
    options: dict[str, Any] = {
        "background": given, "ligands": ligands, "compartment": compartment, "members": members,
    }  # fmt: skip
    curves = [dose_response(cell, name, None, hours, **options) for name in varied]
    surface = None
    if with_surface:
        if len(pair) != 2:
            raise RecordError(f"surface: expected two drugs without a dose, got {len(pair)}")
        surface = combine(cell, pair[0], pair[1], None, None, hours, **options)
    course = None
    if course_hours is not None:
        course = time_course(cell, shown, course_hours, ligands=ligands, compartment=compartment)
    return CellReport(state, tuple((c, c.metrics()) for c in curves), surface, course)


def shown_dose(drug: str, compartment: Compartment) -> Dose:
    """Dose of a drug for which none is given: `clinical`, or without an exposure a multiple of half effect."""
    pd = central().agent(drug).pharmacodynamics
    if pd is not None and pd.exposure is not None:
        return "clinical"
    return SATURATING * nominal_half(drug, compartment)


def differences(cell: Cell, compartment: Compartment) -> list[dict[str, Any]]:
    """Attributes that differ from the reference cell, in the order of the catalogue, with where they come from."""
    reference = defaults(compartment)
    rows = []
    for name, entry in catalogue().items():
        value = cell.attributes.get(name, reference[name])
        if value == reference[name]:
            continue
        origin = cell.origins.get(name)
        rows.append({
            "attribute": name, "label": entry.label, "value": value, "unit": entry.unit,
            "reference": reference[name],
            "source": origin.source if origin else "", "locator": origin.locator if origin else "",
            "quality": origin.quality if origin else "",
        })  # fmt: skip
    return rows


def notes(state: CellState) -> list[str]:
    """What a reader of the numbers has to know: switches that do nothing here."""
    switches = load_switches() if state.cell.switches else {}
    return [
        f"switch {name} acts on patients, not on one cell: only what it does to a cell shows here"
        for name in state.cell.switches
        if switches[name].level == "cohort"
    ]


def main_table(report: CellReport) -> pl.DataFrame:
    """The table of what was asked for: the time course, else the surface, else the curves, else the state."""
    import polars as pl

    if report.course is not None:
        return report.course.table()
    if report.surface is not None:
        return report.surface.table()
    if report.responses:
        return pl.concat([
            r.table().insert_column(0, pl.Series("drug", [r.drug] * r.doses.size))
            for r, _ in report.responses
        ])  # fmt: skip
    return report.state.table()


def as_json(report: CellReport) -> dict[str, Any]:
    """Everything as plain data; what is not defined or not reached is null."""
    state = report.state
    result: dict[str, Any] = {
        "cell": _cell_json(state.cell, state.compartment),
        "condition": {
            "compartment": state.compartment, "days": state.days, "ligands": dict(state.ligands),
            "drugs": _drugs_json(state),
        },
        "growth": {
            "unit": "1/day",
            "untreated": _band_json(state.untreated("net_growth")),
            "treated": _band_json(state.treated("net_growth")),
            "treated_mean": _band_json(state.treated("mean_growth")),
            "doubling_time_untreated_days": _band_json(state.doubling_time(0)),
            "doubling_time_treated_days": _band_json(state.doubling_time(1)),
            "growth_inhibition": _band_json(state.treated("growth_inhibition")),
        },
        "state": {
            name: {
                "unit": unit_of(name), "untreated": _band_json(state.untreated(name)),
                "treated": _band_json(state.treated(name)),
            }
            for name in state.evaluated.values
        },
        "dose_response": [_response_json(r, m) for r, m in report.responses],
    }  # fmt: skip
    if report.surface is not None:
        result["combination"] = _surface_json(report.surface)
    if report.course is not None:
        times = [float(t) for t in report.course.times]
        values = {k: [_plain(float(x)) for x in v] for k, v in report.course.values.items()}
        result["time_course"] = {"unit_of_time": "h", "times": times, "values": values}
    result.update(
        notes=notes(state), members=state.members, interval="5 % and 95 % quantiles of the members", seed=SEED
    )
    result.update(digest=report.digest, version=__version__, notice=NOTICE)
    return result


def _cell_json(cell: Cell, compartment: Compartment) -> dict[str, Any]:
    return {
        "id": cell.id, "name": cell.name, "describes": cell.describes, "her2_amplified": cell.her2_amplified,
        "differs": differences(cell, compartment), "switches": dict(cell.switches),
        "parameters": dict(cell.parameters or {}), "adds": dict(cell.adds or {}),
        "disabled": [{"agent": a, "action": on, "target": t} for a, on, t in sorted(cell.disabled)],
    }  # fmt: skip


def _drugs_json(state: CellState) -> dict[str, Any]:
    return {
        name: {"dose": dose, "active": active(name, dose, state.compartment), "unit": "nmol/L"}
        for name, dose in state.drugs.items()
    }


def active(drug: str, dose: Dose, compartment: Compartment) -> float:
    """Concentration that acts on the cell in the central model, nmol/L."""
    model = central()
    return active_concentration(model.agent(drug), dose, compartment, model.values)


def _response_json(response: DoseResponse, metrics: GRMetrics) -> dict[str, Any]:
    return {
        "drug": response.drug, "unit": "nmol/L", "hours": response.hours,
        "background": dict(response.background),
        "metrics": {k: _band_json(getattr(metrics, k)) for k in METRICS} | {"misfit": _plain(metrics.misfit)},
        "curve": [{k: _plain(v) for k, v in row.items()} for row in response.table().to_dicts()],
    }  # fmt: skip


def _surface_json(surface: Combination) -> dict[str, Any]:
    return {
        "drug_a": surface.drug_a, "drug_b": surface.drug_b, "unit": "nmol/L", "hours": surface.hours,
        "background": dict(surface.background),
        "mean_bliss_excess": _band_json(surface.mean_bliss_excess()),
        "mean_hsa_excess": _band_json(surface.mean_hsa_excess()),
        "grid": [{k: _plain(v) for k, v in row.items()} for row in surface.table().to_dicts()],
    }  # fmt: skip


def _plain(x: Any) -> Any:
    return None if isinstance(x, float) and not math.isfinite(x) else x


def _band_json(band: Band) -> dict[str, Any]:
    return {"value": _plain(band.value), "low": _plain(band.low), "high": _plain(band.high)}


def _number(x: float, missing: str = "-") -> str:
    if math.isnan(x):
        return missing
    if math.isinf(x):
        return "not reached"
    return f"{x:.3g}" if abs(x) >= 1e-4 or x == 0.0 else f"{x:.1e}"


def _band(band: Band) -> str:
    text, low, high = _number(band.value), _number(band.low), _number(band.high)
    if math.isnan(band.low) or low == text == high:
        return text
    return f"{text} [{low}, {high}]"


def _table(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(x) for x in row))
    console.print(Text(title, style="bold"))
    console.print(table)
    console.print()


def print_report(report: CellReport, console: Console) -> None:
    """Print the report to a rich console."""
    state = report.state
    _print_cell(state, console)
    is_treated = bool(state.drugs)
    _print_growth(state, console, is_treated)
    _print_state(state, console, is_treated)
    for response, metrics in report.responses:
        _print_response(response, metrics, console)
    if report.surface is not None:
        _print_surface(report.surface, console)
    if report.course is not None:
        _print_course(report.course, console)
    interval = (
        f"[x, y]: 90 % interval of {state.members} members of the ensemble; " if state.members > 1 else ""
    )
    console.print(f"{interval}run {report.digest[:16]}. {NOTICE}", markup=False, highlight=False)


def _print_cell(state: CellState, console: Console) -> None:
    from rich.text import Text

    cell = state.cell
    console.print(Text(cell.name, style="bold"))
    if cell.describes:
        console.print(Text(cell.describes))
    rows = [
        [
            r["label"], _number(r["value"]), _number(r["reference"]), r["unit"], r["quality"],
            f"{r['source']}: {r['locator']}" if r["locator"] else r["source"],
        ]
        for r in differences(cell, state.compartment)
    ]  # fmt: skip
    console.print()
    if rows:
        _table(
            console, "What differs from the reference cell",
            ("attribute", "value", "reference", "unit", "quality", "source"), rows,
        )  # fmt: skip
    else:
        console.print("every attribute as in the reference cell\n")
    for name, factor in (cell.parameters or {}).items():
        console.print(Text(f"parameter {name} x {factor:.3g}"))
    for agent, action, target in sorted(cell.disabled):
        console.print(Text(f"{agent} without its action '{f'{action} {target}'.rstrip()}'"))
    for note in notes(state):
        console.print(Text(note))


def _print_growth(state: CellState, console: Console, is_treated: bool) -> None:
    place = {"culture": "in culture", "tumour": "in a tumour", "cns": "in a brain metastasis"}[
        state.compartment
    ]
    given = "; ".join(
        f"{name} {'at its average exposure' if isinstance(dose, str) else f'{_number(float(dose))} nmol/L'} "
        f"({_number(active(name, dose, state.compartment))} nmol/L acts on the cell)"
        for name, dose in state.drugs.items()
    )
    ligands = "".join(f", {k} {v:g}" for k, v in state.ligands.items())
    treatment = f"{given}, {state.days:g} days" if is_treated else "no drug"
    rows = [["untreated", _band(state.untreated("net_growth")), *_doubling(state, 0), ""]]
    if is_treated:
        found = state.treated("growth_inhibition")
        inhibition = "untreated does not grow" if math.isnan(found.value) else _band(found)
        rows.append(["treated, mean", _band(state.treated("mean_growth")), "", inhibition])
        end = ["treated, at the end", _band(state.treated("net_growth")), *_doubling(state, 1), ""]
        rows.append(end)
    _table(
        console, f"Growth {place}{ligands}: {treatment}",
        ("", "net growth, 1/day", "doubling time, days", "growth inhibition"), rows,
    )  # fmt: skip


def _doubling(state: CellState, treatment: int) -> list[str]:
    band = state.doubling_time(treatment)
    if math.isinf(band.value):
        return ["does not grow"]
    return [_band(band)]


def _print_state(state: CellState, console: Console, is_treated: bool) -> None:
    rows = []
    for group, names in KEY_READOUTS.items():
        shown = [n for n in names if _is_there(state, n)]
        for k, name in enumerate(shown):
            row = [group if k == 0 else "", name, unit_of(name), _band(state.untreated(name))]
            rows.append([*row, _band(state.treated(name))] if is_treated else row)
    head = ("", "readout", "unit", "untreated", *(("treated, at the end",) if is_treated else ()))
    _table(console, "State", head, rows)


def _is_there(state: CellState, name: str) -> bool:
    """False for receptors, dimers and kill that the cell does not have in either condition."""
    return any(abs(b.value) > 1e-12 for b in (state.untreated(name), state.treated(name)))


def _print_response(response: DoseResponse, metrics: GRMetrics, console: Console) -> None:
    table = response.table()
    step = max(1, math.ceil(response.doses.size / SHOWN_DOSES))
    rows = []
    for row in table.to_dicts()[::-step][::-1]:
        cells = [
            _band(Band(row[n], row.get(f"{n}_5", math.nan), row.get(f"{n}_95", math.nan)))
            for n in ("net_growth", "gr", "fraction_affected")
        ]
        rows.append([_number(row["dose"]), *cells])
    others = " + ".join(response.background)
    title = f"{response.drug}{f', on {others}' if others else ''}: dose-response over {response.hours:g} h"
    _table(console, title, ("dose, nmol/L", "net growth, 1/day", "GR", "fraction affected"), rows)
    shown = [[f"{label}, {unit}" if unit != "1" else label for label, unit in METRICS.values()]]
    shown.append([_band(getattr(metrics, k)) for k in METRICS])
    fit = "" if math.isnan(metrics.misfit) else f" (fit to within {_number(metrics.misfit)})"
    _table(
        console, "GR metrics" + fit, ("metric", "value"),
        list(zip(*shown, strict=True)),
    )  # fmt: skip
    if math.isnan(metrics.gr_aoc.value):
        console.print("GR values are relative to growth, and the untreated cell does not grow\n")


def _print_surface(surface: Combination, console: Console) -> None:
    rows = []
    for name, excess, mean in (
        ("Bliss", surface.bliss_excess, surface.mean_bliss_excess()),
        ("highest single agent", surface.hsa_excess, surface.mean_hsa_excess()),
    ):
        size, a, b = surface.largest(excess)
        rows.append([name, _band(mean), f"{_number(size)} at {_number(a)} + {_number(b)} nmol/L"])
    _table(
        console, f"{surface.drug_a} + {surface.drug_b}: excess fraction affected after {surface.hours:g} h",
        ("beyond", "mean of the grid", "largest"), rows,
    )  # fmt: skip


def _print_course(course: TimeCourse, console: Console) -> None:
    names = key_quantities(course)
    chosen = range(0, course.times.size, max(1, (course.times.size - 1) // 8))
    rows = [[f"{course.times[k]:.3g}", *(_number(float(course[n][k])) for n in names)] for k in chosen]
    _table(console, "Time course (full equations)", ("time, h", *names), rows)


def key_quantities(course: TimeCourse, most: int = 9) -> list[str]:
    """Quantities of a time course that are shown: the key readouts it has, else its first ones."""
    wanted = (
        "her2", "her2_her2", "her2_her3", "pi3k", "akt", "mtorc1", "erk", "foxo", "cell_cycle",
    )  # fmt: skip
    found = [n for n in wanted if n in course.values]
    return (found or list(course.values))[:most]


def list_cells() -> list[dict[str, Any]]:
    """Cells of the record and of the user's folder."""
    cells = [load_cell(name) for name in cell_names()]
    return [
        {"id": c.id, "name": c.name, "her2_amplified": c.her2_amplified, "describes": c.describes}
        for c in cells
    ]


def list_switches() -> list[dict[str, Any]]:
    """Switches of the record, and mechanisms that are none with the reason."""
    return [
        {
            "id": s.id, "mechanism": s.mechanism, "label": s.label, "changes": what_changes(s), "why": s.why,
            "grade": s.grade, "level": s.level, "not_a_switch": s.not_a_switch, "claims": list(s.claims),
        }
        for s in load_switches().values()
    ]  # fmt: skip


def what_changes(switch: Switch) -> str:
    """What a switch does at grade 1, in short."""
    if switch.not_a_switch:
        return f"cannot be set: {switch.not_a_switch}"
    parts = [
        f"{x.attribute} -> {x.to:g}" if x.to is not None else f"{x.attribute} x {x.factor:g}"
        for x in switch.sets
    ]
    parts += [f"parameter {k} x {f:g}" for k, f in switch.parameters.items()]
    parts += [f"{d.agent} loses {d.action} {d.target}".rstrip() for d in switch.disables]
    parts += [f"gives {name}" for name in switch.adds]
    return "; ".join(parts)


def print_cells(console: Console) -> None:
    """Table of `list_cells`."""
    said = {True: "yes", False: "no", None: "-"}
    rows = [[c["id"], c["name"], said[c["her2_amplified"]], c["describes"]] for c in list_cells()]
    _table(console, "Cells", ("id", "name", "HER2 amplified", "what it is"), rows)


def print_switches(console: Console) -> None:
    """Table of `list_switches`."""
    rows = [[s["id"], s["mechanism"], s["changes"], s["why"]] for s in list_switches()]
    _table(console, "Switches", ("id", "mechanism", "what changes at grade 1", "why"), rows)
