"""One rule for every claim: does the model show what the claim says, over the ensemble?

A member agrees if the statistic lies beyond the smallest relevant effect of its readout in the direction of the claim
(`none`: within it; `between`: inside the range). A null result of a clinical study says no more than that the study
saw nothing: with its number of patients known, an effect counts as none up to the size that a study so large misses as
often as it finds (1.96 standard errors, two equal arms). A claim is reproduced if at least two thirds of the members
agree, contradicted if at most a third do, and divided in between: what is known of the parameters does not decide it.
Nothing here knows which claim it judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from her2.claims.readouts import LOG_EFFECT, MONTHS_EFFECT, SYNERGY_EFFECT, Readout
from her2.evidence.biology import Expectation, Statistic

Array = NDArray[np.float64]
Word = Literal["reproduced", "divided", "contradicted"]
MOST, FEW = 2.0 / 3.0, 1.0 / 3.0
"""Shares of the members from which a claim counts as reproduced, and up to which as contradicted."""
LOW, HIGH = 0.05, 0.95


@dataclass(frozen=True)
class Judged:
    """A statistic over the ensemble and what follows.

    Attributes
    ----------
    value : of the central model
    low90, high90 : 5 % and 95 % quantiles over the members
    share : of the members that agree
    members : number of members
    verdict : `reproduced`, `divided` or `contradicted`
    """

    value: float
    low90: float
    high90: float
    share: float
    members: int
    verdict: Word


def compute_statistic(statistic: Statistic, readout: Readout, values: Sequence[Array]) -> Array:
    """The statistic of an experiment in every model, (models,).

    Parameters
    ----------
    values : readout of the conditions in the order of the statistic, each (models,); for `bliss` and `hsa` the share
        of cells (or of a signal) left relative to none treated

    Returns
    -------
    NaN where the statistic does not exist, as the log of a ratio with a zero.
    """
    x = list(values)
    if statistic.kind == "value":
        return x[0]
    if statistic.kind == "bliss":
        _, a, b, both = x
        return np.asarray(a * b - both)
    if statistic.kind == "hsa":
        _, a, b, both = x
        return np.asarray(np.minimum(a, b) - both)
    is_log = readout.scale == "log_hazard_ratio"
    if (statistic.kind == "log_ratio" and not is_log) or readout.scale == "median":
        with np.errstate(divide="ignore", invalid="ignore"):
            x = [np.where(v > 0.0, np.log(np.where(v > 0.0, v, 1.0)), np.nan) for v in x]
    if statistic.kind == "interaction":
        return np.asarray((x[0] - x[1]) - (x[2] - x[3]))
    return np.asarray(x[0] - x[1])


def smallest_effect(statistic: Statistic, readout: Readout, values: Sequence[Array], growth: Array) -> Array:
    """Smallest relevant effect of a statistic in every model, (models,).

    Parameters
    ----------
    values : as in `compute_statistic`
    growth : (models,), 1/day, growth of the untreated reference cell in the compartment of the experiment
    """
    one = np.ones_like(growth)
    if statistic.kind in ("bliss", "hsa"):
        return SYNERGY_EFFECT * one
    if statistic.kind == "log_ratio":
        return LOG_EFFECT * one
    if readout.scale == "median":
        return (MONTHS_EFFECT if statistic.kind == "value" else readout.smallest) * one
    if readout.scale == "growth":
        return readout.smallest * growth
    if readout.scale == "relative":
        largest = np.max(np.abs(np.stack(list(values))), axis=0)
        return np.asarray(readout.smallest * largest)
    return readout.smallest * one


MISSED = 1.96
"""Standard errors of an effect that a two-sided test at 5 % finds in half of all studies."""
EVENTS = {"pfs_hr": 0.7, "os_hr": 0.6, "pfs_median": 0.7, "os_median": 0.6, "cns_hazard": 0.15, "dfs_hr": 0.2}
"""Share of the patients of a study with the event when it is analysed; assumed, typical of the record's trials."""


def missed_effect(statistic: Statistic, readout: Readout, patients: int) -> float:
    """Largest effect that a study of so many patients misses at least as often as it finds it.

    Rates near one half and two equal arms are taken; an interaction splits the patients into four groups.
    """
    groups = 2.0 if statistic.kind == "interaction" else 1.0
    if readout.scale == "share":
        return MISSED * groups / float(np.sqrt(patients))
    if readout.id not in EVENTS:
        return 0.0
    error = 2.0 / float(np.sqrt(EVENTS[readout.id] * patients))
    return MISSED * groups * error * (1.25 if readout.scale == "median" else 1.0)


def agrees(value: Array, expect: Expectation, smallest: Array) -> NDArray[np.bool_]:
    """Whether each member shows what the claim says, (members,); NaN never agrees."""
    match expect.relation:
        case "greater":
            return np.asarray(value > smallest)
        case "less":
            return np.asarray(value < -smallest)
        case "none":
            return np.asarray(np.abs(value) <= smallest)
        case "between":
            assert expect.low is not None and expect.high is not None
            return np.asarray((value >= expect.low) & (value <= expect.high))


def judge(value: Array, smallest: Array, expect: Expectation) -> Judged:
    """Verdict on a claim.

    Parameters
    ----------
    value, smallest : (1 + members,), statistic and smallest relevant effect; the central model first
    """
    members = value[1:]
    share = float(np.mean(agrees(members, expect, smallest[1:])))
    known = members[np.isfinite(members)]
    low, high = np.quantile(known, [LOW, HIGH]) if known.size else (np.nan, np.nan)
    return Judged(
        value=float(value[0]),
        low90=float(low),
        high90=float(high),
        share=share,
        members=int(members.size),
        verdict="reproduced" if share >= MOST else "contradicted" if share <= FEW else "divided",
    )
