"""Show a calibration and write the posterior that ships with the package."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from her2.calibration.claims import SOFT_CLAIMS
from her2.calibration.run import Calibration
from her2.calibration.targets import SEARCH_WEIGHT
from her2.evidence.priors import to_value

if TYPE_CHECKING:
    from rich.console import Console

UNINFORMED = 0.85
"""Posterior SD over prior SD above which the data are said not to inform a parameter."""


def _plain(x: float, statistic: str) -> float:
    return float(1.0 / (1.0 + np.exp(-x))) if statistic == "rate" else float(np.exp(x))


def print_calibration(result: Calibration, console: Console) -> None:
    """Free parameters (prior, posterior), fitted figures and soft claims."""
    from rich.table import Table

    z = result.members
    table = Table(title="Free parameters", title_justify="left")
    for head in (
        "parameter",
        "prior median",
        "posterior median",
        "shift in prior SD",
        "posterior / prior SD",
        "",
    ):
        table.add_column(head, justify="left" if head == "parameter" else "right")
    for k, p in enumerate(result.free.parameters):
        ratio = z[:, k].std(ddof=1)
        table.add_row(
            p.id, f"{p.value:.4g}", f"{to_value(p, float(z[:, k].mean())):.4g}",
            f"{z[:, k].mean():+.2f}", f"{ratio:.2f}",
            "not informed" if ratio > UNINFORMED else "",
        )  # fmt: skip
    console.print(table)
    table = Table(title="Fitted figures at the mode (90 % of members; fresh patients)", title_justify="left")
    for head in ("figure", "published", "model", "5 %", "95 %", "residual in SD", "fresh"):
        table.add_column(head, justify="left" if head == "figure" else "right")
    mode, g = result.mode.predictions, result.predictions
    for k, t in enumerate(result.targets):
        low, high = np.quantile(g[:, k], [0.05, 0.95])
        table.add_row(
            t.name, *(f"{_plain(float(x), t.statistic):.3g}" for x in (t.value, mode[k], low, high)),
            f"{(mode[k] - t.value) / t.error:+.2f}", f"{(result.fresh[k] - t.value) / t.error:+.2f}",
        )  # fmt: skip
    console.print(table)
    n = len(result.targets)
    for k, c in enumerate(SOFT_CLAIMS):
        console.print(f"claim {c.claim}: {c.says}: {mode[n + k]:.3f} (margin {c.margin:g})")
    console.print(
        "sum of squares (figures, claims, prior) over the number of figures and claims, by step: "
        + ", ".join(f"{m:.2f}" for m in result.misfit)
    )
    console.print(
        f"factor on the errors in the spread of the members {result.birge:.2f}; simulated members differ from "
        f"the first-order predictions by {result.nonlinearity:.2f} errors (root mean square)"
    )


def predictions_text(result: Calibration) -> str:
    """What each member predicts for each figure and claim, on the scale of the fit, as a table.

    The first row names the figures by their record id, claims as `claim:id`; then follow their trial, the values to
    reach, their errors, and one row per member of the ensemble.
    """
    g = result.predictions
    names = [t.published for t in result.targets] + [f"claim:{c.claim}" for c in SOFT_CLAIMS]
    trials = [t.trial for t in result.targets] + ["-"] * len(SOFT_CLAIMS)
    values = [t.value for t in result.targets] + [c.margin for c in SOFT_CLAIMS]
    errors = [t.error for t in result.targets] + [c.error for c in SOFT_CLAIMS]
    rows = [["row", *names], ["trial", *trials]]
    for label, numbers in (
        ("value", values),
        ("error", errors),
        *((str(k), list(x)) for k, x in enumerate(g)),
    ):
        rows.append([label, *(f"{float(x):.6g}" for x in numbers)])
    return "".join("\t".join(row) + "\n" for row in rows)


def write_posterior(
    result: Calibration,
    folder: Path,
    *,
    members: int,
    steps: int,
    patients: int,
    slope_patients: int,
    seed: int,
) -> None:
    """Write `ensemble.tsv`, `predictions.tsv`, `start.tsv`, `fitted_agents.tsv` and `provenance.yaml`.

    Raises
    ------
    her2.errors.OutputError
        If the folder cannot be written.
    """
    import yaml

    from her2 import __version__
    from her2.errors import OutputError

    free = result.free
    rows = [free.values(z) for z in result.members]
    text = "\t".join(free.names) + "\n"
    text += "".join("\t".join(f"{r[n]:.10g}" for n in free.names) + "\n" for r in rows)
    z, mode = result.members, result.mode.predictions
    provenance = {
        "method": "mode by least squares with common random numbers, members from the curvature there (Laplace)",
        "version": __version__,
        "settings": {
            "members": members,
            "steps": steps,
            "patients": patients,
            "slope_patients": slope_patients,
            "seed": seed,
        },
        "start": "mean of an ensemble smoothed from the prior" if result.from_prior else "start.tsv",
        "search_weight": dict(SEARCH_WEIGHT),
        "digest": hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
        "misfit_by_step": [round(float(m), 4) for m in result.misfit],
        "converged": result.mode.converged,
        "birge_ratio": round(result.birge, 3),
        "nonlinearity": round(result.nonlinearity, 3),
        "parameters": {
            p.id: {
                "prior_median": p.value,
                "posterior_median": float(f"{to_value(p, float(z[:, k].mean())):.6g}"),
                "shift_in_prior_sd": round(float(z[:, k].mean()), 3),
                "sd_ratio": round(float(z[:, k].std(ddof=1)), 3),
                "informed": bool(z[:, k].std(ddof=1) <= UNINFORMED),
            }
            for k, p in enumerate(free.parameters)
        },
        "targets": [
            {
                "figure": t.published,
                "published": float(f"{_plain(t.value, t.statistic):.4g}"),
                "model": float(f"{_plain(float(mode[k]), t.statistic):.4g}"),
                "residual_in_sd": round(float((mode[k] - t.value) / t.error), 2),
                "on_fresh_patients": round(float((result.fresh[k] - t.value) / t.error), 2),
            }
            for k, t in enumerate(result.targets)
        ],
        "claims": [
            {
                "claim": c.claim,
                "margin": c.margin,
                "error": c.error,
                "model": round(float(mode[len(result.targets) + k]), 4),
            }
            for k, c in enumerate(SOFT_CLAIMS)
        ],
    }
    began = "parameter\tz\n" + "".join(
        f"{name}\t{x:.6f}\n" for name, x in zip(free.names, result.start, strict=True)
    )
    files = {
        "ensemble.tsv": text,
        "predictions.tsv": predictions_text(result),
        "start.tsv": began,
        "fitted_agents.tsv": "".join(f"{name}\n" for name in result.agents),
        "provenance.yaml": yaml.safe_dump(provenance, sort_keys=False, allow_unicode=True, width=110),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / f"{name}.part").write_text(content, encoding="utf-8")
        for name in files:
            (folder / f"{name}.part").replace(folder / name)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder with --out"
        ) from error
