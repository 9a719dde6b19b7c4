"""Time-to-event statistics: what trials report, knowing only time and event.

Nothing here knows HER2, so everything can be checked against other software; the tests compare with R's
`survival`. Names load on first use: the import costs little more than numpy, scipy waits for the tests and
intervals that need it, and numba for the fast two-arm paths.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# These two functions share their module's name: loaded late, the module would take the function's place here.
from her2.survival.kaplan_meier import KaplanMeier, Quantiles, kaplan_meier
from her2.survival.log_rank import LogRankTest, log_rank

if TYPE_CHECKING:
    from her2.survival.competing_risks import CumulativeIncidence, cumulative_incidence
    from her2.survival.cox import CoxFit, fit_cox
    from her2.survival.intervals import (
        ProportionInterval,
        clopper_pearson,
        newcombe_difference,
        wilson,
    )
    from her2.survival.reconstruction import ReconstructedArm, reconstruct_patients
    from her2.survival.rmst import RestrictedMean, RmstComparison, compare_rmst, restricted_mean
    from her2.survival.ties import merge_near_ties
    from her2.survival.two_arm import (
        TwoArmCox,
        TwoArmCoxBatch,
        TwoArmLogRankBatch,
        TwoArmStatisticsBatch,
        two_arm_cox,
        two_arm_cox_batch,
        two_arm_log_rank_batch,
        two_arm_median_batch,
        two_arm_statistics_batch,
    )

_HOMES = {
    "competing_risks": ("CumulativeIncidence", "cumulative_incidence"),
    "cox": ("CoxFit", "fit_cox"),
    "intervals": ("ProportionInterval", "clopper_pearson", "newcombe_difference", "wilson"),
    "reconstruction": ("ReconstructedArm", "reconstruct_patients"),
    "rmst": ("RestrictedMean", "RmstComparison", "compare_rmst", "restricted_mean"),
    "ties": ("merge_near_ties",),
    "two_arm": (
        "TwoArmCox",
        "TwoArmCoxBatch",
        "TwoArmLogRankBatch",
        "TwoArmStatisticsBatch",
        "two_arm_cox",
        "two_arm_cox_batch",
        "two_arm_log_rank_batch",
        "two_arm_median_batch",
        "two_arm_statistics_batch",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "CoxFit",
    "CumulativeIncidence",
    "KaplanMeier",
    "LogRankTest",
    "ProportionInterval",
    "Quantiles",
    "ReconstructedArm",
    "RestrictedMean",
    "RmstComparison",
    "TwoArmCox",
    "TwoArmCoxBatch",
    "TwoArmLogRankBatch",
    "TwoArmStatisticsBatch",
    "clopper_pearson",
    "compare_rmst",
    "cumulative_incidence",
    "fit_cox",
    "kaplan_meier",
    "log_rank",
    "merge_near_ties",
    "newcombe_difference",
    "reconstruct_patients",
    "restricted_mean",
    "two_arm_cox",
    "two_arm_cox_batch",
    "two_arm_log_rank_batch",
    "two_arm_median_batch",
    "two_arm_statistics_batch",
    "wilson",
]


def __getattr__(name: str) -> object:
    """Load a public name from its module the first time it is asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, loaded or not."""
    return sorted(__all__)
