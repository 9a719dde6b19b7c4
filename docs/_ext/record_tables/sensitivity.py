"""Tables of the sensitivity analysis, from data/sensitivity and data/posterior."""

from __future__ import annotations

import typing
from collections.abc import Callable

import yaml

from her2.errors import Her2Error
from her2.evidence import load
from her2.sensitivity.heat_map import common_name
from her2.sensitivity.report import Report, interval, sizes
from her2.sensitivity.store import is_current, read_report
from record_tables.text import Generated, code, link, markdown, number, plain


class Sensitivity(Generated):
    """`sensitivity WHAT`: `made`, `cases`, `top`, `posterior`, `observed`, `directions`, `pairs`
    or `reading`."""

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
    """Groups of factors linked by pairs, with the pairs' cosines."""
    rows = []
    for group in report.groups():
        own = [p for p in report.pairs if p.first in group]
        best = max(own, key=lambda p: abs(p.cosine))
        least = min(abs(p.cosine) for p in own)
        size = f"{least:.3f}" + (f" to {abs(best.cosine):.3f}" if len(own) > 1 else "")
        opposite = [p for p in own if p.cosine < 0.0]
        rows.append(
            (
                ", ".join(_factor(name) for name in group), str(len(own)), size,
                "; ".join(f"{_factor(p.first)} against {_factor(p.second)}" for p in opposite[:3])
                + (" and others" if len(opposite) > 3 else ""),
            )
        )  # fmt: skip
    return markdown(("factors", "pairs", "cosine, size", "opposite"), rows) if rows else "None.\n"


_GROUPS: typing.Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Antibodies", ("trastuzumab", "pertuzumab", "margetuximab", "trastuzumab + pertuzumab")),
    ("Conjugates", ("t_dm1", "mm_302")),
    ("Kinase inhibitors of HER2", ("lapatinib", "tucatinib", "neratinib", "afatinib")),
    ("Inhibitors of PI3K and AKT", ("alpelisib", "taselisib", "buparlisib", "mk_2206")),
    ("Everolimus", ("everolimus",)),
    ("Hsp90 inhibitor", ("hsp90_inhibitor",)),
    ("IGF1R inhibitor", ("bms_754807",)),
    ("Dasatinib on HER2 delta16", ("dasatinib",)),
    ("Endocrine drugs", ("letrozole", "tamoxifen")),
    ("Bevacizumab", ("bevacizumab",)),
    ("Cytotoxics alone", ("docetaxel", "capecitabine", "vinorelbine")),
    ("Trastuzumab with docetaxel", ("trastuzumab + docetaxel",)),
    ("Trastuzumab with lapatinib", ("trastuzumab + lapatinib",)),
)


def _reading(report: Report) -> str:
    """One sentence per group of cases: the factors whose total index averages a tenth or more."""
    lines = []
    for words, cases in _GROUPS:
        own = [c for c in report.cases if c.case in cases]
        totals: dict[str, list[float]] = {}
        for case in own:
            best: dict[str, float] = {}
            for r in report.indices:
                if r.case == case.case:
                    name = common_name(r.factor)
                    name = "own kill rate" if name.startswith(("kill.", "payload.t", "payload.m")) else name
                    best[name] = max(best.get(name, 0.0), r.total)
            for name, total in best.items():
                totals.setdefault(name, []).append(total)
        mean = {name: sum(x) / len(own) for name, x in totals.items()}
        leading = sorted((n for n, m in mean.items() if m >= 0.1), key=lambda n: -mean[n])
        parts = []
        for name in leading:
            low, high = round(100 * min(totals[name])), round(100 * max(totals[name]))
            label = code(name) if "." in name else plain(name)
            parts.append(f"{label} {low}" + (f" to {high}" if high > low else ""))
        apart = [1.0 - sum(r.first for r in report.indices if r.case == c.case) for c in own]
        text = "; ".join(parts) if parts else "no factor reaches a tenth of the variance"
        lines.append(
            f"- **{words}**: {text} %. Not explained by single factors: {round(100 * max(min(apart), 0.0))}"
            + (f" to {round(100 * max(apart))}" if len(own) > 1 else "") + " %.\n"
        )  # fmt: skip
    return "".join(lines)


_TABLES: typing.Final[dict[str, Callable[[Report], str]]] = {
    "made": _made, "cases": _cases, "top": _top, "posterior": _posterior, "observed": _observed,
    "directions": _directions, "pairs": _pairs, "reading": _reading,
}  # fmt: skip
