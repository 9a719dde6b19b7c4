"""Tables of trials, dosing texts and trial files."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from her2.evidence import load
from her2.evidence.schema import PublishedValue
from her2.trials.design import Trial as TrialFile
from record_tables.text import Generated, cite, code, link, markdown, number, plain


class Trial(Generated):
    """`trial NAME`: design and printed figures of a built-in trial; held-out figures are counted, not shown."""

    required_arguments = 1

    def generate(self) -> tuple[str, list[str]]:
        from her2.trials.design import load_trial
        from her2.units import DAYS_PER_MONTH

        trial = load_trial(self.arguments[0])
        month = lambda days: f"{days / DAYS_PER_MONTH:.3g} months"  # noqa: E731
        p = trial.population
        facts = [
            ("title", plain(trial.title)),
            ("setting", trial.setting),
            ("population", f"{code(p.recipe)}, {p.size} patients, {p.year}"),
            ("brain metastases at entry", p.brain_metastases),
            ("earlier lines", _earlier(trial)),
            *([("surgery", f"after {trial.surgery.after / 7:g} weeks")] if trial.surgery is not None else []),
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
            ("endpoints", ", ".join(map(code, trial.endpoints.reported))),
            *(
                (f"data cut, {code(a.endpoint)}", f"{month(a.cut)} {cite(a.source, a.locator)}")
                for a in trial.analyses
            ),
            ("loss to follow-up", f"{trial.drop_out.rate * 365.25:g} a year"),
            ("uptake of later lines", ", ".join(f"{u:g}" for u in trial.later_lines.uptake) or "none"),
        ]
        text = markdown(("design", ""), facts)
        rows = []
        for arm in trial.arms:
            label = plain(arm.label) + (" (control)" if arm.id == trial.control else "")
            for o, option in enumerate(arm.choices):
                for k, part in enumerate(option.regimen):
                    cycles = part.cycles
                    rows.append(
                        (
                            label if o == k == 0 else "",
                            f"{option.share:.0%}: {plain(option.label)}" if arm.options and k == 0 else "",
                            plain(part.agent),
                            code(part.dose) + (f", from week {part.start / 7 + 1:g}" if part.start else ""),
                            f"median {cycles.median:g}, {cycles.low:g}-{cycles.high:g}" if cycles else "",
                        )
                    )
        text += "\n" + markdown(("arm", "option", "agent", "dose", "cycles"), rows)
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


def _earlier(trial: TrialFile) -> str:
    """Earlier lines for metastatic disease, with shares where patients differ."""
    if not trial.histories:
        return ", then ".join(map(code, trial.prior_lines)) or "none"
    return "; ".join(
        f"{h.share:.0%} " + (", then ".join(map(code, h.lines)) or "none") for h in trial.histories
    )


class Trials(Generated):
    """`trials`: the built-in trials."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.calibration.targets import FIT_TRIALS
        from her2.trials.design import load_trial, trial_names

        text = ""
        trials = [load_trial(name) for name in trial_names()]
        for setting in ("metastatic", "neoadjuvant", "adjuvant"):
            rows = []
            for t in trials:
                if t.setting != setting:
                    continue
                entry = [_earlier(t)] if setting == "metastatic" else []
                if t.population.brain_metastases in ("untreated", "treated"):
                    entry.append(f"brain metastases {t.population.brain_metastases}")
                arms = "; ".join(
                    plain(a.label) + (f" ({len(a.options)} options)" if a.options else "") for a in t.arms
                )
                rows.append(
                    (
                        code(t.id) + (" (fit)" if t.id in FIT_TRIALS else ""), plain(t.title), arms,
                        str(t.population.size), ", ".join(entry), ", ".join(map(code, t.endpoints.reported)),
                    )
                )  # fmt: skip
            text += f"\n## {setting.capitalize()}\n\n"
            text += markdown(("trial", "title", "arms", "patients", "at entry", "endpoints"), rows)
        return text, []


class Recipes(Generated):
    """`recipes`: the population recipes with every value and its source."""

    def generate(self) -> tuple[str, list[str]]:
        parameters = load.load_parameters()
        rows = []
        for path in sorted(load.files_of("populations")):
            recipe = load.load_population(path.stem)
            for k, (name, v) in enumerate(recipe.values.items()):
                full = name if name.startswith("population.") else f"population.{name}"
                rows.append(
                    (
                        f"{code(recipe.id)}: {plain(recipe.says)}" if k == 0 else "",
                        link("parameter", full, parameters), number(v.value), code(v.unit), v.quality,
                        cite(v.source, v.locator),
                    )
                )  # fmt: skip
        return markdown(("recipe", "value", "", "unit", "quality", "source"), rows), []


class Regimens(Generated):
    """`regimens`: regimens that earlier and later lines can use."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.trials.design import load_regimen

        rows = []
        for path in sorted(load.files_of("regimens")):
            r = load_regimen(path.stem)
            doses = "; ".join(
                f"{plain(c.agent)} {code(c.dose)}"
                + (f" (median {c.cycles.median:g} cycles)" if c.cycles else "")
                for c in r.components
            )
            rows.append((code(r.id), doses, cite(r.source, r.locator)))
        return markdown(("regimen", "doses", "source"), rows), []


class TrialAgents(Generated):
    """`trial-agents`: agents that trials can give, how the engine carries each, and the dose of its label exposure."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.drugs import actions_of, is_antibody_like, is_in_plasma
        from her2.evidence.toxicity import toxicity_names
        from her2.model import trial_agents
        from her2.patients.sample import killing_class

        events = set(toxicity_names())
        rows = []
        for name in trial_agents():
            agent = load.load_agent(name)
            dose = agent.regimens[0]
            targets = dict.fromkeys(
                x.on + (f" {code(x.target)}" if x.target else "") for x in actions_of(agent)
            )
            ratio = agent.pharmacodynamics.cns_ratio if agent.pharmacodynamics is not None else None
            kind = killing_class(agent)
            rows.append(
                (
                    code(name), plain(agent.kind.replace("_", " ")), ", ".join(targets),
                    "plasma" if is_in_plasma(agent) else "effect site",
                    "antibody" if is_antibody_like(agent) else "drug",
                    number(ratio.value) if ratio is not None else "0.1 (default)",
                    plain(kind or ""), f"{code(dose.dose)} {cite(dose.source, dose.locator)}",
                    "yes" if name in events else "no",
                )
            )  # fmt: skip
        heads = (
            "agent", "kind", "acts on", "followed in", "carried as", "brain ratio", "sensitivity", "label dose",
            "adverse events",
        )  # fmt: skip
        return markdown(heads, rows), []


class Mechanisms(Generated):
    """`explained-mechanisms`: what `her2 trial --explain` takes away."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.trials.explain import MECHANISMS

        parameters = load.load_parameters()
        rows = [
            (
                plain(m.label),
                ", ".join(f"{link('parameter', k, parameters)} = {v:g}" for k, v in m.without.items()),
                plain(", ".join(m.needs)) or "always",
            )
            for m in MECHANISMS
        ]
        return markdown(("mechanism", "taken away by", "only where a drug acts on"), rows), []


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
        reader = getattr(getattr(item, "func", None), "__name__", "")
        if reader in _READERS:
            yield _READERS[reader]


_READERS = {
    "_to_days": "a time with its unit, such as '9 week'",
    "_to_weeks": "whole weeks with the unit, such as '12 week', or 0",
    "_to_rate": "a rate with its unit, such as '0.03 1/year'",
}


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
