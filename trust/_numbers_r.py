"""Survival statistics against R's survival package, number by number.

R's answers come from tests/reference/survival/make_fixtures.R. A full run calls Rscript on it anew, in a folder of its
own; a reduced one reads the answers that are stored beside it. Every number that R gives is compared with the general
functions and, where it applies, with the compiled batch. The difference of two numbers is taken relative to R's, with
numbers below 0.001 counted as that (times excepted, which must agree relative to themselves); a NaN must meet a NaN.
Tail probabilities magnify the rounding of their statistic: theirs is divided by it, as far as it is above one.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, Figure
from numpy.typing import ArrayLike, NDArray

from her2.survival import (
    clopper_pearson,
    cumulative_incidence,
    fit_cox,
    kaplan_meier,
    log_rank,
    newcombe_difference,
    restricted_mean,
    two_arm_statistics_batch,
    wilson,
)

STORED = ROOT / "tests" / "reference" / "survival"
TARGET, SMALL = 1e-9, 1e-3
FEWEST_SETS = 40
FILES = (
    "data", "kaplan_meier", "quantiles", "at_risk", "log_rank", "cox", "rmst", "cumulative_incidence", "proportions",
)  # fmt: skip

Floats = NDArray[np.float64]
Row = dict[str, str]


@dataclass
class Tally:
    """Largest difference of one kind of statistic, and what was compared."""

    worst: float = 0.0
    where: str = ""
    numbers: int = 0
    sets: set[str] = field(default_factory=set)


class Differences:
    """Largest difference by kind of statistic."""

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = defaultdict(Tally)

    def add(
        self,
        kind: str,
        where: str,
        ours: ArrayLike,
        theirs: ArrayLike,
        small: float = SMALL,
        loosen: float = 1.0,
    ) -> None:
        """Compare numbers; `loosen` divides their difference."""
        a, b = np.atleast_1d(np.asarray(ours, np.float64)), np.atleast_1d(np.asarray(theirs, np.float64))
        if a.shape != b.shape:
            raise ValueError(f"{kind}, {where}: {a.shape} numbers against {b.shape}")
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.abs(a - b) / (np.abs(b) + small) / loosen
        error = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, error)
        error = np.where(np.isnan(error), np.inf, error)
        tally = self.tallies[kind]
        tally.numbers += a.size
        tally.sets.add(where)
        if error.size and error.max() > tally.worst:
            tally.worst, tally.where = float(error.max()), where


def run(full: bool, seed: int) -> tuple[list[Figure], dict[str, Any]]:
    """Largest difference from R for each kind of statistic."""
    program = shutil.which("Rscript")
    if full and program is None:
        note = "no Rscript on the path; install R with its survival package"
        return [Figure("survival statistics against R", "not run", "", f"<= {TARGET:g}", False, note)], {}
    if not full:
        differences, sets = compare(STORED)
        return _figures(differences, sets, "answers of R as stored"), {"r": versions(STORED)}
    assert program is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(STORED / "make_fixtures.R", folder)
        done = subprocess.run(
            [program, "make_fixtures.R"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        if done.returncode:
            raise SystemExit(f"trust/numbers.py: make_fixtures.R failed: {done.stderr.strip()[-400:]}")
        differences, sets = compare(folder)
        return _figures(differences, sets, "R called anew"), {"r": versions(folder)}


def _figures(differences: Differences, sets: int, note: str) -> list[Figure]:
    """The number of data sets, and the largest difference of each kind."""
    figures = [
        Figure(
            "R: data sets", sets, "", f">= {FEWEST_SETS}", sets >= FEWEST_SETS,
            f"{note}; {sum(t.numbers for t in differences.tallies.values()):,} numbers compared",
        )
    ]  # fmt: skip
    for kind, tally in differences.tallies.items():
        worst = tally.worst if np.isfinite(tally.worst) else "no number against a number"
        place = f", worst in {tally.where}" if tally.worst > 0 else ""
        sets_told = f" of {len(tally.sets)} data sets" if len(tally.sets) > 1 else ""
        figures.append(
            Figure(
                f"R: {kind}, largest relative difference", worst, "", f"<= {TARGET:g}", tally.worst <= TARGET,
                f"{tally.numbers:,} numbers{sets_told}{place}",
            )
        )  # fmt: skip
    return figures


def versions(folder: Path) -> str:
    """R and its survival package, as the program noted them."""
    return "; ".join((folder / "VERSIONS.txt").read_text(encoding="utf-8").splitlines()[:2])


def compare(folder: Path) -> tuple[Differences, int]:
    """Compare everything in a folder of R's answers; the differences and the number of data sets."""
    rows = {name: _read(folder / f"{name}.tsv") for name in FILES}
    data = {
        name: {k: np.array([float(row[k]) for row in part]) for k in part[0] if k != "dataset"}
        for name, part in rows["data"].items()
    }
    found = Differences()
    for name, columns in data.items():
        _compare_curves(found, name, columns, rows)
        if (columns["entry"] == 0).all() and (columns["weight"] == 1).all():
            _compare_log_rank(found, name, columns, rows["log_rank"].get(name, []))
            _compare_means(found, name, columns, rows["rmst"].get(name, []))
            _compare_incidence(found, name, columns, rows["cumulative_incidence"].get(name, []))
        _compare_cox(found, name, columns, rows["cox"].get(name, []))
    _compare_proportions(found, rows["proportions"][""])
    return found, len(data)


