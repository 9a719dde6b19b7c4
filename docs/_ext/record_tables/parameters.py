"""Tables of parameters, priors, posterior, and of what calibration fits."""

from __future__ import annotations

import typing
from typing import Any

import numpy as np
from docutils.parsers.rst import directives

from her2.errors import Her2Error
from her2.evidence import load
from her2.evidence.schema import Parameter
from record_tables.text import Generated, cite, code, link, markdown, number, plain

_MIDDLE = 1.6449  # standard normal quantile of a 90 % interval


class Parameters(Generated):
    """`parameters NAME...`: a file of data/parameters, or a prefix of ids such as `cns.` (or both); all without a name.

    With `:anchors:` the rows can be linked to (on one page only).
    """

    option_spec: typing.ClassVar = {"anchors": directives.flag}

    def generate(self) -> tuple[str, list[str]]:
        parameters = load.load_parameters()
        chosen: list[Parameter] = []
        if not self.arguments:
            chosen = list(parameters.values())
        for name in self.arguments:
            if name in {p.stem for p in load.files_of("parameters")}:
                data = load.read_yaml(load.find_file("parameters", name))
                found = [parameters[p["id"]] for p in data["parameters"]]
            else:
                found = [p for k, p in parameters.items() if k.startswith(name)]
            if not found:
                raise Her2Error(f"no parameter starts with '{name}'")
            chosen += found
        anchored = "anchors" in self.options
        rows = [
            (
                code(p.id) if anchored else link("parameter", p.id, parameters),
                plain(p.label),
                number(p.value),
                code(p.unit),
                p.quality,
                cite(p.source, p.locator) + (f". {plain(p.note)}" if p.note else ""),
                p.role,
                prior_text(p),
            )
            for p in chosen
        ]
        headers = ("parameter", "label", "value", "unit", "quality", "source", "role", "prior")
        return markdown(headers, rows), [f"parameter-{p.id}" for p in chosen] if anchored else []


def prior_text(parameter: Parameter) -> str:
    """Prior of a parameter in words, empty where it has none."""
    p = parameter.prior
    if p is None:
        return ""
    word = {
        "lognormal": "log-normal, log SD",
        "logit_normal": "logit-normal, logit SD",
        "normal": "normal, SD",
    }[p.law]
    return f"{word} {p.spread:g}"


class Posterior(Generated):
    """`posterior`: prior and posterior of every free parameter, from data/posterior."""

    def generate(self) -> tuple[str, list[str]]:
        import yaml

        folder = load.DATA / "posterior"
        ensemble, provenance = folder / "ensemble.tsv", folder / "provenance.yaml"
        if not ensemble.exists():
            return "The package ships no posterior yet; `her2 calibrate` makes one.\n", []
        lines = ensemble.read_text(encoding="utf-8").splitlines()
        names = lines[0].split("\t")
        members = np.array([[float(x) for x in line.split("\t")] for line in lines[1:] if line])
        known: dict[str, Any] = {}
        intro = f"{members.shape[0]} members.\n\n"
        if provenance.exists():
            data = yaml.safe_load(provenance.read_text(encoding="utf-8"))
            known = data.get("parameters", {})
            settings = ", ".join(f"{k} {v}" for k, v in data.get("settings", {}).items())
            misfit = ", ".join(f"{m:.2f}" for m in data.get("misfit_by_step", []))
            intro = (
                f"{members.shape[0]} members; {plain(data.get('method', ''))}; {plain(settings)}; digest "
                f"{code(data.get('digest', ''))}. Mean squared standardised error by step, prior first: {misfit}.\n\n"
            )
        else:
            intro += (
                "Without its provenance file, so that shift and shrinkage are computed from the members.\n\n"
            )
        parameters = load.load_parameters()
        rows = []
        for name, p in sorted(parameters.items()):
            if p.role != "free" or p.prior is None:
                continue
            prior = f"{number(p.value, 3)} [{number(_value_at(p, -_MIDDLE), 3)}, {number(_value_at(p, _MIDDLE), 3)}]"
            if name not in names:
                rows.append(
                    (
                        link("parameter", name, parameters),
                        plain(p.label),
                        code(p.unit),
                        prior,
                        "not in it",
                        "",
                        "",
                    )
                )
                continue
            x = members[:, names.index(name)]
            low, middle, high = (float(np.quantile(x, q)) for q in (0.05, 0.5, 0.95))
            z = _coordinates(p, x)
            ratio = float(known.get(name, {}).get("sd_ratio", z.std(ddof=1)))
            shift = float(known.get(name, {}).get("shift_in_prior_sd", z.mean()))
            rows.append(
                (
                    link("parameter", name, parameters),
                    plain(p.label),
                    code(p.unit),
                    prior,
                    f"{number(middle, 3)} [{number(low, 3)}, {number(high, 3)}]",
                    f"{shift:+.2f}",
                    f"{ratio:.2f}" + (" (not informed)" if ratio > 0.85 else ""),
                )
            )
        headers = (
            "parameter", "label", "unit", "prior median [90 %]", "posterior median [90 %]", "shift, prior SD",
            "posterior / prior SD",
        )  # fmt: skip
        return intro + markdown(headers, rows), []


