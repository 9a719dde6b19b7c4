"""Dose-response curves of one drug on one cell, with growth-rate inhibition (GR) values and metrics.

    GR(c)  = 2 ** (k(c) / k(0)) - 1                  k: net growth rate, mean over the assay
    x(c)   = exp((k(c) - k(0)) T)                    viable cells at the end of the assay of length T, over untreated
    GR(c) ~= GRinf + (1 - GRinf) / (1 + (c / GEC50) ** h_GR)

GR is 1 without effect, 0 at no growth, negative where cells are lost. Definitions of Hafner, Niepel, Chung and Sorger
(Nat Methods 2016; 13:521): GR50 is the dose at which GR is 0.5, GRmax the value at the highest dose, GR_AOC the mean of
1 - GR over the logarithm of the dose range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from her2.cell.attributes import Compartment
from her2.cell.cell import Cell
from her2.cell.condition import Dose, Treatment, active_concentration
from her2.cell.ensemble import central
from her2.cell.evaluate import (
    MEMBERS,
    STANDSTILL,
    Band,
    band_of,
    check_span,
    drug_id,
    evaluate,
    named_drugs,
    quantiles,
    with_added,
)
from her2.drugs import actions_of
from her2.errors import RecordError

if TYPE_CHECKING:
    import polars as pl

Array = NDArray[np.float64]

MOST_HOURS = 8760.0
MOST_DOSES = 1000
NO_EFFECT = 0.01
"""A curve that stays this close to GR = 1 has no half effect to estimate."""
DECADES_BELOW, DECADES_ABOVE, PER_DECADE = 3, 2, 3
_SLOPES = (0.1, 5.0)


def gr_value(growth: Array, control: Array | float) -> Array:
    """Growth-rate inhibition value: 2 ** (k / k0) - 1; NaN where untreated cells do not grow.

    Parameters
    ----------
    growth, control : (...), 1/day
        Net growth rate treated and untreated, each the mean over the assay.
    """
    k, k0 = np.broadcast_arrays(np.asarray(growth, dtype=np.float64), np.asarray(control, dtype=np.float64))
    grows = k0 > STANDSTILL
    ratio = np.where(grows, k / np.where(grows, k0, 1.0), np.nan)
    return np.asarray(np.exp2(np.clip(ratio, -60.0, 60.0)) - 1.0)


def fraction_affected(growth: Array, control: Array | float, hours: float) -> Array:
    """Share of cells missing at the end of the assay: 1 - exp((k - k0) T); negative where a drug helps growth.

    Parameters
    ----------
    growth, control : (...), 1/day
    hours : T, h
    """
    exponent = (np.asarray(growth, dtype=np.float64) - np.asarray(control, dtype=np.float64)) * hours / 24.0
    return np.asarray(1.0 - np.exp(np.clip(exponent, -700.0, 60.0)))


@dataclass(frozen=True)
class GRMetrics:
    """Metrics of a dose-response curve; infinity stands for "not reached".

    Attributes
    ----------
    gr50 : nmol/L, dose at which the fitted curve is 0.5
    gec50 : nmol/L, dose at half of the curve's own effect; NaN without effect
    gr_max : GR at the highest dose
    gr_inf : GR that the fitted curve tends to
    h_gr : slope of the fitted curve; NaN without effect
    gr_aoc : mean of 1 - GR over the logarithm of the dose range
    ic50 : nmol/L, dose that halves the cell count at the end of the assay
    misfit : root mean squared distance of the curve from its fit
    """

    gr50: Band
    gec50: Band
    gr_max: Band
    gr_inf: Band
    h_gr: Band
    gr_aoc: Band
    ic50: Band
    misfit: float


@dataclass(frozen=True)
class DoseResponse:
    """Growth at rising doses of a drug.

    Attributes
    ----------
    drug : agent
    doses : (doses,), nmol/L nominal, rising, positive
    growth : (models, doses), 1/day, mean over the assay; the central model first
    control : (models,), 1/day, growth without the drug
    hours : length of the assay
    background : other drugs, in the control too
    """

    drug: str
    doses: Array
    growth: Array
    control: Array
    hours: float
    background: Mapping[str, Dose]

    @property
    def gr(self) -> Array:
        """GR values, (models, doses)."""
        return gr_value(self.growth, self.control[:, None])

    @property
    def affected(self) -> Array:
        """Share of cells missing at the end of the assay, (models, doses)."""
        return fraction_affected(self.growth, self.control[:, None], self.hours)

    def table(self) -> pl.DataFrame:
        """One row per dose; see `Cell.dose_response`."""
        import polars as pl

        columns: dict[str, Array] = {"dose": self.doses}
        for name, values in (
            ("net_growth", self.growth),
            ("gr", self.gr),
            ("fraction_affected", self.affected),
        ):
            columns[name] = values[0]
            if values.shape[0] > 2:
                columns[f"{name}_5"], columns[f"{name}_95"] = quantiles(values)
        return pl.DataFrame(columns)

    def metrics(self) -> GRMetrics:
        """Metrics with their intervals; each model's curve is fitted on its own.

        Raises
        ------
        her2.errors.RecordError
            Fewer than four positive doses, too few for a curve of three parameters.
        """
        used = self.doses > 0.0
        if np.count_nonzero(used) < 4:
            raise RecordError(
                f"GR metrics of {self.drug}: expected four or more doses above 0, got {np.count_nonzero(used)}"
            )
        doses = self.doses[used]
        gr, affected = self.gr[:, used], self.affected[:, used]
        rows = [
            np.array([*curve_metrics(doses, g), dose_at(doses, a, 0.5)])
            for g, a in zip(gr, affected, strict=True)
        ]
        table = np.stack(rows)
        names = ("gr50", "gec50", "gr_max", "gr_inf", "h_gr", "gr_aoc", "misfit", "ic50")
        bands = {n: band_of(table[:, k]) for k, n in enumerate(names) if n != "misfit"}
        return GRMetrics(**bands, misfit=float(table[0, names.index("misfit")]))


def curve_metrics(doses: Array, gr: Array) -> tuple[float, float, float, float, float, float, float]:
    """GR50, GEC50, GRmax, GRinf, h_GR, GR_AOC and misfit of one curve.

    Parameters
    ----------
    doses : (doses,), nmol/L, rising and positive
    gr : (doses,)
    """
    top = float(gr[-1])
    if not np.all(np.isfinite(gr)):
        return (np.nan,) * 7
    log_dose = np.log10(doses)
    area = float(np.trapezoid(1.0 - gr, log_dose) / (log_dose[-1] - log_dose[0]))
    if np.max(np.abs(1.0 - gr)) < NO_EFFECT:
        return np.inf, np.nan, top, float(np.mean(gr)), np.nan, area, float(np.std(gr))
    gr_inf, log_half, slope, misfit = _fit(log_dose, gr)
    half = float(10.0**log_half)
    gr50 = np.inf
    if gr_inf < 0.5:
        # 0.5 = GRinf + (1 - GRinf) / (1 + (c / GEC50) ** h)
        crossing = half * float((0.5 / (0.5 - gr_inf)) ** (1.0 / slope))
        gr50 = crossing if crossing <= doses[-1] else np.inf
    return gr50, half, top, gr_inf, slope, area, misfit


def _fit(log_dose: Array, gr: Array) -> tuple[float, float, float, float]:
    """GRinf, log10 GEC50, slope and root mean squared residual of the least-squares sigmoid."""
    from scipy.optimize import least_squares

    def curve(p: Array) -> Array:
        power = np.clip(p[2] * (log_dose - p[1]), -30.0, 30.0)
        return np.asarray(p[0] + (1.0 - p[0]) / (1.0 + 10.0**power))

    low = np.array([-1.0, log_dose[0] - 2.0, _SLOPES[0]])
    high = np.array([1.0, log_dose[-1] + 2.0, _SLOPES[1]])
    effect = 1.0 - gr
    middle = float(log_dose[int(np.argmin(np.abs(effect - 0.5 * effect[-1])))])
    start = np.clip([float(gr[-1]), middle, 1.0], low + 1e-3, high - 1e-3)
    found = least_squares(lambda p: curve(p) - gr, start, bounds=(low, high), x_scale=(0.5, 1.0, 0.5))
    misfit = float(np.sqrt(np.mean(found.fun**2)))
    return float(found.x[0]), float(found.x[1]), float(found.x[2]), misfit


def dose_at(doses: Array, effect: Array, level: float) -> float:
    """Lowest dose at which the effect reaches a level, linear in the logarithm of the dose; infinite if it does not."""
    reached = np.flatnonzero(effect >= level)
    if not reached.size:
        return float("inf")
    k = int(reached[0])
    if k == 0:
        return float(doses[0])
    share = (level - effect[k - 1]) / (effect[k] - effect[k - 1])
    return float(doses[k - 1] * (doses[k] / doses[k - 1]) ** share)


def nominal_half(drug: str, compartment: Compartment = "culture") -> float:
    """Dose at half effect, nmol/L nominal: the smallest `half` of the drug's actions, at the cell.

    Raises
    ------
    her2.errors.RecordError
        If no action has a half effect, or none of the drug reaches the compartment.
    """
    model = central()
    agent = model.agent(drug)
    halves = [a.half for a in actions_of(agent) if a.half is not None]
    per_dose = active_concentration(agent, 1.0, compartment, model.values)
    if not halves or per_dose <= 0.0:
        raise RecordError(f"agents/{drug}.yaml: no half effect to set doses by; give the doses")
    return min(halves) / per_dose


def default_doses(
    drug: str, compartment: Compartment = "culture", per_decade: int = PER_DECADE
) -> NDArray[np.float64]:
    """Doses from three decades below half effect to two above, nmol/L nominal, evenly on the log scale."""
    decades = np.linspace(-DECADES_BELOW, DECADES_ABOVE, (DECADES_BELOW + DECADES_ABOVE) * per_decade + 1)
    return np.asarray(nominal_half(drug, compartment) * 10.0**decades)


def check_doses(drug: str, doses: Sequence[float] | None, compartment: Compartment) -> Array:
    """Doses in rising order, the default range where none are given.

    Raises
    ------
    her2.errors.RecordError
        No doses, too many, a negative one, or one that is no number.
    """
    if doses is None:
        return default_doses(drug, compartment)
    given = np.asarray(doses, dtype=np.float64)
    if given.ndim != 1 or not 1 <= given.size <= MOST_DOSES:
        raise RecordError(f"doses of {drug}: expected 1 to {MOST_DOSES} numbers, got shape {given.shape}")
    if not np.all(np.isfinite(given)) or np.any(given < 0.0):
        raise RecordError(f"doses of {drug}: expected nmol/L of 0 or more")
    return np.unique(given)


def dose_response(
    cell: Cell,
    drug: str,
    doses: Sequence[float] | None = None,
    hours: float = 72.0,
    *,
    background: Mapping[str, Dose] | None = None,
    ligands: Mapping[str, float] | None = None,
    compartment: Compartment = "culture",
    members: int = MEMBERS,
) -> DoseResponse:
    """Growth of a cell at rising doses; see `Cell.dose_response` for arguments and errors."""
    name = drug_id(drug)
    others = named_drugs(background or {})
    if name in others:
        raise RecordError(f"{name}: is varied, so that it cannot be part of the background")
    length = check_span("hours", hours, MOST_HOURS, "h", lowest=1.0)
    range_ = check_doses(name, doses, compartment)
    treatments = [
        Treatment({**others, name: float(dose)}, dict(ligands or {}), compartment, length / 24.0)
        for dose in (0.0, *range_)
    ]
    growth = evaluate(cell, treatments, members)["mean_growth"]
    given = with_added(cell, treatments[0]).drugs
    rest = {k: v for k, v in given.items() if k != name}
    return DoseResponse(name, range_, growth[:, 1:], growth[:, 0], length, rest)
