"""Tables of the sensitivity analysis, from data/sensitivity and data/posterior."""

from __future__ import annotations

import typing
from collections.abc import Callable

import yaml

from her2.errors import Her2Error
from her2.evidence import load
from her2.sensitivity.report import Report, interval, sizes
from her2.sensitivity.store import is_current, read_report
from record_tables.text import Generated, link, markdown, number, plain


class Sensitivity(Generated):
    """`sensitivity WHAT`: `made`, `cases`, `top`, `posterior`, `observed`, `directions` or `pairs`."""

    required_arguments = 1

    def generate(self) -> tuple[str, list[str]]:
        what = self.arguments[0]
        if what not in _TABLES:
            raise Her2Error(f"no table '{what}' (there are: {', '.join(_TABLES)})")
        return _TABLES[what](read_report()), []


def _factor(name: str) -> str:
    return link("parameter", name, load.load_parameters())


def _made(report: Report) -> str:
    text = f"{plain(sizes(report))}."
    if report.provenance["failed_samples"]:
        text += f" {report.provenance['failed_samples']} base samples could not be solved and are left out."
    if not is_current(report):
        text += " **The record has changed since; the numbers below are those of the older record.**"
    return text + "\n"


def _cases(report: Report) -> str:
    rows = [
        (
            plain(c.case), plain(c.cell), f"{c.mean:.2f}", f"{c.low:.2f} to {c.high:.2f}", str(c.kept),
            f"{100 * c.left_out:.0f} %",
        )
        for c in report.cases
    ]  # fmt: skip
    return markdown(
        (
            "case",
            "cell",
            "growth inhibition, mean",
            "90 % over the priors",
            "factors that matter",
            "left out",
        ),
        rows,
    )


def _top(report: Report) -> str:
    text = ""
    for case in report.cases:
        rows = [
            (_factor(r.factor), f"{r.first:.2f}", f"{r.total:.2f}", interval(r.total, r.total_ci))
            for r in report.top(case.case)
        ]
        cell = "" if case.cell == "reference" else f" ({plain(case.cell)})"
        text += f"\n**{plain(case.case)}**{cell}\n\n"
        text += markdown(("factor", "first order", "total", "95 % of the total"), rows)
    return text


def _posterior(report: Report) -> str:
    """Free parameters: what the trials taught, and where they matter."""
    path = load.DATA / "posterior" / "provenance.yaml"
    if not path.exists():
        return "The shipped posterior has no provenance file.\n"
    known = yaml.safe_load(path.read_text(encoding="utf-8")).get("parameters", {})
    local = {r.factor: r for r in report.local}
    rows = []
    for name, entry in sorted(known.items(), key=lambda item: item[1]["sd_ratio"]):
        best = max((r for r in report.indices if r.factor == name), key=lambda r: r.total, default=None)
        rows.append(
            (
                _factor(name), f"{entry['sd_ratio']:.2f}", "yes" if entry["informed"] else "no",
                f"{local[name].sd_ratio:.2f}" if name in local else "",
                f"{best.total:.2f} ({plain(best.case)})" if best is not None else "not varied",
            )
        )  # fmt: skip
    headers = (
        "free parameter", "posterior / prior SD, calibration", "informed", "posterior / prior SD, cell observations",
        "largest total index (case)",
    )  # fmt: skip
    return markdown(headers, rows)


def _observed(report: Report) -> str:
    """Factors of which the observations see most."""
    rows = [
        (_factor(r.factor), plain(r.label), number(r.visibility, 3), f"{r.sd_ratio:.2f}")
        for r in report.local
        if r.visibility >= 1.0
    ]
    singular = report.provenance["singular_values"]
    seen = sum(r.visibility >= 0.01 for r in report.local)
    confounded = sum(r.visibility >= 1.0 and r.sd_ratio > 0.85 for r in report.local)
    text = (
        f"{len(report.local)} factors, {len(singular)} observations. {seen} factors move the observations by a "
        f"hundredth of an error or more per prior SD. **{sum(s > 1 for s in singular)} directions are identified** "
        f"(singular value above 1); with errors three times as large {sum(s > 3 for s in singular)}. Singular values: "
        f"{', '.join(f'{s:.2g}' for s in singular)}. {confounded} factors would be informed if all others were known "
        "(visibility 1 or more) but are not as things are (ratio above 0.85).\n\n"
    )
    return text + markdown(("factor", "label", "visibility", "posterior / prior SD"), rows)


def _directions(report: Report) -> str:
    rows = []
    for n in sorted({r.direction for r in report.directions})[:8]:
        own = [r for r in report.directions if r.direction == n]
        loads = ", ".join(f"{r.loading:+.2f} {_factor(r.factor)}" for r in own if abs(r.loading) >= 0.15)
        rows.append((str(n), f"{own[0].singular_value:.2g}", loads))
    return markdown(("direction", "singular value", "loadings of 0.15 or more"), rows)


def _pairs(report: Report) -> str:
    rows = [(_factor(p.first), _factor(p.second), f"{p.cosine:+.3f}") for p in report.pairs]
    return markdown(("factor", "factor", "cosine"), rows) if rows else "None.\n"


_TABLES: typing.Final[dict[str, Callable[[Report], str]]] = {
    "made": _made, "cases": _cases, "top": _top, "posterior": _posterior, "observed": _observed,
    "directions": _directions, "pairs": _pairs,
}  # fmt: skip