def _value_at(parameter: Parameter, z: float) -> float:
    """Value at z prior standard deviations from the prior median."""
    assert parameter.prior is not None
    s, v = parameter.prior.spread, parameter.value
    if parameter.prior.law == "lognormal":
        return v * float(np.exp(s * z))
    if parameter.prior.law == "logit_normal":
        return float(1.0 / (1.0 + np.exp(-(np.log(v / (1.0 - v)) + s * z))))
    return v + s * z


def _coordinates(parameter: Parameter, x: Any) -> Any:
    assert parameter.prior is not None
    v, s = parameter.value, parameter.prior.spread
    if parameter.prior.law == "lognormal":
        return np.log(x / v) / s
    if parameter.prior.law == "logit_normal":
        return (np.log(x / (1 - x)) - np.log(v / (1 - v))) / s
    return (x - v) / s


class Fitted(Generated):
    """`fitted`: fitted figures and soft claims at the posterior, from data/posterior/provenance.yaml."""

    def generate(self) -> tuple[str, list[str]]:
        import yaml

        path = load.DATA / "posterior" / "provenance.yaml"
        if not path.exists():
            return (
                "The shipped posterior has no provenance file yet; `her2 calibrate --out FOLDER` writes one.\n",
                [],
            )
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        rows = [
            (
                code(t["figure"]),
                number(t["published"], 3),
                number(t["model"], 3),
                f"{t['residual_in_sd']:+.2f}",
            )
            for t in sorted(data.get("targets", []), key=lambda t: -abs(t["residual_in_sd"]))
        ]
        text = "Largest residual first.\n\n" + markdown(
            ("figure", "published", "model", "residual, SD"), rows
        )
        claims = load.load_claims()
        rows = [
            (
                link("claim", c["claim"], claims),
                number(c["margin"]),
                number(c["error"]),
                number(c["model"], 3),
            )
            for c in data.get("claims", [])
        ]
        return text + "\n" + markdown(
            ("soft claim", "margin", "error", "model (cut at the margin)"), rows
        ), []


class SoftClaims(Generated):
    """`soft-claims`: mechanism claims that enter the calibration."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.calibration.claims import SOFT_CLAIMS

        claims = load.load_claims()
        rows = [
            (link("claim", c.claim, claims), plain(c.says), number(c.margin), number(c.error))
            for c in SOFT_CLAIMS
        ]
        return markdown(("claim", "experiment on the reference cell", "margin", "error"), rows), []


class Targets(Generated):
    """`targets`: the figures calibration fits, with the error each is given."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.calibration.targets import FIT_TRIALS, collect_targets
        from her2.trials.design import load_trial

        rows = []
        for t in collect_targets([load_trial(n) for n in FIT_TRIALS]):
            value = 1.0 / (1.0 + np.exp(-t.value)) if t.statistic == "rate" else np.exp(t.value)
            scale = "logit" if t.statistic == "rate" else "log"
            error = f"{t.error:.2f} ({scale})"
            published = number(float(value), 3)
            rows.append((code(t.trial), t.endpoint.upper(), t.statistic, published, error, code(t.published)))
        return markdown(
            ("trial", "endpoint", "statistic", "published", "error (scale)", "figure of the record"), rows
        ), []
