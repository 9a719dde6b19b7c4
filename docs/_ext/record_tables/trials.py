"""Tables of trials, dosing texts and trial files."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from her2.evidence import load
from her2.evidence.schema import PublishedValue
from record_tables.text import Generated, cite, code, markdown, number, plain


class Trial(Generated):
    """`trial NAME`: design and printed figures of a built-in trial; held-out figures are counted, not shown."""

    required_arguments = 1

    def generate(self) -> tuple[str, list[str]]:
        from her2.trials.design import load_trial
        from her2.units import DAYS_PER_MONTH

        trial = load_trial(self.arguments[0])
        month = lambda days: f"{days / DAYS_PER_MONTH:.3g} months"  # noqa: E731
        facts = [
            ("title", plain(trial.title)),
            (
                "population",
                f"{code(trial.population.recipe)}, {trial.population.size} patients, {trial.population.year}",
            ),
            ("prior lines", ", ".join(map(code, trial.prior_lines)) or "none"),
            (
                "randomisation",
                ":".join(map(str, trial.randomisation.ratio))
                + f", blocks of {trial.randomisation.block}"
                + (
                    f", strata {', '.join(map(code, trial.randomisation.strata))}"
                    if trial.randomisation.strata
                    else ""
                ),
            ),
            (
                "accrual",
                f"{month(trial.accrual.duration)} {cite(trial.accrual.source, trial.accrual.locator)}",
            ),
            (
                "scans",
                f"every {trial.scans.every / 7:g} weeks {cite(trial.scans.source, trial.scans.locator)}",
            ),
            *(
                (f"data cut, {a.endpoint.upper()}", f"{month(a.cut)} {cite(a.source, a.locator)}")
                for a in trial.analyses
            ),
            ("loss to follow-up", f"{trial.drop_out.rate * 365.25:g} a year"),
            ("uptake of later lines", ", ".join(f"{u:g}" for u in trial.later_lines.uptake) or "none"),
        ]
        text = markdown(("design", ""), facts)
        rows = []
        for arm in trial.arms:
            for k, part in enumerate(arm.regimen):
                cycles = part.cycles
                label = plain(arm.label) + (" (control)" if arm.id == trial.control else "")
                rows.append(
                    (
                        label if k == 0 else "",
                        plain(part.agent),
                        code(part.dose),
                        f"median {cycles.median:g}, {cycles.low:g}-{cycles.high:g}" if cycles else "",
                    )
                )
        text += "\n" + markdown(("arm", "agent", "dose", "cycles"), rows)
        if trial.study:
            text += "\n" + _figures(load.load_study(trial.study).values)
        return text, []


def _figures(values: Sequence[PublishedValue]) -> str:
    shown = [v for v in values if v.role == "fit"]
    held = sum(v.role == "held_out" for v in values)
    rows = []
    for v in shown:
        who = plain(v.arm or (f"{v.contrast.experimental} v {v.contrast.control}" if v.contrast else "all"))
        interval = f" [{v.ci_low:g}, {v.ci_high:g}]" if v.ci_low is not None and v.ci_high is not None else ""
        unit = "" if v.unit in ("ratio", "1") else f" {v.unit}"
        place = cite(v.source, f"lines {v.line_start}-{v.line_end}")
        rows.append(
            (f"{v.endpoint.upper()} {plain(v.statistic)}", who, number(v.value), interval + unit, place)
        )
    text = (
        markdown(("fitted figure", "arm or contrast", "published", "interval, unit", "place"), rows)
        if rows
        else ""
    )
    context = sum(v.role == "context" for v in values)
    return (
        text
        + f"\n{context} further printed figures are context, {held} are held out and not shown on these pages.\n"
    )


class Trials(Generated):
    """`trials`: the built-in trials."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.trials.design import load_trial, trial_names

        rows = []
        for name in trial_names():
            t = load_trial(name)
            rows.append(
                (
                    code(name),
                    plain(t.title),
                    str(t.population.size),
                    ", ".join(map(code, t.prior_lines)) or "none",
                )
            )
        return markdown(("trial", "title", "patients", "prior lines"), rows), []


class Dosing(Generated):
    """`dosing`: one dosing text per line of the content, read and laid out for 70 kg and 1.72 m2 over twelve weeks."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.pharmacology.regimen import format_regimen, parse_regimen

        rows = []
        for line in self.content:
            if not line.strip():
                continue
            regimen = parse_regimen(line.strip())
            table = regimen.expand(70.0, 1.72, 0.0, 84.0)
            doses = zip(table.time_day[:3], table.amount_mg[:3], strict=True)
            first = ", ".join(f"{a:g} mg on day {t + 1:g}" for t, a in doses)
            more = ", …" if table.n_doses > 3 else ""
            rows.append((code(line.strip()), code(format_regimen(regimen)), first + more, str(table.n_doses)))
        return markdown(
            ("text", "written back as", "first doses (70 kg, 1.72 m²)", "doses in 12 weeks"), rows
        ), []


class Fields(Generated):
    """`fields MODULE:CLASS`: keys of a kind of file, from its schema."""

    required_arguments = 1

    def generate(self) -> tuple[str, list[str]]:
        from importlib import import_module

        module, _, name = self.arguments[0].partition(":")
        model = getattr(import_module(module), name)
        rows = []
        for key, field in model.model_fields.items():
            rule = ", ".join(_rules(field.metadata))
            default = (
                "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
            )
            rows.append((code(field.alias or key), code(_type(field.annotation)), plain(rule), default))
        return markdown(("key", "type", "limits", "default"), rows), []


def _default(value: Any) -> str:
    """A default for reading."""
    if value is None or value == "" or value == () or value == {}:
        return "none"
    return "see its own table" if hasattr(value, "model_fields") else plain(value)


def _rules(metadata: Sequence[Any]) -> Iterable[str]:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "min_length": "at least this long:",
             "max_length": "at most this long:", "pattern": "matches"}  # fmt: skip
    for item in metadata:
        for attribute, word in words.items():
            value = getattr(item, attribute, None)
            if value is not None:
                yield f"{word} {value}"
        if getattr(getattr(item, "func", None), "__name__", "") == "_to_days":
            yield "a time with its unit, such as '9 week'"
        if getattr(getattr(item, "func", None), "__name__", "") == "_to_rate":
            yield "a rate with its unit, such as '0.03 1/year'"


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return " / ".join(map(str, arguments))
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"map of {_type(arguments[0])} to {_type(arguments[1])}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join("nothing" if a is type(None) else _type(a) for a in arguments)
    names = {"str": "text", "float": "number", "int": "whole number", "bool": "yes/no"}
    return names.get(
        getattr(annotation, "__name__", str(annotation)), getattr(annotation, "__name__", str(annotation))
    )