def _read(path: Path) -> dict[str, list[Row]]:
    """Rows by data set."""
    rows: dict[str, list[Row]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            rows[row.get("dataset", "")].append(row)
    return rows


def _number(text: str) -> float:
    return float("nan") if text == "NA" else float(text)


def _column(rows: Iterable[Row], name: str) -> Floats:
    return np.array([_number(row[name]) for row in rows])


def _listed(text: str) -> Floats:
    return np.array([_number(part) for part in text.split(";")])


def _compare_curves(
    found: Differences, name: str, d: dict[str, Floats], rows: dict[str, dict[str, list[Row]]]
) -> None:
    """Curves, errors, limits on three scales, quantiles with limits, numbers at risk."""
    weights = d["weight"] if (d["weight"] != 1).any() else None
    entry = d["entry"] if (d["entry"] > 0).any() else None
    theirs = rows["kaplan_meier"][name]
    for conf_type in ("log-log", "log", "plain"):
        curve = kaplan_meier(d["time"], d["event"], weights, entry, conf_type)
        at = np.searchsorted(curve.times, _column(theirs, "time"))
        short = conf_type.replace("-", "")
        for side in ("lower", "upper"):
            found.add(
                f"Kaplan-Meier limits, {conf_type}",
                name,
                getattr(curve, side)[at],
                _column(theirs, f"{side}_{short}"),
            )
        asked = [row for row in rows["quantiles"][name] if row["conf_type"] == conf_type]
        q = curve.quantile(_column(asked, "p"))
        for side in ("time", "lower", "upper"):
            found.add(
                "medians and other quantiles with limits (Brookmeyer-Crowley)", name, getattr(q, side),
                _column(asked, side), small=0.0,
            )  # fmt: skip
        if conf_type != "log-log":
            continue
        for kind, pairs in {
            "Kaplan-Meier survival": [("survival", "survival")],
            "Greenwood standard error": [("std_err", "std_err")],
            "Nelson-Aalen hazard with standard error": [
                ("cumulative_hazard", "hazard"), ("cumulative_hazard_std_err", "hazard_std_err"),
            ],
            "numbers at risk, events, censored": [(k, k) for k in ("n_at_risk", "n_events", "n_censored")],
        }.items():  # fmt: skip
            for ours, their in pairs:
                found.add(kind, name, getattr(curve, ours)[at], _column(theirs, their))
        at_risk = rows["at_risk"].get(name, [])
        if at_risk:
            ours = curve.n_at_risk_at(_column(at_risk, "time"))
            found.add("numbers at risk, events, censored", name, ours, _column(at_risk, "n_at_risk"))
        if weights is None and entry is None:
            batch = two_arm_statistics_batch(
                d["time"], d["event"], np.zeros(d["time"].size), offsets=[0, d["time"].size]
            )
            half = next(row for row in asked if row["p"] == "0.5")
            found.add(
                "batch: medians with limits", name,
                [batch.median[0, 0], batch.median_lower[0, 0], batch.median_upper[0, 0]],
                [_number(half[k]) for k in ("time", "lower", "upper")], small=0.0,
            )  # fmt: skip


def _compare_log_rank(found: Differences, name: str, d: dict[str, Floats], rows: Sequence[Row]) -> None:
    """Log-rank and Fleming-Harrington tests, stratified or not."""
    for row in rows:
        is_stratified = row["stratified"] == "TRUE"
        stratum = d["stratum"] if is_stratified else None
        test = log_rank(d["time"], d["event"], d["arm"], stratum, float(row["rho"]))
        kind = ("stratified " if is_stratified else "") + (
            "log-rank test" if row["rho"] == "0" else "G-rho test"
        )
        for ours, their in (("observed", "observed"), ("expected", "expected"), ("variance", "variance")):
            found.add(kind, name, np.ravel(getattr(test, ours)), _listed(row[their]))
        # where observed equals expected R divides rounding by rounding; zero is meant
        is_zero = bool(np.isclose(test.observed, test.expected, rtol=1e-12).all())
        if not is_zero:
            found.add(kind, name, test.chi2, _number(row["chi2"]))
            if test.df > 0:
                found.add(kind, name, test.p, _number(row["p"]), small=0.0, loosen=max(1.0, test.chi2 / 2))
        if row["rho"] == "0" and set(d["arm"]) == {0.0, 1.0}:
            codes = None if stratum is None else stratum.astype(int)
            one = two_arm_statistics_batch(d["time"], d["event"], d["arm"], codes, [0, d["time"].size])
            kind = f"batch: {kind}"
            found.add(kind, name, one.log_rank.observed, _listed(row["observed"])[1])
            found.add(kind, name, one.log_rank.expected, _listed(row["expected"])[1])
            if not is_zero:
                found.add(kind, name, one.log_rank.chi2, _number(row["chi2"]))


def _compare_cox(found: Differences, name: str, d: dict[str, Floats], rows: Sequence[Row]) -> None:
    """Cox fits with both kinds of ties; where R warns of an infinite estimate, its likelihood only."""
    entry = d["entry"] if (d["entry"] > 0).any() else None
    for row in rows:
        ties = row["ties"]
        x = np.column_stack([d[c] for c in row["covariates"].split(";")])
        stratum = d["stratum"] if row["stratified"] == "TRUE" else None
        fit = fit_cox(d["time"], d["event"], x, stratum, entry, ties)
        kind = f"Cox, {ties}"
        found.add(
            f"{kind}: log likelihood", name, fit.log_likelihood_null, _number(row["log_likelihood_null"])
        )
        is_infinite = row["warned"] == "TRUE"
        # R stops where the likelihood rises by less than 1e-14 of itself, short of its supremum
        small = 1.0 if is_infinite else SMALL
        found.add(
            f"{kind}: log likelihood", name, fit.log_likelihood, _number(row["log_likelihood"]), small=small
        )
        found.add(f"{kind}: score test", name, fit.score_chi2, _number(row["score"]))
        if not is_infinite:
            found.add(f"{kind}: coefficients", name, fit.coef, _listed(row["coef"]))
            found.add(f"{kind}: standard errors and covariances", name, fit.std_err, _listed(row["std_err"]))
            covariance = fit.covariance.ravel()
            found.add(
                f"{kind}: standard errors and covariances", name, covariance, _listed(row["covariance"])
            )
            found.add(f"{kind}: Wald test", name, fit.wald_chi2, _number(row["wald"]))
            loosen = max(1.0, fit.wald_chi2)
            found.add(
                f"{kind}: Wald test", name, fit.wald_p, _number(row["wald_p"]), small=0.0, loosen=loosen
            )
        if row["covariates"] == "arm" and entry is None and set(d["arm"]) == {0.0, 1.0}:
            codes = None if stratum is None else stratum.astype(int)
            batch = two_arm_statistics_batch(
                d["time"], d["event"], d["arm"], codes, [0, d["time"].size], ties=ties
            ).cox
            kind = f"batch: Cox, {ties}"
            found.add(kind, name, batch.log_likelihood_null, _number(row["log_likelihood_null"]))
            found.add(kind, name, batch.log_likelihood, _number(row["log_likelihood"]), small=small)
            found.add(kind, name, batch.score_chi2, _number(row["score"]))
            if not is_infinite:
                found.add(kind, name, batch.coef, _number(row["coef"]))
                found.add(kind, name, batch.std_err, _number(row["std_err"]))


def _compare_means(found: Differences, name: str, d: dict[str, Floats], rows: Sequence[Row]) -> None:
    """Restricted means of each arm with standard errors."""
    for row in rows:
        own = d["arm"] == float(row["arm"])
        fit = restricted_mean(d["time"][own], d["event"][own], float(row["tau"]))
        ours, theirs = [fit.mean, fit.std_err], [_number(row["mean"]), _number(row["std_err"])]
        found.add("restricted mean with standard error", name, ours, theirs, small=0.0)


def _compare_incidence(found: Differences, name: str, d: dict[str, Floats], rows: Sequence[Row]) -> None:
    """Aalen-Johansen incidences with errors and limits."""
    if not rows:
        return
    for conf_type in ("log-log", "log", "plain"):
        fit = cumulative_incidence(d["time"], d["cause"], conf_type)
        short = conf_type.replace("-", "")
        for k, cause in enumerate(fit.causes):
            own = [row for row in rows if int(row["cause"]) == cause]
            at = np.searchsorted(fit.times, _column(own, "time"))
            kind = "cumulative incidence with standard error and limits"
            found.add(kind, name, fit.incidence[at, k], _column(own, "incidence"))
            found.add(kind, name, fit.std_err[at, k], _column(own, "std_err"))
            found.add(kind, name, fit.lower[at, k], _column(own, f"lower_{short}"))
            found.add(kind, name, fit.upper[at, k], _column(own, f"upper_{short}"))


def _compare_proportions(found: Differences, rows: Sequence[Row]) -> None:
    """Intervals of response rates and of their differences."""
    for row in rows:
        x, n, level = int(row["x"]), int(row["n"]), float(row["level"])
        both = newcombe_difference(x, n, int(row["other_x"]), int(row["other_n"]), level)
        for interval, short in (
            (clopper_pearson(x, n, level), "cp"),
            (wilson(x, n, level), "wilson"),
            (both, "newcombe"),
        ):
            theirs = [float(row[f"{short}_lower"]), float(row[f"{short}_upper"])]
            found.add(
                "intervals of response rates", "response rates", [interval.lower, interval.upper], theirs
            )
